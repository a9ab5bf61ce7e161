package engine

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/engine/document"
	"postern/engine/store"
)

// Management of apps, in the form that kinvey-cli speaks. What it calls an app
// is a name for several environments; what everybody else calls an app (a key,
// two secrets, data) is one environment. An app has no row of its own: it is
// the environments that say they belong to it, and it is called by the key of
// the first one, which is never given to anything else.

// application is the id of the app, in the management's sense, that c belongs to.
func (c *appConfig) application() string { return cmp.Or(c.Application, c.Key) }

// environments lists the environments of an app in the order of their making.
func (d *directory) environments(id string, state func(*app) *appState) []*app {
	var found []*app
	for _, a := range d.byKey {
		if c := state(a).config; c.Deleted == 0 && (id == "" || c.application() == id) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *app) int { return cmp.Compare(a.number, b.number) })
	return found
}

// environments is what the draft has of an app.
func (d *draft) environments(id string) []*app { return d.directory().environments(id, d.state) }

// freeName refuses a name that another environment of the app has: kinvey-cli
// finds environments by their names.
func (d *draft) freeName(c *appConfig) error {
	for _, a := range d.environments(c.application()) {
		if d.state(a).config.Environment == c.Environment {
			return fault(errBadRequest, "the app has an environment %q", c.Environment)
		}
	}
	return nil
}

// environments lists those of an app, or of all apps when id is "".
func (e *Engine) environments(id string) []*app {
	return e.apps.Load().environments(id, func(a *app) *appState { return a.view.Load() })
}

// echoed are the settings that are kept and given back and change nothing here.
var echoed = map[string]bool{
	"passwordReset": true, "realtime": true,
	"identityStoreId": true, "defaultAuthServiceId": true, "customDomain": true,
}

const maxSetting = 4096 // bytes of an echoed setting

// keepSetting keeps a setting that is only echoed; null forgets it. Any other
// name is an error, so that a mistyped one is not passed over.
func (c *appConfig) keepSetting(name string, v document.Value) error {
	if !echoed[name] {
		return fault(errOutOfRange, "unknown setting %q", name)
	}
	if len(v.Raw()) > maxSetting {
		return fault(errTooLarge, "%s has at most %d bytes", name, maxSetting)
	}
	c.Settings = maps.Clone(c.Settings) // older configurations share the map
	if v.Kind() == document.Null {
		delete(c.Settings, name)
		return nil
	}
	if c.Settings == nil {
		c.Settings = map[string]json.RawMessage{}
	}
	c.Settings[name] = append(json.RawMessage(nil), v.Raw()...)
	return nil
}

func describeEnvironment(c *appConfig) *jsonObject {
	o := new(jsonObject).text("id", c.Key).text("app", c.application()).text("appName", c.Name).text("name", c.Environment).
		number("apiVersion", int64(c.APIVersion)).
		text("groupCreation", c.Options.GroupCreation).
		flag("hideUnreadable", c.Options.HideUnreadable).
		flag("strictAcl", c.Options.StrictACL).
		flag("passwordPolicy", c.Options.PasswordPolicy).
		flag("refuseLookAlikes", c.Options.LookAlikes).
		number("sessionIdleTimeout", int64(c.Options.SessionIdle/time.Second)).
		number("sessionTimeoutInSeconds", int64(c.Options.SessionMax/time.Second)).
		texts("corsOrigins", c.Options.CORSOrigins).
		raw("emailVerification", c.Options.Verification.json()).
		number("numberOfCollaborators", 0).number("numberOfAdmins", 1)
	return o.settings(c)
}

// settings adds what is only echoed.
func (o *jsonObject) settings(c *appConfig) *jsonObject {
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		o.raw(name, string(c.Settings[name]))
	}
	return o
}

// environment shows an environment as it is now. An operator's session is shown
// a master secret of its own, because kinvey-cli manages roles and groups with
// the one it finds here; the app's own secrets are kept as hashes only. With it he is
// the master, so it is for owners.
func (r *Request) environment(a *app) *jsonObject {
	o := describeEnvironment(a.view.Load().config)
	if r.session != nil && r.e.system.Load().roleOf(r.operator) == owner {
		o.text("masterSecret", r.e.masterOf(r.session.digest, a.key))
	}
	return o
}

// application shows an app with its environments.
func (r *Request) application(id string, environments []*app) *jsonObject {
	c := environments[0].view.Load().config
	var items [][]byte
	for _, a := range environments {
		items = append(items, r.environment(a).close())
	}
	return describeApplication(id, c, items)
}

func describeApplication(id string, c *appConfig, environments [][]byte) *jsonObject {
	o := new(jsonObject).text("id", id).text("name", c.Name).text("organizationId", organization).
		number("sessionTimeoutInSeconds", int64(c.Options.SessionMax/time.Second))
	if v, ok := c.Settings["realtime"]; ok {
		o.raw("realtime", string(v))
	}
	return o.raw("environments", string(jsonList(environments)))
}

// masterOf is the master secret that a session of an operator has in an app. It
// cannot be told from a secret that was minted, opens this app alone, is good
// while the session is, and ends with the process, which is why it is nowhere
// stored.
func (e *Engine) masterOf(session auth.Digest, key string) string {
	mac := hmac.New(sha256.New, e.derive[:])
	mac.Write(session[:])
	mac.Write([]byte(key))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// derivedMaster tells whether secret is that of some operator's session in the
// app, now (Unix ms).
func (e *Engine) derivedMaster(key, secret string, now int64) bool {
	s := e.system.Load()
	found := false
	s.sessions.Scan(func(_ string, n *session) bool {
		// In constant time, and every session: the caller is not yet trusted.
		if subtle.ConstantTimeCompare([]byte(e.masterOf(n.digest, key)), []byte(secret)) == 1 && s.live(n, now) && s.roleOf(n.User) == owner {
			found = true
		}
		return true
	})
	return found
}

// listApps shows every app.
func (e *Engine) listApps(r *Request) error {
	byID := map[string][]*app{}
	var ids []string
	for _, a := range e.environments("") {
		id := a.view.Load().config.application()
		if byID[id] == nil {
			ids = append(ids, id)
		}
		byID[id] = append(byID[id], a)
	}
	var items [][]byte
	for _, id := range ids {
		items = append(items, r.application(id, byID[id]).close())
	}
	return r.json(fasthttp.StatusOK, jsonList(items))
}

// pathApplication finds the app that the path names.
func (r *Request) pathApplication() (id string, environments []*app, err error) {
	id = r.param(0)
	if environments = r.e.environments(id); id == "" || len(environments) == 0 {
		return "", nil, errAppNotFound
	}
	return id, environments, nil
}

func (e *Engine) getApplication(r *Request) error {
	id, environments, err := r.pathApplication()
	if err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, r.application(id, environments).close())
}

// makeApp creates an app with its first environment. The secrets are shown
// here and never again.
func (e *Engine) makeApp(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	n := NewApp{Options: AppOptions{PasswordPolicy: true}, by: r.actor()}
	var c appConfig
	for key, v := range doc.Members() {
		switch name := key.Text(); name {
		case "id":
			n.Key, err = textOrNull("id", v)
		case "name", "appName":
			n.Name, err = textOrNull(name, v)
		default:
			err = c.setOfApplication(name, v)
		}
		if err != nil {
			return err
		}
	}
	n.Options.SessionMax, n.settings = c.Options.SessionMax, c.Settings
	s, err := e.CreateApp(n)
	if err != nil {
		return err
	}
	made, err := r.made(s)
	if err != nil {
		return err
	}
	a, _ := e.appByKey(s.Key)
	body := describeApplication(s.Key, a.view.Load().config, [][]byte{made})
	return r.json(fasthttp.StatusCreated, r.newSecrets(body, s).close())
}

// made shows a new environment with its secrets.
func (r *Request) made(s AppSecrets) ([]byte, error) {
	a, ok := r.e.appByKey(s.Key)
	if !ok {
		return nil, errAppNotFound // deleted meanwhile
	}
	return r.newSecrets(describeEnvironment(a.view.Load().config), s).close(), nil
}

// newSecrets adds the secrets of what was just made. The master secret never reaches a
// browser; postern app regenerate-secret makes another.
func (r *Request) newSecrets(o *jsonObject, s AppSecrets) *jsonObject {
	o.text("appSecret", s.AppSecret)
	if r.plane != consolePlane {
		o.text("masterSecret", s.MasterSecret)
	}
	return o
}

// setOfApplication changes a setting that all environments of an app share.
func (c *appConfig) setOfApplication(name string, v document.Value) error {
	switch name {
	case "name":
		return c.set("appName", v)
	case "sessionTimeoutInSeconds":
		if v.Kind() == document.Null {
			c.Options.SessionMax = 0
			return nil
		}
		return c.set(name, v)
	case "organizationId":
		if v.Kind() != document.Null && !v.TextIs(organization) {
			return fault(errOutOfRange, "the one organization of this server is %q", organization)
		}
		return nil
	case "realtime":
		return c.keepSetting(name, v)
	}
	return fault(errOutOfRange, "unknown setting %q of an app", name)
}

// changeApplication edits what the environments of an app share, in all of them.
type changeApplication struct {
	id     string
	by     actor
	change func(c *appConfig) error
}

func (in *changeApplication) audit() auditLine {
	return auditLine{actor: in.by, Act: "change app", App: in.id}
}

func (in *changeApplication) plan(d *draft) ([]store.Op, error) {
	var ops []store.Op
	for _, a := range d.environments(in.id) {
		c := *d.state(a).config
		if err := in.change(&c); err != nil {
			return nil, err
		}
		ops = append(ops, store.Op{Key: store.Key{Table: tableApp, ID: c.Key}, Value: encodeRow(&c)})
	}
	if len(ops) == 0 {
		return nil, errAppNotFound
	}
	return ops, nil
}

func (e *Engine) putApplication(r *Request) error {
	id, _, err := r.pathApplication()
	if err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	body := append([]byte(nil), doc.Raw()...)
	in := &changeApplication{id: id, by: r.actor(), change: func(c *appConfig) error {
		for key, v := range document.Trusted(body).Members() {
			if err := c.setOfApplication(key.Text(), v); err != nil {
				return err
			}
		}
		return nil
	}}
	if err := e.committer.submit(nil, in); err != nil {
		return err
	}
	return e.getApplication(r)
}

func (e *Engine) listEnvironments(r *Request) error {
	_, environments, err := r.pathApplication()
	if err != nil {
		return err
	}
	var items [][]byte
	for _, a := range environments {
		items = append(items, r.environment(a).close())
	}
	return r.json(fasthttp.StatusOK, jsonList(items))
}

// makeEnvironment adds an environment to an app, with the settings that the
// app's environments share.
func (e *Engine) makeEnvironment(r *Request) error {
	id, environments, err := r.pathApplication()
	if err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	first := environments[0].view.Load().config
	c := appConfig{APIVersion: factoryAPI, Options: AppOptions{PasswordPolicy: true, SessionMax: first.Options.SessionMax}}
	if v, ok := first.Settings["realtime"]; ok {
		if err := c.keepSetting("realtime", document.Trusted(v)); err != nil {
			return err
		}
	}
	for key, v := range doc.Members() {
		if key.TextIs("appName") {
			return fault(errOutOfRange, "an environment has the name of its app")
		}
		if err := c.set(key.Text(), v); err != nil {
			return err
		}
	}
	if c.Environment == "" {
		return fault(errMissingParameter, "name must be a string")
	}
	s, err := e.CreateApp(NewApp{
		Name: first.Name, Environment: c.Environment, Options: c.Options,
		application: id, apiVersion: &c.APIVersion, settings: c.Settings, by: r.actor(),
	})
	if err != nil {
		return err
	}
	body, err := r.made(s)
	if err != nil {
		return err
	}
	return r.json(fasthttp.StatusCreated, body)
}

func (e *Engine) showEnvironment(r *Request) error {
	return r.json(fasthttp.StatusOK, r.environment(r.app).close())
}

// deleteApp removes environments with all that is in them. They answer as if
// they had never been from then on; their rows are cleaned away in the
// background.
type deleteApp struct {
	find func(d *draft) []*app
	by   actor
	what string
}

func (*deleteApp) frugal() {}

func (in *deleteApp) audit() auditLine {
	return auditLine{actor: in.by, Act: "delete app", App: in.what}
}

func (in *deleteApp) plan(d *draft) ([]store.Op, error) {
	var ops []store.Op
	for _, a := range in.find(d) {
		old := d.state(a).config
		c := &appConfig{Number: old.Number, Key: old.Key, Application: old.Application, Created: old.Created, Deleted: max(d.now, 1)}
		ops = append(ops, store.Op{Key: store.Key{Table: tableApp, ID: c.Key}, Value: encodeRow(c)})
	}
	if len(ops) == 0 {
		return nil, errAppNotFound
	}
	return ops, nil
}

// deletedState is an app that is no more: nothing is in it, and no row brings
// anything into it.
func deletedState(config *appConfig) *appState {
	s := newAppState(config)
	for number, name := range map[uint32]string{userCollection: "user", groupCollection: "group"} {
		s.collections.Set(name, newCollection(number, name, 0))
	}
	return s
}

func (r *Request) deleteEnvironments(what string, find func(d *draft) []*app) error {
	// A body says nothing here, but one that is no JSON is somebody's mistake.
	if _, err := r.object(); err != nil {
		return err
	}
	if err := r.e.committer.submit(nil, &deleteApp{find: find, by: r.actor(), what: what}); err != nil {
		return err
	}
	r.e.cleaner.nudge()
	return r.nothing()
}

func (e *Engine) deleteApplication(r *Request) error {
	id, _, err := r.pathApplication()
	if err != nil {
		return err
	}
	return r.deleteEnvironments(id, func(d *draft) []*app { return d.environments(id) })
}

func (e *Engine) deleteEnvironment(r *Request) error {
	a := r.app
	return r.deleteEnvironments(a.key, func(d *draft) []*app {
		if d.state(a).config.Deleted != 0 {
			return nil
		}
		return []*app{a}
	})
}

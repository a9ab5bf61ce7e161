package engine

import (
	"bufio"
	"context"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/engine/document"
	"postern/engine/store"
)

// adminRoutes are served on the socket in the data directory only; the
// commands of the binary speak them. Users and groups are made through the
// public routes, which the socket serves with the master's rights.
func (e *Engine) adminRoutes() []route {
	return []route{
		{"GET", "/v4/environments/{kid}/config", asOperator, e.exportConfig},
		{"PUT", "/v4/environments/{kid}/config", asOperator, e.importConfig},
		{"GET", "/v4/environments/{kid}/users/{name}", asOperator, e.showAccount},
		{"PUT", "/v4/environments/{kid}/users/{name}/password", asOperator, e.setPassword},
		{"POST", "/v4/environments/{kid}/users/{name}/suspend", asOperator, e.suspendAccount},
		{"POST", "/v4/environments/{kid}/users/{name}/restore", asOperator, e.restoreAccount},
		{"GET", "/v4/environments/{kid}/users/{name}/sessions", asOperator, e.listSessions},
		{"DELETE", "/v4/environments/{kid}/users/{name}/sessions", asOperator, e.endSessions},
		{"DELETE", "/v4/environments/{kid}/users/{name}/sessions/{session}", asOperator, e.endOneSession},
		{"GET", "/v4/operators", asOperator, e.listOperators},
		{"POST", "/v4/operators", asOperator, e.makeOperator},
		{"PUT", "/v4/operators/{email}", asOperator, e.putOperator},
		{"DELETE", "/v4/operators/{email}", asOperator, e.removeOperator},
		{"DELETE", "/v4/operators/{email}/totp", asOperator, e.dropTOTP},
		{"PUT", "/v4/operator/password", asOperator, e.putOwnPassword},
		{"POST", "/v4/operator/totp", asOperator, e.beginTOTP},
		{"PUT", "/v4/operator/totp", asOperator, e.confirmTOTP},
		{"DELETE", "/v4/operator/totp", asOperator, e.endTOTP},
		{"GET", "/v4/backup", asOperator, e.backup},
		{"POST", "/v4/check", asOperator, e.runCheck},
	}
}

// jsonObject builds a small JSON object member by member.
type jsonObject struct{ b []byte }

// name begins a member.
func (o *jsonObject) name(key string) {
	if len(o.b) == 0 {
		o.b = append(make([]byte, 0, 160), '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(document.AppendQuote(o.b, key), ':')
}

func (o *jsonObject) raw(key, text string) *jsonObject {
	o.name(key)
	o.b = append(o.b, text...)
	return o
}

func (o *jsonObject) text(key, text string) *jsonObject {
	o.name(key)
	o.b = document.AppendQuote(o.b, text)
	return o
}

func (o *jsonObject) texts(key string, list []string) *jsonObject {
	o.name(key)
	o.b = append(o.b, '[')
	for i, text := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = document.AppendQuote(o.b, text)
	}
	o.b = append(o.b, ']')
	return o
}

func (o *jsonObject) flag(key string, v bool) *jsonObject {
	o.name(key)
	o.b = strconv.AppendBool(o.b, v)
	return o
}

func (o *jsonObject) number(key string, v int64) *jsonObject {
	o.name(key)
	o.b = strconv.AppendInt(o.b, v, 10)
	return o
}

func (o *jsonObject) time(key string, ms int64) *jsonObject {
	if ms == 0 {
		return o
	}
	return o.text(key, string(appendTime(nil, ms)))
}

func (o *jsonObject) close() []byte { return append(o.b, '}') }

// jsonList joins objects.
func jsonList(items [][]byte) []byte {
	b := []byte{'['}
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it...)
	}
	return append(b, ']')
}

// changeApp takes any of the members that describeEnvironment shows. An unknown one is
// an error, so that a typing mistake does not leave a door open.
func (e *Engine) changeApp(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	body := append([]byte(nil), doc.Raw()...)
	in := &changeApp{app: r.app, by: r.actor(), act: "change app", change: func(c *appConfig, _ int64) error {
		for key, v := range document.Trusted(body).Members() {
			if err := c.set(key.Text(), v); err != nil {
				return err
			}
		}
		return nil
	}}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, r.environment(r.app).close())
}

// set changes one setting by its name.
func (c *appConfig) set(name string, v document.Value) error {
	bad := fault(errOutOfRange, "%s has a value that it cannot have", name)
	boolean := func(p *bool) error {
		if v.Kind() != document.Bool {
			return bad
		}
		*p = v.Bool()
		return nil
	}
	number := func(most int64) (int64, error) {
		n, err := strconv.ParseInt(string(v.Raw()), 10, 64)
		if v.Kind() != document.Number || err != nil || n < 0 || n > most {
			return 0, bad
		}
		return n, nil
	}
	switch name {
	case "appName", "name":
		if v.Kind() != document.String {
			return bad
		}
		if name == "name" {
			c.Environment = v.Text()
		} else {
			c.Name = v.Text()
		}
	case "apiVersion":
		n, err := number(highestAPI)
		if err != nil {
			return err
		}
		c.APIVersion = int(n)
	case "groupCreation":
		if !v.TextIs("users") && !v.TextIs("master") {
			return bad
		}
		c.Options.GroupCreation = v.Text()
	case "hideUnreadable":
		return boolean(&c.Options.HideUnreadable)
	case "strictAcl":
		return boolean(&c.Options.StrictACL)
	case "passwordPolicy":
		return boolean(&c.Options.PasswordPolicy)
	case "refuseLookAlikes":
		return boolean(&c.Options.LookAlikes)
	case "emailVerification":
		return c.Options.Verification.set(v)
	case "sessionIdleTimeout", "sessionTimeoutInSeconds":
		n, err := number(100 * 365 * 24 * 3600)
		if err != nil {
			return err
		}
		if name == "sessionIdleTimeout" {
			c.Options.SessionIdle = time.Duration(n) * time.Second
		} else {
			c.Options.SessionMax = time.Duration(n) * time.Second
		}
	case "corsOrigins":
		origins, err := originsIn(v)
		if err != nil {
			return err
		}
		c.Options.CORSOrigins = origins
	default:
		return c.keepSetting(name, v)
	}
	return nil
}

// maxOverlap bounds how long an old secret may live beside its successor.
const maxOverlap = 7 * 24 * time.Hour

func (e *Engine) newSecret(r *Request, name string, list func(*appConfig) *[]secret) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	var overlap time.Duration
	if v := doc.Get("overlapSeconds"); v.Kind() != document.Missing {
		n, err := strconv.ParseUint(string(v.Raw()), 10, 31)
		if err != nil || time.Duration(n)*time.Second > maxOverlap {
			return fault(errOutOfRange, "overlapSeconds is a number of seconds up to 7 days")
		}
		overlap = time.Duration(n) * time.Second
	}
	text := auth.NewSecret(e.Random())
	in := &changeApp{app: r.app, by: r.actor(), act: "regenerate " + name, change: func(c *appConfig, now int64) error {
		l := list(c)
		*l = addSecret(*l, auth.SecretDigest(text), now, overlap)
		return nil
	}}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, new(jsonObject).text("id", r.app.key).text(name, text).close())
}

func (e *Engine) newAppSecret(r *Request) error {
	return e.newSecret(r, "appSecret", func(c *appConfig) *[]secret { return &c.AppSecrets })
}

func (e *Engine) newMasterSecret(r *Request) error {
	if r.plane == consolePlane {
		return fault(errForbidden, "a master secret never reaches a browser; postern app regenerate-secret makes one")
	}
	return e.newSecret(r, "masterSecret", func(c *appConfig) *[]secret { return &c.MasterSecrets })
}

// account finds the user that an administration route names.
func (r *Request) account() (id string, a *account, err error) {
	id, ok := r.view.names.Get(r.param(0))
	if !ok {
		return "", nil, errUserNotFound
	}
	a, _ = r.view.accounts.Get(id)
	return id, a, nil
}

func (e *Engine) showAccount(r *Request) error {
	id, a, err := r.account()
	if err != nil {
		return err
	}
	body := new(jsonObject).text("id", id).text("username", a.Username).flag("suspended", a.Suspended != 0).
		time("lastLogin", a.LastLogin).number("sessions", int64(r.view.liveSessions(id, r.start))).close()
	return r.json(fasthttp.StatusOK, body)
}

// changeAccount submits an administrator's change of an account.
func (r *Request) changeAccount(act string, change func(p *privateRow, now int64) error) error {
	id, _, err := r.account()
	if err != nil {
		return err
	}
	in := &changeAccount{app: r.app, by: r.actor(), act: act, user: id, change: change}
	if err := r.e.committer.submit(r.app, in); err != nil {
		return err
	}
	r.e.verified.Drop(id)
	return r.nothing()
}

func (e *Engine) setPassword(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	password := doc.Get("password")
	if password.Kind() != document.String || password.Text() == "" {
		return fault(errMissingParameter, "password must be a string")
	}
	if err := r.acceptable("", password.Text()); err != nil {
		return err
	}
	phc, err := e.hasher.Hash(context.Background(), e.Random(), password.Text())
	if err != nil {
		return err
	}
	return r.changeAccount("set password", func(p *privateRow, _ int64) error {
		p.Password = phc
		p.Generation++
		return nil
	})
}

func (e *Engine) suspendAccount(r *Request) error {
	return r.changeAccount("suspend user", func(p *privateRow, now int64) error {
		if p.Suspended == 0 {
			p.Suspended = now
			p.Generation++
		}
		return nil
	})
}

func (e *Engine) restoreAccount(r *Request) error {
	return r.changeAccount("restore user", func(p *privateRow, _ int64) error {
		p.Suspended = 0
		return nil
	})
}

func (e *Engine) endSessions(r *Request) error {
	return r.changeAccount("end all sessions", func(p *privateRow, _ int64) error {
		p.Generation++
		return nil
	})
}

func (e *Engine) listSessions(r *Request) error {
	id, _, err := r.account()
	if err != nil {
		return err
	}
	var items [][]byte
	r.view.sessionsOf(id, func(n *session) bool {
		if r.view.live(n, r.start) {
			items = append(items, n.describe(r.view).close())
		}
		return true
	})
	return r.json(fasthttp.StatusOK, jsonList(items))
}

func (e *Engine) endOneSession(r *Request) error {
	id, _, err := r.account()
	if err != nil {
		return err
	}
	var found *session
	r.view.sessionsOf(id, func(n *session) bool {
		if sessionName(n) == r.param(1) {
			found = n
		}
		return found == nil
	})
	if found == nil {
		return fault(errEntityNotFound, "the user has no such session")
	}
	if err := e.committer.submit(r.app, &endSession{app: r.app, by: r.actor(), act: "end session", digest: found.digest}); err != nil {
		return err
	}
	return r.nothing()
}

// backup streams a verified export of the whole store as of now.
func (e *Engine) backup(r *Request) error {
	view, err := e.driver.View()
	if err != nil {
		return err
	}
	log := e.config.Logger
	r.ctx.SetContentType("application/octet-stream")
	r.ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer view.Close()
		// An export that ends early lacks its trailer: restore refuses it.
		if err := store.Export(view, w); err != nil {
			log.Error("backup", "error", err)
		}
	})
	return nil
}

// runCheck answers with what Check finds.
func (e *Engine) runCheck(r *Request) error {
	var problems [][]byte
	if err := e.Check(func(p string) { problems = append(problems, document.AppendQuote(nil, p)) }); err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, new(jsonObject).raw("problems", string(jsonList(problems))).close())
}

package engine

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"postern/acl"
	"postern/auth"
	"postern/engine/document"
	"postern/engine/store"
)

// NewApp says what an app to be created is like.
type NewApp struct {
	Key          string // "": made up
	Name         string
	Environment  string // "": Development
	AppSecret    string // "": made up
	MasterSecret string // "": made up
	Options      AppOptions

	application string // that it becomes an environment of; "": a new one
	apiVersion  *int   // nil: that of the factory
	settings    map[string]json.RawMessage
	by          actor
}

// AppSecrets are the secrets of an app as they are shown once.
type AppSecrets struct {
	Key          string
	AppSecret    string
	MasterSecret string
}

// CreateApp makes an app and returns its secrets, which are kept as hashes
// only.
func (e *Engine) CreateApp(n NewApp) (AppSecrets, error) {
	s := AppSecrets{Key: n.Key, AppSecret: n.AppSecret, MasterSecret: n.MasterSecret}
	if s.Key == "" {
		var b [6]byte
		e.readRandom(b[:])
		s.Key = "kid_" + hex.EncodeToString(b[:])
	}
	if !collectionName(s.Key) {
		return AppSecrets{}, fault(errIdentifier, "an app key is 1 to 123 letters, digits, '-' and '_'")
	}
	if s.AppSecret == "" {
		s.AppSecret = auth.NewSecret(e.Random())
	}
	if s.MasterSecret == "" {
		s.MasterSecret = auth.NewSecret(e.Random())
	}
	if n.Name == "" {
		n.Name = s.Key
	}
	if n.Environment == "" {
		n.Environment = "Development"
	}
	if n.Options.GroupCreation == "" {
		n.Options.GroupCreation = "master"
	}
	in := &createApp{by: cmp.Or(n.by, byServer), config: appConfig{
		Key: s.Key, Name: n.Name, Environment: n.Environment, APIVersion: factoryAPI,
		NextCollection: firstCollection, Options: n.Options, Application: n.application, Settings: n.settings,
		AppSecrets:    []secret{{Digest: auth.SecretDigest(s.AppSecret)}},
		MasterSecrets: []secret{{Digest: auth.SecretDigest(s.MasterSecret)}},
	}}
	if n.apiVersion != nil {
		in.config.APIVersion = *n.apiVersion
	}
	if err := e.committer.submit(nil, in); err != nil {
		return AppSecrets{}, err
	}
	return s, nil
}

type createApp struct {
	by     actor
	config appConfig
}

func (in *createApp) audit() auditLine {
	return auditLine{actor: in.by, Act: "create app", App: in.config.Key}
}

func (in *createApp) plan(d *draft) ([]store.Op, error) {
	if _, taken := d.directory().byKey[in.config.Key]; taken {
		return nil, fault(errBadRequest, "app %q exists", in.config.Key)
	}
	if in.config.Application != "" {
		if len(d.environments(in.config.Application)) == 0 {
			return nil, errAppNotFound // deleted meanwhile
		}
		if err := d.freeName(&in.config); err != nil {
			return nil, err
		}
	}
	c := in.config
	c.Number, c.Created = d.systemState().next, d.now
	return []store.Op{
		{Key: store.Key{Table: tableSystem, ID: "next"}, Value: encodeRow(c.Number + 1)},
		{Key: store.Key{Table: tableApp, ID: c.Key}, Value: encodeRow(&c)},
		{Key: store.Key{App: c.Number, Table: tableCollection, ID: "user"}, Value: encodeRow(&collectionRow{Number: userCollection})},
		{Key: store.Key{App: c.Number, Table: tableCollection, ID: "group"}, Value: encodeRow(&collectionRow{Number: groupCollection})},
	}, nil
}

// changeApp edits the settings of an app.
type changeApp struct {
	app    *app
	by     actor
	act    string
	change func(c *appConfig, now int64) error
}

func (in *changeApp) audit() auditLine {
	return auditLine{actor: in.by, Act: in.act, App: in.app.key}
}

func (in *changeApp) plan(d *draft) ([]store.Op, error) {
	old := d.state(in.app).config
	c := *old
	if err := in.change(&c, d.now); err != nil {
		return nil, err
	}
	if c.Environment != old.Environment {
		if err := d.freeName(&c); err != nil {
			return nil, err
		}
	}
	return []store.Op{{Key: store.Key{Table: tableApp, ID: c.Key}, Value: encodeRow(&c)}}, nil
}

// addSecret puts a new secret in front. The newest old one lives on for the
// overlap; older ones end now, so that at most two live.
func addSecret(secrets []secret, digest auth.Digest, now int64, overlap time.Duration) []secret {
	out := []secret{{Digest: digest}}
	if overlap > 0 && len(secrets) > 0 {
		old := secrets[0]
		if until := now + overlap.Milliseconds(); old.Until == 0 || until < old.Until {
			old.Until = until
		}
		out = append(out, old)
	}
	return out
}

// CreateUser makes a user with a name, a password and nothing else, as seeding
// does. It returns his id.
func (e *Engine) CreateUser(appKey, username, password string) (string, error) {
	a, ok := e.appByKey(appKey)
	if !ok {
		return "", errAppNotFound
	}
	phc, err := e.hasher.Hash(context.Background(), e.Random(), password)
	if err != nil {
		return "", err
	}
	in := &signUp{app: a, by: byServer, id: e.newID(), username: username, phc: phc}
	own := entityBody{members: document.AppendQuote([]byte(`,"username":`), username)}
	in.members = own.withID(in.id)
	return in.id, e.committer.submit(a, in)
}

// PutDocument stores an entity as a user of the app, or as the master when
// user is "". It is for seeding; requests come through the routes.
func (e *Engine) PutDocument(appKey, collection, user string, doc []byte) error {
	a, ok := e.appByKey(appKey)
	if !ok {
		return errAppNotFound
	}
	if err := validCollection(collection); err != nil {
		return err
	}
	v, err := document.Parse(doc, document.Body)
	if err != nil {
		return err
	}
	b, err := readEntity(v)
	if err != nil {
		return err
	}
	if b.id == "" {
		b.id = e.newID()
	}
	subject := acl.Subject{Role: acl.RoleMaster}
	if user != "" {
		subject, _ = a.view.Load().subject(user)
	}
	return e.committer.submit(a, &putEntity{
		app: a, subject: subject, collection: collection, id: b.id, members: b.withID(b.id),
		sent: b.acl, sentText: b.aclText,
	})
}

// SetLevel sets the level of a collection and makes the collection if need be.
func (e *Engine) SetLevel(appKey, collection string, level acl.Level) error {
	a, ok := e.appByKey(appKey)
	if !ok {
		return errAppNotFound
	}
	if err := managed(collection); err != nil {
		return err
	}
	return e.committer.submit(a, &setCollection{app: a, by: byServer, name: collection, level: level})
}

// HasApps tells whether any app exists.
func (e *Engine) HasApps() bool { return len(e.apps.Load().byKey) > 0 }

package engine

import (
	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/store"
)

// The management of collections, in the form that kinvey-cli speaks: the
// Settings page of a server without a console.

// setCollection creates a collection or changes its level.
type setCollection struct {
	app    *app
	by     actor
	name   string
	level  acl.Level     // of a new one, and of an existing one unless keep
	text   []byte        // the permissions by role that say so, nil: they came as a level
	keep   bool          // an existing one keeps its level and permissions
	delta  *deltaSetting // nil: as it is
	orders *setOrders    // nil: as they are
	insert bool          // an existing one is an error

	created bool
	row     collectionRow // what it came to
}

func (in *setCollection) audit() auditLine {
	act := "set level"
	switch {
	case in.created:
		act = "create collection"
	case in.keep && in.delta != nil:
		act = "set delta set"
	}
	return auditLine{actor: in.by, Act: act, App: in.app.key, Collection: in.name}
}

func (in *setCollection) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	c := s.collection(in.name)
	if c == nil {
		in.created = true
		delta, err := d.deltaRow(nil, in.delta, false)
		if err != nil {
			return nil, err
		}
		number, ops := newCollectionOps(s, in.name, in.level)
		in.row = collectionRow{Number: number, Level: in.level, Delta: delta}
		if in.orders != nil {
			if in.row.Orders, err = in.orders.onto(nil); err != nil {
				return nil, err
			}
		}
		ops[1].Value = encodeRow(&in.row)
		return append(ops, in.note(s)...), nil
	}
	in.created = false
	if in.insert {
		return nil, fault(errBadRequest, "collection %q exists", in.name)
	}
	level := in.level
	if in.keep {
		level = c.level
	}
	delta, err := d.deltaRow(c, in.delta, level != c.level)
	if err != nil {
		return nil, err
	}
	in.row = collectionRow{Number: c.number, Level: level, Delta: delta, Orders: c.orders}
	if in.orders != nil {
		if in.row.Orders, err = in.orders.onto(c.orders); err != nil {
			return nil, err
		}
	}
	ops := []store.Op{{
		Key:   store.Key{App: in.app.number, Table: tableCollection, ID: in.name},
		Value: encodeRow(&in.row),
	}}
	if in.keep {
		return ops, nil
	}
	return append(ops, in.note(s)...), nil
}

// note keeps the permissions by role as they came, or forgets earlier ones.
func (in *setCollection) note(s *appState) []store.Op {
	name := notePermissions + in.name
	if _, had := s.notes.Get(name); had || in.text != nil {
		return []store.Op{noteOp(in.app, name, in.text)}
	}
	return nil
}

// dropCollection removes a collection. Its entities are unreachable from then
// on; their rows are cleaned away in the background.
type dropCollection struct {
	app  *app
	by   actor
	name string
	keep bool // the settings stay, as those of a new and empty collection
}

func (*dropCollection) frugal() {}

func (in *dropCollection) audit() auditLine {
	return auditLine{actor: in.by, Act: "drop collection", App: in.app.key, Collection: in.name}
}

func (in *dropCollection) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	c := s.collection(in.name)
	if c == nil {
		return nil, errCollectionNotFound
	}
	ops := []store.Op{
		{Key: store.Key{App: in.app.number, Table: tableDropped, Collection: c.number}, Value: []byte{}},
		{Key: store.Key{App: in.app.number, Table: tableCollection, ID: in.name}},
	}
	if in.keep {
		number, anew := newCollectionOps(s, in.name, c.level)
		row := collectionRow{Number: number, Level: c.level, Orders: c.orders}
		if was := c.deltaSetting(); was != nil {
			var err error
			if row.Delta, err = d.deltaRow(nil, &deltaSetting{on: true, days: was.Days}, false); err != nil {
				return nil, err
			}
		}
		anew[1].Value = encodeRow(&row)
		return append(ops, anew...), nil
	}
	if _, had := s.notes.Get(notePermissions + in.name); had {
		ops = append(ops, noteOp(in.app, notePermissions+in.name, nil))
	}
	return ops, nil
}

// managed checks the name of a collection that is managed by its name: any
// valid one, and user, whose level may be set.
func managed(name string) error {
	if name == "user" {
		return nil
	}
	return validCollection(name)
}

func appendCollection(dst []byte, s *appState, c *collection) []byte {
	dst = document.AppendQuote(append(dst, `{"name":`...), c.name)
	dst = append(append(dst, `,"permissions":`...), s.permissions(c)...)
	return append(appendDelta(dst, c.deltaSetting()), '}')
}

// answerCollection shows a collection as it is after a change.
func (r *Request) answerCollection(status int, name string) error {
	s := r.app.view.Load()
	c := s.collection(name)
	if c == nil {
		return errCollectionNotFound // dropped meanwhile
	}
	return r.json(status, appendCollection(nil, s, c))
}

// internalOnly refuses a collection whose data would live elsewhere.
func internalOnly(doc document.Value) error {
	if v := doc.Get("dataLink"); v.Kind() != document.Missing && v.Kind() != document.Null {
		return fault(errConfiguration, "this server has no external collections: dataLink must be null")
	}
	return nil
}

func (e *Engine) listCollections(r *Request) error {
	body, counts := []byte{'['}, string(r.ctx.QueryArgs().Peek("counts")) == "true"
	r.view.collections.Scan(func(name string, c *collection) bool {
		if c.number == groupCollection {
			return true // groups have no level to set
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = appendCollection(body, r.view, c)
		if counts {
			body = appendCounts(body, c)
		}
		return true
	})
	return r.json(fasthttp.StatusOK, append(body, ']'))
}

// appendCounts adds to a collection what it holds.
func appendCounts(dst []byte, c *collection) []byte {
	o := jsonObject{b: dst[:len(dst)-1]}
	return o.text("level", c.level.String()).number("entities", int64(c.rows.len())).number("overrides", int64(c.overrides)).close()
}

func (e *Engine) getCollection(r *Request) error {
	if err := managed(r.param(0)); err != nil {
		return err
	}
	c := r.view.collection(r.param(0))
	if c == nil {
		return errCollectionNotFound
	}
	return r.json(fasthttp.StatusOK, appendCollection(nil, r.view, c))
}

// levelIn reads the permissions member; a collection without one is Shared.
func levelIn(doc document.Value, otherwise acl.Level) (acl.Level, error) {
	v := doc.Get("permissions")
	if v.Kind() == document.Missing || v.Kind() == document.Null {
		return otherwise, nil
	}
	if v.Kind() == document.String {
		if l, ok := acl.ParseLevel(v.Text()); ok {
			return l, nil
		}
	}
	return 0, fault(errOutOfRange, "permissions must be one of append-read, append-only, read-only and write")
}

// settingIn reads what a body says of a collection.
func (r *Request) settingIn(doc document.Value, name string) (*setCollection, error) {
	if err := internalOnly(doc); err != nil {
		return nil, err
	}
	level, text, err := permissionsIn(doc, acl.Shared)
	if err != nil {
		return nil, err
	}
	delta, err := deltaIn(doc)
	if err != nil {
		return nil, err
	}
	return &setCollection{app: r.app, by: r.actor(), name: name, level: level, text: text, delta: delta}, nil
}

func (e *Engine) createCollection(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	name := doc.Get("name")
	if name.Kind() != document.String {
		return fault(errIdentifier, "name must be a string")
	}
	if err := validCollection(name.Text()); err != nil {
		return err
	}
	in, err := r.settingIn(doc, name.Text())
	if err != nil {
		return err
	}
	in.insert = true
	if err := e.submitSetting(r.app, in); err != nil {
		return err
	}
	return r.answerCollection(fasthttp.StatusCreated, in.name)
}

func (e *Engine) putCollection(r *Request) error {
	name := r.param(0)
	if err := managed(name); err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	in, err := r.settingIn(doc, name)
	if err != nil {
		return err
	}
	if in.delta != nil && name == "user" {
		return fault(errOutOfRange, "delta set is not available for users")
	}
	permissions := doc.Get("permissions").Kind()
	in.keep = permissions == document.Missing || permissions == document.Null
	if err := e.submitSetting(r.app, in); err != nil {
		return err
	}
	return r.answerCollection(fasthttp.StatusOK, name)
}

func (e *Engine) deleteCollection(r *Request) error {
	name := r.param(0)
	if err := validCollection(name); err != nil {
		return err
	}
	if err := e.committer.submit(r.app, &dropCollection{app: r.app, by: r.actor(), name: name}); err != nil {
		return err
	}
	e.cleaner.nudge()
	return r.nothing()
}

package engine

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
	"postern/engine/store"
)

// A change of the _acl of many entities: of those that a query matches, in the order
// of their ids. It is made in batches, each of which is one commit with one line in
// the audit, so an end in between leaves whole batches. One request makes a bounded
// number of changes and says where to go on; what has the change already is left
// alone, so to ask again from the beginning does no harm either.

const (
	bulkBatch  = 256 // entities of one commit at most
	bulkLimit  = 1000
	mostAtOnce = 5000 // entities of one request
)

// A bulkChange is what is asked for.
type bulkChange struct {
	query      document.Value
	filter     *query.Filter
	acl.Change          // of each, or
	whole      *acl.ACL // what each is to have, nil: Change tells
	text       []byte   // of whole
	dryRun     bool
	after      string // entities with higher ids
	limit      int
	told       []byte // all of it, for the audit
}

// to makes the change to an entity, at a time. It returns nil when there is nothing
// to change.
func (b *bulkChange) to(a *app, old *entity, now int64) (*entity, error) {
	next, text, err := b.whole, []byte(nil), error(nil)
	if next == nil {
		if next, text, err = b.Apply(old.acl, old.aclText()); err != nil {
			return nil, fault(errTooLarge, "the _acl of %q would have more than %d names", old.id, acl.MaxPrincipals)
		}
	} else {
		own := *next
		own.Creator = acl.Creator(acl.Subject{Role: acl.RoleMaster}, a.key, old.acl, next)
		next, text = &own, acl.AppendText(nil, b.text, own.Creator)
	}
	if next.Equal(old.acl) {
		return nil, nil
	}
	e := newEntity(old.id, old.members(), old.pos, next, text, old.ect, max(now, old.lmt+1))
	if len(e.row) > maxRow {
		return nil, fault(errTooLarge, "%q with its _acl would have more than %d bytes", old.id, maxRow)
	}
	return e, nil
}

// changeACLs is one batch.
type changeACLs struct {
	app        *app
	asked      *Request
	subject    acl.Subject
	collection string
	change     *bulkChange
	seen       []*entity // as the query has matched them

	done             int         // how many of them had room in the commit
	matched, changed int         // of those
	before           *jsonObject // the _acl of those that change, by id
	untold           int         // how many of them have no room there
}

func (*changeACLs) summed() {}

// audit says what was asked for, and what there was before.
func (in *changeACLs) audit() auditLine {
	if in.untold > 0 {
		in.before.number("and more", int64(in.untold))
	}
	return auditLine{
		actor: in.asked.actor(), Act: "change _acl by query", App: in.app.key, Collection: in.collection, Count: int64(in.changed),
		Before: in.before.close(), After: in.change.told,
	}
}

// tell notes what an entity has for the audit.
func (in *changeACLs) tell(old *entity) {
	if len(in.before.b)+len(old.id)+len(old.aclText()) > maxAuditSide-1024 { // an id in JSON is longer
		in.untold++
		return
	}
	in.before.raw(old.id, string(old.aclText()))
}

// plan decides about each entity as it is by now. One that is gone, or that the query
// does not match any more, is left alone.
func (in *changeACLs) plan(d *draft) ([]store.Op, error) {
	subject, err := d.subject(in.app, in.subject)
	if err != nil {
		return nil, err
	}
	c := d.state(in.app).collection(in.collection)
	if c == nil {
		return nil, errCollectionNotFound
	}
	in.done, in.matched, in.changed = 0, 0, 0
	in.before, in.untold = new(jsonObject), 0
	var ops []store.Op
	size := 0
	meter := new(query.Meter)
	for _, seen := range in.seen {
		old, ok := c.rows.get(seen.id)
		if ok && (old.seq != seen.seq || old.index != seen.index) {
			if ok, err = meter.Match(in.change.filter, documentOf(old)); err != nil {
				return nil, err
			}
		}
		if !ok {
			in.done++
			continue
		}
		if _, err := decide(subject, c.level, old.acl, acl.ChangeACL); err != nil {
			return nil, err
		}
		e, err := in.change.to(in.app, old, d.now)
		if err != nil {
			return nil, err
		}
		if e != nil {
			op := store.Op{
				Key:   store.Key{App: in.app.number, Table: tableEntity, Collection: c.number, ID: e.id},
				Value: e.row, Before: old.grants(),
			}
			if size += op.Size(); size > groupBytes && len(ops) > 0 {
				break // the next batch begins here
			}
			ops = append(ops, op)
			in.changed++
			in.tell(old)
		}
		in.done++
		in.matched++
	}
	return ops, nil
}

// bulkACL changes the _acl of what a query matches, or tells what that would do.
func (e *Engine) bulkACL(r *Request) error {
	name := r.param(0)
	if err := validCollection(name); err != nil {
		return err
	}
	doc, err := r.bulkBody()
	if err != nil {
		return err
	}
	b, err := r.bulkChangeIn(doc)
	if err != nil {
		return err
	}
	c := r.view.collection(name)
	if c == nil {
		return errCollectionNotFound
	}
	found, more, err := r.bulkFound(c, b)
	if err != nil {
		return err
	}
	r.turn.leave() // others need not wait for what comes
	if b.dryRun {
		return r.bulkPreview(c, b, found)
	}
	for _, ent := range found { // nothing is done when something cannot be
		if _, err := b.to(r.app, ent, r.start); err != nil {
			return err
		}
	}
	o, matched, changed := new(jsonObject), 0, 0
	if more {
		o.text("next", found[len(found)-1].id)
	}
	for len(found) > 0 {
		in := &changeACLs{app: r.app, asked: r, subject: r.subject, collection: name, change: b, seen: found[:min(bulkBatch, len(found))]}
		if err := e.committer.submit(r.app, in); err != nil {
			return err
		}
		found, matched, changed = found[in.done:], matched+in.matched, changed+in.changed
	}
	return r.json(fasthttp.StatusOK, o.number("matched", int64(matched)).number("changed", int64(changed)).close())
}

// bulkBody is the body, which holds a query.
func (r *Request) bulkBody() (document.Value, error) {
	v, err := r.body(document.Query)
	if err != nil {
		return v, err
	}
	return asObject(v)
}

// bulkFound finds what is to be changed: for a dry run all of it, else the first of
// it, and whether there is more.
func (r *Request) bulkFound(c *collection, b *bulkChange) (found []*entity, more bool, err error) {
	q := &r.asked
	*q = query.Query{Filter: b.filter, Meter: r.meter()}
	if b.after != "" {
		if q.Filter, err = query.ParseFilter(behind(b.query, b.after)); err != nil {
			return nil, false, err
		}
	}
	if !b.dryRun {
		if q.Sort, err = r.e.sorts.get([]byte("_id"), query.ParseSort); err != nil {
			return nil, false, err
		}
		q.Page.Limit = b.limit + 1
	}
	err = r.find(c, r.plan(c, q), nil, func(doc document.Value) error {
		ent, ok := c.rows.get(doc.Get("_id").Text())
		if !ok {
			return errInternal
		}
		found = append(found, ent)
		return nil
	})
	if !b.dryRun && len(found) > b.limit {
		found, more = found[:b.limit], true
	}
	return found, more, err
}

// behind is a query for what q matches with a higher _id. At the top of it the order
// by _id can be used, and q's own members others.
func behind(q document.Value, after string) []byte {
	b := append(document.AppendQuote([]byte(`{"_id":{"$gt":`), after), '}')
	if q.Get("_id").Kind() != document.Missing {
		return append(append(append(b, `,"$and":[`...), q.Raw()...), "]}"...)
	}
	if members := q.Raw()[1 : len(q.Raw())-1]; len(bytes.TrimSpace(members)) > 0 {
		b = append(append(b, ','), members...)
	}
	return append(b, '}')
}

// bulkPreview answers what a change would do.
func (r *Request) bulkPreview(c *collection, b *bulkChange, found []*entity) error {
	w := newWhatIf(r.view, r.view.groups, r.view.groups)
	for _, ent := range found {
		next, err := b.to(r.app, ent, r.start)
		if err != nil {
			return err
		}
		if next != nil {
			w.entity(c.name, ent.id, side{c.level, ent.acl}, side{c.level, next.acl})
		}
	}
	o := new(jsonObject).number("matched", int64(len(found))).number("changed", int64(w.entities))
	return r.json(fasthttp.StatusOK, w.describe(o).close())
}

// bulkChangeIn reads what is asked for. A member that is not known is an error: a
// typing mistake must not change more than was meant.
func (r *Request) bulkChangeIn(doc document.Value) (*bulkChange, error) {
	b, err := &bulkChange{limit: bulkLimit}, error(nil)
	var change document.Value
	for key, v := range doc.Members() {
		switch kind := v.Kind(); {
		case key.TextIs("query") && kind == document.Object:
			b.query = v
		case key.TextIs("change") && kind == document.Object:
			change = v
		case key.TextIs("dryRun") && kind == document.Bool:
			b.dryRun = v.Bool()
		case key.TextIs("after") && kind == document.String:
			b.after = v.Text()
		case key.TextIs("limit") && kind == document.Number:
			if b.limit, err = strconv.Atoi(string(v.Raw())); err != nil || b.limit < 1 || b.limit > mostAtOnce {
				return nil, fault(errOutOfRange, "limit is a number from 1 to %d", mostAtOnce)
			}
		default:
			return nil, fault(errOutOfRange, "this has query and change, which are objects, dryRun, after and limit; and no %s like that", asSent(key))
		}
	}
	switch {
	case b.query.Kind() == document.Missing:
		return nil, errMissingQuery
	case change.Len() == 0:
		return nil, fault(errMissingParameter, "change says what is to become of each _acl")
	}
	b.told = new(jsonObject).raw("query", string(b.query.Raw())).raw("change", string(change.Raw())).close()
	if b.filter, err = query.ParseFilter(b.query.Raw()); err != nil {
		return nil, err
	}
	if whole := change.Get("acl"); whole.Kind() != document.Missing {
		if change.Len() > 1 || whole.Kind() != document.Object {
			return nil, fault(errOutOfRange, "acl is a whole _acl, and goes with no other change")
		}
		b.text = bytes.Clone(whole.Raw())
		b.whole, err = acl.Parse(b.text)
		return b, err
	}
	for key, v := range change.Members() {
		if err := r.readChange(&b.Change, key, v); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// readChange reads one member of a change.
func (r *Request) readChange(c *acl.Change, key, v document.Value) (err error) {
	object := v.Kind() == document.Object
	switch {
	case key.TextIs("gr"):
		c.OpenRead, err = switchIn(v)
	case key.TextIs("gw"):
		c.OpenWrite, err = switchIn(v)
	case key.TextIs("r") && object:
		c.Read, err = r.namesIn(v, r.userIn)
	case key.TextIs("w") && object:
		c.Write, err = r.namesIn(v, r.userIn)
	case key.TextIs("groups") && object:
		for key, v := range v.Members() {
			switch {
			case key.TextIs("r") && v.Kind() == document.Object:
				c.GroupRead, err = r.namesIn(v, r.groupIn)
			case key.TextIs("w") && v.Kind() == document.Object:
				c.GroupWrite, err = r.namesIn(v, r.groupIn)
			default:
				err = fault(errOutOfRange, `groups has r and w, each {"add":[...],"remove":[...]}`)
			}
			if err != nil {
				return err
			}
		}
	case key.TextIs("creator") && v.TextIs(r.app.key):
		c.Creator = r.app.key // what the master makes is the app's
	case key.TextIs("creator") && v.Kind() == document.String:
		id, there := r.userIn(v.Text())
		if !there {
			return fault(errOutOfRange, "there is no user %s", asSent(v))
		}
		c.Creator = id
	default:
		return fault(errOutOfRange, "a change has gr, gw, r, w, groups and creator, or acl; and no %s like that", asSent(key))
	}
	return err
}

// switchIn reads what a switch is to be: null lets the level decide again.
func switchIn(v document.Value) (*acl.Switch, error) {
	s := acl.Unset
	switch {
	case v.Kind() == document.Null:
	case v.Kind() != document.Bool:
		return nil, fault(errOutOfRange, "gr and gw are true, false or null, which is the collection's level")
	case v.Bool():
		s = acl.On
	default:
		s = acl.Off
	}
	return &s, nil
}

// namesIn reads names to add and to remove. Whom is added has to be there; what is
// removed may be long gone.
func (r *Request) namesIn(v document.Value, find func(string) (string, bool)) (n acl.Names, err error) {
	for key, list := range v.Members() {
		adds := key.TextIs("add")
		if !adds && !key.TextIs("remove") || list.Kind() != document.Array {
			return n, fault(errOutOfRange, "names are lists called add and remove")
		}
		for name := range list.Elements() {
			if name.Kind() != document.String || name.Text() == "" {
				return n, fault(errOutOfRange, "a name is a string")
			}
			id, there := find(name.Text())
			switch {
			case !adds:
				n.Remove = append(n.Remove, id)
			case !there:
				return n, fault(errOutOfRange, "there is no %s to add", asSent(name))
			default:
				n.Add = append(n.Add, id)
			}
		}
	}
	for _, id := range n.Add {
		if slices.Contains(n.Remove, id) {
			return n, fault(errOutOfRange, "%q is to be added and to be removed", id)
		}
	}
	return n, nil
}

// asSent is a text as an error repeats it.
func asSent(v document.Value) string { return strconv.Quote(plain(v.Text(), 100)) }

// userIn returns the id of a user who is named by it or by his name; of another text
// the text, which may be the id of somebody who is gone.
func (r *Request) userIn(text string) (id string, there bool) {
	if id, ok := r.view.userNamed(text); ok {
		return id, true
	}
	return text, false
}

func (r *Request) groupIn(id string) (string, bool) {
	_, ok := r.view.collection("group").rows.get(id)
	return id, ok
}

package engine

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

const (
	maxResults       = 10_000   // entities of one answer
	maxResponseBytes = 64 << 20 // of one answer
)

// entityBody is a document as a client sent it, taken apart.
type entityBody struct {
	id       string // "" when absent or null
	members  []byte // the document's own part, see newEntity; without an _id yet
	acl      *acl.ACL
	aclText  []byte
	ect, lmt int64 // from _kmd, for the master
}

// readEntity takes a document apart: what the server sets (_id, _acl, _kmd)
// and the rest, which is stored as it came. null is as good as absent for all
// three.
func readEntity(doc document.Value) (*entityBody, error) {
	b := &entityBody{members: make([]byte, 0, len(doc.Raw()))}
	for key, v := range doc.Members() {
		switch {
		case key.TextIs("_id"):
			id, err := readID(v)
			if err != nil {
				return nil, err
			}
			b.id = id
		case key.TextIs("_acl"):
			if err := b.readACL(v); err != nil {
				return nil, err
			}
		case key.TextIs("_kmd"):
			b.ect, b.lmt = timeOf(v.Get("ect")), timeOf(v.Get("lmt"))
		case key.TextIs("_geoloc"):
			if err := checkPoint(v); err != nil {
				return nil, err
			}
			b.appendMember(key, v)
		default:
			b.appendMember(key, v)
		}
	}
	return b, nil
}

// readACL reads an _acl; null is as good as none.
func (b *entityBody) readACL(v document.Value) error {
	a, err := acl.Parse(v.Raw())
	if err != nil || a == nil {
		return err
	}
	b.acl, b.aclText = a, append([]byte(nil), v.Raw()...)
	return nil
}

// readID reads an _id; null reads as "".
func readID(v document.Value) (string, error) {
	switch v.Kind() {
	case document.Null:
		return "", nil
	case document.String:
		return v.Text(), validID(v.Text())
	}
	return "", fault(errIdentifier, "_id must be a string")
}

func (b *entityBody) appendMember(key, v document.Value) {
	b.members = append(b.members, ',')
	b.members = append(b.members, key.Raw()...)
	b.members = append(b.members, ':')
	b.members = appendBare(b.members, v)
}

// withID returns the members with the _id in front.
func (b *entityBody) withID(id string) []byte {
	m := make([]byte, 0, len(b.members)+len(id)+16)
	m = append(m, `{"_id":`...)
	m = document.AppendQuote(m, id)
	return append(m, b.members...)
}

func timeOf(v document.Value) int64 {
	if v.Kind() != document.String {
		return 0
	}
	ms, _ := parseTime(v.Text())
	return ms
}

// checkPoint refuses a _geoloc that is no place on earth.
func checkPoint(v document.Value) error {
	if v.Kind() == document.Null {
		return nil
	}
	limits := [2]float64{180, 90}
	n := 0
	if v.Kind() == document.Array && v.Len() == 2 {
		for e := range v.Elements() {
			f, err := strconv.ParseFloat(string(e.Raw()), 64)
			if e.Kind() == document.Number && err == nil && -limits[n] <= f && f <= limits[n] {
				n++
				continue
			}
			break
		}
	}
	if n != 2 {
		return fault(errOutOfRange, "Geolocation points must be in the form [longitude, latitude] with long between -180 and 180, lat between -90 and 90")
	}
	return nil
}

// intentOf makes the intent of what a client sent as an entity.
func (r *Request) intentOf(collection, id string, b *entityBody, insert bool) *putEntity {
	in := &putEntity{
		app: r.app, asked: r, subject: r.subject, collection: collection, id: id,
		members: b.withID(id), sent: b.acl, sentText: b.aclText,
		insert: insert, overwrite: r.version < 5,
	}
	if r.subject.Role == acl.RoleMaster {
		in.ect, in.lmt = b.ect, b.lmt
	}
	return in
}

// put submits what a client sent as an entity of the collection.
func (r *Request) put(collection, id string, b *entityBody, insert bool) (*putEntity, error) {
	in := r.intentOf(collection, id, b, insert)
	err := r.e.committer.submit(r.app, in)
	r.verdict = in.verdict
	return in, err
}

// answerPut answers a create with 201 and a place, an update with 200.
func (r *Request) answerPut(in *putEntity, resource string, segments ...string) error {
	if in.created {
		r.location(resource, segments...)
		return r.immutable(fasthttp.StatusCreated, in.body)
	}
	return r.immutable(fasthttp.StatusOK, in.body)
}

func (e *Engine) createEntity(r *Request) error {
	name := r.param(0)
	if err := validCollection(name); err != nil {
		return err
	}
	v, err := r.body(document.Body)
	if err != nil {
		return err
	}
	if v.Kind() == document.Array {
		return e.createEntities(r, name, v)
	}
	doc, err := asObject(v)
	if err != nil {
		return err
	}
	if len(doc.Raw()) > e.config.MaxBody {
		return fault(errTooLarge, "a request body has at most %d bytes", e.config.MaxBody)
	}
	b, err := readEntity(doc)
	if err != nil {
		return err
	}
	id := b.id
	if id == "" {
		id = e.newID()
	}
	in, err := r.put(name, id, b, true)
	if err != nil {
		return err
	}
	return r.answerPut(in, "appdata", name, id)
}

func (e *Engine) putEntity(r *Request) error {
	name, id := r.param(0), r.param(1)
	if err := errors.Join(validCollection(name), validID(id)); err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	b, err := readEntity(doc)
	if err != nil {
		return err
	}
	in, err := r.put(name, id, b, false)
	if err != nil {
		return err
	}
	return r.answerPut(in, "appdata", name, id)
}

func (e *Engine) getEntity(r *Request) error {
	name, id := r.param(0), r.param(1)
	if err := errors.Join(validCollection(name), validID(id)); err != nil {
		return err
	}
	return r.get(r.view.collection(name), id)
}

// get answers with one entity of a collection or a group.
func (r *Request) get(c *collection, id string) error {
	if c == nil {
		return errEntityNotFound
	}
	body, grants, ok := c.rows.look(id, &r.grants)
	if !ok {
		return errEntityNotFound
	}
	if err := r.decide(c.level, grants, acl.Read); err != nil {
		if r.view.config.Options.HideUnreadable {
			return errEntityNotFound
		}
		return err
	}
	res, err := r.resolver()
	if err != nil {
		return err
	}
	if res != nil {
		if body, err = res.append(nil, document.Trusted(body)); err != nil {
			return err
		}
	}
	if r.wantsRights() {
		body = r.appendRights(nil, c.level, grants, document.Trusted(body))
	}
	return r.json(fasthttp.StatusOK, body)
}

func (e *Engine) deleteEntity(r *Request) error {
	name, id := r.param(0), r.param(1)
	if err := errors.Join(validCollection(name), validID(id)); err != nil {
		return err
	}
	return r.remove(name, id)
}

// remove deletes one entity of a collection or a group.
func (r *Request) remove(collection, id string) error {
	in := &deleteEntity{app: r.app, asked: r, subject: r.subject, collection: collection, id: id}
	err := r.e.committer.submit(r.app, in)
	if r.verdict = in.verdict; err != nil {
		return err
	}
	return r.count(1)
}

func (e *Engine) listEntities(r *Request) error {
	name := r.param(0)
	if err := validCollection(name); err != nil {
		return err
	}
	return r.list(r.view.collection(name))
}

var (
	errTooMany = fault(errResultSize, "Your query returned more than 10,000 results")
	errTooLong = fault(errResultSize, "Your query returned more than %d bytes", maxResponseBytes)
)

// list answers with the visible entities of a collection that match.
func (r *Request) list(c *collection) error {
	q, err := r.query()
	if err != nil {
		return err
	}
	capPage(q)
	res, err := r.resolver()
	if err != nil {
		return err
	}
	return r.answerList(c, q, nil, res, r.wantsRights())
}

// answerList answers with the visible entities of a collection that match q and that
// keep, if there is one, tells to keep.
func (r *Request) answerList(c *collection, q *query.Query, keep keeping, res *resolver, rights bool) error {
	whole := len(r.ctx.QueryArgs().Peek("fields")) == 0
	out := &r.ctx.Response
	r.ctx.SetStatusCode(fasthttp.StatusOK)
	out.AppendBodyString("[")
	n, size := 0, 0
	p := r.plan(c, q)
	if whole && keep == nil && res == nil && !rights {
		if done, err := r.copyPage(c, p, q); done {
			out.AppendBodyString("]")
			return err
		}
	}
	var projected, resolved, entitled []byte // used again for each
	err := r.find(c, p, keep, func(doc document.Value) error {
		if n == maxResults {
			return errTooMany
		}
		if n > 0 {
			out.AppendBodyString(",")
		}
		n++
		b := doc.Raw()
		if !whole {
			projected = q.Fields.Append(projected[:0], doc)
			b = projected
		}
		if res != nil {
			var err error
			if resolved, err = res.append(resolved[:0], document.Trusted(b)); err != nil {
				return err
			}
			b = resolved
		}
		if rights {
			ent, ok := c.rows.get(doc.Get("_id").Text())
			if !ok {
				return errInternal
			}
			entitled = r.appendRights(entitled[:0], c.level, ent.acl, document.Trusted(b))
			b = entitled
		}
		if size += len(b); size > maxResponseBytes {
			return errTooLong
		}
		out.AppendBody(b)
		return nil
	})
	if err != nil {
		return err
	}
	out.AppendBodyString("]")
	return nil
}

func (e *Engine) countEntities(r *Request) error {
	name := r.param(0)
	if err := validCollection(name); err != nil {
		return err
	}
	return r.countVisible(r.view.collection(name))
}

// capPage bounds the page: the one too many is an error, more need not be sorted.
func capPage(q *query.Query) {
	if q.Page.Limit == 0 || q.Page.Limit > maxResults {
		q.Page.Limit = maxResults + 1
	}
}

// countVisible answers with how many visible entities of a collection match.
func (r *Request) countVisible(c *collection) error {
	q, err := r.filter()
	if err != nil {
		return err
	}
	n, err := r.counted(c, q)
	if err != nil {
		return err
	}
	return r.count(n)
}

// deleteEntities removes what the requester may read and write and the query
// matches. Matching happens on a view, all of it before anything is removed, so
// that a query that is too expensive removes nothing; each entity is decided
// again when its turn in the committer comes, and one that was changed in
// between is matched again.
func (e *Engine) deleteEntities(r *Request) error {
	name := r.param(0)
	if err := validCollection(name); err != nil {
		return err
	}
	if len(r.ctx.QueryArgs().Peek("query")) == 0 {
		return errMissingQuery
	}
	q, err := r.filter()
	if err != nil {
		return err
	}
	removed := 0
	err = r.removeFound(func() ([]*entity, error) {
		c := r.view.collection(name)
		found, err := r.matching(c, q.Filter, r.meter())
		return slices.DeleteFunc(found, func(ent *entity) bool {
			return !acl.Decide(r.subject, c.level, ent.acl, acl.Write).Allowed
		}), err
	}, func(ent *entity) intent {
		return &deleteEntity{app: r.app, asked: r, subject: r.subject, collection: name, id: ent.id, seen: ent}
	}, func(*entity) { removed++ })
	if err != nil {
		return err
	}
	return r.count(removed)
}

// filter reads the query parameter alone, for what ignores order and window.
func (r *Request) filter() (*query.Query, error) {
	f, err := query.ParseFilter(r.ctx.QueryArgs().Peek("query"))
	if err != nil {
		return nil, err
	}
	r.asked = query.Query{Filter: f, Meter: r.meter()}
	return &r.asked, nil
}

// meter starts the budget of a query. Between its steps it lets other requests
// go on; what it waits for a turn is of its time.
func (r *Request) meter() *query.Meter {
	if most := r.e.config.QueryTime; most > 0 {
		r.until = r.e.config.Clock().Add(most)
	}
	r.meters.Reset(query.Budget{Rows: max(r.e.config.QueryRows, 0), Over: r.over})
	return &r.meters
}

func (r *Request) outOfTime() bool { return !r.turn.step(r.e.pacer, r.left) }

func (r *Request) timeLeft() time.Duration {
	if r.until.IsZero() {
		return math.MaxInt64
	}
	return r.until.Sub(r.e.config.Clock())
}

// query reads the parameters of a list request.
func (r *Request) query() (*query.Query, error) {
	q, err := r.filter()
	if err != nil {
		return nil, err
	}
	args := r.ctx.QueryArgs()
	if q.Sort, err = r.e.sorts.get(args.Peek("sort"), query.ParseSort); err != nil {
		return nil, err
	}
	if q.Page.Skip, err = natural("skip", args.Peek("skip")); err != nil {
		return nil, err
	}
	if q.Page.Limit, err = natural("limit", args.Peek("limit")); err != nil {
		return nil, err
	}
	if fields := args.Peek("fields"); len(fields) > 0 {
		q.Fields = query.ParseFields(string(fields))
	}
	return q, nil
}

// natural reads a parameter that is a decimal number from 0; absent is 0.
func natural(name string, text []byte) (int, error) {
	if len(text) == 0 {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return 0, fault(errOutOfRange, "%s must be a decimal number from 0", name)
	}
	return int(n), nil
}

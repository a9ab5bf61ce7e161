package engine

import (
	"bytes"
	"errors"
	"slices"
	"sort"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// A plan is how a query is answered: which of the orders of the collection is
// walked, which part of it, and what is left to do with each document. It is
// chosen by the query and by which orders there are, never by what the subject
// may not see.
type plan struct {
	by       string // one of the ways below
	order    int    // of the base
	from, to uint32 // positions in it

	late             *lateOrder
	lateFrom, lateTo int

	resort bool         // what is in the interval has yet to be put in the order of creation
	one    acl.Ordinal  // of byID
	rest   *query.Query // what is left: a filter, an order, the page
	want   query.Sort   // the order for want of which rows are looked at; none: there is nothing better
}

// The ways to answer a query.
const (
	byNothing  = "nothing"  // there is nothing that could match
	byOneID    = "id"       // one entity by its id
	byOrder    = "order"    // in an order of the base, no further than the page
	byInterval = "interval" // in a part of an order
	byScan     = "scan"     // through all that is visible
)

// plan chooses how q is answered from a collection.
func (c *collection) plan(q *query.Query) *plan {
	p := &plan{by: byNothing, rest: q}
	if c == nil {
		return p
	}
	k := c.rows
	if id, ok := q.Filter.ID(); ok {
		if i, ok := k.ordinal(id); ok {
			p.by, p.one = byOneID, i
		}
		return p
	}
	if q.Filter.Ordered() {
		return p.all(k, 0)
	}
	// An equality picks a part of the order that begins with its field.
	for _, e := range q.Filter.Equalities() {
		s, ok := e.Sort(q.Sort)
		if !ok {
			continue
		}
		if p.interval(k, q, s) {
			return p
		}
		if p.want.None() {
			p.want = s
		}
	}
	if order := k.base.orderNamed(q.Sort.Name()); order >= 0 {
		if q.Sort.None() || !p.interval(k, q, q.Sort) {
			if q.Sort.None() && p.ranged(k, q) {
				return p
			}
			p.all(k, order)
			if order > 0 {
				p.by, p.rest = byOrder, without(q, q.Filter)
			}
		}
		if p.rest.Filter == nil {
			p.want = query.Sort{} // every row is one that is asked for
		}
		return p
	}
	if p.want.None() {
		p.want = q.Sort
	}
	return p.all(k, 0)
}

// resortShare is of how many entities a range may have one to be put in the
// order of creation, rather than all being looked at in that order.
const resortShare = 8

// ranged answers from the part of an order that a range picks, when that is
// small: it has to be put in the order of creation.
func (p *plan) ranged(k *contents, q *query.Query) bool {
	s, ok := q.Filter.Ranged()
	if !ok {
		return false
	}
	if !p.interval(k, q, s) {
		if p.want.None() {
			p.want = s
		}
		return false
	}
	if int(p.to-p.from)+p.lateTo-p.lateFrom > k.live/resortShare {
		*p = plan{rest: q} // looking at all of them is better
		return false
	}
	p.resort = true
	return true
}

// without returns q with the filter that is left and no order to make.
func without(q *query.Query, left *query.Filter) *query.Query {
	rest := *q
	rest.Filter, rest.Sort = left, query.Sort{}
	return &rest
}

// all walks the whole of an order.
func (p *plan) all(k *contents, order int) *plan {
	p.by, p.order = byScan, order
	p.to = uint32(k.base.len())
	p.late = k.sorted(order)
	p.lateFrom, p.lateTo = 0, p.late.Len()
	return p
}

// interval walks the part of an order that the filter bounds. It reports false
// when there is no such order, or when the order does not know all that the
// filter asks for because there are arrays.
func (p *plan) interval(k *contents, q *query.Query, s query.Sort) bool {
	order := k.base.orderNamed(s.Name())
	if order < 0 {
		return false
	}
	span, left, ok := q.Filter.Span(s)
	if !ok {
		return false
	}
	o, late := k.base.orders[order], k.sorted(order)
	if o.bent > 0 || late.arrays() {
		return false
	}
	p.by, p.order, p.late, p.want = byInterval, order, late, query.Sort{}
	p.rest = without(q, left)
	var scratch []byte
	p.to, p.lateTo = uint32(k.base.len()), late.Len()
	if span.From != nil {
		p.from = k.base.before(o, span.From, 0, &scratch)
		p.lateFrom = k.lateBefore(late, o, span.From, &scratch)
	}
	if span.To != nil {
		p.to = max(p.from, k.base.before(o, span.To, 0, &scratch))
		p.lateTo = max(p.lateFrom, k.lateBefore(late, o, span.To, &scratch))
	}
	return true
}

// lateBefore returns where in an order of what is late a key begins.
func (k *contents) lateBefore(late *lateOrder, o *ordering, key []byte, scratch *[]byte) int {
	return sort.Search(late.Len(), func(i int) bool {
		_, at := late.At(i)
		*scratch = o.sort.AppendKey((*scratch)[:0], documentOf(k.late[at].e))
		return bytes.Compare(*scratch, key) >= 0
	})
}

// open begins to walk as planned. Nothing that the requester may not read comes
// out.
func (r *Request) open(c *collection, p *plan) *cursor {
	switch p.by {
	case byNothing:
		return new(cursor)
	case byOneID:
		return c.single(r.subject, p.one)
	}
	c.rows.base.orders[p.order].use(r.start)
	k := c.walk(r.subject, r.principals, p)
	if p.resort {
		k.inOrderOfCreation()
	}
	if !p.want.None() {
		k.watch = p.want
	}
	return k
}

// single is a walk that yields one entity, if the subject may read it.
func (c *collection) single(subject acl.Subject, i acl.Ordinal) *cursor {
	k := cursors.Get().(*cursor)
	k.rows, k.name, k.level, k.subject = c.rows, c.name, c.level, subject
	if c.rows.listed(i) && acl.Decide(subject, c.level, c.rows.at(i).acl, acl.Read).Allowed {
		k.buf[0], k.n = i, 1
	}
	return k
}

// listed tells whether anybody is to see an entity in lists.
func (k *contents) listed(i acl.Ordinal) bool {
	if n := acl.Ordinal(k.base.len()); i >= n {
		return k.late[i-n].listed
	}
	return k.base.orders[0].sets.Listed(i)
}

// inOrderOfCreation takes all that the walk yields and puts it in the order of
// creation.
func (k *cursor) inOrderOfCreation() {
	var all []acl.Ordinal
	for i, ok := k.ordinal(); ok; i, ok = k.ordinal() {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b acl.Ordinal) int { return int(k.rows.position(a)) - int(k.rows.position(b)) })
	k.gathered = all
}

// position returns the place of an entity in the order of creation.
func (k *contents) position(i acl.Ordinal) acl.Position {
	if n := acl.Ordinal(k.base.len()); i >= n {
		return k.late[i-n].e.pos
	}
	return k.base.rows.row(i).position()
}

// find answers a query from a collection as planned.
func (r *Request) find(c *collection, p *plan, emit func(document.Value) error) error {
	k := r.open(c, p)
	defer k.close()
	return r.watched(c, k, query.Run(p.rest, k, emit))
}

// copyPage appends to the answer what is left of q when it needs no look at the
// documents: they are copied as they are stored. It reports false when it does.
func (r *Request) copyPage(c *collection, p *plan, q *query.Query) (bool, error) {
	if p.rest.Filter != nil || !p.rest.Sort.None() || !p.want.None() {
		return false, nil
	}
	k := r.open(c, p)
	defer k.close()
	k.Skip(q.Page.Skip)
	out := &r.ctx.Response
	var found [pageBatch]acl.Ordinal
	var bodies [pageBatch][]byte
	size := 0
	for n := 0; n < q.Page.Limit; {
		some := k.ordinals(found[:min(pageBatch, q.Page.Limit-n)])
		if len(some) == 0 {
			break
		}
		k.rows.bodies(bodies[:], some)
		for _, b := range bodies[:len(some)] {
			if n == maxResults {
				return true, errTooMany
			}
			if n > 0 {
				out.AppendBodyString(",")
			}
			n++
			if size += len(b); size > maxResponseBytes {
				return true, errTooLong
			}
			out.AppendBody(b)
		}
	}
	return true, nil
}

// counted counts what matches q in a collection.
func (r *Request) counted(c *collection, q *query.Query) (int, error) {
	p := c.plan(q)
	k := r.open(c, p)
	defer k.close()
	n, err := query.Count(p.rest, k)
	return n, r.watched(c, k, err)
}

// watched notes what a query has looked at for want of an order, and tells the
// client of a query that was too expensive when that order is being made.
func (r *Request) watched(c *collection, k *cursor, err error) error {
	if k.watch.None() {
		return err
	}
	var e *query.Error
	dear := errors.As(err, &e) && e.TooExpensive
	if !c.uses.note(k.watch, k.seen, k.looked, k.present, dear, r.e.config.OrderAfter) {
		return err
	}
	r.e.indexer.nudge()
	if dear {
		return &query.Error{TooExpensive: true, Msg: e.Msg + "; an index for it is being made, ask again later"}
	}
	return err
}

package engine

import (
	"bytes"
	"sort"

	"postern/acl"
	"postern/engine/query"
)

// A plan is how a query is answered: which of the orders of the collection is
// walked, which parts of it, and what is left to do with each document. It is
// chosen by the query, by which orders there are, and by how much of what the
// subject sees is where; never by what he may not see.
type plan struct {
	by    string // one of the ways below
	order int    // of the base
	part         // of the order
	more  []part // others: together they are in the order of the query
	late  *lateOrder

	apart  bool          // the parts are without what is set aside, see aside; that is matched by itself,
	whole  *query.Filter // by all that is asked for
	sort   query.Sort    // the order of the query
	any    bool          // no order matters: they are counted
	resort bool          // what is in the parts has yet to be put in the order of creation

	one  acl.Ordinal  // of byOneID, or noOrdinal
	rest *query.Query // what is left: a filter, an order, the page
	left query.Query  // rest, when it is not the query

	want   query.Sort // the order for want of which rows are looked at; none: there is nothing better
	barred query.Sort // the order that would be wanted if it were not forbidden

	touched int // by the choice itself, see acl.Walk.Touched
}

// A part is an interval of an order.
type part struct {
	from, to         uint32 // positions in the base
	lateFrom, lateTo int    // places in what is late
}

// The ways to answer a query.
const (
	byNothing  = "nothing"  // there is nothing that could match
	byOneID    = "id"       // one entity by its id
	byOrder    = "order"    // in an order of the base, no further than the page
	byInterval = "interval" // in parts of an order
	byScan     = "scan"     // through all that is visible
)

const (
	// resortShare is of how much of what he sees a range may have one to be put
	// in the order of creation, rather than all being looked at in that order.
	resortShare = 8

	// Parts of an order are of no use to who sees more than asideFew that are
	// set aside, and more of them than one in asideShare of all.
	asideFew   = 64
	asideShare = 16
)

// plan chooses how a list is answered.
func (r *Request) plan(c *collection, q *query.Query) *plan {
	r.planned = plan{}
	return c.plan(&r.planned, r.principals, q, false)
}

// plan makes of the zero p how q is answered from a collection to who, and
// returns it. With any, the order does not matter.
func (c *collection) plan(p *plan, who acl.Principals, q *query.Query, any bool) *plan {
	p.by, p.rest, p.any = byNothing, q, any
	if c == nil {
		return p
	}
	k := c.rows
	if id, ok := q.Filter.ID(); ok {
		p.by, p.one = byOneID, noOrdinal
		if i, ok := k.ordinal(id); ok {
			p.one = i
		}
		return p
	}
	if q.Filter.Ordered() {
		return p.all(k, 0)
	}
	// An equality picks a part of the order that begins with its field.
	for _, s := range q.Filter.Pointed(q.Sort) {
		if p.interval(c, who, q, s) {
			return p
		}
	}
	order := k.base.orderNamed(q.Sort.Name())
	switch {
	case order < 0:
		p.wants(c, q.Sort)
		return p.all(k, 0)
	case q.Sort.None() && p.ranged(c, who, q), order > 0 && p.interval(c, who, q, q.Sort):
		return p
	}
	p.all(k, order)
	if order > 0 {
		p.by = byOrder
		p.leave(q, q.Filter)
	}
	if p.rest.Filter == nil {
		p.want = query.Sort{} // every row is one that is asked for
	}
	return p
}

// wants notes an order that there is not, and that would have helped.
func (p *plan) wants(c *collection, s query.Sort) {
	switch {
	case c.orders.forbids(s):
		if p.barred.None() {
			p.barred = s
		}
	case p.want.None():
		p.want = s
	}
}

// ranged answers from the part of an order that a range picks, when he sees
// little of it: it has to be put in the order of creation.
func (p *plan) ranged(c *collection, who acl.Principals, q *query.Query) bool {
	s, ok := q.Filter.Ranged()
	if !ok {
		return false
	}
	before := *p
	if !p.interval(c, who, q, s) {
		return false
	}
	if p.any {
		return true
	}
	in, all := 0, c.countAll(who, p)
	for _, at := range p.parts() {
		in += p.count(c.walk(who, p, at))
	}
	if in*resortShare > all {
		before.touched = p.touched
		*p = before // looking at all of them is better
		return false
	}
	p.resort = true
	return true
}

// parts are all parts of the order.
func (p *plan) parts() []part { return append([]part{p.part}, p.more...) }

// count counts what a walk yields, and ends it.
func (p *plan) count(w *acl.Walk) int {
	n := w.Count()
	p.touched += w.Touched()
	w.Close()
	return n
}

// countAll counts what who may read.
func (c *collection) countAll(who acl.Principals, p *plan) int {
	all := new(plan).all(c.rows, 0)
	return p.count(c.walk(who, all, all.part))
}

// leave makes what is left q with another filter and no order to make.
func (p *plan) leave(q *query.Query, filter *query.Filter) {
	p.left = *q
	p.left.Filter, p.left.Sort = filter, query.Sort{}
	p.rest = &p.left
}

// all walks the whole of an order.
func (p *plan) all(k *contents, order int) *plan {
	p.by, p.order = byScan, order
	p.late = k.sorted(order)
	p.part = part{to: uint32(k.base.len()), lateTo: p.late.Len()}
	return p
}

// interval walks the parts of an order that the filter bounds. It reports false
// when there is no such order, which is noted, or when he sees too much that is
// set aside from it.
func (p *plan) interval(c *collection, who acl.Principals, q *query.Query, s query.Sort) bool {
	k := c.rows
	order := k.base.orderNamed(s.Name())
	if order < 0 {
		p.wants(c, s)
		return false
	}
	spans, left, ok := q.Filter.Spans(s)
	if !ok {
		return false
	}
	o, late := k.base.orders[order], k.sorted(order)
	apart := 0
	if k.hasAside(order, late) {
		apart = p.count(c.walkAside(who, order, late))
		if apart > asideFew && apart*asideShare > c.countAll(who, p) {
			return false
		}
	}
	p.by, p.order, p.late, p.want, p.barred = byInterval, order, late, query.Sort{}, query.Sort{}
	p.leave(q, left)
	p.sort = q.Sort
	p.apart, p.whole = apart > 0, q.Filter
	p.part = part{}
	if len(spans) == 0 && apart == 0 {
		p.by = byNothing // conditions exclude each other
	}
	var scratch []byte
	for i, span := range spans {
		at := part{to: uint32(k.base.len()), lateTo: late.Len()}
		if span.From != nil {
			at.from = k.base.before(o, span.From, 0, &scratch)
			at.lateFrom = k.lateBefore(late, o, span.From, &scratch)
		}
		if span.To != nil {
			at.to = max(at.from, k.base.before(o, span.To, 0, &scratch))
			at.lateTo = max(at.lateFrom, k.lateBefore(late, o, span.To, &scratch))
		}
		if i == 0 {
			p.part = at
		} else {
			p.more = append(p.more, at)
		}
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

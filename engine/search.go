package engine

import (
	"cmp"
	"errors"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// open begins to walk as planned. Nothing that the requester may not read comes
// out. What has to be looked at before the first can come out is paid from the
// meter of what is left; the error is a spent budget.
func (r *Request) open(c *collection, p *plan) (*cursor, error) {
	switch p.by {
	case byNothing:
		return new(cursor), nil
	case byOneID:
		return c.single(r.subject, p.one), nil
	}
	k := c.cursor(r.subject)
	if !p.want.None() {
		k.watch = p.want
	}
	k.meter = p.rest.Meter
	err := k.begin(c, p, r.principals)
	return k, err
}

// begin sets the cursor to the first of what is planned.
func (k *cursor) begin(c *collection, p *plan, who acl.Principals) error {
	var apart []acl.Ordinal
	if p.apart {
		var err error
		at := func(i acl.Ordinal) acl.Ordinal { return k.rows.asideOrdinal(p.order, i) }
		if apart, err = k.gather(nil, c.walkAside(who, p.order, p.late), at, p.whole); err != nil {
			return err
		}
	}
	if p.resort {
		for _, at := range p.parts() {
			var err error
			same := func(i acl.Ordinal) acl.Ordinal { return i }
			if apart, err = k.gather(apart, c.walk(who, p, at), same, p.rest.Filter); err != nil {
				return err
			}
		}
		p.rest.Filter, p.rest.Meter = nil, nil // they are matched, and paid for
		k.gathered = apart
		return query.SortAll(k.meter, apart, func(a, b acl.Ordinal) int {
			return cmp.Compare(k.rows.position(a), k.rows.position(b))
		})
	}
	k.stream = c.walk(who, p, p.part)
	if len(p.more) == 0 && len(apart) == 0 {
		return nil
	}
	// Several, each in the order of the query.
	m := &merge{rows: k.rows, sort: p.sort, any: p.any, meter: k.meter}
	m.add(lane{stream: k.stream})
	k.stream, k.merge = nil, m
	for _, at := range p.more {
		m.add(lane{stream: c.walk(who, p, at)})
	}
	if len(apart) > 0 {
		if err := m.sorted(apart); err != nil {
			return err
		}
		m.add(lane{ready: apart})
	}
	return nil
}

// gather appends what of a walk matches, and ends the walk. at leads from what
// the walk yields to ordinals.
func (k *cursor) gather(dst []acl.Ordinal, w *acl.Walk, at func(acl.Ordinal) acl.Ordinal, f *query.Filter) ([]acl.Ordinal, error) {
	defer func() {
		k.touched += w.Touched()
		w.Close()
	}()
	var buf [64]acl.Ordinal
	for n := w.Next(buf[:]); n > 0; n = w.Next(buf[:]) {
		for _, i := range buf[:n] {
			i = at(i)
			k.certain(i)
			matched, err := k.meter.Match(f, document.Trusted(k.rows.body(i)))
			if err != nil {
				return dst, err
			}
			if matched {
				dst = append(dst, i)
			}
		}
	}
	return dst, nil
}

// single is a walk that yields one entity, if there is one and the subject may
// read it.
func (c *collection) single(subject acl.Subject, i acl.Ordinal) *cursor {
	k := c.cursor(subject)
	if i != noOrdinal && c.rows.listed(i) && acl.Decide(subject, c.level, c.rows.at(i).acl, acl.Read).Allowed {
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

// position returns the place of an entity in the order of creation.
func (k *contents) position(i acl.Ordinal) acl.Position {
	if n := acl.Ordinal(k.base.len()); i >= n {
		return k.late[i-n].e.pos
	}
	return k.base.rows.row(i).position()
}

// find answers a query from a collection as planned, of what keep leaves of it; nil
// leaves all.
func (r *Request) find(c *collection, p *plan, keep keeping, emit func(document.Value) error) error {
	k, err := r.open(c, p)
	defer k.close()
	switch {
	case err != nil:
	case keep != nil:
		return r.kept(k, keep).run(p.rest, emit)
	default:
		err = k.run(p.rest, emit)
	}
	return r.watched(c, p, k, err)
}

// run is query.Run of what is left.
func (k *cursor) run(q *query.Query, emit func(document.Value) error) error {
	if err := query.Run(q, k, emit); err != nil {
		return err
	}
	return k.failed()
}

// copies tells whether what is left needs no look at the documents.
func (p *plan) copies() bool {
	return p.rest.Filter == nil && p.rest.Sort.None() && p.want.None()
}

// copyPage appends to the answer what is left of q when it needs no look at the
// documents: they are copied as they are stored. It reports false when it does.
func (r *Request) copyPage(c *collection, p *plan, q *query.Query) (bool, error) {
	if !p.copies() {
		return false, nil
	}
	k, err := r.open(c, p)
	defer k.close()
	if err != nil {
		return true, r.watched(c, p, k, err)
	}
	body := r.ctx.Response.SwapBody(nil) // its buffer, with what is there already
	body, _, err = k.appendPage(body, q.Page)
	r.ctx.Response.SwapBody(body)
	return true, r.watched(c, p, k, err)
}

// appendPage appends the bodies of a page with commas between them, and returns
// how many those were: one more than an answer may have when they are too many.
func (k *cursor) appendPage(dst []byte, page query.Page) (_ []byte, n int, err error) {
	k.Skip(page.Skip)
	var found [pageBatch]acl.Ordinal
	var bodies [pageBatch][]byte
	for n < page.Limit {
		some := k.ordinals(found[:min(pageBatch, page.Limit-n)])
		if len(some) == 0 {
			break
		}
		if n+len(some) > maxResults {
			return dst, maxResults + 1, errTooMany
		}
		k.rows.bodies(bodies[:], some)
		for _, b := range bodies[:len(some)] {
			if len(dst)+len(b) > maxResponseBytes {
				return dst, n, errTooLong
			}
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, b...)
			n++
		}
	}
	return dst, n, k.failed()
}

// counted counts what matches q in a collection.
func (r *Request) counted(c *collection, q *query.Query) (int, error) {
	r.planned = plan{}
	p := c.plan(&r.planned, r.principals, q, true)
	k, err := r.open(c, p)
	defer k.close()
	n := 0
	if err == nil {
		n, err = query.Count(p.rest, k)
	}
	return n, r.watched(c, p, k, err)
}

// watched notes which order has answered a query and what it has looked at for
// want of another one, and tells the client of a query that was too expensive
// when that order is being made.
func (r *Request) watched(c *collection, p *plan, k *cursor, err error) error {
	if p.by == byOrder || p.by == byInterval {
		c.uses.served(c.rows.base.orders[p.order].name, r.start)
	}
	if k.watch.None() {
		return err
	}
	var e *query.Error
	dear := errors.As(err, &e) && e.TooExpensive
	seen := look{want: k.watch, rows: k.seen, looked: k.looked, present: k.present, dear: dear}
	if !c.uses.note(c, seen, r.e.config.OrderAfter, r.start) {
		return err
	}
	r.e.indexer.nudge()
	if dear {
		return &query.Error{TooExpensive: true, Msg: e.Msg + "; an index for it is being made, ask again later"}
	}
	return err
}

package engine

import (
	"errors"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// explainQuery tells how a list is answered to the master, or to the user that
// is named: it plans and runs the query as a list does, and counts. The answer
// itself is not shown, its length is not bounded, and what was looked at is not
// taken for a wish for an order.
func (e *Engine) explainQuery(r *Request) error {
	c, err := r.managedCollection()
	if err != nil {
		return err
	}
	q, err := r.query()
	if err != nil {
		return err
	}
	answer := &jsonObject{b: []byte{'{'}}
	if as := string(r.ctx.QueryArgs().Peek("user")); as != "" {
		id, ok := r.view.names.Get(as)
		if _, byID := r.view.accounts.Get(as); byID {
			id, ok = as, true
		}
		if !ok {
			return errUserNotFound
		}
		r.subject, r.principals = r.view.subject(id)
		answer.member("user", document.AppendQuote(nil, id))
	} else {
		r.subject = acl.Subject{Role: acl.RoleMaster}
		r.principals = acl.PrincipalsOf(r.subject)
	}
	capPage(q)
	p := r.plan(c, q)
	answer.member("plan", r.describePlan(c, p, q))
	answer.member("run", r.tryPlan(c, p, q))
	return r.json(fasthttp.StatusOK, answer.close())
}

// describePlan tells what was chosen.
func (r *Request) describePlan(c *collection, p *plan, q *query.Query) []byte {
	o := new(jsonObject).text("by", p.by)
	switch p.by {
	case byOrder, byInterval, byScan:
		name := c.rows.base.orders[p.order].name
		if name == "" {
			name = "creation"
		}
		o.text("order", name)
		var parts [][]byte
		for _, at := range p.parts() {
			parts = append(parts, new(jsonObject).number("from", int64(at.from)).number("to", int64(at.to)).
				number("late", int64(at.lateTo-at.lateFrom)).close())
		}
		o.raw("parts", string(jsonList(parts))).flag("arraysApart", p.apart).flag("resort", p.resort)
	}
	o.texts("filter", p.rest.Filter.Conditions())
	if s := p.rest.Sort; !s.None() {
		o.text("sort", s.Name())
	}
	want := p.want
	if want.None() {
		want = p.barred
	}
	if !want.None() {
		c.uses.mu.Lock()
		defer c.uses.mu.Unlock()
		o.raw("want", string(new(jsonObject).text("sort", want.Name()).text("state", c.uses.orderState(c, want)).close()))
	}
	return o.close()
}

// tryPlan runs what was chosen and tells what that took.
func (r *Request) tryPlan(c *collection, p *plan, q *query.Query) []byte {
	copied, returned := p.copies(), 0
	k, err := r.open(c, p)
	defer k.close()
	switch {
	case err != nil:
	case copied:
		_, returned, err = k.appendPage(nil, q.Page)
	default:
		err = k.run(p.rest, func(document.Value) error { returned++; return nil })
	}
	rows, met := q.Meter.Spent()
	if copied && !p.resort {
		rows, met = rows+returned, met+returned
	}
	o := new(jsonObject).number("rows", int64(rows)).number("matched", int64(met)).
		number("touched", int64(p.touched+k.work())).number("returned", int64(min(returned, maxResults)))
	if err == nil && returned > maxResults {
		err = errTooMany
	}
	var dear *query.Error
	o.flag("spent", errors.As(err, &dear) && dear.TooExpensive)
	if err != nil {
		o.text("error", reasonOf(err))
	}
	return o.close()
}

package engine

import (
	"sync"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// An identity is a user as the permissions see him: the groups he is in and
// the principals the index knows him by. It holds for one value of the app's
// groups. It must not be kept by a Seq: several groups may change in one record,
// and the user may be decided about in between.
type identity struct {
	groups     *acl.Groups
	member     *acl.Membership
	principals acl.Principals
}

// subject returns who the user is as of this view. The membership is computed
// once for every change of any group and kept beside the account.
func (s *appState) subject(user string) (acl.Subject, acl.Principals) {
	a, ok := s.accounts.Get(user)
	if !ok {
		return acl.Subject{}, acl.Principals{}
	}
	id := a.identity.Load()
	if id == nil || id.groups != s.groups {
		m := s.groups.Of(user)
		id = &identity{
			groups:     s.groups,
			member:     m,
			principals: acl.PrincipalsOf(acl.Subject{Role: acl.RoleUser, ID: user, Member: m}),
		}
		a.identity.Store(id)
	}
	return acl.Subject{Role: acl.RoleUser, ID: user, Member: id.member}, id.principals
}

// visible is the one stream of entities that lists, counts and deletes read:
// what the subject may read of the collection, in the order of creation.
// Nothing that he may not read ever enters it.
func (c *collection) visible(subject acl.Subject, p acl.Principals) *cursor {
	if c == nil {
		return new(cursor)
	}
	k := c.cursor(subject)
	all := new(plan).all(c.rows, 0)
	k.stream = c.walk(p, all, all.part)
	return k
}

// cursor returns a cursor that has nowhere to go yet.
func (c *collection) cursor(subject acl.Subject) *cursor {
	k := cursors.Get().(*cursor)
	k.rows, k.name, k.level, k.subject = c.rows, c.name, c.level, subject
	return k
}

// walk is what who may read of a part of an order, as planned.
func (c *collection) walk(who acl.Principals, p *plan, at part) *acl.Walk {
	k := c.rows
	scope := acl.Scope{
		Who: who, Level: c.level, Order: k.base.orders[p.order].sets, Dead: k.dead[p.order],
		From: at.from, To: at.to, Late: p.late, LateFrom: at.lateFrom, LateTo: at.lateTo,
		Recent: k.recent, RecentTo: acl.Ordinal(len(k.late)),
	}
	if p.apart {
		scope.Late = plainLate{p.late}
		if k.base.orders[p.order].aside != nil {
			scope.Dead = k.notPlain[p.order]
		}
	}
	return acl.NewWalk(scope)
}

// walkAside walks what of an order is set aside and the subject may read. What
// it yields is for asideOrdinal.
func (c *collection) walkAside(who acl.Principals, order int, late *lateOrder) *acl.Walk {
	k := c.rows
	scope := acl.Scope{Who: who, Level: c.level, Late: bentLate{late}, LateTo: len(late.bent),
		Recent: k.recent, RecentTo: acl.Ordinal(len(k.late))}
	if of := k.base.orders[order]; of.aside != nil {
		scope.Order, scope.Dead, scope.To = of.aside.acl.Natural(), k.deadAside[order], uint32(len(of.bent))
	}
	return acl.NewWalk(scope)
}

// A cursor walks the visible entities of a collection. It is a query.Source.
// Cursors are pooled: close gives one back.
type cursor struct {
	rows     *contents
	stream   *acl.Walk // nil: a collection that does not exist, or the end
	buf      [64]acl.Ordinal
	at, n    int
	gathered []acl.Ordinal // comes after buf and instead of stream
	merge    *merge        // instead of both
	meter    *query.Meter  // of looks that the query does not pay for itself
	err      error         // of those
	touched  int           // by walks that are over
	name     string        // of the collection,
	level    acl.Level     // its level
	subject  acl.Subject   // and who asks, for the check under the invariants build tag

	// What is looked at for want of an order, see uses.
	watch                 query.Sort
	seen, looked, present int
}

// watchEach is of how many rows one is looked into.
const watchEach = 16

var _ query.Source = (*cursor)(nil)

var cursors = sync.Pool{New: func() any { return new(cursor) }}

// close ends the walk. What it has yielded stays valid.
func (k *cursor) close() {
	if k.rows == nil {
		return
	}
	k.end()
	if k.merge != nil {
		k.merge.close()
	}
	*k = cursor{}
	cursors.Put(k)
}

func (k *cursor) end() {
	if k.stream != nil {
		k.touched += k.stream.Touched()
		k.stream.Close()
		k.stream = nil
	}
}

// failed returns what has ended the walk early.
func (k *cursor) failed() error { return k.err }

// work returns how many grants, words and late entities were touched.
func (k *cursor) work() int {
	n := k.touched
	if k.stream != nil {
		n += k.stream.Touched()
	}
	if k.merge != nil {
		n += k.merge.touched
		for _, l := range k.merge.lanes {
			if l.stream != nil {
				n += l.stream.Touched()
			}
		}
	}
	return n
}

// certain has Decide confirm that an entity may be shown, under the invariants
// build tag.
func (k *cursor) certain(i acl.Ordinal) {
	if invariants && !acl.Decide(k.subject, k.level, k.rows.at(i).acl, acl.Read).Allowed {
		panic("the index of " + k.name + " grants what Decide denies (I6)")
	}
}

// ordinal returns the next visible one.
func (k *cursor) ordinal() (acl.Ordinal, bool) {
	if k.at == k.n {
		if len(k.gathered) > 0 {
			k.at, k.n = 0, copy(k.buf[:], k.gathered)
			k.gathered = k.gathered[k.n:]
			return k.ordinal()
		}
		if k.merge != nil {
			i, ok := k.merge.next()
			if ok {
				k.certain(i)
			}
			return i, ok
		}
		if k.stream == nil {
			return 0, false
		}
		if k.at, k.n = 0, k.stream.Next(k.buf[:]); k.n == 0 {
			k.end()
			return 0, false
		}
	}
	i := k.buf[k.at]
	k.at++
	k.certain(i)
	return i, true
}

// ordinals fills buf with the next visible ones and returns what it has filled.
func (k *cursor) ordinals(buf []acl.Ordinal) []acl.Ordinal {
	n := 0
	for n < len(buf) {
		i, ok := k.ordinal()
		if !ok {
			break
		}
		buf[n] = i
		n++
		some := copy(buf[n:], k.buf[k.at:k.n]) // what has come with it
		for _, i := range buf[n : n+some] {
			k.certain(i)
		}
		n, k.at = n+some, k.at+some
	}
	return buf[:n]
}

// next returns the next visible entity.
func (k *cursor) next() (*entity, bool) {
	i, ok := k.ordinal()
	if !ok {
		return nil, false
	}
	return k.rows.at(i), true
}

// Next returns the next visible document; it borrows from the view.
func (k *cursor) Next() (document.Value, bool) {
	i, ok := k.ordinal()
	if !ok {
		return document.Value{}, false
	}
	doc := document.Trusted(k.rows.body(i))
	if !k.watch.None() {
		if k.seen%watchEach == 0 {
			k.looked++
			if k.watch.Leads(doc) {
				k.present++
			}
		}
		k.seen++
	}
	return doc, true
}

// Skip passes over n visible entities and returns how many there were.
func (k *cursor) Skip(n int) int {
	done := max(min(n, k.n-k.at), 0)
	k.at += done
	if more := min(n-done, len(k.gathered)); more > 0 {
		k.gathered = k.gathered[more:]
		done += more
	}
	if done < n && k.stream != nil {
		done += k.stream.Skip(n - done)
	}
	if k.merge != nil {
		done += k.skipMerged(n - done)
	}
	return done
}

// skipMerged passes over n of what has to be looked at to be in order.
func (k *cursor) skipMerged(n int) int {
	for done := range n {
		i, ok := k.merge.next()
		if !ok {
			return done
		}
		if k.err = k.meter.Look(document.Trusted(k.rows.body(i))); k.err != nil {
			k.merge.close()
			return done
		}
	}
	return n
}

// Count returns how many are left.
func (k *cursor) Count() int {
	n := k.n - k.at + len(k.gathered)
	if k.stream != nil {
		n += k.stream.Count()
	}
	if k.merge != nil {
		n += k.merge.count()
	}
	return n
}

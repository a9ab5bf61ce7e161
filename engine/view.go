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
	return c.walk(subject, p, new(plan).all(c.rows, 0))
}

// walk is visible as planned: in one of the orders of the base, and of a part
// of it.
func (c *collection) walk(subject acl.Subject, who acl.Principals, p *plan) *cursor {
	k := cursors.Get().(*cursor)
	k.rows, k.name, k.level, k.subject = c.rows, c.name, c.level, subject
	k.stream = acl.NewWalk(acl.Scope{
		Who: who, Level: c.level, Order: c.rows.base.orders[p.order].sets, Dead: c.rows.dead[p.order],
		From: p.from, To: p.to, Late: p.late, LateFrom: p.lateFrom, LateTo: p.lateTo,
		Recent: c.rows.recent, RecentTo: acl.Ordinal(len(c.rows.late)),
	})
	return k
}

// A cursor walks the visible entities of a collection. It is a query.Source.
// Cursors are pooled: close gives one back.
type cursor struct {
	rows     *contents
	stream   *acl.Walk // nil: a collection that does not exist, or the end
	buf      [64]acl.Ordinal
	at, n    int
	gathered []acl.Ordinal // comes after buf and instead of stream
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
	*k = cursor{}
	cursors.Put(k)
}

func (k *cursor) end() {
	if k.stream != nil {
		k.stream.Close()
		k.stream = nil
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
	if invariants && !acl.Decide(k.subject, k.level, k.rows.at(i).acl, acl.Read).Allowed {
		panic("the index of " + k.name + " grants what Decide denies (I6)")
	}
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
	return done
}

// Count returns how many are left.
func (k *cursor) Count() int {
	n := k.n - k.at + len(k.gathered)
	if k.stream != nil {
		n += k.stream.Count()
	}
	return n
}

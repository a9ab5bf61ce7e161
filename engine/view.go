package engine

import (
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
	k := &cursor{c: c, subject: subject}
	if c != nil {
		k.stream = c.index.Visible(p, c.level, nil)
	}
	return k
}

// A cursor walks the visible entities of a collection. It is a query.Source.
type cursor struct {
	c       *collection
	subject acl.Subject // for the check under the invariants build tag
	stream  acl.Stream  // nil: a collection that does not exist
	buf     [64]acl.Position
	at, n   int
}

var _ query.Source = (*cursor)(nil)

// next returns the next visible entity.
func (k *cursor) next() (*entity, bool) {
	for {
		if k.at == k.n {
			if k.stream == nil {
				return nil, false
			}
			if k.at, k.n = 0, k.stream.Next(k.buf[:]); k.n == 0 {
				k.stream = nil
				return nil, false
			}
		}
		e, ok := k.c.byPos.Get(k.buf[k.at])
		k.at++
		if invariants && (!ok || !acl.Decide(k.subject, k.c.level, e.acl, acl.Read).Allowed) {
			panic("the index of " + k.c.name + " grants what Decide denies (I6)")
		}
		if ok {
			return e, true
		}
	}
}

// Next returns the next visible document; it borrows from the view.
func (k *cursor) Next() (document.Value, bool) {
	e, ok := k.next()
	if !ok {
		return document.Value{}, false
	}
	return documentOf(e), true
}

// Skip passes over n visible entities and returns how many there were.
func (k *cursor) Skip(n int) int {
	done := min(n, k.n-k.at)
	k.at += done
	if done < n && k.stream != nil {
		done += k.stream.Skip(n - done)
	}
	return done
}

// Count returns how many are left.
func (k *cursor) Count() int {
	if k.stream == nil {
		return k.n - k.at
	}
	return k.n - k.at + k.stream.Count()
}

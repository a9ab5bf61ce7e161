package acl

import (
	"fmt"
	"slices"
	"sort"
	"testing"

	"postern/acl/oracle"
)

// A pair is the same subject for the oracle and for package
type pair struct {
	who     oracle.Who
	subject Subject
}

func (w *world) everybody() []pair {
	all := []pair{
		{oracle.Who{}, Subject{}},
		{oracle.Who{Role: oracle.Master}, Subject{Role: RoleMaster}},
		{oracle.Who{Role: oracle.User}, Subject{Role: RoleUser}},
	}
	for _, id := range append([]string{"stranger"}, oracleNames...) {
		all = append(all,
			pair{oracle.Who{Role: oracle.User, ID: id}, Subject{Role: RoleUser, ID: id, Member: w.aclGroups.Of(id)}},
			pair{oracle.Who{Role: oracle.App, ID: id}, Subject{Role: RoleApp, ID: id}},
		)
	}
	all = append(all, pair{oracle.Who{Role: oracle.Master, ID: "a"}, Subject{Role: RoleMaster, ID: "a"}})
	return all
}

func (w *world) check(t *testing.T, m moment) {
	t.Helper()
	w.checkMembership(t)
	for _, p := range w.everybody() {
		w.checkDecide(t, p, m)
		w.checkWalk(t, p, m)
	}
}

func (w *world) checkMembership(t *testing.T) {
	t.Helper()
	for _, user := range append([]string{"stranger"}, oracleNames...) {
		var want []string
		for g := range w.groups {
			if w.groups.Contains(g, user) {
				want = append(want, g)
			}
		}
		sort.Strings(want)
		member := w.aclGroups.Of(user)
		if got := member.IDs(); !slices.Equal(got, want) {
			w.fail(t, "groups of %s = %q; want %q", user, got, want)
		}
		for _, g := range oracleNames {
			if got, want := member.Has(g), w.groups.Contains(g, user); got != want {
				w.fail(t, "%s in group %s = %t; want %t", user, g, got, want)
			}
			if member.Has(g) {
				w.checkPath(t, user, g, member.Path(g))
			}
		}
	}
}

// checkPath fails unless path leads from the group down to one that names the
// user, or everybody, itself.
func (w *world) checkPath(t *testing.T, user, group string, path []string) {
	t.Helper()
	bad := len(path) == 0 || path[0] != group
	for i := 0; !bad && i+1 < len(path); i++ {
		bad = !slices.Contains(w.groups[path[i]].Groups, path[i+1])
	}
	if !bad {
		last := w.groups[path[len(path)-1]]
		bad = !last.All && !slices.Contains(last.Users, user)
	}
	if bad {
		w.fail(t, "path from group %s to user %s = %q; that leads nowhere", group, user, path)
	}
}

func (w *world) checkDecide(t *testing.T, p pair, m moment) {
	t.Helper()
	same := func(what string, d Decision, want bool) {
		t.Helper()
		if d.Allowed != want {
			w.fail(t, "%+v, %s, level %s: %v; want %t", p.who, what, w.level, d, want)
		}
		if d.Rule == "" || d.Reason == "" {
			w.fail(t, "%+v, %s, level %s: %+v does not say why", p.who, what, w.level, d)
		}
		if n := len(d.Group()); n > 0 && (!d.Allowed || p.who.Role != oracle.User) {
			w.fail(t, "%+v, %s: %+v names a group path", p.who, what, d)
		} else if n > 0 {
			w.checkPath(t, p.who.ID, d.Group()[0], d.Group())
		}
	}
	same("create", Decide(p.subject, w.aclLevel, nil, Create),
		oracle.May(p.who, w.level, w.groups, nil, oracle.Create))
	rights := []struct {
		theirs Right
		ours   oracle.Right
	}{{Read, oracle.Read}, {Write, oracle.Write}, {ChangeACL, oracle.ChangeACL}}
	for i, e := range m.entities {
		if e == nil {
			continue
		}
		for _, right := range rights {
			same(fmt.Sprintf("%s %+v", right.ours, *e),
				Decide(p.subject, w.aclLevel, m.acls[i], right.theirs),
				oracle.May(p.who, w.level, w.groups, e, right.ours))
		}
		if d := Decide(p.subject, w.aclLevel, m.acls[i], Right(0)); d.Allowed {
			w.fail(t, "%+v: the zero right is allowed: %v", p.who, d)
		}
		sent := w.randomACL()
		for _, sent := range []*oracle.ACL{nil, sent} {
			var theirs *ACL
			if sent != nil {
				theirs = toACL(sent)
			}
			got, _ := Amend(p.subject, w.aclLevel, m.acls[i], theirs)
			if want := oracle.StoresSent(p.who, e, sent); got != want {
				w.fail(t, "%+v, Amend(%+v, %+v) = %t; want %t", p.who, *e, sent, got, want)
			}
		}
	}
}

// checkWalk reads what the subject may read in one of the orders, all of it or
// some.
func (w *world) checkWalk(t *testing.T, p pair, m moment) {
	t.Helper()
	order, low, high := w.r.IntN(2), 0, len(m.h.at)+1
	scope := m.h.scope(order, m.h.late(order, w.r.IntN(2) == 0))
	scope.Who, scope.Level = PrincipalsOf(p.subject), w.aclLevel
	if w.r.IntN(3) == 0 {
		low = w.r.IntN(high)
		high = low + w.r.IntN(high)
		scope = m.h.within(scope, order, low, high)
	}
	if w.r.IntN(4) == 0 {
		scope.Recent = nil
	}
	var want []Ordinal
	for i, e := range m.entities {
		if e == nil || !oracle.May(p.who, w.level, w.groups, e, oracle.Read) {
			continue
		}
		if key := m.h.key(order, m.h.at[i]); low <= key && key < high {
			want = append(want, m.h.at[i])
		}
	}
	slices.SortFunc(want, func(a, b Ordinal) int { return m.h.compare(order, a, b) })
	walk := NewWalk(scope)
	defer walk.Close()
	w.walked.count(walk)
	if d := walkDiff(w.r, walk, want); d != "" {
		w.fail(t, "%+v, level %s, order %d, keys from %d to %d: %s", p.who, w.level, order, low, high, d)
	}
}

package acl_test

import (
	"fmt"
	"slices"
	"sort"
	"testing"

	"postern/acl"
	"postern/acl/oracle"
)

// A pair is the same subject for the oracle and for package acl.
type pair struct {
	who     oracle.Who
	subject acl.Subject
}

func (w *world) everybody() []pair {
	all := []pair{
		{oracle.Who{}, acl.Subject{}},
		{oracle.Who{Role: oracle.Master}, acl.Subject{Role: acl.RoleMaster}},
		{oracle.Who{Role: oracle.User}, acl.Subject{Role: acl.RoleUser}},
	}
	for _, id := range append([]string{"stranger"}, names...) {
		all = append(all,
			pair{oracle.Who{Role: oracle.User, ID: id}, acl.Subject{Role: acl.RoleUser, ID: id, Member: w.aclGroups.Of(id)}},
			pair{oracle.Who{Role: oracle.App, ID: id}, acl.Subject{Role: acl.RoleApp, ID: id}},
		)
	}
	all = append(all, pair{oracle.Who{Role: oracle.Master, ID: "a"}, acl.Subject{Role: acl.RoleMaster, ID: "a"}})
	return all
}

func (w *world) check(t *testing.T, m moment) {
	t.Helper()
	live := 0
	for _, e := range m.entities {
		if e != nil {
			live++
		}
	}
	if got := m.index.Len(); got != live {
		w.fail(t, "Len() = %d; want %d", got, live)
	}
	w.checkMembership(t)
	for _, p := range w.everybody() {
		w.checkDecide(t, p, m)
		w.checkIndex(t, p, m)
	}
}

func (w *world) checkMembership(t *testing.T) {
	t.Helper()
	for _, user := range append([]string{"stranger"}, names...) {
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
		for _, g := range names {
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
	same := func(what string, d acl.Decision, want bool) {
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
	same("create", acl.Decide(p.subject, w.aclLevel, nil, acl.Create),
		oracle.May(p.who, w.level, w.groups, nil, oracle.Create))
	rights := []struct {
		theirs acl.Right
		ours   oracle.Right
	}{{acl.Read, oracle.Read}, {acl.Write, oracle.Write}, {acl.ChangeACL, oracle.ChangeACL}}
	for i, e := range m.entities {
		if e == nil {
			continue
		}
		for _, right := range rights {
			same(fmt.Sprintf("%s %+v", right.ours, *e),
				acl.Decide(p.subject, w.aclLevel, m.acls[i], right.theirs),
				oracle.May(p.who, w.level, w.groups, e, right.ours))
		}
		if d := acl.Decide(p.subject, w.aclLevel, m.acls[i], acl.Right(0)); d.Allowed {
			w.fail(t, "%+v: the zero right is allowed: %v", p.who, d)
		}
		sent := w.randomACL()
		for _, sent := range []*oracle.ACL{nil, sent} {
			var theirs *acl.ACL
			if sent != nil {
				theirs = toACL(sent)
			}
			got, _ := acl.Amend(p.subject, w.aclLevel, m.acls[i], theirs)
			if want := oracle.StoresSent(p.who, e, sent); got != want {
				w.fail(t, "%+v, Amend(%+v, %+v) = %t; want %t", p.who, *e, sent, got, want)
			}
		}
	}
}

func (w *world) checkIndex(t *testing.T, p pair, m moment) {
	t.Helper()
	var want []acl.Position
	for i, e := range m.entities {
		if e != nil && oracle.May(p.who, w.level, w.groups, e, oracle.Read) {
			want = append(want, acl.Position(i))
		}
	}
	w.checkStream(t, p, m, nil, want)
	if w.r.IntN(3) == 0 {
		o := permutation(w.r.Perm(len(m.entities)))
		sort.Slice(want, func(i, j int) bool { return o.Less(want[i], want[j]) })
		w.checkStream(t, p, m, o, want)
	}
}

// permutation is an order of positions that has nothing to do with them.
type permutation []int

func (o permutation) Less(a, b acl.Position) bool { return o[a] < o[b] }

func (w *world) checkStream(t *testing.T, p pair, m moment, o acl.Order, want []acl.Position) {
	t.Helper()
	stream := m.index.Visible(acl.PrincipalsOf(p.subject), w.aclLevel, o)
	var got []acl.Position
	left := want
	for round := 0; ; round++ {
		if n := stream.Count(); n != len(left) {
			w.fail(t, "%+v, level %s: Count() = %d after %d; want %d", p.who, w.level, n, len(got), len(left))
		}
		if round > 2*len(want)+4 {
			w.fail(t, "%+v, level %s: the stream does not end", p.who, w.level)
		}
		if n := w.r.IntN(4); n == 0 && round < len(want) {
			n = w.r.IntN(3)
			skipped := stream.Skip(n)
			if skipped != min(n, len(left)) {
				w.fail(t, "%+v, level %s: Skip(%d) = %d with %d left", p.who, w.level, n, skipped, len(left))
			}
			got = append(got, left[:skipped]...)
			left = left[skipped:]
			continue
		}
		buf := make([]acl.Position, 1+w.r.IntN(4))
		n := stream.Next(buf)
		if n == 0 {
			break
		}
		got = append(got, buf[:n]...)
		left = left[min(n, len(left)):]
	}
	if !slices.Equal(got, want) {
		w.fail(t, "%+v, level %s, order %v: visible = %v; want %v", p.who, w.level, o, got, want)
	}
}

// checkRebuilt makes the index anew from what is there and demands the same.
func (w *world) checkRebuilt(t *testing.T) {
	t.Helper()
	var changes []acl.Change
	for i, a := range w.aclACLs {
		if a != nil {
			changes = append(changes, acl.Change{Pos: acl.Position(i), New: a})
		}
	}
	var empty *acl.Index
	rebuilt := empty.Apply(changes)
	if !w.index.Equal(rebuilt) {
		w.fail(t, "the index differs from one built anew: %s", w.index.Diff(rebuilt))
	}
}

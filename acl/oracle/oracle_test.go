package oracle

import "testing"

// TestSentencesOfTheGuide keeps the oracle itself honest: one row for each
// sentence of the guide that says who may do what.
func TestSentencesOfTheGuide(t *testing.T) {
	ann, bob := Who{User, "ann"}, Who{User, "bob"}
	groups := Groups{
		"inner": {Users: []string{"bob"}},
		"outer": {Groups: []string{"inner", "outer"}},
		"x":     {Groups: []string{"y"}},
		"y":     {Groups: []string{"x"}},
		"all":   {All: true},
		"bob":   {Users: []string{"ann"}},
	}
	hers := ACL{Creator: "ann"}
	with := func(change func(*ACL)) ACL {
		a := hers
		change(&a)
		return a
	}
	for _, c := range []struct {
		sentence string
		who      Who
		level    Level
		acl      ACL
		right    Right
		want     bool
	}{
		{"Shared: read all data", bob, Shared, hers, Read, true},
		{"Shared: modify only their own", bob, Shared, hers, Write, false},
		{"Shared: create", bob, Shared, hers, Create, true},
		{"Private: cannot read any other data", bob, Private, hers, Read, false},
		{"Private: create", bob, Private, hers, Create, true},
		{"Private: read their own", ann, Private, hers, Read, true},
		{"Read Only: read all data", bob, ReadOnly, hers, Read, true},
		{"Read Only: cannot create", ann, ReadOnly, hers, Create, false},
		{"Read Only: cannot modify", bob, ReadOnly, hers, Write, false},
		{"Read Only: creators always have write access", ann, ReadOnly, hers, Write, true},
		{"Full: modify all data", bob, Full, hers, Write, true},
		{"an unknown level gives nothing", bob, "", hers, Read, false},
		{"no one but the creator changes the _acl", bob, Full, hers, ChangeACL, false},
		{"the creator changes the _acl", ann, ReadOnly, hers, ChangeACL, true},
		{"global read turned on", bob, Private, with(func(a *ACL) { a.GR = On }), Read, true},
		{"global read turned off", bob, Full, with(func(a *ACL) { a.GR = Off }), Read, false},
		{"creators always have read access", ann, Full, with(func(a *ACL) { a.GR = Off }), Read, true},
		{"global write turned on", bob, ReadOnly, with(func(a *ACL) { a.GW = On }), Write, true},
		{"global write turned off", bob, Full, with(func(a *ACL) { a.GW = Off }), Write, false},
		{"write does not imply read", bob, Private, with(func(a *ACL) { a.GW = On; a.W = []string{"bob"} }), Read, false},
		{"a reader reads, whatever gr says", bob, Private, with(func(a *ACL) { a.GR = Off; a.R = []string{"bob"} }), Read, true},
		{"a reader does not write", bob, Shared, with(func(a *ACL) { a.R = []string{"bob"} }), Write, false},
		{"a writer writes, whatever gw says", bob, ReadOnly, with(func(a *ACL) { a.GW = Off; a.W = []string{"bob"} }), Write, true},
		{"a member of a nested group reads", bob, Private, with(func(a *ACL) { a.GroupsR = []string{"outer"} }), Read, true},
		{"a cycle of groups is harmless", bob, Private, with(func(a *ACL) { a.GroupsR = []string{"x"} }), Read, false},
		{"a group of all is everybody", bob, Private, with(func(a *ACL) { a.GroupsW = []string{"all"} }), Write, true},
		{"a group that is not there grants nothing", bob, Private, with(func(a *ACL) { a.GroupsR = []string{"gone"} }), Read, false},
		{"a group called as a user is not that user", bob, Private, with(func(a *ACL) { a.GroupsR = []string{"bob"} }), Read, false},
		{"a user called as a group is not that group", ann, Private, ACL{Creator: "c", R: []string{"bob"}}, Read, false},
		{"the master secret reads all data", Who{Role: Master}, Private, with(func(a *ACL) { a.GR = Off }), Read, true},
		{"the master secret modifies any permission", Who{Role: Master}, ReadOnly, hers, ChangeACL, true},
		{"the master secret creates", Who{Role: Master}, ReadOnly, hers, Create, true},
		{"app credentials read nothing", Who{App, "ann"}, Full, with(func(a *ACL) { a.GR = On }), Read, false},
		{"app credentials create nothing", Who{App, "ann"}, Full, hers, Create, false},
		{"nobody is allowed nothing", Who{}, Full, hers, Read, false},
		{"an unknown right is refused", Who{Role: Master}, Full, hers, "", false},
	} {
		if got := May(c.who, c.level, groups, &c.acl, c.right); got != c.want {
			t.Errorf("%s: May(%v, %s, %+v, %s) = %t", c.sentence, c.who, c.level, c.acl, c.right, got)
		}
	}
}

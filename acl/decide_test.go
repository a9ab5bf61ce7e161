package acl

import (
	"slices"
	"testing"
)

// Every combination of the two switches and the four levels, for one who is not
// named anywhere.
func TestSwitchesHaveThreeStates(t *testing.T) {
	for _, l := range []Level{Shared, Private, ReadOnly, Full} {
		for _, r := range []Right{Read, Write} {
			for _, s := range []Switch{Unset, On, Off} {
				for _, other := range []Switch{Unset, On, Off} {
					a := by("alice", gr(s), gw(other))
					if r == Write {
						a = by("alice", gr(other), gw(s))
					}
					want := s == On || s == Unset && l.grants(r)
					if d := Decide(bob, l, a, r); d.Allowed != want {
						t.Errorf("Decide(bob, %v, gr %d gw %d, %d) = %v; want %v", l, a.GR, a.GW, r, d, want)
					}
				}
			}
		}
	}
}

func TestDecisionsSayWhy(t *testing.T) {
	for _, c := range []struct {
		d    Decision
		want string
	}{
		{Decision{}, "deny"},
		{Decide(master, Private, by("alice"), Read), "allow R2 (master)"},
		{Decide(app, Full, by("alice"), Read), "deny R3 (app credentials)"},
		{Decide(nobody, Full, by("alice"), Read), "deny R1 (no credentials)"},
		{Decide(alice, Private, by("alice"), Write), "allow R7 (creator)"},
		{Decide(bob, Private, by("alice"), ChangeACL), "deny R7 (not the creator)"},
		{Decide(bob, Private, by("alice", readers("bob")), Read), "allow R6 (readers)"},
		{Decide(bob, Private, by("alice", writers("bob")), Write), "allow R6 (writers)"},
		{Decide(bob, Private, by("alice", rGroups("board")), Read), "allow R6 (groups.r: board > staff)"},
		{Decide(bob, Private, by("alice", wGroups("staff")), Write), "allow R6 (groups.w: staff)"},
		{Decide(bob, Private, by("alice", gr(On)), Read), "allow R5 (gr)"},
		{Decide(bob, Shared, by("alice", gr(Off)), Read), "deny R5 (gr:false)"},
		{Decide(bob, Shared, by("alice", gw(On)), Write), "allow R5 (gw)"},
		{Decide(bob, Full, by("alice", gw(Off)), Write), "deny R5 (gw:false)"},
		{Decide(bob, Private, by("alice"), Read), "deny R4 (level Private)"},
		{Decide(bob, Full, by("alice"), Write), "allow R4 (level Full)"},
		{Decide(bob, ReadOnly, nil, Create), "deny R4 (level Read Only)"},
		{Decide(bob, Full+1, nil, Create), "deny R4 (level unknown)"},
		{Decide(bob, Full, nil, Read), "deny (no entity)"},
		{Decide(bob, Full, by("bob"), 0), "deny (no such right)"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("String() = %q; want %q", got, c.want)
		}
	}
}

func TestAmend(t *testing.T) {
	stored, sent := by("alice", writers("bob"), gw(On)), by("bob", gr(On))
	for _, c := range []struct {
		says    string
		who     Subject
		sent    *ACL
		useSent bool
		allowed bool
	}{
		{"the creator changes the grants", alice, sent, true, true},
		{"the master changes the grants", master, sent, true, true},
		{"a writer does not", bob, sent, false, false},
		{"nor does the app", app, sent, false, false},
		{"if _acl is missing the server's copy is used", alice, nil, false, true},
		{"also for a writer, who is then not refused", bob, nil, false, true},
	} {
		use, d := Amend(c.who, Full, stored, c.sent)
		if use != c.useSent || d.Allowed != c.allowed {
			t.Errorf("%s: Amend = %v, %v; want %v, %v", c.says, use, d, c.useSent, c.allowed)
		}
	}
}

func TestCreator(t *testing.T) {
	for _, c := range []struct {
		says         string
		who          Subject
		stored, sent *ACL
		want         string
	}{
		{"the creator is set to the user who creates", bob, nil, nil, "bob"},
		{"and not to whom he names", bob, nil, by("alice"), "bob"},
		{"what the master creates belongs to the app key", master, nil, nil, "kid_1"},
		{"also with an _acl that names none", master, nil, by(""), "kid_1"},
		{"an import by the master preserves ownership", master, nil, by("alice"), "alice"},
		{"the creator can never be changed, not by the creator", alice, by("alice"), by("bob"), "alice"},
		{"nor by another", bob, by("alice"), by("bob"), "alice"},
		{"except by the master", master, by("alice"), by("bob"), "bob"},
		{"who keeps it by naming none", master, by("alice"), by(""), "alice"},
		{"or by sending no _acl", master, by("alice"), nil, "alice"},
	} {
		if got := Creator(c.who, "kid_1", c.stored, c.sent); got != c.want {
			t.Errorf("%s: Creator = %q; want %q", c.says, got, c.want)
		}
	}
}

func TestDecideAllocatesNothingWithoutGroupPath(t *testing.T) {
	long := make([]string, 100)
	for i := range long {
		long[i] = "someone"
	}
	a := by("alice", readers(append(slices.Clone(long), "carol")...), writers(long...), rGroups("a", "b", "c"), wGroups(long...))
	for _, who := range []Subject{alice, bob, carol, loner, master, app, nobody} {
		for _, r := range []Right{0, Read, Write, Create, ChangeACL} {
			var d Decision
			if n := testing.AllocsPerRun(100, func() { d = Decide(who, Private, a, r) }); n != 0 {
				t.Errorf("Decide(%q, %d) = %v: %v allocations; want 0", who.ID, r, d, n)
			}
		}
	}
	a = by("alice", rGroups("board"))
	if n := testing.AllocsPerRun(100, func() { Decide(bob, Private, a, Read) }); n > 2 {
		t.Errorf("Decide by a group path: %v allocations; want at most 2", n)
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		text string
		want Level
	}{
		{"append-read", Shared}, {"shared", Shared}, {"Shared", Shared},
		{"append-only", Private}, {"private", Private}, {"Private", Private},
		{"read-only", ReadOnly}, {"read", ReadOnly}, {"Read Only", ReadOnly},
		{"write", Full}, {"full", Full}, {"Full", Full},
	} {
		if l, ok := ParseLevel(c.text); !ok || l != c.want {
			t.Errorf("ParseLevel(%q) = %v, %v; want %v", c.text, l, ok, c.want)
		}
	}
	for _, text := range []string{"", "WRITE", "append", "write ", "readonly", "unknown", "null"} {
		if l, ok := ParseLevel(text); ok || l != Shared {
			t.Errorf("ParseLevel(%q) = %v, %v; want none", text, l, ok)
		}
	}
	for _, l := range []Level{Shared, Private, ReadOnly, Full} {
		for _, name := range []string{l.WireName(), l.String()} {
			if got, ok := ParseLevel(name); !ok || got != l {
				t.Errorf("ParseLevel(%q) = %v, %v; want %v", name, got, ok, l)
			}
		}
	}
	if got := Level(9).WireName(); got != "" {
		t.Errorf("WireName of level 9 = %q; want none", got)
	}
}

package acl

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// recentOf returns what holds the ACLs.
func recentOf(acls ...*ACL) *Recent {
	r := new(Recent)
	for _, a := range acls {
		r.Add(a)
	}
	return r
}

// everyPrincipal is whom a random world names, and some whom it does not.
func everyPrincipal() []Principal {
	list := []Principal{{Kind: KindEveryone}, {KindUser, "zz"}, {KindGroup, "zz"}}
	for _, id := range worldNames {
		list = append(list, Principal{KindUser, id}, Principal{KindGroup, id})
	}
	return list
}

// Each list is whom the entities name, for every length that a view may have.
func TestRecentEqualsTheEntities(t *testing.T) {
	r := random(t)
	for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 9, 40, 400} {
		var acls []*ACL
		for range n {
			a := randomACL(r)
			switch {
			case r.IntN(5) == 0:
				a = nil
			case r.IntN(2) == 0: // so many names that tables grow
				a.Readers = append(a.Readers, fmt.Sprint("u", r.IntN(n)), fmt.Sprint("u", r.IntN(n)))
			}
			acls = append(acls, a)
		}
		recent := recentOf(acls...)
		if recent.Len() != n {
			t.Fatalf("Len = %d; want %d", recent.Len(), n)
		}
		who := everyPrincipal()
		for i := range n {
			who = append(who, Principal{KindUser, fmt.Sprint("u", i)}, Principal{KindGroup, fmt.Sprint("u", i)})
		}
		tos := []int{0, n / 2, n, n + 1}
		if n < 50 {
			tos = nil
			for i := range n + 2 {
				tos = append(tos, i)
			}
		}
		for _, to := range tos {
			for _, p := range who {
				for _, l := range []Level{Shared, Private} {
					var want []Ordinal
					for i, a := range acls[:min(to, n)] {
						if a == nil {
							continue
						}
						named := slices.Contains(a.readers(nil), p)
						if p.Kind == KindEveryone {
							named = a.GR == On || a.GR == Unset && l == Shared
						}
						if named {
							want = append(want, Ordinal(i))
						}
					}
					if got := recent.readable(p, l, Ordinal(to)); !slices.Equal(got, want) {
						t.Fatalf("%v at %v before %d of %d: %v; want %v", p, l, to, n, got, want)
					}
				}
			}
			if d := recent.Diff(Ordinal(to), func(i Ordinal) *ACL {
				if int(i) < n {
					return acls[i]
				}
				return nil
			}); d != "" {
				t.Fatalf("before %d of %d: %s", to, n, d)
			}
		}
	}
}

func TestEmptyRecent(t *testing.T) {
	for says, r := range map[string]*Recent{"nil": nil, "zero": new(Recent), "of nobody": recentOf(nil, nil)} {
		for _, p := range everyPrincipal() {
			if got := r.readable(p, Shared, 10); len(got) > 0 {
				t.Errorf("%s: %v reads %v", says, p, got)
			}
		}
	}
	if d := new(Recent).Diff(0, nil); d != "" {
		t.Errorf("an empty one differs from nothing: %s", d)
	}
}

// A list that was borrowed stays as it is while others are added.
func TestBorrowedListsStay(t *testing.T) {
	r := recentOf(by("a"), by("b"), by("a"))
	a := Principal{KindUser, "a"}
	was := r.readable(a, Private, 3)
	for range 1000 {
		r.Add(by("a", gr(On)))
	}
	if !slices.Equal(was, []Ordinal{0, 2}) || cap(was) != 2 {
		t.Errorf("what was borrowed is now %v with room for %d", was, cap(was))
	}
	if now := r.readable(a, Private, 3); !slices.Equal(now, was) {
		t.Errorf("an older view has now %v", now)
	}
}

func TestRecentDiffTells(t *testing.T) {
	is := []*ACL{nil, by("a", gr(On)), by("b", rGroups("g")), nil}
	for says, change := range map[string]func(acls []*ACL){
		"one more":                 func(acls []*ACL) { acls[3] = by("a") },
		"one less":                 func(acls []*ACL) { acls[1] = nil },
		"another entity":           func(acls []*ACL) { acls[2], acls[3] = acls[3], acls[2] },
		"gr unset":                 func(acls []*ACL) { acls[1] = by("a") },
		"gr on":                    func(acls []*ACL) { acls[2] = by("b", rGroups("g"), gr(On)) },
		"gr off":                   func(acls []*ACL) { acls[2] = by("b", rGroups("g"), gr(Off)) },
		"another creator":          func(acls []*ACL) { acls[1] = by("b", gr(On)) },
		"a principal more":         func(acls []*ACL) { acls[1] = by("a", gr(On), readers("zz")) },
		"a principal less":         func(acls []*ACL) { acls[2] = by("b") },
		"a user of a group's name": func(acls []*ACL) { acls[2] = by("b", readers("g")) },
	} {
		want := slices.Clone(is)
		change(want)
		for _, pair := range [][2][]*ACL{{is, want}, {want, is}} {
			what := func(i Ordinal) *ACL { return pair[1][i] }
			if recentOf(pair[0]...).Diff(4, what) == "" {
				t.Errorf("%s: Diff tells nothing", says)
			}
			if d := recentOf(pair[0]...).Diff(1, what); d != "" {
				t.Errorf("%s: Diff of what is before it tells %s", says, d)
			}
		}
	}
}

// Whom an entity names for writing is not held.
func TestOnlyReadingIsIndexed(t *testing.T) {
	r := recentOf(by("a", writers("b"), wGroups("g"), gw(On)))
	if d := r.Diff(1, func(Ordinal) *ACL { return by("a") }); d != "" {
		t.Error(d)
	}
}

// Adding costs no garbage but growth.
func TestRecentAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var acls []*ACL
	for range 1000 {
		acls = append(acls, randomACL(r))
	}
	recent := recentOf(acls...)
	if n := testing.AllocsPerRun(100, func() {
		for _, a := range acls[:100] {
			recent.Add(a)
		}
	}); n > 3 {
		t.Errorf("adding 100 entities allocates %v times", n)
	}
}

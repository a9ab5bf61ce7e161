package acl

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestGroupsOfAUser(t *testing.T) {
	list := func(ids ...string) []string { return ids }
	chain := (*Groups)(nil)
	for i := range 10_000 { // deep enough to overflow what recurses
		chain = chain.With(fmt.Sprint(i), &GroupDef{Groups: list(fmt.Sprint(i - 1))})
	}
	chain = chain.With("0", &GroupDef{Users: list("u"), Groups: list("9999")}) // and close the circle
	if m := chain.Of("u"); len(m.IDs()) != 10_000 || len(m.Path("9999")) != 10_000 {
		t.Errorf("a chain of 10,000: in %d, path of %d", len(m.IDs()), len(m.Path("9999")))
	}

	for _, c := range []struct {
		says string
		defs map[string]*GroupDef
		want string // the groups of u
	}{
		{"no groups at all", nil, ""},
		{"a group of nobody", map[string]*GroupDef{"g": {}}, ""},
		{"a group of others", map[string]*GroupDef{"g": {Users: list("v", "u2", "")}}, ""},
		{"a group of him", map[string]*GroupDef{"g": {Users: list("v", "u")}, "h": {}}, "g"},
		{"a user listed twice", map[string]*GroupDef{"g": {Users: list("u", "u")}}, "g"},
		{"all", map[string]*GroupDef{"g": {All: true}, "h": {}}, "g"},
		{"nested", map[string]*GroupDef{"g": {Users: list("u")}, "h": {Groups: list("g")}, "i": {Groups: list("h")}, "j": {}}, "g h i"},
		{"nested the wrong way", map[string]*GroupDef{"g": {Groups: list("h")}, "h": {}, "i": {Users: list("v")}}, ""},
		{"all inside another", map[string]*GroupDef{"g": {All: true}, "h": {Groups: list("g")}}, "g h"},
		{"in itself", map[string]*GroupDef{"g": {Users: list("u"), Groups: list("g")}}, "g"},
		{"in itself and empty", map[string]*GroupDef{"g": {Groups: list("g")}}, ""},
		{"a circle", map[string]*GroupDef{"a": {Groups: list("b")}, "b": {Groups: list("c"), Users: list("u")}, "c": {Groups: list("a")}}, "a b c"},
		{"a group that is not defined", map[string]*GroupDef{"g": {Groups: list("nowhere")}}, ""},
		{"a group called like the user", map[string]*GroupDef{"u": {Users: list("v")}, "g": {Groups: list("u")}}, ""},
		{"a user called like a group", map[string]*GroupDef{"g": {Users: list("h")}, "h": {Users: list("u")}}, "h"},
		{"a group without an id", map[string]*GroupDef{"": {Users: list("u")}, "g": {Groups: list("")}}, ""},
	} {
		var g *Groups
		for id, def := range c.defs {
			g = g.With(id, def)
		}
		if got := strings.Join(g.Of("u").IDs(), " "); got != c.want {
			t.Errorf("%s: u is in %q; want %q", c.says, got, c.want)
		}
		if got := g.Of("").IDs(); len(got) != 0 {
			t.Errorf("%s: the empty user is in %q", c.says, got)
		}
	}
}

func TestMembershipOfNobody(t *testing.T) {
	var m *Membership
	if m.Has("g") || m.Has("") || m.Path("g") != nil || m.IDs() != nil {
		t.Errorf("nil membership: Has, Path or IDs say something")
	}
	m = (*Groups)(nil).Of("u")
	if m.Has("g") || m.Has("") || m.Path("g") != nil || len(m.IDs()) != 0 {
		t.Errorf("membership in no group: Has, Path or IDs say something")
	}
}

// Random sets of groups against a reading of the definitions that is as plain
// as can be, and the older sets again at the end.
func TestGroupsAtRandom(t *testing.T) {
	r := random(t)
	ids := strings.Fields("a b c d e f")
	some := func() (list []string) {
		for range r.IntN(3) {
			list = append(list, ids[r.IntN(len(ids))])
		}
		return list
	}
	type moment struct {
		g    *Groups
		defs map[string]*GroupDef
	}
	check := func(m moment) {
		t.Helper()
		for _, u := range ids {
			in := map[string]bool{}
			for range ids { // as often as a grant can go up
				for id, def := range m.defs {
					in[id] = in[id] || def.All || slices.Contains(def.Users, u) ||
						slices.ContainsFunc(def.Groups, func(child string) bool { return in[child] })
				}
			}
			member := m.g.Of(u)
			for _, id := range ids {
				path := member.Path(id)
				if member.Has(id) != in[id] || (path != nil) != in[id] {
					t.Fatalf("%s in %s: Has = %v, Path = %v; want %v", u, id, member.Has(id), path, in[id])
				}
				for i, step := range path {
					def, last := m.defs[step], i == len(path)-1
					if last && !def.All && !slices.Contains(def.Users, u) || !last && !slices.Contains(def.Groups, path[i+1]) {
						t.Fatalf("%s in %s: the path %v does not hold at %s", u, id, path, step)
					}
				}
			}
			for _, id := range ids {
				if all, users := m.g.Members(id); (all || slices.Contains(users, u)) != in[id] || !slices.IsSorted(users) {
					t.Fatalf("%s holds all (%t) or %v; want %s in it: %v", id, all, users, u, in[id])
				}
			}
			if !slices.IsSorted(member.IDs()) {
				t.Fatalf("IDs = %v; want them sorted", member.IDs())
			}
		}
	}
	for range 200 {
		now := moment{defs: map[string]*GroupDef{}}
		var past []moment
		for range 12 {
			id := ids[r.IntN(len(ids))]
			defs := map[string]*GroupDef{}
			for k, v := range now.defs {
				defs[k] = v
			}
			if r.IntN(4) == 0 {
				delete(defs, id)
			} else {
				defs[id] = &GroupDef{All: r.IntN(8) == 0, Users: some(), Groups: some()}
			}
			now = moment{now.g.With(id, defs[id]), defs}
			check(now)
			past = append(past, now)
		}
		for _, m := range past {
			check(m)
		}
	}
}

// Readers of a set go on while the next ones are made from it.
func TestGroupReadersBesideTheWriter(t *testing.T) {
	var now atomic.Pointer[Groups]
	now.Store((*Groups)(nil).With("staff", &GroupDef{Users: []string{"bob"}}).With("board", &GroupDef{Groups: []string{"staff"}}))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if m := now.Load().Of("bob"); !slices.Equal(m.Path("board"), []string{"board", "staff"}) {
					t.Errorf("bob is in %q", m.IDs())
					return
				}
			}
		})
	}
	for i := range 2000 {
		def := &GroupDef{All: i%5 == 0, Users: []string{"bob", fmt.Sprint(i)}, Groups: []string{"board", fmt.Sprint(i % 300)}}
		now.Store(now.Load().With(fmt.Sprint(i%400), def))
	}
	close(stop)
	readers.Wait()
}

func BenchmarkMembershipOfOneIn100(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var g *Groups
	for i := range 1000 {
		def := &GroupDef{}
		for range 100 {
			def.Users = append(def.Users, fmt.Sprint("u", r.IntN(10_000)))
		}
		g = g.With(fmt.Sprint("g", i), def)
	}
	b.ReportAllocs()
	for b.Loop() {
		g.Of("u77")
	}
}

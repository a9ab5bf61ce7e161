package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"postern/acl/oracle"
)

// A shadow is what an app holds, as its master reads it by HTTP, for answers that are
// found by looking at everything.
type shadow struct {
	users    []string // ids, those in lists
	groups   oracle.Groups
	nested   map[string][]string
	entities map[string][]shadowEntity // of each collection, in the order of creation
}

type shadowEntity struct {
	id   string
	acl  *oracle.ACL
	body string
}

func (s *server) shadow(collections ...string) *shadow {
	s.t.Helper()
	w := &shadow{groups: oracle.Groups{}, nested: map[string][]string{}, entities: map[string][]shadowEntity{}}
	list := func(path string) (all []json.RawMessage) {
		a := s.want(s.do("GET", path, asMaster, ""), 200, "")
		if err := json.Unmarshal(a.body, &all); err != nil {
			s.t.Fatal(err)
		}
		return all
	}
	id := func(raw []byte) string {
		var e struct {
			ID string `json:"_id"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			s.t.Fatal(err)
		}
		return e.ID
	}
	for _, raw := range list("/user/" + kid) {
		w.users = append(w.users, id(raw))
	}
	for _, raw := range list("/group/" + kid) {
		g, err := oracle.ReadGroup(raw)
		if err != nil {
			s.t.Fatal(err)
		}
		w.groups[id(raw)] = g
	}
	for _, name := range collections {
		path := "/appdata/" + kid + "/" + name
		if name == "user" {
			path = "/user/" + kid
		}
		for _, raw := range list(path) {
			var e struct {
				ACL json.RawMessage `json:"_acl"`
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				s.t.Fatal(err)
			}
			a, err := oracle.ReadACL(e.ACL)
			if err != nil {
				s.t.Fatal(err)
			}
			w.entities[name] = append(w.entities[name], shadowEntity{id(raw), a, string(raw)})
		}
	}
	return w
}

// naming counts the entities that name a group.
func (w *shadow) naming(group string) (n int) {
	for _, list := range w.entities {
		for _, e := range list {
			if slices.Contains(e.acl.GroupsR, group) || slices.Contains(e.acl.GroupsW, group) {
				n++
			}
		}
	}
	return n
}

type managedGroup struct {
	ID       string `json:"_id"`
	Members  int
	Everyone bool
	Users    int
	Groups   []string
	UsedBy   int
}

type managedMembers struct {
	ID        string `json:"_id"`
	Effective managedList[struct {
		ID       string `json:"_id"`
		Username string
		Path     []string
	}]
	Parents []string
	UsedBy  int
}

var whyCollections = []string{"shared", "private", "read-only", "full"}

// What is said of groups is what their records say, read by the oracle, in worlds
// where some name users and groups that are not there.
func TestManagedGroups(t *testing.T) {
	effective, used := 0, 0
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 11))
		w := newWhyWorld(t, r)
		w.want(w.do("PUT", "/group/"+kid+"/ghosts", asMaster, `{"users":{"list":[{"_id":"gone"},{"_id":"`+w.users[0].id+`"},{"_id":"`+w.users[0].id+`"}]},"groups":[{"_id":"nowhere"},{"_id":"sales"}],"parents":7}`), 201, "")
		w.want(w.do("PUT", "/appdata/"+kid+"/shared/both", asMaster, `{"_acl":{"groups":{"r":["ghosts","sales"],"w":["ghosts"]}}}`), 201, "")
		w.want(w.do("PUT", "/group/"+kid+"/boards", asMaster, `{"_acl":{"groups":{"w":["board"]}}}`), 201, "")
		world := w.shadow(append(whyCollections, "user")...)
		var want []string
		for id := range world.groups {
			want = append(want, id)
		}
		sort.Strings(want)
		for _, page := range []int{1, 2, 10} {
			for _, prefix := range []string{"", "bo", "s", "x"} {
				var got []string
				for _, g := range wholeList[managedGroup](w.server, "groups", page, "prefix", prefix) {
					got = append(got, g.ID)
					def, members := world.groups[g.ID], 0
					for _, u := range world.users {
						if world.groups.Contains(g.ID, u) {
							members++
						}
					}
					inner := slices.Compact(slices.Sorted(slices.Values(def.Groups)))
					named := slices.Compact(slices.Sorted(slices.Values(def.Users)))
					if g.Members != members || g.Everyone != def.All || g.Users != len(named) || !slices.Equal(g.Groups, inner) || g.UsedBy != world.naming(g.ID) {
						t.Errorf("seed %d: %+v, and it is %+v with %d members, named by %d", seed, g, def, members, world.naming(g.ID))
					}
					used += g.UsedBy
				}
				if all := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return !strings.HasPrefix(id, prefix) }); !slices.Equal(got, all) {
					t.Errorf("prefix %q by %d: %q, want %q", prefix, page, got, all)
				}
			}
		}
		for _, id := range want {
			var got []string
			for page := 0; ; page++ {
				x := managed[managedMembers](w.server, managePath("groups/"+id, "skip", fmt.Sprint(2*page), "limit", "2"))
				var parents []string
				for outer, def := range world.groups {
					if slices.Contains(def.Groups, id) {
						parents = append(parents, outer)
					}
				}
				sort.Strings(parents)
				if x.ID != id || !slices.Equal(x.Parents, parents) || x.UsedBy != world.naming(id) {
					t.Errorf("seed %d: group %s: %+v, in %q, named by %d", seed, id, x, parents, world.naming(id))
				}
				for _, m := range x.Effective.List {
					got = append(got, m.ID)
					for i, g := range m.Path {
						last := i == len(m.Path)-1
						if def := world.groups[g]; m.Path[0] != id || last && !def.All && !slices.Contains(def.Users, m.ID) || !last && !slices.Contains(def.Groups, m.Path[i+1]) {
							t.Errorf("seed %d: %s is in %s by %q", seed, m.Username, id, m.Path)
						}
					}
					if len(m.Path) == 0 || m.Username == "" {
						t.Errorf("seed %d: %+v is in %s", seed, m, id)
					}
				}
				if len(x.Effective.List) == 0 {
					if len(got) != x.Effective.Count {
						t.Errorf("%d of %d in %s", len(got), x.Effective.Count, id)
					}
					break
				}
			}
			var all []string
			for _, u := range world.users {
				if world.groups.Contains(id, u) {
					all = append(all, u)
				}
			}
			sort.Strings(all)
			if !slices.Equal(got, all) {
				t.Errorf("seed %d: in %s are %q, want %q", seed, id, got, all)
			}
			effective += len(got)
		}
		w.managedRefusal(managePath("groups/nowhere"), "EntityNotFound")
		w.stop()
	}
	if effective < 50 || used < 100 {
		t.Errorf("%d members, %d uses: a test of little", effective, used)
	}
}

// The counts of collections are those of what is in them.
func (w *whyWorld) wantCounts(names []string) (overrides int) {
	w.t.Helper()
	world := w.shadow(names...)
	got := map[string]string{}
	for _, c := range managed[[]struct {
		Name, Permissions, Level string
		Entities, Overrides      int
	}](w.server, managePath("collections", "counts", "true")) {
		got[c.Name] = fmt.Sprint(c.Level, " ", c.Permissions, " ", c.Entities, " ", c.Overrides)
	}
	level := map[string]string{"shared": "Shared append-read", "private": "Private append-only", "read-only": "Read Only read-only", "full": "Full write", "user": "Shared append-read"}
	for _, name := range names {
		n := 0
		for _, e := range world.entities[name] {
			if a := e.acl; a.GR != "" || a.GW != "" || len(a.R)+len(a.W)+len(a.GroupsR)+len(a.GroupsW) > 0 {
				n++
			}
		}
		overrides += n
		if want := fmt.Sprint(level[name], " ", len(world.entities[name]), " ", n); got[name] != want {
			w.t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
	return overrides
}

func TestManagedCollectionCounts(t *testing.T) {
	seen := 0
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 12))
		w := newWhyWorld(t, r)
		names := append(slices.Clone(whyCollections), "user")
		seen += w.wantCounts(names)
		for range 60 { // bases are made anew in between
			path := "/appdata/" + kid + "/" + whyCollections[r.IntN(4)] + "/" + fmt.Sprint("e", r.IntN(6))
			grants := []string{`{}`, `{"r":[]}`, `{"gr":true}`, `{"gw":false}`, `{"gr":null}`, `{"r":["x"]}`, `{"w":["x"]}`, `{"groups":{"r":["x"]}}`, `{"groups":{"w":["x"]}}`}
			if r.IntN(4) == 0 {
				w.do("DELETE", path, asMaster, "")
			} else if a := w.do("PUT", path, asMaster, `{"_acl":`+grants[r.IntN(len(grants))]+`}`); a.status >= 300 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if r.IntN(5) == 0 {
				seen += w.wantCounts(names)
			}
		}
		seen += w.wantCounts(names)
		if body := string(w.do("GET", managePath("collections"), asMaster, "").body); strings.Contains(body, `"overrides"`) {
			t.Errorf("counts that nobody has asked for: %s", body)
		}
		w.stop()
	}
	if seen == 0 {
		t.Error("nothing overrides: a test of nothing")
	}
}

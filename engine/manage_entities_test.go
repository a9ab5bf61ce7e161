package engine_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/acl/oracle"
)

// fill puts more entities into the collections of a world, with grants to who is not
// there as well.
func (w *whyWorld) fill(r *rand.Rand, many int) {
	w.t.Helper()
	users, groups := []string{"gone", kid}, []string{"sales", "emea", "board", "nowhere"}
	for _, u := range w.users {
		users = append(users, u.id)
	}
	some := func(list []string) string {
		out := []string{}
		for _, x := range list {
			if r.IntN(7) == 0 {
				out = append(out, x)
			}
		}
		b, _ := json.Marshal(out)
		return string(b)
	}
	for range many {
		path := "/appdata/" + kid + "/" + whyCollections[r.IntN(4)] + "/" + fmt.Sprint("f", r.IntN(many/3))
		if r.IntN(8) == 0 {
			w.do("DELETE", path, asMaster, "")
			continue
		}
		grants := fmt.Sprintf(`"creator":%q`, users[r.IntN(len(users))])
		if r.IntN(3) > 0 {
			grants += fmt.Sprintf(`,"r":%s,"w":%s,"groups":{"r":%s,"w":%s}`, some(users), some(users), some(groups), some(groups))
		}
		for _, sw := range []string{"gr", "gw"} {
			if n := r.IntN(6); n < 2 {
				grants += fmt.Sprintf(`,%q:%t`, sw, n == 0)
			}
		}
		if a := w.do("PUT", path, asMaster, fmt.Sprintf(`{"n":%d,"_acl":{%s}}`, r.IntN(5), grants)); a.status >= 300 {
			w.t.Fatalf("%d %s", a.status, a.body)
		}
	}
}

// A chosenBy is a filter, and how to tell by what an entity says what it is for.
type chosenBy struct {
	query []string
	has   func(level oracle.Level, a *oracle.ACL) bool
}

func (w *whyWorld) choices(world *shadow) []chosenBy {
	all := []chosenBy{
		{nil, func(oracle.Level, *oracle.ACL) bool { return true }},
		{[]string{"filter", "overrides"}, func(_ oracle.Level, a *oracle.ACL) bool {
			return a.GR != "" || a.GW != "" || len(a.R)+len(a.W)+len(a.GroupsR)+len(a.GroupsW) > 0
		}},
	}
	owners := []string{"gone", kid}
	for _, u := range w.users {
		owners = append(owners, u.id)
		for filter, right := range map[string]oracle.Right{"readable": oracle.Read, "writable": oracle.Write} {
			all = append(all, chosenBy{[]string{"filter", filter, "user", u.name}, func(l oracle.Level, a *oracle.ACL) bool {
				return oracle.May(oracle.Who{Role: oracle.User, ID: u.id}, l, world.groups, a, right)
			}})
		}
	}
	for _, id := range owners {
		all = append(all, chosenBy{[]string{"filter", "owned", "user", id}, func(_ oracle.Level, a *oracle.ACL) bool { return a.Creator == id }},
			chosenBy{[]string{"filter", "shared", "user", id}, func(_ oracle.Level, a *oracle.ACL) bool {
				return slices.Contains(a.R, id) || slices.Contains(a.W, id)
			}})
	}
	for _, id := range []string{"sales", "emea", "board", "nowhere", "nobody"} {
		all = append(all, chosenBy{[]string{"filter", "shared", "group", id}, func(_ oracle.Level, a *oracle.ACL) bool {
			return slices.Contains(a.GroupsR, id) || slices.Contains(a.GroupsW, id)
		}})
	}
	return all
}

// Every filter yields what looking at everything finds, in the order that is asked
// for, page by page, and counts it; and what a user reads is what he is answered.
func TestManagedEntities(t *testing.T) {
	type one struct {
		shadowEntity
		n int
	}
	queries := map[string]func(one) bool{
		"":                 func(one) bool { return true },
		`{"n":{"$gte":2}}`: func(e one) bool { return e.n >= 2 },
		`{"n":3}`:          func(e one) bool { return e.n == 3 },
		`{"_id":"f3"}`:     func(e one) bool { return e.id == "f3" },
	}
	sorts := map[string]func(a, b one) int{
		"":         func(one, one) int { return 0 },
		"n":        func(a, b one) int { return cmp.Compare(a.n, b.n) },
		`{"n":-1}`: func(a, b one) int { return cmp.Compare(b.n, a.n) },
		"_id":      func(a, b one) int { return strings.Compare(a.id, b.id) },
	}
	asked, found := 0, map[string]int{}
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 13))
		w := newWhyWorld(t, r)
		w.fill(r, 200)
		world := w.shadow(whyCollections...)
		for _, name := range whyCollections {
			var all []one
			for _, e := range world.entities[name] {
				var doc struct{ N int }
				if err := json.Unmarshal([]byte(e.body), &doc); err != nil {
					t.Fatal(err)
				}
				all = append(all, one{e, doc.N})
			}
			path := "collections/" + name + "/entities"
			for _, choice := range w.choices(world) {
				for text, matches := range queries {
					for order, compare := range sorts {
						var want []one
						for _, e := range all {
							if choice.has(oracle.Level(name), e.acl) && matches(e) {
								want = append(want, e)
							}
						}
						slices.SortStableFunc(want, compare)
						args := append(slices.Clone(choice.query), "query", text, "sort", order)
						what := fmt.Sprint("seed ", seed, ", ", name, " ", args)
						page := 1 + r.IntN(40)
						var got []string
						for {
							a := w.want(w.do("GET", managePath(path, append(args, "skip", fmt.Sprint(len(got)), "limit", fmt.Sprint(page))...), asMaster, ""), 200, "")
							var some []json.RawMessage
							if err := json.Unmarshal(a.body, &some); err != nil || len(some) > page {
								t.Fatalf("%s: %d of a page of %d, %v", what, len(some), page, err)
							}
							for _, raw := range some {
								got = append(got, string(raw))
							}
							if len(some) == 0 || len(got) > len(want) {
								break
							}
						}
						var bodies []string
						for _, e := range want {
							bodies = append(bodies, e.body)
						}
						if !slices.Equal(got, bodies) {
							t.Fatalf("%s:\n%s, want\n%s", what, strings.Join(got, "\n"), strings.Join(bodies, "\n"))
						}
						if n := managed[struct{ Count int }](w.server, managePath(path, append(args, "count", "true", "limit", "1")...)).Count; n != len(want) {
							t.Errorf("%s: %d counted, want %d", what, n, len(want))
						}
						asked++
						if len(choice.query) > 1 {
							found[choice.query[1]] += len(want)
						}
					}
				}
			}
			for _, u := range w.users {
				his := w.want(w.do("GET", "/appdata/"+kid+"/"+name, u.session(), ""), 200, "")
				if a := w.do("GET", managePath(path, "filter", "readable", "user", u.id), asMaster, ""); string(a.body) != string(his.body) {
					t.Errorf("%s reads %s, and it is said %s", u.name, his.body, a.body)
				}
			}
		}
		w.stop()
	}
	for filter, n := range found {
		if n < 100 {
			t.Errorf("%d by %s: a test of little", n, filter)
		}
	}
	t.Logf("figure: %d filtered lists equal to looking at everything: %v", asked, found)
}

// What is asked for badly is told; who is let in nowhere reads and writes nothing; and
// of users those who are in no list are in none here.
func TestManagedEntitiesOfNobody(t *testing.T) {
	w := newWhyWorld(t, rand.New(rand.NewPCG(2, 14)))
	w.want(w.do("DELETE", "/user/"+kid+"/"+w.users[0].id+"?soft=true", asMaster, ""), 204, "")
	w.want(w.do("PUT", "/user/"+kid+"/"+w.users[1].id, asMaster, `{"_acl":{"gr":false}}`), 200, "")
	w.want(w.do("PUT", "/user/"+kid+"/"+w.users[0].id, asMaster, `{"_acl":{"gr":false}}`), 200, "")
	for _, name := range whyCollections {
		for _, filter := range []string{"readable", "writable"} {
			if a := w.do("GET", managePath("collections/"+name+"/entities", "filter", filter, "user", "ann"), asMaster, ""); string(a.body) != "[]" {
				t.Errorf("who is suspended: %s %s", filter, a.body)
			}
		}
	}
	count := managed[struct{ Count int }]
	if n := count(w.server, managePath("collections/user/entities", "count", "true", "filter", "overrides")).Count; n != 1 {
		t.Errorf("%d listed users override", n)
	}
	if got := ids(t, w.do("GET", managePath("collections/user/entities", "filter", "overrides"), asMaster, "")); !slices.Equal(got, []string{w.users[1].id}) {
		t.Errorf("the listed users that override are %q", got)
	}
	if a := w.do("GET", managePath("collections/shared/entities", "fields", "n", "filter", "overrides", "rights", "true"), asMaster, ""); strings.Contains(string(a.body), "rights") || !strings.Contains(string(a.body), `"n":`) {
		t.Errorf("fields: %s", a.body)
	}
	for query, code := range map[string]string{
		"filter=mine": "ParameterValueOutOfRange", "filter=readable": "MissingRequestParameter", "filter=owned&group=sales": "MissingRequestParameter",
		"filter=shared&group=sales&user=ben": "MissingRequestParameter", "filter=writable&user=nobody": "UserNotFound", "filter=overrides&user=ben": "ParameterValueOutOfRange",
		"user=ben": "ParameterValueOutOfRange", "query={": "InvalidQuerySyntax", "skip=x": "ParameterValueOutOfRange",
	} {
		w.managedRefusal("/v4/environments/"+kid+"/collections/shared/entities?"+query, code)
	}
	w.managedRefusal(managePath("collections/group/entities"), "IndirectCollectionAccessDisallowed")
	w.managedRefusal(managePath("collections/nosuch/entities"), "CollectionNotFound")
}

// What the index knows costs what is found and not what is there: it is answered
// where the time is over with the first look at the clock. What has to be looked for
// ends then, and says so.
func TestManagedEntitiesByTheIndex(t *testing.T) {
	s := start(t, func(o *options) { o.config.QueryTime, o.config.RebuildAfter = time.Nanosecond, 1000 })
	ann, ben := s.signUp("ann"), s.signUp("ben")
	s.want(s.do("PUT", "/group/"+kid+"/sales", asMaster, `{"users":{"list":[{"_id":"`+ann.id+`"}]}}`), 201, "")
	s.want(s.do("PUT", "/group/"+kid+"/board", asMaster, `{}`), 201, "")
	for range 60 {
		s.want(s.do("POST", "/appdata/"+kid+"/many", ben.session(), "["+strings.TrimSuffix(strings.Repeat(`{"x":1},`, 100), ",")+"]", "X-Kinvey-Api-Version", "5"), 201, "")
	}
	s.want(s.do("PUT", "/appdata/"+kid+"/many/r", ann.session(), `{"_acl":{"groups":{"r":["sales"]}}}`), 201, "")
	s.want(s.do("PUT", "/appdata/"+kid+"/many/w", ann.session(), `{"_acl":{"gr":true,"groups":{"w":["board"]}}}`), 201, "")
	path := "/v4/environments/" + kid + "/collections/many/entities?"
	for query, want := range map[string]string{
		"filter=owned&user=ann": "[r w]", "filter=shared&group=sales": "[r]", "filter=shared&group=nowhere": "[]",
		"filter=owned&user=nobody": "[]", "filter=readable&user=ann&skip=6000": "[r w]", "skip=6001": "[w]",
	} {
		if a := s.do("GET", path+query, asMaster, ""); a.status != 200 || fmt.Sprint(ids(t, a)) != want {
			t.Errorf("%s: %d %s, want %s", query, a.status, a.body, want)
		}
	}
	if n := managed[struct{ Count int }](s, path+"filter=overrides&count=true").Count; n != 2 {
		t.Errorf("%d override", n)
	}
	for _, query := range []string{"filter=shared&group=board", "filter=writable&user=ann", "filter=overrides", "filter=shared&user=ann", "filter=overrides&count=true&query=" + url.QueryEscape(`{"x":2}`)} {
		a := s.do("GET", path+query, asMaster, "")
		if a.status != 400 || !strings.Contains(string(a.body), "too expensive") {
			t.Errorf("%s: %d %.100s", query, a.status, a.body)
		}
	}
}

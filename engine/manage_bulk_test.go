package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
)

type bulkAnswer struct {
	previewed
	Matched, Changed int
	Next             string
}

func (s *server) bulk(collection, body string) (x bulkAnswer) {
	s.t.Helper()
	a := s.want(s.do("POST", "/v4/environments/"+kid+"/collections/"+collection+"/bulk-acl", asMaster, body), 200, "")
	if err := json.Unmarshal(a.body, &x); err != nil {
		s.t.Fatal(err)
	}
	return x
}

// sets is an _acl as sets of names and values: what it says, and no order.
func sets(acl map[string]any) map[string]bool {
	said := map[string]bool{}
	for _, name := range []string{"creator", "gr", "gw"} {
		if v, ok := acl[name]; ok && v != nil {
			said[fmt.Sprint(name, "=", v)] = true
		}
	}
	list := func(name string, v any) {
		names, _ := v.([]any)
		for _, n := range names {
			said[fmt.Sprint(name, ":", n)] = true
		}
	}
	list("r", acl["r"])
	list("w", acl["w"])
	groups, _ := acl["groups"].(map[string]any)
	list("groups.r", groups["r"])
	list("groups.w", groups["w"])
	return said
}

// acls are the _acl of all entities of a collection, by id, as the master reads them.
func (s *server) acls(collection string) map[string]map[string]any {
	s.t.Helper()
	list, _ := s.want(s.do("GET", "/appdata/"+kid+"/"+collection, asMaster, ""), 200, "").json(s.t).([]any)
	all := map[string]map[string]any{}
	for _, e := range list {
		all[get(e, "_id").(string)] = get(e, "_acl").(map[string]any)
	}
	return all
}

// bulkModel does to an _acl's sets what a change says, the slow way.
func bulkModel(said map[string]bool, change map[string]any, ids map[string]string) map[string]bool {
	now := map[string]bool{}
	for k := range said {
		now[k] = true
	}
	drop := func(prefix string) {
		for k := range now {
			if strings.HasPrefix(k, prefix) {
				delete(now, k)
			}
		}
	}
	for _, name := range []string{"gr", "gw"} {
		if v, ok := change[name]; ok {
			drop(name + "=")
			if v != nil {
				now[fmt.Sprint(name, "=", v)] = true
			}
		}
	}
	if v, ok := change["creator"]; ok {
		drop("creator=")
		now["creator="+ids[v.(string)]] = true
	}
	edit := func(name string, v any) {
		e, _ := v.(map[string][]string)
		for _, n := range e["remove"] {
			delete(now, name+":"+ids[n])
		}
		for _, n := range e["add"] {
			now[name+":"+ids[n]] = true
		}
	}
	edit("r", change["r"])
	edit("w", change["w"])
	groups, _ := change["groups"].(map[string]any)
	edit("groups.r", groups["r"])
	edit("groups.w", groups["w"])
	return now
}

// A change of many is what a slow model says, for every entity; what its dry run says
// is what HTTP then answers; and lists, delta sets and a second run agree.
func TestBulkACLIsWhatTheModelSays(t *testing.T) {
	changes, moved := 0, 0
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 11))
		w := newWhyWorld(t, r)
		ids := map[string]string{"sales": "sales", "emea": "emea", "board": "board", "gone": "gone"}
		var users []string
		for _, u := range w.users {
			ids[u.name], ids[u.id] = u.id, u.id
			users = append(users, u.name, u.id)
		}
		groups := []string{"sales", "emea", "board"}
		edit := func(names []string) map[string][]string {
			e, used := map[string][]string{}, map[string]bool{}
			for _, what := range []string{"add", "remove"} {
				for range r.IntN(3) {
					if n := names[r.IntN(len(names))]; !used[ids[n]] {
						e[what], used[ids[n]] = append(e[what], n), true
					}
				}
			}
			if r.IntN(3) == 0 {
				e["remove"] = append(e["remove"], "gone")
			}
			return e
		}
		before := w.rightsByHTTP()
		for range 6 {
			change := map[string]any{}
			for _, name := range []string{"gr", "gw"} {
				if n := r.IntN(6); n < 3 {
					change[name] = []any{true, false, nil}[n]
				}
			}
			if r.IntN(2) == 0 {
				change["r"] = edit(users)
			}
			if r.IntN(2) == 0 {
				change["w"] = edit(users)
			}
			if r.IntN(2) == 0 {
				change["groups"] = map[string]any{"r": edit(groups), "w": edit(groups)}
			}
			if r.IntN(4) == 0 || len(change) == 0 {
				change["creator"] = users[r.IntN(len(users))]
			}
			collection := w.entities[r.IntN(len(w.entities))].collection
			some := w.users[r.IntN(5)].id
			q := []string{`{}`, `{"_acl.creator":"` + some + `"}`, `{"_acl.r":"` + some + `"}`, `{"_id":{"$in":["e0","e2"]}}`, `{"_id":"e1"}`}[r.IntN(5)]
			text, err := json.Marshal(change)
			if err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("seed %d, %s of %s: %s", seed, q, collection, text)
			old := w.acls(collection)
			matches := func(id string) bool {
				switch {
				case q == `{}`:
					return true
				case strings.Contains(q, "creator"):
					return old[id]["creator"] == some
				case strings.Contains(q, "_acl.r"):
					return sets(old[id])["r:"+some]
				}
				return strings.Contains(q, id)
			}
			want, matched, changed := map[string]map[string]bool{}, 0, 0
			for id, acl := range old {
				want[id] = sets(acl)
				if matches(id) {
					matched++
					want[id] = bulkModel(sets(acl), change, ids)
					if !reflect.DeepEqual(want[id], sets(acl)) {
						changed++
					}
				}
			}
			dry := w.bulk(collection, fmt.Sprintf(`{"query":%s,"change":%s,"dryRun":true}`, q, text))
			if dry.Matched != matched || dry.Changed != changed || dry.Users != len(w.users) {
				t.Fatalf("%s: it is said %+v; want %d matched, %d changed", what, dry, matched, changed)
			}
			if !reflect.DeepEqual(w.acls(collection), old) {
				t.Fatalf("%s: the dry run has changed something", what)
			}
			var did bulkAnswer
			limit := 1 + r.IntN(4)
			rounds := 0
			for after := ""; ; after = did.Next {
				if rounds++; rounds > len(old)+1 {
					t.Fatalf("%s: it does not come to an end", what)
				}
				x := w.bulk(collection, fmt.Sprintf(`{"query":%s,"change":%s,"limit":%d,"after":%q}`, q, text, limit, after))
				did.Matched, did.Changed, did.Next = did.Matched+x.Matched, did.Changed+x.Changed, x.Next
				if x.Matched > limit || x.Next != "" && x.Matched != limit {
					t.Fatalf("%s: at most %d, and %+v", what, limit, x)
				}
				if x.Next == "" {
					break
				}
			}
			if did.Matched != matched || did.Changed != changed {
				t.Fatalf("%s: %+v; want %d matched, %d changed", what, did, matched, changed)
			}
			for id, acl := range w.acls(collection) {
				if !reflect.DeepEqual(sets(acl), want[id]) {
					t.Fatalf("%s: the _acl of %s was %v and is %v, want %v", what, id, old[id], acl, want[id])
				}
			}
			if again := w.bulk(collection, fmt.Sprintf(`{"query":%s,"change":%s}`, q, text)); again.Changed != 0 {
				t.Fatalf("%s: a second time %+v", what, again)
			}
			after := w.rightsByHTTP()
			w.sameLists(what, collection, after)
			count := func(a, b map[string]bool, right string) (n int) {
				for key := range a {
					if !b[key] && strings.HasPrefix(key, right) {
						n++
					}
				}
				return n
			}
			for right, e := range map[string]struct{ Gain, Lose int }{"read": dry.Read, "write": dry.Write} {
				if gain, lose := count(after, before, right), count(before, after, right); gain != e.Gain || lose != e.Lose {
					t.Fatalf("%s: it is said %d gain and %d lose to %s, and %d and %d do", what, e.Gain, e.Lose, right, gain, lose)
				} else {
					moved += gain + lose
				}
			}
			before = after
			changes++
		}
		w.stop()
	}
	if moved < 100 {
		t.Errorf("%d rights were moved: a test of little", moved)
	}
	t.Logf("figure: %d changes as the model says, %d rights moved", changes, moved)
}

// sameLists compares what each user's list has with what he may read one by one.
func (w *whyWorld) sameLists(what, collection string, can map[string]bool) {
	w.t.Helper()
	for _, u := range w.users {
		var want []string
		for _, e := range w.entities {
			if e.collection == collection && can["read "+collection+" "+e.id+" "+u.id] {
				want = append(want, e.id)
			}
		}
		got := ids(w.t, w.want(w.do("GET", "/appdata/"+kid+"/"+collection, u.session(), ""), 200, ""))
		sort.Strings(got)
		if !slices.Equal(got, want) {
			w.t.Fatalf("%s: %s's list is %v, and he may read %v", what, u.name, got, want)
		}
	}
}

// A whole _acl takes the place of each, and keeps the creator unless it has one.
func TestBulkACLWhole(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	for i := range 3 {
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/notes/n%d", kid, i), alice.session(), `{"_acl":{"gr":true,"x":1}}`), 201, "")
	}
	x := s.bulk("notes", `{"query":{},"change":{"acl":{"r":["bob"],"y":2}}}`)
	acl := s.acls("notes")["n1"]
	if x.Changed != 3 || fmt.Sprint(acl) != fmt.Sprintf("map[creator:%s r:[bob] y:2]", alice.id) {
		t.Errorf("%+v, and then %v", x, acl)
	}
	if x = s.bulk("notes", `{"query":{},"change":{"acl":{"r":["bob"],"creator":"carol"}}}`); x.Changed != 3 || s.acls("notes")["n2"]["creator"] != "carol" {
		t.Errorf("%+v, and then %v", x, s.acls("notes"))
	}
	// To the app, as what the master makes is.
	if x = s.bulk("notes", `{"query":{"_acl.creator":"carol"},"change":{"creator":"`+kid+`"}}`); x.Changed != 3 || s.acls("notes")["n2"]["creator"] != kid {
		t.Errorf("%+v, and then %v", x, s.acls("notes"))
	}
}

// What is bad is refused, and nothing of it is done.
func TestBulkACLRefuses(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	s.want(s.do("PUT", "/group/"+kid+"/sales", asMaster, `{}`), 201, "")
	many := make([]string, 9_999)
	for i := range many {
		many[i] = fmt.Sprintf(`"%d"`, i)
	}
	s.want(s.do("PUT", "/appdata/"+kid+"/notes/a", alice.session(), `{}`), 201, "")
	var lines strings.Builder
	for i := range 300 { // more than one batch
		fmt.Fprintf(&lines, "{\"_id\":\"n%d\"}\n", i)
	}
	s.want(s.do("POST", "/v4/environments/"+kid+"/collections/notes/import", asMaster, lines.String()), 200, "")
	s.want(s.do("PUT", "/appdata/"+kid+"/notes/z", asMaster, `{"_acl":{"r":[`+strings.Join(many, ",")+`]}}`), 201, "")
	path := "/v4/environments/" + kid + "/collections/notes/bulk-acl"
	before := fmt.Sprint(s.acls("notes"))
	for _, c := range []struct {
		body   string
		status int
		name   string
	}{
		{`{`, 400, "JSONParseError"},
		{`[]`, 400, "JSONParseError"},
		{`{"change":{"gr":true}}`, 400, "MissingQuery"},
		{`{"query":{}}`, 400, "MissingRequestParameter"},
		{`{"query":{},"change":{}}`, 400, "MissingRequestParameter"},
		{`{"query":"{}","change":{"gr":true}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{"a":{"$nonsense":1}},"change":{"gr":true}}`, 400, "InvalidQuerySyntax"},
		{`{"query":{"$where":"1"},"change":{"gr":true}}`, 400, "DisallowedQuerySyntax"},
		{`{"query":{},"change":{"gr":"true"}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"gr":true,"grr":true}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"gr":true},"dryrun":true}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"gr":true},"dryRun":"true"}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"gr":true},"limit":0}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"gr":true},"limit":5001}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"r":["alice"]}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"r":{"plus":["alice"]}}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"r":{"add":["nobody"]}}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"r":{"add":[""]}}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"r":{"add":[7]}}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"w":{"add":["alice"],"remove":["` + alice.id + `"]}}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"groups":{"r":{"add":["nogroup"]}}}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"groups":{"x":{"add":["sales"]}}}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"creator":"nobody"}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"creator":null}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"acl":{},"gr":true}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"acl":{"r":7}}}`, 400, "ParameterValueOutOfRange"},
		{`{"query":{},"change":{"acl":null}}`, 400, "ParameterValueOutOfRange"},
		// "z" has no room for two names more: "a" stays as it is, too.
		{`{"query":{},"change":{"r":{"add":["alice"]},"groups":{"w":{"add":["sales"]}}}}`, 413, "BadRequest"},
		{`{"query":{},"change":{"r":{"add":["alice"]},"groups":{"w":{"add":["sales"]}}},"dryRun":true}`, 413, "BadRequest"},
	} {
		s.refusedWith(s.do("POST", path, asMaster, c.body), c.status, c.name, c.body)
	}
	for _, name := range []string{"user", "group", "none", "_x"} {
		if a := s.do("POST", "/v4/environments/"+kid+"/collections/"+name+"/bulk-acl", asMaster, `{"query":{},"change":{"gr":true}}`); a.status < 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if after := fmt.Sprint(s.acls("notes")); after != before {
		t.Errorf("something was done: %.300s", after)
	}
	if none := s.acls("none"); len(none) != 0 {
		t.Errorf("a collection was made: %v", none)
	}
}

func (s *server) refusedWith(a answer, status int, code, what string) {
	s.t.Helper()
	if a.status != status || get(a.json(s.t), "code") != code {
		s.t.Errorf("%.200s: %d %s, want %d %s", what, a.status, a.body, status, code)
	}
}

// Those who have changed show in a delta set, those who have not do not; and entities
// of a size that no commit holds many of are changed all the same.
func TestBulkACLInDeltaSetsAndLargeBatches(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("POST", "/v4/environments/"+kid+"/collections", asMaster, `{"name":"notes","permissions":"append-only","deltaSet":{"enabled":true}}`), 201, "")
	long := strings.Repeat("x", 50_000)
	for i := range 60 {
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/notes/n%02d", kid, i), alice.session(), fmt.Sprintf(`{"k":%d,"long":%q}`, i%2, long)), 201, "")
	}
	since := s.do("GET", "/appdata/"+kid+"/notes", bob.session(), "").header["X-Kinvey-Request-Start"]
	if x := s.bulk("notes", `{"query":{"k":1},"change":{"r":{"add":["bob"]}}}`); x.Matched != 30 || x.Changed != 30 || x.Next != "" {
		t.Errorf("%+v", x)
	}
	delta := s.want(s.do("GET", "/appdata/"+kid+"/notes/_deltaset?since="+since, bob.session(), ""), 200, "").json(t)
	if changed, _ := get(delta, "changed").([]any); len(changed) != 30 {
		t.Errorf("%d of the 30 are in his delta set", len(changed))
	}
	since = s.do("GET", "/appdata/"+kid+"/notes", bob.session(), "").header["X-Kinvey-Request-Start"]
	if x := s.bulk("notes", `{"query":{},"change":{"r":{"remove":["bob"]}}}`); x.Matched != 60 || x.Changed != 30 {
		t.Errorf("%+v", x)
	}
	delta = s.want(s.do("GET", "/appdata/"+kid+"/notes/_deltaset?since="+since, bob.session(), ""), 200, "").json(t)
	if deleted, _ := get(delta, "deleted").([]any); len(deleted) != 30 {
		t.Errorf("%d of the 30 went from him", len(deleted))
	}
}

// An end user has no way to it, whatever he sends, and the app secret has none.
func TestBulkACLIsForManagers(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	s.want(s.do("PUT", "/appdata/"+kid+"/notes/a", alice.session(), `{}`), 201, "")
	before := fmt.Sprint(s.acls("notes"))
	for _, who := range []string{"", asApp, alice.session(), alice.basic(), basic("kid_other", masterSecret)} {
		a := s.do("POST", "/v4/environments/"+kid+"/collections/notes/bulk-acl", who, `{"query":{},"change":{"gw":true}}`)
		if a.status != 401 {
			t.Errorf("%q: %d %s", who, a.status, a.body)
		}
	}
	if after := fmt.Sprint(s.acls("notes")); after != before {
		t.Error("somebody has changed it:", after)
	}
	if a := s.do("POST", "/v4/environments/"+kid+"/collections/notes/bulk-acl", s.operator(), `{"query":{},"change":{"gw":true}}`); a.status != 200 {
		t.Errorf("an operator: %d %s", a.status, a.body)
	}
}

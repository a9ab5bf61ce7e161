package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A whyWorld is users, groups that hold each other, and entities with all kinds of
// _acl in collections of all levels.
type whyWorld struct {
	*server
	users    []user
	entities []whyEntity
}

type whyEntity struct{ collection, id, body string }

func newWhyWorld(t *testing.T, r *rand.Rand) *whyWorld {
	w := &whyWorld{server: start(t)}
	for _, name := range []string{"ann", "ben", "cat", "dan", "eve"} {
		w.users = append(w.users, w.signUp(name))
	}
	some := func(list []string, member func(string) string) string {
		var out []string
		for _, x := range list {
			if r.IntN(4) == 0 {
				out = append(out, member(x))
			}
		}
		return "[" + strings.Join(out, ",") + "]"
	}
	ref := func(id string) string { return `{"_id":"` + id + `"}` }
	quoted := func(id string) string { return `"` + id + `"` }
	var ids []string
	for _, u := range w.users {
		ids = append(ids, u.id)
	}
	groups := []string{"sales", "emea", "board"}
	for _, g := range groups {
		w.want(w.do("PUT", "/group/"+kid+"/"+g, asMaster, fmt.Sprintf(`{"users":{"all":%t,"list":%s},"groups":%s}`, r.IntN(12) == 0, some(ids, ref), some(groups, ref))), 201, "")
	}
	for _, level := range []string{"shared", "private", "read-only", "full"} {
		for i := range 3 {
			acl := fmt.Sprintf(`"creator":%q,"r":%s,"w":%s,"groups":{"r":%s,"w":%s}`, ids[r.IntN(len(ids))],
				some(ids, quoted), some(ids, quoted), some(groups, quoted), some(groups, quoted))
			for _, sw := range []string{"gr", "gw"} {
				if n := r.IntN(4); n < 2 {
					acl += fmt.Sprintf(`,%q:%t`, sw, n == 0)
				}
			}
			e := whyEntity{level, fmt.Sprint("e", i), fmt.Sprintf(`{"n":%d,"_acl":{%s}}`, i, acl)}
			w.entities = append(w.entities, e)
			w.put(e)
		}
		w.setLevel(level, map[string]string{"shared": "append-read", "private": "append-only", "read-only": "read-only", "full": "write"}[level])
	}
	return w
}

// put makes an entity as it was at first.
func (w *whyWorld) put(e whyEntity) {
	w.t.Helper()
	if a := w.do("PUT", "/appdata/"+kid+"/"+e.collection+"/"+e.id, asMaster, e.body); a.status >= 300 {
		w.t.Fatalf("%s: %d %s", e.body, a.status, a.body)
	}
}

// whyAnswer is what the server says of a question.
type whyAnswer struct {
	Allowed        bool
	Rule, Decision string
	Steps          []struct {
		Rule    string
		Decided bool
	}
	WouldAllow []struct{ Change string }
}

func (w *whyWorld) why(user, right string, e whyEntity) (x whyAnswer) {
	w.t.Helper()
	q := url.Values{"user": {user}, "right": {right}, "id": {e.id}}
	a := w.want(w.do("GET", "/v4/environments/"+kid+"/collections/"+e.collection+"/why?"+q.Encode(), asMaster, ""), 200, "")
	if err := json.Unmarshal(a.body, &x); err != nil {
		w.t.Fatal(err)
	}
	return x
}

// try does what a right is for, and tells whether it was done.
func (w *whyWorld) try(u user, right string, e whyEntity) bool {
	path := "/appdata/" + kid + "/" + e.collection
	switch right {
	case "read":
		return w.do("GET", path+"/"+e.id, u.session(), "").status == 200
	case "write":
		return w.do("PUT", path+"/"+e.id, u.session(), `{"n":"written"}`).status == 200
	case "acl":
		// A writer's _acl is passed over, so what counts is what is there afterwards.
		w.do("PUT", path+"/"+e.id, u.session(), `{"n":"written","_acl":{"r":["x"]}}`)
		now := get(w.want(w.do("GET", path+"/"+e.id, asMaster, ""), 200, "").json(w.t), "_acl", "r")
		w.put(e)
		return fmt.Sprint(now) == "[x]"
	case "delete":
		return w.do("DELETE", path+"/"+e.id, u.session(), "").status == 200
	}
	return w.do("POST", path, u.session(), `{"n":"new"}`).status == 201
}

// "Explain equals enforcement": what is said of a right is what HTTP does, for
// every user, entity and operation.
func TestWhyIsWhatIsDone(t *testing.T) {
	asked, allowed := 0, 0
	for seed := range uint64(4) {
		w := newWhyWorld(t, rand.New(rand.NewPCG(seed, 0)))
		for _, e := range w.entities {
			can := map[string][]string{}
			for _, u := range w.users {
				for _, right := range []string{"read", "write", "acl", "create", "delete"} {
					x := w.why(u.name, right, e)
					did := w.try(u, right, e)
					asked++
					if x.Allowed != did {
						t.Fatalf("seed %d, %s, %s of %s/%s %s: %s, and it is %t", seed, u.name, right, e.collection, e.id, e.body, x.Decision, did)
					}
					if last := x.Steps[len(x.Steps)-1]; last.Rule != x.Rule || !last.Decided || x.Allowed != (len(x.WouldAllow) == 0) {
						t.Errorf("%s by %+v, and %+v would allow it", x.Decision, x.Steps, x.WouldAllow)
					}
					if did {
						allowed++
						can[right] = append(can[right], u.id)
						if right != "read" {
							w.put(e)
						}
					}
				}
			}
			for _, right := range []string{"read", "write", "acl", "delete"} {
				slices.Sort(can[right])
				if got := w.whoCan(right, e, 2); !slices.Equal(got, can[right]) {
					t.Errorf("seed %d: who can %s %s/%s: %v, and it is %v", seed, right, e.collection, e.id, got, can[right])
				}
			}
		}
		w.sees(t)
		w.stop()
	}
	if allowed*10 < asked || allowed*10 > asked*9 {
		t.Errorf("%d of %d are allowed: a test of little", allowed, asked)
	}
	t.Logf("figure: %d questions why answered as HTTP does, %d of them allowed", asked, allowed)
}

// whoCan reads the list of those who may, page by page.
func (w *whyWorld) whoCan(right string, e whyEntity, page int) (ids []string) {
	w.t.Helper()
	for {
		var x struct {
			Count int
			List  []struct {
				User struct {
					ID string `json:"_id"`
				}
				Rule string
			}
		}
		q := url.Values{"right": {right}, "id": {e.id}, "skip": {fmt.Sprint(len(ids))}, "limit": {fmt.Sprint(page)}}
		a := w.want(w.do("GET", "/v4/environments/"+kid+"/collections/"+e.collection+"/who-can?"+q.Encode(), asMaster, ""), 200, "")
		if err := json.Unmarshal(a.body, &x); err != nil {
			w.t.Fatal(err)
		}
		for _, one := range x.List {
			ids = append(ids, one.User.ID)
		}
		if len(x.List) == 0 || len(ids) >= x.Count {
			return ids
		}
	}
}

// sees compares what is said of what users see with what they count.
func (w *whyWorld) sees(t *testing.T) {
	t.Helper()
	for _, u := range w.users {
		var x struct {
			Collections []struct {
				Name               string
				Readable, Entities int
			}
			Groups []struct {
				ID   string `json:"_id"`
				Path []string
			}
		}
		a := w.want(w.do("GET", "/v4/environments/"+kid+"/visible?user="+u.name, asMaster, ""), 200, "")
		if err := json.Unmarshal(a.body, &x); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, c := range x.Collections {
			if c.Name == "user" {
				continue
			}
			seen++
			if n := get(w.want(w.do("GET", "/appdata/"+kid+"/"+c.Name+"/_count", u.session(), ""), 200, "").json(t), "count"); fmt.Sprint(n) != fmt.Sprint(c.Readable) {
				t.Errorf("%s sees %v of %s, not %d", u.name, n, c.Name, c.Readable)
			}
			if n := get(w.want(w.do("GET", "/appdata/"+kid+"/"+c.Name+"/_count", asMaster, ""), 200, "").json(t), "count"); fmt.Sprint(n) != fmt.Sprint(c.Entities) {
				t.Errorf("there are %v in %s, not %d", n, c.Name, c.Entities)
			}
		}
		if seen != 4 {
			t.Errorf("%d collections", seen)
		}
		var in []string
		for _, g := range x.Groups {
			in = append(in, g.ID)
			// A way goes from the group down to one that names him, or everybody.
			for i, id := range g.Path {
				next := u.id
				if i+1 < len(g.Path) {
					next = g.Path[i+1]
				}
				a := w.want(w.do("GET", "/group/"+kid+"/"+id, asMaster, ""), 200, "")
				if body := string(a.body); g.Path[0] != g.ID || !strings.Contains(body, `"`+next+`"`) && !strings.Contains(body, `"all":true`) {
					t.Errorf("%s is in %s by %q, and there is %s", u.name, g.ID, g.Path, body)
				}
			}
		}
		var want []string
		for _, id := range []string{"board", "emea", "sales"} {
			if w.member(id, u.id, 0) {
				want = append(want, id)
			}
		}
		if !slices.Equal(in, want) {
			t.Errorf("%s is in %q, not %q", u.name, in, want)
		}
	}
}

// member tells whether a group holds a user, itself or by what is inside it.
func (w *whyWorld) member(group, user string, depth int) bool {
	def := w.want(w.do("GET", "/group/"+kid+"/"+group, asMaster, ""), 200, "").json(w.t)
	if strings.Contains(fmt.Sprint(get(def, "users")), user) || get(def, "users", "all") == true {
		return true
	}
	inside, _ := get(def, "groups").([]any)
	return depth < 3 && slices.ContainsFunc(inside, func(g any) bool { return w.member(fmt.Sprint(get(g, "_id")), user, depth+1) })
}

// Who is suspended is nobody, and is told so; and who asks without being a
// manager is told nothing.
func TestWhyOfNobody(t *testing.T) {
	w := newWhyWorld(t, rand.New(rand.NewPCG(1, 0)))
	e, ann := w.entities[0], w.users[0]
	w.want(w.do("DELETE", "/user/"+kid+"/"+ann.id+"?soft=true", asMaster, ""), 204, "")
	if x := w.why(ann.id, "read", e); x.Allowed || x.Rule != "R1" || len(x.WouldAllow) != 0 {
		t.Errorf("a suspended user: %+v", x)
	}
	if ids := w.whoCan("read", e, 100); slices.Contains(ids, ann.id) {
		t.Error("a suspended user can read")
	}
	base := "/v4/environments/" + kid + "/collections/" + e.collection
	for path, want := range map[string]string{
		base + "/why?user=ben&right=read&id=nosuch":  "EntityNotFound",
		base + "/why?user=nosuch&right=read&id=e0":   "UserNotFound",
		base + "/why?user=ben&right=rule&id=e0":      "ParameterValueOutOfRange",
		base + "x/why?user=ben&right=read&id=e0":     "CollectionNotFound",
		base + "/who-can?right=create&id=e0":         "ParameterValueOutOfRange",
		base + "/who-can?right=read&id=nosuch":       "EntityNotFound",
		"/v4/environments/" + kid + "/visible?user=": "UserNotFound",
	} {
		if a := w.do("GET", path, asMaster, ""); !strings.Contains(string(a.body), `"`+want+`"`) {
			t.Errorf("%s: %d %s, want %s", path, a.status, a.body, want)
		}
		for name, who := range map[string]string{"the app": asApp, "a user": w.users[1].session(), "nobody": ""} {
			if a := w.do("GET", path, who, ""); a.status != 401 || strings.Contains(string(a.body), want) {
				t.Errorf("%s: %s is told %d %s", path, name, a.status, a.body)
			}
		}
	}
}

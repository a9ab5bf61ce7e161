package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"postern/engine/store"
)

// Two servers get the same requests: one makes its indexes anew all the time
// and an order for every field that was asked for a few times, the other never
// does and looks through all that is visible. Every answer must be the same,
// whatever was rebuilt in between, by whom, and when.
func TestIndexesChangeNoAnswer(t *testing.T) {
	n := seed(t)
	requests := 20_000
	if testing.Short() {
		requests = 3000
	}
	r := rand.New(rand.NewPCG(n, 17))
	compared, rows := 0, 0
	for world := uint64(0); compared < requests; world++ {
		clock := newClock()
		with := func(rebuild, orders int) *server {
			return start(t, func(o *options) {
				o.config.Clock, o.config.Random = clock.Now, newSeeded(n+world)
				o.config.RebuildAfter, o.config.OrderAfter = rebuild, orders
			})
		}
		pair := [2]*server{with(1+r.IntN([]int{40, 400}[world%2]), 1+r.IntN(60)), with(1<<30, 1<<30)}
		var people []string
		for i := range 4 {
			var tokens [2]user
			for k, s := range pair {
				tokens[k] = s.signUp(fmt.Sprint("user", i))
			}
			if tokens[0] != tokens[1] {
				t.Fatal("the two servers do not begin alike")
			}
			people = append(people, tokens[0].session())
		}
		people = append(people, asMaster)
		level := []string{"append-read", "append-only", "read-only", "write"}
		for range 1000 {
			clock.Add(time.Millisecond)
			method, path, body := "GET", "/appdata/"+kid+"/things", ""
			who := people[r.IntN(len(people))]
			switch act := r.IntN(20); {
			case act < 9:
				method, path, body = "PUT", path+fmt.Sprint("/e", r.IntN(things)), thing(r)
			case act == 9:
				method, path = "DELETE", path+fmt.Sprint("/e", r.IntN(things))
			case act == 10 && r.IntN(6) == 0:
				method, path = "DELETE", path+"?query="+url.QueryEscape(condition(r))
			case act == 11 && r.IntN(4) == 0:
				who, method, path = asMaster, "PUT", "/v4/environments/"+kid+"/collections/things"
				body = fmt.Sprintf(`{"permissions":%q}`, level[r.IntN(4)])
			case act == 12:
				path += "/_count?query=" + url.QueryEscape(condition(r))
			case act == 13:
				path += fmt.Sprint("/e", r.IntN(things))
			default:
				path += window(r)
			}
			a, b := pair[0].do(method, path, who, body), pair[1].do(method, path, who, body)
			// A write may join a group that began a moment ago, and get its time.
			if a.status != b.status || !bytes.Equal(times.ReplaceAll(a.body, nil), times.ReplaceAll(b.body, nil)) {
				t.Fatalf("world %d: %s %s %s by %.12s\n  with indexes %d %.2000s\n  without      %d %.2000s", world, method, path, body, who, a.status, a.body, b.status, b.body)
			}
			compared++
			rows += bytes.Count(a.body, []byte(`"_id"`))
		}
		pair[0].stop()
		pair[1].stop()
	}
	t.Logf("figure: %d answers with %d entities are the same with indexes and without", compared, rows)
}

// things is how many ids there are.
const things = 200

var times = regexp.MustCompile(`"(lmt|ect)":"[^"]*"`)

// thing is a document with fields of all kinds.
func thing(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	value := func() string {
		return pick(fmt.Sprint(r.IntN(9)), fmt.Sprint(-r.IntN(3)), "1.5", "1e2", `"a"`, `"ab"`, `"b"`, "null", "true", "false", `{"x":1}`, fmt.Sprint(r.IntN(9)))
	}
	var members []string
	for _, name := range []string{"a", "b", "c"} {
		switch r.IntN(8) {
		case 0:
		case 1:
			if name == "c" { // a and b stay without arrays in most worlds
				members = append(members, fmt.Sprintf(`%q:[%s,%s]`, name, value(), value()))
			}
		default:
			members = append(members, fmt.Sprintf(`%q:%s`, name, value()))
		}
	}
	if r.IntN(3) == 0 {
		members = append(members, `"_acl":`+pick(`{"gr":false}`, `{"gr":true}`, `{"gw":true,"gr":true}`, `{"gw":true}`))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// condition is a filter on one or two fields.
func condition(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	value := func() string { return pick(fmt.Sprint(r.IntN(9)), `"a"`, `"ab"`, "true", "null", "1.5") }
	one := func() string {
		field := pick("a", "b", "c")
		switch r.IntN(6) {
		case 0, 1:
			return fmt.Sprintf(`%q:%s`, field, value())
		case 2:
			return fmt.Sprintf(`%q:{"$gt":%s}`, field, value())
		case 3:
			return fmt.Sprintf(`%q:{"$gte":%s,"$lt":%s}`, field, value(), value())
		case 4:
			return fmt.Sprintf(`%q:{"$in":[%s,%s]}`, field, value(), value())
		}
		return fmt.Sprintf(`"_id":"e%d"`, r.IntN(things))
	}
	first, second := one(), one()
	if r.IntN(2) == 0 || first[:3] == second[:3] {
		return "{" + first + "}"
	}
	return "{" + first + "," + second + "}"
}

// window is the parameters of a list.
func window(r *rand.Rand) string {
	v := url.Values{}
	if r.IntN(3) > 0 {
		v.Set("query", condition(r))
	}
	if r.IntN(2) == 0 {
		v.Set("sort", []string{"a", `{"a":-1}`, "b", `{"b":1,"a":-1}`, "c", "_id", `{"_id":-1}`}[r.IntN(7)])
	}
	if r.IntN(2) == 0 {
		v.Set("limit", fmt.Sprint(r.IntN(12)))
	}
	if r.IntN(3) == 0 {
		v.Set("skip", fmt.Sprint(r.IntN(12)))
	}
	return "?" + v.Encode()
}

// A query that is too expensive is told that an index is being made, and then
// it is answered, for it costs no more than what it asks for.
func TestExpensiveQueryGetsAnIndex(t *testing.T) {
	for name, params := range map[string]string{
		"a sort":                   "sort=n&limit=3",
		"a range":                  "query=" + url.QueryEscape(`{"n":{"$gte":30,"$lt":33}}`),
		"an equality":              "query=" + url.QueryEscape(`{"n":31}`),
		"an equality and a sort":   "sort=m&query=" + url.QueryEscape(`{"n":31}`),
		"a sort within a range":    "sort=n&query=" + url.QueryEscape(`{"n":{"$gte":30,"$lt":33}}`),
		"a sort downwards, a part": `sort={"n":-1}&limit=3&query=` + url.QueryEscape(`{"n":{"$lt":40}}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(o *options) {
				o.config.QueryRows, o.config.RebuildAfter, o.config.OrderAfter = 20, 1<<30, 10
			})
			u := s.signUp("u")
			for i := range 60 {
				s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/things/e%d", kid, i), u.session(), fmt.Sprintf(`{"n":%d,"m":%d}`, (i*7)%60, i%5)), 201, "")
			}
			a := s.want(s.do("GET", "/appdata/"+kid+"/things?"+params, u.session(), ""), 400, "ResultSetSizeExceeded")
			if debug, _ := get(a.json(t), "debug").(string); !strings.Contains(debug, "an index for it is being made") {
				t.Errorf("debug %q", debug)
			}
			for deadline := time.Now().Add(time.Minute); a.status == 400; runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatalf("still %s", a.body)
				}
				a = s.do("GET", "/appdata/"+kid+"/things?"+params, u.session(), "")
			}
			if got := ids(t, a); len(got) == 0 || len(got) > 3 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// An order on a field that few of the visible entities have is not made.
func TestNoOrderOnARareField(t *testing.T) {
	s := start(t, func(o *options) { o.config.QueryRows, o.config.OrderAfter = 20, 10 })
	u := s.signUp("u")
	for i := range 60 {
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/things/e%d", kid, i), u.session(), `{"n":1}`), 201, "")
	}
	for range 10 {
		a := s.want(s.do("GET", "/appdata/"+kid+"/things?sort=absent", u.session(), ""), 400, "ResultSetSizeExceeded")
		if debug, _ := get(a.json(t), "debug").(string); strings.Contains(debug, "index") {
			t.Errorf("debug %q", debug)
		}
	}
}

// Who is suspended is in no list, also not in one that asks for his id alone,
// whether he is in the base of an index or came after it.
func TestSuspendedUserIsNotListedByID(t *testing.T) {
	dir := t.TempDir()
	open := func() *server {
		driver, err := store.OpenBadger(dir, store.Options{NoBallast: true})
		if err != nil {
			t.Fatal(err)
		}
		return start(t, func(o *options) { o.driver, o.config.RebuildAfter = driver, 1<<30 })
	}
	s := open()
	u := s.signUp("u")
	byID := "/user/" + kid + "?query=" + url.QueryEscape(fmt.Sprintf(`{"_id":%q}`, u.id))
	wantIDs(s, s.do("GET", byID, asMaster, ""), u.id)
	s.want(s.do("DELETE", "/user/"+kid+"/"+u.id, u.session(), ""), 204, "")
	wantIDs(s, s.do("GET", byID, asMaster, ""), "")
	s.stop()
	s = open() // loaded into a base
	wantIDs(s, s.do("GET", byID, asMaster, ""), "")
}

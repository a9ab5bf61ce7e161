package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/engine/store"
)

// Two servers get the same requests: one makes its indexes anew all the time
// and an order for every field that was asked for a few times, has others pinned
// and forbidden, and throws some out for others; the other never does and looks
// through all that is visible. Every answer must be the same, whatever was
// rebuilt in between, by whom, and when.
func TestIndexesChangeNoAnswer(t *testing.T) {
	n := seed(t)
	requests := 20_000
	if testing.Short() {
		requests = 3000
	}
	r := rand.New(rand.NewPCG(n, 17))
	compared, rows, displaced := 0, 0, 0
	ways := map[string]int{}
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
		arrays := []int{0, 8, 2}[world%3] // of how many values one is an array; 0: only some of c
		level := []string{"append-read", "append-only", "read-only", "write"}
		for range 1000 {
			clock.Add(time.Millisecond)
			if r.IntN(40) == 0 {
				clock.Add(6 * time.Minute)
			}
			method, path, body := "GET", "/appdata/"+kid+"/things", ""
			who := people[r.IntN(len(people))]
			if r.IntN(60) == 0 {
				s := pair[0]
				if a := s.do("PUT", ordersPath("things"), asMaster, pinning(r)); a.status != 200 && a.status != 404 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				s.do("PUT", ordersPath("none"), asMaster, "")
				pair[1].do("PUT", ordersPath("none"), asMaster, "")
				pair[1].do("PUT", ordersPath("none"), asMaster, "")
			}
			switch act := r.IntN(20); {
			case act < 9:
				method, path, body = "PUT", path+fmt.Sprint("/e", r.IntN(things)), thing(r, arrays)
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
				if r.IntN(4) == 0 && who != asMaster {
					countWay(ways, pair[0], path)
				}
			}
			a, b := pair[0].do(method, path, who, body), pair[1].do(method, path, who, body)
			// A write may join a group that began a moment ago, and get its time.
			if a.status != b.status || !bytes.Equal(times.ReplaceAll(a.body, nil), times.ReplaceAll(b.body, nil)) {
				t.Fatalf("world %d: %s %s %s by %.12s\n  with indexes %d %.2000s\n  without      %d %.2000s", world, method, path, body, who, a.status, a.body, b.status, b.body)
			}
			compared++
			rows += bytes.Count(a.body, []byte(`"_id"`))
		}
		displaced += displacements(pair[0])
		pair[0].stop()
		pair[1].stop()
	}
	t.Logf("figure: %d answers with %d entities are the same with indexes and without; %d orders had to go for others; of some, %v", compared, rows, displaced, ways)
	for _, way := range []string{"id", "order", "interval", "scan", "arrays apart", "several parts", "put in order"} {
		if ways[way] == 0 {
			t.Errorf("no query was answered by %s", way)
		}
	}
	if displaced == 0 && !testing.Short() {
		t.Error("no order had to go for another one")
	}
}

// things is how many ids there are.
const things = 200

var times = regexp.MustCompile(`"(lmt|ect)":"[^"]*"`)

// countWay counts how a list is answered, to the master.
func countWay(ways map[string]int, s *server, path string) {
	_, params, _ := strings.Cut(path, "?")
	a := s.do("GET", "/v4/environments/"+kid+"/collections/things/explain-query?"+params, asMaster, "")
	if a.status != 200 {
		return // there is no collection yet
	}
	e := decoded[explained](s, a)
	ways[e.Plan.By]++
	for way, is := range map[string]bool{"arrays apart": e.Plan.ArraysApart, "several parts": len(e.Plan.Parts) > 1, "put in order": e.Plan.Resort} {
		if is {
			ways[way]++
		}
	}
}

// displacements is how many orders had to go for others.
func displacements(s *server) (n int) {
	for line := range strings.Lines(string(s.do("GET", "/-/metrics", "", "").body)) {
		if text, ok := strings.CutPrefix(line, "postern_index_displaced_total "); ok {
			n, _ = strconv.Atoi(strings.TrimSpace(text))
		}
	}
	return n
}

// pinning is what the orders of a collection are set to.
func pinning(r *rand.Rand) string {
	names := []string{"a", "-a", "b", "b,-a", "c", "-c,a", "a,b"}
	r.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	pins := r.IntN(4)
	body, _ := json.Marshal(map[string][]string{"pin": names[:pins], "forbid": names[pins : pins+r.IntN(3)]})
	return string(body)
}

// thing is a document with fields of all kinds; one value in arrays is an array.
func thing(r *rand.Rand, arrays int) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	value := func() string {
		return pick(fmt.Sprint(r.IntN(9)), fmt.Sprint(-r.IntN(3)), "1.5", "1e2", `"a"`, `"ab"`, `"b"`, "null", "true", "false", `{"x":1}`, fmt.Sprint(r.IntN(9)))
	}
	var members []string
	for _, name := range []string{"a", "b", "c"} {
		switch r.IntN(8) {
		case 0:
		case 1:
			if name == "c" { // also where a and b stay without arrays
				members = append(members, fmt.Sprintf(`%q:[%s,%s]`, name, value(), value()))
			}
		default:
			text := value()
			if arrays > 0 && r.IntN(arrays) == 0 {
				text = pick("[]", "["+text+"]", "["+value()+","+text+"]", "["+text+",["+value()+"]]")
			}
			members = append(members, fmt.Sprintf(`%q:%s`, name, text))
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
		switch r.IntN(8) {
		case 0, 1:
			return fmt.Sprintf(`%q:%s`, field, value())
		case 2:
			return fmt.Sprintf(`%q:{"$gt":%s}`, field, value())
		case 3:
			return fmt.Sprintf(`%q:{"$gte":%s,"$lt":%s}`, field, value(), value())
		case 4:
			return fmt.Sprintf(`%q:{"$in":[%s,%s]}`, field, value(), value())
		case 5:
			return fmt.Sprintf(`%q:{"$in":[%s,%s,%s],"$lte":%s}`, field, value(), value(), value(), value())
		case 6:
			return fmt.Sprintf(`"_id":{"$in":["e%d","e%d","e%d","none"]}`, r.IntN(things), r.IntN(things), r.IntN(things))
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

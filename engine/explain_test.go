package engine_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// How a subject's query is answered, and what that takes, does not depend on
// what he may not see: not on arrays in it, not on how much of it there is, not
// on whether it is in the base or came later, or is gone again. (Positions do,
// which is why explaining is for the master.)
func TestHiddenEntitiesDoNotChangeThePlan(t *testing.T) {
	s := start(t, func(o *options) {
		o.config.RebuildAfter, o.config.OrderAfter, o.config.QueryRows = 1<<30, 1<<30, 150
	})
	viewer, other := s.signUp("viewer"), s.signUp("other")
	s.want(s.do("POST", "/appdata/"+kid+"/things", asMaster, `{"_id":"first"}`), 201, "")
	s.setLevel("things", "private")
	put := func(who user, entities []string) {
		for some := range slices.Chunk(entities, 100) {
			s.want(s.do("POST", "/appdata/"+kid+"/things", who.session(), "["+strings.Join(some, ",")+"]", "X-Kinvey-Api-Version", "5"), 201, "")
		}
	}
	var own []string
	for i := range 200 {
		n := fmt.Sprint(i % 40)
		if i%50 == 1 {
			n = fmt.Sprintf("[%d,1,77]", i%40)
		}
		own = append(own, fmt.Sprintf(`{"_id":"v%d","n":%s,"m":%d,"s":%d,"l":[%d]}`, i, n, i%7, i, i%5))
	}
	put(viewer, own)
	pins := []string{"n", "n,-m", "-m", "s", "l"}
	again := 0
	rebuild := func() { // one more order, so that there is a new base
		again++
		more := fmt.Sprintf("again%d", again)
		list, _ := json.Marshal(append(slices.Clone(pins), more))
		s.setOrders("things", fmt.Sprintf(`{"pin":%s}`, list))
		s.awaitReady("things", append(slices.Clone(pins), more)...)
	}
	rebuild()
	type question struct{ query, sort, skip, limit string }
	var questions []question
	for _, query := range []string{"", `{"n":1}`, `{"n":{"$in":[1,2,77]}}`, `{"n":{"$lt":2}}`, `{"n":{"$gte":1}}`, `{"n":1,"m":3}`, `{"m":{"$gt":5}}`, `{"s":{"$lt":20}}`, `{"s":{"$lt":160}}`, `{"l":3}`, `{"x":1}`, `{"m":{"$gt":5,"$lt":5}}`, `{"m":1,"$and":[{"m":2}]}`,
		`{"_id":{"$in":["v1","v2","h1","h2"]}}`, `{"_id":"h1"}`} {
		for _, sort := range []string{"", `{"n":1}`, `{"m":-1}`, `{"s":1}`, `{"x":1}`} {
			questions = append(questions, question{query, sort, "0", "0"}, question{query, sort, "2", "5"})
		}
	}
	type outcome struct {
		plan explained
		body string
	}
	ask := func() (all []outcome) {
		for _, q := range questions {
			v := url.Values{"query": {q.query}, "sort": {q.sort}, "skip": {q.skip}}
			params := []string{"query", q.query, "sort", q.sort, "skip", q.skip, "user", "viewer"}
			if q.limit != "0" {
				v.Set("limit", q.limit)
				params = append(params, "limit", q.limit)
			}
			a := s.do("GET", "/appdata/"+kid+"/things?"+v.Encode(), viewer.session(), "")
			e := s.explain("things", params...)
			if e.User != viewer.id {
				t.Fatalf("%+v", e)
			}
			all = append(all, outcome{e, fmt.Sprint(a.status, string(a.body))})
		}
		return all
	}
	before := ask()
	seen := map[string]int{}
	for _, o := range before {
		seen[o.plan.Plan.By]++
		for what, is := range map[string]bool{"arrays apart": o.plan.Plan.ArraysApart, "put in order": o.plan.Plan.Resort, "spent": o.plan.Run.Spent, "wants": o.plan.Plan.Want != nil} {
			if is {
				seen[what]++
			}
		}
	}
	for _, what := range []string{"nothing", "id", "order", "interval", "scan", "arrays apart", "put in order", "spent", "wants"} {
		if seen[what] == 0 {
			t.Errorf("no question is about %s: %v", what, seen)
		}
	}
	most := 0
	same := func(when string) {
		t.Helper()
		for i, now := range ask() {
			was := before[i]
			most = max(most, now.plan.Run.Touched-was.plan.Run.Touched)
			for _, e := range []*explained{&was.plan, &now.plan} {
				for p := range e.Plan.Parts {
					e.Plan.Parts[p] = struct{ From, To, Late int }{}
				}
				e.Run.Touched = 0
			}
			a, _ := json.Marshal(was.plan)
			b, _ := json.Marshal(now.plan)
			if string(a) != string(b) || was.body != now.body {
				t.Errorf("%s: %+v\nbefore %s\n%.300s\nafter  %s\n%.300s", when, questions[i], a, was.body, b, now.body)
			}
		}
	}
	var hidden []string
	for i := range 3000 {
		n := "1"
		if i%3 == 0 {
			n = "[1,2,3]"
		}
		hidden = append(hidden, fmt.Sprintf(`{"_id":"h%d","n":%s,"m":6,"s":1,"l":3,"x":[1]}`, i, n))
	}
	put(other, hidden)
	same("hidden ones came late")
	rebuild()
	same("hidden ones are in the base")
	for i := range hidden {
		s.want(s.do("DELETE", fmt.Sprintf("/appdata/%s/things/h%d", kid, i), other.session(), ""), 200, "")
	}
	same("hidden ones are gone")
	rebuild()
	same("nothing is left of hidden ones")
	t.Logf("figure: %d questions of a user about 200 entities have the same plan, rows and answer beside 3000 hidden ones, %v; the most that was touched more is %d", len(questions), seen, most)
}

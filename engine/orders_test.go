package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/engine/store"
)

// ordersTold is what the management tells of the orders of a collection.
type ordersTold struct {
	Orders []struct {
		Sort, Made, State, LastUsed string
		Bytes, Entities, Queries    int
	}
	Wants []struct {
		Sort, State   string
		Queries, Rows int
	}
	Pin, Forbid []string
}

func (o ordersTold) state(sort string) string {
	for _, one := range o.Orders {
		if one.Sort == sort {
			return one.Made + " " + one.State
		}
	}
	for _, one := range o.Wants {
		if one.Sort == sort {
			return "wants " + one.State
		}
	}
	return ""
}

// explained is what the management tells of a query.
type explained struct {
	User string
	Plan struct {
		By, Order           string
		Parts               []struct{ From, To, Late int }
		ArraysApart, Resort bool
		Filter              []string
		Sort                string
		Want                *struct{ Sort, State string }
	}
	Run struct {
		Rows, Matched, Touched, Returned int
		Spent                            bool
		Error                            string
	}
}

func decoded[T any](s *server, a answer) (v T) {
	s.t.Helper()
	if err := json.Unmarshal(s.want(a, 200, "").body, &v); err != nil {
		s.t.Fatal(err)
	}
	return v
}

func ordersPath(collection string) string {
	return "/v4/environments/" + kid + "/collections/" + collection + "/orders"
}

func (s *server) orders(collection string) ordersTold {
	s.t.Helper()
	return decoded[ordersTold](s, s.do("GET", ordersPath(collection), asMaster, ""))
}

func (s *server) setOrders(collection, body string) ordersTold {
	s.t.Helper()
	return decoded[ordersTold](s, s.do("PUT", ordersPath(collection), asMaster, body))
}

// explain asks with the parameters of a list: name, value pairs.
func (s *server) explain(collection string, params ...string) explained {
	s.t.Helper()
	v := url.Values{}
	for i := 0; i < len(params); i += 2 {
		v.Set(params[i], params[i+1])
	}
	return decoded[explained](s, s.do("GET", "/v4/environments/"+kid+"/collections/"+collection+"/explain-query?"+v.Encode(), asMaster, ""))
}

// await waits until the orders of a collection are as wanted.
func (s *server) await(collection string, done func(o ordersTold) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		o := s.orders(collection)
		if done(o) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the orders of %s stay %+v", collection, o)
		}
	}
}

func (s *server) awaitReady(collection string, sorts ...string) {
	s.t.Helper()
	s.await(collection, func(o ordersTold) bool {
		return !slices.ContainsFunc(sorts, func(sort string) bool { return !strings.HasSuffix(o.state(sort), " ready") })
	})
}

// A pinned order is made and stays, also over a restart, a change of the level
// and the removal of the data; a forbidden one goes and is not made again.
func TestOrdersArePinnedAndForbidden(t *testing.T) {
	dir := t.TempDir()
	open := func() *server {
		driver, err := store.OpenBadger(dir, store.Options{NoBallast: true})
		if err != nil {
			t.Fatal(err)
		}
		return start(t, func(o *options) {
			o.driver, o.config.RebuildAfter, o.config.OrderAfter, o.config.QueryRows = driver, 1<<30, 10, 20
		})
	}
	s := open()
	fill := func() {
		for i := range 40 {
			s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/things/e%d", kid, i), asMaster, fmt.Sprintf(`{"n":%d,"m":%d,"x":%d}`, i, -i, i%7)), 201, "")
		}
	}
	fill()
	if o := s.setOrders("things", `{"pin":["-n","m,-x"],"forbid":["x"]}`); !slices.Equal(o.Pin, []string{"-n", "m,-x"}) || !slices.Equal(o.Forbid, []string{"x"}) {
		t.Errorf("%+v", o)
	}
	s.awaitReady("things", "-n", "m,-x")
	for _, one := range s.orders("things").Orders {
		if one.Bytes == 0 || one.Entities != 40 || one.Made != map[bool]string{true: "always", false: "pin"}[one.Sort == "_id"] {
			t.Errorf("%+v", one)
		}
	}
	path := "/appdata/" + kid + "/things"
	s.want(s.do("GET", path+"?sort="+url.QueryEscape(`{"n":-1}`)+"&limit=2", asMaster, ""), 200, "")
	// What is forbidden is not made, and nobody is told that it were.
	for range 5 {
		a := s.want(s.do("GET", path+"?sort=x", asMaster, ""), 400, "ResultSetSizeExceeded")
		if bytes.Contains(a.body, []byte("index")) {
			t.Errorf("%s", a.body)
		}
	}
	if e := s.explain("things", "sort", "x"); e.Plan.By != "scan" || e.Plan.Want == nil || *e.Plan.Want != (struct{ Sort, State string }{"x", "forbidden"}) || !e.Run.Spent {
		t.Errorf("%+v", e)
	}
	if got := s.orders("things").state("x"); got != "" {
		t.Errorf("x is %s", got)
	}
	// One that is there goes when it is forbidden, and its query is dear again.
	s.want(s.do("GET", path+"?sort=m", asMaster, ""), 400, "ResultSetSizeExceeded")
	s.awaitReady("things", "m")
	s.want(s.do("GET", path+"?sort=m&limit=1", asMaster, ""), 200, "")
	if got := s.orders("things").state("m"); got != "use ready" {
		t.Errorf("m is %s", got)
	}
	s.setOrders("things", `{"forbid":["m","x"]}`) // what is not named stays: the pins
	s.await("things", func(o ordersTold) bool { return o.state("m") == "" })
	s.want(s.do("GET", path+"?sort=m&limit=1", asMaster, ""), 400, "ResultSetSizeExceeded")
	// Changes of other settings keep them.
	s.setLevel("things", "private")
	s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/things", asMaster, `{"deltaSet":{"enabled":true}}`), 200, "")
	s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/things", asMaster, `{"deltaSet":{"enabled":false}}`), 200, "")
	s.want(s.do("POST", "/rpc/"+kid+"/remove-collection", asMaster, `{"collectionName":"things"}`,
		"X-Kinvey-Delete-Entire-Collection", "true", "X-Kinvey-Retain-Collection-Metadata", "true"), 200, "")
	fill()
	s.awaitReady("things", "-n", "m,-x")
	s.stop()
	s = open()
	s.awaitReady("things", "-n", "m,-x")
	if e := s.explain("things", "query", `{"m":{"$gte":-2}}`, "sort", `{"m":1,"x":-1}`); e.Plan.By != "interval" || e.Plan.Order != "m,-x" || e.Run.Rows != 3 || e.Run.Matched != 3 || e.Run.Returned != 3 || e.Run.Spent {
		t.Errorf("%+v", e)
	}
	if o := s.orders("things"); !slices.Equal(o.Forbid, []string{"m", "x"}) {
		t.Errorf("after a restart %+v", o)
	}
	// Without a pin it stays while there is room; a new collection has none.
	if o := s.setOrders("things", `{"pin":[],"forbid":[]}`); o.state("-n") != "use ready" {
		t.Errorf("%+v", o)
	}
	s.setOrders("things", `{"pin":["-n"]}`)
	s.want(s.do("DELETE", "/v4/environments/"+kid+"/collections/things", asMaster, ""), 204, "")
	s.want(s.do("GET", ordersPath("things"), asMaster, ""), 404, "")
	fill()
	if o := s.orders("things"); len(o.Orders) != 1 || len(o.Pin) != 0 {
		t.Errorf("a new collection has %+v", o)
	}
}

// What is no list of orders is refused, with a word why, and changes nothing.
func TestOrdersAreRefused(t *testing.T) {
	s := start(t)
	u := s.signUp("u")
	s.want(s.do("POST", "/appdata/"+kid+"/things", u.session(), `{}`), 201, "")
	s.setOrders("things", `{"pin":["n"]}`)
	many := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"f%d"`, i))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for body, why := range map[string]string{
		`{"pin":"n"}`:                     "list of orders",
		`{"pin":[1]}`:                     "list of orders",
		`{"pin":null}`:                    "list of orders",
		`{"pin":["a,"]}`:                  "commas between them",
		`{"pin":[""]}`:                    "is no order",
		`{"forbid":["$a"]}`:               "starts with '$'",
		`{"forbid":["_id"]}`:              "always there",
		`{"pin":["a","a"]}`:               "twice",
		`{"pin":["a"],"forbid":["a"]}`:    "both pinned and forbidden",
		`{"forbid":["n"]}`:                "both pinned and forbidden",
		`{"pins":["a"]}`:                  "unknown member",
		`{"pin":` + many(9) + `}`:         "more than 8",
		`{"forbid":` + many(65) + `}`:     "more than 64",
		`{"pin":["a"],"orders":["-a,b"]}`: "unknown member",
	} {
		a := s.do("PUT", ordersPath("things"), asMaster, body)
		if a.status != 400 || get(a.json(t), "code") != "ParameterValueOutOfRange" || !strings.Contains(get(a.json(t), "debug").(string), why) {
			t.Errorf("%s: %d %s; want %q", body, a.status, a.body, why)
		}
	}
	if o := s.orders("things"); !slices.Equal(o.Pin, []string{"n"}) || len(o.Forbid) != 0 {
		t.Errorf("%+v", o)
	}
	for path, code := range map[string]string{ordersPath("none"): "CollectionNotFound", ordersPath("group"): "EndpointDoesNotExist"} {
		for _, method := range []string{"GET", "PUT"} {
			if a := s.do(method, path, asMaster, ""); a.status < 400 {
				t.Errorf("%s %s: %d %s, want %s", method, path, a.status, a.body, code)
			}
		}
	}
	for _, who := range []string{u.session(), asApp, ""} {
		for _, path := range []string{ordersPath("things"), strings.Replace(ordersPath("things"), "orders", "explain-query", 1)} {
			if a := s.do("GET", path, who, ""); a.status != 401 {
				t.Errorf("GET %s as %.10q: %d %s", path, who, a.status, a.body)
			}
		}
	}
	if a := s.do("GET", strings.Replace(ordersPath("things"), "orders", "explain-query", 1)+"?user=nobody", asMaster, ""); a.status != 404 {
		t.Errorf("explained as nobody: %d %s", a.status, a.body)
	}
}

// The file of an environment has the pinned and forbidden orders.
func TestOrdersInTheConfiguration(t *testing.T) {
	s := start(t, func(o *options) { o.admin = true })
	admin := attackAdmin(s)
	s.want(s.do("POST", "/appdata/"+kid+"/things", asMaster, `{}`), 201, "")
	s.setOrders("things", `{"pin":["-n","m\\,x"],"forbid":["y"]}`)
	file := s.want(admin.do("GET", "/v4/environments/"+kid+"/config", "", ""), 200, "").body
	s.want(s.do("DELETE", "/v4/environments/"+kid+"/collections/things", asMaster, ""), 204, "")
	s.want(admin.do("PUT", "/v4/environments/"+kid+"/config", "", string(file)), 200, "")
	if o := s.orders("things"); !slices.Equal(o.Pin, []string{"-n", `m\,x`}) || !slices.Equal(o.Forbid, []string{"y"}) {
		t.Errorf("%+v from %s", o, file)
	}
	s.want(admin.do("PUT", "/v4/environments/"+kid+"/config", "", strings.Replace(string(file), `"y"`, `"y","z"`, 1)), 200, "")
	if o := s.orders("things"); !slices.Equal(o.Forbid, []string{"y", "z"}) {
		t.Errorf("%+v", o)
	}
	a := s.want(admin.do("PUT", "/v4/environments/"+kid+"/config", "", strings.Replace(string(file), `"y"`, `"-n"`, 1)), 200, "")
	if problem := fmt.Sprint(get(a.json(t), "problems")); !strings.Contains(problem, "both pinned and forbidden") {
		t.Errorf("%s", a.body)
	}
}

// An order has to go for another one only when that would have saved clearly
// more in the same time, no more often than every five minutes, and never when
// it is pinned.
func TestDisplacementIsFair(t *testing.T) {
	clock := newClock()
	s := start(t, func(o *options) {
		o.config.Clock = clock.Now
		o.config.RebuildAfter, o.config.OrderAfter = 1<<30, 200
	})
	const entities = 100
	for i := range entities {
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/things/e%d", kid, i), asMaster, fmt.Sprintf(`{"a":%d,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"p":1}`, i)), 201, "")
	}
	query := func(sort string, times int) {
		for range times {
			s.want(s.do("GET", "/appdata/"+kid+"/things?limit=1&sort="+sort, asMaster, ""), 200, "")
		}
	}
	displaced := func() string { return fmt.Sprint(displacements(s)) }
	s.setOrders("things", `{"pin":["p"]}`)
	s.awaitReady("things", "p")
	for _, name := range []string{"a", "b", "c", "d"} { // as many as there may be
		query(name, 3)
		s.awaitReady("things", name)
	}
	for _, name := range []string{"a", "b", "c"} {
		query(name, 40)
	}
	query("d", 2) // 5 with those before it was there: 500 rows are what it has saved
	bases := 0
	still := func(sorts ...string) { // in a base that is made now
		t.Helper()
		bases++
		s.setOrders("things", fmt.Sprintf(`{"pin":["p","base%d"]}`, bases))
		s.awaitReady("things", fmt.Sprintf("base%d", bases))
		o := s.orders("things")
		for _, sort := range sorts {
			if !strings.HasSuffix(o.state(sort), "ready") {
				t.Fatalf("%s is gone: %+v", sort, o)
			}
		}
	}
	// 900 rows are enough for an order, and not for the place of another one.
	query("e", 9)
	still("a", "b", "c", "d", "p")
	if got := s.orders("things").state("e"); got != "wants wanted" {
		t.Errorf("e is %q", got)
	}
	query("e", 6)
	s.awaitReady("things", "e")
	still("a", "b", "c", "p")
	if got := s.orders("things").state("d") + displaced(); got != "1" {
		t.Errorf("d is there, or displaced are %s", got)
	}
	// The next one has to wait, however much it is asked for.
	query("f", 100)
	still("a", "b", "c", "e", "p")
	clock.Add(4 * time.Minute)
	query("f", 1)
	still("a", "b", "c", "e", "p")
	clock.Add(time.Minute)
	query("f", 1)
	s.awaitReady("things", "f")
	still("a", "b", "c", "p")
	if got := displaced(); got != "2" {
		t.Errorf("%s displaced", got)
	}
	// What was long ago counts little: an order that nobody uses any more goes,
	// though it has served more than what comes.
	clock.Add(time.Hour)
	query("g", 8)
	s.awaitReady("things", "g")
	if got := displaced(); got != "3" {
		t.Errorf("%s displaced", got)
	}
	still("p")
}

// Where an order is there and cannot help, nobody is told that it is being made.
func TestNoWordOfAnIndexThatCannotHelp(t *testing.T) {
	s := start(t, func(o *options) {
		o.config.QueryRows, o.config.RebuildAfter, o.config.OrderAfter = 100, 1<<30, 10
	})
	var list []string
	for i := range 300 {
		list = append(list, fmt.Sprintf(`{"_id":"e%d","n":[%d,7]}`, i, i))
	}
	for some := range slices.Chunk(list, 100) {
		s.want(s.do("POST", "/appdata/"+kid+"/things", asMaster, "["+strings.Join(some, ",")+"]", "X-Kinvey-Api-Version", "5"), 201, "")
	}
	s.setOrders("things", `{"pin":["n"]}`)
	s.awaitReady("things", "n")
	for _, filter := range []string{`{"n":8}`, `{"n":{"$gte":290}}`, `{"n":{"$in":[3,4]}}`} {
		a := s.want(s.do("GET", "/appdata/"+kid+"/things?query="+url.QueryEscape(filter), asMaster, ""), 400, "ResultSetSizeExceeded")
		if bytes.Contains(a.body, []byte("index")) {
			t.Errorf("%s: %s", filter, a.body)
		}
		if e := s.explain("things", "query", filter); e.Plan.By != "scan" || e.Plan.Want != nil {
			t.Errorf("%s: %+v", filter, e)
		}
	}
	if o := s.orders("things"); len(o.Wants) > 0 {
		t.Errorf("%+v", o)
	}
}

// Who is suspended is not found by what is set aside from an order either.
func TestSuspendedUserWithArraysIsNotListed(t *testing.T) {
	s := start(t, func(o *options) { o.config.RebuildAfter = 1 << 30 })
	u, v := s.signUp("u"), s.signUp("v")
	for _, w := range []user{u, v} {
		s.want(s.do("PUT", "/user/"+kid+"/"+w.id, w.session(), `{"username":"`+w.name+`","l":[1,2]}`), 200, "")
	}
	list := "/user/" + kid + "?query=" + url.QueryEscape(`{"l":2}`)
	s.setOrders("user", `{"pin":["l"]}`)
	s.awaitReady("user", "l")
	if e := s.explain("user", "query", `{"l":2}`); e.Plan.By != "interval" || !e.Plan.ArraysApart || e.Run.Returned != 2 {
		t.Errorf("%+v", e)
	}
	s.want(s.do("DELETE", "/user/"+kid+"/"+u.id, u.session(), ""), 204, "")
	wantIDs(s, s.do("GET", list, asMaster, ""), v.id)
	s.setOrders("user", `{"pin":["l","x"]}`) // a new base
	s.awaitReady("user", "l", "x")
	wantIDs(s, s.do("GET", list, asMaster, ""), v.id)
}

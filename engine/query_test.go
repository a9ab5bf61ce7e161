package engine_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/auth"
	"postern/engine"
)

// find lists the ids that a query string finds.
func find(s *server, authorization, collection string, parameters ...string) answer {
	v := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		v.Add(parameters[i], parameters[i+1])
	}
	return s.do("GET", "/appdata/"+kid+"/"+collection+"?"+v.Encode(), authorization, "")
}

func wantIDs(s *server, a answer, want string) {
	s.t.Helper()
	s.want(a, 200, "")
	if got := strings.Join(ids(s.t, a), " "); got != want {
		s.t.Errorf("got %s; want %s", got, want)
	}
}

// The parameters of a list with all that clients write them like.
func TestQueryParameters(t *testing.T) {
	s := start(t)
	u := s.signUp("u")
	for id, body := range map[string]string{"a": `{"n":3,"s":"x y"}`, "b": `{"n":1,"s":"x+y","t":{"u":1,"v":2}}`, "c": `{"n":2}`} {
		s.want(s.do("PUT", "/appdata/"+kid+"/things/"+id, u.session(), body), 201, "")
	}
	for _, c := range []struct{ raw, want string }{
		{"sort=n", "b c a"},
		{"sort=%7B%22n%22:1%7D", "b c a"},
		{"sort=%7B%22n%22:-1%7D", "a c b"},
		{"sort=%7B%22n%22:%22-1%22%7D", "a c b"},
		{"sort=%7B%22n%22:true%7D", "b c a"},
		{"sort=n&limit=2", "b c"},
		{"sort=n&skip=1", "c a"},
		{"sort=n&skip=1&limit=1", "c"},
		{"sort=n&limit=0", "b c a"}, // as in MongoDB, no limit
		{"sort=n&skip=9", ""},
		{"sort=n&limit=", "b c a"},
		{"sort=n&query=", "b c a"},
		{"sort=n&query=%7B%7D", "b c a"},
		{"sort=n&_=1456&unknown=1", "b c a"},
		{"query=%7B%22s%22:%22x%20y%22%7D", "a"},
		{"query=%7B%22s%22:%22x+y%22%7D", "a"}, // a plus is a space
		{"query=%7B%22s%22:%22x%2By%22%7D", "b"},
		{"query=+%7B+%22n%22+:+2+%7D+", "c"},
	} {
		wantIDs(s, s.do("GET", "/appdata/"+kid+"/things?"+c.raw, u.session(), ""), c.want)
		wantIDs(s, s.do("GET", "/appdata/"+kid+"/things/?"+c.raw, u.session(), ""), c.want)
	}
	a := find(s, u.session(), "things", "query", `{"_id":"b"}`, "fields", "t.u, s")
	if v, ok := s.want(a, 200, "").json(t).([]any); !ok || len(v) != 1 || get(v[0], "t", "u") == nil || get(v[0], "t", "v") != nil || get(v[0], "n") != nil || get(v[0], "_kmd", "lmt") == nil {
		t.Errorf("fields: %s", a.body)
	}
	for _, c := range []struct{ name, value, want string }{
		{"limit", "-1", "ParameterValueOutOfRange"}, {"skip", "x", "ParameterValueOutOfRange"}, {"limit", "1.0", "ParameterValueOutOfRange"},
		{"sort", `{"n":0}`, "InvalidQuerySyntax"}, {"sort", `{"n"`, "InvalidQuerySyntax"},
		{"query", `{"n"`, "InvalidQuerySyntax"}, {"query", `[]`, "InvalidQuerySyntax"}, {"query", `{"n":{"$near":[1]}}`, "InvalidQuerySyntax"},
		{"query", `{"n":{"$foo":1}}`, "InvalidQuerySyntax"}, {"query", `{"$where":"1"}`, "DisallowedQuerySyntax"}, {"query", `{"n":{"$regex":"a"}}`, "InvalidQuerySyntax"},
		{"query", `{"n":{"$near":[0,91]}}`, "ParameterValueOutOfRange"},
	} {
		s.want(find(s, u.session(), "things", c.name, c.value), 400, c.want)
	}
	// _count takes the filter alone.
	s.want(s.do("GET", "/appdata/"+kid+"/things/_count?limit=1&skip=1&sort=n&query=%7B%22n%22:%7B%22$gt%22:1%7D%7D", u.session(), ""), 200, "")
	if a := s.do("GET", "/appdata/"+kid+"/things/_count?limit=1&skip=1&sort=n&query=%7B%22n%22:%7B%22$gt%22:1%7D%7D", u.session(), ""); string(a.body) != `{"count":2}` {
		t.Errorf("_count: %s", a.body)
	}
}

// Places are checked when they are saved, found and come nearest first.
func TestQueryPlaces(t *testing.T) {
	s := start(t)
	u := s.signUp("u")
	put := func(id, body string) answer {
		return s.do("PUT", "/appdata/"+kid+"/places/"+id, u.session(), body)
	}
	for _, bad := range []string{`[0,91]`, `[181,0]`, `[0,-90.5]`, `[-180.1,0]`, `[0]`, `[0,0,0]`, `["0","0"]`, `{"lat":0,"lon":0}`, `"0,0"`, `[1e400,0]`, `[[0,0]]`, `true`, `[]`} {
		a := s.want(put("bad", `{"_geoloc":`+bad+`}`), 400, "ParameterValueOutOfRange")
		if debug := get(a.json(t), "debug"); debug != "Geolocation points must be in the form [longitude, latitude] with long between -180 and 180, lat between -90 and 90" {
			t.Errorf("debug of %s: %v", bad, debug)
		}
		s.want(s.do("POST", "/appdata/"+kid+"/places", u.session(), `{"_geoloc":`+bad+`}`), 400, "ParameterValueOutOfRange")
		s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"_geoloc":`+bad+`}`), 400, "ParameterValueOutOfRange")
	}
	for id, body := range map[string]string{"origin": `{"_geoloc":[0,0]}`, "far": `{"_geoloc":[10,10]}`, "edge": `{"_geoloc":[180,-90]}`, "none": `{"_geoloc":null}`, "absent": `{}`} {
		s.want(put(id, body), 201, "")
	}
	for _, c := range []struct{ query, sort, want string }{
		{`{"_geoloc":{"$nearSphere":[1,1]}}`, ``, "origin far edge"},
		{`{"_geoloc":{"$nearSphere":[9,9]}}`, ``, "far origin edge"},
		{`{"_geoloc":{"$nearSphere":[9,9]}}`, `{"_id":1}`, "edge far origin"},
		{`{"_geoloc":{"$nearSphere":[1,1],"$maxDistance":1}}`, ``, ""},
		{`{"_geoloc":{"$nearSphere":[1,1],"$maxDistance":99}}`, ``, "origin"},
		{`{"_geoloc":{"$within":{"$box":[[-1,-1],[1,1]]}}}`, ``, "origin"},
		{`{"_geoloc":{"$within":{"$polygon":[[-1,-1],[11,-1],[11,11],[-1,11]]}}}`, `_id`, "far origin"},
		{`{"_geoloc":{"$geoWithin":{"$centerSphere":[[10,10],0.01]}}}`, ``, "far"},
		{`{"_geoloc":null}`, `_id`, "absent none"},
	} {
		wantIDs(s, find(s, u.session(), "places", "query", c.query, "sort", c.sort), c.want)
	}
}

// A query that is too expensive is refused as a whole, and only what its sender
// may see makes it expensive.
func TestQueryBudgetOfRows(t *testing.T) {
	s := start(t, func(o *options) { o.config.QueryRows, o.config.OrderAfter = 20, 1<<30 })
	u, other := s.signUp("u"), s.signUp("other")
	save := func(who user, n int, from int) {
		for i := range n {
			s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/diary/%s%d", kid, who.name, from+i), who.session(), fmt.Sprintf(`{"n":%d}`, i)), 201, "")
		}
	}
	save(u, 1, 0)
	s.setLevel("diary", "private")
	save(u, 19, 1)
	save(other, 60, 0) // hidden from u
	q := "?query=" + url.QueryEscape(`{"n":{"$gte":0}}`)
	try := func(want int, removed string) {
		t.Helper()
		name := ""
		if want == 400 {
			name = "ResultSetSizeExceeded"
		}
		s.want(s.do("GET", "/appdata/"+kid+"/diary"+q, u.session(), ""), want, name)
		s.want(s.do("GET", "/appdata/"+kid+"/diary"+q+"&sort=n&limit=1", u.session(), ""), want, name)
		s.want(s.do("GET", "/appdata/"+kid+"/diary/_count"+q, u.session(), ""), want, name)
		if a := s.want(s.do("DELETE", "/appdata/"+kid+"/diary"+q, u.session(), ""), want, name); want == 200 && string(a.body) != removed {
			t.Errorf("removed %s; want %s", a.body, removed)
		}
	}
	try(200, `{"count":20}`)
	save(u, 21, 0)
	try(400, "")
	// Nothing was removed, and what needs no look at each entity still works.
	if a := s.do("GET", "/appdata/"+kid+"/diary/_count", u.session(), ""); string(a.body) != `{"count":21}` {
		t.Errorf("after a delete that was refused: %s", a.body)
	}
	wantIDs(s, s.do("GET", "/appdata/"+kid+"/diary"+q+"&limit=3", u.session(), ""), "u0 u1 u2")
	wantIDs(s, find(s, u.session(), "diary", "skip", "19", "limit", "5"), "u19 u20")
	s.want(s.do("GET", "/appdata/"+kid+"/diary/_count"+q, asMaster, ""), 400, "ResultSetSizeExceeded")
	// _lookup goes over the users.
	for i := range 20 {
		s.signUp(fmt.Sprintf("reader%d", i))
	}
	s.want(s.do("POST", "/user/"+kid+"/_lookup", u.session(), `{"first_name":"x"}`), 400, "ResultSetSizeExceeded")
	s.want(s.do("POST", "/user/"+kid+"/_lookup", u.session(), `{"username":"u"}`), 200, "")
}

func TestQueryBudgetOfTime(t *testing.T) {
	var now atomic.Int64 // Unix ms
	now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli())
	var step atomic.Int64 // that every look at the clock takes, ms
	s := start(t, func(o *options) {
		o.config = engine.Config{Argon: auth.CheapParams, QueryTime: 100 * time.Millisecond,
			Clock: func() time.Time { return time.UnixMilli(now.Add(step.Load())) }}
	})
	u := s.signUp("u")
	// The clock is looked at once for a megabyte of documents.
	text := strings.Repeat("x", 100_000)
	for i := range 12 {
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/large/%d", kid, i), u.session(), `{"text":"`+text+`"}`), 201, "")
	}
	q := "?query=" + url.QueryEscape(`{"text":"y"}`)
	for _, r := range [][2]string{{"GET", q}, {"GET", "/_count" + q}, {"DELETE", q}} {
		s.want(s.do(r[0], "/appdata/"+kid+"/large"+r[1], u.session(), ""), 200, "")
		step.Store(101)
		s.want(s.do(r[0], "/appdata/"+kid+"/large"+r[1], u.session(), ""), 400, "ResultSetSizeExceeded")
		step.Store(0)
	}
}

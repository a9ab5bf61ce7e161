package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/engine"
)

func withOrigins(origins ...string) func(*options) {
	return func(o *options) { o.app.CORSOrigins = origins }
}

// Pages of the named origins may use an app, and nobody else's; the management
// API takes no part, and there are no credentials in a preflight.
func TestCORS(t *testing.T) {
	s := start(t, withOrigins("https://app.example.com", "localhost"))
	alice := s.signUp("alice")
	preflight := func(path, origin string) answer {
		return s.do("OPTIONS", path, "", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-kinvey-api-version")
	}
	for _, origin := range []string{"https://app.example.com", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:80"} {
		for _, path := range []string{"/appdata/" + kid + "/notes", "/user/" + kid + "/", "/rpc/" + kid + "/x/y"} {
			a := s.want(preflight(path, origin), 204, "")
			if a.header["Access-Control-Allow-Origin"] != origin || a.header["Access-Control-Allow-Headers"] != "authorization,x-kinvey-api-version" ||
				!strings.Contains(a.header["Access-Control-Allow-Methods"], "DELETE") || len(a.body) > 0 {
				t.Errorf("preflight of %s from %s: %v", path, origin, a.header)
			}
		}
		for _, a := range []answer{
			s.do("GET", "/appdata/"+kid+"/notes", alice.session(), "", "Origin", origin),
			s.do("GET", "/appdata/"+kid+"/notes", "Kinvey x", "", "Origin", origin), // an error is readable, too
		} {
			if a.header["Access-Control-Allow-Origin"] != origin || !strings.Contains(a.header["Access-Control-Expose-Headers"], "X-Kinvey-Request-Start") {
				t.Errorf("%d from %s: %v", a.status, origin, a.header)
			}
			if a.header["Vary"] != "Origin" {
				t.Errorf("Vary is %q", a.header["Vary"])
			}
		}
	}
	for _, origin := range []string{
		"https://evil.example", "http://app.example.com", "https://app.example.com.evil.example", "https://app.example.com:8443",
		"null", "http://localhost.evil.example", "http://localhost@evil.example", "https://APP.example.com", "x",
		"ftp://localhost", "http://user@localhost", "http://localhost/page", "chrome-extension://localhost",
	} {
		if a := s.want(preflight("/appdata/"+kid+"/notes", origin), 400, "CORSDisabled"); a.header["Access-Control-Allow-Origin"] != "" {
			t.Errorf("preflight from %s: %v", origin, a.header)
		}
		if a := s.do("GET", "/appdata/"+kid+"/notes", alice.session(), "", "Origin", origin); a.header["Access-Control-Allow-Origin"] != "" {
			t.Errorf("from %s: %v", origin, a.header)
		}
	}
	s.want(preflight("/appdata/kid_nobody/notes", "http://localhost"), 404, "AppNotFound")
	s.want(preflight("/appdata/kid_other/notes", "http://localhost"), 204, "") // of the same options
	for _, path := range []string{"/v4/environments/" + kid + "/collections", "/session", "/-/live"} {
		if a := preflight(path, "http://localhost"); a.status != 405 || a.header["Access-Control-Allow-Origin"] != "" {
			t.Errorf("preflight of %s: %v", path, a.header)
		}
	}
	if a := s.do("GET", "/v4/environments/"+kid+"/collections", asMaster, "", "Origin", "http://localhost"); a.status != 200 || a.header["Access-Control-Allow-Origin"] != "" {
		t.Errorf("management: %d %v", a.status, a.header)
	}
	s.want(s.do("OPTIONS", "/appdata/"+kid, "", "", "Origin", "http://localhost", "Access-Control-Request-Headers", "a;b"), 400, "BadRequest")
}

// Without origins an app's answers say nothing to a page.
func TestCORSIsOffByDefault(t *testing.T) {
	s := start(t)
	s.want(s.do("OPTIONS", "/appdata/"+kid, "", "", "Origin", "http://localhost"), 400, "CORSDisabled")
	a := s.do("GET", "/appdata/"+kid, asApp, "", "Origin", "http://localhost")
	if a.status != 200 || a.header["Access-Control-Allow-Origin"] != "" || a.header["Vary"] != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

// Pages trade in the tokens of Mobile Identity Connect, too. Which app it is about
// is in the body, so a preflight is answered for the origins of all apps, and the
// request itself for those of its own.
func TestCORSOfMIC(t *testing.T) {
	s := startMIC(t, withOrigins("https://app.example.com"))
	if _, err := s.e.CreateApp(engine.NewApp{Key: "kid_third", Name: "Third", AppSecret: appSecret, MasterSecret: masterSecret, Options: engine.AppOptions{CORSOrigins: []string{"https://third.example"}}}); err != nil {
		t.Fatal(err)
	}
	preflight := func(path, origin string) answer {
		return s.do("OPTIONS", path, "", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-kinvey-api-version")
	}
	for _, path := range []string{"/oauth/auth", "/oauth/token", "/v3/oauth/token", "/oauth/token/", "/V2/oauth/auth", "/oauth/revoke"} {
		for _, origin := range []string{"https://app.example.com", "https://third.example"} {
			a := s.want(preflight(path, origin), 204, "")
			if a.header["Access-Control-Allow-Origin"] != origin || a.header["Access-Control-Allow-Headers"] != "authorization,x-kinvey-api-version" {
				t.Errorf("preflight of %s from %s: %v", path, origin, a.header)
			}
		}
		if a := s.want(preflight(path, "https://evil.example"), 400, "CORSDisabled"); a.header["Access-Control-Allow-Origin"] != "" {
			t.Errorf("preflight of %s: %v", path, a.header)
		}
	}
	for _, path := range []string{"/oauth/authenticate/" + strings.Repeat("a", 32), "/oauth2/redirect/x", "/oauth", "/oauth/other", "/v3/user"} {
		if a := preflight(path, "https://app.example.com"); a.status != 405 || a.header["Access-Control-Allow-Origin"] != "" {
			t.Errorf("preflight of %s: %d %v", path, a.status, a.header)
		}
	}
	for origin, want := range map[string]string{"https://app.example.com": "https://app.example.com", "https://third.example": "", "https://evil.example": ""} {
		for name, a := range map[string]answer{
			"a temporary URI": s.form("/v3/oauth/auth", "", s.auth(), "Origin", origin),
			"tokens":          s.form("/oauth/token", asApp, values("grant_type", "password", "client_id", kid, "username", "alice", "password", "alice"), "Origin", origin),
			"an error":        s.form("/oauth/token", asApp, values("grant_type", "refresh_token", "client_id", kid, "refresh_token", "x"), "Origin", origin),
			"a wrong secret":  s.form("/oauth/token", basic(kid, "x"), values("grant_type", "refresh_token", "client_id", kid, "refresh_token", "x"), "Origin", origin),
			"revocation":      s.form("/oauth/revoke", asApp, values("client_id", kid, "token", "x"), "Origin", origin),
		} {
			if got := a.header["Access-Control-Allow-Origin"]; got != want {
				t.Errorf("%s for %s: %d, readable for %q; want %q", name, origin, a.status, got, want)
			}
		}
		// The page is for a person, not for a script.
		if a := s.do("GET", "/v3/oauth/auth?"+s.auth().Encode(), "", "", "Origin", origin); a.status != 200 || a.header["Access-Control-Allow-Origin"] != "" {
			t.Errorf("the login page for %s: %d %v", origin, a.status, a.header)
		}
	}
}

func TestCORSSetting(t *testing.T) {
	s := start(t, func(o *options) { o.admin = true })
	set := func(v string) answer {
		return s.do("PUT", "/v4/environments/"+kid, "", `{"corsOrigins":`+v+`}`)
	}
	if a := set(`["https://a.example","localhost","*"]`); a.status != 200 || !strings.Contains(string(a.body), `"corsOrigins":["https://a.example","localhost","*"]`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, bad := range []string{`"*"`, `["a.example"]`, `["https://a.example/"]`, `["https://a.example/x"]`, `["https://A.example"]`, `[1]`, `["ftp://a"]`, `["https://"]`, `["https://u@a.example"]`} {
		if a := set(bad); a.status != 400 {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

// Clients that cannot read headers get them in the body, if they ask.
func TestResponseWrapper(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	ask := []string{"X-Kinvey-ResponseWrapper", "true", "X-Kinvey-Include-Headers-In-Response", "X-Kinvey-Request-Id, Location,X-None", "X-Kinvey-Request-Id", "my-id"}
	wrapped := func(a answer, status int) any {
		t.Helper()
		v := a.json(t)
		if a.status != status || get(v, "headers", "X-Kinvey-Request-Id") != "my-id" || get(v, "headers", "X-None") != nil {
			t.Errorf("got %d %s", a.status, a.body)
		}
		if m, ok := v.(map[string]any); !ok || len(m) != 2 {
			t.Errorf("not wrapped: %s", a.body)
		}
		return get(v, "result")
	}
	created := s.do("POST", "/appdata/"+kid+"/notes", alice.session(), `{"_id":"n","a":1}`, ask...)
	if r := wrapped(created, 201); get(r, "_id") != "n" || get(created.json(t), "headers", "Location") != "/appdata/"+kid+"/notes/n" {
		t.Errorf("created: %s", created.body)
	}
	if r := wrapped(s.do("GET", "/appdata/"+kid+"/notes/n", alice.session(), "", ask...), 200); get(r, "_id") != "n" {
		t.Errorf("got: %v", r)
	}
	if r := wrapped(s.do("GET", "/appdata/"+kid+"/notes", alice.session(), "", ask...), 200); len(r.([]any)) != 1 {
		t.Errorf("list: %v", r)
	}
	if r := wrapped(s.do("GET", "/appdata/"+kid+"/notes/none", alice.session(), "", ask...), 404); get(r, "error") != "EntityNotFound" {
		t.Errorf("error: %v", r)
	}
	if r := wrapped(s.do("GET", "/nowhere", "", "", ask...), 404); get(r, "error") != "EndpointDoesNotExist" {
		t.Errorf("no route: %v", r)
	}
	// What is not asked for in full is not wrapped, and nothing stays nothing.
	for _, not := range [][]string{ask[:2], ask[2:], {"X-Kinvey-ResponseWrapper", "false", ask[2], ask[3]}} {
		if a := s.do("GET", "/appdata/"+kid+"/notes/n", alice.session(), "", not...); get(a.json(t), "_id") != "n" {
			t.Errorf("%v: %s", not, a.body)
		}
	}
	if a := s.do("POST", "/user/"+kid+"/_logout", alice.session(), "", ask...); a.status != 204 || len(a.body) > 0 {
		t.Errorf("logout: %d %s", a.status, a.body)
	}
	// The stored text is not changed by the wrapping of it.
	if a := s.do("GET", "/appdata/"+kid+"/notes/n", asMaster, ""); !strings.HasPrefix(string(a.body), `{"_id":"n","a":1,`) {
		t.Errorf("afterwards: %s", a.body)
	}
}

const v5 = "5"

func (s *server) insertMany(as, collection, list, version string) answer {
	return s.do("POST", "/appdata/"+kid+"/"+collection, as, list, "X-Kinvey-Api-Version", version)
}

// Every element of an array is decided by itself; the good ones stay.
func TestMultiInsert(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	a := s.insertMany(alice.session(), "notes", `[{"_id":"a","n":1},{"n":2,"_id":null,"_acl":null,"_kmd":null},{"_id":"c","_acl":{"creator":"`+bob.id+`","gr":false}}]`, v5)
	s.want(a, 201, "")
	entities := get(a.json(t), "entities").([]any)
	if len(entities) != 3 || get(entities[0], "_id") != "a" || get(entities[0], "n") != json.Number("1") || get(entities[1], "n") != json.Number("2") ||
		get(entities[2], "_acl", "creator") != alice.id || len(get(a.json(t), "errors").([]any)) != 0 {
		t.Errorf("%s", a.body)
	}
	if id, _ := get(entities[1], "_id").(string); len(id) != 24 {
		t.Errorf("made up id %q", id)
	}
	// One of each failure, in its place.
	a = s.insertMany(bob.session(), "notes", `[{"_id":"d"},{"_id":"a"},{"_geoloc":[0,91]},5,{"_id":5},{"_id":"e"},{"_id":"e","second":true},{"_acl":{"r":5}}]`, v5)
	s.want(a, 207, "")
	v := a.json(t)
	var got []string
	for i, e := range get(v, "entities").([]any) {
		if e != nil {
			got = append(got, fmt.Sprint(i, " ", get(e, "_id")))
		}
	}
	for _, e := range get(v, "errors").([]any) {
		got = append(got, fmt.Sprint(get(e, "index"), " ", get(e, "error")))
		if d, ok := get(e, "description").(string); !ok || d == "" {
			t.Errorf("an error without description: %v", e)
		}
	}
	want := "0 d, 5 e, 1 KinveyInternalErrorRetry, 2 ParameterValueOutOfRange, 3 BadRequest, 4 InvalidIdentifier, 6 KinveyInternalErrorRetry, 7 ParameterValueOutOfRange"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	if strings.Contains(string(s.do("GET", "/appdata/"+kid+"/notes/e", asMaster, "").body), "second") {
		t.Error("the second of two with one id replaced the first")
	}
	// What is wrong with all of them.
	s.want(s.insertMany(bob.session(), "notes", `[]`, v5), 400, "BadRequest")
	s.want(s.insertMany(bob.session(), "notes", `[{"_id":"f"}]`, "4"), 400, "FeatureUnavailable")
	s.want(s.insertMany(bob.session(), "notes", `[{"_id":"f"},{"_id":"g","_id":"h"}]`, v5), 400, "JSONParseError")
	s.want(s.insertMany(bob.session(), "notes", `[`+strings.Repeat(`{},`, 100)+`{}]`, v5), 413, "BadRequest")
	s.want(s.insertMany(bob.session(), "_x", `[{}]`, v5), 400, "InvalidIdentifier")
	s.want(s.insertMany(bob.session(), "user", `[{}]`, v5), 403, "IndirectCollectionAccessDisallowed")
	s.want(s.insertMany(asApp, "notes", `[{}]`, v5), 401, "InsufficientCredentials")
	s.setLevel("deals", "read-only")
	if a := s.want(s.insertMany(bob.session(), "deals", `[{"_id":"x"}]`, v5), 401, "InsufficientCredentials"); get(a.json(t), "debug") != "You do not have access to create entities in this collection" {
		t.Errorf("%s", a.body)
	}
	if a := s.do("GET", "/appdata/"+kid+"/notes/_count", asMaster, ""); string(a.body) != `{"count":5}` {
		t.Errorf("count %s", a.body)
	}
}

// An array may be larger than a document, each of its documents may not.
func TestMultiInsertSizes(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	text := func(n int) string { return `{"t":"` + strings.Repeat("x", n) + `"}` }
	list := "[" + strings.Repeat(text(800<<10)+",", 5) + text(1) + "]"
	if a := s.insertMany(alice.session(), "notes", list, v5); a.status != 201 {
		t.Errorf("4 MiB: %d %.200s", a.status, a.body)
	}
	a := s.insertMany(alice.session(), "notes", "["+text(1)+","+text(1<<20)+"]", v5)
	if a.status != 207 || get(get(a.json(t), "errors").([]any)[0], "error") != "BadRequest" {
		t.Errorf("one of 1 MiB and more: %d %.200s", a.status, a.body)
	}
	s.want(s.insertMany(alice.session(), "notes", text(1<<20), v5), 413, "BadRequest")
	if a, err := s.try("POST", "/appdata/"+kid+"/notes", alice.session(), "["+strings.Repeat(text(900<<10)+",", 12)+"{}]", "X-Kinvey-Api-Version", v5); err == nil && a.status != 413 {
		t.Errorf("11 MiB: %d", a.status)
	}
	if a, err := s.try("PUT", "/appdata/"+kid+"/notes/x", alice.session(), text(2<<20)); err == nil && a.status != 413 {
		t.Errorf("PUT of 2 MiB: %d", a.status)
	}
}

func ref(collection, id string) string {
	return `{"_type":"KinveyRef","_collection":"` + collection + `","_id":"` + id + `"}`
}

// A reference is resolved to what the reader may read himself.
func TestResolve(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	put := func(as user, path, body string) {
		t.Helper()
		if a := s.do("PUT", "/appdata/"+kid+"/"+path, as.session(), body); a.status >= 300 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
	}
	put(bob, "places/p", `{"city":"Bonn","mayor":`+ref("user", alice.id)+`}`)
	put(bob, "places/hidden", `{"city":"Atlantis","_acl":{"gr":false}}`)
	put(bob, "people/c", `{"name":"Carl","home":`+ref("places", "p")+`,"friends":[`+ref("people", "d")+`,`+ref("people", "none")+`,7]}`)
	put(bob, "people/d", `{"name":"Dora","home":`+ref("places", "hidden")+`,"friends":[`+ref("people", "c")+`]}`)
	get1 := func(as user, query string) string {
		t.Helper()
		a := s.do("GET", "/appdata/"+kid+"/people/c?"+query, as.session(), "")
		if a.status != 200 {
			t.Fatalf("%s: %d %s", query, a.status, a.body)
		}
		list := s.do("GET", `/appdata/`+kid+`/people?query={"_id":"c"}&`+query, as.session(), "")
		if string(list.body) != "["+string(a.body)+"]" {
			t.Errorf("%s: as a list %s\nby id %s", query, list.body, a.body)
		}
		return string(a.body)
	}
	plain := get1(alice, "")
	for _, query := range []string{"resolve=", "resolve_depth=0", "resolve=nothing", "resolve=name", "resolve=home.city"} {
		if got := get1(alice, query); got != plain {
			t.Errorf("%s: %s", query, got)
		}
	}
	decode := func(text string) any {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return v
	}
	v := decode(get1(alice, "resolve=home"))
	if get(v, "home", "_obj", "city") != "Bonn" || get(v, "home", "_type") != "KinveyRef" || get(v, "home", "_obj", "mayor", "_obj") != nil {
		t.Errorf("by path: %v", v)
	}
	v = decode(get1(alice, "resolve=home&retainReferences=false"))
	if get(v, "home", "city") != "Bonn" || get(v, "home", "_type") != nil {
		t.Errorf("not retained: %v", v)
	}
	v = decode(get1(alice, "resolve=home,home.mayor"))
	if get(v, "home", "_obj", "mayor", "_obj", "username") != "alice" || get(v, "home", "_obj", "mayor", "_obj", "_kmd", "authtoken") != nil {
		t.Errorf("through a reference: %v", v)
	}
	friends := get(decode(get1(alice, "resolve=friends")), "friends").([]any)
	if get(friends[0], "_obj", "name") != "Dora" || get(friends[1], "_obj") != nil || get(friends[1], "_id") != "none" || friends[2] != 7.0 {
		t.Errorf("an array: %v", friends)
	}
	v = decode(get1(alice, "resolve_depth=3"))
	dora := get(v, "friends").([]any)[0]
	if get(v, "home", "_obj", "mayor", "_obj", "username") != "alice" ||
		get(get(dora, "_obj", "friends").([]any)[0], "_obj", "name") != "Carl" || // a cycle ends with the depth
		get(dora, "_obj", "home", "_obj") != nil {
		t.Errorf("to a depth: %v", v)
	}
	// What alice may not read stays a reference, as if it were not there; its owner reads it.
	if text := get1(alice, "resolve_depth=10"); strings.Contains(text, "Atlantis") {
		t.Error("a reference led to what the reader may not read")
	}
	if text := get1(bob, "resolve_depth=2"); !strings.Contains(text, "Atlantis") {
		t.Errorf("its owner does not get it: %s", text)
	}
	before := get1(alice, "resolve_depth=3")
	s.want(s.do("DELETE", "/appdata/"+kid+"/places/hidden", bob.session(), ""), 200, "")
	if after := get1(alice, "resolve_depth=3"); after != before {
		t.Errorf("hidden and missing differ:\n%s\n%s", before, after)
	}
	// A suspended user is not there.
	s.want(s.do("DELETE", "/user/"+kid+"/"+alice.id, asMaster, "", "X-Kinvey-Api-Version", "3"), 204, "")
	if text := get1(bob, "resolve_depth=3"); strings.Contains(text, `"username":"alice"`) {
		t.Error("a suspended user was resolved")
	}
	s.want(s.do("GET", "/appdata/"+kid+"/people?resolve_depth=11", bob.session(), ""), 400, "ParameterValueOutOfRange")
	s.want(s.do("GET", "/appdata/"+kid+"/people?resolve_depth=x", bob.session(), ""), 400, "ParameterValueOutOfRange")
	s.want(s.do("GET", "/appdata/"+kid+"/people?resolve="+strings.Repeat("a,", 100), bob.session(), ""), 400, "ParameterValueOutOfRange")
}

// An answer resolves a bounded number of references, however they multiply.
func TestResolveIsBounded(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	knot := `{"r":[` + strings.Repeat(ref("knots", "k")+",", 30) + `0]}`
	s.want(s.do("PUT", "/appdata/"+kid+"/knots/k", alice.session(), knot), 201, "")
	s.want(s.do("GET", "/appdata/"+kid+"/knots/k?resolve_depth=1", alice.session(), ""), 200, "")
	s.want(s.do("GET", "/appdata/"+kid+"/knots/k?resolve_depth=10", alice.session(), ""), 400, "ParameterValueOutOfRange")
	s.want(s.do("GET", "/appdata/"+kid+"/knots?resolve_depth=10", alice.session(), ""), 400, "ParameterValueOutOfRange")
}

// Old clients send back what was resolved for them; the reference is stored.
func TestResolvedObjectsAreNotStored(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	s.want(s.do("PUT", "/appdata/"+kid+"/people/c", alice.session(),
		`{"home":{"_type":"KinveyRef","_obj":{"city":"Bonn"},"_collection":"places","_id":"p"},"list":[{"_type":"KinveyRef","_collection":"x","_id":"y","_obj":{}}],"mine":{"_obj":1},"n":1.50}`), 201, "")
	a := s.do("GET", "/appdata/"+kid+"/people/c", alice.session(), "")
	want := `{"_id":"c","home":` + ref("places", "p") + `,"list":[` + ref("x", "y") + `],"mine":{"_obj":1},"n":1.50,`
	if !strings.HasPrefix(string(a.body), want) {
		t.Errorf("got  %s\nwant %s", a.body, want)
	}
}

// The bound of a document may be set lower; an array does not get round it.
func TestMultiInsertKeepsTheBoundOfADocument(t *testing.T) {
	s := start(t, func(o *options) { o.config.MaxBody = 1000 })
	alice := s.signUp("alice")
	large := `{"t":"` + strings.Repeat("x", 1000) + `"}`
	s.want(s.insertMany(alice.session(), "notes", `[{},{},`+large+`]`, v5), 207, "")
	s.want(s.insertMany(alice.session(), "notes", large, v5), 413, "BadRequest")
	s.want(s.do("PUT", "/appdata/"+kid+"/notes/x", alice.session(), large), 413, "BadRequest")
	if a := s.do("GET", "/appdata/"+kid+"/notes/_count", alice.session(), ""); string(a.body) != `{"count":2}` {
		t.Errorf("count %s", a.body)
	}
}

// The budget of queries holds for aggregations: guard Meter in groupby.go.
func TestGroupSpendsTheBudgetOfQueries(t *testing.T) {
	s := start(t, func(o *options) { o.config.QueryRows = 2 })
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.setLevel("notes", "private")
	for range 3 {
		s.want(s.do("POST", "/appdata/"+kid+"/notes", alice.session(), `{"a":1}`), 201, "")
	}
	body := `{"key":{"a":true},"initial":{"count":0},"reduce":"function(doc,out){ out.count++; }","condition":{"a":1}}`
	s.want(s.do("POST", "/appdata/"+kid+"/notes/_group", alice.session(), body), 400, "ResultSetSizeExceeded")
	s.want(s.do("POST", "/appdata/"+kid+"/notes/_group", bob.session(), body), 200, "") // what he may not see costs nothing
}

// Every id that can be stored can be asked for: what begins like a reserved
// name is none, but "_" alone is.
func TestIdsThatBeginLikeReservedNames(t *testing.T) {
	s := start(t)
	for _, id := range []string{"_c", "_coun", "_counts", "_g", "_d", "_s", "_u", "__", "_-"} {
		s.want(s.do("PUT", "/appdata/"+kid+"/c/"+id, asMaster, `{}`), 201, "")
		s.want(s.do("GET", "/appdata/"+kid+"/c/"+id, asMaster, ""), 200, "")
		s.want(s.do("DELETE", "/appdata/"+kid+"/c/"+id, asMaster, ""), 200, "")
	}
	s.want(s.do("PUT", "/appdata/"+kid+"/c/_", asMaster, `{}`), 400, "InvalidIdentifier")
	s.want(s.do("POST", "/appdata/"+kid+"/c", asMaster, `{"_id":"_"}`), 400, "InvalidIdentifier")
}

// So it does for delta sets: guard Meter in delta.go.
func TestDeltaSpendsTheBudgetOfQueries(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.QueryRows = 2; o.config.Clock = c.Now })
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/notes", asMaster, `{"permissions":"private","deltaSet":{"enabled":true}}`), 200, "")
	c.Add(time.Second)
	since := s.do("GET", "/appdata/"+kid+"/notes", alice.session(), "").header["X-Kinvey-Request-Start"]
	for range 3 {
		s.want(s.do("POST", "/appdata/"+kid+"/notes", alice.session(), `{"a":1}`), 201, "")
	}
	c.Add(time.Second)
	path := "/appdata/" + kid + `/notes/_deltaset?query={"a":1}&since=` + since
	s.want(s.do("GET", path, alice.session(), ""), 400, "ResultSetSizeExceeded")
	s.want(s.do("GET", path, bob.session(), ""), 200, "")
}

// E12
func TestRemoveCollection(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	confirm := []string{"X-Kinvey-Delete-Entire-Collection", "true"}
	remove := func(as, body string, headers ...string) answer {
		return s.do("POST", "/rpc/"+kid+"/remove-collection", as, body, headers...)
	}
	count := func(collection string) string {
		return string(s.do("GET", "/appdata/"+kid+"/"+collection+"/_count", asMaster, "").body)
	}
	for _, c := range []string{"notes", "kept"} {
		s.setLevel(c, "append-only")
		s.want(s.do("POST", "/appdata/"+kid+"/"+c, alice.session(), `{}`), 201, "")
	}
	s.want(remove(alice.session(), `{"collectionName":"notes"}`, confirm...), 401, "InsufficientCredentials")
	s.want(remove(asApp, `{"collectionName":"notes"}`, confirm...), 401, "InsufficientCredentials")
	s.want(remove(asMaster, `{"collectionName":"notes"}`), 400, "MissingRequestHeader")
	s.want(remove(asMaster, `{"collectionName":"notes"}`, confirm[0], "false"), 400, "MissingRequestHeader")
	s.want(remove(asMaster, `{}`, confirm...), 400, "IncompleteRequestBody")
	s.want(remove(asMaster, `{"collectionName":"none"}`, confirm...), 404, "CollectionNotFound")
	s.want(remove(asMaster, `{"collectionName":"_x"}`, confirm...), 400, "InvalidIdentifier")
	if count("notes") != `{"count":1}` {
		t.Fatal("something was removed by a request that was refused")
	}
	s.want(remove(asMaster, `{"collectionName":"notes"}`, confirm...), 200, "")
	s.want(remove(asMaster, `{"collectionName":"kept"}`, append(confirm, "X-Kinvey-Retain-collection-Metadata", "true")...), 200, "")
	if count("notes") != `{"count":0}` || count("kept") != `{"count":0}` {
		t.Errorf("counts %s %s", count("notes"), count("kept"))
	}
	s.want(s.do("GET", "/v4/environments/"+kid+"/collections/notes", asMaster, ""), 404, "")
	if a := s.do("GET", "/v4/environments/"+kid+"/collections/kept", asMaster, ""); !strings.Contains(string(a.body), `"append-only"`) {
		t.Errorf("the level is gone: %s", a.body)
	}
	s.want(s.do("POST", "/group/"+kid, asMaster, `{"_id":"g"}`), 201, "")
	for _, builtIn := range []string{"_blob", "group", "user"} {
		s.want(remove(asMaster, `{"collectionName":"`+builtIn+`"}`, confirm...), 200, "")
	}
	s.want(s.do("GET", "/group/"+kid+"/g", asMaster, ""), 404, "EntityNotFound")
	s.want(s.do("GET", "/appdata/"+kid+"/kept", alice.session(), ""), 401, "InvalidCredentials")
	s.signUp("alice") // the name is free
}

// What is not here answers as clients understand it, and only to whom it would.
func TestAbsentFeatures(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	for _, x := range []struct {
		method, path string
		status       int
		name         string
	}{
		{"POST", "/rpc/" + kid + "/custom/hello", 404, "EndpointDoesNotExist"},
		{"POST", "/appdata/" + kid + "/notes/_subscribe", 403, "MissingConfiguration"},
		{"POST", "/appdata/" + kid + "/notes/_unsubscribe", 403, "MissingConfiguration"},
		{"POST", "/user/" + kid + "/" + alice.id + "/register-realtime", 403, "MissingConfiguration"},
		{"POST", "/user/" + kid + "/" + alice.id + "/unregister-realtime", 403, "MissingConfiguration"},
		{"POST", "/push/" + kid + "/register-device", 403, "MissingConfiguration"},
		{"POST", "/push/" + kid + "/unregister-device", 403, "MissingConfiguration"},
		{"GET", "/stream/" + kid + "/s", 403, "MissingConfiguration"},
		{"GET", "/blob/" + kid, 403, "MissingConfiguration"},
		{"POST", "/blob/" + kid, 403, "MissingConfiguration"},
		{"GET", "/blob/" + kid + "/f", 403, "MissingConfiguration"},
		{"PUT", "/blob/" + kid + "/f", 403, "MissingConfiguration"},
		{"DELETE", "/blob/" + kid + "/f", 403, "MissingConfiguration"},
	} {
		s.want(s.do(x.method, x.path, alice.session(), ""), x.status, x.name)
		s.want(s.do(x.method, x.path, "", ""), 401, "InvalidCredentials")
		s.want(s.do(x.method, x.path, asApp, ""), 401, "InsufficientCredentials")
	}
	a := s.do("POST", "/rpc/"+kid+"/custom/hello", alice.session(), `{"any":"thing"}`)
	if d, _ := get(a.json(t), "description").(string); !strings.HasPrefix(d, "The custom endpoint you tried to access does not exist.") {
		t.Errorf("%s", a.body)
	}
}

// An app says which API version holds for requests that name none.
func TestDefaultVersionOfAnApp(t *testing.T) {
	s := start(t, func(o *options) { o.admin = true })
	list := `[{"_id":"a"}]`
	s.want(s.do("POST", "/appdata/"+kid+"/notes", asMaster, list), 400, "FeatureUnavailable")
	if a := s.do("PUT", "/v4/environments/"+kid, "", `{"apiVersion":5}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.want(s.do("POST", "/appdata/"+kid+"/notes", asMaster, list), 201, "")
	s.want(s.do("POST", "/appdata/"+kid+"/notes", asMaster, list, "X-Kinvey-Api-Version", "3"), 400, "FeatureUnavailable")
	for _, v := range []string{"7", "-1", "x", "5.0", "99999999999999999999"} {
		s.want(s.do("GET", "/appdata/"+kid, asMaster, "", "X-Kinvey-Api-Version", v), 501, "APIVersionNotImplemented")
	}
	for v := range 7 {
		s.want(s.do("GET", "/appdata/"+kid, asMaster, "", "X-Kinvey-Api-Version", fmt.Sprint(v)), 200, "")
	}
}

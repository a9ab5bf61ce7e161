package engine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/script"
)

// scriptProcess is the argument on which this test binary is the process of a
// script.
const scriptProcess = "run-script"

func init() {
	if len(os.Args) > 1 && os.Args[1] == scriptProcess {
		os.Exit(script.Main(os.Stdin, os.Stdout))
	}
}

// withScripts switches other JavaScript on.
func withScripts(o *options) {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	o.config.Scripts = script.New(script.TimeLimit, program, scriptProcess)
}

// group posts an aggregation; resource is "/appdata/kid/collection" or "/user/kid".
func (s *server) group(resource, authorization, key, initial, reduce, condition string) answer {
	s.t.Helper()
	return s.do("POST", resource+"/_group", authorization, fmt.Sprintf(`{"key":%s,"initial":%s,"reduce":%s,"condition":%s}`,
		key, initial, document.AppendQuote(nil, reduce), condition), "X-Kinvey-Request-Id", "fixed")
}

// wantBody checks an answer of 200.
func (s *server) wantBody(a answer, body string) {
	s.t.Helper()
	if s.want(a, 200, ""); string(a.body) != body {
		s.t.Errorf("got %s, want %s", a.body, body)
	}
}

type sdkReducer struct {
	Client, Kind, Reduce string
	Initial, Want        json.RawMessage
}

// sdkReducers reads what client libraries send (see engine/query).
func sdkReducers(t testing.TB) (list []sdkReducer) {
	t.Helper()
	text, err := os.ReadFile("query/testdata/reducers.json")
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil || len(list) == 0 {
		t.Fatal("reducers:", err)
	}
	for i := range list {
		list[i].Reduce = strings.ReplaceAll(list[i].Reduce, "FIELD", "f")
	}
	return list
}

const (
	countUp  = `function(doc,out){ out.count++;}`
	newCount = `{"count":0}`
)

// What every client library sends is answered over what its user may read: in a
// private collection with that, by key, as the client expects it.
func TestGroupForClients(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.setLevel("sales", "private")
	path := "/appdata/" + kid + "/sales"
	for i, f := range []string{`4,"g":"x"`, `1.5,"g":"y"`, `-3,"g":"x"`, `10,"g":null`} {
		s.want(s.do("POST", path, alice.session(), fmt.Sprintf(`{"_id":"a%d","f":%s}`, i, f)), 201, "")
		s.want(s.do("POST", path, bob.session(), fmt.Sprintf(`{"_id":"b%d","f":1000000,"g":"hidden"}`, i)), 201, "")
	}
	for _, c := range sdkReducers(t) {
		s.wantBody(s.group(path, alice.session(), `{}`, string(c.Initial), c.Reduce, `{}`), "["+string(c.Want)+"]")
		if c.Kind == "count" {
			name := strings.Trim(strings.Split(string(c.Initial), ":")[0], `{"`)
			s.wantBody(s.group(path, alice.session(), `{"g":true}`, string(c.Initial), c.Reduce, `{"f":{"$gt":-3}}`),
				fmt.Sprintf(`[{"g":"x","%[1]s":1},{"g":"y","%[1]s":1},{"g":null,"%[1]s":1}]`, name))
		}
	}
	s.wantBody(s.group(path, alice.session(), `["g"]`, newCount, countUp, `null`), `[{"g":"x","count":2},{"g":"y","count":1},{"g":null,"count":1}]`)
	s.wantBody(s.group(path, alice.session(), `{"":true}`, newCount, countUp, `{}`), `[{"count":4}]`)
	s.wantBody(s.do("POST", path+"/_group/", asMaster, `{"key":{"g":1}}`), `[{"g":"x"},{"g":"hidden"},{"g":"y"},{"g":null}]`)
	s.wantBody(s.group(path, asMaster, `{"g":1}`, newCount, countUp, `{"g":"hidden"}`), `[{"g":"hidden","count":4}]`)
	s.wantBody(s.do("POST", path+"/_group", alice.session(), `{}`), `[{}]`)
	s.wantBody(s.group("/appdata/"+kid+"/none", alice.session(), `{}`, newCount, countUp, `{}`), `[]`)
}

// Entities leave and enter aggregations with the permission to read them.
func TestGroupFollowsPermissions(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	path := "/appdata/" + kid + "/c"
	count := func(want int) {
		t.Helper()
		body := `[]`
		if want > 0 {
			body = fmt.Sprintf(`[{"count":%d}]`, want)
		}
		s.wantBody(s.group(path, bob.session(), `{}`, newCount, countUp, `{}`), body)
	}
	s.want(s.do("PUT", "/group/"+kid+"/team", asMaster, `{"users":{"list":[]}}`), 201, "")
	for _, e := range []string{`{"_id":"plain"}`, `{"_id":"off","_acl":{"gr":false}}`, `{"_id":"named","_acl":{"gr":false,"r":["` + bob.id + `"]}}`,
		`{"_id":"writer","_acl":{"gr":false,"w":["` + bob.id + `"]}}`, `{"_id":"team","_acl":{"gr":false,"groups":{"r":["team"]}}}`, `{"_id":"on","_acl":{"gr":true}}`} {
		s.want(s.do("POST", path, alice.session(), e), 201, "")
	}
	count(3)
	s.setLevel("c", "private")
	count(2)
	s.want(s.do("PUT", "/group/"+kid+"/team", asMaster, `{"users":{"list":[{"_id":"`+bob.id+`"}]}}`), 200, "")
	count(3)
	s.want(s.do("PUT", path+"/on", alice.session(), `{"_acl":{"gr":false}}`), 200, "")
	count(2)
	s.want(s.do("PUT", path+"/named", alice.session(), `{"_acl":{}}`), 200, "")
	count(1)
	s.want(s.do("DELETE", "/group/"+kid+"/team", asMaster, ""), 200, "")
	count(0)
}

func TestGroupRefusals(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	path := "/appdata/" + kid + "/c/_group"
	s.want(s.do("POST", "/appdata/"+kid+"/c", alice.session(), `{"o":{"toString":1}}`), 201, "")
	for _, row := range []struct {
		path, authorization, body string
		status                    int
		name                      string
	}{
		{path, "", `{}`, 401, "InvalidCredentials"},
		{path, asApp, `{}`, 401, "InsufficientCredentials"},
		{path, asApp, `{"reduce":5}`, 401, "InsufficientCredentials"}, // who asks comes before what
		{"/user/" + kid + "/_group", asApp, `{}`, 401, "InsufficientCredentials"},
		{"/appdata/kid_none/c/_group", asMaster, `{}`, 404, "AppNotFound"},
		{"/appdata/" + kid + "/user/_group", asMaster, `{}`, 403, "IndirectCollectionAccessDisallowed"},
		{"/appdata/" + kid + "/_x/_group", asMaster, `{}`, 400, "InvalidIdentifier"},
		{path, alice.session(), ``, 400, "IncompleteRequestBody"},
		{path, alice.session(), `{`, 400, "JSONParseError"},
		{path, alice.session(), `{"key":{},"key":{}}`, 400, "JSONParseError"},
		{path, alice.session(), `[]`, 400, "InvalidQuerySyntax"},
		{path, alice.session(), `{"key":"f"}`, 400, "InvalidQuerySyntax"},
		{path, alice.session(), `{"condition":{"$no":1}}`, 400, "InvalidQuerySyntax"},
		{path, alice.session(), `{"condition":{"$where":"true"}}`, 400, "DisallowedQuerySyntax"},
		{path, alice.session(), `{"initial":{"x":"` + strings.Repeat("x", 17<<10) + `"}}`, 400, "ResultSetSizeExceeded"},
		{path, alice.session(), `{"reduce":"function(d,o){o.x += d.o;}"}`, 400, "BLRuntimeError"},
		{path, alice.session(), `{"reduce":"function(d,o){o.x = d.f.g;}"}`, 403, "MissingConfiguration"},
		{path, alice.session(), `{"reduce":""}`, 403, "MissingConfiguration"},
	} {
		s.want(s.do("POST", row.path, row.authorization, row.body), row.status, row.name)
	}
}

// Users are aggregated on their public form: the active ones that may be read.
func TestGroupOfUsers(t *testing.T) {
	s := start(t)
	alice, bob, carol := s.signUp("alice"), s.signUp("bob"), s.signUp("carol")
	for _, u := range []user{alice, bob, carol} {
		s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"team":"red"}`), 200, "")
	}
	path := "/user/" + kid
	s.wantBody(s.group(path, alice.session(), `{"team":true}`, newCount, countUp, `{}`), `[{"team":"red","count":3}]`)
	s.wantBody(s.group(path, alice.session(), `{"password":true,"_kmd.authtoken":true}`, newCount, countUp, `{}`), `[{"password":null,"_kmd.authtoken":null,"count":3}]`)
	s.want(s.do("DELETE", path+"/"+carol.id+"?soft=true", carol.session(), "", "X-Kinvey-Api-Version", "3"), 204, "")
	s.wantBody(s.group(path, alice.session(), `["username"]`, newCount, countUp, `{"team":"red"}`), `[{"username":"alice","count":1},{"username":"bob","count":1}]`)
	s.setLevel("user", "private")
	s.wantBody(s.group(path, alice.session(), `["username"]`, newCount, countUp, `{}`), `[{"username":"alice","count":1}]`)
	s.wantBody(s.group(path, asMaster, `[]`, newCount, countUp, `{}`), `[{"count":2}]`)
}

// Two servers that differ in what the requester may not read answer every
// aggregation to the byte alike (R12), errors too.
func TestHiddenEntitiesInGroups(t *testing.T) {
	full, bare, a, b := hiddenTwins(t, func(i int) string {
		g := `"t` + fmt.Sprint(i%3) + `"`
		if i%2 == 1 {
			g = fmt.Sprintf(`{"toString":%d}`, i) // makes a reducer fail
		}
		return fmt.Sprintf(`"f":%d.0,"g":%s`, (i*7)%13, g)
	}, withScripts)
	compared := 0
	same := func(key, initial, reduce, condition string) {
		t.Helper()
		path := "/appdata/" + kid + "/mixed"
		x, y := full.group(path, a.session(), key, initial, reduce, condition), bare.group(path, b.session(), key, initial, reduce, condition)
		attackSame(t, reduce, x, y)
		full.want(x, 200, "")
		compared++
	}
	for _, key := range []string{`{}`, `{"g":true}`, `["g","f"]`, `{"_acl.creator":1}`, `{"none":1}`} {
		for _, condition := range []string{`{}`, `{"f":{"$gte":6}}`, `{"_acl.gr":false}`, `{"_id":{"$in":["e01","e02","e03"]}}`} {
			for _, c := range sdkReducers(t) {
				same(key, string(c.Initial), c.Reduce, condition)
			}
			same(key, `{}`, `function(doc, out) { out.all += doc.g; }`, condition)
		}
		same(key, `{"all":[]}`, `(doc, out) => { out.all.push(doc._id, String(doc.g)); }`, `{}`)
	}
	// The oracle: the hidden ones would show, if they were looked at.
	full.want(full.group("/appdata/"+kid+"/mixed", asMaster, `{}`, `{}`, `function(doc, out) { out.all += doc.g; }`, `{}`), 400, "BLRuntimeError")
	t.Logf("figure: %d aggregations are the same with and without hidden entities", compared)
}

// JavaScript that no client library generates runs where that is switched on.
// Whatever it tries, the answer is a clean 400 and the server goes on.
func TestGroupScripts(t *testing.T) {
	s := start(t, withScripts)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	path := "/appdata/" + kid + "/c"
	for i, u := range []user{alice, alice, bob} {
		s.want(s.do("POST", path, u.session(), fmt.Sprintf(`{"_id":"e%d","tags":["t%d","all"],"n":9007199254740993,"_acl":{"gr":%v}}`, i, i, i == 1)), 201, "")
	}
	tally := `function (doc, out) { doc.tags.forEach(function (t) { out[t] = (out[t] || 0) + 1; }); }`
	s.wantBody(s.group(path, alice.session(), `{}`, `{}`, tally, `{}`), `[{"t0":1,"all":2,"t1":1}]`)
	s.wantBody(s.group(path, bob.session(), `{"_id":1}`, `{}`, tally, `{}`), `[{"_id":"e1","t1":1,"all":1},{"_id":"e2","t2":1,"all":1}]`)
	s.wantBody(s.group(path, bob.session(), `{}`, `{}`, tally, `{"_id":"e0"}`), `[]`)
	s.wantBody(s.group(path, alice.session(), `["__proto__"]`, `{"__proto__":{"x":1}}`, `function(doc, out) { out.y = out.x; }`, `{}`), `[{"__proto__":{"x":1}}]`)
	for name, reduce := range map[string]string{
		"no end":        `function() { while (true); }`,
		"a memory bomb": `function(doc, out) { out.s = "x"; while (true) out.s += out.s; }`,
		"deep calls":    `function f() { f(); }`,
		"a giant list":  `function(doc, out) { out.s = new Array(1 << 27).fill("x").join(); }`,
		"a prototype":   `function(doc, out) { Object.prototype.toJSON = function() { return 1; }; }`,
		"a constructor": `function(doc, out) { out.x = this.constructor.constructor("return process")().env; }`,
		"an exception":  `function() { throw "s0"; }`,
		"no function":   `5`,
		"no JavaScript": `function(`,
	} {
		a := s.group(path, alice.session(), `{}`, `{}`, reduce, `{}`)
		if a.status != 400 || a.error(t) != "BLRuntimeError" || get(a.json(t), "debug") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		s.want(s.do("GET", path+"/_count", alice.session(), ""), 200, "")
	}
	// Documents may be large, the answer may not.
	for i := range 3 {
		s.want(s.do("POST", path, alice.session(), fmt.Sprintf(`{"_id":"big%d","x":%q}`, i, strings.Repeat("x", 900_000))), 201, "")
	}
	s.wantBody(s.group(path, alice.session(), `{}`, `{"n":0}`, `(doc, out) => { out.n += (doc.x || "").length; }`, `{}`), `[{"n":2700000}]`)
	a := s.group(path, alice.session(), `{}`, `{"all":""}`, `(doc, out) => { out.all += (doc.x || "").repeat(9); }`, `{}`)
	s.want(a, 400, "BLRuntimeError")
}

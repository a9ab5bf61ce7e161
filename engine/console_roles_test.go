package engine_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"postern/engine"
)

// consoleNeeds says, in words of its own, which role a route needs at the console: a
// second opinion on the table. "nobody" is for nobody.
func consoleNeeds(route string) string {
	method, path, _ := strings.Cut(route, " ")
	under := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(path, p) })
	}
	switch {
	// Other ways in; what belongs to a user alone.
	case under("/oauth", "/-/reset", "/-/verify", "/session", "/v4/session", "/push/"),
		strings.HasSuffix(path, "/login") && under("/user/"), strings.HasSuffix(path, "/_logout"),
		strings.HasSuffix(path, "scribe"), strings.HasSuffix(path, "register-realtime"):
		return "nobody"
	// Secrets: everything, the settings as a file, and mails with links in them.
	case path == "/v4/backup", strings.HasSuffix(path, "/config"), path == "/v4/environments/{kid}/outbox/{id}":
		return "owner"
	case method == "GET", under("/v4/operator/"):
		return "viewer"
	// Questions that are asked by POST.
	case strings.HasSuffix(path, "/_group"), strings.HasSuffix(path, "/_lookup"), strings.HasSuffix(path, "/preview"), strings.HasSuffix(path, "check-username-exists"):
		return "viewer"
	case under("/appdata/", "/user/", "/group/", "/roles/", "/rpc/", "/blob/", "/v4/environments/{kid}/collections", "/v4/environments/{kid}/users",
		"/v4/environments/{kid}/sessions", "/v4/environments/{kid}/groups"), path == "/v4/check":
		return "editor"
	}
	return "owner"
}

// consolePath makes a request of a route that is about nothing that there is.
func consolePath(route string) (method, path, body string) {
	for _, m := range attackMatrix {
		if m.route == route {
			method, _, _ = strings.Cut(route, " ")
			return method, strings.NewReplacer("K", kid, "NEW", "none", "?check=true", "").Replace(m.path), m.body
		}
	}
	method, path, _ = strings.Cut(route, " ")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "none"
		}
		if s == "{kid}" {
			segments[i] = kid
		}
	}
	if method != "GET" {
		body = `{"nonsense":1}`
	}
	return method, strings.Join(segments, "/"), body
}

var ranks = map[string]int{"viewer": 1, "editor": 2, "owner": 3, "nobody": 4}

// Every route through the console, by every role. A route that is added to the server
// must be given a role.
func TestConsoleEveryRouteByEveryRole(t *testing.T) {
	s, chief := atConsole(t)
	who := map[string]*browser{"owner": chief, "none": chief.other()}
	for _, role := range []string{"viewer", "editor"} {
		s.newOperator(role+"@example.org", "the same for all of them", role)
		who[role] = chief.other()
		who[role].want(who[role].login(role+"@example.org", "the same for all of them", ""), 200, "")
	}
	routes := s.e.ConsoleRoutes()
	for route, has := range routes {
		need := consoleNeeds(route)
		if has == "" {
			has = "owner"
		}
		if strings.Contains(route, "/-/console/") {
			continue // tested one by one
		}
		if has != need {
			t.Errorf("%s is for %s; it should be for %s", route, has, need)
		}
		method, path, body := consolePath(route)
		if a := who["none"].api(method, path, body); a.status != 401 || !strings.Contains(string(a.body), "InvalidCredentials") {
			t.Errorf("%s without a session: %d %s", route, a.status, a.body)
		}
		for _, role := range []string{"viewer", "editor", "owner"} {
			a := who[role].api(method, path, body)
			refused := a.status == 403 && strings.Contains(string(a.body), "the role "+role+" may not do this")
			if want := ranks[role] < ranks[need]; refused != want {
				t.Errorf("%s as %s: %d %s; refused for the role should be %v", route, role, a.status, a.body, want)
			}
			if a.status == 401 || a.status >= 500 || strings.Contains(string(a.body), "EndpointDoesNotExist") && !strings.Contains(route, "custom") {
				t.Errorf("%s as %s: %d %s", route, role, a.status, a.body)
			}
		}
	}
	for _, named := range engine.ConsoleRoleTable() {
		if _, there := routes[named]; !there {
			t.Errorf("the table of roles has %s, which is no route", named)
		}
	}
	for _, b := range who {
		if b.cookie != "" {
			b.want(b.ask("GET", "/-/console/session", ""), 200, "")
		}
	}
}

// A role holds for the operator's token of the management API, too: it is no way around.
func TestConsoleRoleHoldsForTheManagementAPI(t *testing.T) {
	s, _ := atConsole(t)
	tokens := map[string]string{}
	for _, role := range []string{"viewer", "editor", "owner"} {
		s.newOperator(role+"@example.org", "the same for all of them", role)
		a := s.want(s.do("POST", "/session", "", fmt.Sprintf(`{"email":"%s@example.org","password":"the same for all of them"}`, role)), 200, "")
		tokens[role], _ = get(a.json(t), "token").(string)
	}
	public, _ := s.e.AttackRoutes()
	tried := 0
	for _, route := range public {
		need := consoleNeeds(route)
		if !strings.Contains(route, " /v4/") || need == "nobody" || strings.Contains(route, "identity-providers") {
			continue
		}
		tried++
		method, path, body := consolePath(route)
		for role, token := range tokens {
			a := s.do(method, path, "Kinvey "+token, body)
			refused := a.status == 401 && strings.Contains(string(a.body), "InsufficientCredentials") && strings.Contains(string(a.body), "the role "+role)
			if want := ranks[role] < ranks[need]; refused != want {
				t.Errorf("%s by a token of %s: %d %s; refused should be %v", route, role, a.status, a.body, want)
			}
		}
	}
	if tried < 50 {
		t.Errorf("%d routes were tried", tried)
	}
	// Nor is the master secret that a session has.
	for role, token := range tokens {
		a := s.want(s.do("GET", "/v4/environments/"+kid, "Kinvey "+token, ""), 200, "")
		secret, given := get(a.json(t), "masterSecret").(string)
		if given != (role == "owner") {
			t.Errorf("the session of %s is shown the master secret: %v", role, given)
		}
		if given {
			s.want(s.do("GET", "/user/"+kid, basic(kid, secret), ""), 200, "")
			if err := s.e.SetOperatorRole("owner@example.org", "viewer"); err != nil {
				t.Fatal(err)
			}
			s.want(s.do("GET", "/user/"+kid, basic(kid, secret), ""), 401, "InvalidCredentials")
		}
	}
}

// What only asks what it would do is for viewers; the same request in earnest is not,
// however it is spelled.
func TestConsoleDryRuns(t *testing.T) {
	s, chief := atConsole(t)
	s.newOperator("viewer@example.org", "the same for all of them", "viewer")
	viewer := chief.other()
	viewer.want(viewer.login("viewer@example.org", "the same for all of them", ""), 200, "")
	chief.want(chief.api("PUT", "/appdata/"+kid+"/things/a", `{"_acl":{"gr":false}}`), 201, "")
	state := func() string { return string(chief.api("GET", "/appdata/"+kid+"/things", "").body) }
	was := state()
	imports, config := "/v4/environments/"+kid+"/collections/things/import", "/v4/environments/"+kid+"/config"
	file := `{"schemaVersion":"1.0.0","configType":"environment","collections":{"new":{"type":"internal","permissions":"private"}}}`
	if a := viewer.api("POST", imports+"?check=true", `{"_id":"b"}`); a.status != 200 {
		t.Errorf("a viewer tries an import: %d %s", a.status, a.body)
	}
	if a := viewer.api("PUT", config+"?check=true", file); a.status != 200 || !strings.Contains(string(a.body), `"applied":false`) {
		t.Errorf("a viewer tries a configuration: %d %s", a.status, a.body)
	}
	for _, check := range []string{"", "?check=", "?check=1", "?check=TRUE", "?check=false", "?check=false&check=true", "?Check=true", "?check=true%00"} {
		if a := viewer.api("POST", imports+check, `{"_id":"b"}`); a.status != 403 {
			t.Errorf("a viewer imports with %q: %d %s", check, a.status, a.body)
		}
	}
	for _, check := range []string{"", "?check=false", "?check=0", "?check=no"} {
		if a := viewer.api("PUT", config+check, file); a.status != 403 {
			t.Errorf("a viewer sets a configuration with %q: %d %s", check, a.status, a.body)
		}
	}
	bulk := "/v4/environments/" + kid + "/collections/things/bulk-acl"
	if _, there := s.e.ConsoleRoutes()["POST /v4/environments/{kid}/collections/{name}/bulk-acl"]; there {
		if a := viewer.api("POST", bulk, `{"query":{},"change":{"gr":true},"dryRun":true}`); a.status != 200 {
			t.Errorf("a viewer tries a bulk change: %d %s", a.status, a.body)
		}
		for _, dry := range []string{`,"dryRun":false`, "", `,"dryRun":"true"`, `,"dryRun":1`, `,"dryrun":true`, `,"dryRun":true,"dryRun":false`} {
			if a := viewer.api("POST", bulk, `{"query":{},"change":{"gr":true}`+dry+`}`); a.status != 403 {
				t.Errorf("a viewer changes in bulk with %q: %d %s", dry, a.status, a.body)
			}
		}
		viewer.api("POST", bulk, `{"query":{},"change":{"gr":true},"dryRun":true}`)
	}
	if now := state(); now != was {
		t.Errorf("a viewer has changed %s to %s", was, now)
	}
	if a := chief.api("GET", "/v4/environments/"+kid+"/collections/new", ""); a.status != 404 {
		t.Errorf("a viewer has made a collection: %s", a.body)
	}
}

// Operators are managed by owners; what an operator has open ends with his role, his
// password and himself.
func TestConsoleOperators(t *testing.T) {
	s, chief := atConsole(t)
	at := func(email string) string { return "/v4/operators/" + url.PathEscape(email) }
	const vera, secret, next = "vera+1@example.org", "the first that came to mind", "another that came later"
	vb := chief.other()
	made := chief.want(chief.api("POST", "/v4/operators", fmt.Sprintf(`{"email":%q,"password":%q,"role":"viewer"}`, vera, secret)), 201, "")
	if want := `{"email":"` + vera + `","role":"viewer","totp":false,"sessions":0}`; string(made.body) != want {
		t.Errorf("made %s; want %s", made.body, want)
	}
	token := func(password string) string {
		a := s.want(s.do("POST", "/v4/session", "", fmt.Sprintf(`{"email":%q,"password":%q}`, vera, password)), 200, "")
		text, _ := get(a.json(t), "token").(string)
		return "Kinvey " + text
	}
	api := ""
	both := func(password, role string) {
		t.Helper()
		a := vb.want(vb.login(vera, password, ""), 200, "")
		if got := get(a.json(t), "role"); got != role {
			t.Errorf("the role is %v, want %s", got, role)
		}
		api = token(password)
		s.want(s.do("GET", "/v4/user", api, ""), 200, "")
		if a := chief.api("GET", "/v4/operators", ""); !strings.Contains(string(a.body), `"email":"`+vera+`","role":"`+role+`","totp":false,"sessions":2`) {
			t.Errorf("the operators are %s", a.body)
		}
	}
	over := func(why string) {
		t.Helper()
		vb.over(why)
		if a := s.do("GET", "/v4/user", api, ""); a.status != 401 {
			t.Errorf("after %s the token of the API answers %d", why, a.status)
		}
	}
	both(secret, "viewer")
	chief.want(chief.api("PUT", at(vera), `{"role":"editor"}`), 200, "")
	over("a change of role")
	both(secret, "editor")
	chief.want(chief.api("PUT", at(vera), fmt.Sprintf(`{"password":%q}`, next)), 200, "")
	over("a new password")
	vb.want(vb.login(vera, secret, ""), 401, "InvalidCredentials")
	both(next, "editor")
	vb.wantAny(vb.api("PUT", "/v4/operator/password", fmt.Sprintf(`{"password":%q,"new":%q}`, secret, secret)), 403, "InsufficientCredentials")
	vb.wantAny(vb.api("PUT", "/v4/operator/password", fmt.Sprintf(`{"password":%q,"new":"short"}`, next)), 400, "ParameterValueOutOfRange")
	vb.want(vb.api("PUT", "/v4/operator/password", fmt.Sprintf(`{"password":%q,"new":%q}`, next, secret)), 204, "")
	over("his own new password")
	both(secret, "editor")
	old := vb.cookie
	chief.want(chief.api("DELETE", at(vera), ""), 204, "")
	over("his removal")
	vb.want(vb.login(vera, secret, ""), 401, "InvalidCredentials")
	chief.want(chief.api("POST", "/v4/operators", fmt.Sprintf(`{"email":%q,"password":%q}`, vera, secret)), 201, "")
	vb.cookie = old
	over("his return under the same name")

	// Two owners cannot be rid of each other.
	gone := make(chan answer, 2)
	second := chief.other()
	second.want(second.login(vera, secret, ""), 200, "")
	go func() { gone <- chief.api("DELETE", at(vera), "") }()
	go func() { gone <- second.api("PUT", at(chiefMail), `{"role":"viewer"}`) }()
	for range 2 {
		if a := <-gone; a.status >= 500 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	owners := 0
	for _, b := range []*browser{chief, second} {
		if a := b.api("GET", "/v4/operators", ""); a.status == 200 {
			owners += strings.Count(string(a.body), `"role":"owner"`)
		}
	}
	if owners != 1 {
		t.Errorf("there are %d owners", owners)
	}
	for _, b := range []*browser{chief, second} {
		if a := b.api("GET", "/v4/operators", ""); a.status == 200 {
			last := chiefMail
			if b == second {
				last = vera
			}
			b.wantAny(b.api("DELETE", at(last), ""), 400, "BadRequest")
			b.wantAny(b.api("PUT", at(last), `{"role":"editor"}`), 400, "BadRequest")
			b.wantAny(b.api("PUT", at(last), `{"rolle":"editor"}`), 400, "ParameterValueOutOfRange")
			b.wantAny(b.api("PUT", at(last), `{"role":"god"}`), 400, "ParameterValueOutOfRange")
			b.wantAny(b.api("PUT", at(last), `{}`), 400, "MissingRequestParameter")
			b.wantAny(b.api("PUT", at("none"), `{"role":"viewer"}`), 404, "UserNotFound")
			b.wantAny(b.api("POST", "/v4/operators", `{"email":"x","password":"password1"}`), 400, "ParameterValueOutOfRange")
			b.wantAny(b.api("POST", "/v4/operators", `{"email":"x\u0007","password":"a b c d e f g h"}`), 400, "ParameterValueOutOfRange")
			b.want(b.ask("GET", "/-/console/session", ""), 200, "")
		}
	}
}

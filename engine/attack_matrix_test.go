package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// outcome is what the contract says about one credential on one route.
type outcome int

const (
	served       outcome = iota // let in; what is answered is another test's business
	unknown                     // 401 InvalidCredentials: not authenticated
	insufficient                // 401 InsufficientCredentials: authenticated, not for this
)

func (o outcome) String() string { return [...]string{"served", "unknown", "insufficient"}[o] }

// attackExpected is what a class of routes does with the credentials that mean
// something; everything else is unknown.
type attackExpected struct{ none, app, master, user, operator outcome }

// The classes of routes, from what the API says about credentials and
// rules R1 to R3: the app secret bootstraps, users and the master work, only
// the master and operators manage.
var (
	attackOpen      = attackExpected{served, served, served, served, served}
	attackBootstrap = attackExpected{unknown, served, served, served, unknown}
	attackEntrance  = attackExpected{unknown, served, served, insufficient, unknown}
	attackWork      = attackExpected{unknown, insufficient, served, served, unknown}
	attackOwn       = attackExpected{unknown, insufficient, insufficient, served, unknown}
	attackRoot      = attackExpected{unknown, insufficient, served, insufficient, unknown}
	attackManage    = attackExpected{unknown, insufficient, served, insufficient, served}
	attackOperators = attackExpected{unknown, unknown, unknown, unknown, served}
	attackClosed    = attackExpected{unknown, unknown, unknown, unknown, unknown} // there is no auth service
	attackOperate   = attackExpected{unknown, insufficient, insufficient, insufficient, served}
)

// attackMatrix has a line for every route of the public server. K stands for
// the app key; the last column is a request that changes nothing for others.
var attackMatrix = []struct {
	route string
	is    attackExpected
	path  string
	body  string
}{
	{"GET /appdata", attackOpen, "/appdata", ""},
	{"GET /-/live", attackOpen, "/-/live", ""},
	{"GET /-/ready", attackOpen, "/-/ready", ""},
	{"GET /-/metrics", attackOpen, "/-/metrics", ""},
	{"POST /session", attackOpen, "/session", `{}`},
	{"GET /-/reset/{kid}/{id}/{token}", attackOpen, "/-/reset/K/x/y", ""},
	{"POST /-/reset/{kid}/{id}/{token}", attackOpen, "/-/reset/K/x/y", ""},
	{"GET /-/verify/{kid}/{id}/{token}", attackOpen, "/-/verify/K/x/y", ""},
	{"POST /-/verify/{kid}/{id}/{token}", attackOpen, "/-/verify/K/x/y", ""},

	{"GET /oauth/auth", attackOpen, "/oauth/auth", ""},
	{"POST /oauth/auth", attackOpen, "/oauth/auth", `{}`},
	{"POST /oauth/authenticate/{login}", attackOpen, "/oauth/authenticate/x", `{}`},
	{"POST /oauth/token", attackClosed, "/oauth/token", `{}`},
	{"POST /oauth/revoke", attackClosed, "/oauth/revoke", `{}`},
	{"GET /oauth2/redirect/{service}", attackOpen, "/oauth2/redirect/x", ""},
	{"POST /oauth2/redirect/{service}", attackOpen, "/oauth2/redirect/x", `{}`},
	{"GET /oauth2/saml/{service}", attackOpen, "/oauth2/saml/x", ""},

	{"GET /v4/auth-services", attackOperators, "/v4/auth-services", ""},
	{"POST /v4/auth-services", attackOperators, "/v4/auth-services", `{"nonsense":1}`},
	{"GET /v4/auth-services/{service}", attackOperators, "/v4/auth-services/x", ""},
	{"PUT /v4/auth-services/{service}", attackOperators, "/v4/auth-services/x", `{}`},
	{"DELETE /v4/auth-services/{service}", attackOperators, "/v4/auth-services/x", ""},
	{"POST /v4/auth-services/{service}/test", attackOperators, "/v4/auth-services/x/test", `{}`},
	{"GET /v4/identity-stores", attackOperators, "/v4/identity-stores", ""},
	{"POST /v4/identity-stores", attackOperators, "/v4/identity-stores", `{}`},
	{"GET /v4/identity-stores/{store}", attackOperators, "/v4/identity-stores/x", ""},
	{"DELETE /v4/identity-stores/{store}", attackOperators, "/v4/identity-stores/x", ""},

	{"GET /appdata/{kid}", attackBootstrap, "/appdata/K", ""},
	{"POST /rpc/{kid}/check-username-exists", attackBootstrap, "/rpc/K/check-username-exists", `{"username":"x"}`},
	{"POST /rpc/{kid}/{name}/user-password-reset-initiate", attackBootstrap, "/rpc/K/x/user-password-reset-initiate", ""},
	{"POST /rpc/{kid}/user-forgot-username", attackBootstrap, "/rpc/K/user-forgot-username", `{"email":"x@example.org"}`},
	{"POST /rpc/{kid}/{name}/user-email-verification-initiate", attackBootstrap, "/rpc/K/x/user-email-verification-initiate", ""},

	{"POST /user/{kid}", attackEntrance, "/user/K", `{"username":7}`},
	{"POST /user/{kid}/login", attackEntrance, "/user/K/login", `{}`},

	{"POST /user/{kid}/_logout", attackOwn, "/user/K/_logout", ""},
	{"GET /user/{kid}/_me", attackOwn, "/user/K/_me", ""},

	{"GET /user/{kid}", attackWork, "/user/K", ""},
	{"POST /user/{kid}/_lookup", attackWork, "/user/K/_lookup", `{"username":"x"}`},
	{"GET /user/{kid}/_count", attackWork, "/user/K/_count", ""},
	{"GET /user/{kid}/{id}", attackWork, "/user/K/x", ""},
	{"PUT /user/{kid}/{id}", attackWork, "/user/K/x", `{}`},
	{"DELETE /user/{kid}/{id}", attackWork, "/user/K/x", ""},
	{"DELETE /user/{kid}/{id}/tokens", attackWork, "/user/K/x/tokens", ""},
	{"POST /appdata/{kid}/{collection}", attackWork, "/appdata/K/things", `{}`},
	{"GET /appdata/{kid}/{collection}", attackWork, "/appdata/K/things", ""},
	{"DELETE /appdata/{kid}/{collection}", attackWork, "/appdata/K/things?query={\"x\":9}", ""},
	{"GET /appdata/{kid}/{collection}/_count", attackWork, "/appdata/K/things/_count", ""},
	{"POST /appdata/{kid}/{collection}/_group", attackWork, "/appdata/K/things/_group", `{}`},
	{"POST /user/{kid}/_group", attackWork, "/user/K/_group", `{}`},
	{"GET /appdata/{kid}/{collection}/_deltaset", attackWork, "/appdata/K/things/_deltaset", ""},
	{"GET /appdata/{kid}/{collection}/{id}", attackWork, "/appdata/K/things/x", ""},
	{"PUT /appdata/{kid}/{collection}/{id}", attackWork, "/appdata/K/things/NEW", `{}`},
	{"DELETE /appdata/{kid}/{collection}/{id}", attackWork, "/appdata/K/things/x", ""},
	{"POST /group/{kid}", attackWork, "/group/K", `{}`},
	{"GET /group/{kid}/{id}", attackWork, "/group/K/x", ""},
	{"PUT /group/{kid}/{id}", attackWork, "/group/K/NEW", `{}`},
	{"DELETE /group/{kid}/{id}", attackWork, "/group/K/x", ""},

	{"POST /rpc/{kid}/custom/{name}", attackWork, "/rpc/K/custom/x", ""},
	{"GET /stream/{kid}/{name}", attackWork, "/stream/K/x", ""},
	{"GET /blob/{kid}", attackWork, "/blob/K", ""},
	{"POST /blob/{kid}", attackWork, "/blob/K", ""},
	{"GET /blob/{kid}/{id}", attackWork, "/blob/K/x", ""},
	{"PUT /blob/{kid}/{id}", attackWork, "/blob/K/x", ""},
	{"DELETE /blob/{kid}/{id}", attackWork, "/blob/K/x", ""},
	{"POST /appdata/{kid}/{collection}/_subscribe", attackOwn, "/appdata/K/things/_subscribe", ""},
	{"POST /appdata/{kid}/{collection}/_unsubscribe", attackOwn, "/appdata/K/things/_unsubscribe", ""},
	{"POST /user/{kid}/{id}/register-realtime", attackOwn, "/user/K/x/register-realtime", ""},
	{"POST /user/{kid}/{id}/unregister-realtime", attackOwn, "/user/K/x/unregister-realtime", ""},
	{"POST /push/{kid}/register-device", attackOwn, "/push/K/register-device", ""},
	{"POST /push/{kid}/unregister-device", attackOwn, "/push/K/unregister-device", ""},

	{"GET /group/{kid}", attackRoot, "/group/K", ""},
	{"POST /rpc/{kid}/remove-collection", attackRoot, "/rpc/K/remove-collection", ""},
	{"DELETE /user/{kid}", attackRoot, "/user/K?query={\"x\":9}", ""},
	{"POST /user/{kid}/{id}/_restore", attackRoot, "/user/K/x/_restore", ""},
	{"POST /rpc/{kid}/lockdown-user", attackRoot, "/rpc/K/lockdown-user", `{"userId":"x","setLockdownStateTo":true}`},

	{"GET /v4/environments/{kid}/outbox", attackManage, "/v4/environments/K/outbox", ""},
	{"GET /v4/environments/{kid}/outbox/{id}", attackManage, "/v4/environments/K/outbox/x", ""},
	{"DELETE /v4/environments/{kid}/outbox", attackManage, "/v4/environments/K/outbox", ""},
	{"GET /v4/environments/{kid}/collections", attackManage, "/v4/environments/K/collections", ""},
	{"GET /v4/environments/{kid}/audit", attackManage, "/v4/environments/K/audit", ""},
	{"GET /v4/audit", attackOperators, "/v4/audit", ""},
	{"GET /v4/audit/verify", attackOperators, "/v4/audit/verify", ""},
	{"POST /v4/environments/{kid}/collections", attackManage, "/v4/environments/K/collections", `{}`},
	{"GET /v4/environments/{kid}/collections/{name}", attackManage, "/v4/environments/K/collections/none", ""},
	{"PUT /v4/environments/{kid}/collections/{name}", attackManage, "/v4/environments/K/collections/none", `{"permissions":"x"}`},
	{"DELETE /v4/environments/{kid}/collections/{name}", attackManage, "/v4/environments/K/collections/none", ""},
	{"GET /v4/environments/{kid}/collections/{name}/orders", attackManage, "/v4/environments/K/collections/none/orders", ""},
	{"PUT /v4/environments/{kid}/collections/{name}/orders", attackManage, "/v4/environments/K/collections/none/orders", `{"pin":"x"}`},
	{"GET /v4/environments/{kid}/collections/{name}/why", attackManage, "/v4/environments/K/collections/none/why", ""},
	{"GET /v4/environments/{kid}/collections/{name}/who-can", attackManage, "/v4/environments/K/collections/none/who-can", ""},
	{"GET /v4/environments/{kid}/collections/{name}/entities", attackManage, "/v4/environments/K/collections/none/entities", ""},
	{"GET /v4/environments/{kid}/visible", attackManage, "/v4/environments/K/visible", ""},
	{"GET /v4/environments/{kid}/users", attackManage, "/v4/environments/K/users", ""},
	{"GET /v4/environments/{kid}/groups", attackManage, "/v4/environments/K/groups", ""},
	{"GET /v4/environments/{kid}/groups/{id}", attackManage, "/v4/environments/K/groups/none", ""},
	{"GET /v4/environments/{kid}/lint", attackManage, "/v4/environments/K/lint", ""},
	{"GET /v4/environments/{kid}/names", attackManage, "/v4/environments/K/names?ids=x", ""},
	{"GET /v4/environments/{kid}/sessions", attackManage, "/v4/environments/K/sessions", ""},
	{"DELETE /v4/environments/{kid}/sessions/{id}", attackManage, "/v4/environments/K/sessions/none", ""},
	{"POST /v4/environments/{kid}/collections/{name}/preview", attackManage, "/v4/environments/K/collections/none/preview", `{}`},
	{"POST /v4/environments/{kid}/preview", attackManage, "/v4/environments/K/preview", `{}`},
	{"POST /v4/environments/{kid}/collections/{name}/bulk-acl", attackManage, "/v4/environments/K/collections/none/bulk-acl", `{}`},
	{"GET /v4/environments/{kid}/collections/{name}/explain-query", attackManage, "/v4/environments/K/collections/none/explain-query", ""},
	{"POST /v4/environments/{kid}/collections/{name}/import", attackManage, "/v4/environments/K/collections/none/import?check=true", `{}`},

	{"DELETE /session", attackOperators, "/session", ""},
	{"DELETE /v4/session", attackOperators, "/v4/session", ""},
	{"POST /v4/session", attackOpen, "/v4/session", `{}`},
	{"GET /v4/identity-providers", attackOpen, "/v4/identity-providers", ""},
	{"GET /v4/user", attackOperators, "/v4/user", ""},
	{"GET /v4/system", attackOperators, "/v4/system", ""},
	{"GET /v4/apps", attackOperators, "/v4/apps", ""},
	{"POST /v4/apps", attackOperators, "/v4/apps", `{"nonsense":1}`},
	{"GET /v4/apps/{app}", attackOperators, "/v4/apps/none", ""},
	{"PUT /v4/apps/{app}", attackOperators, "/v4/apps/none", `{}`},
	{"DELETE /v4/apps/{app}", attackOperators, "/v4/apps/none", ""},
	{"GET /v4/apps/{app}/environments", attackOperators, "/v4/apps/none/environments", ""},
	{"POST /v4/apps/{app}/environments", attackOperators, "/v4/apps/none/environments", `{}`},
	{"GET /v4/organizations", attackOperators, "/v4/organizations", ""},
	{"GET /v4/organizations/{org}", attackOperators, "/v4/organizations/none", ""},
	{"GET /v4/organizations/{org}/apps", attackOperators, "/v4/organizations/none/apps", ""},
	{"PUT /v4/organizations/{org}", attackOperators, "/v4/organizations/none", `{}`},
	{"GET /v4/services", attackOperators, "/v4/services", ""},
	{"POST /v4/services", attackOperators, "/v4/services", `{}`},
	{"GET /v4/services/{service}", attackOperators, "/v4/services/none", ""},
	{"PUT /v4/services/{service}", attackOperators, "/v4/services/none", `{}`},
	{"GET /v4/sites", attackOperators, "/v4/sites", ""},
	{"GET /v4/requests", attackOperators, "/v4/requests", ""},
	{"POST /v4/sites", attackOperators, "/v4/sites", `{}`},
	{"GET /v4/environments/{kid}", attackOperate, "/v4/environments/K", ""},
	{"PUT /v4/environments/{kid}", attackOperate, "/v4/environments/K", `{"nonsense":1}`},
	{"DELETE /v4/environments/{kid}", attackOperate, "/v4/environments/K", `{`},
	{"POST /v4/environments/{kid}/regenerate-appsecret", attackOperate, "/v4/environments/K/regenerate-appsecret", `{"overlapSeconds":"x"}`},
	{"POST /v4/environments/{kid}/regenerate-mastersecret", attackOperate, "/v4/environments/K/regenerate-mastersecret", `{"overlapSeconds":"x"}`},
	{"GET /v4/environments/{kid}/business-logic/common", attackOperate, "/v4/environments/K/business-logic/common", ""},
	{"GET /v4/environments/{kid}/business-logic/endpoints", attackOperate, "/v4/environments/K/business-logic/endpoints", ""},
	{"GET /v4/environments/{kid}/business-logic/collections", attackOperate, "/v4/environments/K/business-logic/collections", ""},
	{"POST /v4/environments/{kid}/business-logic/common", attackOperate, "/v4/environments/K/business-logic/common", `{}`},
	{"POST /v4/environments/{kid}/business-logic/endpoints", attackOperate, "/v4/environments/K/business-logic/endpoints", `{}`},
	{"PUT /v4/environments/{kid}/business-logic/collections/{name}/{hook}", attackOperate, "/v4/environments/K/business-logic/collections/c/pre-save", `{}`},
	{"GET /v4/environments/{kid}/push", attackOperate, "/v4/environments/K/push", ""},
	{"PUT /v4/environments/{kid}/push", attackOperate, "/v4/environments/K/push", `{}`},
	{"POST /v4/environments/{kid}/push", attackOperate, "/v4/environments/K/push", `{}`},

	{"GET /roles/{kid}", attackRoot, "/roles/K", ""},
	{"POST /roles/{kid}", attackRoot, "/roles/K", `{}`},
	{"GET /roles/{kid}/{role}", attackRoot, "/roles/K/none", ""},
	{"PUT /roles/{kid}/{role}", attackRoot, "/roles/K/none", `{}`},
	{"DELETE /roles/{kid}/{role}", attackRoot, "/roles/K/none", ""},
	{"GET /roles/{kid}/{role}/membership", attackRoot, "/roles/K/none/membership", ""},
	{"POST /roles/{kid}/{role}/membership", attackRoot, "/roles/K/none/membership", `{}`},
	{"GET /user/{kid}/{id}/roles", attackRoot, "/user/K/x/roles", ""}, // x is nobody: his own he may see
	{"PUT /user/{kid}/{id}/roles/{role}", attackRoot, "/user/K/x/roles/none", `{}`},
	{"DELETE /user/{kid}/{id}/roles/{role}", attackRoot, "/user/K/x/roles/none", ""},
}

// attackCredential is one kind of Authorization header. make is called for
// every request, because some requests end a session.
type attackCredential struct {
	name string
	of   func(attackExpected) outcome
	make func() string
}

func attackCredentials(t *testing.T, s *server) []attackCredential {
	attackEvilApp(s)
	if err := s.e.CreateOperator("op@example.org", "operator-password"); err != nil {
		t.Fatal(err)
	}
	alice := s.signUp("alice")
	token := func(path, authorization, body, member string) string {
		v := s.want(s.do("POST", path, authorization, body), 200, "").json(t)
		if member == "token" {
			tok, _ := get(v, "token").(string)
			return tok
		}
		tok, _ := get(v, "_kmd", "authtoken").(string)
		return tok
	}
	s.want(s.do("POST", "/user/"+evilKid, basic(evilKid, evilSecret), `{"username":"eve","password":"eve"}`), 201, "")
	s.want(s.do("POST", "/user/"+evilKid, basic(evilKid, evilSecret), `{"username":"op@example.org","password":"operator-password"}`), 201, "")
	nobody := func(e attackExpected) outcome { return e.none }
	user := func(e attackExpected) outcome { return e.user }
	fixed := func(h string) func() string { return func() string { return h } }
	session := func() string {
		return token("/user/"+kid+"/login", asApp, `{"username":"alice","password":"alice"}`, "")
	}
	return []attackCredential{
		{"none", nobody, fixed("")},
		{"malformed: scheme only", nobody, fixed("Basic")},
		{"malformed: no base64", nobody, fixed("Basic ***")},
		{"malformed: no colon", nobody, fixed(attackBase64(kid + masterSecret))},
		{"malformed: Bearer", nobody, fixed("Bearer " + masterSecret)},
		{"malformed: two values", nobody, fixed(asMaster + ", " + asApp)},
		{"malformed: Kinvey and a secret", nobody, fixed("Kinvey " + masterSecret)},
		{"malformed: Basic and a token", nobody, func() string { return "Basic " + session() }},
		{"app", func(e attackExpected) outcome { return e.app }, fixed(asApp)},
		{"master", func(e attackExpected) outcome { return e.master }, fixed(asMaster)},
		{"app key without secret", nobody, fixed(basic(kid, ""))},
		{"app key and wrong secret", nobody, fixed(basic(kid, strings.Repeat("0", 32)))},
		{"app key and secret in upper case", nobody, fixed(basic(kid, strings.ToUpper(masterSecret)))},
		{"user Basic", user, fixed(alice.basic())},
		{"user Basic, wrong password", nobody, fixed(basic("alice", "bob"))},
		{"user Basic, no password", nobody, fixed(basic("alice", ""))},
		{"user Basic, master secret as password", nobody, fixed(basic("alice", masterSecret))},
		{"user session", user, func() string { return "Kinvey " + session() }},
		{"other app's app secret", nobody, fixed(basic(evilKid, evilSecret))},
		{"other app's master secret", nobody, fixed(basic(evilKid, evilMaster))},
		{"this key, other app's master secret", nobody, fixed(basic(kid, evilMaster))},
		{"other app's user Basic", nobody, fixed(basic("eve", "eve"))},
		{"other app's user session", nobody, func() string {
			return "Kinvey " + token("/user/"+evilKid+"/login", basic(evilKid, evilSecret), `{"username":"eve","password":"eve"}`, "")
		}},
		{"session of a user called like the operator", nobody, func() string {
			return "Kinvey " + token("/user/"+evilKid+"/login", basic(evilKid, evilSecret), `{"username":"op@example.org","password":"operator-password"}`, "")
		}},
		{"operator's password as Basic", nobody, fixed(basic("op@example.org", "operator-password"))},
		{"operator session", func(e attackExpected) outcome { return e.operator }, func() string {
			return "Kinvey " + token("/session", "", `{"email":"op@example.org","password":"operator-password"}`, "token")
		}},
	}
}

// Every route with every kind of credential: the app secret alone reaches what
// bootstraps, nothing of another app or plane is worth anything. Guards:
// authenticate, byToken and basic in authenticate.go, the allow column in
// routes.go.
func TestAttackEveryRouteWithEveryCredential(t *testing.T) {
	s := start(t)
	fresh := 0
	for _, c := range attackCredentials(t, s) {
		for _, m := range attackMatrix {
			fresh++
			method, _, _ := strings.Cut(m.route, " ")
			path := strings.ReplaceAll(m.path, "K", kid)
			path = strings.ReplaceAll(path, "NEW", fmt.Sprintf("n%d", fresh))
			a := s.do(method, path, c.make(), m.body)
			name := ""
			if a.status == 401 {
				name, _ = get(a.json(t), "error").(string)
				if code, ok := get(a.json(t), "code").(string); ok {
					name = code
				}
			}
			got := served
			switch {
			case name == "InvalidCredentials", name == "invalid_client":
				got = unknown
			case name == "InsufficientCredentials":
				got = insufficient
			case a.status == 401, a.status == 405, a.status >= 500, strings.Contains(string(a.body), "The endpoint you tried"):
				t.Errorf("%s with %s: %d %s", m.route, c.name, a.status, a.body)
			}
			if want := c.of(m.is); got != want {
				t.Errorf("%s with %s: %v (%d %s), want %v", m.route, c.name, got, a.status, a.body, want)
			}
			if got != served && a.status != 401 || (got == unknown) != (a.header["Www-Authenticate"] != "") {
				t.Errorf("%s with %s: %d, WWW-Authenticate %q", m.route, c.name, a.status, a.header["Www-Authenticate"])
			}
			attackLacks(t, m.route+" with "+c.name, a, masterSecret, appSecret, evilMaster)
		}
	}
}

// A route that is added to the server must be added to the matrix.
func TestAttackMatrixCoversEveryRoute(t *testing.T) {
	s := start(t)
	public, _ := s.e.AttackRoutes()
	var have []string
	for _, m := range attackMatrix {
		have = append(have, m.route)
	}
	slices.Sort(public)
	slices.Sort(have)
	if !slices.Equal(public, have) {
		for _, r := range public {
			if !slices.Contains(have, r) {
				t.Errorf("%s is not in the matrix", r)
			}
		}
		for _, r := range have {
			if !slices.Contains(public, r) {
				t.Errorf("%s is not a route", r)
			}
		}
	}
}

// What the socket in the data directory administers is not there for the
// network, whoever asks.
func TestAttackAdministrationFromTheNetwork(t *testing.T) {
	s := start(t)
	_, socket := s.e.AttackRoutes()
	for _, c := range attackCredentials(t, s) {
		header := c.make()
		for _, r := range socket {
			method, path, _ := strings.Cut(r, " ")
			path = strings.NewReplacer("{kid}", kid, "{name}", "alice", "{session}", "0").Replace(path)
			a := s.do(method, path, header, `{}`)
			if a.status != 404 && a.status != 405 {
				t.Errorf("%s with %s: %d %s", r, c.name, a.status, a.body)
			}
		}
	}
}

// The debug text and the plane of an error do not tell whether an account, an
// app's entity or an operator exists.
func TestAttackOtherAppsDataWithOwnMaster(t *testing.T) {
	s := start(t)
	attackEvilApp(s)
	alice := s.signUp("alice")
	s.want(s.do("POST", "/appdata/"+kid+"/things", alice.session(), `{"_id":"e","x":1}`), 201, "")
	evil := basic(evilKid, evilMaster)
	// The same names in his own app are his own things.
	s.want(s.do("GET", "/appdata/"+evilKid+"/things/e", evil, ""), 404, "EntityNotFound")
	s.want(s.do("GET", "/user/"+evilKid+"/"+alice.id, evil, ""), 404, "UserNotFound")
	s.want(s.do("PUT", "/user/"+evilKid+"/"+alice.id, evil, `{"password":"m"}`), 404, "UserNotFound")
	s.want(s.do("DELETE", "/user/"+evilKid+"/"+alice.id+"?hard=true", evil, ""), 404, "UserNotFound")
	s.want(s.do("PUT", "/appdata/"+evilKid+"/things/e", evil, `{"x":2}`), 201, "")
	s.want(s.do("DELETE", "/appdata/"+evilKid+"/things?query={}", evil, ""), 200, "")
	a := s.want(s.do("GET", "/appdata/"+kid+"/things/e", alice.session(), ""), 200, "")
	if fmt.Sprint(get(a.json(t), "x")) != "1" {
		t.Errorf("the entity is now %s", a.body)
	}
	existing := s.do("GET", "/appdata/"+kid+"/things/e", evil, "")
	missing := s.do("GET", "/appdata/"+kid+"/things/none", evil, "")
	attackSame(t, "another app's entity", existing, missing)
}

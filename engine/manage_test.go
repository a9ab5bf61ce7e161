package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/engine/store"
)

const (
	operatorMail     = "operator@example.org"
	operatorPassword = "operator-password"
)

// operator makes an operator, if there is none, and logs him in.
func (s *server) operator() string {
	s.t.Helper()
	if err := s.e.CreateOperator(operatorMail, operatorPassword); err != nil && !strings.Contains(err.Error(), "exists") {
		s.t.Fatal(err)
	}
	a := s.do("POST", "/session", "", fmt.Sprintf(`{"email":%q,"password":%q}`, operatorMail, operatorPassword))
	return "Kinvey " + s.text(a, "token")
}

// text returns a string inside a good answer.
func (s *server) text(a answer, path ...string) string {
	s.t.Helper()
	v, ok := get(a.json(s.t), path...).(string)
	if a.status >= 300 || !ok {
		s.t.Fatalf("%d %s has no text at %v", a.status, a.body, path)
	}
	return v
}

// refused checks an error of the management API, which says code for error.
func (s *server) refused(a answer, status int, code string) {
	s.t.Helper()
	if a.status != status || get(a.json(s.t), "code") != code {
		s.t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
}

// first is the only environment in an answer about an app.
func first(t *testing.T, a answer) map[string]any {
	t.Helper()
	list, _ := get(a.json(t), "environments").([]any)
	if len(list) != 1 {
		t.Fatalf("one environment is wanted: %s", a.body)
	}
	return list[0].(map[string]any)
}

func TestManageApps(t *testing.T) {
	s := start(t)
	op := s.operator()
	made := s.want(s.do("POST", "/v4/apps", op, `{"name":"Shop","organizationId":"postern","sessionTimeoutInSeconds":600,"realtime":{"enabled":true}}`), 201, "")
	app, env := s.text(made, "id"), first(t, made)
	key, appSecret, master := env["id"].(string), env["appSecret"].(string), env["masterSecret"].(string)
	// The secrets are shown here, and never again.
	s.want(s.do("GET", "/appdata/"+key, basic(key, appSecret), ""), 200, "")
	s.want(s.do("GET", "/appdata/"+key+"/c", basic(key, master), ""), 200, "")
	for _, path := range []string{"/v4/apps", "/v4/apps/" + app, "/v4/apps/" + app + "/environments", "/v4/environments/" + key} {
		a := s.want(s.do("GET", path, op, ""), 200, "")
		if strings.Contains(string(a.body), appSecret) || strings.Contains(string(a.body), master) {
			t.Errorf("%s shows a secret again: %s", path, a.body)
		}
		if !strings.Contains(string(a.body), `"sessionTimeoutInSeconds":600`) || !strings.Contains(string(a.body), key) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	// A second environment shares what belongs to the app and has its own rest.
	staging := s.want(s.do("POST", "/v4/apps/"+app+"/environments", op, `{"name":"Staging","apiVersion":0,"emailVerification":{"auto":true,"required":false}}`), 201, "")
	second := s.text(staging, "id")
	v := staging.json(t)
	if get(v, "app") != app || get(v, "appName") != "Shop" || fmt.Sprint(get(v, "apiVersion")) != "0" ||
		fmt.Sprint(get(v, "sessionTimeoutInSeconds")) != "600" || get(v, "realtime", "enabled") != true || get(v, "emailVerification", "auto") != true {
		t.Errorf("the second environment: %s", staging.body)
	}
	s.want(s.do("GET", "/appdata/"+second, basic(second, s.text(staging, "appSecret")), ""), 200, "")
	s.refused(s.do("POST", "/v4/apps/"+app+"/environments", op, `{"name":"Staging"}`), 400, "BadRequest")
	s.refused(s.do("POST", "/v4/apps/"+app+"/environments", op, `{}`), 400, "MissingRequestParameter")
	s.refused(s.do("POST", "/v4/apps/none/environments", op, `{"name":"x"}`), 404, "AppNotFound")
	// What the environments share changes in all of them, or in none.
	s.want(s.do("PUT", "/v4/apps/"+app, op, `{"name":"Market","organizationId":null,"sessionTimeoutInSeconds":null}`), 200, "")
	s.refused(s.do("PUT", "/v4/apps/"+app, op, `{"name":"Bazaar","realtime":null,"nonsense":1}`), 400, "ParameterValueOutOfRange")
	s.refused(s.do("PUT", "/v4/apps/"+app, op, `{"organizationId":"other"}`), 400, "ParameterValueOutOfRange")
	for _, key := range []string{key, second} {
		v := s.do("GET", "/v4/environments/"+key, op, "").json(t)
		if get(v, "appName") != "Market" || fmt.Sprint(get(v, "sessionTimeoutInSeconds")) != "0" || get(v, "realtime", "enabled") != true {
			t.Errorf("environment %s after the change: %v", key, v)
		}
	}
	// Settings of one environment.
	s.want(s.do("PUT", "/v4/environments/"+second, op, `{"name":"QA","passwordReset":{"x":"<&>"},"emailVerification":null}`), 200, "")
	v = s.do("GET", "/v4/environments/"+second, op, "").json(t)
	if get(v, "name") != "QA" || get(v, "passwordReset", "x") != "<&>" || get(v, "emailVerification", "required") != false {
		t.Errorf("the environment after the change: %v", v)
	}
	s.refused(s.do("PUT", "/v4/environments/"+second, op, `{"name":"Development"}`), 400, "BadRequest")
	s.refused(s.do("PUT", "/v4/environments/"+second, op, `{"name":"Z","hideUnreadble":true}`), 400, "ParameterValueOutOfRange")
	s.refused(s.do("PUT", "/v4/environments/"+second, op, `{"passwordReset":"`+strings.Repeat("x", 5000)+`"}`), 413, "BadRequest")
	s.refused(s.do("GET", "/v4/apps/none", op, ""), 404, "AppNotFound")
	s.refused(s.do("GET", "/v4/environments/none", op, ""), 404, "AppNotFound")
	if a := s.do("GET", "/v4/user", op, ""); s.text(a, "email") != operatorMail {
		t.Errorf("who am I: %s", a.body)
	}
	// Both spellings of logging in and out.
	a := s.do("POST", "/v4/session", "", fmt.Sprintf(`{"email":%q,"password":%q}`, operatorMail, operatorPassword))
	other := "Kinvey " + s.text(a, "token")
	s.want(s.do("DELETE", "/v4/session", other, ""), 204, "")
	s.refused(s.do("GET", "/v4/apps", other, ""), 401, "InvalidCredentials")
	s.want(s.do("DELETE", "/session", op, ""), 204, "")
	s.refused(s.do("GET", "/v4/apps", op, ""), 401, "InvalidCredentials")
}

// The master secret that an environment shows to an operator opens that app
// only, is not stored, and ends with the session in every way that one ends.
// Guards: masterOf binds app and session; derivedMaster asks live.
func TestManageDerivedMasterSecret(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now })
	s.clock = c
	works := func(key, secret string) bool {
		a := s.do("GET", "/appdata/"+key+"/c", basic(key, secret), "")
		if a.status != 200 && a.error(t) != "InvalidCredentials" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return a.status == 200
	}
	secret := func(op, key string) string {
		return s.text(s.do("GET", "/v4/environments/"+key, op, ""), "masterSecret")
	}
	one, two := s.operator(), s.operator()
	mine, others, again := secret(one, kid), secret(one, "kid_other"), secret(two, kid)
	if mine == others || mine == again || others == again || mine != secret(one, kid) || len(mine) != 32 {
		t.Errorf("secrets %q, %q, %q: one for each session and app is wanted", mine, others, again)
	}
	if !works(kid, mine) || !works(kid, again) || !works("kid_other", others) {
		t.Error("a derived secret does not work")
	}
	if works(kid, others) || works("kid_other", mine) {
		t.Error("a derived secret opens another app")
	}
	for _, level := range []string{"", strings.ToUpper(mine), mine[:31], mine + "0"} {
		if works(kid, level) {
			t.Errorf("%q passes for %q", level, mine)
		}
	}
	// It is a master's: it reads what is hidden, and it is not an operator's.
	s.want(s.do("GET", "/roles/"+kid, basic(kid, mine), ""), 200, "")
	s.refused(s.do("GET", "/v4/environments/"+kid, basic(kid, mine), ""), 401, "InsufficientCredentials")
	s.refused(s.do("GET", "/v4/apps", "Kinvey "+mine, ""), 401, "InvalidCredentials")
	view, err := s.driver.View()
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	err = view.Scan(store.AllRows(), func(r store.Row) error {
		if strings.Contains(string(r.Value)+r.Key.ID, mine) {
			t.Errorf("the secret is stored in %v", r.Key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.do("DELETE", "/session", two, ""), 204, "")
	if works(kid, again) || !works(kid, mine) {
		t.Error("the secret lives on after the logout, or another session's died with it")
	}
	s.clock.Add(8 * time.Hour)
	if works(kid, mine) {
		t.Error("the secret lives on after the session has run out")
	}
}

// Old and new secret live side by side for as long as was asked, two at most.
func TestManageRegenerate(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now })
	op := s.operator()
	for _, x := range []struct{ route, member, old, path string }{
		{"regenerate-appsecret", "appSecret", appSecret, "/appdata/" + kid},
		{"regenerate-mastersecret", "masterSecret", masterSecret, "/appdata/" + kid + "/c"},
	} {
		alive := func(secret string) bool { return s.do("GET", x.path, basic(kid, secret), "").status == 200 }
		again := func(body string) string {
			return s.text(s.do("POST", "/v4/environments/"+kid+"/"+x.route, op, body), x.member)
		}
		second := again(`{"overlapSeconds":60}`)
		if !alive(x.old) || !alive(second) {
			t.Errorf("%s: two secrets do not live side by side", x.route)
		}
		third := again(`{"overlapSeconds":60}`)
		if alive(x.old) || !alive(second) || !alive(third) {
			t.Errorf("%s: the newest two should live", x.route)
		}
		c.Add(61 * time.Second)
		if alive(second) || !alive(third) {
			t.Errorf("%s: after the overlap the newest alone should live", x.route)
		}
		fourth := again("")
		if alive(third) || !alive(fourth) {
			t.Errorf("%s: without an overlap the old secret ends at once", x.route)
		}
		s.refused(s.do("POST", "/v4/environments/"+kid+"/"+x.route, op, `{"overlapSeconds":604801}`), 400, "ParameterValueOutOfRange")
	}
}

// What was deleted answers as if it had never been, at once and after a
// restart, and its key stays taken. Guards: appByKey, apply of a deleted app,
// createApp.
func TestManageDelete(t *testing.T) {
	dir := t.TempDir()
	s := start(t, onBadger(t, dir))
	op := s.operator()
	alice := s.signUp("alice")
	s.setLevel("c", "write")
	for i := range 5 {
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/c/e%d", kid, i), alice.session(), `{"x":1}`), 201, "")
	}
	s.want(s.do("PUT", "/group/"+kid+"/g", asMaster, `{"users":{"all":true}}`), 201, "")
	s.want(s.do("POST", "/roles/"+kid, asMaster, `{"name":"r"}`), 201, "")
	second := s.text(s.do("POST", "/v4/apps/"+kid+"/environments", op, `{"name":"Second"}`), "id")
	s.want(s.do("DELETE", "/v4/environments/"+kid, op, ""), 204, "")
	gone := func(s *server, op string) {
		t.Helper()
		for _, header := range []string{asApp, asMaster, alice.session(), alice.basic(), op} {
			for _, path := range []string{"/appdata/" + kid, "/appdata/" + kid + "/c", "/user/" + kid + "/_me", "/group/" + kid + "/g", "/roles/" + kid} {
				s.want(s.do("GET", path, header, ""), 404, "AppNotFound")
			}
			s.refused(s.do("GET", "/v4/environments/"+kid, header, ""), 404, "AppNotFound")
		}
		s.refused(s.do("DELETE", "/v4/environments/"+kid, op, ""), 404, "AppNotFound")
		s.refused(s.do("POST", "/v4/apps", op, `{"name":"again","id":"`+kid+`"}`), 400, "BadRequest")
		list := string(s.want(s.do("GET", "/v4/apps", op, ""), 200, "").body)
		if strings.Contains(list, `"id":"`+kid+`","app"`) || !strings.Contains(list, second) {
			t.Errorf("the list after the removal: %s", list)
		}
		// The app goes on with its other environment, under the same id.
		if s.text(s.do("GET", "/v4/apps/"+kid, op, ""), "id") != kid {
			t.Error("the app has lost its id")
		}
	}
	gone(s, op)
	s.stop()
	s = start(t, onBadger(t, dir))
	gone(s, s.operator())
	// The cleaner has nobody to tell, so its work is awaited where it shows.
	for deadline := time.Now().Add(time.Minute); ; {
		v, err := s.driver.View()
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		err = v.Scan(store.OfApp(1), func(store.Row) error { left++; return nil })
		v.Close()
		if err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d rows of the deleted app are left", left)
		}
		s.want(s.do("GET", "/-/live", "", ""), 200, "")
	}
	op = s.operator()
	s.want(s.do("DELETE", "/v4/apps/"+kid, op, ""), 204, "")
	s.refused(s.do("GET", "/v4/apps/"+kid, op, ""), 404, "AppNotFound")
	s.refused(s.do("GET", "/v4/environments/"+second, op, ""), 404, "AppNotFound")
	s.refused(s.do("DELETE", "/v4/apps/"+kid, op, ""), 404, "AppNotFound")
}

// Writers that race a removal are served or told that the app is gone.
func TestManageDeleteUnderLoad(t *testing.T) {
	s := start(t)
	op := s.operator()
	alice := s.signUp("alice")
	answers := make(chan answer, 400)
	for range 8 {
		go func() {
			for range 50 {
				a, err := s.try("POST", "/appdata/"+kid+"/c", alice.session(), `{"x":1}`)
				if err != nil {
					a = answer{body: []byte(err.Error())}
				}
				answers <- a
			}
		}()
	}
	<-answers
	s.want(s.do("DELETE", "/v4/environments/"+kid, op, ""), 204, "")
	for range 399 {
		if a := <-answers; a.status != 201 && (a.status != 404 || a.error(t) != "AppNotFound") {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
}

// Questions about what this server does not have are answered with nothing,
// orders are refused.
func TestManageAbsent(t *testing.T) {
	s := start(t)
	op := s.operator()
	env := "/v4/environments/" + kid
	for path, want := range map[string]string{
		env + "/business-logic/common": "[]", env + "/business-logic/endpoints": "[]", env + "/business-logic/collections": "[]",
		env + "/push": "{}", "/v4/services": "[]", "/v4/sites": "[]", "/v4/identity-providers": "[]",
	} {
		if a := s.want(s.do("GET", path, op, ""), 200, ""); string(a.body) != want {
			t.Errorf("%s: %s, want %s", path, a.body, want)
		}
	}
	for _, order := range []string{
		"POST " + env + "/business-logic/common", "POST " + env + "/business-logic/endpoints",
		"PUT " + env + "/business-logic/collections/c/pre-save", "PUT " + env + "/push", "POST " + env + "/push",
		"POST /v4/services", "POST /v4/sites", "PUT /v4/organizations/postern",
	} {
		method, path, _ := strings.Cut(order, " ")
		s.refused(s.do(method, path, op, `{"name":"x","code":"x"}`), 403, "MissingConfiguration")
	}
	if s.text(s.do("GET", "/v4/organizations/postern", op, ""), "id") != "postern" {
		t.Error("no organization")
	}
	s.refused(s.do("GET", "/v4/organizations/other", op, ""), 404, "EntityNotFound")
	s.refused(s.do("GET", "/v4/organizations/other/apps", op, ""), 404, "EntityNotFound")
	s.refused(s.do("PUT", "/v4/organizations/other", op, "{}"), 404, "EntityNotFound")
	s.refused(s.do("GET", "/v4/services/x", op, ""), 404, "EntityNotFound")
	s.refused(s.do("PUT", "/v4/services/x", op, "{}"), 404, "EntityNotFound")
	// It is as it is, and may be told so.
	is := s.do("GET", "/v4/organizations/postern", op, "")
	if a := s.want(s.do("PUT", "/v4/organizations/postern", op, string(is.body)), 200, ""); string(a.body) != string(is.body) {
		t.Errorf("%s; want %s", a.body, is.body)
	}
	all, orgs := s.do("GET", "/v4/apps", op, ""), s.do("GET", "/v4/organizations/postern/apps", op, "")
	if string(all.body) != string(orgs.body) {
		t.Errorf("the organization's apps: %s", orgs.body)
	}
}

// A page on the web gets no leave to read or call the management API, whatever
// an app allows.
func TestManagementIsNeverCORS(t *testing.T) {
	s := start(t)
	op := s.operator()
	public, _ := s.e.AttackRoutes()
	checked := 0
	for _, r := range public {
		method, path, _ := strings.Cut(r, " ")
		if !strings.HasPrefix(path, "/v4/") && path != "/session" && !strings.HasPrefix(path, "/roles/") {
			continue
		}
		checked++
		path = strings.NewReplacer("{kid}", kid, "{app}", "none", "{org}", "none", "{role}", "none", "{name}", "none", "{hook}", "none").Replace(path)
		for _, origin := range []string{"https://evil.example", "http://localhost:8080", "null"} {
			for _, m := range []string{method, "OPTIONS"} {
				if m == "DELETE" && path == "/v4/environments/"+kid || strings.HasSuffix(path, "session") && m == "DELETE" {
					continue // would end what the next ones need; its answer is made like all others
				}
				a := s.do(m, path, op, "", "Origin", origin, "Access-Control-Request-Method", method)
				for name, value := range a.header {
					if strings.HasPrefix(strings.ToLower(name), "access-control-") {
						t.Errorf("%s %s answers %s: %s", m, path, name, value)
					}
				}
				if m == "OPTIONS" && a.status < 400 {
					t.Errorf("OPTIONS %s: %d", path, a.status)
				}
			}
		}
	}
	if checked < 40 {
		t.Errorf("%d routes checked", checked)
	}
}

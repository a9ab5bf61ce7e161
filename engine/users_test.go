package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"postern/engine/store"
)

// One test for each row of the contract's table of user calls, named for the
// row (U1 to U14, R1 to R5), over HTTP. The permissions of each route are in
// attackMatrix; what mails lead to is in verify_test.go.

// keys lists the members of a JSON object in order.
func keys(v any) string {
	m, _ := v.(map[string]any)
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}

func version(v string) []string { return []string{"X-Kinvey-Api-Version", v} }

func TestU1SignUp(t *testing.T) {
	s := start(t)
	path := "/user/" + kid
	for _, v := range []string{"1", "2", "3", "4", "5", "6"} {
		for _, body := range []string{"", "{}", `{"username":null,"password":null}`, `{"username":"","password":""}`} {
			a := s.want(s.do("POST", path, asApp, body, version(v)...), 201, "")
			u := a.json(t)
			id, _ := get(u, "_id").(string)
			name, _ := get(u, "username").(string)
			password, _ := get(u, "password").(string)
			if len(id) != 24 || name == "" || password == "" || a.header["Location"] != path+"/"+id {
				t.Fatalf("version %s, body %q: %s %v", v, body, a.body, a.header)
			}
			if got, _ := json.Marshal(get(u, "_acl")); string(got) != `{"creator":"`+id+`"}` {
				t.Errorf("_acl is %s", got)
			}
			if get(u, "_kmd", "lmt") != get(u, "_kmd", "ect") {
				t.Errorf("_kmd is %v", get(u, "_kmd"))
			}
			if _, has := get(u, "_kmd", "authtoken").(string); has != (v < "6") {
				t.Errorf("version %s: authtoken is there: %v", v, has)
			}
			s.want(attackLogin(s, name, password), 200, "")
		}
	}
	u := s.want(s.do("POST", path+"/", asApp, `{"username":"alice","password":"wonder","shoe":38,"_acl":{"gr":false,"creator":"x"},"_kmd":{"authtoken":"x"}}`), 201, "").json(t)
	if get(u, "password") != "wonder" || fmt.Sprint(get(u, "shoe")) != "38" || get(u, "_acl", "creator") != get(u, "_id") || get(u, "_acl", "gr") != false {
		t.Errorf("sign-up answers %v", u)
	}
	s.want(s.do("POST", path, asApp, `{"username":"alice","password":"x"}`), 409, "UserAlreadyExists")
	s.want(s.do("POST", path, basic(kid, "wrong"), `{}`), 401, "InvalidCredentials")
	s.want(s.do("POST", path, asMaster, `{"username":"bymaster"}`), 201, "")
}

func TestU2Login(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	path := "/user/" + kid + "/login"
	a := s.want(attackLogin(s, "alice", "alice"), 200, "").json(t)
	if keys(get(a, "_kmd")) != "authtoken ect llt lmt" || get(a, "password") != nil || get(a, "mfaRequired") != nil || get(a, "_id") != alice.id {
		t.Errorf("login answers %v", a)
	}
	// Earlier sessions go on.
	s.want(s.do("GET", "/user/"+kid+"/_me", alice.session(), ""), 200, "")
	wrong := s.want(attackLogin(s, "alice", "x"), 401, "InvalidCredentials")
	attackSame(t, "unknown user", wrong, attackLogin(s, "nobody", "x"))
	s.want(s.do("DELETE", "/user/"+kid+"/"+alice.id+"?hard=false", asMaster, ""), 204, "")
	attackSame(t, "suspended user", wrong, attackLogin(s, "alice", "alice"))
	for _, body := range []string{"", "{}", `{"username":"alice"}`, `{"password":"x"}`, `{"username":{"ne":""},"password":"x"}`, `{"_socialIdentity":{}}`} {
		s.want(s.do("POST", path, asApp, body), 400, "IncompleteRequestBody")
	}
}

func TestU3Logout(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	other := get(s.want(attackLogin(s, "alice", "alice"), 200, "").json(t), "_kmd", "authtoken").(string)
	path := "/user/" + kid + "/_logout"
	if a := s.want(s.do("POST", path, alice.session(), ""), 204, ""); len(a.body) != 0 {
		t.Errorf("204 with %q", a.body)
	}
	s.want(s.do("POST", path, alice.session(), ""), 401, "InvalidCredentials")
	s.want(s.do("GET", "/user/"+kid+"/_me", "Kinvey "+other, ""), 200, "")
}

func TestU4Me(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	path := "/user/" + kid + "/_me"
	for _, v := range []string{"1", "3", "5"} {
		if got := get(s.want(s.do("GET", path, alice.session(), "", version(v)...), 200, "").json(t), "_kmd", "authtoken"); got != alice.token {
			t.Errorf("version %s: authtoken %v", v, got)
		}
	}
	a := s.want(s.do("GET", path, alice.session(), "", version("6")...), 200, "").json(t)
	if get(a, "_kmd", "authtoken") != nil {
		t.Error("version 6 has a token")
	}
	// At 6 the rest equals the login, field for field.
	login := s.want(s.do("POST", "/user/"+kid+"/login", asApp, `{"username":"alice","password":"alice"}`, version("6")...), 200, "").json(t)
	delete(get(login, "_kmd").(map[string]any), "authtoken")
	a = s.want(s.do("GET", path, alice.session(), "", version("6")...), 200, "").json(t)
	if fmt.Sprint(a) != fmt.Sprint(login) {
		t.Errorf("_me %v\nlogin %v", a, login)
	}
	s.want(s.do("GET", path, alice.session(), "", version("0")...), 400, "FeatureUnavailable")
}

func TestU5Get(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	path := "/user/" + kid + "/" + alice.id
	a := s.want(s.do("GET", path, bob.session(), ""), 200, "").json(t)
	if keys(a) != "_acl _id _kmd username" || keys(get(a, "_kmd")) != "ect lmt" {
		t.Errorf("another user sees %v", a)
	}
	missing := s.want(s.do("GET", "/user/"+kid+"/none", bob.session(), ""), 404, "UserNotFound")
	if get(missing.json(t), "description") != "This user does not exist for this app backend." {
		t.Errorf("%s", missing.body)
	}
	s.want(s.do("PUT", path, alice.session(), `{"_acl":{"gr":false}}`), 200, "")
	s.want(s.do("GET", path, bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("GET", path, alice.session(), ""), 200, "")
}

func TestU6U7ListAndCount(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("DELETE", "/user/"+kid+"/"+s.signUp("asleep").id+"?hard=false", asMaster, ""), 204, "")
	for _, c := range []struct {
		who, query string
		want       []string
	}{
		{alice.session(), "", []string{alice.id, bob.id}},
		{asMaster, "", []string{alice.id, bob.id}},
		{alice.session(), `query={"username":"bob"}`, []string{bob.id}},
		{alice.session(), `query={"username":"asleep"}`, []string{}},
	} {
		list := s.want(s.do("GET", "/user/"+kid+"?"+c.query, c.who, ""), 200, "")
		if got := ids(t, list); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.query, got, c.want)
		}
		attackLacks(t, c.query, list, "authtoken", "password", "llt")
		count := s.want(s.do("GET", "/user/"+kid+"/_count?"+c.query, c.who, ""), 200, "")
		if string(count.body) != fmt.Sprintf(`{"count":%d}`, len(c.want)) {
			t.Errorf("%s: %s", c.query, count.body)
		}
	}
}

func TestU9Lookup(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.setLevel("user", "private")
	path := "/user/" + kid + "/_lookup"
	a := s.want(s.do("POST", path, bob.session(), `{"username":"alice"}`), 200, "").json(t).([]any)
	if len(a) != 1 || keys(a[0]) != "_id username" || get(a[0], "_id") != alice.id {
		t.Errorf("lookup answers %v", a)
	}
	s.want(s.do("DELETE", "/user/"+kid+"/"+alice.id+"?hard=false", asMaster, ""), 204, "")
	for _, body := range []string{`{"username":"alice"}`, `{"_id":"` + alice.id + `"}`, `{"username":"nobody"}`} {
		if a := s.want(s.do("POST", path, bob.session(), body), 200, ""); string(a.body) != "[]" {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	s.want(s.do("POST", path, bob.session(), ""), 200, "")
}

func TestU10Update(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	path := "/user/" + kid + "/" + alice.id
	a := s.want(s.do("PUT", path, alice.session(), `{"shoe":38,"_kmd":{"authtoken":"x"},"_id":"x"}`), 200, "").json(t)
	if get(a, "_kmd", "authtoken") != alice.token || get(a, "_id") != alice.id || get(a, "username") != "alice" || get(a, "password") != nil {
		t.Errorf("own update answers %v", a)
	}
	// A password alone changes nothing else; the new token is another one.
	a = s.want(s.do("PUT", path, alice.session(), `{"password":"new"}`), 200, "").json(t)
	token, _ := get(a, "_kmd", "authtoken").(string)
	if token == "" || token == alice.token || fmt.Sprint(get(a, "shoe")) != "38" {
		t.Errorf("after a password change %v", a)
	}
	s.want(s.do("GET", "/user/"+kid+"/_me", alice.session(), ""), 401, "InvalidCredentials")
	s.want(s.do("GET", "/user/"+kid+"/_me", "Kinvey "+token, ""), 200, "")
	// Custom fields that are left out are gone.
	a = s.want(s.do("PUT", path, "Kinvey "+token, `{"hat":7}`), 200, "").json(t)
	if get(a, "shoe") != nil || fmt.Sprint(get(a, "hat")) != "7" || get(a, "username") != "alice" {
		t.Errorf("after a replacing update %v", a)
	}
	s.want(s.do("PUT", path, bob.session(), `{"x":1}`), 401, "InsufficientCredentials")
	s.want(s.do("PUT", "/user/"+kid+"/none", alice.basic(), `{"x":1}`), 401, "InvalidCredentials")
	s.want(s.do("PUT", "/user/"+kid+"/none", bob.session(), `{"x":1}`), 404, "UserNotFound")
	s.want(s.do("PUT", path, "Kinvey "+token, `{"username":"bob"}`), 409, "UserAlreadyExists")
	s.want(s.do("PUT", path, "Kinvey "+token, `{"password":""}`), 400, "ParameterValueOutOfRange")
	m := s.want(s.do("PUT", path, asMaster, `{"x":1}`), 200, "").json(t)
	if get(m, "_kmd", "authtoken") != nil {
		t.Error("the master gets a token of the user")
	}
}

// 5.7: what a deletion does by API version and flags.
func TestU11Delete(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		version, query string
		hard           bool
	}{
		{"0", "", true}, {"1", "", true}, {"2", "", false}, {"3", "", false}, {"5", "", false}, {"6", "", false},
		{"1", "?hard=true", true}, {"2", "?hard=true", true}, {"6", "?hard=true", true},
		{"0", "?hard=false", false}, {"1", "?hard=false", false}, {"1", "?soft=true", false}, {"4", "?soft=true", false}, {"4", "?hard=false", false},
	} {
		u := s.signUp("alice")
		path := "/user/" + kid + "/" + u.id
		if a := s.want(s.do("DELETE", path+c.query, asMaster, "", version(c.version)...), 204, ""); len(a.body) != 0 {
			t.Errorf("204 with %s", a.body)
		}
		s.want(s.do("GET", "/user/"+kid+"/_me", u.session(), ""), 401, "InvalidCredentials")
		s.want(s.do("GET", "/user/"+kid+"/_me", u.basic(), ""), 401, "InvalidCredentials")
		a := s.do("GET", path, asMaster, "")
		exists := s.do("POST", "/rpc/"+kid+"/check-username-exists", asApp, `{"username":"alice"}`)
		if c.hard {
			s.want(a, 404, "UserNotFound")
		} else if got := get(s.want(a, 200, "").json(t), "_kmd", "status"); get(got, "val") != "disabled" || get(got, "lastChange") == nil {
			t.Errorf("%+v: _kmd.status %v", c, got)
		}
		if string(exists.body) != fmt.Sprintf(`{"usernameExists":%v}`, !c.hard) {
			t.Errorf("%+v: %s", c, exists.body)
		}
		if !c.hard {
			s.want(s.do("DELETE", path+"?hard=false", asMaster, ""), 204, "") // again
			s.want(s.do("DELETE", path+"?hard=true", asMaster, ""), 204, "")
		}
		s.want(s.do("DELETE", path, asMaster, ""), 404, "UserNotFound")
	}
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("DELETE", "/user/"+kid+"/"+alice.id, bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("PUT", "/user/"+kid+"/"+alice.id, alice.session(), `{"_acl":{"w":["`+bob.id+`"]}}`), 200, "")
	s.want(s.do("DELETE", "/user/"+kid+"/"+alice.id+"?hard=true", bob.session(), ""), 204, "")
	s.want(s.do("DELETE", "/user/"+kid+"/"+bob.id+"?hard=true", bob.session(), ""), 204, "")
}

func TestU12Restore(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	path := "/user/" + kid + "/" + alice.id
	s.want(s.do("DELETE", path+"?hard=false", alice.session(), ""), 204, "")
	s.want(attackLogin(s, "alice", "alice"), 401, "InvalidCredentials")
	s.want(s.do("POST", path+"/_restore", asMaster, ""), 204, "")
	s.want(s.do("POST", path+"/_restore", asMaster, ""), 204, "") // active already
	if got := get(s.do("GET", path, asMaster, "").json(t), "_kmd", "status"); got != nil {
		t.Errorf("_kmd.status %v", got)
	}
	s.want(s.do("GET", "/user/"+kid+"/_me", alice.session(), ""), 401, "InvalidCredentials") // old sessions stay dead
	s.want(attackLogin(s, "alice", "alice"), 200, "")
	s.want(s.do("POST", "/user/"+kid+"/none/_restore", asMaster, ""), 404, "UserNotFound")
	s.want(s.do("POST", path+"/_restore", alice.basic(), ""), 401, "InsufficientCredentials")
}

func TestU13DeleteByQuery(t *testing.T) {
	s := start(t)
	path := "/user/" + kid
	for i := range 300 {
		s.want(s.do("POST", path, asMaster, fmt.Sprintf(`{"username":"u%d","old":%v}`, i, i%3 == 0)), 201, "")
	}
	alice := s.signUp("alice")
	s.want(s.do("DELETE", path+`?query={"old":true}`, alice.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("DELETE", path, asMaster, ""), 400, "MissingQuery")
	s.want(s.do("DELETE", path+`?query={"old":{"$foo":1}}`, asMaster, ""), 400, "InvalidQuerySyntax")
	count := func(query, want string) {
		t.Helper()
		if a := s.want(s.do("GET", path+"/_count"+query, asMaster, ""), 200, ""); string(a.body) != want {
			t.Errorf("count %s: %s", query, a.body)
		}
	}
	a := s.want(s.do("DELETE", path+`?query={"old":true}`, asMaster, "", version("5")...), 200, "")
	if string(a.body) != `{"count":100}` {
		t.Errorf("%s", a.body)
	}
	count("", `{"count":201}`)
	s.want(s.do("POST", path, asApp, `{"username":"u0"}`), 409, "UserAlreadyExists") // suspended
	a = s.want(s.do("DELETE", path+`?query={"old":false}&hard=true`, asMaster, ""), 200, "")
	if string(a.body) != `{"count":200}` {
		t.Errorf("%s", a.body)
	}
	count("", `{"count":1}`)
	s.want(s.do("POST", path, asApp, `{"username":"u1"}`), 201, "")
	s.want(s.do("GET", "/user/"+kid+"/_me", alice.session(), ""), 200, "")
}

func TestU14EndTokens(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	path := "/user/" + kid + "/" + alice.id + "/tokens"
	second := "Kinvey " + get(s.want(attackLogin(s, "alice", "alice"), 200, "").json(t), "_kmd", "authtoken").(string)
	s.setLevel("user", "full") // a write grant is no power over an account
	s.want(s.do("DELETE", path, bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("GET", "/user/"+kid+"/_me", second, ""), 200, "")
	s.want(s.do("DELETE", path, alice.session(), ""), 204, "")
	for _, h := range []string{alice.session(), second} {
		s.want(s.do("GET", "/user/"+kid+"/_me", h, ""), 401, "InvalidCredentials")
	}
	third := "Kinvey " + get(s.want(attackLogin(s, "alice", "alice"), 200, "").json(t), "_kmd", "authtoken").(string)
	s.want(s.do("DELETE", path, asMaster, ""), 204, "")
	s.want(s.do("GET", "/user/"+kid+"/_me", third, ""), 401, "InvalidCredentials")
	s.want(s.do("DELETE", "/user/"+kid+"/none/tokens", asMaster, ""), 404, "UserNotFound")
	s.want(s.do("DELETE", "/user/"+kid+"/none/tokens", bob.session(), ""), 404, "UserNotFound")
	s.want(s.do("GET", "/user/"+kid+"/_me", bob.session(), ""), 200, "")
}

func TestR1Exists(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	path := "/rpc/" + kid + "/check-username-exists"
	check := func(name string, want bool) {
		t.Helper()
		if a := s.want(s.do("POST", path, asApp, `{"username":"`+name+`"}`), 200, ""); string(a.body) != fmt.Sprintf(`{"usernameExists":%v}`, want) {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	check("alice", true)
	check("Alice", false)
	s.want(s.do("DELETE", "/user/"+kid+"/"+alice.id+"?hard=false", asMaster, ""), 204, "")
	check("alice", true)
	s.want(s.do("DELETE", "/user/"+kid+"/"+alice.id+"?hard=true", asMaster, ""), 204, "")
	check("alice", false)
	s.want(s.do("POST", path, asApp, `{}`), 400, "MissingRequestParameter")
}

func TestR5Lockdown(t *testing.T) {
	driver := &keptStore{Driver: store.NewMemory()}
	s := start(t, func(o *options) { o.driver = driver })
	alice, bob := s.signUp("alice"), s.signUp("bob")
	ended := "Kinvey " + get(s.want(attackLogin(s, "alice", "alice"), 200, "").json(t), "_kmd", "authtoken").(string)
	s.want(s.do("POST", "/user/"+kid+"/_logout", ended, ""), 204, "")
	path, me := "/rpc/"+kid+"/lockdown-user", "/user/"+kid+"/_me"
	set := func(id string, on bool) answer {
		return s.do("POST", path, asMaster, fmt.Sprintf(`{"userId":%q,"setLockdownStateTo":%v}`, id, on))
	}
	s.want(s.do("GET", me, alice.basic(), ""), 200, "") // in the cache of verified passwords
	s.want(set(alice.id, true), 204, "")
	locked := func() {
		t.Helper()
		for _, h := range []string{alice.session(), alice.basic()} {
			s.want(s.do("GET", me, h, ""), 401, "UserLockedDown")
			s.want(s.do("POST", "/appdata/"+kid+"/things", h, `{}`), 401, "UserLockedDown")
			s.want(s.do("PUT", "/user/"+kid+"/"+alice.id, h, `{"x":1}`), 401, "UserLockedDown")
		}
		s.want(attackLogin(s, "alice", "alice"), 401, "UserLockedDown")
		// Who does not know the password learns nothing.
		s.want(attackLogin(s, "alice", "x"), 401, "InvalidCredentials")
		s.want(s.do("GET", me, ended, ""), 401, "InvalidCredentials")
		if got := get(s.want(s.do("GET", "/user/"+kid+"/"+alice.id, asMaster, ""), 200, "").json(t), "_kmd", "status"); get(got, "val") != "lockedDown" || get(got, "lastChange") == nil {
			t.Errorf("_kmd.status %v", got)
		}
		sessions := s.want(attackAdmin(s).do("GET", "/v4/environments/"+kid+"/users/alice/sessions", "", ""), 200, "")
		if string(sessions.body) != "[]" {
			t.Errorf("his sessions are listed: %s", sessions.body)
		}
		attackLacks(t, "what others see", s.want(s.do("GET", "/user/"+kid+"/"+alice.id, bob.session(), ""), 200, ""), "lockedDown")
	}
	locked()
	s.want(set(alice.id, true), 204, "")
	s.stop()
	s = start(t, func(o *options) { o.driver = driver })
	locked()
	s.want(set(alice.id, false), 204, "")
	s.want(s.do("GET", me, alice.session(), ""), 401, "InvalidCredentials") // ended by the lockdown
	s.want(attackLogin(s, "alice", "alice"), 200, "")
	s.want(set(alice.id, false), 204, "")
	s.want(set("none", true), 404, "UserNotFound")
	s.want(s.do("POST", path, bob.session(), `{"userId":"`+alice.id+`","setLockdownStateTo":true}`), 401, "InsufficientCredentials")
	for _, body := range []string{"", `{"userId":"` + alice.id + `"}`, `{"setLockdownStateTo":true}`, `{"userId":"` + alice.id + `","setLockdownStateTo":"true"}`} {
		s.want(s.do("POST", path, asMaster, body), 400, "MissingRequestParameter")
	}
}

// Import with the master secret: id, owner, times, state, and the hash of a
// password that is replaced at the first login.
func TestMasterImport(t *testing.T) {
	s := start(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("old secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	path := "/user/" + kid
	importing := []string{"X-Kinvey-Master-Create-User", "true"}
	body := `{"_id":"custom-1","username":"alice","email":"alice@example.org","shoe":38,"password":{"type":"bcrypt","hash":"` + string(hash) + `","salt":""},
		"_acl":{"creator":"custom-1","gr":false},"_kmd":{"ect":"2001-02-03T04:05:06.007Z","lmt":"2002-02-03T04:05:06.007Z","llt":"2003-02-03T04:05:06.007Z",
		"authtoken":"x","emailVerification":{"status":"confirmed","lastConfirmedAt":"2002-02-03T04:05:06.007Z","emailAddress":"alice@example.org"}},
		"_socialIdentity":{"kinveyAuth":null}}`
	u := s.want(s.do("POST", path, asMaster, body, importing...), 201, "").json(t)
	if get(u, "_id") != "custom-1" || get(u, "_acl", "gr") != false || get(u, "_kmd", "ect") != "2001-02-03T04:05:06.007Z" ||
		get(u, "_kmd", "lmt") != "2002-02-03T04:05:06.007Z" || get(u, "_kmd", "llt") != "2003-02-03T04:05:06.007Z" ||
		get(u, "_kmd", "emailVerification", "status") != "confirmed" || get(u, "_kmd", "authtoken") != nil || get(u, "password") != nil || get(u, "_socialIdentity") != nil {
		t.Errorf("import answers %v", u)
	}
	if !s.e.ImportedHash(kid, "custom-1") {
		t.Error("the hash was not kept")
	}
	s.want(attackLogin(s, "alice", "wrong"), 401, "InvalidCredentials")
	s.want(attackLogin(s, "alice", "old secret"), 200, "")
	s.e.Settle()
	if s.e.ImportedHash(kid, "custom-1") {
		t.Error("the login has not replaced the hash")
	}
	s.want(attackLogin(s, "alice", "old secret"), 200, "")

	s.want(s.do("POST", path, asMaster, `{"_id":"custom-1","username":"alice2"}`, importing...), 409, "UserAlreadyExists")
	s.want(s.do("POST", path, asMaster, `{"_id":"`+kid+`"}`, importing...), 400, "InvalidIdentifier")
	for _, p := range []string{`{"type":"md5","hash":"x","salt":"y"}`, `{"type":"bcrypt","hash":"x"}`, `{"hash":"x"}`, `{}`} {
		s.want(s.do("POST", path, asMaster, `{"username":"bob","password":`+p+`}`, importing...), 400, "ParameterValueOutOfRange")
	}
	s.want(s.do("POST", path, asMaster, `{"_id":"custom-2","username":"asleep","password":"asleep","_kmd":{"status":{"val":"disabled","lastChange":"2001-02-03T04:05:06.007Z"}}}`, importing...), 201, "")
	s.want(attackLogin(s, "asleep", "asleep"), 401, "InvalidCredentials")
	s.want(s.do("POST", path+"/custom-2/_restore", asMaster, ""), 204, "")
	s.want(attackLogin(s, "asleep", "asleep"), 200, "")

	// Without the header, or without the master secret, it is a sign-up.
	for _, who := range []string{asMaster, asApp} {
		header := importing
		if who == asMaster {
			header = nil
		}
		u := s.want(s.do("POST", path, who, `{"_id":"custom-9","_kmd":{"ect":"2001-02-03T04:05:06.007Z"}}`, header...), 201, "").json(t)
		if get(u, "_id") == "custom-9" || get(u, "_kmd", "ect") == "2001-02-03T04:05:06.007Z" {
			t.Errorf("a sign-up took over %v", u)
		}
		s.want(s.do("POST", path, who, `{"password":{"type":"bcrypt","hash":"`+string(hash)+`"}}`, header...), 400, "ParameterValueOutOfRange")
	}
}

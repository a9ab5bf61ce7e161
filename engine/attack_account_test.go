package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"postern/engine"
)

// Every way in which one user can be given write access to another's profile.
var attackProfileGrants = []struct {
	name  string
	acl   func(mallory user) string
	level string
}{
	{"w list", func(m user) string { return `{"w":["` + m.id + `"]}` }, ""},
	{"r and w list", func(m user) string { return `{"r":["` + m.id + `"],"w":["` + m.id + `"]}` }, ""},
	{"groups.w", func(user) string { return `{"groups":{"w":["helpers"]}}` }, ""},
	{"gw true", func(user) string { return `{"gw":true}` }, ""},
	{"gr and gw true", func(user) string { return `{"gr":true,"gw":true}` }, ""},
	{"level Full", func(user) string { return `{}` }, "full"},
	{"gw true under Private", func(user) string { return `{"gw":true}` }, "private"},
	{"gw true under Read Only", func(user) string { return `{"gw":true}` }, "read-only"},
}

// attackProfile makes a victim whose profile mallory may write.
func attackProfile(t *testing.T, i int) (s *server, victim, mallory user) {
	g := attackProfileGrants[i]
	s = start(t)
	victim, mallory = s.signUp("victim"), s.signUp("mallory")
	s.want(s.do("PUT", "/group/"+kid+"/helpers", victim.session(), `{"users":{"list":["`+mallory.id+`"]}}`), 201, "")
	s.want(s.do("PUT", "/user/"+kid+"/"+victim.id, victim.session(),
		`{"email":"victim@example.org","shoe":42,"_acl":`+g.acl(mallory)+`}`), 200, "")
	if g.level != "" {
		s.setLevel("user", g.level)
	}
	return s, victim, mallory
}

// A write grant on a profile reaches the owner's own fields and nothing that
// makes up the account. Guards: himself() in user_intents.go (plan, compose)
// and in putUser of users.go.
func TestAttackAccountTakeoverThroughWriteGrant(t *testing.T) {
	members := map[string]string{
		"username":             `{"username":"mallory2"}`,
		"email":                `{"email":"mallory@example.org"}`,
		"email null":           `{"email":null}`,
		"_socialIdentity":      `{"_socialIdentity":{"facebook":{"id":"mallory"}}}`,
		"_kmd.status":          `{"_kmd":{"status":{"val":"disabled"},"authtoken":"x"}}`,
		"_acl.creator":         `{"_acl":{"creator":"MALLORY"}}`,
		"_acl grants":          `{"_acl":{"creator":"MALLORY","w":["MALLORY"],"gr":true,"gw":true}}`,
		"_id":                  `{"_id":"MALLORY"}`,
		"escaped names":        `{"user\u006eame":"mallory2","\u0065mail":"m@example.org","\u005facl":{"creator":"MALLORY"}}`,
		"everything at once":   `{"username":"mallory2","email":"m@example.org","_socialIdentity":{"x":{"id":"m"}},"_acl":{"creator":"MALLORY","gw":true},"_kmd":{"status":{"val":"disabled"}}}`,
		"echo of his own":      `{"_id":"VICTIM","username":"victim","email":"victim@example.org","_acl":{"creator":"VICTIM","w":["MALLORY"]}}`,
		"other spelling":       `{"Username":"mallory2","USERNAME":"mallory3","_ACL":{"creator":"MALLORY"},"Password":"mallory"}`,
		"password is null":     `{"password":null}`,
		"username as an array": `{"username":["mallory2"]}`,
	}
	for i, g := range attackProfileGrants {
		t.Run(g.name, func(t *testing.T) {
			s, victim, mallory := attackProfile(t, i)
			path := "/user/" + kid + "/" + victim.id
			before := s.want(s.do("GET", path, asMaster, ""), 200, "").json(t)
			for name, body := range members {
				body = strings.NewReplacer("MALLORY", mallory.id, "VICTIM", victim.id).Replace(body)
				a := s.do("PUT", path, mallory.session(), body)
				if a.status != 200 && name != "username as an array" {
					t.Errorf("%s: %d %s", name, a.status, a.body)
				}
				attackLacks(t, name, a, victim.token, "authtoken")
				after := s.do("GET", path, asMaster, "").json(t)
				for _, m := range []string{"_id", "username", "email", "_acl", "_socialIdentity", "password"} {
					if fmt.Sprint(get(after, m)) != fmt.Sprint(get(before, m)) {
						t.Errorf("%s: %s is now %v", name, m, get(after, m))
					}
				}
				if get(after, "_kmd", "status") != nil {
					t.Errorf("%s: the victim is %v", name, get(after, "_kmd", "status"))
				}
			}
			// He is who he was: name, password and session work, the others do not.
			s.want(s.do("GET", "/user/"+kid+"/_me", victim.session(), ""), 200, "")
			s.want(s.do("GET", "/user/"+kid+"/_me", victim.basic(), ""), 200, "")
			s.want(attackLogin(s, "mallory2", "victim"), 401, "InvalidCredentials")
			s.want(attackLogin(s, "victim", "mallory"), 401, "InvalidCredentials")
		})
	}
}

// A password in the body is refused, whatever it is; the old one stays.
func TestAttackPasswordChangeThroughWriteGrant(t *testing.T) {
	for i, g := range attackProfileGrants {
		t.Run(g.name, func(t *testing.T) {
			s, victim, mallory := attackProfile(t, i)
			path := "/user/" + kid + "/" + victim.id
			for _, body := range []string{`{"password":"mallory"}`, `{"password":""}`, `{"password":"victim"}`,
				`{"\u0070assword":"mallory"}`, `{"shoe":1,"password":"mallory"}`} {
				a := s.do("PUT", path, mallory.session(), body)
				s.want(a, 401, "InsufficientCredentials")
				attackLacks(t, body, a, "authtoken")
			}
			for _, body := range []string{`{"password":{"$ne":null}}`, `{"password":1}`, `{"password":["mallory"]}`} {
				if a := s.do("PUT", path, mallory.session(), body); a.status != 400 && a.status != 401 {
					t.Errorf("%s: %d %s", body, a.status, a.body)
				}
			}
			s.want(attackLogin(s, "victim", "victim"), 200, "")
			s.want(attackLogin(s, "victim", "mallory"), 401, "InvalidCredentials")
			s.want(s.do("GET", "/user/"+kid+"/_me", victim.session(), ""), 200, "")
		})
	}
}

// The name of a user may not be given twice, nor taken by a writer by way of
// the owner's own update.
func TestAttackTakingAnotherUsersName(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.want(s.do("PUT", "/user/"+kid+"/"+mallory.id, mallory.session(), `{"username":"victim"}`), 409, "UserAlreadyExists")
	s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"victim","password":"m"}`), 409, "UserAlreadyExists")
	s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"`+kid+`","password":"m"}`), 400, "ParameterValueOutOfRange")
	s.want(s.do("PUT", "/user/"+kid+"/"+mallory.id, mallory.session(), `{"username":"`+kid+`"}`), 400, "ParameterValueOutOfRange")
	// The name of a suspended user stays his.
	s.want(s.do("DELETE", "/user/"+kid+"/"+victim.id+"?hard=false", asMaster, ""), 204, "")
	s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"victim","password":"m"}`), 409, "UserAlreadyExists")
	s.want(s.do("PUT", "/user/"+kid+"/"+mallory.id, mallory.session(), `{"username":"victim"}`), 409, "UserAlreadyExists")
}

// Somebody else's identity at a provider, as a client claims it, logs nobody
// in, signs nobody up and is never stored. Guards: the _socialIdentity cases
// of login, signUp and readUser in users.go.
func TestAttackForeignSocialIdentity(t *testing.T) {
	s := start(t)
	mallory := s.signUp("mallory")
	claims := []string{
		`{"facebook":{"id":"victim","access_token":"t"}}`,
		`{"kinveyAuth":{"id":"victim","audience":"kid_test","access_token":"t"}}`,
		`{"kinveyAuth":{"access_token":"t"},"google":{"access_token":"t"}}`,
		`{"unknown":{}}`,
	}
	for _, c := range claims {
		status, name := 403, "MissingConfiguration"
		if strings.HasPrefix(c, `{"kinveyAuth"`) && !strings.Contains(c, "google") {
			status, name = 401, "InvalidCredentials" // what the bridge would say to a bad grant
		}
		s.want(s.do("POST", "/user/"+kid+"/login", asApp, `{"_socialIdentity":`+c+`}`), status, name)
		s.want(s.do("POST", "/user/"+kid+"/login", asApp, `{"username":"mallory","password":"mallory","_socialIdentity":`+c+`}`), status, name)
		s.want(s.do("POST", "/user/"+kid, asApp, `{"_socialIdentity":`+c+`}`), status, name)
		s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"m2","\u005fsocialIdentity":`+c+`}`), status, name)
		for _, who := range []string{mallory.session(), asMaster} {
			a := s.do("PUT", "/user/"+kid+"/"+mallory.id, who, `{"_socialIdentity":`+c+`}`)
			attackLacks(t, "PUT "+c, a, "_socialIdentity")
		}
	}
	for _, c := range []string{`null`, `{}`, `""`, `[]`, `0`, `"facebook"`, `["x"]`} {
		a := s.do("POST", "/user/"+kid+"/login", asApp, `{"_socialIdentity":`+c+`}`)
		if a.status < 400 {
			t.Errorf("login with %s: %d %s", c, a.status, a.body)
		}
		a = s.do("POST", "/user/"+kid, asApp, `{"_socialIdentity":`+c+`}`)
		attackLacks(t, "sign-up with "+c, a, "_socialIdentity")
	}
	attackLacks(t, "list", s.do("GET", "/user/"+kid, asMaster, ""), "_socialIdentity", "access_token")
}

// Sign-up takes no id, owner, status, times or token from the client.
func TestAttackForgedSignUp(t *testing.T) {
	s := start(t)
	victim := s.signUp("victim")
	a := s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"mallory","password":"mallory","_id":"`+victim.id+
		`","_acl":{"creator":"`+victim.id+`","gr":false},"_kmd":{"authtoken":"x","ect":"2000-01-01T00:00:00.000Z","status":{"val":"disabled"}}}`), 201, "").json(t)
	id, _ := get(a, "_id").(string)
	if id == "" || id == victim.id || get(a, "_acl", "creator") != id || get(a, "_kmd", "status") != nil ||
		get(a, "_kmd", "ect") == "2000-01-01T00:00:00.000Z" || get(a, "_kmd", "authtoken") == "x" {
		t.Errorf("sign-up answered %v", a)
	}
	s.want(s.do("GET", "/user/"+kid+"/_me", victim.session(), ""), 200, "")
}

// Only a user himself and the master see his e-mail state, last login and token;
// nobody sees a password again.
func TestAttackReadingAnothersCredentials(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.want(attackLogin(s, "victim", "victim"), 200, "")
	for _, path := range []string{"/user/" + kid, "/user/" + kid + "/" + victim.id,
		"/user/" + kid + "?fields=_kmd,password,authtoken,llt", "/user/" + kid + `?query={"username":"victim"}`} {
		a := s.want(s.do("GET", path, mallory.session(), ""), 200, "")
		attackLacks(t, path, a, victim.token, "authtoken", "password", "argon2", "llt")
	}
	// Nor by guessing: what is not in the public form matches nothing.
	for _, f := range []string{`{"password":{"$exists":true}}`, `{"_kmd.authtoken":{"$exists":true}}`, `{"_kmd.llt":{"$exists":true}}`,
		`{"password":"victim"}`, `{"_kmd.authtoken":"` + victim.token + `"}`} {
		a := s.do("GET", "/user/"+kid+"?query="+strings.ReplaceAll(f, "+", "%2B"), mallory.session(), "")
		if got := ids(t, s.want(a, 200, "")); len(got) != 0 {
			t.Errorf("%s matches %v", f, got)
		}
	}
	s.want(s.do("POST", "/user/"+kid+"/_lookup", mallory.session(), `{"password":{"$exists":true}}`), 400, "InvalidQuerySyntax")
	s.want(s.do("POST", "/user/"+kid+"/_lookup", mallory.session(), `{"$or":[{"username":"x"},{"_acl.creator":{"$exists":true}}]}`), 400, "InvalidQuerySyntax")
	s.want(s.do("POST", "/user/"+kid+"/_lookup", mallory.session(), `{"\u0024or":[{"shoe":1}]}`), 400, "InvalidQuerySyntax")
}

// With hideUnreadable a hidden profile answers reads and writes as a missing
// one does.
func TestAttackHiddenProfileAnswersAsMissing(t *testing.T) {
	s := start(t, attackWith(func(o *engine.AppOptions) { o.HideUnreadable = true }))
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.want(s.do("PUT", "/user/"+kid+"/"+victim.id, victim.session(), `{"_acl":{"gr":false}}`), 200, "")
	for _, body := range []string{``, `{}`, `{"x":1}`, `{"password":"m"}`} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			if (method == "PUT") != (body != "") {
				continue
			}
			hidden := s.do(method, "/user/"+kid+"/"+victim.id, mallory.session(), body)
			missing := s.do(method, "/user/"+kid+"/"+strings.Repeat("0", 24), mallory.session(), body)
			attackSame(t, method+" "+body, hidden, missing)
		}
	}
}

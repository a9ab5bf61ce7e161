package engine_test

import (
	"strings"
	"testing"
	"time"
)

// The sentences of the guide about who a request is from, one row each. Those
// about what he may do are in acl (TestGuide) and in the conversations.
func TestGuideOnAuthentication(t *testing.T) {
	me := "/user/" + kid + "/_me"
	login := func(s *server, name, password string) answer {
		return s.do("POST", "/user/"+kid+"/login", asApp, `{"username":"`+name+`","password":"`+password+`"}`)
	}
	token := func(s *server, a answer) string {
		v, _ := get(s.want(a, 200, "").json(s.t), "_kmd", "authtoken").(string)
		return "Kinvey " + v
	}
	rows := []struct {
		sentence string
		check    func(t *testing.T, s *server, alice user)
	}{
		{"every request is associated with a security context", func(t *testing.T, s *server, _ user) {
			s.want(s.do("GET", me, "", ""), 401, "InvalidCredentials")
		}},
		{"Basic authenticates each request by a name and a password", func(t *testing.T, s *server, alice user) {
			s.want(s.do("GET", me, alice.basic(), ""), 200, "")
			s.want(s.do("GET", me, basic("alice", "wrong"), ""), 401, "InvalidCredentials")
			s.want(s.do("GET", me, "Basic YWxpY2U", ""), 401, "InvalidCredentials")
		}},
		{"for the app and master secret the app key is the name", func(t *testing.T, s *server, _ user) {
			s.want(s.do("GET", "/appdata/"+kid, asApp, ""), 200, "")
			s.want(s.do("GET", "/appdata/"+kid+"/any", asMaster, ""), 200, "")
			s.want(s.do("GET", "/appdata/"+kid, basic("kid_other", appSecret), ""), 401, "InvalidCredentials")
			s.want(s.do("GET", "/appdata/"+kid, basic(kid, "wrong"), ""), 401, "InvalidCredentials")
		}},
		{"a login answers with a token in _kmd, which authenticates the requests that follow", func(t *testing.T, s *server, _ user) {
			s.want(s.do("GET", me, token(s, login(s, "alice", "alice")), ""), 200, "")
		}},
		{"only the first request of a session carries the password", func(t *testing.T, s *server, alice user) {
			a := s.do("GET", me, alice.session(), "")
			if strings.Contains(string(a.body), "password") {
				t.Errorf("_me carries a password: %s", a.body)
			}
		}},
		{"session authentication needs API version 1 or higher", func(t *testing.T, s *server, alice user) {
			s.want(s.do("GET", me, alice.session(), "", "X-Kinvey-Api-Version", "0"), 400, "FeatureUnavailable")
			s.want(s.do("GET", me, alice.session(), "", "X-Kinvey-Api-Version", "1"), 200, "")
			s.want(s.do("GET", me, alice.basic(), "", "X-Kinvey-Api-Version", "0"), 200, "")
		}},
		{"a token cannot be forged", func(t *testing.T, s *server, alice user) {
			forged := []byte(alice.session())
			forged[len(forged)-5] ^= 1
			s.want(s.do("GET", me, string(forged), ""), 401, "InvalidCredentials")
		}},
		{"tokens are long lived", func(t *testing.T, s *server, alice user) {
			s.clock.Add(5 * 365 * 24 * time.Hour)
			s.want(s.do("GET", me, alice.session(), ""), 200, "")
		}},
		{"a logout destroys the token that was presented, and only that", func(t *testing.T, s *server, alice user) {
			other := token(s, login(s, "alice", "alice"))
			s.want(s.do("POST", "/user/"+kid+"/_logout", alice.session(), ""), 204, "")
			s.want(s.do("GET", me, alice.session(), ""), 401, "InvalidCredentials")
			s.want(s.do("POST", "/user/"+kid+"/_logout", alice.session(), ""), 401, "InvalidCredentials")
			s.want(s.do("GET", me, other, ""), 200, "")
		}},
		{"tokens are invalidated when the password changes", func(t *testing.T, s *server, alice user) {
			other := token(s, login(s, "alice", "alice"))
			a := s.want(s.do("PUT", "/user/"+kid+"/"+alice.id, alice.session(), `{"password":"changed"}`), 200, "")
			s.want(s.do("GET", me, alice.session(), ""), 401, "InvalidCredentials")
			s.want(s.do("GET", me, other, ""), 401, "InvalidCredentials")
			s.want(s.do("GET", me, alice.basic(), ""), 401, "InvalidCredentials")
			s.want(s.do("GET", me, token(s, a), ""), 200, "")
			s.want(login(s, "alice", "alice"), 401, "InvalidCredentials")
			s.want(login(s, "alice", "changed"), 200, "")
		}},
		{"sessions can be made to expire (announced by the guide)", func(t *testing.T, s *server, alice user) {
			app := start(t, func(o *options) {
				o.config.Clock = s.clock.Now
				o.app.SessionIdle = time.Hour
				o.app.SessionMax = 3 * time.Hour
			})
			bob := app.signUp("bob")
			for range 4 { // used every 40 minutes, it lives until its third hour
				s.clock.Add(40 * time.Minute)
				app.want(app.do("GET", me, bob.session(), ""), 200, "")
			}
			s.clock.Add(40 * time.Minute)
			app.want(app.do("GET", me, bob.session(), ""), 401, "InvalidCredentials")
			carol := app.signUp("carol")
			s.clock.Add(61 * time.Minute)
			app.want(app.do("GET", me, carol.session(), ""), 401, "InvalidCredentials")
		}},
		{"master credentials have complete access over all data", func(t *testing.T, s *server, alice user) {
			s.setLevel("c", "private")
			s.want(s.do("POST", "/appdata/"+kid+"/c", alice.session(), `{"_id":"e","_acl":{"gr":false,"gw":false}}`), 201, "")
			s.want(s.do("GET", "/appdata/"+kid+"/c/e", asMaster, ""), 200, "")
			s.want(s.do("PUT", "/appdata/"+kid+"/c/e", asMaster, `{"_acl":{"creator":"x"}}`), 200, "")
			s.want(s.do("DELETE", "/appdata/"+kid+"/c/e", asMaster, ""), 200, "")
		}},
		{"master and app credentials are for Basic only", func(t *testing.T, s *server, _ user) {
			s.want(s.do("GET", "/appdata/"+kid+"/c", "Kinvey "+masterSecret, ""), 401, "InvalidCredentials")
			s.want(s.do("GET", "/appdata/"+kid, "Kinvey "+appSecret, ""), 401, "InvalidCredentials")
		}},
		{"app credentials bootstrap an app and have very limited grants", func(t *testing.T, s *server, alice user) {
			s.want(s.do("POST", "/user/"+kid, asApp, ""), 201, "")
			s.want(s.do("POST", "/rpc/"+kid+"/check-username-exists", asApp, `{"username":"alice"}`), 200, "")
			for _, path := range []string{"/appdata/" + kid + "/c", "/user/" + kid, me, "/user/" + kid + "/" + alice.id, "/group/" + kid + "/g"} {
				s.want(s.do("GET", path, asApp, ""), 401, "InsufficientCredentials")
			}
		}},
		{"a new collection is readable by all and writable by who created the entity", func(t *testing.T, s *server, alice user) {
			bob := s.signUp("bob")
			s.want(s.do("POST", "/appdata/"+kid+"/fresh", alice.session(), `{"_id":"e"}`), 201, "")
			s.want(s.do("GET", "/appdata/"+kid+"/fresh/e", bob.session(), ""), 200, "")
			s.want(s.do("PUT", "/appdata/"+kid+"/fresh/e", bob.session(), `{}`), 401, "InsufficientCredentials")
			a := s.do("GET", "/v4/environments/"+kid+"/collections/fresh", asMaster, "")
			if get(a.json(t), "permissions") != "append-read" {
				t.Errorf("a new collection is %s", a.body)
			}
		}},
		{"the levels are set on the settings page of the collection", func(t *testing.T, s *server, alice user) {
			for _, level := range []string{"append-only", "read-only", "write", "append-read"} {
				s.setLevel("c", level)
				a := s.do("GET", "/v4/environments/"+kid+"/collections/c", asMaster, "")
				if get(a.json(t), "permissions") != level {
					t.Errorf("set %s, got %s", level, a.body)
				}
			}
			s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/c", alice.session(), `{"permissions":"write"}`), 401, "")
		}},
	}
	for _, row := range rows {
		t.Run(row.sentence, func(t *testing.T) {
			c := newClock()
			s := start(t, func(o *options) { o.config.Clock = c.Now })
			s.clock = c
			row.check(t, s, s.signUp("alice"))
		})
	}
}

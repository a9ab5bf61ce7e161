package engine_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/engine"
)

func attackMe(s *server, authorization string) answer {
	s.t.Helper()
	return s.do("GET", "/user/"+kid+"/_me", authorization, "")
}

// Every byte of a token counts. Guards: validToken and TokenDigest in auth, the
// lookup in byToken.
func TestAttackMutatedTokens(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	s.want(attackMe(s, alice.session()), 200, "")
	try := func(header string) {
		t.Helper()
		s.want(attackMe(s, header), 401, "InvalidCredentials")
	}
	for i := range len(alice.token) {
		for _, by := range []byte{1, 2, 4, 0x20} {
			b := []byte(alice.token)
			if b[i] ^= by; b[i] < ' ' || b[i] > '~' {
				continue // no header can carry it
			}
			try("Kinvey " + string(b))
		}
		try("Kinvey " + alice.token[:i])
		try("Kinvey " + alice.token[i+1:])
		try("Kinvey " + alice.token[:i] + alice.token[i+1:])
		try("Kinvey " + alice.token[:i] + "=" + alice.token[i:])
	}
	id, secret, _ := strings.Cut(alice.token, ".")
	for _, header := range []string{
		"Kinvey", "Kinvey  ", "Kinvey " + id, "Kinvey " + id + ".", "Kinvey ." + secret, "Kinvey " + secret + "." + id,
		"Kinvey " + alice.token + alice.token, "Kinvey " + alice.token + ",", "Kinvey " + alice.token + " x", "Kinvey \"" + alice.token + "\"",
		"Kinvey " + strings.ToUpper(id) + "." + secret, "Kinvey " + strings.TrimRight(alice.token, "="), "Kinvey " + url.QueryEscape(alice.token),
		"Kinvey" + alice.token, "Kinvey:" + alice.token, "Bearer " + alice.token, "KinveyMFA " + alice.token, alice.token,
		"Basic " + alice.token, attackBase64(alice.token), attackBase64("alice:" + alice.token), attackBase64(alice.id + ":alice"),
		"Kinvey " + strings.NewReplacer("+", "-", "/", "_").Replace(alice.token) + "A",
	} {
		try(header)
	}
	s.want(attackMe(s, "kInVeY   "+alice.token), 200, "")
}

// attackDead fails when any of the old ways in still works: it is called right
// after what should have ended them, with the Basic cache warm.
func attackDead(s *server, what string, headers ...string) {
	s.t.Helper()
	for i, h := range headers {
		for _, r := range [][2]string{{"GET", "/user/" + kid + "/_me"}, {"GET", "/appdata/" + kid + "/things"}, {"POST", "/appdata/" + kid + "/things"}, {"POST", "/user/" + kid + "/_logout"}} {
			body := ""
			if strings.HasSuffix(r[1], "things") && r[0] == "POST" {
				body = `{}`
			}
			if a := s.do(r[0], r[1], h, body); a.status != 401 || a.error(s.t) != "InvalidCredentials" {
				s.t.Errorf("%s: credential %d on %s %s: %d %s", what, i, r[0], r[1], a.status, a.body)
			}
		}
	}
}

// attackSessions is a user with two sessions and a warm Basic cache.
func attackSessions(s *server, name string) (u user, second string) {
	s.t.Helper()
	u = s.signUp(name)
	second, _ = get(s.want(attackLogin(s, name, name), 200, "").json(s.t), "_kmd", "authtoken").(string)
	for range 3 {
		s.want(attackMe(s, u.basic()), 200, "")
	}
	s.want(attackMe(s, "Kinvey "+second), 200, "")
	return u, "Kinvey " + second
}

// What is over is over on the next request. Guards: live() and the generation
// in checkPassword.
func TestAttackCredentialsThatAreOver(t *testing.T) {
	s := start(t)
	admin := attackAdmin(s)
	env := "/v4/environments/" + kid + "/users/"

	u, second := attackSessions(s, "logout")
	s.want(s.do("POST", "/user/"+kid+"/_logout", u.session(), ""), 204, "")
	attackDead(s, "logout", u.session())
	s.want(attackMe(s, second), 200, "")
	s.want(attackMe(s, u.basic()), 200, "")

	u, second = attackSessions(s, "changer")
	a := s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"password":"new"}`), 200, "")
	attackDead(s, "password change", u.session(), second, u.basic())
	fresh, _ := get(a.json(t), "_kmd", "authtoken").(string)
	s.want(attackMe(s, "Kinvey "+fresh), 200, "")
	s.want(attackMe(s, basic("changer", "new")), 200, "")

	u, second = attackSessions(s, "changed")
	s.want(s.do("PUT", "/user/"+kid+"/"+u.id, asMaster, `{"password":"new"}`), 200, "")
	attackDead(s, "password change by the master", u.session(), second, u.basic())

	u, second = attackSessions(s, "reset")
	s.want(admin.do("PUT", env+"reset/password", "", `{"password":"new"}`), 204, "")
	attackDead(s, "password set by an operator", u.session(), second, u.basic())

	u, second = attackSessions(s, "signedout")
	s.want(admin.do("DELETE", env+"signedout/sessions", "", ""), 204, "")
	attackDead(s, "end of all sessions", u.session(), second)

	u, second = attackSessions(s, "suspended")
	s.want(s.do("DELETE", "/user/"+kid+"/"+u.id+"?hard=false", asMaster, ""), 204, "")
	attackDead(s, "suspension", u.session(), second, u.basic())
	s.want(attackLogin(s, "suspended", "suspended"), 401, "InvalidCredentials")
	s.want(admin.do("POST", env+"suspended/restore", "", ""), 204, "")
	attackDead(s, "restoring", u.session(), second)
	s.want(attackMe(s, u.basic()), 200, "")

	u, second = attackSessions(s, "deleted")
	s.want(s.do("DELETE", "/user/"+kid+"/"+u.id+"?hard=true", u.session(), ""), 204, "")
	attackDead(s, "deletion", u.session(), second, u.basic())
	s.signUp("deleted") // a new user of the same name and password
	attackDead(s, "a new user of the same name", u.session(), second)

	u, _ = attackSessions(s, "renamed")
	s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"username":"other"}`), 200, "")
	attackDead(s, "a new name", u.basic())
	again := s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"renamed","password":"renamed"}`), 201, "").json(t)
	me := s.want(attackMe(s, basic("renamed", "renamed")), 200, "").json(t)
	if get(me, "_id") != get(again, "_id") {
		t.Errorf("the cached password of the old owner of a name lets into %v", get(me, "_id"))
	}
}

// A replaced master or app secret ends with its overlap, at once without one.
func TestAttackReplacedSecrets(t *testing.T) {
	clock := newClock()
	s := start(t, func(o *options) { o.config.Clock = clock.Now })
	admin := attackAdmin(s)
	for _, c := range []struct{ name, route, secret string }{
		{"appSecret", "regenerate-appsecret", appSecret}, {"masterSecret", "regenerate-mastersecret", masterSecret},
	} {
		s.want(s.do("GET", "/appdata/"+kid, basic(kid, c.secret), ""), 200, "")
		a := s.want(admin.do("POST", "/v4/environments/"+kid+"/"+c.route, "", ""), 200, "")
		s.want(s.do("GET", "/appdata/"+kid, basic(kid, c.secret), ""), 401, "InvalidCredentials")
		now, _ := get(a.json(t), c.name).(string)
		s.want(s.do("GET", "/appdata/"+kid, basic(kid, now), ""), 200, "")
		a = s.want(admin.do("POST", "/v4/environments/"+kid+"/"+c.route, "", `{"overlapSeconds":3600}`), 200, "")
		s.want(s.do("GET", "/appdata/"+kid, basic(kid, now), ""), 200, "")
		clock.Add(time.Hour)
		s.want(s.do("GET", "/appdata/"+kid, basic(kid, now), ""), 401, "InvalidCredentials")
		s.want(admin.do("POST", "/v4/environments/"+kid+"/"+c.route, "", ""), 200, "")
		later, _ := get(a.json(t), c.name).(string)
		s.want(s.do("GET", "/appdata/"+kid, basic(kid, later), ""), 401, "InvalidCredentials")
	}
}

// Whoever comes after a deleted user or collection inherits nothing.
func TestAttackReuseOfDeletedIDs(t *testing.T) {
	s := start(t)
	victim, friend := s.signUp("victim"), s.signUp("friend")
	s.want(s.do("PUT", "/group/"+kid+"/club", victim.session(), attackMembers(friend)), 201, "")
	attackDiary(s, victim, "to-friend", `{"r":["`+friend.id+`"]}`)
	attackDiary(s, victim, "to-club", `{"groups":{"r":["club"]}}`)
	attackDiary(s, friend, "of-friend", `{}`)
	s.want(s.do("DELETE", "/user/"+kid+"/"+friend.id+"?hard=true", friend.session(), ""), 204, "")
	for _, body := range []string{
		`{"username":"friend","password":"friend"}`,
		`{"username":"friend2","password":"friend2","_id":"` + friend.id + `","_acl":{"creator":"` + friend.id + `"}}`,
		`{"username":"` + friend.id + `","password":"x"}`,
	} {
		a := s.want(s.do("POST", "/user/"+kid, asApp, body), 201, "").json(t)
		id, _ := get(a, "_id").(string)
		token, _ := get(a, "_kmd", "authtoken").(string)
		if id == friend.id {
			t.Fatalf("%s got the id of the deleted user", body)
		}
		for _, e := range []string{"to-friend", "to-club", "of-friend"} {
			if attackReads(s, user{id: id, token: token}, e) {
				t.Errorf("%s reads %s", body, e)
			}
		}
		s.want(s.do("PUT", "/user/"+kid+"/"+friend.id, "Kinvey "+token, `{}`), 404, "UserNotFound")
	}
	// A collection of the same name is another one.
	s.want(s.do("DELETE", "/v4/environments/"+kid+"/collections/diary", asMaster, ""), 204, "")
	s.want(s.do("POST", "/appdata/"+kid+"/diary", victim.session(), `{"_id":"new"}`), 201, "")
	for _, e := range []string{"to-friend", "to-club", "of-friend"} {
		s.want(s.do("GET", "/appdata/"+kid+"/diary/"+e, asMaster, ""), 404, "EntityNotFound")
	}
	if got := ids(t, s.do("GET", "/appdata/"+kid+"/diary", asMaster, "")); fmt.Sprint(got) != "[new]" {
		t.Errorf("the new collection holds %v", got)
	}
}

// The user collection itself is reached through its own routes only.
func TestAttackReservedCollectionsThroughAppdata(t *testing.T) {
	s := start(t)
	mallory := s.signUp("mallory")
	for _, who := range []string{mallory.session(), asMaster} {
		for _, name := range []string{"user", "group", "_blob", "us%65r", "%75ser", "g%72oup"} {
			path := "/appdata/" + kid + "/" + name
			for _, r := range [][3]string{{"GET", path, ""}, {"POST", path, `{}`}, {"DELETE", path + "?query={}", ""}, {"GET", path + "/_count", ""},
				{"GET", path + "/" + mallory.id, ""}, {"PUT", path + "/" + mallory.id, `{"username":"x"}`}, {"DELETE", path + "/" + mallory.id, ""}} {
				s.want(s.do(r[0], r[1], who, r[2]), 403, "IndirectCollectionAccessDisallowed")
			}
		}
		for _, name := range []string{"_user", "_group", "%75%00ser", "user%20", "user.", "user%2F", "%5fusers", "user%3Fx", "us\u0435r"} {
			if a := s.do("GET", "/appdata/"+kid+"/"+url.PathEscape(name), who, ""); a.status != 400 {
				t.Errorf("collection %s: %d %s", name, a.status, a.body)
			}
		}
	}
}

// Old API versions open no other door: a session is not tried at version 0, and
// unknown versions are refused before anybody is authenticated.
func TestAttackAPIVersions(t *testing.T) {
	s := start(t, attackWith(func(*engine.AppOptions) {}))
	alice := s.signUp("alice")
	for _, v := range []string{"7", "-1", "x", "1.0", "99999999999999999999", "0x1", "１", "5, 5"} {
		s.want(s.do("GET", "/user/"+kid+"/_me", alice.session(), "", "X-Kinvey-API-Version", v), 501, "APIVersionNotImplemented")
		s.want(s.do("GET", "/user/"+kid+"/_me", "", "", "X-Kinvey-API-Version", v), 501, "APIVersionNotImplemented")
	}
	s.want(s.do("GET", "/user/"+kid+"/_me", alice.session(), "", "X-Kinvey-API-Version", "0"), 400, "FeatureUnavailable")
	for v := range 7 {
		version := fmt.Sprint(v)
		s.want(s.do("GET", "/user/"+kid+"/_me", "", "", "X-Kinvey-API-Version", version), 401, "InvalidCredentials")
		s.want(s.do("GET", "/appdata/"+kid+"/things", asApp, "", "X-Kinvey-API-Version", version), 401, "InsufficientCredentials")
		s.want(s.do("GET", "/user/"+kid, asApp, "", "X-Kinvey-API-Version", version), 401, "InsufficientCredentials")
	}
}

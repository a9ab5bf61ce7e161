package engine_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
)

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// directoryDown gives the app a default service whose directory is down.
func (s *micServer) directoryDown(fallback bool) (path string, set func(fallback bool)) {
	s.t.Helper()
	operator := s.operator()
	a := s.want(s.do("POST", "/v4/auth-services", operator, fmt.Sprintf(`{"name":"Directory","redirectUri":[%q],"allowPasswordGrant":true,"localFallback":%t,"mapping":{"groups":"sync"},
		"provider":{"type":"LDAP","remoteService":"ldaps://%s","options":{"baseDn":"dc=example","bindDn":"cn=a","bindPassword":"p"}}}`, micRedirect, fallback, nobody(s.t.(*testing.T)))), 201, "")
	id, _ := get(a.json(s.t), "id").(string)
	path = "/v4/auth-services/" + id
	s.want(s.do("PUT", "/v4/environments/"+kid, operator, `{"defaultAuthServiceId":"`+id+`"}`), 200, "")
	return path, func(fallback bool) {
		s.t.Helper()
		m := s.want(s.do("GET", path, operator, ""), 200, "").json(s.t).(map[string]any)
		m["localFallback"] = fallback
		b, err := json.Marshal(m)
		if err != nil {
			s.t.Fatal(err)
		}
		s.want(s.do("PUT", path, operator, string(b)), 200, "")
	}
}

func (s *micServer) byPassword(name, password string) answer {
	s.t.Helper()
	return s.form("/oauth/token", asApp, values("grant_type", "password", "client_id", kid, "username", name, "password", password))
}

// "As a fallback for a directory that is down it is off by default".
func TestMICFallback(t *testing.T) {
	s := startMIC(t)
	path, set := s.directoryDown(false)
	s.oauthError(s.byPassword("alice", "alice"), 503, "temporarily_unavailable")
	set(true)
	tokens := s.tokens(s.byPassword("alice", "alice"))
	session := s.session(tokens)
	me := "/user/" + kid + "/_me"
	if id := get(s.want(s.do("GET", me, session, ""), 200, "").json(t), "_id"); id != s.alice.id {
		t.Errorf("the session is of %v", id)
	}
	// By the page, too.
	s.session(s.tokens(s.exchange(s.code())))
	// Who is not one of them is not told that his password is wrong: nobody knows.
	s.oauthError(s.byPassword("alice", "wrong"), 503, "temporarily_unavailable")
	s.oauthError(s.byPassword("nobody", "alice"), 503, "temporarily_unavailable")
	action, cookie := s.page()
	if a := s.submit(action, cookie, "alice", "wrong"); a.status != 503 || !strings.Contains(string(a.body), "not available") {
		t.Errorf("%d %s", a.status, a.body)
	}
	tokens = s.tokens(s.refresh(tokens.refresh))
	// A suspended user is out at the refresh.
	s.want(s.do("DELETE", "/user/"+kid+"/"+s.alice.id+"?soft=true", asMaster, ""), 204, "")
	s.oauthError(s.refresh(tokens.refresh), 400, "invalid_grant")
	s.oauthError(s.byPassword("alice", "alice"), 503, "temporarily_unavailable")
	// What was let in so is good for nothing once that is switched off.
	s.signUp("bob")
	tokens = s.tokens(s.byPassword("bob", "bob"))
	set(false)
	s.oauthError(s.refresh(tokens.refresh), 400, "invalid_grant")
	s.want(s.login(tokens), 401, "InvalidCredentials")
	// A provider that has a page of its own has none of it.
	m := s.want(s.do("GET", path, s.operator(), ""), 200, "").json(t).(map[string]any)
	m["localFallback"], m["provider"] = true, map[string]any{"type": "OIDC", "options": map[string]any{"issuer": "https://id.example", "clientId": "c"}}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	s.refused(s.do("PUT", path, s.operator(), string(b)), 400, "ParameterValueOutOfRange")
}

// "It never serves identities that a directory owns": one who has a password here
// and is somebody at a directory as well waits until that can be asked.
func TestAttackMICFallbackForADirectoryUser(t *testing.T) {
	s := startMIC(t, func(o *options) { o.config.Identities = vouch{} })
	s.directoryDown(true)
	s.session(s.tokens(s.byPassword("alice", "alice")))
	s.want(s.do("PUT", "/user/"+kid+"/"+s.alice.id, s.alice.session(), bridged("good-ann")), 200, "")
	s.oauthError(s.byPassword("alice", "alice"), 503, "temporarily_unavailable")
	action, cookie := s.page()
	if a := s.submit(action, cookie, "alice", "alice"); a.status != 503 {
		t.Errorf("by the page: %d %s", a.status, a.header["Location"])
	}
}

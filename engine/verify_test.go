package engine_test

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/engine"
)

// submit sends a form of one of the pages.
func (s *server) submit(path string, fields ...string) answer {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	body := form.Encode()
	if body == "" {
		body = "x="
	}
	return s.do("POST", path, "", body, "Content-Type", "application/x-www-form-urlencoded")
}

// wantPage checks a page: its status, and that it gives nothing away to what
// stands around it and runs nothing.
func (s *server) wantPage(a answer, status int) answer {
	s.t.Helper()
	if a.status != status {
		s.t.Fatalf("got %d %s, want %d", a.status, a.body, status)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	} {
		if a.header[name] != want {
			s.t.Errorf("%s is %q, want %q", name, a.header[name], want)
		}
	}
	if found := activePattern.Find(a.body); found != nil {
		s.t.Errorf("the page holds %q: %s", found, a.body)
	}
	return a
}

// activePattern is what runs, or loads something.
var activePattern = regexp.MustCompile(`(?i)<script|<style|javascript:|\son\w+\s*=|\bsrc\s*=|\bhref\s*=|\bstyle\s*=`)

// gone fails unless a link answers like one that never was.
func (s *server) gone(why, path string) {
	s.t.Helper()
	never := s.wantPage(s.do("GET", "/-/"+strings.Split(path, "/")[2]+"/"+kid+"/nobody/"+strings.Repeat("0", 64), "", ""), 404)
	attackSame(s.t, why, never, s.do("GET", path, "", ""))
	attackSame(s.t, why, never, s.submit(path, "password", "a new long secret", "again", "a new long secret"))
}

func (s *server) me(u user) any {
	s.t.Helper()
	return s.want(s.do("GET", "/user/"+kid+"/_me", u.session(), ""), 200, "").json(s.t)
}

// R2: a mail with a link, a page, a new password; every session ends.
func TestPasswordReset(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box), attackWith(func(o *engine.AppOptions) { o.PasswordPolicy = true }))
	a := s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"alice","password":"first long secret","email":"alice@example.org"}`), 201, "").json(t)
	alice := user{name: "alice", password: "first long secret"}
	alice.id, _ = get(a, "_id").(string)
	alice.token, _ = get(a, "_kmd", "authtoken").(string)
	s.want(s.do("GET", "/user/"+kid+"/_me", alice.basic(), ""), 200, "") // in the cache of verified passwords

	s.rpc("alice", resetInitiate)
	if got := get(s.me(alice), "_kmd", "passwordReset", "status"); got != "InProgress" {
		t.Errorf("_kmd.passwordReset.status = %v", got)
	}
	m := box.next(t)
	if m.To != "alice@example.org" || !strings.Contains(m.Text, "alice") {
		t.Errorf("mail %+v", m)
	}
	link := linkOf(t, m)
	for range 2 { // a mail program that looks at the link does not use it up
		if page := s.wantPage(s.do("GET", link, "", ""), 200); !strings.Contains(string(page.body), "alice") {
			t.Errorf("page %s", page.body)
		}
	}
	// What the page refuses leaves the link as good as before.
	for _, c := range [][2]string{{"", ""}, {"short", "short"}, {"password1", "password1"}, {"second long secret", "another long secret"}} {
		s.wantPage(s.submit(link, "password", c[0], "again", c[1]), 400)
	}
	s.wantPage(s.do("POST", link, "", `{"password":"second long secret","again":"second long secret"}`), 400)
	s.want(attackLogin(s, "alice", "first long secret"), 200, "")

	s.wantPage(s.submit(link, "password", "second long secret", "again", "second long secret"), 200)
	s.want(s.do("GET", "/user/"+kid+"/_me", alice.session(), ""), 401, "InvalidCredentials")
	s.want(s.do("GET", "/user/"+kid+"/_me", alice.basic(), ""), 401, "InvalidCredentials")
	s.want(attackLogin(s, "alice", "first long secret"), 401, "InvalidCredentials")
	after := s.want(attackLogin(s, "alice", "second long secret"), 200, "").json(t)
	if get(after, "_kmd", "passwordReset") != nil {
		t.Errorf("after the reset: %v", get(after, "_kmd"))
	}
	s.gone("a used link", link)
}

// R3: the address is confirmed on a page; every other one is not.
func TestEmailVerification(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	alice, bob := s.signUpWith("alice", "alice@example.org"), s.signUp("bob")
	if get(s.me(alice), "_kmd", "emailVerification") != nil {
		t.Error("verification before it was asked for")
	}
	s.want(s.do("POST", "/rpc/"+kid+"/alice/"+verifyInitiate, alice.session(), "{}"), 204, "")
	v := get(s.me(alice), "_kmd", "emailVerification")
	if get(v, "status") != "sent" || get(v, "emailAddress") != "alice@example.org" || get(v, "lastStateChangeAt") == nil || get(v, "lastConfirmedAt") != nil {
		t.Errorf("after the request: %v", v)
	}
	link := linkOf(t, box.next(t))
	s.wantPage(s.do("GET", link, "", ""), 200)
	if got := get(s.me(alice), "_kmd", "emailVerification", "status"); got != "sent" {
		t.Errorf("looking at the page has confirmed: %v", got)
	}
	s.wantPage(s.submit(link), 200)
	v = get(s.me(alice), "_kmd", "emailVerification")
	if get(v, "status") != "confirmed" || get(v, "lastConfirmedAt") == nil || get(v, "emailAddress") != "alice@example.org" {
		t.Errorf("after the confirmation: %v", v)
	}
	s.gone("a used link", link)
	// Only he and the master see it, in an answer as in a filter.
	path := "/user/" + kid + "/" + alice.id
	if get(s.do("GET", path, asMaster, "").json(t), "_kmd", "emailVerification") == nil {
		t.Error("the master does not see it")
	}
	s.rpc("alice", resetInitiate)
	box.next(t)
	for _, p := range []string{path, "/user/" + kid} {
		attackLacks(t, p, s.want(s.do("GET", p, bob.session(), ""), 200, ""), "emailVerification", "passwordReset", "llt")
	}
	for _, field := range []string{"_kmd.emailVerification.status", "_kmd.emailVerification", "_kmd.passwordReset.status", "_kmd.status", "_socialIdentity", "password"} {
		a := s.want(s.do("GET", "/user/"+kid+`?query={"`+field+`":{"$exists":true}}`, bob.session(), ""), 200, "")
		if string(a.body) != "[]" {
			t.Errorf("%s matches %s", field, a.body)
		}
	}
	// Another address is not confirmed.
	s.want(s.do("PUT", path, alice.session(), `{"email":"new@example.org"}`), 200, "")
	if v := get(s.me(alice), "_kmd", "emailVerification"); v != nil {
		t.Errorf("after a change of address: %v", v)
	}
}

// R4: the names are sent to the address, and to nobody else.
func TestForgotUsername(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	s.signUpWith("alice", "shared@example.org")
	s.signUpWith("alice2", "Shared@Example.org")
	s.signUpWith("mallory", "mallory@example.org")
	asleep := s.signUpWith("asleep", "shared@example.org")
	s.want(s.do("DELETE", "/user/"+kid+"/"+asleep.id, asMaster, "", "X-Kinvey-Api-Version", "3"), 204, "")
	path := "/rpc/" + kid + "/user-forgot-username"
	s.want(s.do("POST", path, asApp, `{"email":"SHARED@example.org"}`), 204, "")
	m := box.next(t)
	if !strings.EqualFold(m.To, "shared@example.org") || !strings.Contains(m.Text, "\nalice\n") || !strings.Contains(m.Text, "\nalice2\n") ||
		strings.Contains(m.Text, "mallory") || strings.Contains(m.Text, "asleep") {
		t.Errorf("mail to %s: %s", m.To, m.Text)
	}
	s.want(s.do("POST", path, asApp, `{"email":"nobody@example.org"}`), 204, "")
	s.want(s.do("POST", path, asApp, `{"email":""}`), 204, "")
	s.want(s.do("POST", path, asApp, `{"email":"x\u0000"}`), 204, "")
	s.want(s.do("POST", path, asApp, `{}`), 400, "MissingRequestParameter")
	box.none(s)
}

// R2 by address: everybody who has it gets a link of his own.
func TestPasswordResetByAddress(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	s.signUpWith("alice", "shared@example.org")
	s.signUpWith("alice2", "SHARED@example.org")
	s.rpc("shared@example.org", resetInitiate)
	to := []string{box.next(t).To, box.next(t).To}
	slices.Sort(to)
	if fmt.Sprint(to) != "[SHARED@example.org shared@example.org]" {
		t.Errorf("mails to %v", to)
	}
	box.none(s)
}

// 5.4: where the app asks for it, nobody logs in with an address that he has
// not confirmed; a mail goes out by itself.
func TestEmailVerificationRequired(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	old := s.signUpWith("old", "old@example.org")
	admin := attackAdmin(s)
	set := func(text string) {
		t.Helper()
		s.want(admin.do("PUT", "/v4/environments/"+kid, "", `{"emailVerification":`+text+`}`), 200, "")
	}
	set(`{"auto":true,"required":true}`)
	a := s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"alice","password":"alice","email":"alice@example.org"}`), 201, "")
	attackLacks(t, "sign-up", a, "authtoken")
	s.want(attackLogin(s, "alice", "alice"), 403, "EmailVerificationRequired")
	s.want(attackLogin(s, "alice", "wrong"), 401, "InvalidCredentials")
	s.want(s.do("GET", "/user/"+kid+"/_me", basic("alice", "alice"), ""), 403, "EmailVerificationRequired")
	s.want(s.do("GET", "/user/"+kid+"/_me", basic("alice", "alice"), ""), 403, "EmailVerificationRequired") // cached
	s.want(attackLogin(s, "old", "old"), 403, "EmailVerificationRequired")
	m := box.next(t)
	s.wantPage(s.submit(linkOf(t, m)), 200)
	token := get(s.want(attackLogin(s, "alice", "alice"), 200, "").json(t), "_kmd", "authtoken").(string)
	alice := user{id: get(a.json(t), "_id").(string), name: "alice", token: token}
	// A new address has to be confirmed again.
	s.want(s.do("PUT", "/user/"+kid+"/"+alice.id, alice.session(), `{"email":"alice@example.net"}`), 200, "")
	if m := box.next(t); m.To != "alice@example.net" {
		t.Errorf("mail to %s", m.To)
	}
	s.want(attackLogin(s, "alice", "alice"), 403, "EmailVerificationRequired")
	// Only accounts that are older than since.
	set(`{"since":"2000-01-01T00:00:00.000Z"}`)
	s.want(attackLogin(s, "alice", "alice"), 200, "")
	set(`{"since":"2999-01-01T00:00:00.000Z"}`)
	s.want(attackLogin(s, "old", "old"), 403, "EmailVerificationRequired")
	set(`{"required":false,"since":null}`)
	s.want(attackLogin(s, "old", "old"), 200, "")
	for _, bad := range []string{`{"require":true}`, `true`, `{"auto":1}`, `{"since":"soon"}`} {
		s.want(admin.do("PUT", "/v4/environments/"+kid, "", `{"emailVerification":`+bad+`}`), 400, "")
	}
	_ = old
}

// Everything that ends a link: time, another link, a new password, another
// address, suspension, lockdown, deletion.
func TestLinksEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		what string
		do   func(s *server, c *clock, box *postbox, u user)
	}{
		{"an hour later", resetInitiate, func(_ *server, c *clock, _ *postbox, _ user) { c.Add(time.Hour) }},
		{"a day later", verifyInitiate, func(_ *server, c *clock, _ *postbox, _ user) { c.Add(24 * time.Hour) }},
		{"a newer mail", resetInitiate, func(s *server, _ *clock, box *postbox, _ user) { s.rpc("alice", resetInitiate); box.next(s.t) }},
		{"a password change", resetInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"password":"other"}`), 200, "")
		}},
		{"a password change", verifyInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"password":"other"}`), 200, "")
		}},
		{"another address", resetInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"email":"b@example.org"}`), 200, "")
		}},
		{"another address", verifyInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"email":"b@example.org"}`), 200, "")
		}},
		{"another address and back", verifyInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"email":"b@example.org"}`), 200, "")
			s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), `{"email":"a@example.org"}`), 200, "")
		}},
		{"the end of all sessions", resetInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("DELETE", "/user/"+kid+"/"+u.id+"/tokens", u.session(), ""), 204, "")
		}},
		{"suspension", resetInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("DELETE", "/user/"+kid+"/"+u.id+"?hard=false", asMaster, ""), 204, "")
		}},
		{"suspension and return", resetInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("DELETE", "/user/"+kid+"/"+u.id+"?hard=false", asMaster, ""), 204, "")
			s.want(s.do("POST", "/user/"+kid+"/"+u.id+"/_restore", asMaster, ""), 204, "")
		}},
		{"lockdown", resetInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("POST", "/rpc/"+kid+"/lockdown-user", asMaster, `{"userId":"`+u.id+`","setLockdownStateTo":true}`), 204, "")
		}},
		{"deletion", resetInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("DELETE", "/user/"+kid+"/"+u.id+"?hard=true", asMaster, ""), 204, "")
		}},
		{"deletion and the same id again", resetInitiate, func(s *server, _ *clock, _ *postbox, u user) {
			s.want(s.do("DELETE", "/user/"+kid+"/"+u.id+"?hard=true", asMaster, ""), 204, "")
			s.want(s.do("POST", "/user/"+kid, asMaster, `{"_id":"`+u.id+`","username":"alice","email":"a@example.org"}`, "X-Kinvey-Master-Create-User", "true"), 201, "")
		}},
	} {
		t.Run(c.name+" "+c.what, func(t *testing.T) {
			clock, box := newClock(), newPostbox()
			s := start(t, withPost(box), withClock(clock))
			u := s.signUpWith("alice", "a@example.org")
			s.rpc("alice", c.what)
			link := linkOf(t, box.next(t))
			s.wantPage(s.do("GET", link, "", ""), 200)
			c.do(s, clock, box, u)
			s.gone(c.name, link)
		})
	}
}

// A mail that waits goes to the address of the moment at which it is sent.
func TestMailFollowsTheAddress(t *testing.T) {
	clock, box := newClock(), newPostbox()
	s := start(t, withPost(box), withClock(clock))
	alice := s.signUpWith("alice", "old@example.org")
	box.fail(errors.New("away"))
	s.rpc("alice", resetInitiate)
	s.e.OutboxTried(t, kid, 1)
	s.want(s.do("PUT", "/user/"+kid+"/"+alice.id, alice.session(), `{"email":"new@example.org"}`), 200, "")
	box.fail(nil)
	clock.Add(time.Minute)
	s.e.OutboxNudge()
	m := box.next(t)
	if m.To != "new@example.org" {
		t.Errorf("mail to %s", m.To)
	}
	s.wantPage(s.do("GET", linkOf(t, m), "", ""), 200)
}

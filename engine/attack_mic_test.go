package engine_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"postern/auth"
)

// Attacks on Mobile Identity Connect: those of RFC 9700 that concern an
// authorization server and a client, and what else somebody would try who wants
// another user's data.

func pkce(verifier string) []string {
	sum := sha256.Sum256([]byte(verifier))
	return []string{"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256"}
}

// A code is good once. Shown twice it has been stolen: what it was exchanged for
// ends.
func TestAttackMICCodeReplay(t *testing.T) {
	s := startMIC(t)
	code := s.code()
	tokens := s.tokens(s.exchange(code))
	session := s.session(tokens)
	s.oauthError(s.exchange(code), 400, "invalid_grant")
	s.want(s.do("GET", "/user/"+kid+"/_me", session, ""), 401, "InvalidCredentials")
	s.oauthError(s.refresh(tokens.refresh), 400, "invalid_grant")
}

// Many at once, and one of them gets something.
func TestAttackMICCodeRace(t *testing.T) {
	s := startMIC(t)
	code := s.code()
	var wg sync.WaitGroup
	good := make(chan int, 16)
	for range 16 {
		wg.Go(func() { good <- s.exchange(code).status })
	}
	wg.Wait()
	n := 0
	for range 16 {
		if <-good == 200 {
			n++
		}
	}
	if n > 1 {
		t.Errorf("a code was exchanged %d times", n)
	}
}

func TestAttackMICCodeOfAnother(t *testing.T) {
	s := startMIC(t)
	if _, err := s.e.AddLocalService("kid_other", "Other", []string{micRedirect}); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string][]string{
		"another redirect URI": {"redirect_uri", "myapp://cb?a=b"},
		"none":                 {"redirect_uri", ""},
		"another client":       {"client_id", kid + "." + s.service},
		"another app":          {"client_id", "kid_other"},
	} {
		t.Run(name, func(t *testing.T) {
			if a := s.exchange(s.code(), more...); a.status != 400 && a.status != 401 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

func TestAttackMICCodeTooLate(t *testing.T) {
	s := startMIC(t)
	code := s.code()
	s.clock.Add(10 * time.Second)
	s.oauthError(s.exchange(code), 400, "invalid_grant")
	code = s.code()
	s.clock.Add(10*time.Second - time.Millisecond)
	s.tokens(s.exchange(code))
}

// PKCE that was begun is enforced, and cannot be talked away.
func TestAttackMICDowngradeOfPKCE(t *testing.T) {
	s := startMIC(t)
	verifier := strings.Repeat("abcdefg-", 6)
	s.tokens(s.exchange(s.code(pkce(verifier)...), "code_verifier", verifier))
	for name, sent := range map[string]string{"missing": "", "wrong": strings.Repeat("x", 43), "the challenge itself": pkce(verifier)[1], "short": "abc"} {
		t.Run(name, func(t *testing.T) {
			s.oauthError(s.exchange(s.code(pkce(verifier)...), "code_verifier", sent), 400, "invalid_grant")
		})
	}
	t.Run("a verifier without a challenge", func(t *testing.T) {
		s.oauthError(s.exchange(s.code(), "code_verifier", verifier), 400, "invalid_grant")
	})
	for name, more := range map[string][]string{
		"plain":     {"code_challenge", verifier, "code_challenge_method", "plain"},
		"no method": {"code_challenge", pkce(verifier)[1]},
		"padded":    {"code_challenge", pkce(verifier)[1] + "=", "code_challenge_method", "S256"},
		"too short": {"code_challenge", "abc", "code_challenge_method", "S256"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do("GET", "/oauth/auth?"+s.auth(more...).Encode(), "", "")
			if to, _ := url.Parse(a.header["Location"]); a.status != 302 || to.Query().Get("error") != "invalid_request" {
				t.Errorf("%d %s", a.status, a.header["Location"])
			}
		})
	}
}

// Nobody is sent to what only looks like a registered URI, with a code or without.
func TestAttackMICRedirectNearMatch(t *testing.T) {
	s := startMIC(t)
	for _, uri := range []string{
		"", micRedirect + "/", micRedirect + "?", micRedirect + "?x=1", micRedirect + "#x", micRedirect + "%2F..", micRedirect + "/../evil",
		"http://localhost:9876/Callback", "HTTP://localhost:9876/callback", "http://LOCALHOST:9876/callback", "http://localhost:9877/callback",
		"http://localhost/callback", "https://localhost:9876/callback", "http://localhost:9876@evil.example/callback",
		"http://evil.example/http://localhost:9876/callback", "http://localhost:9876.evil.example/callback", "//localhost:9876/callback",
		"http://user@127.0.0.1:5/cb", "http://127.0.0.1.evil.example/cb", "http://127.0.0.1:5/cb/", "http://127.0.0.1:5/CB", "http://127.0.0.2/cb",
		"http://127.0.0.1:99999999/cb?x", "http://127.1/cb", "http://[::1]/cb", "http://[::ffff:127.0.0.1]/cb", "https://127.0.0.1/cb",
		"http://localhost/cb", "myapp://cb", "myapp://cb?a=c", "MYAPP://cb?a=b", "myapp:cb?a=b", "javascript:alert(1)", "data:text/html,x",
		"http://127.0.0.1:5\\@evil.example/cb", "http://127.0.0.1\t/cb", " " + micRedirect, micRedirect + " ", micRedirect + "\x00",
	} {
		v := s.auth()
		v.Set("redirect_uri", uri)
		for _, a := range []answer{s.do("GET", "/oauth/auth?"+v.Encode(), "", ""), s.form("/oauth/auth", asApp, v)} {
			if a.status != 400 || a.header["Location"] != "" {
				t.Errorf("%q: %d to %q", uri, a.status, a.header["Location"])
			}
		}
	}
	// The port of the loopback interface is free, and nothing else.
	action, cookie := s.page("redirect_uri", "http://127.0.0.1:51234/cb")
	if to := s.submit(action, cookie, "alice", "alice").header["Location"]; !strings.HasPrefix(to, "http://127.0.0.1:51234/cb?") {
		t.Errorf("sent to %s", to)
	}
	action, cookie = s.page("redirect_uri", "myapp://cb?a=b")
	if to := s.submit(action, cookie, "alice", "alice").header["Location"]; !strings.HasPrefix(to, "myapp://cb?a=b&code=") {
		t.Errorf("sent to %s", to)
	}
}

// A refresh token that was used may be used again for a minute, because answers
// get lost. After that the whole grant ends: one of two has stolen it.
func TestAttackMICRefreshReplay(t *testing.T) {
	s := startMIC(t)
	first := s.tokens(s.exchange(s.code()))
	second := s.tokens(s.refresh(first.refresh))
	s.clock.Add(time.Minute - time.Millisecond)
	lost := s.tokens(s.refresh(first.refresh))
	session := s.session(lost)
	s.clock.Add(time.Millisecond)
	s.oauthError(s.refresh(first.refresh), 400, "invalid_grant")
	s.oauthError(s.refresh(lost.refresh), 400, "invalid_grant")
	s.want(s.do("GET", "/user/"+kid+"/_me", session, ""), 401, "InvalidCredentials")
	// One that is older than the last is a replay at once.
	first = s.tokens(s.exchange(s.code()))
	second = s.tokens(s.refresh(first.refresh))
	third := s.tokens(s.refresh(second.refresh))
	s.oauthError(s.refresh(first.refresh), 400, "invalid_grant")
	s.oauthError(s.refresh(third.refresh), 400, "invalid_grant")
}

// Tokens are good for what they are, where they were given.
func TestAttackMICTokenConfusion(t *testing.T) {
	s := startMIC(t)
	tokens := s.tokens(s.exchange(s.code()))
	code := s.code()
	s.want(s.login(micTokens{access: tokens.refresh}), 401, "InvalidCredentials")
	s.want(s.login(micTokens{access: code}), 401, "InvalidCredentials")
	s.want(s.login(micTokens{access: strings.ToUpper(tokens.access)}), 401, "InvalidCredentials")
	s.want(s.login(micTokens{access: tokens.access[:39] + "g"}), 401, "InvalidCredentials")
	s.want(s.login(micTokens{access: tokens.access[:16] + strings.Repeat("0", 24)}), 401, "InvalidCredentials")
	s.oauthError(s.refresh(code), 400, "invalid_grant")
	s.oauthError(s.exchange(tokens.refresh), 400, "invalid_grant") // and the grant is gone: it was a code for all that is known
	for _, token := range []string{tokens.access, tokens.refresh} {
		s.want(s.do("GET", "/user/"+kid+"/_me", "Kinvey "+token, ""), 401, "InvalidCredentials")
		s.want(s.do("GET", "/user/"+kid+"/_me", "Bearer "+token, ""), 401, "InvalidCredentials")
	}
	// A token of one app means nothing to another.
	tokens = s.tokens(s.exchange(s.code()))
	other := s.operator()
	secret, _ := get(s.want(s.do("POST", "/v4/environments/kid_other/regenerate-appsecret", other, ""), 200, "").json(t), "appSecret").(string)
	a := s.do("POST", "/user/kid_other/login", basic("kid_other", secret), `{"_socialIdentity":{"kinveyAuth":{"access_token":"`+tokens.access+`"}}}`)
	s.want(a, 401, "InvalidCredentials")
}

// Who does not know the app secret gets nothing at the token endpoint.
func TestAttackMICClientAuthentication(t *testing.T) {
	s := startMIC(t)
	for name, header := range map[string]string{
		"none": "", "wrong secret": basic(kid, "x"), "the master secret": asMaster, "another app": basic("kid_other", appSecret),
		"another client id": basic(kid+".x", appSecret), "a user": s.alice.basic(), "a session": s.alice.session(), "junk": "Basic !",
	} {
		t.Run(name, func(t *testing.T) {
			v := values("grant_type", "authorization_code", "client_id", kid, "redirect_uri", micRedirect, "code", s.code())
			s.oauthError(s.form("/oauth/token", header, v), 401, "invalid_client")
			s.oauthError(s.form("/oauth/revoke", header, values("token", "x", "client_id", kid)), 401, "invalid_client")
		})
	}
	s.oauthError(s.form("/oauth/token", asApp, values("grant_type", "authorization_code", "client_id", kid+".nosuch", "code", "x")), 401, "invalid_client")
}

// The page is for the browser that opened it: nobody is logged in as somebody
// else by a form, or a link, that a stranger has made.
func TestAttackMICLoginFromAnotherBrowser(t *testing.T) {
	s := startMIC(t)
	action, cookie := s.page()
	_, other := s.page()
	name, _, _ := strings.Cut(cookie, "=")
	// Without its prefix, too: so another host of the domain could have set it.
	for _, c := range []string{"", other, name + "=", name + "=" + strings.Repeat("0", 32), strings.TrimPrefix(cookie, "__Host-")} {
		if a := s.submit(action, c, "alice", "alice"); a.status != 403 || a.header["Location"] != "" {
			t.Errorf("with cookie %q: %d %s", c, a.status, a.body)
		}
	}
	s.codeOf(s.submit(action, cookie, "alice", "alice"))
	if a := s.submit(action, cookie, "alice", "alice"); a.status != 400 {
		t.Errorf("the page is good twice: %d", a.status)
	}
}

// A page is given up after ten wrong passwords, and after ten minutes.
func TestAttackMICGuessingAtThePage(t *testing.T) {
	s := startMIC(t)
	action, cookie := s.page()
	for i := range 9 {
		a := s.submit(action, cookie, "alice", fmt.Sprint("wrong", i))
		if a.status != 401 || !bytes.Contains(a.body, []byte(`role="alert"`)) || !bytes.Contains(a.body, []byte(`value="alice"`)) {
			t.Fatalf("try %d: %d %s", i, a.status, a.body)
		}
	}
	a := s.submit(action, cookie, "alice", "wrong")
	if to, _ := url.Parse(a.header["Location"]); to.Query().Get("error") != "access_denied" || to.Query().Get("code") != "" {
		t.Errorf("after ten: %d %s", a.status, a.header["Location"])
	}
	if a := s.submit(action, cookie, "alice", "alice"); a.status != 400 {
		t.Errorf("the page is still good: %d", a.status)
	}
	action, cookie = s.page()
	s.clock.Add(10 * time.Minute)
	if a := s.submit(action, cookie, "alice", "alice"); a.status != 400 {
		t.Errorf("after ten minutes: %d", a.status)
	}
	// Nobody and a wrong password look the same.
	action, cookie = s.page()
	nobody, wrong := s.submit(action, cookie, "nobody", "x"), s.submit(action, cookie, "alice", "x")
	if nobody.status != wrong.status || !bytes.Equal(bytes.ReplaceAll(nobody.body, []byte("nobody"), []byte("alice")), wrong.body) {
		t.Errorf("%d %s\n%d %s", nobody.status, nobody.body, wrong.status, wrong.body)
	}
}

// outside is the server as a client in another network reaches it, where limits count.
func (s *micServer) outside() *micServer {
	l := fasthttputil.NewInmemoryListener()
	attackServe(s.server, l, false)
	return &micServer{attackFrom(s.server, l, "203.0.113.7"), s.service, s.alice}
}

// Logins from elsewhere work as those from here do, and there is an end to how many
// one network begins.
func TestAttackMICLoginsOfOneNetwork(t *testing.T) {
	inside := startMIC(t, func(o *options) { o.config.Quota = auth.DefaultQuota })
	s := inside.outside()
	s.session(s.tokens(s.exchange(s.code())))
	if uri := get(s.want(s.form("/oauth/auth", asApp, s.auth()), 200, "").json(t), "temp_login_uri"); uri == nil {
		t.Error("no temporary URI")
	}
	if a := s.do("GET", "/oauth2/redirect/"+s.service+"?state=x", "", ""); a.status != 400 {
		t.Errorf("come back from nowhere: %d %s", a.status, a.body)
	}
	limited := 0
	for range auth.DefaultQuota.Login.Burst + 10 {
		if a := s.do("GET", "/oauth/auth?"+s.auth().Encode(), "", ""); a.status == 429 && a.header["Retry-After"] != "" {
			limited++
		}
	}
	if limited < 10 || limited > 20 {
		t.Errorf("%d were limited", limited)
	}
	inside.code()
}

// Passwords are guessed no faster by way of MIC than by way of login.
func TestAttackMICThrottled(t *testing.T) {
	inside := startMIC(t, func(o *options) { o.config.Throttle = auth.DefaultLimits })
	s := inside.outside()
	guess := values("grant_type", "password", "client_id", kid, "username", "alice", "password", "wrong")
	limited := false
	for range 60 {
		if a := s.form("/oauth/token", asApp, guess); a.status == 429 {
			s.oauthError(a, 429, "temporarily_unavailable")
			if a.header["Retry-After"] == "" {
				t.Error("it does not say when to try again")
			}
			limited = true
			break
		}
	}
	if !limited {
		t.Error("sixty guesses and no end")
	}
}

// A user who is suspended is out at the next refresh, and his sessions at once.
func TestAttackMICSuspended(t *testing.T) {
	s := startMIC(t)
	tokens := s.tokens(s.exchange(s.code()))
	session := s.session(tokens)
	s.want(s.do("DELETE", "/user/"+kid+"/"+s.alice.id+"?hard=false", asMaster, ""), 204, "")
	s.want(s.do("GET", "/user/"+kid+"/_me", session, ""), 401, "InvalidCredentials")
	s.oauthError(s.refresh(tokens.refresh), 400, "invalid_grant")
	s.want(s.login(tokens), 401, "InvalidCredentials")
}

// Nobody is made anew in the place of a user who is suspended or gone, and nobody
// links an account of somebody else's to his own.
func TestAttackMICInThePlaceOfAnother(t *testing.T) {
	s := startMIC(t)
	bob := s.signUp("bob")
	tokens := s.tokens(s.exchange(s.code()))
	claim := `{"_socialIdentity":{"kinveyAuth":{"access_token":"` + tokens.access + `"}}}`
	s.want(s.do("PUT", "/user/"+kid+"/"+bob.id, bob.session(), claim), 400, "ParameterValueOutOfRange")
	s.want(s.do("PUT", "/user/"+kid+"/"+s.alice.id, s.alice.session(), claim), 200, "")
	if id := get(s.want(s.login(tokens, version("6")...), 200, "").json(t), "_id"); id != s.alice.id {
		t.Errorf("the login is of %v", id)
	}
	for _, hard := range []string{"false", "true"} {
		s.want(s.do("DELETE", "/user/"+kid+"/"+s.alice.id+"?hard="+hard, asMaster, ""), 204, "")
		for _, v := range []string{"4", "6"} {
			s.want(s.login(tokens, version(v)...), 401, "InvalidCredentials")
			s.want(s.do("POST", "/user/"+kid, asApp, claim, version(v)...), 409, "UserAlreadyExists")
		}
	}
	if n := len(ids(t, s.do("GET", "/user/"+kid, asMaster, ""))); n != 1 {
		t.Errorf("%d users, want bob alone", n)
	}
}

// Parameters that are there twice are not read by anybody as they like.
func TestAttackMICDuplicateParameters(t *testing.T) {
	s := startMIC(t)
	for _, name := range []string{"client_id", "redirect_uri", "state", "code_challenge"} {
		v := s.auth("state", "x")
		v.Add(name, "evil")
		v.Add(name, "evil")
		if a := s.do("GET", "/oauth/auth?"+v.Encode(), "", ""); a.status != 400 || a.header["Location"] != "" {
			t.Errorf("%s twice: %d", name, a.status)
		}
	}
	v := values("grant_type", "authorization_code", "client_id", kid, "redirect_uri", micRedirect, "code", s.code(), "code", "x")
	s.oauthError(s.form("/oauth/token", asApp, v), 400, "invalid_request")
}

// Every URL comes from --public-url, whatever a client says the host is; the page
// runs nothing, loads nothing and is shown in no frame; what a stranger writes
// stays text.
func TestAttackMICPage(t *testing.T) {
	s := startMIC(t)
	a := s.form("/oauth/auth", asApp, s.auth(), "Host", "evil.example", "X-Forwarded-Host", "evil.example")
	if uri, _ := get(a.json(t), "temp_login_uri").(string); !strings.HasPrefix(uri, micURL+"/") {
		t.Errorf("temporary URI %q", uri)
	}
	action, cookie := s.page()
	a = s.submit(action, cookie, `"><script>alert(1)</script>`, "x")
	if bytes.Contains(a.body, []byte("<script")) {
		t.Errorf("a name is taken for HTML: %s", a.body)
	}
	csp := a.header["Content-Security-Policy"]
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http://localhost:9876"} {
		if !strings.Contains(csp, want) {
			t.Errorf("content security policy %q, want %s", csp, want)
		}
	}
	for _, no := range []string{"unsafe", "script-src", "*"} {
		if strings.Contains(csp, no) {
			t.Errorf("content security policy %q has %s", csp, no)
		}
	}
	if a.header["Cache-Control"] != "no-store" || a.header["X-Frame-Options"] != "DENY" || a.header["Referrer-Policy"] != "no-referrer" {
		t.Errorf("headers: %v", a.header)
	}
	a = s.do("GET", "/oauth/auth?"+s.auth().Encode(), "", "")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "secure"} {
		if !strings.Contains(strings.ToLower(a.header["Set-Cookie"]), strings.ToLower(want)) {
			t.Errorf("cookie %q, want %s", a.header["Set-Cookie"], want)
		}
	}
	if bytes.Contains(a.body, []byte("src=")) || bytes.Contains(a.body, []byte("http://")) || bytes.Contains(a.body, []byte("https://")) {
		t.Errorf("the page loads something: %s", a.body)
	}
}

// What comes back from a provider that nobody was sent to is nothing.
func TestAttackMICForeignCallback(t *testing.T) {
	s := startMIC(t)
	action, cookie := s.page()
	secret, back := strings.TrimPrefix(action, "/oauth/authenticate/"), "/oauth2/redirect/"+s.service
	for _, path := range []string{
		back, back + "?code=x", back + "?code=x&state=" + strings.Repeat("0", 32), back + "?again=x",
		back + "?code=x&state=" + secret, // of a page that has a form
	} {
		if a := s.do("GET", path, "", "", "Cookie", cookie); a.status != 400 || a.header["Location"] != "" {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	if a := s.form(back, "", values("SAMLResponse", "x", "RelayState", "y")); a.status != 400 {
		t.Errorf("POST: %d", a.status)
	}
}

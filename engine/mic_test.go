package engine_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/auth"
)

const (
	micRedirect = "http://localhost:9876/callback"
	micURL      = "https://postern.example"
)

// withMIC gives a server what Mobile Identity Connect needs, and a clock.
func withMIC(c *clock) func(*options) {
	return func(o *options) {
		o.config.Clock, o.config.PublicURL = c.Now, micURL
		o.config.SealKey = &auth.SealKey{7}
		o.config.ProviderNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
}

// micServer is a server whose app has a local service, and a user alice.
type micServer struct {
	*server
	service string
	alice   user
}

func startMIC(t testing.TB, more ...func(*options)) *micServer {
	c := newClock()
	s := start(t, append([]func(*options){withMIC(c)}, more...)...)
	s.clock = c
	id, err := s.e.AddLocalService(kid, "Test", []string{micRedirect, "http://127.0.0.1/cb", "myapp://cb?a=b"})
	if err != nil {
		t.Fatal(err)
	}
	return &micServer{s, id, s.signUp("alice")}
}

// form posts a form.
func (s *server) form(path, authorization string, values url.Values, headers ...string) answer {
	s.t.Helper()
	return s.do("POST", path, authorization, values.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// values makes parameters of pairs.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func (s *micServer) auth(more ...string) url.Values {
	v := values("client_id", kid, "redirect_uri", micRedirect, "response_type", "code", "scope", "openid")
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
		if more[i+1] == "" {
			v.Del(more[i])
		}
	}
	return v
}

// page opens the login page and returns where its form goes, and the cookie.
func (s *micServer) page(more ...string) (action, cookie string) {
	s.t.Helper()
	a := s.do("GET", "/v3/oauth/auth?"+s.auth(more...).Encode(), "", "")
	m := regexp.MustCompile(`action="([^"]+)"`).FindSubmatch(a.body)
	if a.status != 200 || m == nil {
		s.t.Fatalf("the page: %d %s", a.status, a.body)
	}
	cookie, _, _ = strings.Cut(a.header["Set-Cookie"], ";")
	return string(m[1]), cookie
}

// submit sends the form of the page.
func (s *micServer) submit(action, cookie, name, password string) answer {
	s.t.Helper()
	return s.form(action, "", values("username", name, "password", password), "Cookie", cookie)
}

// codeOf returns the code that a redirect carries.
func (s *micServer) codeOf(a answer) string {
	s.t.Helper()
	u, err := url.Parse(a.header["Location"])
	if a.status != 302 || err != nil || u.Query().Get("code") == "" {
		s.t.Fatalf("no code: %d %q %s", a.status, a.header["Location"], a.body)
	}
	return u.Query().Get("code")
}

// code logs alice in by the page.
func (s *micServer) code(more ...string) string {
	s.t.Helper()
	action, cookie := s.page(more...)
	return s.codeOf(s.submit(action, cookie, "alice", "alice"))
}

func (s *micServer) exchange(code string, more ...string) answer {
	s.t.Helper()
	v := values("grant_type", "authorization_code", "client_id", kid, "redirect_uri", micRedirect, "code", code)
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return s.form("/oauth/token", asApp, v)
}

// micTokens is an answer of the token endpoint.
type micTokens struct{ access, refresh string }

func (s *micServer) tokens(a answer) micTokens {
	s.t.Helper()
	v := s.want(a, 200, "").json(s.t)
	access, _ := get(v, "access_token").(string)
	refresh, _ := get(v, "refresh_token").(string)
	if !regexp.MustCompile("^[0-9a-f]{40}$").MatchString(access) || get(v, "token_type") != "Bearer" || fmt.Sprint(get(v, "expires_in")) == "" {
		s.t.Fatalf("tokens: %s", a.body)
	}
	return micTokens{access, refresh}
}

func (s *micServer) refresh(token string) answer {
	s.t.Helper()
	return s.form("/oauth/token", asApp, values("grant_type", "refresh_token", "client_id", kid, "redirect_uri", "undefined", "refresh_token", token))
}

// login exchanges an access token for a session.
func (s *micServer) login(t micTokens, headers ...string) answer {
	s.t.Helper()
	return s.do("POST", "/user/"+kid+"/login", asApp, `{"_socialIdentity":{"kinveyAuth":{"access_token":"`+t.access+`","refresh_token":"`+t.refresh+`","client_id":"`+kid+`"}}}`, headers...)
}

func (s *micServer) session(t micTokens) string {
	s.t.Helper()
	token, _ := get(s.want(s.login(t), 200, "").json(s.t), "_kmd", "authtoken").(string)
	return "Kinvey " + token
}

func (s *micServer) oauthError(a answer, status int, code string) {
	s.t.Helper()
	if a.status != status || get(a.json(s.t), "error") != code || get(a.json(s.t), "error_description") == "" {
		s.t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
}

// "a page, at the end 302 to redirect_uri?code=", tokens, a session of the very
// user; expired, refreshed, logged out: all of it under a clock that is moved.
func TestMICLifeCycle(t *testing.T) {
	s := startMIC(t)
	me := "/user/" + kid + "/_me"
	action, cookie := s.page("state", "a b&c")
	a := s.submit(action, cookie, "alice", "alice")
	to, _ := url.Parse(a.header["Location"])
	if to.Query().Get("state") != "a b&c" || to.Query().Get("iss") != micURL {
		t.Errorf("sent back to %s", a.header["Location"])
	}
	tokens := s.tokens(s.exchange(s.codeOf(a)))
	session := s.session(tokens)
	if id := get(s.want(s.do("GET", me, session, ""), 200, "").json(t), "_id"); id != s.alice.id {
		t.Errorf("the session is of %v", id)
	}
	// "grant expired means 401 InvalidCredentials, refresh repairs it".
	s.clock.Add(time.Hour - time.Second)
	s.want(s.do("GET", me, session, ""), 200, "")
	s.clock.Add(time.Second)
	s.want(s.do("GET", me, session, ""), 401, "InvalidCredentials")
	s.want(s.login(tokens), 401, "InvalidCredentials")
	s.want(s.do("GET", me, s.alice.session(), ""), 200, "") // her own session is another matter
	fresh := s.tokens(s.refresh(tokens.refresh))
	s.want(s.do("GET", me, session, ""), 200, "")
	again := s.session(fresh)
	s.want(s.do("GET", me, again, ""), 200, "")
	// The app's logout leaves the MIC session alive.
	s.want(s.do("POST", "/user/"+kid+"/_logout", again, ""), 204, "")
	s.want(s.do("GET", me, again, ""), 401, "InvalidCredentials")
	fresh = s.tokens(s.refresh(fresh.refresh))
	again = s.session(fresh)
	// Revocation ends it, whichever token is shown, and the sessions with it.
	a = s.form("/oauth/revoke", asApp, values("token", fresh.refresh, "client_id", kid))
	s.want(a, 200, "")
	s.want(s.do("GET", me, again, ""), 401, "InvalidCredentials")
	s.oauthError(s.refresh(fresh.refresh), 400, "invalid_grant")
	s.want(s.form("/oauth/revoke", asApp, values("token", fresh.refresh, "client_id", kid)), 200, "")
}

// A refresh token lives as long as its service says.
func TestMICRefreshTokenExpires(t *testing.T) {
	s := startMIC(t)
	tokens := s.tokens(s.exchange(s.code()))
	s.clock.Add(14*24*time.Hour - time.Millisecond)
	tokens = s.tokens(s.refresh(tokens.refresh))
	s.clock.Add(14 * 24 * time.Hour)
	s.oauthError(s.refresh(tokens.refresh), 400, "invalid_grant")
}

// The temporary login URI and the password grant, as old SDKs use them, under
// every form of the path and the client id.
func TestMICThroughTheApp(t *testing.T) {
	s := startMIC(t)
	for _, prefix := range []string{"", "/v1", "/v2", "/v3", "/V3", "/v12"} {
		for _, client := range []string{kid, kid + "." + s.service} {
			for _, asJSON := range []bool{false, true} {
				begin := s.auth("client_id", client)
				var a answer
				if asJSON {
					a = s.do("POST", prefix+"/oauth/auth", asApp, fmt.Sprintf(`{"client_id":%q,"redirect_uri":%q,"response_type":"code"}`, client, micRedirect))
				} else {
					a = s.form(prefix+"/oauth/auth?scope=openid", basic(client, appSecret), begin)
				}
				uri, _ := get(s.want(a, 200, "").json(t), "temp_login_uri").(string)
				path, ok := strings.CutPrefix(uri, micURL)
				if !ok || !regexp.MustCompile("^/oauth/authenticate/[0-9a-f]{32}$").MatchString(path) {
					t.Fatalf("temporary URI %q", uri)
				}
				begin.Set("username", "alice")
				begin.Set("password", "alice")
				code := s.codeOf(s.form(path, basic(client, appSecret), begin))
				v := values("grant_type", "authorization_code", "client_id", client, "redirect_uri", micRedirect, "code", code)
				tokens := s.tokens(s.form(prefix+"/oauth/token", basic(client, appSecret), v))
				s.session(tokens)
				if a := s.form(path, "", begin); a.status < 400 {
					t.Errorf("a temporary URI is good twice: %d", a.status)
				}
			}
		}
	}
	v := values("grant_type", "password", "client_id", kid, "username", "alice", "password", "alice")
	s.session(s.tokens(s.form("/oauth/token", asApp, v)))
	v.Set("password", "wrong")
	s.oauthError(s.form("/oauth/token", asApp, v), 401, "access_denied")
	v.Set("password", "")
	s.oauthError(s.form("/oauth/token", asApp, v), 401, "access_denied")
}

// What a local service must not do once it is set up with care: no password
// through the app, PKCE demanded, no refresh.
func TestMICServiceOptions(t *testing.T) {
	s := startMIC(t)
	operator := s.operator()
	path := "/v4/auth-services/" + s.service
	set := func(change func(m map[string]any)) {
		t.Helper()
		m := s.want(s.do("GET", path, operator, ""), 200, "").json(t).(map[string]any)
		change(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		s.want(s.do("PUT", path, operator, string(b)), 200, "")
	}
	set(func(m map[string]any) {
		m["allowPasswordGrant"], m["allowTemporaryUri"], m["requirePkce"] = false, false, true
	})
	s.oauthError(s.form("/oauth/token", asApp, values("grant_type", "password", "client_id", kid, "username", "alice", "password", "alice")), 400, "unauthorized_client")
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	pkce := []string{"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256"}
	s.oauthError(s.form("/oauth/auth", asApp, s.auth(pkce...)), 400, "unauthorized_client")
	a := s.do("GET", "/oauth/auth?"+s.auth().Encode(), "", "")
	if to, _ := url.Parse(a.header["Location"]); a.status != 302 || to.Query().Get("error") != "invalid_request" || to.Query().Get("iss") != micURL {
		t.Errorf("without a challenge: %d %s", a.status, a.header["Location"])
	}
	s.tokens(s.exchange(s.code(pkce...), "code_verifier", verifier))
	set(func(m map[string]any) { m["refresh"] = false })
	if tokens := s.tokens(s.exchange(s.code(pkce...), "code_verifier", verifier)); tokens.refresh != "null" {
		t.Errorf("refresh token %q, want the word null", tokens.refresh)
	}
	set(func(m map[string]any) { m["refresh"], m["endMicOnLogout"] = true, true })
	tokens := s.tokens(s.exchange(s.code(pkce...), "code_verifier", verifier))
	s.want(s.do("POST", "/user/"+kid+"/_logout", s.session(tokens), ""), 204, "")
	s.oauthError(s.refresh(tokens.refresh), 400, "invalid_grant")
	// A service that is gone takes its grants along.
	tokens = s.tokens(s.exchange(s.code(pkce...), "code_verifier", verifier))
	s.want(s.do("DELETE", path, operator, ""), 204, "")
	s.oauthError(s.refresh(tokens.refresh), 401, "invalid_client")
	s.want(s.login(tokens), 401, "InvalidCredentials")
}

// A password that is right is not always a login. The page and the app are told why
// not, in words.
func TestMICRightPasswordWithoutLogin(t *testing.T) {
	for _, c := range []struct {
		name, path, body string
		status           int
		says             string
	}{
		{"locked down", "POST /rpc/" + kid + "/lockdown-user", `{"userId":"USER","setLockdownStateTo":true}`, 401, "This user has been locked down."},
		{"not confirmed", "PUT /v4/environments/" + kid, `{"emailVerification":{"required":true}}`, 403, "must be confirmed before he can log in."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startMIC(t)
			method, path, _ := strings.Cut(c.path, " ")
			authorization := asMaster
			if method == "PUT" {
				authorization = s.operator()
			}
			if a := s.do(method, path, authorization, strings.ReplaceAll(c.body, "USER", s.alice.id)); a.status >= 300 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			action, cookie := s.page()
			a := s.submit(action, cookie, "alice", "alice")
			if a.status != c.status || !strings.Contains(string(a.body), `<p role="alert">`) || !strings.Contains(string(a.body), c.says) {
				t.Errorf("the page: %d %s", a.status, a.body)
			}
			a = s.form("/oauth/token", asApp, values("grant_type", "password", "client_id", kid, "username", "alice", "password", "alice"))
			s.oauthError(a, c.status, "access_denied")
			if !strings.Contains(string(a.body), c.says) {
				t.Errorf("the app: %s", a.body)
			}
		})
	}
}

//go:build e2e

package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/auth/mic"
	"postern/auth/mic/oidc"
)

// checks counts what was compared with what was expected.
var checks atomic.Int64

func check(t *testing.T, good bool, format string, args ...any) {
	t.Helper()
	checks.Add(1)
	if !good {
		t.Errorf(format, args...)
	}
}

// login goes the whole way of somebody who is not logged in at the provider.
func (s *server) login(p *oidc.Provider, name, password string) (*mic.Account, error) {
	s.t.Helper()
	b := newBrowser(s.t)
	to, begun, err := p.Begin(s.t.Context(), "state-1")
	if err != nil {
		return nil, err
	}
	b.open(to)
	b.log(name, password)
	b.submit("do", "allow")
	check(s.t, b.back.Get("state") == "state-1" && b.back.Get("code") != "", "brought back: %v", b.back)
	return p.Finish(s.t.Context(), begun, b.back)
}

func (s *server) mustLogin(p *oidc.Provider, name, password string) *mic.Account {
	s.t.Helper()
	a, err := s.login(p, name, password)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *server) wantAccount(a *mic.Account, err error, subject string, groups ...string) {
	s.t.Helper()
	checks.Add(1)
	if err != nil {
		s.t.Errorf("%s: %v", subject, err)
		return
	}
	name := map[string]string{"alice": "Alice", "bob": "Bob", "carol": "Carol Æ."}[subject]
	want := map[string][]string{"email": {subject + "@example.com"}, "name": {name}, "email_verified": {"true"}}
	if a.Subject != subject || !slices.Equal(a.Groups, groups) || !reflect.DeepEqual(a.Attributes, want) {
		s.t.Errorf("%+v; want %s, %q, %v", a, subject, groups, want)
	}
}

func wantError(t *testing.T, what string, a *mic.Account, err, want error) {
	t.Helper()
	check(t, a == nil && errors.Is(err, want), "%s: %+v, %v; want %v", what, a, err, want)
}

func TestRealProvider(t *testing.T) {
	began := time.Now()
	t.Cleanup(func() {
		t.Logf("figure: OpenID Connect: %d checks against oidc-provider 9.13.3 in %v", checks.Load(), time.Since(began).Round(time.Millisecond))
	})
	for _, claims := range []string{"token", "info"} {
		t.Run("claims in the "+claims, func(t *testing.T) {
			s := start(t, "CLAIMS="+claims)
			info := func(c *oidc.Config) { c.UserInfo = claims == "info" }
			for _, part := range []struct {
				name string
				test func(*testing.T, *server, change)
			}{
				{"login", testLogin}, {"answers", testAnswers}, {"afterwards", testAfterwards},
				{"single sign-on and logout", testSession}, {"new keys", testRotation}, {"down and back", testDown},
			} {
				t.Run(part.name, func(t *testing.T) {
					s.t = t
					part.test(t, s, info)
				})
			}
		})
	}
	t.Run("plain OAuth 2.0", func(t *testing.T) { testPlain(t, start(t)) })
}

type change = func(*oidc.Config)

// Each way to show who the client is, each signature, and both claims of groups.
func testLogin(t *testing.T, s *server, info change) {
	for _, c := range []change{
		func(*oidc.Config) {},
		func(c *oidc.Config) {
			c.ClientID, c.ClientSecret, c.AuthMethod = "post", "another", "client_secret_post"
		},
		func(c *oidc.Config) { c.ClientID, c.ClientSecret = "public", "" },
		func(c *oidc.Config) { c.ClientID, c.ClientSecret = "edwards", "" },
		func(c *oidc.Config) { c.GroupsClaim = "realm_access.roles" },
	} {
		p := s.provider(info, c)
		a, err := s.login(p, "alice", "wonderland")
		s.wantAccount(a, err, "alice", "admins", "staff")
		if err != nil {
			continue
		}
		check(t, a.Kept != nil, "no refresh token is kept")
		a, err = p.Ask(t.Context(), a.Kept)
		s.wantAccount(a, err, "alice", "admins", "staff")
	}
	a, err := s.login(s.provider(info), "carol", "christmas")
	s.wantAccount(a, err, "carol")
	// Without offline access there is nothing to ask again with.
	a, err = s.login(s.provider(info, func(c *oidc.Config) { c.Scopes = []string{"profile", "email", "groups"} }), "bob", "builder")
	s.wantAccount(a, err, "bob", "staff")
	check(t, a != nil && a.Kept == nil, "kept without a refresh token: %+v", a)

	a, err = s.login(s.provider(info, func(c *oidc.Config) { c.ClientSecret = "wrong" }), "bob", "builder")
	wantError(t, "wrong secret", a, err, mic.ErrUnavailable)
	// An algorithm that the client is not configured for.
	a, err = s.login(s.provider(info, func(c *oidc.Config) { c.Algorithms = []string{"ES256"} }), "bob", "builder")
	wantError(t, "RS256 where ES256 is wanted", a, err, mic.ErrRefused)
	// The provider has no levels of authentication.
	a, err = s.login(s.provider(info, func(c *oidc.Config) { c.ACRValues = []string{"urn:mfa"} }), "bob", "builder")
	wantError(t, "level not reached", a, err, mic.ErrRefused)
	for _, issuer := range []string{s.issuer + "/", strings.Replace(s.issuer, "127.0.0.1", "localhost", 1)} {
		_, _, err := s.provider(info, func(c *oidc.Config) { c.Issuer = issuer }).Begin(t.Context(), "s")
		check(t, errors.Is(err, mic.ErrUnavailable), "%s: %v", issuer, err)
	}
}

// Ways that do not lead in.
func testAnswers(t *testing.T, s *server, info change) {
	p := s.provider(info)
	begin := func() (*browser, string, []byte) {
		t.Helper()
		to, begun, err := p.Begin(t.Context(), "state-1")
		if err != nil {
			t.Fatal(err)
		}
		return newBrowser(t), to, begun
	}
	b, to, begun := begin()
	b.open(to)
	b.log("alice", "builder")
	check(t, b.back == nil && strings.Contains(b.page, "Wrong name or password"), "wrong password: %v, %s", b.back, b.page)
	b.log("mallory", "x")
	check(t, b.back == nil && strings.Contains(b.page, "Wrong name or password"), "unknown user: %v, %s", b.back, b.page)
	s.tell("disable bob")
	b.log("bob", "builder")
	check(t, b.back == nil && strings.Contains(b.page, "disabled"), "disabled user: %v, %s", b.back, b.page)
	s.tell("enable bob")
	b.submit("do", "deny")
	a, err := p.Finish(t.Context(), begun, b.back)
	wantError(t, "denied", a, err, mic.ErrRefused)
	check(t, err != nil && strings.Contains(err.Error(), "access_denied: End-User aborted interaction"), "%v", err)

	// Disabled between the login there and the exchange here.
	b, to, begun = begin()
	b.open(to)
	b.log("bob", "builder")
	b.submit("do", "allow")
	s.tell("disable bob")
	a, err = p.Finish(t.Context(), begun, b.back)
	wantError(t, "disabled in the middle", a, err, mic.ErrRefused)
	s.tell("enable bob")

	// A code works once, and only with the verifier of its login.
	b, to, _ = begin()
	b.open(to)
	b.log("alice", "wonderland")
	b.submit("do", "allow")
	_, _, another := begin()
	a, err = p.Finish(t.Context(), another, b.back)
	wantError(t, "a code of another login", a, err, mic.ErrRefused)
	b, to, begun = begin()
	b.open(to)
	b.log("alice", "wonderland")
	b.submit("do", "allow")
	a, err = p.Finish(t.Context(), begun, b.back)
	s.wantAccount(a, err, "alice", "admins", "staff")
	a, err = p.Finish(t.Context(), begun, b.back)
	wantError(t, "a code again", a, err, mic.ErrRefused)

	// The provider names itself in its answers, and so must this one.
	b, to, begun = begin()
	b.open(to)
	b.log("alice", "wonderland")
	b.submit("do", "allow")
	check(t, b.back.Get("iss") == s.issuer, "iss is %q", b.back.Get("iss"))
	for _, iss := range []string{"", "https://other.example"} {
		back := url.Values{"code": b.back["code"], "state": b.back["state"]}
		if iss != "" {
			back.Set("iss", iss)
		}
		a, err = p.Finish(t.Context(), begun, back)
		wantError(t, "an answer of "+iss, a, err, mic.ErrRefused)
	}

	// It wants PKCE, with S256.
	for _, without := range []string{"code_challenge", "code_challenge_method"} {
		b, to, begun = begin()
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Del(without)
		u.RawQuery = q.Encode()
		b.open(u.String())
		a, err := p.Finish(t.Context(), begun, b.back)
		wantError(t, "without "+without, a, err, mic.ErrRefused)
		check(t, b.back.Get("error") == "invalid_request", "without %s: %v", without, b.back)
	}
}

// refreshToken is what the kept of an account holds.
func refreshToken(t *testing.T, a *mic.Account) string {
	t.Helper()
	var kept struct{ Refresh string }
	if err := json.Unmarshal(a.Kept, &kept); err != nil || kept.Refresh == "" {
		t.Fatalf("%s: %v", a.Kept, err)
	}
	return kept.Refresh
}

func testAfterwards(t *testing.T, s *server, info change) {
	p := s.provider(info)
	a := s.mustLogin(p, "bob", "builder")
	first := a
	// Groups change, and the refresh token does every time.
	for _, groups := range []string{"staff,builders", "", "x"} {
		s.tell("groups bob %s", groups)
		old := refreshToken(t, a)
		again, err := p.Ask(t.Context(), a.Kept)
		if groups == "" {
			s.wantAccount(again, err, "bob")
		} else {
			list := strings.Split(groups, ",")
			slices.Sort(list)
			s.wantAccount(again, err, "bob", list...)
		}
		if err != nil {
			t.Fatal(err)
		}
		check(t, refreshToken(t, again) != old, "the refresh token was not replaced")
		a = again
	}
	s.tell("groups bob staff")
	// Disabled, he is gone; enabled, he is back if he has not been asked about.
	s.tell("disable bob")
	gone, err := p.Ask(t.Context(), a.Kept)
	wantError(t, "disabled", gone, err, mic.ErrGone)
	s.tell("enable bob")
	again, err := p.Ask(t.Context(), a.Kept)
	s.wantAccount(again, err, "bob", "staff")
	// A refresh token shown again ends all of its family.
	gone, err = p.Ask(t.Context(), first.Kept)
	wantError(t, "the first refresh token again", gone, err, mic.ErrGone)
	if again != nil {
		gone, err = p.Ask(t.Context(), again.Kept)
		wantError(t, "the newest refresh token after that", gone, err, mic.ErrGone)
	}
	// Revoked at the provider.
	a = s.mustLogin(p, "bob", "builder")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.issuer+"/token/revocation",
		strings.NewReader(url.Values{"token": {refreshToken(t, a)}, "token_type_hint": {"refresh_token"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape("basic"), url.QueryEscape("a secret: of 100% & more"))
	res, err := client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	check(t, res.StatusCode == http.StatusOK, "revocation: %s", res.Status)
	gone, err = p.Ask(t.Context(), a.Kept)
	wantError(t, "revoked", gone, err, mic.ErrGone)
	// A refresh token of one client is not another's.
	a = s.mustLogin(p, "bob", "builder")
	gone, err = s.provider(info, func(c *oidc.Config) { c.ClientID, c.ClientSecret = "public", "" }).Ask(t.Context(), a.Kept)
	wantError(t, "by another client", gone, err, mic.ErrGone)
}

// Somebody logged in there is not asked for his password again, until he logs out.
func testSession(t *testing.T, s *server, info change) {
	p := s.provider(info)
	b := newBrowser(t)
	for _, step := range []string{"first", "again", "after logout"} {
		to, begun, err := p.Begin(t.Context(), "state-1")
		if err != nil {
			t.Fatal(err)
		}
		b.open(to)
		asked := strings.Contains(b.page, `name="password"`)
		check(t, asked == (step != "again"), "%s: asked for the password: %t", step, asked)
		if asked {
			b.log("alice", "wonderland")
		}
		b.submit("do", "allow")
		a, err := p.Finish(t.Context(), begun, b.back)
		s.wantAccount(a, err, "alice", "admins", "staff")
		if step == "again" {
			b.open(s.issuer + "/session/end")
			b.submit("logout", "yes")
			check(t, strings.Contains(b.page, "Sign-out Success"), "logout: %s", b.page)
			// Offline access is offline: it outlives the session.
			a, err = p.Ask(t.Context(), a.Kept)
			s.wantAccount(a, err, "alice", "admins", "staff")
		}
	}
}

func testRotation(t *testing.T, s *server, info change) {
	p := s.provider(info)
	a := s.mustLogin(p, "alice", "wonderland")
	for range 2 {
		s.tell("rotate")
		s.ahead.Add(int64(6 * time.Second)) // keys were read in this very moment
		again, err := p.Ask(t.Context(), a.Kept)
		s.wantAccount(again, err, "alice", "admins", "staff")
		if err != nil {
			t.Fatal(err)
		}
		a = again
	}
	again, err := s.login(p, "bob", "builder")
	s.wantAccount(again, err, "bob", "staff")
}

func testDown(t *testing.T, s *server, info change) {
	p, unread := s.provider(info), s.provider(info)
	a := s.mustLogin(p, "alice", "wonderland")
	b := newBrowser(t)
	to, begun, err := p.Begin(t.Context(), "state-1")
	if err != nil {
		t.Fatal(err)
	}
	b.open(to)
	b.log("alice", "wonderland")
	b.submit("do", "allow")

	s.tell("down")
	none, err := p.Ask(t.Context(), a.Kept)
	wantError(t, "refresh while it is down", none, err, mic.ErrUnavailable)
	none, err = p.Finish(t.Context(), begun, b.back)
	wantError(t, "login while it is down", none, err, mic.ErrUnavailable)
	var step string
	ctx := mic.Trace(t.Context(), func(s string, err error) {
		if err != nil {
			step = s
		}
	})
	_, _, err = unread.Begin(ctx, "s")
	check(t, errors.Is(err, mic.ErrUnavailable) && step == "read the discovery document of "+s.issuer, "%q, %v", step, err)
	ended, end := context.WithCancel(t.Context())
	end()
	_, _, err = unread.Begin(ended, "s")
	check(t, errors.Is(err, mic.ErrUnavailable), "begun by nobody: %v", err)

	s.tell("up")
	// What failed before works now.
	again, err := p.Ask(t.Context(), a.Kept)
	s.wantAccount(again, err, "alice", "admins", "staff")
	again, err = p.Finish(t.Context(), begun, b.back)
	s.wantAccount(again, err, "alice", "admins", "staff")
	s.ahead.Add(int64(4 * time.Second)) // the failure was remembered
	again, err = s.login(unread, "alice", "wonderland")
	s.wantAccount(again, err, "alice", "admins", "staff")
}

func testPlain(t *testing.T, s *server) {
	p := s.provider(func(c *oidc.Config) {
		c.Issuer = ""
		c.GrantEndpoint, c.TokenEndpoint, c.UserIDEndpoint, c.UserIDAttribute = s.issuer+"/auth", s.issuer+"/token", s.issuer+"/me", "sub"
		c.Scopes = append([]string{"openid"}, c.Scopes...)
	})
	a, err := s.login(p, "bob", "builder")
	s.wantAccount(a, err, "bob", "staff")
	if err != nil {
		t.Fatal(err)
	}
	s.tell("groups bob a,b")
	a, err = p.Ask(t.Context(), a.Kept)
	s.wantAccount(a, err, "bob", "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	s.tell("disable bob")
	gone, err := p.Ask(t.Context(), a.Kept)
	wantError(t, "disabled", gone, err, mic.ErrGone)
	s.tell("down")
	gone, err = p.Ask(t.Context(), a.Kept)
	wantError(t, "down", gone, err, mic.ErrUnavailable)
	s.tell("up")
}

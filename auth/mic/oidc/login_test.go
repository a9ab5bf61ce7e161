package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/auth/mic"
)

func TestLogin(t *testing.T) {
	r := newRogue(t)
	p := r.provider()
	a, err := r.login(p)
	if err != nil {
		t.Fatal(err)
	}
	if a.Subject != "u-1" || !slices.Equal(a.Groups, []string{"admins", "staff"}) ||
		!reflect.DeepEqual(a.Attributes, map[string][]string{"email": {"alice@example.com"}, "name": {"Alice"}}) {
		t.Errorf("%+v", a)
	}
	if a.Kept == nil {
		t.Fatal("a refresh token was given, but none is kept")
	}
	again, err := p.Ask(t.Context(), a.Kept)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(again.Kept, a.Kept) {
		t.Error("the new refresh token is not in Kept")
	}
	kept := again.Kept
	a.Kept, again.Kept = nil, nil
	if !reflect.DeepEqual(a, again) {
		t.Errorf("asked again: %+v, want %+v", again, a)
	}
	if _, err := p.Ask(t.Context(), kept); err != nil {
		t.Errorf("asked with what the last answer gave: %v", err)
	}
}

// What the browser is sent away with.
func TestBegin(t *testing.T) {
	r := newRogue(t)
	p := r.provider(func(c *Config) { c.Prompt, c.ACRValues = " login  consent ", []string{"mfa", "hwk"} })
	seen := map[string]bool{}
	for range 3 {
		to, raw, err := p.Begin(t.Context(), "the state")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		for name, want := range map[string]string{
			"response_type": "code", "client_id": clientID, "redirect_uri": callback, "state": "the state",
			"scope": "openid profile offline_access", "code_challenge_method": "S256", "prompt": "login consent", "acr_values": "mfa hwk",
		} {
			if got := q[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		var b begun
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		if q.Get("nonce") != b.Nonce || len(b.Nonce) != 43 || len(b.Verifier) != 43 || strings.Contains(to, b.Verifier) {
			t.Errorf("begun %s, sent to %s", raw, to)
		}
		for _, random := range []string{b.Nonce, b.Verifier, q.Get("code_challenge")} {
			if seen[random] {
				t.Errorf("%s was used twice", random)
			}
			seen[random] = true
		}
	}
}

func TestNoRandomBytes(t *testing.T) {
	r := newRogue(t)
	p := r.provider(func(c *Config) { c.Rand = bytes.NewReader(make([]byte, 40)) })
	if _, _, err := p.Begin(t.Context(), "s"); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("begun with half of the random bytes: %v", err)
	}
}

func TestAlgorithms(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		r := newRogue(t)
		r.use(alg)
		if _, err := r.login(r.provider()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	r := newRogue(t)
	r.use("RS512")
	if _, err := r.login(r.provider(func(c *Config) { c.Algorithms = []string{"RS512"} })); err != nil {
		t.Errorf("RS512, configured: %v", err)
	}
}

func TestClientAuthentication(t *testing.T) {
	for _, c := range []struct{ method, secret, basic, form string }{
		{"", clientSecret, clientSecret, ""}, {authBasic, clientSecret, clientSecret, ""},
		{authPost, clientSecret, "", clientSecret}, {"", "", "", ""}, {authNone, "", "", ""},
	} {
		r := newRogue(t)
		var basic, form, id string
		r.handle["/token"] = func(w http.ResponseWriter, q *http.Request) {
			_, basic, _ = q.BasicAuth()
			form, id = q.PostFormValue("client_secret"), q.PostFormValue("client_id")
			send(w, 400, object{"error": "invalid_grant"})
		}
		_, err := r.login(r.provider(func(cfg *Config) { cfg.AuthMethod, cfg.ClientSecret = c.method, c.secret }))
		basic, _ = url.QueryUnescape(basic)
		if !errors.Is(err, mic.ErrRefused) || basic != c.basic || form != c.form || c.basic == "" && id != clientID {
			t.Errorf("%+v: basic %q, form %q, id %q, %v", c, basic, form, id, err)
		}
	}
}

// Times are kept to the second, with the leeway that is configured.
func TestTimes(t *testing.T) {
	check := func(leeway int, claim string, after time.Duration, good bool) {
		t.Helper()
		r := newRogue(t)
		at := r.clock.now()
		r.claims = func(c object) {
			c["exp"] = at.Add(time.Hour).Unix()
			c[claim] = at.Add(after).Unix()
		}
		_, err := r.login(r.provider(func(c *Config) { c.Leeway = leeway }))
		if good != (err == nil) || !good && !errors.Is(err, mic.ErrRefused) {
			t.Errorf("leeway %d: %s after %v: %v", leeway, claim, after, err)
		}
	}
	for given, leeway := range map[int]time.Duration{0: 60 * time.Second, 5: 5 * time.Second, 300: 300 * time.Second} {
		check(given, "exp", -leeway+time.Second, true)
		check(given, "exp", -leeway, false)
		check(given, "iat", leeway, true)
		check(given, "iat", leeway+time.Second, false)
		check(given, "nbf", leeway, true)
		check(given, "nbf", leeway+time.Second, false)
	}
}

// Discovery documents and keys are read once an hour, and a failure is remembered
// for a moment.
func TestCaching(t *testing.T) {
	const document, keys = "/.well-known/openid-configuration", "/keys"
	r := newRogue(t)
	p := r.provider()
	check := func(what string, documents, keySets int) {
		t.Helper()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.requests[document] != documents || r.requests[keys] != keySets {
			t.Errorf("%s: the document was read %d times, the keys %d; want %d, %d", what, r.requests[document], r.requests[keys], documents, keySets)
		}
	}
	login := func() {
		t.Helper()
		if _, err := r.login(p); err != nil {
			t.Error(err)
		}
	}
	login()
	login()
	check("two logins", 1, 1)
	r.clock.pass(time.Hour - time.Second)
	login()
	check("just before the hour", 1, 1)
	r.clock.pass(time.Second)
	login()
	check("after an hour", 2, 2)
	r.clock.pass(-time.Minute)
	login()
	check("after the clock was set back", 3, 3)
	r.clock.pass(time.Minute)

	// A new key is found by its id, but keys are not read over and over.
	r.kid, r.key = "two", otherKey()
	r.set[0].KeyID, r.set[0].Key = "two", otherKey().Public()
	login()
	check("a new key", 3, 4)
	r.kid = "three"
	for range 3 {
		if _, err := r.login(p); !errors.Is(err, mic.ErrRefused) {
			t.Errorf("an unknown key: %v", err)
		}
	}
	check("unknown keys in the same moment", 3, 4)
	r.clock.pass(keepAtLeast)
	_, _ = r.login(p)
	check("an unknown key later", 3, 5)

	// Down.
	r = newRogue(t)
	p = r.provider()
	r.discovery = func(o object) { o["issuer"] = "https://elsewhere.example" }
	for range 3 {
		if _, err := r.login(p); !errors.Is(err, mic.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
	check("failures in one moment", 1, 0)
	r.mu.Lock()
	r.discovery = nil
	r.mu.Unlock()
	r.clock.pass(keepFailure)
	login()
	check("up again", 2, 1)
}

// Who comes while the document is being read waits for it; who gives up waiting
// does not end it for the others.
func TestSingleFlight(t *testing.T) {
	r := newRogue(t)
	p := r.provider()
	const n = 20
	started, release := make(chan struct{}, n+1), make(chan struct{})
	r.handle["/.well-known/openid-configuration"] = func(w http.ResponseWriter, q *http.Request) {
		started <- struct{}{}
		<-release
		send(w, 200, object{"issuer": r.URL, "authorization_endpoint": r.URL + "/auth", "token_endpoint": r.URL + "/token", "jwks_uri": r.URL + "/keys"})
	}
	impatient, giveUp := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, _, err := p.Begin(impatient, "s")
		first <- err
	}()
	<-started
	giveUp()
	if err := <-first; !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("who gave up: %v", err)
	}
	all := make(chan error, n)
	for range n {
		go func() {
			_, _, err := p.Begin(t.Context(), "s")
			all <- err
		}()
	}
	close(release)
	for range n {
		if err := <-all; err != nil {
			t.Error(err)
		}
	}
	if r.requests["/.well-known/openid-configuration"] != 1 {
		t.Errorf("the document was read %d times", r.requests["/.well-known/openid-configuration"])
	}
}

func TestUserInfo(t *testing.T) {
	withInfo := func(c *Config) { c.UserInfo = true }
	r := newRogue(t)
	p := r.provider(withInfo)
	a, err := r.login(p)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"email": {"alice@example.com"}, "name": {"Alice A."}}
	if !slices.Equal(a.Groups, []string{"from info"}) || !reflect.DeepEqual(a.Attributes, want) {
		t.Errorf("%+v", a)
	}
	// Asked again, it is read again.
	r.info = func(o object) { o["groups"] = "now another" }
	if a, err = p.Ask(t.Context(), a.Kept); err != nil || !slices.Equal(a.Groups, []string{"now another"}) {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestSubjectClaim(t *testing.T) {
	r := newRogue(t)
	r.claims = func(c object) { c["oid"] = "o-1" }
	p := r.provider(func(c *Config) { c.SubjectClaim = "oid" })
	a, err := r.login(p)
	if err != nil || a.Subject != "o-1" {
		t.Fatalf("%+v, %v", a, err)
	}
	// Another one later is somebody else, even with the same sub.
	r.claims = func(c object) { c["oid"] = "o-2" }
	if b, err := p.Ask(t.Context(), a.Kept); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("%+v, %v", b, err)
	}
	// And another sub is, even with the same claim.
	r.claims = func(c object) { c["oid"], c["sub"] = "o-1", "u-2" }
	if a, err = r.login(p); err != nil {
		t.Fatal(err)
	}
	r.claims = func(c object) { c["oid"] = "o-1" }
	if b, err := p.Ask(t.Context(), a.Kept); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("%+v, %v", b, err)
	}
	// The signed one counts, not that of the user info.
	r = newRogue(t)
	r.claims = func(c object) { c["oid"] = "o-1" }
	r.info = func(c object) { c["oid"] = "o-9" }
	a, err = r.login(r.provider(func(c *Config) { c.SubjectClaim, c.UserInfo = "oid", true }))
	if err != nil || a.Subject != "o-1" {
		t.Errorf("%+v, %v", a, err)
	}
}

// Every step is told with its end, and neither steps nor errors have secrets.
func TestSteps(t *testing.T) {
	r := newRogue(t)
	p := r.provider(func(c *Config) { c.UserInfo = true })
	var steps, failed []string
	ctx := mic.Trace(t.Context(), func(step string, err error) {
		steps = append(steps, step)
		if err != nil {
			failed = append(failed, step+": "+err.Error())
		}
	})
	to, begun, err := p.Begin(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Finish(ctx, begun, r.answer(to))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Ask(ctx, a.Kept); err != nil {
		t.Fatal(err)
	}
	find, info := "read the discovery document of "+r.URL, "read the user info at "+r.URL+"/me"
	want := []string{
		find,
		find, "read the answer that the browser brings back", "exchange the code at " + r.URL + "/token", "check the id token", info, "read the claims",
		find, "refresh at " + r.URL + "/token", "check the id token", info, "read the claims",
	}
	if !slices.Equal(steps, want) || failed != nil {
		t.Errorf("steps %q, failed %q", steps, failed)
	}
	for _, s := range steps {
		if l := r.leak(s); l != "" {
			t.Errorf("the step %q has %q", s, l)
		}
	}
}

// An Ask that fails after the provider has replaced the refresh token can be
// repeated with what the caller has.
func TestRotationIsNotLost(t *testing.T) {
	r := newRogue(t)
	p := r.provider(func(c *Config) { c.UserInfo = true })
	a, err := r.login(p)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.info = func(o object) { o["sub"] = "somebody else" }
		if _, err := p.Ask(t.Context(), a.Kept); !errors.Is(err, mic.ErrUnavailable) {
			t.Fatalf("%v, want ErrUnavailable", err)
		}
	}
	r.info = nil
	b, err := p.Ask(t.Context(), a.Kept)
	if err != nil {
		t.Fatalf("asked again after a failure: %v", err)
	}
	// Once it has succeeded the old token is as good as stolen.
	if _, err := p.Ask(t.Context(), a.Kept); !errors.Is(err, mic.ErrGone) {
		t.Errorf("the old refresh token again: %v, want ErrGone", err)
	}
	if _, err := p.Ask(t.Context(), b.Kept); err != nil {
		t.Error(err)
	}
	var all rotated
	for i := range 3 * maxRotated {
		all.add(string(rune(i)), "x")
	}
	if len(all.newer) > maxRotated {
		t.Errorf("%d are kept", len(all.newer))
	}
}

// A caller that goes away does not lose the token that the provider has replaced.
func TestAskIsNotGivenUpHalfway(t *testing.T) {
	r := newRogue(t)
	p := r.provider()
	a, err := r.login(p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	r.tokens = func(object) { giveUp() }
	b, err := p.Ask(ctx, a.Kept)
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.tokens = nil
	if _, err := p.Ask(t.Context(), b.Kept); err != nil {
		t.Error(err)
	}
	// But one that has gone before is not begun for.
	if _, err := p.Ask(ctx, b.Kept); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
}

// What a provider's refresh does not tell stays as it was.
func TestRefreshThatTellsNothing(t *testing.T) {
	r := newRogue(t)
	p := r.provider()
	a, err := r.login(p)
	if err != nil {
		t.Fatal(err)
	}
	r.tokens = func(o object) { delete(o, "id_token"); delete(o, "refresh_token") }
	b, err := p.Ask(t.Context(), a.Kept)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%+v, want %+v", b, a)
	}
}

// Groups that are gone from the token are gone.
func TestRefreshWithoutGroups(t *testing.T) {
	r := newRogue(t)
	p := r.provider()
	a, err := r.login(p)
	if err != nil {
		t.Fatal(err)
	}
	r.claims = func(c object) { delete(c, "groups"); delete(c, "nonce"); c["email"] = "new@example.com" }
	b, err := p.Ask(t.Context(), a.Kept)
	if err != nil || b.Groups != nil || b.Attributes["email"][0] != "new@example.com" {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestNothingKeptWithoutRefreshToken(t *testing.T) {
	r := newRogue(t)
	r.tokens = func(o object) { delete(o, "refresh_token") }
	a, err := r.login(r.provider())
	if err != nil || a.Kept != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

// Many log in at once and are asked about.
func TestConcurrency(t *testing.T) {
	r := newRogue(t)
	p := r.provider()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				a, err := r.login(p)
				if err == nil {
					_, err = p.Ask(t.Context(), a.Kept)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

package mic_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/auth/mic"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// What waits is given out once, to who has the secret, in time.
func TestFlows(t *testing.T) {
	f := mic.NewFlows[string](time.Minute, 3)
	if !f.Begin(start, "a", "A", 0) || !f.Begin(start, "b", "B", 10*time.Second) || !f.Begin(start, "c", "C", time.Hour) {
		t.Fatal("not kept")
	}
	if f.Begin(start, "d", "D", 0) {
		t.Error("more wait than may")
	}
	if v, ok := f.Take(start, "x"); ok || v != "" {
		t.Errorf("a stranger gets %q", v)
	}
	if v, ok := f.Look(start, "a"); !ok || v != "A" {
		t.Errorf("look: %q, %t", v, ok)
	}
	if !f.Change(start, "a", "A2") {
		t.Error("not changed")
	}
	if v, ok := f.Take(start, "a"); !ok || v != "A2" {
		t.Errorf("take: %q, %t", v, ok)
	}
	if _, ok := f.Take(start, "a"); ok {
		t.Error("taken twice")
	}
	if f.Change(start, "a", "again") {
		t.Error("what was taken is changed")
	}
	if v, ok := f.Take(start.Add(10*time.Second), "b"); ok {
		t.Errorf("too late, and %q", v)
	}
	// An hour is longer than any of them waits.
	if _, ok := f.Look(start.Add(time.Minute), "c"); ok {
		t.Error("it waits longer than all may")
	}
	// What is over makes room.
	for i := range 3 {
		if !f.Begin(start.Add(2*time.Minute), fmt.Sprint(i), "x", 0) {
			t.Errorf("%d does not fit", i)
		}
	}
}

func TestFlowsAreTakenOnce(t *testing.T) {
	f := mic.NewFlows[int](time.Minute, 10)
	f.Begin(start, "secret", 1, 0)
	var n atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, ok := f.Take(start, "secret"); ok {
				n.Add(1)
			}
		})
	}
	wg.Wait()
	if n.Load() != 1 {
		t.Errorf("taken %d times", n.Load())
	}
}

func TestRequestFrom(t *testing.T) {
	cookie := mic.NewSecret(rand.Reader)
	r := &mic.Request{Browser: mic.CookieDigest(cookie)}
	if !r.From(cookie) {
		t.Error("the browser itself is refused")
	}
	none := &mic.Request{}
	for _, c := range []string{"", cookie[1:], cookie + "0", mic.NewSecret(rand.Reader)} {
		if r.From(c) || none.From(c) {
			t.Errorf("cookie %q is taken", c)
		}
	}
}

// RFC 7636, appendix B.
func TestChallenge(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	c, err := mic.ParseChallenge(challenge, "S256")
	if err != nil || !c.Met(verifier) {
		t.Fatalf("%v", err)
	}
	for _, v := range []string{"", verifier[:42], verifier + "x", strings.ToUpper(verifier), challenge, strings.Repeat("x", 129), verifier[:42] + "\n"} {
		if c.Met(v) {
			t.Errorf("met by %q", v)
		}
	}
	none, err := mic.ParseChallenge("", "")
	if err != nil || !none.Met("") || none.Met(verifier) {
		t.Error("a verifier without a challenge is taken")
	}
	for _, bad := range [][2]string{{challenge, ""}, {challenge, "plain"}, {challenge, "s256"}, {"", "S256"}, {challenge + "=", "S256"}, {challenge[1:], "S256"}, {challenge + "AAAA", "S256"}, {strings.Repeat("+", 43), "S256"}} {
		if _, err := mic.ParseChallenge(bad[0], bad[1]); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestTokens(t *testing.T) {
	h := mic.NewHandle(rand.Reader)
	a, b := mic.NewToken(rand.Reader, h), mic.NewToken(rand.Reader, h)
	if a == b || a.Handle() != h || b.Handle() != h || a.Digest() == b.Digest() {
		t.Errorf("%s %s", a, b)
	}
	if got, ok := mic.ParseToken(string(a)); !ok || got != a {
		t.Error("a token is not read")
	}
	for _, s := range []string{"", string(a[1:]), string(a) + "0", strings.ToUpper(strings.Repeat("ab", 20)), strings.Repeat("g", 40), strings.Repeat("é", 20)} {
		if _, ok := mic.ParseToken(s); ok {
			t.Errorf("%q is a token", s)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a token without randomness")
		}
	}()
	mic.NewToken(bytes.NewReader(nil), h)
}

func TestCheckRedirect(t *testing.T) {
	for _, uri := range []string{"https://a.example/cb", "https://a.example:8443/cb?x=1", "http://localhost:1/cb", "http://127.0.0.1/cb", "http://[::1]:5/cb", "myapp://cb", "com.example.app:/cb"} {
		if err := mic.CheckRedirect(uri); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for _, uri := range []string{
		"", "/cb", "//a.example/cb", "a.example", "http://a.example/cb", "http://localhost.a.example/", "https://", "https:///cb", "https://u:p@a.example/", "https://a.example/#f", "https://a.example/#",
		"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd", "blob:https://a", "about:blank", "https://a.example/ x", "https://a.example/\n", "https://a.example/é", "https://a.example\\@b",
		`https://a.example/"`, "https://a.example/<", "https://" + strings.Repeat("a", 2000),
	} {
		if mic.CheckRedirect(uri) == nil {
			t.Errorf("%q may be redirected to", uri)
		}
	}
}

func TestBack(t *testing.T) {
	for to, want := range map[string]string{
		"https://a.example/cb": "https://a.example/cb?code=x%26y", "https://a.example/cb?a=b": "https://a.example/cb?a=b&code=x%26y",
		"https://a.example/cb?": "https://a.example/cb?code=x%26y", "myapp://cb": "myapp://cb?code=x%26y",
	} {
		if got := mic.Back(to, url.Values{"code": {"x&y"}}); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
}

func TestTrace(t *testing.T) {
	var steps []string
	ctx := mic.Trace(context.Background(), func(step string, err error) { steps = append(steps, fmt.Sprint(step, " ", err)) })
	failed := errors.New("no")
	if mic.Step(ctx, nil, "one %d", 1) != nil || !errors.Is(mic.Step(ctx, failed, "two"), failed) || !errors.Is(mic.Step(context.Background(), failed, "three"), failed) {
		t.Error("a step changes its error")
	}
	if strings.Join(steps, ",") != "one 1 <nil>,two no" {
		t.Errorf("%q", steps)
	}
}

// FuzzRedirect: what is sent back to is registered, or is a registered URI of the
// loopback interface with another port.
func FuzzRedirect(f *testing.F) {
	registered := []string{"https://a.example/cb", "http://127.0.0.1/cb?x=1", "http://[::1]:7/cb", "myapp://cb"}
	for _, s := range append(registered, "http://127.0.0.1:80/cb?x=1", "http://127.0.0.1:@evil/cb?x=1", "http://[::1]/cb", "http://127.0.0.1:1:2/cb?x=1") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		to, ok := mic.Redirect(registered, uri)
		if !ok {
			return
		}
		if to != uri {
			t.Fatalf("%q leads to %q", uri, to)
		}
		for _, r := range registered {
			if r == to {
				return
			}
		}
		u, err := url.Parse(to)
		if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q is taken", uri)
		}
		if h := u.Hostname(); h == "127.0.0.1" && u.Path == "/cb" && u.RawQuery == "x=1" || h == "::1" && u.Path == "/cb" && u.RawQuery == "" {
			return
		}
		t.Fatalf("%q is taken", uri)
	})
}

// FuzzToken: what is read as a token is one, and a challenge is what it says.
func FuzzToken(f *testing.F) {
	f.Add(strings.Repeat("0", 40), "S256", strings.Repeat("v", 43))
	f.Fuzz(func(t *testing.T, s, method, verifier string) {
		if token, ok := mic.ParseToken(s); ok && (len(token) != 40 || strings.ToLower(s) != s || len(token.Handle()) != 16) {
			t.Fatalf("%q is a token", s)
		}
		c, err := mic.ParseChallenge(s, method)
		if err != nil || c == "" {
			return
		}
		sum := sha256.Sum256([]byte(verifier))
		if c.Met(verifier) && base64.RawURLEncoding.EncodeToString(sum[:]) != s {
			t.Fatalf("%q is met by %q", s, verifier)
		}
	})
}

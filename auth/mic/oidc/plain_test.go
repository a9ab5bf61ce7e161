package oidc

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"postern/auth/mic"
)

// plain makes the configuration of a provider without discovery and id tokens.
func plain(r *rogue) func(*Config) {
	return func(c *Config) {
		c.Issuer = ""
		c.GrantEndpoint, c.TokenEndpoint, c.UserIDEndpoint = r.URL+"/auth?tenant=1", r.URL+"/token", r.URL+"/me"
	}
}

func TestPlainOAuth2(t *testing.T) {
	r := newRogue(t)
	r.tokens = func(o object) { delete(o, "id_token") }
	p := r.provider(plain(r))
	to, begun, err := p.Begin(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("tenant") != "1" || q.Get("scope") != "profile offline_access" || q.Has("nonce") || q.Get("code_challenge_method") != "S256" {
		t.Errorf("sent to %s", to)
	}
	a, err := p.Finish(t.Context(), begun, r.answer(to))
	if err != nil {
		t.Fatal(err)
	}
	if a.Subject != "4711" || !slices.Equal(a.Groups, []string{"from info"}) || a.Attributes["name"][0] != "Alice A." {
		t.Errorf("%+v", a)
	}
	r.info = func(o object) { o["groups"] = []string{"b", "a"} }
	if a, err = p.Ask(t.Context(), a.Kept); err != nil || !slices.Equal(a.Groups, []string{"a", "b"}) {
		t.Errorf("%+v, %v", a, err)
	}
	if r.requests["/.well-known/openid-configuration"]+r.requests["/keys"] != 0 {
		t.Errorf("requests %v", r.requests)
	}
	// A subject further inside, and one that is text.
	r.info = func(o object) { o["data"] = object{"user": object{"login": "alice"}} }
	p = r.provider(plain(r), func(c *Config) { c.UserIDAttribute = "data.user.login" })
	if a, err := r.login(p); err != nil || a.Subject != "alice" {
		t.Errorf("%+v, %v", a, err)
	}
	if r.requests["/.well-known/openid-configuration"]+r.requests["/keys"] != 0 {
		t.Errorf("requests %v", r.requests)
	}
}

// A provider that answers in the form of a query, as some do that are older than
// the standard.
func TestPlainOAuth2Form(t *testing.T) {
	r := newRogue(t)
	r.access = "form token"
	r.handle["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		_, _ = w.Write([]byte("access_token=form+token&token_type=bearer"))
	}
	if a, err := r.login(r.provider(plain(r))); err != nil || a.Subject != "4711" || a.Kept != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAttacksOnPlainOAuth2(t *testing.T) {
	id := func(v any) func(*rogue) { return func(r *rogue) { r.info = func(o object) { o["id"] = v } } }
	for _, a := range []attack{
		{name: "subject missing", rogue: id(nil), says: "whose"},
		{name: "subject zero length", rogue: id(""), says: "whose"},
		{name: "subject with a fraction", rogue: id(1.5), says: "whole"},
		{name: "subject below zero", rogue: id(-1), says: "whole"},
		{name: "subject with an exponent", rogue: id(json.Number("1e3")), says: "whole"},
		{name: "subject too large a number", rogue: id(json.Number("18446744073709551616")), says: "whole"},
		{name: "subject that is an object", rogue: id(object{}), says: "whole"},
		{name: "subject that is true", rogue: id(true), says: "whole"},
		{name: "subject too long", rogue: id(strings.Repeat("x", mic.MaxSubject+1)), says: "longer"},
		{name: "not for this token", rogue: at("/me", status(401, nil))},
		{name: "forbidden", rogue: at("/me", status(403, nil)), want: mic.ErrUnavailable},
		{name: "down", rogue: at("/me", status(500, nil)), want: mic.ErrUnavailable},
		{name: "a list", rogue: at("/me", status(200, []int{1})), want: mic.ErrUnavailable},
		{name: "an id that occurs twice", rogue: at("/me", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"id":1,"id":2}`))
		}), want: mic.ErrUnavailable, says: "twice"},
		{name: "two values", rogue: at("/me", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"id":1}{"id":2}`))
		}), want: mic.ErrUnavailable},
	} {
		t.Run(a.name, func(t *testing.T) {
			r := newRogue(t)
			a.rogue(r)
			want := a.want
			if want == nil {
				want = mic.ErrRefused
			}
			account, err := r.login(r.provider(plain(r)))
			if account != nil || !errors.Is(err, want) || !strings.Contains(err.Error(), a.says) {
				t.Errorf("%+v, %v; want %v, %q", account, err, want, a.says)
			}
		})
	}
	// Another subject, or none, when asked again.
	for _, other := range []any{4712, nil} {
		r := newRogue(t)
		p := r.provider(plain(r))
		a, err := r.login(p)
		if err != nil {
			t.Fatal(err)
		}
		id(other)(r)
		if b, err := p.Ask(t.Context(), a.Kept); !errors.Is(err, mic.ErrUnavailable) {
			t.Errorf("the id is now %v: %+v, %v", other, b, err)
		}
	}
}

package oidc

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"postern/auth/mic"
)

func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{"sub":"u","groups":["a","b"],"n":1.5e3}`, `{"a":1,"a":2}`, `{"groups":{"x":[[[[1]]]]}}`, `{"sub":"\ud800"}`, `[]`, `{} {}`, "{\"a\":\"\xff\"}",
		`{"iss":"https://i.example","aud":"postern","sub":"u","exp":1000,"iat":1000,"nonce":"n"}`,
		`{"iss":"https://i.example","aud":["postern","x"],"azp":"postern","sub":"u","exp":1000.5,"iat":1e3,"nbf":0,"nonce":"n"}`,
		`{"groups":null,"_claim_names":{"groups":"s"}}`, `{"sub":12}`, `{"a":{"b":{"c":"d"}}}`, `{"exp":1e400}`, `{`, ``,
	} {
		f.Add([]byte(s), "groups")
	}
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		c, err := parseClaims(b)
		if err != nil {
			return
		}
		// What is accepted here means the same to the standard library.
		var other map[string]any
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if err := d.Decode(&other); err != nil || len(other) != len(c) {
			t.Fatalf("accepted %q: %v, %v", b, c, err)
		}
		for name := range c {
			if want, ok := other[name].(string); ok && want != c.text(name) {
				t.Fatalf("%q: %q, want %q", name, c.text(name), want)
			}
			_, _, _ = c.moment(name)
		}
		// What is believed names this issuer and this client, and is of now and of
		// this login.
		p := &Provider{c: Config{Issuer: "https://i.example", ClientID: clientID, Leeway: usualLeeway, Now: func() time.Time { return time.Unix(1000, 0) }}}
		want := &expected{nonce: "n", login: true, code: "c", access: "a"}
		if p.checkParties(c, want) == nil && p.checkTimes(c) == nil && p.checkBinding(c, "RS256", want) == nil {
			exp, _, err := c.moment("exp")
			if err != nil || !exp.After(time.Unix(1000-usualLeeway, 0)) || other["iss"] != p.c.Issuer || other["nonce"] != "n" ||
				!slices.Contains(c.audience(), clientID) {
				t.Fatalf("believed %s", b)
			}
		}
		if s, err := subject(c.find(path)); err == nil && (s == "" || len(s) > mic.MaxSubject || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)) {
			t.Fatalf("the subject %q", s)
		}
		groups, err := c.groups(path)
		if err == nil && (len(groups) > maxGroups || !slices.IsSorted(groups) || len(slices.Compact(slices.Clone(groups))) != len(groups)) {
			t.Fatalf("the groups %q", groups)
		}
		for _, g := range groups {
			if g == "" || len(g) > maxGroup || strings.ContainsFunc(g, unicode.IsControl) {
				t.Fatalf("the group %q", g)
			}
		}
		if attributes, err := c.attributes([]string{path}); err == nil && len(attributes[path]) > maxValues {
			t.Fatal(attributes)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"code=a&state=b", "code=a&code=b", "error=access_denied&error_description=no%0d%0a%1b", "code=a&iss=https%3A%2F%2Fx", "iss=&code=a", "", "code=%00", "error=server_error",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		back, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		a, err := parseAnswer(back)
		if err != nil {
			if !errors.Is(err, mic.ErrRefused) {
				t.Fatalf("%q: %v", query, err)
			}
			return
		}
		if (a.code == "") == (a.failure == "") || len(back["code"]) > 1 || len(back["iss"]) > 1 || a.code != "" && !printable(a.code, maxCode) {
			t.Fatalf("%q: %+v", query, a)
		}
		const issuer = "https://login.example"
		err = a.check(issuer, true)
		switch {
		case err == nil && (a.code == "" || back.Get("iss") != issuer):
			t.Fatalf("%q was believed", query)
		case err != nil && !errors.Is(err, mic.ErrRefused) && !errors.Is(err, mic.ErrUnavailable):
			t.Fatalf("%q: %v", query, err)
		case err != nil && (strings.ContainsFunc(err.Error(), unicode.IsControl) || utf8.RuneCountInString(err.Error()) > 3*maxText):
			t.Fatalf("%q: %q", query, err)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "a\r\nb", "\x1b[2J", "\u202eabc", "\xff\xfe", strings.Repeat("ä ", 300), " x ", "a\u2028b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxText+1 || strings.TrimSpace(got) != got {
			t.Fatalf("%q: %q", s, got)
		}
		for _, r := range got {
			if !unicode.IsGraphic(r) || r != ' ' && unicode.IsSpace(r) {
				t.Fatalf("%q: %q", s, got)
			}
		}
		if again := clean(got); again != got && !strings.HasSuffix(got, "…") {
			t.Fatalf("%q, cleaned again: %q", got, again)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(text(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "one", Use: "sig", Algorithm: "RS256"}, {Key: rsaKey()}, {Key: []byte("x")}}})))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"OKP","crv":"Ed25519","x":"AA"},{"kty":"RSA","n":"AQ","e":"Aw"},1,null,{}]}`))
	f.Add([]byte(`{"keys":null}`))
	token := sign(f, "RS256", otherKey(), `{"alg":"RS256"}`, `{}`)
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if err != nil {
			return
		}
		if len(keys) > maxKeys {
			t.Fatalf("%d keys", len(keys))
		}
		for i := range keys {
			for _, a := range allAlgorithms {
				if fits(&keys[i], a) && !keys[i].IsPublic() {
					t.Fatalf("a key that is not public signs: %s", b)
				}
			}
		}
		if _, err := verify(jws, keys, "", "RS256"); err == nil {
			t.Fatalf("verified with %s", b)
		}
	})
}

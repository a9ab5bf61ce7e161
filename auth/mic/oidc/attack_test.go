package oidc

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"postern/auth/mic"
)

// An attack is one way in which a login must not succeed.
type attack struct {
	name   string
	rogue  func(r *rogue)
	config func(c *Config)
	back   func(v url.Values)
	want   error  // mic.ErrRefused if nil
	says   string // what the error must say
}

func run(t *testing.T, attacks []attack) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			r := newRogue(t)
			c := func(*Config) {}
			if a.config != nil {
				c = a.config
			}
			p := r.provider(c)
			if a.rogue != nil {
				a.rogue(r)
			}
			var changes []func(url.Values)
			if a.back != nil {
				changes = append(changes, a.back)
			}
			account, err := r.login(p, changes...)
			want := a.want
			if want == nil {
				want = mic.ErrRefused
			}
			if account != nil || !errors.Is(err, want) {
				t.Fatalf("%+v, %v; want %v", account, err, want)
			}
			if !strings.Contains(err.Error(), a.says) {
				t.Errorf("%v; want it to say %q", err, a.says)
			}
			if l := r.leak(err.Error()); l != "" {
				t.Errorf("the error has a secret: %v", err)
			}
			if len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\r\x1b\x00\u202e") {
				t.Errorf("the error is not clean: %q", err)
			}
		})
	}
}

func claim(name string, v any) func(*rogue) {
	return func(r *rogue) { r.claims = func(c object) { c[name] = v } }
}

func without(name string) func(*rogue) {
	return func(r *rogue) { r.claims = func(c object) { delete(c, name) } }
}

// after is a claim that is a time, seconds from now.
func after(name string, seconds int64) func(*rogue) {
	return func(r *rogue) { r.claims = func(c object) { c[name] = r.clock.now().Unix() + seconds } }
}

func TestAttacksOnClaims(t *testing.T) {
	trusted := func(c *Config) { c.Audience = []string{"other"} }
	run(t, []attack{
		{name: "wrong issuer", rogue: claim("iss", "https://other.example"), says: "different provider"},
		{name: "issuer with a slash more", rogue: func(r *rogue) { r.claims = func(c object) { c["iss"] = r.URL + "/" } }},
		{name: "issuer missing", rogue: without("iss")},
		{name: "issuer under a name in another case", rogue: func(r *rogue) {
			r.claims = func(c object) { c["Iss"] = c["iss"]; delete(c, "iss") }
		}, says: "another issuer"},
		{name: "wrong audience", rogue: claim("aud", "other"), config: trusted},
		{name: "audience missing", rogue: without("aud")},
		{name: "empty audience", rogue: claim("aud", []string{})},
		{name: "audience that is a number", rogue: claim("aud", 1)},
		{name: "several audiences without azp", rogue: claim("aud", []string{clientID, "other"}), config: trusted, says: "another client"},
		{name: "several audiences, issued to the other", rogue: func(r *rogue) {
			r.claims = func(c object) { c["aud"], c["azp"] = []string{clientID, "other"}, "other" }
		}, config: trusted, says: "another client"},
		{name: "one audience, issued to another", rogue: claim("azp", "other"), says: "another client"},
		{name: "azp that is null", rogue: claim("azp", nil), says: "another client"},
		{name: "an audience that is not trusted", rogue: func(r *rogue) {
			r.claims = func(c object) { c["aud"], c["azp"] = []string{clientID, "stranger"}, clientID }
		}, config: trusted, says: `also for "stranger"`},
		{name: "expired", rogue: after("exp", -60), says: "expired"},
		{name: "expiry missing", rogue: without("exp"), says: "exp is missing"},
		{name: "expiry that is a string", rogue: claim("exp", "tomorrow")},
		{name: "expiry beyond all time", rogue: claim("exp", 1e300), says: "exp is not a time"},
		{name: "expiry before all time", rogue: claim("exp", -1), says: "exp is not a time"},
		{name: "issued in the future", rogue: after("iat", 61), says: "iat is in the future"},
		{name: "issued nobody knows when", rogue: without("iat"), says: "iat is missing"},
		{name: "not valid before a time in the future", rogue: after("nbf", 61), says: "nbf is in the future"},
		{name: "nonce missing", rogue: without("nonce"), says: "another login"},
		{name: "nonce empty", rogue: claim("nonce", ""), says: "another login"},
		{name: "nonce of another login", rogue: claim("nonce", strings.Repeat("A", 43)), says: "another login"},
		{name: "at_hash of another access token", rogue: claim("at_hash", leftHash("RS256", "another")), says: "at_hash"},
		{name: "at_hash empty", rogue: claim("at_hash", ""), says: "at_hash"},
		{name: "at_hash null", rogue: claim("at_hash", nil), says: "at_hash"},
		{name: "c_hash of another code", rogue: claim("c_hash", leftHash("RS256", "another")), says: "c_hash"},
		{name: "c_hash that is a number", rogue: claim("c_hash", 1), says: "c_hash"},
		{name: "level of authentication missing", config: func(c *Config) { c.ACRValues = []string{"mfa"} }, says: "acr"},
		{name: "level of authentication too low", rogue: claim("acr", "pwd"), config: func(c *Config) { c.ACRValues = []string{"mfa", "hwk"} }, says: "acr"},
		{name: "subject missing", rogue: without("sub"), says: "whose"},
		{name: "subject empty", rogue: claim("sub", ""), says: "whose"},
		{name: "subject too long", rogue: claim("sub", strings.Repeat("x", mic.MaxSubject+1)), says: "longer than"},
		{name: "subject with a line break", rogue: claim("sub", "u\n1"), says: "not allowed"},
		{name: "subject that is a number", rogue: claim("sub", 1)},
		{name: "subject claim missing", config: func(c *Config) { c.SubjectClaim = "oid" }, says: "oid"},
		{name: "subject claim that is a list", rogue: claim("oid", []string{"a"}), config: func(c *Config) { c.SubjectClaim = "oid" }, says: "oid"},
		{name: "groups that are a number", rogue: claim("groups", 5), want: mic.ErrUnavailable, says: "groups"},
		{name: "groups that are an object", rogue: claim("groups", object{"admins": true}), want: mic.ErrUnavailable, says: "groups"},
		{name: "groups that are numbers", rogue: claim("groups", []int{1}), want: mic.ErrUnavailable, says: "groups"},
		{name: "too many groups", rogue: claim("groups", make([]string, maxGroups+1)), want: mic.ErrUnavailable, says: "more than"},
		{name: "group with too long a name", rogue: claim("groups", strings.Repeat("x", maxGroup+1)), want: mic.ErrUnavailable, says: "longer than"},
		{name: "group with a control character", rogue: claim("groups", "a\u0000b"), want: mic.ErrUnavailable},
		{name: "groups that are elsewhere", rogue: func(r *rogue) {
			r.claims = func(c object) {
				delete(c, "groups")
				c["_claim_names"], c["_claim_sources"] = object{"groups": "s"}, object{"s": object{"endpoint": r.URL + "/groups"}}
			}
		}, want: mic.ErrUnavailable, says: "pointed to"},
		{name: "attribute with too many values", rogue: claim("email", make([]string, maxValues+1)), want: mic.ErrUnavailable, says: "email"},
		{name: "attribute that is too long", rogue: claim("email", strings.Repeat("x", maxValueBytes+1)), want: mic.ErrUnavailable, says: "email"},
		{name: "claims nested too deeply", rogue: claim("x", deep(maxDepth+1)), says: "deeply"},
	})
}

func deep(n int) any {
	if n == 0 {
		return 1
	}
	return []any{deep(n - 1)}
}

// raw has the provider send a token of a test's own making.
func raw(make func(r *rogue, header, claims string) string) func(*rogue) {
	return func(r *rogue) {
		r.raw = func(h, c object) string { return make(r, text(h), text(c)) }
	}
}

func TestAttacksOnSignatures(t *testing.T) {
	none := func(alg string) func(*rogue) {
		return raw(func(r *rogue, _, claims string) string {
			return sign(r.t, "", nil, `{"alg":"`+alg+`","kid":"one"}`, claims)
		})
	}
	symmetric := func(key func() []byte) func(*rogue) {
		return raw(func(r *rogue, _, claims string) string {
			return sign(r.t, "HS256", key(), `{"alg":"HS256","kid":"one"}`, claims)
		})
	}
	der := func() []byte { b, _ := x509.MarshalPKIXPublicKey(rsaKey().Public()); return b }
	publish := func(k jose.JSONWebKey) func(*rogue) { return func(r *rogue) { r.set = []jose.JSONWebKey{k} } }
	public := rsaKey().Public()
	run(t, []attack{
		{name: "alg none", rogue: none("none")},
		{name: "alg none in other letters", rogue: none("nOnE")},
		{name: "alg empty", rogue: none("")},
		{name: "HS256 with the public key", rogue: symmetric(der)},
		{name: "HS256 with the public key in PEM", rogue: symmetric(func() []byte {
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der()})
		})},
		{name: "HS256 with the client secret", rogue: symmetric(func() []byte { return []byte(clientSecret) })},
		{name: "HS256 with a key that the provider publishes", rogue: func(r *rogue) {
			r.set = []jose.JSONWebKey{{Key: []byte("published by mistake, 32 bytes ."), KeyID: "one"}}
			symmetric(func() []byte { return []byte("published by mistake, 32 bytes .") })(r)
		}},
		{name: "an algorithm that is not in the list", rogue: func(r *rogue) { r.use("RS512") }},
		{name: "unknown key id", rogue: func(r *rogue) { r.kid = "unknown" }, says: "does not publish"},
		{name: "key of another provider", rogue: func(r *rogue) { r.key = otherKey() }, says: "signature is wrong"},
		{name: "changed after it was signed", rogue: raw(func(r *rogue, header, claims string) string {
			h, rest, _ := strings.Cut(sign(r.t, "RS256", r.key, header, claims), ".")
			_, sig, _ := strings.Cut(rest, ".")
			return h + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(claims, "u-1", "u-2", 1))) + "." + sig
		}), says: "signature is wrong"},
		{name: "no key id, several keys", rogue: func(r *rogue) {
			r.header = func(h object) { delete(h, "kid") }
			r.set = append(r.set, jose.JSONWebKey{Key: otherKey().Public(), KeyID: "two"})
		}, says: "which"},
		{name: "key that is for encryption", rogue: publish(jose.JSONWebKey{Key: public, KeyID: "one", Use: "enc"}), says: "does not publish"},
		{name: "key for another algorithm", rogue: publish(jose.JSONWebKey{Key: public, KeyID: "one", Algorithm: "PS256"}), says: "does not publish"},
		{name: "private key in the set", rogue: publish(jose.JSONWebKey{Key: rsaKey(), KeyID: "one"}), says: "does not publish"},
		{name: "key that is too small", rogue: func(r *rogue) {
			r.key, r.set = smallKey(), []jose.JSONWebKey{{Key: smallKey().Public(), KeyID: "one"}}
		}, says: "does not publish"},
		{name: "no keys at all", rogue: publish(jose.JSONWebKey{Key: otherKey().Public(), KeyID: "two"})},
		{name: "key in the token's own header", rogue: func(r *rogue) {
			r.key, r.kid = otherKey(), "mine"
			r.header = func(h object) { h["jwk"] = jose.JSONWebKey{Key: otherKey().Public(), KeyID: "mine"} }
		}, says: "does not publish"},
		{name: "key at an address in the token's header", rogue: func(r *rogue) {
			r.key, r.kid = otherKey(), "mine"
			r.header = func(h object) { h["jku"] = r.URL + "/mine" }
		}, says: "does not publish"},
		{name: "critical header that nobody knows", rogue: func(r *rogue) {
			r.header = func(h object) { h["crit"], h["x-check"] = []string{"x-check"}, true }
		}, says: "critical"},
		{name: "header that says alg twice", rogue: raw(func(r *rogue, _, claims string) string {
			return sign(r.t, "RS256", r.key, `{"alg":"none","kid":"one","alg":"RS256"}`, claims)
		})},
		{name: "claim that occurs twice", rogue: raw(func(r *rogue, header, claims string) string {
			return sign(r.t, "RS256", r.key, header, `{"sub":"somebody","extra":{"a":1,"a":2},`+claims[1:])
		}), says: "twice"},
		{name: "claims that are not UTF-8", rogue: raw(func(r *rogue, header, claims string) string {
			return sign(r.t, "RS256", r.key, header, strings.Replace(claims, "u-1", "u-\xff", 1))
		}), says: "UTF-8"},
		{name: "subject that is half a character", rogue: raw(func(r *rogue, header, claims string) string {
			return sign(r.t, "RS256", r.key, header, strings.Replace(claims, "u-1", `u-\ud800`, 1))
		}), says: "not allowed"},
		{name: "claims that are a list", rogue: raw(func(r *rogue, header, claims string) string {
			return sign(r.t, "RS256", r.key, header, "["+claims+"]")
		})},
		{name: "signature in another serialization", rogue: raw(func(r *rogue, header, claims string) string {
			p := strings.Split(sign(r.t, "RS256", r.key, header, claims), ".")
			return text(object{"protected": p[0], "payload": p[1], "signature": p[2]})
		})},
		{name: "token with a fourth part", rogue: raw(func(r *rogue, header, claims string) string {
			return sign(r.t, "RS256", r.key, header, claims) + ".e30"
		})},
		{name: "id token missing", rogue: func(r *rogue) { r.tokens = func(o object) { delete(o, "id_token") } }, says: "missing"},
		{name: "id token that is a number", rogue: func(r *rogue) { r.tokens = func(o object) { o["id_token"] = 5 } }, says: "missing"},
		{name: "id token that is too large", rogue: claim("x", strings.Repeat("x", maxToken)), says: "larger than"},
		{name: "access token for an id token", rogue: func(r *rogue) { r.tokens = func(o object) { o["id_token"] = o["access_token"] } }},
	})
}

func TestAttacksOnTheAnswer(t *testing.T) {
	set := func(pairs ...string) func(url.Values) {
		return func(v url.Values) {
			for i := 0; i < len(pairs); i += 2 {
				v[pairs[i]] = append(v[pairs[i]], pairs[i+1])
			}
		}
	}
	only := func(pairs ...string) func(url.Values) {
		return func(v url.Values) { v.Del("code"); set(pairs...)(v) }
	}
	names := func(r *rogue) {
		r.discovery = func(o object) { o["authorization_response_iss_parameter_supported"] = true }
	}
	run(t, []attack{
		{name: "code missing", back: only(), says: "neither"},
		{name: "code empty", back: only("code", ""), says: "neither"},
		{name: "two codes", back: set("code", "second"), says: "twice"},
		{name: "code that is too long", back: only("code", strings.Repeat("x", maxCode+1)), says: "longer than"},
		{name: "code with a control character", back: only("code", "a\r\nb"), says: "not allowed"},
		{name: "code and error", back: set("error", "access_denied"), says: "both"},
		{name: "code of another login", back: only("code", "stolen"), says: "invalid_grant: no such code"},
		{name: "tokens instead of a code", back: only("id_token", "x", "access_token", "y"), says: "neither"},
		{name: "access denied", back: only("error", "access_denied", "error_description", "he said no"), says: "it says access_denied: he said no"},
		{name: "error with a text that would forge a log", back: only("error", "access_denied", "error_description", "x\r\nlogin: root\x1b[2J\u202e"+strings.Repeat("y", 3000)), says: "x login: root [2J y"},
		{name: "two errors", back: only("error", "a", "error", "b"), says: "twice"},
		{name: "error that is too long", back: only("error", strings.Repeat("x", maxParameter+1)), says: "longer than"},
		{name: "provider in trouble", back: only("error", "temporarily_unavailable"), want: mic.ErrUnavailable},
		{name: "answer of another provider (mix-up)", back: set("iss", "https://attacker.example"), says: "another provider"},
		{name: "answer of another provider, empty", back: set("iss", ""), says: "another provider"},
		{name: "answer that does not name its provider", rogue: names, says: "does not name"},
		{name: "error that does not name its provider", rogue: names, back: only("error", "access_denied", "error_description", "pay here"), says: "does not name"},
		{name: "error of another provider", rogue: names, back: only("error", "x", "error_description", "pay here", "iss", "https://attacker.example"), says: "another provider"},
		{name: "answer that names two providers", back: func(v url.Values) {
			v["iss"] = []string{"https://attacker.example", "https://attacker.example"}
		}, says: "twice"},
	})
	// And the right one is let in.
	r := newRogue(t)
	names(r)
	if _, err := r.login(r.provider(), set("iss", r.URL)); err != nil {
		t.Error(err)
	}
}

// The provider checks the verifier of the login that the code was given for.
func TestAttackCodeInjection(t *testing.T) {
	r := newRogue(t)
	p := r.provider()
	to, _, err := p.Begin(t.Context(), "victim")
	if err != nil {
		t.Fatal(err)
	}
	_, begunByAttacker, err := p.Begin(t.Context(), "attacker")
	if err != nil {
		t.Fatal(err)
	}
	stolen := r.answer(to)
	if a, err := p.Finish(t.Context(), begunByAttacker, stolen); !errors.Is(err, mic.ErrRefused) {
		t.Errorf("a code of another login: %+v, %v", a, err)
	}
}

// A code is good once; what was begun at one provider is not finished at another.
func TestAttackReplay(t *testing.T) {
	r, other := newRogue(t), newRogue(t)
	p := r.provider()
	to, begun, err := p.Begin(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	back := r.answer(to)
	if _, err := other.provider().Finish(t.Context(), begun, back); !errors.Is(err, mic.ErrRefused) {
		t.Errorf("finished at another provider: %v", err)
	}
	if other.requests["/token"] != 0 {
		t.Error("the other provider was shown the code")
	}
	if _, err := p.Finish(t.Context(), begun, back); err != nil {
		t.Error(err)
	}
	if _, err := p.Finish(t.Context(), begun, back); !errors.Is(err, mic.ErrRefused) {
		t.Errorf("the code again: %v", err)
	}
	for _, garbage := range []string{"", "null", "{}", `{"v":2}`, "[", `{"v":1,"provider":"x"}`} {
		if _, err := p.Finish(t.Context(), []byte(garbage), back); !errors.Is(err, mic.ErrRefused) {
			t.Errorf("begun with %q: %v", garbage, err)
		}
	}
}

func TestAttacksAfterwards(t *testing.T) {
	out := mic.ErrUnavailable
	withInfo := func(c *Config) { c.UserInfo = true }
	for _, a := range []attack{
		{name: "another subject", rogue: claim("sub", "u-2"), want: out, says: "somebody else"},
		{name: "another issuer", rogue: claim("iss", "https://other.example"), want: out},
		{name: "another audience", rogue: func(r *rogue) {
			r.claims = func(c object) { c["aud"], c["azp"] = []string{clientID, "other"}, clientID }
		}, config: func(c *Config) { c.Audience = []string{"other"} }, want: out, says: "others than at the login"},
		{name: "another nonce", rogue: claim("nonce", "x"), want: out, says: "another login"},
		{name: "another key", rogue: func(r *rogue) { r.key = otherKey() }, want: out, says: "signature"},
		{name: "another access token", rogue: claim("at_hash", "x"), want: out, says: "at_hash"},
		{name: "c_hash without a code", rogue: claim("c_hash", leftHash("RS256", "")), want: out, says: "c_hash"},
		{name: "expired", rogue: after("exp", -60), want: out, says: "expired"},
		{name: "groups that are a number", rogue: claim("groups", 1), want: out},
		{name: "revoked", rogue: func(r *rogue) { clear(r.refresh) }, want: mic.ErrGone, says: "invalid_grant"},
		{name: "denied", rogue: at("/token", status(400, object{"error": "interaction_required"})), want: mic.ErrGone},
		{name: "client unknown", rogue: at("/token", status(401, object{"error": "invalid_client"})), want: out},
		{name: "down", rogue: at("/token", status(500, object{"error": "invalid_grant"})), want: out},
		{name: "too many requests", rogue: at("/token", status(429, object{"error": "slow_down"})), want: out},
		{name: "HTML", rogue: at("/token", html), want: out},
		{name: "without end", rogue: at("/token", huge), want: out},
		{name: "user info about somebody else", rogue: func(r *rogue) { r.info = func(o object) { o["sub"] = "u-2" } }, config: withInfo, want: out},
		{name: "user info not for this token", rogue: at("/me", status(401, nil)), config: withInfo, want: mic.ErrGone},
		{name: "user info is down", rogue: at("/me", status(500, nil)), config: withInfo, want: out},
		{name: "user info forbidden", rogue: at("/me", status(403, nil)), config: withInfo, want: out},
	} {
		t.Run(a.name, func(t *testing.T) {
			r := newRogue(t)
			c := func(*Config) {}
			if a.config != nil {
				c = a.config
			}
			p := r.provider(c)
			account, err := r.login(p)
			if err != nil {
				t.Fatal(err)
			}
			a.rogue(r)
			again, err := p.Ask(t.Context(), account.Kept)
			if again != nil || !errors.Is(err, a.want) || !strings.Contains(err.Error(), a.says) {
				t.Errorf("%+v, %v; want %v, %q", again, err, a.want, a.says)
			}
			if err != nil && r.leak(err.Error()) != "" {
				t.Errorf("the error has a secret: %v", err)
			}
		})
	}
}

// What is kept of one provider is not shown to another.
func TestAttackKeptOfAnotherProvider(t *testing.T) {
	r, other := newRogue(t), newRogue(t)
	a, err := r.login(r.provider())
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{string(a.Kept), "", "null", "{}", "[", strings.Replace(string(a.Kept), `"v":1`, `"v":2`, 1)} {
		if b, err := other.provider().Ask(t.Context(), []byte(kept)); !errors.Is(err, mic.ErrGone) {
			t.Errorf("%q: %+v, %v", kept, b, err)
		}
	}
	if other.requests["/token"] != 0 {
		t.Error("the other provider was shown the refresh token")
	}
}

package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"postern/auth/mic"
	"postern/auth/mic/fetch"
)

const (
	clientID     = "postern"
	clientSecret = "s3cret of the client"
	callback     = "https://postern.example/mic/callback/1"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// A clock is set by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Keys that take long to make are made once.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(2048) })
	smallKey = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(1024) })
)

func makeRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

type object = map[string]any

// A rogue is an OpenID Connect provider that is correct, the check of PKCE and of
// the client's secret included, but for one thing that a test changes.
type rogue struct {
	*httptest.Server
	t     *testing.T
	clock *clock

	mu       sync.Mutex // guards below
	key      any        // signs
	alg, kid string
	set      []jose.JSONWebKey // is published

	discovery, claims, header, tokens, info func(object) // change what is sent; nil: nothing
	raw                                     func(header, claims object) string
	handle                                  map[string]http.HandlerFunc // instead, by path

	codes    map[string]url.Values // by code: the request that it was given for
	refresh  map[string]string     // by refresh token that is good: the nonce
	access   string                // the last access token
	minted   int
	secrets  []string // all that nobody may see
	requests map[string]int
}

func newRogue(t *testing.T) *rogue {
	r := &rogue{
		t: t, clock: &clock{at: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)},
		key: rsaKey(), alg: "RS256", kid: "one",
		set:    []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "one", Use: "sig", Algorithm: "RS256"}},
		handle: map[string]http.HandlerFunc{}, codes: map[string]url.Values{}, refresh: map[string]string{}, requests: map[string]int{},
		secrets: []string{clientSecret, url.QueryEscape(clientSecret)},
	}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *rogue) config() *Config {
	return &Config{
		Issuer: r.URL, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: callback,
		Scopes: []string{"profile", "offline_access"}, Attributes: []string{"email", "name"},
		HTTP: fetch.New(fetch.Policy{Allow: loopback, Timeout: 5 * time.Second}), Now: r.clock.now, Rand: rand.Reader,
	}
}

func (r *rogue) provider(change ...func(*Config)) *Provider {
	r.t.Helper()
	c := r.config()
	for _, f := range change {
		f(c)
	}
	p, err := New(c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = p.Close() })
	return p
}

func (r *rogue) mint(kind string) string {
	r.minted++
	s := fmt.Sprintf("%s-%d-%s", kind, r.minted, rand.Text())
	r.secrets = append(r.secrets, s)
	return s
}

// answer is what the browser brings back from a place it was sent to.
func (r *rogue) answer(to string) url.Values {
	r.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		r.t.Fatal(err)
	}
	q := u.Query()
	r.mu.Lock()
	defer r.mu.Unlock()
	code := r.mint("code")
	r.codes[code] = q
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

func (r *rogue) login(p *Provider, change ...func(url.Values)) (*mic.Account, error) {
	r.t.Helper()
	to, begun, err := p.Begin(r.t.Context(), "state-1")
	if err != nil {
		return nil, err
	}
	back := r.answer(to)
	for _, f := range change {
		f(back)
	}
	return p.Finish(r.t.Context(), begun, back)
}

func (r *rogue) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.requests[q.URL.Path]++
	instead := r.handle[q.URL.Path]
	r.mu.Unlock()
	if instead != nil { // not under the lock: it may take long
		instead(w, q)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch q.URL.Path {
	case "/.well-known/openid-configuration":
		send(w, 200, changed(object{
			"issuer": r.URL, "authorization_endpoint": r.URL + "/auth", "token_endpoint": r.URL + "/token",
			"jwks_uri": r.URL + "/keys", "userinfo_endpoint": r.URL + "/me",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		}, r.discovery))
	case "/keys":
		send(w, 200, jose.JSONWebKeySet{Keys: r.set})
	case "/token":
		r.token(w, q)
	case "/me":
		if q.Header.Get("Authorization") != "Bearer "+r.access {
			send(w, 401, object{"error": "invalid_token"})
			return
		}
		send(w, 200, changed(object{"sub": "u-1", "id": 4711, "name": "Alice A.", "groups": []string{"from info"}}, r.info))
	default:
		http.NotFound(w, q)
	}
}

func (r *rogue) token(w http.ResponseWriter, q *http.Request) {
	id, secret, ok := q.BasicAuth()
	if !ok || id != clientID || secret != url.QueryEscape(clientSecret) {
		send(w, 401, object{"error": "invalid_client"})
		return
	}
	var nonce string
	switch q.PostFormValue("grant_type") {
	case "authorization_code":
		asked, known := r.codes[q.PostFormValue("code")]
		delete(r.codes, q.PostFormValue("code"))
		verifier := q.PostFormValue("code_verifier")
		sum := sha256.Sum256([]byte(verifier))
		r.secrets = append(r.secrets, verifier, asked.Get("nonce"))
		if !known || asked.Get("redirect_uri") != q.PostFormValue("redirect_uri") || len(verifier) < 43 ||
			asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
			send(w, 400, object{"error": "invalid_grant", "error_description": "no such code"})
			return
		}
		nonce = asked.Get("nonce")
	case "refresh_token":
		known, ok := r.refresh[q.PostFormValue("refresh_token")]
		delete(r.refresh, q.PostFormValue("refresh_token"))
		if !ok {
			send(w, 400, object{"error": "invalid_grant", "error_description": "no such token"})
			return
		}
		nonce = known
	}
	r.access = r.mint("access")
	next := r.mint("refresh")
	r.refresh[next] = nonce
	now := r.clock.now().Unix()
	claims := changed(object{
		"iss": r.URL, "sub": "u-1", "aud": clientID, "exp": now + 300, "iat": now, "nonce": nonce,
		"at_hash": leftHash(r.alg, r.access), "email": "alice@example.com", "name": "Alice", "groups": []string{"staff", "admins", "staff"},
	}, r.claims)
	header := changed(object{"alg": r.alg, "kid": r.kid, "typ": "JWT"}, r.header)
	var token string
	if r.raw != nil {
		token = r.raw(header, claims)
	} else {
		token = sign(r.t, r.alg, r.key, text(header), text(claims))
	}
	r.secrets = append(r.secrets, token)
	send(w, 200, changed(object{
		"access_token": r.access, "token_type": "Bearer", "expires_in": 300, "refresh_token": next, "id_token": token,
	}, r.tokens))
}

func changed(o object, change func(object)) object {
	if change != nil {
		change(o)
	}
	return o
}

func send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sign makes a token in compact form of a header and a payload, whatever they say.
func sign(t testing.TB, alg string, key any, header, payload string) string {
	t.Helper()
	part := base64.RawURLEncoding.EncodeToString
	input := part([]byte(header)) + "." + part([]byte(payload))
	h256, h512 := sha256.Sum256([]byte(input)), sha512.Sum512([]byte(input))
	var sig []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		switch alg {
		case "RS256":
			sig, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, h256[:])
		case "RS512":
			sig, err = rsa.SignPKCS1v15(nil, key, crypto.SHA512, h512[:])
		case "PS256":
			sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, h256[:], nil)
		}
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, key, h256[:])
		sig, err = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), e
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(input))
	case []byte: // HS256
		m := hmac.New(sha256.New, key)
		m.Write([]byte(input))
		sig = m.Sum(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + part(sig)
}

// use has the provider sign with a key of another kind, and publish it.
func (r *rogue) use(alg string) {
	switch alg {
	case "RS256", "RS512", "PS256":
		r.key = rsaKey()
	case "ES256":
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			r.t.Fatal(err)
		}
		r.key = k
	case "EdDSA":
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			r.t.Fatal(err)
		}
		r.key = k
	}
	r.alg = alg
	public := r.key.(interface{ Public() crypto.PublicKey }).Public()
	r.set = []jose.JSONWebKey{{Key: public, KeyID: r.kid, Use: "sig", Algorithm: alg}}
}

// leak returns a secret that is in a text, or "".
func (r *rogue) leak(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.secrets {
		if s != "" && strings.Contains(text, s) {
			return s
		}
	}
	return ""
}

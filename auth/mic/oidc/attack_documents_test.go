package oidc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/auth/mic"
	"postern/auth/mic/fetch"
)

// huge never ends by itself.
func huge(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write([]byte(strings.Repeat(" ", 64<<10))); err != nil {
			return
		}
	}
}

func html(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("<html>\n<h1>Sign in</h1>"))
}

func status(code int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { send(w, code, body) }
}

// endless sends a beginning, and then nothing until the client has gone.
func endless(w http.ResponseWriter, q *http.Request) {
	_, _ = w.Write([]byte("{"))
	w.(http.Flusher).Flush()
	<-q.Context().Done()
}

func at(path string, h http.HandlerFunc) func(*rogue) { return func(r *rogue) { r.handle[path] = h } }

func TestAttacksByDocuments(t *testing.T) {
	const discovery = "/.well-known/openid-configuration"
	withInfo := func(c *Config) { c.UserInfo = true }
	quick := func(c *Config) { c.HTTP = fetch.New(fetch.Policy{Allow: loopback, Timeout: 300 * time.Millisecond}) }
	moved := func(r *rogue) {
		r.handle["/token"] = func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, "/elsewhere", http.StatusTemporaryRedirect)
		}
	}
	found := func(name string, v any) func(*rogue) {
		return func(r *rogue) { r.discovery = func(o object) { o[name] = v } }
	}
	manyKeys := func(r *rogue) {
		for range maxKeys {
			r.set = append(r.set, r.set[0])
		}
	}
	out := mic.ErrUnavailable
	run(t, []attack{
		{name: "discovery of another issuer", rogue: found("issuer", "https://attacker.example"), want: out, says: "did not match"},
		{name: "discovery with a slash more", rogue: func(r *rogue) { r.discovery = func(o object) { o["issuer"] = r.URL + "/" } }, want: out},
		{name: "discovery without an issuer", rogue: found("issuer", nil), want: out},
		{name: "discovery is HTML", rogue: at(discovery, html), want: out},
		{name: "discovery is huge", rogue: at(discovery, huge), want: out},
		{name: "discovery never ends", rogue: at(discovery, endless), config: quick, want: out},
		{name: "discovery is not there", rogue: at(discovery, status(404, nil)), want: out, says: "404"},
		{name: "login page that is a script", rogue: found("authorization_endpoint", "javascript:alert(1)"), want: out, says: "authorization_endpoint"},
		{name: "login page that is missing", rogue: found("authorization_endpoint", nil), want: out, says: "authorization_endpoint"},
		{name: "token endpoint that is a file", rogue: found("token_endpoint", "file:///etc/passwd"), want: out, says: "token_endpoint"},
		{name: "keys that are nowhere", rogue: found("jwks_uri", "/keys"), want: out, says: "jwks_uri"},
		{name: "user info with a password", rogue: found("userinfo_endpoint", "http://a:b@127.0.0.1/"), want: out, says: "userinfo_endpoint"},
		{name: "token endpoint in a private network", rogue: found("token_endpoint", "http://10.0.0.1/token"), want: out, says: "not a public address"},
		{name: "keys in a private network", rogue: found("jwks_uri", "http://169.254.169.254/keys"), want: out, says: "not a public address"},

		{name: "token endpoint answers HTML", rogue: at("/token", html), want: out},
		{name: "token endpoint answers HTML with status 400", rogue: at("/token", func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(400); html(w, q) }), want: out, says: "400"},
		{name: "token endpoint answers without end", rogue: at("/token", huge), want: out},
		{name: "token endpoint never ends", rogue: at("/token", endless), config: quick, want: out},
		{name: "token endpoint is down", rogue: at("/token", status(503, nil)), want: out, says: "503"},
		{name: "token endpoint says no with status 500", rogue: at("/token", status(500, object{"error": "invalid_grant"})), want: out},
		{name: "token endpoint does not know the client", config: func(c *Config) { c.ClientSecret = "wrong" }, want: out, says: "invalid_client"},
		{name: "token endpoint says no with status 200", rogue: at("/token", status(200, object{"error": "invalid_grant"}))},
		{name: "token endpoint leads elsewhere", rogue: moved, want: out, says: "307"},
		{name: "token of another type", rogue: func(r *rogue) { r.tokens = func(o object) { o["token_type"] = "mac" } }, want: out, says: "mac"},
		{name: "access token missing", rogue: func(r *rogue) { r.tokens = func(o object) { delete(o, "access_token") } }, want: out},
		{name: "refresh token that is too long", rogue: func(r *rogue) {
			r.tokens = func(o object) { o["refresh_token"] = strings.Repeat("x", maxRefresh+1) }
		}, want: out},

		{name: "hundreds of keys", rogue: manyKeys, want: out, says: "101 keys"},
		{name: "keys are HTML", rogue: at("/keys", html), want: out},
		{name: "keys are huge", rogue: at("/keys", huge), want: out, says: "larger"},
		{name: "keys never end", rogue: at("/keys", endless), config: quick, want: out},
		{name: "keys are down", rogue: at("/keys", status(500, nil)), want: out},

		{name: "user info about somebody else", rogue: func(r *rogue) { r.info = func(o object) { o["sub"] = "u-2" } }, config: withInfo, says: "somebody else"},
		{name: "user info about nobody", rogue: func(r *rogue) { r.info = func(o object) { delete(o, "sub") } }, config: withInfo, says: "somebody else"},
		{name: "user info not for this token", rogue: at("/me", status(401, nil)), config: withInfo},
		{name: "user info is down", rogue: at("/me", status(502, nil)), config: withInfo, want: out},
		{name: "user info is a signed token", rogue: at("/me", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt; charset=x")
		}), config: withInfo, want: out, says: "signed"},
		{name: "user info is HTML", rogue: at("/me", html), config: withInfo, want: out},
		{name: "user info is huge", rogue: at("/me", huge), config: withInfo, want: out, says: "larger"},
		{name: "user info leads elsewhere", rogue: func(r *rogue) {
			r.handle["/me"] = func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/me2", http.StatusFound) }
			r.handle["/me2"] = status(200, object{"sub": "u-1"})
		}, config: withInfo, want: out, says: "302"},
		{name: "user info that is not there", rogue: found("userinfo_endpoint", ""), config: withInfo, want: out, says: "no user info"},
	})
	// What carries the secret was not sent on.
	r := newRogue(t)
	moved(r)
	_, _ = r.login(r.provider(func(c *Config) { c.AuthMethod = authPost }))
	if r.requests["/token"] != 1 || r.requests["/elsewhere"] != 0 {
		t.Errorf("requests %v", r.requests)
	}
}

// The discovery document leads into a network that is not allowed.
func TestAttackRedirectInside(t *testing.T) {
	hit := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer inside.Close()
	there := strings.Replace(inside.URL, "127.0.0.1", "127.0.0.2", 1)
	r := newRogue(t)
	r.handle["/.well-known/openid-configuration"] = func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, there, http.StatusFound) }
	p := r.provider(func(c *Config) {
		c.HTTP = fetch.New(fetch.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	})
	if _, _, err := p.Begin(t.Context(), "s"); !errors.Is(err, mic.ErrUnavailable) || !errors.Is(err, fetch.ErrPrivate) || hit {
		t.Errorf("%v, reached %t", err, hit)
	}
	// Nor is an issuer at a private address asked, nor one without TLS elsewhere.
	for issuer, want := range map[string]error{r.URL: fetch.ErrPrivate, "http://9.9.9.9": fetch.ErrPlain} {
		p := r.provider(func(c *Config) { c.Issuer, c.HTTP = issuer, fetch.New(fetch.Policy{}) })
		if _, _, err := p.Begin(t.Context(), "s"); !errors.Is(err, mic.ErrUnavailable) || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", issuer, err, want)
		}
	}
}

// An issuer with TLS has all its endpoints with TLS.
func TestAttackDowngrade(t *testing.T) {
	for _, name := range []string{"", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"} {
		var s *httptest.Server
		s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			document := object{"issuer": s.URL}
			for _, n := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"} {
				document[n] = s.URL + "/" + n
			}
			if name != "" {
				document[name] = "http://" + s.Listener.Addr().String() + "/"
			}
			send(w, 200, document)
		}))
		p, err := New(&Config{Issuer: s.URL, ClientID: clientID, RedirectURL: callback, HTTP: s.Client(), Rand: strings.NewReader(strings.Repeat("x", 64))})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = p.Begin(t.Context(), "s")
		if (name == "") != (err == nil) || name != "" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s without TLS: %v", name, err)
		}
		s.Close()
	}
}

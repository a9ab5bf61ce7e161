//go:build e2e

package oidc_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/auth/mic/fetch"
	"postern/auth/mic/lab"
	"postern/auth/mic/oidc"
)

const callback = "https://postern.example/mic/callback/1"

// A server is a running oidc-provider.
type server struct {
	*lab.OpenID
	t      *testing.T // that runs now
	issuer string
	ahead  atomic.Int64 // how far the clock of clients is ahead of ours, in ns
}

func start(t *testing.T, environment ...string) *server {
	t.Helper()
	s := lab.OpenIDProvider(t, environment...)
	return &server{OpenID: s, t: t, issuer: s.Issuer}
}

// tell gives the provider a command, and returns when it was carried out.
func (s *server) tell(format string, args ...any) {
	s.t.Helper()
	s.Tell(s.t, format, args...)
}

func client() *http.Client {
	return fetch.New(fetch.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: 10 * time.Second})
}

func (s *server) provider(change ...func(*oidc.Config)) *oidc.Provider {
	s.t.Helper()
	c := &oidc.Config{
		Issuer: s.issuer, ClientID: "basic", ClientSecret: "a secret: of 100% & more", RedirectURL: callback,
		Scopes: []string{"profile", "email", "groups", "offline_access"}, Prompt: "consent", Attributes: []string{"email", "name", "email_verified"},
		HTTP: client(), Rand: rand.Reader, Now: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
	}
	for _, f := range change {
		f(c)
	}
	p, err := oidc.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = p.Close() })
	return p
}

// A browser has cookies, follows redirects, and fills in forms.
type browser struct {
	t *testing.T
	http.Client
	back  url.Values // what it was to bring back to Postern
	page  string
	at    *url.URL
	pages []int // the status of every page
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, Client: http.Client{Jar: jar, Timeout: 20 * time.Second}}
	b.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(next.URL.String(), callback+"?") {
			b.back = next.URL.Query()
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

func (b *browser) did(res *http.Response, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.page, b.at, b.pages = string(body), res.Request.URL, append(b.pages, res.StatusCode)
}

func (b *browser) open(address string) {
	b.t.Helper()
	b.back = nil
	b.did(b.Get(address))
}

var (
	action = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
)

// submit sends the form on the page.
func (b *browser) submit(pairs ...string) {
	b.t.Helper()
	form := action.FindStringSubmatch(b.page)
	if form == nil {
		b.t.Fatalf("no form on %s (%v):\n%s", b.at, b.pages, b.page)
	}
	to, err := b.at.Parse(form[1])
	if err != nil {
		b.t.Fatal(err)
	}
	v := url.Values{}
	for _, h := range hidden.FindAllStringSubmatch(b.page, -1) {
		v.Set(h[1], h[2])
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	b.did(b.PostForm(to.String(), v))
}

func (b *browser) log(name, password string) {
	b.t.Helper()
	b.submit("username", name, "password", password, "do", "login")
}

package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/auth/mic/fetch"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func get(t *testing.T, c *http.Client, address string) (string, error) {
	t.Helper()
	res, err := c.Get(address)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	hit := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer s.Close()
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	c := fetch.New(fetch.Policy{})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"} {
		if _, err := get(t, c, "http://"+host+port+"/"); err == nil {
			t.Errorf("%s was asked", host)
		}
	}
	if hit {
		t.Error("the server was reached")
	}
	// An allowed network is reached.
	if _, err := get(t, fetch.New(fetch.Policy{Allow: loopback}), s.URL); err != nil || !hit {
		t.Errorf("allowed, but: %v", err)
	}
}

// What is private is so whatever way it is written.
func TestAddresses(t *testing.T) {
	for _, a := range []string{
		"10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
		"198.18.0.1", "192.0.0.8", "203.0.113.9", "240.0.0.1",
		"fd00::1", "fe80::1", "ff02::1", "::1", "::", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "fec0::1",
	} {
		c := fetch.New(fetch.Policy{Timeout: 2 * time.Second})
		if _, err := get(t, c, "https://"+bracket(a)+"/"); !errors.Is(err, fetch.ErrPrivate) {
			t.Errorf("%s: %v, want ErrPrivate", a, err)
		}
	}
	// A public one is refused for want of TLS, which is decided behind the other.
	if _, err := get(t, fetch.New(fetch.Policy{Timeout: 2 * time.Second}), "http://9.9.9.9/"); !errors.Is(err, fetch.ErrPlain) {
		t.Errorf("plain HTTP to a public address: %v, want ErrPlain", err)
	}
}

func bracket(a string) string {
	if strings.Contains(a, ":") {
		return "[" + a + "]"
	}
	return a
}

// A redirect leads nowhere that a URL of the configuration may not.
func TestRedirectsAreBounded(t *testing.T) {
	hit := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer inside.Close()
	there := strings.Replace(inside.URL, "127.0.0.1", "127.0.0.2", 1)
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
			return
		}
		http.Redirect(w, r, there, http.StatusFound)
	}))
	defer s.Close()
	c := fetch.New(fetch.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	if _, err := get(t, c, s.URL); !errors.Is(err, fetch.ErrPrivate) || hit {
		t.Errorf("a redirect into a network that is not allowed: %v, reached %t", err, hit)
	}
	n = 0
	if _, err := get(t, c, s.URL+"/loop"); err == nil || n > 5 {
		t.Errorf("an endless redirect: %v after %d", err, n)
	}

	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) }))
	defer secure.Close()
	c = fetch.New(fetch.Policy{Allow: loopback})
	next, _ := http.NewRequest("GET", inside.URL, nil)
	first, _ := http.NewRequest("GET", secure.URL, nil)
	if c.CheckRedirect(next, []*http.Request{first}) == nil {
		t.Error("a redirect from https to http is followed")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	const most = 1000
	for _, size := range []int{0, 1, most, most + 1, 100 * most} {
		for _, announced := range []bool{true, false} {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !announced {
					w.(http.Flusher).Flush()
				}
				_, _ = io.WriteString(w, strings.Repeat("x", size))
			}))
			b, err := get(t, fetch.New(fetch.Policy{Allow: loopback, MaxBytes: most}), s.URL)
			if size <= most && (err != nil || len(b) != size) || size > most && !errors.Is(err, fetch.ErrTooLarge) {
				t.Errorf("%d bytes, announced %t: %d bytes, %v", size, announced, len(b), err)
			}
			s.Close()
		}
	}
}

// A server that never ends its answer is left.
func TestExchangesEnd(t *testing.T) {
	quit := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-quit
	}))
	defer s.Close()
	defer close(quit)
	_, err := get(t, fetch.New(fetch.Policy{Allow: loopback, Timeout: 100 * time.Millisecond}), s.URL)
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v, want that the time is over", err)
	}
}

// No proxy of the environment learns of it, nor gets past the policy.
func TestNoProxy(t *testing.T) {
	hit := false
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	c := fetch.New(fetch.Policy{Allow: loopback, Timeout: time.Second})
	r, _ := http.NewRequestWithContext(context.Background(), "GET", "http://provider.invalid/", nil)
	if _, err := c.Do(r); err == nil || hit {
		t.Errorf("through a proxy: %v, %t", err, hit)
	}
}

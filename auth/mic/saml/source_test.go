package saml

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/auth/mic"
	"postern/auth/mic/fetch"
)

// A site serves metadata, while it is up.
type site struct {
	*httptest.Server
	text  atomic.Value // string; "" for an error
	count atomic.Int64
}

func newSite(t *testing.T, text string) *site {
	s := &site{}
	s.text.Store(text)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count.Add(1)
		text := s.text.Load().(string)
		if text == "" {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Server.Close)
	return s
}

func (s *site) lab(t *testing.T) *lab {
	return newLab(t, func(c *Config) {
		c.SSOURL, c.IDPIssuer, c.IDPCertificates = "", "", nil
		c.IDPMetadataURL = s.URL
		c.HTTP = fetch.New(fetch.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	})
}

func (s *site) wantCount(t *testing.T, want int64) {
	t.Helper()
	if got := s.count.Load(); got != want {
		t.Fatalf("fetched %d times; want %d", got, want)
	}
}

func TestMetadataIsKept(t *testing.T) {
	s := newSite(t, metadata(nil))
	l := s.lab(t).start(t)
	if _, err := l.finish(t, signed(t, l.forged())); err != nil {
		t.Fatal(err)
	}
	s.wantCount(t, 1)
	l.now = l.now.Add(fresh - time.Second)
	l.start(t)
	s.wantCount(t, 1)
	l.now = l.now.Add(time.Second)
	l.start(t)
	s.wantCount(t, 2)
}

func TestProviderDownAndBack(t *testing.T) {
	s := newSite(t, "")
	l := s.lab(t)
	for range 2 {
		if _, _, err := l.Begin(t.Context(), "s"); !errors.Is(err, mic.ErrUnavailable) || !strings.Contains(err.Error(), "503") {
			t.Fatalf("Begin = %v; want ErrUnavailable", err)
		}
	}
	s.text.Store(metadata(nil))
	l.start(t)
	s.wantCount(t, 3)

	// Known once, it is used while the provider is down: for a day.
	s.text.Store("")
	l.now = l.now.Add(fresh)
	l.start(t)
	s.wantCount(t, 4)
	l.now = l.now.Add(betweenRe - time.Second)
	l.start(t) // and it is left in peace for a minute
	s.wantCount(t, 4)
	l.now = l.now.Add(time.Second)
	l.start(t)
	s.wantCount(t, 5)
	l.now = noon.Add(stale - time.Second)
	l.start(t)
	l.now = noon.Add(stale)
	if _, _, err := l.Begin(t.Context(), "s"); !errors.Is(err, mic.ErrUnavailable) {
		t.Fatalf("Begin = %v; want ErrUnavailable", err)
	}
	s.text.Store(metadata(nil))
	l.now = l.now.Add(betweenRe)
	l.start(t)
}

// Metadata that says until when it is valid is believed until then, and no longer.
func TestMetadataExpires(t *testing.T) {
	until := func(at string) string {
		return metadata(func(s string) string { return within(t, s, "entityID=", `validUntil="`+at+`" entityID=`) })
	}
	s := newSite(t, until("2026-11-29T12:30:00Z"))
	l := s.lab(t).start(t)
	l.now = noon.Add(30*time.Minute - time.Second)
	l.start(t)
	s.wantCount(t, 1)
	s.text.Store("")
	l.now = noon.Add(30 * time.Minute)
	if _, _, err := l.Begin(t.Context(), "s"); !errors.Is(err, mic.ErrUnavailable) {
		t.Fatalf("Begin = %v; want ErrUnavailable", err)
	}
	s.text.Store(until("2026-11-29T13:30:00Z"))
	l.now = l.now.Add(betweenRe)
	l.start(t)
	s.wantCount(t, 3)
}

// The provider signs by its next key before we have heard of it.
func TestRollover(t *testing.T) {
	s := newSite(t, metadata(nil))
	l := s.lab(t).start(t)
	s.text.Store(metadata(nil, idpKey(), nextKey()))
	l.now = noon.Add(betweenRe)
	document := signer{by: nextKey()}.sign(t, l.forged().String(), onAssertion)
	if _, err := l.finish(t, document); err != nil {
		t.Fatal(err)
	}
	s.wantCount(t, 2)

	// Somebody who sends rubbish cannot make us ask at any rate.
	for range 10 {
		l.refuses(t, signer{by: wrongKey()}.sign(t, l.forged().String(), onAssertion), "not by a key")
	}
	s.wantCount(t, 2)
	l.now = l.now.Add(betweenRe)
	for range 10 {
		l.refuses(t, signer{by: wrongKey()}.sign(t, l.forged().String(), onAssertion), "not by a key")
	}
	s.wantCount(t, 3)

	// The old key is taken out: it signs nothing any more.
	s.text.Store(metadata(nil, nextKey()))
	l.now = l.now.Add(fresh)
	l.start(t)
	f := l.forged()
	f.AID = "_old"
	l.refuses(t, signed(t, f), "not by a key")
}

func TestRolloverByConfiguration(t *testing.T) {
	l := newLab(t, func(c *Config) { c.IDPCertificates = append(c.IDPCertificates, nextKey().pem) }).start(t)
	for i, by := range []*pair{idpKey(), nextKey()} {
		f := l.forged()
		f.AID = fmt.Sprint("_roll", i)
		if _, err := (l.finish(t, signer{by: by, noKeyInfo: true}.sign(t, f.String(), onAssertion))); err != nil {
			t.Fatalf("key %d: %v", i, err)
		}
	}
}

func TestMetadataRefused(t *testing.T) {
	for name, row := range map[string]struct{ text, reason string }{
		"a page":           {"<html xmlns='x'/>", "EntityDescriptor"},
		"huge":             {strings.Repeat(" ", 2<<20), "too large"},
		"expired":          {metadata(func(s string) string { return within(t, s, "entityID=", `validUntil="2026-11-29T12:00:00Z" entityID=`) }), "validUntil"},
		"weak key":         {metadata(nil, weakKey()), "1024 bits"},
		"a bomb":           {metadata(func(s string) string { return within(t, s, "<!-- by", `<!DOCTYPE x [<!ENTITY a "b">]><!-- by`) }), "a document type"},
		"many elements":    {metadata(func(s string) string { return within(t, s, "<m:IDP", strings.Repeat("<m:X/>", 20001)+"<m:IDP") }), "too many"},
		"nothing":          {" ", "not XML"},
		"deep as the sea":  {strings.Repeat("<m:X xmlns:m='x'>", 50), "too deep"},
		"something binary": {"\x1f\x8b\x08", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newSite(t, row.text).lab(t)
			_, _, err := l.Begin(t.Context(), "s")
			if !errors.Is(err, mic.ErrUnavailable) || !strings.Contains(err.Error(), row.reason) {
				t.Fatalf("Begin = %v; want ErrUnavailable for %q", err, row.reason)
			}
			l.id, l.begin = "_x", []byte(`{"id":"_x"}`)
			if _, err := l.finish(t, signed(t, l.forged())); !errors.Is(err, mic.ErrUnavailable) {
				t.Fatalf("Finish = %v; want ErrUnavailable", err)
			}
		})
	}
}

// Metadata is fetched by the rules of mic/fetch and no others.
func TestMetadataOfAPrivateNetwork(t *testing.T) {
	s := newSite(t, metadata(nil))
	l := newLab(t, func(c *Config) {
		c.SSOURL, c.IDPIssuer, c.IDPCertificates = "", "", nil
		c.IDPMetadataURL, c.HTTP = s.URL, fetch.New(fetch.Policy{})
	})
	if _, _, err := l.Begin(t.Context(), "s"); !errors.Is(err, mic.ErrUnavailable) || !errors.Is(err, fetch.ErrPrivate) {
		t.Fatalf("Begin = %v; want ErrPrivate", err)
	}
	s.wantCount(t, 0)
}

// Many logins begin at once: one asks, the others wait for it.
func TestOneFetch(t *testing.T) {
	s := newSite(t, metadata(nil))
	l := s.lab(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, _, err := l.Begin(t.Context(), "s"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := s.count.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	l.now = noon.Add(stale)
	if _, _, err := l.Begin(gone, "s"); err == nil {
		t.Error("Begin for somebody who has gone")
	}
	if _, _, err := l.Begin(t.Context(), "s"); err != nil {
		t.Errorf("Begin for the next one: %v", err)
	}
}

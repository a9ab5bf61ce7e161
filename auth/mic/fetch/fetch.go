// Package fetch makes the HTTP clients that talk to identity providers. Where
// they may connect to is decided by address, behind the name's resolution: what
// an administrator, or a provider's own metadata, writes into a URL must not
// become a way into the network that this server stands in.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// A Policy says where a client may connect to and how much it takes.
type Policy struct {
	// Allow are private networks that may be connected to all the same.
	Allow []netip.Prefix
	// Timeout of a whole exchange, redirects and body included; 0: 10 s.
	Timeout time.Duration
	// MaxBytes of an answer's body; reading beyond fails. 0: 1 MiB.
	MaxBytes int64
}

// ErrPrivate says that a host has an address that is not public.
var ErrPrivate = errors.New("not a public address; allow it in the settings of the server if it is the provider's")

// ErrPlain says that plain HTTP was asked of an address that is not among the
// allowed private ones.
var ErrPlain = errors.New("plain HTTP is for allowed private networks only; use https")

// ErrTooLarge says that an answer has more bytes than its Policy takes.
var ErrTooLarge = errors.New("the answer is too large")

const (
	usualTimeout = 10 * time.Second
	usualBytes   = 1 << 20
	maxRedirects = 3
)

// New returns a client that keeps a policy. It follows redirects, three at
// most and never from HTTPS to HTTP, takes no proxy from the environment, and
// keeps no cookies.
func New(p Policy) *http.Client {
	if p.Timeout == 0 {
		p.Timeout = usualTimeout
	}
	if p.MaxBytes == 0 {
		p.MaxBytes = usualBytes
	}
	d := &net.Dialer{
		Timeout: p.Timeout,
		// Called with the very address that is about to be connected to: a name
		// that resolves differently the second time does not get past it.
		ControlContext: func(ctx context.Context, _, address string, _ syscall.RawConn) error {
			return p.check(address, ctx.Value(plainKey{}) != nil)
		},
	}
	t := &http.Transport{
		DialContext:            d.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    p.Timeout,
		ResponseHeaderTimeout:  p.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &http.Client{
		Timeout:   p.Timeout,
		Transport: &bounded{t, p.MaxBytes},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("too many redirects")
			}
			if via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
				return errors.New("a redirect from https to " + next.URL.Scheme)
			}
			return nil
		},
	}
}

// plainKey marks the context of a request without TLS.
type plainKey struct{}

// check tells whether an address may be connected to.
func (p *Policy) check(address string, plain bool) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	ip := at.Addr().Unmap()
	for _, n := range p.Allow {
		if n.Contains(ip.WithZone("")) {
			return nil
		}
	}
	switch {
	case !public(ip):
		return fmt.Errorf("%s: %w", ip, ErrPrivate)
	case plain:
		return fmt.Errorf("%s: %w", ip, ErrPlain)
	}
	return nil
}

// reserved are networks that netip has no word for and that are not the
// Internet's: shared address space, protocol assignments, documentation,
// benchmarks, translations to IPv4 that would hide where a packet goes, and
// what is left over.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("fec0::/10"),
}

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false
	}
	for _, n := range reserved {
		if n.Contains(ip) {
			return false
		}
	}
	return true
}

// bounded is a transport whose answers have an end.
type bounded struct {
	next http.RoundTripper
	most int64
}

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		r = r.WithContext(context.WithValue(r.Context(), plainKey{}, true))
	}
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if res.ContentLength > b.most {
		_ = res.Body.Close()
		return nil, ErrTooLarge
	}
	res.Body = &boundedBody{res.Body, b.most}
	return res, nil
}

func (b *bounded) CloseIdleConnections() {
	if c, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	// One more than is allowed, to tell an end from more.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}

package engine

import (
	"net"
	"net/netip"
	"testing"

	"github.com/valyala/fasthttp"
)

// X-Forwarded-For is believed from trusted proxies only, and from its end only
// as far as they go.
func TestClientBehindProxies(t *testing.T) {
	e := &Engine{config: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}}}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"203.0.113.9", nil, "203.0.113.9"},
		{"203.0.113.9", []string{"198.51.100.1"}, "203.0.113.9"},
		{"127.0.0.1", nil, "127.0.0.1"},
		{"127.0.0.1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"127.0.0.1", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
		{"127.0.0.1", []string{"192.0.2.66", "198.51.100.1, 10.1.2.3"}, "198.51.100.1"},
		{"127.0.0.1", []string{"198.51.100.1, nonsense"}, "127.0.0.1"},
		{"127.0.0.1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"10.9.9.9", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"127.0.0.1", []string{"10.1.1.1"}, "10.1.1.1"},
	} {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.ParseIP(c.peer)}, nil)
		for _, f := range c.forwarded {
			ctx.Request.Header.Add("X-Forwarded-For", f)
		}
		if got := (&Request{ctx: &ctx, e: e}).client(); got != netip.MustParseAddr(c.want) {
			t.Errorf("peer %s, X-Forwarded-For %q: client is %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

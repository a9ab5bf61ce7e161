package model

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// A Server is what Drive holds the model against: a backend without users and
// collections, and the apps it serves.
type Server struct {
	Apps []App
	// Do sends a request and returns the answer. An empty body is nil. Header
	// may be nil if nobody knows it.
	Do func(Request) (status int, header map[string]string, body []byte)
	// Close ends the server; nil does nothing.
	Close func()
}

// worldLength is how many requests a world lasts. Then model and server begin
// anew, so that worlds stay small and a failure can be repeated soon.
const worldLength = 1000

// Drive sends n random requests to a server and to the model and fails at the
// first that they answer differently. Fresh makes the server of one world: new,
// or with new apps. The same seed gives the same worlds, as far as the server's
// own choices allow.
func Drive(t testing.TB, seed uint64, n int, fresh func() Server) {
	t.Helper()
	for number := uint64(0); n > 0; number++ {
		if !DriveWorld(t, seed, number, min(n, worldLength), fresh) {
			return
		}
		n -= worldLength
	}
}

// DriveWorld is Drive for the world of this number alone. It returns false
// when it has failed.
func DriveWorld(t testing.TB, seed, number uint64, n int, fresh func() Server) bool {
	t.Helper()
	server := fresh()
	if server.Close != nil {
		defer server.Close()
	}
	m := New(Config{Apps: server.Apps})
	w := NewWorld(m, seed, number)
	var past history
	for i := range n {
		req := w.Next()
		real := NewResponse(server.Do(req))
		want := m.Do(req, &real)
		past = append(past, exchange{i, req, real})
		if d := Compare(req, want, real); d != "" {
			t.Errorf("seed %d, world %d, request %d: %s\nwant %s\ngot  %s\n%s", seed, number, i, d, want, real, past.about(req))
			return false
		}
	}
	return true
}

// A history is what has been said in a world.
type history []exchange

type exchange struct {
	number int
	req    Request
	real   Response
}

// about returns the last exchanges about the same object as the last one, and
// then the last ones of all.
func (h history) about(req Request) string {
	const most = 5
	var same []string
	for i := len(h) - 1; i >= 0 && len(same) <= most; i-- {
		if sameObject(h[i].req, req) {
			same = append([]string{h[i].String()}, same...)
		}
	}
	all := h[max(0, len(h)-most-1):]
	var b strings.Builder
	b.WriteString("the last requests about the same object:\n" + strings.Join(same, ""))
	b.WriteString("the last requests:\n")
	for _, e := range all {
		b.WriteString(e.String())
	}
	return b.String()
}

// sameObject says whether two requests are about the same thing, or one is
// about a collection that the other's is in.
func sameObject(a, b Request) bool {
	x, y := object(a), object(b)
	return strings.HasPrefix(x+"/", y+"/") || strings.HasPrefix(y+"/", x+"/")
}

func object(req Request) string {
	path, _, _ := strings.Cut(req.Path, "?")
	path = strings.TrimSuffix(path, "/")
	path = strings.TrimSuffix(path, "/_count")
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	return path
}

func (e exchange) String() string {
	version, _ := header(e.req.Header, "X-Kinvey-Api-Version")
	auth, _ := header(e.req.Header, "Authorization")
	return fmt.Sprintf("  %d: %s %s [v%s, %s] %s\n     -> %s\n", e.number, e.req.Method, e.req.Path, version, auth, e.req.Body, e.real)
}

package engine_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"postern/auth"
	"postern/engine"
	"postern/engine/store"
)

// One address has a bounded number of connections; loopback has no bound, and
// a connection that was closed counts no more.
func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	s := start(t)
	l := fasthttputil.NewInmemoryListener()
	srv := engine.NewServer(s.e, false)
	srv.Serve(l, func(err error) { t.Error(err) })
	defer srv.Stop(time.Second)
	dial := func(ip string) net.Conn {
		c, err := l.DialWithLocalAddr(&net.TCPAddr{IP: net.ParseIP(ip), Port: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	// served tells whether the connection is answered rather than closed.
	served := func(c net.Conn) bool {
		if _, err := io.WriteString(c, "GET /appdata HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return false
		}
		b := make([]byte, 12)
		_, err := io.ReadFull(c, b)
		return err == nil && string(b) == "HTTP/1.1 200"
	}
	var conns []net.Conn
	for i := range 256 {
		c := dial("192.0.2.1")
		if !served(c) {
			t.Fatalf("connection %d is refused", i)
		}
		conns = append(conns, c)
	}
	if served(dial("192.0.2.1")) {
		t.Error("connection 257 of one address is served")
	}
	if !served(dial("192.0.2.2")) {
		t.Error("another address is refused")
	}
	for range 300 {
		if !served(dial("127.0.0.1")) {
			t.Fatal("loopback is refused")
		}
	}
	conns[0].Close()
	for deadline := time.Now().Add(10 * time.Second); !served(dial("192.0.2.1")); {
		if time.Now().After(deadline) {
			t.Fatal("a closed connection counts for ever")
		}
	}
}

// A request that says twice who it is from could be read in two ways.
func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	request := "GET /user/" + kid + "/_me HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + alice.session() +
		"\r\nAuthorization: " + asMaster + "\r\n\r\n"
	if all := string(attackRaw(t, attackTCP(s), []byte(request))); !strings.HasPrefix(all, "HTTP/1.1 400 ") {
		t.Errorf("answered with %.200q", all)
	}
}

// A server may be told to stop before it has begun to accept.
func TestStopRightAfterServe(t *testing.T) {
	e, err := engine.Open(engine.Config{Driver: store.NewMemory(), Argon: auth.CheapParams})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for range 200 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := engine.NewServer(e, false)
		srv.Serve(l, func(err error) { t.Error(err) })
		srv.Stop(time.Second) // once it hung, and the test with it
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			c.Close()
			t.Fatal("it still listens")
		}
	}
}

package engine_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
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

// Answers of every length around that of the buffer that they are written
// through arrive whole, one behind the other, pipelined or not.
func TestAnswersAroundTheBuffer(t *testing.T) {
	const buffer = 4096
	s := start(t)
	address := attackTCP(s)
	filler := func(n int) string { return strings.Repeat("x", n) }
	// What an answer has besides the filler.
	id := func(n int) string { return fmt.Sprintf("e%06d", n) }
	put := func(n int) string {
		a := s.want(s.do("PUT", "/appdata/"+kid+"/sized/"+id(n), asMaster, `{"_acl":{"creator":"somebody"},"f":"`+filler(n)+`"}`), 201, "")
		return string(a.body)
	}
	request := func(n int) string {
		return "GET /appdata/" + kid + "/sized/" + id(n) + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + asMaster + "\r\n\r\n"
	}
	want := map[int]string{1000: put(1000)}
	whole := len(attackRaw(t, address, []byte(request(1000))))
	var sizes []int
	for _, size := range []int{buffer, 2 * buffer, 3 * buffer} {
		for by := -2; by <= 2; by++ {
			sizes = append(sizes, 1000+size-whole+by, 1000+size-len(want[1000])+by) // the whole answer, the body
		}
	}
	for _, n := range sizes {
		want[n] = put(n)
	}
	check := func(in *bufio.Reader, n int) {
		t.Helper()
		var res fasthttp.Response
		if err := res.Read(in); err != nil {
			t.Fatalf("filler of %d: %.200s", n, err.Error())
		}
		if string(res.Body()) != want[n] {
			t.Fatalf("filler of %d: %d bytes, want %d", n, len(res.Body()), len(want[n]))
		}
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // what is held back for ever would be noticed
	in := bufio.NewReader(c)
	for _, n := range sizes {
		if _, err := io.WriteString(c, request(n)); err != nil {
			t.Fatal(err)
		}
		check(in, n)
	}
	// All pairs of two, and what comes behind them.
	for _, n := range sizes {
		for _, m := range sizes {
			if _, err := io.WriteString(c, request(n)+request(m)+request(1000)); err != nil {
				t.Fatal(err)
			}
			check(in, n)
			check(in, m)
			check(in, 1000)
		}
	}
}

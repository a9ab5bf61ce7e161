package engine_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"postern/engine"
)

// The tests in attack_*_test.go attack the server as somebody who wants another
// user's data. Each is named for what it tries. What they have in common is
// here: further ways to reach the engine of a test server.

// The credentials of a second app that an attacker owns.
const (
	evilKid    = "kid_evil"
	evilSecret = "c0000000000000000000000000000003"
	evilMaster = "d0000000000000000000000000000004"
)

// attackEvilApp makes the attacker's own app on the same server.
func attackEvilApp(s *server) {
	s.t.Helper()
	if _, err := s.e.CreateApp(engine.NewApp{Key: evilKid, AppSecret: evilSecret, MasterSecret: evilMaster,
		Options: engine.AppOptions{GroupCreation: "users"}}); err != nil {
		s.t.Fatal("CreateApp:", err)
	}
}

// attackWith returns an option for start that edits the apps' settings.
func attackWith(change func(*engine.AppOptions)) func(*options) {
	return func(o *options) { change(&o.app) }
}

// attackServe serves the engine on one more listener for as long as the test
// lasts.
func attackServe(s *server, l net.Listener, admin bool) {
	s.t.Helper()
	srv := engine.NewServer(s.e, admin)
	srv.Serve(l, func(err error) { s.t.Error(err) })
	s.t.Cleanup(func() { srv.Stop(50 * time.Millisecond) })
}

// attackFrom returns the server as it is reached from an address.
func attackFrom(s *server, l *fasthttputil.InmemoryListener, address string) *server {
	local := &net.TCPAddr{IP: net.ParseIP(address), Port: 40000}
	c := &fasthttp.HostClient{
		Addr: "localhost", Dial: func(string) (net.Conn, error) { return l.DialWithLocalAddr(local) },
		MaxConns: 1024, NoDefaultUserAgentHeader: true, DisablePathNormalizing: true, MaxIdemponentCallAttempts: 1,
	}
	s.t.Cleanup(c.CloseIdleConnections)
	return &server{t: s.t, e: s.e, driver: s.driver, http: c}
}

// attackAdmin returns the server as it is reached through the socket in the
// data directory.
func attackAdmin(s *server) *server {
	s.t.Helper()
	l := fasthttputil.NewInmemoryListener()
	attackServe(s, l, true)
	return attackFrom(s, l, "127.0.0.1")
}

// attackTCP serves the engine on a real TCP port and returns its address.
func attackTCP(s *server) string {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	attackServe(s, l, false)
	return l.Addr().String()
}

// attackRaw sends bytes over a fresh connection and returns everything that
// comes back until the server closes or has nothing more to say.
func attackRaw(t testing.TB, address string, request []byte) []byte {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		_, _ = c.Write(request)
		// Half-close: the server answers all it has read, then sees the end.
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	all, _ := io.ReadAll(c)
	return all
}

// attackStatuses lists the statuses of the answers in what attackRaw returned.
func attackStatuses(all []byte) []int {
	var out []int
	r := bufio.NewReader(bytes.NewReader(all))
	for {
		var res fasthttp.Response
		if err := res.Read(r); err != nil {
			return out
		}
		out = append(out, res.StatusCode())
	}
}

// attackLogin logs a user in and returns the answer.
func attackLogin(s *server, name, password string) answer {
	s.t.Helper()
	return s.do("POST", "/user/"+kid+"/login", asApp, fmt.Sprintf(`{"username":%q,"password":%q}`, name, password))
}

// attackSame fails unless two answers are the same to the byte, apart from what
// differs between any two requests.
func attackSame(t testing.TB, what string, a, b answer) {
	t.Helper()
	if a.status != b.status || !bytes.Equal(a.body, b.body) {
		t.Errorf("%s: answers differ:\n%d %s\n%d %s", what, a.status, a.body, b.status, b.body)
	}
	for _, m := range []answer{a, b} {
		for _, h := range []string{"X-Kinvey-Request-Id", "X-Kinvey-Request-Start", "Date"} {
			delete(m.header, h)
		}
	}
	if fmt.Sprint(a.header) != fmt.Sprint(b.header) {
		t.Errorf("%s: headers differ:\n%v\n%v", what, a.header, b.header)
	}
}

// attackLacks fails when the answer holds any of the texts.
func attackLacks(t testing.TB, what string, a answer, secrets ...string) {
	t.Helper()
	all := fmt.Sprint(a.header) + string(a.body)
	for _, s := range secrets {
		if strings.Contains(all, s) {
			t.Errorf("%s: the answer reveals %q: %d %s", what, s, a.status, all)
		}
	}
}

// attackQuery is a list path with a filter.
func attackQuery(collection, filter string) string {
	return "/appdata/" + kid + "/" + collection + "?query=" + url.QueryEscape(filter)
}

// attackBase64 is a Basic header of any text.
func attackBase64(text string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(text))
}

package engine_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"postern/auth"
	"postern/engine"
)

// The operator that the tests of the console make.
const (
	chiefMail     = "chief@example.org"
	chiefPassword = "a quiet harbour wall"
)

// A browser is somebody at the console: his requests have what those of its page have,
// and the cookie that he was given.
type browser struct {
	server
	cookie string // its value
}

// console opens the console plane of a server.
func (s *server) console() *browser { return s.consoleFrom("127.0.0.1") }

// consoleFrom is for a browser at an address.
func (s *server) consoleFrom(address string) *browser {
	s.t.Helper()
	l := fasthttputil.NewInmemoryListener()
	srv := engine.NewConsoleServer(s.e)
	srv.Serve(l, func(err error) { s.t.Error(err) })
	c := &fasthttp.HostClient{
		Addr: "localhost", Dial: func(string) (net.Conn, error) {
			return l.DialWithLocalAddr(&net.TCPAddr{IP: net.ParseIP(address), Port: 40000})
		},
		MaxConns: 64, NoDefaultUserAgentHeader: true, DisablePathNormalizing: true,
	}
	s.t.Cleanup(func() {
		c.CloseIdleConnections()
		srv.Stop(time.Second)
	})
	return &browser{server: server{t: s.t, e: s.e, driver: s.driver, http: c}}
}

// other is another browser at the same console.
func (b *browser) other() *browser { return &browser{server: b.server} }

// withSealKey is a server that can hold secrets.
func withSealKey(o *options) { o.config.SealKey = &auth.SealKey{1, 2, 3} }

// newOperator makes an operator.
func (s *server) newOperator(email, password, role string) {
	s.t.Helper()
	if err := s.e.CreateOperator(email, password); err != nil {
		s.t.Fatal(err)
	}
	if role != "owner" {
		if err := s.e.SetOperatorRole(email, role); err != nil {
			s.t.Fatal(err)
		}
	}
}

// ask sends a request as the page of the console does. more are headers, name and
// value; a value "-" leaves one out that would be there.
func (b *browser) ask(method, path, body string, more ...string) answer {
	b.t.Helper()
	headers := map[string]string{"X-Postern-Console": "1", "Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
	if b.cookie != "" {
		headers["Cookie"] = "__Host-postern=" + b.cookie
	}
	for i := 0; i+1 < len(more); i += 2 {
		headers[more[i]] = more[i+1]
	}
	var list []string
	authorization := ""
	for name, value := range headers {
		switch {
		case value == "-":
		case name == "Authorization":
			authorization = value
		default:
			list = append(list, name, value)
		}
	}
	return b.do(method, path, authorization, body, list...)
}

// api asks a route below /-/console/api.
func (b *browser) api(method, path, body string, more ...string) answer {
	b.t.Helper()
	return b.ask(method, "/-/console/api"+path, body, more...)
}

// login logs in and takes the cookie. code is "" without one.
func (b *browser) login(email, password, code string) answer {
	b.t.Helper()
	body := fmt.Sprintf(`{"email":%q,"password":%q`, email, password)
	if code != "" {
		body += fmt.Sprintf(`,"code":%q`, code)
	}
	a := b.ask("POST", "/-/console/login", body+"}")
	if value, ok := strings.CutPrefix(a.header["Set-Cookie"], "__Host-postern="); ok {
		b.cookie, _, _ = strings.Cut(value, ";")
	}
	return a
}

// atConsole is a server with an owner who is logged in to its console.
func atConsole(t testing.TB, change ...func(*options)) (*server, *browser) {
	t.Helper()
	s := start(t, change...)
	s.newOperator(chiefMail, chiefPassword, "owner")
	b := s.console()
	b.want(b.login(chiefMail, chiefPassword, ""), 200, "")
	return s, b
}

// wantAny is want for errors that are called code, too.
func (b *browser) wantAny(a answer, status int, name string) answer {
	b.t.Helper()
	got := a.error(b.t)
	if status >= 400 && got == "" && len(a.body) > 0 {
		got, _ = get(a.json(b.t), "code").(string)
	}
	if a.status != status || status >= 400 && got != name {
		b.t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, name)
	}
	return a
}

// over checks that the browser's session is over.
func (b *browser) over(why string) {
	b.t.Helper()
	if a := b.ask("GET", "/-/console/session", ""); a.status != 401 {
		b.t.Errorf("after %s the session answers %d %s", why, a.status, a.body)
	}
}

package engine_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/engine"
)

// A request that does something is refused when one of the things that the page's own
// requests have is missing or wrong, at every kind of address.
func TestConsoleRefusesOtherOrigins(t *testing.T) {
	_, b := atConsole(t)
	targets := []struct{ method, path, body string }{
		{"POST", "/-/console/login", fmt.Sprintf(`{"email":%q,"password":%q}`, chiefMail, chiefPassword)},
		{"GET", "/-/console/session", ""},
		{"GET", "/-/console/who", ""},
		{"GET", "/-/console/api/v4/apps", ""},
		{"GET", "/-/console/api/appdata/" + kid + "/things", ""},
		{"POST", "/-/console/api/appdata/" + kid + "/things", `{"_id":"forged"}`},
		{"DELETE", "/-/console/api/appdata/" + kid + "/things", ""},
		{"GET", "/-/console/api/nowhere", ""},
		{"OPTIONS", "/-/console/api/appdata/" + kid + "/things", ""},
		{"POST", "/-/console/logout", ""},
	}
	wrong := [][]string{
		{"X-Postern-Console", "-"}, {"X-Postern-Console", "0"}, {"X-Postern-Console", "true"}, {"X-Postern-Console", ""},
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Site", "SAME-ORIGIN"},
		{"Origin", "null"}, {"Origin", "http://evil.example"}, {"Origin", "https://localhost"}, {"Origin", "http://localhost:81"},
		{"Origin", "http://localhost.evil.example"}, {"Origin", "http://localhost/"}, {"Origin", "localhost"},
	}
	for _, to := range targets {
		for _, headers := range wrong {
			a := b.ask(to.method, to.path, to.body, headers...)
			if a.status != 403 || a.header["Set-Cookie"] != "" {
				t.Errorf("%s %s with %q: %d %s, cookie %q", to.method, to.path, headers, a.status, a.body, a.header["Set-Cookie"])
			}
			if cors := a.header["Access-Control-Allow-Origin"]; cors != "" {
				t.Errorf("%s %s with %q allows %q", to.method, to.path, headers, cors)
			}
		}
	}
	b.want(b.ask("GET", "/-/console/session", ""), 200, "") // nobody has logged him out
	if a := b.api("GET", "/appdata/"+kid+"/things", ""); strings.Contains(string(a.body), "forged") {
		t.Errorf("a forged request has written: %s", a.body)
	}
	// Browsers that send neither header are served by the one that is always asked for.
	b.want(b.ask("GET", "/-/console/session", "", "Origin", "-", "Sec-Fetch-Site", "-"), 200, "")
	// No page of an origin that an app allows may use this listener.
	b.want(b.api("PUT", "/v4/environments/"+kid, `{"corsOrigins":["https://app.example"]}`), 200, "")
	for _, method := range []string{"GET", "OPTIONS"} {
		a := b.api(method, "/appdata/"+kid+"/things", "", "Origin", "https://app.example")
		if a.status != 403 || a.header["Access-Control-Allow-Origin"] != "" {
			t.Errorf("%s from an allowed origin: %d %v", method, a.status, a.header)
		}
	}
}

// The cookie is for this host alone, for no script, and for no request that another
// site begins; and nothing else in the answer has the token.
func TestConsoleCookie(t *testing.T) {
	_, b := atConsole(t)
	a := b.login(chiefMail, chiefPassword, "")
	if want := "__Host-postern=" + b.cookie + "; Path=/; HttpOnly; Secure; SameSite=Strict"; a.header["Set-Cookie"] != want {
		t.Errorf("the cookie is %q; want %q", a.header["Set-Cookie"], want)
	}
	if strings.Contains(string(a.body), b.cookie) || len(b.cookie) < 60 {
		t.Errorf("the token is in the body %s, or short", a.body)
	}
	for name, value := range a.header {
		if name != "Set-Cookie" && strings.Contains(value, b.cookie) {
			t.Errorf("%s has the token", name)
		}
	}
	// Not even where a client wants headers repeated in the body.
	a = b.ask("POST", "/-/console/login", fmt.Sprintf(`{"email":%q,"password":%q}`, chiefMail, chiefPassword),
		"X-Kinvey-ResponseWrapper", "true", "X-Kinvey-Include-Headers-In-Response", "Set-Cookie, Cookie")
	if a.status != 200 || strings.Contains(string(a.body), "__Host") {
		t.Errorf("a wrapped login: %d %s", a.status, a.body)
	}
	first := b.cookie
	b.want(b.login(chiefMail, chiefPassword, ""), 200, "")
	if b.cookie == first {
		t.Error("a login gives the token that the browser had")
	}
	now := b.cookie
	b.cookie = first
	b.over("another login in this browser")
	b.cookie = now
	a = b.want(b.ask("POST", "/-/console/logout", ""), 204, "")
	if want := "__Host-postern=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0"; a.header["Set-Cookie"] != want {
		t.Errorf("the cookie is cleared by %q", a.header["Set-Cookie"])
	}
	b.over("the logout")
	b.want(b.ask("POST", "/-/console/logout", ""), 204, "")
}

// What opens one plane opens no other.
func TestConsolePlanesAreApart(t *testing.T) {
	s, b := atConsole(t)
	alice := s.signUp("alice")
	a := s.want(s.do("POST", "/session", "", fmt.Sprintf(`{"email":%q,"password":%q}`, chiefMail, chiefPassword)), 200, "")
	operator, _ := get(a.json(t), "token").(string)
	derived, _ := get(s.want(s.do("GET", "/v4/environments/"+kid, "Kinvey "+operator, ""), 200, "").json(t), "masterSecret").(string)
	// A console token at the public listener.
	for _, header := range []string{"Kinvey " + b.cookie, basic(kid, b.cookie), basic(chiefMail, b.cookie), basic(chiefMail, chiefPassword)} {
		for _, path := range []string{"/v4/apps", "/v4/user", "/v4/environments/" + kid, "/appdata/" + kid + "/things", "/user/" + kid + "/_me"} {
			if a := s.do("GET", path, header, ""); a.status != 401 {
				t.Errorf("GET %s with a console token: %d %s", path, a.status, a.body)
			}
		}
	}
	if a := s.do("GET", "/v4/apps", "", "", "Cookie", "__Host-postern="+b.cookie, "X-Postern-Console", "1"); a.status != 401 {
		t.Errorf("the public listener takes the cookie: %d", a.status)
	}
	if a := s.do("GET", "/appdata/"+kid+"/things", alice.session(), "", "X-Postern-Seen-As", "x"); a.status != 200 {
		t.Errorf("the public listener looks at Seen-As: %d", a.status)
	}
	for _, path := range []string{"/-/console", "/-/console/", "/-/console/app.js", "/-/console/session", "/-/console/api/v4/apps"} {
		if a := s.do("GET", path, "", "", "X-Postern-Console", "1", "Cookie", "__Host-postern="+b.cookie); a.status != 404 {
			t.Errorf("the public listener answers %s: %d", path, a.status)
		}
	}
	// Other tokens at the console.
	mine := b.cookie
	for _, cookie := range []string{operator, alice.token, derived, masterSecret, "", " ", strings.ToUpper(mine), mine + "x", mine[:len(mine)-1], "x; __Host-postern=" + operator} {
		b.cookie = cookie
		for _, path := range []string{"/-/console/session", "/-/console/api/v4/apps", "/-/console/api/appdata/" + kid + "/things"} {
			if a := b.ask("GET", path, ""); a.status != 401 {
				t.Errorf("GET %s with the cookie %q: %d %s", path, cookie, a.status, a.body)
			}
		}
	}
	b.cookie = mine
	// Authorization means nothing there, with the cookie or without.
	for _, header := range []string{asMaster, asApp, "Kinvey " + operator, "Kinvey " + mine, alice.session(), "Basic", "x"} {
		for _, cookie := range []string{"__Host-postern=" + mine, "-"} {
			for _, path := range []string{"/-/console/", "/-/console/session", "/-/console/api/v4/apps", "/-/console/api/appdata/" + kid + "/things"} {
				if a := b.ask("GET", path, "", "Authorization", header, "Cookie", cookie); a.status != 400 {
					t.Errorf("GET %s with Authorization %q: %d %s", path, header, a.status, a.body)
				}
			}
		}
	}
	// A 401 asks nobody for a password: a browser would open a window of its own.
	if a := b.other().ask("GET", "/-/console/api/v4/apps", ""); a.status != 401 || a.header["Www-Authenticate"] != "" {
		t.Errorf("without a session: %d, WWW-Authenticate %q", a.status, a.header["Www-Authenticate"])
	}
}

// consoleWears checks the headers that every answer has.
func consoleWears(t *testing.T, what string, header func(string) string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
			"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
		"Access-Control-Allow-Origin": "", "Server": "", "Www-Authenticate": "",
	} {
		if got := header(name); got != want {
			t.Errorf("%s: %s is %q; want %q", what, name, got, want)
		}
	}
}

func TestConsoleHeadersAndPage(t *testing.T) {
	_, b := atConsole(t)
	page := b.ask("GET", "/-/console/", "", "X-Postern-Console", "-", "Sec-Fetch-Site", "none", "Origin", "-")
	if page.status != 200 || page.header["Content-Type"] != "text/html; charset=utf-8" || page.header["Cache-Control"] != "no-cache" {
		t.Fatalf("the page: %d %v", page.status, page.header)
	}
	script := b.ask("GET", "/-/console/app.js", "")
	if script.status != 200 || script.header["Content-Type"] != "text/javascript; charset=utf-8" {
		t.Errorf("a script: %d %v", script.status, script.header)
	}
	for what, a := range map[string]answer{
		"200": page, "304": b.ask("GET", "/-/console/", "", "If-None-Match", page.header["Etag"]), "script": script,
		"302": b.ask("GET", "/", ""), "404": b.ask("GET", "/x", ""), "405": b.ask("POST", "/-/console/", "{}"), "400": b.ask("GET", "/-/console/", "", "Authorization", "x"),
		"401": b.ask("POST", "/-/console/login", `{"email":"x","password":"y"}`), "400 body": b.ask("POST", "/-/console/login", `{`),
		"403": b.ask("GET", "/-/console/session", "", "Origin", "null"), "204": b.ask("POST", "/-/console/logout", ""),
		"404 api": b.api("GET", "/nowhere", ""), "405 api": b.api("PATCH", "/v4/apps", ""), "401 api": b.api("GET", "/v4/apps", ""),
		"413": b.api("POST", "/v4/apps", `{"x":"`+strings.Repeat("x", 11<<20)+`"}`),
	} {
		if want := strings.Fields(what)[0]; want[0] < 'a' && fmt.Sprint(a.status) != want {
			t.Errorf("%s: %d %.200s", what, a.status, a.body)
		}
		consoleWears(t, what, func(name string) string { return a.header[name] })
		if a.header["Strict-Transport-Security"] != "" {
			t.Errorf("%s: HSTS without TLS", what)
		}
	}
	if a := b.ask("GET", "/", ""); a.header["Location"] != "/-/console/" {
		t.Errorf("/ leads to %q", a.header["Location"])
	}
	// What is no file of the page is not there, however it is written.
	for _, path := range []string{
		"/-/console/../v4/apps", "/-/console/%2e%2e/v4/apps", "/-/console/..%2fapp.js", "/-/console/./app.js", "/-/console//app.js", "/-/console/app.js/", "//-/console/app.js",
		"/-/console/%61pp.js", "/-/console/APP.JS", "/-/console/console.go", "/-/console/testdata/console.js", "/-/console/index.html%00", "/-/console/app.js%00.html",
		"/-/console/..\\app.js", "/-/Console/", "/%2d/console/", "/v4/apps", "/-/live", "/-/metrics", "/appdata", "/-/consoleapi/v4/apps", "/-/console/api", "/-/console/api%2fv4/apps",
		"/-/console/../../../../etc/passwd", "/-/console/api/../app.js", "/-/console/api/../../v4/apps", "/-/console/api//v4/apps", "/-/console/api/%2e%2e/session",
	} {
		if a := b.ask("GET", path, ""); a.status != 404 {
			t.Errorf("GET %s: %d %.200s", path, a.status, a.body)
		} else {
			consoleWears(t, path, func(name string) string { return a.header[name] })
		}
	}
}

// consoleOn serves the console on a real listener and returns its address.
func consoleOn(t *testing.T, s *server, wrap func(net.Listener) net.Listener) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := engine.NewConsoleServer(s.e)
	srv.Serve(wrap(l), func(err error) { t.Error(err) })
	t.Cleanup(func() { srv.Stop(time.Second) })
	return l.Addr().String()
}

// A page on the web can have its own name lead to the loopback interface. The console
// does not answer to that name.
func TestConsoleAnswersLoopbackNamesOnly(t *testing.T) {
	s := start(t)
	address := consoleOn(t, s, func(l net.Listener) net.Listener { return l })
	_, port, _ := net.SplitHostPort(address)
	ask := func(raw string) *http.Response {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, raw); err != nil {
			t.Fatal(err)
		}
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%.60q: %v", raw, err)
		}
		return a
	}
	for host, status := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:" + port: 200, "localhost:" + port: 200, "[::1]:" + port: 200, "console.localhost": 200,
		"evil.example": 400, "evil.example:" + port: 400, "127.0.0.1.evil.example": 400, "localhost.evil.example": 400, "": 400, "10.0.0.1": 400, "0.0.0.0": 400,
	} {
		for _, path := range []string{"/-/console/", "/-/console/app.js", "/-/console/who"} {
			a := ask("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nX-Postern-Console: 1\r\nOrigin: http://" + host + "\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n")
			want := status
			if path == "/-/console/who" && status == 200 {
				want = 204
			}
			if a.StatusCode != want {
				t.Errorf("GET %s for the host %q: %d; want %d", path, host, a.StatusCode, want)
			}
			consoleWears(t, "host "+host, a.Header.Get)
		}
	}
	if a := ask("GET http://evil.example/-/console/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); a.StatusCode != 400 {
		t.Errorf("a foreign host in the request line: %d", a.StatusCode)
	}
	// What does not get as far as a handler wears the same.
	for _, raw := range []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\n",
		"GET /" + strings.Repeat("x", 300<<10) + " HTTP/1.1\r\n\r\n",
		"nonsense\r\n\r\n",
	} {
		a := ask(raw)
		if a.StatusCode < 400 {
			t.Errorf("%.20q: %d", raw, a.StatusCode)
		}
		consoleWears(t, fmt.Sprintf("%.20q", raw), a.Header.Get)
	}
}

// Over TLS the console says that it is never to be had without, except for the
// loopback names, which it shares with every other server of the machine.
func TestConsoleOverTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"console.example"}}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	address := consoleOn(t, s, func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for host, hsts := range map[string]string{"console.example": "max-age=31536000", "localhost": ""} {
		for scheme, want := range map[string]int{"https": 204, "http": 403} {
			req, err := http.NewRequest("GET", "https://"+address+"/-/console/who", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			req.Header.Set("X-Postern-Console", "1")
			req.Header.Set("Origin", scheme+"://"+host)
			a, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = a.Body.Close()
			if host != "localhost" {
				want = 400 // on the loopback interface
			}
			if a.StatusCode != want || a.Header.Get("Strict-Transport-Security") != hsts {
				t.Errorf("%s from %s: %d, HSTS %q; want %d, %q", host, scheme, a.StatusCode, a.Header.Get("Strict-Transport-Security"), want, hsts)
			}
			consoleWears(t, host, a.Header.Get)
		}
	}
}

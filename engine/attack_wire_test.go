package engine_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// attackSmuggling are requests whose end two readers could see in different
// places. H stands for the head that they have in common, S for a whole second
// request that must never be served: it creates an entity. LEN is the length
// of S, HEX the same in hex, END the length of everything after the head.
var attackSmuggling = []struct{ name, request string }{
	{"CL.TE", "HContent-Length: END\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nS"},
	{"TE.CL order", "HTransfer-Encoding: chunked\r\nContent-Length: END\r\n\r\n0\r\n\r\nS"},
	{"TE.CL short", "HContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nHEX\r\nS\r\n0\r\n\r\n"},
	{"CL 0 and TE", "HContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\nHEX\r\nS\r\n0\r\n\r\n"},
	{"cl.te lower case", "Hcontent-length: END\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nS"},
	{"two CL, first long", "HContent-Length: LEN\r\nContent-Length: 0\r\n\r\nS"},
	{"two CL, first short", "HContent-Length: 0\r\nContent-Length: LEN\r\n\r\nS"},
	{"two equal CL and more", "HContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}S"},
	{"CL list", "HContent-Length: 0, LEN\r\n\r\nS"},
	{"CL equal list", "HContent-Length: 0, 0\r\n\r\nS"},
	{"CL plus", "HContent-Length: +0\r\n\r\nS"}, {"CL minus", "HContent-Length: -0\r\n\r\nS"}, {"CL negative", "HContent-Length: -1\r\n\r\nS"}, {"CL hex", "HContent-Length: 0x0\r\n\r\nS"},
	{"CL float", "HContent-Length: 0.0\r\n\r\nS"}, {"CL exponent", "HContent-Length: 0e5\r\n\r\nS"}, {"CL underscore", "HContent-Length: 0_0\r\n\r\nS"}, {"CL inner space", "HContent-Length: 0 0\r\n\r\nS"}, {"CL quoted", "HContent-Length: \"0\"\r\n\r\nS"},
	{"CL letter", "HContent-Length: 0x\r\n\r\nS"}, {"CL overflow", "HContent-Length: 18446744073709551616\r\n\r\nS"}, {"CL empty", "HContent-Length:\r\n\r\nS"}, {"CL vertical tab", "HContent-Length: \x0b0\r\n\r\nS"}, {"CL full width", "HContent-Length: ０\r\n\r\nS"},
	{"CL with a space before the colon", "HContent-Length : LEN\r\n\r\nS"}, {"CL with a tab before the colon", "HContent-Length\t: LEN\r\n\r\nS"}, {"CL with a space in front", "H Content-Length: LEN\r\n\r\nS"}, {"CL with NUL", "HContent-Length\x00: LEN\r\n\r\nS"},
	{"TE space before the colon", "HContent-Length: END\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nS"}, {"TE tab before the colon", "HContent-Length: END\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\nS"},
	{"TE vertical tab", "HContent-Length: END\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\nS"}, {"TE xchunked", "HContent-Length: END\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nS"}, {"TE quoted", "HContent-Length: END\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\nS"},
	{"TE identity", "HContent-Length: END\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\nS"}, {"TE chunked, identity", "HContent-Length: END\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nS"}, {"TE identity, chunked", "HContent-Length: END\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\nS"},
	{"TE twice", "HContent-Length: END\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\nS"}, {"TE twice, other way", "HContent-Length: END\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nS"}, {"TE gzip", "HContent-Length: END\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\nS"},
	{"TE upper case", "HContent-Length: END\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\nS"}, {"TE empty", "HContent-Length: END\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\nS"}, {"TE underscore", "HTransfer_Encoding: chunked\r\nContent-Length: END\r\n\r\n0\r\n\r\nS"},
	{"TE folded", "HContent-Length: END\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nS"}, {"TE folded, tab", "HContent-Length: END\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\nS"}, {"TE folded behind another", "HContent-Length: END\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nS"},
	{"CL folded", "HContent-Length:\r\n 0\r\n\r\nS"}, {"CL folded behind another", "HX: y\r\n\tContent-Length: LEN\r\n\r\nS"}, {"folded first header", "P\r\nHost: x\r\n Content-Length: LEN\r\n\r\nS"},
	{"TE after bare LF", "HContent-Length: END\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nS"}, {"TE after bare CR", "HContent-Length: END\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nS"}, {"TE hidden behind NUL", "HContent-Length: END\r\nX: y\x00\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nS"},
	{"chunk size with LF in its extension", "HTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\nHEX\r\nS\r\n0\r\n\r\n"}, {"chunk size overflow", "HTransfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\nS"}, {"chunk size minus", "HTransfer-Encoding: chunked\r\n\r\n-1\r\nS"}, {"chunk size 0x", "HTransfer-Encoding: chunked\r\n\r\n0xHEX\r\nS\r\n0\r\n\r\n"},
	{"chunk size with a space", "HTransfer-Encoding: chunked\r\n\r\n 0\r\n\r\nS"}, {"chunk without CRLF", "HTransfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\nS"}, {"chunked on HTTP/1.0", "POST /appdata/" + kid + "/c HTTP/1.0\r\nHost: x\r\nAuthorization: MASTER\r\nContent-Length: END\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nS"},
	{"no Host", "POST /appdata/" + kid + "/c HTTP/1.1\r\nContent-Length: LEN\r\n\r\nS"}, {"two Hosts", "HHost: y\r\nContent-Length: LEN\r\n\r\nS"}, {"unknown version", "POST /appdata/" + kid + "/c HTTP/2.7\r\nHost: x\r\nContent-Length: LEN\r\n\r\nS"},
	{"GET with a body", "GET /appdata/" + kid + "/c HTTP/1.1\r\nHost: x\r\nAuthorization: MASTER\r\nContent-Length: LEN\r\n\r\nS"}, {"DELETE with a body", "DELETE /appdata/" + kid + "/c/x HTTP/1.1\r\nHost: x\r\nAuthorization: MASTER\r\nContent-Length: LEN\r\n\r\nS"}, {"unknown route with a body", "POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: LEN\r\n\r\nS"},
	{"refused credentials with a body", "POST /appdata/" + kid + "/c HTTP/1.1\r\nHost: x\r\nContent-Length: LEN\r\n\r\nS"}, {"Upgrade", "GET /appdata HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: LEN\r\n\r\nS"},
	{"colon in the name", "HContent-Length:0\r\n: LEN\r\nTransfer-Encoding chunked\r\n\r\nS"}, {"header without a colon", "HContent-Length: END\r\nTransfer-Encoding\r\n\r\n0\r\n\r\nS"},
}

// attackCase fills a case in.
func attackCase(request, id string) []byte {
	second := fmt.Sprintf("PUT /appdata/%s/smuggled/%s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", kid, id, asMaster)
	head := "POST /appdata/" + kid + "/c HTTP/1.1\r\nHost: x\r\nAuthorization: " + asMaster + "\r\nContent-Type: application/json\r\n"
	if rest, ok := strings.CutPrefix(request, "H"); ok {
		request = head + rest
	}
	request = strings.Replace(request, "P\r\n", "POST /appdata/"+kid+"/c HTTP/1.1\r\n", 1)
	request = strings.ReplaceAll(request, "MASTER", asMaster)
	top, body, _ := strings.Cut(request, "\r\n\r\n")
	fill := func(s string, end int) string {
		if strings.HasSuffix(s, "\r\nS") || strings.HasSuffix(s, "}S") || s == "S" {
			s = strings.TrimSuffix(s, "S") + second
		}
		s = strings.ReplaceAll(s, "\r\nS\r\n", "\r\n"+second+"\r\n")
		return strings.NewReplacer("END", fmt.Sprint(end), "LEN", fmt.Sprint(len(second)), "HEX", fmt.Sprintf("%x", len(second))).Replace(s)
	}
	body = fill(body, 0)
	return []byte(fill(top, len(body)) + "\r\n\r\n" + body)
}

// No second request is smuggled inside another. Guards: framing in handle.go
// and what fasthttp refuses.
func TestAttackRequestSmuggling(t *testing.T) {
	s := start(t)
	address := attackTCP(s)
	// The detector works: the second request is served where it is one.
	plain := attackCase("HContent-Length: 2\r\n\r\n{}S", "control")
	if all := attackRaw(t, address, plain); len(attackStatuses(all)) != 2 {
		t.Fatalf("two requests on one connection: %q", all)
	}
	s.want(s.do("GET", "/appdata/"+kid+"/smuggled/control", asMaster, ""), 200, "")
	for i, c := range attackSmuggling {
		id := fmt.Sprintf("case%d", i)
		request := attackCase(c.request, id)
		all := attackRaw(t, address, request)
		statuses := attackStatuses(all)
		benign := c.name == "two equal CL and more"
		if s.do("GET", "/appdata/"+kid+"/smuggled/"+id, asMaster, "").status != 404 {
			t.Errorf("%s: smuggled with %q, answers %v", c.name, request, statuses)
		}
		if len(statuses) > 1 && !benign {
			t.Errorf("%s: %d answers %v to %q", c.name, len(statuses), statuses, request)
		}
		lower := bytes.ToLower(request)
		if bytes.Contains(lower, []byte("\r\ncontent-length: ")) && bytes.Contains(lower, []byte("\r\ntransfer-encoding: chunked\r")) && fmt.Sprint(statuses) != "[400]" {
			t.Errorf("%s: answers %v, want 400: %q", c.name, statuses, request)
		}
		for _, st := range statuses {
			if st >= 500 {
				t.Errorf("%s: %d to %q", c.name, st, request)
			}
		}
	}
	if got := ids(t, s.do("GET", "/appdata/"+kid+"/smuggled", asMaster, "")); len(got) != 1 {
		t.Errorf("smuggled: %v", got)
	}
}

// What is too large is refused with a JSON body that says so, over a real
// connection. Guards: connectionError in server.go, framing in handle.go.
func TestAttackOversizedRequests(t *testing.T) {
	s := start(t)
	address := attackTCP(s)
	mallory := s.signUp("mallory")
	head := func(method, path, more string) string {
		return method + " " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + mallory.session() + "\r\n" + more + "\r\n"
	}
	post := "/appdata/" + kid + "/c"
	big := `{"x":"` + strings.Repeat("x", 1<<20) + `"}`
	chunked := func(body string) string {
		var b strings.Builder
		for len(body) > 0 {
			n := min(len(body), 4096)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
			body = body[n:]
		}
		return b.String() + "0\r\n\r\n"
	}
	for _, c := range []struct {
		name, request string
		status        int // 0: may be answered before the body is looked at
	}{
		{"body", head("POST", post, fmt.Sprintf("Content-Length: %d\r\n", len(big))) + big, 413},
		{"chunked body", head("POST", post, "Transfer-Encoding: chunked\r\n") + chunked(big), 413},
		{"announced body", head("POST", post, "Content-Length: 1000000000000\r\n") + strings.Repeat("{", 9000), 413},
		{"body by somebody unknown", strings.Replace(head("POST", post, fmt.Sprintf("Content-Length: %d\r\n", len(big))), "Authorization", "X", 1) + big, 0},
		{"body where none belongs", head("GET", post, fmt.Sprintf("Content-Length: %d\r\n", len(big))) + big, 0},
		{"body expecting 100", head("POST", post, fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n", len(big))) + big, 413},
		{"one long header", head("GET", post, "X-Long: "+strings.Repeat("x", 300<<10)+"\r\n"), 431},
		{"many long headers", head("GET", post, strings.Repeat("X-Long: "+strings.Repeat("x", 8000)+"\r\n", 40)), 431},
		{"many headers", head("GET", post, strings.Repeat("X: y\r\n", 100)), 431},
		{"thousand headers", head("GET", post, strings.Repeat("X: y\r\n", 1000)), 431},
		{"long line", head("GET", post+"?query="+strings.Repeat("x", 300<<10), ""), 414},
		{"long path", head("GET", "/"+strings.Repeat("x", 300<<10), ""), 414},
		{"line without end", "GET /" + strings.Repeat("x", 300<<10), 414},
	} {
		all := attackRaw(t, address, []byte(c.request))
		all = bytes.TrimPrefix(all, []byte("HTTP/1.1 100 Continue\r\n\r\n"))
		var res fasthttp.Response
		if err := res.Read(bufio.NewReader(bytes.NewReader(all))); err != nil {
			t.Errorf("%s: no answer: %v %.200q", c.name, err, all)
			continue
		}
		a := answer{status: res.StatusCode(), body: res.Body()}
		if c.status == 0 {
			if a.status >= 500 {
				t.Errorf("%s: %d %s", c.name, a.status, a.body)
			}
		} else if a.status != c.status || string(res.Header.ContentType()) != "application/json; charset=utf-8" || !bytes.HasPrefix(a.body, []byte(`{"error":"BadRequest","description":`)) {
			t.Errorf("%s: %d %s %.300s, want %d", c.name, a.status, res.Header.ContentType(), a.body, c.status)
		}
		if len(attackStatuses(all)) != 1 {
			t.Errorf("%s: answers %v", c.name, attackStatuses(all))
		}
	}
	// The longest that is allowed goes through: 10,000 ids of 24 digits.
	in := strings.Repeat(`"000000000000000000000000",`, 9000)
	request := head("GET", post+"?query={%22_id%22:{%22$in%22:["+strings.ReplaceAll(strings.TrimSuffix(in, ","), `"`, "'")+"]}}", "")
	if got := attackStatuses(attackRaw(t, address, []byte(strings.ReplaceAll(request, "'", "\"")))); len(got) != 1 || got[0] != 200 {
		t.Errorf("a long list of ids: %v", got)
	}
	if a := s.do("GET", post, asMaster, ""); string(a.body) != "[]" {
		t.Errorf("something was stored: %.100s", a.body)
	}
	// Everybody else is served on.
	s.want(s.do("GET", "/user/"+kid+"/_me", mallory.session(), ""), 200, "")
}

// Fields of one request never turn up in the next one of the same connection,
// and header values never become lines of an answer.
func TestAttackHeaderInjection(t *testing.T) {
	s := start(t)
	address := attackTCP(s)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	for _, id := range []string{"x\r\nSet-Cookie: a=b", "x\nX: y", "x y", strings.Repeat("x", 129), "caf\u00e9", "\x7f", ""} {
		raw := fmt.Appendf(nil, "GET /appdata/%s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nX-Kinvey-Request-Id: %s\r\nConnection: close\r\n\r\n", kid, asApp, id)
		if all := attackRaw(t, address, raw); bytes.Contains(all, []byte("Set-Cookie")) || bytes.Contains(all, []byte("\nX: y")) || id != "" && bytes.Contains(all, []byte(id)) && !strings.Contains(id, "\n") {
			t.Errorf("%q: %q", id, all)
		}
	}
	a := s.want(s.do("PUT", "/appdata/"+kid+"/c/x%3A%20y%2F%E2%9C%93", alice.session(), `{}`), 201, "")
	if got := a.header["Location"]; got != "/appdata/"+kid+"/c/x%3A%20y%2F%E2%9C%93" {
		t.Errorf("Location is %q", got)
	}
	// Two users in turn on one connection: each is himself, nobody is nobody.
	var b bytes.Buffer
	for range 50 {
		for _, h := range []string{"Authorization: " + alice.session() + "\r\n", "", "Authorization: " + bob.session() + "\r\n", "Authorization: " + asApp + "\r\n"} {
			fmt.Fprintf(&b, "GET /user/%s/_me HTTP/1.1\r\nHost: x\r\n%s\r\n", kid, h)
		}
	}
	r := bufio.NewReader(bytes.NewReader(attackRaw(t, address, b.Bytes())))
	for i := range 200 {
		var res fasthttp.Response
		if err := res.Read(r); err != nil {
			t.Fatal(i, err)
		}
		want := []string{alice.id, "InvalidCredentials", bob.id, "InsufficientCredentials"}[i%4]
		if !bytes.Contains(res.Body(), []byte(want)) {
			t.Fatalf("answer %d: %s, want %s", i, res.Body(), want)
		}
	}
}

// A page on the web cannot reach a development server by a name of its own.
// Guard: LoopbackHostsOnly in framing.
func TestAttackDevelopmentServerByAnotherHost(t *testing.T) {
	s := start(t, func(o *options) { o.config.LoopbackHostsOnly = true })
	address := attackTCP(s)
	for host, ok := range map[string]bool{
		"localhost": true, "127.0.0.1:8080": true, "[::1]:1": true, "app.localhost": true,
		"evil.example": false, "127.0.0.1.evil.example": false, "localhost.evil.example": false, "192.168.0.1": false, "0.0.0.0": false, "localhost@evil.example": false, "evil.example:80": false, "[::2]": false, "notlocalhost": false,
	} {
		request := "GET TARGET HTTP/1.1\r\nHost: HOST\r\nAuthorization: " + asApp + "\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\nConnection: close\r\n\r\n"
		for target, named := range map[string]string{"/appdata/" + kid: host, "http://" + host + "/appdata/" + kid: "localhost"} {
			all := attackRaw(t, address, []byte(strings.NewReplacer("TARGET", target, "HOST", named).Replace(request)))
			if bytes.HasPrefix(all, []byte("HTTP/1.1 200")) != ok {
				t.Errorf("GET %s, Host %q: %.200q", target, named, all)
			}
		}
	}
}

// Clients that begin requests and do not end them hold up nobody else, and take
// no more memory than a header buffer each, whatever body they announce; their
// number is bounded.
func TestAttackHalfOpenRequests(t *testing.T) {
	const clients, most = 300, 300 * (256<<10 + 32<<10)
	for _, c := range []struct{ name, request string }{
		{"headers", "GET /appdata HTTP/1.1\r\nHost: x\r\nX-Slow:"},
		{"announced bodies", "POST /appdata/" + kid + "/c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			address := attackTCP(s)
			heap := func() int {
				var m runtime.MemStats
				runtime.GC() // twice, for what pools have kept
				runtime.GC()
				runtime.ReadMemStats(&m)
				return int(m.HeapAlloc)
			}
			before := heap()
			for range clients {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_, _ = fmt.Fprint(conn, c.request)
			}
			for range 50 {
				s.want(s.do("GET", "/appdata/"+kid, asApp, ""), 200, "")
			}
			if grown := heap() - before; grown > most {
				t.Errorf("%d half-open requests take %d MiB, %d KiB each", clients, grown>>20, grown/clients>>10)
			}
		})
	}
}

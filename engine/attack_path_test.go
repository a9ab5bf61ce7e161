package engine_test

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// attackTarget sends a request whose target is written exactly as given.
func attackTarget(t *testing.T, address, method, target, authorization string) answer {
	t.Helper()
	raw := attackRaw(t, address, fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nConnection: close\r\n\r\n", method, target, authorization))
	var res fasthttp.Response
	if err := res.Read(bufio.NewReader(bytes.NewReader(raw))); err != nil {
		t.Fatalf("%s %q: %v: %q", method, target, err, raw)
	}
	return answer{status: res.StatusCode(), body: append([]byte(nil), res.Body()...)}
}

// The ids that an owner stores, and the spellings of paths to them: one
// canonical id each, or no entity at all ("").
var attackPaths = []struct{ path, id string }{
	{"a", "a"}, {"a/", "a"}, {"%61", "a"}, {"a?", "a"}, {"a?x=/../b", "a"}, {"a/?x", "a"}, {"a#b", "a"}, {"A", ""}, {"%2561", ""},
	{"x%2Fy", "x/y"}, {"x%2fy", "x/y"}, {"%78%2F%79/", "x/y"}, {"x/y", ""}, {"x%252Fy", "x%2Fy"}, {"x%25252Fy", ""},
	{"x;y", "x;y"}, {"x%3By", "x;y"}, {"a;", ""}, {"a;x=1", ""}, {"a%3B", ""},
	{"x+y", "x+y"}, {"x%2By", "x+y"}, {"x%20y", "x y"}, {"x%2520y", ""},
	{"x%3Fy", "x?y"}, {"x%23y", "x#y"}, {"x%5Cy", `x\y`},
	{"caf%C3%A9", "caf\u00e9"}, {"cafe%CC%81", "cafe\u0301"}, {"caf\u00e9", "caf\u00e9"},
	{"...", "..."}, {"%2e%2e%2e", "..."}, {"a.b", "a.b"}, {"a%2Eb", "a.b"}, {"..%2Fdiary%2Fa", "../diary/a"}, {"%2e%2e%2fdiary%2fa", "../diary/a"},
	{"..", ""}, {".", ""}, {"%2e", ""}, {"%2E%2e", ""}, {".%2e", ""}, {"%252e%252e", ""}, {"../diary/a", ""}, {"./a", ""}, {"a/.", ""}, {"a/..", ""}, {"a/../a", ""}, {"%2e/a", ""}, {"%2e%2e/diary/a", ""},
	{"/a", ""}, {"a//", ""}, {"//a", ""}, {"a/%2F", ""}, {"%2Fa", ""}, {"a%2F", ""}, {"%2F", ""}, {"a/;", ""},
	{"a%00", ""}, {"%00a", ""}, {"%00", ""}, {"a%0a", ""}, {"a%0D%0Ax", ""}, {"a%09", ""}, {"a%7F", ""}, {"a%C2%80", ""}, {"a%1f", ""},
	{"%ff", ""}, {"a%ff", ""}, {"%c0%ae%c0%ae", ""}, {"%c0%af", ""}, {"%c1%a1", ""}, {"%e0%80%af", ""}, {"%ed%a0%80", ""}, {"%f4%90%80%80", ""}, {"%C3", ""},
	{"%", ""}, {"a%", ""}, {"a%2", ""}, {"a%zz", ""}, {"%u0061", ""}, {"a%%61", ""}, {"%6 1", ""}, {"a%+1", ""},
	{"_count%00", ""}, {"%5Fgroup", ""}, {"_me", ""}, {"a%20", ""}, {"%20a", ""}, {"a%E2%80%8B", ""}, {strings.Repeat("a", 257), ""}, {strings.Repeat("%61", 300), ""},
}

// Every spelling of a path is decoded once and decided on as the one id it
// means; nobody is let in by another spelling. Guards: decodeSegment and
// validID in request.go, trimSlash in handle.go.
func TestAttackSpellingsOfAPath(t *testing.T) {
	s := start(t)
	address := attackTCP(s)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.setLevel("diary", "private")
	stored := map[string]bool{}
	for _, p := range attackPaths {
		if p.id != "" && !stored[p.id] {
			stored[p.id] = true
			s.want(s.do("POST", "/appdata/"+kid+"/diary", victim.session(), fmt.Sprintf(`{"_id":%q,"x":"s3cr3t"}`, p.id)), 201, "")
		}
	}
	for _, p := range attackPaths {
		target := "/appdata/" + kid + "/diary/" + p.path
		own := attackTarget(t, address, "GET", target, victim.session())
		foreign := attackTarget(t, address, "GET", target, mallory.session())
		if strings.Contains(string(foreign.body), "s3cr3t") {
			t.Errorf("mallory reads %q: %s", p.path, foreign.body)
		}
		if p.id != "" {
			if got := get(own.json(t), "_id"); own.status != 200 || got != p.id {
				t.Errorf("GET %q: %d %v, want %q", p.path, own.status, got, p.id)
			}
			if foreign.status != 401 || foreign.error(t) != "InsufficientCredentials" {
				t.Errorf("GET %q by mallory: %d %s", p.path, foreign.status, foreign.body)
			}
			continue
		}
		if own.status != 400 && own.status != 404 {
			t.Errorf("GET %q: %d %s", p.path, own.status, own.body)
		}
		if own.status != foreign.status || !bytes.Equal(own.body, foreign.body) {
			t.Errorf("GET %q: %s for the owner, %s for mallory", p.path, own.body, foreign.body)
		}
	}
	// Writing through them stores under the canonical id or not at all.
	for _, p := range attackPaths {
		if a := attackTarget(t, address, "DELETE", "/appdata/"+kid+"/diary/"+p.path, mallory.session()); a.status < 400 {
			t.Errorf("DELETE %q by mallory: %d", p.path, a.status)
		}
	}
	for _, id := range []string{"", ".", "..", "a\\u0000", "\\u0000", "a\\nb", "\\u007f", "\\u0080", "_count", "_\\u0063ount", "_group", "_me", "_deltaset", strings.Repeat("a", 257)} {
		for _, path := range []string{"/appdata/" + kid + "/diary", "/group/" + kid} {
			s.want(s.do("POST", path, victim.session(), `{"_id":"`+id+`"}`), 400, "InvalidIdentifier")
		}
	}
	for _, id := range []string{"%2e", "%2e%2e", "%00", "a%0a", "%5Fcount", "_group"} {
		s.want(s.do("PUT", "/appdata/"+kid+"/diary/"+id, victim.session(), `{}`), 400, "InvalidIdentifier")
		s.want(s.do("PUT", "/group/"+kid+"/"+id, victim.session(), `{}`), 400, "InvalidIdentifier")
	}
	if got := ids(t, s.do("GET", "/appdata/"+kid+"/diary", victim.session(), "")); len(got) != len(stored) {
		t.Errorf("left are %q", got)
	}
}

// The same for the segments before the id, and for whole targets.
func TestAttackSpellingsOfATarget(t *testing.T) {
	s := start(t)
	address := attackTCP(s)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	attackDiary(s, victim, "a", `{}`)
	s.want(s.do("POST", "/appdata/"+kid+"/open", victim.session(), `{"_id":"a","x":"public"}`), 201, "")
	same := []string{
		"/appdata/" + kid + "/diary/a", "/appdata/kid%5Ftest/diary/a", "/appdata/" + kid + "/d%69ary/a", "/appdata/" + kid + "/diary/a/",
		"http://localhost/appdata/" + kid + "/diary/a", "http://evil.example/appdata/" + kid + "/diary/a", "https://evil.example:1/appdata/" + kid + "/diary/a?x",
	}
	for _, target := range same {
		if a := attackTarget(t, address, "GET", target, victim.session()); a.status != 200 || get(a.json(t), "secret") != "s3cr3t" {
			t.Errorf("%q: %d %s", target, a.status, a.body)
		}
		if a := attackTarget(t, address, "GET", target, mallory.session()); a.status != 401 || a.error(t) != "InsufficientCredentials" {
			t.Errorf("%q by mallory: %d %s", target, a.status, a.body)
		}
	}
	other := []string{
		"/appdata/" + kid + "//diary/a", "//appdata/" + kid + "/diary/a", "/appdata//" + kid + "/diary/a", "//localhost/appdata/" + kid + "/diary/a", "///appdata/" + kid + "/diary/a",
		"/APPDATA/" + kid + "/diary/a", "/appdata/KID_TEST/diary/a", "/appdata/" + kid + "/Diary/a", "/%61ppdata/" + kid + "/diary/a", "/appdata%2F" + kid + "/diary/a", "/appdata/" + kid + "%2Fdiary%2Fa", "/appdata/" + kid + "/diary%2Fa",
		"/./appdata/" + kid + "/diary/a", "/x/../appdata/" + kid + "/diary/a", "/appdata/" + kid + "/open/../diary/a", "/appdata/" + kid + "/open/%2e%2e/diary/a", "/appdata/" + kid + "/open%2F..%2Fdiary/a", "/appdata/" + kid + "/../" + kid + "/diary/a",
		"/appdata/" + kid + "/diary;x/a", "/appdata/" + kid + ";x/diary/a", "/appdata;/" + kid + "/diary/a", "/appdata/" + kid + "%00/diary/a", "/appdata/" + kid + "/diary%00/a", "/appdata/" + kid + "/diary%20/a",
		"/appdata/" + kid + "/diary/a/b", "/appdata/" + kid + "/diary/a/_count", "/appdata/" + kid + "/user/" + victim.id, "/appdata/" + kid + "/%75ser/" + victim.id,
		"appdata/" + kid + "/diary/a", "*", "/", "//", "/..", "?", "/appdata/" + kid + "\\diary\\a", "http:///appdata/" + kid + "/diary/a/x", "http://localhost", "/appdata/%2e%2e/" + kid + "/diary/a",
	}
	for _, target := range other {
		for _, who := range []user{mallory, victim} {
			a := attackTarget(t, address, "GET", target, who.session())
			if a.status != 400 && a.status != 404 && a.status != 403 {
				t.Errorf("%q by %s: %d %s", target, who.name, a.status, a.body)
			}
			attackLacks(t, target, a, "s3cr3t", "public")
		}
	}
	for _, method := range []string{"get", "Get", "GE T", "HEAD", "PATCH", "TRACE", "CONNECT", "FOO", "GET\x00"} {
		raw := attackRaw(t, address, fmt.Appendf(nil, "%s /appdata/%s/diary/a HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nX-HTTP-Method-Override: GET\r\nConnection: close\r\n\r\n", method, kid, victim.session()))
		if bytes.Contains(raw, []byte("s3cr3t")) || bytes.HasPrefix(raw, []byte("HTTP/1.1 2")) {
			t.Errorf("%q: %q", method, raw)
		}
	}
}

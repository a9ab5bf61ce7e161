package engine_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/engine"
)

// requestLog is what GET /v4/requests answers.
type requestLog struct {
	Last int64
	List []*engine.LoggedRequest
}

func (s *server) requests(operator, query string) requestLog {
	s.t.Helper()
	a := s.want(s.do("GET", "/v4/requests?"+query, operator, ""), 200, "")
	var l requestLog
	if err := json.Unmarshal(a.body, &l); err != nil {
		s.t.Fatal(err)
	}
	return l
}

// Each request is told with who asked, the last decision and what it was about.
func TestRequestsTellTheDecision(t *testing.T) {
	s := start(t, func(o *options) { o.app.StrictACL = true })
	alice, bob := s.signUp("alice"), s.signUp("bob")
	op := s.operator()
	s.setLevel("notes", "append-only")
	s.setLevel("news", "read-only")
	s.want(s.do("PUT", "/appdata/"+kid+"/notes/a1", alice.session(), `{}`), 201, "")
	s.want(s.do("PUT", "/appdata/"+kid+"/notes/a2", asMaster, `{"_acl":{"creator":"`+alice.id+`","w":["`+bob.id+`"],"r":["`+bob.id+`"]}}`), 201, "")
	last := s.requests(op, "").Last
	for _, c := range []struct {
		method, path, who, body string
		status                  int
		decision, why, by       string
	}{
		{"GET", "/appdata/K/notes/a1", alice.session(), "", 200, "allow R7 (creator)", "notes a1 read", "user alice"},
		{"GET", "/appdata/K/notes/a1", bob.session(), "", 401, "deny R4 (level Private)", "notes a1 read", "user bob"},
		{"GET", "/appdata/K/notes/a2", bob.basic(), "", 200, "allow R6 (readers)", "notes a2 read", "user bob"},
		{"GET", "/appdata/K/notes/a1", asMaster, "", 200, "allow R2 (master)", "notes a1 read", "master"},
		{"GET", "/appdata/K/notes/none", bob.session(), "", 404, "", "", "user bob"},
		{"GET", "/appdata/K/notes/a1", asApp, "", 401, "", "", "app"},
		{"GET", "/appdata/K/notes/a1", "", "", 401, "", "", "nobody"},
		{"GET", "/appdata/K/notes?query={\"a\":1}", bob.session(), "", 200, "", "", "user bob"},
		{"PUT", "/appdata/K/notes/a1", bob.session(), `{}`, 401, "deny R4 (level Private)", "notes a1 write", "user bob"},
		{"PUT", "/appdata/K/notes/a2", bob.session(), `{"n":1}`, 200, "allow R6 (writers)", "notes a2 write", "user bob"},
		{"PUT", "/appdata/K/notes/a2", bob.session(), `{"_acl":{"gr":true}}`, 401, "deny R7 (not the creator)", "notes a2 acl", "user bob"},
		{"PUT", "/appdata/K/notes/b1", bob.session(), `{}`, 201, "allow R4 (level Private)", "notes create", "user bob"},
		{"POST", "/appdata/K/notes", bob.session(), `{}`, 201, "allow R4 (level Private)", "notes create", "user bob"},
		{"POST", "/appdata/K/news", bob.session(), `{}`, 401, "deny R4 (level Read Only)", "news create", "user bob"},
		{"POST", "/appdata/K/news", bob.session(), `[{},{}]`, 401, "deny R4 (level Read Only)", "news create", "user bob"},
		{"DELETE", "/appdata/K/notes/a1", bob.session(), "", 401, "deny R4 (level Private)", "notes a1 delete", "user bob"},
		{"DELETE", "/appdata/K/notes/a2", bob.session(), "", 200, "allow R6 (writers)", "notes a2 delete", "user bob"},
		{"GET", "/user/K/ALICE", bob.session(), "", 200, "", "", "user bob"},
		{"DELETE", "/user/K/ALICE", bob.session(), "", 401, "", "", "user bob"},
		{"GET", "/v4/user", op, "", 200, "", "", "operator operator@example.org"},
		{"GET", "/nowhere", op, "", 404, "", "", "nobody"},
	} {
		path := strings.NewReplacer("/K/", "/"+kid+"/", "ALICE", alice.id).Replace(c.path)
		sent := path
		if p, q, ok := strings.Cut(path, "?query="); ok {
			sent = p + "?query=" + url.QueryEscape(q)
		}
		if a := s.do(c.method, sent, c.who, c.body, "X-Kinvey-Api-Version", "5"); a.status != c.status {
			t.Errorf("%s %s: %d %s", c.method, path, a.status, a.body)
		}
		l := s.requests(op, fmt.Sprintf("after=%d", last))
		if len(l.List) != 1 || l.Last != last+1 {
			t.Fatalf("%s %s: %d requests are in the log", c.method, path, len(l.List))
		}
		q := l.List[0]
		last = l.Last
		why := ""
		if q.Why != nil {
			why = strings.Join(strings.Fields(q.Why.Collection+" "+q.Why.ID+" "+q.Why.Right), " ")
		}
		by := strings.TrimSpace(q.Who.Role + " " + q.Who.Username)
		if c.path == "/user/K/ALICE" { // as the level of users says, which another test is about
			c.decision, c.why = q.Decision, why
			if q.Decision == "" || !strings.HasPrefix(why, "user "+alice.id) {
				t.Errorf("%s %s: decision %q, why %q", c.method, path, q.Decision, why)
			}
		}
		if q.Method != c.method || q.Path != sent || q.Status != c.status || q.Decision != c.decision || why != c.why || by != c.by || q.Request == "" || q.N != last {
			t.Errorf("%s %s: %+v, why %q, by %q", c.method, path, q, why, by)
		}
		if (c.status >= 400) != (len(s.requests(op, fmt.Sprintf("after=%d&failed=true", last-1)).List) == 1) {
			t.Errorf("%s %s: failed=true", c.method, path)
		}
		// Why says the same of it.
		if q.Why != nil && q.Who.Role == "user" && c.status != 201 && c.method != "DELETE" && q.Why.Right != "create" {
			v := url.Values{"user": {q.Who.ID}, "right": {q.Why.Right}, "id": {q.Why.ID}}
			a := s.want(s.do("GET", "/v4/environments/"+kid+"/collections/"+q.Why.Collection+"/why?"+v.Encode(), asMaster, ""), 200, "")
			last++
			if said := get(a.json(t), "decision"); said != q.Decision {
				t.Errorf("%s %s: why says %v, the log %q", c.method, path, said, q.Decision)
			}
		}
	}
	if l := s.requests(op, "app=kid_other"); len(l.List) != 0 {
		t.Errorf("another app's requests: %v", l.List)
	}
	if l := s.requests(op, "app="+kid); len(l.List) < 15 {
		t.Errorf("%d requests of the app", len(l.List))
	}
	s.want(s.do("GET", "/v4/requests?after=-1", op, ""), 400, "")
}

// What is served is noted while somebody looks on, and not otherwise; what fails
// always is. A thousand are remembered.
func TestRequestsAreNotedForSomebody(t *testing.T) {
	clock := newClock()
	s := start(t, func(o *options) { o.config.Clock = clock.Now })
	alice := s.signUp("alice")
	op := s.operator()
	path := "/appdata/" + kid + "/notes"
	get := func(n int, suffix string, status int) {
		t.Helper()
		for range n {
			if a := s.do("GET", path+suffix, alice.session(), ""); a.status != status {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
	}
	get(3, "", 200)
	get(2, "/none", 404)
	l := s.requests(op, "")
	if len(l.List) != 2 || l.List[0].Status != 404 {
		t.Fatalf("before anybody looked on: %v", l.List)
	}
	get(3, "", 200)
	clock.Add(29 * time.Second)
	get(1, "", 200)
	clock.Add(2 * time.Second)
	get(5, "", 200)
	if l = s.requests(op, fmt.Sprintf("after=%d", l.Last)); len(l.List) != 4 {
		t.Fatalf("%d requests were noted, want the four while somebody looked on", len(l.List))
	}
	get(1200, "", 200)
	more := s.requests(op, fmt.Sprintf("after=%d", l.Last))
	if len(more.List) != 1000 || more.Last != l.Last+1200 || more.List[0].N != l.Last+201 || more.List[999].N != more.Last {
		t.Fatalf("%d of 1,200, from %d to %d", len(more.List), more.List[0].N, more.Last)
	}
	// A number that a server gave before it was started anew.
	if again := s.requests(op, "after=99999999"); len(again.List) != 1000 {
		t.Fatalf("%d after a number of long ago", len(again.List))
	}
	// Probes and readers of the log are no news; failed ones are.
	before := s.requests(op, "").Last
	s.want(s.do("GET", "/-/live", "", ""), 200, "")
	s.want(s.do("GET", "/-/ready", "", ""), 200, "")
	s.do("GET", "/v4/requests", asMaster, "")
	if l := s.requests(op, fmt.Sprintf("after=%d", before)); len(l.List) != 1 || l.List[0].Status != 401 {
		t.Fatalf("probes and readers: %v", l.List)
	}
}

// The log holds no secret, however a request has it, and nothing that would do
// something to a terminal; and what it holds is bounded.
func TestRequestsHoldNoSecrets(t *testing.T) {
	var lines []string
	s := start(t, func(o *options) {
		o.config.OnRequest = func(q *engine.LoggedRequest) { lines = append(lines, q.Line()) }
	})
	alice := s.signUp("alice")
	op := s.operator()
	const marker = "s3cr3t-t0k3n"
	long := strings.Repeat("x", 3000)
	for _, path := range []string{
		"/-/reset/" + kid + "/u/" + marker, "/-/verify/" + kid + "/u/" + marker + "?a=" + marker,
		"/-/reset/" + kid + "/u/" + marker + "/more", "//-/reset/" + marker, "/%2d/reset/" + kid + "/u/" + marker + "/more", "/x/-/" + marker,
		"/oauth/auth?code=" + marker, "/v3/oauth/auth?state=" + marker, "/oauth2/redirect/x?code=" + marker, "/OAuth/" + marker,
		"/oauth/authenticate/" + marker, "/v12/oauth/nothing?x=" + marker,
	} {
		s.do("GET", path, "", "")
		s.do("POST", path, "Basic "+marker, `{"password":"`+marker+`"}`)
	}
	s.do("GET", "/appdata/"+kid+"/notes", "Kinvey "+marker, "")
	s.do("GET", "/appdata/"+kid+"/notes", basic("alice", marker), "")
	s.do("POST", "/user/"+kid+"/login", asApp, `{"username":"alice","password":"`+marker+`"}`)
	s.do("PUT", "/user/"+kid+"/"+alice.id, alice.session(), `{"password":"`+marker+`"}`)
	s.do("GET", "/appdata/"+kid+"/"+long, alice.session(), "")
	s.do("GET", "/appdata/"+kid+"/notes?query="+long, alice.session(), "", "X-Kinvey-Request-Id", "mine")
	s.do("GET", "/appdata/"+kid+"/notes/%1b%5b2J", alice.session(), "")
	s.do("GET", "/nowhere/\u202e\u009b2J", alice.session(), "")
	a := s.want(s.do("GET", "/v4/requests", op, ""), 200, "")
	text := string(a.body) + strings.Join(lines, "\n")
	for _, secret := range []string{marker, appSecret, masterSecret, alice.token, strings.TrimPrefix(op, "Kinvey ")} {
		if secret != "" && strings.Contains(text, secret) {
			at := strings.Index(text, secret)
			t.Errorf("the log holds a secret: ...%s", text[max(0, at-200):at+len(secret)])
		}
	}
	var l requestLog
	if err := json.Unmarshal(a.body, &l); err != nil || len(l.List) < 30 || len(l.List) > len(lines) {
		t.Fatalf("%d requests, %d lines, %v", len(l.List), len(lines), err)
	}
	for _, q := range l.List {
		if len(q.Path) > 520 || len(q.Debug) > 310 || len(q.Request) > 128 || len(q.Line()) > 1200 {
			t.Errorf("too long: %+v", q)
		}
	}
	for _, line := range lines {
		for _, c := range line {
			if c < ' ' || 0x7f <= c && c < 0xa0 || c == '\u202e' {
				t.Errorf("a terminal would do something: %q", line)
			}
		}
	}
}

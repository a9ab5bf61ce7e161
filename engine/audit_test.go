package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"postern/engine"
	"postern/engine/store"
)

// record is one record of the audit as it is served.
type record struct {
	N                      int64
	At, Kind, By, Via, Act string
	App, Collection, Item  string
	Request, Network, Prev string
	Before, After          json.RawMessage
	Count                  int64
}

type auditPage struct {
	Head struct {
		N    int64
		Hash string
	}
	Records []record
	Next    int64
}

// audit reads the audit at the socket, newest first.
func (s *server) audit(query string) auditPage {
	s.t.Helper()
	if s.socket == nil {
		s.socket = attackAdmin(s)
	}
	return s.auditAt(s.socket, "/v4/audit?"+query, "")
}

func (s *server) auditAt(at *server, path, authorization string) auditPage {
	s.t.Helper()
	a := s.want(at.do("GET", path, authorization, ""), 200, "")
	var p auditPage
	if err := json.Unmarshal(a.body, &p); err != nil {
		s.t.Fatalf("%s: %v", a.body, err)
	}
	return p
}

// Every kind of change leaves a record that says who, how, from where, by which
// request, and what was so before and is so after; and no secret.
func TestAuditTellsOfEveryChange(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	socket := attackAdmin(s)
	l := fasthttputil.NewInmemoryListener()
	attackServe(s, l, false)
	public := attackFrom(s, l, "203.0.113.7")
	op := s.operator()
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("POST", "/appdata/"+kid+"/box", alice.session(), `{"_id":"e1","a":1}`), 201, "")
	env, users := "/v4/environments/"+kid, "/user/"+kid+"/"
	text := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	own := text(`{"_acl":{"creator":"%s"}}`, alice.id)
	lastID := func(a answer) string { id, _ := get(a.json(t), "_id").(string); return id }
	var carol, role, service string

	for i, c := range []struct {
		at               *server
		method, path, as string
		body             string
		by, act          string
		collection, item string
		before, after    string // "": nothing, "?": anything
		kind             string // "": change
		then             func(answer)
	}{
		{at: public, method: "PUT", path: env + "/collections/box", as: asMaster, body: `{"permissions":"append-only"}`,
			by: "master", act: "set level", collection: "box", before: `{"level":"Shared"}`, after: `{"level":"Private"}`},
		{at: public, method: "PUT", path: env + "/collections/box", as: op, body: `{"deltaSet":{"enabled":true,"deletedTTLInDays":3}}`,
			by: "operator " + operatorMail, act: "set delta set", collection: "box", after: `{"deltaSetDays":3}`},
		{at: socket, method: "PUT", path: env + "/collections/box/orders", body: `{"pin":["a"]}`,
			by: "socket", act: "set orders", collection: "box", after: `{"orders":{"pin":["a"]}}`},
		{at: public, method: "POST", path: "/appdata/" + kid + "/fresh", as: alice.session(), body: `{"_id":"f"}`,
			by: "user " + alice.id, act: "create collection", collection: "fresh", after: `{"level":"Shared"}`},
		{at: public, method: "PUT", path: "/appdata/" + kid + "/box/e1", as: alice.session(), body: text(`{"a":2,"_acl":{"gr":true,"r":["%s"]}}`, bob.id),
			by: "user " + alice.id, act: "change _acl", collection: "box", item: "e1", before: own,
			after: text(`{"_acl":{"creator":"%s","gr":true,"r":["%s"]}}`, alice.id, bob.id)},
		{at: public, method: "PUT", path: users + alice.id, as: alice.session(), body: `{"_acl":{"gw":true}}`,
			by: "user " + alice.id, act: "change user", collection: "user", item: alice.id, before: own, after: text(`{"_acl":{"creator":"%s","gw":true}}`, alice.id)},
		{at: public, method: "PUT", path: "/group/" + kid + "/g", as: alice.session(), body: text(`{"users":{"list":[{"_id":"%s"}]}}`, alice.id),
			by: "user " + alice.id, act: "create group", collection: "group", item: "g", after: text(`{"_acl":{"creator":"%s"},"users":["%s"]}`, alice.id, alice.id)},
		{at: public, method: "PUT", path: "/group/" + kid + "/g", as: alice.session(), body: `{"users":{"all":true},"groups":[{"_id":"h"}],"_acl":{"gr":true}}`,
			by: "user " + alice.id, act: "change group", collection: "group", item: "g", before: text(`{"_acl":{"creator":"%s"},"users":["%s"]}`, alice.id, alice.id),
			after: text(`{"_acl":{"creator":"%s","gr":true},"everyone":true,"groups":["h"]}`, alice.id)},
		{at: public, method: "DELETE", path: "/group/" + kid + "/g", as: alice.session(),
			by: "user " + alice.id, act: "delete group", collection: "group", item: "g", before: text(`{"_acl":{"creator":"%s","gr":true},"everyone":true,"groups":["h"]}`, alice.id)},
		{at: public, method: "PUT", path: env, as: op, body: `{"strictAcl":true,"sessionIdleTimeout":86400,"corsOrigins":["https://a.example"]}`,
			by: "operator " + operatorMail, act: "change app", before: `{"corsOrigins":[],"sessionIdleTimeout":0,"strictAcl":false}`,
			after: `{"corsOrigins":["https://a.example"],"sessionIdleTimeout":86400,"strictAcl":true}`},
		{at: public, method: "POST", path: env + "/regenerate-appsecret", as: op, body: `{"overlapSeconds":3600}`,
			by: "operator " + operatorMail, act: "regenerate appSecret", before: "?", after: "?"},
		{at: public, method: "POST", path: env + "/regenerate-mastersecret", as: op, body: `{"overlapSeconds":3600}`,
			by: "operator " + operatorMail, act: "regenerate masterSecret", before: "?", after: "?"},
		{at: public, method: "POST", path: "/user/" + kid, as: asApp, body: `{"username":"carol","password":"carols password","email":"carol@example.org"}`,
			by: "app", act: "sign up", collection: "user", item: "?", after: "?", then: func(a answer) { carol = lastID(a) }},
		{at: public, method: "POST", path: "/user/" + kid + "/login", as: asApp, body: `{"username":"bob","password":"bob"}`,
			by: "user " + bob.id, act: "log in", collection: "user", item: bob.id, after: "?", kind: "login"},
		{at: public, method: "POST", path: "/user/" + kid + "/_logout", as: bob.session(),
			by: "user " + bob.id, act: "log out", collection: "user", item: bob.id, before: "?", kind: "login"},
		{at: public, method: "PUT", path: users + bob.id, as: asMaster, body: `{"username":"robert","email":"bob@example.org"}`,
			by: "master", act: "change user", collection: "user", item: bob.id, before: `{"username":"bob"}`, after: `{"email":"bob@example.org","username":"robert"}`},
		{at: public, method: "PUT", path: users + bob.id, as: asMaster, body: `{"password":"bobs new password"}`,
			by: "master", act: "change password", collection: "user", item: bob.id, before: "?", after: `{"password":"set"}`},
		{at: socket, method: "PUT", path: env + "/users/robert/password", body: `{"password":"bobs third password"}`,
			by: "socket", act: "set password", collection: "user", item: bob.id, before: `{"password":"hidden"}`, after: `{"password":"set"}`},
		{at: public, method: "DELETE", path: users + bob.id + "?soft=true", as: asMaster,
			by: "master", act: "suspend user", collection: "user", item: bob.id, after: `{"suspended":true}`},
		{at: public, method: "POST", path: users + bob.id + "/_restore", as: asMaster,
			by: "master", act: "restore user", collection: "user", item: bob.id, before: `{"suspended":true}`},
		{at: public, method: "POST", path: "/rpc/" + kid + "/lockdown-user", as: asMaster, body: text(`{"userId":"%s","setLockdownStateTo":true}`, alice.id),
			by: "master", act: "lock down user", collection: "user", item: alice.id, after: `{"locked":true}`},
		{at: public, method: "POST", path: "/rpc/" + kid + "/lockdown-user", as: asMaster, body: text(`{"userId":"%s","setLockdownStateTo":false}`, alice.id),
			by: "master", act: "end lockdown", collection: "user", item: alice.id, before: "?"},
		{at: public, method: "DELETE", path: users + bob.id + "?hard=true", as: asMaster,
			by: "master", act: "delete user", collection: "user", item: bob.id, before: "?"},
		{at: public, method: "POST", path: "/roles/" + kid, as: asMaster, body: `{"name":"editors"}`,
			by: "master", act: "put role", item: "?", after: "?", then: func(a answer) { role = lastID(a) }},
		{at: public, method: "PUT", path: users + alice.id + "/roles/ROLE", as: asMaster,
			by: "master", act: "give role", item: "ROLE", after: text(`{"member %s":true}`, alice.id)},
		{at: public, method: "DELETE", path: users + alice.id + "/roles/ROLE", as: asMaster,
			by: "master", act: "take role", item: "ROLE", before: text(`{"member %s":true}`, alice.id)},
		{at: public, method: "DELETE", path: "/roles/" + kid + "/ROLE", as: asMaster, by: "master", act: "delete role", item: "ROLE", before: "?"},
		{at: socket, method: "POST", path: "/v4/identity-stores", body: `{"name":"directory"}`,
			by: "socket", act: "make identity store", item: "?", after: "?"},
		{at: socket, method: "POST", path: "/v4/auth-services", body: `{"name":"local","redirectUri":["https://a.example/back"],"provider":{"type":"local"}}`,
			by: "socket", act: "make auth service", item: "?", after: "?", then: func(a answer) { id, _ := get(a.json(t), "id").(string); service = id }},
		{at: socket, method: "DELETE", path: "/v4/auth-services/SERVICE", by: "socket", act: "delete auth service", item: "SERVICE", before: "?"},
		{at: public, method: "DELETE", path: "/v4/session", as: op, by: "operator " + operatorMail, act: "log out", item: operatorMail, before: "?", kind: "login"},
		{at: socket, method: "PUT", path: env + "/config", body: wholeFile(`"collections": {"box": {"type": "internal", "permissions": "read-only"}}`),
			by: "socket", act: "change collection", collection: "box", before: `{"level":"Private"}`, after: `{"level":"Read Only"}`},
		{at: socket, method: "DELETE", path: env + "/collections/box", by: "socket", act: "drop collection", collection: "box",
			before: `{"deltaSetDays":3,"entities":1,"level":"Read Only","orders":{"pin":["a"]}}`},
		{at: socket, method: "DELETE", path: "/v4/environments/kid_other", by: "socket", act: "delete app", before: "?"},
	} {
		id := fmt.Sprintf("request-%d", i)
		fill := strings.NewReplacer("ROLE", role, "SERVICE", service).Replace
		a := c.at.do(c.method, fill(c.path), c.as, c.body, "X-Kinvey-Request-Id", id)
		if a.status >= 300 {
			t.Fatalf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
		if c.then != nil {
			c.then(a)
		}
		var found *record
		for _, r := range s.audit("limit=20").Records {
			if r.Request == id && r.Kind != "master" && (r.Act == c.act || found == nil) {
				found = &r
			}
		}
		if found == nil {
			t.Errorf("%s %s: no record", c.method, c.path)
			continue
		}
		via, network := "api", "203.0.113.0/24"
		if c.at == socket {
			via, network = "socket", "127.0.0.0/24"
		}
		is := func(got, want string) bool { return got == fill(want) || want == "?" && got != "" }
		kind := c.kind
		if kind == "" {
			kind = "change"
		}
		if !is(found.By, c.by) || found.Act != c.act || found.Collection != c.collection || !is(found.Item, c.item) || found.Via != via || found.Network != network ||
			!is(string(found.Before), c.before) || !is(string(found.After), c.after) || found.Kind != kind {
			t.Errorf("%s %s:\n got %+v %s -> %s\nwant %s %s (%s %s) %s %q %s -> %s", c.method, fill(c.path), *found, found.Before, found.After, kind, c.by, via, network, c.act, c.item, c.before, c.after)
		}
	}
	// What is no change of rights leaves none.
	was := s.audit("").Head.N
	for _, put := range [][2]string{
		{"/appdata/" + kid + "/fresh/f", `{"a":3}`}, {"/appdata/" + kid + "/fresh/g", `{"_acl":{"gr":true}}`}, {users + alice.id, `{"a":4}`},
	} {
		as := s.want(attackLogin(s, "alice", "alice"), 200, "")
		was++ // the login
		token, _ := get(as.json(t), "_kmd", "authtoken").(string)
		if a := s.do("PUT", put[0], "Kinvey "+token, put[1]); a.status >= 300 {
			t.Fatalf("PUT %s: %d %s", put[0], a.status, a.body)
		}
	}
	s.want(s.do("DELETE", "/appdata/"+kid+"/fresh/g", alice.basic(), ""), 200, "")
	if now := s.audit("").Head.N; now != was {
		t.Errorf("ordinary writes left %d records: %+v", now-was, s.audit("").Records[:now-was])
	}
	if carol == "" {
		t.Fatal("no carol")
	}

	whole := s.do("GET", "/v4/audit?limit=500", s.operator(), "")
	for _, secret := range []string{appSecret, masterSecret, operatorPassword, "carols password", "bobs new password", "bobs third password", "$argon2", alice.token, bob.token, op[len("Kinvey "):], "Authorization"} {
		if bytes.Contains(whole.body, []byte(secret)) {
			t.Errorf("the audit holds %q", secret)
		}
	}
	s.report(engine.AuditHead{}, "")
}

// report verifies the audit and checks what comes out.
func (s *server) report(known engine.AuditHead, fault string) engine.AuditReport {
	s.t.Helper()
	r, err := engine.VerifyAudit(context.Background(), s.driver, known)
	if err != nil || r.OK != (fault == "") || !strings.Contains(r.Fault, fault) {
		s.t.Errorf("verify: %+v, %v; want %q", r, err, fault)
	}
	return r
}

// The audit is read page by page, filtered, and by the master for his app alone.
func TestAuditIsReadByPages(t *testing.T) {
	s := start(t, func(o *options) { o.config.NoSamples = true })
	admin := attackAdmin(s)
	for i := range 25 {
		s.setLevel(fmt.Sprint("box", i), []string{"private", "shared"}[i%2])
	}
	all := s.audit("limit=500").Records
	if len(all) != 27 || all[0].N != 27 || all[26].N != 1 || all[26].Act != "create app" {
		t.Fatalf("%d records: %+v", len(all), all)
	}
	var paged []record
	for before, pages := "", 0; ; pages++ {
		p := s.audit("limit=7" + before)
		paged = append(paged, p.Records...)
		if p.Next == 0 {
			break
		}
		if before = fmt.Sprint("&before=", p.Next); pages > 10 {
			t.Fatal("the pages do not end")
		}
	}
	if fmt.Sprint(paged) != fmt.Sprint(all) {
		t.Errorf("the pages hold %d records, want %d", len(paged), len(all))
	}
	for query, n := range map[string]int{
		"app=kid_test": 26, "app=kid_other": 1, "act=create": 27, "act=create%20app": 2, "by=master": 25, "by=server": 2, "by=nobody": 0,
		"item=box7": 1, "kind=change": 27, "kind=login": 0, "before=3": 2, "app=kid_test&by=server": 1,
	} {
		if got := len(s.audit("limit=500&" + query).Records); got != n {
			t.Errorf("%s: %d records, want %d", query, got, n)
		}
	}
	if got := len(s.auditAt(s, "/v4/environments/"+kid+"/audit?limit=500&app=kid_other", asMaster).Records); got != 26 {
		t.Errorf("the master of one app reads %d records, want those of his app, 26", got)
	}
	for _, query := range []string{"limit=0", "limit=501", "limit=x", "before=0", "before=-1", "before=1e3"} {
		s.refused(admin.do("GET", "/v4/audit?"+query, "", ""), 400, "ParameterValueOutOfRange")
	}
	head := s.audit("limit=1").Head
	verify := func(query string) (ok bool, reason string) {
		t.Helper()
		v := s.want(admin.do("GET", "/v4/audit/verify"+query, "", ""), 200, "").json(t)
		ok, _ = get(v, "ok").(bool)
		reason, _ = get(v, "fault", "reason").(string)
		return ok, reason
	}
	if ok, reason := verify(fmt.Sprintf("?n=%d&hash=%s", head.N, head.Hash)); !ok {
		t.Errorf("the head as it is: %s", reason)
	}
	s.setLevel("later", "private")
	if ok, reason := verify(fmt.Sprintf("?n=%d&hash=%s", head.N, head.Hash)); !ok {
		t.Errorf("an earlier head: %s", reason)
	}
	if ok, _ := verify(fmt.Sprintf("?n=%d&hash=%s", head.N-1, head.Hash)); ok {
		t.Error("a head of another number passes")
	}
	if ok, reason := verify(fmt.Sprintf("?n=%d&hash=%s", head.N+2, head.Hash)); ok || !strings.Contains(reason, "there were 29 records once, and there are 28") {
		t.Errorf("a head from the future: %s", reason)
	}
	for _, query := range []string{"?n=1", "?hash=" + head.Hash, "?n=x&hash=" + head.Hash, "?n=1&hash=00"} {
		s.refused(admin.do("GET", "/v4/audit/verify"+query, "", ""), 400, "ParameterValueOutOfRange")
	}
}

// The audit survives a restart and a backup, and goes on where it was.
func TestAuditIsInBackups(t *testing.T) {
	dir := t.TempDir()
	s := start(t, onBadger(t, filepath.Join(dir, "data")))
	alice := s.signUp("alice")
	s.put(alice.session(), "e", 1)
	s.setLevel("box", "private")
	s.stop() // what was sampled is written now
	s = start(t, onBadger(t, filepath.Join(dir, "data")))
	before := s.audit("limit=500")
	s.report(engine.AuditHead{}, "")
	var backup bytes.Buffer
	v, err := s.driver.View()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Export(v, &backup); err != nil {
		t.Fatal(err)
	}
	v.Close()
	if err := store.Import(filepath.Join(dir, "again"), &backup, store.Options{NoBallast: true}); err != nil {
		t.Fatal(err)
	}
	again := start(t, onBadger(t, filepath.Join(dir, "again")))
	after := again.audit("limit=500")
	if before.Head.N < 5 || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the audit of the backup differs:\n%+v\n%+v", before, after)
	}
	head, err := engine.ParseAuditHead(fmt.Sprintf("%d:%s", before.Head.N, before.Head.Hash))
	if err != nil {
		t.Fatal(err)
	}
	again.setLevel("box", "shared")
	if r := again.report(head, ""); r.Head.N <= head.N || r.From != 1 {
		t.Errorf("after the restore: %+v", r)
	}
}

// Old records go, the rest still proves itself, and the removal is told of.
func TestAuditIsKeptForAWhile(t *testing.T) {
	c := newClock()
	driver := &outliving{Driver: store.NewMemory()}
	t.Cleanup(func() {
		if err := driver.Driver.Close(); err != nil {
			t.Error(err)
		}
	})
	boot := func(keep int) *server {
		return start(t, onDriver(driver), withClock(c), func(o *options) { o.config.AuditKeep, o.config.NoSamples = keep, true })
	}
	s := boot(10)
	for i := range 600 {
		s.setLevel("box", []string{"private", "shared"}[i%2])
	}
	old := s.report(engine.AuditHead{}, "")
	c.Add(9 * 24 * time.Hour)
	s.setLevel("box", "full")
	first := s.report(engine.AuditHead{}, "")
	s.stop()
	c.Add(25 * time.Hour)
	s = boot(10) // the cleaner looks at a start
	s.until("trimmed", func() bool {
		r, err := engine.VerifyAudit(context.Background(), driver, engine.AuditHead{})
		return err == nil && r.From == old.Head.N+1
	})
	s.report(first.Head, "")
	if _, err := engine.VerifyAudit(context.Background(), driver, engine.AuditHead{N: 5, Hash: old.Head.Hash}); err == nil {
		t.Error("a head that is older than what is kept can be verified")
	}
	s.report(engine.AuditHead{N: old.Head.N, Hash: first.Head.Hash}, "another hash once")
	var told int64
	for _, r := range s.audit("act=remove%20old").Records {
		told += r.Count
	}
	if told != int64(old.Head.N) {
		t.Errorf("the audit tells of %d records that were removed, %d were", told, old.Head.N)
	}
	from := s.report(engine.AuditHead{}, "").From
	s.stop()
	c.Add(10000 * 24 * time.Hour)
	s = boot(-1)
	s.setLevel("box", "private")
	s.stop() // the cleaner has looked
	s = boot(-1)
	if r := s.report(engine.AuditHead{}, ""); r.From != from {
		t.Errorf("kept for ever, and it begins at %d instead of %d", r.From, from)
	}
}

// A flood of refused requests costs one record a second, which counts them all.
func TestAuditSamplesRefusals(t *testing.T) {
	c := newClock()
	var log lockedBuffer
	s := start(t, withClock(c), func(o *options) { o.config.Logger = textLogger(&log) })
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("POST", "/appdata/"+kid+"/box", alice.session(), `{"_id":"e"}`), 201, "")
	s.setLevel("box", "private") // the one use of the master secret
	sum := func(kind string) (records int, count int64) {
		for _, r := range s.audit("limit=500&app=" + kid + "&kind=" + kind).Records {
			if strings.Contains(r.Act, "failed login") || kind != "login" {
				records, count = records+1, count+r.Count
			}
		}
		return records, count
	}
	refuse := func(n int) {
		for range n {
			s.want(s.do("GET", "/appdata/"+kid+"/box/e", bob.session(), "", "X-Kinvey-Request-Id", "the-first"), 401, "InsufficientCredentials")
		}
	}
	refuse(1)
	s.until("told of", func() bool { n, _ := sum("denied"); return n == 1 })
	p := s.audit("kind=denied").Records[0]
	if p.By != "user "+bob.id || p.Act != "GET /appdata/{kid}/{collection}/{id}" || p.Collection != "box" || p.Item != "e" || p.Count != 1 || p.Request != "the-first" ||
		!strings.Contains(string(p.After), "level Private") {
		t.Errorf("the record of a refusal: %+v %s", p, p.After)
	}
	refuse(300)
	if n, count := sum("denied"); n != 1 || count != 1 {
		t.Errorf("%d records of %d refusals within a second", n, count)
	}
	c.Add(time.Second)
	refuse(1)
	s.until("told of again", func() bool { n, count := sum("denied"); return n == 2 && count == 302 })
	refuse(5)
	c.Add(2 * time.Second) // nothing comes after it, and it is told all the same
	s.until("told of the rest", func() bool { n, count := sum("denied"); return n == 3 && count == 307 })
	if n := s.metric(`postern_audit_events_total{kind="denied"}`); n != 307 {
		t.Errorf("%d counted", n)
	}

	for range 3 {
		s.want(attackLogin(s, "bob", "wrong"), 401, "InvalidCredentials")
		s.want(attackLogin(s, "hunter2", "bob"), 401, "InvalidCredentials") // a password where the name goes
		s.want(s.do("GET", "/appdata/"+kid, basic(kid, "no secret of ours"), ""), 401, "InvalidCredentials")
	}
	s.until("told of the logins", func() bool { n, _ := sum("login"); return n >= 1 })
	c.Add(time.Minute)
	s.until("told of all", func() bool {
		_, logins := sum("login")
		_, denied := sum("denied")
		return logins == 6 && denied == 310
	})
	if n, count := sum("master"); n != 1 || count != 1 {
		t.Errorf("%d records of %d uses of the master secret", n, count)
	}
	whole := s.do("GET", "/v4/audit?limit=500", s.operator(), "")
	if bytes.Contains(whole.body, []byte("hunter2")) || bytes.Contains(whole.body, []byte("no secret of ours")) {
		t.Errorf("the audit holds what was typed: %s", whole.body)
	}
	head := s.audit("limit=1").Head
	s.stop()
	if text := string(log.bytes()); !strings.Contains(text, fmt.Sprintf(`msg="audit head" n=%d hash=%s`, head.N, head.Hash)) {
		t.Errorf("the log does not say where the audit ended, %d:%s: %s", head.N, head.Hash, text)
	}
	if n := strings.Count(string(log.bytes()), "audit head"); n > 3 {
		t.Errorf("the log says %d times in a minute where the audit is", n)
	}
}

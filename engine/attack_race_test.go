package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"postern/engine/store"
)

// gatedLog is a driver whose Append waits while the gate is shut.
type gatedLog struct {
	store.Driver
	mu      sync.Mutex    // guards below
	gate    chan struct{} // not nil: shut
	entered chan struct{} // told when an Append waits
}

func (g *gatedLog) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	g.mu.Lock()
	gate := g.gate
	g.mu.Unlock()
	if gate != nil {
		g.entered <- struct{}{}
		<-gate
	}
	return g.Driver.Append(ctx, expect, rec)
}

// attackRace runs first and then second while the store is busy with something
// else: both have been let in on the same view, and are decided in one group,
// first before second. It returns the answer to second.
func attackRace(s *server, log *gatedLog, first, second func() answer) answer {
	s.t.Helper()
	gate := make(chan struct{})
	log.mu.Lock()
	log.gate = gate
	log.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { s.do("PUT", "/appdata/"+kid+"/busy/x", asMaster, `{}`) })
	<-log.entered
	log.mu.Lock()
	log.gate = nil
	log.mu.Unlock()
	waiting := func(n int) {
		until := time.Now().Add(5 * time.Second)
		for s.e.AttackWaiting() < n {
			if time.Now().After(until) {
				s.t.Error("the request does not come to the committer")
				return
			}
			runtime.Gosched()
		}
	}
	wg.Go(func() {
		if a := first(); a.status >= 300 {
			s.t.Errorf("the first: %d %s", a.status, a.body)
		}
	})
	waiting(1)
	var a answer
	wg.Go(func() { a = second() })
	waiting(2)
	close(gate)
	wg.Wait()
	return a
}

// A request that was let in before a grant, a credential or a name was taken
// away, and is carried out after, is decided by what holds then. Guards:
// draft.subject, the decisions in plan, openLogin's generation, errChanged.
func TestAttackRaceWithRevocation(t *testing.T) {
	log := &gatedLog{Driver: store.NewMemory(), entered: make(chan struct{}, 1)}
	s := start(t, func(o *options) { o.driver = log })
	victim := s.signUp("victim")
	things := "/appdata/" + kid + "/things/"
	n := 0
	fresh := func() user { n++; return s.signUp(fmt.Sprintf("mallory%d", n)) }
	own := func(body string) string {
		n++
		path := fmt.Sprintf("%se%d", things, n)
		s.want(s.do("PUT", path, victim.session(), body), 201, "")
		return path
	}
	do := func(method, path, who, body string) func() answer {
		return func() answer { return s.do(method, path, who, body) }
	}

	m := fresh()
	s.want(s.do("PUT", "/group/"+kid+"/club", victim.session(), attackMembers(m)), 201, "")
	path := own(`{"_acl":{"groups":{"w":["club"]}}}`)
	s.want(s.do("PUT", path, m.session(), `{"y":1}`), 200, "")
	s.want(attackRace(s, log, do("PUT", "/group/"+kid+"/club", victim.session(), `{}`), do("PUT", path, m.session(), `{"z":1}`)), 401, "InsufficientCredentials")

	path = own(`{"_acl":{"w":["` + m.id + `"]}}`)
	s.want(attackRace(s, log, do("PUT", path, victim.session(), `{"_acl":{}}`), do("DELETE", path, m.session(), "")), 401, "InsufficientCredentials")

	path = own(`{}`)
	s.setLevel("things", "full")
	level := do("PUT", "/v4/environments/"+kid+"/collections/things", asMaster, `{"permissions":"append-read"}`)
	s.want(attackRace(s, log, level, do("PUT", path, m.session(), `{"z":1}`)), 401, "InsufficientCredentials")

	suspend := do("DELETE", "/user/"+kid+"/"+m.id+"?hard=false", asMaster, "")
	s.want(attackRace(s, log, suspend, do("POST", "/appdata/"+kid+"/things", m.session(), `{"_id":"after"}`)), 401, "InvalidCredentials")
	m = fresh()
	remove := do("DELETE", "/user/"+kid+"/"+m.id+"?hard=true", asMaster, "")
	s.want(attackRace(s, log, remove, do("PUT", "/appdata/"+kid+"/things/after", m.session(), `{}`)), 401, "InvalidCredentials")
	s.want(s.do("GET", things+"after", asMaster, ""), 404, "EntityNotFound")

	m = fresh()
	change := do("PUT", "/user/"+kid+"/"+m.id, asMaster, `{"password":"new"}`)
	s.want(attackRace(s, log, change, func() answer { return attackLogin(s, m.name, m.password) }), 401, "InvalidCredentials")

	// A query delete matched something that is hidden, or another text, by now.
	m = fresh()
	path = own(`{"x":"hunted","_acl":{"gw":true}}`)
	s.want(attackRace(s, log, do("PUT", path, victim.session(), `{"x":"hunted","_acl":{"gw":true,"gr":false}}`),
		do("DELETE", attackQuery("things", `{"x":"hunted"}`), m.session(), "")), 200, "")
	s.want(s.do("GET", path, victim.session(), ""), 200, "")
	path = own(`{"x":"hunted","_acl":{"gw":true}}`)
	s.want(attackRace(s, log, do("PUT", path, victim.session(), `{"x":"escaped","_acl":{"gw":true}}`),
		do("DELETE", attackQuery("things", `{"x":"hunted"}`), m.session(), "")), 200, "")
	s.want(s.do("GET", path, victim.session(), ""), 200, "")

	path = own(`{"x":"hunted","_acl":{"gw":true}}`)
	s.want(attackRace(s, log, do("PUT", "/v4/environments/"+kid+"/collections/things", asMaster, `{"permissions":"append-only"}`),
		do("DELETE", attackQuery("things", `{"x":"hunted"}`), m.session(), "")), 200, "")
	s.want(s.do("GET", path, victim.session(), ""), 200, "")

	// Names that are taken in the same moment.
	s.want(attackRace(s, log, do("PUT", things+"named", victim.session(), `{"_acl":{"groups":{"r":["late"]}}}`),
		do("PUT", "/group/"+kid+"/late", m.session(), attackMembers(m))), 401, "InsufficientCredentials")
	s.want(attackRace(s, log, do("POST", "/user/"+kid, asApp, `{"username":"twin","password":"a"}`),
		do("POST", "/user/"+kid, asApp, `{"username":"twin","password":"b"}`)), 409, "UserAlreadyExists")
	s.want(attackRace(s, log, do("PUT", things+"mine", victim.session(), `{"x":1}`),
		do("PUT", things+"mine", m.session(), `{"x":2}`)), 401, "InsufficientCredentials")
}

package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/engine"
	"postern/engine/store"
)

// durableKeep leaves the driver inside open when the engine closes, so that
// another engine can take over as after a crash.
type durableKeep struct{ store.Driver }

func (durableKeep) Close() error { return nil }

func onDriver(d store.Driver) func(*options) { return func(o *options) { o.driver = d } }

func (s *server) put(who, id string, n int) answer {
	s.t.Helper()
	return s.do("PUT", "/appdata/"+kid+"/box/"+id, who, fmt.Sprintf(`{"n":%d}`, n))
}

// The store says that somebody else has written: the group is decided again,
// on what is there, and acknowledged.
func TestConflictsAreDecidedAgain(t *testing.T) {
	fault := store.NewFault(store.NewMemory(), seed(t), store.FaultPlan{Conflict: 0.3})
	s := start(t, onDriver(fault))
	alice := s.signUp("alice")
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := range rounds {
				if a := s.put(alice.session(), fmt.Sprint(w), n); a.status/100 != 2 {
					t.Errorf("writer %d, write %d: %d %s", w, n, a.status, a.body)
					return
				}
			}
		})
	}
	wg.Wait()
	if fault.Count(store.FaultConflict) == 0 {
		t.Error("no conflict: the test tested nothing")
	}
	for w := range 8 {
		a := s.want(s.do("GET", fmt.Sprintf("/appdata/%s/box/%d", kid, w), alice.session(), ""), 200, "")
		if got := fmt.Sprint(get(a.json(t), "n")); got != fmt.Sprint(rounds-1) {
			t.Errorf("writer %d: %s is stored, %d was acknowledged", w, got, rounds-1)
		}
	}
}

// Two engines on one log, as two nodes will be: a write is decided on all that
// is in the log, not on what its engine has seen of it.
func TestWritesAreDecidedOnTheHeadOfTheLog(t *testing.T) {
	log := durableKeep{store.NewMemory()}
	one := start(t, onDriver(log))
	alice, bob := one.signUp("alice"), one.signUp("bob")
	path := "/appdata/" + kid + "/box"
	one.want(one.do("POST", path, alice.session(), `{"_id":"e","_acl":{"w":["`+bob.id+`"]}}`), 201, "")
	two := start(t, onDriver(log), func(o *options) { o.noCheck = true })
	two.want(two.put(bob.session(), "e", 1), 200, "")
	two.want(two.do("PUT", path+"/e", alice.session(), `{"n":2,"_acl":{"w":[]}}`), 200, "")
	two.signUp("carol")
	// The first engine has seen none of it.
	one.want(one.put(bob.session(), "e", 3), 401, "InsufficientCredentials")
	one.want(one.do("POST", "/user/"+kid, asApp, `{"username":"carol","password":"x"}`), 409, "UserAlreadyExists")
	a := one.want(one.do("GET", path+"/e", alice.session(), ""), 200, "")
	if got := fmt.Sprint(get(a.json(t), "n")); got != "2" {
		t.Errorf("n is %s, want 2: %s", got, a.body)
	}
}

// An append of which nobody knows whether it was written: nothing is
// acknowledged from then on, the failure is told once, and a restart finds
// every acknowledged write, and of the last group all or nothing.
func TestUnknownOutcomeStopsTheEngine(t *testing.T) {
	for _, kind := range []store.FaultKind{store.FaultWritten, store.FaultLost} {
		t.Run(map[store.FaultKind]string{store.FaultWritten: "written", store.FaultLost: "lost"}[kind], func(t *testing.T) {
			log := durableKeep{store.NewMemory()}
			s := start(t, onDriver(log))
			alice := s.signUp("alice")
			s.stop()

			failures := make(chan error, 16)
			fault := store.NewFault(log, 1, store.FaultPlan{Script: append(make([]store.FaultKind, 25), kind)})
			s = start(t, onDriver(fault), func(o *options) {
				o.noCheck = true
				o.config.OnFailure = func(err error) { failures <- err }
			})
			const writers = 16
			var acked, tried [writers]int
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for n := 1; ; n++ {
						tried[w] = n
						a := s.put(alice.session(), fmt.Sprint(w), n)
						if a.status/100 != 2 {
							if a.status != 503 || a.error(t) != "KinveyInternalErrorRetry" || a.header["Retry-After"] == "" {
								t.Errorf("got %d %s %v", a.status, a.body, a.header)
							}
							return
						}
						acked[w] = n
					}
				})
			}
			wg.Wait()
			select {
			case <-failures:
			case <-time.After(20 * time.Second):
				t.Fatal("nobody was told of the failure")
			}
			if fault.Count(kind) != 1 {
				t.Fatal("the fault did not happen")
			}
			// Whatever is tried now: no write is acknowledged, reads go on.
			for _, r := range [][3]string{
				{"PUT", "/appdata/" + kid + "/box/0", `{"n":0}`}, {"POST", "/appdata/" + kid + "/new", `{}`},
				{"DELETE", "/appdata/" + kid + "/box/0", ""}, {"POST", "/user/" + kid + "/_logout", ""},
				{"DELETE", "/appdata/" + kid + "/box?query={}", ""}, {"DELETE", "/user/" + kid + "/" + alice.id, ""},
			} {
				s.want(s.do(r[0], r[1], alice.session(), r[2]), 503, "KinveyInternalErrorRetry")
			}
			s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"late"}`), 503, "KinveyInternalErrorRetry")
			s.want(s.do("POST", "/user/"+kid+"/login", asApp, `{"username":"alice","password":"alice"}`), 503, "KinveyInternalErrorRetry")
			s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/box", asMaster, `{"permissions":"private"}`), 503, "")
			s.want(s.do("GET", "/appdata/"+kid+"/box", alice.session(), ""), 200, "")
			if a := s.do("GET", "/-/ready", "", ""); a.status != 503 {
				t.Errorf("ready answers %d", a.status)
			}
			s.stop()
			if len(failures) != 0 {
				t.Error("the failure was told more than once")
			}

			s = start(t, onDriver(log)) // checked when it stops
			ahead := 0
			for w := range writers {
				n := 0
				if a := s.do("GET", fmt.Sprintf("/appdata/%s/box/%d", kid, w), alice.session(), ""); a.status == 200 {
					fmt.Sscan(fmt.Sprint(get(a.json(t), "n")), &n)
				}
				if n < acked[w] || n > tried[w] {
					t.Errorf("writer %d: %d is stored, %d was acknowledged, %d tried", w, n, acked[w], tried[w])
				}
				ahead += n - acked[w]
			}
			if kind == store.FaultLost && ahead != 0 || kind == store.FaultWritten && ahead == 0 {
				t.Errorf("%d writes of the unknown group are there", ahead)
			}
			s.want(s.do("POST", "/appdata/"+kid+"/box", alice.session(), `{}`), 201, "")
			s.want(s.do("GET", "/appdata/"+kid+"/late", asMaster, ""), 200, "")
		})
	}
}

// With too little space nothing that needs space is taken; what ends or
// removes something is, and reads go on. When space returns, so do writes.
func TestFullDiskRefusesWhatNeedsSpace(t *testing.T) {
	var free atomic.Uint64
	free.Store(20 << 30)
	driver, err := store.OpenBadger(t.TempDir(), store.Options{NoBallast: true, FreeSpace: func(string) (uint64, uint64, error) {
		return free.Load(), 40 << 30, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, onDriver(driver))
	alice, bob, carol := s.signUp("alice"), s.signUp("bob"), s.signUp("carol")
	path := "/appdata/" + kid + "/box"
	for i := range 4 {
		s.want(s.put(alice.session(), fmt.Sprint(i), i), 201, "")
	}
	before := s.do("GET", path, alice.session(), "")
	free.Store(200 << 20)
	full := func(a answer) {
		t.Helper()
		s.want(a, 507, "KinveyInternalErrorRetry")
		if a.header["Retry-After"] == "" {
			t.Error("no Retry-After")
		}
	}
	full(s.put(alice.session(), "9", 9))
	full(s.put(alice.session(), "1", 9))
	full(s.do("POST", path, alice.session(), `{}`))
	full(s.do("POST", "/user/"+kid, asApp, `{"username":"dave","password":"dave"}`))
	full(s.do("POST", "/group/"+kid, alice.session(), `{"_id":"g"}`))
	if after := s.do("GET", path, alice.session(), ""); string(after.body) != string(before.body) {
		t.Errorf("a refused write left a trace:\n%s\n%s", after.body, before.body)
	}
	s.want(s.do("DELETE", path+"/0", alice.session(), ""), 200, "")
	s.want(s.do("DELETE", path+"?query="+`{"n":1}`, alice.session(), ""), 200, "")
	s.want(s.do("POST", "/user/"+kid+"/_logout", bob.session(), ""), 204, "")
	s.want(s.do("GET", path, bob.session(), ""), 401, "InvalidCredentials")
	s.want(s.do("DELETE", "/user/"+kid+"/"+carol.id, asMaster, ""), 204, "")
	s.want(s.do("GET", path, carol.session(), ""), 401, "InvalidCredentials")
	// A full disk in the middle of a crowd: each is answered by what he asked.
	tokens := make([]string, 8)
	free.Store(20 << 30)
	for i := range tokens {
		a := s.want(s.do("POST", "/user/"+kid+"/login", asApp, `{"username":"bob","password":"bob"}`), 200, "")
		tokens[i] = "Kinvey " + get(a.json(t), "_kmd", "authtoken").(string)
	}
	free.Store(200 << 20)
	var wg sync.WaitGroup
	for i, token := range tokens {
		wg.Go(func() { s.want(s.do("POST", "/user/"+kid+"/_logout", token, ""), 204, "") })
		wg.Go(func() { full(s.put(alice.session(), fmt.Sprint("c", i), i)) })
	}
	wg.Wait()
	for _, token := range tokens {
		s.want(s.do("GET", path, token, ""), 401, "InvalidCredentials")
	}
	free.Store(1 << 20) // not even that any more
	full(s.do("DELETE", path+"/2", alice.session(), ""))
	s.want(s.do("GET", path+"/2", alice.session(), ""), 200, "")
	free.Store(20 << 30)
	s.want(s.put(alice.session(), "9", 9), 201, "")
}

// Space runs out in the middle: the same answers when the store says so itself.
func TestNoSpaceInAGroup(t *testing.T) {
	fault := store.NewFault(store.NewMemory(), seed(t), store.FaultPlan{NoSpace: 0.2})
	quiet := durableQuiet{Fault: fault, only: func(rec *store.Record) bool { return !rec.Small }}
	s := start(t, onDriver(&quiet))
	var alice user
	for alice.id == "" { // the fault refuses some sign-ups
		if a := s.do("POST", "/user/"+kid, asApp, `{"username":"alice","password":"alice"}`); a.status == 201 {
			alice = user{id: get(a.json(t), "_id").(string), token: get(a.json(t), "_kmd", "authtoken").(string)}
		}
	}
	var refused atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			there := map[string]bool{}
			for n := range 60 {
				id := fmt.Sprintf("%d-%d", w, n%5)
				if n%3 == 2 {
					a := s.do("DELETE", "/appdata/"+kid+"/box/"+id, alice.session(), "")
					if want := map[bool]int{true: 200, false: 404}[there[id]]; a.status != want {
						t.Errorf("delete of %s: %d %s, want %d", id, a.status, a.body, want)
					}
					there[id] = false
					continue
				}
				a := s.put(alice.session(), id, n)
				switch {
				case a.status == 507:
					refused.Add(1)
				case a.status/100 == 2:
					if (a.status == 201) == there[id] {
						t.Errorf("%s was there: %t, answer %d", id, there[id], a.status)
					}
					there[id] = true
				default:
					t.Errorf("%d %s", a.status, a.body)
				}
			}
			for id, ok := range there {
				a := s.do("GET", "/appdata/"+kid+"/box/"+id, alice.session(), "")
				if (a.status == 200) != ok {
					t.Errorf("%s: acknowledged to be there %t, answer %d", id, ok, a.status)
				}
			}
		})
	}
	wg.Wait()
	if refused.Load() == 0 {
		t.Error("nothing was refused: the test tested nothing")
	}
}

// durableQuiet lets a Fault decide on some records only.
type durableQuiet struct {
	*store.Fault
	only  func(*store.Record) bool
	calls atomic.Int64
}

func (d *durableQuiet) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	// The first records make the apps.
	if d.calls.Add(1) <= 2 || !d.only(rec) {
		return d.Fault.Driver.Append(ctx, expect, rec)
	}
	return d.Fault.Append(ctx, expect, rec)
}

// The times that the master imports are those of his entities; they do not
// move the clock of the server, not even over a restart.
func TestImportedTimesDoNotMoveTheClock(t *testing.T) {
	log := durableKeep{store.NewMemory()}
	c := newClock()
	with := func(o *options) { o.driver, o.config = log, engine.Config{Clock: c.Now, Argon: o.config.Argon} }
	s := start(t, with)
	path := "/appdata/" + kid + "/box"
	s.want(s.do("POST", path, asMaster, `{"_id":"old","_kmd":{"lmt":"2999-01-01T00:00:00.000Z","ect":"1999-01-01T00:00:00.000Z"}}`), 201, "")
	s.want(s.do("POST", path, asMaster, `{"_id":"before"}`), 201, "")
	s.stop()
	s = start(t, with)
	s.want(s.do("POST", path, asMaster, `{"_id":"after"}`), 201, "")
	for _, id := range []string{"before", "after"} {
		a := s.want(s.do("GET", path+"/"+id, asMaster, ""), 200, "")
		if lmt, _ := get(a.json(t), "_kmd", "lmt").(string); !strings.HasPrefix(lmt, "2026-01-02") {
			t.Errorf("%s was written on %s", id, lmt)
		}
	}
}

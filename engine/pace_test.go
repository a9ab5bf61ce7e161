package engine_test

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/auth"
	"postern/engine"
)

// large is how many entities fillLarge makes. Any two are a look at the clock, and
// all are more than a query examines without a turn.
const large = 20

// fillLarge makes entities of which a scan of all needs a turn, in a collection
// that remembers its changes, and returns the start of a read before them.
func fillLarge(s *server, u user) (since string) {
	s.t.Helper()
	s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/large", asMaster, `{"permissions":"private","deltaSet":{"enabled":true}}`), 200, "")
	s.clock.Add(time.Second)
	since = s.do("GET", "/appdata/"+kid+"/large", u.session(), "").header["X-Kinvey-Request-Start"]
	text := strings.Repeat("x", 530_000)
	for i := range large {
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/large/%d", kid, i), u.session(), `{"text":"`+text+`"}`), 201, "")
	}
	s.want(s.do("PUT", "/appdata/"+kid+"/small/1", u.session(), `{"n":1}`), 201, "")
	s.clock.Add(time.Second)
	return since
}

func startPaced(t *testing.T, change ...func(*options)) *server {
	c := newClock()
	s := start(t, append([]func(*options){func(o *options) { o.config.Clock = c.Now }}, change...)...)
	s.clock = c
	return s
}

// scans are the requests that examine every large entity, of each kind.
func scans(since string) [][4]string { // method, path, body, whether the master asks
	const path = "/appdata/" + kid + "/large"
	none := "query=" + url.QueryEscape(`{"text":{"$regex":"^y"}}`)
	return [][4]string{
		{"GET", path + "?" + none},
		{"GET", path + "?" + none + "&sort=text"},
		{"GET", path + "?sort=text&limit=1&fields=n"},
		{"GET", path + "?resolve=a&" + none},
		{"GET", path + "/_count?" + none},
		{"POST", path + "/_group", `{"condition":{"text":"y"}}`},
		{"GET", path + "/_deltaset?" + none + "&since=" + since},
		{"DELETE", path + "?" + none},
		{"GET", path + "?" + none, "", "master"},
	}
}

// While every turn is taken, expensive queries of all kinds wait and cheap ones
// do not; then they are answered, and no turn is lost.
func TestCheapRequestsDoNotWaitForTurns(t *testing.T) {
	s := startPaced(t, func(o *options) { o.config.QueryTime = 20 * time.Second })
	u := s.signUp("u")
	requests := scans(fillLarge(s, u))
	release := s.e.HoldTurns()
	defer func() { release() }()
	answers := make(chan string, len(requests))
	for _, q := range requests {
		as := u.session()
		if q[3] != "" {
			as = asMaster
		}
		go func() {
			a, err := s.try(q[0], q[1], as, q[2])
			if err != nil || a.status != 200 {
				answers <- fmt.Sprint(q, a.status, string(a.body), err)
			}
			answers <- ""
		}()
	}
	for s.e.QueriesWaiting() < len(requests) {
		select {
		case a := <-answers:
			t.Fatalf("an expensive query was answered without a turn; %s", a)
		default:
			runtime.Gosched()
		}
	}
	s.want(s.do("GET", "/appdata/"+kid+"/small/1", u.session(), ""), 200, "")
	s.want(s.do("GET", "/appdata/"+kid+"/small?query="+url.QueryEscape(`{"n":1}`), u.session(), ""), 200, "")
	s.want(s.do("GET", "/appdata/"+kid+"/large?limit=10&fields=_id&query="+url.QueryEscape(`{"text":{"$gt":"x"}}`), u.session(), ""), 200, "")
	s.want(s.do("PUT", "/appdata/"+kid+"/small/2", u.session(), `{}`), 201, "")
	if n := s.e.QueriesWaiting(); n != len(requests) {
		t.Errorf("%d queries wait, want %d", n, len(requests))
	}
	release()
	release = func() {}
	for range requests {
		if a := <-answers; a != "" {
			t.Error(a)
		}
	}
	if taken, waiting := s.e.TurnsTaken(), s.e.QueriesWaiting(); taken != 0 || waiting != 0 {
		t.Errorf("at the end %d turns are taken and %d wait", taken, waiting)
	}
}

// A query that gets no turn in its time is refused like any that takes too
// long. The clock of the budget stands, so it is the waiting that ends.
func TestWaitingPastTheTimeIsRefused(t *testing.T) {
	s := startPaced(t, func(o *options) { o.config.QueryTime = 10 * time.Millisecond })
	u := s.signUp("u")
	requests := scans(fillLarge(s, u))
	release := s.e.HoldTurns()
	defer release()
	for _, q := range requests {
		as := u.session()
		if q[3] != "" {
			as = asMaster
		}
		a := s.want(s.do(q[0], q[1], as, q[2]), 400, "ResultSetSizeExceeded")
		if !strings.Contains(string(a.body), "takes too long") {
			t.Errorf("%s %s: %s", q[0], q[1], a.body)
		}
	}
	if n := s.e.QueriesWaiting(); n != 0 {
		t.Errorf("%d queries wait", n)
	}
}

// A turn comes back however a request ends.
func TestTurnsComeBack(t *testing.T) {
	c := newClock()
	var e *engine.Engine
	var failing, failed atomic.Bool
	s := start(t, func(o *options) {
		o.config = engine.Config{Argon: auth.CheapParams, QueryRows: large - 1, Clock: func() time.Time {
			if failing.Load() && e.TurnsTaken() > 0 {
				failed.Store(true)
				panic("a clock that fails while a query has a turn")
			}
			return c.Now()
		}}
	})
	s.clock, e = c, s.e
	u := s.signUp("u")
	fillLarge(s, u)
	back := func(end string) {
		t.Helper()
		if n := e.TurnsTaken(); n != 0 {
			t.Fatalf("%s: %d turns are taken", end, n)
		}
	}
	list := "/appdata/" + kid + "/large?query=" + url.QueryEscape(`{"text":{"$regex":"^y"}}`)
	s.want(s.do("GET", list, u.session(), ""), 400, "ResultSetSizeExceeded")
	back("an error")
	failing.Store(true)
	s.want(s.do("GET", list, u.session(), ""), 500, "KinveyInternalErrorStop")
	failing.Store(false)
	if !failed.Load() {
		t.Fatal("nothing has failed in a query that had a turn")
	}
	back("a panic")
	s.want(s.do("DELETE", "/appdata/"+kid+"/large/0", u.session(), ""), 200, "")
	s.want(s.do("GET", list, u.session(), ""), 200, "")
	back("a success")
}

package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/engine/store"
)

type managedSystem struct {
	Version, Go, Started string
	UptimeSeconds        int
	Memory               struct{ Heap, Sys int }
	Durability           struct {
		Sync string
		Seq  int
	}
	Apps []struct {
		ID, Name                               string
		Collections, Entities, Users, Sessions int
	}
	Health   struct{ OK, Broken bool }
	Indexing *bool
	Latency  struct {
		P50, P90, P99 float64
		Buckets       [][2]float64
	}
	Requests map[string]int
}

// The figures of the server are those of what was done, and it tells when its store
// has failed.
func TestManagedSystem(t *testing.T) {
	c := newClock()
	faults := &failingLog{Driver: store.NewMemory()}
	s := start(t, func(o *options) {
		o.config.Clock, o.config.Version, o.driver, o.noCheck = c.Now, "1.2.3", faults, true
	})
	if err := s.e.CreateOperator("op@example.org", "operator-password"); err != nil {
		t.Fatal(err)
	}
	token, _ := get(s.want(s.do("POST", "/v4/session", "", `{"email":"op@example.org","password":"operator-password"}`), 200, "").json(t), "token").(string)
	system := func() (x managedSystem) {
		t.Helper()
		a := s.want(s.do("GET", "/v4/system", "Kinvey "+token, ""), 200, "")
		if err := json.Unmarshal(a.body, &x); err != nil {
			t.Fatalf("%v in %s", err, a.body)
		}
		if strings.Contains(string(a.body), masterSecret) || strings.Contains(string(a.body), token) {
			t.Errorf("a secret: %s", a.body)
		}
		return x
	}
	before := system()
	ann := s.signUp("ann")
	s.signUp("ben")
	for i := range 7 {
		s.want(s.do("POST", "/appdata/"+kid+"/"+fmt.Sprint("c", i%2), ann.session(), `{}`), 201, "")
	}
	for range 5 {
		s.do("GET", "/appdata/"+kid+"/c0/none", ann.session(), "")
	}
	s.do("GET", "/nowhere", "", "")
	s.do("DELETE", "/appdata", "", "")
	s.want(s.do("POST", "/user/"+kid+"/_logout", ann.session(), ""), 204, "")
	c.Add(90 * time.Second)
	x := system()
	if x.Version != "1.2.3" || !strings.HasPrefix(x.Go, "go1") || x.Started != "2026-01-02T03:04:05.000Z" || x.UptimeSeconds != 90 {
		t.Errorf("it is %+v", x)
	}
	if x.Memory.Heap < 1<<16 || x.Memory.Sys < x.Memory.Heap || !x.Health.OK || x.Health.Broken || x.Indexing == nil {
		t.Errorf("it is %+v", x)
	}
	if seq, _ := faults.Head(); x.Durability.Sync != "none" || x.Durability.Seq != int(seq) {
		t.Errorf("durability %+v", x.Durability)
	}
	if len(x.Apps) != 2 {
		t.Fatalf("apps %+v", x.Apps)
	}
	for _, a := range x.Apps {
		if a.ID == kid && (a.Name != "Test" || a.Collections != 2 || a.Entities != 7 || a.Users != 2 || a.Sessions != 1) {
			t.Errorf("the app is %+v", a)
		}
	}
	all := 0.0
	last := 0.0
	for _, b := range x.Latency.Buckets {
		if b[0] <= last || b[1] < 1 {
			t.Errorf("buckets %v", x.Latency.Buckets)
		}
		last, all = b[0], all+b[1]
	}
	l := x.Latency
	if l.P50 <= 0 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > last {
		t.Errorf("latency %+v", l)
	}
	for class, n := range map[string]int{"2xx": 1 + 2 + 7 + 1, "4xx": 7, "5xx": 0} {
		if got := x.Requests[class] - before.Requests[class]; got != n {
			t.Errorf("%d answers %s, want %d", got, class, n)
		}
	}
	if requests := x.Requests["2xx"] + x.Requests["4xx"]; int(all) != requests {
		t.Errorf("%v requests took a time, %d were answered", all, requests)
	}
	faults.failed.Store(true)
	if a := s.do("POST", "/appdata/"+kid+"/c0", asMaster, `{}`); a.status < 500 {
		t.Errorf("a write is answered %d", a.status)
	}
	if x := system(); x.Health.OK || !x.Health.Broken {
		t.Errorf("after the store has failed: %+v", x.Health)
	}
}

// A failingLog is a store that fails from some moment on.
type failingLog struct {
	store.Driver
	failed atomic.Bool
}

func (f *failingLog) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	if f.failed.Load() {
		return store.ErrUnknown
	}
	return f.Driver.Append(ctx, expect, rec)
}

package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/engine/store"
)

// Writes in one millisecond: each is either in the answer or in the next delta
// set, and on a clock that moves it is told once.
func TestDeltaWithinOneMillisecond(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now })
	s.deltaOn("box")
	alice := s.signUp("alice")
	c.Add(time.Millisecond)
	put := func(id string) { s.want(s.do("PUT", "/appdata/"+kid+"/box/"+id, alice.session(), `{}`), 201, "") }
	put("before")
	since := s.do("GET", "/appdata/"+kid+"/box", alice.session(), "").header["X-Kinvey-Request-Start"]
	put("first") // the clock stands still
	a := s.delta(alice.session(), "box", since, "")
	if changed, _ := told(t, a); !slices.Contains(changed, "first") {
		t.Fatalf("since %s: %v, want first", since, changed)
	}
	second := a.header["X-Kinvey-Request-Start"]
	if second != since {
		t.Fatalf("the clock stands still and the start went from %s to %s", since, second)
	}
	put("second")
	if changed, _ := told(t, s.delta(alice.session(), "box", second, "")); !slices.Contains(changed, "second") {
		t.Fatalf("since %s: %v, want second", second, changed)
	}
	c.Add(5 * time.Millisecond)
	a = s.do("GET", "/appdata/"+kid+"/box", alice.session(), "")
	if changed, deleted := told(t, s.delta(alice.session(), "box", a.header["X-Kinvey-Request-Start"], "")); len(changed)+len(deleted) != 0 {
		t.Fatalf("nothing was changed, and %v %v is told", changed, deleted)
	}
	c.Add(time.Millisecond)
	put("third")
	c.Add(time.Millisecond)
	if changed, deleted := told(t, s.delta(alice.session(), "box", a.header["X-Kinvey-Request-Start"], "")); fmt.Sprint(changed, deleted) != "[third] []" {
		t.Fatalf("got %v %v, want third alone", changed, deleted)
	}
}

// slow is a driver whose appends wait when they are told to.
type slow struct {
	store.Driver
	mu      sync.Mutex
	entered chan struct{} // nil: appends do not wait
	proceed chan struct{}
}

func (d *slow) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	d.mu.Lock()
	entered, proceed := d.entered, d.proceed
	d.entered = nil
	d.mu.Unlock()
	if entered != nil {
		close(entered)
		<-proceed
	}
	return d.Driver.Append(ctx, expect, rec)
}

func (d *slow) hold() (entered, proceed chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entered, d.proceed = make(chan struct{}), make(chan struct{})
	return d.entered, d.proceed
}

// A write has its time and is not durable yet, the clock goes on, somebody
// reads: his next delta set has the write all the same. Readers of other
// collections do not wait for it.
func TestDeltaMissesNoWriteInTheMaking(t *testing.T) {
	c := newClock()
	driver := &slow{Driver: store.NewMemory()}
	s := start(t, onDriver(driver), func(o *options) { o.config.Clock = c.Now })
	s.deltaOn("box")
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("PUT", "/appdata/"+kid+"/other/x", alice.session(), `{}`), 201, "")
	c.Add(time.Millisecond)
	entered, proceed := driver.hold()
	written := make(chan answer, 1)
	go func() {
		a, _ := s.try("PUT", "/appdata/"+kid+"/box/late", alice.session(), `{}`)
		written <- a
	}()
	<-entered
	c.Add(10 * time.Millisecond)
	s.want(s.do("GET", "/appdata/"+kid+"/other", bob.session(), ""), 200, "")
	read := make(chan answer, 1)
	go func() {
		a, _ := s.try("GET", "/appdata/"+kid+"/box", bob.session(), "")
		read <- a
	}()
	var a answer
	select {
	case a = <-read: // without the write
		close(proceed)
	case <-time.After(100 * time.Millisecond): // time for one that does not wait to answer
		close(proceed)
		a = <-read
	}
	if w := <-written; w.status != 201 {
		t.Fatalf("PUT: %d %s", w.status, w.body)
	}
	changed, _ := told(t, s.delta(bob.session(), "box", a.header["X-Kinvey-Request-Start"], ""))
	if !slices.Contains(append(ids(t, a), changed...), "late") {
		t.Fatalf("neither the answer %s with the start %s nor the delta set has the write", a.body, a.header["X-Kinvey-Request-Start"])
	}
}

// disk is a driver that takes its time to be durable.
type disk struct{ store.Driver }

func (d disk) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	time.Sleep(time.Millisecond)
	return d.Driver.Append(ctx, expect, rec)
}

// Writers and a client at the same time, on the real clock. Every entity is
// written once, so a write that is lost to the client is not made good by a
// later one.
func TestDeltaUnderConcurrentWrites(t *testing.T) {
	bursts := 40
	if testing.Short() {
		bursts = 10
	}
	s := start(t, onDriver(disk{store.NewMemory()}))
	s.deltaOn("box")
	alice, bob := s.signUp("alice"), s.signUp("bob")
	k := &keeper{name: "bob", who: bob.session(), coll: "box", find: "{}"}
	could := map[string]bool{}
	for burst := range bursts {
		k.sync(s, could)
		var writers sync.WaitGroup
		for n := range 3 {
			for i := range 6 {
				could[fmt.Sprintf("b%d-w%d-%d", burst, n, i)] = true
			}
			writers.Go(func() {
				for i := range 6 {
					path := fmt.Sprintf("/appdata/%s/box/b%d-w%d-%d", kid, burst, n, i)
					_, _ = s.try("PUT", path, alice.session(), `{}`)
				}
			})
		}
		over := make(chan struct{})
		go func() { writers.Wait(); close(over) }()
		for writing := true; writing; {
			select {
			case <-over:
				writing = false
			default:
				a := s.delta(k.who, "box", k.since, "{}")
				for _, e := range get(a.json(t), "changed").([]any) {
					id, _ := get(e, "_id").(string)
					k.held[id] = fmt.Sprint(e)
				}
				k.since = a.header["X-Kinvey-Request-Start"]
			}
		}
	}
	k.sync(s, could)
	t.Logf("figure: %d entities written while a client asked for delta sets, none missed", len(k.held))
}

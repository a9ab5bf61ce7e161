package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// remembering is an engine on a clock that the test moves, whose collection
// box remembers its changes.
type remembering struct {
	t      *testing.T
	now    *atomic.Int64 // Unix ms
	driver store.Driver
	e      *Engine // nil: closed
	a      *app
}

func newRemembering(t *testing.T, driver store.Driver, days int) *remembering {
	r := &remembering{t: t, now: new(atomic.Int64), driver: driver}
	r.now.Store(1_000_000_000_000)
	r.open()
	if _, err := r.e.CreateApp(NewApp{Key: "kid_a", AppSecret: "kid_a", MasterSecret: "kid_a"}); err != nil {
		t.Fatal(err)
	}
	r.a, _ = r.e.appByKey("kid_a")
	if err := r.e.submitSetting(r.a, &setCollection{app: r.a, name: "box", delta: &deltaSetting{on: true, days: days}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

// open opens an engine over the driver, which outlives it.
func (r *remembering) open() {
	r.t.Helper()
	var err error
	r.e, err = Open(Config{
		Driver: &commitWatch{Driver: r.driver}, Argon: auth.CheapParams,
		Clock: func() time.Time { return unixTime(r.now.Load()) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.a, _ = r.e.appByKey("kid_a")
}

func (r *remembering) close() {
	r.t.Helper()
	if r.e == nil {
		return
	}
	if err := r.e.Check(func(p string) { r.t.Error("check:", p) }); err != nil {
		r.t.Error("check:", err)
	}
	if err := r.e.Close(); err != nil {
		r.t.Error(err)
	}
	r.e = nil
}

func (r *remembering) reopen() { r.t.Helper(); r.close(); r.open() }

func (r *remembering) submit(in intent) {
	r.t.Helper()
	if err := r.e.committer.submit(r.a, in); err != nil {
		r.t.Fatalf("%T: %v", in, err)
	}
}

// pass lets time go by. Somebody has read then, so what is written next is
// later for certain.
func (r *remembering) pass(ms int64) {
	r.e.gate.enter(r.a, "box", r.now.Add(ms))
}

// put writes an entity a second later.
func (r *remembering) put(collection, id string) {
	r.t.Helper()
	r.pass(1000)
	r.submit(&putEntity{app: r.a, subject: acl.Subject{Role: acl.RoleMaster}, collection: collection, id: id, members: []byte(`{"_id":"` + id + `"`)})
}

// group makes a group of the users.
func (r *remembering) group(id string, users ...string) {
	r.t.Helper()
	r.pass(1000)
	list := `[]`
	if len(users) > 0 {
		list = `[{"_id":"` + strings.Join(users, `"},{"_id":"`) + `"}]`
	}
	r.submit(&putEntity{app: r.a, subject: acl.Subject{Role: acl.RoleMaster}, collection: "group", id: id,
		members: []byte(`{"_id":"` + id + `","users":{"list":` + list + `}`)})
}

func (r *remembering) state() *appState  { return r.a.view.Load() }
func (r *remembering) history() *history { return r.state().collection("box").history }

// What is too old is dropped from memory and from the setting, and a restart
// comes to the same. What is needed stays.
func TestHistoryIsTrimmed(t *testing.T) {
	r := newRemembering(t, store.NewMemory(), 2)
	const day = millisecondsADay
	for i := range 5 {
		r.put("box", fmt.Sprint("old", i))
	}
	r.group("g", "u")
	r.pass(day)
	r.put("box", "new")
	r.pass(day)
	r.group("h", "u") // a second before it, the first ones have become too old
	for _, when := range []string{"at once", "after a restart"} {
		r.submit(&trimHistory{app: r.a, collection: "box"})
		if n := r.history().changes.Len(); n != 6 {
			t.Errorf("%s: %d changes; less than a day is too old, and something is gone", when, n)
		}
		r.reopen()
	}
	r.pass(day + 5000)
	if err := r.e.cleaner.trim(r.a); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"at once", "after a restart"} {
		h := r.history()
		// new is two days and some seconds old by now.
		if late := h.from - (r.now.Load() - 2*day); h.changes.Len() != 0 || late < 0 || late > 10 {
			t.Errorf("%s: %d changes from %d on, want none from %d on", when, h.changes.Len(), h.from, r.now.Load()-2*day)
		}
		if n := r.state().regrouped.Len(); n != 1 {
			t.Errorf("%s: %d rows about groups, want the newer one", when, n)
		}
		r.reopen()
	}
	if h := r.history(); uint64(h.row.After) <= 3 {
		t.Errorf("the log is still needed from record %d on", h.row.After)
	}
	before, _ := r.driver.Head()
	if err := r.e.cleaner.trim(r.a); err != nil {
		t.Fatal(err)
	}
	if after, _ := r.driver.Head(); after != before {
		t.Error("there was nothing to trim and something was written")
	}
}

// A history holds so many changes; the oldest make room, and no change is
// forgotten while the history says that it is known.
func TestHistoryIsBounded(t *testing.T) {
	h := newHistory(deltaRow{Days: 1, From: 100})
	for i := range 50 {
		at := int64(101 + i/3) // three changes in each millisecond
		h.add(change{id: fmt.Sprint(i), at: at, seq: store.Seq(at)}, 10)
		if n := h.changes.Len(); n > 10 {
			t.Fatalf("%d changes", n)
		}
		known := 0
		for j := range i + 1 {
			if int64(101+j/3) > h.from {
				known++
			}
		}
		if n := h.changes.Len(); n != known || h.reaches(h.from-1, at) || !h.reaches(h.from, at) {
			t.Fatalf("after %d: %d changes from %d on, want %d", i, n, h.from, known)
		}
	}
}

// Where the log does not reach back to the beginning of a history, as after a
// restore from a backup, the history begins anew.
func TestLostHistoryBeginsAnew(t *testing.T) {
	driver := store.NewMemory()
	r := newRemembering(t, driver, 5)
	r.put("box", "a")
	r.put("box", "b")
	r.close()
	head, _ := driver.Head()
	if err := driver.Trim(context.Background(), head); err != nil {
		t.Fatal(err)
	}
	view, err := driver.View()
	if err != nil {
		t.Fatal(err)
	}
	st, err := load(driver, view, nil)
	view.Close()
	if err != nil {
		t.Fatal(err)
	}
	h := st.directory.byKey["kid_a"].view.Load().collection("box").history
	if !h.lost || h.reaches(r.now.Load(), r.now.Load()) {
		t.Fatalf("the log is gone and the history is said to reach back: %+v", h)
	}
	before := r.now.Load()
	r.open()
	if err := r.e.cleaner.trim(r.a); err != nil {
		t.Fatal(err)
	}
	if h := r.history(); h.lost || h.reaches(before, r.now.Load()) {
		t.Fatalf("the history has not begun anew: %+v", h)
	}
	r.put("box", "c")
	r.reopen()
	if h := r.history(); h.lost || h.changes.Len() != 1 {
		t.Fatalf("after the new beginning there was one change: %+v", h)
	}
}

// A time that was shortened and is made longer again does not reach back to
// what may be gone.
func TestLongerTimeDoesNotReachBack(t *testing.T) {
	r := newRemembering(t, store.NewMemory(), 1)
	begun := r.now.Load()
	r.pass(3 * millisecondsADay)
	in := &setCollection{app: r.a, name: "box", keep: true, delta: &deltaSetting{on: true, days: 30}}
	if err := r.e.submitSetting(r.a, in); err != nil {
		t.Fatal(err)
	}
	if h := r.history(); h.reaches(begun+millisecondsADay, r.now.Load()) || !h.reaches(r.now.Load()+10-millisecondsADay, r.now.Load()) {
		t.Errorf("it reaches back to %d, was for one day until %d", h.from, r.now.Load())
	}
}

// The rows about groups are bounded: in size, and in number.
func TestRegroupsAreBounded(t *testing.T) {
	r := newRemembering(t, store.NewMemory(), 5)
	start := r.now.Load()
	many := make([]string, 8000)
	for i := range many {
		many[i] = fmt.Sprintf("%024d", i)
	}
	r.group("large", many[:100]...)
	if r.state().regroupedSince("nobody", start) || !r.state().regroupedSince(many[7], start) {
		t.Error("a change of a group of a hundred concerns them and nobody else")
	}
	r.group("large", many...)
	if !r.state().regroupedSince("nobody", r.now.Load()-1) {
		t.Error("a change that is too large to be listed concerns everybody")
	}
	s := r.state().clone()
	for i := range maxRegroups {
		for _, op := range append(s.mergeRegroups(r.a), store.Op{Key: regroupKey(r.a, fmt.Sprintf("\xff%06d", i)), Value: encodeRow(&regroupRow{At: int64(1000 + i), Users: []string{"u"}})}) {
			if err := s.apply(op.Key, op.Value, 1, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := s.regrouped.Len(); n != maxRegroups {
		t.Errorf("%d rows", n)
	}
	_, oldest, _ := s.regrouped.Min()
	if !oldest.All {
		t.Error("rows were merged and the one that is left does not concern everybody")
	}
}

// Check sees a history that is not that of the log.
func TestCheckNamesDamagedHistories(t *testing.T) {
	for name, damage := range map[string]func(h *history){
		"a change is missing":     func(h *history) { h.changes.PopMin() },
		"an ACL is another":       func(h *history) { h.changes.Set(1, change{id: "a", at: 2, before: &acl.ACL{Creator: "x"}}) },
		"it begins earlier":       func(h *history) { h.from-- },
		"it is said to be lost":   func(h *history) { h.lost = true },
		"it is kept for too long": func(h *history) { h.row.Days++ },
	} {
		t.Run(name, func(t *testing.T) {
			b := newCommitBench(t, store.NewMemory())
			if err := b.e.submitSetting(b.a, &setCollection{app: b.a, name: "box", delta: &deltaSetting{on: true}}); err != nil {
				t.Fatal(err)
			}
			b.e.gate.exposed.Store(b.e.now() + 5) // writes come later than the beginning
			b.must(b.a, b.create(b.alice, "a", "1", ""), &deleteEntity{app: b.a, subject: b.alice, collection: "box", id: "a"})
			b.check()
			sound := b.a.view.Load()
			s := sound.clone()
			damage(s.own("box").history)
			s.freeze(0)
			b.a.view.Store(s)
			if got := problems(b.e.Check); !strings.Contains(got, "collection box: the history differs from the log") {
				t.Errorf("the check says %q", got)
			}
			b.a.view.Store(sound)
		})
	}
}

// After an append whose outcome nobody knows, the starts that are given out are
// from before it: it may be there when the server is back.
func TestStartsStayBeforeALostRecord(t *testing.T) {
	g := new(gate)
	g.on.Store(true)
	a := new(app)
	e := &Engine{}
	d := &draft{e: e, now: 1000}
	e.gate.on.Store(true)
	g = &e.gate
	g.exposed.Store(1500)
	g.begin(d)
	if d.now != 1501 {
		t.Fatalf("the record has the time %d, want 1501", d.now)
	}
	d.pending.holds = map[held]bool{{a, "box"}: true}
	close(d.pending.decided)
	d.letGo(true)
	if got := g.enter(a, "box", 2000); got != 1500 {
		t.Errorf("start %d of the collection, want 1500", got)
	}
	if got := g.enter(a, "other", 2000); got != 2000 {
		t.Errorf("start %d of another one, want 2000", got)
	}
	again := &draft{e: e, now: 3000}
	g.begin(again)
	if again.pending != nil {
		t.Error("another record has taken the place of the lost one")
	}
}

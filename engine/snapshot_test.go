package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func saveAtStop(o *options) { o.config.SnapshotAfter = 1 }

func noRebuild(o *options) { o.config.RebuildAfter = 1 << 30 }

// After a restart from snapshots every answer is what it was, and no row of an
// entity was read.
func TestSnapshotRestart(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), saveAtStop)
	for range 600 {
		w.act()
	}
	questions := w.questions(40)
	before := w.asked(w.s, questions)
	w.s.stop()
	w.d.entities.Store(0)
	w.open()
	if n := w.s.metric("postern_snapshots_used_total"); n != 2 || w.d.entities.Load() != 0 {
		t.Fatalf("%d snapshots used, %d rows read", n, w.d.entities.Load())
	}
	for i, after := range w.asked(w.s, questions) {
		if after != before[i] {
			t.Fatalf("%s\n  was %s", after, before[i])
		}
	}
	w.same(10)
	// And it goes on.
	for range 200 {
		w.act()
	}
	w.same(10)
}

// What was written after a snapshot is brought in from the log, and no more than
// that is read.
func TestSnapshotReplay(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), noRebuild, saveAtStop)
	path := "/appdata/" + kid + "/things"
	w.s.setLevel("things", "append-only")
	for i := range 300 {
		w.s.want(w.s.do("PUT", fmt.Sprintf("%s/e%d", path, i), w.people[0], `{"n":1,"_acl":{"gr":false,"groups":{"r":["g0"]},"r":["x"]}}`), 201, "")
	}
	w.s.stop() // a snapshot
	kept := w.copyOf(w.dir)
	w.open()
	w.s.want(w.s.do("DELETE", path+"/e5", w.people[0], ""), 200, "")
	w.s.want(w.s.do("PUT", path+"/e6", w.people[0], `{"n":2,"_acl":{"gr":false}}`), 200, "")
	w.s.want(w.s.do("PUT", path+"/e7", w.people[0], `{"n":3}`), 200, "")
	w.s.want(w.s.do("PUT", path+"/e7", w.people[0], `{"n":4}`), 200, "")
	w.s.want(w.s.do("PUT", path+"/new", w.people[0], `{"n":5}`), 201, "")
	w.s.want(w.s.do("PUT", path+"/gone", w.people[0], `{"n":5}`), 201, "")
	w.s.want(w.s.do("DELETE", path+"/gone", w.people[0], ""), 200, "")
	w.s.want(w.s.do("DELETE", path+"/e8", w.people[0], ""), 200, "")
	w.s.want(w.s.do("PUT", path+"/e8", w.people[0], `{"n":6}`), 201, "")
	w.s.stop()
	w.dir = kept // as after a crash
	w.d.entities.Store(0)
	w.open()
	if n := w.s.metric("postern_snapshots_used_total"); n != 1 || w.d.entities.Load() != 0 {
		t.Fatalf("%d snapshots used, %d rows read", n, w.d.entities.Load())
	}
	w.s.want(w.s.do("GET", path+"/e5", w.people[0], ""), 404, "EntityNotFound")
	w.same(20)
}

// Snapshots are written at any moment, engines crash at any moment, and each
// start leads to what the rows say. With little memory the rows are read in
// place.
func TestSnapshotsInARandomHistory(t *testing.T) {
	n := seed(t)
	rounds := 25
	if testing.Short() {
		rounds = 10
	}
	for memory, what := range map[int]string{0: "in memory", 1: "in files", 20_000: "in both"} {
		t.Run(what, func(t *testing.T) {
			used, mapped, crashes := 0, 0, 0
			r := rand.New(rand.NewPCG(n, 9))
			w := newSnapshotWorld(t, n, func(o *options) {
				o.config.ValueMemory = memory
				o.config.SnapshotAfter = 1 + r.IntN(60)
				o.config.RebuildAfter = 1 + r.IntN(40)
			})
			for range rounds {
				for range r.IntN(60) {
					w.act()
				}
				if crashes++; r.IntN(3) == 0 {
					w.s.stop()
				} else {
					left := w.copyOf(w.dir)
					w.s.stop()
					w.dir = left
				}
				w.open()
				used += w.s.metric("postern_snapshots_used_total")
				mapped = max(mapped, w.s.metric("postern_rows_mapped_bytes"))
				w.same(3)
			}
			if used < rounds/4 || memory > 0 && mapped == 0 {
				t.Errorf("%d snapshots used, at most %d bytes mapped", used, mapped)
			}
			t.Logf("figure: %d starts, %d snapshots used, up to %d bytes read in place", crashes, used, mapped)
		})
	}
}

// A snapshot that stands far behind is not worth what the log would cost.
func TestOldSnapshot(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), noRebuild, saveAtStop)
	path := "/appdata/" + kid + "/"
	w.s.want(w.s.do("PUT", path+"things/e", asMaster, "{}"), 201, "")
	w.s.want(w.s.do("PUT", path+"still/e", asMaster, "{}"), 201, "")
	w.s.stop()
	old := w.copyOf(w.dir)
	w.open()
	for i := range 4200 {
		w.s.want(w.s.do("PUT", path+"things/e", asMaster, fmt.Sprintf(`{"n":%d}`, i)), 200, "")
	}
	w.s.stop()
	w.dir = old
	w.d.entities.Store(0)
	w.open()
	if n := w.s.metric("postern_snapshots_used_total"); n != 1 || w.d.entities.Load() != 1 {
		t.Errorf("%d used, %d rows read", n, w.d.entities.Load()) // that of what nobody has changed
	}
	w.same(2)
}

// A right that was taken away after the snapshot is gone after the restart.
func TestRevocationAfterASnapshot(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), saveAtStop)
	path := "/appdata/" + kid + "/things"
	w.s.setLevel("things", "append-only")
	bob := w.s.signUp("bob")
	for i := range 20 {
		w.s.want(w.s.do("PUT", fmt.Sprintf("%s/e%d", path, i), w.people[0], fmt.Sprintf(`{"_acl":{"r":[%q]}}`, bob.id)), 201, "")
	}
	w.s.stop()
	old := w.copyOf(w.dir)
	w.open()
	if n := len(ids(t, w.s.do("GET", path, bob.session(), ""))); n != 20 {
		t.Fatalf("bob sees %d", n)
	}
	w.s.want(w.s.do("PUT", path+"/e3", w.people[0], `{"_acl":{"r":[]}}`), 200, "")
	w.s.stop()
	w.dir = old
	w.open()
	if n := w.s.metric("postern_snapshots_used_total"); n != 1 {
		t.Errorf("%d used", n)
	}
	if got := ids(t, w.s.do("GET", path, bob.session(), "")); len(got) != 19 || slices.Contains(got, "e3") {
		t.Errorf("bob sees %v", got)
	}
	w.same(2)
}

// With hardly any memory the rows go to files, and stay readable to who holds an
// old view while bases are replaced and the collector runs.
func TestRowsInFilesUnderReaders(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), func(o *options) {
		o.config.ValueMemory, o.config.SnapshotAfter, o.config.RebuildAfter = 1, 3, 3
	})
	path := "/appdata/" + kid + "/things"
	w.s.setLevel("things", "write")
	put := func(i int) string {
		return fmt.Sprintf(`{"n":%d,"text":%q}`, i, strings.Repeat("x", 500))
	}
	for i := range 200 {
		w.s.want(w.s.do("PUT", fmt.Sprintf("%s/e%d", path, i), w.people[0], put(i)), 201, "")
	}
	w.s.until("mapped", func() bool { return w.s.metric("postern_rows_mapped_bytes") > 100_000 })
	done := make(chan error)
	stop := make(chan struct{})
	for k := range 4 {
		go func() {
			for i := k; ; i++ {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				q := []string{path + fmt.Sprintf("/e%d", i%200), path + "?sort=n&limit=50", path + "?query=" + url.QueryEscape(fmt.Sprintf(`{"n":{"$gte":%d}}`, i%200)), path + "/_count"}[i%4]
				a, err := w.s.try("GET", q, w.people[k], "")
				if err == nil && (a.status != 200 || bytes.Count(a.body, []byte(`"text":"`)) != bytes.Count(a.body, []byte(`"text":"`+strings.Repeat("x", 500)+`"`))) {
					err = fmt.Errorf("%s: %d %.300s", q, a.status, a.body)
				}
				if err != nil {
					done <- err
					return
				}
			}
		}()
	}
	written := w.s.metric("postern_snapshots_written_total")
	for i := 0; i < 100 || w.s.metric("postern_snapshots_written_total") < written+5; i++ {
		w.s.want(w.s.do("PUT", fmt.Sprintf("%s/e%d", path, i%200), w.people[0], put(i%200)), 200, "")
		runtime.GC()
	}
	close(stop)
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	w.same(3)
}

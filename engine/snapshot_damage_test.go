package engine_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"postern/engine/store"
)

// Whatever is wrong with the files, what the rows say is what is answered.
func TestDamagedSnapshots(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), saveAtStop)
	for range 300 {
		w.act()
	}
	w.s.stop()
	whole := w.copyOf(w.dir)
	names := filesIn(t, whole)
	if len(names) < 4 {
		t.Fatalf("files %q", names)
	}
	refused := 0
	try := func(what string, damage func(dir string)) {
		w.t.Helper()
		w.dir = w.copyOf(whole)
		damage(w.dir)
		w.d.entities.Store(0)
		w.change = append(w.change, func(o *options) { o.config.ValueMemory = []int{0, 1}[w.r.IntN(2)] })
		w.open()
		w.change = w.change[:len(w.change)-1]
		if n := w.s.metric("postern_snapshots_used_total"); n == 2 || w.d.entities.Load() == 0 {
			t.Errorf("%s: %d used, %d rows read", what, n, w.d.entities.Load())
		}
		w.same(1)
		w.s.stop()
		refused++
	}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		size := int(info.Size())
		for range 6 {
			at, by := w.r.IntN(size), byte(1+w.r.IntN(255))
			if strings.HasSuffix(name, ".base") && at >= size-8 {
				continue // it may be filling
			}
			try(fmt.Sprintf("%s with byte %d changed", name, at), func(dir string) {
				path := filepath.Join(dir, name)
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				b[at] ^= by
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
			})
		}
		for range 2 {
			try(name+" cut short", func(dir string) {
				if err := os.Truncate(filepath.Join(dir, name), int64(w.r.IntN(size))); err != nil {
					t.Fatal(err)
				}
			})
		}
		try("no "+name, func(dir string) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		})
	}
	swap := func(suffix string) func(dir string) {
		return func(dir string) {
			var pair []string
			for _, name := range names {
				if strings.HasSuffix(name, suffix) {
					pair = append(pair, filepath.Join(dir, name))
				}
			}
			a, err := os.ReadFile(pair[0])
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(pair[1])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(pair[0], b, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(pair[1], a, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	try("bases of each other", swap(".base"))
	try("rows of each other", swap(".rows"))
	t.Logf("figure: %d damages, each refused", refused)
}

// A snapshot of another store, of another history of this one, or of its future
// is not taken.
func TestSnapshotsOfOtherHistories(t *testing.T) {
	make := func(t *testing.T, d store.Driver, dir string, value string) *server {
		s := start(t, func(o *options) {
			o.driver = d
			o.config.Random = newSeeded(1)
			clock := newClock()
			o.config.Clock = clock.Now
			o.config.SnapshotDir, o.config.SnapshotLeast, o.config.SnapshotAfter = dir, 1, 1
		})
		if value != "" {
			u := s.signUp("u")
			for i := range 30 {
				s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/things/e%d", kid, i), u.session(), value), 201, "")
			}
		}
		return s
	}
	list := func(s *server) string { return string(s.do("GET", "/appdata/"+kid+"/things", asMaster, "").body) }
	open := func(t *testing.T, dir string) store.Driver {
		d, err := store.OpenBadger(dir, store.Options{NoBallast: true})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Run("of another store", func(t *testing.T) {
		one, two := &outliving{Driver: store.NewMemory()}, &outliving{Driver: store.NewMemory()}
		dir := filepath.Join(t.TempDir(), "snapshot")
		make(t, one, dir, `{"of":"one"}`).stop()
		s := make(t, two, "", `{"of":"two"}`)
		want := list(s)
		s.stop()
		s = make(t, two, dir, "")
		if n := s.metric("postern_snapshots_used_total"); n != 0 || list(s) != want {
			t.Errorf("%d used, %.300s", n, list(s))
		}
	})
	// A backup is restored, and other things are written than the first time: up
	// to the record of the snapshot, and beyond it.
	t.Run("of another history", func(t *testing.T) {
		for name, restored := range map[string]int{"shorter": 0, "as long": 30, "longer": 40} {
			t.Run(name, func(t *testing.T) {
				dir, data := filepath.Join(t.TempDir(), "snapshot"), filepath.Join(t.TempDir(), "data")
				s := make(t, open(t, data), "", "")
				s.stop()
				backup := filepath.Join(t.TempDir(), "backup")
				if err := os.CopyFS(backup, os.DirFS(data)); err != nil {
					t.Fatal(err)
				}
				make(t, open(t, data), dir, `{"of":"the first"}`).stop()
				s = make(t, open(t, backup), "", "")
				u := s.signUp("u")
				for i := range restored {
					s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/things/e%d", kid, i), u.session(), `{"of":"a second"}`), 201, "")
				}
				want := list(s)
				s.stop()
				s = make(t, open(t, backup), dir, "")
				if n := s.metric("postern_snapshots_used_total"); n != 0 || list(s) != want {
					t.Errorf("%d used, %.300s", n, list(s))
				}
			})
		}
	})
	// The log of an imported backup begins after it.
	t.Run("of a log that is gone", func(t *testing.T) {
		dir, data := filepath.Join(t.TempDir(), "snapshot"), filepath.Join(t.TempDir(), "data")
		make(t, open(t, data), dir, `{"of":"the first"}`).stop()
		s := make(t, open(t, data), "", "")
		s.want(s.do("PUT", "/appdata/"+kid+"/things/e1", asMaster, `{"of":"later"}`), 200, "")
		want := list(s)
		v, err := s.driver.View()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := store.Export(v, &out); err != nil {
			t.Fatal(err)
		}
		v.Close()
		s.stop()
		again := filepath.Join(t.TempDir(), "again")
		if err := store.Import(again, &out, store.Options{NoBallast: true}); err != nil {
			t.Fatal(err)
		}
		s = make(t, open(t, again), dir, "")
		if n := s.metric("postern_snapshots_used_total"); n != 0 || list(s) != want {
			t.Errorf("%d used, %.300s", n, list(s))
		}
	})
}

// A file that is cut short while its rows are read in place is a failure of the
// requests that read it. The next start takes the rows of the store.
func TestRowsThatVanishUnderRequests(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("rows are in memory here")
	}
	w := newSnapshotWorld(t, seed(t), noRebuild, func(o *options) { o.config.ValueMemory = 1 })
	for range 200 {
		w.act()
	}
	w.s.stop()
	w.change = append(w.change, func(o *options) { o.noCheck = true })
	w.open()
	path := "/appdata/" + kid + "/things"
	w.s.want(w.s.do("GET", path, asMaster, ""), 200, "")
	for _, name := range filesIn(t, w.dir) {
		if strings.HasSuffix(name, ".rows") {
			if err := os.Truncate(filepath.Join(w.dir, name), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.s.want(w.s.do("GET", path, asMaster, ""), 500, "KinveyInternalErrorStop")
	w.s.want(w.s.do("GET", "/user/"+kid, asMaster, ""), 200, "")
	w.s.stop()
	w.change = w.change[:len(w.change)-1]
	w.open()
	if n := w.s.metric("postern_snapshots_used_total"); n != 0 {
		t.Errorf("%d used", n)
	}
	w.same(3)
}

package engine_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"postern/engine/store"
)

// The files of a dropped collection, of a deleted app, and what a crash has left
// are removed.
func TestSnapshotsOfTheDroppedGo(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), func(o *options) { o.config.RebuildAfter = 5 })
	files := func(begin string) (n int) {
		for _, name := range filesIn(t, w.dir) {
			if strings.HasPrefix(name, begin) {
				n++
			}
		}
		return n
	}
	for i := range 20 {
		for _, c := range []string{"things", "more"} {
			w.s.want(w.s.do("PUT", fmt.Sprintf("/appdata/%s/%s/e%d", kid, c, i), w.people[0], `{"n":1}`), 201, "")
		}
	}
	w.s.until("written", func() bool { return w.s.metric("postern_snapshots_written_total") == 2 })
	w.s.want(w.s.do("POST", "/rpc/"+kid+"/remove-collection", asMaster, `{"collectionName":"things"}`, "X-Kinvey-Delete-Entire-Collection", "true"), 200, "")
	w.s.until("removed", func() bool { return files("00000001-00000010") == 0 })
	if files("00000001-00000011") == 0 {
		t.Error("the other collection's files are gone")
	}
	w.s.stop()
	for _, name := range []string{"00000001-00000010.base", "00000001-00000010-1.rows", "00000001-00000011-77.rows", "00000001-00000011.base.new", "00000009-00000010.base"} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.open()
	if n := files("00000001-00000010") + files("00000009") + files("00000001-00000011-77") + files("00000001-00000011.base.new"); n != 0 {
		t.Errorf("files %q", filesIn(t, w.dir))
	}
	if n := w.s.metric("postern_snapshots_used_total"); n != 1 {
		t.Errorf("%d used", n)
	}
	for _, name := range filesIn(t, w.dir) {
		info, err := os.Stat(filepath.Join(w.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
	}
}

// No space: the snapshot is not written, what there was stays, and all goes on.
func TestSnapshotWithoutSpace(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), saveAtStop)
	for range 100 {
		w.act()
	}
	w.s.stop()
	before := readAll(t, w.dir)
	tight := &tightStore{w.d}
	w.change = append(w.change, func(o *options) { o.driver = tight })
	w.open()
	for range 100 {
		w.act()
	}
	w.s.until("failed", func() bool { return w.s.metric("postern_snapshots_failed_total") > 0 })
	w.s.stop()
	if after := readAll(t, w.dir); !maps.Equal(after, before) {
		t.Errorf("files %v, had %v", slices.Collect(maps.Keys(after)), slices.Collect(maps.Keys(before)))
	}
	w.open()
	w.same(3)
}

// tightStore has little space left.
type tightStore struct{ *outliving }

func (tightStore) Free() (store.Space, error) {
	return store.Space{Free: 100, Total: 1 << 40, State: store.Plenty}, nil
}

func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range filesIn(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	return all
}

// Rows leave the memory without a snapshot of all that there is: what is written
// of them is kept, until a start finds that nothing leads there.
func TestRowsSpillWithoutASnapshot(t *testing.T) {
	w := newSnapshotWorld(t, seed(t), func(o *options) {
		o.config.ValueMemory, o.config.SnapshotAfter, o.config.RebuildAfter = 1, 1<<30, 3
	})
	put := func(i int) {
		w.s.want(w.s.do("PUT", fmt.Sprintf("/appdata/%s/things/e%d", kid, i), w.people[0], fmt.Sprintf(`{"n":%d,"text":%q}`, i, strings.Repeat("x", 500))), 201, "")
	}
	for i := range 4 {
		put(i)
	}
	w.s.until("written", func() bool { return w.s.metric("postern_snapshots_written_total") == 1 }) // the first always is
	for i := 4; i < 400; i++ {
		put(i)
	}
	w.s.until("mapped", func() bool { return w.s.metric("postern_rows_mapped_bytes") > 150_000 })
	if n := w.s.metric("postern_snapshots_written_total"); n != 1 {
		t.Errorf("%d snapshots written, want 1", n)
	}
	w.same(3)
	w.s.stop()
	spilled := slices.DeleteFunc(filesIn(t, w.dir), func(name string) bool {
		return strings.HasSuffix(name, ".base") || strings.HasSuffix(name, "-1.rows") // the snapshot
	})
	if len(spilled) == 0 {
		t.Errorf("files %q: no rows but those of the snapshot", filesIn(t, w.dir))
	}
	w.open()
	w.same(3)
	for _, name := range filesIn(t, w.dir) {
		if slices.Contains(spilled, name) {
			t.Errorf("%s is still there", name)
		}
	}
}

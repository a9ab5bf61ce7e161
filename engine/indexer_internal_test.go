package engine

import (
	"fmt"
	"path/filepath"
	"testing"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// Where writes never end there is always a base to be made, and snapshots have
// their turn all the same.
func TestSnapshotsHaveTheirTurn(t *testing.T) {
	e, err := Open(Config{
		Driver: store.NewMemory(), Argon: auth.CheapParams, RebuildAfter: 1,
		SnapshotDir: filepath.Join(t.TempDir(), "snapshot"), SnapshotLeast: 1, SnapshotAfter: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := e.CreateApp(NewApp{Key: "app", AppSecret: "a", MasterSecret: "m"}); err != nil {
		t.Fatal(err)
	}
	e.indexer.stop()
	e.indexer = newIndexer(e) // which goes step by step
	for i := range 6 {
		if err := e.PutDocument("app", "things", "", fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
			t.Fatal(err)
		}
		if !e.indexer.step() {
			t.Fatalf("step %d: there was nothing to do", i)
		}
	}
	if written, made := e.snapshots.written.Load(), e.metrics.rebuilds.Get(); written < 2 || made < 4 {
		t.Errorf("%d snapshots and %d bases in 6 steps", written, made)
	}
}

// Who is far behind with a collection rests less, and never works for more than
// a quarter of a core.
func TestFarBehind(t *testing.T) {
	c := newCollection(firstCollection, "things", 0)
	for _, w := range []struct {
		late, after int
		worn, far   bool
	}{{0, 0, false, false}, {4095, 0, false, false}, {4096, 0, true, false}, {4*4096 - 1, 0, true, false}, {4 * 4096, 0, true, true}, {3, 1, true, false}, {4, 1, true, true}} {
		c.rows.late = make([]lateRow, w.late)
		if worn, far := c.worn(w.after, 1), c.worn(w.after, farBehind); worn != w.worn || far != w.far {
			t.Errorf("%d late after %d: worn %v, far behind %v", w.late, w.after, worn, far)
		}
	}
}

// A base is made however fast writes come: what comes while the indexer follows
// what came before is left to the committer when it does not get less.
func TestCatchUpEnds(t *testing.T) {
	for _, w := range []struct{ first, then, most, left int }{
		{0, 0, 1, 0},
		{catchUpMost, 0, 1, catchUpMost},
		{100_000, 0, 3, 0},
		{100_000, 100, 40, catchUpMost},      // 100 come with each look: little beside what is followed
		{9000, followAtOnce, 10, 3 * 9000},   // as many come as are followed
		{50, 10 * followAtOnce, 10, 1 << 20}, // more come than are followed
	} {
		k, looks, n := newContents(), 0, 0
		more := func(by int) {
			k = k.draft()
			for range by {
				n++
				id := fmt.Sprint("e", n)
				k.replace(id, newEntity(id, fmt.Appendf(nil, `{"_id":%q`, id), acl.Position(n), &acl.ACL{Creator: "u"}, []byte(`{"creator":"u"}`), 1, 1), true)
			}
			k.freeze()
		}
		more(w.first)
		next, upTo := k.onto(k.base), 0
		x := &indexer{}
		going := x.catchUp(next, &upTo, &spread{}, func() *contents {
			if looks++; looks > 1 {
				more(w.then)
			}
			if looks > 100 {
				t.Fatalf("%+v: it goes on and on", w)
			}
			return k
		})
		if left := len(k.late) - upTo; !going || left > w.left || looks > w.most {
			t.Errorf("%+v: %t, %d left after %d looks", w, going, left, looks)
		}
		next.follow(k, upTo, len(k.late))
		next.freeze()
		if next.live != k.live {
			t.Errorf("%+v: %d live, want %d", w, next.live, k.live)
		}
		next.check(t.Errorf, func(string) bool { return true })
	}
}

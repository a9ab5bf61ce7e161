package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// Words are the same whether the memory can be shared or not.
func TestWords(t *testing.T) {
	b := alignedBytes(4*16 + 1)
	for i := range b {
		b[i] = byte(i * 37)
	}
	for _, shift := range []int{0, 1} {
		part := b[shift : shift+4*16]
		for i, w := range wordsOf[uint32](part) {
			if w != binary.LittleEndian.Uint32(part[4*i:]) {
				t.Errorf("at %d of %d: %#x", i, shift, w)
			}
		}
		for i, w := range wordsOf[uint64](part) {
			if w != binary.LittleEndian.Uint64(part[8*i:]) {
				t.Errorf("at %d of %d: %#x", i, shift, w)
			}
		}
		if !bytes.Equal(bytesOf(wordsOf[acl.Ordinal](part)), part) {
			t.Error("bytes differ")
		}
	}
	if wordsOf[uint64](nil) != nil || wordsOf[uint32](b[:0]) != nil || len(bytesOf[uint32](nil)) != 0 {
		t.Error("nothing is something")
	}
}

// snapshotOfBox is a store with entities, and a directory with the snapshot of
// their collection.
func snapshotOfBox(t *testing.T) (b *commitBench, dir string, s *snapshots, id snapshotID) {
	b = newCommitBench(t, store.NewMemory())
	r := rand.New(rand.NewPCG(1, 3))
	for i := range 60 {
		b.must(b.a, b.create(b.alice, fmt.Sprint("e", i), fmt.Sprint(r.IntN(9)), `{"r":["id-bob"]}`))
	}
	b.must(b.a, b.level(acl.Private))
	dir = filepath.Join(t.TempDir(), "snapshot")
	c := b.a.view.Load().collection("box")
	b.e.config.SnapshotDir, b.e.config.SnapshotLeast = dir, 1
	s = newSnapshots(b.e)
	v, err := b.driver.View()
	if err != nil {
		t.Fatal(err)
	}
	s.store = v.StoreID()
	v.Close()
	id = snapshotID{b.a.number, c.number}
	if _, err := s.write(id, c.rows.rebuild(c.rows.base.sorts(), func() {}), c, b.e.head, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	return b, dir, s, id
}

// beside opens a second engine on the store of b that reads the directory.
func (b *commitBench) beside(dir string) *Engine {
	b.t.Helper()
	e, err := Open(Config{Driver: unclosed{b.driver}, Argon: auth.CheapParams, SnapshotDir: dir, SnapshotLeast: 1, SnapshotAfter: 1 << 30})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return e
}

type unclosed struct{ store.Driver }

func (unclosed) Close() error { return nil }

// A change that the log does not tell of shows in the digest, and then the rows
// are what counts.
func TestSnapshotWithoutItsDigest(t *testing.T) {
	for name, change := range map[string]func(*commitBench) []store.Op{
		"none": func(*commitBench) []store.Op { return nil },
		"an ACL is another": func(b *commitBench) []store.Op {
			a, err := acl.Parse([]byte(`{"creator":"id-alice"}`))
			if err != nil {
				t.Fatal(err)
			}
			e := newEntity("e7", []byte(`{"_id":"e7","text":"1"`), 7, a, []byte(`{"creator":"id-alice"}`), 1, 1)
			return b.counted("box", store.Op{Key: b.boxKey("e7"), Value: e.row, Quiet: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, dir, _, _ := snapshotOfBox(t)
			used := int64(1)
			if ops := change(b); ops != nil {
				b.append(ops...)
				used = 0
			}
			e := b.beside(dir)
			if n := e.snapshots.used.Load(); n != used {
				t.Errorf("%d used", n)
			}
			a, _ := e.appByKey("kid_a")
			ent, _ := a.view.Load().collection("box").rows.get("e7")
			if sees := acl.Decide(b.bob, acl.Private, ent.acl, acl.Read).Allowed; sees != (used == 1) {
				t.Errorf("bob sees: %v", sees)
			}
			if err := e.Check(func(p string) { t.Error("check:", p) }); err != nil {
				t.Error(err)
			}
		})
	}
}

// A snapshot is taken for its own collection alone, and for no earlier state
// than its own.
func TestSnapshotOfAnotherState(t *testing.T) {
	b, _, s, id := snapshotOfBox(t)
	head, _ := b.driver.Head()
	if _, err := s.read(id, head, 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := s.read(id, head-1, 1<<30); err == nil {
		t.Error("it is of the future")
	}
	for _, other := range []snapshotID{{id.app, id.collection + 1}, {id.app + 1, id.collection}} {
		for from, to := range map[string]string{s.basePath(id): s.basePath(other), s.rowsPath(id, 1): s.rowsPath(other, 1)} {
			if err := os.Link(from, to); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.read(other, head, 1<<30); err == nil {
			t.Errorf("it is taken for %v", other)
		}
	}
}

// Arrays that do not fit together are refused, whatever their checksums say.
func TestSnapshotOfUnsafeArrays(t *testing.T) {
	_, _, s, id := snapshotOfBox(t)
	path := s.basePath(id)
	whole, err := readAligned(path)
	if err != nil {
		t.Fatal(err)
	}
	set32 := func(section, word int, v uint32) func([][]byte) {
		return func(all [][]byte) { binary.LittleEndian.PutUint32(all[section][4*word:], v) }
	}
	set64 := func(section, word int, v uint64) func([][]byte) {
		return func(all [][]byte) { binary.LittleEndian.PutUint64(all[section][8*word:], v) }
	}
	const at, ids = 1, 2
	second := fixedSections + orderSections
	for name, change := range map[string]func([][]byte){
		"a chunk there is not":      set64(at, 3, 9<<32),
		"a row beyond its chunk":    set64(at, 3, 1<<31),
		"rows that change places":   func(all [][]byte) { w := wordsOf[uint64](all[at]); w[3], w[4] = w[4], w[3] },
		"one row less":              func(all [][]byte) { all[at] = all[at][8:] },
		"an id that leads nowhere":  func(all [][]byte) { fillIDs(all[ids], 1000) },
		"a table without an end":    func(all [][]byte) { all[ids] = all[ids][:4*32]; fillIDs(all[ids], 1) },
		"a table of another size":   func(all [][]byte) { all[ids] = all[ids][:len(all[ids])-4] },
		"no table":                  func(all [][]byte) { all[ids] = nil },
		"an order without an end":   set32(second+2, 5, 77),
		"one set aside twice":       func(all [][]byte) { all[second+1] = bytesOf([]uint32{5, 5}) },
		"one set aside beyond":      func(all [][]byte) { all[second+1] = bytesOf([]uint32{60}) },
		"prefixes out of order":     set64(second, 0, 1<<64-1),
		"one prefix less":           func(all [][]byte) { all[second] = all[second][8:] },
		"a head that is no JSON":    func(all [][]byte) { all[0] = []byte("{") },
		"a head with something new": func(all [][]byte) { all[0] = append([]byte(`{"new":1,`), all[0][1:]...) },
		"a head of another store": func(all [][]byte) {
			all[0] = bytes.Replace(all[0], []byte(s.store), bytes.Repeat([]byte("a"), len(s.store)), 1)
		},
		"another number of them": func(all [][]byte) {
			all[0] = bytes.Replace(all[0], []byte(`"entities":60`), []byte(`"entities":61`), 1)
		},
		"another last one":         func(all [][]byte) { all[0] = bytes.Replace(all[0], []byte(`"last":59`), []byte(`"last":58`), 1) },
		"a chunk that is too long": func(all [][]byte) { all[0] = bytes.Replace(all[0], []byte(`"bytes":`), []byte(`"bytes":9`), 1) },
		"a chunk before its file":  func(all [][]byte) { all[0] = bytes.Replace(all[0], []byte(`"offset":`), []byte(`"offset":-1`), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			b := append(alignedBytes(len(whole))[:0], whole...)
			all, err := splitSections(b)
			if err != nil {
				t.Fatal(err)
			}
			for i := range all {
				all[i] = slices.Clone(all[i])
			}
			change(all)
			w, err := createPaced(path, func() error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if err := w.finish(writeSections(w, all)); err != nil {
				t.Fatal(err)
			}
			for _, room := range []int{0, 1 << 30} {
				if img, err := s.read(id, 1<<40, room); err == nil {
					t.Errorf("it is taken: %+v", img.head)
				}
			}
		})
	}
}

func fillIDs(b []byte, v uint32) {
	for i := 0; i+4 <= len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], v)
	}
}

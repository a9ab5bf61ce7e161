package store

import (
	"bytes"
	"sync"

	"github.com/tidwall/btree"
)

// Memory is a Driver without a disk. It is no mock: it keeps the same bytes as
// Badger, checksums included, in an ordered copy-on-write tree.
type Memory struct{ core }

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	m := &Memory{}
	m.init(newTree(), newStoreID())
	return m
}

// Free implements Driver: there is always plenty.
func (m *Memory) Free() (Space, error) { return Space{}, nil }

// Close implements Driver.
func (m *Memory) Close() error {
	m.shut()
	return nil
}

// tree is the backend of Memory. It keeps the version before the newest one
// too: core takes snapshots at the head it has published, which a commit in
// progress is one ahead of.
type tree struct {
	mu        sync.Mutex // guards below
	now, last version
}

type version struct {
	seq  Seq
	rows *btree.BTreeG[write] // not changed any more
}

func newTree() *tree {
	less := func(a, b write) bool { return bytes.Compare(a.key, b.key) < 0 }
	return &tree{now: version{rows: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}}
}

func (t *tree) commit(at Seq, writes []write) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.now.rows.Copy()
	for _, w := range writes {
		if w.sealed == nil {
			rows.Delete(w)
		} else {
			rows.Set(w)
		}
	}
	t.last, t.now = t.now, version{at, rows}
	return nil
}

func (t *tree) snapshot(at Seq) snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now.seq > at {
		return t.last
	}
	return t.now
}

func (t *tree) forget(Seq)   {}
func (t *tree) close() error { return nil }

func (v version) get(key []byte) ([]byte, error) {
	w, ok := v.rows.Get(write{key: key})
	if !ok {
		return nil, ErrNotFound
	}
	return bytes.Clone(w.sealed), nil
}

func (v version) scan(prefix, from []byte, fn func(key, sealed []byte) error) (err error) {
	if from == nil {
		from = prefix
	}
	v.rows.Ascend(write{key: from}, func(w write) bool {
		if !bytes.HasPrefix(w.key, prefix) {
			return false
		}
		err = fn(w.key, w.sealed)
		return err == nil
	})
	return err
}

func (version) discard() {}

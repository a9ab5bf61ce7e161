//go:build linux || darwin

package engine

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"postern/acl"
)

// An entity of a row that was read in place outlives the base and the mapping,
// which ends when nobody holds the base any more.
func TestEntityOutlivesItsMapping(t *testing.T) {
	var over atomic.Bool // the file was let go of
	e, want, row := mappedEntity(t, &over)
	for deadline := time.Now().Add(time.Minute); !over.Load() || bytes.Equal(read(row), want); runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("the mapping does not end")
		}
	}
	if !bytes.Equal(read(e.row), want) || !bytes.Equal(e.aclText(), []byte(`{"creator":"u"}`)) {
		t.Fatal("the entity went with the mapping")
	}
}

// mappedEntity returns an entity of a base that is read in place and that nobody
// holds any more, what its row is, and where it was.
func mappedEntity(t *testing.T, over *atomic.Bool) (e *entity, want, row []byte) {
	k := newContents()
	k.loading = newLoader()
	for i := range 50 {
		k.replace(fmt.Sprint("e", i), newEntity(fmt.Sprint("e", i), fmt.Appendf(nil, `{"_id":"e%d"`, i), acl.Position(i), &acl.ACL{Creator: "u"}, []byte(`{"creator":"u"}`), 1, 1), true)
	}
	k.load()
	s := &snapshots{dir: t.TempDir(), next: 1}
	rows, err := s.writeRows(snapshotID{1, 16}, k.base.rows, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if k.base.rows, err = rows.within(0); err != nil || !k.base.rows.isMapped(7) {
		t.Fatal("not mapped", err)
	}
	runtime.AddCleanup(k.base.rows.places[0].file, func(b *atomic.Bool) { b.Store(true) }, over)
	row = k.base.rows.row(7).value
	want = read(row)
	e = k.base.entity(7)
	if !bytes.Equal(want, e.row) {
		t.Fatal("not readable while the base is held")
	}
	return e, want, row
}

// read copies memory, nil when it is not there any more.
func read(b []byte) (c []byte) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			c = nil
		}
	}()
	return bytes.Clone(b)
}

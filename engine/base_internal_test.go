package engine

import (
	"fmt"
	"testing"

	"postern/acl"
)

// An id is found where it is, and one that is not there is known by the table
// alone: no row is read for it.
func TestIDTable(t *testing.T) {
	defer func(was idKey) { processKey = was }(processKey)
	processKey = idKey{1, 2} // chance must not make two hashes alike
	const n = 5000
	k := newContents()
	k.loading = newLoader()
	for i := range n {
		id := fmt.Sprint("id", i)
		k.replace(id, newEntity(id, fmt.Appendf(nil, `{"_id":%q`, id), acl.Position(n-i), new(acl.ACL), []byte("{}"), 1, 1), true)
	}
	k.freeze()
	b := k.base
	for i := range n {
		if at, ok := b.find(fmt.Sprint("id", i)); !ok || at != acl.Ordinal(n-1-i) {
			t.Fatalf("id%d is at %d, %v; want %d", i, at, ok, n-1-i)
		}
	}
	b.rows.chunks = nil // whoever reads a row now panics
	for i := range n {
		if at, ok := b.find(fmt.Sprint("other", i)); ok {
			t.Fatalf("other%d is at %d", i, at)
		}
	}
}

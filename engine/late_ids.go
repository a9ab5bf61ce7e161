package engine

import (
	"math/bits"
	"sync/atomic"
)

// lateIDs finds what is late by its id: a hash table with chains, newest first.
// All contents on one base share it, for nothing in it ever changes: a row is
// put in front of the chain of its place, and contents that are older than the
// row step over it, for it is beyond what they have. Only the committer adds,
// when it publishes, so a draft that is let go leaves nothing in it.
type lateIDs struct {
	heads []atomic.Uint32 // of each chain its newest row, counted from 1; 0: none
	next  []uint32        // of each row the one behind it in its chain, likewise
	len   int             // how many rows are in it; the committer's
}

// leastLateIDs is the size of the smallest table.
const leastLateIDs = 64

// with returns the table with all of late in it: the same one, or where that is
// full one of twice the size.
func (t *lateIDs) with(late []lateRow) *lateIDs {
	if len(late) > len(t.next) {
		size := max(leastLateIDs, 1<<bits.Len(uint(len(late))))
		t = &lateIDs{heads: make([]atomic.Uint32, size), next: make([]uint32, size)}
	}
	for ; t.len < len(late); t.len++ {
		head := t.head(late[t.len].id)
		t.next[t.len] = head.Load()
		head.Store(uint32(t.len) + 1) // behind the way on, which readers may take now
	}
	return t
}

func (t *lateIDs) head(id string) *atomic.Uint32 {
	return &t.heads[processKey.text(id)&uint64(len(t.heads)-1)]
}

// find returns the last row of late with the id. late may be shorter than what
// is in the table.
func (t *lateIDs) find(late []lateRow, id string) (row int, ok bool) {
	if len(t.heads) == 0 || len(late) == 0 {
		return 0, false
	}
	for at := t.head(id).Load(); at != 0; at = t.next[at-1] {
		if row := int(at) - 1; row < len(late) && late[row].id == id {
			return row, true
		}
	}
	return 0, false
}

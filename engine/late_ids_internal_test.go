package engine

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// Every contents finds of an id the row that is its own, whatever was added to
// the table since.
func TestLateIDs(t *testing.T) {
	seed := uint64(rand.Int64())
	rng := rand.New(rand.NewPCG(seed, 0))
	type moment struct {
		ids  *lateIDs
		late []lateRow
		is   map[string]int
	}
	now := moment{ids: new(lateIDs), is: map[string]int{}}
	moments := []moment{now}
	for range 400 {
		next := moment{late: now.late, is: map[string]int{}}
		for id, row := range now.is {
			next.is[id] = row
		}
		for range rng.IntN(12) {
			id := fmt.Sprint(rng.IntN(300))
			next.is[id] = len(next.late)
			next.late = append(next.late, lateRow{id: id})
		}
		if rng.IntN(4) == 0 {
			continue // let go: what comes next takes its places
		}
		next.ids = now.ids.with(next.late)
		now = next
		moments = append(moments, now)
	}
	for m, then := range moments {
		for i := range 320 {
			id := fmt.Sprint(i)
			row, ok := then.ids.find(then.late, id)
			if want, is := then.is[id]; ok != is || ok && row != want {
				t.Fatalf("seed %d, moment %d: %s is at %d, %t; want %d, %t", seed, m, id, row, ok, want, is)
			}
		}
	}
}

// Readers of what was published look while rows are added.
func TestLateIDsRace(t *testing.T) {
	type published struct {
		ids  *lateIDs
		late []lateRow
	}
	var newest atomic.Pointer[published]
	newest.Store(&published{ids: new(lateIDs)})
	var readers sync.WaitGroup
	var over atomic.Bool
	for range 3 {
		readers.Go(func() {
			for last := 0; !over.Load(); {
				p := newest.Load()
				if len(p.late) < last {
					t.Errorf("%d rows after %d", len(p.late), last)
					return
				}
				last = len(p.late)
				for i := max(0, last-3); i < last; i++ {
					if row, ok := p.ids.find(p.late, p.late[i].id); !ok || p.late[row].id != p.late[i].id || row < i {
						t.Errorf("row %d is found at %d, %t", i, row, ok)
						return
					}
				}
				if _, ok := p.ids.find(p.late, "nobody"); ok {
					t.Error("somebody")
				}
			}
		})
	}
	var late []lateRow
	for i := range 20_000 {
		late = append(late, lateRow{id: fmt.Sprint(i % 700)})
		if i%16 == 15 {
			newest.Store(&published{newest.Load().ids.with(late), late})
		}
	}
	over.Store(true)
	readers.Wait()
}

package storetest

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"postern/engine/store"
)

var seed = flag.Uint64("store.seed", 0, "seed of the random history; 0: a new one")

type modelRow struct {
	value string
	seq   store.Seq
	index uint32
}

// A kept view is compared with what the model was when it was taken.
type keptView struct {
	view  store.View
	model map[string]modelRow
}

// random plays a random history against the driver and a map.
func random(t *testing.T, c *client) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-store.seed=%d", s)
	r := rand.New(rand.NewPCG(s, 1))
	model := map[string]modelRow{}
	var kept []keptView
	check := func(k keptView) {
		var want []string
		for _, id := range slices.Sorted(maps.Keys(k.model)) {
			m := k.model[id]
			want = append(want, line(store.Row{Key: key(id), Value: []byte(m.value), Seq: m.seq, Index: m.index}))
		}
		c.equal(fmt.Sprintf("rows at %d", k.view.Seq()), c.rowsOf(k.view, store.AllRows()), want)
		for range 5 {
			id := fmt.Sprint(r.IntN(40))
			row, err := k.view.Get(key(id))
			m, ok := k.model[id]
			if ok != (err == nil) || ok && (string(row.Value) != m.value || row.Seq != m.seq || row.Index != m.index) {
				t.Errorf("at %d: Get(%s) = %s, %v; want %v", k.view.Seq(), id, line(row), err, m)
			}
		}
		k.view.Close()
	}
	trimmed := store.Seq(0)
	for range 200 {
		var ops []store.Op
		for range r.IntN(8) {
			id := fmt.Sprint(r.IntN(40))
			o := put(id, fmt.Sprintf("%d-%d", c.Applied()+1, len(ops)))
			if r.IntN(3) == 0 {
				o = del(id)
			}
			o.Quiet = r.IntN(4) == 0
			ops = append(ops, o)
		}
		rec := c.write(ops...)
		for i, o := range ops {
			if o.Value == nil {
				delete(model, o.Key.ID)
			} else {
				model[o.Key.ID] = modelRow{string(o.Value), rec.Seq, uint32(i)}
			}
		}
		switch r.IntN(10) {
		case 0:
			kept = append(kept, keptView{c.view(), maps.Clone(model)})
		case 1:
			if len(kept) > 0 {
				i := r.IntN(len(kept))
				check(kept[i])
				kept = slices.Delete(kept, i, i+1)
			}
		case 2:
			if r.IntN(5) == 0 {
				trimmed += store.Seq(r.IntN(int(rec.Seq-trimmed) + 1))
				if err := c.Trim(ctx, trimmed); err != nil {
					t.Fatalf("Trim(%d) = %v", trimmed, err)
				}
			}
		}
	}
	for _, k := range kept {
		check(k)
	}
	check(keptView{c.view(), model})
	next := max(trimmed, 1)
	if err := c.Read(ctx, next, func(rec *store.Record) error {
		if rec.Seq != next {
			t.Errorf("Read: record %d, want %d", rec.Seq, next)
		}
		next++
		for _, o := range rec.Ops {
			m, ok := model[o.Key.ID]
			if ok != (o.Value != nil) || ok && m.value != string(o.Value) {
				t.Errorf("Read: %s = %q, now %v", o.Key.ID, o.Value, m)
			}
			if now := ok && m.seq == rec.Seq && m.index == o.Index; ok && now == o.Superseded {
				t.Errorf("Read: %s of %d.%d superseded %t, now %v", o.Key.ID, rec.Seq, o.Index, o.Superseded, m)
			}
		}
		return nil
	}); err != nil {
		t.Errorf("Read = %v", err)
	}
	if next != c.Applied()+1 {
		t.Errorf("Read ended at %d of %d", next-1, c.Applied())
	}
}

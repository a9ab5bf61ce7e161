package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"postern/engine/store"
)

var ctx = context.Background()

func key(id string) store.Key { return store.Key{App: 1, Table: 2, Collection: 3, ID: id} }

func put(id, value string) store.Op {
	return store.Op{Key: key(id), Value: []byte(value), Before: []byte("acl")}
}

func next(d store.Log, ops ...store.Op) *store.Record {
	seq, hash := d.Head()
	return &store.Record{Seq: seq + 1, Prev: hash, Time: int64(seq), Ops: ops}
}

func write(t testing.TB, d store.Driver, ops ...store.Op) {
	t.Helper()
	rec := next(d, ops...)
	if err := d.Append(ctx, rec.Seq-1, rec); err != nil {
		t.Fatalf("Append(%d) = %v", rec.Seq, err)
	}
}

func verify(t testing.TB, d interface {
	Verify(context.Context, func(string)) error
}) {
	t.Helper()
	if err := d.Verify(ctx, func(problem string) { t.Errorf("Verify: %s", problem) }); err != nil {
		t.Errorf("Verify = %v", err)
	}
}

func TestFaults(t *testing.T) {
	for _, x := range []struct {
		name    string
		fault   store.FaultKind
		err     error
		written bool // the Record is there afterwards
		failed  bool // the driver is of no use afterwards
	}{
		{"no fault", store.NoFault, nil, true, false},
		{"conflict writes nothing and can be tried again", store.FaultConflict, store.ErrConflict, false, false},
		{"no space writes nothing and can be tried again", store.FaultNoSpace, store.ErrNoSpace, false, false},
		{"unknown outcome, written", store.FaultWritten, store.ErrUnknown, true, true},
		{"unknown outcome, not written", store.FaultLost, store.ErrUnknown, false, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			inner := store.NewMemory()
			f := store.NewFault(inner, 1, store.FaultPlan{Script: []store.FaultKind{store.NoFault, x.fault}})
			write(t, f, put("a", "1"))
			rec := next(f, put("a", "2"))
			if err := f.Append(ctx, 1, rec); !errors.Is(err, x.err) {
				t.Fatalf("Append = %v, want %v", err, x.err)
			}
			if got := inner.Applied() == 2; got != x.written {
				t.Errorf("written %t, want %t", got, x.written)
			}
			if f.Count(x.fault) == 0 {
				t.Error("the fault was not counted")
			}
			check := func(what string, err error) {
				t.Helper()
				if got := errors.Is(err, store.ErrFailed); got != x.failed {
					t.Errorf("%s afterwards = %v, want failed %t", what, err, x.failed)
				}
			}
			again := next(f, put("a", "3"))
			check("Append", f.Append(ctx, again.Seq-1, again))
			again = next(inner, put("a", "4"))
			check("Apply", f.Apply(ctx, again))
			check("Read", f.Read(ctx, 1, func(*store.Record) error { return nil }))
			check("Trim", f.Trim(ctx, 1))
			_, err := f.View()
			check("View", err)
			_, err = f.Digest(1, 3)
			check("Digest", err)

			// A new wrapper is what a restarted server has.
			write(t, store.NewFault(inner, 1, store.FaultPlan{}), put("b", "1"))
			verify(t, inner)
		})
	}
}

func TestFaultsAreTheSameForASeed(t *testing.T) {
	run := func(seed uint64) (out []string) {
		inner := store.NewMemory()
		plan := store.FaultPlan{Conflict: 0.2, Written: 0.1, Lost: 0.1, NoSpace: 0.1}
		f := store.NewFault(inner, seed, plan)
		for i := range 100 {
			rec := next(inner, put("a", fmt.Sprint(i)))
			err := f.Append(ctx, rec.Seq-1, rec)
			out = append(out, fmt.Sprint(err))
			if errors.Is(err, store.ErrFailed) {
				f = store.NewFault(inner, seed+uint64(i), plan)
			}
		}
		return out
	}
	if !slices.Equal(run(7), run(7)) {
		t.Error("seed 7 gave two histories")
	}
	if slices.Equal(run(7), run(8)) {
		t.Error("seeds 7 and 8 gave the same history")
	}
}

func TestFaultDelayEndsWithTheContext(t *testing.T) {
	f := store.NewFault(store.NewMemory(), 1, store.FaultPlan{Delay: func(int, uint64) time.Duration { return time.Hour }})
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := f.Append(gone, 0, next(f, put("a", "1"))); !errors.Is(err, context.Canceled) {
		t.Errorf("Append = %v", err)
	}
}

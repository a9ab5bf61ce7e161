package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// A FaultKind is what happens to one Append.
type FaultKind uint8

const (
	NoFault        FaultKind = iota
	FaultConflict            // ErrConflict, nothing written
	FaultWritten             // ErrUnknown, but the Record is there
	FaultLost                // ErrUnknown, and the Record is not there
	FaultNoSpace             // ErrNoSpace, nothing written
	faultKindCount           // not a kind
)

// A FaultPlan says which Appends fail, and how. The zero plan: none.
type FaultPlan struct {
	// Script names the first Appends' faults, in order. After its end the
	// rates decide, each a probability; the sum is at most 1.
	Script                           []FaultKind
	Conflict, Written, Lost, NoSpace float64
	// Delay is waited before every Append; nil: none. Its argument is the
	// number of the Append, from 1, and a random number.
	Delay func(n int, random uint64) time.Duration
}

// A Fault is a Driver that fails on purpose, the same way for the same seed.
type Fault struct {
	Driver
	plan FaultPlan

	mu     sync.Mutex // guards below
	random *rand.Rand
	calls  int
	failed bool
	done   [faultKindCount]int
}

// NewFault returns a Fault around inner. Closing it closes inner. To go on
// after an unknown outcome, as a restarted server would, wrap inner again.
func NewFault(inner Driver, seed uint64, plan FaultPlan) *Fault {
	return &Fault{Driver: inner, plan: plan, random: rand.New(rand.NewPCG(seed, 0))}
}

// Count returns how many Appends met the fault.
func (f *Fault) Count(k FaultKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done[k]
}

// next draws the fate of one Append. The number of draws does not depend on the outcome.
func (f *Fault) next() (FaultKind, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, r := f.random.Float64(), f.random.Uint64()
	kind := NoFault
	if f.calls < len(f.plan.Script) {
		kind = f.plan.Script[f.calls]
	} else {
		for k, rate := range []float64{
			FaultConflict: f.plan.Conflict, FaultWritten: f.plan.Written,
			FaultLost: f.plan.Lost, FaultNoSpace: f.plan.NoSpace,
		} {
			if p < rate {
				kind = FaultKind(k)
				break
			}
			p -= rate
		}
	}
	f.calls++
	f.done[kind]++
	if f.plan.Delay == nil {
		return kind, 0
	}
	return kind, f.plan.Delay(f.calls, r)
}

func (f *Fault) check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		return ErrFailed
	}
	return nil
}

// unknown fails the driver for good.
func (f *Fault) unknown(written bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = true
	return fmt.Errorf("%w: by plan (written: %t)", ErrUnknown, written)
}

// Append implements Log.
func (f *Fault) Append(ctx context.Context, expect Seq, rec *Record) error {
	if err := f.check(); err != nil {
		return err
	}
	kind, delay := f.next()
	if delay > 0 {
		wait := time.NewTimer(delay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	switch kind {
	case FaultConflict:
		return fmt.Errorf("%w: by plan", ErrConflict)
	case FaultNoSpace:
		return fmt.Errorf("%w: by plan", ErrNoSpace)
	case FaultLost:
		return f.unknown(false)
	}
	if err := f.Driver.Append(ctx, expect, rec); err != nil || kind == NoFault {
		return err
	}
	return f.unknown(true)
}

// Apply implements Store.
func (f *Fault) Apply(ctx context.Context, rec *Record) error {
	if err := f.check(); err != nil {
		return err
	}
	if head, _ := f.Head(); rec.Seq != 0 && rec.Seq <= head {
		return nil
	}
	return f.Append(ctx, f.Applied(), rec)
}

// Read implements Log.
func (f *Fault) Read(ctx context.Context, from Seq, fn func(*Record) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.Driver.Read(ctx, from, fn)
}

// Headers implements Log.
func (f *Fault) Headers(ctx context.Context, fn func(*Record) error) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.Driver.Headers(ctx, fn)
}

// Trim implements Log.
func (f *Fault) Trim(ctx context.Context, before Seq) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.Driver.Trim(ctx, before)
}

// View implements Store.
func (f *Fault) View() (View, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return f.Driver.View()
}

// Digest implements Store.
func (f *Fault) Digest(app, collection uint32) (Digest, error) {
	if err := f.check(); err != nil {
		return Digest{}, err
	}
	return f.Driver.Digest(app, collection)
}

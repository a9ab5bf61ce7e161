package store

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// Records are refused in the order: ordinary, Small, none; and taken again
// as soon as there is space, without reopening.
func TestNoSpace(t *testing.T) {
	var free atomic.Uint64
	free.Store(math.MaxInt64)
	o := quickOpen
	o.FreeSpace = func(string) (uint64, uint64, error) {
		if n := free.Load(); n != 1 {
			return n, 100 << 30, nil
		}
		return 0, 0, errors.New("no such disk")
	}
	dir := t.TempDir()
	b, err := OpenBadger(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { b.Close() }()
	try := func(small bool) error {
		seq, hash := b.Head()
		return b.Append(context.Background(), seq, &Record{Seq: seq + 1, Prev: hash, Ops: []Op{op("a", "1")}, Small: small})
	}
	for _, x := range []struct {
		name            string
		free            uint64
		state           SpaceState
		ordinary, small bool
	}{
		{"plenty", 50 << 30, Plenty, true, true},
		{"low", 5 << 30, Low, true, true},
		{"at the hard reserve", 256 << 20, Low, true, true},
		{"under the hard reserve", 256<<20 - 1, Full, false, true},
		{"at the last reserve", 128 << 20, Full, false, true},
		{"under the last reserve", 128<<20 - 1, Spent, false, false},
		{"nothing", 0, Spent, false, false},
		{"unknown", 1, Spent, false, false},
		{"plenty again", 50 << 30, Plenty, true, true},
	} {
		free.Store(x.free)
		if s, _ := b.Free(); s.State != x.state {
			t.Errorf("%s: state %v, want %v", x.name, s.State, x.state)
		}
		before := b.Applied()
		for small, want := range map[bool]bool{false: x.ordinary, true: x.small} {
			err := try(small)
			if want && err != nil || !want && !errors.Is(err, ErrNoSpace) {
				t.Errorf("%s: Append(small %t) = %v, want taken %t", x.name, small, err, want)
			}
		}
		if !x.small && b.Applied() != before {
			t.Errorf("%s: a refused record was written", x.name)
		}
		if _, err := b.View(); err != nil {
			t.Errorf("%s: View = %v", x.name, err)
		}
	}
	// A full disk can be opened and read.
	b.Close()
	free.Store(0)
	if b, err = OpenBadger(dir, o); err != nil {
		t.Fatalf("opening on a full disk: %v", err)
	}
	verifyCore(t, b)
	if err := try(true); !errors.Is(err, ErrNoSpace) {
		t.Errorf("Append = %v", err)
	}
}

func TestBallast(t *testing.T) {
	dir := t.TempDir()
	free := uint64(50 << 30)
	o := Options{FreeSpace: func(string) (uint64, uint64, error) { return free, 100 << 30, nil }}
	there := func() bool {
		st, err := os.Stat(filepath.Join(dir, ballastFile))
		return err == nil && st.Size() == ballastBytes
	}
	for _, x := range []struct {
		free uint64
		want bool
	}{{50 << 30, true}, {5 << 30, true}, {10 << 20, false}, {5 << 30, false}, {50 << 30, true}} {
		free = x.free
		b, err := OpenBadger(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		if there() != x.want {
			t.Errorf("with %d MiB free: ballast %t, want %t", x.free>>20, there(), x.want)
		}
	}
}

func TestFreeSpaceOfTheRealDisk(t *testing.T) {
	free, total, err := freeSpace(t.TempDir())
	if err != nil || free == 0 || total < free {
		t.Errorf("freeSpace = %d, %d, %v", free, total, err)
	}
}

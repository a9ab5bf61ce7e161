package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

const (
	ballastFile  = "ballast"
	ballastBytes = 64 << 20
)

// A spaceGuard refuses writes before the disk is full: Badger maps its files,
// and a full disk would kill the process in the middle of a write.
type spaceGuard struct {
	dir     string
	free    func(string) (free, total uint64, err error)
	soft    uint64 // 0: a share of the total
	hard    uint64
	last    uint64
	ballast bool
	log     *slog.Logger
}

func newSpaceGuard(dir string, o Options) *spaceGuard {
	return &spaceGuard{dir, o.FreeSpace, o.SoftReserve, o.HardReserve, o.LastReserve, !o.NoBallast, o.Logger}
}

func (g *spaceGuard) measure() (Space, error) {
	free, total, err := g.free(g.dir)
	if err != nil {
		return Space{State: Spent}, fmt.Errorf("measuring free space: %w", err)
	}
	soft := g.soft
	if soft == 0 {
		soft = max(1<<30, total/10)
	}
	s := Space{Free: free, Total: total}
	switch {
	case free < g.last:
		s.State = Spent
	case free < g.hard:
		s.State = Full
	case free < soft:
		s.State = Low
	}
	return s, nil
}

// admit is asked before every Append: a statfs costs a thousandth of a sync.
func (g *spaceGuard) admit(small bool) error {
	s, err := g.measure()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	if s.State == Spent || s.State == Full && !small {
		return fmt.Errorf("%w: %d MiB", ErrNoSpace, s.Free>>20)
	}
	return nil
}

// releaseBallast makes room for opening when there is too little.
func (g *spaceGuard) releaseBallast() {
	if s, err := g.measure(); err != nil || s.State < Full {
		return
	}
	err := os.Remove(filepath.Join(g.dir, ballastFile))
	if err == nil {
		g.log.Warn("disk nearly full: ballast released", "dir", g.dir)
	} else if !errors.Is(err, os.ErrNotExist) {
		g.log.Error("disk nearly full, and the ballast stays", "err", err)
	}
}

// makeBallast takes space aside while there is plenty.
func (g *spaceGuard) makeBallast() {
	if !g.ballast {
		return
	}
	if s, err := g.measure(); err != nil || s.State != Plenty {
		return
	}
	name := filepath.Join(g.dir, ballastFile)
	if st, err := os.Stat(name); err == nil && st.Size() == ballastBytes {
		return
	}
	if err := allocate(name, ballastBytes); err != nil {
		g.log.Warn("no ballast made", "err", err)
	}
}

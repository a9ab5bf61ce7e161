package engine

import (
	"errors"
	"time"

	"postern/engine/store"
)

const (
	// A snapshot is made anew after this many changes, or this share of the
	// entities if that is more.
	snapshotLeast = 1 << 18
	snapshotShare = 4

	// At a clean stop fewer are enough: what a start would have to bring in.
	stopLeast = 1 << 10
	stopShare = 64

	// A collection may have more rows in memory than there is room for, by this
	// share of Config.ValueMemory, before something is done.
	memorySlack = 4
)

// save does what is most urgent for snapshots, and reports whether there was
// something. It runs on the indexer's goroutine, when no base is to be made.
func (x *indexer) save() bool {
	s := x.e.snapshots
	if s == nil {
		return false
	}
	if a, c := s.due(); c != nil {
		return x.snapshot(a, c)
	}
	return x.spill()
}

// due finds a collection that has changed much since its snapshot.
func (s *snapshots) due() (of *app, most *collection) {
	head, _ := s.e.driver.Head()
	s.each(func(a *app, c *collection) {
		if of == nil && c.saved.failed != c.rows.base && c.unsaved(head) >= s.changes(c, snapshotLeast, snapshotShare) {
			of, most = a, c
		}
	})
	return of, most
}

// each calls fn for every collection that is to have snapshots.
func (s *snapshots) each(fn func(*app, *collection)) {
	for _, a := range s.e.apps.Load().byNumber {
		view := a.view.Load()
		if view.config.Deleted != 0 {
			continue
		}
		view.collections.Scan(func(_ string, c *collection) bool {
			if c.number >= firstCollection && c.rows.len() >= s.least {
				fn(a, c)
			}
			return true
		})
	}
}

// changes is how many there are to be before a snapshot is made anew.
func (s *snapshots) changes(c *collection, least, share int) uint64 {
	if s.after > 0 {
		return uint64(s.after)
	}
	return uint64(max(least, c.rows.len()/share))
}

// unsaved returns what a start would have to do to bring the snapshot up to the
// head: how many changes there are since, or records to be looked through for
// them if that is more.
func (c *collection) unsaved(head store.Seq) uint64 {
	switch changed := c.changed - c.saved.changed; {
	case c.saved.seq == 0:
		return ^uint64(0)
	case changed == 0:
		return 0
	default:
		return max(changed, uint64(head-min(head, c.saved.seq)))
	}
}

// snapshot writes one for a collection and has the committer put the same base
// in its place with its chunks in files. It reports false when it was stopped.
func (x *indexer) snapshot(a *app, c *collection) bool {
	began := time.Now()
	in := &mark{app: a, number: c.number}
	if err := x.e.committer.submit(a, in); err != nil {
		c.saved.failed = c.rows.base
		return !errors.Is(err, errStopped)
	}
	c = in.c
	if c == nil {
		return true // dropped
	}
	b := c.rows.base
	if in.at.hash == (store.Hash{}) {
		c.saved.failed = b // somebody else writes to this store
		return true
	}
	if len(c.rows.late) > 0 {
		var going bool
		if b, going = x.rebuild(a, c); b == nil {
			return going
		}
	}
	placed, err := x.e.snapshots.write(snapshotID{a.number, c.number}, b, c, in.at, x.pace())
	if errors.Is(err, errStopped) {
		return false
	}
	if err != nil {
		x.e.snapshots.unwritten(a, c, b, err)
		return true
	}
	x.e.config.Logger.Info("snapshot written", "app", a.key, "collection", c.name, "entities", b.len(), "seq", in.at.seq, "ms", time.Since(began).Milliseconds())
	return x.place(a, c, b, placed)
}

// pace returns what is called often while something is written in the
// background.
func (x *indexer) pace() func() error {
	p := &spread{quit: x.quit, since: time.Now(), share: restNew}
	return func() error {
		if p.rest(); p.stopped {
			return errStopped // there will be a snapshot of the last state
		}
		return nil
	}
}

// unwritten notes that there is no snapshot of a base. It is not tried again
// with the same one.
func (s *snapshots) unwritten(a *app, c *collection, b *base, err error) {
	c.saved.failed = b
	if !s.exists(snapshotID{a.number, c.number}) {
		return // dropped meanwhile, and with it the file
	}
	s.failed.Add(1)
	s.e.config.Logger.Warn("a snapshot was not written", "app", a.key, "collection", c.name, "error", err)
}

// place puts a base whose chunks are in files into the place of the same one,
// with as many of them in memory as there is room for.
func (x *indexer) place(a *app, c *collection, from, placed *base) bool {
	var err error
	if placed.rows, err = placed.rows.within(x.e.snapshots.share(snapshotID{a.number, c.number})); err != nil {
		c.saved.failed = from
		x.e.config.Logger.Warn("rows stay in memory", "app", a.key, "collection", c.name, "error", err)
		return true
	}
	return x.e.committer.submit(a, &replaceBase{app: a, number: c.number, from: from, to: placed}) == nil
}

// share is how many bytes of rows the base of a collection may have in memory:
// what the others leave.
func (s *snapshots) share(id snapshotID) int {
	room := s.memory
	for _, a := range s.e.apps.Load().byNumber {
		a.view.Load().collections.Scan(func(_ string, c *collection) bool {
			if (snapshotID{a.number, c.number}) != id {
				bytes, _, _ := c.rows.base.rows.heap()
				room -= bytes
			}
			return true
		})
	}
	return max(room, 0)
}

// spill brings rows that are beyond Config.ValueMemory out of memory, of the
// collection that has most there. What is in no file yet is written to one.
func (x *indexer) spill() bool {
	s := x.e.snapshots
	if !canMap {
		return false
	}
	var of *app
	var most *collection
	largest := 0
	s.each(func(a *app, c *collection) {
		bytes, _, _ := c.rows.base.rows.heap()
		if bytes > largest && c.saved.failed != c.rows.base && bytes > s.share(snapshotID{a.number, c.number})+s.memory/memorySlack {
			of, most, largest = a, c, bytes
		}
	})
	if most == nil {
		return false
	}
	b := most.rows.base
	placed := *b
	most.saved.failed = b // once is enough for a base
	if _, unfiled, _ := b.rows.heap(); unfiled > 0 {
		var err error
		placed.rows, err = s.spill(snapshotID{of.number, most.number}, b, x.pace())
		if errors.Is(err, errStopped) {
			return false
		}
		if err != nil {
			s.unwritten(of, most, b, err)
			return true
		}
	}
	return x.place(of, most, b, &placed)
}

// rowsSize returns how many bytes of rows are in memory and how many are read
// in place.
func (e *Engine) rowsSize() (heap, mapped int) {
	for _, a := range e.apps.Load().byNumber {
		a.view.Load().collections.Scan(func(_ string, c *collection) bool {
			bytes, _, m := c.rows.base.rows.heap()
			heap, mapped = heap+bytes, mapped+m
			return true
		})
	}
	return heap, mapped
}

// stop writes the snapshots that would spare the next start work. The committer
// has stopped, so nothing changes any more. A nil s writes none.
func (s *snapshots) stop() {
	if s == nil || s.e.broken.Load() || s.e.head.hash == (store.Hash{}) {
		return
	}
	at := s.e.head
	s.each(func(a *app, c *collection) {
		if c.unsaved(at.seq) < s.changes(c, stopLeast, stopShare) {
			return
		}
		b := c.rows.base
		if len(c.rows.late) > 0 {
			b = c.rows.rebuild(b.sorts(), func() {})
		}
		if _, err := s.write(snapshotID{a.number, c.number}, b, c, at, func() error { return nil }); err != nil {
			s.unwritten(a, c, b, err)
		}
	})
}

// A mark finds out which record a view of a collection stands for. The
// committer alone knows: its head is that of what it has published.
type mark struct {
	app    *app
	number uint32
	c      *collection // nil: there is none
	at     position
}

func (in *mark) plan(d *draft) ([]store.Op, error) {
	in.c, in.at = in.app.view.Load().byNumberOrNil(in.number), d.e.head
	return nil, nil
}

// replaceBase puts a base into the place of one that holds the same, in other
// memory. Nothing is written.
type replaceBase struct {
	app      *app
	number   uint32
	from, to *base
}

func (in *replaceBase) plan(d *draft) ([]store.Op, error) {
	s := d.change(in.app)
	if name, ok := s.byNumber(in.number); ok && s.collection(name).rows.base == in.from {
		s.own(name).rows.base = in.to
	}
	return nil, nil
}

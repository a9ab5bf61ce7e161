package engine

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"postern/engine/store"
)

// The indexer keeps bases fresh, in the background, one at a time: it makes a
// new one of what a published view holds and has the committer put it in the
// place of the old one. Readers never wait for it, and what was written
// meanwhile is in the new contents as it was in the old.
type indexer struct {
	e    *Engine
	wake chan struct{} // capacity 1
	quit chan struct{}
	over sync.WaitGroup

	working atomic.Bool
	saves   bool // it is the turn of snapshots
}

const (
	// A base is made anew after this many changes, or this share of its
	// entities if that is more.
	rebuildLeast = 4096
	rebuildShare = 64

	// The indexer works for workSlice and then rests for a multiple of that. For
	// an order that queries want it takes a quarter of a core, and so when it is
	// farBehind: by so many times the changes that a base is made anew after.
	// Otherwise it takes a quarter of that to keep up with writes, for it would
	// never rest beside many and they would be slower by all it takes.
	workSlice = 500 * time.Microsecond
	restNew   = 3
	restSame  = 15
	farBehind = 4

	// catchUpMost is how many changes are left to the committer where it goes by
	// the indexer, which follows so many at once.
	catchUpMost  = 256
	followAtOnce = 4096
)

func newIndexer(e *Engine) *indexer {
	return &indexer{e: e, wake: make(chan struct{}, 1), quit: make(chan struct{})}
}

func (x *indexer) start() {
	x.over.Go(x.run)
	x.nudge() // pinned orders may be missing
}

// nudge makes the indexer look for work.
func (x *indexer) nudge() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *indexer) stop() {
	close(x.quit)
	x.over.Wait()
}

func (x *indexer) run() {
	for {
		select {
		case <-x.quit:
			return
		case <-x.wake:
		}
		x.working.Store(true)
		for x.step() {
		}
		x.working.Store(false)
	}
}

// busy tells whether there is work, under way or waiting for its turn.
func (x *indexer) busy() bool { return x.working.Load() || len(x.wake) > 0 }

// step does what is most urgent, and reports whether there was something.
// Between two bases snapshots have their turn: where writes never end there is
// always a base to be made.
func (x *indexer) step() bool {
	select {
	case <-x.quit:
		return false
	default:
	}
	if x.saves = !x.saves; x.saves && x.save() {
		return true
	}
	var of *app
	var most *collection
	now := x.e.now()
	for _, a := range x.e.apps.Load().byNumber {
		a.view.Load().collections.Scan(func(_ string, c *collection) bool {
			if (c.worn(x.e.config.RebuildAfter, 1) || c.reorders(now)) && (most == nil || len(c.rows.late) > len(most.rows.late)) {
				of, most = a, c
			}
			return true
		})
	}
	if most == nil {
		return !x.saves && x.save()
	}
	_, going := x.rebuild(of, most)
	return going
}

// worn tells whether so much has changed that the collection's base should be
// made anew, or so many times that.
func (c *collection) worn(after, times int) bool {
	if after == 0 {
		after = max(rebuildLeast, c.rows.base.len()/rebuildShare)
	}
	return len(c.rows.late) >= times*after
}

// rebuild makes a new base for a collection, puts it in its place and returns
// it; nil when it has no place any more. It reports false when it was stopped.
func (x *indexer) rebuild(a *app, c *collection) (_ *base, going bool) {
	chosen := c.uses.choose(c, x.e.now())
	p := &spread{quit: x.quit, since: time.Now(), share: restSame}
	if len(chosen.new) > 0 || c.worn(x.e.config.RebuildAfter, farBehind) {
		p.share = restNew
	}
	c.uses.making.Store(&chosen.names)
	defer c.uses.making.Store(nil)
	b := c.rows.rebuild(chosen.sorts, p.pause)
	next, upTo := c.rows.onto(b), len(c.rows.late)
	going = x.catchUp(next, &upTo, p, func() *contents {
		now := a.view.Load().byNumberOrNil(c.number)
		if now == nil || now.rows.base != c.rows.base {
			return nil // dropped, or loaded anew
		}
		return now.rows
	})
	if !going || upTo < 0 {
		return nil, going
	}
	in := &rebase{app: a, number: c.number, from: c.rows.base, next: next, upTo: upTo}
	if err := x.e.committer.submit(a, in); err != nil {
		if !errors.Is(err, errStopped) {
			x.e.config.Logger.Error("an index was not replaced", "app", a.key, "collection", c.name, "error", err)
		}
		return nil, false
	}
	x.e.metrics.rebuilds.Inc()
	if c.uses.made(chosen, x.e.now()) {
		x.e.metrics.displaced.Inc()
	}
	return b, true
}

// catchUp brings into next what has come to the old contents since upTo, which it
// moves on, until there is little left for the committer to do. That is less with
// each round, unless writes come as fast as they are followed: then what a round
// takes is left, so that a base is made however busy the collection is. now
// returns what the old contents have become, nil when they have no place any
// more, on which upTo is -1. It reports false when it was stopped.
func (x *indexer) catchUp(next *contents, upTo *int, p *spread, now func() *contents) bool {
	rest := p.rest
	for before := math.MaxInt; ; {
		if p.stopped {
			return false
		}
		k := now()
		if k == nil {
			*upTo = -1
			return true
		}
		left := len(k.late) - *upTo
		if left <= catchUpMost || left > before/2 {
			return true
		}
		for before = left; left > 0; left = len(k.late) - *upTo {
			some := min(left, followAtOnce)
			next.follow(k, *upTo, *upTo+some)
			next.freeze()
			*upTo += some
			p.rest()
		}
		next.sortLate(rest)
		rest = func() {} // what comes in a rest makes the next round longer
	}
}

// byNumberOrNil finds a collection by its number.
func (s *appState) byNumberOrNil(number uint32) *collection {
	name, ok := s.byNumber(number)
	if !ok {
		return nil
	}
	return s.collection(name)
}

// A spread divides work over time.
type spread struct {
	quit    <-chan struct{}
	stopped bool
	since   time.Time
	share   time.Duration // how many times longer it rests than works
	steps   int
}

// pause rests when enough was done since the last rest. After quit it does not
// rest any more, so that what is under way ends soon.
func (p *spread) pause() {
	if p.steps++; p.steps%256 == 0 {
		p.rest()
	}
}

// rest is pause for what is done seldom.
func (p *spread) rest() {
	if p.stopped {
		return
	}
	worked := time.Since(p.since)
	if worked < workSlice {
		return
	}
	rest := time.NewTimer(p.share * worked)
	select {
	case <-rest.C:
	case <-p.quit:
		rest.Stop()
		p.stopped = true
	}
	p.since = time.Now()
}

// rebase puts contents on a new base into the place of those that hold the
// same on the old one. It changes how a collection is held and not what it
// holds, so nothing is written.
type rebase struct {
	app    *app
	number uint32
	from   *base
	next   *contents // what from's contents held when upTo of late were there
	upTo   int
}

func (in *rebase) plan(d *draft) ([]store.Op, error) {
	s := d.change(in.app)
	name, ok := s.byNumber(in.number)
	if !ok {
		return nil, nil
	}
	c := s.own(name)
	if c.rows.base != in.from {
		return nil, nil
	}
	next := in.next.draft()
	next.follow(c.rows, in.upTo, len(c.rows.late))
	if next.live != c.rows.live {
		return nil, fmt.Errorf("the new base holds %d entities, the old one %d", next.live, c.rows.live)
	}
	next.from = len(next.late)
	c.rows = next
	return nil, nil
}

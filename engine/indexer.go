package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"postern/engine/query"
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

	building atomic.Bool
}

const (
	// A base is made anew after this many changes, or this share of its
	// entities if that is more.
	rebuildLeast = 4096
	rebuildShare = 64

	// The indexer works for workSlice and then rests for restShare times that,
	// which leaves it a quarter of a core.
	workSlice = 2 * time.Millisecond
	restShare = 3

	// catchUpMost is how many changes are left to the committer.
	catchUpMost = 256
)

func newIndexer(e *Engine) *indexer {
	return &indexer{e: e, wake: make(chan struct{}, 1), quit: make(chan struct{})}
}

func (x *indexer) start() { x.over.Go(x.run) }

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
		for x.step() {
		}
	}
}

// step does what is most urgent, and reports whether there was something.
func (x *indexer) step() bool {
	select {
	case <-x.quit:
		return false
	default:
	}
	var of *app
	var most *collection
	for _, a := range x.e.apps.Load().byNumber {
		a.view.Load().collections.Scan(func(_ string, c *collection) bool {
			if c.stale(x.e.config.RebuildAfter) && (most == nil || len(c.rows.late) > len(most.rows.late)) {
				of, most = a, c
			}
			return true
		})
	}
	if most == nil {
		return x.save()
	}
	_, going := x.rebuild(of, most)
	return going
}

// stale tells whether the collection's base should be made anew.
func (c *collection) stale(after int) bool {
	if after == 0 {
		after = max(rebuildLeast, c.rows.base.len()/rebuildShare)
	}
	return len(c.rows.late) >= after || c.uses.wanted(c.rows.base)
}

// rebuild makes a new base for a collection, puts it in its place and returns
// it; nil when it has no place any more. It reports false when it was stopped.
func (x *indexer) rebuild(a *app, c *collection) (_ *base, going bool) {
	x.building.Store(true)
	defer x.building.Store(false)
	p := &spread{quit: x.quit, since: time.Now()}
	sorts := c.uses.chosen(c.rows.base)
	b := c.rows.rebuild(sorts, p.pause)
	now := a.view.Load().byNumberOrNil(c.number)
	if now == nil || now.rows.base != c.rows.base {
		return nil, true // dropped, or loaded anew
	}
	next, upTo := now.rows.onto(b, c.rows), len(now.rows.late)
	next.freeze()
	for {
		if p.stopped {
			return nil, false
		}
		now = a.view.Load().byNumberOrNil(c.number)
		if now == nil || now.rows.base != c.rows.base {
			return nil, true
		}
		if len(now.rows.late)-upTo <= catchUpMost {
			break
		}
		next.follow(now.rows, upTo)
		next.freeze()
		upTo = len(now.rows.late)
	}
	in := &rebase{app: a, number: c.number, from: c.rows.base, next: next, upTo: upTo}
	if err := x.e.committer.submit(a, in); err != nil {
		if !errors.Is(err, errStopped) {
			x.e.config.Logger.Error("an index was not replaced", "app", a.key, "collection", c.name, "error", err)
		}
		return nil, false
	}
	x.e.metrics.rebuilds.Inc()
	return b, true
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
	rest := time.NewTimer(restShare * worked)
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
	next.follow(c.rows, in.upTo)
	if next.live != c.rows.live {
		return nil, fmt.Errorf("the new base holds %d entities, the old one %d", next.live, c.rows.live)
	}
	next.from = len(next.late)
	c.rows = next
	return nil, nil
}

// uses is what orders a collection was asked for, shared by all its versions.
type uses struct {
	want atomic.Bool // an order is to be made

	mu    sync.Mutex // guards below
	after int        // rows, see Config.OrderAfter
	of    map[string]*use
}

// A use is one order that queries ask for.
type use struct {
	sort    query.Sort
	queries int // that had to look at rows for want of it
	rows    int // that they looked at
	present int // of the rows looked into, those that had the first field
	looked  int
}

const (
	// An order is made when so many queries have sorted so many rows, and one
	// in presentShare of them had the field.
	wantQueries  = 3
	presentShare = 100

	mostOrders = 4   // of one collection, besides those of creation and id
	mostUses   = 256 // remembered of one collection
)

// note notes that a query has looked at rows for want of an order, and how many
// of those it looked into had the first field of it. dear says that the query
// could not be answered. It reports whether the order is to be made now. Only
// rows that the subject may see are told of here.
func (u *uses) note(s query.Sort, rows, looked, present int, dear bool, after int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.after = after
	name := s.Name()
	n := u.of[name]
	if n == nil {
		if len(u.of) >= mostUses {
			clear(u.of) // somebody tries all orders there are
		}
		if u.of == nil {
			u.of = map[string]*use{}
		}
		n = &use{sort: s}
		u.of[name] = n
	}
	n.queries++
	if dear {
		n.queries += wantQueries
	}
	n.rows += rows
	n.looked += looked
	n.present += present
	if n.wanted(u.after) {
		u.want.Store(true)
	}
	return n.wanted(u.after)
}

func (n *use) wanted(rows int) bool {
	return n.queries >= wantQueries && n.rows >= rows && n.present*presentShare >= n.looked
}

// wanted tells whether an order is to be made that b does not have.
func (u *uses) wanted(b *base) bool {
	if !u.want.Load() {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, n := range u.of {
		if n.wanted(u.after) && b.orderNamed(name) < 0 {
			return true
		}
	}
	u.want.Store(false)
	return false
}

// chosen returns the orders that the next base is to have: those that there
// are, those that are wanted, and of too many the ones used last.
func (u *uses) chosen(b *base) []query.Sort {
	u.mu.Lock()
	defer u.mu.Unlock()
	type candidate struct {
		sort query.Sort
		last int64
	}
	var all []candidate
	for _, o := range b.orders[min(2, len(b.orders)):] {
		all = append(all, candidate{o.sort, o.used.Load()})
	}
	for name, n := range u.of {
		if n.wanted(u.after) && b.orderNamed(name) < 0 {
			all = append(all, candidate{n.sort, math.MaxInt64})
		}
	}
	slices.SortFunc(all, func(x, y candidate) int { return cmp.Compare(y.last, x.last) })
	chosen := []query.Sort{byID}
	for i, c := range all {
		if i < mostOrders {
			chosen = append(chosen, c.sort)
		}
		delete(u.of, c.sort.Name())
	}
	return chosen
}

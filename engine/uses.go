package engine

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"postern/engine/query"
)

// uses is what orders a collection was asked for and what those that it has
// were good for, shared by all its versions. What is counted is halved every
// useHalf, all of it at once, so that what is compared was counted in the same
// time.
type uses struct {
	want   atomic.Bool                         // the orders may have to be others
	making atomic.Pointer[[]string]            // the orders of a base that is being made; nil: there is none
	have   atomic.Pointer[map[string]*service] // by name of the order

	mu        sync.Mutex // guards below
	after     int        // rows, see Config.OrderAfter
	of        map[string]*use
	halved    int64 // when that was done last, Unix ms
	displaced int64 // when an order had to go for another one, Unix ms; 0: never
}

// A use is one order that queries ask for.
type use struct {
	sort    query.Sort
	queries int // that had to look at rows for want of it
	rows    int // that they looked at
	present int // of the rows looked into, those that had the first field
	looked  int
	dear    bool // one could not be answered
}

// A service is what an order that there is was good for.
type service struct {
	queries atomic.Int64 // that it answered
	last    atomic.Int64 // about when it last did, Unix ms
	each    int          // rows that a query looked at when there was no such order; 0: nobody knows
}

const (
	// An order is made when so many queries have looked at so many rows for
	// want of it, and one in presentShare of those had the field.
	wantQueries  = 3
	presentShare = 100

	mostOrders = 4   // of one collection, besides those of creation and id and the pinned ones
	mostUses   = 256 // remembered of one collection

	// Where there are mostOrders, another one takes the place of the least used
	// only when it would have saved displaceTimes the rows that that one has
	// saved, and displaceRest after the last time.
	displaceTimes = 2
	displaceRest  = 5 * 60_000  // ms
	useHalf       = 10 * 60_000 // ms
)

// A look is what a query has looked at for want of an order. Only rows that the
// subject may see are told of here.
type look struct {
	want                  query.Sort
	rows, looked, present int  // of the rows so many were looked into, and so many had the first field
	dear                  bool // the query could not be answered
}

// note notes a look and reports whether the order is to be made now. after is
// Config.OrderAfter, now in Unix ms.
func (u *uses) note(c *collection, l look, after int, now int64) bool {
	name := l.want.Name()
	if c.rows.base.orderNamed(name) >= 0 || c.orders.forbids(l.want) {
		return false
	}
	u.mu.Lock()
	u.after = after
	u.halve(now)
	n := u.use(name, l.want)
	n.queries++
	n.rows += l.rows
	n.looked += l.looked
	n.present += l.present
	n.dear = n.dear || l.dear
	wanted := n.wanted(u.after)
	u.mu.Unlock()
	if !wanted || !slices.Contains(u.choose(c, now).names, name) {
		return false
	}
	u.want.Store(true)
	return true
}

// use returns what is noted of an order. Somebody may try all orders there are:
// of too many the one goes that mattered least.
func (u *uses) use(name string, s query.Sort) *use {
	n := u.of[name]
	if n != nil {
		return n
	}
	if u.of == nil {
		u.of = map[string]*use{}
	}
	if len(u.of) >= mostUses {
		least := ""
		for other, n := range u.of {
			if least == "" || cmp.Or(cmp.Compare(n.rows, u.of[least].rows), cmp.Compare(other, least)) < 0 {
				least = other
			}
		}
		delete(u.of, least)
	}
	n = &use{sort: s}
	u.of[name] = n
	return n
}

// rare tells whether few of the rows had the first field.
func (n *use) rare() bool { return n.present*presentShare < n.looked }

func (n *use) wanted(rows int) bool {
	return (n.dear || n.queries >= wantQueries) && n.rows >= rows && !n.rare()
}

// halve halves what is counted when it is time.
func (u *uses) halve(now int64) {
	if u.halved == 0 || now < u.halved {
		u.halved = now
	}
	times := min((now-u.halved)/useHalf, 62)
	if times == 0 {
		return
	}
	u.halved = now
	for name, n := range u.of {
		n.queries, n.rows, n.looked, n.present = n.queries>>times, n.rows>>times, n.looked>>times, n.present>>times
		if n.rows == 0 {
			delete(u.of, name)
		}
	}
	for _, s := range u.services() {
		s.queries.Store(s.queries.Load() >> times)
	}
}

func (u *uses) services() map[string]*service {
	if have := u.have.Load(); have != nil {
		return *have
	}
	return nil
}

// served notes that an order has answered a query.
func (u *uses) served(name string, now int64) {
	s := u.services()[name]
	if s == nil {
		s = u.serve(name)
	}
	s.queries.Add(1)
	const about = 1 << 12
	if now-s.last.Load() > about {
		s.last.Store(now)
	}
}

// serve makes room for what an order is good for. There is one for each that
// any version of the collection has had since the last base was made.
func (u *uses) serve(name string) *service {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s := u.services()[name]; s != nil {
		return s
	}
	s := new(service)
	u.replace(func(have map[string]*service) { have[name] = s })
	return s
}

// replace changes a copy of what is known of the orders that there are.
func (u *uses) replace(change func(map[string]*service)) {
	have := map[string]*service{}
	for name, s := range u.services() {
		have[name] = s
	}
	change(have)
	u.have.Store(&have)
}

// saved is how many rows an order has saved. What is not known of a query is
// taken for as much as makes an order worth while.
func (u *uses) saved(name string) int {
	s := u.services()[name]
	if s == nil {
		return 0
	}
	each := s.each
	if each == 0 {
		each = u.after/wantQueries + 1
	}
	return int(min(s.queries.Load(), math.MaxInt32)) * each
}

// A choice is the orders that a base is to have.
type choice struct {
	sorts []query.Sort
	names []string
	gone  string // the order that has to go for another one
	new   []string
}

// choose returns the orders that the next base of a collection is to have:
// those that are pinned, those that there are, and those that are wanted as far
// as there is room.
func (u *uses) choose(c *collection, now int64) choice {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.halve(now)
	b := c.rows.base
	chosen := []query.Sort{byID}
	if c.orders != nil {
		chosen = append(chosen, c.orders.Pin...)
	}
	pinned := len(chosen)
	free := func(s query.Sort) bool { return !c.orders.forbids(s) && !c.orders.pins(s) }
	for _, o := range b.orders[min(2, len(b.orders)):] {
		if free(o.sort) {
			chosen = append(chosen, o.sort)
		}
	}
	used := chosen[pinned:]
	slices.SortStableFunc(used, func(x, y query.Sort) int { return cmp.Compare(u.saved(y.Name()), u.saved(x.Name())) })
	used = used[:min(len(used), mostOrders)]
	var wanted []*use
	for _, n := range u.of {
		if n.wanted(u.after) && free(n.sort) && b.orderNamed(n.sort.Name()) < 0 {
			wanted = append(wanted, n)
		}
	}
	slices.SortFunc(wanted, func(x, y *use) int {
		return cmp.Or(cmp.Compare(y.rows, x.rows), cmp.Compare(x.sort.Name(), y.sort.Name()))
	})
	var in choice
	for _, n := range wanted {
		if len(used) == mostOrders {
			least := used[mostOrders-1].Name()
			rested := u.displaced == 0 || now-u.displaced >= displaceRest
			if !rested || in.gone != "" || b.orderNamed(least) < 0 || n.rows < displaceTimes*u.saved(least)+u.after {
				break
			}
			in.gone = least
			used = used[:mostOrders-1]
		}
		used = append(used[:len(used):len(used)], n.sort)
	}
	in.sorts = append(chosen[:pinned:pinned], used...)
	for _, s := range in.sorts {
		in.names = append(in.names, s.Name())
		if b.orderNamed(s.Name()) < 0 {
			in.new = append(in.new, s.Name())
		}
	}
	return in
}

// made notes that a base has the orders that were chosen. It reports whether
// one had to go for another one.
func (u *uses) made(in choice, now int64) (displaced bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if in.gone != "" {
		u.displaced = now
	}
	u.replace(func(have map[string]*service) {
		for name := range have {
			if !slices.Contains(in.names, name) {
				delete(have, name)
			}
		}
		for _, name := range in.new {
			s := new(service)
			if n := u.of[name]; n != nil {
				s.each = max(n.rows/max(n.queries, 1), 1)
				s.queries.Store(int64(n.queries))
				s.last.Store(now)
			}
			have[name] = s
			delete(u.of, name)
		}
	})
	return in.gone != ""
}

// reorders tells whether the collection is to have other orders than its base.
func (c *collection) reorders(now int64) bool {
	if !c.uses.want.Swap(false) {
		return false
	}
	names, b := c.uses.choose(c, now).names, c.rows.base
	if len(names) == len(b.orders)-1 && !slices.ContainsFunc(names, func(name string) bool { return b.orderNamed(name) < 0 }) {
		return false
	}
	c.uses.want.Store(true) // until it has them
	return true
}

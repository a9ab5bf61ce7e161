package engine

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync/atomic"

	"postern/acl"
)

// contents is what a collection holds at one moment: a base, and what has
// changed since. It is immutable once it is published; a draft of it shares all
// that stays. The nil contents hold nothing.
//
// Every change takes a new ordinal, counted on from the base: it is put at the
// end of late, and the ordinal that the entity had before is dead. So readers
// that hold older contents see nothing of it, and nothing has to be moved.
type contents struct {
	base *base
	dead []*acl.Dead // of each of the base's orders, in its positions

	// Of each of the base's orders: what is dead or set aside, and what is dead
	// of what is set aside. See aside.
	notPlain, deadAside []*acl.Dead

	late     []lateRow // only the committer appends, beyond what is published
	lateDead *acl.Dead
	orders   []*lateCache // of late, for each of the base's orders
	recent   *acl.Recent  // of late, shared by all contents on this base
	ids      *lateIDs     // of late, as far as it is published
	live     int

	// Of a draft: how much of late was there before it, and what is not yet in
	// ids, dead and lateDead.
	from               int
	fresh              map[string]int // the rows of late that ids does not have
	killed, killedLate []uint32

	loading *loader // instead of all this, while the store is loaded
}

// A lateRow is a change since the base: an entity as it is now, or that there
// is none any more.
type lateRow struct {
	id     string
	e      *entity // nil: it was removed
	listed bool
}

// noOrdinal stands for an entity that there is not.
const noOrdinal = ^acl.Ordinal(0)

func newContents() *contents {
	k := &contents{base: emptyBase, recent: new(acl.Recent), ids: new(lateIDs)}
	k.forOrders()
	return k
}

// forOrders gives the contents room for what belongs to each order of the base.
func (k *contents) forOrders() {
	n := len(k.base.orders)
	k.dead, k.orders = make([]*acl.Dead, n), make([]*lateCache, n)
	k.notPlain, k.deadAside = make([]*acl.Dead, n), make([]*acl.Dead, n)
	for i, of := range k.base.orders {
		k.orders[i] = new(lateCache)
		if of.aside != nil {
			k.notPlain[i] = of.aside.places
		}
	}
}

// draft returns contents that may be changed while k is being read.
func (k *contents) draft() *contents {
	n := *k
	n.fresh = maps.Clone(k.fresh)
	n.from = len(k.late)
	return &n
}

// freeze ends a draft.
func (k *contents) freeze() {
	if k.loading != nil {
		k.load()
	}
	if len(k.killed) > 0 {
		dead := slices.Clone(k.dead)
		scratch := make([]uint32, len(k.killed))
		for o, of := range k.base.orders {
			for i, ordinal := range k.killed {
				scratch[i] = of.sets.Position(acl.Ordinal(ordinal))
			}
			dead[o] = dead[o].With(scratch)
		}
		k.dead = dead
		k.freezeAside()
	}
	k.lateDead = k.lateDead.With(k.killedLate)
	// Not before: a draft that is let go leaves nothing in what all share.
	for _, r := range k.late[k.recent.Len():] {
		if r.listed {
			k.recent.Add(r.e.acl)
		} else {
			k.recent.Add(nil)
		}
	}
	k.ids = k.ids.with(k.late)
	k.fresh, k.killed, k.killedLate = nil, nil, nil
	orders := make([]*lateCache, len(k.orders))
	for i, c := range k.orders {
		orders[i] = &lateCache{seed: c.newest()}
	}
	k.orders = orders
}

// ordinal finds an entity.
func (k *contents) ordinal(id string) (acl.Ordinal, bool) {
	row, ok := k.fresh[id]
	if !ok {
		row, ok = k.ids.find(k.late, id)
	}
	if ok {
		return acl.Ordinal(k.base.len() + row), k.late[row].e != nil
	}
	return k.base.find(id)
}

// get returns an entity by its id.
func (k *contents) get(id string) (*entity, bool) {
	if k.loading != nil {
		return nil, false // nothing has two rows
	}
	i, ok := k.ordinal(id)
	if !ok {
		return nil, false
	}
	return k.at(i), true
}

// look returns of an entity what a reader needs: what is served of it, and what
// it says about who may read it. That is read into s, and both are borrowed.
func (k *contents) look(id string, s *acl.Scratch) ([]byte, *acl.ACL, bool) {
	i, ok := k.ordinal(id)
	if !ok {
		return nil, nil, false
	}
	if n := acl.Ordinal(k.base.len()); i >= n {
		e := k.late[i-n].e
		return e.body(), e.acl, true
	}
	r := k.base.rows.row(i)
	return r.body(), r.grants(s), true
}

// grants returns what the entity with an ordinal says about who may what, read into s
// and borrowed.
func (k *contents) grants(i acl.Ordinal, s *acl.Scratch) *acl.ACL {
	if n := acl.Ordinal(k.base.len()); i >= n {
		return k.late[i-n].e.acl
	}
	return k.base.rows.row(i).grants(s)
}

// at returns the entity with an ordinal.
func (k *contents) at(i acl.Ordinal) *entity {
	if n := acl.Ordinal(k.base.len()); i >= n {
		return k.late[i-n].e
	}
	return k.base.entity(i)
}

// bodies is body for several ordinals, at most pageBatch.
func (k *contents) bodies(dst [][]byte, of []acl.Ordinal) {
	n, from := acl.Ordinal(k.base.len()), 0
	for at, i := range of {
		if i < n {
			continue
		}
		dst[at] = k.late[i-n].e.body()
		k.base.rows.bodies(dst[from:], of[from:at])
		from = at + 1
	}
	k.base.rows.bodies(dst[from:], of[from:])
}

// body returns what is served of the entity with an ordinal.
func (k *contents) body(i acl.Ordinal) []byte {
	if n := acl.Ordinal(k.base.len()); i >= n {
		return k.late[i-n].e.body()
	}
	return k.base.rows.body(i)
}

// replace puts e in the place of what has its id, or removes that when e is
// nil. listed says whether anybody is to see it in lists.
func (k *contents) replace(id string, e *entity, listed bool) {
	if k.loading != nil {
		k.loading.add(e, listed)
		return
	}
	n := acl.Ordinal(k.base.len())
	if old, ok := k.ordinal(id); ok {
		k.live--
		if old < n {
			k.killed = append(k.killed, uint32(old))
		} else {
			k.killedLate = append(k.killedLate, uint32(old-n))
		}
	}
	if k.fresh == nil {
		k.fresh = map[string]int{}
	}
	k.fresh[id] = len(k.late)
	k.late = append(k.late, lateRow{id, e, listed && e != nil})
	if e != nil {
		k.live++
	}
}

// list says whether anybody is to see an entity in lists.
func (k *contents) list(id string, listed bool) {
	if e, ok := k.get(id); ok {
		k.replace(id, e, listed)
	}
}

// len returns how many entities there are.
func (k *contents) len() int { return k.live }

// scan calls fn for every entity, the unlisted ones included, in the order of
// creation, until it returns false.
func (k *contents) scan(fn func(*entity) bool) {
	k.merged(0, func(i acl.Ordinal) bool { return fn(k.at(i)) })
}

// merged calls fn for every live ordinal in an order of the base, until it
// returns false.
func (k *contents) merged(order int, fn func(acl.Ordinal) bool) {
	n, of, dead := uint32(k.base.len()), k.base.orders[order], k.dead[order]
	late := k.sorted(order)
	at := 0
	for p := range n + 1 {
		for ; at < late.Len(); at++ {
			before, place := late.At(at)
			if before > p {
				break
			}
			if !k.lateDead.Has(uint32(place)) && !fn(acl.Ordinal(n)+place) {
				return
			}
		}
		if p < n && !dead.Has(p) && !fn(of.sets.Ordinal(p)) {
			return
		}
	}
}

// What is late in one order is sorted by the first who asks, from what was
// sorted for the contents before.
type lateCache struct {
	seed *lateOrder // of earlier contents, or nil
	done atomic.Pointer[lateOrder]
}

func (c *lateCache) newest() *lateOrder {
	if done := c.done.Load(); done != nil {
		return done
	}
	return c.seed
}

// A lateOrder is late in one order. It is an acl.Late. Most of it is sorted in
// one piece, which it shares with the orders before it; what came after that
// piece is few, and is merged in while reading.
type lateOrder struct {
	rows []lateRow // what was sorted
	dead *acl.Dead
	*latePiece

	few    []lateItem    // in order, of the rows that the piece does not have
	behind []int         // of each of few: how many of the piece's items come before it
	bent   []acl.Ordinal // of rows, documents with an array where the order looks first, ascending
}

// A latePiece is the first rows of late, sorted.
type latePiece struct {
	items  []lateItem
	places []int32 // of each row in items, -1: it was dead
}

type lateItem struct {
	before uint32 // position in the base
	late   acl.Ordinal
	key    string // what the order puts it by
}

// fewMost is how many may be outside the piece.
const fewMost = 64

var nothingLate = &lateOrder{latePiece: new(latePiece)}

// Len returns how many there are, with some that are dead.
func (o *lateOrder) Len() int { return len(o.items) + len(o.few) }

// At returns the i-th.
func (o *lateOrder) At(i int) (uint32, acl.Ordinal) {
	// The j-th of few has the place behind[j] + j.
	j := sort.Search(len(o.few), func(j int) bool { return o.behind[j]+j >= i })
	var it lateItem
	if j < len(o.few) && o.behind[j]+j == i {
		it = o.few[j]
	} else {
		it = o.items[i-j]
	}
	return it.before, it.late
}

// Find returns the place of a row, -1 when it has none.
func (o *lateOrder) Find(late acl.Ordinal) int {
	if int(late) >= len(o.places) {
		for j, it := range o.few {
			if it.late == late {
				return o.behind[j] + j
			}
		}
		return -1
	}
	at := int(o.places[late])
	if at < 0 {
		return -1
	}
	return at + sort.Search(len(o.few), func(j int) bool { return o.behind[j] > at })
}

// ACL returns what a row says, nil when nobody is to see it.
func (o *lateOrder) ACL(late acl.Ordinal) *acl.ACL {
	if r := &o.rows[late]; r.listed && !o.dead.Has(uint32(late)) {
		return r.e.acl
	}
	return nil
}

// sorted returns what is late in an order.
func (k *contents) sorted(order int) *lateOrder {
	if len(k.late) == 0 {
		return nothingLate
	}
	c := k.orders[order]
	if done := c.done.Load(); done != nil {
		return done
	}
	seed := c.seed
	if seed == nil {
		seed = nothingLate
	}
	done := k.extend(seed, k.base.orders[order])
	c.done.Store(done)
	return done
}

// sortLate sorts what is late in all orders, so that no reader has to.
func (k *contents) sortLate(rest func()) {
	for order := range k.base.orders {
		k.sorted(order)
		rest()
	}
}

// extend sorts what has come since seed and adds it.
func (k *contents) extend(seed *lateOrder, of *ordering) *lateOrder {
	o := &lateOrder{rows: k.late, dead: k.lateDead, latePiece: seed.latePiece, bent: slices.Clip(seed.bent)}
	o.few = append(make([]lateItem, 0, len(seed.few)+len(k.late)-len(seed.rows)), seed.few...)
	var scratch, key []byte
	for i := len(seed.rows); i < len(k.late); i++ {
		e := k.late[i].e
		if e == nil {
			continue
		}
		key = key[:0]
		if of.name != "" {
			key = of.sort.AppendKey(key, documentOf(e))
			if !of.sort.LeadsPlainly(documentOf(e)) {
				o.bent = append(o.bent, acl.Ordinal(i))
			}
		}
		o.few = append(o.few, lateItem{k.base.before(of, key, e.pos, &scratch), acl.Ordinal(i), string(key)})
	}
	o.few = slices.DeleteFunc(o.few, func(it lateItem) bool { return k.lateDead.Has(uint32(it.late)) })
	slices.SortFunc(o.few, k.compareLate)
	if len(o.few) > fewMost {
		o.latePiece, o.few = o.piece(k.compareLate), nil
		return o
	}
	o.behind = make([]int, len(o.few))
	for j, it := range o.few {
		o.behind[j], _ = slices.BinarySearchFunc(o.items, it, k.compareLate)
	}
	return o
}

// piece merges few into the items that live.
func (o *lateOrder) piece(compare func(a, b lateItem) int) *latePiece {
	n := &latePiece{
		items:  make([]lateItem, 0, o.Len()),
		places: make([]int32, len(o.rows)),
	}
	old, few := o.items, o.few
	for len(old) > 0 || len(few) > 0 {
		switch {
		case len(old) > 0 && o.dead.Has(uint32(old[0].late)):
			old = old[1:]
		case len(few) == 0 || len(old) > 0 && compare(old[0], few[0]) < 0:
			n.items = append(n.items, old[0])
			old = old[1:]
		default:
			n.items = append(n.items, few[0])
			few = few[1:]
		}
	}
	for i := range n.places {
		n.places[i] = -1
	}
	for i, it := range n.items {
		n.places[it.late] = int32(i)
	}
	return n
}

func (k *contents) compareLate(a, b lateItem) int {
	return cmp.Or(cmp.Compare(a.before, b.before), strings.Compare(a.key, b.key), cmp.Compare(k.late[a.late].e.pos, k.late[b.late].e.pos))
}

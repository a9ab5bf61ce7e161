package engine

import (
	"runtime"
	"slices"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// A loader takes the entities of a collection as the store has them, by id,
// and makes a base of them.
type loader struct {
	rows   packed
	pos    []acl.Position
	grants *acl.Builder
}

func newLoader() *loader { return &loader{grants: acl.NewBuilder(0)} }

func (l *loader) add(e *entity, listed bool) {
	l.rows.at = append(l.rows.at, l.rows.put(packedOf(e)))
	l.pos = append(l.pos, e.pos)
	if listed {
		l.grants.Add(e.acl)
	} else {
		l.grants.Add(nil)
	}
}

// load makes the contents what was loaded.
func (k *contents) load() {
	l := k.loading
	order := make([]acl.Ordinal, len(l.pos)) // ordinal -> as it was loaded
	for i := range order {
		order[i] = acl.Ordinal(i)
	}
	slices.SortFunc(order, func(a, b acl.Ordinal) int { return int(l.pos[a]) - int(l.pos[b]) })
	b := &base{rows: packed{chunks: l.rows.chunks, bytes: l.rows.bytes, live: l.rows.bytes, at: make([]uint64, len(order))}}
	grants := l.grants.Next(len(order))
	for i, was := range order {
		b.rows.at[i] = l.rows.at[was]
		grants.AddFrom(l.grants, was)
	}
	b.finish(grants, func() {})
	o := b.order(byID, func() {})
	o.sets = b.acl.Grants(nil).Order(o.perm)
	b.orders = append(b.orders, o)
	*k = *newContents()
	k.base, k.live = b, len(order)
	k.forOrders()
}

// byID is the order by id; every base has it.
var byID = func() query.Sort {
	s, err := query.ParseSort([]byte("_id"))
	if err != nil {
		panic(err) // a constant
	}
	return s
}()

// finish makes of a base with rows the rest, but for the orders after that of
// creation.
func (b *base) finish(grants *acl.Builder, pause func()) {
	n := b.len()
	b.acl = grants.Base()
	b.orders = []*ordering{{sets: b.acl.Natural()}}
	if n > 0 {
		b.last = b.rows.row(acl.Ordinal(n - 1)).position()
	}
	b.ids = newIDTable(n)
	var id []byte
	for i := range acl.Ordinal(n) {
		id = document.Trusted(b.rows.body(i)).Get("_id").AppendText(id[:0])
		b.ids.add(id, i)
		pause()
	}
	runtime.KeepAlive(b)
}

// emptyBase holds nothing.
var emptyBase = func() *base {
	b := new(base)
	b.finish(acl.NewBuilder(0), func() {})
	o := b.order(byID, func() {})
	o.sets = b.acl.Grants(nil).Order(o.perm)
	b.orders = append(b.orders, o)
	return b
}()

package acl

import (
	"errors"
	"math/bits"
	"slices"
)

// A Flat is a Base and orders of it as plain arrays, to be stored and brought
// back without looking at single entities. It shares them with the Base, so
// nobody may change them.
type Flat struct {
	N      int
	Names  []byte      // of those who are named, by number: of each the kind (1), length (varint), id
	Orders []FlatOrder // that of the ordinals first
}

// A FlatOrder is an Ordering.
type FlatOrder struct {
	Perm    []Ordinal // position -> ordinal; nil: they are the same
	From    []uint32  // of each name: where its positions begin in Arena; the end of the last
	Arena   []uint32
	DenseOf []uint32 // the names whose positions are words of Dense instead, ascending
	Dense   []uint64 // their words, one name after the other
	Sets    [3]FlatSet
}

// A FlatSet is the listed entities, those that are on, or those that are open.
type FlatSet struct {
	Full bool
	Bits []uint64
	List []uint32
}

// Flat returns the Base and orders of it as arrays. Natural must be the first
// of the orders.
func (b *Base) Flat(orders []*Ordering) Flat {
	f := Flat{N: b.n}
	for _, who := range b.names {
		f.Names = appendName(append(f.Names, byte(who.Kind)), who.ID)
	}
	for _, o := range orders {
		flat := FlatOrder{Perm: o.perm, From: o.from, Arena: o.arena}
		for k := range uint32(len(b.names)) {
			if d, ok := o.dense[k]; ok {
				flat.DenseOf = append(flat.DenseOf, k)
				flat.Dense = append(flat.Dense, d...)
			}
		}
		for i, s := range [...]set{o.all, o.on, o.open} {
			flat.Sets[i] = FlatSet{s.full, s.bits, s.list}
		}
		f.Orders = append(f.Orders, flat)
	}
	return f
}

var errFlat = errors.New("acl: not the arrays of a base")

// Base makes of the arrays what they were made from. It keeps them. Whatever
// they hold, what it returns can be walked: arrays that would not be safe are
// an error.
func (f Flat) Base() (*Base, []*Ordering, error) {
	b := &Base{n: f.N, number: map[Principal]uint32{}}
	if f.N < 0 || f.N > 1<<31-1 || len(f.Orders) == 0 || f.Orders[0].Perm != nil {
		return nil, nil, errFlat
	}
	for d := (decoder{rest: f.Names}); len(d.rest) > 0; {
		who := Principal{Kind: Kind(d.rest[0])}
		d.rest = d.rest[1:]
		who.ID = d.name()
		if _, twice := b.number[who]; d.failed || twice || who.Kind > KindGroup {
			return nil, nil, errFlat
		}
		b.intern(who)
	}
	var orders []*Ordering
	for i := range f.Orders {
		o, ok := f.Orders[i].ordering(b)
		if !ok || i > 0 && o.perm == nil && b.n > 0 {
			return nil, nil, errFlat
		}
		orders = append(orders, o)
	}
	b.natural = orders[0]
	return b, orders, nil
}

func (f *FlatOrder) ordering(b *Base) (*Ordering, bool) {
	o := &Ordering{base: b, perm: f.Perm, from: f.From, arena: f.Arena, dense: make(map[uint32][]uint64, len(f.DenseOf)), size: len(f.Arena)}
	if o.perm != nil && !o.invert() {
		return nil, false
	}
	names := len(b.names)
	if len(f.From) != names+1 || f.From[0] != 0 || int(f.From[names]) != len(f.Arena) || !slices.IsSorted(f.From) {
		return nil, false
	}
	for k := range names {
		if !ascending(f.Arena[f.From[k]:f.From[k+1]], b.n) {
			return nil, false
		}
	}
	size := words(b.n)
	if !ascending(f.DenseOf, names) || len(f.Dense) != size*len(f.DenseOf) {
		return nil, false
	}
	for i, k := range f.DenseOf {
		d := f.Dense[i*size : (i+1)*size : (i+1)*size]
		if f.From[k] != f.From[k+1] || !within(d, b.n) {
			return nil, false
		}
		o.dense[k] = d
		for _, word := range d {
			o.size += bits.OnesCount64(word)
		}
	}
	for i, to := range [...]*set{&o.all, &o.on, &o.open} {
		s := f.Sets[i]
		if s.Full && (s.Bits != nil || s.List != nil) || s.Bits != nil && (s.List != nil || !within(s.Bits, b.n)) || !ascending(s.List, b.n) {
			return nil, false
		}
		*to = set{s.Full, s.Bits, s.List}
	}
	return o, true
}

// invert makes inv, and reports whether perm holds every ordinal once.
func (o *Ordering) invert() bool {
	n := o.base.n
	if len(o.perm) != n {
		return false
	}
	const none = ^uint32(0)
	o.inv = make([]uint32, n)
	for i := range o.inv {
		o.inv[i] = none
	}
	for p, i := range o.perm {
		if int(i) >= n || o.inv[i] != none {
			return false
		}
		o.inv[i] = uint32(p)
	}
	return true
}

// ascending tells whether positions go upwards and are below n.
func ascending(list []uint32, n int) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return len(list) == 0 || int(list[len(list)-1]) < n
}

// within tells whether bits are of n positions.
func within(set []uint64, n int) bool {
	return len(set) == words(n) && (n%64 == 0 || set[len(set)-1]>>(n%64) == 0)
}

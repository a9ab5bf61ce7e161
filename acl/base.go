package acl

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
)

// An Ordinal is the place of an entity in a Base, from 0. What came after the
// Base has the ordinals from Len on.
type Ordinal uint32

// A Base holds, of entities that do not change any more, who may read each of
// them. It is made once by a Builder and read without
// locks. An entity that has changed or gone since is marked in a Dead beside it.
//
// For every order that entities are listed in there is an Ordering, which has
// the same sets in the terms of its own positions: a page in that order is then
// the beginning of a union, a range is an interval, and nothing is sorted.
type Base struct {
	n       int
	number  map[Principal]uint32 // of those who are named for reading
	names   []Principal          // by number
	natural *Ordering
}

// An Ordering is a Base in one order of its entities. A position is a place in
// that order.
type Ordering struct {
	base *Base
	perm []Ordinal // position -> ordinal; nil: they are the same
	inv  []uint32  // ordinal -> position; nil likewise

	all  set // every listed entity
	on   set // gr is on: read by every user at any level
	open set // gr is not off: read by every user where the level lets users read
	// Whom entities name: the positions of the principal with number k are
	// arena[from[k]:from[k+1]], ascending, or dense[k] where they are many.
	from  []uint32
	arena []uint32
	dense map[uint32][]uint64

	size int // grants in arena and dense
}

// A set is positions in one of three forms. The zero set is empty.
type set struct {
	full bool
	bits []uint64 // bit p%64 of word p/64
	list []uint32 // ascending
}

// isDense tells whether many of n positions take less room as bits than as a
// list.
func isDense(many, n int) bool { return many > n/32 }

// A Builder takes the ACLs of a Base in the order of their ordinals.
type Builder struct {
	base    *Base
	ends    []uint32 // of each entity's readers in named
	named   []uint32 // numbers of principals
	flags   []uint8
	scratch []Principal
	pause   func() // called often while it works
}

// What a Builder notes about an entity.
const (
	isListed = 1 << iota
	isOn
	isOpen
)

// NewBuilder returns a Builder with room for n entities.
func NewBuilder(n int) *Builder {
	return &Builder{base: &Base{number: map[Principal]uint32{}}, ends: make([]uint32, 0, n), flags: make([]uint8, 0, n), pause: func() {}}
}

// pauseEach is of how many steps that are short one calls pause.
const pauseEach = 64

func (b *Builder) step(i int) {
	if i%pauseEach == 0 {
		b.pause()
	}
}

// Add adds the next entity. A nil ACL is an entity that nobody is to see, not
// even the master. Nothing of a is kept but the names.
func (b *Builder) Add(a *ACL) {
	b.scratch = a.readers(b.scratch)
	var flags uint8
	if a != nil {
		flags = isListed
	}
	if a.inOn() {
		flags |= isOn
	}
	if a.inOpen() {
		flags |= isOpen
	}
	for _, who := range b.scratch {
		b.named = append(b.named, b.base.intern(who))
	}
	b.flags = append(b.flags, flags)
	b.ends = append(b.ends, uint32(len(b.named)))
}

// Next returns an empty Builder with room for n entities that AddFrom may be
// used with: it knows the names that b knows.
func (b *Builder) Next(n int) *Builder {
	next := NewBuilder(n)
	next.pause = b.pause
	next.base.number, next.base.names = maps.Clone(b.base.number), slices.Clone(b.base.names)
	next.named = make([]uint32, 0, len(b.named))
	return next
}

// AddFrom adds the next entity as the one that has the number i in other, of
// which b is the Next.
func (b *Builder) AddFrom(other *Builder, i Ordinal) {
	b.named = append(b.named, other.of(i)...)
	b.flags = append(b.flags, other.flags[i])
	b.ends = append(b.ends, uint32(len(b.named)))
}

// of returns the numbers of those whom entity i names.
func (b *Builder) of(i Ordinal) []uint32 {
	from := uint32(0)
	if i > 0 {
		from = b.ends[i-1]
	}
	return b.named[from:b.ends[i]]
}

func (b *Base) intern(who Principal) uint32 {
	k, ok := b.number[who]
	if !ok {
		k = uint32(len(b.names))
		b.number[who] = k
		b.names = append(b.names, who)
	}
	return k
}

// Base returns the Base of what was added. The Builder must not be used to add
// any more.
func (b *Builder) Base() *Base {
	b.base.n = len(b.flags)
	b.forget()
	b.base.natural = b.order(nil)
	return b.base
}

// forget drops the names that nothing names any more, where they are many.
func (b *Builder) forget() {
	used := make([]bool, len(b.base.names))
	n := 0
	for i, k := range b.named {
		if !used[k] {
			used[k] = true
			n++
		}
		b.step(i)
	}
	if n > len(used)*3/4 {
		return
	}
	names, to := b.base.names, make([]uint32, len(used))
	b.base.names, b.base.number = make([]Principal, 0, n), make(map[Principal]uint32, n)
	for k, is := range used {
		if is {
			to[k] = b.base.intern(names[k])
		}
	}
	for i, k := range b.named {
		b.named[i] = to[k]
		b.step(i)
	}
}

// order makes the sets of one order by counting, then filling: O(grants).
func (b *Builder) order(perm []Ordinal) *Ordering {
	n := len(b.flags)
	o := &Ordering{base: b.base, perm: perm, from: make([]uint32, len(b.base.names)+1), size: len(b.named)}
	for i, k := range b.named {
		o.from[k+1]++
		b.step(i)
	}
	o.dense = map[uint32][]uint64{}
	for k := range b.base.names {
		if count := o.from[k+1]; isDense(int(count), n) {
			o.dense[uint32(k)] = make([]uint64, words(n))
			o.from[k+1] = 0
		}
		o.from[k+1] += o.from[k]
	}
	o.arena = make([]uint32, o.from[len(b.base.names)])
	next := slices.Clone(o.from)
	var sets [3]filling
	if perm != nil {
		o.inv = make([]uint32, n)
	}
	for p := range uint32(n) {
		i := Ordinal(p)
		if perm != nil {
			i = perm[p]
			o.inv[i] = p
		}
		for _, k := range b.of(i) {
			if d, ok := o.dense[k]; ok {
				d[p/64] |= 1 << (p % 64)
				continue
			}
			o.arena[next[k]] = p
			next[k]++
		}
		for s := range sets {
			if b.flags[i]&(1<<s) != 0 {
				sets[s].add(p, n)
			}
		}
		b.pause()
	}
	o.all, o.on, o.open = sets[0].set(n), sets[1].set(n), sets[2].set(n)
	return o
}

func words(n int) int { return (n + 63) / 64 }

// A filling is a set that is being made: a list until it is long.
type filling struct {
	list []uint32
	bits []uint64
	n    int
}

func (f *filling) add(p uint32, n int) {
	f.n++
	if f.bits == nil && isDense(len(f.list)+1, n) {
		f.bits = make([]uint64, words(n))
		for _, q := range f.list {
			f.bits[q/64] |= 1 << (q % 64)
		}
		f.list = nil
	}
	if f.bits == nil {
		f.list = append(f.list, p)
		return
	}
	f.bits[p/64] |= 1 << (p % 64)
}

func (f *filling) set(n int) set {
	if f.n == n && n > 0 {
		return set{full: true}
	}
	return set{bits: f.bits, list: slices.Clip(f.list)}
}

// Len returns the number of entities, those that nobody sees included. A nil
// Base has none.
func (b *Base) Len() int {
	if b == nil {
		return 0
	}
	return b.n
}

// Natural returns the order of the ordinals.
func (b *Base) Natural() *Ordering { return b.natural }

// Grants returns a Builder that holds what the Base was built from, so that it
// can be told again in another order or to another Builder. Nothing may be
// added to it. It is O(grants). pause is called often, by what is made with the
// Builder as well, so that the work can be spread; nil: it is not.
func (b *Base) Grants(pause func()) *Builder {
	if pause == nil {
		pause = func() {}
	}
	return b.natural.grants(pause)
}

func (o *Ordering) grants(pause func()) *Builder {
	b := o.base
	g := &Builder{base: b, flags: make([]uint8, b.n), ends: make([]uint32, b.n), pause: pause}
	each := func(fn func(k uint32, p uint32)) {
		n := 0
		for k := range b.names {
			k := uint32(k)
			o.set(k).each(b.n, func(p uint32) {
				fn(k, uint32(o.Ordinal(p)))
				n++
				g.step(n)
			})
		}
	}
	each(func(_, p uint32) { g.ends[p]++ })
	for i := 1; i < b.n; i++ {
		g.ends[i] += g.ends[i-1]
	}
	if b.n > 0 {
		g.named = make([]uint32, g.ends[b.n-1])
	}
	next := make([]uint32, b.n) // where the next name of each goes
	copy(next[min(1, b.n):], g.ends)
	each(func(k, p uint32) {
		g.named[next[p]] = k
		next[p]++
	})
	for s, of := range [...]set{o.all, o.on, o.open} {
		of.each(b.n, func(p uint32) { g.flags[o.Ordinal(p)] |= 1 << s })
	}
	return g
}

// Diff compares the sets with what the entities say and returns the first
// difference in one line, "" when there is none. what returns the ACL of an
// entity, nil for one that nobody is to see, and false for one that does not
// count any more.
func (o *Ordering) Diff(what func(Ordinal) (*ACL, bool)) string {
	g, want := o.grants(func() {}), NewBuilder(o.base.n)
	for i := range Ordinal(o.base.n) {
		if o.Ordinal(o.Position(i)) != i {
			return fmt.Sprintf("entity %d is not at its position", i)
		}
		a, ok := what(i)
		want.Add(a)
		if !ok {
			continue
		}
		if g.flags[i] != want.flags[i] {
			return fmt.Sprintf("entity %d has the flags %b, should have %b", i, g.flags[i], want.flags[i])
		}
		has, should := g.readersOf(i), want.readersOf(i)
		if !slices.Equal(has, should) {
			return fmt.Sprintf("entity %d is there for %v, should be for %v", i, has, should)
		}
	}
	return ""
}

// readersOf returns whom an entity names, sorted.
func (b *Builder) readersOf(i Ordinal) []Principal {
	var list []Principal
	for _, k := range b.of(i) {
		list = append(list, b.base.names[k])
	}
	return sortedPrincipals(list)
}

// Order returns the Base in another order: perm holds every ordinal once. It
// keeps perm. O(grants).
func (b *Builder) Order(perm []Ordinal) *Ordering { return b.order(perm) }

// set returns the positions of the principal with number k.
func (o *Ordering) set(k uint32) set {
	if d, ok := o.dense[k]; ok {
		return set{bits: d}
	}
	return set{list: o.arena[o.from[k]:o.from[k+1]]}
}

// each calls fn for every position below n, ascending.
func (s set) each(n int, fn func(p uint32)) {
	switch {
	case s.full:
		for p := range uint32(n) {
			fn(p)
		}
	case s.bits != nil:
		for w, word := range s.bits {
			for ; word != 0; word &= word - 1 {
				fn(uint32(w*64 + bits.TrailingZeros64(word)))
			}
		}
	default:
		for _, p := range s.list {
			fn(p)
		}
	}
}

// Ordinal returns the entity at a position.
func (o *Ordering) Ordinal(position uint32) Ordinal {
	if o.perm == nil {
		return Ordinal(position)
	}
	return o.perm[position]
}

// Listed tells whether the master sees an entity.
func (o *Ordering) Listed(i Ordinal) bool {
	p := o.Position(i)
	switch {
	case o.all.full:
		return true
	case o.all.bits != nil:
		return o.all.bits[p/64]&(1<<(p%64)) != 0
	}
	_, found := slices.BinarySearch(o.all.list, p)
	return found
}

// Position returns the place of an entity.
func (o *Ordering) Position(i Ordinal) uint32 {
	if o.inv == nil {
		return uint32(i)
	}
	return o.inv[i]
}

// Bytes returns the memory that the sets and the permutations take, and how
// many grants and entities that is for.
func (o *Ordering) Bytes() (sets, permutation, grants int) {
	sets = 4 * (len(o.from) + len(o.arena))
	for _, d := range o.dense {
		sets += 8 * len(d)
	}
	for _, s := range [...]set{o.all, o.on, o.open} {
		sets += 8*len(s.bits) + 4*len(s.list)
	}
	return sets, 4 * (len(o.perm) + len(o.inv)), o.size
}

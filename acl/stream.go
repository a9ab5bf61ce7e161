package acl

import (
	"slices"

	"github.com/tidwall/btree"
)

// An Order is a sort order of the entities of a collection, opaque to this
// package. Positions of which neither is less stay in the order of creation.
type Order interface {
	Less(a, b Position) bool
}

// A Stream yields positions, each once, in the order that was asked for. It
// belongs to one goroutine.
type Stream interface {
	// Next fills buf with the next positions and returns how many: 0 only at
	// the end, or when buf is empty.
	Next(buf []Position) int
	// Skip passes over the next n positions, or all that are left, and returns
	// how many. A negative n is 0.
	Skip(n int) int
	// Count returns how many are left. It consumes nothing.
	Count() int
}

// Visible streams the entities that the holder of p may read in a collection
// of level l, ordered by o, or by Position when o is nil. Only sets are walked
// whose entities he may read. With an order, all of them are gathered before
// the first is yielded.
func (ix *Index) Visible(p Principals, l Level, o Order) Stream {
	m := newMerge(ix.readable(p, l))
	if o != nil {
		return stream{&sorted{from: m, order: o}}
	}
	return stream{m}
}

// readable returns the sets whose union is what the holder of p may read.
func (ix *Index) readable(p Principals, l Level) []*postings {
	if ix == nil {
		return nil
	}
	if p.root {
		return appendSet(nil, ix.all)
	}
	sets := make([]*postings, 0, len(p.names))
	for _, who := range p.names {
		sets = appendSet(sets, ix.set(who, l))
	}
	return sets
}

// set returns the entities that who may read, by itself, at level l.
func (ix *Index) set(who Principal, l Level) *postings {
	if who.Kind != KindEveryone {
		named, _ := ix.named.Get(posting{who: who})
		return named.at
	}
	if l.grants(Read) {
		return ix.open
	}
	return ix.on
}

// appendSet appends s unless it is empty, which is nil.
func appendSet(sets []*postings, s *postings) []*postings {
	if s == nil {
		return sets
	}
	return append(sets, s)
}

// A source is what a Stream draws from.
type source interface {
	next() (Position, bool)
	left() int
}

// stream makes a Stream of a source.
type stream struct{ source }

func (s stream) Next(buf []Position) int {
	for i := range buf {
		at, ok := s.next()
		if !ok {
			return i
		}
		buf[i] = at
	}
	return len(buf)
}

func (s stream) Skip(n int) int {
	for i := range n {
		if _, ok := s.next(); !ok {
			return i
		}
	}
	return max(n, 0)
}

func (s stream) Count() int { return s.left() }

// A merge yields the union of sets in ascending order.
type merge struct {
	sets    []*postings
	walks   []walk // a heap, the least head first
	yielded int
	total   int // size of the union, or -1 when it has not been asked for
}

// A walk is a place in one set; head is the position there.
type walk struct {
	head Position
	iter btree.SetIter[Position]
}

func walkLess(a, b *walk) bool { return a.head < b.head }

func newMerge(sets []*postings) *merge {
	m := &merge{sets: sets, walks: make([]walk, len(sets)), total: -1}
	for i, s := range sets {
		w := &m.walks[i]
		w.iter = s.set.Iter()
		w.iter.First() // no set is empty
		w.head = w.iter.Key()
	}
	heapify(m.walks, walkLess)
	return m
}

// next returns the least position that no earlier call has returned.
func (m *merge) next() (Position, bool) {
	if len(m.walks) == 0 {
		return 0, false
	}
	at := m.walks[0].head
	for len(m.walks) > 0 && m.walks[0].head == at { // it may be in several sets
		w := &m.walks[0]
		if w.iter.Next() {
			w.head = w.iter.Key()
		} else {
			last := len(m.walks) - 1
			m.walks[0] = m.walks[last]
			m.walks = m.walks[:last]
		}
		down(m.walks, 0, walkLess)
	}
	m.yielded++
	return at, true
}

// left adds to the size of the largest set, which is not walked, what the
// others hold besides. In a collection that all may read, counting so costs no
// more than walking the grants of the one who asks.
func (m *merge) left() int {
	if m.total < 0 {
		m.total = unionLen(m.sets)
	}
	return m.total - m.yielded
}

func unionLen(sets []*postings) int {
	if len(sets) == 0 {
		return 0
	}
	largest := 0
	for i, s := range sets {
		if s.len() > sets[largest].len() {
			largest = i
		}
	}
	base, n := sets[largest], sets[largest].len()
	rest := newMerge(slices.Delete(slices.Clone(sets), largest, largest+1))
	for at, ok := rest.next(); ok; at, ok = rest.next() {
		if !base.has(at) {
			n++
		}
	}
	return n
}

// sorted yields what from yields, ordered by order. It is a heap, so that a
// page costs about one comparison for each entity that can be seen, and a few
// for each on the page.
type sorted struct {
	from  *merge
	order Order
	heap  []Position
	less  func(a, b *Position) bool // nil until the heap is filled
}

func (s *sorted) fill() {
	s.less = func(a, b *Position) bool {
		return s.order.Less(*a, *b) || *a < *b && !s.order.Less(*b, *a)
	}
	s.heap = make([]Position, s.from.left())
	for i := range s.heap {
		s.heap[i], _ = s.from.next()
	}
	heapify(s.heap, s.less)
}

func (s *sorted) next() (Position, bool) {
	if s.less == nil {
		s.fill()
	}
	if len(s.heap) == 0 {
		return 0, false
	}
	at, last := s.heap[0], len(s.heap)-1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	down(s.heap, 0, s.less)
	return at, true
}

func (s *sorted) left() int {
	if s.less == nil {
		return s.from.left()
	}
	return len(s.heap)
}

// heapify puts h in the order of a heap, the least first.
func heapify[T any](h []T, less func(a, b *T) bool) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		down(h, i, less)
	}
}

// down moves the element at i, if there is one, to its place in the heap h.
func down[T any](h []T, i int, less func(a, b *T) bool) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if less(&h[c], &h[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

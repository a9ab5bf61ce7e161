package acl

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A frozen world is a Base in two orders with what came after it, and the ACLs
// that all was made from.
type frozen struct {
	acls  []*ACL // by ordinal, late ones after those of the base
	gone  []bool
	n     int
	order *Ordering
	dead  *Dead
	late  *lateOnes
	rank  []int // of each ordinal; ties by ordinal
	index *Index
}

type lateOnes struct {
	w     *frozen
	items []struct {
		before uint32
		late   Ordinal
	}
}

func (l *lateOnes) Len() int                   { return len(l.items) }
func (l *lateOnes) At(i int) (uint32, Ordinal) { return l.items[i].before, l.items[i].late }
func (l *lateOnes) ACL(late Ordinal) *ACL      { return l.w.acls[l.w.n+int(late)] }
func (l *lateOnes) Find(late Ordinal) int {
	return slices.IndexFunc(l.items, func(it struct {
		before uint32
		late   Ordinal
	}) bool {
		return it.late == late
	})
}

func (w *frozen) compare(a, b Ordinal) int {
	return cmp.Or(cmp.Compare(w.rank[a], w.rank[b]), cmp.Compare(a, b))
}

// freeze makes a world of n entities and some late ones; sparse makes most
// entities nobody's business.
func freeze(r *rand.Rand, n, late int, sparse bool) *frozen {
	w := &frozen{n: n}
	for range n + late {
		a := randomACL(r)
		switch {
		case sparse && r.IntN(200) > 0:
			a = &ACL{Creator: fmt.Sprint("x", r.IntN(50)), GR: Off}
		case r.IntN(20) == 0:
			a = nil
		}
		w.acls = append(w.acls, a)
		w.gone = append(w.gone, false)
		w.rank = append(w.rank, r.IntN(1+n/2))
	}
	b := NewBuilder(n)
	for _, a := range w.acls[:n] {
		b.Add(a)
	}
	base := b.Base()
	w.order = base.Natural()
	if r.IntN(3) > 0 {
		perm := make([]Ordinal, n)
		for i := range perm {
			perm[i] = Ordinal(i)
		}
		slices.SortFunc(perm, w.compare)
		w.order = base.Grants().Order(perm)
	} else {
		for i := range w.rank {
			w.rank[i] = i
		}
	}
	for range r.IntN(3) {
		var some []uint32
		for range r.IntN(1 + n/4) {
			if n > 0 {
				p := uint32(r.IntN(n))
				some = append(some, p)
				w.gone[w.order.Ordinal(p)] = true
			}
		}
		w.dead = w.dead.With(some)
	}
	w.late = &lateOnes{w: w}
	var changes []Change
	for i := range late {
		o := Ordinal(n + i)
		if w.gone[o] = r.IntN(4) == 0; w.gone[o] {
			continue
		}
		changes = append(changes, Change{Pos: Position(i), New: w.acls[o]})
		before := uint32(0)
		for int(before) < n && w.compare(w.order.Ordinal(before), o) < 0 {
			before++
		}
		w.late.items = append(w.late.items, struct {
			before uint32
			late   Ordinal
		}{before, Ordinal(i)})
	}
	slices.SortFunc(w.late.items, func(a, b struct {
		before uint32
		late   Ordinal
	}) int {
		return w.compare(Ordinal(n)+a.late, Ordinal(n)+b.late)
	})
	w.index = w.index.Apply(changes)
	return w
}

// check compares walks through all and through random intervals with Decide.
func (w *frozen) check(t *testing.T, r *rand.Rand, g *Groups) {
	t.Helper()
	var sorted []Ordinal
	for i := range w.acls {
		sorted = append(sorted, Ordinal(i))
	}
	slices.SortFunc(sorted, w.compare)
	for _, s := range subjects(g) {
		for l := Shared; l <= Full; l++ {
			scope := Scope{Who: PrincipalsOf(s), Level: l, Order: w.order, Dead: w.dead, To: uint32(w.n), Late: w.late, LateTo: w.late.Len(), Index: w.index}
			low, high := 0, len(w.rank)+w.n
			if r.IntN(2) == 0 {
				low = r.IntN(1 + w.n/2)
				high = low + r.IntN(1+w.n/2)
				for scope.From < scope.To && w.rank[w.order.Ordinal(scope.From)] < low {
					scope.From++
				}
				for scope.To > scope.From && w.rank[w.order.Ordinal(scope.To-1)] >= high {
					scope.To--
				}
				at := func(i int) int { return w.rank[w.n+int(w.late.items[i].late)] }
				for scope.LateFrom < scope.LateTo && at(scope.LateFrom) < low {
					scope.LateFrom++
				}
				for scope.LateTo > scope.LateFrom && at(scope.LateTo-1) >= high {
					scope.LateTo--
				}
			}
			if r.IntN(3) == 0 {
				scope.Index = nil
			}
			var want []Position
			for _, o := range sorted {
				if !w.gone[o] && w.acls[o] != nil && low <= w.rank[o] && w.rank[o] < high && Decide(s, l, w.acls[o], Read).Allowed {
					want = append(want, Position(o))
				}
			}
			walk := NewWalk(scope)
			checkStream(t, r, positions{walk}, want, fmt.Sprintf("a walk (role %d %q, %v, %d to %d of %d, %d late)", s.Role, s.ID, l, scope.From, scope.To, w.n, w.late.Len()))
			walk.Close()
		}
	}
}

// positions makes a Walk what checkStream reads.
type positions struct{ *Walk }

func (p positions) Next(buf []Position) int {
	some := make([]Ordinal, len(buf))
	n := p.Walk.Next(some)
	for i, o := range some[:n] {
		buf[i] = Position(o)
	}
	return n
}

func TestWalkEqualsDecide(t *testing.T) {
	r := random(t)
	for i := range 300 {
		n, late := r.IntN(40), r.IntN(20)
		switch i % 10 {
		case 0:
			n = 0
		case 1:
			late = 0
		case 2:
			n, late = r.IntN(600), r.IntN(200)
		}
		freeze(r, n, late, i%3 == 0).check(t, r, randomGroups(r))
	}
	for range 2 { // several blocks, as bits and as lists
		freeze(r, 40_000, 300, false).check(t, r, randomGroups(r))
		freeze(r, 40_000, 300, true).check(t, r, randomGroups(r))
	}
}

package acl

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// random returns a source of chance that can be had again with
// POSTERN_SEED=<seed>.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(randomSeed(t), 0))
}

// The names of the random worlds are few, and are users, groups and an app key
// at once, so that a mixing up of kinds shows.
var worldNames = []string{"a", "b", "c", "everyone", "kid_1", ""}

func randomNames(r *rand.Rand) (list []string) {
	for range max(0, r.IntN(6)-3) {
		list = append(list, worldNames[r.IntN(len(worldNames))])
	}
	return list
}

func randomACL(r *rand.Rand) *ACL {
	return &ACL{
		Creator: worldNames[r.IntN(len(worldNames))],
		GR:      Switch(r.IntN(3)), GW: Switch(r.IntN(3)),
		Readers: randomNames(r), Writers: randomNames(r),
		ReaderGroups: randomNames(r), WriterGroups: randomNames(r),
	}
}

// sparseACL is mostly nobody's business.
func sparseACL(r *rand.Rand) *ACL {
	if r.IntN(40) > 0 {
		return &ACL{Creator: fmt.Sprint("x", r.IntN(50)), GR: Off}
	}
	return randomACL(r)
}

func randomGroups(r *rand.Rand) (g *Groups) {
	for _, id := range worldNames {
		if r.IntN(3) > 0 {
			g = g.With(id, &GroupDef{All: r.IntN(8) == 0, Users: randomNames(r), Groups: randomNames(r)})
		}
	}
	return g
}

// subjects are all who may ask in a world with these groups.
func subjects(g *Groups) []Subject {
	list := []Subject{{}, {Role: RoleMaster}, {Role: RoleUser}, {Role: RoleMaster + 1, ID: "a"}}
	for _, id := range worldNames {
		list = append(list,
			Subject{Role: RoleUser, ID: id, Member: g.Of(id)},
			Subject{Role: RoleUser, ID: id},
			Subject{Role: RoleUser, ID: id, Member: g.Of("a")},
			Subject{Role: RoleApp, ID: id, Member: g.Of(id)})
	}
	return list
}

// A history is a collection at one moment, held as the engine holds one: a Base
// in two orders, what came after it, and what of both is dead. Its entities are
// numbered in the order of creation. It is a value that others come from, and
// stays as it is; only the newest may be gone on from.
type history struct {
	at   []Ordinal    // of each entity; noRow: there is none
	rows []historyRow // by ordinal, those of the Base first
	base int          // how many of them those are

	orders   [2]*Ordering // of creation, and by rank
	dead     [2]*Dead
	lateDead *Dead
	recent   *Recent
}

// A historyRow is an entity as it was after a change.
type historyRow struct {
	entity int
	rank   int
	acl    *ACL // nil: nobody is to see it
	gone   bool
}

const noRow = ^Ordinal(0)

func newHistory() history { return history{}.rebuilt() }

// with makes changes, of which each is the next state of an entity.
func (h history) with(changes ...historyRow) history {
	h.at = slices.Clone(h.at)
	var killed [2][]uint32
	var killedLate []uint32
	for _, c := range changes {
		for len(h.at) <= c.entity {
			h.at = append(h.at, noRow)
		}
		switch was := h.at[c.entity]; {
		case was == noRow:
		case int(was) < h.base:
			for o := range h.orders {
				killed[o] = append(killed[o], h.orders[o].Position(was))
			}
		default:
			killedLate = append(killedLate, uint32(int(was)-h.base))
		}
		h.at[c.entity] = noRow
		if !c.gone {
			h.at[c.entity] = Ordinal(len(h.rows))
		}
		h.rows = append(h.rows, c)
		h.recent.Add(c.acl)
	}
	for o := range h.orders {
		h.dead[o] = h.dead[o].With(killed[o])
	}
	h.lateDead = h.lateDead.With(killedLate)
	return h
}

// rebuilt returns the same on a new Base.
func (h history) rebuilt() history {
	n := history{at: slices.Clone(h.at), recent: new(Recent)}
	b, old := NewBuilder(0), (*Builder)(nil)
	if h.orders[0] != nil {
		old = h.orders[0].base.Grants(nil)
		b = old.Next(len(h.rows))
	}
	for i, was := range h.at {
		if was == noRow {
			continue
		}
		if int(was) < h.base {
			b.AddFrom(old, was)
		} else {
			b.Add(h.rows[was].acl)
		}
		n.at[i] = Ordinal(len(n.rows))
		n.rows = append(n.rows, h.rows[was])
	}
	n.base = len(n.rows)
	perm := make([]Ordinal, n.base)
	for i := range perm {
		perm[i] = Ordinal(i)
	}
	slices.SortFunc(perm, func(a, b Ordinal) int { return n.compare(1, a, b) })
	base := b.Base()
	n.orders = [2]*Ordering{base.Natural(), base.Grants(nil).Order(perm)}
	return n
}

// key returns what a row is sorted by.
func (h history) key(order int, i Ordinal) int {
	if order == 0 {
		return h.rows[i].entity
	}
	return h.rows[i].rank
}

func (h history) compare(order int, a, b Ordinal) int {
	return cmp.Or(
		cmp.Compare(h.key(order, a), h.key(order, b)),
		cmp.Compare(h.rows[a].entity, h.rows[b].entity),
		cmp.Compare(a, b),
	)
}

// step makes random changes, among them several of one entity.
func (h history) step(r *rand.Rand, changes int, random func(*rand.Rand) *ACL) history {
	var list []historyRow
	known, made := len(h.at), 0
	for range changes {
		c := historyRow{entity: known + made, rank: r.IntN(1 + known/2), acl: random(r)}
		if known > 0 && r.IntN(2) == 0 {
			c.entity = r.IntN(known + made)
			c.gone = r.IntN(3) == 0
		} else {
			made += 1 + r.IntN(3) // numbers have holes
		}
		if c.gone || r.IntN(20) == 0 {
			c.acl = nil
		}
		list = append(list, c)
	}
	return h.with(list...)
}

// sorted returns every entity that somebody might see, in an order.
func (h history) sorted(order int) (list []Ordinal) {
	for _, i := range h.at {
		if i != noRow && h.rows[i].acl != nil {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b Ordinal) int { return h.compare(order, a, b) })
	return list
}

// A lateView is what is late in one order.
type lateView struct {
	h      history
	items  []lateItem
	places map[Ordinal]int
}

type lateItem struct {
	before uint32
	late   Ordinal
}

func (l *lateView) Len() int                   { return len(l.items) }
func (l *lateView) At(i int) (uint32, Ordinal) { return l.items[i].before, l.items[i].late }
func (l *lateView) ACL(late Ordinal) *ACL {
	if l.h.lateDead.Has(uint32(late)) {
		return nil
	}
	return l.h.rows[l.h.base+int(late)].acl
}
func (l *lateView) Find(late Ordinal) int {
	if at, ok := l.places[late]; ok {
		return at
	}
	return -1
}

// late returns what came after the Base in an order: with all that is dead, as
// just after it died, or with none of it, as after a sort.
func (h history) late(order int, withDead bool) *lateView {
	l := &lateView{h: h, places: map[Ordinal]int{}}
	for i := h.base; i < len(h.rows); i++ {
		late := Ordinal(i - h.base)
		if h.rows[i].gone || h.lateDead.Has(uint32(late)) && !withDead {
			continue
		}
		before := sort.Search(h.base, func(p int) bool {
			return h.compare(order, h.orders[order].Ordinal(uint32(p)), Ordinal(i)) > 0
		})
		l.items = append(l.items, lateItem{uint32(before), late})
	}
	slices.SortFunc(l.items, func(a, b lateItem) int {
		return h.compare(order, Ordinal(h.base)+a.late, Ordinal(h.base)+b.late)
	})
	for at, it := range l.items {
		l.places[it.late] = at
	}
	return l
}

// scope is a walk of all in an order.
func (h history) scope(order int, late *lateView) Scope {
	return Scope{
		Order: h.orders[order], Dead: h.dead[order], To: uint32(h.base),
		Late: late, LateTo: late.Len(), Recent: h.recent, RecentTo: Ordinal(len(h.rows) - h.base),
	}
}

// within narrows a scope to the rows whose key is low or more and below high.
func (h history) within(s Scope, order, low, high int) Scope {
	base := func(key int) uint32 {
		return uint32(sort.Search(h.base, func(p int) bool { return h.key(order, s.Order.Ordinal(uint32(p))) >= key }))
	}
	late := func(key int) int {
		return sort.Search(s.Late.Len(), func(i int) bool {
			_, at := s.Late.At(i)
			return h.key(order, Ordinal(h.base)+at) >= key
		})
	}
	s.From, s.To, s.LateFrom, s.LateTo = base(low), base(high), late(low), late(high)
	return s
}

// walked counts the walks that looked up what is late and found some of it.
type walked struct{ all, chosen int }

// check compares what every subject walks through at every level, all or a
// random part of it in either order, with asking Decide about every entity.
func (h history) check(t *testing.T, r *rand.Rand, g *Groups, n *walked) {
	t.Helper()
	var lates [2]*lateView
	var sorted [2][]Ordinal
	for o := range lates {
		lates[o], sorted[o] = h.late(o, r.IntN(2) == 0), h.sorted(o)
	}
	one := func(who Principals, l Level, reads func(*ACL) bool, says string) {
		t.Helper()
		order, low, high := r.IntN(2), 0, len(h.at)+1
		scope := h.scope(order, lates[order])
		scope.Who, scope.Level = who, l
		if r.IntN(2) == 0 {
			low = r.IntN(1 + len(h.at)/2)
			high = low + r.IntN(1+len(h.at)/2)
			scope = h.within(scope, order, low, high)
		}
		if r.IntN(3) == 0 {
			scope.Recent = nil
		}
		var want []Ordinal
		for _, i := range sorted[order] {
			if key := h.key(order, i); low <= key && key < high && reads(h.rows[i].acl) {
				want = append(want, i)
			}
		}
		walk := NewWalk(scope)
		n.count(walk)
		if d := walkDiff(r, walk, want); d != "" {
			t.Fatalf("a walk in order %d (%s, %v, keys from %d to %d, %d rows of which %d in the base): %s",
				order, says, l, low, high, len(h.rows), h.base, d)
		}
		walk.Close()
	}
	for l := Shared; l <= Full+1; l++ {
		for _, s := range subjects(g) {
			one(PrincipalsOf(s), l, func(a *ACL) bool { return Decide(s, l, a, Read).Allowed },
				fmt.Sprintf("role %d %q in %q", s.Role, s.ID, s.member().IDs()))
		}
	}
	for _, id := range worldNames {
		user, group, l := Principal{KindUser, id}, Principal{KindGroup, id}, Level(r.IntN(int(Full)+2))
		one(Named(user), l, func(a *ACL) bool { return a != nil && (a.Creator == id || slices.Contains(a.Readers, id)) }, "naming "+user.String())
		one(Named(group), l, func(a *ACL) bool { return a != nil && slices.Contains(a.ReaderGroups, id) }, "naming "+group.String())
	}
	h.checkRecent(t)
}

func (n *walked) count(w *Walk) {
	n.all++
	if len(w.chosen) > 0 {
		n.chosen++
	}
}

// checkRecent compares what is held of late rows with one made anew.
func (h history) checkRecent(t *testing.T) {
	t.Helper()
	if d := h.recentDiff(); d != "" {
		t.Fatalf("of %d late rows: %s", len(h.rows)-h.base, d)
	}
}

func (h history) recentDiff() string {
	return h.recent.Diff(Ordinal(len(h.rows)-h.base), func(late Ordinal) *ACL { return h.rows[h.base+int(late)].acl })
}

// walkDiff reads w to its end with random calls and tells the first that did not
// give what it should of want.
func walkDiff(r *rand.Rand, w *Walk, want []Ordinal) string {
	buf := make([]Ordinal, 40)
	for at := 0; ; {
		if n := w.Count(); r.IntN(2) == 0 && n != len(want)-at {
			return fmt.Sprintf("Count = %d after %d; want %d", n, at, len(want)-at)
		}
		if r.IntN(4) == 0 {
			n := r.IntN(6) - 2
			if got := w.Skip(n); got != min(max(n, 0), len(want)-at) {
				return fmt.Sprintf("Skip(%d) = %d after %d of %d", n, got, at, len(want))
			}
			at = min(at+max(n, 0), len(want))
		}
		ask := buf[:r.IntN(len(buf))]
		got := ask[:w.Next(ask)]
		if !slices.Equal(got, want[at:min(at+len(ask), len(want))]) {
			return fmt.Sprintf("Next = %v after %d; want %v", got, at, want[at:])
		}
		if at += len(got); len(got) == 0 && len(ask) > 0 {
			return ""
		}
	}
}

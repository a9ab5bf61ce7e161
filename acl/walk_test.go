package acl

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func TestWalkEqualsDecide(t *testing.T) {
	r := random(t)
	var n walked
	for i := range 150 {
		h, groups, acls := newHistory(), randomGroups(r), randomACL
		switch {
		case i < 10:
			groups = nil // nobody is in any group
		case i%3 == 0:
			acls = sparseACL
		}
		h.check(t, r, groups, &n)
		var past []history
		for range 8 {
			h = h.step(r, r.IntN(30), acls)
			if r.IntN(3) == 0 {
				h = h.rebuilt()
			}
			if r.IntN(3) == 0 && i >= 10 {
				groups = randomGroups(r)
			}
			h.check(t, r, groups, &n)
			past = append(past, h)
		}
		for _, old := range past { // each is as it was
			old.check(t, r, groups, &n)
		}
	}
	t.Logf("figure: %d walks, %d found late entities by looking them up", n.all, n.chosen)
	if n.chosen < 100 {
		t.Error("too few walks look up what is late")
	}
}

// A base of several blocks, as bits and as lists, that is filled at once, changed
// in small steps, and emptied.
func TestWalkOfManyEqualsDecide(t *testing.T) {
	r := random(t)
	var n walked
	for _, acls := range []func(*rand.Rand) *ACL{randomACL, sparseACL} {
		for range 2 {
			groups := randomGroups(r)
			h := newHistory().step(r, 20_000, acls)
			h.checkRecent(t)
			h = h.rebuilt()
			old := h
			for range 10 {
				h = h.step(r, 1+r.IntN(200), acls)
			}
			h.check(t, r, groups, &n)
			var gone []historyRow
			for i := range h.at {
				gone = append(gone, historyRow{entity: i, gone: true})
			}
			empty := h.with(gone...)
			if list := empty.sorted(0); len(list) > 0 {
				t.Fatal("the history is not empty")
			}
			empty.check(t, r, groups, &n)
			empty.rebuilt().check(t, r, groups, &n)
			h.check(t, r, groups, &n)
			old.check(t, r, groups, &n)
		}
	}
	t.Logf("figure: %d walks, %d found late entities by looking them up", n.all, n.chosen)
}

// few is a history in which bob sees four of the many entities that came after
// the Base, two that he saw are another's again or gone, and one he sees twice
// over. It returns it, a walk of his, and what that is to yield.
func few() (history, Scope, []Ordinal) {
	var rows []historyRow
	for i := range 20 {
		rows = append(rows, historyRow{entity: i, acl: by("alice")})
	}
	h := newHistory().with(rows...).rebuilt()
	rows = rows[:0]
	for i := range 150 {
		rows = append(rows, historyRow{entity: 20 + i, acl: by("alice")})
	}
	h = h.with(rows...).with(
		historyRow{entity: 3, acl: by("alice", readers("bob"))},
		historyRow{entity: 60, acl: by("alice", readers("bob"))}, // no more, see below
		historyRow{entity: 70, acl: by("bob")},
		historyRow{entity: 80, acl: by("bob")}, // goes
		historyRow{entity: 90, acl: by("alice", readers("bob"), rGroups("staff"))},
		historyRow{entity: 100, acl: by("alice")},
	).with(
		historyRow{entity: 60, acl: by("alice")},
		historyRow{entity: 80, gone: true},
		historyRow{entity: 100, acl: by("alice", rGroups("staff"))},
	)
	s := h.scope(0, h.late(0, true))
	s.Who, s.Level = PrincipalsOf(bob), Private
	return h, s, []Ordinal{h.at[3], h.at[70], h.at[90], h.at[100]}
}

// What is dead is not shown, though a Recent still has it.
func TestWalkLeavesOutWhatDied(t *testing.T) {
	_, s, want := few()
	w := NewWalk(s)
	defer w.Close()
	if !w.isChosen {
		t.Fatal("what is late was not looked up")
	}
	if d := walkDiff(random(t), w, want); d != "" {
		t.Error(d)
	}
}

// What came after a view neither shows in it nor costs it anything.
func TestWalkOfAnOlderView(t *testing.T) {
	h, s, want := few()
	touched := func() int {
		w := NewWalk(s)
		defer w.Close()
		if d := walkDiff(random(t), w, want); d != "" {
			t.Error(d)
		}
		if !w.isChosen {
			t.Error("what is late was not looked up")
		}
		return w.Touched()
	}
	before := touched()
	for i := range 1000 {
		h = h.with(historyRow{entity: 200 + i, acl: by("bob", gr(On))})
	}
	if after := touched(); after != before {
		t.Errorf("%d things were touched, %d after others were added", before, after)
	}
}

// Readers go on with the view they have while the next ones are made.
func TestReadersBesideTheWriter(t *testing.T) {
	r := random(t)
	groups := randomGroups(r)
	who := Subject{Role: RoleUser, ID: "a", Member: groups.Of("a")}
	type published struct {
		h    history
		late *lateView
		want [Full + 1][]Ordinal
	}
	publish := func(h history) *published {
		p := &published{h: h, late: h.late(0, true)}
		for _, i := range h.sorted(0) {
			for l := range p.want {
				if Decide(who, Level(l), h.rows[i].acl, Read).Allowed {
					p.want[l] = append(p.want[l], i)
				}
			}
		}
		return p
	}
	acls := func(r *rand.Rand) *ACL { // a Private page is looked up, and names are many
		if r.IntN(20) > 0 {
			return by(fmt.Sprint("u", r.IntN(1000)), readers(fmt.Sprint("u", r.IntN(1000))), gr(Off))
		}
		return randomACL(r)
	}
	h := newHistory().step(r, 500, acls).rebuilt()
	var now atomic.Pointer[published]
	first := publish(h)
	now.Store(first)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			buf := make([]Ordinal, 64)
			var got []Ordinal
			for round := i; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				p, l := now.Load(), round%len(first.want)
				if round%5 == 0 {
					p = first
				}
				s := p.h.scope(0, p.late)
				s.Who, s.Level = PrincipalsOf(who), Level(l)
				w := NewWalk(s)
				got = got[:0]
				count := w.Count()
				for n := w.Next(buf); n > 0; n = w.Next(buf) {
					got = append(got, buf[:n]...)
				}
				w.Close()
				if !slices.Equal(got, p.want[l]) || count != len(got) {
					t.Errorf("a reader saw %v, counted %d; want %v", got, count, p.want[l])
					return
				}
				if d := p.h.recentDiff(); round%16 == 0 && d != "" {
					t.Error(d)
					return
				}
			}
		})
	}
	for i := range 200 {
		h = h.step(r, 20, acls)
		if i == 100 {
			h = h.rebuilt()
		}
		now.Store(publish(h))
	}
	close(stop)
	readers.Wait()
}

// A page allocates nothing, whether what is late is looked up or looked at.
func TestWalkAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	_, s, _ := few()
	buf := make([]Ordinal, 100)
	for l := Shared; l <= Full; l++ {
		for _, recent := range []*Recent{s.Recent, nil} {
			s.Level, s.Recent = l, recent
			page := func() {
				w := NewWalk(s)
				w.Next(buf)
				w.Close()
			}
			if n := testing.AllocsPerRun(100, page); n != 0 {
				t.Errorf("a page at %v: %v allocations; want 0", l, n)
			}
		}
	}
}

package acl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// random returns a source of chance that can be had again with
// POSTERN_SEED=<seed>.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("POSTERN_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("POSTERN_SEED: %v", err)
		}
	}
	t.Logf("POSTERN_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
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

func randomGroups(r *rand.Rand) (g *Groups) {
	for _, id := range worldNames {
		if r.IntN(3) > 0 {
			g = g.With(id, &GroupDef{All: r.IntN(8) == 0, Users: randomNames(r), Groups: randomNames(r)})
		}
	}
	return g
}

// A history is an index, what it was made from, and how it came about.
type history struct {
	index *Index
	acls  []*ACL // by position; nil where there is none
}

// step applies a batch of random changes, among them several of one entity.
func (h history) step(r *rand.Rand, changes int) history {
	acls := slices.Clone(h.acls)
	batch := make([]Change, 0, changes)
	for range changes {
		c := Change{Pos: Position(len(acls)), New: randomACL(r)}
		if len(acls) > 0 && r.IntN(2) == 0 {
			c.Pos = Position(r.IntN(len(acls)))
			c.Old = acls[c.Pos]
			if r.IntN(3) == 0 {
				c.New = nil
			}
		} else {
			for range r.IntN(3) { // positions have holes
				acls = append(acls, nil)
			}
			c.Pos = Position(len(acls))
			acls = append(acls, nil)
		}
		acls[c.Pos] = c.New
		batch = append(batch, c)
	}
	return history{h.index.Apply(batch), acls}
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

// byRank orders positions by what stands at them.
type byRank []int

func (o byRank) Less(a, b Position) bool { return o[a] < o[b] }

// check compares what the index shows to every subject at every level with
// asking Decide about every entity.
func (h history) check(t *testing.T, r *rand.Rand, g *Groups) {
	t.Helper()
	rank := make(byRank, len(h.acls))
	for i := range rank {
		rank[i] = r.IntN(1 + len(rank)/2) // with ties
	}
	for _, s := range subjects(g) {
		p := PrincipalsOf(s)
		for l := Shared; l <= Full+1; l++ {
			var want []Position
			for pos, a := range h.acls {
				if a != nil && Decide(s, l, a, Read).Allowed {
					want = append(want, Position(pos))
				}
			}
			checkStream(t, r, h.index.Visible(p, l, nil), want, fmt.Sprintf("Visible(role %d %q in %q, %v)", s.Role, s.ID, s.member().IDs(), l))
			sort.SliceStable(want, func(i, j int) bool { return rank.Less(want[i], want[j]) })
			checkStream(t, r, h.index.Visible(p, l, rank), want, fmt.Sprintf("Visible(role %d %q in %q, %v), ordered", s.Role, s.ID, s.member().IDs(), l))
		}
	}
}

// checkStream reads s to its end with random calls.
func checkStream(t *testing.T, r *rand.Rand, s Stream, want []Position, called string) {
	t.Helper()
	buf := make([]Position, 40)
	for at := 0; ; {
		if n := s.Count(); r.IntN(2) == 0 && n != len(want)-at {
			t.Fatalf("%s: Count = %d after %d; want %d", called, n, at, len(want)-at)
		}
		if r.IntN(4) == 0 {
			n := r.IntN(6) - 2
			if got := s.Skip(n); got != min(max(n, 0), len(want)-at) {
				t.Fatalf("%s: Skip(%d) = %d after %d of %d", called, n, got, at, len(want))
			}
			at = min(at+max(n, 0), len(want))
		}
		ask := buf[:r.IntN(len(buf))]
		got := ask[:s.Next(ask)]
		if !slices.Equal(got, want[at:min(at+len(ask), len(want))]) {
			t.Fatalf("%s: Next = %v after %d; want %v", called, got, at, want[at:])
		}
		if at += len(got); len(got) == 0 && len(ask) > 0 {
			return
		}
	}
}

// rebuilt returns the index made from the ACLs at once.
func (h history) rebuilt() *Index {
	var batch []Change
	for pos, a := range h.acls {
		if a != nil {
			batch = append(batch, Change{Pos: Position(pos), New: a})
		}
	}
	return (*Index)(nil).Apply(batch)
}

func (h history) checkRebuilt(t *testing.T) {
	t.Helper()
	again := h.rebuilt()
	if d := h.index.Diff(again); d != "" {
		t.Fatalf("the index differs from the one built anew: %s", d)
	}
	n := 0
	for _, a := range h.acls {
		if a != nil {
			n++
		}
	}
	if h.index.Len() != n {
		t.Fatalf("Len = %d; want %d", h.index.Len(), n)
	}
}

func TestIndexEqualsDecide(t *testing.T) {
	r := random(t)
	for range 60 {
		h, groups := history{}, randomGroups(r)
		h.check(t, r, groups)
		var past []history
		for range 8 {
			h = h.step(r, r.IntN(12))
			if r.IntN(3) == 0 {
				groups = randomGroups(r)
			}
			h.check(t, r, groups)
			h.checkRebuilt(t)
			past = append(past, h)
		}
		for _, old := range past { // each is as it was
			old.check(t, r, groups)
			old.checkRebuilt(t)
		}
	}
}

// Trees of several levels, filled at once and in small steps, and emptied.
func TestLargeIndexEqualsDecide(t *testing.T) {
	r := random(t)
	h := history{}.step(r, 6000)
	old := h
	for range 30 {
		h = h.step(r, 1+r.IntN(200))
	}
	h.checkRebuilt(t)
	h.check(t, r, randomGroups(r))
	var gone []Change
	for pos, a := range h.acls {
		gone = append(gone, Change{Pos: Position(pos), Old: a})
	}
	r.Shuffle(len(gone), func(i, j int) { gone[i], gone[j] = gone[j], gone[i] })
	empty := h.index.Apply(gone)
	if d := empty.Diff(nil); d != "" || empty.Len() != 0 {
		t.Errorf("after everything was deleted: Len = %d, %s", empty.Len(), d)
	}
	h.checkRebuilt(t)
	old.checkRebuilt(t)
}

// What was dropped without being published leaves no trace: two indexes may be
// made from one, as when the committer has to decide a group again.
func TestIndexMadeTwiceFromOne(t *testing.T) {
	r := random(t)
	base := history{}.step(r, 300)
	a, b := base.step(r, 100), base.step(r, 100)
	a2, b2 := a.step(r, 100), b.step(r, 100)
	for _, h := range []history{base, a, b, a2, b2} {
		h.checkRebuilt(t)
	}
}

func TestDiffTells(t *testing.T) {
	base := (*Index)(nil).Apply([]Change{{Pos: 1, New: by("a", gr(On))}, {Pos: 2, New: by("b", rGroups("g"))}})
	for says, c := range map[string][]Change{
		"one more":                 {{Pos: 3, New: by("a")}},
		"one less":                 {{Pos: 1, Old: by("a", gr(On))}},
		"at another position":      {{Pos: 2, Old: by("b", rGroups("g"))}, {Pos: 3, New: by("b", rGroups("g"))}},
		"gr unset":                 {{Pos: 1, Old: by("a", gr(On)), New: by("a")}},
		"gr off":                   {{Pos: 2, Old: by("b", rGroups("g")), New: by("b", rGroups("g"), gr(Off))}},
		"another creator":          {{Pos: 1, Old: by("a", gr(On)), New: by("b", gr(On))}},
		"a principal more":         {{Pos: 1, Old: by("a"), New: by("a", readers("zz"))}},
		"a principal less":         {{Pos: 2, Old: by("b", rGroups("g")), New: by("b")}},
		"a user of a group's name": {{Pos: 2, Old: by("b", rGroups("g")), New: by("b", readers("g"))}},
	} {
		other := base.Apply(c)
		if d := base.Diff(other); d == "" || base.Equal(other) {
			t.Errorf("%s: Diff tells nothing", says)
		}
		if d := other.Diff(base); d == "" {
			t.Errorf("%s: Diff the other way tells nothing", says)
		}
	}
	if !base.Equal(base) || !(*Index)(nil).Equal(nil) || base.Equal(nil) || (*Index)(nil).Equal(base) {
		t.Error("Equal of the same, of nil and nil, or of nil and another is wrong")
	}
}

// A change of what is written, or of what writers are named, leaves the index.
func TestOnlyReadingIsIndexed(t *testing.T) {
	base := (*Index)(nil).Apply([]Change{{Pos: 1, New: by("a")}})
	same := base.Apply([]Change{{Pos: 1, Old: by("a"), New: by("a", writers("b"), wGroups("g"), gw(On))}})
	if d := base.Diff(same); d != "" {
		t.Errorf("after a change of writers: %s", d)
	}
}

// Readers go on with the index they have while the next ones are made.
func TestReadersBesideTheWriter(t *testing.T) {
	r := random(t)
	groups := randomGroups(r)
	who := Subject{Role: RoleUser, ID: "a", Member: groups.Of("a")}
	type published struct {
		index *Index
		want  [Full + 1]int
	}
	publish := func(h history) *published {
		p := &published{index: h.index}
		for l := range p.want {
			for _, a := range h.acls {
				if a != nil && Decide(who, Level(l), a, Read).Allowed {
					p.want[l]++
				}
			}
		}
		return p
	}
	h := history{}.step(r, 500)
	var now atomic.Pointer[published]
	now.Store(publish(h))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			buf := make([]Position, 64)
			for l := 0; ; l = (l + 1) % len(now.Load().want) {
				select {
				case <-stop:
					return
				default:
				}
				p := now.Load()
				s := p.index.Visible(PrincipalsOf(who), Level(l), nil)
				count, n := s.Count(), 0
				for k := s.Next(buf); k > 0; k = s.Next(buf) {
					n += k
				}
				if n != p.want[l] || count != n {
					t.Errorf("a reader saw %d, counted %d; want %d", n, count, p.want[l])
					return
				}
			}
		})
	}
	for range 200 {
		h = h.step(r, 20)
		now.Store(publish(h))
	}
	close(stop)
	readers.Wait()
}

func TestStreamAllocations(t *testing.T) {
	r := random(t)
	h := history{}.step(r, 5000)
	groups := (*Groups)(nil).With("b", &GroupDef{Users: []string{"a"}}).With("c", &GroupDef{All: true})
	p := PrincipalsOf(Subject{Role: RoleUser, ID: "a", Member: groups.Of("a")})
	buf := make([]Position, 100)
	for l := Shared; l <= Full; l++ {
		s := h.index.Visible(p, l, nil)
		if n := testing.AllocsPerRun(10, func() { s.Next(buf) }); n != 0 {
			t.Errorf("Next at %v: %v allocations; want 0", l, n)
		}
		// Four sets: a list of them, the walks and, of each, its stack.
		if n := testing.AllocsPerRun(10, func() { h.index.Visible(p, l, nil).Next(buf) }); n > 16 {
			t.Errorf("Visible and a page at %v: %v allocations; want at most 16", l, n)
		}
	}
}

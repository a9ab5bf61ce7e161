package acl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"postern/acl/oracle"
)

// The three-way test: package oracle was written from the guide alone, Decide
// and the indexes were not. All three must say the same about every subject, every
// entity and every right, at every moment of random histories. Repeat a run
// with POSTERN_SEED=<seed>.

// oracleNames is all there is in a world: the same few ids are used for users, for
// groups and for app keys, so that a confusion of kinds shows.
var oracleNames = []string{"a", "b", "c", "d", "e"}

func randomSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("POSTERN_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("POSTERN_SEED: %v", err)
		}
	}
	t.Logf("POSTERN_SEED=%d", seed)
	return seed
}

// A world is one collection, the groups of its app and the three views of
// them. Entities are at the index of their position; nil is a hole.
type world struct {
	r        *rand.Rand
	seed     uint64
	number   int
	log      []string
	level    oracle.Level
	groups   oracle.Groups
	entities []*oracle.ACL

	aclLevel  Level
	aclGroups *Groups
	aclACLs   []*ACL
	h         history

	walked *walked
}

// A moment is what a world was like when something was remembered of it. An old
// one must go on giving the old answers.
type moment struct {
	entities []*oracle.ACL
	acls     []*ACL
	h        history
}

func TestOracleDecideAndWalkAgree(t *testing.T) {
	seed := randomSeed(t)
	worlds := 2500
	if testing.Short() {
		worlds = 300
	}
	var n walked
	for i := range worlds {
		w := &world{r: rand.New(rand.NewPCG(seed, uint64(i))), seed: seed, number: i, h: newHistory(), walked: &n}
		w.live(t)
	}
	t.Logf("figure: %d worlds, oracle, Decide and %d walks equal, %d of which found late entities by looking them up", worlds, n.all, n.chosen)
	if n.chosen < worlds {
		t.Error("too few walks look up what is late")
	}
}

// live begins the world and lets it go through a history. The first worlds
// have no groups at all, the next have groups that nobody is in, because the
// emptiest sets are where a union goes wrong most easily; from then on
// anything may happen.
func (w *world) live(t *testing.T) {
	t.Helper()
	w.groups = oracle.Groups{}
	w.setLevel()
	steps := 2 + w.r.IntN(4+min(w.number/100, 16))
	var past []moment
	for range steps {
		w.step()
		if w.r.IntN(4) == 0 {
			past = append(past, w.remember())
		}
		if w.r.IntN(3) == 0 {
			w.check(t, w.remember())
		}
	}
	w.check(t, w.remember())
	for _, m := range past {
		w.check(t, m)
	}
}

func (w *world) remember() moment {
	return moment{slices.Clone(w.entities), slices.Clone(w.aclACLs), w.h}
}

func (w *world) did(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *world) step() {
	switch n := w.r.IntN(10); {
	case n == 0:
		w.setLevel()
	case n <= 3 && w.number >= 50:
		w.setGroup()
	case n == 4 && w.r.IntN(2) == 0:
		w.h = w.h.rebuilt()
		w.did("a new base")
	default:
		w.write()
	}
}

func (w *world) setLevel() {
	levels := []struct {
		ours oracle.Level
		wire string
	}{
		{oracle.Shared, "append-read"},
		{oracle.Private, "append-only"},
		{oracle.ReadOnly, "read-only"},
		{oracle.Full, "write"},
	}
	l := levels[w.r.IntN(len(levels))]
	parsed, ok := ParseLevel(l.wire)
	if !ok {
		panic("ParseLevel does not know " + l.wire)
	}
	w.level, w.aclLevel = l.ours, parsed
	w.did("level %s", l.ours)
}

func (w *world) setGroup() {
	id := w.name()
	if w.r.IntN(5) == 0 {
		delete(w.groups, id)
		w.aclGroups = w.aclGroups.With(id, nil)
		w.did("delete group %s", id)
		return
	}
	var g oracle.Group
	if w.number >= 150 { // before: groups of nobody
		g.All = w.r.IntN(8) == 0
		g.Users = w.someNames(2)
	}
	g.Groups = w.someNames(2) // may well name itself, or close a cycle
	w.groups[id] = g
	w.aclGroups = w.aclGroups.With(id, &GroupDef{
		All:    g.All,
		Users:  slices.Clone(g.Users),
		Groups: slices.Clone(g.Groups),
	})
	w.did("group %s = %+v", id, g)
}

// write makes a batch of changes to entities, sometimes several to one, and
// sometimes among many entities that nobody sees.
func (w *world) write() {
	var changes []historyRow
	grow := func(to int) {
		for len(w.entities) <= to {
			w.entities, w.aclACLs = append(w.entities, nil), append(w.aclACLs, nil)
		}
	}
	for range 1 + w.r.IntN(4) {
		pos := len(w.entities)
		if pos > 0 && w.r.IntN(2) == 0 {
			pos = w.r.IntN(pos)
			if w.entities[pos] == nil {
				continue // positions are never used again
			}
		} else {
			pos += w.r.IntN(3) / 2 // sometimes a gap
			grow(pos)
		}
		c := historyRow{entity: pos, rank: w.r.IntN(1 + len(w.entities))}
		if w.entities[pos] != nil && w.r.IntN(3) == 0 {
			w.entities[pos], w.aclACLs[pos], c.gone = nil, nil, true
			w.did("delete entity %d", pos)
		} else {
			a := w.randomACL()
			w.entities[pos], w.aclACLs[pos] = a, toACL(a)
			w.did("entity %d = %+v", pos, *a)
		}
		c.acl = w.aclACLs[pos]
		changes = append(changes, c)
	}
	if w.number%3 == 0 {
		first := len(w.entities)
		grow(first + 30)
		for i := range 30 {
			changes = append(changes, historyRow{entity: first + i})
		}
		w.did("entities %d to %d are hidden", first, first+29)
	}
	w.h = w.h.with(changes...)
}

func (w *world) randomACL() *oracle.ACL {
	a := &oracle.ACL{Creator: w.name()}
	if w.r.IntN(10) == 0 {
		a.Creator = "" // as in a record whose creator nobody knows
	}
	switches := []oracle.Switch{"", "", "", oracle.On, oracle.Off}
	a.GR, a.GW = switches[w.r.IntN(5)], switches[w.r.IntN(5)]
	if w.r.IntN(3) == 0 {
		a.R = w.someNames(3)
	}
	if w.r.IntN(3) == 0 {
		a.W = w.someNames(3)
	}
	if w.r.IntN(3) == 0 {
		a.GroupsR = w.someNames(3)
	}
	if w.r.IntN(3) == 0 {
		a.GroupsW = w.someNames(3)
	}
	return a
}

func (w *world) name() string { return oracleNames[w.r.IntN(len(oracleNames))] }

// someNames returns up to n names, which may repeat.
func (w *world) someNames(n int) []string {
	var list []string
	for range w.r.IntN(n + 1) {
		if w.r.IntN(30) == 0 {
			list = append(list, "") // which names nobody
			continue
		}
		list = append(list, w.name())
	}
	return list
}

func toACL(a *oracle.ACL) *ACL {
	toSwitch := func(s oracle.Switch) Switch {
		switch s {
		case oracle.On:
			return On
		case oracle.Off:
			return Off
		}
		return Unset
	}
	return &ACL{
		Creator: a.Creator,
		GR:      toSwitch(a.GR), GW: toSwitch(a.GW),
		Readers: slices.Clone(a.R), Writers: slices.Clone(a.W),
		ReaderGroups: slices.Clone(a.GroupsR), WriterGroups: slices.Clone(a.GroupsW),
	}
}

func (w *world) fail(t *testing.T, format string, args ...any) {
	t.Helper()
	for _, line := range w.log {
		t.Log(line)
	}
	t.Fatalf("POSTERN_SEED=%d, world %d: %s", w.seed, w.number, fmt.Sprintf(format, args...))
}

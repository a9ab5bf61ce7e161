package acl

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"postern/acl/oracle"
)

// Explain decides as Decide does and as the oracle says, and every change that
// Grants names is enough, says the oracle, which knows of neither.
func TestExplainAgreesWithTheOracle(t *testing.T) {
	seed := randomSeed(t)
	rights := []struct {
		ours   Right
		theirs oracle.Right
	}{{Read, oracle.Read}, {Write, oracle.Write}, {ChangeACL, oracle.ChangeACL}, {Create, oracle.Create}}
	asked, grants := 0, map[string]int{}
	for i := range 300 {
		w := &world{r: rand.New(rand.NewPCG(seed, uint64(i))), seed: seed, number: i, h: newHistory(), walked: new(walked), groups: oracle.Groups{}}
		w.setLevel()
		for range 12 {
			w.step()
		}
		for pos, a := range w.aclACLs {
			for _, user := range oracleNames {
				s := Subject{Role: RoleUser, ID: user, Member: w.aclGroups.Of(user)}
				for _, right := range rights {
					mine, theirs := a, w.entities[pos]
					if right.ours == Create {
						mine, theirs = nil, nil
					} else if a == nil {
						continue
					}
					asked++
					d, steps := Explain(s, w.aclLevel, mine, right.ours)
					if want := Decide(s, w.aclLevel, mine, right.ours); d.String() != want.String() {
						w.fail(t, "entity %d, user %s, right %d: Explain says %s, Decide %s", pos, user, right.ours, d, want)
					}
					who := oracle.Who{Role: oracle.User, ID: user}
					if oracle.May(who, w.level, w.groups, theirs, right.theirs) != d.Allowed {
						w.fail(t, "entity %d, user %s, right %d: Explain says %s, the oracle does not", pos, user, right.ours, d)
					}
					if last := steps[len(steps)-1]; last.Rule != d.Rule {
						w.fail(t, "entity %d, user %s, right %d: %s, and the last step is of %s", pos, user, right.ours, d, last.Rule)
					}
					list := Grants(s, w.aclLevel, mine, right.ours)
					if d.Allowed != (len(list) == 0) {
						w.fail(t, "entity %d, user %s, right %d: %s, and %d changes would help", pos, user, right.ours, d, len(list))
					}
					for _, g := range list {
						grants[g.Change]++
						if level, groups, b := granted(g, user, w.level, w.groups, theirs); !oracle.May(who, level, groups, b, right.theirs) {
							w.fail(t, "entity %d, user %s, right %d: %+v is not enough, says the oracle", pos, user, right.ours, g)
						}
					}
				}
			}
		}
	}
	for _, change := range []string{"r", "w", "groups.r", "groups.w", "gr", "gw", "join", "level", "creator"} {
		if grants[change] == 0 {
			t.Errorf("no grant of the kind %s was seen", change)
		}
	}
	t.Logf("figure: %d decisions explained as the oracle says, with %v", asked, grants)
}

// granted is a world after a change.
func granted(g Grant, user string, level oracle.Level, groups oracle.Groups, a *oracle.ACL) (oracle.Level, oracle.Groups, *oracle.ACL) {
	b := new(oracle.ACL)
	if a != nil {
		*b = *a
	}
	to := map[Switch]oracle.Switch{On: oracle.On, Off: oracle.Off, Unset: ""}[g.Switch]
	with := func(list []string) []string { return append(slices.Clone(list), g.ID) }
	switch g.Change {
	case "level":
		level = map[Level]oracle.Level{Shared: oracle.Shared, Private: oracle.Private, ReadOnly: oracle.ReadOnly, Full: oracle.Full}[g.Level]
	case "join":
		groups = maps.Clone(groups)
		def := groups[g.ID]
		def.Users = append(slices.Clone(def.Users), user)
		groups[g.ID] = def
	case "r":
		b.R = with(b.R)
	case "w":
		b.W = with(b.W)
	case "groups.r":
		b.GroupsR = with(b.GroupsR)
	case "groups.w":
		b.GroupsW = with(b.GroupsW)
	case "gr":
		b.GR = to
	case "gw":
		b.GW = to
	case "creator":
		b.Creator = g.ID
	}
	if a == nil {
		return level, groups, nil
	}
	return level, groups, b
}

// What was looked at is told in the order of the hierarchy, up to what decided.
func TestExplainTellsTheWay(t *testing.T) {
	check := func(d Decision, steps []Step, want ...string) {
		t.Helper()
		var got []string
		for _, s := range steps {
			got = append(got, s.Rule+" "+s.Check+" "+s.Saw)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s by %q; want %q", d, got, want)
		}
	}
	d, steps := Explain(bob, Private, by("alice", rGroups("board")), Read)
	check(d, steps, "R2 master ", "R3 app ", "R1 user bob", "R7 creator alice", "R6 r ", "R6 groups.r ")
	d, steps = Explain(bob, Private, by("alice"), Read)
	check(d, steps, "R2 master ", "R3 app ", "R1 user bob", "R7 creator alice", "R6 r ", "R6 groups.r ", "R5 gr unset", "R4 level Private")
	d, steps = Explain(bob, Full, by("alice", gw(Off)), Write)
	check(d, steps, "R2 master ", "R3 app ", "R1 user bob", "R7 creator alice", "R6 w ", "R6 groups.w ", "R5 gw off")
	d, steps = Explain(master, Full, by("alice"), Write)
	check(d, steps, "R2 master ")
	d, steps = Explain(bob, ReadOnly, nil, Create)
	check(d, steps, "R2 master ", "R3 app ", "R1 user bob", "R4 level Read Only")
}

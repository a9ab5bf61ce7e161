package acl

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

const benchEntities = 100_000

// benchWorld is a collection of private entities of which the user sees 1 %, by
// way of himself and of five groups: half as the creator, the others as a
// reader or through the groups.
func benchWorld() (changes []Change, p Principals) {
	r := rand.New(rand.NewPCG(1, 2))
	var groups *Groups
	for g := range 5 {
		groups = groups.With(fmt.Sprint("g", g), &GroupDef{Users: []string{"me"}})
	}
	for i := range benchEntities {
		other := func() string { return fmt.Sprint("u", r.IntN(10_000)) }
		a := by(other(), readers(other(), other()), rGroups(fmt.Sprint("h", r.IntN(1000))))
		switch {
		case i%100 != 0:
		case i%200 == 0:
			a.Creator = "me"
		case i%400 == 100:
			a.Readers = append(a.Readers, "me")
		default:
			a.ReaderGroups = append(a.ReaderGroups, fmt.Sprint("g", r.IntN(5)))
		}
		changes = append(changes, Change{Pos: Position(i), New: a})
	}
	return changes, PrincipalsOf(Subject{Role: RoleUser, ID: "me", Member: groups.Of("me")})
}

func benchIndex(b *testing.B) (*Index, Principals) {
	changes, p := benchWorld()
	ix := (*Index)(nil).Apply(changes)
	if n := ix.Visible(p, Private, nil).Count(); n != benchEntities/100 {
		b.Fatalf("the user sees %d", n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return ix, p
}

func BenchmarkPageOf100(b *testing.B) {
	ix, p := benchIndex(b)
	buf := make([]Position, 100)
	for _, l := range []Level{Private, Shared} {
		b.Run(l.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ix.Visible(p, l, nil).Next(buf)
			}
		})
	}
}

func BenchmarkPageOf100ByAnOrder(b *testing.B) {
	ix, p := benchIndex(b)
	buf, rank := make([]Position, 100), make(byRank, benchEntities)
	for i, n := range rand.New(rand.NewPCG(3, 4)).Perm(len(rank)) {
		rank[i] = n
	}
	for b.Loop() {
		ix.Visible(p, Private, rank).Next(buf)
	}
}

func BenchmarkCount(b *testing.B) {
	ix, p := benchIndex(b)
	for _, l := range []Level{Private, Shared} {
		b.Run(l.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ix.Visible(p, l, nil).Count()
			}
		})
	}
}

func BenchmarkLoad100000(b *testing.B) {
	changes, _ := benchWorld()
	b.ReportAllocs()
	for b.Loop() {
		(*Index)(nil).Apply(changes)
	}
}

func BenchmarkApplyOneChange(b *testing.B) {
	ix, _ := benchIndex(b)
	a, c := by("me"), by("me", readers("u1"))
	ix = ix.Apply([]Change{{Pos: benchEntities, New: a}})
	for b.Loop() {
		ix = ix.Apply([]Change{{benchEntities, a, c}})
		a, c = c, a
	}
}

func BenchmarkDecide(b *testing.B) {
	a := by("alice", readers("u1", "u2", "u3"), rGroups("g1", "g2"))
	b.ReportAllocs()
	for b.Loop() {
		Decide(bob, Private, a, Read)
	}
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(`{"creator":"5f1a2b3c4d5e6f7081920a0b","gr":false,"r":["u1","u2","u3"],"groups":{"r":["g1"]}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeBinary(b *testing.B) {
	bin := by("5f1a2b3c4d5e6f7081920a0b", readers("u1", "u2", "u3"), rGroups("g1"), gr(Off)).AppendBinary(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeBinary(bin); err != nil {
			b.Fatal(err)
		}
	}
}

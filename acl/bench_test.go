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
func benchWorld() (acls []*ACL, p Principals) {
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
		acls = append(acls, a)
	}
	return acls, PrincipalsOf(Subject{Role: RoleUser, ID: "me", Member: groups.Of("me")})
}

// benchScope is a walk through the world as a Base, in the order of creation or
// in one that has nothing to do with it.
func benchScope(b *testing.B, shuffled bool) Scope {
	acls, p := benchWorld()
	builder := NewBuilder(len(acls))
	for _, a := range acls {
		builder.Add(a)
	}
	base := builder.Base()
	order := base.Natural()
	if shuffled {
		perm := make([]Ordinal, len(acls))
		for i, at := range rand.New(rand.NewPCG(3, 4)).Perm(len(perm)) {
			perm[i] = Ordinal(at)
		}
		order = base.Grants(nil).Order(perm)
	}
	s := Scope{Who: p, Level: Private, Order: order, To: uint32(len(acls))}
	w := NewWalk(s)
	defer w.Close()
	if n := w.Count(); n != benchEntities/100 {
		b.Fatalf("the user sees %d", n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return s
}

func BenchmarkPageOf100(b *testing.B) {
	buf := make([]Ordinal, 100)
	for _, shuffled := range []bool{false, true} {
		s := benchScope(b, shuffled)
		for _, s.Level = range []Level{Private, Shared} {
			b.Run(fmt.Sprintf("%v/shuffled=%t", s.Level, shuffled), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w := NewWalk(s)
					w.Next(buf)
					w.Close()
				}
			})
		}
	}
}

func BenchmarkCount(b *testing.B) {
	s := benchScope(b, false)
	for _, s.Level = range []Level{Private, Shared} {
		b.Run(s.Level.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := NewWalk(s)
				w.Count()
				w.Close()
			}
		})
	}
}

func BenchmarkBaseOf100000(b *testing.B) {
	acls, _ := benchWorld()
	b.ReportAllocs()
	for b.Loop() {
		builder := NewBuilder(len(acls))
		for _, a := range acls {
			builder.Add(a)
		}
		builder.Base()
	}
}

// BenchmarkRecentAdd adds entities of about four grants to as many as come
// between two bases.
func BenchmarkRecentAdd(b *testing.B) {
	const between = 16384
	acls, _ := benchWorld()
	b.ReportAllocs()
	r, n := new(Recent), 0
	for b.Loop() {
		if n == between {
			r, n = new(Recent), 0
		}
		r.Add(acls[n])
		n++
	}
}

func BenchmarkRecentReadable(b *testing.B) {
	acls, p := benchWorld()
	r := new(Recent)
	for _, a := range acls[:16384] {
		r.Add(a)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		for _, who := range p.names {
			r.readable(who, Private, 8192)
		}
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

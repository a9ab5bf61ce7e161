package acl

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// A base that was taken apart and put together again is walked as before, in
// all its orders.
func TestFlatBaseWalksAlike(t *testing.T) {
	r := random(t)
	for i := range 120 {
		n, late, acls := r.IntN(60), r.IntN(20), randomACL
		if i%10 == 0 {
			n, late = 3000+r.IntN(3000), 50
		}
		if i%3 == 0 {
			acls = sparseACL
		}
		h := newHistory().step(r, n, acls).rebuilt().step(r, late, acls)
		was := h.orders
		again, back, err := was[0].base.Flat(was[:]).Base()
		if err != nil {
			t.Fatal(err)
		}
		h.orders = [2]*Ordering(back)
		if back[1].size != was[1].size || again.Natural() != back[0] || again.Len() != h.base {
			t.Fatalf("%d grants, want %d", back[1].size, was[1].size)
		}
		h.check(t, r, randomGroups(r), new(walked))
		for _, o := range back {
			if diff := o.Diff(func(i Ordinal) (*ACL, bool) { return h.rows[i].acl, true }); diff != "" {
				t.Fatal(diff)
			}
		}
	}
}

// baseOf is a base of n entities.
func baseOf(r *rand.Rand, n int, acls func(*rand.Rand) *ACL) *Base {
	b := NewBuilder(n)
	for range n {
		b.Add(acls(r))
	}
	return b.Base()
}

// Arrays that could lead a walk out of them are refused.
func TestFlatRefuses(t *testing.T) {
	r := random(t)
	whole := func() Flat {
		base := baseOf(r, 300, sparseACL) // most names are lists
		perm := make([]Ordinal, 300)
		for p, i := range r.Perm(300) {
			perm[p] = Ordinal(i)
		}
		f := base.Flat([]*Ordering{base.Natural(), base.Grants(nil).Order(perm)})
		for i := range f.Orders { // its own arrays
			o := &f.Orders[i]
			o.Perm, o.From, o.Arena = slices.Clone(o.Perm), slices.Clone(o.From), slices.Clone(o.Arena)
			for s := range o.Sets {
				o.Sets[s].Bits, o.Sets[s].List = slices.Clone(o.Sets[s].Bits), slices.Clone(o.Sets[s].List)
			}
		}
		return f
	}
	if _, _, err := whole().Base(); err != nil {
		t.Fatal(err)
	}
	for what, damage := range map[string]func(*Flat){
		"no order":               func(f *Flat) { f.Orders = nil },
		"a negative length":      func(f *Flat) { f.N = -1 },
		"another length":         func(f *Flat) { f.N++ },
		"a first order permuted": func(f *Flat) { f.Orders[0] = f.Orders[1] },
		"a second without":       func(f *Flat) { f.Orders[1].Perm = nil },
		"an ordinal twice":       func(f *Flat) { f.Orders[1].Perm[7] = f.Orders[1].Perm[8] },
		"an ordinal too high":    func(f *Flat) { f.Orders[1].Perm[7] = 300 },
		"a name less":            func(f *Flat) { f.Names = f.Names[:len(f.Names)-1] },
		"a name twice":           func(f *Flat) { f.Names = append(f.Names[:len(f.Names):len(f.Names)], f.Names[:2+f.Names[1]]...) },
		"a kind there is not":    func(f *Flat) { f.Names = append([]byte{byte(KindEveryone)}, f.Names[1:]...) },
		"from downwards":         func(f *Flat) { f.Orders[0].From[3], f.Orders[0].From[4] = 9, 2 },
		"from beyond":            func(f *Flat) { f.Orders[0].From[len(f.Orders[0].From)-1]++ },
		"from not from 0":        func(f *Flat) { f.Orders[0].From[0] = 1 },
		"a position too high":    func(f *Flat) { f.Orders[1].Arena[len(f.Orders[1].Arena)-1] = 300 },
		"positions downwards": func(f *Flat) {
			o := &f.Orders[0]
			for k := range len(o.From) - 1 {
				if list := o.Arena[o.From[k]:o.From[k+1]]; len(list) > 1 {
					slices.Reverse(list)
					return
				}
			}
			t.Fatal("nobody is named twice")
		},
		"dense without words": func(f *Flat) { f.Orders[0].DenseOf = append(f.Orders[0].DenseOf, 1<<20) },
		"words without dense": func(f *Flat) { f.Orders[0].Dense = append(f.Orders[0].Dense, 1) },
		"bits beyond the end": func(f *Flat) { f.Orders[0].Sets[0] = FlatSet{Bits: []uint64{0, 0, 0, 0, 1 << 63}} },
		"too few bits":        func(f *Flat) { f.Orders[0].Sets[1] = FlatSet{Bits: []uint64{1}} },
		"a list downwards":    func(f *Flat) { f.Orders[0].Sets[2] = FlatSet{List: []uint32{5, 4}} },
		"a list beyond":       func(f *Flat) { f.Orders[0].Sets[2] = FlatSet{List: []uint32{300}} },
		"a set in two forms":  func(f *Flat) { f.Orders[0].Sets[2] = FlatSet{Full: true, List: []uint32{3}} },
	} {
		f := whole()
		damage(&f)
		if _, _, err := f.Base(); err == nil {
			t.Error(what + " is taken")
		}
	}
}

// Whatever the arrays hold, they are refused, or a walk through them ends within
// them.
func FuzzFlat(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 70} {
		base := baseOf(r, n, randomACL)
		f.Add(flatBytes(base.Flat([]*Ordering{base.Natural()})))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		flat := flatOf(b)
		base, orders, err := flat.Base()
		if err != nil {
			return
		}
		buf := make([]Ordinal, 16)
		for _, o := range orders {
			for _, who := range append([]Principal{{Kind: KindEveryone}}, base.names...) {
				for l := Shared; l <= Full; l++ {
					k := NewWalk(Scope{Who: Principals{names: []Principal{who}}, Level: l, Order: o, To: uint32(base.Len())})
					for seen := 0; ; {
						n := k.Next(buf)
						if seen += n; n == 0 {
							break
						}
						if seen > base.Len() {
							t.Fatal("a walk has more than there is")
						}
						for _, i := range buf[:n] {
							if int(i) >= base.Len() || o.Ordinal(o.Position(i)) != i {
								t.Fatalf("ordinal %d of %d", i, base.Len())
							}
							o.Listed(i)
						}
					}
					k.Close()
				}
			}
			o.grants(func() {})
		}
	})
}

// flatBytes and flatOf carry a Flat of two orders at most through bytes: numbers
// of 16 bits.
func flatBytes(f Flat) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(f.N))
	list := func(n int, at func(int) uint64) {
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		for i := range n {
			b = binary.BigEndian.AppendUint64(b, at(i))
		}
	}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(f.Names))), f.Names...)
	for i := range f.Orders {
		o := &f.Orders[i]
		list(len(o.Perm), func(i int) uint64 { return uint64(o.Perm[i]) })
		list(len(o.From), func(i int) uint64 { return uint64(o.From[i]) })
		list(len(o.Arena), func(i int) uint64 { return uint64(o.Arena[i]) })
		list(len(o.DenseOf), func(i int) uint64 { return uint64(o.DenseOf[i]) })
		list(len(o.Dense), func(i int) uint64 { return o.Dense[i] })
		for _, s := range o.Sets {
			if s.Full {
				b = append(b, 1)
			} else {
				b = append(b, 0)
			}
			list(len(s.Bits), func(i int) uint64 { return s.Bits[i] })
			list(len(s.List), func(i int) uint64 { return uint64(s.List[i]) })
		}
	}
	return b
}

func flatOf(b []byte) Flat {
	take := func(n int) []byte {
		n = min(n, len(b))
		part := b[:n]
		b = b[n:]
		return part
	}
	number := func() int {
		part := take(2)
		if len(part) < 2 {
			return 0
		}
		return int(binary.BigEndian.Uint16(part))
	}
	longs := func() (list []uint64) {
		part := take(8 * number())
		for ; len(part) >= 8; part = part[8:] {
			list = append(list, binary.BigEndian.Uint64(part))
		}
		return list
	}
	shorts := func() (list []uint32) {
		for _, v := range longs() {
			list = append(list, uint32(v))
		}
		return list
	}
	f := Flat{N: number()}
	f.Names = take(number())
	for len(b) > 0 && len(f.Orders) < 2 {
		var o FlatOrder
		for _, v := range shorts() {
			o.Perm = append(o.Perm, Ordinal(v))
		}
		o.From, o.Arena, o.DenseOf, o.Dense = shorts(), shorts(), shorts(), longs()
		for s := range o.Sets {
			o.Sets[s] = FlatSet{Full: len(b) > 0 && take(1)[0] == 1, Bits: longs(), List: shorts()}
		}
		f.Orders = append(f.Orders, o)
	}
	return f
}

package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"postern/acl"
	"postern/engine/query"
)

// What came after a base is found in every order, piece by piece, at its place,
// and what is dead shows to nobody.
func TestLateOrders(t *testing.T) {
	r := rand.New(rand.NewPCG(20261124, 1))
	byN, err := query.ParseSort([]byte(`{"n":-1}`))
	if err != nil {
		t.Fatal(err)
	}
	for world := range 20 {
		k := newContents()
		pos := acl.Position(0)
		put := func(id string) {
			at := pos
			if old, ok := k.get(id); ok {
				at = old.pos
			} else {
				pos++
			}
			a := &acl.ACL{Creator: fmt.Sprint("u", r.IntN(5))}
			n := fmt.Sprint(r.IntN(20))
			if r.IntN(6) == 0 {
				n = "[" + n + ",7]"
			}
			e := newEntity(id, fmt.Appendf(nil, `{"_id":%q,"n":%s`, id, n), at, a, []byte(`{"creator":"u"}`), 1, 1)
			k.replace(id, e, r.IntN(10) > 0)
		}
		change := func() {
			k = k.draft()
			for range r.IntN(30) {
				id := fmt.Sprint("e", r.IntN(300))
				if _, ok := k.get(id); ok && r.IntN(4) == 0 {
					k.replace(id, nil, false)
				} else {
					put(id)
				}
			}
		}
		for round := range 60 {
			if r.IntN(3) == 0 { // a draft that is let go
				was := k
				change()
				k = was
			}
			change()
			k.freeze()
			if round == 20 || r.IntN(25) == 0 {
				b := k.rebuild([]query.Sort{byID, byN}, func() {})
				k = k.onto(b)
				k.freeze()
			}
			for order := range k.base.orders {
				if r.IntN(3) > 0 { // most are asked for some changes later
					k.checkLate(t, order)
				}
			}
			k.check(func(format string, args ...any) { t.Errorf("world %d: "+format, append([]any{world}, args...)...) },
				func(id string) bool { i, _ := k.ordinal(id); return k.listed(i) })
			if t.Failed() {
				return
			}
		}
	}
}

// checkLate compares what is late in an order with sorting it.
func (k *contents) checkLate(t *testing.T, order int) {
	t.Helper()
	o, of := k.sorted(order), k.base.orders[order]
	var want []acl.Ordinal
	for i, r := range k.late {
		if r.e != nil && !k.lateDead.Has(uint32(i)) {
			want = append(want, acl.Ordinal(i))
		}
	}
	slices.SortFunc(want, func(a, b acl.Ordinal) int { return of.compare(k.late[a].e, k.late[b].e) })
	var got []acl.Ordinal
	for i := range o.Len() {
		before, late := o.At(i)
		if r := k.late[late]; (o.ACL(late) != nil) != (r.listed && !k.lateDead.Has(uint32(late))) {
			t.Errorf("%q at %d shows %v", r.id, i, o.ACL(late))
		}
		if k.lateDead.Has(uint32(late)) {
			continue
		}
		got = append(got, late)
		if at := o.Find(late); at != i {
			t.Errorf("order %q: what is at %d is found at %d", of.name, i, at)
		}
		e := k.late[late].e
		if p := int(before); p > 0 && of.compare(k.base.entity(of.sets.Ordinal(uint32(p-1))), e) > 0 || p < k.base.len() && of.compare(k.base.entity(of.sets.Ordinal(before)), e) < 0 {
			t.Errorf("order %q: %q comes before position %d", of.name, e.id, before)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("order %q: %v late; want %v", of.name, got, want)
	}
	if len(o.few) > fewMost {
		t.Errorf("%d outside the piece", len(o.few))
	}
	var bent, aside []acl.Ordinal
	for i, r := range k.late {
		if r.e != nil && !k.lateDead.Has(uint32(i)) && of.name != "" && !of.sort.LeadsPlainly(documentOf(r.e)) {
			bent = append(bent, acl.Ordinal(i))
		}
	}
	only, without := bentLate{o}, plainLate{o}
	for i := range only.Len() {
		_, late := only.At(i)
		if only.Find(late) != i || without.Find(late) != -1 || without.ACL(late) != nil {
			t.Errorf("what is set aside %d-th is not", i)
		}
		if !k.lateDead.Has(uint32(late)) {
			aside = append(aside, late)
		}
	}
	if !slices.Equal(aside, bent) {
		t.Errorf("order %q: %v are set aside; want %v", of.name, aside, bent)
	}
}

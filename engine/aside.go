package engine

import (
	"slices"

	"postern/acl"
)

// An order has a document with an array where it looks first at one place only,
// by the least or the greatest element, and a filter may be met by any of them.
// So parts of an order are walked without such documents; they are set aside,
// and who asks for a part has those of them that he may see matched one by one.
// Which way is taken for the rest does not depend on them.
type aside struct {
	places *acl.Dead // in the order
	acl    *acl.Base // who may read each of ordering.bent
}

// setAside completes an order that has its sets.
func (b *base) setAside(o *ordering, pause func()) {
	if len(o.bent) == 0 {
		return
	}
	grants := acl.NewBuilder(len(o.bent))
	places := make([]uint32, len(o.bent))
	for at, i := range o.bent {
		places[at] = o.sets.Position(i)
		if b.orders[0].sets.Listed(i) {
			grants.Add(b.entity(i).acl)
		} else {
			grants.Add(nil)
		}
		pause()
	}
	o.aside = &aside{places: (*acl.Dead)(nil).With(places), acl: grants.Base()}
}

// freezeAside marks in what is set aside what a draft has killed.
func (k *contents) freezeAside() {
	notPlain, dead := slices.Clone(k.notPlain), slices.Clone(k.deadAside)
	for o, of := range k.base.orders {
		if of.aside == nil {
			continue
		}
		var places, bent []uint32
		for _, i := range k.killed {
			places = append(places, of.sets.Position(acl.Ordinal(i)))
			if at, ok := slices.BinarySearch(of.bent, acl.Ordinal(i)); ok {
				bent = append(bent, uint32(at))
			}
		}
		notPlain[o], dead[o] = notPlain[o].With(places), dead[o].With(bent)
	}
	k.notPlain, k.deadAside = notPlain, dead
}

// plainLate is what is late in an order without what is set aside.
type plainLate struct{ *lateOrder }

func (l plainLate) isBent(late acl.Ordinal) bool {
	_, bent := slices.BinarySearch(l.bent, late)
	return bent
}

func (l plainLate) ACL(late acl.Ordinal) *acl.ACL {
	if l.isBent(late) {
		return nil
	}
	return l.lateOrder.ACL(late)
}

func (l plainLate) Find(late acl.Ordinal) int {
	if l.isBent(late) {
		return -1
	}
	return l.lateOrder.Find(late)
}

// bentLate is what is late and set aside, in the order in which it came.
type bentLate struct{ *lateOrder }

func (l bentLate) Len() int { return len(l.bent) }

func (l bentLate) At(i int) (uint32, acl.Ordinal) { return 0, l.bent[i] }

func (l bentLate) Find(late acl.Ordinal) int {
	at, ok := slices.BinarySearch(l.bent, late)
	if !ok {
		return -1
	}
	return at
}

// hasAside tells whether an order has documents that are set aside, whoever may
// see them.
func (k *contents) hasAside(order int, late *lateOrder) bool {
	return k.base.orders[order].aside != nil || len(late.bent) > 0
}

// asideOrdinal returns the ordinal of what walkAside has yielded.
func (k *contents) asideOrdinal(order int, i acl.Ordinal) acl.Ordinal {
	bent := k.base.orders[order].bent
	if n := acl.Ordinal(len(bent)); i >= n {
		return acl.Ordinal(k.base.len()) + i - n
	}
	return bent[i]
}

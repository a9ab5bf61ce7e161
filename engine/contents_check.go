package engine

import (
	"postern/acl"
	"postern/engine/document"
)

// check compares the sets, the orders and the way from ids with what the
// entities say. listed tells who is to be seen in lists.
func (k *contents) check(say func(string, ...any), listed func(id string) bool) {
	n := acl.Ordinal(k.base.len())
	natural := k.dead[0]
	for o, of := range k.base.orders {
		diff := of.sets.Diff(func(i acl.Ordinal) (*acl.ACL, bool) {
			if natural.Has(uint32(i)) {
				return nil, false
			}
			e := k.base.entity(i)
			if !listed(e.id) {
				return nil, true
			}
			return e.acl, true
		})
		if diff != "" {
			say("the index %q of the base differs from the entities: %s (I6)", of.name, diff)
		}
		if k.dead[o].Len() != natural.Len() {
			say("the order %q has %d dead, that of creation %d", of.name, k.dead[o].Len(), natural.Len())
		}
		natural.Each(func(p uint32) {
			if !k.dead[o].Has(of.sets.Position(acl.Ordinal(p))) {
				say("entity %d lives on in the order %q", p, of.name)
			}
		})
		k.checkOrder(o, say)
		k.checkAside(o, say, listed)
	}
	live := 0
	for i, r := range k.late {
		if r.e == nil || k.lateDead.Has(uint32(i)) {
			continue
		}
		live++
		if at, ok := k.ordinal(r.id); !ok || at != n+acl.Ordinal(i) {
			say("entity %q is not at its position %d", r.id, i)
		}
	}
	diff := k.recent.Diff(acl.Ordinal(len(k.late)), func(late acl.Ordinal) *acl.ACL {
		r := &k.late[late]
		seen := r.listed // as it was when it was added, if it is dead
		if r.e != nil && !k.lateDead.Has(uint32(late)) {
			seen = listed(r.id)
		}
		if !seen {
			return nil
		}
		return r.e.acl
	})
	if diff != "" {
		say("the index differs from the entities: %s (I6)", diff)
	}
	for i := range n {
		if natural.Has(uint32(i)) {
			continue
		}
		live++
		if at, ok := k.ordinal(k.base.entity(i).id); !ok || at != i {
			say("entity %q is not at its position %d", k.base.entity(i).id, i)
		}
	}
	if live != k.live {
		say("%d entities live, %d counted", live, k.live)
	}
}

// checkOrder sees to it that an order goes upwards and leaves nothing out.
func (k *contents) checkOrder(order int, say func(string, ...any)) {
	of := k.base.orders[order]
	count := 0
	var last *entity
	k.merged(order, func(i acl.Ordinal) bool {
		count++
		e := k.at(i)
		if last != nil && of.compare(last, e) >= 0 {
			say("in the order %q entity %q is not at its position: it comes after %q", of.name, e.id, last.id)
		}
		last = e
		return true
	})
	if count != k.live {
		say("the order %q has %d entities of %d", of.name, count, k.live)
	}
}

// checkAside compares what is set aside from an order with the documents.
func (k *contents) checkAside(order int, say func(string, ...any), listed func(id string) bool) {
	of := k.base.orders[order]
	at, dead := 0, 0
	for i := range acl.Ordinal(k.base.len()) {
		bent := of.name != "" && !of.sort.LeadsPlainly(document.Trusted(k.base.rows.body(i)))
		isDead := k.dead[order].Has(of.sets.Position(i))
		if has := k.notPlain[order].Has(of.sets.Position(i)); of.aside != nil && has != (bent || isDead) {
			say("in the order %q entity %d is left out of parts: %v", of.name, i, has)
		}
		if !bent {
			continue
		}
		if at >= len(of.bent) || of.bent[at] != i {
			say("in the order %q entity %d is not set aside", of.name, i)
			return
		}
		if k.deadAside[order].Has(uint32(at)) != isDead {
			say("entity %d, which is set aside from the order %q, is dead: %v", i, of.name, isDead)
		}
		at++
		if isDead {
			dead++
		}
	}
	if at != len(of.bent) || dead != k.deadAside[order].Len() || (at > 0) != (of.aside != nil) {
		say("%d are set aside from the order %q, and %d of them dead; should be %d and %d", len(of.bent), of.name, k.deadAside[order].Len(), at, dead)
		return
	}
	if at == 0 {
		return
	}
	diff := of.aside.acl.Natural().Diff(func(at acl.Ordinal) (*acl.ACL, bool) {
		e := k.base.entity(of.bent[at])
		switch {
		case k.dead[0].Has(uint32(of.bent[at])):
			return nil, false
		case !listed(e.id):
			return nil, true
		}
		return e.acl, true
	})
	if diff != "" {
		say("the index of what is set aside from the order %q differs from the entities: %s (I6)", of.name, diff)
	}
}

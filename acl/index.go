package acl

import (
	"fmt"

	"github.com/tidwall/btree"
)

// A Position is the place of an entity in the order of creation in its
// collection. It stays when the entity changes and is never given to another.
type Position uint32

// A Change is what happened to the ACL of one entity: Old is nil when the
// entity is new, New is nil when it is gone. Old must be what the Index was
// last told.
type Change struct {
	Pos      Position
	Old, New *ACL
}

// An Index holds, as sets of positions, what Decide would say about reading
// every entity of one collection (I6). It may narrow, it never grants. It is
// immutable: Apply returns a new one that shares what did not change. A nil
// *Index is empty.
//
// Levels are not in it. What an entity says for everyone is kept as two sets,
// one for levels by which users read and one for those by which they do not,
// so that changing the level of a collection touches no entity, and a stream
// walks no set whose entities it must not show.
type Index struct {
	all   *postings              // every entity
	on    *postings              // gr is on: read by every user at any level
	open  *postings              // gr is not off: read by every user where the level lets users read
	named *btree.BTreeG[posting] // whom an entity names for reading -> those entities
}

// postings is a set of positions. It is a type of its own because btree copies
// every value that has a method Copy whenever it copies a node.
type postings struct{ set btree.Set[Position] }

// A posting is the set of entities that name one principal. It is never empty.
type posting struct {
	who Principal
	at  *postings
}

func postingLess(a, b posting) bool { return a.who.less(b.who) }

func (p *postings) len() int {
	if p == nil {
		return 0
	}
	return p.set.Len()
}

func (p *postings) has(at Position) bool { return p != nil && p.set.Contains(at) }

// An edit puts a position into a set or takes it out.
type edit struct {
	at  Position
	put bool
}

// edited returns p with the edits made in order, and nil when nothing is left.
// p itself stays as it was.
func (p *postings) edited(edits []edit) *postings {
	if len(edits) == 0 {
		return p
	}
	n := new(postings)
	if p != nil {
		n.set = *p.set.Copy()
	}
	for _, e := range edits {
		if e.put {
			n.set.Load(e.at) // appends when at is the greatest so far, as it is in a bulk load
		} else {
			n.set.Delete(e.at)
		}
	}
	if n.set.Len() == 0 {
		return nil
	}
	return n
}

// Apply returns the index after the changes, made in order. It must be called
// by one goroutine at a time, and on the newest index only or, to drop what was
// made from it, on the one before; all older ones stay readable meanwhile. The
// cost is O(names in the changes · log n). Nothing of changes is kept but the
// strings of the names.
func (ix *Index) Apply(changes []Change) *Index {
	var all, on, open []edit
	named := map[Principal][]edit{}
	var before, after []Principal
	for _, c := range changes {
		if c.Old == c.New {
			continue
		}
		all = toggle(all, c.Pos, c.Old != nil, c.New != nil)
		on = toggle(on, c.Pos, c.Old.inOn(), c.New.inOn())
		open = toggle(open, c.Pos, c.Old.inOpen(), c.New.inOpen())
		before, after = c.Old.readers(before), c.New.readers(after)
		differ(before, after, func(who Principal, put bool) {
			named[who] = append(named[who], edit{c.Pos, put})
		})
	}
	n := ix.copy()
	n.all, n.on, n.open = n.all.edited(all), n.on.edited(on), n.open.edited(open)
	for who, edits := range named {
		old, _ := n.named.Get(posting{who: who})
		if at := old.at.edited(edits); at != nil {
			n.named.Set(posting{who, at})
		} else {
			n.named.Delete(posting{who: who})
		}
	}
	return n
}

// copy returns an index whose fields may be set; the sets are still shared.
func (ix *Index) copy() *Index {
	if ix == nil {
		return &Index{named: btree.NewBTreeGOptions(postingLess, btree.Options{NoLocks: true})}
	}
	n := *ix
	n.named = ix.named.Copy()
	return &n
}

// inOn and inOpen tell in which of the two sets for everyone an entity is.
func (a *ACL) inOn() bool   { return a != nil && a.everyone(Read) == On }
func (a *ACL) inOpen() bool { return a != nil && a.everyone(Read) != Off }

func toggle(edits []edit, at Position, was, is bool) []edit {
	if was == is {
		return edits
	}
	return append(edits, edit{at, is})
}

// differ calls fn for every principal that is in only one of the sorted lists:
// with put false for those of before, with put true for those of after.
func differ(before, after []Principal, fn func(who Principal, put bool)) {
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].less(after[0]):
			fn(before[0], false)
			before = before[1:]
		case len(before) == 0 || after[0].less(before[0]):
			fn(after[0], true)
			after = after[1:]
		default:
			before, after = before[1:], after[1:]
		}
	}
}

// Len returns the number of entities.
func (ix *Index) Len() int {
	if ix == nil {
		return 0
	}
	return ix.all.len()
}

// Equal tells whether both hold the same.
func (ix *Index) Equal(other *Index) bool { return ix.Diff(other) == "" }

// Diff returns the first difference from other in one line, and "" when there
// is none. It is for checking an index against one built anew.
func (ix *Index) Diff(other *Index) string {
	a, b := ix.copy(), other.copy()
	for _, s := range []struct {
		name string
		a, b *postings
	}{{"all", a.all, b.all}, {"gr on", a.on, b.on}, {"gr not off", a.open, b.open}} {
		if d := s.a.diff(s.b); d != "" {
			return s.name + ": " + d
		}
	}
	theirs := b.named.Iter()
	more := theirs.First()
	diff := ""
	a.named.Scan(func(p posting) bool {
		switch q := theirs.Item(); {
		case !more || p.who.less(q.who):
			diff = fmt.Sprintf("%v: other has none", p.who)
		case q.who.less(p.who):
			diff = fmt.Sprintf("%v: only other has it", q.who)
		default:
			if d := p.at.diff(q.at); d != "" {
				diff = fmt.Sprintf("%v: %s", p.who, d)
			}
			more = theirs.Next()
		}
		return diff == ""
	})
	if diff == "" && more {
		diff = fmt.Sprintf("%v: only other has it", theirs.Item().who)
	}
	return diff
}

func (p *postings) diff(q *postings) string {
	if p.len() != q.len() {
		return fmt.Sprintf("%d entities, other has %d", p.len(), q.len())
	}
	if p == q || p == nil {
		return ""
	}
	a, b := p.set.Keys(), q.set.Keys()
	for i := range a {
		if a[i] != b[i] {
			return fmt.Sprintf("position %d, other has %d", a[i], b[i])
		}
	}
	return ""
}

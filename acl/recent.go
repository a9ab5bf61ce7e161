package acl

import (
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"sync/atomic"
)

// A Recent holds what a Base holds, of the entities that came after it: who may
// read each of them, by late ordinal. It only grows, so all views since the Base
// share one: a reader says how many entities his view has and is told of no
// others. What an entity was changed to is a new entity, and that the old one is
// dead is not noted here.
//
// One goroutine at a time adds, and any number of them read meanwhile without
// locks. The zero Recent is empty. So is a nil one, for reading.
type Recent struct {
	n    Ordinal // how many were added; readers leave it alone
	on   rows    // gr is on: read by every user at any level
	open rows    // gr is not off: read by every user where the level lets users read

	// Whom entities name for reading. A table that is full is replaced by a
	// larger one with the same lists.
	names atomic.Pointer[nameTable]
}

// Add adds the next entity; views that have it must be published afterwards. A
// nil ACL is an entity that nobody is to see. Nothing of a is kept but the names.
// It is O(names).
func (r *Recent) Add(a *ACL) {
	at := r.n
	r.n++
	if a == nil {
		return
	}
	if a.inOn() {
		r.on.add(at)
	}
	if a.inOpen() {
		r.open.add(at)
	}
	creator, users, groups := a.named(Read)
	r.of(Principal{KindUser, creator}).add(at)
	for _, id := range users {
		r.of(Principal{KindUser, id}).add(at)
	}
	for _, id := range groups {
		r.of(Principal{KindGroup, id}).add(at)
	}
}

// Len returns how many were added. It is for the goroutine that adds.
func (r *Recent) Len() int { return int(r.n) }

// readable returns the entities before to that who may read, by itself, at level
// l: ascending, with those that are dead. The list is borrowed.
func (r *Recent) readable(who Principal, l Level, to Ordinal) []Ordinal {
	switch {
	case r == nil:
		return nil
	case who.Kind == KindEveryone && l.grants(Read):
		return r.open.before(to)
	case who.Kind == KindEveryone:
		return r.on.before(to)
	}
	return r.names.Load().find(who).before(to)
}

// Diff compares the lists with what the entities before to say and returns the
// first difference in one line, "" when there is none. what returns the ACL of
// an entity as it was added.
func (r *Recent) Diff(to Ordinal, what func(late Ordinal) *ACL) string {
	want := new(Recent)
	for i := range to {
		want.Add(what(i))
	}
	if d := diffRows("gr on", r.on.before(to), want.on.before(to)); d != "" {
		return d
	}
	if d := diffRows("gr not off", r.open.before(to), want.open.before(to)); d != "" {
		return d
	}
	has, should := r.names.Load(), want.names.Load()
	for _, table := range [...]*nameTable{should, has} {
		for who := range table.each() {
			if d := diffRows(who.String(), has.find(who).before(to), should.find(who).before(to)); d != "" {
				return d
			}
		}
	}
	return ""
}

func diffRows(name string, has, should []Ordinal) string {
	for i := range min(len(has), len(should)) {
		if has[i] != should[i] {
			return fmt.Sprintf("%s: entity %d, should be %d", name, has[i], should[i])
		}
	}
	if len(has) != len(should) {
		return fmt.Sprintf("%s: %d entities, should be %d", name, len(has), len(should))
	}
	return ""
}

// rows is an ascending list that grows at its end while it is read. It must not
// be copied.
type rows struct {
	n     atomic.Uint32             // how many of the array are in the list
	array atomic.Pointer[[]Ordinal] // replaced by a larger one when it is full

	// The first array, and what points to it: most lists are short.
	first []Ordinal
	few   [4]Ordinal
}

// add appends at, which no element is greater than, unless it is the last.
func (l *rows) add(at Ordinal) {
	n := l.n.Load()
	if n == 0 {
		l.first = l.few[:]
		l.array.Store(&l.first)
	}
	list := *l.array.Load()
	switch {
	case n > 0 && list[n-1] == at:
		return
	case int(n) == len(list):
		grown := make([]Ordinal, 2*len(list))
		copy(grown, list)
		l.array.Store(&grown)
		list = grown
	}
	list[n] = at
	l.n.Store(n + 1) // last: who sees it sees the element and an array that has it
}

// before returns the elements below to.
func (l *rows) before(to Ordinal) []Ordinal {
	if l == nil {
		return nil
	}
	n := l.n.Load() // before the array, which must have as many
	if n == 0 {
		return nil
	}
	list := (*l.array.Load())[:n:n]
	if list[n-1] >= to {
		at, _ := slices.BinarySearch(list, to)
		list = list[:at]
	}
	return list
}

// A nameTable finds lists by their principals. It is open: a list stands at the
// first free slot from its hash on, and stays there. One slot at least is free.
type nameTable struct {
	slots []atomic.Pointer[namedRows] // a power of two
	taken int                         // for the goroutine that adds
}

// namedRows are the entities that name a principal.
type namedRows struct {
	who  Principal
	hash uint64
	rows
}

// fewNames is how many slots a table has at first.
const fewNames = 16

// Clients choose the names, so where they stand is not to be foreseen.
var nameSeed = maphash.MakeSeed()

func (p Principal) hash() uint64 { return maphash.String(nameSeed, p.ID) + uint64(p.Kind) }

// place returns the slot where who stands, or the free one where it is to.
func (t *nameTable) place(who Principal, hash uint64) *atomic.Pointer[namedRows] {
	for at := hash; ; at++ {
		slot := &t.slots[at%uint64(len(t.slots))]
		if n := slot.Load(); n == nil || n.hash == hash && n.who == who {
			return slot
		}
	}
}

// find returns the list of who, nil when there is none.
func (t *nameTable) find(who Principal) *rows {
	if t == nil {
		return nil
	}
	if n := t.place(who, who.hash()).Load(); n != nil {
		return &n.rows
	}
	return nil
}

// each yields every principal that has a list.
func (t *nameTable) each() iter.Seq[Principal] {
	return func(yield func(Principal) bool) {
		if t == nil {
			return
		}
		for i := range t.slots {
			if n := t.slots[i].Load(); n != nil && !yield(n.who) {
				return
			}
		}
	}
}

// of returns the list of who for adding to it.
func (r *Recent) of(who Principal) *rows {
	t := r.names.Load()
	if t == nil || t.taken >= len(t.slots)/4*3 {
		t = t.larger()
		r.names.Store(t)
	}
	hash := who.hash()
	slot := t.place(who, hash)
	n := slot.Load()
	if n == nil {
		n = &namedRows{who: who, hash: hash}
		slot.Store(n)
		t.taken++
	}
	return &n.rows
}

// larger returns a table of twice the size with the same lists.
func (t *nameTable) larger() *nameTable {
	if t == nil {
		return &nameTable{slots: make([]atomic.Pointer[namedRows], fewNames)}
	}
	n := &nameTable{slots: make([]atomic.Pointer[namedRows], 2*len(t.slots)), taken: t.taken}
	for i := range t.slots {
		if list := t.slots[i].Load(); list != nil {
			n.place(list.who, list.hash).Store(list)
		}
	}
	return n
}

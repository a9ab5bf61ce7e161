package acl

import (
	"math/bits"
	"slices"
	"sync"
)

// Late is what came after a Base, as one order has it: entities with ordinals
// from the Base's length on.
type Late interface {
	// Len returns how many there are in the order. Some may be dead: gone, or
	// changed again.
	Len() int
	// At returns the i-th in the order: before which position of the Base it
	// comes, and which it is, counted from the end of the Base.
	At(i int) (before uint32, late Ordinal)
	// ACL returns what one of them says, nil when nobody is to see it or it is
	// dead.
	ACL(late Ordinal) *ACL
	// Find returns the place of one of them in the order, -1 when it has none
	// because it is dead.
	Find(late Ordinal) int
}

// A Scope says which part of a collection a Walk goes through, as whom.
type Scope struct {
	Who   Principals
	Level Level
	Order *Ordering
	Dead  *Dead // positions of Order to leave out; nil: none

	// Positions of the Base from From to before To, and what is Late from
	// LateFrom to before LateTo.
	From, To         uint32
	Late             Late // nil: none
	LateFrom, LateTo int
	Recent           *Recent // of the same as Late, and perhaps of more; nil: it is not used
	RecentTo         Ordinal // what is there from here on came after the view
}

const (
	// gatherMost is up to how many grants are copied and sorted rather than
	// merged block by block.
	gatherMost = 512
	// A reader who sees less than one in lateShare of what is late has it looked
	// up rather than looking at each.
	lateShare = 8
)

// A Walk yields what the holder of some Principals may read, in an order, block
// by block and no further than it is asked: it is the union of the sets of
// those principals, less what is dead, merged with what is late. It belongs to
// one goroutine. Walks are pooled: Close gives one back.
type Walk struct {
	walk
	bits page // what is left of the block, from word on; not cleared between walks
}

// A walk is what of a Walk is made anew for each.
type walk struct {
	Scope
	lists []list
	words [][]uint64
	full  bool

	at    uint32   // where the next block begins
	base  uint32   // where the block in bits begins
	word  int      // the next word of it to look at
	small []uint32 // instead of blocks: what is left
	few   bool     // small is used

	next     int         // in late
	recent   [][]Ordinal // what Recent has for him
	chosen   []int       // places of the late ones that he sees, when they were looked up
	isChosen bool
	late     uint32 // of the late one that comes next: before which position
	lateIs   Ordinal
	lateNone bool // no late one comes any more

	touched int
	spare   []uint32
}

// A list is a set in form of a list, and how far it was read.
type list struct {
	of []uint32
	at int
}

var walks = sync.Pool{New: func() any { return new(Walk) }}

// NewWalk begins a walk.
func NewWalk(s Scope) *Walk {
	w := walks.Get().(*Walk)
	w.walk = walk{
		Scope: s, at: s.From, base: s.From, word: len(w.bits),
		lists: w.lists[:0], words: w.words[:0], recent: w.recent[:0], chosen: w.chosen[:0], spare: w.spare,
		next: s.LateFrom,
	}
	w.begin()
	return w
}

// Close gives the walk back. It must not be used any more.
func (w *Walk) Close() {
	clear(w.lists)
	clear(w.words)
	clear(w.recent)
	w.walk = walk{lists: w.lists[:0], words: w.words[:0], recent: w.recent[:0], chosen: w.chosen[:0], spare: w.spare[:0]}
	walks.Put(w)
}

// Touched returns how many grants, words and late entities were looked at.
func (w *Walk) Touched() int { return w.touched }

// begin finds the sets.
func (w *Walk) begin() {
	total := 0
	if w.Order != nil && w.From < w.To {
		if w.Who.root {
			total = w.take(w.Order.all)
		}
		for _, who := range w.Who.names {
			switch {
			case who.Kind == KindEveryone && w.Level.grants(Read):
				total += w.take(w.Order.open)
			case who.Kind == KindEveryone:
				total += w.take(w.Order.on)
			default:
				if k, ok := w.Order.base.number[who]; ok {
					total += w.take(w.Order.set(k))
				}
			}
		}
	}
	w.few = !w.full && len(w.words) == 0 && total <= gatherMost
	if w.few {
		w.gather()
	}
	w.chooseLate()
	w.nextLate()
}

// take adds a set and returns how many of its positions are in the interval,
// where it is a list.
func (w *Walk) take(s set) int {
	switch {
	case s.full:
		w.full = true
	case s.bits != nil:
		w.words = append(w.words, s.bits)
	default:
		l := s.list
		if w.From > 0 {
			at, _ := slices.BinarySearch(l, w.From)
			l = l[at:]
		}
		if int(w.To) < w.Order.base.n {
			at, _ := slices.BinarySearch(l, w.To)
			l = l[:at]
		}
		if len(l) > 0 {
			w.lists = append(w.lists, list{of: l})
		}
		return len(l)
	}
	return 0
}

// gather takes the whole union when it is small.
func (w *Walk) gather() {
	w.small = w.spare[:0]
	for _, l := range w.lists {
		w.small = append(w.small, l.of...)
	}
	w.touched += len(w.small)
	slices.Sort(w.small)
	w.small = slices.Compact(w.small)
	if w.Dead.Len() > 0 {
		w.small = slices.DeleteFunc(w.small, w.Dead.Has)
	}
	w.spare = w.small
}

// chooseLate looks up which late ones he sees when they are few. How many they
// are is counted of his own alone, dead ones included.
func (w *Walk) chooseLate() {
	if w.Late == nil || w.Recent == nil || w.Who.root || w.LateFrom >= w.LateTo {
		return
	}
	total, most := 0, (w.LateTo-w.LateFrom)/lateShare
	for _, who := range w.Who.names {
		list := w.Recent.readable(who, w.Level, w.RecentTo)
		if total += len(list); total > most {
			return
		}
		w.recent = append(w.recent, list)
	}
	w.isChosen, w.next = true, 0
	for _, list := range w.recent {
		for _, late := range list {
			place := w.Late.Find(late)
			if place >= w.LateFrom && place < w.LateTo && w.Late.ACL(late) != nil {
				w.chosen = append(w.chosen, place)
			}
		}
	}
	w.touched += total
	slices.Sort(w.chosen)
	w.chosen = slices.Compact(w.chosen)
}

// nextLate finds the late one that comes next.
func (w *Walk) nextLate() {
	if w.isChosen {
		if w.lateNone = w.next == len(w.chosen); !w.lateNone {
			w.late, w.lateIs = w.Late.At(w.chosen[w.next])
			w.next++
		}
		return
	}
	for ; w.Late != nil && w.next < w.LateTo; w.next++ {
		w.touched++
		before, late := w.Late.At(w.next)
		if w.Who.reads(w.Late.ACL(late), w.Level) {
			w.late, w.lateIs = before, late
			w.next++
			return
		}
	}
	w.lateNone = true
}

// reads tells whether the holder of p may read an entity: the same as being in
// one of the sets of p's names.
func (p Principals) reads(a *ACL, l Level) bool {
	switch {
	case a == nil:
		return false
	case p.root:
		return true
	case len(p.names) == 0:
		return false
	}
	if s := a.everyone(Read); p.names[0].Kind == KindEveryone && (s == On || s == Unset && l.grants(Read)) {
		return true
	}
	creator, users, groups := a.named(Read)
	for _, who := range p.names {
		switch {
		case who.Kind == KindUser && (who.ID == creator || slices.Contains(users, who.ID)),
			who.Kind == KindGroup && slices.Contains(groups, who.ID):
			return true
		}
	}
	return false
}

// peek returns the next position of the Base; it stays the next.
func (w *Walk) peek() (uint32, bool) {
	if w.few {
		if len(w.small) == 0 {
			return 0, false
		}
		return w.small[0], true
	}
	for {
		for ; w.word < len(w.bits); w.word++ {
			if word := w.bits[w.word]; word != 0 {
				return w.base + uint32(w.word*64+bits.TrailingZeros64(word)), true
			}
		}
		if !w.fill() {
			return 0, false
		}
	}
}

// fill makes the next block. Blocks lie as the pages of Dead do.
func (w *Walk) fill() bool {
	if !w.full && len(w.words) == 0 {
		// Nothing but lists: go to the block where the next of them is.
		least := w.To
		for i := range w.lists {
			if l := &w.lists[i]; l.at < len(l.of) {
				least = min(least, l.of[l.at])
			}
		}
		w.at = max(w.at, least)
	}
	if w.at >= w.To {
		return false
	}
	number := int(w.at / pagePositions)
	w.base = uint32(number) * pagePositions
	end := min(w.To, w.base+pagePositions)
	if w.full {
		for i := range w.bits {
			w.bits[i] = ^uint64(0)
		}
	} else {
		clear(w.bits[:])
		for _, set := range w.words {
			from := int(w.base / 64)
			for i, word := range set[from:min(len(set), from+len(w.bits))] {
				w.bits[i] |= word
			}
		}
		for i := range w.lists {
			l := &w.lists[i]
			for l.at < len(l.of) && l.of[l.at] < end {
				p := l.of[l.at] - w.base
				w.bits[p/64] |= 1 << (p % 64)
				l.at++
				w.touched++
			}
		}
	}
	if dead := w.Dead.page(number); dead != nil {
		for i, word := range dead {
			w.bits[i] &^= word
		}
	}
	w.touched += len(w.bits)
	w.word = int(w.at-w.base) / 64
	w.bits[w.word] &= ^uint64(0) << (w.at % 64)
	if last := end - w.base; last < pagePositions {
		w.bits[last/64] &= 1<<(last%64) - 1
		clear(w.bits[last/64+1:])
	}
	w.at = end
	return true
}

// Next fills buf with the next ordinals and returns how many: 0 only at the
// end, or when buf is empty.
func (w *Walk) Next(buf []Ordinal) int {
	n := 0
	for n < len(buf) {
		p, ok := w.peek()
		switch {
		case !w.lateNone && (!ok || w.late <= p):
			buf[n] = w.lateOrdinal()
			w.nextLate()
		case ok && w.few:
			buf[n] = w.Order.Ordinal(p)
			w.small = w.small[1:]
		case ok:
			n += w.takeWord(buf[n:])
			continue
		default:
			return n
		}
		n++
	}
	return n
}

// takeWord fills buf with what is left of the word where the next position is, up
// to the next late one, and returns how many: at least one.
func (w *Walk) takeWord(buf []Ordinal) int {
	limit := w.To
	if !w.lateNone {
		limit = min(limit, w.late)
	}
	first, word := w.base+uint32(w.word*64), w.bits[w.word]
	n := 0
	for ; word != 0 && n < len(buf); n++ {
		p := first + uint32(bits.TrailingZeros64(word))
		if p >= limit {
			break
		}
		buf[n] = w.Order.Ordinal(p)
		word &= word - 1
	}
	w.bits[w.word] = word
	return n
}

func (w *Walk) lateOrdinal() Ordinal {
	if w.Order == nil {
		return w.lateIs
	}
	return Ordinal(w.Order.base.n) + w.lateIs
}

// Skip passes over the next n, or all that are left, and returns how many. A
// negative n is 0.
func (w *Walk) Skip(n int) int {
	done := 0
	for done < n {
		p, ok := w.peek()
		if !ok && w.lateNone {
			break
		}
		// As many as come before the next late one, in whole words.
		if ok && (w.lateNone || p < w.late) {
			limit := w.To
			if !w.lateNone {
				limit = min(limit, w.late)
			}
			done += w.skipBase(n-done, limit)
			continue
		}
		w.nextLate()
		done++
	}
	return done
}

// skipBase passes over at most n positions of the block, below limit.
func (w *Walk) skipBase(n int, limit uint32) int {
	done := 0
	if w.few {
		for done < n && len(w.small) > 0 && w.small[0] < limit {
			w.small = w.small[1:]
			done++
		}
		return done
	}
	for ; w.word < len(w.bits) && done < n; w.word++ {
		first := w.base + uint32(w.word*64)
		word := w.bits[w.word]
		if first+64 > limit || done+bits.OnesCount64(word) > n {
			for word != 0 && done < n && first+uint32(bits.TrailingZeros64(word)) < limit {
				word &= word - 1
				done++
			}
			w.bits[w.word] = word
			return done
		}
		done += bits.OnesCount64(word)
		w.bits[w.word] = 0
	}
	return done
}

// Count returns how many are left. It consumes nothing.
func (w *Walk) Count() int {
	n := w.countLate()
	if w.few {
		return n + len(w.small)
	}
	for _, word := range w.bits[min(w.word, len(w.bits)):] {
		n += bits.OnesCount64(word)
	}
	ahead := *w
	ahead.lists = append([]list(nil), w.lists...)
	for ahead.fill() {
		for _, word := range ahead.bits[ahead.word:] {
			n += bits.OnesCount64(word)
		}
	}
	w.touched = ahead.touched
	return n
}

func (w *Walk) countLate() int {
	if w.lateNone {
		return 0
	}
	if w.isChosen {
		return 1 + len(w.chosen) - w.next
	}
	n := 1
	for i := w.next; i < w.LateTo; i++ {
		_, late := w.Late.At(i)
		if w.Who.reads(w.Late.ACL(late), w.Level) {
			n++
		}
	}
	w.touched += w.LateTo - w.next
	return n
}

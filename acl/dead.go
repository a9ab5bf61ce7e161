package acl

import "slices"

// pagePositions is how many positions a page of a Dead, and a block of a Walk,
// has.
const pagePositions = 1 << 14

type page [pagePositions / 64]uint64

// A Dead marks positions of one Ordering whose entities have changed or gone
// since. It is immutable; nil marks none.
type Dead struct {
	pages []*page // nil: none in there
	n     int
}

// With returns d with more positions marked. It copies the pages that change.
func (d *Dead) With(positions []uint32) *Dead {
	if len(positions) == 0 {
		return d
	}
	n := new(Dead)
	if d != nil {
		n.n = d.n
		n.pages = slices.Clone(d.pages)
	}
	mine := make(map[uint32]bool, 8)
	for _, p := range positions {
		at := p / pagePositions
		for int(at) >= len(n.pages) {
			n.pages = append(n.pages, nil)
		}
		if !mine[at] {
			mine[at] = true
			c := new(page)
			if old := n.pages[at]; old != nil {
				*c = *old
			}
			n.pages[at] = c
		}
		w, bit := &n.pages[at][p%pagePositions/64], uint64(1)<<(p%64)
		if *w&bit == 0 {
			*w |= bit
			n.n++
		}
	}
	return n
}

// Len returns how many are marked.
func (d *Dead) Len() int {
	if d == nil {
		return 0
	}
	return d.n
}

// Has tells whether a position is marked.
func (d *Dead) Has(p uint32) bool {
	w := d.page(int(p / pagePositions))
	return w != nil && w[p%pagePositions/64]&(1<<(p%64)) != 0
}

func (d *Dead) page(at int) *page {
	if d == nil || at >= len(d.pages) {
		return nil
	}
	return d.pages[at]
}

// Each calls fn for every marked position, ascending.
func (d *Dead) Each(fn func(p uint32)) {
	if d == nil {
		return
	}
	for at, words := range d.pages {
		if words == nil {
			continue
		}
		set{bits: words[:]}.each(0, func(p uint32) { fn(uint32(at)*pagePositions + p) })
	}
}

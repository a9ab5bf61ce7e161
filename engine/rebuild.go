package engine

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// rebuild makes a base of all that k holds, in the order of creation and in
// those of sorts. k is published and stays as it is. pause is called often, so
// that the work can be spread.
func (k *contents) rebuild(sorts []query.Sort, pause func()) *base {
	n, many := k.base.len(), k.live
	b := &base{rows: packed{at: make([]uint64, 0, many)}}
	repack := b.keepChunks(k)
	old := k.base.acl.Grants(pause)
	grants := old.Next(many)
	to := make([]acl.Ordinal, n+len(k.late)) // ordinal in k -> in b
	k.merged(0, func(i acl.Ordinal) bool {
		to[i] = acl.Ordinal(len(b.rows.at))
		switch {
		case int(i) >= n:
			r := &k.late[int(i)-n]
			b.rows.at = append(b.rows.at, b.rows.put(packedOf(r.e)))
			if r.listed {
				grants.Add(r.e.acl)
			} else {
				grants.Add(nil)
			}
		case repack:
			b.rows.at = append(b.rows.at, b.rows.put(k.base.rows.row(i)))
			grants.AddFrom(old, i)
		default:
			b.rows.at = append(b.rows.at, k.base.rows.at[i])
			grants.AddFrom(old, i)
		}
		pause()
		return true
	})
	runtime.KeepAlive(k) // what was copied may have been mapped
	b.finish(grants, pause)
	if len(sorts) == 0 {
		return b
	}
	again := b.acl.Grants(pause)
	for _, s := range sorts {
		known := slices.IndexFunc(k.base.orders, func(o *ordering) bool { return o.name == s.Name() })
		var o *ordering
		if known > 0 {
			o = k.reorder(b, known, to, pause)
		} else {
			o = b.order(s, pause)
		}
		o.sets = again.Order(o.perm)
		b.setAside(o, pause)
		b.orders = append(b.orders, o)
		pause()
	}
	return b
}

// keepChunks takes over the chunks of the base, unless too much of them is of
// rows that are dead, and makes room for what is late.
func (b *base) keepChunks(k *contents) (repack bool) {
	live, late := k.base.rows.live, 0
	k.dead[0].Each(func(p uint32) { live -= k.base.rows.size(acl.Ordinal(p)) })
	for i, r := range k.late {
		if r.e != nil && !k.lateDead.Has(uint32(i)) {
			late += packedHead + len(r.e.row)
		}
	}
	b.rows.live = live + late
	if live < k.base.rows.bytes/2 || len(k.base.rows.chunks) > mostChunks {
		return true
	}
	for _, c := range k.base.rows.chunks {
		b.rows.chunks = append(b.rows.chunks, slices.Clip(c))
	}
	b.rows.places = k.base.rows.places
	b.rows.bytes = k.base.rows.bytes
	if late > 0 {
		b.rows.chunks = append(b.rows.chunks, make([]byte, 0, min(late, chunkBytes)))
	}
	return false
}

// mostChunks is how many chunks there are before they are packed anew.
const mostChunks = 1 << 12

// reorder makes the order of k with a number the one of b, by merging what is
// late into it. to leads from the ordinals of k to those of b.
func (k *contents) reorder(b *base, order int, to []acl.Ordinal, pause func()) *ordering {
	was := k.base.orders[order]
	late := k.sorted(order)
	o := &ordering{name: was.name, sort: was.sort}
	o.perm = make([]acl.Ordinal, 0, b.len())
	o.prefix = make([]uint64, 0, b.len())
	n := acl.Ordinal(k.base.len())
	var key []byte
	k.merged(order, func(i acl.Ordinal) bool {
		o.perm = append(o.perm, to[i])
		if i < n {
			o.prefix = append(o.prefix, was.prefix[was.sets.Position(i)])
		} else {
			key = o.sort.AppendKey(key[:0], documentOf(k.at(i)))
			o.prefix = append(o.prefix, prefixOf(key))
		}
		pause()
		return true
	})
	for _, i := range was.bent {
		if !k.dead[0].Has(uint32(i)) {
			o.bent = append(o.bent, to[i])
		}
	}
	for _, i := range late.bent {
		if !k.lateDead.Has(uint32(i)) {
			o.bent = append(o.bent, to[n+i])
		}
	}
	slices.Sort(o.bent)
	return o
}

// order makes a new order of b.
func (b *base) order(s query.Sort, pause func()) *ordering {
	type place struct {
		prefix uint64
		i      acl.Ordinal
	}
	const run = 1 << 12 // sorted at once
	o := &ordering{name: s.Name(), sort: s, prefix: make([]uint64, b.len()), perm: make([]acl.Ordinal, b.len())}
	all := make([]place, b.len())
	var key, other []byte
	for i := range all {
		doc := document.Trusted(b.rows.body(acl.Ordinal(i)))
		key = s.AppendKey(key[:0], doc)
		all[i] = place{prefixOf(key), acl.Ordinal(i)}
		if !s.LeadsPlainly(doc) {
			o.bent = append(o.bent, acl.Ordinal(i))
		}
		pause()
	}
	compare := func(x, y place) int {
		if x.prefix != y.prefix {
			return cmp.Compare(x.prefix, y.prefix)
		}
		key = s.AppendKey(key[:0], document.Trusted(b.rows.body(x.i)))
		other = s.AppendKey(other[:0], document.Trusted(b.rows.body(y.i)))
		return cmp.Or(bytes.Compare(key, other), cmp.Compare(x.i, y.i))
	}
	for some := range slices.Chunk(all, run) {
		slices.SortFunc(some, compare)
		pause()
	}
	spare := make([]place, len(all))
	for size := run; size < len(all); size *= 2 {
		for from := 0; from < len(all); from += 2 * size {
			mid, end := min(from+size, len(all)), min(from+2*size, len(all))
			x, y, out := all[from:mid], all[mid:end], spare[from:from]
			for len(x) > 0 && len(y) > 0 {
				if compare(x[0], y[0]) < 0 {
					out, x = append(out, x[0]), x[1:]
				} else {
					out, y = append(out, y[0]), y[1:]
				}
				pause()
			}
			_ = append(append(out, x...), y...)
		}
		all, spare = spare, all
	}
	for p, of := range all {
		o.perm[p], o.prefix[p] = of.i, of.prefix
	}
	runtime.KeepAlive(b) // keys were made of rows that may be mapped
	return o
}

// onto returns contents that hold what is in b, a rebuild of k. They are a draft.
func (k *contents) onto(b *base) *contents {
	n := newContents()
	n.base, n.live = b, b.len()
	n.forOrders()
	return n
}

// follow brings into a draft the rows of other's late that are in a range.
func (k *contents) follow(other *contents, from, to int) {
	for _, r := range other.late[from:to] {
		k.replace(r.id, r.e, r.listed)
	}
}

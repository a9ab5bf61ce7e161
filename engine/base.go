package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"runtime"
	"slices"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
	"postern/engine/store"
)

// A base is the bulk of a collection, frozen: what its entities were at one
// moment. It is immutable and free of pointers to single entities. An entity's
// ordinal in it goes by the order of creation. What has changed since is beside
// it in contents.
type base struct {
	acl    *acl.Base
	rows   packed
	ids    idTable
	orders []*ordering // the order of creation first; never changed in place
	last   acl.Position
}

func (b *base) len() int {
	if b == nil {
		return 0
	}
	return len(b.rows.at)
}

// An ordering is one order of a base.
type ordering struct {
	name   string // of sort; "" is the order of creation
	sort   query.Sort
	sets   *acl.Ordering
	perm   []acl.Ordinal // what sets were made with
	prefix []uint64      // of the key at each position: its first bytes
	bent   []acl.Ordinal // documents with an array where the order looks first, ascending
	aside  *aside        // of them; nil: there are none
}

// orderNamed returns the number of an order, -1 when there is none.
func (b *base) orderNamed(name string) int {
	return slices.IndexFunc(b.orders, func(o *ordering) bool { return o.name == name })
}

// sorts returns the orders after that of creation.
func (b *base) sorts() []query.Sort {
	var all []query.Sort
	for _, o := range b.orders[1:] {
		all = append(all, o.sort)
	}
	return all
}

// compare orders two entities, which are not equal.
func (o *ordering) compare(a, b *entity) int {
	if o.name != "" {
		if c := o.sort.Compare(documentOf(a), documentOf(b)); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.pos, b.pos)
}

// entity returns an entity as a value of its own, which may be kept for longer
// than the base: the row of a mapped chunk is copied.
func (b *base) entity(i acl.Ordinal) *entity {
	r := b.rows.row(i)
	if b.rows.isMapped(i) {
		r.value = bytes.Clone(r.value)
	}
	id := document.Trusted(r.body()).Get("_id").Text()
	e, err := decodeEntity(id, r.value, r.seq, r.index)
	if err != nil {
		panic("an entity that was packed does not unpack: " + err.Error()) // it was decoded when it was packed
	}
	runtime.KeepAlive(b)
	return e
}

// position is the place of an entity in the order of creation.
func (r packedRow) position() acl.Position { return acl.Position(binary.BigEndian.Uint32(r.value[1:])) }

// packed is rows one after the other in large chunks. Chunks are only added, and
// those of a base that is in use do not change any more. A chunk may be mapped
// from a file. Then what borrows from it is valid for as long as the packed can
// be reached: a request holds its view, which holds the base, to its end, and
// who has nothing of the kind says runtime.KeepAlive.
type packed struct {
	chunks [][]byte
	places []place  // of the chunks, from the first on, in files; the rest are in none
	at     []uint64 // of each ordinal: number of the chunk, offset in it
	bytes  int      // in the chunks, in all
	live   int      // of those, the rows that at leads to
}

// A place is where in a file a chunk stands as well as in memory, or instead.
type place struct {
	file   *rowsFile // nil: in none
	offset int64
	crc    uint32
	mapped bool // the chunk is read in place
}

// A row stands in a chunk as: Seq (8), index (4), where in the value the
// body begins (4), length of the value (4), value.
const packedHead = 20

// Chunks begin small, so that a small collection takes little.
const (
	firstChunk = 16 << 10
	chunkBytes = 16 << 20
)

// A packedRow is a stored entity that was not decoded. It borrows.
type packedRow struct {
	value  []byte
	bodyAt uint32
	seq    store.Seq
	index  uint32
}

// isMapped tells whether the row of an entity is read from a file.
func (p *packed) isMapped(i acl.Ordinal) bool {
	c := int(p.at[i] >> 32)
	return c < len(p.places) && p.places[c].mapped
}

// size returns the bytes that a row takes.
func (p *packed) size(i acl.Ordinal) int {
	at := p.at[i]
	return packedHead + int(binary.LittleEndian.Uint32(p.chunks[at>>32][uint32(at)+16:]))
}

// grants returns the ACL of the row, read into s and borrowed.
func (r packedRow) grants(s *acl.Scratch) *acl.ACL {
	a, err := s.Decode(r.value[entityFixed:r.bodyAt])
	if err != nil {
		panic("an entity that was packed does not unpack: " + err.Error()) // it was decoded when it was packed
	}
	return a
}

func (r packedRow) body() []byte { return r.value[r.bodyAt:] }

func (p *packed) row(i acl.Ordinal) packedRow {
	at := p.at[i]
	b := p.chunks[at>>32][uint32(at):]
	n := binary.LittleEndian.Uint32(b[16:])
	return packedRow{
		value:  b[packedHead : packedHead+n : packedHead+n],
		bodyAt: binary.LittleEndian.Uint32(b[12:]),
		seq:    store.Seq(binary.LittleEndian.Uint64(b)),
		index:  binary.LittleEndian.Uint32(b[8:]),
	}
}

// body returns what is served, without the rest: the way of lists.
func (p *packed) body(i acl.Ordinal) []byte {
	at := p.at[i]
	b := p.chunks[at>>32][uint32(at):]
	end := packedHead + binary.LittleEndian.Uint32(b[16:])
	return b[packedHead+binary.LittleEndian.Uint32(b[12:]) : end : end]
}

// bodies is body for several ordinals; many are of places that no cache has. So
// first all that says where they are is read, which the processor can wait for
// at once as nothing of it depends on the others, then the beginnings of the
// lines of memory that they take, then nobody waits any more.
func (p *packed) bodies(dst [][]byte, of []acl.Ordinal) {
	var at [pageBatch]uint64
	for k, i := range of {
		at[k] = p.at[i]
	}
	for k := range of {
		b := p.chunks[at[k]>>32][uint32(at[k]):]
		end := packedHead + binary.LittleEndian.Uint32(b[16:])
		dst[k] = b[packedHead+binary.LittleEndian.Uint32(b[12:]) : end : end]
	}
	var sum byte
	for _, b := range dst[:len(of)] {
		for n := 0; n < min(len(b), fetched); n += cacheLine {
			sum += b[n]
		}
	}
	p.sink(sum)
}

// pageBatch is how many bodies are looked for at once, at most.
const pageBatch = 64

const (
	cacheLine = 64
	fetched   = 1 << 10 // of a body; what comes after it the processor fetches by itself
)

// sink keeps what was read from being left out as useless.
//
//go:noinline
func (p *packed) sink(byte) {}

// put adds a row and returns where it is.
func (p *packed) put(r packedRow) uint64 {
	size := packedHead + len(r.value)
	last := len(p.chunks) - 1
	if last < 0 || len(p.chunks[last])+size > cap(p.chunks[last]) {
		p.chunks = append(p.chunks, make([]byte, 0, max(size, min(chunkBytes, max(firstChunk, p.bytes)))))
		last++
	}
	c := p.chunks[last]
	at := uint64(last)<<32 | uint64(len(c))
	c = binary.LittleEndian.AppendUint64(c, uint64(r.seq))
	c = binary.LittleEndian.AppendUint32(c, r.index)
	c = binary.LittleEndian.AppendUint32(c, r.bodyAt)
	c = binary.LittleEndian.AppendUint32(c, uint32(len(r.value)))
	p.chunks[last] = append(c, r.value...)
	p.bytes += size
	return at
}

// packedOf returns the row of an entity.
func packedOf(e *entity) packedRow {
	return packedRow{value: e.row, bodyAt: e.bodyAt, seq: e.seq, index: e.index}
}

// An idTable finds ordinals by id. It holds no ids: who asks compares. A slot is
// 0 or an ordinal plus one, with as many bits of the id's hash above it as there
// is room for, so that hardly any but the right one has to be compared.
type idTable struct {
	key   idKey
	slots []uint32 // a power of two of them
	low   uint32   // the bits of a slot that are the ordinal's
}

func newIDTable(n int) idTable {
	size := 4
	for size < n+n/2 {
		size *= 2
	}
	return idTable{processKey, make([]uint32, size), lowBits(n)}
}

// lowBits are those that the numbers to n take.
func lowBits(n int) uint32 { return 1<<bits.Len(uint(n)) - 1 }

func (t idTable) add(id []byte, i acl.Ordinal) {
	hash := t.key.hash(id)
	at := int(hash) & (len(t.slots) - 1)
	for t.slots[at] != 0 {
		at = (at + 1) & (len(t.slots) - 1)
	}
	t.slots[at] = uint32(hash>>32)&^t.low | (uint32(i) + 1)
}

// find returns the entity with the id. One that is there no more is found as
// well.
func (b *base) find(id string) (acl.Ordinal, bool) {
	if b == nil {
		return 0, false
	}
	t := &b.ids
	hash := t.key.text(id)
	at := int(hash) & (len(t.slots) - 1)
	defer runtime.KeepAlive(b)
	for ; t.slots[at] != 0; at = (at + 1) & (len(t.slots) - 1) {
		slot := t.slots[at]
		if (slot^uint32(hash>>32))&^t.low != 0 {
			continue
		}
		i := acl.Ordinal(slot&t.low - 1)
		if document.Trusted(b.rows.body(i)).Get("_id").TextIs(id) {
			return i, true
		}
	}
	return 0, false
}

// before returns at which position of the order an entity with this key and
// place of creation is or would be.
func (b *base) before(o *ordering, key []byte, at acl.Position, scratch *[]byte) uint32 {
	if o.name == "" {
		return b.beforeCreation(at)
	}
	first := prefixOf(key)
	from, ok := slices.BinarySearch(o.prefix, first)
	if !ok {
		return uint32(from)
	}
	// Among those that begin alike the whole keys decide.
	to := len(o.prefix)
	if first != ^uint64(0) {
		n, _ := slices.BinarySearch(o.prefix[from:], first+1)
		to = from + n
	}
	// The last of them first: what is new often comes behind all others.
	for mid := to - 1; from < to; mid = int(uint(from+to) >> 1) {
		r := b.rows.row(o.sets.Ordinal(uint32(mid)))
		*scratch = o.sort.AppendKey((*scratch)[:0], document.Trusted(r.body()))
		if c := bytes.Compare(*scratch, key); c < 0 || c == 0 && r.position() < at {
			from = mid + 1
		} else {
			to = mid
		}
	}
	runtime.KeepAlive(b)
	return uint32(from)
}

func (b *base) beforeCreation(at acl.Position) uint32 {
	n := b.len()
	if n == 0 || at > b.last {
		return uint32(n)
	}
	from, to := 0, n
	for from < to {
		mid := int(uint(from+to) >> 1)
		if b.rows.row(acl.Ordinal(mid)).position() < at {
			from = mid + 1
		} else {
			to = mid
		}
	}
	runtime.KeepAlive(b)
	return uint32(from)
}

// prefixOf returns the first eight bytes of a key as a number in their order.
func prefixOf(key []byte) uint64 {
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"postern/acl"
	"postern/engine/query"
	"postern/engine/store"
)

// The file of a snapshot is flat, so that a start copies nothing and looks at
// no single entity but to see that it is safe:
//
//	"postern base 3\n" and a zero (16), number of sections (4), CRC32C of the
//	table (4), the table: of each section its length (8) and CRC32C (4), a
//	zero (4); the sections, each from a multiple of 8 on
//
// Numbers are little-endian. The first section is a snapshotHead as JSON, the
// second packed.at, then the slots of the id table, the names of acl.Flat, and
// of each order: prefixes, bent, acl.FlatOrder's arrays as they come there, Bits
// and List of each set.
const (
	snapshotMagic = "postern base 3\n\x00"
	sectionEntry  = 16
	fixedSections = 4
	orderSections = 7 + 2*3
	mostSections  = fixedSections + orderSections*64
)

// A snapshotHead says what a snapshot is of, and holds what is small.
type snapshotHead struct {
	Store      string    `json:"store"`
	App        uint32    `json:"app"`
	Collection uint32    `json:"collection"`
	Seq        store.Seq `json:"seq"`  // of the record whose state it is
	Hash       []byte    `json:"hash"` // of that record

	Entities  int          `json:"entities"`
	Check     []byte       `json:"check"` // countRow
	Groups    []headGroup  `json:"groups"`
	Overrides int          `json:"overrides"` // how many ACLs say more than a creator
	IDs       idKey        `json:"ids"`
	Last      acl.Position `json:"last"`
	Live      int          `json:"live"` // of packed
	Orders    []headOrder  `json:"orders"`
	Chunks    []headChunk  `json:"chunks"`
}

// A headGroup is how many ACLs name a group.
type headGroup struct {
	ID []byte `json:"id"`
	N  int    `json:"n"`
}

type headOrder struct {
	Sort []byte  `json:"sort"` // its name
	Full [3]bool `json:"full"` // which of the sets are everything
}

// A headChunk is where the rows of a chunk are.
type headChunk struct {
	File   uint64 `json:"file"` // number of the rows file
	Offset int64  `json:"offset"`
	Bytes  int    `json:"bytes"`
	CRC    uint32 `json:"crc"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sections returns what a base consists of, in the order of the file. It fills
// in what the head says of it; the arrays are shared.
func (b *base) sections(head *snapshotHead) [][]byte {
	orders := make([]*acl.Ordering, len(b.orders))
	for i, o := range b.orders {
		orders[i] = o.sets
	}
	flat := b.acl.Flat(orders)
	head.Entities, head.IDs, head.Last, head.Live = b.len(), b.ids.key, b.last, b.rows.live
	all := [][]byte{nil, bytesOf(b.rows.at), bytesOf(b.ids.slots), flat.Names}
	for i, o := range b.orders {
		f := &flat.Orders[i]
		h := headOrder{Sort: []byte(o.name)}
		all = append(all, bytesOf(o.prefix), bytesOf(o.bent), bytesOf(f.Perm), bytesOf(f.From), bytesOf(f.Arena), bytesOf(f.DenseOf), bytesOf(f.Dense))
		for s, set := range f.Sets {
			h.Full[s] = set.Full
			all = append(all, bytesOf(set.Bits), bytesOf(set.List))
		}
		head.Orders = append(head.Orders, h)
	}
	all[0] = encodeRow(head)
	return all
}

// writeSections writes the file of a snapshot.
func writeSections(w *pacedFile, all [][]byte) error {
	table := make([]byte, 0, sectionEntry*len(all))
	for _, s := range all {
		sum, err := w.checksum(s)
		if err != nil {
			return err
		}
		table = binary.LittleEndian.AppendUint64(table, uint64(len(s)))
		table = binary.LittleEndian.AppendUint32(table, sum)
		table = binary.LittleEndian.AppendUint32(table, 0)
	}
	begin := binary.LittleEndian.AppendUint32([]byte(snapshotMagic), uint32(len(all)))
	begin = binary.LittleEndian.AppendUint32(begin, crc32.Checksum(table, castagnoli))
	if err := w.write(append(begin, table...)); err != nil {
		return err
	}
	for _, s := range all {
		if err := w.write(s); err != nil {
			return err
		}
		if err := w.write(make([]byte, -len(s)&7)); err != nil {
			return err
		}
	}
	return nil
}

var errSnapshot = errors.New("it is damaged")

// splitSections is the reverse of writeSections; b is aligned. What it returns
// has its checksums and shares b.
func splitSections(b []byte) ([][]byte, error) {
	const begin = len(snapshotMagic) + 8
	if len(b) < begin || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errors.New("it is not of this version")
	}
	n := int(binary.LittleEndian.Uint32(b[len(snapshotMagic):]))
	at := begin + sectionEntry*n
	if n < fixedSections || n > mostSections || at > len(b) {
		return nil, errSnapshot
	}
	table := b[begin:at]
	if crc32.Checksum(table, castagnoli) != binary.LittleEndian.Uint32(b[len(snapshotMagic)+4:]) {
		return nil, errSnapshot
	}
	all := make([][]byte, n)
	for i := range all {
		entry := table[sectionEntry*i:]
		size := binary.LittleEndian.Uint64(entry)
		if size > uint64(len(b)-at) {
			return nil, errSnapshot
		}
		s := b[at : at+int(size) : at+int(size)]
		if crc32.Checksum(s, castagnoli) != binary.LittleEndian.Uint32(entry[8:]) {
			return nil, errSnapshot
		}
		all[i] = s
		at = min(at+(len(s)+7)&^7, len(b))
	}
	if at != len(b) {
		return nil, errSnapshot
	}
	return all, nil
}

// decodeHead reads the first section.
func decodeHead(section []byte) (*snapshotHead, countRow, error) {
	d := json.NewDecoder(bytes.NewReader(section))
	d.DisallowUnknownFields()
	head := new(snapshotHead)
	if err := d.Decode(head); err != nil {
		return nil, countRow{}, fmt.Errorf("its head does not parse: %w", err)
	}
	check, err := decodeCount(head.Check)
	if err != nil || head.Entities <= 0 || uint64(head.Entities) != check.Count ||
		head.Overrides < 0 || head.Overrides > head.Entities || len(head.Hash) != len(store.Hash{}) {
		return nil, countRow{}, errSnapshot
	}
	return head, check, nil
}

// decodeBase makes the base of a head, its sections and its rows. What does not
// fit together, or could lead beyond an array, is an error.
func decodeBase(head *snapshotHead, all [][]byte, chunks [][]byte) (*base, error) {
	n := head.Entities
	if len(all) != fixedSections+orderSections*len(head.Orders) || len(head.Orders) < 2 {
		return nil, errSnapshot
	}
	b := &base{last: head.Last}
	b.rows = packed{chunks: chunks, at: wordsOf[uint64](all[1]), live: head.Live}
	b.ids = idTable{head.IDs, wordsOf[uint32](all[2]), lowBits(n)}
	flat := acl.Flat{N: n, Names: all[3]}
	all = all[fixedSections:]
	for i, h := range head.Orders {
		s, err := query.ParseName(string(h.Sort))
		if err != nil {
			return nil, err
		}
		o := &ordering{name: s.Name(), sort: s, prefix: wordsOf[uint64](all[0]), bent: wordsOf[acl.Ordinal](all[1])}
		if b.orderNamed(o.name) >= 0 || i > 0 && len(o.prefix) != n || !slices.IsSorted(o.prefix) || !ascending(o.bent, n) {
			return nil, errSnapshot
		}
		f := acl.FlatOrder{
			Perm: wordsOf[acl.Ordinal](all[2]), From: wordsOf[uint32](all[3]), Arena: wordsOf[uint32](all[4]),
			DenseOf: wordsOf[uint32](all[5]), Dense: wordsOf[uint64](all[6]),
		}
		for s := range f.Sets {
			f.Sets[s] = acl.FlatSet{Full: h.Full[s], Bits: wordsOf[uint64](all[7+2*s]), List: wordsOf[uint32](all[8+2*s])}
		}
		o.perm = f.Perm
		flat.Orders = append(flat.Orders, f)
		b.orders = append(b.orders, o)
		all = all[orderSections:]
	}
	if b.orders[0].name != "" || b.orders[1].name != byID.Name() {
		return nil, errSnapshot
	}
	decoded, orders, err := flat.Base()
	if err != nil {
		return nil, err
	}
	b.acl = decoded
	for i, o := range orders {
		b.orders[i].sets = o
	}
	if err := b.rows.safe(n, b.last); err != nil {
		return nil, err
	}
	for _, o := range b.orders {
		b.setAside(o, func() {})
	}
	return b, b.ids.safe(n)
}

// ascending tells whether ordinals below n come one after the other.
func ascending(of []acl.Ordinal, n int) bool {
	for at, i := range of {
		if int(i) >= n || at > 0 && i <= of[at-1] {
			return false
		}
	}
	return true
}

// safe sees to it that every row is within its chunk, and that they are in the
// order of creation.
func (p *packed) safe(n int, last acl.Position) error {
	p.bytes = 0
	for _, c := range p.chunks {
		p.bytes += len(c)
	}
	if len(p.at) != n || p.live < 0 || p.live > p.bytes {
		return errSnapshot
	}
	before, some := acl.Position(0), false
	for _, at := range p.at {
		number, offset := at>>32, int(uint32(at))
		if number >= uint64(len(p.chunks)) || offset > len(p.chunks[number])-packedHead {
			return errSnapshot
		}
		b := p.chunks[number][offset:]
		bodyAt, size := int(binary.LittleEndian.Uint32(b[12:])), int(binary.LittleEndian.Uint32(b[16:]))
		if size > len(b)-packedHead || bodyAt > size || bodyAt < entityFixed {
			return errSnapshot
		}
		pos := packedRow{value: b[packedHead:]}.position()
		if some && pos <= before {
			return errSnapshot
		}
		before, some = pos, true
	}
	if before != last {
		return errSnapshot
	}
	return nil
}

// safe sees to it that a search ends, at an entity that there is.
func (t idTable) safe(n int) error {
	many := 0
	for _, slot := range t.slots {
		switch i := slot & t.low; {
		case i > uint32(n), i == 0 && slot != 0:
			return errSnapshot
		case i > 0:
			many++
		}
	}
	if size := len(t.slots); many != n || size <= n || size&(size-1) != 0 {
		return errSnapshot
	}
	return nil
}

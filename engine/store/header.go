package store

import (
	"crypto/sha256"
	"encoding/binary"
)

// A header is what is kept of a Record itself: prev, hash, hash of the ops,
// time, how many ops, how many change rows, audit.
type header struct {
	prev, hash, opsHash Hash
	time                int64
	ops, changes        uint32
	audit               []byte
}

const headerFixed = 3*32 + 8 + 4 + 4

func (h *header) sum(s Shard, q Seq) Hash {
	b := make([]byte, 0, 128)
	b = append(b, "postern record 1\n"...)
	b = binary.BigEndian.AppendUint16(b, uint16(s))
	b = binary.BigEndian.AppendUint64(b, uint64(q))
	b = append(b, h.prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.time))
	b = binary.BigEndian.AppendUint32(b, h.ops)
	b = append(b, h.opsHash[:]...)
	d := sha256.New()
	d.Write(b)
	d.Write(h.audit)
	return Hash(d.Sum(nil))
}

func (h *header) append(dst []byte) []byte {
	dst = append(dst, h.prev[:]...)
	dst = append(dst, h.hash[:]...)
	dst = append(dst, h.opsHash[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.time))
	dst = binary.BigEndian.AppendUint32(dst, h.ops)
	dst = binary.BigEndian.AppendUint32(dst, h.changes)
	return append(dst, h.audit...)
}

// openHeader verifies the header stored under key and borrows sealed.
func openHeader(key []byte, want Seq, sealed []byte) (header, error) {
	var h header
	q, _, b, err := unseal(key, sealed)
	if err != nil {
		return h, err
	}
	if q != want || len(b) < headerFixed {
		return h, corrupt(key, "header is not of this record")
	}
	d := decoder{b: b}
	copy(h.prev[:], d.take(32))
	copy(h.hash[:], d.take(32))
	copy(h.opsHash[:], d.take(32))
	h.time = int64(d.u64())
	h.ops, h.changes = d.u32(), d.u32()
	h.audit = d.b
	return h, nil
}

// A base is where the kept history begins: the Seq and Hash of the last
// Record that is not kept any more.
type base struct {
	seq  Seq
	hash Hash
}

func (b base) append(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(b.seq)), b.hash[:]...)
}

func openBase(key, sealed []byte) (base, error) {
	_, _, v, err := unseal(key, sealed)
	if err != nil {
		return base{}, err
	}
	if len(v) != 8+32 {
		return base{}, corrupt(key, "wrong length")
	}
	return base{Seq(binary.BigEndian.Uint64(v)), Hash(v[8:])}, nil
}

// A changeRow holds the changes of a Record, as many as fit, so that a Record
// costs the database few rows more than its state rows. It is stored under the
// index of its first change. Each change is its index, its length, the flags of
// the op, the length of its key, the key without shard, and Before.
type changeRow struct {
	first uint32
	b     []byte
}

const (
	changeRowBytes = 256 << 10 // beyond it a row takes no second change
	changeFixed    = 4 + 4 + 1 + 2
)

func (r *changeRow) fits(o *Op) bool {
	return len(r.b) == 0 || len(r.b)+changeFixed+rowFixed+len(o.Key.ID)+len(o.Before) <= changeRowBytes
}

func (r *changeRow) add(index uint32, o *Op) {
	if len(r.b) == 0 {
		r.first = index
	}
	r.b = binary.BigEndian.AppendUint32(r.b, index)
	r.b = binary.BigEndian.AppendUint32(r.b, uint32(changeFixed-8+rowFixed+len(o.Key.ID)+len(o.Before)))
	r.b = append(r.b, o.flags())
	r.b = binary.BigEndian.AppendUint16(r.b, uint16(rowFixed+len(o.Key.ID)))
	r.b = appendRowKey(r.b, o.Key)
	r.b = append(r.b, o.Before...)
}

// A change is one op as the history keeps it.
type change struct {
	index         uint32
	key           Key
	delete, quiet bool
	before        []byte // borrowed
}

// eachChange calls fn for the changes of the row stored under key, in order.
func eachChange(key []byte, sealed []byte, fn func(change) error) error {
	_, _, q, first := splitKey(key)
	gotSeq, gotFirst, b, err := unseal(key, sealed)
	if err != nil {
		return err
	}
	if gotSeq != q || gotFirst != first || len(b) == 0 {
		return corrupt(key, "change row is not of this record")
	}
	for rows := (decoder{b: b}); len(rows.b) > 0; {
		c := change{index: rows.u32()}
		d := decoder{b: rows.take(int(rows.u32()))}
		flags := d.u8()
		rowKey := d.take(int(d.u16()))
		var ok bool
		c.key, ok = decodeRowKey(rowKey)
		if rows.bad || d.bad || !ok || flags > flagDelete|flagQuiet {
			return corrupt(key, "change row does not parse")
		}
		c.delete, c.quiet = flags&flagDelete != 0, flags&flagQuiet != 0
		if len(d.b) > 0 {
			c.before = d.b
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

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

// A change row: flags of the op, length of its key, key without shard, Before.
func appendChange(dst []byte, o *Op) []byte {
	dst = append(dst, o.flags())
	dst = binary.BigEndian.AppendUint16(dst, uint16(rowFixed+len(o.Key.ID)))
	dst = appendRowKey(dst, o.Key)
	return append(dst, o.Before...)
}

// A change is an opened change row.
type change struct {
	key           Key
	delete, quiet bool
	before        []byte // borrowed
}

func openChange(key []byte, q Seq, index uint32, sealed []byte) (change, error) {
	var c change
	gotSeq, gotIndex, b, err := unseal(key, sealed)
	if err != nil {
		return c, err
	}
	d := decoder{b: b}
	flags := d.u8()
	rowKey := d.take(int(d.u16()))
	var ok bool
	c.key, ok = decodeRowKey(rowKey)
	if d.bad || !ok || gotSeq != q || gotIndex != index || flags > flagDelete|flagQuiet {
		return c, corrupt(key, "change row does not parse")
	}
	c.delete, c.quiet = flags&flagDelete != 0, flags&flagQuiet != 0
	if len(d.b) > 0 {
		c.before = d.b
	}
	return c, nil
}

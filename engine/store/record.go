package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// A Record's encoding is canonical: fixed-width integers, one way to write
// each Record. Version, shard, seq, prev, time, number of ops, the ops, audit.
// An op: flags, app, table, collection, id, value, before; the last three
// preceded by their length.
const (
	recordVersion = 1
	recordFixed   = 1 + 2 + 8 + 32 + 8 + 4 + 4
	opFixed       = 1 + rowFixed + 2 + 4 + 4
	flagDelete    = 1
	flagQuiet     = 2
	// What the store adds to an op: a key and an envelope, twice.
	opStored = 2*(minRowBytes+envelopeBytes+16) + changeBytes
)

// Size returns about how many bytes the Record takes in a transaction; it is
// what MaxRecordBytes bounds.
func (r *Record) Size() int {
	n := len(r.Audit)
	for i := range r.Ops {
		n += r.Ops[i].Size()
	}
	return n
}

// Size returns about how many bytes the op takes in a transaction: its row and
// its change row. It does not depend on the other ops of its Record.
func (o *Op) Size() int {
	return opStored + 2*len(o.Key.ID) + len(o.Value) + len(o.Before)
}

// Check returns ErrTooBig or ErrInvalid when Append would, whatever the head is.
func (r *Record) Check() error {
	total, largest := len(r.Audit), 0
	for i := range r.Ops {
		o := &r.Ops[i]
		if !o.Key.valid() {
			return fmt.Errorf("%w: op %d has the key %s", ErrInvalid, i, o.Key)
		}
		if len(o.Value) > MaxValueBytes || len(o.Before) > MaxValueBytes {
			return fmt.Errorf("%w: op %d has %d + %d bytes", ErrTooBig, i, len(o.Value), len(o.Before))
		}
		n := o.Size()
		total, largest = total+n, max(largest, n)
	}
	switch {
	case r.Shard != theOnlyShard:
		return fmt.Errorf("%w: no shard %d", ErrInvalid, r.Shard)
	case r.Seq == 0:
		return fmt.Errorf("%w: no sequence number", ErrInvalid)
	case len(r.Audit) > MaxValueBytes:
		return fmt.Errorf("%w: audit of %d bytes", ErrTooBig, len(r.Audit))
	case total > MaxRecordBytes && total-largest > MaxBesideBytes:
		return fmt.Errorf("%w: %d bytes", ErrTooBig, total)
	}
	return nil
}

// Hash returns the SHA-256 of everything in the Record but Small. The Prev of
// the next Record is this value.
func (r *Record) Hash() Hash {
	ops := r.opsHash
	if !r.hasOpsHash {
		ops = hashOps(r.Ops)
	}
	h := header{prev: r.Prev, opsHash: ops, time: r.Time, ops: uint32(len(r.Ops)), audit: r.Audit}
	if r.hasOpsHash {
		h.ops = r.opsCount
	}
	return h.sum(r.Shard, r.Seq)
}

func hashOps(ops []Op) Hash {
	h := sha256.New()
	var fixed [64]byte
	for i := range ops {
		ops[i].writeTo(h, fixed[:0])
	}
	return Hash(h.Sum(nil))
}

func (o *Op) writeTo(h hash.Hash, buf []byte) {
	buf = o.appendStart(buf)
	h.Write(buf)
	h.Write([]byte(o.Key.ID))
	h.Write(binary.BigEndian.AppendUint32(buf[:0], uint32(len(o.Value))))
	h.Write(o.Value)
	h.Write(binary.BigEndian.AppendUint32(buf[:0], uint32(len(o.Before))))
	h.Write(o.Before)
}

func (o *Op) flags() byte {
	var f byte
	if o.Value == nil {
		f |= flagDelete
	}
	if o.Quiet {
		f |= flagQuiet
	}
	return f
}

// appendStart appends what stands before the id.
func (o *Op) appendStart(dst []byte) []byte {
	dst = append(dst, o.flags())
	dst = binary.BigEndian.AppendUint32(dst, o.Key.App)
	dst = append(dst, byte(o.Key.Table))
	dst = binary.BigEndian.AppendUint32(dst, o.Key.Collection)
	return binary.BigEndian.AppendUint16(dst, uint16(len(o.Key.ID)))
}

// AppendBinary appends the canonical encoding of a Record that passes Check.
func (r *Record) AppendBinary(dst []byte) []byte {
	dst = append(dst, recordVersion)
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Shard))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Seq))
	dst = append(dst, r.Prev[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Time))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Ops)))
	for i := range r.Ops {
		o := &r.Ops[i]
		dst = o.appendStart(dst)
		dst = append(dst, o.Key.ID...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(o.Value)))
		dst = append(dst, o.Value...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(o.Before)))
		dst = append(dst, o.Before...)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Audit)))
	return append(dst, r.Audit...)
}

// DecodeRecord reads what AppendBinary wrote, all of b and nothing else. The
// Record borrows b. It passes Check and encodes to b again.
func DecodeRecord(b []byte) (*Record, error) {
	d := decoder{b: b}
	if v := d.u8(); d.bad || v != recordVersion {
		return nil, fmt.Errorf("%w: not a record of version %d", ErrInvalid, recordVersion)
	}
	r := &Record{Shard: Shard(d.u16()), Seq: Seq(d.u64())}
	copy(r.Prev[:], d.take(32))
	r.Time = int64(d.u64())
	count := d.u32()
	if d.bad || int64(count)*opFixed > int64(len(d.b)) {
		return nil, fmt.Errorf("%w: cut off", ErrInvalid)
	}
	if count > 0 {
		r.Ops = make([]Op, count)
	}
	for i := range r.Ops {
		if err := r.Ops[i].decode(&d); err != nil {
			return nil, err
		}
	}
	r.Audit = d.blob()
	if d.bad || len(d.b) > 0 {
		return nil, fmt.Errorf("%w: cut off or too long", ErrInvalid)
	}
	return r, r.Check()
}

func (o *Op) decode(d *decoder) error {
	flags := d.u8()
	o.Key = Key{App: d.u32(), Table: Table(d.u8()), Collection: d.u32()}
	o.Key.ID = string(d.take(int(d.u16())))
	o.Value = d.blob()
	o.Before = d.blob()
	if d.bad {
		return fmt.Errorf("%w: cut off", ErrInvalid)
	}
	if flags&flagDelete == 0 && o.Value == nil {
		o.Value = []byte{}
	}
	o.Quiet = flags&flagQuiet != 0
	if flags != o.flags() {
		return fmt.Errorf("%w: flags %#x", ErrInvalid, flags)
	}
	return nil
}

// A decoder takes fields off the front of b; bad once there was too little.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad = true
		return nil
	}
	var out []byte
	out, d.b = d.b[:n:n], d.b[n:]
	return out
}

func (d *decoder) u8() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// blob takes bytes preceded by their length; nil when there are none.
func (d *decoder) blob() []byte {
	n := d.u32()
	if n == 0 || d.bad || int64(n) > int64(len(d.b)) {
		d.bad = d.bad || n > 0
		return nil
	}
	return d.take(int(n))
}

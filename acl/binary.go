package acl

import (
	"encoding/binary"
	"errors"
	"slices"
	"unsafe"
)

// The compact form of an ACL, as it stands before the text of an entity in the
// store:
//
//	head      1 byte: 0 for a nil ACL and then nothing follows; else
//	          16 + GR + 4*GW, where 16 is the version
//	creator   length, bytes
//	readers, writers, reader groups, writer groups
//	          each: number of names, then of each its length and bytes
//
// Numbers are unsigned varints, as short as they can be, so that an ACL has one
// form only.
const binaryVersion = 16

// errBinary is the one error of DecodeBinary.
var errBinary = errors.New("acl: not the binary form of an ACL")

// AppendBinary appends the compact form of a, which may be nil, to dst.
func (a *ACL) AppendBinary(dst []byte) []byte {
	if a == nil {
		return append(dst, 0)
	}
	dst = append(dst, binaryVersion+byte(a.GR)+4*byte(a.GW))
	dst = appendName(dst, a.Creator)
	for _, list := range [...][]string{a.Readers, a.Writers, a.ReaderGroups, a.WriterGroups} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for _, name := range list {
			dst = appendName(dst, name)
		}
	}
	return dst
}

func appendName(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// DecodeBinary reads what AppendBinary has written at the beginning of b and
// returns it with what follows. Nothing borrows b. Any other bytes are an
// error, and never take more memory than they are long.
func DecodeBinary(b []byte) (*ACL, []byte, error) {
	if len(b) > 0 && b[0] == 0 {
		return nil, b[1:], nil
	}
	a := new(ACL)
	d := decoder{rest: b, room: MaxPrincipals}
	if !d.decode(a) {
		return nil, nil, errBinary
	}
	return a, d.rest, nil
}

// A Scratch is room for one ACL that is looked at where it lies. It is used
// again and again, by one goroutine. The zero Scratch is ready.
type Scratch struct {
	acl   ACL
	names []string // what the lists of acl are cut from
}

// Decode reads what AppendBinary has written, all of b, like DecodeBinary. But
// the ACL is s's own until the next call, and its names borrow b. It allocates
// only for more names than s has had yet.
func (s *Scratch) Decode(b []byte) (*ACL, error) {
	if len(b) == 1 && b[0] == 0 {
		return nil, nil
	}
	d := decoder{rest: b, room: MaxPrincipals, scratch: s}
	s.names = s.names[:0]
	if !d.decode(&s.acl) || len(d.rest) > 0 {
		return nil, errBinary
	}
	return &s.acl, nil
}

// keepNames bounds the room for names that a Scratch keeps.
const keepNames = 64

// Forget drops what s holds of the ACLs that it has read.
func (s *Scratch) Forget() {
	if cap(s.names) > keepNames {
		s.names = nil
	}
	clear(s.names[:cap(s.names)])
	s.acl, s.names = ACL{}, s.names[:0]
}

// A decoder takes values from the beginning of rest. After it has failed it
// yields zero values.
type decoder struct {
	rest    []byte
	room    int // names that the lists may yet hold
	failed  bool
	scratch *Scratch // nil: what is taken is copied
}

// decode takes an ACL that is not nil and reports whether it was one.
func (d *decoder) decode(a *ACL) bool {
	if len(d.rest) == 0 {
		return false
	}
	head := d.rest[0]
	d.rest = d.rest[1:]
	a.GR, a.GW = Switch(head&3), Switch(head>>2&3)
	if head&^15 != binaryVersion || a.GR > Off || a.GW > Off {
		return false
	}
	a.Creator = d.name()
	a.Readers, a.Writers = d.names(), d.names()
	a.ReaderGroups, a.WriterGroups = d.names(), d.names()
	return !d.failed
}

// number takes a number that is no greater than what is left to read.
func (d *decoder) number() int {
	n, size := binary.Uvarint(d.rest)
	if d.failed || size <= 0 || size > 1 && d.rest[size-1] == 0 || n > uint64(len(d.rest)-size) {
		d.failed = true
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

func (d *decoder) name() string {
	n := d.number()
	name := d.rest[:n]
	d.rest = d.rest[n:]
	if d.scratch == nil {
		return string(name)
	}
	return unsafe.String(unsafe.SliceData(name), n)
}

func (d *decoder) names() []string {
	n := d.number()
	if d.room -= n; d.room < 0 {
		d.failed = true
	}
	if n == 0 || d.failed {
		return nil
	}
	var list []string
	if s := d.scratch; s != nil {
		from := len(s.names)
		s.names = slices.Grow(s.names, n)[:from+n]
		list = s.names[from : from+n : from+n]
	} else {
		list = make([]string, n)
	}
	for i := range list {
		list[i] = d.name()
	}
	return list
}

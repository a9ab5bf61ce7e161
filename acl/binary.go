package acl

import (
	"encoding/binary"
	"errors"
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
	if len(b) == 0 {
		return nil, nil, errBinary
	}
	head := b[0]
	if head == 0 {
		return nil, b[1:], nil
	}
	a := &ACL{GR: Switch(head & 3), GW: Switch(head >> 2 & 3)}
	if head&^15 != binaryVersion || a.GR > Off || a.GW > Off {
		return nil, nil, errBinary
	}
	d := decoder{rest: b[1:], room: MaxPrincipals}
	a.Creator = d.name()
	a.Readers, a.Writers = d.names(), d.names()
	a.ReaderGroups, a.WriterGroups = d.names(), d.names()
	if d.failed {
		return nil, nil, errBinary
	}
	return a, d.rest, nil
}

// A decoder takes values from the beginning of rest. After it has failed it
// yields zero values.
type decoder struct {
	rest   []byte
	room   int // names that the lists may yet hold
	failed bool
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
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) names() []string {
	n := d.number()
	if d.room -= n; d.room < 0 {
		d.failed = true
	}
	if n == 0 || d.failed {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.name()
	}
	return list
}

package store

import (
	"encoding/binary"
	"hash/crc32"
)

// Every stored value is wrapped: version, Seq, index in the Record, CRC32C of
// the key, the three fields before it and the value, then the value.
const (
	envelopeVersion = 1
	envelopeChecked = 1 + 8 + 4
	envelopeBytes   = envelopeChecked + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal appends the envelope of value, stored under key, to dst.
func seal(dst, key []byte, q Seq, index uint32, value ...[]byte) []byte {
	start := len(dst)
	dst = append(dst, envelopeVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(q))
	dst = binary.BigEndian.AppendUint32(dst, index)
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, dst[start:])
	for _, v := range value {
		sum = crc32.Update(sum, castagnoli, v)
	}
	dst = binary.BigEndian.AppendUint32(dst, sum)
	for _, v := range value {
		dst = append(dst, v...)
	}
	return dst
}

// unseal verifies an envelope and returns what is in it; the value borrows sealed.
func unseal(key, sealed []byte) (q Seq, index uint32, value []byte, err error) {
	if len(sealed) < envelopeBytes {
		return 0, 0, nil, corrupt(key, "value cut off")
	}
	value = sealed[envelopeBytes:]
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, sealed[:envelopeChecked])
	sum = crc32.Update(sum, castagnoli, value)
	if sum != binary.BigEndian.Uint32(sealed[envelopeChecked:]) {
		return 0, 0, nil, corrupt(key, "checksum mismatch")
	}
	if sealed[0] != envelopeVersion {
		return 0, 0, nil, corrupt(key, "unknown envelope version")
	}
	return Seq(binary.BigEndian.Uint64(sealed[1:])), binary.BigEndian.Uint32(sealed[9:]), value, nil
}

func corrupt(key []byte, why string) *CorruptError {
	_, k, _, _ := splitKey(key)
	return &CorruptError{Key: k, Row: describe(key), Why: why}
}

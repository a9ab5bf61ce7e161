package store

import (
	"encoding/binary"
	"fmt"
)

// Stored keys are big-endian so that they sort as their parts do.
// The layout is in doc.go.
const (
	shardBytes   = 2
	rowFixed     = 4 + 1 + 4             // app, table, collection
	ownApp       = 1<<32 - 1             // the app number of the store's own rows
	ownFixed     = shardBytes + 4 + 1    // shard, ownApp, kind
	headerBytes  = ownFixed + 8          // + seq
	changeBytes  = ownFixed + 8 + 4      // + seq, index
	minRowBytes  = shardBytes + rowFixed // a row with an empty ID
	maxRowBytes  = minRowBytes + MaxIDBytes
	kindBase     = 'b' // where the kept history begins
	kindChange   = 'c' // one op of a Record
	kindHeader   = 'h' // one Record
	theOnlyShard = Shard(0)
)

func appendKey(dst []byte, s Shard, k Key) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(s))
	return appendRowKey(dst, k)
}

func appendRowKey(dst []byte, k Key) []byte {
	dst = binary.BigEndian.AppendUint32(dst, k.App)
	dst = append(dst, byte(k.Table))
	dst = binary.BigEndian.AppendUint32(dst, k.Collection)
	return append(dst, k.ID...)
}

func appendOwn(dst []byte, s Shard, kind byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(s))
	dst = binary.BigEndian.AppendUint32(dst, ownApp)
	return append(dst, kind)
}

func baseKey(s Shard) []byte { return appendOwn(nil, s, kindBase) }

func headerKey(s Shard, q Seq) []byte {
	return binary.BigEndian.AppendUint64(appendOwn(make([]byte, 0, headerBytes), s, kindHeader), uint64(q))
}

func changeKey(s Shard, q Seq, index uint32) []byte {
	b := binary.BigEndian.AppendUint64(appendOwn(make([]byte, 0, changeBytes), s, kindChange), uint64(q))
	return binary.BigEndian.AppendUint32(b, index)
}

// A rawKind tells what a stored key names.
type rawKind uint8

const (
	rawUnknown rawKind = iota
	rawRow
	rawBase
	rawHeader
	rawChange
)

// splitKey reads a stored key. For rawRow it fills k, for rawHeader and
// rawChange q and index.
func splitKey(b []byte) (kind rawKind, k Key, q Seq, index uint32) {
	if len(b) < ownFixed || Shard(binary.BigEndian.Uint16(b)) != theOnlyShard {
		return rawUnknown, k, 0, 0
	}
	if binary.BigEndian.Uint32(b[shardBytes:]) == ownApp {
		rest := b[ownFixed:]
		switch {
		case b[ownFixed-1] == kindBase && len(rest) == 0:
			return rawBase, k, 0, 0
		case b[ownFixed-1] == kindHeader && len(rest) == 8:
			return rawHeader, k, Seq(binary.BigEndian.Uint64(rest)), 0
		case b[ownFixed-1] == kindChange && len(rest) == 12:
			return rawChange, k, Seq(binary.BigEndian.Uint64(rest)), binary.BigEndian.Uint32(rest[8:])
		}
		return rawUnknown, k, 0, 0
	}
	k, ok := decodeRowKey(b[shardBytes:])
	if !ok {
		return rawUnknown, k, 0, 0
	}
	return rawRow, k, 0, 0
}

// afterCollection returns a key that comes after all rows which share the
// table and the collection of the row with this key, and before all others that
// come after it.
func afterCollection(raw []byte) []byte {
	next := append([]byte(nil), raw[:minRowBytes]...)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			break
		}
	}
	return next
}

// decodeRowKey reads a key without its shard.
func decodeRowKey(b []byte) (Key, bool) {
	if len(b) < rowFixed || len(b) > rowFixed+MaxIDBytes {
		return Key{}, false
	}
	k := Key{
		App:        binary.BigEndian.Uint32(b),
		Table:      Table(b[4]),
		Collection: binary.BigEndian.Uint32(b[5:]),
		ID:         string(b[rowFixed:]),
	}
	return k, k.valid()
}

func (k Key) valid() bool {
	return k.App <= MaxApp && k.Table <= MaxTable && len(k.ID) <= MaxIDBytes
}

// String names the key for people.
func (k Key) String() string {
	return fmt.Sprintf("app %d table %d collection %d id %q", k.App, k.Table, k.Collection, k.ID)
}

// describe names any stored key for people.
func describe(raw []byte) string {
	switch kind, k, q, index := splitKey(raw); kind {
	case rawRow:
		return k.String()
	case rawBase:
		return "the base of the log"
	case rawHeader:
		return fmt.Sprintf("record %d", q)
	case rawChange:
		return fmt.Sprintf("change %d of record %d", index, q)
	}
	return fmt.Sprintf("key %x", raw)
}

// A Prefix names a range of rows. The zero Prefix is all rows of the store.
// It is comparable.
type Prefix struct{ b string }

// AllRows is every row of the store.
func AllRows() Prefix { return Prefix{} }

// OfApp is every row of an app.
func OfApp(app uint32) Prefix {
	return Prefix{string(binary.BigEndian.AppendUint32(nil, app))}
}

// OfTable is every row of one table of an app.
func OfTable(app uint32, t Table) Prefix {
	return Prefix{string(append(binary.BigEndian.AppendUint32(nil, app), byte(t)))}
}

// OfCollection is every row of one collection in one table of an app.
func OfCollection(app uint32, t Table, collection uint32) Prefix {
	return OfIDs(app, t, collection, "")
}

// OfIDs is the rows of one collection in one table whose IDs begin with begin.
func OfIDs(app uint32, t Table, collection uint32, begin string) Prefix {
	return Prefix{string(appendRowKey(nil, Key{app, t, collection, begin}))}
}

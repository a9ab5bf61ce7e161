package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"path/filepath"
	"strconv"
)

// Badger takes the first unreadable entry of a write-ahead log for its end and
// cuts the file there. That is right for the tail that a crash has torn, and
// for what a power cut has left of pages that were not synced: our journal has
// all of that. It is silent loss for anything else. checkLogs finds out, before
// Badger may cut, whether a log goes on behind an unreadable entry with
// transactions that the journal does not have.
//
// The form (Badger 4): 20 bytes, then entries: meta, user meta, length of key,
// length of value, expiry (varints), key, value, CRC32C of all that,
// big-endian. A transaction is entries with bit 6 of meta and one with bit 7,
// whose key is "!badger!txn" and whose value is the version in decimal.
const (
	logStart     = 20
	logInTxn     = 1 << 6
	logEndTxn    = 1 << 7
	logEndKey    = "!badger!txn"
	logKeySuffix = 8 // the version, inverted
	logMaxHeader = 22
)

// A logState is what checkLog found in one file.
type logState struct {
	last   Seq  // version of the last whole transaction, 0 if there is none
	valid  int  // bytes up to its end
	torn   bool // there is something after it
	first  Seq  // the lowest version of a transaction that ends after it
	newest Seq  // the highest
}

func checkLog(b []byte) logState {
	s := logState{valid: logStart}
	if len(b) < logStart {
		s.valid = len(b)
		return s
	}
	at := logStart
	for at < len(b) {
		e, n := readLogEntry(b[at:])
		if n == 0 {
			break
		}
		at += n
		if e.meta&logEndTxn != 0 {
			s.last, s.valid = e.version(), at
		} else if e.meta&logInTxn == 0 {
			break
		}
	}
	rest := b[s.valid:]
	s.torn = len(bytes.TrimLeft(rest, "\x00")) > 0
	if !s.torn {
		return s
	}
	for from := 0; ; {
		i := bytes.Index(rest[from:], []byte(logEndKey))
		if i < 0 {
			return s
		}
		// The header of an end entry has five bytes: all its varints are short.
		i += from
		from = i + 1
		if i < 5 {
			continue
		}
		if e, n := readLogEntry(rest[i-5:]); n > 0 && e.meta&logEndTxn != 0 {
			v := e.version()
			s.newest = max(s.newest, v)
			if s.first == 0 || v < s.first {
				s.first = v
			}
		}
	}
}

type logEntry struct {
	meta       byte
	key, value []byte
}

// version is that of an entry that ends a transaction.
func (e logEntry) version() Seq {
	n, err := strconv.ParseUint(string(e.value), 10, 64)
	if err != nil || len(e.key) != len(logEndKey)+logKeySuffix {
		return 0
	}
	if math.MaxUint64-binary.BigEndian.Uint64(e.key[len(logEndKey):]) != n {
		return 0
	}
	return Seq(n)
}

// readLogEntry reads the entry at the start of b; n is its length, 0 when
// there is none or it is damaged.
func readLogEntry(b []byte) (e logEntry, n int) {
	if len(b) < 2 {
		return e, 0
	}
	e.meta = b[0]
	at := 2
	var sizes [3]uint64
	for i := range sizes {
		v, w := binary.Uvarint(b[at:min(len(b), logMaxHeader)])
		if w <= 0 {
			return e, 0
		}
		sizes[i] = v
		at += w
	}
	key, value := sizes[0], sizes[1]
	if key == 0 || key > math.MaxUint16 || value > uint64(len(b)) || uint64(at)+key+value+4 > uint64(len(b)) {
		return e, 0
	}
	e.key = b[at : at+int(key)]
	at += int(key)
	e.value = b[at : at+int(value)]
	at += int(value)
	if crc32.Checksum(b[:at], castagnoli) != binary.BigEndian.Uint32(b[at:]) {
		return e, 0
	}
	return e, at + 4
}

// damaged reports whether more was lost than the one transaction that was
// being written: that one may have reached the disk in part, its end included.
func (s logState) damaged() bool {
	if s.last == 0 {
		return s.newest > s.first
	}
	return s.newest > s.last+1
}

// after is the first version that a damaged log has lost.
func (s logState) after() Seq {
	if s.last == 0 {
		return s.first
	}
	return s.last + 1
}

// checkLogs looks at all logs in dir. It returns what damage would make
// Badger lose and the journal cannot bring back, and the files that Badger
// would cut or stumble over.
func checkLogs(dir string, journal *journalState) (torn []string, lost *ErrLost, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return nil, nil, err
	}
	var b []byte
	for _, name := range names {
		b, err = readFile(b, name)
		if err != nil {
			return nil, nil, err
		}
		s := checkLog(b)
		if s.torn {
			torn = append(torn, name)
		}
		if s.damaged() && !journal.holds(s.after(), s.newest) {
			lost = &ErrLost{
				Missing: s.newest - max(s.last, s.first-1), Have: s.last,
				Why: fmt.Sprintf("%s is damaged at byte %d but goes on to record %d", filepath.Base(name), s.valid, s.newest),
			}
		}
	}
	return torn, lost, nil
}

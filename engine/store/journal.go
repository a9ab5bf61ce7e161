package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"unsafe"
)

// The journal makes commits durable: what is committed is one frame, written
// and synced before the database hears of it. Badger alone would do the same
// with its log, but syncs it as a sparse mapped file, which makes the file
// system commit its own journal as well, and syncs its value log beside it.
// Here the blocks were written before, and a sync writes them and nothing
// else.
//
// There are two segments. When one is full the other is used, from its start,
// as soon as the database needs nothing of it any more. A frame:
//
//	magic (4), length of the body (4), number (8), Seq (8), CRC32C (4) of all
//	that and the body; the body: for each write the length of the key (2), the
//	length of the value plus one or 0 for a deletion (4), key, value; zeros to
//	a multiple of 4096
//
// So no frame shares a block of the disk with another one, and what is torn in a
// crash is never part of a frame that was acknowledged. Where the system can, a
// frame is written past the kernel's memory and synced in one call (syncer).
//
// Numbers go up by one, through both segments and for the life of the
// directory, so a frame that is left from an earlier use of its segment is
// known by its number, and a damaged frame by the frames that follow it: only
// the last one can have been torn by a crash, for it alone was not synced.
const (
	journalMagic   = "PJF2"
	frameHeader    = 28
	frameAlign     = directAlign
	directAlign    = 4096
	segmentBytes   = 32 << 20
	segmentAhead   = 1 << 20 // how much more of a segment is filled at once
	frameWriteHead = 6
)

type journal struct {
	segments [2]*segment
	active   int
	next     uint64 // number of the next frame
	buf      []byte
	// How to make durable what was written to a file, and what Badger has
	// written to one of its own. Tests watch them.
	sync    func(*os.File) error
	syncLog func(name string) error
	syncer  *syncer // of sync; nil: it is plain
	direct  bool    // frames are written by the syncer
}

type segment struct {
	f      *os.File
	past   *os.File // the same, past the kernel's memory; nil: not to be had
	at     int64    // where the next frame goes
	filled int64    // so much of the file has its blocks
	behind []string // logs of Badger that held what is in it when it was full
}

func segmentName(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("journal.%d", i)) }

// A frame is one commit as it is found in the journal.
type frame struct {
	number uint64
	at     Seq
	writes []write
}

// A journalState is what was found in the journal of a directory.
type journalState struct {
	frames []frame // in order, without a gap
	beyond Seq     // of the last frame that is there behind a damaged one; 0: no damage
	next   uint64  // above the number of every frame
	newer  int     // the segment that was written last
}

// last is the Seq that the frames lead to, 0 when there are none.
func (s *journalState) last() Seq {
	if len(s.frames) == 0 {
		return 0
	}
	return s.frames[len(s.frames)-1].at
}

// holds reports whether the journal has all that was committed from one Seq to another.
func (s *journalState) holds(from, to Seq) bool {
	return s.beyond == 0 && len(s.frames) > 0 && s.frames[0].at <= from && to <= s.last()
}

// readJournal reads the segments in dir; missing ones are empty.
func readJournal(dir string) (*journalState, error) {
	s := &journalState{next: 1}
	var chains [2][]frame
	var others []frame // frames outside the chains
	for i := range chains {
		b, err := readFile(nil, segmentName(dir, i))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		var left []frame
		chains[i], left = readSegment(b)
		others = append(others, left...)
		for _, f := range append(left, chains[i]...) {
			s.next = max(s.next, f.number+1)
		}
	}
	older, newer := 0, 1
	if len(chains[1]) == 0 || len(chains[0]) > 0 && chains[0][0].number > chains[1][0].number {
		older, newer = 1, 0
	}
	s.newer = newer
	s.frames = chains[older]
	if n := len(s.frames); n == 0 || len(chains[newer]) > 0 && s.frames[n-1].number+1 == chains[newer][0].number {
		s.frames = append(s.frames, chains[newer]...)
	} else {
		others = append(others, chains[newer]...)
	}
	for _, f := range others {
		if n := len(s.frames); n == 0 || f.number > s.frames[n-1].number {
			s.beyond = max(s.beyond, f.at)
		}
	}
	return s, nil
}

// readSegment returns the frames that follow each other from the start of b,
// and those that are elsewhere in it. A segment that begins with zeros was
// given up.
func readSegment(b []byte) (chain, left []frame) {
	at := 0
	for {
		f, n := readFrame(b[at:])
		if n == 0 || len(chain) > 0 && f.number != chain[len(chain)-1].number+1 {
			break
		}
		chain = append(chain, f)
		at = min(at+n, len(b))
	}
	givenUp := len(bytes.TrimLeft(b[:min(len(b), frameAlign)], "\x00")) == 0
	for ; at < len(b); at += frameAlign {
		if !bytes.HasPrefix(b[at:], []byte(journalMagic)) {
			continue
		}
		f, n := readFrame(b[at:])
		if n == 0 {
			continue
		}
		at += n - frameAlign
		if givenUp {
			f.at = 0 // counts for its number alone
		}
		left = append(left, frame{number: f.number, at: f.at})
	}
	return chain, left
}

// readFrame reads the frame at the start of b; n is its length, 0 when there
// is none or it is damaged. The writes point into b.
func readFrame(b []byte) (f frame, n int) {
	if len(b) < frameHeader || string(b[:4]) != journalMagic {
		return f, 0
	}
	size := int(binary.BigEndian.Uint32(b[4:]))
	if size > len(b)-frameHeader {
		return f, 0
	}
	f.number, f.at = binary.BigEndian.Uint64(b[8:]), Seq(binary.BigEndian.Uint64(b[16:]))
	body := b[frameHeader : frameHeader+size]
	if frameSum(b[:24], body) != binary.BigEndian.Uint32(b[24:]) {
		return f, 0
	}
	for len(body) > 0 {
		if len(body) < frameWriteHead {
			return f, 0
		}
		key, value := int(binary.BigEndian.Uint16(body)), int(binary.BigEndian.Uint32(body[2:]))-1
		body = body[frameWriteHead:]
		if key+max(value, 0) > len(body) {
			return f, 0
		}
		w := write{key: body[:key:key]}
		body = body[key:]
		if value >= 0 {
			w.sealed = body[:value:value]
			body = body[value:]
		}
		f.writes = append(f.writes, w)
	}
	return f, frameBytes(size)
}

func frameSum(head, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, body)
}

// frameBytes is what a frame with a body of size bytes takes in its segment.
func frameBytes(size int) int {
	return (frameHeader + size + frameAlign - 1) &^ (frameAlign - 1)
}

// openJournal opens the journal that was read as s, and gives up what is in
// it: the database must have made that durable.
func openJournal(dir string, s *journalState) (_ *journal, err error) {
	j := &journal{next: s.next, sync: syncData, syncLog: syncFile}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	if s, err := newSyncer(); err == nil {
		j.syncer, j.sync = s, s.sync
	}
	for i := range j.segments {
		f, err := os.OpenFile(segmentName(dir, i), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		j.segments[i] = &segment{f: f}
		if j.segments[i].filled, err = f.Seek(0, io.SeekEnd); err != nil {
			return nil, err
		}
		if j.syncer == nil {
			continue
		}
		if j.segments[i].past, err = openDirect(segmentName(dir, i)); err != nil {
			j.segments[i].past = nil // the file system has no such thing
		}
	}
	j.direct = j.segments[0].past != nil && j.segments[1].past != nil
	j.active = s.newer
	if err := j.giveUp(); err != nil {
		return nil, err
	}
	return j, syncDir(dir)
}

// giveUp marks both segments as not needed any more, the older one first: the
// younger alone still leads to the end, the older alone would lead back.
func (j *journal) giveUp() error {
	for _, i := range []int{1 - j.active, j.active} {
		s := j.segments[i]
		s.at, s.behind = 0, nil
		if s.filled == 0 {
			continue
		}
		if _, err := s.f.WriteAt(make([]byte, frameAlign), 0); err != nil {
			return err
		}
		if err := j.sync(s.f); err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether the active segment has room for writes.
func (j *journal) fits(writes []write) bool {
	return j.segments[j.active].at+int64(frameBytes(bodyBytes(writes))) <= segmentBytes
}

// turn makes the other segment the active one. All that is in the active one
// has gone to the database, which holds it in its tables or in the logs named.
// What it still holds in logs of the segment that is overwritten now is synced
// there first.
func (j *journal) turn(logs []string) error {
	full := j.segments[j.active]
	full.behind = logs
	j.active = 1 - j.active
	s := j.segments[j.active]
	for _, name := range s.behind {
		if err := j.syncLog(name); err != nil {
			return err
		}
	}
	if len(s.behind) > 0 {
		// Logs that are gone are tables now, which Badger has synced.
		if err := syncDir(filepath.Dir(s.behind[0])); err != nil {
			return err
		}
	}
	s.at, s.behind = 0, nil
	return nil
}

// syncFile makes the contents of a file durable, also those that another has
// written through a mapping. A file that is gone is no error.
func syncFile(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// append makes writes durable. They must fit. After an error it is not known
// whether they are.
func (j *journal) append(at Seq, writes []write) error {
	b := append(j.room(frameBytes(bodyBytes(writes))), journalMagic...)
	b = append(b, zeros[:frameHeader-len(journalMagic)]...)
	for _, w := range writes {
		b = binary.BigEndian.AppendUint16(b, uint16(len(w.key)))
		length := 0
		if w.sealed != nil {
			length = len(w.sealed) + 1
		}
		b = binary.BigEndian.AppendUint32(b, uint32(length))
		b = append(b, w.key...)
		b = append(b, w.sealed...)
	}
	size := len(b) - frameHeader
	binary.BigEndian.PutUint32(b[4:], uint32(size))
	binary.BigEndian.PutUint64(b[8:], j.next)
	binary.BigEndian.PutUint64(b[16:], uint64(at))
	binary.BigEndian.PutUint32(b[24:], frameSum(b[:24], b[frameHeader:]))
	b = append(b, zeros[:frameBytes(size)-len(b)]...)
	s := j.segments[j.active]
	if err := j.put(s, b); err != nil {
		return err
	}
	s.at += int64(len(b))
	j.next++
	return nil
}

// put writes b where the next frame of a segment goes, and makes it durable.
func (j *journal) put(s *segment, b []byte) error {
	more, err := s.fill(s.at + int64(len(b)))
	if err != nil {
		return err
	}
	if j.direct {
		if more {
			// The blocks are given when the zeros go to the disk.
			if err := j.sync(s.f); err != nil {
				return err
			}
		}
		if begun, err := j.syncer.write(s.past, b, s.at); begun || err != nil {
			return err
		}
		j.direct = false
	}
	if _, err := s.f.WriteAt(b, s.at); err != nil {
		return err
	}
	return j.sync(s.f)
}

// room returns an empty buffer for so many bytes, aligned for a direct write. It
// is used again by the next call.
func (j *journal) room(size int) []byte {
	if cap(j.buf) < size {
		b := make([]byte, size+size/4+directAlign)
		if over := int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) % directAlign); over > 0 {
			b = b[directAlign-over:]
		}
		j.buf = b[:0]
	}
	return j.buf
}

// bodyBytes is the size of the body of a frame.
func bodyBytes(writes []write) int {
	size := 0
	for _, w := range writes {
		size += frameWriteHead + len(w.key) + len(w.sealed)
	}
	return size
}

var zeros [segmentAhead]byte

// fill gives the file its blocks, up to need at least, and some more, so that
// the next syncs need not note new ones. It reports whether there were any to be
// given.
func (s *segment) fill(need int64) (more bool, err error) {
	for s.filled < need {
		n, err := s.f.WriteAt(zeros[:min(len(zeros), int(segmentBytes-s.filled))], s.filled)
		if err != nil {
			return true, err
		}
		s.filled += int64(n)
		more = true
	}
	return more, nil
}

func (j *journal) close() error {
	var errs []error
	if j.syncer != nil {
		errs = append(errs, j.syncer.close())
	}
	for _, s := range j.segments {
		if s != nil {
			errs = append(errs, s.f.Close())
			if s.past != nil {
				errs = append(errs, s.past.Close())
			}
		}
	}
	return errors.Join(errs...)
}

// recover brings into the database what the journal has. Badger may have lost
// any of it, not only the last, for its own logs are not synced; so all of it
// is committed again, in order, under the same versions.
func (m *badgerMap) recover(s *journalState, o Options) error {
	newest := Seq(m.db.MaxVersion())
	if s.beyond > s.last() && s.beyond > newest {
		lost := &ErrLost{Missing: s.beyond - max(s.last(), newest), Have: max(s.last(), newest), Why: "the journal is damaged"}
		if !o.AcceptLoss {
			return lost
		}
		o.Logger.Warn("loss of acknowledged records accepted", "missing", lost.Missing, "why", lost.Why)
	}
	if len(s.frames) > 0 && newest > s.last() {
		// To go back and not forth again could bring back what was deleted.
		o.Logger.Warn("the journal is damaged, but the database is further", "journal", s.last(), "database", newest)
		return nil
	}
	for _, f := range s.frames {
		txn, err := m.transaction(f.at, f.writes)
		if err != nil {
			return err
		}
		if err := txn.CommitAt(uint64(f.at), nil); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint makes all that the database was given durable without the journal.
func (m *badgerMap) checkpoint() error {
	logs, err := m.logs()
	if err != nil {
		return err
	}
	for _, name := range logs {
		if err := syncFile(name); err != nil {
			return err
		}
	}
	return syncDir(m.dir)
}

// logs names the logs that Badger has not turned into tables yet.
func (m *badgerMap) logs() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(m.dir, "*.mem"))
	slices.Sort(names)
	return names, err
}

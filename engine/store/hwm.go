package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The high-water file says how far history has surely come. It lies beside
// the database, so that what the database loses without noticing is noticed.
// It has two slots, written in turn, so that a torn write leaves the other:
// magic, seq, hash, CRC32C.
const (
	markFile      = "hwm"
	markBytes     = 4096
	markSlotBytes = markBytes / 2
	markMagic     = "PSTNHWM1"
	markChecked   = len(markMagic) + 8 + 32
	markEvery     = 100 * time.Millisecond
	markCommits   = 1000
)

// A highWater is the open high-water file. It is written behind the commits,
// never ahead of them.
type highWater struct {
	name string
	f    *os.File // nil while the file is missing

	mu      sync.Mutex // guards below
	seq     Seq
	hash    Hash
	written Seq
	behind  int // commits since the last write
	known   bool
	err     error

	writing sync.Mutex // guards slot and the file
	slot    int
	dirty   chan struct{} // one commit or more are not written
	full    chan struct{} // markCommits are not written
	stop    chan struct{}
	done    sync.WaitGroup
}

// openMark opens the file in dir, which may be missing.
func openMark(dir string) (*highWater, error) {
	m := &highWater{
		name:  filepath.Join(dir, markFile),
		dirty: make(chan struct{}, 1), full: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	f, err := os.OpenFile(m.name, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	m.f = f
	return m, m.load()
}

func (m *highWater) load() error {
	b := make([]byte, markBytes)
	if _, err := m.f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for slot := range 2 {
		s := b[slot*markSlotBytes:]
		if string(s[:len(markMagic)]) != markMagic ||
			crc32.Checksum(s[:markChecked], castagnoli) != binary.BigEndian.Uint32(s[markChecked:]) {
			continue
		}
		seq := Seq(binary.BigEndian.Uint64(s[len(markMagic):]))
		if m.known && seq < m.seq {
			continue
		}
		m.known, m.seq, m.written, m.slot = true, seq, seq, 1-slot
		copy(m.hash[:], s[len(markMagic)+8:])
	}
	return nil
}

// read returns the mark; known is false when the file cannot tell.
func (m *highWater) read() (Seq, Hash, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seq, m.hash, m.known
}

// reset makes (seq, hash) the mark in both slots, even if it was higher, and
// makes the file if it is missing.
func (m *highWater) reset(seq Seq, hash Hash) error {
	if m.f == nil {
		f, err := os.OpenFile(m.name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		m.f = f
	}
	m.mu.Lock()
	m.seq, m.hash, m.known = seq, hash, true
	m.mu.Unlock()
	if err := m.f.Truncate(markBytes); err != nil {
		return err
	}
	return errors.Join(m.write(true), m.write(true), syncDir(filepath.Dir(m.name)))
}

// advance notes a durable commit.
func (m *highWater) advance(seq Seq, hash Hash) {
	m.mu.Lock()
	m.seq, m.hash = seq, hash
	m.behind++
	full := m.behind >= markCommits
	m.mu.Unlock()
	nudge(m.dirty)
	if full {
		nudge(m.full)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// start begins to write behind the commits.
func (m *highWater) start() {
	m.done.Go(func() {
		for {
			select {
			case <-m.stop:
				return
			case <-m.dirty:
			}
			wait := time.NewTimer(markEvery)
			select {
			case <-m.stop:
				wait.Stop()
				return
			case <-m.full:
				wait.Stop()
			case <-wait.C:
			}
			m.write(false)
		}
	})
}

// write writes the mark to the older slot and syncs it. Nothing is written
// after the first error; close returns it.
func (m *highWater) write(force bool) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.Lock()
	seq, hash, err := m.seq, m.hash, m.err
	idle := !force && m.written == seq
	m.behind = 0
	m.mu.Unlock()
	if err != nil || idle {
		return err
	}
	b := append(make([]byte, 0, markChecked+4), markMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	b = append(b, hash[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err = m.f.WriteAt(b, int64(m.slot*markSlotBytes))
	if err == nil {
		err = syncData(m.f)
	}
	m.slot = 1 - m.slot
	m.mu.Lock()
	m.written, m.err = seq, err
	m.mu.Unlock()
	return err
}

// close writes the mark, if it moved, and closes the file.
func (m *highWater) close() error {
	close(m.stop)
	m.done.Wait()
	if m.f == nil {
		return nil
	}
	var err error
	if m.known {
		err = m.write(false)
	}
	return errors.Join(err, m.f.Close())
}

package engine

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"postern/engine/store"
)

// A rowsFile holds chunks of rows, for one snapshot or several. Whoever reads a
// mapped chunk holds it through packed.places; when nobody does any more, the
// collector takes it and the mapping ends.
type rowsFile struct {
	number uint64
	path   string
	data   []byte // mapped; nil: not yet. The indexer's, and before that load's.
}

// mapped returns the file, read in place.
func (f *rowsFile) mapped() ([]byte, error) {
	if f.data != nil {
		return f.data, nil
	}
	in, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	data, err := mapFile(in, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", f.path, err)
	}
	f.data = data
	runtime.AddCleanup(f, unmapFile, data)
	return data, nil
}

// in returns the chunk of a place, read in place.
func (p *place) in(size int) ([]byte, error) {
	data, err := p.file.mapped()
	if err != nil {
		return nil, err
	}
	if p.offset < 0 || size < 0 || p.offset > int64(len(data))-int64(size) {
		return nil, errSnapshot
	}
	return data[p.offset : p.offset+int64(size) : p.offset+int64(size)], nil
}

// heap returns the bytes of the chunks that are in memory, and of those that
// are in memory only; mapped of those that are read in place.
func (p *packed) heap() (bytes, unfiled, mapped int) {
	for i, c := range p.chunks {
		switch {
		case i >= len(p.places) || p.places[i].file == nil:
			unfiled += cap(c)
			bytes += cap(c)
		case p.places[i].mapped:
			mapped += len(c)
		default:
			bytes += cap(c)
		}
	}
	return bytes, unfiled, mapped
}

// within returns the same rows with no more than room bytes of chunks in
// memory, as far as the rest is in files: the newest stay.
func (p packed) within(room int) (packed, error) {
	p.chunks = append([][]byte(nil), p.chunks...)
	p.places = append([]place(nil), p.places...)
	for i := len(p.chunks) - 1; i >= 0; i-- {
		if i < len(p.places) && p.places[i].mapped {
			continue
		}
		if room -= cap(p.chunks[i]); room >= 0 || !canMap || i >= len(p.places) || p.places[i].file == nil {
			continue
		}
		c, err := p.places[i].in(len(p.chunks[i]))
		if err != nil {
			return p, err
		}
		p.chunks[i], p.places[i].mapped = c, true
	}
	return p, nil
}

// A pacedFile is a file that is being written under a temporary name, a piece at
// a time.
type pacedFile struct {
	f        *os.File
	path     string
	rest     func() error // called behind every piece; an error ends the work
	unsynced int
	size     int64
}

const (
	pieceBytes = 256 << 10
	syncBytes  = 8 << 20 // so that no sync has much to do and keeps commits waiting
	newSuffix  = ".new"
)

func createPaced(path string, rest func() error) (*pacedFile, error) {
	f, err := os.OpenFile(path+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &pacedFile{f: f, path: path, rest: rest}, nil
}

func (w *pacedFile) write(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), pieceBytes)
		if _, err := w.f.Write(b[:n]); err != nil {
			return err
		}
		b, w.size = b[n:], w.size+int64(n)
		if w.unsynced += n; w.unsynced >= syncBytes {
			w.unsynced = 0
			if err := w.f.Sync(); err != nil {
				return err
			}
		}
		if err := w.rest(); err != nil {
			return err
		}
	}
	return nil
}

func (w *pacedFile) checksum(b []byte) (sum uint32, err error) {
	for len(b) > 0 && err == nil {
		n := min(len(b), pieceBytes)
		sum = crc32.Update(sum, castagnoli, b[:n])
		b = b[n:]
		err = w.rest()
	}
	return sum, err
}

// finish makes what was written durable and gives it its name; with an error
// nothing of it stays.
func (w *pacedFile) finish(err error) error {
	if err == nil {
		err = w.f.Sync()
	}
	if err = errors.Join(err, w.f.Close()); err == nil {
		err = os.Rename(w.path+newSuffix, w.path)
	}
	if err != nil {
		_ = os.Remove(w.path + newSuffix)
	}
	return err
}

// An image is a snapshot that was read.
type image struct {
	head  *snapshotHead
	check countRow
	hash  store.Hash
	base  *base
}

// read reads the snapshot of a collection of this store that is no newer than
// upTo. At most room bytes of rows are read into memory. Everything is checked
// but for what only the log can tell: that the record it stands for is one of
// this history.
func (s *snapshots) read(id snapshotID, upTo store.Seq, room int) (img *image, err error) {
	// What is read in place can fault: a disk that fails, a file cut short.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, fmt.Errorf("it cannot be read: %v", p)
		}
	}()
	b, err := readAligned(s.basePath(id))
	if err != nil {
		return nil, err
	}
	all, err := splitSections(b)
	if err != nil {
		return nil, err
	}
	img = new(image)
	if img.head, img.check, err = decodeHead(all[0]); err != nil {
		return nil, err
	}
	copy(img.hash[:], img.head.Hash)
	switch h := img.head; {
	case h.Store != s.store || h.App != id.app || h.Collection != id.collection:
		return nil, errors.New("it is of another collection")
	case h.Seq == 0 || h.Seq > upTo:
		return nil, fmt.Errorf("it is of record %d, and record %d is the last", h.Seq, upTo)
	}
	chunks, places, err := s.readRows(id, img.head.Chunks, room)
	if err != nil {
		return nil, fmt.Errorf("its rows: %w", err)
	}
	if img.base, err = decodeBase(img.head, all, chunks); err != nil {
		return nil, err
	}
	img.base.rows.places = places
	return img, nil
}

func readAligned(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := alignedBytes(int(info.Size()))
	_, err = io.ReadFull(f, b)
	return b, err
}

// readRows reads the chunks of a snapshot: into memory, the newest first, as
// long as there is room, and in place beyond that.
func (s *snapshots) readRows(id snapshotID, of []headChunk, room int) ([][]byte, []place, error) {
	chunks, places := make([][]byte, len(of)), make([]place, len(of))
	files := map[uint64]*rowsFile{}
	for i := len(of) - 1; i >= 0; i-- {
		c := &of[i]
		f := files[c.File]
		if f == nil {
			f = &rowsFile{number: c.File, path: s.rowsPath(id, c.File)}
			files[c.File] = f
		}
		p := place{file: f, offset: c.Offset, crc: c.CRC}
		if c.Offset < 0 || c.Bytes < 0 || c.Bytes > 1<<31-1 {
			return nil, nil, errSnapshot
		}
		room -= c.Bytes
		var err error
		if room >= 0 || !canMap {
			chunks[i], err = readAt(f.path, c.Offset, c.Bytes)
		} else {
			p.mapped = true
			chunks[i], err = p.in(c.Bytes)
		}
		if err != nil {
			return nil, nil, err
		}
		if crc32.Checksum(chunks[i], castagnoli) != c.CRC {
			return nil, nil, errSnapshot
		}
		places[i] = p
	}
	return chunks, places, nil
}

func readAt(path string, offset int64, size int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || offset > info.Size()-int64(size) {
		return nil, errors.Join(errSnapshot, err)
	}
	b := make([]byte, size)
	_, err = f.ReadAt(b, offset)
	return b, err
}

func (s *snapshots) basePath(id snapshotID) string { return filepath.Join(s.dir, id.baseName()) }

func (s *snapshots) rowsPath(id snapshotID, number uint64) string {
	return filepath.Join(s.dir, id.rowsName(number))
}

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"postern/engine/store"
)

// Snapshots make a start short: the base of a large collection as files, which
// stands for the state at one record. A start that finds one of its own history
// takes it instead of the rows, and brings in what the log says has changed
// since (snapshot_load.go). They hold nothing that the store does not: a missing
// or damaged one costs time and nothing else.
//
// The rows of a base are in files of their own, which later snapshots refer to
// again, and from which rows beyond Config.ValueMemory are read in place. What
// borrows from there:
//
//   - lists and counts, from a view that the request holds to its end, by when
//     everything is copied into the answer;
//   - no entity: base.entity copies the row, so answers that are sent without
//     copying, intents and the late rows of contents do not borrow;
//   - the indexer, from contents that it keeps alive.
//
// A disk that fails under a mapped page is a panic of the request that reads it,
// and the end of the process where the committer or the indexer does; the next
// start cannot read the snapshot and takes the rows of the store. Checksums are
// verified at the start and not at every read.
type snapshots struct {
	e      *Engine
	dir    string
	store  string // its id
	least  int    // entities of a collection that has snapshots
	after  int    // changes between two, see Config.SnapshotAfter
	memory int    // bytes of rows in memory
	next   uint64 // number of the next rows file; the indexer's

	used, written, failed atomic.Int64

	mu    sync.Mutex              // guards below, and which names there are in dir
	files map[snapshotID][]string // of the snapshot of each collection
	busy  []string                // of what is being written
}

// A snapshotID names a collection.
type snapshotID struct{ app, collection uint32 }

func (id snapshotID) baseName() string { return fmt.Sprintf("%08x-%08x.base", id.app, id.collection) }

func (id snapshotID) rowsName(number uint64) string {
	return fmt.Sprintf("%08x-%08x-%d.rows", id.app, id.collection, number)
}

// saved is what the indexer knows of the snapshot of a collection; all versions
// of the collection share it.
type saved struct {
	seq     store.Seq // that it stands for; 0: there is none
	changed uint64    // collection.changed then
	failed  *base     // of which none could be written
}

// newSnapshots returns nil when there are to be none.
func newSnapshots(e *Engine) *snapshots {
	c := &e.config
	if c.SnapshotDir == "" {
		return nil
	}
	s := &snapshots{e: e, dir: c.SnapshotDir, least: c.SnapshotLeast, after: c.SnapshotAfter, memory: c.ValueMemory, next: 1, files: map[snapshotID][]string{}}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		c.Logger.Error("there will be no snapshots", "error", err)
		return nil
	}
	names, err := filepath.Glob(filepath.Join(s.dir, "*.rows*"))
	if err != nil {
		return s // the pattern is a constant
	}
	for _, name := range names {
		var id snapshotID
		var number uint64
		if _, err := fmt.Sscanf(filepath.Base(name), "%x-%x-%d.rows", &id.app, &id.collection, &number); err == nil {
			s.next = max(s.next, number+1)
		}
	}
	return s
}

// spill writes the rows of a collection that are in memory only, and returns
// them with their places. The files are kept beside its snapshot until there is
// the next one.
func (s *snapshots) spill(id snapshotID, b *base, rest func() error) (_ packed, err error) {
	if err := s.room(b); err != nil {
		return b.rows, err
	}
	s.mu.Lock()
	files := slices.Clone(s.files[id])
	s.mu.Unlock()
	rows, err := s.writeRows(id, b.rows, rest)
	if err != nil {
		s.forgetBusy()
		return rows, err
	}
	for _, p := range rows.places {
		if name := id.rowsName(p.file.number); !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	s.keep(id, files)
	return rows, nil
}

// forgetBusy removes what was being written.
func (s *snapshots) forgetBusy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = nil
	s.sweepLocked()
}

// keep says which files are the snapshot of a collection, and removes the others.
func (s *snapshots) keep(id snapshotID, files []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[id] = files
	s.busy = nil
	s.sweepLocked()
}

// sweep removes the files of collections that are no more, and what nothing
// refers to. A nil s has none.
func (s *snapshots) sweep() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
}

func (s *snapshots) sweepLocked() {
	maps.DeleteFunc(s.files, func(id snapshotID, _ []string) bool { return !s.exists(id) })
	kept := map[string]bool{}
	for _, names := range s.files {
		for _, name := range names {
			kept[name] = true
		}
	}
	for _, name := range s.busy {
		kept[name], kept[name+newSuffix] = true, true
	}
	entries, err := os.ReadDir(s.dir)
	for _, entry := range entries {
		if !kept[entry.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, entry.Name())))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.e.config.Logger.Warn("a snapshot was not removed", "error", err)
	}
}

// exists reports whether there is such a collection now.
func (s *snapshots) exists(id snapshotID) bool {
	a, ok := s.e.apps.Load().byNumber[id.app]
	if !ok {
		return false
	}
	view := a.view.Load()
	return view.config.Deleted == 0 && view.byNumberOrNil(id.collection) != nil
}

// write writes the snapshot of a collection: of b, which is what c holds, as of
// a record. It returns the same base with all its chunks in files. rest is
// called often, and can end it with an error.
func (s *snapshots) write(id snapshotID, b *base, c *collection, at position, rest func() error) (_ *base, err error) {
	head := &snapshotHead{
		Store: s.store, App: id.app, Collection: id.collection, Seq: at.seq, Hash: at.hash[:], Check: c.check.encode(),
		Overrides: c.overrides,
	}
	c.groupRefs.Scan(func(group string, n int) bool {
		head.Groups = append(head.Groups, headGroup{[]byte(group), n})
		return true
	})
	if err := s.room(b); err != nil {
		return nil, err
	}
	placed := *b
	files := []string{id.baseName()}
	defer func() {
		if err != nil {
			s.forgetBusy()
		}
	}()
	if placed.rows, err = s.writeRows(id, b.rows, rest); err != nil {
		return nil, err
	}
	for i, p := range placed.rows.places {
		head.Chunks = append(head.Chunks, headChunk{p.file.number, p.offset, len(placed.rows.chunks[i]), p.crc})
		if name := id.rowsName(p.file.number); !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	w, err := createPaced(s.basePath(id), rest)
	if err != nil {
		return nil, err
	}
	if err = w.finish(writeSections(w, b.sections(head))); err != nil {
		return nil, err
	}
	if err = syncDir(s.dir); err != nil {
		return nil, err
	}
	runtime.KeepAlive(b)
	s.keep(id, files)
	c.saved.seq, c.saved.changed = at.seq, c.changed
	s.written.Add(1)
	return &placed, nil
}

// writeRows writes the chunks that are in no file yet into a new one.
func (s *snapshots) writeRows(id snapshotID, rows packed, rest func() error) (packed, error) {
	rows.places = append(make([]place, 0, len(rows.chunks)), rows.places...)[:len(rows.chunks)]
	f := &rowsFile{number: s.next, path: s.rowsPath(id, s.next)}
	s.next++
	s.mu.Lock()
	s.busy = []string{id.baseName(), id.rowsName(f.number)}
	s.mu.Unlock()
	if !slices.ContainsFunc(rows.places, func(p place) bool { return p.file == nil }) {
		return rows, nil
	}
	w, err := createPaced(f.path, rest)
	if err != nil {
		return rows, err
	}
	for i, c := range rows.chunks {
		if rows.places[i].file != nil || err != nil {
			continue
		}
		p := place{file: f, offset: w.size}
		if p.crc, err = w.checksum(c); err == nil {
			err = w.write(c)
		}
		rows.places[i] = p
	}
	return rows, w.finish(err)
}

// room refuses a snapshot that would make space scarce.
func (s *snapshots) room(b *base) error {
	space, err := s.e.driver.Free()
	if err != nil {
		return err
	}
	_, size, _ := b.rows.heap()
	for _, o := range b.orders {
		sets, permutation, _ := o.sets.Bytes()
		size += sets + permutation + 8*len(o.prefix)
	}
	if space.Total > 0 && (space.State != store.Plenty || space.Free < 2*uint64(size)) {
		return fmt.Errorf("%w for a snapshot of about %d bytes", store.ErrNoSpace, size)
	}
	return nil
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"postern/engine/store"
)

// A restore is what a load takes from snapshots instead of from rows. A nil
// restore takes nothing.
//
// A snapshot is taken only if it belongs to this store and the record that it
// stands for is in the log, by number and hash; or if nothing has come after it.
// The entities that records have changed since are brought in from the log, and
// what that leads to must have the count and the digest that were committed with
// the last change. Otherwise the rows are loaded: a history that was cut short
// must not bring grants back.
type restore struct {
	s      *snapshots
	d      *draft
	view   store.View
	images map[snapshotID]chan readImage // of what there is in the directory, read in the background
	reader sync.WaitGroup
	taken  []*takenBase

	now     snapshotID // whose entities are being scanned
	began   time.Time
	why     error                    // it is not taken
	counted map[snapshotID]store.Seq // of the record that changed the collection last
}

// A takenBase is a snapshot in the place of the rows of a collection.
type takenBase struct {
	id      snapshotID
	app     *app
	img     *image
	took    time.Duration
	changes int // brought in
	ops     int // looked at for that
	why     error
}

// A readImage is what became of reading a snapshot, and how long it took.
type readImage struct {
	img  *image
	took time.Duration
	err  error
}

// What is read from the log for a snapshot costs no more than a part of the
// rows would.
const (
	replayLeast = 1 << 12
	replayShare = 4
)

func newRestore(s *snapshots, d *draft, view store.View) *restore {
	if s == nil {
		return nil
	}
	s.store = view.StoreID()
	r := &restore{s: s, d: d, view: view, images: map[snapshotID]chan readImage{}, counted: map[snapshotID]store.Seq{}}
	names, _ := filepath.Glob(filepath.Join(s.dir, "*.base")) // the pattern is a constant
	var all []snapshotID
	for _, name := range names {
		var id snapshotID
		if n, _ := fmt.Sscanf(filepath.Base(name), "%x-%x", &id.app, &id.collection); n == 2 && r.images[id] == nil {
			r.images[id] = make(chan readImage, 1)
			all = append(all, id)
		}
	}
	// The rows that are in no snapshot are read at the same time.
	r.reader.Go(func() {
		room := s.memory
		for _, id := range all {
			began := time.Now()
			img, err := s.read(id, view.Seq(), room)
			if err == nil {
				heap, _, _ := img.base.rows.heap()
				room -= heap
			}
			r.images[id] <- readImage{img, time.Since(began), err}
		}
	})
	return r
}

// wait returns when nothing is being read any more.
func (r *restore) wait() {
	if r != nil {
		r.reader.Wait()
	}
}

// skips is asked for every row. It reports whether the row, with all of its
// collection, is in a snapshot that was taken.
func (r *restore) skips(row store.Row) bool {
	if r == nil {
		return false
	}
	id := snapshotID{row.Key.App, row.Key.Collection}
	switch {
	case row.Key.Table == tableCount:
		r.counted[id] = row.Seq
		return false
	case row.Key.Table != tableEntity:
		return false
	case id == r.now: // its first row was asked for before
		return false
	}
	r.endRows()
	r.now, r.began, r.why = id, time.Now(), nil
	if id.collection < firstCollection {
		return false
	}
	a, c := r.collection(id)
	if c == nil {
		return false
	}
	ready, ok := r.images[id]
	if !ok {
		return false
	}
	read := <-ready
	if read.err != nil {
		r.why = read.err
		return false
	}
	c.take(read.img)
	r.taken = append(r.taken, &takenBase{id: id, app: a, img: read.img, took: read.took})
	r.now = snapshotID{}
	return true
}

// collection finds one in the draft; nil: the row is of none.
func (r *restore) collection(id snapshotID) (*app, *collection) {
	a, ok := r.d.directory().byNumber[id.app]
	if !ok {
		return nil, nil
	}
	s := r.d.change(a)
	name, ok := s.byNumber(id.collection)
	if !ok || s.config.Deleted != 0 {
		return nil, nil
	}
	return a, s.own(name)
}

// take makes a collection that is being loaded what a snapshot says.
func (c *collection) take(img *image) {
	c.rows = newContents()
	c.rows.base, c.rows.live = img.base, img.base.len()
	c.rows.forOrders()
	next := c.check.Next
	c.check = img.check
	c.check.Next = max(c.check.Next, next)
	c.overrides = img.head.Overrides
	for _, g := range img.head.Groups {
		c.groupRefs.Set(string(g.ID), g.N)
	}
	c.saved = &saved{seq: img.head.Seq, changed: c.changed}
}

// untake makes it empty again, for its rows.
func (c *collection) untake() {
	c.check = countRow{Next: c.counted.Next}
	fresh := newCollection(c.number, c.name, c.level)
	c.rows, c.groupRefs, c.overrides, c.saved, c.changed = fresh.rows, fresh.groupRefs, 0, fresh.saved, 0
	c.rows.loading = newLoader()
}

// endRows tells of a collection whose rows were loaded.
func (r *restore) endRows() {
	if a, c := r.collection(r.now); c != nil && r.now.collection >= firstCollection && int(c.check.Count) >= r.s.least {
		why := "there is none"
		if r.why != nil {
			why = r.why.Error()
		}
		r.s.e.config.Logger.Info("collection loaded from its rows", "app", a.key, "collection", c.name,
			"entities", c.check.Count, "ms", time.Since(r.began).Milliseconds(), "snapshot", why)
	}
	r.now = snapshotID{}
}

// finish brings the collections that were taken up to the view, and loads the
// rows of those with which that does not succeed. load brings in a row.
func (r *restore) finish(log store.Log, load func(store.Row) error) error {
	if r == nil {
		return nil
	}
	r.endRows()
	for _, t := range r.taken {
		t.why = r.inHistory(log, t)
	}
	r.replay(log)
	for _, t := range r.taken {
		_, c := r.collection(t.id)
		if t.why == nil && (c.check.Count != c.counted.Count || c.check.Digest != c.counted.Digest) {
			t.why = errors.New("it does not lead to the count and the digest that were committed")
		}
		if t.why == nil {
			r.s.accept(t, c)
			continue
		}
		r.now, r.began, r.why = t.id, time.Now(), t.why
		c.untake()
		if err := r.view.Scan(store.OfCollection(t.id.app, tableEntity, t.id.collection), load); err != nil {
			return err
		}
		r.endRows()
	}
	return nil
}

// accept notes that a snapshot was used, and that its files are to stay.
func (s *snapshots) accept(t *takenBase, c *collection) {
	files := []string{t.id.baseName()}
	for _, p := range t.img.base.rows.places {
		if name := t.id.rowsName(p.file.number); name != files[len(files)-1] {
			files = append(files, name)
		}
	}
	s.mu.Lock()
	s.files[t.id] = files
	s.mu.Unlock()
	s.used.Add(1)
	s.e.config.Logger.Info("collection loaded from its snapshot", "app", t.app.key, "collection", c.name,
		"entities", c.check.Count, "changes", t.changes, "ms", t.took.Milliseconds())
}

// inHistory sees to it that the record of a snapshot is in the history of this
// store.
func (r *restore) inHistory(log store.Log, t *takenBase) error {
	head := t.img.head
	if head.Seq == r.view.Seq() {
		if t.img.hash != r.view.Hash() {
			return errors.New("it is of another history")
		}
		return nil
	}
	var found store.Hash
	err := log.Read(context.Background(), head.Seq, func(rec *store.Record) error {
		found = rec.Hash()
		return errEnough
	})
	switch {
	case errors.Is(err, store.ErrTrimmed):
		return errors.New("the log does not go back to it")
	case err != nil && !errors.Is(err, errEnough):
		return err
	case found != t.img.hash:
		return errors.New("it is of another history")
	}
	return nil
}

var errMuchChanged = errors.New("too much was written since")

// replay brings in what the records after the snapshots have changed. A
// collection that no record has changed needs no look at the log.
func (r *restore) replay(log store.Log) {
	from := r.view.Seq() + 1
	var open []*takenBase
	for _, t := range r.taken {
		since := t.img.head.Seq
		switch {
		case t.why != nil || r.counted[t.id] <= since:
		case int(r.view.Seq()-since) > t.most():
			t.why = errMuchChanged
		default:
			from = min(from, since+1)
			open = append(open, t)
		}
	}
	if len(open) == 0 {
		return
	}
	began := time.Now()
	err := log.Read(context.Background(), from, func(rec *store.Record) error {
		left := 0
		for _, t := range open {
			if t.why == nil && rec.Seq > t.img.head.Seq {
				t.why = r.bring(t, rec)
			}
			if t.why == nil {
				left++
			}
		}
		if left == 0 || rec.Seq >= r.view.Seq() {
			return errEnough
		}
		return nil
	})
	for _, t := range open {
		t.took += time.Since(began) / time.Duration(len(open))
		if err != nil && !errors.Is(err, errEnough) {
			t.why = fmt.Errorf("reading what has changed since: %w", err)
		}
	}
}

// most is how many records, and ops in them, are looked at for a snapshot.
func (t *takenBase) most() int { return max(replayLeast, t.img.head.Entities/replayShare) }

// bring brings in what a record has changed in a collection. Of each entity that
// is the last change alone: what was superseded is in a later record.
func (r *restore) bring(t *takenBase, rec *store.Record) error {
	if t.ops += len(rec.Ops); t.ops > t.most() {
		return errMuchChanged
	}
	for i := range rec.Ops {
		op := &rec.Ops[i]
		if op.Superseded || op.Key.Table != tableEntity || op.Key.App != t.id.app || op.Key.Collection != t.id.collection {
			continue
		}
		if err := r.d.applyRow(op.Key, op.Value, rec.Seq, op.Index); err != nil {
			return err
		}
		t.changes++
	}
	return nil
}

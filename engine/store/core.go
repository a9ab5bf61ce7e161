package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A backend is an ordered map of bytes with snapshots: all that the two
// drivers differ in. commit is called by one goroutine at a time.
type backend interface {
	// commit makes all writes durable and visible, or none. An error that
	// wraps ErrTooBig means none; after any other the outcome is unknown.
	commit(at Seq, writes []write) error
	// snapshot returns the map as of the last commit, which was at at.
	snapshot(at Seq) snapshot
	// forget allows old versions to go that only snapshots before at need.
	forget(before Seq)
	close() error
}

// A snapshot is safe for concurrent use until discard.
type snapshot interface {
	// get returns a copy, or ErrNotFound.
	get(key []byte) ([]byte, error)
	// scan calls fn, in order, with the keys that begin with prefix and are
	// not before from (nil: from the first). Both arguments are borrowed.
	scan(prefix, from []byte, fn func(key, sealed []byte) error) error
	discard()
}

// A write sets key to sealed; nil deletes it. The backend keeps both.
type write struct{ key, sealed []byte }

// core is the driver without its backend. Everything the two drivers promise
// is kept here, once.
type core struct {
	back       backend
	id         string
	maxViewAge time.Duration
	// admit refuses a Record when space is short; committed hears of every
	// durable one. Both may be nil.
	admit     func(small bool) error
	committed func(Seq, Hash)

	reading sync.RWMutex // held through Read and Verify, and against them by Trim
	writing sync.Mutex   // held through Append and Trim; after reading

	mu     sync.Mutex // guards below
	idle   sync.Cond  // active fell to zero
	active int        // calls inside the backend
	closed bool
	failed error
	head   Seq
	hash   Hash
	base   base
	views  map[*view]struct{}
}

func (c *core) init(back backend, id string) {
	c.back, c.id = back, id
	c.idle.L = &c.mu
	c.views = map[*view]struct{}{}
}

// enter admits a call to the backend; leave ends it.
func (c *core) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.enterLocked()
}

func (c *core) enterLocked() error {
	if c.closed {
		return ErrClosed
	}
	if c.failed != nil {
		return fmt.Errorf("%w: %w", ErrFailed, c.failed)
	}
	c.active++
	return nil
}

func (c *core) leave() {
	c.mu.Lock()
	if c.active--; c.active == 0 {
		c.idle.Broadcast()
	}
	c.mu.Unlock()
}

// shut lets no more calls in and waits for those inside. It reports false
// when it was called before.
func (c *core) shut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.closed = true
	for c.active > 0 {
		c.idle.Wait()
	}
	return true
}

func (c *core) fail(err error) {
	c.mu.Lock()
	if c.failed == nil {
		c.failed = err
	}
	c.mu.Unlock()
}

// Head implements Log.
func (c *core) Head() (Seq, Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head, c.hash
}

// Applied implements Store.
func (c *core) Applied() Seq {
	q, _ := c.Head()
	return q
}

// ID returns the name the store was given when it was made.
func (c *core) ID() string { return c.id }

// Append implements Log.
func (c *core) Append(ctx context.Context, expect Seq, rec *Record) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := rec.Check(); err != nil {
		return err
	}
	head, hash := c.Head()
	if expect != head || rec.Seq != head+1 || rec.Prev != hash {
		return fmt.Errorf("%w: it is %d, not %d", ErrConflict, head, expect)
	}
	if c.admit != nil {
		if err := c.admit(rec.Small); err != nil {
			return err
		}
	}
	writes, sum := writesOf(rec)
	if err := c.commit(rec.Seq, writes); err != nil {
		return err
	}
	c.mu.Lock()
	c.head, c.hash = rec.Seq, sum
	c.forgetLocked()
	c.mu.Unlock()
	if c.committed != nil {
		c.committed(rec.Seq, sum)
	}
	return nil
}

// commit hands writes to the backend; any outcome but "all" and "none" fails the driver for good.
func (c *core) commit(at Seq, writes []write) error {
	err := protect("commit", func() error { return c.back.commit(at, writes) })
	if err == nil || errors.Is(err, ErrTooBig) {
		return err
	}
	c.fail(err)
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

// protect turns a panic of the database into an error.
func protect(doing string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in %s: %v", doing, p)
		}
	}()
	return f()
}

// writesOf returns what a Record is in the backend, and its hash: state rows,
// change rows, the header. When two ops are on one key the last one stays. All
// keys and values lie in one buffer.
func writesOf(rec *Record) ([]write, Hash) {
	h := header{prev: rec.Prev, opsHash: hashOps(rec.Ops), time: rec.Time, ops: uint32(len(rec.Ops)), audit: rec.Audit}
	h.hash = h.sum(rec.Shard, rec.Seq)
	size := 2 * len(rec.Audit)
	for i := range rec.Ops {
		size += minRowBytes + envelopeBytes + rec.Ops[i].Size()
	}
	writes, buf := make([]write, 0, len(rec.Ops)+2), make([]byte, 0, size)
	put := func(key []byte, index uint32, value []byte) {
		at := len(buf)
		buf = append(buf, key...)
		w := write{key: buf[at:len(buf):len(buf)]}
		at = len(buf)
		buf = seal(buf, w.key, rec.Seq, index, value)
		w.sealed = buf[at:len(buf):len(buf)]
		writes = append(writes, w)
	}
	var row changeRow
	var key []byte
	for i := range rec.Ops {
		o := &rec.Ops[i]
		key = appendKey(key[:0], rec.Shard, o.Key)
		if o.Value != nil {
			put(key, uint32(i), o.Value)
		} else {
			writes = append(writes, write{key: bytes.Clone(key)})
		}
		// A quiet deletion leaves a change row too: the proof for Verify
		// that the row was meant to go.
		if o.Quiet && o.Value != nil {
			continue
		}
		h.changes++
		if !row.fits(o) {
			put(changeKey(rec.Shard, rec.Seq, row.first), row.first, row.b)
			row.b = row.b[:0]
		}
		row.add(uint32(i), o)
	}
	if len(row.b) > 0 {
		put(changeKey(rec.Shard, rec.Seq, row.first), row.first, row.b)
	}
	put(headerKey(rec.Shard, rec.Seq), 0, h.append(nil))
	return writes, h.hash
}

// Apply implements Store.
func (c *core) Apply(ctx context.Context, rec *Record) error {
	head := c.Applied()
	if rec.Seq != 0 && rec.Seq <= head {
		return nil
	}
	return c.Append(ctx, head, rec)
}

// load finds the head: the last header, or the base when no header is kept.
// It walks all headers and fails unless they are an unbroken chain.
func (c *core) load(at Seq) error {
	s := c.back.snapshot(at)
	defer s.discard()
	key := baseKey(theOnlyShard)
	switch sealed, err := s.get(key); {
	case err == nil:
		if c.base, err = openBase(key, sealed); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotFound):
		return err
	}
	c.head, c.hash = c.base.seq, c.base.hash
	return s.scan(appendOwn(nil, theOnlyShard, kindHeader), nil, func(key, sealed []byte) error {
		_, _, q, _ := splitKey(key)
		h, err := openHeader(key, q, sealed)
		if err != nil {
			return err
		}
		if q != c.head+1 || h.prev != c.hash {
			return corrupt(key, fmt.Sprintf("does not follow record %d", c.head))
		}
		c.head, c.hash = q, h.hash
		return nil
	})
}

package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"
)

// view implements View over a snapshot.
type view struct {
	c      *core
	snap   snapshot
	seq    Seq
	hash   Hash
	opened time.Time
	closed atomic.Bool
	stale  atomic.Bool
}

// View implements Store.
func (c *core) View() (View, error) {
	v, err := c.view()
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (c *core) view() (*view, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enterLocked(); err != nil {
		return nil, err
	}
	c.active-- // the call ends with this function, under the same lock
	v := &view{c: c, snap: c.back.snapshot(c.head), seq: c.head, hash: c.hash, opened: time.Now()}
	c.views[v] = struct{}{}
	return v, nil
}

// forgetLocked lets the backend drop what no view needs any more. A view that
// is too old does not count, and is told so.
func (c *core) forgetLocked() {
	before := c.head
	var oldest time.Time
	if c.maxViewAge > 0 {
		oldest = time.Now().Add(-c.maxViewAge)
	}
	for v := range c.views {
		if v.opened.Before(oldest) {
			v.stale.Store(true)
			delete(c.views, v)
			continue
		}
		before = min(before, v.seq)
	}
	c.back.forget(before)
}

func (v *view) Seq() Seq        { return v.seq }
func (v *view) Hash() Hash      { return v.hash }
func (v *view) StoreID() string { return v.c.id }

func (v *view) Close() {
	if v.closed.Swap(true) {
		return
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	delete(v.c.views, v)
	v.snap.discard()
}

// usable is asked before a read and, because a view may grow stale during one,
// after it.
func (v *view) usable() error {
	if v.closed.Load() {
		return ErrClosed
	}
	if v.stale.Load() {
		return ErrStale
	}
	return nil
}

func (v *view) Get(k Key) (Row, error) {
	if !k.valid() {
		return Row{}, ErrInvalid
	}
	if err := v.c.enter(); err != nil {
		return Row{}, err
	}
	defer v.c.leave()
	if err := v.usable(); err != nil {
		return Row{}, err
	}
	row, err := getRow(v.snap, appendKey(make([]byte, 0, minRowBytes+len(k.ID)), theOnlyShard, k), k)
	if stale := v.usable(); stale != nil {
		return Row{}, stale
	}
	return row, err
}

func getRow(s snapshot, raw []byte, k Key) (Row, error) {
	var sealed []byte
	err := protect("get", func() (err error) {
		sealed, err = s.get(raw)
		return err
	})
	if err != nil {
		return Row{}, readError(raw, err)
	}
	q, index, value, err := unseal(raw, sealed)
	if err != nil {
		return Row{}, err
	}
	return Row{Key: k, Value: value, Seq: q, Index: index}, nil
}

// readError names the row in an error of the backend.
func readError(raw []byte, err error) error {
	var damaged *CorruptError
	if errors.Is(err, ErrNotFound) || errors.As(err, &damaged) {
		return err
	}
	return corrupt(raw, err.Error())
}

func (v *view) Scan(prefix Prefix, fn func(Row) error) error {
	if err := v.c.enter(); err != nil {
		return err
	}
	defer v.c.leave()
	return v.scan(prefix, fn)
}

func (v *view) scan(prefix Prefix, fn func(Row) error) error {
	if err := v.usable(); err != nil {
		return err
	}
	raw := append(binary.BigEndian.AppendUint16(nil, uint16(theOnlyShard)), prefix.b...)
	var err error
	for from, more := []byte(nil), true; more; {
		more = false
		err = v.snap.scan(raw, from, func(key, sealed []byte) error {
			kind, k, _, _ := splitKey(key)
			switch kind {
			case rawRow:
			case rawUnknown:
				return corrupt(key, "no such key can have been written")
			default:
				return nil
			}
			q, index, value, err := unseal(key, sealed)
			if err != nil {
				return err
			}
			if err := v.usable(); err != nil {
				return err
			}
			err = fn(Row{Key: k, Value: value, Seq: q, Index: index})
			if more = errors.Is(err, ErrSkipCollection); more {
				from = afterCollection(key)
			}
			return err
		})
	}
	if err != nil && !errors.Is(err, ErrSkipCollection) {
		return err
	}
	return v.usable()
}

// Digest implements Store.
func (c *core) Digest(app, collection uint32) (Digest, error) {
	v, err := c.View()
	if err != nil {
		return Digest{}, err
	}
	defer v.Close()
	return DigestOf(v, OfApp(app), func(k Key) bool { return k.Collection == collection })
}

// DigestOf describes those rows of prefix for which only holds; nil: all of them.
func DigestOf(v View, prefix Prefix, only func(Key) bool) (Digest, error) {
	var d Digest
	err := v.Scan(prefix, func(r Row) error {
		if only == nil || only(r.Key) {
			d.Add(r)
		}
		return nil
	})
	return d, err
}

// Add counts a row in.
func (d *Digest) Add(r Row) {
	d.Rows++
	sum := rowSum(r)
	for i := range d.Sum {
		d.Sum[i] ^= sum[i]
	}
}

func rowSum(r Row) Hash {
	h := sha256.New()
	b := appendRowKey(make([]byte, 0, 64+len(r.Key.ID)), r.Key)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	b = binary.BigEndian.AppendUint32(b, r.Index)
	b = binary.BigEndian.AppendUint64(b, uint64(len(r.Key.ID)))
	h.Write(b)
	h.Write(r.Value)
	return Hash(h.Sum(nil))
}

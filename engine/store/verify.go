package store

import (
	"context"
	"errors"
	"fmt"
)

// Verify walks every key of the store as of now and calls report with each
// problem in words. It holds that
//
//   - every key has a known form and every envelope its checksum;
//   - headers are a chain without gaps from the base to the head, each with
//     its own hash;
//   - a header counts as many changes as there are, and none is without a
//     header;
//   - no row is from the future or from a place its Record does not have;
//   - what a change row says was put is there, or something later is, and
//     what it says was deleted is gone (nothing was lost or came back).
//
// It returns an error only when it could not finish.
func (c *core) Verify(ctx context.Context, report func(problem string)) error {
	c.reading.RLock()
	defer c.reading.RUnlock()
	v, err := c.view()
	if err != nil {
		return err
	}
	defer v.Close()
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	w := &verifier{ctx: ctx, v: v, report: report, ops: map[Seq]uint32{}, changes: map[Seq]uint32{}, gone: map[Key]place{}}
	for _, step := range []func() error{w.chain, w.history, w.rows} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type place struct {
	seq   Seq
	index uint32
}

type verifier struct {
	ctx     context.Context
	v       *view
	report  func(string)
	base    base
	ops     map[Seq]uint32 // number of ops of each kept Record
	changes map[Seq]uint32 // change rows of it that were not met yet
	gone    map[Key]place  // put by a change row, but not there: a later one must delete it
}

// problem reports err if it is about damage, and returns it otherwise.
func (w *verifier) problem(err error) error {
	var damage *CorruptError
	if errors.As(err, &damage) {
		w.report(damage.Error())
		return nil
	}
	return err
}

func (w *verifier) reportf(format string, args ...any) { w.report(fmt.Sprintf(format, args...)) }

func (w *verifier) chain() error {
	var err error
	if w.base, err = readBase(w.v.snap); err != nil {
		return w.problem(err)
	}
	last, hash := w.base.seq, w.base.hash
	err = w.v.snap.scan(appendOwn(nil, theOnlyShard, kindHeader), nil, func(key, sealed []byte) error {
		_, _, q, _ := splitKey(key)
		h, err := openHeader(key, q, sealed)
		if err != nil {
			return w.problem(err)
		}
		if q != last+1 {
			w.reportf("records %d to %d are missing", last+1, q-1)
		} else if h.prev != hash {
			w.reportf("record %d does not continue record %d: its previous hash differs", q, last)
		}
		if h.sum(theOnlyShard, q) != h.hash {
			w.reportf("record %d does not have its hash", q)
		}
		last, hash = q, h.hash
		w.ops[q], w.changes[q] = h.ops, h.changes
		return w.ctx.Err()
	})
	if err == nil && (last != w.v.seq || hash != w.v.hash) {
		w.reportf("the last record is %d, the head is %d", last, w.v.seq)
	}
	return err
}

func (w *verifier) history() error {
	err := w.v.snap.scan(appendOwn(nil, theOnlyShard, kindChange), nil, func(key, sealed []byte) error {
		_, _, q, _ := splitKey(key)
		err := eachChange(key, sealed, func(ch change) error {
			if left, ok := w.changes[q]; !ok || ch.index >= w.ops[q] {
				w.reportf("change %d of record %d belongs to no record", ch.index, q)
			} else {
				w.changes[q] = left - 1
			}
			return w.change(ch, q, ch.index)
		})
		if err != nil {
			return w.problem(err)
		}
		return w.ctx.Err()
	})
	for q, left := range w.changes {
		if left != 0 {
			w.reportf("record %d lacks %d changes", q, int32(left))
		}
	}
	for k, p := range w.gone {
		w.reportf("row is lost: %s, put by change %d of record %d", k, p.index, p.seq)
	}
	return err
}

// change compares a change with the row as it is now.
func (w *verifier) change(ch change, q Seq, index uint32) error {
	row, err := getRow(w.v.snap, appendKey(nil, theOnlyShard, ch.key), ch.key)
	switch {
	case errors.Is(err, ErrNotFound):
		if ch.delete {
			delete(w.gone, ch.key)
		} else {
			w.gone[ch.key] = place{q, index}
		}
	case err != nil:
		return w.problem(err)
	case ch.delete && !later(row.Seq, row.Index, q, index):
		w.reportf("row came back: %s of record %d, deleted by change %d of record %d", ch.key, row.Seq, index, q)
	case !ch.delete && later(q, index, row.Seq, row.Index):
		w.reportf("row is out of date: %s is of record %d, change %d of record %d is later", ch.key, row.Seq, index, q)
	}
	return nil
}

func (w *verifier) rows() error {
	return w.v.snap.scan(nil, nil, func(key, sealed []byte) error {
		switch kind, _, _, _ := splitKey(key); kind {
		case rawRow:
			q, index, _, err := unseal(key, sealed)
			if err != nil {
				return w.problem(err)
			}
			if ops, ok := w.ops[q]; q > w.v.seq || q > w.base.seq && (!ok || index >= ops) {
				w.reportf("%s is of change %d of record %d, which there is not", describe(key), index, q)
			}
		case rawUnknown:
			w.reportf("%s is none of ours", describe(key))
		}
		return w.ctx.Err()
	})
}

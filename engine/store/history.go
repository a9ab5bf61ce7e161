package store

import (
	"context"
	"errors"
	"fmt"
)

// Read implements Log.
func (c *core) Read(ctx context.Context, from Seq, fn func(*Record) error) error {
	if from == 0 {
		return fmt.Errorf("%w: records begin at 1", ErrInvalid)
	}
	return c.read(ctx, from, (*view).join, fn)
}

// Headers implements Log.
func (c *core) Headers(ctx context.Context, fn func(*Record) error) error {
	return c.read(ctx, 0, func(_ *view, q Seq, h header) (*Record, error) { return h.record(q) }, fn)
}

// read calls fn with what open makes of each header from from on; 0: from the oldest
// there is.
func (c *core) read(ctx context.Context, from Seq, open func(*view, Seq, header) (*Record, error), fn func(*Record) error) error {
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
	b, err := readBase(v.snap)
	if err != nil {
		return err
	}
	if from == 0 {
		from = b.seq + 1
	}
	if from <= b.seq {
		return fmt.Errorf("%w: it begins at %d", ErrTrimmed, b.seq+1)
	}
	next := from
	return v.snap.scan(appendOwn(nil, theOnlyShard, kindHeader), headerKey(theOnlyShard, from), func(key, sealed []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, _, q, _ := splitKey(key)
		h, err := openHeader(key, q, sealed)
		if err != nil {
			return err
		}
		if q != next {
			return corrupt(key, fmt.Sprintf("record %d is missing", next))
		}
		next++
		rec, err := open(v, q, h)
		if err != nil {
			return err
		}
		if err := v.usable(); err != nil {
			return err
		}
		return fn(rec)
	})
}

func readBase(s snapshot) (base, error) {
	key := baseKey(theOnlyShard)
	sealed, err := s.get(key)
	if errors.Is(err, ErrNotFound) {
		return base{}, nil
	}
	if err != nil {
		return base{}, readError(key, err)
	}
	return openBase(key, sealed)
}

// record makes a Record of a header alone.
func (h *header) record(q Seq) (*Record, error) {
	rec := &Record{
		Seq: q, Prev: h.prev, Time: h.time, Audit: append([]byte(nil), h.audit...),
		opsHash: h.opsHash, opsCount: h.ops, hasOpsHash: true,
	}
	if rec.Hash() != h.hash {
		return nil, corrupt(headerKey(theOnlyShard, q), "hash mismatch")
	}
	return rec, nil
}

// join makes a Record of a header, its change rows and the rows as they are now.
func (v *view) join(q Seq, h header) (*Record, error) {
	rec, err := h.record(q)
	if err != nil {
		return nil, err
	}
	found := uint32(0)
	joinOne := func(ch change) error {
		index := ch.index
		found++
		if ch.quiet {
			return nil
		}
		op := Op{Key: ch.key, Before: append([]byte(nil), ch.before...), Index: index}
		raw := appendKey(nil, theOnlyShard, ch.key)
		row, err := getRow(v.snap, raw, ch.key)
		switch {
		case errors.Is(err, ErrNotFound):
			op.Superseded = !ch.delete
		case err != nil:
			return err
		case row.Seq == q && row.Index == index && !ch.delete:
			op.Value = row.Value
		case later(row.Seq, row.Index, q, index):
			op.Value, op.Superseded = row.Value, true
		default:
			return corrupt(raw, fmt.Sprintf("older than change %d of record %d", index, q))
		}
		rec.Ops = append(rec.Ops, op)
		return nil
	}
	err = v.snap.scan(changeKey(theOnlyShard, q, 0)[:changeBytes-4], nil, func(key, sealed []byte) error {
		return eachChange(key, sealed, joinOne)
	})
	if err == nil && found != h.changes {
		err = corrupt(headerKey(theOnlyShard, q), fmt.Sprintf("%d change rows, want %d", found, h.changes))
	}
	return rec, err
}

func later(q Seq, index uint32, than Seq, thanIndex uint32) bool {
	return q > than || q == than && index > thanIndex
}

const trimBatch = 4096 // rows deleted in one transaction

// Trim implements Log.
func (c *core) Trim(ctx context.Context, before Seq) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if more, err = c.trimBatch(before); err != nil {
			return err
		}
	}
	return nil
}

// trimBatch forgets some Records and reports whether there may be more. What
// it deletes goes under the version of the head, so it would be seen by those
// who read the history at that version: they are kept out.
func (c *core) trimBatch(before Seq) (more bool, err error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.enter(); err != nil {
		return false, err
	}
	defer c.leave()
	if c.admit != nil {
		if err := c.admit(true); err != nil {
			return false, err
		}
	}
	head, _ := c.Head()
	s := c.back.snapshot(head)
	defer s.discard()
	writes, b, err := c.oldest(s, min(before, head))
	if err != nil || len(writes) == 0 {
		return false, err
	}
	key := baseKey(theOnlyShard)
	writes = append(writes, write{key, seal(nil, key, b.seq, 0, b.append(nil))})
	if err := c.commit(head, writes); err != nil {
		return false, err
	}
	c.mu.Lock()
	c.base = b
	c.mu.Unlock()
	return true, nil
}

var errEnough = errors.New("enough")

// oldest returns deletions of whole Records from the oldest on, and the base after them.
func (c *core) oldest(s snapshot, before Seq) (writes []write, b base, err error) {
	c.mu.Lock()
	b = c.base
	c.mu.Unlock()
	err = s.scan(appendOwn(nil, theOnlyShard, kindHeader), nil, func(key, sealed []byte) error {
		_, _, q, _ := splitKey(key)
		h, err := openHeader(key, q, sealed)
		if err != nil {
			return err
		}
		if q >= before || len(writes) > 0 && len(writes)+int(h.changes) > trimBatch {
			return errEnough
		}
		writes = append(writes, write{key: append([]byte(nil), key...)})
		b = base{q, h.hash}
		return s.scan(changeKey(theOnlyShard, q, 0)[:changeBytes-4], nil, func(key, _ []byte) error {
			writes = append(writes, write{key: append([]byte(nil), key...)})
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return writes, b, err
}

package engine

import (
	"errors"
	"strconv"

	"postern/engine/document"
	"postern/engine/store"
)

// A deltaSetting is what is asked of a collection: whether it remembers its
// changes and for how long.
type deltaSetting struct {
	on   bool
	days int // 0: as it was, or deltaDays
}

// deltaIn reads the member deltaSet of a collection; nil when there is none.
func deltaIn(doc document.Value) (*deltaSetting, error) {
	v := doc.Get("deltaSet")
	if v.Kind() == document.Missing || v.Kind() == document.Null {
		return nil, nil
	}
	on := v.Get("enabled")
	if v.Kind() != document.Object || on.Kind() != document.Bool {
		return nil, fault(errOutOfRange, `deltaSet must be {"enabled":true|false,"deletedTTLInDays":n}`)
	}
	in := &deltaSetting{on: on.Bool()}
	if ttl := v.Get("deletedTTLInDays"); ttl.Kind() != document.Missing && ttl.Kind() != document.Null {
		n, err := strconv.Atoi(string(ttl.Raw()))
		if err != nil || n < 1 || n > maxDeltaDays {
			return nil, fault(errOutOfRange, "deletedTTLInDays must be a number from 1 to %d", maxDeltaDays)
		}
		in.days = n
	}
	return in, nil
}

// appendDelta adds the setting to the description of a collection that
// remembers its changes.
func appendDelta(dst []byte, row *deltaRow) []byte {
	if row == nil {
		return dst
	}
	dst = append(dst, `,"deltaSet":{"enabled":true,"deletedTTLInDays":`...)
	return append(strconv.AppendInt(dst, int64(row.Days), 10), '}')
}

// deltaSetting returns the setting, nil when it is off.
func (c *collection) deltaSetting() *deltaRow {
	if c.history == nil {
		return nil
	}
	return &c.history.row
}

// errUngated refuses to switch on in a record that was given its time without
// regard to the readers; the next one is not.
var errUngated = fault(errInternal, "the record was begun before its readers were watched")

// deltaRow decides what the setting of a collection is after asked (nil: as it
// was) and a change of the level. old is nil when it did not exist.
func (d *draft) deltaRow(old *collection, asked *deltaSetting, relevel bool) (*deltaRow, error) {
	var was *history
	if old != nil {
		was = old.history
	}
	switch {
	case asked == nil && was == nil, asked != nil && !asked.on:
		return nil, nil
	case was == nil:
		if d.pending == nil {
			return nil, errUngated
		}
		row := &deltaRow{Days: asked.days, From: d.now, After: d.seq}
		if row.Days == 0 {
			row.Days = deltaDays
		}
		return row, nil
	}
	row := was.row
	if asked != nil && asked.days != 0 {
		// What is older than the shorter time may be gone already.
		if asked.days > row.Days {
			row.From = max(row.From, d.now-int64(row.Days)*millisecondsADay)
		}
		row.Days = asked.days
	}
	if relevel {
		row.From, row.After = d.now, d.seq
	}
	return &row, nil
}

// submitSetting submits a setCollection.
func (e *Engine) submitSetting(a *app, in *setCollection) error {
	if in.delta != nil && in.delta.on {
		e.gate.on.Store(true)
	}
	err := e.committer.submit(a, in)
	if errors.Is(err, errUngated) {
		err = e.committer.submit(a, in)
	}
	return err
}

// trimHistory has a collection forget what it has remembered for long enough.
// A history that was lost begins anew.
type trimHistory struct {
	app        *app
	collection string
}

func (*trimHistory) frugal() {}

func (in *trimHistory) plan(d *draft) ([]store.Op, error) {
	c := d.state(in.app).collection(in.collection)
	if c == nil || c.history == nil {
		return nil, nil
	}
	row, ok := c.history.trimmed(d.now, d.seq)
	if !ok {
		return nil, nil
	}
	return []store.Op{{
		Key:   store.Key{App: in.app.number, Table: tableCollection, ID: in.collection},
		Value: encodeRow(&collectionRow{Number: c.number, Level: c.level, Delta: row, Orders: c.orders}),
	}}, nil
}

// trimmed returns the setting without the changes that are too old. It reports
// false when there is less than a day of them; seq is that of the record which
// will hold the new setting.
func (h *history) trimmed(now int64, seq store.Seq) (*deltaRow, bool) {
	row := h.row
	if h.lost {
		row.From, row.After = now, seq
		return &row, true
	}
	from := max(h.from, now-int64(row.Days)*millisecondsADay)
	if from-row.From < millisecondsADay {
		return nil, false
	}
	row.From, row.After = from, seq
	h.changes.Scan(func(_ uint64, ch change) bool {
		if ch.at > from {
			row.After = ch.seq
		}
		return ch.at <= from
	})
	return &row, true
}

// trimRegroups removes the rows about groups that no collection needs any more.
type trimRegroups struct{ app *app }

func (*trimRegroups) frugal() {}

func (in *trimRegroups) plan(d *draft) ([]store.Op, error) {
	return d.state(in.app).oldRegroups(in.app, d.now), nil
}

// oldRegroups are the ops that remove rows about groups, some at a time.
func (s *appState) oldRegroups(a *app, now int64) []store.Op {
	days := 0
	s.collections.Scan(func(_ string, c *collection) bool {
		if c.history != nil {
			days = max(days, c.history.row.Days)
		}
		return true
	})
	var ops []store.Op
	s.regrouped.Scan(func(id string, row *regroupRow) bool {
		if row.At > now-int64(days)*millisecondsADay || len(ops) == cleanBatch {
			return false
		}
		ops = append(ops, store.Op{Key: regroupKey(a, id), Quiet: true})
		return true
	})
	return ops
}

// trim submits what trims the histories of an app, as far as there is anything
// to trim.
func (c *cleaner) trim(a *app) error {
	now := c.e.now()
	for len(a.view.Load().oldRegroups(a, now)) > 0 {
		if err := c.e.committer.submit(a, &trimRegroups{app: a}); err != nil {
			return err
		}
	}
	var err error
	a.view.Load().collections.Scan(func(name string, col *collection) bool {
		if col.history == nil {
			return true
		}
		if _, ok := col.history.trimmed(now, 0); ok {
			err = c.e.committer.submit(a, &trimHistory{app: a, collection: name})
		}
		return err == nil
	})
	return err
}

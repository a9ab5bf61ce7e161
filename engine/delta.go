package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/btree"
	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/query"
	"postern/engine/store"
)

// A delta set tells a client that holds an earlier answer what has become of it
// since. For that a collection remembers its changes, a history, which is part
// of the view. It is derived from the records of the log, at every commit and
// again at start.
//
//	D1  What is told is decided as of now. changed: what the requester may read,
//	    matches, and was changed since. deleted: what was changed since, is not
//	    in changed, and had, before one of those changes, an ACL by which he may
//	    read. So no id is named that he could never read.
//	D2  That holds only while the level and his groups are what they were: when
//	    one of them was changed since, he is sent to fetch everything anew. So
//	    is he when the history does not go back that far.
//	D3  since is the X-Kinvey-Request-Start of an earlier answer of the
//	    collection. That answer holds everything with a time up to it
//	    (delta_gate.go), so the changes after it are all that can be missing.
//	D4  The time of a change is that of its record. It is the entity's lmt, but
//	    for imported ones and for several changes of one entity in one millisecond.

const (
	maxChanges       = 100_000 // that a collection remembers
	deltaDays        = 15      // that it remembers them, when nothing else was said
	maxDeltaDays     = 30
	millisecondsADay = 24 * 60 * 60 * 1000
)

// deltaRow is the setting of a collection that remembers its changes.
type deltaRow struct {
	Days  int       `json:"days"`  // for which they are remembered
	From  int64     `json:"from"`  // Unix ms; the changes later than this are remembered
	After store.Seq `json:"after"` // the records from this one on hold all of those
}

// A history is what a collection remembers. It follows the rules of the
// collection: immutable when published.
type history struct {
	row     deltaRow
	from    int64 // row.From, or later when there were too many changes
	lost    bool  // the log does not reach back to row.After: nothing is known
	next    uint64
	changes *btree.Map[uint64, change] // in the order in which they were made
}

// A change says that an entity was made, replaced or removed.
type change struct {
	id     string
	at     int64     // Unix ms
	seq    store.Seq // of the record
	before *acl.ACL  // nil: there was no entity
}

func newHistory(row deltaRow) *history {
	return &history{row: row, from: row.From, changes: new(btree.Map[uint64, change])}
}

func (h *history) clone() *history {
	if h == nil {
		return nil
	}
	n := *h
	n.changes = h.changes.Copy()
	return &n
}

// setDelta brings the setting into the collection; nil switches it off.
func (c *collection) setDelta(row *deltaRow) {
	switch {
	case row == nil:
		c.history = nil
	case c.history == nil:
		c.history = newHistory(*row)
	default:
		h := c.history
		h.lost = h.lost && row.After == h.row.After
		h.row = *row
		h.forget(row.From)
	}
}

// add remembers a change. The oldest ones make room.
func (h *history) add(ch change, most int) {
	if ch.at <= h.from {
		return
	}
	h.changes.Set(h.next, ch)
	h.next++
	if h.changes.Len() > most {
		_, oldest, _ := h.changes.Min()
		h.forget(oldest.at)
	}
}

// forget drops the changes up to a time.
func (h *history) forget(upTo int64) {
	h.from = max(h.from, upTo)
	for {
		_, ch, ok := h.changes.Min()
		if !ok || ch.at > h.from {
			return
		}
		h.changes.PopMin()
	}
}

// reaches reports whether every change after a moment is remembered. now is
// the time of the request.
func (h *history) reaches(since, now int64) bool {
	return !h.lost && h.from <= since && now-int64(h.row.Days)*millisecondsADay <= since
}

// remember brings the changes of one record into the histories that it
// concerns: of a record that was just committed and, at start, of those in the
// log.
func remember(histories map[uint32]*history, app uint32, seq store.Seq, at int64, ops []store.Op) error {
	if len(histories) == 0 {
		return nil
	}
	for i := range ops {
		op := &ops[i]
		if op.Key.Table != tableEntity || op.Key.App != app || op.Quiet {
			continue
		}
		h, ok := histories[op.Key.Collection]
		if !ok || h.lost {
			continue
		}
		ch := change{id: op.Key.ID, at: at, seq: seq}
		if len(op.Before) > 0 {
			var err error
			if ch.before, _, err = acl.DecodeBinary(op.Before); err != nil {
				return fmt.Errorf("the ACL before change %d of record %d: %w", i, seq, err)
			}
		}
		h.add(ch, maxChanges)
	}
	return nil
}

// ownHistories returns the histories of the collections that this clone
// changes, by the number of the collection.
func (s *appState) ownHistories() map[uint32]*history {
	var found map[uint32]*history
	for c := range s.owned {
		if c.history != nil {
			if found == nil {
				found = map[uint32]*history{}
			}
			found[c.number] = c.history
		}
	}
	return found
}

// remembers reports whether any collection of the app has a history.
func (s *appState) remembers() bool {
	found := false
	s.collections.Scan(func(_ string, c *collection) bool {
		found = c.history != nil
		return !found
	})
	return found
}

// rememberAll rebuilds the histories of freshly loaded apps from the log, up to
// the record at which the rows were read.
func (l *loaded) rememberAll(log store.Log, upTo store.Seq) error {
	histories := map[uint32]map[uint32]*history{}
	first := upTo
	for number, a := range l.directory.byNumber {
		a.view.Load().collections.Scan(func(_ string, c *collection) bool {
			if c.history != nil {
				if histories[number] == nil {
					histories[number] = map[uint32]*history{}
				}
				histories[number][c.number] = c.history
				first = min(first, c.history.row.After)
			}
			return true
		})
	}
	if len(histories) == 0 {
		return nil
	}
	err := log.Read(context.Background(), first, func(rec *store.Record) error {
		if rec.Seq > upTo {
			return errEnough
		}
		for app, of := range histories {
			if err := remember(of, app, rec.Seq, rec.Time, rec.Ops); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return nil
	case errors.Is(err, store.ErrTrimmed):
		// Restored from a backup: the log is gone, and the clients know of a
		// future that never was. The histories begin anew with the cleaner's
		// next round.
		for _, of := range histories {
			for _, h := range of {
				h.lost = true
			}
		}
		return nil
	}
	return err
}

// deltaSet answers with what has become of the requester's earlier answer.
func (e *Engine) deltaSet(r *Request) error {
	if err := validCollection(r.param(0)); err != nil {
		return err
	}
	c := r.view.collection(r.param(0))
	if c == nil || c.history == nil {
		return fault(errConfiguration, "This collection has not been configured for Delta Set access.")
	}
	since, err := r.since()
	if err != nil {
		return err
	}
	q, err := r.filter()
	if err != nil {
		return err
	}
	switch {
	case since > r.start:
		return fault(errOutOfRange, "The 'since' timestamp cannot be later than now.")
	case !c.history.reaches(since, r.start):
		e.cleaner.nudge()
		return fault(errOutOfRange, "The 'since' timestamp cannot be earlier than the date at which delta set was enabled for this collection.")
	case r.subject.Role == acl.RoleUser && r.view.regroupedSince(r.subject.ID, since):
		return fault(errOutOfRange, "The 'since' timestamp cannot be earlier than the last change of your groups.")
	}
	changed, deleted, err := c.delta(r.subject, q, since)
	if err != nil {
		return err
	}
	return r.answerDelta(changed, deleted)
}

// since reads the parameter, Unix ms. Kinvey's form and others of ISO 8601 are
// taken; what is finer than a millisecond is cut off.
func (r *Request) since() (int64, error) {
	text := string(r.ctx.QueryArgs().Peek("since"))
	if text == "" {
		return 0, fault(errMissingParameter, "since is missing")
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, fault(errOutOfRange, "since must be a time such as 2006-01-02T15:04:05.000Z")
	}
	return t.UnixMilli(), nil
}

// delta decides D1. What the subject may not read now does not get near the
// query. changed comes in the order of lists, deleted in that of ids. The only
// error is a spent budget.
func (c *collection) delta(subject acl.Subject, q *query.Query, since int64) (changed []*entity, deleted []string, err error) {
	may := func(a *acl.ACL) bool { return acl.Decide(subject, c.level, a, acl.Read).Allowed }
	could := map[string]bool{} // of what was changed: whether he could read it before
	c.history.changes.Reverse(func(_ uint64, ch change) bool {
		if ch.at <= since {
			return false
		}
		if !could[ch.id] {
			could[ch.id] = ch.before != nil && may(ch.before)
		}
		return true
	})
	for id, did := range could {
		ent, ok := c.rows.get(id)
		if ok = ok && may(ent.acl); ok {
			if ok, err = q.Meter.Match(q.Filter, documentOf(ent)); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case ok:
			changed = append(changed, ent)
		case did:
			deleted = append(deleted, id)
		}
	}
	slices.SortFunc(changed, func(a, b *entity) int { return cmp.Compare(a.pos, b.pos) })
	slices.SortFunc(deleted, strings.Compare)
	return changed, deleted, nil
}

func (r *Request) answerDelta(changed []*entity, deleted []string) error {
	if len(changed)+len(deleted) > maxResults {
		return fault(errResultSize, "more than %d entities have changed", maxResults)
	}
	size := 0
	for _, ent := range changed {
		if size += len(ent.body()); size > maxResponseBytes {
			return fault(errResultSize, "the changed entities have more than %d bytes", maxResponseBytes)
		}
	}
	out := &r.ctx.Response
	r.ctx.SetStatusCode(fasthttp.StatusOK)
	out.AppendBodyString(`{"changed":[`)
	for i, ent := range changed {
		if i > 0 {
			out.AppendBodyString(",")
		}
		out.AppendBody(ent.body())
	}
	out.AppendBodyString(`],"deleted":[`)
	for i, id := range deleted {
		if i > 0 {
			out.AppendBodyString(",")
		}
		out.AppendBody(new(jsonObject).text("_id", id).close())
	}
	out.AppendBodyString("]}")
	return nil
}

// differ compares a history with the one that the log was loaded into.
func (h *history) differ(o *history) string {
	switch {
	case h == nil && o == nil:
		return ""
	case h == nil || o == nil:
		return "one has a history and the other has none"
	case h.row != o.row || h.lost != o.lost || h.from != o.from:
		return fmt.Sprintf("it begins at %d %+v (lost %t), in the store at %d %+v (lost %t)", h.from, h.row, h.lost, o.from, o.row, o.lost)
	}
	in, stored := h.changes.Values(), o.changes.Values()
	if len(in) != len(stored) {
		return fmt.Sprintf("%d changes are remembered, %d are in the log", len(in), len(stored))
	}
	for i, a := range in {
		b := stored[i]
		if a.id != b.id || a.at != b.at || a.seq != b.seq || !a.before.Equal(b.before) {
			return fmt.Sprintf("change %d is of %q at %d, in the log of %q at %d, or the ACL before differs", i, a.id, a.at, b.id, b.at)
		}
	}
	return ""
}

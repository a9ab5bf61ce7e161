package engine

import (
	"bytes"
	"encoding/binary"
	"slices"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// A merge yields what is in several lanes in the order of a query, and in that
// of creation where the query does not tell them apart.
type merge struct {
	rows  *contents
	sort  query.Sort
	any   bool         // one lane after the other will do
	meter *query.Meter // of sorting
	lanes []lane

	touched int // by walks that are over
}

// A lane is entities in the order of the query: those of a walk, or some that
// are ready.
type lane struct {
	stream *acl.Walk // nil: there is none, or it is over
	ready  []acl.Ordinal
	room   *[32]acl.Ordinal // what ready is in, of a walk
	key    []byte           // of the first of ready; empty: it was not looked at
}

func (m *merge) add(l lane) { m.lanes = append(m.lanes, l) }

// appendKey appends what the order of the query puts an entity by.
func (m *merge) appendKey(dst []byte, i acl.Ordinal) []byte {
	dst = m.sort.AppendKey(dst, document.Trusted(m.rows.body(i)))
	return binary.BigEndian.AppendUint32(dst, uint32(m.rows.position(i)))
}

// sorted puts entities in the order of the query. The error is a spent budget.
func (m *merge) sorted(all []acl.Ordinal) error {
	if m.any {
		return nil
	}
	type keyed struct {
		key []byte
		i   acl.Ordinal
	}
	rows := make([]keyed, len(all))
	for at, i := range all {
		rows[at] = keyed{m.appendKey(nil, i), i}
	}
	err := query.SortAll(m.meter, rows, func(a, b keyed) int { return bytes.Compare(a.key, b.key) })
	for at, r := range rows {
		all[at] = r.i
	}
	return err
}

// fill sees to it that the first of a lane is ready. It reports false at its
// end.
func (m *merge) fill(l *lane) bool {
	if len(l.ready) > 0 {
		return true
	}
	if l.stream == nil {
		return false
	}
	if l.room == nil {
		l.room = new([32]acl.Ordinal)
	}
	l.ready = l.room[:l.stream.Next(l.room[:])]
	if len(l.ready) == 0 {
		m.end(l)
	}
	return len(l.ready) > 0
}

// next returns the next of all.
func (m *merge) next() (acl.Ordinal, bool) {
	var first *lane
	for at := range m.lanes {
		l := &m.lanes[at]
		if !m.fill(l) {
			continue
		}
		if m.any {
			first = l
			break
		}
		if len(l.key) == 0 {
			l.key = m.appendKey(l.key, l.ready[0])
		}
		if first == nil || bytes.Compare(l.key, first.key) < 0 {
			first = l
		}
	}
	if first == nil {
		return 0, false
	}
	i := first.ready[0]
	first.ready, first.key = first.ready[1:], first.key[:0]
	return i, true
}

// count returns how many are left.
func (m *merge) count() int {
	n := 0
	for _, l := range m.lanes {
		n += len(l.ready)
		if l.stream != nil {
			n += l.stream.Count()
		}
	}
	return n
}

func (m *merge) end(l *lane) {
	if l.stream != nil {
		m.touched += l.stream.Touched()
		l.stream.Close()
		l.stream = nil
	}
}

// close ends all lanes.
func (m *merge) close() {
	for at := range m.lanes {
		m.end(&m.lanes[at])
	}
	m.lanes = slices.Delete(m.lanes, 0, len(m.lanes))
}

package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

func rowsOf(n int) []string {
	var docs []string
	for i := range n {
		docs = append(docs, fmt.Sprintf(`{"n":%d,"_geoloc":[%d,0]}`, i, i%180))
	}
	return docs
}

func expensive(err error) bool {
	var e *query.Error
	return errors.As(err, &e) && e.TooExpensive && !e.Disallowed && !e.OutOfRange
}

// Past the budget there is an error and never a short answer; up to it there is
// the whole answer.
func TestBudgetOfRows(t *testing.T) {
	docs := rowsOf(100)
	for _, c := range []struct {
		name string
		q    query.Query
		rows int // that it examines
	}{
		{"a filter", query.Query{Filter: filter(t, `{"n":{"$lt":0}}`)}, 100},
		{"a sort", query.Query{Sort: sortOf(t, `n`)}, 100},
		{"a distance", query.Query{Filter: filter(t, `{"_geoloc":{"$near":[0,0]}}`)}, 100},
		{"no filter", query.Query{}, 100},
		{"a page", query.Query{Filter: filter(t, `{"n":{"$gte":10}}`), Page: query.Page{Limit: 5}}, 15},
		{"a page that is skipped to", query.Query{Page: query.Page{Skip: 90}}, 10}, // what is skipped is not examined
	} {
		want := run(t, &c.q, source(t, docs))
		for rows := c.rows - 1; rows <= c.rows; rows++ {
			c.q.Meter = query.NewMeter(query.Budget{Rows: rows})
			got := 0
			err := query.Run(&c.q, source(t, docs), func(document.Value) error { got++; return nil })
			if rows < c.rows && !expensive(err) || rows == c.rows && (err != nil || got != len(want)) {
				t.Errorf("%s with a budget of %d rows: %d documents, %v", c.name, rows, got, err)
			}
		}
	}
	q := &query.Query{Filter: filter(t, `{"n":{"$lt":50}}`), Meter: query.NewMeter(query.Budget{Rows: 99})}
	if n, err := query.Count(q, source(t, docs)); !expensive(err) || n != 0 {
		t.Errorf("Count past the budget = %d, %v", n, err)
	}
	q.Meter = query.NewMeter(query.Budget{Rows: 100})
	if n, err := query.Count(q, source(t, docs)); err != nil || n != 50 {
		t.Errorf("Count within the budget = %d, %v; want 50", n, err)
	}
	if n, err := query.Count(q, source(t, docs)); !expensive(err) {
		t.Errorf("Count with a budget that is spent = %d, %v", n, err)
	}
	q.Filter = nil
	if n, err := query.Count(q, source(t, docs)); err != nil || n != 100 {
		t.Errorf("Count without a filter examines nothing, but = %d, %v", n, err)
	}
}

// The clock is asked by the work that was done: every 256 small documents, every
// large one, and inside of one that is much work.
func TestBudgetOfTime(t *testing.T) {
	for _, c := range []struct {
		name, filter string
		docs         []string
		looks        int // at least
	}{
		{"small documents", `{"n":-1}`, rowsOf(2000), 7},
		{"large documents", `{"n":-1}`, []string{`{"x":"` + strings.Repeat("x", 1<<20) + `"}`, `{"x":"` + strings.Repeat("x", 1<<20) + `"}`}, 2},
		{"much work on one", `{"x":{"$regex":"^(.*a){9}b"}}`, []string{`{"x":["` + strings.Repeat("a", 100_000) + `","` + strings.Repeat("a", 100_000) + `"]}`}, 2},
	} {
		looks := 0
		q := &query.Query{Filter: filter(t, c.filter), Meter: query.NewMeter(query.Budget{Over: func() bool { looks++; return false }})}
		if n, err := query.Count(q, source(t, c.docs)); n != 0 || err != nil || looks < c.looks {
			t.Errorf("%s: Count = %d, %v after %d looks at the clock; want at least %d", c.name, n, err, looks, c.looks)
		}
		src := source(t, c.docs)
		q.Meter = query.NewMeter(query.Budget{Over: func() bool { return true }})
		if n, err := query.Count(q, src); !expensive(err) || src.read > 300 {
			t.Errorf("%s: Count past the time = %d, %v after %d documents", c.name, n, err, src.read)
		}
	}
}

// One document cannot cost what a pattern makes of a megabyte of text, or a
// polygon of very many places.
func TestBudgetOfOneDocument(t *testing.T) {
	text := strings.Repeat("a", 900_000)
	corners := strings.TrimSuffix(strings.Repeat(`[0,1],[1,0],`, 500), ",")
	for _, c := range []struct{ name, filter, doc string }{
		{"a pattern", `{"a":{"$regex":"^(.*a){20}b"}}`, `{"a":"` + text + `"}`},
		{"its opposite", `{"a":{"$not":{"$regex":"^(.*a){20}b"}}}`, `{"a":"` + text + `"}`},
		{"a pattern on many texts", `{"a":{"$regex":"^(.*a){20}b"}}`, `{"a":[` + strings.TrimSuffix(strings.Repeat(`"`+text[:1000]+`",`, 900), ",") + `]}`},
		{"a polygon", `{"a":{"$within":{"$polygon":[` + corners + `]}}}`, `{"a":[` + strings.TrimSuffix(strings.Repeat(`[2,2],`, 100_000), ",") + `]}`},
	} {
		m := query.NewMeter(query.Budget{})
		if matched, err := m.Match(filter(t, c.filter), doc(t, c.doc)); matched || !expensive(err) {
			t.Errorf("%s: Match = %v, %v", c.name, matched, err)
		}
		if _, err := m.Match(nil, doc(t, `{}`)); !expensive(err) {
			t.Errorf("%s: the meter forgets that it has spent its budget", c.name)
		}
	}
	m := query.NewMeter(query.Budget{})
	if matched, err := m.Match(filter(t, `{"a":{"$regex":"^a+$"}}`), doc(t, `{"a":"`+text+`"}`)); !matched || err != nil {
		t.Errorf("a plain pattern on a long text: Match = %v, %v", matched, err)
	}
}

func TestNilMeterHasNoBounds(t *testing.T) {
	var m *query.Meter
	if matched, err := m.Match(filter(t, `{"a":1}`), doc(t, `{"a":1}`)); !matched || err != nil {
		t.Errorf("Match = %v, %v", matched, err)
	}
}

// The time of a query is also that of sorting what it has found, after the last
// document was examined.
func TestBudgetOfTimeForSorting(t *testing.T) {
	docs := rowsOf(5000)
	for i := range docs { // downwards and upwards in turn
		docs[i] = fmt.Sprintf(`{"n":%d}`, i*7919%5000)
	}
	src, examined := source(t, docs), 0
	over := func() bool { return examined == len(docs) }
	q := &query.Query{Sort: sortOf(t, `n`), Meter: query.NewMeter(query.Budget{Over: over})}
	err := query.Run(q, counted{src, &examined}, func(document.Value) error { t.Error("a short answer"); return nil })
	if !expensive(err) || examined != len(docs) {
		t.Errorf("sorting with no time left, after %d documents: %v", examined, err)
	}
}

// counted counts what is read of a source.
type counted struct {
	query.Source
	n *int
}

func (c counted) Next() (document.Value, bool) {
	doc, ok := c.Source.Next()
	if ok {
		*c.n++
	}
	return doc, ok
}

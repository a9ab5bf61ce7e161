package query

import (
	"cmp"
	"math"

	"postern/engine/document"
)

// A Page is the part of a result that is wanted. Values below zero count as
// zero.
type Page struct {
	Skip  int // documents left out at the beginning
	Limit int // documents returned at most; 0 for all
}

// A Query is what a client asked for, all parts optional.
type Query struct {
	Filter *Filter
	Sort   Sort
	Page   Page
	Fields Fields

	// Meter counts what Run and Count examine; nil is no bound.
	Meter *Meter
}

// A Source yields, in natural order, the documents that the subject may see and
// no others. What Next returns must stay valid until Run or Count is done.
type Source interface {
	// Next returns the next document; ok is false at the end.
	Next() (doc document.Value, ok bool)

	// Skip passes over the next n documents, or what is left, and returns how
	// many those were.
	Skip(n int) int

	// Count returns how many documents are left, and consumes none.
	Count() int
}

// Run emits the documents of src that match, in order, cut to the page. It
// emits whole documents: the caller applies q.Fields when it writes them. An
// error of emit ends the run and is returned, and so does a spent budget.
//
// Without an order it reads no further than the page. With one, which is a sort
// or else the distance that the filter asks for, it reads all of src, and keeps
// no more documents than the page ends at.
func Run(q *Query, src Source, emit func(document.Value) error) error {
	skip, limit := max(q.Page.Skip, 0), q.Page.Limit
	if limit <= 0 {
		limit = math.MaxInt
	}
	if !q.Sort.None() || q.Filter.ordered() {
		return runSorted(q, skip, limit, src, emit)
	}
	if q.Filter == nil && skip > 0 {
		// Fast path: nobody has to look at what is skipped.
		src.Skip(skip)
		skip = 0
	}
	for limit > 0 {
		doc, ok := src.Next()
		if !ok {
			break
		}
		if matched, err := q.Meter.Match(q.Filter, doc); err != nil {
			return err
		} else if !matched {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if err := emit(doc); err != nil {
			return err
		}
		limit--
	}
	return nil
}

// Count returns how many documents of src match. Sort, page and fields do not
// matter. The only error is a spent budget.
func Count(q *Query, src Source) (int, error) {
	if q.Filter == nil {
		return src.Count(), nil
	}
	n := 0
	for doc, ok := src.Next(); ok; doc, ok = src.Next() {
		matched, err := q.Meter.Match(q.Filter, doc)
		if err != nil {
			return 0, err
		}
		if matched {
			n++
		}
	}
	return n, nil
}

func runSorted(q *Query, skip, limit int, src Source, emit func(document.Value) error) error {
	keep := math.MaxInt
	if limit < math.MaxInt-skip {
		keep = skip + limit
	}
	t := top{sort: q.Sort, keep: keep}
	if q.Sort.None() {
		t.order = q.Filter.order
	}
	for doc, ok := src.Next(); ok; doc, ok = src.Next() {
		matched, err := q.Meter.Match(q.Filter, doc)
		if err != nil {
			return err
		}
		if matched {
			t.add(doc)
		}
	}
	rows, err := t.sorted(q.Meter)
	if err != nil {
		return err
	}
	for _, r := range rows[min(skip, len(rows)):] {
		if err := emit(r.doc); err != nil {
			return err
		}
	}
	return nil
}

// A row is a document with what it is ordered by, taken out once.
type row struct {
	doc    document.Value
	values []document.Value
	angle  float64 // distance, radians
	order  int     // natural
}

// A top holds the first documents of a sort: when there are more than keep,
// rows is a heap with the last of them at its root.
type top struct {
	sort    Sort
	order   *byDistance // instead of a sort, when not nil
	keep    int
	seen    int
	rows    []row
	spare   row
	block   []document.Value // not yet used by a row's values
	nearest nearest          // used again for each document
}

func (t *top) compare(a, b row) int {
	if c := t.sort.compareValues(a.values, b.values); c != 0 {
		return c
	}
	if c := cmp.Compare(a.angle, b.angle); c != 0 {
		return c
	}
	return a.order - b.order
}

func (t *top) add(doc document.Value) {
	if t.spare.values == nil {
		t.spare.values = t.room()
	}
	t.spare.doc, t.spare.order = doc, t.seen
	t.spare.values = t.sort.values(t.spare.values[:0], doc)
	if t.order != nil {
		t.spare.angle = t.order.of(doc, &t.nearest)
	}
	t.seen++
	if len(t.rows) < t.keep {
		t.rows = append(t.rows, t.spare)
		t.spare = row{}
		if len(t.rows) == t.keep {
			for i := len(t.rows)/2 - 1; i >= 0; i-- {
				t.sink(i)
			}
		}
		return
	}
	if t.compare(t.spare, t.rows[0]) < 0 {
		t.spare, t.rows[0] = t.rows[0], t.spare
		t.sink(0)
	}
}

// room returns space for the values of one row.
func (t *top) room() []document.Value {
	const rowsInBlock = 64
	n := len(t.sort.keys)
	if len(t.block) < n {
		t.block = make([]document.Value, rowsInBlock*n)
	}
	values := t.block[:0:n]
	t.block = t.block[n:]
	return values
}

// sink moves the row at i down until no row below comes after it.
func (t *top) sink(i int) {
	for {
		last := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.rows); child++ {
			if t.compare(t.rows[child], t.rows[last]) > 0 {
				last = child
			}
		}
		if last == i {
			return
		}
		t.rows[i], t.rows[last] = t.rows[last], t.rows[i]
		i = last
	}
}

// sorted returns the rows in order. When the budget is spent meanwhile the
// order is not made, and the error says so.
func (t *top) sorted(m *Meter) ([]row, error) {
	return t.rows, SortAll(m, t.rows, t.compare)
}

package query

import (
	"fmt"
	"slices"

	"postern/engine/document"
)

const (
	// textPerCheck is how many bytes of documents are matched between two looks
	// at the clock. A document counts for documentText bytes more than it has, a
	// comparison when the result is sorted for comparisonText.
	textPerCheck   = 1 << 20
	documentText   = 4 << 10
	comparisonText = 1 << 10

	// maxWork bounds the work on one document that its length alone does not:
	// of regular expressions (instructions times bytes) and polygons (corners).
	maxWork = 32 << 20
)

// A Budget bounds what the query of one request may spend.
type Budget struct {
	// Rows is how many documents are examined at most; 0 is no bound. Only what
	// the subject may see comes to be examined, so only that counts.
	Rows int

	// Over is asked about every thousandth of a second of work whether the time
	// is over; it may let others run before it answers. nil is no bound.
	Over func() bool
}

// A Meter counts what one request spends of its Budget. It is for one
// goroutine. The nil Meter has no bounds.
type Meter struct {
	budget Budget
	rows   int
	met    int // of rows
	text   int // since the last look at the clock, bytes
	work   int // on the document that is examined
	err    error
}

// NewMeter returns a Meter that has spent nothing.
func NewMeter(b Budget) *Meter { return &Meter{budget: b} }

// Reset makes of a Meter a new one.
func (m *Meter) Reset(b Budget) { *m = Meter{budget: b} }

// Match reports whether the document meets the filter. Past the budget it
// returns an *Error with TooExpensive set, now and ever after: what was not
// examined is never taken for what does not match.
func (m *Meter) Match(f *Filter, doc document.Value) (bool, error) {
	if m == nil {
		return f.Match(doc), nil
	}
	m.begin(doc)
	if m.err != nil {
		return false, m.err
	}
	matched := f == nil || f.root.match(doc, m)
	if matched {
		m.met++
	}
	return matched && m.err == nil, m.err
}

// Look counts a document that is examined for something other than a filter. The
// error is that of Match.
func (m *Meter) Look(doc document.Value) error {
	if m == nil {
		return nil
	}
	m.begin(doc)
	return m.err
}

// Work counts work on something other than documents, in the bytes of a document
// that would take as long. The error is that of Match.
func (m *Meter) Work(text int) error {
	if m == nil {
		return nil
	}
	m.look(text)
	return m.err
}

// Spent returns how many documents were examined and how many of them met the
// filter that they were examined for.
func (m *Meter) Spent() (rows, met int) { return m.rows, m.met }

// SortAll sorts rows. When the budget is spent meanwhile they are in no order,
// and the error says so.
func SortAll[T any](m *Meter, rows []T, compare func(a, b T) int) error {
	if m == nil {
		m = new(Meter)
	}
	slices.SortFunc(rows, func(a, b T) int {
		if m.look(comparisonText); m.err != nil {
			return 0
		}
		return compare(a, b)
	})
	return m.err
}

// begin counts a document.
func (m *Meter) begin(doc document.Value) {
	m.work = 0
	if m.rows++; m.budget.Rows > 0 && m.rows > m.budget.Rows {
		m.fail("it examines more than %d documents", m.budget.Rows)
	}
	m.look(documentText + len(doc.Raw()))
}

// spend takes from what the document may cost. Where it returns false the
// work must not be done; the answer of the match does not count then.
func (m *Meter) spend(work int) bool {
	if m == nil {
		return true
	}
	if m.work += work; m.work > maxWork {
		m.fail("a document is too large for it")
	}
	m.look(work)
	return m.err == nil
}

// look looks at the clock when enough was done since the last time.
func (m *Meter) look(text int) {
	if m.text += text; m.text < textPerCheck {
		return
	}
	m.text = 0
	if m.err == nil && m.budget.Over != nil && m.budget.Over() {
		m.fail("it takes too long")
	}
}

func (m *Meter) fail(format string, args ...any) {
	if m.err == nil {
		m.err = &Error{TooExpensive: true, Msg: "the query is too expensive: " + fmt.Sprintf(format, args...)}
	}
}

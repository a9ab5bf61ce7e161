package query

import (
	"slices"

	"postern/engine/document"
)

// equal is the test of equality with one value.
type equal struct {
	kind  document.Kind
	value document.Value
}

func (t *equal) holds(v document.Value, _ *Meter) bool {
	if t.kind == document.Null {
		return v.Kind() <= document.Null
	}
	return document.Equal(v, t.value)
}

// A side says on which side of the operand a range lies, and whether the
// operand is in it.
type side struct {
	above, included bool
}

// beyond is the test of a range that is open on one side.
type beyond struct {
	side
	kind  document.Kind
	value document.Value
}

func (t *beyond) holds(v document.Value, _ *Meter) bool {
	if v.Kind() != t.kind {
		return t.kind == document.Null && v.Kind() == document.Missing && t.included
	}
	c := compare(v, t.value)
	if c == 0 {
		return t.included
	}
	return c > 0 == t.above
}

// in is the test of equality with one of many values, kept in order.
type in []document.Value

func newIn(values []document.Value) in {
	slices.SortFunc(values, compare)
	return values
}

func (t in) holds(v document.Value, _ *Meter) bool {
	_, found := slices.BinarySearchFunc(t, v, compare)
	return found
}

// present is the test of being there at all.
type present struct{}

func (present) holds(v document.Value, _ *Meter) bool { return v.Kind() != document.Missing }

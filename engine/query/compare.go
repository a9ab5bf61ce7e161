package query

import (
	"cmp"

	"postern/engine/document"
)

// ranks orders the kinds among each other.
var ranks = [...]int8{
	document.Missing: 0,
	document.Null:    0,
	document.Number:  1,
	document.String:  2,
	document.Object:  3,
	document.Array:   4,
	document.Bool:    5,
}

// compare is the total order of values that doc.go describes. It returns 0 for
// exactly the values that are equal, null and missing among them.
func compare(a, b document.Value) int {
	kind := a.Kind()
	if x, y := ranks[kind], ranks[b.Kind()]; x != y {
		return cmp.Compare(x, y)
	}
	switch kind {
	case document.Number:
		return document.CompareNumbers(a.Raw(), b.Raw())
	case document.String:
		return document.CompareText(a, b)
	case document.Object:
		return compareObjects(a, b)
	case document.Array:
		return compareArrays(a, b)
	case document.Bool:
		return compareBools(a.Bool(), b.Bool())
	}
	return 0
}

func compareObjects(a, b document.Value) int {
	for x, y := a.Walk(), b.Walk(); ; {
		n, v, more := x.Member()
		m, w, also := y.Member()
		if !more || !also {
			return compareBools(more, also)
		}
		if c := cmp.Compare(ranks[v.Kind()], ranks[w.Kind()]); c != 0 {
			return c
		}
		if c := document.CompareText(n, m); c != 0 {
			return c
		}
		if c := compare(v, w); c != 0 {
			return c
		}
	}
}

func compareArrays(a, b document.Value) int {
	for x, y := a.Walk(), b.Walk(); ; {
		v, more := x.Element()
		w, also := y.Element()
		if !more || !also {
			return compareBools(more, also)
		}
		if c := compare(v, w); c != 0 {
			return c
		}
	}
}

// compareBools puts false before true.
func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

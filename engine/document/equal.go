package document

import "bytes"

// Equal reports whether two values are the same in the sense of the query
// language: numbers by value, strings by what they say, arrays element by
// element, objects member by member in the same order. Two missing values are
// equal; null and missing are not. It does not allocate on ordinary numbers.
func Equal(a, b Value) bool {
	kind := a.Kind()
	if kind != b.Kind() {
		return false
	}
	// Fast path: one text has one meaning.
	if bytes.Equal(a.raw, b.raw) {
		return true
	}
	switch kind {
	case Number:
		return CompareNumbers(a.raw, b.raw) == 0
	case String:
		return CompareText(a, b) == 0
	case Bool:
		return a.Bool() == b.Bool()
	case Array:
		for x, y := a.Walk(), b.Walk(); ; {
			p, more := x.Element()
			q, also := y.Element()
			if more != also {
				return false
			}
			if !more {
				return true
			}
			if !Equal(p, q) {
				return false
			}
		}
	case Object:
		for x, y := a.Walk(), b.Walk(); ; {
			n, p, more := x.Member()
			m, q, also := y.Member()
			if more != also {
				return false
			}
			if !more {
				return true
			}
			if CompareText(n, m) != 0 || !Equal(p, q) {
				return false
			}
		}
	}
	return true // null
}

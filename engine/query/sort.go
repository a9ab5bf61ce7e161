package query

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern/engine/document"
)

// maxSortKeys bounds the work of comparing two documents.
const maxSortKeys = 32

// A Sort is an order of documents: the first key decides, where it is equal
// the second does, and so on. The zero Sort is no order: all are equal.
type Sort struct {
	keys []sortKey
	name string // see Name
}

// sortBy returns the order by keys.
func sortBy(keys ...sortKey) Sort { return Sort{keys, nameOf(keys)} }

type sortKey struct {
	path       path
	descending bool
}

// ParseSort parses an object that maps paths to 1 (ascending) or -1
// (descending); the strings "1" and "-1", and true for 1, are tolerated. A text
// that does not begin with a brace is a bare path, ascending. Empty text and
// {} are no order. The error is an *Error.
func ParseSort(text []byte) (Sort, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return Sort{}, nil
	}
	if text[0] != '{' {
		return parseBareSort(text)
	}
	v, err := document.Parse(text, document.Query)
	if err != nil {
		return Sort{}, &Error{Msg: "sort is " + err.Error()}
	}
	var s Sort
	for key, direction := range v.Members() {
		fail := func(format string, args ...any) (Sort, error) {
			return Sort{}, &Error{Msg: fmt.Sprintf("sort at byte %d: ", key.Offset(text)) + fmt.Sprintf(format, args...)}
		}
		if len(s.keys) == maxSortKeys {
			return fail("more than %d keys", maxSortKeys)
		}
		at, err := parsePath(key.Text())
		if err != nil {
			return fail("%v", err)
		}
		switch {
		case isDirection(direction, "1"), direction.Bool():
			s.keys = append(s.keys, sortKey{at, false})
		case isDirection(direction, "-1"):
			s.keys = append(s.keys, sortKey{at, true})
		default:
			return fail("the direction of %.40q is neither 1 nor -1", key.Text())
		}
	}
	return sortBy(s.keys...), nil
}

// isDirection reports whether v is that number, or a string that says it.
func isDirection(v document.Value, number string) bool {
	if v.Kind() == document.Number {
		return document.CompareNumbers(v.Raw(), []byte(number)) == 0
	}
	return v.TextIs(number)
}

func parseBareSort(text []byte) (Sort, error) {
	name := string(text)
	if !utf8.ValidString(name) || strings.ContainsAny(name, `"'{}[],:`) || strings.ContainsFunc(name, unicode.IsControl) {
		return Sort{}, &Error{Msg: "sort is neither an object nor the name of a field"}
	}
	at, err := parsePath(name)
	if err != nil {
		return Sort{}, &Error{Msg: "sort: " + err.Error()}
	}
	return sortBy(sortKey{path: at}), nil
}

// None reports whether the sort leaves every order as it is.
func (s Sort) None() bool { return len(s.keys) == 0 }

// Compare returns less than 0 when a comes before b, more than 0 when it comes
// after it, and 0 when the sort does not tell them apart.
func (s Sort) Compare(a, b document.Value) int {
	for _, k := range s.keys {
		if c := k.compare(k.value(a), k.value(b)); c != 0 {
			return c
		}
	}
	return 0
}

// values returns what the document is ordered by, one value a key, in dst.
func (s Sort) values(dst []document.Value, doc document.Value) []document.Value {
	for _, k := range s.keys {
		dst = append(dst, k.value(doc))
	}
	return dst
}

// compareValues orders what values returned.
func (s Sort) compareValues(a, b []document.Value) int {
	for i, k := range s.keys {
		if c := k.compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func (k sortKey) compare(a, b document.Value) int {
	if k.descending {
		a, b = b, a
	}
	if x, y := a.Kind() == document.Missing, b.Kind() == document.Missing; x || y {
		return compareBools(y, x)
	}
	return compare(a, b)
}

// noValue is what a document is ordered by that has nothing at the path.
var noValue = document.Trusted([]byte("null"))

// value returns the value of a document that the key orders it by: Missing for
// an empty array, which comes before all others.
func (k sortKey) value(doc document.Value) document.Value {
	// Fast path: no array is on the way.
	v := doc
	for _, s := range k.path {
		if v.Kind() == document.Array {
			break
		}
		v = v.Get(s.name)
	}
	switch v.Kind() {
	case document.Missing:
		return noValue
	case document.Array:
		e := extreme{greatest: k.descending, best: noValue}
		e.follow(k.path, doc)
		return e.best
	}
	return v
}

// An extreme is the least or the greatest of the values that it met.
type extreme struct {
	greatest, found bool
	best            document.Value
}

func (e *extreme) meet(v document.Value) {
	if !e.found || (sortKey{}).compare(v, e.best) < 0 != e.greatest {
		e.found, e.best = true, v
	}
}

// follow meets all values that a path leads to. Unlike for a condition, an
// element that the path cannot go through counts, as null, unless an index
// names another one.
func (e *extreme) follow(p path, v document.Value) {
	switch kind := v.Kind(); {
	case len(p) > 0 && kind == document.Array:
		e.through(p, v)
	case len(p) > 0:
		e.follow(p[1:], v.Get(p[0].name))
	case kind == document.Array:
		c := v.Walk()
		element, more := c.Element()
		if !more {
			e.meet(document.Value{})
		}
		for ; more; element, more = c.Element() {
			e.meet(element)
		}
	case kind == document.Missing:
		e.meet(noValue)
	default:
		e.meet(v)
	}
}

// through goes on in the elements of the array v.
func (e *extreme) through(p path, v document.Value) {
	passed, named := false, false
	i := 0
	for c := v.Walk(); ; i++ {
		element, ok := c.Element()
		if !ok {
			break
		}
		object := element.Kind() == document.Object
		if object {
			e.follow(p, element)
		}
		if i == p[0].index {
			named = true
			e.follow(p[1:], element)
		} else if !object {
			passed = true
		}
	}
	if passed && !named || i == 0 {
		e.meet(noValue)
	}
}

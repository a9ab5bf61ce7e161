package query

import (
	"bytes"
	"slices"

	"postern/engine/document"
)

// A Span is an interval of the keys of a sort. The zero Span has all of them.
type Span struct {
	From []byte // not above the first key; nil is no bound
	To   []byte // above the last key; nil is no bound
}

// Contains reports whether the key is in the span.
func (s Span) Contains(key []byte) bool {
	return bytes.Compare(s.From, key) <= 0 && (s.To == nil || bytes.Compare(key, s.To) < 0)
}

// Empty reports whether no key can be in the span.
func (s Span) Empty() bool { return s.To != nil && bytes.Compare(s.From, s.To) >= 0 }

// Span returns an interval of keys of the sort, and what of the filter it does
// not decide: a document that LeadsPlainly in the sort matches f exactly when span
// contains its key and rest matches it. Of other documents it says nothing. An
// order by distance stays with rest. Where conditions exclude each other From
// and To are equal. ok is false when no condition bounds the first path of the
// sort; then rest is f.
func (f *Filter) Span(s Sort) (span Span, rest *Filter, ok bool) {
	if f == nil || s.None() {
		return Span{}, f, false
	}
	key := s.keys[0]
	parts := slices.DeleteFunc(f.parts(), func(n node) bool {
		c, is := n.(*condition)
		if !is || !c.path.equal(key.path) {
			return false
		}
		low, high, bounds := limits(c.test)
		if !bounds {
			return false
		}
		if key.descending {
			low, high = high.turned(), low.turned()
		}
		span.narrow(low.bytes(), high.bytes())
		ok = true
		return true
	})
	if !ok {
		return Span{}, f, false
	}
	return span, f.with(parts), true
}

// fewValues is how many values of one $in are looked for one by one.
const fewValues = 16

// Spans is Span where a condition on the first path of the sort may name a few
// values: then there is one span for each. They have no key in common and come
// in no certain order; where conditions exclude each other there is none.
func (f *Filter) Spans(s Sort) (spans []Span, rest *Filter, ok bool) {
	if f == nil || s.None() {
		return nil, f, false
	}
	key := s.keys[0]
	parts := f.parts()
	at := slices.IndexFunc(parts, func(n node) bool {
		c, is := n.(*condition)
		return is && c.path.equal(key.path) && len(fewOf(c.test)) > 0
	})
	if at < 0 {
		span, rest, ok := f.Span(s)
		if ok && !span.Empty() {
			spans = []Span{span}
		}
		return spans, rest, ok
	}
	values := fewOf(parts[at].(*condition).test)
	span, rest, _ := f.with(slices.Delete(parts, at, at+1)).Span(s)
	for _, v := range values {
		begin := appendValueKey(nil, v)
		low, high := cut{begin, false}, cut{begin, true}
		if key.descending {
			low, high = high.turned(), low.turned()
		}
		one := span
		if one.narrow(low.bytes(), high.bytes()); !one.Empty() {
			spans = append(spans, one)
		}
	}
	return spans, rest, true
}

// fewOf returns the values that a test is met by, each once, where they are
// more than one and no more than fewValues; otherwise nil.
func fewOf(t test) []document.Value {
	values, ok := t.(in)
	if !ok {
		return nil
	}
	var few []document.Value
	for i, v := range values { // they are sorted
		if i > 0 && compare(values[i-1], v) == 0 {
			continue
		}
		if len(few) == fewValues {
			return nil
		}
		few = append(few, v)
	}
	if len(few) == 1 {
		return nil
	}
	return few
}

// Pointed returns the orders in which all that matches is in one place, or a
// few, that conditions name value by value, and is in the other order at each
// of them. What is asked for by _id needs no other order behind it.
func (f *Filter) Pointed(then Sort) []Sort {
	var sorts []Sort
	for _, n := range f.parts() {
		if e, ok := equality(n); ok {
			if s, ok := e.Sort(then); ok {
				sorts = append(sorts, s)
			}
			continue
		}
		c, ok := n.(*condition)
		if !ok {
			continue
		}
		few := fewOf(c.test)
		if len(few) == 0 || slices.ContainsFunc(few, func(v document.Value) bool { return !isScalar(v) }) {
			continue
		}
		if len(c.path) == 1 && c.path[0].name == "_id" {
			sorts = append(sorts, sortBy(sortKey{path: c.path}))
		} else if s, ok := leading(c.path, then); ok {
			sorts = append(sorts, s)
		}
	}
	return sorts
}

func isScalar(v document.Value) bool {
	switch v.Kind() {
	case document.String, document.Number, document.Bool:
		return true
	}
	return false
}

// narrow cuts off what is before from and what is not before to.
func (s *Span) narrow(from, to []byte) {
	if bytes.Compare(from, s.From) > 0 {
		s.From = from
	}
	if s.To == nil || bytes.Compare(to, s.To) < 0 {
		s.To = to
	}
	if s.Empty() {
		s.To = s.From
	}
}

// A cut is a place between keys: in front of all that begin with some bytes, or
// behind them. The bytes are the key of a value, or the tag of a kind.
type cut struct {
	begin  []byte
	behind bool
}

// limits returns between which cuts the keys of the values lie that meet a
// test. ok is false if it is no interval.
func limits(t test) (low, high cut, ok bool) {
	switch t := t.(type) {
	case *equal:
		key := appendValueKey(nil, t.value)
		return cut{key, false}, cut{key, true}, true
	case *beyond:
		key := appendValueKey(nil, t.value)
		first, last := tags(t.kind)
		if t.above {
			return cut{key, !t.included}, cut{[]byte{last}, true}, true
		}
		return cut{[]byte{first}, false}, cut{key, t.included}, true
	case in:
		if len(t) == 0 {
			nowhere := cut{[]byte{tagNull}, false}
			return nowhere, nowhere, true
		}
		key := appendValueKey(nil, t[0])
		return cut{key, false}, cut{key, true}, compare(t[0], t[len(t)-1]) == 0
	}
	return cut{}, cut{}, false
}

// tags returns the first and the last tag of a kind.
func tags(kind document.Kind) (first, last byte) {
	switch kind {
	case document.Number:
		return 0xFF ^ tagFar, tagFar
	case document.String:
		return tagString, tagString
	case document.Object:
		return tagObject, tagObject
	case document.Array:
		return tagArray, tagArray
	case document.Bool:
		return tagFalse, tagTrue
	}
	return tagNull, tagNull
}

// turned returns the cut in the complements of the keys.
func (c cut) turned() cut {
	begin := bytes.Clone(c.begin)
	complement(begin)
	return cut{begin, !c.behind}
}

// bytes returns the least bytes that are behind the cut.
func (c cut) bytes() []byte {
	least := bytes.Clone(c.begin)
	if c.behind {
		for least[len(least)-1] == 0xFF {
			least = least[:len(least)-1]
		}
		least[len(least)-1]++ // no key is of 0xFF alone
	}
	return least
}

// An Equality is a condition of a filter: that a path leads to a text, a number
// or a boolean.
type Equality struct {
	Path string
	Key  []byte // of the value, as Field.AppendKey appends it
}

// Equalities returns the equalities that must hold where the filter matches,
// but for those of _id. A Plain document meets one exactly when its key is Key.
func (f *Filter) Equalities() []Equality {
	var found []Equality
	for _, n := range f.parts() {
		if e, ok := equality(n); ok {
			found = append(found, e)
		}
	}
	return found
}

// Sort is the order by what e is about, ascending, and then by another order;
// or the other one, if that begins with what e is about. All documents that meet
// e are next to each other in it, in the other order.
func (e Equality) Sort(then Sort) (Sort, bool) {
	at, err := parsePath(e.Path)
	if err != nil {
		return Sort{}, false
	}
	return leading(at, then)
}

// leading is the order by a path and then by another order; or the other one,
// if that begins with the path.
func leading(at path, then Sort) (Sort, bool) {
	if len(then.keys) == maxSortKeys {
		return Sort{}, false
	}
	if len(then.keys) > 0 && then.keys[0].path.equal(at) {
		return then, true
	}
	return sortBy(append([]sortKey{{path: at}}, then.keys...)...), true
}

// Ranged returns the order by a path of which a range, and nothing but the
// range, is asked for among the conditions that must all hold.
func (f *Filter) Ranged() (Sort, bool) {
	for _, n := range f.parts() {
		if c, ok := n.(*condition); ok {
			if _, ok := c.test.(*beyond); ok && !(len(c.path) == 1 && c.path[0].name == "_id") {
				return sortBy(sortKey{path: c.path}), true
			}
		}
	}
	return Sort{}, false
}

// Ordered reports whether the filter asks for the order of a distance.
func (f *Filter) Ordered() bool { return f.ordered() }

// Without returns the filter without the conditions that are e, nil when none
// is left: f matches exactly what it matches and what meets e.
func (f *Filter) Without(e Equality) *Filter {
	if f == nil {
		return nil
	}
	return f.with(slices.DeleteFunc(f.parts(), func(n node) bool {
		other, ok := equality(n)
		return ok && other.Path == e.Path && bytes.Equal(other.Key, e.Key)
	}))
}

func equality(n node) (e Equality, ok bool) {
	c, ok := n.(*condition)
	if !ok || len(c.path) == 1 && c.path[0].name == "_id" {
		return Equality{}, false
	}
	var value document.Value
	switch t := c.test.(type) {
	case *equal:
		value = t.value
	case in:
		if len(t) == 0 || compare(t[0], t[len(t)-1]) != 0 {
			return Equality{}, false
		}
		value = t[0]
	}
	if !isScalar(value) {
		return Equality{}, false
	}
	return Equality{c.path.String(), appendValueKey(nil, value)}, true
}

// Conditions names the conditions that must all hold, by their paths; where one
// is more than a condition on a path, by "$or" or "$not".
func (f *Filter) Conditions() []string {
	var names []string
	for _, n := range f.parts() {
		switch n := n.(type) {
		case *condition:
			names = append(names, n.path.String())
		case some:
			names = append(names, "$or")
		default:
			names = append(names, "$not")
		}
	}
	return names
}

// parts returns the nodes that must all hold, those of $and among them. The
// slice is the caller's.
func (f *Filter) parts() []node {
	if f == nil {
		return nil
	}
	return appendParts(nil, f.root)
}

func appendParts(dst []node, n node) []node {
	several, ok := n.(all)
	if !ok {
		return append(dst, n)
	}
	for _, part := range several {
		dst = appendParts(dst, part)
	}
	return dst
}

// with returns a filter of some parts of f, in the order that f asks for.
func (f *Filter) with(parts []node) *Filter {
	if len(parts) == 0 && f.order == nil {
		return nil
	}
	rest := &Filter{root: one(parts), order: f.order}
	rest.id, rest.byID = onlyID(parts)
	return rest
}

func (p path) equal(q path) bool {
	return slices.EqualFunc(p, q, func(a, b step) bool { return a.name == b.name })
}

package query

import (
	"math"
	"slices"

	"postern/engine/document"
)

// The operators that look at what a value is made of: $size, $elemMatch, $all,
// $type and $mod.

// length is the test of an array that has so many elements.
type length int64

func (t length) holds(v document.Value, _ *Meter) bool {
	return v.Kind() == document.Array && int64(v.Len()) == int64(t)
}

func buildSize(p *parser, c clause) (node, error) {
	n, exact, ok := integer(c.operand.Raw())
	if c.operand.Kind() != document.Number || !exact || !ok || n < 0 {
		return nil, p.errorf(c.operand, "$size needs a whole number from 0")
	}
	return &condition{path: c.path, test: length(n), whole: true}, nil
}

// someElement is the test of an array with an element that meets a node: any
// element, or only one that is an object.
type someElement struct {
	node    node
	objects bool
}

func (t *someElement) holds(v document.Value, m *Meter) bool {
	if v.Kind() != document.Array {
		return false
	}
	for c := v.Walk(); ; {
		element, ok := c.Element()
		if !ok {
			return false
		}
		if t.objects && element.Kind() != document.Object {
			continue
		}
		if t.node.match(element, m) {
			return true
		}
	}
}

// buildElemMatch takes operators, which are for the elements themselves, or a
// filter, which is for elements that are objects.
func buildElemMatch(p *parser, c clause) (node, error) {
	if c.operand.Kind() != document.Object {
		return nil, p.errorf(c.operand, "$elemMatch needs an object")
	}
	p.scattered++
	defer func() { p.scattered-- }()
	t := &someElement{}
	var parts []node
	var err error
	if isOperators(c.operand) && operators[firstName(c.operand)].onFilter == nil {
		parts, err = p.operatorsOn(path{}, c.operand)
	} else {
		t.objects = true
		parts, err = p.filter(c.operand)
	}
	t.node = one(parts)
	return &condition{path: c.path, test: t, whole: true}, err
}

// holdsAll holds when each of its values equals one that the path reaches.
type holdsAll struct {
	first  condition // equality with one of the values
	values in
}

func (n *holdsAll) match(doc document.Value, m *Meter) bool {
	// Fast path: most documents fail here.
	if !n.first.match(doc, m) {
		return false
	}
	if len(n.values) == 1 {
		return true
	}
	marks := &marks{values: n.values, seen: make([]bool, len(n.values)), left: len(n.values)}
	return n.first.path.reach(doc, marks, true, m)
}

// marks is asked about every value that a path reaches and holds as soon as it
// has met each of its own.
type marks struct {
	values in
	seen   []bool
	left   int
}

func (t *marks) holds(v document.Value, _ *Meter) bool {
	if i, found := slices.BinarySearchFunc(t.values, v, compare); found && !t.seen[i] {
		t.seen[i] = true
		t.left--
	}
	return t.left == 0
}

func buildAll(p *parser, c clause) (node, error) {
	var parts all
	for v := range c.operand.Elements() {
		if firstName(v) == "$elemMatch" && v.Len() == 1 {
			more, err := p.operatorsOn(c.path, v)
			if err != nil {
				return nil, err
			}
			parts = append(parts, more...)
		}
	}
	if n := c.operand.Len(); n > 0 && len(parts) == n {
		return parts, nil
	}
	values, err := p.values(c)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return some{}, nil // nothing meets {"$all":[]}
	}
	set := slices.CompactFunc(newIn(values), func(a, b document.Value) bool { return compare(a, b) == 0 })
	return &holdsAll{condition{path: c.path, test: &equal{set[0].Kind(), set[0]}}, set}, nil
}

// types is a set of types in the sense of $type.
type types uint8

const (
	typeDouble types = 1 << iota
	typeInt
	typeLong
	typeString
	typeObject
	typeArray
	typeBool
	typeNull
)

// typeNames lists the types that $type knows. JSON has no values of those that
// are none of the above.
var typeNames = []struct {
	name  string
	code  int64
	types types
}{
	{"double", 1, typeDouble}, {"string", 2, typeString}, {"object", 3, typeObject}, {"array", 4, typeArray},
	{"binData", 5, 0}, {"undefined", 6, 0}, {"objectId", 7, 0}, {"bool", 8, typeBool}, {"date", 9, 0},
	{"null", 10, typeNull}, {"regex", 11, 0}, {"dbPointer", 12, 0}, {"javascript", 13, 0}, {"symbol", 14, 0},
	{"javascriptWithScope", 15, 0}, {"int", 16, typeInt}, {"timestamp", 17, 0}, {"long", 18, typeLong},
	{"decimal", 19, 0}, {"minKey", -1, 0}, {"maxKey", 127, 0},
}

const numberTypes = typeDouble | typeInt | typeLong

// typeOf returns the type of a value. A number has the smallest that holds it:
// whole ones are int or long, whatever their text is.
func typeOf(v document.Value) types {
	switch v.Kind() {
	case document.Null:
		return typeNull
	case document.Bool:
		return typeBool
	case document.String:
		return typeString
	case document.Array:
		return typeArray
	case document.Object:
		return typeObject
	case document.Number:
		n, exact, ok := integer(v.Raw())
		switch {
		case !exact || !ok:
			return typeDouble
		case math.MinInt32 <= n && n <= math.MaxInt32:
			return typeInt
		}
		return typeLong
	}
	return 0
}

func (t types) holds(v document.Value, _ *Meter) bool { return t&typeOf(v) != 0 }

func buildType(p *parser, c clause) (node, error) {
	var wanted types
	add := func(v document.Value) error {
		n, exact, ok := integer(v.Raw())
		for _, t := range typeNames {
			if v.TextIs(t.name) || v.Kind() == document.Number && exact && ok && n == t.code {
				wanted |= t.types
				return nil
			}
		}
		if v.TextIs("number") {
			wanted |= numberTypes
			return nil
		}
		return p.errorf(v, "$type needs the name or the number of a type")
	}
	if c.operand.Kind() != document.Array {
		return &condition{path: c.path, test: &wanted}, add(c.operand)
	}
	if c.operand.Len() == 0 {
		return nil, p.errorf(c.operand, "$type needs at least one type")
	}
	for v := range c.operand.Elements() {
		if err := add(v); err != nil {
			return nil, err
		}
	}
	return &condition{path: c.path, test: &wanted}, nil
}

// remainder is the test of numbers that leave a remainder. Fractions are cut
// off before; what no int64 holds leaves none.
type remainder struct{ divisor, rest int64 }

func (t remainder) holds(v document.Value, _ *Meter) bool {
	if v.Kind() != document.Number {
		return false
	}
	n, _, ok := integer(v.Raw())
	return ok && n%t.divisor == t.rest
}

func buildMod(p *parser, c clause) (node, error) {
	var numbers []int64
	for v := range c.operand.Elements() {
		if n, _, ok := integer(v.Raw()); ok && v.Kind() == document.Number {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) != 2 || c.operand.Len() != 2 {
		return nil, p.errorf(c.operand, "$mod needs an array of two numbers, a divisor and a remainder")
	}
	if numbers[0] == 0 {
		return nil, p.errorf(c.operand, "$mod cannot divide by 0")
	}
	return &condition{path: c.path, test: remainder{numbers[0], numbers[1]}}, nil
}

package query

import (
	"math"

	"postern/engine/document"
)

// The bounds of what the reducers of one aggregation may make of text.
const (
	maxText   = 1 << 20   // bytes of one
	maxCopied = 256 << 20 // bytes put together, over all documents
)

// A machine runs a reducer: for one document and the accumulator of its bucket.
type machine struct {
	doc    document.Value
	slots  []jsValue // the accumulator's members that the reducer names
	locals []jsValue
	copied int
	err    error // the first one; what is computed after it does not count
}

// A ReduceError says why a reducer ended. Msg is for the client, whose
// reducer it was.
type ReduceError struct{ Msg string }

func (e *ReduceError) Error() string { return e.Msg }

func (m *machine) fail(msg string) {
	if m.err == nil {
		m.err = &ReduceError{msg}
	}
}

func (m *machine) primitive(v jsValue) jsValue {
	p, ok := v.primitive()
	if !ok {
		m.fail("TypeError: an object with a member toString cannot be converted to a primitive value")
	}
	if v.kind == nestedValue {
		m.copy(len(p.text))
	}
	return p
}

func (m *machine) number(v jsValue) float64 { return m.primitive(v).toNumber() }

// copy takes n bytes of new text off what there may be.
func (m *machine) copy(n int) {
	m.copied += n
	if n > maxText || m.copied > maxCopied {
		m.fail("the reducer puts too much text together")
	}
}

// add is the operator +.
func (m *machine) add(a, b jsValue) jsValue {
	if a.kind == numberValue && b.kind == numberValue {
		return number(a.number + b.number)
	}
	a, b = m.primitive(a), m.primitive(b)
	if a.kind != textValue && b.kind != textValue {
		return number(a.toNumber() + b.toNumber())
	}
	m.copy(len(a.text) + len(b.text))
	if m.err != nil {
		return jsValue{}
	}
	return jsValue{kind: textValue, text: string(b.appendText(a.appendText(nil)))}
}

// An expression is a piece of a reducer.
type expression interface {
	eval(m *machine) jsValue
}

// constant is a number, undefined or null.
type constant struct{ value jsValue }

func (e constant) eval(*machine) jsValue { return e.value }

// field is a member of the document.
type field struct{ name string }

func (e field) eval(m *machine) jsValue { return jsValueOf(m.doc.Get(e.name)) }

// place is what can be assigned to: a member of the accumulator or a local
// variable.
type place struct {
	local bool
	at    int
}

func (e place) of(m *machine) *jsValue {
	if e.local {
		return &m.locals[e.at]
	}
	return &m.slots[e.at]
}

func (e place) eval(m *machine) jsValue { return *e.of(m) }

// assign is = and, with add set, +=.
type assign struct {
	to   place
	add  bool
	from expression
}

func (e assign) eval(m *machine) jsValue {
	old := e.to.eval(m) // before the right side, which may change it
	v := e.from.eval(m)
	if e.add {
		v = m.add(old, v)
	}
	*e.to.of(m) = v
	return v
}

// increment is ++ after or before its operand.
type increment struct {
	to    place
	after bool
}

func (e increment) eval(m *machine) jsValue {
	old := number(m.number(e.to.eval(m)))
	v := number(old.number + 1)
	*e.to.of(m) = v
	if e.after {
		return old
	}
	return v
}

// binary is one of + - * /.
type binary struct {
	operator    byte
	left, right expression
}

func (e binary) eval(m *machine) jsValue {
	a := e.left.eval(m)
	b := e.right.eval(m)
	if e.operator == '+' {
		return m.add(a, b)
	}
	x, y := m.number(a), m.number(b)
	switch e.operator {
	case '-':
		return number(x - y)
	case '*':
		return number(x * y)
	}
	return number(x / y)
}

// outermost is Math.min or Math.max.
type outermost struct {
	greatest bool
	of       []expression
}

func (e outermost) eval(m *machine) jsValue {
	f := math.Inf(1)
	if e.greatest {
		f = math.Inf(-1)
	}
	// All arguments are evaluated before any is converted.
	var few [4]jsValue
	values := few[:0]
	for _, arg := range e.of {
		values = append(values, arg.eval(m))
	}
	for _, v := range values {
		f = outer(f, m.number(v), e.greatest)
	}
	return number(f)
}

// nothing compares with undefined or null: by == and !=, for which they are
// one, or by === and !==.
type nothing struct {
	of     expression
	kind   valueKind
	strict bool
	differ bool
}

func (e nothing) eval(m *machine) jsValue {
	v := e.of.eval(m)
	same := v.kind == e.kind
	if !e.strict {
		same = v.kind == undefinedValue || v.kind == nullValue
	}
	if same != e.differ {
		return jsValue{kind: boolValue, number: 1}
	}
	return jsValue{kind: boolValue}
}

// choice is the conditional operator.
type choice struct{ test, yes, no expression }

func (e choice) eval(m *machine) jsValue {
	if e.test.eval(m).truthy() {
		return e.yes.eval(m)
	}
	return e.no.eval(m)
}

package document

import "iter"

// A Kind is what a Value is.
type Kind uint8

// The kinds. Missing is the kind of the zero Value, which stands for a member
// that is not there.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{"missing", "null", "boolean", "number", "string", "array", "object"}

// String returns the word that JSON has for the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "invalid"
}

// A Value is a view of one JSON value in a text that somebody else holds. It
// is as cheap as a slice and is passed by value. It is valid for as long as
// the text is unchanged. The zero Value is Missing.
type Value struct {
	raw []byte // no white space around it; capacity up to the end of the text
}

// Trusted returns a view of text that passed Parse before, as everything from
// the store did. It checks nothing; on other text the methods of the Value give
// arbitrary answers, but end and do not panic.
func Trusted(b []byte) Value {
	i, k := 0, len(b)
	for i < k && isSpace(b[i]) {
		i++
	}
	for i < k && isSpace(b[k-1]) {
		k--
	}
	return Value{b[i:k]}
}

// Kind says what v is.
func (v Value) Kind() Kind {
	if len(v.raw) == 0 {
		return Missing
	}
	switch v.raw[0] {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// Raw returns the text of v, without white space around it. It is borrowed;
// appending to it does not write into the text it came from.
func (v Value) Raw() []byte { return v.raw[:len(v.raw):len(v.raw)] }

// Offset returns where v begins in text, in bytes. The text must be the one
// that was given to Parse or Trusted to get v or the value v was taken from.
func (v Value) Offset(text []byte) int {
	if len(v.raw) == 0 {
		return 0
	}
	return cap(text) - cap(v.raw)
}

// Bool reports whether v is true; for everything but a boolean it returns false.
func (v Value) Bool() bool { return len(v.raw) > 0 && v.raw[0] == 't' }

// Get returns the member of that name, Missing when there is none or v is not
// an object. It does not allocate.
func (v Value) Get(key string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	for c := v.Walk(); ; {
		name, member, ok := c.Member()
		if !ok {
			return Value{}
		}
		if name.TextIs(key) {
			return member
		}
	}
}

// Members returns the members of an object in their order: the name, which is
// a String, and the value. What is not an object has none.
func (v Value) Members() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for c := v.Walk(); ; {
			name, member, ok := c.Member()
			if !ok || !yield(name, member) {
				return
			}
		}
	}
}

// Elements returns the elements of an array in their order. What is not an
// array has none.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		for c := v.Walk(); ; {
			element, ok := c.Element()
			if !ok || !yield(element) {
				return
			}
		}
	}
}

// Len counts the elements of an array or the members of an object; everything
// else has none. It reads the value to its end.
func (v Value) Len() int {
	n := 0
	switch v.Kind() {
	case Array:
		for range v.Elements() {
			n++
		}
	case Object:
		for range v.Members() {
			n++
		}
	}
	return n
}

package document

import "bytes"

// A Cursor steps through the members of an object or the elements of an array.
// It is what Members and Elements are made of, for loops that walk two values
// side by side. It borrows the value's text.
type Cursor struct {
	rest []byte
}

// Walk returns a Cursor before the first member or element of v. On a scalar
// it stands at the end.
func (v Value) Walk() Cursor {
	if len(v.raw) == 0 || (v.raw[0] != '{' && v.raw[0] != '[') {
		return Cursor{}
	}
	return Cursor{v.raw[1:]}
}

// Member returns the next name and value of an object; ok is false at its end.
func (c *Cursor) Member() (name, member Value, ok bool) {
	b := skipSeparators(c.rest)
	if len(b) == 0 || b[0] != '"' {
		c.rest = nil
		return Value{}, Value{}, false
	}
	n := skipString(b)
	name, b = Value{b[:n]}, skipSeparators(b[n:])
	if len(b) == 0 {
		c.rest = nil
		return Value{}, Value{}, false
	}
	n = skipValue(b)
	c.rest = b[n:]
	return name, Value{b[:n]}, true
}

// Element returns the next element of an array; ok is false at its end.
func (c *Cursor) Element() (element Value, ok bool) {
	b := skipSeparators(c.rest)
	if len(b) == 0 || b[0] == ']' || b[0] == '}' {
		c.rest = nil
		return Value{}, false
	}
	n := skipValue(b)
	c.rest = b[n:]
	return Value{b[:n]}, true
}

// skipSeparators drops white space, commas and colons.
func skipSeparators(b []byte) []byte {
	for i, c := range b {
		if c != ',' && c != ':' && !isSpace(c) {
			return b[i:]
		}
	}
	return nil
}

// skipValue returns the length of the value that b begins with: at least one.
func skipValue(b []byte) int {
	switch b[0] {
	case '"':
		return skipString(b)
	case '{', '[':
		return skipNested(b)
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case ',', ']', '}', ' ', '\n', '\t', '\r':
			return i
		}
	}
	return len(b)
}

// skipString returns the length of the string that b begins with, quotes
// included.
func skipString(b []byte) int {
	i := 1
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n + 1
		// The quote is data when an odd number of backslashes precedes it.
		slashes := 0
		for b[i-2-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
}

// skipNested returns the length of the object or array that b begins with.
func skipNested(b []byte) int {
	depth := 0
	for i := 0; i < len(b); {
		switch b[i] {
		case '"':
			i += skipString(b[i:])
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(b)
}

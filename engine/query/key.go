package query

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/engine/document"
)

// The first byte of a value's key says its kind, in the order of ranks. 0 is
// none of them: it ends texts, objects and arrays. Of a number it says the size,
// too: a negative one has the complement of its opposite's key.
const (
	tagEmpty  = 0x01 // an array without elements at the end of a path
	tagNull   = 0x02 // and missing
	tagZero   = 0x80
	tagNear   = 0x81 // closer to zero than the point says that tagPoint has
	tagPoint  = 0x82 // leastPoint; up to greatestPoint follow
	tagFar    = tagPoint + (greatestPoint - leastPoint) + 1
	tagString = 0xF0
	tagObject = 0xF1
	tagArray  = 0xF2
	tagFalse  = 0xF3
	tagTrue   = 0xF4
)

// AppendKey appends the key of a document: bytes.Compare orders the keys of one
// sort as Compare orders the documents (K1, K2). It copies what it needs of doc.
// When dst has room it allocates nothing, but for numbers whose exponent has
// more than 17 digits.
func (s Sort) AppendKey(dst []byte, doc document.Value) []byte {
	for _, k := range s.keys {
		dst = k.appendKey(dst, doc)
	}
	return dst
}

func (k sortKey) appendKey(dst []byte, doc document.Value) []byte {
	start := len(dst)
	dst = appendValueKey(dst, k.value(doc))
	if k.descending {
		complement(dst[start:])
	}
	return dst
}

// Plain reports whether no array is on the way of any path of the sort or at
// its end (K3). Only whether a null is missing its key does not say.
func (s Sort) Plain(doc document.Value) bool {
	for _, k := range s.keys {
		if !k.path.plain(doc) {
			return false
		}
	}
	return true
}

// LeadsPlainly is Plain for the first path of the sort alone.
func (s Sort) LeadsPlainly(doc document.Value) bool {
	return len(s.keys) == 0 || s.keys[0].path.plain(doc)
}

func (p path) plain(v document.Value) bool {
	for _, s := range p {
		if v.Kind() == document.Array {
			return false
		}
		v = v.Get(s.name)
	}
	return v.Kind() != document.Array
}

// Leads reports whether a document has something at the first path of the sort.
func (s Sort) Leads(doc document.Value) bool {
	if len(s.keys) == 0 {
		return false
	}
	switch s.keys[0].value(doc).Kind() {
	case document.Missing, document.Null:
		return false
	}
	return true
}

// Name returns a text that is the same for two sorts exactly when their paths
// and directions are: "a.b,-c" is ascending by a.b, then descending by c. No
// order is "".
func (s Sort) Name() string { return s.name }

func nameOf(keys []sortKey) string {
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		if k.descending {
			b.WriteByte('-')
		}
		b.WriteString(k.path.quoted())
	}
	return b.String()
}

// quoted returns the text of a path as a part of a name, in which commas and a
// leading minus mean something else. The path that is one empty name is `\0`,
// because an empty text is no path at all.
func (p path) quoted() string {
	text := p.String()
	switch {
	case text == "":
		return `\0`
	case text[0] == '-':
		return `\-` + quote.Replace(text[1:])
	}
	return quote.Replace(text)
}

var quote = strings.NewReplacer(`\`, `\\`, `,`, `\,`)

// ParseName returns the sort that has a Name: paths with commas between them,
// descending where a minus is in front. A backslash stands before a comma, a
// backslash or a leading minus that is a part of a path, and \0 is the path that
// is one empty name. "" is no order. The error is an *Error.
func ParseName(name string) (Sort, error) {
	var keys []sortKey
	for more := name != ""; more; {
		var k sortKey
		if name, k.descending = strings.CutPrefix(name, "-"); name == "" || name[0] == ',' {
			return Sort{}, &Error{Msg: `order: a path is missing (that of one empty name is \0)`}
		}
		var text []byte
		empty := false
		for more = false; name != "" && !more; name = name[1:] {
			switch c := name[0]; {
			case c == ',':
				more = true
			case c != '\\':
				text = append(text, c)
			case len(name) > 1 && strings.IndexByte(`\,-`, name[1]) >= 0:
				text, name = append(text, name[1]), name[1:]
			case len(name) > 1 && name[1] == '0' && len(text) == 0:
				empty, name = true, name[1:]
			default:
				return Sort{}, &Error{Msg: "order: a backslash stands before a comma, a minus or a backslash"}
			}
		}
		if more && name == "" || empty && len(text) > 0 || len(keys) == maxSortKeys {
			return Sort{}, &Error{Msg: fmt.Sprintf("order: not a list of up to %d paths with commas between them", maxSortKeys)}
		}
		if !utf8.Valid(text) {
			return Sort{}, &Error{Msg: "order: not UTF-8"}
		}
		at, err := parsePath(string(text))
		if err != nil {
			return Sort{}, &Error{Msg: "order: " + err.Error()}
		}
		k.path = at
		keys = append(keys, k)
	}
	return sortBy(keys...), nil
}

// String returns the text that parsePath makes the path of.
func (p path) String() string {
	names := make([]string, len(p))
	for i, s := range p {
		names[i] = s.name
	}
	return strings.Join(names, ".")
}

// A Field is a path in documents, for keys of what it leads to.
type Field struct {
	path path
}

// ParseField parses a dotted path. The error is an *Error.
func ParseField(text string) (Field, error) {
	at, err := parsePath(text)
	if err != nil {
		return Field{}, &Error{Msg: "field: " + err.Error()}
	}
	return Field{at}, nil
}

// AppendKey appends the key that a document has in the ascending sort by the
// field. See Sort.AppendKey.
func (f Field) AppendKey(dst []byte, doc document.Value) []byte {
	return sortKey{path: f.path}.appendKey(dst, doc)
}

// Plain reports whether no array is on the way of the path or at its end.
func (f Field) Plain(doc document.Value) bool { return f.path.plain(doc) }

// appendValueKey appends the key of a value: bytes.Compare orders keys as
// compare orders values, and no key begins with another one. Missing is the empty
// array that sortKey.value stands for.
func appendValueKey(dst []byte, v document.Value) []byte {
	switch v.Kind() {
	case document.Missing:
		return append(dst, tagEmpty)
	case document.Number:
		return appendNumberKey(dst, v.Raw())
	case document.String:
		return appendTextKey(append(dst, tagString), v)
	case document.Object:
		return appendObjectKey(append(dst, tagObject), v)
	case document.Array:
		dst = append(dst, tagArray)
		for c := v.Walk(); ; {
			element, ok := c.Element()
			if !ok {
				return append(dst, 0)
			}
			dst = appendValueKey(dst, element)
		}
	case document.Bool:
		if v.Bool() {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	}
	return append(dst, tagNull)
}

// appendObjectKey appends what compareObjects looks at, in the order in which it
// does: of each member the kind, the name and the value.
func appendObjectKey(dst []byte, v document.Value) []byte {
	for c := v.Walk(); ; {
		name, member, ok := c.Member()
		if !ok {
			return append(dst, 0)
		}
		dst = append(dst, byte(ranks[member.Kind()])+1)
		dst = appendValueKey(appendTextKey(dst, name), member)
	}
}

// appendTextKey appends what a string says and a 0. U+0000 becomes 1 1 and U+0001
// becomes 1 2, so that the 0 ends it and is less than all that could follow.
func appendTextKey(dst []byte, v document.Value) []byte {
	start := len(dst)
	dst = v.AppendText(dst)
	// JSON has control characters only as escapes, and an escape is longer
	// than what it stands for.
	if len(dst)-start != len(v.Raw())-2 {
		dst = escapeLow(dst, start)
	}
	return append(dst, 0)
}

// escapeLow replaces the bytes 0 and 1 from start on.
func escapeLow(dst []byte, start int) []byte {
	low := 0
	for _, c := range dst[start:] {
		if c <= 1 {
			low++
		}
	}
	if low == 0 {
		return dst
	}
	from := len(dst) - 1
	dst = slices.Grow(dst, low)[:len(dst)+low]
	for to := len(dst) - 1; to > from; from-- {
		if c := dst[from]; c > 1 {
			dst[to] = c
			to--
		} else {
			dst[to-1], dst[to] = 1, c+1
			to -= 2
		}
	}
	return dst
}

// complement turns an order of bytes around.
func complement(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

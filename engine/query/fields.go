package query

import (
	"strings"

	"postern/engine/document"
)

// always are the members that no projection leaves out.
var always = [...]string{"_id", "_acl", "_kmd"}

// Fields says which members of a document are wanted. The zero Fields want all.
type Fields struct {
	wanted members
}

// members maps a name to what is wanted below it; nil there is everything.
type members map[string]members

// ParseFields parses a list of dotted paths with commas between. Empty paths
// are ignored; of "a" and "a.b" the wider one counts. Text without a path wants
// everything.
func ParseFields(text string) Fields {
	var f Fields
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if f.wanted == nil {
			f.wanted = members{}
		}
		f.wanted.add(part)
	}
	if f.wanted != nil {
		for _, name := range always {
			f.wanted[name] = nil
		}
	}
	return f
}

// add puts one path into the tree.
func (m members) add(path string) {
	for {
		name, rest, more := strings.Cut(path, ".")
		below, known := m[name]
		switch {
		case known && below == nil:
			return
		case !more:
			m[name] = nil
			return
		case !known:
			below = members{}
			m[name] = below
		}
		m, path = below, rest
	}
}

// Append appends the document with the wanted members only, in their order. A
// path goes through objects, and through arrays into the objects in them; an
// element that cannot hold the rest of the path is left out of its array.
func (f Fields) Append(dst []byte, doc document.Value) []byte {
	if f.wanted == nil || doc.Kind() != document.Object {
		return append(dst, doc.Raw()...)
	}
	return f.wanted.appendObject(dst, doc)
}

func (m members) appendObject(dst []byte, v document.Value) []byte {
	var buf [64]byte
	dst = append(dst, '{')
	first := true
	for name, member := range v.Members() {
		below, wanted := m[string(name.AppendText(buf[:0]))]
		if !wanted || (below != nil && !nests(member)) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, name.Raw()...), ':')
		dst = below.appendValue(dst, member)
	}
	return append(dst, '}')
}

func (m members) appendArray(dst []byte, v document.Value) []byte {
	dst = append(dst, '[')
	first := true
	for element := range v.Elements() {
		if !nests(element) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = m.appendValue(dst, element)
	}
	return append(dst, ']')
}

// appendValue appends what is wanted of a value that can hold it.
func (m members) appendValue(dst []byte, v document.Value) []byte {
	switch {
	case m == nil:
		return append(dst, v.Raw()...)
	case v.Kind() == document.Array:
		return m.appendArray(dst, v)
	}
	return m.appendObject(dst, v)
}

func nests(v document.Value) bool {
	return v.Kind() == document.Object || v.Kind() == document.Array
}

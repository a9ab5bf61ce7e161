package query

import (
	"fmt"
	"strings"

	"postern/engine/document"
)

const (
	// maxSteps is how deep a stored document may be: a longer path reaches
	// nothing.
	maxSteps = 32

	// maxIndexes bounds the work of a path. At an array a step that is a number
	// can be taken in two ways, so the ways double with each of them.
	maxIndexes = 8
)

// A step is one name of a dotted path.
type step struct {
	name  string
	index int // of an array's element, or -1 when the name is no number
}

// A path says where in a document a condition looks.
type path []step

func parsePath(text string) (path, error) {
	names := strings.Split(text, ".")
	if len(names) > maxSteps {
		return nil, fmt.Errorf("the path has more than %d steps", maxSteps)
	}
	p := make(path, len(names))
	indexes := 0
	for i, name := range names {
		if strings.HasPrefix(name, "$") {
			return nil, fmt.Errorf("the path has a step that starts with '$'")
		}
		p[i] = step{name, parseIndex(name)}
		if p[i].index >= 0 {
			indexes++
		}
	}
	if indexes > maxIndexes {
		return nil, fmt.Errorf("the path has more than %d steps that are numbers", maxIndexes)
	}
	return p, nil
}

// parseIndex returns the number that name is, written as an array index is
// written ("7", not "07"), or -1.
func parseIndex(name string) int {
	if name == "" || len(name) > 9 || (name[0] == '0' && len(name) > 1) {
		return -1
	}
	n := 0
	for _, c := range []byte(name) {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// reach reports whether t holds for one of the values that p leads to from the
// object v. A path without steps leads to v itself, whatever that is. With spread set, the elements of an array at the end of the path
// are among them.
func (p path) reach(v document.Value, t test, spread bool, m *Meter) bool {
	if len(p) == 0 {
		return t.holds(v, m)
	}
	return p[1:].follow(v.Get(p[0].name), t, spread, m)
}

// follow goes on from a value that a member's name or an index led to.
func (p path) follow(v document.Value, t test, spread bool, m *Meter) bool {
	kind := v.Kind()
	if len(p) == 0 {
		if spread && kind == document.Array {
			for c := v.Walk(); ; {
				element, ok := c.Element()
				if !ok {
					break
				}
				if t.holds(element, m) {
					return true
				}
			}
		}
		return t.holds(v, m)
	}
	switch kind {
	case document.Object:
		return p.reach(v, t, spread, m)
	case document.Array:
		return p.each(v, t, spread, m)
	}
	return t.holds(document.Value{}, m)
}

// each goes on in the elements of the array v.
func (p path) each(v document.Value, t test, spread bool, m *Meter) bool {
	i := 0
	for c := v.Walk(); ; i++ {
		element, ok := c.Element()
		if !ok {
			return false
		}
		kind := element.Kind()
		if kind == document.Object && p.reach(element, t, spread, m) {
			return true
		}
		if i != p[0].index {
			continue
		}
		// A scalar that was named by its index ends the path without a value,
		// unless it is the end.
		if len(p) > 1 && kind != document.Object && kind != document.Array {
			continue
		}
		// Where the index is the end, what it names is one value.
		if p[1:].follow(element, t, spread && len(p) > 1, m) {
			return true
		}
	}
}

package query

import (
	"bytes"
	"fmt"

	"postern/engine/document"
)

// The bounds of one filter.
const (
	maxDepth      = 8      // filters inside each other, by $and and $or
	maxConditions = 64     // operators and equalities, together
	maxValues     = 10_000 // of one $in, $nin or $all
)

// An Error says why a filter or a sort is refused, or its run ended. Msg is for the client: it
// names the operator and the position, and holds nothing secret.
type Error struct {
	// Disallowed is set for an operator that is known and prohibited; for
	// everything else the syntax is wrong.
	Disallowed bool

	// OutOfRange is set for coordinates that are no place on earth.
	OutOfRange bool

	// TooExpensive is set where a query has spent its budget: a Meter's error.
	TooExpensive bool

	Msg string
}

func (e *Error) Error() string { return e.Msg }

// ParseFilter parses the text of a filter and copies what it keeps of it. Text
// that is empty, and {}, give the nil Filter, which matches everything. The
// error is an *Error.
func ParseFilter(text []byte) (*Filter, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	p := parser{text: bytes.Clone(text)}
	root, err := document.Parse(p.text, document.Query)
	if err != nil {
		return nil, &Error{Msg: "query is " + err.Error()}
	}
	if root.Kind() != document.Object {
		return nil, p.errorf(root, "a query must be an object, found %s", root.Kind())
	}
	parts, err := p.filter(root)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, nil
	}
	f := &Filter{root: one(parts), order: p.order}
	f.id, f.byID = onlyID(parts)
	return f, nil
}

// A parser builds the nodes of one filter.
type parser struct {
	text       []byte      // the filter's own copy; the nodes borrow it
	depth      int         // filters that are open
	conditions int         // so far
	corners    int         // of shapes, so far
	scattered  int         // operators that are open under which not all parts must hold
	order      *byDistance // what $nearSphere asks for
}

// errorf returns an Error about v.
func (p *parser) errorf(v document.Value, format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf("query at byte %d: ", v.Offset(p.text)) + fmt.Sprintf(format, args...)}
}

// count takes one condition off what a filter may have.
func (p *parser) count(at document.Value) error {
	if p.conditions++; p.conditions > maxConditions {
		return p.errorf(at, "more than %d conditions", maxConditions)
	}
	return nil
}

// one makes one node of several that must all hold.
func one(parts []node) node {
	if len(parts) == 1 {
		return parts[0]
	}
	return all(parts)
}

// filter returns the conditions of a filter.
func (p *parser) filter(v document.Value) ([]node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf(v, "filters nested more than %d deep", maxDepth)
	}
	var parts []node
	for key, operand := range v.Members() {
		name := key.Text()
		if name != "" && name[0] == '$' {
			n, err := p.operator(key, clause{name: name, operand: operand, object: v})
			if err != nil {
				return nil, err
			}
			parts = append(parts, n)
			continue
		}
		at, err := parsePath(name)
		if err != nil {
			return nil, p.errorf(key, "%v", err)
		}
		more, err := p.onPath(at, key, operand)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	p.depth--
	return parts, nil
}

// filters returns one node for each filter in the operand of $and or $or.
func (p *parser) filters(c clause) ([]node, error) {
	if c.operand.Kind() != document.Array {
		return nil, p.errorf(c.operand, "%s needs an array of filters", c.name)
	}
	var parts []node
	for v := range c.operand.Elements() {
		if v.Kind() != document.Object {
			return nil, p.errorf(v, "%s needs an array of filters, found %s in it", c.name, v.Kind())
		}
		inner, err := p.filter(v)
		if err != nil {
			return nil, err
		}
		if len(inner) == 0 {
			// A filter without conditions is work all the same.
			if err := p.count(v); err != nil {
				return nil, err
			}
		}
		parts = append(parts, one(inner))
	}
	if len(parts) == 0 {
		return nil, p.errorf(c.operand, "%s needs at least one filter", c.name)
	}
	return parts, nil
}

// onPath returns the conditions that value puts on a path: each operator of an
// object of operators, or equality with anything else.
func (p *parser) onPath(at path, key, value document.Value) ([]node, error) {
	if !isOperators(value) {
		n, err := p.operator(key, clause{name: "$eq", path: at, operand: value})
		if err != nil {
			return nil, err
		}
		return []node{n}, nil
	}
	return p.operatorsOn(at, value)
}

// operatorsOn returns the conditions of an object of operators on a path, or on
// an element itself if the path has no steps.
func (p *parser) operatorsOn(at path, value document.Value) ([]node, error) {
	var parts []node
	for key, operand := range value.Members() {
		name := key.Text()
		if name == "" || name[0] != '$' {
			return nil, p.errorf(key, "%.40q stands among operators", name)
		}
		n, err := p.operator(key, clause{name: name, path: at, operand: operand, object: value})
		if err != nil {
			return nil, err
		}
		if n != nil {
			parts = append(parts, n)
		}
	}
	return parts, nil
}

// operator returns the node of one use of an operator, which key names. It is
// nil for one that belongs to another.
func (p *parser) operator(key document.Value, c clause) (node, error) {
	if err := p.count(key); err != nil {
		return nil, err
	}
	row, known := operators[c.name]
	if row.disallowed {
		err := p.errorf(key, "the operator %s is not allowed", c.name)
		err.Disallowed = true
		return nil, err
	}
	build := row.onPath
	if c.path == nil {
		build = row.onFilter
	}
	if row.of != nil && c.path != nil {
		for _, name := range row.of {
			if c.object.Get(name).Kind() != document.Missing {
				return nil, nil // that operator reads it
			}
		}
		return nil, p.errorf(key, "%s needs %s beside it", c.name, row.of[0])
	}
	switch {
	case !known:
		return nil, p.errorf(key, "unknown operator %.40q", c.name)
	case build == nil && c.path == nil:
		return nil, p.errorf(key, "%s needs a path before it", c.name)
	case build == nil:
		return nil, p.errorf(key, "%s cannot follow a path", c.name)
	}
	return build(p, c)
}

// isOperators reports whether v is an object whose first name starts with '$'.
func isOperators(v document.Value) bool {
	name := firstName(v)
	return name != "" && name[0] == '$'
}

// firstName returns the name of an object's first member, "" when there is none.
func firstName(v document.Value) string {
	for key := range v.Members() {
		return key.Text()
	}
	return ""
}

// startsWithDollar looks at what a name says, however it is escaped.
func startsWithDollar(key document.Value) bool {
	var buf [64]byte
	text := key.AppendText(buf[:0])
	return len(text) > 0 && text[0] == '$'
}

// literal refuses a value that has names starting with '$' inside: it could
// equal no stored document, so whoever wrote it meant something else.
func (p *parser) literal(v document.Value) error {
	switch v.Kind() {
	case document.Array:
		for element := range v.Elements() {
			if err := p.literal(element); err != nil {
				return err
			}
		}
	case document.Object:
		for key, member := range v.Members() {
			if startsWithDollar(key) {
				return p.errorf(key, "the operator %.40q stands inside a value", key.Text())
			}
			if err := p.literal(member); err != nil {
				return err
			}
		}
	}
	return nil
}

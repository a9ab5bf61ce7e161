package query

import "postern/engine/document"

// A Filter is a parsed filter. It keeps nothing of the text it was parsed from
// and may be used by several goroutines at once. A nil Filter matches every
// document.
type Filter struct {
	root  node
	order *byDistance // nil: none is asked for
	id    string
	byID  bool
}

// Match reports whether the document meets the filter, whatever it costs. What
// is on behalf of a stranger goes through a Meter.
func (f *Filter) Match(doc document.Value) bool {
	return f == nil || f.root.match(doc, nil)
}

// ordered reports whether the filter asks for the order of a distance.
func (f *Filter) ordered() bool { return f != nil && f.order != nil }

// ID returns the _id that the filter asks for when it can match no document
// but the one of that _id: when equality on _id with a string is one of its
// conditions, next to whatever others. The document must still be matched. It
// relies on _id being a string in every document.
func (f *Filter) ID() (string, bool) {
	if f == nil {
		return "", false
	}
	return f.id, f.byID
}

// onlyID looks among parts that must all hold for an equality that leaves one
// _id. Inside $and and $or it does not look.
func onlyID(parts []node) (id string, found bool) {
	for _, part := range parts {
		c, ok := part.(*condition)
		if !ok || len(c.path) != 1 || c.path[0].name != "_id" {
			continue
		}
		if t, ok := c.test.(*equal); ok && t.kind == document.String {
			return t.value.Text(), true
		}
	}
	return "", false
}

// A node is a part of a filter that holds or does not hold for a document.
type node interface {
	match(doc document.Value, m *Meter) bool
}

// all holds when each of its nodes does.
type all []node

func (n all) match(doc document.Value, m *Meter) bool {
	for _, part := range n {
		if !part.match(doc, m) {
			return false
		}
	}
	return true
}

// some holds when one of its nodes does.
type some []node

func (n some) match(doc document.Value, m *Meter) bool {
	for _, part := range n {
		if part.match(doc, m) {
			return true
		}
	}
	return false
}

// not holds when its node does not.
type not struct{ node }

func (n not) match(doc document.Value, m *Meter) bool { return !n.node.match(doc, m) }

// A condition holds when its test holds for one of the values that its path
// reaches in the document. With whole set, an array at the end of the path is one
// value; otherwise its elements are values, too.
type condition struct {
	path  path
	test  test
	whole bool
}

func (c *condition) match(doc document.Value, m *Meter) bool {
	return c.path.reach(doc, c.test, !c.whole, m)
}

// A test is asked about one value that a path reached: Missing where the path
// ended early.
type test interface {
	holds(v document.Value, m *Meter) bool
}

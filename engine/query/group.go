package query

import (
	"fmt"
	"slices"
	"strings"

	"postern/engine/document"
)

// The bounds of one aggregation.
const (
	maxKeys         = 32       // members of a key
	maxInitialBytes = 16 << 10 // of the text of initial
	maxReduceBytes  = 16 << 10 // of the text of reduce
	maxGroups       = 10_000
	maxGroupAnswer  = 16 << 20 // bytes
)

// A LimitError says that an aggregation is too large. Msg is for the client.
type LimitError struct{ Msg string }

func (e *LimitError) Error() string { return e.Msg }

func tooLarge(format string, args ...any) error {
	return &LimitError{fmt.Sprintf(format, args...)}
}

// A Group is an aggregation: documents that match a filter are put into one
// bucket for each value of a key, and a reducer, which is a JavaScript function
// of a document and an accumulator, is called for each of them.
//
// The accumulator of a bucket begins as the members of its key, then those of
// initial; where they share a name, initial counts. The answer is the list of
// accumulators, in the order in which their buckets were met. Keys are equal as
// values in a filter are: null and missing are one, numbers are equal by value.
//
// A Group borrows the text that it was read from.
type Group struct {
	Meter   *Meter // what the run may spend; nil: no bound
	filter  *Filter
	paths   [][]string
	reduce  string
	native  *reducer // nil: reduce is not understood
	members []groupMember
	initial []jsValue // of the slots of native
	keyed   []keySlot
}

// A keySlot is a slot that begins as a part of the key.
type keySlot struct{ slot, key int }

// A groupMember is a member of every accumulator. What it holds at the end is
// in a slot, or else is what it began with: a part of the key, or a value of
// initial.
type groupMember struct {
	name  string
	slot  int            // -1: the reducer does not name it
	key   int            // number of the part of the key, or -1
	value document.Value // of initial
}

// ParseGroup reads the body of an aggregation: key (an object of names, or an
// array of them), initial, reduce and condition, all optional; it ignores what
// else there is. The error is an *Error or a *LimitError.
func ParseGroup(body document.Value) (*Group, error) {
	if body.Kind() != document.Object {
		return nil, &Error{Msg: "an aggregation must be an object"}
	}
	g := &Group{}
	if condition := body.Get("condition"); condition.Kind() > document.Null {
		var err error
		if g.filter, err = ParseFilter(condition.Raw()); err != nil {
			return nil, err
		}
	}
	if err := g.readKey(body.Get("key")); err != nil {
		return nil, err
	}
	if err := g.readInitial(body.Get("initial")); err != nil {
		return nil, err
	}
	switch reduce := body.Get("reduce"); {
	case reduce.Kind() <= document.Null:
		g.native = &reducer{}
	case reduce.Kind() != document.String:
		return nil, &Error{Msg: "reduce must be the text of a function"}
	default:
		if g.reduce = reduce.Text(); len(g.reduce) > maxReduceBytes {
			return nil, tooLarge("reduce has more than %d bytes", maxReduceBytes)
		}
		g.native = parseReducer(g.reduce)
	}
	if g.native != nil {
		g.bind()
	}
	return g, nil
}

func (g *Group) readKey(key document.Value) error {
	add := func(name string) error {
		if name == "" || g.member(name) >= 0 {
			return nil // clients name no key like this
		}
		if len(g.paths) == maxKeys {
			return tooLarge("a key has more than %d members", maxKeys)
		}
		g.members = append(g.members, groupMember{name: name, slot: -1, key: len(g.paths)})
		g.paths = append(g.paths, strings.Split(name, "."))
		return nil
	}
	switch key.Kind() {
	case document.Missing, document.Null:
	case document.Object:
		for name, wanted := range key.Members() {
			if !jsValueOf(wanted).truthy() {
				continue
			}
			if err := add(name.Text()); err != nil {
				return err
			}
		}
	case document.Array:
		for name := range key.Elements() {
			if name.Kind() != document.String {
				return &Error{Msg: "a key must be an object or an array of names"}
			}
			if err := add(name.Text()); err != nil {
				return err
			}
		}
	default:
		return &Error{Msg: "a key must be an object or an array of names"}
	}
	return nil
}

func (g *Group) readInitial(initial document.Value) error {
	if kind := initial.Kind(); kind > document.Null && kind != document.Object {
		return &Error{Msg: "initial must be an object"}
	}
	if len(initial.Raw()) > maxInitialBytes {
		return tooLarge("initial has more than %d bytes", maxInitialBytes)
	}
	for name, v := range initial.Members() {
		m := groupMember{name: name.Text(), slot: -1, key: -1, value: v}
		if at := g.member(m.name); at >= 0 {
			g.members[at] = m
		} else {
			g.members = append(g.members, m)
		}
	}
	return nil
}

// member returns the place of a name among the members, or -1.
func (g *Group) member(name string) int {
	return slices.IndexFunc(g.members, func(m groupMember) bool { return m.name == name })
}

// bind gives the slots of the reducer their places among the members and their
// values to begin with. Names that are only read are no members.
func (g *Group) bind() {
	g.initial = make([]jsValue, len(g.native.members))
	for slot, name := range g.native.members {
		at := g.member(name)
		if at < 0 {
			continue
		}
		if m := g.members[at]; m.key >= 0 {
			g.keyed = append(g.keyed, keySlot{slot, m.key})
		} else {
			g.initial[slot] = jsValueOf(m.value)
		}
	}
	for _, slot := range g.native.written {
		name := g.native.members[slot]
		at := g.member(name)
		if at < 0 {
			at = len(g.members)
			g.members = append(g.members, groupMember{name: name, key: -1})
		}
		g.members[at].slot = slot
	}
}

// Native reports whether Run can run the reducer.
func (g *Group) Native() bool { return g.native != nil }

// Reduce returns the text of the reducer.
func (g *Group) Reduce() string { return g.reduce }

// A bucket is one value of the key.
type bucket struct {
	key   []document.Value
	slots []jsValue
}

// buckets finds the bucket of a document.
type buckets struct {
	paths  [][]string
	all    []bucket // as they were met
	sorted []int    // numbers of buckets, by their keys
	key    []document.Value
}

// find returns the number of a document's bucket and whether it is a new one.
func (b *buckets) find(doc document.Value) (n int, fresh bool, err error) {
	b.key = b.key[:0]
	for _, path := range b.paths {
		b.key = append(b.key, valueAt(doc, path))
	}
	at, found := slices.BinarySearchFunc(b.sorted, b.key, func(n int, key []document.Value) int {
		return slices.CompareFunc(b.all[n].key, key, compare)
	})
	if found {
		return b.sorted[at], false, nil
	}
	if len(b.all) == maxGroups {
		return 0, false, tooLarge("the aggregation has more than %d groups", maxGroups)
	}
	n = len(b.all)
	b.all = append(b.all, bucket{key: slices.Clone(b.key)})
	b.sorted = slices.Insert(b.sorted, at, n)
	return n, true, nil
}

// valueAt follows a path through objects, and through arrays by index.
func valueAt(v document.Value, path []string) document.Value {
	for _, name := range path {
		if v.Kind() != document.Array {
			v = v.Get(name)
			continue
		}
		at := parseIndex(name)
		array := v
		v = document.Value{}
		for element := range array.Elements() {
			if at == 0 {
				v = element
				break
			}
			at--
		}
	}
	return v
}

// Each calls emit for every document of src that matches, with the number of
// its bucket; buckets are numbered from 0 as they are met. For the first
// document of a bucket accumulator is the JSON text of what it begins with,
// which is good until emit returns; for all others it is nil. Each returns the
// number of buckets. The error is a *LimitError, an *Error of the Meter or one of emit.
func (g *Group) Each(src Source, emit func(bucket int, accumulator []byte, doc document.Value) error) (int, error) {
	b := buckets{paths: g.paths}
	var text []byte
	err := g.scan(src, &b, func(n int, fresh bool, doc document.Value) error {
		if !fresh {
			return emit(n, nil, doc)
		}
		text = g.appendAccumulator(text[:0], &b.all[n])
		return emit(n, text, doc)
	})
	return len(b.all), err
}

// scan walks the documents that match. All that a client has to pay for is in
// here: the budget is spent on what src yields, which is what he may see.
func (g *Group) scan(src Source, b *buckets, each func(n int, fresh bool, doc document.Value) error) error {
	for doc, ok := src.Next(); ok; doc, ok = src.Next() {
		matched, err := g.Meter.Match(g.filter, doc)
		if err != nil {
			return err
		}
		if !matched {
			continue
		}
		n, fresh, err := b.find(doc)
		if err != nil {
			return err
		}
		if err := each(n, fresh, doc); err != nil {
			return err
		}
	}
	return nil
}

// Run appends the answer to dst as a JSON array. Native must have reported
// true. The error is a *LimitError, a *ReduceError or an *Error of the Meter.
func (g *Group) Run(dst []byte, src Source) ([]byte, error) {
	b := buckets{paths: g.paths}
	m := machine{locals: make([]jsValue, g.native.locals)}
	held := 0 // bytes of text in all slots
	err := g.scan(src, &b, func(n int, fresh bool, doc document.Value) error {
		at := &b.all[n]
		if fresh {
			at.slots = g.start(at)
		}
		if len(g.native.body) == 0 {
			return nil
		}
		m.doc, m.slots = doc, at.slots
		before := textIn(m.slots)
		for _, e := range g.native.body {
			e.eval(&m)
			if m.err != nil {
				return m.err
			}
		}
		if held += textIn(m.slots) - before; held > maxGroupAnswer {
			return tooLarge("the aggregation has more than %d bytes", maxGroupAnswer)
		}
		return nil
	})
	if err != nil {
		return dst, err
	}
	from := len(dst)
	dst = append(dst, '[')
	for n := range b.all {
		if n > 0 {
			dst = append(dst, ',')
		}
		if dst = g.appendAccumulator(dst, &b.all[n]); len(dst)-from > maxGroupAnswer {
			return dst[:from], tooLarge("the aggregation has more than %d bytes", maxGroupAnswer)
		}
	}
	return append(dst, ']'), nil
}

// start returns the slots of a new bucket.
func (g *Group) start(b *bucket) []jsValue {
	slots := slices.Clone(g.initial)
	for _, k := range g.keyed {
		slots[k.slot] = jsValueOf(shown(b.key[k.key]))
	}
	return slots
}

func textIn(slots []jsValue) int {
	n := 0
	for i := range slots {
		n += len(slots[i].text)
	}
	return n
}

var null = document.Trusted([]byte("null"))

// shown returns a part of a key as it is shown: what is missing is null.
func shown(v document.Value) document.Value {
	if v.Kind() == document.Missing {
		return null
	}
	return v
}

// appendAccumulator appends the accumulator of a bucket: as it is, or, without
// slots, as it begins.
func (g *Group) appendAccumulator(dst []byte, b *bucket) []byte {
	dst = append(dst, '{')
	first := true
	for _, m := range g.members {
		v := g.holds(b, m)
		if v.kind == undefinedValue {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(document.AppendQuote(dst, m.name), ':')
		dst = v.appendJSON(dst)
	}
	return append(dst, '}')
}

// holds returns what a member of a bucket's accumulator is. What no reducer
// names stays as it came, numbers with all their digits.
func (g *Group) holds(b *bucket, m groupMember) jsValue {
	switch {
	case m.slot >= 0 && b.slots != nil:
		return b.slots[m.slot]
	case m.key >= 0:
		return jsValue{kind: nestedValue, nested: shown(b.key[m.key])}
	case m.value.Kind() != document.Missing:
		return jsValue{kind: nestedValue, nested: m.value}
	}
	return jsValue{}
}

package model

import (
	"encoding/json"
	"strconv"
	"strings"

	query "postern/engine/query/oracle"
)

// Aggregation: what the caller may read and a condition selects, in buckets,
// one for each value of a key, in the order in which they are met.

func (c *call) groupEntities() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	return c.aggregate(c.entities())
}

func (c *call) groupUsers() Response { return c.aggregate(c.app.users) }

// An aggregation is the body of a request for one. do is nil without reduce.
type aggregation struct {
	filter  *query.Filter
	keys    []string
	initial Object
	do      func(accumulator, any)
	field   string // of a document, which do looks at
}

// A bucket is one value of the key. Its accumulator begins as the key, and
// then as initial.
type bucket struct {
	key []any
	out accumulator
}

func (c *call) aggregate(in *collection) Response {
	a, refusal := c.readAggregation()
	if refusal != nil {
		return *refusal
	}
	var buckets []*bucket
	for _, r := range c.readable(in, a.filter) {
		doc := r.doc()
		b := a.bucketOf(doc, &buckets)
		if a.do != nil {
			v, there := doc.get(a.field)
			if !there {
				v = undefined{}
			}
			a.do(b.out, v)
		}
	}
	list := []any{}
	for _, b := range buckets {
		list = append(list, b.out.shown())
	}
	return answer(200, list)
}

func (a *aggregation) bucketOf(doc Object, buckets *[]*bucket) *bucket {
	var key []any
	for _, name := range a.keys {
		key = append(key, at(doc, strings.Split(name, ".")))
	}
	for _, b := range *buckets {
		if sameValue(b.key, key) {
			return b
		}
	}
	b := &bucket{key: key, out: accumulator{}}
	for i, name := range a.keys {
		b.out[name] = key[i]
	}
	for _, m := range a.initial {
		b.out[m.Name] = m.Value
	}
	*buckets = append(*buckets, b)
	return b
}

// at is what a path leads to, through members and through the numbers of
// elements; what is missing is null.
func at(v any, path []string) any {
	for _, name := range path {
		switch in := v.(type) {
		case Object:
			v, _ = in.get(name)
		case []any:
			v = nil
			if i, err := strconv.Atoi(name); err == nil && 0 <= i && i < len(in) {
				v = in[i]
			}
		default:
			v = nil
		}
	}
	return v
}

// sameValue compares as equality in a filter does, but for arrays, which are
// values like others. The query oracle compares whole objects in that way.
func sameValue(a, b any) bool {
	s, err := query.ParseSort([]byte("v"))
	if err != nil {
		panic(err)
	}
	in := func(v any) query.Object {
		return query.Object{{Name: "v", Value: query.Object{{Name: "is", Value: toOracle(v)}}}}
	}
	return s.Compare(in(a), in(b)) == 0
}

func (c *call) readAggregation() (*aggregation, *Response) {
	bad := func(name string) (*aggregation, *Response) {
		r := refuse(name)
		return nil, &r
	}
	if len(c.req.Body) == 0 {
		return bad("IncompleteRequestBody")
	}
	v, err := parse(c.req.Body, false)
	if err != nil {
		return bad("JSONParseError")
	}
	o, isObject := v.(Object)
	if !isObject {
		return bad("InvalidQuerySyntax")
	}
	var a aggregation
	condition, _ := o.get("condition")
	if condition == nil {
		condition = Object{}
	}
	if a.filter, err = parseFilter(text(condition)); err != nil {
		return bad(filterError(err))
	}
	key, _ := o.get("key")
	initial, _ := o.get("initial")
	reduce, _ := o.get("reduce")
	var ok bool
	if a.keys, ok = keysOf(key); !ok {
		return bad("InvalidQuerySyntax")
	}
	if a.initial, ok = initial.(Object); !ok && initial != nil {
		return bad("InvalidQuerySyntax")
	}
	script, isText := reduce.(string)
	switch {
	case reduce == nil:
		return &a, nil
	case !isText:
		return bad("InvalidQuerySyntax")
	}
	if a.do, a.field = reducerOf(script); a.do == nil {
		return bad("MissingConfiguration") // other JavaScript, which is off
	}
	return &a, nil
}

// keysOf are the names of a key: the members of an object that are wanted, or
// the elements of an array. One without a name is none.
func keysOf(key any) (names []string, ok bool) {
	switch key := key.(type) {
	case nil:
	case Object:
		for _, m := range key {
			if n, isNumber := m.Value.(json.Number); isNumber && number(n) == 0 {
				continue
			}
			if m.Name != "" && m.Value != nil && m.Value != false && m.Value != "" {
				names = append(names, m.Name)
			}
		}
	case []any:
		for _, e := range key {
			name, isText := e.(string)
			if !isText {
				return nil, false
			}
			if name != "" {
				names = append(names, name)
			}
		}
	default:
		return nil, false
	}
	return names, true
}

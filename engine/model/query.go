package model

import (
	"encoding/json"
	"errors"
	"sort"
	"strconv"
	"strings"
)

// The two ways in which a filter may be wrong.
var (
	errQuery      = errors.New("not a filter")
	errDisallowed = errors.New("an operator that runs code")
)

// parseFilter reads a filter. Empty text selects everything.
func parseFilter(text string) (Object, error) {
	if text == "" {
		return Object{}, nil
	}
	v, err := parse([]byte(text), false)
	if err != nil {
		return nil, errQuery
	}
	filter, ok := v.(Object)
	if !ok {
		return nil, errQuery
	}
	return filter, checkFilter(filter)
}

func checkFilter(filter Object) error {
	for _, m := range filter {
		switch {
		case m.Name == "$and" || m.Name == "$or":
			list, ok := m.Value.([]any)
			if !ok || len(list) == 0 {
				return errQuery
			}
			for _, e := range list {
				inner, ok := e.(Object)
				if !ok {
					return errQuery
				}
				if err := checkFilter(inner); err != nil {
					return err
				}
			}
		case m.Name == "$where" || m.Name == "$expr" || m.Name == "$function":
			return errDisallowed
		case strings.HasPrefix(m.Name, "$"):
			return errQuery
		default:
			if operators, ok := operatorsOf(m.Value); ok {
				if err := checkOperators(operators); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// operatorsOf returns v as {"$op": operand, ...} if it is that and not a
// subdocument to be found.
func operatorsOf(v any) (Object, bool) {
	o, ok := v.(Object)
	return o, ok && len(o) > 0 && strings.HasPrefix(o[0].Name, "$")
}

func checkOperators(operators Object) error {
	for _, op := range operators {
		switch op.Name {
		case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte":
		case "$in", "$nin":
			if _, ok := op.Value.([]any); !ok {
				return errQuery
			}
		case "$exists":
			if _, ok := op.Value.(bool); !ok {
				return errQuery
			}
		case "$where", "$expr", "$function":
			return errDisallowed
		default:
			return errQuery
		}
	}
	return nil
}

func matches(filter, doc Object) bool {
	for _, m := range filter {
		switch m.Name {
		case "$and":
			for _, e := range m.Value.([]any) {
				if !matches(e.(Object), doc) {
					return false
				}
			}
		case "$or":
			some := false
			for _, e := range m.Value.([]any) {
				some = some || matches(e.(Object), doc)
			}
			if !some {
				return false
			}
		default:
			found := candidates(doc, strings.Split(m.Name, "."))
			operators, ok := operatorsOf(m.Value)
			if !ok {
				operators = Object{{"$eq", m.Value}}
			}
			for _, op := range operators {
				if !matchesOperator(op, found) {
					return false
				}
			}
		}
	}
	return true
}

// missing stands for a member that is not there.
type missing struct{}

// candidates returns the values that a dotted path leads to. Arrays on the way
// are entered by number and through each of their objects; an array at the end
// counts as itself and as each of its elements.
func candidates(v any, path []string) []any {
	if len(path) == 0 {
		found := []any{v}
		if list, ok := v.([]any); ok {
			found = append(found, list...)
		}
		return found
	}
	switch v := v.(type) {
	case Object:
		if inner, ok := v.get(path[0]); ok {
			return candidates(inner, path[1:])
		}
		return []any{missing{}}
	case []any:
		var found []any
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(v) {
			found = append(found, candidates(v[i], path[1:])...)
		}
		for _, e := range v {
			if o, ok := e.(Object); ok {
				found = append(found, candidates(o, path)...)
			}
		}
		return found
	}
	return []any{missing{}}
}

func matchesOperator(op Member, found []any) bool {
	some := func(test func(v any) bool) bool {
		for _, v := range found {
			if test(v) {
				return true
			}
		}
		return false
	}
	same := func(operand any) bool {
		return some(func(v any) bool {
			if v == (missing{}) {
				v = nil
			}
			return equal(v, operand)
		})
	}
	sameAsOne := func() bool {
		for _, operand := range op.Value.([]any) {
			if same(operand) {
				return true
			}
		}
		return false
	}
	ordered := func(test func(c int) bool) bool {
		return some(func(v any) bool {
			c, comparable := compareSameType(v, op.Value)
			return comparable && test(c)
		})
	}
	switch op.Name {
	case "$eq":
		return same(op.Value)
	case "$ne":
		return !same(op.Value)
	case "$in":
		return sameAsOne()
	case "$nin":
		return !sameAsOne()
	case "$gt":
		return ordered(func(c int) bool { return c > 0 })
	case "$gte":
		return ordered(func(c int) bool { return c >= 0 })
	case "$lt":
		return ordered(func(c int) bool { return c < 0 })
	case "$lte":
		return ordered(func(c int) bool { return c <= 0 })
	case "$exists":
		return op.Value == some(func(v any) bool { return v != (missing{}) })
	}
	panic("unchecked operator " + op.Name)
}

// compareSameType compares two numbers, two strings or two booleans; nothing
// else has an order in a filter.
func compareSameType(a, b any) (int, bool) {
	switch b := b.(type) {
	case json.Number:
		if a, ok := a.(json.Number); ok {
			return compareNumbers(a, b), true
		}
	case string:
		if a, ok := a.(string); ok {
			return strings.Compare(a, b), true
		}
	case bool:
		if a, ok := a.(bool); ok {
			return rank(a) - rank(b), true
		}
	}
	return 0, false
}

// A sortKey is one member of a sort.
type sortKey struct {
	path       []string
	descending bool
}

// parseSort reads a sort: an object of directions, or the name of a field.
func parseSort(text string) ([]sortKey, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		if strings.ContainsAny(text, `"[]{}$ `) {
			return nil, errQuery
		}
		return []sortKey{{path: strings.Split(text, ".")}}, nil
	}
	v, err := parse([]byte(text), false)
	if err != nil {
		return nil, errQuery
	}
	var keys []sortKey
	for _, m := range v.(Object) {
		key := sortKey{path: strings.Split(m.Name, ".")}
		switch m.Value {
		case json.Number("1"), "1", true:
		case json.Number("-1"), "-1":
			key.descending = true
		default:
			return nil, errQuery
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sortDocs sorts, and leaves in their order what no key tells apart.
func sortDocs(docs []Object, keys []sortKey) {
	sort.SliceStable(docs, func(i, j int) bool {
		for _, k := range keys {
			c := compareAnyType(at(docs[i], k.path), at(docs[j], k.path))
			if k.descending {
				c = -c
			}
			if c != 0 {
				return c < 0
			}
		}
		return false
	})
}

// at follows a path through objects only; World sorts by nothing else.
func at(v any, path []string) any {
	for _, name := range path {
		o, ok := v.(Object)
		if !ok {
			return nil
		}
		if v, ok = o.get(name); !ok {
			return nil
		}
	}
	return v
}

func compareAnyType(a, b any) int {
	typeOf := func(v any) int {
		switch v.(type) {
		case nil:
			return 0
		case json.Number:
			return 1
		case string:
			return 2
		case Object:
			return 3
		case []any:
			return 4
		}
		return 5
	}
	if c := typeOf(a) - typeOf(b); c != 0 {
		return c
	}
	c, _ := compareSameType(a, b)
	return c
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// project keeps the members named by fields (a,b.c) and those that are always
// kept.
func project(doc Object, fields string) Object {
	if fields == "" {
		return doc
	}
	var paths [][]string
	for _, f := range strings.Split(fields, ",") {
		paths = append(paths, strings.Split(f, "."))
	}
	kept := Object{}
	for _, m := range doc {
		if m.Name == "_id" || m.Name == "_acl" || m.Name == "_kmd" {
			kept = append(kept, m)
		} else if v, ok := projectMember(m, paths); ok {
			kept = append(kept, Member{m.Name, v})
		}
	}
	return kept
}

func projectMember(m Member, paths [][]string) (any, bool) {
	var inner [][]string
	for _, p := range paths {
		if p[0] == m.Name {
			if len(p) == 1 {
				return m.Value, true
			}
			inner = append(inner, p[1:])
		}
	}
	if inner == nil {
		return nil, false
	}
	return projectValue(m.Value, inner)
}

func projectValue(v any, paths [][]string) (any, bool) {
	switch v := v.(type) {
	case Object:
		kept := Object{}
		for _, m := range v {
			if inner, ok := projectMember(m, paths); ok {
				kept = append(kept, Member{m.Name, inner})
			}
		}
		return kept, true
	case []any:
		kept := []any{}
		for _, e := range v {
			if inner, ok := projectValue(e, paths); ok {
				kept = append(kept, inner)
			}
		}
		return kept, true
	}
	return nil, false // a scalar has no members
}

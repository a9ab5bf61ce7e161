package oracle

import (
	"errors"
	"strconv"
	"strings"
)

// The ways in which a filter may be wrong.
var (
	ErrSyntax     = errors.New("not a filter")
	ErrRange      = errors.New("a place that is none on Earth")
	ErrDisallowed = errors.New("an operator that runs code")
)

// A Filter says which documents are wanted, and perhaps near what.
type Filter struct {
	holds predicate
	near  *near // nil when distance does not matter
}

// A predicate is a condition on a document, or on an element of an array that
// is treated as one.
type predicate func(doc any) bool

// ParseFilter reads a filter. Empty text wants everything.
func ParseFilter(text []byte) (*Filter, error) {
	if len(text) == 0 {
		text = []byte("{}")
	}
	v, err := ParseJSON(text)
	o, ok := v.(Object)
	if err != nil || !ok {
		return nil, ErrSyntax
	}
	p := parser{nearAllowed: true}
	holds, err := p.filter(o)
	if err != nil {
		return nil, err
	}
	return &Filter{holds, p.near}, nil
}

// Match reports whether a document meets the filter.
func (f *Filter) Match(doc Object) bool { return f.holds(doc) }

// A parser turns a filter into predicates.
type parser struct {
	near        *near
	nearAllowed bool
}

// below parses with $near forbidden: it orders the whole result, so it can
// stand only where every result must meet it.
func (p *parser) below() *parser { return &parser{} }

func (p *parser) filter(o Object) (predicate, error) {
	var all []predicate
	for _, m := range o {
		one, err := p.member(m)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return func(doc any) bool {
		for _, holds := range all {
			if !holds(doc) {
				return false
			}
		}
		return true
	}, nil
}

func (p *parser) member(m Member) (predicate, error) {
	switch m.Name {
	case "$and", "$or", "$nor":
		return p.logic(m)
	case "$where", "$expr", "$function":
		return nil, ErrDisallowed
	}
	if strings.HasPrefix(m.Name, "$") {
		return nil, ErrSyntax
	}
	path := strings.Split(m.Name, ".")
	if operators, ok := operatorsOf(m.Value); ok {
		met, err := p.operators(m.Name, operators)
		if err != nil {
			return nil, err
		}
		return func(doc any) bool { return met(reach(doc, path)) }, nil
	}
	met, err := p.operator(m.Name, Member{"$eq", m.Value}, nil)
	if err != nil {
		return nil, err
	}
	return func(doc any) bool { return met(reach(doc, path)) }, nil
}

func (p *parser) logic(m Member) (predicate, error) {
	list, ok := m.Value.([]any)
	if !ok || len(list) == 0 {
		return nil, ErrSyntax
	}
	in := p
	if m.Name != "$and" {
		in = p.below()
	}
	var parts []predicate
	for _, e := range list {
		o, ok := e.(Object)
		if !ok {
			return nil, ErrSyntax
		}
		part, err := in.filter(o)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return func(doc any) bool {
		met := 0
		for _, holds := range parts {
			if holds(doc) {
				met++
			}
		}
		switch m.Name {
		case "$and":
			return met == len(parts)
		case "$or":
			return met > 0
		}
		return met == 0
	}, nil
}

// operatorsOf returns v as {"$op": operand, ...} if it is that and not a value
// to be found.
func operatorsOf(v any) (Object, bool) {
	o, ok := v.(Object)
	if !ok {
		return nil, false
	}
	for _, m := range o {
		if strings.HasPrefix(m.Name, "$") {
			return o, true
		}
	}
	return nil, false
}

// An end is what a path reaches: a value or missing{}. Opened says that it is
// to be taken as it is, though it may be an array: it was an element already.
type end struct {
	value  any
	opened bool
}

// reach follows a path from a document (rule "reach").
func reach(v any, path []string) []end {
	if len(path) == 0 {
		return []end{{value: v}}
	}
	switch v := v.(type) {
	case Object:
		return reach(v.get(path[0]), path[1:])
	case []any:
		var ends []end
		for i, e := range v {
			if o, ok := e.(Object); ok {
				ends = append(ends, reach(o, path)...)
			}
			if strconv.Itoa(i) != path[0] {
				continue
			}
			switch e.(type) {
			case Object, []any:
				if len(path) > 1 {
					ends = append(ends, reach(e, path[1:])...)
					continue
				}
			}
			if len(path) == 1 {
				ends = append(ends, end{e, true})
			}
		}
		return ends
	}
	return []end{{value: missing{}}}
}

// A condition is what an operator demands of the ends of a path.
type condition func(ends []end) bool

// some is met when one value meets test (rule "leaf").
func some(test func(v any) bool) condition {
	return func(ends []end) bool {
		for _, e := range ends {
			if test(e.value) {
				return true
			}
			if list, ok := e.value.([]any); ok && !e.opened {
				for _, v := range list {
					if test(v) {
						return true
					}
				}
			}
		}
		return false
	}
}

// someEnd is met when one end meets test, arrays as a whole.
func someEnd(test func(v any) bool) condition {
	return func(ends []end) bool {
		for _, e := range ends {
			if test(e.value) {
				return true
			}
		}
		return false
	}
}

func not(c condition) condition { return func(ends []end) bool { return !c(ends) } }

func either(list []condition) condition {
	return func(ends []end) bool {
		for _, c := range list {
			if c(ends) {
				return true
			}
		}
		return false
	}
}

func every(list []condition) condition {
	return func(ends []end) bool {
		for _, c := range list {
			if !c(ends) {
				return false
			}
		}
		return true
	}
}

package oracle

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"
)

// A Sort is an order of documents; nil is none.
type Sort []sortKey

type sortKey struct {
	path       []string
	descending bool
}

// ParseSort reads a sort: an object of directions, or the name of a field.
func ParseSort(text []byte) (Sort, error) {
	trimmed := strings.TrimSpace(string(text))
	if trimmed == "" {
		return nil, nil
	}
	if !strings.HasPrefix(trimmed, "{") {
		if strings.ContainsAny(trimmed, "\"[]{}$ ") {
			return nil, ErrSyntax
		}
		return Sort{{path: strings.Split(trimmed, ".")}}, nil
	}
	v, err := ParseJSON(text)
	if err != nil {
		return nil, ErrSyntax
	}
	var keys Sort
	for _, m := range v.(Object) {
		key := sortKey{path: strings.Split(m.Name, ".")}
		if n, ok := whole(m.Value); ok {
			m.Value = json.Number(strconv.FormatInt(n, 10))
		}
		switch m.Value {
		case json.Number("1"), "1", true:
		case json.Number("-1"), "-1":
			key.descending = true
		default:
			return nil, ErrSyntax
		}
		if strings.HasPrefix(m.Name, "$") {
			return nil, ErrSyntax
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Run returns the documents that match, in order, cut to the page. Without a
// sort they come by distance when the filter asks for what is near, and else as
// they came. A limit of 0 is none.
func Run(f *Filter, s Sort, docs []Object, skip, limit int) []Object {
	var found []Object
	for _, doc := range docs {
		if f.Match(doc) {
			found = append(found, doc)
		}
	}
	switch {
	case len(s) > 0:
		sort.SliceStable(found, func(i, j int) bool { return s.Compare(found[i], found[j]) < 0 })
	case f.near != nil:
		sort.SliceStable(found, func(i, j int) bool { return f.near.far(found[i]) < f.near.far(found[j]) })
	}
	found = found[min(skip, len(found)):]
	if limit > 0 {
		found = found[:min(limit, len(found))]
	}
	return found
}

// Compare returns less than 0 when a comes before b, more than 0 when it comes
// after it, and 0 when the sort does not tell them apart.
func (s Sort) Compare(a, b Object) int {
	for _, k := range s {
		c := compare(k.of(a), k.of(b))
		if k.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// emptyArray is what an empty array counts as in a sort: less than null.
type emptyArray struct{}

// of is the value by which a document is sorted (rule "keys").
func (k sortKey) of(doc Object) any {
	values := sortValues(doc, k.path)
	chosen := values[0]
	for _, v := range values[1:] {
		if c := compare(v, chosen); c < 0 && !k.descending || c > 0 && k.descending {
			chosen = v
		}
	}
	return chosen
}

// sortValues are the values by which a document could be sorted, at least one:
// what the path reaches, with the elements of an array at its end, and with
// null for an element that it cannot go through, unless it names another.
func sortValues(v any, path []string) []any {
	var values []any
	switch list, isArray := v.([]any); {
	case !isArray && len(path) == 0:
		return []any{v}
	case !isArray:
		o, _ := v.(Object)
		return sortValues(o.get(path[0]), path[1:])
	case len(path) == 0 && len(list) == 0:
		return []any{emptyArray{}}
	case len(path) == 0:
		return list
	default:
		index, err := strconv.Atoi(path[0])
		named := err == nil && strconv.Itoa(index) == path[0] && 0 <= index && index < len(list)
		for i, e := range list {
			o, isObject := e.(Object)
			if isObject {
				values = append(values, sortValues(o, path)...)
			}
			if named && i == index {
				values = append(values, sortValues(e, path[1:])...)
			} else if !isObject && !named {
				values = append(values, nil)
			}
		}
	}
	if len(values) == 0 {
		return []any{nil}
	}
	return values
}

// Project keeps of a document the members that the comma list of dotted paths
// names. A path goes through objects and through the objects in arrays.
func Project(doc Object, fields string) Object {
	var paths [][]string
	for _, f := range strings.Split(fields, ",") {
		if f = strings.TrimSpace(f); f != "" {
			paths = append(paths, strings.Split(f, "."))
		}
	}
	if paths == nil {
		return doc
	}
	kept, _ := project(doc, paths)
	return kept.(Object)
}

func project(v any, paths [][]string) (any, bool) {
	switch v := v.(type) {
	case Object:
		kept := Object{}
		for _, m := range v {
			var inner [][]string
			all := false
			for _, p := range paths {
				switch {
				case p[0] != m.Name:
				case len(p) == 1:
					all = true
				default:
					inner = append(inner, p[1:])
				}
			}
			if all {
				kept = append(kept, m)
			} else if e, ok := project(m.Value, inner); inner != nil && ok {
				kept = append(kept, Member{m.Name, e})
			}
		}
		return kept, true
	case []any:
		kept := []any{}
		for _, e := range v {
			if e, ok := project(e, paths); ok {
				kept = append(kept, e)
			}
		}
		return kept, true
	}
	return nil, false // a scalar has no members
}

package model

import (
	"errors"
	"strings"

	query "postern/engine/query/oracle"
)

// What a query means is the business of engine/query/oracle; the model turns
// its own values into the oracle's and back.

var errQuery = errors.New("not a filter or a sort")

// parseFilter reads a filter. Empty text selects everything.
func parseFilter(text string) (*query.Filter, error) {
	if text != "" {
		if _, err := parse([]byte(text), false); err != nil {
			return nil, errQuery
		}
	}
	return query.ParseFilter([]byte(text))
}

// filterError is the name of the error that a wrong filter is answered with.
func filterError(err error) string {
	switch err {
	case query.ErrDisallowed:
		return "DisallowedQuerySyntax"
	case query.ErrRange:
		return "ParameterValueOutOfRange"
	}
	return "InvalidQuerySyntax"
}

// parseSort reads a sort: an object of directions, or the name of a field.
func parseSort(text string) (query.Sort, error) {
	if strings.HasPrefix(text, "{") {
		if _, err := parse([]byte(text), false); err != nil {
			return nil, errQuery
		}
	}
	return query.ParseSort([]byte(text))
}

// matches reports whether a document meets a filter.
func matches(filter *query.Filter, doc Object) bool {
	return filter.Match(toOracle(doc).(query.Object))
}

// page returns the documents that a search is answered with: those that match,
// in order, cut to the page, with the members that are wanted and those that
// are always kept.
func (s search) page(docs []Object) []Object {
	var all []query.Object
	for _, doc := range docs {
		all = append(all, toOracle(doc).(query.Object))
	}
	var list []Object
	for _, doc := range query.Run(s.filter, s.sort, all, s.skip, s.limit) {
		if s.fields != "" {
			doc = query.Project(doc, s.fields+",_id,_acl,_kmd")
		}
		list = append(list, fromOracle(doc).(Object))
	}
	return list
}

func toOracle(v any) any {
	switch v := v.(type) {
	case Object:
		o := query.Object{}
		for _, m := range v {
			o = append(o, query.Member{Name: m.Name, Value: toOracle(m.Value)})
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = toOracle(e)
		}
		return list
	}
	return v
}

func fromOracle(v any) any {
	switch v := v.(type) {
	case query.Object:
		o := Object{}
		for _, m := range v {
			o = append(o, Member{m.Name, fromOracle(m.Value)})
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = fromOracle(e)
		}
		return list
	}
	return v
}

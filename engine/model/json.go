package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A JSON value is nil, bool, json.Number, string, []any or Object. Objects
// keep their order, because it counts when two are compared.
type (
	// Object is a JSON object in the order of its text.
	Object []Member
	// Member is one name and its value.
	Member struct {
		Name  string
		Value any
	}
)

func (o Object) get(name string) (any, bool) {
	for _, m := range o {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// with returns a copy in which name has the value, at its old place or last.
func (o Object) with(name string, value any) Object {
	c := append(Object(nil), o...)
	for i := range c {
		if c[i].Name == name {
			c[i].Value = value
			return c
		}
	}
	return append(c, Member{name, value})
}

func (o Object) without(names ...string) Object {
	c := Object{}
next:
	for _, m := range o {
		for _, n := range names {
			if m.Name == n {
				continue next
			}
		}
		c = append(c, m)
	}
	return c
}

// The two ways in which the text of a body may be wrong.
var (
	errNotJSON = errors.New("not JSON, or JSON that is refused")
	errBadKey  = errors.New("a name begins with $ or has a dot in it")
)

const maxDepth = 32

// parse reads JSON text as strictly as a body is read: UTF-8 without lone
// surrogates, no name twice, no NUL in a name, bounded depth and numbers. When
// storable, names that Mongo could not store are refused.
func parse(text []byte, storable bool) (any, error) {
	if !utf8.Valid(text) || !json.Valid(text) || loneSurrogate(text) {
		return nil, errNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if storable && badKey(v) {
		return nil, errBadKey
	}
	return v, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, errNotJSON
	}
	switch t := t.(type) {
	case json.Number:
		if len(t) > 64 {
			return nil, errNotJSON
		}
		return t, nil
	case json.Delim:
		if depth++; depth > maxDepth {
			return nil, errNotJSON
		}
		if t == '[' {
			return parseArray(d, depth)
		}
		return parseObject(d, depth)
	}
	return t, nil
}

func parseArray(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := parseValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func parseObject(d *json.Decoder, depth int) (any, error) {
	o := Object{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, errNotJSON
		}
		name := t.(string)
		if _, twice := o.get(name); twice || strings.ContainsRune(name, 0) || len(o) == 1000 {
			return nil, errNotJSON
		}
		v, err := parseValue(d, depth)
		if err != nil {
			return nil, err
		}
		o = append(o, Member{name, v})
	}
	_, err := d.Token()
	return o, err
}

func badKey(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if badKey(e) {
				return true
			}
		}
	case Object:
		for _, m := range v {
			if strings.HasPrefix(m.Name, "$") || strings.Contains(m.Name, ".") || badKey(m.Value) {
				return true
			}
		}
	}
	return false
}

// loneSurrogate finds half a pair of \u escapes in valid JSON text.
func loneSurrogate(text []byte) bool {
	escape := func(i int) int {
		if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
			return -1
		}
		n, _ := strconv.ParseUint(string(text[i+2:i+6]), 16, 32)
		return int(n)
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		n := escape(i)
		switch {
		case n < 0:
			i++ // what is escaped is no beginning of an escape
		case n >= 0xdc00 && n < 0xe000:
			return true
		case n >= 0xd800 && n < 0xdc00:
			if low := escape(i + 6); low < 0xdc00 || low >= 0xe000 {
				return true
			}
			i += 11
		}
	}
	return false
}

// plain turns Objects into maps, the form in which answers are compared.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plain(e)
		}
		return list
	case Object:
		m := make(map[string]any, len(v))
		for _, e := range v {
			m[e.Name] = plain(e.Value)
		}
		return m
	}
	return v
}

// served is plain for an object.
func served(o Object) map[string]any { return plain(o).(map[string]any) }

package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/auth/mic"
)

const (
	maxDepth      = 16   // of objects and arrays in claims
	maxGroups     = 1000 // of one account
	maxGroup      = 512  // bytes of a group's name: some are distinguished names
	maxValues     = 1000 // of one attribute
	maxValueBytes = 4096
)

// Claims are a JSON object: strings, json.Numbers, bools, nils, []any, and claims.
type claims map[string]any

// parseClaims reads one JSON object. Names that occur twice are refused at every
// depth, since two readers could differ over which counts; so is what is not UTF-8.
func parseClaims(b []byte) (claims, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	c, ok := v.(claims)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return c, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	delimiter, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == maxDepth {
		return nil, errors.New("nested too deeply")
	}
	var object claims
	list := []any{}
	if delimiter == '{' {
		object = claims{}
	}
	for d.More() {
		var name string
		if object != nil {
			t, err := d.Token()
			if err != nil {
				return nil, err
			}
			name, _ = t.(string) // the decoder sees to it
			if _, twice := object[name]; twice {
				return nil, fmt.Errorf("%q occurs twice", clean(name))
			}
		}
		v, err := parseValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		if object != nil {
			object[name] = v
		} else {
			list = append(list, v)
		}
	}
	if _, err := d.Token(); err != nil { // the closing delimiter
		return nil, err
	}
	if object != nil {
		return object, nil
	}
	return list, nil
}

// find returns a claim by its name, or else by its path: names of claims may have
// dots in them, and some are URLs. nil: there is none, or it is null.
func (c claims) find(path string) any {
	if v, ok := c[path]; ok {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := c[path[:i]].(claims); ok {
			return inner.find(path[i+1:])
		}
	}
	return nil
}

// text returns a claim that is a string, and "" if it is something else.
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// moment returns a claim in seconds since 1970, and false if it is not there.
func (c claims) moment(name string) (time.Time, bool, error) {
	v, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	f, err := n.Float64()
	// Up to the year 9999; a later one is nonsense that arithmetic might not survive.
	if !ok || err != nil || !(f >= 0 && f <= 253402300799) {
		return time.Time{}, false, fmt.Errorf("%s is not a time", name)
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(part*1e9)), true, nil
}

// subject makes the subject of an account from a claim. User-id endpoints also
// have whole numbers for it.
func subject(v any) (string, error) {
	s, ok := v.(string)
	if n, number := v.(json.Number); number {
		_, err := strconv.ParseUint(string(n), 10, 64)
		s, ok = string(n), err == nil
	}
	switch {
	case v == nil || ok && s == "":
		return "", errors.New("it does not say whose it is")
	case !ok:
		return "", errors.New("the subject is neither a string nor a whole number")
	case len(s) > mic.MaxSubject:
		return "", fmt.Errorf("the subject is longer than %d bytes", mic.MaxSubject)
	// The replacement character stands for half a surrogate pair: two subjects that
	// differ only there must not become one.
	case strings.ContainsFunc(s, unicode.IsControl) || strings.ContainsRune(s, utf8.RuneError):
		return "", errors.New("the subject has characters that are not allowed")
	}
	return s, nil
}

// groups returns the groups in the claim at path, sorted and each once.
func (c claims) groups(path string) ([]string, error) {
	v := c.find(path)
	if v == nil {
		elsewhere, _ := c["_claim_names"].(claims)
		if _, ok := elsewhere[path]; ok {
			return nil, fmt.Errorf("the claim %q is only pointed to: there are too many groups; have the provider send fewer", clean(path))
		}
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) > maxGroups {
		return nil, fmt.Errorf("the claim %q has more than %d groups", clean(path), maxGroups)
	}
	var groups []string
	for _, v := range list {
		g, ok := v.(string)
		switch {
		case !ok:
			return nil, fmt.Errorf("the claim %q is neither a string nor a list of strings", clean(path))
		case len(g) > maxGroup || strings.ContainsFunc(g, unicode.IsControl) || strings.ContainsRune(g, utf8.RuneError):
			return nil, fmt.Errorf("the claim %q has a group that is longer than %d bytes or has characters that are not allowed", clean(path), maxGroup)
		case g != "":
			groups = append(groups, g)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// attributes copies claims, named or by path. What is not there, or is an object,
// is left out.
func (c claims) attributes(paths []string) (map[string][]string, error) {
	var all map[string][]string
	for _, path := range paths {
		v := c.find(path)
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		if len(list) > maxValues {
			return nil, fmt.Errorf("the claim %q has more than %d values", clean(path), maxValues)
		}
		var values []string
		for _, v := range list {
			var s string
			switch v := v.(type) {
			case string:
				s = v
			case json.Number:
				s = string(v)
			case bool:
				s = strconv.FormatBool(v)
			default:
				continue
			}
			if len(s) > maxValueBytes {
				return nil, fmt.Errorf("the claim %q has a value of more than %d bytes", clean(path), maxValueBytes)
			}
			values = append(values, s)
		}
		if values == nil {
			continue
		}
		if all == nil {
			all = map[string][]string{}
		}
		all[path] = values
	}
	return all, nil
}

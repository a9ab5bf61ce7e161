package query_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

// checkError demands that an error is one of the package, with a message.
func checkError(t *testing.T, err error) {
	t.Helper()
	var e *query.Error
	if !errors.As(err, &e) || e.Msg == "" || len(e.Msg) > 500 {
		t.Fatalf("the error is %T: %v; want a *query.Error with a short message", err, err)
	}
}

func FuzzFilter(f *testing.F) {
	docs := []string{`{"a":1,"b":[1,{"c":null}],"c":{"0":"x"}}`, `{"a":[[1],2],"\u0062":-0.0}`, `{}`, `not JSON`}
	for _, c := range cases {
		f.Add([]byte(c.filter), []byte(docs[0]))
	}
	for i, s := range []string{
		`{"a":{"$gt":1,"$lte":2}}`, `{"a.0.b":{"$nin":[1,null,"x",[1],{"b":1}]}}`, `{"$and":[{"$or":[{"a":1},{}]},{"b":{"$ne":{"c":1}}}]}`,
		`{"a":{"$not":{"$size":1}},"$nor":[{"b":{"$all":[1,null]}}]}`, `{"b":{"$elemMatch":{"c":null,"$or":[{"d":{"$mod":[2,1]}}]}}}`,
		`{"b":{"$elemMatch":{"$type":16,"$ne":2}}}`, `{"b":{"$all":[{"$elemMatch":{"$exists":1}}]}}`, `{"a":{"$type":["null",-1]}}`,
		`{"c.0":{"$regex":"^[x] #","$options":"mxs"}}`, `{"a":{"$regex":"^(?i)\\Qa"}}`, `{"b":{"$near":[1,2],"$maxDistance":3}}`,
		`{"b":{"$near":{"$geometry":{"type":"Point","coordinates":[1,2]},"$maxDistance":1}}}`, `{"b":{"$within":{"$box":[[1,2],[3,4]]}}}`,
		`{"b":{"$geoWithin":{"$centerSphere":[[1,2],0.1]}}}`, `{"b":{"$geoWithin":{"$center":[[1,2],1]}}}`, `{"b":{"$geoWithin":{"$polygon":[[0,0],[1,0],[0,1]]}}}`,
		`{"b":{"$geoWithin":{"$geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[0,1],[0,0]]]]}}}}`,
		`{"_id":"x"}`, `{"a":{"$exists":false}}`, `{"$where":"x"}`, `{"a":{}}`, `{"":1}`, `{"a..b":1}`, `{"\u0024or":[{"a":1}]}`, ``, `[]`,
	} {
		f.Add([]byte(s), []byte(docs[i%len(docs)]))
	}
	f.Fuzz(func(t *testing.T, text, body []byte) {
		parsed, err := query.ParseFilter(text)
		if err != nil {
			checkError(t, err)
			return
		}
		parsed.Match(document.Trusted(body)) // whatever it is, no panic
		m := query.NewMeter(query.Budget{})
		if matched, err := m.Match(parsed, document.Trusted(body)); err == nil && matched != parsed.Match(document.Trusted(body)) {
			t.Fatalf("%s on %s = %v with a meter, %v without", text, body, matched, !matched)
		}
		d, err := document.Parse(body, document.Body)
		if err != nil || d.Kind() != document.Object || len(strings.TrimSpace(string(text))) == 0 || hugeExponent(text) || hugeExponent(body) {
			return
		}
		plain := decode(string(text)).(object)
		if !naiveKnows(plain) {
			return
		}
		if got, want := parsed.Match(d), naiveMatch(plain, decode(string(body)).(object)); got != want {
			t.Fatalf("%s on %s = %v; want %v", text, body, got, want)
		}
		if id, ok := parsed.ID(); ok && parsed.Match(d) && d.Get("_id").Kind() == document.String && !d.Get("_id").TextIs(id) {
			t.Fatalf("%s says it matches only _id %q but matches %s", text, id, body)
		}
	})
}

// hugeExponent says whether a text may hold a number that the rationals of the
// naive comparison cannot hold.
func hugeExponent(text []byte) bool {
	for i, c := range text {
		if (c == 'e' || c == 'E') && i+4 < len(text) {
			digits := 0
			for _, d := range text[i+1:] {
				if d >= '0' && d <= '9' {
					digits++
				} else if digits > 0 || (d != '+' && d != '-') {
					break
				}
			}
			if digits > 3 {
				return true
			}
		}
	}
	return false
}

// naiveKnows says whether the naive matcher has all that a filter asks for: it
// has no patterns and no places, and of $type only the numbers of JSON's types.
func naiveKnows(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if !naiveKnows(e) {
				return false
			}
		}
	case object:
		for _, m := range v {
			switch m.name {
			case "$regex", "$near", "$nearSphere", "$geoWithin", "$within":
				return false
			case "$type":
				if n, ok := m.value.(json.Number); !ok || strings.ContainsAny(string(n), ".eE-") {
					return false
				}
			}
			if !naiveKnows(m.value) {
				return false
			}
		}
	}
	return true
}

func FuzzParseSort(f *testing.F) {
	for _, s := range []string{``, `{}`, `a`, `a.b`, `{"a":1,"b":-1}`, `{"a":"1"}`, `{"a":true}`, `{"a.0":1.0}`, `{"$a":1}`, `"a"`, `{"a":{}}`, `{"a":1,"\u0061":1}`} {
		f.Add([]byte(s), []byte(`{"a":[{"b":1}]}`), []byte(`{"a":{"b":0}}`))
	}
	f.Fuzz(func(t *testing.T, text, a, b []byte) {
		s, err := query.ParseSort(text)
		if err != nil {
			checkError(t, err)
			return
		}
		s.Compare(document.Trusted(a), document.Trusted(b))
		x, errX := document.Parse(a, document.Body)
		y, errY := document.Parse(b, document.Body)
		if errX != nil || errY != nil {
			return
		}
		if got, back := s.Compare(x, y), s.Compare(y, x); sign(got) != -sign(back) || s.Compare(x, x) != 0 {
			t.Fatalf("sort %s: Compare(%s, %s) = %d, reversed %d", text, a, b, got, back)
		}
	})
}

func FuzzFields(f *testing.F) {
	for _, s := range []string{``, `a`, `a.b, c`, `a.b.c,a`, `,.,`, `..`, `_acl.r`} {
		f.Add(s, []byte(`{"a":{"b":[1,{"c":2}]},"_id":"x","c":null}`))
	}
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		fields := query.ParseFields(text)
		fields.Append(nil, document.Trusted(body))
		d, err := document.Parse(body, document.Body)
		if err != nil {
			return
		}
		out := fields.Append(nil, d)
		p, err := document.Parse(out, document.Body)
		if err != nil {
			t.Fatalf("fields %q of %s = %s: %v", text, body, out, err)
		}
		if !document.Equal(p.Get("_id"), d.Get("_id")) || !document.Equal(p.Get("_acl"), d.Get("_acl")) {
			t.Fatalf("fields %q of %s = %s: _id or _acl changed", text, body, out)
		}
		if again := fields.Append(nil, p); string(again) != string(out) {
			t.Fatalf("fields %q of %s = %s, and once more %s", text, body, out, again)
		}
	})
}

package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

func doc(t testing.TB, text string) document.Value {
	t.Helper()
	v, err := document.Parse([]byte(text), document.Body)
	if err != nil {
		t.Fatalf("document %s: %v", text, err)
	}
	return v
}

func filter(t testing.TB, text string) *query.Filter {
	t.Helper()
	f, err := query.ParseFilter([]byte(text))
	if err != nil {
		t.Fatalf("ParseFilter(%s) = %v", text, err)
	}
	return f
}

func TestMatch(t *testing.T) {
	const yes, no = true, false
	for _, c := range []struct {
		name, filter, doc string
		want              bool
	}{
		{"no filter matches all", ``, `{}`, yes},
		{"white space is no filter", " \n", `{}`, yes},
		{"an empty filter matches all", `{}`, `{"a":1}`, yes},

		{"equality", `{"a":1}`, `{"a":1}`, yes},
		{"equality with another value", `{"a":1}`, `{"a":2}`, no},
		{"equality with a missing member", `{"a":1}`, `{"b":1}`, no},
		{"names are exact", `{"a":1}`, `{"A":1}`, no},
		{"names by what they say", `{"a":1}`, `{"\u0061":1}`, yes},
		{"names by what they say, in the filter", `{"\u0061":1}`, `{"a":1}`, yes},
		{"texts by what they say", `{"a":"é"}`, `{"a":"\u00e9"}`, yes},
		{"a text is no number", `{"a":"1"}`, `{"a":1}`, no},
		{"all members must hold", `{"a":1,"b":2}`, `{"a":1,"b":3}`, no},
		{"numbers by value", `{"a":1}`, `{"a":1.0}`, yes},
		{"numbers by value, exponent", `{"a":1e0}`, `{"a":1.000}`, yes},
		{"minus zero is zero", `{"a":0}`, `{"a":-0.0}`, yes},
		{"large numbers are exact", `{"a":9007199254740993}`, `{"a":9007199254740992}`, no},
		{"large numbers are exact, equal", `{"a":9007199254740993}`, `{"a":9007199254740993.0}`, yes},
		{"true", `{"a":true}`, `{"a":true}`, yes},
		{"true is not 1", `{"a":true}`, `{"a":1}`, no},
		{"an empty text is not null", `{"a":null}`, `{"a":""}`, no},

		{"null matches null", `{"a":null}`, `{"a":null}`, yes},
		{"null matches missing", `{"a":null}`, `{}`, yes},
		{"null does not match a value", `{"a":null}`, `{"a":0}`, no},
		{"null matches an element", `{"a":null}`, `{"a":[1,null]}`, yes},
		{"null does not match an empty array", `{"a":null}`, `{"a":[]}`, no},
		{"null matches a path that ends early", `{"a.b":null}`, `{"a":1}`, yes},
		{"null matches an object without it", `{"a.b":null}`, `{"a":{}}`, yes},
		{"null matches one element without it", `{"a.b":null}`, `{"a":[{"b":1},{"c":1}]}`, yes},
		{"null does not match elements that all have it", `{"a.b":null}`, `{"a":[{"b":1},{"b":2}]}`, no},
		{"null below an empty array", `{"a.b":null}`, `{"a":[]}`, no},
		{"null below scalar elements", `{"a.b":null}`, `{"a":[1,2]}`, no},

		{"an array that holds the value", `{"a":2}`, `{"a":[1,2]}`, yes},
		{"an array that does not", `{"a":3}`, `{"a":[1,2]}`, no},
		{"one level only", `{"a":1}`, `{"a":[[1]]}`, no},
		{"an equal array", `{"a":[1,2]}`, `{"a":[1,2.0]}`, yes},
		{"an array in another order", `{"a":[2,1]}`, `{"a":[1,2]}`, no},
		{"a longer array", `{"a":[1]}`, `{"a":[1,2]}`, no},
		{"an array as an element", `{"a":[1]}`, `{"a":[[1],2]}`, yes},
		{"an empty array", `{"a":[]}`, `{"a":[]}`, yes},

		{"an equal subdocument", `{"a":{"x":1,"y":2}}`, `{"a":{"x":1,"y":2}}`, yes},
		{"a subdocument in another order", `{"a":{"x":1,"y":2}}`, `{"a":{"y":2,"x":1}}`, no},
		{"a part of a subdocument", `{"a":{"x":1}}`, `{"a":{"x":1,"y":2}}`, no},
		{"a subdocument in an array", `{"a":{"x":1}}`, `{"a":[{"x":1}]}`, yes},
		{"an empty subdocument", `{"a":{}}`, `{"a":{}}`, yes},
		{"an empty subdocument is not any", `{"a":{}}`, `{"a":{"x":1}}`, no},

		{"a path through objects", `{"a.b.c":1}`, `{"a":{"b":{"c":1}}}`, yes},
		{"a path through an array of objects", `{"a.b":2}`, `{"a":[{"b":1},{"b":2}]}`, yes},
		{"a path through two arrays", `{"a.b.c":3}`, `{"a":[{"b":[{"c":1},{"c":3}]}]}`, yes},
		{"a path to an array in an array of objects", `{"a.b":3}`, `{"a":[{"b":[1,3]}]}`, yes},
		{"not through an array in an array", `{"a.b":1}`, `{"a":[[{"b":1}]]}`, no},
		{"an index", `{"a.1":2}`, `{"a":[1,2]}`, yes},
		{"another index", `{"a.0":2}`, `{"a":[1,2]}`, no},
		{"an index behind the end", `{"a.2":2}`, `{"a":[1,2]}`, no},
		{"an index is not null behind the end", `{"a.2":null}`, `{"a":[1,2]}`, no},
		{"an index with a leading zero is a name", `{"a.01":2}`, `{"a":[1,2]}`, no},
		{"an index, then a name", `{"a.1.b":2}`, `{"a":[{"b":1},{"b":2}]}`, yes},
		{"an index, then a name, elsewhere", `{"a.0.b":2}`, `{"a":[{"b":1},{"b":2}]}`, no},
		{"an index to an array", `{"a.0":[3]}`, `{"a":[[3]]}`, yes},
		{"an index does not lead to the elements of an array", `{"a.0":3}`, `{"a":[[3]]}`, no},
		{"a number as a name does", `{"a.0":3}`, `{"a":{"0":[3]}}`, yes},
		{"an index into an array in an array", `{"a.0.1":4}`, `{"a":[[3,4]]}`, yes},
		{"an index, then objects in that array", `{"a.0.b":1}`, `{"a":[[{"b":1}]]}`, yes},
		{"a number as a name", `{"a.0":1}`, `{"a":{"0":1}}`, yes},
		{"a number as a name in an array of objects", `{"a.0":1}`, `{"a":[5,{"0":1}]}`, yes},
		{"an index at a scalar ends the path", `{"a.0.b":null}`, `{"a":[1]}`, no},
		{"the creator", `{"_acl.creator":"u"}`, `{"_acl":{"creator":"u"}}`, yes},
		{"a reader among several", `{"_acl.r":"u"}`, `{"_acl":{"r":["x","u"]}}`, yes},

		{"$eq", `{"a":{"$eq":1}}`, `{"a":1}`, yes},
		{"$eq with an object", `{"a":{"$eq":{"x":1}}}`, `{"a":{"x":1}}`, yes},
		{"$ne", `{"a":{"$ne":1}}`, `{"a":2}`, yes},
		{"$ne of the same", `{"a":{"$ne":1}}`, `{"a":1.0}`, no},
		{"$ne of missing", `{"a":{"$ne":1}}`, `{}`, yes},
		{"$ne null of missing", `{"a":{"$ne":null}}`, `{}`, no},
		{"$ne null of a value", `{"a":{"$ne":null}}`, `{"a":0}`, yes},
		{"$ne of an array that holds it", `{"a":{"$ne":1}}`, `{"a":[1,2]}`, no},
		{"$ne through an array", `{"a.b":{"$ne":1}}`, `{"a":[{"b":2},{"b":1}]}`, no},
		{"$gt", `{"a":{"$gt":1}}`, `{"a":1.5}`, yes},
		{"$gt of the same", `{"a":{"$gt":1}}`, `{"a":1e0}`, no},
		{"$gte of the same", `{"a":{"$gte":1}}`, `{"a":1e0}`, yes},
		{"$lt", `{"a":{"$lt":1}}`, `{"a":-1}`, yes},
		{"$lt of the same", `{"a":{"$lt":1}}`, `{"a":1}`, no},
		{"$lte of the same", `{"a":{"$lte":1}}`, `{"a":1}`, yes},
		{"a range", `{"a":{"$gt":1,"$lt":3}}`, `{"a":2}`, yes},
		{"a range is exact", `{"a":{"$gt":9007199254740992}}`, `{"a":9007199254740993}`, yes},
		{"a range of texts", `{"a":{"$gte":"2026-01"}}`, `{"a":"2026-11-23"}`, yes},
		{"a range of texts by bytes", `{"a":{"$lt":"a"}}`, `{"a":"Z"}`, yes},
		{"a range does not reach other kinds", `{"a":{"$gt":1}}`, `{"a":"2"}`, no},
		{"a range below does not reach other kinds", `{"a":{"$lt":"x"}}`, `{"a":1}`, no},
		{"a range does not reach what is missing", `{"a":{"$lt":1}}`, `{}`, no},
		{"a range does not reach null", `{"a":{"$lt":1}}`, `{"a":null}`, no},
		{"$gte null", `{"a":{"$gte":null}}`, `{"a":null}`, yes},
		{"$lte null of missing", `{"a":{"$lte":null}}`, `{}`, yes},
		{"$gt null", `{"a":{"$gt":null}}`, `{"a":1}`, no},
		{"a range over elements", `{"a":{"$gt":4}}`, `{"a":[1,5]}`, yes},
		{"each side by another element", `{"a":{"$gt":4,"$lt":2}}`, `{"a":[1,5]}`, yes},
		{"a range of booleans", `{"a":{"$gt":false}}`, `{"a":true}`, yes},
		{"a range of arrays", `{"a":{"$gt":[1,2]}}`, `{"a":[1,3]}`, yes},
		{"a range of arrays, shorter", `{"a":{"$lt":[1,2]}}`, `{"a":[1]}`, yes},
		{"a range of objects", `{"a":{"$gt":{"x":1}}}`, `{"a":{"x":2}}`, yes},
		{"a range of objects, by the kind first", `{"a":{"$lt":{"a":"x"}}}`, `{"a":{"z":1}}`, yes},

		{"$in", `{"a":{"$in":[1,"x"]}}`, `{"a":"x"}`, yes},
		{"$in without it", `{"a":{"$in":[1,"x"]}}`, `{"a":2}`, no},
		{"$in of nothing", `{"a":{"$in":[]}}`, `{"a":1}`, no},
		{"$in by value", `{"a":{"$in":[3,2,1]}}`, `{"a":2.0}`, yes},
		{"$in with null of missing", `{"a":{"$in":[1,null]}}`, `{}`, yes},
		{"$in without null of missing", `{"a":{"$in":[1]}}`, `{}`, no},
		{"$in over elements", `{"a":{"$in":[3,4]}}`, `{"a":[1,4]}`, yes},
		{"$in with an array", `{"a":{"$in":[[1,4]]}}`, `{"a":[1,4]}`, yes},
		{"$in with an object", `{"a":{"$in":[{"x":1}]}}`, `{"a":{"x":1}}`, yes},
		{"$nin", `{"a":{"$nin":[1,2]}}`, `{"a":3}`, yes},
		{"$nin of one of them", `{"a":{"$nin":[1,2]}}`, `{"a":2}`, no},
		{"$nin of missing", `{"a":{"$nin":[1,2]}}`, `{}`, yes},
		{"$nin with null of missing", `{"a":{"$nin":[null]}}`, `{}`, no},
		{"$nin of an array that holds one", `{"a":{"$nin":[1]}}`, `{"a":[1,5]}`, no},

		{"$exists", `{"a":{"$exists":true}}`, `{"a":null}`, yes},
		{"$exists of missing", `{"a":{"$exists":true}}`, `{}`, no},
		{"$exists of an empty array", `{"a":{"$exists":true}}`, `{"a":[]}`, yes},
		{"not $exists", `{"a":{"$exists":false}}`, `{}`, yes},
		{"not $exists of null", `{"a":{"$exists":false}}`, `{"a":null}`, no},
		{"$exists as a number", `{"a":{"$exists":1}}`, `{"a":1}`, yes},
		{"not $exists as a number", `{"a":{"$exists":0}}`, `{"a":1}`, no},
		{"$exists in one of the elements", `{"a.b":{"$exists":true}}`, `{"a":[{"c":1},{"b":1}]}`, yes},
		{"not $exists below an empty array", `{"a.b":{"$exists":false}}`, `{"a":[]}`, yes},

		{"$and", `{"$and":[{"a":1},{"b":2}]}`, `{"a":1,"b":2}`, yes},
		{"$and of one that fails", `{"$and":[{"a":1},{"b":2}]}`, `{"a":1,"b":3}`, no},
		{"$and with one path twice", `{"$and":[{"a":1},{"a":2}]}`, `{"a":[1,2]}`, yes},
		{"$or", `{"$or":[{"a":1},{"b":2}]}`, `{"b":2}`, yes},
		{"$or of none", `{"$or":[{"a":1},{"b":2}]}`, `{"a":2,"b":1}`, no},
		{"$or beside a path", `{"c":3,"$or":[{"a":1},{"b":2}]}`, `{"a":1}`, no},
		{"$or with an empty filter", `{"$or":[{"a":1},{}]}`, `{}`, yes},
		{"$or in $and", `{"$and":[{"$or":[{"a":1},{"a":2}]},{"b":1}]}`, `{"a":2,"b":1}`, yes},
		{"an operator name, escaped", `{"a":{"\u0024gt":1}}`, `{"a":2}`, yes},
	} {
		if got := filter(t, c.filter).Match(doc(t, c.doc)); got != c.want {
			t.Errorf("%s: %s on %s = %v; want %v", c.name, c.filter, c.doc, got, c.want)
		}
	}
}

func TestNilFilterMatchesAll(t *testing.T) {
	var f *query.Filter
	if _, ok := f.ID(); !f.Match(doc(t, `{"a":1}`)) || ok {
		t.Error("a nil filter matches everything and names no _id")
	}
	if got := filter(t, ` { } `); got != nil {
		t.Error("an empty filter is nil, so that counting need not look at documents")
	}
}

func TestParseFilterRefuses(t *testing.T) {
	list := func(n int, part string) string { return strings.TrimSuffix(strings.Repeat(part+",", n), ",") }
	nested := func(n int) string {
		return strings.Repeat(`{"$and":[`, n) + `{"a":1}` + strings.Repeat(`]}`, n)
	}
	for _, c := range []struct {
		name, text, want string // want "" is no error, "!" in front is disallowed
	}{
		{"no JSON", `{"a":`, `query is not JSON at byte 5: unexpected end of text where a value should be`},
		{"a member twice", `{"a":1,"a":2}`, `query is refused at byte 7: a second member named "a"`},
		{"an array", `[]`, `query at byte 0: a query must be an object, found array`},
		{"a text", ` "a"`, `query at byte 1: a query must be an object, found string`},
		{"null", `null`, `query at byte 0: a query must be an object, found null`},
		{"an unknown operator", `{"a":{"$foo":1}}`, `query at byte 6: unknown operator "$foo"`},
		{"an unknown operator at the top", `{"$foo":1}`, `query at byte 1: unknown operator "$foo"`},
		{"another case", `{"a":{"$GT":1}}`, `query at byte 6: unknown operator "$GT"`},
		{"$where", `{"$where":"1"}`, `!query at byte 1: the operator $where is not allowed`},
		{"$where, escaped", `{"\u0024where":"1"}`, `!query at byte 1: the operator $where is not allowed`},
		{"$where on a path", `{"a":{"$where":"1"}}`, `!query at byte 6: the operator $where is not allowed`},
		{"$where inside $or", `{"$or":[{"a":1},{"$where":"1"}]}`, `!query at byte 17: the operator $where is not allowed`},
		{"$function", `{"$expr":{"$function":{}}}`, `!query at byte 1: the operator $expr is not allowed`},
		{"$gt without a path", `{"$gt":1}`, `query at byte 1: $gt needs a path before it`},
		{"$or on a path", `{"a":{"$or":[{"b":1}]}}`, `query at byte 6: $or cannot follow a path`},
		{"an operator and a name", `{"a":{"$gt":1,"b":2}}`, `query at byte 14: "b" stands among operators`},
		{"a very long name in the message", `{"a":{"$gt":1,"` + strings.Repeat("b", 1000) + `":2}}`, `query at byte 14: "` + strings.Repeat("b", 40) + `" stands among operators`},
		{"a very long operator in the message", `{"$` + strings.Repeat("b", 1000) + `":2}`, `query at byte 1: unknown operator "$` + strings.Repeat("b", 39) + `"`},
		{"a name and an operator", `{"a":{"b":2,"$gt":1}}`, `query at byte 12: the operator "$gt" stands inside a value`},
		{"an operator in a value", `{"a":{"b":{"$gt":1}}}`, `query at byte 11: the operator "$gt" stands inside a value`},
		{"an operator in $in", `{"a":{"$in":[{"$gt":1}]}}`, `query at byte 14: the operator "$gt" stands inside a value`},
		{"an operator in $ne", `{"a":{"$ne":[[{"$gt":1}]]}}`, `query at byte 15: the operator "$gt" stands inside a value`},
		{"an operator in $lt", `{"a":{"$lt":{"$gt":1}}}`, `query at byte 13: the operator "$gt" stands inside a value`},
		{"$in without an array", `{"a":{"$in":1}}`, `query at byte 12: $in needs an array`},
		{"$nin without an array", `{"a":{"$nin":{"b":1}}}`, `query at byte 13: $nin needs an array`},
		{"$exists of a text", `{"a":{"$exists":"x"}}`, `query at byte 16: $exists needs true or false`},
		{"$and without an array", `{"$and":{"a":1}}`, `query at byte 8: $and needs an array of filters`},
		{"$or of nothing", `{"$or":[]}`, `query at byte 7: $or needs at least one filter`},
		{"$or of numbers", `{"$or":[1]}`, `query at byte 8: $or needs an array of filters, found number in it`},
		{"a dollar in a path", `{"a.$b":1}`, `query at byte 1: the path has a step that starts with '$'`},
		{"a path as long as allowed", `{"` + strings.Repeat("a.", 31) + `a":1}`, ``},
		{"a path too long", `{"` + strings.Repeat("a.", 32) + `a":1}`, `query at byte 1: the path has more than 32 steps`},
		{"indexes as many as allowed", `{"a` + strings.Repeat(".0", 8) + `":1}`, ``},
		{"too many indexes", `{"a` + strings.Repeat(".0", 9) + `":1}`, `query at byte 1: the path has more than 8 steps that are numbers`},
		{"as deep as allowed", nested(7), ``},
		{"too deep", nested(8), `query at byte 72: filters nested more than 8 deep`},
		{"as many conditions as allowed", `{"$or":[` + list(63, `{"a":1}`) + `]}`, ``},
		{"too many conditions", `{"$or":[` + list(64, `{"a":1}`) + `]}`, `query at byte 513: more than 64 conditions`},
		{"too many empty filters", `{"$or":[` + list(64, `{}`) + `]}`, `query at byte 197: more than 64 conditions`},
		{"as many values as allowed", `{"a":{"$in":[` + list(10_000, `1`) + `]}}`, ``},
		{"too many values", `{"a":{"$nin":[` + list(10_001, `1`) + `]}}`, `query at byte 20014: $nin has more than 10000 values`},
		{"a NUL in a name", `{"a\u0000":1}`, `query is refused at byte 1: a member's name that holds U+0000`},
		{"half a surrogate pair", `{"a":"\ud800"}`, `query is refused at byte 6: an escape of half a surrogate pair`},
	} {
		f, err := query.ParseFilter([]byte(c.text))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: ParseFilter(%.60s) = %v; want no error", c.name, c.text, err)
			}
			continue
		}
		var e *query.Error
		if !errors.As(err, &e) || f != nil {
			t.Errorf("%s: ParseFilter(%.60s) = %v, %v; want a *query.Error and no filter", c.name, c.text, f, err)
			continue
		}
		want, disallowed := strings.CutPrefix(c.want, "!")
		if e.Error() != want || e.Disallowed != disallowed {
			t.Errorf("%s: ParseFilter(%.60s) = %q, disallowed %v; want %q, %v", c.name, c.text, e, e.Disallowed, want, disallowed)
		}
	}
}

func TestFilterKeepsNothingOfItsText(t *testing.T) {
	text := []byte(`{"abc":"xyz","n":{"$in":["one","two"]}}`)
	f, err := query.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		text[i] = '#'
	}
	if !f.Match(doc(t, `{"abc":"xyz","n":"two"}`)) {
		t.Error("the filter changed with the text it was parsed from")
	}
}

func TestID(t *testing.T) {
	for text, want := range map[string]string{
		`{"_id":"x"}`:                             "x",
		`{"a":1,"_id":"x\u0079"}`:                 "xy",
		`{"_id":{"$eq":"x"}}`:                     "x",
		`{"_id":{"$exists":true,"$eq":"x"}}`:      "x",
		`{"_id":"x","$or":[{"_id":"y"},{"b":1}]}`: "x",
		`{"_id":{"$ne":"x"}}`:                     "",
		`{"_id":{"$gte":"x"}}`:                    "",
		`{"_id":{"$in":["x","y"]}}`:               "",
		`{"_id":{"$nin":["x"]}}`:                  "",
		`{"_id":1}`:                               "",
		`{"_id":null}`:                            "",
		`{"_id.x":"x"}`:                           "",
		`{"a._id":"x"}`:                           "",
		`{"$or":[{"_id":"x"},{"a":1}]}`:           "",
		`{"$or":[{"_id":"x"}]}`:                   "",
		`{"a":1}`:                                 "",
	} {
		id, ok := filter(t, text).ID()
		if id != want || ok != (want != "") {
			t.Errorf("ParseFilter(%s).ID() = %q, %v; want %q", text, id, ok, want)
		}
	}
}

// A document made so that a path can be walked in very many ways must not cost
// more than the bound on indexes allows.
func TestPathsThroughNestedIndexesAreBounded(t *testing.T) {
	inner := `1`
	for range 14 {
		inner = `[{"0":` + inner + `}]`
	}
	d := doc(t, `{"a":`+inner+`}`)
	if _, err := query.ParseFilter(fmt.Appendf(nil, `{"a%s":2}`, strings.Repeat(".0", 28))); err == nil {
		t.Error("a path with 28 indexes is accepted: 2^14 ways and more")
	}
	if !filter(t, `{"a.0.0.0.0.0.0.0.0":{"$exists":true}}`).Match(d) {
		t.Error("the path with 8 indexes finds nothing")
	}
}

package query_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

func sortOf(t testing.TB, text string) query.Sort {
	t.Helper()
	s, err := query.ParseSort([]byte(text))
	if err != nil {
		t.Fatalf("ParseSort(%s) = %v", text, err)
	}
	return s
}

// order is the sequence of values that doc.go describes, one a row; those in
// one row are equal.
var order = [][]string{
	{`null`, ``}, // nothing is a missing member
	{`-1e400`},
	{`-1`, `-1.0`},
	{`0`, `-0`},
	{`9007199254740992`},
	{`9007199254740993`, `9007199254740993.0`},
	{`1e400`},
	{`""`},
	{`"A"`},
	{`"a"`, `"\u0061"`},
	{`"aa"`},
	{`"é"`, `"\u00e9"`},
	{"\"\uFFFD\""},
	{"\"\U0001F600\"", `"\uD83D\uDE00"`}, // by UTF-8 bytes, not by UTF-16
	{`{}`},
	{`{"x":null}`},
	{`{"x":1}`, `{"x":1e0}`},
	{`{"x":1,"y":1}`},
	{`{"x":2}`},
	{`{"y":1}`},   // by name before value
	{`{"a":"1"}`}, // by kind before name
	{`[]`},
	{`[null]`},
	{`[1]`},
	{`[1,1]`},
	{`[2]`},
	{`["a"]`},
	{`[{}]`},
	{`[[]]`},
	{`[false]`},
	{`false`},
	{`true`},
}

func TestSortOrdersTheKinds(t *testing.T) {
	up, down := sortOf(t, `{"v":1}`), sortOf(t, `{"v":-1}`)
	with := func(v string) document.Value {
		if v == "" {
			return doc(t, `{}`)
		}
		return doc(t, `{"v":[`+v+`]}`) // in an array of its own, so that an array counts as one value
	}
	for i, row := range order {
		for k, other := range order {
			for _, a := range row {
				for _, b := range other {
					got, back := up.Compare(with(a), with(b)), down.Compare(with(a), with(b))
					if sign(got) != sign(i-k) || sign(back) != sign(k-i) {
						t.Errorf("Compare(%s, %s) = %d, descending %d; want %d", a, b, got, back, sign(i-k))
					}
				}
			}
		}
	}
}

func sign(n int) int { return max(min(n, 1), -1) }

func TestParseSort(t *testing.T) {
	// In natural order; want is the order of the members n.
	docs := []document.Value{
		doc(t, `{"n":"1","a":2,"b":{"c":1}}`), doc(t, `{"n":"2","a":1,"b":{"c":2}}`),
		doc(t, `{"n":"3","b":{"c":1}}`), doc(t, `{"n":"4","a":2,"b":{"c":0}}`),
	}
	for _, c := range []struct {
		text, want string // an error when want starts with "sort"
	}{
		{``, "1234"}, {`  `, "1234"}, {`{}`, "1234"}, {` {} `, "1234"},
		{`{"a":1}`, "3214"}, {`{"a":-1}`, "1423"},
		{`{"a":1.0}`, "3214"}, {`{"a":"1"}`, "3214"}, {`{"a":true}`, "3214"}, {`{"a":"-1"}`, "1423"}, {`{"a":-1e0}`, "1423"},
		{`a`, "3214"}, {` a `, "3214"}, {`b.c`, "4132"}, {`{"b.c":-1}`, "2134"},
		{`{"a":1,"b.c":1}`, "3241"}, {`{"b.c":1,"a":1}`, "4312"}, {`{"b.c":1,"a":-1}`, "4132"},
		{`nothing`, "1234"},
		{`{"a":2}`, `sort at byte 1: the direction of "a" is neither 1 nor -1`},
		{`{"a":0}`, `sort at byte 1: the direction of "a" is neither 1 nor -1`},
		{`{"a":1,"b":false}`, `sort at byte 7: the direction of "b" is neither 1 nor -1`},
		{`{"a":null}`, `sort at byte 1: the direction of "a" is neither 1 nor -1`},
		{`{"a":{"$meta":"textScore"}}`, `sort at byte 1: the direction of "a" is neither 1 nor -1`},
		{`{"a":"asc"}`, `sort at byte 1: the direction of "a" is neither 1 nor -1`},
		{`{"a":1`, `sort is not JSON at byte 6: unexpected end of text where ',' or '}' should be`},
		{`{"a":1,"a":-1}`, `sort is refused at byte 7: a second member named "a"`},
		{`{"$natural":1}`, `sort at byte 1: the path has a step that starts with '$'`},
		{`$natural`, `sort: the path has a step that starts with '$'`},
		{`"a"`, `sort is neither an object nor the name of a field`},
		{`[["a",1]]`, `sort is neither an object nor the name of a field`},
		{"a\x00", `sort is neither an object nor the name of a field`},
		{"a\xff", `sort is neither an object nor the name of a field`},
		{`{` + strings.TrimSuffix(strings.Repeat(`"x`, 33), `"x`) + `":1}`, `sort is not JSON at byte 4: unexpected 'x' where ':' should be`},
		{manyKeys(33), `sort at byte 225: more than 32 keys`},
	} {
		s, err := query.ParseSort([]byte(c.text))
		if strings.HasPrefix(c.want, "sort") {
			var e *query.Error
			if !errors.As(err, &e) || e.Error() != c.want || e.Disallowed || !s.None() {
				t.Errorf("ParseSort(%.60s) = %v; want %s", c.text, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("ParseSort(%s) = %v", c.text, err)
			continue
		}
		if want := c.want == "1234" && c.text != "nothing"; s.None() != want {
			t.Errorf("ParseSort(%s).None() = %v; want %v", c.text, s.None(), want)
		}
		sorted := slices.Clone(docs)
		slices.SortStableFunc(sorted, s.Compare)
		got := ""
		for _, d := range sorted {
			got += d.Get("n").Text()
		}
		if got != c.want {
			t.Errorf("sorted by %s: %s; want %s", c.text, got, c.want)
		}
	}
}

func manyKeys(n int) string {
	var keys []string
	for i := range n {
		keys = append(keys, `"`+string(rune('a'+i/10))+string(rune('0'+i%10))+`":1`)
	}
	return "{" + strings.Join(keys, ",") + "}"
}

func TestSortThroughArrays(t *testing.T) {
	for _, c := range []struct {
		name, sort, doc, like string // sorts like {"k":like}
	}{
		{"ascending the least counts", `{"a.b":1}`, `{"a":[{"b":5},{"b":3}]}`, `3`},
		{"descending the greatest counts", `{"a.b":-1}`, `{"a":[{"b":3},{"b":5}]}`, `5`},
		{"an element without it is null", `{"a.b":1}`, `{"a":[{"b":5},{"c":3}]}`, `null`},
		{"an element that has no members is null", `{"a.b":1}`, `{"a":[{"b":5},3]}`, `null`},
		{"but not beside an index", `{"a.1":1}`, `{"a":[3,5,4]}`, `5`},
		{"an index", `{"a.1":1}`, `{"a":[5,3]}`, `3`},
		{"the least element of an array at the end", `{"a":1}`, `{"a":[5,3]}`, `3`},
		{"the greatest element of an array at the end", `{"a":-1}`, `{"a":[3,5]}`, `5`},
		{"by kind first", `{"a":1}`, `{"a":["a",7]}`, `7`},
		{"an array in an array counts as a whole", `{"a":-1}`, `{"a":[[5,3],2]}`, `[[5,3]]`},
		{"an array at the end, through an array", `{"a.b":1}`, `{"a":[{"b":[5,3]},{"b":4}]}`, `3`},
		{"an array behind an index", `{"a.0":1}`, `{"a":[[5,3],1]}`, `3`},
		{"an empty array at the end, through an array", `{"a.b":1}`, `{"a":[{"b":[]},{"b":null}]}`, `[]`},
		{"an empty array reaches nothing", `{"a.b":1}`, `{"a":[]}`, `null`},
		{"a path that ends early reaches nothing", `{"a.b":1}`, `{"a":7}`, `null`},
	} {
		s := sortOf(t, c.sort)
		key := strings.TrimSuffix(strings.TrimPrefix(strings.Split(c.sort, ":")[0], `{"`), `"`)
		like := c.like
		for _, name := range slices.Backward(strings.Split(key, ".")) {
			like = `{"` + name + `":` + like + `}`
		}
		if got := s.Compare(doc(t, c.doc), doc(t, like)); got != 0 {
			t.Errorf("%s: by %s, Compare(%s, %s) = %d; want 0", c.name, c.sort, c.doc, like, got)
		}
	}
}

func TestSortIsATotalOrder(t *testing.T) {
	r := newRand(t)
	s := sortOf(t, `{"v":1}`)
	rounds := 60_000
	if testing.Short() {
		rounds = 5_000
	}
	for range rounds {
		x, y, z := randomValue(r, 3), randomValue(r, 3), randomValue(r, 3)
		a, b, c := doc(t, `{"v":[`+x+`]}`), doc(t, `{"v":[`+y+`]}`), doc(t, `{"v":[`+z+`]}`)
		ab, ba, bc, ac := sign(s.Compare(a, b)), sign(s.Compare(b, a)), sign(s.Compare(b, c)), sign(s.Compare(a, c))
		if s.Compare(a, a) != 0 {
			t.Fatalf("%s is not equal to itself", x)
		}
		if ab != -ba {
			t.Fatalf("Compare(%s, %s) = %d but reversed %d", x, y, ab, ba)
		}
		if ab <= 0 && bc <= 0 && ac > 0 || ab >= 0 && bc >= 0 && ac < 0 {
			t.Fatalf("not transitive: %s, %s, %s", x, y, z)
		}
		if want := sign(naiveCompare(decode(x), decode(y))); ab != want {
			t.Fatalf("Compare(%s, %s) = %d; want %d", x, y, ab, want)
		}
		if equal := document.Equal(a.Get("v"), b.Get("v")); equal != (ab == 0) {
			t.Fatalf("Equal(%s, %s) = %v but Compare %d", x, y, equal, ab)
		}
	}
}

func TestSortPutsEmptyArraysFirst(t *testing.T) {
	up, down := sortOf(t, `a`), sortOf(t, `{"a":-1}`)
	for _, other := range []string{`{}`, `{"a":null}`, `{"a":-1}`, `{"a":[null]}`, `{"a":[[]]}`} {
		empty, d := doc(t, `{"a":[]}`), doc(t, other)
		if up.Compare(empty, d) >= 0 || up.Compare(d, empty) <= 0 || down.Compare(empty, d) <= 0 {
			t.Errorf("an empty array does not come before %s ascending, behind it descending", other)
		}
	}
}

// naiveSortValues lists the values by which a sort may order what a path leads to.
func naiveSortValues(v any, path []string) (values []any) {
	array, isArray := v.([]any)
	switch {
	case isArray && len(path) == 0 && len(array) == 0:
		return []any{empty{}}
	case isArray && len(path) == 0:
		return array
	case len(path) == 0:
		return []any{v}
	case !isArray:
		o, _ := v.(object)
		return naiveSortValues(o.get(path[0]), path[1:])
	}
	if len(array) == 0 {
		return []any{missing{}}
	}
	named := false
	for i := range array {
		named = named || strconv.Itoa(i) == path[0]
	}
	for i, e := range array {
		_, isObject := e.(object)
		if isObject {
			values = append(values, naiveSortValues(e, path)...)
		}
		if strconv.Itoa(i) == path[0] {
			values = append(values, naiveSortValues(e, path[1:])...)
		}
		if !isObject && !named {
			values = append(values, missing{})
		}
	}
	return values
}

// naiveKey is the value that a key of a sort orders a document by.
func naiveKey(d object, path string, descending bool) any {
	values := naiveSortValues(d, strings.Split(path, "."))
	if len(values) == 0 {
		return missing{}
	}
	if descending {
		return slices.MaxFunc(values, naiveCompareKeys)
	}
	return slices.MinFunc(values, naiveCompareKeys)
}

// empty stands for an array without elements.
type empty struct{}

func naiveCompareKeys(a, b any) int {
	_, x := a.(empty)
	_, y := b.(empty)
	switch {
	case x && y:
		return 0
	case x:
		return -1
	case y:
		return 1
	}
	return naiveCompare(a, b)
}

func naiveSort(docs []string, keys []string, descending []bool) {
	slices.SortStableFunc(docs, func(a, b string) int {
		x, y := decode(a).(object), decode(b).(object)
		for i, key := range keys {
			c := naiveCompareKeys(naiveKey(x, key, descending[i]), naiveKey(y, key, descending[i]))
			if descending[i] {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

func randomSort(r *rand.Rand) (text string, keys []string, descending []bool) {
	var parts []string
	for range r.IntN(4) {
		key := randomPath(r)
		if slices.Contains(keys, key) {
			continue
		}
		down := r.IntN(2) == 0
		keys, descending = append(keys, key), append(descending, down)
		direction := pick(r, `1`, `"1"`, `true`, `1.0`)
		if down {
			direction = pick(r, `-1`, `"-1"`)
		}
		parts = append(parts, `"`+key+`":`+direction)
	}
	return "{" + strings.Join(parts, ",") + "}", keys, descending
}

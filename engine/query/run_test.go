package query_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

// A list is a Source over documents in memory that counts what is read.
type list struct {
	docs []document.Value
	read int
}

func (l *list) Next() (document.Value, bool) {
	if len(l.docs) == 0 {
		return document.Value{}, false
	}
	d := l.docs[0]
	l.docs = l.docs[1:]
	l.read++
	return d, true
}

func (l *list) Skip(n int) int {
	n = min(n, len(l.docs))
	l.docs = l.docs[n:]
	return n
}

func (l *list) Count() int { return len(l.docs) }

func source(t testing.TB, texts []string) *list {
	l := new(list)
	for _, text := range texts {
		l.docs = append(l.docs, doc(t, text))
	}
	return l
}

func run(t testing.TB, q *query.Query, src query.Source) []string {
	t.Helper()
	got := []string{}
	if err := query.Run(q, src, func(d document.Value) error {
		got = append(got, string(d.Raw()))
		return nil
	}); err != nil {
		t.Fatalf("Run = %v", err)
	}
	return got
}

func TestRunAgreesWithSortingEverything(t *testing.T) {
	r := newRand(t)
	rounds := 1_500
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		var docs []string
		for range r.IntN(40) {
			docs = append(docs, strings.Trim(randomObject(r, 3), " "))
		}
		filterText := ""
		if r.IntN(2) == 0 {
			filterText = randomFilter(r, 1)
		}
		sortText, keys, descending := randomSort(r)
		q := &query.Query{Filter: filter(t, filterText), Sort: sortOf(t, sortText)}
		if r.IntN(3) > 0 {
			q.Page.Skip = r.IntN(12) - 1
		}
		if r.IntN(3) > 0 {
			q.Page.Limit = r.IntN(12)
		}

		want := []string{}
		for _, d := range docs {
			if filterText == "" || naiveMatch(decode(filterText).(object), decode(d).(object)) {
				want = append(want, d)
			}
		}
		if got, err := query.Count(q, source(t, docs)); got != len(want) || err != nil {
			t.Fatalf("Count of %s = %d, %v; want %d", filterText, got, err, len(want))
		}
		naiveSort(want, keys, descending)
		want = want[min(max(q.Page.Skip, 0), len(want)):]
		if q.Page.Limit > 0 {
			want = want[:min(q.Page.Limit, len(want))]
		}
		if got := run(t, q, source(t, docs)); !slices.Equal(got, want) {
			t.Fatalf("filter %s, sort %s, page %+v over\n%s\ngives\n%s\nwant\n%s", filterText, sortText, q.Page,
				strings.Join(docs, "\n"), strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestRunReadsNoFurtherThanThePage(t *testing.T) {
	docs := []string{`{"a":1}`, `{"a":2}`, `{"a":1}`, `{"a":1}`, `{"a":1}`}
	for _, c := range []struct {
		filter string
		page   query.Page
		read   int
	}{
		{``, query.Page{Limit: 2}, 2},
		{``, query.Page{Skip: 3, Limit: 1}, 1}, // what is skipped is not looked at
		{``, query.Page{Skip: 3}, 2},
		{`{"a":1}`, query.Page{Limit: 2}, 3},
		{`{"a":1}`, query.Page{Skip: 1, Limit: 1}, 3},
		{``, query.Page{}, 5},
		{``, query.Page{Skip: 9}, 0},
		{``, query.Page{Skip: -1, Limit: -1}, 5},
	} {
		src := source(t, docs)
		run(t, &query.Query{Filter: filter(t, c.filter), Page: c.page}, src)
		if src.read != c.read {
			t.Errorf("filter %q, page %+v: %d documents read; want %d", c.filter, c.page, src.read, c.read)
		}
	}
}

func TestRunWithTheLargestNumbers(t *testing.T) {
	docs := []string{`{"a":2}`, `{"a":1}`}
	for _, c := range []struct {
		page query.Page
		want int
	}{
		{query.Page{Skip: math.MaxInt, Limit: math.MaxInt}, 0},
		{query.Page{Skip: 1, Limit: math.MaxInt}, 1},
		{query.Page{Skip: math.MaxInt, Limit: 1}, 0},
		{query.Page{Limit: math.MaxInt}, 2},
	} {
		for _, s := range []string{``, `a`} {
			if got := run(t, &query.Query{Sort: sortOf(t, s), Page: c.page}, source(t, docs)); len(got) != c.want {
				t.Errorf("sort %q, page %+v: %d documents; want %d", s, c.page, len(got), c.want)
			}
		}
	}
}

func TestRunEndsWithTheErrorOfEmit(t *testing.T) {
	stop := errors.New("stop")
	for _, s := range []string{``, `a`} {
		n := 0
		err := query.Run(&query.Query{Sort: sortOf(t, s)}, source(t, []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}), func(document.Value) error {
			if n++; n == 2 {
				return stop
			}
			return nil
		})
		if err != stop || n != 2 {
			t.Errorf("sort %q: Run = %v after %d documents; want %v after 2", s, err, n, stop)
		}
	}
}

func TestCount(t *testing.T) {
	src := source(t, []string{`{"a":1}`, `{"a":2}`, `{"a":1}`})
	q := &query.Query{Sort: sortOf(t, `a`), Page: query.Page{Skip: 1, Limit: 1}}
	if n, _ := query.Count(q, src); n != 3 || src.read != 0 {
		t.Errorf("Count without a filter = %d after reading %d; want 3 after 0", n, src.read)
	}
	q.Filter = filter(t, `{"a":1}`)
	if n, _ := query.Count(q, src); n != 2 {
		t.Errorf("Count = %d; want 2", n)
	}
}

func TestFields(t *testing.T) {
	const d = `{"z":1,"_id":"i","a":{"b":1,"c":{"d":2,"e":[3]}},"l":[{"x":1,"y":2},5,[{"x":3},6],{"y":4}],"_acl":{"creator":"u","r":[]},"\u0071":"v","_kmd":{"lmt":"t"}}`
	for _, c := range []struct{ fields, want string }{
		{``, d},
		{` , `, d},
		{`z`, `{"z":1,"_id":"i","_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`nothing`, `{"_id":"i","_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`a`, `{"_id":"i","a":{"b":1,"c":{"d":2,"e":[3]}},"_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`a.b`, `{"_id":"i","a":{"b":1},"_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`a.b,a.c.e, z `, `{"z":1,"_id":"i","a":{"b":1,"c":{"e":[3]}},"_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`a.c.d,a`, `{"_id":"i","a":{"b":1,"c":{"d":2,"e":[3]}},"_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`a,a.c.d`, `{"_id":"i","a":{"b":1,"c":{"d":2,"e":[3]}},"_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`a.nothing`, `{"_id":"i","a":{},"_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`z.b`, `{"_id":"i","_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`l.x`, `{"_id":"i","l":[{"x":1},[{"x":3}],{}],"_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
		{`_acl.r,q`, `{"_id":"i","_acl":{"creator":"u","r":[]},"\u0071":"v","_kmd":{"lmt":"t"}}`},
		{`_kmd`, `{"_id":"i","_acl":{"creator":"u","r":[]},"_kmd":{"lmt":"t"}}`},
	} {
		got := string(query.ParseFields(c.fields).Append([]byte("x"), doc(t, d)))
		if got != "x"+c.want {
			t.Errorf("fields %q:\n%s; want\nx%s", c.fields, got, c.want)
		}
		doc(t, got[1:])
	}
}

func TestFieldsOfVeryLongText(t *testing.T) {
	f := query.ParseFields(strings.Repeat("a.", 1<<17) + "," + strings.Repeat("b,", 1<<17))
	if got := string(f.Append(nil, doc(t, `{"a":{"a":{"b":1}},"b":2,"c":3}`))); got != `{"a":{"a":{}},"b":2}` {
		t.Errorf("Append = %s", got)
	}
}

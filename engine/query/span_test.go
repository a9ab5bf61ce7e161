package query_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

// boundFilter returns a filter that bounds a path, among other conditions.
func boundFilter(r *rand.Rand, path string) string {
	var parts []string
	for range 1 + r.IntN(2) {
		value := wildScalar(r)
		if r.IntN(6) == 0 {
			value = wildValue(r, 2)
		}
		on := value
		switch r.IntN(8) {
		case 0:
			on = `{"$in":[` + value + `]}`
		case 1:
			on = `{"$in":[` + value + `,` + wildScalar(r) + `]}`
		case 2, 3, 4, 5:
			on = fmt.Sprintf(`{%q:%s}`, pick(r, "$gt", "$gte", "$lt", "$lte"), value)
			if r.IntN(2) == 0 {
				on = fmt.Sprintf(`{%q:%s,%q:%s}`, pick(r, "$gt", "$gte"), value, pick(r, "$lt", "$lte", "$ne", "$eq"), wildScalar(r))
			}
		case 6:
			on = pick(r, `{"$in":[]}`, `{"$exists":true}`, `{"$exists":false}`, `{"$not":{"$gt":1}}`, `null`, `{"$gte":null}`, `{"$gt":null}`, `{"$lt":true}`, `{"$gte":false}`)
		}
		part := fmt.Sprintf(`{%q:%s}`, path, on)
		switch r.IntN(8) {
		case 0:
			part = randomFilter(r, 1)
		case 1:
			part = fmt.Sprintf(`{%q:[%s]}`, pick(r, "$or", "$nor", "$and"), part)
		case 2:
			part = fmt.Sprintf(`{"$and":[{},%s,{%q:%s}]}`, part, randomPath(r), wildScalar(r))
		}
		parts = append(parts, part)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return `{"$and":[` + strings.Join(parts, ",") + `]}`
}

// wildAt returns a document with something at a path.
func wildAt(r *rand.Rand, path string) string {
	d := wildScalar(r)
	if r.IntN(6) == 0 {
		d = wildValue(r, 2)
	}
	for _, name := range slices.Backward(strings.Split(path, ".")) {
		more := ""
		if r.IntN(2) == 0 {
			more = `,"d":1`
		}
		d = fmt.Sprintf(`{%q:%s%s}`, name, d, more)
	}
	return d
}

// nearby returns documents that a filter's own values are in, so that bounds are
// met exactly.
func nearby(r *rand.Rand, filter, path string) (docs []string) {
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case object:
			for _, m := range v {
				collect(m.value)
			}
		case []any:
			for _, e := range v {
				collect(e)
			}
		default:
			text := fmt.Sprint(v)
			if s, ok := v.(string); ok {
				text = string(document.AppendQuote(nil, s))
			} else if v == nil {
				text = "null"
			}
			for _, name := range slices.Backward(strings.Split(path, ".")) {
				text = fmt.Sprintf(`{%q:%s}`, name, text)
			}
			docs = append(docs, text)
		}
	}
	collect(decode(filter))
	r.Shuffle(len(docs), func(i, k int) { docs[i], docs[k] = docs[k], docs[i] })
	return docs[:min(len(docs), 6)]
}

// checkDecided demands that what Span and Equalities take out of a filter and
// what they leave of it say together what the filter says of a document.
func checkDecided(t *testing.T, text string, f *query.Filter, s query.Sort, d document.Value) {
	t.Helper()
	want := f.Match(d)
	span, rest, ok := f.Span(s)
	if !ok && (rest != f || span.From != nil || span.To != nil) {
		t.Fatalf("%s by %s: span %x to %x without a bound; want everything, and the filter left", text, s.Name(), span.From, span.To)
	}
	spans, left, several := f.Spans(s)
	if several != ok && !strings.Contains(text, "$in") {
		t.Fatalf("%s by %s: Spans finds a bound is %v, Span %v", text, s.Name(), several, ok)
	}
	if s.LeadsPlainly(d) {
		key := s.AppendKey(nil, d)
		at := 0
		for _, one := range spans {
			if one.Contains(key) {
				at++
			}
		}
		if !several {
			at = 1
		}
		if at > 1 || (at == 1 && left.Match(d)) != want {
			t.Fatalf("%s by %s on %s: in %d of the spans %x, the rest %v; want %v together", text, s.Name(), d.Raw(), at, spans, left.Match(d), want)
		}
		in := span.Contains(key)
		if (in && rest.Match(d)) != want {
			t.Fatalf("%s by %s on %s: span %x to %x, key %x in it %v, rest %v; want %v together",
				text, s.Name(), d.Raw(), span.From, span.To, key, in, rest.Match(d), want)
		}
		if in && span.Empty() {
			t.Fatalf("%s by %s: the empty span %x to %x contains the key %x", text, s.Name(), span.From, span.To, key)
		}
	}
	for _, e := range f.Equalities() {
		field, err := query.ParseField(e.Path)
		if err != nil {
			t.Fatalf("ParseField(%s) = %v", e.Path, err)
		}
		left := f.Without(e).Match(d)
		if want && !left {
			t.Fatalf("%s on %s without %s = %x is false; want true", text, d.Raw(), e.Path, e.Key)
		}
		if meets := bytes.Equal(field.AppendKey(nil, d), e.Key); field.Plain(d) && (meets && left) != want {
			t.Fatalf("%s on %s: %s = %x is %v, the rest %v; want %v together", text, d.Raw(), e.Path, e.Key, meets, left, want)
		}
	}
}

func TestSpanAndEqualitiesDecideWhatTheFilterDoes(t *testing.T) {
	r := newRand(t)
	filters := 20_000
	if testing.Short() {
		filters = 2_000
	}
	seen := map[string]int{}
	for range filters {
		sortText, keys, _ := randomSort(r)
		for len(keys) == 0 {
			sortText, keys, _ = randomSort(r)
		}
		s := sortOf(t, sortText)
		text := boundFilter(r, keys[0])
		f := filter(t, text)
		docs := nearby(r, text, keys[0])
		for range 6 {
			docs = append(docs, wildAt(r, keys[0]))
		}
		docs = append(docs, wildObject(r, 3))
		span, rest, ok := f.Span(s)
		spans, _, _ := f.Spans(s)
		count := func(name string, is bool) {
			if is {
				seen[name]++
			}
		}
		for _, text2 := range docs {
			d := doc(t, text2)
			checkDecided(t, text, f, s, d)
			matched := f.Match(d)
			count("matches", matched)
			count("plain documents", s.Plain(d))
			count("others", !s.Plain(d))
			count("keys inside", ok && span.Contains(s.AppendKey(nil, d)))
			count("keys inside that do not match", ok && span.Contains(s.AppendKey(nil, d)) && !matched)
		}
		count("spans", ok)
		count("spans that decide all", ok && rest == nil)
		count("empty spans", span.Empty())
		count("equalities", len(f.Equalities()) > 0)
		count("several spans", len(spans) > 1)
		count("pointed", len(f.Pointed(query.Sort{})) > 0)
	}
	t.Logf("%d filters: %v", filters, seen)
	for _, name := range []string{"matches", "plain documents", "others", "keys inside", "keys inside that do not match", "spans", "spans that decide all", "empty spans", "equalities", "several spans", "pointed"} {
		if seen[name] < filters/50 {
			t.Errorf("%s: %d of %d filters: the test looks at one side only", name, seen[name], filters)
		}
	}
}

func TestSpan(t *testing.T) {
	// in lists the values of docs whose keys are in the span.
	docs := []string{``, `null`, `-1`, `3`, `4`, `5`, `6`, `1e400`, `""`, `"b"`, `"c"`, `{}`, `{"x":1}`, `false`, `true`}
	for _, c := range []struct {
		filter, in string
		decided    bool // nothing is left
	}{
		{`{"a":5}`, `5`, true},
		{`{"a":5.0}`, `5`, true},
		{`{"a":{"$eq":"b"}}`, `"b"`, true},
		{`{"a":null}`, ` null`, true},
		{`{"a":{"$gte":null}}`, ` null`, true},
		{`{"a":{"$gt":null}}`, ``, true},
		{`{"a":{"x":1}}`, `{"x":1}`, true},
		{`{"a":{"$in":["c"]}}`, `"c"`, true},
		{`{"a":{"$in":[]}}`, ``, true},
		{`{"a":{"$gt":4}}`, `5 6 1e400`, true},
		{`{"a":{"$gte":4}}`, `4 5 6 1e400`, true},
		{`{"a":{"$lt":4}}`, `-1 3`, true},
		{`{"a":{"$lte":4}}`, `-1 3 4`, true},
		{`{"a":{"$gt":3,"$lte":5}}`, `4 5`, true},
		{`{"$and":[{"a":{"$gt":3}},{"$and":[{"a":{"$lt":6}},{}]}],"a":{"$ne":4}}`, `4 5`, false},
		{`{"a":{"$gt":5,"$lt":3}}`, ``, true},
		{`{"a":{"$gt":5,"$lt":"x"}}`, ``, true},
		{`{"a":{"$gt":""}}`, `"b" "c"`, true},
		{`{"a":{"$lt":"c"}}`, `"" "b"`, true},
		{`{"a":{"$gte":{}}}`, `{} {"x":1}`, true},
		{`{"a":{"$gt":{}}}`, `{"x":1}`, true},
		{`{"a":{"$gt":false}}`, `true`, true},
		{`{"a":{"$lte":false}}`, `false`, true},
		{`{"a":{"$lt":6,"$gt":3},"b":{"$gt":1}}`, `4 5`, false},
		{`{"a":{"$lt":6,"$not":{"$gt":3}}}`, `-1 3 4 5`, false},
		{`{"a":{"$gte":"","$regex":"^b"}}`, `"" "b" "c"`, false},
	} {
		f := filter(t, c.filter)
		for _, sort := range []string{`{"a":1}`, `{"a":-1}`, `{"a":1,"z":-1}`, `{"a":-1,"z":1}`} {
			s := sortOf(t, sort)
			span, rest, ok := f.Span(s)
			var in []string
			for _, v := range docs {
				text := `{"z":1,"a":` + v + `}`
				if v == "" {
					text = `{"z":"x"}`
				}
				d := doc(t, text)
				if span.Contains(s.AppendKey(nil, d)) {
					in = append(in, v)
				}
			}
			if got := strings.Join(in, " "); !ok || got != c.in || (rest == nil) != c.decided {
				t.Errorf("%s by %s: ok %v, in the span are %s, all decided %v; want %s, %v", c.filter, sort, ok, got, rest == nil, c.in, c.decided)
			}
			if c.in == "" && (!span.Empty() || !bytes.Equal(span.From, span.To)) {
				t.Errorf("%s by %s: the span %x to %x is not empty", c.filter, sort, span.From, span.To)
			}
		}
	}
}

func TestNoSpan(t *testing.T) {
	for _, c := range []struct{ filter, sort string }{
		{``, `a`}, {`{"a":1}`, ``}, {`{"a":1}`, `b`}, {`{"a":1}`, `{"b":1,"a":1}`}, {`{"a.b":1}`, `a`}, {`{"a":1}`, `a.b`},
		{`{"a":{"$ne":1}}`, `a`}, {`{"a":{"$not":{"$gt":1}}}`, `a`}, {`{"a":{"$nin":[1]}}`, `a`}, {`{"a":{"$in":[1,2]}}`, `a`}, {`{"a":{"$exists":true}}`, `a`},
		{`{"a":{"$exists":false}}`, `a`}, {`{"a":{"$all":[1]}}`, `a`}, {`{"a":{"$type":1}}`, `a`}, {`{"a":{"$mod":[2,1]}}`, `a`}, {`{"a":{"$size":1}}`, `a`},
		{`{"a":{"$regex":"^a"}}`, `a`}, {`{"a":{"$elemMatch":{"$gt":1}}}`, `a`}, {`{"$or":[{"a":1}]}`, `a`}, {`{"$nor":[{"a":1}]}`, `a`}, {`{"$or":[{"$and":[{"a":1}]}]}`, `a`},
		{`{"a":{"$near":[1,2]}}`, `a`},
	} {
		f := filter(t, c.filter)
		if span, rest, ok := f.Span(sortOf(t, c.sort)); ok || rest != f || span.From != nil || span.To != nil {
			t.Errorf("%s by %s: span %x to %x, ok %v; want none, and the filter left", c.filter, c.sort, span.From, span.To, ok)
		}
	}
}

func TestRestKeepsTheOtherConditions(t *testing.T) {
	f := filter(t, `{"a":{"$gt":5,"$ne":7},"_id":"x","b":1}`)
	_, rest, _ := f.Span(sortOf(t, `a`))
	for text, want := range map[string]bool{
		`{"_id":"x","b":1}`: true, `{"_id":"x","b":1,"a":3}`: true, `{"_id":"x","b":1,"a":7}`: false, `{"_id":"x","a":8}`: false, `{"_id":"y","b":1}`: false,
	} {
		if got := rest.Match(doc(t, text)); got != want {
			t.Errorf("the rest of a filter without its range on %s = %v; want %v", text, got, want)
		}
	}
	if id, ok := rest.ID(); id != "x" || !ok {
		t.Errorf("the rest asks for the _id %q, %v; want x", id, ok)
	}
	if _, rest, _ = f.Span(sortOf(t, `_id`)); rest.Match(doc(t, `{"a":8,"b":1}`)) == false {
		t.Error("the rest of a filter without its _id still asks for it")
	}
	if id, ok := rest.ID(); ok {
		t.Errorf("the rest of a filter without its _id asks for the _id %q", id)
	}
	if f.Match(doc(t, `{"_id":"x","b":1}`)) || !f.Match(doc(t, `{"_id":"x","b":1,"a":8}`)) {
		t.Error("Span changed the filter")
	}
}

func TestRestKeepsTheOrderOfADistance(t *testing.T) {
	f := filter(t, `{"at":{"$nearSphere":[0,0]},"a":1}`)
	_, rest, ok := f.Span(sortOf(t, `a`))
	var nearest *query.Filter
	for _, e := range f.Equalities() {
		nearest = f.Without(e)
	}
	if !ok || rest == nil || nearest == nil {
		t.Fatalf("span %v, rest %v, without the equality %v", ok, rest, nearest)
	}
	for _, left := range []*query.Filter{rest, nearest} {
		got := ""
		src := &list{docs: []document.Value{doc(t, `{"n":"far","at":[9,9]}`), doc(t, `{"n":"nowhere"}`), doc(t, `{"n":"near","at":[1,1]}`)}}
		err := query.Run(&query.Query{Filter: left}, src, func(d document.Value) error { got += d.Get("n").Text() + " "; return nil })
		if err != nil || got != "near far " {
			t.Errorf("by distance: %s, %v; want near far", got, err)
		}
	}
}

func TestEqualities(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{``, ``}, {`{"a":1}`, `a`}, {`{"a":"x","b.c":true}`, `a b.c`}, {`{"a":{"$eq":1},"b":{"$in":["x"]}}`, `a b`}, {`{"$and":[{"a":1},{"b":2}],"c":3}`, `a b c`},
		{`{"a":null}`, ``}, {`{"a":{}}`, ``}, {`{"a":[1]}`, ``}, {`{"_id":"x"}`, ``}, {`{"_id":"x","_acl.creator":"y"}`, `_acl.creator`}, {`{"a":{"$gt":1}}`, ``},
		{`{"a":{"$in":[1,2]}}`, ``}, {`{"a":{"$in":[]}}`, ``}, {`{"a":{"$ne":1}}`, ``}, {`{"$or":[{"a":1}]}`, ``}, {`{"$nor":[{"a":1}]}`, ``}, {`{"a":{"$not":{"$eq":1}}}`, ``},
		{`{"a":{"$elemMatch":{"b":1}}}`, ``}, {`{"a":{"$eq":1,"$gt":0}}`, `a`},
	} {
		var got []string
		for _, e := range filter(t, c.filter).Equalities() {
			got = append(got, e.Path)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s has equalities on %q; want %q", c.filter, got, c.want)
		}
	}
	f := filter(t, `{"a":1,"b":"x"}`)
	for _, e := range f.Equalities() {
		if f = f.Without(e); f != nil && e.Path == "a" && (!f.Match(doc(t, `{"b":"x"}`)) || f.Match(doc(t, `{"a":1}`))) {
			t.Error("the filter without its equality on a is not the one on b")
		}
	}
	if f != nil {
		t.Error("the filter without all its equalities is not nil")
	}
}

func FuzzSpan(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		text, keys, _ := randomSort(r)
		if len(keys) > 0 {
			f.Add([]byte(boundFilter(r, keys[0])), []byte(text), []byte(wildAt(r, keys[0])))
		}
	}
	f.Fuzz(func(t *testing.T, text, sort, body []byte) {
		parsed, err := query.ParseFilter(text)
		if err != nil {
			return
		}
		s, err := query.ParseSort(sort)
		if err != nil {
			return
		}
		d, err := document.Parse(body, document.Body)
		if err != nil {
			return
		}
		checkDecided(t, string(text), parsed, s, d)
	})
}

func BenchmarkSpan(b *testing.B) {
	f := filter(b, `{"score":{"$gte":1000,"$lt":2000},"cat":"c17"}`)
	s := sortOf(b, `{"score":1}`)
	b.ReportAllocs()
	for b.Loop() {
		f.Span(s)
	}
}

func TestEqualitySort(t *testing.T) {
	for _, c := range []struct{ filter, sort, want string }{
		{`{"a":1}`, ``, "a"},
		{`{"a.b":"x"}`, `{"c":-1,"d":1}`, "a.b,-c,d"},
		{`{"a":1}`, `{"a":-1,"b":1}`, "-a,b"}, // the order that is asked for will do
		{`{"a":1}`, `{"b":1,"a":-1}`, "a,b,-a"},
	} {
		e := filter(t, c.filter).Equalities()
		if s, ok := e[0].Sort(sortOf(t, c.sort)); !ok || s.Name() != c.want {
			t.Errorf("%s by %s: %q %t; want %q", c.filter, c.sort, s.Name(), ok, c.want)
		}
	}
	for text, want := range map[string]string{`{"a":{"$gt":1}}`: "a", `{"x":1,"a.b":{"$lte":1}}`: "a.b", `{"_id":{"$gt":"x"}}`: "", `{"a":1}`: "", `{"$or":[{"a":{"$gt":1}}]}`: ""} {
		if s, ok := filter(t, text).Ranged(); ok != (want != "") || s.Name() != want {
			t.Errorf("the range of %s is of %q, %t; want %q", text, s.Name(), ok, want)
		}
	}
	s := sortOf(t, `a.b`)
	for doc, want := range map[string]bool{`{"a":{"b":1}}`: true, `{"a":{"b":null}}`: false, `{"a":1}`: false, `{}`: false, `{"a":[{"b":1}]}`: true} {
		if s.Leads(document.Trusted([]byte(doc))) != want {
			t.Errorf("%s leads by a.b: want %t", doc, want)
		}
	}
}

// What an $in names is in as many places as it names values; of too many, it is
// anywhere.
func TestSpansOfFewValues(t *testing.T) {
	many := strings.Repeat("1,", 40) + "2" // two values
	var apart []string
	for i := range 17 {
		apart = append(apart, fmt.Sprint(i))
	}
	for _, c := range []struct {
		filter, sort string
		spans        int
		pointed      string
	}{
		{`{"a":{"$in":[1,2,3]}}`, `a`, 3, "a"},
		{`{"a":{"$in":[` + many + `]}}`, `{"a":-1}`, 2, "a"},
		{`{"a":{"$in":[` + strings.Join(apart, ",") + `]}}`, `a`, -1, ""},
		{`{"a":{"$in":[` + strings.Join(apart[1:], ",") + `]}}`, `a`, 16, "a"},
		{`{"a":{"$in":[1,2,3],"$gte":2}}`, `a`, 2, "a"},
		{`{"a":{"$in":[1,2,3]},"b":7}`, `a`, 3, "a b"},
		{`{"$and":[{"a":{"$in":[1,2]}},{"a":{"$in":[2,3]}}]}`, `a`, 2, "a a"},
		{`{"a":{"$in":[1]}}`, `a`, 1, "a"},
		{`{"a":{"$in":[]}}`, `a`, 0, ""},
		{`{"a":{"$in":[1,null]}}`, `a`, 2, ""},
		{`{"_id":{"$in":["x","y"]}}`, `_id`, 2, "_id"},
		{`{"$or":[{"a":1},{"a":2}]}`, `a`, -1, ""},
	} {
		spans, _, ok := filter(t, c.filter).Spans(sortOf(t, c.sort))
		if !ok {
			if c.spans != -1 {
				t.Errorf("%s by %s has no spans, want %d", c.filter, c.sort, c.spans)
			}
		} else if len(spans) != c.spans {
			t.Errorf("%s by %s has %d spans, want %d", c.filter, c.sort, len(spans), c.spans)
		}
		var names []string
		for _, s := range filter(t, c.filter).Pointed(query.Sort{}) {
			names = append(names, s.Name())
		}
		if got := strings.Join(names, " "); got != c.pointed {
			t.Errorf("%s is pointed at by %q, want %q", c.filter, got, c.pointed)
		}
	}
	if got := filter(t, `{"_id":{"$in":["x","y"]}}`).Pointed(sortOf(t, "n")); len(got) != 1 || got[0].Name() != "_id" {
		t.Errorf("an $in of ids asks for the orders %v", got)
	}
	if got := strings.Join(filter(t, `{"a.b":1,"$or":[{"c":1},{"c":2}],"d":{"$ne":1}}`).Conditions(), " "); got != "a.b $or $not" {
		t.Errorf("conditions %s", got)
	}
}

package oracle_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
	"postern/engine/query/oracle"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the random tests; 0 takes the fixed one")
	pairsFlag = flag.Int("pairs", 1_000_000, "pairs of a document and a filter that are compared")
)

func seed(t *testing.T) uint64 {
	n := *seedFlag
	if n == 0 {
		n = 20261124
	}
	t.Logf("seed %d (repeat with -seed)", n)
	return n
}

func pairs() int {
	if testing.Short() {
		return min(*pairsFlag, 50_000)
	}
	return *pairsFlag
}

// A doc is a document as both sides have it.
type doc struct {
	text   string
	real   document.Value
	oracle oracle.Object
}

func parseDoc(text string) doc {
	v, err := document.Parse([]byte(text), document.Body)
	o, err2 := oracle.ParseJSON([]byte(text))
	if err != nil || err2 != nil {
		panic(fmt.Sprint(text, ": ", err, ", ", err2))
	}
	return doc{text, v, o.(oracle.Object)}
}

// allOperators are the operators of the language; $near stands for
// $nearSphere as well.
var allOperators = append([]string{"$and", "$or", "$nor", "$options", "$near", "$maxDistance", "$within", "$geoWithin", "$box", "$polygon", "$center",
	"$centerSphere", "$geometry"}, operators...)

// A few documents for each filter, each of them for several filters.
const (
	docsOfFilter   = 4
	filtersOfBatch = 20
	docsOfBatch    = 20
)

// Both say the same of every pair of a document and a filter: that the filter
// is refused, and how, or whether it is met.
func TestFiltersAgree(t *testing.T) {
	t.Parallel()
	g := newGenerator(seed(t))
	n, met, refused := 0, 0, 0
	metBy := map[string]int{}
	for n < pairs() {
		var docs []doc
		for range docsOfBatch {
			docs = append(docs, parseDoc(g.document()))
		}
		for range filtersOfBatch {
			filter := g.filter(2)
			parsed := parseBoth(filter)
			for range docsOfFilter {
				d := docs[g.in(len(docs))]
				a, b := parsed.say(d)
				if a != b {
					report(t, filter, d)
					return
				}
				n++
				switch b {
				case "met":
					met++
					for _, op := range allOperators {
						if strings.Contains(filter, op) {
							metBy[op]++
						}
					}
				case "not met":
				default:
					refused++
				}
			}
		}
	}
	if met < n/20 || n-met-refused < n/20 {
		t.Errorf("of %d pairs %d are met and %d refused: the generator is of no use", n, met, refused)
	}
	for _, op := range allOperators {
		if metBy[op] < n/5000 {
			t.Errorf("of %d pairs %d with %s are met: the generator is of no use", n, metBy[op], op)
		}
	}
	t.Logf("figure: %d pairs of a document and a filter, %d met, %d refused; no difference", n, met, refused)
}

// says is what engine/query and the oracle say about a pair.
func says(filter string, d doc) (real, naive string) {
	return parseBoth(filter).say(d)
}

// A pair of parsed filters, with what is said of them when they are refused.
type both struct {
	real                 *query.Filter // nil matches all
	oracle               *oracle.Filter
	refused, alsoRefused string // "" when it is taken
}

func parseBoth(filter string) both {
	var b both
	var e *query.Error
	var err error
	b.real, err = query.ParseFilter([]byte(filter))
	switch {
	case err == nil:
	case !errors.As(err, &e):
		b.refused = "fails otherwise: " + err.Error()
	case e.Disallowed:
		b.refused = "disallowed"
	default:
		b.refused = "refused"
	}
	b.oracle, err = oracle.ParseFilter([]byte(filter))
	switch err {
	case nil:
	case oracle.ErrDisallowed:
		b.alsoRefused = "disallowed"
	default:
		b.alsoRefused = "refused"
	}
	return b
}

func (b both) say(d doc) (real, naive string) {
	met := func(m bool) string {
		if m {
			return "met"
		}
		return "not met"
	}
	real, naive = b.refused, b.alsoRefused
	if real == "" {
		real = met(b.real.Match(d.real))
	}
	if naive == "" {
		naive = met(b.oracle.Match(d.oracle))
	}
	return real, naive
}

// report shrinks a pair that is judged differently and says what is left.
func report(t *testing.T, filter string, d doc) {
	t.Helper()
	differs := func(filter, text string) bool {
		a, b := says(filter, parseDoc(text))
		return a != b
	}
	for {
		before := filter + d.text
		filter = shrink(filter, func(f string) bool { return differs(f, d.text) })
		d = parseDoc(shrink(d.text, func(text string) bool { return strings.HasPrefix(text, "{") && differs(filter, text) }))
		if filter+d.text == before {
			break
		}
	}
	a, b := says(filter, d)
	_, err := query.ParseFilter([]byte(filter))
	t.Errorf("filter %s, document %s: engine/query says %q (%v), the oracle %q", filter, d.text, a, err, b)
}

// Both put the same documents into the same order and cut the same page, and
// keep the same members of them.
func TestRunsAgree(t *testing.T) {
	t.Parallel()
	g := newGenerator(seed(t) + 1)
	n, listed := 0, 0
	for n < pairs()/4 {
		var docs []doc
		for range 1 + g.in(30) {
			docs = append(docs, parseDoc(g.document()))
		}
		q := search{filter: "{}", sort: g.sort(), fields: g.fields()}
		if g.in(3) == 0 {
			q.filter = g.filter(1)
		}
		if g.in(4) == 0 { // by distance
			q.filter, q.sort = `{"`+g.pick("_geoloc", "_geoloc", "p", "p.q")+`":`+g.geo(true)+`}`, ""
		}
		if g.in(2) == 0 {
			q.skip, q.limit = g.in(6), g.in(8)
		}
		a, b := runs(q, docs)
		if a != b {
			reportRun(t, q, docs)
			return
		}
		n += len(docs)
		listed += strings.Count(b, "\n")
	}
	if listed < n/5 {
		t.Errorf("of %d documents %d are listed: the generator is of no use", n, listed)
	}
	t.Logf("figure: %d documents filtered, sorted, cut and projected, %d listed; no difference", n, listed)
}

type search struct {
	filter, sort, fields string
	skip, limit          int
}

func runs(q search, docs []doc) (real, naive string) { return realRuns(q, docs), oracleRuns(q, docs) }

func realRuns(q search, docs []doc) string {
	f, err := query.ParseFilter([]byte(q.filter))
	if err != nil {
		return "refused"
	}
	s, err := query.ParseSort([]byte(q.sort))
	if err != nil {
		return "sort refused"
	}
	all := &query.Query{Filter: f, Sort: s, Page: query.Page{Skip: q.skip, Limit: q.limit}, Fields: query.ParseFields(q.fields)}
	var out []byte
	err = query.Run(all, &source{docs}, func(v document.Value) error {
		kept, err := oracle.ParseJSON(all.Fields.Append(nil, v))
		out = append(append(out, text(kept)...), '\n')
		return err
	})
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func oracleRuns(q search, docs []doc) string {
	f, err := oracle.ParseFilter([]byte(q.filter))
	if err != nil {
		return "refused"
	}
	s, err := oracle.ParseSort([]byte(q.sort))
	if err != nil {
		return "sort refused"
	}
	var objects []oracle.Object
	for _, d := range docs {
		objects = append(objects, d.oracle)
	}
	var b strings.Builder
	for _, o := range oracle.Run(f, s, objects, q.skip, q.limit) {
		b.WriteString(text(oracle.Project(o, q.fields)) + "\n")
	}
	return b.String()
}

// A source yields documents to engine/query.
type source struct{ left []doc }

func (s *source) Next() (document.Value, bool) {
	if len(s.left) == 0 {
		return document.Value{}, false
	}
	d := s.left[0]
	s.left = s.left[1:]
	return d.real, true
}

func (s *source) Skip(n int) int {
	n = min(n, len(s.left))
	s.left = s.left[n:]
	return n
}

func (s *source) Count() int { return len(s.left) }

func reportRun(t *testing.T, q search, docs []doc) {
	t.Helper()
	differs := func(q search, docs []doc) bool {
		a, b := runs(q, docs)
		return a != b
	}
	for changed := true; changed; {
		before := fmt.Sprint(q, docs)
		for _, simpler := range []func(*search){func(q *search) { q.skip = 0 }, func(q *search) { q.limit = 0 }, func(q *search) { q.fields = "" }, func(q *search) { q.sort = "" }} {
			c := q
			if simpler(&c); differs(c, docs) {
				q = c
			}
		}
		for i := 0; i < len(docs); i++ {
			if fewer := slices.Delete(slices.Clone(docs), i, i+1); differs(q, fewer) {
				docs = fewer
				i--
			}
		}
		q.filter = shrink(q.filter, func(text string) bool { c := q; c.filter = text; return differs(c, docs) })
		q.sort = shrink(q.sort, func(text string) bool { c := q; c.sort = text; return differs(c, docs) })
		for i := range docs {
			docs[i] = parseDoc(shrink(docs[i].text, func(text string) bool {
				c := slices.Clone(docs)
				if !strings.HasPrefix(text, "{") {
					return false
				}
				c[i] = parseDoc(text)
				return differs(q, c)
			}))
		}
		changed = fmt.Sprint(q, docs) != before
	}
	var texts []string
	for _, d := range docs {
		texts = append(texts, d.text)
	}
	a, b := runs(q, docs)
	t.Errorf("%+v of\n%s\nengine/query:\n%s\noracle:\n%s", q, strings.Join(texts, "\n"), a, b)
}

// shrink makes a JSON text smaller as long as it stays bad: it leaves out
// members and elements, puts a part in the place of the whole, and writes
// numbers and strings shorter. Other text stays as it is.
func shrink(from string, bad func(string) bool) string {
	v, err := oracle.ParseJSON([]byte(from))
	if err != nil {
		return from
	}
	for {
		smaller := func(c any) bool { s := text(c); return len(s) < len(text(v)) && bad(s) }
		i := slices.IndexFunc(variants(v), smaller)
		if i < 0 {
			break
		}
		v = variants(v)[i]
	}
	if s := text(v); bad(s) {
		return s
	}
	return from
}

// variants are all that is one step simpler than v.
func variants(v any) []any {
	var out []any
	switch v := v.(type) {
	case []any:
		out = append(out, v...)
		for i := range v {
			out = append(out, slices.Delete(slices.Clone(v), i, i+1))
			for _, e := range variants(v[i]) {
				c := slices.Clone(v)
				c[i] = e
				out = append(out, c)
			}
		}
	case oracle.Object:
		for i, m := range v {
			out = append(out, m.Value, slices.Delete(slices.Clone(v), i, i+1))
			if list, ok := m.Value.([]any); ok { // of $or and its like
				out = append(out, list...)
			}
			for _, e := range variants(m.Value) {
				c := slices.Clone(v)
				c[i].Value = e
				out = append(out, c)
			}
		}
	case json.Number:
		out = append(out, json.Number("0"), json.Number("1"))
	case string:
		out = append(out, "", "a")
	}
	return out
}

// text writes a value as JSON the way a document is served: numbers as they
// came, no more escapes than needed.
func text(v any) string {
	switch v := v.(type) {
	case oracle.Object:
		parts := make([]string, len(v))
		for i, m := range v {
			parts[i] = text(m.Name) + ":" + text(m.Value)
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = text(e)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case json.Number:
		return string(v)
	case string:
		return string(document.AppendQuote(nil, v))
	case bool:
		return strconv.FormatBool(v)
	}
	return "null"
}

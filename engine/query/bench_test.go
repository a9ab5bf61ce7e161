package query_test

import (
	"fmt"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

func entity(i int) string {
	return fmt.Sprintf(`{"_id":"5b1f0e5c9d3a4b00%08x","name":"Entity number %d","score":%d,"cat":"c%d","price":%d.50,"tags":["red","green"],`+
		`"note":"some text that nobody reads but that takes its place","_acl":{"creator":"5b1f0e5c9d3a4b0087654321","r":["u1","u2","u3"]},`+
		`"_kmd":{"lmt":"2026-11-23T18:00:00.000Z","ect":"2026-11-23T18:00:00.000Z"},"at":[12.5,41.9],"active":true}`, i, i, i*7919%100_003, i%20, i)
}

var cases = []struct{ name, filter string }{
	{"equal text", `{"cat":"c17"}`},
	{"equal number", `{"score":48213}`},
	{"range", `{"score":{"$gte":1000,"$lt":2000}}`},
	{"range of a fraction", `{"price":{"$gt":17.25}}`},
	{"creator", `{"_acl.creator":"5b1f0e5c9d3a4b0087654321"}`},
	{"element", `{"tags":"green"}`},
	{"last", `{"active":true}`},
	{"in of 1000", `{"_id":{"$in":["` + strings.Join(ids(1000), `","`) + `"]}}`},
	{"all", `{"tags":{"$all":["blue","green"]}}`},
	{"size", `{"tags":{"$size":2}}`},
	{"type", `{"price":{"$type":["int","string"]}}`},
	{"mod", `{"score":{"$mod":[7,3]}}`},
	{"element that meets two", `{"tags":{"$elemMatch":{"$gt":"a","$lt":"z"}}}`},
	{"pattern", `{"name":{"$regex":"^Entity number 1.$"}}`},
	{"not", `{"score":{"$not":{"$gt":5}}}`},
	{"near", `{"at":{"$nearSphere":[10,20],"$maxDistance":100}}`},
	{"polygon", `{"at":{"$geoWithin":{"$polygon":[[0,0],[40,0],[40,40],[0,40]]}}}`},
	{"polygon on the earth", `{"at":{"$geoWithin":{"$geometry":{"type":"Polygon","coordinates":[[[0,0],[40,0],[40,40],[0,40],[0,0]]]}}}}`},
	{"or", `{"$or":[{"cat":"c1"},{"cat":"c2"},{"score":{"$lt":5}}]}`},
}

func ids(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("5b1f0e5c9d3a4b00%08x", i*3))
	}
	return list
}

func TestMatchDoesNotAllocate(t *testing.T) {
	d := doc(t, entity(17))
	more := []struct{ name, filter string }{
		{"exists", `{"name":{"$exists":true}}`}, {"nin", `{"cat":{"$nin":["x",1,null]}}`}, {"through an array", `{"tags.1":"green"}`},
		{"an object", `{"_kmd":{"lmt":"x","ect":1.5}}`}, {"null", `{"nothing.x":null}`}, {"a range of arrays", `{"tags":{"$gt":["a"]}}`},
	}
	for _, c := range append(cases, more...) {
		f := filter(t, c.filter)
		m := query.NewMeter(query.Budget{Rows: 1_000_000, Over: func() bool { return false }})
		if n := testing.AllocsPerRun(100, func() { m.Match(f, d) }); n != 0 {
			t.Errorf("Match of %s with a budget allocates %v times; want 0", c.name, n)
		}
		if n := testing.AllocsPerRun(100, func() { f.Match(d) }); n != 0 {
			t.Errorf("Match of %s allocates %v times; want 0", c.name, n)
		}
	}
}

func TestSortAndFieldsDoNotAllocatePerDocument(t *testing.T) {
	a, b := doc(t, entity(1)), doc(t, entity(2))
	s := sortOf(t, `{"cat":1,"_kmd.lmt":1,"score":-1}`)
	f := query.ParseFields("name,score,_kmd.lmt")
	dst := make([]byte, 0, 1024)
	for name, fn := range map[string]func(){
		"Sort.Compare":  func() { s.Compare(a, b) },
		"Fields.Append": func() { dst = f.Append(dst[:0], a) },
	} {
		if n := testing.AllocsPerRun(100, fn); n != 0 {
			t.Errorf("%s allocates %v times; want 0", name, n)
		}
	}
	src := new(list)
	for i := range 1000 {
		src.docs = append(src.docs, doc(t, entity(i)))
	}
	all := src.docs
	emit := func(document.Value) error { return nil }
	page := &query.Query{Filter: filter(t, `{"active":true}`), Page: query.Page{Skip: 100, Limit: 100}}
	if n := testing.AllocsPerRun(10, func() { src.docs = all; query.Run(page, src, emit) }); n != 0 {
		t.Errorf("Run without a sort allocates %v times; want 0", n)
	}
	page.Sort, page.Page = s, query.Page{Limit: 20}
	if n := testing.AllocsPerRun(10, func() { src.docs = all; query.Run(page, src, emit) }); n > 12 {
		t.Errorf("Run with a sort of 1000 documents to 20 allocates %v times; want 12 at most", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range cases {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			f, d := filter(b, c.filter), doc(b, entity(17))
			b.ReportAllocs()
			for b.Loop() {
				f.Match(d)
			}
		})
	}
}

func BenchmarkRun(b *testing.B) {
	src := new(list)
	for i := range 10_000 {
		src.docs = append(src.docs, doc(b, entity(i)))
	}
	all := src.docs
	var body []byte
	for _, c := range []struct {
		name, filter, sort, fields string
		page                       query.Page
	}{
		{"page of 100", ``, ``, ``, query.Page{Limit: 100}},
		{"page of 100, 3 fields", ``, ``, `name,score,cat`, query.Page{Limit: 100}},
		{"100 of 10000 by score", ``, `{"score":1}`, ``, query.Page{Limit: 100}},
		{"10000 by score", ``, `{"score":1}`, ``, query.Page{}},
		{"a 20th of 10000", `{"cat":"c17"}`, ``, ``, query.Page{}},
	} {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			q := &query.Query{Filter: filter(b, c.filter), Sort: sortOf(b, c.sort), Page: c.page, Fields: query.ParseFields(c.fields)}
			b.ReportAllocs()
			for b.Loop() {
				src.docs, body = all, body[:0]
				query.Run(q, src, func(d document.Value) error {
					body = append(q.Fields.Append(body, d), ',')
					return nil
				})
			}
		})
	}
}

func BenchmarkParseFilter(b *testing.B) {
	text := []byte(`{"cat":"c17","score":{"$gte":1000,"$lt":2000}}`)
	b.ReportAllocs()
	for b.Loop() {
		query.ParseFilter(text)
	}
}

package model

import (
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	const doc = `{"_id":"x","n":5,"s":"b","nil":null,"o":{"a":1,"b":"x"},"l":[1,2,"a",[7]],"m":[{"k":1},{"k":2,"j":3},9],
		"big":9007199254740993,"f":1e2,"_acl":{"creator":"u","r":["v"]}}`
	for _, c := range []struct {
		filter string
		want   bool
	}{
		{`{}`, true},
		{`{"n":5}`, true}, {`{"n":5.0}`, true}, {`{"n":"5"}`, false}, {`{"n":6}`, false},
		{`{"f":100}`, true}, {`{"big":9007199254740992}`, false}, {`{"big":{"$gt":9007199254740992}}`, true},
		{`{"nil":null}`, true}, {`{"gone":null}`, true}, {`{"n":null}`, false}, {`{"n.x":null}`, true},
		{`{"o":{"a":1,"b":"x"}}`, true}, {`{"o":{"b":"x","a":1}}`, false}, {`{"o":{}}`, false},
		{`{"o.a":1}`, true}, {`{"o.b":{"$gt":"w"}}`, true},
		{`{"l":1}`, true}, {`{"l":"a"}`, true}, {`{"l":[1,2,"a",[7]]}`, true}, {`{"l":[1,2]}`, false}, {`{"l":[7]}`, true}, {`{"l":7}`, false},
		{`{"l.0":1}`, true}, {`{"l.1":1}`, false}, {`{"l.3":7}`, false}, {`{"l.3":[7]}`, true},
		{`{"m.k":2}`, true}, {`{"m.1.j":3}`, true}, {`{"m.0.j":3}`, false}, {`{"m.j":null}`, true},
		{`{"n":{"$gt":4}}`, true}, {`{"n":{"$gt":5}}`, false}, {`{"n":{"$gte":5,"$lt":6}}`, true}, {`{"n":{"$lte":4}}`, false},
		{`{"n":{"$gt":"4"}}`, false}, {`{"gone":{"$lt":4}}`, false}, {`{"l":{"$gt":1}}`, true}, {`{"l":{"$gt":2}}`, false},
		{`{"n":{"$ne":5}}`, false}, {`{"gone":{"$ne":5}}`, true}, {`{"l":{"$ne":1}}`, false}, {`{"nil":{"$ne":null}}`, false},
		{`{"n":{"$in":[4,5]}}`, true}, {`{"n":{"$nin":[4,5]}}`, false}, {`{"gone":{"$in":[null]}}`, true}, {`{"n":{"$in":[]}}`, false}, {`{"l":{"$in":["a"]}}`, true},
		{`{"nil":{"$exists":true}}`, true}, {`{"gone":{"$exists":true}}`, false}, {`{"gone":{"$exists":false}}`, true}, {`{"m.j":{"$exists":true}}`, true}, {`{"l.9":{"$exists":false}}`, true},
		{`{"$and":[{"n":5},{"s":"b"}]}`, true}, {`{"$and":[{"n":5},{"s":"c"}]}`, false}, {`{"$or":[{"n":6},{"s":"b"}]}`, true}, {`{"$or":[{"n":6}],"s":"b"}`, false},
		{`{"_acl.creator":"u"}`, true}, {`{"_acl.r":"v"}`, true}, {`{"n":{"$eq":5}}`, true},
	} {
		filter, err := parseFilter(c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		d, err := parse([]byte(doc), true)
		if err != nil {
			t.Fatal(err)
		}
		if got := matches(filter, d.(Object)); got != c.want {
			t.Errorf("%s matches: %t; want %t", c.filter, got, c.want)
		}
	}
	for _, bad := range []string{"x", "[]", `{"a":{"$foo":1}}`, `{"$foo":[]}`, `{"a":{"$in":1}}`, `{"$or":[]}`, `{"$or":[1]}`, `{"a":1,"a":1}`, `{"a":{"$gt":1,"b":1}}`} {
		if _, err := parseFilter(bad); err == nil || filterError(err) != "InvalidQuerySyntax" {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := parseFilter(`{"$where":"1"}`); err == nil || filterError(err) != "DisallowedQuerySyntax" {
		t.Errorf("$where: %v", err)
	}
	if _, err := parseFilter(`{"_geoloc":{"$near":[181,0]}}`); err == nil || filterError(err) != "ParameterValueOutOfRange" {
		t.Errorf("$near off the Earth: %v", err)
	}
}

func TestSortAndProject(t *testing.T) {
	var docs []Object
	for _, s := range []string{`{"_id":"a","t":true}`, `{"_id":"b","t":"x"}`, `{"_id":"c","t":2}`, `{"_id":"d"}`, `{"_id":"e","t":null}`, `{"_id":"f","t":1}`} {
		v, err := parse([]byte(s), true)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, v.(Object))
	}
	for _, c := range []struct{ sort, want string }{
		{`{"t":1}`, "defcba"}, {`{"t":-1}`, "abcfde"}, {"t", "defcba"}, {`{"t":"-1","_id":"-1"}`, "abcfed"}, {`{"gone":1}`, "abcdef"}, {"{}", "abcdef"},
	} {
		keys, err := parseSort(c.sort)
		if err != nil {
			t.Fatal(err)
		}
		all, err := parseFilter("")
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, d := range (search{filter: all, sort: keys}).page(docs) {
			id, _ := d.get("_id")
			got.WriteString(id.(string))
		}
		if got.String() != c.want {
			t.Errorf("%s: %s; want %s", c.sort, &got, c.want)
		}
	}
	doc, _ := parse([]byte(`{"_id":"a","n":1,"o":{"a":1,"b":2},"m":[{"k":1,"j":2},3],"_acl":{},"_kmd":{}}`), true)
	for _, c := range []struct{ fields, want string }{
		{"n", `{"_id":"a","n":1,"_acl":{},"_kmd":{}}`},
		{"o.b,gone", `{"_id":"a","o":{"b":2},"_acl":{},"_kmd":{}}`},
		{"m.k", `{"_id":"a","m":[{"k":1}],"_acl":{},"_kmd":{}}`},
		{"n.x", `{"_id":"a","_acl":{},"_kmd":{}}`},
	} {
		all, err := parseFilter("")
		if err != nil {
			t.Fatal(err)
		}
		if got := text((search{filter: all, fields: c.fields}).page([]Object{doc.(Object)})[0]); got != c.want {
			t.Errorf("fields=%s: %s; want %s", c.fields, got, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{`{"a":{"b":[1,"x",null,true]}}`, nil}, {` [] `, nil}, {`"\ud834\udd1e\\ud800"`, nil}, {`{"a":1,"A":2}`, nil},
		{`{"a":1`, errNotJSON}, {`{} {}`, errNotJSON}, {``, errNotJSON}, {`{"a":1,"\u0061":2}`, errNotJSON}, {`"\ud834"`, errNotJSON},
		{`"\udd1e"`, errNotJSON}, {`"\ud834\ud834"`, errNotJSON}, {"\"\xff\"", errNotJSON}, {`{"\u0000":1}`, errNotJSON},
		{strings.Repeat("[", 32) + strings.Repeat("]", 32), nil}, {strings.Repeat("[", 33) + strings.Repeat("]", 33), errNotJSON},
		{strings.Repeat("1", 64), nil}, {strings.Repeat("1", 65), errNotJSON},
		{`{"$a":1}`, errBadKey}, {`{"a":[{"b.c":1}]}`, errBadKey}, {`{"a":"$b"}`, nil}, {`{"a$":1}`, nil},
	} {
		if _, err := parse([]byte(c.text), true); err != c.want {
			t.Errorf("parse(%.40s): %v; want %v", c.text, err, c.want)
		}
	}
}

package oracle_test

import (
	"strings"
	"testing"

	"postern/engine/query/oracle"
)

// The rows are what the manual says of each operator, with its own examples
// where it has some.
func TestFilter(t *testing.T) {
	const doc = `{"_id":"x","n":5,"neg":-3.7,"s":"ab","lines":"x\nab","nil":null,"o":{"a":1,"b":"x"},"l":[1,2,"a",[7]],"m":[{"k":1},{"k":2,"j":3},9],
		"empty":[],"results":[82,85,88],"grid":[[1,2],[3,4,5]],"big":9007199254740993,"f":1e2,"flag":true,"_geoloc":[-71.5,42.25],"_acl":{"creator":"u","r":["v"]}}`
	parsed, err := oracle.ParseJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter string
		want   bool
	}{
		// Equality
		{``, true}, {`{}`, true},
		{`{"n":5}`, true}, {`{"n":5.0}`, true}, {`{"n":"5"}`, false}, {`{"f":100}`, true}, {`{"big":9007199254740992}`, false},
		{`{"nil":null}`, true}, {`{"gone":null}`, true}, {`{"n":null}`, false}, {`{"n.x":null}`, true}, {`{"l.x":null}`, false}, {`{"empty.x":null}`, false}, {`{"m.j":null}`, true},
		{`{"o":{"a":1,"b":"x"}}`, true}, {`{"o":{"b":"x","a":1}}`, false}, {`{"o":{}}`, false},
		{`{"l":1}`, true}, {`{"l":[1,2,"a",[7]]}`, true}, {`{"l":[1,2]}`, false}, {`{"l":[7]}`, true}, {`{"l":7}`, false}, {`{"empty":[]}`, true},
		{`{"o.a":1}`, true}, {`{"l.0":1}`, true}, {`{"l.1":1}`, false}, {`{"l.3":[7]}`, true}, {`{"l.3.0":7}`, true}, {`{"l.00":1}`, false},
		{`{"m.k":2}`, true}, {`{"m.1.j":3}`, true}, {`{"m.0.j":3}`, false},
		// Comparison
		{`{"n":{"$gt":4}}`, true}, {`{"n":{"$gt":5}}`, false}, {`{"n":{"$gte":5,"$lt":6}}`, true}, {`{"big":{"$gt":9007199254740992}}`, true},
		{`{"n":{"$gt":"4"}}`, false}, {`{"gone":{"$lt":4}}`, false}, {`{"gone":{"$lte":null}}`, true}, {`{"gone":{"$lt":null}}`, false},
		{`{"l":{"$gt":1}}`, true}, {`{"l":{"$gt":2}}`, false}, {`{"results":{"$gt":87,"$lt":83}}`, true}, {`{"results":{"$gt":[82,84]}}`, true}, {`{"o":{"$gt":{"a":1}}}`, true}, {`{"flag":{"$gt":false}}`, true},
		{`{"n":{"$ne":5}}`, false}, {`{"gone":{"$ne":5}}`, true}, {`{"l":{"$ne":1}}`, false},
		{`{"n":{"$in":[4,5]}}`, true}, {`{"n":{"$nin":[4,5]}}`, false}, {`{"gone":{"$in":[null]}}`, true}, {`{"n":{"$in":[]}}`, false}, {`{"n":{"$nin":[]}}`, true},
		// Logic
		{`{"$and":[{"n":5},{"s":"ab"}]}`, true}, {`{"$or":[{"n":6},{"s":"ab"}]}`, true}, {`{"$nor":[{"n":6},{"s":"b"}]}`, true}, {`{"$nor":[{"n":6},{"s":"ab"}]}`, false},
		{`{"n":{"$not":{"$gt":5}}}`, true}, {`{"gone":{"$not":{"$gt":5}}}`, true}, {`{"n":{"$not":{"$gt":1,"$lt":9}}}`, false}, {`{"l":{"$not":{"$gt":1}}}`, false}, {`{"s":{"$not":{"$regex":"^b"}}}`, true},
		// Element
		{`{"nil":{"$exists":true}}`, true}, {`{"gone":{"$exists":true}}`, false}, {`{"empty":{"$exists":true}}`, true}, {`{"l.9":{"$exists":false}}`, true}, {`{"n":{"$exists":1}}`, true},
		{`{"n":{"$type":"number"}}`, true}, {`{"n":{"$type":"string"}}`, false}, {`{"l":{"$type":"string"}}`, true}, {`{"l":{"$type":"array"}}`, true}, {`{"results":{"$type":4}}`, true},
		{`{"nil":{"$type":10}}`, true}, {`{"gone":{"$type":10}}`, false}, {`{"o":{"$type":["bool","object"]}}`, true}, {`{"flag":{"$type":8}}`, true}, {`{"n":{"$type":"date"}}`, false},
		// Arrays
		{`{"l":{"$all":[1,"a"]}}`, true}, {`{"l":{"$all":[1,"b"]}}`, false}, {`{"l":{"$all":[]}}`, false}, {`{"n":{"$all":[5]}}`, true}, {`{"grid":{"$all":[[1,2]]}}`, true}, {`{"l":{"$all":[[1,2,"a",[7]]]}}`, true},
		{`{"m":{"$all":[{"$elemMatch":{"k":1}},{"$elemMatch":{"j":3}}]}}`, true},
		{`{"l":{"$size":4}}`, true}, {`{"empty":{"$size":0}}`, true}, {`{"grid":{"$size":3}}`, false}, {`{"n":{"$size":1}}`, false}, {`{"grid.1":{"$size":3}}`, true},
		{`{"results":{"$elemMatch":{"$gte":80,"$lt":85}}}`, true}, {`{"results":{"$elemMatch":{"$gt":82,"$lt":85}}}`, false}, {`{"m":{"$elemMatch":{"k":2,"j":3}}}`, true}, {`{"m":{"$elemMatch":{"k":1,"j":3}}}`, false},
		{`{"n":{"$elemMatch":{"$gt":1}}}`, false}, {`{"grid":{"$elemMatch":{"$elemMatch":{"$gt":4}}}}`, true}, {`{"grid":{"$elemMatch":{"$gt":4}}}`, false}, {`{"m":{"$elemMatch":{"$or":[{"k":7},{"j":3}]}}}`, true},
		// $mod
		{`{"n":{"$mod":[4,1]}}`, true}, {`{"n":{"$mod":[4,0]}}`, false}, {`{"neg":{"$mod":[2,-1]}}`, true}, {`{"neg":{"$mod":[2,1]}}`, false}, {`{"n":{"$mod":[4.9,1.5]}}`, true}, {`{"s":{"$mod":[1,0]}}`, false},
		{`{"results":{"$mod":[11,0]}}`, true}, {`{"big":{"$mod":[2,1]}}`, true}, {`{"gone":{"$mod":[1,0]}}`, false},
		// $regex
		{`{"s":{"$regex":"^a"}}`, true}, {`{"s":{"$regex":"^b"}}`, false}, {`{"s":{"$regex":"^A"}}`, false}, {`{"l":{"$regex":"^a$"}}`, true}, {`{"n":{"$regex":"^5"}}`, false},
		{`{"lines":{"$regex":"^ab"}}`, false}, {`{"lines":{"$regex":"^ab","$options":"m"}}`, true}, {`{"lines":{"$regex":"^x.a"}}`, false}, {`{"lines":{"$options":"s","$regex":"^x.a"}}`, true},
		{`{"s":{"$regex":"^a b # c","$options":"x"}}`, true}, {`{"s":{"$regex":"^a[ ]b","$options":"x"}}`, false}, {`{"s":{"$regex":"^a\\ b","$options":"x"}}`, false},
		// Geo. From [-71.5,42.25] to Boston's [-71.06,42.36] it is some 24 miles.
		{`{"_geoloc":{"$nearSphere":[-71.06,42.36]}}`, true}, {`{"_geoloc":{"$nearSphere":[-71.06,42.36],"$maxDistance":25}}`, true}, {`{"_geoloc":{"$near":[-71.06,42.36],"$maxDistance":23}}`, false},
		{`{"$and":[{"_geoloc":{"$nearSphere":[-71,42]}},{"n":5}]}`, true},
		{`{"_geoloc":{"$nearSphere":{"$geometry":{"type":"Point","coordinates":[-71.06,42.36]},"$maxDistance":40000}}}`, true}, {`{"_geoloc":{"$nearSphere":{"$geometry":{"type":"Point","coordinates":[-71.06,42.36]},"$maxDistance":30000}}}`, false},
		{`{"_geoloc":{"$within":{"$box":[[-72,42],[-71,43]]}}}`, true}, {`{"_geoloc":{"$within":{"$box":[[-71,42],[-70,43]]}}}`, false},
		{`{"_geoloc":{"$geoWithin":{"$polygon":[[-72,42],[-71,42],[-71.5,43]]}}}`, true}, {`{"_geoloc":{"$geoWithin":{"$polygon":[[-72,42],[-71,43],[-72,43]]}}}`, false},
		{`{"_geoloc":{"$geoWithin":{"$center":[[-71,42],0.6]}}}`, true}, {`{"_geoloc":{"$geoWithin":{"$center":[[-71,42],0.5]}}}`, false},
		{`{"_geoloc":{"$geoWithin":{"$centerSphere":[[-71.06,42.36],0.0063]}}}`, true}, {`{"_geoloc":{"$geoWithin":{"$centerSphere":[[-71.06,42.36],0.0058]}}}`, false},
		{`{"_geoloc":{"$geoWithin":{"$geometry":{"type":"Polygon","coordinates":[[[-72,42],[-71,42],[-71.5,43],[-72,42]]]}}}}`, true},
		{`{"_geoloc":{"$geoWithin":{"$geometry":{"type":"Polygon","coordinates":[[[108,-42],[109,-42],[108.5,-43],[108,-42]]]}}}}`, false},
	} {
		f, err := oracle.ParseFilter([]byte(c.filter))
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got := f.Match(parsed.(oracle.Object)); got != c.want {
			t.Errorf("%s is met: %t; want %t", c.filter, got, c.want)
		}
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, bad := range []string{"x", "[]", `{"a":1,"a":1}`, `{} {}`, `{"a":{"$foo":1}}`, `{"$foo":[]}`, `{"a":{"$gt":1,"b":1}}`, `{"a":{"b":{"$gt":1}}}`, `{"a":{"$in":[{"$gt":1}]}}`,
		`{"a":{"$in":1}}`, `{"a":{"$all":1}}`, `{"$or":[]}`, `{"$or":[1]}`, `{"$nor":{}}`, `{"a":{"$not":1}}`, `{"a":{"$not":{}}}`, `{"a":{"$not":{"b":1}}}`, `{"$not":{"a":1}}`,
		`{"a":{"$size":-1}}`, `{"a":{"$size":1.5}}`, `{"a":{"$size":"1"}}`, `{"a":{"$mod":[2]}}`, `{"a":{"$mod":[0,1]}}`, `{"a":{"$mod":[2,"0"]}}`, `{"a":{"$type":"foo"}}`, `{"a":{"$type":99}}`,
		`{"a":{"$regex":"a"}}`, `{"a":{"$regex":"^a","$options":"i"}}`, `{"a":{"$regex":"^("}}`, `{"a":{"$options":"m"}}`, `{"a":{"$regex":5}}`, `{"a":{"$elemMatch":1}}`,
		`{"_geoloc":{"$maxDistance":1}}`, `{"_geoloc":{"$nearSphere":[1]}}`, `{"_geoloc":{"$nearSphere":{"$geometry":{"type":"Polygon","coordinates":[0,1]}}}}`, `{"_geoloc":{"$nearSphere":[0,9],"$maxDistance":-1}}`,
		`{"$or":[{"_geoloc":{"$nearSphere":[0,0]}}]}`, `{"_geoloc":{"$within":{"$polygon":[[0,0],[1,1]]}}}`, `{"_geoloc":{"$within":{}}}`, `{"_geoloc":{"$within":{"$foo":1}}}`,
	} {
		if _, err := oracle.ParseFilter([]byte(bad)); err != oracle.ErrSyntax {
			t.Errorf("%s: %v; want %v", bad, err, oracle.ErrSyntax)
		}
	}
	for _, bad := range []string{`{"_geoloc":{"$nearSphere":[0,91]}}`, `{"_geoloc":{"$within":{"$box":[[0,0],[181,0]]}}}`} {
		if _, err := oracle.ParseFilter([]byte(bad)); err != oracle.ErrRange {
			t.Errorf("%s: %v; want %v", bad, err, oracle.ErrRange)
		}
	}
	for _, bad := range []string{`{"$where":"1"}`, `{"a":{"$where":"1"}}`, `{"$and":[{"$expr":{}}]}`} {
		if _, err := oracle.ParseFilter([]byte(bad)); err != oracle.ErrDisallowed {
			t.Errorf("%s: %v; want %v", bad, err, oracle.ErrDisallowed)
		}
	}
}

func TestRun(t *testing.T) {
	var docs []oracle.Object
	for _, text := range []string{`{"_id":"a","t":true,"_geoloc":[2,0]}`, `{"_id":"b","t":"x","_geoloc":[1,0]}`, `{"_id":"c","t":2,"_geoloc":[179,0]}`, `{"_id":"d"}`, `{"_id":"e","t":null}`,
		`{"_id":"f","t":[1,9]}`, `{"_id":"g","t":[],"_geoloc":[0,89]}`, `{"_id":"h","t":{"k":1}}`, `{"_id":"i","t":[[5]]}`, `{"_id":"j","m":[{"k":1},{"k":3}]}`, `{"_id":"k","m":[{"k":2},5]}`} {
		v, err := oracle.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, v.(oracle.Object))
	}
	for _, c := range []struct {
		filter, sort string
		skip, limit  int
		want         string
	}{
		{`{}`, ``, 0, 0, "abcdefghijk"}, {`{}`, ``, 2, 3, "cde"}, {`{}`, `{}`, 20, 0, ""},
		{`{}`, `{"t":1}`, 0, 0, "gdejkfcbhia"}, {`{}`, `{"t":-1}`, 0, 0, "aihbfcdejkg"}, {`{}`, `t`, 1, 2, "de"}, {`{}`, `{"gone":1,"_id":"-1"}`, 0, 3, "kji"},
		{`{"m":{"$exists":true}}`, `{"m.k":1}`, 0, 0, "kj"}, {`{"m":{"$exists":true}}`, `{"m.k":-1}`, 0, 0, "jk"},
		{`{"_geoloc":{"$nearSphere":[0,0]}}`, ``, 0, 0, "bagc"}, {`{"_geoloc":{"$nearSphere":[0,0]}}`, `{"_id":-1}`, 0, 0, "gcba"}, {`{"_geoloc":{"$near":[-179,0]}}`, ``, 0, 2, "cg"},
	} {
		f, err := oracle.ParseFilter([]byte(c.filter))
		s, err2 := oracle.ParseSort([]byte(c.sort))
		if err != nil || err2 != nil {
			t.Fatal(c, err, err2)
		}
		var got strings.Builder
		for _, d := range oracle.Run(f, s, docs, c.skip, c.limit) {
			got.WriteString(d[0].Value.(string))
		}
		if got.String() != c.want {
			t.Errorf("%+v: %s", c, &got)
		}
	}
	for _, bad := range []string{`{"t":0}`, `{"t":"x"}`, `{"t"`, `["t"]`, `{"t":null}`} {
		if _, err := oracle.ParseSort([]byte(bad)); err == nil {
			t.Errorf("sort %s is taken", bad)
		}
	}
}

func TestProject(t *testing.T) {
	const doc = `{"_id":"a","n":1,"o":{"a":1,"b":2},"m":[{"k":1,"j":2},3,[{"k":4}]]}`
	for _, c := range []struct{ fields, want string }{
		{"", doc}, {"n", `{"n":1}`}, {"o.b,gone", `{"o":{"b":2}}`}, {"m.k", `{"m":[{"k":1},[{"k":4}]]}`}, {"n.x", `{}`}, {"o.b,o", `{"o":{"a":1,"b":2}}`}, {"o.gone", `{"o":{}}`},
	} {
		v, err := oracle.ParseJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if got := text(oracle.Project(v.(oracle.Object), c.fields)); got != c.want {
			t.Errorf("fields=%s: %s; want %s", c.fields, got, c.want)
		}
	}
}

package query_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

type match struct {
	filter, doc string
	want        bool
}

func checkMatches(t *testing.T, rows []match) {
	t.Helper()
	for _, c := range rows {
		if got := filter(t, c.filter).Match(doc(t, c.doc)); got != c.want {
			t.Errorf("%s on %s = %v; want %v", c.filter, c.doc, got, c.want)
		}
	}
}

type refusal struct{ filter, want string }

func checkRefusals(t *testing.T, rows []refusal) {
	t.Helper()
	for _, c := range rows {
		_, err := query.ParseFilter([]byte(c.filter))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseFilter(%.80s) = %v; want %s", c.filter, err, c.want)
			continue
		}
		checkError(t, err)
	}
}

const yes, no = true, false

func TestOperatorNot(t *testing.T) {
	checkMatches(t, []match{
		{`{"a":{"$not":{"$gt":1}}}`, `{"a":1}`, yes},
		{`{"a":{"$not":{"$gt":1}}}`, `{"a":2}`, no},
		{`{"a":{"$not":{"$gt":1}}}`, `{}`, yes},
		{`{"a":{"$not":{"$gt":1}}}`, `{"a":"text"}`, yes},
		{`{"a":{"$not":{"$gt":1}}}`, `{"a":[0,2]}`, no}, // no element may
		{`{"a":{"$not":{"$gt":1,"$lt":5}}}`, `{"a":7}`, yes},
		{`{"a":{"$not":{"$gt":1,"$lt":5}}}`, `{"a":3}`, no},
		{`{"a":{"$not":{"$gt":1,"$lt":5}}}`, `{"a":[0,7]}`, no}, // each is met by another element
		{`{"a":{"$not":{"$not":{"$eq":1}}}}`, `{"a":1}`, yes},
		{`{"a":{"$not":{"$regex":"^x"}}}`, `{"a":"yx"}`, yes},
		{`{"a":{"$gt":0,"$not":{"$gt":5}}}`, `{"a":3}`, yes},
	})
	checkRefusals(t, []refusal{
		{`{"a":{"$not":1}}`, `query at byte 13: $not needs an object of operators`},
		{`{"a":{"$not":{}}}`, `$not needs an object of operators`},
		{`{"a":{"$not":{"b":1}}}`, `$not needs an object of operators`},
		{`{"a":{"$not":{"$gt":1,"b":1}}}`, `"b" stands among operators`},
		{`{"a":{"$not":{"$foo":1}}}`, `unknown operator "$foo"`},
		{`{"$not":{"a":1}}`, `$not needs a path before it`},
	})
}

func TestOperatorNor(t *testing.T) {
	checkMatches(t, []match{
		{`{"$nor":[{"a":1},{"b":2}]}`, `{"a":2,"b":1}`, yes},
		{`{"$nor":[{"a":1},{"b":2}]}`, `{"b":2}`, no},
		{`{"$nor":[{"a":null}]}`, `{}`, no},
		{`{"$nor":[{}]}`, `{}`, no},
		{`{"c":1,"$nor":[{"a":1}]}`, `{"c":2}`, no},
	})
	checkRefusals(t, []refusal{
		{`{"$nor":[]}`, `$nor needs at least one filter`},
		{`{"$nor":{"a":1}}`, `$nor needs an array of filters`},
		{`{"a":{"$nor":[{"b":1}]}}`, `$nor cannot follow a path`},
	})
}

func TestOperatorAll(t *testing.T) {
	checkMatches(t, []match{
		{`{"a":{"$all":[1,2]}}`, `{"a":[2,3,1]}`, yes},
		{`{"a":{"$all":[1,2]}}`, `{"a":[1,3]}`, no},
		{`{"a":{"$all":[1]}}`, `{"a":1.0}`, yes}, // no array is needed
		{`{"a":{"$all":[1,2]}}`, `{"a":1}`, no},
		{`{"a":{"$all":[1,1.0]}}`, `{"a":1}`, yes},
		{`{"a":{"$all":[]}}`, `{"a":[]}`, no},
		{`{"a":{"$all":[null]}}`, `{}`, yes},
		{`{"a":{"$all":[[1,2]]}}`, `{"a":[1,2]}`, yes},
		{`{"a":{"$all":[[1,2],1]}}`, `{"a":[1,2]}`, yes},
		{`{"a":{"$all":[{"x":1}]}}`, `{"a":[{"x":1}]}`, yes},
		{`{"a.b":{"$all":[1,2]}}`, `{"a":[{"b":1},{"b":2}]}`, yes}, // by different elements
		{`{"a":{"$all":[{"$elemMatch":{"x":1}},{"$elemMatch":{"y":2}}]}}`, `{"a":[{"x":1},{"y":2}]}`, yes},
		{`{"a":{"$all":[{"$elemMatch":{"x":1}},{"$elemMatch":{"y":2}}]}}`, `{"a":[{"x":1},{"y":3}]}`, no},
		{`{"a":{"$not":{"$all":[1,2]}}}`, `{"a":[1]}`, yes},
	})
	checkRefusals(t, []refusal{
		{`{"a":{"$all":1}}`, `$all needs an array`},
		{`{"a":{"$all":[{"$gt":1}]}}`, `the operator "$gt" stands inside a value`},
		{`{"a":{"$all":[1,{"$elemMatch":{"x":1}}]}}`, `the operator "$elemMatch" stands inside a value`},
		{`{"a":{"$all":[` + strings.Repeat(`1,`, 10_000) + `1]}}`, `$all has more than 10000 values`},
	})
}

func TestOperatorElemMatch(t *testing.T) {
	checkMatches(t, []match{
		{`{"a":{"$elemMatch":{"$gt":1,"$lt":3}}}`, `{"a":[0,2]}`, yes},
		{`{"a":{"$elemMatch":{"$gt":1,"$lt":3}}}`, `{"a":[0,5]}`, no}, // one element must meet both
		{`{"a":{"$elemMatch":{"$gt":1}}}`, `{"a":5}`, no},
		{`{"a":{"$elemMatch":{"$gt":1}}}`, `{"a":[[5]]}`, no},
		{`{"a":{"$elemMatch":{"$elemMatch":{"$gt":1}}}}`, `{"a":[[5]]}`, yes},
		{`{"a":{"$elemMatch":{"$ne":1}}}`, `{"a":[1,2]}`, yes}, // some element differs
		{`{"a":{"$elemMatch":{"$nin":[1,2]}}}`, `{"a":[1,2]}`, no},
		{`{"a":{"$elemMatch":{"$not":{"$gt":1}}}}`, `{"a":[2,0]}`, yes},
		{`{"a":{"$elemMatch":{"$eq":null}}}`, `{"a":[null]}`, yes},
		{`{"a":{"$elemMatch":{"$exists":true}}}`, `{"a":[]}`, no},
		{`{"a":{"$elemMatch":{"$regex":"^x"}}}`, `{"a":["y","xy"]}`, yes},
		{`{"a":{"$elemMatch":{"x":1,"y":2}}}`, `{"a":[{"x":1,"y":2}]}`, yes},
		{`{"a":{"$elemMatch":{"x":1,"y":2}}}`, `{"a":[{"x":1},{"y":2}]}`, no},
		{`{"a":{"$elemMatch":{"x":null}}}`, `{"a":[5,"x"]}`, no}, // a filter is for objects
		{`{"a":{"$elemMatch":{"x":null}}}`, `{"a":[{}]}`, yes},
		{`{"a":{"$elemMatch":{}}}`, `{"a":[{}]}`, yes},
		{`{"a":{"$elemMatch":{"$or":[{"x":1},{"y":1}]}}}`, `{"a":[{"y":1}]}`, yes},
		{`{"a":{"$elemMatch":{"x.y":{"$gt":1}}}}`, `{"a":[{"x":[{"y":2}]}]}`, yes},
		{`{"a.b":{"$elemMatch":{"$gt":1}}}`, `{"a":[{"b":0},{"b":[2]}]}`, yes},
		{`{"a.0":{"$elemMatch":{"$gt":1}}}`, `{"a":[[2]]}`, yes},
	})
	checkRefusals(t, []refusal{
		{`{"a":{"$elemMatch":1}}`, `$elemMatch needs an object`},
		{`{"a":{"$elemMatch":[{"x":1}]}}`, `$elemMatch needs an object`},
		{`{"a":{"$elemMatch":{"$gt":1,"x":1}}}`, `"x" stands among operators`},
		{`{"a":{"$elemMatch":{"x":1,"$gt":1}}}`, `$gt needs a path before it`},
		{`{"a":{"$elemMatch":{"$where":"1"}}}`, `the operator $where is not allowed`},
	})
}

func TestOperatorSize(t *testing.T) {
	checkMatches(t, []match{
		{`{"a":{"$size":2}}`, `{"a":[1,2]}`, yes},
		{`{"a":{"$size":2.0}}`, `{"a":[1,2]}`, yes},
		{`{"a":{"$size":0}}`, `{"a":[]}`, yes},
		{`{"a":{"$size":1}}`, `{"a":[[1],2]}`, no}, // not of an element
		{`{"a":{"$size":1}}`, `{"a":{"b":1}}`, no},
		{`{"a":{"$size":1}}`, `{"a":"x"}`, no},
		{`{"a":{"$size":0}}`, `{}`, no},
		{`{"a.b":{"$size":1}}`, `{"a":[{"b":[]},{"b":[1]}]}`, yes},
		{`{"a":{"$not":{"$size":0}}}`, `{"a":[1]}`, yes},
	})
	for _, operand := range []string{`"2"`, `-1`, `1.5`, `null`, `[2]`, `{"$gt":1}`, `1e30`} {
		checkRefusals(t, []refusal{{`{"a":{"$size":` + operand + `}}`, `$size needs a whole number from 0`}})
	}
}

func TestOperatorMod(t *testing.T) {
	checkMatches(t, []match{
		{`{"a":{"$mod":[4,0]}}`, `{"a":8}`, yes},
		{`{"a":{"$mod":[4,0]}}`, `{"a":9}`, no},
		{`{"a":{"$mod":[4,1]}}`, `{"a":9.7}`, yes},
		{`{"a":{"$mod":[4.9,1.2]}}`, `{"a":9}`, yes},
		{`{"a":{"$mod":[4,-1]}}`, `{"a":-9}`, yes},
		{`{"a":{"$mod":[4,3]}}`, `{"a":-9}`, no},
		{`{"a":{"$mod":[-4,1]}}`, `{"a":9}`, yes},
		{`{"a":{"$mod":[2,1]}}`, `{"a":9007199254740993}`, yes}, // no float64 holds it
		{`{"a":{"$mod":[2,1]}}`, `{"a":9223372036854775807}`, yes},
		{`{"a":{"$mod":[2,0]}}`, `{"a":-9223372036854775808}`, yes},
		{`{"a":{"$mod":[2,0]}}`, `{"a":9223372036854775808}`, no},
		{`{"a":{"$mod":[-1,0]}}`, `{"a":-9223372036854775808}`, yes},
		{`{"a":{"$mod":[2,0]}}`, `{"a":1e400}`, no},
		{`{"a":{"$mod":[7,0]}}`, `{"a":1e-99999999999999999999}`, yes},
		{`{"a":{"$mod":[7,5]}}`, `{"a":0.12e2}`, yes},
		{`{"a":{"$mod":[4,0]}}`, `{"a":[1,8]}`, yes},
		{`{"a":{"$mod":[4,0]}}`, `{"a":"8"}`, no},
		{`{"a":{"$mod":[4,0]}}`, `{}`, no},
	})
	for _, operand := range []string{`4`, `[4]`, `[4,0,0]`, `["4",0]`, `[4,null]`, `{"a":4,"b":0}`, `[1e30,0]`} {
		checkRefusals(t, []refusal{{`{"a":{"$mod":` + operand + `}}`, `$mod needs an array of two numbers`}})
	}
	checkRefusals(t, []refusal{{`{"a":{"$mod":[0,0]}}`, `$mod cannot divide by 0`}, {`{"a":{"$mod":[0.5,0]}}`, `$mod cannot divide by 0`}})
}

func TestOperatorType(t *testing.T) {
	values := map[string]string{
		"double": `1.5`, "int": `7`, "long": `2147483648`, "string": `"x"`, "object": `{}`, "bool": `true`, "null": `null`,
	}
	codes := map[string]int{"double": 1, "string": 2, "object": 3, "bool": 8, "null": 10, "int": 16, "long": 18}
	for name := range values {
		for other, value := range values {
			d := `{"a":` + value + `}`
			checkMatches(t, []match{
				{fmt.Sprintf(`{"a":{"$type":%q}}`, name), d, name == other},
				{fmt.Sprintf(`{"a":{"$type":%d}}`, codes[name]), d, name == other},
				{fmt.Sprintf(`{"a":{"$type":["array",%d]}}`, codes[name]), d, name == other},
			})
		}
	}
	checkMatches(t, []match{
		{`{"a":{"$type":10}}`, `{}`, no}, // null, not missing
		{`{"a":{"$type":"number"}}`, `{"a":1.5}`, yes},
		{`{"a":{"$type":"number"}}`, `{"a":7}`, yes},
		{`{"a":{"$type":"number"}}`, `{"a":"7"}`, no},
		{`{"a":{"$type":16}}`, `{"a":7.0}`, yes}, // by value, not by text
		{`{"a":{"$type":18}}`, `{"a":-9223372036854775808}`, yes},
		{`{"a":{"$type":1}}`, `{"a":9223372036854775808}`, yes},
		{`{"a":{"$type":"string"}}`, `{"a":[1,"x"]}`, yes},
		{`{"a":{"$type":"array"}}`, `{"a":[1,"x"]}`, yes},
		{`{"a":{"$type":4}}`, `{"a":"x"}`, no},
		{`{"a":{"$type":"date"}}`, `{"a":"2026-01-01"}`, no}, // JSON has none
		{`{"a":{"$type":-1}}`, `{"a":-1}`, no},
	})
	for _, operand := range []string{`"String"`, `99`, `2.5`, `null`, `true`, `["string","x"]`, `{"a":1}`} {
		checkRefusals(t, []refusal{{`{"a":{"$type":` + operand + `}}`, `$type needs the name or the number of a type`}})
	}
	checkRefusals(t, []refusal{{`{"a":{"$type":[]}}`, `$type needs at least one type`}})
}

func TestOperatorRegex(t *testing.T) {
	checkMatches(t, []match{
		{`{"a":{"$regex":"^ab"}}`, `{"a":"abc"}`, yes},
		{`{"a":{"$regex":"^ab"}}`, `{"a":"xab"}`, no},
		{`{"a":{"$regex":"^ab"}}`, `{"a":"ABC"}`, no},
		{`{"a":{"$regex":"^a.*z$"}}`, `{"a":"a to z"}`, yes},
		{`{"a":{"$regex":"^[a-c]+\\d{2}$"}}`, `{"a":"abc42"}`, yes},
		{`{"a":{"$regex":"^é"}}`, `{"a":"\u00e9t\u00e9"}`, yes},
		{`{"a":{"$regex":"^a\"b"}}`, `{"a":"a\"b"}`, yes},
		{`{"a":{"$regex":"^x"}}`, `{"a":["y","x"]}`, yes},
		{`{"a":{"$regex":"^1"}}`, `{"a":1}`, no},
		{`{"a":{"$regex":"^"}}`, `{}`, no},
		{`{"a":{"$regex":"^b"}}`, `{"a":"a\nb"}`, no},
		{`{"a":{"$regex":"^b","$options":"m"}}`, `{"a":"a\nb"}`, yes},
		{`{"a":{"$options":"m","$regex":"^b"}}`, `{"a":"a\nb"}`, yes},
		{`{"a":{"$regex":"^a.b"}}`, `{"a":"a\nb"}`, no},
		{`{"a":{"$regex":"^a.b","$options":"s"}}`, `{"a":"a\nb"}`, yes},
		{`{"a":{"$regex":"^a b # c","$options":"x"}}`, `{"a":"ab"}`, yes},
		{`{"a":{"$regex":"^a\\ [ #]b # c\nd","$options":"x"}}`, `{"a":"a #bd"}`, yes},
		{`{"a":{"$regex":"^a # c","$options":""}}`, `{"a":"a # c"}`, yes},
		{`{"a":{"$regex":"^[Aa]b"}}`, `{"a":"Ab"}`, yes},
		{`{"a":{"$regex":"^[]a]+$"}}`, `{"a":"]a"}`, yes},
		{`{"a":{"$regex":"^[(?i)]+$"}}`, `{"a":"(?i)"}`, yes},
		{`{"a":{"$regex":"^\\(?i"}}`, `{"a":"(i"}`, yes},
		{`{"a":{"$regex":"^a","$gt":"ab"}}`, `{"a":"ac"}`, yes},
		{`{"a":{"$regex":"^a","$options":"msx"}}`, `{"a":"a"}`, yes},
	})
	checkRefusals(t, []refusal{
		{`{"a":{"$regex":"b"}}`, `$regex: the pattern must begin with '^'`},
		{`{"a":{"$regex":""}}`, `the pattern must begin with '^'`},
		{`{"a":{"$regex":" ^b","$options":"x"}}`, `the pattern must begin with '^'`},
		{`{"a":{"$regex":"^b","$options":"i"}}`, `the option 'i' is none of m, s and x`},
		{`{"a":{"$regex":"^b","$options":"mü"}}`, `the option 'ü' is none of m, s and x`},
		{`{"a":{"$regex":"^(?i)b"}}`, `the flag 'i' is not supported`},
		{`{"a":{"$regex":"^(?si:b)"}}`, `the flag 'i' is not supported`},
		{`{"a":{"$regex":"^[x](?i)b"}}`, `the flag 'i' is not supported`},
		{`{"a":{"$regex":"^( ?i)b","$options":"x"}}`, `the flag 'i' is not supported`},
		{`{"a":{"$regex":"^(?=b)"}}`, `invalid or unsupported Perl syntax`},
		{`{"a":{"$regex":"^(b)\\1"}}`, `invalid escape sequence`},
		{`{"a":{"$regex":"^("}}`, `missing closing )`},
		{`{"a":{"$regex":"^\\"}}`, `trailing backslash`},
		{`{"a":{"$regex":"^[a","$options":"x"}}`, `missing closing ]`},
		{`{"a":{"$regex":1}}`, `$regex needs a string`},
		{`{"a":{"$regex":"^b","$options":1}}`, `$options needs a string`},
		{`{"a":{"$options":"m"}}`, `$options needs $regex beside it`},
		{`{"$options":"m"}`, `$options needs a path before it`},
		{`{"a":{"$regex":"^` + strings.Repeat("b", 256) + `"}}`, `the pattern has more than 256 bytes`},
		{`{"a":{"$regex":"^(ab?){1000}"}}`, `the pattern is too complex`},
		{`{"a":{"$regex":"^((a{100}){100}){100}"}}`, `invalid repeat count`},
		{`{"a":{"$in":[{"$regex":"^b"}]}}`, `the operator "$regex" stands inside a value`},
	})
	filter(t, `{"a":{"$regex":"^`+strings.Repeat("b", 255)+`"}}`)
}

func TestOperatorNearSphere(t *testing.T) {
	const from = `{"_geoloc":{"$nearSphere":[1,1]`
	checkMatches(t, []match{
		{from + `}}`, `{"_geoloc":[0,0]}`, yes},
		{from + `}}`, `{"_geoloc":[-179,-1]}`, yes},
		{from + `}}`, `{"_geoloc":null}`, no},
		{from + `}}`, `{}`, no},
		{from + `}}`, `{"_geoloc":[200,0]}`, no},
		{from + `}}`, `{"_geoloc":[1,2,3]}`, no},
		{from + `}}`, `{"_geoloc":["1",2]}`, no},
		{from + `,"$maxDistance":1}}`, `{"_geoloc":[0,0]}`, no}, // about 98 miles
		{from + `,"$maxDistance":97}}`, `{"_geoloc":[0,0]}`, no},
		{from + `,"$maxDistance":98.5}}`, `{"_geoloc":[0,0]}`, yes},
		{from + `,"$maxDistance":0}}`, `{"_geoloc":[1,1.0]}`, yes},
		{`{"_geoloc":{"$maxDistance":98.5,"$near":[1,1]}}`, `{"_geoloc":[0,0]}`, yes},
		{`{"a":{"$nearSphere":[179.9,0],"$maxDistance":20}}`, `{"a":[-179.9,0]}`, yes}, // over the date line
		{`{"a":{"$nearSphere":[0,90],"$maxDistance":1}}`, `{"a":[120,90]}`, yes},       // one pole
		{`{"a.b":{"$nearSphere":[1,1],"$maxDistance":1}}`, `{"a":[{"b":[0,0]},{"b":[1,1]}]}`, yes},
		{`{"a":{"$nearSphere":[1,1],"$maxDistance":1}}`, `{"a":[[0,0],[1,1]]}`, yes},
		{`{"a":{"$nearSphere":[1,1],"$maxDistance":1}}`, `{"a":{"type":"Point","coordinates":[1,1]}}`, yes},
		{`{"a":{"$nearSphere":{"$geometry":{"type":"Point","coordinates":[1,1]},"$maxDistance":158000}}}`, `{"a":[0,0]}`, yes}, // meters
		{`{"a":{"$nearSphere":{"$geometry":{"type":"Point","coordinates":[1,1]},"$maxDistance":157000}}}`, `{"a":[0,0]}`, no},
		{`{"$and":[{"b":1},` + from + `,"$maxDistance":1}}]}`, `{"b":1,"_geoloc":[1,1]}`, yes},
	})
	checkRefusals(t, []refusal{
		{`{"a":{"$nearSphere":1}}`, `coordinates must be [longitude, latitude]`},
		{`{"a":{"$nearSphere":[1]}}`, `coordinates must be [longitude, latitude]`},
		{`{"a":{"$nearSphere":[1,"1"]}}`, `coordinates must be [longitude, latitude]`},
		{`{"a":{"$nearSphere":[181,0]}}`, `the longitude must be between -180 and 180`},
		{`{"a":{"$nearSphere":[0,91]}}`, `the latitude between -90 and 90`},
		{`{"a":{"$nearSphere":[1e400,0]}}`, `the longitude must be between`},
		{`{"a":{"$nearSphere":[0,0],"$maxDistance":-1}}`, `a distance must be a number from 0`},
		{`{"a":{"$nearSphere":[0,0],"$maxDistance":"1"}}`, `a distance must be a number from 0`},
		{`{"a":{"$nearSphere":[0,0],"$minDistance":1}}`, `unknown operator "$minDistance"`},
		{`{"a":{"$maxDistance":1}}`, `$maxDistance needs $nearSphere beside it`},
		{`{"a":{"$nearSphere":{"$geometry":{"type":"Polygon","coordinates":[]}}}}`, `$nearSphere needs a $geometry of type Point`},
		{`{"a":{"$nearSphere":{"$foo":1}}}`, `unknown operator "$foo" in $nearSphere`},
		{`{"a":{"$nearSphere":{"$geometry":{"type":"Point","coordinates":[1,1]}},"$maxDistance":1}}`, `$maxDistance belongs beside $geometry`},
		{`{"a":{"$nearSphere":[0,0]},"b":{"$near":[0,0]}}`, `a query has one $near`},
		{`{"$or":[{"a":{"$nearSphere":[0,0]}}]}`, `cannot stand in an operator other than $and`},
		{`{"$nor":[{"a":{"$nearSphere":[0,0]}}]}`, `cannot stand in an operator other than $and`},
		{`{"a":{"$not":{"$nearSphere":[0,0]}}}`, `cannot stand in an operator other than $and`},
		{`{"a":{"$elemMatch":{"$nearSphere":[0,0]}}}`, `cannot stand in an operator other than $and`},
	})
}

func TestNearSphereOrdersByDistance(t *testing.T) {
	docs := []string{
		`{"n":1,"_geoloc":[10,10]}`, `{"n":2,"_geoloc":[1,1]}`, `{"n":3}`, `{"n":4,"_geoloc":[-2,-2]}`,
		`{"n":5,"_geoloc":[1,1]}`, `{"n":6,"_geoloc":[180,0]}`, `{"n":7,"_geoloc":[0,0]}`, `{"n":8,"_geoloc":[[90,0],[0.5,0]]}`,
	}
	for _, c := range []struct {
		name, filter, sort string
		page               query.Page
		want               string
	}{
		{"nearest first, equals in natural order", `{"_geoloc":{"$nearSphere":[0,0]}}`, ``, query.Page{}, "7 8 2 5 4 1 6"},
		{"in $and", `{"$and":[{"_geoloc":{"$nearSphere":[0,0]}},{"n":{"$gt":1}}]}`, ``, query.Page{}, "7 8 2 5 4 6"},
		{"a page of it", `{"_geoloc":{"$nearSphere":[0,0]}}`, ``, query.Page{Skip: 1, Limit: 3}, "8 2 5"},
		{"a sort that is given wins", `{"_geoloc":{"$nearSphere":[0,0]}}`, `{"n":-1}`, query.Page{}, "8 7 6 5 4 2 1"},
		{"an empty sort does not", `{"_geoloc":{"$nearSphere":[0,0],"$maxDistance":200}}`, `{}`, query.Page{}, "7 8 2 5 4"},
	} {
		q := &query.Query{Filter: filter(t, c.filter), Sort: sortOf(t, c.sort), Page: c.page}
		var got []string
		for _, d := range run(t, q, source(t, docs)) {
			got = append(got, doc(t, d).Get("n").Text())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s; want %s", c.name, strings.Join(got, " "), c.want)
		}
	}
}

func TestOperatorGeoWithin(t *testing.T) {
	at := func(shape, where string, want bool) match {
		return match{`{"_geoloc":{"$geoWithin":{` + shape + `}}}`, `{"_geoloc":` + where + `}`, want}
	}
	const (
		box      = `"$box":[[-10,-5],[10,5]]`
		triangle = `"$polygon":[[0,0],[10,0],[0,10]]`
		closed   = `"$polygon":[[0,0],[10,0],[0,10],[0,0]]`
		flat     = `"$center":[[0,60],2]`
		round    = `"$centerSphere":[[0,60],0.0349]` // two degrees
		square   = `"$geometry":{"type":"Polygon","coordinates":[[[-50,40],[50,40],[50,60],[-50,60],[-50,40]],[[-1,57],[1,57],[1,59],[-1,59],[-1,57]]]}`
		dateLine = `"$geometry":{"type":"Polygon","coordinates":[[[170,-10],[-170,-10],[-170,10],[170,10],[170,-10]]]}`
		pole     = `"$geometry":{"type":"Polygon","coordinates":[[[0,80],[120,80],[-120,80],[0,80]]]}`
		two      = `"$geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[2,0],[2,2],[0,2],[0,0]]],[[[10,10],[12,10],[12,12],[10,12],[10,10]]]]}`
	)
	checkMatches(t, []match{
		at(box, `[0,0]`, yes), at(box, `[10,5]`, yes), at(box, `[10.1,0]`, no), at(box, `[0,-5.1]`, no),
		at(`"$box":[[10,5],[-10,-5]]`, `[0,0]`, yes), at(`"$box":[[-10,5],[10,-5]]`, `[0,0]`, yes),
		at(box, `null`, no), at(box, `"0,0"`, no), at(box, `[0]`, no), at(box, `[[20,0],[0,0]]`, yes),
		at(triangle, `[1,1]`, yes), at(triangle, `[6,6]`, no), at(triangle, `[5,5]`, yes), at(triangle, `[0,0]`, yes), at(triangle, `[0,5]`, yes), at(triangle, `[-0.1,5]`, no),
		at(closed, `[1,1]`, yes), at(closed, `[6,6]`, no),
		at(`"$polygon":[[0,0],[4,0],[4,4],[2,1],[0,4]]`, `[2,3]`, no), // not convex
		at(flat, `[2,60]`, yes), at(flat, `[3.5,60]`, no), at(flat, `[0,62]`, yes),
		at(round, `[3.5,60]`, yes), at(round, `[4.1,60]`, no), at(round, `[0,61.9]`, yes), at(round, `[0,62.1]`, no),
		at(square, `[0,45]`, no), at(square, `[0,52]`, no), at(square, `[0,55]`, yes), at(square, `[0,58]`, no), at(square, `[0,65]`, yes), // great circles bend to the pole
		at(square, `[180,-50]`, no), at(square, `[-50,40]`, yes),
		at(dateLine, `[180,0]`, yes), at(dateLine, `[-175,5]`, yes), at(dateLine, `[160,0]`, no), at(dateLine, `[0,0]`, no),
		at(pole, `[45,89]`, yes), at(pole, `[180,79]`, no),
		at(two, `[1,1]`, yes), at(two, `[11,11]`, yes), at(two, `[5,5]`, no),
		{`{"_geoloc":{"$within":{` + box + `}}}`, `{"_geoloc":[0,0]}`, yes},
		{`{"_geoloc":{"$not":{"$within":{` + box + `}}}}`, `{"_geoloc":[50,0]}`, yes},
		{`{"$or":[{"_geoloc":{"$within":{` + box + `}}},{"a":1}]}`, `{"a":1}`, yes},
		{`{"place.at":{"$within":{` + box + `}}}`, `{"place":{"at":{"type":"Point","coordinates":[0,0]}}}`, yes},
	})
	within := func(shape, want string) refusal { return refusal{`{"a":{"$geoWithin":` + shape + `}}`, want} }
	checkRefusals(t, []refusal{
		within(`1`, `$geoWithin needs an object with a shape`), within(`{}`, `$geoWithin needs an object with a shape`),
		within(`{"$foo":1}`, `unknown operator "$foo"`), within(`{"box":1}`, `unknown operator "box"`), within(`{"$gt":1}`, `$gt is no shape`),
		within(`{`+box+`,`+flat+`}`, `$geoWithin needs one shape`),
		within(`{"$box":[[0,0]]}`, `$box needs two opposite corners`), within(`{"$box":1}`, `needs an array of coordinates`), within(`{"$box":[0,0]}`, `coordinates must be`),
		within(`{"$box":[[0,0],[181,0]]}`, `the longitude must be between`),
		within(`{"$polygon":[[0,0],[1,1]]}`, `$polygon needs three corners`),
		within(`{"$center":[[0,0]]}`, `$center needs a center and a radius`), within(`{"$center":[[0,0],-1]}`, `a distance must be a number from 0`),
		within(`{"$centerSphere":[0,1]}`, `coordinates must be`), within(`{"$centerSphere":[[0,0],"1"]}`, `a distance must be a number from 0`),
		within(`{"$geometry":{"type":"Point","coordinates":[0,0]}}`, `$geometry needs the type Polygon or MultiPolygon`),
		within(`{"$geometry":{"type":"Polygon","coordinates":[]}}`, `a polygon needs an array of rings`),
		within(`{"$geometry":{"type":"Polygon"}}`, `a polygon needs an array of rings`),
		within(`{"$geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}}`, `the last one equal to the first`),
		within(`{"$geometry":{"type":"Polygon","coordinates":[[[0,0],[120,0],[-120,0],[0,0]]]}}`, `a polygon must be smaller than half of the earth`),
		within(`{"$polygon":[`+strings.TrimSuffix(strings.Repeat(`[0,0],`, 1001), ",")+`]}`, `more than 1000 corners`),
		{`{"a":{"$box":[[0,0],[1,1]]}}`, `$box cannot follow a path`},
		{`{"$geoWithin":{}}`, `$geoWithin needs a path before it`},
		{`{"a":{"$geoIntersects":{}}}`, `the operator $geoIntersects is not allowed`},
	})
	for text, want := range map[string]bool{`{"a":{"$near":[181,0]}}`: true, `{"a":{"$within":{"$box":[[0,0],[0,-91]]}}}`: true, `{"a":{"$near":[0]}}`: false} {
		var e *query.Error
		if _, err := query.ParseFilter([]byte(text)); !errors.As(err, &e) || e.OutOfRange != want {
			t.Errorf("ParseFilter(%s) = %v; want out of range %v", text, err, want)
		}
	}
}

// A large $in and $all are looked up, not walked.
func TestManyValues(t *testing.T) {
	var list []string
	for i := range 10_000 {
		list = append(list, fmt.Sprint(i*2))
	}
	values := "[" + strings.Join(list, ",") + "]"
	checkMatches(t, []match{
		{`{"a":{"$in":` + values + `}}`, `{"a":19998}`, yes},
		{`{"a":{"$in":` + values + `}}`, `{"a":19997}`, no},
		{`{"a":{"$nin":` + values + `}}`, `{"a":[1,3,5]}`, yes},
		{`{"a":{"$all":` + values + `}}`, `{"a":` + values + `}`, yes},
		{`{"a":{"$all":` + values + `}}`, `{"a":` + strings.Replace(values, ",9998,", ",9997,", 1) + `}`, no},
	})
	slices.Reverse(list)
	checkMatches(t, []match{{`{"a":{"$in":[` + strings.Join(list, ",") + `]}}`, `{"a":4}`, yes}})
}

// What is no document gets an arbitrary answer, but no panic.
func TestOperatorsOnWhatIsNoDocument(t *testing.T) {
	for _, text := range []string{`{"a":{"$size":0}}`, `{"a":{"$all":[1,2]}}`, `{"a":{"$type":2}}`, `{"a":{"$mod":[2,0]}}`, `{"a":{"$regex":"^a"}}`,
		`{"a":{"$near":[0,0]}}`, `{"a":{"$within":{"$box":[[0,0],[1,1]]}}}`, `{"a":{"$elemMatch":{"$gt":1}}}`} {
		f := filter(t, text)
		for _, v := range []document.Value{{}, document.Trusted([]byte(`"`)), document.Trusted([]byte(`{"a":"`)), document.Trusted([]byte(`{"a":[`)), document.Trusted([]byte(`{"a":-}`))} {
			f.Match(v)
		}
	}
}

package oracle_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// operators are those on a path, but for places.
var operators = []string{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists",
	"$not", "$all", "$size", "$mod", "$type", "$regex", "$elemMatch"}

// A generator makes random documents, filters and sorts, as texts. It is biased
// to trouble: nulls and gaps, arrays in arrays, types mixed on one path, the
// same number in several writings, paths through indexes.
type generator struct {
	r    *rand.Rand
	seen []string // values used lately, so that filters find something
}

func newGenerator(seed uint64) *generator {
	return &generator{r: rand.New(rand.NewPCG(seed, 7))}
}

func (g *generator) in(n int) int { return g.r.IntN(n) }

func (g *generator) pick(from ...string) string { return from[g.in(len(from))] }

// mostly picks a good one, now and then a bad one.
func (g *generator) mostly(good, bad []string) string {
	if g.in(30) == 0 {
		return g.pick(bad...)
	}
	return g.pick(good...)
}

func (g *generator) number() string {
	if g.in(3) > 0 {
		return g.pick("0", "1", "2", "3", "5", "-1")
	}
	return g.pick("-0", "0.0", "1.0", "1e0", "10e-1", "1E+0", "0.5", "5e-1", "100", "1e2", "3.7", "-3.7", "-3", "4", "10",
		"9007199254740991", "9007199254740992", "9007199254740993", "9.007199254740993e15", "9007199254740992.0", "-9007199254740993",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "2147483648", "1e400", "-1e400", "1e-400", "0e999")
}

func (g *generator) string() string {
	return g.pick(`""`, `"a"`, `"a"`, `"b"`, `"ab"`, `"\u0061"`, `"A"`, `"a b"`, `"a\nb"`, `"\u00fc"`, `"ü"`, `"𝄞"`, `"\ud834\udd1e"`, `"\uffff"`, `"1"`, `"null"`, `"^a"`)
}

func (g *generator) name() string {
	return g.pick("a", "a", "b", "b", "c", "0", "1", "ü", "")
}

// value is any value, at most depth deep.
func (g *generator) value(depth int) string {
	n := g.in(14)
	if depth == 0 {
		n = g.in(8)
	}
	var text string
	switch {
	case n < 1:
		text = "null"
	case n < 2:
		text = g.pick("true", "false")
	case n < 6:
		text = g.number()
	case n < 8:
		text = g.string()
	case n < 11:
		text = g.object(depth - 1)
	default:
		var parts []string
		for range g.in(4) {
			parts = append(parts, g.value(depth-1))
		}
		text = "[" + strings.Join(parts, ",") + "]"
	}
	if g.in(4) == 0 {
		g.see(text)
	}
	return text
}

func (g *generator) see(text string) {
	if len(g.seen) < 32 {
		g.seen = append(g.seen, text)
	} else {
		g.seen[g.in(32)] = text
	}
}

func (g *generator) object(depth int) string {
	var b strings.Builder
	have := map[string]bool{}
	b.WriteByte('{')
	for range g.in(4) {
		name := g.name()
		if have[name] {
			continue
		}
		if len(have) > 0 {
			b.WriteByte(',')
		}
		have[name] = true
		b.WriteString(quote(name) + ":" + g.value(depth))
	}
	b.WriteByte('}')
	return b.String()
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// document is a document to be stored: nothing in it is an operator.
func (g *generator) document() string {
	var parts []string
	for _, name := range []string{"a", "b", "c"} {
		if g.in(4) > 0 {
			parts = append(parts, quote(name)+":"+g.value(3))
		}
	}
	switch g.in(6) {
	case 0:
		parts = append(parts, `"_geoloc":`+g.pick("null", "[]", "[1]", `["1","2"]`, `{}`, `"x"`, "5"))
	case 1, 2, 3, 4:
		parts = append(parts, `"_geoloc":`+g.point())
	}
	switch g.in(12) {
	case 3:
		parts = append(parts, fmt.Sprintf(`"p":{"type":"%s","coordinates":%s}`, g.pick("Point", "Point", "Point", "LineString"), g.point()))
	case 4:
		parts = append(parts, fmt.Sprintf(`"p":[{"coordinates":%s,"type":"Point"},%s]`, g.point(), g.point()))
	case 0:
		parts = append(parts, fmt.Sprintf(`"p":[%s,%s]`, g.point(), g.pick(g.point(), "[]", "null", "5", "{}", "[[1,2]]")))
	case 1:
		parts = append(parts, fmt.Sprintf(`"p":{"q":%s}`, g.point()))
	case 2:
		parts = append(parts, fmt.Sprintf(`"p":[{"q":%s},{"q":[%s]}]`, g.point(), g.point()))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// point is a place at whole degrees, off the poles and the line where two
// writings of one place meet.
func (g *generator) point() string {
	if g.in(4) == 0 {
		return fmt.Sprintf("[%d,%d]", g.in(359)-179, g.in(179)-89)
	}
	return fmt.Sprintf("[%d,%d]", g.in(41)-20, g.in(41)-20)
}

func (g *generator) path() string {
	return g.pick("a", "a", "b", "c", "a.b", "a.b", "a.a", "a.b.c", "a.0", "a.1", "a.0.b", "a.b.0", "b.0.0", "b.a.1.b", "a.0.1", "b.ü", "c.00", "c.a.a.a", "a.", "c..b", "_geoloc", "b.2")
}

// filter is a filter, most of the time a good one.
func (g *generator) filter(depth int) string {
	var parts []string
	have := map[string]bool{}
	for range 1 + g.in(2)*g.in(2) + g.in(20)/19 {
		name, condition := g.condition(depth)
		if !have[name] {
			parts = append(parts, quote(name)+":"+condition)
		}
		have[name] = true
	}
	if g.in(100) == 0 {
		parts = nil
	}
	text := "{" + strings.Join(parts, ",") + "}"
	if g.in(400) == 0 && !strings.Contains(text, `\ud8`) { // half a pair is not the oracle's business
		runes := []rune(text)
		i := g.in(len(runes))
		text = string(append(runes[:i], runes[i+1:]...))
	}
	return text
}

func (g *generator) condition(depth int) (name, condition string) {
	if depth > 0 && g.in(4) == 0 {
		var parts []string
		for range 1 + g.in(3) {
			parts = append(parts, g.filter(depth-1))
		}
		return g.pick("$and", "$or", "$nor"), "[" + strings.Join(parts, ",") + "]"
	}
	switch g.in(200) {
	case 0:
		return g.pick("$foo", "$where", "$expr", "$function", "$not", "$eq", "$"), g.pick("1", "[]", `[{"a":1}]`)
	case 1:
		return g.pick("$and", "$or"), g.pick("1", "[]", "{}", `[1]`, `[{"a":1},[]]`)
	}
	if g.in(8) == 0 {
		return g.pick("_geoloc", "_geoloc", "_geoloc", "p", "p.q", "p.0"), g.geo(depth == 2)
	}
	path := g.path()
	if g.in(4) == 0 {
		return path, g.operand()
	}
	return path, g.operatorObject(depth)
}

func (g *generator) operatorObject(depth int) string {
	var parts []string
	have := map[string]bool{}
	for range 1 + g.in(5)/4 {
		op := operators[g.in(len(operators))]
		if have[op] {
			continue
		}
		have[op] = true
		parts = append(parts, g.operator(op, depth))
	}
	switch g.in(150) {
	case 0:
		parts = append(parts, g.pick(`"$foo":1`, `"x":1`, `"$where":"1"`, `"$options":"m"`, `"$maxDistance":1`))
	case 1:
		parts = append([]string{g.pick(`"$foo":1`, `"x":1`, `"":1`, `"$options":"x"`)}, parts...)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// operand is a value to be compared with, often one that is there.
func (g *generator) operand() string {
	if len(g.seen) > 0 && g.in(2) == 0 {
		return g.seen[g.in(len(g.seen))]
	}
	return g.value(2)
}

func (g *generator) operands(most int) string {
	var parts []string
	for range g.in(most + 1) {
		parts = append(parts, g.operand())
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// operator is one operator with its operand, as members of an object.
func (g *generator) operator(op string, depth int) string {
	member := func(operand string) string { return quote(op) + ":" + operand }
	if g.in(200) == 0 && strings.Contains("$in $nin $all $size $mod $type $regex $elemMatch $not $exists", op) {
		return member(g.value(2)) // mostly of the wrong type
	}
	switch op {
	case "$in", "$nin":
		return member(g.operands(4))
	case "$all":
		if g.in(5) == 0 && depth > 0 {
			return member(`[{` + g.operator("$elemMatch", depth-1) + `}]`)
		}
		return member(g.operands(2))
	case "$exists":
		return member(g.pick("true", "false"))
	case "$size":
		return member(g.mostly([]string{"0", "1", "2", "3", "1.0", "2e0", "100", "-0"}, []string{"-1", "1.5"}))
	case "$mod":
		return member(g.mostly(
			[]string{"[2,0]", "[2,1]", "[3,-1]", "[3,1]", "[-2,1]", "[1,0]", "[4,3]", "[2,2]", "[2.7,1]", "[2,1.9]", "[3,-1.5]", "[9223372036854775807,0]", "[-1,0]", "[10,7]"},
			[]string{"[0,1]", "[0.5,0]", "[2]", "[]", "[2,1,0]", `["2",1]`, "[2,null]", "[9223372036854775808,0]"}))
	case "$type":
		return member(g.mostly(
			[]string{`"number"`, `"string"`, `"object"`, `"array"`, `"bool"`, `"null"`, "2", "3", "4", "8", "10", "1", "16", "18", "19", `"int"`, `"long"`, `"double"`,
				`["null","bool"]`, "[2,3]", `["array",10]`, `"objectId"`, `"date"`, "7", "9", "2.0"},
			[]string{`"foo"`, "99", `"2"`, "1.5", "[]", "true", "[[2]]"}))
	case "$regex":
		text := member(g.mostly(
			[]string{`"^a"`, `"^a"`, `"^$"`, `"^.b"`, `"^a.b"`, `"^b"`, `"^ü"`, `"^[ab]+"`, `"^a b"`, `"^[ ]*a"`, `"^\\w+$"`, `"^(a|b)"`, `"^.$"`, `"^A"`, `"^\\^"`, `"^a\\ b"`, `"^a # x"`, `"^a$"`},
			[]string{`"a"`, `""`, `"^("`, `"^(?=a)"`, `"^(a)\\1"`, `".*a"`, `"^*"`}))
		if g.in(2) == 0 {
			options := `"$options":` + g.mostly([]string{`""`, `"m"`, `"x"`, `"s"`, `"ms"`, `"xs"`}, []string{`"i"`, `"im"`, `"g"`, "1", "null", `"mm"`})
			if g.in(2) == 0 {
				return options + "," + text
			}
			return text + "," + options
		}
		return text
	case "$not":
		if g.in(30) == 0 {
			return member(g.pick("{}", "1", `"^a"`, `{"a":1}`, "null", "[]"))
		}
		return member(g.operatorObject(max(depth-1, 0)))
	case "$elemMatch":
		if depth > 0 && g.in(2) == 0 {
			return member(g.filter(depth - 1))
		}
		return member(g.operatorObject(max(depth-1, 0)))
	}
	return member(g.operand())
}

// Shapes have corners off the whole degrees on which points lie, so that no
// point is on a border.

func (g *generator) coordinate(most int) float64 { return float64(g.in(2*most)-most) + 0.317 }

func (g *generator) corner() string {
	return fmt.Sprintf("[%.3f,%.4f]", g.coordinate(25), g.coordinate(25)+0.0717)
}

func (g *generator) geo(near bool) string {
	switch g.in(40) {
	case 0:
		return g.pick(`{"$maxDistance":5}`, `{"$nearSphere":[1]}`, `{"$nearSphere":[181,0]}`, `{"$nearSphere":[0,91]}`, `{"$nearSphere":["1",2]}`, `{"$nearSphere":[1,2],"$maxDistance":-1}`,
			`{"$nearSphere":[1,2],"$maxDistance":"5"}`, `{"$nearSphere":1}`, `{"$nearSphere":[1,2,3]}`, `{"$near":{}}`, `{"$near":{"$geometry":{"type":"Point","coordinates":[1]}}}`,
			`{"$near":{"$geometry":{"type":"Polygon","coordinates":[1,2]}}}`, `{"$near":{"$geometry":{"type":"Point","coordinates":[1,2]},"$foo":1}}`, `{"$near":[1,2],"$nearSphere":[1,2]}`)
	case 1:
		return g.pick(`{"$within":{}}`, `{"$within":1}`, `{"$within":{"$box":[[1,2]]}}`, `{"$within":{"$box":[[1,2],[3]]}}`, `{"$within":{"$foo":1}}`, `{"$within":{"$polygon":[[1,2],[3,4]]}}`,
			`{"$geoWithin":{"$centerSphere":[[1,2]]}}`, `{"$geoWithin":{"$centerSphere":[[1,2],-1]}}`, `{"$geoWithin":{"$center":[[1,2],"1"]}}`, `{"$geoWithin":{"$geometry":{}}}`,
			`{"$geoWithin":{"$geometry":{"type":"Point","coordinates":[1,2]}}}`, `{"$geoWithin":{"$geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]}}}`, `{"$within":{"box":[[1,2],[3,4]]}}`)
	}
	if near && g.in(2) == 0 || g.in(50) == 0 {
		near := g.pick("$nearSphere", "$nearSphere", "$near")
		if g.in(5) == 0 {
			most := g.pick("", `,"$maxDistance":100300`, `,"$maxDistance":2500.1e3`, `,"$maxDistance":0`)
			return `{"` + near + `":{"$geometry":{"type":"Point","coordinates":` + g.corner() + `}` + most + `}}`
		}
		text := `"` + near + `":` + g.corner()
		if g.in(3) > 0 {
			text += fmt.Sprintf(`,"$maxDistance":%s`, g.pick("0", "1e5", fmt.Sprintf("%.3f", 3000*g.r.Float64()), fmt.Sprintf("%.3f", 3000*g.r.Float64())))
		}
		return "{" + text + "}"
	}
	var shape string
	switch g.in(6) {
	case 4:
		var polygons []string
		for range 1 + g.in(2) {
			ring := g.ring()
			polygons = append(polygons, "[["+strings.Join(append(ring, ring[0]), ",")+"]]")
		}
		shape = `"$geometry":{"type":"MultiPolygon","coordinates":[` + strings.Join(polygons, ",") + `]}`
	case 0:
		shape = fmt.Sprintf(`"$box":[%s,%s]`, g.corner(), g.corner())
	case 1:
		shape = `"$polygon":[` + strings.Join(g.ring(), ",") + `]`
	case 2:
		shape = fmt.Sprintf(`"$center":[%s,%s]`, g.corner(), g.pick("0.123", "5.0303", "17.17", "40.1"))
	case 3:
		shape = fmt.Sprintf(`"$centerSphere":[%s,%s]`, g.corner(), g.pick("0.0123", "0.11", "0.3001", "1.7"))
	default:
		ring := g.ring()
		ring = append(ring, ring[0])
		shape = `"$geometry":{"type":"Polygon","coordinates":[[` + strings.Join(ring, ",") + `]]}`
	}
	return `{"` + g.pick("$within", "$geoWithin") + `":{` + shape + `}}`
}

// ring is a polygon whose sides do not cross: a triangle, or four corners in
// their quarters round a middle.
func (g *generator) ring() []string {
	if g.in(2) == 0 {
		return []string{g.corner(), g.corner(), g.corner()}
	}
	x, y := g.coordinate(15), g.coordinate(15)
	var ring []string
	for _, quarter := range [][2]float64{{1, 1}, {-1, 1}, {-1, -1}, {1, -1}} {
		ring = append(ring, fmt.Sprintf("[%.4f,%.4f]", x+quarter[0]*(0.5+20*g.r.Float64()), y+quarter[1]*(0.5+20*g.r.Float64())))
	}
	return ring
}

func (g *generator) sort() string {
	if g.in(30) == 0 {
		return g.pick("", "{}", "a", "a.b", "-a", `{"a":0}`, `{"a":2}`, `{"a":null}`, `{"a":false}`, `{"a":"x"}`, `{"a":{}}`, `{"a"`, `["a"]`, `{"$a":1}`, `{"a":1,"a":1}`, `{"a":1.5}`)
	}
	var parts []string
	have := map[string]bool{}
	for range 1 + g.in(3) {
		path := g.path()
		if !have[path] {
			parts = append(parts, quote(path)+":"+g.pick("1", "-1", "1", "-1", `"1"`, `"-1"`, "true", "1.0", "-1e0"))
		}
		have[path] = true
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (g *generator) fields() string {
	var parts []string
	for range g.in(4) {
		parts = append(parts, g.pick("a", "b", "a.b", "a.a", "b.b.c", "c", "a.0", "b.ü", "_geoloc", "", "d", "c.a.b"))
	}
	return strings.Join(parts, ",")
}

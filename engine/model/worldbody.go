package model

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The JSON texts that a World sends.

// fields is an object in the making.
type fields struct{ names, values []string }

func (f *fields) add(name, value string) {
	f.names, f.values = append(f.names, name), append(f.values, value)
}

// set replaces a member, or adds it.
func (f *fields) set(name, value string) {
	for i, n := range f.names {
		if n == name {
			f.values[i] = value
			return
		}
	}
	f.add(name, value)
}

func (f *fields) text() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range f.names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(name) + ":" + f.values[i])
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

// text writes a value of the model as JSON, in its order.
func text(v any) string {
	switch v := v.(type) {
	case Object:
		var f fields
		for _, m := range v {
			f.add(m.Name, text(m.Value))
		}
		return f.text()
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, text(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case json.Number:
		return string(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (w *World) number() string {
	return w.pick("0", "1", "2", "3", "4", "-1", "1.5", "1e2", "100", "-0", "1.0", "9007199254740993", "9007199254740992")
}

func (w *World) str() string { return quote(w.pick("", "a", "b", "ab", "B", "ü", "𝄞", "\uffff")) }

// value is a value of the kind that the field has: n numbers, s strings, t
// anything without members, o objects, l lists of scalars, m lists of objects.
func (w *World) value(field string) string {
	if w.in(12) == 0 && field != "l" && field != "m" {
		return "null"
	}
	switch field {
	case "n":
		return w.number()
	case "s":
		return w.str()
	case "t":
		return w.pick(w.number(), w.str(), "true", "false", "null")
	case "o":
		return w.pick(`{"a":1,"b":"x"}`, `{"b":"x","a":1}`, `{"a":`+w.number()+`}`, `{"a":2,"b":null}`, "{}", "5", `"x"`)
	case "l":
		return w.pick("[]", "[1]", "[1,2,3]", `["a","b"]`, `[1,"a",true]`, "[2,1]", "[1.0]")
	}
	return w.pick(`[{"k":1},{"k":2,"j":3}]`, `[{"k":`+w.number()+`}]`, `[{"j":1}]`)
}

func (w *World) entityBody(d *draft, coll string) string {
	switch w.in(100) {
	case 0, 1:
		return w.weirdBody()
	case 2:
		return w.pick("", "[]", "[{}]")
	}
	var f fields
	if d.method == "POST" && w.in(2) == 0 || w.in(10) == 0 {
		f.add("_id", quote(w.entityID(d.app, coll)))
	} else if w.in(10) == 0 {
		f.add("_id", "null")
	}
	for _, name := range []string{"n", "s", "t", "o", "l", "m"} {
		if w.in(2) == 0 {
			f.add(name, w.value(name))
		}
	}
	w.references(d.app, &f)
	switch w.in(6) {
	case 0, 1:
		f.add("_geoloc", w.place())
	case 2:
		if w.in(10) == 0 {
			f.add("_geoloc", w.pick("null", "[181,0]", "[0,91]", "[1]", "[1,2,3]", `["1","2"]`, `{}`, `"x"`))
		}
	}
	if w.in(12) == 0 {
		f.add(w.pick("_x", "ü", "a b", "", "_ACL", "Creator"), w.pick("1", `{"creator":"me","r":["you"]}`))
	}
	w.acl(d, &f, true)
	if w.in(10) == 0 {
		f.add("_kmd", w.pick("null", "{}", `{"local":true}`))
	}
	return f.text()
}

// acl adds an _acl or not. withCreator lets it name one.
func (w *World) acl(d *draft, f *fields, withCreator bool) {
	switch n := w.in(100); {
	case n < 45:
		return
	case n < 50:
		f.add("_acl", "null")
		return
	case n < 53:
		f.add("_acl", "{}")
		return
	}
	var a fields
	add := func(chance int, name string, value func() string) {
		if w.in(100) < chance {
			a.add(name, value())
		}
	}
	global := func() string { return w.pick("true", "true", "false", "false", "null", `"true"`, `"false"`) }
	users := func() string { return w.list(func() string { return w.userID(d.app) }) }
	groups := func() string { return w.list(func() string { return w.groupID(d.app) }) }
	if withCreator {
		add(30, "creator", func() string { return w.pick("null", quote(w.userID(d.app)), quote(w.userID(d.app))) })
	}
	add(30, "gr", global)
	add(30, "gw", global)
	add(30, "r", users)
	add(30, "w", users)
	if w.in(3) == 0 {
		var g fields
		if w.in(3) > 0 {
			g.add("r", groups())
		}
		if w.in(3) > 0 {
			g.add("w", groups())
		}
		a.add("groups", g.text())
	}
	add(5, w.pick("GR", "Creator", "roles", "x"), func() string { return w.pick("true", `"me"`, `{"r":["x"]}`) })
	f.add("_acl", a.text())
}

func (w *World) list(item func() string) string {
	if w.in(10) == 0 {
		return w.pick("null", "[]")
	}
	var parts []string
	for range 1 + w.in(3) {
		parts = append(parts, quote(item()))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func (w *World) groupBody(d *draft, withID bool) string {
	switch w.in(60) {
	case 0:
		return w.weirdBody()
	case 1:
		return w.pick(`{"users":5}`, `{"users":{"list":"x"}}`, `{"users":{"list":[5]}}`, `{"users":{"all":1}}`, `{"groups":{}}`,
			`{"users":{"list":[{"_type":"KinveyRef","_collection":"group","_id":"g1"}]}}`,
			`{"groups":[{"_type":"KinveyRef","_collection":"user","_id":"g1"}]}`)
	}
	var f fields
	if withID && w.in(4) > 0 {
		f.add("_id", w.pick(quote(w.groupID(d.app)), quote(w.groupID(d.app)), quote(w.groupID(d.app)), "null", quote(d.app.Key)))
	}
	if w.in(3) == 0 {
		f.add("name", w.str())
	}
	var users fields
	if w.in(6) == 0 {
		users.add("all", w.pick("true", `"true"`, "false", "null"))
	}
	if w.in(3) > 0 {
		users.add("list", w.refs("user", func() string { return w.userID(d.app) }))
	}
	if w.in(6) > 0 {
		f.add("users", users.text())
	}
	if w.in(5) < 2 {
		f.add("groups", w.refs("group", func() string { return w.groupID(d.app) }))
	}
	if w.in(3) == 0 {
		w.references(d.app, &f)
	}
	w.acl(d, &f, true)
	return f.text()
}

func (w *World) refs(collection string, id func() string) string {
	var parts []string
	for range w.in(4) {
		id := quote(id())
		parts = append(parts, w.pick(id, `{"_id":`+id+`}`,
			`{"_type":"KinveyRef","_collection":`+quote(collection)+`,"_id":`+id+`}`,
			`{"_type":"KinveyRef","_collection":`+quote(collection)+`,"_id":`+id+`}`))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// weirdBody is something that must not be stored as it is.
func (w *World) weirdBody() string {
	return w.pick("{", "nope", `"x"`, "5", "null", "true", `{"a":1}x`, `{"a":1,}`, `{'a':1}`, "{}{}", "\ufeff{}",
		`{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"_acl":{"gr":true,"gr":false}}`, `{"a":1,"\u0061":2}`,
		`{"$a":1}`, `{"a":{"b.c":1}}`, `{"a.b":1}`, `{"a":[{"$b":1}]}`, `{"_acl":{"$x":1}}`,
		strings.Repeat(`{"a":`, 50)+"1"+strings.Repeat("}", 50),
		strings.Repeat("[", 100), `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, "{\"a\":\"\xff\"}", `{"a\u0000":1}`,
		`{"a":`+strings.Repeat("9", 100)+"}",
		`{"_acl":5}`, `{"_acl":[]}`, `{"_acl":"x"}`, `{"_acl":{"r":"x"}}`, `{"_acl":{"gr":1}}`, `{"_acl":{"w":[5]}}`,
		`{"_acl":{"creator":5}}`, `{"_acl":{"groups":[]}}`, `{"_acl":{"groups":{"r":{}}}}`,
		`{"_id":5}`, `{"_id":"_count"}`, `{"_id":""}`, `{"_id":{}}`, `{"_id":".."}`, `{"_id":"a\nb"}`,
		`{"_id":`+quote(strings.Repeat("x", 257))+`}`)
}

func (w *World) filter(a *app) string {
	switch w.in(40) {
	case 0:
		return w.pick(`{"n":{"$foo":1}}`, `{"$foo":1}`, "nope", "[]", "5", `{"n":{"$in":1}}`, `{"$and":{}}`, `{"n":1,"n":2}`,
			`{"n":{"$gt":1,"b":2}}`, `{"n":1`, `{"$or":[5]}`, `{"$or":[{"n":{"$foo":1}}]}`,
			`{"n":{"$not":1}}`, `{"n":{"$size":-1}}`, `{"n":{"$mod":[0,1]}}`, `{"n":{"$mod":[1]}}`, `{"n":{"$type":"x"}}`, `{"s":{"$regex":"a"}}`, `{"s":{"$regex":"^a","$options":"i"}}`,
			`{"s":{"$options":"m"}}`, `{"l":{"$elemMatch":1}}`, `{"l":{"$all":1}}`, `{"$nor":[]}`, `{"_geoloc":{"$maxDistance":1}}`, `{"_geoloc":{"$nearSphere":[1]}}`,
			`{"_geoloc":{"$nearSphere":[181,0]}}`, `{"$or":[{"_geoloc":{"$nearSphere":[0,0]}}]}`, `{"_geoloc":{"$within":{"$polygon":[[0,0],[1,1]]}}}`, `{"_geoloc":{"$within":{"$box":[[0,0],[1,91]]}}}`)
	case 1:
		return w.pick(`{"$where":"true"}`, `{"n":1,"$where":"true"}`)
	}
	if w.in(8) == 0 {
		most := w.pick("", `,"$maxDistance":0`, `,"$maxDistance":300.7`, `,"$maxDistance":700.07`)
		near := `{"_geoloc":{"` + w.pick("$nearSphere", "$nearSphere", "$near") + `":` + w.corner() + most + `}}`
		if w.in(3) == 0 {
			return `{"$and":[` + near + "," + w.condition(a, 1) + `]}`
		}
		return near
	}
	return w.condition(a, 2)
}

func (w *World) shape() string {
	switch w.in(6) {
	case 0:
		return `{"$box":[` + w.corner() + "," + w.corner() + `]}`
	case 1:
		return `{"$center":[` + w.corner() + `,9.0303]}`
	case 2:
		return `{"$centerSphere":[` + w.corner() + `,0.1103]}`
	case 3:
		first := w.corner()
		return `{"$geometry":{"type":"Polygon","coordinates":[[` + first + `,[20.5,-30.25],[-25.5,7.75],` + first + `]]}}`
	}
	return `{"$polygon":[` + w.corner() + `,[20.5,-30.25],[-25.5,7.75]]}`
}

// operators are those on one field that a World asks for, but for places.
var operators = []string{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists",
	"$not", "$all", "$size", "$mod", "$type", "$regex", "$elemMatch"}

// place is a point at whole degrees, off the poles and the line where two
// writings of one place meet; shapes have their corners elsewhere, so that no
// place is on a border.
func (w *World) place() string { return fmt.Sprintf("[%d,%d]", w.in(21)-10, w.in(21)-10) }

func (w *World) corner() string { return fmt.Sprintf("[%d.317,%d.4717]", w.in(21)-10, w.in(21)-10) }

func (w *World) condition(a *app, depth int) string {
	if depth > 0 && w.in(16) == 0 {
		return `{"_geoloc":{"` + w.pick("$geoWithin", "$within") + `":` + w.shape() + `}}`
	}
	switch n := w.in(20); {
	case n < 2:
		return "{}"
	case n < 5 && depth > 0:
		var parts []string
		for range 1 + w.in(3) {
			parts = append(parts, w.condition(a, depth-1))
		}
		return fmt.Sprintf(`{"%s":[%s]}`, w.pick("$and", "$or", "$nor"), strings.Join(parts, ","))
	case n < 7:
		id := quote(w.userID(a))
		return w.pick(`{"_acl.creator":`+id+`}`, `{"_acl":{"creator":`+id+`}}`, `{"_acl.r":`+id+`}`,
			`{"_acl.creator":{"$ne":`+id+`}}`, `{"_acl.groups.r":`+quote(w.groupID(a))+`}`)
	case n < 9:
		ids := []string{quote(w.entityID(a, "books")), quote(w.entityID(a, "notes")), quote(w.userID(a))}
		return w.pick(`{"_id":`+ids[0]+`}`, `{"_id":{"$in":[`+strings.Join(ids, ",")+`]}}`, `{"_id":{"$gt":"e3"}}`,
			`{"username":"ann"}`, `{"username":{"$lt":"c"}}`)
	case n < 10:
		if in := a.collection("books"); in != nil && len(in.records) > 0 {
			r := in.records[w.in(len(in.records))]
			return fmt.Sprintf(`{"_kmd.%s":{"%s":%s}}`, w.pick("lmt", "ect"), w.pick("$gt", "$gte", "$lt", "$lte", "$eq"), quote(r.lmt))
		}
	}
	var f fields
	for range 1 + w.in(2) {
		op := operators[w.in(len(operators))]
		name := w.pick("n", "n", "s", "t", "o", "l", "m", "o.a", "o.b", "l.0", "m.k", "m.0.j")
		switch { // mostly where the operator finds something
		case w.in(3) == 0:
		case op == "$all" || op == "$size":
			name = "l"
		case op == "$elemMatch":
			name = w.pick("l", "m")
		case op == "$regex":
			name = "s"
		case op == "$mod":
			name = "n"
		}
		f.set(name, w.operand(name, op))
	}
	return f.text()
}

// operand is what a field is compared with: a value, or operators.
func (w *World) operand(name, op string) string {
	scalar := func() string {
		switch name {
		case "s", "o.b":
			return w.pick(w.str(), `"x"`)
		case "t":
			return w.pick(w.number(), w.str())
		case "l":
			return w.pick("1", "2", `"a"`)
		}
		return w.number()
	}
	whole := func() string { // also what only equality can find
		switch name {
		case "n", "s", "t", "o", "l":
			return w.value(name)
		}
		return scalar()
	}
	several := func() string {
		var parts []string
		for range w.in(4) {
			parts = append(parts, whole())
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	if w.in(4) == 0 {
		return whole()
	}
	switch op {
	case "$all":
		if w.in(2) == 0 {
			return `{"$all":[` + w.pick("1", "2", "1,2") + `]}` // what lists often hold
		}
		return `{"$all":` + several() + `}`
	case "$in", "$nin":
		return `{"` + op + `":` + several() + `}`
	case "$exists":
		return `{"$exists":` + w.pick("true", "false") + `}`
	case "$gte":
		return `{"$gte":` + scalar() + `,"$lt":` + scalar() + `}`
	case "$eq", "$gt", "$lt", "$lte":
		return `{"` + op + `":` + scalar() + `}`
	case "$ne":
		return `{"$ne":` + whole() + `}`
	case "$not":
		return `{"$not":{"` + w.pick("$gt", "$lt", "$eq") + `":` + scalar() + `}}`
	case "$size":
		return `{"$size":` + w.pick("0", "1", "2", "3", "1.0") + `}`
	case "$mod":
		return `{"$mod":` + w.pick("[2,0]", "[2,1]", "[3,2.5]", "[-2,-1]", "[100,0]") + `}`
	case "$type":
		return `{"$type":` + w.pick("2", "3", "4", "8", "10", "16", `"number"`, `"double"`, `"long"`, `"string"`, `["null","bool"]`, `["array",3]`) + `}`
	case "$regex":
		return w.pick(`{"$regex":"^a"}`, `{"$regex":"^.b"}`, `{"$regex":"^[aü]"}`, `{"$regex":"^$"}`, `{"$options":"x","$regex":"^ a # b"}`, `{"$regex":"^.$","$options":"ms"}`, `{"$regex":"^.?$","$options":"s"}`)
	case "$elemMatch":
		return `{"$elemMatch":` + w.pick(`{"k":`+w.number()+`}`, `{"k":2,"j":3}`, `{"k":{"$exists":true},"j":{"$exists":false}}`, `{"$gte":1,"$lt":2}`, `{"$type":"string"}`, `{"$or":[{"k":1},{"j":1}]}`) + `}`
	}
	return whole()
}

func (w *World) sort() string {
	if w.in(40) == 0 {
		return w.pick(`{"n":"x"}`, `{"n"`, "[1]", `{"n":{}}`)
	}
	return w.pick(`{"n":1}`, `{"n":-1}`, `{"s":1}`, `{"s":-1,"n":1}`, `{"t":1}`, `{"t":-1,"_id":1}`, `{"o.a":1}`, `{"o.a":-1}`,
		`{"_id":1}`, `{"_id":-1}`, `{}`, "n", `{"n":"1"}`, `{"n":"-1"}`, `{"_kmd.ect":1}`, `{"_kmd.lmt":-1}`, `{"_acl.creator":1}`, `{"missing":1}`,
		`{"l":1}`, `{"l":-1,"n":1}`, `{"m.k":1}`, `{"m.k":-1}`, `{"o":1}`, `{"l.1":-1}`, `{"_geoloc":1}`)
}

package model

import "strings"

// The reads that are more than a list.

// groupBy asks for an aggregation.
func (w *World) groupBy(d *draft) {
	d.to("POST", "appdata", d.app.Key, w.pick(w.collectionName(), w.collectionName(), w.collectionName(), "nothing-here"), "_group")
	field := w.pick("n", "n", "n", "s", "t", "none")
	if w.in(6) == 0 {
		d.to("POST", "user", d.app.Key, "_group")
		field = w.pick("n", "n", "first_name", "none")
	}
	if w.in(15) == 0 {
		d.body = w.pick("", "{}", "[]", "5", "{", `{"key":5}`, `{"key":[5]}`, `{"initial":[]}`, `{"reduce":5}`, `{"condition":[]}`,
			`{"condition":{"$where":"x"}}`, `{"reduce":"function(doc,out){ while(true); }"}`, `{"reduce":"out.count++"}`, `{"a":1,"a":2}`)
		return
	}
	reducer := reducers[w.in(len(reducers))]
	var f fields
	add := func(chance int, name, value string) {
		if w.in(100) < chance {
			f.add(name, value)
		}
	}
	add(90, "key", w.pick("{}", "{}", `{"":true}`, `{"n":true}`, `{"s":1}`, `["t"]`, `{"t":true,"s":true}`, `["n","n",""]`, `{"n":false,"s":0}`, "null",
		`{"o":1}`, `{"o.a":true}`, `["l"]`, `["l.0"]`, `{"m.k":true}`, `{"_acl.creator":true}`, `["missing"]`, `["count"]`, `{"result":true}`, `["username"]`))
	add(85, "initial", w.pick(reducer.initial, reducer.initial, reducer.initial, "{}", "null",
		`{"result":null,"count":1.0,"x":[1.50,{"y":"z"}]}`, `{"sum":"a","count":"1","min":true}`))
	add(85, "reduce", quote(strings.ReplaceAll(reducer.text, "FIELD", field)))
	add(10, "reduceFn", quote(reducer.text))
	add(10, "query", w.pick("null", `{"n":1}`))
	if w.in(2) == 0 {
		f.add("condition", w.filter(d.app))
	}
	d.body = f.text()
}

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
	if w.in(3) == 0 {
		f.add("condition", w.filter(d.app))
	}
	d.body = f.text()
}

// resolveQuery asks for references to be resolved, now and then.
func (w *World) resolveQuery(d *draft) {
	if w.in(3) > 0 {
		return
	}
	add := func(name, value string) { d.query = append(d.query, name, value) }
	if n := w.in(5); n < 4 {
		add("resolve", w.pick("ref", "ref", "ref,refs", " ref , o.ref", "refs", "refs,o.ref,refs.ref", "ref,ref.ref,ref.refs", "ref.ref", "n,missing", "ref.1", "ref,"))
	} else {
		add("resolve_depth", w.pick("1", "1", "2", "3", "0"))
	}
	if w.in(3) == 0 {
		add(w.pick("retainReferences", "retainReferences", "retainReference"), w.pick("false", "false", "true", "0"))
	}
	if w.in(40) == 0 {
		d.query = w.pickQuery([]string{"resolve_depth", w.pick("11", "x", "-1", "10", "1.5")},
			[]string{"resolve", strings.Repeat("ref,", w.in(2)+maxResolvePaths-1)})
	}
}

func (w *World) pickQuery(from ...[]string) []string { return from[w.in(len(from))] }

// reference is one, or something like it.
func (w *World) reference(a *app) string {
	coll := w.pick("books", "books", "notes", "c-3_X", "user", "group", "nothing-here")
	id := ""
	switch coll {
	case "user":
		id = w.userID(a)
	case "group":
		id = w.groupID(a)
	default:
		id = w.entityID(a, coll)
	}
	var f fields
	f.add("_type", w.pick(`"KinveyRef"`, `"KinveyRef"`, `"KinveyRef"`, `"KinveyRef"`, `"KinveyRef"`, `"KinveyRef"`, `"KinveyRef"`, `"Other"`))
	f.add("_collection", quote(coll))
	if w.in(20) > 0 {
		f.add("_id", quote(id))
	} else {
		f.add("_id", w.pick("null", "5"))
	}
	if w.in(5) == 0 {
		f.add(w.pick("_obj", "_obj", "more"), w.pick("null", `{"n":1}`, `{"ref":{"_type":"KinveyRef","_collection":"books","_id":"e1","_obj":{}}}`))
	}
	return f.text()
}

// references adds members that refer to other records.
func (w *World) references(a *app, f *fields) {
	if w.in(5) == 0 {
		f.set("ref", w.reference(a))
	}
	if w.in(10) == 0 {
		f.set("refs", "["+w.reference(a)+","+w.pick(w.number(), "{}", w.reference(a))+","+w.reference(a)+"]")
	}
	if w.in(15) == 0 {
		f.set("o", `{"a":`+w.number()+`,"ref":`+w.reference(a)+`}`)
	}
}

// deltaSet asks what has changed since an earlier answer, of a collection that
// mostly remembers.
func (w *World) deltaSet(d *draft) {
	if !w.deltas && w.in(10) > 0 {
		w.listEntities(d)
		return
	}
	coll := w.collectionName()
	if in := d.app.collection(coll); w.deltas && (in == nil || in.delta == nil) && w.in(3) > 0 {
		w.byMaster(d)
		d.to("PUT", "v4", "environments", d.app.Key, "collections", coll)
		d.body = `{"deltaSet":{"enabled":true}}`
		return
	}
	d.to("GET", "appdata", d.app.Key, coll, "_deltaset")
	var starts []start
	for _, s := range d.app.starts {
		if s.coll == coll {
			starts = append(starts, s)
		}
	}
	if len(starts) == 0 || w.in(12) == 0 {
		d.query = []string{"since", w.pick("", "x", "5", "2001-02-03T04:05:06.000Z", "2999-02-03T04:05:06.000Z")}
	} else {
		s := starts[max(0, len(starts)-1-w.in(1+w.in(20)))]
		d.query = []string{"since", w.pick(s.text, s.text, s.text, strings.Replace(s.text, "Z", "+00:00", 1))}
	}
	if w.in(3) == 0 {
		d.query = append(d.query, "query", w.filter(d.app))
	}
}

func (w *World) deltaSetting() string {
	return w.pick(`{"enabled":true}`, `{"enabled":true,"deletedTTLInDays":15}`, `{"enabled":true,"deletedTTLInDays":7}`, `{"enabled":true,"deletedTTLInDays":30}`,
		`{"enabled":true,"deletedTTLInDays":null}`, `{"enabled":false}`, `{"enabled":false,"deletedTTLInDays":3}`, "null",
		w.pick("5", "{}", `{"enabled":"true"}`, `{"enabled":true,"deletedTTLInDays":0}`, `{"enabled":true,"deletedTTLInDays":31}`, `{"enabled":true,"deletedTTLInDays":"3"}`))
}

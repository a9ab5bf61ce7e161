package model

import "strings"

// Groups

func (w *World) putGroup(d *draft) {
	id := w.groupID(d.app)
	if w.in(3) == 0 {
		w.byMaster(d)
	}
	w.byOwner(d, d.app.groups.find(id))
	d.to("PUT", "group", d.app.Key, id)
	d.body = w.groupBody(d, false)
}

func (w *World) postGroup(d *draft) {
	d.to("POST", "group", d.app.Key)
	d.body = w.groupBody(d, true)
}

func (w *World) getGroup(d *draft) {
	d.to("GET", "group", d.app.Key, w.groupID(d.app))
	w.resolveQuery(d)
}

func (w *World) deleteGroup(d *draft) { d.to("DELETE", "group", d.app.Key, w.groupID(d.app)) }

func (w *World) listGroups(d *draft) {
	if w.in(3) > 0 {
		w.byMaster(d)
	}
	d.to("GET", "group", d.app.Key)
}

// Management and the rest

func (w *World) manager(d *draft) {
	if w.in(8) > 0 {
		w.byMaster(d)
	}
}

func (w *World) managedName() string {
	return w.pick(w.collectionName(), w.collectionName(), "user", w.pick("spare", "spare-2", "spare-3", "spare-4", "spare-5"))
}

func (w *World) putCollection(d *draft) {
	w.manager(d)
	d.to("PUT", "v4", "environments", d.app.Key, "collections", w.managedName())
	var f fields
	f.add("permissions", quote(w.pick("append-read", "append-only", "read-only", "read", "write", "full", "shared", "private", "append-read", "append-only", "append-read", "shared")))
	if w.in(2) == 0 {
		f.add("name", quote(d.segments[4]))
	}
	if w.in(3) == 0 {
		f.add("dataLink", "null")
	}
	if w.deltas && w.in(4) == 0 {
		f.add("deltaSet", w.deltaSetting())
	}
	d.body = f.text()
	if w.in(20) == 0 {
		d.body = w.pick(`{"permissions":"nonsense"}`, "{}", `{"permissions":null}`, "{", "[]", `{"permissions":5}`)
	}
}

func (w *World) otherManagement(d *draft) {
	w.manager(d)
	name := w.managedName()
	switch w.in(6) {
	case 0, 1:
		d.to("GET", "v4", "environments", d.app.Key, "collections")
	case 2, 3:
		d.to("GET", "v4", "environments", d.app.Key, "collections", name)
	case 4:
		d.to("POST", "v4", "environments", d.app.Key, "collections")
		d.body = `{"name":` + quote(w.pick("books", "spare", "spare-2", "spare-3", "spare-4")) + `,"permissions":"append-only"}`
		if w.deltas && w.in(3) == 0 {
			d.body = `{"name":` + quote(w.pick("notes", "spare-5")) + `,"deltaSet":` + w.deltaSetting() + `}`
		}
		if w.in(3) == 0 {
			d.body = w.pick(`{"name":"c-3_X"}`, `{"name":"_x"}`, `{"name":"a b"}`)
		}
	default:
		if name == "user" {
			name = "spare"
		}
		d.to("DELETE", "v4", "environments", d.app.Key, "collections", name)
	}
}

func (w *World) handshake(d *draft) {
	d.to("GET", "appdata", d.app.Key)
	if w.in(4) == 0 {
		d.to("GET", "appdata")
	}
}

// oddPath asks for what is not there, or in a way that is not allowed.
func (w *World) oddPath(d *draft) {
	kid := "/" + d.app.Key
	d.method = w.pick("GET", "GET", "PUT", "DELETE", "POST")
	d.body = w.pick("", "{}")
	switch w.in(8) {
	case 0:
		d.raw = w.pick("/nothing", "/nothing"+kid, "/appdata"+kid+"/books/a/b", "/user"+kid+"/a/b/c", "/v4/nothing", "/rpc"+kid+"/nothing", "/")
	case 1:
		d.raw = w.pick("/appdata"+kid+"//a", "/appdata//books/a", "/appdata"+kid+"/books//", "//appdata"+kid, "/user"+kid+"//")
	case 2:
		d.raw = w.pick("/appdata/nobody/books", "/user/nobody", "/group/nobody", "/v4/environments/nobody/collections")
		d.method = w.pick("GET", "POST")
	case 3:
		d.method = w.pick("PUT", "DELETE", "POST")
		d.raw = "/appdata" + kid
	case 4:
		d.raw = w.pick("/appdata"+kid+"/books/e1", "/group"+kid+"/g1", "/user"+kid+"/x")
		d.method = "POST"
	case 5:
		d.raw = w.pick("/appdata"+kid+"/books", "/group"+kid, "/user"+kid)
		d.method = "PUT"
	case 6:
		d.raw = "/appdata" + kid + "/" + w.pick("user", "group", "_blob", "_x", "a%20b", "a.b", "b%C3%BC", "user/e1", "_x/e1", "user/_count")
		if d.method != "GET" && !strings.HasSuffix(d.raw, "/e1") || d.method == "POST" {
			d.method = "GET"
		}
	default:
		d.raw = "/appdata" + kid + "/books/" + w.pick("%00", "a%0Ab", "%2E%2E", "%2e", "%ff", "%7F", "%C2%85")
		if d.method == "POST" {
			d.method = "GET"
		}
	}
	if w.in(6) == 0 && d.raw[len(d.raw)-1] != '/' {
		d.raw += "/"
	}
}

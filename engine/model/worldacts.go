package model

import (
	"fmt"
	"strconv"
)

// What is asked for: one function for each kind of request.

func (d *draft) to(method string, segments ...string) {
	d.method, d.segments = method, segments
}

// Users

// bootstrapper mostly lets the app itself ask, which is what these calls are
// for.
func (w *World) bootstrapper(d *draft) {
	switch w.in(10) {
	case 0: // whoever it was
	case 1:
		w.byMaster(d)
	default:
		w.byApp(d)
	}
}

func (w *World) username() string {
	return w.pick("ann", "bob", "cat", "dan", "eve", "fay", "Bob", "ü", "a b", "ann@example.org")
}

func (w *World) password() string {
	w.passwords++
	return fmt.Sprintf("correct:horse-%d", w.passwords)
}

func (w *World) signUp(d *draft) {
	w.bootstrapper(d)
	d.to("POST", "user", d.app.Key)
	if w.in(8) == 0 {
		d.body = w.pick("", "{}", " {} ")
		return
	}
	var f fields
	switch w.in(30) {
	case 0:
		f.add("username", w.pick("null", `""`))
	case 1:
		f.add("username", w.pick("5", `"a:b"`, `{}`, `"tab\u0009"`, quote(d.app.Key)))
	case 2:
	default:
		f.add("username", quote(w.username()))
	}
	switch w.in(20) {
	case 0:
		f.add("password", w.pick("null", `""`))
	case 1:
	case 2:
		f.add("password", w.pick("5", "[]"))
	default:
		f.add("password", quote(w.password()))
	}
	w.userFields(&f)
	w.references(d.app, &f)
	w.acl(d, &f, false)
	if w.in(10) == 0 {
		f.add("_id", w.pick("null", `"mine"`))
	}
	d.body = f.text()
}

func (w *World) userFields(f *fields) {
	for _, name := range []string{"email", "first_name", "last_name", "n", "s"} {
		if w.in(3) > 0 {
			continue
		}
		if name == "n" {
			f.add(name, w.number())
		} else {
			f.add(name, quote(w.pick("x", "y", "z@example.org", "ü")))
		}
	}
}

func (w *World) logIn(d *draft) {
	w.bootstrapper(d)
	d.to("POST", "user", d.app.Key, "login")
	users := d.app.users.records // suspended ones too
	if w.in(20) == 0 || len(users) == 0 {
		d.body = w.pick("", "{}", `{"username":"ann"}`, `{"password":"x"}`, `{"username":null,"password":null}`,
			"{", "[]", `{"username":"nobody","password":"x"}`)
		return
	}
	u := users[w.in(len(users))]
	name, _ := u.body.get("username")
	password := u.password
	if w.in(12) == 0 {
		password = w.pick("wrong", password+"x", "ann")
	}
	var f fields
	f.add("username", quote(name.(string)))
	f.add("password", quote(password))
	d.body = f.text()
}

func (w *World) logOut(d *draft) {
	d.to("POST", "user", d.app.Key, "_logout")
	d.body = w.pick("", "", "{}")
}

func (w *World) me(d *draft) { d.to("GET", "user", d.app.Key, "_me") }

func (w *World) getUser(d *draft) {
	id := w.userID(d.app)
	if w.gone != "" && w.in(4) == 0 {
		id = w.gone
		w.byMaster(d)
	}
	d.to("GET", "user", d.app.Key, id)
}

func (w *World) listUsers(d *draft) {
	d.to("GET", "user", d.app.Key)
	w.listQuery(d)
	w.resolveQuery(d)
}

func (w *World) countUsers(d *draft) {
	d.to("GET", "user", d.app.Key, "_count")
	if w.in(4) > 0 {
		d.query = []string{"query", w.filter(d.app)}
	}
}

func (w *World) usernameExists(d *draft) {
	w.bootstrapper(d)
	d.to("POST", "rpc", d.app.Key, "check-username-exists")
	d.body = `{"username":` + quote(w.pick(w.username(), "nobody", d.app.Key)) + `}`
	if w.in(10) == 0 {
		d.body = w.pick("", "{}", `{"username":null}`, "{", "[]")
	}
}

func (w *World) resetPassword(d *draft) {
	w.bootstrapper(d)
	d.to("POST", "rpc", d.app.Key, w.pick(w.username(), "nobody"), "user-password-reset-initiate")
	d.body = w.pick("", "{}")
}

func (w *World) lookup(d *draft) {
	d.to("POST", "user", d.app.Key, "_lookup")
	name, id := quote(w.username()), quote(w.userID(d.app))
	d.body = w.pick("", "{}", `{"username":`+name+`}`, `{"username":`+name+`}`, `{"_id":`+id+`}`,
		`{"_id":{"$in":[`+id+`,"x"]}}`, `{"email":"x"}`, `{"email":{"$exists":true}}`, `{"first_name":null}`,
		`{"$or":[{"username":`+name+`},{"last_name":{"$ne":"y"}}]}`, `{"username":{"$gt":"b"}}`,
		`{"n":1}`, `{"_acl.creator":`+id+`}`, `{"password":"x"}`, `{"username":"x","$or":[{"n":{"$exists":true}}]}`,
		`{"username":{"$regex":"^[a-c]"}}`, `{"email":{"$type":"string"}}`, `{"$nor":[{"n":1}]}`, `{"username":{"$not":{"$gt":"b"}}}`,
		`{"_geoloc":{"$nearSphere":[1,2]}}`, `{"username":{"$regex":"a"}}`,
		`{"username":{"$foo":1}}`, `{`, `[]`, `{"username":"x","username":"y"}`)
}

func (w *World) putUser(d *draft) {
	id := w.userID(d.app)
	if d.user != nil && w.in(10) < 6 {
		id = d.user.id
	}
	self := d.user != nil && d.user.id == id
	master := d.user == nil && d.good
	d.to("PUT", "user", d.app.Key, id)
	if w.in(20) == 0 {
		d.body = w.weirdBody()
		return
	}
	var f fields
	if u := d.app.users.find(id); u != nil && w.in(4) == 0 { // echo
		for _, m := range u.doc() {
			f.add(m.Name, text(m.Value))
		}
		if d.user == u && len(d.app.sessions) > 0 {
			f.set("_kmd", `{"lmt":"2020-01-01T00:00:00.000Z","authtoken":`+quote(d.app.sessions[0].token)+`}`)
		}
		if self && w.in(3) == 0 {
			f.add("password", quote(u.password))
		}
		d.body = f.text()
		return
	}
	if w.in(6) == 0 && (self || master) {
		f.add("password", quote(w.password()))
		if w.in(3) == 0 {
			d.body = f.text()
			return
		}
	} else if w.in(30) == 0 {
		f.add("password", w.pick("null", quote(w.password())))
	} else if self && w.in(30) == 0 {
		f.add("password", w.pick(`""`, "5", "{}"))
	}
	if w.in(4) == 0 {
		f.add("username", quote(w.username()))
	} else if (self || master) && w.in(40) == 0 {
		f.add("username", w.pick("5", `"a:b"`, quote(d.app.Key)))
	}
	w.userFields(&f)
	w.references(d.app, &f)
	w.acl(d, &f, false)
	if w.in(6) == 0 {
		f.add("_id", quote(w.userID(d.app)))
	}
	d.body = f.text()
}

func (w *World) deleteUser(d *draft) {
	w.gone = w.userID(d.app)
	d.to("DELETE", "user", d.app.Key, w.gone)
	switch w.in(8) {
	case 0, 1, 2:
		d.query = []string{"hard", "true"}
	case 3:
		d.query = []string{"hard", "false"}
	case 4:
		d.query = []string{"soft", "true"}
	}
	if w.in(6) == 0 && d.good {
		d.version = w.pick("0", "1", "2")
	}
}

func (w *World) deleteUsers(d *draft) {
	if w.in(4) > 0 {
		w.byMaster(d)
	}
	d.to("DELETE", "user", d.app.Key)
	if w.in(12) > 0 {
		d.query = []string{"query", w.filter(d.app)}
	}
	if w.in(4) == 0 {
		d.query = append(d.query, "hard", w.pick("true", "false"))
	}
}

// restoreUser mostly asks for somebody who is suspended.
func (w *World) restoreUser(d *draft) {
	if w.in(5) > 0 {
		w.byMaster(d)
	}
	id := w.userID(d.app)
	if w.gone != "" && w.in(3) > 0 {
		id = w.gone
	}
	d.to("POST", "user", d.app.Key, id, "_restore")
	d.body = w.pick("", "", "{}")
}

func (w *World) endTokens(d *draft) {
	id := w.userID(d.app)
	if d.user != nil && w.in(3) > 0 {
		id = d.user.id
	}
	d.to("DELETE", "user", d.app.Key, id, "tokens")
}

// Entities

func (w *World) createEntity(d *draft) {
	coll := w.collectionName()
	if in := d.app.collection(coll); in != nil && len(in.records) > 40 {
		w.byMaster(d)
		d.to("DELETE", "appdata", d.app.Key, coll)
		d.query = []string{"query", "{}"}
		return
	}
	d.to("POST", "appdata", d.app.Key, coll)
	if d.body = w.entityBody(d, coll); w.in(6) == 0 {
		d.body = w.many(d, coll)
	}
}

func (w *World) putEntity(d *draft) {
	coll := w.collectionName()
	id := w.entityID(d.app, coll)
	w.byOwner(d, d.app.collection(coll).find(id))
	d.to("PUT", "appdata", d.app.Key, coll, id)
	d.body = w.entityBody(d, coll)
	in := d.app.collection(coll)
	if in == nil || w.in(5) > 0 {
		return
	}
	if r := in.find(id); r != nil { // echo, as the SDKs do
		var f fields
		for _, m := range r.doc() {
			f.add(m.Name, text(m.Value))
		}
		if w.in(3) == 0 { // as .NET does
			f.set("_acl", `{"creator":`+quote(r.acl.Creator)+`,"gr":false,"gw":false,"r":[],"w":[],"groups":{"r":[],"w":[]}}`)
		}
		f.set("n", w.number())
		d.body = f.text()
	}
}

func (w *World) getEntity(d *draft) {
	coll := w.collectionName()
	id := w.entityID(d.app, coll)
	w.byOwner(d, d.app.collection(coll).find(id))
	d.to("GET", "appdata", d.app.Key, coll, id)
	w.resolveQuery(d)
}

func (w *World) deleteEntity(d *draft) {
	coll := w.collectionName()
	id := w.entityID(d.app, coll)
	w.byOwner(d, d.app.collection(coll).find(id))
	d.to("DELETE", "appdata", d.app.Key, coll, id)
}

func (w *World) listEntities(d *draft) {
	d.to("GET", "appdata", d.app.Key, w.pick(w.collectionName(), w.collectionName(), w.collectionName(), w.collectionName(), "nothing-here"))
	w.listQuery(d)
	w.resolveQuery(d)
}

func (w *World) countEntities(d *draft) {
	d.to("GET", "appdata", d.app.Key, w.collectionName(), "_count")
	if w.in(4) > 0 {
		d.query = []string{"query", w.filter(d.app)}
	}
}

func (w *World) deleteByQuery(d *draft) {
	d.to("DELETE", "appdata", d.app.Key, w.pick(w.collectionName(), w.collectionName(), w.collectionName(), "nothing-here"))
	if w.in(12) > 0 {
		d.query = []string{"query", w.filter(d.app)}
	}
}

func (w *World) listQuery(d *draft) {
	if w.in(10) < 6 {
		d.query = append(d.query, "query", w.filter(d.app))
	}
	if w.in(10) < 4 {
		d.query = append(d.query, "sort", w.sort())
	}
	if w.in(10) < 3 {
		d.query = append(d.query, "skip", strconv.Itoa(w.in(6)))
	}
	if w.in(10) < 4 {
		d.query = append(d.query, "limit", strconv.Itoa(w.in(8)))
	}
	if w.in(80) == 0 {
		d.query = []string{w.pick("skip", "limit"), w.pick("-1", "x", "1.5", "1e1")}
	}
	if w.in(10) < 2 {
		d.query = append(d.query, "fields", w.pick("n", "n,s", "o.a", "o", "_id", "l,missing", "s,o.b,t", "m.k", "username"))
	}
}

package engine_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// What a client must find, point by point, numbered as in the contract that the
// server was built to. The numbers that are missing here have tests of their
// own: 21 is TestReducersOfClients and TestGroupForClients, 22 TestQueryPlaces,
// 23 waits for Mobile Identity Connect (its 404 and sign-up are
// TestIdentityDance), 24 TestResponseWrapper.
func TestChecklist(t *testing.T) {
	type world struct {
		*server
		t          *testing.T
		alice, bob user
	}
	version := func(v string) []string { return []string{"X-Kinvey-Api-Version", v} }
	data := func(path string) string { return "/appdata/" + kid + "/" + path }
	insufficient := "InsufficientCredentials"
	for _, c := range []struct {
		name string
		do   func(w *world)
	}{
		{"01 every body is JSON and says so, 204 has none", func(w *world) {
			for _, a := range []answer{
				w.do("GET", "/appdata", "", ""), w.do("GET", data("c"), w.alice.session(), ""), w.do("GET", data("c/none"), w.alice.session(), ""),
				w.do("GET", "/nowhere", "", ""), w.do("PATCH", data("c"), "", ""), w.do("POST", data("c"), w.alice.session(), "{"), w.do("GET", data("c"), "", ""),
				w.do("GET", "/v4/environments/"+kid+"/collections", asMaster, ""), w.do("GET", data("c"), asMaster, "", version("9")...),
			} {
				if a.header["Content-Type"] != "application/json; charset=utf-8" || !json.Valid(a.body) {
					w.t.Errorf("%d %q %s", a.status, a.header["Content-Type"], a.body)
				}
			}
			if a := w.want(w.do("POST", "/user/"+kid+"/_logout", w.alice.session(), ""), 204, ""); len(a.body) > 0 { // this client makes up a Content-Type
				w.t.Errorf("204: %q", a.body)
			}
		}},
		{"02 a slash at the end, unknown parameters, names of headers in any case", func(w *world) {
			want := w.do("GET", "/user/"+kid, w.alice.session(), "").body
			for _, path := range []string{"/user/" + kid + "/", "/user/" + kid + "/?_=0.5&nonsense=1"} {
				if a := w.do("GET", path, w.alice.session(), ""); a.status != 200 || string(a.body) != string(want) {
					w.t.Errorf("%s: %d %s", path, a.status, a.body)
				}
			}
			w.want(w.do("GET", "/user/"+kid, "", "", "aUTHORIZATION", w.alice.session(), "x-KINVEY-api-VERSION", "3"), 200, "")
		}},
		{"03 a sign-up without a body", func(w *world) {
			for v, token := range map[string]bool{"3": true, "4": true, "5": true, "6": false} {
				a := w.want(w.do("POST", "/user/"+kid, asApp, "", version(v)...), 201, "").json(w.t)
				if p, _ := get(a, "password").(string); p == "" || (get(a, "_kmd", "authtoken") != nil) != token {
					w.t.Errorf("version %s: %v", v, a)
				}
			}
		}},
		{"04 a fresh entity", func(w *world) {
			a := w.want(w.do("POST", data("c"), w.alice.session(), `{"_id":"e"}`), 201, "").json(w.t)
			if !reflect.DeepEqual(get(a, "_acl"), map[string]any{"creator": w.alice.id}) || get(a, "_kmd", "lmt") != get(a, "_kmd", "ect") {
				w.t.Errorf("created: %v", a)
			}
			b := w.want(w.do("PUT", data("c/e"), w.alice.session(), `{}`), 200, "").json(w.t)
			if !(get(b, "_kmd", "lmt").(string) > get(b, "_kmd", "ect").(string)) || get(b, "_kmd", "ect") != get(a, "_kmd", "ect") {
				w.t.Errorf("saved: %v", b)
			}
		}},
		{"05 null for what the server sets", func(w *world) {
			a := w.want(w.do("POST", data("c"), w.alice.session(), `{"_id":null,"_acl":null,"_kmd":null,"x":null}`), 201, "").json(w.t)
			if id, _ := get(a, "_id").(string); len(id) != 24 || get(a, "_acl", "creator") != w.alice.id {
				w.t.Errorf("%v", a)
			}
		}},
		{"06 a user's own PUT has his token, and a new password a new one", func(w *world) {
			path := "/user/" + kid + "/" + w.alice.id
			a := w.want(w.do("PUT", path, w.alice.session(), `{"username":"alice","x":1}`), 200, "").json(w.t)
			if get(a, "_kmd", "authtoken") != w.alice.token {
				w.t.Errorf("%v", a)
			}
			a = w.want(w.do("PUT", path, w.alice.session(), `{"password":"another"}`), 200, "").json(w.t)
			fresh, _ := get(a, "_kmd", "authtoken").(string)
			w.want(w.do("GET", path, "Kinvey "+fresh, ""), 200, "")
			w.want(w.do("GET", path, w.alice.session(), ""), 401, "InvalidCredentials")
		}},
		{"07 a logout ends one session", func(w *world) {
			other, _ := get(w.want(w.do("POST", "/user/"+kid+"/login", asApp, `{"username":"alice","password":"alice"}`), 200, "").json(w.t), "_kmd", "authtoken").(string)
			w.want(w.do("POST", "/user/"+kid+"/_logout", w.alice.session(), ""), 204, "")
			w.want(w.do("GET", "/user/"+kid+"/_me", w.alice.session(), ""), 401, "InvalidCredentials")
			w.want(w.do("GET", "/user/"+kid+"/_me", "Kinvey "+other, ""), 200, "")
		}},
		{"08 not allowed is never not authenticated", func(w *world) {
			w.setLevel("deals", "read-only")
			w.want(w.do("PUT", data("c/mine"), w.alice.session(), `{"_acl":{"gr":false}}`), 201, "")
			group := "/group/" + kid
			for _, a := range []answer{
				w.do("POST", data("deals"), w.bob.session(), `{}`), w.do("GET", data("c/mine"), w.bob.session(), ""), w.do("PUT", data("c/mine"), w.bob.session(), `{}`),
				w.do("DELETE", data("c/mine"), w.bob.session(), ""), w.do("PUT", "/user/"+kid+"/"+w.alice.id, w.bob.session(), `{}`),
				w.do("DELETE", "/user/"+kid+"/"+w.alice.id, w.bob.session(), ""), w.do("GET", group, w.bob.session(), ""), w.do("GET", data("c"), asApp, ""),
				w.do("POST", "/user/"+kid+"/"+w.alice.id+"/_restore", w.alice.session(), ""),
			} {
				w.want(a, 401, insufficient)
			}
		}},
		{"09 a collection that is not there", func(w *world) {
			for path, want := range map[string]string{"none": "[]", "none/_count": `{"count":0}`} {
				if a := w.want(w.do("GET", data(path), w.alice.session(), ""), 200, ""); string(a.body) != want {
					w.t.Errorf("%s: %s", path, a.body)
				}
			}
			if a := w.want(w.do("POST", data("none/_group"), w.alice.session(), `{"key":{},"initial":{"count":0},"reduce":"function(doc,out){ out.count++; }"}`), 200, ""); string(a.body) != "[]" {
				w.t.Errorf("group: %s", a.body)
			}
			w.want(w.do("GET", data("none/x"), w.alice.session(), ""), 404, "EntityNotFound")
			w.want(w.do("DELETE", data(`none?query={}`), w.alice.session(), ""), 200, "")
			if a := w.do("GET", "/v4/environments/"+kid+"/collections", asMaster, ""); strings.Contains(string(a.body), "none") {
				w.t.Errorf("reading made it: %s", a.body)
			}
		}},
		{"10 Shared: others read and do not write; gr:false hides", func(w *world) {
			w.want(w.do("PUT", data("c/e"), w.alice.session(), `{}`), 201, "")
			w.want(w.do("GET", data("c/e"), w.bob.session(), ""), 200, "")
			w.want(w.do("PUT", data("c/e"), w.bob.session(), `{}`), 401, insufficient)
			w.want(w.do("DELETE", data("c/e"), w.bob.session(), ""), 401, insufficient)
			w.want(w.do("PUT", data("c/e"), w.alice.session(), `{"_acl":{"gr":false}}`), 200, "")
			w.want(w.do("PUT", data("c/points"), w.bob.session(), `{"r":`+ref("c", "e")+`}`), 201, "")
			w.want(w.do("GET", data("c/e"), w.bob.session(), ""), 401, insufficient)
			for path, want := range map[string]string{`c?query={"_id":"e"}`: "[]", `c/_count?query={"_id":"e"}`: `{"count":0}`} {
				if a := w.do("GET", data(path), w.bob.session(), ""); string(a.body) != want {
					w.t.Errorf("%s: %s", path, a.body)
				}
			}
			if a := w.do("GET", data("c/points?resolve=r"), w.bob.session(), ""); strings.Contains(string(a.body), "_obj") {
				w.t.Errorf("resolved: %s", a.body)
			}
		}},
		{"11 Private: one's own, and what was granted", func(w *world) {
			w.setLevel("p", "private")
			w.want(w.do("PUT", "/group/"+kid+"/crew", asMaster, `{"users":{"list":[{"_id":"`+w.bob.id+`"}]}}`), 201, "")
			for id, acl := range map[string]string{"hidden": `{}`, "all": `{"gr":true}`, "one": `{"r":["` + w.bob.id + `"]}`, "some": `{"groups":{"r":["crew"]}}`} {
				w.want(w.do("PUT", data("p/"+id), w.alice.session(), `{"_acl":`+acl+`}`), 201, "")
			}
			w.want(w.do("PUT", data("p/own"), w.bob.session(), `{}`), 201, "")
			if got := ids(w.t, w.do("GET", data(`p?sort={"_id":1}`), w.bob.session(), "")); fmt.Sprint(got) != "[all one own some]" {
				w.t.Errorf("bob reads %v", got)
			}
		}},
		{"12 write without read", func(w *world) {
			for _, id := range []string{"x", "y"} {
				w.want(w.do("PUT", data("c/"+id), w.alice.session(), `{"secret":1,"_acl":{"gr":false,"w":["`+w.bob.id+`"]}}`), 201, "")
			}
			w.want(w.do("GET", data("c/x"), w.bob.session(), ""), 401, insufficient)
			if a := w.want(w.do("PUT", data("c/x"), w.bob.session(), `{"mine":1}`), 200, ""); strings.Contains(string(a.body), "secret") {
				w.t.Errorf("he is shown %s", a.body)
			}
			w.want(w.do("DELETE", data("c/y"), w.bob.session(), ""), 200, "")
			if got := ids(w.t, w.do("GET", data("c"), w.bob.session(), "")); len(got) > 0 {
				w.t.Errorf("bob lists %v", got)
			}
		}},
		{"13 a writer echoes an ACL as .NET makes it", func(w *world) {
			w.want(w.do("PUT", data("c/e"), w.alice.session(), `{"_acl":{"w":["`+w.bob.id+`"]}}`), 201, "")
			before := get(w.do("GET", data("c/e"), w.alice.session(), "").json(w.t), "_acl")
			w.want(w.do("PUT", data("c/e"), w.bob.session(), `{"_acl":{"creator":null,"gr":false,"gw":false,"r":[],"w":[],"groups":{"r":[],"w":[]}}}`), 200, "")
			if after := get(w.do("GET", data("c/e"), w.alice.session(), "").json(w.t), "_acl"); !reflect.DeepEqual(before, after) {
				w.t.Errorf("the ACL is %v, was %v", after, before)
			}
		}},
		{"14 who changes permissions, and the creator", func(w *world) {
			a := w.want(w.do("PUT", data("c/e"), w.alice.session(), `{"_acl":{"creator":"`+w.bob.id+`","gr":true}}`), 201, "").json(w.t)
			if get(a, "_acl", "creator") != w.alice.id {
				w.t.Errorf("%v", a)
			}
			a = w.want(w.do("PUT", data("c/e"), w.alice.session(), `{"_acl":{"creator":"`+w.bob.id+`","gr":false}}`), 200, "").json(w.t)
			if get(a, "_acl", "creator") != w.alice.id || get(a, "_acl", "gr") != false {
				w.t.Errorf("%v", a)
			}
			a = w.want(w.do("PUT", data("c/e"), asMaster, `{"_acl":{"creator":"`+w.bob.id+`"}}`), 200, "").json(w.t)
			if get(a, "_acl", "creator") != w.bob.id {
				w.t.Errorf("by the master: %v", a)
			}
		}},
		{"15 membership as of now", func(w *world) {
			w.setLevel("p", "private")
			w.want(w.do("PUT", data("p/e"), w.alice.session(), `{"_acl":{"groups":{"r":["outer"]}}}`), 201, "")
			reads := func(want bool, why string) {
				w.t.Helper()
				if a := w.do("GET", data("p/e"), w.bob.session(), ""); (a.status == 200) != want {
					w.t.Errorf("%s: %d", why, a.status)
				}
			}
			set := func(id, body string) { w.do("PUT", "/group/"+kid+"/"+id, asMaster, body) }
			set("outer", `{"groups":[{"_type":"KinveyRef","_collection":"group","_id":"inner"}]}`)
			reads(false, "in no group")
			set("inner", `{"users":{"list":[{"_id":"`+w.bob.id+`"}]}}`)
			reads(true, "in a nested group")
			set("inner", `{}`)
			reads(false, "left")
			set("outer", `{"users":{"all":true}}`)
			reads(true, "everybody")
			set("outer", `{"users":{"all":false}}`)
			reads(false, "nobody")
		}},
		{"16 and 10.2 groups", func(w *world) {
			created := w.want(w.do("POST", "/group/"+kid+"/", w.alice.session(), `{"name":"crew","users":{"list":[{"_type":"KinveyRef","_collection":"user","_id":"`+w.bob.id+`"}]}}`), 201, "").json(w.t)
			id, _ := get(created, "_id").(string)
			path := "/group/" + kid + "/" + id
			w.want(w.do("PUT", "/group/"+kid+"/testGroup", w.alice.session(), `{"users":{"all":"true"}}`), 201, "") // PUT makes it
			w.want(w.do("GET", path, w.bob.session(), ""), 200, "")
			w.want(w.do("PUT", path, w.bob.session(), `{"users":{"all":true}}`), 401, insufficient)
			w.want(w.do("DELETE", path, w.bob.session(), ""), 401, insufficient)
			w.want(w.do("PUT", path, w.alice.session(), `{"name":"the crew"}`), 200, "")
			w.want(w.do("GET", "/group/"+kid, w.alice.session(), ""), 401, insufficient)
			if got := ids(w.t, w.do("GET", "/group/"+kid, asMaster, "")); len(got) != 2 {
				w.t.Errorf("the master lists %v", got)
			}
			if a := w.want(w.do("DELETE", path, w.alice.session(), ""), 200, ""); string(a.body) != `{"count":1}` {
				w.t.Errorf("%s", a.body)
			}
			w.want(w.do("GET", path, w.alice.session(), ""), 404, "EntityNotFound")
		}},
		{"17 lookup", func(w *world) {
			w.setLevel("user", "private")
			look := func() []any {
				return w.want(w.do("POST", "/user/"+kid+"/_lookup", w.bob.session(), `{"username":"alice"}`), 200, "").json(w.t).([]any)
			}
			if got := look(); len(got) != 1 || !reflect.DeepEqual(got[0], map[string]any{"_id": w.alice.id, "username": "alice"}) {
				w.t.Errorf("%v", got)
			}
			w.want(w.do("DELETE", "/user/"+kid+"/"+w.alice.id, w.alice.session(), ""), 204, "")
			if got := look(); len(got) != 0 {
				w.t.Errorf("a suspended user: %v", got)
			}
		}},
		{"18 a suspended user's name is taken, a deleted one's is not", func(w *world) {
			exists := func() string {
				return string(w.want(w.do("POST", "/rpc/"+kid+"/check-username-exists", asApp, `{"username":"alice"}`), 200, "").body)
			}
			w.want(w.do("DELETE", "/user/"+kid+"/"+w.alice.id, w.alice.session(), ""), 204, "")
			if exists() != `{"usernameExists":true}` {
				w.t.Error("suspended: " + exists())
			}
			w.want(w.do("DELETE", "/user/"+kid+"/"+w.alice.id+"?hard=true", asMaster, ""), 204, "")
			if exists() != `{"usernameExists":false}` {
				w.t.Error("deleted: " + exists())
			}
		}},
		{"19 count and delete ignore order and window", func(w *world) {
			for range 3 {
				w.want(w.do("POST", data("c"), w.alice.session(), `{}`), 201, "")
			}
			window := "?query={}&limit=1&skip=1&sort=" + url.QueryEscape(`{"a":1}`)
			for _, q := range [][2]string{{"GET", data("c/_count") + window}, {"DELETE", data("c") + window}} {
				if a := w.want(w.do(q[0], q[1], w.alice.session(), ""), 200, ""); string(a.body) != `{"count":3}` {
					w.t.Errorf("%s: %s", q[0], a.body)
				}
			}
			w.want(w.do("DELETE", data("c"), w.alice.session(), ""), 400, "MissingQuery")
		}},
		{"20 arrays", func(w *world) {
			w.want(w.insertMany(w.alice.session(), "c", `[{},{}]`, "5"), 201, "")
			w.want(w.insertMany(w.alice.session(), "c", `[{},5]`, "6"), 207, "")
			w.want(w.insertMany(w.alice.session(), "c", `[{}]`, "4"), 400, "FeatureUnavailable")
		}},
		{"25 delta set where it is off", func(w *world) {
			w.want(w.do("GET", data("c/_deltaset?since=2026-01-01T00:00:00.000Z"), w.alice.session(), ""), 403, "MissingConfiguration")
		}},
		{"26 the master does everything, the app secret nothing with data", func(w *world) {
			w.want(w.do("PUT", data("c/e"), w.alice.session(), `{"_acl":{"gr":false}}`), 201, "")
			w.want(w.do("GET", data("c/e"), asMaster, ""), 200, "")
			w.want(w.do("PUT", data("c/e"), asMaster, `{"_acl":{"creator":"`+w.bob.id+`","gr":false}}`), 200, "")
			w.want(w.do("GET", data("c/e"), w.alice.session(), ""), 401, insufficient)
			w.want(w.do("GET", data("c/e"), w.bob.session(), ""), 200, "")
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				w.want(w.do(method, data("c/e"), asApp, `{}`), 401, insufficient)
			}
			w.want(w.do("DELETE", data("c/e"), asMaster, ""), 200, "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			c.do(&world{s, t, s.signUp("alice"), s.signUp("bob")})
		})
	}
}

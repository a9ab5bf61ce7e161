package model

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A recorder is a testing.TB that remembers failure instead of failing.
type recorder struct {
	testing.TB
	message string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.message += fmt.Sprintf(format, args...) }

// TestDriveFindsMistakes spoils the server's answers in one way at a time and
// demands that Drive says so.
func TestDriveFindsMistakes(t *testing.T) {
	get := func(prefix string) func(Request) bool {
		return func(req Request) bool { return req.Method == "GET" && strings.HasPrefix(req.Path, prefix) }
	}
	put := func(req Request) bool { return req.Method == "PUT" && strings.HasPrefix(req.Path, "/appdata/") }
	list := func(change func([]any) []any) func(*Response) {
		return func(r *Response) {
			if l, ok := r.Body.([]any); ok && len(l) > 1 {
				r.Body = change(l)
			}
		}
	}
	member := func(change func(map[string]any)) func(*Response) {
		return func(r *Response) {
			if m, ok := r.Body.(map[string]any); ok && r.Error == "" {
				change(m)
			}
		}
	}
	kmd := func(name string, value any) func(*Response) {
		return member(func(m map[string]any) {
			if k, ok := m["_kmd"].(map[string]any); ok {
				k[name] = value
			}
		})
	}
	ends := func(suffix string) func(Request) bool {
		return func(req Request) bool {
			path, _, _ := strings.Cut(req.Path, "?")
			return strings.HasSuffix(strings.TrimSuffix(path, "/"), suffix)
		}
	}
	resolves := func(req Request) bool { return strings.Contains(req.Path, "resolve=") }
	reference := func(change func(map[string]any)) func(*Response) {
		return func(r *Response) { eachReference(r.Body, change) }
	}
	for name, c := range map[string]struct {
		when  func(Request) bool
		spoil func(*Response)
	}{
		"an entity hidden":          {get("/appdata/"), list(func(l []any) []any { return l[1:] })},
		"an entity twice":           {get("/appdata/"), list(func(l []any) []any { return append(l, l[0]) })},
		"two entities exchanged":    {get("/appdata/"), list(func(l []any) []any { l[0], l[1] = l[1], l[0]; return l })},
		"the count is one too many": {get("/appdata/"), member(func(m map[string]any) { addOne(m) })},
		"a denial called the other": {get("/appdata/"), func(r *Response) {
			if r.Error == "InsufficientCredentials" {
				r.Error = "InvalidCredentials"
			}
		}},
		"hidden as if missing": {get("/appdata/"), func(r *Response) {
			if r.Error == "InsufficientCredentials" {
				*r = refuse("EntityNotFound")
			}
		}},
		"a field dropped": {get("/appdata/"), member(func(m map[string]any) { delete(m, "n") })},
		"a field added":   {get("/appdata/"), member(func(m map[string]any) { m["new"] = true })},
		"a number in another form": {get("/appdata/"), member(func(m map[string]any) {
			if m["n"] == json.Number("1e2") {
				m["n"] = json.Number("100")
			}
		})},
		"a default in a fresh ACL": {func(req Request) bool { return req.Method == "POST" && strings.HasPrefix(req.Path, "/appdata") },
			member(func(m map[string]any) {
				if a, ok := m["_acl"].(map[string]any); ok {
					a["gr"] = nil
				}
			})},
		"lmt that stays":               {put, kmd("lmt", "1970-01-01T00:00:00.000Z")},
		"ect that moves":               {put, kmd("ect", "2070-01-01T00:00:00.000Z")},
		"a time in another form":       {put, kmd("lmt", "2020-01-01T00:00:00Z")},
		"a token in a record":          {get("/user/kid_one/0"), kmd("authtoken", strings.Repeat("0", 81))},
		"a token that was used before": {func(req Request) bool { return strings.Contains(req.Path, "/login") }, kmd("authtoken", "00000000-0000-4000-8000-000000000000."+strings.Repeat("A", 43)+"=")},
		"a password in a login":        {func(req Request) bool { return strings.Contains(req.Path, "/login") }, member(func(m map[string]any) { m["password"] = "x" })},
		"a group hidden":               {ends("/_group"), list(func(l []any) []any { return l[1:] })},
		"a sum that is too large": {ends("/_group"), func(r *Response) {
			if l, ok := r.Body.([]any); ok && len(l) > 0 {
				for name, v := range l[0].(map[string]any) {
					if f, ok := v.(amount); ok {
						l[0].(map[string]any)[name] = f + 1
					}
				}
			}
		}},
		"a reference that is left":   {resolves, reference(func(m map[string]any) { delete(m, "_obj") })},
		"a reference that is filled": {resolves, reference(func(m map[string]any) { m["_obj"] = map[string]any{} })},
		"a change left out": {ends("/_deltaset"), member(func(m map[string]any) {
			if l, ok := m["changed"].([]any); ok && len(l) > 0 {
				m["changed"] = l[1:]
			}
		})},
		"a deletion left out": {ends("/_deltaset"), member(func(m map[string]any) {
			if d, ok := m["deleted"].(deletions); ok && len(d.must) > 0 {
				m["deleted"] = deletions{must: d.must[1:]}
			}
		})},
		"a deletion of what was never seen": {ends("/_deltaset"), member(func(m map[string]any) {
			if d, ok := m["deleted"].(deletions); ok {
				m["deleted"] = deletions{must: append(d.must, "hidden")}
			}
		})},
		"a delta set that goes too far back": {ends("/_deltaset"), func(r *Response) {
			if r.Error == "ParameterValueOutOfRange" {
				*r = answer(200, map[string]any{"changed": []any{}, "deleted": deletions{}})
			}
		}},
		"a setting that is not shown":   {get("/v4/"), member(func(m map[string]any) { delete(m, "deltaSet") })},
		"not found instead of a denial": {get("/user/"), func(r *Response) { *r = refuse("UserNotFound") }},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			spoiled := false
			Drive(r, 1, 20000, newServer(func(req Request, res *Response) {
				if c.when(req) && res.Status < 500 {
					before := fmt.Sprint(res.Status, res.Error, res.Body)
					c.spoil(res)
					spoiled = spoiled || fmt.Sprint(res.Status, res.Error, res.Body) != before
				}
			}))
			if !spoiled {
				t.Fatal("there was nothing to spoil")
			}
			if r.message == "" {
				t.Error("not found")
			}
		})
	}
}

// eachReference changes the references in a value.
func eachReference(v any, change func(map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			eachReference(e, change)
		}
	case map[string]any:
		for _, e := range v {
			eachReference(e, change)
		}
		if v["_type"] == "KinveyRef" {
			change(v)
		}
	}
}

func addOne(m map[string]any) {
	if n, ok := m["count"].(json.Number); ok {
		i, _ := n.Int64()
		m["count"] = json.Number(fmt.Sprint(i + 1))
	}
}

func TestCompare(t *testing.T) {
	req := Request{Method: "POST", Path: "/appdata/kid/c"}
	headers := func(names ...string) map[string]string {
		h := map[string]string{}
		for i := 0; i < len(names); i += 2 {
			h[names[i]] = names[i+1]
		}
		return h
	}
	entity := map[string]any{"_id": "a b", "n": json.Number("1")}
	jsonType := "application/json; charset=utf-8"
	for _, c := range []struct {
		name string
		want Response
		real Response
		same bool
	}{
		{"the same", answer(201, entity), NewResponse(201, headers("content-type", jsonType, "location", "/appdata/kid/c/a%20b"), []byte(`{"n":1,"_id":"a b"}`)), true},
		{"no headers known", answer(201, entity), NewResponse(201, nil, []byte(`{"n":1,"_id":"a b"}`)), true},
		{"no Location", answer(201, entity), NewResponse(201, headers("content-type", jsonType), []byte(`{"n":1,"_id":"a b"}`)), false},
		{"another Content-Type", answer(201, entity), NewResponse(201, headers("content-type", "application/json", "location", "/appdata/kid/c/a%20b"), []byte(`{"n":1,"_id":"a b"}`)), false},
		{"another number", answer(201, entity), NewResponse(201, nil, []byte(`{"n":1.0,"_id":"a b"}`)), false},
		{"not JSON", answer(201, entity), NewResponse(201, nil, []byte(`{"n":1,"_id":"a b"`)), false},
		{"an amount in another form", answer(200, amount(100)), NewResponse(200, nil, []byte("1e2")), true},
		{"another amount", answer(200, amount(100)), NewResponse(200, nil, []byte("101")), false},
		{"a text for an amount", answer(200, amount(100)), NewResponse(200, nil, []byte(`"100"`)), false},
		{"all deletions", answer(200, deletions{must: []string{"a"}, may: []string{"b"}}), NewResponse(200, nil, []byte(`[{"_id":"b"},{"_id":"a"}]`)), true},
		{"those that must be", answer(200, deletions{must: []string{"a"}, may: []string{"b"}}), NewResponse(200, nil, []byte(`[{"_id":"a"}]`)), true},
		{"a deletion missing", answer(200, deletions{must: []string{"a"}, may: []string{"b"}}), NewResponse(200, nil, []byte(`[{"_id":"b"}]`)), false},
		{"a deletion twice", answer(200, deletions{must: []string{"a"}}), NewResponse(200, nil, []byte(`[{"_id":"a"},{"_id":"a"}]`)), false},
		{"a deletion too many", answer(200, deletions{must: []string{"a"}}), NewResponse(200, nil, []byte(`[{"_id":"a"},{"_id":"c"}]`)), false},
		{"a deletion that tells more", answer(200, deletions{must: []string{"a"}}), NewResponse(200, nil, []byte(`[{"_id":"a","n":1}]`)), false},
		{"no body", answer(204, nil), NewResponse(204, nil, nil), true},
		{"a body with 204", answer(204, nil), NewResponse(204, nil, []byte("{}")), false},
		{"an error", refuse("EntityNotFound"), NewResponse(404, nil, []byte(`{"error":"EntityNotFound","description":"x","debug":""}`)), true},
		{"an error of the management", refuse("CollectionNotFound"), NewResponse(404, nil, []byte(`{"code":"CollectionNotFound","description":"x"}`)), true},
		{"an error without description", refuse("EntityNotFound"), NewResponse(404, nil, []byte(`{"error":"EntityNotFound"}`)), false},
		{"another error", refuse("InvalidCredentials"), NewResponse(401, nil, []byte(`{"error":"InsufficientCredentials","description":"x"}`)), false},
		{"another status", Response{Status: 201, Also: []int{200}}, Response{Status: 200}, true},
		{"yet another status", Response{Status: 201, Also: []int{200}}, Response{Status: 202}, false},
		{"a complaint", Response{Status: 200, Complaints: []string{"x"}}, Response{Status: 200}, false},
	} {
		if d := Compare(req, c.want, c.real); (d == "") != c.same {
			t.Errorf("%s: %q", c.name, d)
		}
	}
}

// A comparison that looked at a member more than once would not end here.
func TestCompareIsLinearInDepth(t *testing.T) {
	deep := func(bottom int) any {
		v := any(json.Number(fmt.Sprint(bottom)))
		for range 60 {
			v = map[string]any{"in": v}
		}
		return v
	}
	if d := differ(deep(1), deep(1)); d != "" {
		t.Error(d)
	}
	if d := differ(deep(1), deep(2)); d == "" {
		t.Error("no difference found")
	}
}

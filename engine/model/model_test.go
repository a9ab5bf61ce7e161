package model

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

var testApps = []App{
	{Key: "kid_one", Name: "One", Secret: "a0000000000000000000000000000001", MasterSecret: "b0000000000000000000000000000002", UsersCreateGroups: true},
	{Key: "kid_two", Name: "Two", Secret: "a0000000000000000000000000000003", MasterSecret: "b0000000000000000000000000000004"},
}

// newServer is a second model in the place of the server, with its answers
// changed by spoil if that is not nil.
func newServer(spoil func(Request, *Response)) func() Server {
	return func() Server {
		m := New(Config{Apps: testApps})
		return Server{Apps: testApps, Do: func(req Request) (int, map[string]string, []byte) {
			r := m.Do(req, nil)
			if spoil != nil {
				spoil(req, &r)
			}
			if check, ok := r.Body.(Check); ok && check != nil {
				r.Body = m.collectionList(req)
			}
			text := encode(r)
			return r.Status, headersOf(r, text), text
		}}
	}
}

// headersOf are the headers that a server sends.
func headersOf(r Response, text []byte) map[string]string {
	h := map[string]string{"X-Kinvey-Request-Start": "2020-01-01T00:00:00.000Z"}
	if text != nil {
		h["Content-Type"] = "application/json; charset=utf-8"
	}
	if m, ok := r.Body.(map[string]any); ok && r.Status == 201 {
		id, _ := m["_id"].(string)
		h["Location"] = "http://localhost/" + url.PathEscape(id)
		if m["entities"] != nil {
			delete(h, "Location")
		}
	}
	for name, value := range r.Header {
		h[name] = value
	}
	return h
}

// collectionList is what a Check is all there is of in the model's answer.
func (m *Model) collectionList(req Request) any {
	c := &call{m: m, req: req}
	path, _, _ := strings.Cut(req.Path, "?")
	c.route(path)
	a := m.appOf(c.parameters["kid"])
	list := []any{describe(a.users)}
	for _, in := range a.collections {
		list = append(list, describe(in))
	}
	return list
}

// encode writes an answer of the model as a server would. A Check leaves
// nothing to write.
func encode(r Response) []byte {
	body := r.Body
	switch {
	case r.Error != "":
		body = map[string]any{"error": r.Error, "description": "It went wrong."}
	case r.Status == 204:
		return nil
	}
	text, err := json.Marshal(concrete(body))
	if err != nil {
		panic(err)
	}
	return text
}

func concrete(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for name, e := range v {
			switch e.(type) {
			case Check:
				switch name {
				case "version":
					m[name] = "3.0.0"
				case "environmentName":
					m[name] = "Development"
				case "lastChange":
					m[name] = "2020-01-01T00:00:00.000Z"
				}
			default:
				m[name] = concrete(e)
			}
		}
		return m
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, concrete(e))
		}
		return list
	case Check:
		return nil
	case amount:
		return json.Number(strconv.FormatFloat(float64(v), 'e', -1, 64))
	}
	return v
}

func testSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("POSTERN_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("POSTERN_SEED=%d", seed)
	return seed
}

func TestModelAgreesWithItself(t *testing.T) {
	n := 20000
	if s := os.Getenv("POSTERN_REQUESTS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	Drive(t, testSeed(t), n, newServer(nil))
}

// TestWorldIsInteresting pins what random requests are good for: that most of
// them succeed, and that every route and every error comes about.
func TestWorldIsInteresting(t *testing.T) {
	succeeded, total := 0, 0
	errors := map[string]int{}
	partly, lists := 0, 0
	asked := append([]string{"$and", "$or", "$nor", "$near", "$nearSphere", "$maxDistance", "$within", "$geoWithin", "$options", "$box", "$polygon", "$center", "$centerSphere", "$geometry"}, operators...)
	answered := map[string]int{} // by operator: lists that are not empty
	routed := map[string]int{}   // by route: answers that are no error
	parts := map[string]int{}    // what is in the answers that are more than a list
	for number := range uint64(40) {
		m := New(Config{Apps: testApps})
		w := NewWorld(m, 1, number)
		for range 1000 {
			req := w.Next()
			res := m.Do(req, nil)
			total++
			if res.Error == "" {
				succeeded++
				path, _, _ := strings.Cut(req.Path, "?")
				r, _ := (&call{req: req}).route(path)
				routed[r.method+" "+r.pattern]++
			}
			notice(parts, req, res)
			key := req.Method + " " + strings.Split(req.Path+"//", "/")[1] + " " + strconv.Itoa(res.Status) + " " + res.Error
			errors[res.Error]++
			errors[key]++
			if list, ok := res.Body.([]any); ok && strings.HasPrefix(req.Path, "/appdata") {
				lists++
				if len(list) > 0 {
					partly++
				}
				path, err := url.QueryUnescape(req.Path)
				if err != nil || len(list) == 0 {
					continue
				}
				for _, op := range asked {
					if strings.Contains(path, `"`+op+`"`) {
						answered[op]++
					}
				}
			}
		}
	}
	t.Logf("%d of %d requests succeed; %d of %d lists are not empty", succeeded, total, partly, lists)
	for name := range statuses {
		if errors[name] == 0 && name != "BadRequest" {
			t.Errorf("no request is answered %s", name)
		}
	}
	for _, r := range routes {
		if n := routed[r.method+" "+r.pattern]; n < 10 {
			t.Errorf("%s %s succeeds %d times", r.method, r.pattern, n)
		}
	}
	for _, name := range []string{"groups", "amounts", "resolved", "not resolved", "in the place", "changed", "deleted", "deleted for no reason", "too early"} {
		if parts[name] < 20 {
			t.Errorf("%d answers have what is called %s", parts[name], name)
		}
	}
	for _, op := range asked {
		if answered[op] < 2 {
			t.Errorf("%d lists with %s are not empty", answered[op], op)
		}
	}
	if succeeded*100 < total*55 {
		t.Errorf("only %d of %d requests succeed", succeeded, total)
	}
	if testing.Verbose() {
		t.Log("lists that are not empty by operator:", answered)
		t.Log("answers that are no errors by route:", routed)
		t.Log("what is in them:", parts)
		var keys []string
		for k, n := range errors {
			keys = append(keys, fmt.Sprintf("%6d %s", n, k))
		}
		sort.Strings(keys)
		t.Log("\n" + strings.Join(keys, "\n"))
	}
}

// notice counts what makes an aggregation, a resolved answer or a delta set
// worth asking for.
func notice(parts map[string]int, req Request, res Response) {
	count := func(name string, is bool) {
		if is {
			parts[name]++
		}
	}
	path, query, _ := strings.Cut(req.Path, "?")
	body := show(res.Body)
	list, _ := res.Body.([]any)
	switch path = strings.TrimSuffix(path, "/"); {
	case strings.HasSuffix(path, "/_group"):
		count("groups", len(list) > 1)
		for _, e := range list {
			for _, v := range e.(map[string]any) {
				_, is := v.(amount)
				count("amounts", is)
			}
		}
	case strings.HasSuffix(path, "/_deltaset"):
		m, _ := res.Body.(map[string]any)
		changed, _ := m["changed"].([]any)
		gone, _ := m["deleted"].(deletions)
		count("changed", len(changed) > 0)
		count("deleted", len(gone.must) > 0)
		count("deleted for no reason", len(gone.may) > 0)
		count("too early", res.Error == "ParameterValueOutOfRange" && !strings.Contains(query, "since=2001") && !strings.Contains(query, "since=2999"))
	case strings.Contains(query, "resolve=") && res.Error == "":
		obj := strings.Contains(body, `"_obj"`)
		ref := strings.Contains(body, `"KinveyRef"`)
		count("resolved", obj)
		count("in the place", !ref && strings.Contains(body, `"ref":{`))
		count("not resolved", ref && !obj)
	}
}

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
			return r.Status, nil, encode(r)
		}}
	}
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
	for number := range uint64(40) {
		m := New(Config{Apps: testApps})
		w := NewWorld(m, 1, number)
		for range 1000 {
			req := w.Next()
			res := m.Do(req, nil)
			total++
			if res.Error == "" {
				succeeded++
			}
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
		var keys []string
		for k, n := range errors {
			keys = append(keys, fmt.Sprintf("%6d %s", n, k))
		}
		sort.Strings(keys)
		t.Log("\n" + strings.Join(keys, "\n"))
	}
}

package engine

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever an array holds, as many places are answered as it has elements, each
// with an entity or an error, and what was inserted is there.
func FuzzMultiInsert(f *testing.F) {
	for _, s := range []string{
		`[{"a":1},{"_id":"x"},{"_id":"x"}]`, `[]`, `[5,null,"x",[],{}]`, `[{"_acl":{"gr":1}}]`, `[{"_geoloc":[1,2]},{"_geoloc":[1,99]}]`,
		`[{"r":{"_type":"KinveyRef","_collection":"c","_id":"x","_obj":{"a":[{"_obj":1}]}}}]`, `[{"a":1},`, `[{"$a":1}]`, `{"_id":"y"}`, `[{"_id":"_"}]`,
	} {
		f.Add(s)
	}
	send := newFuzzed(f).send
	f.Fuzz(func(t *testing.T, body string) {
		status, v := send(t, "POST", "/appdata/kid_fuzz/c", body)
		m, _ := v.(map[string]any)
		entities, many := m["entities"].([]any)
		if !many {
			return
		}
		var sent []any
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatalf("%q was taken for an array: %v", body, err)
		}
		refused, _ := m["errors"].([]any)
		missing := 0
		for _, e := range entities {
			if e == nil {
				missing++
				continue
			}
			id, _ := e.(map[string]any)["_id"].(string)
			if s, _ := send(t, "GET", "/appdata/kid_fuzz/c/"+string(appendSegment(nil, id)), ""); s != 200 {
				t.Errorf("%q: %q was inserted and answers %d", body, id, s)
			}
		}
		if len(entities) != len(sent) || missing != len(refused) || (status == 201) != (missing == 0) {
			t.Errorf("%q: %d with %d entities, %d missing, %d errors", body, status, len(entities), missing, len(refused))
		}
	})
}

// Whatever is stored and whatever paths are asked for, the answer is JSON, and
// taking away what was resolved leads back to what was stored.
func FuzzResolve(f *testing.F) {
	self := `{"_type":"KinveyRef","_collection":"c","_id":"x"}`
	for _, s := range [][2]string{
		{`{"a":` + self + `,"b":[` + self + `,{"c":` + self + `}]}`, "a,b,b.c"}, {`{"a":1}`, "a.b.c"}, {`{"a":[[` + self + `]]}`, "a"},
		{`{"":` + self + `}`, ""}, {`{"a":{"_type":"KinveyRef","_id":5}}`, "a"}, {`{"\u0061":` + self + `}`, "a,,a."},
	} {
		f.Add(s[0], s[1])
	}
	send := newFuzzed(f).send
	f.Fuzz(func(t *testing.T, doc, paths string) {
		if !strings.HasPrefix(doc, "{") {
			return
		}
		if status, _ := send(t, "PUT", "/appdata/kid_fuzz/c/x", doc); status >= 300 {
			return
		}
		_, stored := send(t, "GET", "/appdata/kid_fuzz/c/x", "")
		asked := string(appendSegment(nil, paths))
		for _, query := range []string{"resolve=" + asked, "resolve=" + asked + "&retainReferences=false", "resolve_depth=2"} {
			status, v := send(t, "GET", "/appdata/kid_fuzz/c/x?"+query, "")
			if status != 200 || query == "resolve="+asked && !same(bare(v), bare(stored)) {
				t.Errorf("%q with %q: %d", doc, query, status)
			}
		}
	})
}

// bare takes away what was resolved.
func bare(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = bare(v[i])
		}
	case map[string]any:
		if v["_type"] == "KinveyRef" {
			delete(v, "_obj")
		}
		for k := range v {
			v[k] = bare(v[k])
		}
	}
	return v
}

func same(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

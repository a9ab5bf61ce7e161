package engine

import (
	"encoding/json"
	"testing"
)

// Whatever the body of an aggregation is, the answer is JSON and no failure of
// the server.
func FuzzGroupBody(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `[]`, `{"key":{"a":true},"initial":{"count":0},"reduce":"function(doc,out){ out.count++;}","condition":{"a":{"$gt":0}}}`,
		`{"key":["a","o.b.0"],"initial":{"min":"Infinity"},"reduce":"function(d, o) { o.min = Math.min(o.min, d[\"a\"]); return o; }"}`,
		`{"initial":{"r":0},"reduce":"function(doc,out){ out.r = out.r + doc.o; out.s = out.r / doc.a; }"}`,
		`{"key":{"\u0000":1}}`, `{"reduce":"function(){while(1);}"}`, `{"key":{"_acl":1,"_kmd.lmt":1},"initial":null,"reduce":null,"condition":null}`,
	} {
		f.Add([]byte(s))
	}
	server := newFuzzed(f)
	for _, doc := range []string{`{"_id":"1","a":1,"o":{"b":[1,{"c":null}]}}`, `{"_id":"2","a":1.0,"o":"x"}`, `{"_id":"3","o":{"toString":1}}`} {
		if err := server.e.PutDocument("kid_fuzz", "c", "", []byte(doc)); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		status, answer := server.do("POST", "/appdata/kid_fuzz/c/_group", body)
		if status != 200 && status != 400 && status != 403 || !json.Valid(answer) {
			t.Errorf("POST %q: %d %s", body, status, answer)
		}
	})
}

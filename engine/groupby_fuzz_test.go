package engine

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/engine/store"
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
	e, err := Open(Config{Driver: store.NewMemory(), Argon: auth.CheapParams})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = e.Close() })
	app, err := e.CreateApp(NewApp{Key: "kid_fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	for _, doc := range []string{`{"_id":"1","a":1,"o":{"b":[1,{"c":null}]}}`, `{"_id":"2","a":1.0,"o":"x"}`, `{"_id":"3","o":{"toString":1}}`} {
		if err := e.PutDocument("kid_fuzz", "c", "", []byte(doc)); err != nil {
			f.Fatal(err)
		}
	}
	serve := e.Handler()
	master := "Basic " + base64.StdEncoding.EncodeToString([]byte("kid_fuzz:"+app.MasterSecret))
	f.Fuzz(func(t *testing.T, body []byte) {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod("POST")
		ctx.Request.Header.SetHost("localhost")
		ctx.Request.SetRequestURI("/appdata/kid_fuzz/c/_group")
		ctx.Request.Header.Set("Authorization", master)
		ctx.Request.SetBody(body)
		serve(&ctx)
		if s := ctx.Response.StatusCode(); s != 200 && s != 400 && s != 403 || !json.Valid(ctx.Response.Body()) {
			t.Errorf("POST %q: %d %s", body, s, ctx.Response.Body())
		}
	})
}

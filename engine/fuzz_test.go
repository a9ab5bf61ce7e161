package engine

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// Whatever stands in a path, the answer is one of ours and no failure; and a
// segment that is decoded and encoded again is the same segment.
func FuzzPath(f *testing.F) {
	for _, s := range []string{
		"/appdata/kid_fuzz/c/x", "/appdata/kid_fuzz/c/x%2Fy", "/appdata/kid_fuzz/c/%2e%2e", "/appdata/kid_fuzz/c/%00",
		"/appdata/kid_fuzz/c/%ff%fe", "/appdata//c", "/appdata/kid_fuzz/c/", "/user/kid_fuzz/%E2%80%AE", "/appdata/kid%5ffuzz/c?query={}",
		"/APPDATA/..", "/%", "/%zz", "/group/kid_fuzz/kid_fuzz", "/v4/environments/kid_fuzz/collections/%75ser", "/appdata/kid_fuzz/c/_count/x",
	} {
		f.Add(s)
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
	serve := e.Handler()
	f.Fuzz(func(t *testing.T, path string) {
		if strings.ContainsAny(path, " \r\n\x00") || !strings.HasPrefix(path, "/") {
			return // not a request target
		}
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod("GET")
		ctx.Request.Header.SetHost("localhost")
		ctx.Request.SetRequestURI(path)
		ctx.Request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("kid_fuzz:"+app.MasterSecret)))
		serve(&ctx)
		if s := ctx.Response.StatusCode(); s >= 500 && s != 501 {
			t.Errorf("GET %q: %d %s", path, s, ctx.Response.Body())
		}
		for _, raw := range strings.Split(path, "/") {
			decoded, err := decodeSegment(raw)
			if err != nil {
				continue
			}
			if !utf8.ValidString(decoded) {
				t.Errorf("%q is decoded to %q, which is not UTF-8", raw, decoded)
			}
			if again, err := decodeSegment(string(appendSegment(nil, decoded))); err != nil || again != decoded {
				t.Errorf("%q is decoded to %q, and that back to %q (%v)", raw, decoded, again, err)
			}
		}
	})
}

// A row of the store that was damaged is refused or read, and never a panic.
func FuzzEntityRow(f *testing.F) {
	e := newEntity("x", []byte(`{"_id":"x","a":1`), 7, &acl.ACL{Creator: "u"}, []byte(`{"creator":"u"}`), 1, 2)
	f.Add(e.row)
	f.Add([]byte{})
	f.Add(e.row[:entityFixed])
	f.Fuzz(func(t *testing.T, row []byte) {
		e, err := decodeEntity("x", row, 1, 2)
		if err != nil {
			return
		}
		_ = e.aclText()
		_ = e.digest()
	})
}

package engine

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// fuzzed is an engine with the app kid_fuzz, which is asked as its master.
type fuzzed struct {
	e           *Engine
	serve       fasthttp.RequestHandler
	master, app string // Authorizations
}

func newFuzzed(f *testing.F) *fuzzed {
	e, err := Open(Config{Driver: store.NewMemory(), Argon: auth.CheapParams})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = e.Close() })
	app, err := e.CreateApp(NewApp{Key: "kid_fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	basic := func(secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("kid_fuzz:"+secret))
	}
	return &fuzzed{e, e.Handler(), basic(app.MasterSecret), basic(app.AppSecret)}
}

// do sends a request with headers, names and values in turn.
func (s *fuzzed) do(method, path string, body []byte, header ...string) (status int, answer []byte) {
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod(method)
	ctx.Request.Header.SetHost("localhost")
	ctx.Request.SetRequestURI(path)
	ctx.Request.Header.Set("Authorization", s.master)
	for i := 0; i < len(header); i += 2 {
		ctx.Request.Header.Set(header[i], header[i+1])
	}
	ctx.Request.SetBody(body)
	s.serve(&ctx)
	return ctx.Response.StatusCode(), ctx.Response.Body()
}

// send sends a request of API version 5 and fails the test on anything that is
// not an answer of ours.
func (s *fuzzed) send(t *testing.T, method, path, body string) (status int, answer any) {
	status, b := s.do(method, path, []byte(body), "X-Kinvey-Api-Version", "5")
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("%s %s %q: %d %q is not JSON: %v", method, path, body, status, b, err)
	}
	if m, _ := answer.(map[string]any); status >= 500 && m["error"] != "KinveyInternalErrorRetry" {
		t.Errorf("%s %s %q: %d %s", method, path, body, status, b)
	}
	return status, answer
}

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
	server := newFuzzed(f)
	f.Fuzz(func(t *testing.T, path string) {
		if strings.ContainsAny(path, " \r\n\x00") || !strings.HasPrefix(path, "/") {
			return // not a request target
		}
		if status, body := server.do("GET", path, nil); status >= 500 && status != 501 {
			t.Errorf("GET %q: %d %s", path, status, body)
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

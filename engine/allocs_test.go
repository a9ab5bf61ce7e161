//go:build !race

package engine_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"testing"

	"github.com/valyala/fasthttp"

	"postern/engine/store"
)

// What is asked most allocates nothing but the names in its path: pages in
// an order, counts, entities by id, of a base and of what came after it. (Under
// the race detector pools lose what they hold.)
func TestReadsDoNotAllocate(t *testing.T) {
	driver := &keptStore{Driver: store.NewMemory()}
	clock := newClock() // it stands: the time is formatted once
	begin := func() *server {
		return start(t, func(o *options) { o.driver, o.config.Clock, o.config.RebuildAfter = driver, clock.Now, 1<<20 })
	}
	s := begin()
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("PUT", "/group/"+kid+"/some", asMaster, `{"users":{"list":[{"_id":"`+alice.id+`"}]}}`), 201, "")
	put := func(i int) {
		acl := `{"creator":"` + []string{alice.id, bob.id, "x"}[i%3] + `","groups":{"r":["some"]}}`
		if i%2 == 0 {
			acl = `{"creator":"x","r":["` + bob.id + `"]}`
		}
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/things/t%04d", kid, i), asMaster, fmt.Sprintf(`{"n":%d,"_acl":%s}`, i, acl)), 201, "")
	}
	for i := range 1000 {
		put(i)
	}
	s.stop()
	s = begin() // all of it is in the base
	for i := 1000; i < 1050; i++ {
		put(i)
	}
	for _, c := range []struct {
		path  string
		names float64
	}{
		{"?sort=_id&limit=100", 1}, {"?limit=100", 1}, {"?sort=_id&skip=50&limit=100", 1}, {"/_count", 1}, {"/t0001", 2}, {"/t1001", 2},
	} {
		for _, who := range []string{alice.session(), bob.session()} {
			if all := allocations(t, s.e.Handler(), c.path, who); all > c.names {
				t.Errorf("%s: %v allocations, %v of them the names in its path", c.path, all, c.names)
			}
		}
	}
}

// allocations is what a handler allocates for one request.
func allocations(t *testing.T, h fasthttp.RequestHandler, path, authorization string) float64 {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	raw := []byte("GET /appdata/" + kid + "/things" + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + authorization + "\r\n\r\n")
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(here, nil, false)
	source := bytes.NewReader(raw)
	in := bufio.NewReader(source)
	return testing.AllocsPerRun(200, func() {
		source.Reset(raw)
		in.Reset(source)
		ctx.ResetUserValues()
		ctx.Request.Reset()
		ctx.Response.Reset()
		if err := ctx.Request.Read(in); err != nil {
			t.Fatal(err)
		}
		h(ctx)
		if code := ctx.Response.StatusCode(); code != 200 {
			t.Fatalf("%s: %d %s", path, code, ctx.Response.Body())
		}
	})
}

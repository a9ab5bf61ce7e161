package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"runtime"

	"github.com/valyala/fasthttp"
)

var copied []string // the last name in a path

// Allocations are objects and bytes allocated for one request.
type Allocations struct {
	Name  string  `json:"name"`
	All   float64 `json:"all"`   // parsing, routing, handler
	Path  float64 `json:"path"`  // parsing and the names in the path alone
	Bytes float64 `json:"bytes"` // of All
}

// handler is what remains for the engine.
func (a *Allocations) handler() float64 { return max(a.All-a.Path, 0) }

// allocations calls the server's handler with the query's request, without a
// socket, as the server itself would.
func (q *query) allocations(s *server) (*Allocations, error) {
	raw := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n\r\n", q.paths[0], q.asks[0].who.authorization)
	bare := func(ctx *fasthttp.RequestCtx) {
		_, names, _ := bytes.Cut(ctx.URI().PathOriginal(), []byte(appKey+"/"))
		for name := range bytes.SplitSeq(names, []byte{'/'}) {
			if name[0] != '_' {
				copied = append(copied[:0], string(name))
			}
		}
	}
	a := &Allocations{Name: q.name}
	var err error
	if a.Path, _, err = perRequest(bare, raw, nil); err != nil {
		return nil, err
	}
	a.All, a.Bytes, err = perRequest(s.engine.Handler(), raw, q.want[0])
	return a, err
}

// perRequest is what a handler allocates for one request, in the steady state.
// What other goroutines allocate in between counts, so it is the least of
// several attempts.
func perRequest(h fasthttp.RequestHandler, raw, want []byte) (objects, size float64, err error) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(here, nil, false)
	source := bytes.NewReader(raw)
	in := bufio.NewReader(source)
	once := func() error {
		source.Reset(raw)
		in.Reset(source)
		ctx.ResetUserValues()
		ctx.Request.Reset()
		ctx.Response.Reset()
		if err := ctx.Request.Read(in); err != nil {
			return err
		}
		h(ctx)
		if body := ctx.Response.Body(); want != nil && !bytes.Equal(body, want) {
			return fmt.Errorf("the handler answers %d bytes, want %d", len(body), len(want))
		}
		return nil
	}
	const attempts, times = 5, 100
	for k := range attempts {
		var before, after runtime.MemStats
		if err := once(); err != nil { // pools are filled
			return 0, 0, err
		}
		runtime.ReadMemStats(&before)
		for range times {
			if err := once(); err != nil {
				return 0, 0, err
			}
		}
		runtime.ReadMemStats(&after)
		n, b := float64(after.Mallocs-before.Mallocs)/times, float64(after.TotalAlloc-before.TotalAlloc)/times
		if k == 0 || n < objects {
			objects = n
		}
		if k == 0 || b < size {
			size = b
		}
	}
	return objects, size, nil
}

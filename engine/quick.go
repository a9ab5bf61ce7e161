package engine

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// Fast path: most requests read or make entities, and those of their URLs that
// have no other name in the place of an id are told apart by their slashes,
// without the router and the copies that it makes. The router would find the same.
type quick struct{ list, count, one, many *mounted }

const (
	listPath  = "/appdata/{kid}/{collection}"
	countPath = listPath + "/_count"
	onePath   = listPath + "/{id}"
)

// learn takes note of a route that is one of these.
func (q *quick) learn(m *mounted) {
	switch m.method + " " + m.path {
	case "GET " + listPath:
		q.list = m
	case "GET " + countPath:
		q.count = m
	case "GET " + onePath:
		q.one = m
	case "POST " + manyPath:
		q.many = m
	}
}

// segments are what stands in the places of a route's parameters. They are
// borrowed from the request.
type segments [3][]byte

var (
	appdata = []byte("/appdata/")
	counts  = []byte("_count")
)

// find returns the route of a request, nil when it is for the router. The path
// ends with no slash and has none after the other.
func (q *quick) find(ctx *fasthttp.RequestCtx) (m *mounted, s segments) {
	rest, ok := bytes.CutPrefix(ctx.URI().PathOriginal(), appdata)
	reads, makes := ctx.IsGet(), ctx.IsPost()
	if !ok || !reads && !makes {
		return nil, s
	}
	for i := range s {
		end := bytes.IndexByte(rest, '/')
		if end < 0 {
			s[i], rest = rest, nil
			break
		}
		s[i], rest = rest[:end], rest[end+1:]
	}
	switch last := s[2]; {
	case rest != nil || s[1] == nil: // longer, or shorter
	case makes:
		if last == nil {
			m = q.many
		}
	case last == nil:
		m = q.list
	case bytes.Equal(last, counts):
		m = q.count
	case last[0] != '_': // names of routes begin so
		m = q.one
	}
	return m, s
}

package engine

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"postern/engine/document"
)

const maxWrapped = 16 // headers that one answer repeats in its body

// wrap repeats headers of the answer in its body, for clients that cannot read
// headers: {"headers":{...},"result":...}. They ask with two headers of the
// request; the status stays as it is, and an answer without a body stays so.
func (r *Request) wrap() {
	h := &r.ctx.Request.Header
	if !r.sent.kinvey || r.plane == consolePlane || !truthy(h.Peek("X-Kinvey-ResponseWrapper")) || r.ctx.Response.StatusCode() == fasthttp.StatusNoContent {
		return
	}
	names := bytes.FieldsFunc(h.Peek("X-Kinvey-Include-Headers-In-Response"), func(c rune) bool { return c == ',' || c == ' ' })
	if len(names) == 0 || !bytes.HasPrefix(r.ctx.Response.Header.ContentType(), []byte("application/json")) {
		return
	}
	body := r.ctx.Response.Body()
	out := append(make([]byte, 0, len(body)+256), `{"headers":{`...)
	first := true
	for _, name := range names[:min(len(names), maxWrapped)] {
		value := r.ctx.Response.Header.PeekBytes(name)
		if len(value) == 0 {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = document.AppendQuote(out, string(name))
		out = document.AppendQuote(append(out, ':'), string(value))
	}
	out = append(out, `},"result":`...)
	if len(body) == 0 {
		out = append(out, "null"...)
	}
	out = append(append(out, body...), '}')
	r.ctx.Response.SetBodyRaw(out)
}

// truthy reads a header that switches something on.
func truthy(v []byte) bool {
	return len(v) > 0 && !bytes.EqualFold(v, []byte("false")) && string(v) != "0"
}

package engine

import (
	"github.com/valyala/fasthttp"

	"postern/engine/document"
)

// What a management client asks about and this server does not have. Questions
// are answered with nothing, so that the client goes on; an order is refused,
// so that nobody believes it was carried out.

// none answers with the empty list.
func (e *Engine) none(r *Request) error {
	return r.json(fasthttp.StatusOK, []byte("[]"))
}

func (e *Engine) noCode(*Request) error {
	return fault(errConfiguration, "this server runs no business logic: no hooks, endpoints or common code")
}

func (e *Engine) noPush(r *Request) error {
	if r.ctx.IsGet() {
		return r.json(fasthttp.StatusOK, []byte("{}"))
	}
	return fault(errConfiguration, "this server sends no push messages")
}

// operatorSelf tells an operator who he is.
func (e *Engine) operatorSelf(r *Request) error {
	return r.json(fasthttp.StatusOK, append(document.AppendQuote([]byte(`{"email":`), r.operator), '}'))
}

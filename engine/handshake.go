package engine

import (
	"github.com/valyala/fasthttp"

	"postern/engine/document"
)

// apiRelease is the version of the REST API that the handshake names.
const apiRelease = "3.9.28"

func (e *Engine) hello(r *Request) error {
	return r.json(fasthttp.StatusOK, []byte(`{"version":"`+apiRelease+`","kinvey":"hello"}`))
}

func (e *Engine) handshake(r *Request) error {
	c := r.view.config
	b := []byte(`{"version":"` + apiRelease + `","kinvey":`)
	b = document.AppendQuote(b, "hello "+c.Name)
	b = document.AppendQuote(append(b, `,"appName":`...), c.Name)
	b = document.AppendQuote(append(b, `,"environmentName":`...), c.Environment)
	return r.json(fasthttp.StatusOK, append(b, '}'))
}

// noEndpoint answers for custom endpoints: there is no business logic here.
func (e *Engine) noEndpoint(*Request) error { return errCustomEndpoint }

// notConfigured answers for files, push and live service, which this server
// does not have.
func (e *Engine) notConfigured(*Request) error { return errConfiguration }

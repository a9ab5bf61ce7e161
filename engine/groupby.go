package engine

import (
	"github.com/valyala/fasthttp"

	"postern/engine/document"
	"postern/engine/query"
	"postern/engine/script"
)

func (e *Engine) groupEntities(r *Request) error {
	name := r.param(0)
	if err := validCollection(name); err != nil {
		return err
	}
	return r.aggregate(r.view.collection(name))
}

func (e *Engine) groupUsers(r *Request) error { return r.aggregate(r.view.collection("user")) }

// aggregate answers with the groups of the visible entities of a collection that
// match. What a reducer, native or not, ever gets is from visible.
func (r *Request) aggregate(c *collection) error {
	body, err := r.body(document.Query)
	if err != nil {
		return err
	}
	if body.Kind() == document.Missing {
		return errIncompleteBody
	}
	g, err := query.ParseGroup(body)
	if err != nil {
		return err
	}
	g.Meter = r.meter()
	src := c.visible(r.subject, r.principals)
	if g.Native() {
		answer, err := g.Run(nil, src)
		if err != nil {
			return err
		}
		return r.immutable(fasthttp.StatusOK, answer)
	}
	if r.e.config.Scripts == nil {
		return fault(errConfiguration, "reduce is none of the functions that client libraries generate, and this server does not run other JavaScript")
	}
	answer, err := r.e.config.Scripts.Reduce(nil, g.Reduce(), func(add script.Add) error {
		_, err := g.Each(src, func(bucket int, accumulator []byte, doc document.Value) error {
			return add(bucket, accumulator, doc.Raw())
		})
		return err
	})
	if err != nil {
		return err
	}
	return r.immutable(fasthttp.StatusOK, answer)
}

package engine

import "github.com/valyala/fasthttp"

// probes are the routes for whoever watches the process.
func (e *Engine) probes() []route {
	return []route{
		{"GET", "/-/live", anyone, e.live},
		{"GET", "/-/ready", anyone, e.ready},
		{"GET", "/-/metrics", anyone, e.writeMetrics},
	}
}

// live says that the process answers.
func (e *Engine) live(r *Request) error { return r.json(fasthttp.StatusOK, []byte(`{"live":true}`)) }

// ready says that requests are served: the state is loaded and the store takes
// writes.
func (e *Engine) ready(r *Request) error {
	if e.broken.Load() {
		return slow(errUnavailable, 5)
	}
	return r.json(fasthttp.StatusOK, []byte(`{"ready":true}`))
}

// writeMetrics answers neighbours only: what a server is busy with is not for
// everybody.
func (e *Engine) writeMetrics(r *Request) error {
	if addr := r.client(); addr.IsValid() && !addr.IsLoopback() {
		return errEndpoint
	}
	r.ctx.SetContentType("text/plain; version=0.0.4; charset=utf-8")
	e.metrics.write(r.ctx)
	return nil
}

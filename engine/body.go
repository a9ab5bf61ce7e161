package engine

import (
	"errors"
	"io"
	"net"
	"sync"
)

// bodyBuffers are for request bodies. A body is read when a handler asks for
// it, that is after the requester was authenticated, and takes as much memory as
// has arrived, not as much as was announced.
var bodyBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// keepBody bounds the buffers that are kept for later.
const keepBody = 64 << 10

// maxBody is how many bytes the body of this request may have. One that may be
// many documents has the larger bound; each document has the other.
func (r *Request) maxBody() int {
	if r.route.method == "POST" && (r.route.path == manyPath || r.route.path == importPath) {
		return max(r.e.config.MaxArray, r.e.config.MaxBody)
	}
	return r.e.config.MaxBody
}

// bytes reads the request's body. It is borrowed until the end of the request.
func (r *Request) bytes() ([]byte, error) {
	most := r.maxBody()
	stream := r.ctx.RequestBodyStream()
	if stream == nil {
		return r.ctx.PostBody(), nil
	}
	if r.arrived {
		return *r.buffer, nil // asked for before
	}
	if r.buffer == nil {
		r.buffer = bodyBuffers.Get().(*[]byte)
	}
	b := (*r.buffer)[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := stream.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		*r.buffer = b
		switch {
		case len(b) > most:
			r.ctx.SetConnectionClose()
			return nil, fault(errTooLarge, "a request body has at most %d bytes", most)
		case errors.Is(err, io.EOF):
			r.arrived = true
			return b, nil
		case err != nil:
			r.ctx.SetConnectionClose()
			return nil, bodyError(err)
		}
	}
}

// bodyError tells a body that did not arrive in time from one that is broken.
func bodyError(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errTimeout
	}
	return fault(errBadRequest, "the request body is broken")
}

// releaseBody gives the buffer back at the end of the request.
func (r *Request) releaseBody() {
	if r.buffer != nil && cap(*r.buffer) <= keepBody {
		bodyBuffers.Put(r.buffer)
	}
	r.buffer = nil
}

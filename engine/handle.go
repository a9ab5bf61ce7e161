package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"postern/engine/document"
)

const (
	jsonType      = "application/json; charset=utf-8"
	highestAPI    = 6
	factoryAPI    = 3 // of apps that were not told otherwise
	headerVersion = "X-Kinvey-Api-Version"
)

// Headers of every answer.
var (
	headerRequest = []byte("X-Kinvey-Request-Id")
	headerStart   = []byte("X-Kinvey-Request-Start")
	headerCache   = []byte("Cache-Control")
	headerOptions = []byte("X-Content-Type-Options")
	noStore       = []byte("private, no-store")
	noSniff       = []byte("nosniff")
)

// Handler returns the server's request handler: every public route.
func (e *Engine) Handler() fasthttp.RequestHandler {
	return e.handlerOf(append(e.routes(), e.probes()...), publicPlane)
}

// AdminHandler returns the handler for the socket in the data directory. Who
// can open that socket owns the data, so its requests are an operator's.
func (e *Engine) AdminHandler() fasthttp.RequestHandler {
	return e.handlerOf(append(append(e.routes(), e.probes()...), e.adminRoutes()...), socketPlane)
}

func (e *Engine) handlerOf(routes []route, p plane) fasthttp.RequestHandler {
	m := router.New()
	m.RedirectTrailingSlash = false
	m.RedirectFixedPath = false
	m.HandleOPTIONS = false
	refuse := func(k kind) fasthttp.RequestHandler {
		t := e.mount(route{method: "none", allow: anyone, handler: func(*Request) error { return k }}, p)
		return func(ctx *fasthttp.RequestCtx) { e.serve(ctx, t, nil) }
	}
	m.NotFound, m.MethodNotAllowed = refuse(errEndpoint), refuse(errMethod)
	var fast quick
	for _, route := range routes {
		t := e.mount(route, p)
		m.Handle(t.method, t.path, func(ctx *fasthttp.RequestCtx) { e.serve(ctx, t, nil) })
		fast.learn(t)
	}
	preflight := e.mount(route{method: "OPTIONS", path: "/", allow: anyone, handler: e.preflight}, p)
	return func(ctx *fasthttp.RequestCtx) {
		trimVersion(ctx)
		if ctx.IsOptions() {
			e.serve(ctx, preflight, nil)
			return
		}
		if !trimSlash(ctx) {
			m.NotFound(ctx)
			return
		}
		if t, found := fast.find(ctx); t != nil {
			e.serve(ctx, t, &found)
			return
		}
		m.Handler(ctx)
	}
}

// A plane is one of the ways in. All have the same handlers; they differ in how a
// requester shows who he is.
type plane uint8

const (
	publicPlane  plane = iota // Authorization
	socketPlane               // the socket in the data directory: nothing is asked
	consolePlane              // the cookie of a console session, see console_plane.go
)

// A mounted route is a route with what is derived from it once.
type mounted struct {
	route
	names []string // of the path parameters, in order
	plane plane
	role  opRole // that an operator needs
	page  bool   // of the console: what everybody may load
	count [6]*metrics.Counter
}

func (e *Engine) mount(t route, p plane) *mounted {
	m := &mounted{route: t, names: paramNames(t.path), plane: p, role: leastRole(t)}
	for class := range m.count {
		m.count[class] = e.metrics.answers(t.method, class)
	}
	return m
}

// paramNames lists the {names} of a path in order.
func paramNames(path string) []string {
	var names []string
	for _, s := range strings.Split(path, "/") {
		if strings.HasPrefix(s, "{") {
			names = append(names, strings.Trim(s, "{}"))
		}
	}
	return names
}

// trimVersion takes the version off the path of Mobile Identity Connect: clients
// put /v1, /v2 or /v3 before it, or nothing, and all mean the same.
func trimVersion(ctx *fasthttp.RequestCtx) {
	path := ctx.URI().PathOriginal()
	if len(path) < len("/v3/oauth/") || path[0] != '/' || path[1]|0x20 != 'v' {
		return
	}
	rest := bytes.TrimLeft(path[2:], "0123456789")
	digits := len(path) - 2 - len(rest)
	if 1 <= digits && digits <= 2 && bytes.HasPrefix(rest, []byte("/oauth/")) {
		ctx.URI().SetPathBytes(bytes.Clone(rest))
	}
}

// trimSlash takes one slash off the end of the path, so that both forms of
// every URL are answered directly. It reports false for empty segments.
func trimSlash(ctx *fasthttp.RequestCtx) bool {
	path := ctx.URI().PathOriginal()
	if len(path) > 1 && path[len(path)-1] == '/' {
		path = append([]byte(nil), path[:len(path)-1]...)
		ctx.URI().SetPathBytes(path)
	}
	return !bytes.Contains(path, []byte("//")) && len(path) > 1 && path[len(path)-1] != '/'
}

// serve is the adapter between HTTP and handlers. What all requests have in
// common happens here and nowhere else: framing checks, request id, API
// version, the app and its view, authentication, the error table, panics,
// metrics and the log. found is what stands in the places of the route's
// parameters; nil: the router tells.
func (e *Engine) serve(ctx *fasthttp.RequestCtx, t *mounted, found *segments) {
	began := time.Now()
	r := requests.Get().(*Request)
	r.ctx, r.e, r.route, r.plane = ctx, e, t, t.plane
	r.sent = scanHeader(ctx.Request.Header.RawHeaders())
	r.id = r.requestID()
	h := &ctx.Response.Header
	h.SetContentType(jsonType)
	h.SetCanonical(headerCache, noStore)
	h.SetCanonical(headerOptions, noSniff)
	h.SetCanonical(headerRequest, r.id)
	if t.plane == consolePlane {
		consoleHeaders(ctx)
	}
	if err := r.run(t.names, found); err != nil {
		r.fail(err)
	}
	r.wrap()
	if ctx.Response.StatusCode() == fasthttp.StatusNoContent {
		h.SetNoDefaultContentType(true)
		h.Del("Content-Type")
	}
	took := time.Since(began)
	e.metrics.duration.Update(took.Seconds())
	if e.log.wants(r) {
		e.log.note(r, took)
	}
	t.count[min(ctx.Response.StatusCode()/100, 5)].Inc()
	if c, ok := ctx.Conn().(*conn); ok && !ctx.Response.IsBodyStream() && !ctx.IsHead() {
		c.expect(len(ctx.Response.Body()))
	}
	r.releaseBody()
	r.reset()
	requests.Put(r)
}

// run does the steps before the handler, then the handler.
func (r *Request) run(names []string, found *segments) (err error) {
	// Rows may be read in place from a file. When its disk fails, that is the
	// request's panic.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r.turn.leave()
		if p := recover(); p != nil {
			r.e.metrics.panics.Inc()
			r.e.config.Logger.Error("panic", "request", string(r.id), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errInternal
		}
	}()
	if err := r.framing(); err != nil {
		return err
	}
	if r.plane == consolePlane {
		if err := r.fromConsole(); err != nil {
			return err
		}
	}
	if r.route.path == "" {
		return r.route.handler(r) // no route: 404 or 405
	}
	asked, given, err := r.askedVersion()
	if err != nil {
		return err
	}
	next := 0
	var malformed error // told only to whom may ask
	for i, name := range names {
		var raw string
		if found != nil {
			if name == "kid" {
				// Most keys are as they are written, and need no copy.
				if a, ok := r.e.appByKey(string(found[i])); ok {
					r.app = a
					continue
				}
			}
			raw = string(found[i])
		} else {
			raw, _ = r.ctx.UserValue(name).(string)
		}
		value, err := decodeSegment(raw)
		if name == "kid" {
			a, ok := r.e.appByKey(value)
			if !ok || err != nil {
				return errAppNotFound
			}
			r.app = a
			continue
		}
		if err != nil {
			malformed = err
		}
		r.params[next] = value
		next++
	}
	// The time comes before the view: what is in the answer is no later.
	r.start = r.e.now()
	if r.app != nil {
		if r.route.method == fasthttp.MethodGet {
			r.start = r.e.gate.enter(r.app, r.params[0], r.start)
		}
		r.view = r.app.view.Load()
		if r.version = asked; !given {
			r.version = r.view.config.APIVersion
		}
		if r.plane != consolePlane {
			r.cors()
		}
	}
	r.ctx.Response.Header.SetCanonical(headerStart, r.e.times.text(r.start))
	if r.route.allow != anyone {
		if err := r.authenticate(); err != nil {
			return err
		}
	}
	if malformed != nil {
		return malformed
	}
	return r.route.handler(r)
}

// A headerScan is what one look at the lines of a request's header tells: what
// none of them is about needs no further look.
type headerScan struct {
	lines, authorizations    int
	folded, encoding, length bool
	kinvey                   bool // some are Kinvey's own
}

func scanHeader(raw []byte) (s headerScan) {
	for ; len(raw) > 0; s.lines++ {
		line := raw
		if end := bytes.IndexByte(raw, '\n'); end >= 0 {
			line, raw = raw[:end], raw[end+1:]
		} else {
			raw = nil
		}
		if len(line) == 0 {
			continue
		}
		switch line[0] {
		case ' ', '\t':
			s.folded = true
		case 't', 'T':
			s.encoding = s.encoding || begins(line, "transfer-encoding:")
		case 'c', 'C':
			s.length = s.length || begins(line, "content-length:")
		case 'a', 'A':
			if begins(line, "authorization:") {
				s.authorizations++
			}
		case 'x', 'X':
			s.kinvey = s.kinvey || begins(line, "x-kinvey-")
		}
	}
	return s
}

// framing refuses what intermediaries and servers could read differently, and
// foreign host names where only the loopback interface is served.
func (r *Request) framing() error {
	h := &r.ctx.Request.Header
	if r.sent.folded {
		r.ctx.SetConnectionClose()
		return fault(errBadRequest, "folded headers are not accepted")
	}
	if r.sent.encoding && r.sent.length {
		r.ctx.SetConnectionClose()
		return fault(errBadRequest, "Content-Length together with Transfer-Encoding")
	}
	if most := r.maxBody(); h.ContentLength() > most {
		r.ctx.SetConnectionClose()
		return fault(errTooLarge, "a request body has at most %d bytes", most)
	}
	if r.sent.authorizations > 1 {
		return fault(errBadRequest, "more than one Authorization header")
	}
	if r.sent.lines > 64 {
		return fault(errHeaders, "more than 64 headers")
	}
	if r.e.config.LoopbackHostsOnly && r.plane == publicPlane && !r.e.config.answersTo(string(r.ctx.Host())) {
		return fault(errBadRequest, "this development server answers on loopback host names only")
	}
	return nil
}

// answersTo tells whether a development server answers requests for a host.
func (c *Config) answersTo(host string) bool {
	if Loopback(host) {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return slices.ContainsFunc(c.AlsoHosts, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}

// begins tells whether a header line has a name, which is in lower case and
// ends with a colon.
func begins(line []byte, name string) bool {
	return len(line) >= len(name) && bytes.EqualFold(line[:len(name)], []byte(name))
}

// Loopback tells whether a host name or address, with or without a port, is of
// the loopback interface.
func Loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// requestID takes over the client's id for this request if it is printable,
// or makes one.
func (r *Request) requestID() []byte {
	var id []byte
	if r.sent.kinvey {
		id = r.ctx.Request.Header.PeekBytes(headerRequest)
	}
	good := 0 < len(id) && len(id) <= 128
	for _, c := range id {
		good = good && ' ' < c && c <= '~'
	}
	if !good {
		r.e.uuids.next(&r.ownID)
		return r.ownID[:]
	}
	return id
}

// askedVersion reads the API version header; given is false without one.
func (r *Request) askedVersion() (version int, given bool, err error) {
	if !r.sent.kinvey {
		return 0, false, nil
	}
	v := r.ctx.Request.Header.Peek(headerVersion)
	if len(v) == 0 {
		return 0, false, nil
	}
	n, err := strconv.Atoi(string(v))
	if err != nil || n < 0 || n > highestAPI {
		return 0, true, fault(errVersion, "API versions 0 to %d are implemented", highestAPI)
	}
	return n, true, nil
}

// fail answers with the error's row of the table.
func (r *Request) fail(err error) {
	f := faultOf(err)
	r.debug = f.debug
	log := r.e.config.Logger
	var d *denied
	switch {
	case errors.As(err, &d):
		r.e.metrics.denials.Inc()
		r.verdict = d.verdict
		if r.e.config.LogDenials {
			log.Info("denied", "request", string(r.id), "method", string(r.ctx.Method()), "path", string(r.ctx.Path()),
				"who", r.who(), "decision", d.verdict.String())
		}
	case f.kind == errInternal:
		path := string(r.ctx.Path())
		if r.route != nil && strings.HasPrefix(r.route.path, "/-/") {
			path = r.route.path // the path of a link holds its token
		}
		log.Error("request failed", "request", string(r.id), "method", string(r.ctx.Method()), "path", path, "error", err)
	case r.e.config.LogDenials && (f.kind == errCredentials || f.kind == errInsufficient):
		log.Info("denied", "request", string(r.id), "method", string(r.ctx.Method()), "path", string(r.ctx.Path()),
			"who", r.who(), "reason", f.Error())
	}
	if d != nil || f.kind == errInsufficient || f.kind == errForbidden {
		r.e.sample(sampleDenied, r, func(r *Request) auditLine {
			if d != nil {
				return r.refused(d.verdict.String())
			}
			return r.refused(f.debug)
		})
	}
	w := errorTable[f.kind]
	if f.retryAfter > 0 {
		r.ctx.Response.Header.Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	if f.kind == errCredentials && r.plane != consolePlane { // there a browser would ask for a password itself
		r.ctx.Response.Header.Set("WWW-Authenticate", `Basic realm="Kinvey", charset="UTF-8"`)
	}
	r.ctx.Response.ResetBody()
	_ = r.json(w.status, r.errorBody(w, f.debug))
}

// errorBody is the one form of an error. The management API says code where
// the others say error.
func (r *Request) errorBody(w row, debug string) []byte {
	name := `{"error":`
	if r.route != nil && (strings.HasPrefix(r.route.path, "/v4/") || r.route.path == "/session") {
		name = `{"code":`
	}
	return appendError([]byte(name), w, debug)
}

func appendError(dst []byte, w row, debug string) []byte {
	dst = document.AppendQuote(dst, w.name)
	dst = append(dst, `,"description":`...)
	dst = document.AppendQuote(dst, w.description)
	dst = append(dst, `,"debug":`...)
	dst = document.AppendQuote(dst, debug)
	return append(dst, '}')
}

// who names the requester for the log, without secrets.
func (r *Request) who() string {
	switch {
	case r.operator != "":
		return "operator " + r.operator
	case r.subject.Role == 0:
		return "nobody"
	case r.subject.ID != "":
		return "user " + r.subject.ID
	}
	return fmt.Sprintf("role %d", r.subject.Role)
}

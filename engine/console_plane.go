package engine

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"

	"github.com/valyala/fasthttp"

	"postern/engine/console"
)

// The console plane: a listener of its own that gives a browser the page of the
// console and, below /-/console/api, the handlers of every other plane. A requester
// is the operator of the session that his cookie names (console_session.go), with
// what his role may do (console_roles.go).
//
// A page on the web can have a browser send requests here, with the cookie. So each
// one that does something has to carry a header that such a page cannot set without
// asking, and what the browser says of its origin has to be this very listener.
// There is nothing here that answers an asking page (CORS).

const (
	consoleRoot   = "/-/console"
	consoleCookie = "__Host-postern"

	headerConsole = "X-Postern-Console"
	headerIdle    = "X-Postern-Idle"
	headerSeenAs  = "X-Postern-Seen-As"
)

// consoleTypes are the types of the files of the page.
var consoleTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// ConsoleHandler returns the handler of the console's listener.
func (e *Engine) ConsoleHandler() fasthttp.RequestHandler {
	of := func(t route, page bool) fasthttp.RequestHandler {
		m := e.mount(t, consolePlane)
		m.page = page
		return func(ctx *fasthttp.RequestCtx) { e.serve(ctx, m, nil) }
	}
	refuse := func(k kind) fasthttp.RequestHandler {
		return of(route{method: "none", allow: anyone, handler: func(*Request) error { return k }}, true)
	}
	missing, wrong := refuse(errEndpoint), refuse(errMethod)
	files := consoleFiles()
	if files == nil {
		return missing // left out of this build
	}
	own := map[string]map[string]fasthttp.RequestHandler{} // by path and method
	add := func(t route, page bool) {
		if own[t.path] == nil {
			own[t.path] = map[string]fasthttp.RequestHandler{}
		}
		own[t.path][t.method] = of(t, page)
	}
	add(route{"GET", "/", anyone, toConsole}, true)
	add(route{"GET", consoleRoot, anyone, toConsole}, true)
	for name, f := range files {
		if name == "index.html" {
			name = ""
		}
		add(route{"GET", consoleRoot + "/" + name, anyone, f.serve}, true)
	}
	for _, t := range e.consoleRoutes() {
		add(t, false)
	}
	api := e.handlerOf(e.consoleAPI(), consolePlane)
	below := []byte(consoleRoot + "/api/")
	return func(ctx *fasthttp.RequestCtx) {
		at := ctx.URI().PathOriginal()
		if rest, ok := bytes.CutPrefix(at, below); ok {
			ctx.URI().SetPathBytes(append([]byte{'/'}, rest...))
			api(ctx)
			return
		}
		handler := missing
		if methods, ok := own[string(at)]; ok {
			handler = wrong
			if h, ok := methods[string(ctx.Method())]; ok {
				handler = h
			}
		}
		handler(ctx)
	}
}

// consoleAPI is every route there is. Nothing is for anyone on this plane.
func (e *Engine) consoleAPI() []route {
	all := append(append(e.routes(), e.probes()...), e.adminRoutes()...)
	for i := range all {
		if all[i].allow == anyone {
			all[i].allow = asOperator
		}
	}
	return all
}

// consoleRoutes are the console's own.
func (e *Engine) consoleRoutes() []route {
	return []route{
		{"POST", consoleRoot + "/login", anyone, e.consoleLogin},
		{"GET", consoleRoot + "/session", asOperator, e.consoleSession},
		{"GET", consoleRoot + "/who", anyone, e.consoleWho},
		{"POST", consoleRoot + "/logout", anyone, e.consoleLogout},
	}
}

// toConsole leads to the one address of the page.
func toConsole(r *Request) error {
	r.ctx.Response.Header.Set("Location", consoleRoot+"/")
	r.ctx.SetStatusCode(fasthttp.StatusFound)
	return nil
}

// A consoleFile is one file of the page.
type consoleFile struct {
	kind, tag string
	body      []byte
}

// consoleFiles are the files of the page by name, nil when there are none.
func consoleFiles() map[string]*consoleFile {
	dir := console.Files()
	if dir == nil {
		return nil
	}
	files := map[string]*consoleFile{}
	names, err := fs.Glob(dir, "*.*")
	if err != nil {
		panic(fmt.Sprintf("the console's files: %v", err))
	}
	for _, name := range names {
		body, err := fs.ReadFile(dir, name)
		kind, known := consoleTypes[path.Ext(name)]
		if err != nil || !known {
			panic(fmt.Sprintf("the console's file %s: %v", name, err)) // what was built in is readable, and of a known type
		}
		sum := sha256.Sum256(body)
		files[name] = &consoleFile{kind, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, body}
	}
	return files
}

func (f *consoleFile) serve(r *Request) error {
	h := &r.ctx.Response.Header
	h.Set("Cache-Control", "no-cache") // asked about each time, so that a new binary shows its own page
	h.Set("ETag", f.tag)
	if string(r.ctx.Request.Header.Peek("If-None-Match")) == f.tag {
		r.ctx.SetStatusCode(fasthttp.StatusNotModified)
		return nil
	}
	h.SetContentType(f.kind)
	r.ctx.Response.SetBodyRaw(f.body)
	return nil
}

// consoleHeaders sets what every answer of this plane has, errors too. The scripts
// of the page are its own files, it talks to this listener and to nobody else, and
// no other page shows it in itself or holds on to its window.
func consoleHeaders(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "+
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	// For localhost it would hold for the servers of every other port, too.
	if overTLS(ctx) && !Loopback(string(ctx.Host())) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// overTLS tells whether the request came encrypted.
func overTLS(ctx *fasthttp.RequestCtx) bool {
	c, ok := ctx.Conn().(*conn)
	if !ok {
		return false
	}
	_, ok = c.Conn.(*tls.Conn)
	return ok
}

// fromConsole refuses what the page of the console, loaded from this listener, would
// not send.
func (r *Request) fromConsole() error {
	h := &r.ctx.Request.Header
	host := string(r.ctx.Host())
	// A name that leads to the loopback interface may be anybody's.
	if local := addressOf(r.ctx.LocalAddr()); (!local.IsValid() || local.IsLoopback()) && !Loopback(host) {
		return fault(errBadRequest, "the console answers on loopback host names only here")
	}
	if r.sent.authorizations > 0 {
		return fault(errBadRequest, "the console takes no Authorization: log in at %s/login", consoleRoot)
	}
	if r.route.page {
		return nil
	}
	if string(h.Peek(headerConsole)) != "1" {
		return fault(errForbidden, "requests of the console carry %s: 1", headerConsole)
	}
	for _, site := range h.PeekAll("Sec-Fetch-Site") {
		if string(site) != "same-origin" {
			return fault(errForbidden, "this request comes from another site")
		}
	}
	scheme := "http://"
	if overTLS(r.ctx) {
		scheme = "https://"
	}
	for _, origin := range h.PeekAll("Origin") {
		if string(origin) != scheme+host {
			return fault(errForbidden, "this request comes from another origin")
		}
	}
	return nil
}

package engine

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"postern/engine/document"
)

// Cross-origin requests of browsers. An app names the origins whose pages may
// use it; none by default. Credentials travel in a header that a page must set
// itself, never in cookies, so an origin that is not named can send nothing in
// a user's name; what it is refused here is reading the answers. The management
// API takes no part.

const (
	// localOrigins stands for every origin on the loopback interface.
	localOrigins   = "localhost"
	anyOrigin      = "*"
	maxOrigins     = 64
	corsMethods    = "GET,POST,PUT,DELETE,OPTIONS"
	corsExposed    = "Location,X-Kinvey-Api-Version,X-Kinvey-Request-Id,X-Kinvey-Request-Start"
	corsMaxAge     = "600" // seconds that a browser may remember the permission
	maxCORSHeaders = 2048  // bytes of the header names that a browser asks for
)

// forApps are the first segments of paths that belong to apps.
var forApps = map[string]bool{
	"appdata": true, "user": true, "group": true, "rpc": true, "roles": true, "blob": true, "push": true, "stream": true,
}

// micPosts are the paths of Mobile Identity Connect that pages post to. Its login
// page is opened by people, in a window of its own.
var micPosts = map[string]bool{"/oauth/auth": true, "/oauth/token": true, "/oauth/revoke": true}

// originsIn reads the setting: an array of origins such as
// "https://app.example.com", "localhost" or "*".
func originsIn(v document.Value) ([]string, error) {
	bad := fault(errOutOfRange, `corsOrigins is an array of at most %d origins such as "https://app.example.com", "localhost" or "*"`, maxOrigins)
	if v.Kind() != document.Array || v.Len() > maxOrigins {
		return nil, bad
	}
	origins := []string{}
	for o := range v.Elements() {
		text := o.Text()
		if o.Kind() != document.String || text != localOrigins && text != anyOrigin && !isOrigin(text) {
			return nil, bad
		}
		origins = append(origins, text)
	}
	return origins, nil
}

// isOrigin tells whether text is an origin as a browser writes it: scheme,
// host, port, nothing else, in lower case.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		text == u.Scheme+"://"+u.Host && text == strings.ToLower(text)
}

// allowsOrigin tells whether pages of an origin may use the app.
func (o *AppOptions) allowsOrigin(origin string) bool {
	for _, allowed := range o.CORSOrigins {
		switch allowed {
		case anyOrigin, origin:
			return true
		case localOrigins:
			if u, err := url.Parse(origin); err == nil && isOrigin(origin) && Loopback(u.Host) {
				return true
			}
		}
	}
	return false
}

// cors lets a page of an allowed origin read the answer, whatever it is.
func (r *Request) cors() {
	options := &r.view.config.Options
	forPages := forApps[firstSegment(r.route.path)] || micPosts[r.route.path] && r.route.method == fasthttp.MethodPost
	if len(options.CORSOrigins) == 0 || !forPages {
		return
	}
	h := &r.ctx.Response.Header
	h.Set("Vary", "Origin")
	origin := string(r.ctx.Request.Header.Peek("Origin"))
	if origin == "" || !options.allowsOrigin(origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsExposed)
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// preflight answers OPTIONS for every path that pages use, without credentials:
// a browser asks before it lets a page send any. No other path takes OPTIONS.
func (e *Engine) preflight(r *Request) error {
	h := &r.ctx.Response.Header
	path := string(r.ctx.URI().PathOriginal())
	segments := strings.Split(path, "/")
	asked := r.ctx.Request.Header.Peek("Access-Control-Request-Headers")
	origin := string(r.ctx.Request.Header.Peek("Origin"))
	ofMIC := micPosts[strings.TrimSuffix(path, "/")]
	if !ofMIC && (len(segments) < 3 || !forApps[segments[1]]) || r.plane != publicPlane {
		return errMethod
	}
	h.Set("Allow", corsMethods)
	if origin == "" {
		return r.nothing()
	}
	allowed := ofMIC && e.someAppAllows(origin)
	if !ofMIC {
		key, err := decodeSegment(segments[2])
		a, ok := e.appByKey(key)
		if err != nil || !ok {
			return errAppNotFound
		}
		allowed = a.view.Load().config.Options.allowsOrigin(origin)
	}
	h.Set("Vary", "Origin, Access-Control-Request-Headers")
	if !allowed {
		return errCORS
	}
	if !headerNames(asked) {
		return fault(errBadRequest, "Access-Control-Request-Headers is not a list of header names")
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", corsMethods)
	if len(asked) > 0 {
		h.SetBytesV("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", corsMaxAge)
	return r.nothing()
}

// someAppAllows tells whether pages of an origin may use any app. For Mobile
// Identity Connect the app is in the body of the request that a preflight asks
// leave for. The answer to that one is for the origins of its own app again.
func (e *Engine) someAppAllows(origin string) bool {
	for _, a := range e.apps.Load().byKey {
		if c := a.view.Load().config; c.Deleted == 0 && c.Options.allowsOrigin(origin) {
			return true
		}
	}
	return false
}

// headerNames tells whether text is a list of header names, which is given back.
func headerNames(text []byte) bool {
	other := func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-_, ", c))
	}
	return len(text) <= maxCORSHeaders && bytes.IndexFunc(text, other) < 0
}

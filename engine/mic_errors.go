package engine

import (
	"cmp"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"postern/auth/mic"
	"postern/engine/document"
)

// An oauthError is an error in the form of OAuth 2.0.
type oauthError struct {
	status      int
	code        string
	description string
}

func (e *oauthError) Error() string { return e.code + ": " + e.description }

func oauthFault(status int, code, description string) error {
	return &oauthError{status, code, description}
}

var (
	errClient       = oauthFault(fasthttp.StatusUnauthorized, "invalid_client", "Client authentication failed.")
	errGrant        = oauthFault(fasthttp.StatusBadRequest, "invalid_grant", "The code or token is not valid, or not any more.")
	errDenied       = oauthFault(fasthttp.StatusUnauthorized, "access_denied", "Wrong username or password.")
	errUnauthorized = oauthFault(fasthttp.StatusBadRequest, "unauthorized_client", "This auth service does not allow that way to log in.")
)

func invalidRequest(description string) error {
	return oauthFault(fasthttp.StatusBadRequest, "invalid_request", description)
}

// oauthErrorOf makes of any error one in the form of OAuth 2.0. Trouble on the
// server's side is never a 4xx: on that clients forget the session.
func (r *Request) oauthErrorOf(err error) *oauthError {
	var o *oauthError
	var account *mic.AccountError
	switch {
	case errors.As(err, &o):
		return o
	case errors.As(err, &account):
		return &oauthError{fasthttp.StatusUnauthorized, "access_denied", sentence(account.Why)}
	case errors.Is(err, mic.ErrCredentials):
		return errDenied.(*oauthError)
	case errors.Is(err, mic.ErrRefused):
		r.e.config.Logger.Warn("a login was refused", "request", string(r.id), "error", err)
		return &oauthError{fasthttp.StatusUnauthorized, "access_denied", "The identity provider's answer was refused."}
	case errors.Is(err, mic.ErrUnavailable):
		r.e.config.Logger.Warn("an identity provider is not available", "request", string(r.id), "error", err)
		return &oauthError{fasthttp.StatusServiceUnavailable, "temporarily_unavailable", "The identity provider is not available. Please try again later."}
	case errors.Is(err, mic.ErrGone), errors.Is(err, errNoGrant), errors.Is(err, errReplay):
		return errGrant.(*oauthError)
	case errors.Is(err, errNoService):
		return errClient.(*oauthError)
	}
	f := faultOf(err)
	w := errorTable[f.kind]
	if f.retryAfter > 0 {
		r.ctx.Response.Header.Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	switch {
	case f.kind == errUnverified, f.kind == errLockedDown:
		return &oauthError{w.status, "access_denied", w.description}
	case f.kind == errTooManyRequests:
		return &oauthError{w.status, "temporarily_unavailable", "Too many attempts. Please wait a little."}
	case w.status >= 500:
		r.e.config.Logger.Error("request failed", "request", string(r.id), "route", r.route.path, "error", err)
		return &oauthError{w.status, "server_error", "The server could not do this."}
	}
	// A page must say something.
	return &oauthError{w.status, "invalid_request", cmp.Or(f.debug, w.description)}
}

// sentence is a reason as a page says it.
func sentence(why string) string {
	if why == "" {
		return ""
	}
	return strings.ToUpper(why[:1]) + why[1:] + "."
}

// oauth makes a handler one whose errors have the form of OAuth 2.0.
func (e *Engine) oauth(h handler) handler {
	return func(r *Request) error {
		r.ctx.Response.Header.Set("Cache-Control", "no-store")
		err := h(r)
		if err == nil {
			return nil
		}
		o := r.oauthErrorOf(err)
		if o.status == fasthttp.StatusUnauthorized && o.code == "invalid_client" {
			r.ctx.Response.Header.Set("WWW-Authenticate", `Basic realm="Kinvey", charset="UTF-8"`)
		}
		return r.json(o.status, new(jsonObject).text("error", o.code).text("error_description", o.description).text("debug", o.description).close())
	}
}

var errTwice = invalidRequest("a parameter is there twice")

// fields are the parameters of a request, each there once.
type fields map[string]string

func fieldsOf(args *fasthttp.Args) (fields, error) {
	f := fields{}
	for k, v := range args.All() {
		if _, twice := f[string(k)]; twice {
			return nil, errTwice
		}
		f[string(k)] = string(v)
	}
	return f, nil
}

// posted reads the parameters of the body: a form, or JSON as the SDK for iOS
// sends it.
func (r *Request) posted() (fields, error) {
	b, err := r.bytes()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(strings.ToLower(string(r.ctx.Request.Header.ContentType())), "application/json") {
		values, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, invalidRequest("the body is not a form")
		}
		f := fields{}
		for k, v := range values {
			if len(v) > 1 {
				return nil, errTwice
			}
			f[k] = v[0]
		}
		return f, nil
	}
	doc, err := document.Parse(b, document.Body)
	if err != nil {
		return nil, err
	}
	f := fields{}
	for key, v := range doc.Members() {
		if v.Kind() == document.String {
			f[key.Text()] = v.Text()
		}
	}
	return f, nil
}

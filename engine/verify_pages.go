package engine

import (
	"bytes"
	"context"
	"errors"
	"html"
	"strconv"

	"github.com/valyala/fasthttp"

	"postern/auth"
)

// The pages behind the links in mails: plain HTML, no script, no style, nothing
// loaded from anywhere. Opening one changes nothing, because programs open
// links, too; a form sent from it does.

// page answers with HTML that gives nothing away to whatever stands around it.
func (r *Request) page(status int, title, body string) error {
	r.pageHeaders(status, "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	b := append([]byte(nil), `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>`...)
	b = append(append(b, html.EscapeString(title)...), `</title></head><body><h1>`...)
	b = append(append(b, html.EscapeString(title)...), `</h1>`...)
	b = append(append(b, body...), `</body></html>`...)
	r.ctx.Response.SetBodyRaw(b)
	return nil
}

// pageHeaders are those of every page that this server shows. policy is its content
// security policy.
func (r *Request) pageHeaders(status int, policy string) {
	h := &r.ctx.Response.Header
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex")
	r.ctx.SetStatusCode(status)
}

// failedPage shows an error as a page. No error leaves here: the log would
// name the path, which holds the token.
func (r *Request) failedPage(err error) error {
	f := faultOf(err)
	w := errorTable[f.kind]
	switch {
	case errors.Is(err, errLink):
		return r.page(fasthttp.StatusNotFound, "This link does not work", "<p>It is wrong, was used already, or is too old. Please ask for a new one.</p>")
	case f.kind == errTooManyRequests, w.status >= 500:
		if f.kind == errInternal {
			r.e.config.Logger.Error("a page failed", "request", string(r.id), "route", r.route.path, "error", err)
		}
		if f.retryAfter > 0 {
			r.ctx.Response.Header.Set("Retry-After", strconv.Itoa(f.retryAfter))
		}
		return r.page(w.status, "Please try again later", "<p>The server is busy.</p>")
	}
	return r.page(w.status, "This did not work", "<p>"+html.EscapeString(f.debug)+".</p>")
}

// linkIn finds the account whose link the path holds.
func (r *Request) linkIn(p purpose) (user, token string, a *account, err error) {
	if err := r.limit(auth.Page); err != nil {
		return "", "", nil, err
	}
	user, token = r.param(0), r.param(1)
	a, err = r.view.opens(p, user, token, r.start)
	return user, token, a, err
}

func (e *Engine) showReset(r *Request) error {
	_, _, a, err := r.linkIn(toReset)
	if err != nil {
		return r.failedPage(err)
	}
	return r.resetForm(fasthttp.StatusOK, a, "")
}

// resetForm asks for a password. The form goes to where it came from.
func (r *Request) resetForm(status int, a *account, problem string) error {
	if problem != "" {
		problem = "<p><strong>" + html.EscapeString(problem) + "</strong></p>"
	}
	return r.page(status, "Choose a new password", problem+
		`<form method="post"><p>For <b>`+html.EscapeString(a.Username)+`</b> at <b>`+html.EscapeString(r.view.config.Name)+`</b></p>`+
		`<p><label>New password <input type="password" name="password" autocomplete="new-password" required maxlength="1024"></label></p>`+
		`<p><label>The same again <input type="password" name="again" autocomplete="new-password" required maxlength="1024"></label></p>`+
		`<p><button>Set password</button></p></form>`)
}

// form reads a submitted form.
func (r *Request) form() (*fasthttp.Args, error) {
	kind, _, _ := bytes.Cut(r.ctx.Request.Header.ContentType(), []byte(";"))
	if !bytes.EqualFold(bytes.TrimSpace(kind), []byte("application/x-www-form-urlencoded")) {
		return nil, fault(errBadRequest, "this takes a form")
	}
	b, err := r.bytes()
	if err != nil {
		return nil, err
	}
	args := new(fasthttp.Args)
	args.ParseBytes(b)
	return args, nil
}

func (e *Engine) doReset(r *Request) error {
	user, token, a, err := r.linkIn(toReset)
	if err != nil {
		return r.failedPage(err)
	}
	form, err := r.form()
	if err != nil {
		return r.failedPage(err)
	}
	password := string(form.Peek("password"))
	if password != string(form.Peek("again")) {
		return r.resetForm(fasthttp.StatusBadRequest, a, "The two are not the same.")
	}
	if password == "" {
		return r.resetForm(fasthttp.StatusBadRequest, a, "The password is empty.")
	}
	if err := r.acceptable("", password); err != nil {
		return r.resetForm(fasthttp.StatusBadRequest, a, "The "+faultOf(err).debug+".")
	}
	in := &redeem{app: r.app, by: r.actor(), purpose: toReset, user: user, token: token}
	if in.phc, err = e.hasher.Hash(context.Background(), e.Random(), password); err != nil {
		return r.failedPage(err)
	}
	if err := e.committer.submit(r.app, in); err != nil {
		return r.failedPage(err)
	}
	e.verified.Drop(user)
	return r.page(fasthttp.StatusOK, "Your password has been changed", "<p>You can log in with it now. All sessions with the old one have ended.</p>")
}

func (e *Engine) showVerify(r *Request) error {
	_, _, a, err := r.linkIn(toVerify)
	if err != nil {
		return r.failedPage(err)
	}
	return r.page(fasthttp.StatusOK, "Confirm your e-mail address",
		`<form method="post"><p>`+html.EscapeString(a.Mail.Verify.Link.Address)+` for <b>`+html.EscapeString(a.Username)+
			`</b> at <b>`+html.EscapeString(r.view.config.Name)+`</b></p><p><button>Confirm</button></p></form>`)
}

func (e *Engine) doVerify(r *Request) error {
	user, token, _, err := r.linkIn(toVerify)
	if err == nil {
		err = e.committer.submit(r.app, &redeem{app: r.app, by: r.actor(), purpose: toVerify, user: user, token: token})
	}
	if err != nil {
		return r.failedPage(err)
	}
	return r.page(fasthttp.StatusOK, "Your e-mail address is confirmed", "<p>Thank you.</p>")
}

package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/auth/mic"
)

// The part of Mobile Identity Connect that a browser sees. What it is shown is
// plain HTML: no script, nothing loaded from anywhere, a few lines of style.

const loginStyle = `body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1b1f24}` +
	`main{max-width:22rem;margin:8vh auto;padding:1.5rem;background:#fff;border:1px solid #c9ced6;border-radius:.5rem;box-sizing:border-box}` +
	`h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:0 0 1rem}` +
	`input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem;border:1px solid #5b6472;border-radius:.25rem}` +
	`button{font:inherit;padding:.5rem 1rem;width:100%;border:0;border-radius:.25rem;background:#0b57d0;color:#fff}` +
	`input:focus,button:focus{outline:3px solid #f5a623;outline-offset:1px}` +
	`[role=alert]{border-left:4px solid #b3261e;padding:.25rem .75rem;margin:0 0 1rem}` +
	`@media(max-width:26rem){main{max-width:none;margin:0;border:0;border-radius:0;min-height:100vh}}` +
	`@media(prefers-color-scheme:dark){body{background:#16191d;color:#e6e8eb}main{background:#1f2328;border-color:#454c56}input{background:#16191d;color:#e6e8eb}}`

// loginStyleHash is what the content security policy knows the style by.
var loginStyleHash = func() string {
	sum := sha256.Sum256([]byte(loginStyle))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// micPage answers with a page of a login. sendTo is where a form on it may lead
// to, besides this server: browsers look at redirects, too.
func (r *Request) micPage(status int, title, body, sendTo string) error {
	form := "'self'"
	if sendTo != "" {
		form += " " + sendTo
	}
	r.pageHeaders(status, "default-src 'none'; style-src "+loginStyleHash+"; form-action "+form+"; frame-ancestors 'none'; base-uri 'none'")
	b := append([]byte(nil), `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>`...)
	b = append(append(b, html.EscapeString(title)...), `</title><style>`+loginStyle+`</style></head><body><main><h1>`...)
	b = append(append(b, html.EscapeString(title)...), `</h1>`...)
	b = append(append(b, body...), `</main></body></html>`...)
	r.ctx.Response.SetBodyRaw(b)
	return nil
}

// sendTo is the source that a content security policy allows a redirect URI by.
func sendTo(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return ""
	case u.Scheme == "http" || u.Scheme == "https":
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}

// micProblem shows an error as a page, in plain words.
func (r *Request) micProblem(err error) error {
	o := r.oauthErrorOf(err)
	return r.micPage(o.status, "You could not be logged in", `<p role="alert">`+html.EscapeString(o.description)+`</p><p>Please go back to the app and try again.</p>`, "")
}

// back sends the browser, or the app that acts as one, to the redirect URI.
func (r *Request) back(m *mic.Request, key, value string) error {
	values := url.Values{key: {value}, "iss": {r.e.config.PublicURL}}
	return r.backWith(m, values)
}

func (r *Request) backWith(m *mic.Request, values url.Values) error {
	if m.State != "" {
		values.Set("state", m.State)
	}
	r.ctx.Response.Header.Set("Cache-Control", "no-store")
	r.ctx.Response.Header.Set("Referrer-Policy", "no-referrer")
	r.ctx.Response.Header.Set("Location", mic.Back(m.Redirect, values))
	r.ctx.SetStatusCode(fasthttp.StatusFound)
	return nil
}

// backProblem tells the app, by way of its redirect URI, that it came to nothing.
func (r *Request) backProblem(m *mic.Request, err error) error {
	o := r.oauthErrorOf(err)
	code := o.code
	if code == "invalid_client" || code == "invalid_grant" {
		code = "server_error"
	}
	return r.backWith(m, url.Values{"error": {code}, "error_description": {o.description}, "iss": {r.e.config.PublicURL}})
}

// micCookie is the name of the cookie that binds a login to a browser. By its prefix
// browsers see to it that no other host of the domain and no plain connection sets it.
func (e *Engine) micCookie() string {
	if strings.HasPrefix(e.config.PublicURL, "https:") {
		return "__Host-postern_mic"
	}
	return "postern_mic"
}

// shown is the cookie that the browser has sent.
func (r *Request) shown() string {
	return string(r.ctx.Request.Header.Cookie(r.e.micCookie()))
}

// browser returns the cookie, and gives the browser one if it has none.
func (r *Request) browser() string {
	value := r.shown()
	if _, ok := mic.ParseSecret(value); !ok {
		value = mic.NewSecret(r.e.Random())
	}
	c := fasthttp.AcquireCookie()
	defer fasthttp.ReleaseCookie(c)
	c.SetKey(r.e.micCookie())
	c.SetValue(value)
	c.SetPath("/")
	c.SetHTTPOnly(true)
	c.SetSameSite(fasthttp.CookieSameSiteLaxMode)
	c.SetSecure(strings.HasPrefix(r.e.config.PublicURL, "https:"))
	c.SetMaxAge(int(pageTTL / time.Second))
	r.ctx.Response.Header.SetCookie(c)
	return value
}

// showLogin answers GET /oauth/auth: with the page that asks for name and
// password, or by sending the browser to the provider's own.
func (e *Engine) showLogin(r *Request) error {
	if err := r.limit(auth.Login); err != nil {
		return r.micProblem(err)
	}
	f, err := fieldsOf(r.ctx.QueryArgs())
	if err != nil {
		return r.micProblem(err)
	}
	service, m, err := r.begin(f)
	if err != nil {
		return r.micProblem(err)
	}
	m.Page = true
	if err := wanted(f, service, m); err != nil {
		return r.backProblem(m, err)
	}
	p, err := e.mic.provider(service)
	if err != nil {
		return r.backProblem(m, err)
	}
	m.Browser = mic.CookieDigest(r.browser())
	secret, to := mic.NewSecret(e.Random()), ""
	if redirects, ok := p.(mic.Redirects); ok {
		ctx, cancel := context.WithTimeout(context.Background(), providerTime)
		defer cancel()
		if to, m.Begun, err = redirects.Begin(ctx, secret); err != nil {
			return r.backProblem(m, err)
		}
	}
	if !e.mic.logins.Begin(unixTime(r.start), secret, *m, 0) {
		return r.backProblem(m, slow(errTooManyRequests, 10))
	}
	if to != "" {
		r.ctx.Response.Header.Set("Location", to)
		r.ctx.Response.Header.Set("Referrer-Policy", "no-referrer")
		r.ctx.SetStatusCode(fasthttp.StatusFound)
		return nil
	}
	return r.loginForm(fasthttp.StatusOK, secret, m, service, "", "")
}

// loginForm asks for name and password.
func (r *Request) loginForm(status int, secret string, m *mic.Request, service *authService, name, problem string) error {
	if problem != "" {
		problem = `<p role="alert">` + html.EscapeString(problem) + `</p>`
	}
	focus := [2]string{" autofocus", ""}
	if name != "" {
		focus = [2]string{"", " autofocus"}
	}
	return r.micPage(status, "Log in to "+r.view.config.Name,
		problem+`<form method="post" action="`+codePath+secret+`">`+
			`<label>Username <input name="username" value="`+html.EscapeString(name)+`" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="1024"`+focus[0]+`></label>`+
			`<label>Password <input name="password" type="password" autocomplete="current-password" required maxlength="1024"`+focus[1]+`></label>`+
			`<button>Log in</button></form><p>Your account is that of `+html.EscapeString(service.Name)+`.</p>`, sendTo(m.Redirect))
}

// errOldPage says that a page, or what it was to lead to, is there no more.
var errOldPage = invalidRequest("This page is too old, or was used already")

// resume finds the login that a request goes on with, and makes the request one
// of its app.
func (r *Request) resume(m *mic.Request) (*authService, error) {
	service, err := r.appAndService(m.Client)
	if err != nil || service.ID != m.Service || r.app.key != m.App {
		return nil, errOldPage
	}
	return service, nil
}

// authenticate takes name and password, from the page or from an app that was
// given a temporary URI.
func (e *Engine) authenticate(r *Request) error {
	secret := r.param(0)
	m, ok := e.mic.logins.Look(unixTime(r.start), secret)
	if !ok {
		return r.micProblem(errOldPage)
	}
	service, err := r.resume(&m)
	if err != nil {
		return r.micProblem(err)
	}
	if m.Page {
		return r.fromPage(secret, &m, service)
	}
	return e.oauth(func(r *Request) error { return r.fromApp(secret, &m, service) })(r)
}

// fromApp is the temporary URI: good once, whatever comes of it.
func (r *Request) fromApp(secret string, m *mic.Request, service *authService) error {
	f, err := r.posted()
	if err != nil {
		return err
	}
	if _, ok := r.e.mic.logins.Take(unixTime(r.start), secret); !ok {
		return errOldPage
	}
	if f["client_id"] != "" && f["client_id"] != m.Client || f["redirect_uri"] != "" && f["redirect_uri"] != m.Redirect || !service.AllowTemporaryURI {
		return invalidRequest("client_id and redirect_uri are not those that this was begun with")
	}
	who, err := r.checkLogin(service, f["username"], f["password"])
	if err != nil {
		return err
	}
	return r.code(m, service, who)
}

// fromPage is the form of the page. Only the browser that was shown it may send
// it: a stranger who had somebody else send his form would log him in as himself.
func (r *Request) fromPage(secret string, m *mic.Request, service *authService) error {
	if !m.From(r.shown()) {
		return r.micProblem(oauthFault(fasthttp.StatusForbidden, "invalid_request", "This page was opened in another browser, or cookies are switched off"))
	}
	form, err := r.form()
	if err != nil {
		return r.micProblem(err)
	}
	f, err := fieldsOf(form)
	if err != nil {
		return r.micProblem(err)
	}
	who, err := r.checkLogin(service, f["username"], f["password"])
	if err != nil {
		return r.again(secret, m, service, f["username"], err)
	}
	if _, ok := r.e.mic.logins.Take(unixTime(r.start), secret); !ok {
		return r.micProblem(errOldPage)
	}
	if err := r.code(m, service, who); err != nil {
		return r.backProblem(m, err)
	}
	return nil
}

// again shows the page with what is wrong, unless that has happened too often.
func (r *Request) again(secret string, m *mic.Request, service *authService, name string, err error) error {
	o := r.oauthErrorOf(err)
	if m.Tries++; m.Tries >= maxTries {
		r.e.mic.logins.Take(unixTime(r.start), secret)
		return r.backProblem(m, errDenied)
	}
	r.e.mic.logins.Change(unixTime(r.start), secret, *m)
	return r.loginForm(o.status, secret, m, service, name, o.description)
}

// returned takes the browser that a provider sends back. By a form, as in SAML,
// it comes without our cookie, because another site has sent it: then it is sent
// to this very place once more, by itself, and brings it.
func (e *Engine) returned(r *Request) error {
	if err := r.limit(auth.Login); err != nil {
		return r.micProblem(err)
	}
	if r.ctx.IsPost() {
		return r.returnedByForm()
	}
	args := r.ctx.QueryArgs()
	state := string(args.Peek("state"))
	values, err := valuesOf(args)
	if err != nil {
		return r.micProblem(err)
	}
	if again := string(args.Peek("again")); again != "" {
		form, ok := e.mic.forms.Take(unixTime(r.start), again)
		if !ok {
			return r.micProblem(errOldPage)
		}
		values, state = form, form.Get("RelayState")
	}
	m, ok := e.mic.logins.Look(unixTime(r.start), state)
	if !ok || !m.Page || m.Begun == nil || m.Service != r.param(0) {
		return r.micProblem(errOldPage)
	}
	if !m.From(r.shown()) {
		return r.micProblem(oauthFault(fasthttp.StatusForbidden, "invalid_request", "This login was begun in another browser, or cookies are switched off"))
	}
	if _, ok := e.mic.logins.Take(unixTime(r.start), state); !ok {
		return r.micProblem(errOldPage)
	}
	service, err := r.resume(&m)
	if err != nil {
		return r.micProblem(err)
	}
	account, err := e.finish(service, m.Begun, values)
	if err == nil {
		err = r.code(&m, service, proof{Account: account})
	}
	if err != nil {
		return r.backProblem(&m, err)
	}
	return nil
}

func (e *Engine) finish(service *authService, begun []byte, values url.Values) (*mic.Account, error) {
	p, err := e.mic.provider(service)
	if err != nil {
		return nil, err
	}
	redirects, ok := p.(mic.Redirects)
	if !ok {
		return nil, errors.Join(mic.ErrRefused, errors.New("the service has another kind of provider now"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), providerTime)
	defer cancel()
	return redirects.Finish(ctx, begun, values)
}

// maxCallback bounds what a provider sends by way of the browser, in bytes.
const maxCallback = 256 << 10

func (r *Request) returnedByForm() error {
	form, err := r.form()
	if err != nil {
		return r.micProblem(err)
	}
	values, err := valuesOf(form)
	if err != nil {
		return r.micProblem(err)
	}
	if m, ok := r.e.mic.logins.Look(unixTime(r.start), values.Get("RelayState")); !ok || m.Service != r.param(0) {
		return r.micProblem(errOldPage) // not kept for whoever sends something
	}
	again := mic.NewSecret(r.e.Random())
	if !r.e.mic.forms.Begin(unixTime(r.start), again, values, time.Minute) {
		return r.micProblem(slow(errTooManyRequests, 10))
	}
	r.ctx.Response.Header.Set("Location", r.e.config.PublicURL+backPath+string(appendSegment(nil, r.param(0)))+"?again="+again)
	r.ctx.SetStatusCode(fasthttp.StatusSeeOther)
	return nil
}

// valuesOf copies parameters; they may be there several times, which is for the
// provider to judge.
func valuesOf(args *fasthttp.Args) (url.Values, error) {
	values, size := url.Values{}, 0
	for k, v := range args.All() {
		if size += len(k) + len(v); size > maxCallback || len(values) > 50 {
			return nil, invalidRequest("the identity provider's answer is too large")
		}
		values.Add(string(k), string(v))
	}
	return values, nil
}

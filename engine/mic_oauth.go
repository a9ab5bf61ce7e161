package engine

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/auth/mic"
)

// Mobile Identity Connect: "an OAuth2 interface in front of the identity
// provider". An app sends its user, or for him a request, to /oauth/auth. When he
// has proved to the provider who he is, the app gets a code, for the code at
// /oauth/token an access and a refresh token, and for the access token at
// /user/{kid}/login a session.
//
// What waits for its next step is in memory (mic.Flows); what was granted is a row
// (micGrant). A token of one app means nothing to another: each app looks among
// its own grants.

const (
	// pageTTL is how long somebody may take to log in.
	pageTTL = 10 * time.Minute
	// maxFlows bounds the logins that are under way, of all apps.
	maxFlows = 20_000
	// maxTries is how many wrong passwords a page takes before it must be opened anew.
	maxTries = 10
	// providerTime is how long one question to a provider may take.
	providerTime = 30 * time.Second

	codePath = "/oauth/authenticate/"
	backPath = "/oauth2/redirect/" // and the id of the service: what one provider says is never taken for another's
)

// A code is what a login has led to, until the app takes it.
type micCode struct {
	request mic.Request
	service *authService
	who     proof
}

// A proof is who somebody has proved to be.
type proof struct {
	*mic.Account
	local bool // a user of the environment itself, whose id is Subject
}

// appAndService finds the app and the service that a client_id means, "kid" or
// "kid.service", and makes the request one of that app.
func (r *Request) appAndService(id string) (*authService, error) {
	kid, service, _ := strings.Cut(id, ".")
	a, ok := r.e.appByKey(kid)
	if !ok {
		return nil, errNoService
	}
	r.app, r.view = a, a.view.Load()
	r.cors()
	return r.e.system.Load().service(r.view.config, service)
}

// confidential demands the app secret, in a Basic header whose name is the
// client_id or the app key.
func (r *Request) confidential(f fields) (*authService, error) {
	cred, err := auth.ParseAuthorization(r.ctx.Request.Header.Peek("Authorization"))
	if err != nil || cred.Scheme != auth.Basic {
		return nil, errClient
	}
	id := f["client_id"]
	if id == "" {
		id = cred.Name
	}
	service, err := r.appAndService(id)
	if err != nil {
		return nil, err
	}
	if cred.Name != id && cred.Name != r.app.key || !matches(r.view.config.AppSecrets, cred.Password, r.start) {
		return nil, errClient
	}
	return service, nil
}

// begin reads what /oauth/auth is asked for. As long as it is not clear that the
// redirect URI is one of the service's, an error goes nowhere but to who asks.
func (r *Request) begin(f fields) (*authService, *mic.Request, error) {
	if r.e.config.PublicURL == "" {
		return nil, nil, fault(errConfiguration, "Mobile Identity Connect needs --public-url")
	}
	service, err := r.appAndService(f["client_id"])
	if errors.Is(err, errNoService) {
		return nil, nil, invalidRequest("client_id: there is no such app or auth service")
	}
	if err != nil {
		return nil, nil, err
	}
	to, ok := mic.Redirect(service.RedirectURI, f["redirect_uri"])
	if !ok {
		return nil, nil, invalidRequest("redirect_uri is none that is registered with this auth service")
	}
	return service, &mic.Request{App: r.app.key, Service: service.ID, Client: f["client_id"], Redirect: to, State: f["state"]}, nil
}

// wanted reads the rest, whose errors the app is told.
func wanted(f fields, service *authService, m *mic.Request) (err error) {
	if f["response_type"] != "code" {
		return oauthFault(fasthttp.StatusBadRequest, "unsupported_response_type", "response_type must be code.")
	}
	if len(m.State) > 2000 {
		return invalidRequest("state has at most 2000 bytes")
	}
	if m.Challenge, err = mic.ParseChallenge(f["code_challenge"], f["code_challenge_method"]); err != nil {
		return invalidRequest(err.Error())
	}
	if service.RequirePKCE && m.Challenge == "" {
		return invalidRequest("this auth service demands a code_challenge (PKCE, S256)")
	}
	return nil
}

// temporaryLogin answers POST /oauth/auth with the URI that takes the name and
// the password.
func (e *Engine) temporaryLogin(r *Request) error {
	if err := r.limit(auth.Login); err != nil {
		return err
	}
	f, err := r.posted()
	if err != nil {
		return err
	}
	service, m, err := r.begin(f)
	if err != nil {
		return err
	}
	if err := wanted(f, service, m); err != nil {
		return err
	}
	if !service.AllowTemporaryURI {
		return errUnauthorized
	}
	secret := mic.NewSecret(e.Random())
	if !e.mic.logins.Begin(unixTime(r.start), secret, *m, time.Duration(service.GrantTTL)*time.Second) {
		return slow(errTooManyRequests, 10)
	}
	return r.json(fasthttp.StatusOK, new(jsonObject).text("temp_login_uri", e.config.PublicURL+codePath+secret).close())
}

// checkLogin asks the service who somebody is, slowed like every other check of
// a password. When its directory is down, users of the environment may be let in
// instead, if the service says so.
func (r *Request) checkLogin(service *authService, username, password string) (proof, error) {
	if username == "" || password == "" || len(username) > 1024 || len(password) > 1024 {
		return proof{}, mic.ErrCredentials
	}
	if service.Provider.Type == kindLocal {
		return r.checkLocal(username, password)
	}
	account, err := r.checkDirectory(service, username, password)
	if service.LocalFallback && errors.Is(err, mic.ErrUnavailable) {
		r.e.config.Logger.Warn("a directory is not available: users of the environment are asked for", "request", string(r.id), "service", service.Name, "error", err)
		who, local := r.checkLocal(username, password)
		if local == nil && r.view.linked(who.Subject) {
			local = mic.ErrCredentials // a directory owns him, and may have disabled him
		}
		if errors.Is(local, mic.ErrCredentials) {
			return proof{}, err // he may be one of the directory's: it is not known that he is wrong
		}
		return who, local
	}
	return proof{Account: account}, err
}

// checkLocal asks for a user of the environment.
func (r *Request) checkLocal(username, password string) (proof, error) {
	id, err := r.e.checkPassword(r, username, password)
	if errors.Is(err, errCredentials) {
		err = mic.ErrCredentials
	}
	if err != nil {
		return proof{}, err
	}
	return proof{&mic.Account{Subject: id}, true}, nil
}

func (r *Request) checkDirectory(service *authService, username, password string) (*mic.Account, error) {
	p, err := r.e.mic.provider(service)
	if err != nil {
		return nil, err
	}
	passwords, ok := p.(mic.Passwords)
	if !ok {
		return nil, errUnauthorized
	}
	now, network, account := unixTime(r.start), r.network(), "mic "+service.ID+" "+directoryName(username)
	if network != "" {
		wait, admitted := r.e.throttle.Admit(now, r.app.key, account, network)
		if !admitted {
			r.e.metrics.throttled.Inc()
			return nil, slow(errTooManyRequests, int(math.Ceil(wait.Seconds())))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), providerTime)
	defer cancel()
	found, err := passwords.Check(ctx, username, password)
	if network != "" {
		var refused *mic.AccountError
		switch {
		case err == nil, errors.As(err, &refused):
			r.e.throttle.Succeeded(now, r.app.key, account, network)
		case errors.Is(err, mic.ErrCredentials):
			r.e.throttle.Failed(now, r.app.key, account, network)
		default:
			r.e.throttle.Undo(now, r.app.key, account, network)
		}
	}
	return found, err
}

// directoryName is a name as limits count it: a directory takes many spellings
// of one, in either case, with its domain before or behind it.
func directoryName(name string) string {
	name = auth.Skeleton(name)
	if i := strings.LastIndexByte(name, '\\'); i >= 0 {
		name = name[i+1:]
	}
	name, _, _ = strings.Cut(name, "@")
	return strings.TrimSpace(name)
}

// checkAccount refuses what no provider should say.
func checkAccount(a *mic.Account) error {
	if a.Subject == "" || len(a.Subject) > mic.MaxSubject {
		return errors.Join(mic.ErrRefused, errors.New("the subject has not 1 to 200 bytes"))
	}
	return nil
}

// code ends a login: a code waits for the app, and the browser, or the app, is
// told where to go with it.
func (r *Request) code(m *mic.Request, service *authService, who proof) error {
	if err := checkAccount(who.Account); err != nil {
		return err
	}
	code := mic.NewToken(r.e.Random(), mic.NewHandle(r.e.Random()))
	if !r.e.mic.codes.Begin(unixTime(r.e.now()), string(code), micCode{*m, service, who}, time.Duration(service.GrantTTL)*time.Second) {
		return slow(errTooManyRequests, 10)
	}
	return r.back(m, "code", string(code))
}

// token answers POST /oauth/token.
func (e *Engine) token(r *Request) error {
	f, err := r.posted()
	if err != nil {
		return err
	}
	service, err := r.confidential(f)
	if err != nil {
		return err
	}
	switch f["grant_type"] {
	case "authorization_code":
		return r.exchange(f, service)
	case "refresh_token":
		return r.refresh(f, service)
	case "password":
		if !service.AllowPasswordGrant {
			return errUnauthorized
		}
		who, err := r.checkLogin(service, f["username"], f["password"])
		if err == nil {
			err = checkAccount(who.Account)
		}
		if err != nil {
			return err
		}
		return r.grant(service, who, f["client_id"], "", mic.NewHandle(e.Random()))
	}
	return oauthFault(fasthttp.StatusBadRequest, "unsupported_grant_type", "grant_type must be authorization_code, refresh_token or password.")
}

// exchange takes a code, which is gone then, whoever shows it. One that was taken
// before is in two hands: what was granted for it ends.
func (r *Request) exchange(f fields, service *authService) error {
	code, ok := mic.ParseToken(f["code"])
	if !ok {
		return errGrant
	}
	c, ok := r.e.mic.codes.Take(unixTime(r.e.now()), string(code))
	if !ok {
		if g, taken := r.view.grants.Get(string(code.Handle())); taken && g.Service == service.ID {
			if err := r.e.committer.submit(r.app, &endGrant{app: r.app, by: r.actor().as("mic " + service.Name), act: "end grant: a code was used twice", handle: string(code.Handle())}); err != nil {
				return err
			}
		}
		return errGrant
	}
	m := &c.request
	switch {
	case m.App != r.app.key, m.Service != service.ID, m.Client != f["client_id"] && f["client_id"] != "", m.Redirect != f["redirect_uri"]:
		return errGrant
	case !m.Challenge.Met(f["code_verifier"]):
		return oauthFault(fasthttp.StatusBadRequest, "invalid_grant", "code_verifier is not that of the code_challenge.")
	case c.service.Version != service.Version:
		return errGrant
	}
	return r.grant(service, c.who, m.Client, m.Redirect, code.Handle())
}

// grant writes down a login and answers with its tokens.
func (r *Request) grant(service *authService, who proof, client, redirect string, handle mic.Handle) error {
	access, refresh := mic.NewToken(r.e.Random(), handle), mic.NewToken(r.e.Random(), handle)
	kept, err := r.e.keep(service, who.Account)
	if err != nil {
		return err
	}
	in := &issueGrant{app: r.app, by: r.actor(), handle: handle, service: service, grant: micGrant{
		Service: service.ID, Subject: who.Subject, Local: who.local, Client: client, Redirect: redirect,
		Access: access.Digest(), Refresh: refresh.Digest(), Kept: kept, Attributes: who.Attributes, Groups: who.Groups,
	}}
	if err := r.e.committer.submit(r.app, in); err != nil {
		return err
	}
	return r.tokens(service, access, refresh)
}

// tokens is the answer of the token endpoint. Where there is no refresh token
// clients expect the word null.
func (r *Request) tokens(service *authService, access, refresh mic.Token) error {
	o := new(jsonObject).text("access_token", string(access)).text("token_type", "Bearer").number("expires_in", int64(service.TokenTTL))
	if service.Refresh {
		o.text("refresh_token", string(refresh))
	} else {
		o.text("refresh_token", "null")
	}
	return r.json(fasthttp.StatusOK, o.close())
}

// keep seals what the provider is asked again with.
func (e *Engine) keep(service *authService, account *mic.Account) (string, error) {
	switch {
	case account.Kept == nil:
		return "", nil
	case e.config.SealKey == nil:
		return "", errNoSealKey
	}
	return e.config.SealKey.Seal(e.Random(), service.purpose("kept of "+account.Subject), string(account.Kept))
}

// refresh puts new tokens in the place of old ones, after the provider was asked
// whether the account is still good: "who is gone or disabled there is out".
func (r *Request) refresh(f fields, service *authService) error {
	t, ok := mic.ParseToken(f["refresh_token"])
	if !ok || !service.Refresh {
		return errGrant
	}
	// One at a time: a provider may give a refresh token of its own for each use.
	defer r.e.mic.alone(string(t.Handle()))()
	r.view = r.app.view.Load()
	g, ok := r.view.grants.Get(string(t.Handle()))
	if !ok || g.Service != service.ID || g.Local && !service.local() {
		return errGrant
	}
	access, refresh := mic.NewToken(r.e.Random(), t.Handle()), mic.NewToken(r.e.Random(), t.Handle())
	in := &refreshGrant{app: r.app, by: r.actor(), service: service, token: t, access: access.Digest(), refresh: refresh.Digest()}
	if g.refreshed(t, r.start) == nil { // else it is the commit that says no
		account, err := r.askAgain(service, g)
		if errors.Is(err, mic.ErrGone) {
			if err := r.e.committer.submit(r.app, &endGrant{app: r.app, by: r.actor().as("mic " + service.Name), act: "end grant: " + err.Error(), handle: string(t.Handle())}); err != nil {
				return err
			}
			return errGrant
		}
		if err != nil {
			return err
		}
		if account != nil {
			in.account = account
			if in.kept, err = r.e.keep(service, account); err != nil {
				return err
			}
		}
	}
	if err := r.e.committer.submit(r.app, in); err != nil {
		return err
	}
	if in.replay {
		return errGrant
	}
	return r.tokens(service, access, refresh)
}

// askAgain returns what the provider says of an account now, nil where it cannot
// be asked.
func (r *Request) askAgain(service *authService, g *micGrant) (*mic.Account, error) {
	if g.Local {
		if a, ok := r.view.accounts.Get(g.Subject); !ok || a.Suspended != 0 || a.Locked != 0 {
			return nil, mic.ErrGone
		}
		return nil, nil
	}
	if g.Kept == "" {
		return nil, nil
	}
	if r.e.config.SealKey == nil {
		return nil, errNoSealKey
	}
	kept, err := r.e.config.SealKey.Open(service.purpose("kept of "+g.Subject), g.Kept)
	if err != nil {
		return nil, err
	}
	p, err := r.e.mic.provider(service)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), providerTime)
	defer cancel()
	account, err := p.Ask(ctx, []byte(kept))
	if err == nil && account.Subject != g.Subject {
		return nil, mic.ErrGone // the name is somebody else's now
	}
	return account, err
}

// revoke ends the grant of a token, whichever of its tokens it is (RFC 7009).
// What stands for nothing answers the same.
func (e *Engine) revoke(r *Request) error {
	f, err := r.posted()
	if err != nil {
		return err
	}
	service, err := r.confidential(f)
	if err != nil {
		return err
	}
	if t, ok := mic.ParseToken(f["token"]); ok {
		g, ok := r.view.grants.Get(string(t.Handle()))
		if ok && g.Service == service.ID && (sameToken(t, g.Access) || sameToken(t, g.Refresh) || sameToken(t, g.Before)) {
			if err := e.committer.submit(r.app, &endGrant{app: r.app, by: r.actor().as("app"), act: "end grant", handle: string(t.Handle())}); err != nil {
				return err
			}
		}
	}
	return r.json(fasthttp.StatusOK, []byte("{}"))
}

package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"postern/auth/mic"
)

// A Provider is one OpenID Connect or OAuth 2.0 provider as one client of it sees
// it. It implements mic.Redirects and is safe for concurrent use.
type Provider struct {
	c          Config       // complete: nothing that has a default is empty
	direct     *http.Client // as that of c, but follows no redirect
	discovered cache[*endpoints]
	rotated    rotated
	ctx        context.Context // of what runs for nobody in particular
	close      context.CancelFunc
}

// New returns the provider of a configuration. It reaches nobody: what the provider
// tells of itself is read when it is needed first. c is not kept, but what it points
// to must not be changed.
func New(c *Config) (*Provider, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch {
	case c.RedirectURL == "":
		return nil, errors.New("redirectUrl: missing")
	case c.HTTP == nil || c.Rand == nil:
		return nil, errors.New("no HTTP client, or no random source")
	}
	p := &Provider{c: *c}
	p.c.Prompt = strings.Join(strings.Fields(c.Prompt), " ")
	p.c.Scopes = slices.Clone(c.Scopes)
	if c.Issuer != "" && !slices.Contains(p.c.Scopes, goidc.ScopeOpenID) {
		p.c.Scopes = append([]string{goidc.ScopeOpenID}, p.c.Scopes...)
	}
	if c.AuthMethod == "" {
		p.c.AuthMethod = authBasic
		if c.ClientSecret == "" {
			p.c.AuthMethod = authNone
		}
	}
	if len(c.Algorithms) == 0 {
		p.c.Algorithms = usualAlgorithms
	}
	if c.Leeway == 0 {
		p.c.Leeway = usualLeeway
	}
	for _, d := range []struct {
		field *string
		usual string
	}{{&p.c.SubjectClaim, "sub"}, {&p.c.GroupsClaim, "groups"}, {&p.c.UserIDAttribute, "id"}} {
		if *d.field == "" {
			*d.field = d.usual
		}
	}
	if p.c.Now == nil {
		p.c.Now = time.Now
	}
	// A redirect of the token endpoint would be sent the code, the verifier and, with
	// client_secret_post, the secret.
	direct := *c.HTTP
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p.direct = &direct
	p.ctx, p.close = context.WithCancel(context.Background())
	p.discovered.ctx, p.discovered.load, p.discovered.now = p.ctx, p.discover, p.c.Now
	return p, nil
}

// Close ends what is kept open towards the provider. It may be called twice.
func (p *Provider) Close() error {
	p.close()
	p.c.HTTP.CloseIdleConnections()
	return nil
}

// identity names the provider to what outlives a Provider: answers and refresh
// tokens of one are never shown to another.
func (p *Provider) identity() string {
	if p.c.Issuer != "" {
		return p.c.Issuer
	}
	return p.c.TokenEndpoint
}

// begun is what Finish knows of a login.
type begun struct {
	Version  int    `json:"v"`
	Provider string `json:"provider"`
	Nonce    string `json:"nonce,omitempty"`
	Verifier string `json:"verifier"`
}

const begunVersion = 1

// Begin implements mic.Redirects. begun is JSON and holds secrets of this login.
func (p *Provider) Begin(ctx context.Context, state string) (to string, forFinish []byte, err error) {
	e, err := p.find(ctx)
	if err != nil {
		return "", nil, err
	}
	// 32 bytes each, as RFC 7636 recommends; not the library's own verifier, which
	// would not come from the configured source.
	var random [2][32]byte
	for i := range random {
		if _, err := io.ReadFull(p.c.Rand, random[i][:]); err != nil {
			return "", nil, unavailable("no random bytes: %w", err)
		}
	}
	b := begun{Version: begunVersion, Provider: p.identity(), Verifier: base64.RawURLEncoding.EncodeToString(random[0][:])}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(b.Verifier)}
	if p.c.Issuer != "" {
		b.Nonce = base64.RawURLEncoding.EncodeToString(random[1][:])
		options = append(options, goidc.Nonce(b.Nonce))
	}
	if p.c.Prompt != "" {
		options = append(options, oauth2.SetAuthURLParam("prompt", p.c.Prompt))
	}
	if len(p.c.ACRValues) > 0 {
		options = append(options, oauth2.SetAuthURLParam("acr_values", strings.Join(p.c.ACRValues, " ")))
	}
	forFinish, err = json.Marshal(&b)
	return p.flow(e).AuthCodeURL(state, options...), forFinish, err
}

// Finish implements mic.Redirects. Account.Kept holds the refresh token and is nil
// if the provider gave none.
func (p *Provider) Finish(ctx context.Context, fromBegin []byte, back url.Values) (*mic.Account, error) {
	var b begun
	if err := json.Unmarshal(fromBegin, &b); err != nil || b.Version != begunVersion || b.Provider != p.identity() {
		return nil, refused("it is for a login that was not begun here")
	}
	e, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	a, err := parseAnswer(back)
	if err == nil {
		err = a.check(p.c.Issuer, e.namesIssuer)
	}
	if mic.Step(ctx, err, "read the answer that the browser brings back") != nil {
		return nil, err
	}
	t, err := p.exchange(ctx, e, a.code, b.Verifier)
	if err != nil {
		return nil, err
	}
	known := &known{Version: knownVersion, Provider: p.identity(), Nonce: b.Nonce, Refresh: t.refresh}
	var token claims
	if p.c.Issuer != "" {
		token, err = p.idToken(ctx, e, t.id, &expected{nonce: b.Nonce, login: true, code: a.code, access: t.access, refuse: refused})
		if err != nil {
			return nil, err
		}
		known.Sub, known.Audience = token.text("sub"), token.audience()
	}
	return p.account(ctx, e, t, token, known, atLogin)
}

// account puts together what is known of somebody, with the user info if that is
// to be read. token is nil if there was no id token; known is brought up to date.
func (p *Provider) account(ctx context.Context, e *endpoints, t *tokens, token claims, known *known, v verdicts) (*mic.Account, error) {
	all := token
	if p.c.UserInfo || p.c.Issuer == "" {
		info, err := p.userInfo(ctx, e, t.access, v.no)
		if err != nil {
			return nil, err
		}
		if p.c.Issuer != "" && (known.Sub == "" || info.text("sub") != known.Sub) {
			err := v.nonsense("the user info is about somebody else")
			return nil, mic.Step(ctx, err, "compare the user info with the id token")
		}
		all = claims{}
		maps.Copy(all, token)
		maps.Copy(all, info)
	}
	err := p.read(token, all, known, v.nonsense)
	if mic.Step(ctx, err, "read the claims") != nil {
		return nil, err
	}
	a := &mic.Account{Subject: known.Subject, Attributes: known.Attributes, Groups: known.Groups}
	if known.Refresh != "" {
		a.Kept, err = json.Marshal(known)
	}
	return a, err
}

// read takes from claims what is asked for. What is not there at all, neither
// token nor user info, leaves what was known.
func (p *Provider) read(token, all claims, known *known, refuse refusal) error {
	if all == nil {
		return nil
	}
	path, from := p.c.UserIDAttribute, all
	if p.c.Issuer != "" {
		path = p.c.SubjectClaim
		// What is signed comes first.
		if token.find(path) != nil {
			from = token
		}
	}
	// A refreshed id token need not repeat the claim: its sub was compared.
	if v := from.find(path); v != nil || known.Subject == "" || p.c.Issuer == "" {
		s, err := subject(v)
		switch {
		case err != nil:
			return refuse("%s: %w", clean(path), err)
		case known.Subject != "" && s != known.Subject:
			return refuse("%s: it is about somebody else", clean(path))
		}
		known.Subject = s
	}
	var err error
	if known.Groups, err = all.groups(p.c.GroupsClaim); err != nil {
		return unavailable("%w", err)
	}
	if known.Attributes, err = all.attributes(p.c.Attributes); err != nil {
		return unavailable("%w", err)
	}
	return nil
}

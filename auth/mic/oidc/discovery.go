package oidc

import (
	"context"
	"errors"
	"net/url"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"postern/auth/mic"
)

// Endpoints are where a provider is asked what.
type endpoints struct {
	auth, token string
	userInfo    string // empty: there is none
	namesIssuer bool   // whether answers carry iss (RFC 9207)
	keys        *cache[[]jose.JSONWebKey]
}

// find returns the provider's endpoints.
func (p *Provider) find(ctx context.Context) (*endpoints, error) {
	if p.c.Issuer == "" {
		return &endpoints{auth: p.c.GrantEndpoint, token: p.c.TokenEndpoint, userInfo: p.c.UserIDEndpoint}, nil
	}
	e, err := p.discovered.get(ctx, keepFor)
	if err != nil {
		err = unavailable("reading the discovery document of %s: %w", place(p.c.Issuer), quote(err))
	}
	return e, mic.Step(ctx, err, "read the discovery document of %s", place(p.c.Issuer))
}

func (p *Provider) discover(ctx context.Context) (*endpoints, error) {
	// Compares the issuer in the document with this one.
	found, err := goidc.NewProvider(goidc.ClientContext(ctx, p.c.HTTP), p.c.Issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		NamesIssuer bool   `json:"authorization_response_iss_parameter_supported"`
		Keys        string `json:"jwks_uri"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, err
	}
	e := &endpoints{
		auth:        found.Endpoint().AuthURL,
		token:       found.Endpoint().TokenURL,
		userInfo:    found.UserInfoEndpoint(),
		namesIssuer: more.NamesIssuer,
	}
	issuer, err := url.Parse(p.c.Issuer)
	if err != nil {
		return nil, err
	}
	for _, u := range []struct{ name, at string }{
		{"authorization_endpoint", e.auth}, {"token_endpoint", e.token}, {"jwks_uri", more.Keys}, {"userinfo_endpoint", e.userInfo},
	} {
		if u.name == "userinfo_endpoint" && u.at == "" {
			continue
		}
		to, err := parseURL(u.at)
		if err != nil {
			return nil, errors.New(u.name + ": " + err.Error())
		}
		// Also for the one that only the browser is sent to, which no HTTP client of
		// ours checks.
		if issuer.Scheme == "https" && to.Scheme != "https" {
			return nil, errors.New(u.name + ": must be https as the issuer is")
		}
	}
	e.keys = &cache[[]jose.JSONWebKey]{ctx: p.ctx, now: p.c.Now, load: func(ctx context.Context) ([]jose.JSONWebKey, error) {
		return p.loadKeys(ctx, more.Keys)
	}}
	return e, nil
}

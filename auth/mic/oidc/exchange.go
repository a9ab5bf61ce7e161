package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"postern/auth/mic"
)

const (
	maxDocument = 512 << 10 // bytes of user info, and of a set of keys
	maxRefresh  = 16 << 10  // bytes of a refresh token
)

// A refusal makes an error of what was wrong.
type refusal func(format string, args ...any) error

// Verdicts are the errors for a provider that says no to somebody, and for one whose
// answer proves nothing. Afterwards the latter is the provider's fault, and no
// reason to take somebody for gone.
type verdicts struct{ no, nonsense refusal }

var (
	atLogin    = verdicts{refused, refused}
	afterwards = verdicts{gone, unavailable}
)

// Tokens are what the token endpoint gives; those that it did not are empty.
type tokens struct{ access, refresh, id string }

// flow is the client that asks at endpoints.
func (p *Provider) flow(e *endpoints) *oauth2.Config {
	style := oauth2.AuthStyleInParams
	if p.c.AuthMethod == authBasic {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID:     p.c.ClientID,
		ClientSecret: p.c.ClientSecret,
		RedirectURL:  p.c.RedirectURL,
		Scopes:       p.c.Scopes,
		Endpoint:     oauth2.Endpoint{AuthURL: e.auth, TokenURL: e.token, AuthStyle: style},
	}
}

// exchange gives a code for tokens.
func (p *Provider) exchange(ctx context.Context, e *endpoints, code, verifier string) (*tokens, error) {
	t, err := p.flow(e).Exchange(goidc.ClientContext(ctx, p.direct), code, oauth2.VerifierOption(verifier))
	got, err := readTokens(t, err, []string{"invalid_grant"}, refused)
	return got, mic.Step(ctx, err, "exchange the code at %s", place(e.token))
}

// over are what a token endpoint says to a refresh token whose time is over, in
// one way or another: only a new login can help.
var over = []string{"invalid_grant", "access_denied", "interaction_required", "login_required", "consent_required"}

// refresh gives a refresh token for tokens; a refresh token is always among them,
// the old one if there is no new one.
func (p *Provider) refresh(ctx context.Context, e *endpoints, old string) (*tokens, error) {
	err := ctx.Err()
	var t *oauth2.Token
	if err == nil {
		// Not given up in the middle: the provider may have replaced the token by
		// then, and nobody would have the new one. The client has a timeout.
		through := goidc.ClientContext(context.WithoutCancel(ctx), p.direct)
		t, err = p.flow(e).TokenSource(through, &oauth2.Token{RefreshToken: old}).Token()
	}
	got, err := readTokens(t, err, over, gone)
	return got, mic.Step(ctx, err, "refresh at %s", place(e.token))
}

func readTokens(t *oauth2.Token, err error, no []string, refuse refusal) (*tokens, error) {
	var answer *oauth2.RetrieveError
	switch {
	case errors.As(err, &answer):
		// Its own text would have the whole answer in it.
		because := clean(answer.ErrorCode)
		if because == "" {
			because = "status " + clean(answer.Response.Status)
		}
		if d := clean(answer.ErrorDescription); d != "" {
			because += ": " + d
		}
		if answer.Response.StatusCode < 500 && slices.Contains(no, answer.ErrorCode) {
			return nil, refuse("the token endpoint says %s", because)
		}
		return nil, unavailable("the token endpoint says %s", because)
	case err != nil:
		return nil, unavailable("asking the token endpoint: %w", quote(err))
	case t.TokenType != "" && !strings.EqualFold(t.TokenType, "Bearer"):
		return nil, unavailable("the token endpoint gives a token of the type %q", clean(t.TokenType))
	case len(t.RefreshToken) > maxRefresh:
		return nil, unavailable("the token endpoint gives a refresh token of more than %d bytes", maxRefresh)
	}
	id, _ := t.Extra("id_token").(string)
	return &tokens{access: t.AccessToken, refresh: t.RefreshToken, id: id}, nil
}

// errUnauthorized says that an access token was not accepted.
var errUnauthorized = errors.New("status 401")

// userInfo asks whose an access token is.
func (p *Provider) userInfo(ctx context.Context, e *endpoints, access string, refuse refusal) (claims, error) {
	c, err := p.askUserInfo(ctx, e, access, refuse)
	return c, mic.Step(ctx, err, "read the user info at %s", place(e.userInfo))
}

func (p *Provider) askUserInfo(ctx context.Context, e *endpoints, access string, refuse refusal) (claims, error) {
	if e.userInfo == "" {
		return nil, unavailable("the provider has no user info")
	}
	body, err := p.get(ctx, p.direct, e.userInfo, access)
	if errors.Is(err, errUnauthorized) {
		return nil, refuse("the user info is not for the token that was just given: %w", err)
	}
	if err != nil {
		return nil, unavailable("reading the user info: %w", quote(err))
	}
	c, err := parseClaims(body)
	if err != nil {
		return nil, unavailable("the user info: %w", quote(err))
	}
	return c, nil
}

// get reads a document, with an access token unless that is empty.
func (p *Provider) get(ctx context.Context, through *http.Client, at, access string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	res, err := through.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return nil, errUnauthorized
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %d", res.StatusCode)
	case kind == "application/jwt":
		return nil, errors.New("it is signed or encrypted; have the provider send plain JSON")
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("it is larger than %d bytes", maxDocument)
	}
	return body, nil
}

package oidc

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
)

// A Config is how to reach a provider and what to take from its answers. Of what
// is marked "OpenID Connect" nothing may be given without an Issuer, and of what
// is marked "OAuth 2.0" nothing with one.
type Config struct {
	// Issuer is the provider's issuer identifier, byte for byte as in its discovery
	// document. OpenID Connect.
	Issuer string `json:"issuer,omitempty"`

	// ClientID and ClientSecret are what the provider knows this service by.
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret,omitempty"`
	// AuthMethod is how the token endpoint is shown the secret:
	// "client_secret_basic" (the default with a secret), "client_secret_post", or
	// "none" (the default without).
	AuthMethod string `json:"authMethod,omitempty"`
	// RedirectURL is Postern's own callback URL, as registered at the provider. The
	// caller sets it; New demands it, Validate does not.
	RedirectURL string `json:"redirectUrl,omitempty"`

	// Scopes are asked for. "openid" is added with an Issuer. Many providers give a
	// refresh token only for "offline_access", some of them only with the prompt
	// "consent".
	Scopes []string `json:"scopes,omitempty"`
	// Prompt is passed on: words of "login", "consent", "select_account", "none".
	Prompt string `json:"prompt,omitempty"`
	// ACRValues are levels of authentication to ask for; the id token of a login
	// must have one of them. OpenID Connect.
	ACRValues []string `json:"acrValues,omitempty"`

	// SubjectClaim names the claim that is the subject; default "sub". It must be
	// one that the provider never gives to somebody else. OpenID Connect.
	SubjectClaim string `json:"subjectClaim,omitempty"`
	// GroupsClaim names the claim with the groups; default "groups". A name that is
	// not a claim is read as a path into objects: "realm_access.roles".
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Attributes are the claims to copy, named or by path as GroupsClaim is. Claims
	// that are objects are left out; name a member instead.
	Attributes []string `json:"attributes,omitempty"`
	// UserInfo says to read the provider's user info too. Its claims take precedence
	// over those of the id token, except for the subject. OpenID Connect.
	UserInfo bool `json:"userInfo,omitempty"`

	// Audience are audiences that an id token may have besides the client id. OpenID
	// Connect.
	Audience []string `json:"audience,omitempty"`
	// Algorithms may sign id tokens; default RS256, ES256, PS256, EdDSA. OpenID
	// Connect.
	Algorithms []string `json:"algorithms,omitempty"`
	// Leeway is how many seconds the clocks may differ: 0 means 60, at most 300.
	Leeway int `json:"leeway,omitempty"`

	// GrantEndpoint is where the browser is sent, TokenEndpoint where codes and
	// refresh tokens are exchanged, UserIDEndpoint where an access token is shown to
	// learn whose it is, as a JSON object. UserIDAttribute names, or is a path to,
	// the subject in it; default "id". OAuth 2.0.
	GrantEndpoint   string `json:"grantEndpoint,omitempty"`
	TokenEndpoint   string `json:"tokenEndpoint,omitempty"`
	UserIDEndpoint  string `json:"userIdEndpoint,omitempty"`
	UserIDAttribute string `json:"userIdAttribute,omitempty"`

	// HTTP reaches the provider; made by mic/fetch. Required by New.
	HTTP *http.Client `json:"-"`
	// Now is the clock; nil: time.Now.
	Now func() time.Time `json:"-"`
	// Rand is a source of random bytes fit for secrets, safe for concurrent use.
	// Required by New.
	Rand io.Reader `json:"-"`
}

const (
	usualLeeway = 60
	maxLeeway   = 300
	maxURL      = 2048
	maxName     = 512 // client ids and the like, in bytes
	maxSecret   = 4096
	maxListed   = 100 // scopes, attributes and so on
)

var usualAlgorithms = []string{goidc.RS256, goidc.ES256, goidc.PS256, goidc.EdDSA}

// allAlgorithms are those that may be configured. A symmetric one would have the
// client secret for a key, and some users of a provider's library know that of
// their own client.
var allAlgorithms = []string{
	goidc.RS256, goidc.RS384, goidc.RS512, goidc.PS256, goidc.PS384, goidc.PS512,
	goidc.ES256, goidc.ES384, goidc.ES512, goidc.EdDSA,
}

const (
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authNone  = "none"
)

// Validate tells, in words for an administrator, the first thing that is wrong
// with what was configured. It reaches nobody and names no secret.
func (c *Config) Validate() error {
	if err := c.validateEndpoints(); err != nil {
		return err
	}
	if !printable(c.ClientID, maxName) {
		return fmt.Errorf("clientId: must be 1 to %d printable characters", maxName)
	}
	if c.ClientSecret != "" && !printable(c.ClientSecret, maxSecret) {
		return fmt.Errorf("clientSecret: must be at most %d printable characters", maxSecret)
	}
	switch c.AuthMethod {
	case "":
	case authBasic, authPost:
		if c.ClientSecret == "" {
			return fmt.Errorf("authMethod: %s needs a clientSecret", c.AuthMethod)
		}
	case authNone:
		if c.ClientSecret != "" {
			return errors.New("authMethod: none, but there is a clientSecret")
		}
	default:
		return fmt.Errorf("authMethod: must be %s, %s or %s", authBasic, authPost, authNone)
	}
	if c.RedirectURL != "" {
		if _, err := parseURL(c.RedirectURL); err != nil {
			return fmt.Errorf("redirectUrl: %w", err)
		}
	}
	prompts := strings.Fields(c.Prompt)
	for _, p := range prompts {
		if !slices.Contains([]string{"login", "consent", "select_account", "none"}, p) {
			return errors.New("prompt: must be of login, consent, select_account, none")
		}
	}
	if len(prompts) > 1 && slices.Contains(prompts, "none") {
		return errors.New("prompt: none goes with nothing else")
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(allAlgorithms, a) {
			return fmt.Errorf("algorithms: must be of %s", strings.Join(allAlgorithms, ", "))
		}
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		return fmt.Errorf("leeway: must be 0 to %d seconds", maxLeeway)
	}
	for name, list := range map[string][]string{
		"scopes": c.Scopes, "acrValues": c.ACRValues, "attributes": c.Attributes, "audience": c.Audience, "algorithms": c.Algorithms,
	} {
		if len(list) > maxListed {
			return fmt.Errorf("%s: at most %d", name, maxListed)
		}
		spaces := name == "attributes" || name == "audience"
		for _, v := range list {
			if !printable(v, maxName) || !spaces && strings.ContainsAny(v, ` "\`) {
				return fmt.Errorf("%s: each must be 1 to %d printable characters without spaces", name, maxName)
			}
		}
	}
	for name, v := range map[string]string{"subjectClaim": c.SubjectClaim, "groupsClaim": c.GroupsClaim, "userIdAttribute": c.UserIDAttribute} {
		if v != "" && !printable(v, maxName) {
			return fmt.Errorf("%s: must be at most %d printable characters", name, maxName)
		}
	}
	return nil
}

func (c *Config) validateEndpoints() error {
	if c.Issuer != "" {
		u, err := parseURL(c.Issuer)
		if err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
		if u.RawQuery != "" || u.ForceQuery {
			return errors.New("issuer: must have no query")
		}
		if c.GrantEndpoint+c.TokenEndpoint+c.UserIDEndpoint+c.UserIDAttribute != "" {
			return errors.New("grantEndpoint, tokenEndpoint, userIdEndpoint, userIdAttribute: not with an issuer, which tells its own")
		}
		return nil
	}
	if c.GrantEndpoint+c.TokenEndpoint+c.UserIDEndpoint == "" {
		return errors.New("issuer: missing (or, for plain OAuth 2.0: grantEndpoint, tokenEndpoint and userIdEndpoint)")
	}
	if c.UserInfo || c.SubjectClaim != "" || len(c.ACRValues) > 0 || len(c.Audience) > 0 || len(c.Algorithms) > 0 || c.Leeway != 0 {
		return errors.New("userInfo, subjectClaim, acrValues, audience, algorithms, leeway: only with an issuer")
	}
	var token *url.URL
	for _, e := range []struct{ name, at string }{
		// The token endpoint first: whether plain HTTP is in order there, the HTTP
		// client decides, and the others need be no better.
		{"tokenEndpoint", c.TokenEndpoint}, {"grantEndpoint", c.GrantEndpoint}, {"userIdEndpoint", c.UserIDEndpoint},
	} {
		u, err := parseURL(e.at)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		if token == nil {
			token = u
		}
		if token.Scheme == "https" && u.Scheme != "https" {
			return fmt.Errorf("%s: must be https", e.name)
		}
	}
	return nil
}

// parseURL parses an absolute URL of a web server.
func parseURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("missing")
	}
	u, err := url.Parse(s)
	switch {
	case len(s) > maxURL:
		return nil, fmt.Errorf("must be at most %d bytes", maxURL)
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must be an absolute https URL")
	case u.User != nil:
		return nil, errors.New("must have no user name or password")
	case strings.Contains(s, "#"):
		return nil, errors.New("must have no fragment")
	}
	return u, nil
}

// printable says whether s is 1 to most bytes of visible ASCII and spaces. What
// is sent to providers as a name has no business beyond that.
func printable(s string, most int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= most
}

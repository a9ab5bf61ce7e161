package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"postern/auth/mic"
)

// maxToken bounds an id token, in bytes; with its groups it may be large.
const maxToken = 128 << 10

// Expected is what an id token must fit together with.
type expected struct {
	nonce  string // of the login
	login  bool   // at a login the nonce must be there; at a refresh it may be
	code   string // "": it came without one
	access string
	sub    string   // "": anybody's
	aud    []string // nil: any that is allowed
	refuse refusal
}

// idToken checks an id token and returns what it says. Errors are those of
// want.refuse, or mic.ErrUnavailable if the provider's keys cannot be had.
func (p *Provider) idToken(ctx context.Context, e *endpoints, raw string, want *expected) (claims, error) {
	c, keysErr, err := p.verifyToken(ctx, e, raw, want)
	if keysErr != nil {
		return nil, mic.Step(ctx, unavailable("reading the provider's keys: %w", quote(keysErr)), "read the provider's keys")
	}
	if err != nil {
		err = want.refuse("the id token: %w", quote(err))
	}
	return c, mic.Step(ctx, err, "check the id token")
}

func (p *Provider) verifyToken(ctx context.Context, e *endpoints, raw string, want *expected) (c claims, keysErr, err error) {
	switch {
	case raw == "":
		return nil, nil, errors.New("it is missing")
	case len(raw) > maxToken:
		return nil, nil, fmt.Errorf("it is larger than %d bytes", maxToken)
	}
	s := &signature{keys: e.keys}
	for _, a := range p.c.Algorithms {
		s.algorithms = append(s.algorithms, jose.SignatureAlgorithm(a))
	}
	// Signature, algorithm, issuer, and that the audience holds the client id. Times
	// are checked here, with the configured leeway.
	verifier := goidc.NewVerifier(p.c.Issuer, s, &goidc.Config{
		ClientID:             p.c.ClientID,
		SupportedSigningAlgs: p.c.Algorithms,
		SkipExpiryCheck:      true,
	})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, s.keysErr, err
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, nil, err
	}
	if c, err = parseClaims(payload); err != nil {
		return nil, nil, err
	}
	for _, check := range []error{
		p.checkParties(c, want),
		p.checkTimes(c),
		p.checkBinding(c, s.algorithm, want),
	} {
		if check != nil {
			return nil, nil, check
		}
	}
	return c, nil, nil
}

// audience returns whom a token is for. nil: it does not say.
func (c claims) audience() []string {
	list, ok := c["aud"].([]any)
	if !ok {
		list = []any{c["aud"]}
	}
	var aud []string
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		aud = append(aud, s)
	}
	slices.Sort(aud)
	return slices.Compact(aud)
}

// checkParties checks who has issued a token, about whom, and for whom. go-oidc has
// looked at some of it, but knows the names of claims in any case, and lets one
// issuer have two names.
func (p *Provider) checkParties(c claims, want *expected) error {
	if c.text("iss") != p.c.Issuer {
		return errors.New("it is of another issuer")
	}
	if _, err := subject(c["sub"]); err != nil {
		return err
	}
	if want.sub != "" && c.text("sub") != want.sub {
		return errors.New("it is about somebody else")
	}
	aud := c.audience()
	if !slices.Contains(aud, p.c.ClientID) {
		return errors.New("it is for somebody else")
	}
	for _, a := range aud {
		if a != p.c.ClientID && !slices.Contains(p.c.Audience, a) {
			return fmt.Errorf("it is also for %q, which the audience in the settings does not name", clean(a))
		}
	}
	if want.aud != nil && !slices.Equal(aud, want.aud) {
		return errors.New("it is for others than at the login")
	}
	if azp, ok := c["azp"]; ok && azp != p.c.ClientID || !ok && len(aud) > 1 {
		return errors.New("it was issued to another client, or to several")
	}
	return nil
}

func (p *Provider) checkTimes(c claims) error {
	now, leeway := p.c.Now(), time.Duration(p.c.Leeway)*time.Second
	for _, name := range []string{"exp", "iat", "nbf"} {
		at, ok, err := c.moment(name)
		switch {
		case err != nil:
			return err
		case !ok && name != "nbf":
			return fmt.Errorf("%s is missing", name)
		case !ok:
		case name == "exp" && !now.Before(at.Add(leeway)):
			return fmt.Errorf("it has expired at %s", at.UTC().Format(time.RFC3339))
		case name != "exp" && now.Add(leeway).Before(at):
			return fmt.Errorf("%s is in the future, %s: do the clocks agree?", name, at.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// checkBinding checks that a token belongs to this login, and to what came with it.
func (p *Provider) checkBinding(c claims, algorithm string, want *expected) error {
	if _, ok := c["nonce"]; ok || want.login {
		// In constant time: it is what a forger would have to guess.
		if want.nonce == "" || subtle.ConstantTimeCompare([]byte(c.text("nonce")), []byte(want.nonce)) != 1 {
			return errors.New("it is of another login")
		}
	}
	for name, of := range map[string]string{"at_hash": want.access, "c_hash": want.code} {
		if _, ok := c[name]; ok && (of == "" || c.text(name) != leftHash(algorithm, of)) {
			return fmt.Errorf("%s is wrong: it came with something else", name)
		}
	}
	if want.login && len(p.c.ACRValues) > 0 && !slices.Contains(p.c.ACRValues, c.text("acr")) {
		return errors.New("the login was not of a level that was asked for (acr)")
	}
	return nil
}

// leftHash is the left half of a hash that goes with the algorithm of a signature,
// as at_hash and c_hash have it.
func leftHash(algorithm, of string) string {
	var h hash.Hash
	switch algorithm {
	case goidc.RS256, goidc.PS256, goidc.ES256:
		h = sha256.New()
	case goidc.RS384, goidc.PS384, goidc.ES384:
		h = sha512.New384()
	default: // those with 512, and Ed25519
		h = sha512.New()
	}
	h.Write([]byte(of))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:h.Size()/2])
}

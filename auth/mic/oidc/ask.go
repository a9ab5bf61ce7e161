package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"sync"

	"postern/auth/mic"
)

// known is what is kept of somebody between two questions about him: Account.Kept,
// as JSON.
type known struct {
	Version  int    `json:"v"`
	Provider string `json:"provider"`
	Sub      string `json:"sub,omitempty"` // the claim; OpenID Connect
	Subject  string `json:"subject"`
	// Audience and Nonce of the first id token, which later ones must have too.
	Audience []string `json:"aud,omitempty"`
	Nonce    string   `json:"nonce,omitempty"`
	Refresh  string   `json:"refresh"`
	// As they were last, for a provider whose refresh tells nothing about him.
	Attributes map[string][]string `json:"attributes,omitempty"`
	Groups     []string            `json:"groups,omitempty"`
}

const knownVersion = 1

// Ask implements mic.Provider with the refresh token in kept. Most providers give a
// new one for it, in Kept of the account, and take the old one, shown again, for
// stolen: the caller must store Kept before anything else, and must not ask twice
// at once with the same. What cannot be read, or is of another provider, is gone.
//
// Attributes and Groups come from the new id token and the user info. From a
// provider that gives no id token here they come from the user info alone, and
// stay as they were if that is not read. An exchange that has begun is ended even
// if ctx is done, by the timeout of the HTTP client at the latest.
func (p *Provider) Ask(ctx context.Context, kept []byte) (*mic.Account, error) {
	var k known
	if err := json.Unmarshal(kept, &k); err != nil || k.Version != knownVersion || k.Provider != p.identity() ||
		k.Subject == "" || k.Refresh == "" || p.c.Issuer != "" && k.Sub == "" {
		return nil, gone("what was kept of the login is not of this provider")
	}
	e, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	stored := k.Refresh
	t, err := p.refresh(ctx, e, p.rotated.newest(stored))
	if err != nil {
		return nil, err
	}
	k.Refresh = t.refresh
	p.rotated.add(stored, t.refresh)
	var token claims
	if p.c.Issuer != "" && t.id != "" {
		token, err = p.idToken(ctx, e, t.id, &expected{nonce: k.Nonce, access: t.access, sub: k.Sub, aud: k.Audience, refuse: unavailable})
		if err != nil {
			return nil, err
		}
	}
	a, err := p.account(ctx, e, t, token, &k, afterwards)
	if err == nil {
		p.rotated.remove(stored)
	}
	return a, err
}

// Rotated are refresh tokens that a provider has replaced in an Ask that failed
// afterwards, its user info being down for example: the caller still has the old
// one, which would not work again. They are kept in memory only, and of too many
// some are dropped. The zero value is empty.
type rotated struct {
	mu    sync.Mutex // guards below
	newer map[[sha256.Size]byte]string
}

const maxRotated = 1000

// newest returns the token that has replaced one, or itself.
func (r *rotated) newest(token string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.newer[sha256.Sum256([]byte(token))]; ok {
		return n
	}
	return token
}

func (r *rotated) add(token, newer string) {
	if token == newer {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.newer == nil {
		r.newer = map[[sha256.Size]byte]string{}
	}
	for old := range r.newer {
		if len(r.newer) < maxRotated {
			break
		}
		delete(r.newer, old)
	}
	r.newer[sha256.Sum256([]byte(token))] = newer
}

func (r *rotated) remove(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.newer, sha256.Sum256([]byte(token)))
}

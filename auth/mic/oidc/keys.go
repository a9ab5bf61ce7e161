package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys    = 100
	minRSABits = 2048
	maxRSABits = 8192 // what takes longer to check is an attack
)

// loadKeys reads the keys of an issuer that may sign id tokens.
func (p *Provider) loadKeys(ctx context.Context, at string) ([]jose.JSONWebKey, error) {
	body, err := p.get(ctx, p.c.HTTP, at, "")
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// parseKeys reads a set of keys. Those that may not sign, or are of a kind that is
// not known here, are left out.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, at most %d are looked at", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err == nil && (k.Use == "" || k.Use == "sig") {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// fits says whether a key may have made a signature with an algorithm. A private
// key in a public set is nobody's any more, and a symmetric one never was.
func fits(k *jose.JSONWebKey, algorithm string) bool {
	if k.Algorithm != "" && k.Algorithm != algorithm {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return (algorithm[:2] == "RS" || algorithm[:2] == "PS") && bits >= minRSABits && bits <= maxRSABits
	case *ecdsa.PublicKey:
		curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[algorithm]
		return curve != nil && key.Curve == curve
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

// A signature checks the signature of one id token; it is the go-oidc KeySet of
// one verification and keeps what that would swallow.
type signature struct {
	keys       *cache[[]jose.JSONWebKey]
	algorithms []jose.SignatureAlgorithm

	algorithm string // of the token, once its signature was found good
	keysErr   error  // the keys could not be had
}

// VerifySignature returns the payload of a token in compact form if one of the
// issuer's keys has signed it. If none has, the keys may be new ones: they are read
// again, but not over and over.
func (s *signature) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, s.algorithms)
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Protected
	var payload []byte
	for _, age := range []time.Duration{keepFor, keepAtLeast} {
		var keys []jose.JSONWebKey
		if keys, s.keysErr = s.keys.get(ctx, age); s.keysErr != nil {
			return nil, s.keysErr
		}
		if payload, err = verify(jws, keys, header.KeyID, header.Algorithm); err == nil {
			s.algorithm = header.Algorithm
			return payload, nil
		}
	}
	return nil, err
}

func verify(jws *jose.JSONWebSignature, keys []jose.JSONWebKey, id, algorithm string) ([]byte, error) {
	var fit []*jose.JSONWebKey
	for i := range keys {
		if k := &keys[i]; (id == "" || k.KeyID == id) && fits(k, algorithm) {
			fit = append(fit, k)
		}
	}
	switch {
	case len(fit) == 0:
		return nil, errors.New("signed with a key that the provider does not publish")
	case id == "" && len(fit) > 1:
		return nil, errors.New("it does not say which of the provider's keys has signed it")
	}
	for _, k := range fit {
		payload, err := jws.Verify(k.Key)
		if err == nil {
			return payload, nil
		}
		if errors.Is(err, jose.ErrUnsupportedCriticalHeader) {
			return nil, err
		}
	}
	return nil, errors.New("the signature is wrong")
}

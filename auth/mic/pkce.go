package mic

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
)

// A Challenge is what a client begins a flow with, so that only who began it can
// end it (PKCE, RFC 7636). The zero Challenge is that of a client that does not.
type Challenge string

var errChallenge = errors.New("code_challenge is the unpadded base64url of a SHA-256, and code_challenge_method S256")

// ParseChallenge reads code_challenge and code_challenge_method. S256 is the only
// method: plain, which is what leaving it out means, would show the secret.
func ParseChallenge(challenge, method string) (Challenge, error) {
	if challenge == "" && method == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if method != "S256" || err != nil || len(b) != sha256.Size {
		return "", errChallenge
	}
	return Challenge(challenge), nil
}

// Met tells whether a verifier is that of the challenge. Where there was no
// challenge there must be no verifier: who sends one believes to be protected
// by it (RFC 9700 2.1.1).
func (c Challenge) Met(verifier string) bool {
	if c == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	for _, b := range []byte(verifier) {
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '.' || b == '_' || b == '~') {
			return false
		}
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(c)) == 1
}

package mic

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// A Token is a secret of this interface as clients hold it: a code, an access
// token or a refresh token, 40 hexadecimal digits as Kinvey's are. The first 16
// of them name the grant that it belongs to. They let the server tell a token
// that was good once from one that never was, without keeping the old ones, and
// are as secret as the rest.
type Token string

// A Handle names a grant: the part that its tokens have in common.
type Handle string

const (
	handleBytes = 8
	tokenBytes  = 20
)

// NewHandle makes the name of a new grant.
func NewHandle(random io.Reader) Handle {
	return Handle(randomHex(random, handleBytes))
}

// NewToken makes a token of a grant.
func NewToken(random io.Reader, h Handle) Token {
	return Token(string(h) + randomHex(random, tokenBytes-handleBytes))
}

// randomHex panics without randomness: nothing that is made then is a secret.
func randomHex(random io.Reader, n int) string {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		panic("no randomness: " + err.Error())
	}
	return hex.EncodeToString(b)
}

// ParseToken returns what a client sent as a token, if it has the form of one.
func ParseToken(s string) (Token, bool) {
	if len(s) != 2*tokenBytes {
		return "", false
	}
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return "", false
		}
	}
	return Token(s), true
}

// Handle returns the name of the grant that a token says it belongs to.
func (t Token) Handle() Handle { return Handle(t[:2*handleBytes]) }

// Digest is what is kept of a token.
func (t Token) Digest() [sha256.Size]byte { return sha256.Sum256([]byte(t)) }

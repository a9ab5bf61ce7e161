package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
)

const (
	uuidChars   = 36 // 8-4-4-4-12 lower-case hex
	randomBytes = 32 // behind the dot of a token
	randomChars = 44 // the same in padded standard base64
	tokenChars  = uuidChars + 1 + randomChars
	secretBytes = 16 // of an app or master secret: 32 hex digits
)

// A Digest is the SHA-256 of a token or secret: the only form in which either is
// stored or kept in memory. A plain hash suffices because what is hashed has 128
// or more random bits. Use Matches, or a map lookup, never ==, to compare one with
// what a stranger sent.
type Digest [sha256.Size]byte

// TokenDigest returns the digest under which a session with this token is found.
// It does not allocate.
func TokenDigest[T string | []byte](token T) Digest { return digest(token) }

// SecretDigest returns the digest of an app or master secret.
func SecretDigest(secret string) Digest { return digest(secret) }

// Matches says whether d is the digest of secret. It takes the same time for
// every secret of one length. The zero Digest matches nothing.
func (d Digest) Matches(secret string) bool {
	sum := digest(secret)
	return subtle.ConstantTimeCompare(d[:], sum[:]) == 1
}

// NewToken mints a session token, a version 4 UUID, a dot and the base64 of 32
// random bytes, and returns it with its digest. r must be a cryptographic source
// such as crypto/rand.Reader; NewToken panics if r fails, since a server without
// randomness must not go on.
func NewToken(r io.Reader) (token string, d Digest) {
	var raw [16 + randomBytes]byte
	fill(r, raw[:])
	raw[6] = raw[6]&0x0f | 0x40 // version 4
	raw[8] = raw[8]&0x3f | 0x80 // the RFC 9562 variant
	b := make([]byte, 0, tokenChars)
	b = hex.AppendEncode(b, raw[0:4])
	for _, group := range [][]byte{raw[4:6], raw[6:8], raw[8:10], raw[10:16]} {
		b = append(b, '-')
		b = hex.AppendEncode(b, group)
	}
	b = append(b, '.')
	b = base64.StdEncoding.AppendEncode(b, raw[16:])
	token = string(b)
	return token, TokenDigest(token)
}

// NewSecret mints an app or master secret: 32 lower-case hex digits. It panics if
// r fails, as NewToken does.
func NewSecret(r io.Reader) string {
	var raw [secretBytes]byte
	fill(r, raw[:])
	return hex.EncodeToString(raw[:])
}

func fill(r io.Reader, b []byte) {
	if _, err := io.ReadFull(r, b); err != nil {
		panic(fmt.Sprintf("auth: source of randomness failed: %v", err))
	}
}

func digest[T string | []byte](s T) Digest {
	// Fast path: a copy on the stack, so that a token costs no allocation.
	var buf [128]byte
	if len(s) <= len(buf) {
		return sha256.Sum256(buf[:copy(buf[:], s)])
	}
	return sha256.Sum256([]byte(s))
}

// validToken says whether b has exactly the form that NewToken mints. Another
// spelling of the same bytes (upper case, other padding bits) is not a token.
func validToken(b []byte) bool {
	if len(b) != tokenChars || b[uuidChars] != '.' {
		return false
	}
	for i, c := range b[:uuidChars] {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		case 14:
			if c != '4' {
				return false
			}
		case 19:
			if c != '8' && c != '9' && c != 'a' && c != 'b' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	var raw [randomBytes + 1]byte
	n, err := base64.StdEncoding.Strict().Decode(raw[:], b[uuidChars+1:])
	return err == nil && n == randomBytes
}

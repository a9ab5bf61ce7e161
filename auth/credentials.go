package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"unicode/utf8"
)

// ErrMalformed says that an Authorization header or a token does not have one of
// the forms this package reads. It never carries the offending text.
var ErrMalformed = errors.New("malformed credentials")

// maxHeaderBytes bounds the Authorization header. The longest useful one is a
// Basic header with the longest name and password, which is well below it.
const maxHeaderBytes = 4096

// A Scheme says in which form a request presents its credentials.
type Scheme uint8

const (
	None    Scheme = iota // no Authorization header at all
	Basic                 // a name and a password or secret (RFC 7617)
	Session               // a session token ("Kinvey <token>")
)

// Credentials is what an Authorization header says; nothing in it has been
// verified. The zero value is a request without credentials. Name and Password
// belong to Basic, Token to Session. The strings are copies and may be kept.
type Credentials struct {
	Scheme                Scheme
	Name, Password, Token string
}

// ParseAuthorization reads the value of an Authorization header. An empty header
// yields Scheme None. The scheme is compared without regard to case and may be
// followed by more than one space. A Basic name ends at the first colon, so the
// password may contain colons. Anything else is ErrMalformed. The header is
// borrowed for the call; the result holds copies.
func ParseAuthorization(header []byte) (Credentials, error) {
	if token, ok := SessionToken(header); ok {
		return Credentials{Scheme: Session, Token: string(token)}, nil
	}
	scheme, rest := cutScheme(header)
	switch {
	case len(scheme) == 0:
		return Credentials{}, nil
	case equalFold(scheme, "basic") && len(header) <= maxHeaderBytes:
		return parseBasic(rest)
	}
	return Credentials{}, ErrMalformed
}

// SessionToken returns the token of a header in the session form, for
// TokenDigest. It borrows the header and does not allocate. ok is false for every
// other header, which is for ParseAuthorization to tell.
func SessionToken(header []byte) (token []byte, ok bool) {
	scheme, rest := cutScheme(header)
	return rest, equalFold(scheme, "kinvey") && len(header) <= maxHeaderBytes && validToken(rest)
}

// cutScheme takes a header apart at the first blank.
func cutScheme(header []byte) (scheme, rest []byte) {
	header = trimBlank(header)
	for i, c := range header {
		if isBlank(c) {
			return header[:i], trimBlank(header[i:])
		}
	}
	return header, nil
}

func parseBasic(encoded []byte) (Credentials, error) {
	// The decoder skips line breaks wherever they are; a header value has none.
	for _, c := range encoded {
		if c == '\r' || c == '\n' {
			return Credentials{}, ErrMalformed
		}
	}
	var buf [maxHeaderBytes]byte
	n, err := base64.StdEncoding.Decode(buf[:], encoded)
	if err != nil || !utf8.Valid(buf[:n]) {
		return Credentials{}, ErrMalformed
	}
	name, password, found := bytes.Cut(buf[:n], []byte{':'})
	if !found || len(name) == 0 {
		return Credentials{}, ErrMalformed
	}
	// Two strings, not two halves of one: who keeps the name keeps no password.
	return Credentials{Scheme: Basic, Name: string(name), Password: string(password)}, nil
}

func trimBlank(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// equalFold compares ASCII letters without regard to case; lower is lower-case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

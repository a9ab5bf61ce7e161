package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"io"
	"strings"
)

// A SealKey seals secrets that the server has to know again, such as its
// password at somebody else's directory. It is kept apart from what it seals.
type SealKey [32]byte

// ErrSeal says that something was not sealed with this key, or not for this
// purpose, or was changed since.
var ErrSeal = errors.New("a sealed secret does not open: another key, or it was changed")

// sealMark begins what is sealed, so that it is known from what is not.
const sealMark = "sealed:1:"

// Seal encrypts a secret so that only who has the key can read it, and only
// where it is opened for the same purpose: a sealed secret that is copied to
// another place does not open there. (AES-256-GCM with a random nonce.)
func (k *SealKey) Seal(random io.Reader, purpose, secret string) (string, error) {
	a, err := k.cipher()
	if err != nil {
		return "", err
	}
	b := make([]byte, a.NonceSize(), a.NonceSize()+len(secret)+a.Overhead())
	if _, err := io.ReadFull(random, b); err != nil {
		return "", err
	}
	return sealMark + base64.RawStdEncoding.EncodeToString(a.Seal(b, b, []byte(secret), []byte(purpose))), nil
}

// Open returns a secret that was sealed for the purpose, or ErrSeal.
func (k *SealKey) Open(purpose, sealed string) (string, error) {
	text, ok := strings.CutPrefix(sealed, sealMark)
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if !ok || err != nil {
		return "", ErrSeal
	}
	a, err := k.cipher()
	if err != nil {
		return "", err
	}
	if len(b) < a.NonceSize() {
		return "", ErrSeal
	}
	secret, err := a.Open(nil, b[:a.NonceSize()], b[a.NonceSize():], []byte(purpose))
	if err != nil {
		return "", ErrSeal
	}
	return string(secret), nil
}

// Sealed tells whether a text is a sealed secret.
func Sealed(s string) bool { return strings.HasPrefix(s, sealMark) }

func (k *SealKey) cipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

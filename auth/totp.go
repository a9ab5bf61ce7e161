package auth

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"net/url"
	"time"
)

// Time-based one-time passwords as authenticator apps make them (RFC 6238): HMAC-SHA-1,
// six digits, a new one every 30 seconds.

const (
	totpStep     = 30 // seconds
	totpDigits   = 6
	totpModulus  = 1_000_000
	totpKeyBytes = 20 // as long as the hash, as RFC 4226 recommends
)

var totpText = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewTOTP mints the secret that an authenticator and the server share, in the form in
// which people type it. It panics if r fails, as NewToken does.
func NewTOTP(r io.Reader) string {
	var key [totpKeyBytes]byte
	fill(r, key[:])
	return totpText.EncodeToString(key[:])
}

// TOTPURI is what an authenticator reads from a picture: the secret, whose it is and
// what for.
func TOTPURI(issuer, account, secret string) string {
	label := url.PathEscape(issuer) + ":" + url.PathEscape(account)
	return "otpauth://totp/" + label + "?" + url.Values{"secret": {secret}, "issuer": {issuer}}.Encode()
}

// TOTPStep checks a code at a moment: it is right when it is the one of now, of the
// last or of the next half minute, because clocks differ. step is which; a caller
// that takes a code only with a later step than the last takes each code once.
func TOTPStep(secret, code string, now time.Time) (step int64, ok bool) {
	key, err := totpText.DecodeString(secret)
	if err != nil || len(key) != totpKeyBytes {
		return 0, false
	}
	current := now.Unix() / totpStep
	for s := current - 1; s <= current+1; s++ {
		// In constant time, and every one: the caller is not yet trusted.
		if subtle.ConstantTimeCompare([]byte(totpCode(key, s)), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok
}

// totpCode is the code of one step (RFC 4226, with the step as the counter).
func totpCode(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, n%totpModulus)
}

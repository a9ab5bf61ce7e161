package auth

import (
	"crypto/rand"
	"net/url"
	"testing"
	"time"
)

// The published vectors for SHA-1 (RFC 6238, appendix B), whose codes of eight digits
// end with ours, and those of RFC 4226, appendix D.
func TestTOTPVectors(t *testing.T) {
	secret := totpText.EncodeToString([]byte("12345678901234567890"))
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		step, ok := TOTPStep(secret, code, time.Unix(at, 0))
		if !ok || step != at/30 {
			t.Errorf("TOTPStep(%s) at %d = %d, %v; want step %d", code, at, step, ok, at/30)
		}
	}
	for step, code := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := totpCode([]byte("12345678901234567890"), int64(step)); got != code {
			t.Errorf("the code of step %d is %s; want %s", step, got, code)
		}
	}
}

// A code is good in its own half minute and the ones beside it.
func TestTOTPWindow(t *testing.T) {
	secret := NewTOTP(rand.Reader)
	key, err := totpText.DecodeString(secret)
	if err != nil || len(key) != totpKeyBytes {
		t.Fatalf("NewTOTP made %q (%v)", secret, err)
	}
	const step = 1_000_000
	code := totpCode(key, step)
	for off := int64(-3); off <= 3; off++ {
		got, ok := TOTPStep(secret, code, time.Unix((step+off)*30, 0))
		near := -1 <= off && off <= 1
		// Another step may have the same code by chance; then it is another step.
		if ok && got == step != near || near && !ok {
			t.Errorf("TOTPStep %d steps away = %d, %v", off, got, ok)
		}
	}
	for _, bad := range []string{"", code[:5], code + "0", " " + code, "+" + code[1:]} {
		if _, ok := TOTPStep(secret, bad, time.Unix(step*30, 0)); ok {
			t.Errorf("the code %q is taken for %s", bad, code)
		}
	}
	for _, bad := range []string{"", "0", "========"} {
		if _, ok := TOTPStep(bad, code, time.Unix(step*30, 0)); ok {
			t.Errorf("the secret %q takes a code", bad)
		}
	}
}

func TestTOTPURI(t *testing.T) {
	u, err := url.Parse(TOTPURI("Postern", "a b&c@example.org", "JBSWY3DP"))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Postern:a b&c@example.org" ||
		u.Query().Get("secret") != "JBSWY3DP" || u.Query().Get("issuer") != "Postern" {
		t.Errorf("TOTPURI = %v (%v)", u, err)
	}
}

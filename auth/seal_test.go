package auth

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
)

func TestSeal(t *testing.T) {
	k := SealKey{1, 2, 3}
	for _, secret := range []string{"", "s", "a longer secret with \x00 and é", strings.Repeat("x", 10_000)} {
		sealed, err := k.Seal(rand.Reader, "bind password of a", secret)
		if err != nil || !Sealed(sealed) || len(secret) > 1 && strings.Contains(sealed, secret) {
			t.Fatalf("%q, %v", sealed, err)
		}
		if got, err := k.Open("bind password of a", sealed); got != secret || err != nil {
			t.Errorf("%q, %v; want %q", got, err, secret)
		}
		again, err := k.Seal(rand.Reader, "bind password of a", secret)
		if err != nil || again == sealed {
			t.Error("one secret is sealed the same way twice")
		}
		other := SealKey{1, 2, 4}
		if _, err := other.Open("bind password of a", sealed); !errors.Is(err, ErrSeal) {
			t.Errorf("with another key: %v", err)
		}
		if _, err := k.Open("bind password of b", sealed); !errors.Is(err, ErrSeal) {
			t.Errorf("in another place: %v", err)
		}
		for i := len(sealMark); i < len(sealed); i += 1 + len(sealed)/50 {
			changed := []byte(sealed)
			changed[i] = 'A' + (changed[i]+1)%26
			if string(changed) == sealed {
				continue
			}
			if got, err := k.Open("bind password of a", string(changed)); !errors.Is(err, ErrSeal) {
				t.Errorf("changed at %d: %q, %v", i, got, err)
			}
		}
	}
	for _, s := range []string{"", "plain", sealMark, sealMark + "AAAA", sealMark + "?"} {
		if _, err := k.Open("x", s); !errors.Is(err, ErrSeal) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := k.Seal(bytes.NewReader(nil), "x", "y"); err == nil {
		t.Error("sealed without randomness")
	}
}

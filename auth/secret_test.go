package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestNewToken(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.[A-Za-z0-9+/]{43}=$`)
	seen := map[Digest]bool{}
	for range 200 {
		token, d := NewToken(rand.Reader)
		if !form.MatchString(token) {
			t.Fatalf("token %q has not Kinvey's form", token)
		}
		if d != Digest(sha256.Sum256([]byte(token))) || d != TokenDigest(token) || seen[d] {
			t.Fatalf("digest of %q: %x (seen before: %t)", token, d, seen[d])
		}
		seen[d] = true
		if c, err := ParseAuthorization([]byte("Kinvey " + token)); err != nil || c.Token != token {
			t.Fatalf("own token %q is not understood: %v", token, err)
		}
	}
}

func TestRandomnessIsUsedInFull(t *testing.T) {
	// Each bit of the source but the six that the UUID form fixes shows in the token.
	base := bytes.Repeat([]byte{0}, 48)
	zero, _ := NewToken(bytes.NewReader(base))
	silent := 0
	for bit := range 48 * 8 {
		b := bytes.Clone(base)
		b[bit/8] ^= 1 << (bit % 8)
		if token, _ := NewToken(bytes.NewReader(b)); token == zero {
			silent++
		}
	}
	if silent != 6 {
		t.Errorf("%d bits of the source do not show in the token, want 6", silent)
	}
}

// A token with any byte changed is malformed or unknown.
func TestMutatedTokenIsUnknown(t *testing.T) {
	token, d := NewToken(rand.Reader)
	for i := range len(token) {
		for c := range 256 {
			if byte(c) == token[i] {
				continue
			}
			b := []byte(token)
			b[i] = byte(c)
			got, err := ParseAuthorization(append([]byte("Kinvey "), b...))
			if err == nil && TokenDigest(got.Token) == d {
				t.Fatalf("%q is taken for %q", b, token)
			}
		}
		if _, err := ParseAuthorization([]byte("Kinvey " + token[:i])); err == nil {
			t.Fatalf("token cut to %d bytes is accepted", i)
		}
	}
}

func TestSecrets(t *testing.T) {
	secret := NewSecret(rand.Reader)
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(secret) {
		t.Fatalf("secret %q is not 32 lower-case hex digits", secret)
	}
	d := SecretDigest(secret)
	check := func(secret string, want bool) {
		t.Helper()
		if got := d.Matches(secret); got != want {
			t.Errorf("Matches(%q) = %t", secret, got)
		}
	}
	check(secret, true)
	check(secret+"0", false)
	check(secret[1:], false)
	check(strings.ToUpper(secret[:31])+"g", false)
	check("", false)
	check(NewSecret(rand.Reader), false)
	check(strings.Repeat("x", 1000), false)
	if (Digest{}).Matches("") {
		t.Error("the zero digest matches the empty secret")
	}
	if long := strings.Repeat("y", 1000); !SecretDigest(long).Matches(long) {
		t.Error("a long secret does not match its digest")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

func TestNoRandomnessNoSecret(t *testing.T) {
	for name, mint := range map[string]func(){
		"NewToken": func() { NewToken(failing{}) }, "NewSecret": func() { NewSecret(failing{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s returned without randomness", name)
				}
			}()
			mint()
		}()
	}
}

func TestAllocations(t *testing.T) {
	check := func(name string, want float64, f func()) {
		t.Helper()
		if got := testing.AllocsPerRun(200, f); got > want {
			t.Errorf("%s: %v allocations, want at most %v", name, got, want)
		}
	}
	header := []byte("Kinvey " + exampleToken)
	check("parse of a token", 1, func() { _, _ = ParseAuthorization(header) })
	var d Digest
	check("TokenDigest", 0, func() { d = TokenDigest(exampleToken) })
	check("Matches", 0, func() { d.Matches("0123456789abcdef0123456789abcdef") })
	if raceEnabled {
		return // sync.Pool then forgets at random
	}
	c := NewCache([32]byte{}, 10, hour)
	c.Put("kid_app", "alice", "correct horse", "id1", 1, epoch)
	check("Cache.Get, a hit", 0, func() {
		if _, _, ok := c.Get("kid_app", "alice", "correct horse", epoch); !ok {
			t.Fatal("no hit")
		}
	})
	check("Cache.Get, a miss", 0, func() { c.Get("kid_app", "alice", "wrong", epoch) })
	th := NewThrottle(DefaultLimits)
	th.Admit(epoch, "kid_app", "alice", "192.0.2.0/24")
	th.Succeeded(epoch, "kid_app", "alice", "192.0.2.0/24")
	check("Throttle.Known", 0, func() { th.Known(epoch, "kid_app", "alice", "192.0.2.0/24") })
}

func FuzzToken(f *testing.F) {
	f.Add(exampleToken)
	f.Add(exampleToken[:80])
	f.Add(strings.Replace(exampleToken, "Gk8=", "Gk9=", 1))
	f.Add(strings.Replace(exampleToken, ".", ":", 1))
	f.Add(exampleToken[:79] + "\n=")
	f.Add("")
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\z`)
	f.Fuzz(func(t *testing.T, token string) {
		if got, want := validToken([]byte(token)), form.MatchString(token); got != want {
			t.Fatalf("validToken(%q) = %t, want %t", token, got, want)
		}
		if d := TokenDigest(token); d != Digest(sha256.Sum256([]byte(token))) || !d.Matches(token) {
			t.Fatalf("digest of %q", token)
		}
	})
}

package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/argon2"
)

// counted returns a Hasher that writes down the cost of every derivation.
func counted(p Params, slots, queue int) (*Hasher, func() []Params) {
	h := NewHasher(p, slots, queue)
	var mu sync.Mutex
	var costs []Params
	h.derive = func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte {
		mu.Lock()
		costs = append(costs, Params{memory, time, threads})
		mu.Unlock()
		return argon2.IDKey(password, salt, time, memory, threads, keyLen)
	}
	return h, func() []Params {
		mu.Lock()
		defer mu.Unlock()
		c := costs
		costs = nil
		return c
	}
}

func mustHash(t *testing.T, h *Hasher, password string) string {
	t.Helper()
	phc, err := h.Hash(t.Context(), rand.Reader, password)
	if err != nil {
		t.Fatal(err)
	}
	return phc
}

func TestHashAndVerify(t *testing.T) {
	h := NewHasher(CheapParams, 2, 4)
	phc := mustHash(t, h, "correct horse")
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("hash %q is not a PHC string of its parameters", phc)
	}
	if again := mustHash(t, h, "correct horse"); again == phc {
		t.Error("two hashes of one password are equal: no salt")
	}
	check := func(password string, want bool) {
		t.Helper()
		for _, known := range []bool{false, true} {
			if ok, rehash, err := h.Verify(t.Context(), phc, password, known); ok != want || rehash || err != nil {
				t.Errorf("Verify(%q) = %t, %t, %v; want %t", password, ok, rehash, err, want)
			}
		}
	}
	check("correct horse", true)
	check("Correct horse", false)
	check("correct horse ", false)
	check("", false)
}

// A vector of the reference implementation's own tests: password "password",
// salt "somesalt".
func TestVerifyForeignHash(t *testing.T) {
	const phc = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	h := NewHasher(Params{MemoryKiB: 256, Time: 2, Threads: 1}, 1, 0)
	if ok, rehash, err := h.Verify(t.Context(), phc, "password", false); !ok || !rehash || err != nil {
		t.Errorf("Verify = %t, %t, %v; want ok, and rehash for the short salt", ok, rehash, err)
	}
}

func TestRehashWhenParametersRise(t *testing.T) {
	old := NewHasher(Params{MemoryKiB: 64, Time: 2, Threads: 1}, 1, 0)
	phc := mustHash(t, old, "pw")
	for _, test := range []struct {
		now  Params
		want bool
	}{
		{Params{64, 2, 1}, false}, {Params{128, 2, 1}, true}, {Params{64, 3, 1}, true}, {Params{32, 1, 1}, false},
	} {
		h := NewHasher(test.now, 1, 0)
		if ok, rehash, err := h.Verify(t.Context(), phc, "pw", false); !ok || rehash != test.want || err != nil {
			t.Errorf("under %+v: ok %t, rehash %t, %v; want rehash %t", test.now, ok, rehash, err, test.want)
		}
		if ok, rehash, _ := h.Verify(t.Context(), phc, "wrong", false); ok || rehash {
			t.Errorf("under %+v: a wrong password says ok %t, rehash %t", test.now, ok, rehash)
		}
	}
}

// P3: unknown user and wrong password cost the same, counted in derivations.
func TestEqualCost(t *testing.T) {
	p := Params{MemoryKiB: 72, Time: 2, Threads: 1}
	h, costs := counted(p, 2, 4)
	phc, generated := mustHash(t, h, "right"), HashGenerated("3f0c9b1a77e2440d8a51c6f2b9d0e4a7")
	costs()
	verify := func(phc, password string) func(context.Context, bool) error {
		return func(ctx context.Context, known bool) error {
			_, _, err := h.Verify(ctx, phc, password, known)
			return err
		}
	}
	for name, act := range map[string]func(ctx context.Context, known bool) error{
		"an unknown user": func(ctx context.Context, known bool) error {
			return h.VerifyNothing(ctx, "whatever", known)
		},
		"a wrong password":                           verify(phc, "wrong"),
		"the right password":                         verify(phc, "right"),
		"a user without a password":                  verify("", "whatever"),
		"a wrong password where it was generated":    verify(generated, "wrong"),
		"the empty password of a user with none":     verify("", ""),
		"an empty password where it was generated":   verify(generated, ""),
		"a password as long as passwords may become": verify(phc, strings.Repeat("x", MaxPasswordBytes)),
	} {
		for _, known := range []bool{false, true} {
			if err := act(t.Context(), known); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := costs(); len(got) != 1 || got[0] != p {
				t.Errorf("%s (known %t) cost %+v; want exactly one of %+v", name, known, got, p)
			}
		}
	}
}

func TestUserWithoutPassword(t *testing.T) {
	h := NewHasher(CheapParams, 1, 0)
	for _, password := range []string{"", "x"} {
		if ok, _, err := h.Verify(t.Context(), "", password, false); ok || err != nil {
			t.Errorf("Verify of an empty hash with %q = %t, %v", password, ok, err)
		}
	}
}

func TestGeneratedPassword(t *testing.T) {
	h, costs := counted(CheapParams, 1, 0)
	password := NewSecret(rand.Reader)
	phc := HashGenerated(password)
	if strings.Contains(phc, password) || !strings.HasPrefix(phc, "$sha256$") {
		t.Fatalf("stored form %q", phc)
	}
	if ok, rehash, err := h.Verify(t.Context(), phc, password, false); !ok || rehash || err != nil || len(costs()) != 0 {
		t.Errorf("the right one: %t, %t, %v; want ok without a derivation", ok, rehash, err)
	}
	if ok, _, err := h.Verify(t.Context(), phc, password+" ", false); ok || err != nil {
		t.Errorf("a wrong one: %t, %v", ok, err)
	}
}

func TestBadHashes(t *testing.T) {
	h, costs := counted(CheapParams, 1, 0)
	good, err := h.Hash(t.Context(), bytes.NewReader(make([]byte, saltBytes)), "pw")
	if err != nil || len(costs()) != 1 {
		t.Fatal(err)
	}
	part := strings.Split(good, "$")
	with := func(i int, s string) string {
		p := append([]string{}, part...)
		p[i] = s
		return strings.Join(p, "$")
	}
	for name, phc := range map[string]string{
		"no hash": "pw", "other kind": with(1, "argon2i"), "bcrypt": "$2b$20$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"version": with(2, "v=16"), "no version": strings.Replace(good, "$v=19", "", 1), "cut": good[:len(good)-24],
		"no tag": with(5, ""), "short tag": with(5, "AAAA"), "long tag": with(5, strings.Repeat("AAAA", 40)), "no salt": with(4, ""),
		"long salt": with(4, strings.Repeat("AAAA", 40)), "padding": with(5, part[5]+"="), "tail": good + "$", "line end": good + "\n",
		"too much memory": with(3, "m=4194304,t=1,p=1"), "too long": with(3, "m=64,t=1000000,p=1"), "no time": with(3, "m=64,t=0,p=1"),
		"no lanes": with(3, "m=64,t=1,p=0"), "lanes overflow": with(3, "m=64,t=1,p=257"), "too little memory": with(3, "m=7,t=1,p=1"),
		"leading zero": with(3, "m=064,t=1,p=1"), "sign": with(3, "m=+64,t=1,p=1"), "order": with(3, "t=1,m=64,p=1"), "more": with(3, "m=64,t=1,p=1,x=1"),
		"generated, empty": "$sha256$", "generated, short": "$sha256$AAAA", "generated, long": "$sha256$" + strings.Repeat("A", 44),
		"generated, not base64": "$sha256$" + strings.Repeat("*", 43),
	} {
		ok, _, err := h.Verify(t.Context(), phc, "pw", false)
		if ok || !errors.Is(err, ErrBadHash) || len(costs()) != 0 {
			t.Errorf("%s: Verify(%q) = %t, %v; want ErrBadHash and no work", name, phc, ok, err)
		}
	}
}

func TestHasherRefusesNonsense(t *testing.T) {
	for _, f := range []func(){
		func() { NewHasher(Params{}, 1, 0) }, func() { NewHasher(CheapParams, 0, 0) }, func() { NewHasher(CheapParams, 1, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("NewHasher accepted nonsense")
				}
			}()
			f()
		}()
	}
	h := NewHasher(CheapParams, 1, 0)
	if _, err := h.Hash(t.Context(), failing{}, "pw"); err == nil {
		t.Error("Hash made a hash without a salt")
	}
}

func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$")
	f.Add("$$$$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if !h.valid() || h.MemoryKiB > maxMemoryKiB {
			t.Fatalf("parsePHC(%q) accepts %+v", s, h.Params)
		}
		if again := formatPHC(h); again != s {
			t.Fatalf("parsePHC(%q) writes itself as %q", s, again)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, p := range []Params{DefaultParams, CheapParams} {
		b.Run(fmt.Sprintf("m=%d,t=%d,p=%d", p.MemoryKiB, p.Time, p.Threads), func(b *testing.B) {
			h := NewHasher(p, 2, 32)
			phc, err := h.Hash(b.Context(), bytes.NewReader(make([]byte, 16)), "pw")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if ok, _, err := h.Verify(b.Context(), phc, "pw", false); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

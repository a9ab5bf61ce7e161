package auth

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestImportedHash(t *testing.T) {
	made, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := ImportHash("bcrypt", string(made))
	if err != nil {
		t.Fatal(err)
	}
	h := NewHasher(CheapParams, 1, 4)
	derived := 0
	derive := h.derive
	h.derive = func(p, s []byte, t, m uint32, n uint8, k uint32) []byte { derived++; return derive(p, s, t, m, n, k) }
	for _, c := range []struct {
		password   string
		ok, rehash bool
		derived    int
	}{
		{"correct horse", true, true, 0},
		{"wrong", false, false, 1}, // at the price that a wrong password has everywhere
		{"", false, false, 1},
	} {
		derived = 0
		ok, rehash, err := h.Verify(context.Background(), encoded, c.password, false)
		if ok != c.ok || rehash != c.rehash || err != nil || derived != c.derived {
			t.Errorf("Verify(%q) = %v, %v, %v with %d derivations; want %v, %v, %d", c.password, ok, rehash, err, derived, c.ok, c.rehash, c.derived)
		}
	}
}

func TestImportedHashRefused(t *testing.T) {
	const good = "$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	if _, err := ImportHash("BCrypt", good); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"md5", good}, {"", good}, {"pbkdf2", good}, {"bcrypt", ""}, {"bcrypt", good + "x"}, {"bcrypt", good[:59]},
		{"bcrypt", "$2a$31" + good[6:]}, {"bcrypt", "$2x$04" + good[6:]}, {"bcrypt", "$2a$xx" + good[6:]},
		{"bcrypt", "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAA"}, {"bcrypt", "$sha256$x"},
	} {
		if _, err := ImportHash(c[0], c[1]); !errors.Is(err, ErrBadHash) {
			t.Errorf("ImportHash(%q, %q) = %v, want ErrBadHash", c[0], c[1], err)
		}
	}
}

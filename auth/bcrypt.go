package auth

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// What an imported hash may ask of us: beyond it one login would hold a slot for
// seconds.
const maxBcryptCost = 14

// ImportHash returns the stored form of a password hash that another system made, or
// ErrBadHash. The one kind it knows is bcrypt, in the form that carries its salt and
// cost ($2a$10$...). Verify accepts it and asks for a new Hash on the first success.
func ImportHash(kind, hash string) (string, error) {
	if strings.ToLower(kind) != "bcrypt" || !isBcrypt(hash) || len(hash) != 60 {
		return "", ErrBadHash
	}
	if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost > maxBcryptCost {
		return "", ErrBadHash
	}
	return hash, nil
}

func isBcrypt(encoded string) bool {
	return strings.HasPrefix(encoded, "$2a$") || strings.HasPrefix(encoded, "$2b$") || strings.HasPrefix(encoded, "$2y$")
}

// verifyBcrypt checks an imported hash, in the same lanes as every other check. A
// wrong password then costs what it costs everywhere, too; the bcrypt computation on
// top is the price of an account that has not logged in since its import.
func (h *Hasher) verifyBcrypt(ctx context.Context, encoded, password string, known bool) (ok, rehash bool, err error) {
	if _, err := ImportHash("bcrypt", encoded); err != nil {
		return false, false, err
	}
	if err := h.gate.enter(ctx, known); err != nil {
		return false, false, err
	}
	err = bcrypt.CompareHashAndPassword([]byte(encoded), []byte(password))
	h.gate.leave(known)
	switch {
	case err == nil:
		return true, true, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, false, h.VerifyNothing(ctx, password, known)
	}
	return false, false, ErrBadHash
}

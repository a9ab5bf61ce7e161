package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ErrBadHash says that a stored password hash cannot be read: it is damaged, or of
// a kind or cost this package does not accept.
var ErrBadHash = errors.New("unreadable password hash")

// Params are the costs of one Argon2id derivation: KiB of memory, passes over it,
// and lanes.
type Params struct {
	MemoryKiB, Time uint32
	Threads         uint8
}

var (
	// DefaultParams is for servers: 19 MiB, two passes, one lane (about 30 ms).
	DefaultParams = Params{MemoryKiB: 19 * 1024, Time: 2, Threads: 1}
	// CheapParams is for tests and offline development only.
	CheapParams = Params{MemoryKiB: 64, Time: 1, Threads: 1}
)

const (
	saltBytes = 16
	tagBytes  = 32

	// What a stored string may ask of us, so that a damaged or imported one
	// cannot take the server's memory.
	maxMemoryKiB = 256 * 1024
	maxTime      = 16
	maxThreads   = 16
	maxSaltBytes = 64
	maxTagBytes  = 64
)

func (p Params) valid() bool {
	return p.Time >= 1 && p.Time <= maxTime && p.Threads >= 1 && p.Threads <= maxThreads &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxMemoryKiB
}

// A deriveFunc has the shape of argon2.IDKey.
type deriveFunc func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte

// A Hasher makes and checks password hashes, a few at a time: Argon2 is meant to be
// expensive, so how many run at once is bounded, a short queue waits behind them, and
// beyond that the answer is ErrBusy. A part of both is kept for callers said to be
// known (see Throttle.Known), so that junk from strangers cannot keep users out.
// A Hasher is safe for concurrent use.
type Hasher struct {
	params Params
	gate   *gate
	derive deriveFunc // argon2.IDKey; tests count calls
}

// NewHasher returns a Hasher that makes hashes of cost p, computes at most slots at
// once and lets at most queue callers wait. It panics if p is out of range or slots
// is not positive.
func NewHasher(p Params, slots, queue int) *Hasher {
	if !p.valid() || slots < 1 || queue < 0 {
		panic(fmt.Sprintf("auth: NewHasher(%+v, %d, %d)", p, slots, queue))
	}
	return &Hasher{params: p, gate: newGate(slots, queue), derive: argon2.IDKey}
}

// Hash returns the PHC string of password with a salt from rand. It waits its turn
// as an unknown caller does. Errors: ErrBusy, the context's, or that of rand.
func (h *Hasher) Hash(ctx context.Context, rand io.Reader, password string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return "", fmt.Errorf("reading a salt: %w", err)
	}
	tag, err := h.compute(ctx, false, h.params, password, salt, tagBytes)
	if err != nil {
		return "", err
	}
	return formatPHC(phc{h.params, salt, tag}), nil
}

// Verify says whether password is the one that encoded was made from, and if so
// whether encoded should be replaced by a new Hash because it is cheaper than this
// Hasher's. An empty encoded belongs to a user without a password: never ok, at the cost of
// VerifyNothing. known chooses the lane. Errors: ErrBusy, ErrBadHash, the context's;
// with any of them nothing was decided.
func (h *Hasher) Verify(ctx context.Context, encoded, password string, known bool) (ok, rehash bool, err error) {
	if encoded == "" {
		return false, false, h.VerifyNothing(ctx, password, known)
	}
	if want, found := strings.CutPrefix(encoded, generatedPrefix); found {
		return h.verifyGenerated(ctx, want, password, known)
	}
	if isBcrypt(encoded) {
		return h.verifyBcrypt(ctx, encoded, password, known)
	}
	stored, err := parsePHC(encoded)
	if err != nil {
		return false, false, err
	}
	tag, err := h.compute(ctx, known, stored.Params, password, stored.salt, uint32(len(stored.tag)))
	if err != nil {
		return false, false, err
	}
	if subtle.ConstantTimeCompare(tag, stored.tag) != 1 {
		return false, false, nil
	}
	weaker := stored.MemoryKiB < h.params.MemoryKiB || stored.Time < h.params.Time ||
		len(stored.salt) < saltBytes || len(stored.tag) < tagBytes
	return true, weaker, nil
}

// VerifyNothing spends on password exactly what Verify spends on a hash of this
// Hasher's cost: one derivation in the same lane. It is for names that do not exist, so
// that they cannot be told from wrong passwords. Errors: ErrBusy or the context's.
func (h *Hasher) VerifyNothing(ctx context.Context, password string, known bool) error {
	var salt [saltBytes]byte
	_, err := h.compute(ctx, known, h.params, password, salt[:], tagBytes)
	return err
}

// compute is the only caller of derive.
func (h *Hasher) compute(ctx context.Context, known bool, p Params, password string, salt []byte,
	size uint32) ([]byte, error) {
	if err := h.gate.enter(ctx, known); err != nil {
		return nil, err
	}
	defer h.gate.leave(known)
	return h.derive([]byte(password), salt, p.Time, p.MemoryKiB, p.Threads, size), nil
}

const generatedPrefix = "$sha256$"

// HashGenerated returns the stored form of a password that the server itself made
// from at least 128 random bits. Guessing such a password is hopeless, so that a plain
// SHA-256 does. Never use it for a password that a person chose.
func HashGenerated(password string) string {
	d := digest(password)
	return generatedPrefix + base64.RawStdEncoding.EncodeToString(d[:])
}

// verifyGenerated accepts the right password without a derivation, so without
// waiting. A wrong one costs what it costs everywhere, or the quick refusal would tell
// that the user exists.
func (h *Hasher) verifyGenerated(ctx context.Context, want, password string, known bool) (ok, rehash bool, err error) {
	var d Digest
	raw, err := base64.RawStdEncoding.Strict().DecodeString(want)
	if err != nil || copy(d[:], raw) != len(d) || len(raw) != len(d) {
		return false, false, ErrBadHash
	}
	if d.Matches(password) {
		return true, false, nil
	}
	return false, false, h.VerifyNothing(ctx, password, known)
}

// A phc is a parsed PHC string.
type phc struct {
	Params
	salt, tag []byte
}

func formatPHC(h phc) string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.MemoryKiB, h.Time, h.Threads, enc.EncodeToString(h.salt), enc.EncodeToString(h.tag))
}

// parsePHC reads exactly what formatPHC writes, and refuses costs out of range.
func parsePHC(s string) (phc, error) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, ErrBadHash
	}
	cost := strings.Split(part[3], ",")
	if len(cost) != 3 {
		return phc{}, ErrBadHash
	}
	m, okM := parseCost(cost[0], "m=", maxMemoryKiB)
	t, okT := parseCost(cost[1], "t=", maxTime)
	p, okP := parseCost(cost[2], "p=", maxThreads)
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(part[4])
	tag, errTag := base64.RawStdEncoding.Strict().DecodeString(part[5])
	h := phc{Params{MemoryKiB: m, Time: t, Threads: uint8(p)}, salt, tag}
	if !okM || !okT || !okP || !h.valid() || errSalt != nil || errTag != nil ||
		len(salt) < 8 || len(salt) > maxSaltBytes || len(tag) < 16 || len(tag) > maxTagBytes ||
		strings.ContainsAny(s, "\r\n") {
		return phc{}, ErrBadHash
	}
	return h, nil
}

func parseCost(s, name string, limit uint64) (uint32, bool) {
	digits, found := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	// One spelling per number: no sign, no leading zero.
	ok := found && err == nil && n <= limit && digits == strconv.FormatUint(n, 10)
	return uint32(n), ok
}

package mic

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"sync"
	"time"
)

// A Request is what an app asked for when it sent a browser, or itself, to log
// somebody in. All of it was checked when it came.
type Request struct {
	App       string // key
	Service   string // id
	Client    string // client_id as it was sent
	Redirect  string // where to go at the end
	State     string // given back as it came
	Challenge Challenge
	Page      bool // begun by a browser, which has shown its cookie; else a temporary login URI
	Browser   [sha256.Size]byte
	Begun     []byte // what the provider needs at the end, see Redirects
	Tries     int    // passwords that were wrong
}

// A Flow is something that waits for its next step for a short time, and for
// that step once. Flows are kept in memory: a restart ends them, and whoever was
// in the middle of logging in begins again.
type Flows[T any] struct {
	ttl  time.Duration
	most int

	mu    sync.Mutex
	waits map[[sha256.Size]byte]flow[T]
	next  time.Time // when to look for what is over
}

type flow[T any] struct {
	value T
	until time.Time
}

// NewFlows returns flows that wait no longer than ttl, of which there are never
// more than most.
func NewFlows[T any](ttl time.Duration, most int) *Flows[T] {
	return &Flows[T]{ttl: ttl, most: most, waits: map[[sha256.Size]byte]flow[T]{}}
}

// Begin keeps a value under a secret. It reports false when too many wait: then
// nothing is kept. A ttl of 0 is that of all.
func (f *Flows[T]) Begin(now time.Time, secret string, value T, ttl time.Duration) bool {
	if ttl <= 0 || ttl > f.ttl {
		ttl = f.ttl
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waits) >= f.most || now.After(f.next) {
		f.sweep(now)
	}
	if len(f.waits) >= f.most {
		return false
	}
	f.waits[sha256.Sum256([]byte(secret))] = flow[T]{value, now.Add(ttl)}
	return true
}

// sweep forgets what is over, seldom: it looks at everything.
func (f *Flows[T]) sweep(now time.Time) {
	for k, w := range f.waits {
		if !now.Before(w.until) {
			delete(f.waits, k)
		}
	}
	f.next = now.Add(f.ttl)
}

// Take returns the value that waits under a secret and forgets it: nobody else
// gets it.
func (f *Flows[T]) Take(now time.Time, secret string) (value T, ok bool) {
	key := sha256.Sum256([]byte(secret))
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.waits[key]
	delete(f.waits, key)
	if !ok || !now.Before(w.until) {
		var none T
		return none, false
	}
	return w.value, true
}

// Look returns the value that waits under a secret, which goes on waiting.
func (f *Flows[T]) Look(now time.Time, secret string) (value T, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.waits[sha256.Sum256([]byte(secret))]
	if !ok || !now.Before(w.until) {
		var none T
		return none, false
	}
	return w.value, true
}

// Change puts another value in the place of one that waits, until the same time.
// It reports false when that waits no more.
func (f *Flows[T]) Change(now time.Time, secret string, value T) bool {
	key := sha256.Sum256([]byte(secret))
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.waits[key]
	if !ok || !now.Before(w.until) {
		return false
	}
	f.waits[key] = flow[T]{value, w.until}
	return true
}

// NewSecret makes the name of a flow: 32 hexadecimal digits.
func NewSecret(random io.Reader) string { return randomHex(random, 16) }

// CookieDigest is what is kept of the cookie that binds a flow to a browser.
func CookieDigest(cookie string) [sha256.Size]byte { return sha256.Sum256([]byte(cookie)) }

// From tells whether a browser is the one that began the request.
func (r *Request) From(cookie string) bool {
	if len(cookie) != hex.EncodedLen(16) {
		return false
	}
	got := CookieDigest(cookie)
	return subtle.ConstantTimeCompare(got[:], r.Browser[:]) == 1
}

// ParseSecret returns what was made by NewSecret, if it has its form.
func ParseSecret(s string) (string, bool) {
	b, err := hex.DecodeString(s)
	return s, err == nil && len(b) == 16
}

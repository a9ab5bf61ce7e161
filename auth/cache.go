package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
	"time"
)

// A Cache remembers which Basic credentials were found right a short while ago, so
// that a client who sends them with every request pays for Argon2 once. It holds
// successes only, never a password: entries are found by an HMAC under a key that
// lives as long as the process.
//
// An entry carries the credential generation that Put was given. The caller reads the
// generation before it verifies, and believes a hit only while the user still exists
// with that generation: a check that was under way while the password changed then
// cannot bring the old password back. A Cache is safe for concurrent use.
type Cache struct {
	max  int
	ttl  time.Duration
	macs sync.Pool // of *macState

	mu     sync.RWMutex // guards below
	byMAC  map[[sha256.Size]byte]*cached
	byUser map[string]*cached // head of the list linked by nextUser
	oldest *cached
	newest *cached
}

type cached struct {
	mac                [sha256.Size]byte
	userID             string
	generation         uint64
	since              time.Time
	older, newer       *cached
	prevUser, nextUser *cached
}

// NewCache returns an empty cache of at most max entries, each of which is believed
// for ttl after its Put. key must be random and secret. A max or ttl that is not
// positive makes a cache that stays empty.
func NewCache(key [32]byte, max int, ttl time.Duration) *Cache {
	c := &Cache{max: max, ttl: ttl, byMAC: map[[sha256.Size]byte]*cached{}, byUser: map[string]*cached{}}
	c.macs.New = func() any { return &macState{h: hmac.New(sha256.New, key[:])} }
	return c
}

// Get returns the user these credentials were verified for, and the credential
// generation of that moment. A hit does not allocate.
func (c *Cache) Get(app, user, password string, now time.Time) (userID string, generation uint64, ok bool) {
	mac := c.mac(app, user, password)
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := c.byMAC[mac]
	if e == nil || !c.fresh(e, now) {
		return "", 0, false
	}
	return e.userID, e.generation, true
}

// Put remembers that the credentials were verified at now for userID, whose
// credential generation was read before the verification began. The entry that would
// end first makes room.
func (c *Cache) Put(app, user, password, userID string, generation uint64, now time.Time) {
	if c.max <= 0 || c.ttl <= 0 {
		return
	}
	e := &cached{mac: c.mac(app, user, password), userID: userID, generation: generation, since: now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byMAC[e.mac]; old != nil {
		c.remove(old)
	}
	for c.oldest != nil && (len(c.byMAC) >= c.max || !c.fresh(c.oldest, now)) {
		c.remove(c.oldest)
	}
	c.insert(e)
}

// Drop forgets everything remembered for userID, in every app. Call it when a
// password changes and when a user is suspended or deleted.
func (c *Cache) Drop(userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.byUser[userID]; e != nil; e = c.byUser[userID] {
		c.remove(e)
	}
}

// fresh also refuses an entry from more than ttl ahead: the clock has jumped back,
// and nobody knows how old the entry is.
func (c *Cache) fresh(e *cached, now time.Time) bool {
	age := now.Sub(e.since)
	return -c.ttl < age && age < c.ttl
}

func (c *Cache) insert(e *cached) {
	c.byMAC[e.mac] = e
	if e.older = c.newest; e.older != nil {
		e.older.newer = e
	} else {
		c.oldest = e
	}
	c.newest = e
	if e.nextUser = c.byUser[e.userID]; e.nextUser != nil {
		e.nextUser.prevUser = e
	}
	c.byUser[e.userID] = e
}

func (c *Cache) remove(e *cached) {
	delete(c.byMAC, e.mac)
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		c.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		c.newest = e.older
	}
	if e.nextUser != nil {
		e.nextUser.prevUser = e.prevUser
	}
	switch {
	case e.prevUser != nil:
		e.prevUser.nextUser = e.nextUser
	case e.nextUser != nil:
		c.byUser[e.userID] = e.nextUser
	default:
		delete(c.byUser, e.userID)
	}
}

// macState is pooled: an HMAC costs several allocations to make, none to reuse.
type macState struct {
	h   hash.Hash
	buf []byte
}

func (c *Cache) mac(app, user, password string) (mac [sha256.Size]byte) {
	s := c.macs.Get().(*macState)
	s.h.Reset()
	// Lengths first: ("ab", "c") and ("a", "bc") must not meet.
	b := binary.BigEndian.AppendUint64(s.buf[:0], uint64(len(app)))
	b = binary.BigEndian.AppendUint64(b, uint64(len(user)))
	b = append(append(append(b, app...), user...), password...)
	s.h.Write(b)
	clear(b) // it held the password
	s.buf = s.h.Sum(b[:0])
	copy(mac[:], s.buf)
	c.macs.Put(s)
	return mac
}

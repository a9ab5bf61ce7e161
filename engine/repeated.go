package engine

import (
	"encoding/hex"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// What requests need again and again, made once for many of them.

// times formats the time that answers carry. Many have the same.
type times struct{ last atomic.Pointer[timeText] }

type timeText struct {
	ms   int64
	text []byte
}

// text returns a time in Kinvey's form. It must not be changed.
func (t *times) text(ms int64) []byte {
	if last := t.last.Load(); last != nil && last.ms == ms {
		return last.text
	}
	n := &timeText{ms, appendTime(nil, ms)}
	t.last.Store(n)
	return n.text
}

// uuids makes the ids of requests, from random bytes that are read for many at
// a time. They are no secrets: tokens and secrets do not come from here.
type uuids struct {
	e *Engine

	mu   sync.Mutex // guards below
	buf  [1 << 10]byte
	used int // of buf; 0: nothing was read yet
}

func (u *uuids) next(text *[36]byte) {
	var b [16]byte
	u.mu.Lock()
	if u.used%len(u.buf) == 0 {
		u.e.readRandom(u.buf[:])
		u.used = 0
	}
	u.used += copy(b[:], u.buf[u.used:])
	u.mu.Unlock()
	appendUUID(text[:0], b)
}

// appendUUID appends random bytes as a version 4 UUID.
func appendUUID(dst []byte, b [16]byte) []byte {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	dst = append(dst, "00000000-0000-0000-0000-000000000000"...)
	text, from := dst[len(dst)-36:], 0
	for _, n := range [...]int{4, 2, 2, 2, 6} {
		hex.Encode(text[2*from:], b[from:from+n])
		text, from = text[1:], from+n
	}
	return dst
}

// parsed remembers what texts that come again were parsed to. A text may push
// another one out; nothing else depends on what is remembered.
type parsed[T any] struct {
	seed  maphash.Seed
	slots [256]atomic.Pointer[parsedText[T]]
}

type parsedText[T any] struct {
	text  string
	value T
}

// longestParsed is how long a text may be to be remembered, bytes.
const longestParsed = 256

func newParsed[T any]() *parsed[T] { return &parsed[T]{seed: maphash.MakeSeed()} }

// get returns what parse makes of a text. It is shared, so it must never be
// changed. Errors are not remembered.
func (p *parsed[T]) get(text []byte, parse func([]byte) (T, error)) (T, error) {
	if len(text) == 0 || len(text) > longestParsed {
		return parse(text)
	}
	slot := &p.slots[maphash.Bytes(p.seed, text)%uint64(len(p.slots))]
	if known := slot.Load(); known != nil && known.text == string(text) {
		return known.value, nil
	}
	value, err := parse(text)
	if err == nil {
		slot.Store(&parsedText[T]{string(text), value})
	}
	return value, err
}

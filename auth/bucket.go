package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

// A rate says how a bucket behaves: free charges pass without delay, each further one
// doubles the delay from first up to most, and a bucket with full charges in it waits
// for one to drain. So no more than full + perHour charges pass in any hour.
// A zero full is no bound.
type rate struct {
	free, full, perHour float64
	first, most         time.Duration
}

// A bucket counts what was charged to it and forgets it at a steady rate. Times are
// Unix nanoseconds. The zero value is empty.
type bucket struct {
	level    float64
	at, last int64 // when level was true; when the last charge was
}

// drain brings level up to now. Requests that overtake one another by less than a minute
// change nothing. Further back the clock has jumped: that forgives nothing, and nobody
// waits for the time to come round again.
func (b *bucket) drain(now int64, r rate) {
	switch {
	case now > b.at:
		b.level = max(0, b.level-float64(now-b.at)*r.perHour/float64(time.Hour))
		b.at = now
	case b.at-now > int64(time.Minute):
		b.at, b.last = now, min(b.last, now)
	}
}

// wait returns how long it takes, without further charges, until one passes.
func (b *bucket) wait(now int64, r rate) time.Duration {
	b.drain(now, r)
	var wait time.Duration
	// Rounded up: a charge counts until all of it has drained.
	if over := int(math.Ceil(b.level - r.free)); over >= 0 && b.last != 0 {
		delay := r.most
		if r.first <= r.most>>over {
			delay = r.first << over
		}
		wait = max(0, delay-time.Duration(now-b.last))
	}
	if excess := b.level + 1 - r.full; r.full > 0 && excess > 0 {
		wait = max(wait, time.Duration(excess/r.perHour*float64(time.Hour))+1)
	}
	return wait
}

func (b *bucket) charge(now int64, r rate) {
	b.drain(now, r)
	b.level++
	b.last = max(b.last, now)
}

func (b *bucket) refund() { b.level = max(0, b.level-1) }

// A bucketID names a bucket. Names come from strangers and may be long; the ids do not.
type bucketID [16]byte

func idOf(parts ...string) (id bucketID) {
	var buf [512]byte
	b := buf[:0]
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	copy(id[:], sum[:])
	return id
}

// A table holds at most max values in two generations. When the younger is full it
// becomes the older, and the older is dropped, except for values that still matter:
// whoever wants his own bucket forgotten has to fill a quarter of the table with
// others that matter as much, not just with names.
type table[V any] struct {
	max     int
	matters func(v *V, now int64) bool
	cur     map[bucketID]*V
	old     map[bucketID]*V
}

func newTable[V any](max int, matters func(v *V, now int64) bool) *table[V] {
	return &table[V]{max: max, matters: matters, cur: map[bucketID]*V{}}
}

func (t *table[V]) get(id bucketID, now int64) *V {
	if v := t.cur[id]; v != nil {
		return v
	}
	v := t.old[id]
	if v != nil {
		delete(t.old, id)
		t.put(id, v, now)
	}
	return v
}

// make returns the value of id, a new one if there was none.
func (t *table[V]) make(id bucketID, now int64) (v *V, isNew bool) {
	if v := t.get(id, now); v != nil {
		return v, false
	}
	v = new(V)
	t.put(id, v, now)
	return v, true
}

func (t *table[V]) put(id bucketID, v *V, now int64) {
	if len(t.cur) >= t.max/2 {
		dropped := t.old
		t.old, t.cur = t.cur, make(map[bucketID]*V)
		for id, v := range dropped {
			if len(t.cur) >= t.max/4 {
				break
			}
			if t.matters(v, now) {
				t.cur[id] = v
			}
		}
	}
	t.cur[id] = v
}

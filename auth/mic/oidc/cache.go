package oidc

import (
	"context"
	"sync"
	"time"
)

const (
	// keepFor is how long discovery documents and keys are used.
	keepFor = time.Hour
	// keepFailure is how long a failure is the answer to everybody, so that those
	// who try to log in do not hammer a provider that is down.
	keepFailure = 3 * time.Second
	// keepAtLeast is how long keys are used even if one is missing.
	keepAtLeast = 5 * time.Second
)

// A cache holds what was loaded last. One load runs at a time, and who comes
// meanwhile waits for it. It is safe for concurrent use.
type cache[T any] struct {
	ctx  context.Context // of loads: no caller's, since others wait too
	load func(context.Context) (T, error)
	now  func() time.Time

	mu     sync.Mutex // guards below
	last   *loading[T]
	flight *loading[T] // runs; nil: none does
}

// A loading may be read once done is closed.
type loading[T any] struct {
	done  chan struct{}
	ended time.Time
	value T
	err   error
}

// get returns a value that is not older than age, loading one if need be.
func (c *cache[T]) get(ctx context.Context, age time.Duration) (T, error) {
	c.mu.Lock()
	if l := c.last; l != nil {
		if l.err != nil {
			age = keepFailure
		}
		// A clock that was set back makes everything old.
		if passed := c.now().Sub(l.ended); passed >= 0 && passed < age {
			c.mu.Unlock()
			return l.value, l.err
		}
	}
	l := c.flight
	if l == nil {
		l = &loading[T]{done: make(chan struct{})}
		c.flight = l
		go c.run(l)
	}
	c.mu.Unlock()
	select {
	case <-l.done:
		return l.value, l.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (c *cache[T]) run(l *loading[T]) {
	l.value, l.err = c.load(c.ctx)
	l.ended = c.now()
	c.mu.Lock()
	c.last, c.flight = l, nil
	c.mu.Unlock()
	close(l.done)
}

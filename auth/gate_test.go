package auth

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// A crowd is a Hasher whose derivations wait until the test lets one end.
type crowd struct {
	t    *testing.T
	h    *Hasher
	end  chan struct{}
	done chan outcome
}

type outcome struct {
	who string
	err error
}

func newCrowd(t *testing.T, slots, queue int) *crowd {
	c := &crowd{t, NewHasher(CheapParams, slots, queue), make(chan struct{}), make(chan outcome, 100)}
	c.h.derive = func(_, _ []byte, _, _ uint32, _ uint8, keyLen uint32) []byte {
		<-c.end
		return make([]byte, keyLen)
	}
	return c
}

// come starts a check and waits until it runs, waits or is refused.
func (c *crowd) come(ctx context.Context, who string, known bool) {
	go func() { c.done <- outcome{who, c.h.VerifyNothing(ctx, "pw", known)} }()
	synctest.Wait()
}

func (c *crowd) state(running, unknownRunning, waiting int) {
	c.t.Helper()
	g := c.h.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.waiting[0]) + len(g.waiting[1]); g.running != running || g.unknownRunning != unknownRunning || n != waiting {
		c.t.Errorf("%d run (%d unknown), %d wait; want %d (%d), %d", g.running, g.unknownRunning, n, running, unknownRunning, waiting)
	}
}

func (c *crowd) finish(want ...string) {
	c.t.Helper()
	for _, who := range want {
		c.end <- struct{}{}
		synctest.Wait()
		if got := <-c.done; got.err != nil || got.who != who && who != "any" {
			c.t.Errorf("%s ended (%v), want %s", got.who, got.err, who)
		}
	}
}

func (c *crowd) refused(who string, want error) {
	c.t.Helper()
	select {
	case got := <-c.done:
		if got.who != who || !errors.Is(got.err, want) {
			c.t.Errorf("%s: %v; want %s: %v", got.who, got.err, who, want)
		}
	default:
		c.t.Errorf("%s was not refused", who)
	}
}

func TestGateBoundsWhoRunsAndWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 4)
		for _, who := range []string{"k1", "k2", "k3", "k4", "k5", "k6"} {
			c.come(t.Context(), who, true)
		}
		c.state(2, 0, 4)
		c.come(t.Context(), "k7", true)
		c.refused("k7", ErrBusy)
		c.finish("any", "any", "k3", "k4", "k5", "k6")
		c.state(0, 0, 0)
	})
}

func TestGateKeepsALaneForKnownCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 4)
		for _, who := range []string{"u1", "u2", "u3"} {
			c.come(t.Context(), who, false)
		}
		c.state(1, 1, 2) // a slot stays free, and half of the queue
		c.come(t.Context(), "u4", false)
		c.refused("u4", ErrBusy)
		c.come(t.Context(), "k1", true) // runs at once among all the junk
		c.state(2, 1, 2)
		c.come(t.Context(), "k2", true)
		c.state(2, 1, 3)
		c.come(t.Context(), "k3", true)
		c.state(2, 1, 4)
		c.come(t.Context(), "k4", true)
		c.refused("k4", ErrBusy)
		for range 7 - 1 {
			c.finish("any")
		}
		c.state(0, 0, 0)
	})
}

func TestGateServesUnknownCallersBesideKnownOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, 8)
		c.come(t.Context(), "k1", true)
		c.come(t.Context(), "k2", true)
		c.come(t.Context(), "u1", false)
		for _, who := range []string{"k3", "k4", "k5"} {
			c.come(t.Context(), who, true)
		}
		c.finish("any") // one of the reserved slots' users: the other still runs, so u1 is next
		c.state(2, 1, 3)
		for range 5 {
			c.finish("any")
		}
		c.state(0, 0, 0)
	})
}

func TestGateWithOneSlotPrefersKnownCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 1, 4)
		c.come(t.Context(), "u1", false)
		c.come(t.Context(), "u2", false)
		c.come(t.Context(), "k1", true)
		c.finish("u1", "k1", "u2")
		c.state(0, 0, 0)
	})
}

func TestGateForgetsWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 1, 4)
		ctx, cancel := context.WithCancel(t.Context())
		c.come(t.Context(), "k1", true)
		c.come(ctx, "k2", true)
		c.come(t.Context(), "k3", true)
		cancel()
		synctest.Wait()
		c.refused("k2", context.Canceled)
		c.state(1, 0, 1)
		c.come(ctx, "k4", true) // cancelled before it came
		c.refused("k4", context.Canceled)
		c.finish("k1", "k3")
		c.come(ctx, "k5", true) // even where a slot is free
		c.refused("k5", context.Canceled)
		c.state(0, 0, 0)
	})
}

// Whoever gives up and is given a turn in the same moment passes the turn on.
func TestGateLosesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 4)
		if err := g.enter(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() { got <- g.enter(ctx, true) }()
		synctest.Wait()
		g.mu.Lock()
		cancel() // wakes the waiter, who finds when he gets the lock that his turn has come
		g.stop(1)
		g.mu.Unlock()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("enter = %v, want %v", err, context.Canceled)
		}
		if g.running != 0 {
			t.Error("the slot is lost")
		}
	})
}

func TestGateFreesTheSlotOfAPanic(t *testing.T) {
	h := NewHasher(CheapParams, 1, 0)
	derive := h.derive
	h.derive = func(_, _ []byte, _, _ uint32, _ uint8, _ uint32) []byte { panic("out of memory") }
	func() {
		defer func() { _ = recover() }()
		_ = h.VerifyNothing(t.Context(), "pw", true)
	}()
	h.derive = derive
	if err := h.VerifyNothing(t.Context(), "pw", true); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

package auth

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrBusy says that no password was looked at, because as many checks run and wait as
// may. The caller should be asked to come back shortly.
var ErrBusy = errors.New("too many password checks")

// A gate bounds how many callers run at once and how many wait. With two slots or more,
// one is never given to unknown callers, and unknown callers may fill only half of the
// queue. With a single slot nothing can be kept free, but known callers go first.
type gate struct {
	slots, unknownSlots int
	queue, unknownQueue int

	mu             sync.Mutex // guards below
	running        int
	unknownRunning int
	arrivals       uint64
	waiting        [2][]*waiter // unknown, known; each in order of arrival
}

type waiter struct {
	arrival uint64
	turn    chan struct{} // closed when the waiter has been given a slot
}

func newGate(slots, queue int) *gate {
	g := &gate{slots: slots, unknownSlots: slots, queue: queue, unknownQueue: queue / 2}
	if slots > 1 {
		g.unknownSlots = slots - 1
	}
	return g
}

// enter returns nil when the caller may run, and must then be matched by leave with
// the same lane.
func (g *gate) enter(ctx context.Context, known bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	lane := laneOf(known)
	g.mu.Lock()
	if len(g.waiting[lane]) == 0 && g.mayRun(lane) {
		g.start(lane)
		g.mu.Unlock()
		return nil
	}
	unknowns, all := len(g.waiting[0]), len(g.waiting[0])+len(g.waiting[1])
	if all >= g.queue || !known && unknowns >= g.unknownQueue {
		g.mu.Unlock()
		return ErrBusy
	}
	g.arrivals++
	w := &waiter{g.arrivals, make(chan struct{})}
	g.waiting[lane] = append(g.waiting[lane], w)
	g.mu.Unlock()

	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting[lane], w); i >= 0 {
		g.waiting[lane] = slices.Delete(g.waiting[lane], i, i+1)
	} else { // the turn came in the same moment: pass it on
		g.stop(lane)
	}
	return ctx.Err()
}

func (g *gate) leave(known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stop(laneOf(known))
}

func (g *gate) mayRun(lane int) bool {
	return g.running < g.slots && (lane == 1 || g.unknownRunning < g.unknownSlots)
}

func (g *gate) start(lane int) {
	g.running++
	if lane == 0 {
		g.unknownRunning++
	}
}

// stop frees a slot and gives what is free to those who wait.
func (g *gate) stop(lane int) {
	g.running--
	if lane == 0 {
		g.unknownRunning--
	}
	for {
		next := g.next()
		if next < 0 {
			return
		}
		w := g.waiting[next][0]
		g.waiting[next] = slices.Delete(g.waiting[next], 0, 1)
		g.start(next)
		close(w.turn)
	}
}

// next chooses the lane whose first waiter runs next, or -1. Known callers go first
// into their reserved slot; for the others, who came first.
func (g *gate) next() int {
	unknown := len(g.waiting[0]) > 0 && g.mayRun(0)
	known := len(g.waiting[1]) > 0 && g.mayRun(1)
	reservedIdle := g.running-g.unknownRunning < max(g.slots-g.unknownSlots, 1)
	switch {
	case known && (!unknown || reservedIdle || g.waiting[1][0].arrival < g.waiting[0][0].arrival):
		return 1
	case unknown:
		return 0
	}
	return -1
}

func laneOf(known bool) int {
	if known {
		return 1
	}
	return 0
}

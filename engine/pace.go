package engine

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A query that examines much is runnable all the time. While there are as many
// of them as processors, Go looks at the network only every 10 ms, and all other
// requests wait for that. So they take turns, of which there are fewer than
// processors; the holder of the turn of an only processor rests now and then.

// A step of a query is what it does between two looks at the clock: a quarter of
// a millisecond or so.
const (
	freeSteps = 8   // that a request makes without a turn
	turnSteps = 512 // after which a turn goes to who waits the longest
	restSteps = 4   // after which a query rests on an only processor
	rest      = 50 * time.Microsecond
)

// A pacer gives out the turns. Who waits gets one in the order of coming.
type pacer struct {
	turns   chan struct{} // holds a value for each that is taken
	waiting atomic.Int64
	alone   bool // there is one processor
}

func newPacer(processors int) *pacer {
	return &pacer{turns: make(chan struct{}, max(processors-1, 1)), alone: processors == 1}
}

// take waits for a turn, no longer than most, and reports whether it has one.
func (p *pacer) take(most time.Duration) bool {
	select {
	case p.turns <- struct{}{}: // never while somebody waits: it is full then
		return true
	default:
	}
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	over := time.NewTimer(most)
	defer over.Stop()
	select {
	case p.turns <- struct{}{}:
		return true
	case <-over.C:
		return false
	}
}

// A turn is what one request has of a pacer, through all of its queries. It is
// for one goroutine.
type turn struct {
	pacer *pacer // nil: it has no turn
	steps int    // since the request began or got its turn
}

// step ends a step of a query: it lets others run and waits for a turn where
// the next step needs one. It reports whether there is time left, which left
// tells.
func (t *turn) step(p *pacer, left func() time.Duration) bool {
	runtime.Gosched()
	if t.steps++; p.alone && t.steps%restSteps == 0 {
		time.Sleep(rest)
	}
	wait := left()
	if wait < 0 {
		return false
	}
	if t.pacer == nil && t.steps < freeSteps || t.pacer != nil && t.steps < turnSteps {
		return true
	}
	t.leave()
	if !p.take(wait) {
		return false
	}
	*t = turn{pacer: p}
	return left() >= 0
}

// leave gives the turn back, if there is one.
func (t *turn) leave() {
	if t.pacer != nil {
		<-t.pacer.turns
		t.pacer = nil
	}
}

package engine

import (
	"sync/atomic"
	"time"
)

// The gate makes the times of writes and the X-Kinvey-Request-Start of answers
// agree (D3): an answer with the start T holds everything that was written in
// its collection with a time up to T.
//
// The start is the clock, whatever is written: it tells nothing of what the
// requester may not see. It is the writes that move: the time of a record is
// later than every start that was given out before. And since a record is
// decided, given its time, and durable only some time later, a reader that
// comes in between waits for it: with the start that he has, he must see it.
//
//	reader: start is given out; is a record pending? wait; load the view
//	writer: pending; the time is after every start given out; ...; publish the view; not pending
//
// Whichever of the two is first, the other one sees it. Only those wait who
// read a collection that has a history and is changed by the pending record.
type gate struct {
	on      atomic.Bool // some collection of the server remembers its changes, or is about to
	exposed atomic.Int64
	pending atomic.Pointer[pending]
}

// A pending record is one that has its time and is not in the views yet.
type pending struct {
	decided chan struct{} // closed when holds is known
	holds   map[held]bool
	done    chan struct{} // closed when time and lost are known, and the views hold the record
	time    int64         // Unix ms
	lost    bool          // nobody knows whether the record was written
}

// held is a collection whose readers wait.
type held struct {
	app        *app
	collection string
}

// enter is called by a reader before he loads the view. It returns the start
// that his answer carries.
func (g *gate) enter(a *app, collection string, start int64) int64 {
	for {
		known := g.exposed.Load()
		if known >= start || g.exposed.CompareAndSwap(known, start) {
			break
		}
	}
	p := g.pending.Load()
	if p == nil {
		return start
	}
	<-p.decided
	if !p.holds[held{a, collection}] {
		return start
	}
	<-p.done
	if p.lost {
		return min(start, p.time-1) // the server is about to end; what it holds may be there when it is back
	}
	return start
}

// begin makes the draft's record the pending one and gives it its time.
func (g *gate) begin(d *draft) {
	if !g.on.Load() {
		return
	}
	if p := g.pending.Load(); p != nil {
		return // a lost one: nothing is written any more
	}
	d.pending = &pending{decided: make(chan struct{}), done: make(chan struct{})}
	g.pending.Store(d.pending)
	d.now = max(d.now, g.exposed.Load()+1)
	d.pending.time = d.now
	d.e.lastTime.Store(d.now)
}

// settle says whose readers wait, when everything in the draft is decided.
// Sessions, settings and collections without a history hold up nobody.
func (d *draft) settle() {
	p := d.pending
	if p == nil {
		return
	}
	for a, s := range d.apps {
		groups := s.owned[s.collection("group")]
		s.collections.Scan(func(name string, c *collection) bool {
			if c.history != nil && (groups || s.owned[c]) {
				if p.holds == nil {
					p.holds = map[held]bool{}
				}
				p.holds[held{a, name}] = true
			}
			return true
		})
	}
	close(p.decided)
	if p.holds == nil {
		d.letGo(false)
	}
}

// letGo ends the wait of readers. lost says that nobody knows whether the
// record was written.
func (d *draft) letGo(lost bool) {
	p := d.pending
	if p == nil {
		return
	}
	d.pending = nil
	select {
	case <-p.decided:
	default:
		close(p.decided)
	}
	if p.lost = lost; !lost {
		d.e.gate.pending.Store(nil)
	}
	close(p.done)
}

// ripen sees to it that the time of a record has come when it is published. A
// client that sees it then has a start that is not before it, and is not told
// of it again. On a clock that was set back that is given up.
func (d *draft) ripen() {
	if d.pending != nil && d.now > d.e.now() {
		time.Sleep(time.Millisecond)
	}
}

package engine

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"postern/engine/store"
)

// An intent is a change that somebody asks for. plan decides it: it reads the
// draft, which holds the published state and the earlier intents of the same
// group, and returns the rows to write or the refusal. It must change nothing,
// so a refused intent leaves no trace, and it may be asked again when its
// group has to be formed anew. Passwords are hashed and texts parsed before
// an intent is submitted, never in plan.
type intent interface {
	plan(d *draft) ([]store.Op, error)
}

// The size of a group, with room left for the counts that close it: what the
// store would refuse as too big cannot be formed.
const (
	groupOps   = 512
	groupBytes = store.MaxRecordBytes - store.MaxBesideBytes
	queueLimit = 8192
	usualOps   = 64 // for how many a draft has room at once
)

var errStopped = errors.New("the committer has stopped")

// submission is an intent on its way through the committer.
type submission struct {
	app    *app // nil: the system's
	intent intent
	done   chan error // capacity 1

	outcome error // what the intent was decided to; the committer's until done
}

// The committer is the one write path: a single goroutine that takes intents in
// groups, decides each on a draft, appends one record, publishes the draft as
// the new views, and only then answers.
type committer struct {
	e    *Engine
	wake chan struct{} // capacity 1
	quit chan struct{}
	over chan struct{}

	mu      sync.Mutex // guards below
	queues  map[*app][]*submission
	turn    []*app // apps with a non-empty queue, in the order of their turns
	waiting int
	stopped bool
}

func newCommitter(e *Engine) *committer {
	c := &committer{
		e:      e,
		wake:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
		over:   make(chan struct{}),
		queues: map[*app][]*submission{},
	}
	go c.run()
	return c
}

// submissions are pooled with their channel, so a write costs no allocation for
// the way through the committer.
var submissions = sync.Pool{New: func() any { return &submission{done: make(chan error, 1)} }}

// submit hands an intent over and waits for its outcome. nil means that its
// effects are durable and in the published view. It does not end early: an
// intent that is in the queue may be committed at any moment.
func (c *committer) submit(a *app, in intent) error {
	s, err := c.enqueue(a, in)
	if err != nil {
		return err
	}
	return s.wait()
}

// submitAll hands several intents over at once and returns the outcome of each.
func (c *committer) submitAll(a *app, in []intent) []error {
	waiting := make([]*submission, len(in))
	outcomes := make([]error, len(in))
	for i := range in {
		waiting[i], outcomes[i] = c.enqueue(a, in[i])
	}
	for i, s := range waiting {
		if s != nil {
			outcomes[i] = s.wait()
		}
	}
	return outcomes
}

func (c *committer) enqueue(a *app, in intent) (*submission, error) {
	s := submissions.Get().(*submission)
	s.app, s.intent = a, in
	c.mu.Lock()
	if c.stopped || c.waiting >= queueLimit {
		c.mu.Unlock()
		s.app, s.intent = nil, nil
		submissions.Put(s)
		return nil, errStopped
	}
	q := c.queues[a]
	if len(q) == 0 {
		c.turn = append(c.turn, a)
	}
	c.queues[a] = append(q, s)
	c.waiting++
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return s, nil
}

// wait returns the outcome and gives the submission back.
func (s *submission) wait() error {
	err := <-s.done
	s.app, s.intent = nil, nil
	submissions.Put(s)
	return err
}

// next takes a waiting submission, nil when there is none: one of each app in
// turn, so that a busy app cannot keep the others waiting.
func (c *committer) next() *submission {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.turn) == 0 {
		return nil
	}
	a := c.turn[0]
	q := c.queues[a]
	s := q[0]
	q[0] = nil
	c.waiting--
	c.turn = c.turn[1:]
	if q = q[1:]; len(q) > 0 {
		c.queues[a] = q
		c.turn = append(c.turn, a)
	} else {
		delete(c.queues, a)
	}
	return s
}

// putBack makes a submission the next one again.
func (c *committer) putBack(s *submission) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting++
	c.queues[s.app] = append([]*submission{s}, c.queues[s.app]...)
	c.turn = append([]*app{s.app}, slices.DeleteFunc(c.turn, func(a *app) bool { return a == s.app })...)
}

func (c *committer) run() {
	defer close(c.over)
	for {
		c.gather()
		if c.commit() {
			continue
		}
		select {
		case <-c.wake:
		case <-c.quit:
			c.mu.Lock()
			c.stopped = true
			c.mu.Unlock()
			for c.commit() { // what is still waiting
			}
			return
		}
	}
}

// gather lets the goroutines that can run submit what they have, for as long
// as that makes the next group larger: writers that were just answered are
// about to write again, and a group costs one sync whatever its size.
func (c *committer) gather() {
	for last := -1; ; {
		runtime.Gosched()
		c.mu.Lock()
		n := c.waiting
		c.mu.Unlock()
		if n == last || n >= groupOps {
			return
		}
		last = n
	}
}

// stop refuses new intents, commits the waiting ones and returns when the
// committer has ended.
func (c *committer) stop() {
	close(c.quit)
	<-c.over
}

// commit decides and appends one group and answers its members. It reports
// whether anything was waiting.
func (c *committer) commit() bool {
	first := c.next()
	if first == nil {
		return false
	}
	// After the first has come, so that the record is no earlier than it.
	d := newDraft(c.e)
	var group []*submission
	for s := first; s != nil; s = c.next() {
		if !d.take(s) {
			c.putBack(s)
			break
		}
		if group = append(group, s); len(group) == groupOps {
			break
		}
	}
	c.e.metrics.groups.Inc()
	c.e.metrics.intents.Add(len(group))
	err := d.append()
	for {
		switch {
		case errors.Is(err, store.ErrNoSpace) && !d.small:
			// What frees space or ends something still fits.
			group = refuseLarge(group, err)
		case errors.Is(err, store.ErrConflict):
			// Somebody else has written: forget the draft, learn what was written,
			// and decide again.
			if err = c.e.reload(nil); err == nil {
				break
			}
			fallthrough
		default:
			if err != nil {
				d.letGo(c.fail(err))
			} else {
				d.publish()
			}
			for _, s := range group {
				if s.outcome == nil {
					s.outcome = err
				}
				s.done <- s.outcome
			}
			return true
		}
		d.letGo(false)
		d = newDraft(c.e)
		kept := group[:0]
		for _, s := range group {
			if d.take(s) {
				kept = append(kept, s)
			} else {
				c.putBack(s)
			}
		}
		group = kept
		err = d.append()
	}
}

// A frugal intent ends or removes something. It is still taken when there is
// too little space for others.
type frugal interface{ frugal() }

// refuseLarge answers the intents that are not frugal with err and returns the
// others.
func refuseLarge(group []*submission, err error) []*submission {
	small := group[:0]
	for _, s := range group {
		if _, ok := s.intent.(frugal); ok {
			small = append(small, s)
		} else {
			s.done <- err
		}
	}
	return small
}

// fail stops accepting anything after an append whose outcome is not known.
// Refusals that wrote nothing are no failures. It reports whether it was one.
func (c *committer) fail(err error) bool {
	if errors.Is(err, store.ErrNoSpace) || errors.Is(err, store.ErrTooBig) {
		return false
	}
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.e.failed(fmt.Errorf("appending a record: %w", err))
	return true
}

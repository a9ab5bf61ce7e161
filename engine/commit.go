package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
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

// audited is an intent that leaves a line in the record's audit part.
type audited interface {
	audit() auditLine
}

// auditLine says who did what; it holds no secret and no body.
type auditLine struct {
	By   string `json:"by"`
	Act  string `json:"act"`
	App  string `json:"app,omitempty"`
	Item string `json:"item,omitempty"`
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
	var group []*submission
	d := newDraft(c.e)
	for len(group) < groupOps {
		s := c.next()
		if s == nil {
			break
		}
		if !d.take(s) {
			c.putBack(s)
			break
		}
		group = append(group, s)
	}
	if len(group) == 0 {
		d.letGo(false)
		return false
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
			if err = c.e.reload(); err == nil {
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

// A draft is the state that a group of intents would lead to.
type draft struct {
	e      *Engine
	seq    store.Seq // that the group's record will have
	prev   store.Hash
	now    int64 // the record's time, Unix ms
	ops    []store.Op
	bytes  int
	audit  []auditLine
	small  bool               // only frugal intents so far
	apps   map[*app]*appState // clones of the apps that are changed
	system *systemState       // clone, nil when not changed
	made   *directory         // with the apps that the group makes, nil when none

	pending *pending // the record as readers wait for it, nil when none has to
}

func newDraft(e *Engine) *draft {
	// Not the head of the log: a record that somebody else has appended is no
	// part of the state yet, and deciding without it must be a conflict.
	d := &draft{e: e, small: true, seq: e.head.seq + 1, prev: e.head.hash, now: e.tick(), ops: make([]store.Op, 0, usualOps), apps: map[*app]*appState{}}
	e.gate.begin(d)
	return d
}

// state returns the app as the draft has it, for reading.
func (d *draft) state(a *app) *appState {
	if s, ok := d.apps[a]; ok {
		return s
	}
	return a.view.Load()
}

func (d *draft) systemState() *systemState {
	if d.system != nil {
		return d.system
	}
	return d.e.system.Load()
}

func (d *draft) directory() *directory {
	if d.made != nil {
		return d.made
	}
	return d.e.apps.Load()
}

// take plans an intent and brings its rows into the draft. It reports false
// when the rows do not fit into the group any more.
func (d *draft) take(s *submission) bool {
	in := s.intent
	ops, err := d.plan(s.app, in)
	if s.outcome = err; err != nil {
		return true
	}
	size := 0
	for i := range ops {
		size += ops[i].Size()
	}
	if len(d.ops) > 0 && (len(d.ops)+len(ops) > groupOps || d.bytes+size > groupBytes) {
		return false
	}
	for i := range ops {
		if err := d.apply(ops[i]); err != nil {
			panic(fmt.Sprintf("a row of our own making cannot be applied: %v", err))
		}
	}
	d.bytes += size
	if _, ok := in.(frugal); !ok && len(ops) > 0 {
		d.small = false
	}
	if a, ok := in.(audited); ok && len(ops) > 0 {
		d.audit = append(d.audit, a.audit())
	}
	return true
}

// plan asks the intent. A panic refuses this one only: plan changes nothing, so
// the draft is as it was.
func (d *draft) plan(a *app, in intent) (ops []store.Op, err error) {
	if _, cleaning := in.(*wipe); a != nil && d.state(a).config.Deleted != 0 && !cleaning {
		return nil, errAppNotFound // deleted while the intent was on its way
	}
	defer func() {
		if p := recover(); p != nil {
			d.e.metrics.panics.Inc()
			d.e.config.Logger.Error("panic in the committer", "intent", fmt.Sprintf("%T", in), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			ops, err = nil, errInternal
		}
	}()
	return in.plan(d)
}

// trial returns a draft that begins as d is for the app, to try intents on one
// after the other. Nothing that is done to it shows in d.
func (d *draft) trial(a *app) *draft {
	t := &draft{e: d.e, seq: d.seq, prev: d.prev, now: d.now, apps: map[*app]*appState{a: d.state(a).clone()}, made: d.made}
	if d.system != nil {
		t.system = d.system.clone()
	}
	return t
}

// try plans an intent and brings its rows into the trial, so that d.ops is what
// all of them together would write.
func (d *draft) try(in intent) error {
	ops, err := in.plan(d)
	if err != nil {
		return err
	}
	for i := range ops {
		if err := d.apply(ops[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) apply(op store.Op) error {
	index := uint32(len(d.ops))
	d.ops = append(d.ops, op)
	return d.applyRow(op.Key, op.Value, d.seq, index)
}

// applyRow brings a row into the draft; at start all rows come this way.
func (d *draft) applyRow(key store.Key, value []byte, seq store.Seq, index uint32) error {
	if key.App == 0 {
		return d.applySystem(key, value)
	}
	a, ok := d.directory().byNumber[key.App]
	if !ok {
		return fmt.Errorf("row of app %d, which does not exist", key.App)
	}
	s, ok := d.apps[a]
	if !ok {
		s = a.view.Load().clone()
		d.apps[a] = s
	}
	return s.apply(key, value, seq, index)
}

// append closes the draft with the counts and digests of the collections it
// changed and writes it as one record.
func (d *draft) append() error {
	d.settle()
	if len(d.ops) == 0 {
		return nil
	}
	written := len(d.ops)
	for _, s := range d.apps {
		for c := range s.owned {
			if now, ok := s.collections.Get(c.name); !ok || now != c || c.check == c.counted {
				continue // dropped in this very group, or no other entities than before
			}
			d.ops = append(d.ops, store.Op{
				Key:   store.Key{App: s.config.Number, Table: tableCount, Collection: c.number},
				Value: c.check.encode(),
				Quiet: true,
			})
		}
	}
	// The maps have no order; the record is to have one.
	slices.SortFunc(d.ops[written:], func(a, b store.Op) int {
		return cmp.Or(cmp.Compare(a.Key.App, b.Key.App), cmp.Compare(a.Key.Collection, b.Key.Collection))
	})
	rec := &store.Record{Seq: d.seq, Prev: d.prev, Time: d.now, Ops: d.ops, Small: d.small}
	if len(d.audit) > 0 {
		rec.Audit, _ = json.Marshal(d.audit) // strings only: cannot fail
	}
	return d.e.driver.Append(context.Background(), d.seq-1, rec)
}

// publish makes the draft the state that readers see.
func (d *draft) publish() {
	if len(d.ops) > 0 {
		if seq, hash := d.e.driver.Head(); seq == d.seq {
			d.e.head = position{seq, hash}
		} else {
			d.e.head = position{seq: d.seq} // somebody else has written since: the next record is a conflict
		}
	}
	if d.system != nil {
		d.e.system.Store(d.system)
	}
	d.ripen()
	for a, s := range d.apps {
		if err := remember(s.ownHistories(), a.number, d.seq, d.now, d.ops); err != nil {
			panic(fmt.Sprintf("a change of our own making cannot be remembered: %v", err))
		}
		s.freeze()
		a.view.Store(s)
	}
	if d.made != nil { // last: an app that can be found has a view
		d.e.apps.Store(d.made)
	}
	d.letGo(false)
}

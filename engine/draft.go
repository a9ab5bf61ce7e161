package engine

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"postern/engine/store"
)

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

	loading bool // the rows are those of the store, each once

	before  int      // of a trial: how many rows of the record come before its own
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
	lines := d.auditOf(in, ops)
	for i := range lines {
		size += lines[i].size()
	}
	if len(d.ops)+len(d.audit) > 0 && (len(d.ops)+len(ops) > groupOps || d.bytes+size > groupBytes) {
		return false
	}
	if err := d.apply(ops); err != nil {
		panic(fmt.Sprintf("a row of our own making cannot be applied: %v", err))
	}
	d.bytes += size
	if _, ok := in.(frugal); !ok && len(ops)+len(lines) > 0 {
		d.small = false
	}
	d.audit = append(d.audit, lines...)
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
	t := &draft{e: d.e, seq: d.seq, prev: d.prev, now: d.now, before: d.before + len(d.ops), apps: map[*app]*appState{a: d.state(a).clone()}, made: d.made}
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
	return d.apply(ops)
}

// bring brings rows that are no intent of their own into the trial.
func (d *draft) bring(ops []store.Op) error { return d.apply(ops) }

// apply brings the rows of one intent into the draft and its record.
func (d *draft) apply(ops []store.Op) error {
	for i := range ops {
		index := uint32(len(d.ops))
		d.ops = append(d.ops, ops[i])
		if err := d.applyRow(ops[i].Key, ops[i].Value, d.seq, index); err != nil {
			return err
		}
	}
	return nil
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
	return d.change(a).apply(key, value, seq, index)
}

// change returns the app as the draft has it, for changing.
func (d *draft) change(a *app) *appState {
	s, ok := d.apps[a]
	if !ok {
		s = a.view.Load().clone()
		d.apps[a] = s
	}
	return s
}

// append closes the draft with the counts and digests of the collections it
// changed and writes it as one record.
func (d *draft) append() error {
	d.settle()
	if len(d.ops)+len(d.audit) == 0 {
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
		var err error
		if rec.Audit, err = d.chain(); err != nil {
			return err
		}
		rec.Ops = d.ops
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
		d.e.metrics.touched.Add(s.touched())
		stale := s.freeze(d.e.config.RebuildAfter)
		a.view.Store(s)
		if stale {
			d.e.indexer.nudge()
		}
	}
	if d.made != nil { // last: an app that can be found has a view
		d.e.apps.Store(d.made)
	}
	d.letGo(false)
}

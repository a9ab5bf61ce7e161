package engine

import (
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern/engine/store"
)

// What is refused and what is done with the master secret changes nothing, and there
// may be thousands of it in a second. It is counted (metrics), and now and then one of
// a kind and an app becomes a record of the audit, which says how many there have been
// since the last. The first is told at once; while they go on, the pause doubles, from
// one second to about four minutes: a flood of any length costs few records.
//
// Nothing of this waits: a request adds one to a counter, and if a record is due it
// leaves a line in a queue; if that is full the line is lost and the count is not.

// A sampled is a kind of what is sampled.
type sampled uint8

const (
	sampleDenied sampled = iota // who asked may not
	sampleLogin                 // a password that was not right
	sampleSecret                // an app key with a secret that is none of the app's
	sampleMaster                // the master secret was used
	sampledKinds
)

var sampledNames = [sampledKinds]struct{ metric, kind, more string }{
	{"denied", kindDenied, "more refused requests"},
	{"login", kindLogin, "more failed logins"},
	{"secret", kindDenied, "more requests with a wrong app secret"},
	{"master", kindMaster, "more requests with the master secret"},
}

const (
	samplePause   = time.Second
	sampleDoubles = 8
	sampleQueue   = 64
	headPause     = time.Minute // between two lines of the log
)

// A sampler is one kind in one app.
type sampler struct {
	seen   atomic.Int64 // since the last record
	due    atomic.Int64 // Unix ms when the next record may be made
	pauses atomic.Int32 // how often the pause has doubled
}

// samplers are those of an app, or of the system.
type samplers [sampledKinds]sampler

// turn tells whether a record is due, to one of those who ask at a time.
func (s *sampler) turn(now int64) bool {
	due := s.due.Load()
	if now < due {
		return false
	}
	// Quiet for as long as the last pause: what comes now is the first again.
	pauses, last := s.pauses.Load(), samplePause.Milliseconds()<<s.pauses.Load()
	if pauses = min(pauses+1, sampleDoubles); now >= due+last {
		pauses = 0
	}
	if !s.due.CompareAndSwap(due, now+samplePause.Milliseconds()<<pauses) {
		return false
	}
	s.pauses.Store(pauses)
	return true
}

// sample counts something that a request has done or was refused. line is asked for
// what the audit says of it, when it does.
func (e *Engine) sample(kind sampled, r *Request, line func(*Request) auditLine) {
	e.metrics.sampled[kind].Inc()
	if e.config.NoSamples {
		return
	}
	all := &e.samples
	if r.app != nil {
		all = &r.app.samples
	}
	s := &all[kind]
	s.seen.Add(1)
	if !s.turn(e.now()) {
		return
	}
	in := &sampledLine{of: s, line: line(r)}
	if in.line.actor, in.line.Kind = r.actor(), sampledNames[kind].kind; r.app != nil {
		in.line.App = r.app.key
	}
	select {
	case e.auditor.queue <- in:
	default:
		e.metrics.auditDropped.Inc()
	}
}

// askedFor is the line of what a request asks for.
func (r *Request) askedFor() auditLine {
	l := auditLine{Act: r.route.method + " " + r.route.path}
	for _, name := range [...]string{"user", "group"} {
		if strings.HasPrefix(r.route.path, "/"+name+"/") {
			l.Collection = name
		}
	}
	i := 0
	for _, name := range r.route.names {
		switch name {
		case "kid":
			continue
		case "collection", "name":
			l.Collection = r.params[i]
		case "id":
			l.Item = r.params[i]
		}
		i++
	}
	return l
}

// refused is the line of a request that was refused, for a reason of ours.
func (r *Request) refused(reason string) auditLine {
	l := r.askedFor()
	l.After = new(jsonObject).text("reason", reason).close()
	return l
}

// sampledLine is the intent that makes a record of a sample.
type sampledLine struct {
	of   *sampler
	line auditLine
}

func (*sampledLine) plan(*draft) ([]store.Op, error) { return nil, nil }

func (in *sampledLine) notes() []auditLine { return []auditLine{in.line} }

// The auditor is the one goroutine that writes samples, and that says in the log how
// far the audit has come: who keeps that line elsewhere can tell when it is cut short.
type auditor struct {
	e     *Engine
	queue chan *sampledLine
	quit  chan struct{}
	over  sync.WaitGroup

	said   AuditHead // the last line of the log
	saidAt int64     // Unix ms
}

func newAuditor(e *Engine) *auditor {
	return &auditor{e: e, queue: make(chan *sampledLine, sampleQueue), quit: make(chan struct{})}
}

func (u *auditor) start() { u.over.Go(u.run) }

// stop writes what is left.
func (u *auditor) stop() {
	close(u.quit)
	u.over.Wait()
}

func (u *auditor) run() {
	tick := time.NewTicker(samplePause)
	defer tick.Stop()
	for {
		select {
		case in := <-u.queue:
			u.write(in)
		case <-tick.C:
			u.round(false)
		case <-u.quit:
			u.drain()
			u.round(true)
			return
		}
	}
}

func (u *auditor) drain() {
	for {
		select {
		case in := <-u.queue:
			u.write(in)
		default:
			return
		}
	}
}

// write makes the record. What it counts goes back if that fails.
func (u *auditor) write(in *sampledLine) {
	n := in.of.seen.Swap(0)
	if n == 0 {
		return // a round was faster
	}
	in.line.Count = n
	if err := u.e.committer.submit(nil, in); err != nil {
		in.of.seen.Add(n)
		u.e.metrics.auditDropped.Inc()
	}
}

// round tells of what came after the last records, when the pause is over and nothing
// more has come, and of the head. last: there is no later round.
func (u *auditor) round(last bool) {
	now := u.e.now()
	u.tell("", &u.e.samples, now, last)
	for _, a := range u.e.apps.Load().byNumber {
		u.tell(a.key, &a.samples, now, last)
	}
	head := u.e.system.Load().audit
	if head != u.said && (last || now-u.saidAt >= headPause.Milliseconds()) {
		u.said, u.saidAt = head, now
		u.e.config.Logger.Info("audit head", "n", head.N, "hash", hex.EncodeToString(head.Hash[:]))
	}
}

func (u *auditor) tell(app string, all *samplers, now int64, last bool) {
	for kind := range all {
		s := &all[kind]
		if s.seen.Load() > 0 && (last || s.turn(now)) {
			names := &sampledNames[kind]
			u.write(&sampledLine{of: s, line: auditLine{actor: byServer, Kind: names.kind, Act: names.more, App: app}})
		}
	}
}

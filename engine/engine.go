package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"postern/auth"
	"postern/engine/query"
	"postern/engine/store"
)

// An Engine serves the apps of one store. It is safe for concurrent use.
type Engine struct {
	config    Config
	driver    store.Driver
	apps      atomic.Pointer[directory]
	system    atomic.Pointer[systemState]
	committer *committer
	derive    [32]byte // key of the secrets that are derived for operators' sessions

	head     position     // of the state; the committer's
	started  int64        // Unix ms
	lastTime atomic.Int64 // newest time given to a record, Unix ms
	broken   atomic.Bool
	gate     gate
	imports  chan struct{} // holds one for each request that imports
	breaking sync.Once
	auditing sync.Mutex // held by who verifies the audit

	randomMu sync.Mutex // guards config.Random

	hasher    *auth.Hasher
	verified  *auth.Cache
	throttle  *auth.Throttle
	quota     *auth.Quota
	pacer     *pacer
	metrics   *engineMetrics
	cleaner   *cleaner
	outbox    *outbox
	auditor   *auditor
	samples   samplers // of requests that are of no app
	indexer   *indexer
	mic       *micState
	log       *requestLog
	times     times
	uuids     uuids
	sorts     *parsed[query.Sort]
	snapshots *snapshots     // nil: there are none
	tasks     sync.WaitGroup // work that no request waits for
}

// A position is a record of the log.
type position struct {
	seq  store.Seq
	hash store.Hash
}

// Open rebuilds the state of every app from the driver's rows and starts the
// committer. On error the driver is left open.
func Open(config Config) (*Engine, error) {
	if config.Driver == nil {
		return nil, errors.New("an engine needs a store")
	}
	config.defaults()
	if err := config.checkMail(); err != nil {
		return nil, err
	}
	e := &Engine{config: config, driver: config.Driver, imports: make(chan struct{}, importSlots)}
	e.started = e.now()
	e.snapshots = newSnapshots(e)
	if err := e.reload(e.snapshots); err != nil {
		return nil, fmt.Errorf("loading the store: %w", err)
	}
	e.snapshots.sweep()                                   // what a crash has left, and what was not taken
	e.gate.exposed.Store(max(e.now(), e.lastTime.Load())) // whatever was given out before
	e.uuids.e, e.sorts = e, newParsed[query.Sort]()
	var key [32]byte
	e.readRandom(key[:])
	e.hasher = auth.NewHasher(config.Argon, config.HashSlots, config.HashQueue)
	e.verified = auth.NewCache(key, 10_000, 5*time.Minute)
	e.derive = sha256.Sum256(append([]byte("master secrets of operators' sessions"), key[:]...))
	e.throttle = auth.NewThrottle(config.Throttle)
	e.quota = auth.NewQuota(config.Quota)
	e.mic = newMicState(e)
	e.log = newRequestLog(e)
	e.pacer = newPacer(runtime.GOMAXPROCS(0))
	e.metrics = newMetrics(e)
	e.indexer = newIndexer(e) // before the first commit
	e.auditor = newAuditor(e)
	e.committer = newCommitter(e)
	e.indexer.start()
	e.indexer.nudge() // there may be no snapshot yet
	e.cleaner = startCleaner(e)
	e.outbox = startOutbox(e)
	e.auditor.start()
	return e, nil
}

// Close commits what is waiting, then closes the store. Requests must have
// ended before.
func (e *Engine) Close() error {
	e.indexer.stop()
	e.cleaner.stop()
	e.outbox.stop()
	e.tasks.Wait()
	e.auditor.stop()
	e.committer.stop()
	e.snapshots.stop()
	return errors.Join(e.mic.close(), e.driver.Close())
}

// reload derives the whole state from the rows of the store (I2), or from the
// snapshots of some of them.
func (e *Engine) reload(from *snapshots) error {
	view, err := e.driver.View()
	if err != nil {
		return err
	}
	defer view.Close()
	st, err := load(e.driver, view, from)
	if err != nil {
		return err
	}
	// Readers that hold an app keep it: only its view is replaced.
	if old := e.apps.Load(); old != nil {
		for number, a := range st.directory.byNumber {
			if known, ok := old.byNumber[number]; ok {
				known.view.Store(a.view.Load())
				st.directory.byNumber[number] = known
				st.directory.byKey[known.key] = known
			}
		}
	}
	for _, a := range st.directory.byNumber {
		if a.view.Load().remembers() {
			e.gate.on.Store(true)
		}
	}
	e.system.Store(st.system)
	e.apps.Store(st.directory)
	e.head = position{view.Seq(), view.Hash()}
	return e.resumeTime()
}

// resumeTime sees to it that records go on after the time of the last one.
// (The times in the entities do not tell: the master may import any.)
func (e *Engine) resumeTime() error {
	if e.head.seq == 0 {
		return nil
	}
	err := e.driver.Read(context.Background(), e.head.seq, func(rec *store.Record) error {
		e.lastTime.Store(max(e.lastTime.Load(), rec.Time))
		return nil
	})
	if errors.Is(err, store.ErrTrimmed) { // restored from a backup, which has no log
		return nil
	}
	return err
}

// loaded is everything that load derives.
type loaded struct {
	system    *systemState
	directory *directory
}

// load builds the state at the view's Seq from its rows, and what the
// collections remember of their changes from the log. Instead of the rows of
// large collections it takes their snapshots; nil: there are none.
func load(log store.Log, view store.View, from *snapshots) (*loaded, error) {
	d := &draft{
		loading: true,
		seq:     view.Seq(),
		apps:    map[*app]*appState{},
		system:  newSystemState(),
		made:    &directory{byKey: map[string]*app{}, byNumber: map[uint32]*app{}},
	}
	restore := newRestore(from, d, view)
	defer restore.wait()
	take := func(r store.Row) error {
		// The row is borrowed and the state keeps it.
		value := append(make([]byte, 0, len(r.Value)), r.Value...)
		if err := d.applyRow(r.Key, value, r.Seq, r.Index); err != nil {
			return fmt.Errorf("%v: %w", r.Key, err)
		}
		return nil
	}
	err := view.Scan(store.AllRows(), func(r store.Row) error {
		if r.Key.App == 0 && r.Key.Table == tableAudit {
			return store.ErrSkipCollection // their number is to cost a start nothing
		}
		if restore.skips(r) {
			return store.ErrSkipCollection
		}
		return take(r)
	})
	if err == nil {
		err = restore.finish(log, take)
	}
	if err != nil {
		return nil, err
	}
	if err := auditTail(view, d.system.audit); err != nil {
		return nil, err
	}
	l := &loaded{system: d.system, directory: d.made}
	for a, s := range d.apps {
		if err := s.countsHold(); err != nil {
			return nil, err
		}
		s.freeze(0)
		a.view.Store(s)
	}
	if err := l.rememberAll(log, view.Seq()); err != nil {
		return nil, err
	}
	return l, nil
}

// countsHold compares what was loaded with the counts and digests that were
// committed with it: rows that went missing are noticed here.
func (s *appState) countsHold() error {
	var err error
	s.collections.Scan(func(name string, c *collection) bool {
		if c.check.Count != c.counted.Count || c.check.Digest != c.counted.Digest {
			err = fmt.Errorf("app %s, collection %s: %d entities were committed and %d are there, or their grants differ (I2)",
				s.config.Key, name, c.counted.Count, c.check.Count)
		}
		return err == nil
	})
	return err
}

// background does work that no request waits for. Close waits for it.
func (e *Engine) background(work func()) { e.tasks.Go(work) }

// failed is called when the store has failed: nothing is written any more.
func (e *Engine) failed(err error) {
	e.breaking.Do(func() {
		e.broken.Store(true)
		e.config.Logger.Error("the store has failed, no more writes", "error", err)
		if e.config.OnFailure != nil {
			go e.config.OnFailure(err)
		}
	})
}

// now is the wall clock, Unix ms.
func (e *Engine) now() int64 { return e.config.Clock().UnixMilli() }

// tick returns the time of the next record: the wall clock, never backwards.
// Only the committer calls it.
func (e *Engine) tick() int64 {
	t := max(e.now(), e.lastTime.Load())
	e.lastTime.Store(t)
	return t
}

func unixTime(ms int64) time.Time { return time.UnixMilli(ms) }

// random is the engine's source of randomness as an io.Reader.
type random struct{ e *Engine }

func (r random) Read(p []byte) (int, error) {
	r.e.randomMu.Lock()
	defer r.e.randomMu.Unlock()
	return io.ReadFull(r.e.config.Random, p)
}

// Random is the engine's source of randomness, for secrets made outside of it.
func (e *Engine) Random() io.Reader { return random{e} }

func (e *Engine) readRandom(p []byte) {
	if _, err := e.Random().Read(p); err != nil {
		panic(fmt.Sprintf("no randomness: %v", err)) // crypto/rand does not fail
	}
}

// newID makes an entity id in Kinvey's form, 24 lower-case hex digits: four
// bytes of time, so that ids sort roughly by age, and eight random ones, so
// that they cannot be guessed.
func (e *Engine) newID() string {
	var b [12]byte
	t := uint32(e.now() / 1000)
	b[0], b[1], b[2], b[3] = byte(t>>24), byte(t>>16), byte(t>>8), byte(t)
	e.readRandom(b[4:])
	var text [2 * len(b)]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// newUUID makes a random UUID, for generated names.
func (e *Engine) newUUID() string {
	var b [16]byte
	e.readRandom(b[:])
	return string(appendUUID(nil, b))
}

// appByKey finds an app.
func (e *Engine) appByKey(key string) (*app, bool) {
	a, ok := e.apps.Load().byKey[key]
	return a, ok && a.view.Load().config.Deleted == 0
}

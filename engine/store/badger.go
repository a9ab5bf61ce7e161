package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Badger is the Driver of a real server: one directory, one shard, every
// Append one synced frame of the journal and one Badger transaction.
type Badger struct {
	core
	dir  string
	rows *badgerMap
	lock *dirLock
	mark *highWater
	room *spaceGuard
	log  *slog.Logger
}

// OpenBadger opens the store in dir and makes it if there is none. It returns
// ErrLocked when dir is in use, *ErrLost when acknowledged Records are missing
// from it, *CorruptError when it is damaged. A directory that is refused has
// lost nothing: what Badger's repair takes away is in its directory aside.
func OpenBadger(dir string, o Options) (*Badger, error) {
	b, err := openBadger(dir, o.withDefaults(), nil)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", dir, err)
	}
	return b, nil
}

// openBadger makes a new store with the identity born, if it is not nil.
func openBadger(dir string, o Options, born *identity) (_ *Badger, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := &Badger{dir: dir, log: o.Logger}
	if b.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	if err = checkFileSystem(dir, o); err != nil {
		return nil, err
	}
	b.room = newSpaceGuard(dir, o)
	b.room.releaseBallast()
	journal, err := readJournal(dir)
	if err != nil {
		return nil, err
	}
	id, mark, err := prepareDir(dir, o, born, journal)
	if err != nil {
		return nil, err
	}
	b.mark = mark
	if err = protect("open", func() (err error) {
		b.rows, err = openRows(dir, o)
		return err
	}); err != nil {
		return nil, &CorruptError{Why: err.Error()}
	}
	if err = b.rows.recover(journal, o); err != nil {
		return nil, err
	}
	b.init(b.rows, id)
	b.maxViewAge = o.MaxViewAge
	b.admit = b.room.admit
	if err = b.load(math.MaxUint64); err != nil {
		return nil, err
	}
	if newest := Seq(b.rows.db.MaxVersion()); newest > b.head {
		return nil, &CorruptError{Why: fmt.Sprintf("there are rows of record %d, but record %d is the last", newest, b.head)}
	}
	if born == nil {
		err = b.checkMark(o)
	}
	if err != nil {
		return nil, err
	}
	if err = b.rows.start(journal); err != nil {
		return nil, err
	}
	b.committed = mark.advance
	b.back.forget(b.head)
	b.room.makeBallast()
	mark.start()
	return b, nil
}

// checkMark refuses a store that is behind its high-water mark.
func (b *Badger) checkMark(o Options) error {
	lost := b.lost()
	if lost == nil {
		return nil
	}
	if !o.AcceptLoss {
		return lost
	}
	b.log.Warn("loss of acknowledged records accepted", "missing", lost.Missing, "head", lost.Have, "why", lost.Why)
	return b.mark.reset(b.head, b.hash)
}

// lost compares the head with the high-water mark.
func (b *Badger) lost() *ErrLost {
	seq, hash, known := b.mark.read()
	head, _ := b.Head()
	switch {
	case !known:
		return &ErrLost{Have: head, Why: "the high-water file is missing or unreadable"}
	case seq > head:
		return &ErrLost{Missing: seq - head, Have: head, Why: fmt.Sprintf("the high-water file has seen record %d", seq)}
	}
	if here, kept := b.hashAt(seq); kept && here != hash {
		return &ErrLost{Have: head, Why: fmt.Sprintf("record %d is not the one that the high-water file has seen", seq)}
	}
	return nil
}

// hashAt returns the hash of a Record that is still kept.
func (b *Badger) hashAt(q Seq) (hash Hash, kept bool) {
	b.mu.Lock()
	head, base := b.head, b.base
	b.mu.Unlock()
	if q == base.seq {
		return base.hash, true
	}
	s := b.back.snapshot(head)
	defer s.discard()
	key := headerKey(theOnlyShard, q)
	sealed, err := s.get(key)
	if err != nil {
		return Hash{}, false
	}
	h, err := openHeader(key, q, sealed)
	return h.hash, err == nil
}

// Verify does what core does, and then compares the high-water file and lets
// Badger verify its own checksums.
func (b *Badger) Verify(ctx context.Context, report func(problem string)) error {
	if err := b.core.Verify(ctx, report); err != nil {
		return err
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()
	if lost := b.lost(); lost != nil {
		report(lost.Error())
	}
	if err := protect("verify", b.rows.db.VerifyChecksum); err != nil {
		report(err.Error())
	}
	return nil
}

// Free implements Driver.
func (b *Badger) Free() (Space, error) { return b.room.measure() }

// Dir returns the directory of the store.
func (b *Badger) Dir() string { return b.dir }

// Close waits for the calls in progress, closes the database and then notes
// the head in the high-water file.
func (b *Badger) Close() error {
	if !b.shut() {
		return nil
	}
	return b.release()
}

// release undoes what openBadger has done so far.
func (b *Badger) release() error {
	var errs []error
	if b.rows != nil {
		errs = append(errs, b.rows.close())
	}
	if b.mark != nil {
		errs = append(errs, b.mark.close())
	}
	if b.lock != nil {
		errs = append(errs, b.lock.release())
	}
	return errors.Join(errs...)
}

// Blocks are not compressed: they are then read in place, from the mapped
// file, without a cache of decompressed copies.
func badgerOptions(dir string, o Options) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(false). // the journal is synced instead
		WithDetectConflicts(false).
		WithMemTableSize(o.MemTableSize).WithNumMemtables(3).WithNumCompactors(2).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(16 << 20).
		WithNumVersionsToKeep(1).
		WithBlockCacheSize(0).WithIndexCacheSize(16 << 20).
		WithCompression(options.None).
		WithChecksumVerificationMode(options.OnTableRead).
		WithMetricsEnabled(false).
		WithLogger(badgerLog{o.Logger})
}

// badgerMap is the backend of Badger. Versions are Seqs. A commit is durable,
// and done, when it is in the journal; the database gets it behind that, in
// order, and who reads waits for what was committed before.
type badgerMap struct {
	dir     string
	db      *badger.DB
	journal *journal // nil until start
	feed    chan commitment
	fed     sync.WaitGroup

	mu    sync.Mutex // guards below
	moved sync.Cond  // taken or err has changed
	given uint64     // commits that are in the journal
	taken uint64     // of them in the database
	err   error      // the first of the database
}

// A commitment is a commit on its way into the database.
type commitment struct {
	at  Seq
	txn *badger.Txn
}

// feedAhead is how many commits the database may be behind the journal.
const feedAhead = 64

func openRows(dir string, o Options) (*badgerMap, error) {
	db, err := badger.OpenManaged(badgerOptions(dir, o))
	if err != nil {
		return nil, err
	}
	m := &badgerMap{dir: dir, db: db, feed: make(chan commitment, feedAhead)}
	m.moved.L = &m.mu
	return m, nil
}

// start makes durable what recover has brought into the database, and begins
// a new journal.
func (m *badgerMap) start(s *journalState) error {
	if err := m.checkpoint(); err != nil {
		return err
	}
	journal, err := openJournal(m.dir, s)
	if err != nil {
		return err
	}
	m.journal = journal
	m.fed.Go(func() {
		for c := range m.feed {
			m.take(c)
		}
	})
	return nil
}

// take brings one commit into the database, unless an earlier one has failed.
func (m *badgerMap) take(c commitment) {
	m.mu.Lock()
	err := m.err
	m.mu.Unlock()
	if err == nil {
		err = protect("commit", func() error { return c.txn.CommitAt(uint64(c.at), nil) })
	}
	c.txn.Discard()
	m.mu.Lock()
	m.taken++
	m.err = err
	m.moved.Broadcast()
	m.mu.Unlock()
}

// settle waits until the first n commits are in the database.
func (m *badgerMap) settle(n uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.taken < n && m.err == nil {
		m.moved.Wait()
	}
	return m.err
}

// committed returns how many commits there were.
func (m *badgerMap) committed() (n uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.given, m.err
}

// transaction prepares writes, and refuses what the database would not take.
func (m *badgerMap) transaction(at Seq, writes []write) (*badger.Txn, error) {
	txn := m.db.NewTransactionAt(uint64(at), true)
	for _, w := range writes {
		var err error
		if w.sealed == nil {
			err = txn.Delete(w.key)
		} else {
			err = txn.Set(w.key, w.sealed)
		}
		if err != nil {
			txn.Discard()
			return nil, fmt.Errorf("%w: %w", ErrTooBig, err)
		}
	}
	return txn, nil
}

func (m *badgerMap) commit(at Seq, writes []write) error {
	n, err := m.committed()
	if err != nil {
		return err
	}
	txn, err := m.transaction(at, writes)
	if err != nil {
		return err
	}
	if !m.journal.fits(writes) {
		if err := m.turn(n); err != nil {
			return err
		}
	}
	if err := m.journal.append(at, writes); err != nil {
		return err
	}
	m.mu.Lock()
	m.given++
	m.mu.Unlock()
	m.feed <- commitment{at, txn}
	return nil
}

// turn goes on to the other segment of the journal after n commits.
func (m *badgerMap) turn(n uint64) error {
	if err := m.settle(n); err != nil {
		return err
	}
	logs, err := m.logs()
	if err != nil {
		return err
	}
	return m.journal.turn(logs)
}

func (m *badgerMap) snapshot(at Seq) snapshot {
	n, _ := m.committed()
	return &badgerSnapshot{m, n, m.db.NewTransactionAt(uint64(at), false)}
}

func (m *badgerMap) forget(before Seq) { m.db.SetDiscardTs(uint64(before)) }

// close brings what is in the journal into the database and closes both. What
// the database then has on disk needs no journal any more.
func (m *badgerMap) close() error {
	close(m.feed)
	m.fed.Wait()
	_, err := m.committed()
	err = errors.Join(err, protect("close", m.db.Close))
	if m.journal == nil {
		return err
	}
	if err == nil {
		err = m.journal.giveUp()
	}
	return errors.Join(err, m.journal.close())
}

type badgerSnapshot struct {
	m     *badgerMap
	after uint64 // commits that must be in the database before it can be read
	txn   *badger.Txn
}

func (s *badgerSnapshot) get(key []byte) ([]byte, error) {
	if err := s.m.settle(s.after); err != nil {
		return nil, err
	}
	item, err := s.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

func (s *badgerSnapshot) scan(prefix, from []byte, fn func(key, sealed []byte) error) error {
	if err := s.m.settle(s.after); err != nil {
		return err
	}
	if from == nil {
		from = prefix
	}
	o := badger.DefaultIteratorOptions
	o.Prefix = prefix
	// Values lie beside their keys; there is nothing to fetch ahead.
	o.PrefetchValues = false
	it := s.txn.NewIterator(o)
	defer it.Close()
	for it.Seek(from); it.ValidForPrefix(prefix); it.Next() {
		item := it.Item()
		err := item.Value(func(sealed []byte) error { return fn(item.Key(), sealed) })
		if err != nil {
			return err
		}
	}
	return nil
}

// discard has nothing to do: a reading transaction of a managed database holds
// nothing, and another goroutine may still be reading.
func (s *badgerSnapshot) discard() {}

// badgerLog passes on what Badger says, quietly: its Info is our Debug.
type badgerLog struct{ log *slog.Logger }

func line(format string, args []any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...))
}

func (l badgerLog) Errorf(f string, args ...any)   { l.log.Error("badger", "says", line(f, args)) }
func (l badgerLog) Warningf(f string, args ...any) { l.log.Warn("badger", "says", line(f, args)) }
func (l badgerLog) Infof(f string, args ...any)    { l.log.Debug("badger", "says", line(f, args)) }
func (l badgerLog) Debugf(string, ...any)          {}

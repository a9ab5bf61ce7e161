package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Badger is the Driver of a real server: one directory, one shard, every
// Append one synced Badger transaction.
type Badger struct {
	core
	dir  string
	db   *badger.DB
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
	id, mark, err := prepareDir(dir, o, born)
	if err != nil {
		return nil, err
	}
	b.mark = mark
	if err = protect("open", func() (err error) {
		b.db, err = badger.OpenManaged(badgerOptions(dir, o))
		return err
	}); err != nil {
		return nil, &CorruptError{Why: err.Error()}
	}
	b.init(&badgerMap{db: b.db}, id)
	b.maxViewAge = o.MaxViewAge
	b.admit = b.room.admit
	if err = b.load(math.MaxUint64); err != nil {
		return nil, err
	}
	if newest := Seq(b.db.MaxVersion()); newest > b.head {
		return nil, &CorruptError{Why: fmt.Sprintf("there are rows of record %d, but record %d is the last", newest, b.head)}
	}
	if born == nil {
		err = b.checkMark(o)
	}
	if err != nil {
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
	if err := protect("verify", b.db.VerifyChecksum); err != nil {
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
	if b.db != nil {
		errs = append(errs, protect("close", b.db.Close))
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
		WithSyncWrites(true).
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

// badgerMap is the backend of Badger. Versions are Seqs.
type badgerMap struct{ db *badger.DB }

func (m *badgerMap) commit(at Seq, writes []write) error {
	txn := m.db.NewTransactionAt(uint64(at), true)
	defer txn.Discard()
	for _, w := range writes {
		var err error
		if w.sealed == nil {
			err = txn.Delete(w.key)
		} else {
			err = txn.Set(w.key, w.sealed)
		}
		if err != nil {
			// Nothing has left the process yet.
			return fmt.Errorf("%w: %w", ErrTooBig, err)
		}
	}
	return txn.CommitAt(uint64(at), nil)
}

func (m *badgerMap) snapshot(at Seq) snapshot {
	return &badgerSnapshot{m.db.NewTransactionAt(uint64(at), false)}
}

func (m *badgerMap) forget(before Seq) { m.db.SetDiscardTs(uint64(before)) }
func (m *badgerMap) close() error      { return m.db.Close() }

type badgerSnapshot struct{ txn *badger.Txn }

func (s *badgerSnapshot) get(key []byte) ([]byte, error) {
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

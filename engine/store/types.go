package store

import (
	"context"
	"time"
)

// A Shard names one ordered history. The local drivers have exactly one, number 0.
type Shard uint16

// A Seq is the number of a Record in its shard's history: 1, 2, 3, ... without
// gaps. 0 is the state before the first Record.
type Seq uint64

// A Hash is a SHA-256.
type Hash [32]byte

// A Table tells kinds of rows apart. The engine chooses the numbers (0 to
// MaxTable); the store treats all rows alike.
type Table uint8

// Bounds. What is beyond them is refused with ErrTooBig or ErrInvalid before
// anything is written.
const (
	MaxTable       = 127
	MaxApp         = 1<<32 - 2 // the last number is taken by the store's own rows
	MaxIDBytes     = 1024
	MaxValueBytes  = 960 << 10 // of Op.Value, Op.Before and Record.Audit, each
	MaxRecordBytes = 1 << 20   // of Record.Size, unless one op alone is larger
	MaxBesideBytes = 128 << 10 // what may stand beside such an op in its Record
)

// A Key is the name of a row. Rows sort by App, Table, Collection, ID (bytewise).
type Key struct {
	App        uint32
	Table      Table
	Collection uint32
	ID         string
}

// An Op is the effect of one act on one row: what the row is afterwards.
type Op struct {
	Key   Key
	Value []byte // the row afterwards; nil deletes it, empty does not
	// Before is opaque to the store and kept in the change row: what the
	// reader of the history must know of the row before (its ACL).
	Before []byte
	// Quiet leaves the op out of the history that Read tells: counters,
	// last-seen times. It is as durable as the others.
	Quiet bool

	// The following are set by Read and ignored by Append.

	Index      uint32 // the op's place in its Record, as it was appended
	Superseded bool   // a later op changed the row: Value is the row now (nil: gone), not then
}

// A Record is one group of ops that become durable and visible together.
// Its bytes belong to the caller; Append and Apply copy what they keep.
type Record struct {
	Shard Shard
	Seq   Seq
	Prev  Hash  // the Hash of the Record before, zero for the first
	Time  int64 // Unix milliseconds
	Ops   []Op
	Audit []byte // opaque, kept in the header

	// Small says that the Record frees space or ends something (a logout, a
	// deletion): it passes while there is little space left, until the lower
	// reserve is reached. It is no part of the Hash.
	Small bool

	// opsHash stands for the ops of a Record that Read returned: they are
	// joined with what the rows are now, so their hash cannot be had from them.
	opsHash    Hash
	opsCount   uint32
	hasOpsHash bool
}

// A Row is what the store holds under a Key, and since when.
type Row struct {
	Key   Key
	Value []byte
	Seq   Seq    // of the Record that wrote it
	Index uint32 // of the op in that Record
}

// A Digest describes a set of rows independently of their order: how many, and
// the XOR of the SHA-256 of each (key, Seq, index, value).
type Digest struct {
	Rows uint64
	Sum  Hash
}

// A Log is the ordered history of one shard. Append and Trim are called by one
// goroutine at a time; the other methods by any.
type Log interface {
	// Append makes rec durable as the successor of expect. It returns
	// ErrConflict when expect (or rec.Prev) is not the head: nothing was
	// written; ErrTooBig, ErrInvalid and ErrNoSpace: nothing was written and
	// the head is as before; ErrUnknown: rec may or may not have been
	// written and the driver has failed, every later call returns ErrFailed.
	// ctx is looked at before writing begins, never after.
	Append(ctx context.Context, expect Seq, rec *Record) error
	// Read calls fn with every Record from from (at least 1) to the head, in
	// order. The Records are fn's to keep. Quiet ops are left out. Rows that
	// changed later come with their present value and Superseded. It returns
	// ErrTrimmed when from is no longer there, and fn's error as it is. fn
	// must not call Read or Trim.
	Read(ctx context.Context, from Seq, fn func(*Record) error) error
	// Headers calls fn with every Record that is kept, in order, without its ops:
	// what is known of it without looking at a row. Otherwise it is as Read.
	Headers(ctx context.Context, fn func(*Record) error) error
	// Head returns the last Record's Seq and Hash, zero when there is none.
	Head() (Seq, Hash)
	// Trim forgets the Records before before. Rows stay. The head is never
	// forgotten: before beyond it counts as the head.
	Trim(ctx context.Context, before Seq) error
}

// A Store is the state that a history leads to.
type Store interface {
	// Applied returns the Seq of the last Record whose effects views show.
	Applied() Seq
	// Apply takes the next Record of a history that is kept elsewhere.
	// One that was applied before is ignored, one after a gap, or whose Prev
	// is not the head's Hash, is ErrConflict. For a driver that is its own
	// Log, Apply is Append.
	Apply(ctx context.Context, rec *Record) error
	// View returns the state as of Applied. It must be closed.
	View() (View, error)
	// Digest describes the rows of one collection, all tables together, as of Applied.
	Digest(app, collection uint32) (Digest, error)
}

// A View is the state at one Seq. It may be used by many goroutines at once,
// until Close. A view that is held too long (Options.MaxViewAge) returns
// ErrStale.
type View interface {
	Seq() Seq
	Hash() Hash      // of the Record at Seq
	StoreID() string // of the store it was taken from
	// Get returns the row, with a Value that is the caller's to keep;
	// ErrNotFound when there is none, *CorruptError when it is damaged.
	Get(Key) (Row, error)
	// Scan calls fn with the rows of prefix in the order of their keys.
	// Row.Value is borrowed: it is valid until fn returns. Scan stops at fn's
	// first error and returns it as it is; at a damaged row it stops with
	// *CorruptError. When the error is ErrSkipCollection, Scan goes on behind the
	// rows that have the Table and Collection of the last one.
	Scan(prefix Prefix, fn func(Row) error) error
	Close()
}

// A Driver is a Log and a Store in one object.
type Driver interface {
	Log
	Store
	// Free says how much space there is and what that means for writes.
	Free() (Space, error)
	Close() error
}

// A Space is what the guard over free disk space sees.
type Space struct {
	Free, Total uint64 // bytes; zero when the driver has no disk
	State       SpaceState
}

// A SpaceState orders what may be written. The zero value is Plenty.
type SpaceState uint8

const (
	Plenty SpaceState = iota // everything is taken
	Low                      // everything is taken, somebody should be told
	Full                     // only Small Records are taken
	Spent                    // nothing is taken
)

func (s SpaceState) String() string {
	switch s {
	case Plenty:
		return "plenty"
	case Low:
		return "low"
	case Full:
		return "full"
	}
	return "spent"
}

// DefaultMaxViewAge is how long a View may be held when Options say nothing.
const DefaultMaxViewAge = 10 * time.Minute

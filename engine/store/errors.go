package store

import (
	"errors"
	"fmt"
)

var (
	// ErrConflict says that the head is not what the caller expected. Nothing was written.
	ErrConflict = errors.New("the head of the log has moved")
	// ErrUnknown says that a Record may or may not have become durable. The
	// driver has failed; only reopening it can tell.
	ErrUnknown = errors.New("outcome of the write is unknown")
	// ErrFailed is returned by every call after ErrUnknown.
	ErrFailed = errors.New("the store has failed and must be reopened")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("the store is closed")
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("no such row")
	// ErrNoSpace says that a Record was refused before the disk was touched.
	ErrNoSpace = errors.New("too little free space")
	// ErrTooBig says that a Record is beyond the bounds. Nothing was written.
	ErrTooBig = errors.New("record too big")
	// ErrInvalid says that a Record or Key is malformed: the caller's mistake. Nothing was written.
	ErrInvalid = errors.New("invalid record")
	// ErrTrimmed says that the Records asked for were forgotten by Trim or never came with an import.
	ErrTrimmed = errors.New("that part of the log was trimmed")
	// ErrStale says that a View was held longer than Options.MaxViewAge.
	ErrStale = errors.New("view held too long")
	// ErrLocked says that another process, or this one, has the directory open.
	ErrLocked = errors.New("the data directory is in use")
	// ErrDamagedExport says that what Import read is not a whole, undamaged export.
	ErrDamagedExport = errors.New("damaged or incomplete export")
	// ErrNewer says that the directory or export was written by a later version.
	ErrNewer = errors.New("written by a later version")

	// ErrSkipCollection is no failure: the function of a Scan returns it to leave
	// out the rest of the rows of one table and collection.
	ErrSkipCollection = errors.New("skip this collection")
)

// A CorruptError says that what is stored is not what was written.
type CorruptError struct {
	Key Key    // the row, zero when the damage is not in a row
	Row string // the stored key in words
	Why string
}

func (e *CorruptError) Error() string {
	if e.Row == "" {
		return "store damaged: " + e.Why
	}
	return fmt.Sprintf("store damaged at %s: %s", e.Row, e.Why)
}

// An ErrLost says that acknowledged Records are gone: the high-water file
// beside the database has seen more than the database has. Options.AcceptLoss
// opens such a directory all the same.
type ErrLost struct {
	Missing Seq    // how many Records are known to be missing, 0 when that cannot be told
	Have    Seq    // the head that was found
	Why     string // what was found
}

func (e *ErrLost) Error() string {
	if e.Missing > 0 {
		return fmt.Sprintf("%d acknowledged records are missing after record %d: %s", e.Missing, e.Have, e.Why)
	}
	return fmt.Sprintf("acknowledged records may be missing after record %d: %s", e.Have, e.Why)
}

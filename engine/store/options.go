package store

import (
	"log/slog"
	"time"
)

// Options are what an operator may choose. The zero value is right for a server.
type Options struct {
	// AcceptLoss opens a directory although acknowledged Records are missing
	// from it, and takes what is there as the truth from now on.
	AcceptLoss bool
	// Logger hears of what the store and the database do; nil: nobody.
	Logger *slog.Logger
	// MemTableSize in bytes; at least, and when 0, 16 MiB.
	MemTableSize int64
	// MaxViewAge is how long a View may be held; 0: DefaultMaxViewAge, negative: for ever.
	MaxViewAge time.Duration
	// FreeSpace measures the file system of dir; nil: the real one.
	FreeSpace func(dir string) (free, total uint64, err error)
	// SoftReserve, HardReserve, LastReserve are bytes of free space below
	// which the state is Low, Full and Spent. 0: max(1 GiB, 10%),
	// max(256 MiB, 8 memtables), max(128 MiB, 6 memtables).
	SoftReserve, HardReserve, LastReserve uint64
	// NoBallast leaves out the 64 MiB file that is released when the disk is
	// full at opening. For tests.
	NoBallast bool
	// AllowNetworkFS opens directories on NFS and SMB, whose locks and syncs
	// cannot be relied on.
	AllowNetworkFS bool
}

const minMemTableBytes = 16 << 20

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.MemTableSize = max(o.MemTableSize, minMemTableBytes)
	if o.MaxViewAge == 0 {
		o.MaxViewAge = DefaultMaxViewAge
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	if o.HardReserve == 0 {
		o.HardReserve = max(256<<20, 8*uint64(o.MemTableSize))
	}
	if o.LastReserve == 0 {
		o.LastReserve = min(o.HardReserve, max(128<<20, 6*uint64(o.MemTableSize)))
	}
	return o
}

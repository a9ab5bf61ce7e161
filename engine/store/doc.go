// Package store keeps the history of a shard and the state that it leads to.
// It is the only package that imports Badger.
//
// A Record is a group of ops, each the effect of one act on one row. Append
// makes a Record durable and visible, whole or not at all, if the caller knows
// the head that it follows. There are two drivers that keep the same bytes:
// Badger, one directory, and Memory. Fault wraps either and fails on purpose.
//
// # Keys
//
// Integers are big-endian, so keys sort by shard, app, table, collection, id,
// and what belongs to an app is one range. The app number ffffffff is the
// store's own.
//
//	row      shard(2) app(4) table(1) collection(4) id
//	         0000 00000001 05 00000003 "5f1e..."      app 1, table 5, collection 3
//	base     shard(2) ffffffff 'b'
//	         0000 ffffffff 62                         where the kept history begins
//	change   shard(2) ffffffff 'c' seq(8) index(4)
//	         0000 ffffffff 63 0000000000000009 00000002   ops of Record 9, from the third on
//	header   shard(2) ffffffff 'h' seq(8)
//	         0000 ffffffff 68 0000000000000009        Record 9 itself
//
// # Values
//
// Every value is in an envelope: version 1 (1), Seq (8), index in the Record
// (4), CRC32C (4) of key, version, Seq, index and value, then the value:
//
//	row      what the engine put there
//	base     Seq (8) and Hash (32) of the last Record that is not kept
//	change   for each op: its index (4), length of what follows (4), flags (1:
//	         bit 0 deleted, bit 1 quiet), length of key (2), key of the row
//	         without shard, Op.Before; a new row begins after 256 KiB
//	header   Prev (32), Hash (32), SHA-256 of the ops (32), time (8), number of
//	         ops (4), number of changes (4), Audit
//
// A quiet op that puts leaves no change; every other op leaves one. The Hash of
// a Record is the SHA-256 of "postern record 1\n", shard, Seq, Prev, time,
// number of ops, SHA-256 of the ops, Audit; so the chain of headers proves
// itself without the ops.
//
// # Files of a directory
//
//	store.id      version of the directory's form, name of the store
//	store.lock    locked by the process that has it open
//	hwm           how far history has surely come, written behind the commits:
//	              at the latest after 100 ms or 1,000 of them, and at Close
//	journal.0, journal.1   what is committed, used in turn, at most 32 MiB each
//	ballast       64 MiB that are given back when the disk is full at opening
//	aside/        copies of what Badger's repair would have deleted
//	              (MANIFEST before each of the last three openings, torn logs,
//	              tables the MANIFEST does not name)
//	MANIFEST, *.sst, *.mem, *.vlog, KEYREGISTRY, DISCARD, LOCK   Badger's
//
// # What holds
//
//	S1  After Append returned nil the Record is on disk, in one synced
//	    frame of the journal with its rows; the database gets it behind that,
//	    and an opening brings what it has lost of that.
//	S2  After an error that is not ErrUnknown nothing of the Record is there.
//	    After ErrUnknown the driver does nothing more.
//	S3  No value is returned whose checksum was not verified. A mismatch is a
//	    *CorruptError that names the row, never ErrNotFound.
//	S4  A directory opens only if its headers are a chain without gaps that
//	    reaches the high-water mark. Until that is known nothing is deleted
//	    that is not copied aside.
//	S5  A View shows the rows as of one Record, whatever is appended after it.
//	S6  A Record is refused with ErrNoSpace while the disk could still take it.
//	S7  What passes Record.Check fits into a transaction.
//
// What the store does not know is how many rows there should be: a quiet row
// leaves no second trace. The engine keeps counts and digests of collections
// as rows of their own, changed in the same Record, and compares when it opens.
package store

package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"postern/engine/store"
)

// An AuditHead is a place in the audit: how many records have been made, and the
// hash of the last one, which stands for all of them.
type AuditHead struct {
	N    uint64
	Hash store.Hash
}

// String is the form in the log and on the command line: n:hash.
func (h AuditHead) String() string {
	return strconv.FormatUint(h.N, 10) + ":" + hex.EncodeToString(h.Hash[:])
}

var errAuditHead = fault(errOutOfRange, "the head of an audit is the number of a record, a colon, and 64 hex digits")

// ParseAuditHead reads what String has written.
func ParseAuditHead(s string) (AuditHead, error) {
	number, hash, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(number, 10, 64)
	b, bad := hex.DecodeString(hash)
	if !ok || err != nil || bad != nil || len(b) != len(store.Hash{}) {
		return AuditHead{}, errAuditHead
	}
	return AuditHead{n, store.Hash(b)}, nil
}

// An auditRecord is one record of the audit as it is stored: this struct as
// encoding/json writes it, which is its one form. The hash of a record is the
// SHA-256 of the hash of the record before and of these bytes.
type auditRecord struct {
	N          uint64          `json:"n"`
	At         int64           `json:"at"`   // Unix ms, the time of the record of the store
	Kind       string          `json:"kind"` // see auditKind
	By         string          `json:"by"`
	Via        string          `json:"via,omitempty"`
	Act        string          `json:"act"`
	App        string          `json:"app,omitempty"`
	Collection string          `json:"collection,omitempty"`
	Item       string          `json:"item,omitempty"`
	Request    string          `json:"request,omitempty"`
	Network    string          `json:"network,omitempty"`
	Before     json.RawMessage `json:"before,omitempty"`
	After      json.RawMessage `json:"after,omitempty"`
	Count      int64           `json:"count,omitempty"`
	Prev       string          `json:"prev"` // hash of the record before, in hex
}

// The kinds of record.
const (
	kindChange = "change" // of what decides, or of who may come
	kindLogin  = "login"  // sessions that were opened and ended, and failed logins
	kindDenied = "denied" // sampled: requests that were refused
	kindMaster = "master" // sampled: uses of the master secret
)

// The rows of the audit, all of app 0. The number of a record is its key.
const (
	auditHeadRow = "head" // the last record: number (8) and hash
	auditBaseRow = "base" // the last of those that were removed; none: nothing was
)

func auditKey(n uint64) store.Key {
	return store.Key{Table: tableAudit, ID: string(binary.BigEndian.AppendUint64(nil, n))}
}

func auditMark(id string) store.Key { return store.Key{Table: tableAuditMark, ID: id} }

func (h AuditHead) encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, h.N), h.Hash[:]...)
}

func decodeAuditHead(b []byte) (AuditHead, error) {
	var h AuditHead
	if len(b) != 8+len(h.Hash) {
		return h, fmt.Errorf("a place in the audit of %d bytes", len(b))
	}
	h.N = binary.BigEndian.Uint64(b)
	copy(h.Hash[:], b[8:])
	return h, nil
}

// next is the head after a record that was stored as value.
func (h AuditHead) next(value []byte) AuditHead {
	d := sha256.New()
	d.Write(h.Hash[:])
	d.Write(value)
	return AuditHead{h.N + 1, store.Hash(d.Sum(nil))}
}

// chain makes records of the lines of the draft, in the order in which they were
// decided, and returns the new head: the record of the store carries it, so that
// the store's own chain holds the audit's.
func (d *draft) chain() ([]byte, error) {
	head := d.systemState().audit
	for i := range d.audit {
		l := &d.audit[i]
		value := encodeRow(&auditRecord{
			N: head.N + 1, At: d.now, Kind: l.kind(), By: l.By, Via: l.Via, Act: l.Act, App: l.App, Collection: l.Collection, Item: l.Item,
			Request: l.Request, Network: l.Network, Before: l.Before, After: l.After, Count: l.Count, Prev: hex.EncodeToString(head.Hash[:]),
		})
		head = head.next(value)
		d.ops = append(d.ops, store.Op{Key: auditKey(head.N), Value: value, Quiet: true})
	}
	op := store.Op{Key: auditMark(auditHeadRow), Value: head.encode(), Quiet: true}
	d.ops = append(d.ops, op)
	return []byte(head.String()), d.applySystem(op.Key, op.Value)
}

// auditTail compares the end of the audit with what was committed as its end, so
// that a start notices when its last records are not there, at the price of one row.
func auditTail(view store.View, head AuditHead) error {
	switch _, err := view.Get(auditKey(head.N + 1)); {
	case err == nil:
		return fmt.Errorf("the audit goes on behind record %d, which was committed as its last", head.N)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if head.N == 0 {
		return nil
	}
	if base, err := auditPlace(view, auditBaseRow); err != nil || base == head {
		return err
	}
	row, err := view.Get(auditKey(head.N))
	if err != nil {
		return fmt.Errorf("the audit's last record, %d: %w", head.N, err)
	}
	got, err := hashOf(row.Value)
	if err == nil && got != head {
		err = fmt.Errorf("the audit ends in %s, and %s was committed as its end", got, head)
	}
	return err
}

// auditPlace reads one of the marks; zero when there is none.
func auditPlace(view store.View, id string) (AuditHead, error) {
	row, err := view.Get(auditMark(id))
	if errors.Is(err, store.ErrNotFound) {
		return AuditHead{}, nil
	}
	if err != nil {
		return AuditHead{}, err
	}
	return decodeAuditHead(row.Value)
}

// hashOf is the place of a stored record, by what it says of the one before.
func hashOf(value []byte) (AuditHead, error) {
	rec, err := decodeRow[auditRecord](value)
	if err != nil {
		return AuditHead{}, err
	}
	prev, err := hex.DecodeString(rec.Prev)
	if err != nil || len(prev) != len(store.Hash{}) || rec.N == 0 {
		return AuditHead{}, errors.New("no record of the audit")
	}
	return AuditHead{rec.N - 1, store.Hash(prev)}.next(value), nil
}

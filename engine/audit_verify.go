package engine

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"postern/engine/store"
)

// An AuditReport is what became of a look at the whole audit.
type AuditReport struct {
	OK      bool
	Records uint64    // that are there
	From    uint64    // number of the first one
	Head    AuditHead // as it was committed
	FaultAt uint64    // number of the record that is wrong; with Fault
	Fault   string    // "": nothing is wrong
}

// errAuditFault ends a look at the audit; the report says why.
var errAuditFault = errors.New("the audit is not what was committed")

// VerifyAudit looks at every record of the audit of a store that somebody may have
// had his hands on, checksums and all. It holds that
//
//   - the records are numbered without a gap, from the base on, where the cleaner has
//     stopped removing, to the head;
//   - each carries the hash of the one before, and the last one leads to the head;
//   - each record of the store that is kept carries, in its own chain, the head that
//     was right then, so that the audit cannot have been made anew or cut short without
//     the log being made anew as well;
//   - the audit has once come to known, which somebody has kept elsewhere: that cannot
//     be made anew. The zero value is not looked for.
//
// It returns an error when it could not look.
func VerifyAudit(ctx context.Context, driver store.Driver, known AuditHead) (AuditReport, error) {
	view, err := driver.View()
	if err != nil {
		return AuditReport{}, err
	}
	defer view.Close()
	v := &auditVerifier{ctx: ctx, view: view, known: known}
	for _, step := range []func() error{v.marks, v.records, func() error { return v.anchors(driver) }} {
		if err = step(); err != nil {
			break
		}
	}
	var damage *store.CorruptError
	switch {
	case errors.As(err, &damage):
		v.FaultAt, v.Fault = v.at.N+1, damage.Error()
	case errors.Is(err, errAuditFault):
	case err != nil:
		return AuditReport{}, err
	}
	v.OK = v.Fault == ""
	return v.AuditReport, nil
}

type auditVerifier struct {
	AuditReport
	ctx   context.Context
	view  store.View
	known AuditHead
	base  AuditHead
	at    AuditHead // how far the records hold
	told  uint64    // where the audit begins, as its last record of a removal says
}

func (v *auditVerifier) fault(n uint64, format string, args ...any) error {
	v.FaultAt, v.Fault = n, fmt.Sprintf(format, args...)
	return errAuditFault
}

// marks reads where the audit begins and ends.
func (v *auditVerifier) marks() error {
	var err error
	if v.base, err = auditPlace(v.view, auditBaseRow); err != nil {
		return err
	}
	if v.Head, err = auditPlace(v.view, auditHeadRow); err != nil {
		return err
	}
	v.at, v.From = v.base, v.base.N+1
	switch {
	case v.base.N > v.Head.N:
		return v.fault(v.Head.N, "%d records were removed, and there were %d", v.base.N, v.Head.N)
	case v.known.N == 0:
	case v.known.N > v.Head.N:
		return v.fault(v.Head.N+1, "there were %d records once, and there are %d", v.known.N, v.Head.N)
	case v.known.N < v.base.N:
		return fault(errOutOfRange, "record %d is older than what is kept, which begins at %d", v.known.N, v.From)
	case v.known.N == v.base.N && v.known != v.base:
		return v.fault(v.base.N, "record %d had another hash once", v.base.N)
	}
	return nil
}

// records walks the records.
func (v *auditVerifier) records() error {
	err := v.view.Scan(store.OfTable(0, tableAudit), func(row store.Row) error {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		id, next := row.Key.ID, v.at.N+1
		if len(id) != 8 || row.Key.Collection != 0 {
			return v.fault(next, "a record without a number")
		}
		switch n := binary.BigEndian.Uint64([]byte(id)); {
		case n > v.Head.N:
			return v.fault(n, "a record behind the last one, %d", v.Head.N)
		case n > next:
			return v.fault(next, "missing; the next one is %d", n)
		case n < next:
			return v.fault(n, "a record from before the first one, %d", v.From)
		}
		rec, err := decodeRow[auditRecord](row.Value)
		switch {
		case err != nil:
			return v.fault(next, "no record: %v", err)
		case rec.N != next:
			return v.fault(next, "says that it is record %d", rec.N)
		case rec.Prev != hex.EncodeToString(v.at.Hash[:]):
			return v.fault(next, "not the one that came after record %d as it is now", v.at.N)
		}
		if rec.Act == actTrim && rec.By == byServer.By {
			var after struct{ From uint64 }
			if err := json.Unmarshal(rec.After, &after); err == nil {
				v.told = after.From
			}
		}
		v.at = v.at.next(row.Value)
		v.Records++
		if v.known.N == v.at.N && v.known != v.at {
			return v.fault(v.at.N, "had another hash once")
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case v.at.N < v.Head.N:
		return v.fault(v.at.N+1, "missing; there were %d records", v.Head.N)
	case v.at != v.Head:
		return v.fault(v.at.N, "not what was committed as the last one")
	case v.base.N > 0 && v.told != v.From:
		return v.fault(v.base.N, "removed, and no record tells of it")
	}
	return nil
}

// anchors compares the records with what the log says of them.
func (v *auditVerifier) anchors(log store.Log) error {
	return log.Headers(v.ctx, func(rec *store.Record) error {
		if rec.Seq > v.view.Seq() || len(rec.Audit) == 0 {
			return nil
		}
		was, err := ParseAuditHead(string(rec.Audit))
		switch {
		case err != nil || was.N < v.base.N:
			return nil // from before there was a chain, or removed since
		case was.N > v.Head.N:
			return v.fault(v.Head.N+1, "the log knows of %d records (its record %d)", was.N, rec.Seq)
		case was.N == v.base.N:
			if was != v.base {
				return v.fault(was.N, "the log knows another hash of it (its record %d)", rec.Seq)
			}
			return nil
		}
		row, err := v.view.Get(auditKey(was.N))
		if err != nil {
			return err
		}
		if is, err := hashOf(row.Value); err != nil || is != was {
			return v.fault(was.N, "not the one that the log knows of (its record %d)", rec.Seq)
		}
		return nil
	})
}

// checkAudit reports what is wrong with the audit, as Check does.
func checkAudit(ctx context.Context, driver store.Driver, report func(problem string)) error {
	r, err := VerifyAudit(ctx, driver, AuditHead{})
	if err == nil && !r.OK {
		report(fmt.Sprintf("audit: record %d: %s", r.FaultAt, r.Fault))
	}
	return err
}

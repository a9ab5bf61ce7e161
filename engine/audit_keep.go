package engine

import (
	"errors"

	"postern/engine/store"
)

// trimAudit removes records of the audit that have been kept for long enough, a batch
// at a time, oldest first. Where it has come to stays as the base: what is left still
// proves itself from there on. The last record stays whatever its age.
func (c *cleaner) trimAudit() error {
	if c.e.config.AuditKeep < 0 {
		return nil
	}
	until := c.e.now() - int64(c.e.config.AuditKeep)*millisecondsADay
	removed := uint64(0)
	for {
		select {
		case <-c.quit:
			return errStopped
		default:
		}
		in, err := c.oldAudit(until)
		if err != nil {
			return err
		}
		if in.to == in.from {
			break
		}
		if err := c.e.committer.submit(nil, in); err != nil {
			return err
		}
		removed += in.to.N - in.from.N
	}
	if removed > 0 {
		c.e.config.Logger.Info("old records of the audit removed", "records", removed)
	}
	return nil
}

// oldAudit finds a batch of records from before a time, Unix ms.
func (c *cleaner) oldAudit(until int64) (*dropAudit, error) {
	view, err := c.e.driver.View()
	if err != nil {
		return nil, err
	}
	defer view.Close()
	in := new(dropAudit)
	if in.from, err = auditPlace(view, auditBaseRow); err != nil {
		return nil, err
	}
	head, err := auditPlace(view, auditHeadRow)
	if err != nil {
		return nil, err
	}
	for in.to = in.from; in.to.N+1 < head.N && in.to.N-in.from.N < cleanBatch; {
		row, err := view.Get(auditKey(in.to.N + 1))
		if errors.Is(err, store.ErrNotFound) {
			return in, nil // verify tells of it; nothing is removed behind a gap
		}
		if err != nil {
			return nil, err
		}
		rec, err := decodeRow[auditRecord](row.Value)
		if err != nil {
			return nil, err
		}
		if rec.At >= until {
			break
		}
		in.to = in.to.next(row.Value)
	}
	return in, nil
}

// dropAudit moves the base of the audit. The cleaner alone does, so it is still where
// it was.
type dropAudit struct{ from, to AuditHead }

func (*dropAudit) frugal() {}

// That records were removed is told by one that is there: a base that nobody has told
// of is not the cleaner's.
func (in *dropAudit) notes() []auditLine {
	return []auditLine{{actor: byServer, Act: actTrim, Count: int64(in.to.N - in.from.N),
		Before: new(jsonObject).number("from", int64(in.from.N+1)).close(), After: new(jsonObject).number("from", int64(in.to.N+1)).close()}}
}

const actTrim = "remove old audit records"

func (in *dropAudit) plan(*draft) ([]store.Op, error) {
	ops := []store.Op{{Key: auditMark(auditBaseRow), Value: in.to.encode(), Quiet: true}}
	for n := in.from.N + 1; n <= in.to.N; n++ {
		ops = append(ops, store.Op{Key: auditKey(n), Quiet: true})
	}
	return ops, nil
}

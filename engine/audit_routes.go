package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"postern/engine/store"
)

// Reading the audit. Its records are in the store and not in memory, so this reads
// the store, a bounded part of it for one request; nobody but operators and the
// master comes here.

const (
	auditPage     = 50   // records of an answer, when nothing is said
	maxAuditPage  = 500  // ... at most
	maxAuditReads = 5000 // records that one request looks at
)

func (h AuditHead) json() string {
	return string(new(jsonObject).number("n", int64(h.N)).text("hash", hex.EncodeToString(h.Hash[:])).close())
}

// An auditFilter says which records are wanted; "": any.
type auditFilter struct{ app, act, by, item, kind string }

func (f *auditFilter) takes(r *auditRecord) bool {
	return (f.app == "" || r.App == f.app) && (f.kind == "" || r.Kind == f.kind) &&
		strings.HasPrefix(r.Act, f.act) && strings.HasPrefix(r.By, f.by) &&
		(f.item == "" || r.Item == f.item || r.Item == "" && r.Collection == f.item)
}

// describe is the record as it is shown.
func (r *auditRecord) describe() []byte {
	o := new(jsonObject).number("n", int64(r.N)).text("at", string(appendTime(nil, r.At))).text("kind", r.Kind).text("by", r.By)
	for _, m := range [...]struct{ name, text string }{
		{"via", r.Via}, {"act", r.Act}, {"app", r.App}, {"collection", r.Collection}, {"item", r.Item},
		{"request", r.Request}, {"network", r.Network},
	} {
		if m.text != "" {
			o.text(m.name, m.text)
		}
	}
	if r.Before != nil {
		o.raw("before", string(r.Before))
	}
	if r.After != nil {
		o.raw("after", string(r.After))
	}
	if r.Count != 0 {
		o.number("count", r.Count)
	}
	return o.text("prev", r.Prev).close()
}

func (e *Engine) listAudit(r *Request) error {
	return r.audit(string(r.ctx.QueryArgs().Peek("app")))
}

func (e *Engine) listAppAudit(r *Request) error { return r.audit(r.app.key) }

// audit answers with records, the newest first. next is where to go on, when there
// may be more.
func (r *Request) audit(app string) error {
	args := r.ctx.QueryArgs()
	text := func(name string) string { return string(args.Peek(name)) }
	number := func(name string, otherwise uint64) (uint64, error) {
		if !args.Has(name) {
			return otherwise, nil
		}
		n, err := strconv.ParseUint(text(name), 10, 63)
		if err != nil || n == 0 {
			return 0, fault(errOutOfRange, "%s must be a number from 1 on", name)
		}
		return n, nil
	}
	limit, err := number("limit", auditPage)
	if err != nil {
		return err
	}
	if limit > maxAuditPage {
		return fault(errOutOfRange, "limit is at most %d", maxAuditPage)
	}
	before, err := number("before", 1<<63)
	if err != nil {
		return err
	}
	f := auditFilter{app: app, act: text("act"), by: text("by"), item: text("item"), kind: text("kind")}
	view, err := r.e.driver.View()
	if err != nil {
		return err
	}
	defer view.Close()
	head, err := auditPlace(view, auditHeadRow)
	if err != nil {
		return err
	}
	base, err := auditPlace(view, auditBaseRow)
	if err != nil {
		return err
	}
	var items [][]byte
	n := min(before-1, head.N)
	for reads := 0; n > base.N && uint64(len(items)) < limit && reads < maxAuditReads; n, reads = n-1, reads+1 {
		row, err := view.Get(auditKey(n))
		if errors.Is(err, store.ErrNotFound) {
			continue // verify says so
		}
		if err != nil {
			return err
		}
		rec, err := decodeRow[auditRecord](row.Value)
		if err != nil {
			return err
		}
		if f.takes(rec) {
			items = append(items, rec.describe())
		}
	}
	o := new(jsonObject).raw("head", head.json()).raw("records", string(jsonList(items)))
	if n > base.N {
		o.number("next", int64(n+1)) // as before of the next request
	}
	return r.json(fasthttp.StatusOK, o.close())
}

// verifyAudit looks at the whole audit; one request at a time does.
func (e *Engine) verifyAudit(r *Request) error {
	var known AuditHead
	args := r.ctx.QueryArgs()
	if args.Has("n") || args.Has("hash") {
		var err error
		if known, err = ParseAuditHead(string(args.Peek("n")) + ":" + string(args.Peek("hash"))); err != nil {
			return err
		}
	}
	if !e.auditing.TryLock() {
		return slow(errTooManyRequests, 5)
	}
	defer e.auditing.Unlock()
	report, err := VerifyAudit(context.Background(), e.driver, known)
	if err != nil {
		return err
	}
	o := new(jsonObject).flag("ok", report.OK).number("records", int64(report.Records)).number("from", int64(report.From)).raw("head", report.Head.json())
	if !report.OK {
		o.raw("fault", string(new(jsonObject).number("n", int64(report.FaultAt)).text("reason", report.Fault).close()))
	}
	return r.json(fasthttp.StatusOK, o.close())
}

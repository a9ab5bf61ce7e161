package engine

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// tampered is a store with 10,000 records of an audit, and somebody who writes to it
// past the engine: what he writes has the right checksums and is a record of the log
// like any other, so it is the chain that has to find it.
type tampered struct {
	t      *testing.T
	r      *rand.Rand
	driver store.Driver
	rows   []store.Row // of the audit, as they should be
	head   AuditHead
}

func newTampered(t *testing.T, r *rand.Rand, records int) *tampered {
	t.Helper()
	dir := t.TempDir()
	driver, err := store.OpenBadger(filepath.Join(dir, "data"), store.Options{NoBallast: true})
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(Config{Driver: driver, Argon: auth.CheapParams, NoSamples: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateApp(NewApp{Key: "kid_a"}); err != nil {
		t.Fatal(err)
	}
	a, _ := e.appByKey("kid_a")
	for n := 0; n < records; {
		var in []intent
		for range 1 + r.IntN(200) {
			n++
			in = append(in, &setCollection{app: a, by: actor{By: "master", Via: "api", Request: fmt.Sprint(n)}, name: fmt.Sprint("c", n%50), level: acl.Level(n / 50 % 4)})
		}
		for _, err := range e.committer.submitAll(a, in) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if driver, err = store.OpenBadger(filepath.Join(dir, "data"), store.Options{NoBallast: true}); err != nil {
		t.Fatal(err)
	}
	w := &tampered{t: t, r: r, driver: driver}
	t.Cleanup(func() {
		if err := w.driver.Close(); err != nil {
			t.Error(err)
		}
	})
	view, err := w.driver.View()
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	err = view.Scan(store.OfTable(0, tableAudit), func(row store.Row) error {
		row.Value = bytes.Clone(row.Value)
		w.rows = append(w.rows, row)
		return nil
	})
	if err == nil {
		w.head, err = auditPlace(view, auditHeadRow)
	}
	if err != nil || len(w.rows) < records || w.head.N != uint64(len(w.rows)) {
		t.Fatalf("%d records, head %s, %v", len(w.rows), w.head, err)
	}
	return w
}

// write appends a record past the engine.
func (w *tampered) write(ops []store.Op) {
	w.t.Helper()
	for len(ops) > 0 {
		n := min(len(ops), 1000)
		for i := range ops[:n] {
			ops[i].Quiet = true
		}
		seq, hash := w.driver.Head()
		rec := &store.Record{Seq: seq + 1, Prev: hash, Time: time.Now().UnixMilli(), Ops: ops[:n]}
		if err := w.driver.Append(context.Background(), seq, rec); err != nil {
			w.t.Fatal(err)
		}
		ops = ops[n:]
	}
}

// undo writes the audit as it should be.
func (w *tampered) undo(done []store.Op) {
	w.t.Helper()
	var ops []store.Op
	seen := map[store.Key]bool{}
	for _, op := range done {
		if seen[op.Key] {
			continue
		}
		seen[op.Key] = true
		back := store.Op{Key: op.Key}
		if op.Key.Table == tableAuditMark {
			if op.Key.ID == auditHeadRow {
				back.Value = w.head.encode()
			}
		} else if n := w.number(op.Key); op.Key == auditKey(uint64(n)) && n >= 1 && n <= len(w.rows) {
			back.Value = w.rows[n-1].Value
		}
		ops = append(ops, back)
	}
	w.write(ops)
}

func (w *tampered) number(k store.Key) (n int) {
	for _, c := range []byte(k.ID) {
		n = n<<8 | int(c)
	}
	return n
}

func (w *tampered) verify(known AuditHead) AuditReport {
	w.t.Helper()
	r, err := VerifyAudit(context.Background(), w.driver, known)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func put(n int, value []byte) store.Op { return store.Op{Key: auditKey(uint64(n)), Value: value} }

func headAt(h AuditHead) store.Op { return store.Op{Key: auditMark(auditHeadRow), Value: h.encode()} }

// place is the head after record n as it should be.
func (w *tampered) place(n int) AuditHead {
	w.t.Helper()
	if n == 0 {
		return AuditHead{}
	}
	h, err := hashOf(w.rows[n-1].Value)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// forge is a record of somebody's making that fits behind a place, and the place after.
func forge(after AuditHead, value []byte) ([]byte, AuditHead) {
	rec, err := decodeRow[auditRecord](value)
	if err != nil {
		panic(err)
	}
	rec.N, rec.Prev, rec.By = after.N+1, hex.EncodeToString(after.Hash[:]), "server"
	b := encodeRow(rec)
	return b, after.next(b)
}

// ways are what somebody does to one place of the audit, chosen at random. What only
// the log can tell, or a head that was kept elsewhere, is marked: it fits in itself.
var ways = map[string]struct {
	fits bool
	do   func(w *tampered, n int) []store.Op
}{
	"a byte is changed": {do: func(w *tampered, n int) []store.Op {
		b := bytes.Clone(w.rows[n-1].Value)
		b[w.r.IntN(len(b))] ^= 1 << w.r.IntN(8)
		return []store.Op{put(n, b)}
	}},
	"another app is named": {do: func(w *tampered, n int) []store.Op {
		return []store.Op{put(n, bytes.Replace(w.rows[n-1].Value, []byte("kid_a"), []byte("kid_b"), 1))}
	}},
	"one is deleted": {do: func(w *tampered, n int) []store.Op { return []store.Op{put(n, nil)} }},
	"two change places": {do: func(w *tampered, n int) []store.Op {
		m := n%len(w.rows) + 1
		return []store.Op{put(n, w.rows[m-1].Value), put(m, w.rows[n-1].Value)}
	}},
	"one is there twice": {do: func(w *tampered, n int) []store.Op {
		m := (n+1+w.r.IntN(len(w.rows)-2))%len(w.rows) + 1
		if m == n {
			m = n%len(w.rows) + 1
		}
		return []store.Op{put(m, w.rows[n-1].Value)}
	}},
	"one is there again behind the last": {do: func(w *tampered, n int) []store.Op {
		return []store.Op{put(len(w.rows)+1, w.rows[n-1].Value)}
	}},
	"one is inserted and the others move": {do: func(w *tampered, n int) []store.Op {
		n = max(n, len(w.rows)-300)
		b, _ := forge(w.place(n-1), w.rows[n-1].Value)
		ops := []store.Op{put(n, b)}
		for m := n; m <= len(w.rows); m++ {
			ops = append(ops, put(m+1, w.rows[m-1].Value))
		}
		return ops
	}},
	"the last ones go": {do: func(w *tampered, n int) []store.Op {
		n = max(n, len(w.rows)-1500)
		var ops []store.Op
		for m := n; m <= len(w.rows); m++ {
			ops = append(ops, put(m, nil))
		}
		return ops
	}},
	"a record without a number": {do: func(w *tampered, n int) []store.Op {
		return []store.Op{{Key: store.Key{Table: tableAudit, ID: "x"}, Value: w.rows[n-1].Value}}
	}},
	"a record of another collection": {do: func(w *tampered, n int) []store.Op {
		k := auditKey(uint64(n))
		k.Collection = 1
		return []store.Op{{Key: k, Value: w.rows[n-1].Value}}
	}},
	"the first ones go, and the base says so": {do: func(w *tampered, n int) []store.Op {
		n = min(n, 1500)
		ops := []store.Op{{Key: auditMark(auditBaseRow), Value: w.place(n).encode()}}
		for m := 1; m <= n; m++ {
			ops = append(ops, put(m, nil))
		}
		return ops
	}},
	"the last ones go, and the head says so": {fits: true, do: func(w *tampered, n int) []store.Op {
		n = max(n, len(w.rows)-1500)
		ops := []store.Op{headAt(w.place(n - 1))}
		for m := n; m <= len(w.rows); m++ {
			ops = append(ops, put(m, nil))
		}
		return ops
	}},
	"all that follows is made anew": {fits: true, do: func(w *tampered, n int) []store.Op {
		n = max(n, len(w.rows)-1500)
		at := w.place(n - 1)
		var ops []store.Op
		for m := n; m <= len(w.rows); m++ {
			var b []byte
			b, at = forge(at, w.rows[m-1].Value)
			ops = append(ops, put(m, b))
		}
		return append(ops, headAt(at))
	}},
	"one is added, and the head says so": {fits: true, do: func(w *tampered, n int) []store.Op {
		n = max(n, len(w.rows)-1500)
		at := w.place(n - 1)
		var ops []store.Op
		for m := n; m <= len(w.rows)+1; m++ {
			var b []byte
			b, at = forge(at, w.rows[max(m-2, 0)].Value)
			ops = append(ops, put(m, b))
		}
		return append(ops, headAt(at))
	}},
}

// 10,000 records, one of them tampered with: detected, always; none: never.
func TestAuditTampering(t *testing.T) {
	records, rounds := 10_000, 4
	if testing.Short() {
		records, rounds = 2000, 2
	}
	n := uint64(20261130)
	t.Logf("seed %d", n)
	w := newTampered(t, rand.New(rand.NewPCG(n, 6)), records)
	sound := func() {
		t.Helper()
		if r := w.verify(w.head); !r.OK || r.Records != uint64(len(w.rows)) || r.From != 1 {
			t.Fatalf("nothing is wrong: %+v", r)
		}
	}
	sound()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for round := range rounds {
				at := 1 + w.r.IntN(len(w.rows))
				switch round { // the ends, too
				case 0:
					at = 1
				case 1:
					at = len(w.rows)
				}
				ops := way.do(w, at)
				w.write(ops)
				r := w.verify(AuditHead{})
				if r.OK {
					t.Errorf("record %d: not noticed", at)
				}
				w.undo(ops)
				if round == 0 {
					sound()
				}
			}
		})
	}
	sound()
}

// What fits in itself is found without a log, too, by a head that was kept elsewhere;
// and a backup, which has no log, is as sound as what it was made of.
func TestAuditOfABackupIsTamperedWith(t *testing.T) {
	w := newTampered(t, rand.New(rand.NewPCG(7, 7)), 300)
	view, err := w.driver.View()
	if err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if err := store.Export(view, &backup); err != nil {
		t.Fatal(err)
	}
	view.Close()
	dir := filepath.Join(t.TempDir(), "again")
	if err := store.Import(dir, &backup, store.Options{NoBallast: true}); err != nil {
		t.Fatal(err)
	}
	restored, err := store.OpenBadger(dir, store.Options{NoBallast: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.driver.Close(); err != nil {
		t.Fatal(err)
	}
	w.driver = restored
	if r := w.verify(w.head); !r.OK || r.Records != uint64(len(w.rows)) {
		t.Fatalf("the backup: %+v", r)
	}
	for name, way := range ways {
		for _, at := range []int{1, 2, 150, len(w.rows) - 1, len(w.rows)} {
			ops := way.do(w, at)
			w.write(ops)
			if r := w.verify(AuditHead{}); r.OK != way.fits {
				t.Errorf("%s, record %d: verify alone: %+v", name, at, r)
			}
			if r := w.verify(w.head); r.OK {
				t.Errorf("%s, record %d: not noticed, and its head is known", name, at)
			}
			w.undo(ops)
			if r := w.verify(w.head); !r.OK {
				t.Fatalf("%s, record %d: not undone: %+v", name, at, r)
			}
		}
	}
}

// A start notices when the end of the audit is not the one that was committed, and does
// not go on behind it.
func TestStartLooksAtTheEndOfTheAudit(t *testing.T) {
	for name, ops := range map[string]func(w *tampered) []store.Op{
		"the last one is gone": func(w *tampered) []store.Op { return []store.Op{put(len(w.rows), nil)} },
		"the last one differs": func(w *tampered) []store.Op {
			b, _ := forge(w.place(len(w.rows)-1), w.rows[len(w.rows)-1].Value)
			return []store.Op{put(len(w.rows), b)}
		},
		"one is behind the last": func(w *tampered) []store.Op {
			b, _ := forge(w.head, w.rows[0].Value)
			return []store.Op{put(len(w.rows)+1, b)}
		},
		"the head is of another": func(w *tampered) []store.Op { return []store.Op{headAt(w.place(len(w.rows) - 1))} },
	} {
		w := newTampered(t, rand.New(rand.NewPCG(8, 8)), 20)
		w.write(ops(w))
		if e, err := Open(Config{Driver: w.driver, Argon: auth.CheapParams}); err == nil {
			t.Errorf("%s: opened", name)
			_ = e.Close()
		} else {
			t.Log(name+":", err)
		}
	}
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"postern/engine/store"
)

func empty(t *testing.T, c *client) {
	if seq, hash := c.Head(); seq != 0 || hash != (store.Hash{}) || c.Applied() != 0 {
		t.Errorf("Head = %d, %x; Applied = %d", seq, hash, c.Applied())
	}
	c.now("a", "")
	c.equal("rows", c.rows(store.AllRows()), nil)
	c.equal("history", c.history(1), nil)
	if err := c.Trim(ctx, 10); err != nil {
		t.Errorf("Trim = %v", err)
	}
}

func overwrite(t *testing.T, c *client) {
	c.write(put("a", "1"), put("b", "1"))
	c.write(put("a", "2"))
	c.now("a", "2")
	c.now("b", "1")
	c.write(del("a"))
	c.now("a", "")
	c.write(put("a", "3"))
	c.equal("rows", c.rows(store.AllRows()), []string{"1/2/3/a=3@4.0", "1/2/3/b=1@1.1"})
}

func emptyValue(t *testing.T, c *client) {
	c.write(store.Op{Key: key("a"), Value: []byte{}}, store.Op{Key: key("b")})
	v := c.view()
	defer v.Close()
	if row, err := v.Get(key("a")); err != nil || len(row.Value) != 0 {
		t.Errorf("Get(a) = %q, %v", row.Value, err)
	}
	c.is(v, "b", "")
	c.equal("history", c.history(1), []string{"1.0 a  <- ", "1.1 b gone <- "})
}

func twiceInOneRecord(t *testing.T, c *client) {
	c.write(put("a", "1"), put("a", "2"), put("b", "1"), del("b"), del("c"), put("c", "1"))
	c.equal("rows", c.rows(store.AllRows()), []string{"1/2/3/a=2@1.1", "1/2/3/c=1@1.5"})
	c.equal("history", c.history(1), []string{
		"1.0 a 2 (now) <- before 1", "1.1 a 2 <- before 2", "1.2 b gone (now) <- before 1",
		"1.3 b gone <- gone", "1.4 c 1 (now) <- gone", "1.5 c 1 <- before 1",
	})
}

func conflict(t *testing.T, c *client) {
	c.write(put("a", "1"))
	for _, expect := range []store.Seq{0, 2, 1 << 63} {
		rec := c.next(put("a", "2"))
		rec.Seq = expect + 1
		c.refused(expect, rec, store.ErrConflict)
	}
	rec := c.next(put("a", "2"))
	rec.Seq = 7
	c.refused(1, rec, store.ErrConflict)
	c.write(put("a", "2"))
}

func chain(t *testing.T, c *client) {
	c.write(put("a", "1"))
	rec := c.next(put("a", "2"))
	rec.Prev[5] ^= 1
	c.refused(1, rec, store.ErrConflict)
}

func tooBig(t *testing.T, c *client) {
	c.write(put("a", "1"))
	big := func(n int) []byte { return make([]byte, n) }
	op := func(id string, value, before int) store.Op {
		return store.Op{Key: key(id), Value: big(value), Before: big(before)}
	}
	var many []store.Op
	for range 20000 {
		many = append(many, store.Op{Key: key("m"), Value: big(0)})
	}
	for name, rec := range map[string]*store.Record{
		"value":                    c.next(op("a", store.MaxValueBytes+1, 0)),
		"before":                   c.next(op("a", 1, store.MaxValueBytes+1)),
		"two big ops":              c.next(op("a", 600<<10, 0), op("b", 600<<10, 0)),
		"a big op and much beside": c.next(op("a", store.MaxValueBytes, store.MaxValueBytes), op("b", store.MaxBesideBytes, 0)),
		"many small ops":           c.next(many...),
	} {
		t.Log(name)
		c.refused(1, rec, store.ErrTooBig)
	}
	rec := c.next(put("a", "2"))
	rec.Audit = big(store.MaxValueBytes + 1)
	c.refused(1, rec, store.ErrTooBig)

	// The largest that is allowed.
	rest := make([]store.Op, 0, 500)
	for len(rest) < 400 {
		rest = append(rest, store.Op{Key: key(strings.Repeat("k", len(rest))), Value: []byte("x"), Quiet: true})
	}
	c.write(op("a", store.MaxValueBytes, store.MaxValueBytes), op("b", store.MaxBesideBytes-1000, 0))
	c.write(op("a", store.MaxValueBytes, store.MaxValueBytes))
	c.write(rest[:150]...)
	// As many of the smallest ops as a record takes.
	small := many[:0:0]
	one := store.Op{Key: key(""), Value: []byte{}}
	for n := 0; n+one.Size() <= store.MaxRecordBytes; n += one.Size() {
		small = append(small, one)
	}
	t.Logf("%d ops in a record", len(small))
	for i := range small {
		small[i].Key.Collection = uint32(i)
	}
	c.write(small...)
}

func invalid(t *testing.T, c *client) {
	c.write(put("a", "1"))
	for name, k := range map[string]store.Key{
		"app": {App: 1<<32 - 1}, "table": {Table: 128}, "id": {ID: strings.Repeat("x", store.MaxIDBytes+1)},
	} {
		t.Log(name)
		c.refused(1, c.next(store.Op{Key: k, Value: []byte("x")}), store.ErrInvalid)
	}
	rec := c.next(put("a", "2"))
	rec.Shard = 1
	c.refused(1, rec, store.ErrInvalid)
	rec = c.next(put("a", "2"))
	rec.Seq = 0
	c.refused(1, rec, store.ErrInvalid)
	if err := c.Read(ctx, 0, func(*store.Record) error { return nil }); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("Read(0) = %v, want ErrInvalid", err)
	}
	c.write(store.Op{Key: store.Key{App: store.MaxApp, Table: store.MaxTable, Collection: 1<<32 - 1, ID: strings.Repeat("\xff", store.MaxIDBytes)}, Value: []byte("x")})
	if n := len(c.rows(store.AllRows())); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

func cancelled(t *testing.T, c *client) {
	c.write(put("a", "1"))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Append(gone, 1, c.next(put("a", "2"))); !errors.Is(err, context.Canceled) {
		t.Errorf("Append = %v", err)
	}
	if err := c.Read(gone, 1, func(*store.Record) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Read = %v", err)
	}
	c.now("a", "1")
	c.write(put("a", "2"))
}

func viewStays(t *testing.T, c *client) {
	c.write(put("a", "1"), put("b", "1"))
	old := c.view()
	_, hash := c.Head()
	for range 5 {
		c.write(put("a", "2"), del("b"), put("c", "2"))
	}
	c.is(old, "a", "1")
	c.is(old, "b", "1")
	c.is(old, "c", "")
	if old.Seq() != 1 || old.Hash() != hash || len(old.StoreID()) != 32 {
		t.Errorf("view is of %d, %x, %q", old.Seq(), old.Hash(), old.StoreID())
	}
	c.equal("rows of the old view", c.rowsOf(old, store.AllRows()), []string{"1/2/3/a=1@1.0", "1/2/3/b=1@1.1"})
	old.Close()
	old.Close()
	if _, err := old.Get(key("a")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get of a closed view = %v", err)
	}
	c.now("a", "2")
}

func scanOrder(t *testing.T, c *client) {
	at := func(app uint32, table store.Table, coll uint32, id string) store.Op {
		return store.Op{Key: store.Key{App: app, Table: table, Collection: coll, ID: id}, Value: []byte("v")}
	}
	c.write(at(2, 0, 0, "z"), at(1, 1, 1, "b"), at(1, 1, 1, "a"), at(1, 1, 1, "ab"), at(1, 1, 256, ""), at(1, 1, 2, "a"), at(1, 2, 1, "a"), at(258, 0, 0, ""), at(0, 0, 0, ""))
	for _, x := range []struct {
		p    store.Prefix
		want string
	}{
		{store.AllRows(), "0/0/0/ 1/1/1/a 1/1/1/ab 1/1/1/b 1/1/2/a 1/1/256/ 1/2/1/a 2/0/0/z 258/0/0/"},
		{store.OfApp(1), "1/1/1/a 1/1/1/ab 1/1/1/b 1/1/2/a 1/1/256/ 1/2/1/a"},
		{store.OfApp(3), ""},
		{store.OfTable(1, 1), "1/1/1/a 1/1/1/ab 1/1/1/b 1/1/2/a 1/1/256/"},
		{store.OfCollection(1, 1, 1), "1/1/1/a 1/1/1/ab 1/1/1/b"},
		{store.OfIDs(1, 1, 1, "a"), "1/1/1/a 1/1/1/ab"},
	} {
		var got []string
		for _, s := range c.rows(x.p) {
			got = append(got, strings.Split(s, "=")[0])
		}
		c.equal("scan", got, strings.Fields(x.want))
	}
}

func scanError(t *testing.T, c *client) {
	c.write(put("a", "1"), put("b", "1"), put("c", "1"))
	v := c.view()
	defer v.Close()
	stop, n := errors.New("stop"), 0
	err := v.Scan(store.AllRows(), func(r store.Row) error {
		n++
		c.is(v, r.Key.ID, "1")
		if n == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 2 {
		t.Errorf("Scan = %v after %d rows", err, n)
	}
	if err := c.Read(ctx, 1, func(*store.Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Read = %v", err)
	}
}

func scanSkips(t *testing.T, c *client) {
	var ops []store.Op
	for _, k := range []store.Key{
		{App: 1, Table: 1, Collection: 1, ID: "a"}, {App: 1, Table: 1, Collection: 1, ID: "b"}, {App: 1, Table: 1, Collection: 1, ID: "\xff"},
		{App: 1, Table: 1, Collection: 2, ID: ""}, {App: 1, Table: 1, Collection: 2, ID: "a"},
		{App: 1, Table: 1, Collection: 1<<32 - 1, ID: "a"}, {App: 1, Table: 1, Collection: 1<<32 - 1, ID: "b"},
		{App: 1, Table: 2, Collection: 0, ID: "a"}, {App: 2, Table: 1, Collection: 1, ID: "a"}, {App: 2, Table: 1, Collection: 1, ID: "b"},
	} {
		ops = append(ops, store.Op{Key: k, Value: []byte("v")})
	}
	c.write(ops...)
	v := c.view()
	defer v.Close()
	for _, x := range []struct {
		p    store.Prefix
		skip func(store.Key) bool
		want string
	}{
		{store.AllRows(), func(k store.Key) bool { return k.Table == 1 }, "1/1/1/a 1/1/2/ 1/1/4294967295/a 1/2/0/a 2/1/1/a"},
		{store.AllRows(), func(k store.Key) bool { return k.Collection == 1 && k.ID == "b" }, "1/1/1/a 1/1/1/b 1/1/2/ 1/1/2/a 1/1/4294967295/a 1/1/4294967295/b 1/2/0/a 2/1/1/a 2/1/1/b"},
		{store.OfCollection(1, 1, 1), func(k store.Key) bool { return true }, "1/1/1/a"},
		{store.OfApp(1), func(k store.Key) bool { return k.Collection > 2 }, "1/1/1/a 1/1/1/b 1/1/1/\xff 1/1/2/ 1/1/2/a 1/1/4294967295/a 1/2/0/a"},
	} {
		var got []string
		err := v.Scan(x.p, func(r store.Row) error {
			got = append(got, fmt.Sprintf("%d/%d/%d/%s", r.Key.App, r.Key.Table, r.Key.Collection, r.Key.ID))
			if x.skip(r.Key) {
				return store.ErrSkipCollection
			}
			return nil
		})
		if err != nil {
			t.Errorf("Scan = %v", err)
		}
		c.equal("scan", got, strings.Fields(x.want))
	}
}

func copies(t *testing.T, c *client) {
	value, before := []byte("value"), []byte("before")
	rec := c.next(store.Op{Key: key("a"), Value: value, Before: before})
	if err := c.Append(ctx, 0, rec); err != nil {
		t.Fatal(err)
	}
	copy(value, "XXXXX")
	copy(before, "XXXXXX")
	copy(rec.Audit, "XXXXX")
	v := c.view()
	defer v.Close()
	row, _ := v.Get(key("a"))
	mustEqual(t, "row", row.Value, []byte("value"))
	copy(row.Value, "YYYYY")
	c.is(v, "a", "value")
	c.equal("history", c.history(1), []string{"1.0 a value <- before"})
}

func read(t *testing.T, c *client) {
	want := []*store.Record{c.write(put("a", "1"), put("b", "2")), c.write(put("c", "3")), c.write(del("b"), put("d", "4"))}
	n := 0
	if err := c.Read(ctx, 1, func(got *store.Record) error {
		w := want[n]
		n++
		if got.Seq != w.Seq || got.Prev != w.Prev || got.Time != w.Time || got.Shard != w.Shard {
			t.Errorf("record %d = %+v, want %+v", n, got, w)
		}
		mustEqual(t, "audit", got.Audit, w.Audit)
		return nil
	}); err != nil || n != 3 {
		t.Errorf("Read = %v after %d records", err, n)
	}
	c.equal("history from 2", c.history(2), []string{"2.0 c 3 <- before 3", "3.0 b gone <- gone", "3.1 d 4 <- before 4"})
	c.equal("history from 4", c.history(4), nil)
	c.equal("history from 99", c.history(99), nil)
}

func superseded(t *testing.T, c *client) {
	c.write(put("a", "1"), put("b", "1"), del("c"))
	c.write(put("a", "2"), del("b"), put("c", "2"))
	c.equal("history", c.history(1), []string{
		"1.0 a 2 (now) <- before 1", "1.1 b gone (now) <- before 1", "1.2 c 2 (now) <- gone",
		"2.0 a 2 <- before 2", "2.1 b gone <- gone", "2.2 c 2 <- before 2",
	})
}

func quiet(t *testing.T, c *client) {
	q := func(o store.Op) store.Op { o.Quiet = true; return o }
	c.write(q(put("a", "1")), put("b", "1"), q(put("c", "1")))
	c.write(q(put("b", "2")), q(del("c")))
	c.write(q(put("a", "3")))
	c.write()
	c.equal("history", c.history(1), []string{"1.1 b 2 (now) <- before 1"})
	c.equal("rows", c.rows(store.AllRows()), []string{"1/2/3/a=3@3.0", "1/2/3/b=2@2.0"})
}

func readHash(t *testing.T, c *client) {
	hashes := map[store.Seq]store.Hash{}
	for _, ops := range [][]store.Op{{put("a", "1"), {Key: key("q"), Value: []byte("x"), Quiet: true}}, {put("a", "2")}, {del("a")}, {}} {
		rec := c.write(ops...)
		hashes[rec.Seq] = rec.Hash()
	}
	var prev store.Hash
	if err := c.Read(ctx, 1, func(rec *store.Record) error {
		if rec.Hash() != hashes[rec.Seq] || rec.Prev != prev {
			t.Errorf("record %d: hash equal %t, prev equal %t", rec.Seq, rec.Hash() == hashes[rec.Seq], rec.Prev == prev)
		}
		prev = rec.Hash()
		return nil
	}); err != nil {
		t.Errorf("Read = %v", err)
	}
}

func trim(t *testing.T, c *client) {
	for _, s := range strings.Split("abcdefgh", "") {
		c.write(put(s, s), put("x", s))
	}
	rows := c.rows(store.AllRows())
	if err := c.Trim(ctx, 4); err != nil {
		t.Fatalf("Trim = %v", err)
	}
	for _, from := range []store.Seq{1, 3} {
		if err := c.Read(ctx, from, func(*store.Record) error { return nil }); !errors.Is(err, store.ErrTrimmed) {
			t.Errorf("Read(%d) = %v, want ErrTrimmed", from, err)
		}
	}
	if got := c.history(4); len(got) != 10 {
		t.Errorf("%d changes are left, want 10: %q", len(got), got)
	}
	var headers []store.Seq
	err := c.Headers(ctx, func(r *store.Record) error {
		if headers = append(headers, r.Seq); string(r.Audit) != "audit" || r.Time == 0 || len(r.Ops) != 0 {
			t.Errorf("header of record %d: audit %q, time %d, %d ops", r.Seq, r.Audit, r.Time, len(r.Ops))
		}
		return nil
	})
	if want := []store.Seq{4, 5, 6, 7, 8}; err != nil || !slices.Equal(headers, want) {
		t.Errorf("Headers gives %v, %v; want %v", headers, err, want)
	}
	c.equal("rows", c.rows(store.AllRows()), rows)
	if err := c.Trim(ctx, 2); err != nil {
		t.Errorf("Trim back = %v", err)
	}
	seq, hash := c.Head()
	if err := c.Trim(ctx, 1000); err != nil {
		t.Errorf("Trim beyond the head = %v", err)
	}
	if s, h := c.Head(); s != seq || h != hash {
		t.Errorf("Trim moved the head")
	}
	if got := c.history(seq); len(got) != 2 {
		t.Errorf("the head is gone: %q", got)
	}
	c.write(put("y", "y"))
	c.equal("history", c.history(9), []string{"9.0 y y <- before y"})
}

func apply(t *testing.T, c *client) {
	first := c.next(put("a", "1"))
	if err := c.Apply(ctx, first); err != nil {
		t.Fatalf("Apply = %v", err)
	}
	second := c.next(put("a", "2"))
	for _, rec := range []*store.Record{second, first, second} {
		if err := c.Apply(ctx, rec); err != nil {
			t.Errorf("Apply(%d) = %v", rec.Seq, err)
		}
	}
	c.now("a", "2")
	gap := c.next(put("a", "9"))
	gap.Seq++
	if err := c.Apply(ctx, gap); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Apply over a gap = %v", err)
	}
	other := c.next(put("a", "9"))
	other.Prev[0] ^= 1
	if err := c.Apply(ctx, other); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Apply of another history = %v", err)
	}
	if c.Applied() != 2 {
		t.Errorf("Applied = %d", c.Applied())
	}
}

func digest(t *testing.T, c *client) {
	get := func(coll uint32) store.Digest {
		t.Helper()
		d, err := c.Digest(1, coll)
		if err != nil {
			t.Errorf("Digest = %v", err)
		}
		return d
	}
	if get(3) != (store.Digest{}) {
		t.Error("digest of nothing is not zero")
	}
	c.write(put("a", "1"))
	one := get(3)
	c.write(put("b", "1"))
	two := get(3)
	if one.Rows != 1 || two.Rows != 2 || one.Sum == two.Sum {
		t.Errorf("digests %v, %v", one, two)
	}
	c.write(store.Op{Key: store.Key{App: 1, Table: 2, Collection: 4, ID: "b"}, Value: []byte("1")})
	if get(3) != two || get(4).Rows != 1 {
		t.Error("digest of one collection depends on another")
	}
	c.write(del("b"))
	if get(3) != one {
		t.Error("digest does not go back with the rows")
	}
	c.write(put("a", "1"))
	if get(3) == one {
		t.Error("digest does not see the seq of a row")
	}
}

func closed(t *testing.T, c *client) {
	c.write(put("a", "1"))
	rec := c.next(put("a", "2"))
	v := c.view()
	if err := c.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	defer v.Close()
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s after Close = %v", what, err)
		}
	}
	_, err := v.Get(key("a"))
	check("Get", err)
	check("Scan", v.Scan(store.AllRows(), func(store.Row) error { return nil }))
	check("Append", c.Append(ctx, 1, rec))
	check("Apply", c.Apply(ctx, rec))
	check("Read", c.Read(ctx, 1, func(*store.Record) error { return nil }))
	check("Trim", c.Trim(ctx, 1))
	_, err = c.View()
	check("View", err)
	_, err = c.Digest(1, 1)
	check("Digest", err)
}

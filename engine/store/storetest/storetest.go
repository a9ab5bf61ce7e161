// Package storetest holds what every store.Driver must do, as a test suite.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"postern/engine/store"
)

// Run tests the drivers that open returns. Each is empty and closed by Run.
func Run(t *testing.T, open func(t *testing.T) store.Driver) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *client)
	}{
		{"an empty store has head 0 and no rows", empty},
		{"a row is what the last op made it", overwrite},
		{"an empty value is not a deletion", emptyValue},
		{"the last op on a key of a record stays", twiceInOneRecord},
		{"an append at another head is a conflict and changes nothing", conflict},
		{"a record that does not continue the chain is a conflict", chain},
		{"an oversized record is refused and changes nothing", tooBig},
		{"a malformed record is refused and changes nothing", invalid},
		{"a cancelled context writes nothing", cancelled},
		{"a view stays at its seq", viewStays},
		{"a scan is in key order and of its prefix only", scanOrder},
		{"a scan ends with the error of its function", scanError},
		{"a scan leaves out what its function skips", scanSkips},
		{"values are copied in and out", copies},
		{"read joins changes with rows", read},
		{"read tells what was superseded", superseded},
		{"quiet ops are durable and not told", quiet},
		{"the hash of a record read is that of the record written", readHash},
		{"trim forgets records and keeps rows", trim},
		{"apply ignores what it has and refuses gaps", apply},
		{"a digest describes a collection", digest},
		{"everything is refused after close", closed},
		{"a random history equals its model", random},
		{"many read while one writes", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t)
			c.test(t, &client{T: t, Driver: d})
			if v, ok := d.(verifier); ok && c.name != "everything is refused after close" {
				err := v.Verify(context.Background(), func(problem string) { t.Errorf("Verify: %s", problem) })
				if err != nil {
					t.Errorf("Verify = %v", err)
				}
			}
			if err := d.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
		})
	}
}

type verifier interface {
	Verify(context.Context, func(problem string)) error
}

// A client is a driver with short words for what tests do.
type client struct {
	*testing.T
	store.Driver
}

var ctx = context.Background()

func key(id string) store.Key { return store.Key{App: 1, Table: 2, Collection: 3, ID: id} }

func put(id, value string) store.Op {
	return store.Op{Key: key(id), Value: []byte(value), Before: []byte("before " + value)}
}

func del(id string) store.Op { return store.Op{Key: key(id), Before: []byte("gone")} }

// next returns the Record that would follow the head.
func (c *client) next(ops ...store.Op) *store.Record {
	seq, hash := c.Head()
	return &store.Record{Seq: seq + 1, Prev: hash, Time: 1000 + int64(seq), Ops: ops, Audit: []byte("audit")}
}

// write appends ops as one Record.
func (c *client) write(ops ...store.Op) *store.Record {
	c.Helper()
	rec := c.next(ops...)
	if err := c.Append(ctx, rec.Seq-1, rec); err != nil {
		c.Fatalf("Append(%d) = %v", rec.Seq, err)
	}
	seq, hash := c.Head()
	if seq != rec.Seq || hash != rec.Hash() || c.Applied() != seq {
		c.Fatalf("after Append(%d): head %d, applied %d, hash equal %t", rec.Seq, seq, c.Applied(), hash == rec.Hash())
	}
	return rec
}

// refused appends rec and wants an error that leaves everything as it was.
func (c *client) refused(expect store.Seq, rec *store.Record, want error) {
	c.Helper()
	seq, hash := c.Head()
	before := c.rows(store.AllRows())
	if err := c.Append(ctx, expect, rec); !errors.Is(err, want) {
		c.Errorf("Append = %v, want %v", err, want)
	}
	if s, h := c.Head(); s != seq || h != hash {
		c.Errorf("head moved from %d to %d", seq, s)
	}
	if after := c.rows(store.AllRows()); fmt.Sprint(after) != fmt.Sprint(before) {
		c.Errorf("rows changed")
	}
}

func (c *client) view() store.View {
	c.Helper()
	v, err := c.View()
	if err != nil {
		c.Fatalf("View = %v", err)
	}
	return v
}

// rows returns the rows of a prefix now as lines.
func (c *client) rows(p store.Prefix) []string {
	c.Helper()
	v := c.view()
	defer v.Close()
	return c.rowsOf(v, p)
}

func (c *client) rowsOf(v store.View, p store.Prefix) []string {
	c.Helper()
	var out []string
	if err := v.Scan(p, func(r store.Row) error {
		out = append(out, line(r))
		return nil
	}); err != nil {
		c.Errorf("Scan = %v", err)
	}
	return out
}

func line(r store.Row) string {
	k := r.Key
	return fmt.Sprintf("%d/%d/%d/%s=%s@%d.%d", k.App, k.Table, k.Collection, k.ID, r.Value, r.Seq, r.Index)
}

// is wants the row of id to be value; "" that there is none.
func (c *client) is(v store.View, id, value string) {
	c.Helper()
	row, err := v.Get(key(id))
	switch {
	case value == "" && !errors.Is(err, store.ErrNotFound):
		c.Errorf("Get(%s) = %q, %v; want ErrNotFound", id, row.Value, err)
	case value != "" && (err != nil || string(row.Value) != value || row.Key != key(id)):
		c.Errorf("Get(%s) = %q, %v; want %q", id, row.Value, err, value)
	}
}

func (c *client) now(id, value string) {
	c.Helper()
	v := c.view()
	defer v.Close()
	c.is(v, id, value)
}

// history reads the log as lines.
func (c *client) history(from store.Seq) []string {
	c.Helper()
	var out []string
	if err := c.Read(ctx, from, func(rec *store.Record) error {
		for _, o := range rec.Ops {
			s := fmt.Sprintf("%d.%d %s", rec.Seq, o.Index, o.Key.ID)
			if o.Value == nil {
				s += " gone"
			} else {
				s += " " + string(o.Value)
			}
			if o.Superseded {
				s += " (now)"
			}
			out = append(out, s+" <- "+string(o.Before))
		}
		return nil
	}); err != nil {
		c.Fatalf("Read(%d) = %v", from, err)
	}
	return out
}

func (c *client) equal(what string, got, want []string) {
	c.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		c.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func mustEqual(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}

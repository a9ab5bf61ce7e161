package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A broken backend fails or lies where its switches say.
type broken struct {
	backend
	commitErr error
	panics    bool
	damage    func(key, sealed []byte) []byte // what get and scan return instead
}

func (b *broken) commit(at Seq, writes []write) error {
	if b.panics {
		panic("disk on fire")
	}
	if b.commitErr != nil {
		return b.commitErr
	}
	return b.backend.commit(at, writes)
}

func (b *broken) snapshot(at Seq) snapshot { return brokenSnapshot{b.backend.snapshot(at), b} }

type brokenSnapshot struct {
	snapshot
	b *broken
}

func (s brokenSnapshot) get(key []byte) ([]byte, error) {
	v, err := s.snapshot.get(key)
	if err == nil && s.b.damage != nil {
		v = s.b.damage(key, v)
	}
	return v, err
}

func (s brokenSnapshot) scan(prefix, from []byte, fn func(key, sealed []byte) error) error {
	return s.snapshot.scan(prefix, from, func(key, sealed []byte) error {
		if s.b.damage != nil {
			sealed = s.b.damage(key, append([]byte(nil), sealed...))
		}
		return fn(key, sealed)
	})
}

func newBroken() (*core, *broken) {
	b := &broken{backend: newTree()}
	c := &core{}
	c.init(b, newStoreID())
	return c, b
}

func (c *core) try(ops ...Op) error {
	seq, hash := c.Head()
	return c.Append(context.Background(), seq, &Record{Seq: seq + 1, Prev: hash, Ops: ops})
}

func op(id, value string) Op { return Op{Key: Key{App: 1, ID: id}, Value: []byte(value)} }

func TestFirstWriteErrorIsTheLast(t *testing.T) {
	for name, set := range map[string]func(*broken, bool){
		"error": func(b *broken, on bool) {
			b.commitErr = nil
			if on {
				b.commitErr = errors.New("input/output error")
			}
		},
		"panic": func(b *broken, on bool) { b.panics = on },
	} {
		t.Run(name, func(t *testing.T) {
			c, b := newBroken()
			if err := c.try(op("a", "1")); err != nil {
				t.Fatal(err)
			}
			set(b, true)
			if err := c.try(op("a", "2")); !errors.Is(err, ErrUnknown) {
				t.Fatalf("Append = %v, want ErrUnknown", err)
			}
			set(b, false) // the disk is well again; the driver must not believe it
			for range 3 {
				if err := c.try(op("a", "3")); !errors.Is(err, ErrFailed) {
					t.Errorf("Append = %v, want ErrFailed", err)
				}
			}
			if _, err := c.View(); !errors.Is(err, ErrFailed) {
				t.Errorf("View = %v, want ErrFailed", err)
			}
			if seq, _ := c.Head(); seq != 1 {
				t.Errorf("Head = %d, want 1", seq)
			}
		})
	}
}

func TestTransactionTooBigIsNotAFailure(t *testing.T) {
	c, b := newBroken()
	b.commitErr = fmt.Errorf("%w: txn", ErrTooBig)
	if err := c.try(op("a", "1")); !errors.Is(err, ErrTooBig) {
		t.Fatalf("Append = %v, want ErrTooBig", err)
	}
	b.commitErr = nil
	if err := c.try(op("a", "1")); err != nil {
		t.Errorf("Append afterwards = %v", err)
	}
}

// One flipped bit anywhere in a stored value is an error that names the row.
func TestEveryFlippedBitOfAValueIsNoticed(t *testing.T) {
	c, b := newBroken()
	if err := c.try(op("a", "value"), op("b", "other")); err != nil {
		t.Fatal(err)
	}
	v, err := c.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	k := Key{App: 1, ID: "a"}
	raw := string(appendKey(nil, theOnlyShard, k))
	if row, err := v.Get(k); err != nil || string(row.Value) != "value" {
		t.Fatalf("undamaged: Get = %q, %v", row.Value, err)
	}
	for bit := range 8 * (envelopeBytes + len("value")) {
		b.damage = func(key, sealed []byte) []byte {
			if string(key) == raw {
				sealed[bit/8] ^= 1 << (bit % 8)
			}
			return sealed
		}
		var damage *CorruptError
		if _, err := v.Get(k); !errors.As(err, &damage) || damage.Key != k {
			t.Errorf("bit %d: Get = %v", bit, err)
		}
		if err := v.Scan(OfApp(1), func(Row) error { return nil }); !errors.As(err, &damage) || damage.Key != k {
			t.Errorf("bit %d: Scan = %v", bit, err)
		}
		if err := c.Read(context.Background(), 1, func(*Record) error { return nil }); !errors.As(err, &damage) {
			t.Errorf("bit %d: Read = %v", bit, err)
		}
	}
	// A value that belongs to another key is no better.
	b.damage = func(key, sealed []byte) []byte {
		if string(key) == raw {
			sealed, _ = b.backend.snapshot(1).get(appendKey(nil, theOnlyShard, Key{App: 1, ID: "b"}))
		}
		return sealed
	}
	if row, err := v.Get(k); err == nil {
		t.Errorf("Get returned the value of another row: %q", row.Value)
	}
}

func TestVerifyNamesTheProblem(t *testing.T) {
	k := func(id string) []byte { return appendKey(nil, theOnlyShard, Key{App: 1, ID: id}) }
	sealed := func(key []byte, q Seq, v ...[]byte) write { return write{key, seal(nil, key, q, 0, v...)} }
	for name, x := range map[string]struct {
		do   func(at func(key []byte) []byte) []write
		want string
	}{
		"nothing":             {func(func([]byte) []byte) []write { return nil }, ""},
		"a row is lost":       {func(func([]byte) []byte) []write { return []write{{k("a"), nil}} }, "row is lost"},
		"a row is damaged":    {func(at func([]byte) []byte) []write { b := at(k("a")); b[len(b)-1] ^= 1; return []write{{k("a"), b}} }, "checksum mismatch"},
		"a row came back":     {func(func([]byte) []byte) []write { return []write{sealed(k("gone"), 1, []byte("x"))} }, "row came back"},
		"a row is old":        {func(func([]byte) []byte) []write { return []write{sealed(k("b"), 1, []byte("1"))} }, "row is out of date"},
		"a row of the future": {func(func([]byte) []byte) []write { return []write{sealed(k("z"), 99, []byte("1"))} }, "which there is not"},
		"a header is lost":    {func(func([]byte) []byte) []write { return []write{{headerKey(0, 2), nil}} }, "records 2 to 2 are missing"},
		"a header is damaged": {func(at func([]byte) []byte) []write {
			b := at(headerKey(0, 2))
			b[len(b)-1] ^= 1
			return []write{{headerKey(0, 2), b}}
		}, "checksum mismatch"},
		"a header is rewritten": {func(at func([]byte) []byte) []write {
			h, err := openHeader(headerKey(0, 2), 2, at(headerKey(0, 2)))
			if err != nil {
				t.Error(err)
			}
			h.audit = []byte("nobody was here")
			return []write{sealed(headerKey(0, 2), 2, h.append(nil))}
		}, "does not have its hash"},
		"a header is rewritten with its hash": {func(at func([]byte) []byte) []write {
			h, _ := openHeader(headerKey(0, 2), 2, at(headerKey(0, 2)))
			h.audit = []byte("nobody was here")
			h.hash = h.sum(0, 2)
			return []write{sealed(headerKey(0, 2), 2, h.append(nil))}
		}, "its previous hash differs"},
		"a change row is lost": {func(func([]byte) []byte) []write { return []write{{changeKey(0, 1, 0), nil}} }, "lacks 3 changes"},
		"a change row is of nobody": {func(at func([]byte) []byte) []write {
			return []write{sealed(changeKey(0, 9, 0), 9, at(changeKey(0, 1, 0))[envelopeBytes:])}
		}, "belongs to no record"},
		"a key of nobody":          {func(func([]byte) []byte) []write { return []write{sealed([]byte("what"), 1, nil)} }, "none of ours"},
		"the head is not the last": {func(func([]byte) []byte) []write { return []write{{headerKey(0, 3), nil}} }, "the head is 3"},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory()
			for _, ops := range [][]Op{{op("a", "1"), op("b", "1"), op("gone", "1")}, {op("b", "2"), {Key: Key{App: 1, ID: "gone"}}}, {op("c", "3")}} {
				if err := m.try(ops...); err != nil {
					t.Fatal(err)
				}
			}
			at := func(key []byte) []byte {
				v, err := m.back.snapshot(3).get(key)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			if err := m.back.commit(3, x.do(at)); err != nil {
				t.Fatal(err)
			}
			var got []string
			if err := m.Verify(context.Background(), func(p string) { got = append(got, p) }); err != nil {
				t.Fatal(err)
			}
			if x.want == "" && len(got) > 0 || x.want != "" && !strings.Contains(strings.Join(got, "\n"), x.want) {
				t.Errorf("Verify reports %q, want %q", got, x.want)
			}
		})
	}
}

func TestReadNoticesLostRows(t *testing.T) {
	for name, key := range map[string][]byte{"change row": changeKey(0, 2, 0), "header": headerKey(0, 2)} {
		m := NewMemory()
		for range 3 {
			mustTry(t, &m.core, op("a", "1"), op("b", "1"))
		}
		if err := m.back.commit(3, []write{{key, nil}}); err != nil {
			t.Fatal(err)
		}
		var damage *CorruptError
		if err := m.Read(context.Background(), 1, func(*Record) error { return nil }); !errors.As(err, &damage) {
			t.Errorf("Read without a %s = %v, want CorruptError", name, err)
		}
	}
}

func TestViewHeldTooLongIsStale(t *testing.T) {
	c, _ := newBroken()
	c.maxViewAge = time.Hour
	if err := c.try(op("a", "1")); err != nil {
		t.Fatal(err)
	}
	young, _ := c.view()
	old, _ := c.view()
	old.opened = old.opened.Add(-2 * time.Hour)
	if err := c.try(op("a", "2")); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Get(Key{App: 1, ID: "a"}); !errors.Is(err, ErrStale) {
		t.Errorf("Get of an old view = %v, want ErrStale", err)
	}
	if err := old.Scan(AllRows(), func(Row) error { return nil }); !errors.Is(err, ErrStale) {
		t.Errorf("Scan of an old view = %v, want ErrStale", err)
	}
	if row, err := young.Get(Key{App: 1, ID: "a"}); err != nil || string(row.Value) != "1" {
		t.Errorf("Get of a young view = %q, %v", row.Value, err)
	}
	old.Close()
	young.Close()
}

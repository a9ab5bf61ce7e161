package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func exported(t testing.TB, d Driver) []byte {
	t.Helper()
	v, err := d.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var out bytes.Buffer
	if err := Export(v, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestImportIsWhatWasExported(t *testing.T) {
	b := mustOpen(t, t.TempDir())
	defer b.Close()
	someRecords(t, &b.core, 50)
	mustTry(t, &b.core, Op{Key: Key{App: MaxApp, Table: MaxTable, Collection: 1, ID: "\x00\xff"}, Value: make([]byte, MaxValueBytes)},
		Op{Key: Key{App: 1, ID: ""}, Value: []byte{}, Quiet: true})
	m := NewMemory()
	defer m.Close()
	someRecords(t, &m.core, 50)
	empty := NewMemory()
	defer empty.Close()
	for name, d := range map[string]Driver{"Badger": b, "Memory": m, "an empty store": empty} {
		t.Run(name, func(t *testing.T) {
			text := exported(t, d)
			dir := filepath.Join(t.TempDir(), "new", "data")
			if err := Import(dir, bytes.NewReader(text), quickOpen); err != nil {
				t.Fatal(err)
			}
			got := mustOpen(t, dir)
			defer func() { got.Close() }()
			if again := exported(t, got); !bytes.Equal(again, text) {
				t.Errorf("an export of the import differs: %d bytes, %d bytes", len(again), len(text))
			}
			seq, hash := d.Head()
			if s, h := got.Head(); s != seq || h != hash {
				t.Errorf("head %d, want %d", s, seq)
			}
			if seq > 0 {
				if err := got.Read(context.Background(), seq, func(*Record) error { return nil }); !errors.Is(err, ErrTrimmed) {
					t.Errorf("Read before the head = %v, want ErrTrimmed", err)
				}
			}
			// The same history goes on in both.
			rec := &Record{Seq: seq + 1, Prev: hash, Ops: []Op{op("next", "1")}}
			if err := errors.Join(d.Apply(context.Background(), rec), got.Apply(context.Background(), rec)); err != nil {
				t.Fatal(err)
			}
			verifyCore(t, got)
			got.Close()
			got = mustOpen(t, dir)
			if !bytes.Equal(exported(t, got), exported(t, d)) {
				t.Error("they differ after the next record")
			}
		})
	}
}

// readExport reads as Import does, without a directory.
func readExport(text []byte) error {
	e := newExportReader(bytes.NewReader(text))
	_, err := e.begin()
	for more := true; more && err == nil; {
		_, more, err = e.row()
	}
	if err == nil {
		_, err = e.end()
	}
	return err
}

func TestDamagedExportIsRefused(t *testing.T) {
	m := NewMemory()
	defer m.Close()
	someRecords(t, &m.core, 8)
	text := exported(t, m)
	parent := t.TempDir()
	refused := func(what string, text []byte) {
		t.Helper()
		dir := filepath.Join(parent, "data")
		if err := Import(dir, bytes.NewReader(text), quickOpen); !errors.Is(err, ErrDamagedExport) {
			t.Errorf("%s: Import = %v, want ErrDamagedExport", what, err)
		}
		if left, _ := os.ReadDir(parent); len(left) != 0 {
			t.Fatalf("%s: Import left %v", what, left)
		}
	}
	s := *flipSeed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-store.flipseed=%d", s)
	r := rand.New(rand.NewPCG(s, 1))
	for i := range 2000 {
		n := r.IntN(len(text))
		hurt := bytes.Clone(text)
		hurt[n] ^= 1 << r.IntN(8)
		if err := readExport(text[:n]); !errors.Is(err, ErrDamagedExport) {
			t.Errorf("cut at %d: %v", n, err)
		}
		if err := readExport(hurt); !errors.Is(err, ErrDamagedExport) {
			t.Errorf("flipped at %d: %v", n, err)
		}
		if i < 8 {
			refused(fmt.Sprintf("cut at %d", n), text[:n])
			refused(fmt.Sprintf("flipped at %d", n), hurt)
		}
	}
	refused("empty", nil)
	refused("something after the end", append(bytes.Clone(text), 0))
	refused("twice", append(bytes.Clone(text), text...))
	huge := append(bytes.Clone(text[:len(exportMagic)+72]), 0xff, 0xff, 0xff, 0xff)
	refused("a huge row", huge)
	if err := readExport(huge); !strings.Contains(err.Error(), "row too long") {
		t.Errorf("a huge row: %v", err)
	}
}

func TestImportNeedsAnEmptyDirectory(t *testing.T) {
	m := NewMemory()
	defer m.Close()
	someRecords(t, &m.core, 3)
	text := exported(t, m)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Import(dir, bytes.NewReader(text), quickOpen); err == nil {
		t.Error("imported into a directory with a file")
	}
	if err := os.Remove(filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	if err := Import(dir, bytes.NewReader(text), quickOpen); err != nil {
		t.Errorf("Import into an empty directory = %v", err)
	}
	if err := Import(dir, bytes.NewReader(text), quickOpen); err == nil {
		t.Error("imported over a store")
	}
}

// An export taken while others write is of one Seq.
func TestExportOfARunningStore(t *testing.T) {
	m := NewMemory()
	defer m.Close()
	someRecords(t, &m.core, 20)
	v, _ := m.View()
	defer v.Close()
	before := exported(t, m)
	someRecords(t, &m.core, 20)
	var out bytes.Buffer
	if err := Export(v, &out); err != nil || !bytes.Equal(out.Bytes(), before) {
		t.Errorf("Export of an old view differs (%v)", err)
	}
}

package store

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	flips     = flag.Int("store.flips", 60, "bits to flip in each kind of directory")
	flipSeed  = flag.Uint64("store.flipseed", 0, "seed of the flipped bits; 0: a new one")
	quickOpen = Options{NoBallast: true}
)

// An image is a directory in memory; files are cut after their last byte that is not zero.
type image map[string]imageFile

type imageFile struct {
	data []byte
	size int64
}

func takeImage(t testing.TB, dir string) image {
	t.Helper()
	// Of an open database again, when a log has become a table meanwhile: the
	// files are to be those of one moment.
	for range 100 {
		im := image{}
		for _, name := range fileNames(t, dir) {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			im[name] = imageFile{bytes.Clone(bytes.TrimRight(b, "\x00")), int64(len(b))}
		}
		if slices.Equal(fileNames(t, dir), im.names("")) {
			return im
		}
	}
	t.Fatal("the files of the database never stay")
	return nil
}

// fileNames names the files in a directory, in order.
func fileNames(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func (im image) restore(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range im {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, f.data, 0o600), os.Truncate(path, f.size)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (im image) names(suffix string) (out []string) {
	for name := range im {
		if strings.HasSuffix(name, suffix) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func mustOpen(t testing.TB, dir string) *Badger {
	t.Helper()
	b, err := OpenBadger(dir, quickOpen)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustTry(t testing.TB, c *core, ops ...Op) {
	t.Helper()
	if err := c.try(ops...); err != nil {
		t.Fatal(err)
	}
}

// someRecords appends n Records of puts, overwrites and deletions.
func someRecords(t testing.TB, c *core, n int) {
	t.Helper()
	for range n {
		var ops []Op
		seq := int(c.Applied())
		for i := range 10 {
			ops = append(ops, op(fmt.Sprint("id", seq*7+i), strings.Repeat(fmt.Sprint(seq, " "), 30)))
		}
		ops = append(ops, Op{Key: Key{App: 1, ID: fmt.Sprint("id", seq*5)}})
		mustTry(t, c, ops...)
	}
}

// closedImage is a directory after a clean stop, with several tables.
func closedImage(t testing.TB) image {
	dir := t.TempDir()
	for range 3 {
		b := mustOpen(t, dir)
		someRecords(t, &b.core, 40)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return takeImage(t, dir)
}

// killedImage is a directory as kill -9 leaves it, with a table and a log.
func killedImage(t testing.TB) image {
	dir := t.TempDir()
	b := mustOpen(t, dir)
	someRecords(t, &b.core, 20)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = mustOpen(t, dir)
	defer b.Close()
	someRecords(t, &b.core, 60)
	if err := b.mark.write(true); err != nil {
		t.Fatal(err)
	}
	settled(t, b)
	return takeImage(t, dir)
}

// examine opens a directory, reads everything, compacts and reads again. It
// returns what it found wrong, or the rows.
func examine(dir string, compact bool) (rows []Row, found error) {
	return examineWith(dir, quickOpen, compact)
}

func examineWith(dir string, o Options, compact bool) (rows []Row, found error) {
	b, err := OpenBadger(dir, o)
	if err != nil {
		return nil, err
	}
	defer func() { found = errors.Join(found, b.Close()) }()
	for round := range 2 {
		rows = nil
		v, err := b.View()
		if err != nil {
			return nil, err
		}
		err = v.Scan(AllRows(), func(r Row) error {
			r.Value = bytes.Clone(r.Value)
			rows = append(rows, r)
			return nil
		})
		v.Close()
		if err != nil {
			return nil, err
		}
		var problems []error
		if err := b.Verify(context.Background(), func(p string) { problems = append(problems, errors.New(p)) }); err != nil || problems != nil {
			return nil, errors.Join(append(problems, err)...)
		}
		if !compact || round == 1 {
			break
		}
		if err := protect("compact", func() error { return b.rows.db.Flatten(1) }); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func sameRows(a, b []Row) bool {
	return slices.EqualFunc(a, b, func(a, b Row) bool {
		return a.Key == b.Key && a.Seq == b.Seq && a.Index == b.Index && bytes.Equal(a.Value, b.Value)
	})
}

// A flipped bit in any file is detected or harmless: never other rows, never fewer.
func TestFlippedBits(t *testing.T) {
	s := *flipSeed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-store.flipseed=%d", s)
	r := rand.New(rand.NewPCG(s, 2))
	for kind, make := range map[string]func(testing.TB) image{"closed": closedImage, "killed": killedImage} {
		im := make(t)
		want, err := examine(im.restore(t), true)
		if err != nil || len(want) < 300 {
			t.Fatalf("%s, undamaged: %d rows, %v", kind, len(want), err)
		}
		names := im.names("")
		names = slices.DeleteFunc(names, func(n string) bool { return len(im[n].data) == 0 })
		detected := map[string]int{}
		harmless := map[string]int{}
		for i := range *flips {
			name := names[i%len(names)]
			hurt := image{}
			for n, f := range im {
				hurt[n] = f
			}
			data := bytes.Clone(im[name].data)
			bit := r.IntN(8 * len(data))
			data[bit/8] ^= 1 << (bit % 8)
			hurt[name] = imageFile{data, im[name].size}
			got, err := examine(hurt.restore(t), i%4 == 0)
			what := filepath.Ext(name)
			if what == "" {
				what = name
			}
			switch {
			case err != nil:
				detected[what]++
			case sameRows(got, want):
				harmless[what]++
			default:
				t.Errorf("%s: bit %d of %s: %d rows without a word, want %d", kind, bit, name, len(got), len(want))
			}
		}
		t.Logf("%s: detected %v, harmless %v", kind, detected, harmless)
	}
}

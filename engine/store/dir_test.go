package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every file of a directory, removed, emptied, cut in half or filled with
// zeros: detected or harmless, and a refused directory loses no table.
func TestDamagedFiles(t *testing.T) {
	for kind, make := range map[string]func(testing.TB) image{"closed": closedImage, "killed": killedImage} {
		im := make(t)
		want, err := examine(im.restore(t), false)
		if err != nil {
			t.Fatal(err)
		}
		var log []string
		for _, name := range im.names("") {
			f := im[name]
			for what, hurt := range map[string]imageFile{
				"removed": {},
				"emptied": {nil, 0},
				"halved":  {f.data[:len(f.data)/2], int64(len(f.data) / 2)},
				"zeroed":  {nil, f.size},
			} {
				damagedImage := maps.Clone(im)
				damagedImage[name] = hurt
				if what == "removed" {
					delete(damagedImage, name)
				}
				dir := damagedImage.restore(t)
				got, err := examine(dir, false)
				if err == nil && !sameRows(got, want) {
					t.Errorf("%s: %s %s: %d rows without a word, want %d", kind, name, what, len(got), len(want))
				}
				if err != nil {
					log = append(log, name+" "+what)
					left, _ := filepath.Glob(filepath.Join(dir, "*.sst"))
					saved, _ := filepath.Glob(filepath.Join(dir, asideDir, "table-*"))
					if len(left)+len(saved) < len(damagedImage.names(".sst")) {
						t.Errorf("%s: %s %s: refused, and tables were deleted", kind, name, what)
					}
				}
			}
		}
		slices.Sort(log)
		t.Logf("%s: detected: %s", kind, strings.Join(log, ", "))
	}
}

// A directory without its MANIFEST or a table is refused as it is.
func TestMissingFilesChangeNothing(t *testing.T) {
	im := closedImage(t)
	// The mark of a store that was killed in its first moments knows of nothing.
	young := t.TempDir()
	m, err := openMark(young)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.reset(0, Hash{}), m.close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{manifestFile, im.names(".sst")[0], idFile, markFile, "young " + manifestFile, "both " + idFile} {
		less := maps.Clone(im)
		if rest, ok := strings.CutPrefix(name, "young "); ok {
			delete(less, rest)
			less[markFile] = takeImage(t, young)[markFile]
		}
		if rest, ok := strings.CutPrefix(name, "both "); ok {
			delete(less, rest)
			delete(less, markFile)
		}
		delete(less, name)
		dir := less.restore(t)
		if b, err := OpenBadger(dir, quickOpen); err == nil {
			b.Close()
			t.Errorf("opened without %s", name)
		}
		after := takeImage(t, dir)
		for _, n := range less.names(".sst") {
			if !bytes.Equal(after[n].data, less[n].data) {
				t.Errorf("without %s: %s has changed", name, n)
			}
		}
	}
}

// A log of Badger that is damaged before its last record, where the journal
// does not have the rest, is refused before Badger opens it, with the number
// of records that are missing.
func TestDamagedLogIsCounted(t *testing.T) {
	dir := t.TempDir()
	b := mustOpen(t, dir)
	for i := range 50 {
		mustTry(t, &b.core, op("a", fmt.Sprintf("marker-%02d-", i+1)))
	}
	settled(t, b)
	im := takeImage(t, dir)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	name := im.names(".mem")[0]
	for _, n := range []int{1, 20, 49} {
		data := bytes.Clone(im[name].data)
		data[bytes.Index(data, fmt.Appendf(nil, "marker-%02d-", n))] ^= 1
		hurt := maps.Clone(im)
		hurt[name] = imageFile{data, im[name].size}
		b := mustOpen(t, hurt.restore(t)) // the journal has all of it
		if b.Applied() != 50 {
			t.Errorf("damaged at record %d: head %d, want 50", n, b.Applied())
		}
		verifyCore(t, b)
		b.Close()
		for i := range 2 {
			delete(hurt, filepath.Base(segmentName("", i)))
		}
		dir := hurt.restore(t)
		before := takeImage(t, dir)
		_, err := OpenBadger(dir, quickOpen)
		var lost *ErrLost
		if !errors.As(err, &lost) || lost.Missing != Seq(51-n) {
			t.Errorf("damaged at record %d: %v, want %d missing", n, err, 51-n)
		}
		after := takeImage(t, dir)
		if !bytes.Equal(after[name].data, before[name].data) {
			t.Errorf("damaged at record %d: the log was changed", n)
		}
		o := quickOpen
		o.AcceptLoss = true
		b, err = OpenBadger(dir, o)
		if err != nil {
			t.Fatalf("AcceptLoss: %v", err)
		}
		if b.Applied() != Seq(n-1) {
			t.Errorf("AcceptLoss: head %d, want %d", b.Applied(), n-1)
		}
		if saved, _ := filepath.Glob(filepath.Join(dir, asideDir, "log-*")); len(saved) != 1 {
			t.Errorf("the damaged log was not put aside")
		}
		mustTry(t, &b.core, op("a", "again"))
		verifyCore(t, b)
		b.Close()
	}
}

// settled waits until what was committed is in the database.
func settled(t testing.TB, b *Badger) {
	t.Helper()
	n, _ := b.rows.committed()
	if err := b.rows.settle(n); err != nil {
		t.Fatal(err)
	}
}

func verifyCore(t testing.TB, b *Badger) {
	t.Helper()
	if err := b.Verify(context.Background(), func(p string) { t.Errorf("Verify: %s", p) }); err != nil {
		t.Errorf("Verify = %v", err)
	}
}

// rolledBack returns a directory at record 30 beside the mark of record 50.
func rolledBack(t *testing.T) string {
	dir := t.TempDir()
	b := mustOpen(t, dir)
	someRecords(t, &b.core, 30)
	b.Close()
	old := takeImage(t, dir)
	b = mustOpen(t, dir)
	someRecords(t, &b.core, 20)
	b.Close()
	old[markFile] = takeImage(t, dir)[markFile]
	return old.restore(t)
}

func TestRollbackIsDetected(t *testing.T) {
	dir := rolledBack(t)
	for range 2 { // also the second time
		_, err := OpenBadger(dir, quickOpen)
		var lost *ErrLost
		if !errors.As(err, &lost) || lost.Missing != 20 || lost.Have != 30 {
			t.Fatalf("OpenBadger = %v, want 20 missing after 30", err)
		}
	}
	o := quickOpen
	o.AcceptLoss = true
	b, err := OpenBadger(dir, o)
	if err != nil {
		t.Fatalf("AcceptLoss: %v", err)
	}
	someRecords(t, &b.core, 1)
	b.Close()
	b = mustOpen(t, dir) // accepted once is accepted for good
	defer b.Close()
	if b.Applied() != 31 {
		t.Errorf("head %d, want 31", b.Applied())
	}
	verifyCore(t, b)
}

// A history of the same length that is another one is no better.
func TestAnotherHistoryIsDetected(t *testing.T) {
	dir := t.TempDir()
	b := mustOpen(t, dir)
	someRecords(t, &b.core, 10)
	b.Close()
	fork := takeImage(t, dir)
	b = mustOpen(t, dir)
	mustTry(t, &b.core, op("one", "1"))
	b.Close()
	mark := takeImage(t, dir)[markFile]
	dir = fork.restore(t)
	b = mustOpen(t, dir)
	mustTry(t, &b.core, op("other", "1"))
	b.Close()
	other := takeImage(t, dir)
	other[markFile] = mark
	var lost *ErrLost
	if _, err := OpenBadger(other.restore(t), quickOpen); !errors.As(err, &lost) {
		t.Errorf("OpenBadger = %v, want ErrLost", err)
	}
}

func TestLostHighWaterFile(t *testing.T) {
	im := closedImage(t)
	delete(im, markFile)
	dir := im.restore(t)
	var lost *ErrLost
	if _, err := OpenBadger(dir, quickOpen); !errors.As(err, &lost) {
		t.Fatalf("OpenBadger = %v, want ErrLost", err)
	}
	o := quickOpen
	o.AcceptLoss = true
	b, err := OpenBadger(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	mustOpen(t, dir).Close()
}

// The mark never waits for Close: a killed process leaves one that is behind, not ahead.
func TestHighWaterIsWrittenBehindCommits(t *testing.T) {
	dir := t.TempDir()
	b := mustOpen(t, dir)
	defer b.Close()
	b.mark.advance(5, Hash{5})
	if err := b.mark.write(false); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		f := takeImage(t, dir)[markFile].data
		f = append(f, make([]byte, markBytes-len(f))...)
		f[i*markSlotBytes+15] ^= 1 // one torn slot leaves the other
		other := t.TempDir()
		if err := os.WriteFile(filepath.Join(other, markFile), f, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := openMark(other)
		if err != nil {
			t.Fatal(err)
		}
		if seq, _, known := m.read(); !known || seq != 0 && seq != 5 {
			t.Errorf("slot %d torn: %d, %t", i, seq, known)
		}
		m.close()
	}
	b.mark.advance(0, Hash{})
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	b := mustOpen(t, dir)
	for range 2 {
		if _, err := OpenBadger(dir, quickOpen); !errors.Is(err, ErrLocked) {
			t.Errorf("second OpenBadger = %v, want ErrLocked", err)
		}
	}
	mustTry(t, &b.core, op("a", "1"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
	mustOpen(t, dir).Close()
}

// A directory of which nothing is left but one of the store's own files.
func TestEmptiedDirectoryIsRefused(t *testing.T) {
	im := closedImage(t)
	for _, name := range []string{idFile, markFile} {
		dir := image{name: im[name]}.restore(t)
		if b, err := OpenBadger(dir, quickOpen); err == nil {
			b.Close()
			t.Errorf("a directory with nothing but %s was opened as a new one", name)
		}
	}
	for bit := range 8 * len(im[idFile].data) {
		data := bytes.Clone(im[idFile].data)
		data[bit/8] ^= 1 << (bit % 8)
		dir := image{idFile: imageFile{data, im[idFile].size}}.restore(t)
		if id, err := readID(dir); err == nil {
			t.Errorf("bit %d of %s: read as %s", bit, idFile, id)
		}
	}
}

func TestNewerDirectoryIsRefused(t *testing.T) {
	im := closedImage(t)
	im[idFile] = imageFile{[]byte("postern store 3\nwhatever\n"), 24}
	if _, err := OpenBadger(im.restore(t), quickOpen); !errors.Is(err, ErrNewer) {
		t.Errorf("OpenBadger = %v, want ErrNewer", err)
	}
}

// A power cut may leave files that were made but never written.
func TestEmptyLogsArePutAside(t *testing.T) {
	im := closedImage(t)
	im["00099.mem"] = imageFile{}
	im[im.names(".vlog")[0]] = imageFile{}
	dir := im.restore(t)
	b := mustOpen(t, dir)
	defer b.Close()
	if b.Applied() != 120 {
		t.Errorf("head %d, want 120", b.Applied())
	}
}

func TestFewManifestsAreKept(t *testing.T) {
	dir := t.TempDir()
	for range 8 {
		mustOpen(t, dir).Close()
	}
	kept, _ := filepath.Glob(filepath.Join(dir, asideDir, "*"))
	if len(kept) < 1 || len(kept) > asideKept {
		t.Errorf("kept %q", kept)
	}
}

// What the database itself cannot notice: its tables and logs are whole, but
// rows are missing or too many.
func TestBrokenChainIsRefused(t *testing.T) {
	header := headerKey(theOnlyShard, 5)
	for name, do := range map[string]func(b *Badger) error{
		"a record is missing": func(b *Badger) error { return b.back.commit(10, []write{{header, nil}}) },
		"a record is another": func(b *Badger) error {
			s := b.back.snapshot(10)
			sealed, err := s.get(header)
			if err != nil {
				return err
			}
			h, err := openHeader(header, 5, sealed)
			if err != nil {
				return err
			}
			h.hash[0] ^= 1
			return b.back.commit(10, []write{{header, seal(nil, header, 5, 0, h.append(nil))}})
		},
		"a row is of a record that is not there": func(b *Badger) error {
			k := appendKey(nil, theOnlyShard, Key{App: 1, ID: "z"})
			return b.back.commit(11, []write{{k, seal(nil, k, 11, 0, []byte("z"))}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := mustOpen(t, dir)
			someRecords(t, &b.core, 10)
			if err := do(b); err != nil {
				t.Fatal(err)
			}
			b.Close()
			o := quickOpen
			o.AcceptLoss = true // which is not for this
			var damage *CorruptError
			if b, err := OpenBadger(dir, o); !errors.As(err, &damage) {
				if err == nil {
					b.Close()
				}
				t.Errorf("OpenBadger = %v, want CorruptError", err)
			}
		})
	}
}

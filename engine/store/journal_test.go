package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// powerCut returns im as a power cut could have left it: of the logs of Badger,
// which are not synced, any page may be missing.
func powerCut(im image, lost func(page int) bool) image {
	const page = 4096
	cut := maps.Clone(im)
	for _, name := range im.names(".mem") {
		data := bytes.Clone(im[name].data)
		for at := 0; at < len(data); at += page {
			if lost(at / page) {
				clear(data[at:min(at+page, len(data))])
			}
		}
		cut[name] = imageFile{data, im[name].size}
	}
	return cut
}

func everyPage(int) bool { return true }

// What was acknowledged survives a power cut, whatever Badger had not synced.
func TestPowerCut(t *testing.T) {
	im := killedImage(t)
	want, err := examine(im.restore(t), false)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	cuts := map[string]image{
		"nothing of the logs":        powerCut(im, everyPage),
		"all but the first page":     powerCut(im, func(page int) bool { return page > 0 }),
		"the first page":             powerCut(im, func(page int) bool { return page == 0 }),
		"the logs were never linked": maps.Clone(im),
	}
	for _, name := range im.names(".mem") {
		delete(cuts["the logs were never linked"], name)
	}
	for i := range 20 {
		cuts[fmt.Sprint("some pages ", i)] = powerCut(im, func(int) bool { return r.IntN(4) == 0 })
	}
	for name, cut := range cuts {
		dir := cut.restore(t)
		for round := range 2 { // the second time there is nothing to recover
			got, err := examine(dir, false)
			if err != nil || !sameRows(got, want) {
				t.Errorf("%s, opened %d times: %d rows, want %d, %v", name, round+1, len(got), len(want), err)
			}
		}
	}
}

// fiftyRecords is a directory after kill -9 whose journal holds 50 records, one
// frame each; marker-NN- is in record NN.
func fiftyRecords(t *testing.T) image {
	dir := t.TempDir()
	b := mustOpen(t, dir)
	defer b.Close()
	mark := takeImage(t, dir)[markFile]
	for i := range 50 {
		mustTry(t, &b.core, op(fmt.Sprint("id", i), fmt.Sprintf("marker-%02d-", i+1)))
	}
	settled(t, b)
	im := takeImage(t, dir)
	im[markFile] = mark // of the moment before: it may be behind
	return im
}

// The last frame may be torn: it was not acknowledged. Any other was.
func TestDamagedJournalIsCounted(t *testing.T) {
	im := fiftyRecords(t)
	const name = "journal.0"
	for _, n := range []int{1, 20, 49, 50} {
		hurt := maps.Clone(im)
		data := bytes.Clone(im[name].data)
		data[bytes.Index(data, fmt.Appendf(nil, "marker-%02d-", n))] ^= 1
		hurt[name] = imageFile{data, im[name].size}

		b := mustOpen(t, hurt.restore(t)) // Badger has it all
		if b.Applied() != 50 {
			t.Errorf("damaged at record %d, logs whole: head %d, want 50", n, b.Applied())
		}
		verifyCore(t, b)
		b.Close()

		dir := powerCut(hurt, everyPage).restore(t)
		o := quickOpen
		if n < 50 {
			_, err := OpenBadger(dir, o)
			var lost *ErrLost
			if !errors.As(err, &lost) || lost.Missing != Seq(51-n) {
				t.Errorf("damaged at record %d: %v, want %d missing", n, err, 51-n)
			}
			o.AcceptLoss = true
		}
		b, err := OpenBadger(dir, o)
		if err != nil {
			t.Fatalf("damaged at record %d, AcceptLoss %t: %v", n, o.AcceptLoss, err)
		}
		if b.Applied() != Seq(n-1) {
			t.Errorf("damaged at record %d: head %d, want %d", n, b.Applied(), n-1)
		}
		mustTry(t, &b.core, op("a", "again"))
		verifyCore(t, b)
		b.Close()
		b = mustOpen(t, dir)
		if b.Applied() != Seq(n) {
			t.Errorf("damaged at record %d, opened again: head %d, want %d", n, b.Applied(), n)
		}
		b.Close()
	}
}

// Who reads after an Append sees it, though the database gets it later.
func TestReadAfterAppend(t *testing.T) {
	b := mustOpen(t, t.TempDir())
	defer b.Close()
	large := bytes.Repeat([]byte("x"), 700<<10)
	for i := range 50 {
		id := fmt.Sprint(i)
		mustTry(t, &b.core, Op{Key: Key{App: 1, ID: id}, Value: large})
		v, err := b.View()
		if err != nil {
			t.Fatal(err)
		}
		if row, err := v.Get(Key{App: 1, ID: id}); err != nil || len(row.Value) != len(large) {
			t.Errorf("Get(%s) right after Append: %d bytes, %v", id, len(row.Value), err)
		}
		v.Close()
	}
}

// Append returns after its frame was synced, and not before.
func TestAppendSyncs(t *testing.T) {
	b := mustOpen(t, t.TempDir())
	defer b.Close()
	j := b.rows.journal
	j.direct = false // what is written so is TestDirectWrites
	synced := int64(0)
	j.sync = func(f *os.File) error {
		st, err := f.Stat()
		synced = st.Size()
		return errors.Join(err, syncData(f))
	}
	for i := range 3 {
		synced = 0
		mustTry(t, &b.core, op("a", fmt.Sprint(i)))
		if at := j.segments[j.active].at; at == 0 || synced < at {
			t.Errorf("append %d: %d bytes were there when it was synced, want %d", i, synced, at)
		}
	}
	j.sync = func(*os.File) error { return errors.New("input/output error") }
	if err := b.try(op("a", "lost")); !errors.Is(err, ErrUnknown) {
		t.Errorf("Append with a failing disk = %v, want ErrUnknown", err)
	}
	if err := b.try(op("a", "later")); !errors.Is(err, ErrFailed) {
		t.Errorf("Append afterwards = %v, want ErrFailed", err)
	}
	j.sync = syncData
}

// A segment is used again only when the database can do without it: what a
// power cut leaves of tables and synced logs, and the journal, is everything.
func TestJournalTurns(t *testing.T) {
	dir := t.TempDir()
	o := quickOpen
	o.MemTableSize = 128 << 20 // nothing becomes a table: logs must be synced
	b, err := OpenBadger(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	durable := image{}
	b.rows.journal.syncLog = func(name string) error {
		data, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		durable[filepath.Base(name)] = imageFile{data, int64(len(data))}
		return errors.Join(err, syncFile(name))
	}
	value := make([]byte, 512<<10)
	r := rand.NewChaCha8([32]byte{})
	for i := range 5 * segmentBytes / len(value) / 2 {
		_, _ = r.Read(value)
		mustTry(t, &b.core, Op{Key: Key{App: 1, ID: fmt.Sprint("id", i)}, Value: bytes.Clone(value)}, op("last", fmt.Sprint(i)))
	}
	if len(durable) == 0 {
		t.Error("no log was synced")
	}
	settled(t, b)
	im := takeImage(t, dir)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	want, err := examineWith(dir, o, false)
	if err != nil {
		t.Fatal(err)
	}
	cut := powerCut(im, everyPage)
	for name, f := range durable {
		if _, still := cut[name]; still {
			cut[name] = f
		}
	}
	got, err := examineWith(cut.restore(t), o, false)
	if err != nil || !sameRows(got, want) {
		t.Errorf("after the power cut: %d rows, want %d, %v", len(got), len(want), err)
	}
}

// A clean stop leaves nothing to recover; the journal is given up from its
// older end, and an older end alone leads back to nothing.
func TestJournalIsGivenUpInOrder(t *testing.T) {
	dir := t.TempDir()
	o := quickOpen
	o.MemTableSize = 64 << 20 // nothing becomes a table while the image is taken
	b, err := OpenBadger(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	mustTry(t, &b.core, op("gone", "1"))
	filler := make([]byte, 512<<10)
	for i := range segmentBytes/len(filler) + 2 {
		mustTry(t, &b.core, Op{Key: Key{App: 2, ID: fmt.Sprint(i)}, Value: filler})
	}
	mustTry(t, &b.core, Op{Key: Key{App: 1, ID: "gone"}})
	settled(t, b)
	im := takeImage(t, dir)
	if b.rows.journal.active != 1 {
		t.Fatal("the journal has not turned")
	}
	b.Close()
	if s, err := readJournal(dir); err != nil || len(s.frames) > 0 || s.beyond > 0 {
		t.Errorf("after Close the journal has %d frames, beyond %d, %v", len(s.frames), s.beyond, err)
	}
	// Compaction then forgets that there ever was what was deleted.
	for i := range 7 {
		b := mustOpen(t, dir)
		mustTry(t, &b.core, op("last", fmt.Sprint(i)))
		if i == 6 {
			compact(t, b)
		}
		b.Close()
	}
	want, err := examine(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	// After all that, with one of the segments as it was.
	closed := takeImage(t, dir)
	for _, name := range []string{"journal.1", "journal.0"} {
		half := maps.Clone(closed)
		half[name] = im[name]
		got, err := examine(half.restore(t), true)
		if err != nil || !sameRows(got, want) {
			t.Errorf("%s not given up: %d rows, want %d, %v", name, len(got), len(want), err)
		}
	}
}

// Frames of an earlier use of a segment are never taken for new ones.
func TestStaleFramesAreNotRead(t *testing.T) {
	im := fiftyRecords(t)
	dir := im.restore(t)
	b := mustOpen(t, dir)
	mustTry(t, &b.core, op("a", "51"))
	settled(t, b)
	again := takeImage(t, dir)
	b.Close()
	s, err := readJournal(again.restore(t))
	if err != nil || len(s.frames) != 1 || s.frames[0].at != 51 || s.beyond != 0 {
		t.Errorf("the journal has %d frames, beyond %d, %v; want the one of record 51", len(s.frames), s.beyond, err)
	}
}

// FuzzJournal: bytes of any kind are read without panic, and what is read as a
// frame has its checksum.
func FuzzJournal(f *testing.F) {
	dir := f.TempDir()
	j, err := openJournal(dir, &journalState{next: 1})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if err := j.append(Seq(i+1), []write{{[]byte("key"), []byte("value")}, {[]byte("gone"), nil}}); err != nil {
			f.Fatal(err)
		}
	}
	j.close()
	b, err := os.ReadFile(segmentName(dir, 0))
	if err != nil {
		f.Fatal(err)
	}
	b = bytes.TrimRight(b, "\x00")
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add(b[frameAlign:])
	f.Fuzz(func(t *testing.T, b []byte) {
		chain, left := readSegment(b)
		for i, f := range chain {
			if i > 0 && f.number != chain[i-1].number+1 {
				t.Errorf("frame %d follows frame %d", f.number, chain[i-1].number)
			}
		}
		if len(chain)+len(left) > len(b)/frameHeader {
			t.Errorf("%d frames in %d bytes", len(chain)+len(left), len(b))
		}
	})
}

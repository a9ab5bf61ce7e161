//go:build linux && (amd64 || arm64)

package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// dirtyPages returns how many pages of a file the kernel has not brought to the
// disk, or has not yet been told to have arrived there.
func dirtyPages(t *testing.T, f *os.File) uint64 {
	t.Helper()
	var stat unix.Cachestat_t
	if err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &stat, 0); err != nil {
		t.Skipf("this kernel does not tell which pages are dirty: %v", err)
	}
	return stat.Dirty + stat.Writeback
}

// A syncer brings to the disk what was written, every time, and tells when it
// could not.
func TestSyncer(t *testing.T) {
	s, err := newSyncer()
	if err != nil {
		t.Skipf("there is no asynchronous I/O here: %v", err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range 100 {
		if _, err := f.WriteAt(make([]byte, 64<<10), int64(i%3)<<16); err != nil {
			t.Fatal(err)
		}
		if dirtyPages(t, f) == 0 {
			t.Fatal("nothing was there to be synced: the test sees nothing")
		}
		if err := s.sync(f); err != nil {
			t.Fatal(err)
		}
		if n := dirtyPages(t, f); n != 0 {
			t.Fatalf("sync %d: %d pages are not on the disk", i, n)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := s.sync(w); err == nil {
		t.Error("a pipe was synced")
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if err := s.sync(f); err != nil {
		t.Errorf("sync by a closed syncer, which is a plain one: %v", err)
	}
}

// flushes returns how often the disk that a file is on was told to make durable
// what it has in its cache. It reports false where it has none, or that cannot
// be known.
func flushes(t *testing.T, f *os.File) (n int, ok bool) {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	dir := fmt.Sprintf("/sys/dev/block/%d:%d/", unix.Major(stat.Dev), unix.Minor(stat.Dev))
	cache, err := os.ReadFile(dir + "queue/write_cache")
	if err != nil || !strings.Contains(string(cache), "write back") {
		return 0, false
	}
	counts, err := os.ReadFile(dir + "stat")
	fields := strings.Fields(string(counts))
	if err != nil || len(fields) < 16 {
		return 0, false
	}
	_, err = fmt.Sscan(fields[15], &n)
	return n, err == nil
}

// What is written past the kernel's memory is whole, in its place, and durable
// when the call returns. What the kernel would refuse is not begun.
func TestDirectWrites(t *testing.T) {
	s, err := newSyncer()
	if err != nil {
		t.Skipf("there is no asynchronous I/O here: %v", err)
	}
	defer s.close()
	dir := t.TempDir()
	j, err := openJournal(dir, &journalState{next: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if !j.direct {
		t.Skip("DIRECT WRITES NOT TESTED: this file system has none")
	}
	f, past := j.segments[0].f, j.segments[0].past
	if err := j.segments[0].fillAndSync(j, 1<<20); err != nil {
		t.Fatal(err)
	}
	before, counted := flushes(t, f)
	const writes = 100
	want := make([]byte, 1<<20)
	for i := range writes {
		size, at := directAlign*(1+i%4), int64(i%50*4*directAlign)
		b := j.room(size)[:size]
		copy(b, bytes.Repeat([]byte{byte(i + 1)}, size))
		if begun, err := s.write(past, b, at); !begun || err != nil {
			t.Fatalf("write %d: %t, %v", i, begun, err)
		}
		copy(want[at:], b)
		if n := dirtyPages(t, f); n != 0 {
			t.Fatalf("write %d: %d pages are not on the disk", i, n)
		}
	}
	// Flushes of several may be one; half of them are ours for certain.
	if after, _ := flushes(t, f); counted && after-before < writes/2 {
		t.Errorf("%d writes, and the disk was told %d times to keep what it has", writes, after-before)
	}
	got, err := readFile(nil, segmentName(dir, 0))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("what was written is not what is there: %d bytes, %v", len(got), err)
	}
	b := j.room(directAlign)[:directAlign]
	if begun, err := s.write(past, b[:100], 0); begun || err != nil {
		t.Errorf("a write of 100 bytes: %t, %v", begun, err)
	}
	if begun, err := s.write(past, b, 5); begun || err != nil {
		t.Errorf("a write at 5: %t, %v", begun, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if begun, err := s.write(r, b, 0); begun {
		t.Errorf("a write to what is for reading: %t, %v", begun, err)
	}
}

func (s *segment) fillAndSync(j *journal, need int64) error {
	if _, err := s.fill(need); err != nil {
		return err
	}
	return j.sync(s.f)
}

// Frames are read back whichever way they were written, and where the direct
// way ends in the middle the other one goes on.
func TestFramesBothWays(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir, &journalState{next: 1})
	if err != nil {
		t.Fatal(err)
	}
	const frames = 200
	for i := range frames {
		if i%50 == 25 {
			j.direct = !j.direct && j.segments[0].past != nil
		}
		if err := j.append(Seq(i+1), []write{{[]byte("key"), bytes.Repeat([]byte{byte(i)}, i*97)}, {[]byte("gone"), nil}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	s, err := readJournal(dir)
	if err != nil || len(s.frames) != frames || s.beyond != 0 {
		t.Fatalf("%d frames, beyond %d, %v", len(s.frames), s.beyond, err)
	}
	for i, f := range s.frames {
		if f.at != Seq(i+1) || len(f.writes) != 2 || len(f.writes[0].sealed) != i*97 || f.writes[1].sealed != nil {
			t.Errorf("frame %d is of record %d with %d writes", i, f.at, len(f.writes))
		}
	}
}

//go:build linux && (amd64 || arm64)

package store

import (
	"os"
	"path/filepath"
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

package bench_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern/bench"
)

// A metric is the sum over its labels, and of its own name only.
func TestScrape(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/-/metrics" {
			t.Errorf("asked for %s", r.URL)
		}
		fmt.Fprint(w, "# TYPE x gauge\nx{kind=\"a } b\"} 2\nx{kind=\"c\"} 3.5\nx_total 100\nzero 0\n")
	}))
	defer s.Close()
	for name, want := range map[string]string{"x": "5.5", "x_total": "100", "zero": "0", "y": "none"} {
		v, err := bench.Scrape(strings.TrimPrefix(s.URL, "http://"), name)
		got := "none"
		if v != nil {
			got = fmt.Sprint(*v)
		}
		if err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", name, got, want, err)
		}
	}
}

// What is named a snapshot goes, and nothing else.
func TestRemoveSnapshots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "snapshot of a test") // the directory itself stays
	for _, name := range []string{"000001.sst", "index/snapshot-7.bin", "index/snapshot-8.bin", "index/zother", "Snapshots/a/b"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := bench.RemoveSnapshots(dir)
	for i := range removed {
		removed[i] = filepath.ToSlash(removed[i])
	}
	slices.Sort(removed)
	if want := []string{"Snapshots", "index/snapshot-7.bin", "index/snapshot-8.bin"}; err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %v, want %v (%v)", removed, want, err)
	}
	for _, name := range []string{"000001.sst", "index/zother"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if again, err := bench.RemoveSnapshots(dir); err != nil || len(again) != 0 {
		t.Errorf("again: %v, %v", again, err)
	}
}

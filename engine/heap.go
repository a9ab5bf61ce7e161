package engine

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
)

// The collector's share: a heap of up to headroom of live data may grow by
// that much between collections, though at most to five times its size; a
// larger one by as much as is live, which is Go's default.
const (
	headroom     = 128 << 20
	smallPercent = 400
	largePercent = 100
)

// memoryPart is of what the process may have as much memory as Go is to take:
// the rest is for files that are read in place.
const memoryPart = 0.75

// PaceCollector makes Go's collector run less often while the heap is small,
// where memory is cheaper than the marking (durable writes over HTTP: +15 %),
// and more often when the machine's memory, or the control group's, is nearly
// used up. It is of the process, so it is for commands, not for a library; what
// GOGC or GOMEMLIMIT says stays.
func PaceCollector() {
	if most := availableMemory("/"); most > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(float64(most) * memoryPart))
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(smallPercent)
	afterCollection(smallPercent)
}

// afterCollection sets the percentage anew behind every collection.
func afterCollection(percent int) {
	runtime.AddCleanup(new(*int), func(percent int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		want := collectorPercent(live[0].Value.Uint64())
		if want != percent {
			debug.SetGCPercent(want)
		}
		afterCollection(want)
	}, percent)
}

// collectorPercent is by how much a heap may grow.
func collectorPercent(live uint64) int {
	return int(min(max(headroom*100/max(live, 1), largePercent), smallPercent))
}

// availableMemory is how many bytes the process may have, 0 where that is not
// known: of the whole machine or of the control group (version 2) that it is in.
// root is where the system's files are.
func availableMemory(root string) (most uint64) {
	text, _ := os.ReadFile(filepath.Join(root, "proc/meminfo")) // only Linux has these
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" {
			kib, _ := strconv.ParseUint(f[1], 10, 50)
			most = kib << 10
		}
	}
	path := ""
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(groups)) {
		if of, ok := strings.CutPrefix(line, "0::/"); ok {
			path = strings.TrimSpace(of)
		}
	}
	// A group is bounded by those that it is in.
	for {
		text, _ := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", path, "memory.max"))
		if bytes, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && bytes > 0 {
			most = min(most, bytes)
		}
		if path == "." || path == "" {
			return most
		}
		path = filepath.Dir(path)
	}
}

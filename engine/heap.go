package engine

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The collector's share: a heap of up to headroom of live data may grow by
// that much between collections, though at most to five times its size; a
// larger one by as much as is live, which is Go's default.
const (
	headroom     = 128 << 20
	smallPercent = 400
	largePercent = 100
)

// PaceCollector makes Go's collector run less often while the heap is small,
// where memory is cheaper than the marking (durable writes over HTTP: +15 %).
// It is of the process, so it is for commands, not for a library; it does
// nothing when GOGC is set.
func PaceCollector() {
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

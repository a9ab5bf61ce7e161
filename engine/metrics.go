package engine

import (
	"fmt"
	"io"

	"github.com/VictoriaMetrics/metrics"
)

// metrics are the figures of one engine in Prometheus' text form.
type engineMetrics struct {
	set       *metrics.Set
	duration  *metrics.Histogram
	denials   *metrics.Counter
	throttled *metrics.Counter
	panics    *metrics.Counter
	groups    *metrics.Counter
	intents   *metrics.Counter
	rebuilds  *metrics.Counter
	displaced *metrics.Counter
	touched   *metrics.Counter

	sampled      [sampledKinds]*metrics.Counter // of the audit, by kind
	auditDropped *metrics.Counter
}

func newMetrics(e *Engine) *engineMetrics {
	s := metrics.NewSet()
	m := &engineMetrics{
		set:       s,
		duration:  s.NewHistogram("postern_request_duration_seconds"),
		denials:   s.NewCounter("postern_denials_total"),
		throttled: s.NewCounter("postern_throttled_total"),
		panics:    s.NewCounter("postern_panics_total"),
		groups:    s.NewCounter("postern_commit_groups_total"),
		intents:   s.NewCounter("postern_commit_intents_total"),
		rebuilds:  s.NewCounter("postern_index_rebuilds_total"),
		displaced: s.NewCounter("postern_index_displaced_total"),
		touched:   s.NewCounter("postern_index_touched_total"),
	}
	for kind := range m.sampled {
		m.sampled[kind] = s.NewCounter(`postern_audit_events_total{kind="` + sampledNames[kind].metric + `"}`)
	}
	m.auditDropped = s.NewCounter("postern_audit_dropped_total")
	s.NewGauge("postern_audit_records", func() float64 { return float64(e.system.Load().audit.N) })
	s.NewGauge("postern_store_seq", func() float64 { seq, _ := e.driver.Head(); return float64(seq) })
	s.NewGauge("postern_store_failed", func() float64 {
		if e.broken.Load() {
			return 1
		}
		return 0
	})
	s.NewGauge("postern_store_free_bytes", func() float64 {
		space, err := e.driver.Free()
		if err != nil {
			return 0
		}
		return float64(space.Free)
	})
	s.NewGauge("postern_queries_waiting", func() float64 { return float64(e.pacer.waiting.Load()) })
	s.NewGauge("postern_index_building", func() float64 {
		if e.indexer.busy() {
			return 1
		}
		return 0
	})
	s.NewGauge("postern_index_bytes", func() float64 { b, _ := e.indexSize(); return float64(b) })
	s.NewGauge("postern_index_postings", func() float64 { _, n := e.indexSize(); return float64(n) })
	if n := e.snapshots; n != nil {
		s.NewGauge("postern_snapshots_written_total", func() float64 { return float64(n.written.Load()) })
		s.NewGauge("postern_snapshots_used_total", func() float64 { return float64(n.used.Load()) })
		s.NewGauge("postern_snapshots_failed_total", func() float64 { return float64(n.failed.Load()) })
	}
	s.NewGauge("postern_rows_heap_bytes", func() float64 { heap, _ := e.rowsSize(); return float64(heap) })
	s.NewGauge("postern_rows_mapped_bytes", func() float64 { _, mapped := e.rowsSize(); return float64(mapped) })
	s.NewGauge("postern_apps", func() float64 { return float64(len(e.environments(""))) })
	return m
}

// answers is the counter of answers by method and class of status. Apps, ids
// and names never are labels.
func (m *engineMetrics) answers(method string, class int) *metrics.Counter {
	return m.set.GetOrCreateCounter(fmt.Sprintf(`postern_requests_total{method=%q,status="%dxx"}`, method, class))
}

func (m *engineMetrics) write(w io.Writer) {
	m.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}

// indexSize returns the memory of the sets of all bases, and how many grants
// they hold, one for each order.
func (e *Engine) indexSize() (bytes, grants int) {
	for _, a := range e.apps.Load().byNumber {
		a.view.Load().collections.Scan(func(_ string, c *collection) bool {
			for _, o := range c.rows.base.orders {
				b, _, n := o.sets.Bytes()
				bytes, grants = bytes+b, grants+n
			}
			return true
		})
	}
	return bytes, grants
}

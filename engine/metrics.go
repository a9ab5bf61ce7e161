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
	}
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

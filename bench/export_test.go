package bench

import (
	"io"
	"time"
)

// Hide keeps entities of the private data set from the oracle.
func (o *Options) Hide(hide func(i int) bool) { o.hide = hide }

// Arrive is arrive; it returns the median in ms.
func Arrive(rate float64, length time.Duration, workers int, do func(worker, i int) error) (float64, int64, error) {
	r, err := arrive(rate, length, workers, do)
	if err != nil {
		return 0, 0, err
	}
	return r.P50, r.Count, nil
}

// Judge makes the gates of a report as a run does.
func (r *Report) Judge(out io.Writer) { (&run{out: out, report: r}).judge() }

// Outcome is the last column.
func (g *Gate) Outcome() string { return g.outcome() }

var (
	Scrape          = scrape
	RemoveSnapshots = removeSnapshots
)

package bench

import "time"

// The bounds of the warm-up: what has not settled by then is measured as it is,
// and the report says so.
const (
	warmConnections = 4
	warmPasses      = 5 // through all queries
	warmWindows     = 20
	warmWithin      = 1.15             // the largest of three rates against the smallest
	buildLimit      = 40 * time.Minute // an order of ten million takes five, at a quarter of a core
)

// warm repeats the queries until their rates stay: what the engine builds behind
// queries that come again is built then. That may come to all of them late, so
// there is another pass as long as one has made a query faster.
func (b *run) warm(s *server, queries []*query) error {
	last := make([]float64, len(queries))
	for _, q := range queries {
		q.report.WarmUp = 0
	}
	for pass := range warmPasses {
		faster := false
		for k, q := range queries {
			rate, err := b.settle(s, q)
			if err != nil {
				return err
			}
			faster = faster || rate > warmWithin*last[k]
			last[k] = rate
		}
		if err := built(s); err != nil {
			return err
		}
		if pass > 0 && !faster {
			break
		}
	}
	return nil
}

// settle repeats a query for as long as its rate changes, and returns the last.
func (b *run) settle(s *server, q *query) (rate float64, err error) {
	began := time.Now()
	short := *b
	short.Length = max(b.Length/5, 20*time.Millisecond)
	short.Connections = min(b.Connections, warmConnections)
	var rates []float64
	q.report.Settled = false
	for len(rates) < warmWindows && !q.report.Settled && time.Since(began) < 10*b.Length {
		if rate, err = short.ours(s, q); err != nil {
			return 0, err
		}
		rates = append(rates, rate)
		if n := len(rates); n >= 3 {
			last := rates[n-3:]
			q.report.Settled = max(last[0], last[1], last[2]) <= warmWithin*min(last[0], last[1], last[2])
		}
	}
	q.report.WarmUp += time.Since(began).Seconds()
	return rate, nil
}

// built waits until the engine builds nothing, if it says so.
func built(s *server) error {
	for end := time.Now().Add(buildLimit); time.Now().Before(end); {
		n, err := scrape(s.address, metricBuilding)
		if err != nil || n == nil || *n == 0 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

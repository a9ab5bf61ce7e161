package bench

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// An Arrival is what requests come to that arrive at a fixed rate. Times are ms
// from the moment at which a request was to be sent, whether it could be or not,
// until its answer was read; the median of the rounds' percentiles.
type Arrival struct {
	Rate    float64   `json:"rate"` // a second, as intended
	Of      float64   `json:"of"`   // ... in parts of the closed loop's, 0: given
	P50     float64   `json:"p50"`
	P99     float64   `json:"p99"`
	P999    float64   `json:"p999"`
	Late99  float64   `json:"late99"` // how late the generator itself was
	Count   int64     `json:"count"`  // requests of all rounds
	P50s    []float64 `json:"p50s"`
	P99s    []float64 `json:"p99s"`
	P999s   []float64 `json:"p999s"`
	Late99s []float64 `json:"late99s"`
}

const (
	lowest   = 1 // microseconds
	highest  = int64(time.Minute / time.Microsecond)
	digits   = 3
	openMost = 64 // connections that wait for their turn
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, digits) }

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), lowest), highest)) // in range
}

// arrive sends requests at a rate, in equal distances, for a length, and adds
// the round. do sends one on a connection of its own for each worker.
func (a *Arrival) arrive(length time.Duration, workers int, do func(worker, i int) error) error {
	type turn struct {
		i   int
		due time.Duration // since began
	}
	n := max(int(a.Rate*length.Seconds()), 1)
	distance := time.Duration(float64(time.Second) / a.Rate)
	turns := make(chan turn, n) // all of them: the generator never waits for an answer
	late := newHistogram()
	took := make([]*hdrhistogram.Histogram, workers)
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	began := time.Now()
	for w := range workers {
		took[w] = newHistogram()
		wg.Go(func() {
			for t := range turns {
				if failed.Load() != nil {
					continue
				}
				if err := do(w, t.i); err != nil {
					failed.Store(&err)
				}
				record(took[w], time.Since(began)-t.due)
			}
		})
	}
	wg.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(turns)
		for i := range n {
			due := time.Duration(i) * distance
			for {
				wait := due - time.Since(began)
				if wait <= 0 {
					break
				}
				pause(wait)
			}
			record(late, time.Since(began)-due)
			turns <- turn{i, due}
			if failed.Load() != nil {
				return
			}
		}
	})
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	all := newHistogram()
	for _, h := range took {
		all.Merge(h)
	}
	ms := func(h *hdrhistogram.Histogram, p float64) float64 { return float64(h.ValueAtPercentile(p)) / 1000 }
	a.Count += all.TotalCount()
	a.P50s, a.P99s, a.P999s = append(a.P50s, ms(all, 50)), append(a.P99s, ms(all, 99)), append(a.P999s, ms(all, 99.9))
	a.Late99s = append(a.Late99s, ms(late, 99))
	a.P50, a.P99, a.P999, a.Late99 = median(a.P50s), median(a.P99s), median(a.P999s), median(a.Late99s)
	return nil
}

// slowest is the closed loop's rate below which percentiles of an open loop
// would be of a few requests only.
const slowest = 50

// arrivals measures a query at parts of its closed loop's rate.
func (b *run) arrivals(s *server, queries []*query) error {
	clients := make([][]*client, len(queries))
	for k, q := range queries {
		rate := median(q.report.Ours)
		if rate < slowest {
			continue
		}
		clients[k] = q.connect(s, openMost)
		defer closeAll(clients[k])
		for _, of := range []float64{0.3, 0.6} {
			q.report.Open = append(q.report.Open, &Arrival{Rate: rate * of, Of: of})
		}
	}
	for range b.Rounds {
		for k, q := range queries {
			for _, a := range q.report.Open {
				err := a.arrive(b.Length, openMost, func(w, i int) error { return q.call(clients[k][w], i) })
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// A Beside is q1 alone and beside durable writes.
type Beside struct {
	Writes float64  `json:"writes"` // a second, as intended
	Rest   *Arrival `json:"rest"`
	Under  *Arrival `json:"under"`
	Write  *Arrival `json:"write"` // the writes themselves
}

// beside measures q at a third of its rate, alone and while entities are
// inserted into the same collection that its user does not see.
func (b *run) beside(s *server, q *query, writer *person, insert func(c *client, i int) error) (*Beside, error) {
	rate := median(q.report.Ours) * 0.3
	r := &Beside{Writes: b.Writes, Rest: &Arrival{Rate: rate, Of: 0.3}, Under: &Arrival{Rate: rate, Of: 0.3}, Write: &Arrival{Rate: b.Writes}}
	readers := q.connect(s, openMost)
	defer closeAll(readers)
	writers := make([]*client, openMost)
	for i := range writers {
		writers[i] = newClient(s.address, writer.authorization)
	}
	defer closeAll(writers)
	read := func(w, i int) error { return q.call(readers[w], i) }
	length := 2 * b.Length
	for range b.Rounds {
		if err := r.Rest.arrive(length, openMost, read); err != nil {
			return nil, fmt.Errorf("at rest: %w", err)
		}
		written := make(chan error, 1)
		go func() {
			written <- r.Write.arrive(length, openMost, func(w, i int) error { return insert(writers[w], i) })
		}()
		err := r.Under.arrive(length, openMost, read)
		if e := <-written; err == nil {
			err = e
		}
		if err != nil {
			return nil, fmt.Errorf("beside writes: %w", err)
		}
	}
	return r, nil
}

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
	Rate     float64   `json:"rate"` // a second, as intended
	Of       float64   `json:"of"`   // ... in parts of the closed loop's, 0: given
	P50      float64   `json:"p50"`
	P99      float64   `json:"p99"`
	P999     float64   `json:"p999"`
	Late99   float64   `json:"late99"`  // how late the generator itself was
	Reached  float64   `json:"reached"` // answers a second until the last one came
	Count    int64     `json:"count"`   // requests of all rounds
	P50s     []float64 `json:"p50s"`
	P99s     []float64 `json:"p99s"`
	P999s    []float64 `json:"p999s"`
	Late99s  []float64 `json:"late99s"`
	Reacheds []float64 `json:"reacheds"`
}

// full tells whether the server did not keep up: the percentiles are then of a
// queue that grows.
func (a *Arrival) full() bool { return a.Reached < 0.95*a.Rate }

// text is p50, p99 and p99.9 with the generator's own delay.
func (a *Arrival) text() string {
	mark := " "
	if a.full() {
		mark = "+"
	}
	return fmt.Sprintf("%7.2f %7.2f %7.2f (%5.2f)%s", a.P50, a.P99, a.P999, a.Late99, mark)
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

// A round is what one measurement at a fixed rate came to, in ms.
type round struct {
	P50, P99, P999, Late99 float64
	Reached                float64 // answers a second
	Count                  int64
}

// arrive sends requests at a rate, in equal distances, for a length. do sends
// one on a connection of its own for each worker.
func arrive(rate float64, length time.Duration, workers int, do func(worker, i int) error) (*round, error) {
	type turn struct {
		i   int
		due time.Duration // since began
	}
	n := max(int(rate*length.Seconds()), 1)
	distance := time.Duration(float64(time.Second) / rate)
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
		for i := 0; i < n && failed.Load() == nil; i++ {
			due := time.Duration(i) * distance
			for wait := due - time.Since(began); wait > 0; wait = due - time.Since(began) {
				pause(wait)
			}
			record(late, time.Since(began)-due)
			turns <- turn{i, due}
		}
	})
	wg.Wait()
	whole := max(time.Since(began), time.Duration(n)*distance)
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	all := newHistogram()
	for _, h := range took {
		all.Merge(h)
	}
	ms := func(h *hdrhistogram.Histogram, p float64) float64 { return float64(h.ValueAtPercentile(p)) / 1000 }
	return &round{ms(all, 50), ms(all, 99), ms(all, 99.9), ms(late, 99), float64(n) / whole.Seconds(), all.TotalCount()}, nil
}

// Traffic is what another process sends: in this one the requests would wait for
// the scheduler of the server that they are to measure.
type traffic struct {
	Address       string
	Authorization string
	Paths         []string // asked for in turn
	Lengths       []int    // of their answers
	Insert        bool     // documents are sent to the first path instead
	Rate          float64
	Length        time.Duration
}

// send is the work of that process.
func (l *traffic) send() (*round, error) {
	clients := make([]*client, openMost)
	for i := range clients {
		clients[i] = newClient(l.Address, l.Authorization)
		if err := clients[i].dial(); err != nil {
			return nil, err
		}
	}
	defer closeAll(clients)
	return arrive(l.Rate, l.Length, openMost, func(w, i int) error {
		if l.Insert {
			return insert(clients[w], l.Paths[0], i)
		}
		k := i % len(l.Paths)
		return get(clients[w], l.Paths[k], l.Lengths[k])
	})
}

// measure takes a round in another process.
func (a *Arrival) measure(b *run, l traffic) error {
	l.Rate = a.Rate
	r := new(round)
	if err := b.inChild("traffic", &l, r); err != nil {
		return err
	}
	a.Count += r.Count
	a.P50s, a.P99s, a.P999s = append(a.P50s, r.P50), append(a.P99s, r.P99), append(a.P999s, r.P999)
	a.Late99s, a.Reacheds = append(a.Late99s, r.Late99), append(a.Reacheds, r.Reached)
	a.P50, a.P99, a.P999, a.Late99 = median(a.P50s), median(a.P99s), median(a.P999s), median(a.Late99s)
	a.Reached = median(a.Reacheds)
	return nil
}

// slowest is the closed loop's rate below which percentiles of an open loop
// would be of a few requests only.
const slowest = 50

// traffic is that of the query's requests.
func (q *query) traffic(s *server, length time.Duration) traffic {
	l := traffic{Address: s.address, Authorization: q.asks[0].who.authorization, Paths: q.paths, Length: length}
	for _, want := range q.want {
		l.Lengths = append(l.Lengths, len(want))
	}
	return l
}

// arrivals measures queries at parts of their closed loop's rate.
func (b *run) arrivals(s *server, queries []*query) error {
	for _, q := range queries {
		if rate := median(q.report.Ours); rate >= slowest {
			q.report.Open = []*Arrival{{Rate: rate * 0.3, Of: 0.3}, {Rate: rate * 0.6, Of: 0.6}}
			q.report.OpenFloor = &Arrival{Rate: rate * 0.3, Of: 0.3}
		}
	}
	for range b.Rounds {
		for _, q := range queries {
			if a := q.report.OpenFloor; a != nil {
				t := q.traffic(s, b.Length)
				t.Address, t.Paths, t.Lengths = q.static.address, t.Paths[:1], t.Lengths[:1]
				if err := a.measure(b, t); err != nil {
					return fmt.Errorf("%s's floor at %.0f/s: %w", q.name, a.Rate, err)
				}
			}
			for _, a := range q.report.Open {
				if err := a.measure(b, q.traffic(s, b.Length)); err != nil {
					return fmt.Errorf("%s at %.0f/s: %w", q.name, a.Rate, err)
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

// beside measures q at a third of its rate, alone and while the writer inserts
// entities at path that q's user does not see.
func (b *run) beside(s *server, q *query, writer *person, path string) (*Beside, error) {
	rate := median(q.report.Ours) * 0.3
	r := &Beside{Writes: b.Writes, Rest: &Arrival{Rate: rate, Of: 0.3}, Under: &Arrival{Rate: rate, Of: 0.3}, Write: &Arrival{Rate: b.Writes}}
	reads := q.traffic(s, 2*b.Length)
	writes := traffic{Address: s.address, Authorization: writer.authorization, Paths: []string{path}, Insert: true, Length: 2 * b.Length}
	for range b.Rounds {
		if err := r.Rest.measure(b, reads); err != nil {
			return nil, fmt.Errorf("at rest: %w", err)
		}
		written := make(chan error, 1)
		go func() { written <- r.Write.measure(b, writes) }()
		err := r.Under.measure(b, reads)
		if e := <-written; err == nil {
			err = e
		}
		if err != nil {
			return nil, fmt.Errorf("beside writes: %w", err)
		}
	}
	return r, nil
}

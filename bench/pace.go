package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// callers are the connections of cheap requests.
const callers = 8

// A pacing is what cheap requests come to beside so many connections that send
// expensive queries, one value a round.
type pacing struct {
	scanners        int
	rate, p50, p99  []float64 // of cheap requests: a second, and ms
	scans, refusals []float64 // expensive queries answered and refused, a second
}

// pace measures what the expensive queries of one user, who sees everything, do
// to the cheap requests of another. Those are sent from a process of their own:
// in this one they would wait for the same scheduler twice.
func pace(b *run, dir string) error {
	n := b.Entities[0]
	s, err := startServer(filepath.Join(dir, "pace"))
	if err != nil {
		return err
	}
	defer s.close()
	large, small := s.users[0], s.users[1]
	if err := s.fill("pace", n, s.users[:1]); err != nil {
		return err
	}
	if err := s.engine.PutDocument(appKey, "pace", small.id, []byte(`{"_id":"small","score":-1}`)); err != nil {
		return err
	}
	queries, err := expensive(s.address, "Kinvey "+large.token, n)
	if err != nil {
		return err
	}
	all := []*pacing{{scanners: 0}, {scanners: 1}, {scanners: 4}, {scanners: 16}}
	for range b.Rounds {
		for _, p := range all {
			if err := p.measure(b, s.address, "Kinvey "+large.token, "Kinvey "+small.token, queries); err != nil {
				return fmt.Errorf("beside %d: %w", p.scanners, err)
			}
		}
	}
	b.printf("a get by id over %d connections, beside connections that query all of %d entities (medians of %d rounds)\n", callers, n, b.Rounds)
	rest := all[0]
	for _, p := range all {
		b.printf("  beside %2d %9.0f/s (%4.2f)  p50 %6.2f ms (%5.1fx)  p99 %6.2f ms (%5.1fx)  %6.1f queries/s, %.1f refused\n", p.scanners,
			median(p.rate), median(p.rate)/median(rest.rate), median(p.p50), median(p.p50)/median(rest.p50),
			median(p.p99), median(p.p99)/median(rest.p99), median(p.scans), median(p.refusals))
	}
	return nil
}

// A scan is a query that examines every entity, with its whole answer.
type scan struct {
	method, path string
	body, want   []byte
}

// expensive lists queries that examine every entity and answer with little, and
// checks their answers.
func expensive(address, authorization string, n int) ([]*scan, error) {
	c := newClient(address, authorization)
	defer c.close()
	list := "/appdata/" + appKey + "/pace"
	filter := func(text string) string { return "?query=" + url.QueryEscape(text) }
	all := []*scan{
		{method: "GET", path: list + filter(`{"category":{"$nin":["small"]},"$nor":[{"title":{"$exists":true}}]}`)},
		{method: "GET", path: list + "/_count" + filter(`{"$or":[{"category":{"$gt":"d"}},{"score":{"$lt":-1}}]}`)},
		{method: "POST", path: list + "/_group", body: []byte(`{"key":{"category":true},"initial":{"count":0},"reduce":"function(doc,out){ out.count++; }"}`)},
		{method: "GET", path: list + filter(`{"$or":[{"title":{"$regex":"^entity.*x$"}},{"category":{"$regex":"^d"}}]}`)},
	}
	for i, q := range all {
		status, body, err := c.do(q.method, q.path, q.body)
		if err != nil || status != 200 {
			return nil, fmt.Errorf("%s: status %d %s %w", q.path, status, body, err)
		}
		q.want = bytes.Clone(body)
		switch i {
		case 2:
			var groups []struct{ Count int }
			counted := 0
			err = json.Unmarshal(body, &groups)
			for _, g := range groups {
				counted += g.Count
			}
			if err != nil || counted != n {
				return nil, fmt.Errorf("%s: %d entities in groups (%w)", q.path, counted, err)
			}
		default:
			if string(body) != `[]` && string(body) != `{"count":0}` {
				err = fmt.Errorf("%s: %d bytes, want nothing found", q.path, len(body))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// measure takes one round.
func (p *pacing) measure(b *run, address, large, small string, queries []*scan) error {
	var stop atomic.Bool
	var answered, refused atomic.Int64
	var failed atomic.Pointer[error]
	var begun, ended sync.WaitGroup
	began := time.Now()
	for w := range p.scanners {
		begun.Add(1)
		ended.Go(func() {
			c := newClient(address, large)
			defer c.close()
			begun.Done()
			for i := w; !stop.Load(); i++ {
				q := queries[i%len(queries)]
				status, body, err := c.do(q.method, q.path, q.body)
				switch {
				case err == nil && status == 200 && bytes.Equal(body, q.want):
					answered.Add(1)
				case err == nil && status == 400 && bytes.Contains(body, []byte("takes too long")):
					refused.Add(1)
				default:
					err = fmt.Errorf("%s: status %d, %d bytes %w", q.path, status, len(body), err)
					failed.Store(&err)
					return
				}
			}
		})
	}
	begun.Wait()
	rate, p50, p99, err := b.callFrom(address, small)
	took := time.Since(began).Seconds()
	p.scans = append(p.scans, float64(answered.Load())/took)
	p.refusals = append(p.refusals, float64(refused.Load())/took)
	stop.Store(true)
	ended.Wait()
	if e := failed.Load(); e != nil {
		return *e
	}
	p.rate, p.p50, p.p99 = append(p.rate, rate), append(p.p50, p50), append(p.p99, p99)
	return err
}

// called is what cheap requests came to.
type called struct{ Rate, P50, P99 float64 } // a second, and ms

// callFrom runs call in another process.
func (b *run) callFrom(address, authorization string) (rate, p50, p99 float64, err error) {
	cmd := exec.Command(b.Program, ChildCommand, "call", b.Length.String(), address, authorization)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var c called
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	return c.Rate, c.P50, c.P99, err
}

// call sends cheap requests for some time, each when the one before was
// answered.
func call(length time.Duration, address, authorization string) (called, error) {
	clients := make([]*client, callers)
	for i := range clients {
		clients[i] = newClient(address, authorization)
	}
	defer closeAll(clients)
	took := make([][]float64, callers)
	rate, err := (&run{Options: Options{Length: length}}).loop(callers, func(w, _ int) error {
		began := time.Now()
		status, body, err := clients[w].do("GET", "/appdata/"+appKey+"/pace/small", nil)
		took[w] = append(took[w], float64(time.Since(began))/float64(time.Millisecond))
		if err == nil && (status != 200 || !bytes.Contains(body, []byte(`"_id":"small"`))) {
			err = fmt.Errorf("status %d %s", status, body)
		}
		return err
	})
	if err != nil {
		return called{}, err
	}
	each := slices.Concat(took...)
	slices.Sort(each)
	return called{rate, each[len(each)/2], each[len(each)*99/100]}, nil
}

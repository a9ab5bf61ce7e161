package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"postern/acl"
)

// A SetReport is the workload over collections of one size.
type SetReport struct {
	Entities int            `json:"entities"`
	Loaded   []*Loaded      `json:"loaded"`
	Answers  int            `json:"answers"` // compared with the oracle
	Queries  []*QueryReport `json:"queries"`
	Inserts  *Figure        `json:"inserts"` // q6
	SyncRate *Figure        `json:"syncRate"`
	Beside   *Beside        `json:"beside"`
	Allocs   []*Allocations `json:"allocations"`
	Memory   *Memory        `json:"memory"`
	Start    *Start         `json:"start"`
	Touched  []Touched      `json:"touched"`
}

func (r *SetReport) query(name string) *QueryReport {
	for _, q := range r.Queries {
		if q.Name == name {
			return q
		}
	}
	return nil
}

// A Touched is how many entities a change has touched in an index; nil when the
// engine does not show it.
type Touched struct {
	Change   string   `json:"change"`
	Entities *float64 `json:"entities"`
	Aim      float64  `json:"aim"`
}

// workload measures the queries of issue 4's workload, for each size, on one
// kind of data set at a time: so that they do not share memory.
func workload(b *run, dir string) error {
	for _, n := range b.Entities {
		r := &SetReport{Entities: n}
		b.report.Workloads = append(b.report.Workloads, r)
		b.printf("workload, %d entities, %d connections (medians of %d rounds)\n", n, b.Connections, b.Rounds)
		for _, k := range []kind{private, few, shared} {
			d := &dataset{seed: b.Seed, kind: k, n: n, users: b.Users, groups: b.Groups}
			if k == private {
				d.hide = b.hide
			}
			at := filepath.Join(dir, fmt.Sprint(k, n))
			err := b.set(r, d, at)
			if err = errors.Join(err, os.RemoveAll(at)); err != nil {
				return fmt.Errorf("%s, %d entities: %w", k, n, err)
			}
			runtime.GC()
		}
		b.showSet(r)
	}
	return nil
}

// people are those who ask for a data set, by name, and all of them in a list.
func (d *dataset) people() (map[string]*person, []*person) {
	list := []*person{{name: "ordinary", user: 0}}
	others := checked
	switch d.kind {
	case private:
		list = append(list, &person{name: "half", user: d.half()})
	case few:
		list, others = append(list, &person{name: "ten", user: d.ten()}), checked/5
	case shared:
		list, others = append(list, &person{name: "master", user: master}), checked/5
	}
	// The numbers of users say nothing of them, so the next ones are random.
	for u := 1; u <= others; u++ {
		list = append(list, &person{name: fmt.Sprintf("user %d", u), user: u})
	}
	byName := map[string]*person{}
	for _, p := range list {
		byName[p.name] = p
	}
	return byName, list
}

// set measures one data set.
func (b *run) set(r *SetReport, d *dataset, dir string) error {
	byName, people := d.people()
	s, err := newApp(dir)
	if err != nil {
		return err
	}
	defer func() {
		if s != nil {
			s.close()
		}
	}()
	loaded, err := load(s, d, people)
	if err != nil {
		return err
	}
	r.Loaded = append(r.Loaded, loaded)
	b.printf("  %s: loaded in %.1f s", d.kind, loaded.Seconds)
	began := time.Now()
	o := newOracle(d, people)
	b.printf(", oracle in %.1f s", time.Since(began).Seconds())
	if err := b.compare(r, o, s, people); err != nil {
		return err
	}
	queries := o.queries(byName)
	for _, q := range queries {
		if err := q.prepare(o); err != nil {
			return err
		}
		defer q.static.Shutdown()
		r.Queries = append(r.Queries, q.report)
	}
	// What is measured was read from the disk, as it would be in use.
	s.close()
	s = nil // and what it held is not there while others are measured
	debug.FreeOSMemory()
	if d.kind == private {
		if r.Memory, r.Start, err = b.holding(dir, queries, loaded); err != nil {
			return err
		}
	}
	if s, err = openServer(dir); err != nil {
		return err
	}
	for _, q := range queries {
		if err := q.check(s); err != nil {
			return err
		}
	}
	if err := b.warm(s, queries); err != nil {
		return err
	}
	warm := 0.0
	for _, q := range queries {
		warm += q.report.WarmUp
	}
	b.printf(", warm after %.1f s", warm)
	// Once more: what the engine has built behind the queries answers now.
	if err := b.compare(r, o, s, people); err != nil {
		return err
	}
	b.printf(", %d answers compared so far\n", r.Answers)
	if err := b.measure(s, queries); err != nil {
		return err
	}
	for _, q := range queries {
		if err := q.check(s); err != nil {
			return fmt.Errorf("afterwards %w", err)
		}
		if q.name == "q1" || q.name == "q5" || q.name == "q7" {
			a, err := q.allocations(s)
			if err != nil {
				return err
			}
			r.Allocs = append(r.Allocs, a)
		}
	}
	if d.kind == private {
		return b.changes(r, s, d, queries[0], byName["half"], dir)
	}
	return nil
}

// compare is the gate before every figure.
func (b *run) compare(r *SetReport, o *oracle, s *server, people []*person) error {
	began := time.Now()
	for k, p := range people {
		// All of them, unless the engine takes minutes for it.
		if k >= 5 && time.Since(began) > 40*b.Length {
			break
		}
		n, err := o.compareAll(s, []*person{p})
		if err != nil {
			return err
		}
		r.Answers += n
	}
	return nil
}

// A tally is a rate that is measured in slices.
type tally struct{ calls, seconds float64 }

func (t *tally) add(slice func() (float64, error)) error {
	began := time.Now()
	rate, err := slice()
	took := time.Since(began).Seconds()
	t.calls, t.seconds = t.calls+rate*took, t.seconds+took
	return err
}

func (t *tally) rate() float64 { return t.calls / t.seconds }

// measure takes the rounds of all queries, each beside its floor. A round is cut
// into slices that take turns, so that what else the machine does for a moment
// falls on all of them.
func (b *run) measure(s *server, queries []*query) error {
	short := *b
	short.Length = max(b.Length/5, time.Millisecond)
	for range b.Rounds {
		floor, ours := make([]tally, len(queries)), make([]tally, len(queries))
		for unfinished := true; unfinished; {
			unfinished = false
			for k, q := range queries {
				if ours[k].seconds >= b.Length.Seconds() {
					continue
				}
				unfinished = true
				if err := floor[k].add(func() (float64, error) { return short.floor(q) }); err != nil {
					return err
				}
				if err := ours[k].add(func() (float64, error) { return short.ours(s, q) }); err != nil {
					return err
				}
			}
		}
		for k, q := range queries {
			q.report.Static, q.report.Ours = append(q.report.Static, floor[k].rate()), append(q.report.Ours, ours[k].rate())
		}
	}
	return b.arrivals(s, queries)
}

// changes measures what writes, and comes last, for it leaves entities behind
// that the oracle does not know.
func (b *run) changes(r *SetReport, s *server, d *dataset, q1 *query, writer *person, dir string) error {
	path := "/appdata/" + appKey + "/" + string(d.kind)
	var err error
	if r.Beside, err = b.beside(s, q1, writer, path); err != nil {
		return err
	}
	if err := q1.check(s); err != nil {
		return fmt.Errorf("beside writes %w", err)
	}
	floor := &series{name: "1/fdatasync", measure: func() (float64, error) { return b.syncRate(filepath.Join(dir, "sync")) }}
	inserts := &series{name: "q6", measure: func() (float64, error) {
		clients := make([]*client, b.Connections)
		for i := range clients {
			clients[i] = newClient(s.address, writer.authorization)
		}
		defer closeAll(clients)
		return b.loop(len(clients), func(w, i int) error { return insert(clients[w], path, i) })
	}}
	if err := b.interleave([]*series{floor, inserts}); err != nil {
		return err
	}
	sync, q6 := floor.figure("/s"), inserts.figure("/s")
	r.SyncRate, r.Inserts = &sync, &q6
	return b.touch(r, s, d)
}

// insert makes an entity of the i-th document.
func insert(c *client, path string, i int) error {
	status, body, err := c.do("POST", path, document(i))
	if err == nil && status != 201 {
		err = fmt.Errorf("status %d %s", status, body)
	}
	return err
}

// touch makes the changes that must not cost what the collection has entities.
func (b *run) touch(r *SetReport, s *server, d *dataset) error {
	c := newClient(s.address, basic(masterSecret))
	defer c.close()
	put := func(path, body string) error {
		status, answer, err := c.do("PUT", path, []byte(body))
		if err != nil || status != 200 {
			return fmt.Errorf("%s: status %d %s %w", path, status, answer, err)
		}
		return nil
	}
	for _, change := range []struct {
		name string
		aim  float64
		make func() error
	}{
		{"an ACL edit", 1, func() error {
			return put("/appdata/"+appKey+"/"+string(d.kind)+"/"+d.id(0), fmt.Sprintf(`{"score":1,"_acl":{"creator":%q,"r":[%q]}}`, d.userID(1), d.userID(2)))
		}},
		{"a group join", 0, func() error {
			return put("/group/"+appKey+"/"+groupID(0), fmt.Sprintf(`{"users":{"list":[%q,%q]}}`, d.userID(1), d.userID(2)))
		}},
		{"a level change", 0, func() error { return s.engine.SetLevel(appKey, string(d.kind), acl.Shared) }},
	} {
		before, err := scrape(s.address, metricTouched)
		if err != nil {
			return err
		}
		if err := change.make(); err != nil {
			return err
		}
		after, err := scrape(s.address, metricTouched)
		if err != nil {
			return err
		}
		t := Touched{Change: change.name, Aim: change.aim}
		if before != nil && after != nil {
			n := *after - *before
			t.Entities = &n
		}
		r.Touched = append(r.Touched, t)
	}
	return nil
}

func mib(bytes float64) float64 { return bytes / (1 << 20) }

// showSet prints what the gates do not tell.
func (b *run) showSet(r *SetReport) {
	b.printf("  %-7s %9s %9s %6s  %-33s  %-33s  %s\n", "", "ours/s", "static/s", "ratio", "at 30 %: p50 p99 p99.9 ms (late)", "at 60 % (+: the queue grew)", "static, at the 30 %")
	for _, q := range r.Queries {
		b.printf("  %-7s %9.0f %9.0f %6.3f  ", q.Name, median(q.Ours), median(q.Static), q.ratio())
		for _, a := range q.Open {
			b.printf("%s  ", a.text())
		}
		if q.OpenFloor != nil {
			b.printf("%s", q.OpenFloor.text())
		}
		if !q.Settled {
			b.printf(" did not settle in %.0f s", q.WarmUp)
		}
		b.printf("   %s, %d bytes\n", q.What, q.Bytes)
	}
	b.printf("  %-7s %9.0f/s durable inserts, %.1fx 1/fdatasync\n", "q6", r.Inserts.Value, r.Inserts.Value/r.SyncRate.Value)
	w := r.Beside
	b.printf("  q1 at %.0f/s: p50 %.2f p99 %.2f ms; beside %.0f durable writes/s: p50 %.2f p99 %.2f ms (the writes: p50 %.2f p99 %.2f ms)\n",
		w.Rest.Rate, w.Rest.P50, w.Rest.P99, w.Writes, w.Under.P50, w.Under.P99, w.Write.P50, w.Write.P99)
	for _, a := range r.Allocs {
		b.printf("  %-7s %9.1f allocations a request, %.1f of them the names in its path; %.0f bytes\n", a.Name, a.All, a.Path, a.Bytes)
	}
	m := r.Memory
	b.printf("  memory: anonymous %.0f MiB (%.0f before a collection), mapped files %.0f MiB, raw JSON %.0f MiB\n",
		mib(m.Anonymous), mib(m.Busy), mib(m.Files), mib(float64(m.Raw)))
	s := r.Start
	b.printf("  start: Badger opens in %.2f s; then %.2f s after a clean stop, ", median(s.Store), median(s.Clean))
	if len(s.Rebuild) == 0 {
		b.printf("there is no snapshot\n")
	} else {
		b.printf("%.2f s for a rebuild\n", median(s.Rebuild))
	}
}

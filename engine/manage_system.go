package engine

import (
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// manageSystem answers how the server is.
func (e *Engine) manageSystem(r *Request) error {
	o := new(jsonObject).text("version", e.config.Version).text("go", runtime.Version()).
		time("started", e.started).number("uptimeSeconds", max(r.start-e.started, 0)/1000).
		raw("memory", string(memoryUsed())).raw("durability", string(e.durability()))
	var apps [][]byte
	for _, a := range e.environments("") {
		one, err := r.describeSize(a)
		if err != nil {
			return err
		}
		apps = append(apps, one)
	}
	broken := e.broken.Load()
	o.raw("apps", string(jsonList(apps))).
		raw("health", string(new(jsonObject).flag("ok", !broken).flag("broken", broken).close())).
		flag("indexing", e.indexer.busy()).
		raw("latency", string(e.metrics.latency()))
	requests := new(jsonObject)
	for class := 1; class < 6; class++ {
		n := uint64(0)
		for _, method := range countedMethods {
			n += e.metrics.answers(method, class).Get()
		}
		requests.number(strconv.Itoa(class)+"xx", int64(n))
	}
	return r.json(fasthttp.StatusOK, o.raw("requests", string(requests.close())).close())
}

// countedMethods are those that answers are counted by; none is that of no route.
var countedMethods = []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "none"}

func memoryUsed() []byte {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(samples)
	return new(jsonObject).number("heap", int64(samples[0].Value.Uint64())).number("sys", int64(samples[1].Value.Uint64())).close()
}

// durability tells how safe what is written is: on a disk each record is synced
// before anybody is answered (I1).
func (e *Engine) durability() []byte {
	seq, _ := e.driver.Head()
	o := new(jsonObject).number("seq", int64(seq))
	space, err := e.driver.Free()
	switch {
	case err != nil:
		return o.text("sync", "unknown").close()
	case space.Total == 0:
		return o.text("sync", "none").close() // in memory
	}
	return o.text("sync", "each commit").text("space", space.State.String()).
		number("free", int64(space.Free)).number("total", int64(space.Total)).close()
}

// describeSize tells how much an app holds.
func (r *Request) describeSize(a *app) ([]byte, error) {
	s := a.view.Load()
	collections, entities := 0, 0
	s.collections.Scan(func(name string, c *collection) bool {
		if c.number >= firstCollection {
			collections++
			entities += c.rows.len()
		}
		return true
	})
	sessions, meter := 0, r.meter()
	var err error
	s.sessions.Scan(func(_ string, n *session) bool {
		if s.live(n, r.start) {
			sessions++
		}
		err = meter.Work(sessionWork)
		return err == nil
	})
	return new(jsonObject).text("id", a.key).text("name", s.config.Name).number("collections", int64(collections)).
		number("entities", int64(entities)).number("users", int64(s.accounts.Len())).number("sessions", int64(sessions)).close(), err
}

// latency tells how long requests took since the start, in seconds: the times that so
// many of them took at most, and how many took up to a time and more than the one
// before it.
func (m *engineMetrics) latency() []byte {
	type bucket struct {
		most  string
		count uint64
	}
	var all []bucket
	total := uint64(0)
	m.duration.VisitNonZeroBuckets(func(span string, count uint64) {
		_, most, _ := strings.Cut(span, "...")
		all = append(all, bucket{most, count})
		total += count
	})
	o := new(jsonObject)
	for _, q := range []struct {
		name string
		part float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}} {
		below := uint64(0)
		for _, b := range all {
			if below += b.count; float64(below) >= q.part*float64(total) {
				o.raw(q.name, seconds(b.most))
				break
			}
		}
	}
	var list [][]byte
	for _, b := range all {
		list = append(list, []byte("["+seconds(b.most)+","+strconv.FormatUint(b.count, 10)+"]"))
	}
	return o.raw("buckets", string(jsonList(list))).close()
}

// seconds writes a bound of a bucket as a number of JSON.
func seconds(bound string) string {
	f, err := strconv.ParseFloat(bound, 64)
	if err != nil || f > 1e9 {
		return "1e9"
	}
	return strconv.FormatFloat(f, 'g', 4, 64)
}

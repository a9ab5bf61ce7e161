package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/valyala/fasthttp"

	"postern/engine"
)

// A query is one kind of request of the workload, with the answers that the
// oracle gives.
type query struct {
	name, what string
	asks       []*ask // sent in turn; most have one
	paths      []string
	want       [][]byte
	static     *static

	report *QueryReport
}

// A QueryReport is what was measured of a query.
type QueryReport struct {
	Name      string     `json:"name"`
	What      string     `json:"what"`
	Order     bool       `json:"order"`   // a page by score
	Visible   float64    `json:"visible"` // part of the entities that the requester sees
	Bytes     int        `json:"bytes"`   // of the (first) answer
	WarmUp    float64    `json:"warmUpSeconds"`
	Settled   bool       `json:"settled"`
	Static    []float64  `json:"static"` // requests a second of the floor, a round each
	Ours      []float64  `json:"ours"`
	Open      []*Arrival `json:"open,omitempty"`
	OpenFloor *Arrival   `json:"openFloor,omitempty"` // the floor at the rate of the first of these
}

// ratio is the median over the rounds of ours against the floor of the same round.
func (q *QueryReport) ratio() float64 {
	var r []float64
	for i := range q.Ours {
		r = append(r, q.Ours[i]/q.Static[i])
	}
	return median(r)
}

// queries are those of a data set. A query by id takes several entities in turn.
func (o *oracle) queries(people map[string]*person) []*query {
	one := func(name, what string, a ask) *query {
		a.id = -1 // no list of these is by id
		return &query{name: name, what: what, asks: []*ask{&a}}
	}
	ordinary, half, ten, all := people["ordinary"], people["half"], people["ten"], people["master"]
	switch o.kind {
	case few:
		return []*query{one("q7", "the first 100 by score of a user who sees ten", ask{who: ten, order: "score", limit: 100})}
	case shared:
		return []*query{
			one("s", "a user's first 100 of Shared", ask{who: ordinary, limit: 100}),
			one("sm", "the master's first 100 of Shared", ask{who: all, limit: 100}),
			one("sq", "a user's first 100 of Shared by score", ask{who: ordinary, order: "score", limit: 100}),
			one("smq", "the master's first 100 of Shared by score", ask{who: all, order: "score", limit: 100}),
		}
	}
	byID := &query{name: "q5", what: "an entity by id"}
	seen := o.seen[ordinary.user]
	for _, k := range rand.New(rand.NewPCG(o.seed, 5)).Perm(len(seen))[:min(256, len(seen))] {
		byID.asks = append(byID.asks, &ask{who: ordinary, id: int(seen[k])})
	}
	return []*query{
		one("q1", "the first 100 by score of a user who sees 1 %", ask{who: ordinary, order: "score", limit: 100}),
		one("q1id", "his first 100 by creation", ask{who: ordinary, limit: 100}),
		one("q2", "100 by score behind many, of a user who sees 50 %", ask{who: half, order: "score", skip: min(10_000, o.n/10), limit: 100}),
		one("q3", "a count, 1 % visible", ask{who: ordinary, count: true}),
		one("q3half", "a count, 50 % visible", ask{who: half, count: true}),
		one("q4cat", "100 of one category in fifty", ask{who: ordinary, filter: &filter{category: 7}, limit: 100}),
		one("q4rng", "100 by score out of a tenth of the scores", ask{who: ordinary, filter: &filter{category: -1, from: o.top() * 45 / 100, to: o.top() * 55 / 100}, order: "score", limit: 100}),
		byID,
		one("q8", "the first 100 by score, 50 % visible", ask{who: half, order: "score", limit: 100}),
	}
}

// prepare asks the oracle for the answers and starts the floor.
func (q *query) prepare(o *oracle) error {
	for _, a := range q.asks {
		_, body := o.answer(a)
		q.paths = append(q.paths, a.path(o.dataset))
		q.want = append(q.want, body)
	}
	a := q.asks[0]
	q.report = &QueryReport{Name: q.name, What: q.what, Order: a.order == "score" && a.skip == 0 && a.filter == nil, Visible: o.share(a.who.user), Bytes: len(q.want[0])}
	var err error
	q.static, err = startStatic(q.want[0])
	return err
}

// check compares every answer of the query.
func (q *query) check(s *server) error {
	c := newClient(s.address, q.asks[0].who.authorization)
	defer c.close()
	for i, path := range q.paths {
		status, body, err := c.do("GET", path, nil)
		if err != nil || status != 200 || !bytes.Equal(body, q.want[i]) {
			return fmt.Errorf("%s: %s is not what the oracle says (status %d, %d bytes, want %d) %w", q.name, path, status, len(body), len(q.want[i]), err)
		}
	}
	return nil
}

// get asks for a path. The answer has the right length at least.
func get(c *client, path string, length int) error {
	status, body, err := c.do("GET", path, nil)
	if err == nil && (status != 200 || len(body) != length) {
		err = fmt.Errorf("%s: status %d, %d bytes, want %d", path, status, len(body), length)
	}
	return err
}

// closed is the rate at an address over the connections, each of which asks
// again when it was answered.
func (b *run) closed(address string, q *query, paths []string, want [][]byte) (float64, error) {
	clients := make([]*client, b.Connections)
	for i := range clients {
		clients[i] = newClient(address, q.asks[0].who.authorization)
	}
	defer closeAll(clients)
	return b.loop(len(clients), func(w, i int) error {
		k := i % len(paths)
		return get(clients[w], paths[k], len(want[k]))
	})
}

// ours is the rate of the server, floor that of the static reply to a request
// as long.
func (b *run) ours(s *server, q *query) (float64, error) {
	return b.closed(s.address, q, q.paths, q.want)
}

func (b *run) floor(q *query) (float64, error) {
	return b.closed(q.static.address, q, q.paths[:1], q.want[:1])
}

type static struct {
	fasthttp.Server
	address string
}

// startStatic serves one body whatever is asked.
func startStatic(body []byte) (*static, error) {
	l, err := engine.Listen("127.0.0.1:0", nil, false)
	if err != nil {
		return nil, err
	}
	s := &static{address: l.Addr().String()}
	s.NoDefaultServerHeader = true
	s.Handler = func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.SetContentType("application/json; charset=utf-8")
		ctx.Response.SetBodyRaw(body)
	}
	go func() { _ = s.Serve(l) }()
	return s, nil
}

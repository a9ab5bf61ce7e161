package bench

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
)

// master is the number of who sees everything.
const master = -1

// checked is how many users are compared besides those that are measured.
const checked = 50

// A person asks: a user by his number, or the master.
type person struct {
	name          string
	user          int
	authorization string
}

// A filter is what an ask is limited to; nil is nothing.
type filter struct {
	category int // -1: any
	from, to int // of the score: at least, and below; to 0: any
}

// An ask is a request whose answer the oracle knows.
type ask struct {
	who    *person
	count  bool
	id     int // of an entity, -1: a list
	filter *filter
	order  string // "", "score" or "-score"
	skip   int
	limit  int // 0: none
}

func (a *ask) path(d *dataset) string {
	path := "/appdata/" + appKey + "/" + string(d.kind)
	if a.id >= 0 {
		return path + "/" + d.id(a.id)
	}
	v := url.Values{}
	if f := a.filter; f != nil {
		text := ""
		if f.category >= 0 {
			text = fmt.Sprintf(`"category":"c%02d"`, f.category)
		}
		if f.to > 0 {
			if text != "" {
				text += ","
			}
			text += fmt.Sprintf(`"score":{"$gte":%d,"$lt":%d}`, f.from, f.to)
		}
		v.Set("query", "{"+text+"}")
	}
	if a.count {
		path += "/_count"
	} else {
		switch a.order {
		case "score":
			v.Set("sort", "score")
		case "-score":
			v.Set("sort", `{"score":-1}`)
		}
		if a.skip > 0 {
			v.Set("skip", strconv.Itoa(a.skip))
		}
		if a.limit > 0 {
			v.Set("limit", strconv.Itoa(a.limit))
		}
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// An oracle answers from the rule of a data set, by brute force. It knows
// nothing of the engine.
type oracle struct {
	*dataset
	names      []string
	scores     []int32
	categories []uint8
	seen       map[int][]uint32 // user -> what he may read, in the order of creation

	last struct { // the order that was made last
		user  int
		order string
		list  []uint32
	}
}

func newOracle(d *dataset, people []*person) *oracle {
	o := &oracle{dataset: d, names: d.names(), scores: make([]int32, d.n), categories: make([]uint8, d.n), seen: map[int][]uint32{}}
	o.last.user = master - 1
	in := make([][]bool, len(people))
	for k, p := range people {
		in[k] = make([]bool, d.groups)
		if p.user != master {
			for _, g := range d.memberships(p.user) {
				in[k][g] = true
			}
		}
	}
	seen := make([][]uint32, len(people))
	var e item
	for i := range d.n {
		d.at(i, &e)
		o.scores[i], o.categories[i] = int32(e.score), uint8(e.category)
		if d.hide != nil && d.hide(i) {
			continue
		}
		for k, p := range people {
			if p.user == master || d.readable(p.user, in[k], &e) {
				seen[k] = append(seen[k], uint32(i))
			}
		}
	}
	for k, p := range people {
		o.seen[p.user] = seen[k]
	}
	return o
}

// share is the part of all entities that a user sees.
func (o *oracle) share(user int) float64 { return float64(len(o.seen[user])) / float64(o.n) }

// ordered lists what a user sees in an order, entities that are equal in it in
// the order of creation.
func (o *oracle) ordered(user int, order string) []uint32 {
	if order == "" {
		return o.seen[user]
	}
	if o.last.user == user && o.last.order == order {
		return o.last.list
	}
	sign := 1
	if order == "-score" {
		sign = -1
	}
	list := slices.Clone(o.seen[user])
	slices.SortStableFunc(list, func(a, b uint32) int { return sign * cmp.Compare(o.scores[a], o.scores[b]) })
	o.last.user, o.last.order, o.last.list = user, order, list
	return list
}

func (o *oracle) matches(f *filter, i uint32) bool {
	return f == nil || (f.category < 0 || int(o.categories[i]) == f.category) &&
		(f.to == 0 || f.from <= int(o.scores[i]) && int(o.scores[i]) < f.to)
}

// answer is the status and the body that an ask must get; the body is nil where
// only the status counts.
func (o *oracle) answer(a *ask) (status int, body []byte) {
	if a.id >= 0 {
		if _, ok := slices.BinarySearch(o.seen[a.who.user], uint32(a.id)); !ok {
			return 401, nil
		}
		return 200, o.body(nil, a.id)
	}
	if a.count {
		n := 0
		for _, i := range o.seen[a.who.user] {
			if o.matches(a.filter, i) {
				n++
			}
		}
		return 200, fmt.Appendf(nil, `{"count":%d}`, n)
	}
	body = []byte("[")
	skip, n := a.skip, 0
	for _, i := range o.ordered(a.who.user, a.order) {
		if !o.matches(a.filter, i) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if a.limit > 0 && n == a.limit {
			break
		}
		if n > 0 {
			body = append(body, ',')
		}
		n++
		body = o.body(body, int(i))
	}
	return 200, append(body, ']')
}

func (o *oracle) body(b []byte, i int) []byte {
	var e item
	o.at(i, &e)
	return o.append(b, o.names, i, &e)
}

// compare asks the server and compares the answer, byte by byte.
func (o *oracle) compare(c *client, a *ask) error {
	path := a.path(o.dataset)
	status, got, err := c.do("GET", path, nil)
	if err != nil {
		return fmt.Errorf("%s asks %s: %w", a.who.name, path, err)
	}
	wanted, want := o.answer(a)
	if status != wanted || want != nil && !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		near := func(b []byte) []byte { return b[min(max(at-40, 0), len(b)):min(at+40, len(b))] }
		return fmt.Errorf("the oracle disagrees: %s asks %s: status %d, want %d; %d bytes, want %d; they differ at %d: got %q, want %q",
			a.who.name, path, status, wanted, len(got), len(want), at, near(got), near(want))
	}
	return nil
}

// compareAll compares what each of the people sees: the beginning in each order,
// the end, random pages and counts, an entity that he may read and one that
// somebody else may. It returns how many answers were right.
func (o *oracle) compareAll(s *server, people []*person) (int, error) {
	n := 0
	rng := rand.New(rand.NewPCG(o.seed, 2))
	for _, p := range people {
		c := newClient(s.address, p.authorization)
		all := len(o.seen[p.user])
		asks := []*ask{
			{who: p, id: -1, limit: 100},
			{who: p, id: -1, order: "score", limit: 100},
			{who: p, id: -1, order: "-score", limit: 7},
			{who: p, id: -1, order: "score", skip: max(all-3, 0), limit: 10},
			{who: p, id: -1, skip: all, limit: 10},
			{who: p, id: -1, count: true},
			{who: p, id: rng.IntN(o.n)},
		}
		if all > 0 {
			asks = append(asks, &ask{who: p, id: int(o.seen[p.user][rng.IntN(all)])})
		}
		for range 4 {
			a := &ask{who: p, id: -1, skip: rng.IntN(all + 1), limit: 1 + rng.IntN(200), order: []string{"", "score", "-score"}[rng.IntN(3)]}
			f := &filter{category: -1}
			switch rng.IntN(4) {
			case 0:
				f.category = rng.IntN(categories)
			case 1:
				f.from = rng.IntN(o.top())
				f.to = f.from + 1 + rng.IntN(o.top()/3)
			case 2:
				f.category, f.to = rng.IntN(categories), 1+rng.IntN(o.top())
			case 3:
				f = nil
			}
			if a.filter = f; f != nil {
				a.skip = rng.IntN(all/50 + 1)
				asks = append(asks, &ask{who: p, id: -1, count: true, filter: f})
			}
			asks = append(asks, a)
		}
		for _, a := range asks {
			if err := o.compare(c, a); err != nil {
				c.close()
				return n, err
			}
			n++
		}
		c.close()
	}
	return n, nil
}

package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"postern/engine"
)

const (
	consolePage     = 50 // entities of a page of the data browser
	consoleAsked    = 64 // entities that Why is asked about, in turn
	consoleOperator = "bench@localhost"
)

// A Console is how long the console's operator waits, in times of a static page.
type Console struct {
	Entities int      `json:"entities"`
	Views    []Figure `json:"views"`
}

// A view is one thing that the console shows, with the answers to its requests.
type view struct {
	name  string
	paths []string
	want  [][]byte
}

// console measures what an operator waits for: pages of the data browser and the Why
// panel, over the smallest size, as the console asks for them, which is on its own
// listener and by its session. One connection asks, for it is one person; the floor
// is what one static page takes, with the bytes of the first of them.
func console(b *run, dir string) error {
	d := &dataset{seed: b.Seed, kind: private, n: b.Entities[0], users: b.Users, groups: b.Groups, hide: b.hide}
	byName, people := d.people()
	byName["master"] = &person{name: "master", user: master}
	people = append(people, byName["master"])
	s, err := newApp(dir)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := load(s, d, people); err != nil {
		return err
	}
	address, headers, stop, err := openConsole(s)
	if err != nil {
		return err
	}
	defer stop()
	if err := built(s); err != nil {
		return err
	}
	views, err := newOracle(d, people).views(byName, address, headers)
	if err != nil {
		return err
	}
	static := views[0]
	floor, err := startStatic(static.want[0])
	if err != nil {
		return err
	}
	defer floor.Shutdown()
	var all []*series
	for _, v := range views {
		all = append(all,
			&series{name: v.name, measure: func() (float64, error) { return b.alone(address, headers, v.paths, v.want) }},
			&series{name: v.name, measure: func() (float64, error) { return b.alone(floor.address, headers, static.paths, static.want) }})
	}
	if err := b.interleave(all); err != nil {
		return err
	}
	b.printf("console, %d entities, one connection (medians of %d rounds)\n", d.n, b.Rounds)
	b.printf("  %-52s %9s %9s %9s\n", "", "bytes", "ms", "x static")
	b.report.Console = &Console{Entities: d.n}
	for i, v := range views {
		ours, floor := all[2*i], all[2*i+1]
		f := Figure{Name: v.name, Unit: "x a static page"}
		for k := range ours.rounds {
			f.Rounds = append(f.Rounds, floor.rounds[k]/ours.rounds[k])
		}
		f.Value = median(f.Rounds)
		b.report.Console.Views = append(b.report.Console.Views, f)
		b.printf("  %-52s %9d %9.3f %9.2f\n", v.name, len(v.want[0]), 1000/ours.median(), f.Value)
	}
	return nil
}

// alone is the rate at an address of one connection that asks again when it was
// answered.
func (b *run) alone(address, headers string, paths []string, want [][]byte) (float64, error) {
	c := newClient(address, "")
	c.headers = headers
	defer c.close()
	return b.loop(1, func(_, i int) error {
		k := i % len(paths)
		return get(c, paths[k], len(want[k]))
	})
}

// openConsole serves the console and signs an operator in. headers are those of his
// requests.
func openConsole(s *server) (address, headers string, stop func(), err error) {
	if err := s.engine.CreateOperator(consoleOperator, consoleOperator); err != nil {
		return "", "", nil, err
	}
	l, err := engine.Listen("127.0.0.1:0", nil, false)
	if err != nil {
		return "", "", nil, err
	}
	address = l.Addr().String()
	h := engine.NewConsoleServer(s.engine)
	h.Serve(l, func(err error) { fmt.Fprintln(os.Stderr, "serving:", err) })
	stop = func() { h.Stop(time.Second) }
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI("http://" + address + "/-/console/login")
	req.Header.SetMethod("POST")
	req.Header.Set("X-Postern-Console", "1")
	req.SetBodyString(fmt.Sprintf(`{"email":%q,"password":%q}`, consoleOperator, consoleOperator))
	if err := fasthttp.Do(req, res); err != nil || res.StatusCode() != 200 {
		stop()
		return "", "", nil, fmt.Errorf("signing in: status %d %s %w", res.StatusCode(), res.Body(), err)
	}
	cookie, _, _ := bytes.Cut(res.Header.Peek("Set-Cookie"), []byte(";"))
	return address, "X-Postern-Console: 1\r\nSec-Fetch-Site: same-origin\r\nCookie: " + string(cookie) + "\r\n", stop, nil
}

// views are what is measured. Every answer is compared with the oracle's: pages byte
// by byte, of Why what it says.
func (o *oracle) views(people map[string]*person, address, headers string) ([]*view, error) {
	c := newClient(address, "")
	c.headers = headers
	defer c.close()
	base := "/-/console/api/v4/environments/" + appKey + "/collections/" + string(o.kind)
	user := people["ordinary"]
	page := func(name string, who *person, order, more string) (*view, error) {
		v := &view{name: name, paths: []string{fmt.Sprintf("%s/entities?limit=%d%s", base, consolePage, more)}}
		_, want := o.answer(&ask{who: who, id: -1, order: order, limit: consolePage})
		status, got, err := c.do("GET", v.paths[0], nil)
		if err != nil || status != 200 || !bytes.Equal(got, want) {
			return nil, fmt.Errorf("%s: the oracle disagrees (status %d, %d bytes, want %d) %w", v.paths[0], status, len(got), len(want), err)
		}
		v.want = [][]byte{want}
		return v, nil
	}
	first, err := page("a page of all entities", people["master"], "", "")
	if err != nil {
		return nil, err
	}
	readable, err := page("a page of what a user may read", user, "", "&filter=readable&user="+o.userID(user.user))
	if err != nil {
		return nil, err
	}
	views := []*view{first, readable}
	dice := rand.New(rand.NewPCG(o.seed, 6))
	for name, may := range map[string]bool{"why somebody may read": true, "why somebody may not": false} {
		v := &view{name: name}
		for len(v.paths) < consoleAsked {
			i := dice.IntN(o.n)
			if may {
				i = int(o.seen[user.user][dice.IntN(len(o.seen[user.user]))])
			}
			if _, sees := slices.BinarySearch(o.seen[user.user], uint32(i)); sees != may {
				continue
			}
			q := url.Values{"user": {o.userID(user.user)}, "right": {"read"}, "id": {o.id(i)}}
			path := base + "/why?" + q.Encode()
			status, got, err := c.do("GET", path, nil)
			var said struct{ Allowed *bool }
			if err == nil {
				err = json.Unmarshal(got, &said)
			}
			if err != nil || status != 200 || said.Allowed == nil || *said.Allowed != may {
				return nil, fmt.Errorf("%s: the oracle disagrees (status %d %.200s) %w", path, status, got, err)
			}
			v.paths, v.want = append(v.paths, path), append(v.want, bytes.Clone(got))
		}
		views = append(views, v)
	}
	slices.SortFunc(views[2:], func(a, b *view) int { return len(a.name) - len(b.name) })
	return views, nil
}

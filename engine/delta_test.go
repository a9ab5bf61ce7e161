package engine_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/engine/store"
)

// lasting is a driver that outlives the engine, for restarts in memory.
type lasting struct{ store.Driver }

func (lasting) Close() error { return nil }

// deltaOn switches delta set on for a collection.
func (s *server) deltaOn(collection string) {
	s.t.Helper()
	s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/"+collection, asMaster, `{"deltaSet":{"enabled":true}}`), 200, "")
}

// delta asks for a delta set.
func (s *server) delta(who, collection, since, filter string) answer {
	s.t.Helper()
	q := url.Values{"since": {since}}
	if filter != "" {
		q.Set("query", filter)
	}
	return s.do("GET", "/appdata/"+kid+"/"+collection+"/_deltaset?"+q.Encode(), who, "")
}

// told takes a delta set apart: the ids of both halves.
func told(t testing.TB, a answer) (changed, deleted []string) {
	t.Helper()
	if a.status != 200 {
		t.Fatalf("delta set: %d %s", a.status, a.body)
	}
	for i, part := range []string{"changed", "deleted"} {
		list, ok := get(a.json(t), part).([]any)
		if !ok {
			t.Fatalf("no %s in %s", part, a.body)
		}
		for _, e := range list {
			id, _ := get(e, "_id").(string)
			if i == 0 {
				changed = append(changed, id)
			} else {
				deleted = append(deleted, id)
			}
		}
	}
	return changed, deleted
}

// keeper is a client as the SDKs are: it holds what it was answered, and asks
// for the difference.
type keeper struct {
	name, who  string
	coll, find string
	held       map[string]string // id -> entity
	since      string            // "": nothing is held
	fulls      int
	deltas     int
}

// bodies is a list answer by id.
func bodies(t testing.TB, a answer) map[string]string {
	t.Helper()
	if a.status != 200 {
		t.Fatalf("list: %d %s", a.status, a.body)
	}
	all := map[string]string{}
	for _, e := range a.json(t).([]any) {
		id, _ := get(e, "_id").(string)
		all[id] = fmt.Sprint(e) // maps print in the order of their keys
	}
	return all
}

func (k *keeper) full(s *server) answer {
	return s.do("GET", "/appdata/"+kid+"/"+k.coll+"?"+url.Values{"query": {k.find}}.Encode(), k.who, "")
}

// sync brings the keeper up to date. readable holds every id that he could ever
// read.
func (k *keeper) sync(s *server, readable map[string]bool) {
	t := s.t
	t.Helper()
	var a answer
	if k.since != "" {
		a = s.delta(k.who, k.coll, k.since, k.find)
	}
	switch {
	case k.since == "" || a.status == 400 && a.error(t) == "ParameterValueOutOfRange" || a.status == 403 && a.error(t) == "MissingConfiguration":
		a = k.full(s)
		k.held = bodies(t, a)
		k.fulls++
	default:
		_, deleted := told(t, a)
		for _, id := range deleted {
			if !readable[id] {
				t.Fatalf("%s was told of %s, which he could never read: %s", k.name, id, a.body)
			}
			delete(k.held, id)
		}
		for _, e := range get(a.json(t), "changed").([]any) {
			id, _ := get(e, "_id").(string)
			k.held[id] = fmt.Sprint(e)
		}
		k.deltas++
	}
	k.since = a.header["X-Kinvey-Request-Start"]
	if want := bodies(t, k.full(s)); !maps.Equal(k.held, want) {
		t.Fatalf("%s holds of %s %s\n%v\na full find gives\n%v\nlast answer %s", k.name, k.coll, k.find, k.held, want, a.body)
	}
}

// A client that applies delta sets holds what a full find would give it,
// whatever happens to entities, permissions, levels, groups and the server; and
// no id is ever told to whom could never read it.
func TestDeltaEqualsFullFind(t *testing.T) {
	histories, steps := 6, 700
	if testing.Short() {
		histories, steps = 2, 250
	}
	first := seed(t)
	fulls, deltas := 0, 0
	for n := range histories {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f, d := deltaHistory(t, rand.New(rand.NewPCG(first, uint64(n))), steps)
			fulls, deltas = fulls+f, deltas+d
		})
	}
	if deltas < fulls {
		t.Errorf("%d full finds and only %d delta sets: the histories ask too little", fulls, deltas)
	}
	t.Logf("figure: delta sets: %d histories of %d steps, %d delta sets applied, %d full finds, each compared with a full find", histories, steps, deltas, fulls)
}

func deltaHistory(t *testing.T, rng *rand.Rand, steps int) (fulls, deltas int) {
	c := newClock()
	driver := lasting{store.NewMemory()}
	boot := func() *server {
		return start(t, onDriver(driver), func(o *options) { o.config.Clock = c.Now })
	}
	s := boot()
	colls := []string{"red", "blue"}
	for _, coll := range colls {
		s.deltaOn(coll)
	}
	users := []user{s.signUp("alice"), s.signUp("bob"), s.signUp("carol"), s.signUp("dave")}
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	someone := func() user { return users[rng.IntN(len(users))] }
	some := func(n int, one func() string) string {
		var list []string
		for range rng.IntN(n + 1) {
			list = append(list, `"`+one()+`"`)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	userID := func() string { return someone().id }
	groupID := func() string { return pick("g0", "g1", "g2") }
	acl := func() string {
		if rng.IntN(3) == 0 {
			return ""
		}
		return `,"_acl":{"r":` + some(2, userID) + `,"groups":{"r":` + some(2, groupID) + `}` + pick("", `,"gr":true`, `,"gr":false`, `,"gr":false`) + pick("", `,"gw":true`) + `}`
	}

	type key struct{ user, coll string }
	readable := map[key]map[string]bool{}
	look := func() {
		for _, u := range users {
			for _, coll := range colls {
				k := key{u.name, coll}
				if readable[k] == nil {
					readable[k] = map[string]bool{}
				}
				for _, id := range ids(t, s.do("GET", "/appdata/"+kid+"/"+coll, u.session(), "")) {
					readable[k][id] = true
				}
			}
		}
	}
	var keepers []*keeper
	for _, u := range users {
		for _, coll := range colls {
			for _, find := range []string{`{}`, `{"n":{"$lt":3}}`} {
				keepers = append(keepers, &keeper{name: u.name, who: u.session(), coll: coll, find: find})
			}
		}
	}
	keepers = append(keepers, &keeper{name: "master", who: asMaster, coll: "red", find: `{}`})

	for range steps {
		coll := pick(colls...)
		box, id := "/appdata/"+kid+"/"+coll, fmt.Sprintf("/e%d", rng.IntN(14))
		who := pick(asMaster, someone().session(), someone().session())
		body := fmt.Sprintf(`{"n":%d%s}`, rng.IntN(6), acl())
		switch rng.IntN(60) {
		default:
			s.do("PUT", box+id, who, body)
		case 0, 1, 2, 3, 4, 5:
			s.do("DELETE", box+id, who, "")
		case 6:
			s.do("DELETE", box+"?query="+url.QueryEscape(`{"n":4}`), who, "")
		case 7, 8, 9:
			s.do("PUT", "/group/"+kid+"/"+groupID(), asMaster, groupText(rng, users, groupID()))
		case 10:
			s.do("PUT", "/group/"+kid+"/"+groupID(), asMaster, groupText(rng, users, ""))
		case 11:
			s.do("DELETE", "/group/"+kid+"/"+groupID(), asMaster, "")
		case 12:
			if rng.IntN(3) == 0 {
				s.setLevel(coll, pick("append-read", "append-only", "read-only", "write"))
			}
		case 13:
			if rng.IntN(6) == 0 {
				s.do("DELETE", "/v4/environments/"+kid+"/collections/"+coll, asMaster, "")
				if rng.IntN(4) > 0 {
					s.deltaOn(coll)
				}
			} else if rng.IntN(3) == 0 {
				s.do("PUT", "/v4/environments/"+kid+"/collections/"+coll, asMaster, `{"deltaSet":{"enabled":`+pick("true", "true", "false")+`}}`)
				s.deltaOn(coll)
			}
		case 14:
			if rng.IntN(3) == 0 {
				s.stop()
				s = boot()
			}
		case 15:
			s.do("PUT", box+id, asMaster, fmt.Sprintf(`{"n":%d,"_kmd":{"lmt":"2001-01-01T00:00:00.000Z","ect":"2001-01-01T00:00:00.000Z"}%s}`, rng.IntN(6), acl()))
		case 16:
			c.Add(time.Duration(rng.IntN(3)) * 24 * time.Hour)
		}
		look()
		c.Add(time.Duration(rng.IntN(3)) * time.Millisecond) // often not at all
		for range 3 {
			k := keepers[rng.IntN(len(keepers))]
			all := readable[key{k.name, k.coll}]
			if k.name == "master" {
				all = everyID()
			}
			k.sync(s, all)
		}
	}
	for _, k := range keepers {
		fulls, deltas = fulls+k.fulls, deltas+k.deltas
	}
	return fulls, deltas
}

// groupText is a random group with some of the users and one group in it.
func groupText(rng *rand.Rand, users []user, nested string) string {
	var list []string
	for _, u := range users {
		if rng.IntN(3) == 0 {
			list = append(list, `{"_id":"`+u.id+`"}`)
		}
	}
	groups := ""
	if nested != "" {
		groups = `{"_id":"` + nested + `"}`
	}
	return `{"users":{"all":` + []string{"false", "false", "false", "true"}[rng.IntN(4)] + `,"list":[` + strings.Join(list, ",") + `]},"groups":[` + groups + `]}`
}

func everyID() map[string]bool {
	all := map[string]bool{}
	for i := range 14 {
		all[fmt.Sprintf("e%d", i)] = true
	}
	return all
}

// Writes in one millisecond: each is either in the answer or in the next delta
// set, and on a clock that moves it is told once.
func TestDeltaWithinOneMillisecond(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now })
	s.deltaOn("box")
	alice := s.signUp("alice")
	c.Add(time.Millisecond)
	put := func(id string) { s.want(s.do("PUT", "/appdata/"+kid+"/box/"+id, alice.session(), `{}`), 201, "") }
	put("before")
	since := s.do("GET", "/appdata/"+kid+"/box", alice.session(), "").header["X-Kinvey-Request-Start"]
	put("first") // the clock stands still
	a := s.delta(alice.session(), "box", since, "")
	if changed, _ := told(t, a); !slices.Contains(changed, "first") {
		t.Fatalf("since %s: %v, want first", since, changed)
	}
	second := a.header["X-Kinvey-Request-Start"]
	if second != since {
		t.Fatalf("the clock stands still and the start went from %s to %s", since, second)
	}
	put("second")
	if changed, _ := told(t, s.delta(alice.session(), "box", second, "")); !slices.Contains(changed, "second") {
		t.Fatalf("since %s: %v, want second", second, changed)
	}
	c.Add(5 * time.Millisecond)
	a = s.do("GET", "/appdata/"+kid+"/box", alice.session(), "")
	if changed, deleted := told(t, s.delta(alice.session(), "box", a.header["X-Kinvey-Request-Start"], "")); len(changed)+len(deleted) != 0 {
		t.Fatalf("nothing was changed, and %v %v is told", changed, deleted)
	}
	c.Add(time.Millisecond)
	put("third")
	c.Add(time.Millisecond)
	if changed, deleted := told(t, s.delta(alice.session(), "box", a.header["X-Kinvey-Request-Start"], "")); fmt.Sprint(changed, deleted) != "[third] []" {
		t.Fatalf("got %v %v, want third alone", changed, deleted)
	}
}

// slow is a driver whose appends wait when they are told to.
type slow struct {
	store.Driver
	mu      sync.Mutex
	entered chan struct{} // nil: appends do not wait
	proceed chan struct{}
}

func (d *slow) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	d.mu.Lock()
	entered, proceed := d.entered, d.proceed
	d.entered = nil
	d.mu.Unlock()
	if entered != nil {
		close(entered)
		<-proceed
	}
	return d.Driver.Append(ctx, expect, rec)
}

func (d *slow) hold() (entered, proceed chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entered, d.proceed = make(chan struct{}), make(chan struct{})
	return d.entered, d.proceed
}

// A write has its time and is not durable yet, the clock goes on, somebody
// reads: his next delta set has the write all the same. Readers of other
// collections do not wait for it.
func TestDeltaMissesNoWriteInTheMaking(t *testing.T) {
	c := newClock()
	driver := &slow{Driver: store.NewMemory()}
	s := start(t, onDriver(driver), func(o *options) { o.config.Clock = c.Now })
	s.deltaOn("box")
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("PUT", "/appdata/"+kid+"/other/x", alice.session(), `{}`), 201, "")
	c.Add(time.Millisecond)
	entered, proceed := driver.hold()
	written := make(chan answer, 1)
	go func() {
		a, _ := s.try("PUT", "/appdata/"+kid+"/box/late", alice.session(), `{}`)
		written <- a
	}()
	<-entered
	c.Add(10 * time.Millisecond)
	s.want(s.do("GET", "/appdata/"+kid+"/other", bob.session(), ""), 200, "")
	read := make(chan answer, 1)
	go func() {
		a, _ := s.try("GET", "/appdata/"+kid+"/box", bob.session(), "")
		read <- a
	}()
	var a answer
	select {
	case a = <-read: // without the write
		close(proceed)
	case <-time.After(100 * time.Millisecond): // time for one that does not wait to answer
		close(proceed)
		a = <-read
	}
	if w := <-written; w.status != 201 {
		t.Fatalf("PUT: %d %s", w.status, w.body)
	}
	changed, _ := told(t, s.delta(bob.session(), "box", a.header["X-Kinvey-Request-Start"], ""))
	if !slices.Contains(append(ids(t, a), changed...), "late") {
		t.Fatalf("neither the answer %s with the start %s nor the delta set has the write", a.body, a.header["X-Kinvey-Request-Start"])
	}
}

// disk is a driver that takes its time to be durable.
type disk struct{ store.Driver }

func (d disk) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	time.Sleep(time.Millisecond)
	return d.Driver.Append(ctx, expect, rec)
}

// Writers and a client at the same time, on the real clock. Every entity is
// written once, so a write that is lost to the client is not made good by a
// later one.
func TestDeltaUnderConcurrentWrites(t *testing.T) {
	bursts := 40
	if testing.Short() {
		bursts = 10
	}
	s := start(t, onDriver(disk{store.NewMemory()}))
	s.deltaOn("box")
	alice, bob := s.signUp("alice"), s.signUp("bob")
	k := &keeper{name: "bob", who: bob.session(), coll: "box", find: "{}"}
	could := map[string]bool{}
	for burst := range bursts {
		k.sync(s, could)
		var writers sync.WaitGroup
		for n := range 3 {
			for i := range 6 {
				could[fmt.Sprintf("b%d-w%d-%d", burst, n, i)] = true
			}
			writers.Go(func() {
				for i := range 6 {
					path := fmt.Sprintf("/appdata/%s/box/b%d-w%d-%d", kid, burst, n, i)
					_, _ = s.try("PUT", path, alice.session(), `{}`)
				}
			})
		}
		over := make(chan struct{})
		go func() { writers.Wait(); close(over) }()
		for writing := true; writing; {
			select {
			case <-over:
				writing = false
			default:
				a := s.delta(k.who, "box", k.since, "{}")
				for _, e := range get(a.json(t), "changed").([]any) {
					id, _ := get(e, "_id").(string)
					k.held[id] = fmt.Sprint(e)
				}
				k.since = a.header["X-Kinvey-Request-Start"]
			}
		}
	}
	k.sync(s, could)
	t.Logf("figure: %d entities written while a client asked for delta sets, none missed", len(k.held))
}

// What a delta set is asked with, and when it is refused.
func TestDeltaRefusals(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now })
	alice := s.signUp("alice")
	now := func() string { return c.Now().Format("2006-01-02T15:04:05.000Z") }
	s.want(s.do("PUT", "/appdata/"+kid+"/box/a", alice.session(), `{}`), 201, "")
	s.want(s.delta(alice.session(), "box", now(), ""), 403, "MissingConfiguration")
	s.want(s.delta(alice.session(), "nowhere", now(), ""), 403, "MissingConfiguration")
	s.want(s.delta(alice.session(), "user", now(), ""), 403, "IndirectCollectionAccessDisallowed")
	before := s.do("GET", "/appdata/"+kid+"/box", alice.session(), "").header["X-Kinvey-Request-Start"]
	s.deltaOn("box")
	c.Add(time.Second)
	s.want(s.delta(alice.session(), "box", before, ""), 400, "ParameterValueOutOfRange") // the history begins when it is switched on
	good := now()
	s.want(s.delta(alice.session(), "box", good, ""), 200, "")
	s.want(s.delta(asApp, "box", good, ""), 401, "InsufficientCredentials")
	s.want(s.do("GET", "/appdata/"+kid+"/box/_deltaset", alice.session(), ""), 400, "MissingRequestParameter")
	for _, since := range []string{"yesterday", "0", "2026-01-02", "2026-13-02T03:04:05.000Z", c.Now().Add(time.Millisecond).Format(time.RFC3339Nano)} {
		s.want(s.delta(alice.session(), "box", since, ""), 400, "ParameterValueOutOfRange")
	}
	s.want(s.delta(alice.session(), "box", good, `{"n":`), 400, "InvalidQuerySyntax")

	level := func(since string) {
		t.Helper()
		c.Add(time.Second)
		s.setLevel("box", "append-only")
		c.Add(time.Second)
		s.want(s.delta(alice.session(), "box", since, ""), 400, "ParameterValueOutOfRange")
		s.want(s.delta(alice.session(), "box", now(), ""), 200, "")
	}
	level(good)
	good = now()
	c.Add(time.Second)
	s.setLevel("box", "append-only") // the same again is no change
	s.want(s.delta(alice.session(), "box", good, ""), 200, "")

	// Off and on again: what happened in between is not known.
	s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/box", asMaster, `{"deltaSet":{"enabled":false}}`), 200, "")
	s.want(s.delta(alice.session(), "box", good, ""), 403, "MissingConfiguration")
	c.Add(time.Second)
	s.deltaOn("box")
	s.want(s.delta(alice.session(), "box", good, ""), 400, "ParameterValueOutOfRange")
	good = now()
	c.Add(time.Second)
	s.want(s.do("DELETE", "/v4/environments/"+kid+"/collections/box", asMaster, ""), 204, "")
	s.want(s.delta(alice.session(), "box", good, ""), 403, "MissingConfiguration")
	s.deltaOn("box")
	c.Add(time.Second)
	s.want(s.delta(alice.session(), "box", good, ""), 400, "ParameterValueOutOfRange")
}

// A change of a group concerns whom it puts in or out, and nobody else; and it
// does so after a restart too.
func TestDeltaAfterGroupChanges(t *testing.T) {
	c := newClock()
	driver := lasting{store.NewMemory()}
	boot := func() *server { return start(t, onDriver(driver), func(o *options) { o.config.Clock = c.Now }) }
	s := boot()
	s.deltaOn("box")
	alice, bob := s.signUp("alice"), s.signUp("bob")
	group := func(id, text string) {
		t.Helper()
		if a := s.do("PUT", "/group/"+kid+"/"+id, asMaster, text); a.status > 201 {
			t.Fatalf("PUT group: %d %s", a.status, a.body)
		}
	}
	with := func(u user) string { return `{"users":{"list":[{"_id":"` + u.id + `"}]}}` }
	group("inner", with(alice))
	for _, step := range []struct {
		what       string
		act        func()
		alice, bob int
	}{
		{"nobody's groups", func() { group("empty", `{}`) }, 200, 200},
		{"alice is put into a group", func() { group("g", with(alice)) }, 400, 200},
		{"the same again", func() { group("g", with(alice)) }, 200, 200},
		{"bob takes her place", func() { group("g", with(bob)) }, 400, 400},
		{"her group is put into it", func() { group("g", `{"users":{"list":[{"_id":"`+bob.id+`"}]},"groups":[{"_id":"inner"}]}`) }, 400, 200},
		{"she gets in directly as well", func() {
			group("g", `{"users":{"list":[{"_id":"`+bob.id+`"},{"_id":"`+alice.id+`"}]},"groups":[{"_id":"inner"}]}`)
		}, 200, 200},
		{"it is everybody's", func() { group("g", `{"users":{"all":true}}`) }, 400, 400},
		{"it is gone", func() { s.want(s.do("DELETE", "/group/"+kid+"/g", asMaster, ""), 200, "") }, 400, 400},
		{"out and in again", func() { group("inner", `{}`); group("inner", with(alice)) }, 400, 200},
	} {
		c.Add(time.Second)
		since := s.do("GET", "/appdata/"+kid+"/box", alice.session(), "").header["X-Kinvey-Request-Start"]
		c.Add(time.Second)
		step.act()
		c.Add(time.Second)
		for _, when := range []string{"at once", "after a restart"} {
			for u, want := range map[user]int{alice: step.alice, bob: step.bob} {
				if a := s.delta(u.session(), "box", since, ""); a.status != want {
					t.Errorf("%s, %s: %s gets %d %s, want %d", step.what, when, u.name, a.status, a.body, want)
				}
			}
			s.want(s.delta(asMaster, "box", since, ""), 200, "")
			s.stop()
			s = boot()
		}
	}
}

// A restart changes no delta set.
func TestDeltaAfterRestart(t *testing.T) {
	c := newClock()
	rng := rand.New(rand.NewPCG(seed(t), 7))
	dir := t.TempDir()
	boot := func() *server { return start(t, onBadger(t, dir), func(o *options) { o.config.Clock = c.Now }) }
	s := boot()
	s.deltaOn("box")
	alice, bob := s.signUp("alice"), s.signUp("bob")
	var since []string
	for i := range 120 {
		who := []string{asMaster, alice.session(), bob.session()}[rng.IntN(3)]
		path := fmt.Sprintf("/appdata/%s/box/e%d", kid, rng.IntN(9))
		if rng.IntN(4) == 0 {
			s.do("DELETE", path, who, "")
		} else {
			s.do("PUT", path, who, fmt.Sprintf(`{"n":%d,"_acl":{"gr":%t}}`, i, rng.IntN(2) == 0))
		}
		since = append(since, c.Now().Format(time.RFC3339Nano))
		c.Add(time.Duration(rng.IntN(2)) * time.Millisecond)
	}
	c.Add(time.Second)
	ask := func() map[string]string {
		all := map[string]string{}
		for _, t := range since {
			for _, who := range []string{asMaster, alice.session(), bob.session()} {
				for _, find := range []string{"", `{"n":{"$gt":60}}`} {
					a := s.delta(who, "box", t, find)
					all[t+who+find] = fmt.Sprint(a.status, string(a.body), a.header["X-Kinvey-Request-Start"])
				}
			}
		}
		return all
	}
	before := ask()
	s.stop()
	s = boot()
	if after := ask(); !maps.Equal(before, after) {
		for k, b := range before {
			if after[k] != b {
				t.Errorf("%s\nbefore %s\nafter  %s", k, b, after[k])
			}
		}
	}
	t.Logf("figure: %d delta sets the same after a restart", len(before))
}

// Retention: older than the days of the collection is refused.
func TestDeltaRetention(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now })
	alice := s.signUp("alice")
	box := "/v4/environments/" + kid + "/collections/box"
	s.want(s.do("PUT", box, asMaster, `{"deltaSet":{"enabled":true,"deletedTTLInDays":3}}`), 200, "")
	c.Add(time.Hour)
	old := c.Now().Format(time.RFC3339Nano)
	s.want(s.do("PUT", "/appdata/"+kid+"/box/a", alice.session(), `{}`), 201, "")
	c.Add(3 * 24 * time.Hour)
	s.want(s.delta(alice.session(), "box", old, ""), 200, "")
	c.Add(time.Millisecond)
	s.want(s.delta(alice.session(), "box", old, ""), 400, "ParameterValueOutOfRange")
	// A longer time does not bring back what may be forgotten.
	s.want(s.do("PUT", box, asMaster, `{"deltaSet":{"enabled":true,"deletedTTLInDays":30}}`), 200, "")
	s.want(s.delta(alice.session(), "box", old, ""), 400, "ParameterValueOutOfRange")
}

// The setting, as the management API has it.
func TestDeltaSetting(t *testing.T) {
	s := start(t)
	box := "/v4/environments/" + kid + "/collections"
	show := func() string { return string(s.want(s.do("GET", box+"/box", asMaster, ""), 200, "").body) }
	const off = `{"name":"box","permissions":"append-only"}`
	const on = `{"name":"box","permissions":"append-only","deltaSet":{"enabled":true,"deletedTTLInDays":15}}`
	s.want(s.do("POST", box, asMaster, `{"name":"box","permissions":"append-only"}`), 201, "")
	for _, step := range []struct{ body, want string }{
		{`{}`, off},
		{`{"deltaSet":null}`, off},
		{`{"deltaSet":{"enabled":true}}`, on}, // the level is as it was
		{`{"permissions":"append-only"}`, on},
		{`{"deltaSet":{"enabled":true,"deletedTTLInDays":7}}`, strings.Replace(on, "15", "7", 1)},
		{`{"deltaSet":{"enabled":true}}`, strings.Replace(on, "15", "7", 1)},
		{`{"deltaSet":{"enabled":false}}`, off},
	} {
		a := s.want(s.do("PUT", box+"/box", asMaster, step.body), 200, "")
		if string(a.body) != step.want || show() != step.want {
			t.Errorf("PUT %s: %s, then GET %s, want %s", step.body, a.body, show(), step.want)
		}
	}
	a := s.want(s.do("POST", box, asMaster, `{"name":"new","deltaSet":{"enabled":true,"deletedTTLInDays":1}}`), 201, "")
	if !strings.Contains(string(a.body), `"deltaSet":{"enabled":true,"deletedTTLInDays":1}`) {
		t.Errorf("POST: %s", a.body)
	}
	for _, bad := range []string{`1`, `[]`, `{}`, `{"enabled":"yes"}`, `{"enabled":true,"deletedTTLInDays":0}`, `{"enabled":true,"deletedTTLInDays":31}`,
		`{"enabled":true,"deletedTTLInDays":1.5}`, `{"enabled":true,"deletedTTLInDays":"7"}`} {
		got := s.do("PUT", box+"/box", asMaster, `{"deltaSet":`+bad+`}`)
		if name, _ := get(got.json(t), "code").(string); got.status != 400 || name != "ParameterValueOutOfRange" {
			t.Errorf("deltaSet %s: %d %s", bad, got.status, got.body)
		}
	}
	if got := s.do("PUT", box+"/user", asMaster, `{"deltaSet":{"enabled":true}}`); got.status != 400 {
		t.Errorf("delta set of users: %d %s", got.status, got.body)
	}
}

// Non-interference (R12): what others do with what the caller may not read
// changes neither bytes nor headers of his answers.
func TestHiddenChangesDoNotInterfereWithDelta(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 2))
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now; o.config.Random = newSeeded(n) })
	s.deltaOn("box")
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.want(s.do("PUT", "/group/"+kid+"/out", asMaster, `{"users":{"list":[{"_id":"`+alice.id+`"}]},"_acl":{"gr":false}}`), 201, "")
	c.Add(time.Second)
	var since []string
	for i := range 12 {
		since = append(since, c.Now().Format(time.RFC3339Nano))
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/box/seen%d", kid, i%7), asMaster, fmt.Sprintf(`{"n":%d,"_acl":{"gr":%t}}`, i, i%3 > 0)), []int{200, 201}[max(0, 1-i/7)], "")
		c.Add(time.Millisecond)
	}
	box := "/appdata/" + kid + "/box"
	ask := func() (all []answer) {
		for _, t := range since {
			for _, path := range []string{box + "/_deltaset?since=" + url.QueryEscape(t), box + "/_deltaset?query=" + url.QueryEscape(`{"n":{"$gt":6}}`) + "&since=" + url.QueryEscape(t), box, box + "/_count"} {
				a := s.do("GET", path, bob.session(), "", "X-Kinvey-Request-Id", "fixed")
				delete(a.header, "Date")
				all = append(all, a)
			}
		}
		return all
	}
	compared := 0
	for range 60 {
		before := ask()
		hidden := fmt.Sprintf("%s/hidden%d", box, rng.IntN(9))
		for range 1 + rng.IntN(4) {
			switch rng.IntN(5) {
			case 0:
				s.do("DELETE", hidden, asMaster, "")
			case 1:
				s.do("PUT", "/group/"+kid+"/out", asMaster, []string{`{"_acl":{"gr":false}}`, `{"users":{"list":[{"_id":"` + alice.id + `"}]},"_acl":{"gr":false}}`}[rng.IntN(2)])
			default:
				s.do("PUT", hidden, asMaster, fmt.Sprintf(`{"n":%d,"_acl":{"gr":false,"r":[%q],"w":[%q],"groups":{"r":["out"]}}}`, rng.IntN(9), alice.id, bob.id))
			}
		}
		for i, a := range ask() {
			b := before[i]
			if a.status != b.status || string(a.body) != string(b.body) || !maps.Equal(a.header, b.header) {
				t.Fatalf("before %d %v %s\nafter  %d %v %s", b.status, b.header, b.body, a.status, a.header, a.body)
			}
			compared++
		}
	}
	t.Logf("figure: %d answers unchanged by hidden changes", compared)
}

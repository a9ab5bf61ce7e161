package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"strings"
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

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/engine/store"
)

// outliving is a store that outlives the engines on it, and counts what they read
// of it: the entities of collections, one by one.
type outliving struct {
	store.Driver
	entities atomic.Int64
}

func (*outliving) Close() error { return nil }

func (l *outliving) View() (store.View, error) {
	v, err := l.Driver.View()
	return &countingView{v, l}, err
}

type countingView struct {
	store.View
	of *outliving
}

func (v *countingView) Scan(p store.Prefix, fn func(store.Row) error) error {
	return v.View.Scan(p, func(r store.Row) error {
		err := fn(r)
		if err == nil && r.Key.Table == 8 && r.Key.Collection >= 16 {
			v.of.entities.Add(1)
		}
		return err
	})
}

// A snapshotWorld is apps in a store, a directory of snapshots, and people who
// ask about them.
type snapshotWorld struct {
	t      *testing.T
	r      *rand.Rand
	d      *outliving
	dir    string
	change []func(*options)
	s      *server
	people []string
}

func newSnapshotWorld(t *testing.T, n uint64, change ...func(*options)) *snapshotWorld {
	w := &snapshotWorld{t: t, r: rand.New(rand.NewPCG(n, 5)), d: &outliving{Driver: store.NewMemory()}, dir: filepath.Join(t.TempDir(), "snapshot"), change: change}
	t.Cleanup(func() {
		if err := w.d.Driver.Close(); err != nil {
			t.Error(err)
		}
	})
	w.open()
	for i := range 5 {
		w.people = append(w.people, w.s.signUp(fmt.Sprint("user", i)).session())
	}
	w.people = append(w.people, asMaster)
	for i := range 3 {
		w.regroup(i)
	}
	return w
}

// on starts an engine on the store; with no directory it loads the rows.
func (w *snapshotWorld) on(dir string) *server {
	return start(w.t, func(o *options) {
		o.driver = w.d
		o.config.SnapshotDir, o.config.SnapshotLeast, o.config.SnapshotAfter = dir, 1, 1<<30
		o.config.QueryRows = -1
		o.config.NoSamples = true // two servers share the store: who only reads is to write nothing
		for _, f := range w.change {
			f(o)
		}
	})
}

func (w *snapshotWorld) open() { w.s = w.on(w.dir) }

func (w *snapshotWorld) who() string { return w.people[w.r.IntN(len(w.people))] }

func (w *snapshotWorld) regroup(i int) {
	var list []string
	for _, u := range []string{"user0", "user1", "user2", "user3", "user4"} {
		if w.r.IntN(2) == 0 {
			a := w.s.do("GET", "/user/"+kid+"?query="+url.QueryEscape(fmt.Sprintf(`{"username":%q}`, u)), asMaster, "")
			for _, id := range ids(w.t, a) {
				list = append(list, fmt.Sprintf(`{"_id":%q}`, id))
			}
		}
	}
	a := w.s.do("PUT", fmt.Sprintf("/group/%s/g%d", kid, i), asMaster, `{"users":{"list":[`+strings.Join(list, ",")+`]}}`)
	if a.status > 201 {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
}

// act does something at random.
func (w *snapshotWorld) act() {
	r := w.r
	method, path, body, who := "PUT", "/appdata/"+kid+"/"+[]string{"things", "more"}[r.IntN(5)/4], "", w.who()
	switch n := r.IntN(40); {
	case n < 30:
		path, body = path+fmt.Sprint("/e", r.IntN(things)), thing(r, 6)
		if r.IntN(4) == 0 {
			body = strings.Replace(body, "{", fmt.Sprintf(`{"_acl":{"gr":false,"groups":{"r":["g%d"]}},`, r.IntN(3)), 1)
			if strings.Count(body, "_acl") > 1 || strings.HasSuffix(body, ",}") {
				body = fmt.Sprintf(`{"a":%d,"_acl":{"gr":false,"groups":{"r":["g%d","g%d"]}}}`, r.IntN(9), r.IntN(3), r.IntN(3))
			}
		}
	case n < 35:
		method, path = "DELETE", path+fmt.Sprint("/e", r.IntN(things))
	case n == 35:
		who, path, body = asMaster, "/v4/environments/"+kid+"/collections/things", fmt.Sprintf(`{"permissions":%q}`, []string{"append-read", "append-only", "read-only", "write"}[r.IntN(4)])
	case n == 36:
		w.regroup(r.IntN(3))
		return
	case n == 37:
		method, path = "DELETE", path+"?query="+url.QueryEscape(condition(r))
	default: // an order may come of it
		method, path = "GET", path+window(r)
	}
	if a := w.s.do(method, path, who, body); a.status >= 500 {
		w.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
}

// asked is every person's answers to some questions.
func (w *snapshotWorld) asked(s *server, questions []string) []string {
	var all []string
	for _, who := range w.people {
		for _, q := range questions {
			a := s.do("GET", q, who, "")
			all = append(all, fmt.Sprintf("%s by %.12s: %d %s", q, who, a.status, a.body))
		}
	}
	return all
}

func (w *snapshotWorld) questions(n int) []string {
	var all []string
	for _, c := range []string{"things", "more"} {
		path := "/appdata/" + kid + "/" + c
		all = append(all, path, path+"/_count", path+"?sort=a", path+"?sort=_id", path+`?sort={"b":1,"a":-1}`)
		for range n {
			all = append(all, path+window(w.r), path+"/_count?query="+url.QueryEscape(condition(w.r)), path+fmt.Sprint("/e", w.r.IntN(things)))
		}
	}
	return all
}

// same compares the server with one that loads the rows, and checks both.
func (w *snapshotWorld) same(n int) {
	w.t.Helper()
	questions := w.questions(n)
	rows := w.on("")
	want, got := w.asked(rows, questions), w.asked(w.s, questions)
	for i := range want {
		if got[i] != want[i] {
			w.t.Fatalf("%.3000s\n  from rows %.3000s", got[i], want[i])
		}
	}
	for _, s := range []*server{rows, w.s} {
		if err := s.e.Check(func(p string) { w.t.Error("check:", p) }); err != nil {
			w.t.Error(err)
		}
	}
	rows.stop()
}

// metric reads one of a server's figures.
func (s *server) metric(name string) int {
	s.t.Helper()
	for line := range strings.Lines(string(s.do("GET", "/-/metrics", "", "").body)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return int(v)
		}
	}
	s.t.Fatal("there is no metric " + name)
	return 0
}

// until waits for what happens in the background.
func (s *server) until(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); runtime.Gosched() {
		if time.Now().After(deadline) {
			s.t.Fatal("not " + what)
		}
	}
}

// copyOf copies a directory of snapshots as a crash would leave it.
func (w *snapshotWorld) copyOf(dir string) string {
	w.t.Helper()
	to := filepath.Join(w.t.TempDir(), "snapshot")
	for range 100 { // what is being written may vanish under the copy
		if err := os.RemoveAll(to); err != nil {
			w.t.Fatal(err)
		}
		if err := os.CopyFS(to, os.DirFS(dir)); err == nil {
			return to
		} else if !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
	}
	w.t.Fatal("the directory never rests")
	return ""
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

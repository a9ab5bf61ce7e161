package script_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/engine/script"
)

// child is the argument on which the test binary is the process of a script.
const child = "run-script"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == child {
		os.Exit(script.Main(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func newRunner(t testing.TB, limit time.Duration) *script.Runner {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return script.New(limit, program, child)
}

// over feeds documents, all into one bucket.
func over(accumulator string, docs ...string) func(script.Add) error {
	return func(add script.Add) error {
		for i, d := range docs {
			var a []byte
			if i == 0 {
				a = []byte(accumulator)
			}
			if err := add(0, a, []byte(d)); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestReduce(t *testing.T) {
	r := newRunner(t, script.TimeLimit)
	rows := []struct{ reduce, want string }{
		{`function(doc, out) { out.n += doc.n; }`, `[{"n":6}]`},
		{`(doc, out) => { out.list = (out.list || []).concat(doc); }`, `[{"n":0,"list":[{"n":1},{"n":2},{"n":3}]}]`},
		{`function(doc, out) { for (const k in doc) out[k + "s"] = [...(out[k + "s"] || []), doc[k] ** 2]; }`, `[{"n":0,"ns":[1,4,9]}]`},
		{`function(doc, out) { out.t = Date.now(); out.d = new Date().getTimezoneOffset(); out.r = Math.random(); }`, `[{"n":0,"t":0,"d":0,"r":0.5}]`},
		{`function(doc, out) { out.x = [typeof require, typeof process, typeof console, typeof fetch, typeof setTimeout].join(); } // here`,
			`[{"n":0,"x":"undefined,undefined,undefined,undefined,undefined"}]`},
	}
	for _, row := range rows {
		got, err := r.Reduce([]byte("before"), row.reduce, over(`{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`))
		if string(got) != "before"+row.want || err != nil {
			t.Errorf("%s: %s, %v; want %s", row.reduce, got, err, row.want)
		}
	}
	got, err := r.Reduce(nil, `function(){}`, over(`{}`))
	if string(got) != `[]` || err != nil {
		t.Errorf("nothing: %s, %v", got, err)
	}
	mine := errors.New("mine")
	if _, err := r.Reduce(nil, `function(){}`, func(script.Add) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("an error of feed: %v", err)
	}
	if _, err := script.New(script.TimeLimit, t.TempDir()+"/none").Reduce(nil, ``, over(`{}`)); err == nil {
		t.Error("a program that is not there")
	}
	if _, err := script.New(script.TimeLimit, "/bin/true").Reduce(nil, ``, over(`{}`)); err == nil {
		t.Error("a program that is another one")
	}
}

// hostile is what a script may try; each ends in an *Error and in nothing else.
var hostile = map[string]string{
	"no end":                `function(doc, out) { while (true); }`,
	"no end in the text":    `function(){}); while(true); (0`,
	"no end in a getter":    `function(doc, out) { Object.defineProperty(out, "x", {enumerable: true, get() { while (true); }}); }`,
	"no end in toJSON":      `function(doc, out) { out.toJSON = function() { while (true); }; }`,
	"a slow expression":     `function(doc, out) { out.x = /^(?=a)(a+)+$/.test("a".repeat(40) + "b"); }`,
	"promises without end":  `function(doc, out) { const f = () => Promise.resolve().then(f); f(); }`,
	"a list without end":    `function(doc, out) { const a = []; while (true) a.push(new Array(1000).fill(a.length)); }`,
	"text without end":      `function(doc, out) { out.s = "x"; while (true) out.s += out.s; }`,
	"a giant text":          `function(doc, out) { out.s = "x".repeat(1 << 30).split("").length; }`,
	"a giant list":          `function(doc, out) { out.s = new Array(1 << 27).fill("x").join(); }`,
	"a giant buffer":        `function(doc, out) { out.s = new Uint8Array(1 << 30).length; }`,
	"a giant answer":        `function(doc, out) { out.s = "x".repeat(20 << 20); }`,
	"deep calls":            `function(doc, out) { (function f() { f(); })(); }`,
	"deep calls back":       `function(doc, out) { const f = () => [1].map(f); f(); }`,
	"deep text":             `function(doc, out) { let a = []; for (let i = 0; i < 1e6; i++) a = [a]; out.s = String(a); }`,
	"a deep answer":         `function(doc, out) { for (let i = 0; i < 1e6; i++) { out.a = {}; out = out.a; } }`,
	"deep source":           `function(doc, out) { out.x = eval("(".repeat(1e6)); }`,
	"a circle":              `function(doc, out) { out.self = out; }`,
	"another JSON":          `function(doc, out) { JSON.stringify = () => "1"; out.toJSON = () => 5; }`,
	"no JSON":               `function(doc, out) { out.toJSON = () => undefined; }`,
	"a list for an object":  `function(doc, out) { out.toJSON = () => []; }`,
	"a prototype":           `function(doc, out) { Object.prototype.toJSON = () => "mine"; }`,
	"this":                  `function(doc, out) { out.x = this.constructor.constructor("return process")().pid; }`,
	"a constructor":         `function(doc, out) { out.x = out.constructor.constructor("return require('fs')")(); }`,
	"a module":              `function(doc, out) { import("fs"); }`,
	"an exception":          `function(doc, out) { throw new Error("so"); }`,
	"an odd exception":      `function(doc, out) { throw {toString() { throw 1; }}; }`,
	"a proxy as exception":  `function(doc, out) { throw new Proxy({}, {get() { while (true); }}); }`,
	"no function":           `5`,
	"no JavaScript":         `function(doc, out) {`,
	"nothing":               ``,
	"text that is no UTF-8": "function(doc, out) { throw '\xff\xfe'; }",
}

func TestHostileScripts(t *testing.T) {
	if !script.Limited {
		t.Log("memory is not bounded on this platform: only time is")
	}
	r := newRunner(t, script.TimeLimit/4)
	for name, reduce := range hostile {
		if !script.Limited && strings.Contains(name, "giant") {
			continue
		}
		got, err := r.Reduce(nil, reduce, over(`{}`, `{"n":1}`))
		var e *script.Error
		if !errors.As(err, &e) || e.Msg == "" || len(got) != 0 {
			t.Errorf("%s: %.200s, %v; want an *Error", name, got, err)
			continue
		}
		if strings.HasPrefix(name, "no end") && !strings.Contains(e.Msg, "too long") {
			t.Errorf("%s: ended by something else than time: %s", name, e.Msg)
		}
		t.Logf("%s: %.90s", name, e.Msg)
	}
	// With time enough it is its size that ends it.
	var e *script.Error
	if _, err := newRunner(t, script.TimeLimit).Reduce(nil, `function(doc, out) { out.s = "x".repeat(16 << 20); }`, over(`{}`, `{}`)); !errors.As(err, &e) ||
		!strings.Contains(e.Msg, "too much") {
		t.Errorf("a giant answer: %v", err)
	}
	got, err := newRunner(t, script.TimeLimit).Reduce(nil, `function(doc, out) { out.n++; }`, over(`{"n":0}`, `{}`))
	if string(got) != `[{"n":1}]` || err != nil {
		t.Errorf("afterwards: %s, %v", got, err)
	}
}

// A script that ends while documents are still coming ends the feeding.
func TestEarlyEnd(t *testing.T) {
	r := newRunner(t, script.TimeLimit)
	doc := []byte(`{"x":"` + strings.Repeat("x", 1<<16) + `"}`)
	added := 0
	_, err := r.Reduce(nil, `function() { throw 1; }`, func(add script.Add) error {
		if err := add(0, []byte(`{}`), doc); err != nil {
			return err
		}
		for {
			if err := add(0, nil, doc); err != nil {
				return err
			}
			added++
		}
	})
	var e *script.Error
	if !errors.As(err, &e) || added == 0 {
		t.Errorf("%v after %d documents; want an *Error", err, added)
	}
}

// More scripts than turns wait for each other, and none is lost.
func TestTurns(t *testing.T) {
	r := newRunner(t, script.TimeLimit)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, err := r.Reduce(nil, `function(doc, out) { out.n++; }`, over(`{"n":0}`, `{}`, `{}`))
			if !errors.Is(err, script.ErrBusy) && (err != nil || string(got) != `[{"n":2}]`) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
	all.Wait()
	// Two without end hold both turns for as long as a third one waits.
	busy := 0
	var mu sync.Mutex
	for range 5 {
		all.Go(func() {
			if _, err := r.Reduce(nil, hostile["no end"], over(`{}`, `{}`)); errors.Is(err, script.ErrBusy) {
				mu.Lock()
				defer mu.Unlock()
				busy++
			}
		})
	}
	all.Wait()
	if busy == 0 {
		t.Error("five scripts without end found a turn")
	}
}

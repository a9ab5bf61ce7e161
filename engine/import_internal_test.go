package engine

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/engine/store"
)

func openImporting(t *testing.T, d store.Driver) (*Engine, *app) {
	t.Helper()
	e, err := Open(Config{Driver: d, Argon: auth.CheapParams})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := e.CreateApp(NewApp{Key: "kid_a"}); err != nil {
		t.Fatal(err)
	}
	a, _ := e.appByKey("kid_a")
	return e, a
}

// However long a file is, and however long its lines are, no more of it is
// under way than a few chunks: counted here, after every line that is handed
// over, in lines and bytes that no group of the committer has taken yet.
func TestImportIsBounded(t *testing.T) {
	for _, c := range []struct{ lines, bytes, most int }{
		{100_000, 40, (importChunks + 1) * importLines},
		{20_000, 10_000, (importChunks + 1) * (importBytes/10_000 + 1)}, // 200 MB
		{800, 250_000, (importChunks + 1) * (importBytes/250_000 + 1)},  // 200 MB
	} {
		t.Run(fmt.Sprint(c.bytes), func(t *testing.T) {
			e, a := openImporting(t, store.NewMemory())
			line := []byte(`{"_id":"x","text":"` + strings.Repeat("x", c.bytes-21) + `"}`)
			e.importOne(t, line)
			before := int(e.metrics.intents.Get())
			handed, most := 0, 0
			m := &importer{e: e, app: a, collection: "c", duplicates: skipDuplicates}
			r, err := m.run(func() ([]byte, error) {
				if handed == c.lines {
					return nil, io.EOF
				}
				most = max(most, handed-(int(e.metrics.intents.Get())-before))
				handed++
				return line, nil
			})
			if err != nil || r.Skipped != c.lines {
				t.Fatalf("%+v, %v", r, err)
			}
			if most > c.most {
				t.Errorf("%d lines of %d bytes were under way at once, want at most %d", most, c.bytes, c.most)
			}
		})
	}
}

func (e *Engine) importOne(t *testing.T, line []byte) {
	t.Helper()
	lines := linesOf(line)
	if r, err := e.Import("kid_a", "c", lines); err != nil || r.Imported != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// waitingDriver holds one record back until others wait behind it.
type waitingDriver struct {
	store.Driver
	hold func()
}

func (d *waitingDriver) Append(ctx context.Context, head store.Seq, rec *store.Record) error {
	d.hold()
	return d.Driver.Append(ctx, head, rec)
}

// While a group is being written, enough lines wait to fill the next two.
func TestImportFillsGroups(t *testing.T) {
	d := &waitingDriver{Driver: store.NewMemory(), hold: func() {}}
	e, _ := openImporting(t, d)
	e.importOne(t, []byte(`{}`))
	held := false
	d.hold = func() {
		if held {
			return
		}
		held = true
		deadline := time.After(20 * time.Second)
		look := time.NewTicker(time.Millisecond)
		defer look.Stop()
		for {
			e.committer.mu.Lock()
			n := e.committer.waiting
			e.committer.mu.Unlock()
			if n >= 2*groupOps {
				return
			}
			select {
			case <-look.C:
			case <-deadline:
				t.Errorf("%d intents wait behind a record, want two groups of %d", n, groupOps)
				return
			}
		}
	}
	n := 0
	r, err := e.Import("kid_a", "c", func() ([]byte, error) {
		if n == 10*groupOps {
			return nil, io.EOF
		}
		n++
		return []byte(`{}`), nil
	})
	if err != nil || r.Imported != 10*groupOps || !held {
		t.Errorf("%+v, %v", r, err)
	}
}

// Many requests that import at once leave most of the committer's queue, which
// turns others away when it is full, to others.
func TestImportsTakeTurns(t *testing.T) {
	const (
		requests = 12
		lines    = importChunks * importLines
		most     = importSlots * importChunks * importLines
	)
	if most > queueLimit/2 {
		t.Errorf("imports put up to %d intents into a queue of %d", most, queueLimit)
	}
	d := &waitingDriver{Driver: store.NewMemory(), hold: func() {}}
	e, _ := openImporting(t, d)
	secrets, err := e.CreateApp(NewApp{Key: "kid_b"})
	if err != nil {
		t.Fatal(err)
	}
	waiting := func() int {
		e.committer.mu.Lock()
		defer e.committer.mu.Unlock()
		return e.committer.waiting
	}
	held := 0
	d.hold = func() {
		if held == 0 { // until those whose turn it is have sent what they may
			outboxWait(t, "fills the queue", func() bool { return waiting() >= most-2*groupOps })
		}
		held = max(held, waiting())
	}
	body := []byte(strings.Repeat("{}\n", lines))
	handler := e.Handler()
	var group sync.WaitGroup
	for range requests {
		group.Go(func() {
			var ctx fasthttp.RequestCtx
			ctx.Request.Header.SetMethod("POST")
			ctx.Request.SetRequestURI("/v4/environments/kid_b/collections/c/import")
			ctx.Request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("kid_b:"+secrets.MasterSecret)))
			ctx.Request.SetBody(body)
			handler(&ctx)
			if want := fmt.Sprintf(`"imported":%d,`, lines); !bytes.Contains(ctx.Response.Body(), []byte(want)) {
				t.Errorf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
			}
		})
	}
	group.Wait()
	if held > most {
		t.Errorf("%d intents waited at once, want at most %d", held, most)
	}
}

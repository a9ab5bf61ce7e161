package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// endless is a file of n bytes that counts how much of it was read.
type endless struct {
	left int64
	read atomic.Int64
	line []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(e.line) <= len(p) {
		n += copy(p[n:], e.line)
	}
	e.left -= int64(n)
	e.read.Add(int64(n))
	return n, nil
}

// A file of 200 MB is never read further than the one batch that is filled
// while another is being sent.
func TestLinesAreReadOneBatchAhead(t *testing.T) {
	file := &endless{left: 200 << 20, line: []byte(strings.Repeat("x", 1023) + "\n")}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	r := readLines(ctx, file)
	const buffers = 2 * 256 << 10
	handed, lines, buffersSeen := int64(0), 0, map[*batch]bool{}
	for b := range r.batches {
		handed += int64(len(b.text))
		if b.first != lines+1 || b.lines != len(b.text)/1024 {
			t.Fatalf("a batch from line %d with %d lines after %d lines", b.first, b.lines, lines)
		}
		lines += b.lines
		buffersSeen[b] = true
		if ahead := file.read.Load() - handed; ahead > batchBytes+1024+buffers {
			t.Fatalf("%d bytes are read ahead", ahead)
		}
		r.free <- b
	}
	if handed < 200<<20 || len(buffersSeen) != batchCount {
		t.Errorf("%d bytes in %d buffers", handed, len(buffersSeen))
	}
}

// Who gives no batch back is read no further ahead either.
func TestLinesWaitForTheirBatches(t *testing.T) {
	file := &endless{left: 200 << 20, line: []byte("{}\n")}
	ctx, end := context.WithCancel(t.Context())
	r := readLines(ctx, file)
	for range batchCount {
		<-r.batches
	}
	end()
	if b, open := <-r.batches; open {
		t.Errorf("a batch of %d lines that nobody has room for", b.lines)
	}
	if n := file.read.Load(); n > batchCount*(batchBytes+1024)+512<<10 {
		t.Errorf("%d bytes were read", n)
	}
}

// A line of 200 MB takes no more memory than a line may have.
func TestLongLineIsNotKept(t *testing.T) {
	file := &endless{left: 200 << 20, line: []byte("x")}
	r := readLines(t.Context(), file)
	b := <-r.batches
	if b.lines != 1 || len(b.tooLong) != 1 || string(b.text) != "\n" {
		t.Errorf("%d lines, %d of them too long, %d bytes", b.lines, len(b.tooLong), len(b.text))
	}
	if n := cap(b.text); n > 2*maxLineBytes {
		t.Errorf("room for %d bytes was made", n)
	}
}

// interrupting is a context that ends as soon as somebody was told that it has
// not ended.
type interrupting struct {
	context.Context
	interrupt func()
}

func (c interrupting) Err() error {
	err := c.Context.Err()
	c.interrupt()
	return err
}

// An import that waits for its input ends when it is interrupted.
func TestImportInterruptedWhileWaiting(t *testing.T) {
	in, feed := io.Pipe() // that nobody writes to
	defer feed.Close()
	inner, interrupt := context.WithCancel(t.Context())
	ctx := interrupting{inner, interrupt}
	m := &importing{out: io.Discard, name: "-", bar: newProgress(io.Discard, true)}
	over := make(chan error, 1)
	go func() { over <- m.pass(ctx, in, 0, false) }()
	select {
	case err := <-over:
		if err == nil || !strings.Contains(err.Error(), "interrupted; lines 1 to 0 are done") {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits on")
	}
}

func TestProgress(t *testing.T) {
	var w bytes.Buffer
	tally := &tally{Imported: 400, Replaced: 50, Skipped: 50, Bad: 2}
	for _, c := range []struct {
		terminal bool
		size     int64
		at       int64
		want     string
	}{
		{true, 8 << 20, 2 << 20, "importing [######------------------] 25 % of 8.0 MiB, 500 entities, 250/s, 2 bad lines"},
		{true, 8 << 20, 9 << 20, "importing [########################] 100 % of 8.0 MiB, 500 entities, 250/s, 2 bad lines"},
		{false, 8 << 20, 2 << 20, "importing 25 % of 8.0 MiB, 500 entities, 250/s, 2 bad lines"},
		{true, 0, 3 << 20, "importing 3.0 MiB, 500 entities, 250/s, 2 bad lines"},
	} {
		p := newProgress(&w, false)
		p.terminal = c.terminal
		p.start("importing", c.size)
		if got := p.text(c.at, tally, 2*time.Second); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}

	// Soon after another nothing is shown, later a bar that is taken away again.
	p := newProgress(&w, false)
	p.terminal = true
	p.start("importing", 1)
	p.began, p.shown = p.began.Add(time.Hour), p.shown.Add(time.Hour)
	p.show(1, tally)
	if w.Len() > 0 {
		t.Errorf("%q", w.String())
	}
	p.shown = time.Time{}
	p.show(1, tally)
	p.line("f:1: bad")
	if !strings.HasPrefix(w.String(), "\r\x1b[Kimporting [###") || !strings.HasSuffix(w.String(), "\r\x1b[Kf:1: bad\n") {
		t.Errorf("%q", w.String())
	}
	w.Reset()
	p = newProgress(&w, true)
	p.start("importing", 1)
	p.shown = time.Time{}
	p.show(1, tally)
	p.end()
	if w.Len() > 0 {
		t.Errorf("quiet, and %q", w.String())
	}
}

package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	batchBytes   = 4 << 20 // from how many on a batch is sent; it ends with a line
	maxLineBytes = 4 << 20 // of a line that is sent; an entity has less
	batchCount   = 2       // one is sent while the other is filled
)

// A batch is some whole lines of a file.
type batch struct {
	text    []byte
	first   int // number of its first line in the file, from 1
	lines   int
	end     int64     // how much of the file was read by then, bytes
	tooLong []badLine // their text is left out, they are empty lines in the batch
	failed  error     // why there are no lines, and no batch after this one
}

// lineReader cuts a file into batches in the background. It is never further
// ahead than one batch.
type lineReader struct {
	batches chan *batch // closed at the end
	free    chan *batch // whoever has taken a batch gives it back
}

// readLines starts to read; it ends with ctx.
func readLines(ctx context.Context, file io.Reader) *lineReader {
	r := &lineReader{batches: make(chan *batch), free: make(chan *batch, batchCount)}
	for range batchCount {
		r.free <- &batch{}
	}
	go func() {
		defer close(r.batches)
		if err := r.read(ctx, file); err != nil {
			select {
			case r.batches <- &batch{failed: err}:
			case <-ctx.Done():
			}
		}
	}()
	return r
}

// read returns nil at the end of the file and of ctx. Of lines that come before
// an error in one batch with it, none is handed out: the last may be torn.
func (r *lineReader) read(ctx context.Context, file io.Reader) error {
	raw := &counter{in: file}
	in := bufio.NewReaderSize(raw, 256<<10)
	// By content, not by name: standard input has none.
	if head, err := in.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in = bufio.NewReaderSize(unzipped, 256<<10)
	}
	for number := 1; ; {
		var b *batch
		select {
		case b = <-r.free:
		case <-ctx.Done():
			return nil
		}
		err := b.fill(in, number)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		b.end = raw.n
		number += b.lines
		if b.lines > 0 {
			select {
			case r.batches <- b:
			case <-ctx.Done():
				return nil
			}
		}
		if err != nil {
			return nil
		}
	}
}

// fill reads lines until the batch is large enough. It returns io.EOF at the
// end of the file.
func (b *batch) fill(in *bufio.Reader, first int) error {
	*b = batch{text: b.text[:0], first: first}
	for len(b.text) < batchBytes {
		if err := b.line(in); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) line(in *bufio.Reader) error {
	start, length := len(b.text), 0
	for {
		piece, err := in.ReadSlice('\n')
		if length += len(piece); length <= maxLineBytes {
			b.text = append(b.text, piece...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && length == 0:
			return io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		if length > maxLineBytes {
			b.text = append(b.text[:start], '\n')
			b.tooLong = append(b.tooLong, badLine{b.first + b.lines, fmt.Sprintf("a line has at most %d bytes", maxLineBytes)})
		}
		b.lines++
		return err
	}
}

// counter counts what is read.
type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

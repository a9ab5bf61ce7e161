package script

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os/exec"
	"strings"
	"time"

	"postern/engine/document"
)

const (
	atOnce     = 2        // processes
	maxOutput  = 16 << 20 // bytes of all accumulators
	maxMessage = 1 << 10  // bytes of the message of an error
)

// TimeLimit is what a script that is to end may take.
const TimeLimit = 2 * time.Second

// answerRules are for what comes back from a script.
var answerRules = document.Rules{Depth: 128, Members: 10_000, NumberBytes: 64}

// ErrBusy says that too many scripts run already.
var ErrBusy = errors.New("too many scripts are running")

// An Error says that a script failed. Msg is for the client, whose script it
// was.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

// A Runner starts processes. It is safe for concurrent use.
type Runner struct {
	limit   time.Duration
	command []string
	turns   chan struct{}
}

// New returns a Runner whose processes are started with the command: a program
// that calls Main, and its arguments. The limit, which is at most TimeLimit, is
// for one process and for the wait for its turn.
func New(limit time.Duration, command ...string) *Runner {
	return &Runner{limit: min(limit, TimeLimit), command: command, turns: make(chan struct{}, atOnce)}
}

// Add hands one document to the script. Buckets are numbered from 0 in the order
// in which they first come; accumulator is what a new one begins with and nil
// afterwards. The slices are not kept. After an error of Add nothing more is to
// be added.
type Add func(bucket int, accumulator, doc []byte) error

// errGone is what Add returns when the process has ended.
var errGone = errors.New("the script has ended")

// Reduce runs a reducer over what feed adds and appends the accumulators to dst
// as a JSON array. An error of feed that is not from Add is returned; else the
// error is ErrBusy, an *Error, or one of starting the process.
func (r *Runner) Reduce(dst []byte, reduce string, feed func(Add) error) ([]byte, error) {
	wait := time.NewTimer(r.limit)
	defer wait.Stop()
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-wait.C:
		return dst, ErrBusy
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.command[0], r.command[1:]...)
	cmd.Env = []string{}
	cmd.WaitDelay = r.limit
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return dst, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return dst, err
	}
	if err := cmd.Start(); err != nil {
		return dst, err
	}
	buckets, fed := send(stdin, reduce, feed)
	if fed != nil && !errors.Is(fed, errGone) {
		cancel()
		_ = cmd.Wait()
		return dst, fed
	}
	output, _ := io.ReadAll(io.LimitReader(stdout, maxOutput+1))
	if len(output) > maxOutput {
		cancel()
	}
	ended := cmd.Wait()
	switch {
	case len(output) > maxOutput:
		return dst, &Error{"the script gives back too much"}
	case ctx.Err() != nil:
		return dst, &Error{"the script takes too long"}
	case cmd.ProcessState.ExitCode() == 1:
		return dst, errors.New("the process of a script could not bound itself")
	case ended != nil:
		return dst, &Error{"the script uses too much memory or nests too deeply"}
	}
	return receive(dst, output, buckets)
}

// send writes what the process reads, to the end, and returns how many buckets
// there were.
func send(to io.WriteCloser, reduce string, feed func(Add) error) (buckets int, err error) {
	w := bufio.NewWriterSize(to, 64<<10)
	var head []byte
	write := func(parts ...[]byte) error {
		for _, p := range parts {
			if _, err := w.Write(p); err != nil {
				return errGone
			}
		}
		return nil
	}
	text := func(b []byte) error {
		head = binary.AppendUvarint(head[:0], uint64(len(b)))
		return write(head, b)
	}
	err = text([]byte(reduce))
	if err == nil {
		err = feed(func(bucket int, accumulator, doc []byte) error {
			buckets = max(buckets, bucket+1)
			head = binary.AppendUvarint(head[:0], uint64(bucket))
			if err := write(head); err != nil {
				return err
			}
			if err := text(accumulator); err != nil {
				return err
			}
			return text(doc)
		})
	}
	if err == nil && w.Flush() != nil {
		err = errGone
	}
	if to.Close() != nil && err == nil {
		err = errGone
	}
	return buckets, err
}

// receive reads what the process wrote.
func receive(dst, output []byte, buckets int) ([]byte, error) {
	from := len(dst)
	broken := &Error{"the script gives back what is no JSON"}
	if len(output) == 0 {
		return dst, broken
	}
	failed, output := output[0] != 0, output[1:]
	if failed {
		return dst, &Error{strings.ToValidUTF8(string(output[:min(len(output), maxMessage)]), "")}
	}
	r := bytes.NewReader(output)
	if n, err := binary.ReadUvarint(r); err != nil || n != uint64(buckets) {
		return dst, broken
	}
	dst = append(dst, '[')
	for i := range buckets {
		n, err := binary.ReadUvarint(r)
		if err != nil || n > uint64(r.Len()) {
			return dst[:from], broken
		}
		text := output[len(output)-r.Len():][:n]
		_, _ = r.Seek(int64(n), io.SeekCurrent)
		if v, err := document.Parse(text, answerRules); err != nil || v.Kind() != document.Object {
			return dst[:from], broken
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, text...)
	}
	if r.Len() > 0 {
		return dst[:from], broken
	}
	return append(dst, ']'), nil
}

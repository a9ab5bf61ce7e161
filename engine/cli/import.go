package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"postern/acl"
)

// maxBadLines is how many bad lines are printed; the others are counted.
const maxBadLines = 100

func importCommand(s streams) *cobra.Command {
	m := importing{out: s.out, err: s.err}
	var quiet bool
	c := &cobra.Command{
		Use:   "import --app APP --collection NAME FILE",
		Short: "Import entities from a file of JSON objects, one a line, gzipped or not; - is standard input",
		Long: `Import the entities of a file into a collection of a running server. Each line
is a JSON object. Its _id, its _acl with the creator, and ect and lmt of its
_kmd are kept; what it lacks is made as for an entity that the master creates.
A collection that does not exist is made, with the level that --level says.

A line that cannot be imported is printed with its number and the reason, the
first 100 of them, and hinders no other line; the exit code is then 10. What
happens to an _id that is taken, in the collection or by an earlier line, says
--on-duplicate: fail makes it a bad line, skip leaves the entity that is there,
replace puts the line in its place, with its _kmd, and with its _acl if it has
one.

An import is not one act. Each line is durable or not by itself, and others can
read what is imported while the rest is still to come. When it is interrupted
(Ctrl-C, a server that stops, a full disk) it says how far it has got, and what
it has counted stays. Lines that have an _id can be imported again as often as
need be: with --on-duplicate skip or replace the same file leads to the same
entities. Lines without an _id make new entities each time.

With --strict the file is read twice: first every line is checked, against the
collection, too, and only when none is bad anything is imported. What shows
only on the way (an _id that comes twice in the file, what others write
meanwhile) ends the import behind the lines that were sent together with it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			m.client, m.name = newClient(cmd), a[0]
			if m.app == "" || m.collection == "" {
				return usageError{errors.New("import needs --app and --collection")}
			}
			if !slices.Contains([]string{"fail", "skip", "replace"}, m.duplicates) {
				return usageError{fmt.Errorf("--on-duplicate %q: want fail, skip or replace", m.duplicates)}
			}
			if _, ok := acl.ParseLevel(m.level); !ok {
				return usageError{fmt.Errorf("--level %q: want shared, private, read-only or full", m.level)}
			}
			m.levelGiven = cmd.Flags().Changed("level")
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second one ends the process at once
			m.bar = newProgress(s.err, quiet)
			return m.run(ctx, cmd.InOrStdin())
		},
	}
	f := c.Flags()
	f.StringVar(&m.app, "app", "", "app `key`")
	f.StringVar(&m.collection, "collection", "", "`name` of the collection")
	f.StringVar(&m.level, "level", "shared", "of a collection that is made: shared, private, read-only or full")
	f.StringVar(&m.duplicates, "on-duplicate", "fail", "what happens to an _id that is taken: fail, skip or replace")
	f.BoolVar(&m.strict, "strict", false, "check the whole file first and import nothing if a line is bad")
	f.BoolVar(&quiet, "quiet", false, "show no progress")
	return c
}

// importing is one run of the command.
type importing struct {
	client          *client
	out, err        io.Writer
	app, collection string
	level           string
	levelGiven      bool
	duplicates      string
	strict          bool
	name            string // of the file

	bar   *progress
	tally tally
}

// tally is what became of the lines so far.
type tally struct {
	Lines, Imported, Replaced, Skipped, Bad int
	Problems                                []badLine
}

// badLine is a line that was not imported.
type badLine struct {
	Line   int
	Reason string
}

func (m *importing) run(ctx context.Context, stdin io.Reader) error {
	in, size := stdin, int64(0)
	if m.name != "-" {
		f, err := os.Open(m.name)
		if err != nil {
			return err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in = f
	}
	if m.strict {
		again, ok := in.(*os.File)
		if !ok || size == 0 {
			return usageError{errors.New("--strict reads the file twice: want a plain file")}
		}
		if err := m.pass(ctx, in, size, true); err != nil {
			return err
		}
		if m.tally.Bad > 0 {
			m.bar.line(fmt.Sprintf("nothing was imported: %d of %d lines are bad", m.tally.Bad, m.tally.Lines))
			return errProblems
		}
		if _, err := again.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	if err := m.makeCollection(); err != nil {
		return err
	}
	err := m.pass(ctx, in, size, false)
	if err == nil && m.tally.Bad > 0 {
		return errProblems
	}
	return err
}

// makeCollection makes the collection unless it exists. One that exists keeps
// its level, so it is an error to ask for another.
func (m *importing) makeCollection() error {
	var list []struct {
		Name        string
		Permissions json.RawMessage
	}
	collections := environment(m.app, "collections")
	if err := m.client.call("GET", collections, nil, &list); err != nil {
		return err
	}
	for _, c := range list {
		if c.Name != m.collection {
			continue
		}
		var is string
		_ = json.Unmarshal(c.Permissions, &is) // by role: no level's name
		want, _ := acl.ParseLevel(m.level)
		if have, ok := acl.ParseLevel(is); m.levelGiven && (!ok || have != want) {
			return fmt.Errorf("collection %s exists with the level %s; --level is for one that is made", m.collection, c.Permissions)
		}
		return nil
	}
	return m.client.call("POST", collections, map[string]string{"name": m.collection, "permissions": m.level}, nil)
}

// pass sends the lines of a file one batch after the other, so that they are
// decided in their order and everything before a batch is known to be there.
// With check they are only decided.
func (m *importing) pass(ctx context.Context, in io.Reader, size int64, check bool) error {
	m.tally = tally{}
	verb, done := "importing", "done"
	if check {
		verb, done = "checking", "checked, and nothing was imported"
	}
	m.bar.start(verb, size)
	over, end := context.WithCancel(ctx)
	defer end()
	lines := readLines(over, in)
	query := url.Values{"onDuplicate": {m.duplicates}}
	if check {
		query.Set("check", "true")
	}
	path := environment(m.app, "collections", m.collection, "import") + "?" + query.Encode()
	var err error
	for ctx.Err() == nil {
		var b *batch // nil: no more
		select {
		case b = <-lines.batches:
		case <-ctx.Done():
		}
		if b == nil {
			break
		}
		if err = b.failed; err != nil {
			err = fmt.Errorf("reading %s: %w; lines 1 to %d are %s", m.name, err, m.tally.Lines, done)
			break
		}
		// What has begun ends with an answer, even when it is interrupted.
		if err = m.send(path, b); err != nil {
			err = fmt.Errorf("lines %d to %d: %w; lines 1 to %d are %s", b.first, b.first+b.lines-1, err, m.tally.Lines, done)
			if !check {
				err = fmt.Errorf("%w, of those after them any may be", err)
			}
			break
		}
		m.bar.show(b.end, &m.tally)
		lines.free <- b
		if m.strict && !check && m.tally.Bad > 0 {
			m.bar.line(fmt.Sprintf("lines 1 to %d are done, what follows is left out", m.tally.Lines))
			break
		}
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted; lines 1 to %d are %s", m.tally.Lines, done)
	}
	m.bar.end()
	if more := m.tally.Bad - maxBadLines; more > 0 {
		m.bar.line(fmt.Sprintf("and %d more bad lines", more))
	}
	if !check {
		t := &m.tally
		_, failed := fmt.Fprintf(m.out, "imported %d, replaced %d, skipped %d, bad %d in %v\n",
			t.Imported, t.Replaced, t.Skipped, t.Bad, time.Since(m.bar.began).Round(time.Millisecond))
		err = errors.Join(err, failed)
	}
	return err
}

// send has one batch imported and counts what became of it.
func (m *importing) send(path string, b *batch) error {
	answer, err := m.client.open("POST", path, bytes.NewReader(b.text))
	if err != nil {
		return err
	}
	defer answer.Close()
	var t tally
	if err := json.NewDecoder(answer).Decode(&t); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	if t.Lines != b.lines {
		return fmt.Errorf("the server counts %d lines where %d were sent", t.Lines, b.lines)
	}
	bad := b.tooLong
	for _, p := range t.Problems {
		bad = append(bad, badLine{p.Line + b.first - 1, p.Reason})
	}
	slices.SortFunc(bad, func(a, b badLine) int { return a.Line - b.Line })
	for i, p := range bad {
		if m.tally.Bad+i < maxBadLines {
			m.bar.line(fmt.Sprintf("%s:%d: %s", m.name, p.Line, p.Reason))
		}
	}
	m.tally.Lines += t.Lines
	m.tally.Imported += t.Imported
	m.tally.Replaced += t.Replaced
	m.tally.Skipped += t.Skipped
	m.tally.Bad += t.Bad + len(b.tooLong)
	return nil
}

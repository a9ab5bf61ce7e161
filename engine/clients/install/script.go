package install

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A Script is a program for node that makes checks; checks.js is its side of this.
type Script struct {
	Node
	Path        string        // relative to the directory of the test
	Environment []string      // besides Environment
	Limit       time.Duration // of its time, zero: three minutes
	// Tell carries out what the script orders. nil: it orders nothing.
	Tell func(order string)
}

// A line is what a script says: a check, an order to be carried out for it, or at its
// end how many checks there were.
type line struct {
	Name   string
	OK     bool
	Detail string
	Tell   string
	Done   *int
}

// Run runs the script, a subtest for each check.
func (s Script) Run(t *testing.T) (checks, passed int) {
	ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(s.Limit, 3*time.Minute))
	defer cancel()
	path, err := filepath.Abs(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, s.Program, path)
	cmd.Dir = t.TempDir() // the flex SDK writes a log where it is
	cmd.Env = append(Environment(), "NODE_PATH="+s.Modules)
	cmd.Env = append(cmd.Env, s.Environment...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := -1
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Logf("%s: %s", s.Path, lines.Text())
			continue
		}
		if l.Done != nil {
			done = *l.Done
			continue
		}
		if l.Tell != "" {
			s.Tell(l.Tell)
			if _, err := io.WriteString(stdin, "done\n"); err != nil {
				t.Error(err)
			}
			continue
		}
		checks++
		if l.OK {
			passed++
		}
		t.Run(l.Name, func(t *testing.T) {
			if !l.OK {
				t.Error(l.Detail)
			}
		})
	}
	if err := lines.Err(); err != nil {
		t.Errorf("reading from %s: %v", s.Path, err)
	}
	if err := cmd.Wait(); err != nil || done != checks {
		t.Errorf("%s: %v; it counts %d checks, %d arrived\n%s", s.Path, err, done, checks, stderr.String())
	}
	return checks, passed
}

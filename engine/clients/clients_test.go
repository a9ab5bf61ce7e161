package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/engine/clients/install"
)

// atLeast is the number of checks below which something must have gone missing.
const atLeast = 850

func TestKinveyNodeSDK(t *testing.T) {
	client := node312.install(t)
	s := start(t)
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	checks, passed, skipped := 0, 0, false
	for _, entry := range entries {
		name, isScript := strings.CutSuffix(entry.Name(), ".js")
		if !isScript || name == "harness" {
			continue
		}
		ran := false
		t.Run(name, func(t *testing.T) {
			ran = true
			c, p := client.run(t, entry.Name(), s)
			checks, passed = checks+c, passed+p
		})
		skipped = skipped || !ran
	}
	if checks < atLeast && !skipped {
		t.Errorf("%d checks were made; want at least %d", checks, atLeast)
	}
	s.stop(t)
	t.Logf("figure: %s: %d checks passed", client, passed)
}

// The scripts in testdata/life: what each client is put through, and what it has
// of its own.
func TestClients(t *testing.T) {
	for _, c := range []struct {
		sdk     sdk
		script  string
		tls     bool
		atLeast int
	}{
		{node312, "node.js", false, 50},
		{node32, "node.js", false, 145},
		{js7, "js.js", true, 155},
		{kinvey1, "kinvey.js", true, 155},
		{flex, "flex.js", false, 130},
	} {
		t.Run(c.sdk.String(), func(t *testing.T) {
			client := c.sdk.install(t)
			var flags []string
			if c.tls {
				flags = []string{"--tls"}
			}
			s := start(t, flags...)
			checks, passed := client.run(t, filepath.Join("life", c.script), s)
			if checks < c.atLeast {
				t.Errorf("%d checks were made; want at least %d", checks, c.atLeast)
			}
			if c.tls {
				untrusted := *s
				untrusted.authority = ""
				client.run(t, filepath.Join("life", "untrusted.js"), &untrusted)
			}
			s.stop(t)
			t.Logf("figure: %s: %d checks passed", client, passed)
		})
	}
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

// run lets node run a script against a server, a subtest for each check.
func (c *client) run(t *testing.T, script string, s *server) (checks, passed int) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	path, err := filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, c.node, path)
	cmd.Dir = t.TempDir() // the flex SDK writes a log where it is
	// The SDK's HTTP library obeys the proxy settings of the environment, for
	// loopback addresses too.
	cmd.Env = append(install.Environment(), "POSTERN_URL="+s.url, "POSTERN_SDK="+c.String(), "NODE_PATH="+c.modules)
	cmd.Env = append(cmd.Env, c.environment...)
	if s.authority != "" {
		cmd.Env = append(cmd.Env, "NODE_EXTRA_CA_CERTS="+s.authority)
	}
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
			t.Logf("%s: %s", script, lines.Text())
			continue
		}
		if l.Done != nil {
			done = *l.Done
			continue
		}
		if l.Tell != "" {
			c.tell(l.Tell)
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
		t.Errorf("reading from %s: %v", script, err)
	}
	if err := cmd.Wait(); err != nil || done != checks {
		t.Errorf("%s: %v; it counts %d checks, %d arrived\n%s", script, err, done, checks, stderr.String())
	}
	return checks, passed
}

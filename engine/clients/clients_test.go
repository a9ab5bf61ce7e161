package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	// The server is built and started as a process. Importing it as well makes
	// the test tool run this test anew when the server changes.
	_ "postern/engine/cli"
)

// atLeast is the number of checks below which something must have gone missing.
const atLeast = 850

func TestKinveyNodeSDK(t *testing.T) {
	client := install(t)
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
			c, p := client.run(t, entry.Name(), s.url)
			checks, passed = checks+c, passed+p
		})
		skipped = skipped || !ran
	}
	if checks < atLeast && !skipped {
		t.Errorf("%d checks were made; want at least %d", checks, atLeast)
	}
	s.stop(t)
	t.Logf("figure: %s %s: %d checks passed", sdkName, sdkVersion, passed)
}

// A line is what a script says: a check, or at its end how many there were.
type line struct {
	Name   string
	OK     bool
	Detail string
	Done   *int
}

// run lets node run a script against the server at url, a subtest for each check.
func (c *client) run(t *testing.T, script, url string) (checks, passed int) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.node, filepath.Join("testdata", script))
	// The SDK's HTTP library obeys the proxy settings of the environment, for
	// loopback addresses too.
	cmd.Env = append(os.Environ(), "POSTERN_URL="+url, "NODE_PATH="+c.modules, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
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

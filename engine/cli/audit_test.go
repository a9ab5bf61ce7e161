package cli_test

import (
	"bufio"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// audit tail prints and follows what is changed, and audit verify verifies it, of a
// running server and of its directory, against a line that was kept.
func TestAuditCommands(t *testing.T) {
	data := t.TempDir()
	r := serve(t, nil, "dev", "--data", data)
	run := func(code int, args ...string) string {
		t.Helper()
		got := postern(t, nil, "", append(args, "--data", data)...)
		if got.code != code {
			t.Fatalf("%v: exit code %d, %s%s", args, got.code, got.out, got.stderr)
		}
		return got.out
	}
	run(0, "collection", "set-level", devKey, "watchlist", "full")
	tail := run(0, "audit", "tail", "-n", "1", "--act", "set level")
	if want := regexp.MustCompile(`^\d+ \S+Z socket \(socket .+\): set level ` + devKey + `/watchlist \{"level":"Private"\} -> \{"level":"Full"\}\n$`); !want.MatchString(tail) {
		t.Errorf("audit tail: %q", tail)
	}
	if lines := strings.Split(strings.TrimSpace(run(0, "audit", "tail", "-n", "3", "--json", "--app", devKey)), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], `{"n":`) {
		t.Errorf("audit tail --json: %q", lines)
	}
	follow := exec.Command(binary(t), "audit", "tail", "--follow", "-n", "1", "--data", data)
	follow.Env = plain()
	pipe, err := follow.StdoutPipe()
	if err == nil {
		err = follow.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = follow.Process.Kill() }()
	lines := bufio.NewScanner(pipe)
	if !lines.Scan() {
		t.Fatal("audit tail --follow says nothing")
	}
	run(0, "collection", "set-level", devKey, "watchlist", "private")
	for seen := false; !seen; seen = strings.Contains(lines.Text(), `{"level":"Full"} -> {"level":"Private"}`) {
		if !lines.Scan() {
			t.Fatal("audit tail --follow ended")
		}
	}
	if err := follow.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	verified := regexp.MustCompile(`^ok: \d+ records from 1 on, head (\d+:[0-9a-f]{64})\n$`)
	m := verified.FindStringSubmatch(run(0, "audit", "verify"))
	if m == nil {
		t.Fatalf("audit verify: %q", run(0, "audit", "verify"))
	}
	kept := m[1]
	run(0, "collection", "set-level", devKey, "watchlist", "full")
	run(0, "audit", "verify", "--head", kept)
	number, hash, _ := strings.Cut(kept, ":")
	for _, wrong := range []string{number + "000:" + hash, number + ":" + strings.Repeat("0", 64)} {
		if out := run(10, "audit", "verify", "--head", wrong); !strings.Contains(out, "record ") {
			t.Errorf("audit verify --head %s: %q", wrong, out)
		}
	}
	run(2, "audit", "verify", "--head", "x")
	r.stop(syscall.SIGTERM)
	run(0, "audit", "verify", "--head", kept) // of the directory
	run(10, "audit", "verify", "--head", number+"000:"+hash)
}

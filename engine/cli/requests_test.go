package cli_test

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// dev prints each request with the decision, and requests lists and follows them,
// without secrets.
func TestRequestsAreShown(t *testing.T) {
	data := t.TempDir()
	r := serve(t, nil, "dev", "--data", data)
	private := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} GET    /appdata/kid_dev/watchlist/w3 401 \d+\.\dms alice  deny R4 \(level Private\)$`)
	own := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} GET    /appdata/kid_dev/watchlist/w1 200 \d+\.\dms alice  allow R7 \(creator\)$`)
	want := func(status int, path, name, password string) {
		t.Helper()
		if got, body := r.get("GET", path, name, password, ""); got != status {
			t.Fatalf("%s: %d %s", path, got, body)
		}
	}
	want(401, "/appdata/"+devKey+"/watchlist/w3", "alice", "alice")
	want(200, "/appdata/"+devKey+"/watchlist/w1", "alice", "alice")
	want(401, "/appdata/"+devKey+"/watchlist", "alice", "hunter2")

	all := postern(t, nil, "", "requests", "--data", data)
	if all.code != 0 || !private.MatchString(all.out) || !own.MatchString(all.out) {
		t.Errorf("requests: %d %s%s", all.code, all.out, all.stderr)
	}
	if failed := postern(t, nil, "", "requests", "--data", data, "--failed", "--app", devKey); !private.MatchString(failed.out) || own.MatchString(failed.out) {
		t.Errorf("requests --failed: %s%s", failed.out, failed.stderr)
	}

	follow := exec.Command(binary(t), "requests", "--follow", "--data", data)
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
	see := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("requests --follow ended without %q", text)
	}
	see("watchlist 401")
	want(404, "/appdata/"+devKey+"/watchlist/later", "bob", "bob")
	see("watchlist/later 404")
	if err := follow.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := follow.Wait(); err != nil {
		t.Error("requests --follow, interrupted:", err)
	}

	r.stop(syscall.SIGTERM)
	out, err := os.ReadFile(r.out)
	if err != nil || !private.Match(out) || !own.Match(out) || !strings.Contains(string(out), "watchlist/later 404") {
		t.Errorf("dev printed %s, %v", out, err)
	}
	if text := string(out) + all.out + r.log.String(); strings.Contains(text, "hunter2") || strings.Contains(strings.Replace(text, devMaster, "", 2), devMaster) {
		t.Error("a secret is shown") // but in the greeting
	}
}

//go:build e2e

package console

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/engine/clients/install"
)

func TestMain(m *testing.M) { install.Main(m) }

// Each script in testdata drives Debian's Chromium against a server of its own, on
// an empty data directory that it fills.
func TestBrowser(t *testing.T) {
	for _, c := range []struct {
		script  string
		atLeast int // checks
		build   func(*testing.T) string
	}{
		{"origins.js", 32, nil},
		{"idle.js", 6, impatient},
		{"pages.js", 185, nil},
		{"payloads.js", 60, nil},
		{"roles.js", 50, nil},
		{"story.js", 26, nil},
	} {
		t.Run(strings.TrimSuffix(c.script, ".js"), func(t *testing.T) {
			t.Parallel()
			node := install.Browser(t)
			node.Modules += string(os.PathListSeparator) + packages(t).Modules
			binary := ""
			if c.build != nil {
				binary = c.build(t)
			} else {
				binary = install.Binary(t)
			}
			s := serve(t, binary)
			home := t.TempDir()
			checks, passed := install.Script{
				Node: node, Path: filepath.Join("testdata", c.script),
				Limit: 8 * time.Minute,
				Environment: []string{
					"HOME=" + home, "TMPDIR=" + home,
					"POSTERN_URL=" + s.url, "POSTERN_PAGE=" + s.console, "POSTERN_BINARY=" + binary, "POSTERN_DATA=" + s.data,
				},
			}.Run(t)
			if checks < c.atLeast {
				t.Errorf("%d checks were made; want at least %d", checks, c.atLeast)
			}
			t.Logf("figure: the console in a browser: %s: %d checks passed", c.script, passed)
		})
	}
}

// impatient builds a server whose console ends a session after seconds in which
// nobody does anything, and is the same otherwise.
func impatient(t *testing.T) string {
	t.Helper()
	const file, usual, short = "console_session.go", "consoleIdle = 15 * time.Minute", "consoleIdle = 8 * time.Second"
	path, err := filepath.Abs(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(text, []byte(usual)) != 1 {
		t.Fatalf("%s does not say %q once", file, usual)
	}
	dir := t.TempDir()
	other, overlay, binary := filepath.Join(dir, file), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "postern")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: other}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{other: bytes.Replace(text, []byte(usual), []byte(short), 1), overlay: replace} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", binary, "postern").CombinedOutput(); err != nil {
		t.Fatalf("go build -overlay: %v\n%s", err, out)
	}
	return binary
}

// A server is a running "postern serve".
type server struct {
	url, console string
	data         string
}

// serve starts one. It ends with the test, which fails if the server has had trouble
// of its own, or leaves damage.
func serve(t *testing.T, binary string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{data: filepath.Join(dir, "data")}
	environment := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", s.data,
		"--trusted-proxy", "127.0.0.1", "--log-format", "json", "--secret-key", filepath.Join(dir, "secret-key"))
	cmd.Env = append(environment, "POSTERN_APP_KEY=kid_acme", "POSTERN_APP_SECRET=0123456789abcdef0123456789abcdef",
		"POSTERN_MASTER_SECRET=fedcba9876543210fedcba9876543210", "POSTERN_OPERATOR_EMAIL=olga@example.com", "POSTERN_OPERATOR_PASSWORD=correct horse battery staple")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving, over := make(chan [2]string, 1), make(chan struct{})
	var log bytes.Buffer // to be read when over is closed
	go func() {
		defer close(over)
		for lines := bufio.NewReader(stderr); ; {
			line, err := lines.ReadBytes('\n')
			log.Write(line)
			var said struct{ Msg, URL, Console string }
			if json.Unmarshal(line, &said) == nil && said.Msg == "serving" {
				serving <- [2]string{said.URL, said.Console}
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		<-over
		if err := cmd.Wait(); err != nil || strings.Contains(log.String(), `"level":"ERROR"`) {
			t.Errorf("postern serve: %v; it says\n%s", err, log.String())
		} else if t.Failed() {
			t.Logf("postern serve says\n%s", log.String())
		}
		check := exec.Command(binary, "check", "--data", s.data)
		check.Env = environment
		if out, err := check.CombinedOutput(); err != nil || string(out) != "ok\n" {
			t.Errorf("postern check: %v\n%s", err, out)
		}
	})
	select {
	case said := <-serving:
		s.url, s.console = said[0], said[1]
	case <-over:
		t.Fatalf("postern serve has ended:\n%s", log.String())
	case <-time.After(time.Minute):
		t.Fatal("postern serve does not serve")
	}
	if !strings.HasSuffix(s.console, "/-/console/") {
		t.Fatalf("the console is at %q", s.console)
	}
	return s
}

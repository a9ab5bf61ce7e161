package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var building struct {
	once sync.Once
	path string
	err  error
}

// binary builds postern once for all tests of the package.
func binary(t *testing.T) string {
	t.Helper()
	building.once.Do(func() {
		dir, err := os.MkdirTemp("", "postern-cli-")
		if err != nil {
			building.err = err
			return
		}
		building.path = filepath.Join(dir, "postern")
		cmd := exec.Command("go", "build", "-o", building.path, "postern")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			building.err = fmt.Errorf("building: %w\n%s", err, out)
		}
	})
	if building.err != nil {
		t.Fatal(building.err)
	}
	return building.path
}

func TestMain(m *testing.M) {
	code := m.Run()
	if building.path != "" {
		os.RemoveAll(filepath.Dir(building.path))
	}
	os.Exit(code)
}

// plain is the environment without settings of postern.
func plain(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "POSTERN_") {
			env = append(env, kv)
		}
	}
	return append(env, more...)
}

// result is how a command ended.
type result struct {
	code        int
	out, stderr string
}

// postern runs a command to its end.
func postern(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	cmd.Env = plain(env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatalf("postern %v: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// running is a server process.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	text string // what it printed on standard output until it served
	out  string // file of its standard output
	log  *bytes.Buffer
	over chan struct{} // closed when the log has ended
}

var urlPattern = regexp.MustCompile(`https?://127\.0\.0\.1:\d+`)

// serve starts dev or serve and waits until it answers.
func serve(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	return serveProgram(t, binary(t), env, args...)
}

// serveProgram is serve with another binary.
func serveProgram(t *testing.T, program string, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, log: new(bytes.Buffer), over: make(chan struct{})}
	r.cmd = exec.Command(program, append(args, "--listen", "127.0.0.1:0", "--log-format", "text")...)
	r.cmd.Env = plain(env...)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stdout, r.out = out, out.Name()
	log, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); _ = r.cmd.Wait() })
	lines := bufio.NewReader(log)
	for r.url == "" {
		line, err := lines.ReadString('\n')
		r.log.WriteString(line)
		if err != nil {
			t.Fatalf("the server ended: %s", r.log)
		}
		if strings.Contains(line, "msg=serving") {
			r.url = urlPattern.FindString(line)
		}
	}
	go func() {
		defer close(r.over)
		_, _ = io.Copy(r.log, lines)
	}()
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	r.text = string(text)
	return r
}

// stop ends the server with a signal and returns its exit code.
func (r *running) stop(sig os.Signal) int {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	<-r.over
	_ = r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// get sends a request with Basic credentials.
func (r *running) get(method, path, name, password, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if name != "" {
		req.SetBasicAuth(name, password)
	}
	a, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

package clients

import (
	"bufio"
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/engine/clients/install"
)

// A server is a running "postern dev".
type server struct {
	binary, data, url string
	authority         string // file with the certificate authority; "" without TLS
	cmd               *exec.Cmd
	said              chan struct{} // closed when its standard output has ended
	log               bytes.Buffer  // its standard error; to be read after it has ended
}

func TestMain(m *testing.M) { install.Main(m) }

// start starts "postern dev" on an empty data directory. With "--tls" its
// authority is in that directory as well.
func start(t *testing.T, flags ...string) *server {
	t.Helper()
	s := &server{binary: install.Binary(t), data: filepath.Join(t.TempDir(), "data"), said: make(chan struct{})}
	s.cmd = exec.Command(s.binary, append([]string{"dev", "--listen", "127.0.0.1:0", "--data", s.data}, flags...)...)
	s.cmd.Stderr = &s.log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.cmd.Process.Kill()
			<-s.said
			s.cmd.Wait()
			t.Logf("the server was killed; its log ends with\n%s", s.tail())
		}
	})
	greeting := make(chan string, 1)
	go func() {
		defer close(s.said)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "Postern serves "); ok {
				greeting <- url
			}
		}
	}()
	select {
	case s.url = <-greeting:
	case <-s.said:
		t.Fatal("postern dev ended without a greeting")
	case <-time.After(time.Minute):
		t.Fatal("postern dev does not say where it serves")
	}
	scheme := "http"
	if slices.Contains(flags, "--tls") {
		scheme, s.authority = "https", filepath.Join(s.data, "ca", "ca.pem")
	}
	if !strings.HasPrefix(s.url, scheme+"://127.0.0.1:") {
		t.Fatalf("postern dev serves %q", s.url)
	}
	return s
}

// stop asks the server to end, and looks for damage in the data that it leaves.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("asking postern dev to stop: %v", err)
	}
	late := time.AfterFunc(time.Minute, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	<-s.said
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("postern dev ended with %v; want exit code 0. Its log ends with\n%s", err, s.tail())
	}
	out, err := exec.Command(s.binary, "check", "--data", s.data).CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("postern check: %v\n%s", err, out)
	}
}

// tail is the end of the server's log.
func (s *server) tail() []byte {
	b := s.log.Bytes()
	return b[max(0, len(b)-4096):]
}

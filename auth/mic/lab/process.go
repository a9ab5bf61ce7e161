//go:build e2e

package lab

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A Process is a server that is started and ended, as often as a test likes.
type Process struct {
	LogFile string // what it prints

	t     *testing.T
	name  string
	args  []string
	ready func() error
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start starts the server and returns when it is ready.
func (p *Process) Start() {
	p.t.Helper()
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(p.name, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(p.cmd, p.ended)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(60 * time.Second); ; {
		err := p.ready()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-p.ended:
			p.fail("has ended", err)
		case <-end:
			p.fail("is not ready", err)
		}
	}
}

func (p *Process) fail(what string, err error) {
	p.t.Helper()
	text, _ := os.ReadFile(p.LogFile)
	p.t.Fatalf("%s %s: %v\n%s", p.name, what, err, text[max(0, len(text)-4000):])
}

// Stop ends the server, its children included.
func (p *Process) Stop() {
	if p.cmd == nil {
		return
	}
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
	p.cmd = nil
}

// Freeze makes the server one that takes connections and says nothing, until Thaw.
func (p *Process) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// FreePort returns a port of loopback that nothing listens on.
func FreePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Write writes a file for a server and returns its path.
func Write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

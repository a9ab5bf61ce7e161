//go:build e2e

package ldap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
	"postern/auth/mic/ldap"
)

// Checks against real servers, counted.
type checks struct {
	t *testing.T
	n int
}

// figure says how many there were.
func (c *checks) figure(what string) { c.t.Logf("figure: %d checks against %s", c.n, what) }

// in logs in and returns the account.
func (c *checks) in(t *testing.T, d *ldap.Directory, username, password string) *mic.Account {
	t.Helper()
	c.n++
	a, err := d.Check(told(t), username, password)
	if err != nil {
		t.Fatalf("Check(%s) = %v; want an account", username, err)
	}
	return a
}

// out does not log in. want is a sentinel, or the text of an AccountError.
func (c *checks) out(t *testing.T, d *ldap.Directory, username, password string, want any) {
	t.Helper()
	c.n++
	a, err := d.Check(told(t), username, password)
	var refused *mic.AccountError
	switch want := want.(type) {
	case error:
		if a != nil || !errors.Is(err, want) {
			t.Errorf("Check(%q) = %v, %v; want %v", username, a, err, want)
		}
	case string:
		if a != nil || !errors.As(err, &refused) || refused.Why != want {
			t.Errorf("Check(%q) = %v, %v; want %q", username, a, err, want)
		}
	}
}

// still asks again.
func (c *checks) still(t *testing.T, d *ldap.Directory, a *mic.Account) *mic.Account {
	t.Helper()
	c.n++
	b, err := d.Ask(told(t), a.Kept)
	if err != nil || b.Subject != a.Subject {
		t.Fatalf("Ask = %v, %v; want %s", b, err, a.Subject)
	}
	return b
}

// gone asks again about somebody who is.
func (c *checks) gone(t *testing.T, d *ldap.Directory, a *mic.Account) {
	t.Helper()
	c.n++
	if b, err := d.Ask(told(t), a.Kept); b != nil || !errors.Is(err, mic.ErrGone) {
		t.Errorf("Ask = %v, %v; want ErrGone", b, err)
	}
}

func (c *checks) groups(t *testing.T, a *mic.Account, want ...string) {
	t.Helper()
	c.n++
	if fmt.Sprint(a.Groups) != fmt.Sprint(want) {
		t.Errorf("groups %q; want %q", a.Groups, want)
	}
}

// told logs the steps of a login, for whoever reads a failure.
func told(t *testing.T) context.Context {
	return mic.Trace(t.Context(), func(step string, err error) {
		if testing.Verbose() && os.Getenv("STEPS") != "" {
			t.Logf("  %s: %v", step, err)
		}
	})
}

func directory(t *testing.T, c ldap.Config) *ldap.Directory {
	t.Helper()
	d, err := ldap.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// freePort returns one that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// A process is a server that is started and ended.
type process struct {
	t     *testing.T
	name  string
	args  []string
	ready func() error
	log   string
	cmd   *exec.Cmd
	ended chan struct{}
}

func (p *process) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
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

func (p *process) fail(what string, err error) {
	p.t.Helper()
	text, _ := os.ReadFile(p.log)
	p.t.Fatalf("%s %s: %v\n%s", p.name, what, err, text[max(0, len(text)-4000):])
}

// stop ends the server, its children included.
func (p *process) stop() {
	if p.cmd == nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
	p.cmd = nil
}

// admin is a connection of somebody who may do everything.
func admin(t *testing.T, url, ca, name, password string) *goldap.Conn {
	t.Helper()
	c, err := dialAs(url, ca, name, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dialAs(url, ca, name, password string) (*goldap.Conn, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	c, err := goldap.DialURL(url, goldap.DialWithTLSConfig(&tls.Config{RootCAs: roots}), goldap.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}))
	if err != nil {
		return nil, err
	}
	c.SetTimeout(10 * time.Second)
	if name != "" {
		err = c.Bind(name, password)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// add makes an entry: "name", "value", ...
func add(t *testing.T, c *goldap.Conn, dn string, namesAndValues ...string) {
	t.Helper()
	r := goldap.NewAddRequest(dn, nil)
	for i := 0; i < len(namesAndValues); i += 2 {
		r.Attribute(namesAndValues[i], strings.Split(namesAndValues[i+1], "|"))
	}
	if err := c.Add(r); err != nil {
		t.Fatalf("add %s: %v", dn, err)
	}
}

// set replaces the values of an attribute; none: takes it away.
func set(t *testing.T, c *goldap.Conn, dn, name string, values ...string) {
	t.Helper()
	r := goldap.NewModifyRequest(dn, nil)
	if len(values) > 0 {
		r.Replace(name, values)
	} else {
		r.Delete(name, nil)
	}
	if err := c.Modify(r); err != nil {
		t.Fatalf("modify %s %s: %v", dn, name, err)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

//go:build e2e

package identity

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/auth/mic/lab"
	"postern/engine/clients/install"
)

func TestMain(m *testing.M) { install.Main(m) }

// What an app and the master show.
const (
	appKey       = "kid_acme"
	appSecret    = "0123456789abcdef0123456789abcdef"
	masterSecret = "fedcba9876543210fedcba9876543210"
)

// A server is a running "postern serve", by https, behind a proxy on loopback.
type server struct {
	t            *testing.T
	binary, data string
	environment  []string // of its commands
	process      *os.Process
	url, network string // of requests
	client       *http.Client
}

// serve starts one on an empty data directory. It ends with the test, which fails if
// the server has had trouble of its own, or leaves damage.
func serve(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, binary: install.Binary(t), data: filepath.Join(dir, "data"), network: network()}
	ca, cert, key := lab.Vouch(t, "127.0.0.1")
	address := "127.0.0.1:" + lab.FreePort(t)
	s.url = "https://" + address
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	s.client = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(s.client.CloseIdleConnections)
	// Nothing of ours, whose settings begin with POSTERN_.
	s.environment = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd := s.command("serve", "--listen", address, "--log-format", "text",
		"--tls-cert", lab.Write(t, dir, "cert.pem", cert), "--tls-key", lab.Write(t, dir, "key.pem", key), "--trusted-proxy", "127.0.0.1",
		"--public-url", s.url, "--secret-key", filepath.Join(dir, "secret-key"), "--provider-network", "127.0.0.0/8")
	cmd.Env = append(s.environment, "POSTERN_APP_KEY="+appKey, "POSTERN_APP_SECRET="+appSecret, "POSTERN_MASTER_SECRET="+masterSecret)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = cmd.Process
	serving, over := make(chan struct{}), make(chan struct{})
	var log bytes.Buffer // to be read when over is closed
	go func() {
		defer close(over)
		for lines := bufio.NewReader(stderr); ; {
			line, err := lines.ReadString('\n')
			log.WriteString(line)
			if strings.Contains(line, "msg=serving") {
				close(serving)
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		s.thaw()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		<-over
		if err := cmd.Wait(); err != nil || strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("postern serve: %v; it says\n%s", err, log.String())
		} else if t.Failed() {
			t.Logf("postern serve says\n%s", log.String())
		}
		if out, err := s.command("check").CombinedOutput(); err != nil || string(out) != "ok\n" {
			t.Errorf("postern check: %v\n%s", err, out)
		}
	})
	select {
	case <-serving:
	case <-over:
		t.Fatalf("postern serve has ended:\n%s", log.String())
	case <-time.After(time.Minute):
		t.Fatal("postern serve does not serve")
	}
	return s
}

// freeze lets the server take connections and say nothing, until thaw.
func (s *server) freeze() { _ = s.process.Signal(syscall.SIGSTOP) }

func (s *server) thaw() { _ = s.process.Signal(syscall.SIGCONT) }

// command is one of postern's on the data of the server.
func (s *server) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.binary, append(args, "--data", s.data)...)
	cmd.Env = s.environment
	return cmd
}

// cli runs a command of the administrator's.
func (s *server) cli(stdin string, args ...string) (out string, err error) {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func (s *server) mustCLI(stdin string, args ...string) string {
	s.t.Helper()
	out, err := s.cli(stdin, args...)
	if err != nil {
		s.t.Fatalf("postern %v: %v\n%s", args, err, out)
	}
	return out
}

// made is cli for what makes something: it returns its id.
func (s *server) made(stdin string, args ...string) string {
	s.t.Helper()
	var made struct{ ID string }
	out := s.mustCLI(stdin, args...)
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.ID == "" {
		s.t.Fatalf("postern %v: %v\n%s", args, err, out)
	}
	return made.ID
}

// A reply is what the server says to a request.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// get is a text in a JSON reply, by the names of the members that lead to it.
func (r reply) get(path ...string) string {
	var v any
	_ = json.Unmarshal(r.body, &v)
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	text, _ := v.(string)
	return text
}

// A credential is what a request shows: a name and a password, or a header.
type credential struct{ name, password, header string }

var (
	asApp    = credential{name: appKey, password: appSecret}
	asMaster = credential{name: appKey, password: masterSecret}
)

func asSession(token string) credential { return credential{header: "Kinvey " + token} }

// do sends a request; a body that is a map or a list goes as JSON, one that is a
// string as a form.
func (s *server) do(method, path string, who credential, body any) reply {
	s.t.Helper()
	return s.from(s.network, method, path, who, body)
}

// from is do from a network.
func (s *server) from(network, method, path string, who credential, body any) reply {
	s.t.Helper()
	text, kind := "", ""
	switch body := body.(type) {
	case nil:
	case string:
		text, kind = body, "application/x-www-form-urlencoded"
	default:
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		text, kind = string(b), "application/json"
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", network)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if who.header != "" {
		r.Header.Set("Authorization", who.header)
	} else if who.name != "" {
		r.SetBasicAuth(who.name, who.password)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, b}
}

var networks atomic.Int32

// network returns the address of somebody who has not been here yet.
func network() string {
	n := networks.Add(1)
	return fmt.Sprintf("100.%d.%d.7", 64+n/256, n%256) // of a network it is the first three bytes that count
}

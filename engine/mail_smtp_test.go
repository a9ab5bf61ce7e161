package engine_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/engine"
)

// smtpServer is a small mail server on the loopback interface.
type smtpServer struct {
	t     *testing.T
	l     net.Listener
	tls   *tls.Config
	got   chan smtpMail
	mu    sync.Mutex
	later int // guarded by mu; how many connections are answered 421 first
}

type smtpMail struct {
	from, to, data string
	secure         bool
	auth           string
}

func newSMTPServer(t *testing.T) (*smtpServer, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &smtpServer{t: t, l: l, got: make(chan smtpMail, 10),
		tls: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(c)
		}
	}()
	return s, pool
}

func (s *smtpServer) talk(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	say := func(text string) { _, _ = fmt.Fprintf(c, "%s\r\n", text) }
	s.mu.Lock()
	busy := s.later > 0
	s.later--
	s.mu.Unlock()
	if busy {
		say("421 try again later")
		return
	}
	say("220 ready")
	var m smtpMail
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			if m.secure {
				say("250-hello\r\n250-8BITMIME\r\n250 AUTH PLAIN")
			} else {
				say("250-hello\r\n250 STARTTLS")
			}
		case "STARTTLS":
			say("220 go ahead")
			c = tls.Server(c, s.tls)
			r = bufio.NewReader(c)
			m.secure = true
		case "AUTH":
			m.auth = rest
			say("235 welcome")
		case "MAIL":
			m.from = rest
			say("250 ok")
		case "RCPT":
			m.to = rest
			say("250 ok")
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				b.WriteString(line)
			}
			m.data = b.String()
			s.got <- m
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("500 what")
		}
	}
}

// A whole conversation with a mail server: refused once, then TLS, login and
// the mail with a link that works.
func TestSMTPConversation(t *testing.T) {
	post, roots := newSMTPServer(t)
	post.mu.Lock()
	post.later = 1
	post.mu.Unlock()
	mailer, err := engine.ParseSMTP("smtp://postern:s3cret%40@" + post.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	mailer.Roots = roots
	clock := newClock()
	s := start(t, withPost(mailer), withClock(clock), func(o *options) { o.config.MailFrom = "Postern <noreply@example.org>" })
	s.signUpWith("алиса", "alice@example.org")
	s.want(s.do("POST", "/rpc/"+kid+"/alice@example.org/"+resetInitiate, asApp, ""), 204, "")
	s.e.OutboxTried(t, kid, 1)
	clock.Add(31 * time.Second)
	s.e.OutboxNudge()
	var m smtpMail
	select {
	case m = <-post.got:
	case <-time.After(20 * time.Second):
		t.Fatal("no mail came")
	}
	if !m.secure || m.from != "FROM:<noreply@example.org> BODY=8BITMIME" || m.to != "TO:<alice@example.org>" {
		t.Errorf("%+v", m)
	}
	if m.auth != "PLAIN AHBvc3Rlcm4AczNjcmV0QA==" {
		t.Errorf("AUTH %s", m.auth)
	}
	for _, want := range []string{"From: <noreply@example.org>\r\n", "To: <alice@example.org>\r\n", "Auto-Submitted: auto-generated\r\n",
		"Content-Type: text/plain; charset=utf-8\r\n", "Hello алиса,\r\n"} {
		if !strings.Contains(m.data, want) {
			t.Errorf("the mail lacks %q: %s", want, m.data)
		}
	}
	s.want(s.do("GET", linkPattern.FindStringSubmatch(m.data)[1], "", ""), 200, "")
	s.e.OutboxIdle(t, 0)
}

// A mail server that nobody vouches for gets neither the login nor the mail.
func TestSMTPWantsACertificate(t *testing.T) {
	post, _ := newSMTPServer(t)
	mailer, err := engine.ParseSMTP("smtp://postern:secret@" + post.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	err = mailer.Mail(context.Background(), &engine.Mail{ID: "x", From: "a@example.org", To: "b@example.org", Text: "x\n"})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Mail = %v", err)
	}
	if len(post.got) != 0 {
		t.Error("the mail was sent")
	}
}

func TestSMTPURL(t *testing.T) {
	for _, bad := range []string{"", "mail.example.org:25", "http://u:topsecret@mail.example.org", "smtp://", "smtp://u:topsecret@h/path",
		"smtp://u:topsecret@h?tls=no", "smtp://u:topsecret\n@h", "smtp://u:topsecret@h:port"} {
		if _, err := engine.ParseSMTP(bad); err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("ParseSMTP(%q) = %v", bad, err)
		}
	}
	for _, good := range []string{"smtp://mail.example.org", "smtps://u:p@mail.example.org:465", "smtp://[::1]:25/"} {
		if _, err := engine.ParseSMTP(good); err != nil {
			t.Errorf("ParseSMTP(%q) = %v", good, err)
		}
	}
}

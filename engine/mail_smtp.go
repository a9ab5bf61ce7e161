package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/smtp"
	"net/url"
	"strings"
	"time"
)

// An SMTP is a Mailer that hands mails to a mail server. Except on the loopback
// interface it does so over TLS only: a link in a mail opens an account.
type SMTP struct {
	Roots *x509.CertPool // nil: the system's

	address, host  string
	user, password string
	implicit       bool // TLS from the first byte
}

const (
	smtpConnect = 10 * time.Second
	smtpSession = 60 * time.Second
)

var errSMTPURL = errors.New("want smtp://user:password@host:port (with STARTTLS) or smtps://user:password@host:port")

// ParseSMTP reads the URL of a mail server. The error does not repeat it: it
// may hold a password.
func ParseSMTP(text string) (*SMTP, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil, errSMTPURL
	}
	m := &SMTP{host: u.Hostname(), implicit: u.Scheme == "smtps"}
	port := u.Port()
	if port == "" {
		port = "587"
		if m.implicit {
			port = "465"
		}
	}
	m.address = net.JoinHostPort(m.host, port)
	if u.User != nil {
		m.user = u.User.Username()
		m.password, _ = u.User.Password()
	}
	return m, nil
}

// Mail implements Mailer.
func (s *SMTP) Mail(ctx context.Context, m *Mail) error {
	d := net.Dialer{Timeout: smtpConnect}
	conn, err := d.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(smtpSession)); err != nil {
		return err
	}
	// The server's end does not wait for a slow mail server.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	config := &tls.Config{ServerName: s.host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	if s.implicit {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return err
	}
	_, domain, _ := strings.Cut(m.From, "@")
	if err := c.Hello(domain); err != nil {
		return err
	}
	if err := s.secure(c, config); err != nil {
		return err
	}
	if s.user != "" {
		if err := c.Auth(smtp.PlainAuth("", s.user, s.password, s.host)); err != nil {
			return err
		}
	}
	if err := c.Mail(m.From); err != nil {
		return err
	}
	if err := c.Rcpt(m.To); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.bytes()); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // the mail has been taken over
	return nil
}

// secure switches to TLS if the connection is not under it yet.
func (s *SMTP) secure(c *smtp.Client, config *tls.Config) error {
	if s.implicit {
		return nil
	}
	if ok, _ := c.Extension("STARTTLS"); ok {
		return c.StartTLS(config)
	}
	if !Loopback(s.host) {
		return errors.New("the mail server offers no STARTTLS")
	}
	return nil
}

package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

// A server is one of a directory's.
type server struct {
	tls        bool
	host, port string
}

// String is the server's address as it is shown.
func (s *server) String() string {
	scheme := "ldap://"
	if s.tls {
		scheme = "ldaps://"
	}
	return scheme + s.address()
}

func (s *server) address() string { return net.JoinHostPort(s.host, s.port) }

func parseServer(text string) (*server, error) {
	const want = "%q is not ldaps://host[:port] or ldap://host[:port]"
	u, err := url.Parse(text)
	// The text may hold a password before an @; it is not shown.
	if err != nil || u.User != nil {
		return nil, errors.New("an address is not ldaps://host[:port] or ldap://host[:port]")
	}
	s := &server{tls: u.Scheme == "ldaps", host: u.Hostname(), port: u.Port()}
	if s.port == "" {
		if s.port = "389"; s.tls {
			s.port = "636"
		}
	}
	port, err := strconv.Atoi(s.port)
	if err != nil || port < 1 || port > 65535 || s.host == "" || len(text) > 300 || u.Opaque != "" ||
		(u.Scheme != "ldap" && u.Scheme != "ldaps") || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf(want, text)
	}
	return s, nil
}

// loopback tells whether a host is this machine by its name. Where a connection
// went in truth is looked at again when it is there.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// connect opens a connection to a server: nobody is bound on it yet.
func (d *Directory) connect(ctx context.Context, s *server) (*conn, error) {
	dialing, cancel := context.WithTimeout(ctx, d.c.timeout)
	defer cancel()
	raw, err := d.c.Dial(dialing, "tcp", s.address())
	if err != nil {
		return nil, d.broken(ctx, err)
	}
	w := &wire{Conn: raw}
	w.begin(d.c.timeout)
	if err := d.mayBePlain(s, raw); err != nil {
		_ = raw.Close()
		return nil, err
	}
	settings := &tls.Config{
		ServerName: s.host,
		RootCAs:    d.c.roots,
		MinVersion: tls.VersionTLS12,
		// Rand stays nil: TLS draws from the system's source by itself.
	}
	var over net.Conn = w
	if s.tls {
		t := tls.Client(w, settings)
		if err := t.HandshakeContext(dialing); err != nil {
			_ = raw.Close()
			return nil, d.broken(ctx, err)
		}
		over = t
	}
	c := &conn{l: goldap.NewConn(over, s.tls), wire: w, server: s, timeout: d.c.timeout, made: d.c.Now()}
	// A second line behind the deadlines of the wire, for what waits for no byte.
	c.l.SetTimeout(maxSteps * d.c.timeout)
	c.l.Start()
	if d.c.StartTLS {
		err := c.do(ctx, func() error { return c.l.StartTLS(settings) })
		if err == nil {
			// What counts is not what the server has answered but what we speak now.
			if state, ok := c.l.TLSConnectionState(); !ok || !state.HandshakeComplete {
				err = errors.New("the connection is not TLS")
			}
		}
		if err != nil {
			c.close()
			return nil, d.broken(ctx, fmt.Errorf("StartTLS: %s", brief(err)))
		}
	}
	w.idle()
	return c, nil
}

// mayBePlain looks once more at a connection that will carry passwords in plain
// text because its server has the name of this machine.
func (d *Directory) mayBePlain(s *server, raw net.Conn) error {
	if s.tls || d.c.StartTLS || d.c.AllowPlain {
		return nil
	}
	at, err := netip.ParseAddrPort(raw.RemoteAddr().String())
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return &downError{fmt.Errorf("%s is not loopback: no password in plain text", raw.RemoteAddr())}
	}
	return nil
}

// broken says what a failed connection is: the server's, unless who logs in has
// given up.
func (d *Directory) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", mic.ErrUnavailable, ctx.Err())
	}
	return &downError{err}
}

// A downError says that a server has not done its part; another one may.
type downError struct{ err error }

func (e *downError) Error() string { return mic.ErrUnavailable.Error() + ": " + brief(e.err) }
func (e *downError) Unwrap() error { return mic.ErrUnavailable }

// maxAnswer bounds what a server may send in answer to one question, in bytes. The
// library makes about a hundred times as much of the worst of it.
const maxAnswer = 1 << 20

// errTooMuch ends an answer that is longer.
var errTooMuch = fmt.Errorf("an answer of more than %d bytes", maxAnswer)

// A wire is a connection that takes so many bytes, in so much time, for one
// question.
type wire struct {
	net.Conn
	left atomic.Int64
}

// begin allows for one question. Deadlines of sockets know no other clock than
// the system's.
func (w *wire) begin(timeout time.Duration) {
	w.left.Store(maxAnswer)
	_ = w.SetDeadline(time.Now().Add(timeout))
}

// idle lets the connection wait for the next question.
func (w *wire) idle() { _ = w.SetDeadline(time.Time{}) }

func (w *wire) Read(p []byte) (int, error) {
	left := w.left.Load()
	if left <= 0 {
		return 0, errTooMuch
	}
	n, err := w.Conn.Read(p[:min(int64(len(p)), left)])
	w.left.Add(int64(-n))
	return n, err
}

// brief is the text of an error as it is shown to an administrator: one line, not
// long, whatever a server has sent.
func brief(err error) string {
	text := []rune(strings.Join(strings.Fields(err.Error()), " "))
	text = text[:min(len(text), 300)]
	for i, r := range text {
		if !strconv.IsPrint(r) {
			text[i] = '?'
		}
	}
	return string(text)
}

package engine

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
)

// connsPerAddress bounds the connections of one address, so that one client
// cannot take them all. The loopback interface has no bound: proxies and load
// tests are there.
const connsPerAddress = 256

// listener wraps what it accepts in conns and closes at once what is beyond the
// bound of its address.
type listener struct {
	net.Listener

	mu   sync.Mutex // guards open
	open map[netip.Addr]int
}

func newListener(l net.Listener) *listener {
	return &listener{Listener: l, open: map[netip.Addr]int{}}
}

// Accept returns the next connection that may be served.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		n := &conn{Conn: c, from: addressOf(c.RemoteAddr()), listener: l}
		if l.count(n.from, 1) {
			return n, nil
		}
		_ = c.Close()
	}
}

// count adds to the connections of an address and reports whether there are
// not too many now; if there are, it has added nothing.
func (l *listener) count(from netip.Addr, by int) bool {
	if !from.IsValid() || from.IsLoopback() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.open[from] + by
	switch {
	case by > 0 && n > connsPerAddress:
		return false
	case n == 0:
		delete(l.open, from)
	default:
		l.open[from] = n
	}
	return true
}

// A conn counts the bytes since the last end of a line. When the header buffer
// is full and no line has ended in it, it was the request line that was too
// long; fasthttp does not tell.
type conn struct {
	net.Conn
	from     netip.Addr
	listener *listener
	closing  sync.Once
	line     int // used by the goroutine that reads
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if at := bytes.LastIndexByte(p[:n], '\n'); at >= 0 {
		c.line = n - at - 1
	} else {
		c.line += n
	}
	return n, err
}

func (c *conn) Close() error {
	c.closing.Do(func() { c.listener.count(c.from, -1) })
	return c.Conn.Close()
}

// requestLineTooLong tells why a header did not fit into the buffer.
func requestLineTooLong(c net.Conn) bool {
	l, ok := c.(*conn)
	return ok && l.line >= headerBuffer
}

// addressOf is the address of a peer; the zero Addr on a Unix socket.
func addressOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

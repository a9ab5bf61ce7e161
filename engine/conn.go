package engine

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"time"
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
		switch c.(type) {
		case *net.TCPConn, *net.UnixConn: // these write two pieces with one call
			n.paired = true
		}
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
//
// And it puts large answers together again: fasthttp fills its buffer with the
// headers and the beginning of the body, writes that, and then the rest, which
// would be two system calls.
type conn struct {
	net.Conn
	from     netip.Addr
	listener *listener
	closing  sync.Once
	line     int // used by the goroutine that serves, as all below

	paired bool   // Conn writes two pieces with one call
	large  bool   // an answer is about to be written that the buffer does not hold
	held   []byte // a full buffer: the beginning of such an answer
	pieces [2][]byte
	both   net.Buffers // of pieces

	read, write deadline
}

// A deadline is set anew several times a request, mostly to be moved on by the
// time that the last request took. It reaches the connection when that is about
// to wait, and a later one only where it makes a difference.
type deadline struct{ asked, armed time.Time }

// deadlineSlack is by how much a connection may time out too soon.
const deadlineSlack = time.Second

func (d *deadline) arm(set func(time.Time) error) error {
	later := d.asked.Sub(d.armed)
	if d.asked.Equal(d.armed) || !d.armed.IsZero() && 0 < later && later < deadlineSlack {
		return nil
	}
	d.armed = d.asked
	return set(d.asked)
}

// SetReadDeadline sets the deadline of the reads that come.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.read.asked = t
	return nil
}

// SetWriteDeadline sets the deadline of the writes that come.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.write.asked = t
	return nil
}

// SetDeadline sets both.
func (c *conn) SetDeadline(t time.Time) error {
	c.read.asked, c.write.asked = t, t
	return nil
}

// writeBuffer is the size of the buffer that fasthttp writes through, bytes.
const writeBuffer = 4096

// expect tells the connection how long the body is that comes next.
func (c *conn) expect(body int) { c.large = c.paired && body > writeBuffer }

// Write holds the beginning of a large answer back until the rest comes. There
// is a rest: a buffer is full of other things than the end of a body that is
// longer than it.
func (c *conn) Write(p []byte) (int, error) {
	if c.large && len(p) == writeBuffer && len(c.held) == 0 {
		c.large = false
		c.held = append(c.held[:0], p...)
		return len(p), nil
	}
	c.large = false
	if err := c.write.arm(c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	held := len(c.held)
	if held == 0 {
		return c.Conn.Write(p)
	}
	c.pieces = [2][]byte{c.held, p}
	c.both = c.pieces[:]
	n, err := c.both.WriteTo(c.Conn)
	c.held, c.pieces = c.held[:0], [2][]byte{}
	return max(int(n)-held, 0), err
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.read.arm(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
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

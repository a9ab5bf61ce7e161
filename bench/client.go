package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
)

// client is one connection. It is used by one goroutine, and does as little as
// it can: it runs on the cores that it measures.
type client struct {
	address       string
	authorization string
	headers       string // more lines, each with its end
	conn          net.Conn
	in            *bufio.Reader
	out, body     []byte
}

func newClient(address, authorization string) *client {
	return &client{address: address, authorization: authorization}
}

// dial opens the connection; do does so when need be.
func (c *client) dial() (err error) {
	if c.conn, err = net.Dial("tcp", c.address); err == nil {
		c.in = bufio.NewReaderSize(c.conn, 64<<10)
	}
	return err
}

// do sends a request; the body it returns is valid until the next call.
func (c *client) do(method, path string, body []byte) (status int, answer []byte, err error) {
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return 0, nil, err
		}
	}
	c.out = append(append(append(c.out[:0], method...), ' '), path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: localhost\r\n"...)
	if c.authorization != "" {
		c.out = append(append(append(c.out, "Authorization: "...), c.authorization...), "\r\n"...)
	}
	c.out = append(c.out, c.headers...)
	if body != nil {
		c.out = append(c.out, "Content-Type: application/json\r\nContent-Length: "...)
		c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
		c.out = append(c.out, "\r\n"...)
	}
	c.out = append(append(c.out, "\r\n"...), body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, nil, err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < 12 {
				return 0, nil, fmt.Errorf("status line %q", line)
			}
			status, err = strconv.Atoi(string(line[9:12]))
		} else if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, err = strconv.Atoi(string(value))
		}
		if err != nil {
			return 0, nil, err
		}
		if len(line) == 0 {
			break
		}
	}
	if length < 0 {
		return status, nil, fmt.Errorf("an answer without length")
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	_, err = io.ReadFull(c.in, c.body)
	return status, c.body, err
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

func closeAll(clients []*client) {
	for _, c := range clients {
		c.close()
	}
}

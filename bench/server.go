package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"postern/acl"
	"postern/auth"
	"postern/engine"
	"postern/engine/store"
)

const appKey = "kid_bench"

// server is a Postern on a real directory behind a real loopback socket.
type server struct {
	engine  *engine.Engine
	http    *engine.Server
	address string
	users   []account
	secrets engine.AppSecrets
	stop    sync.Once
}

type account struct{ id, name, token string }

func startServer(dir string) (*server, error) {
	driver, err := store.OpenBadger(dir, store.Options{NoBallast: true})
	if err != nil {
		return nil, err
	}
	e, err := engine.Open(engine.Config{Driver: driver, Argon: auth.CheapParams, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return nil, err
	}
	s := &server{engine: e}
	if s.secrets, err = e.CreateApp(engine.NewApp{Key: appKey}); err != nil {
		return nil, err
	}
	l, err := engine.Listen("127.0.0.1:0", nil, false)
	if err != nil {
		return nil, err
	}
	s.address = l.Addr().String()
	s.http = engine.NewServer(e, false)
	s.http.Serve(l, func(err error) { fmt.Fprintln(os.Stderr, "serving:", err) })
	for i := range 100 {
		a, err := s.signUp(fmt.Sprintf("user%03d", i))
		if err != nil {
			return nil, err
		}
		s.users = append(s.users, a)
	}
	return s, nil
}

func (s *server) close() {
	s.stop.Do(func() {
		s.http.Stop(time.Second)
		if err := s.engine.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "closing:", err)
		}
	})
}

func (s *server) signUp(name string) (account, error) {
	c := newClient(s.address, "Basic "+base64.StdEncoding.EncodeToString([]byte(appKey+":"+s.secrets.AppSecret)))
	defer c.close()
	status, body, err := c.do("POST", "/user/"+appKey, fmt.Appendf(nil, `{"username":%q,"password":%q}`, name, name))
	if err != nil || status != 201 {
		return account{}, fmt.Errorf("sign-up: status %d %s %w", status, body, err)
	}
	var u struct {
		ID  string `json:"_id"`
		KMD struct {
			Token string `json:"authtoken"`
		} `json:"_kmd"`
	}
	err = json.Unmarshal(body, &u)
	return account{u.ID, name, u.KMD.Token}, err
}

// fill makes a private collection of n entities that belong to the owners in
// turn: with all users each sees one in a hundred.
func (s *server) fill(collection string, n int, owners []account) error {
	if err := s.engine.SetLevel(appKey, collection, acl.Private); err != nil {
		return err
	}
	const workers = 64
	errs := make(chan error, workers)
	for w := range workers {
		go func() {
			for i := w; i < n; i += workers {
				if err := s.engine.PutDocument(appKey, collection, owners[i%len(owners)].id, document(i)); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var first error
	for range workers {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// clients returns one client a connection, each as one of the users.
func (s *server) clients(n int) []*client {
	out := make([]*client, n)
	for i := range out {
		out[i] = newClient(s.address, "Kinvey "+s.users[i%len(s.users)].token)
	}
	return out
}

// client is one connection. It is used by one goroutine, and does as little as
// it can: it runs on the cores that it measures.
type client struct {
	address       string
	authorization string
	conn          net.Conn
	in            *bufio.Reader
	out, body     []byte
}

func newClient(address, authorization string) *client {
	return &client{address: address, authorization: authorization}
}

// do sends a request; the body it returns is valid until the next call.
func (c *client) do(method, path string, body []byte) (status int, answer []byte, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			return 0, nil, err
		}
		c.in = bufio.NewReaderSize(c.conn, 64<<10)
	}
	c.out = append(append(append(c.out[:0], method...), ' '), path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: localhost\r\n"...)
	if c.authorization != "" {
		c.out = append(append(append(c.out, "Authorization: "...), c.authorization...), "\r\n"...)
	}
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

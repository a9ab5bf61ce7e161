package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

const (
	// serviceConns and userConns are how many connections of a kind there are at
	// most. Who comes when all are in use waits as long as his login may take.
	serviceConns = 4
	userConns    = 16

	// downFor is how long a server that has failed is tried after the others.
	downFor = 30 * time.Second
	// maxIdle and maxAge end connections of the pool before a firewall forgets them,
	// and so that a server that is back gets its work back.
	maxIdle = time.Minute
	maxAge  = 10 * time.Minute
)

// A pool holds the connections of the service account, and which servers have
// failed of late.
type pool struct {
	service, users chan struct{} // a place each

	mu     sync.Mutex // guards below
	idle   []*conn    // used last at the end
	down   map[*server]time.Time
	denied time.Time // until then the service account is not bound
	closed bool
}

func newPool() *pool {
	return &pool{
		service: make(chan struct{}, serviceConns),
		users:   make(chan struct{}, userConns),
		down:    map[*server]time.Time{},
	}
}

// place waits for a place among those of a kind, and returns what gives it back.
func place(ctx context.Context, of chan struct{}) (func(), error) {
	select {
	case of <- struct{}{}:
		return func() { <-of }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: too many at once: %w", mic.ErrUnavailable, ctx.Err())
	}
}

// take returns a connection that is bound as the service, or nil.
func (p *pool) take(now time.Time) *conn {
	p.mu.Lock()
	var old []*conn
	var c *conn
	for c == nil && len(p.idle) > 0 {
		last := len(p.idle) - 1
		c, p.idle = p.idle[last], p.idle[:last]
		if c.l.IsClosing() || now.Sub(c.used) > maxIdle || now.Sub(c.made) > maxAge {
			old, c = append(old, c), nil
		}
	}
	p.mu.Unlock()
	for _, o := range old {
		o.close()
	}
	return c
}

// give puts a connection of the service back, or ends it.
func (p *pool) give(c *conn, now time.Time) {
	p.mu.Lock()
	keep := !c.spoilt && !p.closed && !c.l.IsClosing()
	if keep {
		c.used = now
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
}

// drop ends all connections that are not in use.
func (p *pool) drop(forGood bool) {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.closed = p.closed || forGood
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// failed remembers for a while that a server has.
func (p *pool) failed(s *server, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down[s] = now.Add(downFor)
}

// order returns the servers in the order to try them: as given, but those that
// have failed of late behind the others.
func (p *pool) order(servers []*server, now time.Time) []*server {
	p.mu.Lock()
	defer p.mu.Unlock()
	servers = slices.Clone(servers)
	late := func(s *server) int {
		if now.Before(p.down[s]) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(servers, func(a, b *server) int { return late(a) - late(b) })
	return servers
}

// deny remembers for a while that the service account was refused. Without, every
// login would be one more wrong password for it, until it is locked.
func (p *pool) deny(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.denied = now.Add(downFor)
}

func (p *pool) isDenied(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Before(p.denied)
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// end is what becomes of a connection that is not needed any more: one of the
// service goes into the pool.
func (d *Directory) end(c *conn) {
	if c.service {
		d.pool.give(c, d.c.Now())
		return
	}
	c.close()
}

// onServer has act done on a new connection to the first server that does its
// part. act may be called once for each server; what
// another one has done before it was broken off is done again.
func (d *Directory) onServer(ctx context.Context, act func(*conn) error) error {
	err := error(&downError{errors.New("it is closed")})
	if d.pool.isClosed() {
		return err
	}
	for _, s := range d.pool.order(d.c.servers, d.c.Now()) {
		var c *conn
		c, err = d.connect(ctx, s)
		if mic.Step(ctx, err, "connect to %s", s) == nil {
			err = act(c)
			d.end(c)
		}
		var down *downError
		if !errors.As(err, &down) {
			return err
		}
		d.pool.failed(s, d.c.Now())
	}
	return err
}

// asUser has act, if any, done on a connection on which bind has succeeded. It is
// never one of the pool (D4).
func (d *Directory) asUser(ctx context.Context, bind, act func(*conn) error) error {
	leave, err := place(ctx, d.pool.users)
	if err != nil {
		return err
	}
	defer leave()
	return d.onServer(ctx, func(c *conn) error {
		if err := bind(c); err != nil || act == nil {
			return err
		}
		return act(c)
	})
}

// asService has act done on a connection that is bound as the service account. act
// must do no harm when it is done again.
func (d *Directory) asService(ctx context.Context, act func(*conn) error) error {
	leave, err := place(ctx, d.pool.service)
	if err != nil {
		return err
	}
	defer leave()
	for range serviceConns {
		c := d.pool.take(d.c.Now())
		if c == nil {
			break
		}
		err := act(c)
		d.end(c)
		var down *downError
		if !errors.As(err, &down) {
			return err
		}
		// The server may have been started again since: its other connections are as
		// dead, and what it is worth a new one tells.
		d.pool.drop(false)
	}
	denied := fmt.Errorf("%w: the directory refuses bindDn and bindPassword", mic.ErrUnavailable)
	if d.pool.isDenied(d.c.Now()) {
		return mic.Step(ctx, denied, "bind as the service, %s: not tried again yet", d.c.BindDN)
	}
	return d.onServer(ctx, func(c *conn) error {
		_, err := c.bind(ctx, d.c.BindDN, d.c.BindPassword)
		if goldap.IsErrorAnyOf(err, goldap.LDAPResultInvalidCredentials, goldap.LDAPResultNoSuchObject) {
			d.pool.deny(d.c.Now())
			err = denied // and not tried on the other servers
		} else {
			err = c.explain(ctx, unquoted(err, d.c.BindPassword), "bind as the service")
		}
		if mic.Step(ctx, err, "bind as the service, %s", d.c.BindDN) != nil {
			return err
		}
		c.service = true
		return act(c)
	})
}

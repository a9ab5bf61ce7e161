package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

// A clock is set by hand.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) forward(d time.Duration) { c.at.Add(int64(d)) }

func mustLogin(t *testing.T, d *Directory) {
	t.Helper()
	if a, err := d.Check(t.Context(), "alice", right); err != nil || a.Subject != "uuid-of-alice" {
		t.Fatalf("Check = %v, %v; want alice", a, err)
	}
}

func TestAttackUsersBindNotLeftOnAPooledConnection(t *testing.T) {
	f := newFake(t, nil, simple())
	d := open(t, []string{f.url}, nil)
	for range 3 {
		mustLogin(t, d)
		if _, err := d.Check(t.Context(), "alice", "wrong"); !errors.Is(err, mic.ErrCredentials) {
			t.Fatal(err)
		}
	}
	bound := map[int][]string{}
	for _, r := range f.requests(goldap.ApplicationBindRequest) {
		bound[r.conn] = append(bound[r.conn], r.name)
	}
	for _, r := range f.requests(goldap.ApplicationSearchRequest) {
		if r.as != svc || fmt.Sprint(bound[r.conn]) != "["+svc+"]" {
			t.Errorf("a search on a connection that was bound as %q; want the service alone", bound[r.conn])
		}
	}
	if n := f.connections(); n != 1+6 {
		t.Errorf("%d connections; want the service's one, and one for each of 6 binds", n)
	}
}

func TestUnknownUserAndWrongPasswordTakeTheSameRoundTrips(t *testing.T) {
	f := newFake(t, nil, simple())
	d := open(t, []string{f.url}, nil)
	mustLogin(t, d)
	kinds := func(name string) (ops []ber.Tag) {
		t.Helper()
		f.mu.Lock()
		before, conns := len(f.seen), len(f.conns)
		f.mu.Unlock()
		if _, err := d.Check(t.Context(), name, "wrong"); err != mic.ErrCredentials {
			t.Fatalf("Check(%s) = %v; want ErrCredentials and no more", name, err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.conns) != conns+1 {
			t.Errorf("Check(%s) has made %d connections; want 1", name, len(f.conns)-conns)
		}
		for _, r := range f.seen[before:] {
			ops = append(ops, r.op)
			if name == "nobody" && r.password == "wrong" {
				t.Errorf("the password of nobody was sent, to %s", r.name)
			}
		}
		return ops
	}
	if wrong, unknown := kinds("alice"), kinds("nobody"); !slices.Equal(wrong, unknown) {
		t.Errorf("a wrong password takes %v, the name of nobody %v", wrong, unknown)
	}
}

// A directory that takes any bind must not let nobody in.
func TestNobodyIsNotLetIn(t *testing.T) {
	f := newFake(t, nil, func(r request) []*ber.Packet {
		if r.op == goldap.ApplicationBindRequest {
			return bound(0, "")
		}
		return simple()(r)
	})
	if a, err := open(t, []string{f.url}, nil).Check(t.Context(), "nobody", "x"); a != nil || err != mic.ErrCredentials {
		t.Errorf("Check = %v, %v; want ErrCredentials", a, err)
	}
}

func TestServersInOrderWithAMemoryOfWhichIsDown(t *testing.T) {
	time := newClock()
	first, second := newFake(t, nil, simple()), newFake(t, nil, simple())
	down := atomic.Bool{}
	var dialled atomic.Int64
	d := open(t, []string{first.url, second.url}, func(c *Config) {
		c.Now = time.Now
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if down.Load() && "ldap://"+address == first.url {
				dialled.Add(1)
				return nil, errors.New("connection refused")
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
	})
	mustLogin(t, d)
	if n := second.connections(); n != 0 {
		t.Errorf("%d connections to the second server while the first is up", n)
	}
	down.Store(true)
	first.hangUp()
	mustLogin(t, d)
	if second.connections() == 0 {
		t.Error("no connection to the second server while the first is down")
	}
	before := dialled.Load()
	mustLogin(t, d)
	if n := dialled.Load(); n != before {
		t.Errorf("the first server was tried again at once (%d times)", n-before)
	}
	time.forward(downFor + 1)
	mustLogin(t, d)
	if n := dialled.Load(); n != before+1 {
		t.Errorf("the first server was tried %d times after %v; want once", n-before, downFor)
	}
	down.Store(false)
	time.forward(downFor + 1)
	was := first.connections()
	mustLogin(t, d)
	if first.connections() == was {
		t.Error("the first server is up again and was not used")
	}
	// Both down: the last word is ErrUnavailable, and each was tried.
	first.close()
	second.close()
	if _, err := d.Check(t.Context(), "alice", right); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("Check = %v; want ErrUnavailable", err)
	}
}

// A server that hangs in the middle is given up for the next one.
func TestAnotherServerWhenOneIsBusy(t *testing.T) {
	busy := newFake(t, nil, func(r request) []*ber.Packet {
		if r.op == goldap.ApplicationSearchRequest {
			return []*ber.Packet{result(goldap.ApplicationSearchResultDone, goldap.LDAPResultBusy, "")}
		}
		return simple()(r)
	})
	good := newFake(t, nil, simple())
	mustLogin(t, open(t, []string{busy.url, good.url}, nil))
}

func TestServerStartedAgain(t *testing.T) {
	f := newFake(t, nil, simple())
	d := open(t, []string{f.url}, nil)
	for range 3 {
		mustLogin(t, d)
		f.hangUp()
	}
	mustLogin(t, d)
}

func TestConnectionsEnd(t *testing.T) {
	time := newClock()
	f := newFake(t, nil, simple())
	d := open(t, []string{f.url}, func(c *Config) { c.Now = time.Now })
	service := func() (n int) {
		for _, r := range f.requests(goldap.ApplicationBindRequest) {
			if r.name == svc {
				n++
			}
		}
		return n
	}
	mustLogin(t, d)
	time.forward(maxIdle)
	mustLogin(t, d)
	if n := service(); n != 1 {
		t.Errorf("%d binds of the service; want 1 as long as the connection is young", n)
	}
	time.forward(maxIdle + 1)
	mustLogin(t, d)
	if n := service(); n != 2 {
		t.Errorf("%d binds of the service; want a second one after %v", n, maxIdle)
	}
	for range int(maxAge/maxIdle) + 1 {
		time.forward(maxIdle)
		mustLogin(t, d)
	}
	if n := service(); n != 3 {
		t.Errorf("%d binds of the service; want a third one after %v", n, maxAge)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	f := newFake(t, nil, simple())
	var now, most, userNow, userMost atomic.Int64
	f.answer = func(r request) []*ber.Packet {
		if r.op == goldap.ApplicationSearchRequest {
			raise(&most, now.Add(1))
			defer now.Add(-1)
			<-time.After(time.Millisecond) // work takes time, so that there is more than one
		}
		if r.op == goldap.ApplicationBindRequest && r.name == alice {
			raise(&userMost, userNow.Add(1))
			defer userNow.Add(-1)
		}
		return simple()(r)
	}
	d := open(t, []string{f.url}, func(c *Config) { c.Timeout = 30 })
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if a, err := d.Check(t.Context(), "alice", right); err != nil || a.Subject != "uuid-of-alice" {
				t.Errorf("Check = %v, %v", a, err)
			}
		})
	}
	all.Wait()
	if most.Load() > serviceConns || userMost.Load() > userConns || len(d.pool.idle) > serviceConns {
		t.Errorf("%d searches and %d binds at once, %d connections kept", most.Load(), userMost.Load(), len(d.pool.idle))
	}
	// Who finds all places taken waits, and not for longer than he likes.
	for range userConns {
		d.pool.users <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Check(ctx, "alice", right); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("Check = %v; want ErrUnavailable", err)
	}
}

func raise(most *atomic.Int64, to int64) {
	for {
		was := most.Load()
		if to <= was || most.CompareAndSwap(was, to) {
			return
		}
	}
}

func TestServiceAccountRefused(t *testing.T) {
	time := newClock()
	f := newFake(t, nil, simple())
	other := newFake(t, nil, simple())
	d := open(t, []string{f.url, other.url}, func(c *Config) { c.BindPassword, c.Now = "old secret", time.Now })
	for range 5 {
		_, err := d.Check(t.Context(), "alice", right)
		if !errors.Is(err, mic.ErrUnavailable) || !strings.Contains(err.Error(), "bindDn") || strings.Contains(err.Error(), "old secret") {
			t.Errorf("Check = %v; want ErrUnavailable and a word about bindDn", err)
		}
	}
	if n := len(f.requests(goldap.ApplicationBindRequest)) + len(other.requests(goldap.ApplicationBindRequest)); n != 1 {
		t.Errorf("the wrong password was tried %d times; want once, or the account is locked", n)
	}
	time.forward(downFor + 1)
	_, _ = d.Check(t.Context(), "alice", right)
	if n := len(f.requests(goldap.ApplicationBindRequest)); n != 2 {
		t.Errorf("tried %d times; want again after %v", n, downFor)
	}
}

func TestClosed(t *testing.T) {
	f := newFake(t, nil, simple())
	d := open(t, []string{f.url}, nil)
	mustLogin(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Check(t.Context(), "alice", right); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("Check = %v; want ErrUnavailable", err)
	}
	if _, err := d.Ask(t.Context(), []byte("entryUUID=uuid-of-alice")); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("Ask = %v; want ErrUnavailable", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// Steps say what was done and never a password, even when the server says it.
func TestStepsAndErrorsNeverShowPasswords(t *testing.T) {
	for _, c := range []struct{ name, username, password string }{
		{"right", "alice", right}, {"wrong", "alice", "wr0ng password"}, {"nobody", "nobody", "n0body's password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, nil, func(r request) []*ber.Packet {
				if r.op == goldap.ApplicationBindRequest && r.name != svc && r.password != right {
					return bound(49, "you said "+r.password)
				}
				return simple()(r)
			})
			d := open(t, []string{f.url}, nil)
			var steps []string
			ctx := mic.Trace(t.Context(), func(step string, err error) { steps = append(steps, fmt.Sprint(step, ": ", err)) })
			_, err := d.Check(ctx, c.username, c.password)
			all := strings.Join(steps, "\n") + fmt.Sprint(err)
			if strings.Contains(all, c.password) || strings.Contains(all, "secret") {
				t.Errorf("a password in\n%s", all)
			}
			for _, want := range []string{"connect to " + f.url, "bind as the service", "search for the user", "bind as the user"} {
				if !strings.Contains(all, want) {
					t.Errorf("no step %q in\n%s", want, all)
				}
			}
			// A reason to say that another server should be tried is no place for it either.
			f.answer = func(r request) []*ber.Packet { return bound(51, "you said "+r.password) }
			d.pool.drop(false)
			steps = nil
			_, err = d.Check(ctx, c.username, c.password)
			if all := strings.Join(steps, "\n") + fmt.Sprint(err); strings.Contains(all, c.password) || strings.Contains(all, "you said secret") {
				t.Errorf("a password in\n%s", all)
			}
		})
	}
}

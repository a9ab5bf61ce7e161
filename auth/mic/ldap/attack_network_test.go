package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

// Attacks by what is between us and the directory, or by the directory itself.

func TestAttackStartTLSStripping(t *testing.T) {
	v := vouch(t, "127.0.0.1")
	start := func(c *Config) { c.StartTLS, c.CACertificates = true, v.ca }
	for name, answer := range map[string]func(request) []*ber.Packet{
		"refused": func(r request) []*ber.Packet {
			if r.op == goldap.ApplicationExtendedRequest {
				return []*ber.Packet{result(goldap.ApplicationExtendedResponse, 2, "unsupported extended operation")}
			}
			return simple()(r)
		},
		"refused as busy": func(r request) []*ber.Packet {
			if r.op == goldap.ApplicationExtendedRequest {
				return []*ber.Packet{result(goldap.ApplicationExtendedResponse, 52, "")}
			}
			return simple()(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil, answer)
			a, err := open(t, []string{f.url}, start).Check(t.Context(), "alice", right)
			if a != nil || !errors.Is(err, mic.ErrUnavailable) || !strings.Contains(err.Error(), "StartTLS") {
				t.Errorf("Check = %v, %v; want ErrUnavailable for StartTLS", a, err)
			}
			if n := len(f.requests(goldap.ApplicationBindRequest)); n != 0 {
				t.Errorf("%d binds in plain text", n)
			}
		})
	}
	t.Run("said to be on and spoken in plain", func(t *testing.T) {
		// What answers is not TLS.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		heard := make(chan string, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if _, err := ber.ReadPacket(c); err != nil {
				return
			}
			out := ber.NewSequence("")
			out.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, ""))
			out.AppendChild(result(goldap.ApplicationExtendedResponse, 0, ""))
			_, _ = c.Write(append(out.Bytes(), out.Bytes()...)) // and something that should stay unread
			b := make([]byte, 1)
			_, _ = c.Read(b)
			heard <- string(b)
		}()
		a, err := open(t, []string{"ldap://" + l.Addr().String()}, start).Check(t.Context(), "alice", right)
		if a != nil || !errors.Is(err, mic.ErrUnavailable) {
			t.Errorf("Check = %v, %v; want ErrUnavailable", a, err)
		}
		if first := <-heard; first != "\x16" {
			t.Errorf("the first byte behind StartTLS is %x; want a handshake", first)
		}
	})
	t.Run("done", func(t *testing.T) {
		f := newFake(t, nil, func(r request) []*ber.Packet {
			if r.op == goldap.ApplicationExtendedRequest {
				return []*ber.Packet{result(goldap.ApplicationExtendedResponse, 0, "")}
			}
			return simple()(r)
		})
		f.start = v.server()
		if a, err := open(t, []string{f.url}, start).Check(t.Context(), "alice", right); err != nil || a.Subject != "uuid-of-alice" {
			t.Errorf("Check = %v, %v; want alice", a, err)
		}
	})
}

func TestAttackWrongCertificate(t *testing.T) {
	good, other, elsewhere := vouch(t, "127.0.0.1"), vouch(t, "127.0.0.1"), vouch(t, "ldap.example.org")
	for _, c := range []struct {
		name string
		tls  *tls.Config
		ca   string
		good bool
	}{
		{"the authority's own", good.server(), good.ca, true},
		{"of another authority", other.server(), good.ca, false},
		{"of no authority that the system knows", good.server(), "", false},
		{"for another host", elsewhere.server(), elsewhere.ca, false},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{good.tls}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, good.ca, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.tls, simple())
			a, err := open(t, []string{f.url}, func(cfg *Config) { cfg.CACertificates = c.ca }).Check(t.Context(), "alice", right)
			if c.good && (err != nil || a.Subject != "uuid-of-alice") || !c.good && (a != nil || !errors.Is(err, mic.ErrUnavailable)) {
				t.Errorf("Check = %v, %v; want good: %v", a, err, c.good)
			}
			if n := len(f.requests(goldap.ApplicationBindRequest)); !c.good && n != 0 {
				t.Errorf("%d binds", n)
			}
		})
	}
}

// A name that the address book of this machine sends elsewhere gets no password in
// plain text.
func TestAttackLocalhostIsNotLoopback(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	d := open(t, []string{"ldap://localhost:389"}, func(c *Config) {
		c.Dial = func(context.Context, string, string) (net.Conn, error) { return afar{near}, nil }
	})
	if _, err := d.Check(t.Context(), "alice", right); !errors.Is(err, mic.ErrUnavailable) || !strings.Contains(err.Error(), "not loopback") {
		t.Errorf("Check = %v; want ErrUnavailable, not loopback", err)
	}
}

type afar struct{ net.Conn }

func (afar) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 389} }

func TestAttackSlowServer(t *testing.T) {
	silent := func(until ber.Tag) func(r request) []*ber.Packet {
		return func(r request) []*ber.Packet {
			if r.op == until {
				return nil
			}
			return simple()(r)
		}
	}
	check := func(t *testing.T, url string) {
		t.Helper()
		begin := time.Now()
		a, err := open(t, []string{url}, func(c *Config) { c.Timeout = 1 }).Check(t.Context(), "alice", right)
		if a != nil || !errors.Is(err, mic.ErrUnavailable) {
			t.Errorf("Check = %v, %v; want ErrUnavailable", a, err)
		}
		if took := time.Since(begin); took < 900*time.Millisecond || took > 3500*time.Millisecond {
			t.Errorf("took %v; want about the timeout of 1 s", took)
		}
	}
	t.Run("no answer to a bind", func(t *testing.T) {
		t.Parallel()
		check(t, newFake(t, nil, silent(goldap.ApplicationBindRequest)).url)
	})
	t.Run("no answer to a search", func(t *testing.T) {
		t.Parallel()
		check(t, newFake(t, nil, silent(goldap.ApplicationSearchRequest)).url)
	})
	t.Run("no handshake", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0") // connections wait to be accepted
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		check(t, "ldaps://"+l.Addr().String())
	})
	t.Run("a byte now and then", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			beat := time.NewTicker(50 * time.Millisecond)
			defer beat.Stop()
			_, _ = c.Write([]byte{0x30, 0x84, 0x00, 0x10, 0x00, 0x00, 0x04, 0x84, 0x00, 0x0f, 0xff, 0x00})
			for {
				select {
				case <-stop:
					return
				case <-beat.C:
					if _, err := c.Write([]byte{0}); err != nil {
						return
					}
				}
			}
		}()
		check(t, "ldap://"+l.Addr().String())
		close(stop)
		l.Close()
		<-done
	})
	t.Run("who logs in gives up", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		f := newFake(t, nil, func(r request) []*ber.Packet { cancel(); return nil })
		d := open(t, []string{f.url}, func(c *Config) { c.Timeout = 60 })
		if _, err := d.Check(ctx, "alice", right); !errors.Is(err, mic.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("Check = %v; want ErrUnavailable and Canceled", err)
		}
		if len(d.pool.down) != 0 {
			t.Error("the server was held to be down")
		}
	})
}

func TestAttackHugeResults(t *testing.T) {
	many := func(n int) []*ber.Packet {
		var all []*ber.Packet
		for i := range n {
			all = append(all, entry(fmt.Sprintf("cn=g%d,%s", i, people), "cn", fmt.Sprintf("g%d", i)))
		}
		return all
	}
	onSearch := func(part string, answer []*ber.Packet) func(r request) []*ber.Packet {
		return func(r request) []*ber.Packet {
			if r.op == goldap.ApplicationSearchRequest && strings.Contains(r.filter, part) {
				return answer
			}
			return simple()(r)
		}
	}
	refused := func(t *testing.T, answer func(r request) []*ber.Packet, want string) {
		t.Helper()
		f := newFake(t, nil, answer)
		a, err := open(t, []string{f.url}, nil).Check(t.Context(), "alice", right)
		if a != nil || !errors.Is(err, mic.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, %v; want ErrUnavailable: %s", a, err, want)
		}
	}
	t.Run("more groups than are counted", func(t *testing.T) {
		refused(t, onSearch("groupOf", entries(many(maxGroups+1)...)), "in more than 999 groups")
	})
	t.Run("more groups than the server was asked for", func(t *testing.T) {
		refused(t, onSearch("groupOf", entries(many(3*maxGroups)...)), "in more than 999 groups")
	})
	t.Run("the server's own limit", func(t *testing.T) {
		refused(t, onSearch("groupOf", append(many(3), result(goldap.ApplicationSearchResultDone, goldap.LDAPResultSizeLimitExceeded, ""))), "in more than 999 groups")
	})
	t.Run("an answer without end", func(t *testing.T) {
		big := entry(alice, "cn", strings.Repeat("x", maxAnswer+1))
		refused(t, onSearch("uid=alice", entries(big)), "more than 1048576 bytes")
	})
	t.Run("an answer that is said to be of 2 GB", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x04, 0x84, 0x7f, 0xff, 0xff, 0x00})
			block := make([]byte, 64<<10)
			for {
				if _, err := c.Write(block); err != nil {
					return
				}
			}
		}()
		d := open(t, []string{"ldap://" + l.Addr().String()}, nil)
		if _, err := d.Check(t.Context(), "alice", right); !errors.Is(err, mic.ErrUnavailable) {
			t.Errorf("Check = %v; want ErrUnavailable", err)
		}
		l.Close()
		<-done
	})
	t.Run("values", func(t *testing.T) {
		var pairs []string
		for i := range 3 * maxValues {
			pairs = append(pairs, "mail", fmt.Sprintf("%d@example.org", i))
		}
		pairs = append(pairs, "entryUUID", "1", "cn", strings.Repeat("c", maxValue+1), "cn", "short", "sn", "\xff\xfe", "displayName", "a\x00b")
		for i := range 60 {
			pairs = append(pairs, "givenName", strings.Repeat(string(rune('a'+i%26)), maxValue))
		}
		f := newFake(t, nil, entryOf(false, pairs...))
		a, err := open(t, []string{f.url}, nil).Check(t.Context(), "alice", right)
		if err != nil {
			t.Fatal(err)
		}
		bytes := 0
		for _, values := range a.Attributes {
			for _, v := range values {
				bytes += len(v)
			}
		}
		if len(a.Attributes["mail"]) != maxValues || fmt.Sprint(a.Attributes["cn"]) != "[short]" || a.Attributes["sn"] != nil || a.Attributes["displayName"] != nil || bytes > maxAll {
			t.Errorf("%d mails, cn %.40v, sn %q, displayName %q, %d bytes", len(a.Attributes["mail"]), a.Attributes["cn"], a.Attributes["sn"], a.Attributes["displayName"], bytes)
		}
	})
}

// Answers that are no LDAP end the login, not the server.
func TestAttackMalformedAnswers(t *testing.T) {
	empty := func(op ber.Tag) *ber.Packet {
		return ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "")
	}
	noValues := empty(goldap.ApplicationSearchResultEntry)
	noValues.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, alice, ""))
	for name, answer := range map[string]*ber.Packet{
		"a bind's result without a code":  empty(goldap.ApplicationBindResponse),
		"an entry of nothing":             empty(goldap.ApplicationSearchResultEntry),
		"an entry without attributes":     noValues,
		"a reference to nowhere":          empty(goldap.ApplicationSearchResultReference),
		"a search's result without code":  empty(goldap.ApplicationSearchResultDone),
		"a code that is success mod 2^16": result(goldap.ApplicationSearchResultDone, 1<<16, ""),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil, func(r request) []*ber.Packet {
				if r.op == goldap.ApplicationBindRequest && answer.Tag != goldap.ApplicationBindResponse {
					return bound(0, "")
				}
				return []*ber.Packet{answer}
			})
			a, err := open(t, []string{f.url}, func(c *Config) { c.Timeout = 1 }).Check(t.Context(), "alice", right)
			if a != nil || !errors.Is(err, mic.ErrUnavailable) {
				t.Errorf("Check = %v, %v; want ErrUnavailable", a, err)
			}
		})
	}
}

// What the library does not survive is an answer like any other.
func TestAttackPanicInTheLibrary(t *testing.T) {
	f := newFake(t, nil, simple())
	d := open(t, []string{f.url}, nil)
	c, err := d.connect(t.Context(), d.c.servers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	err = c.do(t.Context(), func() error { panic("index out of range") })
	if err == nil || answered(err) || !c.spoilt {
		t.Errorf("do = %v, spoilt %v; want an error that is the server's fault", err, c.spoilt)
	}
}

package engine

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// A deadline that is moved on a little stays where it is; one that comes sooner,
// or none, takes effect at once.
func TestDeadlines(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	other, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	here, err := newListener(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	c := here.(*conn)
	now := time.Now()
	buf := make([]byte, 1)
	read := func() error {
		if _, err := io.WriteString(other, "x"); err != nil {
			t.Fatal(err)
		}
		_, err := c.Read(buf)
		return err
	}
	step := func(what string, asked, armed time.Time, late bool) {
		t.Helper()
		_ = c.SetReadDeadline(asked)
		if err := read(); late != errors.Is(err, os.ErrDeadlineExceeded) || !late && err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if !c.read.armed.Equal(armed) {
			t.Errorf("%s: it ends at %v, want %v", what, c.read.armed, armed)
		}
	}
	hour := now.Add(time.Hour)
	step("none", time.Time{}, time.Time{}, false)
	step("an hour", hour, hour, false)
	step("a little more", hour.Add(deadlineSlack/2), hour, false)
	step("much more", hour.Add(deadlineSlack), hour.Add(deadlineSlack), false)
	step("a little less", hour, hour, false)
	past := now.Add(-time.Millisecond)
	step("in the past", past, past, true)
	step("a little later, in the past", past.Add(time.Microsecond), past, true)
	step("none again", time.Time{}, time.Time{}, false)
	_ = c.SetWriteDeadline(past)
	if _, err := c.Write(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write after its deadline: %v", err)
	}
	_ = c.SetDeadline(hour)
	if _, err := c.Write(buf); err != nil {
		t.Error(err)
	}
}

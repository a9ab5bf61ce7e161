package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"testing"

	"postern/auth"
	"postern/engine/store"
)

// Whatever is in the queue when a user is locked down is decided after it.
func TestAttackWriteDuringLockdown(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	token, digest := newLinkToken(b.e)
	b.must(b.a, &putUser{app: b.a, subject: commitMaster, id: "id-alice", email: []byte(`"alice@example.org"`)},
		&issueLink{app: b.a, purpose: toReset, user: "id-alice", digest: digest})
	lock := &changeAccount{app: b.a, user: "id-alice", change: func(p *privateRow, now int64) error { p.Locked = now; return nil }}
	got := b.together(b.a, lock,
		b.create(b.alice, "e", "x", ""),
		&openLogin{app: b.a, user: "id-alice", generation: 1, token: auth.TokenDigest("x")},
		&putUser{app: b.a, subject: b.alice, id: "id-alice"},
		&redeem{app: b.a, purpose: toReset, user: "id-alice", token: token, phc: "$sha256$y"},
		b.create(b.bob, "f", "x", ""),
	)
	for i, want := range []error{nil, errLockedDown, errLockedDown, errLockedDown, errLink, nil} {
		if !errors.Is(got[i], want) {
			t.Errorf("intent %d: %v, want %v", i, got[i], want)
		}
	}
	b.check()
}

// A query delete passes over who was suspended, and looks again at who was
// changed, since it matched.
func TestU13ChangedSince(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	alice, _ := b.a.view.Load().user("id-alice")
	bob, _ := b.a.view.Load().user("id-bob")
	remove := func(id string, seen *entity) *removeUser {
		return &removeUser{app: b.a, subject: commitMaster, id: id, hard: true, seen: seen}
	}
	got := b.together(b.a,
		&putUser{app: b.a, subject: commitMaster, id: "id-alice", custom: []byte(`,"keep":true`)},
		remove("id-alice", alice),
		&removeUser{app: b.a, subject: commitMaster, id: "id-bob"},
		remove("id-bob", bob),
		remove("id-nobody", bob),
	)
	for i, want := range []error{nil, errChanged, nil, errPassed, errPassed} {
		if !errors.Is(got[i], want) {
			t.Errorf("intent %d: %v, want %v", i, got[i], want)
		}
	}
	now, _ := b.a.view.Load().user("id-alice")
	b.must(b.a, remove("id-alice", now))
	b.check()
}

// A mail server elsewhere that offers no TLS gets nothing.
func TestSMTPWantsTLS(t *testing.T) {
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
		fmt.Fprint(c, "220 ready\r\n")
		all := ""
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadString('\n')
			if all += line; err != nil {
				heard <- all
				return
			}
			fmt.Fprint(c, "250 ok\r\n")
		}
	}()
	m := &SMTP{address: l.Addr().String(), host: "mail.example.org", user: "postern", password: "secret"}
	err = m.Mail(context.Background(), &Mail{From: "a@example.org", To: "b@example.org", Text: "x\n"})
	if err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("Mail = %v", err)
	}
	if all := <-heard; strings.Contains(all, "AUTH") || strings.Contains(all, "MAIL") {
		t.Errorf("the mail server heard %q", all)
	}
}

func TestBackoff(t *testing.T) {
	want := []string{"30s", "1m0s", "2m0s", "4m0s", "8m0s", "16m0s", "32m0s", "1h0m0s", "1h0m0s"}
	for i, w := range want {
		if got := backoff(i + 1).String(); got != w {
			t.Errorf("backoff(%d) = %s, want %s", i+1, got, w)
		}
	}
	if got := backoff(1000); got != lastRetry {
		t.Errorf("backoff(1000) = %s", got)
	}
}

// What passes as an address is one address to everybody who reads it, and one
// line.
func FuzzMailAddress(f *testing.F) {
	for _, s := range []string{"a@example.org", "a.b+c@x-y.example.org", "a@b", "a@b\r\nc", "\"a\"@b", "a@b,c@d", "<a@b>", "a@[::1]", "é@b", "a@b.", "a..b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !mailAddress(s) {
			return
		}
		m := &Mail{ID: "x", From: "postern@example.org", To: s, Subject: "x", Text: "x\n"}
		read, err := mail.ReadMessage(bytes.NewReader(m.bytes()))
		if err != nil || read.Header.Get("To") != "<"+s+">" || len(read.Header) != 9 {
			t.Fatalf("%q: %v, %v", s, read, err)
		}
		if len(s) != strings.Count(s, "")-1 || strings.Count(s, "@") != 1 {
			t.Fatalf("%q passes", s)
		}
		if !strings.EqualFold(s, strings.ToLower(s)) || len(strings.ToLower(s)) != len(s) {
			t.Fatalf("%q folds into another address", s)
		}
	})
}

//go:build e2e

package ldap_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"postern/auth/mic"
	"postern/auth/mic/ldap"
)

// Checks against real servers, counted.
type checks struct {
	t *testing.T
	n int
}

// figure says how many there were.
func (c *checks) figure(what string) { c.t.Logf("figure: %d checks against %s", c.n, what) }

// in logs in and returns the account.
func (c *checks) in(t *testing.T, d *ldap.Directory, username, password string) *mic.Account {
	t.Helper()
	c.n++
	a, err := d.Check(told(t), username, password)
	if err != nil {
		t.Fatalf("Check(%s) = %v; want an account", username, err)
	}
	return a
}

// out does not log in. want is a sentinel, or the text of an AccountError.
func (c *checks) out(t *testing.T, d *ldap.Directory, username, password string, want any) {
	t.Helper()
	c.n++
	a, err := d.Check(told(t), username, password)
	var refused *mic.AccountError
	switch want := want.(type) {
	case error:
		if a != nil || !errors.Is(err, want) {
			t.Errorf("Check(%q) = %v, %v; want %v", username, a, err, want)
		}
	case string:
		if a != nil || !errors.As(err, &refused) || refused.Why != want {
			t.Errorf("Check(%q) = %v, %v; want %q", username, a, err, want)
		}
	}
}

// still asks again.
func (c *checks) still(t *testing.T, d *ldap.Directory, a *mic.Account) *mic.Account {
	t.Helper()
	c.n++
	b, err := d.Ask(told(t), a.Kept)
	if err != nil || b.Subject != a.Subject {
		t.Fatalf("Ask = %v, %v; want %s", b, err, a.Subject)
	}
	return b
}

// gone asks again about somebody who is.
func (c *checks) gone(t *testing.T, d *ldap.Directory, a *mic.Account) {
	t.Helper()
	c.n++
	if b, err := d.Ask(told(t), a.Kept); b != nil || !errors.Is(err, mic.ErrGone) {
		t.Errorf("Ask = %v, %v; want ErrGone", b, err)
	}
}

func (c *checks) groups(t *testing.T, a *mic.Account, want ...string) {
	t.Helper()
	c.n++
	if fmt.Sprint(a.Groups) != fmt.Sprint(want) {
		t.Errorf("groups %q; want %q", a.Groups, want)
	}
}

// told logs the steps of a login, for whoever reads a failure.
func told(t *testing.T) context.Context {
	return mic.Trace(t.Context(), func(step string, err error) {
		if testing.Verbose() && os.Getenv("STEPS") != "" {
			t.Logf("  %s: %v", step, err)
		}
	})
}

func directory(t *testing.T, c ldap.Config) *ldap.Directory {
	t.Helper()
	d, err := ldap.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

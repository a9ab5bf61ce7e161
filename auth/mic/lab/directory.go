//go:build e2e

package lab

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// Dial connects to a directory and logs in, with a name.
func Dial(t *testing.T, url, ca, name, password string) *goldap.Conn {
	t.Helper()
	c, err := dialAs(url, ca, name, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dialAs(url, ca, name, password string) (*goldap.Conn, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	c, err := goldap.DialURL(url, goldap.DialWithTLSConfig(&tls.Config{RootCAs: roots}), goldap.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}))
	if err != nil {
		return nil, err
	}
	c.SetTimeout(10 * time.Second)
	if name != "" {
		err = c.Bind(name, password)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// answers tells whether somebody can log in at a directory.
func answers(url, ca, name, password string) error {
	c, err := dialAs(url, ca, name, password)
	if err != nil {
		return err
	}
	return c.Close()
}

// Add makes an entry: "name", "value", "name", "value|another value", ...
func Add(t *testing.T, c *goldap.Conn, dn string, namesAndValues ...string) {
	t.Helper()
	r := goldap.NewAddRequest(dn, nil)
	for i := 0; i < len(namesAndValues); i += 2 {
		r.Attribute(namesAndValues[i], strings.Split(namesAndValues[i+1], "|"))
	}
	if err := c.Add(r); err != nil {
		t.Fatalf("add %s: %v", dn, err)
	}
}

// Set replaces the values of an attribute; none: takes it away.
func Set(t *testing.T, c *goldap.Conn, dn, name string, values ...string) {
	t.Helper()
	r := goldap.NewModifyRequest(dn, nil)
	if len(values) > 0 {
		r.Replace(name, values)
	} else {
		r.Delete(name, nil)
	}
	if err := c.Modify(r); err != nil {
		t.Fatalf("modify %s %s: %v", dn, name, err)
	}
}

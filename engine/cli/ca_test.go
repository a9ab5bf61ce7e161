package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a, err := openAuthority(filepath.Join(t.TempDir(), "ca"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// The authority persists, its key is the owner's alone, and the certificate of
// the server is good for the names that clients use.
func TestAuthority(t *testing.T) {
	a := newAuthority(t)
	again, err := openAuthority(a.dir, time.Now())
	if err != nil || again.fingerprint() != a.fingerprint() {
		t.Fatalf("opened again it is another one: %v", err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "ca.pem": 0o644, "ca-key.pem": 0o600} {
		info, err := os.Stat(filepath.Join(a.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
			t.Errorf("%q has the mode %04o, want %04o", name, got, want)
		}
	}
	file, err := a.leaf(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", file, info.Mode(), err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "::1": true, "baas.kinvey.com": true, "dev-baas.kinvey.com": true, "dev-auth.kinvey.com": true, "manage.kinvey.com": true,
		"example.com": false, "kinvey.com.example.com": false, "127.0.0.2": false,
	} {
		_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: a.pool()})
		if (err == nil) != want {
			t.Errorf("verified for %s: %v, want %v", name, err, want)
		}
	}
}

// The authority cannot sign for anything else. Guard: the name constraints.
func TestAuthorityIsConstrained(t *testing.T) {
	a := newAuthority(t)
	var critical bool
	for _, e := range a.cert.Extensions {
		critical = critical || e.Id.String() == "2.5.29.30" && e.Critical
	}
	if !critical {
		t.Error("the name constraints are not critical")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		usage  x509.ExtKeyUsage
		good   bool
	}{
		"a name of its own":        {func(c *x509.Certificate) { c.DNSNames = []string{"x-baas.kinvey.com"} }, x509.ExtKeyUsageServerAuth, true},
		"an address of its own":    {func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 1, 2, 3)} }, x509.ExtKeyUsageServerAuth, true},
		"a name":                   {func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }, x509.ExtKeyUsageServerAuth, false},
		"a name beside its own":    {func(c *x509.Certificate) { c.DNSNames = []string{"localhost", "example.com"} }, x509.ExtKeyUsageServerAuth, false},
		"a name that ends alike":   {func(c *x509.Certificate) { c.DNSNames = []string{"notkinvey.com"} }, x509.ExtKeyUsageServerAuth, false},
		"an address":               {func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} }, x509.ExtKeyUsageServerAuth, false},
		"an IPv6 address":          {func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::1")} }, x509.ExtKeyUsageServerAuth, false},
		"an e-mail address":        {func(c *x509.Certificate) { c.EmailAddresses = []string{"a@example.com"} }, x509.ExtKeyUsageServerAuth, false},
		"a URI":                    {func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/a"}} }, x509.ExtKeyUsageServerAuth, false},
		"a client":                 {func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }, x509.ExtKeyUsageClientAuth, false},
		"an authority of somebody": {func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, x509.ExtKeyUsageServerAuth, true},
	} {
		template := plain
		c.change(&template)
		der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, key.Public(), a.key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		_, err = cert.Verify(x509.VerifyOptions{Roots: a.pool(), KeyUsages: []x509.ExtKeyUsage{c.usage}})
		if (err == nil) != c.good {
			t.Errorf("%s: %v, want good %v", name, err, c.good)
		}
		if !cert.IsCA {
			continue
		}
		// The authority of somebody signs for nobody.
		template = plain
		template.DNSNames = []string{"localhost"}
		if der, err = x509.CreateCertificate(rand.Reader, &template, cert, key.Public(), key); err != nil {
			t.Fatal(err)
		}
		below, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between := x509.NewCertPool()
		between.AddCert(cert)
		if _, err := below.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: a.pool(), Intermediates: between}); err == nil {
			t.Error("another authority below it is accepted")
		}
	}
}

// An authority that is not as this program makes it is refused, and never put
// in another's place: users trust the one that is there.
func TestAuthorityRefused(t *testing.T) {
	other := newAuthority(t)
	foreign, err := os.ReadFile(other.certFile())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		damage func(a *authority) error
		after  time.Duration
		want   string
	}{
		"a key that others read": {func(a *authority) error { return os.Chmod(a.keyFile(), 0o640) }, 0, "can be read by others"},
		"a key of another":       {func(a *authority) error { return os.WriteFile(a.certFile(), foreign, 0o644) }, 0, "do not belong together"},
		"no key in the file":     {func(a *authority) error { return os.WriteFile(a.keyFile(), nil, 0o600) }, 0, "holds no key"},
		"an end that is near":    {func(*authority) error { return nil }, authorityLife - leafLife + time.Hour, "it ends on"},
		"no limits": {func(a *authority) error {
			template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(authorityLife), IsCA: true, BasicConstraintsValid: true}
			der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
			if err != nil {
				return err
			}
			return os.WriteFile(a.certFile(), encodeCertificate(der), 0o644)
		}, 0, "is not limited"},
	} {
		if name == "a key that others read" && runtime.GOOS == "windows" {
			continue
		}
		a := newAuthority(t)
		if err := c.damage(a); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(a.keyFile())
		if _, err := openAuthority(a.dir, time.Now().Add(c.after)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if after, _ := os.ReadFile(a.keyFile()); !bytes.Equal(before, after) {
			t.Errorf("%s: the key was changed", name)
		}
	}
}

// What installs the authority on each system, as it is printed and run.
func TestInstallation(t *testing.T) {
	a := newAuthority(t)
	name := "postern-" + a.fingerprint()[:8] + ".crt"
	for _, c := range []struct {
		system, dir string
		want        []string
	}{
		{"linux", "/usr/local/share/ca-certificates", []string{"sudo install -m 0644 CA /usr/local/share/ca-certificates/" + name, "sudo update-ca-certificates"}},
		{"linux", "/etc/pki/ca-trust/source/anchors", []string{"sudo install -m 0644 CA /etc/pki/ca-trust/source/anchors/" + name, "sudo update-ca-trust"}},
		{"linux", "/etc/ca-certificates/trust-source/anchors", []string{"sudo install -m 0644 CA /etc/ca-certificates/trust-source/anchors/" + name, "sudo update-ca-trust"}},
		{"linux", "", nil},
		{"darwin", "", []string{"sudo security add-trusted-cert -d -r trustRoot -p ssl -k /Library/Keychains/System.keychain CA"}},
		{"windows", "", []string{"certutil -user -addstore Root CA"}},
		{"plan9", "", nil},
	} {
		var got []string
		for _, st := range installation(c.system, a, func(dir string) bool { return dir == c.dir }) {
			got = append(got, strings.ReplaceAll(st.String(), quote(a.certFile()), "CA"))
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s with %q:\n%s\nwant\n%s", c.system, c.dir, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"/a/b-c_d.e": "/a/b-c_d.e", "": "''", "a b": "'a b'", "a'b": `'a'\''b'`, "$(x)": "'$(x)'", "~/a": "'~/a'",
	} {
		if got := quote(word); got != want {
			t.Errorf("quote(%q) = %s, want %s", word, got, want)
		}
	}
}

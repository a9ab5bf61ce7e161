//go:build e2e

package saml_test

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"postern/auth/mic"
	"postern/auth/mic/fetch"
	"postern/auth/mic/lab"
	"postern/auth/mic/saml"
	"postern/engine/clients/install"
)

// startNode starts the identity provider of testdata/node and returns its address.
func startNode(t *testing.T, dir string) string {
	script, err := filepath.Abs("testdata/node/idp.js")
	if err != nil {
		t.Fatal(err)
	}
	node := install.NPM(t, "saml-idp", os.DirFS("testdata/node"), func(n install.Node) bool {
		_, err := os.Stat(filepath.Join(n.Modules, "samlp", "package.json"))
		return err == nil
	})
	cmd := exec.Command(node.Program, "--no-deprecation", script, dir)
	cmd.Env = append(install.Environment(), "NODE_PATH="+node.Modules)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port := make(chan int, 1)
	go func() {
		n := 0
		line, _ := bufio.NewReader(out).ReadString('\n')
		_, _ = fmt.Sscanf(line, "listening on %d", &n)
		port <- n
	}()
	select {
	case n := <-port:
		if n != 0 {
			return fmt.Sprintf("http://127.0.0.1:%d", n)
		}
	case <-time.After(30 * time.Second):
	}
	t.Fatal("the identity provider does not start")
	return ""
}

// TestSamlp logs in at a second identity provider, which signs in whichever way it
// is asked to.
func TestSamlp(t *testing.T) {
	checks := 0
	check := func(t *testing.T, ok bool, format string, args ...any) {
		t.Helper()
		if checks++; !ok {
			t.Fatalf(format, args...)
		}
	}
	dir := t.TempDir()
	idpKey, idpCert := lab.KeyPair(t)
	ourKey, ourCert := lab.KeyPair(t)
	for name, text := range map[string][]byte{"idp.key": idpKey, "idp.crt": idpCert, "sp.crt": ourCert} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := startNode(t, dir)
	provider := func(t *testing.T, mode string, change func(*saml.Config)) *saml.Provider {
		t.Helper()
		c := saml.Config{
			SSOURL: base + "/sso/" + mode, IDPIssuer: "https://node-idp.test/entity", IDPCertificates: []string{string(idpCert)},
			EntityID: "https://api.test/sp", ACSURL: acs, GroupsAttribute: "groups",
			Now: time.Now, Rand: rand.Reader,
		}
		if change != nil {
			change(&c)
		}
		p, err := saml.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	// login returns the form that comes back.
	login := func(t *testing.T, p *saml.Provider, name, password string) (begun []byte, form url.Values) {
		t.Helper()
		to, begun, err := p.Begin(t.Context(), "the/state+")
		if err != nil {
			t.Fatal(err)
		}
		b := newBrowser(t)
		b.open(to)
		b.login(name, password)
		form = b.back()
		check(t, form.Get("RelayState") == "the/state+", "RelayState = %q", form.Get("RelayState"))
		return begun, form
	}
	sign := func(c *saml.Config) { c.SignRequests, c.Key, c.Certificate = true, string(ourKey), string(ourCert) }
	want := &mic.Account{
		Subject:    "id-of-alice",
		Attributes: map[string][]string{"uid": {"alice"}, "mail": {"alice@example.com"}, "groups": {"staff", "admins"}},
		Groups:     []string{"admins", "staff"},
	}
	for mode, change := range map[string]func(*saml.Config){"assertion": nil, "response": nil, "both": nil, "prefixed": nil, "signed": sign} {
		t.Run(mode, func(t *testing.T) {
			p := provider(t, mode, change)
			begun, form := login(t, p, "alice", "wonder-1")
			a, err := p.Finish(t.Context(), begun, form)
			check(t, err == nil && reflect.DeepEqual(a, want), "Finish = %+v, %v; want %+v", a, err, want)
			_, err = p.Finish(t.Context(), begun, form)
			check(t, errors.Is(err, mic.ErrRefused) && strings.Contains(err.Error(), "used before"), "Finish again = %v", err)
			begun, form = login(t, p, "bob", "wonder-2")
			a, err = p.Finish(t.Context(), begun, form)
			check(t, err == nil && a.Subject == "id-of-bob" && len(a.Groups) == 0, "Finish = %+v, %v", a, err)
		})
	}
	for mode, reason := range map[string]string{
		"none": "neither", "sha1": "SHA-256 or better", "encrypted": "encrypted assertions are not supported",
		"transient": "a NameID of the format", "elsewhere": "another audience",
	} {
		t.Run(mode, func(t *testing.T) {
			p := provider(t, mode, nil)
			begun, form := login(t, p, "alice", "wonder-1")
			a, err := p.Finish(t.Context(), begun, form)
			check(t, errors.Is(err, mic.ErrRefused) && strings.Contains(err.Error(), reason), "Finish = %+v, %v; want %q", a, err, reason)
		})
	}
	t.Run("a request signed by another key", func(t *testing.T) {
		otherKey, otherCert := lab.KeyPair(t)
		p := provider(t, "signed", func(c *saml.Config) { c.SignRequests, c.Key, c.Certificate = true, string(otherKey), string(otherCert) })
		to, _, err := p.Begin(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		b := newBrowser(t)
		b.open(to)
		b.login("alice", "wonder-1")
		check(t, strings.HasPrefix(b.page, "refused:"), "it was taken: %s", b.page)
	})
	t.Run("cancelled", func(t *testing.T) {
		p := provider(t, "assertion", nil)
		to, begun, err := p.Begin(t.Context(), "the/state+")
		if err != nil {
			t.Fatal(err)
		}
		b := newBrowser(t)
		b.open(to)
		b.login("alice", "wrong")
		check(t, !strings.Contains(b.page, "SAMLResponse"), "a wrong password is in")
		u, _ := url.Parse(to)
		b.open(base + "/cancel?" + u.RawQuery)
		_, err = p.Finish(t.Context(), begun, b.back())
		check(t, errors.Is(err, mic.ErrRefused) && strings.Contains(err.Error(), "status:Responder"), "Finish = %v", err)
	})
	t.Run("metadata", func(t *testing.T) {
		p := provider(t, "", func(c *saml.Config) {
			c.SSOURL, c.IDPCertificates, c.IDPMetadataURL = "", nil, base+"/metadata"
			c.HTTP = fetch.New(fetch.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
		})
		begun, form := login(t, p, "alice", "wonder-1")
		a, err := p.Finish(t.Context(), begun, form)
		check(t, err == nil && reflect.DeepEqual(a, want), "Finish = %+v, %v", a, err)
	})
	t.Logf("figure: %d checks against samlp", checks)
}

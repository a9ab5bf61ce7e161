//go:build e2e

package saml_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"postern/auth/mic"
	"postern/auth/mic/fetch"
	"postern/auth/mic/lab"
	"postern/auth/mic/saml"
)

// TestSimpleSAMLphp logs in, as a browser does, at an identity provider that is not
// our code and knows us by our metadata alone.
func TestSimpleSAMLphp(t *testing.T) {
	checks := 0
	check := func(t *testing.T, ok bool, format string, args ...any) {
		t.Helper()
		if checks++; !ok {
			t.Fatalf(format, args...)
		}
	}
	i := lab.SimpleSAML(t)
	key, cert := lab.KeyPair(t)
	ahead := time.Duration(0) // of our clock
	config := func(name string, change func(*saml.Config)) saml.Config {
		c := saml.Config{
			IDPMetadataURL: i.Metadata(), IDPIssuer: lab.SAMLEntity, EntityID: "https://api.test/sp/" + name, ACSURL: acs, GroupsAttribute: "groups",
			HTTP: fetch.New(fetch.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}),
			Now:  func() time.Time { return time.Now().Add(ahead) }, Rand: rand.Reader,
		}
		if change != nil {
			change(&c)
		}
		return c
	}
	provider := func(t *testing.T, c saml.Config) *saml.Provider {
		t.Helper()
		p, err := saml.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	plain := config("plain", nil)
	signing := config("signing", func(c *saml.Config) { c.SignRequests, c.Key, c.Certificate = true, string(key), string(cert) })
	byAttribute := config("attribute", func(c *saml.Config) {
		c.SubjectAttribute, c.NameIDFormat, c.Attributes = "uid", saml.FormatTransient, []string{"mail"}
	})
	for name, c := range map[string]saml.Config{"plain": plain, "signing": signing, "attribute": byAttribute} {
		text, err := c.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		i.Write("sp-"+name+".xml", text)
	}
	begin := func(t *testing.T, p *saml.Provider, b *browser) []byte {
		t.Helper()
		to, begun, err := p.Begin(t.Context(), "state-"+t.Name())
		if err != nil {
			t.Fatal(err)
		}
		b.open(to)
		return begun
	}
	finish := func(t *testing.T, p *saml.Provider, begun []byte, form url.Values) *mic.Account {
		t.Helper()
		a, err := p.Finish(t.Context(), begun, form)
		if err != nil {
			t.Fatal(err)
		}
		check(t, form.Get("RelayState") == "state-"+t.Name(), "RelayState = %q", form.Get("RelayState"))
		return a
	}
	login := func(t *testing.T, p *saml.Provider, name, password string) *mic.Account {
		t.Helper()
		b := newBrowser(t)
		begun := begin(t, p, b)
		b.login(name, password)
		return finish(t, p, begun, b.back())
	}
	refused := func(t *testing.T, err error, reason string) {
		t.Helper()
		check(t, errors.Is(err, mic.ErrRefused) && strings.Contains(err.Error(), reason), "Finish = %v; want it refused: %s", err, reason)
	}

	var alice *mic.Account
	t.Run("login", func(t *testing.T) {
		p := provider(t, plain)
		alice = login(t, p, "alice", "wonder-1")
		check(t, len(alice.Subject) == 40, "Subject = %q", alice.Subject)
		check(t, reflect.DeepEqual(alice.Groups, []string{"admins", "staff"}), "Groups = %q", alice.Groups)
		check(t, reflect.DeepEqual(alice.Attributes["displayName"], []string{"Alice Müller & <Sons>"}), "Attributes = %q", alice.Attributes)
		check(t, alice.Kept == nil, "Kept = %q", alice.Kept)
		again := login(t, provider(t, plain), "alice", "wonder-1")
		check(t, again.Subject == alice.Subject, "two subjects of one: %q, %q", again.Subject, alice.Subject)
		bob := login(t, p, "bob", "wonder-2")
		check(t, bob.Subject != alice.Subject && len(bob.Groups) == 0, "bob = %+v", bob)
	})
	t.Run("wrong password, wrong name, then right", func(t *testing.T) {
		p, b := provider(t, plain), newBrowser(t)
		begun := begin(t, p, b)
		for _, wrong := range [][2]string{{"alice", "wonder-2"}, {"nobody", "wonder-1"}, {"", ""}, {"alice", ""}} {
			b.login(wrong[0], wrong[1])
			check(t, !strings.Contains(b.page, "SAMLResponse"), "%q is in", wrong)
		}
		b.login("alice", "wonder-1")
		a := finish(t, p, begun, b.back())
		check(t, a.Subject == alice.Subject, "Subject = %q", a.Subject)
	})
	t.Run("refused by the provider", func(t *testing.T) {
		p, b := provider(t, plain), newBrowser(t)
		begun := begin(t, p, b)
		b.login("mallory", "wonder-3")
		_, err := p.Finish(t.Context(), begun, b.back())
		refused(t, err, "RequestDenied")
	})
	t.Run("single sign-on and forceAuthn", func(t *testing.T) {
		p, b := provider(t, plain), newBrowser(t)
		begun := begin(t, p, b)
		b.login("alice", "wonder-1")
		finish(t, p, begun, b.back())
		begun = begin(t, p, b) // nobody asks for the password again
		a := finish(t, p, begun, b.back())
		check(t, a.Subject == alice.Subject, "Subject = %q", a.Subject)

		forced := plain
		forced.ForceAuthn = true
		p = provider(t, forced)
		begun = begin(t, p, b)
		b.login("alice", "wonder-1") // fails if there is no form
		a = finish(t, p, begun, b.back())
		check(t, a.Subject == alice.Subject, "Subject = %q", a.Subject)
	})
	t.Run("signed requests", func(t *testing.T) {
		a := login(t, provider(t, signing), "alice", "wonder-1")
		check(t, a.Subject != "" && a.Subject != alice.Subject, "the subject at another service: %q", a.Subject)
		// The provider knows from our metadata that we sign, and takes nothing else.
		unsigned := signing
		unsigned.SignRequests = false
		b := newBrowser(t)
		begin(t, provider(t, unsigned), b)
		check(t, !strings.Contains(b.page, `name="password"`), "an unsigned request was taken")
		otherKey, otherCert := lab.KeyPair(t)
		other := signing
		other.Key, other.Certificate = string(otherKey), string(otherCert)
		b = newBrowser(t)
		begin(t, provider(t, other), b)
		check(t, !strings.Contains(b.page, `name="password"`), "a request signed by another key was taken")
	})
	t.Run("subject by attribute", func(t *testing.T) {
		a := login(t, provider(t, byAttribute), "alice", "wonder-1")
		check(t, a.Subject == "alice" && reflect.DeepEqual(a.Attributes, map[string][]string{"mail": {"alice@example.com"}}), "%+v", a)
		// The same provider gives us a transient NameID; without the attribute it is nobody.
		c := config("attribute", func(c *saml.Config) { c.NameIDFormat = saml.FormatUnspecified })
		p, b := provider(t, c), newBrowser(t)
		begun := begin(t, p, b)
		b.login("alice", "wonder-1")
		_, err := p.Finish(t.Context(), begun, b.back())
		refused(t, err, "")
	})
	t.Run("attacks on a real response", func(t *testing.T) {
		p, b := provider(t, plain), newBrowser(t)
		begun := begin(t, p, b)
		b.login("alice", "wonder-1")
		form := b.back()
		raw, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
		if err != nil {
			t.Fatal(err)
		}
		document := string(raw)
		with := func(document string) url.Values {
			return url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(document))}}
		}
		changed := func(old, new string) url.Values {
			check(t, strings.Contains(document, old), "no %q in %s", old, document)
			return with(strings.ReplaceAll(document, old, new))
		}
		_, err = p.Finish(t.Context(), begun, changed(alice.Subject, strings.Repeat("0", 40)))
		refused(t, err, "not by a key")
		_, err = p.Finish(t.Context(), begun, changed(">staff<", ">root<"))
		refused(t, err, "not by a key")
		_, err = p.Finish(t.Context(), begun, changed(alice.Subject, "<!---->"+alice.Subject))
		refused(t, err, "comment")
		bare := document
		for strings.Contains(bare, "<ds:Signature ") {
			from := strings.Index(bare, "<ds:Signature ")
			end := from + strings.Index(bare[from:], "</ds:Signature>") + len("</ds:Signature>")
			bare = bare[:from] + bare[end:]
		}
		check(t, bare != document, "no signature in %s", document)
		_, err = p.Finish(t.Context(), begun, with(bare))
		refused(t, err, "neither")
		_, err = provider(t, config("signing", nil)).Finish(t.Context(), begun, form)
		refused(t, err, "audience")
		elsewhere := plain
		elsewhere.ACSURL += "2"
		_, err = provider(t, elsewhere).Finish(t.Context(), begun, form)
		refused(t, err, "destination")
		_, another, err := p.Begin(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Finish(t.Context(), another, form)
		refused(t, err, "another request")
		ahead = 30 * time.Minute
		_, err = p.Finish(t.Context(), begun, form)
		refused(t, err, "expired")
		ahead = -30 * time.Minute
		_, err = p.Finish(t.Context(), begun, form)
		refused(t, err, "")
		ahead = 0
		finish(t, p, begun, url.Values{"SAMLResponse": form["SAMLResponse"], "RelayState": form["RelayState"]})
		_, err = p.Finish(t.Context(), begun, form)
		refused(t, err, "used before")
	})
	t.Run("rollover by metadata", func(t *testing.T) {
		defer func() { ahead = 0; i.Keys("a", "") }()
		p := provider(t, plain)
		login(t, p, "alice", "wonder-1")
		i.Keys("a", "b") // the next key is announced
		ahead = 2 * time.Minute
		login(t, p, "alice", "wonder-1")
		i.Keys("b", "") // and signs, before we have asked again
		a := login(t, p, "alice", "wonder-1")
		check(t, a.Subject == alice.Subject, "Subject = %q", a.Subject)
	})
	t.Run("rollover by configuration", func(t *testing.T) {
		defer i.Keys("a", "")
		c := config("plain", func(c *saml.Config) {
			c.IDPMetadataURL = ""
			c.SSOURL = i.Base() + "saml2/idp/SSOService.php"
			c.IDPCertificates = []string{i.Certificate("a"), i.Certificate("b")}
		})
		p := provider(t, c)
		login(t, p, "alice", "wonder-1")
		i.Keys("b", "")
		login(t, p, "alice", "wonder-1")
		c.IDPCertificates = c.IDPCertificates[:1]
		p = provider(t, c)
		b := newBrowser(t)
		begun := begin(t, p, b)
		b.login("alice", "wonder-1")
		_, err := p.Finish(t.Context(), begun, b.back())
		refused(t, err, "not by a key")
	})
	t.Run("down and back", func(t *testing.T) {
		defer func() { ahead = 0 }()
		p := provider(t, plain)
		i.Stop()
		_, _, err := p.Begin(t.Context(), "s")
		check(t, errors.Is(err, mic.ErrUnavailable), "Begin = %v; want ErrUnavailable", err)
		var steps []string
		ctx := mic.Trace(t.Context(), func(step string, err error) { steps = append(steps, step+": "+err.Error()) })
		_, _, err = p.Begin(ctx, "s")
		check(t, err != nil && len(steps) == 1 && strings.Contains(steps[0], i.Metadata()), "steps: %q", steps)
		i.Start()
		login(t, p, "alice", "wonder-1")
		i.Stop() // what is known of it is enough to send somebody there
		ahead = 2 * time.Hour
		_, _, err = p.Begin(t.Context(), "s")
		check(t, err == nil, "Begin = %v", err)
		ahead = 25 * time.Hour
		_, _, err = p.Begin(t.Context(), "s")
		check(t, errors.Is(err, mic.ErrUnavailable), "Begin = %v; want ErrUnavailable", err)
		i.Start()
		ahead = 0
		login(t, provider(t, plain), "alice", "wonder-1")
	})
	t.Run("steps", func(t *testing.T) {
		p, b := provider(t, plain), newBrowser(t)
		var steps []string
		ctx := mic.Trace(context.Background(), func(step string, err error) {
			if err != nil {
				t.Errorf("%s: %v", step, err)
			}
			steps = append(steps, step)
		})
		to, begun, err := p.Begin(ctx, "s")
		if err != nil {
			t.Fatal(err)
		}
		b.open(to)
		b.login("alice", "wonder-1")
		if _, err := p.Finish(ctx, begun, b.back()); err != nil {
			t.Fatal(err)
		}
		check(t, len(steps) == 9, "steps: %q", steps)
		t.Logf("%s", strings.Join(steps, "\n"))
	})
	t.Logf("figure: %d checks against SimpleSAMLphp", checks)
}

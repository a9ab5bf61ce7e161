package saml

import (
	"compress/flate"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"postern/auth/mic"
)

func inflate(r io.Reader) io.Reader { return flate.NewReader(r) }

func TestBegin(t *testing.T) {
	l := newLab(t, func(c *Config) { c.SSOURL += "?tenant=7"; c.ForceAuthn = true })
	to, begin, err := l.Begin(t.Context(), "the state/+")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(to, theSSO+"?") {
		t.Fatalf("Begin sends to %s", to)
	}
	query, request := inflated(t, to)
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %q; want %q", what, got, want)
		}
	}
	check("RelayState", query.Get("RelayState"), "the state/+")
	check("the query of the provider's URL", query.Get("tenant"), "7")
	check("Signature", query.Get("Signature"), "")
	check("AssertionConsumerServiceURL", request.SelectAttrValue("AssertionConsumerServiceURL", ""), theACS)
	check("Destination", request.SelectAttrValue("Destination", ""), theSSO+"?tenant=7")
	check("IssueInstant", request.SelectAttrValue("IssueInstant", ""), "2026-11-29T12:00:00Z")
	check("ForceAuthn", request.SelectAttrValue("ForceAuthn", ""), "true")
	check("Issuer", request.SelectElement("Issuer").Text(), theSP)
	check("Format", request.SelectElement("NameIDPolicy").SelectAttrValue("Format", ""), FormatPersistent)
	check("binding", request.SelectAttrValue("ProtocolBinding", ""), bindingPost)
	id := request.SelectAttrValue("ID", "")
	if len(id) != 41 || !strings.Contains(string(begin), id) {
		t.Errorf("the id %q is not in %s", id, begin)
	}
	_, again, err := l.Begin(t.Context(), "s")
	if err != nil || strings.Contains(string(again), id) {
		t.Errorf("two requests with one id: %s, %v", again, err)
	}
}

func TestBeginSigned(t *testing.T) {
	l := newLab(t, func(c *Config) { c.SignRequests, c.Key, c.Certificate = true, ourKey().keyPEM(t), ourKey().pem })
	to, _, err := l.Begin(t.Context(), "s=&x")
	if err != nil {
		t.Fatal(err)
	}
	query, _ := inflated(t, to)
	value, err := base64.StdEncoding.DecodeString(query.Get("Signature"))
	if err != nil {
		t.Fatal(err)
	}
	over := "SAMLRequest=" + url.QueryEscape(query.Get("SAMLRequest")) + "&RelayState=" + url.QueryEscape("s=&x") + "&SigAlg=" + url.QueryEscape(query.Get("SigAlg"))
	sum := sha256.Sum256([]byte(over))
	if err := rsa.VerifyPKCS1v15(&ourKey().key.PublicKey, crypto.SHA256, sum[:], value); err != nil {
		t.Fatalf("the signature of the query: %v", err)
	}
	if got := query.Get("SigAlg"); got != "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" {
		t.Errorf("SigAlg = %s", got)
	}
}

func TestBeginWithoutRandomness(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Rand = strings.NewReader("short") })
	if _, _, err := l.Begin(t.Context(), "s"); !errors.Is(err, mic.ErrUnavailable) {
		t.Fatalf("Begin = %v; want ErrUnavailable", err)
	}
}

// What is signed may be the assertion, the response, or both.
func TestFinish(t *testing.T) {
	want := &mic.Account{
		Subject:    "alice-1",
		Attributes: map[string][]string{"mail": {"alice@example.com"}, "groups": {"staff", "admins", "staff"}},
		Groups:     []string{"admins", "staff"},
	}
	for name, make := range map[string]func(*lab) string{
		"assertion signed": func(l *lab) string { return signed(t, l.forged()) },
		"response signed":  func(l *lab) string { return signer{}.sign(t, l.forged().String(), onResponse) },
		"both signed":      func(l *lab) string { return signer{}.sign(t, signed(t, l.forged()), onResponse) },
		"no KeyInfo":       func(l *lab) string { return signer{noKeyInfo: true}.sign(t, l.forged().String(), onAssertion) },
		"KeyInfo of somebody else": func(l *lab) string {
			return signer{keyInfo: wrongKey()}.sign(t, l.forged().String(), onAssertion)
		},
		"SHA-512": func(l *lab) string {
			return signer{method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", hash: crypto.SHA512, digest: "http://www.w3.org/2001/04/xmlenc#sha512"}.sign(t, l.forged().String(), onAssertion)
		},
		"XML declaration and space around": func(l *lab) string {
			return "\n" + `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + signed(t, l.forged()) + "\n"
		},
		"qualifiers that are right": func(l *lab) string {
			f := l.forged()
			f.NameID = within(t, f.NameID, "<a:NameID ", `<a:NameID NameQualifier="`+theIDP+`" SPNameQualifier="`+theSP+`" `)
			return signed(t, f)
		},
		"space around the NameID": func(l *lab) string {
			f := l.forged()
			f.NameID = within(t, f.NameID, "alice-1", "\n  alice-1\n")
			return signed(t, f)
		},
		"a second confirmation that fits": func(l *lab) string {
			f := l.forged()
			f.Confirmation = strings.ReplaceAll(f.Confirmation, theACS, "https://other.example/") + f.Confirmation
			return signed(t, f)
		},
		"several audiences": func(l *lab) string {
			f := l.forged()
			f.Conditions = within(t, f.Conditions, "<a:Audience>", "<a:Audience>https://other.example</a:Audience><a:Audience>")
			return signed(t, f)
		},
		"OneTimeUse": func(l *lab) string {
			f := l.forged()
			f.Conditions = within(t, f.Conditions, "</a:Conditions>", "<a:OneTimeUse/></a:Conditions>")
			return signed(t, f)
		},
		"no Issuer in the response": func(l *lab) string {
			return within(t, signed(t, l.forged()), "<a:Issuer>"+theIDP+"</a:Issuer>", "")
		},
		"a value that is an element": func(l *lab) string {
			f := l.forged()
			f.Attributes = within(t, f.Attributes, "</a:AttributeStatement>",
				`<a:Attribute Name="photo"><a:AttributeValue><a:NameID>x</a:NameID></a:AttributeValue><a:AttributeValue/></a:Attribute></a:AttributeStatement>`)
			return signed(t, f)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(c *Config) { c.GroupsAttribute = "groups" }).start(t)
			got, err := l.finish(t, make(l))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("Finish = %+v; want %+v", got, want)
			}
			if len(l.steps) != 6 {
				t.Errorf("steps: %q", l.steps)
			}
		})
	}
}

func TestSubjectAttribute(t *testing.T) {
	l := newLab(t, func(c *Config) { c.SubjectAttribute = "uid"; c.Attributes = []string{"mail"} }).start(t)
	make := func(values string) string {
		f := l.forged()
		f.AID += string(rune('a' + len(values)%26))
		f.NameID = `<a:NameID Format="` + FormatTransient + `">gone-tomorrow</a:NameID>`
		f.Attributes = within(t, f.Attributes, "</a:AttributeStatement>", `<a:Attribute Name="uid">`+values+`</a:Attribute></a:AttributeStatement>`)
		return signed(t, f)
	}
	a, err := l.finish(t, make("<a:AttributeValue>u-17</a:AttributeValue>"))
	if err != nil || a.Subject != "u-17" || !reflect.DeepEqual(a.Attributes, map[string][]string{"mail": {"alice@example.com"}}) {
		t.Fatalf("Finish = %+v, %v; want u-17 with mail alone", a, err)
	}
	l.refuses(t, make(""), "0 values")
	l.refuses(t, make("<a:AttributeValue>u-17</a:AttributeValue><a:AttributeValue>u-18</a:AttributeValue>"), "2 values")
	l.refuses(t, make("<a:AttributeValue>"+strings.Repeat("u", mic.MaxSubject+1)+"</a:AttributeValue>"), "the subject")
	l.refuses(t, make("<a:AttributeValue>u&#9;17</a:AttributeValue>"), "plain text")
}

func TestAsk(t *testing.T) {
	l := newLab(t, nil)
	if a, err := l.Ask(t.Context(), nil); a != nil || !errors.Is(err, mic.ErrUnavailable) || errors.Is(err, mic.ErrGone) {
		t.Fatalf("Ask = %v, %v; want ErrUnavailable", a, err)
	}
}

func TestMetadata(t *testing.T) {
	c := Config{EntityID: theSP, ACSURL: theACS + "?a=1&b=2", SignRequests: true, Key: ourKey().keyPEM(t), Certificate: ourKey().pem}
	raw, err := c.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(raw); err != nil {
		t.Fatal(err)
	}
	sp := doc.FindElement("./EntityDescriptor/SPSSODescriptor")
	if sp == nil || sp.SelectAttrValue("AuthnRequestsSigned", "") != "true" || sp.SelectAttrValue("WantAssertionsSigned", "") != "true" ||
		sp.SelectElement("AssertionConsumerService").SelectAttrValue("Location", "") != c.ACSURL ||
		doc.Root().SelectAttrValue("entityID", "") != theSP {
		t.Fatalf("Metadata: %s", raw)
	}
	certs, err := certificates(sp.FindElement(".//X509Certificate").Text())
	if err != nil || !certs[0].Equal(ourKey().cert) {
		t.Fatalf("the certificate in the metadata: %v", err)
	}
	if strings.Contains(string(raw), "encryption") || strings.Contains(string(raw), "PRIVATE") {
		t.Fatalf("Metadata: %s", raw)
	}
	if _, err := (&Config{ACSURL: theACS}).Metadata(); err == nil {
		t.Fatal("metadata without an entity id")
	}
}

func TestFinishForm(t *testing.T) {
	l := newLab(t, nil).start(t)
	good := base64.StdEncoding.EncodeToString([]byte(signed(t, l.forged())))
	for name, row := range map[string]struct {
		form   url.Values
		reason string
	}{
		"no response":            {url.Values{"RelayState": {"the-state"}}, "0 SAMLResponse"},
		"two responses":          {url.Values{"SAMLResponse": {good, good}}, "2 SAMLResponse"},
		"an empty response":      {url.Values{"SAMLResponse": {""}}, "not XML"},
		"garbage in the base64":  {url.Values{"SAMLResponse": {good[:40] + "*" + good[40:]}}, "not base64"},
		"base64 that goes on":    {url.Values{"SAMLResponse": {strings.TrimRight(good, "=") + "==AAAA"}}, ""},
		"a space in the base64":  {url.Values{"SAMLResponse": {good[:40] + " " + good[40:]}}, "not base64"},
		"more than 256 KiB":      {url.Values{"SAMLResponse": {strings.Repeat("A", maxResponse+4)}}, "more than 262144 bytes"},
		"an artifact":            {url.Values{"SAMLart": {"AAQA"}}, "0 SAMLResponse"},
		"base64 of the URL kind": {url.Values{"SAMLResponse": {"PD94_-8="}}, "not base64"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := l.form(row.form)
			wantRefused(t, a, err, row.reason)
		})
	}
	t.Run("what was begun is not ours", func(t *testing.T) {
		for _, begin := range []string{"", "{}", "[", `{"id":""}`} {
			a, err := l.Finish(context.Background(), []byte(begin), url.Values{"SAMLResponse": {good}})
			wantRefused(t, a, err, "no login was begun")
		}
	})
	t.Run("RelayState is the caller's", func(t *testing.T) {
		a, err := l.form(url.Values{"SAMLResponse": {good}, "RelayState": {"another"}})
		if err != nil || a.Subject != "alice-1" {
			t.Fatalf("Finish = %v, %v", a, err)
		}
	})
	t.Run("base64 in lines", func(t *testing.T) {
		l.now = l.now.Add(time.Second)
		f := l.forged()
		f.AID = "_lines"
		text := base64.StdEncoding.EncodeToString([]byte(signed(t, f)))
		if _, err := l.form(url.Values{"SAMLResponse": {text[:76] + "\r\n" + text[76:]}}); err != nil {
			t.Fatal(err)
		}
	})
}

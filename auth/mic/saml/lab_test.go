package saml

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"

	"postern/auth/mic"
)

const (
	theIDP = "https://idp.example/entity"
	theSSO = "https://idp.example/sso"
	theSP  = "https://api.example/mic/sp"
	theACS = "https://api.example/mic/acs"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// A pair is a key and a certificate of it.
type pair struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
	pem  string
}

func (p *pair) keyPEM(t testing.TB) string {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newPair(bits int) *pair {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return pairOf(key)
}

func pairOf(key *rsa.PrivateKey) *pair {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "test"},
		NotBefore:    noon.AddDate(-1, 0, 0),
		NotAfter:     noon.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &pair{key, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// Keys are made once: they are what a test spends its time on. That of the provider
// is in a file, so that the processes of a fuzzer have the same one.
var (
	idpKey = sync.OnceValue(func() *pair {
		text, err := os.ReadFile("testdata/key.pem")
		if err != nil {
			panic(err)
		}
		key, err := privateKey(string(text))
		if err != nil {
			panic(err)
		}
		return pairOf(key)
	})
	nextKey  = sync.OnceValue(func() *pair { return newPair(2048) }) // the provider's next one
	wrongKey = sync.OnceValue(func() *pair { return newPair(2048) })
	weakKey  = sync.OnceValue(func() *pair { return newPair(1024) })
	ourKey   = sync.OnceValue(func() *pair { return newPair(2048) })
)

// A lab is a Provider with a clock in our hand, and what it has begun.
type lab struct {
	*Provider
	now   time.Time
	begin []byte
	id    string // of the request
	steps []string
}

func newLab(t testing.TB, change func(*Config)) *lab {
	t.Helper()
	l := &lab{now: noon}
	c := Config{
		SSOURL: theSSO, IDPIssuer: theIDP, IDPCertificates: []string{idpKey().pem},
		EntityID: theSP, ACSURL: theACS,
		Now: func() time.Time { return l.now }, Rand: rand.Reader,
	}
	if change != nil {
		change(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	l.Provider = p
	return l
}

// start begins a login, once.
func (l *lab) start(t testing.TB) *lab {
	t.Helper()
	_, begin, err := l.Begin(t.Context(), "the-state")
	if err != nil {
		t.Fatal(err)
	}
	var b begun
	if err := json.Unmarshal(begin, &b); err != nil {
		t.Fatal(err)
	}
	l.begin, l.id = begin, b.ID
	return l
}

// finish brings a document back.
func (l *lab) finish(t testing.TB, document string) (*mic.Account, error) {
	t.Helper()
	return l.form(url.Values{
		"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(document))},
		"RelayState":   {"the-state"},
	})
}

func (l *lab) form(form url.Values) (*mic.Account, error) {
	l.steps = nil
	ctx := mic.Trace(context.Background(), func(step string, err error) {
		l.steps = append(l.steps, fmt.Sprintf("%s: %v", step, err))
	})
	return l.Finish(ctx, l.begin, form)
}

// refuses demands ErrRefused for the reason.
func (l *lab) refuses(t *testing.T, document, reason string) {
	t.Helper()
	a, err := l.finish(t, document)
	wantRefused(t, a, err, reason)
}

func wantRefused(t *testing.T, a *mic.Account, err error, reason string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("Finish took it: %+v; want it refused: %s", a, reason)
	case !errors.Is(err, mic.ErrRefused):
		t.Fatalf("Finish = %v; want ErrRefused", err)
	case !strings.Contains(err.Error(), reason):
		t.Fatalf("Finish = %v; want the reason %q", err, reason)
	}
}

// A forge has what goes into a response; a test changes a part of it.
type forge struct {
	ID, Destination, InResponseTo, Issuer, Status string
	Extra                                         string // in front of the assertion
	Assertions                                    string // in the place of the one below

	AID, AIssuer, NameID, Confirmation, Conditions, Authn, Attributes string
}

// forged is a response that is right in all but the signature.
func (l *lab) forged() *forge {
	at := func(d time.Duration) string { return l.now.Add(d).UTC().Format(time.RFC3339) }
	return &forge{
		ID: "_response", Destination: theACS, InResponseTo: l.id, Issuer: theIDP,
		Status: `<p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`,
		AID:    "_assertion", AIssuer: theIDP,
		NameID: `<a:NameID Format="` + FormatPersistent + `">alice-1</a:NameID>`,
		Confirmation: `<a:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><a:SubjectConfirmationData Recipient="` +
			theACS + `" InResponseTo="` + l.id + `" NotOnOrAfter="` + at(5*time.Minute) + `"/></a:SubjectConfirmation>`,
		Conditions: `<a:Conditions NotBefore="` + at(-time.Minute) + `" NotOnOrAfter="` + at(5*time.Minute) + `">` +
			`<a:AudienceRestriction><a:Audience>` + theSP + `</a:Audience></a:AudienceRestriction></a:Conditions>`,
		Authn: `<a:AuthnStatement AuthnInstant="` + at(0) + `" SessionNotOnOrAfter="` + at(8*time.Hour) + `"><a:AuthnContext/></a:AuthnStatement>`,
		Attributes: `<a:AttributeStatement><a:Attribute Name="mail"><a:AttributeValue>alice@example.com</a:AttributeValue></a:Attribute>` +
			`<a:Attribute Name="groups"><a:AttributeValue>staff</a:AttributeValue><a:AttributeValue>admins</a:AttributeValue><a:AttributeValue>staff</a:AttributeValue></a:Attribute>` +
			`</a:AttributeStatement>`,
	}
}

func (f *forge) assertion() string {
	id := ` ID="` + f.AID + `"`
	if f.AID == "" {
		id = ""
	}
	return `<a:Assertion` + id + ` Version="2.0" IssueInstant="2026-11-29T11:59:59Z"><a:Issuer>` + f.AIssuer + `</a:Issuer>` +
		`<a:Subject>` + f.NameID + f.Confirmation + `</a:Subject>` + f.Conditions + f.Authn + f.Attributes + `</a:Assertion>`
}

func (f *forge) String() string {
	assertions := f.Assertions
	if assertions == "" {
		assertions = f.assertion()
	}
	in := ` InResponseTo="` + f.InResponseTo + `"`
	if f.InResponseTo == "" {
		in = ""
	}
	return `<p:Response xmlns:p="` + nsProtocol + `" xmlns:a="` + nsAssertion + `" ID="` + f.ID + `" Version="2.0" IssueInstant="2026-11-29T11:59:59Z" Destination="` +
		f.Destination + `"` + in + `><a:Issuer>` + f.Issuer + `</a:Issuer><p:Status>` + f.Status + `</p:Status>` + f.Extra + assertions + `</p:Response>`
}

// A signer signs as it is told; the zero value signs as a provider does.
type signer struct {
	by         *pair
	keyInfo    *pair // nil: the certificate of by
	noKeyInfo  bool
	method     string
	hash       crypto.Hash
	digest     string
	canon      dsig.Canonicalizer
	transforms string // in the place of the usual two
	uri        *string
	more       string // behind the reference
	object     string // in the signature
}

const envelopedTransform = `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>`

// sign puts a signature of the element at path, behind its Issuer.
func (s signer) sign(t testing.TB, document, path string) string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(document); err != nil {
		t.Fatal(err)
	}
	el := doc.FindElement(path)
	if el == nil {
		t.Fatalf("no %s in %s", path, document)
	}
	sig := etree.NewDocument()
	if err := sig.ReadFromString(s.signature(t, el)); err != nil {
		t.Fatal(err)
	}
	at := 0
	if issuer := el.SelectElement("Issuer"); issuer != nil {
		at = issuer.Index() + 1
	}
	el.InsertChildAt(at, sig.Root())
	out, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s signer) signature(t testing.TB, el *etree.Element) string {
	t.Helper()
	if s.by == nil {
		s.by = idpKey()
	}
	if s.keyInfo == nil {
		s.keyInfo = s.by
	}
	if s.method == "" {
		s.method, s.hash, s.digest = dsig.RSASHA256SignatureMethod, crypto.SHA256, "http://www.w3.org/2001/04/xmlenc#sha256"
	}
	if s.canon == nil {
		s.canon = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	}
	uri := "#" + el.SelectAttrValue("ID", "")
	if s.uri != nil {
		uri = *s.uri
	}
	if s.transforms == "" {
		s.transforms = envelopedTransform + `<ds:Transform Algorithm="` + string(s.canon.Algorithm()) + `"></ds:Transform>`
	}
	around, err := etreeutils.NSBuildParentContext(el)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := etreeutils.NSDetatch(around, el)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := s.canon.Canonicalize(alone)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) []byte {
		h := s.hash.New()
		h.Write(b)
		return h.Sum(nil)
	}
	// Written as canonicalization would.
	info := `<ds:SignedInfo xmlns:ds="` + nsSignature + `"><ds:CanonicalizationMethod Algorithm="` + string(s.canon.Algorithm()) + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="` + s.method + `"></ds:SignatureMethod>` +
		`<ds:Reference URI="` + uri + `"><ds:Transforms>` + s.transforms + `</ds:Transforms>` +
		`<ds:DigestMethod Algorithm="` + s.digest + `"></ds:DigestMethod>` +
		`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(sum(canonical)) + `</ds:DigestValue></ds:Reference>` + s.more + `</ds:SignedInfo>`
	value, err := rsa.SignPKCS1v15(nil, s.by.key, s.hash, sum([]byte(info)))
	if err != nil {
		t.Fatal(err)
	}
	keyInfo := `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(s.keyInfo.cert.Raw) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
	if s.noKeyInfo {
		keyInfo = ""
	}
	return `<ds:Signature xmlns:ds="` + nsSignature + `">` + info + `<ds:SignatureValue>` + base64.StdEncoding.EncodeToString(value) + `</ds:SignatureValue>` + keyInfo + s.object + `</ds:Signature>`
}

const (
	onAssertion = "./Response/Assertion"
	onResponse  = "./Response"
)

// signed is a document with its assertion signed by the provider.
func signed(t testing.TB, f *forge) string {
	t.Helper()
	return signer{}.sign(t, f.String(), onAssertion)
}

// within changes a document once; a change that finds nothing is a mistake.
func within(t testing.TB, document, old, new string) string {
	t.Helper()
	if !strings.Contains(document, old) {
		t.Fatalf("%q is not in %s", old, document)
	}
	return strings.Replace(document, old, new, 1)
}

// inflated is the AuthnRequest in a URL.
func inflated(t testing.TB, to string) (query url.Values, request *etree.Element) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(u.Query().Get("SAMLRequest"))
	if err != nil {
		t.Fatal(err)
	}
	doc := etree.NewDocument()
	if _, err := doc.ReadFrom(inflate(bytes.NewReader(raw))); err != nil {
		t.Fatal(err)
	}
	return u.Query(), doc.Root()
}

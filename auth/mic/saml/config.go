package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Config says which identity provider logs people in, and what we are called
// there. The provider is given by SSOURL, IDPIssuer and IDPCertificates, or by
// IDPMetadata, or by IDPMetadataURL.
type Config struct {
	// SSOURL takes requests by the redirect binding.
	SSOURL string `json:"ssoUrl,omitempty"`
	// IDPIssuer is the provider's entity id. With metadata it may be empty; if it
	// is not, the metadata must be of this entity.
	IDPIssuer string `json:"idpIssuer,omitempty"`
	// IDPCertificates hold the keys that sign responses, as PEM or as the base64
	// that metadata has: several while the provider changes its key. A key whose
	// certificate has expired verifies nothing.
	IDPCertificates []string `json:"idpCertificates,omitempty"`
	// IDPMetadata is the provider's metadata, one EntityDescriptor.
	IDPMetadata string `json:"idpMetadata,omitempty"`
	// IDPMetadataURL is where to fetch it, with HTTP. It is fetched again after an
	// hour, and when a response is signed by a key not known; for a day what was
	// fetched last is used while nothing newer can be had.
	IDPMetadataURL string `json:"idpMetadataUrl,omitempty"`

	// EntityID is our name at the provider, the audience of its assertions.
	EntityID string `json:"entityId"`
	// ACSURL is where the browser brings the response; the caller sets it.
	ACSURL string `json:"acsUrl"`

	// NameIDFormat is the format asked for, and the only one taken. Empty:
	// persistent, or whichever the provider likes if SubjectAttribute is set.
	NameIDFormat string `json:"nameIdFormat,omitempty"`
	// SubjectAttribute names the attribute that is the Subject, instead of NameID.
	SubjectAttribute string `json:"subjectAttribute,omitempty"`
	// GroupsAttribute names the attribute whose values are the Groups.
	GroupsAttribute string `json:"groupsAttribute,omitempty"`
	// Attributes names those to take; empty: all. Names are the Name of an
	// Attribute, not its FriendlyName.
	Attributes []string `json:"attributes,omitempty"`

	// SignRequests signs requests with Key, the PEM of an RSA key of ours, whose
	// Certificate, PEM, is in our metadata.
	SignRequests bool   `json:"signRequests,omitempty"`
	Key          string `json:"key,omitempty"`
	Certificate  string `json:"certificate,omitempty"`

	// Leeway is by how many seconds clocks may differ. 0: 60; at most 600.
	Leeway int `json:"leeway,omitempty"`
	// ForceAuthn has the provider ask for the password although somebody is logged
	// in there; an assertion of an earlier login is then refused.
	ForceAuthn bool `json:"forceAuthn,omitempty"`

	// HTTP fetches metadata: a client made by mic/fetch. It is needed for
	// IDPMetadataURL only.
	HTTP *http.Client `json:"-"`
	// Now is the clock. Rand is a cryptographic source for the ids of requests.
	Now  func() time.Time `json:"-"`
	Rand io.Reader        `json:"-"`
}

// Formats of a NameID that mean something here.
const (
	FormatPersistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	FormatTransient   = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	FormatUnspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
)

const (
	usualLeeway     = 60 * time.Second
	maxLeeway       = 600 // seconds
	maxURL          = 2048
	maxEntityID     = 1024 // of the standard
	maxName         = 256  // of an attribute
	maxNames        = 100
	maxCertificates = 16
	minRSABits      = 2048
)

// Validate says what is wrong with a configuration, in words for who wrote it. No
// value of Key is in them. HTTP, Now and Rand need not be set yet.
func (c *Config) Validate() error {
	_, err := c.read()
	return err
}

// settings are a Config read.
type settings struct {
	static *idp // nil: fetched
	key    *rsa.PrivateKey
	der    []byte // of the certificate of key
	leeway time.Duration
	format string // "": any but transient is never taken as the subject
}

func (c *Config) read() (*settings, error) {
	s := &settings{leeway: usualLeeway, format: c.NameIDFormat}
	if err := c.readSelf(s); err != nil {
		return nil, err
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		return nil, fmt.Errorf("leeway is 0 to %d seconds", maxLeeway)
	}
	if c.Leeway > 0 {
		s.leeway = time.Duration(c.Leeway) * time.Second
	}
	if err := c.readNames(s); err != nil {
		return nil, err
	}
	return s, c.readIDP(s)
}

// readSelf reads what we are.
func (c *Config) readSelf(s *settings) (err error) {
	if err := entityID("entityId", c.EntityID); err != nil {
		return err
	}
	if err := webURL("acsUrl", c.ACSURL); err != nil {
		return err
	}
	if c.SignRequests && (c.Key == "" || c.Certificate == "") {
		return errors.New("signRequests needs key and certificate")
	}
	if c.Key == "" && c.Certificate == "" {
		return nil
	}
	if c.Key != "" {
		if s.key, err = privateKey(c.Key); err != nil {
			return fmt.Errorf("key: %w", err)
		}
	}
	certs, err := certificates(c.Certificate)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if len(certs) != 1 {
		return errors.New("certificate: one is needed")
	}
	if s.key != nil && !s.key.PublicKey.Equal(certs[0].PublicKey) {
		return errors.New("certificate: it is not of the key")
	}
	s.der = certs[0].Raw
	return nil
}

func (c *Config) readNames(s *settings) error {
	switch {
	case c.NameIDFormat == FormatTransient && c.SubjectAttribute == "":
		return errors.New("nameIdFormat: a transient NameID is new at each login; use another format, or subjectAttribute")
	case c.NameIDFormat == "" && c.SubjectAttribute == "":
		s.format = FormatPersistent
	case len(c.NameIDFormat) > maxName || strings.ContainsAny(c.NameIDFormat, " \t\r\n"):
		return errors.New("nameIdFormat is not the URI of a format")
	}
	if len(c.Attributes) > maxNames {
		return fmt.Errorf("attributes: %d at most", maxNames)
	}
	for _, name := range append([]string{c.SubjectAttribute, c.GroupsAttribute}, c.Attributes...) {
		if len(name) > maxName || !utf8.ValidString(name) {
			return fmt.Errorf("the name of an attribute has up to %d bytes of UTF-8", maxName)
		}
	}
	if slices.Contains(c.Attributes, "") {
		return errors.New("attributes: an empty name")
	}
	return nil
}

// readIDP reads what the provider is, from one of three places.
func (c *Config) readIDP(s *settings) (err error) {
	fields := c.SSOURL != "" || len(c.IDPCertificates) > 0
	given := 0
	for _, g := range []bool{fields, c.IDPMetadata != "", c.IDPMetadataURL != ""} {
		if g {
			given++
		}
	}
	if given != 1 {
		return errors.New("give ssoUrl with idpIssuer and idpCertificates, or idpMetadata, or idpMetadataUrl: one of the three")
	}
	if c.IDPIssuer != "" || fields {
		if err := entityID("idpIssuer", c.IDPIssuer); err != nil {
			return err
		}
	}
	switch {
	case c.IDPMetadata != "":
		s.static, err = readMetadata([]byte(c.IDPMetadata), c.IDPIssuer)
		if err != nil {
			return fmt.Errorf("idpMetadata: %w", err)
		}
		return nil
	case c.IDPMetadataURL != "":
		// http is left to the client, which knows the networks where it is allowed.
		return webURL("idpMetadataUrl", c.IDPMetadataURL)
	}
	s.static = &idp{issuer: c.IDPIssuer, sso: c.SSOURL}
	if err := ssoURL("ssoUrl", c.SSOURL); err != nil {
		return err
	}
	for _, text := range c.IDPCertificates {
		certs, err := certificates(text)
		if err != nil {
			return fmt.Errorf("idpCertificates: %w", err)
		}
		s.static.certs = append(s.static.certs, certs...)
	}
	if n := len(s.static.certs); n == 0 || n > maxCertificates {
		return fmt.Errorf("idpCertificates: 1 to %d are needed", maxCertificates)
	}
	return nil
}

func entityID(name, id string) error {
	if id == "" || len(id) > maxEntityID || strings.ContainsAny(id, " \t\r\n<>") || !utf8.ValidString(id) {
		return fmt.Errorf("%s is not an entity id: 1 to %d bytes without spaces", name, maxEntityID)
	}
	return nil
}

func webURL(name, text string) error {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%s is not an absolute URL of http or https, without user and fragment", name)
	}
	return nil
}

// ssoURL refuses a page for passwords without TLS, but for one that is near.
func ssoURL(name, text string) error {
	if err := webURL(name, text); err != nil {
		return err
	}
	u, _ := url.Parse(text)
	ip, err := netip.ParseAddr(u.Hostname())
	near := u.Hostname() == "localhost" || err == nil && (ip.IsLoopback() || ip.IsPrivate())
	if u.Scheme != "https" && !near {
		return fmt.Errorf("%s needs https", name)
	}
	return nil
}

// certificates reads PEM blocks, or one bare base64, and accepts keys that are
// good enough to verify with.
func certificates(text string) ([]*x509.Certificate, error) {
	var ders [][]byte
	if rest := []byte(text); strings.Contains(text, "-----BEGIN") {
		for len(strings.TrimSpace(string(rest))) > 0 && len(ders) <= maxCertificates {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
				return nil, errors.New("not the PEM of a certificate")
			}
			ders = append(ders, block.Bytes)
		}
	} else {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil || len(der) == 0 {
			return nil, errors.New("neither PEM nor base64 of a certificate")
		}
		ders = append(ders, der)
	}
	certs := make([]*x509.Certificate, 0, len(ders))
	for _, der := range ders {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errors.New("not a certificate")
		}
		if err := strong(cert.PublicKey); err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

func strong(public any) error {
	key, ok := public.(*rsa.PublicKey)
	if !ok {
		return errors.New("the key is not RSA, which is the only kind supported")
	}
	if bits := key.N.BitLen(); bits < minRSABits {
		return fmt.Errorf("the RSA key has %d bits; %d are the least", bits, minRSABits)
	}
	return nil
}

func privateKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	// The errors of the parsers are not passed on: they are about a secret.
	var key any
	var err error
	if block.Type == "RSA PRIVATE KEY" {
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	} else {
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	k, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("not an RSA key in PKCS #1 or PKCS #8, unencrypted")
	}
	return k, strong(&k.PublicKey)
}

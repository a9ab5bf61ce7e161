package saml

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"crypto/x509"

	"github.com/beevik/etree"
)

const (
	bindingRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	bindingPost     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
)

// Metadata returns what an administrator gives to the provider: our metadata, as
// XML. It needs EntityID and ACSURL, and Certificate if there is one; the provider
// need not be known yet.
func (c *Config) Metadata() ([]byte, error) {
	var s settings
	if err := c.readSelf(&s); err != nil {
		return nil, err
	}
	if err := c.readNames(&s); err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	root := doc.CreateElement("md:EntityDescriptor")
	root.CreateAttr("xmlns:md", nsMetadata)
	root.CreateAttr("entityID", c.EntityID)
	sp := root.CreateElement("md:SPSSODescriptor")
	sp.CreateAttr("AuthnRequestsSigned", fmt.Sprint(c.SignRequests))
	sp.CreateAttr("WantAssertionsSigned", "true")
	sp.CreateAttr("protocolSupportEnumeration", nsProtocol)
	if s.der != nil {
		key := sp.CreateElement("md:KeyDescriptor")
		key.CreateAttr("use", "signing") // and not for encryption
		info := key.CreateElement("ds:KeyInfo")
		info.CreateAttr("xmlns:ds", nsSignature)
		info.CreateElement("ds:X509Data").CreateElement("ds:X509Certificate").
			SetText(base64.StdEncoding.EncodeToString(s.der))
	}
	if s.format != "" {
		sp.CreateElement("md:NameIDFormat").SetText(s.format)
	}
	acs := sp.CreateElement("md:AssertionConsumerService")
	acs.CreateAttr("Binding", bindingPost)
	acs.CreateAttr("Location", c.ACSURL)
	acs.CreateAttr("index", "0")
	acs.CreateAttr("isDefault", "true")
	doc.Indent(2)
	return doc.WriteToBytes()
}

// An idp is what is known of an identity provider. It does not change.
type idp struct {
	issuer, sso string
	certs       []*x509.Certificate
	until       time.Time // when to stop to believe it; zero: never
}

func (p *idp) valid(now time.Time) bool { return p.until.IsZero() || now.Before(p.until) }

// readMetadata reads the metadata of one provider; want is its entity id, "" any.
// A signature on it is not looked at: it is trusted for where it came from. Keys
// that cannot be used are passed over, as long as one can.
func readMetadata(raw []byte, want string) (*idp, error) {
	root, err := parse(raw, metadataLimits)
	if err != nil {
		return nil, err
	}
	if !is(root, nsMetadata, "EntityDescriptor") {
		return nil, errors.New("not the metadata of one entity (EntityDescriptor)")
	}
	p := &idp{issuer: attribute(root, "entityID")}
	if err := entityID("entityID", p.issuer); err != nil {
		return nil, err
	}
	if want != "" && p.issuer != want {
		return nil, errors.New("the metadata of another entity than idpIssuer")
	}
	role, err := only(root, nsMetadata, "IDPSSODescriptor")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(strings.Fields(attribute(role, "protocolSupportEnumeration")), nsProtocol) {
		return nil, errors.New("the provider does not speak SAML 2.0")
	}
	for _, el := range []*etree.Element{root, role} {
		if attribute(el, "validUntil") == "" {
			continue
		}
		until, err := instant(el, "validUntil")
		if err != nil {
			return nil, err
		}
		if p.until.IsZero() || until.Before(p.until) {
			p.until = until
		}
	}
	for _, el := range children(role, nsMetadata, "SingleSignOnService") {
		if p.sso == "" && attribute(el, "Binding") == bindingRedirect {
			p.sso = attribute(el, "Location")
		}
	}
	if p.sso == "" {
		return nil, errors.New("the provider has no SingleSignOnService with the redirect binding")
	}
	if err := ssoURL("SingleSignOnService", p.sso); err != nil {
		return nil, err
	}
	return p, p.readKeys(role)
}

func (p *idp) readKeys(role *etree.Element) error {
	unusable := errors.New("no certificate for signing")
	for _, key := range children(role, nsMetadata, "KeyDescriptor") {
		if use := attribute(key, "use"); use != "" && use != "signing" {
			continue
		}
		for _, el := range key.FindElements(".//X509Certificate") {
			if el.NamespaceURI() != nsSignature {
				continue
			}
			t, err := text(el)
			if err != nil {
				return err
			}
			certs, err := certificates(t)
			if err != nil {
				unusable = fmt.Errorf("a certificate: %w", err)
				continue
			}
			p.certs = append(p.certs, certs...)
		}
	}
	switch {
	case len(p.certs) == 0:
		return unusable
	case len(p.certs) > maxCertificates:
		return fmt.Errorf("more than %d certificates", maxCertificates)
	}
	return nil
}

package saml

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// A message is a response taken apart: where its one assertion is, and what is
// signed.
type message struct {
	response, assertion  *etree.Element
	ofResponse, ofAssert *etree.Element // the signatures; nil: none
}

// layout finds the parts of a response, each at the one place where it may be
// (R2). No assertion, as in a refusal of the provider, is left to the caller.
func layout(response *etree.Element) (*message, error) {
	if !is(response, nsProtocol, "Response") {
		return nil, errors.New("not a SAML response")
	}
	m := &message{response: response}
	return m, m.place(response)
}

// place walks a tree. It goes by local names: what is called Assertion in some
// other namespace has no business in a response either.
func (m *message) place(el *etree.Element) error {
	for _, child := range el.ChildElements() {
		switch child.Tag {
		case "EncryptedAssertion", "EncryptedID", "EncryptedAttribute", "EncryptedData":
			return errors.New("encrypted assertions are not supported: have the provider sign and not encrypt")
		case "Assertion":
			if el != m.response || child.NamespaceURI() != nsAssertion {
				return errors.New("an assertion at a wrong place")
			}
			if m.assertion != nil {
				return errors.New("more than one assertion")
			}
			m.assertion = child
		case "Signature":
			var at **etree.Element
			switch {
			case child.NamespaceURI() != nsSignature:
			case el == m.response:
				at = &m.ofResponse
			case el == m.assertion:
				at = &m.ofAssert
			}
			if at == nil || *at != nil {
				return errors.New("a signature at a wrong place")
			}
			*at = child
		}
		if err := m.place(child); err != nil {
			return err
		}
	}
	return nil
}

// errKey says that a signature is well made, and not by a key that is known.
var errKey = errors.New("the signature is not by a key of the provider, or what it signs was changed")

// verify returns the response and the assertion as they were signed (R4, R5). The
// response is nil if it was not signed itself.
func (m *message) verify(certs []*x509.Certificate, now time.Time) (response, assertion *etree.Element, err error) {
	if m.ofResponse != nil {
		if response, err = verified(m.response, m.ofResponse, certs, now); err != nil {
			return nil, nil, fmt.Errorf("the response: %w", err)
		}
		// From here on there is no other document than the one that was verified.
		if m, err = layout(response); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case m.assertion == nil:
		return nil, nil, errors.New("no assertion")
	case m.ofAssert != nil:
		if assertion, err = verified(m.assertion, m.ofAssert, certs, now); err != nil {
			return nil, nil, fmt.Errorf("the assertion: %w", err)
		}
	case response != nil:
		assertion = m.assertion
	default:
		return nil, nil, errors.New("neither the response nor the assertion is signed")
	}
	return response, assertion, nil
}

// verified returns el as it was signed, made anew from the signed bytes.
func verified(el, signature *etree.Element, certs []*x509.Certificate, now time.Time) (*etree.Element, error) {
	id := attribute(el, "ID")
	if err := shape(signature, id); err != nil {
		return nil, err
	}
	around, err := etreeutils.NSBuildParentContext(el)
	if err != nil {
		return nil, errors.New("namespaces that make no sense")
	}
	alone, err := etreeutils.NSDetatch(around, el) // a copy
	if err != nil {
		return nil, errors.New("namespaces that make no sense")
	}
	// The library wants the certificate in KeyInfo to be one of ours, and one to be
	// there if we have several. Without KeyInfo it takes the key it is given, and
	// nothing that came with the response has a part in it.
	for _, s := range children(alone, nsSignature, "Signature") {
		for _, k := range children(s, nsSignature, "KeyInfo") {
			s.RemoveChild(k)
		}
	}
	err = errors.New("no certificate of the provider is valid today")
	for _, cert := range certs {
		if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
			continue
		}
		ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
		ctx.Clock = dsig.NewFakeClockAt(now)
		var signed *etree.Element
		if signed, err = ctx.Validate(alone); err == nil {
			if signed == nil || !is(signed, el.NamespaceURI(), el.Tag) || attribute(signed, "ID") != id {
				return nil, errors.New("the signature is of something else")
			}
			return signed, nil
		}
		// The words of the library are for its developers, and may quote a stranger's.
		err = errKey
	}
	return nil, err
}

// Algorithms that are taken. Comments are refused before, so that both forms of
// the canonicalization are one.
var (
	canonicalizations = map[string]bool{
		string(dsig.CanonicalXML10ExclusiveAlgorithmId):             true,
		string(dsig.CanonicalXML10ExclusiveWithCommentsAlgorithmId): true,
	}
	signatureMethods = map[string]bool{
		dsig.RSASHA256SignatureMethod: true,
		dsig.RSASHA384SignatureMethod: true,
		dsig.RSASHA512SignatureMethod: true,
	}
	digestMethods = map[string]bool{
		"http://www.w3.org/2001/04/xmlenc#sha256":       true,
		"http://www.w3.org/2001/04/xmldsig-more#sha384": true,
		"http://www.w3.org/2001/04/xmlenc#sha512":       true,
	}
)

// shape demands the one form of signature that SAML has: of the element with the
// id, which it is in, whole.
func shape(signature *etree.Element, id string) error {
	if id == "" {
		return errors.New("what is signed has no ID")
	}
	if err := parts(signature, "SignedInfo", "SignatureValue", "?KeyInfo"); err != nil {
		return err
	}
	info := children(signature, nsSignature, "SignedInfo")[0]
	if err := parts(info, "CanonicalizationMethod", "SignatureMethod", "Reference"); err != nil {
		return err
	}
	reference := children(info, nsSignature, "Reference")[0]
	if err := parts(reference, "Transforms", "DigestMethod", "DigestValue"); err != nil {
		return err
	}
	for _, leaf := range []*etree.Element{
		children(signature, nsSignature, "SignatureValue")[0], children(info, nsSignature, "SignatureMethod")[0],
		children(reference, nsSignature, "DigestMethod")[0], children(reference, nsSignature, "DigestValue")[0],
	} {
		if _, err := text(leaf); err != nil {
			return err
		}
	}
	transforms := children(reference, nsSignature, "Transforms")[0].ChildElements()
	algorithm := func(of *etree.Element, tag string) string {
		return attribute(children(of, nsSignature, tag)[0], "Algorithm")
	}
	switch {
	case attribute(reference, "URI") != "#"+id:
		return errors.New("the signature is of another element")
	case !canonicalizations[algorithm(info, "CanonicalizationMethod")]:
		return errors.New("a canonicalization that is not exclusive")
	case !signatureMethods[algorithm(info, "SignatureMethod")]:
		return errors.New("a signature method that is not RSA with SHA-256 or better")
	case !digestMethods[algorithm(reference, "DigestMethod")]:
		return errors.New("a digest that is not SHA-256 or better")
	case len(transforms) != 2 ||
		!is(transforms[0], nsSignature, "Transform") || !is(transforms[1], nsSignature, "Transform") ||
		attribute(transforms[0], "Algorithm") != string(dsig.EnvelopedSignatureAltorithmId) ||
		!canonicalizations[attribute(transforms[1], "Algorithm")]:
		return errors.New("transforms other than enveloped signature and exclusive canonicalization")
	}
	return nil
}

// parts demands that the children of el are those of the names, each once; one
// with a ? may be missing.
func parts(el *etree.Element, names ...string) error {
	left := len(el.ChildElements())
	for _, name := range names {
		optional := name[0] == '?'
		if optional {
			name = name[1:]
		}
		n := len(children(el, nsSignature, name))
		if n > 1 || n == 0 && !optional {
			return fmt.Errorf("a signature with %d %s", n, name)
		}
		left -= n
	}
	if left != 0 {
		return fmt.Errorf("a signature with something else in %s", el.Tag)
	}
	return nil
}

package saml

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	dsig "github.com/russellhaering/goxmldsig"
)

// An attack makes a document that must be refused for the reason. All that is not
// the attack is right, the signature included, so that nothing else refuses it.
type attack struct {
	name, reason string
	make         func(t *testing.T, l *lab) string
}

// edited signs what change has made of a good response.
func edited(change func(t *testing.T, f *forge)) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string {
		f := l.forged()
		change(t, f)
		return signed(t, f)
	}
}

// broken changes a good response behind the provider's back.
func broken(old, new string) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string { return within(t, signed(t, l.forged()), old, new) }
}

// oddly signs a good response in an odd way.
func oddly(s func() signer) func(*testing.T, *lab) string {
	return func(t *testing.T, l *lab) string { return s().sign(t, l.forged().String(), onAssertion) }
}

func utf16Of(s string) string {
	var b bytes.Buffer
	b.Write([]byte{0xfe, 0xff})
	for _, u := range utf16.Encode([]rune(s)) {
		_ = binary.Write(&b, binary.BigEndian, u)
	}
	return b.String()
}

var attacks = []attack{
	// R1: plain XML.
	{"R1 document type", "a document type", func(t *testing.T, l *lab) string {
		return "<!DOCTYPE x>" + signed(t, l.forged())
	}},
	{"R1 billion laughs", "a document type", func(t *testing.T, l *lab) string {
		dtd := `<!DOCTYPE x [<!ENTITY l0 "ha">`
		for i := range 10 {
			dtd += fmt.Sprintf(`<!ENTITY l%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&l%d;", i), 10))
		}
		return dtd + "]>" + within(t, signed(t, l.forged()), "alice-1", "&l10;")
	}},
	{"R1 external entity", "a document type", func(t *testing.T, l *lab) string {
		return `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + within(t, signed(t, l.forged()), "alice-1", "&e;")
	}},
	{"R1 undeclared entity", "not well-formed", broken("alice-1", "alice&nbsp;1")},
	{"R1 comment in the NameID", "a comment", broken("alice-1", "alice<!-- -->-1")},
	{"R1 comment elsewhere", "a comment", broken("<p:Status>", "<!-- x --><p:Status>")},
	{"R1 CDATA in the NameID", "CDATA", broken("alice-1", "<![CDATA[alice-1]]>")},
	{"R1 processing instruction in the NameID", "a processing instruction", broken("alice-1", "alice<?x y?>-1")},
	{"R1 style sheet", "a processing instruction", func(t *testing.T, l *lab) string {
		return `<?xml-stylesheet href="x"?>` + signed(t, l.forged())
	}},
	{"R1 declaration of another encoding", "another XML declaration", func(t *testing.T, l *lab) string {
		return `<?xml version="1.0" encoding="UTF-7"?>` + signed(t, l.forged())
	}},
	{"R1 XML 1.1", "another XML declaration", func(t *testing.T, l *lab) string {
		return `<?xml version="1.1"?>` + signed(t, l.forged())
	}},
	{"R1 UTF-16", "not UTF-8", func(t *testing.T, l *lab) string { return utf16Of(signed(t, l.forged())) }},
	{"R1 byte order mark", "not XML", func(t *testing.T, l *lab) string { return "\ufeff" + signed(t, l.forged()) }},
	{"R1 bytes that are not UTF-8", "not UTF-8", broken("alice-1", "alice\xff-1")},
	{"R1 overlong UTF-8", "not UTF-8", broken("alice-1", "alice\xc0\xad1")},
	{"R1 control character", "not well-formed", broken("alice-1", "alice&#0;1")},
	{"R1 huge document", "more than 163840 bytes", func(t *testing.T, l *lab) string {
		return within(t, signed(t, l.forged()), "<p:Status>", strings.Repeat(" ", 160<<10)+"<p:Status>")
	}},
	{"R1 many elements", "too many", broken("<p:Status>", strings.Repeat("<p:Extensions/>", 1000)+"<p:Status>")},
	{"R1 many attributes", "too many", broken("<p:Status>", "<p:Extensions"+manyAttributes(40)+"/><p:Status>")},
	{"R1 deep nesting", "too deep", broken("<p:Status>", strings.Repeat("<p:Extensions>", 40)+strings.Repeat("</p:Extensions>", 40)+"<p:Status>")},
	{"R1 attribute twice", "an attribute twice", broken(`Destination="`, `Destination="https://evil.example" Destination="`)},
	{"R1 attribute twice under two prefixes", "an attribute twice", broken("<p:Status>", `<p:Status xmlns:q="urn:q" xmlns:r="urn:q" q:x="1" r:x="2">`)},
	{"R1 undeclared prefix", "undeclared prefix", broken("<p:Status>", "<z:Extensions/><p:Status>")},
	{"R1 undeclared prefix of an attribute", "undeclared prefix", broken("<p:Status>", `<p:Status z:x="1">`)},
	{"R1 no namespace", "without a namespace", broken("<p:Status>", "<Extensions/><p:Status>")},
	{"R1 xml prefix declared anew", "reserved", broken("<p:Status>", `<p:Status xmlns:xml="urn:evil">`)},
	{"R1 two IDs", "two elements with one ID", broken("<p:Status>", `<p:Status ID="_assertion">`)},
	{"R1 two IDs in two spellings", "two elements with one ID", broken("<p:Status>", `<p:Status Id="_assertion">`)},
	{"R1 ID with a prefix", "an ID that is none", broken(` ID="_assertion"`, ` p:ID="_assertion" ID="_other"`)},
	{"R1 ID that is an expression", "an ID that is none", edited(func(_ *testing.T, f *forge) { f.AID = "x') or true()" })},
	{"R1 two documents", "more than one document", func(t *testing.T, l *lab) string {
		s := signed(t, l.forged())
		return s + s
	}},
	{"R1 text behind the document", "text outside", func(t *testing.T, l *lab) string { return signed(t, l.forged()) + "x" }},
	{"R1 name that ends in a colon", "a name that is none", broken("<p:Status>", `<p:/><p:Status>`)},
	{"R1 name that begins with a colon", "a name that is none", broken("<p:Status>", `<:p/><p:Status>`)},
	{"R1 attribute that begins with a colon", "a name that is none", broken("<p:Status>", `<p:Status :ID="_assertion">`)},
	{"R1 prefix without a name", "a name that is none", broken("<p:Status>", `<p:Status xmlns:="urn:x">`)},
	{"R1 two colons", "not well-formed", broken("<p:Status>", `<p::x/><p:Status>`)},
	{"R1 cut short", "not well-formed", func(t *testing.T, l *lab) string {
		s := signed(t, l.forged())
		return s[:len(s)-20]
	}},
	{"R1 not a response", "not a SAML response", func(t *testing.T, l *lab) string {
		return within(t, within(t, l.forged().String(), "<p:Response", "<p:LogoutResponse"), "</p:Response>", "</p:LogoutResponse>")
	}},
	{"R1 response of another namespace", "not a SAML response", broken(nsProtocol, nsProtocol+"x")},

	// R2: the parts at their places. The rest is in xsw_test.go.
	{"R2 two signed assertions", "more than one assertion", func(t *testing.T, l *lab) string {
		f := l.forged()
		one := f.assertion()
		f.AID = "_second"
		f.Assertions = one + f.assertion()
		s := signer{}.sign(t, f.String(), "./Response/Assertion[1]")
		return signer{}.sign(t, s, "./Response/Assertion[2]")
	}},
	{"R2 no assertion", "no assertion", func(t *testing.T, l *lab) string {
		f := l.forged()
		f.Assertions = " "
		return signer{}.sign(t, f.String(), onResponse)
	}},
	{"R2 encrypted assertion", "encrypted", func(t *testing.T, l *lab) string {
		f := l.forged()
		f.Assertions = `<a:EncryptedAssertion/>`
		return signer{}.sign(t, f.String(), onResponse)
	}},
	{"R2 encrypted NameID", "encrypted", edited(func(_ *testing.T, f *forge) { f.NameID = `<a:EncryptedID/>` })},
	{"R2 assertion of another namespace", "wrong place", broken("<p:Status>", `<q:Assertion xmlns:q="urn:q"/><p:Status>`)},
	{"R2 two signatures of one assertion", "a signature at a wrong place", func(t *testing.T, l *lab) string {
		return signer{by: wrongKey()}.sign(t, signed(t, l.forged()), onAssertion)
	}},

	// R3: success.
	{"R3 authentication failed", "AuthnFailed", func(t *testing.T, l *lab) string {
		f := l.forged()
		f.Assertions = " "
		f.Status = `<p:StatusCode Value="` + statusPrefix + `Responder"><p:StatusCode Value="` + statusPrefix + `AuthnFailed"/></p:StatusCode><p:StatusMessage>no</p:StatusMessage>`
		return f.String()
	}},
	{"R3 failure with an assertion", "let nobody in", edited(func(_ *testing.T, f *forge) {
		f.Status = `<p:StatusCode Value="` + statusPrefix + `Requester"/>`
	})},
	{"R3 no status", "0 Status", edited(func(t *testing.T, f *forge) { f.Status = "" })},
	{"R3 success below failure", "let nobody in", edited(func(_ *testing.T, f *forge) {
		f.Status = `<p:StatusCode Value="` + statusPrefix + `Responder"><p:StatusCode Value="` + statusSuccess + `"/></p:StatusCode>`
	})},

	// R4: signatures.
	{"R4 nothing signed", "neither", func(t *testing.T, l *lab) string { return l.forged().String() }},
	{"R4 signature cut out", "neither", func(t *testing.T, l *lab) string {
		s := signed(t, l.forged())
		return s[:strings.Index(s, "<ds:Signature ")] + s[strings.Index(s, "</ds:Signature>")+len("</ds:Signature>"):]
	}},
	{"R4 empty signature", "a signature with", func(t *testing.T, l *lab) string {
		return within(t, l.forged().String(), "<a:Subject>", `<ds:Signature xmlns:ds="`+nsSignature+`"/><a:Subject>`)
	}},
	{"R4 signature by the key in KeyInfo", "not by a key", oddly(func() signer { return signer{by: wrongKey()} })},
	{"R4 another key and no KeyInfo", "not by a key", oddly(func() signer { return signer{by: wrongKey(), noKeyInfo: true} })},
	{"R4 another key, the certificate of the right one", "not by a key", oddly(func() signer { return signer{by: wrongKey(), keyInfo: idpKey()} })},
	{"R4 response signed by another key, assertion by the right one", "not by a key", func(t *testing.T, l *lab) string {
		return signer{by: wrongKey()}.sign(t, signed(t, l.forged()), onResponse)
	}},
	{"R4 assertion by another key in a signed response", "not by a key", func(t *testing.T, l *lab) string {
		return signer{}.sign(t, signer{by: wrongKey()}.sign(t, l.forged().String(), onAssertion), onResponse)
	}},
	{"R4 NameID changed", "not by a key", broken("alice-1", "admin")},
	{"R4 group added", "not by a key", broken("<a:AttributeValue>admins", "<a:AttributeValue>root</a:AttributeValue><a:AttributeValue>admins")},
	{"R4 response changed that is signed", "not by a key", func(t *testing.T, l *lab) string {
		return within(t, signer{}.sign(t, l.forged().String(), onResponse), "alice-1", "admin")
	}},
	{"R4 SignedInfo changed", "not by a key", broken("<ds:DigestValue>", "<ds:DigestValue>AA")},
	{"R4 SHA-1 signature", "SHA-256 or better", oddly(func() signer {
		return signer{method: dsig.RSASHA1SignatureMethod, hash: crypto.SHA1, digest: "http://www.w3.org/2000/09/xmldsig#sha1"}
	})},
	{"R4 SHA-1 digest", "digest", func(t *testing.T, l *lab) string {
		return strings.ReplaceAll(signed(t, l.forged()), "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1")
	}},
	{"R4 HMAC with the public key", "SHA-256 or better", broken(dsig.RSASHA256SignatureMethod, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")},
	{"R4 no method", "SHA-256 or better", broken(` Algorithm="`+dsig.RSASHA256SignatureMethod+`"`, "")},
	{"R4 unknown canonicalization", "canonicalization", broken(`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"`, `<ds:CanonicalizationMethod Algorithm="urn:none"`)},
	{"R4 inclusive canonicalization", "canonicalization", oddly(func() signer { return signer{canon: dsig.MakeC14N11Canonicalizer()} })},
	{"R4 transform by XPath", "transforms", oddly(func() signer {
		return signer{transforms: envelopedTransform + `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"></ds:Transform>`}
	})},
	{"R4 transform by style sheet", "transforms", oddly(func() signer {
		return signer{transforms: `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"></ds:Transform>`}
	})},
	{"R4 enveloped transform twice", "transforms", oddly(func() signer { return signer{transforms: envelopedTransform + envelopedTransform} })},
	{"R4 no canonicalization among the transforms", "transforms", oddly(func() signer { return signer{transforms: envelopedTransform} })},
	{"R4 three transforms", "transforms", oddly(func() signer {
		c := `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>`
		return signer{transforms: envelopedTransform + c + c}
	})},
	{"R4 no transforms", "transforms", oddly(func() signer { return signer{transforms: " "} })},
	{"R4 reference to the whole document", "another element", oddly(func() signer { uri := ""; return signer{uri: &uri} })},
	{"R4 reference to another element", "another element", oddly(func() signer { uri := "#_response"; return signer{uri: &uri} })},
	{"R4 reference by XPointer", "another element", oddly(func() signer { uri := "#xpointer(id('_assertion'))"; return signer{uri: &uri} })},
	{"R4 two references", "2 Reference", oddly(func() signer {
		return signer{more: `<ds:Reference URI="#_response"><ds:Transforms></ds:Transforms></ds:Reference>`}
	})},
	{"R4 object in the signature", "something else", oddly(func() signer { return signer{object: `<ds:Object></ds:Object>`} })},
	{"R4 two SignedInfo", "2 SignedInfo", broken("<ds:SignedInfo ", `<ds:SignedInfo></ds:SignedInfo><ds:SignedInfo `)},
	{"R4 SignedInfo within SignatureValue", "more than text", broken("<ds:SignatureValue>", `<ds:SignatureValue><ds:SignedInfo></ds:SignedInfo>`)},
	{"R4 signature value that is not base64", "not by a key", broken("<ds:SignatureValue>", "<ds:SignatureValue>%%")},
	{"R4 assertion without an ID", "no ID", func(t *testing.T, l *lab) string {
		f := l.forged()
		f.AID = ""
		uri := ""
		return signer{uri: &uri}.sign(t, f.String(), onAssertion)
	}},

	// R6: whose, for whom, and what for. Times are in time_test.go.
	{"R6 issuer of the assertion", "another issuer", edited(func(_ *testing.T, f *forge) { f.AIssuer = "https://evil.example" })},
	{"R6 issuer of the response", "another issuer", edited(func(_ *testing.T, f *forge) { f.Issuer = "https://evil.example" })},
	{"R6 issuer with more behind it", "another issuer", edited(func(_ *testing.T, f *forge) { f.AIssuer = theIDP + ".evil.example" })},
	{"R6 issuer with an element in it", "more than text", edited(func(_ *testing.T, f *forge) { f.AIssuer = theIDP + "<a:Audience/>" })},
	{"R6 issuer of another format", "another issuer", edited(func(t *testing.T, f *forge) {
		f.Assertions = within(t, f.assertion(), "<a:Issuer>", `<a:Issuer Format="`+FormatPersistent+`">`)
	})},
	{"R6 two issuers", "2 Issuer", edited(func(t *testing.T, f *forge) { f.AIssuer += "</a:Issuer><a:Issuer>" + theIDP })},
	{"R6 another version", "not SAML 2.0", broken(`Version="2.0"`, `Version="1.1"`)},
	{"R6 another audience", "another audience", edited(func(t *testing.T, f *forge) { f.Conditions = within(t, f.Conditions, theSP, theSP+"2") })},
	{"R6 audience among restrictions that all hold", "another audience", edited(func(t *testing.T, f *forge) {
		f.Conditions = within(t, f.Conditions, "</a:Conditions>", "<a:AudienceRestriction><a:Audience>https://other.example</a:Audience></a:AudienceRestriction></a:Conditions>")
	})},
	{"R6 no audience", "names no audience", edited(func(t *testing.T, f *forge) {
		f.Conditions = within(t, f.Conditions, "<a:AudienceRestriction><a:Audience>"+theSP+"</a:Audience></a:AudienceRestriction>", "")
	})},
	{"R6 empty audience restriction", "another audience", edited(func(t *testing.T, f *forge) {
		f.Conditions = within(t, f.Conditions, "<a:Audience>"+theSP+"</a:Audience>", "")
	})},
	{"R6 no conditions", "0 Conditions", edited(func(_ *testing.T, f *forge) { f.Conditions = "" })},
	{"R6 conditions twice", "2 Conditions", edited(func(_ *testing.T, f *forge) { f.Conditions += f.Conditions })},
	{"R6 condition that is not known", "not known", edited(func(t *testing.T, f *forge) {
		f.Conditions = within(t, f.Conditions, "</a:Conditions>", "<a:Condition/></a:Conditions>")
	})},
	{"R6 another destination", "another destination", edited(func(_ *testing.T, f *forge) { f.Destination = "https://evil.example/acs" })},
	{"R6 no destination", "another destination", edited(func(_ *testing.T, f *forge) { f.Destination = "" })},
	{"R6 another recipient", "another recipient", edited(func(t *testing.T, f *forge) { f.Confirmation = within(t, f.Confirmation, theACS, theACS+"/") })},
	{"R6 no recipient", "another recipient", edited(func(t *testing.T, f *forge) {
		f.Confirmation = within(t, f.Confirmation, `Recipient="`+theACS+`"`, "")
	})},
	{"R6 no confirmation", "not confirmed", edited(func(_ *testing.T, f *forge) { f.Confirmation = "" })},
	{"R6 confirmation by the holder of a key", "not confirmed", edited(func(t *testing.T, f *forge) {
		f.Confirmation = within(t, f.Confirmation, "cm:bearer", "cm:holder-of-key")
	})},
	{"R6 confirmation without data", "0 SubjectConfirmationData", edited(func(_ *testing.T, f *forge) {
		f.Confirmation = `<a:SubjectConfirmation Method="` + methodBearer + `"/>`
	})},
	{"R6 unsolicited response", "answers no request", edited(func(_ *testing.T, f *forge) { f.InResponseTo = "" })},
	{"R6 response to another request", "answers another request", edited(func(_ *testing.T, f *forge) { f.InResponseTo = "_other" })},
	{"R6 unsolicited assertion", "answers no request", func(t *testing.T, l *lab) string {
		return edited(func(t *testing.T, f *forge) {
			f.Confirmation = within(t, f.Confirmation, ` InResponseTo="`+l.id+`"`, "")
		})(t, l)
	}},
	{"R6 assertion for another request in a response to ours", "answers another request", func(t *testing.T, l *lab) string {
		return edited(func(t *testing.T, f *forge) { f.Confirmation = within(t, f.Confirmation, l.id, "_other") })(t, l)
	}},
	{"R6 no AuthnStatement", "nothing of a login", edited(func(_ *testing.T, f *forge) { f.Authn = "" })},
	{"R6 two subjects", "2 Subject", edited(func(t *testing.T, f *forge) { f.Conditions = "<a:Subject/>" + f.Conditions })},

	// R7: somebody, for good.
	{"R7 transient NameID", "transient", edited(func(t *testing.T, f *forge) { f.NameID = within(t, f.NameID, FormatPersistent, FormatTransient) })},
	{"R7 NameID of another format", "a NameID of the format", edited(func(t *testing.T, f *forge) {
		f.NameID = within(t, f.NameID, FormatPersistent, "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress")
	})},
	{"R7 NameID without a format", "a NameID of the format", edited(func(_ *testing.T, f *forge) { f.NameID = "<a:NameID>alice-1</a:NameID>" })},
	{"R7 NameID of another NameQualifier", "NameQualifier", edited(func(t *testing.T, f *forge) {
		f.NameID = within(t, f.NameID, "<a:NameID ", `<a:NameID NameQualifier="https://evil.example" `)
	})},
	{"R7 NameID for another service", "SPNameQualifier", edited(func(t *testing.T, f *forge) {
		f.NameID = within(t, f.NameID, "<a:NameID ", `<a:NameID SPNameQualifier="https://other.example" `)
	})},
	{"R7 NameID with an element in it", "more than text", edited(func(t *testing.T, f *forge) { f.NameID = within(t, f.NameID, "alice-1", "alice<a:b/>-1") })},
	{"R7 empty NameID", "the subject", edited(func(t *testing.T, f *forge) { f.NameID = within(t, f.NameID, "alice-1", " ") })},
	{"R7 long NameID", "the subject", edited(func(t *testing.T, f *forge) { f.NameID = within(t, f.NameID, "alice-1", strings.Repeat("a", 201)) })},
	{"R7 NameID of two lines", "plain text", edited(func(t *testing.T, f *forge) { f.NameID = within(t, f.NameID, "alice-1", "alice\n1") })},
	{"R7 no NameID", "0 NameID", edited(func(_ *testing.T, f *forge) { f.NameID = "" })},
	{"R7 two NameIDs", "2 NameID", edited(func(_ *testing.T, f *forge) { f.NameID += f.NameID })},
	{"R7 many values", "more than 800 values", edited(func(_ *testing.T, f *forge) {
		f.Attributes = `<a:AttributeStatement><a:Attribute Name="g">` + strings.Repeat("<a:AttributeValue>x</a:AttributeValue>", 801) + `</a:Attribute></a:AttributeStatement>`
	})},
	{"R7 long value", "more than 4096 bytes", edited(func(t *testing.T, f *forge) {
		f.Attributes = within(t, f.Attributes, "staff", strings.Repeat("x", 4097))
	})},
	{"R7 many attributes", "more than 200 attributes", edited(func(_ *testing.T, f *forge) {
		f.Attributes = "<a:AttributeStatement>"
		for i := range 201 {
			f.Attributes += fmt.Sprintf(`<a:Attribute Name="a%d"><a:AttributeValue>x</a:AttributeValue></a:Attribute>`, i)
		}
		f.Attributes += "</a:AttributeStatement>"
	})},
	{"R7 attribute without a name", "an attribute whose name", edited(func(t *testing.T, f *forge) { f.Attributes = within(t, f.Attributes, `Name="mail"`, "") })},
}

func manyAttributes(n int) (s string) {
	for i := range n {
		s += fmt.Sprintf(` a%d=""`, i)
	}
	return s
}

func TestAttacks(t *testing.T) {
	names := map[string]bool{}
	for _, a := range attacks {
		if names[a.name] {
			t.Errorf("two attacks are called %q", a.name)
		}
		names[a.name] = true
		t.Run(a.name, func(t *testing.T) {
			l := newLab(t, nil).start(t)
			l.refuses(t, a.make(t, l), a.reason)
			// What is refused has not used anything up.
			if _, err := l.finish(t, signed(t, l.forged())); err != nil {
				t.Fatalf("then the right response: %v", err)
			}
		})
	}
	t.Logf("figure: %d attacks refused", len(attacks))
}

// What is read is what was verified: nothing of the document that came (R5).
func TestVerifiedIsRead(t *testing.T) {
	for name, make := range map[string]func(*lab) string{
		"assertion signed": func(l *lab) string { return signed(t, l.forged()) },
		"response signed":  func(l *lab) string { return signer{}.sign(t, l.forged().String(), onResponse) },
		"both signed":      func(l *lab) string { return signer{}.sign(t, signed(t, l.forged()), onResponse) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil).start(t)
			root, err := parse([]byte(make(l)), responseLimits)
			if err != nil {
				t.Fatal(err)
			}
			m, err := layout(root)
			if err != nil {
				t.Fatal(err)
			}
			response, assertion, err := m.verify(l.set.static.certs, l.now)
			if err != nil {
				t.Fatal(err)
			}
			for _, el := range root.FindElements("//*") {
				el.SetText("evil")
				el.CreateAttr("Destination", "evil")
				el.CreateAttr("Recipient", "evil")
			}
			a, err := l.account(assertion, theIDP)
			if err != nil || a.Subject != "alice-1" || a.Attributes["mail"][0] != "alice@example.com" {
				t.Errorf("account = %+v, %v", a, err)
			}
			if response != nil && attribute(response, "Destination") != theACS {
				t.Error("the response that was read is the one that came")
			}
		})
	}
}

// A key of 1024 bits is refused before it could verify anything.
func TestWeakKey(t *testing.T) {
	c := newLab(t, nil).cfg
	c.IDPCertificates = []string{weakKey().pem}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Fatalf("Validate = %v; want the weak key refused", err)
	}
	l := newLab(t, nil).start(t)
	l.refuses(t, signer{by: weakKey()}.sign(t, l.forged().String(), onAssertion), "not by a key")
}

// An assertion is taken once, and after a restart the request is another (R8).
func TestReplay(t *testing.T) {
	l := newLab(t, nil).start(t)
	document := signed(t, l.forged())
	if _, err := l.finish(t, document); err != nil {
		t.Fatal(err)
	}
	l.refuses(t, document, "used before")
	l.now = l.now.Add(5*time.Minute + 59*time.Second) // a second before it expires
	l.refuses(t, document, "used before")
	l.now = l.now.Add(time.Second)
	l.refuses(t, document, "expired")

	// After a restart the request of the next login is another one.
	again := newLab(t, nil).start(t)
	again.refuses(t, document, "answers another request")
}

// The memory has a bound, and forgets what has expired.
func TestSeenIsBounded(t *testing.T) {
	s := seen{ids: map[string]struct{}{}, most: 3}
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Minute) }
	for i := range 10 {
		if !s.first(fmt.Sprint(i), at(60), at(0)) {
			t.Fatalf("%d was not seen", i)
		}
		if len(s.ids) > 3 || len(s.order) != len(s.ids) {
			t.Fatalf("%d remembered", len(s.ids))
		}
	}
	if s.first("9", at(60), at(59)) || s.first("7", at(60), at(59)) {
		t.Fatal("seen and forgotten")
	}
	if !s.first("x", at(61), at(60)) || len(s.ids) != 1 {
		t.Fatalf("%d remembered that have expired", len(s.ids))
	}
}

package saml

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &ec.PublicKey, ec)
	if err != nil {
		t.Fatal(err)
	}
	ecCert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	ecKey, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		change func(*Config)
		reason string // "": valid
	}{
		{"as it is", func(c *Config) {}, ""},
		{"several certificates", func(c *Config) { c.IDPCertificates = []string{idpKey().pem, nextKey().pem} }, ""},
		{"several in one PEM", func(c *Config) { c.IDPCertificates = []string{idpKey().pem + "\n" + nextKey().pem + "\n"} }, ""},
		{"a bare certificate", func(c *Config) {
			c.IDPCertificates = []string{base64.StdEncoding.EncodeToString(idpKey().cert.Raw)}
		}, ""},
		{"plain http to this machine", func(c *Config) { c.SSOURL = "http://127.0.0.1:8080/sso" }, ""},
		{"transient with an attribute", func(c *Config) { c.NameIDFormat, c.SubjectAttribute = FormatTransient, "uid" }, ""},
		{"signed requests", func(c *Config) { c.SignRequests, c.Key, c.Certificate = true, ourKey().keyPEM(t), ourKey().pem }, ""},
		{"metadata", func(c *Config) { c.SSOURL, c.IDPIssuer, c.IDPCertificates, c.IDPMetadata = "", "", nil, metadata(nil) }, ""},

		{"no entity id", func(c *Config) { c.EntityID = "" }, "entityId"},
		{"an entity id that is long", func(c *Config) { c.EntityID = strings.Repeat("x", 1025) }, "entityId"},
		{"no consumer URL", func(c *Config) { c.ACSURL = "" }, "acsUrl"},
		{"a consumer URL with a fragment", func(c *Config) { c.ACSURL += "#x" }, "acsUrl"},
		{"a consumer URL that is a script", func(c *Config) { c.ACSURL = "javascript:alert(1)" }, "acsUrl"},
		{"no provider", func(c *Config) { c.SSOURL, c.IDPCertificates = "", nil }, "one of the three"},
		{"a provider twice", func(c *Config) { c.IDPMetadata = metadata(nil) }, "one of the three"},
		{"no issuer", func(c *Config) { c.IDPIssuer = "" }, "idpIssuer"},
		{"plain http", func(c *Config) { c.SSOURL = "http://idp.example/sso" }, "https"},
		{"a name and a password in the URL", func(c *Config) { c.SSOURL = "https://a:b@idp.example/sso" }, "ssoUrl"},
		{"no certificate", func(c *Config) { c.IDPCertificates = nil }, "idpCertificates"},
		{"too many certificates", func(c *Config) { c.IDPCertificates = []string{strings.Repeat(idpKey().pem, 17)} }, "idpCertificates"},
		{"a certificate that is none", func(c *Config) { c.IDPCertificates = []string{"AAAA"} }, "not a certificate"},
		{"a key for a certificate", func(c *Config) { c.IDPCertificates = []string{ourKey().keyPEM(t)} }, "not the PEM of a certificate"},
		{"a weak key", func(c *Config) { c.IDPCertificates = []string{weakKey().pem} }, "1024 bits"},
		{"a key that is not RSA", func(c *Config) { c.IDPCertificates = []string{ecCert} }, "not RSA"},
		{"a transient NameID", func(c *Config) { c.NameIDFormat = FormatTransient }, "transient"},
		{"a format that is none", func(c *Config) { c.NameIDFormat = "a b" }, "nameIdFormat"},
		{"many attributes", func(c *Config) { c.Attributes = make([]string, 101) }, "attributes"},
		{"an empty attribute", func(c *Config) { c.Attributes = []string{""} }, "empty name"},
		{"an attribute with a long name", func(c *Config) { c.GroupsAttribute = strings.Repeat("x", 257) }, "256 bytes"},
		{"a negative leeway", func(c *Config) { c.Leeway = -1 }, "leeway"},
		{"a long leeway", func(c *Config) { c.Leeway = 601 }, "leeway"},
		{"signed requests without a key", func(c *Config) { c.SignRequests = true }, "needs key"},
		{"a key and another's certificate", func(c *Config) { c.Key, c.Certificate = ourKey().keyPEM(t), idpKey().pem }, "not of the key"},
		{"a key without a certificate", func(c *Config) { c.Key = ourKey().keyPEM(t) }, "certificate"},
		{"our key is weak", func(c *Config) { c.Key, c.Certificate = weakKey().keyPEM(t), weakKey().pem }, "1024 bits"},
		{"our key is not RSA", func(c *Config) {
			c.Key, c.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ecKey})), ecCert
		}, "not an RSA key"},
		{"metadata of another entity", func(c *Config) {
			c.SSOURL, c.IDPCertificates, c.IDPMetadata, c.IDPIssuer = "", nil, metadata(nil), "https://other.example"
		}, "another entity"},
		{"metadata from somewhere odd", func(c *Config) {
			c.SSOURL, c.IDPCertificates, c.IDPMetadataURL = "", nil, "file:///etc/passwd"
		}, "idpMetadataUrl"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newLab(t, nil).cfg
			row.change(&c)
			err := c.Validate()
			switch {
			case row.reason == "" && err != nil:
				t.Fatalf("Validate = %v; want it valid", err)
			case row.reason != "" && (err == nil || !strings.Contains(err.Error(), row.reason)):
				t.Fatalf("Validate = %v; want %q", err, row.reason)
			case err != nil && c.Key != "" && strings.Contains(err.Error(), c.Key[40:80]):
				t.Fatalf("the key is in the error: %v", err)
			}
			if _, made := New(c); (made == nil) != (err == nil) {
				t.Fatalf("New = %v, Validate = %v", made, err)
			}
		})
	}
}

// What is not in the JSON is needed to log in, and not to look at a configuration.
func TestNewNeeds(t *testing.T) {
	for name, take := range map[string]func(*Config){
		"clock":      func(c *Config) { c.Now = nil },
		"randomness": func(c *Config) { c.Rand = nil },
		"client": func(c *Config) {
			c.SSOURL, c.IDPCertificates, c.IDPMetadataURL = "", nil, "https://idp.example/metadata"
		},
	} {
		c := newLab(t, nil).cfg
		take(&c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: Validate = %v", name, err)
		}
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: New = %v", name, err)
		}
	}
}

func TestConfigJSON(t *testing.T) {
	const text = `{"ssoUrl":"a","idpIssuer":"b","idpCertificates":["c"],"idpMetadata":"d","idpMetadataUrl":"e","entityId":"f","acsUrl":"g","nameIdFormat":"h","subjectAttribute":"i","groupsAttribute":"j","attributes":["k"],"signRequests":true,"key":"l","certificate":"m","leeway":1,"forceAuthn":true}`
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(c)
	if err != nil || string(again) != text {
		t.Fatalf("%s, %v", again, err)
	}
}

// metadata is that of the provider of a lab, with a change.
func metadata(change func(string) string, keys ...*pair) string {
	if keys == nil {
		keys = []*pair{idpKey()}
	}
	s := `<?xml version="1.0"?><!-- by hand --><m:EntityDescriptor xmlns:m="` + nsMetadata + `" entityID="` + theIDP + `"><m:IDPSSODescriptor protocolSupportEnumeration="urn:x ` + nsProtocol + `">`
	for _, k := range keys {
		s += `<m:KeyDescriptor use="signing"><d:KeyInfo xmlns:d="` + nsSignature + `"><d:X509Data><d:X509Certificate>` +
			base64.StdEncoding.EncodeToString(k.cert.Raw) + `</d:X509Certificate></d:X509Data></d:KeyInfo></m:KeyDescriptor>`
	}
	s += `<m:SingleSignOnService Binding="` + bindingPost + `" Location="https://idp.example/post"/>` +
		`<m:SingleSignOnService Binding="` + bindingRedirect + `" Location="` + theSSO + `"/></m:IDPSSODescriptor></m:EntityDescriptor>`
	if change != nil {
		s = change(s)
	}
	return s
}

func TestReadMetadata(t *testing.T) {
	replaced := func(old, new string) func(string) string {
		return func(s string) string { return within(t, s, old, new) }
	}
	for _, row := range []struct {
		name, text string
		keys       int
		reason     string
	}{
		{"as it is", metadata(nil), 1, ""},
		{"two keys", metadata(nil, idpKey(), nextKey()), 2, ""},
		{"a weak key beside a good one", metadata(nil, weakKey(), idpKey()), 1, ""},
		{"a key for encryption beside one for signing", metadata(replaced(`use="signing"`, `use="encryption"`), nextKey(), idpKey()), 1, ""},
		{"a key for everything", metadata(replaced(` use="signing"`, ``)), 1, ""},
		{"a weak key", metadata(nil, weakKey()), 0, "1024 bits"},
		{"no key for signing", metadata(replaced(`use="signing"`, `use="encryption"`)), 0, "no certificate for signing"},
		{"no redirect binding", metadata(replaced(bindingRedirect, bindingPost)), 0, "redirect binding"},
		{"plain http", metadata(replaced(theSSO, "http://idp.example/sso")), 0, "https"},
		{"a service provider", metadata(func(s string) string { return strings.ReplaceAll(s, "IDPSSO", "SPSSO") }), 0, "0 IDPSSODescriptor"},
		{"SAML 1", metadata(replaced(nsProtocol, "urn:oasis:names:tc:SAML:1.1:protocol")), 0, "does not speak"},
		{"no entity id", metadata(replaced(theIDP, "")), 0, "entityID"},
		{"document type", metadata(replaced("<!-- by", "<!DOCTYPE x><!-- by")), 0, "document type"},
		{"document type behind a comment", metadata(replaced("<!-- by hand -->", "<!-- by hand --><!DOCTYPE x [<!ENTITY e 'x'>]>")), 0, "document type"},
		{"more than a MiB", metadata(replaced("<m:IDP", strings.Repeat(" ", 1<<20)+"<m:IDP")), 0, "more than"},
		{"a page", "<html xmlns='x'></html>", 0, "EntityDescriptor"},
		{"validUntil that is none", metadata(replaced("entityID=", `validUntil="soon" entityID=`)), 0, "not a time"},
		{"too many keys", metadata(nil, manyPairs(17)...), 0, "more than 16"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := readMetadata([]byte(row.text), "")
			switch {
			case row.reason != "":
				if err == nil || !strings.Contains(err.Error(), row.reason) {
					t.Fatalf("readMetadata = %v; want %q", err, row.reason)
				}
			case err != nil:
				t.Fatal(err)
			case len(p.certs) != row.keys || p.issuer != theIDP || p.sso != theSSO:
				t.Fatalf("readMetadata = %d keys, %s, %s", len(p.certs), p.issuer, p.sso)
			}
		})
	}
}

func manyPairs(n int) (pairs []*pair) {
	for range n {
		pairs = append(pairs, idpKey())
	}
	return pairs
}

// Metadata that was pasted expires as well.
func TestStaticMetadataExpires(t *testing.T) {
	l := newLab(t, func(c *Config) {
		c.SSOURL, c.IDPIssuer, c.IDPCertificates = "", "", nil
		c.IDPMetadata = metadata(func(s string) string { return within(t, s, "entityID=", `validUntil="2026-11-29T13:00:00Z" entityID=`) })
	}).start(t)
	document := signed(t, l.forged())
	l.now = noon.Add(time.Hour)
	if _, _, err := l.Begin(t.Context(), "s"); err == nil || !strings.Contains(err.Error(), "validUntil") {
		t.Fatalf("Begin = %v; want it to say that the metadata has expired", err)
	}
	if _, err := l.finish(t, document); err == nil {
		t.Fatal("Finish by metadata that has expired")
	}
}

package saml

import (
	"errors"
	"reflect"
	"testing"

	"postern/auth/mic"
)

// Whatever is done to a response, it is refused or it means what was signed.
func FuzzFinish(f *testing.F) {
	l := newLab(f, func(c *Config) { c.GroupsAttribute = "groups"; c.Attributes = []string{"mail"} })
	l.begin, l.id = []byte(`{"id":"_request"}`), "_request"
	good := []string{
		signed(f, l.forged()),
		signer{}.sign(f, l.forged().String(), onResponse),
		signer{}.sign(f, signed(f, l.forged()), onResponse),
	}
	for _, g := range good {
		f.Add(g)
	}
	f.Add(l.forged().String())
	f.Add(signer{by: wrongKey()}.sign(f, l.forged().String(), onAssertion))
	f.Add("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
	f.Add(`<?xml version="1.0" encoding="UTF-16"?><p:Response xmlns:p="` + nsProtocol + `"/>`)
	want, err := l.finish(f, good[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document string) {
		l.Provider.seen = seen{ids: map[string]struct{}{}, most: maxSeen}
		got, err := l.finish(t, document)
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("Finish = %+v; want %+v or an error", got, want)
		}
		if err != nil && !errors.Is(err, mic.ErrRefused) {
			t.Fatalf("Finish = %v; want ErrRefused", err)
		}
	})
}

// Metadata may be whatever a site serves.
func FuzzMetadata(f *testing.F) {
	f.Add(metadata(nil))
	f.Add(metadata(nil, weakKey()))
	f.Add("<!DOCTYPE x><x/>")
	f.Fuzz(func(t *testing.T, document string) {
		p, err := readMetadata([]byte(document), "")
		if err == nil && (p.issuer == "" || p.sso == "" || len(p.certs) == 0 || len(p.certs) > maxCertificates) {
			t.Fatalf("readMetadata = %+v", p)
		}
	})
}

package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestFind(t *testing.T) {
	c, err := parseClaims([]byte(`{"groups":["a"],"realm_access":{"roles":["b"],"x.y":"c"},"a.b":{"c":"d"},"a":{"b":{"c":"e"}},
		"https://app.example/groups":["f"],"no":null,"":{"":"g"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"groups": []any{"a"}, "realm_access.roles": []any{"b"}, "realm_access.x.y": "c", "https://app.example/groups": []any{"f"}, ".": "g",
		"a.b.c": "e", "no": nil, "nothing": nil, "groups.a": nil, "realm_access.none": nil, "realm_access.roles.0": nil,
	} {
		if got := c.find(path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func TestGroups(t *testing.T) {
	for in, want := range map[string][]string{
		`{}`: nil, `{"groups":null}`: nil, `{"groups":[]}`: nil, `{"groups":""}`: nil, `{"groups":"one"}`: {"one"},
		`{"groups":["b","a","b","",""]}`: {"a", "b"}, `{"groups":["CN=Å,DC=x"]}`: {"CN=Å,DC=x"}, `{"_claim_names":{"other":"s"}}`: nil,
	} {
		c, err := parseClaims([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.groups("groups"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

func TestAttributes(t *testing.T) {
	c, err := parseClaims([]byte(`{"s":"x","n":12345678901234567890,"t":true,"list":["a",1,false,null,{"b":1}],"o":{"in":"y"},"z":null,"empty":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.attributes([]string{"s", "n", "t", "list", "o", "o.in", "z", "empty", "missing"})
	want := map[string][]string{"s": {"x"}, "n": {"12345678901234567890"}, "t": {"true"}, "list": {"a", "1", "false"}, "o.in": {"y"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// Which keys may have made a signature with which algorithm.
func TestKeysFit(t *testing.T) {
	curve := func(c elliptic.Curve) any {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k.Public()
	}
	big16k := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 16383), E: 65537}
	for _, c := range []struct {
		key  jose.JSONWebKey
		fits string
	}{
		{jose.JSONWebKey{Key: rsaKey().Public()}, "RS256 RS384 RS512 PS256 PS384 PS512"},
		{jose.JSONWebKey{Key: rsaKey().Public(), Algorithm: "PS256"}, "PS256"},
		{jose.JSONWebKey{Key: rsaKey().Public(), Algorithm: "HS256"}, ""},
		{jose.JSONWebKey{Key: smallKey().Public()}, ""},
		{jose.JSONWebKey{Key: big16k}, ""},
		{jose.JSONWebKey{Key: rsaKey()}, ""},
		{jose.JSONWebKey{Key: []byte("symmetric")}, ""},
		{jose.JSONWebKey{Key: curve(elliptic.P256())}, "ES256"},
		{jose.JSONWebKey{Key: curve(elliptic.P384())}, "ES384"},
		{jose.JSONWebKey{Key: curve(elliptic.P521())}, "ES512"},
	} {
		var fit []string
		for _, a := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
			if fits(&c.key, a) {
				fit = append(fit, a)
			}
		}
		if got := strings.Join(fit, " "); got != c.fits {
			t.Errorf("%T %s: fits %q, want %q", c.key.Key, c.key.Algorithm, got, c.fits)
		}
	}
}

// The example of OpenID Connect Core, A.3 and A.4.
func TestLeftHash(t *testing.T) {
	if got := leftHash("RS256", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Errorf("at_hash %s", got)
	}
	for alg, size := range map[string]int{"RS256": 22, "ES384": 32, "PS512": 43, "EdDSA": 43} {
		if got := leftHash(alg, "x"); len(got) != size {
			t.Errorf("%s: %d characters, want %d", alg, len(got), size)
		}
	}
}

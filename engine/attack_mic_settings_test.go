package engine_test

import (
	"bytes"
	"net"
	"net/url"
	"strings"
	"testing"

	"postern/engine/store"
)

// The addresses of the network that the server stands in are not asked on behalf
// of a URL in the settings, unless they are allowed.
func TestAttackMICDiscoveryOfTheNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reached := make(chan struct{}, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case reached <- struct{}{}:
			default:
			}
			c.Close()
		}
	}()
	for _, allowed := range []bool{false, true} {
		s := startMIC(t, func(o *options) {
			if !allowed {
				o.config.ProviderNetworks = nil
			}
		})
		operator := s.operator()
		a := s.want(s.do("POST", "/v4/auth-services", operator, `{"name":"x","redirectUri":["`+micRedirect+`"],"provider":{"type":"OIDC","options":{"issuer":"http://`+l.Addr().String()+`","clientId":"c","clientSecret":"s3cret-of-c"}}}`), 201, "")
		id, _ := get(a.json(t), "id").(string)
		s.want(s.do("PUT", "/v4/environments/"+kid, operator, `{"defaultAuthServiceId":"`+id+`"}`), 200, "")
		a = s.do("GET", "/oauth/auth?"+s.auth().Encode(), "", "")
		if to, _ := url.Parse(a.header["Location"]); a.status != 302 || to.Query().Get("error") != "temporarily_unavailable" {
			t.Errorf("%d %s", a.status, a.header["Location"])
		}
		got := false
		select {
		case <-reached:
			got = true
		default:
		}
		if got != allowed {
			t.Errorf("allowed %t, reached %t", allowed, got)
		}
	}
}

// No secret of a provider and no token is stored in the open, shown or given back.
func TestAttackMICSecretsAtRest(t *testing.T) {
	driver := &keptStore{Driver: store.NewMemory()}
	s := startMIC(t, func(o *options) { o.driver = driver })
	operator := s.operator()
	const clientSecret = "s3cret-0f-the-client"
	a := s.want(s.do("POST", "/v4/auth-services", operator, `{"name":"x","provider":{"type":"OIDC","options":{"issuer":"https://idp.example","clientId":"c","clientSecret":"`+clientSecret+`"}}}`), 201, "")
	id, _ := get(a.json(t), "id").(string)
	attackLacks(t, "the answer", a, clientSecret, "sealed:")
	attackLacks(t, "the list", s.do("GET", "/v4/auth-services", operator, ""), clientSecret, "sealed:")
	b := s.want(s.do("GET", "/v4/auth-services/"+id, operator, ""), 200, "")
	attackLacks(t, "the service", b, clientSecret, "sealed:")
	// What is shown can be sent back, and the secret stays what it is; only here.
	s.want(s.do("PUT", "/v4/auth-services/"+id, operator, string(b.body)), 200, "")
	s.refused(s.do("POST", "/v4/auth-services", operator, string(bytes.ReplaceAll(b.body, []byte(id), []byte("x")))), 400, "ParameterValueOutOfRange")
	code := s.code()
	tokens := s.tokens(s.exchange(code))
	v, err := driver.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	rows := 0
	err = v.Scan(store.AllRows(), func(r store.Row) error {
		rows++
		for _, secret := range []string{clientSecret, tokens.access, tokens.refresh, code} {
			if bytes.Contains(r.Value, []byte(secret)) || strings.Contains(r.Key.ID, secret) {
				t.Errorf("%v holds a secret", r.Key)
			}
		}
		return nil
	})
	if err != nil || rows == 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
	for _, who := range []string{"", s.alice.session(), asApp, asMaster} {
		if a := s.do("GET", "/v4/auth-services/"+id, who, ""); a.status != 401 {
			t.Errorf("shown to %q: %d", who, a.status)
		}
	}
}

// Settings that would open a hole are refused when they are made.
func TestAttackMICBadSettings(t *testing.T) {
	s := startMIC(t)
	operator := s.operator()
	for name, body := range map[string]string{
		"script as redirect":  `{"name":"x","redirectUri":["javascript:alert(1)"],"provider":{"type":"local"}}`,
		"http to anywhere":    `{"name":"x","redirectUri":["http://example.com/cb"],"provider":{"type":"local"}}`,
		"a fragment":          `{"name":"x","redirectUri":["https://example.com/cb#x"],"provider":{"type":"local"}}`,
		"an unknown member":   `{"name":"x","allowPasswordgrants":true,"provider":{"type":"local"}}`,
		"an unknown option":   `{"name":"x","provider":{"type":"OIDC","options":{"issuer":"https://i.example","clientId":"c","clientSecret":"s","verifyNothing":true}}}`,
		"an unknown provider": `{"name":"x","provider":{"type":"Magic"}}`,
		"endless codes":       `{"name":"x","grantTtl":86400,"provider":{"type":"local"}}`,
		"plain LDAP":          `{"name":"x","provider":{"type":"LDAP","remoteService":"ldap://ldap.example","options":{"baseDn":"dc=example","bindDn":"cn=a","bindPassword":"p"}}}`,
		"groups of anybody":   `{"name":"x","mapping":{"groups":"sync","groupPrefix":"a"},"provider":{"type":"local"}}`,
		"a field of ours":     `{"name":"x","mapping":{"fields":{"_acl":"x"}},"provider":{"type":"local"}}`,
		"the name":            `{"name":"x","mapping":{"fields":{"username":"uid"}},"provider":{"type":"local"}}`,
		"no SAML certificate": `{"name":"x","provider":{"type":"SAML-Redirect","remoteService":"https://i.example","options":{"idpIssuer":"i"}}}`,
		"a foreign store":     `{"name":"x","identityStoreId":"nosuch","provider":{"type":"local"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s.refused(s.do("POST", "/v4/auth-services", operator, body), 400, "ParameterValueOutOfRange")
		})
	}
	s.refused(s.do("POST", "/v4/auth-services", s.alice.session(), `{"name":"x","provider":{"type":"local"}}`), 401, "InvalidCredentials")
}

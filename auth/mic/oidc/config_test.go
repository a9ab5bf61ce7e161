package oidc

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func good() *Config {
	return &Config{Issuer: "https://login.example/realms/one", ClientID: clientID, ClientSecret: clientSecret, RedirectURL: callback}
}

func goodPlain() *Config {
	return &Config{
		GrantEndpoint: "https://login.example/auth", TokenEndpoint: "https://login.example/token", UserIDEndpoint: "https://api.example/me",
		ClientID: clientID, ClientSecret: clientSecret, RedirectURL: callback,
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []*Config{good(), goodPlain()} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	long := strings.Repeat("x", maxSecret+1)
	for what, change := range map[string]func(*Config){
		"issuer: missing":                   func(c *Config) { c.Issuer = "" },
		"issuer: must be an absolute":       func(c *Config) { c.Issuer = "login.example" },
		"issuer: must be an absolute https": func(c *Config) { c.Issuer = "ftp://login.example" },
		"issuer: must be an":                func(c *Config) { c.Issuer = "https:///path" },
		"issuer: must be a":                 func(c *Config) { c.Issuer = "https://:443" },
		"issuer: must have no user":         func(c *Config) { c.Issuer = "https://a@login.example" },
		"issuer: must have no fragment":     func(c *Config) { c.Issuer = "https://login.example/#x" },
		"issuer: must have no query":        func(c *Config) { c.Issuer = "https://login.example/?x" },
		"issuer: must be at most":           func(c *Config) { c.Issuer = "https://login.example/" + long },
		"not with an issuer":                func(c *Config) { c.TokenEndpoint = "https://login.example/token" },
		"clientId: must be 1":               func(c *Config) { c.ClientID = "" },
		"clientId: must be":                 func(c *Config) { c.ClientID = "a\nb" },
		"clientSecret: must":                func(c *Config) { c.ClientSecret = long },
		"authMethod: must be":               func(c *Config) { c.AuthMethod = "private_key_jwt" },
		"needs a clientSecret":              func(c *Config) { c.AuthMethod, c.ClientSecret = authPost, "" },
		"authMethod: none":                  func(c *Config) { c.AuthMethod = authNone },
		"redirectUrl: must have no":         func(c *Config) { c.RedirectURL += "#" },
		"prompt: must be":                   func(c *Config) { c.Prompt = "create" },
		"prompt: none goes":                 func(c *Config) { c.Prompt = "none login" },
		"algorithms: must":                  func(c *Config) { c.Algorithms = []string{"RS256", "none"} },
		"algorithms: must be":               func(c *Config) { c.Algorithms = []string{"HS256"} },
		"leeway: must":                      func(c *Config) { c.Leeway = 301 },
		"leeway: must be":                   func(c *Config) { c.Leeway = -1 },
		"scopes: each":                      func(c *Config) { c.Scopes = []string{"a b"} },
		"scopes: at most":                   func(c *Config) { c.Scopes = make([]string, maxListed+1) },
		"acrValues: each":                   func(c *Config) { c.ACRValues = []string{""} },
		"attributes: each":                  func(c *Config) { c.Attributes = []string{"a\x00"} },
		"audience: each":                    func(c *Config) { c.Audience = []string{long} },
		"groupsClaim: must":                 func(c *Config) { c.GroupsClaim = long },
		"subjectClaim: must":                func(c *Config) { c.SubjectClaim = "\n" },
	} {
		c := good()
		change(c)
		refuse(t, c, what)
	}
	for what, change := range map[string]func(*Config){
		"tokenEndpoint: missing":          func(c *Config) { c.TokenEndpoint = "" },
		"grantEndpoint: missing":          func(c *Config) { c.GrantEndpoint = "" },
		"userIdEndpoint: missing":         func(c *Config) { c.UserIDEndpoint = "" },
		"grantEndpoint: must be https":    func(c *Config) { c.GrantEndpoint = "http://login.example/auth" },
		"userIdEndpoint: must be https":   func(c *Config) { c.UserIDEndpoint = "http://login.example/me" },
		"grantEndpoint: must be an abs":   func(c *Config) { c.GrantEndpoint = "javascript:alert(1)" },
		"only with an issuer":             func(c *Config) { c.UserInfo = true },
		"only with":                       func(c *Config) { c.ACRValues = []string{"mfa"} },
		"userIdAttribute: must be at mos": func(c *Config) { c.UserIDAttribute = long },
	} {
		c := goodPlain()
		change(c)
		refuse(t, c, what)
	}
}

func refuse(t *testing.T, c *Config, says string) {
	t.Helper()
	err := c.Validate()
	if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), clientSecret) {
		t.Errorf("%v, want %q", err, says)
	}
	c.HTTP, c.Rand = http.DefaultClient, strings.NewReader("")
	if _, err := New(c); err == nil {
		t.Errorf("made all the same: %q", says)
	}
}

// What the caller has to give is missed by New only.
func TestNewNeeds(t *testing.T) {
	for i, change := range []func(*Config){
		func(c *Config) {}, func(c *Config) { c.HTTP = nil }, func(c *Config) { c.Rand = nil }, func(c *Config) { c.RedirectURL = "" },
	} {
		c := good()
		c.HTTP, c.Rand = http.DefaultClient, strings.NewReader("")
		change(c)
		p, err := New(c)
		if (err == nil) != (i == 0) || c.Validate() != nil {
			t.Errorf("%d: %v, %v", i, err, c.Validate())
		}
		if i == 0 {
			if p.c.Now == nil || p.Close() != nil || p.Close() != nil {
				t.Error("not as promised")
			}
		}
	}
}

func TestConfigJSON(t *testing.T) {
	const all = `{"issuer":"a","clientId":"b","clientSecret":"c","authMethod":"d","redirectUrl":"e","scopes":["f"],"prompt":"g","acrValues":["h"],` +
		`"subjectClaim":"i","groupsClaim":"j","attributes":["k"],"userInfo":true,"audience":["l"],"algorithms":["m"],"leeway":5,` +
		`"grantEndpoint":"n","tokenEndpoint":"o","userIdEndpoint":"p","userIdAttribute":"q"}`
	var c Config
	if err := json.Unmarshal([]byte(all), &c); err != nil {
		t.Fatal(err)
	}
	c.HTTP, c.Now, c.Rand = http.DefaultClient, time.Now, strings.NewReader("")
	b, err := json.Marshal(&c)
	if err != nil || string(b) != all {
		t.Errorf("%s, %v\nwant %s", b, err, all)
	}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not in the test", v.Type().Field(i).Name)
		}
	}
}

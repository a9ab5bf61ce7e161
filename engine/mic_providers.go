package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"postern/auth/mic"
	"postern/auth/mic/fetch"
	"postern/auth/mic/ldap"
	"postern/auth/mic/oidc"
	"postern/auth/mic/saml"
	"postern/engine/document"
)

// micState is what Mobile Identity Connect holds in memory.
type micState struct {
	e      *Engine
	logins *mic.Flows[mic.Request]
	codes  *mic.Flows[micCode]
	forms  *mic.Flows[url.Values] // what a provider had a browser send, until that brings its cookie

	mu        sync.Mutex // guards below
	providers map[string]*openProvider
	refreshes map[string]chan struct{} // handles of grants that are being refreshed; closed at the end
}

// An openProvider is one that is in use, with what it was made from.
type openProvider struct {
	mic.Provider
	version uint64
}

func newMicState(e *Engine) *micState {
	return &micState{
		e:         e,
		logins:    mic.NewFlows[mic.Request](pageTTL, maxFlows),
		codes:     mic.NewFlows[micCode](maxGrantTTL*time.Second, maxFlows),
		forms:     mic.NewFlows[url.Values](time.Minute, maxFlows/50), // of maxCallback each: 100 MiB
		providers: map[string]*openProvider{},
		refreshes: map[string]chan struct{}{},
	}
}

// alone waits until nobody else refreshes the grant, and returns what lets the
// next one.
func (m *micState) alone(handle string) (done func()) {
	for {
		m.mu.Lock()
		other, busy := m.refreshes[handle]
		if !busy {
			mine := make(chan struct{})
			m.refreshes[handle] = mine
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.refreshes, handle)
				m.mu.Unlock()
				close(mine)
			}
		}
		m.mu.Unlock()
		<-other
	}
}

// provider returns the provider of a service, made when it is first asked for
// and anew when the settings have changed. A local one has none: nil.
func (m *micState) provider(s *authService) (mic.Provider, error) {
	if s.Provider.Type == kindLocal {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.providers[s.ID]
	if ok && old.version >= s.Version {
		return old.Provider, nil
	}
	p, err := m.e.makeProvider(s)
	if err != nil {
		return nil, fmt.Errorf("auth service %s: %w", s.ID, err)
	}
	if ok {
		_ = old.Close() // what it is asked meanwhile ends as with a provider that is down
	}
	m.providers[s.ID] = &openProvider{p, s.Version}
	return p, nil
}

// close ends the connections to all providers.
func (m *micState) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for id, p := range m.providers {
		errs = append(errs, p.Close())
		delete(m.providers, id)
	}
	return errors.Join(errs...)
}

// makeProvider makes the provider of a stored service.
func (e *Engine) makeProvider(s *authService) (mic.Provider, error) {
	s, err := e.open(s)
	if err != nil {
		return nil, err
	}
	return e.newProvider(s)
}

// newProvider makes the provider of a service whose secrets are open. It asks
// nobody.
func (e *Engine) newProvider(s *authService) (mic.Provider, error) {
	options := s.options()
	switch s.Provider.Type {
	case kindOIDC, kindOAuth2:
		c := oidc.Config{}
		if err := decodeOptions(options, &c); err != nil {
			return nil, err
		}
		c.RedirectURL = e.config.PublicURL + backPath + s.ID
		c.HTTP, c.Now, c.Rand = fetch.New(e.reach()), e.config.Clock, lockedRandom{e}
		return oidc.New(&c)
	case kindSAML:
		c, err := e.samlConfig(s)
		if err != nil {
			return nil, err
		}
		return saml.New(*c)
	case kindLDAP, kindAD:
		c := ldap.Config{}
		if err := decodeOptions(options, &c); err != nil {
			return nil, err
		}
		c.ActiveDirectory = s.Provider.Type == kindAD
		c.Now = e.config.Clock
		return ldap.New(c)
	}
	return nil, fmt.Errorf("provider.type is %s, %s, %s, %s, %s or %s", kindOIDC, kindOAuth2, kindSAML, kindLDAP, kindAD, kindLocal)
}

// samlConfig is the configuration of a SAML provider.
func (e *Engine) samlConfig(s *authService) (*saml.Config, error) {
	c := new(saml.Config)
	if err := decodeOptions(s.options(), c); err != nil {
		return nil, err
	}
	if c.EntityID == "" {
		c.EntityID = e.config.PublicURL + metadataPath + s.ID
	}
	c.ACSURL = e.config.PublicURL + backPath + s.ID
	c.HTTP, c.Now, c.Rand = fetch.New(e.reach()), e.config.Clock, lockedRandom{e}
	return c, nil
}

// reach says where providers' HTTP servers may be.
func (e *Engine) reach() fetch.Policy { return fetch.Policy{Allow: e.config.ProviderNetworks} }

// metadataPath is where a SAML provider finds what it must know of us.
const metadataPath = "/oauth2/saml/"

// passedOver are options of Kinvey's that have no meaning here, by the kind of
// provider. All others are the members of the Config of its package.
var passedOver = map[string][]string{
	kindOIDC:   {"grantType", "grantEndpoint", "userIdEndpoint", "userIdAttribute", "includeClientIdInTokenRequest", "includeClientSecretInTokenRequest"},
	kindOAuth2: {"grantType", "includeClientIdInTokenRequest", "includeClientSecretInTokenRequest"},
	kindSAML:   {"audience", "audiance", "logoutUri", "wrapScope", "baseDn", "proxy"},
}

// options returns the options of a service's provider under the names of its
// package, with what Kinvey says in other places or words brought there.
func (s *authService) options() map[string]json.RawMessage {
	p := &s.Provider
	o := maps.Clone(p.Options)
	if o == nil {
		o = map[string]json.RawMessage{}
	}
	quote := func(text string) json.RawMessage { return document.AppendQuote(nil, text) }
	set := func(name string, value json.RawMessage) {
		if _, ok := o[name]; !ok {
			o[name] = value
		}
	}
	rename := func(from, to string) {
		if v, ok := o[from]; ok {
			delete(o, from)
			set(to, v)
		}
	}
	list := func(name string) {
		if v, ok := o[name]; ok && bytes.HasPrefix(v, []byte(`"`)) {
			o[name] = json.RawMessage("[" + string(v) + "]")
		}
	}
	var attributes []json.RawMessage
	for _, a := range p.AllowedAttributes {
		if a != "id" && a != "audience" {
			attributes = append(attributes, quote(a))
		}
	}
	if len(attributes) > 0 {
		b, _ := json.Marshal(attributes) // of texts: cannot fail
		set("attributes", b)
	}
	switch p.Type {
	case kindOIDC, kindOAuth2:
		rename("issuerId", "issuer")
		if v, ok := o["scope"]; ok {
			delete(o, "scope")
			var scopes []json.RawMessage
			for _, word := range bytes.Fields([]byte(document.Trusted(v).Text())) {
				scopes = append(scopes, quote(string(word)))
			}
			b, _ := json.Marshal(scopes)
			set("scopes", b)
		}
		if p.RemoteService != "" && p.Type == kindOIDC {
			set("issuer", quote(p.RemoteService))
		} else if p.RemoteService != "" {
			set("tokenEndpoint", quote(p.RemoteService))
		}
		if a := p.Authentication; a != nil {
			set("clientId", quote(a.Username))
			set("clientSecret", quote(a.Password))
		}
	case kindSAML:
		rename("issuer", "entityId")
		rename("idpCertificate", "idpCertificates")
		list("idpCertificates")
		if p.RemoteService != "" {
			set("ssoUrl", quote(p.RemoteService))
		}
	case kindLDAP, kindAD:
		if p.RemoteService != "" {
			set("url", json.RawMessage("["+string(quote(p.RemoteService))+"]"))
		}
		list("url")
		if a := p.Authentication; a != nil {
			set("bindDn", quote(a.Username))
			set("bindPassword", quote(a.Password))
		}
	}
	for _, name := range passedOver[p.Type] {
		if p.Type == kindOIDC || name != "grantEndpoint" {
			delete(o, name)
		}
	}
	return o
}

// decodeOptions reads options into a Config. One that it does not have is an
// error.
func decodeOptions(options map[string]json.RawMessage, config any) error {
	b, err := json.Marshal(options)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(config); err != nil {
		return fmt.Errorf("provider.options: %w", err)
	}
	return nil
}

// lockedRandom is the engine's randomness for many.
type lockedRandom struct{ e *Engine }

func (r lockedRandom) Read(b []byte) (int, error) {
	r.e.readRandom(b)
	return len(b), nil
}

// testService walks as far through a login as it comes without a browser, and
// tells each step.
func (e *Engine) testService(s *authService, username, password string, step func(string, error)) error {
	if s.Provider.Type == kindLocal {
		step("the users are those of the environment: there is nothing to be reached", nil)
		return nil
	}
	p, err := e.makeProvider(s)
	step("read the settings and open their secrets", err)
	if err != nil {
		return err
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(mic.Trace(context.Background(), step), providerTime)
	defer cancel()
	var account *mic.Account
	switch p := p.(type) {
	case mic.Redirects:
		to, _, err := p.Begin(ctx, mic.NewSecret(e.Random()))
		if err != nil {
			return err
		}
		where, _, _ := bytes.Cut([]byte(to), []byte("?"))
		step("the browser would be sent to "+string(where)+"; the rest takes a browser", nil)
		return nil
	case mic.Passwords:
		if username == "" {
			return errors.New("this kind of provider is tested with a username and a password")
		}
		if account, err = p.Check(ctx, username, password); err != nil {
			return err
		}
	}
	if err := checkAccount(account); err != nil {
		return err
	}
	step(fmt.Sprintf("he is %q", account.Subject), nil)
	for _, name := range slices.Sorted(maps.Keys(account.Attributes)) {
		step(fmt.Sprintf("attribute %s: %q", name, account.Attributes[name]), nil)
	}
	for _, name := range account.Groups {
		to := s.Mapping.group(name)
		if to == "" {
			to = "none"
		}
		step(fmt.Sprintf("group %q: here %s", name, to), nil)
	}
	if account.Kept != nil {
		_, err := p.Ask(ctx, account.Kept)
		step("ask again, as at a refresh", err)
		return err
	}
	step("it cannot be asked again: a refresh does not notice who is gone", nil)
	return nil
}

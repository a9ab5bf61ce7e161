package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"postern/auth"
	"postern/auth/mic"
	"postern/engine/document"
)

// An authService is an identity provider as the apps of this server use it, in
// the words of the management API. It belongs to an identity store; the
// environments of that store may use it, and each names one as its default. A
// stored one holds its secrets sealed.
type authService struct {
	ID            string       `json:"id"`
	Name          string       `json:"name"`
	Description   string       `json:"description,omitempty"`
	IdentityStore string       `json:"identityStoreId"`
	RedirectURI   []string     `json:"redirectUri"`
	GrantTTL      int          `json:"grantTtl"`   // seconds that a code or a temporary login URI lives
	TokenTTL      int          `json:"tokenTtl"`   // seconds that an access token lives
	Refresh       bool         `json:"refresh"`    // whether there are refresh tokens
	RefreshTTL    int          `json:"refreshTtl"` // seconds that one lives
	Provider      authProvider `json:"provider"`

	// What Kinvey does not have.

	// AllowPasswordGrant and AllowTemporaryURI let an app take its user's password
	// and pass it on. Otherwise it is typed into a page of this server only.
	AllowPasswordGrant bool `json:"allowPasswordGrant"`
	AllowTemporaryURI  bool `json:"allowTemporaryUri"`
	// RequirePKCE refuses apps that do not prove to have begun what they end.
	RequirePKCE bool `json:"requirePkce"`
	// EndOnLogout ends the grant with the session: "logout leaves the MIC session
	// alive" otherwise, as the guide says.
	EndOnLogout bool `json:"endMicOnLogout"`
	// LocalFallback lets the environment's own users in by name and password while
	// the directory is down; those that the directory owns it never lets in.
	LocalFallback bool       `json:"localFallback"`
	Mapping       micMapping `json:"mapping"`

	// Kept and shown again, without effect.
	CustomizedLogin json.RawMessage `json:"customizedLogin,omitempty"`
	Access          json.RawMessage `json:"access,omitempty"`

	Version uint64 `json:"version"` // of the settings; counted up by each change
}

// authProvider says which provider, and how to reach it.
type authProvider struct {
	Type              string                     `json:"type"` // one of the kinds below
	RemoteService     string                     `json:"remoteService,omitempty"`
	Authentication    *authAccount               `json:"authentication,omitempty"`
	AllowedAttributes []string                   `json:"allowedAttributes,omitempty"`
	Options           map[string]json.RawMessage `json:"options,omitempty"`

	DatalinkHeaderMapping  json.RawMessage `json:"datalinkHeaderMapping,omitempty"`
	UniqueUserContextField json.RawMessage `json:"uniqueUserContextField,omitempty"`
}

// authAccount is this server's own account at a provider.
type authAccount struct {
	Username string `json:"username"`
	Password string `json:"password"` // sealed when it is stored
}

// The kinds of provider.
const (
	kindOIDC   = "OIDC"
	kindOAuth2 = "OAuth2"
	kindSAML   = "SAML-Redirect"
	kindLDAP   = "LDAP"
	kindAD     = "AD"
	kindLocal  = "local" // the users of the environment itself
)

// secretOptions are the options of a provider that are sealed.
var secretOptions = []string{"clientSecret", "bindPassword", "key"}

// shownSecret stands for a secret wherever a service is shown. Sent back, it
// leaves the secret as it is.
const shownSecret = "********"

const (
	usualGrantTTL   = 10
	usualTokenTTL   = 3600
	usualRefreshTTL = 14 * 24 * 3600
	maxGrantTTL     = 600
	maxServiceBytes = 256 << 10
)

// readService reads the settings of a service as a client sent them. A member
// that means nothing is an error: a mistyped one would leave a door open.
func readService(doc document.Value) (*authService, error) {
	if len(doc.Raw()) > maxServiceBytes {
		return nil, fault(errTooLarge, "an auth service has at most %d bytes", maxServiceBytes)
	}
	s := &authService{GrantTTL: usualGrantTTL, TokenTTL: usualTokenTTL, RefreshTTL: usualRefreshTTL, Refresh: true}
	d := json.NewDecoder(bytes.NewReader(doc.Raw()))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fault(errOutOfRange, "an auth service: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return s, nil
}

// check refuses settings with which nobody could log in, or too many. The
// secrets are open.
func (s *authService) check() error {
	bad := func(format string, args ...any) error { return fault(errOutOfRange, format, args...) }
	if s.Name == "" || len(s.Name) > 200 {
		return bad("name has 1 to 200 bytes")
	}
	for _, span := range []struct {
		name      string
		n, lo, hi int
	}{{"grantTtl", s.GrantTTL, 1, maxGrantTTL}, {"tokenTtl", s.TokenTTL, 1, 31 * 24 * 3600}, {"refreshTtl", s.RefreshTTL, 1, 10 * 365 * 24 * 3600}} {
		if span.n < span.lo || span.n > span.hi {
			return bad("%s is %d to %d seconds", span.name, span.lo, span.hi)
		}
	}
	if len(s.RedirectURI) > 100 {
		return bad("a service has at most 100 redirect URIs")
	}
	for _, uri := range s.RedirectURI {
		if err := mic.CheckRedirect(uri); err != nil {
			return bad("redirectUri %q: %s", uri, err)
		}
	}
	if kind := s.Provider.Type; s.LocalFallback && kind != kindLDAP && kind != kindAD {
		return bad("localFallback is for %s and %s: other providers have a page of their own", kindLDAP, kindAD)
	}
	return s.Mapping.check()
}

// local tells whether users of the environment itself may log in by the service.
func (s *authService) local() bool { return s.Provider.Type == kindLocal || s.LocalFallback }

// purpose is what a secret of a service is sealed for.
func (s *authService) purpose(name string) string { return "auth service " + s.ID + " " + name }

// eachSecret calls fn with every secret of a service, to replace it.
func (s *authService) eachSecret(fn func(name, secret string) (string, error)) error {
	if a := s.Provider.Authentication; a != nil && a.Password != "" {
		password, err := fn("authentication", a.Password)
		if err != nil {
			return err
		}
		s.Provider.Authentication = &authAccount{a.Username, password}
	}
	options := maps.Clone(s.Provider.Options)
	for _, name := range secretOptions {
		raw, ok := options[name]
		if !ok {
			continue
		}
		var secret string
		if err := json.Unmarshal(raw, &secret); err != nil {
			return fault(errOutOfRange, "%s must be a string", name)
		}
		if secret == "" {
			delete(options, name)
			continue
		}
		secret, err := fn(name, secret)
		if err != nil {
			return err
		}
		options[name] = document.AppendQuote(nil, secret)
	}
	s.Provider.Options = options
	return nil
}

// errNoSealKey refuses to store a secret where it would lie in the open.
var errNoSealKey = fault(errConfiguration, "this server has no key to seal secrets with; start it with --secret-key")

// keepSecrets brings the secrets of before into a service where it was sent with
// what stands for them.
func (s *authService) keepSecrets(before *authService) error {
	known := map[string]string{}
	if before != nil {
		b := *before
		_ = b.eachSecret(func(name, secret string) (string, error) { known[name] = secret; return secret, nil })
	}
	return s.eachSecret(func(name, secret string) (string, error) {
		if auth.Sealed(secret) {
			return "", fault(errOutOfRange, "%s: this is not a secret", name)
		}
		if secret != shownSecret {
			return secret, nil
		}
		if known[name] == "" {
			return "", fault(errOutOfRange, "%s: there is no secret to be kept", name)
		}
		return known[name], nil
	})
}

// seal makes of a service whose new secrets are open one that can be stored.
func (e *Engine) seal(s *authService) error {
	return s.eachSecret(func(name, secret string) (string, error) {
		switch {
		case auth.Sealed(secret):
			return secret, nil
		case e.config.SealKey == nil:
			return "", errNoSealKey
		}
		return e.config.SealKey.Seal(e.Random(), s.purpose(name), secret)
	})
}

// open returns a stored service with its secrets open.
func (e *Engine) open(s *authService) (*authService, error) {
	o := *s
	err := o.eachSecret(func(name, secret string) (string, error) {
		if !auth.Sealed(secret) {
			return secret, nil
		}
		if e.config.SealKey == nil {
			return "", errNoSealKey
		}
		return e.config.SealKey.Open(o.purpose(name), secret)
	})
	if err != nil {
		return nil, fmt.Errorf("the secrets of auth service %s: %w", s.ID, err)
	}
	return &o, nil
}

// describe shows a service, without its secrets.
func (s *authService) describe() ([]byte, error) {
	o := *s
	if err := o.eachSecret(func(string, string) (string, error) { return shownSecret, nil }); err != nil {
		return nil, err
	}
	return json.Marshal(&o)
}

// identityStore is what environments share the services of.
type identityStore struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Access json.RawMessage `json:"access,omitempty"` // kept, without effect
}

// Settings of an environment: names of its identity store and its default
// service.
const (
	settingStore   = "identityStoreId"
	settingService = "defaultAuthServiceId"
)

// text returns a setting that is a string.
func (c *appConfig) text(setting string) string {
	raw, ok := c.Settings[setting]
	if !ok {
		return ""
	}
	return document.Trusted(raw).Text()
}

// errNoService says that a client_id leads nowhere.
var errNoService = errors.New("no such auth service")

// service finds the service that an app means by an id, its default one by "".
// A service of a store that is not the app's own is none of it.
func (s *systemState) service(c *appConfig, id string) (*authService, error) {
	byDefault := c.text(settingService)
	if id == "" {
		id = byDefault
	}
	service, ok := s.services.Get(id)
	if !ok || id != byDefault && (service.IdentityStore == "" || service.IdentityStore != c.text(settingStore)) {
		return nil, errNoService
	}
	return service, nil
}

// servicesOf lists the services that an app may use.
func (s *systemState) servicesOf(c *appConfig) []*authService {
	var all []*authService
	s.services.Scan(func(id string, service *authService) bool {
		if _, err := s.service(c, id); err == nil {
			all = append(all, service)
		}
		return true
	})
	return all
}

// A micMapping says what of an account at a provider becomes of the user here.
type micMapping struct {
	// Fields are names of fields of the user, each with the attribute that it is
	// set from at every login. A field whose attribute the provider does not give
	// is left as it is.
	Fields map[string]string `json:"fields,omitempty"`
	// Groups says when the user's groups here follow those there: "sync", at every
	// login and refresh, leaving included; "add", likewise, but nobody leaves;
	// "first", at the first login; "" never.
	Groups string `json:"groups,omitempty"`
	// Prefix begins the ids of the groups that are mapped onto. Only the master
	// makes groups whose id begins so.
	Prefix string `json:"groupPrefix,omitempty"`
	// Names are groups at the provider, each with the id that the group has here,
	// without the prefix. Others are passed over, unless AllGroups takes them under
	// their own names.
	Names     map[string]string `json:"groupNames,omitempty"`
	AllGroups bool              `json:"allGroups,omitempty"`
}

const (
	groupsSync  = "sync"
	groupsAdd   = "add"
	groupsFirst = "first"
	usualPrefix = "idp:"
)

func (m *micMapping) check() error {
	switch m.Groups {
	case "", groupsSync, groupsAdd, groupsFirst:
	default:
		return fault(errOutOfRange, "mapping.groups is sync, add, first or empty")
	}
	if m.Prefix == "" {
		m.Prefix = usualPrefix
	}
	if len(m.Prefix) < 2 || len(m.Prefix) > 64 || validID(m.Prefix) != nil || !strings.HasSuffix(m.Prefix, ":") {
		return fault(errOutOfRange, "mapping.groupPrefix has 2 to 64 bytes and ends with a colon")
	}
	if len(m.Fields) > 50 || len(m.Names) > 1000 {
		return fault(errOutOfRange, "a mapping has at most 50 fields and 1000 groups")
	}
	for field, attribute := range m.Fields {
		if field == "" || len(field) > 100 || attribute == "" || strings.HasPrefix(field, "_") || strings.ContainsAny(field, "$.\x00") ||
			slices.Contains([]string{"username", "password"}, field) {
			return fault(errOutOfRange, "mapping.fields: %q cannot be set from an attribute", field)
		}
	}
	for _, to := range m.Names {
		if validID(m.Prefix+to) != nil || to == "" {
			return fault(errOutOfRange, "mapping.groupNames: %q is no id of a group", to)
		}
	}
	return nil
}

// group returns the id of the group here that stands for one at the provider,
// "" for none.
func (m *micMapping) group(name string) string {
	to, ok := m.Names[name]
	if !ok {
		if !m.AllGroups {
			return ""
		}
		to = name
	}
	id := m.Prefix + to
	if to == "" || validID(id) != nil {
		return ""
	}
	return id
}

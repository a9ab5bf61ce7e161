package ldap

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// A Config says where a directory is and how accounts are found in it. New keeps
// a copy. The zero values of the optional fields are sensible ones.
type Config struct {
	// URL are the servers of one directory, ldaps://host[:port] or ldap://host[:port],
	// 1 to 10, in the order in which they are tried.
	URL []string `json:"url"`
	// StartTLS turns connections to ldap:// into TLS before anything is said.
	StartTLS bool `json:"startTLS,omitempty"`
	// AllowPlain lets passwords cross a network in plain text: ldap:// without
	// StartTLS to where is not loopback.
	AllowPlain bool `json:"allowPlain,omitempty"`
	// CACertificates are the certificates, in PEM, that vouch for the servers' own.
	// Empty: those that the system trusts.
	CACertificates string `json:"caCertificates,omitempty"`
	// Timeout of a connection and of each question, in seconds, 1 to 60; 0: 5. A
	// whole login takes four times as long at most.
	Timeout int `json:"timeout,omitempty"`

	// BindDN and BindPassword are the service account, which may read users and
	// groups. Without it there must be a UserDNTemplate, or it is Active Directory,
	// and nobody can be asked about again (mic.Provider.Ask).
	BindDN       string `json:"bindDn,omitempty"`
	BindPassword string `json:"bindPassword,omitempty"`

	// BaseDN is the entry that users are below. Empty: the end of UserDNTemplate, or
	// the Domain's.
	BaseDN string `json:"baseDn,omitempty"`
	// UserFilter finds the entry of a name, {username}, and leaves out who may not log
	// in. Empty: (&(objectClass=inetOrgPerson)(uid={username})). With UserDNTemplate
	// the entry must pass it, if it is there. In Active Directory without {username}
	// it is what an entry must be besides having the name; empty:
	// (&(objectCategory=person)(objectClass=user)).
	UserFilter string `json:"userFilter,omitempty"`
	// UserDNTemplate makes the DN of a name without a search:
	// uid={username},ou=people,dc=example,dc=org.
	UserDNTemplate string `json:"userDnTemplate,omitempty"`
	// SubjectAttribute is what is stored as the identity; it must never be given to a
	// second account. Empty: entryUUID, or objectGUID in Active Directory.
	SubjectAttribute string `json:"subjectAttribute,omitempty"`
	// Attributes are those that an Account has, at most 50. nil: names and mail.
	Attributes []string `json:"attributes,omitempty"`
	// DisabledFilter matches the entries of accounts that are disabled, besides what
	// is looked at anyhow. Empty: none.
	DisabledFilter string `json:"disabledFilter,omitempty"`

	// NoGroups leaves groups alone.
	NoGroups bool `json:"noGroups,omitempty"`
	// GroupBaseDN is the entry that groups are below; others do not count. Empty:
	// BaseDN.
	GroupBaseDN string `json:"groupBaseDn,omitempty"`
	// GroupFilter finds the groups with the member {dn}, or with the member whose uid
	// attribute is {uid}. Empty: groupOfNames, groupOfUniqueNames and posixGroup. In
	// Active Directory, and with GroupsByMemberOf, it has neither and is what a group
	// must be; empty: (objectClass=group), or anything.
	GroupFilter string `json:"groupFilter,omitempty"`
	// GroupAttribute is the name of a group; "dn" is its DN. Empty: cn. Whoever may
	// create a group below GroupBaseDN may give it the name of another.
	GroupAttribute string `json:"groupAttribute,omitempty"`
	// GroupsByMemberOf reads the memberOf attribute instead of searching for members.
	GroupsByMemberOf bool `json:"groupsByMemberOf,omitempty"`
	// NestedGroups counts the groups that hold a group of the user, too.
	NestedGroups bool `json:"nestedGroups,omitempty"`

	// ActiveDirectory says that the servers are domain controllers.
	ActiveDirectory bool `json:"activeDirectory,omitempty"`
	// Domain is the DNS name of the Active Directory domain: corp.example.com.
	Domain string `json:"domain,omitempty"`
	// NetBIOSDomain is what may stand before the \ of a name. Empty: the first label of
	// Domain.
	NetBIOSDomain string `json:"netbiosDomain,omitempty"`

	// Now tells the time; nil: time.Now. Waiting for the network goes by the clock of
	// the system all the same.
	Now func() time.Time `json:"-"`
	// Dial connects to a host and port; nil: a net.Dialer. It is where a policy on
	// addresses belongs.
	Dial func(ctx context.Context, network, address string) (net.Conn, error) `json:"-"`
}

const (
	maxURLs       = 10
	maxAttributes = 50
	maxTimeout    = 60
	usualTimeout  = 5
	maxText       = 4 << 10   // bytes of one filter or DN of a Config
	maxPEM        = 256 << 10 // bytes of CACertificates

	forUser = "{username}"
	forDN   = "{dn}"
	forUID  = "{uid}"

	usualUserFilter   = "(&(objectClass=inetOrgPerson)(uid={username}))"
	usualADUserFilter = "(&(objectCategory=person)(objectClass=user))"
	usualGroupFilter  = "(|(&(objectClass=groupOfNames)(member={dn}))(&(objectClass=groupOfUniqueNames)(uniqueMember={dn}))(&(objectClass=posixGroup)(memberUid={uid})))"
	anything          = "(objectClass=*)"
)

var (
	usualAttributes   = []string{"uid", "cn", "sn", "givenName", "displayName", "mail"}
	usualADAttributes = []string{"sAMAccountName", "userPrincipalName", "cn", "sn", "givenName", "displayName", "mail"}
)

// secretAttributes may not be asked for: they end up in the user's fields.
var secretAttributes = []string{
	"userPassword", "unicodePwd", "authPassword", "sambaNTPassword", "sambaLMPassword", "krbPrincipalKey",
	"pwdHistory", "supplementalCredentials", "dBCSPwd", "lmPwdHistory", "ntPwdHistory", "ms-Mcs-AdmPwd",
}

// Validate says what is wrong with a Config, naming the field as JSON does; nil:
// New takes it. It holds no secret.
func (c *Config) Validate() error {
	_, err := c.normal()
	return err
}

// normal is a Config with everything set that is used later.
type normal struct {
	Config
	servers  []*server
	roots    *x509.CertPool
	template *template // nil: users are searched for
	timeout  time.Duration
}

func (c *Config) normal() (*normal, error) {
	n := &normal{Config: *c}
	n.URL, n.Attributes = slices.Clone(c.URL), slices.Clone(c.Attributes)
	if n.Timeout == 0 {
		n.Timeout = usualTimeout
	}
	if n.Timeout < 1 || n.Timeout > maxTimeout {
		return nil, fmt.Errorf("timeout: %d seconds are not in 1 to %d", c.Timeout, maxTimeout)
	}
	n.timeout = time.Duration(n.Timeout) * time.Second
	if n.Now == nil {
		n.Now = time.Now
	}
	if n.Dial == nil {
		n.Dial = (&net.Dialer{Timeout: n.timeout}).DialContext
	}
	for _, step := range []func() error{n.connections, n.domain, n.users, n.groups} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *normal) connections() error {
	if len(n.URL) == 0 || len(n.URL) > maxURLs {
		return fmt.Errorf("url: 1 to %d addresses of servers are needed, like ldaps://ldap.example.org", maxURLs)
	}
	for _, text := range n.URL {
		s, err := parseServer(text)
		if err != nil {
			return fmt.Errorf("url: %w", err)
		}
		switch {
		case s.tls && n.StartTLS:
			return fmt.Errorf("startTLS: %s is TLS from the first byte; use an ldap:// address or leave startTLS out", s)
		case !s.tls && !n.StartTLS && !n.AllowPlain && !loopback(s.host):
			return fmt.Errorf("url: %s would carry passwords in plain text: use ldaps://, or startTLS, or say allowPlain", s)
		}
		n.servers = append(n.servers, s)
	}
	if n.CACertificates != "" {
		if len(n.CACertificates) > maxPEM {
			return fmt.Errorf("caCertificates: more than %d bytes", maxPEM)
		}
		n.roots = x509.NewCertPool()
		for rest := []byte(strings.TrimSpace(n.CACertificates)); len(rest) > 0; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
				return errors.New("caCertificates: not a list of certificates in PEM")
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return fmt.Errorf("caCertificates: %w", err)
			}
			n.roots.AddCert(cert)
			rest = []byte(strings.TrimSpace(string(rest)))
		}
	}
	switch {
	case (n.BindDN == "") != (n.BindPassword == ""):
		return errors.New("bindDn and bindPassword: both are needed, or neither")
	case len(n.BindDN) > maxText || len(n.BindPassword) > maxPassword || strings.ContainsRune(n.BindDN+n.BindPassword, 0):
		return errors.New("bindDn and bindPassword: too long, or with a NUL")
	}
	// Domain controllers take other names too: user@domain.
	if n.BindDN != "" && !n.ActiveDirectory {
		return checkDN("bindDn", n.BindDN)
	}
	return nil
}

// domain settles what Active Directory needs, before users are.
func (n *normal) domain() error {
	if !n.ActiveDirectory {
		if n.Domain != "" || n.NetBIOSDomain != "" {
			return errors.New("domain and netbiosDomain: they are for activeDirectory only")
		}
		return nil
	}
	if n.UserDNTemplate != "" {
		return errors.New("userDnTemplate: not with activeDirectory; without bindDn users are bound as user@domain")
	}
	if n.GroupsByMemberOf {
		return errors.New("groupsByMemberOf: not with activeDirectory, where groups are found by membership")
	}
	labels := strings.Split(n.Domain, ".")
	for _, l := range labels {
		if n.Domain != "" && !label(l) {
			return errors.New("domain: not a domain like corp.example.com")
		}
	}
	if n.NetBIOSDomain == "" {
		n.NetBIOSDomain = labels[0]
	}
	if strings.ContainsAny(n.NetBIOSDomain, `\@/`) || len(n.NetBIOSDomain) > 63 {
		return errors.New("netbiosDomain: not a name")
	}
	switch {
	case n.Domain != "" && n.BaseDN == "":
		n.BaseDN = "DC=" + strings.Join(labels, ",DC=")
	case n.Domain == "" && n.BindDN == "":
		return errors.New("domain: without bindDn users are bound as user@domain, so it is needed")
	}
	return nil
}

func (n *normal) users() (err error) {
	if n.UserDNTemplate != "" {
		if n.template, err = parseTemplate(n.UserDNTemplate); err != nil {
			return fmt.Errorf("userDnTemplate: %w", err)
		}
		if n.BaseDN == "" {
			n.BaseDN = n.template.parent
		}
	}
	named := strings.Contains(n.UserFilter, forUser)
	switch {
	case n.template == nil && n.BindDN == "" && !n.ActiveDirectory:
		return errors.New("bindDn: an account that searches for users is needed, or userDnTemplate")
	case n.UserFilter == "" && n.ActiveDirectory:
		n.UserFilter = usualADUserFilter
	case n.UserFilter == "" && n.template != nil:
		n.UserFilter = anything
	case n.UserFilter == "":
		n.UserFilter = usualUserFilter
	case !named && n.template == nil && !n.ActiveDirectory:
		return errors.New("userFilter: {username} must stand where the name belongs: (uid={username})")
	}
	if n.BaseDN == "" {
		return errors.New("baseDn: the entry that users are below is needed: ou=people,dc=example,dc=org")
	}
	if err := checkDN("baseDn", n.BaseDN); err != nil {
		return err
	}
	if err := checkFilter("userFilter", n.UserFilter, forUser); err != nil {
		return err
	}
	// Ask puts a * for the name, which all but = would take for a star.
	for _, other := range []string{":=", "~=", ">=", "<="} {
		if strings.Contains(n.UserFilter, other+forUser) {
			return errors.New("userFilter: {username} must stand behind =, not behind " + other)
		}
	}
	if err := checkFilter("userFilter", n.restriction()); err != nil {
		return err
	}
	if n.DisabledFilter != "" {
		if err := checkFilter("disabledFilter", n.DisabledFilter); err != nil {
			return err
		}
	}
	if n.SubjectAttribute == "" {
		n.SubjectAttribute = "entryUUID"
		if n.ActiveDirectory {
			n.SubjectAttribute = "objectGUID"
		}
	}
	if n.Attributes == nil {
		n.Attributes = slices.Clone(usualAttributes)
		if n.ActiveDirectory {
			n.Attributes = slices.Clone(usualADAttributes)
		}
	}
	if len(n.Attributes) > maxAttributes {
		return fmt.Errorf("attributes: more than %d", maxAttributes)
	}
	for _, a := range append([]string{n.SubjectAttribute}, n.Attributes...) {
		if !description(a) {
			return fmt.Errorf("attributes: %q is not the name of an attribute", a)
		}
		if slices.ContainsFunc(secretAttributes, func(s string) bool { return strings.EqualFold(s, a) }) {
			return fmt.Errorf("attributes: %s is a secret", a)
		}
	}
	return nil
}

func (n *normal) groups() error {
	if n.GroupAttribute == "" {
		n.GroupAttribute = "cn"
	}
	if !description(n.GroupAttribute) {
		return fmt.Errorf("groupAttribute: %q is not the name of an attribute", n.GroupAttribute)
	}
	if n.GroupBaseDN == "" {
		n.GroupBaseDN = n.BaseDN
	}
	if err := checkDN("groupBaseDn", n.GroupBaseDN); err != nil {
		return err
	}
	bySearch := !n.ActiveDirectory && !n.GroupsByMemberOf
	named := strings.Contains(n.GroupFilter, forDN) || strings.Contains(n.GroupFilter, forUID)
	switch {
	case n.GroupFilter == "" && n.ActiveDirectory:
		n.GroupFilter = "(objectClass=group)"
	case n.GroupFilter == "" && n.GroupsByMemberOf:
		n.GroupFilter = anything
	case n.GroupFilter == "":
		n.GroupFilter = usualGroupFilter
	case bySearch && !named:
		return errors.New("groupFilter: {dn} or {uid} must stand where the member belongs: (member={dn})")
	case !bySearch && named:
		return errors.New("groupFilter: {dn} and {uid} have no meaning here; say only what a group must be: (objectClass=group)")
	}
	return checkFilter("groupFilter", n.GroupFilter, forDN, forUID)
}

func checkDN(field, text string) error {
	dn, err := goldap.ParseDN(text)
	if err != nil || len(dn.RDNs) == 0 || len(text) > maxText {
		return fmt.Errorf("%s: %q is not a DN like ou=people,dc=example,dc=org", field, text[:min(len(text), 200)])
	}
	return nil
}

// checkFilter tells whether a filter is one, with names in the given places.
func checkFilter(field, text string, places ...string) error {
	if len(text) > maxText {
		return fmt.Errorf("%s: more than %d bytes", field, maxText)
	}
	filled := text
	for _, p := range places {
		filled = strings.ReplaceAll(filled, p, "x")
	}
	if strings.ContainsAny(filled, "{}") {
		return fmt.Errorf("%s: only %s may stand in braces", field, strings.Join(append(places, "nothing"), " and "))
	}
	if _, err := goldap.CompileFilter(filled); err != nil {
		return fmt.Errorf("%s: not a filter: %w", field, err)
	}
	return nil
}

// description tells whether a text is the name of an attribute, options included.
func description(s string) bool {
	if s == "" || len(s) > 100 || s[0] == '-' || s[0] == ';' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == ';' || r == '.')
	})
}

// label tells whether a text is a label of a host name.
func label(s string) bool {
	return s != "" && len(s) <= 63 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

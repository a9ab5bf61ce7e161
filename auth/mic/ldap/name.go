package ldap

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"
)

const (
	maxName     = 256  // bytes of a username
	maxPassword = 1024 // bytes
)

// plausible says why a name and a password are refused before anybody is asked
// (D1, D2).
func plausible(username, password string) error {
	switch {
	case username == "":
		return errors.New("the name is empty")
	case password == "":
		return errors.New("the password is empty")
	case len(username) > maxName:
		return fmt.Errorf("the name has more than %d bytes", maxName)
	case len(password) > maxPassword:
		return fmt.Errorf("the password has more than %d bytes", maxPassword)
	case !utf8.ValidString(username) || strings.ContainsFunc(username, unicode.IsControl):
		return errors.New("the name is not text")
	// A directory would pass over them, and the name would be another one to whoever
	// counts attempts.
	case strings.TrimSpace(username) != username:
		return errors.New("the name begins or ends with a space")
	case strings.ContainsRune(password, 0):
		return errors.New("the password holds a NUL")
	}
	return nil
}

// fill puts values into a filter, each escaped.
func fill(filter string, placesAndValues ...string) string {
	for i := 1; i < len(placesAndValues); i += 2 {
		placesAndValues[i] = goldap.EscapeFilter(placesAndValues[i])
	}
	return strings.NewReplacer(placesAndValues...).Replace(filter)
}

// anyone is the filter for whatever name: {username} becomes a *, which is not
// escaped.
func anyone(filter string) string { return strings.ReplaceAll(filter, forUser, "*") }

// A template makes the DN of a name.
type template struct {
	text   string
	shape  *goldap.DN // of text
	parent string     // what every DN of the template ends with
}

// parseTemplate reads a DN with {username} as the value, or in the value, of its
// first part.
func parseTemplate(text string) (*template, error) {
	shape, err := goldap.ParseDN(text)
	if err != nil || len(text) > maxText || len(shape.RDNs) < 2 || len(shape.RDNs[0].Attributes) != 1 {
		return nil, errors.New("not a DN like uid={username},ou=people,dc=example,dc=org")
	}
	first := shape.RDNs[0].Attributes[0]
	if strings.Count(text, forUser) != 1 || strings.Count(first.Value, forUser) != 1 {
		return nil, errors.New("{username} must stand once, as the value of the first part: uid={username},ou=people,dc=example,dc=org")
	}
	parent := &goldap.DN{RDNs: shape.RDNs[1:]}
	return &template{text, shape, parent.String()}, nil
}

// dn returns the DN of a name.
func (t *template) dn(username string) (string, error) {
	text := strings.Replace(t.text, forUser, escapeValue(username), 1)
	// What escaping is worth is seen by reading: one value has changed, to what was
	// meant (D1).
	got, err := goldap.ParseDN(text)
	if err != nil {
		return "", fmt.Errorf("no DN can have the name: %w", err)
	}
	first := t.shape.RDNs[0].Attributes[0]
	want := strings.Replace(first.Value, forUser, username, 1)
	if len(got.RDNs[0].Attributes) != 1 || got.RDNs[0].Attributes[0].Value != want || !t.makes(got) {
		return "", errors.New("no DN can have the name")
	}
	return text, nil
}

// makes tells whether a DN is one of the template's, for some name.
func (t *template) makes(dn *goldap.DN) bool {
	if len(dn.RDNs) != len(t.shape.RDNs) || len(dn.RDNs[0].Attributes) != 1 ||
		!strings.EqualFold(dn.RDNs[0].Attributes[0].Type, t.shape.RDNs[0].Attributes[0].Type) {
		return false
	}
	for i, r := range dn.RDNs[1:] {
		if !r.EqualFold(t.shape.RDNs[i+1]) {
			return false
		}
	}
	return true
}

// made is makes for the text of a DN.
func (t *template) made(text string) bool {
	dn, err := goldap.ParseDN(text)
	return err == nil && t.makes(dn)
}

// sameDN tells whether two texts are one DN. DNs are compared without case, as the
// attributes that people are named by are.
func sameDN(a, b string) bool { return foldDN(a) == foldDN(b) }

// foldDN is the one form of all texts of a DN.
func foldDN(text string) string {
	dn, err := goldap.ParseDN(text)
	if err != nil {
		return text
	}
	return strings.ToLower(dn.String())
}

// escapeValue makes a value of a DN of any text. It escapes more than there is need
// to: every byte that is not a letter or a digit of ASCII, which is what all
// servers read alike.
func escapeValue(text string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= utf8.RuneSelf,
			c == '.', c == '-', c == '_', c == '@':
			b.WriteByte(c)
		default:
			b.WriteByte('\\')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// A login is a name as it is understood.
type login struct {
	filter string // finds his entry
	bind   string // whom to bind as without a search; empty: the DN that the filter finds
}

// login reads a name that plausible has let pass.
func (n *normal) login(username string) (login, error) {
	if !n.ActiveDirectory {
		l := login{filter: fill(n.UserFilter, forUser, username)}
		if n.template == nil {
			return l, nil
		}
		var err error
		l.bind, err = n.template.dn(username)
		return l, err
	}
	// Active Directory has two names for a user: alice, also as CORP\alice, and
	// alice@corp.example.com, which may be made up of the first or stand for itself.
	account, principal := username, ""
	if domain, rest, ok := strings.Cut(username, `\`); ok {
		if !strings.EqualFold(domain, n.NetBIOSDomain) && !strings.EqualFold(domain, n.Domain) || domain == "" {
			return login{}, errors.New("the name is of another domain")
		}
		account = rest
	} else if at := strings.LastIndexByte(username, '@'); at >= 0 {
		principal, account = username, ""
		if strings.EqualFold(username[at+1:], n.Domain) {
			account = username[:at]
		}
	}
	if account == "" && principal == "" || strings.ContainsAny(account, `\@`) || strings.HasPrefix(principal, "@") {
		return login{}, errors.New("not a name of Active Directory")
	}
	var name, plain string
	switch {
	case principal == "":
		name, plain = fill("(sAMAccountName={username})", forUser, account), account
	case account == "":
		name, plain = fill("(userPrincipalName={username})", forUser, principal), principal
	default:
		name = fill("(|(userPrincipalName={username})(sAMAccountName={uid}))", forUser, principal, forUID, account)
		plain = account
	}
	l := login{filter: "(&" + n.UserFilter + name + ")"}
	if strings.Contains(n.UserFilter, forUser) {
		l.filter = fill(n.UserFilter, forUser, plain)
	}
	if n.BindDN == "" {
		// A domain controller takes DNs, SIDs and display names as well. With an @ it is
		// one of the two above.
		if l.bind = principal; l.bind == "" {
			l.bind = account + "@" + n.Domain
		}
	}
	return l, nil
}

// restriction is the filter for an account that may log in, whatever his name.
func (n *normal) restriction() string { return anyone(n.UserFilter) }

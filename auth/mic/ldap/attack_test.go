package ldap

import (
	"errors"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

// Each attack is a test by its name. Those that need a directory that works are in
// the e2e tests as well, against real ones.

func TestAttackEmptyOrImpossibleNamesAndPasswords(t *testing.T) {
	f := newFake(t, nil, func(r request) []*ber.Packet { return bound(0, "") })
	template := func(c *Config) {
		c.BindDN, c.BindPassword, c.UserDNTemplate = "", "", "uid={username},"+people
	}
	for _, c := range []struct{ name, username, password string }{
		{"empty password bind", "alice", ""},
		{"empty username", "", right},
		{"both empty", "", ""},
		{"NUL in username", "alice\x00", right},
		{"NUL alone", "\x00", right},
		{"newline in username", "alice\n", right},
		{"over-long username", strings.Repeat("a", maxName+1), right},
		{"NUL in password", "alice", "a\x00b"},
		{"over-long password", "alice", strings.Repeat("p", maxPassword+1)},
		{"invalid UTF-8", "al\xffice", right},
		{"space before", " alice", right},
		{"space behind", "alice ", right},
		{"wide space behind", "alice\u2003", right},
	} {
		t.Run(c.name, func(t *testing.T) {
			for kind, change := range map[string]func(*Config){"search": nil, "template": template, "AD": func(c *Config) {
				c.ActiveDirectory, c.Domain = true, "corp.example.com"
			}} {
				a, err := open(t, []string{f.url}, change).Check(t.Context(), c.username, c.password)
				if a != nil || !errors.Is(err, mic.ErrCredentials) {
					t.Errorf("%s: %v, %v; want ErrCredentials", kind, a, err)
				}
			}
		})
	}
	if n := f.connections(); n != 0 {
		t.Errorf("%d connections; want none before the name and the password are plausible", n)
	}
}

// A server that takes any bind must not make a login of one with an empty DN.
func TestAttackEntryWithoutDN(t *testing.T) {
	f := newFake(t, nil, func(r request) []*ber.Packet {
		if r.op == goldap.ApplicationBindRequest {
			return bound(0, "")
		}
		return entries(entry("", "entryUUID", "x"))
	})
	a, err := open(t, []string{f.url}, nil).Check(t.Context(), "alice", "anything")
	if a != nil || !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("Check = %v, %v; want ErrUnavailable", a, err)
	}
	for _, r := range f.requests(goldap.ApplicationBindRequest) {
		if r.name == "" || r.password == "" {
			t.Errorf("bound as %q with a password of %d bytes", r.name, len(r.password))
		}
	}
}

// The last guard before the wire, whatever came before it.
func TestAttackUnauthenticatedBind(t *testing.T) {
	f := newFake(t, nil, func(r request) []*ber.Packet { return bound(0, "") })
	d := open(t, []string{f.url}, nil)
	c, err := d.connect(t.Context(), d.c.servers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, b := range [][2]string{{alice, ""}, {"", right}, {"", ""}} {
		if _, err := c.bind(t.Context(), b[0], b[1]); !goldap.IsErrorWithCode(err, goldap.LDAPResultInvalidCredentials) {
			t.Errorf("bind(%q, %q) = %v; want invalid credentials", b[0], b[1], err)
		}
	}
	if n := len(f.requests(goldap.ApplicationBindRequest)); n != 0 {
		t.Errorf("%d binds were sent", n)
	}
}

func TestAttackFilterInjectionInUsername(t *testing.T) {
	f := newFake(t, nil, simple())
	d := open(t, []string{f.url}, nil)
	for _, name := range []string{
		"*", "a*", "alice)(uid=*", "*)(uid=*))(|(uid=*", "alice)(|(objectClass=*)", `alice\29`, `\2a`, "(alice)", "alice)", "&", "|(uid=alice)",
		"*)(objectClass=*", "nobody)(|(uid=alice", "{username}", "{dn}",
	} {
		if a, err := d.Check(t.Context(), name, right); a != nil || !errors.Is(err, mic.ErrCredentials) {
			t.Errorf("Check(%q) = %v, %v; want ErrCredentials", name, a, err)
		}
		all := f.requests(goldap.ApplicationSearchRequest)
		got := all[len(all)-1].filter
		if want := "(&(objectClass=inetOrgPerson)(uid=" + goldap.EscapeFilter(name) + "))"; got != want {
			t.Errorf("Check(%q) has searched for %s; want %s", name, got, want)
		}
	}
	// The same for what comes from the directory: the DN of a user in a group filter.
	evil := `uid=a*)(cn=admins,` + people
	if got := fill(usualGroupFilter, forDN, evil, forUID, "*"); strings.Contains(got, "a*)") || strings.Contains(got, "=*)") {
		t.Errorf("a group filter of a DN: %s", got)
	}
}

func TestAttackDNInjectionInTemplate(t *testing.T) {
	f := newFake(t, nil, func(r request) []*ber.Packet {
		if r.op == goldap.ApplicationBindRequest {
			return bound(49, "")
		}
		return entries()
	})
	d := open(t, []string{f.url}, func(c *Config) { c.BindDN, c.BindPassword, c.UserDNTemplate = "", "", "uid={username},"+people })
	base, _ := goldap.ParseDN(people)
	for _, name := range []string{
		"alice,ou=admins", "alice+cn=x", `alice\,ou=x`, `alice\`, "#0403616c69", "alice,dc=evil,dc=org", `"alice"`, "a=b", "<a>", "a;b", "alice/ou=x", "  a", "ä, ö",
	} {
		if strings.TrimSpace(name) != name {
			continue
		}
		if a, err := d.Check(t.Context(), name, right); a != nil || !errors.Is(err, mic.ErrCredentials) {
			t.Errorf("Check(%q) = %v, %v; want ErrCredentials", name, a, err)
		}
		all := f.requests(goldap.ApplicationBindRequest)
		text := all[len(all)-1].name
		dn, err := goldap.ParseDN(text)
		if err != nil || len(dn.RDNs) != 4 || len(dn.RDNs[0].Attributes) != 1 || dn.RDNs[0].Attributes[0].Value != name || !base.AncestorOf(dn) {
			t.Errorf("Check(%q) has bound as %s", name, text)
		}
	}
}

// A bind as something else than user@domain would be another user's, for a domain
// controller: it takes DNs, SIDs and display names.
func TestAttackOtherFormsOfNamesInActiveDirectory(t *testing.T) {
	n, err := (&Config{URL: []string{"ldaps://dc"}, ActiveDirectory: true, Domain: "corp.example.com"}).normal()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"alice":                     "alice@corp.example.com",
		`CORP\alice`:                "alice@corp.example.com",
		`corp.example.com\alice`:    "alice@corp.example.com",
		"alice@corp.example.com":    "alice@corp.example.com",
		"alice@other.example":       "alice@other.example",
		"S-1-5-21-1-2-3-500":        "S-1-5-21-1-2-3-500@corp.example.com",
		"CN=alice,DC=corp":          "CN=alice,DC=corp@corp.example.com",
		`OTHER\alice`:               "",
		`\alice`:                    "",
		`CORP\a\b`:                  "",
		`CORP\a@corp.example.com`:   "",
		"a@b@corp.example.com":      "",
		"@corp.example.com":         "",
		`CORP\`:                     "",
		"{0b0e1d2c}":                "{0b0e1d2c}@corp.example.com",
		"corp.example.com/Users/al": "corp.example.com/Users/al@corp.example.com",
	} {
		l, err := n.login(name)
		if l.bind != want || (want == "") != (err != nil) {
			t.Errorf("login(%q) binds as %q, %v; want %q", name, l.bind, err, want)
		}
	}
}

// Bound as one, found as another: the entry has to prove the password itself.
func TestAttackNameOfOneFindsEntryOfAnother(t *testing.T) {
	eve, alice := "CN=eve,DC=corp,DC=example,DC=com", "CN=alice,DC=corp,DC=example,DC=com"
	f := newFake(t, nil, func(r request) []*ber.Packet {
		switch {
		case r.op == goldap.ApplicationBindRequest && r.password == "eve's" && (r.name == "alice@corp.example.com" || r.name == eve):
			return bound(0, "") // eve's principal name is made like alice's
		case r.op == goldap.ApplicationBindRequest:
			return bound(49, "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1")
		}
		return entries(entry(alice, "objectGUID", "0123456789abcdef"))
	})
	d := open(t, []string{f.url}, func(c *Config) {
		*c = Config{URL: c.URL, ActiveDirectory: true, Domain: "corp.example.com"}
	})
	if a, err := d.Check(t.Context(), "alice", "eve's"); a != nil || !errors.Is(err, mic.ErrCredentials) {
		t.Errorf("Check = %v, %v; want ErrCredentials", a, err)
	}
}

func TestAttackReferralNotFollowed(t *testing.T) {
	other := newFake(t, nil, simple())
	refer := func(op ber.Tag) []*ber.Packet {
		p := result(op, goldap.LDAPResultReferral, "")
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 3, nil, "")
		list.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, other.url+"/"+people, ""))
		p.AppendChild(list)
		return []*ber.Packet{p}
	}
	for name, answer := range map[string]func(request) []*ber.Packet{
		"of the service's bind": func(r request) []*ber.Packet { return refer(goldap.ApplicationBindResponse) },
		"of the search": func(r request) []*ber.Packet {
			if r.op == goldap.ApplicationSearchRequest {
				return refer(goldap.ApplicationSearchResultDone)
			}
			return simple()(r)
		},
		"of the user's bind": func(r request) []*ber.Packet {
			if r.name == alice && r.op == goldap.ApplicationBindRequest {
				return refer(goldap.ApplicationBindResponse)
			}
			return simple()(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil, answer)
			a, err := open(t, []string{f.url}, nil).Check(t.Context(), "alice", right)
			if a != nil || !errors.Is(err, mic.ErrUnavailable) || !strings.Contains(err.Error(), "referrals are not followed") {
				t.Errorf("Check = %v, %v; want ErrUnavailable for the referral", a, err)
			}
		})
	}
	t.Run("among the entries", func(t *testing.T) {
		f := newFake(t, nil, func(r request) []*ber.Packet {
			answer := simple()(r)
			if r.op == goldap.ApplicationSearchRequest {
				answer = append([]*ber.Packet{elsewhere(other.url)}, answer...)
			}
			return answer
		})
		if a, err := open(t, []string{f.url}, nil).Check(t.Context(), "alice", right); err != nil || a.Subject != "uuid-of-alice" {
			t.Errorf("Check = %v, %v; want alice, the reference passed over", a, err)
		}
	})
	if n := other.connections(); n != 0 {
		t.Errorf("%d connections to where the referral points", n)
	}
}

func TestAttackTwoHitsRefused(t *testing.T) {
	f := newFake(t, nil, func(r request) []*ber.Packet {
		if r.op == goldap.ApplicationSearchRequest {
			return entries(entry(alice, "entryUUID", "1"), entry("uid=alice,ou=evil,dc=example,dc=org", "entryUUID", "2"))
		}
		return bound(0, "")
	})
	d := open(t, []string{f.url}, nil)
	if a, err := d.Check(t.Context(), "alice", right); a != nil || !errors.Is(err, mic.ErrCredentials) {
		t.Errorf("Check = %v, %v; want ErrCredentials", a, err)
	}
	for _, r := range f.requests(goldap.ApplicationBindRequest) {
		if r.password == right {
			t.Errorf("the password was shown to %s", r.name)
		}
	}
	if a, err := d.Ask(t.Context(), []byte("entryUUID=1")); a != nil || !errors.Is(err, mic.ErrGone) {
		t.Errorf("Ask = %v, %v; want ErrGone", a, err)
	}
}

// entryOf answers for alice with the given attributes; a search for subjects finds
// also eve.
func entryOf(eve bool, namesAndValues ...string) func(r request) []*ber.Packet {
	return func(r request) []*ber.Packet {
		switch {
		case r.op == goldap.ApplicationSearchRequest && eve && strings.HasPrefix(r.filter, "(employeeNumber="):
			return entries(entry(alice), entry("uid=eve,"+people))
		case r.op == goldap.ApplicationSearchRequest && !strings.Contains(r.filter, "groupOf"):
			return entries(entry(alice, namesAndValues...))
		}
		return simple()(r)
	}
}

func TestAttackSubjects(t *testing.T) {
	number := func(c *Config) { c.SubjectAttribute = "employeeNumber" }
	for _, c := range []struct {
		name   string
		answer func(request) []*ber.Packet
		change func(*Config)
		good   bool
	}{
		{"user entry without subject attribute refused", entryOf(false, "uid", "alice"), nil, false},
		{"two values of the subject", entryOf(false, "entryUUID", "1", "entryUUID", "2"), nil, false},
		{"empty subject", entryOf(false, "entryUUID", ""), nil, false},
		{"blank subject", entryOf(false, "entryUUID", "  "), nil, false},
		{"over-long subject", entryOf(false, "entryUUID", strings.Repeat("1", mic.MaxSubject+1)), nil, false},
		{"subject that is not text", entryOf(false, "entryUUID", "1\x00"), nil, false},
		{"subject that is not UTF-8", entryOf(false, "entryUUID", "\xff"), nil, false},
		{"entry with duplicated subject", entryOf(true, "employeeNumber", "7"), number, false},
		{"a subject of one entry", entryOf(false, "employeeNumber", "7"), number, true},
		{"objectGUID of another length", entryOf(false, "objectGUID", "short"), func(c *Config) { c.SubjectAttribute = "objectGUID" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, nil, c.answer)
			a, err := open(t, []string{f.url}, c.change).Check(t.Context(), "alice", right)
			if c.good && (err != nil || a.Subject != "7") || !c.good && (a != nil || !errors.Is(err, mic.ErrUnavailable)) {
				t.Errorf("Check = %v, %v; want good: %v", a, err, c.good)
			}
		})
	}
}

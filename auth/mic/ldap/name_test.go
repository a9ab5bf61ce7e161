package ldap

import (
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

func TestNamesOfActiveDirectory(t *testing.T) {
	const is = "(&(objectCategory=person)(objectClass=user))"
	for _, c := range []struct{ name, domain, netbios, filter, want string }{
		{"alice", "corp.example.com", "", "", "(&" + is + "(sAMAccountName=alice))"},
		{`CORP\alice`, "corp.example.com", "", "", "(&" + is + "(sAMAccountName=alice))"},
		{`ACME\alice`, "corp.example.com", "ACME", "", "(&" + is + "(sAMAccountName=alice))"},
		{`CORP\alice`, "corp.example.com", "ACME", "", ""},
		{"alice@corp.example.com", "corp.example.com", "", "", "(&" + is + "(|(userPrincipalName=alice@corp.example.com)(sAMAccountName=alice)))"},
		{"alice@CORP.example.com", "corp.example.com", "", "", "(&" + is + "(|(userPrincipalName=alice@CORP.example.com)(sAMAccountName=alice)))"},
		{"alice@example.com", "corp.example.com", "", "", "(&" + is + "(userPrincipalName=alice@example.com))"},
		{"alice@example.com", "", "", "", "(&" + is + "(userPrincipalName=alice@example.com))"},
		{`CORP\alice`, "", "", "", ""},
		{"*", "", "", "", `(&` + is + `(sAMAccountName=\2a))`},
		{"alice)(cn=*@x", "", "", "", `(&` + is + `(userPrincipalName=alice\29\28cn=\2a@x))`},
		{`CORP\alice`, "corp.example.com", "", "(sAMAccountName={username})", "(sAMAccountName=alice)"},
		{"alice@corp.example.com", "corp.example.com", "", "(sAMAccountName={username})", "(sAMAccountName=alice)"},
		{"alice@example.com", "corp.example.com", "", "(mail={username})", "(mail=alice@example.com)"},
		{"alice", "", "", "(memberOf=CN=app)", "(&(memberOf=CN=app)(sAMAccountName=alice))"},
	} {
		n, err := (&Config{URL: []string{"ldaps://dc"}, BindDN: "svc@x", BindPassword: "x", BaseDN: "DC=corp", ActiveDirectory: true, Domain: c.domain, NetBIOSDomain: c.netbios, UserFilter: c.filter}).normal()
		if err != nil {
			t.Fatal(err)
		}
		l, err := n.login(c.name)
		if l.filter != c.want || (c.want == "") != (err != nil) || l.bind != "" {
			t.Errorf("login(%q) in %q = %+v, %v; want %s", c.name, c.domain, l, err, c.want)
		}
	}
}

func TestTemplates(t *testing.T) {
	made, err := parseTemplate(`UID=x-{username}\, y, ou=People,dc=example,dc=org`)
	if err != nil {
		t.Fatal(err)
	}
	if made.parent != "ou=People,dc=example,dc=org" {
		t.Errorf("parent = %s", made.parent)
	}
	dn, err := made.dn("a, b")
	if err != nil || dn != `UID=x-a\2c\20b\, y, ou=People,dc=example,dc=org` {
		t.Errorf("dn = %s, %v", dn, err)
	}
	for text, want := range map[string]bool{
		"uid=alice,ou=people,dc=example,dc=org":        true,
		"uid=alice,ou=former,dc=example,dc=org":        false,
		"cn=alice,ou=people,dc=example,dc=org":         false,
		"uid=alice+cn=x,ou=people,dc=example,dc=org":   false,
		"uid=alice,ou=x,ou=people,dc=example,dc=org":   false,
		"ou=people,dc=example,dc=org":                  false,
		"uid=alice,ou=people,dc=example,dc=org,o=evil": false,
		"": false,
	} {
		if made.made(text) != want {
			t.Errorf("made(%s) = %v", text, !want)
		}
	}
}

// shape is a filter without the values of its assertions.
func shape(p *ber.Packet, out *strings.Builder) {
	out.WriteByte('(')
	out.WriteByte(byte(p.ClassType) | byte(p.Tag))
	for _, c := range p.Children {
		shape(c, out)
	}
	out.WriteByte(')')
}

// FuzzLogin: whatever is typed changes one value of a filter, or of a DN, and
// nothing else.
func FuzzLogin(f *testing.F) {
	for _, s := range []string{"alice", "*", "a)(b=*", `a\2a`, "ä", "a,b=c", "a+b", "#00", `CORP\alice`, "alice@corp.example.com", "{username}", "a\x00", " "} {
		f.Add(s)
	}
	configs := map[string]*Config{
		"search":   {BindDN: "cn=svc", BindPassword: "x", BaseDN: "dc=org", UserFilter: "(|(uid={username})(mail={username})(cn=*{username}*))"},
		"template": {UserDNTemplate: "uid={username},ou=people,dc=org", UserFilter: "(uid={username})"},
		"AD":       {ActiveDirectory: true, Domain: "corp.example.com"},
	}
	all := map[string]*normal{}
	for name, c := range configs {
		c.URL = []string{"ldaps://l"}
		n, err := c.normal()
		if err != nil {
			f.Fatal(err)
		}
		all[name] = n
	}
	f.Fuzz(func(t *testing.T, username string) {
		if plausible(username, "x") != nil {
			return
		}
		for kind, n := range all {
			l, err := n.login(username)
			if err != nil {
				continue
			}
			plain := "x"
			if n.ActiveDirectory && strings.Contains(username, "@") && !strings.Contains(username, `\`) {
				if plain = "x@y"; strings.HasSuffix(strings.ToLower(username), "@corp.example.com") {
					plain = "x@corp.example.com"
				}
			}
			like, err := n.login(plain)
			if err != nil {
				t.Fatal(err)
			}
			got, err := goldap.CompileFilter(l.filter)
			if err != nil {
				t.Fatalf("%s: login(%q) = %s: %v", kind, username, l.filter, err)
			}
			want, _ := goldap.CompileFilter(like.filter)
			var a, b strings.Builder
			shape(got, &a)
			shape(want, &b)
			if a.String() != b.String() {
				t.Errorf("%s: login(%q) has made %s", kind, username, l.filter)
			}
			if n.template != nil {
				dn, err := goldap.ParseDN(l.bind)
				if err != nil || !n.template.makes(dn) || dn.RDNs[0].Attributes[0].Value != username {
					t.Errorf("login(%q) binds as %s: %v", username, l.bind, err)
				}
			}
		}
	})
}

// FuzzBindCode: what a server says becomes a reason only by one of the codes that
// come behind a right password.
func FuzzBindCode(f *testing.F) {
	f.Add("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1")
	f.Add("AcceptSecurityContext error, data 533,")
	f.Add("AcceptSecurityContext error, data \xff\xff\xff,")
	f.Fuzz(func(t *testing.T, message string) {
		code := bindCode(message)
		if bindCodes[code] != "" && !strings.Contains(message, "AcceptSecurityContext error, data "+code+",") {
			t.Errorf("%q has the code %s", message, code)
		}
	})
}

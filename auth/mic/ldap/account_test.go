package ldap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

func TestAskedAgain(t *testing.T) {
	f := newFake(t, nil, simple())
	d := open(t, []string{f.url}, nil)
	a, err := d.Check(t.Context(), "alice", right)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := d.Ask(t.Context(), a.Kept); err != nil || b.Subject != a.Subject || fmt.Sprint(b.Attributes) != fmt.Sprint(a.Attributes) || string(b.Kept) != string(a.Kept) {
		t.Errorf("Ask = %v, %v; want %v", b, err, a)
	}
	last := f.requests(goldap.ApplicationSearchRequest)
	if got, want := last[len(last)-2].filter, "(&(&(objectClass=inetOrgPerson)(uid=*))(entryUUID=uuid-of-alice))"; got != want {
		t.Errorf("asked with %s; want %s", got, want)
	}
	for _, kept := range []string{"", "entryUUID", "entryUUID=", "uid=alice", "uid=uuid-of-alice", "entryUUID=*", "entryUUID=somebody-else", "entryUUID=" + strings.Repeat("x", mic.MaxSubject+1), "\x00"} {
		if b, err := d.Ask(t.Context(), []byte(kept)); b != nil || !errors.Is(err, mic.ErrGone) {
			t.Errorf("Ask(%q) = %v, %v; want ErrGone", kept, b, err)
		}
	}
}

func TestAskedAboutWhoMayNotLogInAnyMore(t *testing.T) {
	number := func(c *Config) { c.SubjectAttribute = "employeeNumber" }
	for _, c := range []struct {
		name   string
		answer func(request) []*ber.Packet
		change func(*Config)
		kept   string
	}{
		{"disabled", entryOf(false, "entryUUID", "1", "nsAccountLock", "TRUE"), nil, "entryUUID=1"},
		{"locked", entryOf(false, "entryUUID", "1", "pwdAccountLockedTime", "000001010000Z"), nil, "entryUUID=1"},
		{"expired", entryOf(false, "entryUUID", "1", "shadowExpire", "1"), nil, "entryUUID=1"},
		{"matches disabledFilter", entryOf(false, "entryUUID", "1"), func(c *Config) { c.DisabledFilter = "(description=left)" }, "entryUUID=1"},
		{"subject written in another way", entryOf(false, "employeeNumber", "aB"), number, "employeeNumber=ab"},
		{"moved out of the template", func(r request) []*ber.Packet {
			if r.op == goldap.ApplicationSearchRequest {
				return entries(entry("uid=alice,ou=former,dc=example,dc=org", "entryUUID", "1"))
			}
			return bound(0, "")
		}, func(c *Config) { c.UserDNTemplate, c.BaseDN = "uid={username},"+people, "dc=example,dc=org" }, "entryUUID=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, nil, c.answer)
			if a, err := open(t, []string{f.url}, c.change).Ask(t.Context(), []byte(c.kept)); a != nil || !errors.Is(err, mic.ErrGone) {
				t.Errorf("Ask = %v, %v; want ErrGone", a, err)
			}
		})
	}
}

// D7: what is the matter with an account is told behind its password only.
func TestRefusalsAreForWhoKnowsThePassword(t *testing.T) {
	ad := func(c *Config) {
		*c = Config{URL: c.URL, BindDN: svc, BindPassword: "secret", BaseDN: people, ActiveDirectory: true}
	}
	says := func(code string) string {
		return "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data " + code + ", v1db1"
	}
	for _, c := range []struct {
		name    string
		result  int64
		message string
		change  func(*Config)
		want    string // of the AccountError; empty: ErrCredentials
	}{
		{"AD 52e wrong password", 49, says("52e"), ad, ""},
		{"AD 525 nobody", 49, says("525"), ad, ""},
		{"AD 775 locked, told to anybody", 49, says("775"), ad, ""},
		{"AD 530 at this time", 49, says("530"), ad, notNow},
		{"AD 531 from here", 49, says("531"), ad, notHere},
		{"AD 532 password expired", 49, says("532"), ad, oldSecret},
		{"AD 533 disabled", 49, says("533"), ad, disabled},
		{"AD 701 expired", 49, says("701"), ad, expired},
		{"AD 773 must change", 49, says("773"), ad, mustChange},
		{"AD an unknown code", 49, says("568"), ad, ""},
		{"AD no code", 49, "", ad, ""},
		{"AD unwilling", 53, says("533"), ad, ""},
		{"LDAP wrong", 49, "", nil, ""},
		{"LDAP with words of AD", 49, says("533"), nil, ""},
		{"LDAP no such object", 32, "", nil, ""},
		{"LDAP unwilling", 53, "Account inactivated", nil, ""},
		{"LDAP too many attempts", 19, "", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, nil, func(r request) []*ber.Packet {
				switch {
				case r.op == goldap.ApplicationBindRequest && r.name == alice:
					return bound(c.result, c.message)
				case r.op == goldap.ApplicationSearchRequest:
					return entries(entry(alice, "entryUUID", "1", "objectGUID", "0123456789abcdef"))
				}
				return simple()(r)
			})
			a, err := open(t, []string{f.url}, c.change).Check(t.Context(), "alice", right)
			var refused *mic.AccountError
			switch {
			case a != nil:
				t.Errorf("Check = %v", a)
			case c.want == "" && err != mic.ErrCredentials:
				t.Errorf("Check = %v; want ErrCredentials and no more", err)
			case c.want != "" && (!errors.As(err, &refused) || refused.Why != c.want):
				t.Errorf("Check = %v; want %q", err, c.want)
			}
		})
	}
}

// Without a service account the user reads his own entry.
func TestDirectBind(t *testing.T) {
	f := newFake(t, nil, simple(entry("cn=staff,"+people, "cn", "staff")))
	d := open(t, []string{f.url}, func(c *Config) {
		*c = Config{URL: c.URL, UserDNTemplate: "uid={username}," + people, UserFilter: "(uid={username})"}
	})
	a, err := d.Check(t.Context(), "alice", right)
	if err != nil || a.Subject != "uuid-of-alice" || a.Kept != nil || fmt.Sprint(a.Groups) != "[staff]" {
		t.Fatalf("Check = %+v, %v; want alice, nothing kept, the group staff", a, err)
	}
	for _, r := range f.requests(goldap.ApplicationSearchRequest) {
		if r.as != alice {
			t.Errorf("searched as %q", r.as)
		}
	}
	if _, err := d.Ask(t.Context(), []byte("entryUUID=uuid-of-alice")); !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("Ask = %v; want ErrUnavailable: there is no service account", err)
	}
	if _, err := d.Check(t.Context(), "bob", right); err != mic.ErrCredentials {
		t.Errorf("Check = %v; want ErrCredentials", err)
	}
}

// Whose entry does not pass the filter is told so behind his password.
func TestDirectBindWithAFilter(t *testing.T) {
	f := newFake(t, nil, func(r request) []*ber.Packet {
		if r.op == goldap.ApplicationSearchRequest {
			return entries()
		}
		return simple()(r)
	})
	d := open(t, []string{f.url}, func(c *Config) { c.UserDNTemplate = "uid={username}," + people })
	var refused *mic.AccountError
	if _, err := d.Check(t.Context(), "alice", right); !errors.As(err, &refused) || refused.Why != notAllowed {
		t.Errorf("Check = %v; want %q", err, notAllowed)
	}
	if _, err := d.Check(t.Context(), "alice", "wrong"); err != mic.ErrCredentials {
		t.Errorf("Check = %v; want ErrCredentials", err)
	}
}

// inGroups answers searches for groups from a table: member, groups that hold it.
func inGroups(holds map[string][]string) func(r request) []*ber.Packet {
	return func(r request) []*ber.Packet {
		if r.op != goldap.ApplicationSearchRequest || !strings.Contains(r.filter, "(member=") {
			return simple()(r)
		}
		var found []*ber.Packet
		seen := map[string]bool{}
		for member, groups := range holds {
			if !strings.Contains(r.filter, "(member="+member+")") {
				continue
			}
			for _, g := range groups {
				if !seen[g] {
					seen[g] = true
					found = append(found, entry(g, "cn", strings.TrimPrefix(strings.Split(g, ",")[0], "cn=")))
				}
			}
		}
		return entries(found...)
	}
}

func cn(name string) string { return "cn=" + name + ",ou=groups,dc=example,dc=org" }

func TestAttackGroupLoop(t *testing.T) {
	f := newFake(t, nil, inGroups(map[string][]string{
		alice: {cn("a")}, cn("a"): {cn("b")}, cn("b"): {cn("c"), cn("b")}, cn("c"): {cn("a"), "CN=B, OU=groups,dc=example,dc=org"},
	}))
	for _, nested := range []bool{true, false} {
		d := open(t, []string{f.url}, func(c *Config) { c.GroupFilter, c.NestedGroups = "(member={dn})", nested })
		a, err := d.Check(t.Context(), "alice", right)
		want := "[a]"
		if nested {
			want = "[a b c]"
		}
		if err != nil || fmt.Sprint(a.Groups) != want {
			t.Errorf("nested %v: Check = %+v, %v; want groups %s", nested, a, err, want)
		}
	}
	if n := len(f.requests(goldap.ApplicationSearchRequest)); n > 20 {
		t.Errorf("%d searches", n)
	}
}

func TestAttackEndlessGroups(t *testing.T) {
	deep, wide := map[string][]string{alice: {cn("0")}}, map[string][]string{alice: nil}
	for i := range maxDepth + 1 {
		deep[cn(fmt.Sprint(i))] = []string{cn(fmt.Sprint(i + 1))}
	}
	for i := range maxGroups {
		wide[alice] = append(wide[alice], cn(fmt.Sprint(i)))
	}
	wide[cn("0")] = []string{cn("one more")}
	for name, c := range map[string]struct {
		holds map[string][]string
		want  string
	}{"deep": {deep, "levels of groups"}, "wide": {wide, "999 groups"}} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil, inGroups(c.holds))
			d := open(t, []string{f.url}, func(c *Config) { c.GroupFilter, c.NestedGroups = "(member={dn})", true })
			if a, err := d.Check(t.Context(), "alice", right); a != nil || !errors.Is(err, mic.ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check = %v, %v; want ErrUnavailable: %s", a, err, c.want)
			}
		})
	}
	delete(deep, cn(fmt.Sprint(maxDepth-1)))
	f := newFake(t, nil, inGroups(deep))
	d := open(t, []string{f.url}, func(c *Config) { c.GroupFilter, c.NestedGroups = "(member={dn})", true })
	if a, err := d.Check(t.Context(), "alice", right); err != nil || len(a.Groups) != maxDepth {
		t.Errorf("Check = %v, %v; want %d groups", a, err, maxDepth)
	}
}

// memberOf loops too, and names groups outside of the base, which do not count.
func TestGroupsByMemberOf(t *testing.T) {
	f := newFake(t, nil, func(r request) []*ber.Packet {
		switch {
		case r.op != goldap.ApplicationSearchRequest:
			return simple()(r)
		case r.name == cn("a"):
			return entries(entry(cn("a"), "cn", "a", "memberOf", cn("b")))
		case r.name == cn("b"):
			return entries(entry(cn("b"), "cn", "b", "memberOf", cn("a"), "memberOf", cn("secret\x01name")))
		case strings.HasPrefix(r.name, "cn=secret"):
			return entries(entry(r.name, "cn", "secret\x01name"))
		case strings.HasSuffix(r.name, "dc=evil,dc=org"):
			return entries(entry(r.name, "cn", "admins"))
		}
		return entries(entry(alice, "entryUUID", "1", "memberOf", cn("a"), "memberOf", "cn=admins,dc=evil,dc=org", "memberOf", "nonsense"))
	})
	for nested, want := range map[bool]string{false: "[a]", true: "[a b]"} {
		d := open(t, []string{f.url}, func(c *Config) {
			c.GroupsByMemberOf, c.NestedGroups, c.GroupBaseDN = true, nested, "ou=groups,dc=example,dc=org"
		})
		if a, err := d.Check(t.Context(), "alice", right); err != nil || fmt.Sprint(a.Groups) != want {
			t.Errorf("nested %v: Check = %+v, %v; want groups %s", nested, a, err, want)
		}
	}
	d := open(t, []string{f.url}, func(c *Config) { c.NoGroups = true })
	if a, err := d.Check(t.Context(), "alice", right); err != nil || len(a.Groups) != 0 {
		t.Errorf("without groups: Check = %+v, %v", a, err)
	}
	var many []string
	for i := range maxReads + 1 {
		many = append(many, "memberOf", cn(fmt.Sprint(i)))
	}
	f.answer = entryOf(false, append(many, "entryUUID", "1")...)
	d = open(t, []string{f.url}, func(c *Config) { c.GroupsByMemberOf, c.GroupBaseDN = true, "ou=groups,dc=example,dc=org" })
	if a, err := d.Check(t.Context(), "alice", right); a != nil || !errors.Is(err, mic.ErrUnavailable) {
		t.Errorf("with %d groups to read: Check = %v, %v; want ErrUnavailable", maxReads+1, a, err)
	}
}

// What Active Directory is asked for groups, with the primary group and in chains.
func TestGroupsOfActiveDirectory(t *testing.T) {
	user, sid := "CN=alice (1),DC=corp", "\x01\x02\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x52\x04\x00\x00"
	f := newFake(t, nil, func(r request) []*ber.Packet {
		switch {
		case r.op != goldap.ApplicationSearchRequest:
			return bound(0, "")
		case strings.Contains(r.filter, "(objectSid="):
			return entries(entry("CN=Domain Users,DC=corp", "cn", "Domain Users"))
		case strings.Contains(r.filter, "(member"):
			return entries(entry("CN=outer,DC=corp", "cn", "outer"), entry("CN=inner,DC=corp", "cn", "inner"))
		}
		return entries(entry(user, "objectGUID", "0123456789abcdef", "objectSid", sid, "primaryGroupID", "513"))
	})
	for _, nested := range []bool{true, false} {
		d := open(t, []string{f.url}, func(c *Config) {
			*c = Config{URL: c.URL, BindDN: "svc@corp", BindPassword: "secret", BaseDN: "DC=corp", ActiveDirectory: true, NestedGroups: nested}
		})
		a, err := d.Check(t.Context(), "alice", right)
		if err != nil || fmt.Sprint(a.Groups) != "[Domain Users inner outer]" || a.Subject != "33323130-3534-3736-3839-616263646566" {
			t.Fatalf("Check = %+v, %v", a, err)
		}
		var filters []string
		for _, r := range f.requests(goldap.ApplicationSearchRequest) {
			filters = append(filters, r.filter)
		}
		chain := ""
		want := []string{
			"(&(&(objectCategory=person)(objectClass=user))(sAMAccountName=alice))",
			`(&(objectClass=group)(objectSid=\01\02\00\00\00\00\00\05\15\00\00\00\01\02\00\00))`,
			`(&(objectClass=group)(|(member=CN=alice \281\29,DC=corp)))`,
		}
		if nested {
			chain = ":" + inChain + ":"
			want[2] = `(&(objectClass=group)(|(member` + chain + `=CN=alice \281\29,DC=corp)(member` + chain + `=CN=Domain Users,DC=corp)))`
		}
		for _, w := range want {
			if !slices.ContainsFunc(filters, func(f string) bool { return normalized(f) == normalized(w) }) {
				t.Errorf("nested %v: no search for %s in\n%s", nested, w, strings.Join(filters, "\n"))
			}
		}
	}
}

// normalized is a filter without what the library writes in its own way.
func normalized(filter string) string {
	p, err := goldap.CompileFilter(filter)
	if err != nil {
		return err.Error()
	}
	return string(p.Bytes())
}

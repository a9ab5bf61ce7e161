//go:build e2e

package ldap_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
	"postern/auth/mic/lab"
	"postern/auth/mic/ldap"
)

// A slapd is an OpenLDAP of a test.
type slapd struct{ *lab.Slapd }

func newSlapd(t *testing.T, withTLS bool) *slapd {
	t.Helper()
	return &slapd{lab.OpenLDAP(t, withTLS)}
}

func (s *slapd) config() ldap.Config {
	return ldap.Config{
		URL: []string{s.TLS}, CACertificates: s.CA, BindDN: lab.ServiceDN, BindPassword: lab.ServicePassword,
		BaseDN: lab.People, GroupBaseDN: lab.Teams, NestedGroups: true, Timeout: 5,
	}
}

func TestOpenLDAP(t *testing.T) {
	s := newSlapd(t, true)
	c := &checks{t: t}
	root := s.Found(t)
	lab.Add(t, root, lab.PolicyDN, "objectClass", "organizationalRole|pwdPolicy", "cn", "policy", "pwdAttribute", "userPassword",
		"pwdLockout", "TRUE", "pwdMaxFailure", "3", "pwdMustChange", "TRUE")
	lab.Add(t, root, "cn=short,"+lab.Suffix, "objectClass", "organizationalRole|pwdPolicy", "cn", "short", "pwdAttribute", "userPassword", "pwdMaxAge", "1")
	for _, name := range []string{"alice", "bob", "dave", "erin", "frank"} {
		lab.Person(t, root, name)
	}
	lab.Person(t, root, "carol", "shadowExpire", "20000", "employeeType", "left")
	lab.Person(t, root, "grace", "pwdPolicySubentry", "cn=short,"+lab.Suffix)
	lab.Person(t, root, "o'neil, (x)*", "description", "a name to be escaped")
	lab.Add(t, root, lab.Team("inner"), "objectClass", "groupOfNames", "cn", "inner", "member", lab.UID("alice")+"|"+lab.UID("bob")+"|"+lab.Team("outer")) // a loop
	lab.Add(t, root, lab.Team("outer"), "objectClass", "groupOfNames", "cn", "outer", "member", lab.Team("inner"))
	lab.Add(t, root, lab.Team("unique"), "objectClass", "groupOfUniqueNames", "cn", "unique", "uniqueMember", lab.UID("alice"))
	lab.Add(t, root, lab.Team("unix"), "objectClass", "posixGroup", "cn", "unix", "gidNumber", "1000", "memberUid", "alice")

	var alice *mic.Account
	t.Run("login", func(t *testing.T) {
		d := directory(t, s.config())
		alice = c.in(t, d, "alice", "alice-pass")
		c.groups(t, alice, "inner", "outer", "unique", "unix")
		if len(alice.Subject) != 36 || fmt.Sprint(alice.Attributes["mail"]) != "[alice@example.org]" || fmt.Sprint(alice.Attributes["cn"]) != "[Alice]" || alice.Attributes["userPassword"] != nil {
			t.Errorf("alice is %+v", alice)
		}
		if again := c.in(t, d, "ALICE", "alice-pass"); again.Subject != alice.Subject {
			t.Errorf("ALICE is %s, alice %s", again.Subject, alice.Subject)
		}
		c.in(t, d, "o'neil, (x)*", "o'neil, (x)*-pass")
		c.out(t, d, "alice", "wrong", mic.ErrCredentials)
		c.out(t, d, "alice", "", mic.ErrCredentials)
		c.out(t, d, "nobody", "wrong", mic.ErrCredentials)
		c.out(t, d, "nobody", "", mic.ErrCredentials)
		for _, name := range []string{"*", "al*", "alice)(uid=*", "*)(uid=*))(|(uid=*", `\61lice`, "alice\x00"} {
			c.out(t, d, name, "alice-pass", mic.ErrCredentials)
		}
	})
	t.Run("without a password the server says yes, we say no", func(t *testing.T) {
		if err := lab.Dial(t, s.TLS, s.CA, "", "").UnauthenticatedBind(lab.UID("alice")); err != nil {
			t.Fatalf("the server refuses an empty password (%v): the test shows nothing", err)
		}
		c.out(t, directory(t, s.config()), "alice", "", mic.ErrCredentials)
	})
	t.Run("StartTLS, plain on loopback", func(t *testing.T) {
		cfg := s.config()
		cfg.URL, cfg.StartTLS = []string{s.Plain}, true
		c.groups(t, c.in(t, directory(t, cfg), "alice", "alice-pass"), alice.Groups...)
		c.out(t, directory(t, cfg), "alice", "wrong", mic.ErrCredentials)
		cfg.StartTLS = false
		c.in(t, directory(t, cfg), "alice", "alice-pass")
	})
	t.Run("certificates", func(t *testing.T) {
		for _, url := range []string{s.TLS, s.Plain} {
			cfg := s.config()
			cfg.URL, cfg.StartTLS = []string{url}, url == s.Plain
			cfg.CACertificates, _, _ = lab.Vouch(t, "127.0.0.1")
			c.out(t, directory(t, cfg), "alice", "alice-pass", mic.ErrUnavailable)
			cfg.CACertificates = ""
			c.out(t, directory(t, cfg), "alice", "alice-pass", mic.ErrUnavailable)
			cfg.CACertificates = s.CA
			cfg.URL = []string{strings.Replace(url, "127.0.0.1", "localhost", 1)} // a name that is not in the certificate
			c.out(t, directory(t, cfg), "alice", "alice-pass", mic.ErrUnavailable)
		}
	})
	t.Run("StartTLS of a server that has none", func(t *testing.T) {
		other := newSlapd(t, false)
		cfg := s.config()
		cfg.URL, cfg.StartTLS = []string{other.Plain}, true
		c.out(t, directory(t, cfg), "alice", "alice-pass", mic.ErrUnavailable)
	})
	t.Run("direct bind", func(t *testing.T) {
		cfg := s.config()
		cfg.BindDN, cfg.BindPassword, cfg.UserDNTemplate = "", "", "uid={username},"+lab.People
		d := directory(t, cfg)
		a := c.in(t, d, "alice", "alice-pass")
		c.groups(t, a, alice.Groups...)
		if a.Subject != alice.Subject || a.Kept != nil {
			t.Errorf("alice is %+v", a)
		}
		c.in(t, d, "o'neil, (x)*", "o'neil, (x)*-pass")
		c.out(t, d, "alice", "wrong", mic.ErrCredentials)
		c.out(t, d, "nobody", "wrong", mic.ErrCredentials)
		for _, name := range []string{"alice,ou=people", "alice+cn=Alice", "alice\\", "*"} {
			c.out(t, d, name, "alice-pass", mic.ErrCredentials)
		}
		cfg.BindDN, cfg.BindPassword = lab.ServiceDN, lab.ServicePassword
		d = directory(t, cfg)
		c.still(t, d, c.in(t, d, "alice", "alice-pass"))
	})
	t.Run("groups", func(t *testing.T) {
		cfg := s.config()
		cfg.NestedGroups = false
		c.groups(t, c.in(t, directory(t, cfg), "alice", "alice-pass"), "inner", "unique", "unix")
		cfg.GroupsByMemberOf = true
		c.groups(t, c.in(t, directory(t, cfg), "alice", "alice-pass"), "inner")
		cfg.NestedGroups = true
		c.groups(t, c.in(t, directory(t, cfg), "alice", "alice-pass"), "inner", "outer")
		cfg.GroupAttribute = "dn"
		c.groups(t, c.in(t, directory(t, cfg), "alice", "alice-pass"), lab.Team("inner"), lab.Team("outer"))
		cfg = s.config()
		cfg.GroupFilter = "(&(objectClass=posixGroup)(memberUid={uid}))"
		d := directory(t, cfg)
		c.groups(t, c.in(t, d, "alice", "alice-pass"), "unix")
		c.groups(t, c.in(t, d, "bob", "bob-pass"))
		cfg = s.config()
		cfg.NoGroups = true
		c.groups(t, c.in(t, directory(t, cfg), "alice", "alice-pass"))
	})
	t.Run("a name of two", func(t *testing.T) {
		lab.Set(t, root, lab.UID("dave"), "mail", "frank", "dave@example.org")
		cfg := s.config()
		cfg.UserFilter = "(|(uid={username})(mail={username}))"
		d := directory(t, cfg)
		c.out(t, d, "frank", "frank-pass", mic.ErrCredentials)
		c.out(t, d, "frank", "dave-pass", mic.ErrCredentials)
		c.in(t, d, "dave@example.org", "dave-pass")
	})
	t.Run("a subject of two", func(t *testing.T) {
		lab.Set(t, root, lab.UID("dave"), "employeeNumber", "7")
		cfg := s.config()
		cfg.SubjectAttribute = "employeeNumber"
		d := directory(t, cfg)
		a := c.in(t, d, "dave", "dave-pass")
		c.still(t, d, a)
		lab.Set(t, root, lab.UID("frank"), "employeeNumber", "7")
		c.out(t, d, "frank", "frank-pass", mic.ErrUnavailable)
		c.gone(t, d, a)
		c.out(t, d, "bob", "bob-pass", mic.ErrUnavailable) // has none
	})
	t.Run("accounts that may not log in", func(t *testing.T) {
		cfg := s.config()
		at := time.Unix(20000*24*60*60, 0)
		cfg.Now = func() time.Time { return at }
		d := directory(t, cfg)
		c.out(t, d, "carol", "carol-pass", "the account has expired")
		c.out(t, d, "carol", "wrong", mic.ErrCredentials)
		at = at.Add(-time.Second)
		carol := c.in(t, d, "carol", "carol-pass")
		c.still(t, d, carol)
		at = at.Add(time.Second)
		c.gone(t, d, carol)
		at = at.Add(-time.Hour)
		cfg.DisabledFilter = "(employeeType=left)"
		d = directory(t, cfg)
		c.out(t, d, "carol", "carol-pass", "the account is disabled")
		c.gone(t, d, carol)
		c.in(t, d, "bob", "bob-pass")

		d = directory(t, s.config())
		bob := c.in(t, d, "bob", "bob-pass")
		lab.Set(t, root, lab.UID("bob"), "pwdReset", "TRUE")
		c.out(t, d, "bob", "bob-pass", "the password must be changed first")
		c.out(t, d, "bob", "wrong", mic.ErrCredentials)
		c.gone(t, d, bob)
		lab.Set(t, root, lab.UID("bob"), "pwdReset")
		c.still(t, d, bob)
	})
	t.Run("locked", func(t *testing.T) {
		d := directory(t, s.config())
		erin := c.in(t, d, "erin", "erin-pass")
		for range 3 {
			c.out(t, d, "erin", "wrong", mic.ErrCredentials)
		}
		c.out(t, d, "erin", "erin-pass", mic.ErrCredentials) // the lock is before the password
		c.gone(t, d, erin)
		lab.Set(t, root, lab.UID("erin"), "pwdAccountLockedTime")
		c.still(t, d, c.in(t, d, "erin", "erin-pass"))
		lab.Set(t, root, lab.UID("erin"), "pwdAccountLockedTime", "000001010000Z")
		c.out(t, d, "erin", "erin-pass", mic.ErrCredentials)
		c.gone(t, d, erin)
	})
	t.Run("an old password", func(t *testing.T) {
		d := directory(t, s.config())
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range 100 { // it is one second old at last
			if _, err := d.Check(t.Context(), "grace", "grace-pass"); err != nil {
				break
			}
			<-tick.C
		}
		c.out(t, d, "grace", "grace-pass", "the password has expired")
		c.out(t, d, "grace", "wrong", mic.ErrCredentials)
	})
	t.Run("renamed, deleted, made again", func(t *testing.T) {
		d := directory(t, s.config())
		frank := c.in(t, d, "frank", "frank-pass")
		if err := root.ModifyDN(goldap.NewModifyDNRequest(lab.UID("frank"), "uid=franklin", true, "")); err != nil {
			t.Fatal(err)
		}
		now := c.still(t, d, frank)
		if fmt.Sprint(now.Attributes["uid"]) != "[franklin]" {
			t.Errorf("renamed: %v", now.Attributes)
		}
		c.out(t, d, "frank", "frank-pass", mic.ErrCredentials)
		if a := c.in(t, d, "franklin", "frank-pass"); a.Subject != frank.Subject {
			t.Errorf("renamed: %s, was %s", a.Subject, frank.Subject)
		}
		if err := root.Del(goldap.NewDelRequest(lab.UID("franklin"), nil)); err != nil {
			t.Fatal(err)
		}
		c.gone(t, d, frank)
		c.out(t, d, "franklin", "frank-pass", mic.ErrCredentials)
		lab.Person(t, root, "frank")
		if a := c.in(t, d, "frank", "frank-pass"); a.Subject == frank.Subject {
			t.Error("somebody new has the identity of who had his name")
		}
		c.gone(t, d, frank)
	})
	t.Run("many at once", func(t *testing.T) {
		d := directory(t, s.config())
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				password, want := "alice-pass", error(nil)
				if i%3 == 0 {
					password, want = "wrong", mic.ErrCredentials
				}
				name := []string{"alice", "dave", "alice"}[i%3]
				if name == "dave" {
					password = "dave-pass"
				} else if want != nil {
					name = "nobody"
				}
				if _, err := d.Check(t.Context(), name, password); !errors.Is(err, want) {
					t.Errorf("Check(%s) = %v; want %v", name, err, want)
				}
			})
		}
		all.Wait()
		c.n += 60
	})
	t.Run("more groups than the server tells of", func(t *testing.T) {
		for i := range 510 {
			lab.Add(t, root, lab.Team(fmt.Sprintf("many%d", i)), "objectClass", "groupOfNames", "cn", fmt.Sprintf("many%d", i), "member", lab.UID("dave"))
		}
		c.out(t, directory(t, s.config()), "dave", "dave-pass", mic.ErrUnavailable)
	})
	t.Run("down and back, and another server", func(t *testing.T) {
		d := directory(t, s.config())
		c.in(t, d, "alice", "alice-pass")
		s.Stop()
		c.out(t, d, "alice", "alice-pass", mic.ErrUnavailable)
		c.n++
		if _, err := d.Ask(t.Context(), alice.Kept); !errors.Is(err, mic.ErrUnavailable) {
			t.Errorf("Ask = %v; want ErrUnavailable", err)
		}
		// The second server is the first one's copy, and trusted by the same authority.
		second := s.copy(t)
		cfg := s.config()
		cfg.URL = []string{s.TLS, second.TLS}
		cfg.CACertificates += second.CA
		two := directory(t, cfg)
		if a := c.in(t, two, "alice", "alice-pass"); a.Subject != alice.Subject {
			t.Errorf("alice is %s, was %s", a.Subject, alice.Subject)
		}
		c.still(t, two, alice)
		s.Start()
		c.in(t, d, "alice", "alice-pass")
		c.still(t, d, alice)
		second.Stop()
		c.in(t, two, "alice", "alice-pass")
		c.still(t, two, alice)
	})
	c.figure("OpenLDAP slapd")
}

// copy starts a server with the entries of one that is stopped.
func (s *slapd) copy(t *testing.T) *slapd {
	t.Helper()
	second := newSlapd(t, true)
	second.Stop()
	data, err := os.ReadFile(filepath.Join(s.Dir, "db", "data.mdb"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(second.Dir, "db", "data.mdb"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	second.Start()
	return second
}

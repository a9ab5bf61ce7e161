//go:build e2e

package ldap_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
	"postern/auth/mic/lab"
	"postern/auth/mic/ldap"
)

// A controller is a domain controller of a test.
type controller struct{ *lab.Controller }

func (s *controller) config() ldap.Config {
	return ldap.Config{
		URL: []string{lab.ControllerURL}, CACertificates: s.CA, ActiveDirectory: true, Domain: lab.Realm, NestedGroups: true, Timeout: 5,
		BindDN: "svc@" + lab.Realm, BindPassword: "Svc-Pass-1!",
	}
}

// asHimself is the same without a service account.
func (s *controller) asHimself() ldap.Config {
	c := s.config()
	c.BindDN, c.BindPassword = "", ""
	return c
}

func TestSamba(t *testing.T) {
	lab.InstallSamba(t)
	if !lab.Alone(t, 170*time.Second) {
		return
	}
	begin := time.Now()
	s := &controller{lab.Samba(t)}
	c := &checks{t: t}
	s.Tool(t, "domain", "passwordsettings", "set", "--account-lockout-threshold=3", "--min-pwd-age=0")
	s.Tool(t, "user", "create", "svc", "Svc-Pass-1!")
	for _, name := range []string{"alice", "bob", "dave", "erin", "frank", "grace"} {
		s.Tool(t, "user", "create", name, lab.ADPassword(name), "--mail-address="+name+"@example.com")
	}
	s.Tool(t, "user", "create", "carol", lab.ADPassword("carol"), "--must-change-at-next-login")
	s.Tool(t, "user", "disable", "bob")
	s.Tool(t, "user", "setexpiry", "dave", "--days=-1")
	for _, g := range []string{"inner", "middle", "outer"} {
		s.Tool(t, "group", "add", g)
	}
	s.Tool(t, "group", "addmembers", "inner", "alice")
	s.Tool(t, "group", "addmembers", "middle", "inner")
	s.Tool(t, "group", "addmembers", "outer", "middle,Domain Users")
	root := s.Admin(t)
	lab.Set(t, root, lab.Account("inner"), "member", lab.Account("alice"), lab.Account("outer")) // a loop
	lab.Set(t, root, lab.Account("grace"), "userPrincipalName", "grace.hopper@mail.example")
	t.Logf("figure: a domain of Samba is ready after %.1f s", time.Since(begin).Seconds())

	var alice *mic.Account
	configs := map[string]ldap.Config{"service account": s.config(), "as himself": s.asHimself()}
	for kind, cfg := range configs {
		t.Run(kind, func(t *testing.T) {
			d := directory(t, cfg)
			alice = c.in(t, d, "alice", lab.ADPassword("alice"))
			c.groups(t, alice, "Domain Users", "Users", "inner", "middle", "outer")
			if guid := s.Tool(t, "user", "show", "alice", "--attributes=objectGUID"); !strings.Contains(guid, "objectGUID: "+alice.Subject) {
				t.Errorf("the subject is %s, the tool says %s", alice.Subject, guid)
			}
			if fmt.Sprint(alice.Attributes["mail"]) != "[alice@example.com]" || fmt.Sprint(alice.Attributes["sAMAccountName"]) != "[alice]" {
				t.Errorf("alice is %+v", alice)
			}
			for _, name := range []string{"ALICE", "alice@" + lab.Realm, `CORP\alice`, `corp\Alice`, lab.Realm + `\alice`} {
				if a := c.in(t, d, name, lab.ADPassword("alice")); a.Subject != alice.Subject {
					t.Errorf("%s is %s, alice %s", name, a.Subject, alice.Subject)
				}
			}
			grace := c.in(t, d, "grace.hopper@mail.example", lab.ADPassword("grace"))
			if a := c.in(t, d, "grace", lab.ADPassword("grace")); a.Subject != grace.Subject {
				t.Errorf("grace is %s and %s", a.Subject, grace.Subject)
			}
			for _, name := range []string{"alice", "nobody", `CORP\nobody`, "nobody@" + lab.Realm, "alice@" + lab.Realm} {
				c.out(t, d, name, "wrong", mic.ErrCredentials)
				c.out(t, d, name, "", mic.ErrCredentials)
			}
			s.Tool(t, "user", "unlock", "alice")
			for _, name := range []string{`OTHER\alice`, lab.Account("alice"), "alice)(cn=*", "*", "al*", "alice@other.example", "alice\x00", "Users"} {
				c.out(t, d, name, lab.ADPassword("alice"), mic.ErrCredentials)
			}
			// With the right password one is told what is wrong, with another one nothing.
			c.out(t, d, "bob", lab.ADPassword("bob"), "the account is disabled")
			c.out(t, d, "bob", "wrong", mic.ErrCredentials)
			c.out(t, d, "carol", lab.ADPassword("carol"), "the password must be changed first")
			c.out(t, d, "carol", "wrong", mic.ErrCredentials)
			c.out(t, d, "dave", lab.ADPassword("dave"), "the account has expired")
			c.out(t, d, "dave", "wrong", mic.ErrCredentials)
			s.Tool(t, "user", "unlock", "carol")
			s.Tool(t, "user", "unlock", "dave")
			if cfg.BindDN == "" {
				if alice.Kept != nil {
					t.Error("something is kept without a service account")
				}
				return
			}
			c.groups(t, c.still(t, d, alice), alice.Groups...)
		})
	}
	d := directory(t, s.config())
	alice = c.in(t, d, "alice", lab.ADPassword("alice"))
	t.Run("StartTLS, and no plain text", func(t *testing.T) {
		cfg := s.config()
		cfg.URL, cfg.StartTLS = []string{"ldap://127.0.0.1"}, true
		c.in(t, directory(t, cfg), "alice", lab.ADPassword("alice"))
		cfg.StartTLS = false // the controller wants it
		c.out(t, directory(t, cfg), "alice", lab.ADPassword("alice"), mic.ErrUnavailable)
		cfg = s.config()
		cfg.CACertificates, _, _ = lab.Vouch(t, "127.0.0.1")
		c.out(t, directory(t, cfg), "alice", lab.ADPassword("alice"), mic.ErrUnavailable)
	})
	t.Run("without nested groups", func(t *testing.T) {
		cfg := s.config()
		cfg.NestedGroups = false
		c.groups(t, c.in(t, directory(t, cfg), "alice", lab.ADPassword("alice")), "Domain Users", "inner")
		cfg.GroupBaseDN = "CN=Builtin," + lab.ADBase
		c.groups(t, c.in(t, directory(t, cfg), "alice", lab.ADPassword("alice")))
		cfg.GroupBaseDN, cfg.GroupFilter, cfg.NestedGroups = "", "(&(objectClass=group)(!(cn=middle)))", true
		c.groups(t, c.in(t, directory(t, cfg), "alice", lab.ADPassword("alice")), "Domain Users", "Users", "inner", "outer")
	})
	// A controller of today does not let two users have one principal name (how a login
	// fares where it does: TestAttackNameOfOneFindsEntryOfAnother); a like one it does.
	t.Run("a name like another's", func(t *testing.T) {
		lab.Set(t, root, lab.Account("frank"), "userPrincipalName", "alice@mail.example")
		for _, cfg := range configs {
			d := directory(t, cfg)
			frank := c.in(t, d, "alice@mail.example", lab.ADPassword("frank"))
			if a := c.in(t, d, "frank", lab.ADPassword("frank")); a.Subject != frank.Subject || a.Subject == alice.Subject {
				t.Errorf("frank is %s and %s, alice %s", frank.Subject, a.Subject, alice.Subject)
			}
			c.out(t, d, "alice@mail.example", lab.ADPassword("alice"), mic.ErrCredentials)
			c.out(t, d, "alice", lab.ADPassword("frank"), mic.ErrCredentials)
			c.in(t, d, "alice", lab.ADPassword("alice"))
		}
	})
	t.Run("at this time", func(t *testing.T) {
		lab.Set(t, root, lab.Account("grace"), "logonHours", string(make([]byte, 21)))
		for _, cfg := range configs {
			c.out(t, directory(t, cfg), "grace", lab.ADPassword("grace"), "the account may not log in at this time")
			c.out(t, directory(t, cfg), "grace", "wrong", mic.ErrCredentials)
		}
		lab.Set(t, root, lab.Account("grace"), "logonHours", string(bytes.Repeat([]byte{255}, 21)))
		c.in(t, d, "grace", lab.ADPassword("grace"))
	})
	t.Run("locked", func(t *testing.T) {
		erin := c.in(t, d, "erin", lab.ADPassword("erin"))
		for range 4 {
			c.out(t, d, "erin", "wrong", mic.ErrCredentials)
		}
		c.out(t, d, "erin", lab.ADPassword("erin"), mic.ErrCredentials) // the lock is before the password
		c.out(t, directory(t, s.asHimself()), "erin", lab.ADPassword("erin"), mic.ErrCredentials)
		c.gone(t, d, erin)
		s.Tool(t, "user", "unlock", "erin")
		c.in(t, d, "erin", lab.ADPassword("erin"))
		c.still(t, d, erin)
	})
	t.Run("asked again", func(t *testing.T) {
		erin := c.in(t, d, "erin", lab.ADPassword("erin"))
		s.Tool(t, "user", "disable", "erin")
		c.gone(t, d, erin)
		s.Tool(t, "user", "enable", "erin")
		c.still(t, d, erin)
		s.Tool(t, "user", "setexpiry", "erin", "--days=-1")
		c.gone(t, d, erin)
		lab.Set(t, root, lab.Account("erin"), "accountExpires", "0")
		c.still(t, d, erin)
		lab.Set(t, root, lab.Account("erin"), "pwdLastSet", "0")
		c.gone(t, d, erin)
		lab.Set(t, root, lab.Account("erin"), "pwdLastSet", "-1")
		s.Tool(t, "group", "addmembers", "middle", "erin")
		c.groups(t, c.still(t, d, erin), "Domain Users", "Users", "inner", "middle", "outer")
		// Another name, another place: the same account.
		lab.Add(t, root, "OU=Staff,"+lab.ADBase, "objectClass", "organizationalUnit")
		if err := root.ModifyDN(goldap.NewModifyDNRequest(lab.Account("erin"), "CN=Erin Renamed", true, "OU=Staff,"+lab.ADBase)); err != nil {
			t.Fatal(err)
		}
		lab.Set(t, root, "CN=Erin Renamed,OU=Staff,"+lab.ADBase, "sAMAccountName", "erin2")
		lab.Set(t, root, "CN=Erin Renamed,OU=Staff,"+lab.ADBase, "userPrincipalName", "erin2@"+lab.Realm)
		if now := c.still(t, d, erin); fmt.Sprint(now.Attributes["sAMAccountName"]) != "[erin2]" {
			t.Errorf("renamed: %v", now.Attributes)
		}
		c.out(t, d, "erin", lab.ADPassword("erin"), mic.ErrCredentials)
		if a := c.in(t, d, "erin2", lab.ADPassword("erin")); a.Subject != erin.Subject {
			t.Errorf("renamed: %s, was %s", a.Subject, erin.Subject)
		}
		s.Tool(t, "user", "delete", "erin2")
		c.gone(t, d, erin)
		c.out(t, d, "erin2", lab.ADPassword("erin"), mic.ErrCredentials)
		s.Tool(t, "user", "create", "erin", lab.ADPassword("erin"))
		if a := c.in(t, d, "erin", lab.ADPassword("erin")); a.Subject == erin.Subject {
			t.Error("somebody new has the identity of who had his name")
		}
		c.gone(t, d, erin)
	})
	t.Run("down and back, and another address", func(t *testing.T) {
		cfg := s.config()
		cfg.URL = []string{"ldaps://127.0.0.1:6360", "ldaps://127.0.0.1"} // nobody listens on the first
		two := directory(t, cfg)
		c.in(t, two, "alice", lab.ADPassword("alice"))
		c.in(t, d, "alice", lab.ADPassword("alice"))
		s.Stop()
		for _, d := range []*ldap.Directory{d, two} {
			c.out(t, d, "alice", lab.ADPassword("alice"), mic.ErrUnavailable)
			c.n++
			if _, err := d.Ask(t.Context(), alice.Kept); !errors.Is(err, mic.ErrUnavailable) {
				t.Errorf("Ask = %v; want ErrUnavailable", err)
			}
		}
		s.Start()
		for _, d := range []*ldap.Directory{d, two} {
			c.in(t, d, "alice", lab.ADPassword("alice"))
			c.still(t, d, alice)
		}
	})
	c.figure("a domain controller of Samba")
}

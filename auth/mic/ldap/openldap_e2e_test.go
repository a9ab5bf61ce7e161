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
	"postern/auth/mic/ldap"
	"postern/engine/clients/install"
)

const (
	suffix  = "dc=example,dc=org"
	rootDN  = "cn=root," + suffix
	service = "cn=svc," + suffix
	users   = "ou=people," + suffix
	teams   = "ou=groups," + suffix
)

// A slapd is an OpenLDAP of a test.
type slapd struct {
	process
	dir, tls, plain string // directory, addresses
	ca              string
}

// newSlapd starts one. Without TLS it has no certificate.
func newSlapd(t *testing.T, withTLS bool) *slapd {
	t.Helper()
	s := &slapd{dir: t.TempDir(), plain: "ldap://127.0.0.1:" + freePort(t)}
	certificate := ""
	if withTLS {
		ca, cert, key := ldap.Vouch(t, "127.0.0.1")
		s.ca, s.tls = ca, "ldaps://127.0.0.1:"+freePort(t)
		certificate = "TLSCertificateFile " + write(t, s.dir, "cert.pem", cert) + "\nTLSCertificateKeyFile " + write(t, s.dir, "key.pem", key) + "\n"
	}
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	// An empty password is taken by this server, as by many: the refusal is ours.
	conf := write(t, s.dir, "slapd.conf", `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile `+s.dir+`/pid
allow bind_anon_dn
`+certificate+`
database mdb
suffix "`+suffix+`"
rootdn "`+rootDN+`"
rootpw root-secret
directory `+s.dir+`/db
dbnosync
index objectClass,entryUUID,uid,member eq
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="`+teams+`" by users read
access to * by dn.exact="`+service+`" read by self read by * auth
overlay memberof
overlay ppolicy
ppolicy_default "cn=policy,`+suffix+`"
`)
	s.process = process{
		t: t, name: "/usr/sbin/slapd", log: filepath.Join(s.dir, "log"),
		args: []string{"-d", "0", "-f", conf, "-h", strings.TrimSpace(s.plain + "/ " + s.tls)},
		ready: func() error {
			c, err := dialAs(s.plain, "", rootDN, "root-secret")
			if err == nil {
				err = c.Close()
			}
			return err
		},
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *slapd) config() ldap.Config {
	return ldap.Config{
		URL: []string{s.tls}, CACertificates: s.ca, BindDN: service, BindPassword: "svc-secret",
		BaseDN: users, GroupBaseDN: teams, NestedGroups: true, Timeout: 5,
	}
}

func uid(name string) string  { return "uid=" + goldap.EscapeDN(name) + "," + users }
func team(name string) string { return "cn=" + name + "," + teams }

// person makes a user whose password is his name and -pass.
func person(t *testing.T, c *goldap.Conn, name string, more ...string) {
	t.Helper()
	add(t, c, uid(name), append([]string{
		"objectClass", "inetOrgPerson|shadowAccount", "uid", name, "cn", strings.ToUpper(name[:1]) + name[1:], "sn", "Example",
		"mail", name + "@example.org", "userPassword", name + "-pass",
	}, more...)...)
}

func TestOpenLDAP(t *testing.T) {
	install.Debian(t, "slapd")
	s := newSlapd(t, true)
	c := &checks{t: t}
	root := admin(t, s.tls, s.ca, rootDN, "root-secret")
	add(t, root, suffix, "objectClass", "dcObject|organization", "dc", "example", "o", "Example")
	add(t, root, users, "objectClass", "organizationalUnit", "ou", "people")
	add(t, root, teams, "objectClass", "organizationalUnit", "ou", "groups")
	add(t, root, service, "objectClass", "organizationalRole|simpleSecurityObject", "cn", "svc", "userPassword", "svc-secret")
	add(t, root, "cn=policy,"+suffix, "objectClass", "organizationalRole|pwdPolicy", "cn", "policy", "pwdAttribute", "userPassword",
		"pwdLockout", "TRUE", "pwdMaxFailure", "3", "pwdMustChange", "TRUE")
	add(t, root, "cn=short,"+suffix, "objectClass", "organizationalRole|pwdPolicy", "cn", "short", "pwdAttribute", "userPassword", "pwdMaxAge", "1")
	for _, name := range []string{"alice", "bob", "dave", "erin", "frank"} {
		person(t, root, name)
	}
	person(t, root, "carol", "shadowExpire", "20000", "employeeType", "left")
	person(t, root, "grace", "pwdPolicySubentry", "cn=short,"+suffix)
	person(t, root, "o'neil, (x)*", "description", "a name to be escaped")
	add(t, root, team("inner"), "objectClass", "groupOfNames", "cn", "inner", "member", uid("alice")+"|"+uid("bob")+"|"+team("outer")) // a loop
	add(t, root, team("outer"), "objectClass", "groupOfNames", "cn", "outer", "member", team("inner"))
	add(t, root, team("unique"), "objectClass", "groupOfUniqueNames", "cn", "unique", "uniqueMember", uid("alice"))
	add(t, root, team("unix"), "objectClass", "posixGroup", "cn", "unix", "gidNumber", "1000", "memberUid", "alice")

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
		conn, err := dialAs(s.tls, s.ca, "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.UnauthenticatedBind(uid("alice")); err != nil {
			t.Fatalf("the server refuses an empty password (%v): the test shows nothing", err)
		}
		c.out(t, directory(t, s.config()), "alice", "", mic.ErrCredentials)
	})
	t.Run("StartTLS, plain on loopback", func(t *testing.T) {
		cfg := s.config()
		cfg.URL, cfg.StartTLS = []string{s.plain}, true
		c.groups(t, c.in(t, directory(t, cfg), "alice", "alice-pass"), alice.Groups...)
		c.out(t, directory(t, cfg), "alice", "wrong", mic.ErrCredentials)
		cfg.StartTLS = false
		c.in(t, directory(t, cfg), "alice", "alice-pass")
	})
	t.Run("certificates", func(t *testing.T) {
		for _, url := range []string{s.tls, s.plain} {
			cfg := s.config()
			cfg.URL, cfg.StartTLS = []string{url}, url == s.plain
			cfg.CACertificates, _, _ = ldap.Vouch(t, "127.0.0.1")
			c.out(t, directory(t, cfg), "alice", "alice-pass", mic.ErrUnavailable)
			cfg.CACertificates = ""
			c.out(t, directory(t, cfg), "alice", "alice-pass", mic.ErrUnavailable)
			cfg.CACertificates = s.ca
			cfg.URL = []string{strings.Replace(url, "127.0.0.1", "localhost", 1)} // a name that is not in the certificate
			c.out(t, directory(t, cfg), "alice", "alice-pass", mic.ErrUnavailable)
		}
	})
	t.Run("StartTLS of a server that has none", func(t *testing.T) {
		other := newSlapd(t, false)
		cfg := s.config()
		cfg.URL, cfg.StartTLS = []string{other.plain}, true
		c.out(t, directory(t, cfg), "alice", "alice-pass", mic.ErrUnavailable)
	})
	t.Run("direct bind", func(t *testing.T) {
		cfg := s.config()
		cfg.BindDN, cfg.BindPassword, cfg.UserDNTemplate = "", "", "uid={username},"+users
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
		cfg.BindDN, cfg.BindPassword = service, "svc-secret"
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
		c.groups(t, c.in(t, directory(t, cfg), "alice", "alice-pass"), team("inner"), team("outer"))
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
		set(t, root, uid("dave"), "mail", "frank", "dave@example.org")
		cfg := s.config()
		cfg.UserFilter = "(|(uid={username})(mail={username}))"
		d := directory(t, cfg)
		c.out(t, d, "frank", "frank-pass", mic.ErrCredentials)
		c.out(t, d, "frank", "dave-pass", mic.ErrCredentials)
		c.in(t, d, "dave@example.org", "dave-pass")
	})
	t.Run("a subject of two", func(t *testing.T) {
		set(t, root, uid("dave"), "employeeNumber", "7")
		cfg := s.config()
		cfg.SubjectAttribute = "employeeNumber"
		d := directory(t, cfg)
		a := c.in(t, d, "dave", "dave-pass")
		c.still(t, d, a)
		set(t, root, uid("frank"), "employeeNumber", "7")
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
		set(t, root, uid("bob"), "pwdReset", "TRUE")
		c.out(t, d, "bob", "bob-pass", "the password must be changed first")
		c.out(t, d, "bob", "wrong", mic.ErrCredentials)
		c.gone(t, d, bob)
		set(t, root, uid("bob"), "pwdReset")
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
		set(t, root, uid("erin"), "pwdAccountLockedTime")
		c.still(t, d, c.in(t, d, "erin", "erin-pass"))
		set(t, root, uid("erin"), "pwdAccountLockedTime", "000001010000Z")
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
		if err := root.ModifyDN(goldap.NewModifyDNRequest(uid("frank"), "uid=franklin", true, "")); err != nil {
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
		if err := root.Del(goldap.NewDelRequest(uid("franklin"), nil)); err != nil {
			t.Fatal(err)
		}
		c.gone(t, d, frank)
		c.out(t, d, "franklin", "frank-pass", mic.ErrCredentials)
		person(t, root, "frank")
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
			add(t, root, team(fmt.Sprintf("many%d", i)), "objectClass", "groupOfNames", "cn", fmt.Sprintf("many%d", i), "member", uid("dave"))
		}
		c.out(t, directory(t, s.config()), "dave", "dave-pass", mic.ErrUnavailable)
	})
	t.Run("down and back, and another server", func(t *testing.T) {
		d := directory(t, s.config())
		c.in(t, d, "alice", "alice-pass")
		s.stop()
		c.out(t, d, "alice", "alice-pass", mic.ErrUnavailable)
		c.n++
		if _, err := d.Ask(t.Context(), alice.Kept); !errors.Is(err, mic.ErrUnavailable) {
			t.Errorf("Ask = %v; want ErrUnavailable", err)
		}
		// The second server is the first one's copy, and trusted by the same authority.
		second := s.copy(t)
		cfg := s.config()
		cfg.URL = []string{s.tls, second.tls}
		cfg.CACertificates += second.ca
		two := directory(t, cfg)
		if a := c.in(t, two, "alice", "alice-pass"); a.Subject != alice.Subject {
			t.Errorf("alice is %s, was %s", a.Subject, alice.Subject)
		}
		c.still(t, two, alice)
		s.start()
		c.in(t, d, "alice", "alice-pass")
		c.still(t, d, alice)
		second.stop()
		c.in(t, two, "alice", "alice-pass")
		c.still(t, two, alice)
	})
	c.figure("OpenLDAP slapd")
}

// copy starts a server with the entries of one that is stopped.
func (s *slapd) copy(t *testing.T) *slapd {
	t.Helper()
	second := newSlapd(t, true)
	second.stop()
	data, err := os.ReadFile(filepath.Join(s.dir, "db", "data.mdb"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(second.dir, "db", "data.mdb"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	second.start()
	return second
}

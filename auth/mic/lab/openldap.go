//go:build e2e

package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/engine/clients/install"
)

// Names and passwords in the directory of a Slapd.
const (
	Suffix          = "dc=example,dc=org"
	ServiceDN       = "cn=svc," + Suffix // may read everything, once Found has made it
	ServicePassword = "svc-secret"
	People          = "ou=people," + Suffix
	Teams           = "ou=groups," + Suffix
	PolicyDN        = "cn=policy," + Suffix // of passwords, for everybody, if a test makes it

	rootDN       = "cn=root," + Suffix
	rootPassword = "root-secret"
)

// A Slapd is an OpenLDAP server.
type Slapd struct {
	Process
	Dir, TLS, Plain string // its directory, its addresses
	CA              string
}

// OpenLDAP starts a server whose directory is empty. Without TLS it has no
// certificate.
func OpenLDAP(t *testing.T, withTLS bool) *Slapd {
	t.Helper()
	install.Debian(t, "slapd")
	s := &Slapd{Dir: t.TempDir(), Plain: "ldap://127.0.0.1:" + FreePort(t)}
	certificate := ""
	if withTLS {
		ca, cert, key := Vouch(t, "127.0.0.1")
		s.CA, s.TLS = ca, "ldaps://127.0.0.1:"+FreePort(t)
		certificate = "TLSCertificateFile " + Write(t, s.Dir, "cert.pem", cert) + "\nTLSCertificateKeyFile " + Write(t, s.Dir, "key.pem", key) + "\n"
	}
	if err := os.Mkdir(filepath.Join(s.Dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	// An empty password is taken by this server, as by many: the refusal is ours.
	conf := Write(t, s.Dir, "slapd.conf", `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile `+s.Dir+`/pid
allow bind_anon_dn
`+certificate+`
database mdb
suffix "`+Suffix+`"
rootdn "`+rootDN+`"
rootpw `+rootPassword+`
directory `+s.Dir+`/db
dbnosync
index objectClass,entryUUID,uid,member eq
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="`+Teams+`" by users read
access to * by dn.exact="`+ServiceDN+`" read by self read by * auth
overlay memberof
overlay ppolicy
ppolicy_default "`+PolicyDN+`"
`)
	s.Process = Process{
		// Its log tells each operation that it is asked for.
		LogFile: filepath.Join(s.Dir, "log"), t: t, name: "/usr/sbin/slapd",
		args:  []string{"-d", "stats", "-f", conf, "-h", strings.TrimSpace(s.Plain + "/ " + s.TLS)},
		ready: func() error { return answers(s.Plain, "", rootDN, rootPassword) },
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Found makes the upper entries and the service account, and returns a connection
// for what comes below them.
func (s *Slapd) Found(t *testing.T) *goldap.Conn {
	t.Helper()
	root := Dial(t, s.TLS, s.CA, rootDN, rootPassword)
	Add(t, root, Suffix, "objectClass", "dcObject|organization", "dc", "example", "o", "Example")
	Add(t, root, People, "objectClass", "organizationalUnit", "ou", "people")
	Add(t, root, Teams, "objectClass", "organizationalUnit", "ou", "groups")
	Add(t, root, ServiceDN, "objectClass", "organizationalRole|simpleSecurityObject", "cn", "svc", "userPassword", ServicePassword)
	return root
}

// UID is the entry of a user.
func UID(name string) string { return "uid=" + goldap.EscapeDN(name) + "," + People }

// Team is the entry of a group.
func Team(name string) string { return "cn=" + name + "," + Teams }

// Person makes a user whose password is his name and -pass.
func Person(t *testing.T, c *goldap.Conn, name string, more ...string) {
	t.Helper()
	Add(t, c, UID(name), append([]string{
		"objectClass", "inetOrgPerson|shadowAccount", "uid", name, "cn", strings.ToUpper(name[:1]) + name[1:], "sn", "Example",
		"mail", name + "@example.org", "userPassword", name + "-pass",
	}, more...)...)
}

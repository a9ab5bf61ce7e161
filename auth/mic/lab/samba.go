//go:build e2e

package lab

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/engine/clients/install"
)

// Names in the domain of a Controller.
const (
	Realm   = "corp.example.com"
	ADBase  = "DC=corp,DC=example,DC=com"
	ADUsers = "CN=Users," + ADBase

	ControllerURL = "ldaps://127.0.0.1" // its ports are fixed, see Alone

	administrator = "Administrator@" + Realm
	adminPassword = "Adm1n-Pass!"
)

// A Controller is a domain controller of Samba.
type Controller struct {
	Process
	CA  string
	dir string
}

// InstallSamba gets the packages; that needs the network that a test in a namespace
// has not.
func InstallSamba(t *testing.T) {
	t.Helper()
	install.Debian(t, "samba", "samba-ad-dc", "samba-ad-provision", "samba-dsdb-modules", "winbind")
}

// Samba makes a domain and starts its controller. It is for a test that is Alone.
func Samba(t *testing.T) *Controller {
	t.Helper()
	s := &Controller{dir: t.TempDir()}
	ca, cert, key := Vouch(t, "127.0.0.1")
	s.CA = ca
	s.Tool(t, "domain", "provision", "--targetdir="+s.dir, "--realm="+Realm, "--domain=CORP", "--server-role=dc", "--dns-backend=NONE",
		"--adminpass="+adminPassword, "--host-name=dc", "--host-ip=127.0.0.1",
		"--option=server services=ldap, kdc", "--option=interfaces=lo", "--option=bind interfaces only=yes", "--option=log file="+s.dir+"/log.%m",
		"--option=tls certfile="+Write(t, s.dir, "cert.pem", cert), "--option=tls keyfile="+Write(t, s.dir, "key.pem", key),
		"--option=tls cafile="+Write(t, s.dir, "ca.pem", ca))
	s.Process = Process{
		LogFile: filepath.Join(s.dir, "log"), t: t, name: "samba",
		args:  []string{"-i", "-M", "single", "-s", filepath.Join(s.dir, "etc", "smb.conf"), "--debug-stdout"},
		ready: func() error { return answers(ControllerURL, ca, administrator, adminPassword) },
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Tool runs samba-tool and returns what it says.
func (s *Controller) Tool(t *testing.T, arguments ...string) string {
	t.Helper()
	if s.cmd != nil {
		arguments = append(arguments, "-s", filepath.Join(s.dir, "etc", "smb.conf"))
	}
	out, err := exec.CommandContext(t.Context(), "samba-tool", arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("samba-tool %q: %v\n%s", arguments, err, out)
	}
	return string(out)
}

// Admin is a connection of the administrator.
func (s *Controller) Admin(t *testing.T) *goldap.Conn {
	t.Helper()
	return Dial(t, ControllerURL, s.CA, administrator, adminPassword)
}

// Account is the entry of a user or group.
func Account(name string) string { return "CN=" + name + "," + ADUsers }

// ADPassword is the password that tests give a user.
func ADPassword(name string) string { return strings.ToUpper(name) + "-pass-1!" }

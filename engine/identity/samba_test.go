//go:build e2e

package identity

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"postern/auth/mic/lab"
	"postern/engine/clients/install"
)

// A domain controller, the server and the browser, all in a network of their own.
func TestSamba(t *testing.T) {
	lab.InstallSamba(t)
	install.Browser(t)
	if !lab.Alone(t, 280*time.Second, install.Built+"="+install.Binary(t)) {
		return
	}
	d := lab.Samba(t)
	d.Tool(t, "user", "create", "svc", "Svc-Pass-1!")
	for _, name := range []string{"alice", "bob"} {
		d.Tool(t, "user", "create", name, lab.ADPassword(name), "--mail-address="+name+"@example.com")
	}
	for _, g := range []string{"inner", "middle", "outer"} {
		d.Tool(t, "group", "add", g)
	}
	d.Tool(t, "group", "addmembers", "inner", "alice")
	d.Tool(t, "group", "addmembers", "middle", "inner")
	d.Tool(t, "group", "addmembers", "outer", "middle")
	p := ownPage(&provider{
		kind: "Active Directory",
		settings: settings(t, "Active Directory", "ldaps://dc.corp.example", lab.ControllerURL, "postern@corp.example", "svc@"+lab.Realm,
			"...", "Svc-Pass-1!", "corp.example", lab.Realm),
		password: lab.ADPassword,
		mail:     "alice@example.com", group: "outer",
		disabled: "The account is disabled.",
		leave:    func() { d.Tool(t, "group", "removemembers", "inner", "alice") },
		join:     func() { d.Tool(t, "group", "addmembers", "inner", "alice") },
		disable:  func() { d.Tool(t, "user", "disable", "bob") },
		enable:   func() { d.Tool(t, "user", "enable", "bob") },
		stop:     d.Stop,
		start:    d.Start,
	})
	option(p.settings, "caCertificates", d.CA)
	s := serve(t)
	a := newApp(t, s)
	w := through(t, s, a, p)
	t.Run("names", func(t *testing.T) {
		a.t = t
		_, alice, _ := w.in("alice")
		for _, name := range []string{"ALICE", "alice@" + lab.Realm, `CORP\alice`} {
			b := w.c.browser(t, look{})
			l := w.begin(appKey)
			b.open(l.link)
			w.answer(b, name, w.p.password("alice"))
			b.wait(w.redirect)
			user, _ := w.session(w.exchange(l, w.returned().Get("code")))
			w.check(user == alice, "%s is %s, alice %s", name, user, alice)
			b.close()
		}
	})
	t.Logf("figure: %d checks with a domain controller of Samba in all", w.checks)
	if out, err := exec.Command("ip", "-o", "link").Output(); err != nil || strings.Count(string(out), "\n") != 1 {
		t.Errorf("there is more than a loopback here: %v\n%s", err, out)
	}
}

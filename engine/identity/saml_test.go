//go:build e2e

package identity

import (
	"strings"
	"testing"

	"postern/auth/mic/lab"
)

func TestSimpleSAMLphp(t *testing.T) {
	idp := lab.SimpleSAML(t)
	s := serve(t)
	a := newApp(t, s)
	passwords := map[string]string{"alice": "wonder-1", "bob": "wonder-2"}
	change := func(who string, to map[string][]string) {
		users := lab.SAMLUsers()
		delete(users, who)
		if to != nil {
			users[who] = to
		}
		idp.SetUsers(users)
	}
	p := &provider{
		kind:     "SAML 2.0",
		settings: settings(t, "SAML 2.0", "https://id.example/metadata", idp.Metadata()),
		register: func(s *server, id string) {
			at := strings.NewReplacer("PUBLIC_URL", "", "ID", id).Replace(readme(t, "give the provider `", "`"))
			r := s.do("GET", at, credential{}, nil)
			if r.status != 200 {
				t.Fatalf("%s: %d %s", at, r.status, r.body)
			}
			idp.Write("sp-"+id+".xml", r.body)
		},
		password: func(name string) string { return passwords[name] },
		mail:     "alice@example.com", group: "admins",
		username: "#username", secret: "#password", button: "#submit_button, button[type=submit]",
		wrong: "Incorrect username or password", disabled: "Incorrect username or password",
		leave: func() {
			change("alice:wonder-1", map[string][]string{"uid": {"alice"}, "mail": {"alice@example.com"}, "groups": {"staff"}})
		},
		join:    func() { idp.SetUsers(lab.SAMLUsers()) },
		disable: func() { change("bob:wonder-2", nil) },
		enable:  func() { idp.SetUsers(lab.SAMLUsers()) },
		stop:    idp.Stop,
		start:   idp.Start,
	}
	w := through(t, s, a, p)
	t.Run("refused by the provider", func(t *testing.T) {
		a.t = t
		b := w.c.browser(t, look{})
		defer b.close()
		l := w.begin(appKey)
		b.open(l.link)
		w.answer(b, "mallory", "wonder-3")
		b.wait(w.redirect)
		back := w.returned()
		w.check(back.Get("error") == "access_denied" && back.Get("state") == l.state && back.Get("code") == "", "brought back: %v", back)
	})
	t.Logf("figure: %d checks with SimpleSAMLphp in all", w.checks)
}

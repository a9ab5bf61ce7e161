//go:build e2e

package identity

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/auth/mic/lab"
)

// ownPage is how the page of this server is filled in, and what it says.
func ownPage(p *provider) *provider {
	p.plain, p.asked = true, true
	p.username, p.secret, p.button = "label=Username", "label=Password", "button"
	p.wrong = "Wrong username or password."
	return p
}

// openLDAP starts one with alice, who is in outer by way of inner, with bob, and with
// carol, whose account has expired.
func openLDAP(t *testing.T) (*lab.Slapd, *provider) {
	s := lab.OpenLDAP(t, true)
	root := s.Found(t)
	lab.Add(t, root, lab.PolicyDN, "objectClass", "organizationalRole|pwdPolicy", "cn", "policy", "pwdAttribute", "userPassword",
		"pwdLockout", "TRUE", "pwdMaxFailure", "5")
	lab.Person(t, root, "alice")
	lab.Person(t, root, "bob")
	lab.Person(t, root, "carol", "shadowExpire", "1")
	lab.Add(t, root, lab.Team("inner"), "objectClass", "groupOfNames", "cn", "inner", "member", lab.UID("alice")+"|"+lab.UID("carol"))
	lab.Add(t, root, lab.Team("outer"), "objectClass", "groupOfNames", "cn", "outer", "member", lab.Team("inner"))
	p := ownPage(&provider{
		kind: "LDAP",
		settings: settings(t, "LDAP", "ldaps://ldap.example", s.TLS, "cn=postern,dc=example", lab.ServiceDN, "...", lab.ServicePassword,
			"dc=example", lab.Suffix),
		password: func(name string) string { return name + "-pass" },
		mail:     "alice@example.org", group: "outer",
		disabled: "Wrong username or password.", // OpenLDAP does not tell a locked account from a wrong password
		leave:    func() { lab.Set(t, root, lab.Team("inner"), "member", lab.UID("carol")) },
		join:     func() { lab.Set(t, root, lab.Team("inner"), "member", lab.UID("carol"), lab.UID("alice")) },
		disable:  func() { lab.Set(t, root, lab.UID("bob"), "pwdAccountLockedTime", "000001010000Z") },
		enable:   func() { lab.Set(t, root, lab.UID("bob"), "pwdAccountLockedTime") },
		stop:     s.Stop,
		start:    s.Start,
	})
	// The directory is vouched for by an authority that the system does not know.
	option(p.settings, "caCertificates", s.CA)
	return s, p
}

func TestOpenLDAP(t *testing.T) {
	slapd, p := openLDAP(t)
	s := serve(t)
	a := newApp(t, s)
	w := through(t, s, a, p)
	t.Run("the page", func(t *testing.T) {
		a.t = t
		w.page()
	})
	t.Run("an account that has expired", func(t *testing.T) {
		a.t = t
		b := w.c.browser(t, look{})
		defer b.close()
		b.open(w.begin(appKey).link)
		got := w.answer(b, "carol", "wrong")
		w.check(got.Status == http.StatusUnauthorized && b.text("[role=alert]") == p.wrong, "with a wrong password: %d %s", got.Status, b.text("body"))
		got = w.answer(b, "carol", p.password("carol"))
		w.check(got.Status == http.StatusUnauthorized && b.text("[role=alert]") == "The account has expired." && a.nobody(), "with the right one: %d %s", got.Status, b.text("body"))
	})
	t.Run("a directory that says nothing", func(t *testing.T) {
		a.t = t
		b := w.c.browser(t, look{})
		defer b.close()
		l := w.begin(appKey)
		b.open(l.link)
		slapd.Freeze()
		begin := time.Now()
		got := w.answer(b, "alice", p.password("alice"))
		slapd.Thaw()
		w.atOnce(begin, 25*time.Second)
		w.check(got.Status == http.StatusServiceUnavailable && b.text("[role=alert]") == unavailable, "it says %d %s", got.Status, b.text("body"))
		w.answer(b, "alice", p.password("alice"))
		w.arrive(b, l, unseen)
	})
	t.Run("the environment's own users meanwhile", func(t *testing.T) {
		a.t = t
		w.fallback()
	})
	t.Logf("figure: %d checks with OpenLDAP in all", w.checks)
}

// fallback is the login of users of the environment while the directory is down.
func (w *walk) fallback() {
	const password = "a-password-of-dora's"
	w.s.mustCLI(password+"\n", "user", "create", appKey, "dora")
	said := func(name, password, want string) {
		w.t.Helper()
		b := w.c.browser(w.t, look{})
		defer b.close()
		b.open(w.begin(appKey).link)
		w.answer(b, name, password)
		w.check(b.text("[role=alert]") == want && w.nobody(), "%s: %s", name, b.text("body"))
	}
	w.p.settings["localFallback"] = true
	w.s.mustCLI("", "mic", "service", "set", "--id", w.id, lab.Write(w.t, w.t.TempDir(), "service.json", text(w.t, w.p.settings)))
	said("dora", password, w.p.wrong)
	w.p.stop()
	b := w.c.browser(w.t, look{})
	defer b.close()
	l := w.begin(appKey)
	b.open(l.link)
	w.answer(b, "dora", password)
	_, session := w.session(w.arrive(b, l, unseen))
	r := w.s.do("GET", "/user/"+appKey+"/_me", asSession(session), nil)
	w.check(r.status == 200 && r.get("username") == "dora", "dora is %d %s", r.status, r.body)
	said("dora", "wrong", unavailable)
	said("alice", w.p.password("alice"), unavailable)
	w.p.start()
	said("dora", password, w.p.wrong)
	w.in("alice")
}

// page looks at the page of this server as somebody does who has a small screen, no
// mouse, or no script.
func (w *walk) page() {
	for _, dark := range []bool{false, true} {
		b := w.c.browser(w.t, look{width: 360, dark: dark})
		w.small(b, map[bool]string{false: "page-360", true: "page-360-dark"}[dark])
		b.close()
	}
	w.t.Run("keyboard", func(t *testing.T) {
		b := w.c.browser(t, look{})
		defer b.close()
		l := w.begin(appKey)
		b.open(l.link)
		b.see("[name=username]:focus") // without a click
		b.keys("alice")
		b.key("Tab")
		b.keys("wrong")
		w.check(b.press("Enter").Status == http.StatusUnauthorized, "a wrong password: %s", b.text("body"))
		w.check(b.value("label=Username") == "alice" && b.value("label=Password") == "", "after a wrong password: %q, %q", b.value("label=Username"), b.value("label=Password"))
		b.see("[name=password]:focus")
		b.keys(w.p.password("alice"))
		b.press("Enter")
		w.arrive(b, l, unseen)
	})
	w.t.Run("button by keyboard", func(t *testing.T) {
		b := w.c.browser(t, look{})
		defer b.close()
		l := w.begin(appKey)
		b.open(l.link)
		b.see("[name=username]:focus")
		b.keys("alice")
		b.key("Tab")
		b.keys(w.p.password("alice"))
		b.key("Tab")
		b.press("Space")
		w.arrive(b, l, unseen)
	})
	w.t.Run("no script", func(t *testing.T) {
		b := w.c.browser(t, look{noScript: true})
		defer b.close()
		l := w.begin(appKey)
		b.open(l.link)
		w.answer(b, "alice", w.p.password("alice"))
		w.arrive(b, l, unseen)
	})
	w.t.Run("another app's address", func(t *testing.T) {
		b := w.c.browser(t, look{})
		defer b.close()
		l := w.begin(appKey)
		got := b.open(strings.Replace(l.link, "redirect_uri=", "redirect_uri=https%3A%2F%2Fevil.example%2F", 1))
		w.check(got.Status == http.StatusBadRequest && strings.HasPrefix(b.at(), w.s.url) && strings.Contains(b.text("[role=alert]"), "redirect_uri"), "%d at %s: %s", got.Status, b.at(), b.text("body"))
		b.shot("page-wrong-link")
	})
}

// small is the page on a small screen, and what it is made of.
func (w *walk) small(b *browser, shot string) {
	got := b.open(w.begin(appKey).link)
	b.shot(shot)
	w.check(got.Status == 200, "the page: %d", got.Status)
	policy := got.Headers["content-security-policy"]
	for _, part := range []string{"default-src 'none'", "form-action 'self' " + w.home + ";", "frame-ancestors 'none'", "base-uri 'none'"} {
		w.check(strings.Contains(policy+";", part), "the policy is %q; want %s in it", policy, part)
	}
	w.check(!strings.Contains(policy, "unsafe") && !strings.Contains(policy, "script-src"), "the policy is %q", policy)
	w.check(strings.Contains(got.Headers["cache-control"], "no-store") && got.Headers["referrer-policy"] == "no-referrer", "headers: %v", got.Headers)
	var seen struct {
		Scroll, Width, Scripts, Inputs, Unnamed int
		Main, Small                             int // the width of what there is; fields and buttons that are too low, or cut off
		Title, Heading, Language                string
	}
	b.evaluate(`({
		scroll: document.documentElement.scrollWidth, width: document.documentElement.clientWidth,
		scripts: document.scripts.length + document.querySelectorAll('[onclick],[onload],[onsubmit],[onfocus]').length,
		inputs: document.querySelectorAll('input:not([type=hidden])').length,
		unnamed: [...document.querySelectorAll('input:not([type=hidden])')].filter((i) => !i.labels.length || !i.labels[0].innerText.trim()).length,
		title: document.title, heading: document.querySelector('h1').innerText, language: document.documentElement.lang,
		main: document.querySelector('main').getBoundingClientRect().width,
		small: [...document.querySelectorAll('input,button')].filter((e) => e.getBoundingClientRect().height < 24 || e.getBoundingClientRect().right > innerWidth).length,
	})`, &seen)
	w.check(seen.Width == 360 && seen.Scroll <= 360, "the page is %d wide, of which %d is seen", seen.Scroll, seen.Width)
	w.check(seen.Main == 360, "what is on it is %d wide", seen.Main)
	w.check(seen.Scripts == 0, "there are %d scripts", seen.Scripts)
	w.check(seen.Inputs == 2 && seen.Unnamed == 0, "of %d inputs %d have no label", seen.Inputs, seen.Unnamed)
	w.check(seen.Small == 0, "%d inputs are too low, or are cut off", seen.Small)
	w.check(seen.Title == "Log in to My App" && seen.Heading == seen.Title && seen.Language == "en", "title %q, heading %q, language %q", seen.Title, seen.Heading, seen.Language)
	w.check(strings.Contains(b.text("body"), "Acme"), "the page does not tell whose account it wants: %s", b.text("body"))
	// A name as long as it may be, and what the page says to a wrong one.
	w.answer(b, strings.Repeat("W", 300), "wrong")
	b.evaluate(`({scroll: document.documentElement.scrollWidth})`, &seen)
	w.check(seen.Scroll <= 360, "with a long name the page is %d wide", seen.Scroll)
	asked, complaints := b.told()
	for _, url := range asked {
		w.check(strings.HasPrefix(url, w.s.url+"/"), "the page asks for %s", url)
	}
	for _, text := range complaints {
		w.check(strings.Contains(text, "401"), "the browser complains: %s", text)
	}
}

//go:build e2e

package identity

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A provider is a real one, what the README says of its kind, and what somebody who
// looks after it does.
type provider struct {
	kind     string // as in the README's table
	settings map[string]any
	register func(s *server, id string) // tells the provider of a service
	asked    bool                       // whether it is asked again at a refresh
	plain    bool                       // whether it has no pages of its own

	password func(name string) string
	mail     string // of alice
	group    string // alice is in it, by way of another one in a directory; bob is not

	// How its page takes a name and a password, the button on a page that may come
	// behind that, and what it says to a wrong password and to who is disabled.
	username, secret, button string
	allow                    string
	wrong, disabled          string

	leave, join     func() // takes alice out of the group, and puts her back
	disable, enable func() // bob
	stop, start     func()
}

// A walk is a test of one provider.
type walk struct {
	*app
	p      *provider
	c      *chromium
	id     string // of the service
	checks int
}

func (w *walk) check(ok bool, format string, args ...any) {
	w.t.Helper()
	if w.checks++; !ok {
		w.t.Errorf(format, args...)
	}
}

// through runs all that is the same for every provider.
func through(t *testing.T, s *server, a *app, p *provider) *walk {
	t.Helper()
	begin := time.Now()
	w := &walk{app: a, p: p, c: startChromium(t)}
	p.settings["redirectUri"] = []string{a.redirect}
	p.settings["identityStoreId"] = s.made("", "mic", "store", "create", "Acme")
	w.id = s.service(p.settings)
	s.mustCLI("", "collection", "create", appKey, "notes", "--level", "private")
	if p.register != nil {
		p.register(s, w.id)
	}
	for _, part := range []struct {
		name string
		test func()
	}{
		{"settings", w.trial}, {"login", w.login}, {"wrong password", w.wrongPassword}, {"groups", w.groups},
		{"disabled", w.disabled}, {"down and back", w.down}, {"logout", w.logout},
	} {
		ok := t.Run(part.name, func(t *testing.T) {
			a.t = t
			part.test()
			w.check(a.nobody(), "the app was called once more")
		})
		if !ok && part.name == "login" {
			t.FailNow() // each further part would wait in vain
		}
	}
	a.t = t
	t.Logf("figure: %d checks from a browser through Postern to %s in %.0f s", w.checks, p.kind, time.Since(begin).Seconds())
	return w
}

// trial walks a login as the administrator who has made the settings does.
func (w *walk) trial() {
	args, stdin := []string{"mic", "test", w.id}, ""
	if w.p.plain {
		args, stdin = append(args, "--username", "alice"), w.p.password("alice")+"\n"
	}
	out, err := w.s.cli(stdin, args...)
	w.check(err == nil && !strings.Contains(out, "FAILED"), "mic test: %v\n%s", err, out)
	if w.p.plain {
		w.check(strings.Contains(out, fmt.Sprintf("group %q: here acme:%s", w.p.group, w.p.group)), "mic test tells nothing of the group:\n%s", out)
		w.check(strings.Contains(out, w.p.mail), "mic test tells nothing of the address:\n%s", out)
		out, err = w.s.cli("wrong\n", args...)
		w.check(err != nil && strings.Contains(out, "FAILED"), "mic test with a wrong password: %v\n%s", err, out)
	}
	w.s.mustCLI("", "mic", "use", appKey, w.id)
}

// answer types a name and a password into the page that somebody is on.
func (w *walk) answer(b *browser, name, password string) answer {
	w.t.Helper()
	b.fill(w.p.username, name)
	b.fill(w.p.secret, password)
	return b.click(w.p.button)
}

// picture takes one of what a browser shows.
func (w *walk) picture(b *browser, of string) {
	w.t.Helper()
	b.shot(strings.ReplaceAll(strings.ToLower(w.p.kind), " ", "-") + "-" + of)
}

// enter logs in with a browser of its own, from the app's link to its redirect URI.
func (w *walk) enter(name string) tokens {
	w.t.Helper()
	b := w.c.browser(w.t, look{})
	defer b.close()
	return w.enterWith(b, name, unseen)
}

// unseen looks at no page.
func unseen(string) {}

// enterWith calls see with the name of each page that comes.
func (w *walk) enterWith(b *browser, name string, see func(page string)) tokens {
	w.t.Helper()
	l := w.begin(appKey)
	b.open(l.link)
	w.check(strings.HasPrefix(b.at(), w.s.url+"/") == w.p.plain, "the page is at %s", b.at())
	see("1-login")
	w.answer(b, name, w.p.password(name))
	return w.arrive(b, l, see)
}

// arrive goes on from where the provider knows who is there.
func (w *walk) arrive(b *browser, l try, see func(page string)) tokens {
	w.t.Helper()
	if w.p.allow != "" {
		see("2-consent")
		b.click(w.p.allow)
	}
	b.wait(w.redirect)
	see("3-app")
	back := w.returned()
	w.check(back.Get("state") == l.state && back.Get("iss") == w.s.url && len(back["code"]) == 1 && len(back) == 3, "brought back: %v", back)
	return w.exchange(l, back.Get("code"))
}

func (w *walk) in(name string) (t tokens, user, session string) {
	w.t.Helper()
	t = w.enter(name)
	user, session = w.session(t)
	return t, user, session
}

// sees checks what somebody can read.
func (w *walk) sees(who, session string, want ...string) {
	w.t.Helper()
	status, names := w.notes(session)
	w.check(status == 200 && slices.Equal(names, want), "%s sees %d %q; want %q", who, status, names, want)
}

// out checks that a session has ended.
func (w *walk) out(session string) {
	w.t.Helper()
	r := w.s.do("GET", "/user/"+appKey+"/_me", asSession(session), nil)
	w.check(r.status == http.StatusUnauthorized && r.get("error") == "InvalidCredentials", "the session: %d %s", r.status, r.body)
}

// renewed checks that a refresh gives new tokens.
func (w *walk) renewed(t tokens) tokens {
	w.t.Helper()
	r, next := w.refresh(t)
	w.check(r.status == 200 && next.access != "" && next.access != t.access && next.refresh != t.refresh, "refresh: %d %s", r.status, r.body)
	return next
}

// refused checks that a refresh is not granted, and why.
func (w *walk) refused(t tokens, status int, reason string) {
	w.t.Helper()
	r, _ := w.refresh(t)
	w.check(r.status == status && r.get("error") == reason, "refresh: %d %s; want %d %s", r.status, r.body, status, reason)
}

func (w *walk) login() {
	b := w.c.browser(w.t, look{})
	defer b.close()
	t := w.enterWith(b, "alice", func(page string) { w.picture(b, page) })
	user, session := w.session(t)
	r := w.s.do("GET", "/user/"+appKey+"/_me", asSession(session), nil)
	w.check(r.status == 200 && r.get("_id") == user && r.get("email") == w.p.mail, "alice is %d %s", r.status, r.body)
	// She is the same with another browser, and somebody else is not she.
	_, again, _ := w.in("alice")
	w.check(again == user, "alice is %s, was %s", again, user)
	_, bob, _ := w.in("bob")
	w.check(bob != user, "bob is %s", bob)
	if !w.p.plain { // the provider knows the browser, and asks for no password
		l := w.begin(appKey)
		b.open(l.link)
		again, _ := w.session(w.arrive(b, l, unseen))
		w.check(again == user, "the browser is %s's, was %s's", again, user)
	}
	if _, complaints := b.told(); w.p.plain { // other pages are the provider's own affair
		w.check(len(complaints) == 0, "the browser complains: %q", complaints)
	}
}

func (w *walk) wrongPassword() {
	b := w.c.browser(w.t, look{})
	defer b.close()
	l := w.begin(appKey)
	b.open(l.link)
	for _, name := range []string{"alice", "nobody"} {
		got := w.answer(b, name, "wrong")
		text := b.text("body")
		w.check(strings.Contains(text, w.p.wrong) && !strings.HasPrefix(b.at(), w.redirect), "%s with a wrong password: %d at %s:\n%s", name, got.Status, b.at(), text)
		w.check(w.nobody(), "%s with a wrong password is sent back to the app", name)
	}
	w.picture(b, "wrong-password")
	w.answer(b, "alice", w.p.password("alice"))
	w.arrive(b, l, unseen)
}

func (w *walk) groups() {
	direct := "acme:" + w.p.group
	w.share("group-note", direct)
	w.share("around-note", "around")
	r := w.s.do("PUT", "/group/"+appKey+"/around", asMaster, map[string]any{"_id": "around", "users": map[string]any{"list": []any{}}, "groups": []any{map[string]any{"_id": direct}}})
	w.check(r.status == 200 || r.status == 201, "a group of groups: %d %s", r.status, r.body)
	both := []string{"around-note", "group-note"}

	alice, user, session := w.in("alice")
	w.sees("alice", session, both...)
	_, _, bob := w.in("bob")
	w.sees("bob", bob)
	// Who is in such a group is for the master and the provider alone to say.
	r = w.s.do("PUT", "/group/"+appKey+"/"+strings.ReplaceAll(direct, " ", "%20"), asSession(bob), map[string]any{"users": map[string]any{"all": true}})
	w.check(r.status == http.StatusUnauthorized || r.status == http.StatusForbidden, "bob changes the group: %d %s", r.status, r.body)
	w.sees("bob", bob)

	w.p.leave()
	w.sees("alice, of whom nobody was asked yet,", session, both...)
	alice = w.renewed(alice)
	if w.p.asked {
		w.sees("alice, who has left,", session)
	} else {
		w.sees("alice, who has left, but nobody can be asked,", session, both...)
	}
	_, again, other := w.in("alice")
	w.check(again == user, "alice is %s, was %s", again, user)
	w.sees("alice, who has left,", other)
	w.sees("alice, who has left,", session)

	w.p.join()
	w.renewed(alice)
	if !w.p.asked {
		_, _, session = w.in("alice")
	}
	w.sees("alice, who is back,", session, both...)
}

func (w *walk) disabled() {
	bob, user, session := w.in("bob")
	w.p.disable()
	if w.p.asked {
		w.refused(bob, http.StatusBadRequest, "invalid_grant")
		w.out(session)
		w.refused(bob, http.StatusBadRequest, "invalid_grant")
	} else {
		// The README says what to do about it.
		w.renewed(bob)
	}
	b := w.c.browser(w.t, look{})
	defer b.close()
	b.open(w.begin(appKey).link)
	w.answer(b, "bob", w.p.password("bob"))
	text := b.text("body")
	w.check(strings.Contains(text, w.p.disabled) && w.nobody(), "disabled, bob is at %s:\n%s", b.at(), text)
	w.picture(b, "disabled")
	w.p.enable()
	_, again, session := w.in("bob")
	w.check(again == user, "bob is %s, was %s", again, user)
	w.sees("bob", session)
}

// atOnce checks that something ended before somebody would think it hangs.
func (w *walk) atOnce(begin time.Time, most time.Duration) {
	w.t.Helper()
	took := time.Since(begin)
	w.check(took < most, "it took %v", took)
}

const unavailable = "The identity provider is not available. Please try again later."

func (w *walk) logout() {
	t, user, session := w.in("alice")
	r := w.s.do("POST", "/user/"+appKey+"/_logout", asSession(session), nil)
	w.check(r.status == http.StatusNoContent, "logout: %d %s", r.status, r.body)
	w.out(session)
	t = w.renewed(t)
	again, session := w.session(t)
	w.check(again == user, "alice is %s, was %s", again, user)
	r = w.s.do("POST", "/oauth/revoke", asApp, "token="+t.refresh)
	w.check(r.status == 200, "revoke: %d %s", r.status, r.body)
	w.out(session)
	w.refused(t, http.StatusBadRequest, "invalid_grant")
	r = w.s.do("POST", "/user/"+appKey+"/login", asApp, map[string]any{"_socialIdentity": map[string]any{"kinveyAuth": map[string]any{"access_token": t.access}}})
	w.check(r.status == http.StatusUnauthorized, "a login with what was revoked: %d %s", r.status, r.body)
}

//go:build e2e

package identity

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// down is what is seen of a provider that is not there, and that nothing has to be
// done here when it is back.
func (w *walk) down() {
	alice, user, session := w.in("alice")
	if w.p.plain {
		w.directoryDown(alice)
	} else {
		w.pagesDown(alice)
	}
	w.renewed(alice)
	_, again, _ := w.in("alice")
	w.check(again == user, "alice is %s, was %s", again, user)
	r := w.s.do("GET", "/user/"+appKey+"/_me", asSession(session), nil)
	w.check(r.status == 200, "the session of before: %d %s", r.status, r.body)
}

// without is what still works while the provider is down, and what does not.
func (w *walk) without(t tokens) {
	w.t.Helper()
	begin := time.Now()
	if w.p.asked {
		w.refused(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	}
	w.atOnce(begin, 15*time.Second)
	user, session := w.session(t) // what was granted is good until it ends
	r := w.s.do("GET", "/user/"+appKey+"/"+user, asSession(session), nil)
	w.check(r.status == 200, "an older grant: %d %s", r.status, r.body)
}

// directoryDown tries while the page of this server is open.
func (w *walk) directoryDown(t tokens) {
	b := w.c.browser(w.t, look{})
	defer b.close()
	l := w.begin(appKey)
	b.open(l.link)
	w.p.stop()
	begin := time.Now()
	for range 2 {
		got := w.answer(b, "alice", w.p.password("alice"))
		w.check(got.Status == http.StatusServiceUnavailable && b.text("[role=alert]") == unavailable && w.nobody(), "it says %d %s", got.Status, b.text("body"))
	}
	w.atOnce(begin, 15*time.Second)
	w.picture(b, "down")
	out, err := w.s.cli(w.p.password("alice")+"\n", "mic", "test", w.id, "--username", "alice")
	w.check(err != nil && strings.Contains(out, "FAILED connect"), "mic test: %v\n%s", err, out)
	w.without(t)
	w.p.start()
	w.answer(b, "alice", w.p.password("alice")) // the page is still good
	w.arrive(b, l, unseen)
}

// pagesDown tries with a service that has never asked the provider anything, and, if
// that has to answer after its pages, between the two.
func (w *walk) pagesDown(t tokens) {
	fresh := w.s.service(w.p.settings)
	if w.p.register != nil {
		w.p.register(w.s, fresh)
	}
	b := w.c.browser(w.t, look{})
	defer b.close()
	begin := time.Now()
	if w.p.asked {
		b.open(w.begin(appKey).link)
		w.answer(b, "alice", w.p.password("alice"))
		w.s.freeze()
		b.reach(w.p.allow, w.s.url+"/oauth2/")
		w.p.stop()
		w.s.thaw()
		w.problem("temporarily_unavailable")
		b.wait(w.redirect)
	} else {
		w.p.stop()
	}
	b = w.c.browser(w.t, look{}) // the provider knows the other one
	defer b.close()
	l := w.begin(appKey + "." + fresh)
	b.open(l.link)
	w.check(w.problem("temporarily_unavailable").Get("state") == l.state, "not this login's state")
	w.atOnce(begin, 15*time.Second)
	out, err := w.s.cli("", "mic", "test", fresh)
	w.check(err != nil && strings.Contains(out, "FAILED"), "mic test: %v\n%s", err, out)
	w.without(t)
	w.p.start()
	// What failed is remembered for some seconds, so that many do not ask in vain.
	deadline := time.Now().Add(30 * time.Second)
	for again := time.NewTicker(time.Second); ; <-again.C {
		l = w.begin(appKey + "." + fresh)
		b.open(l.link)
		if !strings.HasPrefix(b.at(), w.redirect) {
			again.Stop()
			break
		}
		w.problem("temporarily_unavailable")
		if time.Now().After(deadline) {
			w.t.Fatal("the provider is back, and nobody notices")
		}
	}
	w.answer(b, "alice", w.p.password("alice"))
	w.arrive(b, l, unseen)
}

// problem is what the app is told by way of the browser.
func (w *walk) problem(reason string) url.Values {
	w.t.Helper()
	back := w.returned()
	w.check(back.Get("error") == reason && back.Get("error_description") == unavailable && back.Get("iss") == w.s.url && back.Get("code") == "", "brought back: %v", back)
	return back
}

//go:build e2e

package identity

import (
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/auth/mic/lab"
)

// A guess is what somebody is told who tries a password by way of an app.
func (w *walk) guess(network, name, password string) reply {
	w.t.Helper()
	return w.s.from(network, "POST", "/oauth/token", asApp, url.Values{
		"grant_type": {"password"}, "client_id": {appKey}, "username": {name}, "password": {password},
	}.Encode())
}

// binds is how often a directory was asked for somebody's password so far.
func binds(t *testing.T, s *lab.Slapd, name string) (n int) {
	t.Helper()
	log, err := os.ReadFile(s.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, ` BIND dn="`+lab.UID(name)+`" method=`) {
			n++
		}
	}
	return n
}

// Somebody who guesses is slowed before the directory is asked, so that it is neither
// searched through nor brought to lock the account; who has the password gets in.
func TestThrottle(t *testing.T) {
	slapd := lab.OpenLDAP(t, true)
	root := slapd.Found(t)
	for _, name := range []string{"alice", "bob"} {
		lab.Person(t, root, name)
	}
	all := settings(t, "LDAP", "ldaps://ldap.example", slapd.TLS, "cn=postern,dc=example", lab.ServiceDN, "...", lab.ServicePassword, "dc=example", lab.Suffix)
	option(all, "caCertificates", slapd.CA)
	s := serve(t)
	a := newApp(t, s)
	w := &walk{app: a, p: ownPage(&provider{kind: "LDAP"}), c: startChromium(t)}
	all["redirectUri"], all["allowPasswordGrant"] = []string{a.redirect}, true
	s.mustCLI("", "mic", "use", appKey, s.service(all))
	home, attacker := network(), network()

	// Whoever knows his password is never slowed.
	for range 15 {
		r := w.guess(home, "alice", "alice-pass")
		w.check(r.status == 200, "alice from her own network: %d %s", r.status, r.body)
	}
	w.check(binds(t, slapd, "alice") == 15, "the directory was asked %d times; want 15", binds(t, slapd, "alice"))

	t.Run("one network", func(t *testing.T) {
		a.t = t
		before, told := binds(t, slapd, "alice"), map[int]int{}
		for i := range 40 {
			// A directory takes all of these for one.
			r := w.guess(attacker, []string{"alice", "ALICE", "Alice", " alice"}[i%4], "wrong "+strconv.Itoa(i))
			told[r.status]++
			if r.status == http.StatusTooManyRequests {
				seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
				w.check(err == nil && seconds >= 1 && seconds <= 30 && r.get("error") == "temporarily_unavailable", "%v %s", r.header, r.body)
			}
		}
		reached := binds(t, slapd, "alice") - before
		w.check(told[401]+told[429] == 40 && told[401] >= 5 && told[401] <= 14, "40 guesses are answered %v", told)
		w.check(reached <= told[401], "the directory was asked %d times, %d were told that the password is wrong", reached, told[401])

		// The page says so in plain words, and is no other way in. A browser is slow: it
		// is sent when there are seconds to be waited for.
		b := w.c.browser(t, look{network: attacker})
		defer b.close()
		b.open(w.begin(appKey).link)
		begin, again := time.Now(), time.NewTicker(200*time.Millisecond)
		defer again.Stop()
		for r := w.guess(attacker, "alice", "wrong"); r.header.Get("Retry-After") != "4"; <-again.C {
			if r = w.guess(attacker, "alice", "wrong"); time.Since(begin) > 20*time.Second {
				t.Fatalf("nobody has to wait for four seconds: %d %v", r.status, r.header)
			}
		}
		reached = binds(t, slapd, "alice") - before
		got := w.answer(b, "alice", "wrong")
		w.check(got.Status == http.StatusTooManyRequests && b.text("[role=alert]") == "Too many attempts. Please wait a little.", "the page: %d %s", got.Status, b.text("body"))
		b.shot("page-too-many")
		w.check(binds(t, slapd, "alice")-before == reached, "by the page the directory was asked once more")

		r := w.guess(home, "alice", "alice-pass")
		w.check(r.status == 200, "alice from her own network: %d %s", r.status, r.body)
		r = w.guess(network(), "alice", "alice-pass")
		w.check(r.status == 200, "alice from a network that is new to her: %d %s", r.status, r.body)
		r = w.guess(attacker, "bob", "bob-pass")
		w.check(r.status == 200, "bob from the network of who guesses: %d %s", r.status, r.body)
		// Nor is she shut out for ever where the guessing came from.
		begin = time.Now()
		for r = w.guess(attacker, "alice", "alice-pass"); r.status == http.StatusTooManyRequests && time.Since(begin) < 40*time.Second; <-again.C {
			r = w.guess(attacker, "alice", "alice-pass")
		}
		w.check(r.status == 200, "alice from the network of who guesses, after %v: %d %s", time.Since(begin), r.status, r.body)
	})
	t.Run("many networks", func(t *testing.T) {
		a.t = t
		before, told := binds(t, slapd, "alice"), map[int]int{}
		for range 40 {
			from := network()
			for range 3 {
				told[w.guess(from, "alice", "wrong").status]++
			}
		}
		reached := binds(t, slapd, "alice") - before
		w.check(told[401]+told[429] == 120 && reached <= told[401] && reached <= 60, "120 guesses are answered %v, the directory was asked %d times", told, reached)
		r := w.guess(home, "alice", "alice-pass")
		w.check(r.status == 200, "alice from her own network: %d %s", r.status, r.body)
	})
	t.Run("a directory that is down", func(t *testing.T) {
		a.t = t
		from := network()
		slapd.Stop()
		for range 20 {
			r := w.guess(from, "bob", "bob-pass")
			w.check(r.status == http.StatusServiceUnavailable, "bob, while it is down: %d %s", r.status, r.body)
		}
		slapd.Start()
		r := w.guess(from, "bob", "bob-pass")
		w.check(r.status == 200, "bob, when it is back: %d %s", r.status, r.body)
	})
	t.Logf("figure: %d checks that guessing does not reach OpenLDAP", w.checks)
}

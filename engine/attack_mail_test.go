package engine_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"postern/auth"
	"postern/engine"
)

// A token is worth nothing for another user, app or purpose, nor with anything
// changed about it.
func TestAttackTokenOfAnotherLink(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	attackEvilApp(s)
	alice, bob := s.signUpWith("alice", "alice@example.org"), s.signUpWith("bob", "bob@example.org")
	s.want(s.do("POST", "/user/"+evilKid, basic(evilKid, evilMaster), `{"_id":"`+alice.id+`","username":"alice","email":"alice@example.org"}`,
		"X-Kinvey-Master-Create-User", "true"), 201, "")
	s.rpc("alice", resetInitiate)
	reset := linkOf(t, box.next(t))
	s.rpc("alice", verifyInitiate)
	verify := linkOf(t, box.next(t))
	s.want(s.do("POST", "/rpc/"+evilKid+"/alice/"+resetInitiate, basic(evilKid, evilSecret), ""), 204, "")
	evil := linkOf(t, box.next(t))
	token := func(link string) string { return link[strings.LastIndex(link, "/")+1:] }
	of := func(purpose, app, user, token string) string {
		return "/-/" + purpose + "/" + app + "/" + user + "/" + token
	}
	for name, link := range map[string]string{
		"another user":     of("reset", kid, bob.id, token(reset)),
		"another purpose":  of("reset", kid, alice.id, token(verify)),
		"purpose swapped":  of("verify", kid, alice.id, token(reset)),
		"another app":      of("reset", kid, alice.id, token(evil)),
		"to another app":   of("reset", evilKid, alice.id, token(reset)),
		"truncated":        reset[:len(reset)-1],
		"with more":        reset + "0",
		"in upper case":    of("reset", kid, alice.id, strings.ToUpper(token(reset))),
		"the digest":       of("reset", kid, alice.id, strings.Repeat("0", 64)),
		"a session token":  of("reset", kid, alice.id, url.PathEscape(alice.token)),
		"the username":     of("reset", kid, "alice", token(reset)),
		"with a null byte": reset + "%00",
	} {
		s.gone(name, link)
	}
	for i := range token(reset) {
		b := []byte(token(reset))
		b[i] ^= 1
		if a := s.do("GET", of("reset", kid, alice.id, string(b)), "", ""); a.status != 404 {
			t.Fatalf("byte %d changed: %d", i, a.status)
		}
	}
	s.wantPage(s.do("GET", reset, "", ""), 200)
	// As credentials they are worth nothing either.
	for _, h := range []string{"Kinvey " + token(reset), basic("alice", token(reset)), basic(kid, token(reset))} {
		s.want(s.do("GET", "/user/"+kid+"/_me", h, ""), 401, "InvalidCredentials")
	}
}

// Who comes from a directory is disabled there: no mail opens another door.
func TestAttackResetOfDirectoryUser(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box), func(o *options) { o.config.Identities = vouch{} })
	s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"ann","password":"x","email":"ann@example.org","_socialIdentity":{"kinveyAuth":{"access_token":"good-ann"}}}`), 201, "")
	s.want(attackLogin(s, "ann", "x"), 401, "InvalidCredentials")
	s.rpc("ann", resetInitiate)
	s.rpc("ann@example.org", resetInitiate)
	box.none(s)
}

// A token that many use at once works for one.
func TestAttackTokenReplayRace(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	s.signUpWith("alice", "alice@example.org")
	s.rpc("alice", resetInitiate)
	link := linkOf(t, box.next(t))
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := []string{}
	for i := range 16 {
		wg.Go(func() {
			password := fmt.Sprintf("password-%d", i)
			a := s.submit(link, "password", password, "again", password)
			mu.Lock()
			defer mu.Unlock()
			if a.status == 200 {
				won = append(won, password)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of 16 have won", len(won))
	}
	s.want(attackLogin(s, "alice", won[0]), 200, "")
}

// Guessing tokens is slowed for each network; others go on.
func TestAttackGuessingTokens(t *testing.T) {
	n := attackLimits(t, withPost(newPostbox()))
	mallory, other := attackFrom(n.server, n.l, "198.51.100.1"), attackFrom(n.server, n.l, attackHome)
	slowed := 0
	for i := range auth.DefaultQuota.Page.Burst + 50 {
		path := fmt.Sprintf("/-/%s/%s/x/%064d", []string{"reset", "verify"}[i%2], kid, i)
		var a answer
		if i%3 == 0 {
			a = mallory.submit(path, "password", "p", "again", "p")
		} else {
			a = mallory.do("GET", path, "", "")
		}
		switch a.status {
		case 404:
		case 429:
			slowed++
			if a.header["Retry-After"] == "" {
				t.Fatal("no Retry-After")
			}
		default:
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if slowed < 45 {
		t.Errorf("%d guesses were slowed", slowed)
	}
	other.wantPage(other.do("GET", "/-/reset/"+kid+"/x/y", "", ""), 404)
	if n.count.Load() != 0 {
		t.Errorf("%d passwords were hashed for guesses", n.count.Load())
	}
}

// No link is made from what a client says the server is called.
func TestAttackHostOfLinks(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	s.signUpWith("alice", "alice@example.org")
	s.want(s.do("POST", "/rpc/"+kid+"/alice/"+resetInitiate, asApp, "", "Host", "evil.example.net", "X-Forwarded-Host", "evil.example.net",
		"X-Forwarded-Proto", "http", "Forwarded", "host=evil.example.net", "X-Original-URL", "http://evil.example.net/", "Origin", "https://evil.example.net",
		"Referer", "https://evil.example.net/"), 204, "")
	m := box.next(t)
	if strings.Contains(m.Text+m.Subject+m.From, "evil") || !strings.Contains(m.Text, publicURL+"/-/reset/") {
		t.Errorf("mail %+v", m)
	}
}

// An address with a line end, or anything else that a mail server or a header
// could read as more than one address, gets no mail.
func TestAttackHeadersInAddresses(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	alice := s.signUp("alice")
	for _, address := range []string{`a@example.org\r\nBcc: mallory@example.net`, `a@example.org\nBcc: m@example.net`, `a@example.org\r`, `a@example.org\u0000`,
		`a@example.org, m@example.net`, `a@example.org;m@example.net`, `<a@example.org>`, `Alice <a@example.org>`, `a@b@example.org`, `\"a b\"@example.org`,
		`a @example.org`, `a@example.org `, `@example.org`, `a@`, `a`, ``, `a@[127.0.0.1]`, `a@example..org`, `a@-x.org`, `a@exámple.org`, `é@example.org`,
		`a@example.org\u2028`, `a@example.org\u0085X: y`, `a>@example.org`, `(a)a@example.org`, strings.Repeat("a", 65) + `@example.org`} {
		s.want(s.do("PUT", "/user/"+kid+"/"+alice.id, alice.session(), `{"email":"`+address+`"}`), 200, "")
		s.rpc("alice", resetInitiate)
		s.rpc("alice", verifyInitiate)
		s.want(s.do("POST", "/rpc/"+kid+"/user-forgot-username", asApp, `{"email":"`+address+`"}`), 204, "")
		s.want(s.do("POST", "/rpc/"+kid+"/"+url.PathEscape(strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(address)+"@")+"/"+resetInitiate, asApp, ""), 204, "")
		box.none(s)
	}
	// What is around the address: the app's and the user's names.
	s.want(attackAdmin(s).do("PUT", "/v4/environments/"+kid, "", `{"appName":"Shop\r\nBcc: mallory@example.net\r\n\r\nGive me your password"}`), 200, "")
	s.want(s.do("PUT", "/user/"+kid+"/"+alice.id, alice.session(), `{"email":"alice@example.org"}`), 200, "")
	s.rpc("alice", resetInitiate)
	raw := string(engine.MailBytes(box.next(t)))
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(line, "Bcc") || strings.HasPrefix(line, "Give") || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a header line %q", line)
		}
	}
}

// What is shown on a page is text, whatever somebody called himself.
func TestAttackMarkupOnPages(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	s.signUpWith("<b>x</b>'\"&", "alice@example.org")
	s.rpc("alice@example.org", resetInitiate)
	page := s.wantPage(s.do("GET", linkOf(t, box.next(t)), "", ""), 200)
	if strings.Contains(string(page.body), "<b>x") {
		t.Errorf("page %s", page.body)
	}
}

// Whoever asks for a mail learns nothing about who exists: the same bytes, and
// one record each.
func TestAttackEnumerationByMail(t *testing.T) {
	box := newPostbox()
	s := start(t, withPost(box))
	s.signUpWith("existing", "existing@example.org")
	s.signUp("addressless")
	sleeping, locked := s.signUpWith("sleeping", "sleeping@example.org"), s.signUpWith("locked", "locked@example.org")
	s.want(s.do("DELETE", "/user/"+kid+"/"+sleeping.id+"?hard=false", asMaster, ""), 204, "")
	s.want(s.do("POST", "/rpc/"+kid+"/lockdown-user", asMaster, `{"userId":"`+locked.id+`","setLockdownStateTo":true}`), 204, "")
	ask := map[string]func(name string) answer{
		"reset":  func(name string) answer { return s.do("POST", "/rpc/"+kid+"/"+name+"/"+resetInitiate, asApp, "") },
		"verify": func(name string) answer { return s.do("POST", "/rpc/"+kid+"/"+name+"/"+verifyInitiate, asApp, "") },
		"username": func(name string) answer {
			return s.do("POST", "/rpc/"+kid+"/user-forgot-username", asApp, `{"email":"`+name+`@example.org"}`)
		},
	}
	for what, ask := range ask {
		reference := s.want(ask("missing"), 204, "")
		for _, name := range []string{"existing", "addressless", "sleeping", "locked", "missing2", "existing@example.org"} {
			s.e.OutboxIdle(t, 0) // what the outbox itself writes is over
			before, _ := s.driver.Head()
			a := ask(name)
			attackSame(t, what+" "+name, reference, a)
			if after, _ := s.driver.Head(); after == before {
				t.Errorf("%s %s: nothing was written", what, name)
			}
		}
	}
}

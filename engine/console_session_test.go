package engine_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"postern/auth"
	"postern/engine/store"
)

// A session ends a quarter of an hour after it was used last. What a page asks on its
// own is no use of it.
func TestConsoleIdle(t *testing.T) {
	c := newClock()
	_, b := atConsole(t, withClock(c))
	used := func() answer { return b.api("GET", "/v4/apps", "") }
	for range 3 {
		c.Add(15*time.Minute - time.Second)
		b.want(used(), 200, "")
	}
	for range 3 {
		c.Add(5*time.Minute - time.Millisecond)
		b.want(b.api("GET", "/v4/apps", "", "X-Postern-Idle", "1"), 200, "")
	}
	c.Add(3 * time.Millisecond)
	b.over("a quarter of an hour")
	b.wantAny(used(), 401, "InvalidCredentials")
	b.want(b.login(chiefMail, chiefPassword, ""), 200, "")
	c.Add(15 * time.Minute)
	b.over("exactly a quarter of an hour")
}

// A session ends after a working day, used or not; until is when.
func TestConsoleAbsoluteEnd(t *testing.T) {
	c := newClock()
	_, b := atConsole(t, withClock(c))
	until, _ := get(b.ask("GET", "/-/console/session", "").json(t), "until").(string)
	if want := c.Now().Add(8 * time.Hour).Format("2006-01-02T15:04:05.000Z"); until != want {
		t.Errorf("until %s; want %s", until, want)
	}
	for range 8*6 - 1 {
		c.Add(10 * time.Minute)
		b.want(b.ask("GET", "/-/console/session", ""), 200, "")
	}
	c.Add(10*time.Minute - time.Millisecond)
	b.want(b.ask("GET", "/-/console/session", ""), 200, "")
	c.Add(time.Millisecond)
	b.over("eight hours")
}

// A session outlives a restart, with what is left of its time, and one that was ended
// stays so.
func TestConsoleSessionsOutliveARestart(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	open := func(o *options) {
		d, err := store.OpenBadger(dir, store.Options{NoBallast: true})
		if err != nil {
			t.Fatal(err)
		}
		o.driver = d
	}
	s, b := atConsole(t, withClock(c), open)
	ended := b.other()
	ended.want(ended.login(chiefMail, chiefPassword, ""), 200, "")
	c.Add(10 * time.Minute)
	b.want(b.ask("GET", "/-/console/session", ""), 200, "")
	ended.want(ended.ask("POST", "/-/console/logout", ""), 204, "")
	b.http.CloseIdleConnections()
	s.stop()
	s = start(t, withClock(c), open)
	after := s.console()
	after.cookie = ended.cookie
	after.over("a logout and a restart")
	after.cookie = b.cookie
	c.Add(14 * time.Minute)
	after.want(after.ask("GET", "/-/console/session", ""), 200, "")
	c.Add(15 * time.Minute)
	after.over("a restart and a quarter of an hour")
}

// Guessing at the console is slowed as it is elsewhere, and counts together with it.
func TestConsoleThrottle(t *testing.T) {
	c := newClock()
	s, _ := atConsole(t, withClock(c), func(o *options) { o.config.Throttle = auth.DefaultLimits })
	const address = "203.0.113.7"
	b := s.consoleFrom(address)
	b.want(b.login(chiefMail, chiefPassword, ""), 200, "")
	l := fasthttputil.NewInmemoryListener()
	attackServe(s, l, false)
	public := attackFrom(s, l, address)
	guesses, slowed := 0, answer{}
	for slowed.status != 429 {
		if guesses++; guesses > 30 {
			t.Fatal("nobody is slowed down")
		}
		if slowed = b.other().login(chiefMail, fmt.Sprint("guess ", guesses), ""); slowed.status != 401 && slowed.status != 429 {
			t.Fatalf("a guess: %d %s", slowed.status, slowed.body)
		}
	}
	if slowed.header["Retry-After"] == "" {
		t.Error("no Retry-After")
	}
	if a := public.do("POST", "/session", "", fmt.Sprintf(`{"email":%q,"password":"guess"}`, chiefMail)); a.status != 429 {
		t.Errorf("the management API goes on: %d", a.status)
	}
	if a := b.api("PUT", "/v4/operator/password", `{"password":"guess","new":"a long new password"}`); a.status != 429 {
		t.Errorf("guessing at an open page goes on: %d %s", a.status, a.body)
	}
	c.Add(time.Minute)
	b.want(b.other().login(chiefMail, chiefPassword, ""), 200, "")
}

// authenticator is an authenticator app.
type authenticator struct {
	secret string
	clock  *clock
}

// code is what it shows some steps from now (RFC 6238).
func (a authenticator) code(steps int64) string {
	key, err := base32.StdEncoding.DecodeString(a.secret)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, a.clock.Now().Unix()/30+steps)
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff)%1_000_000)
}

// withAuthenticator is an operator at the console whose second factor is on.
func withAuthenticator(t *testing.T, change ...func(*options)) (*server, *browser, authenticator) {
	t.Helper()
	c := newClock()
	s, b := atConsole(t, append(change, withClock(c), withSealKey)...)
	b.wantAny(b.api("POST", "/v4/operator/totp", `{"password":"wrong"}`), 403, "InsufficientCredentials")
	b.wantAny(b.api("PUT", "/v4/operator/totp", `{"code":"000000"}`), 400, "BadRequest")
	begun := b.want(b.api("POST", "/v4/operator/totp", fmt.Sprintf(`{"password":%q}`, chiefPassword)), 200, "").json(t)
	a := authenticator{clock: c}
	a.secret, _ = get(begun, "secret").(string)
	if key, err := base32.StdEncoding.DecodeString(a.secret); err != nil || len(key) != 20 {
		t.Errorf("the secret is %q", a.secret)
	}
	if uri, _ := get(begun, "uri").(string); !strings.HasPrefix(uri, "otpauth://totp/") || !strings.Contains(uri, a.secret) {
		t.Errorf("the address is %q", uri)
	}
	b.want(b.other().login(chiefMail, chiefPassword, ""), 200, "") // not asked for yet
	b.wantAny(b.api("PUT", "/v4/operator/totp", fmt.Sprintf(`{"code":%q}`, a.code(3))), 403, "InsufficientCredentials")
	b.want(b.api("PUT", "/v4/operator/totp", fmt.Sprintf(`{"code":%q}`, a.code(0))), 204, "")
	c.Add(30 * time.Second)
	if on := get(b.ask("GET", "/-/console/session", "").json(t), "totp"); on != true {
		t.Errorf("totp is %v", on)
	}
	return s, b, a
}

// With an authenticator the password is not enough, at the management API either, and
// a code is good once and for as long as it is shown.
func TestConsoleSecondFactor(t *testing.T) {
	s, b, a := withAuthenticator(t)
	login := func(code string) answer { return b.other().login(chiefMail, chiefPassword, code) }
	api := func(code string) answer {
		return s.do("POST", "/session", "", fmt.Sprintf(`{"email":%q,"password":%q,"twoFactorToken":%q}`, chiefMail, chiefPassword, code))
	}
	refused := func(what string, got answer) {
		t.Helper()
		if got.status != 401 || !strings.Contains(string(got.body), `"CodeRequired"`) || got.header["Set-Cookie"] != "" {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	refused("no code", login(""))
	for _, code := range []string{"0", "00000", "0000000", "abcdef", a.code(0)[:5] + " ", a.code(-3), a.code(-2), a.code(2), a.code(3), chiefPassword, "１２３４５６"} {
		refused("the code "+code, login(code))
	}
	refused("the code that turned it on", login(a.code(-1)))
	if got := b.other().login(chiefMail, "wrong", a.code(0)); got.error(t) != "InvalidCredentials" {
		t.Errorf("a wrong password with a right code: %s", got.body)
	}
	for _, code := range []string{"", "000000"} {
		if got := api(code); got.status != 401 || !strings.Contains(string(got.body), `"InvalidTwoFactorAuth"`) {
			t.Errorf("the management API with the code %q: %d %s", code, got.status, got.body)
		}
	}
	b.want(login(a.code(0)), 200, "")
	refused("the same code again", login(a.code(0)))
	if got := api(a.code(0)); got.status != 401 {
		t.Errorf("the same code at the management API: %d", got.status)
	}
	b.want(login(a.code(1)), 200, "") // a clock that is ahead
	refused("an earlier code after a later one", login(a.code(0)))
	a.clock.Add(30 * time.Second)
	refused("the code of before, half a minute later", login(a.code(0)))
	a.clock.Add(30 * time.Second)
	s.want(api(a.code(0)), 200, "")

	// A thousand at once with the same code: one gets in.
	a.clock.Add(time.Minute)
	code := a.code(0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for range 16 {
		wg.Go(func() {
			got, err := b.try("POST", "/-/console/login", "", fmt.Sprintf(`{"email":%q,"password":%q,"code":%q}`, chiefMail, chiefPassword, code), "X-Postern-Console", "1")
			mu.Lock()
			defer mu.Unlock()
			if err == nil && got.status == 200 {
				in++
			}
		})
	}
	wg.Wait()
	if in != 1 {
		t.Errorf("one code has let %d in", in)
	}

	// It goes with the password and a code, or by another owner.
	a.clock.Add(time.Minute)
	off := func(password, code string) answer {
		return b.api("DELETE", "/v4/operator/totp", fmt.Sprintf(`{"password":%q,"code":%q}`, password, code))
	}
	b.wantAny(b.api("POST", "/v4/operator/totp", fmt.Sprintf(`{"password":%q}`, chiefPassword)), 400, "BadRequest") // not over the one there is
	b.wantAny(off("wrong", a.code(0)), 403, "InsufficientCredentials")
	b.wantAny(off(chiefPassword, a.code(3)), 403, "InsufficientCredentials")
	b.wantAny(off(chiefPassword, code), 403, "InsufficientCredentials")
	refused("no code after that", login(""))
	b.want(off(chiefPassword, a.code(0)), 204, "")
	b.want(login(""), 200, "")
}

func TestConsoleLostAuthenticator(t *testing.T) {
	s, b, _ := withAuthenticator(t)
	const deputy, secret = "deputy@example.org", "the window to the yard"
	s.newOperator(deputy, secret, "editor")
	other := b.other()
	other.want(other.login(deputy, secret, ""), 200, "")
	path := "/v4/operators/" + url.PathEscape(chiefMail) + "/totp"
	other.wantAny(other.api("DELETE", path, ""), 403, "InsufficientCredentials")
	if err := s.e.SetOperatorRole(deputy, "owner"); err != nil {
		t.Fatal(err)
	}
	other.want(other.login(deputy, secret, ""), 200, "")
	other.want(other.api("DELETE", path, ""), 204, "")
	b.over("his authenticator was taken away")
	b.want(b.login(chiefMail, chiefPassword, ""), 200, "")
}

// Codes are guessed no faster than passwords, although the password is right each time.
func TestConsoleCodesAreThrottled(t *testing.T) {
	s, _, a := withAuthenticator(t, func(o *options) { o.config.Throttle = auth.DefaultLimits })
	b := s.consoleFrom("203.0.113.7")
	a.clock.Add(time.Minute)
	served := 0
	for n := range 200 {
		got := b.other().login(chiefMail, chiefPassword, fmt.Sprintf("%06d", n))
		switch got.status {
		case 401:
			served++
		case 429:
			if got.header["Retry-After"] == "" {
				t.Fatal("no Retry-After")
			}
		default:
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if served > 20 {
		t.Errorf("%d of 200 codes were looked at in one moment", served)
	}
}

// The secret is sealed in the store, and without the key nobody gets in by the password.
func TestConsoleSecretIsSealed(t *testing.T) {
	_, keyless := atConsole(t)
	keyless.wantAny(keyless.api("POST", "/v4/operator/totp", fmt.Sprintf(`{"password":%q}`, chiefPassword)), 403, "MissingConfiguration")
	_, b, a := withAuthenticator(t)
	backup := string(b.api("GET", "/v4/backup", "").body)
	if strings.Contains(backup, a.secret) || !strings.Contains(backup, chiefMail) {
		t.Error("the secret is in a backup, or the operator is not")
	}
}

// Seen as a user an operator gets what the user gets at the public listener, byte for
// byte, and changes nothing.
func TestConsoleSeenAsIsWhatTheUserGets(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	s, b := atConsole(t)
	var users []user
	for n := range 5 {
		users = append(users, s.signUp(fmt.Sprint("user", n)))
	}
	one := func() user { return users[rnd.IntN(len(users))] }
	for n := range 4 {
		body := fmt.Sprintf(`{"users":{"all":%v,"list":[{"_type":"KinveyRef","_collection":"user","_id":%q}]}}`, rnd.IntN(6) == 0, one().id)
		s.want(s.do("PUT", fmt.Sprintf("/group/%s/g%d", kid, n), asMaster, body), 201, "")
	}
	var paths []string
	for i, level := range []string{"shared", "private", "read-only", "full"} {
		at := fmt.Sprintf("/appdata/%s/c%d", kid, i)
		for n := range 12 {
			grants := fmt.Sprintf(`{"creator":%q,"r":[%q],"w":[%q],"groups":{"r":["g%d"],"w":["g%d"]}`, one().id, one().id, one().id, rnd.IntN(4), rnd.IntN(4))
			grants += []string{"", `,"gr":true`, `,"gr":false`}[rnd.IntN(3)] + []string{"", `,"gw":true`, `,"gw":false`}[rnd.IntN(3)] + "}"
			s.want(s.do("PUT", fmt.Sprintf("%s/e%d", at, n), asMaster, fmt.Sprintf(`{"n":%d,"_acl":%s}`, rnd.IntN(5), grants)), 201, "")
			paths = append(paths, fmt.Sprintf("%s/e%d", at, n))
		}
		s.setLevel(fmt.Sprintf("c%d", i), level)
		paths = append(paths, at, at+"/_count", at+"?query="+url.QueryEscape(`{"n":{"$gt":1}}`)+"&sort=n&limit=3&skip=1", at+"?rights=true", at+"?query=nonsense", at+"/none")
	}
	paths = append(paths, "/user/"+kid, "/user/"+kid+"/_count", "/user/"+kid+"/_me", "/appdata/"+kid+"/none", "/group/"+kid, "/group/"+kid+"/g0", "/appdata/"+kid,
		"/blob/"+kid, "/v4/environments/"+kid+"/collections", "/roles/"+kid, "/user/"+kid+"/"+users[0].id, "/user/"+kid+"/none", "/user/"+kid+"/"+users[0].id+"/roles")
	compared, denied := 0, 0
	for _, u := range users {
		for _, path := range paths {
			his := s.do("GET", path, u.basic(), "")
			seen := b.api("GET", path, "", "X-Postern-Seen-As", url.PathEscape(u.id))
			if strings.HasPrefix(path, "/v4/") || path == "/group/"+kid || strings.HasPrefix(path, "/roles/") {
				// Not for users: at the console that is the operator's mistake.
				if his.status != 401 || seen.status != 403 {
					t.Errorf("GET %s of %s: %d, seen %d %s", path, u.name, his.status, seen.status, seen.body)
				}
				continue
			}
			if his.status != seen.status || string(his.body) != string(seen.body) {
				t.Errorf("GET %s of %s: %d %s\nseen as him: %d %s", path, u.name, his.status, his.body, seen.status, seen.body)
			}
			compared++
			if his.status == 401 {
				denied++
			}
		}
	}
	if compared < 300 || denied < 10 {
		t.Errorf("%d answers were compared, %d of them denials", compared, denied)
	}
	before := string(b.api("GET", "/appdata/"+kid+"/c3", "").body)
	as := []string{"X-Postern-Seen-As", users[0].id}
	for _, to := range [][3]string{
		{"POST", "/appdata/" + kid + "/c3", `{"_id":"new"}`}, {"PUT", "/appdata/" + kid + "/c3/e0", `{"n":9}`}, {"DELETE", "/appdata/" + kid + "/c3/e0", ""},
		{"DELETE", "/appdata/" + kid + "/c3", ""}, {"PUT", "/user/" + kid + "/" + users[0].id, `{"x":1}`}, {"PUT", "/group/" + kid + "/g0", `{"users":{"all":true}}`},
		{"POST", "/user/" + kid + "/_lookup", `{"username":"user1"}`}, {"POST", "/user/" + kid + "/_logout", ""}, {"PUT", "/v4/environments/" + kid + "/collections/c3", `{"permissions":"full"}`},
	} {
		if a := b.api(to[0], to[1], to[2], as...); a.status != 403 {
			t.Errorf("%s %s seen as a user: %d %s", to[0], to[1], a.status, a.body)
		}
	}
	if a := b.ask("GET", "/-/console/session", "", as...); a.status != 403 {
		t.Errorf("the session seen as a user: %d", a.status)
	}
	for _, id := range []string{"none", "%zz", users[0].name, "", kid} {
		if a := b.api("GET", "/appdata/"+kid+"/c1", "", "X-Postern-Seen-As", id); !slices.Contains([]int{400, 403, 404}, a.status) {
			t.Errorf("seen as %q: %d %s", id, a.status, a.body)
		}
	}
	s.want(s.do("DELETE", "/user/"+kid+"/"+users[1].id, asMaster, ""), 204, "") // suspended
	if a := b.api("GET", "/appdata/"+kid+"/c3", "", "X-Postern-Seen-As", users[1].id); a.status != 403 {
		t.Errorf("seen as somebody who is suspended: %d %s", a.status, a.body)
	}
	if now := string(b.api("GET", "/appdata/"+kid+"/c3", "").body); now != before {
		t.Errorf("something has changed: %s\n%s", before, now)
	}
}

// No answer of this plane has a secret: not the master's, which a session of the API is
// shown, no token, no hash, nothing sealed.
func TestConsoleAnswersHaveNoSecret(t *testing.T) {
	s, b, a := withAuthenticator(t)
	alice := s.signUp("alice")
	s.want(s.do("POST", "/appdata/"+kid+"/things", alice.session(), `{"_id":"e"}`), 201, "")
	api := s.want(s.do("POST", "/session", "", fmt.Sprintf(`{"email":%q,"password":%q,"twoFactorToken":%q}`, chiefMail, chiefPassword, a.code(0))), 200, "")
	token, _ := get(api.json(t), "token").(string)
	derived, _ := get(s.want(s.do("GET", "/v4/environments/"+kid, "Kinvey "+token, ""), 200, "").json(t), "masterSecret").(string)
	if derived == "" {
		t.Fatal("no derived secret")
	}
	secrets := []string{masterSecret, appSecret, derived, token, b.cookie, alice.token, a.secret, "$argon2", "sealed:", "masterSecret\":\"", chiefPassword}
	look := func(what string, got answer) {
		t.Helper()
		for _, secret := range secrets {
			if strings.Contains(string(got.body), secret) {
				t.Errorf("%s has %.12s...: %.300s", what, secret, got.body)
			}
		}
		for name, value := range got.header {
			for _, secret := range secrets {
				if name != "Set-Cookie" && strings.Contains(value, secret) {
					t.Errorf("%s has %.12s... in %s", what, secret, name)
				}
			}
		}
	}
	good := 0
	for route := range s.e.ConsoleRoutes() {
		method, path, _ := strings.Cut(route, " ")
		if method != "GET" || path == "/v4/backup" { // which is the store, hashes and all
			continue
		}
		if strings.HasPrefix(path, "/-/console/") {
			look(route, b.ask("GET", path, ""))
			continue
		}
		filled := strings.NewReplacer("{kid}", kid, "{app}", kid, "{collection}", "things", "{id}", "e", "{name}", "things", "{org}", "postern").Replace(path)
		if strings.HasPrefix(path, "/user/") {
			filled = strings.Replace(filled, "/e", "/"+alice.id, 1)
		}
		if strings.Contains(path, "/users/") {
			filled = strings.Replace(filled, "/things", "/alice", 1)
		}
		got := b.api("GET", filled, "")
		if got.status == 200 {
			good++
		}
		look(route, got)
	}
	if good < 35 {
		t.Errorf("%d routes have answered", good)
	}
	// What makes something does not give a master secret either.
	for _, path := range []string{"/v4/apps", "/v4/apps/" + kid + "/environments"} {
		got := b.want(b.api("POST", path, `{"name":"More"}`), 201, "")
		if strings.Contains(string(got.body), "masterSecret") || !strings.Contains(string(got.body), "appSecret") {
			t.Errorf("POST %s: %s", path, got.body)
		}
	}
	b.wantAny(b.api("POST", "/v4/environments/"+kid+"/regenerate-mastersecret", `{}`), 403, "InsufficientCredentials")
	s.want(s.do("GET", "/user/"+kid, asMaster, ""), 200, "") // still good
	got := b.want(b.api("POST", "/user/"+kid, `{"username":"bob","password":"a long walk home"}`), 201, "")
	if text := string(got.body); strings.Contains(text, "authtoken") || strings.Contains(text, "a long walk home") {
		t.Errorf("a new user is %s", got.body)
	}
	look("a wrong login", b.other().login(chiefMail, chiefPassword+"x", ""))
}

// Who has many sessions loses the oldest.
func TestConsoleSessionsAreBounded(t *testing.T) {
	c := newClock()
	_, b := atConsole(t, withClock(c))
	first := b.cookie
	for range 105 {
		c.Add(time.Second)
		b.cookie = ""
		b.want(b.login(chiefMail, chiefPassword, ""), 200, "")
	}
	if got := string(b.api("GET", "/v4/operators", "").body); !strings.Contains(got, `"sessions":100}`) {
		t.Errorf("the operators are %s", got)
	}
	last := b.cookie
	b.cookie = first
	b.over("a hundred logins")
	b.cookie = last
	b.want(b.ask("GET", "/-/console/session", ""), 200, "")
}

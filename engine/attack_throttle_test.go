package engine_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"postern/auth"
)

// attackNet is a server with the limits of a real one, reached from addresses
// that the test chooses.
type attackNet struct {
	*server
	l     *fasthttputil.InmemoryListener
	count atomic.Int64  // Argon2 computations so far
	mu    sync.Mutex    // guards hold
	hold  chan struct{} // when not nil, computations wait for it to be closed

	flooding sync.WaitGroup
}

func attackLimits(t *testing.T, more ...func(*options)) *attackNet {
	s := start(t, append(more, func(o *options) {
		o.config.Throttle, o.config.Quota = auth.DefaultLimits, auth.DefaultQuota
		o.config.HashSlots, o.config.HashQueue = 2, 8
	})...)
	n := &attackNet{server: s, l: fasthttputil.NewInmemoryListener()}
	attackServe(s, n.l, false)
	s.e.AttackDerivations(func() {
		n.count.Add(1)
		n.mu.Lock()
		hold := n.hold
		n.mu.Unlock()
		if hold != nil {
			<-hold
		}
	})
	return n
}

// stall lets computations that begin from now on wait, until resume is called.
func (n *attackNet) stall() (resume func()) {
	hold := make(chan struct{})
	n.mu.Lock()
	n.hold = hold
	n.mu.Unlock()
	resume = sync.OnceFunc(func() { close(hold) })
	n.t.Cleanup(func() { resume(); n.flooding.Wait() }) // also when the test fails half-way
	return resume
}

// flow lets computations that begin from now on pass.
func (n *attackNet) flow() {
	n.mu.Lock()
	n.hold = nil
	n.mu.Unlock()
}

// flood sends requests at once and returns when all but the most that the
// hasher can hold have been answered. done waits for the others.
func (n *attackNet) flood(requests int, one func(i int) answer) (statuses func() map[string]int, done func()) {
	n.t.Helper()
	var mu sync.Mutex
	got := map[string]int{}
	answered := make(chan struct{}, requests)
	for i := range requests {
		n.flooding.Go(func() {
			a := one(i)
			mu.Lock()
			got[fmt.Sprintf("%d %s", a.status, a.error(n.t))]++
			mu.Unlock()
			answered <- struct{}{}
		})
	}
	for range requests - 2 - 8 {
		select {
		case <-answered:
		case <-time.After(10 * time.Second):
			n.t.Fatal("the flood is not answered")
		}
	}
	return func() map[string]int { mu.Lock(); defer mu.Unlock(); return got }, n.flooding.Wait
}

const attackHome = "203.0.113.7"

// Junk in Basic headers, from everywhere and for all names, fills neither the
// queue nor the slots that logins from known networks need. Guards: Admit and
// Known in verifyPassword, the reserved lane of the Hasher.
func TestAttackJunkBasicHeadersDuringLogins(t *testing.T) {
	n := attackLimits(t)
	n.signUp("victim")
	home := attackFrom(n.server, n.l, attackHome)
	home.want(attackLogin(home, "victim", "victim"), 200, "")
	resume := n.stall()
	statuses, done := n.flood(200, func(i int) answer {
		from := attackFrom(n.server, n.l, fmt.Sprintf("198.51.%d.1", i))
		name := fmt.Sprintf("junk%d", i)
		if i%4 == 0 {
			name = "victim"
		}
		if i%2 == 0 {
			return attackLogin(from, name, "junk")
		}
		return from.do("GET", "/appdata/"+kid+"/things", basic(name, "junk"), "")
	})
	n.flow()
	for i := range 5 {
		home.want(attackLogin(home, "victim", "victim"), 200, "")
		home.want(home.do("GET", "/user/"+kid+"/_me", basic("victim", "victim"), ""), 200, "")
		// What no cache answers has a slot, too.
		home.want(attackLogin(home, "victim", fmt.Sprintf("slip of the finger %d", i)), 401, "InvalidCredentials")
	}
	resume()
	done()
	for status, count := range statuses() {
		if status != "429 KinveyInternalErrorRetry" && status != "401 InvalidCredentials" {
			t.Errorf("%d answers %s", count, status)
		}
	}
}

// Whoever has signed up can ask for his own password to be changed as often as
// he likes: that too is work for strangers and must not take the places that
// are kept for logins from known networks.
func TestAttackOwnPasswordChangesDuringLogins(t *testing.T) {
	n := attackLimits(t)
	n.signUp("victim")
	mallory := n.signUp("mallory")
	home := attackFrom(n.server, n.l, attackHome)
	home.want(attackLogin(home, "victim", "victim"), 200, "")
	away := attackFrom(n.server, n.l, "198.51.100.1")
	resume := n.stall()
	_, done := n.flood(60, func(i int) answer {
		return away.do("PUT", "/user/"+kid+"/"+mallory.id, mallory.session(), fmt.Sprintf(`{"password":"p%d"}`, i))
	})
	n.flow()
	for range 5 {
		// A name and password that are not in the cache of verified ones.
		answered := make(chan answer, 1)
		go func() {
			a, _ := home.try("POST", "/user/"+kid+"/login", asApp, `{"username":"victim","password":"victim2"}`)
			answered <- a
		}()
		select {
		case a := <-answered:
			if a.status != 401 {
				t.Errorf("a login from a known network: %d %s", a.status, a.body)
			}
		case <-time.After(2 * time.Second):
			t.Error("a login from a known network waits behind mallory")
		}
		if t.Failed() {
			break
		}
	}
	resume()
	done()
}

// Guessing one user's password from hundreds of networks gets a hundred checks
// in an hour, and does not lock him out.
func TestAttackGuessingFromManyNetworks(t *testing.T) {
	n := attackLimits(t)
	n.signUp("victim")
	home := attackFrom(n.server, n.l, attackHome)
	home.want(attackLogin(home, "victim", "victim"), 200, "")
	n.count.Store(0)
	for i := range 400 {
		from := attackFrom(n.server, n.l, fmt.Sprintf("10.%d.%d.1", i/250, i%250))
		a := attackLogin(from, "victim", fmt.Sprintf("guess%d", i))
		if a.status != 401 && a.status != 429 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a.status == 429 && (a.header["Retry-After"] == "" || a.error(t) != "KinveyInternalErrorRetry") {
			t.Fatalf("%v %s", a.header, a.body)
		}
	}
	if c := n.count.Load(); c > 100 {
		t.Errorf("%d passwords were checked", c)
	}
	home.want(attackLogin(home, "victim", "victim"), 200, "")
	home.want(attackLogin(home, "victim", "typing error"), 401, "InvalidCredentials")
	home.want(home.do("GET", "/user/"+kid+"/_me", basic("victim", "victim"), ""), 200, "")
}

// One network that tries all names, whatever it says about where it is.
func TestAttackGuessingManyNamesFromOneNetwork(t *testing.T) {
	n := attackLimits(t)
	for i := range 400 {
		from := attackFrom(n.server, n.l, fmt.Sprintf("192.0.2.%d", 1+i%200))
		spoofed := fmt.Sprintf("10.1.%d.1", i%250)
		a := from.do("GET", "/appdata/"+kid+"/things", basic(fmt.Sprintf("user%d", i), "123456"), "",
			"X-Forwarded-For", spoofed, "X-Real-IP", spoofed, "Forwarded", "for="+spoofed, "CF-Connecting-IP", spoofed)
		if a.status != 401 && a.status != 429 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if c := n.count.Load(); c > 110 {
		t.Errorf("%d passwords were checked", c)
	}
}

// What the public app secret can ask for is limited for each network; others
// and the master go on. Guard: limit in users.go.
func TestAttackWithTheAppSecretAlone(t *testing.T) {
	n := attackLimits(t)
	mallory, other := attackFrom(n.server, n.l, "198.51.100.1"), attackFrom(n.server, n.l, attackHome)
	for _, c := range []struct {
		path, body string
		most       int
	}{
		{"/user/" + kid, `{}`, auth.DefaultQuota.SignUp.Burst},
		{"/rpc/" + kid + "/check-username-exists", `{"username":"x"}`, auth.DefaultQuota.Exists.Burst},
		{"/rpc/" + kid + "/x/user-password-reset-initiate", ``, auth.DefaultQuota.Reset.Burst},
		{"/rpc/" + kid + "/x/user-email-verification-initiate", ``, auth.DefaultQuota.Verification.Burst},
	} {
		passed := 0
		for range c.most + 20 {
			switch a := mallory.do("POST", c.path, asApp, c.body); a.status {
			case 200, 201, 204:
				passed++
			case 429:
			default:
				t.Fatalf("%s: %d %s", c.path, a.status, a.body)
			}
		}
		if passed < c.most || passed > c.most+5 {
			t.Errorf("%s: %d of %d passed, the quota is %d", c.path, passed, c.most+20, c.most)
		}
		if a := other.do("POST", c.path, asApp, c.body); a.status >= 400 {
			t.Errorf("%s from another network: %d %s", c.path, a.status, a.body)
		}
		if a := mallory.do("POST", c.path, asMaster, c.body); a.status >= 400 {
			t.Errorf("%s by the master: %d %s", c.path, a.status, a.body)
		}
	}
}

// A name that exists, one that does not, one that is suspended or has a
// password that the server made: a wrong password answers the same bytes at
// the price of one computation. Guards: verifyPassword with an empty phc,
// Hasher.VerifyNothing and verifyGenerated.
func TestAttackEnumerationOfAccounts(t *testing.T) {
	s := start(t)
	var count atomic.Int64
	s.signUp("existing")
	gone, sleeping := s.signUp("gone"), s.signUp("sleeping")
	s.want(s.do("POST", "/user/"+kid, asApp, `{"username":"generated"}`), 201, "")
	s.want(s.do("DELETE", "/user/"+kid+"/"+gone.id+"?hard=true", asMaster, ""), 204, "")
	s.want(s.do("DELETE", "/user/"+kid+"/"+sleeping.id+"?hard=false", asMaster, ""), 204, "")
	if err := s.e.CreateOperator("op@example.org", "pw"); err != nil {
		t.Fatal(err)
	}
	s.e.AttackDerivations(func() { count.Add(1) })
	names := []string{"missing", "existing", "generated", "gone", "sleeping", "", "EXISTING", "existing ", kid + "x", "name with a : colon"}
	ways := map[string]func(name string) answer{
		"login": func(name string) answer { return attackLogin(s, name, "wrong") },
		"Basic": func(name string) answer { return s.do("GET", "/appdata/"+kid+"/things", basic(name, "wrong"), "") },
		"operator's login": func(name string) answer {
			return s.do("POST", "/session", "", fmt.Sprintf(`{"email":%q,"password":"wrong"}`, name))
		},
	}
	for way, try := range ways {
		names := names
		if way == "Basic" {
			names = []string{"missing", "existing", "generated", "gone", "sleeping", "EXISTING"}
		}
		if way == "operator's login" {
			names = []string{"missing@example.org", "op@example.org", "OP@example.org", "existing"}
		}
		reference := try(names[0])
		if reference.status != 401 {
			t.Errorf("%s: %d %s", way, reference.status, reference.body)
		}
		for _, name := range names {
			for range 2 { // the second time caches are warm
				before := count.Load()
				a := try(name)
				if got := count.Load() - before; got != 1 {
					t.Errorf("%s as %q: %d computations", way, name, got)
				}
				attackSame(t, way+" as "+name, reference, a)
			}
		}
	}
	// The right password of a suspended user is as wrong as any other.
	before := count.Load()
	attackSame(t, "suspended", attackLogin(s, "missing", "x"), attackLogin(s, "sleeping", "sleeping"))
	if got := count.Load() - before; got != 2 {
		t.Errorf("suspended: %d computations for two logins", got)
	}
	for _, what := range []string{"user-password-reset-initiate", "user-email-verification-initiate"} {
		reference := s.do("POST", "/rpc/"+kid+"/missing/"+what, asApp, "")
		for _, name := range []string{"existing", "sleeping", "gone"} {
			attackSame(t, what, reference, s.do("POST", "/rpc/"+kid+"/"+name+"/"+what, asApp, ""))
		}
	}
}

package auth

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	home = "192.0.2.0/24"
	evil = "198.51.100.0/24"
)

// guess fails on alice's account until it is told to wait, and says how often.
func guess(t *testing.T, th *Throttle, now time.Time, account, network string) int {
	t.Helper()
	for n := range 1000 {
		if _, ok := th.Admit(now, "app", account, network); !ok {
			return n
		}
		th.Failed(now, "app", account, network)
	}
	t.Fatalf("1000 guesses at %s from %s at once", account, network)
	return 0
}

func login(t *testing.T, th *Throttle, now time.Time, account, network string) {
	t.Helper()
	if wait, ok := th.Admit(now, "app", account, network); !ok {
		t.Fatalf("login of %s from %s has to wait %v", account, network, wait)
	}
	th.Succeeded(now, "app", account, network)
}

func TestZeroLimitsAreOff(t *testing.T) {
	th := NewThrottle(Limits{})
	for range 10000 {
		if wait, ok := th.Admit(epoch, "app", "alice", evil); !ok || wait != 0 {
			t.Fatalf("Admit = %v, %t", wait, ok)
		}
		th.Failed(epoch, "app", "alice", evil)
	}
	th.Succeeded(epoch, "app", "alice", evil)
	th.Undo(epoch, "app", "alice", evil)
	if !th.Known(epoch, "app", "bob", home) {
		t.Error("without limits somebody is unknown")
	}
}

func TestDelaysDoubleUpToTheCap(t *testing.T) {
	th, now := NewThrottle(DefaultLimits), epoch
	guess(t, th, now, "alice", evil)
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30, 30} {
		wait, ok := th.Admit(now, "app", "alice", evil)
		if ok || wait.Round(time.Second) != want*time.Second {
			t.Fatalf("Admit = %v, %t; want a wait of %d s", wait, ok, want)
		}
		// What drains meanwhile may spare a step, which halves the wait, but not two.
		if _, ok := th.Admit(now.Add(wait/2-2), "app", "alice", evil); ok {
			t.Fatalf("told to wait %v, admitted after half of it", wait)
		}
		now = now.Add(wait)
		if again, ok := th.Admit(now, "app", "alice", evil); !ok {
			t.Fatalf("after the wait of %v: wait %v more", wait, again)
		}
		th.Failed(now, "app", "alice", evil)
	}
}

// T1, from both sides: a network is known for one account of one app, not for others.
func TestKnownIsForOneAccountOfOneApp(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	login(t, th, epoch, "alice", home)
	month := DefaultLimits.KnownFor
	for _, test := range []struct {
		after                 time.Duration
		app, account, network string
		want                  bool
	}{
		{0, "app", "alice", home, true}, {month - 1, "app", "alice", home, true}, {month, "app", "alice", home, false},
		{0, "app", "alice", evil, false}, {0, "app", "bob", home, false}, {0, "other", "alice", home, false},
		{0, "appa", "lice", home, false},
	} {
		if got := th.Known(epoch.Add(test.after), test.app, test.account, test.network); got != test.want {
			t.Errorf("Known(%+v) = %t", test, got)
		}
	}
}

func TestFailureMakesNobodyKnown(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	guess(t, th, epoch, "alice", evil)
	if th.Known(epoch, "app", "alice", evil) {
		t.Error("an attacker is known")
	}
}

// T1: who shares the user's network is slowed there too, and never beyond the cap.
func TestKnownNetworkHasItsOwnBucket(t *testing.T) {
	th, now := NewThrottle(DefaultLimits), epoch
	login(t, th, now, "alice", home)
	if n := guess(t, th, now, "alice", home); n != DefaultLimits.KnownFree {
		t.Errorf("%d guesses at once from the known network, want %d", n, DefaultLimits.KnownFree)
	}
	for range 100 {
		wait, ok := th.Admit(now, "app", "alice", home)
		if wait > 30*time.Second {
			t.Fatalf("wait %v", wait)
		}
		if ok {
			th.Failed(now, "app", "alice", home)
		}
		now = now.Add(wait)
	}
	now = now.Add(30 * time.Second)
	login(t, th, now, "alice", home)
	login(t, th, now, "alice", home) // a success starts the pair afresh
}

// T2: the pair is counted even where the account may be tried often.
func TestPairIsSlowed(t *testing.T) {
	l := DefaultLimits
	l.AccountPerHour = 10000
	th := NewThrottle(l)
	for _, network := range []string{home, evil} {
		if n := guess(t, th, epoch, "alice", network); n != l.PairFree {
			t.Errorf("%d guesses at once from %s, want %d", n, network, l.PairFree)
		}
	}
}

// T2: a network that tries one password on many accounts is slowed as well.
func TestSprayingIsSlowed(t *testing.T) {
	th, admitted := NewThrottle(DefaultLimits), 0
	for i := range 3600 {
		now, account := epoch.Add(time.Duration(i)*time.Second), fmt.Sprint("user", i)
		if _, ok := th.Admit(now, "app", account, evil); ok {
			th.Failed(now, "app", account, evil)
			admitted++
		}
	}
	if limit := DefaultLimits.NetworkFree + 130; admitted > limit {
		t.Errorf("%d accounts tried in an hour, want at most %d", admitted, limit)
	}
	login(t, th, epoch.Add(hour+30*time.Second), "alice", home)
}

// T2: users who log in for the first time from one network do not add up.
func TestManyFirstLoginsFromOneNetwork(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	for i := range 5000 {
		login(t, th, epoch, fmt.Sprint("user", i), home)
	}
}

// T4: what is in flight counts.
func TestManyAtOnceAreNoCheaper(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	var wg sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if _, ok := th.Admit(epoch, "app", "alice", evil); ok {
					mu.Lock()
					admitted++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if admitted > DefaultLimits.PairFree {
		t.Errorf("%d checks at once, want at most %d", admitted, DefaultLimits.PairFree)
	}
}

// T4: eight requests of one new client at once, all right, cost nothing in the end.
func TestSuccessAndUndoTakeTheChargeBack(t *testing.T) {
	for name, end := range map[string]func(*Throttle){
		"Succeeded": func(th *Throttle) { th.Succeeded(epoch, "app", "alice", home) },
		"Undo":      func(th *Throttle) { th.Undo(epoch, "app", "alice", home) },
	} {
		th := NewThrottle(DefaultLimits)
		for range 50 {
			for range 7 {
				if wait, ok := th.Admit(epoch, "app", "alice", home); !ok {
					t.Fatalf("%s: wait %v", name, wait)
				}
			}
			for range 7 {
				end(th)
			}
		}
		a := th.accounts.get(idOf("app", "alice"), 0)
		net := th.networks.get(idOf(home), 0)
		if a.all.level != 0 || a.newcomer.level != 0 || a.repeat.level != 0 || net.level != 0 {
			t.Errorf("%s leaves charges: account %+v, network %+v", name, *a, *net)
		}
		end(th) // one too many takes nothing from anyone
		if n := guess(t, th, epoch, "alice", evil); n > DefaultLimits.PairFree {
			t.Errorf("%s too often gave %d guesses", name, n)
		}
	}
}

// A failure is final: no later Undo takes it back.
func TestFailureStays(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	login(t, th, epoch, "bob", home)
	for account, network := range map[string]string{"alice": evil, "bob": home} {
		for range guess(t, th, epoch, account, network) {
			th.Undo(epoch, "app", account, network)
		}
		if _, ok := th.Admit(epoch, "app", account, network); ok {
			t.Errorf("Undo after Failed gave %s another guess from %s", account, network)
		}
	}
	if n := th.accounts.get(idOf("app", "alice"), 0).all.level; n != float64(DefaultLimits.PairFree) {
		t.Errorf("the account counts %v, want %d", n, DefaultLimits.PairFree)
	}
}

// ... not even an Undo after the network has become known.
func TestFailureStaysWhenKnown(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	for range 3 {
		th.Admit(epoch, "app", "alice", home)
		th.Failed(epoch, "app", "alice", home)
	}
	login(t, th, epoch, "alice", home)
	for range 10 {
		th.Admit(epoch, "app", "alice", home)
		th.Undo(epoch, "app", "alice", home)
	}
	if n := th.accounts.get(idOf("app", "alice"), 0).all.level; n != 3 {
		t.Errorf("the account counts %v failures, want 3", n)
	}
}

// T5: what matters is carried over, but it never fills the table: that would make every
// further entry as dear as a walk through all of them.
func TestTableKeepsRoom(t *testing.T) {
	table := newTable(400, func(*int, int64) bool { return true })
	rotations := 0
	for i := range 10000 {
		before := len(table.cur)
		table.make(idOf(fmt.Sprint(i)), 0)
		if len(table.cur) < before {
			rotations++
		}
		if table.len() > 400 {
			t.Fatalf("%d entries, want at most 400", table.len())
		}
	}
	if rotations > 10000/100 {
		t.Errorf("%d rotations", rotations)
	}
}

// Bob's successes do not pay for what comes from the same network against alice.
func TestOwnAccountDoesNotPayForGuesses(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	login(t, th, epoch, "mallory", evil)
	n := guess(t, th, epoch, "alice", evil)
	for range 100 {
		login(t, th, epoch, "mallory", evil)
		if _, ok := th.Admit(epoch, "app", "alice", evil); ok {
			t.Fatalf("more than %d guesses", n)
		}
	}
}

// T5: whoever floods the memory with names does not get his own buckets forgotten.
func TestFloodDoesNotForgetTheAttacker(t *testing.T) {
	l := DefaultLimits
	l.Entries = 256
	th := NewThrottle(l)
	login(t, th, epoch, "alice", home)
	guess(t, th, epoch, "alice", evil)
	for i := range 20000 {
		network := fmt.Sprint("junk", i%2000)
		if _, ok := th.Admit(epoch, "app", fmt.Sprint("name", i), network); ok {
			th.Failed(epoch, "app", fmt.Sprint("name", i), network)
		}
		for name, n := range map[string]int{"pairs": th.pairs.len(), "accounts": th.accounts.len(),
			"networks": th.networks.len(), "successes": th.success.len()} {
			if n > l.Entries {
				t.Fatalf("%d %s are remembered, want at most %d", n, name, l.Entries)
			}
		}
	}
	if _, ok := th.Admit(epoch, "app", "alice", evil); ok {
		t.Error("a flood of names reset the attacker's bucket")
	}
	if !th.Known(epoch, "app", "alice", home) {
		t.Error("a flood of names made the user unknown")
	}
}

// T5: a refused ask that makes the Throttle remember a pair is charged to its network.
func TestRefusedNewPairsAreCharged(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	for i := range 200 { // accounts under attack, so that further networks are refused
		for n := range 10 {
			th.Admit(epoch, "app", fmt.Sprint("user", i), fmt.Sprint("bot", n, i))
		}
	}
	before := th.pairs.len()
	for i := range 200 {
		th.Admit(epoch, "app", fmt.Sprint("user", i), evil)
	}
	if made := th.pairs.len() - before; made > DefaultLimits.NetworkFree {
		t.Errorf("one network made %d pairs at once, want at most %d", made, DefaultLimits.NetworkFree)
	}
}

func TestClockJumpsBack(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	guess(t, th, epoch, "alice", evil)
	past := epoch.Add(-hour)
	wait, ok := th.Admit(past, "app", "alice", evil)
	if ok || wait > time.Second {
		t.Errorf("an hour earlier: %v, %t; want a wait of a second", wait, ok)
	}
	if wait, ok := th.Admit(past.Add(wait), "app", "alice", evil); !ok {
		t.Errorf("after that wait: %v more", wait)
	}
}

// Requests that overtake one another, each with its own idea of now, drain nothing twice.
func TestOvertakingRequests(t *testing.T) {
	th := NewThrottle(DefaultLimits)
	guess(t, th, epoch, "alice", evil)
	for i := range 100000 {
		now := epoch.Add(-time.Duration(i%2) * 10 * time.Millisecond)
		if wait, ok := th.Admit(now, "app", "alice", evil); ok || wait > 2*time.Second {
			t.Fatalf("ask %d: %v, %t", i, wait, ok)
		}
	}
}

func TestLongFirstDelay(t *testing.T) {
	l := Limits{MaxDelay: 100 * hour, FirstDelay: hour}
	th := NewThrottle(l)
	guess(t, th, epoch, "alice", home)
	for now := epoch; now.Before(epoch.Add(3000 * hour)); {
		wait, ok := th.Admit(now, "app", "alice", home)
		if ok == (wait > 0) || wait < 0 || wait > l.MaxDelay {
			t.Fatalf("Admit = %v, %t", wait, ok)
		}
		now = now.Add(wait)
	}
}

func TestSmallLimitsLockNobodyOut(t *testing.T) {
	th := NewThrottle(Limits{MaxDelay: time.Second, AccountPerHour: 1, PairFree: 1, KnownFree: 1, NetworkFree: 1, Entries: 1})
	var last time.Time
	for i := range 24 * 60 {
		now := epoch.Add(time.Duration(i) * time.Minute)
		if _, ok := th.Admit(now, "app", "alice", evil); ok {
			th.Failed(now, "app", "alice", evil)
			last = now
		}
	}
	if last.Before(epoch.Add(20 * hour)) {
		t.Errorf("nobody is admitted after %v", last)
	}
}

// Random histories: T3 in every hour, every wait within the cap, home never waits.
func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		th, now := NewThrottle(DefaultLimits), epoch
		if _, ok := th.Admit(now, "app", "alice", home); !ok {
			t.Fatal("first login")
		}
		th.Succeeded(now, "app", "alice", home)
		networks := rapid.IntRange(1, 60).Draw(t, "networks")
		pace := rapid.SampledFrom([]int{1, 10, 60, 600}).Draw(t, "pace")
		var failed []time.Time
		for _, x := range rapid.SliceOfN(rapid.Uint32(), 1, 600).Draw(t, "asks") {
			now = now.Add(time.Duration(int(x>>8&0xff)*pace) * 10 * time.Millisecond)
			if x&0xf == 0 {
				if wait, ok := th.Admit(now, "app", "alice", home); !ok {
					t.Fatalf("home waits %v", wait)
				}
				th.Succeeded(now, "app", "alice", home)
				continue
			}
			network := fmt.Sprint("evil", int(x>>16)%networks)
			wait, ok := th.Admit(now, "app", "alice", network)
			switch {
			case wait > DefaultLimits.MaxDelay || ok != (wait == 0):
				t.Fatalf("Admit = %v, %t", wait, ok)
			case !ok:
			case x&0xf0 == 0:
				th.Undo(now, "app", "alice", network)
			default:
				th.Failed(now, "app", "alice", network)
				failed = append(failed, now)
			}
		}
		if n := mostIn(failed, hour); n > DefaultLimits.AccountPerHour {
			t.Fatalf("%d passwords checked within an hour", n)
		}
	})
}

func BenchmarkAdmitFailed(b *testing.B) {
	th, now := NewThrottle(DefaultLimits), epoch
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Second)
		account := names[i%len(names)]
		if _, ok := th.Admit(now, "app", account, evil); ok {
			th.Failed(now, "app", account, evil)
		}
	}
}

var names = func() (s []string) {
	for i := range 1000 {
		s = append(s, fmt.Sprint("user", i))
	}
	return s
}()

// len counts the entries of a table, of both generations.
func (t *table[V]) len() int { return len(t.cur) + len(t.old) }

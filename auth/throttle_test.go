package auth

import (
	"container/heap"
	"fmt"
	"testing"
	"time"
)

// An attacker asks for guesses checks of one account from networks, each of which asks
// as soon as asking again says. It is the worst case for AccountPerHour.
type attack struct {
	networks, guesses int
	begin             func(network int) time.Duration
	again             func(wait time.Duration) time.Duration
}

func obedient(wait time.Duration) time.Duration { return max(wait, time.Millisecond) }
func every(d time.Duration) func(time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return d }
}
func together(int) time.Duration { return 0 }
func spread(d time.Duration) func(int) time.Duration {
	return func(network int) time.Duration { return time.Duration(network) * d }
}

type turn struct {
	at   time.Time
	what func() time.Duration // returns when to come again; negative: never
}

type turns []turn

func (h turns) Len() int           { return len(h) }
func (h turns) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h turns) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *turns) Push(x any)        { *h = append(*h, x.(turn)) }
func (h *turns) Pop() any          { old := *h; x := old[len(old)-1]; *h = old[:len(old)-1]; return x }

// play plays the attack on a virtual clock and returns when its guesses were checked
// and how long victims waited: one who comes every minute from the network known to the
// account, and one every ten minutes after quiet from a network never seen before.
func play(t *testing.T, a attack, quiet time.Duration) (checked []time.Time, known, fresh []time.Duration) {
	t.Helper()
	th, now := NewThrottle(DefaultLimits), epoch
	login := func(network string) (wait time.Duration, ok bool) {
		if wait, ok = th.Admit(now, "app", "victim", network); ok {
			th.Succeeded(now, "app", "victim", network)
		}
		return wait, ok
	}
	if _, ok := login("home"); !ok {
		t.Fatal("first login is refused")
	}
	var todo turns
	left := a.guesses
	for i := range a.networks {
		network := fmt.Sprint("evil", i)
		heap.Push(&todo, turn{epoch.Add(a.begin(i)), func() time.Duration {
			if left--; left < 0 {
				return -1
			}
			wait, ok := th.Admit(now, "app", "victim", network)
			if wait > 0 == ok || wait > DefaultLimits.MaxDelay {
				t.Fatalf("Admit = %v, %t", wait, ok)
			}
			if ok {
				checked = append(checked, now)
				th.Failed(now, "app", "victim", network)
			}
			return a.again(wait)
		}})
	}
	heap.Push(&todo, turn{epoch.Add(time.Second), func() time.Duration {
		wait, _ := login("home")
		known = append(known, wait)
		return time.Minute
	}})
	visits := 0
	heap.Push(&todo, turn{epoch.Add(quiet), func() time.Duration {
		visits++
		network, came := fmt.Sprint("hotel", visits), now
		heap.Push(&todo, turn{now, func() time.Duration {
			wait, ok := login(network)
			if !ok {
				return wait // the victim does as he is told
			}
			fresh = append(fresh, now.Sub(came))
			return -1
		}})
		return 10 * time.Minute
	}})
	for left > 0 {
		next := heap.Pop(&todo).(turn)
		now = next.at
		if d := next.what(); d >= 0 {
			heap.Push(&todo, turn{now.Add(d), next.what})
		}
	}
	return checked, known, fresh
}

// mostIn returns the largest number of times within any span.
func mostIn(times []time.Time, span time.Duration) int {
	most, from := 0, 0
	for i, at := range times {
		for at.Sub(times[from]) >= span {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

var attacks = map[string]attack{
	"1 network that waits as told":                    {1, 10000, together, obedient},
	"1 network that hammers":                          {1, 10000, together, every(time.Second)},
	"1 network, all at once":                          {1, 10000, together, every(0)},
	"500 networks that wait as told":                  {500, 10000, together, obedient},
	"500 networks that hammer":                        {500, 10000, together, every(10 * time.Second)},
	"500 networks, one new every second":              {500, 10000, spread(time.Second), obedient},
	"500 networks that hammer slowly":                 {500, 10000, together, every(5 * time.Minute)},
	"500 networks that wait for 3 minutes each time":  {500, 10000, spread(200 * time.Millisecond), every(3 * time.Minute)},
	"500 networks, all at once, forever":              {500, 50000, together, every(0)},
	"500 networks, each coming new after half a min.": {500, 10000, spread(30 * time.Second), every(6 * hour)},
}

// T3: at most AccountPerHour checks from unknown networks.
func TestGuessingIsSlowed(t *testing.T) {
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			checked, _, _ := play(t, a, 24*hour)
			if n := mostIn(checked, hour); n == 0 || n > 100 {
				t.Errorf("%d passwords were checked within an hour, want 1 to 100", n)
			}
			t.Logf("%d of %d guesses checked, at most %d an hour", len(checked), a.guesses, mostIn(checked, hour))
		})
	}
}

// T1: the victim on a known network does not notice.
func TestVictimOnKnownNetworkIsAlwaysAdmitted(t *testing.T) {
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			_, known, _ := play(t, a, 24*hour)
			for i, wait := range known {
				if wait > 0 {
					t.Fatalf("login %d from the known network had to wait %v", i, wait)
				}
			}
			t.Logf("%d logins", len(known))
		})
	}
}

// T3: once the attacker's networks have shown themselves, a user on a new network is
// served within MaxDelay.
func TestVictimOnNewNetworkWaitsAtMostMaxDelay(t *testing.T) {
	for name, a := range attacks {
		if a.again(0) == 0 {
			continue // over in no time
		}
		t.Run(name, func(t *testing.T) {
			quiet := a.begin(a.networks) + time.Minute
			_, _, fresh := play(t, a, quiet)
			longest := time.Duration(0)
			for _, wait := range fresh {
				longest = max(longest, wait)
			}
			if longest > DefaultLimits.MaxDelay {
				t.Errorf("a user on a new network waited %v, want at most %v", longest, DefaultLimits.MaxDelay)
			}
			t.Logf("%d logins, the longest wait %v", len(fresh), longest)
		})
	}
}

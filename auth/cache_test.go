package auth

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

const hour = time.Hour

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func testCache(max int) *Cache { return NewCache([32]byte{1, 2, 3}, max, 5*time.Minute) }

func TestCacheFindsExactlyWhatWasVerified(t *testing.T) {
	c := testCache(10)
	c.Put("app", "alice", "secret", "id1", 7, epoch)
	check := func(app, user, password string, want bool) {
		t.Helper()
		id, gen, ok := c.Get(app, user, password, epoch)
		if ok != want || ok && (id != "id1" || gen != 7) || !ok && (id != "" || gen != 0) {
			t.Errorf("Get(%q, %q, %q) = %q, %d, %t; want %t", app, user, password, id, gen, ok, want)
		}
	}
	check("app", "alice", "secret", true)
	check("app", "alice", "secre", false)
	check("app", "alice", "", false)
	check("app", "alices", "ecret", false) // the parts do not flow into one another
	check("appa", "lice", "secret", false)
	check("ap", "palice", "secret", false)
	check("other", "alice", "secret", false)
	check("app", "Alice", "secret", false)
}

func TestCacheGeneration(t *testing.T) {
	c := testCache(10)
	c.Put("app", "alice", "secret", "id1", 1, epoch)
	c.Put("app", "alice", "secret", "id1", 2, epoch)
	if _, gen, ok := c.Get("app", "alice", "secret", epoch); !ok || gen != 2 || len(c.byMAC) != 1 {
		t.Errorf("the later Put does not win: generation %d, %t, %d entries", gen, ok, len(c.byMAC))
	}
}

func TestCacheForgetsAfterItsTime(t *testing.T) {
	c := testCache(10)
	c.Put("app", "alice", "secret", "id1", 1, epoch)
	for _, test := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true}, {5*time.Minute - 1, true}, {5 * time.Minute, false}, {hour, false},
		{-time.Minute, true}, {-5 * time.Minute, false}, // the clock jumped back
	} {
		if _, _, ok := c.Get("app", "alice", "secret", epoch.Add(test.after)); ok != test.want {
			t.Errorf("after %v: hit %t, want %t", test.after, ok, test.want)
		}
	}
}

func TestCacheDrop(t *testing.T) {
	c := testCache(10)
	c.Put("app", "alice", "one", "id1", 1, epoch)
	c.Put("app", "bob", "two", "id2", 1, epoch)
	c.Put("app", "alice", "three", "id1", 1, epoch)
	c.Put("app2", "alice", "four", "id1", 1, epoch)
	c.Drop("id1")
	c.Drop("nobody")
	for _, x := range [][3]string{{"app", "alice", "one"}, {"app", "alice", "three"}, {"app2", "alice", "four"}} {
		if _, _, ok := c.Get(x[0], x[1], x[2], epoch); ok {
			t.Errorf("%v is still there after Drop", x)
		}
	}
	if _, _, ok := c.Get("app", "bob", "two", epoch); !ok {
		t.Error("Drop of one user took another")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := testCache(100)
	for i := range 1000 {
		c.Put("app", fmt.Sprint("user", i), "pw", fmt.Sprint("id", i%7), 1, epoch.Add(time.Duration(i)))
		checkCache(t, c)
	}
	if n := len(c.byMAC); n != 100 {
		t.Errorf("%d entries, want 100", n)
	}
	if _, _, ok := c.Get("app", "user999", "pw", epoch.Add(1000)); !ok {
		t.Error("the newest entry is gone")
	}
	if _, _, ok := c.Get("app", "user899", "pw", epoch.Add(1000)); ok {
		t.Error("the oldest entry did not make room")
	}
	c.Put("app", "late", "pw", "late", 1, epoch.Add(hour)) // all others have ended
	if checkCache(t, c); len(c.byMAC) != 1 {
		t.Errorf("%d entries after all but one ended", len(c.byMAC))
	}
	for i := range 7 {
		c.Drop(fmt.Sprint("id", i))
		checkCache(t, c)
	}
	for _, off := range []*Cache{NewCache([32]byte{}, 0, hour), NewCache([32]byte{}, 5, 0)} {
		off.Put("app", "alice", "pw", "id", 1, epoch)
		if _, _, ok := off.Get("app", "alice", "pw", epoch); ok || len(off.byMAC) != 0 {
			t.Error("a cache without room or time remembers")
		}
	}
}

// checkCache demands that the three ways through the cache agree.
func checkCache(t *testing.T, c *Cache) {
	t.Helper()
	byAge, byUser := 0, 0
	for e := c.oldest; e != nil; e = e.newer {
		if c.byMAC[e.mac] != e || e.newer == nil && c.newest != e {
			t.Fatal("list by age is broken")
		}
		byAge++
	}
	for id, head := range c.byUser {
		for e := head; e != nil; e = e.nextUser {
			if e.userID != id || c.byMAC[e.mac] != e {
				t.Fatal("list by user is broken")
			}
			byUser++
		}
	}
	if byAge != len(c.byMAC) || byUser != len(c.byMAC) || len(c.byMAC) > c.max {
		t.Fatalf("%d by age, %d by user, %d by MAC, at most %d", byAge, byUser, len(c.byMAC), c.max)
	}
}

func TestCacheKeyIsUsed(t *testing.T) {
	a, b := NewCache([32]byte{1}, 10, hour), NewCache([32]byte{2}, 10, hour)
	if a.mac("app", "alice", "pw") == b.mac("app", "alice", "pw") {
		t.Error("two keys give one MAC")
	}
}

func TestCacheConcurrently(t *testing.T) {
	c := testCache(8)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				user := fmt.Sprint((g + i) % 12)
				if id, _, ok := c.Get("app", user, "pw", epoch); ok && id != user {
					t.Errorf("user %s got %s", user, id)
				}
				c.Put("app", user, "pw", user, 1, epoch)
				if i%5 == 0 {
					c.Drop(user)
				}
			}
		})
	}
	wg.Wait()
	checkCache(t, c)
}

func BenchmarkCacheHit(b *testing.B) {
	c := testCache(10000)
	for i := range 10000 {
		c.Put("kid_app", fmt.Sprint("user", i), "correct horse", fmt.Sprint(i), 1, epoch)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, ok := c.Get("kid_app", "user77", "correct horse", epoch); !ok {
				b.Fatal("miss")
			}
		}
	})
}

package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestQuota(t *testing.T) {
	q := NewQuota(QuotaLimits{SignUp: Allowance{3, time.Minute}, Reset: Allowance{1, hour}})
	check := func(after time.Duration, app, network string, kind QuotaKind, want time.Duration) {
		t.Helper()
		wait, ok := q.Allow(epoch.Add(after), app, network, kind)
		if wait.Round(time.Millisecond) != want || ok != (want == 0) {
			t.Errorf("Allow(%v, %s, %s, %d) = %v, %t; want %v", after, app, network, kind, wait, ok, want)
		}
	}
	for range 3 {
		check(0, "app", home, SignUp, 0)
	}
	check(0, "app", home, SignUp, time.Minute)
	check(0, "app", evil, SignUp, 0)   // another network
	check(0, "other", home, SignUp, 0) // another app
	check(0, "app", home, Reset, 0)    // another kind
	check(0, "app", home, Reset, hour)
	check(59*time.Second, "app", home, SignUp, time.Second)
	check(time.Minute, "app", home, SignUp, 0)
	check(time.Minute, "app", home, SignUp, time.Minute)
	check(hour, "app", home, SignUp, 0)
	check(hour, "app", home, Reset, 0)
	for range 1000 {
		check(0, "app", home, Exists, 0) // no limit was set
	}
	if _, ok := q.Allow(epoch, "app", home, QuotaKind(200)); ok {
		t.Error("an unknown kind is allowed")
	}
}

func TestZeroQuotaIsOff(t *testing.T) {
	q := NewQuota(QuotaLimits{})
	for range 1000 {
		if _, ok := q.Allow(epoch, "app", home, SignUp); !ok {
			t.Fatal("a limit out of nothing")
		}
	}
	if q.buckets.len() != 0 {
		t.Error("a quota that is off remembers")
	}
}

func TestQuotaIsBounded(t *testing.T) {
	l := DefaultQuota
	l.Entries = 100
	q := NewQuota(l)
	for range 100 {
		q.Allow(epoch, "app", evil, Reset)
	}
	for i := range 10000 {
		q.Allow(epoch, "app", fmt.Sprint("junk", i), Reset)
		if q.buckets.len() > 100 {
			t.Fatalf("%d entries", q.buckets.len())
		}
	}
	if _, ok := q.Allow(epoch, "app", evil, Reset); ok {
		t.Error("a flood of networks reset the allowance of one")
	}
}

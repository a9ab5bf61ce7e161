package engine

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// ever is the time that is left of a query without a bound.
func ever() time.Duration { return math.MaxInt64 }

// HoldTurns takes all turns, for tests of the whole server.
func (e *Engine) HoldTurns() (release func()) {
	held := make([]turn, cap(e.pacer.turns))
	for i := range held {
		if !e.pacer.take(ever()) {
			panic("no turn")
		}
		held[i].pacer = e.pacer
	}
	return func() {
		for i := range held {
			held[i].leave()
		}
	}
}

// TurnsTaken and QueriesWaiting are how many there are now.
func (e *Engine) TurnsTaken() int     { return len(e.pacer.turns) }
func (e *Engine) QueriesWaiting() int { return int(e.pacer.waiting.Load()) }

// However many scans there are, only so many as there are turns run on beyond
// what is free; the others wait, and get their turns as they become free.
func TestScansTakeTurns(t *testing.T) {
	for _, c := range []struct{ processors, turns int }{{1, 1}, {2, 1}, {4, 3}} {
		synctest.Test(t, func(t *testing.T) {
			const scans = 12
			p := newPacer(c.processors)
			hold := make(chan struct{})
			var free, running, over atomic.Int64
			for range scans {
				go func() {
					var own turn
					defer over.Add(1)
					defer own.leave()
					for range freeSteps - 1 {
						own.step(p, ever)
					}
					free.Add(1)
					own.step(p, ever)
					running.Add(1)
					<-hold
					running.Add(-1)
				}()
			}
			// The only processor's rest is a sleep, which ends when time is
			// let go on.
			time.Sleep(time.Second)
			for ended := range scans {
				synctest.Wait()
				if want := min(c.turns, scans-ended); int(running.Load()) != want || free.Load() != scans || int(over.Load()) != ended {
					t.Fatalf("%d processors, %d ended: %d scans run and %d have ended, %d have done what is free; want %d", c.processors, ended, running.Load(), over.Load(), free.Load(), want)
				}
				if want := max(scans-ended-c.turns, 0); int(p.waiting.Load()) != want {
					t.Fatalf("%d processors, %d ended: %d wait, want %d", c.processors, ended, p.waiting.Load(), want)
				}
				hold <- struct{}{}
			}
			synctest.Wait()
			if len(p.turns) != 0 || p.waiting.Load() != 0 {
				t.Errorf("at the end %d turns are taken and %d wait", len(p.turns), p.waiting.Load())
			}
		})
	}
}

// A turn ends: who holds one for long lets the one go first who waits the
// longest.
func TestTurnsGoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(2)
		var order []string
		scan := func(name string, turns int) {
			var own turn
			defer own.leave()
			for range freeSteps {
				own.step(p, ever)
			}
			for range turns {
				order = append(order, name)
				for range turnSteps {
					own.step(p, ever)
				}
			}
		}
		var first turn
		for range freeSteps {
			first.step(p, ever)
		}
		for _, name := range []string{"a", "b", "c"} {
			go scan(name, 2)
			synctest.Wait() // so that they come in this order
		}
		for range turnSteps {
			first.step(p, ever)
		}
		order = append(order, "first")
		first.leave()
		synctest.Wait()
		got := ""
		for _, name := range order {
			got += name + " "
		}
		if want := "a b c first a b c "; got != want {
			t.Errorf("turns went to %s, want %s", got, want)
		}
	})
}

// What a query waits is of its time.
func TestWaitingIsOfTheTimeOfAQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(2)
		var holder, own turn
		for range freeSteps {
			holder.step(p, ever)
		}
		began := time.Now()
		end := began.Add(2 * time.Second)
		steps := 0
		for own.step(p, func() time.Duration { return time.Until(end) }) {
			steps++
		}
		if took := time.Since(began); took != 2*time.Second || steps != freeSteps-1 {
			t.Errorf("the time was over after %v and %d steps", took, steps)
		}
		if own.leave(); len(p.turns) != 1 || p.waiting.Load() != 0 {
			t.Errorf("%d turns are taken, %d wait; want the holder alone", len(p.turns), p.waiting.Load())
		}
		// The turn comes when it is too late for it.
		go func() {
			time.Sleep(time.Second)
			holder.leave()
		}()
		late := []time.Duration{time.Hour, -1}
		own = turn{steps: freeSteps - 1}
		if own.step(p, func() time.Duration { l := late[0]; late = late[1:]; return l }) {
			t.Error("a query went on after its time")
		}
		if own.leave(); len(p.turns) != 0 {
			t.Error("the late turn was not given back")
		}
	})
}

// On an only processor, who holds the turn rests, so that others are seen.
func TestRestOnAnOnlyProcessor(t *testing.T) {
	for processors, want := range []int{1: 100 / restSteps, 2: 0} {
		if processors == 0 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			var own turn
			p, began := newPacer(processors), time.Now()
			for range 100 {
				own.step(p, ever)
			}
			if rests := int(time.Since(began) / rest); rests != want {
				t.Errorf("%d processors: %d rests in 100 steps, want %d", processors, rests, want)
			}
			own.leave()
		})
	}
}

// Bench measures Postern side by side with the floors of the machine it runs
// on, in one run: ratios are its results, for absolute times depend on the
// machine and on what else it does. Every figure is a median of rounds that are
// interleaved, and every answer that is timed is checked first.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"postern/engine"
)

var (
	entities = flag.Int("entities", 100_000, "entities of the collection that is read")
	rounds   = flag.Int("rounds", 3, "rounds; figures are medians")
	length   = flag.Duration("length", 1500*time.Millisecond, "length of one measurement")
	only     = flag.String("only", "", "writes, reads, pace or process; empty: all")
)

func main() {
	flag.Parse()
	engine.PaceCollector() // as the commands do
	do := run
	if flag.Arg(0) == "call" { // the other process of pace
		do = func() error { return call(flag.Arg(1), flag.Arg(2)) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, part := range []struct {
		name string
		run  func(dir string) error
	}{{"writes", writes}, {"reads", reads}, {"pace", pace}, {"process", process}} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.run(dir); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// median returns the middle of the values.
func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// A series is one thing that is measured, in rounds taken in turn with others.
type series struct {
	name    string
	measure func() (perSecond float64, err error)
	rounds  []float64
}

// interleave measures all series round by round.
func interleave(all []*series) error {
	for range *rounds {
		for _, s := range all {
			v, err := s.measure()
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.rounds = append(s.rounds, v)
		}
	}
	return nil
}

func (s *series) median() float64 { return median(s.rounds) }

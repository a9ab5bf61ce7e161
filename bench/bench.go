// Package bench measures Postern side by side with the floors of the machine it
// runs on, in one run: ratios are its results, for absolute times depend on the
// machine and on what else it does. Every figure is a median of rounds that are
// interleaved, and every answer that is timed is compared with an oracle first.
package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options say what is measured. The zero value of a member is its default.
type Options struct {
	Entities    []int         // sizes of the data sets; default 100,000 and 1,000,000
	Users       int           // who may be in an ACL; default 10,000
	Groups      int           // default 1,000
	Rounds      int           // figures are medians of so many; default 3
	Length      time.Duration // of one measurement; default 1.5 s
	Only        []string      // names of parts; default all
	Connections int           // of the closed loop; default 32
	Seed        uint64        // of the data sets; default 1
	Writes      float64       // durable writes a second beside q1; default 1,000

	// Program is the binary that other processes are made of, as `postern` is.
	Program string

	hide func(i int) bool // entities of the private set that the oracle is not told of; for tests
}

func (o *Options) defaults() {
	if len(o.Entities) == 0 {
		o.Entities = []int{100_000, 1_000_000}
	}
	o.Entities = slices.Compact(slices.Sorted(slices.Values(o.Entities)))
	for _, d := range []struct {
		to    *int
		value int
	}{{&o.Users, 10_000}, {&o.Groups, 1000}, {&o.Rounds, 3}, {&o.Connections, 32}} {
		if *d.to == 0 {
			*d.to = d.value
		}
	}
	if o.Length == 0 {
		o.Length = 1500 * time.Millisecond
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Writes == 0 {
		o.Writes = 1000
	}
}

// check refuses what no data set can be made of.
func (o *Options) check() error {
	switch {
	case o.Entities[0] < 1000:
		return fmt.Errorf("%d entities are too few: at least 1000", o.Entities[0])
	case o.Users < checked+1 || o.Groups < 1:
		return fmt.Errorf("%d users and %d groups are too few: at least %d and 1", o.Users, o.Groups, checked+1)
	case o.Rounds < 1 || o.Connections < 1 || o.Length < 0 || o.Writes < 0:
		return fmt.Errorf("rounds, connections, length and writes must be positive")
	}
	for _, name := range o.Only {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("there is no part %q", name)
		}
	}
	return nil
}

// Parts names what can be measured alone.
func Parts() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// A part is measured by itself, in a directory that is removed behind it.
type part struct {
	name string
	run  func(b *run, dir string) error
}

var parts = []part{{"writes", writes}, {"process", process}, {"pace", pace}, {"console", console}, {"workload", workload}}

// A run is one call of Run.
type run struct {
	Options
	out    io.Writer
	report *Report
}

// Run measures, writes tables to out as they come, and returns all figures. An
// answer that differs from the oracle's is an error.
func Run(o Options, out io.Writer) (*Report, error) {
	parts := parts
	o.defaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	b := &run{Options: o, out: out, report: newReport(o)}
	m := b.report.Machine
	b.printf("%s, %d CPUs, %s, load average %s\n", m.System, m.CPUs, m.Go, cmp.Or(m.Load, "unknown"))
	for _, p := range parts {
		if len(o.Only) > 0 && !slices.Contains(o.Only, p.name) {
			continue
		}
		if err := b.part(p); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.judge()
	return b.report, nil
}

func (b *run) part(p part) error {
	dir, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return p.run(b, dir)
}

func (b *run) printf(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }

// median returns the middle of the values, 0 of none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
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
func (b *run) interleave(all []*series) error {
	for range b.Rounds {
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

func (s *series) figure(unit string) Figure {
	return Figure{Name: s.name, Unit: unit, Value: s.median(), Rounds: s.rounds}
}

// A Figure is a median with what it is the median of.
type Figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Value  float64   `json:"value"`
	Rounds []float64 `json:"rounds"`
}

// A Report is all that was measured.
type Report struct {
	Machine   Machine      `json:"machine"`
	Began     time.Time    `json:"began"`
	Options   settings     `json:"options"`
	Writes    []Figure     `json:"writes,omitempty"`
	Process   []Figure     `json:"process,omitempty"`
	Console   *Console     `json:"console,omitempty"`
	Workloads []*SetReport `json:"workloads,omitempty"`
	Gates     []Gate       `json:"gates"`
	Met       int          `json:"met"`
	Missed    int          `json:"missed"`
}

// settings are the options as they stand in a report.
type settings struct {
	Entities      []int
	Users, Groups int
	Rounds        int
	LengthSeconds float64
	Connections   int
	Seed          uint64
	Writes        float64
}

// A Machine is what the figures are of.
type Machine struct {
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	Load   string `json:"load"` // average at the beginning: what else it did; "": not known
}

func newReport(o Options) *Report {
	return &Report{
		Machine: Machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Load: loadAverage()},
		Began:   time.Now().UTC(),
		Options: settings{o.Entities, o.Users, o.Groups, o.Rounds, o.Length.Seconds(), o.Connections, o.Seed, o.Writes},
	}
}

// loadAverage is that of the last minute.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg") // not everywhere
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// JSON writes all figures.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

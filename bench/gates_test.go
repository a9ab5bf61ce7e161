package bench_test

import (
	"fmt"
	"strings"
	"testing"

	"postern/bench"
)

// A goal's line says what was measured against the right limit, and the last
// line counts those that have one.
func TestJudge(t *testing.T) {
	query := func(name string, ours ...float64) *bench.QueryReport {
		q := &bench.QueryReport{Name: name, Ours: ours}
		for range ours {
			q.Static = append(q.Static, 1000)
		}
		return q
	}
	number := func(v float64) *float64 { return &v }
	set := func(n int, q1, q8 float64) *bench.SetReport {
		return &bench.SetReport{
			Entities: n,
			Queries:  []*bench.QueryReport{query("q1", 10, q1, 2000), query("q8", q8), query("s", 900), query("sm", 1000), query("sq", 990), query("smq", 1000)},
			Beside:   &bench.Beside{Writes: 1000, Rest: &bench.Arrival{P99: 1}, Under: &bench.Arrival{P99: 2.5}},
			Memory:   &bench.Memory{Anonymous: 150, Raw: 100, Index: number(400), Postings: number(100)},
			Start:    &bench.Start{Clean: []float64{0.2}, Rebuild: []float64{10}},
			Allocs:   []*bench.Allocations{{Name: "q1", All: 6.3, Path: 6}, {Name: "q5", All: 8, Path: 6}},
			Touched:  []bench.Touched{{Change: "an ACL edit", Aim: 1, Entities: number(1)}, {Change: "a group join"}},
		}
	}
	r := &bench.Report{
		Writes:  []bench.Figure{{Name: "1/fdatasync", Value: 100}, {Name: "HTTP, 32 connections", Value: 550}, {Name: "HTTP, 256 connections", Value: 590}},
		Console: &bench.Console{Entities: 1000, Views: []bench.Figure{{Name: "a page", Value: 1.4}, {Name: "why", Value: 3.1}}},
		Workloads: []*bench.SetReport{
			set(100_000, 800, 800), set(1_000_000, 740, 100), set(10_000_000, 460, 420),
		},
	}
	var out strings.Builder
	r.Judge(&out)
	for want, times := range map[string]int{
		"durable writes over HTTP, 32 connections, x 1/fdatasync|0|5.5|met, and the aim":    1,
		"durable writes over HTTP, 256 connections, x 1/fdatasync|0|5.9|missed":             1,
		"console: a page, x a static page|1000|1.4|met, and the aim":                        1,
		"console: why, x a static page|1000|3.1|missed":                                     1,
		"q1 against a static reply of the same bytes|100000|0.8|met":                        1,
		"q1 against a static reply of the same bytes|1000000|0.74|missed":                   1,
		"q1 against itself at 100000|1000000|0.925|met":                                     1,
		"q1 against itself at 100000|10000000|0.575|missed":                                 1,
		"q8 against itself at 100000|10000000|0.525|met":                                    1,
		"a user's page of Shared against the master's, the worse order|100000|0.9|missed":   1,
		"p99 of q1 beside 1000 durable writes/s, x at rest|100000|2.5|missed":               1,
		"anonymous memory, x raw JSON|100000|1.5|-":                                         1,
		"anonymous memory, x raw JSON|1000000|1.5|met":                                      1,
		"index bytes per grant and order|100000|4|met":                                      1,
		"ready after a clean stop, x a rebuild|1000000|0.02|met, and the aim":               1,
		"q1: allocations in the handler|100000|0|met, and the aim":                          1,
		"q5: allocations in the handler|100000|2|missed":                                    1,
		"an ACL edit: entities touched|100000|1|met, and the aim":                           1,
		"a group join: entities touched|100000|-|missed: not exposed":                       1,
		"q8 against itself at 100000|1000000|0.125|missed":                                  0, // no goal
		"q1 against itself at 100000|100000|1|met, and the aim":                             0,
		"q2 against a static reply of the same bytes|100000|-|missed: there is no such one": 0,
	} {
		n := 0
		for _, g := range r.Gates {
			value := "-"
			if g.Value != nil {
				value = fmt.Sprintf("%.3g", *g.Value)
			}
			if fmt.Sprintf("%s|%d|%s|%s", g.What, g.Entities, value, g.Outcome()) == want {
				n++
			}
		}
		if n != times {
			t.Errorf("%d lines %q, want %d", n, want, times)
		}
	}
	if t.Failed() {
		t.Log("\n" + out.String())
	}
	counted, met := 0, 0
	for _, g := range r.Gates {
		if g.Counted {
			counted++
		}
		if g.Met {
			met++
		}
	}
	if want := fmt.Sprintf("gates: %d met, %d missed\n", met, counted-met); !strings.HasSuffix(out.String(), want) {
		t.Errorf("the last line is not %q", want)
	}
}

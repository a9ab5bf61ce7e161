//go:build unix

package bench_test

import (
	"runtime"
	"strings"
	"testing"

	"postern/bench"
)

// The whole bench runs, its answers equal the oracle's, and every goal has its
// line.
func TestRun(t *testing.T) {
	var out strings.Builder
	report, err := bench.Run(tiny(t), &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "gates: ") || !strings.HasSuffix(last, " missed") {
		t.Errorf("the last line is %q", last)
	}
	if len(report.Writes) != 5 || len(report.Process) != 5 || len(report.Workloads) != 2 {
		t.Fatalf("%d figures of writes, %d of the process, %d workloads", len(report.Writes), len(report.Process), len(report.Workloads))
	}
	if c := report.Console; c == nil || c.Entities != 1000 || len(c.Views) != 4 || c.Views[0].Value <= 0 || c.Views[3].Value <= 0 {
		t.Errorf("the console: %+v", c)
	}
	for _, set := range report.Workloads {
		if set.Answers < 1000 {
			t.Errorf("%d entities: only %d answers were compared", set.Entities, set.Answers)
		}
		got := map[string]*bench.QueryReport{}
		for _, q := range set.Queries {
			got[q.Name] = q
			if len(q.Static) != 1 || len(q.Ours) != 1 || q.Static[0] <= 0 || q.Ours[0] <= 0 || q.Bytes == 0 {
				t.Errorf("%s of %d: %+v", q.Name, set.Entities, q)
			}
			for _, a := range q.Open {
				if a.Count == 0 || a.P50 > a.P99 || a.P99 > a.P999 || a.Reached <= 0 || a.Reached > a.Rate*1.01 || q.OpenFloor.Count == 0 {
					t.Errorf("%s of %d at %.0f/s: %+v", q.Name, set.Entities, a.Rate, a)
				}
			}
		}
		for name, want := range map[string][2]float64{ // what the users see
			"q1": {0.01, 0.12}, "q1id": {0.01, 0.12}, "q2": {0.45, 0.55}, "q3": {0.01, 0.12}, "q3half": {0.45, 0.55}, "q4cat": {0.01, 0.12},
			"q4rng": {0.01, 0.12}, "q5": {0.01, 0.12}, "q8": {0.45, 0.55},
			"q7": {10 / float64(set.Entities), 10 / float64(set.Entities)},
			"s":  {0.97, 0.999}, "sm": {1, 1}, "sq": {0.97, 0.999}, "smq": {1, 1},
		} {
			switch q := got[name]; {
			case q == nil:
				t.Errorf("%d entities: no %s", set.Entities, name)
			case q.Visible < want[0] || q.Visible > want[1]:
				t.Errorf("%s of %d: the user sees %.4f, want %v", name, set.Entities, q.Visible, want)
			}
		}
		if b := set.Beside; b == nil || b.Under.Count == 0 || b.Write.Count == 0 || set.Inserts == nil || set.Inserts.Value <= 0 {
			t.Errorf("%d entities: no writes beside", set.Entities)
		}
		if len(set.Allocs) != 3 || len(set.Touched) != 3 || len(set.Loaded) != 3 {
			t.Errorf("%d entities: allocations %v, touched %v, loaded %v", set.Entities, set.Allocs, set.Touched, set.Loaded)
		}
		for _, a := range set.Allocs {
			if a.All < a.Path {
				t.Errorf("%s allocates %.1f with its handler, %.1f without", a.Name, a.All, a.Path)
			}
		}
		if m := set.Memory; m.Raw < int64(set.Entities)*280 || m.Raw > int64(set.Entities)*380 || runtime.GOOS == "linux" && (m.Anonymous == 0 || m.Grants == 0) {
			t.Errorf("%d entities: %+v", set.Entities, m)
		}
		if len(set.Start.Store) == 0 || len(set.Start.Clean) == 0 {
			t.Errorf("%d entities: %+v", set.Entities, set.Start)
		}
	}
	counted := 0
	for _, g := range report.Gates {
		if g.Counted {
			counted++
		}
		if g.Met && g.Value == nil {
			t.Errorf("%s is met and was not measured", g.What)
		}
		if !strings.Contains(out.String(), g.What) {
			t.Errorf("the table has no line %q", g.What)
		}
	}
	if report.Met+report.Missed != counted || counted < 30 {
		t.Errorf("%d met, %d missed, %d count", report.Met, report.Missed, counted)
	}
	checkFiles(t, report)
}

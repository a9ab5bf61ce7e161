package bench_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"postern/bench"
	"postern/engine/cli"
)

// The test binary is the program when a measurement starts it.
func TestMain(m *testing.M) {
	if os.Getenv("BENCH_TEST_PROGRAM") != "" {
		os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// tiny are the options of a run that takes seconds. Its figures say nothing.
func tiny(t *testing.T) bench.Options {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("BENCH_TEST_PROGRAM", "1")
	t.Setenv("TMPDIR", t.TempDir())
	return bench.Options{
		Entities: []int{1000, 2000}, Users: 200, Groups: 20, Rounds: 1, Length: 10 * time.Millisecond, Connections: 4, Writes: 200, Program: program,
	}
}

// checkFiles looks at what is written for programs and for people.
func checkFiles(t *testing.T, report *bench.Report) {
	t.Helper()
	var text bytes.Buffer
	if err := report.JSON(&text); err != nil {
		t.Fatal(err)
	}
	var back bench.Report
	if err := json.Unmarshal(text.Bytes(), &back); err != nil || len(back.Gates) != len(report.Gates) || back.Workloads[1].Queries[0].Ours[0] != report.Workloads[1].Queries[0].Ours[0] {
		t.Errorf("the JSON does not say what the report says: %v", err)
	}
	text.Reset()
	if err := report.HTML(&text); err != nil {
		t.Fatal(err)
	}
	page := text.String()
	plots := 0
	for rest := page; ; plots++ {
		_, after, ok := strings.Cut(rest, "<svg ")
		if !ok {
			break
		}
		svg, after, ok := strings.Cut(after, "</svg>")
		if !ok {
			t.Fatal("a plot has no end")
		}
		rest = after
		for d := xml.NewDecoder(strings.NewReader("<svg " + svg + "</svg>")); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("plot %d: %v", plots, err)
			}
		}
	}
	if plots != 4 {
		t.Errorf("%d plots, want 4", plots)
	}
	for _, outside := range []string{"src=", "href=", "url(", "@import", "<script", "NaN", "ZgotmplZ"} {
		if strings.Contains(page, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
}

// An answer that differs from the oracle's by one entity ends the run, before
// anything is timed.
func TestOracleRefuses(t *testing.T) {
	o := tiny(t)
	o.Entities, o.Only = []int{1000}, []string{"workload"}
	o.Hide(func(i int) bool { return i == 417 })
	var out strings.Builder
	report, err := bench.Run(o, &out)
	if err == nil || !strings.Contains(err.Error(), "the oracle disagrees") {
		t.Fatalf("a falsified oracle goes unnoticed: %v", err)
	}
	if report != nil || strings.Contains(out.String(), "static/s") || strings.Contains(out.String(), "gates:") {
		t.Errorf("there are figures all the same:\n%s", out.String())
	}
}

// So it does where the console shows what it should not, or says so of a right.
func TestOracleRefusesTheConsole(t *testing.T) {
	for what, hide := range map[string]func(i int) bool{
		"entities?": func(i int) bool { return i == 3 },
		"/why?":     func(i int) bool { return i >= 900 },
	} {
		o := tiny(t)
		o.Entities, o.Only = []int{1000}, []string{"console"}
		o.Hide(hide)
		var out strings.Builder
		report, err := bench.Run(o, &out)
		if err == nil || !strings.Contains(err.Error(), "the oracle disagrees") || !strings.Contains(err.Error(), what) || report != nil {
			t.Errorf("a falsified oracle goes unnoticed: %v", err)
		}
	}
}

// One answer that takes as long as the whole measurement makes all requests late
// that had to wait for it, although they were not sent before it came.
func TestArriveFromTheIntendedMoment(t *testing.T) {
	const length = 100 * time.Millisecond
	began := time.Now()
	var stalled time.Duration
	p50, n, err := bench.Arrive(500, length, 1, func(_, i int) error {
		if i == 0 {
			for stalled < length {
				stalled = time.Since(began)
				runtime.Gosched()
			}
		}
		return nil
	})
	if err != nil || n != 50 {
		t.Fatalf("%d requests, %v", n, err)
	}
	// Half of them were due in the first half of it.
	if least := float64((stalled / 4).Milliseconds()); p50 < least {
		t.Errorf("half of the requests took at most %.1f ms, want at least %.1f", p50, least)
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]bench.Options{
		"too few":        {Entities: []int{999}},
		"no part":        {Only: []string{"nonsense"}},
		"users":          {Users: 10},
		"be positive":    {Rounds: -1},
		"which program":  {Entities: []int{1000}, Users: 100, Groups: 5, Only: []string{"workload"}, Length: time.Millisecond, Rounds: 1},
		"1 entities are": {Entities: []int{5000, 1}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			if _, err := bench.Run(o, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

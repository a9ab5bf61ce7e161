package bench

import (
	"fmt"
	"math"
)

// A Gate is a goal with what was measured. A goal that cannot be measured is
// missed.
type Gate struct {
	Entities int      `json:"entities"` // 0: no data set's
	What     string   `json:"what"`
	Value    *float64 `json:"value"` // null: not measured
	Gate     float64  `json:"gate"`
	Aim      float64  `json:"aim"`
	Most     bool     `json:"most"`    // the value is to be at most the gate, else at least
	Counted  bool     `json:"counted"` // false: shown, but this size has no such goal
	Met      bool     `json:"met"`
	Note     string   `json:"note,omitempty"`
}

// outcome is the last column.
func (g *Gate) outcome() string {
	switch {
	case !g.Counted:
		return "-"
	case g.Value == nil:
		return "missed: " + g.Note
	case g.Met && g.reaches(g.Aim):
		return "met, and the aim"
	case g.Met:
		return "met"
	}
	return "missed"
}

func (g *Gate) reaches(limit float64) bool {
	if g.Most {
		return *g.Value <= limit
	}
	return *g.Value >= limit
}

// large is the size from which on memory and start have goals: below it the
// process itself counts for more than its data.
const large = 1_000_000

// judge makes the gates of everything that was measured and prints them.
func (b *run) judge() {
	r := b.report
	if len(r.Writes) > 0 {
		r.writeGates()
	}
	if c := r.Console; c != nil {
		r.consoleGates(c)
	}
	for _, set := range r.Workloads {
		r.floorGates(set)
		r.flatGates(r.Workloads[0], set)
		r.costGates(set)
	}
	if len(r.Gates) > 0 {
		b.printf("%-58s %10s %8s %8s %8s  %s\n", "goal", "entities", "measured", "gate", "aim", "")
	}
	for i := range r.Gates {
		g := &r.Gates[i]
		g.Met = g.Counted && g.Value != nil && g.reaches(g.Gate)
		switch {
		case g.Met:
			r.Met++
		case g.Counted:
			r.Missed++
		}
		value, n, sign := "-", "", ">="
		if g.Value != nil {
			value = fmt.Sprintf("%.3g", *g.Value)
		}
		if g.Entities > 0 {
			n = fmt.Sprint(g.Entities)
		}
		if g.Most {
			sign = "<="
		}
		b.printf("%-58s %10s %8s %8s %8s  %s\n", g.What, n, value, fmt.Sprintf("%s%g", sign, g.Gate), fmt.Sprintf("%g", g.Aim), g.outcome())
	}
	b.printf("gates: %d met, %d missed\n", r.Met, r.Missed)
}

func (r *Report) add(g Gate, value float64) {
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		g.Value = &value
	} else if g.Note == "" {
		g.Note = "not measured"
	}
	r.Gates = append(r.Gates, g)
}

func (r *Report) writeGates() {
	rate := map[string]float64{}
	for _, f := range r.Writes {
		rate[f.Name] = f.Value
	}
	for _, g := range []struct {
		connections int
		gate, aim   float64
	}{{32, 3, 5}, {256, 6, 10}} {
		what := fmt.Sprintf("durable writes over HTTP, %d connections, x 1/fdatasync", g.connections)
		r.add(Gate{What: what, Gate: g.gate, Aim: g.aim, Counted: true}, rate[fmt.Sprintf("HTTP, %d connections", g.connections)]/rate["1/fdatasync"])
	}
}

func (r *Report) consoleGates(c *Console) {
	for _, f := range c.Views {
		r.add(Gate{Entities: c.Entities, What: "console: " + f.Name + ", x a static page", Gate: 3, Aim: 1.5, Most: true, Counted: true}, f.Value)
	}
}

// floorGates are those against a static reply of the same bytes.
func (r *Report) floorGates(set *SetReport) {
	for _, g := range []struct {
		name      string
		gate, aim float64
	}{
		{"q1", 0.75, 0.90}, {"q2", 0.75, 0.90}, {"q8", 0.75, 0.90}, {"q5", 0.85, 0.95}, {"q7", 0.85, 0.95},
		{"q3half", 0.30, 0.80}, {"q4cat", 0.40, 0.70}, {"q4rng", 0.40, 0.70},
	} {
		if q := set.query(g.name); q != nil {
			r.add(Gate{Entities: set.Entities, What: g.name + " against a static reply of the same bytes", Gate: g.gate, Aim: g.aim, Counted: true}, q.ratio())
		}
	}
	var least []float64
	for _, pair := range [][2]string{{"s", "sm"}, {"sq", "smq"}} {
		user, all := set.query(pair[0]), set.query(pair[1])
		if user == nil || all == nil {
			continue
		}
		var ratios []float64
		for i := range user.Ours {
			ratios = append(ratios, user.Ours[i]/all.Ours[i])
		}
		least = append(least, median(ratios))
	}
	if len(least) == 2 {
		r.add(Gate{Entities: set.Entities, What: "a user's page of Shared against the master's, the worse order", Gate: 0.95, Aim: 1, Counted: true}, min(least[0], least[1]))
	}
}

// flatGates compare with the smallest size. Both are taken against their static
// replies, which were measured in the same rounds: so the machine's moods of
// half an hour do not count.
func (r *Report) flatGates(base, set *SetReport) {
	if set == base {
		return
	}
	gate, aim, bet := 0.90, 0.97, 0.0
	if set.Entities > 10*base.Entities {
		gate, aim, bet = 0.60, 0.85, 0.50
	}
	for _, name := range []string{"q1", "q2", "q7", "q8"} {
		now, then := set.query(name), base.query(name)
		if now == nil || then == nil {
			continue
		}
		g := Gate{Entities: set.Entities, What: fmt.Sprintf("%s against itself at %d", name, base.Entities), Gate: gate, Aim: aim, Counted: true}
		if name == "q8" {
			if g.Gate = bet; bet == 0 {
				continue
			}
		}
		r.add(g, now.ratio()/then.ratio())
	}
}

func (r *Report) costGates(set *SetReport) {
	add := func(g Gate, value float64) {
		g.Entities = set.Entities
		r.add(g, value)
	}
	if w := set.Beside; w != nil {
		add(Gate{What: fmt.Sprintf("p99 of q1 beside %.0f durable writes/s, x at rest", w.Writes), Gate: 2, Aim: 1.3, Most: true, Counted: true}, w.Under.P99/w.Rest.P99)
	}
	isLarge := set.Entities >= large
	if m := set.Memory; m != nil {
		value := math.NaN()
		if m.Anonymous > 0 {
			value = m.Anonymous / float64(m.Raw)
		}
		add(Gate{What: "anonymous memory, x raw JSON", Gate: 2, Aim: 1.4, Most: true, Counted: isLarge}, value)
		value, ok := m.perGrant()
		if !ok {
			value = math.NaN()
		}
		add(Gate{What: "index bytes per grant and order", Gate: 5, Aim: 3, Most: true, Counted: true, Note: notExposed(ok)}, value)
	}
	if s := set.Start; s != nil {
		g := Gate{What: "ready after a clean stop, x a rebuild", Gate: 0.10, Aim: 0.03, Most: true, Counted: isLarge}
		value := math.NaN()
		if len(s.Rebuild) > 0 {
			value = median(s.Clean) / median(s.Rebuild)
		} else {
			g.Note = "there is no snapshot"
		}
		add(g, value)
	}
	for _, a := range set.Allocs {
		// Half an object is what others have allocated meanwhile.
		add(Gate{What: a.Name + ": allocations in the handler", Gate: 0, Aim: 0, Most: true, Counted: true}, math.Floor(a.handler()+0.5))
	}
	for _, t := range set.Touched {
		value := math.NaN()
		if t.Entities != nil {
			value = *t.Entities
		}
		add(Gate{What: t.Change + ": entities touched", Gate: t.Aim, Aim: t.Aim, Most: true, Counted: true, Note: notExposed(t.Entities != nil)}, value)
	}
}

func notExposed(exposed bool) string {
	if exposed {
		return ""
	}
	return "not exposed"
}

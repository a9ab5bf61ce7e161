package bench

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
)

// HTML writes a report that needs nothing from elsewhere.
func (r *Report) HTML(w io.Writer) error {
	return page.Execute(w, map[string]any{"R": r, "Plots": []template.HTML{
		r.latencyPlot(50), r.latencyPlot(99), r.sharePlot(), r.besidePlot(),
	}})
}

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"outcome": func(g Gate) string { return g.outcome() },
	"class": func(g Gate) string {
		switch {
		case !g.Counted:
			return "none"
		case g.Met:
			return "met"
		}
		return "missed"
	},
	"value": func(v *float64) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprintf("%.3g", *v)
	},
	"full":   func(a *Arrival) bool { return a.full() },
	"median": median,
	"ratio":  func(q *QueryReport) string { return fmt.Sprintf("%.3f", q.ratio()) },
	"mib":    func(bytes any) string { return fmt.Sprintf("%.0f", mib(toFloat(bytes))) },
}).Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Postern, measured</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:68em;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child,td.t{text-align:left}
.met{color:#186a2b}.missed{color:#a3201d}.none{color:#777}
figure{display:inline-block;margin:1em 1em 1em 0}figcaption{font-weight:600}svg text{font:12px system-ui,sans-serif;fill:#333}
</style>
<h1>Postern, measured</h1>
<p>{{.R.Began.Format "2006-01-02 15:04"}} UTC, {{.R.Machine.System}}, {{.R.Machine.CPUs}} CPUs, {{.R.Machine.Go}}{{with .R.Machine.Load}}, load average {{.}} at the beginning{{end}}; seed {{.R.Options.Seed}},
{{.R.Options.Users}} users, {{.R.Options.Groups}} groups, {{.R.Options.Connections}} connections, medians of {{.R.Options.Rounds}} rounds of {{.R.Options.LengthSeconds}} s.
Server, floors and clients share the machine, so ratios count and absolute times do not.</p>
{{if .R.Gates}}<h2>Goals: {{.R.Met}} met, {{.R.Missed}} missed</h2>
<table><tr><th>goal<th>entities<th>measured<th>gate<th>aim<th></tr>
{{range .R.Gates}}<tr class="{{class .}}"><td>{{.What}}<td>{{if .Entities}}{{.Entities}}{{end}}<td>{{value .Value}}<td>{{if .Most}}&le;{{else}}&ge;{{end}} {{.Gate}}<td>{{.Aim}}<td class="t">{{outcome .}}</tr>
{{end}}</table>{{end}}
{{range .Plots}}{{.}}{{end}}
{{range .R.Workloads}}<h2>{{.Entities}} entities</h2>
<p>{{.Answers}} answers were compared with the oracle.{{with .Memory}} Anonymous memory {{mib .Anonymous}} MiB, mapped files {{mib .Files}} MiB, raw JSON {{mib .Raw}} MiB.{{end}}</p>
<table><tr><th>query<th>ours/s<th>static/s<th>ratio<th>visible<th>bytes<th>p50, p99, p99.9 ms at 30 %<th>... at 60 %<th></tr>
{{range .Queries}}<tr><td>{{.Name}}<td>{{printf "%.0f" (median .Ours)}}<td>{{printf "%.0f" (median .Static)}}<td>{{ratio .}}<td>{{printf "%.4f" .Visible}}<td>{{.Bytes}}{{range .Open}}<td>{{printf "%.2f %.2f %.2f" .P50 .P99 .P999}}{{if full .}}, growing{{end}}{{else}}<td><td>{{end}}<td class="t">{{.What}}</tr>
{{end}}</table>
{{end}}
{{if .R.Writes}}<h2>Durable writes</h2><table>{{range .R.Writes}}<tr><td>{{.Name}}<td>{{printf "%.0f" .Value}} {{.Unit}}</tr>{{end}}</table>{{end}}
{{if .R.Console}}<h2>Console</h2><table>{{range .R.Console.Views}}<tr><td>{{.Name}}<td>{{printf "%.2f" .Value}} {{.Unit}}</tr>{{end}}</table>{{end}}
{{if .R.Process}}<h2>Process</h2><table>{{range .R.Process}}<tr><td>{{.Name}}<td>{{printf "%.3f" .Value}} {{.Unit}}</tr>{{end}}</table>{{end}}
</html>
`))

func toFloat(v any) float64 {
	if n, ok := v.(int64); ok {
		return float64(n)
	}
	f, _ := v.(float64)
	return f
}

// A curve is a line of a plot.
type curve struct {
	name   string
	points [][2]float64
}

var colours = []string{"#1b6ca8", "#c0392b", "#27ae60", "#8e44ad", "#d68910", "#16a085", "#7f8c8d", "#2c3e50", "#e84393", "#6d4c41", "#0097a7"}

// latencyPlot is a percentile at 30 % of the closed loop's rate against N.
func (r *Report) latencyPlot(percentile int) template.HTML {
	var curves []curve
	for _, set := range r.Workloads {
		for _, q := range set.Queries {
			if len(q.Open) == 0 {
				continue
			}
			y := q.Open[0].P50
			if percentile == 99 {
				y = q.Open[0].P99
			}
			k := slices.IndexFunc(curves, func(c curve) bool { return c.name == q.Name })
			if k < 0 {
				k, curves = len(curves), append(curves, curve{name: q.Name})
			}
			curves[k].points = append(curves[k].points, [2]float64{float64(set.Entities), y})
		}
	}
	return plot(fmt.Sprintf("Latency against N: p%d at 30 %% of the capacity", percentile), "entities", "ms", curves)
}

// sharePlot is the rate of a page by score against what its user sees.
func (r *Report) sharePlot() template.HTML {
	var curves []curve
	for _, set := range r.Workloads {
		c := curve{name: fmt.Sprint(set.Entities)}
		for _, q := range set.Queries {
			if q.Order && q.Visible > 0 {
				c.points = append(c.points, [2]float64{q.Visible, median(q.Ours)})
			}
		}
		slices.SortFunc(c.points, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
		curves = append(curves, c)
	}
	return plot("Throughput against visible share: the first 100 by score", "part of all entities", "requests/s", curves)
}

// besidePlot is q1's latency alone and beside durable writes.
func (r *Report) besidePlot() template.HTML {
	rest, under := curve{name: "at rest"}, curve{name: "beside writes"}
	for _, set := range r.Workloads {
		if w := set.Beside; w != nil {
			rest.points = append(rest.points, [2]float64{float64(set.Entities), w.Rest.P99})
			under.points = append(under.points, [2]float64{float64(set.Entities), w.Under.P99})
		}
	}
	return plot(fmt.Sprintf("p99 of q1 beside %.0f durable writes/s", r.Options.Writes), "entities", "ms", []curve{rest, under})
}

const (
	plotWidth, plotHeight         = 460.0, 300.0
	marginLeft, marginRight       = 64.0, 110.0
	marginTop, marginBottom       = 12.0, 44.0
	innerWidth, innerHeight       = plotWidth - marginLeft - marginRight, plotHeight - marginTop - marginBottom
	decadesLeast, legendLine, dot = 0.5, 16.0, 3.5
)

// plot draws curves on two logarithmic scales; nothing when they have no points.
func plot(title, xName, yName string, curves []curve) template.HTML {
	lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, c := range curves {
		for _, p := range c.points {
			for k, v := range p {
				if v > 0 {
					lo[k], hi[k] = min(lo[k], math.Log10(v)), max(hi[k], math.Log10(v))
				}
			}
		}
	}
	if math.IsInf(lo[0], 1) || math.IsInf(lo[1], 1) {
		return ""
	}
	for k := range lo {
		lo[k], hi[k] = math.Floor(lo[k]), max(math.Ceil(hi[k]), math.Floor(lo[k])+decadesLeast)
	}
	x := func(v float64) float64 { return marginLeft + innerWidth*(math.Log10(v)-lo[0])/(hi[0]-lo[0]) }
	y := func(v float64) float64 { return marginTop + innerHeight*(1-(math.Log10(v)-lo[1])/(hi[1]-lo[1])) }
	var b strings.Builder
	text := template.HTMLEscapeString
	fmt.Fprintf(&b, `<figure><figcaption>%s</figcaption><svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" role="img" aria-label="%s">`,
		text(title), plotWidth, plotHeight, text(title))
	for d := lo[0]; d <= hi[0]; d++ {
		at := x(math.Pow(10, d))
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`,
			at, marginTop, at, marginTop+innerHeight, at, marginTop+innerHeight+16, power(d))
	}
	for d := lo[1]; d <= hi[1]; d++ {
		at := y(math.Pow(10, d))
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`,
			marginLeft, at, marginLeft+innerWidth, at, marginLeft-6, at+4, power(d))
	}
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text><text transform="translate(14 %.1f) rotate(-90)" text-anchor="middle">%s</text>`,
		marginLeft+innerWidth/2, plotHeight-8, text(xName), marginTop+innerHeight/2, text(yName))
	for k, c := range curves {
		colour := colours[k%len(colours)]
		var line strings.Builder
		for _, p := range c.points {
			if p[0] <= 0 || p[1] <= 0 {
				continue
			}
			fmt.Fprintf(&line, "%.1f,%.1f ", x(p[0]), y(p[1]))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="%g" fill="%s"><title>%s: %.4g, %.4g</title></circle>`, x(p[0]), y(p[1]), dot, colour, text(c.name), p[0], p[1])
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/><text x="%.1f" y="%.1f" style="fill:%s">%s</text>`,
			strings.TrimSpace(line.String()), colour, marginLeft+innerWidth+10, marginTop+12+legendLine*float64(k), colour, text(c.name))
	}
	b.WriteString("</svg></figure>\n")
	return template.HTML(b.String())
}

// power writes ten to the d.
func power(d float64) string {
	if d >= 6 {
		return fmt.Sprintf("%gM", math.Pow(10, d-6))
	}
	return fmt.Sprintf("%.10g", math.Pow(10, d))
}

package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// NewResponse is the answer of a server, as it came. A body that is not JSON
// becomes a string that begins with "not JSON".
func NewResponse(status int, headers map[string]string, body []byte) Response {
	r := Response{Status: status, Header: headers}
	if len(body) == 0 {
		return r
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&r.Body); err != nil || d.More() {
		r.Body = "not JSON: " + string(body)
		return r
	}
	if m, ok := r.Body.(map[string]any); ok && status >= 400 {
		for _, name := range []string{"error", "code"} { // code: management
			if s, ok := m[name].(string); ok {
				r.Error = s
				break
			}
		}
	}
	return r
}

// Compare says how the server's answer differs from the model's, or nothing
// when it does not: in status, name of the error, body, and, where the server's
// headers are known, in those that clients need.
func Compare(req Request, model, real Response) string {
	if real.Status != model.Status && !contains(model.Also, real.Status) {
		return fmt.Sprintf("status %d %s; want %d %s", real.Status, real.Error, model.Status, model.Error)
	}
	if model.Error != "" {
		return compareError(model, real)
	}
	if real.Error != "" {
		return fmt.Sprintf("error %s; want none", real.Error)
	}
	if len(model.Complaints) > 0 {
		return strings.Join(model.Complaints, "; ")
	}
	if d := differ(model.Body, real.Body); d != "" {
		return "body" + d
	}
	return compareHeaders(req, real)
}

func compareError(model, real Response) string {
	if real.Error != model.Error && (model.Error != "*" || real.Error == "") {
		return fmt.Sprintf("error %q; want %q", real.Error, model.Error)
	}
	m, _ := real.Body.(map[string]any)
	if s, ok := m["description"].(string); !ok || s == "" {
		return "an error without a description"
	}
	return ""
}

// compareHeaders looks at the few headers without which clients break.
func compareHeaders(req Request, real Response) string {
	if real.Header == nil {
		return ""
	}
	if t, _ := header(real.Header, "Content-Type"); real.Body != nil && t != "application/json; charset=utf-8" {
		return fmt.Sprintf("Content-Type %q", t)
	}
	if t, _ := header(real.Header, "X-Kinvey-Request-Start"); req.Method == "GET" && strings.HasPrefix(req.Path, "/appdata/") && !timeShape.MatchString(t) {
		return fmt.Sprintf("X-Kinvey-Request-Start %q", t)
	}
	if real.Status != 201 || strings.HasPrefix(req.Path, "/v4/") || strings.HasPrefix(req.Path, "/group/") {
		return ""
	}
	location, _ := header(real.Header, "Location")
	m, _ := real.Body.(map[string]any)
	if _, many := m["entities"].([]any); many && location == "" {
		return "" // several places
	}
	last := location[strings.LastIndex(location, "/")+1:]
	if id, err := url.PathUnescape(last); err != nil || id != m["_id"] {
		return fmt.Sprintf("Location %q; want one that ends in %v", location, m["_id"])
	}
	return ""
}

func contains(list []int, n int) bool {
	for _, e := range list {
		if e == n {
			return true
		}
	}
	return false
}

// differ says where got is not what is wanted, beginning with the path to it.
// A map that wants the member "*" puts that Check on members it does not name.
func differ(want, got any) string {
	switch want := want.(type) {
	case Check:
		if d := want(got, true); d != "" {
			return ": " + d
		}
		return ""
	case amount:
		n, _ := got.(json.Number)
		if f, err := n.Float64(); err != nil || f != float64(want) {
			return fmt.Sprintf(": %s; want %v", show(got), want)
		}
		return ""
	case deletions:
		return want.differ(got)
	case map[string]any:
		return differMap(want, got)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Sprintf(": %s; want %s", show(got), show(want))
		}
		for i := range want {
			if d := differ(want[i], list[i]); d != "" {
				return fmt.Sprintf("[%d]%s", i, d)
			}
		}
		return ""
	}
	switch got.(type) {
	case map[string]any, []any:
	default:
		if want == got {
			return ""
		}
	}
	return fmt.Sprintf(": %s; want %s", show(got), show(want))
}

func differMap(want map[string]any, got any) string {
	m, ok := got.(map[string]any)
	if !ok {
		return fmt.Sprintf(": %s; want %s", show(got), show(want))
	}
	for _, name := range namesIn(want, m) {
		w, wanted := want[name]
		g, present := m[name]
		check, isCheck := w.(Check)
		switch {
		case name == "*":
		case isCheck:
			if d := check(g, present); d != "" {
				return fmt.Sprintf(".%s: %s", name, strings.TrimPrefix(d, ": "))
			}
		case wanted && !present:
			return fmt.Sprintf(".%s is missing; want %s", name, show(w))
		case !wanted && want["*"] == nil:
			return fmt.Sprintf(".%s = %s should not be there", name, show(g))
		case wanted:
			if d := differ(w, g); d != "" {
				return "." + name + d
			}
		}
	}
	return ""
}

func namesIn(maps ...map[string]any) []string {
	var names []string
	for _, m := range maps {
		for name := range m {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return slices.Compact(names) // each once: what is deep would take for ever
}

// show prints a value, with "?" for what is only checked.
func show(v any) string {
	text, err := json.Marshal(printable(v))
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(text) > 2000 {
		return string(text[:2000]) + "..."
	}
	return string(text)
}

func printable(v any) any {
	switch v := v.(type) {
	case Check:
		return "?"
	case map[string]any:
		m := map[string]any{}
		for name, e := range v {
			m[name] = printable(e)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = printable(e)
		}
		return list
	}
	return v
}

// String is the answer in one line.
func (r Response) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s %s %s", r.Status, r.Error, show(r.Body), strings.Join(r.Complaints, "; ")))
}

package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

type lintFinding struct {
	Kind, Severity, Collection, Group, Text string
	Count                                   int
	Samples                                 []string
}

// lint returns what is found, each in one line.
func (s *server) lint() (lines []string) {
	s.t.Helper()
	for _, f := range managed[struct{ Findings []lintFinding }](s, managePath("lint")).Findings {
		if f.Text == "" {
			s.t.Errorf("nothing is said of %+v", f)
		}
		lines = append(lines, fmt.Sprint(f.Kind, " ", f.Severity, " ", f.Collection, f.Group, " ", f.Count, " ", f.Samples))
	}
	slices.Sort(lines)
	return lines
}

// In an app where everything is as it is meant nothing is found; then each thing that
// is planted is, and nothing besides.
func TestLint(t *testing.T) {
	s := start(t)
	ann, ben := s.signUp("ann"), s.signUp("ben")
	group := func(id, body string) {
		t.Helper()
		if a := s.do("PUT", "/group/"+kid+"/"+id, asMaster, body); a.status >= 300 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	put := func(path, authorization, acl string) {
		t.Helper()
		if a := s.do("PUT", "/appdata/"+kid+"/"+path, authorization, `{"_acl":`+acl+`}`); a.status >= 300 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	group("sales", `{"users":{"list":[{"_id":"`+ann.id+`"}]}}`)
	group("emea", `{"users":{"list":[]},"groups":[{"_id":"sales"}]}`)
	for i, level := range []string{"append-read", "append-only", "read-only"} {
		name := fmt.Sprint("c", i)
		put(name+"/mine", ann.session(), `{}`)
		put(name+"/shared", ben.session(), `{"gr":true,"r":["`+ann.id+`"],"w":["`+ann.id+`",""],"groups":{"r":["sales"],"w":["emea","sales"]}}`)
		put(name+"/masters", asMaster, `{"gw":false}`)
		s.setLevel(name, level)
	}
	if got := s.lint(); len(got) != 0 {
		t.Errorf("in a clean app: %q", got)
	}
	var want []string
	check := func(what string, more ...string) {
		t.Helper()
		want = append(want, more...)
		slices.Sort(want)
		if got := s.lint(); !slices.Equal(got, want) {
			t.Fatalf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	s.want(s.do("POST", "/v4/environments/"+kid+"/collections", asMaster, `{"name":"empty","permissions":"write"}`), 201, "")
	check("a collection is Full, and empty", "full-collection warn empty 0 []")
	put("open/a", ann.session(), `{}`)
	put("open/b", ann.session(), `{"gw":true}`)
	s.setLevel("open", "write")
	check("a collection is Full", "full-collection warn open 2 []")
	put("c0/w", ann.session(), `{"gw":true}`)
	check("an entity is everybody's", "world-writable warn c0 1 [w]")
	group("all", `{"users":{"all":true}}`)
	check("a group of everybody", "group-of-everyone info all 0 []")
	put("c1/w", ann.session(), `{"groups":{"w":["all"]}}`)
	want = slices.DeleteFunc(want, func(l string) bool { return strings.HasPrefix(l, "group-of") })
	check("it is used", "group-of-everyone warn all 1 []", "world-writable warn c1 1 [w]")
	group("more", `{"users":{"list":[{"_id":"`+ann.id+`"}]},"groups":[{"_id":"all"}]}`)
	check("a group that holds it", "group-of-everyone info more 0 []")
	group("none", `{}`)
	check("a group of nobody", "empty-group info none 0 []")
	group("ghosts", `{"users":{"list":[{"_id":"gone"},{"_id":"gone"}]},"groups":[{"_id":"nowhere"},{"_id":"sales"}]}`)
	check("a group of who is not there", "dangling-user info ghosts 1 [gone]", "dangling-group warn ghosts 1 [nowhere]")
	put("c2/u", asMaster, `{"r":["gone"]}`)
	put("c2/v", asMaster, `{"w":["`+ben.id+`","gone"]}`)
	check("users who are gone", "dangling-user info c2 2 [u v]")
	put("c2/g", asMaster, `{"groups":{"r":["nowhere"]}}`)
	put("c1/g", asMaster, `{"groups":{"w":["nowhere"]}}`)
	check("groups that are not there", "dangling-group warn c2 1 [g]", "dangling-group warn c1 1 [g]")
	put("c0/o", asMaster, `{"creator":"gone"}`)
	check("an owner who is gone", "dangling-user info c0 1 [o]")
	for i := range 25 {
		put(fmt.Sprintf("c3/m%02d", i), asMaster, `{"gw":true}`)
	}
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf("m%02d", i))
	}
	check("many", fmt.Sprint("world-writable warn c3 25 ", many))
	if a := s.do("GET", managePath("lint"), asMaster, ""); !strings.Contains(string(a.body), "through all") {
		t.Errorf("it is not said through which group: %s", a.body)
	}
}

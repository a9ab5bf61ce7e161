package acl_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"postern/acl"
)

// What a change makes of an ACL, and that its text says the same.
func TestChangeApply(t *testing.T) {
	on, off, unset := acl.On, acl.Off, acl.Unset
	for _, c := range []struct {
		text   string
		change acl.Change
		want   string
	}{
		{`{"creator":"c"}`, acl.Change{}, `{"creator":"c"}`},
		{`{"creator":"c"}`, acl.Change{Creator: "d"}, `{"creator":"d"}`},
		{`{"creator":"c"}`, acl.Change{OpenRead: &on}, `{"creator":"c","gr":true}`},
		{`{"creator":"c","gr":true,"gw":"true"}`, acl.Change{OpenRead: &off, OpenWrite: &unset}, `{"creator":"c","gr":false}`},
		{`{"x":1,"creator":"c","gw":"true"}`, acl.Change{OpenWrite: &on}, `{"x":1,"creator":"c","gw":"true"}`},
		{`{"creator":"c","r":["a","b"],"x":[1]}`, acl.Change{Read: acl.Names{Add: []string{"b", "d"}, Remove: []string{"a"}}}, `{"creator":"c","r":["b","d"],"x":[1]}`},
		{`{"creator":"c","r":["a"]}`, acl.Change{Read: acl.Names{Remove: []string{"a", "z"}}}, `{"creator":"c"}`},
		{`{"creator":"c","w":null}`, acl.Change{Write: acl.Names{Add: []string{"a"}}}, `{"creator":"c","w":["a"]}`},
		{`{"creator":"c","w":["a"]}`, acl.Change{Write: acl.Names{Add: []string{"a"}}}, `{"creator":"c","w":["a"]}`},
		{`{"creator":"c","groups":{"x":2,"r":["g"]}}`, acl.Change{GroupRead: acl.Names{Remove: []string{"g"}}, GroupWrite: acl.Names{Add: []string{"h"}}}, `{"creator":"c","groups":{"x":2,"w":["h"]}}`},
		{`{"creator":"c","groups":{"r":["g"]}}`, acl.Change{GroupRead: acl.Names{Remove: []string{"g"}}}, `{"creator":"c"}`},
		{`{"creator":"c"}`, acl.Change{GroupRead: acl.Names{Add: []string{"g\"h"}}}, `{"creator":"c","groups":{"r":["g\"h"]}}`},
	} {
		a, err := acl.Parse([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		_, text, err := c.change.Apply(a, []byte(c.text))
		if err != nil || string(text) != c.want {
			t.Errorf("%+v of %s: %s, %v; want %s", c.change, c.text, text, err, c.want)
		}
	}
	many := make([]string, acl.MaxPrincipals)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	if _, _, err := (&acl.Change{Read: acl.Names{Add: many}}).Apply(&acl.ACL{Writers: []string{"x"}}, []byte(`{"w":["x"]}`)); err == nil {
		t.Error("more names than an ACL may have are taken")
	}
}

// For random ACLs and changes: the text says what the ACL says, a second time
// changes nothing, the first ACL stays as it is, and the lists are as sets are.
func TestChangeApplyAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	names := []string{"a", "b", "c", "d", "e"}
	some := func() (list []string) {
		for _, n := range names {
			if r.IntN(3) == 0 {
				list = append(list, n)
			}
		}
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	quoted := func(list []string) string {
		var b []string
		for _, n := range list {
			b = append(b, `"`+n+`"`)
		}
		return "[" + strings.Join(b, ",") + "]"
	}
	changed := 0
	for range 5000 {
		text := `{"creator":"a"`
		for _, name := range []string{"gr", "gw"} {
			if n := r.IntN(3); n > 0 {
				text += fmt.Sprintf(`,%q:%t`, name, n == 1)
			}
		}
		text += `,"note":{"r":["q"]},"r":` + quoted(some()) + `,"groups":{"r":` + quoted(some()) + `,"w":` + quoted(some()) + `},"w":` + quoted(some()) + `}`
		before, err := acl.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		kept := fmt.Sprint(*before)
		set := func() *acl.Switch {
			if n := r.IntN(4); n < 3 {
				s := acl.Switch(n)
				return &s
			}
			return nil
		}
		edit := func() acl.Names {
			n := acl.Names{Add: some()}
			n.Remove = slices.DeleteFunc(some(), func(id string) bool { return slices.Contains(n.Add, id) })
			return n
		}
		c := acl.Change{OpenRead: set(), OpenWrite: set(), Read: edit(), Write: edit(), GroupRead: edit(), GroupWrite: edit(), Creator: []string{"", "b"}[r.IntN(2)]}
		after, now, err := c.Apply(before, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if read, err := acl.Parse(now); err != nil || !read.Equal(after) || !strings.Contains(string(now), `"note":{"r":["q"]}`) {
			t.Fatalf("%+v of %s: the text %s is not what %+v says (%v)", c, text, now, after, err)
		}
		if again, twice, err := c.Apply(after, now); err != nil || !again.Equal(after) || string(twice) != string(now) {
			t.Fatalf("%+v of %s: a second time it is %s", c, now, twice)
		}
		if kept != fmt.Sprint(*before) {
			t.Fatalf("%s was %s", fmt.Sprint(*before), kept)
		}
		for _, l := range []struct {
			old, new []string
			n        acl.Names
		}{{before.Readers, after.Readers, c.Read}, {before.Writers, after.Writers, c.Write}, {before.ReaderGroups, after.ReaderGroups, c.GroupRead}, {before.WriterGroups, after.WriterGroups, c.GroupWrite}} {
			for _, id := range names {
				want := slices.Contains(l.n.Add, id) || slices.Contains(l.old, id) && !slices.Contains(l.n.Remove, id)
				if slices.Contains(l.new, id) != want {
					t.Fatalf("%v, with %+v: %v", l.old, l.n, l.new)
				}
			}
		}
		if !after.Equal(before) {
			changed++
		}
	}
	if changed < 2000 {
		t.Errorf("%d of 5,000 changed anything", changed)
	}
}

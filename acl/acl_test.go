package acl

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestEqual(t *testing.T) {
	a := &ACL{"c", On, Off, []string{"a", "b"}, []string{"w"}, []string{"g", "h"}, []string{"i"}}
	for _, c := range []struct {
		says string
		a, b *ACL
		want bool
	}{
		{"the same", a, a, true},
		{"nil and nil", nil, nil, true},
		{"nil and empty", nil, &ACL{}, false},
		{"order and repetitions", a, &ACL{"c", On, Off, []string{"b", "a", "b"}, []string{"w", "w"}, []string{"h", "g"}, []string{"i"}}, true},
		{"an empty and no list", &ACL{Readers: []string{}}, &ACL{}, true},
		{"another creator", by("a"), by("b"), false},
		{"another gr", by("a"), by("a", gr(Off)), false},
		{"another gw", by("a", gw(On)), by("a", gw(Off)), false},
		{"another reader", by("a", readers("x")), by("a", readers("y")), false},
		{"a writer for a reader", by("a", readers("x")), by("a", writers("x")), false},
		{"a group for a user", by("a", readers("x")), by("a", rGroups("x")), false},
		{"a writer group for a reader group", by("a", wGroups("x")), by("a", rGroups("x")), false},
		{"one more", by("a", wGroups("x")), by("a", wGroups("x", "y")), false},
	} {
		if got := c.a.Equal(c.b); got != c.want {
			t.Errorf("%s: Equal = %v; want %v", c.says, got, c.want)
		}
		if got := c.b.Equal(c.a); got != c.want {
			t.Errorf("%s, the other way: Equal = %v; want %v", c.says, got, c.want)
		}
	}
	if !by("a", gr(On)).SameGrants(by("b", gr(On))) {
		t.Error("SameGrants with another creator = false; want true")
	}
}

func TestGroupsOfAnACL(t *testing.T) {
	a := by("x", readers("u"), rGroups("a", "b", "a", ""), wGroups("b", "c"))
	if got := slices.Collect(a.Groups()); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("Groups = %q; want a, b, c", got)
	}
	for range a.Groups() {
		break // a yield that says stop must stop it
	}
	if got := slices.Collect((*ACL)(nil).Groups()); got != nil {
		t.Errorf("Groups of nil = %q; want none", got)
	}
}

var scratch Scratch // used for one ACL after the other

func checkBinary(t *testing.T, a *ACL) {
	t.Helper()
	if got, err := scratch.Decode(a.AppendBinary(nil)); err != nil || !got.Equal(a) {
		t.Errorf("Scratch.Decode(AppendBinary(%+v)) = %+v, %v", a, got, err)
	}
	text := a.AppendBinary([]byte("before"))
	got, rest, err := DecodeBinary(append(text[len("before"):], "after"...))
	if err != nil || !got.Equal(a) || string(rest) != "after" || !strings.HasPrefix(string(text), "before") {
		t.Errorf("DecodeBinary(AppendBinary(%+v)) = %+v, %q, %v", a, got, rest, err)
	}
}

func TestBinary(t *testing.T) {
	checkBinary(t, nil)
	for _, c := range aclTexts {
		if c.want != nil {
			checkBinary(t, c.want)
		}
	}
	for _, a := range []*ACL{
		by(strings.Repeat("é", 300), readers("", "a", ""), wGroups("\x00", "\xff")),
		{"c", Off, Off, []string{"r"}, []string{"w"}, []string{"gr"}, []string{"gw"}},
	} {
		checkBinary(t, a)
		if got, _, err := DecodeBinary(a.AppendBinary(nil)); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("DecodeBinary = %+v, %v; want exactly %+v", got, err, a)
		}
	}
}

func TestBinaryRefusesOtherBytes(t *testing.T) {
	good := by("creator", readers("a", "b"), rGroups("g"), gr(On)).AppendBinary(nil)
	for i := range good {
		if a, _, err := DecodeBinary(good[:i]); err == nil {
			t.Errorf("cut at %d: DecodeBinary = %+v; want an error", i, a)
		}
		if a, err := scratch.Decode(good[:i]); err == nil {
			t.Errorf("cut at %d: Scratch.Decode = %+v; want an error", i, a)
		}
	}
	many := append([]byte{binaryVersion, 0}, binary.AppendUvarint(nil, MaxPrincipals+1)...)
	many = append(many, make([]byte, 2*MaxPrincipals)...)
	for says, b := range map[string][]byte{
		"another version":     append([]byte{binaryVersion * 2}, good[1:]...),
		"gr of a fourth kind": append([]byte{binaryVersion + 3}, good[1:]...),
		"gw of a fourth kind": append([]byte{binaryVersion + 12}, good[1:]...),
		"a long form of 0":    {binaryVersion, 0x80, 0, 0, 0, 0, 0},
		"a huge length":       append([]byte{binaryVersion}, bytes.Repeat([]byte{0xff}, 9)...),
		"a huge list":         {binaryVersion, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0},
		"too many names":      many,
	} {
		if a, _, err := DecodeBinary(b); err == nil {
			t.Errorf("%s: DecodeBinary = %+v; want an error", says, a)
		}
		if a, err := scratch.Decode(b); err == nil {
			t.Errorf("%s: Scratch.Decode = %+v; want an error", says, a)
		}
	}
}

// Looking at ACLs where they lie costs nothing, and nothing of one is left in
// the next.
func TestScratch(t *testing.T) {
	large := by("creator", readers("a", "b"), rGroups("g")).AppendBinary(nil)
	small := by("other").AppendBinary(nil)
	allocs := testing.AllocsPerRun(100, func() {
		a, err := scratch.Decode(large)
		if err != nil || len(a.Readers) != 2 || len(a.ReaderGroups) != 1 {
			t.Fatalf("%+v, %v", a, err)
		}
		if a, err = scratch.Decode(small); err != nil || a.Creator != "other" || len(a.Readers)+len(a.ReaderGroups) != 0 {
			t.Fatalf("%+v, %v", a, err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	scratch.Forget()
	if scratch.acl.Creator != "" || slices.ContainsFunc(scratch.names[:cap(scratch.names)], func(name string) bool { return name == "a" || name == "g" }) {
		t.Errorf("%+v is not forgotten", scratch)
	}
}

func FuzzDecodeBinary(f *testing.F) {
	f.Add([]byte{0})
	for _, c := range aclTexts {
		if c.want != nil && len(c.text) < 1000 {
			f.Add(append(c.want.AppendBinary(nil), "after"...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, rest, err := DecodeBinary(b)
		there, errThere := scratch.Decode(b)
		if same := err == nil && len(rest) == 0; same != (errThere == nil) || same && !there.Equal(a) {
			t.Errorf("%x: DecodeBinary %+v, %v; Scratch.Decode %+v, %v", b, a, err, there, errThere)
		}
		if err != nil {
			if a != nil || rest != nil {
				t.Fatalf("both %+v and the error %v", a, err)
			}
			return
		}
		// One ACL, one form: writing it again gives the bytes that were read.
		if again := append(a.AppendBinary(nil), rest...); !bytes.Equal(again, b) {
			t.Errorf("%x was read as %+v, which is written as %x", b, a, again)
		}
	})
}

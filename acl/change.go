package acl

import (
	"slices"

	"postern/engine/document"
)

// A Change is what is to become different in an ACL. Its zero value changes nothing.
type Change struct {
	Creator               string  // "": stays
	OpenRead              *Switch // gr; nil: stays
	OpenWrite             *Switch // gw
	Read, Write           Names   // users
	GroupRead, GroupWrite Names   // groups
}

// Names are names that a list is to have, and names that it is not to have.
type Names struct{ Add, Remove []string }

// apply returns list without the names to be removed and with those to be added, in
// a list of its own.
func (n Names) apply(list []string) []string {
	now := slices.DeleteFunc(slices.Clone(list), oneOf(n.Remove))
	there := oneOf(now)
	for _, id := range sortedSet(n.Add) {
		if !there(id) {
			now = append(now, id)
		}
	}
	return now
}

// mapFrom is up to how many names a look through them costs less than a map.
const mapFrom = 16

func oneOf(list []string) func(string) bool {
	if len(list) <= mapFrom {
		return func(id string) bool { return slices.Contains(list, id) }
	}
	set := make(map[string]bool, len(list))
	for _, id := range list {
		set[id] = true
	}
	return func(id string) bool { return set[id] }
}

// Apply returns a as it is to be, and its text, made of the one that a has: members
// that mean nothing here stay. a, which must not be nil, and text are left as they
// are. More than MaxPrincipals names are a *ParseError.
func (c *Change) Apply(a *ACL, text []byte) (*ACL, []byte, error) {
	b := *a
	if c.Creator != "" {
		b.Creator = c.Creator
	}
	if c.OpenRead != nil {
		b.GR = *c.OpenRead
	}
	if c.OpenWrite != nil {
		b.GW = *c.OpenWrite
	}
	b.Readers, b.Writers = c.Read.apply(a.Readers), c.Write.apply(a.Writers)
	b.ReaderGroups, b.WriterGroups = c.GroupRead.apply(a.ReaderGroups), c.GroupWrite.apply(a.WriterGroups)
	if len(b.Readers)+len(b.Writers)+len(b.ReaderGroups)+len(b.WriterGroups) > MaxPrincipals {
		return nil, nil, &ParseError{TooMany: true}
	}
	if b.SameGrants(a) {
		return &b, AppendText(nil, text, b.Creator), nil
	}
	old := document.Trusted(text)
	groups := rewrite(old.Get("groups"), []member{
		{"r", !slices.Equal(a.ReaderGroups, b.ReaderGroups), namesText(b.ReaderGroups)},
		{"w", !slices.Equal(a.WriterGroups, b.WriterGroups), namesText(b.WriterGroups)},
	})
	if len(groups) == len("{}") {
		groups = nil
	}
	now := rewrite(old, []member{
		{"gr", a.GR != b.GR, switchText(b.GR)},
		{"gw", a.GW != b.GW, switchText(b.GW)},
		{"r", !slices.Equal(a.Readers, b.Readers), namesText(b.Readers)},
		{"w", !slices.Equal(a.Writers, b.Writers), namesText(b.Writers)},
		{"groups", !slices.Equal(a.ReaderGroups, b.ReaderGroups) || !slices.Equal(a.WriterGroups, b.WriterGroups), groups},
	})
	return &b, AppendText(nil, now, b.Creator), nil
}

// A member is one of an object that is to be written anew.
type member struct {
	name    string
	changed bool
	text    []byte // nil: it is to be gone
}

// rewrite returns the text of an object with the members that have changed as they
// are to be, in their places, and those that it had not at its end.
func rewrite(v document.Value, list []member) []byte {
	dst := []byte{'{'}
	add := func(key, value []byte) {
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, key...), ':'), value...)
	}
	if v.Kind() == document.Object {
		for key, value := range v.Members() {
			i := slices.IndexFunc(list, func(m member) bool { return key.TextIs(m.name) })
			switch {
			case i < 0 || !list[i].changed:
				add(key.Raw(), value.Raw())
			case list[i].text != nil:
				add(key.Raw(), list[i].text)
				list[i].changed = false // and is in its place
			default:
				list[i].changed = false
			}
		}
	}
	for _, m := range list {
		if m.changed && m.text != nil {
			add(document.AppendQuote(nil, m.name), m.text)
		}
	}
	return append(dst, '}')
}

func namesText(list []string) []byte {
	if len(list) == 0 {
		return nil
	}
	dst := []byte{'['}
	for i, id := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = document.AppendQuote(dst, id)
	}
	return append(dst, ']')
}

func switchText(s Switch) []byte {
	switch s {
	case On:
		return []byte("true")
	case Off:
		return []byte("false")
	}
	return nil
}

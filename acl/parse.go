package acl

import "postern/engine/document"

// A ParseError says why the text of an _acl or of a group is refused.
type ParseError struct {
	Member  string // the member that is wrong, such as "groups.r"; empty for the whole text
	TooMany bool   // more than MaxPrincipals names
}

// Error describes the mistake in one line, and repeats nothing of the text but
// the name of a known member.
func (e *ParseError) Error() string {
	what := e.Member
	if what == "" {
		what = "the whole text"
	}
	if e.TooMany {
		return "acl: " + what + ": too many names"
	}
	return "acl: " + what + ": not of the right form"
}

// Parse reads the text of an _acl member. It returns nil when the text is empty
// or null, for then there is none. Members that are not known, by their exact
// spelling, are passed over and grant nothing. A known member that is of a
// wrong type or comes twice, and more than MaxPrincipals names, are a
// *ParseError. Nothing borrows raw.
func Parse(raw []byte) (*ACL, error) {
	v, err := read(raw)
	if err != nil || absent(v) {
		return nil, err
	}
	a, room := new(ACL), MaxPrincipals
	err = readObject("", v, []field{
		{"creator", func(v document.Value) error { return readText("creator", v, &a.Creator) }},
		{"gr", func(v document.Value) error { return readSwitch("gr", v, &a.GR) }},
		{"gw", func(v document.Value) error { return readSwitch("gw", v, &a.GW) }},
		{"r", func(v document.Value) error { return readNames("r", v, &a.Readers, &room) }},
		{"w", func(v document.Value) error { return readNames("w", v, &a.Writers, &room) }},
		{"groups", func(v document.Value) error {
			return readObject("groups", v, []field{
				{"r", func(v document.Value) error { return readNames("groups.r", v, &a.ReaderGroups, &room) }},
				{"w", func(v document.Value) error { return readNames("groups.w", v, &a.WriterGroups, &room) }},
			})
		}},
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// ParseGroup reads the text of a group: who is in it, in every form that
// clients send. All users are users.all, users.isAll or all, with the strings
// "true" and "false" for booleans. A user in users.list and a group in groups
// is a reference to one or a plain id. What is missing or null is none; a wrong
// type, or a reference to another collection, is a *ParseError. Nothing
// borrows raw.
func ParseGroup(raw []byte) (*GroupDef, error) {
	v, err := read(raw)
	if err != nil || absent(v) {
		return nil, &ParseError{}
	}
	def := new(GroupDef)
	all := func(name string) func(document.Value) error {
		return func(v document.Value) error {
			var s Switch
			err := readSwitch(name, v, &s)
			def.All = def.All || s == On
			return err
		}
	}
	err = readObject("", v, []field{
		{"all", all("all")},
		{"users", func(v document.Value) error {
			return readObject("users", v, []field{
				{"all", all("users.all")},
				{"isAll", all("users.isAll")},
				{"list", func(v document.Value) error { return readRefs("users.list", "user", v, &def.Users) }},
			})
		}},
		{"groups", func(v document.Value) error { return readRefs("groups", "group", v, &def.Groups) }},
	})
	if err != nil {
		return nil, err
	}
	return def, nil
}

// A field is a member that means something, and how to read it.
type field struct {
	name string
	read func(document.Value) error
}

// read takes JSON text in; empty text is no value. Text that breaks the rules
// for stored documents, such as a name that comes twice, is refused.
func read(raw []byte) (document.Value, error) {
	if v := document.Trusted(raw); v.Kind() == document.Missing {
		return v, nil
	}
	v, err := document.Parse(raw, document.Body)
	if err != nil {
		return v, &ParseError{}
	}
	return v, nil
}

// absent tells whether v is no value.
func absent(v document.Value) bool {
	return v.Kind() == document.Missing || v.Kind() == document.Null
}

// readObject reads the object v, called name in errors. Null is an object
// without members.
func readObject(name string, v document.Value, fields []field) error {
	if absent(v) {
		return nil
	}
	if v.Kind() != document.Object {
		return &ParseError{Member: name}
	}
	for key, member := range v.Members() {
		for _, f := range fields {
			if !key.TextIs(f.name) { // exactly: "Creator" is another member
				continue
			}
			if err := f.read(member); err != nil {
				return err
			}
		}
	}
	return nil
}

// readText reads a string; null is the empty one.
func readText(name string, v document.Value, dst *string) error {
	switch {
	case absent(v):
		return nil
	case v.Kind() != document.String:
		return &ParseError{Member: name}
	}
	*dst = v.Text()
	return nil
}

// readSwitch reads a boolean, which may be in quotes; null is Unset.
func readSwitch(name string, v document.Value, dst *Switch) error {
	switch {
	case absent(v):
	case v.Kind() == document.Bool && v.Bool(), v.Kind() == document.String && v.TextIs("true"):
		*dst = On
	case v.Kind() == document.Bool, v.Kind() == document.String && v.TextIs("false"):
		*dst = Off
	default:
		return &ParseError{Member: name}
	}
	return nil
}

// readNames reads an array of strings and takes its length from room.
func readNames(name string, v document.Value, dst *[]string, room *int) error {
	if absent(v) {
		return nil
	}
	if v.Kind() != document.Array {
		return &ParseError{Member: name}
	}
	for e := range v.Elements() {
		if *room--; *room < 0 {
			return &ParseError{Member: name, TooMany: true}
		}
		if e.Kind() != document.String {
			return &ParseError{Member: name}
		}
		*dst = append(*dst, e.Text())
	}
	return nil
}

// readRefs reads an array of ids or references to the collection.
func readRefs(name, collection string, v document.Value, dst *[]string) error {
	if absent(v) {
		return nil
	}
	wrong := &ParseError{Member: name}
	if v.Kind() != document.Array {
		return wrong
	}
	for e := range v.Elements() {
		if e.Kind() == document.String {
			*dst = append(*dst, e.Text())
			continue
		}
		id, in := e.Get("_id"), e.Get("_collection")
		if id.Kind() != document.String || id.TextIs("") || !absent(in) && !in.TextIs(collection) {
			return wrong
		}
		*dst = append(*dst, id.Text())
	}
	return nil
}

// AppendText appends to dst the text of an _acl as it is stored and served: the
// members of raw, the text that was sent, in their order and with those that
// mean nothing here, but with creator as the creator (R8). Where raw has none
// it comes first. A raw that is empty or no object has no members. An empty
// creator is left out. raw must have passed Parse and must not overlap dst.
func AppendText(dst, raw []byte, creator string) []byte {
	sent := document.Trusted(raw)
	if sent.Kind() != document.Object {
		sent = document.Value{}
	}
	dst = append(dst, '{')
	empty := len(dst)
	if creator != "" && sent.Get("creator").Kind() == document.Missing {
		dst = appendCreator(dst, creator)
	}
	members := sent.Walk()
	for key, value, ok := members.Member(); ok; key, value, ok = members.Member() {
		owner := key.TextIs("creator")
		if owner && creator == "" {
			continue
		}
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		if owner {
			dst = appendCreator(dst, creator)
		} else {
			dst = append(append(append(dst, key.Raw()...), ':'), value.Raw()...)
		}
	}
	return append(dst, '}')
}

func appendCreator(dst []byte, creator string) []byte {
	return document.AppendQuote(append(dst, `"creator":`...), creator)
}

package engine

import (
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
)

// exportConfig writes the file that makes another environment like this one, as
// far as the format goes: no users, no data, nobody in the groups.
func (e *Engine) exportConfig(r *Request) error {
	s := r.view
	settings := new(jsonObject).number("apiVersion", int64(s.config.APIVersion))
	if v := s.config.Options.Verification; v != (verification{}) {
		settings.raw("emailVerification", v.json())
	}
	roles, groups, collections := &jsonObject{b: []byte("{")}, &jsonObject{b: []byte("{")}, &jsonObject{b: []byte("{")}
	s.notesOf(noteRole, func(id string, text []byte) bool {
		v := document.Trusted(text)
		o := new(jsonObject).raw("name", string(v.Get("name").Raw()))
		if d := v.Get("description"); d.Kind() == document.String {
			o.raw("description", string(d.Raw()))
		}
		roles.member(s.roleName(id), o.close())
		return true
	})
	for _, g := range s.groupsByID() {
		o := &jsonObject{b: []byte("{")}
		for _, name := range []string{"name", "description"} {
			if v := documentOf(g).Get(name); v.Kind() == document.String {
				o.member(name, v.Raw())
			}
		}
		var nested [][]byte
		for _, child := range nestedGroups(g) {
			nested = append(nested, document.AppendQuote(nil, child))
		}
		if len(nested) > 0 {
			o.member("groups", jsonList(nested))
		}
		groups.member(g.id, o.close())
	}
	s.collections.Scan(func(name string, c *collection) bool {
		if c.number != groupCollection {
			collections.member(name, new(jsonObject).text("type", "internal").raw("permissions", string(s.permissionsByName(c))).orders(c.orders).close())
		}
		return true
	})
	return r.json(fasthttp.StatusOK, new(jsonObject).text("schemaVersion", "1.0.0").text("configType", "environment").
		raw("settings", string(settings.close())).raw("roles", string(roles.close())).
		raw("groups", string(groups.close())).raw("collections", string(collections.close())).close())
}

// member adds to an object that was begun with its brace.
func (o *jsonObject) member(key string, text []byte) {
	if len(o.b) > 1 {
		o.b = append(o.b, ',')
	}
	o.b = document.AppendQuote(o.b, key)
	o.b = append(append(o.b, ':'), text...)
}

// roleName is what a file calls a role: its name, or its id when others have
// the name too.
func (s *appState) roleName(id string) string {
	text, ok := s.notes.Get(noteRole + id)
	if !ok {
		return id
	}
	name := document.Trusted(text).Get("name").Text()
	if _, err := s.roleCalled(name); err != nil {
		return id
	}
	return name
}

// cliLevel is what the file calls a level.
var cliLevel = map[acl.Level]string{acl.Shared: "shared", acl.Private: "private", acl.ReadOnly: "read-only", acl.Full: "full"}

// permissionsByName returns the permissions in the form of the file.
func (s *appState) permissionsByName(c *collection) []byte {
	v := document.Trusted(s.permissions(c))
	if v.Kind() != document.Object {
		return document.AppendQuote(nil, cliLevel[c.level])
	}
	rows := map[string]*jsonObject{}
	var order []string
	for _, act := range permissionActs {
		for row := range v.Get(act).Elements() {
			role := row.Get("roleId").Text()
			if rows[role] == nil {
				rows[role] = new(jsonObject)
				order = append(order, role)
			}
			rows[role].raw(act, string(row.Get("type").Raw()))
		}
	}
	o := &jsonObject{b: []byte("{")}
	for _, role := range order {
		o.member(s.roleName(role), rows[role].close())
	}
	return o.close()
}

// groupsByID returns the groups in the order of their ids.
func (s *appState) groupsByID() []*entity {
	var all []*entity
	s.collection("group").rows.scan(func(g *entity) bool {
		all = append(all, g)
		return true
	})
	slices.SortFunc(all, func(a, b *entity) int { return strings.Compare(a.id, b.id) })
	return all
}

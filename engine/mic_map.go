package engine

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/store"
)

// mapped returns the rows by which a user becomes what his provider says of him:
// fields of his record and memberships of groups. first says that he is new. The
// rows are of the same commit as the session or the tokens that they come with.
func (d *draft) mapped(a *app, user string, service *authService, g *micGrant, first bool) ([]store.Op, error) {
	if g.Local {
		return nil, nil // he is what he is
	}
	t := d.trial(a)
	if !first { // the record of a new one is made with its fields
		if err := t.mappedFields(a, user, service, g); err != nil {
			return nil, err
		}
	}
	err := t.mappedGroups(a, user, service, g, first)
	return t.ops, err
}

// fields returns the members of a user's record that a provider sets, as JSON
// text by their names.
func (m *micMapping) fields(attributes map[string][]string) map[string][]byte {
	set := map[string][]byte{}
	for field, attribute := range m.Fields {
		values := attributes[attribute]
		switch {
		case len(values) == 0:
		case len(values) == 1 || field == "email":
			set[field] = document.AppendQuote(nil, values[0])
		default:
			var items [][]byte
			for _, v := range values {
				items = append(items, document.AppendQuote(nil, v))
			}
			set[field] = jsonList(items)
		}
	}
	return set
}

// mappedFields rewrites the record of a user if the provider says something new.
// d is a trial.
func (d *draft) mappedFields(a *app, user string, service *authService, g *micGrant) error {
	set := service.Mapping.fields(g.Attributes)
	s := d.state(a)
	old, ok := s.user(user)
	if !ok || len(set) == 0 {
		return nil
	}
	stored, changed := documentOf(old), false
	for field, text := range set {
		changed = changed || !document.Equal(stored.Get(field), document.Trusted(text))
	}
	if !changed {
		return nil
	}
	var b entityBody
	for key, v := range stored.Members() {
		if key.TextIs("_id") || key.TextIs("_acl") || key.TextIs("_kmd") {
			continue
		}
		if _, is := set[key.Text()]; !is {
			b.appendMember(key, v)
		}
	}
	b.appendFields(set)
	e := newEntity(user, b.withID(user), old.pos, old.acl, old.aclText(), old.ect, max(d.now, old.lmt+1))
	if len(e.row) > maxRow {
		return fault(errTooLarge, "a user with his _acl has at most %d bytes", maxRow)
	}
	return d.bring([]store.Op{{
		Key:   store.Key{App: a.number, Table: tableEntity, Collection: userCollection, ID: user},
		Value: e.row, Before: old.grants(),
	}})
}

// appendFields appends members in the order of their names.
func (b *entityBody) appendFields(set map[string][]byte) {
	for _, field := range slices.Sorted(maps.Keys(set)) {
		b.members = append(b.members, ',')
		b.members = document.AppendQuote(b.members, field)
		b.members = append(append(b.members, ':'), set[field]...)
	}
}

// setFields is appendFields where there may be others of these names, which go.
func (b *entityBody) setFields(set map[string][]byte) {
	if len(set) == 0 {
		return
	}
	var kept entityBody
	for key, v := range document.Trusted(append(append([]byte("{"), bytes.TrimPrefix(b.members, []byte(","))...), '}')).Members() {
		if _, is := set[key.Text()]; !is {
			kept.appendMember(key, v)
		}
	}
	kept.appendFields(set)
	b.members = kept.members
}

// mappedGroups puts a user into the groups that stand for those he is in at his
// provider, and takes him out of the others, as far as the service says. They are
// the master's own: a group of that name that somebody else has made, or that
// the master has given to somebody, is not touched.
// d is a trial.
func (d *draft) mappedGroups(a *app, user string, service *authService, g *micGrant, first bool) error {
	m := &service.Mapping
	if m.Groups == "" || m.Groups == groupsFirst && !first {
		return nil
	}
	should := map[string]bool{}
	for _, name := range g.Groups {
		if id := m.group(name); id != "" {
			should[id] = true
		}
	}
	if m.Groups == groupsSync {
		for id := range d.state(a).groups.Direct(user) {
			if !should[id] && strings.HasPrefix(id, m.Prefix) {
				should[id] = false
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(should)) {
		if err := d.setMember(a, id, user, should[id]); err != nil {
			return err
		}
	}
	return nil
}

// setMember puts a user into a group of the master's or takes him out of it.
func (d *draft) setMember(a *app, id, user string, in bool) error {
	def := new(acl.GroupDef)
	old, ok := d.state(a).collection("group").rows.get(id)
	if ok {
		was, err := acl.ParseGroup(old.body())
		if err != nil || !ownGroup(a, old) {
			return nil
		}
		*def = *was
	}
	switch is := slices.Contains(def.Users, user); {
	case is == in, in && def.All:
		return nil
	case in:
		def.Users = append(slices.Clone(def.Users), user)
	default:
		def.Users = slices.DeleteFunc(slices.Clone(def.Users), func(u string) bool { return u == user })
	}
	return d.bring(d.groupOps(a, old, id, def))
}

// ownGroup tells whether a group is the master's, and nobody else writes it.
func ownGroup(a *app, e *entity) bool {
	return e.acl.Creator == a.key && e.acl.SameGrants(&acl.ACL{Creator: a.key})
}

// groupOps are the rows by which a group of the master's gets members.
func (d *draft) groupOps(a *app, old *entity, id string, def *acl.GroupDef) []store.Op {
	c := d.state(a).collection("group")
	var b entityBody
	users := make([][]byte, 0, len(def.Users))
	for _, u := range def.Users {
		users = append(users, new(jsonObject).text("_id", u).close())
	}
	var nested [][]byte
	for _, g := range def.Groups {
		nested = append(nested, new(jsonObject).text("_id", g).close())
	}
	b.appendFields(map[string][]byte{
		"users":  new(jsonObject).flag("all", def.All).raw("list", string(jsonList(users))).close(),
		"groups": jsonList(nested),
	})
	grants := &acl.ACL{Creator: a.key}
	pos, ect, lmt := acl.Position(c.check.Next), d.now, d.now
	op := store.Op{Key: store.Key{App: a.number, Table: tableEntity, Collection: groupCollection, ID: id}}
	if old != nil {
		pos, ect, lmt = old.pos, old.ect, max(d.now, old.lmt+1)
		op.Before = old.grants()
		for key, v := range documentOf(old).Members() {
			if !key.TextIs("_id") && !key.TextIs("_acl") && !key.TextIs("_kmd") && !key.TextIs("users") && !key.TextIs("groups") {
				b.appendMember(key, v)
			}
		}
	}
	e := newEntity(id, b.withID(id), pos, grants, acl.AppendText(nil, nil, a.key), ect, lmt)
	op.Value = e.row
	return append([]store.Op{op}, d.regroupOps(a, old, e)...)
}

// reservedGroup tells whether an id is of the groups that a provider's are
// mapped onto.
func (s *systemState) reservedGroup(c *appConfig, id string) bool {
	for _, service := range s.servicesOf(c) {
		if p := service.Mapping.Prefix; service.Mapping.Groups != "" && len(id) >= len(p) && id[:len(p)] == p {
			return true
		}
	}
	return false
}

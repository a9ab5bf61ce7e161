package engine

import (
	"postern/acl"
	"postern/engine/document"
)

// The permissions of a collection come in two forms: the name of a level, and,
// from newer clients, for each act who may do it to which entities:
//
//	{"create":[{"roleId":"all-users","type":"always"}],"read":[...],"update":[...],"delete":[...]}
//
// There is one model here, the levels. The second form is taken when what it
// gives to all users is exactly a level, and is given back as it came. What it
// gives to other roles is kept and gives nothing, because roles give nothing.
// Everything else is refused: to store a permission and enforce another one
// would be a lie in either direction.

// allUsers is the role that every user has.
const allUsers = "all-users"

const maxPermissions = 16 << 10 // bytes, by role

// The acts of permissions by role, in the order of byRole's rows.
var permissionActs = [4]string{"create", "read", "update", "delete"}

// byRole is what each level says in the second form, to all users.
var byRole = map[[4]string]acl.Level{
	{"always", "always", "entity", "entity"}: acl.Shared,
	{"always", "entity", "entity", "entity"}: acl.Private,
	{"never", "always", "never", "never"}:    acl.ReadOnly,
	{"always", "always", "always", "always"}: acl.Full,
}

// permissionsIn reads the permissions member in either form; without one the
// level is otherwise. text is the second form as it came, nil for the first.
func permissionsIn(doc document.Value, otherwise acl.Level) (level acl.Level, text []byte, err error) {
	v := doc.Get("permissions")
	if v.Kind() != document.Object {
		level, err = levelIn(doc, otherwise)
		return level, nil, err
	}
	if len(v.Raw()) > maxPermissions {
		return 0, nil, fault(errTooLarge, "permissions have at most %d bytes", maxPermissions)
	}
	level, err = levelByRole(v)
	return level, append([]byte(nil), v.Raw()...), err
}

// levelByRole returns the level that permissions by role come to.
func levelByRole(v document.Value) (acl.Level, error) {
	all := [4]string{"never", "never", "never", "never"}
	for key, rows := range v.Members() {
		at := -1
		for i, act := range permissionActs {
			if key.TextIs(act) {
				at = i
			}
		}
		if at < 0 || rows.Kind() != document.Array {
			return 0, fault(errOutOfRange, "permissions by role have lists called create, read, update and delete")
		}
		seen := map[string]bool{}
		for row := range rows.Elements() {
			role, kind := row.Get("roleId"), row.Get("type")
			if role.Kind() != document.String || !permissionType(kind) {
				return 0, fault(errOutOfRange, "permissions.%s has a row that is not {roleId, type}, with type always, never, grant or entity", permissionActs[at])
			}
			if seen[role.Text()] {
				return 0, fault(errOutOfRange, "permissions.%s names the role %q twice", permissionActs[at], role.Text())
			}
			seen[role.Text()] = true
			if role.TextIs(allUsers) {
				all[at] = kind.Text()
			}
		}
	}
	level, ok := byRole[all]
	if !ok {
		return 0, fault(errOutOfRange, "what all-users get (create %s, read %s, update %s, delete %s) is none of the levels "+
			"append-read (always, always, entity, entity), append-only (always, entity, entity, entity), "+
			"read-only (never, always, never, never) and write (always for all); roles give nothing here",
			all[0], all[1], all[2], all[3])
	}
	return level, nil
}

func permissionType(v document.Value) bool {
	return v.TextIs("always") || v.TextIs("never") || v.TextIs("grant") || v.TextIs("entity")
}

// permissions returns the permissions of a collection as JSON: as they were
// sent by role, as long as that is the level in force, or the level's name.
func (s *appState) permissions(c *collection) []byte {
	if text, ok := s.notes.Get(notePermissions + c.name); ok {
		if level, err := levelByRole(document.Trusted(text)); err == nil && level == c.level {
			return text
		}
	}
	return document.AppendQuote(nil, c.level.WireName())
}

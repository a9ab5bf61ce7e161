package acl

// Amend tells whose grants are stored when s updates an entity whose ACL is
// stored: those that came with the request (useSent) or those already there.
// sent is nil when the request carried no _acl or null, and then the stored
// ones stay (R9). Otherwise only the creator and the master change anything
// (R7); for everybody else the stored ones stay and d says no, which a strict
// app turns into a refusal and others pass over. The creator is a question of
// its own: see Creator.
func Amend(s Subject, l Level, stored, sent *ACL) (useSent bool, d Decision) {
	if sent == nil {
		return false, allow("R9", "no _acl sent")
	}
	d = Decide(s, l, stored, ChangeACL)
	return d.Allowed, d
}

// Creator returns the creator to store (R8). When an entity is created, stored
// is nil: a user is the creator of what he creates; what the master creates
// belongs to whom the sent ACL says, or else to the app key. Afterwards the
// stored creator stays, except that the master may name another.
func Creator(s Subject, appKey string, stored, sent *ACL) string {
	switch {
	case s.Role == RoleMaster && sent != nil && sent.Creator != "":
		return sent.Creator
	case stored != nil:
		return stored.Creator
	case s.Role == RoleUser:
		return s.ID
	}
	return appKey
}

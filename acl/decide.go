package acl

import "strings"

// A Role is the kind of credentials that a request carried (R1). The zero Role
// is RoleNone, which may do nothing.
type Role uint8

// The roles, weakest first.
const (
	RoleNone   Role = iota // no credentials
	RoleApp                // app credentials: bootstrapping only (R3)
	RoleUser               // a user of the app
	RoleMaster             // the master secret: everything (R2)
)

// A Subject is who asks. ID is the user's _id and matters only for the role
// RoleUser; a user without an ID may do nothing. Member holds the groups that the
// user is in as of now; nil means none, and so does the membership of another
// user.
type Subject struct {
	Role   Role
	ID     string
	Member *Membership
}

// member returns the subject's own membership, or nil.
func (s Subject) member() *Membership {
	if s.Member == nil || s.Member.user != s.ID {
		return nil
	}
	return s.Member
}

// A Right is what a subject wants to do. The zero Right is invalid and never
// granted. Deleting an entity asks for Write (R10).
type Right uint8

// The rights. Create concerns a collection, the others one entity.
const (
	Read Right = iota + 1
	Write
	Create
	ChangeACL
)

// A Decision is the answer to whether a subject has a right, and why. The zero
// Decision is "no".
type Decision struct {
	Allowed bool
	Rule    string // the rule of doc.go that decided, such as "R7"
	Reason  string // what of it: "creator", "readers", "gr:false", "level Private", ...

	group  string // for a grant to a group: the one that is named,
	member *Membership
}

// Group returns, for a grant to a group, the ids from the group that is named
// down to the one that holds the user; nil for any other decision.
func (d Decision) Group() []string { return d.member.Path(d.group) }

// String returns the decision in one line, such as "deny R4 (level Private)".
func (d Decision) String() string {
	s := "deny"
	if d.Allowed {
		s = "allow"
	}
	if d.Rule != "" {
		s += " " + d.Rule
	}
	if d.Reason == "" {
		return s
	}
	if path := d.Group(); len(path) > 0 {
		return s + " (" + d.Reason + ": " + strings.Join(path, " > ") + ")"
	}
	return s + " (" + d.Reason + ")"
}

func allow(rule, reason string) Decision { return Decision{Allowed: true, Rule: rule, Reason: reason} }
func deny(rule, reason string) Decision  { return Decision{Rule: rule, Reason: reason} }

// Decide is the only authority on access: it tells whether s has the right r on
// an entity with the ACL a in a collection of level l. For Create there is no
// entity yet, and a is nil; for every other right a nil ACL is denied to
// users. Decide keeps nothing and does not allocate.
func Decide(s Subject, l Level, a *ACL, r Right) Decision { return decide(s, l, a, r, nil) }

// decide is Decide, and tells t what it looks at.
func decide(s Subject, l Level, a *ACL, r Right, t *trace) Decision {
	if r < Read || r > ChangeACL {
		return deny("", "no such right")
	}
	t.looks("R2", "master", "", nil)
	if s.Role == RoleMaster {
		return allow("R2", "master")
	}
	t.looks("R3", "app", "", nil)
	if s.Role == RoleApp {
		return deny("R3", "app credentials")
	}
	t.looks("R1", "user", s.ID, nil)
	if s.Role != RoleUser || s.ID == "" {
		return deny("R1", "no credentials")
	}
	if r == Create {
		t.looks("R4", "level", l.String(), nil)
		return Decision{Allowed: l.grants(Create), Rule: "R4", Reason: l.row().reason}
	}
	if a == nil {
		return deny("", "no entity")
	}
	return decideEntity(s, l, a, r, t)
}

// decideEntity holds the hierarchy of R5: the creator, then the named, then the
// switch of the entity, and only then the level.
func decideEntity(s Subject, l Level, a *ACL, r Right, t *trace) Decision {
	creator, users, groups := a.named(r)
	t.looks("R7", "creator", creator, nil)
	if creator == s.ID {
		return allow("R7", "creator")
	}
	if r == ChangeACL {
		return deny("R7", "not the creator")
	}
	t.looks("R6", lists[r].users, "", users)
	for _, id := range users {
		if id == s.ID {
			return allow("R6", reasons[r].users)
		}
	}
	t.looks("R6", lists[r].groups, "", groups)
	if m := s.member(); m != nil {
		for _, id := range groups {
			if m.Has(id) {
				return Decision{Allowed: true, Rule: "R6", Reason: reasons[r].groups, group: m.own(id), member: m}
			}
		}
	}
	everyone := a.everyone(r)
	t.looks("R5", lists[r].everyone, everyone.String(), nil)
	switch everyone {
	case On:
		return allow("R5", reasons[r].on)
	case Unset:
		t.looks("R4", "level", l.String(), nil)
		return Decision{Allowed: l.grants(r), Rule: "R4", Reason: l.row().reason}
	}
	return deny("R5", reasons[r].off)
}

// lists are the members of an _acl that grant a right.
var lists = [...]struct{ users, groups, everyone string }{
	Read:  {"r", "groups.r", "gr"},
	Write: {"w", "groups.w", "gw"},
}

// reasons are constants, so that a Decision costs no allocation.
var reasons = [...]struct{ users, groups, on, off string }{
	Read:  {"readers", "groups.r", "gr", "gr:false"},
	Write: {"writers", "groups.w", "gw", "gw:false"},
}

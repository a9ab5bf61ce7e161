package oracle

// Role says with what credentials somebody came. Anything that is not one of
// the three constants has no rights.
type Role string

// The three kinds of credentials of R1.
const (
	Master Role = "master"
	App    Role = "app"
	User   Role = "user"
)

// Who is somebody who asks. ID is a user id for User; for the other roles it
// names nobody, whatever it says.
type Who struct {
	Role Role
	ID   string
}

// Level is the permission level of a collection (R4).
type Level string

// The four levels of R4.
const (
	Shared   Level = "shared"
	Private  Level = "private"
	ReadOnly Level = "read-only"
	Full     Level = "full"
)

// Switch is one of the global switches gr and gw: On, Off, or "" when the ACL
// does not say and the level decides (R5).
type Switch string

// The two settings of a Switch that is there.
const (
	On  Switch = "on"
	Off Switch = "off"
)

// ACL is what the members of an _acl say.
type ACL struct {
	Creator          string
	GR, GW           Switch
	R, W             []string // user ids
	GroupsR, GroupsW []string // group ids
}

// Group is what a group record says about membership.
type Group struct {
	All    bool
	Users  []string // user ids
	Groups []string // ids of groups whose members are members of this one
}

// Groups are all groups of an app by their id.
type Groups map[string]Group

// Contains says whether the user is a member of the group now (R11). A group
// that does not exist has no members.
func (gs Groups) Contains(group, user string) bool {
	return gs.contains(group, user, map[string]bool{})
}

func (gs Groups) contains(group, user string, visited map[string]bool) bool {
	if visited[group] {
		return false
	}
	visited[group] = true
	g, exists := gs[group]
	if !exists {
		return false
	}
	if g.All || has(g.Users, user) {
		return true
	}
	for _, inner := range g.Groups {
		if gs.contains(inner, user, visited) {
			return true
		}
	}
	return false
}

// Right is something that may be asked for.
type Right string

// The rights. Delete is not among them: who may write may delete (R10).
const (
	Read      Right = "read"
	Write     Right = "write"
	Create    Right = "create"
	ChangeACL Right = "change-acl"
)

// May says whether who has the right, in a collection of this level, on an
// entity with this ACL. For Create there is no entity yet and a is not looked
// at.
func May(who Who, level Level, groups Groups, a *ACL, right Right) bool {
	switch right {
	case Read, Write, Create, ChangeACL:
	default:
		return false
	}
	if who.Role == Master {
		return true // R2
	}
	if who.Role != User || who.ID == "" {
		return false // R1, R3: strangers, and whoever has no name
	}
	if right == Create { // R4
		return level == Shared || level == Private || level == Full
	}
	if a.Creator == who.ID {
		return true // R7
	}
	if right == ChangeACL {
		return false // R7: the creator alone
	}

	// R6: the lists, whatever the switches and the level say.
	users, inGroups, everyone := a.R, a.GroupsR, a.GR
	if right == Write {
		users, inGroups, everyone = a.W, a.GroupsW, a.GW
	}
	if has(users, who.ID) {
		return true
	}
	for _, g := range inGroups {
		if groups.Contains(g, who.ID) {
			return true
		}
	}

	// R5: the entity beats the collection.
	if everyone == On {
		return true
	}
	if everyone == Off {
		return false
	}

	// R4.
	if right == Read {
		return level == Shared || level == ReadOnly || level == Full
	}
	return level == Full
}

// StoresSent says whether an update stores the grants that were sent rather
// than those already stored (R7, R9). Nil means that none were sent.
func StoresSent(who Who, stored, sent *ACL) bool {
	if sent == nil {
		return false
	}
	return May(who, Shared, nil, stored, ChangeACL)
}

func has(list []string, wanted string) bool {
	for _, s := range list {
		if s == wanted {
			return true
		}
	}
	return false
}

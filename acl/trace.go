package acl

import "slices"

// A Step is one thing that Decide has looked at on its way to a decision.
type Step struct {
	Rule string // of doc.go, such as "R6"
	// Check says at what: "master", "app" and "user" are the credentials; "creator";
	// "r", "w", "groups.r", "groups.w", "gr" and "gw" are members of the _acl; "level"
	// is the collection's.
	Check string
	Saw   string   // what was there: an id, unset, on or off, a Level's name; "" for a list
	List  []string // the ids of a list, borrowed from the ACL
}

// A trace takes down steps. A nil one does not.
type trace struct{ steps []Step }

// looks is small, so that Decide, which has no trace, pays nothing for it.
func (t *trace) looks(rule, check, saw string, list []string) {
	if t != nil {
		t.add(rule, check, saw, list)
	}
}

func (t *trace) add(rule, check, saw string, list []string) {
	t.steps = append(t.steps, Step{rule, check, saw, list})
}

// Explain is Decide, and tells what it has looked at, in that order: the last
// step is the one that decided. A question that makes no sense has no step that
// did.
func Explain(s Subject, l Level, a *ACL, r Right) (Decision, []Step) {
	var t trace
	d := decide(s, l, a, r, &t)
	return d, t.steps
}

// A Grant is a change that gives somebody a right that he has not.
type Grant struct {
	// Change is what changes: "r", "w", "groups.r", "groups.w" name ID in the _acl;
	// "join" puts the user into the group ID; "gr" and "gw" are switched to Switch;
	// "level" is the collection's, set to Level; "creator" hands the entity over to ID.
	Change string
	ID     string
	Switch Switch
	Level  Level
}

// maxGrants bounds what Grants says of groups, of each kind.
const maxGrants = 20

// Grants returns by which changes s would get the right r, those that concern the
// fewest first: each of them alone is enough, says Decide. There are none for who
// has it already, and for who is no user: to the app itself nothing can be granted
// (R3).
func Grants(s Subject, l Level, a *ACL, r Right) []Grant {
	if s.Role != RoleUser || s.ID == "" || Decide(s, l, a, r).Allowed {
		return nil
	}
	var enough []Grant
	try := func(g Grant) {
		if Decide(g.made(s, l, a, r)).Allowed {
			enough = append(enough, g)
		}
	}
	if a != nil && (r == Read || r == Write) {
		_, _, groups := a.named(r)
		try(Grant{Change: lists[r].users, ID: s.ID})
		for i, id := range sortedSet(groups) {
			if i < maxGrants && id != "" {
				try(Grant{Change: "join", ID: id})
			}
		}
		for i, id := range s.member().IDs() {
			if i < maxGrants {
				try(Grant{Change: lists[r].groups, ID: id})
			}
		}
		if a.everyone(r) == Off {
			try(Grant{Change: lists[r].everyone, Switch: Unset})
		}
		try(Grant{Change: lists[r].everyone, Switch: On})
	}
	for _, level := range []Level{Private, ReadOnly, Shared, Full} {
		try(Grant{Change: "level", Level: level})
	}
	if r == ChangeACL {
		try(Grant{Change: "creator", ID: s.ID})
	}
	return enough
}

// made is the question that Decide is asked once the change is made. What it was
// asked before stays as it is.
func (g Grant) made(s Subject, l Level, a *ACL, r Right) (Subject, Level, *ACL, Right) {
	switch g.Change {
	case "level":
		return s, g.Level, a, r
	case "join":
		ids := sortedSet(append([]string{g.ID}, s.member().IDs()...))
		s.Member = &Membership{user: s.ID, ids: ids, via: map[string]string{}}
		return s, l, a, r
	}
	if a == nil {
		return s, l, nil, r
	}
	b := *a
	with := func(list []string) []string { return append(slices.Clone(list), g.ID) }
	switch g.Change {
	case "r":
		b.Readers = with(a.Readers)
	case "w":
		b.Writers = with(a.Writers)
	case "groups.r":
		b.ReaderGroups = with(a.ReaderGroups)
	case "groups.w":
		b.WriterGroups = with(a.WriterGroups)
	case "gr":
		b.GR = g.Switch
	case "gw":
		b.GW = g.Switch
	case "creator":
		b.Creator = g.ID
	}
	return s, l, &b, r
}

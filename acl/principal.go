package acl

import (
	"slices"
	"strconv"
)

// A Kind keeps apart names that may be spelled alike: user x, group x and
// everyone are three principals.
type Kind uint8

// The kinds of principals.
const (
	KindUser Kind = iota
	KindGroup
	KindEveryone
)

// String returns user, group or everyone.
func (k Kind) String() string {
	switch k {
	case KindUser:
		return "user"
	case KindGroup:
		return "group"
	case KindEveryone:
		return "everyone"
	}
	return "unknown"
}

// A Principal is whom a grant names. The ID of KindEveryone is empty.
type Principal struct {
	Kind Kind
	ID   string
}

// String returns the kind and the quoted id, such as user "u1".
func (p Principal) String() string {
	if p.Kind == KindEveryone {
		return p.Kind.String()
	}
	return p.Kind.String() + " " + strconv.Quote(p.ID)
}

func (p Principal) less(q Principal) bool {
	if p.Kind != q.Kind {
		return p.Kind < q.Kind
	}
	return p.ID < q.ID
}

// Principals is what a Subject is to an index: the principals he answers to.
// It is immutable and may be cached for as long as the subject's membership is
// valid. The zero Principals see nothing.
type Principals struct {
	root  bool        // the master: sees all
	names []Principal // everyone first, if at all, himself, his groups
}

// PrincipalsOf returns what s is to an index. Roles other than RoleUser and
// RoleMaster are nothing, as they are to Decide.
func PrincipalsOf(s Subject) Principals {
	switch {
	case s.Role == RoleMaster:
		return Principals{root: true}
	case s.Role != RoleUser || s.ID == "":
		return Principals{}
	}
	groups := s.member().IDs()
	names := make([]Principal, 0, 2+len(groups))
	names = append(names, Principal{Kind: KindEveryone}, Principal{KindUser, s.ID})
	for _, id := range groups {
		names = append(names, Principal{KindGroup, id})
	}
	return Principals{names: names}
}

// Named is what one principal is to an index by himself: those of the entities that
// name him for reading, and no others, whatever they or the level say to everyone.
func Named(who Principal) Principals { return Principals{names: []Principal{who}} }

// readers returns whom a names for reading, as principals, sorted, each once,
// appended to dst[:0].
func (a *ACL) readers(dst []Principal) []Principal {
	dst = dst[:0]
	if a == nil {
		return dst
	}
	creator, users, groups := a.named(Read)
	dst = append(dst, Principal{KindUser, creator})
	for _, id := range users {
		dst = append(dst, Principal{KindUser, id})
	}
	for _, id := range groups {
		dst = append(dst, Principal{KindGroup, id})
	}
	return sortedPrincipals(dst)
}

func sortedPrincipals(list []Principal) []Principal {
	slices.SortFunc(list, func(a, b Principal) int {
		switch {
		case a == b:
			return 0
		case a.less(b):
			return -1
		}
		return 1
	})
	return slices.Compact(list)
}

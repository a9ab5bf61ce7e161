package acl

import (
	"iter"
	"slices"
)

// MaxPrincipals is the most names that the four lists of one ACL may hold
// together. A name that stands in two lists counts twice.
const MaxPrincipals = 10_000

// A Switch is the state of gr or gw (R5). The zero Switch follows the level.
type Switch uint8

// The three states of a switch.
const (
	Unset Switch = iota // absent: the collection's level decides
	On                  // every user may
	Off                 // no user may, unless creator or named
)

// String returns unset, on or off.
func (s Switch) String() string {
	switch s {
	case Unset:
		return "unset"
	case On:
		return "on"
	}
	return "off"
}

// An ACL is what one entity says about who may do what with it. It is a value
// to be read: whoever has handed an ACL to a Builder, a Recent or a view must
// not change it any more. Names are compared byte by byte; an empty name names
// nobody. The lists may be in any order.
type ACL struct {
	Creator      string
	GR, GW       Switch
	Readers      []string
	Writers      []string
	ReaderGroups []string
	WriterGroups []string
}

// A Position is the place of an entity in the order of creation in its
// collection. It stays when the entity changes and is never given to another.
type Position uint32

// everyone is the first of the two functions through which Decide and the
// indexes read an ACL: what it says about r to all users at once.
func (a *ACL) everyone(r Right) Switch {
	switch r {
	case Read:
		return a.GR
	case Write:
		return a.GW
	}
	return Off
}

// inOn and inOpen tell in which of the two sets for everyone an entity is.
// Levels are not in them, so that changing the level of a collection touches no
// entity, and no set is walked whose entities must not be shown.
func (a *ACL) inOn() bool   { return a != nil && a.everyone(Read) == On }
func (a *ACL) inOpen() bool { return a != nil && a.everyone(Read) != Off }

// named is the second of the two: whom the ACL names for r. The creator is
// among them for every right an entity can give (R7), the lists only for
// reading and for writing, each for itself (R10).
func (a *ACL) named(r Right) (creator string, users, groups []string) {
	switch r {
	case Read:
		return a.Creator, a.Readers, a.ReaderGroups
	case Write:
		return a.Creator, a.Writers, a.WriterGroups
	case ChangeACL:
		return a.Creator, nil, nil
	}
	return "", nil, nil
}

// Names returns whom the ACL names for a right: the creator, users and groups. The
// lists are borrowed.
func (a *ACL) Names(r Right) (creator string, users, groups []string) { return a.named(r) }

// Overrides tells whether the ACL says more than who the creator is, so that the
// level of the collection is not all there is to it.
func (a *ACL) Overrides() bool {
	return a != nil && (a.GR != Unset || a.GW != Unset ||
		len(a.Readers)+len(a.Writers)+len(a.ReaderGroups)+len(a.WriterGroups) > 0)
}

// Groups yields every group id that the ACL names, for reading or for writing,
// each once.
func (a *ACL) Groups() iter.Seq[string] {
	return func(yield func(string) bool) {
		if a == nil || len(a.ReaderGroups)+len(a.WriterGroups) == 0 {
			return
		}
		seen := make(map[string]struct{}, len(a.ReaderGroups)+len(a.WriterGroups))
		for _, list := range [2][]string{a.ReaderGroups, a.WriterGroups} {
			for _, id := range list {
				if _, again := seen[id]; again || id == "" {
					continue
				}
				seen[id] = struct{}{}
				if !yield(id) {
					return
				}
			}
		}
	}
}

// Equal tells whether a and b have the same creator and grant the same. The
// order of a list, repetitions in it, and whether an empty list is nil do not
// matter. A nil ACL equals only nil.
func (a *ACL) Equal(b *ACL) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || a.Creator == b.Creator && a.SameGrants(b)
}

// SameGrants tells whether a and b grant the same, creators aside. Both must
// be non-nil.
func (a *ACL) SameGrants(b *ACL) bool {
	return a.GR == b.GR && a.GW == b.GW &&
		sameSet(a.Readers, b.Readers) && sameSet(a.Writers, b.Writers) &&
		sameSet(a.ReaderGroups, b.ReaderGroups) && sameSet(a.WriterGroups, b.WriterGroups)
}

func sameSet(a, b []string) bool {
	if slices.Equal(a, b) { // Fast path: what was read back is in the order it was written in.
		return true
	}
	return slices.Equal(sortedSet(a), sortedSet(b))
}

// sortedSet returns the names of list, sorted, each once, in a new slice.
func sortedSet(list []string) []string {
	s := slices.Clone(list)
	slices.Sort(s)
	return slices.Compact(s)
}

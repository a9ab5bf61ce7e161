package acl

import (
	"iter"
	"slices"

	"github.com/tidwall/btree"
)

// A GroupDef is what a group says about its members: every user of the app, or
// these users, and all members of these groups.
type GroupDef struct {
	All    bool
	Users  []string
	Groups []string
}

// An edge says that member, a user or a group, is directly in group.
type edge struct{ member, group string }

func edgeLess(a, b edge) bool {
	if a.member != b.member {
		return a.member < b.member
	}
	return a.group < b.group
}

// Groups is a set of group definitions. It is immutable: With returns a new
// one that shares what did not change, and the old one stays valid for readers
// in other goroutines. Only one goroutine at a time may call With on the values
// that come from one another. A nil *Groups is empty.
type Groups struct {
	defs    *btree.Map[string, *GroupDef]
	users   *btree.BTreeG[edge] // user -> the groups that list him
	parents *btree.BTreeG[edge] // group -> the groups that list it
	all     *btree.Set[string]  // groups of every user
}

func newEdges() *btree.BTreeG[edge] {
	return btree.NewBTreeGOptions(edgeLess, btree.Options{NoLocks: true})
}

// copy returns a Groups whose trees may be changed.
func (g *Groups) copy() *Groups {
	if g == nil {
		return &Groups{
			defs:    new(btree.Map[string, *GroupDef]),
			users:   newEdges(),
			parents: newEdges(),
			all:     new(btree.Set[string]),
		}
	}
	return &Groups{defs: g.defs.Copy(), users: g.users.Copy(), parents: g.parents.Copy(), all: g.all.Copy()}
}

// With returns the set in which the group id is defined by def, or, when def is
// nil, is not defined. It keeps def, which must not change afterwards. The cost
// is proportional to the size of the old and the new definition of id. The
// empty id defines nothing.
func (g *Groups) With(id string, def *GroupDef) *Groups {
	if id == "" {
		return g
	}
	n := g.copy()
	if old, ok := n.defs.Delete(id); ok {
		for _, u := range old.Users {
			n.users.Delete(edge{u, id})
		}
		for _, child := range old.Groups {
			n.parents.Delete(edge{child, id})
		}
		n.all.Delete(id)
	}
	if def == nil {
		return n
	}
	n.defs.Set(id, def)
	for _, u := range def.Users {
		n.users.Set(edge{u, id})
	}
	for _, child := range def.Groups {
		n.parents.Set(edge{child, id})
	}
	if def.All {
		n.all.Insert(id)
	}
	return n
}

// Of returns the groups that user is in as of now (R11): those that list him,
// those of every user, and, upwards, those that hold one of these. Groups that
// hold each other in a circle do no harm. The empty user is in no group.
func (g *Groups) Of(user string) *Membership {
	m := &Membership{user: user}
	if g == nil || user == "" {
		return m
	}
	via := map[string]string{}
	var queue []string
	join := func(group, from string) {
		if _, known := via[group]; !known {
			via[group] = from
			queue = append(queue, group)
		}
	}
	over := func(edges *btree.BTreeG[edge], member, from string) {
		edges.Ascend(edge{member: member}, func(e edge) bool {
			if e.member != member {
				return false
			}
			join(e.group, from)
			return true
		})
	}
	over(g.users, user, "")
	g.all.Scan(func(id string) bool { join(id, ""); return true })
	for i := 0; i < len(queue); i++ { // breadth first: paths are as short as can be
		over(g.parents, queue[i], queue[i])
	}
	slices.Sort(queue)
	m.ids, m.via = queue, via
	return m
}

// Direct yields the groups that list user himself, in the order of their ids.
func (g *Groups) Direct(user string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if g == nil {
			return
		}
		g.users.Ascend(edge{member: user}, func(e edge) bool { return e.member == user && yield(e.group) })
	}
}

// All yields every group in the order of the ids. Definitions are borrowed.
func (g *Groups) All() iter.Seq2[string, *GroupDef] {
	return func(yield func(string, *GroupDef) bool) {
		if g != nil {
			g.defs.Scan(yield)
		}
	}
}

// Get returns what a group is defined by, borrowed; nil: there is no such group.
func (g *Groups) Get(id string) *GroupDef {
	if g == nil {
		return nil
	}
	def, _ := g.defs.Get(id)
	return def
}

// Parents yields the groups that hold a group directly, in the order of their ids.
func (g *Groups) Parents(id string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if g == nil {
			return
		}
		g.parents.Ascend(edge{member: id}, func(e edge) bool { return e.member == id && yield(e.group) })
	}
}

// Members is Of from the other side: whom a group holds, itself or in groups that it
// holds. That is every user, or those that are named, in order and each once. Whether
// they exist is not known here.
func (g *Groups) Members(id string) (all bool, users []string) {
	queue, seen := []string{id}, map[string]bool{id: true}
	for i := 0; i < len(queue); i++ {
		def := g.Get(queue[i])
		if def == nil {
			continue
		}
		if def.All {
			return true, nil
		}
		users = append(users, def.Users...)
		for _, inner := range def.Groups {
			if !seen[inner] {
				seen[inner] = true
				queue = append(queue, inner)
			}
		}
	}
	slices.Sort(users)
	return false, slices.Compact(users)
}

// A Membership is the groups that one user is in, at the moment it was made. It
// is immutable. A nil *Membership is no group.
type Membership struct {
	user string
	ids  []string          // sorted
	via  map[string]string // group -> the group inside it through which the user is in it; "" when directly
}

// Has tells whether the user is in group.
func (m *Membership) Has(group string) bool {
	if m == nil {
		return false
	}
	_, ok := slices.BinarySearch(m.ids, group)
	return ok
}

// Path returns the ids from group down to the group that holds the user
// directly, or nil when the user is not in group. The slice is the caller's.
func (m *Membership) Path(group string) []string {
	if !m.Has(group) {
		return nil
	}
	path := []string{group}
	for inner := m.via[group]; inner != ""; inner = m.via[inner] {
		path = append(path, inner)
	}
	return path
}

// own returns the id of a group that the user is in as m holds it.
func (m *Membership) own(group string) string {
	i, _ := slices.BinarySearch(m.ids, group)
	return m.ids[i]
}

// IDs returns the ids of the groups, sorted. The slice is borrowed: it must not
// be changed.
func (m *Membership) IDs() []string {
	if m == nil {
		return nil
	}
	return m.ids
}

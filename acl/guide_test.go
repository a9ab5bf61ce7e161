package acl

import "testing"

// An ask is one question to Decide and the answer that the guide gives.
type ask struct {
	who   Subject
	level Level
	acl   *ACL
	right Right
	want  bool
}

// A sentence is one sentence of the guide, in short, with the questions that it
// answers.
type sentence struct {
	says string
	asks []ask
}

// The people of the tables. The groups: staff holds bob; board holds staff;
// world is a group for all; empty holds nobody; loop1 and loop2 hold each other
// and loop2 holds carol.
var (
	testGroups = (*Groups)(nil).
			With("staff", &GroupDef{Users: []string{"bob"}}).
			With("board", &GroupDef{Groups: []string{"staff"}}).
			With("world", &GroupDef{All: true}).
			With("empty", &GroupDef{}).
			With("loop1", &GroupDef{Groups: []string{"loop2"}}).
			With("loop2", &GroupDef{Groups: []string{"loop1"}, Users: []string{"carol"}})

	alice  = user("alice")
	bob    = user("bob")
	carol  = user("carol")
	loner  = Subject{Role: RoleUser, ID: "loner"} // in no group, not even world
	master = Subject{Role: RoleMaster}
	app    = Subject{Role: RoleApp, ID: "kid_1"}
	nobody = Subject{}
)

func user(id string) Subject {
	return Subject{Role: RoleUser, ID: id, Member: testGroups.Of(id)}
}

// by returns the ACL of an entity of that creator, changed by the edits.
func by(creator string, edits ...func(*ACL)) *ACL {
	a := &ACL{Creator: creator}
	for _, edit := range edits {
		edit(a)
	}
	return a
}

func gr(s Switch) func(*ACL)                        { return func(a *ACL) { a.GR = s } }
func gw(s Switch) func(*ACL)                        { return func(a *ACL) { a.GW = s } }
func readers(ids ...string) func(*ACL)              { return func(a *ACL) { a.Readers = ids } }
func writers(ids ...string) func(*ACL)              { return func(a *ACL) { a.Writers = ids } }
func rGroups(ids ...string) func(*ACL)              { return func(a *ACL) { a.ReaderGroups = ids } }
func wGroups(ids ...string) func(*ACL)              { return func(a *ACL) { a.WriterGroups = ids } }
func yes(who Subject, l Level, a *ACL, r Right) ask { return ask{who, l, a, r, true} }
func no(who Subject, l Level, a *ACL, r Right) ask  { return ask{who, l, a, r, false} }

// guide has a sentence for each of the security guide that states a rule on
// collections, entities, groups or the master.
var guide = []sentence{
	// Nobody named and nobody there: first what must not be granted by accident.
	{"groups: a group without members allows nobody", []ask{
		no(bob, Private, by("alice", rGroups("empty")), Read),
		no(bob, Private, by("alice", wGroups("empty")), Write),
		no(bob, Private, by("alice", rGroups()), Read),
		no(bob, Private, by("alice", rGroups("undefined")), Read),
	}},
	{"groups: a user in no group gets nothing from grants to groups", []ask{
		no(loner, Private, by("alice", rGroups("staff", "board", "empty", "")), Read),
		no(loner, Private, by("alice", wGroups("staff", "board", "empty", "")), Write),
		no(loner, Private, by("alice", rGroups()), Read),
		yes(loner, Private, by("alice", readers("loner")), Read),
		yes(loner, Shared, by("alice"), Read),
	}},
	{"names: an empty name names nobody, and nobody without a name gets anything", []ask{
		no(Subject{Role: RoleUser}, Full, by("", readers(""), writers(""), gr(On)), Read),
		no(Subject{Role: RoleUser}, Full, by("", readers(""), writers(""), gw(On)), Write),
		no(Subject{Role: RoleUser}, Full, nil, Create),
		no(alice, Private, by("", readers("")), Read),
	}},

	// Credentials, in so far as they are about entities.
	{"master: complete access to all data", []ask{
		yes(master, Private, by("alice"), Read), yes(master, Private, by("alice"), Write),
		yes(master, ReadOnly, nil, Create), yes(master, Private, by("alice"), ChangeACL),
	}},
	{"app credentials: have very limited grants", []ask{
		no(app, Full, by("alice", gr(On), gw(On)), Read), no(app, Full, by("alice", gr(On), gw(On)), Write),
		no(app, Full, nil, Create), no(app, Full, by("kid_1"), Read),
		no(app, Full, by("kid_1"), ChangeACL), no(app, Full, by("a", readers("kid_1")), Read),
	}},
	{"every request is authenticated: who is not gets nothing", []ask{
		no(nobody, Full, by("alice", gr(On), gw(On)), Read), no(nobody, Full, nil, Create),
		no(nobody, Full, by("", readers("")), Write),
		no(Subject{Role: RoleMaster + 1, ID: "alice"}, Full, by("alice"), Read),
	}},

	// Levels.
	{"Shared: users create and modify only their own, and read all", []ask{
		yes(bob, Shared, nil, Create), yes(bob, Shared, by("bob"), Write), yes(bob, Shared, by("alice"), Read),
		no(bob, Shared, by("alice"), Write),
	}},
	{"Shared is the default level of any new collection", []ask{
		yes(bob, *new(Level), by("alice"), Read), no(bob, *new(Level), by("alice"), Write), yes(bob, *new(Level), nil, Create),
	}},
	{"Private: users read, create and modify only their own", []ask{
		yes(bob, Private, nil, Create), yes(bob, Private, by("bob"), Read), yes(bob, Private, by("bob"), Write),
		no(bob, Private, by("alice"), Write),
	}},
	{"Private: users cannot read any other data", []ask{no(bob, Private, by("alice"), Read)}},
	{"Read Only: users read all, but cannot create and modify", []ask{
		yes(bob, ReadOnly, by("alice"), Read), no(bob, ReadOnly, nil, Create), no(bob, ReadOnly, by("alice"), Write),
	}},
	{"Full: users read, create and modify all", []ask{
		yes(bob, Full, by("alice"), Read), yes(bob, Full, nil, Create), yes(bob, Full, by("alice"), Write),
	}},
	{"a level that is none of the four grants nothing", []ask{
		no(bob, Full+1, by("alice"), Read), no(bob, Full+1, by("alice"), Write), no(bob, Full+1, nil, Create),
		yes(bob, Full+1, by("bob"), Read), yes(master, Full+1, nil, Create),
	}},
	{"settings: entity permissions take priority over those of the collection", []ask{
		yes(bob, Private, by("alice", gr(On)), Read), no(bob, Shared, by("alice", gr(Off)), Read),
		yes(bob, ReadOnly, by("alice", gw(On)), Write), no(bob, Full, by("alice", gw(Off)), Write),
	}},
	{"settings: who may read an entity may whatever the level of the collection", []ask{
		yes(bob, Shared, by("alice", readers("bob")), Read), yes(bob, Private, by("alice", readers("bob")), Read),
		yes(bob, ReadOnly, by("alice", readers("bob")), Read), yes(bob, Full, by("alice", readers("bob")), Read),
	}},
	{"common: by default all is readable by users, but writable only by the creator", []ask{
		yes(bob, Shared, by("alice"), Read), no(bob, Shared, by("alice"), Write), yes(alice, Shared, by("alice"), Write),
	}},
	{"common: Private limits reading to the creators", []ask{
		yes(alice, Private, by("alice"), Read), no(bob, Private, by("alice"), Read), no(loner, Private, by("alice"), Read),
	}},

	// Entities.
	{"entity: global read or write on overrides the level for all users", []ask{
		yes(bob, Private, by("alice", gr(On)), Read), yes(loner, Private, by("alice", gr(On)), Read),
		yes(bob, Shared, by("alice", gw(On)), Write), yes(loner, ReadOnly, by("alice", gw(On)), Write),
	}},
	{"entity: global read or write off overrides the level for all users", []ask{
		no(bob, Full, by("alice", gr(Off)), Read), no(loner, ReadOnly, by("alice", gr(Off)), Read),
		no(bob, Full, by("alice", gw(Off)), Write), no(loner, Full, by("alice", gw(Off)), Write),
	}},
	{"entity: global read and write are apart", []ask{
		no(bob, Shared, by("alice", gr(On)), Write), no(bob, Private, by("alice", gw(On)), Read),
		yes(bob, Full, by("alice", gr(Off)), Write), yes(bob, Full, by("alice", gw(Off)), Read),
	}},
	{"entity: a switch that is absent leaves it to the level", []ask{
		yes(bob, Full, by("alice", gr(Unset), gw(Unset)), Write), no(bob, Private, by("alice", gr(Unset)), Read),
	}},
	{"entity: user ids in readers or writers grant to specific users only", []ask{
		yes(bob, Private, by("alice", readers("carol", "bob")), Read), no(loner, Private, by("alice", readers("carol", "bob")), Read),
		yes(bob, Private, by("alice", writers("bob")), Write), no(carol, Private, by("alice", writers("bob")), Write),
	}},
	{"entity: named users keep access where the global switch is off", []ask{
		yes(bob, Private, by("alice", gr(Off), readers("bob")), Read), yes(bob, Shared, by("alice", gw(Off), writers("bob")), Write),
		yes(bob, Private, by("alice", gr(Off), rGroups("staff")), Read), yes(bob, Shared, by("alice", gw(Off), wGroups("staff")), Write),
	}},
	{"entity: group ids in groups.r or groups.w grant to the users in the group", []ask{
		yes(bob, Private, by("alice", rGroups("staff")), Read), no(carol, Private, by("alice", rGroups("staff")), Read),
		yes(bob, Private, by("alice", wGroups("staff")), Write), no(carol, Private, by("alice", wGroups("staff")), Write),
	}},
	{"entity: groups manage access even as users join or leave", []ask{
		no(Subject{Role: RoleUser, ID: "bob", Member: testGroups.With("staff", &GroupDef{}).Of("bob")}, Private, by("alice", rGroups("staff")), Read),
		yes(Subject{Role: RoleUser, ID: "dave", Member: testGroups.With("staff", &GroupDef{Users: []string{"dave"}}).Of("dave")}, Private, by("alice", rGroups("staff")), Read),
		no(Subject{Role: RoleUser, ID: "bob", Member: testGroups.With("staff", nil).Of("bob")}, Private, by("alice", rGroups("staff", "board")), Read),
	}},
	{"entity: a group with all set allows all users of the app", []ask{
		yes(alice, Private, by("x", rGroups("world")), Read), yes(user("unheard of"), Private, by("x", wGroups("world")), Write),
		no(app, Private, by("x", rGroups("world")), Read),
	}},
	{"groups: members of a group inside a group are members of both", []ask{
		yes(bob, Private, by("alice", rGroups("board")), Read), no(carol, Private, by("alice", rGroups("board")), Read),
	}},
	{"groups: a circle of groups does no harm", []ask{
		yes(carol, Private, by("alice", rGroups("loop1")), Read), yes(carol, Private, by("alice", rGroups("loop2")), Read),
		no(bob, Private, by("alice", rGroups("loop1", "loop2")), Read),
	}},
	{"members: creator is the user who created the entity", []ask{yes(alice, Private, by("alice"), Read), no(bob, Private, by("alice"), Read)}},
	{"members: gr says whether all may read", []ask{yes(bob, Private, by("alice", gr(On)), Read), no(bob, Shared, by("alice", gr(Off)), Read)}},
	{"members: gw says whether all may write", []ask{yes(bob, Private, by("alice", gw(On)), Write), no(bob, Full, by("alice", gw(Off)), Write)}},
	{"members: r is who may read", []ask{yes(bob, Private, by("alice", readers("bob")), Read), no(bob, Private, by("alice", readers("bob")), Write)}},
	{"members: w is who may modify", []ask{yes(bob, Shared, by("alice", writers("bob")), Write), no(bob, Private, by("alice", writers("bob")), Read)}},
	{"members: groups.r is the groups that may read", []ask{yes(bob, Private, by("alice", rGroups("staff")), Read), no(bob, Private, by("alice", rGroups("staff")), Write)}},
	{"members: groups.w is the groups that may modify", []ask{yes(bob, Shared, by("alice", wGroups("staff")), Write), no(bob, Private, by("alice", wGroups("staff")), Read)}},
	{"creators always have read and write access", []ask{
		yes(alice, Private, by("alice", gr(Off), gw(Off)), Read), yes(alice, Private, by("alice", gr(Off), gw(Off)), Write),
		yes(alice, ReadOnly, by("alice", gr(Off), gw(Off)), Read), yes(alice, ReadOnly, by("alice", gr(Off), gw(Off)), Write),
		yes(alice, ReadOnly, by("alice"), Write),
	}},
	{"creators are the only users that may change the _acl", []ask{
		yes(alice, ReadOnly, by("alice"), ChangeACL),
		no(bob, Full, by("alice", gr(On), gw(On), readers("bob"), writers("bob"), rGroups("staff"), wGroups("staff")), ChangeACL),
		no(bob, Full, by("", gw(On)), ChangeACL),
	}},

	// Best practices and use cases.
	{"who may write may delete, but not set permissions: only the creator gives and takes", []ask{
		yes(bob, Private, by("alice", writers("bob")), Write), no(bob, Private, by("alice", writers("bob")), ChangeACL),
		no(bob, Full, by("alice"), ChangeACL),
	}},
	{"having write access does not imply read access", []ask{
		yes(bob, Private, by("alice", writers("bob")), Write), no(bob, Private, by("alice", writers("bob")), Read),
		yes(bob, Private, by("alice", wGroups("staff")), Write), no(bob, Private, by("alice", wGroups("staff")), Read),
		yes(bob, Full, by("alice", gr(Off)), Write), no(bob, Full, by("alice", gr(Off)), Read),
	}},
	{"to grant both kinds of access, grant both", []ask{
		yes(bob, Private, by("alice", readers("bob"), writers("bob")), Read), yes(bob, Private, by("alice", readers("bob"), writers("bob")), Write),
	}},
	{"master: may modify any permission at any level", []ask{
		yes(master, Shared, by("alice"), ChangeACL), yes(master, Private, by("alice"), ChangeACL),
		yes(master, ReadOnly, by("alice"), ChangeACL), yes(master, Full, by("alice"), ChangeACL),
	}},
	{"master: creators cannot take its access away", []ask{
		yes(master, Private, by("alice", gr(Off), gw(Off)), Read), yes(master, Private, by("alice", gr(Off), gw(Off)), Write),
	}},
	{"use case: a daily deal in Read Only is read by users and written by the master", []ask{
		yes(bob, ReadOnly, by("kid_1"), Read), no(bob, ReadOnly, by("kid_1"), Write), no(bob, ReadOnly, nil, Create),
		yes(master, ReadOnly, by("kid_1"), Write), yes(master, ReadOnly, nil, Create),
	}},
	{"use case: any user can add a watch list to a Private collection, but not read another's", []ask{
		yes(bob, Private, nil, Create), yes(bob, Private, by("bob"), Write), no(bob, Private, by("alice"), Read),
	}},
	{"use case: watch lists in a Shared collection are visible to other users", []ask{yes(bob, Shared, by("alice"), Read)}},
	{"use case: Full lets any user create and modify any object", []ask{yes(bob, Full, nil, Create), yes(bob, Full, by("alice"), Write)}},
	{"use case: profiles in a Private collection are made public by gr, or open to friends by readers", []ask{
		no(bob, Private, by("alice"), Read), yes(bob, Private, by("alice", gr(On)), Read),
		yes(bob, Private, by("alice", readers("bob")), Read), no(carol, Private, by("alice", readers("bob")), Read),
	}},

	// Kinds.
	{"kinds: user x, group x, app key x and everyone never meet", []ask{
		no(user("staff"), Private, by("alice", rGroups("staff")), Read),     // a user called like a group
		no(bob, Private, by("staff", readers("staff")), Read),               // a group's id among users
		no(user("alice"), Private, by("x", rGroups("alice")), Read),         // a user's id among groups
		no(carol, Private, by("x", readers("world", "everyone", "")), Read), // nothing in r is everyone
		no(app, Private, by("kid_1", readers("kid_1")), Read),
		no(Subject{Role: RoleUser, ID: "bob", Member: testGroups.Of("carol")}, Private, by("x", rGroups("loop1")), Read), // another's membership
	}},
	{"rights: none but the four, and an entity is needed for all but creating", []ask{
		no(master, Full, by("alice"), 0), no(alice, Full, by("alice"), 0),
		no(master, Full, by("alice"), ChangeACL+1), no(alice, Full, by("alice", gw(On)), ChangeACL+1),
		no(alice, Full, nil, Read), no(alice, Full, nil, Write), no(alice, Full, nil, ChangeACL),
	}},
}

func TestGuide(t *testing.T) {
	for _, s := range guide {
		t.Run(s.says, func(t *testing.T) {
			for i, a := range s.asks {
				d := Decide(a.who, a.level, a.acl, a.right)
				if d.Allowed != a.want {
					t.Errorf("%d: Decide(%q, %v, %+v, %d) = %v; want %v", i, a.who.ID, a.level, a.acl, a.right, d, a.want)
				}
				if a.right != Read || a.acl == nil {
					continue
				}
				for place, n := range walksOf(a) {
					if (n == 1) != a.want {
						t.Errorf("%d: a walk (%q, %v) over the entity %+v, %s, counts %d", i, a.who.ID, a.level, a.acl, place, n)
					}
				}
			}
		})
	}
}

// walksOf counts what is seen of the entity where it is held in each of the ways
// there are, among many that nobody sees.
func walksOf(a ask) map[string]int {
	rows := []historyRow{{entity: 7, acl: a.acl}}
	for i := range 100 {
		rows = append(rows, historyRow{entity: 10 + i, acl: by("nobody at all", gr(Off))}, historyRow{entity: 200 + i})
	}
	late := newHistory().with(rows...)
	if a.who.Role == RoleMaster { // he sees them all
		late = newHistory().with(rows[0])
	}
	count := func(h history, edit func(*Scope)) int {
		s := h.scope(0, h.late(0, true))
		s.Who, s.Level = PrincipalsOf(a.who), a.level
		edit(&s)
		w := NewWalk(s)
		defer w.Close()
		return w.Count()
	}
	return map[string]int{
		"in the base":        count(late.rebuilt(), func(*Scope) {}),
		"late and looked up": count(late, func(*Scope) {}),
		"late and looked at": count(late, func(s *Scope) { s.Recent = nil }),
	}
}

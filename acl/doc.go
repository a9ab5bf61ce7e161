// Package acl decides who may do what with an entity, and finds the entities
// that a user may read. It is pure: no clock, no network, no storage, and it
// knows of HTTP as little as of passwords.
//
// # The rules
//
// The security guide, put in order. Tests, decisions and audit lines call a
// rule by its number.
//
//	R1   Every request names who asks: the master, the app itself, or a user.
//	     Who names nobody may do nothing.
//	R2   The master may do everything to everything, and may write any _acl,
//	     the creator included.
//	R3   The app itself may only bootstrap: shake hands, sign a user up, log him
//	     in. To an entity it may do nothing.
//	R4   The level of the collection is what users may do by default: Shared
//	     (also the default level) lets all read and each write his own; Private
//	     lets each read and write his own; Read Only lets all read and nobody
//	     create or write; Full lets all read and write.
//	R5   What an entity says goes before what its collection says. gr and gw
//	     have three states: on and off decide for all users, absent leaves it to
//	     the level.
//	R6   r, w, groups.r and groups.w add the users and groups they name,
//	     whatever gr, gw and the level are. Nothing takes a named one away.
//	R7   The creator reads and writes what he created, always, and besides the
//	     master he alone changes its _acl.
//	R8   The server sets the creator when the entity is created. Later only the
//	     master can name another.
//	R9   An update without _acl, or with a null one, leaves the stored one.
//	R10  Who may write may delete. Who may write may not therefore read.
//	R11  A grant to a group is a grant to those who are in it now. A group for
//	     all holds every user; who is in a group is in the groups that hold it;
//	     groups that hold each other in a circle do no harm.
//	R12  Answers about many entities are about exactly those that the asker may
//	     read, and nothing in them depends on the others.
//	R13  Only three things know of users whom the asker may not read: looking
//	     users up, the uniqueness of names, and asking whether a name exists.
//
// Where they are kept:
//
//	Decide              R2-R7, R10, and R1, R3 in so far as such a subject is denied
//	Amend, Creator      R2, R7, R8, R9
//	AppendText          R8: what a client sent as creator is written over
//	Groups.Of           R11
//	Walk                R12: it yields the readable entities and no others
//	Parse, ParseGroup   wrong types are refused; what is not known grants nothing
//	elsewhere           R1, R3 (credentials and routes) and R13 (accounts) are the
//	                    business of packages auth and engine
//
// # One authority
//
// Decide is the only authority. Its steps for a user, in this order: creator,
// named user, named group, switch of the entity, level of the collection. A
// Decision carries the rule and the grant that decided.
//
// An index narrows, it never grants: it is sets of entities that must be equal
// to asking Decide for Read about each. Decide and the indexes read an ACL
// through two small methods only: everyone (what it says about a right to all
// users) and named (whom it names for it). A new rule about ACLs goes there,
// once.
//
// Principals have a kind. User x, group x and an app key x are three, and none
// of them is everyone.
//
// # Two indexes
//
// A Base is the index of many entities that do not change any more: flat lists
// of positions and bits, one set of them for each order that entities are
// listed in, so that a page is the beginning of a union and a range an interval.
// What has changed since the Base was made is marked in a Dead, and what it was
// changed to is found in a Recent, to which entities are only ever added. A Walk
// reads all three as one.
//
// # Sharing
//
// ACL, GroupDef, Groups, Membership, Principals, Base, Ordering and Dead are
// immutable once handed over. Groups.With returns a new value which shares
// copy-on-write trees with the old one; it is for one goroutine at a time, while
// any number of goroutines read any older value. A Recent is shared by all views
// since its Base: one goroutine adds to it while others read of it what was
// there when their view was published.
package acl

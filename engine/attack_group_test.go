package engine_test

import (
	"testing"

	"postern/engine"
)

// attackReads tells whether a user can read an entity of the private collection
// diary in any way.
func attackReads(s *server, who user, id string) bool {
	s.t.Helper()
	one := s.do("GET", "/appdata/"+kid+"/diary/"+id, who.session(), "").status == 200
	list := false
	for _, got := range ids(s.t, s.do("GET", "/appdata/"+kid+"/diary", who.session(), "")) {
		list = list || got == id
	}
	if one != list {
		s.t.Errorf("%s: read by id %v, in the list %v", id, one, list)
	}
	return one || list
}

// attackDiary makes an entity there with the ACL.
func attackDiary(s *server, owner user, id, acl string) {
	s.t.Helper()
	s.setLevel("diary", "private")
	s.want(s.do("POST", "/appdata/"+kid+"/diary", owner.session(), `{"_id":"`+id+`","secret":"s3cr3t","_acl":`+acl+`}`), 201, "")
}

// attackMembers is a group with one member.
func attackMembers(u user) string { return `{"users":{"list":["` + u.id + `"]}}` }

// A grant to a user is no grant to a group of the same name, nor the other way
// round. Guard: the kinds in acl (named, Principal).
func TestAttackGroupUnderAUsersID(t *testing.T) {
	s := start(t)
	victim, friend, mallory := s.signUp("victim"), s.signUp("friend"), s.signUp("mallory")
	attackDiary(s, victim, "to-friend", `{"r":["`+friend.id+`"]}`)
	attackDiary(s, victim, "to-nobody", `{}`)
	for _, id := range []string{friend.id, victim.id} {
		s.want(s.do("PUT", "/group/"+kid+"/"+id, mallory.session(), attackMembers(mallory)), 201, "")
	}
	for _, id := range []string{"to-friend", "to-nobody"} {
		if attackReads(s, mallory, id) {
			t.Errorf("mallory reads %s through a group called like a user", id)
		}
	}
	if !attackReads(s, friend, "to-friend") {
		t.Error("the friend reads it no more")
	}
	// The grant to a group called like mallory is not one to mallory.
	s.want(s.do("PUT", "/group/"+kid+"/"+mallory.id, asMaster, `{"users":{"list":["`+friend.id+`"]}}`), 201, "")
	attackDiary(s, victim, "to-group", `{"groups":{"r":["`+mallory.id+`"]}}`)
	if attackReads(s, mallory, "to-group") {
		t.Error("mallory reads what was granted to a group that has his id as its name")
	}
}

// Whoever makes a group is in it: an id that is granted something already must
// not be his to make. Guard: mayMakeGroup in entity_intents.go.
func TestAttackGroupUnderANamedID(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	attackDiary(s, victim, "a", `{"groups":{"r":["readers"]}}`)
	attackDiary(s, victim, "b", `{"groups":{"w":["writers"]}}`)
	s.want(s.do("PUT", "/user/"+kid+"/"+victim.id, victim.session(), `{"_acl":{"groups":{"w":["profile"]}}}`), 200, "")
	s.want(s.do("PUT", "/group/"+kid+"/own", victim.session(), `{"_acl":{"groups":{"w":["owners"]}}}`), 201, "")
	for _, id := range []string{"readers", "writers", "profile", "owners"} {
		s.want(s.do("PUT", "/group/"+kid+"/"+id, mallory.session(), attackMembers(mallory)), 401, "InsufficientCredentials")
		s.want(s.do("POST", "/group/"+kid, mallory.session(), `{"_id":"`+id+`","users":{"list":["`+mallory.id+`"]}}`), 401, "InsufficientCredentials")
		s.want(s.do("POST", "/group/"+kid, mallory.session(), `{"_id":"`+id+`","users":{"all":true}}`, "X-Kinvey-Api-Version", "5"), 401, "InsufficientCredentials")
	}
	s.want(s.do("PUT", "/group/"+kid+"/%72eaders", mallory.session(), attackMembers(mallory)), 401, "InsufficientCredentials")
	if attackReads(s, mallory, "a") {
		t.Error("mallory reads a")
	}
	s.want(s.do("PUT", "/group/"+kid+"/readers", asMaster, attackMembers(mallory)), 201, "")
	if !attackReads(s, mallory, "a") {
		t.Error("the master's group grants nothing")
	}
}

// A group that lists another as its member lends it all its grants: a nested id
// without a group behind it must not be anybody's to make either.
func TestAttackGroupUnderANestedID(t *testing.T) {
	for _, form := range []string{`["inner"]`, `[{"_id":"inner"}]`, `[{"_type":"KinveyRef","_collection":"group","_id":"inner"}]`} {
		s := start(t)
		victim, mallory := s.signUp("victim"), s.signUp("mallory")
		s.want(s.do("PUT", "/group/"+kid+"/outer", asMaster, `{"groups":`+form+`}`), 201, "")
		attackDiary(s, victim, "a", `{"groups":{"r":["outer"]}}`)
		s.do("PUT", "/group/"+kid+"/inner", mallory.session(), attackMembers(mallory))
		s.do("POST", "/group/"+kid, mallory.session(), `{"_id":"inner","users":{"list":["`+mallory.id+`"]}}`)
		if attackReads(s, mallory, "a") {
			t.Errorf("mallory made the group that %s names and reads what was granted to the outer one", form)
		}
	}
}

// An id that was a group's once is nobody's to make again, also after a
// restart. Guard: groupPast in mayMakeGroup.
func TestAttackGroupThatExistedBefore(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.want(s.do("PUT", "/group/"+kid+"/club", victim.session(), attackMembers(victim)), 201, "")
	attackDiary(s, victim, "a", `{"groups":{"r":["club"]}}`)
	s.want(s.do("DELETE", "/group/"+kid+"/club", victim.session(), ""), 200, "")
	// Even when nothing names it any more: backups and clients may.
	s.want(s.do("PUT", "/appdata/"+kid+"/diary/a", victim.session(), `{"_acl":{}}`), 200, "")
	for _, who := range []user{mallory, victim} {
		s.want(s.do("PUT", "/group/"+kid+"/club", who.session(), attackMembers(who)), 401, "InsufficientCredentials")
		s.want(s.do("POST", "/group/"+kid, who.session(), `{"_id":"club"}`), 401, "InsufficientCredentials")
	}
	s.want(s.do("PUT", "/group/"+kid+"/club", asMaster, attackMembers(victim)), 201, "")
}

// The app key is the creator of what the master creates; no group is called so.
// Guard: validGroup in groups.go.
func TestAttackGroupCalledLikeTheApp(t *testing.T) {
	s := start(t)
	mallory := s.signUp("mallory")
	s.setLevel("diary", "private")
	s.want(s.do("POST", "/appdata/"+kid+"/diary", asMaster, `{"_id":"m"}`), 201, "")
	for _, who := range []string{mallory.session(), asMaster} {
		s.want(s.do("PUT", "/group/"+kid+"/"+kid, who, attackMembers(mallory)), 400, "InvalidIdentifier")
		s.want(s.do("PUT", "/group/"+kid+"/kid%5Ftest", who, attackMembers(mallory)), 400, "InvalidIdentifier")
		s.want(s.do("POST", "/group/"+kid, who, `{"_id":"`+kid+`"}`), 400, "InvalidIdentifier")
	}
	if attackReads(s, mallory, "m") {
		t.Error("mallory reads what the master made")
	}
}

// A member of a group does not become its owner, and nobody puts himself into
// somebody else's.
func TestAttackJoiningAnothersGroup(t *testing.T) {
	s := start(t)
	victim, member, mallory := s.signUp("victim"), s.signUp("member"), s.signUp("mallory")
	s.want(s.do("PUT", "/group/"+kid+"/club", victim.session(), attackMembers(member)), 201, "")
	attackDiary(s, victim, "a", `{"groups":{"r":["club"],"w":["club"]}}`)
	for _, who := range []user{member, mallory} {
		s.want(s.do("PUT", "/group/"+kid+"/club", who.session(), attackMembers(mallory)), 401, "InsufficientCredentials")
		s.want(s.do("DELETE", "/group/"+kid+"/club", who.session(), ""), 401, "InsufficientCredentials")
		a := s.do("POST", "/group/"+kid, who.session(), `{"_id":"club","users":{"all":true}}`)
		if a.status < 400 {
			t.Errorf("POST over the group: %d %s", a.status, a.body)
		}
		s.want(s.do("GET", "/group/"+kid, who.session(), ""), 401, "InsufficientCredentials")
	}
	if attackReads(s, mallory, "a") || !attackReads(s, member, "a") {
		t.Error("the membership has changed")
	}
	// One who has left is out at once, also for writes.
	s.want(s.do("PUT", "/group/"+kid+"/club", victim.session(), `{"users":{"list":[]}}`), 200, "")
	if attackReads(s, member, "a") {
		t.Error("a former member reads on")
	}
	s.want(s.do("PUT", "/appdata/"+kid+"/diary/a", member.session(), `{"x":1}`), 401, "InsufficientCredentials")
}

// Where only the master makes groups, a user makes none.
func TestAttackGroupWhereOnlyTheMasterMayMakeThem(t *testing.T) {
	s := start(t, attackWith(func(o *engine.AppOptions) { o.GroupCreation = "master" }))
	mallory := s.signUp("mallory")
	s.want(s.do("PUT", "/group/"+kid+"/club", mallory.session(), attackMembers(mallory)), 401, "InsufficientCredentials")
	s.want(s.do("POST", "/group/"+kid, mallory.session(), `{}`), 401, "InsufficientCredentials")
	s.want(s.do("POST", "/group/"+kid, asMaster, `{"_id":"club"}`), 201, "")
}

// References to users from other collections and of wrong types are refused, so
// that no reading of a group has more members than another.
func TestAttackGroupOfWrongTypes(t *testing.T) {
	s := start(t)
	mallory := s.signUp("mallory")
	for _, body := range []string{
		`{"users":[]}`, `{"users":"all"}`, `{"users":{"all":1}}`, `{"users":{"all":"yes"}}`, `{"users":{"list":{}}}`,
		`{"users":{"list":[1]}}`, `{"users":{"list":[null]}}`, `{"users":{"list":[{"_id":1}]}}`, `{"users":{"list":[{}]}}`,
		`{"users":{"list":[{"_id":"x","_collection":"group"}]}}`, `{"groups":{}}`, `{"groups":"x"}`, `{"groups":[[]]}`,
		`{"groups":[{"_id":"x","_collection":"user"}]}`, `{"all":1}`, `{"users":{"isAll":[]}}`,
		`{"users":{"all":true,"\u0061ll":false}}`, `{"users":{},"u\u0073ers":{"all":true}}`, `[]`, `"x"`, `null`, `7`,
	} {
		if a := s.do("PUT", "/group/"+kid+"/club", mallory.session(), body); a.status != 400 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	s.want(s.do("GET", "/group/"+kid+"/club", asMaster, ""), 404, "EntityNotFound")
}

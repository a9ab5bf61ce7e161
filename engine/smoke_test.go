package engine_test

import (
	"slices"
	"testing"
)

// A private collection is answered to each user with what is his.
func TestPrivateCollectionIsFiltered(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.setLevel("watch", "private")
	path := "/appdata/" + kid + "/watch"
	s.want(s.do("POST", path, alice.session(), `{"_id":"a1","x":1}`), 201, "")
	s.want(s.do("POST", path, bob.basic(), `{"_id":"b1","x":2}`), 201, "")
	s.want(s.do("POST", path, bob.session(), `{"_id":"b2","_acl":{"r":["`+alice.id+`"]}}`), 201, "")
	if got := ids(t, s.do("GET", path, alice.session(), "")); !slices.Equal(got, []string{"a1", "b2"}) {
		t.Errorf("alice sees %v", got)
	}
	if got := ids(t, s.do("GET", path+"/?_=1", bob.session(), "")); !slices.Equal(got, []string{"b1", "b2"}) {
		t.Errorf("bob sees %v", got)
	}
	s.want(s.do("GET", path+"/a1", bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("GET", path+"/b2", alice.session(), ""), 200, "")
	s.want(s.do("DELETE", path+"/b2", alice.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("GET", path+"/_count", asMaster, ""), 200, "")
	s.want(s.do("GET", path, asApp, ""), 401, "InsufficientCredentials")
	s.want(s.do("GET", path, "", ""), 401, "InvalidCredentials")
	s.want(s.do("POST", "/user/"+kid+"/_logout", alice.session(), ""), 204, "")
	s.want(s.do("GET", path, alice.session(), ""), 401, "InvalidCredentials")
}

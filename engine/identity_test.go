package engine_test

import (
	"bytes"
	"strings"
	"testing"

	"postern/engine"
	"postern/engine/store"
)

// vouch is an identity bridge: whoever presents the access token "good-NAME" is
// NAME.
type vouch struct{}

func (vouch) VerifyIdentity(app string, claim []byte) (string, error) {
	_, rest, ok := bytes.Cut(claim, []byte(`"good-`))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	if !ok || app != kid {
		return "", engine.ErrNotVerified
	}
	return string(name), nil
}

func bridged(token string) string {
	return `{"_socialIdentity":{"kinveyAuth":{"access_token":"` + token + `","refresh_token":"r3fresh"}}}`
}

// The dance of the clients: a login with a verified identity that nobody has is
// 404, the same body signs up, then it logs in. Below API version 6; from then
// on the login makes the account.
func TestIdentityDance(t *testing.T) {
	driver := &keptStore{Driver: store.NewMemory()}
	with := []func(*options){func(o *options) { o.config.Identities, o.driver = vouch{}, driver }}
	s := start(t, with...)
	path, login := "/user/"+kid, "/user/"+kid+"/login"
	s.want(s.do("POST", login, asApp, bridged("good-ann"), version("4")...), 404, "UserNotFound")
	u := s.want(s.do("POST", path, asApp, bridged("good-ann"), version("4")...), 201, "").json(t)
	id := get(u, "_id")
	if get(u, "_kmd", "authtoken") == nil || get(u, "_socialIdentity", "kinveyAuth", "id") != "ann" || get(u, "_socialIdentity", "kinveyAuth", "audience") != kid ||
		get(u, "password") != nil || get(u, "_kmd", "lmt") != get(u, "_kmd", "ect") {
		t.Errorf("sign-up answers %v", u)
	}
	s.want(s.do("POST", path, asApp, bridged("good-ann"), version("4")...), 409, "UserAlreadyExists")
	s.stop()
	s = start(t, with...)
	in := s.want(s.do("POST", login, asApp, bridged("good-ann"), version("4")...), 200, "").json(t)
	if get(in, "_id") != id || get(in, "_kmd", "authtoken") == nil || get(in, "_kmd", "llt") == nil {
		t.Errorf("login answers %v", in)
	}
	made := s.want(s.do("POST", login, asApp, bridged("good-ben"), version("6")...), 201, "").json(t)
	again := s.want(s.do("POST", login, asApp, bridged("good-ben"), version("6")...), 200, "").json(t)
	if get(made, "_kmd", "authtoken") == nil || get(made, "_id") != get(again, "_id") {
		t.Errorf("login at 6 answers %v, then %v", made, again)
	}
	// Nothing that is not verified, and no token of a provider is kept.
	refused := s.want(s.do("POST", login, asApp, bridged("bad"), version("4")...), 401, "InvalidCredentials")
	if d, _ := get(refused.json(t), "debug").(string); !strings.HasPrefix(d, "Error encountered authenticating against kinveyAuth") {
		t.Errorf("%s", refused.body)
	}
	s.want(s.do("POST", path, asApp, bridged("bad"), version("4")...), 401, "InvalidCredentials")
	s.want(s.do("POST", login, asApp, `{"_socialIdentity":{"facebook":{"access_token":"good-ann"}}}`), 403, "MissingConfiguration")
	bob := s.signUp("bob")
	for _, p := range []string{path, path + "/" + id.(string)} {
		attackLacks(t, p, s.do("GET", p, asMaster, ""), "good-ann", "r3fresh")
		attackLacks(t, p, s.do("GET", p, bob.session(), ""), "_socialIdentity", "kinveyAuth")
	}
	// The user of a directory has no password, and none can be set by mail.
	s.want(attackLogin(s, get(in, "username").(string), ""), 401, "InvalidCredentials")
	for _, who := range []string{"Kinvey " + get(in, "_kmd", "authtoken").(string), asMaster} {
		s.want(s.do("PUT", path+"/"+id.(string), who, `{"password":"a password"}`), 400, "ParameterValueOutOfRange")
	}
	// Suspended and locked down he stays out.
	s.want(s.do("POST", "/rpc/"+kid+"/lockdown-user", asMaster, `{"userId":"`+id.(string)+`","setLockdownStateTo":true}`), 204, "")
	s.want(s.do("POST", login, asApp, bridged("good-ann")), 401, "UserLockedDown")
	s.want(s.do("DELETE", path+"/"+id.(string)+"?hard=false", asMaster, ""), 204, "")
	s.want(s.do("POST", login, asApp, bridged("good-ann")), 401, "InvalidCredentials")
	s.want(s.do("DELETE", path+"/"+id.(string)+"?hard=true", asMaster, ""), 204, "")
	s.want(s.do("POST", login, asApp, bridged("good-ann"), version("4")...), 404, "UserNotFound")
}

// Connect and disconnect: a verified identity is linked by an update, null
// unlinks it, an echo without proof changes nothing.
func TestIdentityConnect(t *testing.T) {
	s := start(t, func(o *options) { o.config.Identities = vouch{} })
	alice, bob := s.signUp("alice"), s.signUp("bob")
	path, login := "/user/"+kid+"/", "/user/"+kid+"/login"
	linked := func(u user) any { return get(s.me(u), "_socialIdentity", "kinveyAuth", "id") }
	s.want(s.do("PUT", path+alice.id, alice.session(), bridged("good-ann")), 200, "")
	if linked(alice) != "ann" {
		t.Errorf("after connect: %v", linked(alice))
	}
	s.want(s.do("POST", login, asApp, bridged("good-ann"), version("4")...), 200, "")
	s.want(s.do("PUT", path+bob.id, bob.session(), bridged("good-ann")), 409, "UserAlreadyExists")
	for _, echo := range []string{`{"_socialIdentity":{"kinveyAuth":{"id":"ben","audience":"kid_test"}}}`, `{"_socialIdentity":null}`, `{"_socialIdentity":{}}`, `{"x":1}`} {
		s.want(s.do("PUT", path+alice.id, alice.session(), echo), 200, "")
		if linked(alice) != "ann" {
			t.Errorf("after %s: %v", echo, linked(alice))
		}
	}
	// Never InvalidCredentials: that makes clients drop the session.
	s.want(s.do("PUT", path+alice.id, alice.session(), bridged("bad")), 400, "ParameterValueOutOfRange")
	s.want(s.do("PUT", path+alice.id, alice.session(), `{"_socialIdentity":{"google":{"access_token":"x"}}}`), 403, "MissingConfiguration")
	// A write grant does not reach it.
	s.want(s.do("PUT", path+alice.id, alice.session(), `{"_acl":{"w":["`+bob.id+`"]}}`), 200, "")
	s.want(s.do("PUT", path+alice.id, bob.session(), `{"_socialIdentity":{"kinveyAuth":null}}`), 200, "")
	s.want(s.do("PUT", path+alice.id, bob.session(), bridged("good-ben")), 200, "")
	if linked(alice) != "ann" {
		t.Errorf("a writer has changed it to %v", linked(alice))
	}
	s.want(s.do("PUT", path+alice.id, alice.session(), `{"_socialIdentity":{"kinveyAuth":null}}`), 200, "")
	if linked(alice) != nil {
		t.Errorf("after disconnect: %v", linked(alice))
	}
	s.want(s.do("POST", login, asApp, bridged("good-ann"), version("4")...), 404, "UserNotFound")
}

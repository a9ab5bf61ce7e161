package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"postern/engine"
)

// attackACLs are mutations of _acl that must be refused. FORGED stands for the
// attacker's id; each is sent on create and on update.
var attackACLs = []string{
	// The whole of a wrong type.
	`"_acl":[]`, `"_acl":"x"`, `"_acl":""`, `"_acl":0`, `"_acl":1.5`, `"_acl":true`, `"_acl":false`, `"_acl":[{"creator":"FORGED"}]`, `"_acl":"{\"creator\":\"FORGED\"}"`,
	// creator.
	`"_acl":{"creator":1}`, `"_acl":{"creator":true}`, `"_acl":{"creator":[]}`, `"_acl":{"creator":["FORGED"]}`, `"_acl":{"creator":{}}`, `"_acl":{"creator":{"_id":"FORGED"}}`,
	// gr and gw.
	`"_acl":{"gr":0}`, `"_acl":{"gr":1}`, `"_acl":{"gr":"yes"}`, `"_acl":{"gr":""}`, `"_acl":{"gr":"TRUE"}`, `"_acl":{"gr":[]}`, `"_acl":{"gr":{}}`, `"_acl":{"gr":["true"]}`,
	`"_acl":{"gw":0}`, `"_acl":{"gw":1}`, `"_acl":{"gw":"null"}`, `"_acl":{"gw":" true"}`, `"_acl":{"gw":[]}`, `"_acl":{"gw":{}}`,
	// The lists.
	`"_acl":{"r":"FORGED"}`, `"_acl":{"r":{}}`, `"_acl":{"r":{"0":"FORGED"}}`, `"_acl":{"r":1}`, `"_acl":{"r":true}`, `"_acl":{"r":[1]}`, `"_acl":{"r":[null]}`, `"_acl":{"r":[["FORGED"]]}`, `"_acl":{"r":[{"_id":"FORGED"}]}`,
	`"_acl":{"w":"FORGED"}`, `"_acl":{"w":{}}`, `"_acl":{"w":0}`, `"_acl":{"w":[true]}`, `"_acl":{"w":["FORGED",1]}`,
	// groups.
	`"_acl":{"groups":[]}`, `"_acl":{"groups":"x"}`, `"_acl":{"groups":1}`, `"_acl":{"groups":true}`, `"_acl":{"groups":{"r":"x"}}`, `"_acl":{"groups":{"r":{}}}`, `"_acl":{"groups":{"r":[1]}}`,
	`"_acl":{"groups":{"w":"x"}}`, `"_acl":{"groups":{"w":[{}]}}`, `"_acl":{"groups":{"w":[null]}}`,
	// Twice, plainly and in disguise.
	`"_acl":{},"_acl":{"creator":"FORGED","gr":true}`, `"_acl":{"gr":true},"\u005facl":{}`, `"\u005facl":{"gr":true},"_acl":null`, `"_\u0061cl":{},"\u005f\u0061\u0063\u006c":{"gr":true}`,
	`"_acl":{"creator":"FORGED","creator":null}`, `"_acl":{"creator":"x","\u0063reator":"FORGED"}`, `"_acl":{"gr":false,"gr":true}`, `"_acl":{"gr":false,"\u0067r":true}`,
	`"_acl":{"r":[],"r":["FORGED"]}`, `"_acl":{"w":[],"\u0077":["FORGED"]}`, `"_acl":{"groups":{"r":[],"r":["g"]}}`, `"_acl":{"groups":{},"group\u0073":{"r":["g"]}}`, `"_acl":{"x":{"a":1,"a":2}}`,
	// Broken.
	`"_acl":{"r":["\ud800"]}`, "\"_acl\":{\"r\":[\"\xff\"]}", `"_acl":{"$set":{"gr":true}}`, `"_acl":{"a.b":1}`, `"_acl.gr":true`, `"$_acl":{"gr":true}`, `"_acl":{"r":["x",]}`, `"_acl":{"gr":tru}`,
}

// attackStrange are taken, but must grant nothing to anybody but the creator.
var attackStrange = []string{
	`"_ACL":{"creator":"FORGED","gr":true,"gw":true}`, `"_Acl":{"w":["FORGED"]}`, `" _acl":{"gr":true}`, `"_acl ":{"gr":true}`, `"acl":{"gr":true}`,
	`"_acl":{"Creator":"FORGED","GR":true,"GW":true,"R":["FORGED"],"W":["FORGED"],"Groups":{"r":["forgers"]}}`,
	`"_acl":{"creator":"FORGED"}`, `"_acl":{"creator":null}`, `"_acl":{"creator":""}`, `"\u005facl":{"\u0063reator":"FORGED"}`,
	`"_acl":{"groups":{"R":["forgers"],"read":["forgers"]}}`, `"_acl":{"roles":{"r":["all-users"],"u":["all-users"],"d":["all-users"]}}`,
	`"_acl":{"gr ":true,"\u00a0gr":true,"ｇｒ":true}`, `"_acl":{"acl":{"gr":true},"_acl":{"gr":true}}`, `"x":{"_acl":{"gr":true,"creator":"FORGED"}}`,
	`"_acl":{"r":["forgers"],"w":["forgers"]}`, `"_acl":{"groups":{"r":["FORGED"],"w":["FORGED"]}}`, `"_acl":{"r":[""," FORGED","FORGED ","forged"]}`,
	`"_acl":null,"_kmd":{"_acl":{"gr":true}}`, `"_acl":{"gr":null,"gw":null,"r":null,"w":null,"groups":null}`, `"_acl":{"creator":null,"gr":false,"gw":false,"r":[],"w":[],"groups":{"r":[],"w":[]}}`,
}

// No mutation of _acl is understood in a way that the sender of another did not
// mean. Guards: acl.Parse, document.Body, the exact names in readEntity.
func TestAttackMutatedACLs(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.want(s.do("PUT", "/group/"+kid+"/forgers", asMaster, attackMembers(mallory)), 201, "")
	s.setLevel("diary", "private")
	path := "/appdata/" + kid + "/diary"
	s.want(s.do("POST", path, victim.session(), `{"_id":"old","x":1}`), 201, "")
	stored := s.do("GET", path+"/old", asMaster, "")
	for i, m := range attackACLs {
		m = strings.ReplaceAll(m, "FORGED", mallory.id)
		for _, request := range [][3]string{
			{"POST", path, fmt.Sprintf(`{"_id":"new%d",%s}`, i, m)},
			{"PUT", path + fmt.Sprintf("/new%d", i), `{` + m + `}`},
			{"PUT", path + "/old", `{` + m + `}`},
			{"POST", "/user/" + kid, fmt.Sprintf(`{"username":"new%d",%s}`, i, m)},
			{"PUT", "/user/" + kid + "/" + victim.id, `{` + m + `}`},
			{"POST", "/group/" + kid, fmt.Sprintf(`{"_id":"new%d",%s}`, i, m)},
		} {
			who := victim.session()
			if request[1] == "/user/"+kid {
				who = asApp
			}
			if a := s.do(request[0], request[1], who, request[2]); a.status != 400 {
				t.Errorf("%s %s %q: %d %s", request[0], request[1], request[2], a.status, a.body)
			} else if !utf8.Valid(a.body) {
				t.Errorf("%q: the answer is not UTF-8: %q", request[2], a.body)
			}
		}
	}
	attackSame(t, "the entity", stored, s.do("GET", path+"/old", asMaster, ""))
	if got := ids(t, s.do("GET", path, asMaster, "")); !slices.Equal(got, []string{"old"}) {
		t.Errorf("refused entities were stored: %v", got)
	}
}

func TestAttackStrangeACLsGrantNothing(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.want(s.do("PUT", "/group/"+kid+"/forgers", asMaster, attackMembers(mallory)), 201, "")
	s.setLevel("diary", "private")
	path := "/appdata/" + kid + "/diary"
	for i, m := range attackStrange {
		m = strings.ReplaceAll(m, "FORGED", mallory.id)
		id := fmt.Sprintf("s%d", i)
		a := s.want(s.do("POST", path, victim.session(), fmt.Sprintf(`{"_id":%q,%s}`, id, m)), 201, "")
		b := s.want(s.do("PUT", path+"/"+id, victim.session(), fmt.Sprintf(`{"_id":"other",%s}`, m)), 200, "")
		for _, got := range []any{a.json(t), b.json(t)} {
			if get(got, "_acl", "creator") != victim.id || get(got, "_id") != id {
				t.Errorf("%s: creator %v, id %v", m, get(got, "_acl", "creator"), get(got, "_id"))
			}
		}
		if attackReads(s, mallory, id) {
			t.Errorf("%s: mallory reads it", m)
		}
		s.want(s.do("PUT", path+"/"+id, mallory.session(), `{}`), 401, "InsufficientCredentials")
		s.want(s.do("DELETE", path+"/"+id, mallory.session(), ""), 401, "InsufficientCredentials")
	}
	if got := ids(t, s.do("GET", path, mallory.session(), "")); len(got) != 0 {
		t.Errorf("mallory lists %v", got)
	}
}

// A creator who is named in the body is ignored, on every way to create.
// Guard: acl.Creator.
func TestAttackForgedCreator(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.setLevel("diary", "full")
	for i, creator := range []string{victim.id, kid, "", "nobody"} {
		body := fmt.Sprintf(`{"_id":"c%d","_acl":{"creator":%q,"gr":true}}`, i, creator)
		for _, r := range [][2]string{{"POST", "/appdata/" + kid + "/diary"}, {"PUT", fmt.Sprintf("/appdata/%s/diary/d%d", kid, i)},
			{"POST", "/group/" + kid}, {"PUT", fmt.Sprintf("/group/%s/g%d", kid, i)}} {
			a := s.want(s.do(r[0], r[1], mallory.session(), body), 201, "")
			if got := get(a.json(t), "_acl", "creator"); got != mallory.id {
				t.Errorf("%s %s with creator %q: %v", r[0], r[1], creator, got)
			}
		}
	}
}

// Whoever may write changes neither owner nor grants. Guard: acl.Amend.
func TestAttackWriterChangesTheACL(t *testing.T) {
	for _, strict := range []bool{false, true} {
		s := start(t, attackWith(func(o *engine.AppOptions) { o.StrictACL = strict }))
		victim, mallory := s.signUp("victim"), s.signUp("mallory")
		s.want(s.do("PUT", "/group/"+kid+"/forgers", asMaster, attackMembers(mallory)), 201, "")
		s.setLevel("open", "full")
		for i, grant := range []string{`{"w":["` + mallory.id + `"]}`, `{"gw":true,"gr":true}`, `{"groups":{"w":["forgers"]}}`, `{}`} {
			path := fmt.Sprintf("/appdata/%s/open/e%d", kid, i)
			want := get(s.want(s.do("PUT", path, victim.session(), `{"_acl":`+grant+`}`), 201, "").json(t), "_acl")
			for _, sent := range []string{
				`{"creator":"` + mallory.id + `"}`, `{"creator":"` + mallory.id + `","w":["` + mallory.id + `"],"gr":false}`,
				`{"gr":false,"gw":false}`, `{"r":["` + mallory.id + `"]}`, `{"groups":{"r":["forgers"]}}`, `{"creator":null}`,
			} {
				a := s.do("PUT", path, mallory.session(), `{"y":1,"_acl":`+sent+`}`)
				if a.status != 200 && !(strict && a.status == 401 && a.error(t) == "InsufficientCredentials") {
					t.Errorf("strict %v, %s: %d %s", strict, sent, a.status, a.body)
				}
				s.do("POST", "/appdata/"+kid+"/open", mallory.session(), fmt.Sprintf(`{"_id":"e%d","_acl":%s}`, i, sent))
				if got := get(s.do("GET", path, asMaster, "").json(t), "_acl"); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("strict %v, %s by a writer: _acl is now %v, was %v", strict, sent, got, want)
				}
			}
		}
	}
}

// What a writer who cannot read is answered holds nothing that was stored.
// Guard: the last if of compose in entity_intents.go and user_intents.go.
func TestAttackWriterWithoutReadLearnsNothing(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.setLevel("diary", "private")
	secret := []string{"s3cr3t", "hidden-reader", "hidden-group", "note", "victim@example.org", "\"gr\"", "\"gw\"", "\"w\""}
	for _, grant := range []string{`"gw":true`, `"w":["` + mallory.id + `"]`} {
		acl := `"_acl":{` + grant + `,"gr":false,"r":["hidden-reader"],"groups":{"r":["hidden-group"]},"note":"x"}`
		path := "/appdata/" + kid + "/diary/e"
		s.want(s.do("PUT", path, victim.session(), `{"text":"s3cr3t",`+acl+`}`), 201, "")
		for _, body := range []string{`{}`, `{"a":1}`, `{"_acl":{}}`, `{"_acl":null,"text":null}`} {
			a := s.want(s.do("PUT", path+"?fields=text", mallory.session(), body), 200, "")
			attackLacks(t, "PUT "+body, a, secret...)
			s.want(s.do("PUT", path, victim.session(), `{"text":"s3cr3t"}`), 200, "")
			a = s.want(s.do("POST", "/appdata/"+kid+"/diary", mallory.session(), `{"_id":"e"}`), 200, "")
			attackLacks(t, "POST", a, secret...)
			s.want(s.do("PUT", path, victim.session(), `{"text":"s3cr3t"}`), 200, "")
		}
		s.want(s.do("GET", path, mallory.session(), ""), 401, "InsufficientCredentials")
		attackLacks(t, "DELETE", s.want(s.do("DELETE", path, mallory.session(), ""), 200, ""), secret...)
		s.want(s.do("PUT", "/user/"+kid+"/"+victim.id, victim.session(), `{"email":"victim@example.org","text":"s3cr3t",`+acl+`}`), 200, "")
		a := s.want(s.do("PUT", "/user/"+kid+"/"+victim.id, mallory.session(), `{"a":1}`), 200, "")
		attackLacks(t, "PUT of a user", a, secret...)
	}
}

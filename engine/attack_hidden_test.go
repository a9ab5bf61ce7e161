package engine_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"postern/engine"
)

// Whoever may write but not read cannot find out what is written by deleting
// where a predicate holds. Guard: deleteEntities walks visible() only, and the
// two Decide calls of deleteEntity.plan.
func TestAttackDeleteByQueryAsAnOracle(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	s.want(s.do("PUT", "/group/"+kid+"/forgers", asMaster, attackMembers(mallory)), 201, "")
	for i, grant := range []string{`"gw":true`, `"w":["` + mallory.id + `"]`, `"groups":{"w":["forgers"]}`, `"gw":true,"gr":false`} {
		attackDiary(s, victim, fmt.Sprintf("e%d", i), `{`+grant+`}`)
	}
	s.want(s.do("POST", "/appdata/"+kid+"/diary", mallory.session(), `{"_id":"own","text":"mine"}`), 201, "")
	for _, filter := range []string{`{"secret":"s3cr3t"}`, `{"secret":"wrong"}`, `{"secret":{"$gte":"s"}}`, `{"secret":{"$exists":true}}`, `{"_id":"e0"}`,
		`{"_id":{"$in":["e0","e1","e2","e3","none"]}}`, `{"_acl.creator":"` + victim.id + `"}`, `{"_acl.gw":true}`, `{"$or":[{"secret":"s3cr3t"},{"_id":"e1"}]}`} {
		a := s.want(s.do("DELETE", attackQuery("diary", filter), mallory.session(), ""), 200, "")
		if string(a.body) != `{"count":0}` {
			t.Errorf("%s: %s", filter, a.body)
		}
	}
	if got := ids(t, s.do("GET", "/appdata/"+kid+"/diary", asMaster, "")); len(got) != 5 {
		t.Errorf("left are %v", got)
	}
	a := s.want(s.do("DELETE", "/appdata/"+kid+"/diary?query={}", mallory.session(), ""), 200, "")
	if string(a.body) != `{"count":1}` {
		t.Errorf("everything of mallory's: %s", a.body)
	}
	if got := ids(t, s.do("GET", "/appdata/"+kid+"/diary", asMaster, "")); !slices.Equal(got, []string{"e0", "e1", "e2", "e3"}) {
		t.Errorf("left are %v", got)
	}
	// What may be read but not written stays, and a delete without a query is none.
	s.setLevel("board", "shared")
	s.want(s.do("POST", "/appdata/"+kid+"/board", victim.session(), `{"_id":"p"}`), 201, "")
	a = s.want(s.do("DELETE", "/appdata/"+kid+"/board?query={}", mallory.session(), ""), 200, "")
	if string(a.body) != `{"count":0}` {
		t.Errorf("somebody else's: %s", a.body)
	}
	s.want(s.do("DELETE", "/appdata/"+kid+"/board", mallory.session(), ""), 400, "MissingQuery")
}

// hiddenTwins are two servers that differ in what is hidden from mallory alone:
// of forty entities of the victim every second is for all to see, and bare lacks
// the others. a is mallory of full, b is mallory of bare. members are those of the
// entity i besides its _id and _acl.
func hiddenTwins(t *testing.T, members func(i int) string, change ...func(*options)) (full, bare *server, a, b user) {
	now := newClock()
	build := func(hidden bool) (*server, user) {
		s := start(t, append([]func(*options){func(o *options) {
			o.config.Clock = now.Now
			o.config.Random = newSeeded(7)
		}}, change...)...)
		victim, mallory := s.signUp("victim"), s.signUp("mallory")
		s.setLevel("mixed", "shared")
		for i := range 40 {
			acl := `{}`
			switch {
			case i%2 == 0:
			case !hidden:
				continue
			case i%4 == 1:
				acl = `{"gr":false}`
			default:
				acl = `{"gr":false,"gw":true,"w":["` + mallory.id + `"],"groups":{"r":["g"],"w":["g"]}}`
			}
			body := fmt.Sprintf(`{"_id":"e%02d",%s,"_acl":%s}`, i, members(i), acl)
			s.want(s.do("POST", "/appdata/"+kid+"/mixed", victim.session(), body), 201, "")
		}
		return s, mallory
	}
	full, a = build(true)
	bare, b = build(false)
	return full, bare, a, b
}

// Two servers that differ in what is hidden alone answer to the byte alike
// (R12): whatever is asked, in whatever order and window.
func TestAttackHiddenEntitiesInLists(t *testing.T) {
	full, bare, a, b := hiddenTwins(t, func(i int) string { return fmt.Sprintf(`"n":%d,"t":"t%d","deep":{"x":[%d]}`, (i*7)%13, i%4, i) })
	var paths []string
	for _, filter := range []string{``, `{}`, `{"n":{"$gte":5}}`, `{"t":"t1"}`, `{"t":{"$in":["t1","t3"]}}`, `{"_id":"e01"}`, `{"_id":"e03"}`, `{"_id":{"$gt":"e30"}}`, `{"_acl.gr":false}`,
		`{"_acl.gr":{"$exists":true}}`, `{"deep.x":7}`, `{"deep.x.0":{"$lt":9}}`, `{"$or":[{"n":1},{"t":"t3"}]}`, `{"none":null}`, `{"n":{"$ne":0}}`} {
		q := "?query=" + url.QueryEscape(filter)
		if filter == "" {
			q = "?x="
		}
		paths = append(paths, "/mixed/_count"+q)
		for _, more := range []string{"", "&sort=n", `&sort={"n":-1,"_id":1}`, "&sort=" + url.QueryEscape(`{"t":-1}`), "&skip=3", "&limit=5", "&skip=2&limit=3", `&sort={"n":1}&skip=5&limit=4`, "&skip=1000", "&limit=1", "&fields=n,deep.x", "&skip=19&limit=2"} {
			paths = append(paths, "/mixed"+q+more)
		}
	}
	for i := range 40 {
		if i%2 == 0 {
			paths = append(paths, fmt.Sprintf("/mixed/e%02d", i))
		}
	}
	for _, p := range paths {
		x := full.do("GET", "/appdata/"+kid+p, a.session(), "")
		y := bare.do("GET", "/appdata/"+kid+p, b.session(), "")
		// The creation times and ids are the same: clock and randomness are.
		attackSame(t, p, x, y)
	}
	// Deleting by query counts and removes the visible ones only.
	p := attackQuery("mixed", `{"n":{"$gte":0}}`)
	attackSame(t, "DELETE", full.do("DELETE", p, a.session(), ""), bare.do("DELETE", p, b.session(), ""))
}

// Whether a hidden entity has an id is told by nothing but the refusal to use
// the id: that is the same for one that can be seen and not written.
func TestAttackWriteOnHiddenID(t *testing.T) {
	for _, hide := range []bool{false, true} {
		for _, level := range []string{"shared", "private", "read-only"} {
			s := start(t, attackWith(func(o *engine.AppOptions) { o.HideUnreadable = hide }))
			victim, mallory := s.signUp("victim"), s.signUp("mallory")
			s.setLevel("c", "shared")
			path := "/appdata/" + kid + "/c"
			s.want(s.do("POST", path, victim.session(), `{"_id":"hidden","x":"s3cr3t","_acl":{"gr":false}}`), 201, "")
			s.want(s.do("POST", path, victim.session(), `{"_id":"visible","x":"s3cr3t","_acl":{"gr":true}}`), 201, "")
			s.setLevel("c", level)
			for _, version := range []string{"3", "4", "5", "6"} {
				hidden := s.do("POST", path, mallory.session(), `{"_id":"hidden"}`, "X-Kinvey-Api-Version", version)
				visible := s.do("POST", path, mallory.session(), `{"_id":"visible"}`, "X-Kinvey-Api-Version", version)
				if hide && version < "5" && level != "read-only" {
					// Here the hidden one must be as if a create were refused.
					s.want(hidden, 401, "InsufficientCredentials")
					s.want(visible, 401, "InsufficientCredentials")
				} else {
					attackSame(t, level+" POST "+version, hidden, visible)
				}
				attackLacks(t, "POST", hidden, "s3cr3t", victim.id)
			}
			hidden := s.do("PUT", path+"/hidden", mallory.session(), `{"_id":"hidden"}`)
			visible := s.do("PUT", path+"/visible", mallory.session(), `{"_id":"visible"}`)
			s.want(hidden, 401, "InsufficientCredentials")
			if !hide {
				attackSame(t, level+" PUT", hidden, visible)
			}
			s.want(visible, 401, "InsufficientCredentials")
			for _, id := range []string{"hidden", "visible"} {
				if a := s.do("GET", path+"/"+id, asMaster, ""); !strings.Contains(string(a.body), "s3cr3t") {
					t.Errorf("%s is now %s", id, a.body)
				}
			}
		}
	}
}

// With hideUnreadable what is hidden answers as what is not there, to the byte,
// also to somebody who could write it. Guards: the HideUnreadable branches of
// get, putEntity.allowed and deleteEntity.plan.
func TestAttackHiddenAnswersAsMissing(t *testing.T) {
	s := start(t, attackWith(func(o *engine.AppOptions) { o.HideUnreadable = true }))
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	for _, level := range []string{"shared", "private", "read-only", "full"} {
		for i, acl := range []string{`{"gr":false}`, `{"gr":false,"gw":true}`, `{"gr":false,"w":["` + mallory.id + `"]}`} {
			s.setLevel("c", "shared")
			id := fmt.Sprintf("hidden-%s-%d", level, i)
			path := "/appdata/" + kid + "/c/"
			s.want(s.do("PUT", path+id, victim.session(), `{"x":"s3cr3t","_acl":`+acl+`}`), 201, "")
			s.setLevel("c", level)
			missing := strings.Replace(id, "hidden", "missed", 1)
			for _, r := range [][2]string{{"GET", ""}, {"GET", "?fields=x"}, {"DELETE", ""}} {
				attackSame(t, level+" "+acl+" "+r[0], s.do(r[0], path+id+r[1], mallory.session(), ""), s.do(r[0], path+missing+r[1], mallory.session(), ""))
			}
			a := s.do("PUT", path+id, mallory.session(), `{"x":1}`)
			s.want(a, 401, "InsufficientCredentials")
			if level == "read-only" {
				attackSame(t, "PUT", a, s.do("PUT", path+missing, mallory.session(), `{"x":1}`))
			}
			s.want(s.do("GET", path+id, victim.session(), ""), 200, "")
		}
	}
	// Groups are entities.
	s.want(s.do("PUT", "/group/"+kid+"/secret", victim.session(), `{"_acl":{"gr":false,"gw":true}}`), 201, "")
	for _, method := range []string{"GET", "DELETE"} {
		attackSame(t, method+" of a group", s.do(method, "/group/"+kid+"/secret", mallory.session(), ""), s.do(method, "/group/"+kid+"/missed", mallory.session(), ""))
	}
	s.want(s.do("PUT", "/group/"+kid+"/secret", mallory.session(), `{}`), 401, "InsufficientCredentials")
}

// No error names what it keeps back.
func TestAttackErrorsNameNothingHidden(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	attackDiary(s, victim, "hidden-id", `{"r":["hidden-reader"],"groups":{"r":["hidden-group"]}}`)
	secret := []string{"hidden-id", "hidden-reader", "hidden-group", "s3cr3t", victim.id, "victim", "index", "goroutine", ".go:"}
	path := "/appdata/" + kid + "/diary"
	for _, r := range [][3]string{
		{"GET", path + "/hidden%2Did", ""}, {"PUT", path + "/hidden%2Did", `{}`}, {"DELETE", path + "/hidden%2Did", ""},
		{"POST", path, `{"_id":"hidden\u002did"}`}, {"GET", path, ""}, {"GET", path + "/_count", ""},
		{"GET", path + "?query={\"secret\":{\"$gt\":\"a\"}}", ""}, {"GET", path + "?sort=secret", ""}, {"DELETE", path + "?query={}", ""},
		{"PUT", path + "/hidden%2Did", `{`}, {"PUT", path + "/hidden%2Did", `{"_acl":1}`},
	} {
		a := s.do(r[0], r[1], mallory.session(), r[2])
		attackLacks(t, r[0]+" "+r[1]+" "+r[2], a, secret...)
		a = s.do(r[0], r[1], mallory.session(), r[2], "X-Kinvey-Api-Version", "5")
		attackLacks(t, r[0]+" "+r[1]+" "+r[2], a, secret...)
	}
}

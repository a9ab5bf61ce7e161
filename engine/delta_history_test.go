package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/engine/store"
)

// keeper is a client as the SDKs are: it holds what it was answered, and asks
// for the difference.
type keeper struct {
	name, who  string
	coll, find string
	held       map[string]string // id -> entity
	since      string            // "": nothing is held
	fulls      int
	deltas     int
}

// bodies is a list answer by id.
func bodies(t testing.TB, a answer) map[string]string {
	t.Helper()
	if a.status != 200 {
		t.Fatalf("list: %d %s", a.status, a.body)
	}
	all := map[string]string{}
	for _, e := range a.json(t).([]any) {
		id, _ := get(e, "_id").(string)
		all[id] = fmt.Sprint(e) // maps print in the order of their keys
	}
	return all
}

func (k *keeper) full(s *server) answer {
	return s.do("GET", "/appdata/"+kid+"/"+k.coll+"?"+url.Values{"query": {k.find}}.Encode(), k.who, "")
}

// sync brings the keeper up to date. readable holds every id that he could ever
// read.
func (k *keeper) sync(s *server, readable map[string]bool) {
	t := s.t
	t.Helper()
	var a answer
	if k.since != "" {
		a = s.delta(k.who, k.coll, k.since, k.find)
	}
	switch {
	case k.since == "" || a.status == 400 && a.error(t) == "ParameterValueOutOfRange" || a.status == 403 && a.error(t) == "MissingConfiguration":
		a = k.full(s)
		k.held = bodies(t, a)
		k.fulls++
	default:
		_, deleted := told(t, a)
		for _, id := range deleted {
			if !readable[id] {
				t.Fatalf("%s was told of %s, which he could never read: %s", k.name, id, a.body)
			}
			delete(k.held, id)
		}
		for _, e := range get(a.json(t), "changed").([]any) {
			id, _ := get(e, "_id").(string)
			k.held[id] = fmt.Sprint(e)
		}
		k.deltas++
	}
	k.since = a.header["X-Kinvey-Request-Start"]
	if want := bodies(t, k.full(s)); !maps.Equal(k.held, want) {
		t.Fatalf("%s holds of %s %s\n%v\na full find gives\n%v\nlast answer %s", k.name, k.coll, k.find, k.held, want, a.body)
	}
}

// A client that applies delta sets holds what a full find would give it,
// whatever happens to entities, permissions, levels, groups and the server; and
// no id is ever told to whom could never read it.
func TestDeltaEqualsFullFind(t *testing.T) {
	histories, steps := 6, 700
	if testing.Short() {
		histories, steps = 2, 250
	}
	first := seed(t)
	fulls, deltas := 0, 0
	for n := range histories {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f, d := deltaHistory(t, rand.New(rand.NewPCG(first, uint64(n))), steps)
			fulls, deltas = fulls+f, deltas+d
		})
	}
	if deltas < fulls {
		t.Errorf("%d full finds and only %d delta sets: the histories ask too little", fulls, deltas)
	}
	t.Logf("figure: delta sets: %d histories of %d steps, %d delta sets applied, %d full finds, each compared with a full find", histories, steps, deltas, fulls)
}

func deltaHistory(t *testing.T, rng *rand.Rand, steps int) (fulls, deltas int) {
	c := newClock()
	driver := lasting{store.NewMemory()}
	boot := func() *server {
		return start(t, onDriver(driver), func(o *options) { o.config.Clock = c.Now })
	}
	s := boot()
	colls := []string{"red", "blue"}
	for _, coll := range colls {
		s.deltaOn(coll)
	}
	users := []user{s.signUp("alice"), s.signUp("bob"), s.signUp("carol"), s.signUp("dave")}
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	someone := func() user { return users[rng.IntN(len(users))] }
	some := func(n int, one func() string) string {
		var list []string
		for range rng.IntN(n + 1) {
			list = append(list, `"`+one()+`"`)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	userID := func() string { return someone().id }
	groupID := func() string { return pick("g0", "g1", "g2") }
	acl := func() string {
		if rng.IntN(3) == 0 {
			return ""
		}
		return `,"_acl":{"r":` + some(2, userID) + `,"groups":{"r":` + some(2, groupID) + `}` + pick("", `,"gr":true`, `,"gr":false`, `,"gr":false`) + pick("", `,"gw":true`) + `}`
	}

	type key struct{ user, coll string }
	readable := map[key]map[string]bool{}
	look := func() {
		for _, u := range users {
			for _, coll := range colls {
				k := key{u.name, coll}
				if readable[k] == nil {
					readable[k] = map[string]bool{}
				}
				for _, id := range ids(t, s.do("GET", "/appdata/"+kid+"/"+coll, u.session(), "")) {
					readable[k][id] = true
				}
			}
		}
	}
	var keepers []*keeper
	for _, u := range users {
		for _, coll := range colls {
			for _, find := range []string{`{}`, `{"n":{"$lt":3}}`} {
				keepers = append(keepers, &keeper{name: u.name, who: u.session(), coll: coll, find: find})
			}
		}
	}
	keepers = append(keepers, &keeper{name: "master", who: asMaster, coll: "red", find: `{}`})

	for range steps {
		coll := pick(colls...)
		box, id := "/appdata/"+kid+"/"+coll, fmt.Sprintf("/e%d", rng.IntN(14))
		who := pick(asMaster, someone().session(), someone().session())
		body := fmt.Sprintf(`{"n":%d%s}`, rng.IntN(6), acl())
		switch rng.IntN(60) {
		default:
			s.do("PUT", box+id, who, body)
		case 0, 1, 2, 3, 4, 5:
			s.do("DELETE", box+id, who, "")
		case 6:
			s.do("DELETE", box+"?query="+url.QueryEscape(`{"n":4}`), who, "")
		case 7, 8, 9:
			s.do("PUT", "/group/"+kid+"/"+groupID(), asMaster, groupText(rng, users, groupID()))
		case 10:
			s.do("PUT", "/group/"+kid+"/"+groupID(), asMaster, groupText(rng, users, ""))
		case 11:
			s.do("DELETE", "/group/"+kid+"/"+groupID(), asMaster, "")
		case 12:
			if rng.IntN(3) == 0 {
				s.setLevel(coll, pick("append-read", "append-only", "read-only", "write"))
			}
		case 13:
			if rng.IntN(6) == 0 {
				s.do("DELETE", "/v4/environments/"+kid+"/collections/"+coll, asMaster, "")
				if rng.IntN(4) > 0 {
					s.deltaOn(coll)
				}
			} else if rng.IntN(3) == 0 {
				s.do("PUT", "/v4/environments/"+kid+"/collections/"+coll, asMaster, `{"deltaSet":{"enabled":`+pick("true", "true", "false")+`}}`)
				s.deltaOn(coll)
			}
		case 14:
			if rng.IntN(3) == 0 {
				s.stop()
				s = boot()
			}
		case 15:
			s.do("PUT", box+id, asMaster, fmt.Sprintf(`{"n":%d,"_kmd":{"lmt":"2001-01-01T00:00:00.000Z","ect":"2001-01-01T00:00:00.000Z"}%s}`, rng.IntN(6), acl()))
		case 16:
			c.Add(time.Duration(rng.IntN(3)) * 24 * time.Hour)
		}
		look()
		c.Add(time.Duration(rng.IntN(3)) * time.Millisecond) // often not at all
		for range 3 {
			k := keepers[rng.IntN(len(keepers))]
			all := readable[key{k.name, k.coll}]
			if k.name == "master" {
				all = everyID()
			}
			k.sync(s, all)
		}
	}
	for _, k := range keepers {
		fulls, deltas = fulls+k.fulls, deltas+k.deltas
	}
	return fulls, deltas
}

// groupText is a random group with some of the users and one group in it.
func groupText(rng *rand.Rand, users []user, nested string) string {
	var list []string
	for _, u := range users {
		if rng.IntN(3) == 0 {
			list = append(list, `{"_id":"`+u.id+`"}`)
		}
	}
	groups := ""
	if nested != "" {
		groups = `{"_id":"` + nested + `"}`
	}
	return `{"users":{"all":` + []string{"false", "false", "false", "true"}[rng.IntN(4)] + `,"list":[` + strings.Join(list, ",") + `]},"groups":[` + groups + `]}`
}

func everyID() map[string]bool {
	all := map[string]bool{}
	for i := range 14 {
		all[fmt.Sprintf("e%d", i)] = true
	}
	return all
}

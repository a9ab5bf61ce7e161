package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"testing"
)

// Non-interference (R12): run a request, change only what the requester may not
// read, run it again: the same bytes and the same headers. The clock stands
// still and the request id is given, so nothing else can differ.
func TestHiddenEntitiesDoNotInterfere(t *testing.T) {
	rounds := 1500
	if testing.Short() {
		rounds = 100
	}
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1))
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now; o.config.Random = newSeeded(n) })
	w := newHiddenWorld(s, rng)
	compared := 0
	for range rounds {
		requests := w.requests()
		before := make([]answer, len(requests))
		for i, q := range requests {
			before[i] = w.ask(q)
			if i < 2 && before[i].status != 200 { // the count and the list: nothing is to be learnt from a refusal
				t.Fatalf("GET %s: %d %s", q, before[i].status, before[i].body)
			}
		}
		said := w.disturb()
		for i, q := range requests {
			after := w.ask(q)
			if string(after.body) != string(before[i].body) || after.status != before[i].status || !maps.Equal(after.header, before[i].header) {
				t.Fatalf("GET %s\nbefore %d %v %s\nafter  %d %v %s\nin between: %s", q,
					before[i].status, before[i].header, before[i].body, after.status, after.header, after.body, said)
			}
			compared++
		}
	}
	t.Logf("figure: %d answers unchanged by what their requester may not read", compared)
}

// hiddenWorld has one who looks and others who do things he may not see.
type hiddenWorld struct {
	s      *server
	rng    *rand.Rand
	viewer user
	others []user
	ids    []string
}

func newHiddenWorld(s *server, rng *rand.Rand) *hiddenWorld {
	w := &hiddenWorld{s: s, rng: rng, viewer: s.signUp("viewer")}
	for i := range 4 {
		w.others = append(w.others, s.signUp(fmt.Sprintf("other%d", i)))
	}
	for i := range 40 {
		w.ids = append(w.ids, fmt.Sprintf("e%02d", i))
	}
	s.want(s.do("PUT", "/group/"+kid+"/in", asMaster, `{"users":{"list":[{"_id":"`+w.viewer.id+`"}]}}`), 201, "")
	s.want(s.do("PUT", "/group/"+kid+"/out", asMaster, `{"users":{"list":[{"_id":"`+w.others[0].id+`"}]}}`), 201, "")
	s.setLevel("private", "private")
	s.setLevel("shared", "shared")
	s.setLevel("user", "private")
	for _, id := range w.ids {
		// What the viewer sees stays as it is; the rest is disturbed.
		who, acl := w.others[rng.IntN(len(w.others))], ""
		switch rng.IntN(4) {
		case 0:
			who = w.viewer
		case 1:
			acl = `"_acl":{"gr":true},`
		case 2:
			acl = `"_acl":{"gr":false,"groups":{"r":["in"]}},`
		default:
			continue
		}
		for _, coll := range []string{"private", "shared"} {
			s.want(s.do("PUT", "/appdata/"+kid+"/"+coll+"/"+id, who.session(), `{`+acl+w.fields()+`}`), 201, "")
		}
	}
	return w
}

func (w *hiddenWorld) fields() string {
	n := func(most int) int { return w.rng.IntN(most) }
	return fmt.Sprintf(`"n":%d,"s":%q,"o":{"a":%d},"l":[%d,%d],"m":[{"k":%d,"j":%d}],"_geoloc":[%d,%d],"ref":`,
		n(10), string(rune('a'+n(5))), n(3), n(4), n(4), n(3), n(3), n(9), n(9)) +
		ref([]string{"private", "shared"}[n(2)], w.ids[n(len(w.ids))]+"-hidden") // there or not, he cannot tell
}

// ask sends the viewer's request. The date of the HTTP server is the machine's.
func (w *hiddenWorld) ask(path string) answer {
	a := w.s.do("GET", path, w.viewer.session(), "", "X-Kinvey-Request-Id", "fixed")
	delete(a.header, "Date")
	return a
}

// requests are some reads of the viewer.
func (w *hiddenWorld) requests() []string {
	coll := "/appdata/" + kid + "/" + []string{"private", "shared"}[w.rng.IntN(2)]
	filters := []string{`{}`, `{"n":3}`, `{"n":{"$gte":4}}`, `{"$or":[{"s":"a"},{"o.a":1}]}`, `{"n":{"$exists":false}}`, `{"_acl.creator":"` + w.others[0].id + `"}`,
		`{"$nor":[{"s":"a"},{"n":{"$lt":4}}]}`, `{"n":{"$not":{"$gt":5}}}`, `{"n":{"$mod":[3,1]}}`, `{"s":{"$regex":"^[a-c]"}}`, `{"l":{"$all":[1,2]}}`, `{"l":{"$size":2}}`,
		`{"l":{"$elemMatch":{"$gte":1,"$lt":3}}}`, `{"m":{"$elemMatch":{"k":1,"j":{"$gt":0}}}}`, `{"o":{"$type":"object"}}`, `{"_geoloc":{"$nearSphere":[4.3,4.7]}}`,
		`{"_geoloc":{"$nearSphere":[4.3,4.7],"$maxDistance":250.5}}`, `{"_geoloc":{"$within":{"$box":[[1.5,1.5],[5.5,6.5]]}}}`, `{"_geoloc":{"$geoWithin":{"$centerSphere":[[4.3,4.7],0.05]}}}`,
		`{"_geoloc":{"$geoWithin":{"$polygon":[[0.5,0.5],[7.5,1.5],[4.5,8.5]]}}}`}
	filter := filters[w.rng.IntN(len(filters))]
	q := url.Values{"query": {filter}}
	out := []string{coll + "/_count?" + q.Encode()}
	if w.rng.IntN(2) == 0 {
		q.Set("sort", []string{`{"n":1}`, `{"s":-1,"n":1}`, `{"_kmd.lmt":-1}`, `{"o.a":1}`, `{"l":1}`, `{"m.k":-1,"_geoloc":1}`}[w.rng.IntN(6)])
	}
	if w.rng.IntN(2) == 0 {
		q.Set("skip", fmt.Sprint(w.rng.IntN(6)))
	}
	if w.rng.IntN(2) == 0 {
		q.Set("limit", fmt.Sprint(1+w.rng.IntN(6)))
	}
	if w.rng.IntN(3) == 0 {
		q.Set("fields", "n,o.a,ref")
	}
	if w.rng.IntN(3) == 0 {
		q.Set("resolve", "ref")
		q.Set("resolve_depth", fmt.Sprint(w.rng.IntN(3)))
	}
	return append(out, coll+"?"+q.Encode(), coll, "/user/"+kid, "/group/"+kid+"/out", coll+"/"+w.ids[w.rng.IntN(len(w.ids))]+"x")
}

// disturb has somebody else do something that the viewer may not see. It
// returns what.
func (w *hiddenWorld) disturb() string {
	s := w.s
	who := w.others[w.rng.IntN(len(w.others))]
	id := w.ids[w.rng.IntN(len(w.ids))] + "-hidden"
	for {
		switch w.rng.IntN(6) {
		case 0, 1:
			coll, acl := "private", `"_acl":{"r":["`+who.id+`","in"]},` // a user called like the viewer's group
			if w.rng.IntN(2) == 0 {
				coll, acl = "shared", `"_acl":{"gr":false,"w":["`+w.viewer.id+`"],"groups":{"r":["out","`+w.viewer.id+`"]}},`
			}
			a := s.do("PUT", "/appdata/"+kid+"/"+coll+"/"+id, asMaster, `{`+acl+w.fields()+`}`)
			return fmt.Sprintf("PUT %s %s: %d", coll, id, a.status)
		case 2:
			a := s.do("DELETE", "/appdata/"+kid+"/private/"+id, asMaster, "")
			return fmt.Sprintf("DELETE private %s: %d", id, a.status)
		case 3:
			a := s.do("DELETE", "/appdata/"+kid+"/shared?query="+url.QueryEscape(`{"_acl.gr":false,"n":{"$lt":3},"_acl.groups.r":"out"}`), asMaster, "")
			return fmt.Sprintf("DELETE of hidden shared: %s", a.body)
		case 4:
			// Somebody else's profile, which is private.
			a := s.do("PUT", "/user/"+kid+"/"+who.id, who.session(), `{`+w.fields()+`}`)
			return fmt.Sprintf("PUT user: %d", a.status)
		case 5:
			a := s.do("PUT", "/appdata/"+kid+"/elsewhere/"+id, who.session(), `{"n":1}`)
			return fmt.Sprintf("PUT elsewhere: %d", a.status)
		}
	}
}

package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
)

// rightsByHTTP is who may do what with which entity, as HTTP answers it.
func (w *whyWorld) rightsByHTTP() map[string]bool {
	w.t.Helper()
	can := map[string]bool{}
	for _, e := range w.entities {
		for _, u := range w.users {
			for _, right := range []string{"read", "write"} {
				if w.try(u, right, e) {
					can[right+" "+e.collection+" "+e.id+" "+u.id] = true
				}
			}
		}
	}
	return can
}

type previewed struct {
	Users, Entities int
	Read, Write     struct{ Gain, Lose int }
	Samples         []struct{ Right string }
}

func (w *whyWorld) preview(path, body string) (p previewed) {
	w.t.Helper()
	a := w.want(w.do("POST", path, asMaster, body), 200, "")
	if err := json.Unmarshal(a.body, &p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// "Exact, before anything is saved": what is said of a change is what HTTP answers
// before it and after it.
func TestPreviewIsWhatHappens(t *testing.T) {
	changes, moved := 0, 0
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := newWhyWorld(t, r)
		before := w.rightsByHTTP()
		check := func(what string, p previewed) {
			t.Helper()
			after := w.rightsByHTTP()
			got := map[string][2]int{"read": {p.Read.Gain, p.Read.Lose}, "write": {p.Write.Gain, p.Write.Lose}}
			want := map[string][2]int{"read": {}, "write": {}}
			count := func(a, b map[string]bool, i int) {
				for key := range a {
					if !b[key] {
						right := "read"
						if key[0] == 'w' {
							right = "write"
						}
						n := want[right]
						n[i]++
						want[right] = n
						moved++
					}
				}
			}
			count(after, before, 0)
			count(before, after, 1)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("seed %d, %s: it is said that %v, and it is %v", seed, what, got, want)
			}
			if total := p.Read.Gain + p.Read.Lose + p.Write.Gain + p.Write.Lose; (total == 0) != (len(p.Samples) == 0) {
				t.Errorf("%d of them, and %d samples", total, len(p.Samples))
			}
			before = after
			changes++
		}
		for _, level := range []string{"full", "private", "read-only", "shared"} {
			c := w.entities[r.IntN(len(w.entities))].collection
			p := w.preview("/v4/environments/"+kid+"/collections/"+c+"/preview", `{"level":"`+level+`"}`)
			w.setLevel(c, map[string]string{"shared": "append-read", "private": "append-only", "read-only": "read-only", "full": "write"}[level])
			check("level "+level+" of "+c, p)
		}
		for _, g := range []string{"sales", "board", "emea", "new"} {
			members := fmt.Sprintf(`"users":{"all":%t,"list":[%q,%q]},"groups":["emea"]`, r.IntN(4) == 0, w.users[r.IntN(5)].id, w.users[r.IntN(5)].id)
			p := w.preview("/v4/environments/"+kid+"/preview", `{"_id":"`+g+`",`+members+`}`)
			if a := w.do("PUT", "/group/"+kid+"/"+g, asMaster, "{"+members+"}"); a.status >= 300 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			check("group "+g, p)
		}
		for range 4 {
			i := r.IntN(len(w.entities))
			e := &w.entities[i]
			grants := fmt.Sprintf(`{"creator":%q,"r":[%q],"groups":{"w":["sales"]},"gw":%t}`, w.users[r.IntN(5)].id, w.users[r.IntN(5)].id, r.IntN(2) == 0)
			p := w.preview("/v4/environments/"+kid+"/collections/"+e.collection+"/preview", `{"_id":"`+e.id+`","_acl":`+grants+`}`)
			e.body = `{"n":1,"_acl":` + grants + `}`
			w.put(*e)
			check("_acl "+grants+" of "+e.collection+"/"+e.id, p)
		}
		w.stop()
	}
	if moved < 50 {
		t.Errorf("%d rights were moved: a test of little", moved)
	}
	t.Logf("figure: %d changes previewed as HTTP answers, %d rights moved", changes, moved)
}

// Nothing is saved, and mistakes are told.
func TestPreviewChangesNothing(t *testing.T) {
	w := newWhyWorld(t, rand.New(rand.NewPCG(3, 0)))
	before := fmt.Sprint(w.rightsByHTTP())
	base := "/v4/environments/" + kid
	w.preview(base+"/collections/private/preview", `{"level":"full"}`)
	w.preview(base+"/preview", `{"_id":"sales","users":{"all":true}}`)
	w.preview(base+"/collections/private/preview", `{"_id":"e0","_acl":{"gr":true,"gw":true}}`)
	if after := fmt.Sprint(w.rightsByHTTP()); after != before {
		t.Errorf("%s\n%s", before, after)
	}
	for _, c := range [][3]string{
		{"/collections/private/preview", `{"level":"high"}`, "ParameterValueOutOfRange"},
		{"/collections/private/preview", `{"_id":"e0"}`, "ParameterValueOutOfRange"},
		{"/collections/private/preview", `{"_id":"nosuch","_acl":{}}`, "EntityNotFound"},
		{"/collections/nosuch/preview", `{"level":"full"}`, "CollectionNotFound"},
		{"/preview", `{"users":{}}`, "InvalidIdentifier"},
	} {
		w.refusedManaged(w.do("POST", base+c[0], asMaster, c[1]), c[2])
		for name, who := range map[string]string{"the app": asApp, "a user": w.users[1].session(), "nobody": ""} {
			if a := w.do("POST", base+c[0], who, c[1]); a.status != 401 {
				t.Errorf("%s: %s is told %d %s", c[0], name, a.status, a.body)
			}
		}
	}
}

func (w *whyWorld) refusedManaged(a answer, code string) {
	w.t.Helper()
	if a.status < 400 || get(a.json(w.t), "code") != code {
		w.t.Errorf("%d %s, want %s", a.status, a.body, code)
	}
}

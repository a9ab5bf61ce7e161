package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// "Effective rights for a client's buttons": each is what the client then gets,
// whatever else was asked for, and nothing of it is stored.
func TestRightsAreWhatIsDone(t *testing.T) {
	w := newWhyWorld(t, rand.New(rand.NewPCG(5, 0)))
	compared := 0
	for _, u := range append([]user{{id: "master"}}, w.users...) {
		who := u.session()
		if u.id == "master" {
			who = asMaster
		}
		for _, more := range []string{"", "&fields=n", "&query=%7B%22n%22%3A%7B%22%24gte%22%3A0%7D%7D&sort=n&limit=10", "&resolve_depth=1"} {
			for _, level := range []string{"shared", "private", "read-only", "full"} {
				path := "/appdata/" + kid + "/" + level
				list, _ := w.want(w.do("GET", path+"?rights=true"+more, who, ""), 200, "").json(t).([]any)
				plain, _ := w.want(w.do("GET", path+"?"+strings.TrimPrefix(more, "&"), who, ""), 200, "").json(t).([]any)
				if len(list) != len(plain) {
					t.Fatalf("%d with rights, %d without", len(list), len(plain))
				}
				for i, one := range list {
					id := fmt.Sprint(get(one, "_id"))
					has := get(one, "_kmd", "rights")
					want := map[string]any{"r": true, "w": true, "acl": true}
					if u.id != "master" {
						e := whyEntity{collection: level, id: id}
						want = map[string]any{"r": w.why(u.id, "read", e).Allowed, "w": w.why(u.id, "write", e).Allowed, "acl": w.why(u.id, "acl", e).Allowed}
					}
					if fmt.Sprint(has) != fmt.Sprint(want) {
						t.Errorf("%s%s, %s/%s: %v, want %v", u.name, more, level, id, has, want)
					}
					delete(get(one, "_kmd").(map[string]any), "rights")
					if got, want := fmt.Sprint(one), fmt.Sprint(plain[i]); got != want && more != "&fields=n" {
						t.Errorf("%s: %s, without rights %s", more, got, want)
					}
					single := w.want(w.do("GET", path+"/"+id+"?rights=true", who, ""), 200, "").json(t)
					if fmt.Sprint(get(single, "_kmd", "rights")) != fmt.Sprint(want) {
						t.Errorf("alone: %v, want %v", get(single, "_kmd", "rights"), want)
					}
					compared++
				}
			}
		}
	}
	// Sent back, nothing of it is kept.
	ann := w.users[0]
	made := w.want(w.do("POST", "/appdata/"+kid+"/full?rights=true", ann.session(), `{"_id":"back"}`), 201, "")
	got := w.want(w.do("GET", "/appdata/"+kid+"/full/back?rights=true", ann.session(), ""), 200, "")
	w.want(w.do("PUT", "/appdata/"+kid+"/full/back", ann.session(), string(got.body)), 200, "")
	again := w.want(w.do("GET", "/appdata/"+kid+"/full/back", ann.session(), ""), 200, "")
	if strings.Contains(string(made.body)+string(again.body), "rights") {
		t.Errorf("%s %s", made.body, again.body)
	}
	if compared < 100 {
		t.Errorf("%d compared", compared)
	}
	t.Logf("figure: the rights of %d entities are what is done", compared)
}

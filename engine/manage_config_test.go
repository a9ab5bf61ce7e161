package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"postern/engine"
)

const configPath = "/v4/environments/" + kid + "/config"

// importFile is an operator at the socket who imports a file.
func importFile(s *server, text, query string) (applied bool, problems []string) {
	s.t.Helper()
	a := s.want(attackAdmin(s).do("PUT", configPath+query, "", text), 200, "")
	var v struct {
		Applied  bool
		Problems []struct {
			Line        int
			At, Problem string
		}
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range v.Problems {
		problems = append(problems, fmt.Sprintf("%d %s: %s", p.Line, p.At, p.Problem))
	}
	return v.Applied, problems
}

func wholeFile(parts string) string {
	return "{\n\"schemaVersion\": \"1.0.0\",\n\"configType\": \"environment\",\n" + parts + "\n}"
}

// One file, applied whole: rights, roles and groups, those named by others in
// the same file included; and exported as it came.
func TestManageImportConfig(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	s.setLevel("board", "private")
	s.want(s.do("PUT", "/appdata/"+kid+"/board/e", alice.session(), `{}`), 201, "")
	s.want(s.do("PUT", "/group/"+kid+"/staff", asMaster, fmt.Sprintf(`{"users":{"list":[%q]},"note":"x"}`, bob.id)), 201, "")
	file := wholeFile(`"settings": {"apiVersion": 5},
"roles": {"editors": {"description": "who edit"}},
"groups": {"staff": {"name": "Staff", "groups": ["night.shift"]}, "night.shift": {"name": "Night"}},
"collections": {
 "board": {"type": "internal", "permissions": "full"}, "user": {"type": "internal", "permissions": "private"},
 "diary": {"type": "internal", "permissions": "private"}, "deals": {"type": "internal", "permissions": "read-only"},
 "lists": {"type": "internal", "permissions": {"all-users": {"create":"always","read":"always","update":"entity","delete":"entity"}}}
}`)
	s.want(s.do("GET", "/appdata/"+kid+"/board/e", bob.session(), ""), 401, "InsufficientCredentials")
	if applied, problems := importFile(s, file, "?check=true"); applied || problems != nil {
		t.Fatalf("check: %v, %q", applied, problems)
	}
	s.want(s.do("GET", "/appdata/"+kid+"/board/e", bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("GET", "/group/"+kid+"/night.shift", asMaster, ""), 404, "EntityNotFound")
	for range 2 { // again: it changes what there is
		if applied, problems := importFile(s, file, ""); !applied || problems != nil {
			t.Fatalf("%v, %q", applied, problems)
		}
	}
	s.want(s.do("GET", "/appdata/"+kid+"/board/e", bob.session(), ""), 200, "")
	s.want(s.do("POST", "/appdata/"+kid+"/deals", bob.session(), `{}`), 401, "InsufficientCredentials")
	s.want(s.do("GET", "/user/"+kid+"/"+alice.id, bob.session(), ""), 401, "InsufficientCredentials")
	// Who is in a group is data, and stays.
	v := s.do("GET", "/group/"+kid+"/staff", asMaster, "").json(t)
	if get(v, "name") != "Staff" || get(v, "note") != "x" || !strings.Contains(fmt.Sprint(get(v, "users")), bob.id) ||
		!strings.Contains(fmt.Sprint(get(v, "groups")), "night.shift") {
		t.Errorf("the group: %v", v)
	}
	if list := s.do("GET", "/roles/"+kid, asMaster, ""); len(ids(t, list)) != 1 {
		t.Errorf("the roles: %s", list.body)
	}
	// Out, into another environment, and out again.
	box := attackAdmin(s)
	out := s.want(box.do("GET", configPath, "", ""), 200, "")
	if _, err := s.e.CreateApp(engine.NewApp{Key: "kid_copy"}); err != nil {
		t.Fatal(err)
	}
	a := s.want(box.do("PUT", "/v4/environments/kid_copy/config", "", string(out.body)), 200, "")
	if get(a.json(t), "applied") != true {
		t.Errorf("%s\nof %s", a.body, out.body)
	}
	if copied := box.do("GET", "/v4/environments/kid_copy/config", "", ""); string(copied.body) != string(out.body) {
		t.Errorf("exported\n%s\nof\n%s", copied.body, out.body)
	}
}

// What is not honoured is named with its line, and then nothing at all is
// changed, unless that was accepted. Guard: plan of importConfig.
func TestManageImportConfigProblems(t *testing.T) {
	s := start(t)
	box := attackAdmin(s)
	before := string(box.do("GET", configPath, "", "").body)
	file := wholeFile(`"settings": {"emailVerification": {"required": true},
  "colour": "red"},
"roles": {"good": {}, "bad": {"name": 7},
  "worse": {"rights": "all"}},
"groups": {"a": {"groups": "b"},
  "` + kid + `": {},
  "fine": {}},
"collections": {"new": {"type": "internal", "permissions": "private"},
  "far": {"type": "external", "permissions": "private"},
  "odd": {"type": "internal", "permissions": "open"},
  "none": {"type": "internal"},
  "no.name": {"type": "internal", "permissions": "full"},
  "nobody": {"type": "internal", "permissions": {"strangers": {"read": "always"}}},
  "half": {"type": "internal", "permissions": {"all-users": {"read": "always", "create": "always"}}},
  "roles": {"type": "internal", "permissions": {"all-users": {"read": "always"},
    "good": {"read": "always"}}}},
"customEndpoints": {"now": {"type": "internal"}},
"collectionHooks": {"new": {}},
"commonCode": {"lib": {}},
"push": {"android": {}},
"secrets": {}`)
	want := []string{
		"5 settings.colour: unknown setting",
		"6 roles.bad: a role has a name", "7 roles.worse: unknown member", "8 groups.a: groups must be",
		"9 groups." + kid + ": a group cannot", "12 collections.far: this server has internal", "13 collections.odd: permissions must be",
		"14 collections.none: a collection has permissions", "15 collections.no.name: a collection's name", "16 collections.nobody: there is no role",
		"17 collections.half: what all-users get", "19 collections.roles.permissions.good: kept without effect",
		"20 customEndpoints.now: this server runs", "21 collectionHooks.new: this server runs", "22 commonCode.lib: this server runs",
		"23 push.android: this server sends", "24 secrets: unknown part",
	}
	for _, query := range []string{"", "?check=true", "?check=true&partial=true", "?partial=true"} {
		applied, problems := importFile(s, file, query)
		if applied != (query == "?partial=true") {
			t.Errorf("%q: applied is %v", query, applied)
		}
		for _, w := range want {
			found := false
			for _, p := range problems {
				found = found || strings.HasPrefix(p, w)
			}
			if !found {
				t.Errorf("%q: no problem %q in %q", query, w, problems)
			}
		}
		if len(problems) != len(want) {
			t.Errorf("%q: %d problems, want %d: %q", query, len(problems), len(want), problems)
		}
		after := string(box.do("GET", configPath, "", "").body)
		if !applied && after != before {
			t.Errorf("%q: nothing was to change, but\n%s\nwas\n%s", query, after, before)
		}
		if applied {
			for _, part := range []string{`"new":{"type":"internal","permissions":"private"}`, `"good":{"name":"good"}`, `"fine":{}`, `"emailVerification":{"auto":false,"required":true,"since":null}`} {
				if !strings.Contains(after, part) {
					t.Errorf("the rest was to be applied: no %s in %s", part, after)
				}
			}
			for _, part := range []string{`"far"`, `"odd"`, `"half"`, `"nobody"`, `"bad"`, `"colour"`} {
				if strings.Contains(after, part) {
					t.Errorf("%s was applied: %s", part, after)
				}
			}
		}
	}
	for _, bad := range []string{"", "{", "[]", "{}", `{"schemaVersion":"2.0.0","configType":"environment"}`, `{"schemaVersion":"1.0.0","configType":"application"}`} {
		if a := box.do("PUT", configPath, "", bad); a.status != 400 {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

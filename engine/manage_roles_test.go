package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestManageRoles(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	roles := "/roles/" + kid
	made := s.want(s.do("POST", roles, asMaster, `{"name":"editors","description":"who edit"}`), 201, "")
	id := s.text(made, "_id")
	other := s.text(s.do("POST", roles, asMaster, `{"name":"editors"}`), "_id")
	for _, body := range []string{`{}`, `{"name":""}`, `{"name":7}`, `{"name":"` + strings.Repeat("x", 129) + `"}`} {
		s.want(s.do("POST", roles, asMaster, body), 400, "MissingRequestParameter")
	}
	if list := s.do("GET", roles, asMaster, ""); !slices.Contains(ids(t, list), id) || len(ids(t, list)) != 2 {
		t.Errorf("the roles: %s", list.body)
	}
	s.want(s.do("PUT", roles+"/"+id, asMaster, `{"_id":"`+id+`","name":"authors"}`), 200, "")
	s.want(s.do("PUT", roles+"/"+id, asMaster, `{"_id":"other","name":"authors"}`), 400, "InvalidIdentifier")
	if v := s.do("GET", roles+"/"+id, asMaster, "").json(t); get(v, "name") != "authors" || get(v, "description") != nil {
		t.Errorf("the role: %v", v)
	}
	s.want(s.do("POST", roles, asMaster, `{"name":"all-users"}`), 400, "InvalidIdentifier")
	s.want(s.do("PUT", roles+"/none", asMaster, `{"name":"x"}`), 404, "EntityNotFound")
	s.want(s.do("GET", roles+"/none", asMaster, ""), 404, "EntityNotFound")
	// Members.
	s.want(s.do("POST", roles+"/"+id+"/membership", asMaster, fmt.Sprintf(`{"userIds":[%q,"nobody"]}`, alice.id)), 404, "UserNotFound")
	if a := s.want(s.do("GET", roles+"/"+id+"/membership", asMaster, ""), 200, ""); string(a.body) != "[]" {
		t.Errorf("a refused list gave the role to somebody: %s", a.body)
	}
	a := s.want(s.do("POST", roles+"/"+id+"/membership", asMaster, fmt.Sprintf(`{"userIds":[%q,%q,%q]}`, alice.id, bob.id, alice.id)), 200, "")
	if list := a.json(t).([]any); len(list) != 2 {
		t.Errorf("the members: %s", a.body)
	}
	s.want(s.do("PUT", "/user/"+kid+"/"+alice.id+"/roles/"+other, asMaster, `{}`), 200, "")
	s.want(s.do("PUT", "/user/"+kid+"/"+alice.id+"/roles/none", asMaster, `{}`), 404, "EntityNotFound")
	own := "/user/" + kid + "/" + alice.id + "/roles"
	for _, header := range []string{asMaster, alice.session()} {
		list := s.want(s.do("GET", own, header, ""), 200, "").json(t).([]any)
		if len(list) != 2 || get(list[0], "grantedBy") != kid || get(list[0], "grantDate") == nil {
			t.Errorf("alice's roles: %v", list)
		}
	}
	// To anybody else there is no difference between a user and nobody.
	attackSame(t, "roles of others", s.do("GET", own, bob.session(), ""), s.do("GET", "/user/"+kid+"/none/roles", bob.session(), ""))
	s.want(s.do("GET", own, bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("PUT", own+"/"+id, alice.session(), `{}`), 401, "InsufficientCredentials")
	s.want(s.do("DELETE", own+"/"+other, asMaster, ""), 204, "")
	s.want(s.do("DELETE", own+"/"+other, asMaster, ""), 404, "EntityNotFound")
	// A role gives nothing, whatever names it.
	s.setLevel("c", "private")
	s.want(s.do("PUT", "/appdata/"+kid+"/c/e", bob.session(), fmt.Sprintf(`{"_acl":{"roles":{"r":[%q],"u":[%q],"d":[%q]}}}`, id, id, id)), 201, "")
	s.want(s.do("GET", "/appdata/"+kid+"/c/e", alice.session(), ""), 401, "InsufficientCredentials")
	if v := s.do("GET", "/appdata/"+kid+"/c/e", bob.session(), "").json(t); fmt.Sprint(get(v, "_acl", "roles", "r")) != "["+id+"]" {
		t.Errorf("roles in an _acl are not echoed: %v", v)
	}
	// Who is removed has no role.
	s.want(s.do("DELETE", "/user/"+kid+"/"+bob.id+"?hard=true", asMaster, ""), 204, "")
	if a := s.do("GET", roles+"/"+id+"/membership", asMaster, ""); strings.Contains(string(a.body), bob.id) {
		t.Errorf("a removed user has a role: %s", a.body)
	}
	s.want(s.do("DELETE", roles+"/"+id, asMaster, ""), 204, "")
	s.want(s.do("DELETE", roles+"/"+id, asMaster, ""), 404, "EntityNotFound")
	if a := s.want(s.do("GET", own, alice.session(), ""), 200, ""); string(a.body) != "[]" {
		t.Errorf("alice has roles that are no more: %s", a.body)
	}
}

// Permissions by role are a level, kept as they came, or refused; what is
// enforced is what is shown.
func TestManagePermissionsByRole(t *testing.T) {
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	path := "/v4/environments/" + kid + "/collections/c"
	form := func(kinds string, more ...string) string {
		k := strings.Fields(kinds)
		row := func(i int) string {
			r := ""
			if k[i] != "-" {
				r = fmt.Sprintf(`{"roleId":"all-users","type":%q}`, k[i])
			}
			if len(more) > 0 {
				r = strings.Trim(r+","+more[0], ",")
			}
			return r
		}
		return fmt.Sprintf(`{"create":[%s],"read":[%s],"update":[%s],"delete":[%s]}`, row(0), row(1), row(2), row(3))
	}
	shown := func() string { return string(s.want(s.do("GET", path, asMaster, ""), 200, "").body) }
	editors := `{"roleId":"editors","type":"always"}`
	for i, c := range []struct {
		form          string
		create, read  int // what bob may do
		write, remove int
	}{
		{form("always always entity entity"), 201, 200, 401, 401},
		{form("always entity entity entity", editors), 201, 401, 401, 401},
		{form("never always never never"), 401, 200, 401, 401},
		{form("- always - -"), 401, 200, 401, 401},
		{form("always always always always", editors), 201, 200, 200, 200},
	} {
		s.want(s.do("PUT", path, asMaster, `{"permissions":"write"}`), 200, "")
		e := fmt.Sprintf("/appdata/%s/c/e%d", kid, i)
		s.want(s.do("PUT", e, alice.session(), `{}`), 201, "")
		a := s.want(s.do("PUT", path, asMaster, `{"name":"c","permissions":`+c.form+`}`), 200, "")
		if want := `{"name":"c","permissions":` + c.form + `}`; string(a.body) != want || shown() != want {
			t.Errorf("sent %s\ngot %s, then %s", want, a.body, shown())
		}
		s.want(s.do("PUT", path, asMaster, `{"name":"c"}`), 200, "")
		if !strings.Contains(shown(), c.form) {
			t.Errorf("a change of something else lost the permissions: %s", shown())
		}
		for _, x := range []struct {
			method, path string
			want         int
		}{{"POST", "/appdata/" + kid + "/c", c.create}, {"GET", e, c.read}, {"PUT", e, c.write}, {"DELETE", e, c.remove}} {
			if a := s.do(x.method, x.path, bob.session(), `{}`); a.status != x.want {
				t.Errorf("%s: %s %s: %d, want %d", c.form, x.method, x.path, a.status, x.want)
			}
		}
	}
	before := shown()
	for _, bad := range []string{
		form("always always always entity"), form("never never never never"), form("always grant grant grant"), `{}`,
		form("- - - -", editors), form("always always entity ever"), form("always always always always", `{"roleId":"all-users","type":"always"}`),
		`{"create":{}}`, `{"mutate":[]}`, `{"read":[{"roleId":7,"type":"always"}]}`, `{"read":[7]}`, `[]`, `7`, `"open"`,
	} {
		s.refused(s.do("PUT", path, asMaster, `{"permissions":`+bad+`}`), 400, "ParameterValueOutOfRange")
		s.refused(s.do("POST", "/v4/environments/"+kid+"/collections", asMaster, `{"name":"new","permissions":`+bad+`}`), 400, "ParameterValueOutOfRange")
	}
	big := form("always always always always", fmt.Sprintf(`{"roleId":%q,"type":"never"}`, strings.Repeat("r", 5000)))
	s.refused(s.do("PUT", path, asMaster, `{"permissions":`+big+`}`), 413, "BadRequest")
	s.refused(s.do("PUT", path, asMaster, `{"permissions":"private","dataLink":{"id":"x"}}`), 403, "MissingConfiguration")
	if shown() != before {
		t.Errorf("a refused change left %s, was %s", shown(), before)
	}
	// A level, however it is set, ends the other form; so does the collection.
	if err := s.e.SetLevel(kid, "c", 0); err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"c","permissions":"append-read"}`; shown() != want {
		t.Errorf("%s, want %s", shown(), want)
	}
	s.want(s.do("PUT", path, asMaster, `{"permissions":`+form("always always entity entity")+`}`), 200, "")
	s.want(s.do("DELETE", path, asMaster, ""), 204, "")
	s.want(s.do("POST", "/v4/environments/"+kid+"/collections", asMaster, `{"name":"c"}`), 201, "")
	if want := `{"name":"c","permissions":"append-read"}`; shown() != want {
		t.Errorf("a new collection shows the permissions of an old one: %s", shown())
	}
}

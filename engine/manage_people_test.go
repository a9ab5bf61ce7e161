package engine_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// managePath is a path of the management of the app.
func managePath(rest string, query ...string) string {
	return "/v4/environments/" + kid + "/" + rest + "?" + values(query...).Encode()
}

// A managedList is a page of what managers are shown.
type managedList[T any] struct {
	Count int
	List  []T
}

// managed asks for something as the master.
func managed[T any](s *server, path string) (v T) {
	s.t.Helper()
	a := s.want(s.do("GET", path, asMaster, ""), 200, "")
	if err := json.Unmarshal(a.body, &v); err != nil {
		s.t.Fatalf("%s: %v in %s", path, err, a.body)
	}
	return v
}

// wholeList reads a list page by page.
func wholeList[T any](s *server, rest string, page int, query ...string) (all []T) {
	s.t.Helper()
	for {
		x := managed[managedList[T]](s, managePath(rest, append(query, "skip", fmt.Sprint(len(all)), "limit", fmt.Sprint(page))...))
		if len(x.List) > page {
			s.t.Fatalf("%s: %d on a page of %d", rest, len(x.List), page)
		}
		if all = append(all, x.List...); len(x.List) == 0 || len(all) > x.Count {
			if len(all) != x.Count {
				s.t.Errorf("%s %v: %d listed, %d counted", rest, query, len(all), x.Count)
			}
			return all
		}
	}
}

type managedUser struct {
	ID                 string `json:"_id"`
	Username, Email    string
	Created, LastLogin string
	Suspended, Locked  bool
	Sessions, Groups   int
}

type managedSession struct {
	ID   string
	User struct {
		ID       string `json:"_id"`
		Username string
	}
	Created, LastSeen, Expires, Source, Device string
}

// Users are listed once each, in the order of their names, by any page and prefix.
func TestManagedUsers(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now })
	all := map[string]user{}
	for _, name := range []string{"bob", "ann", "annika", "Ann", "an", "anz", "zoë", "zo"} {
		c.Add(time.Second)
		all[name] = s.signUp(name)
	}
	s.want(s.do("PUT", "/user/"+kid+"/"+all["bob"].id, all["bob"].session(), `{"email":"bob@example.org"}`), 200, "")
	s.want(s.do("POST", "/user/"+kid+"/login", asApp, `{"username":"bob","password":"bob"}`), 200, "")
	s.want(s.do("DELETE", "/user/"+kid+"/"+all["anz"].id+"?soft=true", asMaster, ""), 204, "")
	s.want(s.do("POST", "/rpc/"+kid+"/lockdown-user", asMaster, `{"userId":"`+all["zo"].id+`","setLockdownStateTo":true}`), 204, "")
	s.want(s.do("PUT", "/group/"+kid+"/inner", asMaster, `{"users":{"list":[{"_id":"`+all["bob"].id+`"}]}}`), 201, "")
	s.want(s.do("PUT", "/group/"+kid+"/outer", asMaster, `{"groups":[{"_id":"inner"}]}`), 201, "")
	for _, page := range []int{1, 2, 3, 100} {
		for _, prefix := range []string{"", "a", "an", "ann", "annika", "annikas", "zo", "zoë", "é", "b"} {
			var want, got []string
			for name := range all {
				if strings.HasPrefix(name, prefix) {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			for _, u := range wholeList[managedUser](s, "users", page, "prefix", prefix) {
				if got = append(got, u.Username); u.ID != all[u.Username].id {
					t.Errorf("%s has the id %s", u.Username, u.ID)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("prefix %q by %d: %q, want %q", prefix, page, got, want)
			}
		}
	}
	one := func(name string) managedUser {
		return managed[managedList[managedUser]](s, managePath("users", "prefix", name)).List[0]
	}
	if u := one("bob"); u.Email != "bob@example.org" || u.Sessions != 2 || u.Groups != 2 || u.Suspended || u.Locked || u.Created >= u.LastLogin {
		t.Errorf("bob: %+v", u)
	}
	if u := one("anz"); !u.Suspended || u.Locked || u.Sessions != 0 {
		t.Errorf("who is suspended: %+v", u)
	}
	if u := one("zoë"); u.Sessions != 1 || u.Groups != 0 || u.LastLogin == "" || u.Email != "" {
		t.Errorf("zoë: %+v", u)
	}
	if u := one("zo"); !u.Locked || u.Suspended || u.Sessions != 0 {
		t.Errorf("who is locked down: %+v", u)
	}
	// Names by id: those who are there, each once.
	names := managed[map[string]string](s, managePath("names", "ids", all["bob"].id+","+all["anz"].id+",gone,,"+all["bob"].id))
	if len(names) != 2 || names[all["bob"].id] != "bob" || names[all["anz"].id] != "anz" {
		t.Errorf("names: %v", names)
	}
	if names := managed[map[string]string](s, managePath("names")); len(names) != 0 {
		t.Errorf("no names: %v", names)
	}
	s.managedRefusal(managePath("names", "ids", strings.Repeat("x,", 500)), "ParameterValueOutOfRange")
	s.managedRefusal(managePath("users", "skip", "-1"), "ParameterValueOutOfRange")
	s.managedRefusal(managePath("users", "limit", "x"), "ParameterValueOutOfRange")
}

// managedRefusal asks for what is refused.
func (s *server) managedRefusal(path, code string) {
	s.t.Helper()
	if a := s.do("GET", path, asMaster, ""); a.status < 400 || get(a.json(s.t), "code") != code {
		s.t.Errorf("%s: %d %s, want %s", path, a.status, a.body, code)
	}
}

// What is logged in is in the list, with what it came by, and is not when it has
// ended, whoever has ended it.
func TestManagedSessions(t *testing.T) {
	s := startMIC(t)
	c := s.clock
	s.want(s.do("PUT", "/user/"+kid+"/"+s.alice.id, asMaster, `{}`), 200, "")
	type opened struct{ token, name, source, device string }
	var open []opened
	note := func(a answer, name, source, device string) {
		t.Helper()
		token, _ := get(a.json(t), "_kmd", "authtoken").(string)
		if token == "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		open = append([]opened{{token, name, source, device}}, open...)
		c.Add(time.Second)
	}
	open = append(open, opened{s.alice.token, "alice", "signup", ""})
	c.Add(time.Second)
	note(s.do("POST", "/user/"+kid, asApp, `{"username":"bob","password":"bob"}`, "User-Agent", "Phone/1 (of Bob)"), "bob", "signup", "Phone/1 (of Bob)")
	login := `{"username":"alice","password":"alice"}`
	long := strings.Repeat("é", 59) + "x" + "é"
	note(s.do("POST", "/user/"+kid+"/login", asApp, login, "User-Agent", long), "alice", "password", strings.TrimSuffix(long, "é"))
	note(s.do("POST", "/user/"+kid+"/login", asApp, login, "User-Agent", "a\u202eb\u0085c\xff<i>"), "alice", "password", "abc<i>")
	note(s.login(s.tokens(s.exchange(s.code())), "User-Agent", "App"), "alice", "mic:Test", "App")
	check := func() []managedSession {
		t.Helper()
		list := wholeList[managedSession](s.server, "sessions", 2)
		for i, n := range list {
			if i >= len(open) {
				t.Fatalf("%d sessions, want %d", len(list), len(open))
			}
			if want := open[i]; n.User.Username != want.name || n.Source != want.source || n.Device != want.device || n.Created == "" {
				t.Errorf("session %d is %+v, want %+v", i, n, want)
			}
		}
		if len(list) != len(open) {
			t.Fatalf("%d sessions, want %d", len(list), len(open))
		}
		return list
	}
	list := check()
	if list[0].Expires == "" || list[1].Expires != "" {
		t.Errorf("of a grant until %q, of a password until %q", list[0].Expires, list[1].Expires)
	}
	for _, text := range []string{"alice", s.alice.id} {
		if of := wholeList[managedSession](s.server, "sessions", 3, "user", text); len(of) != len(open)-1 {
			t.Errorf("%d sessions of %s", len(of), text)
		}
	}
	s.managedRefusal(managePath("sessions", "user", "nobody"), "UserNotFound")
	// It is used.
	c.Add(time.Minute)
	s.want(s.do("GET", "/user/"+kid+"/_me", "Kinvey "+open[1].token, ""), 200, "")
	if now := check(); now[1].LastSeen <= list[1].LastSeen || now[2].LastSeen != list[2].LastSeen {
		t.Errorf("used at %s, was %s; not used at %s", now[1].LastSeen, list[1].LastSeen, now[2].LastSeen)
	}
	// Ended by a manager, and by the user.
	me := func(token string) answer { return s.do("GET", "/user/"+kid+"/_me", "Kinvey "+token, "") }
	s.want(me(open[2].token), 200, "")
	end := func(id string) answer {
		return s.do("DELETE", strings.TrimSuffix(managePath("sessions/"+url.PathEscape(id)), "?"), asMaster, "")
	}
	s.want(end(list[2].ID), 204, "")
	s.want(me(open[2].token), 401, "InvalidCredentials")
	audit := managed[struct {
		Records []struct{ By, Act, Item string }
	}](s.server, managePath("audit", "act", "end session"))
	if r := audit.Records; len(r) != 1 || r[0].By != "master" || r[0].Act != "end session" || r[0].Item != s.alice.id {
		t.Errorf("the audit tells %+v", r)
	}
	s.want(me(open[1].token), 200, "")
	for _, id := range []string{list[2].ID, "none", list[1].ID[:14], list[1].ID + "00", "0000000000000000"} {
		if a := end(id); a.status != 404 || get(a.json(t), "code") != "EntityNotFound" {
			t.Errorf("ending %q: %d %s", id, a.status, a.body)
		}
	}
	open = slices.Delete(open, 2, 3)
	check()
	s.want(s.do("POST", "/user/"+kid+"/_logout", "Kinvey "+open[1].token, ""), 204, "")
	open = slices.Delete(open, 1, 2)
	check()
	// A change of the password ends all and begins one.
	a := s.do("PUT", "/user/"+kid+"/"+s.alice.id, "Kinvey "+open[0].token, `{"password":"another"}`, "User-Agent", "Web")
	open = slices.DeleteFunc(open, func(o opened) bool { return o.name == "alice" })
	note(s.want(a, 200, ""), "alice", "password", "Web")
	check()
	// Who is suspended has none.
	s.want(s.do("DELETE", "/user/"+kid+"/"+s.alice.id+"?soft=true", asMaster, ""), 204, "")
	open = slices.DeleteFunc(open, func(o opened) bool { return o.name == "alice" })
	check()
	if body := s.do("GET", managePath("sessions"), asMaster, "").body; strings.Contains(string(body), open[0].token) {
		t.Error("a token is shown")
	}
}

// More sessions than are kept in hand at once come in the right order.
func TestManagedSessionsAreTheNewest(t *testing.T) {
	c := newClock()
	s := start(t, func(o *options) { o.config.Clock = c.Now })
	for u := range 30 {
		name := fmt.Sprint("user", u)
		s.signUp(name)
		for range 79 {
			c.Add(time.Millisecond)
			s.want(s.do("POST", "/user/"+kid+"/login", asApp, fmt.Sprintf(`{"username":%q,"password":%q}`, name, name)), 200, "")
		}
	}
	seen := map[string]bool{}
	last := "9"
	for _, n := range wholeList[managedSession](s, "sessions", 700) {
		if seen[n.ID] || n.Created > last {
			t.Fatalf("%+v after %s", n, last)
		}
		seen[n.ID], last = true, n.Created
	}
	if len(seen) != 2400 {
		t.Errorf("%d sessions", len(seen))
	}
}

package engine

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"postern/acl"
	"postern/auth"
	"postern/auth/mic"
	"postern/engine/document"
	"postern/engine/store"
)

// micBench is an app whose default service is a directory that is never asked:
// what it says, the test says.
type micBench struct {
	*commitBench
	service *authService
	n       byte
}

func newMICBench(t *testing.T, m micMapping) *micBench {
	b := &micBench{commitBench: newCommitBench(t, store.NewMemory())}
	b.e.config.PublicURL, b.e.config.SealKey = "https://postern.example", &auth.SealKey{1}
	b.set("", m)
	b.must(b.a, &changeApp{app: b.a, change: func(c *appConfig, _ int64) error {
		return c.keepSetting(settingService, document.Trusted(document.AppendQuote(nil, b.service.ID)))
	}})
	return b
}

func (b *micBench) set(id string, m micMapping) {
	b.t.Helper()
	var err error
	b.service, err = b.e.setService(actor{By: "test"}, id, &authService{
		Name: "Directory", GrantTTL: 10, TokenTTL: 3600, Refresh: true, RefreshTTL: 7200, Mapping: m,
		Provider: authProvider{Type: kindLDAP, RemoteService: "ldaps://ldap.example", Authentication: &authAccount{"cn=postern,dc=example", "p"}, Options: map[string]json.RawMessage{"baseDn": json.RawMessage(`"dc=example"`)}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// login is a login of somebody of whom the directory says this, up to his
// session. He has an account afterwards.
func (b *micBench) login(subject string, attributes map[string][]string, groups ...string) (user string, refresh mic.Token) {
	b.t.Helper()
	handle := mic.NewHandle(b.e.Random())
	access, refresh := mic.NewToken(b.e.Random(), handle), mic.NewToken(b.e.Random(), handle)
	b.must(b.a, &issueGrant{app: b.a, handle: handle, service: b.service, grant: micGrant{
		Service: b.service.ID, Subject: subject, Access: access.Digest(), Refresh: refresh.Digest(), Attributes: attributes, Groups: groups,
	}})
	s := b.a.view.Load()
	_, g, ok := s.access(string(access), b.e.now())
	if !ok {
		b.t.Fatal("the access token is good for nothing")
	}
	b.n++
	user, ok = s.userOf(g)
	if ok {
		a, _ := s.accounts.Get(user)
		b.must(b.a, &openLogin{app: b.a, user: user, generation: a.Generation, grant: string(handle), token: auth.Digest{b.n}})
		return user, refresh
	}
	user = "id-" + subject
	in := &signUp{app: b.a, id: user, username: subject, identity: g.identity(), grant: string(handle), session: true, token: auth.Digest{b.n}}
	var own entityBody
	own.appendFields(b.service.Mapping.fields(attributes))
	in.members = own.withID(user)
	b.must(b.a, in)
	return user, refresh
}

// refresh is a refresh after which the directory says something else.
func (b *micBench) refresh(token mic.Token, subject string, groups ...string) mic.Token {
	b.t.Helper()
	next := mic.NewToken(b.e.Random(), token.Handle())
	b.must(b.a, &refreshGrant{
		app: b.a, service: b.service, token: token, access: mic.NewToken(b.e.Random(), token.Handle()).Digest(), refresh: next.Digest(),
		account: &mic.Account{Subject: subject, Groups: groups},
	})
	return next
}

func (b *micBench) groups(user string) []string {
	return slices.Collect(b.a.view.Load().groups.Direct(user))
}

// "provider groups to app groups (full sync / add only / first login)", in force at
// the next login or refresh.
func TestMICGroups(t *testing.T) {
	for mode, want := range map[string][4][]string{
		//          first login                  a login later               refresh                             refresh to none
		groupsSync:  {{"idp:a", "idp:b"}, {"idp:b", "idp:c"}, {"idp:c"}, nil},
		groupsAdd:   {{"idp:a", "idp:b"}, {"idp:a", "idp:b", "idp:c"}, {"idp:a", "idp:b", "idp:c"}, {"idp:a", "idp:b", "idp:c"}},
		groupsFirst: {{"idp:a", "idp:b"}, {"idp:a", "idp:b"}, {"idp:a", "idp:b"}, {"idp:a", "idp:b"}},
		"":          {nil, nil, nil, nil},
	} {
		t.Run("mode "+mode, func(t *testing.T) {
			b := newMICBench(t, micMapping{Groups: mode, Names: map[string]string{"A": "a", "B": "b", "C": "c"}})
			defer b.check()
			b.must(b.a, b.group("own", "id-dora")) // a group that she is in by other ways
			user, _ := b.login("dora", nil, "A", "B", "unknown")
			step := func(i int) {
				t.Helper()
				got := slices.DeleteFunc(b.groups(user), func(id string) bool { return id == "own" })
				if !slices.Equal(got, want[i]) {
					t.Errorf("step %d: in %v, want %v", i, got, want[i])
				}
				if !slices.Contains(b.groups(user), "own") {
					t.Errorf("step %d: no more in the group that is none of the provider's", i)
				}
			}
			step(0)
			_, refresh := b.login("dora", nil, "B", "C")
			step(1)
			refresh = b.refresh(refresh, "dora", "C")
			step(2)
			b.refresh(refresh, "dora")
			step(3)
			for _, id := range b.groups(user) {
				if e, ok := b.a.view.Load().collection("group").rows.get(id); id != "own" && (!ok || e.acl.Creator != b.a.key) {
					t.Errorf("group %s is not the master's", id)
				}
			}
		})
	}
}

// What a user has made, or been given, is never mapped onto, and nobody but the
// master makes a group with the prefix.
func TestMICGroupsOfUsers(t *testing.T) {
	b := newMICBench(t, micMapping{Groups: groupsSync, AllGroups: true, Prefix: "corp:"})
	defer b.check()
	refused := b.put(b.bob, "group", "corp:admins", `{"_id":"corp:admins","users":{"list":[]}`, "")
	if err := b.e.committer.submit(b.a, refused); !errors.Is(err, errInsufficient) {
		t.Errorf("a user makes a group with the prefix: %v", err)
	}
	// One that was there before the service was.
	b.set(b.service.ID, micMapping{Groups: groupsSync, AllGroups: true, Prefix: "other:"})
	b.must(b.a, b.put(b.bob, "group", "corp:admins", `{"_id":"corp:admins","users":{"list":[]}`, ""))
	// One of the master's that a user may write.
	b.must(b.a, b.put(commitMaster, "group", "corp:staff", `{"_id":"corp:staff","users":{"list":[]}`, `{"creator":"kid_a","w":["id-bob"]}`))
	b.set(b.service.ID, micMapping{Groups: groupsSync, AllGroups: true, Prefix: "corp:"})
	user, _ := b.login("eve", nil, "admins", "staff", "sales")
	if got := b.groups(user); !slices.Equal(got, []string{"corp:sales"}) {
		t.Errorf("in %v, want corp:sales alone", got)
	}
	// Nor is anybody taken out of them.
	b.must(b.a, b.put(b.bob, "group", "corp:admins", `{"_id":"corp:admins","users":{"list":[{"_id":"`+user+`"}]}`, ""))
	b.login("eve", nil)
	if got := b.groups(user); !slices.Equal(got, []string{"corp:admins"}) {
		t.Errorf("in %v, want corp:admins alone", got)
	}
}

// The rows of a login are one record: session, fields and groups, or none.
func TestMICLoginIsOneCommit(t *testing.T) {
	b := newMICBench(t, micMapping{Groups: groupsSync, AllGroups: true, Fields: map[string]string{"mailbox": "mail", "teams": "ou"}})
	defer b.check()
	user, _ := b.login("dora", map[string][]string{"mail": {"d@example.org"}, "ou": {"x", "y"}}, "a")
	before := b.driver.count()
	b.login("dora", map[string][]string{"mail": {"new@example.org"}}, "b", "c")
	if n := b.driver.count() - before; n != 2 { // the grant and the login
		t.Errorf("%d records, want 2", n)
	}
	e, _ := b.a.view.Load().user(user)
	doc := documentOf(e)
	if got := doc.Get("mailbox").Text(); got != "new@example.org" {
		t.Errorf("mailbox %q", got)
	}
	if got := string(doc.Get("teams").Raw()); got != `["x","y"]` { // the provider says nothing of it now
		t.Errorf("teams %s", got)
	}
	if e.acl.Creator != user {
		t.Errorf("the record is %s's", e.acl.Creator)
	}
	if got := b.groups(user); !slices.Equal(got, []string{"idp:b", "idp:c"}) {
		t.Errorf("in %v", got)
	}
	if s, _ := b.a.view.Load().subject(user); !s.Member.Has("idp:b") || s.Member.Has("idp:a") {
		t.Error("the groups are not in force")
	}
	if d := acl.Decide(b.alice, acl.Private, e.acl, acl.Read); d.Allowed {
		t.Error("alice may read her record")
	}
}

// What decides in a commit is the grant as it is then.
func TestMICGrantEndsInTheMeantime(t *testing.T) {
	b := newMICBench(t, micMapping{})
	defer b.check()
	user, refresh := b.login("dora", nil)
	a, _ := b.a.view.Load().accounts.Get(user)
	b.must(b.a, &endGrant{app: b.a, handle: string(refresh.Handle())})
	in := &openLogin{app: b.a, user: user, generation: a.Generation, grant: string(refresh.Handle()), token: auth.Digest{99}}
	if err := b.e.committer.submit(b.a, in); !errors.Is(err, errCredentials) {
		t.Errorf("a login by a grant that has ended: %v", err)
	}
	// One that is somebody else's never was his.
	_, other := b.login("erik", nil)
	in.grant = string(other.Handle())
	if err := b.e.committer.submit(b.a, in); !errors.Is(err, errCredentials) {
		t.Errorf("a login by the grant of somebody else: %v", err)
	}
	// And the service: settings that were changed were changed for a reason.
	old := b.service
	b.set(old.ID, micMapping{})
	if err := b.e.committer.submit(b.a, &issueGrant{app: b.a, handle: "0123456789abcdef", service: old, grant: micGrant{Service: old.ID, Subject: "x"}}); !errors.Is(err, errNoService) {
		t.Errorf("a grant under old settings: %v", err)
	}
}

// There is an end to the grants of one identity.
func TestMICGrantsAreBounded(t *testing.T) {
	b := newMICBench(t, micMapping{})
	defer b.check()
	var first mic.Token
	for i := range maxGrants + 5 {
		_, refresh := b.login("dora", nil)
		if i == 0 {
			first = refresh
		}
	}
	s := b.a.view.Load()
	if n := s.grants.Len(); n != maxGrants {
		t.Errorf("%d grants, want %d", n, maxGrants)
	}
	if _, there := s.grants.Get(string(first.Handle())); there {
		t.Error("the oldest grant is still there")
	}
	if s.identityGrants.Len() != s.grants.Len() {
		t.Errorf("%d grants by identity, %d in all", s.identityGrants.Len(), s.grants.Len())
	}
}

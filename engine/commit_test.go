package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// commitBench is an engine whose committer is watched: its records are counted
// and intents can be made to meet in one group.
type commitBench struct {
	t       testing.TB
	e       *Engine
	driver  *commitWatch
	a, b    *app
	alice   acl.Subject
	bob     acl.Subject
	failure chan error
}

// commitWatch remembers the records that were appended. Closing it leaves the
// driver inside open, as a crash would.
type commitWatch struct {
	store.Driver
	mu      sync.Mutex
	records []commitRecord
}

type commitRecord struct {
	seq   store.Seq
	ops   int
	bytes int
	keys  []store.Key
}

func (w *commitWatch) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	err := w.Driver.Append(ctx, expect, rec)
	if err == nil {
		r := commitRecord{seq: rec.Seq, ops: len(rec.Ops)}
		for i := range rec.Ops {
			r.bytes += rec.Ops[i].Size()
			r.keys = append(r.keys, rec.Ops[i].Key)
		}
		w.mu.Lock()
		w.records = append(w.records, r)
		w.mu.Unlock()
	}
	return err
}

func (w *commitWatch) Close() error { return nil }

func (w *commitWatch) since(n int) []commitRecord {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.records[n:])
}

func (w *commitWatch) count() int { return len(w.since(0)) }

func newCommitBench(t testing.TB, driver store.Driver) *commitBench {
	t.Helper()
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := &commitBench{t: t, driver: &commitWatch{Driver: driver}, failure: make(chan error, 8)}
	var err error
	b.e, err = Open(Config{
		Driver: b.driver, Argon: auth.CheapParams,
		Clock:     func() time.Time { return clock },
		OnFailure: func(err error) { b.failure <- err },
	})
	if err != nil {
		t.Fatal("Open:", err)
	}
	t.Cleanup(func() {
		if err := b.e.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	if !b.e.HasApps() {
		for _, key := range []string{"kid_a", "kid_b"} {
			if _, err := b.e.CreateApp(NewApp{Key: key, AppSecret: key, MasterSecret: key, Options: AppOptions{GroupCreation: "users"}}); err != nil {
				t.Fatal(err)
			}
		}
		b.must(b.first(), b.user("alice"), b.user("bob"))
	}
	b.a, b.b = b.first(), b.second()
	b.alice = acl.Subject{Role: acl.RoleUser, ID: "id-alice"}
	b.bob = acl.Subject{Role: acl.RoleUser, ID: "id-bob"}
	return b
}

func (b *commitBench) first() *app  { a, _ := b.e.appByKey("kid_a"); return a }
func (b *commitBench) second() *app { a, _ := b.e.appByKey("kid_b"); return a }

func (b *commitBench) must(a *app, in ...intent) {
	b.t.Helper()
	for _, i := range in {
		if err := b.e.committer.submit(a, i); err != nil {
			b.t.Fatalf("%T: %v", i, err)
		}
	}
}

func (b *commitBench) check() {
	b.t.Helper()
	if err := b.e.Check(func(p string) { b.t.Error("check:", p) }); err != nil {
		b.t.Error("check:", err)
	}
}

var commitMaster = acl.Subject{Role: acl.RoleMaster}

// user signs a user up whose id is id-NAME; fresh ids can be had with newUser.
func (b *commitBench) user(name string) *signUp { return b.newUser("id-"+name, name) }

func (b *commitBench) newUser(id, name string) *signUp {
	return &signUp{app: b.first(), id: id, username: name, phc: "$sha256$x",
		members: []byte(`{"_id":"` + id + `","username":"` + name + `"`)}
}

// write puts an entity of the collection box; grants is the text of its _acl.
func (b *commitBench) write(who acl.Subject, id, text, grants string) *putEntity {
	return b.put(who, "box", id, `{"_id":"`+id+`","text":"`+text+`"`, grants)
}

func (b *commitBench) put(who acl.Subject, collection, id, members, grants string) *putEntity {
	in := &putEntity{app: b.first(), subject: who, collection: collection, id: id, members: []byte(members)}
	if grants != "" {
		a, err := acl.Parse([]byte(grants))
		if err != nil {
			b.t.Fatal(err)
		}
		in.sent, in.sentText = a, []byte(grants)
	}
	return in
}

func (b *commitBench) create(who acl.Subject, id, text, grants string) *putEntity {
	in := b.write(who, id, text, grants)
	in.insert = true
	return in
}

// group puts a group whose members are the given users.
func (b *commitBench) group(id string, users ...string) *putEntity {
	list := ""
	for _, u := range users {
		list += `,"` + u + `"`
	}
	return b.put(commitMaster, "group", id, `{"_id":"`+id+`","users":{"list":[`+strings.TrimPrefix(list, ",")+`]}`, "")
}

func (b *commitBench) level(l acl.Level) *setCollection {
	return &setCollection{app: b.first(), by: actor{By: "test"}, name: "box", level: l}
}

// commitGate holds the committer in the middle of a group.
type commitGate struct{ entered, open chan struct{} }

func newCommitGate() *commitGate { return &commitGate{make(chan struct{}), make(chan struct{})} }

func (g *commitGate) plan(*draft) ([]store.Op, error) {
	select {
	case <-g.open: // asked again
	default:
		close(g.entered)
		<-g.open
	}
	return nil, nil
}

// together submits intents while the committer is held, so that it finds them
// all at once: what fits into a group is decided in one.
func (b *commitBench) together(a *app, in ...intent) []error {
	b.t.Helper()
	gate := newCommitGate()
	first, err := b.e.committer.enqueue(nil, gate)
	if err != nil {
		b.t.Fatal(err)
	}
	<-gate.entered
	waiting := make([]*submission, len(in))
	for i := range in {
		if waiting[i], err = b.e.committer.enqueue(a, in[i]); err != nil {
			b.t.Fatal(err)
		}
	}
	close(gate.open)
	outcomes := make([]error, len(in))
	for i, s := range waiting {
		outcomes[i] = s.wait()
	}
	_ = first.wait() // shares the fate of its group
	return outcomes
}

// entity returns the stored body, "" when there is none.
func (b *commitBench) entity(collection, id string) string {
	if c := b.a.view.Load().collection(collection); c != nil {
		if e, ok := c.rows.get(id); ok {
			return string(e.body())
		}
	}
	return ""
}

// reads reports whether the published view lets the user read the entity, by
// decision and by index; the two must agree.
func (b *commitBench) reads(user, id string) bool {
	b.t.Helper()
	s := b.a.view.Load()
	subject, principals := s.subject(user)
	c := s.collection("box")
	e, ok := c.rows.get(id)
	if !ok {
		return false
	}
	decided := acl.Decide(subject, c.level, e.acl, acl.Read).Allowed
	listed := false
	for k := c.visible(subject, principals); ; {
		e, ok := k.next()
		if !ok {
			break
		}
		listed = listed || e.id == id
	}
	if decided != listed {
		b.t.Errorf("%s and %s: decided %t, listed %t", user, id, decided, listed)
	}
	return decided
}

// The second intent of a group is decided on what the first leaves behind.
func TestGroupDecidesOnItsEarlierIntents(t *testing.T) {
	change := func(b *commitBench, change func(*privateRow, int64) error) *changeAccount {
		return &changeAccount{app: b.a, by: actor{By: "test"}, act: "test", user: "id-bob", change: change}
	}
	login := func(b *commitBench) *openLogin {
		return &openLogin{app: b.a, user: "id-bob", generation: 1, token: auth.Digest{1}}
	}
	for name, c := range map[string]struct {
		before func(b *commitBench) []intent
		group  func(b *commitBench) []intent
		want   []kind // one for each of the group, 0 = taken
	}{
		"a writer loses his grant": {
			before: func(b *commitBench) []intent { return []intent{b.create(b.alice, "e", "0", `{"w":["id-bob"]}`)} },
			group: func(b *commitBench) []intent {
				return []intent{b.write(b.bob, "e", "before", ""), b.write(b.alice, "e", "1", `{"w":[]}`), b.write(b.bob, "e", "after", ""),
					&deleteEntity{app: b.a, subject: b.bob, collection: "box", id: "e"}}
			},
			want: []kind{0, 0, errInsufficient, errInsufficient},
		},
		"a writer gets his grant": {
			before: func(b *commitBench) []intent { return []intent{b.create(b.alice, "e", "0", "")} },
			group: func(b *commitBench) []intent {
				return []intent{b.write(b.bob, "e", "1", ""), b.write(b.alice, "e", "2", `{"w":["id-bob"]}`), b.write(b.bob, "e", "3", "")}
			},
			want: []kind{errInsufficient, 0, 0},
		},
		"gw is switched off": {
			before: func(b *commitBench) []intent { return []intent{b.create(b.alice, "e", "0", `{"gw":true}`)} },
			group: func(b *commitBench) []intent {
				return []intent{b.write(b.alice, "e", "1", `{"gw":false}`), b.write(b.bob, "e", "2", "")}
			},
			want: []kind{0, errInsufficient},
		},
		"a writer leaves the group": {
			before: func(b *commitBench) []intent {
				return []intent{b.group("g", "id-bob"), b.create(b.alice, "e", "0", `{"groups":{"w":["g"]}}`), b.write(b.bob, "e", "0b", "")}
			},
			group: func(b *commitBench) []intent {
				return []intent{b.write(b.bob, "e", "1", ""), b.group("g"), b.write(b.bob, "e", "2", "")}
			},
			want: []kind{0, 0, errInsufficient},
		},
		"the group is deleted": {
			before: func(b *commitBench) []intent {
				return []intent{b.group("g", "id-bob"), b.create(b.alice, "e", "0", `{"groups":{"w":["g"]}}`)}
			},
			group: func(b *commitBench) []intent {
				return []intent{&deleteEntity{app: b.a, subject: commitMaster, collection: "group", id: "g"}, b.write(b.bob, "e", "2", "")}
			},
			want: []kind{0, errInsufficient},
		},
		"the level closes": {
			before: func(b *commitBench) []intent {
				return []intent{b.create(b.alice, "e", "0", ""), b.level(acl.Full), b.write(b.bob, "e", "1", "")}
			},
			group: func(b *commitBench) []intent {
				return []intent{b.level(acl.ReadOnly), b.write(b.bob, "e", "2", ""), b.create(b.bob, "new", "2", "")}
			},
			want: []kind{0, errInsufficient, errInsufficient},
		},
		"a user is suspended": {
			group: func(b *commitBench) []intent {
				return []intent{&removeUser{app: b.a, subject: commitMaster, id: "id-bob"}, b.create(b.bob, "e", "1", ""), login(b)}
			},
			want: []kind{0, errCredentials, errCredentials},
		},
		"a user is deleted": {
			group: func(b *commitBench) []intent {
				return []intent{&removeUser{app: b.a, subject: commitMaster, id: "id-bob", hard: true}, b.create(b.bob, "e", "1", ""), login(b),
					b.newUser("id-other", "bob")}
			},
			want: []kind{0, errCredentials, errCredentials, 0},
		},
		"a password changes before the login": {
			group: func(b *commitBench) []intent {
				return []intent{login(b), change(b, func(p *privateRow, _ int64) error { p.Generation++; return nil }), login(b)}
			},
			want: []kind{0, 0, errCredentials},
		},
		"two password changes": {
			group: func(b *commitBench) []intent {
				one := func() *putUser {
					return &putUser{app: b.a, subject: b.bob, id: "id-bob", passwordOnly: true, phc: "$sha256$y", generation: 1}
				}
				return []intent{one(), one()}
			},
			want: []kind{0, errCredentials},
		},
		"the same id twice": {
			group: func(b *commitBench) []intent {
				return []intent{b.create(b.alice, "e", "1", ""), b.create(b.bob, "e", "2", ""), b.create(b.alice, "e", "3", "")}
			},
			want: []kind{0, errDuplicate, errDuplicate},
		},
		"deleted twice": {
			before: func(b *commitBench) []intent { return []intent{b.create(b.alice, "e", "0", "")} },
			group: func(b *commitBench) []intent {
				gone := func() *deleteEntity {
					return &deleteEntity{app: b.a, subject: b.alice, collection: "box", id: "e"}
				}
				return []intent{gone(), gone(), b.create(b.bob, "e", "bob's", ""), b.write(b.alice, "e", "1", "")}
			},
			want: []kind{0, errEntityNotFound, 0, errInsufficient},
		},
		"a name is taken by renaming": {
			group: func(b *commitBench) []intent {
				return []intent{
					&putUser{app: b.a, subject: b.bob, id: "id-bob", username: "carol"}, b.newUser("id-1", "carol"),
					b.newUser("id-2", "bob"), &putUser{app: b.a, subject: b.bob, id: "id-bob", username: "bob"}}
			},
			want: []kind{0, errUserExists, 0, errUserExists},
		},
		"a group id is named by an ACL": {
			group: func(b *commitBench) []intent {
				g := b.group("g", "id-bob")
				g.subject = b.bob
				return []intent{b.create(b.alice, "e", "1", `{"groups":{"r":["g"]}}`), g}
			},
			want: []kind{0, errInsufficient},
		},
		"a dropped collection": {
			before: func(b *commitBench) []intent { return []intent{b.create(b.alice, "e", "0", `{"w":["id-bob"]}`)} },
			group: func(b *commitBench) []intent {
				return []intent{&dropCollection{app: b.a, by: actor{By: "test"}, name: "box"}, &deleteEntity{app: b.a, subject: b.bob, collection: "box", id: "e"},
					b.create(b.bob, "e", "bob's", ""), b.write(b.alice, "e", "1", "")}
			},
			want: []kind{0, errEntityNotFound, 0, errInsufficient},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCommitBench(t, store.NewMemory())
			if c.before != nil {
				b.must(b.a, c.before(b)...)
			}
			n := b.driver.count()
			outcomes := b.together(b.a, c.group(b)...)
			for i, err := range outcomes {
				if c.want[i] == 0 && err != nil || c.want[i] != 0 && (err == nil || faultOf(err).kind != c.want[i]) {
					t.Errorf("intent %d: got %v, want %v", i, err, c.want[i])
				}
			}
			if got := len(b.driver.since(n)); got != 1 && name != "a dropped collection" { // that one is cleaned up after
				t.Errorf("%d records, want one: the test did not test a group", got)
			}
			b.check()
		})
	}
}

// The groups a user is in are known anew after every change of a group, also
// when several change in one record and he is asked for in between.
func TestGroupMembershipWithinOneRecord(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	b.must(b.a, b.level(acl.Private), b.group("g", "id-bob"), b.group("other"), b.create(b.alice, "e", "0", `{"groups":{"r":["g"],"w":["g"]}}`))
	if !b.reads("id-bob", "e") {
		t.Fatal("bob cannot read through his group")
	}
	n := b.driver.count()
	for i, err := range b.together(b.a, b.group("other", "id-alice"), b.write(b.bob, "e", "1", ""), b.group("g")) {
		if err != nil {
			t.Errorf("intent %d: %v", i, err)
		}
	}
	if len(b.driver.since(n)) != 1 {
		t.Fatal("the three were not one group")
	}
	if b.reads("id-bob", "e") {
		t.Error("bob reads through a group that he was removed from, after the removal was acknowledged (I5)")
	}
	if err := b.e.committer.submit(b.a, b.write(b.bob, "e", "2", "")); err == nil {
		t.Error("bob writes through a group that he was removed from (I5)")
	}
	b.check()
}

// What a group of intents that was never written made of a user's membership
// is forgotten with it.
func TestMembershipOfAnAbandonedDraft(t *testing.T) {
	fault := store.NewFault(store.NewMemory(), 1, store.FaultPlan{Script: append(make([]store.FaultKind, 8), store.FaultNoSpace)})
	b := newCommitBench(t, fault)
	b.must(b.a, b.level(acl.Private), b.group("g"), b.create(b.alice, "e", "0", `{"groups":{"r":["g"],"w":["g"]}}`))
	for b.driver.count() < 8 {
		b.must(b.a, b.group("filler"))
	}
	outcomes := b.together(b.a, b.group("g", "id-bob"), b.write(b.bob, "e", "1", ""))
	for i, err := range outcomes {
		if !errors.Is(err, store.ErrNoSpace) {
			t.Fatalf("intent %d: %v, want no space", i, err)
		}
	}
	b.must(b.a, b.group("filler", "id-alice"))
	if b.reads("id-bob", "e") {
		t.Error("bob reads through a membership that was refused and never existed (I5)")
	}
	b.check()
}

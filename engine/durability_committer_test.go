package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// Of many that want one name at once exactly one gets it.
func TestOneNameManySignUps(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	const many = 32
	in := make([]intent, many)
	for i := range in {
		in[i] = b.newUser(fmt.Sprintf("id-%d", i), "popular")
	}
	won := 0
	for i, err := range b.together(b.a, in...) {
		switch {
		case err == nil:
			won++
			if id, _ := b.a.view.Load().names.Get("popular"); id != fmt.Sprintf("id-%d", i) {
				t.Errorf("the name belongs to %s, not to the winner %d", id, i)
			}
		case !errors.Is(err, errUserExists):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d sign-ups got the name", won)
	}
	// Without a gate: whatever groups they fall into.
	results := make(chan error, many)
	for i := range many {
		go func() { results <- b.e.committer.submit(b.a, b.newUser(fmt.Sprintf("id2-%d", i), "second")) }()
	}
	won = 0
	for range many {
		if err := <-results; err == nil {
			won++
		} else if !errors.Is(err, errUserExists) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d sign-ups got the second name", won)
	}
	if n := b.a.view.Load().accounts.Len(); n != 4 {
		t.Errorf("%d users, want 4", n)
	}
	b.check()
}

// A user has at most a hundred sessions, and the oldest end, also when many
// open in one group.
func TestSessionLimit(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	const many = 150
	digest := func(i int) auth.Digest { return auth.Digest{byte(i >> 8), byte(i), 7} }
	in := make([]intent, many)
	for i := range in {
		in[i] = &openLogin{app: b.a, user: "id-bob", generation: 1, token: digest(i)}
	}
	for i, err := range b.together(b.a, in...) {
		if err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
	}
	s := b.a.view.Load()
	if s.sessions.Len() != maxSessions || s.userSessions.Len() != maxSessions {
		t.Errorf("%d sessions, %d by user, want %d", s.sessions.Len(), s.userSessions.Len(), maxSessions)
	}
	for i := range many {
		d := digest(i)
		if _, ok := s.sessions.Get(string(d[:])); ok != (i >= many-maxSessions) {
			t.Errorf("session %d: there %t", i, ok)
		}
	}
	b.must(b.a, &removeUser{app: b.a, subject: commitMaster, id: "id-bob", hard: true})
	if s = b.a.view.Load(); s.sessions.Len() != 0 || s.userSessions.Len() != 0 {
		t.Error("sessions survive their user")
	}
	b.check()
}

// dump is every row of the store, with its place in history. The counts of
// several collections close a record in no particular order.
func (b *commitBench) dump() []string {
	b.t.Helper()
	v, err := b.driver.View()
	if err != nil {
		b.t.Fatal(err)
	}
	defer v.Close()
	var rows []string
	err = v.Scan(store.AllRows(), func(r store.Row) error {
		if r.Key.Table == tableCount {
			r.Index = 0
		}
		rows = append(rows, fmt.Sprintf("%v %d.%d %q", r.Key, r.Seq, r.Index, r.Value))
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return rows
}

// A refused intent leaves no trace: not in the store, not in the published
// state, and not in what its group writes.
func TestRefusedIntentsLeaveNoTrace(t *testing.T) {
	prepare := func() *commitBench {
		b := newCommitBench(t, store.NewMemory())
		b.must(b.a, b.create(b.alice, "e", "0", ""), b.group("g", "id-alice"), b.level(acl.Shared))
		return b
	}
	refused := func(b *commitBench) []intent {
		big := b.create(b.alice, "big", strings.Repeat("x", maxRow), "")
		made := b.group("new", "id-bob")
		made.subject, made.collection = b.bob, "group"
		stranger := b.put(acl.Subject{Role: acl.RoleUser, ID: "nobody"}, "fresh", "f", `{"_id":"f"`, "")
		return []intent{
			b.write(b.bob, "e", "1", ""), b.create(b.bob, "e", "2", ""), big, stranger,
			&deleteEntity{app: b.a, subject: b.bob, collection: "box", id: "e"},
			&deleteEntity{app: b.a, subject: b.bob, collection: "none", id: "e"},
			b.newUser("id-x", "alice"), b.newUser("id-alice", "x"),
			&openLogin{app: b.a, user: "id-bob", generation: 9},
			&putUser{app: b.a, subject: b.bob, id: "id-bob", username: "alice"},
			&putUser{app: b.a, subject: b.bob, id: "id-alice", username: "mallory"},
			&removeUser{app: b.a, subject: b.bob, id: "id-alice"},
			&dropCollection{app: b.a, by: actor{By: "test"}, name: "none"},
			&changeApp{app: b.a, change: func(c *appConfig, _ int64) error { c.Name = "half"; return errBadRequest }},
			&changeAccount{app: b.a, user: "id-bob", change: func(p *privateRow, _ int64) error { p.Suspended = 1; return errBadRequest }},
			&setCollection{app: b.a, name: "box", insert: true, level: acl.Full},
		}
	}
	b := prepare()
	view, system, directory := b.a.view.Load(), b.e.system.Load(), b.e.apps.Load()
	rows := b.dump()
	head, hash := b.driver.Head()
	for i, err := range b.together(b.a, refused(b)...) {
		if err == nil {
			t.Errorf("intent %d was taken", i)
		}
	}
	if h, x := b.driver.Head(); h != head || x != hash || !slices.Equal(b.dump(), rows) {
		t.Error("refused intents reached the store")
	}
	if b.a.view.Load() != view || b.e.system.Load() != system || b.e.apps.Load() != directory {
		t.Error("refused intents made a new view")
	}
	b.check()

	// Among others: the rows are those of the others alone.
	taken := func(b *commitBench) []intent {
		return []intent{b.write(b.alice, "e", "3", ""), b.create(b.bob, "f", "4", `{"r":["id-alice"]}`), b.user("carol")}
	}
	with, without := prepare(), prepare()
	bad, good := refused(with), taken(with)
	var mixed []intent
	for len(bad) > 0 {
		mixed = append(mixed, bad[0])
		if bad = bad[1:]; len(good) > 0 {
			mixed = append(mixed, good[0])
			good = good[1:]
		}
	}
	with.together(with.a, mixed...)
	without.together(without.a, taken(without)...)
	x, y := with.dump(), without.dump()
	if len(x) != len(y) {
		t.Errorf("%d rows, %d without the refused intents", len(x), len(y))
	}
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			t.Errorf("a refused intent changed what its group wrote:\n%s\nwithout it:\n%s", x[i], y[i])
		}
	}
	with.check()
}

// Entities of the largest size and small ones come together as they may: the
// groups are split, and nobody is told that the record is too big.
func TestOversizedGroupsAreSplit(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	large := strings.Repeat("x", 958<<10)
	var in []intent
	const larges, smalls = 24, 300
	for i := range larges {
		in = append(in, b.put(b.alice, fmt.Sprintf("c%d", i%5), fmt.Sprintf("l%d", i), `{"_id":"l`+fmt.Sprint(i)+`","x":"`+large+`"`, ""))
		for j := range smalls / larges {
			in = append(in, b.create(b.bob, fmt.Sprintf("s%d-%d", i, j), "small", ""))
		}
	}
	n := b.driver.count()
	for i, err := range b.together(b.a, in...) {
		if err != nil {
			t.Errorf("intent %d: %v", i, err)
		}
	}
	records := b.driver.since(n)
	if len(records) < larges {
		t.Errorf("%d records for %d entities of 958 KiB", len(records), larges)
	}
	for _, r := range records {
		if r.bytes > store.MaxValueBytes+store.MaxBesideBytes+4096 {
			t.Errorf("record %d has %d bytes", r.seq, r.bytes)
		}
	}
	// An update keeps the ACL of before beside the new row: both may be large.
	var names strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&names, `,"%060d"`, i)
	}
	grants := `{"r":[` + names.String()[1:] + `]}`
	half := strings.Repeat("y", 200<<10)
	for i, err := range b.together(b.a, b.write(b.alice, "wide", "0", grants), b.write(b.alice, "wide", half, grants), b.create(b.bob, "tiny", "1", ""),
		b.write(b.alice, "l0", "2", ""), b.create(b.alice, "over", strings.Repeat("x", maxRow), "")) {
		if i == 4 {
			if faultOf(err).kind != errTooLarge {
				t.Errorf("an entity that is too large: %v", err)
			}
		} else if err != nil && !(i < 2 && faultOf(err).kind == errTooLarge) {
			t.Errorf("intent %d: %v", i, err)
		}
	}
	// Five hundred collections change in one group: their counts go beside it.
	in = in[:0]
	for i := range groupOps {
		in = append(in, b.put(b.bob, fmt.Sprintf("many%d", i), "x", `{"_id":"x"`, ""))
	}
	for i, err := range b.together(b.a, in...) {
		if err != nil {
			t.Fatalf("collection %d: %v", i, err)
		}
	}
	b.check()
}

// An app that floods the committer does not make another wait for more than
// the group under way and the next. Counted in records, not in time.
func TestAppsShareTheCommitter(t *testing.T) {
	for name, c := range map[string]struct {
		flood, within int
		body          string
	}{
		"small entities": {flood: 3000, within: 2, body: "x"},
		"large entities": {flood: 40, within: 3, body: strings.Repeat("x", 900<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCommitBench(t, store.NewMemory())
			// The first gate lets the flood gather, the second opens its first group.
			one, two := newCommitGate(), newCommitGate()
			gates := []*submission{nil, nil}
			var err error
			if gates[0], err = b.e.committer.enqueue(nil, one); err != nil {
				t.Fatal(err)
			}
			<-one.entered
			if gates[1], err = b.e.committer.enqueue(nil, two); err != nil {
				t.Fatal(err)
			}
			flood := make([]*submission, c.flood)
			for i := range flood {
				if flood[i], err = b.e.committer.enqueue(b.a, b.create(b.alice, fmt.Sprint(i), c.body, "")); err != nil {
					t.Fatal(err)
				}
			}
			close(one.open)
			<-two.entered
			// The other app comes when the first group is full.
			n := b.driver.count()
			other, err := b.e.committer.enqueue(b.b, &putEntity{app: b.b, subject: commitMaster, collection: "box", id: "mine", members: []byte(`{"_id":"mine"`)})
			if err != nil {
				t.Fatal(err)
			}
			close(two.open)
			for _, s := range append(append(gates, other), flood...) {
				if err := s.wait(); err != nil {
					t.Fatal(err)
				}
			}
			for i, r := range b.driver.since(n) {
				if slices.ContainsFunc(r.keys, func(k store.Key) bool { return k.App == b.b.number && k.ID == "mine" }) {
					if i >= c.within {
						t.Errorf("the other app waited for %d records, at most %d are fair", i+1, c.within)
					}
					return
				}
			}
			t.Error("the other app's write is in no record")
		})
	}
}

// The intents of one app are committed in the order they came, whatever else
// is going on.
func TestCommitterKeepsTheOrderOfAnApp(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	b.must(b.a, b.create(b.alice, "e", "-1", ""))
	var in []intent
	for i := range 1500 {
		in = append(in, b.write(b.alice, "e", fmt.Sprint(i), ""))
	}
	for i, err := range b.together(b.a, in...) {
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if body := b.entity("box", "e"); !bytes.Contains([]byte(body), []byte(`"text":"1499"`)) {
		t.Errorf("the last write did not win: %s", body)
	}
	b.check()
}

// commitFlaky fails one append with an unknown outcome and then pretends to be
// well again, as no driver should.
type commitFlaky struct {
	store.Driver
	armed bool // set while the committer stands still
}

func (f *commitFlaky) Append(ctx context.Context, expect store.Seq, rec *store.Record) error {
	if f.armed {
		f.armed = false
		return store.ErrUnknown
	}
	return f.Driver.Append(ctx, expect, rec)
}

// After an append of unknown outcome the committer takes nothing any more,
// whatever the store says.
func TestUnknownOutcomeIsFinal(t *testing.T) {
	flaky := &commitFlaky{Driver: store.NewMemory()}
	b := newCommitBench(t, flaky)
	view := b.a.view.Load()
	flaky.armed = true
	for i, err := range b.together(b.a, b.create(b.alice, "a", "1", ""), b.create(b.bob, "b", "2", ""), b.newUser("id-x", "alice")) {
		want := errUnavailable
		if i == 2 {
			want = errUserExists // it would not have been written anyway
		}
		if err == nil || faultOf(err).kind != want {
			t.Errorf("intent %d: %v", i, err)
		}
	}
	head, _ := b.driver.Head()
	for _, in := range []intent{b.create(b.alice, "c", "1", ""), &removeUser{app: b.a, subject: commitMaster, id: "id-bob"}} {
		if err := b.e.committer.submit(b.a, in); err == nil || faultOf(err).kind != errUnavailable {
			t.Errorf("%T after the failure: %v", in, err)
		}
	}
	if now, _ := b.driver.Head(); now != head || b.a.view.Load() != view {
		t.Error("something was written or shown after the failure")
	}
}

// A failure that meets several groups is told once.
func TestFailureIsToldOnce(t *testing.T) {
	b := newCommitBench(t, store.NewFault(store.NewMemory(), 1, store.FaultPlan{Script: append(make([]store.FaultKind, 4), store.FaultLost)}))
	var in []intent
	for i := range 3 * groupOps {
		in = append(in, b.create(b.alice, fmt.Sprint(i), "x", ""))
	}
	for i, err := range b.together(b.a, in...) {
		if err == nil || faultOf(err).kind != errUnavailable {
			t.Fatalf("intent %d: %v", i, err)
		}
	}
	select {
	case <-b.failure:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
	for range 100 { // give a second call its chance
		runtime.Gosched()
	}
	if len(b.failure) != 0 {
		t.Error("the failure was told again")
	}
}

package engine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"postern/acl"
	"postern/engine/store"
)

// damaged is a store with a few users, groups and entities.
func newDamaged(t *testing.T) *commitBench {
	b := newCommitBench(t, store.NewMemory())
	b.must(b.a, b.group("g", "id-alice"), b.create(b.alice, "one", "1", `{"r":["id-bob"]}`), b.create(b.alice, "two", "2", `{"groups":{"r":["g"]}}`),
		b.create(b.bob, "three", "3", ""), b.create(b.bob, "gone", "0", `{"gr":true}`),
		&openLogin{app: b.a, user: "id-bob", generation: 1, token: [32]byte{1}})
	b.must(b.a, &deleteEntity{app: b.a, subject: b.bob, collection: "box", id: "gone"})
	b.check()
	return b
}

// append writes rows past the engine, in a record that the store has nothing
// against: every envelope, hash and count of its own is right.
func (b *commitBench) append(ops ...store.Op) {
	b.t.Helper()
	seq, hash := b.driver.Head()
	if err := b.driver.Append(context.Background(), seq, &store.Record{Seq: seq + 1, Prev: hash, Time: 1, Ops: ops}); err != nil {
		b.t.Fatal(err)
	}
}

// counted is the count row that fits after the ops: for damage that keeps the
// books.
func (b *commitBench) counted(collection string, ops ...store.Op) []store.Op {
	d := newDraft(b.e)
	if err := d.apply(ops); err != nil {
		b.t.Fatal(err)
	}
	c := d.state(b.a).collection(collection)
	return append(ops, store.Op{Key: store.Key{App: b.a.number, Table: tableCount, Collection: c.number}, Value: c.check.encode(), Quiet: true})
}

func (b *commitBench) boxKey(id string) store.Key {
	return store.Key{App: b.a.number, Table: tableEntity, Collection: b.a.view.Load().collection("box").number, ID: id}
}

func (b *commitBench) row(key store.Key) []byte {
	b.t.Helper()
	v, err := b.driver.View()
	if err != nil {
		b.t.Fatal(err)
	}
	defer v.Close()
	r, err := v.Get(key)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Value
}

func problems(check func(report func(string)) error) string {
	var all []string
	if err := check(func(p string) { all = append(all, p) }); err != nil {
		all = append(all, "error: "+err.Error())
	}
	return strings.Join(all, "; ")
}

// What is damaged in the store past the engine is named: by a check of the
// store alone, by a check of the running engine, and at the next opening where
// the committed counts tell.
func TestCheckNamesDamageInTheStore(t *testing.T) {
	forged := func(grants, text string) []byte {
		a, err := acl.Parse([]byte(grants))
		if err != nil {
			t.Fatal(err)
		}
		return newEntity("one", []byte(`{"_id":"one","text":"1"`), 0, a, []byte(text), 1, 1).row
	}
	for name, c := range map[string]struct {
		ops     func(b *commitBench) []store.Op
		offline string // what Check of the store must say
		online  string // what Check of the engine must say
		opens   bool   // the store can be opened all the same
	}{
		"an entity is dropped": {
			ops:     func(b *commitBench) []store.Op { return []store.Op{{Key: b.boxKey("one")}} },
			offline: "3 entities were committed and 2 are there", online: "3 entities were committed and 2 are there",
		},
		"an entity is dropped and the books are made to fit": {
			ops:     func(b *commitBench) []store.Op { return b.counted("box", store.Op{Key: b.boxKey("one")}) },
			offline: "", online: `entity "one" differs from the store`, opens: true,
		},
		"an ACL is altered": {
			ops: func(b *commitBench) []store.Op {
				text := `{"creator":"id-alice","r":["id-bob","id-mallory"]}`
				return []store.Op{{Key: b.boxKey("one"), Value: forged(text, text)}}
			},
			offline: "or their grants differ (I2)", online: "or their grants differ (I2)",
		},
		"an ACL is decided by that is not the one served": {
			ops: func(b *commitBench) []store.Op {
				return b.counted("box", store.Op{Key: b.boxKey("one"), Value: forged(`{"creator":"id-alice","gr":true}`, `{"creator":"id-alice"}`)})
			},
			offline: `entity "one" serves an _acl that is not the one decided by`, online: `entity "one" differs from the store`, opens: true,
		},
		"a deleted entity is back": {
			ops: func(b *commitBench) []store.Op {
				return []store.Op{{Key: b.boxKey("gone"), Value: forged(`{"creator":"id-bob","gr":true}`, `{"creator":"id-bob","gr":true}`)}}
			},
			offline: "3 entities were committed and 4 are there", online: "3 entities were committed and 4 are there",
		},
		"the count is dropped": {
			ops: func(b *commitBench) []store.Op {
				k := b.boxKey("")
				k.Table = tableCount
				return []store.Op{{Key: k}}
			},
			offline: "0 entities were committed and 3 are there", online: "0 entities were committed",
		},
		"two entities at one position": {
			ops: func(b *commitBench) []store.Op {
				row := b.row(b.boxKey("one"))
				copy(row[1:5], b.row(b.boxKey("two"))[1:5])
				return b.counted("box", store.Op{Key: b.boxKey("one"), Value: row})
			},
			offline: "is not at its position", online: `entity "one" differs`, opens: true,
		},
		"a row is no entity": {
			ops:     func(b *commitBench) []store.Op { return []store.Op{{Key: b.boxKey("one"), Value: []byte("hello")}} },
			offline: `"one": entity row is malformed`, online: "entity row is malformed",
		},
		"a user's record is dropped": {
			ops: func(b *commitBench) []store.Op {
				return b.counted("user", store.Op{Key: store.Key{App: b.a.number, Table: tableEntity, Collection: userCollection, ID: "id-bob"}})
			},
			offline: `user "id-bob" has no record`, online: `entity "id-bob" differs from the store`, opens: true,
		},
		"two users of one name": {
			ops: func(b *commitBench) []store.Op {
				return []store.Op{privateOp(b.a, "id-bob", &privateRow{Username: "alice", Generation: 1})}
			},
			offline: `user "id-alice" is not found by his name`, online: `account of user "id-bob" differs`, opens: true,
		},
		"a password is changed": {
			ops: func(b *commitBench) []store.Op {
				return []store.Op{privateOp(b.a, "id-bob", &privateRow{Username: "bob", Password: "mallory's", Generation: 1})}
			},
			online: `account of user "id-bob" differs`, opens: true,
		},
		"a session is added": {
			ops: func(b *commitBench) []store.Op {
				return []store.Op{sessionOp(b.a, [32]byte{2}, &sessionRow{User: "id-bob", Generation: 1})}
			},
			online: "sessions differ", opens: true,
		},
		"a session is given to another": {
			ops: func(b *commitBench) []store.Op {
				return []store.Op{sessionOp(b.a, [32]byte{1}, &sessionRow{User: "id-alice", Generation: 1})}
			},
			online: "session of user \"id-bob\" differs", opens: true,
		},
		"a level is opened": {
			ops: func(b *commitBench) []store.Op {
				return []store.Op{{Key: store.Key{App: b.a.number, Table: tableCollection, ID: "box"},
					Value: encodeRow(&collectionRow{Number: b.boxKey("").Collection, Level: acl.Full})}}
			},
			online: "collection box differs from the store", opens: true,
		},
		"a secret is added": {
			ops: func(b *commitBench) []store.Op {
				config := *b.a.view.Load().config
				config.MasterSecrets = append([]secret{{}}, config.MasterSecrets...)
				return []store.Op{{Key: store.Key{Table: tableApp, ID: config.Key}, Value: encodeRow(&config)}}
			},
			online: "settings differ from the store", opens: true,
		},
		"a collection is dropped": {
			ops: func(b *commitBench) []store.Op {
				return []store.Op{{Key: store.Key{App: b.a.number, Table: tableCollection, ID: "box"}}}
			},
			online: "collection box differs from the store", opens: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newDamaged(t)
			b.append(c.ops(b)...)
			offline := problems(func(report func(string)) error { return Check(context.Background(), b.driver, report) })
			if c.offline != "" && !strings.Contains(offline, c.offline) {
				t.Errorf("the check of the store says %q, want %q", offline, c.offline)
			}
			online := problems(b.e.Check)
			if !strings.Contains(online, c.online) {
				t.Errorf("the check of the engine says %q, want %q", online, c.online)
			}
			e, err := Open(Config{Driver: b.driver})
			if (err == nil) != c.opens {
				t.Errorf("opening: %v", err)
			}
			if err == nil {
				_ = e.Close()
			}
		})
	}
}

// lateOf returns the place of the last change of an entity among what came after
// the base.
func lateOf(c *collection, id string) int {
	for i := len(c.rows.late) - 1; i >= 0; i-- {
		if c.rows.late[i].id == id {
			return i
		}
	}
	panic("not late: " + id)
}

// misindex has the index say of an entity that a is its ACL.
func misindex(c *collection, id string, a *acl.ACL) {
	c.rows.recent = new(acl.Recent)
	for i, r := range c.rows.late {
		switch {
		case i == lateOf(c, id):
			c.rows.recent.Add(a)
		case r.listed:
			c.rows.recent.Add(r.e.acl)
		default:
			c.rows.recent.Add(nil)
		}
	}
}

// An index that says something else than the entities is named (I6), and so is
// a wrong count of the ACLs that name a group, and anything in memory that the
// store does not have (I2).
func TestCheckNamesDamageInMemory(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(c *collection, s *appState)
		want   string
	}{
		"the index grants what nobody granted": {func(c *collection, _ *appState) {
			misindex(c, "one", &acl.ACL{Creator: "id-alice", Readers: []string{"id-bob", "id-mallory"}})
		}, `user "id-mallory": 1 entities, should be 0 (I6)`},
		"the index switches on what is not": {func(c *collection, _ *appState) {
			misindex(c, "three", &acl.ACL{Creator: "id-bob", GR: acl.On})
		}, `gr on: entity 2, should be 3 (I6)`},
		"the index lacks an entity": {func(c *collection, _ *appState) {
			misindex(c, "two", nil)
		}, `gr not off: entity 2, should be 1 (I6)`},
		"the index knows one that is gone": {func(c *collection, _ *appState) {
			misindex(c, "gone", &acl.ACL{Creator: "id-bob"})
		}, `gr not off: 5 entities, should be 4 (I6)`},
		"a group is counted that nobody names": {func(c *collection, _ *appState) { c.groupRefs.Set("x", 1) }, `group "x" is named by 0 ACLs, counted 1 (I6)`},
		"a group is not counted":               {func(c *collection, _ *appState) { c.groupRefs.Delete("g") }, "1 groups are named, 0 counted (I6)"},
		"an override is counted twice":         {func(c *collection, _ *appState) { c.overrides++ }, "2 ACLs say more than a creator, counted 3 (I6)"},
		"an entity is in memory only": {func(c *collection, _ *appState) {
			e := newEntity("ghost", []byte(`{"_id":"ghost"`), 50, &acl.ACL{Creator: "id-bob"}, []byte(`{"creator":"id-bob"}`), 1, 1)
			c.replace(e.id, nil, e, true)
			c.rows.freeze()
		}, "4 entities in memory, 3 in the store"},
		"an entity is served that is not stored": {func(c *collection, _ *appState) {
			e, _ := c.rows.get("one")
			n := *e
			n.row = append([]byte(nil), e.row...)
			n.row[len(n.row)-3] ^= 1
			c.rows.late[lateOf(c, "one")].e = &n
		}, `entity "one" differs from the store (I2)`},
		"a position is lost": {func(c *collection, _ *appState) {
			c.rows.ids = new(lateIDs).with(slices.Repeat([]lateRow{{id: "x"}}, len(c.rows.late)))
		}, "is not at its position"},
		"a session lives on": {func(_ *collection, s *appState) {
			s.sessions.Set("x", &session{sessionRow: sessionRow{User: "id-bob"}})
		}, "users or sessions differ"},
		"a name is forgotten": {func(_ *collection, s *appState) { s.names.Delete("bob") }, `user "id-bob" is not found by his name`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newDamaged(t)
			s := b.a.view.Load().clone()
			c.damage(s.own("box"), s)
			s.freeze(0)
			b.a.view.Store(s)
			if got := problems(b.e.Check); !strings.Contains(got, c.want) {
				t.Errorf("the check says %q, want %q", got, c.want)
			}
			if got := problems(func(report func(string)) error { return Check(context.Background(), b.driver, report) }); got != "" {
				t.Errorf("the check of the store, which is sound, says %q", got)
			}
		})
	}
}

// A membership that nobody has, a group that is not the stored one: Check must
// see those too, or a wrong group set could go unnoticed for ever.
func TestCheckNamesDamagedGroups(t *testing.T) {
	b := newDamaged(t)
	s := b.a.view.Load().clone()
	s.groups = s.groups.With("g", &acl.GroupDef{All: true})
	s.freeze(0)
	b.a.view.Store(s)
	if got := problems(b.e.Check); got == "" {
		t.Error("the groups that decide are not those of the store, and the check says nothing")
	}
	b = newDamaged(t)
	s = b.a.view.Load()
	s.subject("id-bob") // cached
	account, _ := s.accounts.Get("id-bob")
	wrong := *account.identity.Load()
	wrong.member = s.groups.With("g", &acl.GroupDef{All: true}).Of("id-bob")
	account.identity.Store(&wrong)
	if got := problems(b.e.Check); got == "" {
		t.Error("the groups that a user is remembered to be in are not his, and the check says nothing")
	}
}

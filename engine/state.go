package engine

import (
	"fmt"
	"sync/atomic"

	"github.com/tidwall/btree"

	"postern/acl"
	"postern/auth"
	"postern/engine/document"
	"postern/engine/store"
)

// appState is one app at one moment of its history. It is immutable once it is
// published: readers use it without locks, the committer works on a clone that
// shares all it does not change.
//
// Everything in here is derived from the rows of the store by apply and by
// nothing else, at start as well as at every commit.
type appState struct {
	config       *appConfig
	collections  *btree.Map[string, *collection]
	names        *btree.Map[string, string]   // username -> user id
	skeletons    *btree.Map[string, int]      // skeleton of a username -> how many have it
	accounts     *btree.Map[string, *account] // user id -> what is private of him
	sessions     *btree.Map[string, *session] // token digest -> session
	userSessions *btree.Map[string, string]   // user, creation time, token digest -> token digest
	groups       *acl.Groups
	groupPast    *btree.Map[string, struct{}]
	dropped      *btree.Map[uint32, struct{}] // collections whose rows are still to be cleaned away
	emails       *btree.Map[string, struct{}] // mail address, user id (see emailKey)
	identities   *btree.Map[string, string]   // verified identity -> user id
	outbox       *btree.Map[string, *outboxRow]

	grants         *btree.Map[string, *micGrant] // handle -> grant
	identityGrants *btree.Map[string, string]    // identity, creation time, handle -> handle

	regrouped *btree.Map[string, *regroupRow] // Seq and index -> whose groups were changed then
	notes     *btree.Map[string, []byte]      // kind and name -> JSON that decides nothing

	loading bool                 // it is being made from the rows of the store
	owned   map[*collection]bool // the collections that this clone may change; nil when published
}

// collection is one collection of an app at one moment. Same rules as appState.
type collection struct {
	number    uint32
	name      string
	level     acl.Level
	rows      *contents
	uses      *uses
	orders    *orderRow               // which orders are pinned and forbidden; nil: none
	groupRefs *btree.Map[string, int] // group id -> how many ACLs (and groups, if this is group) name it
	overrides int                     // how many ACLs say more than a creator
	check     countRow
	counted   countRow // as stored; equal to check when published
	history   *history // nil: it does not remember its changes
	changed   uint64   // how many changes of entities there were since it was loaded
	saved     *saved   // its snapshot
}

// An account is the private row of a user. The row is immutable; the identity
// cached beside it is derived from the groups.
type account struct {
	privateRow
	identity atomic.Pointer[identity]
}

// A session is one login. The row is immutable; seen runs ahead of its
// LastSeen, which is written lazily.
type session struct {
	sessionRow
	digest auth.Digest
	seen   atomic.Int64 // Unix ms
	saving atomic.Bool  // seen is on its way to the store
}

// lastSeen returns when the session was last used, Unix ms.
func (n *session) lastSeen() int64 { return max(n.seen.Load(), n.LastSeen) }

func newAppState(config *appConfig) *appState {
	s := &appState{
		config:       config,
		collections:  new(btree.Map[string, *collection]),
		names:        new(btree.Map[string, string]),
		skeletons:    new(btree.Map[string, int]),
		accounts:     new(btree.Map[string, *account]),
		sessions:     new(btree.Map[string, *session]),
		userSessions: new(btree.Map[string, string]),
		groupPast:    new(btree.Map[string, struct{}]),
		dropped:      new(btree.Map[uint32, struct{}]),
		regrouped:    new(btree.Map[string, *regroupRow]),
		emails:       new(btree.Map[string, struct{}]),
		identities:   new(btree.Map[string, string]),
		outbox:       new(btree.Map[string, *outboxRow]),
		notes:        new(btree.Map[string, []byte]),
		grants:       new(btree.Map[string, *micGrant]),
		owned:        map[*collection]bool{},
	}
	s.identityGrants = new(btree.Map[string, string])
	return s
}

func newCollection(number uint32, name string, level acl.Level) *collection {
	return &collection{
		number:    number,
		name:      name,
		level:     level,
		rows:      newContents(),
		uses:      new(uses),
		saved:     new(saved),
		groupRefs: new(btree.Map[string, int]),
	}
}

// clone returns a copy that may be changed while s is being read. It costs a
// few allocations whatever the size of the app.
func (s *appState) clone() *appState {
	c := *s
	c.collections = s.collections.Copy()
	c.names = s.names.Copy()
	c.skeletons = s.skeletons.Copy()
	c.accounts = s.accounts.Copy()
	c.sessions = s.sessions.Copy()
	c.userSessions = s.userSessions.Copy()
	c.groupPast = s.groupPast.Copy()
	c.dropped = s.dropped.Copy()
	c.regrouped = s.regrouped.Copy()
	c.emails = s.emails.Copy()
	c.identities = s.identities.Copy()
	c.outbox = s.outbox.Copy()
	c.notes = s.notes.Copy()
	c.grants = s.grants.Copy()
	c.identityGrants = s.identityGrants.Copy()
	c.owned = map[*collection]bool{}
	return &c
}

// touched returns how many entities of the app's own collections have a new
// place in an index because of the draft.
func (s *appState) touched() (n int) {
	for c := range s.owned {
		if c.number >= firstCollection {
			n += len(c.rows.late) - c.rows.from
		}
	}
	return n
}

// freeze ends a clone's life as a draft: index changes are applied and nothing
// may change any more. It tells whether a base should be made anew, which is
// after so many changes.
func (s *appState) freeze(after int) (stale bool) {
	for c := range s.owned {
		c.rows.freeze()
		c.counted = c.check
		stale = stale || c.worn(after, 1) || c.uses.want.Load()
	}
	s.owned, s.loading = nil, false
	return stale
}

// collection returns the named collection, or nil.
func (s *appState) collection(name string) *collection {
	c, _ := s.collections.Get(name)
	return c
}

// own returns the named collection ready to be changed.
func (s *appState) own(name string) *collection {
	c, ok := s.collections.Get(name)
	if !ok || s.owned[c] {
		return c
	}
	n := *c
	n.rows = c.rows.draft()
	n.groupRefs = c.groupRefs.Copy()
	n.history = c.history.clone()
	s.owned[&n] = true
	s.collections.Set(name, &n)
	return &n
}

// byNumber finds a collection by its number. Apps have few collections.
func (s *appState) byNumber(number uint32) (name string, ok bool) {
	s.collections.Scan(func(n string, c *collection) bool {
		if c.number == number {
			name, ok = n, true
		}
		return !ok
	})
	return name, ok
}

// level returns the level of a collection; one that does not exist yet would
// be made Shared.
func (s *appState) level(c *collection) acl.Level {
	if c == nil {
		return acl.Shared
	}
	return c.level
}

// active reports whether the user exists and is not suspended.
func (s *appState) active(user string) bool {
	p, ok := s.accounts.Get(user)
	return ok && p.Suspended == 0
}

// groupNamed reports whether an ACL of any collection, or a group, names the
// group.
func (s *appState) groupNamed(id string) bool {
	named := false
	s.collections.Scan(func(_ string, c *collection) bool {
		n, _ := c.groupRefs.Get(id)
		named = n > 0
		return !named
	})
	return named
}

// apply brings one row into the state: the only place where the state changes.
// value is kept. The caller has seen to it that the row is of this app. (The
// settings are a row of app 0, see applySystem.)
func (s *appState) apply(key store.Key, value []byte, seq store.Seq, index uint32) error {
	if s.config.Deleted != 0 {
		return nil // not yet cleaned away
	}
	switch key.Table {
	case tableCollection:
		return s.applyCollection(key.ID, value)
	case tableCount:
		return s.applyCount(key.Collection, value)
	case tablePrivate:
		return s.applyPrivate(key.ID, value)
	case tableEntity:
		return s.applyEntity(key, value, seq, index)
	case tableSession:
		return s.applySession(key.ID, value)
	case tableRegrouped:
		return s.applyRegrouped(key.ID, value)
	case tableGroupPast:
		s.groupPast.Set(key.ID, struct{}{})
	case tableDropped:
		if value == nil {
			s.dropped.Delete(key.Collection)
		} else {
			s.dropped.Set(key.Collection, struct{}{})
		}
	case tableOutbox:
		return s.applyOutbox(key.ID, value)
	case tableGrant:
		return s.applyGrant(key.ID, value)
	case tableNote:
		if value == nil {
			s.notes.Delete(key.ID)
		} else {
			s.notes.Set(key.ID, value)
		}
	default:
		return fmt.Errorf("row of unknown table %d", key.Table)
	}
	return nil
}

func (s *appState) applyCollection(name string, value []byte) error {
	if value == nil {
		s.collections.Delete(name)
		return nil
	}
	r, err := decodeRow[collectionRow](value)
	if err != nil {
		return err
	}
	c := s.own(name)
	if c == nil {
		c = newCollection(r.Number, name, r.Level)
		if s.loading {
			c.rows.loading = newLoader()
		}
		s.owned[c] = true
		s.collections.Set(name, c)
	}
	if r.Orders != nil || c.orders != nil {
		c.uses.want.Store(true) // the indexer looks whether they are there
	}
	c.level, c.orders = r.Level, r.Orders
	c.setDelta(r.Delta)
	return nil
}

func (s *appState) applyCount(number uint32, value []byte) error {
	name, ok := s.byNumber(number)
	if !ok {
		return nil // a dropped collection's
	}
	r, err := decodeCount(value)
	if err != nil {
		return err
	}
	c := s.own(name)
	c.counted = r
	c.check.Next = max(c.check.Next, r.Next)
	return nil
}

func (s *appState) applyPrivate(user string, value []byte) error {
	old, existed := s.accounts.Get(user)
	if existed {
		s.names.Delete(old.Username)
		s.countSkeleton(old.Username, -1)
		if old.Identity != "" {
			s.identities.Delete(old.Identity)
		}
	}
	var p *account
	if value == nil {
		s.accounts.Delete(user)
	} else {
		r, err := decodeRow[privateRow](value)
		if err != nil {
			return err
		}
		p = &account{privateRow: *r}
		s.accounts.Set(user, p)
		s.names.Set(p.Username, user)
		s.countSkeleton(p.Username, 1)
		if p.Identity != "" {
			s.identities.Set(p.Identity, user)
		}
	}
	// A suspended user can be found by his id but is in no list.
	before, now := existed && old.Suspended == 0, p != nil && p.Suspended == 0
	if before != now {
		if c := s.own("user"); c != nil {
			c.rows.list(user, now)
		}
	}
	return nil
}

func (s *appState) countSkeleton(name string, by int) {
	k := auth.Skeleton(name)
	n, _ := s.skeletons.Get(k)
	if n += by; n > 0 {
		s.skeletons.Set(k, n)
	} else {
		s.skeletons.Delete(k)
	}
}

func (s *appState) applyEntity(key store.Key, value []byte, seq store.Seq, index uint32) error {
	name, ok := s.byNumber(key.Collection)
	if !ok {
		return nil // a dropped collection's, not yet cleaned away
	}
	c := s.own(name)
	old, _ := c.rows.get(key.ID)
	var e *entity
	if value != nil {
		var err error
		if e, err = decodeEntity(key.ID, value, seq, index); err != nil {
			return err
		}
	}
	listed := c.number != userCollection || s.active(key.ID)
	c.replace(key.ID, old, e, listed)
	switch c.number {
	case groupCollection:
		return s.applyGroup(c, old, e)
	case userCollection:
		s.indexEmail(old, e)
	}
	return nil
}

// applyGroup makes the group what its entity says, gone when e is nil.
func (s *appState) applyGroup(c *collection, old, e *entity) error {
	if old != nil {
		for _, nested := range nestedGroups(old) {
			c.countGroup(nested, -1)
		}
		s.groups = s.groups.With(old.id, nil)
	}
	if e != nil {
		def, err := acl.ParseGroup(e.body())
		if err != nil {
			return fmt.Errorf("group %q: %w", e.id, err)
		}
		for _, nested := range inside(def) {
			c.countGroup(nested, 1)
		}
		s.groups = s.groups.With(e.id, def)
	}
	return nil
}

// replace puts e in the place of old, which had the same id; either may be nil.
// listed says whether anybody is to see it in lists.
func (c *collection) replace(id string, old, e *entity, listed bool) {
	if old != nil {
		c.check.Count--
		xor(&c.check.Digest, old.digest())
		if old.acl.Overrides() {
			c.overrides--
		}
		for g := range old.acl.Groups() {
			c.countGroup(g, -1)
		}
	}
	if e != nil {
		c.check.Count++
		xor(&c.check.Digest, e.digest())
		if e.acl.Overrides() {
			c.overrides++
		}
		for g := range e.acl.Groups() {
			c.countGroup(g, 1)
		}
		c.check.Next = max(c.check.Next, uint32(e.pos)+1)
	}
	if old != nil || e != nil {
		c.changed++
		c.rows.replace(id, e, listed)
	}
}

func (c *collection) countGroup(id string, by int) {
	n, _ := c.groupRefs.Get(id)
	if n += by; n > 0 {
		c.groupRefs.Set(id, n)
	} else {
		c.groupRefs.Delete(id)
	}
}

func xor(d *[32]byte, by [32]byte) {
	for i := range d {
		d[i] ^= by[i]
	}
}

// userDocument returns the public form of a user.
func (s *appState) user(id string) (*entity, bool) {
	return s.collection("user").rows.get(id)
}

// documentOf gives the query the document of an entity.
func documentOf(e *entity) document.Value { return document.Trusted(e.body()) }

package engine

import (
	"postern/acl"
	"postern/engine/store"
)

// maxRow bounds a stored document with its ACL, so that the store never puts
// a value into a file of its own.
const maxRow = store.MaxValueBytes

// subject returns the requester as the draft has him: his groups, and whether
// he still exists, may have changed since the request was read.
func (d *draft) subject(a *app, s acl.Subject) (acl.Subject, error) {
	if s.Role != acl.RoleUser {
		return s, nil
	}
	st := d.state(a)
	if !st.active(s.ID) {
		return s, fault(errCredentials, "the user is not active any more")
	}
	if a, ok := st.accounts.Get(s.ID); ok && a.Locked != 0 {
		return s, errLockedDown
	}
	now, _ := st.subject(s.ID)
	return now, nil
}

const noCreate = "You do not have access to create entities in this collection"

// putEntity creates or replaces an entity of a collection or a group. The
// members and texts were parsed and bounded by the handler.
type putEntity struct {
	app        *app
	asked      *Request // see actor; nil: the server
	subject    acl.Subject
	collection string
	id         string
	members    []byte   // `{"_id":"x","a":1`: the document's own part
	sent       *acl.ACL // nil: the request has no _acl
	sentText   []byte
	ect, lmt   int64 // imported by the master; 0: set by the server
	insert     bool  // POST: an existing id is an error
	overwrite  bool  // ... or, in old API versions, is replaced
	exact      bool  // an entity that is replaced takes ect and lmt, too

	// The outcome.
	created bool
	body    []byte // as the requester may see it
	verdict verdict
}

// What it has changed for the audit, if anything, its rows tell.
func (in *putEntity) audit() auditLine { return auditLine{actor: in.asked.actor()} }

func (in *putEntity) plan(d *draft) ([]store.Op, error) {
	subject, err := d.subject(in.app, in.subject)
	if err != nil {
		return nil, err
	}
	s := d.state(in.app)
	c := s.collection(in.collection)
	level := s.level(c)
	var old *entity
	if c != nil {
		old, _ = c.rows.get(in.id)
	}
	if err := in.allowed(d, s, subject, level, old); err != nil {
		return nil, err
	}
	var ops []store.Op
	number, pos := uint32(0), acl.Position(0)
	if c != nil {
		number, pos = c.number, acl.Position(c.check.Next)
	} else {
		number, ops = newCollectionOps(s, in.collection, acl.Shared)
	}
	e, err := in.compose(d, s, subject, level, old, pos)
	if err != nil {
		return nil, err
	}
	in.created = old == nil
	op := store.Op{Key: store.Key{App: in.app.number, Table: tableEntity, Collection: number, ID: in.id}, Value: e.row}
	if old != nil {
		op.Before = old.grants()
	}
	ops = append(ops, op)
	if number == groupCollection {
		ops = append(ops, d.regroupOps(in.app, old, e)...)
	}
	return ops, nil
}

// allowed decides. An id that is taken answers the same whether the requester
// can see the entity or not.
func (in *putEntity) allowed(d *draft, s *appState, subject acl.Subject, level acl.Level, old *entity) error {
	if old == nil || in.insert {
		if in.collection == "group" {
			if err := mayMakeGroup(d.systemState(), s, subject, in.id, old != nil); err != nil {
				return err
			}
		}
		v, err := decide(subject, level, nil, acl.Create)
		if in.verdict = v; err != nil {
			return &denied{verdict: v, debug: noCreate}
		}
	}
	if old == nil {
		return nil
	}
	if in.insert && !in.overwrite {
		return fault(errDuplicate, "An entity with that _id already exists in this collection")
	}
	if s.config.Options.HideUnreadable {
		if v, err := decide(subject, level, old.acl, acl.Read); err != nil {
			return &denied{verdict: v, debug: noCreate}
		}
	}
	v, err := decide(subject, level, old.acl, acl.Write)
	in.verdict = v
	return err
}

// compose makes the new entity and what the requester is shown of it.
func (in *putEntity) compose(d *draft, s *appState, subject acl.Subject, level acl.Level, old *entity, pos acl.Position) (*entity, error) {
	var stored *acl.ACL
	text := in.sentText
	grants := in.sent
	ect, lmt := d.now, d.now
	if old != nil {
		stored, pos, ect = old.acl, old.pos, old.ect
		lmt = max(d.now, old.lmt+1)
		useSent, decision := acl.Amend(subject, level, stored, in.sent)
		if !useSent {
			if in.sent != nil && s.config.Options.StrictACL && !stored.SameGrants(in.sent) {
				return nil, &denied{verdict: verdict{decision, acl.ChangeACL}, debug: "only the creator changes _acl"}
			}
			text, grants = old.aclText(), stored
		}
	}
	if old == nil || in.exact {
		if in.ect != 0 {
			ect = in.ect
		}
		if in.lmt != 0 {
			lmt = in.lmt
		}
	}
	now := acl.ACL{}
	if grants != nil {
		now = *grants
	}
	now.Creator = acl.Creator(subject, in.app.key, stored, in.sent)
	text = acl.AppendText(make([]byte, 0, len(text)+len(now.Creator)+len(`{"creator":"",}`)), text, now.Creator)
	e := newEntity(in.id, in.members, pos, &now, text, ect, lmt)
	if len(e.row) > maxRow {
		return nil, fault(errTooLarge, "an entity with its _acl has at most %d bytes", maxRow)
	}
	in.body = e.body()
	if !acl.Decide(subject, level, e.acl, acl.Read).Allowed {
		// Write does not imply read: he is shown what he sent and who owns it.
		in.body = newEntity(in.id, in.members, pos, &now, acl.AppendText(nil, nil, now.Creator), ect, lmt).body()
	}
	return e, nil
}

// newCollectionOps are the rows that bring a collection into being.
func newCollectionOps(s *appState, name string, level acl.Level) (number uint32, ops []store.Op) {
	config := *s.config
	number = config.NextCollection
	config.NextCollection++
	return number, []store.Op{
		{Key: store.Key{Table: tableApp, ID: config.Key}, Value: encodeRow(&config)},
		{Key: store.Key{App: config.Number, Table: tableCollection, ID: name}, Value: encodeRow(&collectionRow{Number: number, Level: level})},
	}
}

// deleteEntity removes an entity of a collection or a group.
type deleteEntity struct {
	app        *app
	asked      *Request // as in putEntity
	subject    acl.Subject
	collection string
	id         string
	// A query delete names what it matched: an entity that has changed since
	// is passed over with errChanged, and one that the requester may not both
	// read and write with errPassed.
	seen *entity

	verdict verdict // the outcome
}

func (*deleteEntity) frugal() {}

func (in *deleteEntity) audit() auditLine { return auditLine{actor: in.asked.actor()} }

// The outcomes of a query delete for one entity; they never reach a client.
var (
	errChanged = fault(errInternal, "the entity has changed since the query matched it")
	errPassed  = fault(errInternal, "the entity is not the requester's to delete")
)

func (in *deleteEntity) plan(d *draft) ([]store.Op, error) {
	subject, err := d.subject(in.app, in.subject)
	if err != nil {
		return nil, err
	}
	s := d.state(in.app)
	c := s.collection(in.collection)
	if c == nil {
		return nil, errEntityNotFound
	}
	old, ok := c.rows.get(in.id)
	if in.seen != nil {
		switch {
		case !ok:
			return nil, errPassed
		case !acl.Decide(subject, c.level, old.acl, acl.Read).Allowed,
			!acl.Decide(subject, c.level, old.acl, acl.Write).Allowed:
			return nil, errPassed
		case old.seq != in.seen.seq || old.index != in.seen.index:
			return nil, errChanged
		}
	} else {
		if !ok {
			return nil, errEntityNotFound
		}
		if s.config.Options.HideUnreadable && !acl.Decide(subject, c.level, old.acl, acl.Read).Allowed {
			return nil, errEntityNotFound
		}
		if in.verdict, err = decide(subject, c.level, old.acl, acl.Write); err != nil {
			return nil, err
		}
	}
	ops := []store.Op{{
		Key:    store.Key{App: in.app.number, Table: tableEntity, Collection: c.number, ID: in.id},
		Before: old.grants(),
	}}
	if c.number == groupCollection {
		ops = append(ops, store.Op{Key: store.Key{App: in.app.number, Table: tableGroupPast, ID: in.id}, Value: []byte{}})
		ops = append(ops, d.regroupOps(in.app, old, nil)...)
	}
	return ops, nil
}

// mayMakeGroup decides who creates groups. Where users may, an id that an ACL
// or another group already names, or that once was a group's, is refused:
// making that group would give its maker what others have granted to it.
func mayMakeGroup(system *systemState, s *appState, subject acl.Subject, id string, exists bool) error {
	if subject.Role == acl.RoleMaster {
		return nil
	}
	if system.reservedGroup(s.config, id) {
		return fault(errInsufficient, "groups with this prefix are those of the identity provider")
	}
	if s.config.Options.GroupCreation != "users" {
		return fault(errInsufficient, "groups are created with the master secret in this app")
	}
	_, past := s.groupPast.Get(id)
	if !exists && (past || s.groupNamed(id)) {
		return fault(errInsufficient, "this group id is in use by permissions; choose another")
	}
	return nil
}

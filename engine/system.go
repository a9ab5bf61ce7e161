package engine

import (
	"fmt"
	"sync/atomic"

	"github.com/tidwall/btree"

	"postern/auth"
	"postern/engine/store"
)

// systemState is what belongs to no app: who operates the server. It follows
// the same rules as appState.
type systemState struct {
	next      uint32 // number of the next app
	operators *btree.Map[string, *operatorRow]
	sessions  *btree.Map[string, *session] // of the management API
	consoles  *btree.Map[string, *session] // of the console
	services  *btree.Map[string, *authService]
	stores    *btree.Map[string, *identityStore]
	audit     AuditHead // where it has come to; its records are in the store only
}

func newSystemState() *systemState {
	return &systemState{
		next:      1,
		operators: new(btree.Map[string, *operatorRow]),
		sessions:  new(btree.Map[string, *session]),
		consoles:  new(btree.Map[string, *session]),
		services:  new(btree.Map[string, *authService]),
		stores:    new(btree.Map[string, *identityStore]),
	}
}

func (s *systemState) clone() *systemState {
	c := *s
	c.operators = s.operators.Copy()
	c.sessions = s.sessions.Copy()
	c.consoles = s.consoles.Copy()
	c.services = s.services.Copy()
	c.stores = s.stores.Copy()
	return &c
}

// live reports whether an operator's session still counts at a moment (Unix ms).
func (s *systemState) live(n *session, now int64) bool {
	o, ok := s.operators.Get(n.User)
	return ok && o.Generation == n.Generation &&
		!auth.Expired(unixTime(now), unixTime(n.Created), unixTime(n.Created), 0, operatorSession)
}

// roleOf is the role of an operator.
func (s *systemState) roleOf(email string) opRole {
	o, ok := s.operators.Get(email)
	if !ok {
		return noRole
	}
	return o.role()
}

// An app is the place where the newest view of one app is found.
type app struct {
	number  uint32
	key     string
	view    atomic.Pointer[appState]
	samples samplers // of the audit
}

// directory lists the apps; it is immutable.
type directory struct {
	byKey    map[string]*app
	byNumber map[uint32]*app
}

func (d *directory) with(a *app) *directory {
	n := &directory{byKey: map[string]*app{}, byNumber: map[uint32]*app{}}
	for k, v := range d.byKey {
		n.byKey[k] = v
	}
	for k, v := range d.byNumber {
		n.byNumber[k] = v
	}
	n.byKey[a.key] = a
	n.byNumber[a.number] = a
	return n
}

// applySystem brings a row of app 0 into the draft.
func (d *draft) applySystem(key store.Key, value []byte) error {
	if d.system == nil {
		d.system = d.e.system.Load().clone()
	}
	s := d.system
	switch key.Table {
	case tableSystem:
		next, err := decodeRow[uint32](value)
		if err != nil {
			return err
		}
		s.next = *next
	case tableApp:
		config, err := decodeRow[appConfig](value)
		if err != nil {
			return err
		}
		a, ok := d.directory().byKey[key.ID]
		if !ok {
			a = &app{number: config.Number, key: config.Key}
			st := newAppState(config)
			st.loading = d.loading
			if config.Deleted != 0 {
				st = deletedState(config)
			}
			d.made = d.directory().with(a)
			d.apps[a] = st
			return nil
		}
		if config.Deleted != 0 {
			d.apps[a] = deletedState(config)
			return nil
		}
		st, ok := d.apps[a]
		if !ok {
			st = a.view.Load().clone()
			d.apps[a] = st
		}
		st.config = config
	case tableOperator:
		return applyTo(s.operators, key.ID, value)
	case tableAuthService:
		return applyTo(s.services, key.ID, value)
	case tableIdentityStore:
		return applyTo(s.stores, key.ID, value)
	case tableAudit: // not held in memory
	case tableAuditMark:
		if key.ID != auditHeadRow {
			return nil
		}
		head, err := decodeAuditHead(value)
		if err != nil {
			return err
		}
		s.audit = head
	case tableOpSession, tableConsole:
		sessions := s.sessions
		if key.Table == tableConsole {
			sessions = s.consoles
		}
		if value == nil {
			sessions.Delete(key.ID)
			return nil
		}
		r, err := decodeRow[sessionRow](value)
		if err != nil {
			return err
		}
		n := &session{sessionRow: *r}
		copy(n.digest[:], key.ID)
		sessions.Set(key.ID, n)
	default:
		return fmt.Errorf("row of unknown system table %d", key.Table)
	}
	return nil
}

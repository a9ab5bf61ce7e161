package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"postern/engine/store"
)

// What an intent changes is read off its rows, against the state that they have not
// come into yet: before and after, whatever the intent, and whether or not anybody
// has thought of it when it was written. Of what may not be shown, and of a member that
// nobody has listed as one that may, it is said only that it has changed.

// audits tells whether a row may be one that the audit is about. It is asked for
// every row that is written, so it costs nothing.
func audits(op *store.Op) bool {
	switch op.Key.Table {
	case tableEntity:
		if op.Key.Collection < firstCollection {
			return true // users and groups
		}
		// Data is nobody's business here, but who may see it is. The binary ACL
		// tells where it ends, so one that begins the row is all of it.
		return op.Before != nil && op.Value != nil && !bytes.HasPrefix(op.Value[entityFixed:], op.Before)
	case tableSystem, tableCount, tableDropped, tableGroupPast, tableRegrouped, tableOutbox, tableAudit, tableAuditMark:
		return false
	}
	return true
}

// auditOf returns what the audit says of an intent that is about to be brought into
// the draft, nothing for most.
func (d *draft) auditOf(in intent, ops []store.Op) []auditLine {
	if len(ops) == 0 || ops[0].Key.App == 0 {
		if n, ok := in.(noted); ok {
			return bounded(n.notes())
		}
	}
	var w *auditChanges
	for i := range ops {
		if !audits(&ops[i]) {
			continue
		}
		if w == nil {
			w = &auditChanges{d: d}
		}
		w.take(ops[i:])
	}
	if w == nil {
		return nil
	}
	if s, ok := in.(summed); ok {
		return bounded([]auditLine{s.audit()})
	}
	return bounded(w.lines(in))
}

// An auditChange is what becomes of one thing: an app, a collection, a user, an entity.
type auditChange struct {
	auditLine
	before, after map[string]json.RawMessage
	sessions      int // that ended
}

// auditChanges are those of one intent, in the order of its rows.
type auditChanges struct {
	d    *draft
	list []*auditChange
}

// of returns the change of a thing. Several rows may be about one.
func (w *auditChanges) of(app, collection, item, act string) *auditChange {
	for _, c := range w.list {
		if c.App == app && c.Collection == collection && c.Item == item {
			return c
		}
	}
	c := &auditChange{auditLine: auditLine{Act: act, App: app, Collection: collection, Item: item}}
	c.before, c.after = map[string]json.RawMessage{}, map[string]json.RawMessage{}
	w.list = append(w.list, c)
	return c
}

// set says what a member was and is, in JSON; nil: nothing.
func (c *auditChange) set(name string, before, after json.RawMessage) {
	if bytes.Equal(before, after) {
		return
	}
	if before != nil {
		c.before[name] = before
	}
	if after != nil {
		c.after[name] = after
	}
}

// ended says that a session has ended: which one, or how many.
func (c *auditChange) ended(n *session) {
	if c.sessions++; c.sessions == 1 {
		c.before["session"] = quoted(sessionName(n))
		return
	}
	delete(c.before, "session")
	c.before["sessions"] = numbered(c.sessions)
}

// kindOf is the kind of a change: of sessions, and the grants that they come from, or
// of more than that.
func (c *auditChange) kindOf() string {
	if c.Act == actACL {
		return kindChange
	}
	for _, members := range [...]map[string]json.RawMessage{c.before, c.after} {
		for name := range members {
			if name != "session" && name != "sessions" && name != "service" {
				return kindChange
			}
		}
	}
	return kindLogin
}

// lines are the changes as lines of the audit. What the intent is called stands in
// the one about the thing that it names, or in one of its own if it names none.
func (w *auditChanges) lines(in intent) []auditLine {
	list := slices.DeleteFunc(w.list, func(c *auditChange) bool { return len(c.before) == 0 && len(c.after) == 0 })
	if len(list) == 0 {
		return nil
	}
	list = together(list)
	own := auditLine{actor: byServer}
	if a, ok := in.(audited); ok {
		own = a.audit()
	}
	named := -1
	if own.Act != "" {
		named = slices.IndexFunc(list, func(c *auditChange) bool {
			return c.App == own.App && c.Collection == own.Collection && c.Item == own.Item
		})
	}
	var lines []auditLine
	if own.Act != "" && named < 0 {
		lines = append(lines, own)
	}
	for i, c := range list {
		l := c.auditLine
		if l.actor = own.actor; i == named {
			l = own
		}
		if c.Count > 1 {
			l.Count = c.Count
		}
		l.Kind = c.kindOf()
		if l.Before == nil && l.After == nil {
			l.Before, l.After = c.side(c.before), c.side(c.after)
		}
		lines = append(lines, l)
	}
	return lines
}

// together makes one change of those of the _acl of several entities of a collection,
// by their ids, as far as there is room.
func together(list []*auditChange) []*auditChange {
	kept, sums, room := list[:0], map[string]*auditChange{}, 0
	for _, c := range list {
		if c.Act != actACL {
			kept = append(kept, c)
			continue
		}
		sum := sums[c.Collection]
		if sum == nil { // the only one, so far
			sums[c.Collection] = c
			kept = append(kept, c)
			c.Count = 1
			continue
		}
		if sum.Count == 1 {
			sum.before, sum.after = map[string]json.RawMessage{sum.Item: sum.before["_acl"]}, map[string]json.RawMessage{sum.Item: sum.after["_acl"]}
			sum.Item = ""
		}
		sum.Count++
		if room += len(c.before["_acl"]) + len(c.after["_acl"]) + 12*len(c.Item); room < maxAuditSide/2 {
			sum.before[c.Item], sum.after[c.Item] = c.before["_acl"], c.after["_acl"]
		}
	}
	for _, sum := range sums {
		if sum.Count == 1 {
			sum.Count = 0
		}
	}
	return kept
}

// actACL is what the change of the _acl of an entity is called.
const actACL = "change _acl"

func (*auditChange) side(members map[string]json.RawMessage) json.RawMessage {
	if len(members) == 0 {
		return nil
	}
	return encodeRow(members) // in the order of the names
}

// take brings the first of some rows into the changes, unless a later one is of the
// same key: the last is what remains.
func (w *auditChanges) take(ops []store.Op) {
	op := &ops[0]
	for i := range ops[1:] {
		if ops[1+i].Key == op.Key {
			return
		}
	}
	if op.Key.App == 0 {
		w.system(op)
		return
	}
	a, ok := w.d.directory().byNumber[op.Key.App]
	if !ok {
		return // the first rows of an app that is being made: its own says it all
	}
	s := w.d.state(a)
	if s.config.Deleted != 0 {
		return // rows that are being cleaned away
	}
	switch op.Key.Table {
	case tableCollection:
		w.collection(s, op)
	case tablePrivate:
		w.private(s, op)
	case tableEntity:
		switch op.Key.Collection {
		case userCollection:
			w.user(s, op)
		case groupCollection:
			w.group(s, op)
		default:
			w.entity(s, op)
		}
	case tableSession:
		w.session(s, op)
	case tableGrant:
		w.grant(s, op)
	case tableNote:
		w.note(s, op)
	default:
		w.other(s.config.Key, op)
	}
}

// other is a row that nobody has told the audit about.
func (w *auditChanges) other(app string, op *store.Op) {
	c := w.of(app, "", fmt.Sprintf("%x", op.Key.ID), "change")
	c.set(fmt.Sprintf("table %d", op.Key.Table), nil, quoted(map[bool]string{true: "removed", false: "written"}[op.Value == nil]))
}

func quoted(text string) json.RawMessage { return encodeRow(text) }

func flagged(v bool) json.RawMessage {
	if !v {
		return nil
	}
	return json.RawMessage("true")
}

func numbered(n int) json.RawMessage { return strconv.AppendInt(nil, int64(n), 10) }

// entity is one whose _acl changes.
func (w *auditChanges) entity(s *appState, op *store.Op) {
	name, ok := s.byNumber(op.Key.Collection)
	if !ok {
		return
	}
	old, ok := s.collection(name).rows.get(op.Key.ID)
	if !ok {
		return
	}
	now, err := decodeEntity(op.Key.ID, op.Value, 0, 0)
	if err != nil {
		return // apply will say so
	}
	w.of(s.config.Key, name, op.Key.ID, actACL).acl(old, now)
}

func (c *auditChange) acl(old, now *entity) {
	if !bytes.Equal(old.grants(), now.grants()) {
		c.set("_acl", encodeRow(json.RawMessage(old.aclText())), encodeRow(json.RawMessage(now.aclText())))
	}
}

// grant is a login at an identity provider.
func (w *auditChanges) grant(s *appState, op *store.Op) {
	old, existed := s.grants.Get(op.Key.ID)
	if existed == (op.Value != nil) {
		return // new tokens of the same
	}
	c := w.of(s.config.Key, "", op.Key.ID[:min(4, len(op.Key.ID))], "end grant")
	if existed {
		c.set("service", quoted(old.Service), nil)
		return
	}
	if g, err := decodeRow[micGrant](op.Value); err == nil {
		c.Act = "grant"
		c.set("service", nil, quoted(g.Service))
	}
}

// note is a role, who has it, or permissions that speak of roles.
func (w *auditChanges) note(s *appState, op *store.Op) {
	was, _ := s.notes.Get(op.Key.ID)
	kind, name, _ := bytes.Cut([]byte(op.Key.ID), []byte("/"))
	switch string(kind) + "/" {
	case notePermissions:
		w.of(s.config.Key, string(name), "", "change collection").set("permissions", was, op.Value)
	case noteMember:
		role, user, _ := bytes.Cut(name, []byte("/"))
		w.of(s.config.Key, "", string(role), "change role").set("member "+string(user), flagged(was != nil), flagged(op.Value != nil))
	default:
		w.of(s.config.Key, "", string(name), "change role").set("role", was, op.Value)
	}
}

// collection is the settings of one.
func (w *auditChanges) collection(s *appState, op *store.Op) {
	old := s.collection(op.Key.ID)
	var was, is collectionRow
	act := "change collection"
	if old != nil {
		was = collectionRow{Number: old.number, Level: old.level, Delta: old.deltaSetting(), Orders: old.orders}
	} else {
		act = "create collection"
	}
	if op.Value == nil {
		act = "drop collection"
	} else if row, err := decodeRow[collectionRow](op.Value); err == nil {
		is = *row
	}
	c := w.of(s.config.Key, op.Key.ID, "", act)
	level := func(there bool, r *collectionRow) json.RawMessage {
		if !there {
			return nil
		}
		return quoted(r.Level.String())
	}
	c.set("level", level(old != nil, &was), level(op.Value != nil, &is))
	days := func(r *collectionRow) json.RawMessage {
		if r.Delta == nil {
			return nil
		}
		return numbered(r.Delta.Days)
	}
	c.set("deltaSetDays", days(&was), days(&is))
	orders := func(r *collectionRow) json.RawMessage {
		if r.Orders == nil {
			return nil
		}
		return encodeRow(r.Orders)
	}
	c.set("orders", orders(&was), orders(&is))
	if old != nil && is.Number != was.Number { // dropped, or dropped and made anew
		c.set("entities", numbered(int(old.check.Count)), nil)
	}
}

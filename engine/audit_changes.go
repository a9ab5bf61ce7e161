package engine

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"postern/acl"
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

// login makes the change one of sessions, unless it is of more than that.
func (c *auditChange) login() {
	if len(c.before)+len(c.after) == 0 {
		c.Kind = kindLogin
	}
}

// lines are the changes as lines of the audit. What the intent is called stands in
// the one about the thing that it names, or in one of its own if it names none.
func (w *auditChanges) lines(in intent) []auditLine {
	list := slices.DeleteFunc(w.list, func(c *auditChange) bool { return len(c.before) == 0 && len(c.after) == 0 })
	if len(list) == 0 {
		return nil
	}
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
			if l.Kind == "" {
				l.Kind = c.Kind
			}
			l.Count = max(l.Count, c.Count)
		}
		if l.Before == nil && l.After == nil {
			l.Before, l.After = c.side(c.before), c.side(c.after)
		}
		lines = append(lines, l)
	}
	return lines
}

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
	w.of(s.config.Key, name, op.Key.ID, "change _acl").acl(old, now)
}

func (c *auditChange) acl(old, now *entity) {
	if !bytes.Equal(old.grants(), now.grants()) {
		c.set("_acl", slices.Clone(old.aclText()), slices.Clone(now.aclText()))
	}
}

// pair returns an entity of the user or the group collection before and after.
func (w *auditChanges) pair(s *appState, name string, op *store.Op) (old, now *entity) {
	old, _ = s.collection(name).rows.get(op.Key.ID)
	if op.Value != nil {
		now, _ = decodeEntity(op.Key.ID, op.Value, 0, 0)
	}
	return old, now
}

func (w *auditChanges) user(s *appState, op *store.Op) {
	old, now := w.pair(s, "user", op)
	c := w.of(s.config.Key, "user", op.Key.ID, "change user")
	if old != nil && now != nil {
		c.acl(old, now)
	}
	address := func(e *entity) json.RawMessage {
		if e == nil || emailOf(e) == "" {
			return nil
		}
		return quoted(emailOf(e))
	}
	c.set("email", address(old), address(now))
}

// maxMembers of the audit: a group with more is told by who came and went.
const auditMembers = 100

func (w *auditChanges) group(s *appState, op *store.Op) {
	old, now := w.pair(s, "group", op)
	act := "change group"
	switch {
	case old == nil && now == nil:
		return
	case old == nil:
		act = "create group"
	case now == nil:
		act = "delete group"
	}
	c := w.of(s.config.Key, "group", op.Key.ID, act)
	was, is := groupOf(old), groupOf(now)
	c.set("everyone", flagged(was.All), flagged(is.All))
	c.listed("users", was.Users, is.Users)
	c.listed("groups", was.Groups, is.Groups)
	switch {
	case old != nil && now != nil:
		c.acl(old, now)
	case now != nil:
		c.set("_acl", nil, slices.Clone(now.aclText()))
	default:
		c.set("_acl", slices.Clone(old.aclText()), nil)
	}
}

func groupOf(e *entity) *acl.GroupDef {
	if e != nil {
		if def, err := acl.ParseGroup(e.body()); err == nil {
			return def
		}
	}
	return new(acl.GroupDef)
}

// listed says what a list of ids was and is: whole, or what came and what went.
func (c *auditChange) listed(name string, was, is []string) {
	was, is = slices.Sorted(slices.Values(was)), slices.Sorted(slices.Values(is))
	if slices.Equal(was, is) {
		return
	}
	if len(was)+len(is) <= auditMembers {
		whole := func(ids []string) json.RawMessage {
			if len(ids) == 0 {
				return nil
			}
			return encodeRow(ids)
		}
		c.set(name, whole(was), whole(is))
		return
	}
	without := func(list, others []string) []string {
		in := map[string]bool{}
		for _, id := range others {
			in[id] = true
		}
		return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return in[id] })
	}
	c.set(name,
		new(jsonObject).number("count", int64(len(was))).texts("removed", without(was, is)).close(),
		new(jsonObject).number("count", int64(len(is))).texts("added", without(is, was)).close())
}

// private is what of a user is not his public form. That he was seen, or that his
// password was hashed anew, is no change.
func (w *auditChanges) private(s *appState, op *store.Op) {
	id := op.Key.ID
	old, existed := s.accounts.Get(id)
	var was, is privateRow
	if existed {
		was = old.privateRow
	}
	act := "change user"
	switch {
	case op.Value == nil:
		act = "delete user"
	case !existed:
		act = "create user"
	}
	c := w.of(s.config.Key, "user", id, act)
	c.Act = act // the public form may have come first
	if op.Value != nil {
		row, err := decodeRow[privateRow](op.Value)
		if err != nil {
			return
		}
		is = *row
	}
	name := func(text string) json.RawMessage {
		if text == "" {
			return nil
		}
		return quoted(text)
	}
	c.set("username", name(was.Username), name(is.Username))
	c.set("identity", name(was.Identity), name(is.Identity))
	c.set("suspended", flagged(was.Suspended != 0), flagged(is.Suspended != 0))
	c.set("locked", flagged(was.Locked != 0), flagged(is.Locked != 0))
	confirmed := func(p *privateRow) json.RawMessage {
		if p.Mail == nil || p.Mail.Confirmed == 0 {
			return nil
		}
		return name(p.Mail.Address)
	}
	c.set("confirmed", confirmed(&was), confirmed(&is))
	if is.Password != was.Password && (!existed || op.Value == nil || is.Generation != was.Generation) {
		c.hidden("password", was.Password != "", is.Password != "")
	}
	if existed && is.Generation != was.Generation && op.Value != nil {
		s.sessionsOf(id, func(o *session) bool {
			if s.live(o, w.d.now) {
				c.ended(o)
			}
			return true
		})
	}
}

// hidden says of what may not be shown that it was there, and that it is.
func (c *auditChange) hidden(name string, was, is bool) {
	if was {
		c.before[name] = quoted("hidden")
	}
	if is {
		c.after[name] = quoted("set")
	}
}

// session is one that opens or ends. That it was used is no change.
func (w *auditChanges) session(s *appState, op *store.Op) {
	old, existed := s.sessions.Get(op.Key.ID)
	switch {
	case op.Value == nil && existed && s.live(old, w.d.now):
		c := w.of(s.config.Key, "user", old.User, "end session")
		c.login()
		c.ended(old)
	case op.Value != nil && !existed:
		row, err := decodeRow[sessionRow](op.Value)
		if err != nil {
			return
		}
		c := w.of(s.config.Key, "user", row.User, "open session")
		c.login()
		c.set("session", nil, quoted(sessionID(op.Key.ID)))
	}
}

// sessionID is how a session is called outside, from its key.
func sessionID(key string) string { return hex.EncodeToString([]byte(key[:min(8, len(key))])) }

// grant is a login at an identity provider.
func (w *auditChanges) grant(s *appState, op *store.Op) {
	old, existed := s.grants.Get(op.Key.ID)
	if existed == (op.Value != nil) {
		return // new tokens of the same
	}
	c := w.of(s.config.Key, "", op.Key.ID[:min(4, len(op.Key.ID))], "end grant")
	c.Kind = kindLogin
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

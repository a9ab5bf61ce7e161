package engine

import (
	"encoding/hex"
	"encoding/json"
	"slices"

	"postern/acl"
	"postern/engine/store"
)

// What the audit tells of users, groups and sessions.

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
		c.set("_acl", nil, encodeRow(json.RawMessage(now.aclText())))
	default:
		c.set("_acl", encodeRow(json.RawMessage(old.aclText())), nil)
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
		c.ended(old)
	case op.Value != nil && !existed:
		row, err := decodeRow[sessionRow](op.Value)
		if err != nil {
			return
		}
		c := w.of(s.config.Key, "user", row.User, "open session")
		c.set("session", nil, quoted(sessionID(op.Key.ID)))
	}
}

// sessionID is how a session is called outside, from its key.
func sessionID(key string) string { return hex.EncodeToString([]byte(key[:min(8, len(key))])) }

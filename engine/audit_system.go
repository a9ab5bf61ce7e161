package engine

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"postern/engine/store"
)

// system is a row of the system: an app, an operator, a session of his, an identity
// provider.
func (w *auditChanges) system(op *store.Op) {
	s, id := w.d.systemState(), op.Key.ID
	switch op.Key.Table {
	case tableApp:
		w.app(op)
	case tableOperator:
		old, _ := s.operators.Get(id)
		w.operator(id, rowText(old), op.Value)
	case tableOpSession:
		n, _ := s.sessions.Get(id)
		w.operatorSession(op, n, s.live)
	case tableConsole:
		n, _ := s.consoles.Get(id)
		w.operatorSession(op, n, s.liveConsole)
	case tableAuthService:
		old, _ := s.services.Get(id)
		w.service(old, op)
	case tableIdentityStore:
		old, _ := s.stores.Get(id)
		c := w.of("", "", id, made("identity store", old != nil, op.Value != nil))
		c.differ(rowText(old), op.Value, "name")
	default:
		w.other("", op)
	}
}

// made says what becomes of a thing.
func made(what string, before, after bool) string {
	switch {
	case !before:
		return "create " + what
	case !after:
		return "delete " + what
	}
	return "change " + what
}

// rowText is a row as it is stored, nil when there is none.
func rowText[T any](row *T) []byte {
	if row == nil {
		return nil
	}
	return encodeRow(row)
}

// differ compares two JSON objects member by member. Of those that are not in shown
// it says only that they have changed.
func (c *auditChange) differ(before, after []byte, shown ...string) {
	was, is := byName(before), byName(after)
	both := maps.Clone(was)
	maps.Copy(both, is)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		switch {
		case slices.Contains(shown, name):
			c.set(name, was[name], is[name])
		case !bytes.Equal(was[name], is[name]):
			c.hidden(name, was[name] != nil, is[name] != nil)
		}
	}
}

// byName reads a JSON object of our own.
func byName(text []byte) map[string]json.RawMessage {
	members := map[string]json.RawMessage{}
	if text != nil {
		if err := json.Unmarshal(text, &members); err != nil {
			panic(fmt.Sprintf("reading a row of our own: %v", err))
		}
	}
	return members
}

// app is an environment: its settings as they are shown, and its secrets by the
// beginning of their digests.
func (w *auditChanges) app(op *store.Op) {
	var is appConfig
	if err := json.Unmarshal(op.Value, &is); err != nil {
		return // apply will say so
	}
	a, ok := w.d.directory().byKey[op.Key.ID]
	if !ok {
		c := w.of(is.Key, "", "", "create app")
		c.members(nil, settingsOf(&is))
		c.secrets(&appConfig{}, &is)
		return
	}
	s := w.d.state(a)
	was := s.config
	if is.Deleted != 0 {
		if was.Deleted != 0 {
			return
		}
		c := w.of(is.Key, "", "", "delete app")
		c.members(settingsOf(was), nil)
		entities := 0
		s.collections.Scan(func(_ string, c *collection) bool {
			entities += int(c.check.Count)
			return true
		})
		c.set("entities", numbered(entities), nil)
		return
	}
	c := w.of(is.Key, "", "", "change app")
	c.members(settingsOf(was), settingsOf(&is))
	c.secrets(was, &is)
}

// settingsOf are the settings of an app as they are shown.
func settingsOf(c *appConfig) []byte {
	m := byName(describeEnvironment(c).close())
	for _, always := range [...]string{"id", "numberOfCollaborators", "numberOfAdmins"} {
		delete(m, always)
	}
	return encodeRow(m)
}

// members compares two JSON objects of which everything may be shown.
func (c *auditChange) members(before, after []byte) {
	was, is := byName(before), byName(after)
	c.differ(before, after, slices.Concat(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(is)))...)
}

func (c *auditChange) secrets(was, is *appConfig) {
	digests := func(secrets []secret) json.RawMessage {
		if len(secrets) == 0 {
			return nil
		}
		var list []string
		for _, s := range secrets {
			list = append(list, hex.EncodeToString(s.Digest[:4]))
		}
		return encodeRow(list)
	}
	c.set("appSecrets", digests(was.AppSecrets), digests(is.AppSecrets))
	c.set("masterSecrets", digests(was.MasterSecrets), digests(is.MasterSecrets))
}

func (w *auditChanges) operator(email string, before, after []byte) {
	c := w.of("", "", email, made("operator", before != nil, after != nil))
	was, is := byName(before), byName(after)
	for _, m := range []map[string]json.RawMessage{was, is} {
		if _, named := m["role"]; !named && len(m) > 0 {
			m["role"] = quoted(owner.String())
		}
		for _, always := range [...]string{"email", "generation", "totpStep"} { // they move with the others
			delete(m, always)
		}
	}
	c.differ(rowOf(was), rowOf(is), "role")
}

func rowOf(members map[string]json.RawMessage) []byte {
	if len(members) == 0 {
		return nil
	}
	return encodeRow(members)
}

// operatorSession is a session of an operator, at the management API or at the
// console, that opens or ends.
func (w *auditChanges) operatorSession(op *store.Op, old *session, live func(*session, int64) bool) {
	switch {
	case op.Value == nil && old != nil && live(old, w.d.now):
		c := w.of("", "", old.User, "end session")
		c.ended(old)
	case op.Value != nil && old == nil:
		row, err := decodeRow[sessionRow](op.Value)
		if err != nil {
			return
		}
		c := w.of("", "", row.User, "open session")
		c.set("session", nil, quoted(sessionID(op.Key.ID)))
	}
}

// service is an identity provider, as it is shown.
func (w *auditChanges) service(old *authService, op *store.Op) {
	var is *authService
	if op.Value != nil {
		var err error
		if is, err = decodeRow[authService](op.Value); err != nil {
			return
		}
	}
	c := w.of("", "", op.Key.ID, made("auth service", old != nil, is != nil))
	shown := func(s *authService) []byte {
		if s == nil {
			return nil
		}
		text, err := s.describe()
		if err != nil {
			return nil
		}
		m := byName(text)
		delete(m, "version")
		// Kept without effect, and nobody knows what it is.
		for _, name := range [...]string{"access", "customizedLogin"} {
			delete(m, name)
		}
		return encodeRow(m)
	}
	c.members(shown(old), shown(is))
	was, now := old.sealed(), is.sealed()
	for name := range now {
		if was[name] != now[name] {
			c.hidden("secret "+name, was[name] != "", true)
		}
	}
	for name := range was {
		if now[name] == "" {
			c.hidden("secret "+name, true, false)
		}
	}
}

// sealed are the secrets of a stored service, by their names.
func (s *authService) sealed() map[string]string {
	secrets := map[string]string{}
	if s != nil {
		copied := *s
		_ = copied.eachSecret(func(name, secret string) (string, error) { secrets[name] = secret; return secret, nil })
	}
	return secrets
}

package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"postern/acl"
	"postern/engine/store"
)

// Check derives everything anew from the store and compares: the rows with
// their checksums and the log (I3), the counts and digests that were committed
// with the entities (I2), the index and the group counts with a decision for
// each entity (I6), and the chain of the audit (I9). It calls report for everything
// that is wrong and returns an error when it could not look.
//
// On a store that is in use it checks the moment at which it began.
func Check(ctx context.Context, driver store.Driver, report func(problem string)) error {
	if v, ok := driver.(interface {
		Verify(context.Context, func(string)) error
	}); ok {
		if err := v.Verify(ctx, report); err != nil {
			return fmt.Errorf("verifying the store: %w", err)
		}
	}
	if err := checkAudit(ctx, driver, report); err != nil {
		return fmt.Errorf("verifying the audit: %w", err)
	}
	view, err := driver.View()
	if err != nil {
		return err
	}
	defer view.Close()
	st, err := load(driver, view, nil)
	if err != nil {
		report(err.Error())
		return nil
	}
	for _, a := range st.directory.byKey {
		a.view.Load().check(func(format string, args ...any) {
			report("app " + a.key + ": " + fmt.Sprintf(format, args...))
		})
	}
	return nil
}

// Check compares the running state with the store, as Check does, and with the
// state that the store would be loaded into.
func (e *Engine) Check(report func(problem string)) error {
	in := &checkpoint{e: e}
	if err := e.committer.submit(nil, in); err != nil {
		return err
	}
	if in.err != nil {
		return in.err
	}
	if in.same && in.audit != in.loaded.system.audit {
		report(fmt.Sprintf("the audit has come to %s, and to %s in the store", in.audit, in.loaded.system.audit))
	}
	if err := checkAudit(context.Background(), e.driver, report); err != nil {
		return err
	}
	for key, s := range in.live {
		a, ok := in.loaded.directory.byKey[key]
		if !ok {
			report("app " + key + ": not in the store")
			continue
		}
		say := func(format string, args ...any) { report("app " + key + ": " + fmt.Sprintf(format, args...)) }
		s.check(say)
		s.differ(a.view.Load(), say)
	}
	return nil
}

// checkpoint loads the store while the committer stands still, so that the
// store and the published views are of the same moment.
type checkpoint struct {
	e      *Engine
	live   map[string]*appState
	audit  AuditHead
	same   bool // nobody else has written
	loaded *loaded
	err    error
}

func (in *checkpoint) plan(*draft) ([]store.Op, error) {
	view, err := in.e.driver.View()
	if err != nil {
		in.err = err
		return nil, nil
	}
	defer view.Close()
	in.loaded, in.err = load(in.e.driver, view, nil)
	in.live, in.audit, in.same = map[string]*appState{}, in.e.system.Load().audit, view.Seq() == in.e.head.seq
	for key, a := range in.e.apps.Load().byKey {
		in.live[key] = a.view.Load()
	}
	return nil, nil
}

// check compares the index, the counts and the references to groups with what
// the entities say.
func (s *appState) check(say func(string, ...any)) {
	s.collections.Scan(func(name string, c *collection) bool {
		var count countRow
		refs, overrides := map[string]int{}, 0
		c.rows.check(func(format string, args ...any) { say("collection "+name+": "+format, args...) },
			func(id string) bool { return c.number != userCollection || s.active(id) })
		c.rows.scan(func(e *entity) bool {
			if now, err := acl.Parse(e.aclText()); err != nil || !now.Equal(e.acl) {
				say("collection %s: entity %q serves an _acl that is not the one decided by", name, e.id)
			}
			count.Count++
			xor(&count.Digest, e.digest())
			for g := range e.acl.Groups() {
				refs[g]++
			}
			if e.acl.Overrides() {
				overrides++
			}
			if c.number == groupCollection {
				for _, g := range nestedGroups(e) {
					refs[g]++
				}
			}
			return true
		})
		if count.Count != c.check.Count || count.Digest != c.check.Digest {
			say("collection %s: %d entities counted, %d recorded, or the digest differs (I2)", name, count.Count, c.check.Count)
		}
		if c.rows.len() != int(count.Count) {
			say("collection %s: %d ids for %d entities", name, c.rows.len(), count.Count)
		}
		if overrides != c.overrides {
			say("collection %s: %d ACLs say more than a creator, counted %d (I6)", name, overrides, c.overrides)
		}
		n := 0
		c.groupRefs.Scan(func(id string, k int) bool {
			n++
			if refs[id] != k {
				say("collection %s: group %q is named by %d ACLs, counted %d (I6)", name, id, refs[id], k)
			}
			return true
		})
		if n != len(refs) {
			say("collection %s: %d groups are named, %d counted (I6)", name, len(refs), n)
		}
		return true
	})
	groups := s.definedGroups()
	s.accounts.Scan(func(id string, a *account) bool {
		in := groups.Of(id).IDs()
		if !slices.Equal(in, s.groups.Of(id).IDs()) {
			say("user %q is in the groups %q, decisions know others", id, in)
		}
		if known := a.identity.Load(); known != nil && known.groups == s.groups && !slices.Equal(in, known.member.IDs()) {
			say("user %q is in the groups %q, others are remembered", id, in)
		}
		if holder, ok := s.names.Get(a.Username); !ok || holder != id {
			say("user %q is not found by his name", id)
		}
		if _, ok := s.user(id); !ok {
			say("user %q has no record", id)
		}
		return true
	})
}

// definedGroups reads the groups anew from their entities.
func (s *appState) definedGroups() *acl.Groups {
	var groups *acl.Groups
	s.collection("group").rows.scan(func(e *entity) bool {
		if def, err := acl.ParseGroup(e.body()); err == nil {
			groups = groups.With(e.id, def)
		}
		return true
	})
	return groups
}

// differ compares the running state with one that was loaded from the store.
func (s *appState) differ(l *appState, say func(string, ...any)) {
	if !bytes.Equal(encodeRow(s.config), encodeRow(l.config)) {
		say("the settings differ from the store")
	}
	s.collections.Scan(func(name string, c *collection) bool {
		o := l.collection(name)
		if o == nil || o.number != c.number || o.level != c.level || !bytes.Equal(encodeRow(o.orders), encodeRow(c.orders)) {
			say("collection %s differs from the store", name)
			return true
		}
		if diff := c.history.differ(o.history); diff != "" {
			say("collection %s: the history differs from the log: %s (I2)", name, diff)
		}
		if o.check.Count != c.check.Count || o.check.Digest != c.check.Digest {
			say("collection %s: %d entities in memory, %d in the store, or the digest differs (I2)", name, c.check.Count, o.check.Count)
		}
		c.rows.scan(func(e *entity) bool {
			if x, ok := o.rows.get(e.id); !ok || !bytes.Equal(x.row, e.row) {
				say("collection %s: entity %q differs from the store (I2)", name, e.id)
			}
			return true
		})
		return true
	})
	if s.notes.Len() != l.notes.Len() {
		say("%d notes in memory, %d in the store", s.notes.Len(), l.notes.Len())
	}
	s.notes.Scan(func(name string, text []byte) bool {
		if o, _ := l.notes.Get(name); !bytes.Equal(o, text) {
			say("the note %q differs from the store", name)
		}
		return true
	})
	if s.collections.Len() != l.collections.Len() {
		say("%d collections in memory, %d in the store", s.collections.Len(), l.collections.Len())
	}
	if s.differRegrouped(l) {
		say("the times at which groups were changed differ from the store")
	}
	if s.accounts.Len() != l.accounts.Len() || s.sessions.Len() != l.sessions.Len() || s.names.Len() != l.names.Len() {
		say("users or sessions differ from the store")
	}
	if s.emails.Len() != l.emails.Len() || s.identities.Len() != l.identities.Len() || s.outbox.Len() != l.outbox.Len() {
		say("mail addresses, identities or the outbox differ from the store")
	}
	s.sessions.Scan(func(digest string, n *session) bool {
		if o, ok := l.sessions.Get(digest); !ok || o.User != n.User || o.Generation != n.Generation {
			say("a session of user %q differs from the store", n.User)
		}
		return true
	})
	s.accounts.Scan(func(id string, a *account) bool {
		if o, ok := l.accounts.Get(id); !ok || !bytes.Equal(encodeRow(&o.privateRow), encodeRow(&a.privateRow)) {
			say("the account of user %q differs from the store", id)
		}
		return true
	})
}

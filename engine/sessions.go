package engine

import (
	"encoding/binary"
	"fmt"

	"postern/auth"
)

func (s *appState) applySession(digest string, value []byte) error {
	old, ok := s.sessions.Get(digest)
	if ok {
		s.userSessions.Delete(userSessionKey(old))
		s.sessions.Delete(digest)
	}
	if value == nil {
		return nil
	}
	r, err := decodeRow[sessionRow](value)
	if err != nil {
		return err
	}
	n := &session{sessionRow: *r}
	if copy(n.digest[:], digest) != len(n.digest) {
		return fmt.Errorf("session key of %d bytes", len(digest))
	}
	if old != nil {
		n.seen.Store(old.lastSeen())
	}
	s.sessions.Set(digest, n)
	s.userSessions.Set(userSessionKey(n), digest)
	return nil
}

// userSessionKey orders a user's sessions by age.
func userSessionKey(s *session) string {
	b := append([]byte(s.User), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Created))
	return string(append(b, s.digest[:]...))
}

// sessionsOf calls fn for each session of the user, oldest first.
func (s *appState) sessionsOf(user string, fn func(*session) bool) {
	prefix := user + "\x00"
	s.userSessions.Ascend(prefix, func(k, digest string) bool {
		if len(k) < len(prefix) || k[:len(prefix)] != prefix {
			return false
		}
		n, ok := s.sessions.Get(digest)
		return !ok || fn(n)
	})
}

// live reports whether the session still counts: its user is active, has had
// no password change, suspension or sign-out of all sessions since, it has not
// run out, and what an identity provider has granted it for is still granted.
func (s *appState) live(n *session, now int64) bool {
	p, ok := s.accounts.Get(n.User)
	if !ok || p.Suspended != 0 || p.Locked != 0 || p.Generation != n.Generation {
		return false
	}
	if n.Grant != "" {
		if g, ok := s.grants.Get(n.Grant); !ok || now >= g.AccessUntil {
			return false
		}
	}
	o := s.config.Options
	return !auth.Expired(unixTime(now), unixTime(n.Created), unixTime(n.lastSeen()), o.SessionIdle, o.SessionMax)
}

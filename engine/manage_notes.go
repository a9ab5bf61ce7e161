package engine

import (
	"strings"

	"postern/engine/store"
)

// A note is JSON that the management API was told, keeps and gives back, and
// that nothing here decides by: roles, their members, and permissions in the
// form that speaks of roles. Its name is a kind and what it is a note of.
const (
	noteRole        = "role/"        // role id -> the role
	noteMember      = "member/"      // role id/user id -> since when, and by whom
	notePermissions = "permissions/" // collection -> the permissions as they were sent
)

const maxNotes = 10_000 // of one app, so that what decides nothing cannot fill the memory

func noteOp(a *app, name string, text []byte) store.Op {
	return store.Op{Key: store.Key{App: a.number, Table: tableNote, ID: name}, Value: text}
}

// notesOf calls fn for the notes whose names begin with kind, in order, without
// that beginning.
func (s *appState) notesOf(kind string, fn func(name string, text []byte) bool) {
	s.notes.Ascend(kind, func(name string, text []byte) bool {
		rest, ok := strings.CutPrefix(name, kind)
		return ok && fn(rest, text)
	})
}

// roomForNotes refuses to keep more than maxNotes.
func (s *appState) roomForNotes(more int) error {
	if s.notes.Len()+more > maxNotes {
		return fault(errTooLarge, "an app has at most %d roles and members of roles", maxNotes)
	}
	return nil
}

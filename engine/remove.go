package engine

import (
	"errors"
	"slices"

	"postern/acl"
	"postern/engine/query"
)

// Removals of many: of what a query matches, and of all there is.

const (
	deleteBatch = 256 // intents of such a removal that wait at once
	maxRematch  = 8   // times that a query delete matches again what changed meanwhile
)

// removeEach submits the removal of each entity and tells outcome how it ended.
// An error of outcome is the end of it.
func (r *Request) removeEach(found []*entity, removal func(*entity) intent, outcome func(*entity, error) error) error {
	for some := range slices.Chunk(found, deleteBatch) {
		batch := make([]intent, len(some))
		for i, ent := range some {
			batch[i] = removal(ent)
		}
		for i, err := range r.e.committer.submitAll(r.app, batch) {
			if err := outcome(some[i], err); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeFound removes what find returns and tells gone of each that went. find
// sees the request's view, all of it before anything is removed, so that a query
// that is too expensive removes nothing. The removals name what was seen; when
// one had changed by its turn in the committer, find is asked again with the
// view of then.
func (r *Request) removeFound(find func() ([]*entity, error), removal func(*entity) intent, gone func(*entity)) error {
	again := true
	for round := 0; again && round < maxRematch; round++ {
		again = false
		found, err := find()
		if err != nil {
			return err
		}
		r.turn.leave() // others need not wait for its commits
		err = r.removeEach(found, removal, func(ent *entity, err error) error {
			switch {
			case err == nil:
				gone(ent)
			case errors.Is(err, errChanged):
				again = true
			case errors.Is(err, errPassed):
			default:
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		r.view = r.app.view.Load()
		if r.subject.Role == acl.RoleUser {
			r.setUser(r.subject.ID)
		}
	}
	return nil
}

// matching lists the visible entities of a collection that match.
func (r *Request) matching(c *collection, f *query.Filter, meter *query.Meter) ([]*entity, error) {
	var found []*entity
	k := c.visible(r.subject, r.principals)
	for ent, ok := k.next(); ok; ent, ok = k.next() {
		matched, err := meter.Match(f, documentOf(ent))
		if err != nil {
			return nil, err
		}
		if matched {
			found = append(found, ent)
		}
	}
	return found, nil
}

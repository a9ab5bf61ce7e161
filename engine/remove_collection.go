package engine

import (
	"errors"

	"github.com/valyala/fasthttp"

	"postern/engine/document"
)

// removeCollection drops a collection, for the master and who confirms it with
// a header. With another one its settings stay and only the data go. The
// built-in collections are always there: of them the contents go.
func (e *Engine) removeCollection(r *Request) error {
	h := &r.ctx.Request.Header
	if !truthy(h.Peek("X-Kinvey-Delete-Entire-Collection")) {
		return fault(errMissingHeader, "X-Kinvey-Delete-Entire-Collection confirms the removal")
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	v := doc.Get("collectionName")
	if v.Kind() != document.String {
		return fault(errIncompleteBody, "collectionName must be a string")
	}
	switch name := v.Text(); name {
	case "user", "group":
		if err := r.empty(name); err != nil {
			return err
		}
	case "_blob": // no files, so nothing to remove
	default:
		if err := validCollection(name); err != nil {
			return err
		}
		in := &dropCollection{app: r.app, by: r.actor(), name: name, keep: truthy(h.Peek("X-Kinvey-Retain-Collection-Metadata"))}
		if err := e.committer.submit(r.app, in); err != nil {
			return err
		}
		e.cleaner.nudge()
	}
	return r.json(fasthttp.StatusOK, []byte("{}"))
}

// empty removes the users or the groups of the request's view, for good.
func (r *Request) empty(name string) error {
	var all []*entity
	r.view.collection(name).rows.scan(func(ent *entity) bool {
		all = append(all, ent)
		return true
	})
	return r.removeEach(all, func(ent *entity) intent {
		if name == "user" {
			return &removeUser{app: r.app, by: r.actor(), subject: r.subject, id: ent.id, hard: true}
		}
		return &deleteEntity{app: r.app, asked: r, subject: r.subject, collection: name, id: ent.id}
	}, func(_ *entity, err error) error {
		if errors.Is(err, errUserNotFound) || errors.Is(err, errEntityNotFound) {
			return nil // gone already
		}
		return err
	})
}

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
		if err := e.empty(r, name); err != nil {
			return err
		}
	case "_blob": // no files, so nothing to remove
	default:
		if err := validCollection(name); err != nil {
			return err
		}
		in := &dropCollection{app: r.app, by: r.manager(), name: name, keep: truthy(h.Peek("X-Kinvey-Retain-Collection-Metadata"))}
		if err := e.committer.submit(r.app, in); err != nil {
			return err
		}
		e.cleaner.nudge()
	}
	return r.json(fasthttp.StatusOK, []byte("{}"))
}

// empty removes the users or the groups of the request's view, for good.
func (e *Engine) empty(r *Request, name string) error {
	var batch []intent
	flush := func() error {
		for _, err := range e.committer.submitAll(r.app, batch) {
			if err != nil && !errors.Is(err, errUserNotFound) && !errors.Is(err, errEntityNotFound) {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	var err error
	r.view.collection(name).byID.Scan(func(id string, _ *entity) bool {
		if name == "user" {
			batch = append(batch, &removeUser{app: r.app, subject: r.subject, id: id, hard: true})
		} else {
			batch = append(batch, &deleteEntity{app: r.app, subject: r.subject, collection: name, id: id})
		}
		if len(batch) == deleteBatch {
			err = flush()
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	return flush()
}

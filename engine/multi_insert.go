package engine

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
)

const (
	manyPath  = listPath
	maxInsert = 100 // documents of one request
)

// createEntities inserts an array of documents. Each is decided by itself, in
// the order of the array, and what is good stays although others are refused:
// 201 when all were inserted, 207 when not.
func (e *Engine) createEntities(r *Request, name string, list document.Value) error {
	if r.version < 5 {
		return fault(errFeature, "Inserting multiple entities is not available in this Kinvey API version")
	}
	n := list.Len()
	switch {
	case n == 0:
		return fault(errBadRequest, "Request body cannot be an empty array")
	case n > maxInsert:
		return fault(errTooLarge, "at most %d entities are inserted at once", maxInsert)
	}
	if err := r.decide(r.view.level(r.view.collection(name)), nil, acl.Create); err != nil {
		return &denied{verdict: r.verdict, debug: noCreate}
	}
	puts, errs := make([]*putEntity, n), make([]error, n)
	var intents []intent
	var place []int // of each intent in the array
	i := 0
	for doc := range list.Elements() {
		if puts[i], errs[i] = r.insertion(name, doc); errs[i] == nil {
			intents, place = append(intents, puts[i]), append(place, i)
		}
		i++
	}
	for k, err := range e.committer.submitAll(r.app, intents) {
		errs[place[k]] = err
	}
	return r.answerMany(puts, errs)
}

// insertion makes the intent of one document that is to be inserted.
func (r *Request) insertion(name string, doc document.Value) (*putEntity, error) {
	if doc.Kind() != document.Object {
		return nil, fault(errBadRequest, "every element must be a JSON object")
	}
	if len(doc.Raw()) > r.e.config.MaxBody {
		return nil, fault(errTooLarge, "an entity has at most %d bytes", r.e.config.MaxBody)
	}
	b, err := readEntity(doc)
	if err != nil {
		return nil, err
	}
	id := b.id
	if id == "" {
		id = r.e.newID()
	}
	return r.intentOf(name, id, b, true), nil
}

func (r *Request) answerMany(puts []*putEntity, errs []error) error {
	status := fasthttp.StatusCreated
	entities, failures := []byte(`{"entities":[`), []byte(`],"errors":[`)
	for i, err := range errs {
		if i > 0 {
			entities = append(entities, ',')
		}
		if err == nil {
			entities = append(entities, puts[i].body...)
			continue
		}
		entities = append(entities, "null"...)
		if status != fasthttp.StatusCreated {
			failures = append(failures, ',')
		}
		status = fasthttp.StatusMultiStatus
		f := faultOf(err)
		if f.kind == errInternal {
			r.e.config.Logger.Error("request failed", "request", string(r.id), "error", err)
		}
		failures = strconv.AppendInt(append(failures, `{"index":`...), int64(i), 10)
		failures = appendError(append(failures, `,"error":`...), errorTable[f.kind], f.debug)
	}
	return r.json(status, append(append(entities, failures...), "]}"...))
}

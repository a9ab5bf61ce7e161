package engine

import (
	"slices"

	"postern/acl"
)

// Groups are entities of the reserved collection group, which is always
// Shared: everybody reads one by its id, and its creator, its writers and the
// master change it. Only the master lists them.

// readGroup takes a group apart and checks that its members can be read.
func (r *Request) readGroup() (*entityBody, error) {
	doc, err := r.object()
	if err != nil {
		return nil, err
	}
	if _, err := acl.ParseGroup(doc.Raw()); err != nil {
		return nil, err
	}
	return readEntity(doc)
}

// validGroup refuses a group that would be called like the app itself: that is
// the name of what the master creates.
func (r *Request) validGroup(id string) error {
	if id == r.app.key {
		return fault(errIdentifier, "a group cannot have the app key as its _id")
	}
	return validID(id)
}

func (e *Engine) createGroup(r *Request) error {
	b, err := r.readGroup()
	if err != nil {
		return err
	}
	id := b.id
	if id == "" {
		id = e.newID()
	}
	if err := r.validGroup(id); err != nil {
		return err
	}
	in, err := r.put("group", id, b, true)
	if err != nil {
		return err
	}
	return r.answerPut(in, "group", id)
}

func (e *Engine) putGroup(r *Request) error {
	id := r.param(0)
	if err := r.validGroup(id); err != nil {
		return err
	}
	b, err := r.readGroup()
	if err != nil {
		return err
	}
	in, err := r.put("group", id, b, false)
	if err != nil {
		return err
	}
	return r.answerPut(in, "group", id)
}

func (e *Engine) getGroup(r *Request) error {
	id := r.param(0)
	if err := validID(id); err != nil {
		return err
	}
	return r.get(r.view.collection("group"), id)
}

func (e *Engine) deleteGroup(r *Request) error {
	id := r.param(0)
	if err := validID(id); err != nil {
		return err
	}
	return r.remove("group", id)
}

func (e *Engine) listGroups(r *Request) error { return r.list(r.view.collection("group")) }

// nestedGroups returns the ids of the groups inside a group, each once.
func nestedGroups(e *entity) []string {
	def, err := acl.ParseGroup(e.body())
	if err != nil {
		return nil
	}
	return inside(def)
}

func inside(def *acl.GroupDef) []string { return distinct(def.Groups) }

// distinct returns a list in order, each once.
func distinct(list []string) []string {
	ids := slices.Clone(list)
	slices.Sort(ids)
	return slices.Compact(ids)
}

package engine

import (
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"postern/engine/document"
	"postern/engine/store"
)

// Roles are kept and given back, for clients that manage them, and give
// nothing: acl knows levels, ACLs and groups, and no roles.

// putRole makes a role or replaces what is known of it.
type putRole struct {
	app    *app
	by     actor
	id     string
	text   []byte
	insert bool // false: it must exist
}

func (in *putRole) audit() auditLine {
	return auditLine{actor: in.by, Act: "put role", App: in.app.key, Item: in.id}
}

func (in *putRole) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	if !in.insert && !s.hasRole(in.id) {
		return nil, errRoleNotFound
	}
	if in.insert {
		if err := s.roomForNotes(1); err != nil {
			return nil, err
		}
	}
	return []store.Op{noteOp(in.app, noteRole+in.id, in.text)}, nil
}

var errRoleNotFound = fault(errEntityNotFound, "the app has no such role")

func (s *appState) hasRole(id string) bool {
	_, ok := s.notes.Get(noteRole + id)
	return ok
}

// dropRole removes a role and takes it from who has it.
type dropRole struct {
	app *app
	by  actor
	id  string
}

func (*dropRole) frugal() {}

func (in *dropRole) audit() auditLine {
	return auditLine{actor: in.by, Act: "delete role", App: in.app.key, Item: in.id}
}

func (in *dropRole) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	if !s.hasRole(in.id) {
		return nil, errRoleNotFound
	}
	ops := []store.Op{noteOp(in.app, noteRole+in.id, nil)}
	s.notesOf(noteMember+in.id+"/", func(user string, _ []byte) bool {
		ops = append(ops, noteOp(in.app, noteMember+in.id+"/"+user, nil))
		return true
	})
	return ops, nil
}

// changeMembers gives a role to users or takes it from them.
type changeMembers struct {
	app   *app
	by    actor
	role  string
	users []string
	give  bool
}

func (in *changeMembers) audit() auditLine {
	act := "take role"
	if in.give {
		act = "give role"
	}
	// Whom, the rows of the record tell.
	return auditLine{actor: in.by, Act: act, App: in.app.key, Item: in.role}
}

func (in *changeMembers) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	if !s.hasRole(in.role) {
		return nil, errRoleNotFound
	}
	var ops []store.Op
	for _, user := range in.users {
		if _, ok := s.user(user); !ok {
			return nil, fault(errUserNotFound, "the app has no user %q", user)
		}
		name := noteMember + in.role + "/" + user
		switch _, has := s.notes.Get(name); {
		case in.give && !has:
			text := new(jsonObject).text("roleId", in.role).text("grantedBy", in.app.key).time("grantDate", d.now).close()
			ops = append(ops, noteOp(in.app, name, text))
		case !in.give && has:
			ops = append(ops, noteOp(in.app, name, nil))
		case !in.give:
			return nil, fault(errEntityNotFound, "the user does not have the role")
		}
	}
	if !in.give {
		return ops, nil
	}
	return ops, s.roomForNotes(len(ops))
}

// roleIn reads a role: a name, and perhaps a description.
func roleIn(id string, doc document.Value) ([]byte, error) {
	name, description := doc.Get("name"), doc.Get("description")
	if name.Kind() != document.String || name.Text() == "" || utf8.RuneCountInString(name.Text()) > 128 {
		return nil, fault(errMissingParameter, "a role has a name of 1 to 128 characters")
	}
	if name.TextIs(allUsers) {
		return nil, fault(errIdentifier, "%s is the role of everybody", allUsers)
	}
	text, err := textOrNull("description", description)
	if err != nil {
		return nil, err
	}
	if len(text) > maxSetting {
		return nil, fault(errTooLarge, "a description has at most %d bytes", maxSetting)
	}
	if own := doc.Get("_id"); own.Kind() == document.String && !own.TextIs(id) {
		return nil, fault(errIdentifier, "the _id of a role is made by the server and stays")
	}
	o := new(jsonObject).text("_id", id).text("name", name.Text())
	if description.Kind() == document.String {
		o.text("description", text)
	}
	return o.close(), nil
}

func (e *Engine) listRoles(r *Request) error {
	var items [][]byte
	r.view.notesOf(noteRole, func(_ string, text []byte) bool {
		items = append(items, text)
		return true
	})
	return r.json(fasthttp.StatusOK, jsonList(items))
}

func (e *Engine) createRole(r *Request) error {
	return r.putRole(e.newID(), true, fasthttp.StatusCreated)
}

func (e *Engine) putRole(r *Request) error { return r.putRole(r.param(0), false, fasthttp.StatusOK) }

func (r *Request) putRole(id string, insert bool, status int) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	text, err := roleIn(id, doc)
	if err != nil {
		return err
	}
	in := &putRole{app: r.app, by: r.actor(), id: id, text: text, insert: insert}
	if err := r.e.committer.submit(r.app, in); err != nil {
		return err
	}
	return r.json(status, text)
}

func (e *Engine) getRole(r *Request) error {
	text, ok := r.view.notes.Get(noteRole + r.param(0))
	if !ok {
		return errRoleNotFound
	}
	return r.json(fasthttp.StatusOK, text)
}

func (e *Engine) deleteRole(r *Request) error {
	if err := e.committer.submit(r.app, &dropRole{app: r.app, by: r.actor(), id: r.param(0)}); err != nil {
		return err
	}
	return r.nothing()
}

func (e *Engine) listMembers(r *Request) error {
	return r.members(r.view)
}

// members answers with the ids of the users who have the role of the path.
func (r *Request) members(s *appState) error {
	role := r.param(0)
	if !s.hasRole(role) {
		return errRoleNotFound
	}
	var items [][]byte
	s.notesOf(noteMember+role+"/", func(user string, _ []byte) bool {
		if _, ok := s.user(user); ok { // who was removed has no role
			items = append(items, document.AppendQuote(nil, user))
		}
		return true
	})
	return r.json(fasthttp.StatusOK, jsonList(items))
}

const maxMembers = 256 // users who are given a role at once

func (e *Engine) addMembers(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	list := doc.Get("userIds")
	if list.Kind() != document.Array {
		return fault(errMissingParameter, "userIds must be a list of ids of users")
	}
	in := &changeMembers{app: r.app, by: r.actor(), role: r.param(0), give: true}
	seen := map[string]bool{}
	for v := range list.Elements() {
		if v.Kind() != document.String {
			return fault(errIdentifier, "userIds must be a list of ids of users")
		}
		if id := v.Text(); !seen[id] {
			seen[id] = true
			in.users = append(in.users, id)
		}
	}
	if len(in.users) > maxMembers {
		return fault(errTooLarge, "at most %d users are given a role at once", maxMembers)
	}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	return r.members(r.app.view.Load())
}

// rolesOfUser shows the roles of a user to himself and to the master.
func (e *Engine) rolesOfUser(r *Request) error {
	user := r.param(0)
	if !himself(r.subject, user) {
		return fault(errInsufficient, "the roles of a user are shown to himself and to the master")
	}
	if _, ok := r.view.user(user); !ok {
		return errUserNotFound
	}
	var items [][]byte
	r.view.notesOf(noteRole, func(role string, _ []byte) bool {
		if given, ok := r.view.notes.Get(noteMember + role + "/" + user); ok {
			items = append(items, given)
		}
		return true
	})
	return r.json(fasthttp.StatusOK, jsonList(items))
}

func (e *Engine) giveRole(r *Request) error {
	in := &changeMembers{app: r.app, by: r.actor(), role: r.param(1), users: []string{r.param(0)}, give: true}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	given, ok := r.app.view.Load().notes.Get(noteMember + in.role + "/" + in.users[0])
	if !ok {
		return errRoleNotFound // taken meanwhile
	}
	return r.json(fasthttp.StatusOK, given)
}

func (e *Engine) takeRole(r *Request) error {
	in := &changeMembers{app: r.app, by: r.actor(), role: r.param(1), users: []string{r.param(0)}}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	return r.nothing()
}

package engine

import (
	"bytes"
	"fmt"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/store"
)

// The configuration file of an environment, as kinvey-cli writes and applies
// it. Read here, it is applied whole or not at all: what cannot be honoured is
// named with its line, and unless the operator says that he wants the rest,
// nothing is changed.

// A configFile is such a file taken apart. It borrows from a text of its own.
type configFile struct {
	text        []byte
	problems    []configProblem
	settings    []configItem
	roles       []configItem
	groups      []configItem
	collections []configItem
}

// A configItem is one member of a part of the file.
type configItem struct {
	name  string
	at    string // the path to it
	value document.Value
	id    string // the one that a new role gets
}

// A configProblem is something that this server does not honour.
type configProblem struct {
	line   int // from 1
	at     string
	reason string
}

// report notes that what stands at v is not honoured.
func (f *configFile) report(v document.Value, at, format string, args ...any) {
	line := 1 + bytes.Count(f.text[:v.Offset(f.text)], []byte("\n"))
	f.problems = append(f.problems, configProblem{line: line, at: at, reason: fmt.Sprintf(format, args...)})
}

// readConfig takes a file apart and reports what is not honoured whatever the
// environment is like. text must be the caller's to give away.
func readConfig(text []byte, newID func() string) (*configFile, error) {
	doc, err := document.Parse(text, document.Query) // names here are not stored as members: roles and groups may have dots
	if err != nil {
		return nil, err
	}
	if doc.Kind() != document.Object || !doc.Get("schemaVersion").TextIs("1.0.0") || !doc.Get("configType").TextIs("environment") {
		return nil, fault(errOutOfRange, `a configuration file is an object with "schemaVersion": "1.0.0" and "configType": "environment"`)
	}
	f := &configFile{text: text}
	for key, v := range doc.Members() {
		part := key.Text()
		items := f.items(part, v)
		switch part {
		case "schemaVersion", "configType":
		case "settings":
			f.settings = items
		case "roles":
			for i := range items {
				items[i].id = newID()
			}
			f.roles = items
		case "groups":
			f.groups = items
		case "collections":
			f.collections = items
		case "customEndpoints", "collectionHooks", "commonCode":
			for _, it := range items {
				f.report(it.value, it.at, "this server runs no business logic")
			}
		case "push":
			for _, it := range items {
				f.report(it.value, it.at, "this server sends no push messages")
			}
		default:
			f.report(v, part, "unknown part of a configuration")
		}
	}
	return f, nil
}

// items lists the members of a part, which is an object.
func (f *configFile) items(part string, v document.Value) []configItem {
	if part == "schemaVersion" || part == "configType" {
		return nil
	}
	if v.Kind() != document.Object {
		f.report(v, part, "not an object (references to other files are not followed)")
		return nil
	}
	var items []configItem
	for key, value := range v.Members() {
		items = append(items, configItem{name: key.Text(), at: part + "." + key.Text(), value: value})
	}
	return items
}

// importConfig applies a file to an environment.
type importConfig struct {
	app     *app
	by      actor
	file    *configFile
	check   bool // say what would happen
	partial bool // apply the rest although something is not honoured

	// The outcome.
	problems []configProblem
	changes  []string
	applied  bool
}

func (in *importConfig) audit() auditLine {
	return auditLine{actor: in.by, Act: "import configuration", App: in.app.key}
}

func (in *importConfig) plan(d *draft) ([]store.Op, error) {
	f := *in.file // reported to below, and planned anew when the group is
	f.problems = append([]configProblem(nil), in.file.problems...)
	in.changes = nil
	t := d.trial(in.app)
	step := func(it configItem, what string, act intent) {
		if err := t.try(act); err != nil {
			f.report(it.value, it.at, "%s", reasonOf(err))
			return
		}
		in.changes = append(in.changes, what+" "+it.name)
	}
	for _, it := range f.settings {
		step(it, "setting", &changeApp{app: in.app, change: func(c *appConfig, _ int64) error { return c.setFromFile(it) }})
	}
	for _, it := range f.roles {
		step(it, "role", &importRole{app: in.app, item: it})
	}
	for _, it := range f.groups {
		step(it, "group", &importGroup{app: in.app, item: it})
	}
	for _, it := range f.collections {
		act := &importCollection{app: in.app, item: it, file: &f}
		step(it, "collection", act)
	}
	in.problems = f.problems
	in.applied = !in.check && (in.partial || len(f.problems) == 0)
	if !in.applied {
		return nil, nil
	}
	return t.ops, nil
}

// reasonOf is the text of a refusal for whoever wrote the file.
func reasonOf(err error) string {
	f := faultOf(err)
	if f.debug != "" {
		return f.debug
	}
	return errorTable[f.kind].description
}

// setFromFile sets what the settings of a file may say.
func (c *appConfig) setFromFile(it configItem) error {
	switch it.name {
	case "name", "apiVersion", "emailVerification":
		return c.set(it.name, it.value)
	}
	return fault(errOutOfRange, "unknown setting %q of an environment", it.name)
}

// unknownMember returns a member that is none of the known.
func unknownMember(v document.Value, known ...string) error {
	if v.Kind() != document.Object {
		return fault(errOutOfRange, "not an object (references to other files are not followed)")
	}
next:
	for key := range v.Members() {
		for _, k := range known {
			if key.TextIs(k) {
				continue next
			}
		}
		return fault(errOutOfRange, "unknown member %q", key.Text())
	}
	return nil
}

// importRole makes the role of that name, or changes the one that there is.
type importRole struct {
	app  *app
	item configItem
}

func (in *importRole) plan(d *draft) ([]store.Op, error) {
	v := in.item.value
	if err := unknownMember(v, "name", "description"); err != nil {
		return nil, err
	}
	id, err := d.state(in.app).roleCalled(in.item.name)
	if err != nil {
		return nil, err
	}
	act := &putRole{app: in.app, id: id}
	name := in.item.name
	if id == "" {
		act.id, act.insert = in.item.id, true
	} else if was, _ := d.state(in.app).notes.Get(noteRole + id); id == name {
		name = document.Trusted(was).Get("name").Text() // the file calls it by its id
	}
	doc := new(jsonObject)
	if given := v.Get("name"); given.Kind() != document.Missing {
		doc.raw("name", string(given.Raw()))
	} else {
		doc.text("name", name)
	}
	if given := v.Get("description"); given.Kind() != document.Missing {
		doc.raw("description", string(given.Raw()))
	}
	if act.text, err = roleIn(act.id, document.Trusted(doc.close())); err != nil {
		return nil, err
	}
	return act.plan(d)
}

// roleCalled finds a role by its id or its name; "" when there is none.
func (s *appState) roleCalled(name string) (id string, err error) {
	if s.hasRole(name) {
		return name, nil
	}
	s.notesOf(noteRole, func(role string, text []byte) bool {
		if document.Trusted(text).Get("name").TextIs(name) {
			if id != "" {
				err = fault(errBadRequest, "more than one role is called %q", name)
			}
			id = role
		}
		return true
	})
	return id, err
}

// importGroup makes a group or changes what the file says of it. Who is in it
// is data and stays.
type importGroup struct {
	app  *app
	item configItem
}

func (in *importGroup) plan(d *draft) ([]store.Op, error) {
	v := in.item.value
	if err := unknownMember(v, "name", "description", "groups"); err != nil {
		return nil, err
	}
	if in.item.name == in.app.key {
		return nil, fault(errIdentifier, "a group cannot have the app key as its _id")
	}
	if err := validID(in.item.name); err != nil {
		return nil, err
	}
	var b entityBody
	if old, ok := d.state(in.app).collection("group").rows.get(in.item.name); ok {
		for key, member := range documentOf(old).Members() {
			own := key.TextIs("_id") || key.TextIs("_acl") || key.TextIs("_kmd")
			if !own && v.Get(key.Text()).Kind() == document.Missing {
				b.appendMember(key, member)
			}
		}
	}
	for key, member := range v.Members() {
		if !key.TextIs("groups") {
			if member.Kind() != document.String {
				return nil, fault(errOutOfRange, "%s must be a string", key.Text())
			}
			b.appendMember(key, member)
			continue
		}
		if member.Kind() != document.Array {
			return nil, fault(errOutOfRange, "groups must be a list of ids of groups")
		}
		var refs [][]byte
		for child := range member.Elements() {
			if child.Kind() != document.String {
				return nil, fault(errOutOfRange, "groups must be a list of ids of groups")
			}
			refs = append(refs, new(jsonObject).text("_type", "KinveyRef").text("_collection", "group").raw("_id", string(child.Raw())).close())
		}
		b.appendMember(key, document.Trusted(jsonList(refs)))
	}
	members := b.withID(in.item.name)
	if _, err := acl.ParseGroup(append(append([]byte(nil), members...), '}')); err != nil {
		return nil, err
	}
	return (&putEntity{
		app: in.app, subject: acl.Subject{Role: acl.RoleMaster}, collection: "group", id: in.item.name, members: members,
	}).plan(d)
}

// importCollection makes a collection or changes its permissions.
type importCollection struct {
	app  *app
	item configItem
	file *configFile // told about permissions that are kept without effect
}

func (in *importCollection) plan(d *draft) ([]store.Op, error) {
	v := in.item.value
	if err := unknownMember(v, "type", "name", "permissions", "orders"); err != nil {
		return nil, err
	}
	if !v.Get("type").TextIs("internal") {
		return nil, fault(errConfiguration, "this server has internal collections only")
	}
	if name := v.Get("name"); name.Kind() != document.Missing && !name.TextIs(in.item.name) {
		return nil, fault(errConfiguration, "a collection is not renamed")
	}
	if err := managed(in.item.name); err != nil {
		return nil, err
	}
	act := &setCollection{app: in.app, name: in.item.name}
	permissions := v.Get("permissions")
	if permissions.Kind() == document.Missing {
		return nil, fault(errMissingParameter, "a collection has permissions")
	}
	doc := permissions
	if permissions.Kind() == document.Object {
		text, err := d.state(in.app).rolesByAct(permissions)
		if err != nil {
			return nil, err
		}
		doc = document.Trusted(text)
	}
	var err error
	act.level, act.text, err = permissionsIn(document.Trusted(new(jsonObject).raw("permissions", string(doc.Raw())).close()), acl.Shared)
	if err != nil {
		return nil, err
	}
	if orders := v.Get("orders"); orders.Kind() != document.Missing {
		if act.orders, err = ordersIn(orders); err != nil {
			return nil, err
		}
	}
	ops, err := act.plan(d)
	if err != nil || permissions.Kind() != document.Object {
		return ops, err
	}
	for role, row := range permissions.Members() {
		if !role.TextIs(allUsers) {
			in.file.report(row, in.item.at+".permissions."+role.Text(), "kept without effect: roles give nothing on this server")
		}
	}
	return ops, nil
}

// rolesByAct turns the file's permissions (role -> act -> type) into those of
// the API (act -> list of role and type).
func (s *appState) rolesByAct(permissions document.Value) ([]byte, error) {
	var acts [len(permissionActs)][][]byte
	for key, row := range permissions.Members() {
		role := key.Text()
		if role != allUsers {
			id, err := s.roleCalled(role)
			if err != nil {
				return nil, err
			}
			if id == "" {
				return nil, fault(errOutOfRange, "there is no role %q", role)
			}
			role = id
		}
		if err := unknownMember(row, permissionActs[:]...); err != nil {
			return nil, err
		}
		for i, act := range permissionActs {
			if kind := row.Get(act); kind.Kind() != document.Missing {
				acts[i] = append(acts[i], new(jsonObject).text("roleId", role).raw("type", string(kind.Raw())).close())
			}
		}
	}
	o := new(jsonObject)
	for i, act := range permissionActs {
		o.raw(act, string(jsonList(acts[i])))
	}
	return o.close(), nil
}

func (e *Engine) importConfig(r *Request) error {
	b, err := r.bytes()
	if err != nil {
		return err
	}
	f, err := readConfig(append([]byte(nil), b...), e.newID)
	if err != nil {
		return err
	}
	args := r.ctx.QueryArgs()
	in := &importConfig{app: r.app, by: r.actor(), file: f, check: args.GetBool("check"), partial: args.GetBool("partial")}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	var problems, changes [][]byte
	for _, p := range in.problems {
		problems = append(problems, new(jsonObject).number("line", int64(p.line)).text("at", p.at).text("problem", p.reason).close())
	}
	for _, c := range in.changes {
		changes = append(changes, document.AppendQuote(nil, c))
	}
	return r.json(fasthttp.StatusOK, new(jsonObject).flag("applied", in.applied).
		raw("problems", string(jsonList(problems))).raw("changes", string(jsonList(changes))).close())
}

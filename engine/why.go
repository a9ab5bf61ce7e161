package engine

import (
	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/query"
)

// Why somebody may do something, or may not: the answer is that of acl.Decide,
// with what it has looked at, in the words of acl.Explain, and with the changes
// by which he would get what he has not. Nothing here decides.

// rights are the operations that can be asked about, by their names. Who may write
// may delete (R10).
var rights = map[string]acl.Right{
	"read": acl.Read, "write": acl.Write, "delete": acl.Write, "acl": acl.ChangeACL, "create": acl.Create,
}

// why answers ?user=&right=&id= for a collection.
func (e *Engine) why(r *Request) error {
	args := r.ctx.QueryArgs()
	name, right := r.param(0), string(args.Peek("right"))
	if err := managed(name); err != nil {
		return err
	}
	c := r.view.collection(name)
	level := r.view.level(c) // also of one that is yet to be made
	want, ok := rights[right]
	if !ok {
		return fault(errOutOfRange, "right is read, write, delete, acl or create")
	}
	user, ok := r.view.userNamed(string(args.Peek("user")))
	if !ok {
		return errUserNotFound
	}
	var grants *acl.ACL
	o := new(jsonObject).raw("user", string(r.view.userRef(user))).text("right", right).text("collection", name).text("level", level.String())
	if want != acl.Create {
		if c == nil {
			return errCollectionNotFound
		}
		ent, ok := c.rows.get(string(args.Peek("id")))
		if !ok {
			return errEntityNotFound
		}
		grants = ent.acl
		o.text("_id", ent.id).raw("_acl", string(ent.aclText()))
	}
	r.view.subject(user) // his groups are kept: one question leads to another
	s, state := r.view.comesAs(user)
	if state != "" {
		o.text("account", state)
	}
	d, steps := acl.Explain(s, level, grants, want)
	o.flag("allowed", d.Allowed).text("rule", d.Rule).text("reason", d.Reason).text("decision", d.String())
	if path := d.Group(); path != nil {
		o.texts("path", path)
	}
	var looked [][]byte
	for i, step := range steps {
		looked = append(looked, r.view.describeStep(step, s, i == len(steps)-1))
	}
	o.raw("steps", string(jsonList(looked)))
	var enough [][]byte
	for _, g := range acl.Grants(s, level, grants, want) {
		enough = append(enough, r.view.describeGrant(g))
	}
	return r.json(fasthttp.StatusOK, o.raw("wouldAllow", string(jsonList(enough))).close())
}

// comesAs is the subject that a user's requests have. Who is suspended or locked is
// not let in, whatever he shows: he is nobody.
func (s *appState) comesAs(user string) (who acl.Subject, state string) {
	a, ok := s.accounts.Get(user)
	switch {
	case !ok:
		return acl.Subject{}, "gone"
	case a.Suspended != 0:
		return acl.Subject{}, "suspended"
	case a.Locked != 0:
		return acl.Subject{}, "locked"
	}
	if id := a.identity.Load(); id != nil && id.groups == s.groups {
		return acl.Subject{Role: acl.RoleUser, ID: user, Member: id.member}, ""
	}
	return acl.Subject{Role: acl.RoleUser, ID: user, Member: s.groups.Of(user)}, "" // not kept: all may be asked about
}

// userNamed finds a user by his id or his name; the id goes first.
func (s *appState) userNamed(text string) (id string, ok bool) {
	if _, ok := s.accounts.Get(text); ok {
		return text, true
	}
	return s.names.Get(text)
}

// userRef is a user as people know him.
func (s *appState) userRef(id string) []byte {
	o := new(jsonObject).text("_id", id)
	if a, ok := s.accounts.Get(id); ok {
		o.text("username", a.Username)
	} else {
		o.flag("gone", true)
	}
	return o.close()
}

// maxShown bounds how much of a list is shown.
const maxShown = 100

func (s *appState) describeStep(step acl.Step, who acl.Subject, decided bool) []byte {
	o := new(jsonObject).text("rule", step.Rule).text("check", step.Check)
	switch step.Check {
	case "creator", "user":
		o.raw("saw", string(s.userRef(step.Saw)))
	case "r", "w":
		var list [][]byte
		for _, id := range step.List[:min(len(step.List), maxShown)] {
			list = append(list, s.userRef(id))
		}
		o.raw("saw", string(jsonList(list)))
	case "groups.r", "groups.w":
		var list [][]byte
		for _, id := range step.List[:min(len(step.List), maxShown)] {
			g := new(jsonObject).text("_id", id)
			if path := who.Member.Path(id); path != nil {
				g.texts("path", path)
			}
			list = append(list, g.close())
		}
		o.raw("saw", string(jsonList(list)))
	case "master", "app":
	default:
		o.text("saw", step.Saw)
	}
	if len(step.List) > maxShown {
		o.number("of", int64(len(step.List)))
	}
	if decided {
		o.flag("decided", true)
	}
	return o.close()
}

func (s *appState) describeGrant(g acl.Grant) []byte {
	o := new(jsonObject).text("change", g.Change)
	switch g.Change {
	case "r", "w", "creator":
		o.raw("user", string(s.userRef(g.ID)))
	case "groups.r", "groups.w", "join":
		o.text("group", g.ID)
	case "gr", "gw":
		o.text("to", g.Switch.String())
	case "level":
		o.text("to", g.Level.String())
	}
	return o.close()
}

// whoCan answers ?right=&id=&skip=&limit=: the users who may read or write an
// entity, in the order of their ids, each with the reason.
func (e *Engine) whoCan(r *Request) error {
	args := r.ctx.QueryArgs()
	c, err := r.managedCollection()
	if err != nil {
		return err
	}
	want, ok := rights[string(args.Peek("right"))]
	if !ok || want == acl.Create {
		return fault(errOutOfRange, "right is read, write, delete or acl")
	}
	ent, ok := c.rows.get(string(args.Peek("id")))
	if !ok {
		return errEntityNotFound
	}
	q, err := r.query()
	if err != nil {
		return err
	}
	capPage(q)
	all, may := 0, 0
	var page [][]byte
	r.view.accounts.Scan(func(id string, _ *account) bool {
		all++
		s, _ := r.view.comesAs(id)
		d := acl.Decide(s, c.level, ent.acl, want)
		if !d.Allowed {
			return true
		}
		may++
		if may > q.Page.Skip && len(page) < min(q.Page.Limit, maxResults) {
			o := new(jsonObject).raw("user", string(r.view.userRef(id))).text("rule", d.Rule).text("reason", d.Reason)
			if path := d.Group(); path != nil {
				o.texts("path", path)
			}
			page = append(page, o.close())
		}
		return true
	})
	return r.json(fasthttp.StatusOK, new(jsonObject).number("count", int64(may)).number("users", int64(all)).raw("list", string(jsonList(page))).close())
}

// visibleTo answers ?user=: how many entities of each collection he may read, and
// which groups he is in, each with the way to him.
func (e *Engine) visibleTo(r *Request) error {
	user, ok := r.view.userNamed(string(r.ctx.QueryArgs().Peek("user")))
	if !ok {
		return errUserNotFound
	}
	var state string
	r.subject, state = r.view.comesAs(user)
	r.principals = acl.PrincipalsOf(r.subject)
	var list, groups [][]byte
	for _, id := range r.subject.Member.IDs() {
		groups = append(groups, new(jsonObject).text("_id", id).texts("path", r.subject.Member.Path(id)).close())
	}
	var err error
	r.view.collections.Scan(func(name string, c *collection) bool {
		if managed(name) != nil {
			return true // groups have no level
		}
		n := 0
		n, err = r.counted(c, &query.Query{Meter: r.meter()})
		list = append(list, new(jsonObject).text("name", name).text("level", c.level.String()).
			number("readable", int64(n)).number("entities", int64(c.rows.len())).close())
		return err == nil
	})
	if err != nil {
		return err
	}
	o := new(jsonObject).raw("user", string(r.view.userRef(user)))
	if state != "" {
		o.text("account", state)
	}
	return r.json(fasthttp.StatusOK, o.raw("collections", string(jsonList(list))).raw("groups", string(jsonList(groups))).close())
}

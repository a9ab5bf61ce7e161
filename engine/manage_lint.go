package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"postern/acl"
)

// Lint looks for what is allowed and is perhaps not meant: collections and entities
// that everybody may write, groups that hold everybody or nobody, and names of those
// who are not there. It grants and changes nothing.

// A finding is one of those. It is about a collection or about a group; samples are
// ids of entities of the one, or of what the other names.
type finding struct {
	kind, severity    string
	collection, group string
	count             int
	samples           []string
	text              string
}

func (f *finding) describe() []byte {
	o := new(jsonObject).text("kind", f.kind).text("severity", f.severity)
	if f.collection != "" {
		o.text("collection", f.collection)
	}
	if f.group != "" {
		o.text("group", f.group)
	}
	return o.number("count", int64(f.count)).texts("samples", f.samples).text("text", f.text).close()
}

// found counts one more.
func (f *finding) found(sample func() string) {
	if f.count++; len(f.samples) < maxSamples {
		f.samples = append(f.samples, sample())
	}
}

// lint answers what there is to look at in an app.
func (e *Engine) lint(r *Request) error {
	r.meter()
	r.until = time.Time{} // it takes turns with others, and as long as it takes
	list := [][]byte{}
	say := func(f *finding) { list = append(list, f.describe()) }
	stranger := e.newID()
	anybody := acl.Subject{Role: acl.RoleUser, ID: stranger, Member: r.view.groups.Of(stranger)}
	var err error
	r.view.collections.Scan(func(name string, c *collection) bool {
		if c.number != groupCollection {
			err = r.lintCollection(c, anybody, say)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	for id, def := range r.view.groups.All() {
		if err := r.lintGroup(id, def, anybody, say); err != nil {
			return err
		}
	}
	return r.json(fasthttp.StatusOK, new(jsonObject).raw("findings", string(jsonList(list))).close())
}

// lintCollection looks at what the entities of a collection say. anybody is a user who
// is in no group but those of every user.
func (r *Request) lintCollection(c *collection, anybody acl.Subject, say func(*finding)) error {
	s := r.view
	open := &finding{kind: "world-writable", severity: "warn", collection: c.name, text: "records that every user may change and delete, whatever the level is"}
	users := &finding{kind: "dangling-user", severity: "info", collection: c.name, text: "records shared with users who are gone"}
	owners := &finding{kind: "dangling-user", severity: "info", collection: c.name, text: "records whose creator is gone: nobody but the master can change who they are shared with"}
	groups := &finding{kind: "dangling-group", severity: "warn", collection: c.name, text: "records shared with groups that do not exist"}
	if c.level == acl.Full {
		say(&finding{kind: "full-collection", severity: "warn", collection: c.name, count: c.rows.len(), text: "every user may change and delete every record"})
	}
	gone := func(user string) bool {
		_, ok := s.accounts.Get(user)
		return !ok && user != "" && user != r.app.key // who is what the master creates is of
	}
	missing := func(group string) bool { return group != "" && s.groups.Get(group) == nil }
	var err error
	c.rows.merged(0, func(i acl.Ordinal) bool {
		a := c.rows.grants(i, &r.grants)
		note := func(f *finding) { f.found(func() string { return c.rows.at(i).id }) }
		// Where the level is Full it is said of the collection.
		if c.level != acl.Full && acl.Decide(anybody, c.level, a, acl.Write).Allowed {
			note(open)
		}
		creator, readers, readerGroups := a.Names(acl.Read)
		_, writers, writerGroups := a.Names(acl.Write)
		if gone(creator) {
			note(owners)
		}
		if slices.ContainsFunc(readers, gone) || slices.ContainsFunc(writers, gone) {
			note(users)
		}
		if slices.ContainsFunc(readerGroups, missing) || slices.ContainsFunc(writerGroups, missing) {
			note(groups)
		}
		err = r.meters.Work(grantWork)
		return err == nil
	})
	for _, f := range []*finding{open, owners, users, groups} {
		if f.count > 0 {
			say(f)
		}
	}
	return err
}

// lintGroup looks at whom a group holds.
func (r *Request) lintGroup(id string, def *acl.GroupDef, anybody acl.Subject, say func(*finding)) error {
	s := r.view
	all, users, err := r.effective(id)
	if err != nil {
		return err
	}
	used := s.usedBy(id)
	switch {
	case all:
		f := &finding{kind: "group-of-everyone", severity: "info", group: id, count: used, text: "holds every user of the app"}
		if used > 0 {
			f.severity = "warn"
		}
		if !def.All {
			f.text += ", through " + strings.Join(anybody.Member.Path(id)[1:], " > ")
		}
		say(f)
	case len(users) == 0:
		say(&finding{kind: "empty-group", severity: "info", group: id, count: used, text: "holds no user of the app"})
	}
	gone := &finding{kind: "dangling-user", severity: "info", group: id}
	for _, user := range distinct(def.Users) {
		if _, ok := s.accounts.Get(user); !ok {
			gone.found(func() string { return user })
		}
	}
	missing := &finding{kind: "dangling-group", severity: "warn", group: id}
	for _, inner := range inside(def) {
		if s.groups.Get(inner) == nil {
			missing.found(func() string { return inner })
		}
	}
	for _, f := range []*finding{gone, missing} {
		if f.count > 0 {
			f.text = fmt.Sprintf("names %s not there", map[bool]string{true: "users who are", false: "groups that are"}[f == gone])
			say(f)
		}
	}
	return nil
}

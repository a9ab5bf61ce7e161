package engine

import (
	"slices"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// The entities of a collection as its managers see them: all of them, or those that
// have to do with somebody. What the index knows is read from it: what a user reads
// is his own stream, what he owns is among those that name him. For the rest all are
// looked at, for what their _acl says and no more, in the time of a query.

// keeping tells of an _acl, which is borrowed, whether an entity is one of those.
type keeping func(*acl.ACL) bool

// manageEntities answers ?query=&sort=&skip=&limit=&fields=&count=, and
// filter=readable|writable|owned|shared|overrides with user= or group=.
func (e *Engine) manageEntities(r *Request) error {
	c, err := r.managedCollection()
	if err != nil {
		return err
	}
	q, err := r.query()
	if err != nil {
		return err
	}
	args := r.ctx.QueryArgs()
	filter := string(args.Peek("filter"))
	keep, err := r.choose(c, filter)
	if err != nil {
		return err
	}
	if string(args.Peek("count")) != "true" {
		capPage(q)
		return r.answerList(c, q, keep, nil, false)
	}
	if filter == "overrides" && q.Filter == nil && c.number != userCollection {
		return r.count(c.overrides) // Fast path: it is counted. (Of users not all are listed.)
	}
	n, err := r.countKept(c, q, keep)
	if err != nil {
		return err
	}
	return r.count(n)
}

// choose makes the request read the stream that has what a filter is for, and tells
// which of it to keep; nil: all.
func (r *Request) choose(c *collection, filter string) (keeping, error) {
	s, args := r.view, r.ctx.QueryArgs()
	user, group := string(args.Peek("user")), string(args.Peek("group"))
	id, known := s.userNamed(user)
	if !known {
		id = user // who is gone may be named all the same
	}
	byGroup := filter == "shared" && group != ""
	switch filter {
	case "", "overrides":
		if user+group != "" {
			return nil, fault(errOutOfRange, "user and group are for another filter")
		}
	case "readable", "writable", "owned", "shared":
		if (user == "") == (group == "") || group != "" && !byGroup {
			return nil, fault(errMissingParameter, "filter=%s needs user%s", filter, map[bool]string{true: " or group"}[filter == "shared"])
		}
	}
	switch filter {
	case "":
		return nil, nil
	case "overrides":
		return (*acl.ACL).Overrides, nil
	case "readable", "writable":
		if !known {
			return nil, errUserNotFound
		}
		who, _ := s.comesAs(id)
		if filter == "writable" {
			return func(a *acl.ACL) bool { return acl.Decide(who, c.level, a, acl.Write).Allowed }, nil
		}
		r.subject, r.principals = who, acl.PrincipalsOf(who)
		return nil, nil
	case "owned":
		r.principals = acl.Named(acl.Principal{Kind: acl.KindUser, ID: id})
		return func(a *acl.ACL) bool {
			creator, _, _ := a.Names(acl.ChangeACL)
			return creator == id
		}, nil
	case "shared":
		if !byGroup {
			return namedIn(func(users, _ []string) bool { return slices.Contains(users, id) }), nil
		}
		// The index has those that name the group for reading. Often that is all.
		readers := acl.Named(acl.Principal{Kind: acl.KindGroup, ID: group})
		if n, _ := c.groupRefs.Get(group); n == c.countAll(readers, new(plan)) {
			r.principals = readers
		}
		return namedIn(func(_, groups []string) bool { return slices.Contains(groups, group) }), nil
	}
	return nil, fault(errOutOfRange, "filter is readable, writable, owned, shared or overrides")
}

// namedIn asks about the users and groups that an _acl names, for reading and for
// writing.
func namedIn(has func(users, groups []string) bool) keeping {
	return func(a *acl.ACL) bool {
		_, readers, readerGroups := a.Names(acl.Read)
		_, writers, writerGroups := a.Names(acl.Write)
		return has(readers, readerGroups) || has(writers, writerGroups)
	}
}

// grantWork is what looking at an _acl counts for, see query.Meter.Work.
const grantWork = 512

// A kept cursor passes over what is not to be kept.
type kept struct {
	*cursor
	keep    keeping
	scratch *acl.Scratch
}

var _ query.Source = kept{}

func (r *Request) kept(k *cursor, keep keeping) kept { return kept{k, keep, &r.grants} }

func (k kept) ordinal() (acl.Ordinal, bool) {
	for {
		i, ok := k.cursor.ordinal()
		if !ok {
			return 0, false
		}
		if k.err = k.meter.Work(grantWork); k.err != nil {
			return 0, false
		}
		if k.keep(k.rows.grants(i, k.scratch)) {
			return i, true
		}
	}
}

// Next returns the next document; it borrows from the view.
func (k kept) Next() (document.Value, bool) {
	i, ok := k.ordinal()
	if !ok {
		return document.Value{}, false
	}
	return document.Trusted(k.rows.body(i)), true
}

// Skip passes over n of what is kept and returns how many there were.
func (k kept) Skip(n int) int {
	for done := range n {
		if _, ok := k.ordinal(); !ok {
			return done
		}
	}
	return n
}

// Count returns how many are left, and consumes them.
func (k kept) Count() (n int) {
	for _, ok := k.ordinal(); ok; _, ok = k.ordinal() {
		n++
	}
	return n
}

// run is query.Run of what is left.
func (k kept) run(q *query.Query, emit func(document.Value) error) error {
	if err := query.Run(q, k, emit); err != nil {
		return err
	}
	return k.failed()
}

// countKept counts what matches q in a collection and is to be kept.
func (r *Request) countKept(c *collection, q *query.Query, keep keeping) (int, error) {
	if keep == nil {
		return r.counted(c, q)
	}
	r.planned = plan{}
	p := c.plan(&r.planned, r.principals, q, true)
	k, err := r.open(c, p)
	defer k.close()
	if err != nil {
		return 0, err
	}
	n, err := query.Count(p.rest, r.kept(k, keep))
	if err == nil {
		err = k.failed()
	}
	return n, err
}

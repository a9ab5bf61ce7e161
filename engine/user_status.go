package engine

import (
	"errors"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/store"
)

// Ends and returns of users: deletion, suspension, lockdown, the end of all
// sessions.

// hardDelete tells whether a deletion is for good, by what the query says and
// otherwise by the API version.
func (r *Request) hardDelete() bool {
	args := r.ctx.QueryArgs()
	switch {
	case string(args.Peek("hard")) == "true":
		return true
	case string(args.Peek("hard")) == "false", string(args.Peek("soft")) == "true":
		return false
	}
	return r.version < 2
}

func (e *Engine) deleteUser(r *Request) error {
	id := r.param(0)
	if err := validID(id); err != nil {
		return err
	}
	in := &removeUser{app: r.app, by: r.actor(), subject: r.subject, id: id, hard: r.hardDelete()}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	e.verified.Drop(id)
	return r.nothing()
}

// deleteUsers removes the active users that the master's query matches. One who
// was changed since the query matched him is matched again.
func (e *Engine) deleteUsers(r *Request) error {
	if len(r.ctx.QueryArgs().Peek("query")) == 0 {
		return errMissingQuery
	}
	q, err := r.filter()
	if err != nil {
		return err
	}
	hard, removed := r.hardDelete(), 0
	err = r.removeFound(func() ([]*entity, error) {
		return r.matching(r.view.collection("user"), q.Filter, q.Meter)
	}, func(ent *entity) intent {
		return &removeUser{app: r.app, by: r.actor(), subject: r.subject, id: ent.id, hard: hard, seen: ent}
	}, func(ent *entity) {
		removed++
		e.verified.Drop(ent.id)
	})
	if err != nil {
		return err
	}
	return r.count(removed)
}

// removeUser suspends a user or deletes him for good.
type removeUser struct {
	app     *app
	by      actor
	subject acl.Subject
	id      string
	hard    bool
	seen    *entity // what a query delete has matched, as in deleteEntity
}

func (*removeUser) frugal() {}

func (in *removeUser) audit() auditLine {
	act := "suspend user"
	if in.hard {
		act = "delete user"
	}
	return auditLine{actor: in.by, Act: act, App: in.app.key, Collection: "user", Item: in.id}
}

func (in *removeUser) plan(d *draft) ([]store.Op, error) {
	_, old, a, err := d.userToWrite(in.app, in.subject, in.id)
	switch {
	case in.seen == nil:
	case errors.Is(err, errUserNotFound), err == nil && a.Suspended != 0:
		return nil, errPassed
	case err == nil && (old.seq != in.seen.seq || old.index != in.seen.index):
		return nil, errChanged
	}
	if err != nil {
		return nil, err
	}
	if !in.hard {
		p := a.privateRow
		if p.Suspended == 0 {
			p.Suspended = d.now
			p.Generation++
		}
		return []store.Op{privateOp(in.app, in.id, &p)}, nil
	}
	ops := []store.Op{
		{Key: store.Key{App: in.app.number, Table: tableEntity, Collection: userCollection, ID: in.id}, Before: old.grants()},
		{Key: store.Key{App: in.app.number, Table: tablePrivate, Collection: userCollection, ID: in.id}},
	}
	d.state(in.app).sessionsOf(in.id, func(n *session) bool {
		ops = append(ops, sessionOp(in.app, n.digest, nil))
		return true
	})
	return ops, nil
}

// restoreUser lets a suspended user back in. His old sessions stay dead.
func (e *Engine) restoreUser(r *Request) error {
	return r.changeStatus(r.param(0), "restore user", func(p *privateRow, _ int64) error {
		p.Suspended = 0
		return nil
	})
}

// endTokens ends every session of a user, the one that asks included.
func (e *Engine) endTokens(r *Request) error {
	id := r.param(0)
	if err := validID(id); err != nil {
		return err
	}
	if _, _, err := userFor(r.view, r.subject, id); err != nil {
		return err
	}
	if !himself(r.subject, id) {
		return fault(errInsufficient, "only the user himself and the master end his sessions")
	}
	return r.changeStatus(id, "end all sessions", func(p *privateRow, _ int64) error {
		p.Generation++
		return nil
	})
}

// lockdownUser keeps a user out, and has his clients remove what they hold of
// him, or lets him go.
func (e *Engine) lockdownUser(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	id, on := doc.Get("userId"), doc.Get("setLockdownStateTo")
	if id.Kind() != document.String || on.Kind() != document.Bool {
		return fault(errMissingParameter, "userId must be a string and setLockdownStateTo true or false")
	}
	locked, act := on.Bool(), "end lockdown"
	if locked {
		act = "lock down user"
	}
	return r.changeStatus(id.Text(), act, func(p *privateRow, now int64) error {
		switch {
		case locked && p.Locked == 0:
			p.Locked = now
		case !locked && p.Locked != 0:
			p.Locked = 0
			p.Generation++ // the sessions from before do not come back
		}
		return nil
	})
}

// changeStatus submits a change of an account that the route's credentials
// allow.
func (r *Request) changeStatus(id, act string, change func(p *privateRow, now int64) error) error {
	if err := validID(id); err != nil {
		return err
	}
	in := &changeAccount{app: r.app, by: r.actor(), act: act, user: id, change: change}
	if err := r.e.committer.submit(r.app, in); err != nil {
		return err
	}
	r.e.verified.Drop(id)
	return r.nothing()
}

package engine

import (
	"time"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/engine/document"
	"postern/engine/store"
)

// operatorSession is how long an operator stays logged in.
const operatorSession = 8 * time.Hour

func opSessionOp(digest auth.Digest, row *sessionRow) store.Op {
	op := store.Op{Key: store.Key{Table: tableOpSession, ID: string(digest[:])}, Quiet: true}
	if row != nil {
		op.Value = encodeRow(row)
	}
	return op
}

// openOperator logs an operator in; closeOperator logs him out.
type openOperator struct {
	by         actor
	email      string
	generation uint64
	digest     auth.Digest
}

func (in *openOperator) audit() auditLine {
	return auditLine{actor: in.by.as("operator " + in.email), Act: "log in", Item: in.email}
}

func (in *openOperator) plan(d *draft) ([]store.Op, error) {
	s := d.systemState()
	o, ok := s.operators.Get(in.email)
	if !ok || o.Generation != in.generation {
		return nil, errCredentials
	}
	ops := []store.Op{opSessionOp(in.digest, &sessionRow{User: in.email, Generation: o.Generation, Created: d.now, LastSeen: d.now})}
	s.sessions.Scan(func(_ string, n *session) bool {
		if d.now-n.Created > operatorSession.Milliseconds() {
			ops = append(ops, opSessionOp(n.digest, nil))
		}
		return len(ops) < maxSessions
	})
	return ops, nil
}

type closeOperator struct {
	by     actor
	email  string
	digest auth.Digest
}

func (*closeOperator) frugal() {}

func (in *closeOperator) audit() auditLine {
	return auditLine{actor: in.by.as("operator " + in.email), Act: "log out", Item: in.email}
}

func (in *closeOperator) plan(*draft) ([]store.Op, error) {
	return []store.Op{opSessionOp(in.digest, nil)}, nil
}

func (e *Engine) operatorLogin(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	o, err := e.knownOperator(r, doc)
	if err != nil {
		return err
	}
	token, digest := auth.NewToken(e.Random())
	if err := e.committer.submit(nil, &openOperator{by: r.actor(), email: o.Email, generation: o.Generation, digest: digest}); err != nil {
		return err
	}
	body := document.AppendQuote([]byte(`{"email":`), o.Email)
	body = document.AppendQuote(append(body, `,"token":`...), token)
	return r.json(fasthttp.StatusOK, append(body, '}'))
}

func (e *Engine) operatorLogout(r *Request) error {
	if r.session == nil {
		return r.nothing()
	}
	if err := e.committer.submit(nil, &closeOperator{by: r.actor(), email: r.operator, digest: r.session.digest}); err != nil {
		return err
	}
	return r.nothing()
}

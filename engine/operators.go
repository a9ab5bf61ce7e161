package engine

import (
	"errors"
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
	by     actor
	proof  operatorProof
	digest auth.Digest
}

func (in *openOperator) audit() auditLine {
	return auditLine{actor: in.by.as("operator " + in.proof.email), Act: "log in", Item: in.proof.email}
}

func (in *openOperator) plan(d *draft) ([]store.Op, error) {
	s := d.systemState()
	ops, err := in.proof.plan(s)
	if err != nil {
		return nil, err
	}
	ops = append(ops, opSessionOp(in.digest, &sessionRow{User: in.proof.email, Generation: in.proof.generation, Created: d.now, LastSeen: d.now}))
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

// An operatorProof is what somebody has shown to be an operator. The commit looks
// whether that is still what it takes.
type operatorProof struct {
	email      string
	generation uint64
	totp       string // the sealed secret of his code, "" without one
	step       int64  // of the code
}

// plan takes the code, so that nobody else can.
func (p *operatorProof) plan(s *systemState) ([]store.Op, error) {
	o, ok := s.operators.Get(p.email)
	switch {
	case !ok || o.Generation != p.generation || o.TOTP != p.totp:
		return nil, errCredentials
	case o.TOTP == "":
		return nil, nil
	case p.step <= o.TOTPStep:
		return nil, errUsedCode
	}
	row := *o
	row.TOTPStep = p.step
	return []store.Op{operatorOp(&row)}, nil
}

// proveOperator checks the e-mail address, the password and, where he has an
// authenticator, the code in the member of that name.
func (e *Engine) proveOperator(r *Request, doc document.Value, codeKey string) (p operatorProof, err error) {
	email, password, err := credentialsIn(doc, "email")
	if err != nil {
		return p, err
	}
	o, known := e.system.Load().operators.Get(email)
	if !known {
		o = &operatorRow{} // costs the same
	}
	// The empty app key is the operators' own plane for the throttle.
	ok, _, err := e.verifyPassword(r, "", email, password, o.Password)
	if err != nil {
		return p, err
	}
	if !ok {
		return p, errCredentials
	}
	p = operatorProof{email: o.Email, generation: o.Generation, totp: o.TOTP}
	if o.TOTP != "" {
		p.step, err = e.verifyCode(r, o, o.TOTP, doc.Get(codeKey))
	}
	return p, err
}

func (e *Engine) operatorLogin(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	proof, err := e.proveOperator(r, doc, "twoFactorToken")
	token, digest := auth.NewToken(e.Random())
	if err == nil {
		err = e.committer.submit(nil, &openOperator{by: r.actor(), proof: proof, digest: digest})
	}
	if errors.Is(err, errCode) {
		return errTwoFactor // as kinvey-cli knows it, which asks for the code then
	}
	if err != nil {
		return err
	}
	body := document.AppendQuote([]byte(`{"email":`), proof.email)
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

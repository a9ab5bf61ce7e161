package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/engine/document"
	"postern/engine/store"
)

// Who operates the server: owners manage the operators, and each his own password. What
// changes what an operator may do ends his sessions, those of the management API, too.

func operatorOp(o *operatorRow) store.Op {
	return store.Op{Key: store.Key{Table: tableOperator, ID: o.Email}, Value: encodeRow(o)}
}

// CreateOperator makes an operator of the server, an owner.
func (e *Engine) CreateOperator(email, password string) error {
	return e.createOperator(byServer, email, password, owner)
}

func (e *Engine) createOperator(by actor, email, password string, role opRole) error {
	if password == "" || !validEmail(email) {
		return fault(errOutOfRange, "an operator needs an e-mail address and a password")
	}
	phc, err := e.hasher.Hash(context.Background(), e.Random(), password)
	if err != nil {
		return fmt.Errorf("hashing the password: %w", err)
	}
	return e.committer.submit(nil, &createOperator{by: by, row: operatorRow{Email: email, Password: phc, Role: role.String()}})
}

// validEmail tells whether an operator may be called so.
func validEmail(email string) bool {
	return email != "" && len(email) <= 254 && utf8.ValidString(email) && !strings.ContainsFunc(email, unicode.IsControl)
}

type createOperator struct {
	by  actor
	row operatorRow
}

func (in *createOperator) audit() auditLine {
	return auditLine{actor: in.by, Act: "create operator", Item: in.row.Email}
}

func (in *createOperator) plan(d *draft) ([]store.Op, error) {
	if _, taken := d.systemState().operators.Get(in.row.Email); taken {
		return nil, fault(errBadRequest, "operator %q exists", in.row.Email)
	}
	row := in.row
	row.Generation = uint64(max(d.now, 1)) // not one that an operator of that name had before
	return []store.Op{operatorOp(&row)}, nil
}

// changeOperator changes an operator. What it ends is what he has open.
type changeOperator struct {
	by         actor
	act, email string
	ends       bool
	change     func(o *operatorRow) error
}

// Ending what somebody can do must not wait for space.
func (*changeOperator) frugal() {}

func (in *changeOperator) audit() auditLine {
	return auditLine{actor: in.by, Act: in.act, Item: in.email}
}

func (in *changeOperator) plan(d *draft) ([]store.Op, error) {
	s := d.systemState()
	old, ok := s.operators.Get(in.email)
	if !ok {
		return nil, errNoOperator
	}
	row := *old
	if err := in.change(&row); err != nil {
		return nil, err
	}
	if row.role() != owner && s.lastOwner(old) {
		return nil, errLastOwner
	}
	var ops []store.Op
	if in.ends {
		row.Generation++
		ops = s.endOperator(in.email)
	}
	return append(ops, operatorOp(&row)), nil
}

type removeOperator struct {
	by    actor
	email string
}

func (*removeOperator) frugal() {}

func (in *removeOperator) audit() auditLine {
	return auditLine{actor: in.by, Act: "delete operator", Item: in.email}
}

func (in *removeOperator) plan(d *draft) ([]store.Op, error) {
	s := d.systemState()
	o, ok := s.operators.Get(in.email)
	switch {
	case !ok:
		return nil, errNoOperator
	case s.lastOwner(o):
		return nil, errLastOwner
	}
	return append(s.endOperator(in.email), store.Op{Key: store.Key{Table: tableOperator, ID: in.email}}), nil
}

var (
	errNoOperator = fault(errUserNotFound, "there is no such operator")
	errLastOwner  = fault(errBadRequest, "this is the last owner: there has to be one")
)

// lastOwner tells whether nobody else is an owner.
func (s *systemState) lastOwner(o *operatorRow) bool {
	others := 0
	s.operators.Scan(func(email string, other *operatorRow) bool {
		if email != o.Email && other.role() == owner {
			others++
		}
		return others == 0
	})
	return o.role() == owner && others == 0
}

// endOperator is what ends every session of an operator.
func (s *systemState) endOperator(email string) (ops []store.Op) {
	s.consoles.Scan(func(_ string, n *session) bool {
		if n.User == email {
			ops = append(ops, consoleOp(n.digest, nil))
		}
		return true
	})
	s.sessions.Scan(func(_ string, n *session) bool {
		if n.User == email {
			ops = append(ops, opSessionOp(n.digest, nil))
		}
		return true
	})
	return ops
}

func (r *Request) changeOperator(email, act string, ends bool, change func(o *operatorRow) error) error {
	return r.e.committer.submit(nil, &changeOperator{by: r.actor(), act: act, email: email, ends: ends, change: change})
}

// describeOperator is an operator as others see him.
func (r *Request) describeOperator(s *systemState, o *operatorRow) []byte {
	n := 0
	s.consoles.Scan(func(_ string, c *session) bool {
		if c.User == o.Email && s.liveConsole(c, r.start) {
			n++
		}
		return true
	})
	s.sessions.Scan(func(_ string, c *session) bool {
		if c.User == o.Email && s.live(c, r.start) {
			n++
		}
		return true
	})
	return new(jsonObject).text("email", o.Email).text("role", o.role().String()).flag("totp", o.TOTP != "").number("sessions", int64(n)).close()
}

func (e *Engine) listOperators(r *Request) error {
	s := e.system.Load()
	var items [][]byte
	s.operators.Scan(func(_ string, o *operatorRow) bool {
		items = append(items, r.describeOperator(s, o))
		return true
	})
	return r.json(fasthttp.StatusOK, jsonList(items))
}

// answerOperator answers with an operator as he is now.
func (r *Request) answerOperator(status int, email string) error {
	s := r.e.system.Load()
	o, ok := s.operators.Get(email)
	if !ok {
		return errNoOperator
	}
	return r.json(status, r.describeOperator(s, o))
}

// operatorIn reads what a request says of an operator. A member that means nothing is
// an error.
func operatorIn(doc document.Value, known ...string) (password string, role opRole, err error) {
	if err := unknownMember(doc, known...); err != nil {
		return "", noRole, err
	}
	if v := doc.Get("role"); v.Kind() != document.Missing {
		var ok bool
		if role, ok = parseRole(v.Text()); !ok || v.Kind() != document.String {
			return "", noRole, fault(errOutOfRange, "role is viewer, editor or owner")
		}
	}
	if v := doc.Get("password"); v.Kind() != document.Missing {
		if password = v.Text(); v.Kind() != document.String {
			return "", noRole, fault(errOutOfRange, "password must be a string")
		}
		if err := goodOperatorPassword(password); err != nil {
			return "", noRole, err
		}
	}
	return password, role, nil
}

// goodOperatorPassword holds operators to what apps ask of their users.
func goodOperatorPassword(password string) error {
	if err := auth.CheckPassword(auth.DefaultPasswordPolicy, password); err != nil {
		return fault(errOutOfRange, "%s", err.Error())
	}
	return nil
}

func (e *Engine) makeOperator(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	email, _, err := credentialsIn(doc, "email")
	if err != nil {
		return err
	}
	password, role, err := operatorIn(doc, "email", "password", "role")
	if err != nil {
		return err
	}
	if role == noRole {
		role = owner
	}
	if err := e.createOperator(r.actor(), email, password, role); err != nil {
		return err
	}
	return r.answerOperator(fasthttp.StatusCreated, email)
}

func (e *Engine) putOperator(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	password, role, err := operatorIn(doc, "password", "role")
	if err != nil {
		return err
	}
	phc, email := "", r.param(0)
	switch {
	case password == "" && role == noRole:
		return fault(errMissingParameter, "there is a role or a password to set")
	case password != "":
		if phc, err = e.hasher.Hash(context.Background(), e.Random(), password); err != nil {
			return err
		}
	}
	err = r.changeOperator(email, "change operator", true, func(o *operatorRow) error {
		if phc != "" {
			o.Password = phc
		}
		if role != noRole {
			o.Role = role.String()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.answerOperator(fasthttp.StatusOK, email)
}

func (e *Engine) removeOperator(r *Request) error {
	if err := e.committer.submit(nil, &removeOperator{by: r.actor(), email: r.param(0)}); err != nil {
		return err
	}
	return r.nothing()
}

// ownAccount is the operator who asks, and what he says. passwordKey is the member that
// repeats his password, for what somebody at his open page is not to do; "": none.
func (e *Engine) ownAccount(r *Request, passwordKey string) (*operatorRow, document.Value, error) {
	doc, err := r.object()
	if err != nil {
		return nil, doc, err
	}
	o, ok := e.system.Load().operators.Get(r.operator)
	if !ok || r.plane == socketPlane {
		return nil, doc, fault(errBadRequest, "this is for an operator who is logged in; see postern operator")
	}
	if passwordKey == "" {
		return o, doc, nil
	}
	given := doc.Get(passwordKey)
	if given.Kind() != document.String {
		return nil, doc, fault(errIncompleteBody, "%s must be a string", passwordKey)
	}
	right, _, err := e.verifyPassword(r, "", o.Email, given.Text(), o.Password)
	if err == nil && !right {
		err = fault(errForbidden, "the password is wrong")
	}
	return o, doc, err
}

// notLoggedOut is the refusal of a code for who is logged in: a 401 would tell him that
// he is not.
func notLoggedOut(err error) error {
	var f *Fault
	if errors.Is(err, errCode) && errors.As(err, &f) {
		return fault(errForbidden, "%s", f.debug)
	}
	return err
}

// putOwnPassword sets the operator's own password and ends all his sessions, this one
// too.
func (e *Engine) putOwnPassword(r *Request) error {
	o, doc, err := e.ownAccount(r, "password")
	if err != nil {
		return err
	}
	next := doc.Get("new")
	if next.Kind() != document.String {
		return fault(errIncompleteBody, "new must be a string")
	}
	if err := goodOperatorPassword(next.Text()); err != nil {
		return err
	}
	phc, err := e.hasher.Hash(context.Background(), e.Random(), next.Text())
	if err != nil {
		return err
	}
	generation := o.Generation
	err = r.changeOperator(o.Email, "change own password", true, func(now *operatorRow) error {
		if now.Generation != generation {
			return errCredentials // changed meanwhile
		}
		now.Password = phc
		return nil
	})
	if err != nil {
		return err
	}
	return r.nothing()
}

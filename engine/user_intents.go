package engine

import (
	"postern/acl"
	"postern/auth"
	"postern/engine/document"
	"postern/engine/store"
)

// maxSessions bounds the sessions of one user; the oldest ends.
const maxSessions = 100

func privateOp(a *app, user string, p *privateRow) store.Op {
	return store.Op{Key: store.Key{App: a.number, Table: tablePrivate, Collection: userCollection, ID: user}, Value: encodeRow(p)}
}

func sessionOp(a *app, digest auth.Digest, row *sessionRow) store.Op {
	op := store.Op{Key: store.Key{App: a.number, Table: tableSession, ID: string(digest[:])}, Quiet: true}
	if row != nil {
		op.Value = encodeRow(row)
	}
	return op
}

// openSession returns the rows of a new session, which begins now, and of the old
// ones of its user that end so that there are not too many.
func openSession(s *appState, a *app, digest auth.Digest, row sessionRow, now int64) []store.Op {
	n, created := 0, now
	s.sessionsOf(row.User, func(old *session) bool {
		n++
		created = max(created, old.Created+1) // which one is the oldest must be clear
		return true
	})
	row.Created, row.LastSeen = created, now
	ops := []store.Op{sessionOp(a, digest, &row)}
	s.sessionsOf(row.User, func(old *session) bool {
		if n < maxSessions {
			return false
		}
		n--
		ops = append(ops, sessionOp(a, old.digest, nil))
		return true
	})
	return ops
}

// usernameFree decides whether a name may be given to a user.
func usernameFree(s *appState, name, user string) error {
	if holder, taken := s.names.Get(name); taken && holder != user {
		return errUserExists
	}
	if s.config.Options.LookAlikes {
		n, _ := s.skeletons.Get(auth.Skeleton(name))
		if a, ok := s.accounts.Get(user); ok && auth.Skeleton(a.Username) == auth.Skeleton(name) {
			n--
		}
		if n > 0 {
			return errUserExists
		}
	}
	return nil
}

// signUp creates a user. The password was hashed by the handler.
type signUp struct {
	app      *app
	by       actor
	id       string
	username string
	phc      string
	members  []byte // with _id and username
	sent     *acl.ACL
	sentText []byte
	session  bool // open one at once
	token    auth.Digest
	login    login
	identity string    // who he is at the identity bridge, verified
	grant    string    // by which he is, "" = a password
	imported *imported // nil: nothing is taken over from elsewhere
	mail     string    // id of a mail that asks him to confirm his address, "" = none

	body []byte // the public form
	row  privateRow
}

func (in *signUp) audit() auditLine {
	return auditLine{actor: in.by, Act: "sign up", App: in.app.key, Collection: "user", Item: in.id}
}

func (in *signUp) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	if err := usernameFree(s, in.username, in.id); err != nil {
		return nil, err
	}
	if _, taken := s.user(in.id); taken {
		return nil, errUserExists
	}
	if _, taken := s.identities.Get(in.identity); taken {
		return nil, errUserExists
	}
	c := s.collection("user")
	grants := acl.ACL{}
	if in.sent != nil {
		grants = *in.sent
	}
	if in.imported == nil || grants.Creator == "" {
		grants.Creator = in.id // a user owns his own record
	}
	ect, lmt := d.now, d.now
	p := &privateRow{Generation: 1}
	if in.imported != nil {
		*p = in.imported.row
		p.Generation = 1
		if in.imported.ect != 0 {
			ect, lmt = in.imported.ect, in.imported.ect
		}
		lmt = max(lmt, in.imported.lmt)
	}
	p.Username, p.Password, p.Identity = in.username, in.phc, in.identity
	e := newEntity(in.id, in.members, acl.Position(c.check.Next), &grants, acl.AppendText(nil, in.sentText, grants.Creator), ect, lmt)
	if len(e.row) > maxRow {
		return nil, fault(errTooLarge, "a user with his _acl has at most %d bytes", maxRow)
	}
	if v := s.config.Options.Verification; v.keepsOut(e.ect) && in.identity == "" && !p.confirmed(emailOf(e)) {
		in.session = false
	}
	if in.session {
		p.LastLogin = d.now
	}
	var mails []store.Op
	if address := emailOf(e); in.mail != "" && address != "" && !p.confirmed(address) && s.outbox.Len() < maxOutbox {
		p.markAsked(toVerify, address, d.now)
		mails = append(mails, outboxOp(in.app, in.mail, &outboxRow{Purpose: toVerify, User: in.id, Created: d.now, Next: d.now}))
	}
	in.body, in.row = e.body(), *p
	ops := append(mails, privateOp(in.app, in.id, p), store.Op{
		Key: store.Key{App: in.app.number, Table: tableEntity, Collection: userCollection, ID: in.id}, Value: e.row,
	})
	if in.session {
		ops = append(ops, openSession(s, in.app, in.token, sessionRow{User: in.id, Generation: p.Generation, Grant: in.grant, login: in.login}, d.now)...)
	}
	more, err := d.loggedIn(in.app, in.grant, in.id, true)
	return append(ops, more...), err
}

// openLogin opens a session for a user whose password was verified at the
// given generation. If that has moved since, he must log in again.
type openLogin struct {
	app        *app
	by         actor
	user       string
	generation uint64
	token      auth.Digest
	grant      string // by which he is logged in, "" = a password
	login      login

	body []byte
	row  privateRow
}

func (in *openLogin) audit() auditLine {
	return auditLine{actor: in.by.as("user " + in.user), Act: "log in", App: in.app.key, Collection: "user", Item: in.user}
}

func (in *openLogin) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	a, ok := s.accounts.Get(in.user)
	e, listed := s.user(in.user)
	if !ok || !listed || a.Suspended != 0 || a.Generation != in.generation {
		return nil, errCredentials
	}
	if err := s.mayEnter(in.user, a); err != nil {
		return nil, err
	}
	p := a.privateRow
	p.LastLogin = d.now
	in.body, in.row = e.body(), p
	ops, err := d.loggedIn(in.app, in.grant, in.user, false)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		if op.Key.Table == tableEntity && op.Key.Collection == userCollection {
			fresh, err := decodeEntity(in.user, op.Value, 0, 0)
			if err != nil {
				return nil, err
			}
			in.body = fresh.body()
		}
	}
	ops = append(ops, openSession(s, in.app, in.token, sessionRow{User: in.user, Generation: p.Generation, Grant: in.grant, login: in.login}, d.now)...)
	return append(ops, privateOp(in.app, in.user, &p)), nil
}

// endSession ends one session.
type endSession struct {
	app    *app
	by     actor
	act    string
	digest auth.Digest

	user string // whose it was
}

func (*endSession) frugal() {}

func (in *endSession) audit() auditLine {
	return auditLine{actor: in.by, Act: in.act, App: in.app.key, Collection: "user", Item: in.user}
}

func (in *endSession) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	n, ok := s.sessions.Get(string(in.digest[:]))
	if !ok {
		return nil, nil // ended by somebody else in the meantime
	}
	in.user = n.User
	ops := []store.Op{sessionOp(in.app, in.digest, nil)}
	if _, service, ok := s.granted(d.systemState(), n.Grant); ok && service.EndOnLogout {
		ops = append(ops, grantOp(in.app, n.Grant, nil))
	}
	return ops, nil
}

// touchSession writes down when a session was last used.
type touchSession struct {
	app    *app
	digest auth.Digest
	seen   int64
}

func (in *touchSession) plan(d *draft) ([]store.Op, error) {
	n, ok := d.state(in.app).sessions.Get(string(in.digest[:]))
	if !ok {
		return nil, nil
	}
	row := n.sessionRow
	row.LastSeen = max(row.LastSeen, in.seen)
	return []store.Op{sessionOp(in.app, in.digest, &row)}, nil
}

// changeAccount is what administrators do to a user: end all his sessions, set
// a password, suspend him or let him back in.
type changeAccount struct {
	app  *app
	by   actor
	act  string
	user string
	// change edits the row; it returns an error or whether anything is to be written.
	change func(p *privateRow, now int64) error
}

// Ending what somebody can do must not wait for space.
func (*changeAccount) frugal() {}

func (in *changeAccount) audit() auditLine {
	return auditLine{actor: in.by, Act: in.act, App: in.app.key, Collection: "user", Item: in.user}
}

func (in *changeAccount) plan(d *draft) ([]store.Op, error) {
	a, ok := d.state(in.app).accounts.Get(in.user)
	if !ok {
		return nil, errUserNotFound
	}
	p := a.privateRow
	if err := in.change(&p, d.now); err != nil {
		return nil, err
	}
	return []store.Op{privateOp(in.app, in.user, &p)}, nil
}

// putUser updates a user's record. A write grant on the record reaches his own
// fields only: name, e-mail address, identity, password and status are changed
// by the user himself and the master.
type putUser struct {
	app     *app
	asked   *Request // see actor; nil: the server
	subject acl.Subject
	id      string
	custom  []byte // members other than those below, as in entityBody
	sent    *acl.ACL
	aclText []byte

	username     string // "" = keep
	email        []byte // JSON text; nil = keep
	phc          string // "" = keep the password
	generation   uint64 // that the requester was verified at, for a change of password
	passwordOnly bool   // nothing but the password changes
	token        auth.Digest
	mint         bool // open a session for the user after a change of password
	login        login
	identity     string // verified, to be linked; "" = keep
	disconnect   bool   // end the link to an identity
	mail         string // id of a mail that asks him to confirm a new address, "" = none

	body  []byte
	after privateRow
}

func (in *putUser) audit() auditLine {
	act := "change user"
	if in.phc != "" {
		act = "change password"
	}
	return auditLine{actor: in.asked.actor(), Act: act, App: in.app.key, Collection: "user", Item: in.id}
}

// himself tells whether the subject may change what makes up an account.
func himself(s acl.Subject, user string) bool {
	return s.Role == acl.RoleMaster || s.Role == acl.RoleUser && s.ID == user
}

// userFor finds a user for somebody. One who is suspended is there for the
// master only, and one who is hidden, in an app that hides, for nobody else.
func userFor(s *appState, subject acl.Subject, id string) (*entity, *account, error) {
	e, ok := s.user(id)
	a, known := s.accounts.Get(id)
	if !ok || !known || a.Suspended != 0 && subject.Role != acl.RoleMaster {
		return nil, nil, errUserNotFound
	}
	if s.config.Options.HideUnreadable && !himself(subject, id) &&
		!acl.Decide(subject, s.collection("user").level, e.acl, acl.Read).Allowed {
		return nil, nil, errUserNotFound
	}
	return e, a, nil
}

// userToWrite finds a user whom the subject, as the draft has him, may change
// or delete. His own record is always his to change, whatever the level says.
func (d *draft) userToWrite(a *app, by acl.Subject, id string) (acl.Subject, *entity, *account, error) {
	subject, err := d.subject(a, by)
	if err != nil {
		return subject, nil, nil, err
	}
	s := d.state(a)
	e, private, err := userFor(s, subject, id)
	if err == nil && !himself(subject, id) {
		_, err = decide(subject, s.collection("user").level, e.acl, acl.Write)
	}
	return subject, e, private, err
}

func (in *putUser) plan(d *draft) ([]store.Op, error) {
	subject, old, a, err := d.userToWrite(in.app, in.subject, in.id)
	if err != nil {
		return nil, err
	}
	s := d.state(in.app)
	p := a.privateRow
	if himself(subject, in.id) {
		if in.username != "" && in.username != p.Username {
			if err := usernameFree(s, in.username, in.id); err != nil {
				return nil, err
			}
			p.Username = in.username
		}
		if in.phc != "" {
			if subject.Role == acl.RoleUser && p.Generation != in.generation {
				return nil, errCredentials // somebody else was faster
			}
			p.Password = in.phc
			p.Generation++
		}
		if in.disconnect {
			p.Identity = ""
		}
		if in.identity != "" {
			if holder, taken := s.identities.Get(in.identity); taken && holder != in.id {
				return nil, errUserExists
			}
			p.Identity = in.identity
		}
	}
	e, err := in.compose(d, s, subject, old, p.Username)
	if err != nil {
		return nil, err
	}
	var ops []store.Op
	if address := emailOf(e); address != emailOf(old) {
		p.Mail = nil // what was asked for and confirmed was about another address
		if in.mail != "" && address != "" && s.outbox.Len() < maxOutbox {
			p.markAsked(toVerify, address, d.now)
			ops = append(ops, outboxOp(in.app, in.mail, &outboxRow{Purpose: toVerify, User: in.id, Created: d.now, Next: d.now}))
		}
	}
	in.after = p
	if p != a.privateRow {
		ops = append(ops, privateOp(in.app, in.id, &p))
	}
	ops = append(ops, store.Op{
		Key:   store.Key{App: in.app.number, Table: tableEntity, Collection: userCollection, ID: in.id},
		Value: e.row, Before: old.grants(),
	})
	if in.mint {
		ops = append(ops, openSession(s, in.app, in.token, sessionRow{User: in.id, Generation: p.Generation, login: in.login}, d.now)...)
	}
	return ops, nil
}

// compose makes the new public form: the members that make up the account as
// the requester may change them, then his own fields as they were sent.
func (in *putUser) compose(d *draft, s *appState, subject acl.Subject, old *entity, username string) (*entity, error) {
	stored := documentOf(old)
	var b entityBody
	appendText := func(key string, text []byte) {
		b.members = append(b.members, ',')
		b.members = document.AppendQuote(b.members, key)
		b.members = append(b.members, ':')
		b.members = append(b.members, text...)
	}
	appendText("username", document.AppendQuote(nil, username))
	email := stored.Get("email").Raw()
	if in.email != nil && himself(subject, in.id) {
		email = in.email
	}
	if email != nil {
		appendText("email", email)
	}
	if in.passwordOnly {
		for key, v := range stored.Members() {
			if !accountMember(key) {
				b.appendMember(key, v)
			}
		}
	} else {
		b.members = append(b.members, in.custom...)
	}
	grants, text := old.acl, old.aclText()
	useSent, decision := acl.Amend(subject, s.collection("user").level, old.acl, in.sent)
	switch {
	case useSent:
		now := *in.sent
		now.Creator = acl.Creator(subject, in.app.key, old.acl, in.sent)
		grants, text = &now, acl.AppendText(nil, in.aclText, now.Creator)
	case in.sent != nil && s.config.Options.StrictACL && !old.acl.SameGrants(in.sent):
		return nil, &denied{verdict: verdict{decision, acl.ChangeACL}, debug: "only the creator changes _acl"}
	}
	e := newEntity(in.id, b.withID(in.id), old.pos, grants, text, old.ect, max(d.now, old.lmt+1))
	if len(e.row) > maxRow {
		return nil, fault(errTooLarge, "a user with his _acl has at most %d bytes", maxRow)
	}
	in.body = e.body()
	if !himself(subject, in.id) && !acl.Decide(subject, s.collection("user").level, e.acl, acl.Read).Allowed {
		// Write does not imply read: what he sent, and who owns it.
		in.body = newEntity(in.id, (&entityBody{members: in.custom}).withID(in.id), old.pos, grants,
			acl.AppendText(nil, nil, grants.Creator), old.ect, e.lmt).body()
	}
	return e, nil
}

// accountMember tells the members of a user that are not custom fields.
func accountMember(key document.Value) bool {
	for _, name := range [...]string{"_id", "_acl", "_kmd", "_socialIdentity", "username", "password", "email"} {
		if key.TextIs(name) {
			return true
		}
	}
	return false
}

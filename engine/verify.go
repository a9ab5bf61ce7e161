package engine

import (
	"slices"
	"strconv"
	"time"

	"postern/acl"
	"postern/auth"
	"postern/engine/document"
	"postern/engine/store"
)

// What a user can ask for by mail: a new password, the confirmation of his
// address, a reminder of his name. Whether he exists shows in no answer: each
// costs the same steps and one record, written for whoever is unknown, too.

func (e *Engine) resetPassword(r *Request) error { return r.askByName(toReset, auth.Reset) }

func (e *Engine) verifyEmail(r *Request) error { return r.askByName(toVerify, auth.Verification) }

// askByName takes a username or an address from the path.
func (r *Request) askByName(p purpose, quota auth.QuotaKind) error {
	if err := r.limit(quota); err != nil {
		return err
	}
	name := r.param(0)
	users := r.view.usersAt(name)
	if id, ok := r.view.names.Get(name); ok {
		users = []string{id}
	}
	return r.ask(&askMail{app: r.app, purpose: p, users: users}, name)
}

// forgotUsername takes an address and sends the names of its users there.
func (e *Engine) forgotUsername(r *Request) error {
	if err := r.limit(auth.Reset); err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	email := doc.Get("email")
	if email.Kind() != document.String {
		return fault(errMissingParameter, "email must be a string")
	}
	in := &askMail{app: r.app, purpose: toUsername}
	for _, user := range r.view.usersAt(email.Text()) {
		if _, _, ok := r.view.reachable(user, toUsername); ok {
			in.users = []string{user} // one mail, whose text names them all
			break
		}
	}
	return r.ask(in, email.Text())
}

// ask queues the mails, as far as the users may be sent any.
func (r *Request) ask(in *askMail, name string) error {
	allowed := func(account string) bool {
		if r.subject.Role == acl.RoleMaster {
			return true
		}
		_, ok := r.e.quota.Allow(unixTime(r.start), r.app.key, account, auth.Mail)
		return ok
	}
	if len(in.users) == 0 {
		allowed("name " + name) // as much work for nobody
	}
	in.users = slices.DeleteFunc(in.users, func(user string) bool { return !allowed("user " + user) })
	in.id = r.e.newMailID()
	if err := r.e.committer.submit(r.app, in); err != nil {
		return err
	}
	r.e.outbox.nudge()
	return r.nothing()
}

// askMail marks what was asked for and queues one mail for each user. If there
// is none, a row is written all the same, which the outbox throws away.
type askMail struct {
	app     *app
	purpose purpose
	users   []string
	id      string
}

func (in *askMail) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	var ops []store.Op
	for i, user := range in.users {
		more, ok := mailOps(s, in.app, in.purpose, user, in.id+"-"+strconv.Itoa(i), d.now)
		if ok && in.purpose != toUsername {
			a, _ := s.accounts.Get(user)
			p := a.privateRow
			p.markAsked(in.purpose, more.address, d.now)
			ops = append(ops, privateOp(in.app, user, &p))
		}
		if ok {
			ops = append(ops, more.op)
		}
	}
	if len(ops) == 0 {
		ops = append(ops, outboxOp(in.app, in.id, &outboxRow{Created: d.now, Next: d.now}))
	}
	return ops, nil
}

// queuedMail is the row of a mail and the address that it is for.
type queuedMail struct {
	op      store.Op
	address string
}

// mailOps queues a mail to a user who can be reached, unless too many wait.
func mailOps(s *appState, a *app, p purpose, user, id string, now int64) (queuedMail, bool) {
	address, _, ok := s.reachable(user, p)
	if !ok || s.outbox.Len() >= maxOutbox {
		return queuedMail{}, false
	}
	return queuedMail{outboxOp(a, id, &outboxRow{Purpose: p, User: user, Created: now, Next: now}), address}, true
}

// markAsked writes down that something was asked for. A confirmed address stays
// confirmed until it changes.
func (p *privateRow) markAsked(what purpose, address string, now int64) {
	if what == toVerify && p.confirmed(address) {
		return
	}
	m := p.mailed()
	m.state(what).Asked = now
	if what == toVerify {
		m.Address = address
	}
	p.Mail = m
}

// issueLink puts a new link in the place of the last one, just before the mail
// with its token is sent.
type issueLink struct {
	app     *app
	purpose purpose
	user    string
	digest  auth.Digest

	address  string // to send it to
	username string
}

func (in *issueLink) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	address, a, ok := s.reachable(in.user, in.purpose)
	if !ok {
		return nil, errUserNotFound // not any more
	}
	in.address, in.username = address, a.Username
	p := a.privateRow
	m := p.mailed()
	m.state(in.purpose).Link = link{
		Digest: in.digest, Generation: p.Generation, Address: address,
		Expires: d.now + in.purpose.lifetime().Milliseconds(),
	}
	p.Mail = m
	return []store.Op{privateOp(in.app, in.user, &p)}, nil
}

// opens finds the user for whom a token from a mail may act. Everything that is
// wrong with it answers the same.
func (s *appState) opens(p purpose, user, token string, now int64) (*account, error) {
	address, a, ok := s.reachable(user, p)
	if !ok || a.Mail == nil {
		return nil, errLink
	}
	l := a.Mail.state(p).Link
	// The digest in constant time, and first: whoever has not got the token
	// learns nothing about the rest.
	if !l.Digest.Matches(token) || l.Generation != a.Generation || l.Address != address || now >= l.Expires {
		return nil, errLink
	}
	return a, nil
}

var errLink = fault(errOutOfRange, "the link is not valid, or not any more")

// redeem does what a link is for, once.
type redeem struct {
	app     *app
	by      actor
	purpose purpose
	user    string
	token   string
	phc     string // the new password
}

func (*redeem) frugal() {}

func (in *redeem) audit() auditLine {
	act := "confirm e-mail address"
	if in.purpose == toReset {
		act = "reset password"
	}
	return auditLine{actor: in.by.as("mail"), Act: act, App: in.app.key, Collection: "user", Item: in.user}
}

func (in *redeem) plan(d *draft) ([]store.Op, error) {
	a, err := d.state(in.app).opens(in.purpose, in.user, in.token, d.now)
	if err != nil {
		return nil, err
	}
	p := a.privateRow
	m := p.mailed()
	if in.purpose == toReset {
		p.Password = in.phc
		p.Generation++ // ends every session, cached password and other link
		m.Reset = mailState{}
	} else {
		m.Address, m.Confirmed = m.Verify.Link.Address, d.now
		m.Verify = mailState{Asked: d.now}
	}
	p.Mail = m
	return []store.Op{privateOp(in.app, in.user, &p)}, nil
}

// newMailID makes an id that sorts by age.
func (e *Engine) newMailID() string {
	return unixTime(e.now()).UTC().Format("20060102150405.000") + "-" + e.newID()
}

// mailText composes a mail. It never holds what a stranger wrote in a place
// where it could pass for ours, save the name of the user himself.
func mailText(p purpose, appName, name, link string) (subject, text string) {
	const ignore = "\nIf you did not ask for this, ignore this message; nothing has changed.\n"
	hello := "Hello " + name + ",\n\n"
	switch p {
	case toReset:
		return "Reset your password for " + appName, hello + "somebody, hopefully you, asked for a new password for " + appName +
			".\nChoose one here within " + span(p) + ":\n\n" + link + "\n" + ignore
	case toVerify:
		return "Confirm your e-mail address for " + appName, hello + "please confirm here within " + span(p) +
			" that this address is yours at " + appName + ":\n\n" + link + "\n" + ignore
	}
	return "Your username for " + appName, "Hello,\n\nat " + appName + " you are known as:\n\n" + name + "\n" + ignore
}

func span(p purpose) string {
	if h := int(p.lifetime() / time.Hour); h != 1 {
		return strconv.Itoa(h) + " hours"
	}
	return "one hour"
}

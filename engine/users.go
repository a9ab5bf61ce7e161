package engine

import (
	"context"
	"errors"
	"math"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/auth"
	"postern/engine/document"
)

// userBody is a user as a client sent him, taken apart.
type userBody struct {
	entityBody        // custom fields, _acl
	username   string // "" when absent, null or empty
	password   string
	email      []byte         // JSON text, nil when absent or null
	social     document.Value // his _socialIdentity, borrowed
	passwords  bool           // there is a password member
	only       bool           // nothing but a password, null or not
}

// readUser takes a user apart. With hashed a password may be an object, which
// is passed over.
func readUser(doc document.Value, hashed bool) (*userBody, error) {
	b := &userBody{only: doc.Len() > 0}
	for key, v := range doc.Members() {
		switch {
		case key.TextIs("username"):
			text, err := textOrNull("username", v)
			if err != nil {
				return nil, err
			}
			b.username = text
		case key.TextIs("password"):
			if hashed && v.Kind() == document.Object {
				continue // see readImport
			}
			text, err := textOrNull("password", v)
			if err != nil {
				return nil, err
			}
			b.password, b.passwords = text, v.Kind() != document.Null
			continue
		case key.TextIs("email"):
			if _, err := textOrNull("email", v); err != nil {
				return nil, err
			}
			if v.Kind() == document.String {
				b.email = append([]byte(nil), v.Raw()...)
			}
		case key.TextIs("_socialIdentity"):
			b.social = v
		case key.TextIs("_acl"):
			if err := b.readACL(v); err != nil {
				return nil, err
			}
		case key.TextIs("_id"):
			if _, err := readID(v); err != nil { // the server's own, but clients echo it
				return nil, err
			}
		case key.TextIs("_kmd"):
			// The server's own, too.
		case key.TextIs("_geoloc"):
			if err := checkPoint(v); err != nil {
				return nil, err
			}
			b.appendMember(key, v)
		default:
			b.appendMember(key, v)
		}
		b.only = false
	}
	return b, nil
}

// textOrNull reads a member that is a string; null reads as "".
func textOrNull(name string, v document.Value) (string, error) {
	switch v.Kind() {
	case document.String:
		return v.Text(), nil
	case document.Null, document.Missing:
		return "", nil
	}
	return "", fault(errOutOfRange, "%s must be a string", name)
}

// acceptable checks a new username and password against what every app asks
// for and the policy of this one.
func (r *Request) acceptable(username, password string) error {
	if username != "" {
		if username == r.app.key {
			return fault(errOutOfRange, "this username is reserved")
		}
		if err := auth.CheckUsername(username); err != nil {
			return fault(errOutOfRange, "%s", err.Error())
		}
	}
	if password != "" {
		policy := auth.PasswordPolicy{}
		if r.view.config.Options.PasswordPolicy {
			policy = auth.DefaultPasswordPolicy
		}
		if err := auth.CheckPassword(policy, password); err != nil {
			return fault(errOutOfRange, "%s", err.Error())
		}
	}
	return nil
}

// limit asks the quota of what the app secret alone can do.
func (r *Request) limit(kind auth.QuotaKind) error {
	network := r.network()
	if network == "" || r.subject.Role == acl.RoleMaster {
		return nil
	}
	app := "" // the app is not always known yet: then the network alone counts
	if r.app != nil {
		app = r.app.key
	}
	wait, ok := r.e.quota.Allow(unixTime(r.start), app, network, kind)
	if !ok {
		r.e.metrics.throttled.Inc()
		return slow(errTooManyRequests, int(math.Ceil(wait.Seconds())))
	}
	return nil
}

func (e *Engine) signUp(r *Request) error {
	if err := r.limit(auth.SignUp); err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	b, err := readUser(doc, r.importing())
	if err != nil {
		return err
	}
	if err := r.acceptable(b.username, b.password); err != nil {
		return err
	}
	in := &signUp{app: r.app, by: r.actor(), id: e.newID(), username: b.username, sent: b.acl, sentText: b.aclText, session: r.version < 6}
	if r.importing() {
		if in.imported, err = readImport(doc, text(b.email)); err != nil {
			return err
		}
		if in.imported.id != "" {
			in.id = in.imported.id
		}
		in.phc, in.session = in.imported.phc, false
	}
	claim, err := claims(b.social)
	if err != nil {
		return err
	}
	if claim.Kind() == document.Object {
		if in.identity, in.grant, err = r.verifyIdentity(claim); err != nil {
			return err
		}
		if _, known := r.grantedUser(in.grant); known {
			return errUserExists
		}
		b.password = ""
	}
	if in.username == "" {
		in.username = e.newUUID()
	}
	password := b.password
	switch {
	case in.phc != "", in.identity != "":
		// He is known by what he brings, and has no password that we could show.
	case password == "":
		password = auth.NewSecret(e.Random())
		in.phc = auth.HashGenerated(password)
	default:
		if _, taken := r.view.names.Get(in.username); taken {
			return errUserExists // known before the costly hash; decided again in the commit
		}
		if in.phc, err = e.hasher.Hash(context.Background(), e.Random(), password); err != nil {
			return err
		}
	}
	var own entityBody
	own.members = append(own.members, `,"username":`...)
	own.members = document.AppendQuote(own.members, in.username)
	if b.email != nil {
		own.members = append(append(own.members, `,"email":`...), b.email...)
	}
	own.members = append(own.members, b.members...)
	own.setFields(r.grantedFields(in.grant))
	in.members = own.withID(in.id)
	if r.plane == consolePlane { // a browser gets nobody's token, and no password that it has not asked for
		in.session = false
		if b.password != "" {
			password = ""
		}
	}
	return r.answerSignUp(in, password)
}

// answerSignUp submits a sign-up and answers with the new user: the one answer
// that carries a password.
func (r *Request) answerSignUp(in *signUp, password string) error {
	if in.id == r.app.key {
		return fault(errIdentifier, "a user cannot have the app key as his _id")
	}
	token := ""
	if in.session {
		token, in.token = auth.NewToken(r.e.Random())
	}
	in.login = r.login("signup")
	if in.identity != "" {
		in.login = r.login(r.provider(in.grant))
	}
	if r.view.config.Options.Verification.Auto {
		in.mail = r.e.newMailID()
	}
	if err := r.e.committer.submit(r.app, in); err != nil {
		return err
	}
	if in.mail != "" {
		r.e.outbox.nudge()
	}
	if !in.session {
		token = "" // the commit has decided that there is none yet
	}
	body := accountForm(r.app.key, token, in.body, &in.row)
	if password != "" {
		body = append(body[:len(body)-1], `,"password":`...)
		body = append(document.AppendQuote(body, password), '}')
	}
	r.location("user", in.id)
	return r.json(fasthttp.StatusCreated, body)
}

// text returns what a JSON string says, "" for none.
func text(raw []byte) string {
	if raw == nil {
		return ""
	}
	return document.Trusted(raw).Text()
}

// credentialsIn reads the name and password of a login.
func credentialsIn(doc document.Value, nameKey string) (name, password string, err error) {
	n, p := doc.Get(nameKey), doc.Get("password")
	if n.Kind() != document.String || p.Kind() != document.String {
		return "", "", fault(errIncompleteBody, "%s and password must be strings", nameKey)
	}
	return n.Text(), p.Text(), nil
}

func (e *Engine) login(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	if s := doc.Get("_socialIdentity"); s.Kind() == document.Object && s.Len() > 0 {
		return e.loginByIdentity(r, s)
	}
	name, password, err := credentialsIn(doc, "username")
	if err != nil {
		return err
	}
	id, err := e.checkPassword(r, name, password)
	if err != nil {
		return err
	}
	a, _ := r.view.accounts.Get(id)
	return r.openSession(id, a, "", "password")
}

// openSession logs in a user who was verified as of the account, by a grant or
// by his password: "".
func (r *Request) openSession(id string, a *account, grant, source string) error {
	in := &openLogin{app: r.app, by: r.actor(), user: id, generation: a.Generation, grant: grant, login: r.login(source)}
	token, digest := auth.NewToken(r.e.Random())
	in.token = digest
	if err := r.e.committer.submit(r.app, in); err != nil {
		return err
	}
	if g, ok := r.view.grants.Get(grant); ok && in.row.Identity == "" {
		in.row.Identity = g.identity() // of a local service: a client refreshes only what it is told of
	}
	return r.json(fasthttp.StatusOK, accountForm(r.app.key, token, in.body, &in.row))
}

func (e *Engine) logout(r *Request) error {
	if r.session == nil {
		return r.nothing() // a Basic header opens no session
	}
	in := &endSession{app: r.app, by: r.actor(), act: "log out", digest: r.session.digest}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	return r.nothing()
}

func (e *Engine) me(r *Request) error {
	ent, ok := r.view.user(r.subject.ID)
	if !ok {
		return errCredentials
	}
	a, _ := r.view.accounts.Get(r.subject.ID)
	token := r.token()
	if r.version >= 6 {
		token = ""
	}
	return r.json(fasthttp.StatusOK, accountForm(r.app.key, token, ent.body(), &a.privateRow))
}

func (e *Engine) getUser(r *Request) error {
	id := r.param(0)
	if err := validID(id); err != nil {
		return err
	}
	ent, a, err := userFor(r.view, r.subject, id)
	if err != nil {
		return err
	}
	if himself(r.subject, id) {
		return r.json(fasthttp.StatusOK, accountForm(r.app.key, "", ent.body(), &a.privateRow))
	}
	if err := r.decide(r.view.collection("user").level, ent.acl, acl.Read); err != nil {
		return err
	}
	return r.immutable(fasthttp.StatusOK, ent.body())
}

func (e *Engine) listUsers(r *Request) error { return r.list(r.view.collection("user")) }

func (e *Engine) countUsers(r *Request) error { return r.countVisible(r.view.collection("user")) }

func (e *Engine) putUser(r *Request) error {
	id := r.param(0)
	if err := validID(id); err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	b, err := readUser(doc, false)
	if err != nil {
		return err
	}
	in := &putUser{
		app: r.app, asked: r, subject: r.subject, id: id, custom: b.members, sent: b.acl, aclText: b.aclText,
		username: b.username, email: b.email, passwordOnly: b.only,
	}
	token := r.token()
	if b.passwords {
		if _, _, err := userFor(r.view, r.subject, id); err != nil {
			return err
		}
		if !himself(r.subject, id) {
			return fault(errInsufficient, "only the user himself and the master change a password")
		}
		if b.password == "" {
			return fault(errOutOfRange, "a password cannot be empty")
		}
		changed, err := r.newPassword(in, b.password)
		if err != nil {
			return err
		}
		if changed && r.subject.Role == acl.RoleUser {
			token, in.token = auth.NewToken(e.Random())
			in.mint, in.login = true, r.login("password")
		}
	}
	if himself(r.subject, id) {
		if err := r.acceptable(in.username, ""); err != nil {
			return err
		}
		if err := r.connect(in, b.social); err != nil {
			return err
		}
	}
	if r.view.config.Options.Verification.Auto {
		in.mail = e.newMailID()
	}
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	if in.phc != "" {
		e.verified.Drop(id)
	}
	if in.mail != "" {
		e.outbox.nudge()
	}
	if r.subject.Role == acl.RoleMaster {
		token = "" // a user's token is for himself
	}
	if himself(r.subject, id) {
		return r.json(fasthttp.StatusOK, accountForm(r.app.key, token, in.body, &in.after))
	}
	return r.json(fasthttp.StatusOK, in.body)
}

// connect reads what an update says of the user's identities. One that was
// verified is linked, null ends the link. What clients echo carries no proof,
// so it changes nothing.
func (r *Request) connect(in *putUser, social document.Value) error {
	if social.Kind() != document.Object {
		return nil
	}
	var err error
	for key, v := range social.Members() {
		switch {
		case v.Kind() == document.Null && key.TextIs(bridge):
			in.disconnect = true
		case v.Get("access_token").Kind() != document.String:
			// Nothing to verify.
		case !key.TextIs(bridge):
			err = errors.Join(err, fault(errConfiguration, "no such identity provider is configured for this app"))
		default:
			// Not InvalidCredentials: his session is as good as before.
			handle := ""
			if in.identity, handle, err = r.verifyIdentity(v); err != nil && errors.Is(err, errCredentials) {
				err = fault(errOutOfRange, "the identity could not be verified")
			}
			if g, ok := r.view.grants.Get(handle); ok && g.Local {
				// That is an account here already, and no more than that.
				if id, _ := r.grantedUser(handle); id != in.id {
					err = fault(errOutOfRange, "the identity is another user's")
				}
				in.identity = ""
			}
		}
	}
	return err
}

// newPassword hashes a password that a user is to get. A client that echoes
// the one he has changes nothing.
func (r *Request) newPassword(in *putUser, password string) (changed bool, err error) {
	a, ok := r.view.accounts.Get(in.id)
	if !ok {
		return false, errUserNotFound
	}
	if a.Password == "" {
		// He comes from a directory; disabling him there must be enough.
		return false, fault(errOutOfRange, "this user logs in elsewhere and has no password here")
	}
	if err := r.acceptable("", password); err != nil {
		return false, err
	}
	// Not in the lane that is kept for logins: who is logged in may ask often.
	same, _, err := r.e.hasher.Verify(context.Background(), a.Password, password, false)
	if err != nil || same {
		return false, err
	}
	in.generation = a.Generation
	in.phc, err = r.e.hasher.Hash(context.Background(), r.e.Random(), password)
	return err == nil, err
}

// raiseCost stores a password anew after the parameters were raised. The
// generation stays: nothing changed for the user.
func (e *Engine) raiseCost(r *Request, id string, generation uint64, password string) {
	a := r.app
	e.background(func() {
		phc, err := e.hasher.Hash(context.Background(), e.Random(), password)
		if err != nil {
			return // busy: the next login will do
		}
		err = e.committer.submit(a, &changeAccount{app: a, by: byServer, act: "rehash password", user: id,
			change: func(p *privateRow, _ int64) error {
				if p.Generation != generation {
					return errCredentials // changed in the meantime
				}
				p.Password = phc
				return nil
			}})
		if err != nil && !errors.Is(err, errCredentials) {
			e.config.Logger.Warn("storing a rehashed password", "error", err)
		}
	})
}

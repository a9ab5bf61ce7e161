package engine

import (
	"context"
	"math"
	"unsafe"

	"postern/acl"
	"postern/auth"
)

// authenticate finds out who asks and whether the route takes such
// credentials. It is the only place where a request gets its subject. Routes
// for anyone do not come here.
func (r *Request) authenticate() error {
	switch r.plane {
	case consolePlane:
		return r.byConsole()
	case socketPlane: // whoever can open it owns the data
		r.operator = "socket"
		r.subject = acl.Subject{Role: acl.RoleMaster}
		r.principals = acl.PrincipalsOf(r.subject)
		return nil
	}
	if err := r.present(); err != nil {
		return err
	}
	if r.operator != "" {
		return nil // byToken gives this only where the route takes operators
	}
	if !r.route.allow.takes(r.subject.Role) {
		return fault(errInsufficient, "%s", wrongRole(r.route.allow))
	}
	return nil
}

// present takes the credentials of the request.
func (r *Request) present() error {
	header := r.ctx.Request.Header.Peek("Authorization")
	if token, ok := auth.SessionToken(header); ok {
		return r.byToken(auth.TokenDigest(token))
	}
	cred, err := auth.ParseAuthorization(header)
	switch {
	case err != nil:
		return fault(errCredentials, "malformed Authorization header")
	case cred.Scheme != auth.Basic:
		return fault(errCredentials, "the request carries no credentials")
	case r.app == nil:
		return errCredentials
	}
	return r.basic(cred.Name, cred.Password)
}

// token returns the token by which the request was authenticated, "" when it
// was by something else.
func (r *Request) token() string {
	if r.session == nil {
		return ""
	}
	token, _ := auth.SessionToken(r.ctx.Request.Header.Peek("Authorization"))
	return string(token)
}

func wrongRole(a allow) string {
	switch {
	case a == asOperator:
		return "this needs an operator of the server"
	case a&asUser != 0 && a&asMaster != 0:
		return "this needs an end user of the app or the master secret"
	case a&asUser != 0:
		return "this needs an end user of the app"
	case a&asMaster != 0 && a&asApp == 0:
		return "this needs the master secret"
	}
	return "this needs the app secret or the master secret"
}

// basic takes a Basic header: the app key with one of its secrets, or a user's
// name and password. A user cannot have the app key as his name.
func (r *Request) basic(name, password string) error {
	if name != r.app.key {
		id, err := r.e.checkPassword(r, name, password)
		if err != nil {
			return err
		}
		r.setUser(id)
		return nil
	}
	role := acl.RoleNone
	// Both lists are always walked, so that the time tells nothing.
	if matches(r.view.config.AppSecrets, password, r.start) {
		role = acl.RoleApp
	}
	if matches(r.view.config.MasterSecrets, password, r.start) {
		role = acl.RoleMaster
	}
	if role == acl.RoleNone && r.e.derivedMaster(r.app.key, password, r.start) {
		role = acl.RoleMaster
	}
	if role == acl.RoleNone {
		r.e.sample(sampleSecret, r, func(r *Request) auditLine { return r.refused("neither the app secret nor the master secret") })
		return errCredentials
	}
	r.subject = acl.Subject{Role: role}
	r.principals = acl.PrincipalsOf(r.subject)
	if role == acl.RoleMaster {
		r.e.sample(sampleMaster, r, (*Request).askedFor)
	}
	return nil
}

func matches(secrets []secret, given string, now int64) bool {
	found := false
	for _, s := range secrets {
		ok := s.Digest.Matches(given) // constant time: the caller is not yet trusted
		if ok && (s.Until == 0 || now < s.Until) {
			found = true
		}
	}
	return found
}

func (r *Request) setUser(id string) {
	r.subject, r.principals = r.view.subject(id)
}

// byToken takes a session token: of a user of this app, or of an operator
// where the route takes operators. The two are looked up in different places,
// so neither is ever taken for the other.
func (r *Request) byToken(digest auth.Digest) error {
	r.digest = digest
	key := unsafe.String(&r.digest[0], len(r.digest)) // for the lookups below, which keep nothing
	if r.route.allow&asOperator != 0 {
		st := r.e.system.Load()
		if n, ok := st.sessions.Get(key); ok && st.live(n, r.start) {
			r.operator = n.User
			r.session = n
			if o := st.roleOf(n.User); o < r.route.role {
				return fault(errInsufficient, "the role %s may not do this", o)
			}
			r.subject = acl.Subject{Role: acl.RoleMaster}
			r.principals = acl.PrincipalsOf(r.subject)
			return nil
		}
	}
	if r.app == nil {
		return errCredentials
	}
	if r.version == 0 {
		return fault(errFeature, "session authentication needs API version 1 or higher")
	}
	n, ok := r.view.sessions.Get(key)
	if !ok || !r.view.live(n, r.start) {
		if ok && r.view.lockedDown(n) {
			return errLockedDown // on which clients remove what they hold of him
		}
		return fault(errCredentials, "Unable to validate the authorization token included in the request")
	}
	r.session = n
	r.setUser(n.User)
	r.e.touch(r.app, n, r.start)
	return nil
}

// checkPassword verifies a user's name and password for a login or a Basic
// header. A name that does not exist, a wrong password and a suspended user
// cost the same and answer the same.
func (e *Engine) checkPassword(r *Request, name, password string) (id string, err error) {
	view := r.view
	if id, generation, ok := e.verified.Get(r.app.key, name, password, unixTime(r.start)); ok {
		a, exists := view.accounts.Get(id)
		if exists && a.Suspended == 0 && a.Generation == generation && a.Username == name {
			return id, view.mayEnter(id, a)
		}
	}
	id, exists := view.names.Get(name)
	var a *account
	if exists {
		a, exists = view.accounts.Get(id)
	}
	phc := ""
	if exists && a.Suspended == 0 {
		phc = a.Password
	}
	ok, rehash, err := e.verifyPassword(r, r.app.key, name, password, phc)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errCredentials
	}
	if rehash {
		e.raiseCost(r, id, a.Generation, password)
	}
	e.verified.Put(r.app.key, name, password, id, a.Generation, unixTime(r.start))
	return id, view.mayEnter(id, a)
}

// verifyPassword is the one way to an Argon2 computation on behalf of a
// stranger: admitted by the throttle first, so that junk cannot fill the queue
// that logins wait in. An empty phc is an account that does not exist; it
// costs the same.
func (e *Engine) verifyPassword(r *Request, app, account, password, phc string) (ok, rehash bool, err error) {
	now, network := unixTime(r.start), r.network()
	limited := network != ""
	known := true
	if limited {
		wait, admitted := e.throttle.Admit(now, app, account, network)
		if !admitted {
			e.metrics.throttled.Inc()
			return false, false, slow(errTooManyRequests, int(math.Ceil(wait.Seconds())))
		}
		known = e.throttle.Known(now, app, account, network)
	}
	ok, rehash, err = e.hasher.Verify(context.Background(), phc, password, known)
	if err == nil && !ok {
		e.sample(sampleLogin, r, func(*Request) auditLine {
			l := auditLine{Act: "failed login"}
			if phc != "" { // else it may be anything, a password in the wrong field, too
				l.Item = account
			}
			return l
		})
	}
	if limited {
		switch {
		case err != nil:
			e.throttle.Undo(now, app, account, network)
		case ok:
			e.throttle.Succeeded(now, app, account, network)
		default:
			e.throttle.Failed(now, app, account, network)
		}
	}
	return ok, rehash, err
}

// touch remembers that a session was used and writes it down now and then, if
// the app ends idle sessions at all.
func (e *Engine) touch(a *app, n *session, now int64) {
	n.seen.Store(now)
	idle := a.view.Load().config.Options.SessionIdle
	if idle <= 0 {
		return
	}
	if now-n.LastSeen > max(idle.Milliseconds()/10, 1000) && n.saving.CompareAndSwap(false, true) {
		e.background(func() { _ = e.committer.submit(a, &touchSession{app: a, digest: n.digest, seen: now}) })
	}
}

package engine

import (
	"errors"

	"postern/engine/document"
	"postern/engine/store"
)

// ErrNotVerified is the answer of an IdentityVerifier to a claim that it has
// looked at and does not believe.
var ErrNotVerified = errors.New("the identity could not be verified")

// An IdentityVerifier says who a client is at the identity bridge, the provider
// kinveyAuth. claim is the JSON object that the client sent, borrowed; the
// subject that it proves to be is 1 to 256 bytes of UTF-8 and stays the same
// for as long as the account does. Of the claim itself nothing is kept.
//
// Errors: ErrNotVerified, or that the verifier could not find out.
type IdentityVerifier interface {
	VerifyIdentity(app string, claim []byte) (subject string, err error)
}

// bridge is the one provider whose claims can be verified.
const bridge = "kinveyAuth"

// claims takes a _socialIdentity apart: the claim at the bridge (Missing when
// it has none, Null when the client wants to be rid of it). Another provider
// that it says something about is none that this server could ask.
func claims(social document.Value) (claim document.Value, err error) {
	if social.Kind() != document.Object {
		return document.Value{}, nil
	}
	for key, v := range social.Members() {
		switch {
		case key.TextIs(bridge):
			claim = v
		case v.Kind() != document.Null:
			err = errors.Join(err, fault(errConfiguration, "no such identity provider is configured for this app"))
		}
	}
	return claim, err
}

// verifyIdentity returns whom a claim proves a client to be. It never believes
// the client: what counts is an access token that this server has granted to this
// app, or what a verifier says; without either nothing is verified. handle is that
// of the grant, "" when it was a verifier.
func (r *Request) verifyIdentity(claim document.Value) (subject, handle string, err error) {
	if claim.Kind() == document.Object {
		if token := claim.Get("access_token"); token.Kind() == document.String {
			if h, _, ok := r.view.access(token.Text(), r.start); ok {
				if g, _, ok := r.view.granted(r.e.system.Load(), string(h)); ok {
					return g.identity(), string(h), nil
				}
			}
		}
	}
	v := r.e.config.Identities
	err = ErrNotVerified
	if v != nil && claim.Kind() == document.Object {
		subject, err = v.VerifyIdentity(r.app.key, claim.Raw())
	}
	if err == nil && (subject == "" || len(subject) > 256) {
		err = ErrNotVerified
	}
	if errors.Is(err, ErrNotVerified) {
		return "", "", fault(errCredentials, "Error encountered authenticating against kinveyAuth: %s", err)
	}
	return subject, "", err
}

// loginByIdentity logs in who has an account already. Others are told 404, on
// which clients sign up; from API version 6 on, where a sign-up opens no
// session, the account is made here.
func (e *Engine) loginByIdentity(r *Request, social document.Value) error {
	claim, err := claims(social)
	if err != nil {
		return err
	}
	subject, handle, err := r.verifyIdentity(claim)
	if err != nil {
		return err
	}
	id, ok := r.view.identities.Get(subject)
	if handle != "" {
		id, ok = r.grantedUser(handle)
	}
	if !ok {
		if r.version < 6 {
			return errUserNotFound
		}
		in := &signUp{app: r.app, by: r.actor(), id: e.newID(), username: e.newUUID(), identity: subject, grant: handle, session: true}
		var own entityBody
		own.members = document.AppendQuote(append(own.members, `,"username":`...), in.username)
		own.appendFields(r.grantedFields(handle))
		in.members = own.withID(in.id)
		return r.answerSignUp(in, "")
	}
	a, ok := r.view.accounts.Get(id)
	if !ok || a.Suspended != 0 {
		return errCredentials
	}
	if a.Locked != 0 {
		return errLockedDown
	}
	return r.openSession(id, a, handle, r.provider(handle))
}

// linked tells whether a user is somebody at an identity provider. One who signed up
// by it has no password here anyway.
func (s *appState) linked(user string) bool {
	a, ok := s.accounts.Get(user)
	return ok && a.Identity != ""
}

// granted finds the grant with a handle and the service that it is of.
func (s *appState) granted(system *systemState, handle string) (*micGrant, *authService, bool) {
	g, ok := s.grants.Get(handle)
	if !ok {
		return nil, nil, false
	}
	service, err := system.service(s.config, g.Service)
	return g, service, err == nil && (!g.Local || service.local())
}

// grantedUser finds the user that a grant is of.
func (r *Request) grantedUser(handle string) (id string, ok bool) {
	g, _, ok := r.view.granted(r.e.system.Load(), handle)
	if !ok {
		return "", false
	}
	return r.view.userOf(g)
}

// grantedFields are the members of a new user's record that his provider sets.
func (r *Request) grantedFields(handle string) map[string][]byte {
	g, service, ok := r.view.granted(r.e.system.Load(), handle)
	if !ok {
		return nil
	}
	return service.Mapping.fields(g.Attributes)
}

// loggedIn returns the rows that a login by a grant brings with it, and refuses
// one that the grant, or its service, has not outlived, or whose user is not the
// one that the grant is of: what it was when the request came may have changed. first
// says that the user is new.
func (d *draft) loggedIn(a *app, handle, user string, first bool) ([]store.Op, error) {
	if handle == "" {
		return nil, nil
	}
	g, service, ok := d.state(a).granted(d.systemState(), handle)
	if !ok || d.now >= g.AccessUntil {
		return nil, errCredentials
	}
	if owner, known := d.state(a).userOf(g); known == first || known && owner != user {
		return nil, errCredentials
	}
	return d.mapped(a, user, service, g, first)
}

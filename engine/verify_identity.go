package engine

import (
	"errors"

	"postern/engine/document"
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
// the client: without a verifier nothing is verified.
func (r *Request) verifyIdentity(claim document.Value) (subject string, err error) {
	v := r.e.config.Identities
	err = ErrNotVerified
	if v != nil && claim.Kind() == document.Object {
		subject, err = v.VerifyIdentity(r.app.key, claim.Raw())
	}
	if err == nil && (subject == "" || len(subject) > 256) {
		err = ErrNotVerified
	}
	if errors.Is(err, ErrNotVerified) {
		return "", fault(errCredentials, "Error encountered authenticating against kinveyAuth: %s", err)
	}
	return subject, err
}

// loginByIdentity logs in who has an account already. Others are told 404, on
// which clients sign up; from API version 6 on, where a sign-up opens no
// session, the account is made here.
func (e *Engine) loginByIdentity(r *Request, social document.Value) error {
	claim, err := claims(social)
	if err != nil {
		return err
	}
	subject, err := r.verifyIdentity(claim)
	if err != nil {
		return err
	}
	id, ok := r.view.identities.Get(subject)
	if !ok {
		if r.version < 6 {
			return errUserNotFound
		}
		in := &signUp{app: r.app, id: e.newID(), username: e.newUUID(), identity: subject, session: true}
		var own entityBody
		own.members = document.AppendQuote(append(own.members, `,"username":`...), in.username)
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
	return r.openSession(id, a)
}

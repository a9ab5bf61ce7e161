package engine

import (
	"math"

	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/engine/document"
)

// An operator may have an authenticator: then a login takes his password and a code.
// The secret they share is sealed, a code is taken once, and codes are guessed no
// faster than passwords are.

// errUsedCode and the others say the same thing to who has the password: show a code.
var (
	errNoCode    = fault(errCode, "the code of your authenticator goes with the password")
	errWrongCode = fault(errCode, "the code is not the right one")
	errUsedCode  = fault(errCode, "the code is not the right one: each is taken once")
)

// codePlane is the throttle's name for codes. With the right password an account's own
// count begins anew.
const codePlane = "\x00code"

// totpPurpose is what a secret is sealed for: this operator's.
func (o *operatorRow) totpPurpose() string { return "totp of operator " + o.Email }

// verifyCode checks a code against a sealed secret of the operator, which is the one
// that he has or the one that he is about to have.
func (e *Engine) verifyCode(r *Request, o *operatorRow, sealed string, code document.Value) (step int64, err error) {
	if code.Kind() != document.String || code.Text() == "" {
		return 0, errNoCode
	}
	if e.config.SealKey == nil {
		return 0, errNoSealKey
	}
	secret, err := e.config.SealKey.Open(o.totpPurpose(), sealed)
	if err != nil {
		return 0, fault(errConfiguration, "the secret of the authenticator does not open with this server's key; postern operator totp-off takes it away")
	}
	now, network := unixTime(r.start), r.network()
	if network != "" {
		wait, admitted := e.throttle.Admit(now, codePlane, o.Email, network)
		if !admitted {
			e.metrics.throttled.Inc()
			return 0, slow(errTooManyRequests, int(math.Ceil(wait.Seconds())))
		}
	}
	step, ok := auth.TOTPStep(secret, code.Text(), now)
	if ok && step <= o.TOTPStep {
		ok, err = false, errUsedCode
	} else if !ok {
		err = errWrongCode
	}
	if !ok {
		e.sample(sampleLogin, r, func(*Request) auditLine { return auditLine{Act: "failed login", Item: o.Email} })
	}
	if network != "" {
		if ok {
			e.throttle.Succeeded(now, codePlane, o.Email, network)
		} else {
			e.throttle.Failed(now, codePlane, o.Email, network)
		}
	}
	return step, err
}

// beginTOTP makes a secret for the operator's authenticator and shows it, once. It is
// asked for when he has shown a code of it (confirmTOTP).
func (e *Engine) beginTOTP(r *Request) error {
	o, _, err := e.ownAccount(r, "password")
	if err != nil {
		return err
	}
	switch {
	case o.TOTP != "":
		return fault(errBadRequest, "there is an authenticator; end that first")
	case e.config.SealKey == nil:
		return errNoSealKey
	}
	secret := auth.NewTOTP(e.Random())
	sealed, err := e.config.SealKey.Seal(e.Random(), o.totpPurpose(), secret)
	if err != nil {
		return err
	}
	err = r.changeOperator(o.Email, "begin an authenticator", false, func(now *operatorRow) error {
		if now.TOTP != "" {
			return fault(errBadRequest, "there is an authenticator; end that first")
		}
		now.TOTPPending = sealed
		return nil
	})
	if err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, new(jsonObject).text("secret", secret).text("uri", auth.TOTPURI("Postern", o.Email, secret)).close())
}

// confirmTOTP has the secret asked for from now on.
func (e *Engine) confirmTOTP(r *Request) error {
	o, doc, err := e.ownAccount(r, "")
	if err != nil {
		return err
	}
	pending := o.TOTPPending
	if pending == "" {
		return fault(errBadRequest, "no authenticator was begun")
	}
	step, err := e.verifyCode(r, o, pending, doc.Get("code"))
	if err != nil {
		return notLoggedOut(err)
	}
	err = r.changeOperator(o.Email, "turn an authenticator on", false, func(now *operatorRow) error {
		if now.TOTPPending != pending {
			return fault(errBadRequest, "another authenticator was begun meanwhile")
		}
		now.TOTP, now.TOTPPending, now.TOTPStep = pending, "", step
		return nil
	})
	if err != nil {
		return err
	}
	return r.nothing()
}

// endTOTP takes the authenticator away, for who has it and the password.
func (e *Engine) endTOTP(r *Request) error {
	o, doc, err := e.ownAccount(r, "password")
	if err != nil {
		return err
	}
	if o.TOTP == "" {
		return fault(errBadRequest, "there is no authenticator")
	}
	step, err := e.verifyCode(r, o, o.TOTP, doc.Get("code"))
	if err != nil {
		return notLoggedOut(err)
	}
	err = r.changeOperator(o.Email, "turn an authenticator off", false, func(now *operatorRow) error {
		if now.TOTP != o.TOTP || step <= now.TOTPStep {
			return fault(errForbidden, "%s", errUsedCode.debug)
		}
		now.TOTP, now.TOTPPending, now.TOTPStep = "", "", 0
		return nil
	})
	if err != nil {
		return err
	}
	return r.nothing()
}

// dropTOTP takes the authenticator of another away, who has lost it. His sessions end:
// he comes back with his password alone.
func (e *Engine) dropTOTP(r *Request) error {
	err := r.changeOperator(r.param(0), "turn an authenticator off", true, func(now *operatorRow) error {
		if now.TOTP == "" && now.TOTPPending == "" {
			return fault(errBadRequest, "there is no authenticator")
		}
		now.TOTP, now.TOTPPending, now.TOTPStep = "", "", 0
		return nil
	})
	if err != nil {
		return err
	}
	return r.nothing()
}

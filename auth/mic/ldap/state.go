package ldap

import (
	"strconv"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

// What is said of accounts.
const (
	disabled   = "the account is disabled"
	expired    = "the account has expired"
	locked     = "the account is locked"
	mustChange = "the password must be changed first"
	oldSecret  = "the password has expired"
	notNow     = "the account may not log in at this time"
	notHere    = "the account may not log in from here"
	notAllowed = "the account may not use this service"
)

// stateAttributes are looked at to learn whether an account may log in. What the
// reader may not see does not count; the directory judges every bind, too.
var (
	stateAttributes   = []string{"nsAccountLock", "pwdAccountLockedTime", "pwdReset", "shadowExpire"}
	stateADAttributes = []string{"userAccountControl", "msDS-User-Account-Control-Computed", "accountExpires", "lockoutTime", "pwdLastSet"}
)

// state says why the account of an entry may not log in, or nothing.
func state(e *goldap.Entry, now time.Time) string {
	switch {
	case strings.EqualFold(one(e, "nsAccountLock"), "true"):
		return disabled
	// The directory takes it away when its time is over and the password is shown.
	case len(raw(e, "pwdAccountLockedTime")) > 0:
		return locked
	case strings.EqualFold(one(e, "pwdReset"), "true"):
		return mustChange
	}
	if text := one(e, "shadowExpire"); text != "" {
		// Days since 1970; -1 is never. 0 is read as a day, as it is by those who
		// disable an account by it.
		days, err := strconv.ParseInt(text, 10, 32)
		if err != nil || days >= 0 && !now.Before(time.Unix(days*24*60*60, 0)) {
			return expired
		}
	}
	return ""
}

// Bits of userAccountControl and msDS-User-Account-Control-Computed.
const (
	uacDisabled    = 0x2
	uacLocked      = 0x10
	uacNeverOld    = 0x10000
	uacSmartcard   = 0x40000
	uacPasswordOld = 0x800000
)

// stateAD is state in Active Directory. What cannot be read as a number, as
// everywhere here, is a reason to refuse.
func stateAD(e *goldap.Entry, now time.Time) string {
	number := func(name string) (n int64, there bool) {
		values := raw(e, name)
		if len(values) == 0 {
			return 0, false
		}
		n, err := strconv.ParseInt(string(values[0]), 10, 64)
		if err != nil {
			return -1, true // all bits
		}
		return n, true
	}
	control, _ := number("userAccountControl")
	// The computed one knows whether the time of a lock is over; the time of the lock
	// stays until the next login.
	computed, there := number("msDS-User-Account-Control-Computed")
	lockout, _ := number("lockoutTime")
	switch {
	case control&uacDisabled != 0:
		return disabled
	case computed&uacLocked != 0, !there && lockout != 0:
		return locked
	}
	if text := one(e, "accountExpires"); text != "" {
		if at, never, err := fileTime(text); err != nil || !never && !now.Before(at) {
			return expired
		}
	}
	if set, there := number("pwdLastSet"); there && set == 0 && control&(uacNeverOld|uacSmartcard) == 0 {
		return mustChange
	}
	if computed&uacPasswordOld != 0 {
		return oldSecret
	}
	return ""
}

// verdict says what a bind as a user means, from the answer to it: nil, what a login
// is answered with, or what explain makes of err.
//
// D7: only what a server says after it has seen the right password may become an
// AccountError. Anything else would tell strangers which accounts there are, and
// what is the matter with them.
func (d *Directory) verdict(result *goldap.SimpleBindResult, err error) (verdict error, settled bool) {
	policy := policyOf(result)
	switch {
	case err == nil && policy == goldap.BeheraChangeAfterReset:
		return &mic.AccountError{Why: mustChange}, true
	case err == nil:
		return nil, true
	case goldap.IsErrorWithCode(err, goldap.LDAPResultInvalidCredentials) && d.c.ActiveDirectory:
		if why := bindCodes[bindCode(err.Error())]; why != "" {
			return &mic.AccountError{Why: why}, true
		}
		return mic.ErrCredentials, true
	// The policy of the draft looks at locks before the password, and tells of its age
	// behind it: accountLocked is what anybody may hear, passwordExpired is not.
	case goldap.IsErrorWithCode(err, goldap.LDAPResultInvalidCredentials) && policy == goldap.BeheraPasswordExpired:
		return &mic.AccountError{Why: oldSecret}, true
	// Some directories refuse a locked or disabled account with another result, and
	// do not say whether they have looked at the password.
	case goldap.IsErrorAnyOf(err, goldap.LDAPResultInvalidCredentials, goldap.LDAPResultNoSuchObject,
		goldap.LDAPResultInvalidDNSyntax, goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultUnwillingToPerform,
		goldap.LDAPResultConstraintViolation, goldap.LDAPResultInsufficientAccessRights):
		return mic.ErrCredentials, true
	}
	return nil, false
}

// policyOf returns what the password policy control of an answer says; -1: nothing.
func policyOf(result *goldap.SimpleBindResult) int8 {
	if result == nil {
		return -1
	}
	if c, ok := goldap.FindControl(result.Controls, goldap.ControlTypeBeheraPasswordPolicy).(*goldap.ControlBeheraPasswordPolicy); ok && c != nil {
		return c.Error
	}
	return -1
}

// bindCodes are the codes that Active Directory gives behind a right password only:
// with a wrong one all of these accounts get 52e. Not among them are 52e (wrong
// password), 525 (nobody has the name) and 775 (locked), which is answered before
// the password is looked at: right or wrong, it would tell anybody.
var bindCodes = map[string]string{
	"530": notNow,
	"531": notHere,
	"532": oldSecret,
	"533": disabled,
	"701": expired,
	"773": mustChange,
}

// bindCode finds the code in what Active Directory says to a refused bind:
// "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1".
// Empty: there is none.
func bindCode(message string) string {
	_, rest, ok := strings.Cut(message, "AcceptSecurityContext error, data ")
	if !ok {
		return ""
	}
	code, _, ok := strings.Cut(rest, ",")
	if _, err := strconv.ParseUint(code, 16, 32); !ok || err != nil {
		return ""
	}
	return strings.ToLower(code)
}

package mic

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// An Account is what a provider has proved about somebody who logs in.
type Account struct {
	// Subject names him at the provider: 1 to MaxSubject bytes of UTF-8 that stay
	// the same for as long as his account does and are never given to anybody
	// else. With the service it is his identity; his mail address and his name
	// are not.
	Subject string

	// Attributes are what the provider says of him, under the provider's names.
	Attributes map[string][]string

	// Groups are those he is in at the provider, the ones that hold them included
	// where the provider tells: sorted, without repetition.
	Groups []string

	// Kept is what Ask needs to find him again; it may hold a secret. nil: this
	// provider cannot be asked again.
	Kept []byte
}

// MaxSubject bounds the subject of an Account, in bytes.
const MaxSubject = 200

// A Provider is the identity provider of a company as one service sees it. It
// is safe for concurrent use. All its errors wrap one of those below.
type Provider interface {
	// Ask asks again about somebody who has logged in: who is gone or disabled
	// there is out. Attributes and Groups are as they are now; a Provider that is
	// not asked for them gives back what it knows. ErrGone, ErrUnavailable.
	Ask(ctx context.Context, kept []byte) (*Account, error)
	// Close ends what is kept open towards the provider.
	Close() error
}

// Passwords is a Provider to which a name and a password are shown (LDAP, Active
// Directory).
type Passwords interface {
	Provider
	// Check proves that somebody knows his password. ErrCredentials, *AccountError,
	// ErrUnavailable. An empty password is always wrong.
	Check(ctx context.Context, username, password string) (*Account, error)
}

// Redirects is a Provider to which the browser is sent (OpenID Connect, SAML).
type Redirects interface {
	Provider
	// Begin returns where to send a browser. The provider sends it back with
	// state, which is random and used once. begun is what Finish needs; it must
	// reach nobody.
	Begin(ctx context.Context, state string) (to string, begun []byte, err error)
	// Finish reads what the browser has brought back: the query, or the form, of
	// the provider's answer. That it came with the state of begun, once, and from
	// the browser that was sent away, is the caller's to see to. ErrRefused,
	// *AccountError, ErrUnavailable.
	Finish(ctx context.Context, begun []byte, back url.Values) (*Account, error)
}

var (
	// ErrCredentials is the answer to a wrong password, and to the name of nobody.
	ErrCredentials = errors.New("wrong username or password")
	// ErrRefused is the answer to what proves nothing: forged, replayed, expired,
	// meant for somebody else, or a refusal of the provider. What wraps it says why.
	ErrRefused = errors.New("the identity provider's answer was refused")
	// ErrGone says that the account is not there any more, or is disabled.
	ErrGone = errors.New("the account is gone or disabled at the identity provider")
	// ErrUnavailable says that the provider was not reached, did not answer in
	// time, or answered nonsense: it is nobody's fault who logs in.
	ErrUnavailable = errors.New("the identity provider is not available")
)

// An AccountError is the answer to a right password, or a proof, for an account
// that may not log in.
type AccountError struct {
	Why string // in plain words: "the account is disabled"
}

func (e *AccountError) Error() string { return e.Why }

type traceKey struct{}

// Trace returns a context in which fn is told each step of a login and how it
// ended. It is for who sets up a service; steps never name a password or a token.
func Trace(ctx context.Context, fn func(step string, err error)) context.Context {
	return context.WithValue(ctx, traceKey{}, fn)
}

// Step tells of a step that has ended with err, and returns err.
func Step(ctx context.Context, err error, format string, args ...any) error {
	if fn, ok := ctx.Value(traceKey{}).(func(string, error)); ok {
		fn(fmt.Sprintf(format, args...), err)
	}
	return err
}

package ldap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

// A conn is a connection to a server. One goroutine uses it at a time.
type conn struct {
	l       *goldap.Conn
	wire    *wire
	server  *server
	timeout time.Duration
	made    time.Time
	used    time.Time // when it was put back into the pool
	spoilt  bool      // not to be used again: something may still be on its way
	service bool      // bound as the service account
}

// close ends a connection. The socket goes first, so that nothing of the library
// waits for a server that has stopped to answer.
func (c *conn) close() {
	_ = c.wire.Close()
	_ = c.l.Close()
}

// do asks one question. The error is the server's result (*goldap.Error below
// 200), or says that there was none.
func (c *conn) do(ctx context.Context, ask func() error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.wire.begin(c.timeout)
	stop := context.AfterFunc(ctx, func() { _ = c.wire.Close() })
	defer func() {
		// The library reads foreign bytes in our goroutine.
		if r := recover(); r != nil {
			err = fmt.Errorf("reading the answer: %v", r)
		}
		if !stop() || (err != nil && !answered(err)) {
			c.spoilt = true
		}
		c.wire.idle()
	}()
	return ask()
}

// answered tells whether an error is what a server has answered.
func answered(err error) bool {
	var e *goldap.Error
	return errors.As(err, &e) && e.ResultCode < goldap.ErrorNetwork
}

// explain makes of an error what a Directory returns. doing is what was tried.
func (c *conn) explain(ctx context.Context, err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s: %w", mic.ErrUnavailable, doing, ctx.Err())
	case goldap.IsErrorWithCode(err, goldap.LDAPResultReferral):
		return fmt.Errorf("%w: %s: the server refers to another one, and referrals are not followed", mic.ErrUnavailable, doing)
	case !answered(err), goldap.IsErrorAnyOf(err, goldap.LDAPResultBusy, goldap.LDAPResultUnavailable):
		return &downError{fmt.Errorf("%s: %s", doing, brief(err))}
	}
	return fmt.Errorf("%w: %s: %s", mic.ErrUnavailable, doing, brief(err))
}

// bind proves a password. result holds the controls of the answer, refused or not.
func (c *conn) bind(ctx context.Context, name, password string, controls ...goldap.Control) (result *goldap.SimpleBindResult, err error) {
	c.service = false // D4: whoever it is now
	// D2. An empty name is nobody and any password is right for it.
	if name == "" || password == "" {
		return nil, goldap.NewError(goldap.LDAPResultInvalidCredentials, errors.New("no name, or no password"))
	}
	err = c.do(ctx, func() error {
		var err error
		result, err = c.l.SimpleBind(goldap.NewSimpleBindRequest(name, password, controls))
		return err
	})
	return result, err
}

// unquoted is the error of a bind, without the server's words if they repeat the
// password.
func unquoted(err error, password string) error {
	if err == nil || !strings.Contains(err.Error(), password) {
		return err
	}
	code := uint16(goldap.ErrorNetwork)
	if e := (*goldap.Error)(nil); errors.As(err, &e) {
		code = e.ResultCode
	}
	return goldap.NewError(code, errors.New("not quoted"))
}

// A query is a search and its bounds.
type query struct {
	doing      string // for messages
	base       string
	scope      int
	filter     string
	attributes []string
	most       int // entries
}

// search returns at most q.most entries, in no order, and whether there are more. An
// entry that is not there to search below is no error. References to other servers
// are passed over.
func (c *conn) search(ctx context.Context, q query) (found []*goldap.Entry, more bool, err error) {
	request := goldap.NewSearchRequest(q.base, q.scope, goldap.NeverDerefAliases, q.most+1,
		int(c.timeout/time.Second), false, q.filter, q.attributes, nil)
	request.EnforceSizeLimit = true // whatever the server makes of it
	var result *goldap.SearchResult
	err = c.do(ctx, func() error {
		var err error
		result, err = c.l.Search(request)
		return err
	})
	if result != nil {
		found = result.Entries
	}
	switch {
	case goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject):
		return nil, false, nil
	case errors.Is(err, goldap.ErrSizeLimitExceeded), goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded):
		more, err = true, nil
	case err != nil:
		return nil, false, c.explain(ctx, err, q.doing)
	}
	if len(found) > q.most {
		found, more = found[:q.most], true
	}
	for _, e := range found {
		// D2, D6: a DN is bound as, and is searched for.
		if e.DN == "" || len(e.DN) > maxText {
			return nil, false, fmt.Errorf("%w: %s: an entry without a DN, or with an endless one", mic.ErrUnavailable, q.doing)
		}
	}
	return found, more, nil
}

package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

// A Directory is a mic.Passwords. Make one with New.
type Directory struct {
	c    *normal // never changed
	pool *pool
}

var _ mic.Passwords = (*Directory)(nil)

// New returns the directory of a Config, which Validate has to find right. Nothing
// is connected to yet.
func New(c Config) (*Directory, error) {
	n, err := c.normal()
	if err != nil {
		return nil, err
	}
	return &Directory{n, newPool()}, nil
}

// Close ends the connections of the service account. Logins under way end by
// themselves, later ones fail with mic.ErrUnavailable.
func (d *Directory) Close() error {
	d.pool.drop(true)
	return nil
}

// maxSteps is how many timeouts a whole login may take.
const maxSteps = 4

// noPassword and noRDN are bound with when nobody has a name: the answer takes as
// long as that to a wrong password. The password of the stranger is not sent along;
// it may be somebody's.
const (
	noPassword = "not a password"
	noRDN      = "cn=nobody has this name,"
)

// Check implements mic.Passwords.
func (d *Directory) Check(ctx context.Context, username, password string) (*mic.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, maxSteps*d.c.timeout)
	defer cancel()
	var l login
	err := plausible(username, password)
	if err == nil {
		l, err = d.c.login(username)
	}
	if err != nil {
		_ = mic.Step(ctx, fmt.Errorf("%w: %w", mic.ErrCredentials, err), "read the name and the password")
		return nil, mic.ErrCredentials
	}
	bind := l.bind
	if bind == "" {
		if bind, err = d.find(ctx, l); err != nil {
			return nil, err
		}
	}
	prove := func(u *conn) error { return d.prove(ctx, u, bind, password) }
	var account *mic.Account
	if d.c.BindDN == "" {
		err = d.asUser(ctx, prove, func(u *conn) (err error) {
			account, err = d.read(ctx, u, l, bind, func(dn string) error { return d.prove(ctx, u, dn, password) })
			return err
		})
	} else if err = d.asUser(ctx, prove, nil); err == nil {
		err = d.asService(ctx, func(s *conn) (err error) {
			account, err = d.read(ctx, s, l, bind, nil)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return account, nil
}

// find searches for the entry of a name and returns its DN, or that of no entry.
func (d *Directory) find(ctx context.Context, l login) (dn string, err error) {
	err = d.asService(ctx, func(s *conn) error {
		found, more, err := s.search(ctx, query{
			doing: "search for the user", base: d.c.BaseDN, scope: goldap.ScopeWholeSubtree,
			filter: l.filter, attributes: []string{"1.1"}, most: 1,
		})
		if err == nil {
			dn = noRDN + d.c.BaseDN
		}
		told := err
		switch {
		case err != nil:
		case more: // D8
			told = errors.New("more than one entry has the name")
		case len(found) == 0:
			told = errors.New("no entry has the name")
		default:
			dn = found[0].DN
		}
		_ = mic.Step(ctx, told, "search for the user below %s, %s", d.c.BaseDN, l.filter)
		return err
	})
	return dn, err
}

// prove binds as a user.
func (d *Directory) prove(ctx context.Context, u *conn, name, password string) error {
	nobody := name == noRDN+d.c.BaseDN
	if nobody {
		password = noPassword
	}
	var controls []goldap.Control
	if !d.c.ActiveDirectory {
		controls = append(controls, goldap.NewControlBeheraPasswordPolicy())
	}
	result, err := u.bind(ctx, name, password, controls...)
	verdict, settled := d.verdict(result, err)
	if err = unquoted(err, password); !settled {
		verdict = u.explain(ctx, err, "bind as the user")
	} else if nobody {
		verdict = mic.ErrCredentials // whatever it was told
	}
	told := verdict
	if settled && err != nil {
		told = fmt.Errorf("%w (%s)", verdict, brief(err)) // what it has said is for the administrator
	}
	_ = mic.Step(ctx, told, "bind as the user, %s", name)
	return verdict
}

// read returns the account of the user who was bound as bind, as c sees it. With
// again, the DN that is found has to prove the password as well.
func (d *Directory) read(ctx context.Context, c *conn, l login, bind string, again func(dn string) error) (*mic.Account, error) {
	q := query{doing: "read the user's entry", base: bind, scope: goldap.ScopeBaseObject, filter: l.filter, attributes: d.wanted(), most: 1}
	byName := d.c.ActiveDirectory && l.bind != ""
	if byName {
		q.base, q.scope = d.c.BaseDN, goldap.ScopeWholeSubtree
	}
	found, more, err := c.search(ctx, q)
	if err == nil && (more || len(found) != 1) {
		err = &mic.AccountError{Why: notAllowed}
	}
	if mic.Step(ctx, err, "read the user's entry, %s", l.filter) != nil {
		return nil, err
	}
	e := found[0]
	if byName {
		// A domain controller finds whom to bind by rules of its own. The entry that we
		// have found has to be his (D8).
		if err := again(e.DN); err != nil {
			return nil, err
		}
	}
	return d.account(ctx, c, e)
}

// wanted are the attributes that an entry is read with.
func (d *Directory) wanted() []string {
	names := append([]string{d.c.SubjectAttribute}, d.c.Attributes...)
	if d.c.ActiveDirectory {
		return append(append(names, stateADAttributes...), "objectSid", "primaryGroupID")
	}
	return append(append(names, stateAttributes...), "uid", "memberOf")
}

// account judges an entry, and reads what belongs to it.
func (d *Directory) account(ctx context.Context, c *conn, e *goldap.Entry) (*mic.Account, error) {
	if err := mic.Step(ctx, d.judge(ctx, c, e), "look whether the account may log in"); err != nil {
		return nil, err
	}
	id, err := subject(e, d.c.SubjectAttribute)
	if err != nil {
		err = fmt.Errorf("%w: %w", mic.ErrUnavailable, err)
	} else {
		err = d.alone(ctx, c, e, id)
	}
	if mic.Step(ctx, err, "read the subject, %s", d.c.SubjectAttribute) != nil {
		return nil, err
	}
	a := &mic.Account{Subject: id, Attributes: attributes(e, d.c.Attributes)}
	if d.c.BindDN != "" {
		a.Kept = []byte(d.c.SubjectAttribute + "=" + id)
	}
	if !d.c.NoGroups {
		if a.Groups, err = d.groupsOf(ctx, c, e); mic.Step(ctx, err, "read the groups below %s", d.c.GroupBaseDN) != nil {
			return nil, err
		}
	}
	return a, nil
}

// judge says whether an account may log in.
func (d *Directory) judge(ctx context.Context, c *conn, e *goldap.Entry) error {
	why := ""
	if now := d.c.Now(); d.c.ActiveDirectory {
		why = stateAD(e, now)
	} else {
		why = state(e, now)
	}
	if why == "" && d.c.DisabledFilter != "" {
		found, _, err := c.search(ctx, query{
			doing: "look whether the account is disabled", base: e.DN, scope: goldap.ScopeBaseObject,
			filter: d.c.DisabledFilter, attributes: []string{"1.1"}, most: 1,
		})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			why = disabled
		}
	}
	if why != "" {
		return &mic.AccountError{Why: why}
	}
	return nil
}

// unique are subjects that the directory itself gives to one entry.
var unique = []string{"entryUUID", "objectGUID", "nsUniqueId", "ipaUniqueID"}

// alone says whether no other entry has the subject of e (D8). An attribute that
// people write is looked for; who may write it could take somebody's identity.
func (d *Directory) alone(ctx context.Context, c *conn, e *goldap.Entry, id string) error {
	if slices.ContainsFunc(unique, func(u string) bool { return strings.EqualFold(u, d.c.SubjectAttribute) }) {
		return nil
	}
	filter, err := subjectFilter(d.c.SubjectAttribute, id)
	if err != nil {
		return fmt.Errorf("%w: %w", mic.ErrUnavailable, err)
	}
	found, more, err := c.search(ctx, query{
		doing: "search for the subject", base: d.c.BaseDN, scope: goldap.ScopeWholeSubtree,
		filter: filter, attributes: []string{"1.1"}, most: 1,
	})
	switch {
	case err != nil:
		return err
	case more || len(found) != 1 || !sameDN(found[0].DN, e.DN):
		return fmt.Errorf("%w: the subject is not one entry's alone", mic.ErrUnavailable)
	}
	return nil
}

// Ask implements mic.Provider. Whom Check would refuse with the right password is
// gone: also who has to change his password first.
func (d *Directory) Ask(ctx context.Context, kept []byte) (*mic.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, maxSteps*d.c.timeout)
	defer cancel()
	if d.c.BindDN == "" {
		return nil, fmt.Errorf("%w: nobody can be asked about without bindDn", mic.ErrUnavailable)
	}
	attribute, id, _ := strings.Cut(string(kept), "=")
	if !strings.EqualFold(attribute, d.c.SubjectAttribute) || id == "" || len(id) > mic.MaxSubject {
		return nil, fmt.Errorf("%w: he was known by another attribute", mic.ErrGone)
	}
	filter, err := subjectFilter(d.c.SubjectAttribute, id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mic.ErrGone, err)
	}
	filter = "(&" + d.c.restriction() + filter + ")"
	var account *mic.Account
	err = d.asService(ctx, func(s *conn) error {
		found, more, err := s.search(ctx, query{
			doing: "search for the subject", base: d.c.BaseDN, scope: goldap.ScopeWholeSubtree,
			filter: filter, attributes: d.wanted(), most: 1,
		})
		switch {
		case err != nil:
		case more: // D8
			err = fmt.Errorf("%w: the subject is not one entry's alone", mic.ErrGone)
		case len(found) == 0:
			err = fmt.Errorf("%w: no entry has the subject", mic.ErrGone)
		case d.c.template != nil && !d.c.template.made(found[0].DN):
			err = fmt.Errorf("%w: the entry is not of userDnTemplate any more", mic.ErrGone)
		}
		if mic.Step(ctx, err, "search for the subject below %s, %s", d.c.BaseDN, filter) != nil {
			return err
		}
		if account, err = d.account(ctx, s, found[0]); err == nil && account.Subject != id {
			err = fmt.Errorf("%w: the subject is written in another way now", mic.ErrGone)
		}
		return err
	})
	var refused *mic.AccountError
	switch {
	case errors.As(err, &refused):
		return nil, fmt.Errorf("%w: %w", mic.ErrGone, refused)
	case err != nil:
		return nil, err
	}
	return account, nil
}

package engine

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"postern/auth"
	"postern/auth/mic"
	"postern/engine/store"
)

// A micGrant is one login at an identity provider, as an app holds it: what its
// access and refresh token stand for. Of the tokens only digests are kept. The
// row is immutable. Its key is the handle that its tokens begin with.
type micGrant struct {
	Service  string `json:"service"`         // id
	Subject  string `json:"subject"`         // at the provider; of a local one the user's id
	Local    bool   `json:"local,omitempty"` // the user is one of the environment, whom no provider knows
	Client   string `json:"client"`          // client_id that it was given to
	Redirect string `json:"redirect,omitempty"`
	Created  int64  `json:"created"` // Unix ms, as all times here

	Access      auth.Digest `json:"access"`
	AccessUntil int64       `json:"accessUntil"`
	// Refresh is the refresh token to be used next; RefreshUntil 0: there is none.
	Refresh      auth.Digest `json:"refresh"`
	RefreshUntil int64       `json:"refreshUntil,omitempty"`
	// Before is the refresh token that was used last. It may be used again until
	// BeforeUntil, because the answer to its use may have been lost. After that, who
	// shows it, or an older one, has stolen it or was stolen from.
	Before      auth.Digest `json:"before"`
	BeforeUntil int64       `json:"beforeUntil,omitempty"`

	// Kept is what the provider needs to be asked again, sealed; "": it cannot be.
	Kept string `json:"kept,omitempty"`
	// Attributes and Groups are what the provider said last. They are brought to
	// the user with his next login, or at once if he has an account.
	Attributes map[string][]string `json:"attributes,omitempty"`
	Groups     []string            `json:"groups,omitempty"`
}

const (
	// refreshGrace is how long a used refresh token may be used again, ms.
	refreshGrace = 60_000
	// maxGrants bounds the grants of one identity in an app; the oldest ends.
	maxGrants = 50
	// maxGrantBytes bounds what a provider may say about somebody.
	maxGrantBytes = 64 << 10
)

// identity is who a grant proves somebody to be: the provider and its subject,
// and nothing that could be given to somebody else, such as an address.
func (g *micGrant) identity() string {
	if g.Local {
		return "local/" + g.Service + "/" + g.Subject // never that of an account at the provider
	}
	return g.Service + "/" + g.Subject
}

// ended reports whether nothing of a grant is good any more.
func (g *micGrant) ended(now int64) bool {
	return now >= g.AccessUntil && now >= g.RefreshUntil
}

// sameToken compares a token with a digest in constant time.
func sameToken(t mic.Token, d auth.Digest) bool {
	got := t.Digest()
	return subtle.ConstantTimeCompare(got[:], d[:]) == 1
}

// access finds the grant of an access token that is good now.
func (s *appState) access(token string, now int64) (mic.Handle, *micGrant, bool) {
	t, ok := mic.ParseToken(token)
	if !ok {
		return "", nil, false
	}
	g, ok := s.grants.Get(string(t.Handle()))
	if !ok || !sameToken(t, g.Access) || now >= g.AccessUntil {
		return "", nil, false
	}
	return t.Handle(), g, true
}

// grantKey orders the grants of an identity by age.
func grantKey(g *micGrant, handle string) string {
	b := append([]byte(g.identity()), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(g.Created))
	return string(append(b, handle...))
}

// grantsOf calls fn for each grant of an identity, oldest first.
func (s *appState) grantsOf(identity string, fn func(handle string, g *micGrant) bool) {
	prefix := identity + "\x00"
	s.identityGrants.Ascend(prefix, func(k, handle string) bool {
		if len(k) < len(prefix) || k[:len(prefix)] != prefix {
			return false
		}
		g, ok := s.grants.Get(handle)
		return !ok || fn(handle, g)
	})
}

func (s *appState) applyGrant(handle string, value []byte) error {
	if old, ok := s.grants.Get(handle); ok {
		s.grants.Delete(handle)
		s.identityGrants.Delete(grantKey(old, handle))
	}
	if value == nil {
		return nil
	}
	g, err := decodeRow[micGrant](value)
	if err != nil {
		return err
	}
	s.grants.Set(handle, g)
	s.identityGrants.Set(grantKey(g, handle), handle)
	return nil
}

func grantOp(a *app, handle string, g *micGrant) store.Op {
	op := store.Op{Key: store.Key{App: a.number, Table: tableGrant, ID: handle}, Quiet: true}
	if g != nil {
		op.Value = encodeRow(g)
	}
	return op
}

// errGrantTooLarge refuses what would fill the store with what a provider says.
var errGrantTooLarge = errors.New("the identity provider says too much about this account")

// issueGrant writes down a login at a provider. The tokens were made by the
// handler.
type issueGrant struct {
	app     *app
	by      actor
	handle  mic.Handle
	service *authService
	grant   micGrant // Created and the times are set by plan
}

func (in *issueGrant) audit() auditLine {
	return auditLine{actor: in.by.as("mic " + in.service.Name), Act: "grant", App: in.app.key, Item: string(in.handle[:4])}
}

// micService returns the service as the draft has it, if it is still the one
// that was meant: settings that changed in between were changed for a reason.
func (d *draft) micService(a *app, was *authService) (*authService, error) {
	now, err := d.systemState().service(d.state(a).config, was.ID)
	if err != nil || now.Version != was.Version {
		return nil, errNoService
	}
	return now, nil
}

func (in *issueGrant) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	service, err := d.micService(in.app, in.service)
	if err != nil {
		return nil, err
	}
	if _, taken := s.grants.Get(string(in.handle)); taken {
		return nil, fmt.Errorf("a grant with this handle exists")
	}
	g := in.grant
	g.Created = d.now
	s.grantsOf(g.identity(), func(_ string, old *micGrant) bool {
		g.Created = max(g.Created, old.Created+1) // which one is the oldest must be clear
		return true
	})
	g.setTimes(service, d.now)
	ops := []store.Op{grantOp(in.app, string(in.handle), &g)}
	if len(ops[0].Value) > maxGrantBytes {
		return nil, errGrantTooLarge
	}
	n := 1
	s.grantsOf(g.identity(), func(handle string, old *micGrant) bool {
		n++
		return true
	})
	s.grantsOf(g.identity(), func(handle string, old *micGrant) bool {
		if old.ended(d.now) || n > maxGrants {
			ops = append(ops, grantOp(in.app, handle, nil))
			n--
		}
		return true
	})
	in.grant = g
	return ops, nil
}

func (g *micGrant) setTimes(service *authService, now int64) {
	g.AccessUntil = now + int64(service.TokenTTL)*1000
	g.RefreshUntil = 0
	if service.Refresh {
		g.RefreshUntil = now + int64(service.RefreshTTL)*1000
	}
}

// errReplay says that a refresh token was shown that was used before: the grant
// has ended.
var errReplay = errors.New("a refresh token was used twice")

// refreshed tells which of its refresh tokens a grant is shown: the next one, or
// the last one within its grace. Everything else is errReplay, for the token
// begins with the handle of the grant.
func (g *micGrant) refreshed(t mic.Token, now int64) error {
	// Both are compared, so that the time tells nothing.
	next, last := sameToken(t, g.Refresh), sameToken(t, g.Before)
	switch {
	case next && now < g.RefreshUntil, last && now < g.BeforeUntil:
		return nil
	case next:
		return errNoGrant // too late, and no more than that
	}
	return errReplay
}

// errNoGrant says that a token stands for nothing.
var errNoGrant = errors.New("the grant does not exist, or not any more")

// refreshGrant puts new tokens in the place of those of a grant.
type refreshGrant struct {
	app             *app
	by              actor
	service         *authService
	token           mic.Token // as it was shown
	access, refresh auth.Digest
	account         *mic.Account // as the provider has it now; nil: it was not asked
	kept            string       // sealed, with account

	grant  micGrant
	replay bool // the outcome: the grant has ended
}

func (in *refreshGrant) audit() auditLine {
	act := "refresh"
	if in.replay {
		act = "end grant: a refresh token was used twice"
	}
	return auditLine{actor: in.by.as("mic " + in.service.Name), Act: act, App: in.app.key, Item: string(in.token.Handle()[:4])}
}

func (in *refreshGrant) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	service, err := d.micService(in.app, in.service)
	if err != nil {
		return nil, err
	}
	handle := string(in.token.Handle())
	old, ok := s.grants.Get(handle)
	if !ok || old.Service != service.ID {
		return nil, errNoGrant
	}
	switch err := old.refreshed(in.token, d.now); {
	case errors.Is(err, errReplay):
		in.replay = true
		return []store.Op{grantOp(in.app, handle, nil)}, nil
	case err != nil:
		return nil, err
	}
	g := *old
	g.Access, g.Refresh = in.access, in.refresh
	g.Before, g.BeforeUntil = in.token.Digest(), d.now+refreshGrace
	if sameToken(in.token, old.Before) {
		g.BeforeUntil = old.BeforeUntil // the grace does not grow
	}
	g.setTimes(service, d.now)
	if in.account != nil {
		g.Kept, g.Attributes, g.Groups = in.kept, in.account.Attributes, in.account.Groups
	}
	ops := []store.Op{grantOp(in.app, handle, &g)}
	if len(ops[0].Value) > maxGrantBytes {
		return nil, errGrantTooLarge
	}
	if user, ok := s.userOf(&g); ok && in.account != nil {
		more, err := d.mapped(in.app, user, service, &g, false)
		if err != nil {
			return nil, err
		}
		ops = append(ops, more...)
	}
	in.grant = g
	return ops, nil
}

// userOf finds the user that a grant is of. A local one is known, though he may be
// suspended or gone: nobody is signed up in his place.
func (s *appState) userOf(g *micGrant) (id string, ok bool) {
	if g.Local {
		return g.Subject, true
	}
	return s.identities.Get(g.identity())
}

// endGrant ends a grant, and with it what sessions were opened by it.
type endGrant struct {
	app    *app
	by     actor
	act    string
	handle string
}

func (*endGrant) frugal() {}

func (in *endGrant) audit() auditLine {
	return auditLine{actor: in.by, Act: in.act, App: in.app.key, Item: in.handle[:4]}
}

func (in *endGrant) plan(d *draft) ([]store.Op, error) {
	if _, ok := d.state(in.app).grants.Get(in.handle); !ok {
		return nil, nil
	}
	return []store.Op{grantOp(in.app, in.handle, nil)}, nil
}

// endGrantsOf ends some of the grants of a service, as many as fit into a record.
type endGrantsOf struct {
	app     *app
	by      actor
	service string
	more    bool // the outcome: there may be others
}

func (*endGrantsOf) frugal() {}

func (in *endGrantsOf) audit() auditLine { return auditLine{actor: in.by} }

func (in *endGrantsOf) plan(d *draft) ([]store.Op, error) {
	var ops []store.Op
	d.state(in.app).grants.Scan(func(handle string, g *micGrant) bool {
		if g.Service == in.service {
			ops = append(ops, grantOp(in.app, handle, nil))
		}
		return len(ops) < groupOps/2
	})
	in.more = len(ops) == groupOps/2
	return ops, nil
}

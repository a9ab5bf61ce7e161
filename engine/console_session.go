package engine

import (
	"time"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// A session of the console is a principal of its own. Its token is in a cookie that
// scripts cannot read, it is kept in a table of its own, and it opens nothing but the
// console plane. It ends when nobody has used it for a while, after a working day,
// and when the operator's password or role changes.
const (
	consoleIdle = 15 * time.Minute
	consoleMax  = 8 * time.Hour
)

func consoleOp(digest auth.Digest, row *sessionRow) store.Op {
	op := store.Op{Key: store.Key{Table: tableConsole, ID: string(digest[:])}, Quiet: true}
	if row != nil {
		op.Value = encodeRow(row)
	}
	return op
}

// liveConsole reports whether a session of the console still counts at a moment (Unix
// ms).
func (s *systemState) liveConsole(n *session, now int64) bool {
	o, ok := s.operators.Get(n.User)
	return ok && o.Generation == n.Generation &&
		!auth.Expired(unixTime(now), unixTime(n.Created), unixTime(n.lastSeen()), consoleIdle, consoleMax)
}

// consoleOf finds the session and the operator that the request's cookie names.
func (r *Request) consoleOf() (*session, *operatorRow, error) {
	digest := auth.TokenDigest(string(r.ctx.Request.Header.Cookie(consoleCookie)))
	s := r.e.system.Load()
	n, ok := s.consoles.Get(string(digest[:]))
	if !ok || !s.liveConsole(n, r.start) {
		return nil, nil, fault(errCredentials, "there is no console session, or it is over")
	}
	o, _ := s.operators.Get(n.User)
	return n, o, nil
}

// byConsole takes the cookie of a console session.
func (r *Request) byConsole() error {
	n, o, err := r.consoleOf()
	if err != nil {
		return err
	}
	if len(r.ctx.Request.Header.Peek(headerIdle)) == 0 {
		r.e.touchConsole(n, r.start)
	}
	r.console, r.operator = n, n.User
	if !r.mayHere(o.role()) {
		return fault(errForbidden, "the role %s may not do this", o.role())
	}
	if seen := r.ctx.Request.Header.PeekAll(headerSeenAs); len(seen) > 0 {
		return r.seenAs(seen)
	}
	if r.route.allow&(asApp|asMaster|asOperator) == 0 {
		return fault(errForbidden, "this needs an end user of the app: %s", headerSeenAs)
	}
	r.subject = acl.Subject{Role: acl.RoleMaster}
	r.principals = acl.PrincipalsOf(r.subject)
	return nil
}

// seenAs makes the request that of a user, for an operator who wants to see what he
// sees. It reads and does not write.
func (r *Request) seenAs(header [][]byte) error {
	if len(header) > 1 || !r.ctx.IsGet() {
		return fault(errForbidden, "%s is for one user, and for reading only", headerSeenAs)
	}
	id, err := decodeSegment(string(header[0]))
	if err != nil {
		return err
	}
	if r.app == nil || !r.route.allow.takes(acl.RoleUser) {
		return fault(errForbidden, "a user of the app does not get this")
	}
	who, state := r.view.comesAs(id)
	switch state {
	case "":
	case "gone":
		return errUserNotFound
	default:
		return fault(errForbidden, "this user is %s and gets nothing", state)
	}
	r.setUser(who.ID)
	return nil
}

// touchConsole remembers that a session was used and writes it down now and then. The
// request waits for that: what comes after it is to find the session that knows. When
// it cannot be written it is known until the next start.
func (e *Engine) touchConsole(n *session, now int64) {
	n.seen.Store(now)
	if now-n.LastSeen > consoleIdle.Milliseconds()/10 && n.saving.CompareAndSwap(false, true) {
		_ = e.committer.submit(nil, &touchConsole{digest: n.digest, seen: now})
	}
}

type touchConsole struct {
	digest auth.Digest
	seen   int64
}

func (in *touchConsole) plan(d *draft) ([]store.Op, error) {
	n, ok := d.systemState().consoles.Get(string(in.digest[:]))
	if !ok {
		return nil, nil
	}
	row := n.sessionRow
	row.LastSeen = max(n.lastSeen(), in.seen)
	return []store.Op{consoleOp(in.digest, &row)}, nil
}

// openConsole logs an operator in to the console; closeConsole logs him out.
type openConsole struct {
	by          actor
	proof       operatorProof
	digest, old auth.Digest // old: the session that the browser had
}

func (in *openConsole) audit() auditLine {
	return auditLine{actor: in.by.as("operator " + in.proof.email), Act: "log in to the console", Item: in.proof.email}
}

func (in *openConsole) plan(d *draft) ([]store.Op, error) {
	s, email := d.systemState(), in.proof.email
	ops, err := in.proof.plan(s)
	if err != nil {
		return nil, err
	}
	ops = append(ops, consoleOp(in.digest, &sessionRow{User: email, Generation: in.proof.generation, Created: d.now, LastSeen: d.now}))
	var oldest *session
	own := 0
	s.consoles.Scan(func(_ string, n *session) bool {
		switch {
		case n.digest == in.old || !s.liveConsole(n, d.now):
			ops = append(ops, consoleOp(n.digest, nil))
		case n.User == email:
			own++
			if oldest == nil || n.Created < oldest.Created {
				oldest = n
			}
		}
		return len(ops) < maxSessions
	})
	if own >= maxSessions {
		ops = append(ops, consoleOp(oldest.digest, nil))
	}
	return ops, nil
}

type closeConsole struct {
	by     actor
	email  string
	digest auth.Digest
}

func (*closeConsole) frugal() {}

func (in *closeConsole) audit() auditLine {
	return auditLine{actor: in.by.as("operator " + in.email), Act: "log out of the console", Item: in.email}
}

func (in *closeConsole) plan(*draft) ([]store.Op, error) {
	return []store.Op{consoleOp(in.digest, nil)}, nil
}

func (e *Engine) consoleLogin(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	proof, err := e.proveOperator(r, doc, "code")
	if err != nil {
		return err
	}
	token, digest := auth.NewToken(e.Random())
	in := &openConsole{by: r.actor(), proof: proof, digest: digest,
		old: auth.TokenDigest(string(r.ctx.Request.Header.Cookie(consoleCookie)))}
	if err := e.committer.submit(nil, in); err != nil {
		return err
	}
	st := e.system.Load()
	n, ok := st.consoles.Get(string(digest[:]))
	o, known := st.operators.Get(proof.email)
	if !ok || !known {
		return errCredentials // ended already
	}
	r.setCookie(token, "")
	return r.describeConsole(n, o)
}

// setCookie sets the cookie. A browser keeps one of such a name only with these
// attributes, and only from this very host.
func (r *Request) setCookie(token, more string) {
	r.ctx.Response.Header.Set("Set-Cookie", consoleCookie+"="+token+"; Path=/; HttpOnly; Secure; SameSite=Strict"+more)
}

func (e *Engine) consoleSession(r *Request) error {
	o, ok := e.system.Load().operators.Get(r.operator)
	if !ok {
		return errCredentials
	}
	return r.describeConsole(r.console, o)
}

// consoleWho is for the page when it is opened: whose session the browser has, or
// nothing. That it has none is no failure then, and a browser would report it as one.
func (e *Engine) consoleWho(r *Request) error {
	n, o, err := r.consoleOf()
	if err != nil {
		return r.nothing()
	}
	return r.describeConsole(n, o)
}

func (r *Request) describeConsole(n *session, o *operatorRow) error {
	about := new(jsonObject)
	if origin := r.e.config.PublicURL; origin != "" {
		about.text("origin", origin) // where apps reach this server, for the examples on the pages
	}
	return r.json(fasthttp.StatusOK, about.text("email", o.Email).text("role", o.role().String()).
		number("idleSeconds", int64(consoleIdle/time.Second)).time("until", n.Created+consoleMax.Milliseconds()).
		flag("totp", o.TOTP != "").close())
}

// consoleLogout ends the session that the browser has, if it has one.
func (e *Engine) consoleLogout(r *Request) error {
	if n, _, err := r.consoleOf(); err == nil {
		if err := e.committer.submit(nil, &closeConsole{by: r.actor(), email: n.User, digest: n.digest}); err != nil {
			return err
		}
	}
	r.setCookie("", "; Max-Age=0")
	return r.nothing()
}

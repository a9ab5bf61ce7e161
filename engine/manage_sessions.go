package engine

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
)

// login describes how the session that this request opens begins.
func (r *Request) login(source string) login {
	return login{Source: source, Device: deviceName(string(r.ctx.UserAgent()))}
}

// provider is the source of a session that is opened by a grant; "" is a claim that
// a verifier has believed.
func (r *Request) provider(grant string) string {
	g, service, ok := r.view.granted(r.e.system.Load(), grant)
	switch {
	case !ok:
		return "social"
	case service.Name == "":
		return "mic:" + g.Service
	}
	return "mic:" + service.Name
}

const maxDevice = 120 // bytes

// deviceName is the printable beginning of what a client calls itself.
func deviceName(agent string) string {
	var b strings.Builder
	for _, c := range strings.ToValidUTF8(agent, "") {
		if !unicode.IsPrint(c) {
			continue
		}
		if b.Len()+len(string(c)) > maxDevice {
			break
		}
		b.WriteRune(c)
	}
	return b.String()
}

// sessionName is how a session is called outside: enough of the digest of its
// token to find it, and no way back to the token.
func sessionName(n *session) string { return hex.EncodeToString(n.digest[:8]) }

// sessionNamed finds a session by that.
func (s *appState) sessionNamed(name string) (found *session) {
	begin, err := hex.DecodeString(name)
	if err != nil || len(begin) != 8 {
		return nil
	}
	s.sessions.Ascend(string(begin), func(digest string, n *session) bool {
		if strings.HasPrefix(digest, string(begin)) {
			found = n
		}
		return false
	})
	return found
}

// expires is when a session ends if nobody uses it, Unix ms; 0: never.
func (s *appState) expires(n *session) (at int64) {
	sooner := func(end int64) {
		if at == 0 || end < at {
			at = end
		}
	}
	o := s.config.Options
	if o.SessionMax > 0 {
		sooner(n.Created + o.SessionMax.Milliseconds())
	}
	if o.SessionIdle > 0 {
		sooner(n.lastSeen() + o.SessionIdle.Milliseconds())
	}
	if g, ok := s.grants.Get(n.Grant); ok {
		sooner(g.AccessUntil)
	}
	return at
}

// describe begins what is shown of a session.
func (n *session) describe(s *appState) *jsonObject {
	o := new(jsonObject).text("id", sessionName(n)).time("created", n.Created).time("lastSeen", n.lastSeen()).time("expires", s.expires(n))
	if n.Source != "" { // it is older than that is noted
		o.text("source", n.Source)
	}
	return o.text("device", n.Device)
}

// manageSessions answers ?user=&skip=&limit=: the sessions that are good now, the
// newest first.
func (e *Engine) manageSessions(r *Request) error {
	page, err := r.window()
	if err != nil {
		return err
	}
	newest := newestSessions{most: page.Skip + page.Limit}
	meter := r.meter()
	each := func(n *session) bool {
		if r.view.live(n, r.start) {
			newest.add(n)
		}
		err = meter.Work(sessionWork)
		return err == nil
	}
	if text := string(r.ctx.QueryArgs().Peek("user")); text == "" {
		r.view.sessions.Scan(func(_ string, n *session) bool { return each(n) })
	} else {
		user, ok := r.view.userNamed(text)
		if !ok {
			return errUserNotFound
		}
		r.view.sessionsOf(user, each)
	}
	if err != nil {
		return err
	}
	newest.sort()
	var list [][]byte
	from, to := cut(page, 0, len(newest.list))
	for _, n := range newest.list[from:to] {
		list = append(list, n.describe(r.view).raw("user", string(r.view.userRef(n.User))).close())
	}
	return r.answerPage(newest.count, list)
}

// sessionWork is what looking at a session counts for, see query.Meter.Work.
const sessionWork = 1 << 10

// newestSessions keeps the newest of many sessions.
type newestSessions struct {
	most  int
	count int // of all that were added
	list  []*session
}

func (k *newestSessions) add(n *session) {
	k.count++
	if k.list = append(k.list, n); len(k.list) >= 2*max(k.most, 1<<10) {
		k.sort()
	}
}

// sort orders those that are kept, and lets the others go.
func (k *newestSessions) sort() {
	slices.SortFunc(k.list, func(a, b *session) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), slices.Compare(a.digest[:], b.digest[:]))
	})
	k.list = k.list[:min(len(k.list), k.most)]
}

// endManagedSession ends one session of the app.
func (e *Engine) endManagedSession(r *Request) error {
	found := r.view.sessionNamed(r.param(0))
	if found == nil {
		return fault(errEntityNotFound, "there is no such session")
	}
	if err := e.committer.submit(r.app, &endSession{app: r.app, by: r.actor(), act: "end session", digest: found.digest}); err != nil {
		return err
	}
	return r.nothing()
}

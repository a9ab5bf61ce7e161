package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"postern/acl"
)

// The last requests and what was decided about them, for somebody who looks on:
// the console's Activity, postern requests, and the terminal of postern dev. It is
// in memory only, and knows no more than the addresses, who asked and the answer:
// nothing of headers and bodies.
//
// A request that was served is noted while somebody looks on. One that was refused
// or failed always is, so that what went wrong can be looked up afterwards.

const (
	logSize     = 1000             // requests that are remembered
	logWatched  = 30 * time.Second // that a reader counts as somebody who looks on
	maxLogPath  = 300              // bytes
	maxLogQuery = 200
	maxLogText  = 300
)

// A LoggedRequest is a request that was answered.
type LoggedRequest struct {
	N        int64        `json:"n"` // counts from the start of the server
	At       string       `json:"at"`
	Request  string       `json:"request"`
	Method   string       `json:"method"`
	Path     string       `json:"path"`
	App      string       `json:"app,omitempty"`
	Status   int          `json:"status"`
	Ms       float64      `json:"ms"`
	Who      LoggedWho    `json:"who"`
	Decision string       `json:"decision"` // the last of the request, "" when it needed none
	Why      *LoggedAbout `json:"why,omitempty"`
	Debug    string       `json:"debug,omitempty"` // what the client was told
}

// LoggedWho is who asked.
type LoggedWho struct {
	Role     string `json:"role"` // user, master, app, operator or nobody
	ID       string `json:"_id,omitempty"`
	Username string `json:"username,omitempty"` // of a user, e-mail address of an operator
}

// LoggedAbout is what was decided about, as why takes it.
type LoggedAbout struct {
	Collection string `json:"collection"`
	ID         string `json:"id,omitempty"`
	Right      string `json:"right"`
}

// String names who asked in a word.
func (w LoggedWho) String() string {
	switch {
	case w.Role == "user" && w.Username != "":
		return w.Username
	case w.Username != "":
		return w.Role + " " + w.Username
	}
	return strings.TrimSpace(w.Role + " " + w.ID)
}

// Line is the request in one line for a terminal.
func (l *LoggedRequest) Line() string {
	at := l.At
	if t, ok := parseTime(l.At); ok {
		at = unixTime(t).Local().Format("15:04:05.000")
	}
	line := fmt.Sprintf("%s %-6s %s %d %.1fms %s", at, l.Method, l.Path, l.Status, l.Ms, l.Who)
	for _, more := range []string{l.Decision, l.Debug} {
		if more != "" {
			line += "  " + more
		}
	}
	return plain(line, math.MaxInt)
}

// A requestLog is a ring of the last requests.
type requestLog struct {
	until atomic.Int64 // somebody looks on till then, Unix ms
	tell  func(*LoggedRequest)

	mu   sync.Mutex // guards below
	last int64
	ring [logSize]*LoggedRequest // the one of number n is at n%logSize
}

func newRequestLog(e *Engine) *requestLog {
	l := &requestLog{tell: e.config.OnRequest}
	if l.tell != nil {
		l.until.Store(math.MaxInt64)
	}
	return l
}

// wants tells whether a request is to be noted. It is asked of every request.
func (l *requestLog) wants(r *Request) bool {
	return (l.until.Load() > r.start || failedStatus(r.ctx.Response.StatusCode())) && !r.unremarkable()
}

// failedStatus tells whether a request did not do all that it asked for.
func failedStatus(status int) bool { return status == fasthttp.StatusMultiStatus || status >= 400 }

// unremarkable requests are those that only look whether there is something new:
// the log would be full of its own readers.
func (r *Request) unremarkable() bool {
	if failedStatus(r.ctx.Response.StatusCode()) {
		return false
	}
	switch r.route.path {
	case "/v4/requests", "/-/live", "/-/ready", "/-/metrics":
		return true
	}
	return r.plane == consolePlane && (r.route.page || len(r.ctx.Request.Header.Peek(headerIdle)) > 0)
}

// note remembers an answered request.
func (l *requestLog) note(r *Request, took time.Duration) {
	at := r.start
	if at == 0 {
		at = r.e.now() // refused before it had a time
	}
	q := &LoggedRequest{
		At: string(appendTime(nil, at)), Request: string(r.id), Method: plain(string(r.ctx.Method()), 16), Path: r.loggedPath(),
		Status: r.ctx.Response.StatusCode(), Ms: math.Round(float64(took.Microseconds())) / 1000,
		Who: r.loggedWho(), Why: r.loggedAbout(), Debug: plain(r.debug, maxLogText),
	}
	if r.app != nil {
		q.App = r.app.key
	}
	if r.verdict.right != 0 {
		q.Decision = plain(r.verdict.String(), maxLogText)
	}
	l.mu.Lock()
	l.last++
	q.N = l.last
	l.ring[q.N%logSize] = q
	l.mu.Unlock()
	if l.tell != nil {
		l.tell(q)
	}
}

// since returns the number of the last request, and those after n, oldest first.
func (l *requestLog) since(n int64) (last int64, list []*LoggedRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n > l.last {
		n = 0 // a number of before the server was started anew
	}
	for n = max(n, l.last-logSize); n < l.last; n++ {
		list = append(list, l.ring[(n+1)%logSize])
	}
	return l.last, list
}

// loggedPath is the path with the query. Tokens are in the paths and queries of the
// links in mails and of OAuth, so of those only the route is told.
func (r *Request) loggedPath() string {
	uri := r.ctx.URI()
	path := string(uri.PathOriginal())
	switch route := r.route.path; {
	case strings.HasPrefix(route, "/-/"), strings.HasPrefix(route, "/oauth"):
		return route
	case route == "":
		// Somebody may have mistyped one of those.
		decoded := strings.ToLower(string(uri.Path()))
		for _, prefix := range []string{"/-/", "/oauth"} {
			if strings.Contains(decoded, prefix) {
				return prefix + "..."
			}
		}
	}
	path = plain(path, maxLogPath)
	if q := uri.QueryString(); len(q) > 0 {
		path += "?" + plain(string(q), maxLogQuery)
	}
	return path
}

func (r *Request) loggedWho() LoggedWho {
	switch {
	case r.subject.Role == acl.RoleUser: // or an operator who sees as he does
		w := LoggedWho{Role: "user", ID: r.subject.ID}
		if a, ok := r.view.accounts.Get(r.subject.ID); ok {
			w.Username = a.Username
		}
		return w
	case r.operator != "":
		return LoggedWho{Role: "operator", Username: r.operator}
	case r.subject.Role == acl.RoleMaster:
		return LoggedWho{Role: "master"}
	case r.subject.Role == acl.RoleApp:
		return LoggedWho{Role: "app"}
	}
	return LoggedWho{Role: "nobody"}
}

// loggedAbout is what the decision was about, nil where why is of no use.
func (r *Request) loggedAbout() *LoggedAbout {
	about := &LoggedAbout{}
	switch {
	case r.verdict.right == 0:
		return nil
	case strings.HasPrefix(r.route.path, listPath):
		about.Collection = r.param(0)
		about.ID = r.param(1)
	case r.route.path == "/user/{kid}/{id}":
		about.Collection, about.ID = "user", r.param(0)
	default:
		return nil
	}
	switch r.verdict.right {
	case acl.Read:
		about.Right = "read"
	case acl.Write:
		about.Right = "write"
		if r.ctx.IsDelete() {
			about.Right = "delete"
		}
	case acl.ChangeACL:
		about.Right = "acl"
	case acl.Create:
		about.Right, about.ID = "create", ""
	}
	if about.Right != "create" && about.ID == "" {
		return nil
	}
	return about
}

// plain is text of at most that many bytes and without what would do something to
// a terminal.
func plain(text string, most int) string {
	if len(text) > most {
		text = text[:most]
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		if n := len(text); n > 0 && text[n-1] >= utf8.RuneSelf {
			text = text[:n-1] // the beginning of what was cut
		}
		text += "..."
	}
	return strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text)
}

// listRequests answers ?after=&app=&failed=: the requests that were noted after a
// number. Who asks looks on for a while.
func (e *Engine) listRequests(r *Request) error {
	args := r.ctx.QueryArgs()
	after, err := strconv.ParseUint("0"+string(args.Peek("after")), 10, 62)
	if err != nil {
		return fault(errOutOfRange, "after is a number that an earlier answer gave as last")
	}
	app, failed := string(args.Peek("app")), string(args.Peek("failed")) == "true"
	e.log.watch(r.start)
	answer := struct {
		Last int64            `json:"last"`
		List []*LoggedRequest `json:"list"`
	}{List: []*LoggedRequest{}}
	last, list := e.log.since(int64(after))
	answer.Last = last
	for _, q := range list {
		if (app == "" || q.App == app) && (!failed || failedStatus(q.Status)) {
			answer.List = append(answer.List, q)
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, body)
}

// watch notes that somebody looks on.
func (l *requestLog) watch(now int64) {
	until := now + logWatched.Milliseconds()
	for {
		old := l.until.Load()
		if old >= until || l.until.CompareAndSwap(old, until) {
			return
		}
	}
}

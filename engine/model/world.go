package model

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// A World makes random requests about a model: most of them good ones, from
// somebody who is there about something that is there, and all from small sets
// of names, so that they meet. It looks into the model for what to ask next,
// but changes nothing in it.
type World struct {
	r         *rand.Rand
	m         *Model
	passwords int
	gone      string // a user who was, or was to be, deleted
	deltas    bool   // collections are to remember their changes
}

// NewWorld returns a world that goes the same way whenever seed, number and
// the answers are the same.
func NewWorld(m *Model, seed, number uint64) *World {
	return &World{r: rand.New(rand.NewPCG(seed, number)), m: m, deltas: Deltas(number)}
}

// Deltas says whether the world of this number has delta sets. It is not every
// one, because a server that knows of none goes about times in another way.
func Deltas(number uint64) bool { return number%2 == 0 }

// A draft is a request in the making.
type draft struct {
	app      *app
	method   string
	segments []string // of the path, decoded
	query    []string // name and raw value in turn
	body     string
	auth     string // header value; "" is none
	good     bool   // auth is somebody's
	user     *record
	version  string // of the API; "" for any
	raw      string // the path as it is, instead of segments and query
}

// Next returns the next request.
func (w *World) Next() Request {
	d := &draft{app: w.m.apps[0]}
	if len(w.m.apps) > 1 && w.in(100) < 15 {
		d.app = w.m.apps[1]
	}
	w.sender(d)
	w.act(d)
	return w.finish(d)
}

func (w *World) in(n int) int { return w.r.IntN(n) }

func (w *World) pick(from ...string) string { return from[w.in(len(from))] }

// act decides what is asked for.
func (w *World) act(d *draft) {
	if len(w.active(d.app)) < 4 && w.in(100) < 30 {
		w.signUp(d)
		return
	}
	acts := []struct {
		weight int
		act    func(*draft)
	}{
		{15, w.signUp}, {45, w.logIn}, {12, w.logOut}, {20, w.me},
		{25, w.getUser}, {20, w.listUsers}, {10, w.countUsers}, {20, w.lookup}, {40, w.putUser},
		{8, w.deleteUser}, {4, w.deleteUsers}, {6, w.restoreUser}, {8, w.endTokens}, {8, w.usernameExists}, {3, w.resetPassword},
		{120, w.createEntity}, {190, w.putEntity}, {130, w.getEntity}, {170, w.listEntities},
		{40, w.countEntities}, {50, w.groupBy}, {90, w.deltaSet}, {50, w.deleteEntity}, {15, w.deleteByQuery},
		{65, w.putGroup}, {15, w.postGroup}, {20, w.getGroup}, {10, w.deleteGroup}, {8, w.listGroups},
		{25, w.putCollection}, {10, w.otherManagement}, {20, w.oddPath}, {8, w.handshake},
	}
	sum := 0
	for _, a := range acts {
		sum += a.weight
	}
	n := w.in(sum)
	for _, a := range acts {
		if n -= a.weight; n < 0 {
			a.act(d)
			return
		}
	}
}

// finish turns a draft into a request, in one of the many ways in which
// clients write the same.
func (w *World) finish(d *draft) Request {
	req := Request{Method: d.method, Path: d.raw, Header: map[string]string{}}
	if d.body != "" {
		req.Body = []byte(d.body)
	}
	if req.Path == "" {
		for _, s := range d.segments {
			req.Path += "/" + w.escape(s)
		}
		if w.in(10) == 0 {
			req.Path += "/"
		}
		if w.in(20) == 0 {
			d.query = append(d.query, "_", "0.123")
		}
		for i := 0; i+1 < len(d.query); i += 2 {
			req.Path += string("?&"[min(i, 1)]) + d.query[i] + "=" + w.escapeQuery(d.query[i+1])
		}
	}
	if d.auth != "" {
		req.Header[w.pick("Authorization", "Authorization", "authorization")] = d.auth
	}
	version := w.pick("3", "3", "4", "4", "5", "5", "6")
	if w.in(25) == 0 && d.good && !strings.HasPrefix(req.Path, "/v4/") {
		version = w.pick("", "", "0", "1", "2", "7", "x", "-1", "1.5")
	}
	if d.version != "" {
		version = d.version
	}
	if version != "" {
		req.Header[w.pick("X-Kinvey-API-Version", "X-Kinvey-Api-Version", "x-kinvey-api-version")] = version
	}
	if w.in(3) > 0 {
		req.Header["Content-Type"] = "application/json; charset=utf-8"
	}
	return req
}

// escape writes a path segment: what must be encoded is, and sometimes what
// need not be.
func (w *World) escape(segment string) string {
	all := w.in(30) == 0 && !fixedSegment(segment)
	var b strings.Builder
	for _, c := range []byte(segment) {
		switch {
		case !all && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0):
			b.WriteByte(c)
		case !all && c == '+' && w.in(2) == 0:
			b.WriteByte(c) // a plus in a path is a plus
		case w.in(2) == 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// fixedSegment tells the words of the routes, which nobody ever encodes.
func fixedSegment(segment string) bool {
	for _, r := range routes {
		for _, word := range strings.Split(r.pattern, "/") {
			if word == segment {
				return true
			}
		}
	}
	return false
}

func (w *World) escapeQuery(value string) string {
	plus := w.in(2) == 0
	var b strings.Builder
	for _, c := range []byte(value) {
		switch {
		case c == ' ' && plus:
			b.WriteByte('+')
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~,:", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// sender decides who asks, and with which credentials.
func (w *World) sender(d *draft) {
	switch n := w.in(1000); {
	case n < 770:
		w.bySession(d)
	case n < 820:
		w.byBasic(d)
	case n < 915:
		w.byMaster(d)
	case n < 940:
		w.byApp(d)
	default:
		w.byStranger(d)
	}
}

func (w *World) bySession(d *draft) {
	if len(d.app.sessions) == 0 {
		w.byBasic(d)
		return
	}
	s := d.app.sessions[w.in(len(d.app.sessions))]
	d.auth, d.good, d.user = w.pick("Kinvey ", "Kinvey ", "Kinvey ", "kinvey ", "KINVEY  ")+s.token, true, s.user
}

// byOwner often lets the creator of a record ask, if it is there and he has a
// session.
func (w *World) byOwner(d *draft, r *record) {
	if r == nil || d.user == nil || w.in(10) < 6 {
		return
	}
	for _, s := range d.app.sessions {
		if s.user.id == r.acl.Creator {
			d.auth, d.good, d.user = "Kinvey "+s.token, true, s.user
			return
		}
	}
}

func (w *World) byBasic(d *draft) {
	users := w.active(d.app)
	if len(users) == 0 {
		w.byMaster(d)
		return
	}
	u := users[w.in(len(users))]
	name, _ := u.body.get("username")
	d.auth, d.good, d.user = w.basic(name.(string), u.password), true, u
}

func (w *World) byMaster(d *draft) {
	d.auth, d.good, d.user = w.basic(d.app.Key, d.app.MasterSecret), true, nil
}

func (w *World) byApp(d *draft) {
	d.auth, d.good, d.user = w.basic(d.app.Key, d.app.Secret), true, nil
}

// byStranger sends credentials that are none here.
func (w *World) byStranger(d *draft) {
	d.good, d.user = false, nil
	other := w.m.apps[len(w.m.apps)-1]
	if other == d.app {
		other = w.m.apps[0]
	}
	switch w.in(12) {
	case 0, 1:
		d.auth = ""
	case 2:
		d.auth = w.pick("Basic", "Basic !!!", "Kinvey", "Kinvey x", "Bearer abc", "nonsense",
			"Basic "+base64.StdEncoding.EncodeToString([]byte("no colon")), d.app.Key+":"+d.app.MasterSecret)
	case 3, 4:
		if other != d.app && len(other.sessions) > 0 {
			d.auth = "Kinvey " + other.sessions[w.in(len(other.sessions))].token
		}
	case 5:
		d.auth = w.basic(other.Key, w.pick(other.Secret, other.MasterSecret))
		if other == d.app {
			d.auth = ""
		}
	case 6:
		d.auth = w.basic(d.app.Key, w.pick("", "wrong", strings.Repeat("0", 32)))
	case 7, 8, 9:
		w.byDeadToken(d)
	case 10: // the right password of somebody who may be suspended
		if users := d.app.users.records; len(users) > 0 {
			u := users[w.in(len(users))]
			name, _ := u.body.get("username")
			d.auth = w.basic(name.(string), u.password)
		}
	default:
		w.byBasic(d)
		if d.user != nil {
			name, _ := d.user.body.get("username")
			d.auth = w.basic(name.(string), w.pick("wrong", d.app.Secret))
		}
		d.good, d.user = false, nil
	}
}

// byDeadToken uses a token that was good once; it may be good still.
func (w *World) byDeadToken(d *draft) {
	tokens := d.app.tokens
	if len(tokens) > 8 && w.in(2) == 0 {
		tokens = tokens[len(tokens)-8:]
	}
	if len(tokens) > 0 {
		d.auth = "Kinvey " + tokens[w.in(len(tokens))]
	}
}

func (w *World) basic(name, secret string) string {
	return w.pick("Basic ", "Basic ", "Basic ", "basic ", "BASIC  ") + base64.StdEncoding.EncodeToString([]byte(name+":"+secret))
}

func (w *World) active(a *app) []*record {
	var list []*record
	for _, u := range a.users.records {
		if !u.suspended {
			list = append(list, u)
		}
	}
	return list
}

// Names. Whatever is named may be there or not, and one name may be that of a
// user, a group, an entity and the app at once.

func (w *World) userID(a *app) string {
	if users := a.users.records; len(users) > 0 && w.in(20) > 0 {
		return users[w.in(len(users))].id
	}
	return w.pick("g1", "e1", a.Key, "nobody", "0123456789abcdef01234567")
}

func (w *World) groupID(a *app) string {
	if w.in(8) == 0 && len(a.users.records) > 0 {
		return a.users.records[0].id
	}
	if w.in(25) == 0 && len(a.groups.records) > 0 {
		return a.groups.records[w.in(len(a.groups.records))].id
	}
	return w.pick("g1", "g1", "g2", "g2", "g3", "g4", "e1", "g x", "gone")
}

func (w *World) collectionName() string {
	return w.pick("books", "books", "books", "books", "notes", "notes", "c-3_X")
}

func (w *World) entityID(a *app, coll string) string {
	if in := a.collection(coll); in != nil && len(in.records) > 0 && w.in(10) < 7 {
		return in.records[w.in(len(in.records))].id
	}
	switch w.in(12) {
	case 0:
		return w.userID(a)
	case 1:
		return w.groupID(a)
	}
	return w.pick("e1", "e2", "e3", "e4", "e5", "a b", "x/y", "ü", "p+q", "100%", a.Key, "A\"B\\")
}

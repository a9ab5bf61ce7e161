package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/auth"
	"postern/engine/document"
	"postern/engine/query"
)

// A Request is one HTTP request on its way through a handler. It borrows from
// the fasthttp context and must not outlive the handler: what is kept is
// copied.
type Request struct {
	ctx     *fasthttp.RequestCtx
	e       *Engine
	route   *mounted
	id      []byte // X-Kinvey-Request-Id; of the request or of ownID
	start   int64  // Unix ms, taken before the view
	version int    // effective API version
	plane   plane  // through which it came
	sent    headerScan

	app        *app
	view       *appState // the app at one moment: permissions and contents of the answer
	subject    acl.Subject
	principals acl.Principals
	session    *session // nil: not authenticated by a token
	operator   string   // e-mail of the operator, "" when none
	console    *session // of the console, nil elsewhere
	verdict    verdict  // the last that was decided, for the log of requests
	debug      string   // what a refusal says to the client

	params  [4]string // path parameters, decoded
	buffer  *[]byte   // of the body, nil until it was read
	arrived bool      // the body is in the buffer, whole
	turn    turn      // of an expensive query
	until   time.Time // when the time of its queries is over; zero: never

	// What has its room here because a request needs it once.
	ownID   [36]byte
	digest  auth.Digest // of the presented token
	asked   query.Query
	planned plan
	meters  query.Meter
	grants  acl.Scratch
	place   []byte      // of something created
	over    func() bool // outOfTime; never changes
	left    func() time.Duration
}

// requests are pooled: nothing that one of them needs is allocated anew.
var requests = sync.Pool{New: func() any {
	r := new(Request)
	r.over, r.left = r.outOfTime, r.timeLeft
	return r
}}

// reset makes of a request another one.
func (r *Request) reset() {
	r.grants.Forget()
	*r = Request{grants: r.grants, place: r.place, over: r.over, left: r.left}
}

// handler does the work of one route. It answers through the Request or
// returns an error, never both.
type handler func(*Request) error

// param returns the n-th path parameter after the app key.
func (r *Request) param(n int) string { return r.params[n] }

// body returns the request's JSON body. It is Missing when there is none.
func (r *Request) body(rules document.Rules) (document.Value, error) {
	b, err := r.bytes()
	if err != nil || len(b) == 0 {
		return document.Value{}, err
	}
	return document.Parse(b, rules)
}

// object returns the request's body, which must be a JSON object. Clients send
// nothing at all where they have nothing to say, so no body reads as {}.
func (r *Request) object() (document.Value, error) {
	v, err := r.body(document.Body)
	if err != nil {
		return v, err
	}
	return asObject(v)
}

func asObject(v document.Value) (document.Value, error) {
	switch {
	case v.Kind() == document.Missing:
		return document.Trusted([]byte("{}")), nil
	case v.Kind() != document.Object:
		return v, fault(errJSON, "the body must be a JSON object")
	}
	return v, nil
}

// json answers with a body of JSON text, which is not kept.
func (r *Request) json(status int, body []byte) error {
	r.ctx.SetStatusCode(status)
	r.ctx.Response.AppendBody(body)
	return nil
}

// immutable answers with JSON text that nobody ever changes, without copying.
func (r *Request) immutable(status int, body []byte) error {
	r.ctx.SetStatusCode(status)
	r.ctx.Response.SetBodyRaw(body)
	return nil
}

// nothing answers 204.
func (r *Request) nothing() error {
	r.ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}

// count answers {"count":n}.
func (r *Request) count(n int) error {
	var room [32]byte
	b := append(room[:0], `{"count":`...)
	b = strconv.AppendInt(b, int64(n), 10)
	return r.json(fasthttp.StatusOK, append(b, '}'))
}

// location sets the Location header of something created.
func (r *Request) location(resource string, segments ...string) {
	b := append(append(r.place[:0], '/'), resource...)
	b = appendSegment(append(b, '/'), r.app.key)
	for _, s := range segments {
		b = appendSegment(append(b, '/'), s)
	}
	r.place = b
	r.ctx.Response.Header.SetBytesV("Location", b)
}

// decide asks acl.Decide for the requester and turns a no into an error that
// carries the decision.
func (r *Request) decide(level acl.Level, a *acl.ACL, right acl.Right) error {
	v, err := decide(r.subject, level, a, right)
	r.verdict = v
	return err
}

func decide(s acl.Subject, level acl.Level, a *acl.ACL, right acl.Right) (verdict, error) {
	v := verdict{acl.Decide(s, level, a, right), right}
	if v.Allowed {
		return v, nil
	}
	return v, &denied{verdict: v}
}

// A verdict is a decision and what it was about.
type verdict struct {
	acl.Decision
	right acl.Right
}

// denied is the refusal by a decision. Clients see errInsufficient, the log
// sees the reason.
type denied struct {
	verdict verdict
	debug   string
}

func (d *denied) Error() string { return d.verdict.String() }

// Unwrap makes every denial the one row of the error table that is for it.
func (d *denied) Unwrap() error { return fault(errInsufficient, "%s", d.debug) }

// decodeSegment decodes a path segment, once. "+" stays a plus.
func decodeSegment(raw string) (string, error) {
	escaped := false
	for i := range len(raw) {
		if raw[i] == '%' {
			escaped = true
			break
		}
	}
	if escaped {
		b := make([]byte, 0, len(raw))
		for i := 0; i < len(raw); i++ {
			if raw[i] != '%' {
				b = append(b, raw[i])
				continue
			}
			if i+2 >= len(raw) {
				return "", fault(errIdentifier, "broken percent-encoding in the path")
			}
			hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
			if hi < 0 || lo < 0 {
				return "", fault(errIdentifier, "broken percent-encoding in the path")
			}
			b = append(b, byte(hi<<4|lo))
			i += 2
		}
		raw = string(b)
	}
	if !utf8.ValidString(raw) {
		return "", fault(errIdentifier, "the path is not UTF-8")
	}
	return raw, nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// appendSegment percent-encodes a path segment.
func appendSegment(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~' {
			dst = append(dst, c)
		} else {
			dst = fmt.Appendf(dst, "%%%02X", c)
		}
	}
	return dst
}

// validID tells whether an id of an entity, user or group may be used, in a
// body or in a path: 1 to 256 bytes of UTF-8 without control characters, not
// "." or "..", and not a name that is a route of its own.
func validID(id string) error {
	if id == "" || len(id) > 256 || !utf8.ValidString(id) || id == "." || id == ".." || reservedID[id] {
		return fault(errIdentifier, "an _id is 1 to 256 bytes of UTF-8 and no reserved name")
	}
	for _, c := range id {
		if c < 0x20 || 0x7f <= c && c <= 0x9f {
			return fault(errIdentifier, "an _id has no control characters")
		}
	}
	return nil
}

// reservedID are the names that paths have in the place of an id. "_" is one of
// them because the router, on its way to the others, does not find it.
var reservedID = map[string]bool{
	"_":      true,
	"_count": true, "_group": true, "_deltaset": true, "_subscribe": true, "_unsubscribe": true,
	"_lookup": true, "_me": true, "_logout": true, "login": false, "_restore": true,
}

// validCollection tells whether a name may name a collection in /appdata.
func validCollection(name string) error {
	if name == "user" || name == "group" || name == "_blob" {
		return errIndirect
	}
	if !collectionName(name) {
		return fault(errIdentifier, "a collection's name is 1 to 123 letters, digits, '-' and '_', and does not begin with '_'")
	}
	return nil
}

func collectionName(name string) bool {
	if name == "" || len(name) > 123 || name[0] == '_' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// client is the address that the request comes from: that of the peer, or, when
// the peer is a trusted proxy, the last one in X-Forwarded-For that is not. What
// stands before it there may be anybody's invention.
func (r *Request) client() netip.Addr {
	addr := addressOf(r.ctx.RemoteAddr())
	if !r.e.trusted(addr) {
		return addr
	}
	var hops []string
	for _, line := range r.ctx.Request.Header.PeekAll("X-Forwarded-For") {
		hops = append(hops, strings.Split(string(line), ",")...)
	}
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr // the last that makes sense
		}
		if addr = next.Unmap(); !r.e.trusted(addr) {
			return addr
		}
	}
	return addr
}

func (e *Engine) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(e.config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// network is the part of the client's address that limits count by; "" where
// there are none.
func (r *Request) network() string {
	addr := r.client()
	if r.e.config.TrustLoopback && addr.IsLoopback() {
		return ""
	}
	return auth.Network(addr)
}

package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"postern/acl"
	"postern/auth"
)

// An actor is who asked for a change, and how he came.
type actor struct {
	By      string // "operator <e-mail>", "master", "user <id>", "app", "socket", "server"
	Via     string // "api", "console", "socket"; "" when nobody asked
	Request string // id of the request
	Network string // that it came from
}

// byServer is the server itself: seeding, and what it does unasked.
var byServer = actor{By: "server"}

// actor says who makes the request. A request that nobody made, nil, is the
// server's own.
func (r *Request) actor() actor {
	if r == nil {
		return byServer
	}
	a := actor{Via: "api", Request: string(r.id), Network: auth.Network(r.client())}
	switch {
	case r.plane == socketPlane:
		a.Via, a.By = "socket", "socket"
		return a
	case r.plane == consolePlane:
		a.Via = "console"
	}
	if a.By = subjectName(r.subject); r.operator != "" {
		a.By = "operator " + r.operator
	}
	return a
}

// as is the actor when it is known better who he is than the request tells.
func (a actor) as(by string) actor {
	a.By = by
	return a
}

// subjectName names a subject for the audit.
func subjectName(s acl.Subject) string {
	switch s.Role {
	case acl.RoleUser:
		return "user " + s.ID
	case acl.RoleMaster:
		return "master"
	case acl.RoleApp:
		return "app"
	}
	return "nobody"
}

// An audited intent says who asked for it and what it is called. What it changed,
// before and after, is read off its rows (audit_changes.go), so an intent has to
// say no more. It is asked only when something has changed.
type audited interface {
	audit() auditLine
}

// A noted intent says itself what the audit says of it. Its rows are none of the
// audit's business, or there are none.
type noted interface {
	notes() []auditLine
}

// A summed intent is told in its own line alone, not in one for each thing that it
// changes.
type summed interface {
	audited
	summed()
}

// auditLine is one record of the audit in the making. It holds no secret and no body.
type auditLine struct {
	actor
	Kind       string // "": kindChange
	Act        string // "": what the rows say
	App        string
	Collection string // "user" and "group" for those
	Item       string // what was changed: an id, a name, an address; "": the app or the collection
	Before     json.RawMessage
	After      json.RawMessage
	Count      int64 // how many of what the line is about, when it is about many
}

func (l *auditLine) kind() string { return cmp.Or(l.Kind, kindChange) }

// The bounds of what one intent writes into the audit: that of one side of a change,
// and that of all lines. What is beyond is told by its size and its digest.
const (
	maxAuditSide  = 24 << 10
	maxAuditLines = 80 << 10
)

// size is how many bytes the record of the line takes at most, once it is bounded.
func (l *auditLine) size() int {
	const fixed = 640 // the store's, the names of the members, numbers and the hash
	const escaped = 6 // what one byte of a text may become in JSON
	texts := len(l.By) + len(l.Act) + len(l.App) + len(l.Collection) + len(l.Item) + len(l.Request) + len(l.Network)
	return fixed + escaped*texts + len(l.Before) + len(l.After)
}

// bounded keeps the lines of one intent small enough to fit beside its rows.
func bounded(lines []auditLine) []auditLine {
	total := 0
	for i := range lines {
		l := &lines[i]
		l.Before, l.After = boundedSide(l.Before), boundedSide(l.After)
		if total += l.size(); total > maxAuditLines && i > 0 {
			rest := int64(len(lines) - i)
			lines[i] = auditLine{actor: l.actor, Act: "and more changes", App: l.App, Count: rest}
			return lines[:i+1]
		}
	}
	return lines
}

func boundedSide(text json.RawMessage) json.RawMessage {
	if text == nil {
		return nil
	}
	if text = encodeRow(text); len(text) <= maxAuditSide { // as long as it will be stored
		return text
	}
	sum := sha256.Sum256(text)
	return new(jsonObject).number("bytes", int64(len(text))).text("sha256", hex.EncodeToString(sum[:])).close()
}

package engine

import (
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

// auditLine is one line of the audit in the making. It holds no secret and no body.
type auditLine struct {
	actor
	Act        string
	App        string
	Collection string
	Item       string // what was changed: an id, a name, an address
}

package engine

import (
	"postern/acl"
	"postern/auth"
	"postern/engine/document"
)

// headerImport lets the master bring users over from another system: with
// their id, owner, times, state and the hash of their password.
const headerImport = "X-Kinvey-Master-Create-User"

// importing tells whether the request is such an import.
func (r *Request) importing() bool {
	return r.subject.Role == acl.RoleMaster && string(r.ctx.Request.Header.Peek(headerImport)) == "true"
}

// An imported user is what an import says of him beyond what he could say
// himself.
type imported struct {
	id       string // "": made up
	phc      string // of the password, "": none was given as a hash
	ect, lmt int64  // Unix ms, 0: now
	row      privateRow
}

// readImport reads the members that only an import may carry. email is the
// decoded address of the same body.
func readImport(doc document.Value, email string) (*imported, error) {
	in := new(imported)
	var err error
	if id := doc.Get("_id"); id.Kind() != document.Missing {
		if in.id, err = readID(id); err != nil {
			return nil, err
		}
	}
	if p := doc.Get("password"); p.Kind() == document.Object {
		kind, hash := p.Get("type"), p.Get("hash")
		if kind.Kind() != document.String || hash.Kind() != document.String {
			return nil, fault(errOutOfRange, "a password that is imported has a type and a hash")
		}
		if in.phc, err = auth.ImportHash(kind.Text(), hash.Text()); err != nil {
			return nil, fault(errOutOfRange, "this type of password hash cannot be imported")
		}
	}
	kmd := doc.Get("_kmd")
	in.ect, in.lmt = timeOf(kmd.Get("ect")), timeOf(kmd.Get("lmt"))
	in.row.LastLogin = timeOf(kmd.Get("llt"))
	if status := kmd.Get("status"); status.Get("val").TextIs("disabled") {
		in.row.Suspended = max(timeOf(status.Get("lastChange")), 1)
	} else if status.Get("val").TextIs("lockedDown") {
		in.row.Locked = max(timeOf(status.Get("lastChange")), 1)
	}
	if v := kmd.Get("emailVerification"); v.Get("status").TextIs("confirmed") && email != "" && v.Get("emailAddress").TextIs(email) {
		at := max(timeOf(v.Get("lastConfirmedAt")), timeOf(v.Get("lastStateChangeAt")), 1)
		in.row.Mail = &mailRow{Address: email, Confirmed: at, Verify: mailState{Asked: at}}
	}
	return in, nil
}

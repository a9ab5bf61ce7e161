package model

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern/acl/oracle"
)

// A body is what a client sent to be stored.
type body struct {
	object  Object
	id      string // "" when the server is to choose
	aclText Object
	acl     *oracle.ACL // nil when none was sent
}

// readBody reads a body to be stored: all that can be wrong with it on its own.
func (c *call) readBody() (body, *Response) {
	var b body
	object, refusal := c.readObject(true)
	if refusal != nil {
		return b, refusal
	}
	b.object = object
	bad := func(name string) (body, *Response) {
		r := refuse(name)
		return body{}, &r
	}
	switch id, _ := object.get("_id"); id := id.(type) {
	case nil:
	case string:
		if !validID(id) {
			return bad("InvalidIdentifier")
		}
		b.id = id
	default:
		return bad("InvalidIdentifier")
	}
	sent, _ := object.get("_acl")
	a, err := oracle.ACLOf(plain(sent))
	if errors.Is(err, oracle.ErrTooMany) {
		r := Response{Status: 413, Error: "BadRequest"}
		return body{}, &r
	}
	if err != nil {
		return bad("ParameterValueOutOfRange")
	}
	if b.acl = a; a != nil {
		b.aclText = sent.(Object)
	}
	if geo, _ := object.get("_geoloc"); geo != nil && !validPoint(geo) {
		return bad("ParameterValueOutOfRange")
	}
	return b, nil
}

// readObject reads a body that must be an object. An empty one is {}.
func (c *call) readObject(storable bool) (Object, *Response) {
	if len(c.req.Body) == 0 {
		return Object{}, nil
	}
	v, err := parse(c.req.Body, storable)
	name := "JSONParseError"
	if err == errBadKey {
		name = "ParameterValueOutOfRange"
	}
	object, ok := v.(Object)
	if err != nil || !ok {
		r := refuse(name)
		return nil, &r
	}
	return object, nil
}

// content is what a client sent, without what the server keeps itself.
func (b body) content() Object { return bare(b.object.without("_id", "_acl", "_kmd")).(Object) }

// sentTimes says whether a body holds _kmd.ect or _kmd.lmt, which the master
// may import.
func (b body) sentTimes() bool {
	kmd, _ := b.object.get("_kmd")
	o, _ := kmd.(Object)
	_, ect := o.get("ect")
	_, lmt := o.get("lmt")
	return ect || lmt
}

// setACL gives a new record the ACL that was sent with it (R8).
func (r *record) setACL(b body, creator string) {
	var text Object
	if b.acl != nil {
		text = b.aclText
	}
	if _, ok := text.get("creator"); ok {
		text = text.with("creator", creator)
	} else {
		text = append(Object{{"creator", creator}}, text...)
	}
	r.aclText = text
	a, err := oracle.ACLOf(plain(text))
	if err != nil {
		panic(err)
	}
	r.acl = a
}

// amendACL stores the ACL that was sent with an update, if who may do that
// (R7, R9).
func (r *record) amendACL(who oracle.Who, b body) {
	if !oracle.StoresSent(who, r.acl, b.acl) {
		return
	}
	creator := r.acl.Creator
	if who.Role == oracle.Master && b.acl.Creator != "" {
		creator = b.acl.Creator
	}
	r.setACL(b, creator)
}

// creator is whom a record belongs to that the caller creates.
func (c *call) creator(b body) string {
	switch {
	case c.who.Role == oracle.User:
		return c.who.ID
	case b.acl != nil && b.acl.Creator != "":
		return b.acl.Creator
	}
	return c.app.Key
}

// whatHeSent is the answer to a writer who may not read what he has written.
func whatHeSent(r *record, content Object) Object {
	doc := append(Object{{"_id", r.id}}, content...)
	return append(doc,
		Member{"_acl", Object{{"creator", r.acl.Creator}}},
		Member{"_kmd", Object{{"lmt", r.lmt}, {"ect", r.ect}}})
}

// reservedNames can never be ids.
var reservedNames = []string{".", "..", "_", "_count", "_group", "_deltaset", "_subscribe", "_unsubscribe"}

func validID(id string) bool {
	if len(id) == 0 || len(id) > 256 || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return false
	}
	for _, name := range reservedNames {
		if id == name {
			return false
		}
	}
	return true
}

func validCollectionName(name string) bool {
	if len(name) == 0 || len(name) > 123 || name[0] == '_' {
		return false
	}
	for _, b := range []byte(name) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}

// validPoint says whether v is [longitude, latitude].
func validPoint(v any) bool {
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return false
	}
	for i, limit := range []float64{180, 90} {
		n, ok := list[i].(interface{ Float64() (float64, error) })
		if !ok {
			return false
		}
		if f, err := n.Float64(); err != nil || f < -limit || f > limit {
			return false
		}
	}
	return true
}

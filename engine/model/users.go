package model

import (
	"strings"
	"unicode"

	"postern/acl/oracle"
)

// kept are the members of a user's body that the server does not take as they
// come.
var kept = []string{"_id", "_acl", "_kmd", "_socialIdentity", "username", "password", "email"}

// custom is what a client sent of a user's own fields.
func (b body) custom() Object { return bare(b.object.without(kept...)).(Object) }

// userBody is a user as it is served: extra are further members of _kmd, and
// those that may be there without harm are let through.
func (c *call) userBody(u *record, m map[string]any, extra map[string]any) map[string]any {
	kmd := map[string]any{
		"ect":               u.ect,
		"lmt":               u.lmt,
		"llt":               optional(Check(isTime)),
		"emailVerification": anything,
		"passwordReset":     anything,
		"roles":             anything,
	}
	if u.llt != "" {
		kmd["llt"] = optional(u.llt)
	}
	for name, v := range extra {
		kmd[name] = v
	}
	m["_kmd"] = kmd
	return m
}

func (c *call) signUp() Response {
	b, refusal := c.readBody()
	if refusal != nil {
		return *refusal
	}
	username, ok := optionalText(b.object, "username")
	password, ok2 := optionalText(b.object, "password")
	if !ok || !ok2 || username != "" && !c.validUsername(username) {
		return refuse("ParameterValueOutOfRange")
	}
	if username == "" {
		username = c.chosen(secretShape, "user-"+c.m.id(), "username")
	}
	if password == "" {
		password = c.chosen(secretShape, "password-"+c.m.id(), "password")
	}
	if c.app.userNamed(username) != nil {
		return refuse("UserAlreadyExists")
	}
	u := &record{id: c.newID(c.app.users), password: password}
	u.body = append(Object{{"username", username}}, b.custom()...)
	if email, _ := b.object.get("email"); email != nil {
		u.body = append(u.body, Member{"email", email})
	}
	u.setACL(b, u.id)
	c.stampCreated(u, false)
	c.app.users.records = append(c.app.users.records, u)

	// The token is for whoever signs up; whether the master gets one is open.
	var token any = Check(absent)
	_, told := c.told("_kmd", "authtoken")
	if c.version < 6 && (c.who.Role == oracle.App || told) {
		token = c.newSession(u)
	}
	u.llt, _ = c.told("_kmd", "llt")
	m := c.userBody(u, served(u.doc()), map[string]any{"authtoken": token})
	m["password"] = password
	return answer(201, m)
}

// newSession takes over the token of a session that begins with this request.
func (c *call) newSession(u *record) string {
	token := c.chosen(tokenShape, c.m.token(), "_kmd", "authtoken")
	c.startSession(u, token)
	return token
}

// optionalText is a member that is a string, or "" when it is null or absent.
func optionalText(o Object, name string) (text string, ok bool) {
	v, _ := o.get(name)
	if v == nil {
		return "", true
	}
	text, ok = v.(string)
	return text, ok
}

func (c *call) validUsername(name string) bool {
	return name != c.app.Key && !strings.Contains(name, ":") && !strings.ContainsFunc(name, unicode.IsControl)
}

func (c *call) login() Response {
	o, refusal := c.readObject(false)
	if refusal != nil {
		return *refusal
	}
	username, ok := optionalText(o, "username")
	password, ok2 := optionalText(o, "password")
	if !ok || !ok2 || username == "" || password == "" {
		return refuse("IncompleteRequestBody")
	}
	u := c.app.userNamed(username)
	if u == nil || u.suspended || u.password != password {
		return refuse("InvalidCredentials")
	}
	token := c.newSession(u)
	u.llt = c.chosen(timeShape, c.m.time(), "_kmd", "llt")
	return answer(200, c.userBody(u, served(u.doc()), map[string]any{"authtoken": token, "llt": u.llt}))
}

func (c *call) logout() Response {
	if c.session != nil {
		c.app.endSession(c.session)
	}
	return answer(204, nil)
}

func (c *call) me() Response {
	extra := map[string]any{}
	if c.session != nil && c.version < 6 {
		extra["authtoken"] = c.session.token
	}
	if c.user.llt != "" {
		extra["llt"] = c.user.llt
	}
	return answer(200, c.userBody(c.user, served(c.user.doc()), extra))
}

// userInPath finds a user that the caller may know of at all: suspended ones
// are for the master.
func (c *call) userInPath() (*record, *Response) {
	if refusal := c.idNamed(); refusal != nil {
		return nil, refusal
	}
	return c.app.users.find(c.parameters["id"]), nil
}

func (c *call) hidden(u *record) bool {
	return u == nil || u.suspended && c.who.Role != oracle.Master
}

func (c *call) getUser() Response {
	u, refusal := c.userInPath()
	if refusal != nil {
		return *refusal
	}
	if c.hidden(u) {
		return refuse("UserNotFound")
	}
	if u.id != c.who.ID && !c.may(oracle.Read, c.app.users, u) {
		return refuse("InsufficientCredentials")
	}
	return answer(200, c.userBody(u, served(u.doc()), statusOf(u)))
}

// statusOf is what _kmd says of a suspended user.
func statusOf(u *record) map[string]any {
	if !u.suspended {
		return nil
	}
	return map[string]any{"status": map[string]any{"val": "disabled", "lastChange": Check(isTime)}}
}

func (c *call) listUsers() Response {
	s, refusal := c.search()
	if refusal != nil {
		return *refusal
	}
	var docs []Object
	for _, u := range c.readable(c.app.users, s.filter) {
		docs = append(docs, u.doc())
	}
	r, refusal := c.readResolving()
	if refusal != nil {
		return *refusal
	}
	list := []any{}
	for _, doc := range s.page(docs) {
		id, _ := doc.get("_id")
		list = append(list, c.userBody(c.app.users.find(id.(string)), r.value(doc).(map[string]any), nil))
	}
	if r.tooMany() {
		return refuse("ParameterValueOutOfRange")
	}
	return answer(200, list)
}

func (c *call) countUsers() Response {
	filter, err := parseFilter(c.query.Get("query"))
	if err != nil {
		return refuse(filterError(err))
	}
	return count(len(c.readable(c.app.users, filter)))
}

// publicFields are what a lookup may ask for and shows (R13).
var publicFields = []string{"_id", "username", "email", "first_name", "last_name"}

func (c *call) lookup() Response {
	sent, refusal := c.readObject(false)
	if refusal != nil {
		return *refusal
	}
	filter, err := parseFilter(text(sent))
	if err != nil {
		return refuse(filterError(err))
	}
	if !onlyPublic(sent) {
		return refuse("InvalidQuerySyntax")
	}
	shown := publicFields
	if len(sent) == 0 {
		shown = publicFields[:2]
	}
	list := []any{}
	for _, u := range c.app.users.records {
		doc := u.doc()
		if u.suspended || !matches(filter, doc) {
			continue
		}
		m := map[string]any{}
		for _, name := range shown {
			if v, ok := doc.get(name); ok {
				m[name] = plain(v)
			}
		}
		list = append(list, m)
	}
	return answer(200, list)
}

func onlyPublic(filter Object) bool {
	for _, m := range filter {
		if m.Name == "$and" || m.Name == "$or" || m.Name == "$nor" {
			for _, e := range m.Value.([]any) {
				if !onlyPublic(e.(Object)) {
					return false
				}
			}
			continue
		}
		public := false
		for _, name := range publicFields {
			public = public || m.Name == name
		}
		if !public {
			return false
		}
	}
	return true
}

func (c *call) usernameExists() Response {
	o, refusal := c.readObject(false)
	if refusal != nil {
		return *refusal
	}
	name, ok := optionalText(o, "username")
	if !ok || name == "" {
		return refuse("MissingRequestParameter")
	}
	return answer(200, map[string]any{"usernameExists": c.app.userNamed(name) != nil})
}

// resetPassword tells nobody whether there is such a user.
func (c *call) resetPassword() Response { return answer(204, nil) }

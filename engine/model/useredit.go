package model

import "postern/acl/oracle"

func (c *call) putUser() Response {
	u, refusal := c.userInPath()
	if refusal != nil {
		return *refusal
	}
	b, refusal := c.readBody()
	if refusal != nil {
		return *refusal
	}
	password, passwordOK := optionalText(b.object, "password")
	if v, _ := b.object.get("password"); v == "" || !passwordOK {
		return refuse("ParameterValueOutOfRange")
	}
	username, usernameOK := optionalText(b.object, "username")
	if !usernameOK || username != "" && !c.validUsername(username) {
		return refuse("ParameterValueOutOfRange")
	}
	if c.hidden(u) {
		return refuse("UserNotFound")
	}
	self := c.who.Role == oracle.User && c.who.ID == u.id
	if !self && !c.may(oracle.Write, c.app.users, u) {
		return refuse("InsufficientCredentials")
	}
	if !self && c.who.Role != oracle.Master {
		if password != "" {
			return refuse("InsufficientCredentials")
		}
		return c.putForeignUser(u, b)
	}
	if username != "" {
		if other := c.app.userNamed(username); other != nil && other != u {
			return refuse("UserAlreadyExists")
		}
	}
	if _, sent := b.object.get("password"); !sent || len(b.object) > 1 {
		c.replaceUser(u, b, username)
	}
	u.amendACL(c.who, b)
	c.stampUpdated(u)

	extra := statusOf(u)
	if extra == nil {
		extra = map[string]any{}
	}
	if password != "" {
		c.changePassword(u, password, self, extra)
	} else if self && c.session != nil {
		extra["authtoken"] = c.session.token
	}
	return answer(200, c.userBody(u, served(u.doc()), extra))
}

// replaceUser puts the fields that were sent in the place of those stored,
// except that name and e-mail address stay when they are not sent.
func (c *call) replaceUser(u *record, b body, username string) {
	old := u.body
	u.body = b.custom()
	if username == "" {
		name, _ := old.get("username")
		username = name.(string)
	}
	u.body = append(Object{{"username", username}}, u.body...)
	email, _ := b.object.get("email")
	if email == nil {
		email, _ = old.get("email")
	}
	if email != nil {
		u.body = append(u.body, Member{"email", email})
	}
}

// changePassword ends all sessions of the user and begins one for himself, if
// it is he who changes it. A password that is the old one may also be taken
// for no change; what the server did shows in the token.
func (c *call) changePassword(u *record, password string, self bool, extra map[string]any) {
	unchanged := password == u.password
	u.password = password
	if !self {
		c.app.endSessions(u)
		return
	}
	told, ok := c.told("_kmd", "authtoken")
	if unchanged && c.session != nil && told == c.session.token {
		extra["authtoken"] = told
		return
	}
	if unchanged && c.session == nil && !ok && c.real != nil {
		return
	}
	c.app.endSessions(u)
	extra["authtoken"] = c.newSession(u)
}

// putForeignUser is an update by somebody who may write the record but whose
// account it is not (D1).
func (c *call) putForeignUser(u *record, b body) Response {
	stay := Object{}
	for _, name := range []string{"username", "email"} {
		if v, ok := u.body.get(name); ok {
			stay = append(stay, Member{name, v})
		}
	}
	custom := b.custom()
	u.body = append(stay, custom...)
	c.stampUpdated(u)
	if c.may(oracle.Read, c.app.users, u) {
		return answer(200, c.userBody(u, served(u.doc()), nil))
	}
	m := c.userBody(u, served(whatHeSent(u, custom)), nil)
	m["username"], m["email"] = anything, anything
	return answer(200, m)
}

func (c *call) deleteUser() Response {
	u, refusal := c.userInPath()
	if refusal != nil {
		return *refusal
	}
	if c.hidden(u) {
		return refuse("UserNotFound")
	}
	if !c.may(oracle.Write, c.app.users, u) {
		return refuse("InsufficientCredentials")
	}
	c.removeUser(u)
	return answer(204, nil)
}

// deleteUsers removes the active users that a query of the master matches.
func (c *call) deleteUsers() Response {
	if !c.query.Has("query") {
		return refuse("MissingQuery")
	}
	filter, err := parseFilter(c.query.Get("query"))
	if err != nil {
		return refuse(filterError(err))
	}
	found := c.readable(c.app.users, filter)
	for _, u := range found {
		c.removeUser(u)
	}
	return count(len(found))
}

// removeUser removes a user for good, or suspends him.
func (c *call) removeUser(u *record) {
	hard := c.version <= 1
	switch {
	case c.query.Get("hard") == "true":
		hard = true
	case c.query.Get("hard") == "false", c.query.Get("soft") == "true":
		hard = false
	}
	c.app.endSessions(u)
	if hard {
		c.app.users.remove(u)
		return
	}
	u.suspended = true // which is no change of his record
}

// restoreUser lets a suspended user back in. His old tokens stay dead.
func (c *call) restoreUser() Response {
	u, refusal := c.userInPath()
	if refusal != nil {
		return *refusal
	}
	if u == nil {
		return refuse("UserNotFound")
	}
	u.suspended = false
	return answer(204, nil)
}

// endTokens ends all sessions of a user, the one that asks included. Only he
// himself and the master may, whoever else may write his record.
func (c *call) endTokens() Response {
	u, refusal := c.userInPath()
	if refusal != nil {
		return *refusal
	}
	if c.hidden(u) {
		return refuse("UserNotFound")
	}
	if c.who.Role != oracle.Master && c.who.ID != u.id {
		return refuse("InsufficientCredentials")
	}
	c.app.endSessions(u)
	return answer(204, nil)
}

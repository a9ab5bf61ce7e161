package model

import "postern/acl/oracle"

// groupSet are the groups of the app as of now.
func (a *app) groupSet() oracle.Groups {
	set := oracle.Groups{}
	for _, r := range a.groups.records {
		set[r.id] = r.group
	}
	return set
}

// readGroup reads a body that must be a group.
func (c *call) readGroup() (body, oracle.Group, *Response) {
	b, refusal := c.readBody()
	if refusal != nil {
		return b, oracle.Group{}, refusal
	}
	g, err := oracle.GroupOf(plain(b.content()))
	if err != nil {
		r := refuse("ParameterValueOutOfRange")
		return b, g, &r
	}
	return b, g, nil
}

func (c *call) createGroup() Response {
	b, g, refusal := c.readGroup()
	if refusal != nil {
		return *refusal
	}
	if b.id == c.app.Key {
		return refuse("InvalidIdentifier")
	}
	if !c.mayCreateGroups() {
		return refuse("InsufficientCredentials")
	}
	if r := c.app.groups.find(b.id); r != nil {
		if c.version >= 5 {
			return refuse("KinveyInternalErrorRetry")
		}
		return c.updateGroup(r, b, g)
	}
	return c.addGroup(b, g, b.id)
}

func (c *call) putGroup() Response {
	if refusal := c.idNamed(); refusal != nil {
		return *refusal
	}
	id := c.parameters["id"]
	if id == c.app.Key {
		return refuse("InvalidIdentifier")
	}
	b, g, refusal := c.readGroup()
	if refusal != nil {
		return *refusal
	}
	if r := c.app.groups.find(id); r != nil {
		return c.updateGroup(r, b, g)
	}
	if !c.mayCreateGroups() {
		return refuse("InsufficientCredentials")
	}
	res := c.addGroup(b, g, id)
	if res.Status == 201 {
		res.Also = []int{200}
	}
	return res
}

func (c *call) mayCreateGroups() bool {
	return c.who.Role == oracle.Master || c.app.UsersCreateGroups
}

// addGroup creates a group, unless a user wants an id with a history: one that
// was a group's before, or to which an ACL already grants something.
func (c *call) addGroup(b body, g oracle.Group, id string) Response {
	if c.who.Role != oracle.Master && (c.app.groupIDs[id] || c.app.grantsToGroup(id)) {
		return refuse("InsufficientCredentials")
	}
	r := c.create(c.app.groups, b, id)
	r.group = g
	c.app.groupIDs[r.id] = true
	return answer(201, plain(r.doc()))
}

func (a *app) grantsToGroup(id string) bool {
	for _, in := range append([]*collection{a.users, a.groups}, a.collections...) {
		for _, r := range in.records {
			for _, g := range append(append([]string{}, r.acl.GroupsR...), r.acl.GroupsW...) {
				if g == id {
					return true
				}
			}
			for _, g := range r.group.Groups {
				if g == id {
					return true
				}
			}
		}
	}
	return false
}

func (c *call) updateGroup(r *record, b body, g oracle.Group) Response {
	res := c.update(c.app.groups, r, b)
	if res.Status == 200 {
		r.group = g
	}
	return res
}

func (c *call) getGroup() Response {
	if refusal := c.idNamed(); refusal != nil {
		return *refusal
	}
	r := c.app.groups.find(c.parameters["id"])
	if r == nil {
		return refuse("EntityNotFound")
	}
	if !c.may(oracle.Read, c.app.groups, r) {
		return refuse("InsufficientCredentials")
	}
	return c.one(r)
}

func (c *call) deleteGroup() Response {
	if refusal := c.idNamed(); refusal != nil {
		return *refusal
	}
	r := c.app.groups.find(c.parameters["id"])
	if r == nil {
		return refuse("EntityNotFound")
	}
	if !c.may(oracle.Write, c.app.groups, r) {
		return refuse("InsufficientCredentials")
	}
	c.app.groups.remove(r)
	return count(1)
}

func (c *call) listGroups() Response {
	list := []any{}
	for _, r := range c.app.groups.records {
		list = append(list, plain(r.doc()))
	}
	return answer(200, list)
}

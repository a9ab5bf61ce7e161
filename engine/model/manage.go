package model

import (
	"fmt"

	"postern/acl/oracle"
)

// The management of collections.

// levelNames are all names under which the levels are accepted.
var levelNames = map[string]oracle.Level{
	"append-read": oracle.Shared, "shared": oracle.Shared,
	"append-only": oracle.Private, "private": oracle.Private,
	"read-only": oracle.ReadOnly, "read": oracle.ReadOnly,
	"write": oracle.Full, "full": oracle.Full,
}

// wireNames are the names under which they are served.
var wireNames = map[oracle.Level]string{
	oracle.Shared:   "append-read",
	oracle.Private:  "append-only",
	oracle.ReadOnly: "read-only",
	oracle.Full:     "write",
}

func describe(in *collection) map[string]any {
	return map[string]any{"name": in.name, "permissions": wireNames[in.level], "deltaSet": in.delta.described(), "*": anything}
}

// managed is the collection in the path, which may be that of the users.
func (c *call) managed() *collection {
	if c.parameters["name"] == "user" {
		return c.app.users
	}
	return c.app.collection(c.parameters["name"])
}

func (c *call) listCollections() Response {
	want := map[string]any{"user": describe(c.app.users)}
	for _, in := range c.app.collections {
		want[in.name] = describe(in)
	}
	return answer(200, Check(func(v any, present bool) string {
		list, _ := v.([]any)
		seen := map[string]bool{}
		for _, e := range list {
			m, _ := e.(map[string]any)
			name, _ := m["name"].(string)
			if want[name] == nil && (name == "group" || name == "_blob") {
				continue // built in, and told or not
			}
			if want[name] == nil || seen[name] {
				return fmt.Sprintf("the collection %q should not be in the list, or not again", name)
			}
			seen[name] = true
			if d := differ(want[name], e); d != "" {
				return d
			}
		}
		for name := range want {
			if !seen[name] {
				return fmt.Sprintf("the collection %q is not in the list", name)
			}
		}
		return ""
	}))
}

// readSettings returns the level in a body, or "" when it has none, and what is
// asked of its delta sets.
func (c *call) readSettings() (Object, oracle.Level, *delta, *Response) {
	o, refusal := c.readObject(false)
	if refusal != nil {
		return nil, "", nil, refusal
	}
	outOfRange := refuse("ParameterValueOutOfRange")
	var level oracle.Level
	if v, _ := o.get("permissions"); v != nil {
		name, _ := v.(string)
		if level = levelNames[name]; level == "" {
			return nil, "", nil, &outOfRange
		}
	}
	asked, ok := readDelta(o)
	if !ok {
		return nil, "", nil, &outOfRange
	}
	return o, level, asked, nil
}

func (c *call) postCollection() Response {
	o, level, asked, refusal := c.readSettings()
	if refusal != nil {
		return *refusal
	}
	name, ok := optionalText(o, "name")
	if !ok || !validCollectionName(name) {
		return refuse("InvalidIdentifier")
	}
	if c.app.collection(name) != nil {
		return Response{Status: 400, Also: []int{409}, Error: "*"}
	}
	return answer(201, describe(c.makeCollection(name, level, asked)))
}

func (c *call) makeCollection(name string, level oracle.Level, asked *delta) *collection {
	in := &collection{name: name, level: oracle.Shared}
	c.set(in, level, asked)
	c.app.collections = append(c.app.collections, in)
	return in
}

func (c *call) getCollection() Response {
	in := c.managed()
	if !validCollectionName(c.parameters["name"]) {
		return refuse("InvalidIdentifier")
	}
	if in == nil {
		return refuse("CollectionNotFound")
	}
	return answer(200, describe(in))
}

func (c *call) putCollection() Response {
	if !validCollectionName(c.parameters["name"]) {
		return refuse("InvalidIdentifier")
	}
	_, level, asked, refusal := c.readSettings()
	if refusal != nil {
		return *refusal
	}
	in := c.managed()
	if in == nil {
		return answer(200, describe(c.makeCollection(c.parameters["name"], level, asked)))
	}
	if in == c.app.users && asked != nil {
		return refuse("ParameterValueOutOfRange")
	}
	c.set(in, level, asked)
	return answer(200, describe(in))
}

func (c *call) deleteCollection() Response {
	if !validCollectionName(c.parameters["name"]) {
		return refuse("InvalidIdentifier")
	}
	gone := c.managed()
	if gone == nil {
		return refuse("CollectionNotFound")
	}
	c.app.collections = without(c.app.collections, func(in *collection) bool { return in == gone })
	return answer(204, nil)
}

package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxPrincipals is how many users and groups one ACL may name.
const MaxPrincipals = 10000

// ErrTooMany is the answer to an ACL that names more than MaxPrincipals.
var ErrTooMany = errors.New("the ACL names too many users and groups")

// ReadACL reads the JSON text of an _acl. It returns nil without an error for
// null, and an error when the text or one of the members it knows is not of
// the right type.
func ReadACL(text []byte) (*ACL, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	return ACLOf(v)
}

// ACLOf is ReadACL for a value that encoding/json has decoded already.
func ACLOf(v any) (*ACL, error) {
	if v == nil {
		return nil, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("an ACL is an object, not %T", v)
	}
	a := new(ACL)
	switch c := m["creator"].(type) {
	case nil:
	case string:
		a.Creator = c
	default:
		return nil, fmt.Errorf("creator is a string, not %T", c)
	}
	var err error
	if a.GR, err = switchOf(m["gr"]); err != nil {
		return nil, fmt.Errorf("gr: %w", err)
	}
	if a.GW, err = switchOf(m["gw"]); err != nil {
		return nil, fmt.Errorf("gw: %w", err)
	}
	if a.R, err = namesOf(m["r"]); err != nil {
		return nil, fmt.Errorf("r: %w", err)
	}
	if a.W, err = namesOf(m["w"]); err != nil {
		return nil, fmt.Errorf("w: %w", err)
	}
	switch g := m["groups"].(type) {
	case nil:
	case map[string]any:
		if a.GroupsR, err = namesOf(g["r"]); err != nil {
			return nil, fmt.Errorf("groups.r: %w", err)
		}
		if a.GroupsW, err = namesOf(g["w"]); err != nil {
			return nil, fmt.Errorf("groups.w: %w", err)
		}
	default:
		return nil, fmt.Errorf("groups is an object, not %T", g)
	}
	if len(a.R)+len(a.W)+len(a.GroupsR)+len(a.GroupsW) > MaxPrincipals {
		return nil, ErrTooMany
	}
	return a, nil
}

func switchOf(v any) (Switch, error) {
	switch v {
	case nil:
		return "", nil
	case true, "true":
		return On, nil
	case false, "false":
		return Off, nil
	}
	return "", fmt.Errorf("neither true nor false: %v", v)
}

func namesOf(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("not a list: %v", v)
	}
	var names []string
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("not an id: %v", e)
		}
		names = append(names, s)
	}
	return names, nil
}

// ReadGroup reads the JSON text of a group record: who its members are.
func ReadGroup(text []byte) (Group, error) {
	v, err := decode(text)
	if err != nil {
		return Group{}, err
	}
	return GroupOf(v)
}

// GroupOf is ReadGroup for a value that encoding/json has decoded already.
func GroupOf(v any) (Group, error) {
	var g Group
	m, ok := v.(map[string]any)
	if !ok {
		return g, fmt.Errorf("a group is an object, not %T", v)
	}
	all, err := switchOf(m["all"])
	if err != nil {
		return g, fmt.Errorf("all: %w", err)
	}
	g.All = all == On
	switch users := m["users"].(type) {
	case nil:
	case map[string]any:
		for _, name := range []string{"all", "isAll"} {
			all, err := switchOf(users[name])
			if err != nil {
				return g, fmt.Errorf("users.%s: %w", name, err)
			}
			g.All = g.All || all == On
		}
		if g.Users, err = refsOf(users["list"], "user"); err != nil {
			return g, fmt.Errorf("users.list: %w", err)
		}
	default:
		return g, fmt.Errorf("users is an object, not %T", users)
	}
	if g.Groups, err = refsOf(m["groups"], "group"); err != nil {
		return g, fmt.Errorf("groups: %w", err)
	}
	return g, nil
}

// refsOf reads a list of references: an id, or an object with an _id. One that
// says it is to another collection is refused, for users and groups never meet.
func refsOf(v any, collection string) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("not a list: %v", v)
	}
	var ids []string
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			if c, ok := m["_collection"]; ok && c != collection {
				return nil, fmt.Errorf("a reference to collection %v", c)
			}
			e = m["_id"]
		}
		id, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("not a reference: %v", e)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

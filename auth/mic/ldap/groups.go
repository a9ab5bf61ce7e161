package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

const (
	// maxGroups is how many groups an account may be in, and maxDepth how deep groups
	// may lie in groups. Beyond, a login fails: with some of the groups left out it
	// would depend on chance what somebody may see.
	maxGroups = 999 // domain controllers give 1000 entries
	maxDepth  = 16
	// atOnce is how many groups are put into one search for those that hold them.
	atOnce = 30
	// maxReads is how many groups are read one by one, with GroupsByMemberOf.
	maxReads     = 200
	maxGroupName = 512 // bytes

	// inChain is the matching rule of Active Directory that follows membership through
	// groups.
	inChain = "1.2.840.113556.1.4.1941"
)

// A group is where a walk has come to.
type group struct {
	dn, name string
	memberOf []string
}

// groupsOf returns the names of the groups of an entry, sorted.
func (d *Directory) groupsOf(ctx context.Context, c *conn, e *goldap.Entry) ([]string, error) {
	walk := d.searched
	switch {
	case d.c.ActiveDirectory:
		walk = d.chained
	case d.c.GroupsByMemberOf:
		walk = d.remembered
	}
	found, err := walk(ctx, c, e)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, g := range found {
		if g.name != "" {
			names = append(names, g.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// group reads an entry. A name that is none leaves the group without.
func (d *Directory) group(e *goldap.Entry) group {
	g := group{dn: e.DN}
	for _, v := range raw(e, "memberOf") {
		g.memberOf = append(g.memberOf, string(v))
	}
	if strings.EqualFold(d.c.GroupAttribute, "dn") {
		g.name = e.DN
	} else if v := raw(e, d.c.GroupAttribute); len(v) > 0 {
		g.name = string(v[0])
	}
	if len(g.name) > maxGroupName || !isText([]byte(g.name)) {
		g.name = ""
	}
	return g
}

// look searches for groups.
func (d *Directory) look(ctx context.Context, c *conn, base string, scope int, filter string) ([]group, error) {
	attributes := []string{d.c.GroupAttribute}
	if d.c.GroupsByMemberOf {
		attributes = append(attributes, "memberOf")
	}
	entries, more, err := c.search(ctx, query{
		doing: "search for groups", base: base, scope: scope, filter: filter, attributes: attributes, most: maxGroups,
	})
	if err != nil {
		return nil, err
	}
	if more {
		return nil, tooMany("groups", maxGroups)
	}
	found := make([]group, len(entries))
	for i, e := range entries {
		found[i] = d.group(e)
	}
	return found, nil
}

func tooMany(what string, most int) error {
	return fmt.Errorf("%w: the account is in more than %d %s", mic.ErrUnavailable, most, what)
}

// searched finds groups by their members: those of the user, then those that hold
// these, until no new one comes.
func (d *Directory) searched(ctx context.Context, c *conn, e *goldap.Entry) ([]group, error) {
	uid := one(e, "uid")
	if uid == "" {
		uid = "\x00" // nobody's
	}
	level, err := d.look(ctx, c, d.c.GroupBaseDN, goldap.ScopeWholeSubtree, fill(d.c.GroupFilter, forDN, e.DN, forUID, uid))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	all := fresh(level, seen)
	if !d.c.NestedGroups || !strings.Contains(d.c.GroupFilter, forDN) {
		return all, nil
	}
	level = all
	for depth := 1; len(level) > 0; depth++ {
		if depth > maxDepth {
			return nil, tooMany("levels of groups", maxDepth)
		}
		var above []group
		for part := range slices.Chunk(level, atOnce) {
			var filter strings.Builder
			for _, g := range part {
				filter.WriteString(fill(d.c.GroupFilter, forDN, g.dn, forUID, "\x00"))
			}
			found, err := d.look(ctx, c, d.c.GroupBaseDN, goldap.ScopeWholeSubtree, "(|"+filter.String()+")")
			if err != nil {
				return nil, err
			}
			above = append(above, fresh(found, seen)...)
			if len(all)+len(above) > maxGroups {
				return nil, tooMany("groups", maxGroups)
			}
		}
		all, level = append(all, above...), above
	}
	return all, nil
}

// fresh returns the groups that were not seen before. It is what ends a walk among
// groups that hold each other.
func fresh(found []group, seen map[string]bool) (unseen []group) {
	for _, g := range found {
		if key := foldDN(g.dn); !seen[key] {
			seen[key] = true
			unseen = append(unseen, g)
		}
	}
	return unseen
}

// remembered follows the memberOf attribute, which the directory keeps.
func (d *Directory) remembered(ctx context.Context, c *conn, e *goldap.Entry) (all []group, err error) {
	base, err := goldap.ParseDN(d.c.GroupBaseDN)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mic.ErrUnavailable, err)
	}
	seen := map[string]bool{}
	reads := 0
	level := d.group(e).memberOf
	for depth := 1; len(level) > 0; depth++ {
		if depth > maxDepth {
			return nil, tooMany("levels of groups", maxDepth)
		}
		var above []string
		for _, text := range level {
			dn, err := goldap.ParseDN(text)
			if err != nil || len(text) > maxText || seen[foldDN(text)] || !(base.AncestorOfFold(dn) || base.EqualFold(dn)) {
				continue
			}
			seen[foldDN(text)] = true
			if reads++; reads > maxReads {
				return nil, tooMany("groups", maxReads)
			}
			found, err := d.look(ctx, c, text, goldap.ScopeBaseObject, d.c.GroupFilter)
			if err != nil {
				return nil, err
			}
			for _, g := range found {
				all, above = append(all, g), append(above, g.memberOf...)
			}
		}
		if level = above; !d.c.NestedGroups {
			break
		}
	}
	return all, nil
}

// chained finds groups in Active Directory, which follows the chain by itself. The
// primary group has no members and is found by its number.
func (d *Directory) chained(ctx context.Context, c *conn, e *goldap.Entry) ([]group, error) {
	rule := ""
	if d.c.NestedGroups {
		rule = ":" + inChain + ":"
	}
	members := fill("(member"+rule+"={dn})", forDN, e.DN)
	var all []group
	if sid := one(e, "objectSid"); sid != "" {
		primary, err := sibling([]byte(sid), one(e, "primaryGroupID"))
		if err != nil {
			return nil, fmt.Errorf("%w: primary group: %w", mic.ErrUnavailable, err)
		}
		all, err = d.look(ctx, c, d.c.GroupBaseDN, goldap.ScopeWholeSubtree, "(&"+d.c.GroupFilter+"(objectSid="+escapeBytes(primary)+"))")
		if err != nil {
			return nil, err
		}
		if d.c.NestedGroups {
			for _, g := range all {
				members += fill("(member"+rule+"={dn})", forDN, g.dn)
			}
		}
	}
	found, err := d.look(ctx, c, d.c.GroupBaseDN, goldap.ScopeWholeSubtree, "(&"+d.c.GroupFilter+"(|"+members+"))")
	return append(all, found...), err
}

package model

import (
	"strconv"
	"strings"

	"postern/acl/oracle"
)

// References: {"_type":"KinveyRef","_collection":c,"_id":x} stands for another
// record, which a reader may ask for together with the one that refers to it.

const (
	maxResolved     = 1000 // references of one answer
	maxResolveDepth = 10
	maxResolvePaths = 100
)

// A resolving is what the parameters of a read ask for.
type resolving struct {
	c     *call
	paths [][]string
	depth int
	keep  bool // the reference stays, with the record as _obj
	done  int  // references that were resolved
}

func (c *call) readResolving() (*resolving, *Response) {
	outOfRange := refuse("ParameterValueOutOfRange")
	r := &resolving{c: c, keep: true}
	var err error
	if text := c.query.Get("resolve_depth"); text != "" {
		if r.depth, err = strconv.Atoi(text); err != nil || r.depth < 0 || r.depth > maxResolveDepth {
			return nil, &outOfRange
		}
	}
	if text := c.query.Get("resolve"); text != "" {
		for _, path := range strings.Split(text, ",") {
			r.paths = append(r.paths, strings.Split(strings.TrimSpace(path), "."))
		}
		if len(r.paths) > maxResolvePaths {
			return nil, &outOfRange
		}
	}
	if c.query.Get("retainReferences") == "false" || c.query.Get("retainReference") == "false" {
		r.keep = false
	}
	return r, nil
}

// tooMany says that an answer would hold more than it may.
func (r *resolving) tooMany() bool { return r.done > maxResolved }

// value is a value as it is served.
func (r *resolving) value(v any) any { return r.in(v, r.paths, r.depth) }

// answer is a list of records as they are served, or the one that there is.
func (r *resolving) answer(docs []Object, asList bool) Response {
	list := []any{}
	for _, doc := range docs {
		list = append(list, r.value(doc))
	}
	switch {
	case r.tooMany():
		return refuse("ParameterValueOutOfRange")
	case asList:
		return answer(200, list)
	}
	return answer(200, list[0])
}

// in resolves what the paths lead to from v on, and everything to the depth.
// Arrays are no step of a path.
func (r *resolving) in(v any, paths [][]string, depth int) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = r.in(e, paths, depth)
		}
		return list
	case Object:
		if !isReference(v) {
			m := map[string]any{}
			for _, e := range v {
				m[e.Name] = r.in(e.Value, behind(e.Name, paths), depth)
			}
			return m
		}
		here := depth > 0
		for _, p := range paths {
			here = here || len(p) == 0
		}
		if here {
			return r.reference(v, paths, max(depth-1, 0))
		}
	}
	return plain(v)
}

// reference resolves one, when it leads to something that the caller may read.
func (r *resolving) reference(ref Object, paths [][]string, depth int) any {
	if r.tooMany() {
		return plain(ref) // the answer is refused anyway
	}
	coll, _ := ref.get("_collection")
	id, _ := ref.get("_id")
	target := r.c.target(coll.(string), id.(string))
	if target == nil {
		return plain(ref)
	}
	r.done++
	whole := r.in(target.doc(), paths, depth)
	if !r.keep {
		return whole
	}
	m := plain(ref).(map[string]any)
	m["_obj"] = whole
	return m
}

// behind are the rests of the paths that go on through a member.
func behind(name string, paths [][]string) [][]string {
	var rest [][]string
	for _, p := range paths {
		if len(p) > 0 && p[0] == name {
			rest = append(rest, p[1:])
		}
	}
	return rest
}

// target is the record that a reference means, or nil when it is not there for
// the caller.
func (c *call) target(coll, id string) *record {
	in := c.app.collection(coll)
	switch coll {
	case "user":
		in = c.app.users
	case "group":
		in = c.app.groups
	}
	r := in.find(id)
	himself := coll == "user" && c.who.Role == oracle.User && c.who.ID == id
	if r == nil || r.suspended || !himself && !c.may(oracle.Read, in, r) {
		return nil
	}
	return r
}

func isReference(o Object) bool {
	kind, _ := o.get("_type")
	coll, _ := o.get("_collection")
	id, _ := o.get("_id")
	_, collOK := coll.(string)
	_, idOK := id.(string)
	return kind == "KinveyRef" && collOK && idOK
}

// bare is a value as it is stored: references without what an old client has
// left in them of the record they stand for.
func bare(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = bare(e)
		}
		return list
	case Object:
		if isReference(v) {
			v = v.without("_obj")
		}
		o := Object{}
		for _, m := range v {
			o = append(o, Member{m.Name, bare(m.Value)})
		}
		return o
	}
	return v
}

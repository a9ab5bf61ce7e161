package engine

import (
	"bytes"
	"strings"

	"postern/acl"
	"postern/engine/document"
)

// References: a document may hold {"_type":"KinveyRef","_collection":c,"_id":x}
// where it means another one. A reader may ask for what they refer to: by
// path (resolve) or all of them to a depth (resolve_depth). He gets what he may
// read himself, of the same moment as the rest of the answer; any other
// reference stays as it is, whether its target is hidden or missing.

const (
	maxResolveDepth = 10
	maxResolved     = 1000 // references of one answer that are resolved
	maxResolvePaths = 100
)

// A resolver resolves the references of one answer.
type resolver struct {
	r     *Request
	paths *refPath
	all   int  // resolve every reference to this depth; 0: only those of paths
	keep  bool // the reference stays, with the target as _obj
	left  int  // references that may still be resolved
	bytes int  // of targets that may still be added
}

// A refPath is a tree of the paths whose references are to be resolved.
type refPath struct {
	here bool
	next map[string]*refPath
}

func (p *refPath) add(path string) {
	for name := range strings.SplitSeq(path, ".") {
		n := p.next[name]
		if n == nil {
			n = &refPath{next: map[string]*refPath{}}
			p.next[name] = n
		}
		p = n
	}
	p.here = true
}

// resolver reads the parameters of a read; nil when nothing is to be resolved.
func (r *Request) resolver() (*resolver, error) {
	args := r.ctx.QueryArgs()
	paths, depth := string(args.Peek("resolve")), args.Peek("resolve_depth")
	if paths == "" && len(depth) == 0 {
		return nil, nil
	}
	res := &resolver{r: r, keep: true, left: maxResolved, bytes: maxResponseBytes}
	var err error
	if res.all, err = natural("resolve_depth", depth); err != nil {
		return nil, err
	}
	if res.all > maxResolveDepth {
		return nil, fault(errOutOfRange, "resolve_depth is at most %d", maxResolveDepth)
	}
	if paths != "" {
		list := strings.Split(paths, ",")
		if len(list) > maxResolvePaths {
			return nil, fault(errOutOfRange, "resolve names at most %d paths", maxResolvePaths)
		}
		res.paths = &refPath{next: map[string]*refPath{}}
		for _, path := range list {
			if path = strings.TrimSpace(path); strings.Count(path, ".") >= document.Body.Depth {
				return nil, fault(errOutOfRange, "the path %q is too deep", path)
			}
			res.paths.add(path)
		}
	}
	for _, name := range []string{"retainReferences", "retainReference"} {
		if string(args.Peek(name)) == "false" {
			res.keep = false
		}
	}
	if res.paths == nil && res.all == 0 {
		return nil, nil
	}
	return res, nil
}

// append appends doc with its references resolved.
func (res *resolver) append(dst []byte, doc document.Value) ([]byte, error) {
	return res.value(dst, doc, res.paths, res.all)
}

// comma appends the comma before an element or a member unless it is the first:
// no value ends as an array or an object begins.
func comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last == '[' || last == '{' {
		return dst
	}
	return append(dst, ',')
}

// value appends v. path is what of the paths begins here, nil when nothing
// does; depth is how deep all references are still to be resolved.
func (res *resolver) value(dst []byte, v document.Value, path *refPath, depth int) ([]byte, error) {
	if path == nil && depth == 0 {
		return append(dst, v.Raw()...), nil
	}
	var err error
	switch v.Kind() {
	case document.Array:
		dst = append(dst, '[')
		for element := range v.Elements() {
			if dst, err = res.value(comma(dst), element, path, depth); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case document.Object:
		if collection, id, ok := reference(v); ok {
			return res.reference(dst, v, collection, id, path, depth)
		}
		dst = append(dst, '{')
		for key, member := range v.Members() {
			dst = append(append(comma(dst), key.Raw()...), ':')
			var inner *refPath
			if path != nil {
				inner = path.next[key.Text()]
			}
			if dst, err = res.value(dst, member, inner, depth); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return append(dst, v.Raw()...), nil
}

// reference tells whether an object is a reference, and to what.
func reference(v document.Value) (collection, id string, ok bool) {
	if !v.Get("_type").TextIs("KinveyRef") {
		return "", "", false
	}
	c, i := v.Get("_collection"), v.Get("_id")
	if c.Kind() != document.String || i.Kind() != document.String {
		return "", "", false
	}
	return c.Text(), i.Text(), true
}

// reference appends a reference, resolved if that was asked for and the
// requester may read what it refers to.
func (res *resolver) reference(dst []byte, v document.Value, collection, id string, path *refPath, depth int) ([]byte, error) {
	if depth == 0 && !path.here {
		return append(dst, v.Raw()...), nil
	}
	target, ok := res.r.readable(collection, id)
	if !ok {
		return append(dst, v.Raw()...), nil
	}
	res.left--
	res.bytes -= len(target.body())
	if res.left < 0 || res.bytes < 0 {
		return dst, fault(errOutOfRange, "the answer would resolve more than %d references or %d bytes", maxResolved, maxResponseBytes)
	}
	inner := &refPath{}
	if path != nil {
		inner.next = path.next
	}
	if len(inner.next) == 0 {
		inner = nil
	}
	if !res.keep {
		return res.value(dst, documentOf(target), inner, max(depth-1, 0))
	}
	dst = append(dst, '{')
	for key, member := range v.Members() {
		if key.TextIs("_obj") {
			continue
		}
		dst = append(append(append(append(dst, key.Raw()...), ':'), member.Raw()...), ',')
	}
	dst, err := res.value(append(dst, `"_obj":`...), documentOf(target), inner, max(depth-1, 0))
	return append(dst, '}'), err
}

// readable finds an entity, a user or a group that the requester may read.
func (r *Request) readable(collection, id string) (*entity, bool) {
	c := r.view.collection(collection)
	if c == nil {
		return nil, false
	}
	ent, ok := c.rows.get(id)
	if !ok {
		return nil, false
	}
	if c.number == userCollection {
		if a, ok := r.view.accounts.Get(id); !ok || a.Suspended != 0 {
			return nil, false
		}
		if himself(r.subject, id) {
			return ent, true
		}
	}
	return ent, acl.Decide(r.subject, c.level, ent.acl, acl.Read).Allowed
}

var objName = []byte(`"_obj"`)

// appendBare appends a value as it is stored: a reference without what an old
// client has left in it of the answer where it was resolved.
func appendBare(dst []byte, v document.Value) []byte {
	if !bytes.Contains(v.Raw(), objName) {
		return append(dst, v.Raw()...)
	}
	switch v.Kind() {
	case document.Array:
		dst = append(dst, '[')
		for element := range v.Elements() {
			dst = appendBare(comma(dst), element)
		}
		return append(dst, ']')
	case document.Object:
		_, _, ref := reference(v)
		dst = append(dst, '{')
		for key, member := range v.Members() {
			if ref && key.TextIs("_obj") {
				continue
			}
			dst = appendBare(append(append(comma(dst), key.Raw()...), ':'), member)
		}
		return append(dst, '}')
	}
	return append(dst, v.Raw()...)
}

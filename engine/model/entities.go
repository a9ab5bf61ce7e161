package model

import (
	"encoding/json"
	"strconv"
	"strings"

	"postern/acl/oracle"
	query "postern/engine/query/oracle"
)

// named checks the collection in the path, and the id if there is one.
func (c *call) named() *Response {
	coll := c.parameters["coll"]
	var r Response
	switch {
	case coll == "user" || coll == "group" || coll == "_blob":
		r = refuse("IndirectCollectionAccessDisallowed")
	case !validCollectionName(coll):
		r = refuse("InvalidIdentifier")
	default:
		return c.idNamed()
	}
	return &r
}

func (c *call) idNamed() *Response {
	if id, ok := c.parameters["id"]; ok && !validID(id) {
		r := refuse("InvalidIdentifier")
		return &r
	}
	return nil
}

// entities is the collection in the path, or nil when there is none yet.
func (c *call) entities() *collection { return c.app.collection(c.parameters["coll"]) }

// entitiesForWrite makes the collection if need be (D6).
func (c *call) entitiesForWrite() *collection {
	in := c.entities()
	if in == nil {
		in = &collection{name: c.parameters["coll"], level: oracle.Shared}
		c.app.collections = append(c.app.collections, in)
	}
	return in
}

func (c *call) createEntity() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	if v, err := parse(c.req.Body, true); err == nil {
		if _, array := v.([]any); array {
			return c.createMany()
		}
	} else if strings.HasPrefix(string(c.req.Body), "[") && err == errNotJSON {
		return Response{Status: 400, Error: "*"} // one of its elements may be wrong in another way, before that
	}
	b, refusal := c.readBody()
	if refusal != nil {
		return *refusal
	}
	if !c.may(oracle.Create, c.entities(), nil) {
		return refuse("InsufficientCredentials")
	}
	if r := c.entities().find(b.id); r != nil {
		if c.version >= 5 {
			return refuse("KinveyInternalErrorRetry")
		}
		return c.updateEntity(r, b)
	}
	return answer(201, plain(c.create(c.entitiesForWrite(), b, b.id).doc()))
}

// create adds an entity or a group. An empty id is for the server to choose.
func (c *call) create(in *collection, b body, id string) *record {
	r := &record{id: id, body: b.content()}
	if id == "" {
		r.id = c.newID(in)
	}
	r.setACL(b, c.creator(b))
	c.stampCreated(r, c.who.Role == oracle.Master && b.sentTimes())
	c.changes(in, r.id, nil)
	in.records = append(in.records, r)
	return r
}

func (c *call) putEntity() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	b, refusal := c.readBody()
	if refusal != nil {
		return *refusal
	}
	if r := c.entities().find(c.parameters["id"]); r != nil {
		return c.updateEntity(r, b)
	}
	if !c.may(oracle.Create, c.entities(), nil) {
		return refuse("InsufficientCredentials")
	}
	return answer(201, plain(c.create(c.entitiesForWrite(), b, c.parameters["id"]).doc()))
}

func (c *call) updateEntity(r *record, b body) Response {
	return c.update(c.entities(), r, b)
}

// update replaces the content of an entity or a group.
func (c *call) update(in *collection, r *record, b body) Response {
	if !c.may(oracle.Write, in, r) {
		return refuse("InsufficientCredentials")
	}
	c.changes(in, r.id, r)
	r.body = b.content()
	r.amendACL(c.who, b)
	c.stampUpdated(r)
	if !c.may(oracle.Read, in, r) {
		return answer(200, plain(whatHeSent(r, b.content())))
	}
	return answer(200, plain(r.doc()))
}

func (c *call) getEntity() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	return c.get(c.entities())
}

func (c *call) deleteEntity() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	return c.remove(c.entities())
}

// get answers with the entity of the path.
func (c *call) get(in *collection) Response {
	r := in.find(c.parameters["id"])
	if r == nil {
		return refuse("EntityNotFound")
	}
	if !c.may(oracle.Read, in, r) {
		return refuse("InsufficientCredentials")
	}
	return c.one(r)
}

// one is the answer to a read of one record.
func (c *call) one(r *record) Response {
	refs, refusal := c.readResolving()
	if refusal != nil {
		return *refusal
	}
	return refs.answer([]Object{r.doc()}, false)
}

// remove removes the entity of the path.
func (c *call) remove(in *collection) Response {
	r := in.find(c.parameters["id"])
	if r == nil {
		return refuse("EntityNotFound")
	}
	if !c.may(oracle.Write, in, r) {
		return refuse("InsufficientCredentials")
	}
	c.changes(in, r.id, r)
	in.remove(r)
	return count(1)
}

// A search is the query string of a list.
type search struct {
	filter      *query.Filter
	sort        query.Sort
	skip, limit int
	fields      string
}

func (c *call) search() (search, *Response) {
	var s search
	bad := func(name string) (search, *Response) {
		r := refuse(name)
		return search{}, &r
	}
	var err error
	if s.filter, err = parseFilter(c.query.Get("query")); err != nil {
		return bad(filterError(err))
	}
	if s.sort, err = parseSort(c.query.Get("sort")); err != nil {
		return bad("InvalidQuerySyntax")
	}
	for name, into := range map[string]*int{"skip": &s.skip, "limit": &s.limit} {
		if text := c.query.Get(name); text != "" {
			if *into, err = strconv.Atoi(text); err != nil || *into < 0 {
				return bad("ParameterValueOutOfRange")
			}
		}
	}
	s.fields = c.query.Get("fields")
	return s, nil
}

// readable returns what the caller may read of a collection and what of that
// matches, in natural order. Permission comes before the filter (R12).
func (c *call) readable(in *collection, filter *query.Filter) []*record {
	var found []*record
	if in == nil {
		return nil
	}
	for _, r := range in.records {
		if !r.suspended && c.may(oracle.Read, in, r) && matches(filter, r.doc()) {
			found = append(found, r)
		}
	}
	return found
}

func (c *call) listEntities() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	s, refusal := c.search()
	if refusal != nil {
		return *refusal
	}
	var docs []Object
	for _, r := range c.readable(c.entities(), s.filter) {
		docs = append(docs, r.doc())
	}
	refs, refusal := c.readResolving()
	if refusal != nil {
		return *refusal
	}
	return refs.answer(s.page(docs), true)
}

func (c *call) countEntities() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	filter, err := parseFilter(c.query.Get("query"))
	if err != nil {
		return refuse(filterError(err))
	}
	return count(len(c.readable(c.entities(), filter)))
}

// deleteByQuery removes what the caller may both read and write.
func (c *call) deleteByQuery() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	if !c.query.Has("query") {
		return refuse("MissingQuery")
	}
	filter, err := parseFilter(c.query.Get("query"))
	if err != nil {
		return refuse(filterError(err))
	}
	n := 0
	for _, r := range c.readable(c.entities(), filter) {
		if c.may(oracle.Write, c.entities(), r) {
			c.changes(c.entities(), r.id, r)
			c.entities().remove(r)
			n++
		}
	}
	return count(n)
}

func count(n int) Response {
	return answer(200, map[string]any{"count": json.Number(strconv.Itoa(n))})
}

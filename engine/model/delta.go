package model

import (
	"encoding/json"
	"fmt"
	"time"

	"postern/acl/oracle"
)

// Delta sets. The model numbers the changes of all records and settings in the
// order in which they are made; a moment is how many there were. What the
// server calls a time is such a moment: an answer that says when it was begun
// holds all changes before it and none after it. So the model has no need of
// the times of changes, which the server does not tell of deletions.

// A delta is the setting of a collection that remembers its changes.
type delta struct {
	days int // for which deletions are remembered
	from int // moment; since when it does, with the level that it has
}

// A change is what a record was before one. A nil record: it was not there.
type change struct {
	id     string
	before *record
	moment int
}

// A start is when an answer was begun, which a client sends as since.
type start struct {
	text   string
	coll   string
	moment int
}

const timeForm = "2006-01-02T15:04:05.000Z"

// changes notes that a record is about to be changed, or made when it is nil.
func (c *call) changes(in *collection, id string, r *record) {
	c.m.moment++
	ch := change{id: id, moment: c.m.moment}
	if r != nil {
		before := *r
		ch.before = &before
	}
	in.history = append(in.history, ch)
}

// regrouped notes who is in other groups than before the request, and whether
// there is a group that everybody entered or left by rule: then clients may be
// told so who were named in it all along.
func (c *call) regrouped() {
	now := c.app.groupSet()
	const nobody = "\x00"
	for _, who := range append([]string{nobody}, c.app.userIDs()...) {
		for id := range c.app.groupIDs {
			if c.groups.Contains(id, who) == now.Contains(id, who) {
				continue
			}
			c.m.moment++
			c.app.regroupedAt[who] = c.m.moment
			if who == nobody {
				c.app.allRegroupedAt = c.m.moment
			}
		}
	}
}

func (a *app) userIDs() []string {
	var ids []string
	for _, u := range a.users.records {
		ids = append(ids, u.id)
	}
	return ids
}

// began takes over when an answer about a collection was begun.
func (c *call) began(res *Response) {
	text := c.m.time()
	if c.real == nil {
		res.Header = map[string]string{"X-Kinvey-Request-Start": text}
	} else {
		if c.real.Header == nil {
			return
		}
		text, _ = header(c.real.Header, "X-Kinvey-Request-Start")
	}
	coll := c.parameters["coll"]
	if in := c.entities(); in != nil && in.delta != nil {
		for _, s := range c.app.starts {
			if s.text == text && s.coll == coll && in.delta.from <= s.moment && s.moment < c.app.lastChange(in) {
				c.complain("the answers before and after a change begin at %s", text)
			}
		}
	}
	c.app.starts = append(c.app.starts, start{text, coll, c.m.moment})
}

// lastChange is the moment of the last change of what is in a collection or of
// whom it is for.
func (a *app) lastChange(in *collection) int {
	last := a.allRegroupedAt
	for _, moment := range a.regroupedAt {
		last = max(last, moment)
	}
	for _, ch := range in.history {
		last = max(last, ch.moment)
	}
	return last
}

// since reads the parameter: the moment that it means, or -1 when no answer
// about the collection was begun then.
func (c *call) since() (int, *Response) {
	refusal := refuse("MissingRequestParameter")
	text := c.query.Get("since")
	if text == "" {
		return 0, &refusal
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		refusal = refuse("ParameterValueOutOfRange")
		return 0, &refusal
	}
	for i := len(c.app.starts) - 1; i >= 0; i-- {
		if s := c.app.starts[i]; s.coll == c.parameters["coll"] && s.text == t.UTC().Format(timeForm) {
			return s.moment, nil
		}
	}
	return -1, nil
}

func (c *call) deltaSet() Response {
	if refusal := c.named(); refusal != nil {
		return *refusal
	}
	in := c.entities()
	if in == nil || in.delta == nil {
		return refuse("MissingConfiguration")
	}
	since, refusal := c.since()
	if refusal != nil {
		return *refusal
	}
	filter, err := parseFilter(c.query.Get("query"))
	if err != nil {
		return refuse(filterError(err))
	}
	tooEarly := refuse("ParameterValueOutOfRange")
	if since < in.delta.from {
		return tooEarly
	}
	if c.who.Role == oracle.User {
		if since < c.app.regroupedAt[c.who.ID] {
			return tooEarly
		}
		if since < c.app.allRegroupedAt && c.real != nil && c.real.Error == tooEarly.Error {
			return tooEarly
		}
	}

	// What was changed, and how much of what it was then concerns the caller.
	readable, matching := map[string]bool{}, map[string]bool{}
	touched := map[string]bool{}
	for _, ch := range in.history {
		if ch.moment <= since {
			continue
		}
		touched[ch.id] = true
		if ch.before != nil && c.may(oracle.Read, in, ch.before) {
			readable[ch.id] = true
			if matches(filter, ch.before.doc()) {
				matching[ch.id] = true
			}
		}
	}
	changed := []any{}
	var gone deletions
	for _, r := range in.records {
		if !touched[r.id] {
			continue
		}
		if !c.may(oracle.Read, in, r) {
			continue
		}
		if matches(filter, r.doc()) {
			changed = append(changed, plain(r.doc()))
		} else if matching[r.id] {
			gone.must = append(gone.must, r.id)
		} else if readable[r.id] {
			gone.may = append(gone.may, r.id)
		}
	}
	for id := range readable {
		if r := in.find(id); r == nil || !c.may(oracle.Read, in, r) {
			gone.must = append(gone.must, id)
		}
	}
	return answer(200, map[string]any{"changed": changed, "deleted": gone})
}

// deletions are the ids that a delta set names as deleted: those that it must,
// and those that did not match before and do not now, which do no harm.
type deletions struct{ must, may []string }

func (d deletions) differ(got any) string {
	list, ok := got.([]any)
	if !ok {
		return fmt.Sprintf(": %s; want a list", show(got))
	}
	named := map[any]bool{}
	allowed := map[any]bool{}
	for _, id := range append(append([]string{}, d.must...), d.may...) {
		allowed[id] = true
	}
	for _, e := range list {
		m, _ := e.(map[string]any)
		id := m["_id"]
		if len(m) != 1 || !allowed[id] || named[id] {
			return fmt.Sprintf(": %s should not be there, or not again", show(e))
		}
		named[id] = true
	}
	for _, id := range d.must {
		if !named[id] {
			return fmt.Sprintf(": %q is missing", id)
		}
	}
	return ""
}

// MarshalJSON writes what a server could answer.
func (d deletions) MarshalJSON() ([]byte, error) {
	list := []map[string]string{}
	for _, id := range d.must {
		list = append(list, map[string]string{"_id": id})
	}
	return json.Marshal(list)
}

const (
	deltaDays    = 15 // unless it is said otherwise
	maxDeltaDays = 30
)

// readDelta reads the member deltaSet of a collection's settings: nil when
// there is none, and days -1 for off.
func readDelta(settings Object) (*delta, bool) {
	v, _ := settings.get("deltaSet")
	if v == nil {
		return nil, true
	}
	o, _ := v.(Object)
	enabled, _ := o.get("enabled")
	on, ok := enabled.(bool)
	if !ok {
		return nil, false
	}
	d := &delta{days: -1}
	if on {
		d.days = 0
	}
	ttl, _ := o.get("deletedTTLInDays")
	if ttl == nil {
		return d, true
	}
	n, _ := ttl.(json.Number)
	days, err := n.Int64()
	if err != nil || days < 1 || days > maxDeltaDays {
		return nil, false
	}
	if on {
		d.days = int(days)
	}
	return d, true
}

// set changes the settings of a collection. A level of "" and a nil delta
// change nothing.
func (c *call) set(in *collection, level oracle.Level, asked *delta) {
	c.m.moment++
	releveled := level != "" && level != in.level
	if releveled {
		in.level = level
	}
	switch {
	case asked != nil && asked.days < 0:
		in.delta = nil
	case asked != nil && in.delta == nil:
		in.delta = &delta{days: deltaDays, from: c.m.moment}
	case in.delta != nil && releveled:
		in.delta.from = c.m.moment
	}
	if asked != nil && asked.days > 0 {
		in.delta.days = asked.days
	}
}

func (d *delta) described() any {
	if d == nil {
		return Check(absent)
	}
	return map[string]any{"enabled": true, "deletedTTLInDays": amount(d.days)}
}

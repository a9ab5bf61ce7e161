package engine

import (
	"math/bits"
	"strings"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
)

// What would a change of a level, an _acl or a group do? Counted is who gains and
// who loses what, in pairs of a user and an entity, before anything is saved.
// Who may what is asked of acl.Decide, once for each user whom an _acl names and
// once for all others that it says the same of: those who are in one of its groups
// before and after, only before, only after, or never.

// A side is what an entity and its surroundings are like before or after.
type side struct {
	level acl.Level
	acl   *acl.ACL
}

// A whatIf counts the effect of one change.
type whatIf struct {
	s     *appState
	ids   []string       // users who are let in, in order
	at    map[string]int // their places in ids
	sides [2]*crowd
	named []uint64 // scratch: those whom an _acl names, by place

	entities int
	effects  map[acl.Right]*effect
	samples  [][]byte
}

type effect struct{ gain, lose int }

// A crowd is who is in which groups, before or after.
type crowd struct {
	of      []*acl.Membership   // by place
	members map[string][]uint64 // places, by group
}

const maxSamples = 20

// newWhatIf counts for the groups as they are and as they would be; after may be
// the same.
func newWhatIf(s *appState, before, after *acl.Groups) *whatIf {
	w := &whatIf{s: s, at: map[string]int{}, effects: map[acl.Right]*effect{acl.Read: {}, acl.Write: {}}}
	s.accounts.Scan(func(id string, _ *account) bool {
		if _, state := s.comesAs(id); state == "" {
			w.at[id] = len(w.ids)
			w.ids = append(w.ids, id)
		}
		return true
	})
	w.named = make([]uint64, (len(w.ids)+63)/64)
	w.sides[0] = w.crowd(before)
	if w.sides[1] = w.sides[0]; after != before {
		w.sides[1] = w.crowd(after)
	}
	return w
}

func (w *whatIf) crowd(groups *acl.Groups) *crowd {
	c := &crowd{members: map[string][]uint64{}}
	for i, id := range w.ids {
		m := groups.Of(id)
		c.of = append(c.of, m)
		for _, g := range m.IDs() {
			if c.members[g] == nil {
				c.members[g] = make([]uint64, len(w.named))
			}
			c.members[g][i/64] |= 1 << (i % 64)
		}
	}
	return c
}

// entity adds what a change does to one entity.
func (w *whatIf) entity(collection, id string, before, after side) {
	w.entities++
	for _, r := range []acl.Right{acl.Read, acl.Write} {
		w.right(collection, id, r, [2]side{before, after})
	}
}

func (w *whatIf) right(collection, id string, r acl.Right, sides [2]side) {
	clear(w.named)
	var groups [2][]string
	for k, s := range sides {
		creator, users, in := s.acl.Names(r)
		groups[k] = in
		for _, user := range append([]string{creator}, users...) {
			i, ok := w.at[user]
			if !ok || w.named[i/64]&(1<<(i%64)) != 0 {
				continue
			}
			w.named[i/64] |= 1 << (i % 64)
			w.count(collection, id, r, sides, i, 1)
		}
	}
	// The four kinds of all others, each with its first.
	var first, number [4]int
	for word := range w.named {
		var in [2]uint64
		for k := range in {
			for _, g := range groups[k] {
				if set := w.sides[k].members[g]; set != nil {
					in[k] |= set[word]
				}
			}
		}
		rest := ^w.named[word]
		if last := len(w.ids) - word*64; last < 64 {
			rest &= 1<<last - 1
		}
		for kind, set := range [4]uint64{rest &^ in[0] &^ in[1], rest & in[0] &^ in[1], rest &^ in[0] & in[1], rest & in[0] & in[1]} {
			if set != 0 && number[kind] == 0 {
				first[kind] = word*64 + bits.TrailingZeros64(set)
			}
			number[kind] += bits.OnesCount64(set)
		}
	}
	for kind, n := range number {
		if n > 0 {
			w.count(collection, id, r, sides, first[kind], n)
		}
	}
}

// count adds n users, of whom the one at i is asked for all.
func (w *whatIf) count(collection, id string, r acl.Right, sides [2]side, i, n int) {
	var d [2]acl.Decision
	for k, s := range sides {
		d[k] = acl.Decide(acl.Subject{Role: acl.RoleUser, ID: w.ids[i], Member: w.sides[k].of[i]}, s.level, s.acl, r)
	}
	if d[0].Allowed == d[1].Allowed {
		return
	}
	e := w.effects[r]
	if d[1].Allowed {
		e.gain += n
	} else {
		e.lose += n
	}
	if len(w.samples) < maxSamples {
		w.samples = append(w.samples, new(jsonObject).text("right", map[acl.Right]string{acl.Read: "read", acl.Write: "write"}[r]).
			flag("gains", d[1].Allowed).raw("user", string(w.s.userRef(w.ids[i]))).number("users", int64(n)).
			text("collection", collection).text("_id", id).text("before", d[0].String()).text("after", d[1].String()).close())
	}
}

func (w *whatIf) answer(r *Request) error {
	return r.json(fasthttp.StatusOK, w.describe(new(jsonObject).number("entities", int64(w.entities))).close())
}

// describe adds what was counted.
func (w *whatIf) describe(o *jsonObject) *jsonObject {
	o.number("users", int64(len(w.ids)))
	for _, name := range []string{"read", "write"} {
		e := w.effects[rights[name]]
		o.raw(name, string(new(jsonObject).number("gain", int64(e.gain)).number("lose", int64(e.lose)).close()))
	}
	return o.raw("samples", string(jsonList(w.samples)))
}

// previewCollection answers what another level of a collection, {"level": ...}, or
// another _acl of one of its entities, {"_id": ..., "_acl": ...}, would do.
func (e *Engine) previewCollection(r *Request) error {
	c, err := r.managedCollection()
	if err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	w := newWhatIf(r.view, r.view.groups, r.view.groups)
	if id := doc.Get("_id"); id.Kind() == document.String {
		ent, ok := c.rows.get(id.Text())
		if !ok {
			return errEntityNotFound
		}
		sent, err := acl.Parse(doc.Get("_acl").Raw())
		if err != nil {
			return err
		}
		if sent == nil {
			return fault(errOutOfRange, "_acl is what is to be")
		}
		now := *sent
		now.Creator = acl.Creator(acl.Subject{Role: acl.RoleMaster}, r.app.key, ent.acl, sent)
		w.entity(c.name, ent.id, side{c.level, ent.acl}, side{c.level, &now})
		return w.answer(r)
	}
	level, ok := acl.ParseLevel(doc.Get("level").Text())
	if !ok || doc.Get("level").Kind() != document.String {
		return fault(errOutOfRange, "level is shared, private, read-only or full")
	}
	c.rows.scan(func(ent *entity) bool {
		w.entity(c.name, ent.id, side{c.level, ent.acl}, side{level, ent.acl})
		return true
	})
	return w.answer(r)
}

// previewGroup answers what other members of a group, {"_id": ..., "users": ...,
// "groups": ...}, would do to all collections.
func (e *Engine) previewGroup(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	id := doc.Get("_id")
	if id.Kind() != document.String || validID(id.Text()) != nil {
		return fault(errIdentifier, "_id is the group's")
	}
	def, err := acl.ParseGroup(doc.Raw())
	if err != nil {
		return err
	}
	// The groups of the view are the committer's to go on from; these are our own.
	var groups *acl.Groups
	r.view.collection("group").rows.scan(func(ent *entity) bool {
		if d, err := acl.ParseGroup(ent.body()); err == nil {
			groups = groups.With(ent.id, d)
		}
		return true
	})
	w := newWhatIf(r.view, r.view.groups, groups.With(strings.Clone(id.Text()), def))
	r.view.collections.Scan(func(name string, c *collection) bool {
		if managed(name) != nil {
			return true
		}
		c.rows.scan(func(ent *entity) bool {
			for range ent.acl.Groups() { // others are what they were
				w.entity(name, ent.id, side{c.level, ent.acl}, side{c.level, ent.acl})
				break
			}
			return true
		})
		return true
	})
	return w.answer(r)
}

package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/valyala/fasthttp"

	"postern/engine/document"
	"postern/engine/query"
	"postern/engine/store"
)

// An orderRow says which orders of a collection are kept whether they are used
// or not, and which are never made. It is replaced, never changed.
type orderRow struct {
	Pin    sortList `json:"pin,omitempty"`
	Forbid sortList `json:"forbid,omitempty"`
}

const (
	maxPins      = 8
	maxForbidden = 64
)

// A sortList is stored as the names of the orders.
type sortList []query.Sort

func (l sortList) names() []string {
	names := make([]string, len(l))
	for i, s := range l {
		names[i] = s.Name()
	}
	return names
}

// MarshalJSON writes the names.
func (l sortList) MarshalJSON() ([]byte, error) { return json.Marshal(l.names()) }

// UnmarshalJSON reads the names.
func (l *sortList) UnmarshalJSON(text []byte) error {
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return err
	}
	*l = nil
	for _, name := range names {
		s, err := query.ParseName(name)
		if err != nil {
			return err
		}
		*l = append(*l, s)
	}
	return nil
}

func (l sortList) has(s query.Sort) bool {
	name := s.Name()
	return slices.ContainsFunc(l, func(other query.Sort) bool { return other.Name() == name })
}

func (o *orderRow) pins(s query.Sort) bool { return o != nil && o.Pin.has(s) }

func (o *orderRow) forbids(s query.Sort) bool { return o != nil && o.Forbid.has(s) }

// sortsIn reads a list of names of orders; nil when there is none.
func sortsIn(doc document.Value, member string, most int) (*sortList, error) {
	v := doc.Get(member)
	if v.Kind() == document.Missing {
		return nil, nil
	}
	if v.Kind() != document.Array {
		return nil, fault(errOutOfRange, `%s must be a list of orders such as "cat,-_kmd.lmt"`, member)
	}
	list := sortList{}
	for e := range v.Elements() {
		if e.Kind() != document.String {
			return nil, fault(errOutOfRange, `%s must be a list of orders such as "cat,-_kmd.lmt"`, member)
		}
		s, err := query.ParseName(e.Text())
		switch {
		case err != nil:
			return nil, fault(errOutOfRange, "%s: %.80q: %s", member, e.Text(), err.Error())
		case s.None():
			return nil, fault(errOutOfRange, "%s: %.80q is no order", member, e.Text())
		case s.Name() == byID.Name():
			return nil, fault(errOutOfRange, "%s: the order by _id is always there", member)
		case list.has(s):
			return nil, fault(errOutOfRange, "%s: %.80q is there twice", member, s.Name())
		case len(list) == most:
			return nil, fault(errOutOfRange, "%s: more than %d orders", member, most)
		}
		list = append(list, s)
	}
	return &list, nil
}

// ordersIn reads what a body or a file says of the orders of a collection.
func ordersIn(doc document.Value) (*setOrders, error) {
	if err := unknownMember(doc, "pin", "forbid"); err != nil {
		return nil, err
	}
	in := new(setOrders)
	var err error
	if in.pin, err = sortsIn(doc, "pin", maxPins); err == nil {
		in.forbid, err = sortsIn(doc, "forbid", maxForbidden)
	}
	return in, err
}

// setOrders pins and forbids orders of a collection.
type setOrders struct {
	app         *app
	by          actor
	name        string
	pin, forbid *sortList // nil: as they were
	row         *orderRow // what it came to
}

func (in *setOrders) audit() auditLine {
	return auditLine{actor: in.by, Act: "set orders", App: in.app.key, Collection: in.name}
}

func (in *setOrders) plan(d *draft) ([]store.Op, error) {
	c := d.state(in.app).collection(in.name)
	if c == nil {
		return nil, errCollectionNotFound
	}
	var err error
	if in.row, err = in.onto(c.orders); err != nil {
		return nil, err
	}
	return []store.Op{{
		Key:   store.Key{App: in.app.number, Table: tableCollection, ID: in.name},
		Value: encodeRow(&collectionRow{Number: c.number, Level: c.level, Delta: c.deltaSetting(), Orders: in.row}),
	}}, nil
}

// onto returns what is pinned and forbidden after it was row.
func (in *setOrders) onto(was *orderRow) (*orderRow, error) {
	var row orderRow
	if was != nil {
		row = *was
	}
	if in.pin != nil {
		row.Pin = *in.pin
	}
	if in.forbid != nil {
		row.Forbid = *in.forbid
	}
	for _, s := range row.Pin {
		if row.Forbid.has(s) {
			return nil, fault(errOutOfRange, "%q cannot be both pinned and forbidden", s.Name())
		}
	}
	if len(row.Pin)+len(row.Forbid) == 0 {
		return nil, nil
	}
	return &row, nil
}

func (e *Engine) putOrders(r *Request) error {
	name := r.param(0)
	if err := managed(name); err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	in, err := ordersIn(doc)
	if err != nil {
		return err
	}
	in.app, in.by, in.name = r.app, r.actor(), name
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	c := r.app.view.Load().collection(name)
	if c == nil {
		return errCollectionNotFound // dropped meanwhile
	}
	return r.json(fasthttp.StatusOK, describeOrders(c))
}

func (e *Engine) getOrders(r *Request) error {
	c, err := r.managedCollection()
	if err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, describeOrders(c))
}

// managedCollection is the collection that a path names.
func (r *Request) managedCollection() (*collection, error) {
	if err := managed(r.param(0)); err != nil {
		return nil, err
	}
	c := r.view.collection(r.param(0))
	if c == nil {
		return nil, errCollectionNotFound
	}
	return c, nil
}

// The states of an order.
const (
	orderReady    = "ready"    // queries are answered from it
	orderBuilding = "building" // it is being made
	orderWanted   = "wanted"   // it is not there yet
	orderRefused  = "rare"     // queries want it, and too few entities have its first field
	orderBarred   = "forbidden"
)

// bytes is the memory that an order takes.
func (o *ordering) bytes() int {
	sets, permutation, _ := o.sets.Bytes()
	n := sets + permutation + 8*len(o.prefix)
	if o.aside != nil {
		sets, _, _ = o.aside.acl.Natural().Bytes()
		n += sets + 4*len(o.bent)
	}
	return n
}

// orderState tells how it stands about an order. The caller holds mu.
func (u *uses) orderState(c *collection, s query.Sort) string {
	name := s.Name()
	making := u.making.Load()
	n := u.of[name]
	switch {
	case c.rows.base.orderNamed(name) >= 0:
		return orderReady
	case c.orders.forbids(s):
		return orderBarred
	case making != nil && slices.Contains(*making, name):
		return orderBuilding
	case n != nil && n.rare() && !c.orders.pins(s):
		return orderRefused
	}
	return orderWanted
}

// describeOrders lists the orders of a collection: those that there are, those
// that there are to be, those that queries want and those that are forbidden.
func describeOrders(c *collection) []byte {
	u := c.uses
	u.mu.Lock()
	defer u.mu.Unlock()
	var list, wants [][]byte
	for _, o := range c.rows.base.orders[1:] {
		made := "use"
		switch {
		case o.name == byID.Name():
			made = "always"
		case c.orders.pins(o.sort):
			made = "pin"
		}
		item := new(jsonObject).text("sort", o.name).text("made", made).text("state", orderReady).
			number("bytes", int64(o.bytes())).number("entities", int64(c.rows.len()))
		if len(o.bent) > 0 {
			item.number("arrays", int64(len(o.bent)))
		}
		if s := u.services()[o.name]; s != nil {
			item.time("lastUsed", s.last.Load()).number("queries", s.queries.Load())
		}
		list = append(list, item.close())
	}
	if c.orders != nil {
		for _, s := range c.orders.Pin {
			if state := u.orderState(c, s); state != orderReady {
				list = append(list, new(jsonObject).text("sort", s.Name()).text("made", "pin").text("state", state).close())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.of)) {
		n := u.of[name]
		if state := u.orderState(c, n.sort); state != orderReady {
			wants = append(wants, new(jsonObject).text("sort", name).text("state", state).
				number("queries", int64(n.queries)).number("rows", int64(n.rows)).close())
		}
	}
	o := new(jsonObject).raw("orders", string(jsonList(list))).raw("wants", string(jsonList(wants)))
	row := c.orders
	if row == nil {
		row = new(orderRow)
	}
	return o.texts("pin", row.Pin.names()).texts("forbid", row.Forbid.names()).close()
}

// orders adds to the description of a collection in a file which orders
// are pinned and forbidden.
func (o *jsonObject) orders(row *orderRow) *jsonObject {
	if row == nil {
		return o
	}
	return o.raw("orders", fmt.Sprintf(`{"pin":%s,"forbid":%s}`, encodeRow(row.Pin.names()), encodeRow(row.Forbid.names())))
}

package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
)

// planned is a collection of its own, with the orders that a test asks for.
func planned(t *testing.T, level acl.Level, names []string, each func(add func(members string, a acl.ACL))) *collection {
	t.Helper()
	c := newCollection(firstCollection, "things", level)
	c.rows.loading = newLoader()
	n := 0
	each(func(members string, a acl.ACL) {
		if a.Creator == "" {
			a.Creator = "owner"
		}
		id := fmt.Sprintf("e%06d", n)
		e := newEntity(id, fmt.Appendf(nil, `{"_id":%q%s`, id, members), acl.Position(n), &a, []byte(`{"creator":"owner"}`), 1, 1)
		c.rows.replace(id, e, true)
		n++
	})
	c.rows.freeze()
	sorts := []query.Sort{byID}
	for _, name := range names {
		s, err := query.ParseName(name)
		if err != nil {
			t.Fatal(err)
		}
		sorts = append(sorts, s)
	}
	c.rows = c.rows.onto(c.rows.rebuild(sorts, func() {}))
	c.rows.freeze()
	return c
}

// asked answers a query of a user from a collection, and tells what it took.
type asked struct {
	*plan
	ids     []string
	touched int
	rows    int
	err     error
}

func ask(t *testing.T, c *collection, who, filter, sort string, limit int, budget query.Budget) asked {
	t.Helper()
	f, err := query.ParseFilter([]byte(filter))
	if err != nil {
		t.Fatal(err)
	}
	s, err := query.ParseName(sort)
	if err != nil {
		t.Fatal(err)
	}
	r := reader(who)
	meter := query.NewMeter(budget)
	q := &query.Query{Filter: f, Sort: s, Page: query.Page{Limit: limit}, Meter: meter}
	p := r.plan(c, q)
	k, err := r.open(c, p)
	defer k.close()
	a := asked{plan: p, err: err}
	if err == nil {
		a.err = k.run(p.rest, func(d document.Value) error {
			a.ids = append(a.ids, d.Get("_id").Text())
			return nil
		})
	}
	a.touched = p.touched + k.work()
	a.rows, _ = meter.Spent()
	return a
}

// Who sees ten of a hundred thousand touches ten, whatever part of an order the
// query is about.
func TestPartsCostWhatIsSeen(t *testing.T) {
	const many = 100_000
	c := planned(t, acl.Private, []string{"half", "tag"}, func(add func(string, acl.ACL)) {
		for i := range many {
			a := acl.ACL{}
			if i%(many/10) == 7 {
				a.Readers = []string{"ten"}
			}
			tag := "1"
			if i%3 == 0 {
				tag = "[1,2]" // a third of all is set aside
			}
			add(fmt.Sprintf(`,"half":%d,"n":%d,"tag":%s`, i%2, i, tag), a)
		}
	})
	for _, q := range []struct {
		filter, sort, by string
		found            int
	}{
		{`{"half":1}`, "", byInterval, 10}, // 7 and so on are odd
		{`{"half":0}`, "", byInterval, 0},
		{`{"half":{"$in":[0,1]}}`, "", byInterval, 10},
		{`{"half":{"$gte":0}}`, "half", byInterval, 10},
		{`{"half":{"$gt":1}}`, "", byInterval, 0},
		{`{"half":{"$gte":0}}`, "", byScan, 10}, // he sees no fewer in it than in all
		{`{"tag":1}`, "", byInterval, 10},
		{`{"tag":2}`, "", byInterval, 3},
	} {
		a := ask(t, c, "ten", q.filter, q.sort, 0, query.Budget{})
		if a.err != nil || a.by != q.by || len(a.ids) != q.found {
			t.Errorf("%s by %s: %s, %d found, %v; want %s, %d", q.filter, q.sort, a.by, len(a.ids), a.err, q.by, q.found)
		}
		if a.touched > 40 || a.rows > 20 {
			t.Errorf("%s by %s: %d touched, %d rows looked at to find %d", q.filter, q.sort, a.touched, a.rows, len(a.ids))
		}
		t.Logf("figure: %s by %q of 10 in %d: %d touched, %d rows", q.filter, q.sort, many, a.touched, a.rows)
	}
}

// What has to be looked at before the first row comes out is paid for: it counts,
// and ends when the time is over.
func TestGatheringIsPaidFor(t *testing.T) {
	const many = 20_000
	c := planned(t, acl.Full, []string{"n", "l"}, func(add func(string, acl.ACL)) {
		for i := range many {
			l := fmt.Sprint(i % 100)
			if i%20 == 0 {
				l = "[1,2]"
			}
			add(fmt.Sprintf(`,"n":%d,"l":%s`, (i*7919)%many, l), acl.ACL{})
		}
	})
	for _, q := range []struct {
		filter, sort string
		by           string
		rows         int
	}{
		{`{"n":{"$lt":2000}}`, "", byInterval, 2000}, // put in the order of creation
		{`{"l":2}`, "", byInterval, 1000 + 1},        // what is set aside
	} {
		whole := ask(t, c, "u", q.filter, q.sort, 1, query.Budget{})
		if whole.err != nil || whole.by != q.by || whole.rows < q.rows || whole.rows > q.rows+2 {
			t.Errorf("%s: %s, %d rows, %v; want %s, %d rows", q.filter, whole.by, whole.rows, whole.err, q.by, q.rows)
		}
		var dear *query.Error
		if a := ask(t, c, "u", q.filter, q.sort, 1, query.Budget{Rows: q.rows / 2}); !errors.As(a.err, &dear) || !dear.TooExpensive || len(a.ids) > 0 {
			t.Errorf("%s: %d found, %v", q.filter, len(a.ids), a.err)
		}
		looks := 0
		over := func() bool { looks++; return true }
		if a := ask(t, c, "u", q.filter, q.sort, 1, query.Budget{Over: over}); !errors.As(a.err, &dear) || a.rows >= q.rows || looks == 0 {
			t.Errorf("%s: %d rows after %d looks at the clock, %v", q.filter, a.rows, looks, a.err)
		}
	}
	// What is passed over of several parts has to be looked at, too.
	var dear *query.Error
	f := `{"n":{"$in":[1,2,3,4,5,6,7,8]}}`
	if a := ask(t, c, "u", f, "", 0, query.Budget{}); a.err != nil || len(a.more) != 7 || len(a.ids) != 8 {
		t.Errorf("%v, %d parts, %d found", a.err, 1+len(a.more), len(a.ids))
	}
	k := cursorOf(t, c, f, "", query.Budget{Rows: 4})
	if n := k.Skip(6); n != 4 || !errors.As(k.failed(), &dear) {
		t.Errorf("%d passed over, %v", n, k.failed())
	}
	k.close()
}

func cursorOf(t *testing.T, c *collection, filter, sort string, budget query.Budget) *cursor {
	t.Helper()
	f, err := query.ParseFilter([]byte(filter))
	if err != nil {
		t.Fatal(err)
	}
	s, err := query.ParseName(sort)
	if err != nil {
		t.Fatal(err)
	}
	r := reader("u")
	k, err := r.open(c, r.plan(c, &query.Query{Filter: f, Sort: s, Meter: query.NewMeter(budget)}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Whatever is in the base and whatever came later, with arrays here, there or
// nowhere, parts of an order have what a look at everything finds, as often, in
// the same order, and as many are counted and passed over.
func TestPartsHaveWhatALookAtEverythingFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(20261124, 2))
	orders := []string{"a", "-a", "a,b", "b,-a", "-a,-b"}
	ways := map[string]int{}
	compared := 0
	for range 300 {
		// Of so many values one is an array, in the base and of what is late.
		based, came := []int{0, 0, 2, 9}[r.IntN(4)], []int{0, 2, 9, 9}[r.IntN(4)]
		members := func(arrays int) string {
			text := ""
			for _, name := range []string{"a", "b"} {
				v := []string{fmt.Sprint(r.IntN(6)), fmt.Sprint(r.IntN(6)), `"x"`, "null", "true"}[r.IntN(5)]
				if arrays > 0 && r.IntN(arrays) == 0 {
					v = fmt.Sprintf("[%s,%d]", v, r.IntN(6))
				}
				if r.IntN(9) > 0 {
					text += fmt.Sprintf(",%q:%s", name, v)
				}
			}
			return text
		}
		may := func() acl.ACL {
			a := acl.ACL{Creator: "owner"}
			if r.IntN(3) > 0 {
				a.Readers = []string{"u"}
			}
			return a
		}
		n := 1 + r.IntN(300)
		c := planned(t, acl.Private, orders, func(add func(string, acl.ACL)) {
			for range n {
				add(members(based), may())
			}
		})
		for range r.IntN(4) {
			k := c.rows.draft()
			for range r.IntN(80) {
				id := fmt.Sprintf("e%06d", r.IntN(n+40))
				old, ok := k.get(id)
				switch {
				case ok && r.IntN(3) == 0:
					k.replace(id, nil, false)
				case ok:
					a := may()
					k.replace(id, newEntity(id, fmt.Appendf(nil, `{"_id":%q%s`, id, members(came)), old.pos, &a, []byte(`{"creator":"owner"}`), 1, 1), true)
				default:
					a := may()
					n++
					id = fmt.Sprintf("e%06d", n+1000)
					k.replace(id, newEntity(id, fmt.Appendf(nil, `{"_id":%q%s`, id, members(came)), acl.Position(n+1000), &a, []byte(`{"creator":"owner"}`), 1, 1), true)
				}
			}
			k.freeze()
			c.rows = k
		}
		for range 20 {
			v := func() string { return []string{fmt.Sprint(r.IntN(6)), `"x"`, "null", "true"}[r.IntN(4)] }
			f := []string{
				fmt.Sprintf(`{"a":%s}`, v()), fmt.Sprintf(`{"a":{"$in":[%s,%s,%s]}}`, v(), v(), v()), fmt.Sprintf(`{"a":{"$gte":%s}}`, v()),
				fmt.Sprintf(`{"b":{"$in":[%s,%s]},"a":%s}`, v(), v(), v()), fmt.Sprintf(`{"a":{"$gt":%s,"$lt":%s}}`, v(), v()), fmt.Sprintf(`{"b":%s}`, v()),
			}[r.IntN(6)]
			by := append(orders, "", "", "b", "_id")[r.IntN(len(orders)+4)]
			got := ask(t, c, "u", f, by, 0, query.Budget{})
			want := lookAtAll(t, c, f, by)
			if got.err != nil || !slices.Equal(got.ids, want) {
				t.Fatalf("%s by %q, %s, apart %v, %d parts: %v\n%v\nwant\n%v", f, by, got.by, got.apart, 1+len(got.more), got.err, got.ids, want)
			}
			filter, _ := query.ParseFilter([]byte(f))
			q := &query.Query{Filter: filter}
			p := c.plan(new(plan), reader("u").principals, q, true)
			k, err := reader("u").open(c, p)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := query.Count(p.rest, k); err != nil || n != len(want) {
				t.Fatalf("%s, %s, apart %v, %d parts: %d counted, %v; want %d", f, p.by, p.apart, 1+len(p.more), n, err, len(want))
			}
			k.close()
			skip := r.IntN(len(want) + 2)
			k = cursorOf(t, c, f, by, query.Budget{})
			if got.by == byInterval && got.rest.Filter == nil {
				if n := k.Skip(skip); n != min(skip, len(want)) || k.Count() != len(want)-n {
					t.Fatalf("%s: %d of %d passed over, %d left of %d", f, n, skip, k.Count(), len(want))
				}
			}
			k.close()
			ways[got.by]++
			for what, is := range map[string]bool{
				"apart in the base": got.apart && c.rows.base.orders[got.order].aside != nil,
				"apart, late alone": got.apart && c.rows.base.orders[got.order].aside == nil,
				"several parts":     len(got.more) > 0, "resort": got.resort,
			} {
				if is {
					ways[what]++
				}
			}
			compared++
		}
	}
	t.Logf("figure: %d queries, %v", compared, ways)
	for _, way := range []string{byInterval, byOrder, byScan, "apart in the base", "apart, late alone", "several parts", "resort"} {
		if ways[way] < 20 {
			t.Errorf("%d of %d queries are %s", ways[way], compared, way)
		}
	}
}

// lookAtAll looks at everything that u may read.
func lookAtAll(t *testing.T, c *collection, filter, sort string) (ids []string) {
	t.Helper()
	f, err := query.ParseFilter([]byte(filter))
	if err != nil {
		t.Fatal(err)
	}
	s, err := query.ParseName(sort)
	if err != nil {
		t.Fatal(err)
	}
	var all []*entity
	subject := reader("u").subject
	c.rows.scan(func(e *entity) bool {
		if acl.Decide(subject, c.level, e.acl, acl.Read).Allowed && f.Match(documentOf(e)) {
			all = append(all, e)
		}
		return true
	})
	slices.SortStableFunc(all, func(a, b *entity) int {
		return cmp.Or(s.Compare(documentOf(a), documentOf(b)), cmp.Compare(a.pos, b.pos))
	})
	for _, e := range all {
		ids = append(ids, e.id)
	}
	return ids
}

// reader is a request of a user.
func reader(who string) *Request {
	subject := acl.Subject{Role: acl.RoleUser, ID: who, Member: (*acl.Groups)(nil).Of(who)}
	return &Request{subject: subject, principals: acl.PrincipalsOf(subject)}
}

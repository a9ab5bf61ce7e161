package engine

import (
	"errors"
	"fmt"
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
	c.rows = c.rows.onto(c.rows.rebuild(sorts, func() {}), c.rows)
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
	subject := acl.Subject{Role: acl.RoleUser, ID: who, Member: (*acl.Groups)(nil).Of(who)}
	r := &Request{subject: subject, principals: acl.PrincipalsOf(subject)}
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
	k := cursorOf(t, c, f, query.Budget{Rows: 4})
	if n := k.Skip(6); n != 4 || !errors.As(k.failed(), &dear) {
		t.Errorf("%d passed over, %v", n, k.failed())
	}
	k.close()
}

func cursorOf(t *testing.T, c *collection, filter string, budget query.Budget) *cursor {
	t.Helper()
	f, err := query.ParseFilter([]byte(filter))
	if err != nil {
		t.Fatal(err)
	}
	subject := acl.Subject{Role: acl.RoleUser, ID: "u", Member: (*acl.Groups)(nil).Of("u")}
	r := &Request{subject: subject, principals: acl.PrincipalsOf(subject)}
	k, err := r.open(c, r.plan(c, &query.Query{Filter: f, Meter: query.NewMeter(budget)}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

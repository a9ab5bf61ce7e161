package engine

import (
	"encoding/json"
	"fmt"
	"testing"

	"postern/acl"
	"postern/engine/document"
	"postern/engine/query"
	"postern/engine/store"
)

// What has changed between the query and the commit is matched again there: what is
// gone or does not match any more is left alone and not counted, the rest is changed
// as it is by then. And a batch leaves one line in the audit.
func TestBulkACLMatchesAgainInTheCommit(t *testing.T) {
	driver := store.NewMemory()
	e, a := openImporting(t, driver)
	put := func(id, text string) {
		e.importOne(t, []byte(fmt.Sprintf(`{"_id":%q,%s}`, id, text)))
	}
	for i := range 5 {
		put(fmt.Sprint("e", i), `"k":1,"_acl":{"creator":"c"}`)
	}
	view := a.view.Load()
	c := view.collection("c")
	var seen []*entity
	for i := range 5 {
		ent, ok := c.rows.get(fmt.Sprint("e", i))
		if !ok {
			t.Fatal("no entity")
		}
		seen = append(seen, ent)
	}
	master := acl.Subject{Role: acl.RoleMaster}
	change := func(id, text string) {
		doc, err := document.Parse([]byte(text), document.Body)
		if err != nil {
			t.Fatal(err)
		}
		b, err := readEntity(doc)
		if err == nil {
			err = e.committer.submit(a, &putEntity{app: a, subject: master, collection: "c", id: id, members: b.withID(id), sent: b.acl, sentText: b.aclText})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	change("e1", `{"k":2}`)
	change("e2", `{"k":1,"later":true,"_acl":{"creator":"d","w":["x"]}}`)
	if err := e.committer.submit(a, &deleteEntity{app: a, subject: master, collection: "c", id: "e3"}); err != nil {
		t.Fatal(err)
	}
	change("e4", `{"k":1,"_acl":{"r":["bob"]}}`) // has it already
	b := &bulkChange{told: []byte(`{"asked":1}`)}
	b.Read.Add = []string{"bob"}
	var err error
	if b.filter, err = query.ParseFilter([]byte(`{"k":1}`)); err != nil {
		t.Fatal(err)
	}
	in := &changeACLs{app: a, subject: master, collection: "c", change: b, seen: seen}
	if err := e.committer.submit(a, in); err != nil || in.done != 5 || in.matched != 3 || in.changed != 2 {
		t.Fatalf("%v, %d done, %d matched, %d changed; want 5, 3 and 2", err, in.done, in.matched, in.changed)
	}
	c = a.view.Load().collection("c")
	for id, want := range map[string]string{
		"e0": `{"creator":"c","r":["bob"]}`, "e1": `{"creator":"c"}`, "e2": `{"creator":"d","w":["x"],"r":["bob"]}`, "e4": `{"creator":"c","r":["bob"]}`,
	} {
		ent, ok := c.rows.get(id)
		if !ok || string(ent.aclText()) != want {
			t.Errorf("%s: %s, want %s", id, ent.aclText(), want)
		}
		if later := document.Trusted(ent.body()).Get("later").Kind() == document.Bool; later != (id == "e2") {
			t.Errorf("%s is %s", id, ent.body())
		}
	}
	if c.rows.len() != 4 {
		t.Errorf("%d entities, want 4", c.rows.len())
	}
	line := in.audit()
	var before map[string]any
	if err := json.Unmarshal(line.Before, &before); err != nil || len(before) != 2 || line.Count != 2 || string(line.After) != `{"asked":1}` {
		t.Errorf("the audit says %+v, before %s", line, line.Before)
	}
	// A user cannot, whoever would let him come so far.
	for _, who := range []acl.Subject{{}, {Role: acl.RoleApp}, {Role: acl.RoleUser, ID: "nobody"}} {
		other := &changeACLs{app: a, subject: who, collection: "c", change: &bulkChange{filter: b.filter, whole: &acl.ACL{}, text: []byte("{}")}, seen: seen}
		if err := e.committer.submit(a, other); err == nil {
			t.Errorf("%+v may", who)
		}
	}
	if ent, _ := c.rows.get("e0"); string(ent.aclText()) != `{"creator":"c","r":["bob"]}` {
		t.Error("somebody did")
	}
}

package cli_test

import (
	"encoding/json"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The commands about orders and queries, against a running server.
func TestOrdersAndExplainCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := serve(t, nil, "dev", "--data", dir)
	run := func(args ...string) result {
		t.Helper()
		return postern(t, nil, "", append(args, "--data", dir)...)
	}
	type orders struct {
		Orders      []struct{ Sort, Made, State string }
		Pin, Forbid []string
	}
	list := func(args ...string) (o orders) {
		t.Helper()
		a := run(append([]string{"collection", "orders", devKey, "things"}, args...)...)
		if err := json.Unmarshal([]byte(a.out), &o); a.code != 0 || err != nil {
			t.Fatalf("%v: %+v", args, a)
		}
		return o
	}
	for _, body := range []string{`{"_id":"a","n":1,"m":2}`, `{"_id":"b","n":2,"m":1}`} {
		if status, text := r.get("POST", "/appdata/"+devKey+"/things", devKey, devMaster, body); status != 201 {
			t.Fatal(text)
		}
	}
	o := list("--pin", "-n", "--pin", "m,-n", "--forbid", "x")
	if !slices.Equal(o.Pin, []string{"-n", "m,-n"}) || !slices.Equal(o.Forbid, []string{"x"}) {
		t.Errorf("pinned %v, forbidden %v", o.Pin, o.Forbid)
	}
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		ready := 0
		for _, one := range list().Orders {
			if one.Made == "pin" && one.State == "ready" {
				ready++
			}
		}
		if ready == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of the pinned orders are there", ready)
		}
	}
	o = list("--unpin", "-n", "--allow", "x", "--pin", "n")
	if !slices.Equal(o.Pin, []string{"m,-n", "n"}) || len(o.Forbid) != 0 {
		t.Errorf("pinned %v, forbidden %v", o.Pin, o.Forbid)
	}
	for want, args := range map[string][]string{
		`"y" is not pinned`:      {"--unpin", "y"},
		"ParameterValueOutOfRan": {"--pin", "a,"},
	} {
		if a := run(append([]string{"collection", "orders", devKey, "things"}, args...)...); a.code != 1 || !strings.Contains(a.stderr, want) {
			t.Errorf("%v: %+v", args, a)
		}
	}
	var told struct {
		User string
		Plan struct{ By, Order string }
		Run  struct{ Rows, Returned int }
	}
	a := run("explain-query", devKey, "things", "--query", `{"m":{"$gte":1}}`, "--sort", `{"m":1,"n":-1}`, "--limit", "1", "--as", "alice")
	if err := json.Unmarshal([]byte(a.out), &told); a.code != 0 || err != nil {
		t.Fatalf("%+v", a)
	}
	if told.User == "" || told.Plan.By != "interval" || told.Plan.Order != "m,-n" || told.Run.Rows != 1 || told.Run.Returned != 1 {
		t.Errorf("%+v", told)
	}
	if a := run("explain-query", devKey, "things", "--as", "nobody"); a.code != 1 || !strings.Contains(a.stderr, "UserNotFound") {
		t.Errorf("%+v", a)
	}
}

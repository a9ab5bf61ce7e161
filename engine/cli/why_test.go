package cli_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// columns are the spaces between columns, however wide.
var columns = regexp.MustCompile(" +")

// "Why can Bob read this?" on the command line.
func TestExplainCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	serve(t, nil, "dev", "--data", dir)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"explain", devKey, "watchlist", "w4", "--user", "bob"}, []string{"bob may read w4 of watchlist: allow R5 (gr)\n", "R7 creator carol\n", "> R5 gr on\n"}},
		{[]string{"explain", devKey, "watchlist", "w1", "--user", "bob", "--right", "delete"}, []string{
			"bob may not delete w1 of watchlist: deny R4 (level Private)\n", "> R4 level Private\n", "Each of these alone would allow it:\n", " name bob in _acl.w\n", " set the level of the collection to Full\n"}},
		{[]string{"explain", devKey, "watchlist", "w1", "--user", "bob", "--right", "acl"}, []string{"> R7 creator alice", "make bob the creator"}},
		{[]string{"explain", devKey, "watchlist", "--user", "bob", "--right", "create"}, []string{"bob may create entities in watchlist: allow R4 (level Private)\n"}},
		{[]string{"explain", devKey, "watchlist", "w1", "--user", "bob", "--json"}, []string{`"decision": "deny R4 (level Private)"`}},
		{[]string{"who-can", devKey, "watchlist", "w4"}, []string{"3 of 3 users may read w4 of watchlist\n", " carol R7 creator", " alice R5 gr"}},
		{[]string{"who-can", devKey, "watchlist", "w1", "--right", "write"}, []string{"1 of 3 users may change w1 of watchlist\n", " alice R7 creator"}},
		{[]string{"visible", devKey, "bob"}, []string{"watchlist Private 2 of 4\n"}},
		{[]string{"preview", devKey, "watchlist", "--level", "shared"}, []string{"3 users, 4 entities", "read 6 gained, 0 lost\nwrite 0 gained, 0 lost\n", " and 1 like him watchlist/w1 deny R4 (level Private) then allow R4 (level Shared)\n"}},
		{[]string{"preview", devKey, "watchlist", "--id", "w4", "--acl", `{"gr":false}`}, []string{"read 0 gained, 2 lost\n"}},
		{[]string{"preview", devKey, "--group", `{"_id":"x","users":{"all":true}}`}, []string{"read 0 gained, 0 lost\n"}},
	} {
		a := postern(t, nil, "", append(c.args, "--data", dir)...)
		a.out = strings.Join(columns.Split(a.out, -1), " ")
		for _, want := range c.want {
			if a.code != 0 || !strings.Contains(a.out, want) {
				t.Errorf("%v: code %d, without %q:\n%s%s", c.args, a.code, want, a.out, a.stderr)
			}
		}
	}
	if a := postern(t, nil, "", "explain", devKey, "watchlist", "w1", "--user", "nobody", "--data", dir); a.code != 1 || !strings.Contains(a.stderr, "UserNotFound") {
		t.Errorf("%+v", a)
	}
	for _, args := range [][]string{{"preview", devKey}, {"preview", devKey, "watchlist"}, {"preview", devKey, "watchlist", "--level", "full", "--acl", "{}"}} {
		if a := postern(t, nil, "", append(args, "--data", dir)...); a.code != 2 {
			t.Errorf("%v: %+v", args, a)
		}
	}
	if a := postern(t, nil, "", "explain", devKey, "watchlist", "--data", dir); a.code != 2 {
		t.Errorf("without a user: %+v", a)
	}
}

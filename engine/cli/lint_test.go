package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestLintCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	serve(t, nil, "dev", "--data", dir)
	run := func(want string, args ...string) {
		t.Helper()
		a := postern(t, nil, "", append(args, "--data", dir)...)
		if out := strings.Join(columns.Split(a.out, -1), " "); a.code != 0 || !strings.Contains(out, want) {
			t.Errorf("%v: code %d, without %q:\n%s%s", args, a.code, want, a.out, a.stderr)
		}
	}
	run("", "collection", "set-level", devKey, "watchlist", "full")
	run("warn full-collection collection watchlist 4 ", "lint", devKey)
	run("", "group", "set", devKey, "everybody", "--all")
	run("info group-of-everyone group everybody 0 ", "lint", devKey)
	run(`"kind": "group-of-everyone"`, "lint", devKey, "--json")
	run(`"username": "alice"`, "group", "members", devKey, "everybody")
	run(`"count": `, "session", "list", devKey)
}

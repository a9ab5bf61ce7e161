package cli_test

import (
	"strings"
	"testing"
)

// dev runs JavaScript in _group, in a process of the same program that has its
// bounds; serve does so only when it is told to.
func TestGroupScripts(t *testing.T) {
	const path = "/appdata/" + devKey + "/watchlist/_group"
	const names = `{"key":{"item":true},"initial":{"all":[]},"reduce":"function(doc, out) { out.all = out.all.concat(doc._id); }"}`
	r := serve(t, nil, "dev")
	if code, body := r.get("POST", path, "alice", "alice", names); code != 200 || body != `[{"item":"bicycle","all":["w1"]},{"item":"lamp","all":["w2"]},{"item":"desk","all":["w4"]}]` {
		t.Errorf("dev: %d %s", code, body)
	}
	for _, reduce := range []string{`function() { while (true); }`, `function(doc, out) { out.s = 'x'; while (true) out.s += out.s; }`, `function f() { f(); }`} {
		if code, body := r.get("POST", path, "alice", "alice", `{"reduce":"`+reduce+`"}`); code != 400 || !strings.Contains(body, "BLRuntimeError") {
			t.Errorf("dev: %s: %d %s", reduce, code, body)
		}
	}
	given := []string{"POSTERN_APP_KEY=" + devKey, "POSTERN_APP_SECRET=" + devApp, "POSTERN_MASTER_SECRET=" + devMaster}
	for _, row := range []struct {
		more []string
		code int
	}{{nil, 403}, {[]string{"--group-scripts"}, 200}} {
		r := serve(t, given, append([]string{"serve", "--data", t.TempDir()}, row.more...)...)
		if code, body := r.get("POST", path, devKey, devMaster, names); code != row.code {
			t.Errorf("serve %v: %d %s", row.more, code, body)
		}
	}
}

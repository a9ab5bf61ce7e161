package cli_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What acl change and acl transfer say and do; without --yes nothing.
func TestACLChangeAndTransfer(t *testing.T) {
	data := t.TempDir()
	r := serve(t, nil, "dev", "--data", data)
	run := func(code int, want string, args ...string) {
		t.Helper()
		got := postern(t, nil, "", append(append([]string{"acl"}, args...), "--data", data)...)
		if got.code != code || !strings.Contains(got.out+got.stderr, want) {
			t.Errorf("acl %v: %d %s%s, want %d and %q", args, got.code, got.out, got.stderr, code, want)
		}
	}
	reads := func(id, name string, want int) {
		t.Helper()
		if status, body := r.get("GET", "/appdata/"+devKey+"/watchlist/"+id, name, name, ""); status != want {
			t.Errorf("%s of %s: %d %s, want %d", id, name, status, body, want)
		}
	}
	q := `{"item":"bicycle"}`
	for _, args := range [][]string{{}, {"--dry-run"}} {
		run(0, "watchlist: 2 entities match, 2 would change", append([]string{"change", "watchlist", "--query", q, "--read-add", "carol"}, args...)...)
		run(0, "Nothing was changed", append([]string{"change", "watchlist", "--query", q, "--read-add", "carol"}, args...)...)
	}
	run(0, "read   2 gained, 0 lost", "change", "watchlist", "--query", q, "--read-add", "carol")
	reads("w1", "carol", 401)
	run(0, "watchlist: 2 entities match, 2 changed", "change", "watchlist", "--query", q, "--read-add", "carol", "--app", devKey, "--yes")
	reads("w1", "carol", 200)
	run(0, "watchlist: 2 entities match, 0 changed", "change", "watchlist", "--query", q, "--read-add", "carol", "--yes")
	run(0, "2 changed", "change", "watchlist", "--query", q, "--read-remove", "carol", "--gr", "on", "--yes")
	reads("w1", "carol", 200)
	run(0, "2 changed", "change", "watchlist", "--query", q, "--gr", "follow", "--yes")
	reads("w1", "carol", 401)
	run(0, "watchlist: 1 entities match, 1 would change", "transfer", "--from", "bob", "--to", "carol")
	reads("w3", "carol", 401)
	run(0, "watchlist: 1 entities match, 1 changed", "transfer", "--from", "bob", "--to", "carol", "--yes")
	reads("w3", "carol", 200)
	reads("w3", "bob", 401)
	run(0, "deals: 1 entities match, 1 changed", "transfer", "--from", devKey, "--to", "alice", "deals", "--yes")
	run(0, "nobody is called zoe", "transfer", "--from", "zoe", "--to", "alice", "deals")
	run(1, "there is no", "change", "watchlist", "--query", q, "--read-add", "zoe", "--yes")
	run(1, "goes with no other change", "change", "watchlist", "--query", q, "--acl", "{}", "--gr", "on", "--yes")
	run(1, "CollectionNotFound", "change", "nosuch", "--query", q, "--gr", "on", "--yes")
	for _, args := range [][]string{
		{"change", "watchlist", "--gr", "on"}, {"change", "watchlist", "--query", q}, {"change", "watchlist", "--query", "{", "--gr", "on"},
		{"change", "watchlist", "--query", q, "--gr", "yes"}, {"change", "watchlist", "--query", q, "--gr", "on", "--yes", "--dry-run"},
		{"transfer", "--from", "bob"}, {"change", "--query", q, "--gr", "on"},
	} {
		run(2, "see postern help", args...)
	}
}

// When the server is killed during a change, whole batches are done, in the order of
// the ids, and the same command again does the rest.
func TestACLChangeKilled(t *testing.T) {
	const all, batch = 30_000, 256
	data := t.TempDir()
	file := filepath.Join(t.TempDir(), "box")
	var text strings.Builder
	for i := range all {
		fmt.Fprintf(&text, "{\"_id\":\"e%05d\",\"n\":%d}\n", i, i%7)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := serve(t, nil, "dev", "--data", data, "--requests=false")
	if a := postern(t, nil, "", "import", "--app", devKey, "--collection", "box", "--data", data, file); a.code != 0 {
		t.Fatalf("%+v", a)
	}
	count := func() (n int) {
		status, body := r.get("GET", "/appdata/"+devKey+"/box/_count?query="+url.QueryEscape(`{"_acl.gr":true}`), devKey, devMaster, "")
		var answer struct{ Count int }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		return answer.Count
	}
	args := []string{"acl", "change", "box", "--query", "{}", "--gr", "on", "--yes", "--data", data}
	under := exec.Command(binary(t), args...)
	under.Env = plain()
	var said strings.Builder
	under.Stderr = &said
	if err := under.Start(); err != nil {
		t.Fatal(err)
	}
	deadline, look := time.After(30*time.Second), time.NewTicker(time.Millisecond)
	defer look.Stop()
	for count() < 3*batch {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatal("nothing changes")
		}
	}
	_ = r.cmd.Process.Kill()
	<-r.over
	_ = r.cmd.Wait()
	_ = under.Wait()
	if under.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "the same command again does the rest") {
		t.Errorf("exit code %d: %s", under.ProcessState.ExitCode(), said.String())
	}
	r = serve(t, nil, "dev", "--data", data, "--requests=false")
	n := count()
	if n < 3*batch || n == all || n%batch != 0 {
		t.Fatalf("%d of %d are changed: no whole batches, or not in the middle", n, all)
	}
	status, body := r.get("GET", fmt.Sprintf("/appdata/%s/box?sort=_id&limit=1&skip=%d&query=%s", devKey, n-1, url.QueryEscape(`{"_acl.gr":true}`)), devKey, devMaster, "")
	if want := fmt.Sprintf(`"_id":"e%05d"`, n-1); n < 10_000 && (status != 200 || !strings.Contains(body, want)) {
		t.Errorf("the last of those %d is %s, want %s", n, body, want)
	}
	if a := postern(t, nil, "", args...); a.code != 0 || !strings.Contains(a.out, fmt.Sprintf("box: %d entities match, %d changed", all, all-n)) {
		t.Errorf("again: %+v", a)
	}
	if n := count(); n != all {
		t.Errorf("%d are changed in the end", n)
	}
	if a := postern(t, nil, "", append(args, "--quiet")...); a.code != 0 || !strings.Contains(a.out, "0 changed") {
		t.Errorf("once more: %+v", a)
	}
	r.stop(os.Interrupt)
	if a := postern(t, nil, "", "check", "--data", data); a.code != 0 {
		t.Errorf("check: %+v", a)
	}
}

package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const (
	devKey    = "kid_dev"
	devApp    = "a0000000000000000000000000000001"
	devMaster = "b0000000000000000000000000000002"
)

// The curl lines that dev prints work as printed and show a private collection
// filtered for two users.
func TestDevPrintsLinesThatWork(t *testing.T) {
	r := serve(t, nil, "dev")
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("curl is not installed: ", err)
	}
	var answers []string
	for line := range strings.Lines(r.text) {
		if strings.HasPrefix(line, "curl ") {
			out, err := exec.Command("sh", "-c", line).Output()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			answers = append(answers, string(out))
		}
	}
	if len(answers) != 4 {
		t.Fatalf("%d curl lines in\n%s", len(answers), r.text)
	}
	for i, want := range []string{`"w1"`, `"w3"`, `{"count":4}`, `"authtoken"`} {
		if !strings.Contains(answers[i], want) {
			t.Errorf("answer %d is %s, want %s in it", i, answers[i], want)
		}
	}
	if strings.Contains(answers[0], `"w3"`) || strings.Contains(answers[1], `"w1"`) {
		t.Errorf("the answers are not filtered: %v", answers[:2])
	}
	dir := regexp.MustCompile(`data +(\S+)`).FindStringSubmatch(r.text)[1]
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

// Every denial is in the log of dev, with its reason and without secrets.
func TestDevLogsDenials(t *testing.T) {
	r := serve(t, nil, "dev", "--requests=false")
	if status, body := r.get("GET", "/appdata/"+devKey+"/watchlist/w3", "alice", "alice", ""); status != 401 {
		t.Fatalf("%d %s", status, body)
	}
	r.get("GET", "/appdata/"+devKey+"/watchlist", "alice", "hunter2", "")
	r.stop(syscall.SIGTERM)
	log := r.log.String()
	for _, want := range []string{"msg=denied", "R4", "level Private", "/appdata/kid_dev/watchlist/w3"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "hunter2") || strings.Contains(log, devMaster) {
		t.Errorf("the log holds a secret:\n%s", log)
	}
}

// dev refuses an address that others can reach, and foreign host names.
func TestDevIsForLoopback(t *testing.T) {
	if a := postern(t, nil, "", "dev", "--listen", "0.0.0.0:0"); a.code != 2 || !strings.Contains(a.stderr, "loopback") {
		t.Errorf("%+v", a)
	}
	r := serve(t, nil, "dev")
	req, _ := http.NewRequest("GET", r.url+"/appdata", nil)
	req.Host = "rebound.example.com"
	a, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != 400 {
		t.Errorf("a foreign host name is answered with %d", a.StatusCode)
	}
}

// serve refuses plain HTTP where others can listen.
func TestServeWantsTLS(t *testing.T) {
	a := postern(t, nil, "", "serve", "--data", t.TempDir()+"/d", "--listen", "0.0.0.0:0")
	if a.code != 1 || !strings.Contains(a.stderr, "--tls-cert") {
		t.Errorf("%+v", a)
	}
}

// The first start shows secrets once; what was given is not shown; the data
// directory holds none of them.
func TestServeFirstStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := serve(t, nil, "serve", "--data", dir)
	key := regexp.MustCompile(`app key +(\S+)`).FindStringSubmatch(r.text)
	master := regexp.MustCompile(`master secret +([0-9a-f]{32})`).FindStringSubmatch(r.text)
	if key == nil || master == nil {
		t.Fatalf("no secrets in\n%s", r.text)
	}
	if status, body := r.get("GET", "/appdata/"+key[1]+"/c", key[1], master[1], ""); status != 200 || body != "[]" {
		t.Errorf("%d %s", status, body)
	}
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d:\n%s", code, r.log)
	}
	if strings.Contains(r.log.String(), master[1]) {
		t.Error("the master secret is in the log")
	}
	grep(t, dir, master[1])
	if info, err := os.Stat(filepath.Join(dir, "snapshot")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the directory of snapshots: %v, %v", info, err)
	}
	again := serve(t, nil, "serve", "--data", dir)
	if strings.Contains(again.text, "secret") {
		t.Errorf("the second start shows secrets:\n%s", again.text)
	}
	if status, _ := again.get("GET", "/appdata/"+key[1]+"/c", key[1], master[1], ""); status != 200 {
		t.Errorf("after a restart: %d", status)
	}

	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	given := serve(t, []string{"POSTERN_APP_KEY=kid_given", "POSTERN_MASTER_SECRET_FILE=" + file},
		"serve", "--data", filepath.Join(t.TempDir(), "data"))
	if strings.Contains(given.text, "0123456789abcdef") {
		t.Errorf("a given secret is shown:\n%s", given.text)
	}
	if status, _ := given.get("GET", "/appdata/kid_given/c", "kid_given", "0123456789abcdef0123456789abcdef", ""); status != 200 {
		t.Errorf("with the given secret: %d", status)
	}
}

// grep fails when a file of the directory holds the text.
func grep(t *testing.T, dir, text string) {
	t.Helper()
	n := 0
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		if bytes.Contains(b, []byte(text)) {
			t.Errorf("%s holds a secret", path)
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files read: %v", n, err)
	}
}

// The commands that administer, against a running server.
func TestAdministration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := serve(t, nil, "dev", "--data", dir)
	ok := func(stdin string, args ...string) string {
		t.Helper()
		a := postern(t, nil, stdin, append(args, "--data", dir)...)
		if a.code != 0 {
			t.Fatalf("postern %v: %+v", args, a)
		}
		return a.out
	}
	fails := func(want string, args ...string) {
		t.Helper()
		if a := postern(t, nil, "", append(args, "--data", dir)...); a.code == 0 || !strings.Contains(a.stderr, want) {
			t.Errorf("postern %v: %+v, want %q", args, a, want)
		}
	}
	contains := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	// Delta set.
	contains(ok("", "collection", "set-delta", devKey, "delta", "on", "--days", "7"), `"deletedTTLInDays": 7`)
	contains(ok("", "collection", "set-level", devKey, "delta", "private"), `"enabled": true`)
	if text := ok("", "collection", "set-delta", devKey, "delta", "off"); strings.Contains(text, "deltaSet") || !strings.Contains(text, "append-only") {
		t.Errorf("delta set is off: %s", text)
	}
	fails("want on or off", "collection", "set-delta", devKey, "delta", "yes")
	fails("ParameterValueOutOfRange", "collection", "set-delta", devKey, "delta", "on", "--days", "31")
	// Apps and secrets.
	contains(ok("", "app", "list"), devKey)
	var made struct{ ID, AppSecret, MasterSecret string }
	if err := json.Unmarshal([]byte(ok("", "app", "create", "--name", "Second")), &made); err != nil {
		t.Fatal(err)
	}
	if status, _ := r.get("GET", "/appdata/"+made.ID+"/c", made.ID, made.MasterSecret, ""); status != 200 {
		t.Errorf("the new app's master secret: %d", status)
	}
	fails("BadRequest", "app", "create", "--key", made.ID)
	var renewed struct{ MasterSecret string }
	if err := json.Unmarshal([]byte(ok("", "app", "regenerate-secret", made.ID, "master")), &renewed); err != nil {
		t.Fatal(err)
	}
	if status, _ := r.get("GET", "/appdata/"+made.ID+"/c", made.ID, made.MasterSecret, ""); status != 401 {
		t.Errorf("the old master secret: %d", status)
	}
	if status, _ := r.get("GET", "/appdata/"+made.ID+"/c", made.ID, renewed.MasterSecret, ""); status != 200 {
		t.Errorf("the renewed master secret: %d", status)
	}
	contains(ok("", "app", "set", made.ID, "hideUnreadable=true", "groupCreation=users"), `"hideUnreadable": true`)
	fails("unknown setting", "app", "set", made.ID, "hideUnreadble=true")
	// Collections.
	ok("", "collection", "create", devKey, "fresh", "--level", "private")
	contains(ok("", "collection", "list", devKey), `"append-only"`)
	ok("", "collection", "set-level", devKey, "fresh", "full")
	contains(ok("", "collection", "list", devKey), `"write"`)
	fails("ParameterValueOutOfRange", "collection", "set-level", devKey, "fresh", "open")
	fails("CollectionNotFound", "collection", "delete", devKey, "none")
	ok("", "collection", "delete", devKey, "fresh")
	// Users.
	login := func(name, password string) int {
		t.Helper()
		status, _ := r.get("POST", "/user/"+devKey+"/login", devKey, devApp, fmt.Sprintf(`{"username":%q,"password":%q}`, name, password))
		return status
	}
	contains(ok("secret one\n", "user", "create", devKey, "dave"), "dave")
	if got := login("dave", "secret one"); got != 200 {
		t.Errorf("login: %d", got)
	}
	sessions := ok("", "user", "sessions", devKey, "dave")
	id := regexp.MustCompile(`"id": "([0-9a-f]+)"`).FindAllStringSubmatch(sessions, -1)
	if len(id) == 0 {
		t.Fatalf("no sessions: %s", sessions)
	}
	for _, one := range id {
		ok("", "session", "end", devKey, "dave", one[1])
	}
	if left := ok("", "session", "list", devKey, "dave"); strings.TrimSpace(left) != "[]" {
		t.Errorf("sessions left: %s", left)
	}
	ok("secret two\n", "user", "set-password", devKey, "dave")
	if got := []int{login("dave", "secret one"), login("dave", "secret two")}; got[0] != 401 || got[1] != 200 {
		t.Errorf("after set-password: %v", got)
	}
	ok("", "session", "end-all", devKey, "dave")
	ok("", "user", "suspend", devKey, "dave")
	if got := login("dave", "secret two"); got != 401 {
		t.Errorf("suspended: %d", got)
	}
	ok("", "user", "restore", devKey, "dave")
	if got := login("dave", "secret two"); got != 200 {
		t.Errorf("restored: %d", got)
	}
	fails("UserNotFound", "user", "show", devKey, "nobody")
	// Groups.
	ok("", "group", "set", devKey, "g", "--all")
	contains(ok("", "group", "list", devKey), `"g"`)
	ok("", "group", "delete", devKey, "g")
	fails("EntityNotFound", "group", "show", devKey, "g")
	// An operator.
	contains(ok("harbour wall\n", "operator", "create", "op@example.com"), `"owner"`)
	contains(ok("harbour wall\n", "operator", "add", "vera@example.com", "--role", "viewer"), `"viewer"`)
	contains(ok("", "operator", "role", "vera@example.com", "editor"), `"editor"`)
	contains(ok("another wall\n", "operator", "password", "vera@example.com"), "vera@example.com")
	fails("role is viewer, editor or owner", "operator", "role", "vera@example.com", "god")
	fails("no authenticator", "operator", "totp-off", "vera@example.com")
	ok("", "operator", "remove", "vera@example.com")
	fails("no such operator", "operator", "remove", "vera@example.com")
	ok("", "operator", "remove", "op@example.com")
	fails("last owner", "operator", "remove", "dev@localhost")
	if list := ok("", "operator", "list"); strings.Contains(list, "vera") || !strings.Contains(list, "dev@localhost") {
		t.Errorf("the operators are %s", list)
	}
	// The check, on the running server and on its directory.
	contains(ok("", "check"), "ok")
	// A backup, while it runs, and what comes out of it.
	backup := filepath.Join(t.TempDir(), "backup")
	ok("", "backup", backup)
	restored := filepath.Join(t.TempDir(), "restored")
	a := postern(t, nil, "", "restore", backup, "--data", restored)
	if a.code != 0 {
		t.Fatalf("restore: %+v", a)
	}
	if a := postern(t, nil, "", "restore", backup, "--data", restored); a.code == 0 {
		t.Error("restore into a directory that is in use succeeded")
	}
	b, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(backup, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if a := postern(t, nil, "", "restore", backup, "--data", filepath.Join(t.TempDir(), "x")); a.code == 0 {
		t.Error("a damaged backup was restored")
	}
	_, want := r.get("GET", "/appdata/"+devKey+"/watchlist?sort=_id", devKey, devMaster, "")
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	contains(ok("", "check"), "ok")
	again := serve(t, nil, "dev", "--data", restored)
	if _, got := again.get("GET", "/appdata/"+devKey+"/watchlist?sort=_id", devKey, devMaster, ""); got != want {
		t.Errorf("the restored server answers\n%s\nwant\n%s", got, want)
	}
	fails("no server runs", "app", "list")
}

// A setting of the environment is as good as a flag, also where a command asks
// whether the flag was given.
func TestSettingOfTheEnvironmentCounts(t *testing.T) {
	dir := t.TempDir()
	if a := postern(t, []string{"POSTERN_DATA=" + dir}, "", "trust"); a.code != 0 || !strings.Contains(a.out, dir) {
		t.Errorf("POSTERN_DATA=%s postern trust: %+v", dir, a)
	}
}

// Mistakes in how a command is called exit with 2 and say what is wrong.
func TestUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("# settings\nlisten = 127.0.0.1:0\nlsten = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  []string
		args []string
		want string
	}{
		{nil, []string{"nonsense"}, "unknown command"},
		{nil, []string{"serve", "--nonsense"}, "unknown flag"},
		{nil, []string{"serve", "extra"}, "unknown command"},
		{nil, []string{"app", "nonsense"}, "unknown command"},
		{nil, []string{"collection", "set-level", "one"}, "accepts 3 arg"},
		{nil, []string{"serve", "--config", file}, `unknown setting "lsten"`},
		{[]string{"POSTERN_LSTEN=x"}, []string{"serve"}, `unknown setting "lsten"`},
		{nil, []string{"serve", "--log-level", "loud"}, "log-level"},
		{nil, []string{"serve", "--tls-cert", "x"}, "go together"},
	} {
		if a := postern(t, c.env, "", c.args...); a.code != 2 || !strings.Contains(a.stderr, c.want) {
			t.Errorf("postern %v with %v: %+v, want 2 and %q", c.args, c.env, a, c.want)
		}
	}
	if a := postern(t, nil, "", "version", "--json"); a.code != 0 || !json.Valid([]byte(a.out)) {
		t.Errorf("version: %+v", a)
	}
}

package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// dev writes its mails into the data directory, with links to its own address
// that work; the outbox commands list, show and clear them.
func TestOutboxOfDev(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := serve(t, nil, "dev", "--data", dir)
	ok := func(args ...string) string {
		t.Helper()
		a := postern(t, nil, "", append(args, "--data", dir)...)
		if a.code != 0 {
			t.Fatalf("postern %v: %+v", args, a)
		}
		return a.out
	}
	if status, body := r.get("POST", "/user/"+devKey, devKey, devApp, `{"username":"dora","password":"dora","email":"dora@example.org"}`); status != 201 {
		t.Fatal(status, body)
	}
	if status, body := r.get("POST", "/rpc/"+devKey+"/dora/user-password-reset-initiate", devKey, devApp, ""); status != 204 {
		t.Fatal(status, body)
	}
	// The mail is on its way: it is waiting, then written.
	var mails []struct{ ID, State, To string }
	for len(mails) == 0 || mails[0].State == "waiting" {
		mails = nil
		if err := json.Unmarshal([]byte(ok("outbox", "list", devKey)), &mails); err != nil {
			t.Fatal(err)
		}
	}
	if len(mails) != 1 || mails[0].To != "<dora@example.org>" {
		t.Fatalf("%+v", mails)
	}
	text := ok("outbox", "show", devKey, mails[0].ID)
	link := regexp.MustCompile(`http://\S+`).FindString(text)
	if !strings.HasPrefix(link, r.url+"/-/reset/"+devKey+"/") {
		t.Fatalf("%q in %s", link, text)
	}
	err := filepath.WalkDir(filepath.Join(dir, "outbox"), func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, err := d.Info()
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.PostForm(link, url.Values{"password": {"a new secret"}, "again": {"a new secret"}})
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Fatalf("%s %s", answer.Status, page)
	}
	if status, body := r.get("GET", "/user/"+devKey+"/_me", "dora", "a new secret", ""); status != 200 {
		t.Error(status, body)
	}
	if out := ok("outbox", "clear", devKey); !strings.Contains(out, `"count": 1`) {
		t.Error(out)
	}
	// A directory with an outbox in it is a data directory still.
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Fatalf("exit %d: %s", code, r.log)
	}
	serve(t, nil, "dev", "--data", dir)
	if out := ok("outbox", "list", devKey); strings.TrimSpace(out) != "[]" {
		t.Error(out)
	}
}

// Settings with which a mail would be of no use, or go over an open line, end
// the start; a password in them is not repeated.
func TestMailSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--public-url", []string{"--smtp-url", "smtp://u:topsecret@127.0.0.1:25", "--mail-from", "a@example.org"}},
		{"--mail-from", []string{"--smtp-url", "smtp://u:topsecret@127.0.0.1:25", "--public-url", "https://api.example.org"}},
		{"want smtp://", []string{"--smtp-url", "smtp://u:topsecret@127.0.0.1:25\n", "--public-url", "https://api.example.org", "--mail-from", "a@example.org"}},
		{"https", []string{"--public-url", "http://api.example.org"}},
		{"public URL", []string{"--public-url", "https://user@api.example.org"}},
		{"public URL", []string{"--public-url", "api.example.org"}},
		{"sender", []string{"--public-url", "https://api.example.org", "--mail-from", "a@example.org\r\nBcc: m@example.org"}},
	} {
		a := postern(t, nil, "", append(append([]string{"serve"}, c.args...), "--data", dir, "--listen", "127.0.0.1:0")...)
		if a.code == 0 || !strings.Contains(a.stderr, c.want) || strings.Contains(a.out+a.stderr, "topsecret") {
			t.Errorf("serve %q: %d %s", c.args, a.code, a.stderr)
		}
	}
}

package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The README's files for each kind of provider are taken as they are, their secrets
// are shown and stored nowhere in the open, and a test says which step fails.
func TestMICCommands(t *testing.T) {
	root := t.TempDir()
	dir, key := filepath.Join(root, "data"), filepath.Join(root, "key")
	r := serve(t, []string{"POSTERN_APP_KEY=kid_acme"}, "serve", "--data", dir, "--public-url", "https://postern.example", "--secret-key", key)
	run := func(stdin string, args ...string) result {
		t.Helper()
		return postern(t, nil, stdin, append(args, "--data", dir)...)
	}
	ok := func(stdin string, args ...string) string {
		t.Helper()
		a := run(stdin, args...)
		if a.code != 0 {
			t.Fatalf("postern %v: %+v", args, a)
		}
		return a.out
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var store struct{ ID string }
	if err := json.Unmarshal([]byte(ok("", "mic", "store", "create", "Acme")), &store); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, line := range strings.Split(string(readme), "\n") {
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | `{")
		text, _, found := strings.Cut(rest, "`")
		if !found || !strings.Contains(text, `"provider"`) {
			continue
		}
		text = strings.ReplaceAll("{"+text, `"..."`, `"pr0vider-s3cret"`)
		text = strings.Replace(text, `{"name":`, `{"redirectUri":["https://app.example/cb"],"identityStoreId":"`+store.ID+`","name":`, 1)
		file := filepath.Join(root, "service.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out := ok("", "mic", "service", "set", file)
		var s struct{ ID string }
		if err := json.Unmarshal([]byte(out), &s); err != nil || s.ID == "" {
			t.Fatalf("%s: %v", out, err)
		}
		kinds[name] = s.ID
		for _, shown := range []string{out, ok("", "mic", "service", "show", s.ID), ok("", "mic", "service", "list")} {
			if strings.Contains(shown, "pr0vider-s3cret") {
				t.Errorf("%s: its secret is shown: %s", name, shown)
			}
		}
	}
	if len(kinds) != 4 {
		t.Fatalf("the README has %d providers: %v", len(kinds), kinds)
	}
	ok("", "mic", "use", "kid_acme", kinds["LDAP"])
	// Nobody answers at these names. The step that fails is the one that connects.
	if a := run("password\n", "mic", "test", kinds["LDAP"], "--username", "alice"); a.code == 0 || !strings.Contains(a.out, "FAILED connect") {
		t.Errorf("a test of a directory that is not there: %+v", a)
	}
	if a := run("", "mic", "test", kinds["OpenID Connect"]); a.code == 0 || !strings.Contains(a.out, "FAILED") {
		t.Errorf("a test of a provider that is not there: %+v", a)
	}
	if a := run("", "mic", "service", "set", "-"); a.code == 0 {
		t.Errorf("nothing is taken for a service: %+v", a)
	}
	ok("", "mic", "service", "delete", kinds["SAML 2.0"])
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(r.log.String(), "pr0vider-s3cret") {
		t.Error("a secret is in the log")
	}
	info, err := os.Stat(key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
	for _, dir := range []string{dir, filepath.Join(dir, "snapshot")} {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), "pr0vider-s3cret") {
				t.Errorf("%s holds a secret", file)
			}
		}
	}
	// The key is no part of the data, and another one opens nothing.
	if a := postern(t, nil, "", "serve", "--data", dir, "--secret-key", filepath.Join(dir, "key")); a.code == 0 || !strings.Contains(a.stderr, "outside the data directory") {
		t.Errorf("a key inside the data directory: %+v", a)
	}
	if err := os.WriteFile(key, []byte(strings.Repeat("ab", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = serve(t, nil, "serve", "--data", dir, "--public-url", "https://postern.example", "--secret-key", key)
	if a := run("password\n", "mic", "test", kinds["LDAP"], "--username", "alice"); a.code == 0 || !strings.Contains(a.out, "FAILED read the settings and open their secrets") {
		t.Errorf("with another key: %+v", a)
	}
	r.stop(syscall.SIGTERM)
}

// Without a key no secret is stored, and without a public URL there is no service.
func TestMICNeedsKeyAndURL(t *testing.T) {
	for _, c := range []struct{ flags, want string }{
		{"", "--public-url"},
		{"--public-url https://postern.example", "--secret-key"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		r := serve(t, nil, append([]string{"serve", "--data", dir}, strings.Fields(c.flags)...)...)
		a := postern(t, nil, `{"name":"x","provider":{"type":"OIDC","options":{"issuer":"https://i.example","clientId":"c","clientSecret":"s"}}}`, "mic", "service", "set", "-", "--data", dir)
		if a.code == 0 || !strings.Contains(a.stderr, c.want) {
			t.Errorf("%q: %+v", c.flags, a)
		}
		r.stop(syscall.SIGTERM)
	}
}

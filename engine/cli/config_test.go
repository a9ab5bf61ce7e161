package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The configuration of an environment goes out as a file and into another one.
func TestConfigFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := serve(t, nil, "dev", "--data", dir)
	run := func(code int, args ...string) string {
		t.Helper()
		a := postern(t, nil, "", append(args, "--data", dir)...)
		if a.code != code {
			t.Fatalf("postern %v: %+v, want %d", args, a, code)
		}
		return a.out + a.stderr
	}
	exported := run(0, "export-config", devKey)
	if !strings.Contains(exported, `"watchlist"`) || !strings.Contains(exported, `"private"`) {
		t.Errorf("exported: %s", exported)
	}
	file := filepath.Join(t.TempDir(), "env.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(run(0, "app", "create", "--name", "Copy")), &made); err != nil {
		t.Fatal(err)
	}
	write(exported)
	if out := run(0, "import-config", made.ID, file, "--check"); !strings.Contains(out, "would apply collection watchlist") {
		t.Errorf("--check: %s", out)
	}
	if run(0, "export-config", made.ID) == exported {
		t.Error("--check has changed something")
	}
	if out := run(0, "import-config", made.ID, file); !strings.Contains(out, "applied collection watchlist") {
		t.Errorf("import: %s", out)
	}
	if copied := run(0, "export-config", made.ID); copied != exported {
		t.Errorf("the copy is\n%s\nof\n%s", copied, exported)
	}
	// What is not honoured is named with file and line; exit code 10.
	write("{\"schemaVersion\": \"1.0.0\", \"configType\": \"environment\",\n \"collections\": {\n  \"fresh\": {\"type\": \"internal\", \"permissions\": \"full\"},\n  \"odd\": {\"type\": \"internal\", \"permissions\": \"open\"}}}")
	for _, flag := range []string{"--check", "--check=false"} {
		if out := run(10, "import-config", made.ID, file, flag); !strings.HasPrefix(out, file+":4: collections.odd: ") {
			t.Errorf("%s: %s", flag, out)
		}
	}
	if strings.Contains(run(0, "export-config", made.ID), "fresh") {
		t.Error("a file with a mistake was applied in part")
	}
	if out := run(0, "import-config", made.ID, file, "--partial"); !strings.Contains(out, "collections.odd") || !strings.Contains(out, "applied collection fresh") {
		t.Errorf("--partial: %s", out)
	}
	if !strings.Contains(run(0, "export-config", made.ID), "fresh") {
		t.Error("--partial has applied nothing")
	}
	run(1, "import-config", "none", file)
	run(1, "import-config", made.ID, file+".none")
	run(2, "import-config", made.ID)
	write("{")
	run(1, "import-config", made.ID, file)
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	run(0, "check")
}

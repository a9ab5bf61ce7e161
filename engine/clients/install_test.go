package clients

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	sdkName    = "kinvey-node-sdk"
	sdkVersion = "3.12.5"
	// sdkSum is the SHA-256 of the SDK's program as it was published.
	sdkSum = "ec8eb68105091828ae300a325989153b4456c5443fa05c9139657af55656a7b9"
)

// A client is an installed SDK and the node to run it.
type client struct {
	node    string // path of the program
	modules string // directory to search for packages
}

// install finds node and the SDK, which it fetches with npm when it is not in the
// user's cache directory yet.
func install(t *testing.T) *client {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		unavailable(t, "node", err, nil)
	}
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if files[name], err = os.ReadFile(filepath.Join("testdata", name)); err != nil {
			t.Fatal(err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	cache = filepath.Join(cache, "postern", "clients")
	lock := sha256.Sum256(files["package-lock.json"])
	dir := filepath.Join(cache, sdkName+"-"+sdkVersion+"-"+hex.EncodeToString(lock[:6]))
	c := &client{node: node, modules: filepath.Join(dir, "node_modules")}
	if c.unmodified() {
		return c
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		unavailable(t, "npm", err, nil)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	// Installed beside its place and renamed, so that what is there is complete.
	work, err := os.MkdirTemp(cache, "install-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(work, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		unavailable(t, sdkName+" "+sdkVersion, err, out)
	}
	os.RemoveAll(dir)
	// Another run may have been faster; what counts is what is there now.
	renamed := os.Rename(work, dir)
	if !c.unmodified() {
		t.Fatalf("%s in %s is not the published version %s (%v)", sdkName, dir, sdkVersion, renamed)
	}
	return c
}

// unmodified tells whether the SDK is there, byte for byte as it was published.
func (c *client) unmodified() bool {
	text, err := os.ReadFile(filepath.Join(c.modules, sdkName, sdkName+".min.js"))
	sum := sha256.Sum256(text)
	return err == nil && hex.EncodeToString(sum[:]) == sdkSum
}

// unavailable ends the test: skipped on a desk, failed in CI.
func unavailable(t *testing.T, what string, err error, output []byte) {
	t.Helper()
	const format = "REAL CLIENTS NOT TESTED: %s cannot be had: %v\n%s"
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, what, err, bytes.TrimSpace(output))
	}
	t.Skipf(format, what, err, bytes.TrimSpace(output))
}

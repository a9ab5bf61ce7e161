// Package install gets for tests what they run against: packages from npm, pinned
// by a lock file, and servers from Debian. It is for tests alone. What cannot be
// had is a test skipped, and said loudly, and under CI=true a test failed.
package install

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Unavailable ends the test: skipped on a desk, failed in CI.
func Unavailable(t testing.TB, what string, err error, output []byte) {
	t.Helper()
	const format = "NOT TESTED AGAINST THE REAL THING: %s cannot be had: %v\n%s"
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, what, err, bytes.TrimSpace(output))
	}
	t.Skipf(format, what, err, bytes.TrimSpace(output))
}

// A Node is an installed set of npm packages and the node to run them.
type Node struct {
	Program string // path of node
	Modules string // directory to search for packages: NODE_PATH
}

// NPM finds node and the packages that lock names, with its package.json and
// package-lock.json. What is not in the user's cache directory yet npm
// fetches, with the checksums of the lock file. name is for people. It is
// installed when good says so, which looks at what is there.
func NPM(t testing.TB, name string, lock fs.FS, good func(Node) bool) Node {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		Unavailable(t, "node", err, nil)
	}
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if files[name], err = fs.ReadFile(lock, name); err != nil {
			t.Fatal(err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	cache = filepath.Join(cache, "postern", "clients")
	sum := sha256.Sum256(files["package-lock.json"])
	dir := filepath.Join(cache, name+"-"+hex.EncodeToString(sum[:6]))
	n := Node{Program: program, Modules: filepath.Join(dir, "node_modules")}
	if good(n) {
		return n
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		Unavailable(t, "npm", err, nil)
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
		Unavailable(t, name, err, out)
	}
	os.RemoveAll(dir)
	// Another run may have been faster; what counts is what is there now.
	renamed := os.Rename(work, dir)
	if !good(n) {
		t.Fatalf("%s in %s is not as it was published (%v)", name, dir, renamed)
	}
	return n
}

// Environment is ours without what would have node trust more certificates, or
// check none, and with no proxy for loopback addresses.
func Environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "NODE_") || strings.HasPrefix(name, "SSL_CERT_")
	})
	return append(env, "NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost")
}

// debian lets one test at a time install: dpkg has one lock.
var debian sync.Mutex

// Debian sees to it that packages of the distribution are installed. Their
// services are not started: a test starts what it needs, on loopback, and ends it.
func Debian(t testing.TB, packages ...string) {
	t.Helper()
	debian.Lock()
	defer debian.Unlock()
	missing := slices.DeleteFunc(slices.Clone(packages), func(p string) bool {
		out, err := exec.CommandContext(t.Context(), "dpkg-query", "-W", "-f", "${db:Status-Status}", p).Output()
		return err == nil && string(out) == "installed"
	})
	if len(missing) == 0 {
		return
	}
	apt := func(arguments ...string) ([]byte, error) {
		// Another process (a test of another package) may hold the lock.
		cmd := exec.CommandContext(t.Context(), "apt-get", append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, arguments...)...)
		// RUNLEVEL is what the scripts of packages look at before they start a service.
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		return cmd.CombinedOutput()
	}
	install := append([]string{"install", "-y", "--no-install-recommends"}, missing...)
	if _, err := apt(install...); err == nil {
		return
	}
	// The lists may be old, or not there.
	if out, err := apt("update"); err != nil {
		Unavailable(t, strings.Join(missing, ", "), err, out)
	}
	if out, err := apt(install...); err != nil {
		Unavailable(t, strings.Join(missing, ", "), err, out)
	}
}

//go:embed playwright/package.json playwright/package-lock.json
var playwright embed.FS

// Browser finds playwright-core and Debian's Chromium, which a script drives with
// it: chromium.launch({ executablePath: "/usr/bin/chromium", args: [...] }). As root
// Chromium wants --no-sandbox.
func Browser(t testing.TB) Node {
	t.Helper()
	Debian(t, "chromium")
	lock, err := fs.Sub(playwright, "playwright")
	if err != nil {
		t.Fatal(err)
	}
	return NPM(t, "playwright-core", lock, func(n Node) bool {
		b, err := os.ReadFile(filepath.Join(n.Modules, "playwright-core", "package.json"))
		return err == nil && bytes.Contains(b, []byte(`"version": "1.64.1"`))
	})
}

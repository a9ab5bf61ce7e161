package install

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Built names the binary to a test program that another one has started.
const Built = "POSTERN_TEST_BINARY"

// Binary builds postern, once in a test program, and returns where it is.
func Binary(t testing.TB) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// made is the directory of the binary, "": none has been built.
var made string

var build = sync.OnceValues(func() (string, error) {
	if binary := os.Getenv(Built); binary != "" {
		return binary, nil
	}
	if err := watch(); err != nil {
		return "", err
	}
	var err error
	if made, err = os.MkdirTemp("", "postern-test-"); err != nil {
		return "", err
	}
	binary := filepath.Join(made, "postern")
	if out, err := exec.Command("go", "build", "-o", binary, "postern").CombinedOutput(); err != nil {
		return binary, fmt.Errorf("building postern: %w\n%s", err, out)
	}
	return binary, nil
})

// watch has the test tool see all directories of the module. It takes an earlier
// result for a new one unless something has changed that it has seen the test open,
// and of the server and the scripts it sees nothing.
func watch() error {
	root, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		above := filepath.Dir(root)
		if above == root {
			return fmt.Errorf("%s: no go.mod", root)
		}
		root = above
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	})
}

// Main is the TestMain of a package that uses Binary: it runs the tests, and
// leaves nothing behind.
func Main(m *testing.M) {
	code := m.Run()
	if made != "" {
		os.RemoveAll(made)
	}
	os.Exit(code)
}

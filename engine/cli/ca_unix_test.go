//go:build unix

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The steps are run in order, and none after one that failed; without the
// administrator's rights none is run and all are said. The steps here are commands
// of Unix.
func TestInstallAuthority(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	steps := []step{{true, []string{"touch", file("one")}}, {false, []string{"touch", file("two")}}}
	exists := func(name string) bool { _, err := os.Stat(file(name)); return err == nil }
	var out, errs bytes.Buffer
	s := streams{&out, &errs}
	err := installAuthority(s, steps, false)
	if err == nil || !strings.Contains(err.Error(), "sudo touch "+file("one")+"\ntouch "+file("two")) || exists("one") || exists("two") {
		t.Errorf("without the rights: %v", err)
	}
	if err := installAuthority(s, append([]step{{false, []string{"false"}}}, steps...), true); err == nil || exists("one") {
		t.Errorf("after a failed step: %v", err)
	}
	if err := installAuthority(s, steps, true); err != nil || !exists("one") || !exists("two") {
		t.Errorf("with the rights: %v %s", err, errs.String())
	}
	if err := installAuthority(s, nil, true); err == nil {
		t.Error("no steps are a success")
	}
}

//go:build e2e

package lab

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"postern/engine/clients/install"
)

// inNamespace tells a test binary that it runs in a network namespace of its own.
const inNamespace = "POSTERN_LAB_NAMESPACE"

// Alone reports whether the test runs in a network of its own, as servers need whose
// ports cannot be chosen. If not, it runs the test once more, in such a network, logs
// what that says, and fails if it does; the caller returns then. The network is a
// space of processes, too, which all end with it.
func Alone(t *testing.T, timeout time.Duration, environment ...string) bool {
	t.Helper()
	if os.Getenv(inNamespace) != "" {
		if out, err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return true
	}
	install.Debian(t, "iproute2")
	space := []string{"--net", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if out, err := exec.CommandContext(t.Context(), "unshare", append(space, "true")...).CombinedOutput(); err != nil {
		install.Unavailable(t, "a network namespace", err, out)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", append(space, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+timeout.String())...)
	cmd.Env = append(append(os.Environ(), environment...), inNamespace+"=1")
	out, err := cmd.CombinedOutput()
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if _, figure, ok := strings.Cut(lines.Text(), "figure: "); ok {
			t.Log("figure: " + figure)
		} else {
			t.Log(lines.Text())
		}
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("in the namespace: %v", err)
	}
	return false
}

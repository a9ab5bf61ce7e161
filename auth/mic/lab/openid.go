//go:build e2e

package lab

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"postern/engine/clients/install"
)

//go:embed provider
var providerFiles embed.FS

// An OpenID is a running oidc-provider. Its users are alice (wonderland), of the
// groups staff and admins, bob (builder), of staff, and carol (christmas).
type OpenID struct {
	Issuer string
	in     io.Writer
	out    *bufio.Scanner
}

// OpenIDProvider starts one. The environment is told of in provider/server.mjs, as
// are the commands that Tell gives.
func OpenIDProvider(t *testing.T, environment ...string) *OpenID {
	t.Helper()
	files, err := fs.Sub(providerFiles, "provider")
	if err != nil {
		t.Fatal(err)
	}
	node := install.NPM(t, "oidc-provider", files, func(n install.Node) bool {
		return exec.Command(n.Program, "-e", `if (require(process.argv[1]).version !== "9.13.3") process.exit(1)`,
			filepath.Join(n.Modules, "oidc-provider", "package.json")).Run() == nil
	})
	script, err := fs.ReadFile(files, "server.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node.Program, Write(t, t.TempDir(), "server.mjs", string(script)))
	cmd.Env = append(append(install.Environment(), "NODE_PATH="+node.Modules), environment...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // ends it
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("the provider: %v\n%s", err, complaints.String())
		}
	})
	s := &OpenID{in: in, out: bufio.NewScanner(out)}
	for s.out.Scan() {
		if issuer, ok := strings.CutPrefix(s.out.Text(), "ready "); ok {
			s.Issuer = issuer
			return s
		}
	}
	t.Fatal("the provider did not start")
	return nil
}

// Tell gives the provider a command, and returns when it was carried out.
func (s *OpenID) Tell(t *testing.T, format string, args ...any) {
	t.Helper()
	command := fmt.Sprintf(format, args...)
	if _, err := fmt.Fprintln(s.in, command); err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(command, " ")
	for s.out.Scan() { // it also prints notices
		if s.out.Text() == "done "+name {
			return
		}
	}
	t.Fatalf("%s: the provider has ended", command)
}

//go:build e2e

package lab

import (
	"bufio"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/engine/clients/install"
)

// SAMLEntity is the entity id of an IDP.
const SAMLEntity = "https://idp.test/entity"

//go:embed idp
var idpFiles embed.FS

// An IDP is SimpleSAMLphp, installed from the distribution and run by php's own
// server, with its configuration in a temporary directory. Service providers are
// known to it by their metadata, in files sp-*.xml.
type IDP struct {
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
	done chan struct{}
}

// SimpleSAML starts one.
func SimpleSAML(t *testing.T) *IDP {
	t.Helper()
	install.Debian(t, "simplesamlphp", "php-cli", "php-xml", "php-mbstring")
	i := &IDP{t: t, dir: t.TempDir()}
	for _, dir := range []string{"config", "tmp"} {
		if err := os.Mkdir(filepath.Join(i.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"config.php", "authsources.php", "saml20-idp-hosted.php"} {
		text, err := idpFiles.ReadFile("idp/" + name)
		if err != nil {
			t.Fatal(err)
		}
		i.Write(filepath.Join("config", name), text)
	}
	for _, name := range []string{"a", "b"} {
		key, cert := KeyPair(t)
		i.Write(name+".key", key)
		i.Write(name+".crt", cert)
	}
	i.SetUsers(SAMLUsers())
	i.Keys("a", "")
	i.Start()
	t.Cleanup(i.Stop)
	return i
}

// SAMLUsers are the users at first: their names with their passwords, and what is
// known of each. mallory has a password and is let in nowhere all the same.
func SAMLUsers() map[string]map[string][]string {
	return map[string]map[string][]string{
		"alice:wonder-1":   {"uid": {"alice"}, "mail": {"alice@example.com"}, "displayName": {"Alice Müller & <Sons>"}, "groups": {"staff", "admins"}},
		"bob:wonder-2":     {"uid": {"bob"}, "groups": {}},
		"mallory:wonder-3": {"uid": {"mallory"}},
	}
}

// SetUsers replaces the users.
func (i *IDP) SetUsers(users map[string]map[string][]string) {
	i.t.Helper()
	text, err := json.Marshal(users)
	if err != nil {
		i.t.Fatal(err)
	}
	i.Write("users.json", text)
}

// Write writes a file of the provider.
func (i *IDP) Write(name string, text []byte) {
	i.t.Helper()
	// Renamed, since the server may be reading it.
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		i.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		i.t.Fatal(err)
	}
}

// Keys says which key signs, and which is announced as the next one.
func (i *IDP) Keys(now, next string) {
	m := map[string]string{"now": now}
	if next != "" {
		m["next"] = next
	}
	text, _ := json.Marshal(m)
	i.Write("keys.json", text)
}

// Certificate is that of a key.
func (i *IDP) Certificate(name string) string {
	text, err := os.ReadFile(filepath.Join(i.dir, name+".crt"))
	if err != nil {
		i.t.Fatal(err)
	}
	return string(text)
}

// Base is where its pages are.
func (i *IDP) Base() string { return fmt.Sprintf("http://127.0.0.1:%d/", i.port) }

// Metadata is where the provider tells what it is.
func (i *IDP) Metadata() string { return i.Base() + "saml2/idp/metadata.php" }

// Start starts the server; the first time it finds itself a port, and tries again
// if somebody else takes it in between.
func (i *IDP) Start() {
	i.t.Helper()
	for attempt := 0; ; attempt++ {
		port := i.port
		if port == 0 {
			_, _ = fmt.Sscan(FreePort(i.t), &port)
		}
		if output := i.run(port); output == "" {
			i.port = port
			return
		} else if attempt == 5 {
			i.t.Fatalf("the identity provider does not start: %s", output)
		}
	}
}

// run returns what php has said if it did not start.
func (i *IDP) run(port int) string {
	i.t.Helper()
	cmd := exec.Command("php", "-d", "session.save_path="+filepath.Join(i.dir, "tmp"), "-d", "display_errors=0",
		"-S", fmt.Sprintf("127.0.0.1:%d", port), "-t", "/usr/share/simplesamlphp/www")
	cmd.Dir = i.dir
	cmd.Env = append(install.Environment(), "SIMPLESAMLPHP_CONFIG_DIR="+filepath.Join(i.dir, "config"),
		"IDP_DIR="+i.dir, fmt.Sprintf("IDP_BASE=http://127.0.0.1:%d/", port), "IDP_SALT=salt-of-a-test")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		install.Unavailable(i.t, "php", err, nil)
	}
	started, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		said := ""
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if said += lines.Text() + "\n"; strings.Contains(lines.Text(), ") started") {
				select {
				case started <- "":
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, stderr) // behind a line that is too long
		_ = cmd.Wait()
		select {
		case started <- said + "(ended)":
		default:
		}
	}()
	select {
	case output := <-started:
		i.cmd, i.done = cmd, done
		return output
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		return "no word in 30 s"
	}
}

// Stop ends the server.
func (i *IDP) Stop() {
	if i.cmd != nil {
		_ = i.cmd.Process.Kill()
		<-i.done
		i.cmd = nil
	}
}

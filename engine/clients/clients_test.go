package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/engine/clients/install"
)

// atLeast is the number of checks below which something must have gone missing.
const atLeast = 850

func TestKinveyNodeSDK(t *testing.T) {
	client := node312.install(t)
	s := start(t)
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	checks, passed, skipped := 0, 0, false
	for _, entry := range entries {
		name, isScript := strings.CutSuffix(entry.Name(), ".js")
		if !isScript || name == "harness" {
			continue
		}
		ran := false
		t.Run(name, func(t *testing.T) {
			ran = true
			c, p := client.run(t, entry.Name(), s)
			checks, passed = checks+c, passed+p
		})
		skipped = skipped || !ran
	}
	if checks < atLeast && !skipped {
		t.Errorf("%d checks were made; want at least %d", checks, atLeast)
	}
	s.stop(t)
	t.Logf("figure: %s: %d checks passed", client, passed)
}

// The scripts in testdata/life: what each client is put through, and what it has
// of its own.
func TestClients(t *testing.T) {
	for _, c := range []struct {
		sdk     sdk
		script  string
		tls     bool
		atLeast int
	}{
		{node312, "node.js", false, 50},
		{node32, "node.js", false, 145},
		{js7, "js.js", true, 155},
		{kinvey1, "kinvey.js", true, 155},
		{flex, "flex.js", false, 130},
	} {
		t.Run(c.sdk.String(), func(t *testing.T) {
			client := c.sdk.install(t)
			var flags []string
			if c.tls {
				flags = []string{"--tls"}
			}
			s := start(t, flags...)
			checks, passed := client.run(t, filepath.Join("life", c.script), s)
			if checks < c.atLeast {
				t.Errorf("%d checks were made; want at least %d", checks, c.atLeast)
			}
			if c.tls {
				untrusted := *s
				untrusted.authority = ""
				client.run(t, filepath.Join("life", "untrusted.js"), &untrusted)
			}
			s.stop(t)
			t.Logf("figure: %s: %d checks passed", client, passed)
		})
	}
}

// run lets node run a script against a server, a subtest for each check.
func (c *client) run(t *testing.T, script string, s *server) (checks, passed int) {
	// The SDK's HTTP library obeys the proxy settings of the environment, for
	// loopback addresses too.
	environment := append([]string{"POSTERN_URL=" + s.url, "POSTERN_SDK=" + c.String()}, c.environment...)
	if s.authority != "" {
		environment = append(environment, "NODE_EXTRA_CA_CERTS="+s.authority)
	}
	return install.Script{
		Node: install.Node{Program: c.node, Modules: c.modules}, Path: filepath.Join("testdata", script),
		Environment: environment, Tell: c.tell,
	}.Run(t)
}

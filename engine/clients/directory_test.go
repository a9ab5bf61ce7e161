//go:build e2e

package clients

import (
	"os"
	"path/filepath"
	"testing"

	"postern/auth/mic/lab"
	"postern/engine/clients/install"
)

// The SDKs with users of a directory: a real OpenID provider, which knows nothing of
// the app's users. The SDK for browsers is in Chromium, the others have a browser of
// the test's own.
func TestBrowserDirectory(t *testing.T) {
	driver := install.Browser(t)
	for _, c := range []struct {
		sdk     sdk
		script  string
		atLeast int
	}{
		{node312, "mic", 13},
		{js7, "mic", 14},
		{html5, "browser", 9},
	} {
		t.Run(c.sdk.String(), func(t *testing.T) {
			client := c.sdk.install(t)
			client.modules += string(os.PathListSeparator) + driver.Modules
			client.connect(t)
			s := start(t)
			checks, passed := client.run(t, filepath.Join(c.script, "directory.js"), s)
			if checks < c.atLeast {
				t.Errorf("%d checks were made; want at least %d", checks, c.atLeast)
			}
			s.stop(t)
			t.Logf("figure: Mobile Identity Connect with OpenID Connect: %s: %d checks passed", client, passed)
		})
	}
}

// connect gives the scripts of a client a provider, and has it do what they order.
func (c *client) connect(t *testing.T) {
	op := lab.OpenIDProvider(t, "CLAIMS=token")
	c.environment = append(c.environment, "POSTERN_ISSUER="+op.Issuer)
	c.tell = func(order string) { op.Tell(t, "%s", order) }
}

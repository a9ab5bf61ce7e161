//go:build e2e

package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"postern/engine/clients/install"
)

// The SDKs for browsers, in Debian's Chromium: kinvey-html5-sdk 3.12.5, which is
// one file, and kinvey-js-sdk 7.0.0 with the part for browsers of kinvey-html5-sdk
// 9.0.0 around it. That was made for a core that is not published.
func TestBrowserMIC(t *testing.T) {
	driver := install.Browser(t)
	for _, c := range []struct {
		name    string
		sdk     sdk
		tls     bool // the hosts of the SDK are fixed
		atLeast int
	}{
		{"kinvey-html5-sdk 3.12.5", html5, false, 15},
		{"kinvey-js-sdk 7.0.0 in a page", html5Later, true, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := c.sdk.install(t)
			var flags []string
			if c.tls {
				flags = []string{"--tls"}
				if !client.is(js7) {
					t.Fatalf("%s in %s is not as it was published", js7, client.modules)
				}
			}
			client.modules += string(os.PathListSeparator) + driver.Modules
			s := start(t, flags...)
			t.Setenv("HOME", trusting(t, s.authority))
			checks, passed := client.run(t, filepath.Join("browser", "mic.js"), s)
			if checks < c.atLeast {
				t.Errorf("%d checks were made; want at least %d", checks, c.atLeast)
			}
			s.stop(t)
			t.Logf("figure: Mobile Identity Connect in a browser: %s: %d checks passed", c.name, passed)
		})
	}
}

// trusting makes a home directory whose browser believes an authority as well, "":
// none.
func trusting(t *testing.T, authority string) string {
	t.Helper()
	home := t.TempDir()
	if authority == "" {
		return home
	}
	install.Debian(t, "libnss3-tools")
	dir := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-N", "--empty-password"}, {"-A", "-n", "Postern", "-t", "C,,", "-i", authority}} {
		if out, err := exec.CommandContext(t.Context(), "certutil", append([]string{"-d", "sql:" + dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("certutil: %v\n%s", err, out)
		}
	}
	return home
}

package clients

import (
	"path/filepath"
	"testing"
)

// The scripts in testdata/mic: Mobile Identity Connect, with the service that
// "postern dev" has of its own users.
func TestMIC(t *testing.T) {
	for _, c := range []struct {
		sdk     sdk
		script  string
		tls     bool
		atLeast int
	}{
		{node312, "node.js", false, 64},
		{js7, "js.js", true, 71},
	} {
		t.Run(c.sdk.String(), func(t *testing.T) {
			client := c.sdk.install(t)
			var flags []string
			if c.tls {
				flags = []string{"--tls"}
			}
			s := start(t, flags...)
			checks, passed := client.run(t, filepath.Join("mic", c.script), s)
			if checks < c.atLeast {
				t.Errorf("%d checks were made; want at least %d", checks, c.atLeast)
			}
			s.stop(t)
			t.Logf("figure: Mobile Identity Connect: %s: %d checks passed", client, passed)
		})
	}
}

//go:build e2e

package identity

import (
	"strings"
	"testing"

	"postern/auth/mic/lab"
)

func TestOpenIDConnect(t *testing.T) {
	op := lab.OpenIDProvider(t, "CLAIMS=token")
	s := serve(t)
	a := newApp(t, s)
	passwords := map[string]string{"alice": "wonderland", "bob": "builder"}
	p := &provider{
		kind:     "OpenID Connect",
		settings: settings(t, "OpenID Connect", "https://id.example", op.Issuer, "...", "the-secret-of-a-client", "mail", "email"),
		register: func(s *server, id string) {
			op.Tell(t, "register %s the-secret-of-a-client %s", "postern", callback(t, s, id))
		},
		asked:    true,
		password: func(name string) string { return passwords[name] },
		mail:     "alice@example.com", group: "admins",
		username: "input[name=username]", secret: "input[name=password]", button: "button[value=login]", allow: "button[value=allow]",
		wrong: "Wrong name or password.", disabled: "This account is disabled.",
		leave:   func() { op.Tell(t, "groups alice staff") },
		join:    func() { op.Tell(t, "groups alice staff,admins") },
		disable: func() { op.Tell(t, "disable bob") },
		enable:  func() { op.Tell(t, "enable bob") },
		stop:    func() { op.Tell(t, "down") },
		start:   func() { op.Tell(t, "up") },
	}
	// What the README says of providers that are as strict as this one.
	option(p.settings, "prompt", readme(t, `"prompt":"`, `"`))
	option(p.settings, "scopes", []string{"profile", "email", "offline_access", readme(t, "a scope such as `", "`")})
	through(t, s, a, p)
}

// callback is what the README says is to be registered.
func callback(t *testing.T, s *server, id string) string {
	t.Helper()
	return strings.NewReplacer("PUBLIC_URL", s.url, "ID", id).Replace(readme(t, "register `", "`"))
}

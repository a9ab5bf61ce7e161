//go:build e2e

package identity

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/auth/mic/lab"
)

// readme returns what stands between two texts in the section on identity of the
// README, in its first place.
func readme(t *testing.T, after, before string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Identity\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, found, ok := strings.Cut(section, after)
	found, _, more := strings.Cut(found, before)
	if !ok || !more {
		t.Fatalf("the README has nothing between %q and %q", after, before)
	}
	return found
}

// settings are the README's of a kind of provider, as somebody would make them his
// own: with other texts in the place of some, old, new, old, new, ..., and what the
// README says besides the table: a redirect URI and a mapping.
func settings(t *testing.T, provider string, replace ...string) map[string]any {
	t.Helper()
	text := readme(t, "\n| "+provider+" | `", "`")
	mapping := readme(t, "`mapping` brings attributes to fields of the user and groups to groups: `", "`")
	text = strings.TrimSuffix(text, "}") + `,"mapping":` + mapping + `,` + readme(t, "to all add `", "`") + "}"
	for i := 0; i < len(replace); i += 2 {
		quoted, err := json.Marshal(replace[i+1])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, `"`+replace[i]+`"`) {
			t.Fatalf("the README's %s has no %q: %s", provider, replace[i], text)
		}
		text = strings.ReplaceAll(text, `"`+replace[i]+`"`, string(quoted))
	}
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("the README's %s: %v\n%s", provider, err, text)
	}
	return all
}

// option sets an option of the provider in settings.
func option(all map[string]any, name string, value any) {
	all["provider"].(map[string]any)["options"].(map[string]any)[name] = value
}

// service makes an auth service of settings.
func (s *server) service(all map[string]any) (id string) {
	s.t.Helper()
	return s.made("", "mic", "service", "set", lab.Write(s.t, s.t.TempDir(), "service.json", text(s.t, all)))
}

// text is JSON.
func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

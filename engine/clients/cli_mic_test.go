package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// cliMICAtLeast is the number of checks below which something must have gone missing.
const cliMICAtLeast = 44

// converse calls kinvey-cli and answers its questions, each when it is asked, until
// it says last. It returns all that was printed.
func (c *console) converse(last string, answers [][2]string, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := c.command(ctx, args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	var said []byte
	read := 0
	says := func(text string) bool {
		for part := make([]byte, 4096); !bytes.Contains(said[read:], []byte(text)); {
			n, err := stdout.Read(part)
			said = append(said, part[:n]...)
			if err != nil && !bytes.Contains(said[read:], []byte(text)) {
				return false
			}
		}
		read = len(said)
		return true
	}
	for _, a := range answers {
		asked := says(a[0])
		c.check(strings.Join(args, " ")+" asks: "+a[0], asked, string(said))
		if !asked {
			break
		}
		if _, err := io.WriteString(stdin, a[1]+"\n"); err != nil {
			c.t.Fatal(err)
		}
	}
	done := says(last)
	_ = stdin.Close()
	rest, _ := io.ReadAll(stdout)
	said = append(said, rest...)
	err = cmd.Wait()
	c.check(strings.Join(args, " ")+" says: "+last, done && err == nil, err, string(said))
	return string(said)
}

// tokens asks for tokens of Mobile Identity Connect with an app's credentials.
func (c *console) tokens(kid, secret string, fields ...string) (int, any) {
	c.t.Helper()
	v := url.Values{"client_id": {kid}}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequest("POST", c.server.url+"/oauth/token", strings.NewReader(v.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.SetBasicAuth(kid, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Body.Close()
	var out any
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil {
		c.t.Fatal(err)
	}
	return a.StatusCode, out
}

// kinvey-cli has no command for identity stores and auth services. What it does have
// must leave them alone: an environment that it configures, exports and removes is
// one that people log in to. And it asks by which identity provider the operator
// himself wants to log in: by none.
func TestKinveyCLIAndMIC(t *testing.T) {
	client := cli.install(t)
	s := start(t)
	c := &console{t: t, node: client.node, program: filepath.Join(client.modules, cli.name, "bin", "kinvey"), home: t.TempDir(), server: s}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(c.home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const kid, secret = "kid_dev", "a0000000000000000000000000000001"
	logIn := func(what string) string {
		t.Helper()
		status, v := c.tokens(kid, secret, "grant_type", "password", "username", "alice", "password", "alice")
		c.check(what, status == 200 && member(v, "access_token") != nil, status, v)
		return fmt.Sprint(member(v, "refresh_token"))
	}

	// The operator's own login.
	out := c.converse("Created profile", [][2]string{
		{"Profile name", "me"}, {"Instance ID", s.url}, {"E-mail", "dev@localhost"}, {"Password", "dev"},
	}, "init")
	c.check("no choice of identity providers", !strings.Contains(out, "Which identity provider"), out)
	c.well("profile", "use", "me")
	c.well("org", "use", "postern")
	c.well("app", "use", "Postern Dev")
	c.well("appenv", "use", "Development")

	// A configuration that says nothing of it changes nothing of it.
	before := c.result("appenv", "show")
	service, store := fmt.Sprint(member(before, "defaultAuthServiceId")), fmt.Sprint(member(before, "identityStoreId"))
	c.check("the environment names its auth service and identity store", len(service) == 32 && len(store) == 32, before)
	kept := logIn("log in to the environment")
	// Nobody here has an address that he could confirm.
	write("env.json", strings.Replace(environmentFile, `"required": true`, `"required": false`, 1))
	c.well("appenv", "apply", "--file", "env.json")
	after := c.result("appenv", "show")
	c.check("applied, it names the same", member(after, "defaultAuthServiceId") == service && member(after, "identityStoreId") == store, after)
	status, v := c.tokens(kid, secret, "grant_type", "refresh_token", "refresh_token", kept)
	c.check("who was logged in stays so", status == 200, status, v)
	kept = fmt.Sprint(member(v, "refresh_token"))
	logIn("log in after it was applied")

	// What is exported is of one environment, and nobody's way in elsewhere.
	c.well("appenv", "export", "--file", "out.json")
	text, err := os.ReadFile(filepath.Join(c.home, "out.json"))
	c.check("the export names no auth service", err == nil && !strings.Contains(string(text), service) && !strings.Contains(string(text), store), err, string(text))
	copied := fmt.Sprint(member(c.result("appenv", "create", "Copy", "--file", "out.json"), "id"))
	shown := c.result("appenv", "show", "--env", copied)
	c.check("a copy has no auth service", member(shown, "defaultAuthServiceId") == nil && member(shown, "identityStoreId") == nil, shown)
	for _, id := range []string{copied, copied + "." + service} {
		status, v = c.tokens(id, secret, "grant_type", "password", "username", "alice", "password", "alice")
		c.check("nobody logs in to the copy as client "+strings.Replace(id, copied, "COPY", 1), status == 401 && member(v, "error") == "invalid_client", status, v)
	}
	c.well("app", "export", "--file", "app/app.json")
	c.well("app", "apply", "--app", "Postern Dev", "--file", "app/app.json")
	logIn("log in after the app was applied")
	c.well("org", "export", "--file", "org/org.json")
	c.well("org", "apply", "--org", "postern", "--file", "org/org.json")
	logIn("log in after the organization was applied")

	// Its services are others, which this server does not have.
	write("service.json", `{"schemaVersion":"1.0.0","configType":"service","type":"flex-internal","environments":{"default":{"secret":"secret"}}}`)
	c.fails("MissingConfiguration", "service", "create", "Code", "--file", "service.json")
	c.fails("MissingConfiguration", "flex", "create", "code", "--org", "postern", "--secret", "secret")
	c.fails("NotFound", "service", "apply", "--service", service, "--file", "service.json")
	c.fails("NotFound", "service", "export", "--service", service, "--file", "x.json")
	c.fails("MissingConfiguration", "website", "create", "Site")
	write("strict.json", `{"schemaVersion":"1.0.0","configType":"organization","settings":{"security":{"requireApprovals":true}}}`)
	c.fails("MissingConfiguration", "org", "apply", "--org", "postern", "--file", "strict.json")

	// Removed, it lets nobody in, by a token neither.
	c.well("appenv", "delete", "--env", copied, "--no-prompt")
	logIn("log in after the copy was removed")
	c.well("appenv", "delete", "--env", kid, "--no-prompt")
	for _, fields := range [][]string{{"grant_type", "password", "username", "alice", "password", "alice"}, {"grant_type", "refresh_token", "refresh_token", kept}} {
		status, v = c.tokens(kid, secret, fields...)
		c.check("no "+fields[1]+" in a removed environment", status == 401 && member(v, "error") == "invalid_client", status, v)
	}
	c.check("the app is gone with it", !slices.Contains(names(c.result("app", "list"), "name"), "Postern Dev"))

	if c.checks < cliMICAtLeast {
		t.Errorf("%d checks were made; want at least %d", c.checks, cliMICAtLeast)
	}
	s.stop(t)
	t.Logf("figure: Mobile Identity Connect: %s: %d checks passed", client, c.checks-c.failed)
}

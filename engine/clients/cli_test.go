package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// cliAtLeast is the number of checks below which something must have gone missing.
const cliAtLeast = 60

// A console is somebody at a terminal with kinvey-cli, whose settings are in a
// home directory of his own.
type console struct {
	t             *testing.T
	node, program string
	home          string
	server        *server
	checks        int
	failed        int
}

// command is a call of kinvey-cli.
func (c *console) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.node, append([]string{"--no-warnings", c.program, "--no-color", "--suppress-version-check"}, args...)...)
	cmd.Dir = c.home
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "KINVEY_") && !strings.HasPrefix(kv, "NODE_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+c.home, "USERPROFILE="+c.home, "XDG_CONFIG_HOME="+c.home, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	return cmd
}

// run calls kinvey-cli and returns what it prints and whether it ended well.
func (c *console) run(args ...string) (out, errs string, ok bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := c.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		c.t.Fatalf("kinvey %v does not end", args)
	}
	return stdout.String(), stderr.String(), err == nil
}

// check is one check, a subtest of its own.
func (c *console) check(name string, ok bool, detail ...any) {
	c.checks++
	if !ok {
		c.failed++
	}
	c.t.Run(name, func(t *testing.T) {
		if !ok {
			t.Error(detail...)
		}
	})
}

// well runs a command that has to end well.
func (c *console) well(args ...string) string {
	c.t.Helper()
	out, errs, ok := c.run(args...)
	c.check(strings.Join(args, " "), ok, out, errs)
	return out
}

// result runs a command that has to end well and returns its result.
func (c *console) result(args ...string) any {
	c.t.Helper()
	var v struct{ Result any }
	out := c.well(append(args, "--output", "json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		c.check("output of "+strings.Join(args, " "), false, err, out)
	}
	return v.Result
}

// fails runs a command that has to fail with a text.
func (c *console) fails(want string, args ...string) {
	c.t.Helper()
	out, errs, ok := c.run(args...)
	c.check("refused: "+strings.Join(args, " "), !ok && strings.Contains(out+errs, want), "want ", want, ", got ", out, errs)
}

// rest asks the server itself, with Basic credentials.
func (c *console) rest(method, path, name, password, body string) (int, any) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.server.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.SetBasicAuth(name, password)
	req.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var v any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &v); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return a.StatusCode, v
}

// member walks into decoded JSON.
func member(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

// names are the members called name of a list of objects, in order.
func names(v any, name string) []string {
	var out []string
	list, _ := v.([]any)
	for _, e := range list {
		out = append(out, fmt.Sprint(member(e, name)))
	}
	slices.Sort(out)
	return out
}

const environmentFile = `{
  "schemaVersion": "1.0.0", "configType": "environment",
  "settings": {"apiVersion": 4, "emailVerification": {"auto": true, "required": true}},
  "roles": {"editors": {"description": "who edit"}},
  "groups": {"staff": {"name": "Staff", "groups": ["writers"]}, "writers": {"name": "Writers", "description": "who write"}},
  "collections": {
    "user": {"type": "internal", "permissions": "private"},
    "diary": {"type": "internal", "permissions": "private"},
    "deals": {"type": "internal", "permissions": "read-only"},
    "board": {"type": "internal", "permissions": "full"},
    "lists": {"type": "internal", "permissions": {
      "all-users": {"create": "always", "read": "always", "update": "entity", "delete": "entity"},
      "editors": {"update": "always"}}}
  }
}`

// The real kinvey-cli, as it is published, against the real binary.
func TestKinveyCLI(t *testing.T) {
	client := cli.install(t)
	program := filepath.Join(client.modules, cli.name, "bin", "kinvey")
	s := start(t)
	c := &console{t: t, node: client.node, program: program, home: t.TempDir(), server: s}
	const mail, password = "cli@example.com", "cli-password"
	create := exec.Command(s.binary, "operator", "create", mail, "--data", s.data)
	create.Stdin = strings.NewReader(password + "\n")
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("operator create: %v\n%s", err, out)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(c.home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	host := []string{"--instance-id", s.url}
	with := func(args ...string) []string { return append(slices.Clone(host), args...) }

	// Sessions.
	c.fails("InvalidCredentials", with("profile", "create", "me", "--email", mail, "--password", "wrong")...)
	c.fails("authenticated", "app", "list")
	c.well(with("profile", "create", "me", "--email", mail, "--password", password)...)
	c.well("profile", "use", "me")
	token := fmt.Sprint(member(c.result("profile", "show"), "token"))
	c.check("the token has the server's form", len(token) == 81 && token[36] == '.', token)
	// A session for one command: it logs in, asks and logs out.
	once, _, ok := c.run(with("app", "list", "--email", mail, "--password", password, "--output", "json")...)
	c.check("one command with e-mail and password", ok && strings.Contains(once, "kid_dev"), once)

	// Organizations: the one that the server is.
	c.check("one organization", slices.Equal(names(c.result("org", "list"), "name"), []string{"postern"}))
	c.fails("NotFound", "org", "show", "--org", "other")
	c.fails("OrgRequired", "app", "create", "Shop")
	c.well("org", "use", "postern")

	// Apps.
	app := fmt.Sprint(member(c.result("app", "create", "Shop"), "id"))
	c.check("apps in the list", slices.Equal(names(c.result("app", "list"), "name"), []string{"Postern Dev", "Shop"}))
	for _, by := range []string{"Shop", app} {
		v := c.result("app", "show", "--app", by)
		c.check("the app by "+by, member(v, "id") == app && member(v, "name") == "Shop" && member(v, "organizationId") == "postern", v)
	}
	c.fails("NotFound", "app", "show", "--app", "None")
	c.well("app", "use", "Shop")
	table := c.well("app", "show")
	c.check("the active app, as a table", strings.Contains(table, app), table)

	// Environments.
	env := fmt.Sprint(member(c.result("appenv", "create", "Staging"), "id"))
	c.fails("the app has an environment", "appenv", "create", "Staging")
	c.check("environments in the list", slices.Equal(names(c.result("appenv", "list"), "name"), []string{"Development", "Staging"}))
	c.well("appenv", "use", "Staging")
	shown := c.result("appenv", "show")
	c.check("the active environment", member(shown, "id") == env && member(shown, "app") == app, shown)
	c.check("the environment by name", member(c.result("appenv", "show", "--env", "Staging"), "id") == env)
	c.check("the environment by id", member(c.result("appenv", "show", "--env", env), "id") == env)
	derived := fmt.Sprint(member(shown, "masterSecret"))
	status, _ := c.rest("GET", "/appdata/"+env+"/diary", env, derived, "")
	c.check("the environment shows a master secret that works", status == 200, status)
	status, _ = c.rest("GET", "/appdata/"+app+"/diary", app, derived, "")
	c.check("... in this environment only", status == 401, status)
	c.check("the app secret is not shown again", member(shown, "appSecret") == nil, shown)

	// Collections.
	c.check("the collections at first", slices.Equal(names(c.result("coll", "list"), "name"), []string{"user"}))
	c.well("coll", "create", "notes")
	c.fails("exists", "coll", "create", "notes")
	c.fails("InvalidIdentifier", "coll", "create", "no.good")
	c.fails("IndirectCollectionAccessDisallowed", "coll", "create", "group")
	c.check("a collection in the list", slices.Equal(names(c.result("coll", "list"), "name"), []string{"notes", "user"}))
	status, _ = c.rest("POST", "/appdata/"+env+"/notes", env, derived, `{"_id":"n"}`)
	c.check("the collection takes entities", status == 201, status)
	c.well("coll", "delete", "notes", "--no-prompt")
	c.fails("CollectionNotFound", "coll", "delete", "notes", "--no-prompt")
	c.fails("IndirectCollectionAccessDisallowed", "coll", "delete", "user", "--no-prompt")
	c.check("a collection no more in the list", slices.Equal(names(c.result("coll", "list"), "name"), []string{"user"}))

	// The configuration file, applied twice: the second time it updates.
	write("env.json", environmentFile)
	levels := map[string]string{}
	for _, round := range []string{"first", "second"} {
		c.well("appenv", "apply", "--file", "env.json")
		list, _ := c.result("coll", "list").([]any)
		for _, e := range list {
			levels[fmt.Sprint(member(e, "name"))] = fmt.Sprint(member(e, "permissions"))
		}
		c.check(round+" time: the levels", levels["user"] == "append-only" && levels["diary"] == "append-only" &&
			levels["deals"] == "read-only" && levels["board"] == "write" && strings.Contains(levels["lists"], "all-users"), levels)
		_, roles := c.rest("GET", "/roles/"+env, env, derived, "")
		c.check(round+" time: the roles", slices.Equal(names(roles, "name"), []string{"editors"}) &&
			slices.Equal(names(roles, "description"), []string{"who edit"}), roles)
		_, groups := c.rest("GET", "/group/"+env, env, derived, "")
		c.check(round+" time: the groups", slices.Equal(names(groups, "_id"), []string{"staff", "writers"}), groups)
		v := c.result("appenv", "show")
		c.check(round+" time: the settings", fmt.Sprint(member(v, "apiVersion")) == "4" && member(v, "emailVerification", "required") == true, v)
	}
	// What the server cannot honour fails, with a reason.
	write("code.json", `{"schemaVersion":"1.0.0","configType":"environment","customEndpoints":{"now":{"type":"internal","code":"x"}}}`)
	c.fails("MissingConfiguration", "appenv", "apply", "--file", "code.json")
	write("open.json", `{"schemaVersion":"1.0.0","configType":"environment","collections":{"odd":{"type":"internal","permissions":{"all-users":{"create":"always","read":"always","update":"always","delete":"entity"}}}}}`)
	c.fails("none of the levels", "appenv", "apply", "--file", "open.json")
	c.check("no collection was made of what was refused", !slices.Contains(names(c.result("coll", "list"), "name"), "odd"))

	// Out again, and in again elsewhere.
	c.well("appenv", "export", "--file", "out.json")
	text, err := os.ReadFile(filepath.Join(c.home, "out.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sent, exported map[string]any
	if err := json.Unmarshal(text, &exported); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(environmentFile), &sent); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"collections", "groups", "settings"} {
		want, _ := json.Marshal(sent[part])
		got, _ := json.Marshal(exported[part])
		c.check("exported as it was applied: "+part, string(got) == string(want), string(got), " want ", string(want))
	}
	copied := fmt.Sprint(member(c.result("appenv", "create", "Copy", "--file", "out.json"), "id"))
	c.well("appenv", "export", "--env", copied, "--file", "copy.json")
	again, err := os.ReadFile(filepath.Join(c.home, "copy.json"))
	// Not byte for byte: the client makes groups side by side, and exports them in
	// the order in which they came to be.
	var was, is any
	c.check("a copy is exported as its original", errors.Join(err, json.Unmarshal(text, &was), json.Unmarshal(again, &is)) == nil && reflect.DeepEqual(was, is), string(again))
	c.well("app", "export", "--file", "app/app.json")
	c.well("app", "create", "Second", "--file", "app/app.json")
	second := c.result("app", "show", "--app", "Second")
	c.check("an app from a file", slices.Equal(names(member(second, "environments"), "name"), []string{"Copy", "Development", "Staging"}), second)
	c.well("app", "apply", "--app", "Second", "--file", "app/app.json")

	// The operator's other command, on the running server: a new master secret
	// of the app, while the session's own stays.
	rotate := exec.Command(s.binary, "app", "regenerate-secret", env, "app", "--data", s.data)
	out, err := rotate.Output()
	var renewed struct{ AppSecret string }
	c.check("regenerate the app secret", err == nil && json.Unmarshal(out, &renewed) == nil && len(renewed.AppSecret) == 32, err, string(out))
	status, _ = c.rest("GET", "/appdata/"+env, env, renewed.AppSecret, "")
	c.check("the new app secret works", status == 200, status)

	// Services and business logic: there are none.
	c.fails("NoFlexServicesFound", "flex", "list")
	c.check("no websites", len(names(c.result("website", "list"), "name")) == 0)

	// Removal.
	c.well("appenv", "delete", "--env", copied, "--no-prompt")
	c.check("environments after a removal", slices.Equal(names(c.result("appenv", "list"), "name"), []string{"Development", "Staging"}))
	status, v := c.rest("GET", "/appdata/"+copied, copied, derived, "")
	c.check("a removed environment is gone", status == 404 && member(v, "error") == "AppNotFound", v)
	c.well("app", "delete", "--app", "Second", "--no-prompt")
	c.check("apps after a removal", slices.Equal(names(c.result("app", "list"), "name"), []string{"Postern Dev", "Shop"}))

	// The end of the session is the end of its secret.
	c.well("profile", "delete", "me")
	status, _ = c.rest("GET", "/appdata/"+env+"/diary", env, derived, "")
	c.check("the session's master secret has ended with it", status == 401, status)
	c.fails("authenticated", "app", "list")

	if c.checks < cliAtLeast {
		t.Errorf("%d checks were made; want at least %d", c.checks, cliAtLeast)
	}
	s.stop(t)
	t.Logf("figure: %s: %d checks passed", client, c.checks-c.failed)
}

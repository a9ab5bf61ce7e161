package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern/engine/store"
)

// The import graph keeps the architecture true: what is pure stays pure, and
// each heavy dependency has one owner.
func TestImportGraph(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "postern/...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	only := map[string][]string{ // package -> what it may import beside the standard library
		"postern":                 {"postern/engine/cli"},
		"postern/acl":             {"github.com/tidwall/btree", "postern/engine/document"},
		"postern/acl/oracle":      {},
		"postern/auth":            {"golang.org/x/crypto/argon2", "golang.org/x/crypto/bcrypt", "golang.org/x/text"},
		"postern/auth/mic":        {},
		"postern/auth/mic/fetch":  {},
		"postern/auth/mic/ldap":   {"github.com/go-ldap", "github.com/go-asn1-ber", "postern/auth/mic"},
		"postern/auth/mic/oidc":   {"github.com/coreos", "golang.org/x/oauth2", "github.com/go-jose", "postern/auth/mic"},
		"postern/auth/mic/saml":   {"github.com/russellhaering", "github.com/beevik", "postern/auth/mic"},
		"postern/engine/console":  {},
		"postern/engine/document": {},
		"postern/engine/query":    {"postern/engine/document"},
		"postern/engine/script":   {"github.com/dop251/goja", "postern/engine/document"},
		"postern/engine/model":    {"postern/acl/oracle", "postern/engine/query/oracle"},

		"postern/engine/query/oracle": {},
		"postern/engine/store":        {"github.com/dgraph-io", "github.com/tidwall/btree", "golang.org/x/sys"},
	}
	owners := map[string][]string{ // dependency -> who may import it
		"github.com/dgraph-io":       {"postern/engine/store"},
		"github.com/valyala":         {"postern/engine", "postern/bench"},
		"github.com/fasthttp":        {"postern/engine", "postern/bench"}, // bench: what a router alone costs
		"github.com/HdrHistogram":    {"postern/bench"},
		"postern/bench":              {"postern/engine/cli"},
		"github.com/spf13":           {"postern/engine/cli"},
		"github.com/dop251":          {"postern/engine/script"},
		"postern/acl/oracle":         {"postern/engine/model"}, // and tests, which are not looked at
		"postern/engine/model":       {},
		"encoding/json":              {"postern/engine", "postern/engine/cli", "postern/engine/clients/install", "postern/engine/model", "postern/acl/oracle", "postern/engine/query/oracle", "postern/bench", "postern/auth/mic/oidc", "postern/auth/mic/saml", "postern/auth/mic/ldap"},
		"net/http":                   {"postern/engine/cli", "postern/bench", "postern/auth/mic/fetch", "postern/auth/mic/oidc", "postern/auth/mic/saml"},
		"github.com/go-ldap":         {"postern/auth/mic/ldap"},
		"github.com/coreos":          {"postern/auth/mic/oidc"},
		"github.com/russellhaering":  {"postern/auth/mic/saml"},
		"postern/engine/cli":         {"postern"},
		"postern/engine/store":       {"postern/engine", "postern/engine/cli", "postern/engine/store/storetest", "postern/bench"},
		"crypto/rand":                {"postern/engine", "postern/engine/cli", "postern/engine/store", "postern/bench"},
		"postern/engine/query":       {"postern/engine", "postern/engine/model"}, // model: the oracle in it, see only
		"math/rand/v2":               {"postern/engine/model", "postern/engine/store", "postern/engine/store/storetest", "postern/bench"},
		"golang.org/x/crypto":        {"postern/auth"},
		"github.com/VictoriaMetrics": {"postern/engine"},
	}
	under := func(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		allowed, pure := only[p.ImportPath]
		for _, i := range p.Imports {
			standard := !strings.Contains(strings.Split(i, "/")[0], ".") && !strings.HasPrefix(i, "postern")
			if pure && !standard && !slices.ContainsFunc(allowed, func(a string) bool { return under(i, a) }) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
			for dep, who := range owners {
				if under(i, dep) && !under(p.ImportPath, dep) && !slices.Contains(who, p.ImportPath) {
					t.Errorf("%s imports %s, which is for %v", p.ImportPath, i, who)
				}
			}
		}
		if slices.Contains([]string{"postern/acl", "postern/auth", "postern/engine/query", "postern/engine/document"}, p.ImportPath) {
			for _, i := range p.Imports {
				if i == "time" && p.ImportPath != "postern/auth" || strings.HasPrefix(i, "net/http") || i == "os" {
					t.Errorf("%s imports %s: it is to be pure", p.ImportPath, i)
				}
			}
		}
	}
}

// One funnel for each kind of act: these calls may stand in these files only.
func TestFunnels(t *testing.T) {
	allowed := map[string][]string{
		"driver.Append": {"draft.go"},                                                                                               // the one write
		"driver.Apply":  {},                                                                                                         // ... and no other
		"driver.View":   {"engine.go", "check.go", "cleaner.go", "admin.go", "audit_verify.go", "audit_routes.go", "audit_keep.go"}, // load, check, clean, backup, audit: no request of an app
		"view.Store":    {"draft.go", "engine.go"},                                                                                  // publish, load
		".apply":        {"draft.go", "engine.go"},                                                                                  // rows into the state
		".NewWalk":      {"view.go"},                                                                                                // the one stream
		"db.Update":     {}, "db.View": {},
	}
	// What an ACL says is read by acl alone: no handler looks inside.
	fields := []string{"GR", "GW", "Readers", "Writers", "ReaderGroups", "WriterGroups"}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source:", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			name := s.Sel.Name
			if slices.Contains(fields, name) {
				t.Errorf("%s reads the member %s of an ACL: ask acl.Decide", file, name)
			}
			left := ""
			switch x := s.X.(type) {
			case *ast.SelectorExpr:
				left = x.Sel.Name
			case *ast.Ident:
				left = x.Name
			}
			for call, where := range allowed {
				parts := strings.Split(call, ".")
				if name == parts[1] && (parts[0] == "" || parts[0] == left) && !slices.Contains(where, file) {
					t.Errorf("%s calls %s.%s, which is for %v", file, left, name, where)
				}
			}
			return true
		})
	}
}

// crashStore lets nobody read it.
type crashStore struct {
	store.Driver
	armed bool
}

func (c *crashStore) View() (store.View, error) {
	if c.armed {
		panic("a request reads the store")
	}
	return c.Driver.View()
}

func (c *crashStore) Digest(app, collection uint32) (store.Digest, error) {
	panic("a request reads the store")
}

// No read of a client touches the store: lists, counts, gets, lookups, users
// and groups come from memory.
func TestReadsDoNotTouchTheStore(t *testing.T) {
	c := &crashStore{Driver: store.NewMemory()}
	s := start(t, func(o *options) { o.driver = c; o.noCheck = true })
	alice, bob := s.signUp("alice"), s.signUp("bob")
	path := "/appdata/" + kid + "/things"
	for _, u := range []user{alice, bob} {
		for range 5 {
			s.want(s.do("POST", path, u.session(), `{"n":1}`), 201, "")
		}
	}
	s.want(s.do("PUT", "/group/"+kid+"/g", alice.session(), `{"users":{"all":true}}`), 201, "")
	c.armed = true
	for _, get := range []string{
		path, path + "?query=%7B%22n%22%3A1%7D&sort=n&skip=1&limit=2&fields=n", path + "/_count",
		"/user/" + kid, "/user/" + kid + "/_me", "/user/" + kid + "/" + bob.id, "/group/" + kid + "/g",
	} {
		s.want(s.do("GET", get, alice.session(), ""), 200, "")
	}
	s.want(s.do("POST", "/user/"+kid+"/_lookup", alice.session(), `{"username":"bob"}`), 200, "")
	s.want(s.do("GET", "/v4/environments/"+kid+"/collections", asMaster, ""), 200, "")
	// Writes append and read nothing.
	s.want(s.do("DELETE", path+"?query=%7B%7D", alice.session(), ""), 200, "")
	c.armed = false
}

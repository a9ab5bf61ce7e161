package cli

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"postern/acl"
	"postern/auth"
	"postern/engine"
)

// What scripts can rely on in a development server.
const (
	devKey      = "kid_dev"
	devApp      = "a0000000000000000000000000000001"
	devMaster   = "b0000000000000000000000000000002"
	devOperator = "dev@localhost"
	devPassword = "dev"
)

func devCommand(s streams) *cobra.Command {
	srv := &server{}
	var seedFile, caFile string
	var useTLS, requests bool
	c := &cobra.Command{
		Use:   "dev",
		Short: "A development server: known secrets, sample data, loopback only",
		Long: `A development server on the loopback interface with the app ` + devKey + `,
known secrets, the users alice, bob and carol (passwords equal to their names)
and sample data. Without --data it works in a temporary directory, which is
removed at the end. Each request is printed in one line, with the decision and
its rule; with --requests=false denials alone are logged, with their reasons.

--tls serves HTTPS with a certificate authority of its own, for the loopback
interface and for SDKs whose hosts are fixed; see postern trust.

--seed FILE loads other sample data:
  {"users":["dave"], "collections":{"notes":{"permissions":"private",
   "entities":[{"owner":"dave","entity":{"_id":"n1","text":"hello"}}]}}}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			log, err := newLogger(cmd, s.err)
			if err != nil {
				return err
			}
			host := srv.listen[:max(strings.LastIndex(srv.listen, ":"), 0)]
			if !engine.Loopback(host) {
				return usageError{fmt.Errorf("--listen %s: dev serves the loopback interface only; its secrets are known to everybody", srv.listen)}
			}
			seed, err := readSeed(seedFile)
			if err != nil {
				return err
			}
			if srv.dir, _ = cmd.Flags().GetString("data"); !cmd.Flags().Changed("data") {
				if srv.dir, err = os.MkdirTemp("", "postern-dev-"); err != nil {
					return err
				}
				defer os.RemoveAll(srv.dir)
				srv.options.NoBallast = true
			}
			if useTLS {
				data, _ := cmd.Flags().GetString("data")
				if caFile, err = srv.useAuthority(data, cmd.Flags().Changed("data")); err != nil {
					return err
				}
			}
			srv.config.Argon = auth.CheapParams
			srv.config.TrustLoopback = true
			srv.config.LogDenials = !requests // else the line tells
			srv.config.LoopbackHostsOnly = true
			if srv.config.Scripts, err = scripts(); err != nil {
				return err
			}
			srv.ownLinks = true
			srv.config.ProviderNetworks = loopbackNetworks
			if srv.config.SealKey, err = devSealKey(srv.dir, cmd.Flags().Changed("data")); err != nil {
				return err
			}
			srv.config.Mailer = engine.NewOutboxDir(filepath.Join(srv.dir, "outbox"))
			srv.prepare = func(e *engine.Engine) error {
				if e.HasApps() {
					return nil
				}
				return seed.apply(e)
			}
			srv.console.loopback = true
			srv.console.certified = true // the authority's certificate is for loopback, too
			srv.ready = func(url, console string) error { return greet(s, url, console, srv.dir, caFile) }
			if requests {
				printer := newRequestPrinter(s.out)
				defer printer.stop()
				srv.config.OnRequest = printer.print
			}
			return srv.run(log)
		},
	}
	f := c.Flags()
	f.StringVar(&srv.listen, "listen", "127.0.0.1:8080", "loopback address to listen on")
	srv.console.flags(c)
	f.BoolVar(&useTLS, "tls", false, "HTTPS, with a certificate authority of its own (see postern trust)")
	f.BoolVar(&requests, "requests", true, "print each request with the decision")
	f.StringVar(&seedFile, "seed", "", "file with users and entities to begin with")
	return c
}

// devRedirects are where apps in development have their users sent back to.
var devRedirects = []string{"http://127.0.0.1/callback", "http://localhost:9876/callback", "http://localhost:3000/callback", "http://localhost:8100/callback", "myapp://callback"}

// devSealKey is the key of a development server: in memory, or beside a data
// directory that is to stay.
func devSealKey(dir string, stays bool) (*auth.SealKey, error) {
	if !stays {
		key := new(auth.SealKey)
		_, err := rand.Read(key[:])
		return key, err
	}
	return sealKey(filepath.Clean(dir)+".key", dir)
}

// greet prints what a newcomer needs: the address, the credentials, and three
// lines that show a private collection filtered for two users. caFile is "" for
// plain HTTP.
func greet(s streams, url, console, dir, caFile string) error {
	if console == "" {
		console = "off"
	} else {
		console += " (log in as " + devOperator + " / " + devPassword + ")"
	}
	curl := "curl -s"
	if caFile != "" {
		curl += " --cacert " + quote(caFile)
	}
	_, err := fmt.Fprintf(s.out, `Postern serves %[1]s

  app key        %[2]s
  app secret     %[3]s
  master secret  %[4]s
  users          alice, bob, carol (passwords equal to their names)
  operator       %[5]s / %[6]s
  console        %[9]s
  data           %[7]s

The collection watchlist is private: the same request, answered for alice and
for bob, and counted for the master:

%[8]s -u alice:alice '%[1]s/appdata/%[2]s/watchlist'
%[8]s -u bob:bob '%[1]s/appdata/%[2]s/watchlist'
%[8]s -u %[2]s:%[4]s '%[1]s/appdata/%[2]s/watchlist/_count'

Mobile Identity Connect, with the users of this server: tokens, and the session
that an SDK opens with them:

%[8]s -u %[2]s:%[3]s -d 'grant_type=password&client_id=%[2]s&username=alice&password=alice' '%[1]s/oauth/token' | sed 's/.*/{"_socialIdentity":{"kinveyAuth":&}}/' | %[8]s -u %[2]s:%[3]s -H 'Content-Type: application/json' -d @- '%[1]s/user/%[2]s/login'

`, url, devKey, devApp, devMaster, devOperator, devPassword, dir, curl, console)
	if err == nil && caFile != "" {
		_, err = fmt.Fprintf(s.out, "The certificate is signed by %s;\n\"postern trust\" says how clients come to trust it.\n\n", caFile)
	}
	return err
}

// seedData is what a development server begins with.
type seedData struct {
	Users       []string                  `json:"users"`
	Collections map[string]seedCollection `json:"collections"`
}

type seedCollection struct {
	Permissions string       `json:"permissions"`
	Entities    []seedEntity `json:"entities"`
}

type seedEntity struct {
	Owner  string          `json:"owner"` // name of a user; "" for the master
	Entity json.RawMessage `json:"entity"`
}

const sample = `{
  "collections": {
    "watchlist": {"permissions": "private", "entities": [
      {"owner": "alice", "entity": {"_id": "w1", "item": "bicycle", "price": 420}},
      {"owner": "alice", "entity": {"_id": "w2", "item": "lamp", "price": 35}},
      {"owner": "bob", "entity": {"_id": "w3", "item": "bicycle", "price": 410}},
      {"owner": "carol", "entity": {"_id": "w4", "item": "desk", "price": 99, "_acl": {"gr": true}}}
    ]},
    "deals": {"permissions": "read-only", "entities": [
      {"owner": "", "entity": {"_id": "d1", "title": "Deal of the day", "price": 10}}
    ]}
  }
}`

func readSeed(file string) (*seedData, error) {
	text := []byte(sample)
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	seed := new(seedData)
	if err := d.Decode(seed); err != nil {
		return nil, fmt.Errorf("seed %s: %w", file, err)
	}
	for name, c := range seed.Collections {
		if _, ok := acl.ParseLevel(c.Permissions); c.Permissions != "" && !ok {
			return nil, fmt.Errorf("seed %s: collection %s has the unknown level %q", file, name, c.Permissions)
		}
	}
	return seed, nil
}

// apply makes the development app and fills it.
func (d *seedData) apply(e *engine.Engine) error {
	if err := e.CreateOperator(devOperator, devPassword); err != nil {
		return err
	}
	_, err := e.CreateApp(engine.NewApp{
		Key: devKey, Name: "Postern Dev", AppSecret: devApp, MasterSecret: devMaster,
		Options: engine.AppOptions{GroupCreation: "users", CORSOrigins: []string{"localhost"}},
	})
	if err != nil {
		return err
	}
	if _, err := e.AddLocalService(devKey, "Postern Dev", devRedirects); err != nil {
		return err
	}
	ids := map[string]string{"": ""}
	for _, name := range append([]string{"alice", "bob", "carol"}, d.Users...) {
		if ids[name], err = e.CreateUser(devKey, name, name); err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
	}
	for name, c := range d.Collections {
		for _, ent := range c.Entities {
			owner, ok := ids[ent.Owner]
			if !ok {
				return fmt.Errorf("collection %s: no user %q owns an entity", name, ent.Owner)
			}
			if err := e.PutDocument(devKey, name, owner, ent.Entity); err != nil {
				return fmt.Errorf("collection %s: %w", name, err)
			}
		}
		level, _ := acl.ParseLevel(c.Permissions)
		if err := e.SetLevel(devKey, name, level); err != nil {
			return fmt.Errorf("collection %s: %w", name, err)
		}
	}
	return nil
}

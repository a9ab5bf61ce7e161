package bench

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"postern/acl"
	"postern/auth"
	"postern/engine"
	"postern/engine/store"
)

const appKey = "kid_bench"

// The secrets of the app, which only this machine can reach.
const (
	appSecret    = "bench-app-secret"
	masterSecret = "bench-master-secret"
)

func basic(secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(appKey+":"+secret))
}

// server is a Postern on a real directory behind a real loopback socket.
type server struct {
	engine  *engine.Engine
	http    *engine.Server
	address string
	users   []account
	stop    sync.Once

	openStore, openEngine time.Duration // how long these took
}

type account struct{ id, name, token string }

// openServer serves a directory. The budget of a query is switched off: what is
// slow is to be measured and not to be refused.
func openServer(dir string) (*server, error) {
	began := time.Now()
	driver, err := store.OpenBadger(dir, store.Options{NoBallast: true})
	if err != nil {
		return nil, err
	}
	s := &server{openStore: time.Since(began)}
	began = time.Now()
	s.engine, err = engine.Open(engine.Config{
		Driver: driver, Argon: auth.CheapParams, QueryRows: -1, QueryTime: -1,
		SnapshotDir: filepath.Join(dir, "snapshot"),
		Logger:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, errors.Join(err, driver.Close())
	}
	s.openEngine = time.Since(began)
	l, err := engine.Listen("127.0.0.1:0", nil, false)
	if err != nil {
		return nil, errors.Join(err, s.engine.Close())
	}
	s.address = l.Addr().String()
	s.http = engine.NewServer(s.engine, false)
	s.http.Serve(l, func(err error) { fmt.Fprintln(os.Stderr, "serving:", err) })
	// Serve returns before it accepts, and a server that is stopped in between
	// would not end.
	c := newClient(s.address, "")
	defer c.close()
	if status, _, err := c.do("GET", "/-/live", nil); err != nil || status != 200 {
		s.close()
		return nil, fmt.Errorf("it does not serve: status %d %w", status, err)
	}
	return s, nil
}

// newApp is openServer for a new directory, with an app.
func newApp(dir string) (*server, error) {
	s, err := openServer(dir)
	if err != nil {
		return nil, err
	}
	if _, err = s.engine.CreateApp(engine.NewApp{Key: appKey, AppSecret: appSecret, MasterSecret: masterSecret}); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// startServer is newApp with a hundred users.
func startServer(dir string) (*server, error) {
	s, err := newApp(dir)
	if err != nil {
		return nil, err
	}
	for i := range 100 {
		a, err := s.signUp(fmt.Sprintf("user%03d", i))
		if err != nil {
			s.close()
			return nil, err
		}
		s.users = append(s.users, a)
	}
	return s, nil
}

func (s *server) close() {
	s.stop.Do(func() {
		s.http.Stop(time.Second)
		if err := s.engine.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "closing:", err)
		}
	})
}

func (s *server) signUp(name string) (account, error) {
	c := newClient(s.address, basic(appSecret))
	defer c.close()
	status, body, err := c.do("POST", "/user/"+appKey, fmt.Appendf(nil, `{"username":%q,"password":%q}`, name, name))
	if err != nil || status != 201 {
		return account{}, fmt.Errorf("sign-up: status %d %s %w", status, body, err)
	}
	var u struct {
		ID  string `json:"_id"`
		KMD struct {
			Token string `json:"authtoken"`
		} `json:"_kmd"`
	}
	err = json.Unmarshal(body, &u)
	return account{u.ID, name, u.KMD.Token}, err
}

// fill makes a private collection of n entities that belong to the owners in
// turn: with all users each sees one in a hundred.
func (s *server) fill(collection string, n int, owners []account) error {
	if err := s.engine.SetLevel(appKey, collection, acl.Private); err != nil {
		return err
	}
	const workers = 64
	errs := make(chan error, workers)
	for w := range workers {
		go func() {
			for i := w; i < n; i += workers {
				if err := s.engine.PutDocument(appKey, collection, owners[i%len(owners)].id, document(i)); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var first error
	for range workers {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// clients returns one client a connection, each as one of the users.
func (s *server) clients(n int) []*client {
	out := make([]*client, n)
	for i := range out {
		out[i] = newClient(s.address, "Kinvey "+s.users[i%len(s.users)].token)
	}
	return out
}

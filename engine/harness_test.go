package engine_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"postern/auth"
	"postern/engine"
	"postern/engine/store"
)

// The credentials of the apps that tests make.
const (
	kid          = "kid_test"
	appSecret    = "a0000000000000000000000000000001"
	masterSecret = "b0000000000000000000000000000002"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// seeded is a source of bytes that a seed determines; for ids in tests only.
type seeded struct{ r *rand.ChaCha8 }

func newSeeded(seed uint64) *seeded {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return &seeded{rand.NewChaCha8(key)}
}

func (s *seeded) Read(p []byte) (int, error) { return s.r.Read(p) }

// server is an engine behind a real HTTP server on an in-memory listener. When
// the test ends, the engine is checked against its store (I2, I6), so every
// test is a test of the invariants too.
type server struct {
	t      testing.TB
	e      *engine.Engine
	http   *fasthttp.HostClient
	driver store.Driver
	clock  *clock  // set by tests that move it
	socket *server // at the socket, made by those who ask it often
	stop   func()
}

type options struct {
	config  engine.Config
	driver  store.Driver
	app     engine.AppOptions
	noApp   bool
	admin   bool
	noCheck bool
}

func start(t testing.TB, change ...func(*options)) *server {
	t.Helper()
	// Indexes are rebuilt and orders made all the time.
	o := options{config: engine.Config{Argon: auth.CheapParams, RebuildAfter: 7, OrderAfter: 20}, app: engine.AppOptions{GroupCreation: "users"}}
	for _, f := range change {
		f(&o)
	}
	if o.driver == nil {
		o.driver = store.NewMemory()
	}
	o.config.Driver = o.driver
	e, err := engine.Open(o.config)
	if err != nil {
		t.Fatal("Open:", err)
	}
	if !o.noApp && !e.HasApps() {
		for _, key := range []string{kid, "kid_other"} {
			secrets := engine.NewApp{Key: key, Name: "Test", Options: o.app}
			if key == kid {
				secrets.AppSecret, secrets.MasterSecret = appSecret, masterSecret
			}
			if _, err := e.CreateApp(secrets); err != nil {
				t.Fatal("CreateApp:", err)
			}
		}
	}
	l := fasthttputil.NewInmemoryListener()
	srv := engine.NewServer(e, o.admin)
	srv.Serve(l, func(err error) { t.Error(err) })
	s := &server{t: t, e: e, driver: o.driver, http: &fasthttp.HostClient{
		Addr: "localhost", Dial: func(string) (net.Conn, error) { return l.Dial() },
		MaxConns: 1024, NoDefaultUserAgentHeader: true, DisablePathNormalizing: true, DisableHeaderNamesNormalizing: false,
	}}
	var once sync.Once
	s.stop = func() {
		once.Do(func() {
			if !o.noCheck {
				if err := e.Check(func(p string) { t.Error("check:", p) }); err != nil {
					t.Error("check:", err)
				}
			}
			s.http.CloseIdleConnections()
			srv.Stop(time.Second)
			if err := e.Close(); err != nil && !o.noCheck {
				t.Error("Close:", err)
			}
		})
	}
	t.Cleanup(s.stop)
	return s
}

// answer is what came back.
type answer struct {
	status int
	header map[string]string
	body   []byte
}

// json decodes the body with numbers kept as text.
func (a answer) json(t testing.TB) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
	return v
}

// get returns a member of a JSON object, by a path.
func get(v any, path ...string) any {
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func (a answer) error(t testing.TB) string {
	t.Helper()
	if len(a.body) == 0 {
		return ""
	}
	s, _ := get(a.json(t), "error").(string)
	return s
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

var (
	asApp    = basic(kid, appSecret)
	asMaster = basic(kid, masterSecret)
)

// do sends one request; headers are name, value pairs.
func (s *server) do(method, path, authorization, body string, headers ...string) answer {
	s.t.Helper()
	a, err := s.try(method, path, authorization, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (s *server) try(method, path, authorization, body string, headers ...string) (answer, error) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.Header.SetMethod(method)
	req.SetRequestURI("http://localhost" + path)
	req.URI().DisablePathNormalizing = true
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if body != "" {
		req.Header.SetContentType("application/json; charset=utf-8")
		req.SetBodyString(body)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if err := s.http.Do(req, res); err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode(), header: map[string]string{}, body: append([]byte(nil), res.Body()...)}
	for k, v := range res.Header.All() {
		a.header[string(k)] = string(v)
	}
	return a, nil
}

// want checks a status and an error name ("" = none).
func (s *server) want(a answer, status int, name string) answer {
	s.t.Helper()
	if a.status != status || status >= 400 && a.error(s.t) != name {
		s.t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, name)
	}
	return a
}

// user is somebody who has signed up.
type user struct {
	id, name, password, token string
}

func (u user) session() string { return "Kinvey " + u.token }
func (u user) basic() string   { return basic(u.name, u.password) }

// signUp makes a user whose password is his name.
func (s *server) signUp(name string) user {
	s.t.Helper()
	a := s.want(s.do("POST", "/user/"+kid, asApp, fmt.Sprintf(`{"username":%q,"password":%q}`, name, name)), 201, "")
	v := a.json(s.t)
	u := user{name: name, password: name}
	u.id, _ = get(v, "_id").(string)
	u.token, _ = get(v, "_kmd", "authtoken").(string)
	if u.id == "" || u.token == "" {
		s.t.Fatalf("sign-up of %s: %s", name, a.body)
	}
	return u
}

// setLevel sets a collection's level through the management route.
func (s *server) setLevel(collection, level string) {
	s.t.Helper()
	s.want(s.do("PUT", "/v4/environments/"+kid+"/collections/"+collection, asMaster, fmt.Sprintf(`{"permissions":%q}`, level)), 200, "")
}

// ids lists the ids of an array answer in order.
func ids(t testing.TB, a answer) []string {
	t.Helper()
	list, ok := a.json(t).([]any)
	if !ok {
		t.Fatalf("not an array: %d %s", a.status, a.body)
	}
	out := []string{}
	for _, e := range list {
		id, _ := get(e, "_id").(string)
		out = append(out, id)
	}
	return out
}

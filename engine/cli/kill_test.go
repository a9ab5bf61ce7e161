package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// killEnvironment is ours without settings for postern.
func killEnvironment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "POSTERN_") {
			env = append(env, kv)
		}
	}
	return env
}

// killBuild builds the binary.
func killBuild(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "postern")
	c := exec.Command("go", "build", "-o", name, "postern")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return name
}

// killServer is a running server in a process of its own.
type killServer struct {
	cmd    *exec.Cmd
	url    string
	stderr bytes.Buffer
}

func killStart(t *testing.T, binary, dir string) *killServer {
	t.Helper()
	s := &killServer{cmd: exec.Command(binary, "dev", "--data", dir, "--listen", "127.0.0.1:0", "--log-level", "warn")}
	s.cmd.Env, s.cmd.Stderr = killEnvironment(), &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "Postern serves "); ok {
			s.url = url
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s
		}
	}
	_ = s.cmd.Wait()
	t.Fatalf("the server did not start: %s", s.stderr.String())
	return nil
}

// kill ends the process as a power switch ends it, as far as a process goes.
func (s *killServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// killWriter is one client: it has one request under way at a time and owns
// what it writes, so it knows what must be there after a crash.
type killWriter struct {
	t      *testing.T
	r      *rand.Rand
	name   string
	client *http.Client
	base   string        // address of the running server
	acked  *atomic.Int64 // acknowledged writes of the round, of all writers
	total  int           // acknowledged writes of this one, of all rounds

	owner  string                // Authorization of the owner of the things below
	things map[string]*killThing // by path
	tokens map[string]string     // token -> "alive", "dead", or "ending" when the end was not acknowledged
	users  map[string]bool       // name -> acknowledged
}

// killThing is what has to be found under a path.
type killThing struct {
	acked   string   // the body as it was acknowledged, "" = absent
	pending []string // the text that a later, unacknowledged attempt would have left ("" = absent); at most one
}

var errKilled = errors.New("no answer")

// do returns errKilled when there is no whole answer.
func (w *killWriter) do(method, path, authorization, body string) (int, string, error) {
	req, err := http.NewRequest(method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return 0, "", errKilled
	}
	req.Header.Set("Authorization", authorization)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := w.client.Do(req)
	if err != nil {
		return 0, "", errKilled
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", errKilled
	}
	if res.StatusCode >= 500 {
		w.t.Errorf("%s: %s %s: %d %s", w.name, method, path, res.StatusCode, b)
	}
	return res.StatusCode, string(b), nil
}

func (w *killWriter) ack() {
	w.acked.Add(1)
	w.total++
}

// set writes a thing, or deletes it when text is "".
func (w *killWriter) set(path, text string) error {
	th := w.things[path]
	if th == nil {
		th = &killThing{}
		w.things[path] = th
	}
	method := "PUT"
	if text == "" {
		method = "DELETE"
	}
	th.pending = []string{text}
	status, body, err := w.do(method, path, w.owner, text)
	if err != nil {
		return err
	}
	th.pending = nil
	switch {
	case text != "" && (status == 201 || status == 200):
		if (status == 201) != (th.acked == "") && !strings.HasPrefix(path, "/v4/") {
			w.t.Errorf("%s: PUT answered %d, before: %q", path, status, th.acked)
		}
		th.acked = body
		w.ack()
	case text == "" && status == 200:
		th.acked = ""
		w.ack()
	case text == "" && status == 404 && th.acked == "":
	default:
		w.t.Errorf("%s %s: %d %s, before: %q", method, path, status, body, th.acked)
	}
	return nil
}

// killSame tells whether a stored body is what the attempt would have left.
func killSame(body, attempt string) bool {
	var stored, sent map[string]any
	if json.Unmarshal([]byte(body), &stored) != nil || json.Unmarshal([]byte(attempt), &sent) != nil {
		return false
	}
	for k, v := range sent {
		if grants, ok := stored[k].(map[string]any); ok && k == "_acl" {
			delete(grants, "creator") // is the server's
		}
		if fmt.Sprint(stored[k]) != fmt.Sprint(v) {
			return false
		}
	}
	return true
}

// verify looks at everything after a crash.
func (w *killWriter) verify() (lost int) {
	fail := func(format string, args ...any) {
		lost++
		w.t.Errorf(w.name+": "+format, args...)
	}
	for path, th := range w.things {
		status, body, err := w.do("GET", path, w.owner, "")
		if err != nil {
			fail("%s: %v", path, err)
			continue
		}
		if status != 200 {
			if status != 404 {
				fail("%s: %d %s", path, status, body)
			}
			body = ""
		}
		ok := body == th.acked
		for _, attempt := range th.pending {
			ok = ok || attempt == "" && body == "" || attempt != "" && killSame(body, attempt)
		}
		if !ok {
			fail("%s: stored %q, acknowledged %q, attempted %q", path, body, th.acked, th.pending)
		}
		th.acked, th.pending = body, nil
	}
	for token, state := range w.tokens {
		status, _, err := w.do("GET", "/user/"+devKey+"/_me", "Kinvey "+token, "")
		switch {
		case err != nil:
			fail("%v", err)
		case state == "alive" && status != 200:
			fail("a session that was acknowledged is gone: %d", status)
		case state == "dead" && status != 401:
			fail("a session that was logged out lives: %d", status)
		case state == "ending":
			w.tokens[token] = map[bool]string{true: "alive", false: "dead"}[status == 200]
		}
	}
	for name, acked := range w.users {
		status, body, err := w.do("POST", "/user/"+devKey+"/login", killApp, fmt.Sprintf(`{"username":%q,"password":%q}`, name, name))
		switch {
		case err != nil:
			fail("%v", err)
		case status == 200: // whole: he logs in and has a record
			if !strings.Contains(body, `"username":"`+name+`"`) {
				fail("user %s is half there: %s", name, body)
			}
		case acked:
			fail("user %s signed up with an acknowledgement and cannot log in: %d %s", name, status, body)
		}
		delete(w.users, name) // looked at once
	}
	return lost
}

var (
	killApp    = killBasic(devKey, devApp)
	killMaster = killBasic(devKey, devMaster)
)

func killBasic(name, password string) string {
	req, _ := http.NewRequest("GET", "http://x", nil)
	req.SetBasicAuth(name, password)
	return req.Header.Get("Authorization")
}

// The kinds of writers. Each does one thing again and again until there is no
// answer any more.

func (w *killWriter) entities() error {
	path := fmt.Sprintf("/appdata/%s/box/%s-%d", devKey, w.name, w.r.IntN(6))
	if w.r.IntN(4) == 0 {
		return w.set(path, "")
	}
	return w.set(path, fmt.Sprintf(`{"n":%d,"text":%q,"_acl":{"r":["u%d"],"groups":{"w":["g%d"]}}}`,
		w.r.IntN(1<<30), strings.Repeat("x", w.r.IntN(400)), w.r.IntN(4), w.r.IntN(4)))
}

func (w *killWriter) groups() error {
	return w.set(fmt.Sprintf("/group/%s/%s-%d", devKey, w.name, w.r.IntN(3)), fmt.Sprintf(`{"n":%d,"users":{"list":["u%d"]}}`, w.r.IntN(1<<30), w.r.IntN(9)))
}

func (w *killWriter) levels() error {
	levels := []string{"append-read", "append-only", "read-only", "write"}
	return w.set("/v4/environments/"+devKey+"/collections/"+w.name, `{"permissions":"`+levels[w.r.IntN(4)]+`"}`)
}

func (w *killWriter) signUps() error {
	name := fmt.Sprintf("%s-%d", w.name, w.r.Uint64())
	w.users[name] = false
	status, body, err := w.do("POST", "/user/"+devKey, killApp, fmt.Sprintf(`{"username":%q,"password":%q}`, name, name))
	if err != nil {
		return err
	}
	if status != 201 {
		w.t.Errorf("sign-up: %d %s", status, body)
		return nil
	}
	w.users[name] = true
	w.ack()
	return nil
}

func (w *killWriter) sessions() error {
	for token, state := range w.tokens {
		if state != "alive" || w.r.IntN(2) == 0 {
			continue
		}
		w.tokens[token] = "ending"
		status, body, err := w.do("POST", "/user/"+devKey+"/_logout", "Kinvey "+token, "")
		if err != nil {
			return err
		}
		if status != 204 {
			w.t.Errorf("logout: %d %s", status, body)
		}
		w.tokens[token] = "dead"
		w.ack()
		break
	}
	status, body, err := w.do("POST", "/user/"+devKey+"/login", killApp, fmt.Sprintf(`{"username":%q,"password":%q}`, w.name, w.name))
	if err != nil {
		return err
	}
	var v struct {
		KMD struct{ Authtoken string } `json:"_kmd"`
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != 200 || v.KMD.Authtoken == "" {
		w.t.Errorf("login: %d %s", status, body)
		return nil
	}
	w.tokens[v.KMD.Authtoken] = "alive"
	w.ack()
	return nil
}

// killCheck runs postern check.
func killCheck(t *testing.T, binary, dir string) {
	t.Helper()
	c := exec.Command(binary, "check", "--data", dir)
	c.Env = killEnvironment()
	out, err := c.CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("postern check: %v\n%s", err, out)
	}
}

// The process is killed in the middle of writing, again and again: what was
// acknowledged is there after every restart, and nothing is there by half.
func TestKillUnderLoad(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 4
	}
	const seed = 20261123
	t.Logf("seed %d", seed)
	binary, dir := killBuild(t), filepath.Join(t.TempDir(), "data")
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}}
	var acked atomic.Int64
	var writers []*killWriter
	var acts []func() error
	for i := range 16 {
		w := &killWriter{t: t, r: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprint("w", i), client: client, acked: &acked,
			owner: killMaster, things: map[string]*killThing{}, tokens: map[string]string{}, users: map[string]bool{}}
		writers = append(writers, w)
		switch {
		case i < 8:
			acts = append(acts, w.entities)
		case i < 10:
			acts = append(acts, w.groups)
		case i < 11:
			acts = append(acts, w.levels)
		case i < 13:
			acts = append(acts, w.signUps)
		default:
			acts = append(acts, w.sessions)
		}
	}
	random := rand.New(rand.NewPCG(seed, 99))
	lost := 0
	s := killStart(t, binary, dir)
	for _, w := range writers {
		w.base = s.url
		if _, _, err := w.do("POST", "/user/"+devKey, killApp, fmt.Sprintf(`{"username":%[1]q,"password":%[1]q}`, w.name)); err != nil {
			t.Fatal(err)
		}
	}
	for round := range rounds {
		acked.Store(0)
		enough := make(chan struct{})
		after := 50 + random.Int64N(600)
		var once sync.Once
		var writing sync.WaitGroup
		for i := range writers {
			writing.Go(func() {
				for acts[i]() == nil && !t.Failed() {
					if acked.Load() >= after {
						once.Do(func() { close(enough) })
					}
				}
				once.Do(func() { close(enough) })
			})
		}
		<-enough
		s.kill()
		writing.Wait()
		client.CloseIdleConnections()
		if acked.Load() < after {
			t.Errorf("round %d: the writers ended after %d of %d writes: %s", round, acked.Load(), after, s.stderr.String())
		}
		if round%6 == 5 || round == rounds-1 {
			killCheck(t, binary, dir)
		}
		s = killStart(t, binary, dir)
		var verifying sync.WaitGroup
		var missing atomic.Int64
		for _, w := range writers {
			w.base = s.url
			verifying.Go(func() { missing.Add(int64(w.verify())) })
		}
		verifying.Wait()
		lost += int(missing.Load())
		if t.Failed() {
			t.Errorf("in round %d", round)
			break
		}
	}
	s.kill()
	killCheck(t, binary, dir)
	total := 0
	for _, w := range writers {
		total += w.total
	}
	t.Logf("figure: kill -9 over HTTP: %d rounds, %d acknowledged writes, %d lost", rounds, total, lost)
}

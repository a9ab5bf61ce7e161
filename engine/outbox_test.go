package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/auth"
	"postern/engine"
	"postern/engine/store"
)

const publicURL = "https://api.example.org"

// postbox is a Mailer that hands what it takes to the test, or refuses.
type postbox struct {
	mails chan *engine.Mail

	mu    sync.Mutex
	fails error // what the next ones are answered
	tries int
}

func newPostbox() *postbox { return &postbox{mails: make(chan *engine.Mail, 100)} }

func (p *postbox) Mail(_ context.Context, m *engine.Mail) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	if p.fails == nil {
		p.mails <- m
	}
	return p.fails
}

func (p *postbox) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails = err
}

// next waits for a mail.
func (p *postbox) next(t testing.TB) *engine.Mail {
	t.Helper()
	select {
	case m := <-p.mails:
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no mail came")
		return nil
	}
}

// none fails if a mail has come by the time that the outbox is empty.
func (p *postbox) none(s *server) {
	s.t.Helper()
	s.e.OutboxIdle(s.t, 0)
	select {
	case m := <-p.mails:
		s.t.Fatalf("a mail came: to %s, %s", m.To, m.Text)
	default:
	}
}

func withPost(p engine.Mailer) func(*options) {
	return func(o *options) { o.config.Mailer, o.config.PublicURL = p, publicURL }
}

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func withClock(c *clock) func(*options) {
	return func(o *options) { o.config.Clock = c.Now }
}

var linkPattern = regexp.MustCompile(`https://api\.example\.org(/-/(reset|verify)/[^\s]+)`)

// linkOf returns the path of the link in a mail.
func linkOf(t testing.TB, m *engine.Mail) string {
	t.Helper()
	found := linkPattern.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("no link in %q", m.Text)
	}
	return found[1]
}

func (s *server) signUpWith(name, email string) user {
	s.t.Helper()
	u := s.signUp(name)
	s.want(s.do("PUT", "/user/"+kid+"/"+u.id, u.session(), fmt.Sprintf(`{"email":%q}`, email)), 200, "")
	return u
}

// rpc asks for a mail with the app secret.
func (s *server) rpc(name, what string) {
	s.t.Helper()
	s.want(s.do("POST", "/rpc/"+kid+"/"+name+"/"+what, asApp, ""), 204, "")
}

const (
	resetInitiate  = "user-password-reset-initiate"
	verifyInitiate = "user-email-verification-initiate"
)

// A mail is not lost by a mail server that is away, and not by a restart.
func TestOutboxRetriesAfterRestart(t *testing.T) {
	clock, box, driver := newClock(), newPostbox(), &keptStore{Driver: store.NewMemory()}
	box.fail(errors.New("the mail server is away"))
	again := []func(*options){withPost(box), withClock(clock), func(o *options) { o.driver = driver }}
	s := start(t, again...)
	s.signUpWith("alice", "alice@example.org")
	s.rpc("alice", resetInitiate)
	s.e.OutboxTried(t, kid, 1)
	// Not before the time for it has come.
	s.e.OutboxNudge()
	list := s.want(s.do("GET", "/v4/environments/"+kid+"/outbox", asMaster, ""), 200, "")
	if !strings.Contains(string(list.body), `"attempts":1`) || !strings.Contains(string(list.body), "the mail server is away") {
		t.Errorf("the outbox shows %s", list.body)
	}
	clock.Add(31 * time.Second)
	s.e.OutboxNudge()
	s.e.OutboxTried(t, kid, 2)
	s.stop()

	box.fail(nil)
	s = start(t, again...)
	s.e.OutboxIdle(t, 1) // the second retry is a minute away
	clock.Add(61 * time.Second)
	s.e.OutboxNudge()
	m := box.next(t)
	s.want(s.do("GET", linkOf(t, m), "", ""), 200, "")
	s.e.OutboxIdle(t, 0)
	box.none(s)
}

// keptStore survives the engine that closes it.
type keptStore struct{ store.Driver }

func (*keptStore) Close() error { return nil }

// Whoever stops the server while a mail is on its way has it sent once more.
func TestOutboxStoppedInTheMiddle(t *testing.T) {
	driver, slow := &keptStore{Driver: store.NewMemory()}, &slowPost{began: make(chan struct{})}
	s := start(t, withPost(slow), func(o *options) { o.driver = driver })
	s.signUpWith("alice", "alice@example.org")
	s.rpc("alice", resetInitiate)
	<-slow.began
	s.stop() // ends the attempt
	box := newPostbox()
	s = start(t, withPost(box), func(o *options) { o.driver = driver })
	s.want(s.do("GET", linkOf(t, box.next(t)), "", ""), 200, "")
	s.e.OutboxIdle(t, 0)
}

// slowPost takes a mail and says nothing until it is stopped.
type slowPost struct{ began chan struct{} }

func (p *slowPost) Mail(ctx context.Context, _ *engine.Mail) error {
	close(p.began)
	<-ctx.Done()
	return ctx.Err()
}

// What a mail server refuses for good is not tried again, and what cannot be
// sent for a day is given up.
func TestOutboxGivesUp(t *testing.T) {
	clock, box := newClock(), newPostbox()
	s := start(t, withPost(box), withClock(clock))
	s.signUpWith("alice", "alice@example.org")
	box.fail(engine.PermanentMailError())
	s.rpc("alice", resetInitiate)
	s.e.OutboxIdle(t, 0)
	box.fail(errors.New("away"))
	s.rpc("alice", resetInitiate)
	s.e.OutboxTried(t, kid, 1)
	clock.Add(25 * time.Hour)
	s.e.OutboxNudge()
	s.e.OutboxIdle(t, 0)
	if len(box.mails) != 0 {
		t.Error("a mail came")
	}
}

// Where there is no mail server, mails are files for the owner of the server
// alone, and can be read and cleared by operators and the master.
func TestOutboxDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	s := start(t, withPost(engine.NewOutboxDir(dir)))
	alice := s.signUpWith("alice", "alice@example.org")
	s.rpc("alice", resetInitiate)
	s.e.OutboxIdle(t, 0)
	var files []string
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			files = append(files, name)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, want %v", name, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	path := "/v4/environments/" + kid + "/outbox"
	list := s.want(s.do("GET", path, asMaster, ""), 200, "").json(t).([]any)
	if len(list) != 1 || get(list[0], "to") != "<alice@example.org>" || get(list[0], "state") != "written" {
		t.Fatalf("the outbox lists %v", list)
	}
	shown := s.want(s.do("GET", path+"/"+get(list[0], "id").(string), asMaster, ""), 200, "").json(t)
	text, _ := get(shown, "mail").(string)
	s.want(s.do("GET", linkPattern.FindStringSubmatch(text)[1], "", ""), 200, "")
	for _, id := range []string{"..%2F..%2Fetc%2Fpasswd", "none", "..", "%2e%2e%2f" + filepath.Base(filepath.Dir(files[0])) + "%2f" + strings.TrimSuffix(filepath.Base(files[0]), ".eml")} {
		if a := s.do("GET", path+"/"+id, asMaster, ""); a.status != 404 {
			t.Errorf("%s: %d %s", id, a.status, a.body)
		}
	}
	s.want(s.do("GET", "/v4/environments/kid_other/outbox", asMaster, ""), 401, "")
	s.want(s.do("GET", path, alice.session(), ""), 401, "")
	a := s.want(s.do("DELETE", path, asMaster, ""), 200, "")
	if string(a.body) != `{"count":1}` {
		t.Errorf("clear: %s", a.body)
	}
	if a := s.want(s.do("GET", path, asMaster, ""), 200, ""); string(a.body) != `[]` {
		t.Errorf("after clear: %s", a.body)
	}
}

// The store holds no token, and neither does a log.
func TestOutboxHoldsNoToken(t *testing.T) {
	box, driver := newPostbox(), &keptStore{Driver: store.NewMemory()}
	var log strings.Builder
	s := start(t, withPost(box), func(o *options) {
		o.driver = driver
		o.config.Logger = textLogger(&log)
		o.config.LogDenials = true
	})
	s.signUpWith("alice", "alice@example.org")
	s.rpc("alice", resetInitiate)
	link := linkOf(t, box.next(t))
	token := link[strings.LastIndex(link, "/")+1:]
	s.do("GET", link, "", "")
	s.do("PUT", link, "", "")
	s.do("GET", link+"x", "", "")
	s.do("POST", link, "", "")
	s.e.OutboxIdle(t, 0)
	s.stop()
	view, err := driver.View()
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	rows := 0
	err = view.Scan(store.AllRows(), func(r store.Row) error {
		rows++
		if strings.Contains(string(r.Value)+r.Key.ID, token) {
			t.Errorf("%v holds the token", r.Key)
		}
		return nil
	})
	if err != nil || rows == 0 {
		t.Fatal(rows, err)
	}
	if strings.Contains(log.String(), token) {
		t.Errorf("the log holds the token: %s", log.String())
	}
}

// The queue is bounded: what does not fit any more is not sent, and nobody can
// tell.
func TestOutboxIsBounded(t *testing.T) {
	clock, box := newClock(), newPostbox()
	box.fail(errors.New("away"))
	s := start(t, withPost(box), withClock(clock))
	s.signUpWith("alice", "alice@example.org")
	s.e.OutboxFill(t, kid)
	s.rpc("alice", resetInitiate)
	s.rpc("nobody", resetInitiate)
	s.e.OutboxIdle(t, engine.MaxOutbox)
}

// One account gets so many mails and no more, from however many networks they
// are asked for; the answers are the same.
func TestOutboxQuotaOfAnAccount(t *testing.T) {
	box := newPostbox()
	n := attackLimits(t, withPost(box))
	alice := n.signUp("alice")
	n.want(n.do("PUT", "/user/"+kid+"/"+alice.id, alice.session(), `{"email":"alice@example.org"}`), 200, "")
	for i := range 3 * auth.DefaultQuota.Mail.Burst {
		from := attackFrom(n.server, n.l, fmt.Sprintf("198.51.%d.1", i))
		for _, name := range []string{"alice", "nobody"} {
			from.want(from.do("POST", "/rpc/"+kid+"/"+name+"/"+resetInitiate, asApp, ""), 204, "")
		}
	}
	n.e.OutboxIdle(t, 0)
	if got := len(box.mails); got < auth.DefaultQuota.Mail.Burst || got > auth.DefaultQuota.Mail.Burst+1 {
		t.Errorf("%d mails came, the quota is %d", got, auth.DefaultQuota.Mail.Burst)
	}
}

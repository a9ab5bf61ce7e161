package engine_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/engine/store"
)

// history does random things to an app: it knows who there is, not what is
// allowed, so many of its requests are refused.
type history struct {
	s     *server
	r     *rand.Rand
	users []user
	dead  []string // sessions that were ended with an acknowledgement
}

func (h *history) pick(list ...string) string { return list[h.r.IntN(len(list))] }

func (h *history) user() user { return h.users[h.r.IntN(len(h.users))] }

func (h *history) some(n int, one func() string) string {
	text := ""
	for i := range h.r.IntN(n + 1) {
		if i > 0 {
			text += ","
		}
		text += one()
	}
	return "[" + text + "]"
}

func (h *history) userID() string { return `"` + h.user().id + `"` }
func (h *history) groupID() string {
	return h.pick(`"g0"`, `"g1"`, `"g2"`, `"g3"`)
}

// acl is a random _acl member, or nothing.
func (h *history) acl() string {
	if h.r.IntN(3) == 0 {
		return ""
	}
	text := `,"_acl":{"r":` + h.some(3, h.userID) + `,"w":` + h.some(2, h.userID) +
		`,"groups":{"r":` + h.some(2, h.groupID) + `,"w":` + h.some(1, h.groupID) + `}`
	return text + h.pick("", `,"gr":true`, `,"gr":false`) + h.pick("", `,"gw":true`, `,"gw":false`) + `}`
}

func (h *history) collection() string { return h.pick("red", "green", "blue") }

func (h *history) who() string {
	u := h.user()
	return h.pick(asMaster, u.session(), u.session(), u.basic(), u.basic())
}

func (h *history) step() {
	box, id := "/appdata/"+kid+"/"+h.collection(), fmt.Sprintf("/e%d", h.r.IntN(25))
	i := h.r.IntN(len(h.users))
	u := &h.users[i]
	account := "/user/" + kid + "/" + u.id
	switch h.r.IntN(30) {
	default:
		h.s.do("PUT", box+id, h.who(), fmt.Sprintf(`{"n":%d,"s":%q%s}`, h.r.IntN(9), h.pick("a", "b", "ü"), h.acl()))
	case 0, 1, 2, 3:
		h.s.do("POST", box, h.who(), fmt.Sprintf(`{"_id":%q,"n":%d%s}`, id[1:], h.r.IntN(9), h.acl()))
	case 4, 5, 6:
		h.s.do("DELETE", box+id, h.who(), "")
	case 7:
		h.s.do("DELETE", box+"?query="+url.QueryEscape(fmt.Sprintf(`{"n":%d}`, h.r.IntN(9))), h.who(), "")
	case 8, 9, 10:
		h.s.do("PUT", "/group/"+kid+"/"+h.pick("g0", "g1", "g2", "g3"), h.pick(asMaster, asMaster, h.who()),
			`{"users":{"all":`+h.pick("false", "false", "true")+`,"list":`+h.some(3, h.userID)+`},"groups":`+h.some(2, h.groupID)+h.acl()+`}`)
	case 11:
		h.s.do("DELETE", "/group/"+kid+"/"+h.pick("g0", "g1", "g2", "g3"), h.who(), "")
	case 12, 13:
		h.s.do("PUT", "/v4/environments/"+kid+"/collections/"+h.pick("red", "green", "blue", "user"), asMaster,
			`{"permissions":"`+h.pick("append-read", "append-only", "read-only", "write")+`"}`)
	case 14:
		if h.r.IntN(4) == 0 {
			h.s.do("DELETE", "/v4/environments/"+kid+"/collections/"+h.collection(), asMaster, "")
		}
	case 15, 16:
		if a := h.s.do("POST", "/user/"+kid+"/_logout", u.session(), ""); a.status == 204 {
			h.dead = append(h.dead, u.session())
		}
		if a := attackLogin(h.s, u.name, u.password); a.status == 200 {
			u.token, _ = get(a.json(h.s.t), "_kmd", "authtoken").(string)
		}
	case 17:
		old, password := u.session(), fmt.Sprint("pw", h.r.IntN(1000))
		if a := h.s.do("PUT", account, old, `{"password":"`+password+`"}`); a.status == 200 {
			u.password = password
			if token, _ := get(a.json(h.s.t), "_kmd", "authtoken").(string); token != u.token {
				u.token = token
				h.dead = append(h.dead, old)
			}
		}
	case 18:
		h.s.do("PUT", account, h.who(), fmt.Sprintf(`{"age":%d,"email":"%d@example.org"%s}`, h.r.IntN(99), h.r.IntN(9), h.acl()))
	case 19:
		if h.r.IntN(3) == 0 {
			if a := h.s.do("DELETE", account+h.pick("", "?hard=true"), asMaster, ""); a.status == 204 {
				h.dead = append(h.dead, u.session())
				h.users[i] = h.s.signUp(fmt.Sprintf("%s-%d", u.name, h.r.IntN(1<<30)))
			}
		}
	case 20:
		h.s.do("PUT", account, h.who(), fmt.Sprintf(`{"username":"user%d","age":1}`, h.r.IntN(12)))
	}
}

// answers is everything that everybody can see, in one form.
func (h *history) answers() map[string]string {
	all := map[string]string{}
	ask := func(as, name, method, path, body string) {
		a := h.s.do(method, path, as, body)
		all[name+" "+method+" "+path] = fmt.Sprint(a.status, " ", string(a.body))
	}
	who := map[string]string{"master": asMaster}
	for _, u := range h.users {
		who["session of "+u.id] = u.session()
		who["password of "+u.id] = u.basic()
	}
	for name, as := range who {
		for _, c := range []string{"red", "green", "blue"} {
			for _, q := range []string{"", `?sort={"n":-1}`, `?query={"n":{"$gt":3}}`, `?query={"s":"a"}&sort={"_id":1}&skip=1&limit=3`, `?fields=n`} {
				ask(as, name, "GET", "/appdata/"+kid+"/"+c+q, "")
			}
			ask(as, name, "GET", "/appdata/"+kid+"/"+c+"/_count", "")
			for i := range 25 {
				ask(as, name, "GET", fmt.Sprintf("/appdata/%s/%s/e%d", kid, c, i), "")
			}
		}
		ask(as, name, "GET", "/user/"+kid, "")
		ask(as, name, "GET", "/user/"+kid+"/_me", "")
		ask(as, name, "POST", "/user/"+kid+"/_lookup", "{}")
		ask(as, name, "GET", "/group/"+kid, "")
		for _, u := range h.users {
			ask(as, name, "GET", "/user/"+kid+"/"+u.id, "")
		}
		for _, g := range []string{"g0", "g1", "g2", "g3"} {
			ask(as, name, "GET", "/group/"+kid+"/"+g, "")
		}
	}
	ask(asMaster, "master", "GET", "/v4/environments/"+kid+"/collections", "")
	return all
}

// Whatever happened, a restart changes no answer: memory is derived from the
// store and from nothing else (I2). The engine is checked at every stop.
func TestRestartChangesNoAnswer(t *testing.T) {
	first, histories, steps := seed(t), 4, 250
	if testing.Short() {
		histories, steps = 1, 120
	}
	compared := 0
	for n := range histories {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dir := t.TempDir()
			h := &history{s: start(t, onBadger(t, dir)), r: rand.New(rand.NewPCG(first, uint64(n)))}
			for i := range 6 {
				h.users = append(h.users, h.s.signUp(fmt.Sprint("user", i)))
			}
			for part := range 2 {
				for range steps {
					h.step()
				}
				before := h.answers()
				h.s.stop()
				h.s = start(t, onBadger(t, dir))
				after := h.answers()
				for what, b := range before {
					if a := after[what]; a != b {
						t.Errorf("part %d: %s\nbefore %s\nafter  %s", part, what, b, a)
					}
				}
				compared += len(before)
				for _, token := range h.dead {
					h.s.want(h.s.do("GET", "/user/"+kid+"/_me", token, ""), 401, "InvalidCredentials")
				}
				if part == 0 && len(h.dead) == 0 {
					t.Error("no session ended: the history is too tame")
				}
			}
		})
	}
	t.Logf("figure: restart equality: %d histories of %d requests, %d answers compared", histories, 2*steps, compared)
}

// Close leaves nothing of ours running, after an ordinary life and after a
// failure.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	drivers := map[string]func(t *testing.T) store.Driver{
		"memory": func(*testing.T) store.Driver { return store.NewMemory() },
		"failed": func(*testing.T) store.Driver {
			return store.NewFault(store.NewMemory(), 1, store.FaultPlan{Script: append(make([]store.FaultKind, 8), store.FaultWritten)})
		},
		"badger": func(t *testing.T) store.Driver {
			d, err := store.OpenBadger(t.TempDir(), store.Options{NoBallast: true})
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
	}
	for name, open := range drivers {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			s := start(t, onDriver(open(t)), func(o *options) {
				o.noCheck = name == "failed"
				o.app.SessionIdle = time.Hour
			})
			alice := s.signUp("alice")
			for i := range 20 {
				s.do("PUT", fmt.Sprintf("/appdata/%s/box/%d", kid, i), alice.session(), `{}`)
				s.do("GET", "/appdata/"+kid+"/box", alice.basic(), "")
			}
			s.do("DELETE", "/v4/environments/"+kid+"/collections/box", asMaster, "") // sets the cleaner to work
			s.do("POST", "/user/"+kid+"/_logout", alice.session(), "")
			s.stop()
			err := goleak.Find(before,
				goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
				goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"), // sleeps its time out
				goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"))
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// What is closed stays closed: a write that comes after Close is refused, and
// one that was waiting when it began is answered.
func TestCloseAnswersWhoeverWaits(t *testing.T) {
	s := start(t)
	alice := s.signUp("alice")
	results := make(chan int, 64)
	for i := range cap(results) {
		go func() {
			a, err := s.try("PUT", fmt.Sprintf("/appdata/%s/box/%d", kid, i), alice.session(), `{}`)
			if err != nil {
				a.status = 0 // the connection ended
			}
			results <- a.status
		}()
	}
	var got []int
	got = append(got, <-results)
	s.stop()
	for len(got) < cap(results) {
		got = append(got, <-results)
	}
	slices.Sort(got)
	for _, status := range got {
		if status != 0 && status != 201 && status != 503 {
			t.Errorf("answers %v", got)
			break
		}
	}
}

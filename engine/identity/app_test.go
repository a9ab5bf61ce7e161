//go:build e2e

package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"
)

// An app is where browsers are sent back to, and what is behind that.
type app struct {
	t        *testing.T // that runs now
	s        *server
	home     string // its address
	redirect string // its redirect URI
	back     chan url.Values
}

func newApp(t *testing.T, s *server) *app {
	t.Helper()
	a := &app{t: t, s: s, back: make(chan url.Values, 10)}
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/cb" {
			http.NotFound(w, r)
			return
		}
		a.back <- r.URL.Query()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><html lang="en"><title>The app</title><link rel="icon" href="data:,"><h1>The app</h1><p>Here you are again.</p></html>`)
	}))
	t.Cleanup(here.Close)
	a.home, a.redirect = here.URL, here.URL+"/cb"
	return a
}

// A try is one login that an app has begun.
type try struct {
	client, link, state, verifier string
}

func (a *app) begin(client string) try {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	l := try{client: client, state: "state " + rand.Text(), verifier: base64.RawURLEncoding.EncodeToString(secret)}
	sum := sha256.Sum256([]byte(l.verifier))
	l.link = a.s.url + "/v3/oauth/auth?" + url.Values{
		"client_id": {client}, "redirect_uri": {a.redirect}, "response_type": {"code"}, "scope": {"openid"}, "state": {l.state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	return l
}

// returned is what the browser brings back.
func (a *app) returned() url.Values {
	a.t.Helper()
	select {
	case v := <-a.back:
		return v
	case <-time.After(30 * time.Second):
		a.t.Fatal("nobody is sent back to the app")
		return nil
	}
}

// nobody tells that no browser was sent back.
func (a *app) nobody() bool { return len(a.back) == 0 }

// tokens are what a login has led to.
type tokens struct{ access, refresh string }

func (a *app) token(form url.Values) (reply, tokens) {
	a.t.Helper()
	r := a.s.do("POST", "/v3/oauth/token", asApp, form.Encode())
	return r, tokens{r.get("access_token"), r.get("refresh_token")}
}

// exchange takes the code of a login.
func (a *app) exchange(l try, code string) tokens {
	a.t.Helper()
	r, t := a.token(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {l.client}, "redirect_uri": {a.redirect}, "code": {code}, "code_verifier": {l.verifier},
	})
	if r.status != 200 || t.access == "" || t.refresh == "" {
		a.t.Fatalf("the code leads to %d %s", r.status, r.body)
	}
	return t
}

func (a *app) refresh(t tokens) (reply, tokens) {
	a.t.Helper()
	return a.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {appKey}, "redirect_uri": {a.redirect}, "refresh_token": {t.refresh}})
}

// session logs in, as the SDKs do: who is not known yet signs up with the same.
func (a *app) session(t tokens) (user, session string) {
	a.t.Helper()
	body := map[string]any{"_socialIdentity": map[string]any{"kinveyAuth": map[string]any{
		"access_token": t.access, "refresh_token": t.refresh, "client_id": appKey, "redirect_uri": a.redirect,
	}}}
	r := a.s.do("POST", "/user/"+appKey+"/login", asApp, body)
	if r.status == http.StatusNotFound {
		r = a.s.do("POST", "/user/"+appKey, asApp, body)
	}
	user, session = r.get("_id"), r.get("_kmd", "authtoken")
	if user == "" || session == "" {
		a.t.Fatalf("a login with an access token: %d %s", r.status, r.body)
	}
	return user, session
}

// share makes an entity that a group may read.
func (a *app) share(name, group string) {
	a.t.Helper()
	r := a.s.do("POST", "/appdata/"+appKey+"/notes", asMaster, map[string]any{
		"_id": name, "_acl": map[string]any{"groups": map[string]any{"r": []string{group}}},
	})
	if r.status != 201 {
		a.t.Fatalf("share %s: %d %s", name, r.status, r.body)
	}
}

// notes are the entities that somebody sees; the status is that of the list.
func (a *app) notes(session string) (status int, names []string) {
	a.t.Helper()
	r := a.s.do("GET", "/appdata/"+appKey+"/notes", asSession(session), nil)
	var list []struct {
		ID string `json:"_id"`
	}
	if r.status == 200 {
		if err := json.Unmarshal(r.body, &list); err != nil {
			a.t.Fatalf("%v: %s", err, r.body)
		}
	}
	for _, e := range list {
		names = append(names, e.ID)
		if one := a.s.do("GET", "/appdata/"+appKey+"/notes/"+e.ID, asSession(session), nil); one.status != 200 {
			a.t.Errorf("%s is in the list, and by itself %d", e.ID, one.status)
		}
	}
	slices.Sort(names)
	return r.status, names
}

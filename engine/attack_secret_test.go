package engine_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"postern/engine/store"
)

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// attackFiles reads every file of a directory, without the zeros at the end of
// what is preallocated.
func attackFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = bytes.TrimRight(b, "\x00")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Whoever steals the data directory, a backup or the logs has no secret that
// logs him in. Every secret of the run is looked for in all of them, as it is
// and in the forms it is sent in. Guards: hashes in privateRow, sessionOp,
// secret and operatorRow; SecureErrorLogMessage and the log lines in handle.go.
func TestAttackSecretsInDataAndLogs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	log := new(lockedBuffer)
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	driver, err := store.OpenBadger(dir, store.Options{NoBallast: true, Logger: logger, HardReserve: 1, LastReserve: 1, SoftReserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(o *options) {
		o.driver, o.config.Logger, o.config.LogDenials = driver, logger, true
	})
	secrets := map[string]string{"app secret": appSecret, "master secret": masterSecret}
	minted := func(what, secret string) string {
		if len(secret) < 12 {
			t.Fatalf("%s is %q", what, secret)
		}
		secrets[what] = secret
		return secret
	}
	const marker = "a-marker-that-must-be-found"
	attackSecretTraffic(s, minted, marker)

	// Requests that fail before a handler sees them, with secrets in them.
	address := attackTCP(s)
	token := secrets["session of carol"]
	for _, raw := range []string{
		"GET /appdata HTTP/1.1\r\nHost: x\r\nAuthorization Kinvey " + token + "\r\n\r\n",
		"GET /appdata HTTP/1.1\r\nAuthorization: Kinvey " + token + "\r\n\r\n",
		"Kinvey " + token + "\r\n\r\n",
		"GET /appdata HTTP/1.1\r\nHost: x\r\nAuthorization: Kinvey " + token + "\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\n",
		"GET /appdata HTTP/1.1\r\nHost: x\r\nAuthorization: Kinvey " + token + "\r\nContent-Length: x\r\n\r\n",
		"POST /user/" + kid + "/login HTTP/1.1\r\nHost: x\r\nAuthorization: " + asApp + "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + secrets["password of carol"] + "\r\n",
		"POST /user/" + kid + "/login HTTP/1.1\r\nHost: x\r\nAuthorization: " + asApp + "\r\nContent-Length: 500\r\n\r\n{\"password\":\"" + secrets["password of carol"],
		"GET /appdata/" + kid + "/x\r\nX-Forged: y HTTP/1.1\r\nHost: x\r\nAuthorization: Kinvey " + token + "\r\n\r\n",
		"GET /user/" + kid + "/a%0d%0a%7B%22level%22:%22forged%22%7D HTTP/1.1\r\nHost: x\r\nAuthorization: Kinvey " + token + "\r\nConnection: close\r\n\r\n",
	} {
		attackRaw(t, address, []byte(raw))
	}
	backup := attackAdmin(s).do("GET", "/v4/backup", "", "").body
	live := attackFiles(t, dir)
	s.stop()
	closed := attackFiles(t, dir)

	places := map[string][]byte{"the backup": backup, "the log": log.bytes()}
	found := false
	for name, b := range live {
		places["running: "+name] = b
		found = found || bytes.Contains(b, []byte(marker))
	}
	for name, b := range closed {
		places["closed: "+name] = b
	}
	if !found || !bytes.Contains(backup, []byte(marker)) || !bytes.Contains(log.bytes(), []byte(`"denied"`)) {
		t.Fatalf("the search is blind: marker in the files %v, backup of %d bytes, log of %d bytes", found, len(backup), len(log.bytes()))
	}
	for what, secret := range secrets {
		for form, text := range attackForms(secret) {
			for place, b := range places {
				if bytes.Contains(b, text) {
					at := bytes.Index(b, text)
					t.Errorf("%s (%s) is in %s: %q", what, form, place, b[max(0, at-300):min(len(b), at+100)])
				}
			}
		}
	}
	for i, line := range bytes.Split(bytes.TrimSpace(log.bytes()), []byte("\n")) {
		if !json.Valid(line) || bytes.HasPrefix(line, []byte(`{"level"`)) {
			t.Errorf("line %d of the log is forged or broken: %q", i, line)
		}
	}
}

// attackForms are the forms in which a secret could lie about.
func attackForms(secret string) map[string][]byte {
	forms := map[string][]byte{
		"plain":        []byte(secret),
		"hex":          []byte(hex.EncodeToString([]byte(secret))),
		"upper case":   []byte(strings.ToUpper(secret)),
		"after colon":  []byte(base64.StdEncoding.EncodeToString([]byte(":" + secret))[4:20]),
		"after colon2": []byte(base64.StdEncoding.EncodeToString([]byte("a:" + secret))[4:20]),
		"after colon3": []byte(base64.StdEncoding.EncodeToString([]byte("aa:" + secret))[4:20]),
	}
	if _, random, ok := strings.Cut(secret, "."); ok {
		forms["random part"] = []byte(random)
		if raw, err := base64.StdEncoding.DecodeString(random); err == nil {
			forms["random bytes"] = raw
		}
	}
	if raw, err := hex.DecodeString(secret); err == nil {
		forms["bytes"] = raw
	}
	return forms
}

// attackSecretTraffic mints secrets of every kind and uses them in requests
// that succeed, are refused, and fail.
func attackSecretTraffic(s *server, minted func(what, secret string) string, marker string) {
	s.t.Helper()
	text := func(a answer, path ...string) string {
		v, _ := get(a.json(s.t), path...).(string)
		return v
	}
	admin := attackAdmin(s)
	password := minted("operator's password", "operator-password-93b1")
	if err := s.e.CreateOperator("op@example.org", password); err != nil {
		s.t.Fatal(err)
	}
	a := s.want(s.do("POST", "/session", "", fmt.Sprintf(`{"email":"op@example.org","password":%q}`, password)), 200, "")
	operator := minted("operator's session", text(a, "token"))
	s.want(s.do("GET", "/v4/environments/"+kid+"/collections", "Kinvey "+operator, ""), 200, "")

	generated := s.want(s.do("POST", "/user/"+kid, asApp, `{}`), 201, "")
	minted("generated password", text(generated, "password"))
	minted("session of the generated user", text(generated, "_kmd", "authtoken"))
	for _, name := range []string{"alice", "carol"} {
		password := minted("password of "+name, name+"-password-7d31")
		a := s.want(s.do("POST", "/user/"+kid, asApp, fmt.Sprintf(`{"username":%q,"password":%q,"note":%q}`, name, password, marker)), 201, "")
		id, token := text(a, "_id"), minted("session of "+name, text(a, "_kmd", "authtoken"))
		me := "/user/" + kid + "/" + id
		s.want(attackLogin(s, name, password), 200, "")
		s.want(s.do("POST", "/appdata/"+kid+"/c", "Kinvey "+token, fmt.Sprintf(`{"note":%q}`, marker)), 201, "")
		s.want(s.do("GET", "/appdata/"+kid+"/c", basic(name, password), ""), 200, "")
		// Clients echo the whole user, token and password included.
		s.want(s.do("PUT", me, "Kinvey "+token, fmt.Sprintf(`{"username":%q,"password":%q,"_kmd":{"authtoken":%q}}`, name, password, token)), 200, "")
		if name == "alice" {
			changed := minted("changed password", "changed-password-55e0")
			a = s.want(s.do("PUT", me, "Kinvey "+token, fmt.Sprintf(`{"password":%q}`, changed)), 200, "")
			minted("session after the change", text(a, "_kmd", "authtoken"))
			s.want(admin.do("PUT", "/v4/environments/"+kid+"/users/alice/password", "", fmt.Sprintf(`{"password":%q}`, minted("password set by an operator", "operators-choice-0c77"))), 204, "")
			s.want(s.do("DELETE", me+"?hard=true", asMaster, ""), 204, "")
		}
		// What is refused or broken.
		wrong := minted("wrong password for "+name, "wrong-password-f00d-"+name)
		s.want(attackLogin(s, name, wrong), 401, "InvalidCredentials")
		s.want(s.do("GET", "/appdata/"+kid+"/c", basic(name, wrong), ""), 401, "InvalidCredentials")
		for _, body := range []string{`{"username":"x","password":["` + password + `"]}`, `{"username":"x","password":"` + password + `"`, `{"` + password + `":1,"` + password + `":2}`, `{"$` + password + `":1}`, `{"password":"` + password + "\x01\"}"} {
			s.do("POST", "/user/"+kid+"/login", asApp, body)
			s.do("POST", "/user/"+kid, asApp, body)
			s.do("PUT", me, "Kinvey "+token, body)
			s.do("POST", "/session", "", body)
		}
		s.do("GET", "/group/"+kid, "Kinvey "+token, "")
		s.do("GET", "/appdata/"+kid+"/c", "Kinvey "+token[1:], "")
		s.do("GET", "/appdata/"+kid+"/c", "Bearer "+token, "")
		s.do("GET", "/appdata/"+kid+"/c", basic(kid, password), "")
		s.do("GET", "/appdata/"+kid+"/c?authorization=x", asApp, "")
		s.do("GET", "/appdata/"+kid+"/c/none", "Kinvey "+token, "", "X-Kinvey-Client-App-Version", token, "X-Kinvey-Custom-Request-Properties", `{"t":"`+token+`"}`)
	}
	for _, route := range []string{"appsecret", "mastersecret"} {
		name := map[string]string{"appsecret": "appSecret", "mastersecret": "masterSecret"}[route]
		a := s.want(admin.do("POST", "/v4/environments/"+kid+"/regenerate-"+route, "", `{"overlapSeconds":60}`), 200, "")
		s.want(s.do("GET", "/appdata/"+kid, basic(kid, minted("new "+name, text(a, name))), ""), 200, "")
	}
	a = s.want(admin.do("POST", "/v4/apps", "", `{"appName":"more"}`), 201, "")
	minted("new app's secret", text(a, "appSecret"))
	minted("new app's master secret", text(a, "masterSecret"))
}

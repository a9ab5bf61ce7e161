package cli_test

import (
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var consolePattern = regexp.MustCompile(`console="?(https?://127\.0\.0\.1:\d+/-/console/)`)

// page returns what an address answers.
func page(t *testing.T, url string, headers ...string) (status int, header http.Header) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	a, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close()
	return a.StatusCode, a.Header
}

// dev and serve have a console on an address of its own, which they print. Two at once
// have two: the default gives way, an address that was asked for does not.
func TestConsoleAddress(t *testing.T) {
	var urls []string
	var all []*running
	for _, args := range [][]string{{"dev"}, {"dev"}, {"serve", "--data", t.TempDir()}} {
		r := serve(t, nil, args...)
		found := consolePattern.FindStringSubmatch(r.log.String())
		if found == nil || !strings.Contains(r.text, found[1]) {
			t.Fatalf("%v prints\n%s\nand logs\n%s", args, r.text, r.log)
		}
		for _, other := range urls {
			if other == found[1] {
				t.Errorf("two servers have their console at %s", other)
			}
		}
		urls = append(urls, found[1])
		if status, header := page(t, found[1]); status != 200 || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", found[1], status, header)
		}
		if status, _ := page(t, strings.TrimSuffix(found[1], "-/console/")); status != 302 {
			t.Errorf("its root: %d", status)
		}
		if status, _ := page(t, r.url+"/-/console/"); status != 404 {
			t.Errorf("the public listener has the page: %d", status)
		}
		all = append(all, r)
	}
	for _, r := range all {
		if code := r.stop(syscall.SIGTERM); code != 0 {
			t.Errorf("it ends with %d", code)
		}
	}
	off := serve(t, nil, "dev", "--console", "off")
	if consolePattern.MatchString(off.log.String()) || !strings.Contains(off.text, "console        off") {
		t.Errorf("with --console off:\n%s\n%s", off.text, off.log)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, row := range []struct {
		code int
		want string
		args []string
	}{
		{1, "address already in use", []string{"dev", "--console", l.Addr().String()}},
		{2, "loopback interface only", []string{"dev", "--console", "0.0.0.0:0"}},
		{2, "loopback interface only", []string{"dev", "--console", ":0"}},
		{1, "not a loopback address", []string{"serve", "--data", filepath.Join(t.TempDir(), "d"), "--console", "0.0.0.0:0"}},
		{1, "listen address", []string{"serve", "--data", filepath.Join(t.TempDir(), "d"), "--console", "here"}},
	} {
		a := postern(t, nil, "", append(row.args, "--listen", "127.0.0.1:0")...)
		if a.code != row.code || !strings.Contains(a.stderr, row.want) {
			t.Errorf("%v: %+v, want %d and %q", row.args, a, row.code, row.want)
		}
	}
}

// A binary that is built without the console has none, and says so to who wants one.
func TestConsoleLeftOut(t *testing.T) {
	program := filepath.Join(t.TempDir(), "postern")
	build := exec.Command("go", "build", "-tags", "noconsole", "-o", program, "postern")
	build.Env = plain("CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := serveProgram(t, program, nil, "dev")
	if consolePattern.MatchString(r.log.String()) {
		t.Errorf("there is a console:\n%s", r.log)
	}
	for _, path := range []string{"/-/console", "/-/console/", "/-/console/app.js", "/-/console/session", "/-/console/api/v4/apps"} {
		if status, _ := page(t, r.url+path, "X-Postern-Console", "1"); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	out, err := exec.Command(program, "dev", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "built without the console") {
		t.Errorf("--console: %v %s", err, out)
	}
}

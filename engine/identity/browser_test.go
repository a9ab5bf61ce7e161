//go:build e2e

package identity

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"postern/engine/clients/install"
)

// A chromium is a running browser, driven by testdata/browser.js.
type chromium struct {
	in    io.Writer
	out   *bufio.Reader
	shots string // directory
	pages int
}

func startChromium(t *testing.T) *chromium {
	t.Helper()
	node := install.Browser(t)
	home := t.TempDir()
	cmd := exec.Command(node.Program, filepath.Join("testdata", "browser.js"))
	cmd.Env = append(install.Environment(), "NODE_PATH="+node.Modules, "HOME="+home, "TMPDIR="+home)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // ends it
		if err := cmd.Wait(); err != nil {
			t.Errorf("the browser: %v\n%s", err, complaints.String())
		}
	})
	shots := os.Getenv("POSTERN_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	return &chromium{in: in, out: bufio.NewReader(out), shots: shots}
}

// try gives the browser an order and takes its answer.
func (c *chromium) try(order map[string]any, value any) error {
	text, err := json.Marshal(order)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.in, "%s\n", text); err != nil {
		return err
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the browser has ended: %w", err)
	}
	answer := struct {
		OK    bool
		Error string
		Value json.RawMessage
	}{}
	if err := json.Unmarshal(line, &answer); err != nil {
		return err
	}
	if !answer.OK {
		return fmt.Errorf("%v: %s", order["do"], answer.Error)
	}
	if value == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, value)
}

// A browser is one of somebody's: it has cookies of its own and one page.
type browser struct {
	t  *testing.T
	c  *chromium
	id string
}

// An answer is how a page came.
type answer struct {
	Status  int
	Headers map[string]string
}

// A look is how a browser shows pages. The zero value is a usual one.
type look struct {
	width    int // pixels; 0: 800
	noScript bool
	dark     bool
	network  string // "": one that nobody has come from yet; there is a proxy in front of a server
}

// browser opens one.
func (c *chromium) browser(t *testing.T, l look) *browser {
	t.Helper()
	c.pages++
	b := &browser{t: t, c: c, id: fmt.Sprint(c.pages)}
	if l.width == 0 {
		l.width = 800
	}
	if l.network == "" {
		l.network = network()
	}
	b.do(map[string]any{"do": "open", "width": l.width, "height": 640, "script": !l.noScript, "dark": l.dark,
		"headers": map[string]string{"X-Forwarded-For": l.network}}, nil)
	return b
}

func (b *browser) do(order map[string]any, value any) {
	b.t.Helper()
	order["id"] = b.id
	if err := b.c.try(order, value); err != nil {
		var at, text string
		_ = b.c.try(map[string]any{"do": "at", "id": b.id}, &at)
		_ = b.c.try(map[string]any{"do": "text", "id": b.id, "at": "body"}, &text)
		b.t.Fatalf("%v\nat %s:\n%s", err, at, text)
	}
}

func (b *browser) close() { b.do(map[string]any{"do": "close"}, nil) }

func (b *browser) open(url string) (a answer) {
	b.t.Helper()
	b.do(map[string]any{"do": "goto", "url": url}, &a)
	return a
}

func (b *browser) fill(at, text string) {
	b.t.Helper()
	b.do(map[string]any{"do": "fill", "at": at, "text": text}, nil)
}

// keys types a text wherever the cursor is.
func (b *browser) keys(text string) {
	b.t.Helper()
	b.do(map[string]any{"do": "type", "text": text}, nil)
}

// key presses one that leads to no other page.
func (b *browser) key(name string) {
	b.t.Helper()
	b.do(map[string]any{"do": "key", "key": name}, nil)
}

// press presses a key, and returns the page that comes of it.
func (b *browser) press(key string) (a answer) {
	b.t.Helper()
	b.do(map[string]any{"do": "press", "key": key}, &a)
	return a
}

func (b *browser) click(at string) (a answer) {
	b.t.Helper()
	b.do(map[string]any{"do": "click", "at": at}, &a)
	return a
}

// reach clicks at a place, and waits until the browser asks for an address that begins
// with url, though nobody answers.
func (b *browser) reach(at, url string) {
	b.t.Helper()
	b.do(map[string]any{"do": "reach", "at": at, "url": url}, nil)
}

// wait waits until the browser is at an address that begins with url.
func (b *browser) wait(url string) {
	b.t.Helper()
	b.do(map[string]any{"do": "wait", "url": url}, nil)
}

// see waits until there is something at a place.
func (b *browser) see(at string) {
	b.t.Helper()
	b.do(map[string]any{"do": "see", "at": at}, nil)
}

func (b *browser) at() (url string) {
	b.t.Helper()
	b.do(map[string]any{"do": "at"}, &url)
	return url
}

func (b *browser) text(at string) (text string) {
	b.t.Helper()
	b.do(map[string]any{"do": "text", "at": at}, &text)
	return text
}

func (b *browser) value(at string) (text string) {
	b.t.Helper()
	b.do(map[string]any{"do": "value", "at": at}, &text)
	return text
}

func (b *browser) evaluate(code string, value any) {
	b.t.Helper()
	b.do(map[string]any{"do": "evaluate", "code": code}, value)
}

// told is what the page has asked for, and what the browser complains of.
func (b *browser) told() (asked, complaints []string) {
	b.t.Helper()
	var told struct{ Asked, Complaints []string }
	b.do(map[string]any{"do": "told"}, &told)
	return told.Asked, told.Complaints
}

// shot takes a picture for whoever wants to look at it.
func (b *browser) shot(name string) {
	b.t.Helper()
	b.do(map[string]any{"do": "shot", "path": filepath.Join(b.c.shots, name+".png")}, nil)
}

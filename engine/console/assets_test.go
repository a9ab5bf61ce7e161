package console

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"postern/engine/clients/install"
)

const (
	maxBytes = 400 << 10 // of all files, as they are sent
	maxLines = 500       // of one
)

// forbidden is what no file of the page has: ways from text to code or to markup,
// what the policy would not run, and addresses elsewhere.
var forbidden = []struct{ what, pattern string }{
	{"text that becomes markup", `(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|createContextualFragment|setHTML|parseHTML|DOMPurify|<template`},
	{"text that becomes code", `\beval\b|\bFunction\s*\(|set(Timeout|Interval)\s*\(\s*['"` + "`" + `]|(?i)javascript:|\bimport\s*\(\s*[^'")\s]`},
	{"a style that the policy forbids", `(?i)\sstyle\s*=\s*["']|setAttribute\(\s*['"]style|<style`},
	{"code in markup", `(?i)\son[a-z]+\s*=\s*["'][^"']|<script(\s+type="?module"?|\s+src="[^"]*")*\s*>[^<]|setAttribute\(\s*['"]on`},
	{"an address elsewhere", `(?i)(https?|wss?|ftp):?//|url\(\s*["']?(https?:|//)|(src|href)\s*=\s*["']//|@import`},
	{"storage that outlives the session", `\b(localStorage|indexedDB|document\.cookie|serviceWorker)\b`},
}

// harmless is what looks forbidden and is not: names of namespaces, which nobody asks
// for, and examples of addresses to type.
var harmless = regexp.MustCompile(`http://www\.w3\.org/(2000/svg|1999/xlink)|https://[a-z]+\.example\.org`)

// faults says what is wrong with the files of a page.
func faults(t *testing.T, files fs.FS) (wrong []string) {
	t.Helper()
	total := 0
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		total += len(text)
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			wrong = append(wrong, name+" has too many lines")
		}
		text = harmless.ReplaceAll(text, nil)
		for _, f := range forbidden {
			if found := regexp.MustCompile(f.pattern).Find(text); found != nil {
				wrong = append(wrong, name+": "+f.what+": "+string(found))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > maxBytes {
		wrong = append(wrong, "the page is too large")
	}
	return wrong
}

func TestAssets(t *testing.T) {
	total := 0
	for _, name := range []string{"index.html", "style.css", "app.js"} {
		text, err := fs.ReadFile(Files(), name)
		if err != nil || len(text) == 0 {
			t.Errorf("%s: %v, %d bytes", name, err, len(text))
		}
	}
	for _, wrong := range faults(t, Files()) {
		t.Error(wrong)
	}
	names, err := fs.Glob(Files(), "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		total += len(text)
	}
	t.Logf("figure: the console's page: %d files, %d KiB", len(names), total>>10)
}

// What the search above finds, and what it lets be.
func TestAssetFaults(t *testing.T) {
	for _, text := range []string{
		"el.innerHTML = x", "el.outerHTML", "el.insertAdjacentHTML('x')", "document.write(x)", "frame.srcdoc = x", "new DOMParser()",
		"range.createContextualFragment(x)", "eval(x)", "new Function(x)", "setTimeout('x()', 1)", "a.href = 'javascript:x'", "import(name)",
		`<p style="color: red">`, "el.setAttribute('style', x)", "<style>", `<a onclick="x()">`, "<script>x</script>", "el.setAttribute('onclick', x)",
		"fetch('https://example.com')", "//cdn", "new WebSocket('ws://x')", `src="//x"`, "@import 'x'", "localStorage.token = x",
	} {
		if got := faults(t, fstest.MapFS{"x.js": {Data: []byte(text)}}); (len(got) == 0) != (text == "//cdn") {
			t.Errorf("%q: %q", text, got)
		}
	}
	for _, text := range []string{
		"el.textContent = x", "const svg = 'http://www.w3.org/2000/svg'", "import('./data.js')", "el.style.width = x", "setTimeout(f, 1)",
		"h('button', { onclick: () => 1 })", `<script type="module" src="/-/console/app.js"></script>`, "// see https", "functional (x)",
	} {
		if got := faults(t, fstest.MapFS{"x.js": {Data: []byte(text)}}); len(got) != 0 {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := faults(t, fstest.MapFS{"x.js": {Data: bytes.Repeat([]byte("x\n"), maxLines+1)}}); len(got) != 1 {
		t.Errorf("a long file: %q", got)
	}
	if got := faults(t, fstest.MapFS{"x.js": {Data: make([]byte, maxBytes+1)}}); len(got) != 1 {
		t.Errorf("a large page: %q", got)
	}
}

// packages are what the tests of the page use from npm.
func packages(t *testing.T) install.Node {
	t.Helper()
	return install.NPM(t, "console", os.DirFS("testdata"), func(n install.Node) bool {
		for name, version := range map[string]string{"typescript": "5.9.3", "axe-core": "4.14.1"} {
			b, err := os.ReadFile(filepath.Join(n.Modules, name, "package.json"))
			if err != nil || !regexp.MustCompile(`"version": "`+regexp.QuoteMeta(version)+`"`).Match(b) {
				return false
			}
		}
		return true
	})
}

// compile checks the types of JavaScript files as strictly as there is.
func compile(t *testing.T, n install.Node, names ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), n.Program, append([]string{
		filepath.Join(n.Modules, "typescript", "bin", "tsc"), "--noEmit", "--allowJs", "--checkJs", "--strict", "--noImplicitReturns", "--noFallthroughCasesInSwitch",
		"--target", "es2023", "--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2023,dom,dom.iterable",
	}, names...)...)
	cmd.Env = install.Environment()
	return cmd.CombinedOutput()
}

func TestTypes(t *testing.T) {
	node := packages(t)
	names, err := filepath.Glob("*.js")
	if err != nil || len(names) == 0 {
		t.Fatal("no scripts:", err)
	}
	for _, name := range names { // so that the test tool sees them
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := compile(t, node, names...); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.js")
	if err := os.WriteFile(wrong, []byte("/** @param {string} s */\nexport const f = (s) => s.length;\nf(1);\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := compile(t, node, wrong); err == nil || !bytes.Contains(out, []byte("TS2345")) {
		t.Errorf("tsc does not see a wrong type: %v\n%s", err, out)
	}
}

// A build without the page has no route to it, and none of its files.
func TestLeftOut(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "postern")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "noconsole", "-o", binary, "postern").CombinedOutput(); err != nil {
		t.Fatalf("go build -tags noconsole: %v\n%s", err, out)
	}
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	page, err := fs.ReadFile(Files(), "app.js")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, page) {
		t.Error("the page is in a binary that was built without it")
	}
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--console", "127.0.0.1:0", "--data", t.TempDir())
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // nothing of ours, whose settings begin with POSTERN_
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("without the console")) {
		t.Errorf("serve --console of a build without it: %v\n%s", err, out)
	}
}

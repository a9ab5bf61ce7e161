package cli_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// importer is a development server and a directory for files to import.
type importer struct {
	*running
	data, files string
}

func newImporter(t *testing.T) *importer {
	t.Helper()
	i := &importer{data: filepath.Join(t.TempDir(), "data"), files: t.TempDir()}
	i.running = serve(t, nil, "dev", "--data", i.data)
	return i
}

func (i *importer) file(name, text string) string {
	i.t.Helper()
	path := filepath.Join(i.files, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
	return path
}

// run imports into a collection and checks the exit code and what is printed.
func (i *importer) run(code int, want, collection, stdin string, args ...string) result {
	i.t.Helper()
	a := postern(i.t, nil, stdin, append([]string{"import", "--data", i.data, "--app", devKey, "--collection", collection}, args...)...)
	if a.code != code || !strings.Contains(a.out+a.stderr, want) {
		i.t.Errorf("import %v: exit code %d, want %d and %q in\n%s%s", args, a.code, code, want, a.out, a.stderr)
	}
	return a
}

// count returns how many entities of a collection somebody sees.
func (i *importer) count(collection, name, password string) int {
	i.t.Helper()
	status, body := i.get("GET", "/appdata/"+devKey+"/"+collection+"/_count", name, password, "")
	var v struct{ Count int }
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != 200 {
		i.t.Fatalf("count of %s: %d %s", collection, status, body)
	}
	return v.Count
}

func (i *importer) wantCount(n int, collection, name, password string) {
	i.t.Helper()
	if got := i.count(collection, name, password); got != n {
		i.t.Errorf("%s sees %d entities of %s, want %d", name, got, collection, n)
	}
}

// entities are n lines that belong to an owner; the text of each is long.
func entities(n, long int, owner string) string {
	var b strings.Builder
	pad := strings.Repeat("x", long)
	for i := range n {
		fmt.Fprintf(&b, `{"_id":"e%d","text":%q,"_acl":{"creator":%q}}`+"\n", i, pad, owner)
	}
	return b.String()
}

// A file comes plain, gzipped under any name, or through standard input, into
// a collection that is made with its level, and its owners and nobody else see
// it.
func TestImport(t *testing.T) {
	i := newImporter(t)
	var alice struct {
		ID string `json:"_id"`
	}
	_, me := i.get("GET", "/user/"+devKey+"/_me", "alice", "alice", "")
	if err := json.Unmarshal([]byte(me), &alice); err != nil || alice.ID == "" {
		t.Fatal(me)
	}
	text := entities(3000, 100, alice.ID)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"plain": text, "zipped": zipped.String()} {
		i.run(0, "imported 3000, replaced 0, skipped 0, bad 0 in ", name, "", "--level", "private", i.file(name, file))
		i.run(0, "imported 3000, replaced 0, skipped 0, bad 0 in ", name+"_in", file, "--level", "private", "-")
		for _, collection := range []string{name, name + "_in"} {
			i.wantCount(3000, collection, devKey, devMaster)
			i.wantCount(3000, collection, "alice", "alice")
			i.wantCount(0, collection, "bob", "bob")
			if status, body := i.get("GET", "/appdata/"+devKey+"/"+collection+"/e7", "bob", "bob", ""); status != 401 {
				t.Errorf("bob reads alice's: %d %s", status, body)
			}
		}
	}
	// Of a file that ends too soon nothing is taken for a line that is torn.
	i.run(1, "unexpected EOF; lines 1 to 0 are done", "torn", "", i.file("torn", zipped.String()[:zipped.Len()/2]))
	i.wantCount(0, "torn", devKey, devMaster)
	plain := filepath.Join(i.files, "plain")
	i.run(10, "imported 0, replaced 0, skipped 0, bad 3000", "plain", "", plain)
	i.run(0, "imported 0, replaced 0, skipped 3000, bad 0", "plain", "", "--on-duplicate", "skip", plain)
	i.run(0, "imported 0, replaced 3000, skipped 0, bad 0", "plain", "", "--on-duplicate", "replace", "--level", "append-only", plain)
	i.run(1, "exists with the level", "plain", "", "--level", "full", plain)
	i.run(0, "imported 0, replaced 0, skipped 0, bad 0", "nothing", "", i.file("empty", ""))
	i.stop(os.Interrupt)
	i.run(1, "no server runs", "plain", "", plain)
}

// Bad lines are printed with file, line and reason, the first hundred of them,
// in the order of the file.
func TestImportPrintsBadLines(t *testing.T) {
	i := newImporter(t)
	long := `{"text":"` + strings.Repeat("x", 5<<20) + `"}`
	file := i.file("f", `{"_id":"a"}`+"\n\n{\n"+long+"\n"+`{"_id":"a"}`+"\n"+`{"_id":"b"}`+"\n"+long+"\n[]")
	a := i.run(10, "imported 2, replaced 0, skipped 0, bad 5", "bad", "", file)
	var got []string
	for line := range strings.Lines(a.stderr) {
		if rest, ok := strings.CutPrefix(line, file+":"); ok {
			got = append(got, rest)
		}
	}
	want := []string{"3: not JSON", "4: a line has at most", "5: An entity with that _id", "7: a line has at most", "8: every line must be"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for n := range want {
		if !strings.HasPrefix(got[n], want[n]) {
			t.Errorf("%q, want %q", got[n], want[n])
		}
	}
	// Some in the first batch and some in a later one.
	a = i.run(10, "and 50 more bad lines", "many", strings.Repeat("{\n", 60)+entities(20_000, 400, "u")+strings.Repeat("{\n", 90), "-")
	if n := strings.Count("\n"+a.stderr, "\n-:"); n != 100 || !strings.Contains(a.stderr, "\n-:20100: not JSON") {
		t.Errorf("%d lines in\n%s", n, a.stderr)
	}
	if a := i.run(1, "lines 1 to 0 are done", "bad", "\x1f\x8bnot gzip", "-"); !strings.Contains(a.stderr, "reading -") {
		t.Errorf("%+v", a)
	}
}

// With --strict a bad line means that nothing happens at all.
func TestImportStrict(t *testing.T) {
	i := newImporter(t)
	good := entities(20_000, 400, "u") // two batches and more
	bad := i.file("bad", good+"{")
	a := i.run(10, "nothing was imported: 1 of 20001 lines are bad", "box", "", "--strict", bad)
	if !strings.Contains(a.stderr, bad+":20001: not JSON") {
		t.Errorf("the line is not told by its number in the file: %s", a.stderr)
	}
	if a := postern(t, nil, "", "collection", "list", devKey, "--data", i.data); strings.Contains(a.out, `"box"`) {
		t.Errorf("the collection was made: %s", a.out)
	}
	i.run(0, "imported 20000,", "box", "", "--strict", i.file("good", good))
	i.run(10, "nothing was imported: 20000 of 20000 lines are bad", "box", "", "--strict", i.file("good", good))
	i.run(0, "imported 0, replaced 0, skipped 20000, bad 0", "box", "", "--strict", "--on-duplicate", "skip", i.file("good", good))
	// What shows only on the way ends the import with its batch.
	a = i.run(10, "what follows is left out", "twice", "", "--strict", i.file("twice", `{"_id":"e0"}`+"\n"+good))
	if n := i.count("twice", devKey, devMaster); n == 0 || n >= 20_000 || !strings.Contains(a.out, fmt.Sprintf("imported %d,", n)) {
		t.Errorf("%d entities are there after\n%s", n, a.out)
	}
	i.run(2, "reads the file twice", "box", good, "--strict", "-")
}

func TestImportUsage(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"import"},
		{"import", "f"},
		{"import", "--app", "a", "f"},
		{"import", "--collection", "c", "f"},
		{"import", "--app", "a", "--collection", "c"},
		{"import", "--app", "a", "--collection", "c", "--level", "x", "f"},
		{"import", "--app", "a", "--collection", "c", "--on-duplicate", "x", "f"},
	} {
		if a := postern(t, nil, "", append(args, "--data", dir)...); a.code != 2 {
			t.Errorf("%v: %+v", args, a)
		}
	}
	i := newImporter(t)
	i.run(1, "no such file", "c", "", filepath.Join(i.files, "none"))
	i.run(1, "IndirectCollectionAccessDisallowed", "group", "{}", "-")
	i.run(0, "imported 1", "c", "{}", "-")
	if a := postern(t, nil, "{}", "import", "--data", i.data, "--app", "kid_none", "--collection", "c", "-"); a.code != 1 || !strings.Contains(a.stderr, "AppNotFound") {
		t.Errorf("%+v", a)
	}
}

// underway is an import whose file comes through a pipe and does not end.
type underway struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr bytes.Buffer
	out    bytes.Buffer
}

// begin starts an import, feeds it with lines and returns when the first of
// them are there.
func (i *importer) begin(text string) *underway {
	i.t.Helper()
	u := &underway{cmd: exec.Command(binary(i.t), "import", "--data", i.data, "--app", devKey, "--collection", "box", "--on-duplicate", "skip", "-")}
	u.cmd.Env, u.cmd.Stderr, u.cmd.Stdout = plain(), &u.stderr, &u.out
	in, err := u.cmd.StdinPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	u.in = in
	if err := u.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { _ = u.cmd.Process.Kill(); _ = u.cmd.Wait() })
	go func() {
		w := bufio.NewWriterSize(in, 1<<20)
		_, _ = w.WriteString(text)
		_ = w.Flush()
	}()
	deadline := time.After(30 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for i.count("box", devKey, devMaster) == 0 {
		select {
		case <-look.C:
		case <-deadline:
			i.t.Fatal("nothing is imported")
		}
	}
	return u
}

// An import that is interrupted says how far it got, and just that is there.
func TestImportInterrupted(t *testing.T) {
	i := newImporter(t)
	text := entities(30_000, 400, "u") // three batches, and the pipe stays open
	u := i.begin(text)
	if err := u.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = u.cmd.Wait()
	m := regexp.MustCompile(`interrupted; lines 1 to (\d+) are done`).FindStringSubmatch(u.stderr.String())
	if u.cmd.ProcessState.ExitCode() != 1 || m == nil {
		t.Fatalf("exit code %d: %s", u.cmd.ProcessState.ExitCode(), u.stderr.String())
	}
	n, _ := strconv.Atoi(m[1])
	if n == 0 || n == 30_000 || !strings.Contains(u.out.String(), fmt.Sprintf("imported %d, ", n)) {
		t.Errorf("%d lines are done, and %s", n, u.out.String())
	}
	i.wantCount(n, "box", devKey, devMaster)
	i.run(0, fmt.Sprintf("imported %d, replaced 0, skipped %d, bad 0", 30_000-n, n), "box", text, "--on-duplicate", "skip", "-")
}

// Whichever side dies in the middle, the same import again makes the set whole.
func TestImportKilled(t *testing.T) {
	for _, who := range []string{"client", "server"} {
		t.Run(who, func(t *testing.T) {
			i := newImporter(t)
			text := entities(30_000, 400, "u")
			u := i.begin(text)
			before := i.count("box", devKey, devMaster)
			if who == "client" {
				_ = u.cmd.Process.Kill()
				_ = u.cmd.Wait()
			} else {
				_ = i.cmd.Process.Kill()
				<-i.over
				_ = i.cmd.Wait()
				_ = u.cmd.Wait()
				if u.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(u.stderr.String(), "are done") {
					t.Errorf("exit code %d: %s", u.cmd.ProcessState.ExitCode(), u.stderr.String())
				}
				i.running = serve(t, nil, "dev", "--data", i.data)
				if now := i.count("box", devKey, devMaster); now < before {
					t.Errorf("%d entities are there, %d were", now, before)
				}
			}
			a := i.run(0, "replaced 0, ", "box", text, "--on-duplicate", "skip", "-")
			m := regexp.MustCompile(`imported (\d+), replaced 0, skipped (\d+), bad 0`).FindStringSubmatch(a.out)
			if m == nil {
				t.Fatal(a.out)
			}
			imported, _ := strconv.Atoi(m[1])
			skipped, _ := strconv.Atoi(m[2])
			if imported+skipped != 30_000 || skipped < before {
				t.Errorf("%d imported, %d skipped; %d had been there", imported, skipped, before)
			}
			i.wantCount(30_000, "box", devKey, devMaster)
			i.run(0, fmt.Sprintf("skipped %d,", 30_000), "box", text, "--on-duplicate", "skip", "-")
			if a := postern(t, nil, "", "check", "--data", i.data); a.code != 0 {
				t.Errorf("check: %+v", a)
			}
		})
	}
}

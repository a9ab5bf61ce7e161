package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"postern/engine/store"
)

// unaudited are the intents that need no line of the audit, and why.
var unaudited = map[string]string{
	"checkpoint":       "reads",
	"mark":             "reads",
	"rebase":           "puts an index in the place of another",
	"replaceBase":      "puts a base in the place of another that holds the same",
	"wipe":             "removes rows of what was dropped; that it was dropped was told then",
	"touchSession":     "when a session was last used",
	"touchConsole":     "when a session was last used",
	"trimHistory":      "forgets changes that are too old to be asked for",
	"trimRegroups":     "forgets changes that are too old to be asked for",
	"settleMail":       "what became of a mail that was to be sent",
	"askMail":          "a mail that is to be sent; what its link does is told when it is used (redeem)",
	"issueLink":        "the link of a mail; what it does is told when it is used (redeem)",
	"importRole":       "a part of importConfig, whose rows are looked at as a whole",
	"importGroup":      "a part of importConfig, whose rows are looked at as a whole",
	"importCollection": "a part of importConfig, whose rows are looked at as a whole",
}

// sources are the package's files, parsed.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatal("no source:", err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// Every intent says who asked for it, or stands above with the reason why it need not.
func TestEveryIntentIsAudited(t *testing.T) {
	planned, told := map[string]bool{}, map[string]bool{}
	for _, f := range sources(t) {
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || len(fn.Type.Params.List) > 1 {
				continue
			}
			star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue
			}
			name := star.X.(*ast.Ident).Name
			switch fn.Name.Name {
			case "plan":
				if len(fn.Type.Params.List) == 1 {
					if p, ok := fn.Type.Params.List[0].Type.(*ast.StarExpr); ok && p.X.(*ast.Ident).Name == "draft" {
						planned[name] = true
					}
				}
			case "audit", "notes":
				told[name] = true
			}
		}
	}
	if len(planned) < 40 {
		t.Fatalf("only %d intents found: %v", len(planned), planned)
	}
	for name := range planned {
		if _, excused := unaudited[name]; excused == told[name] {
			t.Errorf("intent %s: audited %t, in the list of those that need not be %t", name, told[name], excused)
		}
	}
	for name := range unaudited {
		if !planned[name] {
			t.Errorf("there is no intent %s", name)
		}
	}
}

// Every table is known to the audit: it tells of its rows, or says that they are none
// of its business. (A row of any other is told of without its contents.)
func TestEveryTableIsKnownToTheAudit(t *testing.T) {
	rows, err := os.ReadFile("rows.go")
	if err != nil {
		t.Fatal(err)
	}
	var audit string
	for _, name := range []string{"audit_changes.go", "audit_system.go"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		audit += string(b)
	}
	tables := regexp.MustCompile(`(?m)^\t(table\w+) +store\.Table += \d+`).FindAllStringSubmatch(string(rows), -1)
	if len(tables) < 20 {
		t.Fatalf("only %d tables found", len(tables))
	}
	for _, m := range tables {
		if !regexp.MustCompile(`case [^:]*\b` + m[1] + `\b[^:]*:`).MatchString(audit) {
			t.Errorf("the audit does not know %s", m[1])
		}
	}
	// A table of tomorrow: told, and nothing of what is in it.
	b := newCommitBench(t, store.NewMemory())
	w := &auditChanges{d: newDraft(b.e)}
	w.take([]store.Op{{Key: store.Key{App: b.a.number, Table: 99, ID: "x"}, Value: []byte("secret")}})
	if lines := w.lines(&wipe{}); len(lines) != 1 || lines[0].Act != "change" || strings.Contains(string(lines[0].After), "secret") {
		t.Errorf("a row of an unknown table: %+v", lines)
	}
	b.e.gate.pending.Store(nil)
}

// readAudit returns the records of an engine's audit, oldest first.
func readAudit(t testing.TB, e *Engine) []auditRecord {
	t.Helper()
	view, err := e.driver.View()
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	var all []auditRecord
	err = view.Scan(store.OfTable(0, tableAudit), func(row store.Row) error {
		rec, err := decodeRow[auditRecord](row.Value)
		if err == nil {
			all = append(all, *rec)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What one intent makes of the audit is bounded, and so is what does not fit: an
// intent of many changes is still one record of the store.
func TestAuditOfManyChangesIsBounded(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	long := strings.Repeat("<", 200) // six bytes each in JSON
	var list []string
	for i := range 2000 {
		list = append(list, `"`+long+string(rune('a'+i%26))+time.Duration(i).String()+`"`)
	}
	grants := `{"r":[` + strings.Join(list, ",") + `]}`
	b.must(b.a, b.create(b.alice, "e", "1", ""))
	before := b.driver.count()
	b.must(b.a, b.write(b.alice, "e", "2", grants))
	all := readAudit(t, b.e)
	last := all[len(all)-1]
	if last.Act != actACL || last.Item != "e" || !strings.Contains(string(last.After), `"sha256"`) || len(last.After) > 200 {
		t.Errorf("the record of a large _acl: %s %s %.300s", last.Act, last.Item, last.After)
	}
	if n := b.driver.count() - before; n != 1 {
		t.Errorf("%d records of the store, want 1", n)
	}
	// Many of them in one intent: one line, as far as there is room.
	var ops []store.Op
	for i := range 300 {
		id := "m" + time.Duration(i).String()
		b.must(b.a, b.create(b.alice, id, "1", ""))
		d := newDraft(b.e)
		made, err := b.write(b.alice, id, "2", `{"r":["`+long+`"]}`).plan(d)
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, made...)
	}
	b.must(b.a, &manyRows{ops})
	all = readAudit(t, b.e)
	last = all[len(all)-1]
	if last.Count != 300 || last.Item != "" || last.Collection != "box" || len(last.After) > maxAuditSide || len(last.After) < 1000 {
		t.Errorf("300 changed at once: %d %q %q %.200s", last.Count, last.Collection, last.Item, last.After)
	}
	b.check()
}

type manyRows struct{ ops []store.Op }

func (in *manyRows) plan(*draft) ([]store.Op, error) { return in.ops, nil }

// The pauses between samples: the first is told at once, a flood costs few, and after
// a quiet time the first is told at once again.
func TestSamplesAreFew(t *testing.T) {
	var s sampler
	const second = int64(1000)
	told, now := 0, int64(1_000_000)
	if !s.turn(now) || s.turn(now) || s.turn(now+second-1) {
		t.Error("the first is told, the next ones of its second are not")
	}
	for end := now + 24*3600*second; now < end; now += second / 10 {
		if s.turn(now) {
			told++
		}
	}
	if told < 24*3600/256 || told > 24*3600/256+sampleDoubles {
		t.Errorf("a day of ten in a second is told of %d times", told)
	}
	now += 2 * (256 * second)
	if !s.turn(now) || s.turn(now) || !s.turn(now+2*second) {
		t.Error("after a quiet time the first is told, and the pause is short again")
	}
}

// A request never waits for the audit: what has no room is dropped, and counted later.
func TestSamplesAreDropped(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	b.e.auditor.stop()
	b.e.auditor = newAuditor(b.e) // nobody takes anything
	was := len(readAudit(t, b.e))
	r := &Request{ctx: new(fasthttp.RequestCtx), e: b.e, route: &mounted{route: route{method: "GET", path: "/x"}}}
	for i := range sampleQueue + 10 {
		r.e.samples[sampleDenied].due.Store(0) // always due
		b.e.sample(sampleDenied, r, func(*Request) auditLine { return auditLine{actor: byServer, Act: time.Duration(i).String()} })
	}
	if n := b.e.metrics.auditDropped.Get(); n != 10 {
		t.Errorf("%d dropped, want 10", n)
	}
	if n := b.e.metrics.sampled[sampleDenied].Get(); n != sampleQueue+10 {
		t.Errorf("%d counted, want %d", n, sampleQueue+10)
	}
	b.e.auditor.start()
	b.e.auditor.stop()
	sum := int64(0)
	for _, rec := range readAudit(t, b.e)[was:] {
		if rec.Kind != kindDenied {
			t.Errorf("kind %s", rec.Kind)
		}
		sum += rec.Count
	}
	if sum != sampleQueue+10 {
		t.Errorf("the audit counts %d, want %d", sum, sampleQueue+10)
	}
	b.e.auditor = newAuditor(b.e)
	b.e.auditor.start()
}

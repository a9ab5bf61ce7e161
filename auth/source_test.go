package auth

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// P2: no secret is compared by anything that stops at the first difference. Map lookups
// by digest are allowed: who can choose a SHA-256 prefix learns nothing about another.
func TestNoEarlyExitComparesOfSecrets(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	constantTime := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range earlyExits(t, file, string(src)) {
			t.Error(found)
		}
		constantTime += strings.Count(string(src), "subtle.ConstantTimeCompare(")
	}
	if constantTime != 3 {
		t.Errorf("%d constant-time compares, want 3: digests, password tags and codes of authenticators", constantTime)
	}
}

func TestEarlyExitCheckSees(t *testing.T) {
	for _, bad := range []string{
		"d == digest(secret)", "h.tag != tag", "bytes.Equal(a, b)", "string(tag) == string(b)", "Password == x", "stored.token[0] == b[0]",
		"slices.Equal(a, b)", "strings.EqualFold(a, b)", "reflect.DeepEqual(a, b)", "strings.Compare(a, b) == 0", "bytes.HasPrefix(mac, b)", "a.sum == b.x",
	} {
		if earlyExits(t, "bad.go", "package p\nvar _ = "+bad) == nil {
			t.Errorf("the check does not see %s", bad)
		}
	}
	if earlyExits(t, "bad.go", "package p\nfunc f() { switch secret { case x: } }") == nil {
		t.Error("the check does not see a switch")
	}
	for _, good := range []string{`secret == ""`, "len(tag) != tokenChars", "err == nil", "subtle.ConstantTimeCompare(tag, b) == 1"} {
		if found := earlyExits(t, "good.go", "package p\nvar _ = "+good); found != nil {
			t.Errorf("the check refuses %s: %v", good, found)
		}
	}
}

var (
	secretName = regexp.MustCompile(`(?i)secret|password|token|digest|tag|mac|sum|hash|phc|encoded`)
	forbidden  = []string{"bytes.Equal", "bytes.Compare", "bytes.HasPrefix", "slices.Equal", "slices.Compare", "strings.Compare",
		"strings.EqualFold", "reflect.DeepEqual", "cmp.Compare", "maps.Equal"}
)

func earlyExits(t *testing.T, file, src string) (found []string) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	report := func(n ast.Node, what string) {
		found = append(found, fmt.Sprintf("%s: %s", fset.Position(n.Pos()), what))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && !isPlain(n.X) && !isPlain(n.Y) && (namesSecret(n.X) || namesSecret(n.Y)) {
				report(n, "compares what is named like a secret")
			}
		case *ast.SwitchStmt:
			if n.Tag != nil && namesSecret(n.Tag) {
				report(n, "switches on what is named like a secret")
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(forbidden, x.Name+"."+n.Sel.Name) {
				report(n, "uses "+x.Name+"."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}

// isPlain says whether e is nil, a literal or a length.
func isPlain(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "nil"
	case *ast.BasicLit:
		return true
	case *ast.CallExpr:
		return isLen(e)
	}
	return false
}

func isLen(e *ast.CallExpr) bool {
	id, ok := e.Fun.(*ast.Ident)
	return ok && id.Name == "len"
}

// namesSecret looks at every name in e, but not into len(...).
func namesSecret(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if isLen(n) {
				return false
			}
		case *ast.Ident:
			found = found || secretName.MatchString(n.Name)
		}
		return true
	})
	return found
}

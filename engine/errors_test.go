package engine

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Every row of the error table, as clients see it: they branch on the names and
// some compare the sentences. -update writes the file anew; the review reads
// the difference.
func TestErrorTable(t *testing.T) {
	const file = "testdata/errors.txt"
	var b strings.Builder
	for k := range kindCount {
		w := errorTable[k]
		if w.status == 0 || w.name == "" || !strings.HasSuffix(w.description, ".") {
			t.Errorf("kind %d has no whole row: %+v", k, w)
		}
		fmt.Fprintf(&b, "%d %s\n    %s\n", w.status, w.name, w.description)
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != b.String() {
		t.Errorf("the table differs from %s (%v):\n%s", file, err, b.String())
	}
}

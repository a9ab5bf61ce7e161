package query_test

import (
	"testing"

	"postern/engine/query"
)

// The text of a sort is read as the same sort.
func TestSortText(t *testing.T) {
	for _, text := range []string{
		"", "{}", "a", "a.b.0", `{"a":1}`, `{"a":-1,"b":"1"}`, `{"":1}`, `{"-a":true}`, `{"a,b":-1,"\"":1}`, `{"a\\b":1}`, "-a", "_kmd.lmt",
	} {
		s, err := query.ParseSort([]byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := query.ParseSort(s.Text())
		if err != nil || again.Name() != s.Name() {
			t.Errorf("%q has the text %s, which is %q (%v)", text, s.Text(), again.Name(), err)
		}
	}
}

package engine

import (
	"fmt"
	"regexp"
	"testing"

	"postern/engine/query"
)

func TestRequestIDs(t *testing.T) {
	e := new(Engine)
	e.config.defaults()
	e.uuids.e = e
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 10_000 {
		var text [36]byte
		e.uuids.next(&text)
		if id := string(text[:]); !form.MatchString(id) || seen[id] {
			t.Fatalf("%q, seen before: %t", id, seen[id])
		}
		seen[string(text[:])] = true
	}
	if id := string(appendUUID([]byte("id "), [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef})); id != "id 01234567-89ab-4def-8123-456789abcdef" {
		t.Error(id)
	}
}

func TestTimesOfAnswers(t *testing.T) {
	var x times
	for _, ms := range []int64{0, 1, 1, 0, 1767323045123, 1767323045123, -1} {
		if got, want := string(x.text(ms)), string(appendTime(nil, ms)); got != want {
			t.Errorf("%d: %s, want %s", ms, got, want)
		}
	}
}

// Texts that share a place never get each other's value, and none of what is
// known is parsed again.
func TestParsedOnce(t *testing.T) {
	sorts := newParsed[query.Sort]()
	parses := 0
	parse := func(text []byte) (query.Sort, error) {
		parses++
		return query.ParseSort(text)
	}
	for range 2 {
		for i := range 10 * len(sorts.slots) {
			text := fmt.Sprintf("field%d", i)
			if s, err := sorts.get([]byte(text), parse); err != nil || s.Name() != text {
				t.Fatalf("%s: %s, %v", text, s.Name(), err)
			}
		}
	}
	parses = 0
	for range 3 {
		if _, err := sorts.get([]byte("score"), parse); err != nil {
			t.Fatal(err)
		}
	}
	if parses != 1 {
		t.Errorf("parsed %d times", parses)
	}
	for range 2 {
		if _, err := sorts.get([]byte("{"), parse); err == nil {
			t.Error("no error")
		}
	}
}

package document

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
)

// A name is where the name of a member stands in the text, with its quotes,
// and the hash of what it says.
type name struct {
	hash       uint64
	start, end int
}

// seed is of this process, so that nobody can make names that share a hash.
var seed = maphash.MakeSeed()

// fewNames is the number of members up to which comparing every pair of hashes
// is cheaper than sorting them.
const fewNames = 16

// name checks the name that stands at start and end, and remembers it.
func (s *scanner) name(start, end int, escaped bool) error {
	text := s.text[start+1 : end-1]
	if escaped {
		s.scratch = appendText(s.scratch[:0], text)
		text = s.scratch
		// Without an escape there is no NUL: a raw one is not JSON.
		if bytes.IndexByte(text, 0) >= 0 {
			return &RuleError{Pos: start, Msg: "a member's name that holds U+0000"}
		}
	}
	if s.rules.Storable {
		if len(text) > 0 && text[0] == '$' {
			return &RuleError{Pos: start, Msg: "a member's name that starts with '$': " + clip(text), Unstorable: true}
		}
		if bytes.IndexByte(text, '.') >= 0 {
			return &RuleError{Pos: start, Msg: "a member's name that holds a '.': " + clip(text), Unstorable: true}
		}
	}
	s.names = append(s.names, name{maphash.Bytes(seed, text), start, end})
	return nil
}

// distinct returns an error when two of the names say the same. It may change
// their order.
func (s *scanner) distinct(names []name) error {
	if len(names) <= fewNames {
		for i, a := range names {
			for _, b := range names[:i] {
				if a.hash == b.hash && s.same(a, b) {
					return s.duplicate(a)
				}
			}
		}
		return nil
	}
	slices.SortFunc(names, func(a, b name) int {
		if c := cmp.Compare(a.hash, b.hash); c != 0 {
			return c
		}
		return cmp.Compare(a.start, b.start)
	})
	for i, a := range names {
		// Names with one hash stand together; they are one name but for
		// accidents that nobody can arrange.
		for k := i - 1; k >= 0 && names[k].hash == a.hash; k-- {
			if s.same(names[k], a) {
				return s.duplicate(a)
			}
		}
	}
	return nil
}

func (s *scanner) same(a, b name) bool {
	return CompareText(Value{s.text[a.start:a.end]}, Value{s.text[b.start:b.end]}) == 0
}

func (s *scanner) duplicate(second name) error {
	text := appendText(nil, s.text[second.start+1:second.end-1])
	return &RuleError{Pos: second.start, Msg: "a second member named " + clip(text)}
}

// clip quotes a name for an error message, cut to a bearable length.
func clip(text []byte) string {
	const most = 64
	if len(text) <= most {
		return string(AppendQuote(nil, string(text)))
	}
	return string(AppendQuote(nil, string(bytes.ToValidUTF8(text[:most], nil)))) + "..."
}

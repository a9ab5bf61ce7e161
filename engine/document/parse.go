package document

import (
	"sync"
	"unicode/utf8"
)

// Parse checks that b holds exactly one JSON value that keeps the rules, and
// returns a view of it. The error is a *SyntaxError or a *RuleError. The Value
// borrows b. Time is linear in len(b), but for the names of an object with
// many members, which are sorted once.
func Parse(b []byte, r Rules) (Value, error) {
	s := scanners.Get().(*scanner)
	s.text, s.rules = b, r
	v, err := s.document()
	s.release()
	return v, err
}

// A scanner checks one text. Its methods take the offset of what they check
// and return the offset behind it.
type scanner struct {
	text    []byte
	rules   Rules
	names   []name // of the objects that are open, the outermost first
	scratch []byte // one unescaped name
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// maxKeptNames bounds the memory that an unusual text leaves in the pool.
const maxKeptNames = 4096

func (s *scanner) release() {
	if cap(s.names) > maxKeptNames || cap(s.scratch) > maxKeptNames {
		return
	}
	s.text, s.names = nil, s.names[:0]
	scanners.Put(s)
}

func (s *scanner) document() (Value, error) {
	start := s.space(0)
	end, err := s.value(start, 0)
	if err != nil {
		return Value{}, err
	}
	if rest := s.space(end); rest < len(s.text) {
		return Value{}, s.unexpected(rest, "after the value")
	}
	return Value{s.text[start:end]}, nil
}

func (s *scanner) space(i int) int {
	for i < len(s.text) && isSpace(s.text[i]) {
		i++
	}
	return i
}

// value checks one value inside depth objects and arrays.
func (s *scanner) value(i, depth int) (int, error) {
	if i >= len(s.text) {
		return i, s.unexpected(i, "where a value should be")
	}
	switch c := s.text[i]; c {
	case '"':
		end, _, err := s.str(i)
		return end, err
	case '{', '[':
		if depth >= s.rules.Depth {
			return i, &RuleError{Pos: i, Msg: "nested too deeply"}
		}
		if c == '{' {
			return s.object(i+1, depth+1)
		}
		return s.array(i+1, depth+1)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number(i)
	}
	return i, s.unexpected(i, "where a value should be")
}

// object checks the members from i, behind the opening brace.
func (s *scanner) object(i, depth int) (int, error) {
	if i = s.space(i); i < len(s.text) && s.text[i] == '}' {
		return i + 1, nil
	}
	first := len(s.names)
	for {
		if i >= len(s.text) || s.text[i] != '"' {
			return i, s.unexpected(i, "where a member's name should be")
		}
		end, escaped, err := s.str(i)
		if err != nil {
			return end, err
		}
		if len(s.names)-first >= s.rules.Members {
			return i, &RuleError{Pos: i, Msg: "an object with too many members"}
		}
		if err := s.name(i, end, escaped); err != nil {
			return i, err
		}
		if i = s.space(end); i >= len(s.text) || s.text[i] != ':' {
			return i, s.unexpected(i, "where ':' should be")
		}
		if i, err = s.value(s.space(i+1), depth); err != nil {
			return i, err
		}
		if i = s.space(i); i >= len(s.text) {
			return i, s.unexpected(i, "where ',' or '}' should be")
		}
		switch s.text[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			err := s.distinct(s.names[first:])
			s.names = s.names[:first]
			return i + 1, err
		default:
			return i, s.unexpected(i, "where ',' or '}' should be")
		}
	}
}

// array checks the elements from i, behind the opening bracket.
func (s *scanner) array(i, depth int) (int, error) {
	if i = s.space(i); i < len(s.text) && s.text[i] == ']' {
		return i + 1, nil
	}
	for {
		var err error
		if i, err = s.value(i, depth); err != nil {
			return i, err
		}
		if i = s.space(i); i >= len(s.text) {
			return i, s.unexpected(i, "where ',' or ']' should be")
		}
		switch s.text[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1, nil
		default:
			return i, s.unexpected(i, "where ',' or ']' should be")
		}
	}
}

func (s *scanner) word(i int, word string) (int, error) {
	for k := range len(word) {
		if i+k >= len(s.text) || s.text[i+k] != word[k] {
			return i, s.unexpected(i+k, "in "+word)
		}
	}
	return i + len(word), nil
}

func (s *scanner) number(i int) (int, error) {
	start := i
	if s.text[i] == '-' {
		i++
	}
	var err error
	if i < len(s.text) && s.text[i] == '0' {
		i++
	} else if i, err = s.digits(i); err != nil {
		return i, err
	}
	if i < len(s.text) && s.text[i] == '.' {
		if i, err = s.digits(i + 1); err != nil {
			return i, err
		}
	}
	if i < len(s.text) && (s.text[i] == 'e' || s.text[i] == 'E') {
		i++
		if i < len(s.text) && (s.text[i] == '+' || s.text[i] == '-') {
			i++
		}
		if i, err = s.digits(i); err != nil {
			return i, err
		}
	}
	if i-start > s.rules.NumberBytes {
		return i, &RuleError{Pos: start, Msg: "a number with too many digits"}
	}
	return i, nil
}

// digits checks one digit or more.
func (s *scanner) digits(i int) (int, error) {
	if i >= len(s.text) || !isDigit(s.text[i]) {
		return i, s.unexpected(i, "where a digit should be")
	}
	for i < len(s.text) && isDigit(s.text[i]) {
		i++
	}
	return i, nil
}

// plain holds true for the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// str checks the string whose opening quote is at i and says whether it holds
// an escape.
func (s *scanner) str(i int) (end int, escaped bool, err error) {
	start, text := i, s.text
	for i++; i < len(text); {
		c := text[i]
		if plain[c] {
			i++
			continue
		}
		switch {
		case c == '"':
			return i + 1, escaped, nil
		case c == '\\':
			escaped = true
			if i, err = s.escape(i); err != nil {
				return i, escaped, err
			}
		case c < 0x20:
			return i, escaped, &SyntaxError{Pos: i, Msg: "a control character in a string"}
		default:
			r, n := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && n == 1 {
				return i, escaped, &SyntaxError{Pos: i, Msg: "invalid UTF-8"}
			}
			i += n
		}
	}
	return i, escaped, &SyntaxError{Pos: start, Msg: "a string without an end"}
}

// escape checks the escape whose backslash is at i; both halves of a surrogate
// pair at once.
func (s *scanner) escape(i int) (int, error) {
	if i+1 >= len(s.text) {
		return i, s.unexpected(i+1, "in an escape")
	}
	switch s.text[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
	default:
		return i, s.unexpected(i+1, "in an escape")
	}
	for k := i + 2; k < i+6; k++ {
		if k >= len(s.text) || hexDigit(s.text[k]) < 0 {
			return i, s.unexpected(k, "where a hexadecimal digit should be")
		}
	}
	r, n := unescape(s.text[i:])
	if r == utf8.RuneError && isSurrogate(hex4(s.text[i+2:])) {
		return i, &RuleError{Pos: i, Msg: "an escape of half a surrogate pair"}
	}
	return i + n, nil
}

func (s *scanner) unexpected(i int, where string) error {
	if i >= len(s.text) {
		return &SyntaxError{Pos: len(s.text), Msg: "unexpected end of text " + where}
	}
	c := s.text[i]
	if c >= utf8.RuneSelf {
		if r, n := utf8.DecodeRune(s.text[i:]); r == utf8.RuneError && n == 1 {
			return &SyntaxError{Pos: i, Msg: "invalid UTF-8"}
		}
		return &SyntaxError{Pos: i, Msg: "unexpected character " + where}
	}
	if c < 0x20 || c == 0x7f {
		return &SyntaxError{Pos: i, Msg: "unexpected control character " + where}
	}
	return &SyntaxError{Pos: i, Msg: "unexpected '" + string(rune(c)) + "' " + where}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

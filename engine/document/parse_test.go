package document_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/engine/document"
)

func TestParse(t *testing.T) {
	const (
		good = iota
		syntax
		rule
		unstorable
	)
	outcome := func(err error) int {
		var s *document.SyntaxError
		var r *document.RuleError
		switch {
		case err == nil:
			return good
		case errors.As(err, &s):
			return syntax
		case errors.As(err, &r) && r.Unstorable:
			return unstorable
		case errors.As(err, &r):
			return rule
		}
		t.Fatalf("Parse returned an error of another type: %T", err)
		return -1
	}
	pos := func(err error) int {
		var s *document.SyntaxError
		var r *document.RuleError
		if errors.As(err, &s) {
			return s.Pos
		}
		if errors.As(err, &r) {
			return r.Pos
		}
		return -1
	}
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"k` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26) + `":0`)
		}
		return "{" + b.String() + "}"
	}
	for _, c := range []struct {
		name, text string
		want, pos  int
	}{
		{"scalars stand alone", `true`, good, -1},
		{"white space around is allowed", " \t\r\n{ \"a\" : [ 1 , 2 ] }\n", good, -1},
		{"an empty text is not JSON", ``, syntax, 0},
		{"white space alone is not JSON", `  `, syntax, 2},
		{"two values are not one", `{} {}`, syntax, 3},
		{"a byte order mark is refused", "\ufeff{}", syntax, 0},
		{"other white space is refused", "\u00a0{}", syntax, 0},
		{"a comma too many in an object", `{"a":1,}`, syntax, 7},
		{"a comma too many in an array", `[1,]`, syntax, 3},
		{"a comma missing", `[1 2]`, syntax, 3},
		{"a colon missing", `{"a" 1}`, syntax, 5},
		{"a bare name", `{a:1}`, syntax, 1},
		{"single quotes", `{'a':1}`, syntax, 1},
		{"a comment", `/**/{}`, syntax, 0},
		{"an object without an end", `{"a":1`, syntax, 6},
		{"an array without an end", `[1`, syntax, 2},
		{"a string without an end", `{"a":"b`, syntax, 5},
		{"a word cut short", `tru`, syntax, 3},
		{"a word in capitals", `True`, syntax, 0},
		{"a word with a tail", `nullx`, syntax, 4},
		{"NaN", `NaN`, syntax, 0},
		{"Infinity", `-Infinity`, syntax, 1},
		{"a leading zero", `01`, syntax, 1},
		{"a plus sign", `+1`, syntax, 0},
		{"a bare point", `1.`, syntax, 2},
		{"a point in front", `.5`, syntax, 0},
		{"a bare exponent", `1e`, syntax, 2},
		{"a bare sign in the exponent", `1e+`, syntax, 3},
		{"a hexadecimal number", `0x10`, syntax, 1},
		{"numbers", `[0,-0,1,-1,10,0.5,-0.5e10,1E+2,1e-2,9007199254740993]`, good, -1},
		{"a tab in a string", "\"a\tb\"", syntax, 2},
		{"a NUL in a string", "\"a\x00\"", syntax, 2},
		{"DEL is no control character of JSON", "\"a\x7f\"", good, -1},
		{"escapes", `"\"\\\/\b\f\n\r\t\u0041\uD83D\uDE00"`, good, -1},
		{"an unknown escape", `"\x41"`, syntax, 2},
		{"a short escape", `"\u12"`, syntax, 5},
		{"an escape at the end", `"\`, syntax, 2},
		{"J1 invalid UTF-8", "\"a\xff\"", syntax, 2},
		{"J1 an overlong encoding", "\"\xc0\xaf\"", syntax, 1},
		{"J1 an encoded surrogate", "\"\xed\xa0\x80\"", syntax, 1},
		{"J1 a cut encoding", "\"\xe2\x82\"", syntax, 1},
		{"J1 above the last code point", "\"\xf4\x90\x80\x80\"", syntax, 1},
		{"J1 invalid UTF-8 outside of strings", "{\xff}", syntax, 1},
		{"J1 U+FFFD itself is a character", "\"\uFFFD \\uFFFD\"", good, -1},
		{"J2 a high half alone", `"\uD83D"`, rule, 1},
		{"J2 a high half before a letter", `"\uD83Dx"`, rule, 1},
		{"J2 a high half before another", `"\uD83D\uD83D"`, rule, 1},
		{"J2 a high half before another escape", `"\uD83D\u0041"`, rule, 1},
		{"J2 a low half alone", `"a\uDE00"`, rule, 2},
		{"J2 in a name", `{"\uDE00":1}`, rule, 2},
		{"J3 a second member", `{"a":1,"b":2,"a":3}`, rule, 13},
		{"J3 a second member, escaped", `{"a":1,"\u0061":2}`, rule, 7},
		{"J3 a second member behind an escaped one", `{"\u0061":1,"a":2}`, rule, 12},
		{"J3 two escapes of one name", `{"\u00e9":1,"\u00E9":2}`, rule, 12},
		{"J3 a second member, as a surrogate pair", "{\"\U0001F600\":1,\"\\uD83D\\uDE00\":2}", rule, 10},
		{"J3 a second member far inside", `[{"x":{"y":[{"a":1,"a":1}]}}]`, rule, 19},
		{"J3 a second empty name", `{"":1,"":2}`, rule, 6},
		{"J3 case counts", `{"_acl":1,"_ACL":2}`, good, -1},
		{"J3 the same name in another object", `{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}`, good, -1},
		{"J3 a second member among many", strings.Replace(members(500), `"kxxc"`, `"ka"`, 1), rule, 16},
		{"J4 nested as deep as allowed", nest(32), good, -1},
		{"J4 nested too deep", nest(33), rule, 32},
		{"J4 nested far too deep", strings.Repeat(`{"a":`, 1_000_000), rule, 160},
		{"J4 as many members as allowed", members(1000), good, -1},
		{"J4 too many members", members(1001), rule, strings.LastIndex(members(1001), `"k`)},
		{"J4 a number as long as allowed", strings.Repeat("1", 64), good, -1},
		{"J4 a number too long", "[" + strings.Repeat("1", 65) + "]", rule, 1},
		{"J4 a fraction too long", "0." + strings.Repeat("1", 63), rule, 0},
		{"J5 a NUL in a name", `{"a\u0000":1}`, rule, 1},
		{"J5 a NUL in a text is data", `{"a":"\u0000"}`, good, -1},
		{"J6 a name with a dollar", `{"$a":1}`, unstorable, 1},
		{"J6 a name with an escaped dollar", `{"\u0024a":1}`, unstorable, 1},
		{"J6 a name with a dollar inside is good", `{"a$":1}`, good, -1},
		{"J6 a name with a point", `{"x":{"a.b":1}}`, unstorable, 6},
		{"J6 a name with an escaped point", `{"a\u002eb":1}`, unstorable, 1},
		{"J6 dollars and points in a text are data", `{"a":"$b.c"}`, good, -1},
	} {
		v, err := document.Parse([]byte(c.text), document.Body)
		if got := outcome(err); got != c.want || pos(err) != c.pos {
			t.Errorf("%s: Parse(%.60q) = %v (kind of outcome %d, position %d); want kind %d, position %d",
				c.name, c.text, err, got, pos(err), c.want, c.pos)
		}
		if err == nil && string(v.Raw()) != strings.Trim(c.text, " \t\r\n") {
			t.Errorf("%s: Raw() = %q", c.name, v.Raw())
		}
	}
}

func TestParseQueryRulesAllowOperators(t *testing.T) {
	for _, text := range []string{`{"$and":[{"a.b":{"$gt":1}}]}`, `{"":1}`} {
		if _, err := document.Parse([]byte(text), document.Query); err != nil {
			t.Errorf("Parse(%s, Query) = %v; want no error", text, err)
		}
	}
	if _, err := document.Parse([]byte(`{"a\u0000":1}`), document.Query); err == nil {
		t.Error("Parse accepted a NUL in a name of a query")
	}
}

func TestZeroRulesAcceptNoNesting(t *testing.T) {
	for text, want := range map[string]bool{`"a"`: true, `null`: true, `[]`: false, `{}`: false, `1`: false} {
		if _, err := document.Parse([]byte(text), document.Rules{}); (err == nil) != want {
			t.Errorf("Parse(%s, Rules{}) = %v; want accepted: %v", text, err, want)
		}
	}
}

func TestErrorsNameThePositionAndTheMember(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"a":2}`: `refused at byte 7: a second member named "a"`,
		`{"$set":1}`:    `refused at byte 1: a member's name that starts with '$': "$set"`,
		`[1,]`:          `not JSON at byte 3: unexpected ']' where a value should be`,
		`{"a":tru`:      `not JSON at byte 8: unexpected end of text in true`,
		"[\x01]":        `not JSON at byte 1: unexpected control character where a value should be`,
		`{"` + strings.Repeat("é", 40) + `.":1}`: `refused at byte 1: a member's name that holds a '.': "` + strings.Repeat("é", 32) + `"...`,
	} {
		if _, err := document.Parse([]byte(text), document.Body); err == nil || err.Error() != want {
			t.Errorf("Parse(%.40q) = %v; want %s", text, err, want)
		}
	}
}

// Names are compared by hash and sorted: the work must not grow with the
// square of the members. Eight times the members take about eight times the
// time, where comparing each pair would take sixty-four times.
func TestManyMembersAreCheap(t *testing.T) {
	few, many := medianParse(t, 1<<14), medianParse(t, 1<<17)
	if ratio := float64(many) / float64(few); ratio > 32 {
		t.Errorf("eight times the members take %.0f times the time", ratio)
	}
}

// medianParse is the median time that an object of so many members takes.
func medianParse(t *testing.T, members int) time.Duration {
	rules := document.Rules{Depth: 1, Members: 1 << 20, NumberBytes: 64}
	text := []byte{'{'}
	for i := range members {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '"', 'a'+byte(i&15), 'a'+byte(i>>4&15), 'a'+byte(i>>8&15), 'a'+byte(i>>12&15), 'a'+byte(i>>16&15), '"', ':', '1')
	}
	text = append(text, '}')
	took := make([]time.Duration, 7)
	for i := range took {
		start := time.Now()
		if _, err := document.Parse(text, rules); err != nil {
			t.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

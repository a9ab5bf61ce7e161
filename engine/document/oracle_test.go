package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"postern/engine/document"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 takes one from the clock")

func TestMain(m *testing.M) {
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = uint64(time.Now().UnixNano())
	}
	os.Exit(m.Run())
}

// newRand returns a source that the test log names.
func newRand(t *testing.T) *rand.Rand {
	t.Logf("to repeat: -seed=%d", *seedFlag)
	return rand.New(rand.NewPCG(*seedFlag, 0))
}

var (
	stringToken = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	escapeToken = regexp.MustCompile(`(?s)\\u[0-9a-fA-F]{4}|\\.|.`)
)

// halfPair says whether valid JSON has an escape of half a surrogate pair.
func halfPair(text string) bool {
	for _, s := range stringToken.FindAllString(text, -1) {
		high := false
		for _, e := range escapeToken.FindAllString(s, -1) {
			var r int
			if strings.HasPrefix(e, `\u`) {
				fmt.Sscanf(e[2:], "%x", &r)
			}
			low := r >= 0xDC00 && r <= 0xDFFF
			if low != high {
				return true
			}
			high = r >= 0xD800 && r <= 0xDBFF
		}
	}
	return false
}

// broken names a rule that valid JSON breaks, or returns "". It is written
// apart from Parse, on the tokens of encoding/json.
func broken(text []byte, r document.Rules) string {
	if halfPair(string(text)) {
		return "J2"
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return brokenValue(d, r, 0)
}

func brokenValue(d *json.Decoder, r document.Rules, depth int) string {
	token, err := d.Token()
	if err != nil {
		return "token: " + err.Error()
	}
	switch token := token.(type) {
	case json.Number:
		if len(token) > r.NumberBytes {
			return "J4 number"
		}
	case json.Delim:
		if depth++; depth > r.Depth {
			return "J4 depth"
		}
		names := map[string]bool{}
		for d.More() {
			if token == '{' {
				key, _ := d.Token()
				name := key.(string)
				switch {
				case names[name]:
					return "J3"
				case len(names) == r.Members:
					return "J4 members"
				case strings.Contains(name, "\x00"):
					return "J5"
				case r.Storable && (strings.HasPrefix(name, "$") || strings.Contains(name, ".")):
					return "J6"
				}
				names[name] = true
			}
			if b := brokenValue(d, r, depth); b != "" {
				return b
			}
		}
		d.Token()
	}
	return ""
}

// plainValue turns a Value into what encoding/json makes of it with UseNumber.
func plainValue(v document.Value) any {
	switch v.Kind() {
	case document.Null:
		return nil
	case document.Bool:
		return v.Bool()
	case document.Number:
		return json.Number(v.Text())
	case document.String:
		return v.Text()
	case document.Array:
		a := []any{}
		for e := range v.Elements() {
			a = append(a, plainValue(e))
		}
		return a
	case document.Object:
		o := map[string]any{}
		for k, m := range v.Members() {
			o[k.Text()] = plainValue(m)
		}
		return o
	}
	panic("missing")
}

func decode(text []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

// small are rules that random text breaks often.
var small = document.Rules{Depth: 4, Members: 4, NumberBytes: 8, Storable: true}

// checkParse compares Parse with encoding/json and the rules.
func checkParse(t *testing.T, text []byte) (accepted bool) {
	t.Helper()
	for _, r := range []document.Rules{small, document.Body, document.Query} {
		v, err := document.Parse(text, r)
		var syntax *document.SyntaxError
		isSyntax := errors.As(err, &syntax)
		if err != nil && isSyntax && syntax.Pos > len(text) {
			t.Fatalf("Parse(%q): position %d is behind the text", text, syntax.Pos)
		}
		if !json.Valid(text) || !utf8.Valid(text) {
			if err == nil {
				t.Fatalf("Parse(%q, %+v) accepts what is not JSON", text, r)
			}
			continue
		}
		why := broken(text, r)
		switch {
		case err == nil && why != "":
			t.Fatalf("Parse(%q, %+v) accepts what breaks %s", text, r, why)
		case err != nil && why == "":
			t.Fatalf("Parse(%q, %+v) = %v; want it accepted", text, r, err)
		case err != nil && isSyntax:
			t.Fatalf("Parse(%q, %+v) = %v; it is JSON but breaks %s", text, r, err, why)
		case err != nil:
			continue
		}
		accepted = true
		if got, want := plainValue(v), decode(text); !reflect.DeepEqual(got, want) {
			t.Fatalf("Parse(%q) reads %#v; want %#v", text, got, want)
		}
		if !document.Equal(v, document.Trusted(text)) {
			t.Fatalf("Trusted(%q) is not what Parse returns", text)
		}
	}
	return accepted
}

var pieces = []string{
	`"a"`, `"b"`, `"\u0061"`, `"a.b"`, `"$a"`, `"\u0024"`, `"\u0000"`, `"é"`, `"\u00e9"`, `"\uD83D\uDE00"`, "\"\U0001F600\"", `"\uD83D"`, `"\uDE00"`,
	`""`, `"_id"`, `"x\\\"y"`, `"\/\b\f\n\r\t"`, `"ab\\"`,
}

var scalars = []string{`null`, `true`, `false`, `0`, `-0`, `1`, `1.0`, `1e0`, `-12.5e-3`, `9007199254740993`, `123456789`, `1E+9`}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func appendRandom(b []byte, r *rand.Rand, depth int) []byte {
	space := func() {
		if r.IntN(8) == 0 {
			b = append(b, " \t\r\n"[r.IntN(4)])
		}
	}
	space()
	switch k := r.IntN(10); {
	case k < 3 && depth > 0:
		b = append(b, '{')
		for i := range r.IntN(6) {
			if i > 0 {
				b = append(b, ',')
			}
			space()
			if r.IntN(3) == 0 {
				b = append(b, pick(r, pieces)...)
			} else {
				b = append(b, '"', 'c'+byte(r.IntN(20)), '"')
			}
			space()
			b = append(b, ':')
			b = appendRandom(b, r, depth-1)
		}
		b = append(b, '}')
	case k < 6 && depth > 0:
		b = append(b, '[')
		for i := range r.IntN(5) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendRandom(b, r, depth-1)
		}
		b = append(b, ']')
	case k < 8:
		b = append(b, pick(r, pieces)...)
	default:
		b = append(b, pick(r, scalars)...)
	}
	space()
	return b
}

func mutate(b []byte, r *rand.Rand) []byte {
	const alphabet = "{}[]:,\"\\u0123456789eE+-.truefalsn \x00\x1f\xff\xc3\xa9\xed"
	for range 1 + r.IntN(3) {
		if len(b) == 0 {
			return b
		}
		i := r.IntN(len(b))
		switch r.IntN(4) {
		case 0:
			b[i] = alphabet[r.IntN(len(alphabet))]
		case 1:
			b = append(b[:i], b[i+1:]...)
		case 2:
			b = append(b[:i], append([]byte{alphabet[r.IntN(len(alphabet))]}, b[i:]...)...)
		case 3:
			b = b[:i]
		}
	}
	return b
}

func TestParseAgreesWithEncodingJSON(t *testing.T) {
	r := newRand(t)
	rounds := 60_000
	if testing.Short() {
		rounds = 5_000
	}
	accepted := 0
	for i := range rounds {
		text := appendRandom(nil, r, 5)
		if i%2 == 1 {
			text = mutate(text, r)
		}
		if checkParse(t, text) {
			accepted++
		}
	}
	t.Logf("%d texts, %d accepted by some rules", rounds, accepted)
	if accepted < rounds/5 || accepted > rounds*9/10 {
		t.Errorf("%d of %d texts accepted: the test looks at one side only", accepted, rounds)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range append(append([]string{`{"a":[1,{"b":"\u00e9"}],"c":-1.5e+3}`, `{"a":1,"\u0061":2}`, "\xff", `[[[[[[`, `"\ud83d\ude00"`}, pieces...), scalars...) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkParse(t, text) })
}

// On text that never passed Parse a Value answers nonsense, but answers.
func FuzzTrusted(f *testing.F) {
	for _, s := range []string{``, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `[,,,]`, `"\`, `"\u`, `{{}}`, `:`, `-`, `1e`, `{"a\`, `]`} {
		f.Add([]byte(s), []byte(`{"a":[1e99,"\u`))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		v, w := document.Trusted(a), document.Trusted(b)
		v.Get("a").Get("b")
		v.Len()
		v.Text()
		v.TextIs("a")
		for k, m := range v.Members() {
			document.CompareText(k, m)
			document.Equal(m, w)
		}
		for e := range v.Elements() {
			document.CompareNumbers(e.Raw(), w.Raw())
		}
		document.CompareNumbers(a, b)
		document.CompareText(v, w)
		document.Equal(v, w)
	})
}

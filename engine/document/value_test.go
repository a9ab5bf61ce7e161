package document_test

import (
	"cmp"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"postern/engine/document"
)

func parse(t testing.TB, text string) document.Value {
	t.Helper()
	v, err := document.Parse([]byte(text), document.Query)
	if err != nil {
		t.Fatalf("Parse(%q) = %v", text, err)
	}
	return v
}

func TestValue(t *testing.T) {
	v := parse(t, ` { "n" : null , "t":true,"f":false,"i": -12 ,"s":"a\"b","u":"\u00e9","a":[1,"x",{"y":2}],"o":{"p":{}},"\u0078":7,"e":[ ]} `)
	for key, want := range map[string]document.Kind{
		"n": document.Null, "t": document.Bool, "f": document.Bool, "i": document.Number, "s": document.String,
		"a": document.Array, "o": document.Object, "x": document.Number, "nothing": document.Missing, "": document.Missing,
	} {
		if got := v.Get(key).Kind(); got != want {
			t.Errorf("Get(%q).Kind() = %v; want %v", key, got, want)
		}
	}
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %v; want %v", what, got, want)
		}
	}
	check("Bool of true", v.Get("t").Bool(), true)
	check("Bool of false", v.Get("f").Bool(), false)
	check("Bool of a text", v.Get("s").Bool(), false)
	check("Text of a number", v.Get("i").Text(), "-12")
	check("Text with an escape", v.Get("s").Text(), `a"b`)
	check("Text of an object", v.Get("o").Text(), "")
	check("AppendText", string(v.Get("u").AppendText([]byte("x"))), "xé")
	check("Len of the object", v.Len(), 10)
	check("Len of an array", v.Get("a").Len(), 3)
	check("Len of an empty array", v.Get("e").Len(), 0)
	check("Len of a text", v.Get("s").Len(), 0)
	check("Get on an array", v.Get("a").Get("x").Kind(), document.Missing)
	check("Get on what is missing", document.Value{}.Get("x").Kind(), document.Missing)
	check("Raw", string(v.Get("a").Raw()), `[1,"x",{"y":2}]`)
	check("String of a kind", document.Object.String(), "object")

	var keys []string
	for k := range v.Members() {
		keys = append(keys, k.Text())
	}
	check("the order of the members", strings.Join(keys, ""), "ntfisuaoxe")

	raw := v.Get("i").Raw()
	_ = append(raw, "overwritten"...)
	check("the member behind, after an append to Raw", v.Get("s").Text(), `a"b`)
}

func TestOffset(t *testing.T) {
	text := []byte(` {"a": [1, {"b":2}]}`)
	v, err := document.Parse(text, document.Body)
	if err != nil {
		t.Fatal(err)
	}
	for e := range v.Get("a").Elements() {
		if b := e.Get("b"); b.Kind() != document.Missing && b.Offset(text) != 16 {
			t.Errorf("Offset = %d; want 16", b.Offset(text))
		}
	}
	if got := v.Offset(text); got != 1 {
		t.Errorf("Offset of the root = %d; want 1", got)
	}
}

func TestTextIs(t *testing.T) {
	for _, c := range []struct {
		text, s string
		want    bool
	}{
		{`"a"`, "a", true}, {`"a"`, "b", false}, {`"a"`, "", false}, {`""`, "", true}, {`"a"`, "ab", false},
		{`"\u0061"`, "a", true}, {`"\u0061"`, `\u0061`, false}, {`"\\u0061"`, `\u0061`, true}, {`"\n"`, `\n`, false},
		{`"\uD83D\uDE00"`, "\U0001F600", true}, {`"a\u0062c"`, "abcd", false}, {`"a\u0062c"`, "ab", false},
		{`"\ufffd"`, "\xff", false}, {`"a\ufffd"`, "a\xff", false}, {`1`, "1", false}, {`null`, "null", false},
	} {
		if got := parse(t, c.text).TextIs(c.s); got != c.want {
			t.Errorf("TextIs(%s, %q) = %v; want %v", c.text, c.s, got, c.want)
		}
	}
}

func TestStringsAgreeWithEncodingJSON(t *testing.T) {
	r := newRand(t)
	random := func() string {
		var b []byte
		for range r.IntN(6) {
			b = append(b, pick(r, []string{"a", "b", "é", "\U0001F600", "\n", "\x00", "\x1f", `"`, `\`, "/", "\u2028", "\x7f", "\xff", "\xed\xa0\x80", "\uFFFD", "<"})...)
		}
		return string(b)
	}
	for range 20_000 {
		s, o := random(), random()
		quoted := document.AppendQuote([]byte("x"), s)[1:]
		var back string
		if err := json.Unmarshal(quoted, &back); err != nil {
			t.Fatalf("AppendQuote(%q) = %s: %v", s, quoted, err)
		}
		if want := string([]rune(s)); back != want {
			t.Fatalf("AppendQuote(%q) = %s, which says %q; want %q", s, quoted, back, want)
		}
		// Two spellings of each: ours and that of encoding/json, which escapes more.
		theirs, _ := json.Marshal(s)
		other, _ := json.Marshal(o)
		v, w, x := parse(t, string(quoted)), parse(t, string(theirs)), parse(t, string(other))
		if !document.Equal(v, w) || document.CompareText(v, w) != 0 || v.Text() != w.Text() || !w.TextIs(v.Text()) {
			t.Fatalf("%s and %s are not the same", quoted, theirs)
		}
		want := strings.Compare(v.Text(), x.Text())
		if got := document.CompareText(v, x); got != want {
			t.Fatalf("CompareText(%s, %s) = %d; want %d", quoted, other, got, want)
		}
		if got := document.Equal(v, x); got != (want == 0) {
			t.Fatalf("Equal(%s, %s) = %v", quoted, other, got)
		}
		if got := w.TextIs(x.Text()); got != (want == 0) {
			t.Fatalf("TextIs(%s, %q) = %v", theirs, x.Text(), got)
		}
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		want       bool
	}{
		{"numbers by value", `1`, `1.0`, true},
		{"numbers by value, with an exponent", `1`, `10e-1`, true},
		{"large integers are distinct", `9007199254740993`, `9007199254740992`, false},
		{"a number is no text", `1`, `"1"`, false},
		{"zero is not false", `0`, `false`, false},
		{"null is null", `null`, `null`, true},
		{"null is not false", `null`, `false`, false},
		{"true is not false", `true`, `false`, false},
		{"texts by what they say", `"a"`, `"\u0061"`, true},
		{"white space does not matter", `{"a":[1,2]}`, ` { "a" : [ 1 , 2 ] } `, true},
		{"members in another order", `{"a":1,"b":2}`, `{"b":2,"a":1}`, false},
		{"members with other names", `{"a":1}`, `{"b":1}`, false},
		{"names by what they say", `{"a":1}`, `{"\u0061":1.0}`, true},
		{"a member more", `{"a":1}`, `{"a":1,"b":2}`, false},
		{"elements in another order", `[1,2]`, `[2,1]`, false},
		{"an element more", `[1]`, `[1,1]`, false},
		{"an empty object is no empty array", `{}`, `[]`, false},
		{"empty arrays", `[]`, `[ ]`, true},
		{"deep", `[[{"a":[1e2]}]]`, `[[{"a":[100]}]]`, true},
	} {
		a, b := parse(t, c.a), parse(t, c.b)
		if got, back := document.Equal(a, b), document.Equal(b, a); got != c.want || back != c.want {
			t.Errorf("%s: Equal(%s, %s) = %v, reversed %v; want %v", c.name, c.a, c.b, got, back, c.want)
		}
	}
	if document.Equal(document.Value{}, parse(t, `null`)) || !document.Equal(document.Value{}, document.Value{}) {
		t.Error("what is missing equals only what is missing")
	}
}

func TestCompareNumbers(t *testing.T) {
	nines := strings.Repeat("9", 59)
	// In ascending order; equal ones in one row.
	rows := [][]string{
		{"-1e99999999999999999999", "-10e99999999999999999998"},
		{"-1e999999999"},
		{"-9007199254740993"},
		{"-9007199254740992", "-9007199254740992.0", "-9.007199254740992e15"},
		{"-2"},
		{"-1.5", "-15e-1"},
		{"-1e-999999999"},
		{"-1e-99999999999999999999"},
		{"0", "-0", "0.0", "0e5", "-0.000e-99999999999999999999", "0e99999999999999999999"},
		{"1e-99999999999999999999", "0.1e-99999999999999999998"},
		{"1e-999999999"},
		{"0.1", "0.10", "1e-1", "10e-2", "0.001e2"},
		{"0.3", "3e-1"},
		{"0.30000000000000000001"},
		{"1", "1.0", "1e0", "1E+0", "10e-1", "0.1e1", "1e-00", "1e+000000000000000000000000000000"},
		{"2"},
		{"10", "1e1", "10.0"},
		{"99"},
		{"100", "1e2", "1.00e2"},
		{"9007199254740992", "9007199254740992.00"},
		{"9007199254740993", "9007199254740993e0", "90071992547409930e-1"},
		{"18446744073709551616"},
		{"1e999999998", "10e999999997"},
		{"1e999999999"},
		{nines + "e999999999"},
		{"1e9223372036854775807"},
		{"1e9223372036854775808"},
		{"1e99999999999999999999", "0.01e100000000000000000001"},
		{"2e99999999999999999999"},
	}
	for i, row := range rows {
		for k, other := range rows {
			for _, a := range row {
				for _, b := range other {
					if got, want := document.CompareNumbers([]byte(a), []byte(b)), cmp.Compare(i, k); got != want {
						t.Errorf("CompareNumbers(%s, %s) = %d; want %d", a, b, got, want)
					}
				}
			}
		}
	}
}

func TestCompareNumbersAgreesWithRationals(t *testing.T) {
	r := newRand(t)
	random := func() string {
		var b []byte
		if r.IntN(2) == 0 {
			b = append(b, '-')
		}
		digits := func(n int) {
			for range n {
				b = append(b, "0019"[r.IntN(4)])
			}
		}
		if r.IntN(3) == 0 {
			b = append(b, '0')
		} else {
			b = append(b, '1'+byte(r.IntN(9)))
			digits(r.IntN(4))
		}
		if r.IntN(2) == 0 {
			b = append(b, '.')
			digits(1 + r.IntN(4))
		}
		if r.IntN(2) == 0 {
			b = append(b, 'e')
			b = append(b, pick(r, []string{"", "+", "-"})...)
			digits(r.IntN(2))
			b = append(b, '0'+byte(r.IntN(5)))
		}
		return string(b)
	}
	rational := func(s string) *big.Rat {
		v, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is no number", s)
		}
		return v
	}
	equal := 0
	for range 100_000 {
		a, b := random(), random()
		want := rational(a).Cmp(rational(b))
		if want == 0 {
			equal++
		}
		if got := document.CompareNumbers([]byte(a), []byte(b)); got != want {
			t.Fatalf("CompareNumbers(%s, %s) = %d; want %d", a, b, got, want)
		}
	}
	if equal < 100 {
		t.Errorf("only %d pairs were equal", equal)
	}
}

// What costs nothing must stay so: these run for every document of a query.
func TestAllocations(t *testing.T) {
	text := []byte(entity)
	v := parse(t, entity)
	twin := parse(t, strings.ReplaceAll(entity, `":`, `": `))
	a, b := []byte("1234.5"), []byte("12345e-1")
	dst := make([]byte, 0, 1024)
	for name, f := range map[string]func(){
		"Parse":          func() { document.Parse(text, document.Body) },
		"Get":            func() { v.Get("_kmd").Get("lmt") },
		"Get, missing":   func() { v.Get("nothing") },
		"TextIs":         func() { v.Get("_id").TextIs("5b1f0e5c9d3a4b0012345678") },
		"Equal":          func() { document.Equal(v, twin) },
		"CompareNumbers": func() { document.CompareNumbers(a, b) },
		"Members": func() {
			for k, m := range v.Members() {
				dst = m.AppendText(k.AppendText(dst[:0]))
			}
		},
		"Elements": func() {
			for e := range v.Get("tags").Elements() {
				dst = e.AppendText(dst[:0])
			}
		},
		"AppendQuote": func() { dst = document.AppendQuote(dst[:0], "a\nb\"c") },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times; want 0", name, n)
		}
	}
	if !document.Equal(v, twin) {
		t.Error("the twin is not equal")
	}
}

func TestParseIsSafeForConcurrentUse(t *testing.T) {
	done := make(chan error)
	for range 4 {
		go func() {
			r := rand.New(rand.NewPCG(1, 2))
			for range 300 {
				if _, err := document.Parse([]byte(entity), document.Body); err != nil {
					done <- err
					return
				}
				document.Parse(appendRandom(nil, r, 4), small)
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// entity has the size of what the benchmarks of the project store.
const entity = `{"_id":"5b1f0e5c9d3a4b0012345678","name":"Entity number 4711","score":48213,"cat":"c17","price":1234.50,"tags":["red","green"],` +
	`"note":"some text that nobody reads but that takes its place","_acl":{"creator":"5b1f0e5c9d3a4b0087654321","r":["u1","u2","u3"]},` +
	`"_kmd":{"lmt":"2026-11-23T18:00:00.000Z","ect":"2026-11-23T18:00:00.000Z"},"active":true}`

func BenchmarkParseEntity(b *testing.B) {
	text := []byte(entity)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.Parse(text, document.Body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetLastMember(b *testing.B) {
	v := parse(b, entity)
	for b.Loop() {
		v.Get("active")
	}
}

func BenchmarkCompareNumbers(b *testing.B) {
	for _, c := range [][2]string{{"48213", "48214"}, {"-48213", "48214"}, {"1234.50", "1234.5"}, {"1e999999999", "1e999999998"}} {
		x, y := []byte(c[0]), []byte(c[1])
		b.Run(c[0], func(b *testing.B) {
			for b.Loop() {
				document.CompareNumbers(x, y)
			}
		})
	}
}

func TestRandomValuesSortTheSame(t *testing.T) {
	r := newRand(t)
	var numbers []string
	for range 500 {
		numbers = append(numbers, pick(r, []string{"1", "-3", "0.5", "1e3", "12", "1e-5", "7.25", "-0.5e2"}))
	}
	slices.SortFunc(numbers, func(a, b string) int { return document.CompareNumbers([]byte(a), []byte(b)) })
	for i := range numbers[1:] {
		a, _ := new(big.Rat).SetString(numbers[i])
		b, _ := new(big.Rat).SetString(numbers[i+1])
		if a.Cmp(b) > 0 {
			t.Fatalf("%s is sorted before %s", numbers[i], numbers[i+1])
		}
	}
}

package query_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"postern/engine/document"
	"postern/engine/query"
)

// wildNumber spells a random number in a random way: digits with a point and
// an exponent anywhere, so that the same number comes in many texts.
func wildNumber(r *rand.Rand) string {
	digits := pick(r, "1", "2", "9", "10", "12", "99", "100", "101", "1000", "999999", "123456789012345678", "9223372036854775807", "9223372036854775808", "0", "00")
	// The number is 0.DIGITS * 10^point.
	point := int64(len(digits))
	switch r.IntN(6) {
	case 0:
		point += int64(r.IntN(9)) - 4
	case 1:
		point = int64(r.IntN(140)) - 60
	case 2:
		point = []int64{-300, 300, 255, 256, -256, 65536, -65535, 1 << 40, 99999999999999999, -99999999999999999}[r.IntN(10)]
	}
	text := pick(r, "", "-")
	if strings.Trim(digits, "0") == "" {
		digits = "0"
	}
	cut := r.IntN(len(digits) + 1)
	whole, fraction := digits[:cut], digits[cut:]
	if whole == "" {
		whole = "0"
	}
	if r.IntN(3) == 0 {
		fraction += "00"
	}
	text += whole
	if fraction != "" {
		text += "." + fraction
	}
	if exponent := point - int64(cut); exponent != 0 || r.IntN(4) == 0 {
		e := fmt.Sprint(exponent)
		if r.IntN(8) == 0 {
			e = pick(r, "", "-") + pick(r, "123456789012345678", "18446744073709551616", "1"+strings.Repeat("0", 25), "000000000000000000012")
		}
		if e[0] != '-' && r.IntN(3) == 0 {
			e = "+" + e
		}
		text += pick(r, "e", "E") + e
	}
	return text
}

// wildText returns a string of pieces that are easily taken for one another.
func wildText(r *rand.Rand) string {
	text := `"`
	for range r.IntN(4) {
		text += pick(r, `\u0000`, `\u0001`, `\u0002`, `\u00ff`, `a`, `\u0061`, `aa`, `\\`, `\"`, `\/`, `/`, `\n`, `~`, "\u007f", "é", `\u00e9`, "\uFFFD", "\U0001F600", `\uD83D\uDE00`, "\U0010FFFF")
	}
	return text + `"`
}

func wildScalar(r *rand.Rand) string {
	switch r.IntN(3) {
	case 0:
		return wildNumber(r)
	case 1:
		return wildText(r)
	}
	return randomScalar(r)
}

func wildValue(r *rand.Rand, depth int) string {
	switch k := r.IntN(8); {
	case depth > 0 && k < 2:
		var elements []string
		for range r.IntN(3) {
			elements = append(elements, wildValue(r, depth-1))
		}
		return "[" + strings.Join(elements, ",") + "]"
	case depth > 0 && k < 5:
		return wildObject(r, depth)
	}
	return wildScalar(r)
}

func wildObject(r *rand.Rand, depth int) string {
	parts := map[string]string{}
	for range r.IntN(4) {
		parts[randomName(r)] = wildValue(r, depth-1)
	}
	return join(parts)
}

// checkKeys demands that two keys are ordered as Compare orders what they are
// of, and that neither begins with the other.
func checkKeys(t *testing.T, s query.Sort, a, b document.Value, x, y []byte) {
	t.Helper()
	if got, want := bytes.Compare(x, y), sign(s.Compare(a, b)); got != want {
		t.Fatalf("sort %s: keys %x of %s and %x of %s compare %d; want %d", s.Name(), x, a.Raw(), y, b.Raw(), got, want)
	}
	if !bytes.Equal(x, y) && (bytes.HasPrefix(x, y) || bytes.HasPrefix(y, x)) {
		t.Fatalf("sort %s: of the keys %x of %s and %x of %s one begins with the other", s.Name(), x, a.Raw(), y, b.Raw())
	}
}

func TestKeysAreOrderedLikeDocuments(t *testing.T) {
	r := newRand(t)
	sorts := 1_050
	if testing.Short() {
		sorts = 100
	}
	pairs, equal, plain := 0, 0, 0
	for range sorts {
		text, keys, _ := randomSort(r)
		for len(keys) == 0 {
			text, keys, _ = randomSort(r)
		}
		s := sortOf(t, text)
		var docs []document.Value
		var made [][]byte
		for range 45 {
			// Mostly with something at the first path.
			d := wildObject(r, 4)
			if r.IntN(4) > 0 {
				d = wildValue(r, 2)
				for _, name := range slices.Backward(strings.Split(keys[0], ".")) {
					d = `{"` + name + `":` + d + `}`
				}
			}
			docs = append(docs, doc(t, d))
			made = append(made, s.AppendKey(nil, docs[len(docs)-1]))
			if s.Plain(docs[len(docs)-1]) {
				plain++
			}
		}
		for i := range docs {
			for k := range i {
				checkKeys(t, s, docs[i], docs[k], made[i], made[k])
				pairs++
				if bytes.Equal(made[i], made[k]) {
					equal++
				}
			}
		}
	}
	t.Logf("%d pairs, %d equal; %d of %d documents plain", pairs, equal, plain, sorts*45)
	if equal < pairs/100 || equal > pairs/2 {
		t.Errorf("%d of %d pairs are equal: the test looks at one side only", equal, pairs)
	}
}

// Each kind stands in an array of its own, as in TestSortOrdersTheKinds, and
// also as it is where it is no array.
func TestKeysOfTheKinds(t *testing.T) {
	up, down := sortOf(t, `{"v":1}`), sortOf(t, `{"v":-1}`)
	var docs []document.Value
	for _, row := range order {
		for _, v := range row {
			if v == "" {
				docs = append(docs, doc(t, `{}`))
				continue
			}
			docs = append(docs, doc(t, `{"v":[`+v+`]}`), doc(t, `{"v":`+v+`}`))
		}
	}
	docs = append(docs, doc(t, `{"v":[]}`), doc(t, `{"v":[[[]],[]]}`))
	for _, s := range []query.Sort{up, down} {
		for _, a := range docs {
			for _, b := range docs {
				checkKeys(t, s, a, b, s.AppendKey(nil, a), s.AppendKey(nil, b))
			}
		}
	}
}

func TestKeysOfNumbers(t *testing.T) {
	nines := func(n int) string { return strings.Repeat("9", n) }
	long := nines(700)
	// In ascending order; those in one row are equal.
	rows := [][]string{
		{`-1e1` + long}, {`-1e` + long}, {`-1e99999999999999999999`, `-10e99999999999999999998`}, {`-1e99999999999999999`}, {`-1e400`}, {`-1e60`}, {`-1e59`},
		{`-9223372036854775808`}, {`-101`}, {`-100.5`}, {`-100`, `-1e2`}, {`-99`}, {`-1.5`}, {`-1`, `-1.0`, `-0.1e1`}, {`-1e-40`}, {`-1e-41`}, {`-1e-42`}, {`-1e-400`}, {`-1e-1` + long},
		{`0`, `-0`, `0.0`, `-0.00e5`, `0e` + long},
		{`1e-1` + long}, {`1e-` + long}, {`2e-` + long}, {`1e-256`}, {`1e-255`}, {`1e-42`}, {`1e-41`}, {`1e-40`}, {`0.001`, `1e-3`, `10E-4`}, {`0.01`}, {`0.1`}, {`0.11`}, {`0.111`},
		{`1`, `1.0`, `10e-1`, `0.1e1`, `1e0`, `1e+0`, `1e00000000000000000000`}, {`1.01`}, {`1.1`}, {`9`}, {`9.9`}, {`9.99`}, {`10`}, {`10.01`}, {`11`}, {`99`}, {`100`}, {`9007199254740992`}, {`9007199254740993`, `9007199254740993.0`},
		{`1e59`, `1` + strings.Repeat("0", 59)}, {`1e60`}, {`1e61`}, {`1e254`}, {`1e255`}, {`1e256`}, {`1e400`}, {`1e65535`}, {`1e65536`}, {`1e99999999999999998`},
		{`1e99999999999999999`}, {`1e100000000000000000`, `0.1e100000000000000001`}, {`1e9223372036854775807`}, {`1e18446744073709551616`}, {`1e` + nines(200)}, {`1e` + nines(612)}, {`1e` + nines(614)}, {`1e` + nines(616)}, {`1e` + long}, {`1e1` + long},
	}
	s := sortOf(t, `v`)
	var docs []document.Value
	var row []int
	for i, texts := range rows {
		for _, text := range texts {
			d, err := document.Parse([]byte(`{"v":`+text+`}`), document.Rules{Depth: 2, Members: 1, NumberBytes: 1000})
			if err != nil {
				t.Fatal(err)
			}
			docs, row = append(docs, d), append(row, i)
		}
	}
	for i, a := range docs {
		for k, b := range docs {
			if got := sign(s.Compare(a, b)); got != sign(row[i]-row[k]) {
				t.Fatalf("the table is wrong: Compare(%s, %s) = %d", a.Raw(), b.Raw(), got)
			}
			checkKeys(t, s, a, b, s.AppendKey(nil, a), s.AppendKey(nil, b))
		}
	}
}

func TestKeysAreShort(t *testing.T) {
	s := sortOf(t, `v`)
	for _, c := range []struct {
		value string
		most  int // bytes
	}{
		{`null`, 1}, {`true`, 1}, {`0`, 1}, {`7`, 2}, {`-7`, 2}, {`42`, 2}, {`1000`, 2}, {`1234`, 3}, {`-123456`, 4}, {`17.25`, 3}, {`0.5`, 2}, {`19.99`, 3},
		{`1732406400000`, 8}, {`-1732406400123`, 8}, {`9007199254740993`, 9}, {`3.14159265358979`, 9}, {`999999999999999999`, 10}, {`9223372036854775807`, 11},
		{`1e30`, 2}, {`1e300`, 5}, {`""`, 2}, {`"abc"`, 5}, {`"\u0000"`, 4}, {`{}`, 2},
	} {
		if key := s.AppendKey(nil, doc(t, `{"v":`+c.value+`}`)); len(key) > c.most {
			t.Errorf("the key of %s is %x; want %d bytes at most", c.value, key, c.most)
		}
	}
	// An index keeps the first eight bytes: of integers of up to 14 digits they are all.
	r := newRand(t)
	for range 1_000 {
		n := r.Int64N(100_000_000_000_000)
		if key := s.AppendKey(nil, doc(t, fmt.Sprintf(`{"v":%d}`, n))); len(key) > 8 {
			t.Fatalf("the key of %d is %x; want 8 bytes at most", n, key)
		}
	}
}

func TestKeysAreAppended(t *testing.T) {
	d := doc(t, `{"a":-1.5,"b":"x\u0000\u0001y","c":{"d":[1,"\u0000"]}}`)
	for _, text := range []string{`{"a":1,"b":-1}`, `{"b":1,"a":-1}`, `{"c":-1}`, `c.d`} {
		s := sortOf(t, text)
		key := s.AppendKey(nil, d)
		for room := range 64 {
			dst := append(make([]byte, 0, 3+room), 0, 1, 255)
			if got := s.AppendKey(dst, d); !bytes.Equal(got[:3], []byte{0, 1, 255}) || !bytes.Equal(got[3:], key) {
				t.Fatalf("AppendKey of %s behind 0001ff with room for %d = %x; want %x behind it", text, room, got, key)
			}
		}
	}
	if key := (query.Sort{}).AppendKey(nil, d); len(key) != 0 {
		t.Errorf("the key of no order is %x; want none", key)
	}
}

func TestKeysDoNotAllocate(t *testing.T) {
	d := doc(t, `{"i":1234567,"f":-17.25,"big":1e400,"s":"some text","e":"a\u0000b\n\u0001é","t":true,"n":null,"o":{"p":{"q":7}},"a":[3,1,2]}`)
	dst := make([]byte, 0, 256)
	for _, path := range []string{"i", "f", "big", "s", "e", "t", "n", "nothing", "o.p.q", "o", "a", "a.1"} {
		up, down := sortOf(t, `{"`+path+`":1}`), sortOf(t, `{"`+path+`":-1}`)
		f, err := query.ParseField(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			dst = up.AppendKey(dst[:0], d)
			dst = down.AppendKey(dst[:0], d)
			dst = f.AppendKey(dst[:0], d)
			up.Plain(d)
			f.Plain(d)
		}); n != 0 {
			t.Errorf("the keys of %s allocate %v times; want 0", path, n)
		}
	}
}

func TestSortName(t *testing.T) {
	for _, c := range []struct{ sort, want string }{
		{``, ``}, {`{}`, ``}, {`score`, `score`}, {`{"score":1}`, `score`}, {`{"score":"-1"}`, `-score`}, {`{"a.b":1,"c":-1}`, `a.b,-c`},
		{`{"-a":1}`, `\-a`}, {`{"-a":-1}`, `-\-a`}, {`{"a-b":1}`, `a-b`}, {`{"a,b":1}`, `a\,b`}, {`{"a\\":1,"b":1}`, `a\\,b`}, {`{"":1}`, `\0`}, {`{"":-1}`, `-\0`}, {`{".":1}`, `.`}, {`{"\\0":1}`, `\\0`},
	} {
		if got := sortOf(t, c.sort).Name(); got != c.want {
			t.Errorf("the name of the sort %s is %s; want %s", c.sort, got, c.want)
		}
	}
	r := newRand(t)
	names := map[string]string{} // to what the sort is, spelled without doubt
	for range 100_000 {
		var parts []string
		sort := ""
		for range r.IntN(4) {
			path := ""
			for range r.IntN(4) {
				path += pick(r, `a`, `-`, `,`, `\`, `.`, `0`)
			}
			direction := pick(r, "1", "-1")
			if strings.Contains(sort, fmt.Sprintf("%q:", path)) {
				continue
			}
			parts = append(parts, fmt.Sprintf("%q:%s", path, direction))
			sort = strings.Join(parts, ",")
		}
		name := sortOf(t, "{"+sort+"}").Name()
		if other, known := names[name]; known && other != sort {
			t.Fatalf("the sorts {%s} and {%s} have one name, %s", sort, other, name)
		}
		names[name] = sort
	}
}

// naivePlain says whether a path meets no array.
func naivePlain(v any, path []string) bool {
	if _, ok := v.([]any); ok {
		return false
	}
	if len(path) == 0 {
		return true
	}
	o, _ := v.(object)
	return naivePlain(o.get(path[0]), path[1:])
}

func TestPlainAndField(t *testing.T) {
	r := newRand(t)
	plain, all := 0, 20_000
	for range all {
		text, keys, descending := randomSort(r)
		d := wildObject(r, 4)
		want := true
		for i, key := range keys {
			here := naivePlain(decode(d), strings.Split(key, "."))
			want = want && here
			f, err := query.ParseField(key)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Plain(doc(t, d)); got != here {
				t.Fatalf("field %s: Plain(%s) = %v; want %v", key, d, got, here)
			}
			if !descending[i] && len(keys) == 1 && !bytes.Equal(f.AppendKey(nil, doc(t, d)), sortOf(t, text).AppendKey(nil, doc(t, d))) {
				t.Fatalf("field %s has another key of %s than the sort", key, d)
			}
		}
		if got := sortOf(t, text).Plain(doc(t, d)); got != want {
			t.Fatalf("sort %s: Plain(%s) = %v; want %v", text, d, got, want)
		}
		if want {
			plain++
		}
	}
	if plain < all/20 || plain > all*19/20 {
		t.Errorf("%d of %d are plain: the test looks at one side only", plain, all)
	}
	for _, text := range []string{"$a", "a.$b", strings.Repeat("a.", 32) + "a"} {
		if _, err := query.ParseField(text); err == nil {
			t.Errorf("ParseField(%s) is no error", text)
		} else {
			checkError(t, err)
		}
	}
}

func FuzzSortKey(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		text, _, _ := randomSort(r)
		f.Add([]byte(text), []byte(wildObject(r, 3)), []byte(wildObject(r, 3)))
	}
	for _, s := range []string{`{"a":1}`, `{"a":-1,"b":1}`, `{"a.b":-1}`} {
		f.Add([]byte(s), []byte(`{"a":1e999999999999999999999,"b":"\u0000"}`), []byte(`{"a":-0.0,"b":[]}`))
		f.Add([]byte(s), []byte(`{"a":{"b":[1.50,"\u0001"]}}`), []byte(`not JSON`))
	}
	f.Fuzz(func(t *testing.T, text, a, b []byte) {
		s, err := query.ParseSort(text)
		if err != nil {
			return
		}
		s.AppendKey(nil, document.Trusted(a)) // whatever it is, no panic
		x, errX := document.Parse(a, document.Body)
		y, errY := document.Parse(b, document.Body)
		if errX != nil || errY != nil {
			return
		}
		checkKeys(t, s, x, y, s.AppendKey(nil, x), s.AppendKey(nil, y))
	})
}

func BenchmarkSortKey(b *testing.B) {
	d := doc(b, entity(17))
	for _, text := range []string{`{"score":1}`, `{"price":-1}`, `{"cat":1}`, `{"_kmd.lmt":-1}`, `{"active":1}`} {
		s := sortOf(b, text)
		dst := make([]byte, 0, 64)
		b.Run(s.Name(), func(b *testing.B) {
			for b.Loop() {
				dst = s.AppendKey(dst[:0], d)
			}
		})
	}
}

// ParseName reads what Name writes, whatever the paths are.
func TestNamesAreReadBack(t *testing.T) {
	r := newRand(t)
	letters := []string{"a", "b", ".", "-", ",", `\`, "0", " ", "é", `"`}
	for range 20_000 {
		var members []string
		for range 1 + r.IntN(3) {
			name := ""
			for range r.IntN(5) {
				name += letters[r.IntN(len(letters))]
			}
			members = append(members, fmt.Sprintf(`%s:%d`, document.AppendQuote(nil, name), 1-2*r.IntN(2)))
		}
		s, err := query.ParseSort([]byte("{" + strings.Join(members, ",") + "}"))
		if err != nil {
			continue // a member twice
		}
		again, err := query.ParseName(s.Name())
		if err != nil || again.Name() != s.Name() {
			t.Fatalf("{%s} is called %s, which reads as %s, %v", strings.Join(members, ","), s.Name(), again.Name(), err)
		}
	}
	for name, want := range map[string]string{"": "", "a": `{"a":1}`, "a.b,-c": `{"a.b":1,"c":-1}`, `\-a`: `{"-a":1}`, `-\0`: `{"":-1}`, `a\,b`: `{"a,b":1}`} {
		got, err := query.ParseName(name)
		if err != nil || got.Name() != sortOf(t, want).Name() || got.Compare(doc(t, `{"a":1,"c":1,"-a":1,"":1}`), doc(t, `{"a":1,"c":2,"-a":2,"":2}`)) != sortOf(t, want).Compare(doc(t, `{"a":1,"c":1,"-a":1,"":1}`), doc(t, `{"a":1,"c":2,"-a":2,"":2}`)) {
			t.Errorf("%s reads as %s, %v; want %s", name, got.Name(), err, want)
		}
	}
	for _, name := range []string{",", "a,", ",a", "-", "a,-", `a\`, `\b`, `\0a`, "$a", "a.$b", "\xff", strings.Repeat("a,", 32) + "a"} {
		if s, err := query.ParseName(name); err == nil {
			t.Errorf("%q is taken for %s", name, s.Name())
		}
	}
}

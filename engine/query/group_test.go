package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"postern/engine/document"
	"postern/engine/query"
)

// sdkReducer is a reducer as a family of clients generates it, with what it
// sends as initial. FIELD stands for the field that is looked at.
type sdkReducer struct {
	Client, Kind    string
	Initial, Want   json.RawMessage // Want is the answer over sdkDocs, without a key
	Reduce          string
	initial, answer string
}

// sdkReducers are those of testdata/reducers.json.
var sdkReducers = func() (list []sdkReducer) {
	text, err := os.ReadFile("testdata/reducers.json")
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		panic(err)
	}
	for i := range list {
		list[i].initial, list[i].answer = string(list[i].Initial), string(list[i].Want)
	}
	return list
}()

var sdkDocs = []string{`{"f":4,"g":"x"}`, `{"f":1.5,"g":"y"}`, `{"f":-3,"g":"x"}`, `{"f":10,"g":null}`}

func (s sdkReducer) of(field string) string { return strings.ReplaceAll(s.Reduce, "FIELD", field) }

// groupBody writes the body of an aggregation.
func groupBody(key, initial, reduce string) string {
	return fmt.Sprintf(`{"key":%s,"initial":%s,"reduce":%s,"condition":{}}`, key, initial, document.AppendQuote(nil, reduce))
}

// group runs an aggregation natively.
func group(t testing.TB, body string, docs []string) (string, error) {
	t.Helper()
	v, err := document.Parse([]byte(body), document.Query)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	g, err := query.ParseGroup(v)
	if err != nil {
		return "", err
	}
	if !g.Native() {
		t.Fatalf("not understood: %s", g.Reduce())
	}
	b, err := g.Run(nil, source(t, docs))
	return string(b), err
}

// An aggregation spends the budget of a query, on what its source yields.
func TestGroupSpendsItsBudget(t *testing.T) {
	v, err := document.Parse([]byte(`{"condition":{"none":1}}`), document.Query)
	if err != nil {
		t.Fatal(err)
	}
	for rows, want := range map[int]bool{2: true, 3: false} {
		g, err := query.ParseGroup(v)
		if err != nil {
			t.Fatal(err)
		}
		g.Meter = query.NewMeter(query.Budget{Rows: rows})
		_, err = g.Run(nil, source(t, []string{`{}`, `{}`, `{}`}))
		var e *query.Error
		if got := errors.As(err, &e) && e.TooExpensive; got != want {
			t.Errorf("three documents, budget of %d: %v", rows, err)
		}
	}
}

func TestReducersOfClients(t *testing.T) {
	for _, s := range sdkReducers {
		t.Run(s.Client+" "+s.Kind, func(t *testing.T) {
			for _, text := range []string{s.of("f"), strings.NewReplacer(" ", " \t ", ";", "\n;\n", "(", "\n(\n", ".", "\n.\n").Replace(s.of("f")), renamed(s.of("f")),
				"/* made\nby hand */" + strings.ReplaceAll(s.of("f"), "{", "{ // so\n")} {
				got, err := group(t, groupBody(`{}`, s.initial, text), sdkDocs)
				if want := "[" + s.answer + "]"; got != want || err != nil {
					t.Errorf("%s: %s, %v; want %s", text, got, err, want)
				}
			}
		})
	}
	// A key comes first, and its buckets in the order in which they are met.
	got, err := group(t, groupBody(`{"g":true}`, `{"count":0}`, sdkReducers[0].Reduce), append([]string{`{}`}, sdkDocs...))
	if want := `[{"g":null,"count":2},{"g":"x","count":2},{"g":"y","count":1}]`; got != want || err != nil {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

// renamed gives the parameters of a reducer other names.
func renamed(text string) string {
	return strings.NewReplacer("(doc, out)", "($a, b_1)", "(doc,out)", "($a,b_1)", "(doc, prev)", "($a, b_1)",
		"doc.", "$a.", "doc[", "$a[", "out.", "b_1.", "prev.", "b_1.", "return out", "return b_1").Replace(text)
}

func TestGroupForms(t *testing.T) {
	docs := []string{`{"a":{"b":[7,8]},"n":1,"s":"x"}`, `{"a":{"b":[7.0]},"n":1.0,"s":"y"}`, `{"n":9007199254740993,"big":12345678901234567890}`, `{"n":9007199254740992}`}
	count := `"reduce":"function(d,o){o.c++;}","initial":{"c":0}`
	rows := []struct{ name, body, want string }{
		{"nothing asked", `{}`, `[{}]`},
		{"no reducer, initial as it came", `{"initial":{"x":1.0,"y":[1.50,{"z":null}]}}`, `[{"x":1.0,"y":[1.50,{"z":null}]}]`},
		{"no name is no key", `{"key":{"":true},` + count + `}`, `[{"c":4}]`},
		{"a list of names", `{"key":["n","n",""],` + count + `}`, `[{"n":1,"c":2},{"n":9007199254740993,"c":1},{"n":9007199254740992,"c":1}]`},
		{"what is not wanted is no key", `{"key":{"n":false,"s":0},` + count + `}`, `[{"c":4}]`},
		{"a path", `{"key":{"a.b.0":1},` + count + `}`, `[{"a.b.0":7,"c":2},{"a.b.0":null,"c":2}]`},
		{"an array is a key", `{"key":{"a.b":1},` + count + `}`, `[{"a.b":[7,8],"c":1},{"a.b":[7.0],"c":1},{"a.b":null,"c":2}]`},
		{"initial counts before the key", `{"key":{"c":true},` + count + `}`, `[{"c":4}]`},
		{"the reducer may change the key", `{"key":{"s":1},"reduce":"function(d,o){o.s += d.n;}"}`, `[{"s":"x1"},{"s":"y1"},{"s":18014398509481984}]`},
		{"the reducer reads the key", `{"key":{"s":1},"reduce":"function(d,o){o.t = o.s + 1;}"}`, `[{"s":"x","t":"x1"},{"s":"y","t":"y1"},{"s":null,"t":1}]`},
		{"numbers that are copied are JavaScript's", `{"reduce":"function(d,o){o.b = d.big;}","condition":{"big":{"$exists":true}}}`, `[{"b":12345678901234567000}]`},
		{"a condition", `{"condition":{"s":{"$gte":"y"}},"reduceFn":"x","query":{"s":"x"},` + count + `}`, `[{"c":1}]`},
		{"no condition", `{"condition":null,"key":null,` + count + `}`, `[{"c":4}]`},
		{"nothing matches", `{"condition":{"s":"z"},` + count + `}`, `[]`},
		{"an infinity and no number are no number", `{"initial":{"m":"-Infinity","n":"Infinity"},"reduce":"function(d,o){o.t = 1 / Math.min(o.m, d.none); o.u = 1 / Math.max(o.n, d.none);}"}`,
			`[{"m":"-Infinity","n":"Infinity","t":null,"u":null}]`},
		{"not a number", `{"reduce":"function(d,o){o.x = d.none + 1; o.y = 1/0; o.z = d.none;}"}`, `[{"x":null,"y":null}]`},
	}
	for _, row := range rows {
		got, err := group(t, row.body, docs)
		if got != row.want || err != nil {
			t.Errorf("%s: %s: %s, %v; want %s", row.name, row.body, got, err, row.want)
		}
	}
	for _, body := range []string{`[]`, `"x"`, `{"key":1}`, `{"key":"f"}`, `{"key":[1]}`, `{"initial":[]}`, `{"reduce":{}}`, `{"condition":[]}`, `{"condition":{"a":{"$no":1}}}`} {
		v, _ := document.Parse([]byte(body), document.Query)
		var e *query.Error
		if _, err := query.ParseGroup(v); !errors.As(err, &e) {
			t.Errorf("%s: %v; want an error", body, err)
		}
	}
}

// What could mean anything else in JavaScript, or has no end that its text
// shows, is not understood.
func TestOtherReducersAreNotUnderstood(t *testing.T) {
	for _, body := range []string{
		`while(true);`, `for(;;){}`, `out.x = doc.f.g;`, `out.x = this;`, `out.x.y = 1;`, `out = doc;`, `doc.f = 1;`, `out.x = doc;`,
		`out.x = out.constructor;`, `out["__proto__"] = 1;`, `out.x = doc.toString;`, `out.x = doc["valueOf"] + 1;`, `eval("1");`, `Math.random();`,
		`Math["min"](1);`, `Math = 1;`, `var Math = 1;`, `var undefined = 1;`, `var doc = 1;`, `var a = 1, a = 2;`, `out.x = b; var b = 1;`, `var a;`,
		"out.x\n++;out.y", "out.x = 1\nout.y = 2", `out.x = 1 out.y = 2;`, `return doc;`, `return out; out.x = 1;`, "return\nout.x = 1;", `out.x = 010;`,
		`out.x = 0x10;`, `out.x = 1e3;`, `out.x = .5;`, `out.x = 1.;`, `out.x = 5f;`, `out.x = "a";`, `out.x = true;`, `out.x = /a/;`, `out.x = a => 1;`,
		`out.x -= 1;`, `out.x--;`, `out.x = 1 ** 2;`, `out.x = -1;`, `out.x = !1;`, `out.x = 1 == 1;`, `out.x = doc.f || 0;`, `out.x ++ ++;`, `(1) = 2;`,
		`out.x + 1 = 2;`, `1 ? out.x = 1 : 2;`, `out.x = 1 ? (out.y++) : 2;`, `out["a\u0062"] = 1;`, `out["a\nb"] = 1;`, `out.a\u0062 = 1;`, `out.é = 1;`,
		`out["x" + "y"] = 1;`, `out[0] = 1;`, `out[doc.f] = 1;`, `/* out.x = 1;`, `<!-- out.x`, `{}`, `}{`, `;)`, "`x`;", `out.x = undefined();`, `new out.x;`,
		`out.x = ` + strings.Repeat("(", 2000) + `1` + strings.Repeat(")", 2000) + `;`, strings.Repeat(`out.x++;`, 2000),
	} {
		text := `function(doc, out) {` + body + `}`
		v, err := document.Parse([]byte(groupBody(`{}`, `{}`, text)), document.Query)
		if err != nil {
			t.Fatal(err)
		}
		if g, err := query.ParseGroup(v); err != nil && len(text) < 10_000 || err == nil && g.Native() {
			t.Errorf("understood: %.80s (%v)", text, err)
		}
	}
	for _, text := range []string{``, ` `, `x`, `function`, `function(`, `function(a,a){}`, `function(a,b,c){}`, `function(a,){}`, `function(doc,out){}function(){}`,
		`function(doc,out){};`, `function if(){}`, `(doc,out)=>{}`, `function(doc,out){out.x++`, `(function(doc,out){})`, `function(arguments, out){}`} {
		v, _ := document.Parse([]byte(groupBody(`{}`, `{}`, text)), document.Query)
		if g, err := query.ParseGroup(v); err == nil && g.Native() {
			t.Errorf("understood: %s", text)
		}
	}
}

// What is too large is refused: the parts of the body, and what comes of it.
func TestGroupBounds(t *testing.T) {
	many := func(n int, text func(i int) string) []string {
		docs := make([]string, n)
		for i := range docs {
			docs[i] = text(i)
		}
		return docs
	}
	numbers := many(10_001, func(i int) string { return fmt.Sprintf(`{"i":%d}`, i) })
	if got, err := group(t, `{"key":{"i":1}}`, numbers[:10_000]); err != nil || strings.Count(got, "{") != 10_000 {
		t.Errorf("10,000 groups: %v", err)
	}
	long := strings.Repeat("x", 4000)
	rows := []struct {
		name, body string
		docs       []string
	}{
		{"groups", `{"key":{"i":1}}`, numbers},
		{"keys", `{"key":[` + strings.Join(many(33, func(i int) string { return fmt.Sprintf(`"k%d"`, i) }), ",") + `]}`, sdkDocs},
		{"initial", `{"initial":{"x":"` + strings.Repeat(long, 5) + `"}}`, sdkDocs},
		{"reduce", `{"reduce":"function(){} //` + strings.Repeat(long, 5) + `"}`, sdkDocs},
		{"answer", `{"key":{"i":1},"initial":{"x":"` + long + `"}}`, numbers[:9000]},
		{"text in all buckets", `{"key":{"i":1},"reduce":"function(d,o){o.x += d.t;}"}`,
			many(40, func(i int) string { return fmt.Sprintf(`{"i":%d,"t":%q}`, i, strings.Repeat(long, 125)) })},
	}
	for _, row := range rows {
		var e *query.LimitError
		if _, err := group(t, row.body, row.docs); !errors.As(err, &e) {
			t.Errorf("%s: %v; want a *LimitError", row.name, err)
		}
	}
	for name, body := range map[string]string{
		"text that doubles":   `{"initial":{"x":"xx"},"reduce":"function(d,o){o.x = o.x + o.x;}"}`,
		"text thrown away":    `{"initial":{"x":"` + long + `"},"reduce":"function(d,o){var a = o.x + o.x, b = a + a, c = b + b, e = c + c, f = e + e;}"}`,
		"an object that lies": `{"reduce":"function(d,o){o.x += d.o;}"}`,
	} {
		var e *query.ReduceError
		if _, err := group(t, body, many(3000, func(int) string { return `{"o":{"toString":1}}` })); !errors.As(err, &e) {
			t.Errorf("%s: %v; want a *ReduceError", name, err)
		}
	}
}

// engineSource is the aggregation as MongoDB described it, in JavaScript.
const engineSource = `(function(text, docs, key, initial) {
	var reduce = eval("(" + text + ")"), buckets = [], byKey = {};
	JSON.parse(docs).forEach(function(doc) {
		var part = {};
		JSON.parse(key).forEach(function(name) { part[name] = doc[name] === undefined ? null : doc[name]; });
		var k = JSON.stringify(part);
		if (!byKey.hasOwnProperty(k)) {
			byKey[k] = Object.assign({}, part, JSON.parse(initial));
			buckets.push(byKey[k]);
		}
		reduce(doc, byKey[k]);
	});
	return JSON.stringify(buckets);
})`

// TestGroupAgreesWithJavaScript holds the native reducers against an engine of
// JavaScript, on random documents whose fields are of every kind.
func TestGroupAgreesWithJavaScript(t *testing.T) {
	r := newRand(t)
	rounds := 300
	if testing.Short() {
		rounds = 40
	}
	more := []string{
		`function(d, o) { o.a = d.f; o.b = o.a === undefined ? d.h : o.b + d.f; }`,
		`function(d, o) { o.a += d.f + d.h; o.b = d.f * d.h - d.f / d.h; }`,
		`function(d, o) { o.a = o.b = o.g; o.b++; ++o.a; o.c = Math.max(); o.d = Math.min(d.f, d.h, o.c, o.b, 0.1); }`,
		`function(d, o) { var x = d.f, y = (o.n != null) ? o.n : 0.5; x += d.h; y++; o.n = y; o.t = x; o.result += o.result; }`,
		`function(d, o) { o.x = d.f ? d.h : null; o.y = undefined !== d.f; o.z = null === d.h; o.count += (o.count = d.h); }`,
	}
	vm := goja.New()
	v, err := vm.RunString(engineSource)
	if err != nil {
		t.Fatal(err)
	}
	run, _ := goja.AssertFunction(v)
	normal, _ := goja.AssertFunction(must(vm.RunString(`(function(text) { return JSON.stringify(JSON.parse(text)); })`)))
	thrown, agreed := 0, 0
	check := func(text, initial string) {
		t.Helper()
		key := pick(r, `[]`, `["g"]`, `["f"]`, `["g","h"]`, `["count"]`)
		var docs []string
		for range r.IntN(6) {
			docs = append(docs, jsDocument(r))
		}
		all := "[" + strings.Join(docs, ",") + "]"
		got, gotErr := group(t, groupBody(key, initial, text), docs)
		want, wantErr := run(goja.Undefined(), vm.ToValue(text), vm.ToValue(all), vm.ToValue(key), vm.ToValue(initial))
		if wantErr == nil && strings.Contains(want.String(), `"0x-`) {
			return // goja takes it for a number; the language has no sign behind 0x
		}
		if wantErr != nil {
			thrown++
			var e *query.ReduceError
			if !errors.As(gotErr, &e) {
				t.Fatalf("%s over %s: %s, %v; want the error %v", text, all, got, gotErr, wantErr)
			}
			return
		}
		if gotErr != nil {
			t.Fatalf("%s over %s: %v; want %s", text, all, gotErr, want)
		}
		if has := must(normal(goja.Undefined(), vm.ToValue(got))); has.String() != want.String() {
			t.Fatalf("%s over %s by %s from %s: %s; want %s", text, all, key, initial, got, want)
		}
		agreed++
	}
	for range rounds {
		for _, s := range sdkReducers {
			check(s.of("f"), s.initial)
		}
		for _, text := range more {
			check(text, pick(r, `{}`, `{"result":0,"count":0}`, `{"result":"a","a":null,"b":[1,"x"],"0":{}}`, `{"b":true,"count":"1"}`))
		}
	}
	t.Logf("figure: %d aggregations agree with JavaScript, %d end in its error", agreed, thrown)
	if thrown == 0 || thrown > agreed {
		t.Errorf("%d of %d ended in an error: the test looks at one side only", thrown, thrown+agreed)
	}
}

func must(v goja.Value, err error) goja.Value {
	if err != nil {
		panic(err)
	}
	return v
}

// jsDocument makes a document of fields that JavaScript converts in every way.
func jsDocument(r *rand.Rand) string {
	value := func() string {
		switch r.IntN(5) {
		case 0:
			return fmt.Sprint(r.IntN(20) - 10)
		case 1:
			return pick(r, `0.1`, `0.2`, `1e21`, `1e-7`, `123456789.125`, `1.7976931348623157e308`, `5e-324`, `-0`, `0.000001`, `100000000000000000000`, `2147483648`, `9007199254740991`)
		case 2:
			return pick(r, `"1"`, `" 2.5\n"`, `""`, `"x"`, `"Infinity"`, `"-Infinity"`, `"infinity"`, `"0x1F"`, `"0b11"`, `"1_000"`, `"1e3"`, `".5"`, `"5."`, `"."`, `"-"`, `"+1"`, `"é\u2028\u0001"`, `"nan"`, `"-0"`)
		case 3:
			return pick(r, `null`, `true`, `false`, `[]`, `[5]`, `[1,[2,null]]`, `{}`, `{"a":1}`, `["x",{}]`)
		}
		if r.IntN(10) == 0 {
			return pick(r, `{"toString":1}`, `[{"toString":null}]`, `{"valueOf":3}`)
		}
		return fmt.Sprint(r.NormFloat64() * 1000)
	}
	var members []string
	for _, name := range []string{"f", "h", "g", "count"} {
		switch {
		case r.IntN(6) == 0:
		case name == "g":
			members = append(members, `"g":`+pick(r, `"x"`, `"y"`, `1`, `null`, `true`, `{"a":1}`))
		default:
			members = append(members, fmt.Sprintf(`%q:%s`, name, value()))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// FuzzGroup: no body and no reducer makes a panic, and what is understood ends
// as JavaScript does.
func FuzzGroup(f *testing.F) {
	for _, s := range sdkReducers {
		f.Add([]byte(groupBody(`{"g":true}`, s.initial, s.of("f"))), []byte(sdkDocs[0]))
	}
	f.Add([]byte(`{"key":["a.b"],"initial":{"x":1},"condition":{"a":{"$gt":1}}}`), []byte(`{"a":[{"b":1}]}`))
	f.Fuzz(func(t *testing.T, body, text []byte) {
		v, err := document.Parse(body, document.Query)
		if err != nil {
			return
		}
		d, err := document.Parse(text, document.Body)
		if err != nil || d.Kind() != document.Object {
			return
		}
		g, err := query.ParseGroup(v)
		var limit *query.LimitError
		if err != nil {
			if !errors.As(err, &limit) {
				checkError(t, err)
			}
			return
		}
		if _, err := g.Each(&list{docs: []document.Value{d, d}}, func(int, []byte, document.Value) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if !g.Native() {
			return
		}
		answer, err := g.Run(nil, &list{docs: []document.Value{d, d}})
		var reduce *query.ReduceError
		if err != nil {
			if !errors.As(err, &limit) && !errors.As(err, &reduce) {
				t.Fatalf("%s: %T %v", body, err, err)
			}
			return
		}
		if a, err := document.Parse(answer, document.Rules{Depth: 64, Members: 4000, NumberBytes: 64}); err != nil || a.Kind() != document.Array {
			t.Fatalf("%s answers %s: %v", body, answer, err)
		}
		if g.Reduce() == "" {
			return
		}
		vm := goja.New()
		if _, err := vm.RunString("(" + g.Reduce() + ")"); err != nil {
			t.Fatalf("understood what is no JavaScript: %q: %v", g.Reduce(), err)
		}
	})
}

package engine_test

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Operators that are unknown or forbidden are refused wherever they stand.
// Guards: query.operators, parser.literal, document.Body.Storable.
func TestAttackOperatorInjection(t *testing.T) {
	s := start(t)
	victim, mallory := s.signUp("victim"), s.signUp("mallory")
	attackDiary(s, victim, "a", `{}`)
	bad := []string{
		`{"$where":"1"}`, `{"$expr":{"$eq":[1,1]}}`, `{"$function":{}}`, `{"x":{"$where":"sleep(1)"}}`, `{"x":{"$expr":1}}`, `{"$jsonSchema":{}}`, `{"$text":{"$search":"s"}}`,
		`{"x":{"$bad":1}}`, `{"$bad":1}`, `{"$or":[{"$where":"1"}]}`, `{"$and":[{"x":{"$bad":1}}]}`, `{"$or":[{"$and":[{"$or":[{"$where":"1"}]}]}]}`, `{"x":{"$in":[{"$where":"1"}]}}`,
		`{"x":{"$eq":{"$where":"1"}}}`, `{"x":{"y":{"$where":"1"}}}`, `{"x":[{"$gt":0}]}`, `{"x":{"$gt":0,"y":1}}`, `{"x":{"y":1,"$gt":0}}`, `{"\u0024where":"1"}`, `{"x":{"\u0024where":"1"}}`, `{"x":{"$Where":1}}`, `{"x":{"$ne":{"$bad":1}}}`,
		`{"$":1}`, `{"x":{"$":1}}`, `{"$or":{}}`, `{"$or":[]}`, `{"$or":[1]}`, `{"$and":"x"}`, `{"x":{"$in":{}}}`, `{"x":{"$in":"abc"}}`, `{"x":{"$exists":"yes"}}`, `{"x":{"$regex":"("}}`, `{"x":{"$options":"i"}}`, `{"$comment":"x"}`, `{"x":{"$mod":[0,0]}}`,
		`{"$lookup":{}}`, `{"$merge":{}}`, `{"$out":"x"}`, `{"x":{"$set":1}}`, `[]`, `"x"`, `1`, `null`, `true`, `{`, `{"x":1}}`, `{"x":1,"x":2}`, `{"x":1,"\u0078":2}`, `{'x':1}`, `{x:1}`,
		`{"x":` + strings.Repeat(`{"$eq":`, 20) + `1` + strings.Repeat(`}`, 21), strings.Repeat(`{"$and":[`, 20) + `{}` + strings.Repeat(`]}`, 20),
		`{"x":{"$in":[` + strings.Repeat("1,", 10_000) + `1]}}`,
	}
	for _, q := range bad {
		for _, r := range [][2]string{{"GET", ""}, {"GET", "/_count"}, {"DELETE", ""}} {
			for _, who := range []string{mallory.session(), asMaster} {
				a := s.do(r[0], "/appdata/"+kid+"/diary"+r[1]+"?query="+url.QueryEscape(q), who, "")
				if a.status != 400 {
					t.Errorf("%s %s %.80s: %d %s", r[0], r[1], q, a.status, a.body)
				}
			}
		}
		if a := s.do("GET", "/user/"+kid+"?query="+url.QueryEscape(q), mallory.session(), ""); a.status != 400 {
			t.Errorf("users %.80s: %d %s", q, a.status, a.body)
		}
		if a := s.do("POST", "/user/"+kid+"/_lookup", mallory.session(), q); a.status != 400 {
			t.Errorf("lookup %.80s: %d %s", q, a.status, a.body)
		}
	}
	for _, q := range []string{`{"username":{"$where":"1"}}`, `{"username":{"$bad":1}}`, `{"username":{"$regex":"("}}`, `{"$where":"1"}`, `{"$or":[{"username":{"$expr":1}}]}`} {
		if a := s.do("POST", "/user/"+kid+"/_lookup", mallory.session(), q); a.status != 400 {
			t.Errorf("lookup %s: %d %s", q, a.status, a.body)
		}
	}
	for _, sort := range []string{`{"x":{"$gt":1}}`, `{"$where":1}`, `{"x":2}`, `{"x":"up"}`, `[]`, `{"x":1,"x":-1}`, `{"x":null}`} {
		if a := s.do("GET", "/appdata/"+kid+"/diary?sort="+url.QueryEscape(sort), mallory.session(), ""); a.status != 400 {
			t.Errorf("sort %s: %d %s", sort, a.status, a.body)
		}
	}
	for _, window := range []string{"skip=-1", "limit=-1", "limit=1e3", "skip=x", "limit=99999999999999999999", "skip=%00", "limit=1.5", "skip=+1"} {
		if a := s.do("GET", "/appdata/"+kid+"/diary?"+window, mallory.session(), ""); a.status != 400 {
			t.Errorf("%s: %d %s", window, a.status, a.body)
		}
	}
	for _, body := range []string{`{"$set":{"x":1}}`, `{"x":{"$inc":1}}`, `{"x":[{"$ref":"y"}]}`, `{"a.b":1}`, `{"x":{"_acl.gr":true}}`, `{"\u0024x":1}`, `{"a\u002eb":1}`, `{"x\u0000":1}`} {
		if a := s.do("PUT", "/appdata/"+kid+"/diary/new", mallory.session(), body); a.status != 400 {
			t.Errorf("body %s: %d %s", body, a.status, a.body)
		}
	}
}

// A login takes two strings. Guard: credentialsIn in users.go.
func TestAttackLoginWithOtherThanStrings(t *testing.T) {
	s := start(t)
	attackEvilApp(s)
	s.signUp("victim")
	if err := s.e.CreateOperator("op@example.org", "pw"); err != nil {
		t.Fatal(err)
	}
	values := []string{`{"$ne":null}`, `{"$gt":""}`, `{"$regex":"^v"}`, `{"$exists":true}`, `["victim"]`, `true`, `1`, `null`, `[]`, `{}`, `{"$in":["victim"]}`}
	for _, v := range values {
		for _, body := range []string{`{"username":"victim","password":` + v + `}`, `{"username":` + v + `,"password":"victim"}`, `{"username":` + v + `,"password":` + v + `}`} {
			a := s.do("POST", "/user/"+kid+"/login", asApp, body)
			if a.status != 400 {
				t.Errorf("%s: %d %s", body, a.status, a.body)
			}
			a = s.do("POST", "/session", "", strings.ReplaceAll(body, "username", "email"))
			if a.status != 400 {
				t.Errorf("operator: %s: %d %s", body, a.status, a.body)
			}
		}
		if a := s.do("POST", "/rpc/"+kid+"/check-username-exists", asApp, `{"username":`+v+`}`); a.status != 400 {
			t.Errorf("exists %s: %d %s", v, a.status, a.body)
		}
		if a := s.do("POST", "/user/"+kid, asApp, `{"username":`+v+`,"password":"x"}`); a.status != 400 && v != "null" {
			t.Errorf("sign-up %s: %d %s", v, a.status, a.body)
		}
	}
	for _, body := range []string{`{"username":"victim","password":"x","password":"victim"}`, `{"username":"x","\u0075sername":"victim","password":"victim"}`, `{"Username":"victim","Password":"victim"}`, `[]`, `"victim"`, `null`, ``} {
		if a := s.do("POST", "/user/"+kid+"/login", asApp, body); a.status != 400 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// JSON that is out of bounds or not JSON is 400 at once, wherever it is sent.
// Guards: document.Rules (Body, Query) and the scanner.
func TestAttackJSONBombs(t *testing.T) {
	s := start(t)
	mallory := s.signUp("mallory")
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":0,`, i)
		}
		return "{" + strings.TrimSuffix(b.String(), ",") + "}"
	}
	deep := func(open, inner, shut string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
	}
	bombs := map[string]string{
		"depth 33":         deep(`{"a":`, `1`, `}`, 33),
		"arrays 32 deep":   `{"a":` + deep(`[`, ``, `]`, 32) + `}`,
		"100,000 brackets": `{"a":` + strings.Repeat(`[`, 100_000),
		"300,000 objects":  strings.Repeat(`{"a":`, 150_000),
		"1,001 members":    wide(1001),
		"1,001 inside":     `{"a":[` + wide(1001) + `]}`,
		"65 digits":        `{"a":1` + strings.Repeat("0", 64) + `}`,
		"long fraction":    `{"a":0.` + strings.Repeat("1", 100_000) + `}`,
		"long exponent":    `{"a":1e` + strings.Repeat("9", 70) + `}`,
		"duplicate":        `{"a":1,"a":1}`, "duplicate escaped": `{"a":1,"\u0061":1}`, "duplicate inside": `{"x":[{"y":{"a":1,"a":2}}]}`, "duplicate empty": `{"":1,"":2}`,
		"NaN": `{"a":NaN}`, "Infinity": `{"a":Infinity}`, "plus": `{"a":+1}`, "octal": `{"a":01}`, "hex": `{"a":0x1}`, "dot": `{"a":.5}`, "open dot": `{"a":1.}`, "open e": `{"a":1e}`, "minus": `{"a":-}`,
		"lone surrogate": `{"a":"\ud800"}`, "low surrogate": `{"a":"\udc00"}`, "surrogates swapped": `{"a":"\udc00\ud800"}`, "surrogate in a key": `{"\ud800":1}`, "bad UTF-8": "{\"a\":\"\xff\"}", "overlong": "{\"a\":\"\xc0\xaf\"}", "CESU": "{\"a\":\"\xed\xa0\x80\xed\xb0\x80\"}",
		"raw control": "{\"a\":\"\x01\"}", "raw newline": "{\"a\":\"\n\"}", "NUL": "{\"a\":1}\x00", "BOM": "\ufeff{}", "two values": `{}{}`, "trailing": `{} x`, "comment": `{/**/}`, "comma": `{"a":1,}`, "single quotes": `{'a':1}`, "bare key": `{a:1}`, "unclosed": `{"a":"`, "bad escape": `{"a":"\x41"}`, "short escape": `{"a":"\u12"}`, "UTF-16": "\xff\xfe{\x00}\x00", "only space": " ",
	}
	for name, body := range bombs {
		for _, r := range [][2]string{{"POST", "/appdata/" + kid + "/c"}, {"PUT", "/appdata/" + kid + "/c/x"}, {"POST", "/user/" + kid + "/_lookup"}, {"PUT", "/user/" + kid + "/" + mallory.id}, {"PUT", "/group/" + kid + "/x"}} {
			if a := s.do(r[0], r[1], mallory.session(), body); a.status != 400 {
				t.Errorf("%s: %s %s: %d %.100s", name, r[0], r[1], a.status, a.body)
			}
		}
		if a := s.do("POST", "/user/"+kid, asApp, body); a.status != 400 {
			t.Errorf("%s: sign-up: %d %.100s", name, a.status, a.body)
		}
		if q := url.QueryEscape(body); len(q) < 120_000 {
			if a := s.do("GET", "/appdata/"+kid+"/c?query="+q, mallory.session(), ""); a.status != 400 && name != "only space" {
				t.Errorf("%s: query: %d %.100s", name, a.status, a.body)
			}
		}
	}
	for name, body := range map[string]string{"depth 32": deep(`{"a":`, `1`, `}`, 32), "1,000 members": wide(1000), "64 digits": `{"a":1` + strings.Repeat("0", 63) + `}`} {
		if a := s.do("POST", "/appdata/"+kid+"/c", mallory.session(), body); a.status != 201 {
			t.Errorf("%s: %d %.100s", name, a.status, a.body)
		}
	}
	s.want(s.do("GET", "/appdata/"+kid+"/c/x", asMaster, ""), 404, "EntityNotFound")
}

// Numbers are read back byte by byte as they were sent, and compared exactly
// and quickly however large they are.
func TestAttackNumbers(t *testing.T) {
	s := start(t)
	mallory := s.signUp("mallory")
	numbers := []string{"9007199254740993", "9007199254740992", "1e400", "-1e400", "-0", "0", "-0.0", "1.10", "1.1", "1E+2", "1e-999999999999999999", "1e999999999999999999", "-1e99999999999999999999999999", "0e999999999999999999999", "123456789012345678901234567890.123456789", "1e1000000000", "1e999999999"}
	path := "/appdata/" + kid + "/n"
	for i, n := range numbers {
		text := `"n":` + n + `,"deep":[{"x":[` + n + `]}]`
		a := s.want(s.do("PUT", fmt.Sprintf("%s/n%d", path, i), mallory.session(), `{`+text+`}`), 201, "")
		b := s.want(s.do("GET", fmt.Sprintf("%s/n%d", path, i), mallory.session(), ""), 200, "")
		c := s.want(s.do("GET", fmt.Sprintf("%s?fields=n,deep&query=%s", path, url.QueryEscape(fmt.Sprintf(`{"_id":"n%d"}`, i))), mallory.session(), ""), 200, "")
		for _, got := range []answer{a, b, c} {
			if !bytes.Contains(got.body, []byte(text)) {
				t.Errorf("%s came back as %s", n, got.body)
			}
		}
	}
	for i, n := range numbers {
		got := ids(t, s.want(s.do("GET", attackQuery("n", `{"n":`+n+`}`), mallory.session(), ""), 200, ""))
		if !slices.Contains(got, fmt.Sprintf("n%d", i)) {
			t.Errorf("%s does not equal itself: %v", n, got)
		}
		s.want(s.do("GET", attackQuery("n", `{"n":{"$gt":`+n+`}}`), mallory.session(), ""), 200, "")
	}
	if got := ids(t, s.do("GET", attackQuery("n", `{"n":9007199254740993}`), mallory.session(), "")); !slices.Equal(got, []string{"n0"}) {
		t.Errorf("9007199254740993 equals %v", got)
	}
	got := ids(t, s.want(s.do("GET", path+`?sort=n`, mallory.session(), ""), 200, ""))
	if len(got) != len(numbers) || got[0] != "n12" || got[len(got)-1] != "n11" {
		t.Errorf("in order: %v", got)
	}
	for _, g := range []string{`[1e400,0]`, `[0,91]`, `[-180.0000001,0]`, `["0","0"]`, `[0]`, `[0,0,0]`, `{"lat":1}`, `true`} {
		s.want(s.do("POST", path, mallory.session(), `{"_geoloc":`+g+`}`), 400, "ParameterValueOutOfRange")
	}
}

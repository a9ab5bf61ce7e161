package acl

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// names returns the text of an array of n names.
func names(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`"u",`, n), ",") + "]"
}

var aclTexts = []struct {
	says, text string
	want       *ACL // what is read when bad is empty
	bad        string
}{
	{says: "nothing", text: ``},
	{says: "white space", text: " \n"},
	{says: "null", text: ` null `},
	{says: "no members", text: `{}`, want: &ACL{}},
	{says: "only a creator", text: `{"creator":"a"}`, want: by("a")},
	{says: "the guide's example",
		text: `{"creator":"u1","gr":true,"gw":false,"r":["u2","u3"],"w":["u4","u5"],"groups":{"r":["g1","g5"],"w":["g3","g4"]}}`,
		want: &ACL{"u1", On, Off, []string{"u2", "u3"}, []string{"u4", "u5"}, []string{"g1", "g5"}, []string{"g3", "g4"}}},
	{says: "white space everywhere", text: " { \"gr\" :\ttrue , \"r\" : [ \"a\" ,\n\"b\" ] , \"groups\" : { } } ",
		want: &ACL{GR: On, Readers: []string{"a", "b"}}},
	{says: "nulls are absent", text: `{"creator":null,"gr":null,"gw":null,"r":null,"w":null,"groups":null}`, want: &ACL{}},
	{says: "null lists of groups", text: `{"groups":{"r":null,"w":null}}`, want: &ACL{}},
	{says: "empty lists", text: `{"r":[],"w":[ ],"groups":{"r":[],"w":[]}}`, want: &ACL{}},
	{says: "switches in quotes", text: `{"gr":"false","gw":"true"}`, want: &ACL{GR: Off, GW: On}},
	{says: "escapes in keys and names", text: `{"\u0063reator":"\u0061\ud83d\ude00\"\\\/\b\f\n\r\t","\u0072":["\u00e9"]}`,
		want: &ACL{Creator: "a\U0001F600\"\\/\b\f\n\r\t", Readers: []string{"é"}}},
	{says: "an empty name", text: `{"creator":"","r":[""]}`, want: &ACL{Readers: []string{""}}},
	{says: "a name twice in a list", text: `{"r":["a","a"]}`, want: &ACL{Readers: []string{"a", "a"}}},
	{says: "as many names as may be", text: `{"r":` + names(MaxPrincipals-1) + `,"groups":{"w":["g"]}}`,
		want: &ACL{Readers: slices.Repeat([]string{"u"}, MaxPrincipals-1), WriterGroups: []string{"g"}}},

	// The exact names must be passed: others grant nothing.
	{says: "other case", text: `{"Creator":"m","CREATOR":"m","GR":true,"Gw":true,"R":["m"],"W":["m"],"Groups":{"r":["m"]}}`, want: &ACL{}},
	{says: "other case beside the right one", text: `{"gr":false,"GR":true,"creator":"a","Creator":"m"}`, want: by("a", gr(Off))},
	{says: "other case inside groups", text: `{"groups":{"R":["m"],"W":["m"]}}`, want: &ACL{}},
	{says: "unknown members of any type", text: `{"roles":{"r":["m"]},"readers":["m"],"globalRead":true,"x":[[{"r":["m"]},"}",1e5]],"gr ":true}`, want: &ACL{}},
	{says: "unknown members twice", text: `{"x":1,"x":2}`, bad: "the whole"},

	{says: "not JSON", text: `{"gr":true`, bad: "the whole"},
	{says: "two values", text: `{} {}`, bad: "the whole"},
	{says: "an array", text: `[]`, bad: "the whole"},
	{says: "a string", text: `"creator"`, bad: "the whole"},
	{says: "true", text: `true`, bad: "the whole"},
	{says: "a number", text: `0`, bad: "the whole"},
	{says: "creator a number", text: `{"creator":1}`, bad: "creator"},
	{says: "creator an array", text: `{"creator":["a"]}`, bad: "creator"},
	{says: "creator half a surrogate pair", text: `{"creator":"\ud800"}`, bad: "the whole"},
	{says: "creator two first halves", text: `{"creator":"\ud800\ud800"}`, bad: "the whole"},
	{says: "creator a second half first", text: `{"creator":"\udc00\ud800"}`, bad: "the whole"},
	{says: "creator half a pair before what is no escape", text: `{"creator":"\ud800xxdc00"}`, bad: "the whole"},
	{says: "creator not UTF-8", text: "{\"creator\":\"\xff\"}", bad: "the whole"},
	{says: "a key that is not UTF-8", text: "{\"\xff\":1}", bad: "the whole"},
	{says: "gr a number", text: `{"gr":1}`, bad: "gr"},
	{says: "gr another string", text: `{"gr":"True"}`, bad: "gr"},
	{says: "gr null in quotes", text: `{"gr":"null"}`, bad: "gr"},
	{says: "gr an empty string", text: `{"gr":""}`, bad: "gr"},
	{says: "gw an array", text: `{"gw":[true]}`, bad: "gw"},
	{says: "r a string", text: `{"r":"a"}`, bad: "r"},
	{says: "r an object", text: `{"r":{"0":"a"}}`, bad: "r"},
	{says: "r of numbers", text: `{"r":[1]}`, bad: "r"},
	{says: "w with a null", text: `{"w":["a",null]}`, bad: "w"},
	{says: "w of lists", text: `{"w":[["a"]]}`, bad: "w"},
	{says: "groups an array", text: `{"groups":["g"]}`, bad: "groups"},
	{says: "groups.r a string", text: `{"groups":{"r":"g"}}`, bad: "groups.r"},
	{says: "groups.w of booleans", text: `{"groups":{"w":[true]}}`, bad: "groups.w"},
	{says: "creator twice", text: `{"creator":"a","creator":"b"}`, bad: "the whole"},
	{says: "gr twice, once escaped", text: `{"gr":false,"\u0067r":true}`, bad: "the whole"},
	{says: "groups.r twice", text: `{"groups":{"r":[],"r":["g"]}}`, bad: "the whole"},
	{says: "too many readers", text: `{"r":` + names(MaxPrincipals+1) + `}`, bad: "r: too many"},
	{says: "too many together", text: `{"r":` + names(MaxPrincipals) + `,"groups":{"w":["g"]}}`, bad: "groups.w: too many"},
}

func TestParse(t *testing.T) {
	for _, c := range aclTexts {
		t.Run(c.says, func(t *testing.T) {
			got, err := Parse([]byte(c.text))
			if c.bad != "" {
				var pe *ParseError
				if got != nil || !errors.As(err, &pe) || !strings.HasPrefix(err.Error(), "acl: "+c.bad) ||
					pe.TooMany != strings.Contains(c.bad, "too many") {
					t.Fatalf("Parse = %+v, %v; want an error about %q", got, err, c.bad)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("Parse = %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestParseKeepsNothingOfItsArgument(t *testing.T) {
	raw := []byte(`{"creator":"alice","r":["bob"],"groups":{"r":["staff"]}}`)
	a, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	bin := a.AppendBinary(nil)
	b, _, err := DecodeBinary(bin)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw)
	clear(bin)
	if want := by("alice", readers("bob"), rGroups("staff")); !a.Equal(want) || !b.Equal(want) {
		t.Errorf("after the buffers were overwritten: %+v, %+v; want %+v", a, b, want)
	}
}

func TestParseGroup(t *testing.T) {
	for _, c := range []struct {
		says, text string
		want       *GroupDef
	}{
		{"the documented form", `{"_id":"g1","users":{"all":false,"list":[{"_type":"KinveyRef","_collection":"user","_id":"u1"}]},"groups":[{"_type":"KinveyRef","_collection":"group","_id":"g2"}]}`,
			&GroupDef{Users: []string{"u1"}, Groups: []string{"g2"}}},
		{"no members", `{}`, &GroupDef{}},
		{"only a name", `{"_id":"g1","name":"all","description":"true"}`, &GroupDef{}},
		{"users empty", `{"users":{}}`, &GroupDef{}},
		{"nulls", `{"users":null,"groups":null,"all":null}`, &GroupDef{}},
		{"nulls inside users", `{"users":{"all":null,"isAll":null,"list":null}}`, &GroupDef{}},
		{"plain ids", `{"users":{"list":["u1","u2"]},"groups":["g2"]}`, &GroupDef{Users: []string{"u1", "u2"}, Groups: []string{"g2"}}},
		{"references with an id only", `{"users":{"list":[{"_id":"u1"}]},"groups":[{"_id":"g2"}]}`, &GroupDef{Users: []string{"u1"}, Groups: []string{"g2"}}},
		{"users.all", `{"users":{"all":true}}`, &GroupDef{All: true}},
		{"users.all in quotes", `{"users":{"all":"true"}}`, &GroupDef{All: true}},
		{"users.all false in quotes", `{"users":{"all":"false"}}`, &GroupDef{}},
		{"users.isAll", `{"users":{"isAll":true,"list":["u1"]}}`, &GroupDef{All: true, Users: []string{"u1"}}},
		{"all", `{"all":"true"}`, &GroupDef{All: true}},
		{"one alias says yes, one no", `{"all":true,"users":{"all":false}}`, &GroupDef{All: true}},
		{"other case", `{"All":true,"Users":{"all":true},"users":{"ALL":true,"List":["u1"]},"GROUPS":["g2"],"isAll":true}`, &GroupDef{}},

		{"nothing", ``, nil},
		{"null", `null`, nil},
		{"an array", `[]`, nil},
		{"not JSON", `{`, nil},
		{"users an array", `{"users":["u1"]}`, nil},
		{"users.all a number", `{"users":{"all":1}}`, nil},
		{"users.all another string", `{"users":{"all":"yes"}}`, nil},
		{"users.list an object", `{"users":{"list":{"_id":"u1"}}}`, nil},
		{"users.list of numbers", `{"users":{"list":[1]}}`, nil},
		{"users.list with a null", `{"users":{"list":[null]}}`, nil},
		{"a reference without an id", `{"users":{"list":[{"_type":"KinveyRef"}]}}`, nil},
		{"a reference with a numeric id", `{"users":{"list":[{"_id":1}]}}`, nil},
		{"a group among the users", `{"users":{"list":[{"_collection":"group","_id":"g2"}]}}`, nil},
		{"a user among the groups", `{"groups":[{"_collection":"user","_id":"u1"}]}`, nil},
		{"groups an object", `{"groups":{"_id":"g2"}}`, nil},
		{"users twice", `{"users":{},"users":{"all":true}}`, nil},
		{"all twice", `{"all":false,"all":true}`, nil},
	} {
		t.Run(c.says, func(t *testing.T) {
			got, err := ParseGroup([]byte(c.text))
			var pe *ParseError
			if c.want == nil && (got != nil || !errors.As(err, &pe) || pe.TooMany) {
				t.Errorf("ParseGroup = %+v, %v; want a *ParseError", got, err)
			}
			if c.want != nil && (err != nil || !reflect.DeepEqual(got, c.want)) {
				t.Errorf("ParseGroup = %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestAppendText(t *testing.T) {
	for _, c := range []struct{ says, raw, creator, want string }{
		{"nothing sent", ``, "a", `{"creator":"a"}`},
		{"null sent", `null`, "a", `{"creator":"a"}`},
		{"no members", `{}`, "a", `{"creator":"a"}`},
		{"no creator: it comes first", `{"gr":true,"r":[]}`, "a", `{"creator":"a","gr":true,"r":[]}`},
		{"a forged creator is written over in its place", `{"gr":true,"creator":"mallory","gw":false}`, "a", `{"gr":true,"creator":"a","gw":false}`},
		{"also when spelled with escapes", `{"\u0063reator":"mallory"}`, "a", `{"creator":"a"}`},
		{"also when null", `{"gr":true,"creator":null}`, "a", `{"gr":true,"creator":"a"}`},
		{"order and unknown members stay", `{"z":{"creator":"x"},"Creator":"y","w":[ "b" ],"a":[1.0,null]}`, "a",
			`{"creator":"a","z":{"creator":"x"},"Creator":"y","w":[ "b" ],"a":[1.0,null]}`},
		{"the creator needs quoting", `{}`, "a\"\\\n\x01é", `{"creator":"a\"\\\n\u0001é"}`},
		{"no creator to set", `{"creator":"mallory","gr":true}`, "", `{"gr":true}`},
		{"not an object", `["creator"]`, "a", `{"creator":"a"}`},
	} {
		if got := string(AppendText([]byte("<"), []byte(c.raw), c.creator)); got != "<"+c.want {
			t.Errorf("%s: AppendText(%s, %q) = %s; want <%s", c.says, c.raw, c.creator, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range aclTexts {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := Parse(raw)
		if err != nil {
			if a != nil {
				t.Fatalf("both an ACL and the error %v", err)
			}
			return
		}
		if a == nil {
			if s := strings.TrimSpace(string(raw)); s != "" && s != "null" {
				t.Fatalf("no ACL from %q", raw)
			}
			return
		}
		// A second reading, by other means: a map has exact keys, too.
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("read what is not JSON: %v", err)
		}
		if s, _ := m["creator"].(string); s != a.Creator {
			t.Errorf("creator %q; want %q", a.Creator, s)
		}
		list, _ := m["r"].([]any)
		if len(list) != len(a.Readers) {
			t.Errorf("%d readers; want %d", len(a.Readers), len(list))
		}
		for i, name := range a.Readers {
			if list[i] != name {
				t.Errorf("reader %d is %q; want %q", i, name, list[i])
			}
		}
		if m["gr"] == nil != (a.GR == Unset) {
			t.Errorf("gr is %d; the text has %v", a.GR, m["gr"])
		}
		// What is stored says the same, except whose it is.
		text := AppendText(nil, raw, "set")
		b, err := Parse(text)
		if err != nil || b.Creator != "set" || !a.SameGrants(b) {
			t.Errorf("stored as %s: %+v, %v; want the grants of %+v", text, b, err, a)
		}
		checkBinary(t, a)
	})
}

func FuzzParseGroup(f *testing.F) {
	for _, s := range []string{
		`{"_id":"g1","users":{"all":"true","list":[{"_type":"KinveyRef","_collection":"user","_id":"u1"},"u2"]},"groups":[{"_id":"g1"}]}`,
		`{"all":true}`, `{"users":{"isAll":false}}`, `{"groups":["g","g"]}`, `{"users":[]}`, `null`, `{`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		def, err := ParseGroup(raw)
		if (def == nil) == (err == nil) {
			t.Fatalf("ParseGroup = %+v, %v", def, err)
		}
		if def == nil {
			return
		}
		g := (*Groups)(nil).With("g", def).With("outer", &GroupDef{Groups: []string{"g"}})
		for _, u := range def.Users {
			if m := g.Of(u); u != "" && (!m.Has("g") || !m.Has("outer")) {
				t.Errorf("%q is not in the group that lists him", u)
			}
		}
		if g.Of("somebody else").Has("outer") != (def.All || slices.Contains(def.Users, "somebody else")) {
			t.Errorf("somebody else is in a group with all %v", def.All)
		}
	})
}

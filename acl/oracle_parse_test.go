package acl

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"postern/acl/oracle"
)

// The texts that people send as _acl and as groups: what acl reads in them
// must be what encoding/json reads in them. Only texts that a strict parser
// lets through are made: no member comes twice.

func TestOracleReadsTheSameACL(t *testing.T) {
	seed := randomSeed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	good := 0
	for i := range 20000 {
		text := randomACLText(r)
		want, wantErr := oracle.ReadACL([]byte(text))
		got, err := Parse([]byte(text))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("POSTERN_SEED=%d, text %d: Parse(%s) = %v; the oracle says %v", seed, i, text, err, wantErr)
		}
		if err != nil {
			var parse *ParseError
			if !errors.As(err, &parse) {
				t.Fatalf("Parse(%s) = %T; want a *ParseError", text, err)
			}
			continue
		}
		good++
		if (got == nil) != (want == nil) {
			t.Fatalf("POSTERN_SEED=%d, text %d: Parse(%s) = %v; want %v", seed, i, text, got, want)
		}
		if want == nil {
			continue
		}
		if diff := sameACL(got, want); diff != "" {
			t.Fatalf("POSTERN_SEED=%d, text %d: Parse(%s): %s", seed, i, text, diff)
		}
		stored := AppendText([]byte("+"), []byte(text), "the creator")
		checkStoredText(t, text, stored)
	}
	if good < 2000 {
		t.Errorf("only %d of the texts were good ones", good)
	}
}

// sameACL says how got differs from what the oracle read, or nothing. Order
// and repetition in the lists mean nothing.
func sameACL(got *ACL, want *oracle.ACL) string {
	if got.Creator != want.Creator {
		return fmt.Sprintf("creator %q; want %q", got.Creator, want.Creator)
	}
	w := toACL(want)
	if got.GR != w.GR || got.GW != w.GW {
		return fmt.Sprintf("gr, gw = %v, %v; want %v, %v", got.GR, got.GW, want.GR, want.GW)
	}
	for _, l := range []struct {
		name      string
		got, want []string
	}{
		{"r", got.Readers, want.R},
		{"w", got.Writers, want.W},
		{"groups.r", got.ReaderGroups, want.GroupsR},
		{"groups.w", got.WriterGroups, want.GroupsW},
	} {
		if !slices.Equal(asSet(l.got), asSet(l.want)) {
			return fmt.Sprintf("%s = %q; want %q", l.name, l.got, l.want)
		}
	}
	return ""
}

func asSet(list []string) []string {
	set := slices.Clone(list)
	slices.Sort(set)
	return slices.Compact(set)
}

// checkStoredText fails unless stored is a "+" and then the text with its
// members in their order and the creator set.
func checkStoredText(t *testing.T, text string, stored []byte) {
	t.Helper()
	if len(stored) == 0 || stored[0] != '+' {
		t.Fatalf("AppendText(%s) = %s; it does not append", text, stored)
	}
	stored = stored[1:]
	keys, values := members(t, []byte(text))
	if i := slices.Index(keys, "creator"); i >= 0 {
		values[i] = `"the creator"`
	} else {
		keys = append([]string{"creator"}, keys...)
		values = append([]string{`"the creator"`}, values...)
	}
	gotKeys, gotValues := members(t, stored)
	if !slices.Equal(gotKeys, keys) || !slices.Equal(gotValues, values) {
		t.Fatalf("AppendText(%s) = %s; want the members %q = %q", text, stored, keys, values)
	}
}

// members returns the names and the compact values of an object in order.
func members(t *testing.T, text []byte) (keys, values []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(text)))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		t.Fatalf("%s is not an object: %v", text, err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var value any
		if err := d.Decode(&value); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		compact, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		keys, values = append(keys, key.(string)), append(values, string(compact))
	}
	return keys, values
}

func TestOracleParseCountsPrincipals(t *testing.T) {
	list := func(n int) string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf(`"u%d"`, i)
		}
		return "[" + strings.Join(ids, ",") + "]"
	}
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{`{"r":` + list(10000) + `}`, true},
		{`{"r":` + list(10001) + `}`, false},
		{`{"r":` + list(5000) + `,"groups":{"w":` + list(5001) + `}}`, false},
	} {
		_, oracleErr := oracle.ReadACL([]byte(c.text))
		_, err := Parse([]byte(c.text))
		if (oracleErr == nil) != c.ok {
			t.Errorf("the oracle says %v to %.30s...", oracleErr, c.text)
		}
		var parse *ParseError
		if tooMany := errors.As(err, &parse) && parse.TooMany; tooMany == c.ok {
			t.Errorf("Parse(%.30s...) = %v; want ok %t", c.text, err, c.ok)
		}
	}
}

func TestOracleReadsTheSameGroup(t *testing.T) {
	seed := randomSeed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range 20000 {
		text := randomGroupText(r)
		want, wantErr := oracle.ReadGroup([]byte(text))
		got, err := ParseGroup([]byte(text))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("POSTERN_SEED=%d, text %d: ParseGroup(%s) = %v; the oracle says %v", seed, i, text, err, wantErr)
		}
		if err != nil {
			continue
		}
		if got.All != want.All || !slices.Equal(asSet(got.Users), asSet(want.Users)) || !slices.Equal(asSet(got.Groups), asSet(want.Groups)) {
			t.Fatalf("POSTERN_SEED=%d, text %d: ParseGroup(%s) = %+v; want %+v", seed, i, text, *got, want)
		}
	}
}

// Random texts

func randomACLText(r *rand.Rand) string {
	switch r.IntN(40) {
	case 0:
		return pick(r, "null", " null ", "[]", "true", `"a"`, "0", "{}", " {\n} ")
	}
	keys := []string{"creator", "gr", "gw", "r", "w", "groups", "Creator", "GR", "R", "Groups", "roles", "x", "_id", ""}
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var b strings.Builder
	b.WriteString(space(r) + "{")
	for i, k := range keys[:r.IntN(len(keys))] {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(space(r) + quoted(r, k) + space(r) + ":" + space(r))
		switch {
		case r.IntN(60) == 0:
			b.WriteString(anyText(r))
		case k == "creator":
			b.WriteString(pick(r, `"a"`, `"a"`, `""`, "null", quoted(r, "é\"\\/\n"), quoted(r, "b")))
		case k == "gr" || k == "gw":
			b.WriteString(pick(r, "true", "false", "null", `"true"`, `"false"`, quoted(r, "true")))
		case k == "r" || k == "w":
			b.WriteString(listText(r))
		case k == "groups":
			b.WriteString(groupsText(r))
		default:
			b.WriteString(anyText(r))
		}
		b.WriteString(space(r))
	}
	b.WriteString("}" + space(r))
	return b.String()
}

func groupsText(r *rand.Rand) string {
	if r.IntN(10) == 0 {
		return pick(r, "null", "{}")
	}
	keys := []string{"r", "w", "R", "read", "r "}
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var parts []string
	for _, k := range keys[:r.IntN(len(keys))] {
		value := listText(r)
		if k != "r" && k != "w" || r.IntN(60) == 0 {
			value = anyText(r)
		}
		parts = append(parts, space(r)+quoted(r, k)+":"+value)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func listText(r *rand.Rand) string {
	if r.IntN(10) == 0 {
		return pick(r, "null", "[]", "[ ]")
	}
	var parts []string
	for range r.IntN(4) {
		if r.IntN(80) == 0 {
			parts = append(parts, pick(r, "null", "1", "true", "[]", `{"_id":"a"}`, `["a"]`))
			continue
		}
		parts = append(parts, space(r)+quoted(r, pick(r, "a", "b", "c", "me!", "ü 𝄞", ""))+space(r))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func anyText(r *rand.Rand) string {
	return pick(r, "null", "true", "false", "1", "-2.5e3", `"true"`, `"True"`, `"x"`, `""`,
		"[]", `["a"]`, `[1,{"r":["a"]}]`, "{}", `{"r":["a"],"w":["b"]}`, `{"creator":"c"}`, `[[]]`)
}

func randomGroupText(r *rand.Rand) string {
	flag := func() string {
		if r.IntN(80) == 0 {
			return anyText(r)
		}
		return pick(r, "true", "false", "null", `"true"`, `"false"`)
	}
	refs := func(collection string) string {
		var parts []string
		for range r.IntN(4) {
			if r.IntN(60) == 0 {
				parts = append(parts, pick(r, "5", "[]", `["a"]`, "true", `{"_id":5}`, `{"_id":["a"]}`,
					`{"_type":"KinveyRef","_collection":"books","_id":"a"}`, `{"_collection":"user","_id":"a"}`, `{"_collection":"group","_id":"a"}`))
				continue
			}
			id := quoted(r, pick(r, "a", "b", "c", "ü"))
			parts = append(parts, pick(r, id, `{"_id":`+id+`}`,
				`{"_type":"KinveyRef","_collection":"`+collection+`","_id":`+id+`}`,
				`{"_id":`+id+`,"_collection":"`+collection+`","_type":"KinveyRef","_obj":{"_id":"x"}}`))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	var parts []string
	if r.IntN(4) == 0 {
		parts = append(parts, `"all":`+flag())
	}
	if r.IntN(2) == 0 {
		parts = append(parts, `"name":"a"`)
	}
	if r.IntN(5) > 0 {
		var users []string
		if r.IntN(3) == 0 {
			users = append(users, quoted(r, "all")+":"+flag())
		}
		if r.IntN(5) == 0 {
			users = append(users, `"isAll":`+flag())
		}
		if r.IntN(4) > 0 {
			users = append(users, `"list":`+pick(r, refs("user"), refs("user"), refs("user"), "null"))
		}
		parts = append(parts, `"users":`+pick(r, "{"+strings.Join(users, ",")+"}", "{"+strings.Join(users, ",")+"}", "null"))
	}
	if r.IntN(2) == 0 {
		parts = append(parts, quoted(r, "groups")+":"+pick(r, refs("group"), refs("group"), "null"))
	}
	parts = append(parts, `"Users":{"all":true}`, `"list":["z"]`)
	r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + strings.Join(parts, ", ") + "}"
}

// quoted writes a string in one of the ways JSON knows.
func quoted(r *rand.Rand, s string) string {
	escapeAll := r.IntN(8) == 0
	b := []byte{'"'}
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < 0x20 || escapeAll && c < 0x10000:
			b = fmt.Appendf(b, "\\u%04x", c)
		case escapeAll:
			c -= 0x10000
			b = fmt.Appendf(b, "\\u%04x\\u%04X", 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			b = append(b, string(c)...)
		}
	}
	return string(append(b, '"'))
}

func space(r *rand.Rand) string { return pick(r, "", "", "", "", " ", "\n", "\t ", "\r\n") }

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

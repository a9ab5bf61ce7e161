package ldap

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

func TestGUIDs(t *testing.T) {
	b := []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	const text = "00112233-4455-6677-8899-aabbccddeeff"
	if got, err := guidText(b); err != nil || got != text {
		t.Errorf("guidText = %s, %v; want %s", got, err, text)
	}
	if got, err := guidBytes(text); err != nil || !bytes.Equal(got, b) {
		t.Errorf("guidBytes = %x, %v; want %x", got, err, b)
	}
	for _, bad := range []string{"", text[1:], text + "0", strings.ToUpper(text), strings.ReplaceAll(text, "-", ""), "{" + text + "}", "0011-22334455-6677-8899-aabbccddeeff"} {
		if got, err := guidBytes(bad); err == nil {
			t.Errorf("guidBytes(%s) = %x", bad, got)
		}
	}
	for n := range 40 {
		if _, err := guidText(make([]byte, n)); (err == nil) != (n == 16) {
			t.Errorf("guidText of %d bytes: %v", n, err)
		}
	}
	if got, err := subjectFilter("OBJECTGUID", text); err != nil || got != `(objectGUID=\33\22\11\00\55\44\77\66\88\99\aa\bb\cc\dd\ee\ff)` {
		t.Errorf("subjectFilter = %s, %v", got, err)
	}
	if got, err := subjectFilter("entryUUID", "a)(*"); err != nil || got != `(entryUUID=a\29\28\2a)` {
		t.Errorf("subjectFilter = %s, %v", got, err)
	}
}

func TestFileTimes(t *testing.T) {
	at, never, err := fileTime("134404639396033950")
	if want := time.Date(2026, 11, 29, 22, 12, 19, 603395000, time.UTC); err != nil || never || !at.Equal(want) {
		t.Errorf("fileTime = %v, %v, %v; want %v", at, never, err, want)
	}
	if at, _, err := fileTime("1"); err != nil || at.Year() != 1601 {
		t.Errorf("fileTime = %v, %v; want 1601", at, err)
	}
	for _, text := range []string{"0", "9223372036854775807"} {
		if _, never, err := fileTime(text); !never || err != nil {
			t.Errorf("fileTime(%s) = %v, %v; want never", text, never, err)
		}
	}
	for _, text := range []string{"", "-1", "x", "9223372036854775808", "1.5"} {
		if _, _, err := fileTime(text); err == nil {
			t.Errorf("fileTime(%q) is no error", text)
		}
	}
}

func TestPrimaryGroups(t *testing.T) {
	user := []byte{1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 82, 4, 0, 0}
	got, err := sibling(user, "513")
	if err != nil || !bytes.Equal(got, []byte{1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 2, 0, 0}) || user[12] != 82 {
		t.Errorf("sibling = %v, %v", got, err)
	}
	for _, c := range []struct {
		sid    []byte
		number string
	}{{nil, "513"}, {user[:8], "513"}, {user[:15], "513"}, {append(bytes.Clone(user), 0), "513"}, {user, ""}, {user, "-1"}, {user, "4294967296"}, {append([]byte{2}, user[1:]...), "513"}} {
		if got, err := sibling(c.sid, c.number); err == nil {
			t.Errorf("sibling(%v, %q) = %v", c.sid, c.number, got)
		}
	}
}

func entryWith(namesAndValues ...string) *goldap.Entry {
	m := map[string][]string{}
	for i := 0; i < len(namesAndValues); i += 2 {
		m[namesAndValues[i]] = append(m[namesAndValues[i]], namesAndValues[i+1])
	}
	return goldap.NewEntry(alice, m)
}

func TestStatesOfAccounts(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	file := func(at time.Time) string { return fmt.Sprint(at.Unix()*10_000_000 + 116_444_736_000_000_000) }
	for _, c := range []struct {
		name   string
		ad     bool
		values []string
		want   string
	}{
		{"nothing said", false, nil, ""},
		{"nsAccountLock", false, []string{"nsAccountLock", "TRUE"}, disabled},
		{"nsAccountLock in other letters", false, []string{"nsaccountlock", "true"}, disabled},
		{"nsAccountLock false", false, []string{"nsAccountLock", "FALSE"}, ""},
		{"locked for good", false, []string{"pwdAccountLockedTime", "000001010000Z"}, locked},
		{"locked", false, []string{"pwdAccountLockedTime", "20261129115959Z"}, locked},
		{"pwdReset", false, []string{"pwdReset", "TRUE"}, mustChange},
		{"shadowExpire never", false, []string{"shadowExpire", "-1"}, ""},
		{"shadowExpire tomorrow", false, []string{"shadowExpire", fmt.Sprint(now.Unix()/86400 + 1)}, ""},
		{"shadowExpire today", false, []string{"shadowExpire", fmt.Sprint(now.Unix() / 86400)}, expired},
		{"shadowExpire 0", false, []string{"shadowExpire", "0"}, expired},
		{"shadowExpire nonsense", false, []string{"shadowExpire", "soon"}, expired},
		{"AD nothing said", true, nil, ""},
		{"AD normal", true, []string{"userAccountControl", "512", "msDS-User-Account-Control-Computed", "0", "accountExpires", "0", "lockoutTime", "0", "pwdLastSet", "134404639372905650"}, ""},
		{"AD disabled", true, []string{"userAccountControl", "514"}, disabled},
		{"AD userAccountControl nonsense", true, []string{"userAccountControl", "x"}, disabled},
		{"AD locked", true, []string{"userAccountControl", "512", "msDS-User-Account-Control-Computed", "16"}, locked},
		{"AD a lock whose time is over", true, []string{"lockoutTime", "134404639396033950", "msDS-User-Account-Control-Computed", "0"}, ""},
		{"AD a lock of which no more is known", true, []string{"lockoutTime", "134404639396033950"}, locked},
		{"AD expires in a second", true, []string{"accountExpires", file(now.Add(time.Second))}, ""},
		{"AD expires now", true, []string{"accountExpires", file(now)}, expired},
		{"AD never expires", true, []string{"accountExpires", "9223372036854775807"}, ""},
		{"AD accountExpires nonsense", true, []string{"accountExpires", "-5"}, expired},
		{"AD must change", true, []string{"userAccountControl", "512", "pwdLastSet", "0"}, mustChange},
		{"AD password never set, smart card", true, []string{"userAccountControl", "262656", "pwdLastSet", "0"}, ""},
		{"AD password never set, never expires", true, []string{"userAccountControl", "66048", "pwdLastSet", "0"}, ""},
		{"AD password expired", true, []string{"msDS-User-Account-Control-Computed", "8388608"}, oldSecret},
	} {
		e := entryWith(c.values...)
		got := state(e, now)
		if c.ad {
			got = stateAD(e, now)
		}
		if got != c.want {
			t.Errorf("%s: %q; want %q", c.name, got, c.want)
		}
	}
}

func FuzzValues(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), "513", "134404639396033950")
	f.Add([]byte{1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 82, 4, 0, 0}, "0", "0")
	f.Add([]byte("00112233-4455-6677-8899-aabbccddeeff"), "", "9223372036854775807")
	f.Fuzz(func(t *testing.T, b []byte, number, text string) {
		if s, err := guidText(b); err == nil {
			if back, err := guidBytes(s); err != nil || !bytes.Equal(back, b) {
				t.Errorf("%x is %s, is %x, %v", b, s, back, err)
			}
		}
		if g, err := guidBytes(string(b)); err == nil {
			if back, _ := guidText(g); back != string(b) {
				t.Errorf("%q is %x, is %q", b, g, back)
			}
		}
		if s, err := sibling(b, number); err == nil && (len(s) != len(b) || !bytes.Equal(s[:len(s)-4], b[:len(b)-4])) {
			t.Errorf("sibling(%x, %s) = %x", b, number, s)
		}
		if at, never, err := fileTime(text); err == nil && !never && at.Year() < 1601 {
			t.Errorf("fileTime(%s) = %v", text, at)
		}
		for _, name := range []string{"entryUUID", "objectGUID"} {
			e := &goldap.Entry{DN: alice, Attributes: []*goldap.EntryAttribute{{Name: name, ByteValues: [][]byte{b}}}}
			if s, err := subject(e, name); err == nil {
				if len(s) == 0 || len(s) > mic.MaxSubject {
					t.Errorf("a subject of %d bytes", len(s))
				}
				filter, err := subjectFilter(name, s)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := goldap.CompileFilter(filter); err != nil {
					t.Errorf("%s: %v", filter, err)
				}
			}
			attributes(e, []string{name})
		}
	})
}

package auth

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func TestCheckUsername(t *testing.T) {
	for _, test := range []struct {
		why, name string
		ok        bool
	}{
		{"plain", "alice", true}, {"case is kept", "Alice", true}, {"mail address", "a.b+c@example.org", true},
		{"spaces inside", "Alice B. Carroll", true}, {"composed accents", "zo\u00eb", true}, {"emoji", "\U0001f98a", true},
		{"other scripts", "дима 小明 مريم", true}, {"longest", strings.Repeat("a", 128), true}, {"a uuid", "0a8368d7-cbb8-473d-8fec-a1f7f50b764b", true},
		{"a mark alone is a mark", "x\u0331", true}, {"any punctuation but the colon", "/\\<>\"'%$;", true},
		{"empty", "", false}, {"too long", strings.Repeat("a", 129), false}, {"colon", "a:b", false},
		{"not UTF-8", "a\xff", false}, {"surrogate", "a\xed\xa0\x80", false}, {"NUL", "a\x00b", false}, {"line end", "a\nb", false},
		{"tab", "a\tb", false}, {"DEL", "a\x7f", false}, {"C1 control", "a\u0085", false}, {"decomposed accents", "zoe\u0308", false},
		{"compatibility of NFC", "\u212b", false}, {"soft hyphen", "al\u00adice", false}, {"zero width space", "al\u200bice", false},
		{"zero width joiner", "al\u200dice", false}, {"right-to-left override", "al\u202eice", false}, {"isolate", "al\u2066ice", false},
		{"left-to-right mark", "al\u200eice", false}, {"byte order mark", "\ufeffalice", false}, {"line separator", "al\u2028ice", false},
		{"private use", "al\ue000ice", false}, {"unassigned", "al\u0378ice", false}, {"noncharacter", "al\ufffeice", false},
		{"Hangul filler", "al\u3164ice", false}, {"variation selector", "al\ufe0fice", false}, {"grapheme joiner", "al\u034fice", false}, {"tag character", "al\U000e0041ice", false},
	} {
		err := CheckUsername(test.name)
		if (err == nil) != test.ok {
			t.Errorf("%s: CheckUsername(%q) = %v", test.why, test.name, err)
		}
		var nameErr *NameError
		if err != nil && (!errors.As(err, &nameErr) || len(test.name) > 2 && strings.Contains(err.Error(), test.name)) {
			t.Errorf("%s: error %q (%T)", test.why, err, err)
		}
	}
}

func TestSkeleton(t *testing.T) {
	for _, same := range [][]string{
		{"alice", "ALICE", "Alice", "\uff41lice", "\u24d0lice"},
		{"strasse", "STRASSE", "stra\u00dfe"}, {"zo\u00eb", "ZO\u00cb", "zoe\u0308"}, {"file", "\ufb01le"},
		{"\u03c3", "\u03c2", "\u03a3"}, {"\u00e5", "\u212b"},
	} {
		for _, name := range same {
			if got := Skeleton(name); got != Skeleton(same[0]) {
				t.Errorf("Skeleton(%q) = %q, of %q it is %q", name, got, same[0], Skeleton(same[0]))
			}
		}
	}
	for _, pair := range [][2]string{{"alice", "alicia"}, {"a b", "ab"}, {"zoe", "zo\u00eb"}} {
		if Skeleton(pair[0]) == Skeleton(pair[1]) {
			t.Errorf("%q and %q share a skeleton", pair[0], pair[1])
		}
	}
}

func FuzzUsername(f *testing.F) {
	for _, s := range []string{"alice", "zoe\u0308", "\u0345\u0391", "\u1e9e", "\u0130", "\U0001f98a", "a:b", "\xff", "\u212b", "\u3164"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		skeleton := Skeleton(s)
		if again := Skeleton(skeleton); again != skeleton {
			t.Fatalf("Skeleton(%q) = %q, again %q", s, skeleton, again)
		}
		if CheckUsername(s) != nil {
			return
		}
		if s == "" || len(s) > MaxUsernameBytes || strings.ContainsRune(s, ':') || norm.NFC.String(s) != s {
			t.Fatalf("CheckUsername accepts %q", s)
		}
	})
}

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "192.0.2.1": "192.0.2.0/24", "192.0.3.1": "192.0.3.0/24",
		"::ffff:192.0.2.77":    "192.0.2.0/24", // the same host over a dual-stack listener
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:3::1": "2001:db8:1:3::/64", "fe80::1%eth0": "fe80::/64", "::1": "::/64",
	} {
		if got := Network(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Network(%s) = %q, want %q", addr, got, want)
		}
	}
	if got := Network(netip.Addr{}); got != "" {
		t.Errorf("Network of no address = %q", got)
	}
}

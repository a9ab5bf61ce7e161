package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckPassword(t *testing.T) {
	server, dev := DefaultPasswordPolicy, PasswordPolicy{}
	for _, test := range []struct {
		why, password string
		policy        PasswordPolicy
		ok            bool
	}{
		{"development asks for little", "a", dev, true}, {"and allows common ones", "password", dev, true},
		{"but for something", "", dev, false}, {"UTF-8", "a\xff", dev, false}, {"not too long", strings.Repeat("a", 1025), dev, false},
		{"64 characters and more are allowed", strings.Repeat("correct horse ", 70), server, true},
		{"at least 8", "k7#Lm2x", server, false}, {"8 will do", "k7#Lm2xQ", server, true}, {"characters, not bytes", "жщъфюцйг", server, true},
		{"no composition rules", "tropfstein", server, true}, {"spaces count", "  a b  c ", server, true}, {"words, several", "correct horse battery", server, true},
		{"words that are not known", "gletscherspalte", server, true},
	} {
		err := CheckPassword(test.policy, test.password)
		if (err == nil) != test.ok {
			t.Errorf("%s: CheckPassword(%q) = %v", test.why, test.password, err)
		}
		var passwordErr *PasswordError
		if err != nil && !errors.As(err, &passwordErr) {
			t.Errorf("%s: error %T", test.why, err)
		}
	}
	for _, password := range strings.Fields(`password PASSWORD Password1 passw0rd p@ssw0rd P@$$w0rd password123 password2024! 12345678 123456789
		1234567890 87654321 11111111 00000000 qwertyui qwerty123 qwerty12345 1q2w3e4r 1qaz2wsx qazwsxedc asdfghjkl zxcvbnm123 abcdefgh abcd1234
		abc12345 aaaaaaaa abababab abcabcabc 12341234 iloveyou iloveyou2 princess1 sunshine football1 baseball monkey123 dragon2020 letmein1
		welcome1 Welcome123! admin123 administrator changeme1 trustno1 superman batman123 michael1 jennifer jordan23 starwars whatever1
		summer2025 Winter2024! monday2023 master123 loveyou123 mypassword guestguest testtest test1234 kinvey123 19841984 20252025 computer1`) {
		if CheckPassword(server, password) == nil {
			t.Errorf("CheckPassword accepts %q, which is tried first", password)
		}
	}
}

func FuzzCheckPassword(f *testing.F) {
	for _, s := range []string{"", "password1", "qwerty123", "aaaaaaaa", "жщъфюцйг", "abc123abc123", "1q2w3e4r5t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		strict, loose := CheckPassword(DefaultPasswordPolicy, s), CheckPassword(PasswordPolicy{}, s)
		if strict == nil && loose != nil {
			t.Fatalf("%q satisfies the policy but not what holds everywhere: %v", s, loose)
		}
	})
}

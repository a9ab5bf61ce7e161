package auth

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxPasswordBytes is the longest password, in bytes.
const MaxPasswordBytes = 1024

// A PasswordError says why a password is refused. Msg never repeats the password and
// may be shown to whoever chose it.
type PasswordError struct{ Msg string }

func (e *PasswordError) Error() string { return "password " + e.Msg }

// A PasswordPolicy is what an app asks of the passwords its users choose. The zero
// value asks only for what holds everywhere. There are no composition rules.
type PasswordPolicy struct {
	MinLength int  // in characters
	NoCommon  bool // refuse passwords that are tried first
}

// DefaultPasswordPolicy is for apps made by a server.
var DefaultPasswordPolicy = PasswordPolicy{MinLength: 8, NoCommon: true}

// CheckPassword returns a *PasswordError unless s satisfies p. Every password is 1 to
// MaxPasswordBytes bytes of UTF-8. It is taken exactly as it was sent.
func CheckPassword(p PasswordPolicy, s string) error {
	switch {
	case s == "":
		return &PasswordError{"is empty"}
	case len(s) > MaxPasswordBytes:
		return &PasswordError{fmt.Sprintf("is longer than %d bytes", MaxPasswordBytes)}
	case !utf8.ValidString(s):
		return &PasswordError{"is not UTF-8"}
	case utf8.RuneCountInString(s) < p.MinLength:
		return &PasswordError{fmt.Sprintf("is shorter than %d characters", p.MinLength)}
	case p.NoCommon && common(s):
		return &PasswordError{"is one of the first that are tried"}
	}
	return nil
}

// common catches what is guessed first by its making rather than by a long list: one or
// two well-known words with digits and signs around them and letters written as digits,
// a run along the keyboard or the alphabet, and a short piece repeated.
func common(s string) bool {
	const patient = 20 // longer ones are not what a guesser begins with
	if utf8.RuneCountInString(s) >= patient {
		return false
	}
	s = strings.ToLower(s)
	if repeated(s) || run(s) {
		return true
	}
	core := strings.Trim(s, "0123456789!?.,*#$%&+-_@ ")
	return knownWords(core) || knownWords(unleet.Replace(core)) || core == "" && len(s) <= 10
}

var unleet = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s")

// knownWords says whether s is made of at most two well-known words.
func knownWords(s string) bool {
	if s == "" {
		return false
	}
	for _, w := range words {
		rest, found := strings.CutPrefix(s, w)
		if found && (rest == "" || oneWord(strings.Trim(rest, "0123456789!?.,*#$%&+-_@ "))) {
			return true
		}
	}
	return false
}

func oneWord(s string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return s == ""
}

var words = strings.Fields(`
	account admin administrator access amanda andrew angel apple april ashley august autumn
	banana baseball basketball batman blink buster butterfly changeme charlie cheese chelsea
	chicken chocolate computer cookie corvette daniel december default demo diamond dragon
	eagle family february flower football forever freedom friend friends george ginger god
	guest hannah harley hello hockey hunter iloveyou internet january jennifer jessica jesus
	jordan joshua july june kinvey killer letmein liverpool login london love lovely maggie march
	master matrix matthew merlin michael michelle mickey monday money monkey mustang mypass
	naruto nicole november october orange p pass passwd password peanut pepper phoenix
	pokemon postern princess private purple qazwsx qwerty qwertyuiop asdf asdfgh
	asdfghjkl zxcvbn zxcvbnm qwer ranger root samsung secret september shadow soccer sparky spring
	starwars steelers summer sunday sunshine superman superuser taylor temp test tester testing
	thomas thunder tigger trustno user username welcome whatever william winter wizard word
	yankees you i me my the king queen world`)

var rows = []string{
	"01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba",
	"qwertyuiop", "poiuytrewq", "asdfghjkl", "lkjhgfdsa", "zxcvbnm", "mnbvcxz", "qwertzuiop", "azertyuiop",
	"1qaz2wsx3edc4rfv5tgb", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgb",
}

// run says whether s is cut together from at most three pieces of rows, each of three
// characters or more (two-character ends count as part of a run).
func run(s string) bool {
	for pieces := 0; pieces < 3; pieces++ {
		longest := 0
		for _, row := range rows {
			for n := len(s); n > longest; n-- {
				if n <= len(row) && strings.Contains(row, s[:n]) {
					longest = n
					break
				}
			}
		}
		if longest < 3 && longest < len(s) {
			return false
		}
		if s = s[longest:]; s == "" {
			return true
		}
	}
	return false
}

// repeated says whether s is one piece of at most four bytes, over and over.
func repeated(s string) bool {
	for n := 1; n <= 4 && n < len(s); n++ {
		if strings.HasPrefix(strings.Repeat(s[:n], len(s)/n+1), s) && len(s) >= 2*n {
			return true
		}
	}
	return false
}

package auth

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxUsernameBytes is the longest username, in bytes of UTF-8.
const MaxUsernameBytes = 128

// A NameError says why a username is refused. Msg does not repeat the name and may be
// shown to whoever chose it.
type NameError struct{ Msg string }

func (e *NameError) Error() string { return "username " + e.Msg }

// CheckUsername returns a *NameError unless s can be a username: 1 to
// MaxUsernameBytes bytes of UTF-8 in normal form C, without a colon (Basic splits
// there) and without characters that do not show (controls, format and direction
// marks, fillers, line ends) or do not exist (unassigned, private). Names are
// never changed: they are compared byte for byte.
func CheckUsername(s string) error {
	switch {
	case s == "":
		return &NameError{"is empty"}
	case len(s) > MaxUsernameBytes:
		return &NameError{fmt.Sprintf("is longer than %d bytes", MaxUsernameBytes)}
	case !utf8.ValidString(s):
		return &NameError{"is not UTF-8"}
	}
	for _, r := range s {
		if r == ':' {
			return &NameError{"contains a colon"}
		}
		if !visible(r) {
			return &NameError{fmt.Sprintf("contains the character U+%04X", r)}
		}
	}
	if !norm.NFC.IsNormalString(s) {
		return &NameError{"is not in Unicode normal form C"}
	}
	return nil
}

// visible allows what is assigned and meant to be seen. Everything outside of the
// listed categories (controls, format and bidi characters, surrogates, private use,
// unassigned, line and paragraph separators) is refused.
func visible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs) &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Skeleton maps names that look or sort alike except for letter case and compatibility
// forms to one string: the case folding of normal form KC. It is for apps that refuse
// look-alikes; it is idempotent.
func Skeleton(s string) string {
	// Folding can undo the normal form and the other way round; this order settles
	// after one round for all but a few characters.
	for range 4 {
		next := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		if next == s {
			break
		}
		s = next
	}
	return s
}

package ldap

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"

	"postern/auth/mic"
)

const (
	maxValue  = 4 << 10  // bytes of a value of an attribute
	maxValues = 100      // of one attribute
	maxAll    = 64 << 10 // bytes of all values of an Account
)

// raw returns the values of an attribute. The names of attributes have no case.
func raw(e *goldap.Entry, name string) [][]byte {
	for _, a := range e.Attributes {
		if strings.EqualFold(a.Name, name) {
			return a.ByteValues
		}
	}
	return nil
}

// one returns the value of an attribute that has one; empty: it has none, or more.
func one(e *goldap.Entry, name string) string {
	if v := raw(e, name); len(v) == 1 {
		return string(v[0])
	}
	return ""
}

// isText tells whether a value can be shown as a word or a line.
func isText(v []byte) bool {
	return utf8.Valid(v) && !slices.ContainsFunc([]rune(string(v)), unicode.IsControl)
}

// attributes returns those of the names that the entry has, under the names as they
// are given. Values that are not UTF-8 (pictures) or too long are left out, and so
// are those beyond maxValues and maxAll.
func attributes(e *goldap.Entry, names []string) map[string][]string {
	all, bytes := map[string][]string{}, 0
	for _, name := range names {
		if _, twice := all[name]; twice {
			continue
		}
		var values []string
		for _, v := range raw(e, name) {
			text := string(v)
			switch {
			case strings.EqualFold(name, "objectGUID"):
				guid, err := guidText(v)
				if err != nil {
					continue
				}
				text = guid
			case len(v) > maxValue || !utf8.Valid(v) || slices.Contains(v, 0):
				continue
			}
			if len(values) == maxValues || bytes+len(text) > maxAll {
				break
			}
			values, bytes = append(values, text), bytes+len(text)
		}
		if len(values) > 0 {
			all[name] = values
		}
	}
	return all
}

// subject returns the identity of an entry: the one value of the attribute.
func subject(e *goldap.Entry, attribute string) (string, error) {
	values := raw(e, attribute)
	if len(values) != 1 {
		return "", fmt.Errorf("the entry has %d values of %s, the subject; it must have one that the service account may read", len(values), attribute)
	}
	v := values[0]
	if strings.EqualFold(attribute, "objectGUID") {
		return guidText(v)
	}
	if len(v) == 0 || len(v) > mic.MaxSubject || !isText(v) || strings.TrimSpace(string(v)) == "" {
		return "", fmt.Errorf("the value of %s, the subject, is not 1 to %d bytes of text", attribute, mic.MaxSubject)
	}
	return string(v), nil
}

// subjectFilter finds the entry of a subject.
func subjectFilter(attribute, subject string) (string, error) {
	if !strings.EqualFold(attribute, "objectGUID") {
		return "(" + attribute + "=" + goldap.EscapeFilter(subject) + ")", nil
	}
	guid, err := guidBytes(subject)
	if err != nil {
		return "", err
	}
	return "(objectGUID=" + escapeBytes(guid) + ")", nil
}

// escapeBytes writes a binary value for a filter.
func escapeBytes(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteString(`\` + hex.EncodeToString([]byte{c}))
	}
	return s.String()
}

var errGUID = errors.New("not a GUID")

// guidText writes an objectGUID, whose first three numbers have their low byte
// first, the way it is shown everywhere: 01234567-89ab-cdef-0123-456789abcdef.
func guidText(b []byte) (string, error) {
	if len(b) != 16 {
		return "", errGUID
	}
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:]), nil
}

// guidBytes is the way back from guidText.
func guidBytes(text string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		return nil, errGUID
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	// Only the one form in which it was written.
	if back, _ := guidText(b); back != text {
		return nil, errGUID
	}
	return b, nil
}

// sibling returns the SID, in bytes, that has another number in the domain of a
// user's: that of his primary group.
func sibling(user []byte, number string) ([]byte, error) {
	const header = 8 // revision, how many numbers, authority
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || len(user) < header+4 || user[0] != 1 || int(user[1]) > 15 || len(user) != header+4*int(user[1]) {
		return nil, errors.New("not a SID, or not a number of a group")
	}
	sid := slices.Clone(user)
	binary.LittleEndian.PutUint32(sid[len(sid)-4:], uint32(n))
	return sid, nil
}

// fileTime reads a moment of Active Directory: 100 ns since 1601. never: 0, or the
// largest number.
func fileTime(text string) (at time.Time, never bool, err error) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0:
		return time.Time{}, false, fmt.Errorf("%q is not a time", text[:min(len(text), 40)])
	case n == 0 || n == 1<<63-1:
		return time.Time{}, true, nil
	}
	const perSecond, from1601to1970 = 10_000_000, 11_644_473_600
	return time.Unix(n/perSecond-from1601to1970, n%perSecond*100), false, nil
}

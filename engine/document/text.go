package document

import (
	"bytes"
	"cmp"
	"unicode/utf8"
)

// Text returns a copy of what a string says, unescaped, and of the text of a
// number. Everything else has no text.
func (v Value) Text() string {
	switch v.Kind() {
	case Number:
		return string(v.raw)
	case String:
		text := v.inner()
		if bytes.IndexByte(text, '\\') < 0 {
			return string(text)
		}
		return string(appendText(make([]byte, 0, len(text)), text))
	}
	return ""
}

// AppendText appends what Text returns.
func (v Value) AppendText(dst []byte) []byte {
	switch v.Kind() {
	case Number:
		return append(dst, v.raw...)
	case String:
		return appendText(dst, v.inner())
	}
	return dst
}

// TextIs reports whether v is a string that says s. It does not allocate.
func (v Value) TextIs(s string) bool {
	if len(v.raw) < len(s)+2 || v.raw[0] != '"' {
		return false
	}
	text := v.inner()
	if len(text) == len(s) {
		// An escape is longer than what it stands for, so that a text of this
		// length either is s or has an escape and says less.
		return string(text) == s && bytes.IndexByte(text, '\\') < 0
	}
	// Fast path: most strings differ in their first byte.
	if text[0] != '\\' && s != "" && text[0] != s[0] {
		return false
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return false
	}
	for len(text) > 0 {
		r, n := nextRune(text)
		want, k := utf8.DecodeRuneInString(s)
		if k == 0 || r != want || (want == utf8.RuneError && k == 1) {
			return false
		}
		text, s = text[n:], s[k:]
	}
	return s == ""
}

// CompareText orders two strings by the UTF-8 bytes of what they say, which is
// the order of their code points. It does not allocate.
func CompareText(a, b Value) int {
	x, y := a.inner(), b.inner()
	if bytes.IndexByte(x, '\\') < 0 && bytes.IndexByte(y, '\\') < 0 {
		return bytes.Compare(x, y)
	}
	for len(x) > 0 && len(y) > 0 {
		r, n := nextRune(x)
		s, k := nextRune(y)
		if r != s {
			return cmp.Compare(r, s)
		}
		x, y = x[n:], y[k:]
	}
	return cmp.Compare(len(x), len(y))
}

// inner returns the text between the quotes of a string.
func (v Value) inner() []byte {
	if len(v.raw) < 2 {
		return nil
	}
	return v.raw[1 : len(v.raw)-1]
}

// appendText appends what the inside of a string says.
func appendText(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		r, n := unescape(text[i:])
		dst = utf8.AppendRune(append(dst, text[:i]...), r)
		text = text[i+n:]
	}
}

// nextRune returns the character that the inside of a string begins with and
// the number of bytes that say it.
func nextRune(text []byte) (r rune, n int) {
	if text[0] == '\\' {
		return unescape(text)
	}
	return utf8.DecodeRune(text)
}

// unescape returns what the escape that b begins with stands for, and its
// length: 12 bytes for a surrogate pair. Half a pair and a damaged escape give
// U+FFFD.
func unescape(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return utf8.RuneError, len(b)
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		if r = hex4(b[2:]); r < 0 {
			return utf8.RuneError, 2
		}
		if !isSurrogate(r) {
			return r, 6
		}
		if r < 0xDC00 && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			if low := hex4(b[8:]); low >= 0xDC00 && low <= 0xDFFF {
				return (r-0xD800)<<10 + (low - 0xDC00) + 0x10000, 12
			}
		}
		return utf8.RuneError, 6
	}
	return utf8.RuneError, 2
}

func isSurrogate(r rune) bool { return r >= 0xD800 && r <= 0xDFFF }

// hex4 returns the number that four hexadecimal digits give, or -1.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	r := rune(0)
	for _, c := range b[:4] {
		d := hexDigit(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | d
	}
	return r
}

func hexDigit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// AppendQuote appends s as a JSON string. It escapes only what JSON demands:
// the quote, the backslash and control characters. Bytes of s that are not
// UTF-8 become U+FFFD.
func AppendQuote(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

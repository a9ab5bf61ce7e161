package query

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	endToken tokenKind = iota
	nameToken
	numberToken
	textToken
	signToken // operators and brackets
)

type token struct {
	kind    tokenKind
	text    string // of a string: what it says
	newline bool   // there is an end of line before it
}

// signs are what the tokens of JavaScript that are understood are made of. A
// longer one comes before what it begins with.
var signs = []string{"===", "!==", "==", "!=", "+=", "++", "(", ")", "{", "}", "[", "]", "=", "+", "-", "*", "/", "?", ":", ";", ",", "."}

func tokenize(text string) (tokens []token, ok bool) {
	newline := false
	for text != "" {
		switch c := text[0]; {
		case c == '\n' || c == '\r':
			newline = true
			text = text[1:]
			continue
		case c == ' ' || c == '\t':
			text = text[1:]
			continue
		case strings.HasPrefix(text, "//"):
			end := strings.IndexAny(text, "\r\n\u2028\u2029")
			if end < 0 {
				end = len(text)
			}
			text = text[end:]
			continue
		case strings.HasPrefix(text, "/*"):
			end := strings.Index(text[2:], "*/")
			if end < 0 {
				return nil, false
			}
			newline = newline || strings.ContainsAny(text[:2+end], "\r\n\u2028\u2029")
			text = text[2+end+2:]
			continue
		}
		t, n := nextToken(text)
		if n == 0 || len(tokens) == maxTokens {
			return nil, false
		}
		t.newline, newline = newline, false
		tokens = append(tokens, t)
		text = text[n:]
	}
	return append(tokens, token{newline: newline}), true
}

// nextToken returns the token that text begins with and its length, 0 when
// there is none that is understood.
func nextToken(text string) (token, int) {
	c := text[0]
	switch {
	case isLetter(c):
		n := 1
		for n < len(text) && (isLetter(text[n]) || isDecimal(text[n])) {
			n++
		}
		if n < len(text) && (text[n] == '\\' || text[n] >= utf8.RuneSelf) {
			return token{}, 0
		}
		return token{kind: nameToken, text: text[:n]}, n
	case isDecimal(c):
		return numberAt(text)
	case c == '"' || c == '\'':
		return textAt(text)
	}
	for _, s := range signs {
		if strings.HasPrefix(text, s) {
			return token{kind: signToken, text: s}, len(s)
		}
	}
	return token{}, 0
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '$'
}

func isDecimal(c byte) bool { return '0' <= c && c <= '9' }

// numberAt reads a decimal number with digits on both sides of its point. One
// that begins with a needless 0 would be octal.
func numberAt(text string) (token, int) {
	n := 0
	digits := func() bool {
		from := n
		for n < len(text) && isDecimal(text[n]) {
			n++
		}
		return n > from
	}
	digits()
	if n > 1 && text[0] == '0' {
		return token{}, 0
	}
	if n < len(text) && text[n] == '.' {
		if n++; !digits() {
			return token{}, 0
		}
	}
	if n < len(text) && (isLetter(text[n]) || text[n] == '\\' || text[n] >= utf8.RuneSelf) {
		return token{}, 0
	}
	return token{kind: numberToken, text: text[:n]}, n
}

// textAt reads a string in quotes of either kind; of the escapes it knows those
// of quotes and the backslash.
func textAt(text string) (token, int) {
	var said []byte
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == text[0]:
			if !utf8.Valid(said) {
				return token{}, 0
			}
			return token{kind: textToken, text: string(said)}, i + 1
		case c < ' ' || c == 0x7f:
			return token{}, 0
		case c != '\\':
			said = append(said, c)
		default:
			if i++; i == len(text) || text[i] != '"' && text[i] != '\'' && text[i] != '\\' {
				return token{}, 0
			}
			said = append(said, text[i])
		}
	}
	return token{}, 0
}

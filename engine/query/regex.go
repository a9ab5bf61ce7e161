package query

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"postern/engine/document"
)

// The bounds of one regular expression.
const (
	maxPattern = 256  // bytes
	maxProgram = 1000 // instructions
)

// pattern is the test of a text that a regular expression finds something in.
// It takes time in proportion to the text.
type pattern struct {
	re           *regexp.Regexp
	instructions int
}

func (t *pattern) holds(v document.Value, m *Meter) bool {
	text := v.Raw()
	if v.Kind() != document.String || len(text) < 2 {
		return false
	}
	text = text[1 : len(text)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		text = v.AppendText(nil)
	}
	return m.spend(len(text)*t.instructions) && t.re.Match(text)
}

func buildRegex(p *parser, c clause) (node, error) {
	options := c.object.Get("$options")
	if c.operand.Kind() != document.String {
		return nil, p.errorf(c.operand, "$regex needs a string")
	}
	if k := options.Kind(); k != document.String && k != document.Missing {
		return nil, p.errorf(options, "$options needs a string")
	}
	t, err := parsePattern(c.operand.Text(), options.Text())
	if err != nil {
		return nil, p.errorf(c.operand, "$regex: %v", err)
	}
	return &condition{path: c.path, test: t}, nil
}

// parsePattern compiles a regular expression with the options m (^ and $ at
// every line), s (a dot is any character) and x (white space and comments in
// the pattern do not count).
func parsePattern(text, options string) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("the pattern has more than %d bytes", maxPattern)
	}
	if !strings.HasPrefix(text, "^") {
		return nil, errors.New("the pattern must begin with '^'")
	}
	if i := strings.IndexFunc(options, func(r rune) bool { return !strings.ContainsRune("msx", r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(options[i:])
		return nil, fmt.Errorf("the option %q is none of m, s and x", r)
	}
	if strings.Contains(options, "x") {
		text = condense(text)
	}
	if ignoresCase(text) {
		return nil, errors.New("the flag 'i' is not supported")
	}
	for _, flag := range []string{"m", "s"} {
		if strings.Contains(options, flag) {
			text = "(?" + flag + ")" + text
		}
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > maxProgram {
		return nil, errors.New("the pattern is too complex")
	}
	re, err := regexp.Compile(text)
	return &pattern{re, len(program.Inst)}, err
}

// condense leaves out the white space and the comments of a pattern.
func condense(text string) string {
	var b strings.Builder
	for text != "" {
		n := tokenLength(text)
		switch {
		case text[0] == '#':
			if n = strings.IndexByte(text, '\n') + 1; n == 0 {
				n = len(text)
			}
		case !strings.ContainsRune(" \t\n\v\f\r", rune(text[0])):
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// ignoresCase looks for the flag i in a pattern, (?i) or (?i:a) in its forms.
func ignoresCase(text string) bool {
	for text != "" {
		if flags, ok := strings.CutPrefix(text, "(?"); ok {
			end := strings.IndexFunc(flags, func(r rune) bool { return !strings.ContainsRune("imsU-", r) })
			if end >= 0 && strings.Contains(flags[:end], "i") {
				return true
			}
		}
		text = text[tokenLength(text):]
	}
	return false
}

// tokenLength returns the length of what a pattern begins with: an escape, a
// quotation from \Q to \E, a class in brackets, or one byte.
func tokenLength(text string) int {
	switch {
	case strings.HasPrefix(text, `\Q`):
		if end := strings.Index(text, `\E`); end >= 0 {
			return end + 2
		}
		return len(text)
	case text[0] == '\\':
		_, n := utf8.DecodeRuneInString(text[1:])
		return 1 + n
	case text[0] == '[':
		return classLength(text)
	}
	return 1
}

func classLength(text string) int {
	i := 1
	if strings.HasPrefix(text[i:], "^") {
		i++
	}
	if strings.HasPrefix(text[i:], "]") { // in the first place it is a character
		i++
	}
	for i < len(text) {
		switch {
		case text[i] == ']':
			return i + 1
		case text[i] == '\\':
			_, n := utf8.DecodeRuneInString(text[i+1:])
			i += n
		case strings.HasPrefix(text[i:], "[:"):
			if end := strings.Index(text[i:], ":]"); end >= 0 {
				i += end + 1
			}
		}
		i++
	}
	return len(text)
}

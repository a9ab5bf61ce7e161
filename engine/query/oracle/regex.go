package oracle

import (
	"regexp"
	"strings"
)

// regex is $regex with $options: the pattern begins with ^, and the options
// are m (^ and $ at every line), x (white space and comments in the pattern do
// not count) and s (the dot takes line ends).
func regex(pattern, options any) (condition, error) {
	text, ok := pattern.(string)
	if !ok || !strings.HasPrefix(text, "^") {
		return nil, ErrSyntax
	}
	letters, ok := options.(string)
	if _, none := options.(missing); !ok && !none {
		return nil, ErrSyntax
	}
	flags := ""
	for _, letter := range letters {
		switch letter {
		case 'm', 's':
			flags += string(letter)
		case 'x':
			text = withoutSpace(text)
		default:
			return nil, ErrSyntax
		}
	}
	if flags != "" {
		text = "(?" + flags + ")" + text
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, ErrSyntax
	}
	return some(func(v any) bool {
		s, ok := v.(string)
		return ok && re.MatchString(s)
	}), nil
}

// withoutSpace takes out of a pattern what does not count under x: white space
// and comments from # to the end of the line, unless escaped or in a class.
func withoutSpace(pattern string) string {
	var b strings.Builder
	class, comment := false, false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case comment:
			comment = c != '\n'
		case c == '\\' && i+1 < len(pattern):
			b.WriteString(pattern[i : i+2])
			i++
		case class:
			class = c != ']'
			b.WriteByte(c)
		case c == '[':
			class = true
			b.WriteByte(c)
		case c == '#':
			comment = true
		case strings.IndexByte(" \t\n\v\f\r", c) >= 0:
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"postern/auth/mic"
)

// maxText bounds what is quoted of a provider, in characters.
const maxText = 200

// clean makes foreign text fit for a log and a page: one line of at most maxText
// characters, without what controls a terminal or turns the direction of writing.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	n := 0
	for i := range s {
		if n++; n > maxText {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}

// A quoted error is one of a library, with its text cleaned.
type quoted struct {
	text string
	err  error
}

func (q *quoted) Error() string { return q.text }
func (q *quoted) Unwrap() error { return q.err }

// quote makes the error of a library fit to be told. The URL that failed is left
// out: the caller names it without its query.
func quote(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &quoted{clean(err.Error()), err}
}

// place is a URL without what may be secret in it.
func place(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return clean(s)
	}
	return clean((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", mic.ErrRefused, fmt.Errorf(format, args...))
}

func gone(format string, args ...any) error {
	return fmt.Errorf("%w: %w", mic.ErrGone, fmt.Errorf(format, args...))
}

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", mic.ErrUnavailable, fmt.Errorf(format, args...))
}

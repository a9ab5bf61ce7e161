package oidc

import (
	"net/url"

	"postern/auth/mic"
)

const (
	maxCode      = 8 << 10 // bytes; some providers pack a whole session into one
	maxParameter = 4 << 10
)

// An answer is what the provider has sent back with a browser. It has a code or a
// failure, not both.
type answer struct {
	code                 string
	failure, description string // RFC 6749 error and error_description, as sent
	issuer               string
	namesIssuer          bool // whether there was an iss
}

// parseAnswer reads the parameters of a callback. Others than those it knows do
// not count. The issuer, which tells whether to believe the rest, is compared by
// the caller.
func parseAnswer(back url.Values) (answer, error) {
	var a answer
	_, a.namesIssuer = back["iss"]
	for _, p := range []struct {
		name string
		to   *string
		most int
	}{
		{"code", &a.code, maxCode}, {"error", &a.failure, maxParameter},
		{"error_description", &a.description, maxParameter}, {"iss", &a.issuer, maxURL},
	} {
		switch v := back[p.name]; {
		case len(v) > 1:
			return answer{}, refused("%s occurs twice", p.name)
		case len(v) == 1 && len(v[0]) > p.most:
			return answer{}, refused("%s is longer than %d bytes", p.name, p.most)
		case len(v) == 1:
			*p.to = v[0]
		}
	}
	switch {
	case a.code != "" && a.failure != "":
		return answer{}, refused("both a code and an error")
	case a.code == "" && a.failure == "":
		return answer{}, refused("neither a code nor an error")
	case a.code != "" && !printable(a.code, maxCode):
		return answer{}, refused("the code has characters that are not allowed")
	}
	return a, nil
}

// check tells whether the answer comes from an issuer, and is not a failure.
func (a *answer) check(issuer string, namesIssuer bool) error {
	switch {
	case issuer != "" && a.namesIssuer && a.issuer != issuer:
		return refused("it comes from another provider")
	case namesIssuer && !a.namesIssuer:
		return refused("it does not name the provider, which this one always does")
	case a.failure == "":
		return nil
	}
	because := clean(a.failure)
	if d := clean(a.description); d != "" {
		because += ": " + d
	}
	switch a.failure {
	case "server_error", "temporarily_unavailable":
		return unavailable("it says %s", because)
	}
	return refused("it says %s", because)
}

var _ mic.Redirects = (*Provider)(nil)

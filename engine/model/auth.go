package model

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"postern/acl/oracle"
)

func (c *call) ping() Response {
	return answer(200, map[string]any{"version": Check(isVersion), "kinvey": "hello", "*": anything})
}

func (c *call) handshake() Response {
	return answer(200, map[string]any{
		"version":         Check(isVersion),
		"kinvey":          "hello " + c.app.Name,
		"appName":         c.app.Name,
		"environmentName": Check(isString),
		"*":               anything,
	})
}

// authenticate finds out who sent the request (R1).
func (c *call) authenticate() *Response {
	rejected := refuse("InvalidCredentials")
	value, _ := header(c.req.Header, "Authorization")
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "basic":
		if !c.authenticateBasic(rest) {
			return &rejected
		}
		return nil
	case "kinvey":
		if c.version == 0 {
			r := refuse("FeatureUnavailable")
			return &r
		}
		for _, s := range c.app.sessions {
			if s.token == rest {
				c.session = s
				c.isUser(s.user)
				return nil
			}
		}
	}
	return &rejected
}

func (c *call) authenticateBasic(encoded string) bool {
	text, err := base64.StdEncoding.DecodeString(encoded)
	name, secret, colon := strings.Cut(string(text), ":")
	if err != nil || !colon || !utf8.Valid(text) {
		return false
	}
	if name == c.app.Key {
		switch secret {
		case c.app.MasterSecret:
			c.who = oracle.Who{Role: oracle.Master}
			return true
		case c.app.Secret:
			c.who = oracle.Who{Role: oracle.App}
			return true
		}
		return false
	}
	u := c.app.userNamed(name)
	if u == nil || u.suspended || u.password != secret {
		return false
	}
	c.isUser(u)
	return true
}

func (c *call) isUser(u *record) {
	c.user = u
	c.who = oracle.Who{Role: oracle.User, ID: u.id}
}

// userNamed finds a user, suspended or not, by the exact name.
func (a *app) userNamed(name string) *record {
	for _, u := range a.users.records {
		if n, _ := u.body.get("username"); n == name {
			return u
		}
	}
	return nil
}

func (a *app) endSessions(u *record) {
	a.sessions = without(a.sessions, func(s *session) bool { return s.user == u })
}

func (a *app) endSession(ended *session) {
	a.sessions = without(a.sessions, func(s *session) bool { return s == ended })
}

func (c *call) startSession(u *record, token string) {
	for _, old := range c.app.tokens {
		if old == token {
			c.complain("the token %s was given out before", token)
		}
	}
	c.app.tokens = append(c.app.tokens, token)
	c.app.sessions = append(c.app.sessions, &session{token, u})
}

package saml

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/beevik/etree"
)

const (
	statusPrefix  = "urn:oasis:names:tc:SAML:2.0:status:"
	statusSuccess = statusPrefix + "Success"
	methodBearer  = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	formatEntity  = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
)

// An expectation is what a response must fit.
type expectation struct {
	issuer    string    // the provider
	entityID  string    // us
	acs       string    // where it was brought
	request   string    // what it answers
	notBefore time.Time // of the login at the provider; zero: any
	now       time.Time
	leeway    time.Duration
}

// status says whether the provider let somebody in (R3). What it says instead is
// shown, shortened and quoted: nobody has signed it.
func status(response *etree.Element) error {
	st, err := only(response, nsProtocol, "Status")
	if err != nil {
		return err
	}
	code, err := only(st, nsProtocol, "StatusCode")
	if err != nil {
		return err
	}
	if attribute(code, "Value") == statusSuccess {
		return nil
	}
	why := attribute(code, "Value")
	if inner := children(code, nsProtocol, "StatusCode"); len(inner) == 1 {
		why += " " + attribute(inner[0], "Value")
	}
	if m := children(st, nsProtocol, "StatusMessage"); len(m) == 1 {
		if t, err := text(m[0]); err == nil && t != "" {
			why += ": " + t
		}
	}
	return fmt.Errorf("the provider let nobody in: %.300q", why)
}

// around checks the response an assertion is in. If the response was not signed
// these are claims of whoever sent it; they still have to fit.
func (x *expectation) around(response *etree.Element) error {
	if err := x.version(response); err != nil {
		return err
	}
	if len(children(response, nsAssertion, "Issuer")) > 0 {
		if err := x.isIssuer(response); err != nil {
			return err
		}
	}
	if attribute(response, "Destination") != x.acs {
		return errors.New("the response is for another destination")
	}
	return x.answers(response)
}

// within checks a verified assertion and returns until when it is good (R6).
func (x *expectation) within(assertion *etree.Element) (until time.Time, err error) {
	if err := x.version(assertion); err != nil {
		return until, err
	}
	if !idPattern.MatchString(attribute(assertion, "ID")) {
		return until, errors.New("an assertion without an ID")
	}
	if err := x.isIssuer(assertion); err != nil {
		return until, err
	}
	until, err = x.conditions(assertion)
	if err != nil {
		return until, err
	}
	confirmed, err := x.confirmation(assertion)
	if err != nil {
		return until, err
	}
	if confirmed.Before(until) {
		until = confirmed
	}
	return until.Add(x.leeway), x.login(assertion)
}

func (x *expectation) version(el *etree.Element) error {
	if attribute(el, "Version") != "2.0" {
		return errors.New("not SAML 2.0")
	}
	issued, err := instant(el, "IssueInstant")
	if err != nil {
		return err
	}
	if issued.After(x.now.Add(x.leeway)) {
		return fmt.Errorf("%s was issued in the future", el.Tag)
	}
	return nil
}

func (x *expectation) isIssuer(el *etree.Element) error {
	issuer, err := only(el, nsAssertion, "Issuer")
	if err != nil {
		return err
	}
	name, err := text(issuer)
	if err != nil {
		return err
	}
	if f := attribute(issuer, "Format"); name != x.issuer || f != "" && f != formatEntity {
		return fmt.Errorf("%s is of another issuer", el.Tag)
	}
	return nil
}

// answers demands that el is about our request. An unsolicited response is one
// that an attacker can have a browser bring.
func (x *expectation) answers(el *etree.Element) error {
	switch attribute(el, "InResponseTo") {
	case x.request:
		return nil
	case "":
		return fmt.Errorf("%s answers no request: logins that the provider begins are not taken", el.Tag)
	default:
		return fmt.Errorf("%s answers another request", el.Tag)
	}
}

// window checks NotBefore, which may be missing, and NotOnOrAfter, which may not.
func (x *expectation) window(el *etree.Element) (until time.Time, err error) {
	if attribute(el, "NotBefore") != "" {
		from, err := instant(el, "NotBefore")
		if err != nil {
			return until, err
		}
		if x.now.Add(x.leeway).Before(from) {
			return until, fmt.Errorf("%s: not valid yet; do the clocks differ?", el.Tag)
		}
	}
	until, err = instant(el, "NotOnOrAfter")
	if err == nil && !x.now.Add(-x.leeway).Before(until) {
		err = fmt.Errorf("%s: expired; do the clocks differ?", el.Tag)
	}
	return until, err
}

func (x *expectation) conditions(assertion *etree.Element) (until time.Time, err error) {
	cond, err := only(assertion, nsAssertion, "Conditions")
	if err != nil {
		return until, err
	}
	if until, err = x.window(cond); err != nil {
		return until, err
	}
	restricted := false
	for _, c := range cond.ChildElements() {
		switch {
		case is(c, nsAssertion, "AudienceRestriction"):
			// Each restriction holds by itself, and any audience of one is enough.
			names := []string{}
			for _, a := range children(c, nsAssertion, "Audience") {
				name, err := text(a)
				if err != nil {
					return until, err
				}
				names = append(names, name)
			}
			if !slices.Contains(names, x.entityID) {
				return until, errors.New("the assertion is for another audience")
			}
			restricted = true
		case is(c, nsAssertion, "OneTimeUse"), is(c, nsAssertion, "ProxyRestriction"):
			// We use each once, and pass none on.
		default:
			return until, errors.New("a condition that is not known")
		}
	}
	if !restricted {
		return until, errors.New("the assertion names no audience")
	}
	return until, nil
}

// confirmation looks for one bearer confirmation that fits.
func (x *expectation) confirmation(assertion *etree.Element) (until time.Time, err error) {
	subject, err := only(assertion, nsAssertion, "Subject")
	if err != nil {
		return until, err
	}
	err = errors.New("the subject is not confirmed for the bearer")
	for _, c := range children(subject, nsAssertion, "SubjectConfirmation") {
		if attribute(c, "Method") != methodBearer {
			continue
		}
		if until, err = x.bearer(c); err == nil {
			return until, nil
		}
	}
	return until, err
}

func (x *expectation) bearer(confirmation *etree.Element) (until time.Time, err error) {
	data, err := only(confirmation, nsAssertion, "SubjectConfirmationData")
	if err != nil {
		return until, err
	}
	if attribute(data, "Recipient") != x.acs {
		return until, errors.New("the assertion is for another recipient")
	}
	if err := x.answers(data); err != nil {
		return until, err
	}
	return x.window(data)
}

// login checks that the provider says how and when somebody logged in, and that
// this still counts.
func (x *expectation) login(assertion *etree.Element) error {
	statements := children(assertion, nsAssertion, "AuthnStatement")
	if len(statements) == 0 {
		return errors.New("the assertion says nothing of a login (no AuthnStatement)")
	}
	for _, st := range statements {
		at, err := instant(st, "AuthnInstant")
		if err != nil {
			return err
		}
		if at.After(x.now.Add(x.leeway)) {
			return errors.New("the login at the provider is in the future")
		}
		if at.Add(x.leeway).Before(x.notBefore) {
			return errors.New("the provider did not ask for the password again (forceAuthn)")
		}
		if attribute(st, "SessionNotOnOrAfter") == "" {
			continue
		}
		end, err := instant(st, "SessionNotOnOrAfter")
		if err != nil {
			return err
		}
		if !x.now.Add(-x.leeway).Before(end) {
			return errors.New("the session at the provider has ended")
		}
	}
	return nil
}

// instant reads a time, which SAML has in UTC.
func instant(el *etree.Element, key string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, attribute(el, key))
	if err != nil {
		return t, fmt.Errorf("%s of %s is not a time", key, el.Tag)
	}
	return t, nil
}

package saml

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/beevik/etree"

	"postern/auth/mic"
)

// Bounds of what an assertion says of somebody. More is refused, not cut: a group
// that is missing is a right that is.
const (
	maxAttributes = 200
	maxValues     = 800 // of all attributes; the document's bound is near
	maxValue      = 4 << 10
)

// account takes from a verified assertion whom it is about (R7).
func (p *Provider) account(assertion *etree.Element, issuer string) (*mic.Account, error) {
	values, err := attributes(assertion)
	if err != nil {
		return nil, err
	}
	a := &mic.Account{Attributes: map[string][]string{}}
	if name := p.cfg.SubjectAttribute; name != "" {
		if n := len(values[name]); n != 1 {
			return nil, fmt.Errorf("the attribute that is the subject has %d values where one is needed", n)
		}
		a.Subject = values[name][0]
	} else if a.Subject, err = p.nameID(assertion, issuer); err != nil {
		return nil, err
	}
	if a.Subject == "" || len(a.Subject) > mic.MaxSubject || strings.ContainsFunc(a.Subject, unicode.IsControl) {
		return nil, fmt.Errorf("the subject does not have 1 to %d bytes of plain text", mic.MaxSubject)
	}
	for name, vs := range values {
		if len(p.cfg.Attributes) == 0 || slices.Contains(p.cfg.Attributes, name) {
			a.Attributes[name] = vs
		}
	}
	if name := p.cfg.GroupsAttribute; name != "" {
		a.Groups = slices.Clone(values[name])
		slices.Sort(a.Groups)
		a.Groups = slices.Compact(a.Groups)
	}
	return a, nil
}

// nameID reads the NameID, if it is one that stays and is of this provider for us.
func (p *Provider) nameID(assertion *etree.Element, issuer string) (string, error) {
	subject, err := only(assertion, nsAssertion, "Subject")
	if err != nil {
		return "", err
	}
	id, err := only(subject, nsAssertion, "NameID")
	if err != nil {
		return "", err
	}
	format := attribute(id, "Format")
	if format == "" {
		format = FormatUnspecified
	}
	// Never transient: a configuration has that with SubjectAttribute only.
	if format != p.set.format {
		return "", fmt.Errorf("a NameID of the format %.120q; %q was asked for", format, p.set.format)
	}
	if q := attribute(id, "NameQualifier"); q != "" && q != issuer {
		return "", errors.New("a NameID that another provider has given (NameQualifier)")
	}
	if q := attribute(id, "SPNameQualifier"); q != "" && q != p.cfg.EntityID {
		return "", errors.New("a NameID that is meant for another service (SPNameQualifier)")
	}
	return text(id)
}

// attributes reads the attributes with text in them. Values with elements in
// them, and empty ones, are left out.
func attributes(assertion *etree.Element) (map[string][]string, error) {
	values := map[string][]string{}
	count := 0
	for _, st := range children(assertion, nsAssertion, "AttributeStatement") {
		for _, a := range children(st, nsAssertion, "Attribute") {
			name := attribute(a, "Name")
			if name == "" || len(name) > maxName {
				return nil, fmt.Errorf("an attribute whose name does not have 1 to %d bytes", maxName)
			}
			for _, v := range children(a, nsAssertion, "AttributeValue") {
				t, err := text(v)
				if err != nil || t == "" {
					continue
				}
				if len(t) > maxValue {
					return nil, fmt.Errorf("a value of the attribute %q has more than %d bytes", name, maxValue)
				}
				if count++; count > maxValues {
					return nil, fmt.Errorf("more than %d values of attributes; have the provider send fewer groups", maxValues)
				}
				values[name] = append(values[name], t)
			}
			if len(values) > maxAttributes {
				return nil, fmt.Errorf("more than %d attributes", maxAttributes)
			}
		}
	}
	return values, nil
}

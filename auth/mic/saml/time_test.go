package saml

import (
	"fmt"
	"testing"
	"time"
)

// Every time in a response, at its edge and a second beyond, with the leeway of a
// minute between the clocks.
func TestTimes(t *testing.T) {
	const good = ""
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339) }
	notBefore := func(d time.Duration) func(*testing.T, *forge) {
		return func(t *testing.T, f *forge) {
			f.Conditions = within(t, f.Conditions, `NotBefore="`+at(-time.Minute), `NotBefore="`+at(d))
		}
	}
	conditions := func(d time.Duration) func(*testing.T, *forge) {
		return func(t *testing.T, f *forge) {
			f.Conditions = within(t, f.Conditions, `NotOnOrAfter="`+at(5*time.Minute), `NotOnOrAfter="`+at(d))
		}
	}
	confirmation := func(d time.Duration) func(*testing.T, *forge) {
		return func(t *testing.T, f *forge) {
			f.Confirmation = within(t, f.Confirmation, `NotOnOrAfter="`+at(5*time.Minute), `NotOnOrAfter="`+at(d))
		}
	}
	confirmedFrom := func(d time.Duration) func(*testing.T, *forge) {
		return func(t *testing.T, f *forge) {
			f.Confirmation = within(t, f.Confirmation, `NotOnOrAfter=`, `NotBefore="`+at(d)+`" NotOnOrAfter=`)
		}
	}
	session := func(d time.Duration) func(*testing.T, *forge) {
		return func(t *testing.T, f *forge) {
			f.Authn = within(t, f.Authn, `SessionNotOnOrAfter="`+at(8*time.Hour), `SessionNotOnOrAfter="`+at(d))
		}
	}
	login := func(d time.Duration) func(*testing.T, *forge) {
		return func(t *testing.T, f *forge) {
			f.Authn = within(t, f.Authn, `AuthnInstant="`+at(0), `AuthnInstant="`+at(d))
		}
	}
	issued := func(d time.Duration) func(*testing.T, *forge) {
		return func(t *testing.T, f *forge) {
			f.Assertions = within(t, f.assertion(), `IssueInstant="`+at(-time.Second), `IssueInstant="`+at(d))
		}
	}
	replace := func(part func(*forge) *string, old, new string) func(*testing.T, *forge) {
		return func(t *testing.T, f *forge) { *part(f) = within(t, *part(f), old, new) }
	}
	inConditions := func(f *forge) *string { return &f.Conditions }
	inConfirmation := func(f *forge) *string { return &f.Confirmation }
	inAuthn := func(f *forge) *string { return &f.Authn }

	rows := []struct {
		name   string
		change func(*testing.T, *forge)
		reason string
	}{
		{"valid from when our clock is a minute behind", notBefore(time.Minute), good},
		{"not valid yet", notBefore(time.Minute + time.Second), "Conditions: not valid yet"},
		{"expired when our clock is a minute ahead", conditions(-time.Minute + time.Second), good},
		{"expired", conditions(-time.Minute), "Conditions: expired"},
		{"confirmation that has just not expired", confirmation(-time.Minute + time.Second), good},
		{"confirmation expired", confirmation(-time.Minute), "SubjectConfirmationData: expired"},
		{"confirmation not valid yet", confirmedFrom(time.Minute + time.Second), "SubjectConfirmationData: not valid yet"},
		{"session that has just not ended", session(-time.Minute + time.Second), good},
		{"session ended", session(-time.Minute), "session at the provider has ended"},
		{"login a minute ahead", login(time.Minute), good},
		{"login in the future", login(time.Minute + time.Second), "in the future"},
		{"login of yesterday", login(-24 * time.Hour), good},
		{"issued a minute ahead", issued(time.Minute), good},
		{"issued in the future", issued(time.Minute + time.Second), "issued in the future"},
		{"no NotBefore", replace(inConditions, `NotBefore="`+at(-time.Minute)+`"`, ""), good},
		{"no end", replace(inConditions, `NotOnOrAfter="`+at(5*time.Minute)+`"`, ""), "not a time"},
		{"no end of the confirmation", replace(inConfirmation, `NotOnOrAfter="`+at(5*time.Minute)+`"`, ""), "not a time"},
		{"no end of the session", replace(inAuthn, `SessionNotOnOrAfter="`+at(8*time.Hour)+`"`, ""), good},
		{"no time of the login", replace(inAuthn, `AuthnInstant="`+at(0)+`"`, ""), "not a time"},
		{"a time that is none", replace(inConditions, at(5*time.Minute), "tomorrow"), "not a time"},
		{"a time without a zone", replace(inConditions, at(5*time.Minute), "2099-01-01T00:00:00"), "not a time"},
		{"a time in another zone", replace(inConditions, at(5*time.Minute), "2026-11-29T14:05:00+02:00"), good},
		{"a time with fractions", replace(inConditions, at(5*time.Minute), "2026-11-29T12:05:00.123Z"), good},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			l := newLab(t, nil).start(t)
			f := l.forged()
			row.change(t, f)
			a, err := l.finish(t, signed(t, f))
			if row.reason != good {
				wantRefused(t, a, err, row.reason)
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The same by the clock: one response, minute after minute.
func TestClock(t *testing.T) {
	for leeway, last := range map[int]time.Duration{0: 6 * time.Minute, 1: 5*time.Minute + time.Second, 600: 15 * time.Minute} {
		t.Run(fmt.Sprint(leeway), func(t *testing.T) {
			for _, d := range []time.Duration{0, last - time.Second} {
				l := newLab(t, func(c *Config) { c.Leeway = leeway }).start(t)
				document := signed(t, l.forged())
				l.now = noon.Add(d)
				if _, err := l.finish(t, document); err != nil {
					t.Fatalf("after %v: %v", d, err)
				}
				l.now = noon.Add(last)
				l.refuses(t, document, "expired")
			}
		})
	}
}

func TestForceAuthn(t *testing.T) {
	l := newLab(t, func(c *Config) { c.ForceAuthn = true }).start(t)
	l.now = noon.Add(3 * time.Minute)
	f := l.forged()
	f.Authn = within(t, f.Authn, `AuthnInstant="2026-11-29T12:03:00Z"`, `AuthnInstant="2026-11-29T11:58:59Z"`)
	l.refuses(t, signed(t, f), "forceAuthn")
	f.Authn = within(t, f.Authn, "11:58:59", "11:59:00")
	if _, err := l.finish(t, signed(t, f)); err != nil {
		t.Fatal(err)
	}
}

// The certificate of the provider has a time as well.
func TestCertificateExpires(t *testing.T) {
	for _, years := range []int{-2, 2} {
		l := newLab(t, nil)
		l.now = noon.AddDate(years, 0, 0)
		l.start(t)
		l.refuses(t, signed(t, l.forged()), "no certificate of the provider is valid today")
	}
}

package model

import (
	"fmt"
	"regexp"
	"time"
)

// What the server chooses, and what it must look like.
var (
	idShape      = regexp.MustCompile(`^[0-9a-f]{24}$`)
	tokenShape   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.[A-Za-z0-9+/]{43}=$`)
	timeShape    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	secretShape  = regexp.MustCompile(`^\S{16,}$`)
	versionShape = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
)

// told returns the string at a path of the server's answer, when there is an
// answer and it went well.
func (c *call) told(path ...string) (string, bool) {
	if c.real == nil || c.real.Status >= 300 {
		return "", false
	}
	v := c.real.Body
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, ok := v.(string)
	return s, ok
}

// chosen returns what the server chose at a path of its answer. When it chose
// nothing fit to be used, that is complained about and fallback taken.
func (c *call) chosen(shape *regexp.Regexp, fallback string, path ...string) string {
	s, ok := c.told(path...)
	if ok && shape.MatchString(s) {
		return s
	}
	if c.real != nil && c.real.Status < 300 {
		c.complain("%v is %q; want something like %s", path, s, shape)
	}
	return fallback
}

func (c *call) complain(format string, args ...any) {
	c.complaints = append(c.complaints, fmt.Sprintf(format, args...))
}

// Things made up where no server chooses.

func (m *Model) id() string {
	m.made++
	return fmt.Sprintf("%024x", m.made)
}

func (m *Model) token() string {
	m.made++
	return fmt.Sprintf("00000000-0000-4000-8000-%012x.%043d=", m.made, m.made)
}

func (m *Model) time() string {
	m.made++
	return time.UnixMilli(int64(m.made)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// newID takes over the _id of something created.
func (c *call) newID(in *collection) string {
	id := c.chosen(idShape, c.m.id(), "_id")
	if in.find(id) != nil {
		c.complain("the new _id %s is taken", id)
	}
	return id
}

// stampCreated takes over the times of something created.
func (c *call) stampCreated(r *record, imported bool) {
	r.ect = c.chosen(timeShape, c.m.time(), "_kmd", "ect")
	r.lmt = r.ect
	if imported {
		r.lmt = c.chosen(timeShape, r.ect, "_kmd", "lmt")
	}
}

// stampUpdated takes over the time of an update.
func (c *call) stampUpdated(r *record) {
	lmt := c.chosen(timeShape, c.m.time(), "_kmd", "lmt")
	if lmt <= r.lmt {
		c.complain("lmt went from %s to %s", r.lmt, lmt)
	}
	r.lmt = lmt
}

// Checks of what nobody need remember.

var anything = Check(func(any, bool) string { return "" })

func isString(v any, present bool) string {
	if _, ok := v.(string); !ok {
		return fmt.Sprintf("%v is no string", v)
	}
	return ""
}

func isVersion(v any, present bool) string {
	if s, ok := v.(string); !ok || !versionShape.MatchString(s) {
		return fmt.Sprintf("%v is no version", v)
	}
	return ""
}

func isTime(v any, present bool) string {
	if s, ok := v.(string); !ok || !timeShape.MatchString(s) {
		return fmt.Sprintf("%v is no time", v)
	}
	return ""
}

func absent(v any, present bool) string {
	if present {
		return fmt.Sprintf("%v should not be there", v)
	}
	return ""
}

// optional lets a value be absent, or be what is wanted.
func optional(want any) Check {
	return func(v any, present bool) string {
		if !present {
			return ""
		}
		return differ(want, v)
	}
}
